"""
Who may do what: by the upload key, or in a browser by a session that was begun with it.
"""

from __future__ import annotations

from collections.abc import Callable

from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

from .keys import Keys
from .origin import from_our_pages
from .sessions import Sessions, cookie_values, expired_cookie, set_cookie
from .throttle import Throttle

_READING = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class SignInFirst(Exception):
    """
    A page is not for strangers: who asks for it is sent to sign in, and then comes back.
    """


class Access:
    """
    Refuses who may not.

    :param open_uploads: whether everybody may upload. To list, replace or remove
        files takes the key all the same.
    :param now: tells seconds since 1970 UTC.
    """

    def __init__(self, keys: Keys, throttle: Throttle, open_uploads: bool, now: Callable[[], float]) -> None:
        self._keys = keys
        self._sessions = Sessions(keys.session_key)
        self._throttle = throttle
        self._open_uploads = open_uploads
        self._now = now

    @property
    def open_uploads(self) -> bool:
        """
        Whether everybody may upload.
        """
        return self._open_uploads

    def require_upload(self, request: Request) -> None:
        """
        Let pass who may take files in.

        :raise Refusal: as `require_key`.
        """
        if not self._open_uploads:
            self.require_key(request)

    def require_key(self, request: Request) -> None:
        """
        Let pass who has the upload key, or a session.

        :raise Refusal: 401, neither; 403, another site's page uses the session;
            429, wrong keys came too often.
        """
        key = _bearer(request)
        if key is not None:
            if not self.permits(request, key):
                raise _who("This is not the upload key.")
        elif not self.has_session(request):
            raise _who("Send the upload key: Authorization: Bearer KEY.")
        elif request.method not in _READING:
            self.require_our_pages(request)

    def require_page(self, request: Request) -> None:
        """
        Let pass to a page who signed in, or has the upload key.

        :raise SignInFirst: nobody said who it is.
        :raise Refusal: as `require_key`.
        """
        if request.getHeader(b"Authorization") is None and not self.has_session(request):
            raise SignInFirst
        self.require_key(request)

    def require_upload_page(self, request: Request) -> None:
        """
        Let pass to a page with a form who may send it: see `require_page`.
        """
        if not self._open_uploads:
            self.require_page(request)

    def may_upload(self, request: Request) -> bool:
        """
        Whether a page shall offer to upload: to who signed in, or to everybody.
        """
        return self._open_uploads or self.has_session(request)

    def require_our_pages(self, request: Request) -> None:
        """
        Let pass forms and scripts of our own pages.

        :raise Refusal: 403, it may be another site's.
        """
        fetch_site = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Site")
        origin = request.requestHeaders.getRawHeaders(b"Origin")
        if not from_our_pages(fetch_site, origin, request.origin):
            raise Refusal(403, "This can only be done from a page of this server.")

    def permits(self, request: Request, key: str) -> bool:
        """
        Whether this is the upload key.

        :raise Refusal: 429, wrong ones came too often from this address.
        """
        address = request.client_address()
        wait = self._throttle.wait(address)
        if wait:
            headers = {b"Retry-After": b"%d" % wait}
            raise Refusal(429, f"Too many wrong keys. Try again in {wait} seconds.", headers)
        permitted = self._keys.permits(key)
        if not permitted:
            self._throttle.wrong(address)
        return permitted

    def has_session(self, request: Request) -> bool:
        """
        Whether a browser signed in.
        """
        cookies = request.requestHeaders.getRawHeaders(b"Cookie") or []
        return any(
            self._sessions.valid(value, self._now()) for value in cookie_values(cookies, _secure(request))
        )

    def begin_session(self, request: Request) -> None:
        """
        Sign a browser in; its key was looked at.
        """
        value = self._sessions.begin(self._now())
        request.responseHeaders.addRawHeader(b"Set-Cookie", set_cookie(value, _secure(request)))

    def end_session(self, request: Request) -> None:
        """
        Sign a browser out.
        """
        request.responseHeaders.addRawHeader(b"Set-Cookie", expired_cookie(_secure(request)))


def _bearer(request: Request) -> str | None:
    """
    RFC 6750 section 2.1.
    """
    header = request.getHeader(b"Authorization") or b""
    scheme, _, key = header.decode("latin-1").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def _secure(request: Request) -> bool:
    return request.origin.startswith("https://")


def _who(detail: str) -> Refusal:
    return Refusal(401, detail, {b"WWW-Authenticate": b"Bearer"})
