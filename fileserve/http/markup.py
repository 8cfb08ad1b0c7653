"""
Whether a text is HTML, SVG or other XML: a document that a browser would run, and that is never shown.

By its root element, or what else must stand before that, not by a tag somewhere inside.
"""

from __future__ import annotations

import re

_HTML = "text/html"
_SVG = "image/svg+xml"
_XML = "application/xml"

_NAME = re.compile(r"<([A-Za-z_][\w.:-]*)(?=[\s/>]|\Z)")

# Elements by which a page, or a piece of one, begins.
_HTML_ELEMENTS = re.compile(
    "a|abbr|address|area|article|aside|audio|b|base|body|br|button|canvas|center|code|details|dialog|div|dl|"
    "embed|em|fieldset|figure|font|footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|"
    "label|li|link|main|map|marquee|math|meta|nav|noscript|object|ol|option|p|picture|pre|script|section|"
    "select|small|span|strong|style|table|tbody|td|template|textarea|th|title|tr|tt|u|ul|video"
)

# Those of a whole page, or of what runs by itself.
_PAGE_ELEMENTS = frozenset({"html", "head", "body", "frameset", "script", "iframe", "object", "embed"})

_SPACE = re.compile(r"\s*")
_DOCTYPE = re.compile(r"<!doctype\s+([\w:-]+)", re.IGNORECASE)


def markup(text: str, pieces: bool = True) -> str | None:
    """
    Name the kind of a document of tags.

    :param text: its beginning, without a byte order mark; it may end anywhere.
    :param pieces: whether a piece of HTML counts as HTML, or only a page, or what runs.
    :return: a media type; ``None`` for a text that is no such document, of which XML
        without a declaration is one: ``<someone@example.com> wrote`` begins as it does.
    """
    at = _past_space(text, 0)
    says_xml = text.startswith("<?xml", at)
    while text.startswith(("<?", "<!"), at):
        if (doctype := _doctype(text, at)) is not None:
            return doctype
        at = _after(text, at)
    name = found[1].lower() if (found := _NAME.match(text, at)) is not None else ""
    if name.rpartition(":")[2] == "svg":
        return _SVG
    if says_xml:
        return "application/xhtml+xml" if name == "html" else _XML
    is_comment = text.startswith("<!--", _past_space(text, 0))
    if pieces and (is_comment or _HTML_ELEMENTS.fullmatch(name)):
        return _HTML
    return _HTML if name in _PAGE_ELEMENTS else None


def _doctype(text: str, at: int) -> str | None:
    """What a ``<!DOCTYPE`` says by itself (WHATWG HTML section 13.1.1; SVG 1.1 section 5.3)."""
    found = _DOCTYPE.match(text, at)
    return {"html": _HTML, "svg": _SVG}.get(found[1].lower()) if found is not None else None


def _after(text: str, at: int) -> int:
    """Where a comment, a declaration or an instruction has ended, and the white space after it."""
    end = "-->" if text.startswith("<!--", at) else "?>" if text.startswith("<?", at) else ">"
    found = text.find(end, at)
    return _past_space(text, found + len(end)) if found >= 0 else len(text)


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()
