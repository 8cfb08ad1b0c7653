"""
What kind of file some bytes are, and under which kind they may be shown.

Browsers are told to take the media type as it is said (``nosniff``), so what decides whether a file of
anybody's can run in a browser is only what is said of it here. Therefore whatever is shown is proved by our
own signatures, or is text, of which no kind but plain text is shown.

For the hundreds of formats that are only ever downloaded puremagic names the type. Of the libraries in plain
Python that know signatures it is the one that is kept (2.2 came out in 2026; the last release of ``filetype``
is of 2022), and it needs nothing else; libmagic is written in C, and would parse what strangers send. It
guesses freely, on two bytes or on one of many types that begin alike, so its word counts only where it is
definite. It is never told the name of the file: puremagic 2 opens a file of that name.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

import puremagic

# No documentation names this table, but releases 1.30 to 2.2 have it here. If it moves, nothing starts.
from puremagic.main import magic_header_array

from .markup import markup
from .signatures import signature

#: How much of a file's beginning tells its kind, in bytes.
HEAD = 8192

#: For what is not known, for files of no bytes too.
UNKNOWN = "application/octet-stream"

_PLAIN = "text/plain"
_AS_TEXT = b"text/plain; charset=utf-8"

# Kinds of text that the ending of a name may refine, and how the text must begin then. None of them
# runs anything, and all of them are shown as plain text.
_BY_NAME: Mapping[str, tuple[str, str]] = {
    "csv": ("text/csv", ""),
    "tsv": ("text/tab-separated-values", ""),
    "md": ("text/markdown", ""),
    "markdown": ("text/markdown", ""),
    "json": ("application/json", r"\s*[\[{]"),
    "ics": ("text/calendar", "BEGIN:VCALENDAR"),
    "vcf": ("text/vcard", "BEGIN:VCARD"),
    "vtt": ("text/vtt", "WEBVTT"),
    "srt": ("application/x-subrip", "[0-9]"),
}

#: All that may be shown in a browser: pictures made of pixels, sound, moving pictures, text, PDF. To each
#: media type the Content-Type under which it is sent. SVG, HTML and XML are not and must never be here.
INLINE: Mapping[str, bytes] = {
    **{
        kind: kind.encode()
        for kind in (
            "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp",
            "image/tiff", "image/heic", "image/heif", "image/jxl",
            "audio/mpeg", "audio/wav", "audio/flac", "audio/ogg", "audio/mp4", "audio/aiff",
            "video/mp4", "video/webm", "video/ogg", "video/quicktime", "video/x-matroska",
            "video/3gpp", "video/3gpp2", "video/x-msvideo",
            "application/pdf",
        )
    },
    _PLAIN: _AS_TEXT,
    **{kind: _AS_TEXT for kind, _ in _BY_NAME.values()},
}  # fmt: skip

# With `sandbox` the page a browser makes around a file is of no origin, runs nothing and sends no form. It
# may style itself. (Tried with Chromium 156, at the top and in a frame.)
_POLICY = b"sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"
# A player asks for its sound again, and that only its own origin may. Scripts stay forbidden, twice.
_MEDIA_POLICY = (
    b"sandbox allow-same-origin; default-src 'none'; media-src 'self'; img-src 'self'; "
    b"style-src 'unsafe-inline'"
)
# Some releases of Chrome show no PDF in a sandbox, with whatever exceptions. A PDF's own scripts run in the
# viewer, which is no page of ours.
_PDF_POLICY = b"default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"

# WHATWG MIME Sniffing section 3: bytes that no text has.
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BINARY_CHARACTER = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\ufffe\uffff]")

# In the 8-bit sets of ISO 8859, of Windows and in KOI8 letters stand from 0xC0 on, with few exceptions.
_HARDLY_LETTERS = re.compile(rb"[\x7f-\xbf]")
_MOST_HARDLY_LETTERS = 1 / 8

# Fewer bytes of puremagic's than these are met by chance.
_LEAST_EVIDENCE = 4


def _beginnings() -> list[tuple[int, tuple[bytes, ...]]]:
    at: dict[int, list[bytes]] = {}
    for magic in magic_header_array:
        at.setdefault(magic.offset, []).append(magic.byte_match)
    return [(offset, tuple(matches)) for offset, matches in at.items()]


# All that puremagic knows of how files begin, by where it stands. To look through this takes 10 microseconds,
# where puremagic takes 160 to find that it knows nothing (2026-11).
_BEGINNINGS = _beginnings()


def media_type(head: bytes, filename: str) -> str:
    """
    Tell the kind of a file by its content.

    :param head: its first bytes, `HEAD` of them, or all it has.
    :param filename: as it was sent. It only tells kinds of text apart that run nothing, such as CSV.
    :return: a media type without parameters; ``application/octet-stream`` where the
        evidence is weak, and for a file of no bytes.
    """
    if (proved := signature(head)) is not None:
        return proved
    text = _text(head) if head else None
    if text is None:
        return _guess(head)
    refined = _refined(text, filename)
    # Markdown may begin with a piece of HTML, so of that only a whole page is one.
    return markup(text, pieces=refined != "text/markdown") or refined


def shown_as(media_type: str) -> bytes | None:
    """
    The Content-Type under which a file may be shown in a browser; ``None`` where it may only be saved.
    """
    return INLINE.get(media_type)


def safety_headers(shown: bytes | None) -> dict[bytes, bytes]:
    """
    What every response with bytes of a user's carries, so that nothing of it can run in a browser.

    :param shown: what `shown_as` said; ``None`` for an attachment.
    """
    kind = (shown or b"").partition(b"/")[0]
    policy = _MEDIA_POLICY if kind in {b"audio", b"video"} else _POLICY
    if shown == b"application/pdf":
        policy = _PDF_POLICY
    return {b"X-Content-Type-Options": b"nosniff", b"Content-Security-Policy": policy}


def _text(head: bytes) -> str | None:
    """
    The text of a beginning, which may end within a character; ``None`` where it is none.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Browsers trust the mark more than a charset (WHATWG Encoding section 6), so it is shown rightly.
        text = _decoded(head, "utf-16")
        return None if text is None or _BINARY_CHARACTER.search(text) else text
    if _BINARY.search(head):
        return None
    text = _decoded(head, "utf-8-sig")
    return _eight_bit(head) if text is None else text


