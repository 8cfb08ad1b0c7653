"""
``fileserve.web.tiles``: what a page of a gallery shows of one member.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.facts import PictureFacts
from fileserve.storage.interfaces import Member
from fileserve.web.assets import Assets
from fileserve.web.tiles import NARROWEST, WIDEST, Tile, version_of

_MEMBER = Member(b"a.jpg", 5, 1_790_000_000_123_456_789, (7,))


def _tile(width: int | None, height: int | None, media_type: str = "image/jpeg") -> Tile:
    return Tile(_MEMBER, PictureFacts(media_type, width, height))


class TileTests(SynchronousTestCase):
    """Tiles."""

    @given(st.binary(min_size=1, max_size=300))
    def test_address(self, path: bytes) -> None:
        """An address has all bytes of the path, in characters that mean nothing else there."""
        address = Tile(_MEMBER._replace(path=path), None).address
        self.assertEqual(unquote_to_bytes(address), path)
        self.assertTrue(re.fullmatch(r"[A-Za-z0-9_.~/%-]*", address), address)

    def test_nothing_known(self) -> None:
        """Of what nobody looked at there is a name, and no picture."""
        tile = Tile(_MEMBER, None)
        self.assertEqual((tile.name, tile.camera, tile.is_picture, tile.previews), ("a.jpg", "", False, ()))
        self.assertEqual(tile.uploaded_us, 1_790_000_000_123_456)

    def test_is_picture(self) -> None:
        """A picture has a kind of which there are pictures, and pixels."""
        self.assertTrue(_tile(3, 2).is_picture)
        self.assertTrue(_tile(10_000, 10_000).is_picture)
        for tile in (_tile(None, None), _tile(0, 2), _tile(3, None), _tile(3, 2, "video/mp4")):
            self.assertFalse(tile.is_picture)

    def test_no_preview(self) -> None:
        """Where it is known that no preview can be made, the tile says so."""
        facts = PictureFacts("image/jpeg", 3, 2)
        for tile in (_tile(10_000, 10_001), _tile(2**31, 2**31), Tile(_MEMBER, facts, is_hopeless=True)):
            self.assertEqual((tile.is_picture, tile.kind), (False, "No preview"))
        self.assertEqual(_tile(None, None, "image/heic").kind, "image/heic")
        self.assertEqual(Tile(_MEMBER, None).kind, "Just a moment…")

    @given(st.integers(1, 2**31), st.integers(1, 2**31))
    @example(1, 2**31)
    @example(320, 320)
    @example(321, 320)
    def test_previews(self, width: int, height: int) -> None:
        """Each preview is larger than the one before, fits into its size, and is no larger than it is."""
        previews = _tile(width, height).previews
        self.assertEqual([size for size, _ in previews], [320, 1280][: 1 + (max(width, height) > 320)])
        for size, wide in previews:
            self.assertTrue(1 <= wide <= min(size, width))
            if max(width, height) > size:
                self.assertLessEqual(abs(wide - width * size / max(width, height)), 1)

    @given(st.integers(1, 2**31), st.integers(1, 2**31))
    def test_shape(self, width: int, height: int) -> None:
        """The stylesheet knows every shape that a tile may have."""
        tenths = _tile(width, height).tenths
        self.assertTrue(NARROWEST <= tenths <= WIDEST)

    def test_shapes_in_stylesheet(self) -> None:
        """It has a class for each of them, which says just that."""
        text = Assets()._assets["gallery.css"].body.decode()
        shapes = {
            int(name): float(shape) for name, shape in re.findall(r"\.r(\d+) \{ --shape: ([\d.]+); \}", text)
        }
        self.assertEqual(shapes, {each: each / 10 for each in range(NARROWEST, WIDEST + 1)})

    def test_version(self) -> None:
        """Other bytes have another version, which needs no encoding in an address."""
        versions = {
            version_of(_MEMBER),
            version_of(_MEMBER._replace(size=6)),
            version_of(_MEMBER._replace(stamp="x")),
        }
        self.assertEqual(len(versions), 3)
        for version in versions:
            self.assertTrue(re.fullmatch("[0-9a-f]{16}-1", version))
