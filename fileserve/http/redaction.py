"""
What a log may show of a request, when to know a name is to have permission.

One safe rule instead of one for each route: only words of our own addresses are shown whole.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SHOWN = 8
_SHOWN_OF_SHORT = 3
_MOST_CHARACTERS = 512
_LONGEST_PARAMETER_NAME = 16

# The beginnings of our own addresses, which are no secret.  Whatever is not here is shortened, so a
# route that was forgotten is only harder to read.
_PUBLIC_BEGINNING = re.compile(
    r"/(?:archive|files|gallery|upload|sign-in|sign-out|static/[a-z]+\.(?:css|js)|favicon\.ico|robots\.txt|healthz|readyz|metrics"
    r"|api(?:/openapi(?:\.json)?|/v1(?:/(?:albums|files|get-url|linked|download-stream|download-full))?)?)?(?=/|\Z)"
)


def shorten(name: str) -> str:
    """
    As much of a secret name as tells its owner which one it is: 8 characters and ``…``.

    Of a name that has no more than 8, the first 3, and never all; an empty one stays empty.
    """
    if len(name) > _SHOWN:
        return name[:_SHOWN] + "…"
    return name[: min(_SHOWN_OF_SHORT, len(name) - 1)] + "…" if name else ""


def log_path(uri: bytes) -> str:
    """
    What the log may show of a request's URI: one word of printable characters, without secrets.

    The path is decoded.  Its beginning is shown where it is exactly one of our own (``/archive``,
    ``/api/v1/albums`` and so on), and **every** segment after that is shortened, so that no other spelling
    (``//archive//x``, ``/./archive/x``, a slip of the pen) shows a secret.  Of the query only the names of
    parameters are shown, cut after 16 characters; what stands there without a ``=`` is not.

    :return: at most 512 characters.  White space, quotes, backslashes and all that does not print is
        escaped as in Python; bytes that are no UTF-8 are U+FFFD.
    """
    path, question_mark, query = uri.partition(b"?")
    shown = _path(_text(path)) + question_mark.decode()
    if query:
        shown += "&".join(map(_parameter, query.split(b"&")))
    return _one_word(shown)


def log_text(raw: bytes) -> str:
    """
    What the log may show of any other text of a client's: at most 512 characters, escaped as in `log_path`.
    """
    return _one_word(raw.decode("utf-8", "replace"))


def _path(path: str) -> str:
    beginning = _PUBLIC_BEGINNING.match(path)
    end = beginning.end() if beginning is not None else 0
    return path[:end] + "/".join(map(shorten, path[end:].split("/")))


def _parameter(parameter: bytes) -> str:
    name, equals, _ = parameter.partition(b"=")
    text = _text(name)
    if not equals:
        return "…" if text else ""
    return (text if len(text) <= _LONGEST_PARAMETER_NAME else shorten(text)) + "=…"


def _text(escaped: bytes) -> str:
    return unquote(escaped, errors="replace")


def _one_word(text: str) -> str:
    word = "".join(map(_escaped, text))
    if len(word) <= _MOST_CHARACTERS:
        return word
    # A backslash left at the end would seem to escape what the log writes next.
    return word[: _MOST_CHARACTERS - 1].rstrip("\\") + "…"


def _escaped(character: str) -> str:
    if character in "\"'":
        return "\\" + character
    if character == " ":
        return r"\x20"
    return character if character.isprintable() and character != "\\" else _python_escape(character)


def _python_escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