def _decoded(head: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _eight_bit(head: bytes) -> str | None:
    """Text in one of the old sets; which, nobody can tell, but markup and such are ASCII in all."""
    head = head.removeprefix(codecs.BOM_UTF8)  # some begin like UTF-8, and then are not
    doubtful = len(_HARDLY_LETTERS.findall(head))
    return head.decode("latin-1") if doubtful <= len(head) * _MOST_HARDLY_LETTERS else None


def _refined(text: str, filename: str) -> str:
    kind, beginning = _BY_NAME.get(filename.rpartition(".")[2].lower(), (_PLAIN, ""))
    return kind if re.match(beginning, text) else _PLAIN


def _guess(head: bytes) -> str:
    """
    What puremagic knows for sure: its longest match is long, and no other type begins so.
    """
    if not any(head.startswith(beginnings, offset) for offset, beginnings in _BEGINNINGS):
        return UNKNOWN
    try:
        matches = puremagic.magic_string(head)
    except puremagic.PureError:
        return UNKNOWN
    # What was found at the end, counted from there, is not the end of the file.
    matches = [match for match in matches if match.offset >= 0 and len(match.byte_match) >= _LEAST_EVIDENCE]
    longest = max((len(match.byte_match) for match in matches), default=0)
    kinds = {match.mime_type for match in matches if len(match.byte_match) == longest} - {""}
    return _definite(kinds.pop()) if len(kinds) == 1 else UNKNOWN


def _definite(kind: str) -> str:
    """What is shown, or runs, or is text, needs our own proof."""
    ours = kind in INLINE or re.search(r"^text/|xml|script|html", kind)
    return kind if not ours and re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind) else UNKNOWN
