"""
Signing in with the upload key, and out again.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

from .access import Access
from .errors import Errors
from .pages import Pages, see_other
from .routing import coroutine, table

#: Where somebody goes on who signed in and did not say where to; from the home page.
_FIRST_PAGE = "files/"

#: The form has a key and an address; in bytes.
_LONGEST_FORM = 64 * 1024

# A path of segments that are not empty and do not begin with a dot, so that it leads neither up nor to
# another host; and nothing of ours has a colon, so there is no scheme.
_SEGMENT = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_OURS = re.compile(rf"(?:{_SEGMENT}/)*(?:{_SEGMENT})?(?:\?[A-Za-z0-9._~%=&+-]*)?")


class SignIn:
    """
    The routes ``/sign-in`` and ``/sign-out``.
    """

    app = table()

    def __init__(self, access: Access, pages: Pages, errors: Errors) -> None:
        self._access = access
        self._pages = pages
        self.errors = errors

    @app.route("/sign-in", methods=["GET"])
    def show(self, request: Request) -> bytes:
        """
        Ask for the key; a link may bring it, which leaves the address bar at once.
        """
        following = own_address(_first(request, b"next"))
        if b"key" in request.query and not _from_elsewhere(request):
            return self._begin(request, _first(request, b"key"), following)
        if self._access.has_session(request):
            return see_other(request, following)
        return self._form(request, following, None)

    @app.route("/sign-in", methods=["POST"])
    @coroutine
    async def sign_in(self, request: Request) -> bytes:
        """
        Take the key.
        """
        body = await request.body.whole(_LONGEST_FORM)
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        key, following = (fields.get(name, [""])[0] for name in ("key", "next"))
        return self._begin(request, key, own_address(following))

    @app.route("/sign-out", methods=["POST"])
    def sign_out(self, request: Request) -> bytes:
        """
        End the session.
        """
        self._access.require_our_pages(request)
        self._access.end_session(request)
        return see_other(request, "./")

    def _begin(self, request: Request, key: str, following: str) -> bytes:
        key = key.strip()
        try:
            permitted = bool(key) and self._access.permits(request, key)
        except Refusal as too_many:
            return self._form(request, following, too_many)
        if not permitted:
            detail = "This is not the upload key." if key else "Enter the upload key."
            return self._form(request, following, Refusal(401, detail, {b"WWW-Authenticate": b"Bearer"}))
        self._access.begin_session(request)
        return see_other(request, following)

    def _form(self, request: Request, following: str, refusal: Refusal | None) -> bytes:
        return self._pages.form(request, "sign-in.html", refusal, following=following)


def _from_elsewhere(request: Request) -> bool:
    """
    Whether another site's page asks, perhaps with wrong keys in order to lock its visitor out, or nobody who
    would see the page, as a picture does.
    """
    site = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Site", [b"none"])
    destination = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Dest", [b"document"])
    return site[-1] in {b"cross-site", b"same-site"} or destination[-1] != b"document"


def own_address(text: str) -> str:
    """
    Where to go on after signing in: one of our own addresses, from the home page on.

    :param text: whatever a link said.
    """
    address = text.removeprefix("/")
    return address if address and _OURS.fullmatch(address) else _FIRST_PAGE


def _first(request: Request, name: bytes) -> str:
    return request.query.get(name, [b""])[0].decode("utf-8", "replace")
