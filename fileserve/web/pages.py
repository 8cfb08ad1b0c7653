"""
Pages of HTML from templates.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from fileserve.files.stored import timestamp
from fileserve.http.answers import nothing, sized
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.pictures.formats import FORMATS

from . import wording
from .assets import Assets

#: Pages run no script but our own files', and nothing may frame them.
_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


#: What some pages need besides: their script asks the API, and they show files. Chromium frames a PDF.
_MORE = {
    **dict.fromkeys(("files.html", "home.html", "gallery.html", "upload.html"), b"; connect-src 'self'"),
    "file.html": b"; connect-src 'self'; media-src 'self'; object-src 'self'; frame-src 'self'",
}


class Pages:
    """
    Renders pages.

    :param signed_in: tells whether a request comes from a browser that signed in; each page says so.
    :param gallery: whether there is a gallery that everybody may see; each page leads to it.
    """

    def __init__(self, assets: Assets, signed_in: Callable[[Request], bool], *, gallery: bool) -> None:
        self._signed_in = signed_in
        self._templates = Environment(
            loader=PackageLoader("fileserve.web"),
            autoescape=True,
            # Templates change with the program only: no look at the disk for each page.
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            asset=assets.address, has_gallery=gallery, accepted=accepted_pictures()
        )
        self._templates.filters.update(
            size=wording.size,
            name=wording.name,
            moment=wording.moment,
            taken=wording.taken,
            timestamp=timestamp,
        )

    def html(self, request: Request, template: str, **values: object) -> bytes:
        """
        Render a page for this request.

        :param values: what the template names.
        :return: its bytes; the headers that describe them are set.
        """
        page = self._templates.get_template(template)
        text = page.render(top=top(request), signed_in=self._signed_in(request), **values)
        request.setHeader(b"Content-Security-Policy", _POLICY + _MORE.get(template, b""))
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        # It may be another page for whoever signs in or out.
        request.setHeader(b"Cache-Control", b"no-store")
        return sized(request, b"text/html; charset=utf-8", text.encode())

    def form(self, request: Request, template: str, refusal: Refusal | None, **values: object) -> bytes:
        """
        Render a page with a form: a fresh one, or with what was wrong beside its field.

        :param refusal: gives the status, headers, and the template's ``error``.
        """
        if refusal is not None:
            request.setResponseCode(refusal.status, refusal.status.phrase.encode())
            for name, value in refusal.headers.items():
                request.setHeader(name, value)
        error = None if refusal is None else refusal.detail
        return self.html(request, template, error=error, **values)


def accepted_pictures() -> str:
    """
    Which files a form for pictures offers to choose (HTML section 4.10.5.1.17): by their extensions too,
    for systems know no media type of some.
    """
    extensions = {f".{extension}" for each in FORMATS.values() for extension in each.extensions}
    return ",".join(["image/*", *sorted(extensions)])


def top(request: Request) -> str:
    """
    The way from a request's address to that of the home page, wherever a proxy shows it.
    """
    return "../" * request.path.count(b"/", 1) or "./"


def see_other(request: Request, location: str) -> bytes:
    """
    Send a browser on to another page.

    :param location: a relative reference, in ASCII.
    """
    request.setHeader(b"Location", location.encode("ascii"))
    return nothing(request, 303)


def sign_in_address(request: Request) -> str:
    """
    Where somebody signs in who then goes on to this very page.
    """
    _, mark, query = request.uri.partition(b"?")
    return f"{top(request)}sign-in?next={quote(request.path[1:] + mark + query, safe='/')}"
