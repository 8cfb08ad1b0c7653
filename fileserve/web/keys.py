"""
The upload keys: the file that holds them, who may write, and the keys that sign derived from them.
"""

from __future__ import annotations

import hmac
import re
import secrets

from attrs import field, frozen

#: Fewer characters could be guessed.
SHORTEST_KEY = 16

# One word of what RFC 9110 section 5.6.2 lets stand in a header, more than bearer tokens need (RFC 6750).
_KEY = re.compile(r"[!-~]+")


@frozen
class Keys:
    """
    The keys of one server, of which one is in force.

    To change the key, put a new line before the others: from then on only the new
    one permits writing, and sessions begun with the old one end; links that were
    signed with an old one work until its line is taken out.
    """

    _present: bytes = field(repr=False)
    _old: tuple[bytes, ...] = field(repr=False, default=())

    @classmethod
    def parse(cls, text: str) -> Keys:
        """
        Read the file of upload keys: one on each line, the present one first.

        :param text: white space around a key, empty lines and what begins with ``#`` don't count.
        :raise ValueError: with one sentence, which holds no key: there is none, or one is too short, or is no
            single word of ASCII characters.
        """
        lines = enumerate(text.removeprefix("\ufeff").splitlines(), 1)
        words = [(number, line.strip()) for number, line in lines]
        keys = [_checked(number, word) for number, word in words if word and not word.startswith("#")]
        if not keys:
            raise ValueError("there is no upload key in it.")
        return cls(keys[0], tuple(keys[1:]))

    def permits(self, key: str) -> bool:
        """
        Whether somebody who knows this may write. It takes as long for any key of the same length.
        """
        return hmac.compare_digest(key.encode("utf-8", "surrogatepass"), self._present)

    @property
    def session_key(self) -> bytes:
        """
        What signs sessions; another one for another upload key.
        """
        return _derived(self._present, b"fileserve session")

    @property
    def link_keys(self) -> tuple[bytes, ...]:
        """
        What signs links: the first one new links, all of them those that were given out.
        """
        return tuple(_derived(key, b"fileserve link") for key in (self._present, *self._old))


def new_key() -> str:
    """
    Make a key: 32 characters that need no escaping anywhere, of 192 random bits.
    """
    return secrets.token_urlsafe(24)


def _checked(number: int, word: str) -> bytes:
    if not _KEY.fullmatch(word):
        raise ValueError(f"the upload key in line {number} is not one word of ASCII characters.")
    if len(word) < SHORTEST_KEY:
        raise ValueError(f"the upload key in line {number} has fewer than {SHORTEST_KEY} characters.")
    return word.encode("ascii")


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose: to know it, or what it signed, tells nothing of the others."""
    return hmac.digest(key, purpose, "sha256")
