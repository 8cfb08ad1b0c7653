"""
``fileserve.pictures.formats``: the one table, and all that must agree with it.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.kinds import INLINE, media_type
from fileserve.pictures.formats import FORMATS, format_of, is_picture
from tests.picturesamples import sample

_GUIDE = Path(__file__).parent.parent / "docs" / "pictures.rst"


class FormatTests(SynchronousTestCase):
    """Which formats there are."""

    def test_proved(self) -> None:
        """Of every format a file is proved to be of it by its content, whatever its name says."""
        for kind in FORMATS:
            self.assertEqual(media_type(sample(kind)[:8192], "x.txt"), kind)

    def test_keys(self) -> None:
        """A format is found by its own media type, and has a usual extension that is right."""
        for kind, form in FORMATS.items():
            self.assertIs(format_of(kind), form)
            self.assertEqual(form.media_type, kind)
            self.assertIn(form.extension, form.extensions)
            for extension in form.extensions:
                self.assertTrue(re.fullmatch("[a-z]{2,5}", extension), extension)

    def test_pictures(self) -> None:
        """These are pictures; drawings that may run scripts, and what is not decoded, are none."""
        self.assertTrue(all(map(is_picture, FORMATS)))
        for other in (
            "image/svg+xml",
            "image/jxl",
            "image/x-canon-cr3",
            "application/pdf",
            "text/plain",
            "",
            None,
        ):
            self.assertFalse(is_picture(other))
            self.assertIsNone(format_of(other or ""))

    def test_shown(self) -> None:
        """What no browser shows is not said to be a picture to one; a bitmap of X is a text of anybody's."""
        hidden = {kind for kind in FORMATS if kind not in INLINE}
        unknown = {"portable-anymap", "xbitmap", "sgi", "sun-raster", "exr"}
        self.assertEqual(hidden, {f"image/x-{each}" for each in unknown})

    def test_guide(self) -> None:
        """The guide for people has a line for each, with its extensions and its decoder."""
        rows = re.findall(
            r"^   \* - (.+)\n     - (.+)\n     - (.+)\n", _GUIDE.read_text(encoding="utf-8"), re.MULTILINE
        )
        told = {frozenset(re.findall(r"[a-z]+", endings)): decoder for _, endings, decoder in rows[1:]}
        known = {form.extensions: form.decoder.value for form in FORMATS.values()}
        self.assertEqual(told, known)
