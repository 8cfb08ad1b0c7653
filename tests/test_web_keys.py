"""
``fileserve.web.keys``: what the file of upload keys says, and what follows from it.
"""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.keys import SHORTEST_KEY, Keys, new_key

PRESENT, OLD, OLDER = "present-key-0123456789", "old-key-0123456789#", "older-key-0123456789"

keys = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=SHORTEST_KEY, max_size=60
).filter(lambda key: not key.startswith("#"))


class ParseTests(SynchronousTestCase):
    """Reading the file."""

    def test_lines(self) -> None:
        """One key on each line; comments, empty lines, white space and a byte order mark don't count."""
        for text in (
            f"{PRESENT}\n{OLD}\n{OLDER}",
            f"# of 2026\n\n  {PRESENT}\t\r\n#{OLDER}\r\n{OLD}\r\n   # older still\n{OLDER}\n\n",
            f"\ufeff{PRESENT}\n{OLD}\n{OLDER}\n",
        ):
            parsed = Keys.parse(text)
            self.assertTrue(parsed.permits(PRESENT), text)
            self.assertEqual(parsed.link_keys, Keys.parse(f"{PRESENT}\n{OLD}\n{OLDER}").link_keys)

    def test_refused(self) -> None:
        """No key, a short one and one that is no word are refused, in a sentence without the key."""
        for text, said in (
            ("", "there is no upload key in it."),
            (" \n# only a comment\n", "there is no upload key in it."),
            ("x" * 15, "the upload key in line 1 has fewer than 16 characters."),
            (f"{PRESENT}\n\nhunter2", "the upload key in line 3 has fewer than 16 characters."),
            ("correct horse battery", "the upload key in line 1 is not one word of ASCII characters."),
            (f"# key:\n{PRESENT} # mine", "the upload key in line 2 is not one word of ASCII characters."),
            ("пароль-пароль-пароль", "the upload key in line 1 is not one word of ASCII characters."),
            ("x" * 20 + "\0", "the upload key in line 1 is not one word of ASCII characters."),
        ):
            with self.assertRaises(ValueError, msg=text) as caught:
                Keys.parse(text)
            self.assertEqual(str(caught.exception), said)

    def test_shortest(self) -> None:
        """16 characters are enough."""
        self.assertTrue(Keys.parse("x" * 16).permits("x" * 16))

    @given(st.lists(keys | st.text(max_size=20) | keys.map("#".__add__), max_size=4).map("\n".join))
    def test_any_text(self, text: str) -> None:
        """Whatever the file holds, some line of it permits writing afterwards, or it is refused."""
        try:
            parsed = Keys.parse(text)
        except ValueError:
            return
        self.assertFalse(parsed.permits(""))
        self.assertTrue(any(parsed.permits(line.strip("\ufeff").strip()) for line in text.splitlines()))


class KeysTests(SynchronousTestCase):
    """Who may write, and what is signed with what."""

    @given(keys, st.lists(keys, max_size=3))
    def test_only_the_first_permits(self, present: str, old: list[str]) -> None:
        """The first key permits writing, the others no more."""
        parsed = Keys.parse("\n".join([present, *old]))
        self.assertTrue(parsed.permits(present))
        for key in old:
            self.assertEqual(parsed.permits(key), key == present)

    @given(keys, st.text(st.characters()))
    def test_nothing_else_permits(self, present: str, guess: str) -> None:
        """No other text permits anything, whatever is in it: no part of the key, none of its cases."""
        parsed = Keys.parse(present)
        for other in (guess, present[:-1], present + "x", present + " ", present + "\0", present.swapcase()):
            self.assertEqual(parsed.permits(other), other == present)

    def test_surrogates(self) -> None:
        """A text that is no text is no key, and no error."""
        self.assertFalse(Keys.parse(PRESENT).permits("\ud800" * 22))

    @given(keys, keys)
    def test_old_links(self, present: str, old: str) -> None:
        """Keys that signed links before check them still, after the one that signs now."""
        assume(present != old)
        both = Keys.parse(f"{present}\n{old}").link_keys
        self.assertEqual(both, Keys.parse(present).link_keys + Keys.parse(old).link_keys)
        self.assertEqual(len(set(both)), 2)

    @given(keys, keys)
    def test_sessions_end_with_the_key(self, present: str, old: str) -> None:
        """Sessions are signed with the present key only, so a new one ends them."""
        assume(present != old)
        changed = Keys.parse(f"{present}\n{old}").session_key
        self.assertEqual(changed, Keys.parse(present).session_key)
        self.assertNotEqual(changed, Keys.parse(old).session_key)

    @given(keys)
    def test_purposes(self, key: str) -> None:
        """What signs one thing signs no other, and is not the upload key."""
        parsed = Keys.parse(key)
        derived = {parsed.session_key, *parsed.link_keys}
        self.assertEqual((len(derived), {len(each) for each in derived}), (2, {32}))
        self.assertNotIn(key.encode(), derived)

    def test_stays(self) -> None:
        """Another release derives the same keys, or links that were given out would break."""
        parsed = Keys.parse(PRESENT)
        self.assertEqual(parsed.session_key.hex()[:16], "b4bbdb795706d73a")
        self.assertEqual(parsed.link_keys[0].hex()[:16], "85df205992743746")

    def test_not_printed(self) -> None:
        """No key gets into a log by printing what holds it."""
        shown = repr(Keys.parse(f"{PRESENT}\n{OLD}"))
        self.assertNotIn("key-0123456789", shown)


class NewKeyTests(SynchronousTestCase):
    """Making a key."""

    def test_usable(self) -> None:
        """A new key can be the only line of the file, stand in an address as it is, and is new each time."""
        made = {new_key() for _ in range(1000)}
        self.assertEqual(len(made), 1000)
        for key in made:
            self.assertTrue(re.fullmatch(r"[A-Za-z0-9_-]{32}", key), key)
            self.assertTrue(Keys.parse(key + "\n").permits(key))
