"""
Pages of HTML from templates, and the stylesheet they share.
"""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from fileserve.http.site import Request

#: Pages run no script but our own files', and nothing may frame them.
_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Pages:
    """
    Renders pages.
    """

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("fileserve.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.stylesheet = files("fileserve.web").joinpath("static/style.css").read_bytes()

    def html(self, request: Request, template: str, **values: object) -> bytes:
        """
        Render a page for this request.

        :param values: what the template names.
        :return: its bytes; the headers that describe them are set.
        """
        depth = request.path.count(b"/", 1)
        text = self._templates.get_template(template).render(top="../" * depth or "./", **values)
        request.setHeader(b"Content-Security-Policy", _POLICY)
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        return sized(request, b"text/html; charset=utf-8", text.encode())


def sized(request: Request, media_type: bytes, body: bytes) -> bytes:
    """
    Describe a body that is whole in memory.

    :return: the body.
    """
    request.setHeader(b"Content-Type", media_type)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body
