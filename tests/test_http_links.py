"""
``fileserve.http.links``: which links were signed by us, and until when they work.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.links import LinkSigner, Verdict

NEW, OLD = b"n" * 32, b"o" * 32
OURS = LinkSigner([NEW, OLD])
NOW = 1_800_000_000.5
PATH = "/api/v1/download-stream/abc"

paths = st.text(st.characters()).map("/".__add__)
expiries = st.integers(1, 10**12 - 1)


def parsed(query: str) -> dict[bytes, list[bytes]]:
    return parse_qs(query.encode("ascii"), strict_parsing=True)


class LinkSignerTests(SynchronousTestCase):
    """Signing and checking."""

    @given(paths, expiries, st.floats(0, 10**12))
    @example(PATH, 1_800_000_000, 1_800_000_000.0)
    @example(PATH, 1_800_000_000, 1_799_999_999.9)
    def test_until(self, path: str, expires: int, now: float) -> None:
        """What was signed is good until the moment it names, and known as too late from then on."""
        expected = Verdict.GOOD if now < expires else Verdict.EXPIRED
        self.assertIs(OURS.check(path, parsed(OURS.sign(path, expires)), now), expected)

    @given(paths, paths, expiries)
    def test_other_path(self, path: str, other: str, expires: int) -> None:
        """A link for one path is none for another."""
        verdict = OURS.check(other, parsed(OURS.sign(path, expires)), 0)
        self.assertIs(verdict, Verdict.GOOD if path == other else Verdict.BAD)

    @given(expiries, expiries)
    def test_prolonged(self, expires: int, other: int) -> None:
        """Nobody can make a link last longer, or shorter; late or not, it is bad then."""
        query = {**parsed(OURS.sign(PATH, expires)), b"expires": [b"%d" % other]}
        self.assertIs(OURS.check(PATH, query, 0), Verdict.GOOD if expires == other else Verdict.BAD)

    def test_digits_and_path_are_apart(self) -> None:
        """No digit moves from the path into the expiry."""
        signed = parsed(OURS.sign("5/x", 1_800_000_00))
        self.assertIs(OURS.check("/x", {**signed, b"expires": [b"1800000005"]}, 0), Verdict.BAD)

    @given(st.data())
    def test_altered(self, data: st.DataObject) -> None:
        """A query with any other byte at any place of any parameter is bad."""
        query = parsed(OURS.sign(PATH, int(NOW) + 60))
        name = data.draw(st.sampled_from(sorted(query)))
        (value,) = query[name]
        place = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.sampled_from(list(b"0159AZaz-_.=+ ")) | st.integers(0, 255))
        altered = value[:place] + bytes([other]) + value[place + 1 :]
        verdict = OURS.check(PATH, {**query, name: [altered]}, NOW)
        self.assertIs(verdict, Verdict.GOOD if altered == value else Verdict.BAD)

    def test_incomplete(self) -> None:
        """A parameter that is missing, empty or there twice makes a link bad."""
        query = parsed(OURS.sign(PATH, int(NOW) + 60))
        self.assertIs(OURS.check(PATH, {}, NOW), Verdict.BAD)
        for name, values in query.items():
            for wrong in ([], [b""], values * 2, [*values, b""]):
                self.assertIs(OURS.check(PATH, {**query, name: wrong}, NOW), Verdict.BAD, (name, wrong))
            missing = {each: values for each, values in query.items() if each != name}
            self.assertIs(OURS.check(PATH, missing, NOW), Verdict.BAD)

    def test_other_parameters(self) -> None:
        """Parameters that are none of the three don't matter."""
        query = {**parsed(OURS.sign(PATH, int(NOW) + 60)), b"download": [b"1", b"2"]}
        self.assertIs(OURS.check(PATH, query, NOW), Verdict.GOOD)

    @given(st.dictionaries(st.sampled_from([b"expires", b"key", b"signature"]), st.lists(st.binary())))
    def test_anything(self, query: dict[bytes, list[bytes]]) -> None:
        """Whatever somebody makes up is bad, and no error."""
        self.assertIs(OURS.check(PATH, query, NOW), Verdict.BAD)

    def test_changed_keys(self) -> None:
        """What an old key signed stays good while the key is known; the first key signs."""
        before, after = LinkSigner([OLD]), LinkSigner([NEW])
        query = parsed(before.sign(PATH, int(NOW) + 60))
        self.assertIs(OURS.check(PATH, query, NOW), Verdict.GOOD)
        self.assertIs(after.check(PATH, query, NOW), Verdict.BAD)
        self.assertEqual(OURS.sign(PATH, 1), after.sign(PATH, 1))

    def test_foreign(self) -> None:
        """A signature of another key is bad under the name of ours, and when it came too late as well."""
        ours, theirs = parsed(OURS.sign(PATH, 1)), parsed(LinkSigner([b"x" * 32]).sign(PATH, 1))
        for now in (0, NOW):
            self.assertIs(OURS.check(PATH, {**theirs, b"key": ours[b"key"]}, now), Verdict.BAD)

    def test_in_an_address(self) -> None:
        """The query can stand in an address as it is, and stays the same in another release."""
        self.assertEqual(
            OURS.sign(PATH, 1_800_000_000),
            "expires=1800000000&key=f2fbcebd&signature=D2Ul5R2XROB4HzU-Og0Ol_2PscVs2FKcyuL0iT1WHts",
        )
