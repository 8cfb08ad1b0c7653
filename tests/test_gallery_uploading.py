"""
Tests of taking pictures in: what is asked of them in which order, and that what is refused was never there.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.files.intake import Limits
from fileserve.gallery.admission import Duplicate, Stored
from fileserve.gallery.uploading import UploadRules
from fileserve.http.body import BodyLost
from fileserve.http.kinds import HEAD
from fileserve.http.refusal import Refusal
from fileserve.pictures.workshop import Busy
from fileserve.storage.errors import NoSpace, StoreUnavailable

from .filesupport import Bytes, Slowly, Spied
from .picturebombs import SVG, gif_and_html
from .picturesamples import sample
from .support import ByHand, deferred, open_descriptors
from .uploadsupport import LIMITS, NOW, WayIn, png

_MIB = 1024 * 1024


class UploadsCase(SynchronousTestCase):
    """A way in, in memory."""

    limits = LIMITS

    def setUp(self) -> None:
        self.way = WayIn(self.mktemp(), limits=self.limits)

    def stored(self, data: bytes, given: str = "", own: str = "own") -> Stored:
        stored: Stored = self.successResultOf(self.way.take(data, given, own))
        return stored

    def refused(self, taking: Deferred[Any], status: int) -> str:
        """The sentence with which a picture is refused; nothing of it is anywhere."""
        refusal = self.failureResultOf(taking, Refusal).value
        self.assertEqual(refusal.status, status)
        self.assertRegex(refusal.detail, r"^[A-Z][^\n]*\.$")
        self.assert_nothing()
        return str(refusal.detail)

    def assert_nothing(self) -> None:
        """No file, nothing on its way, no claim, no descriptor, and nothing remembered."""
        self.assertEqual(self.way.names(), [])
        self.assertEqual(self.way.memory.incoming, set())
        self.assertEqual(self.way.held(), {})
        self.assertEqual(self.way.spools.left_open, 0)
        self.assertEqual(self.successResultOf(self.way.facts.inner.albums()), [])
        self.assertEqual(self.way.pictures.inner.albums(), set())

    def kept_bytes(self, name: str) -> bytes:
        return self.way.memory._albums["album"].files[name.encode()].data


class TakeTests(UploadsCase):
    """Pictures that are taken."""

    def test_kept_as_sent(self) -> None:
        """What is stored are the bytes as they came, in whatever pieces, with the extension of their kind."""
        data = sample("image/jpeg", width=900, height=700)
        source = Bytes(*(data[at : at + 1000] for at in range(0, len(data), 1000)))
        stored = self.successResultOf(self.way.take(source, "photo1", "IMG_1.png"))
        self.assertEqual(stored.path, b"photo1.jpg")
        self.assertEqual(self.kept_bytes("photo1.jpg"), data)
        self.assertEqual((stored.picture.width, stored.picture.height), (900, 700))
        self.assertEqual((stored.facts.media_type, stored.member.size), ("image/jpeg", len(data)))

    def test_every_format(self) -> None:
        """S3-F3: what Pillow opens is taken, with its extension."""
        for media_type, name in (
            ("image/jpeg", "x.jpg"),
            ("image/png", "x.png"),
            ("image/gif", "x.gif"),
            ("image/webp", "x.webp"),
            ("image/tiff", "x.tif"),
            ("image/bmp", "x.bmp"),
            ("image/x-portable-anymap", "x.ppm"),
        ):
            self.assertEqual(self.stored(sample(media_type), "x").path.decode(), name)

    def test_no_name(self) -> None:
        """S3-F4: without a name a picture has its file's own, and never one of an extension alone."""
        self.assertEqual(self.stored(png(1), own="IMG 7.PNG").path, b"IMG 7.PNG")
        self.assertEqual(self.stored(png(2), given="  ", own="a/b.jpg").path, b"b.png")
        self.assertEqual(self.stored(png(3), own="").path, b"file.png")
        self.assertEqual(self.stored(png(4), own=".jpeg").path, b"_.png")

    def test_no_decoder(self) -> None:
        """A picture for which there may be no decoder is stored without being opened."""
        heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
        stored = self.stored(heic, "x")
        self.assertEqual((stored.path, stored.picture.width), (b"x.heic", None))

    def test_facts(self) -> None:
        """What was seen in it is remembered of the version in the store."""
        self.way.looking.says = {"maker": "Canon", "taken": "2026-11-20T10:00:00", "located": True}
        stored = self.stored(png())
        noted = self.successResultOf(self.way.pictures.describe("album", [stored.path]))
        self.assertEqual(list(noted), [(stored.path, stored.member.version)])
        self.assertEqual(noted[stored.path, stored.member.version].maker, "Canon")

    def test_two_things_at_once(self) -> None:
        """A picture that could be taken for a page is stored as the picture that it is."""
        self.assertEqual(self.stored(gif_and_html(), "page.html").path, b"page.html.gif")

    def test_written_aside_first(self) -> None:
        """S3-W5: the store is not asked for anything before all of a picture came and was looked at."""
        source = Slowly()
        taking = self.way.take(source)
        self.way.looking.waits = looked = Deferred[None]()
        source.give(png())
        source.give()
        self.assertEqual(self.way.journal, [])
        looked.callback(None)
        self.successResultOf(taking)

    def test_admit(self) -> None:
        """Before a form is read it is seen whether there is room for it."""
        way = WayIn(self.mktemp(), limits=Limits(1, 1 << 60))
        way.memory._room = 1000
        refusal = self.failureResultOf(deferred(way.uploads.admit_form(10)), Refusal).value
        self.assertEqual(refusal.status, 507)


class RefusedTests(UploadsCase):
    """S3-F2: what is refused, with which status, before anything of it is stored."""

    def test_not_a_picture(self) -> None:
        """What is no picture, under whatever name, is refused with 415."""
        for data in (b"", b"hello", SVG, b"<html>", b"%PDF-1.7\n%", b"MZ" + bytes(100), bytes(20_000)):
            self.assertIn("not a picture", self.refused(self.way.take(data, "x.jpg", "x.jpg"), 415))
        self.assertEqual(self.way.journal[:0], [])

    def test_not_a_picture_is_told_early(self) -> None:
        """As soon as the first 8 KiB are there; no more is read."""
        source = Slowly()
        taking = self.way.take(source)
        source.give(bytes(HEAD - 1))
        self.assertTrue(source.waits)
        source.give(b"\0")
        self.refused(taking, 415)
        self.assertFalse(source.waits)

    def test_damaged(self) -> None:
        """S3-W4, S3-W5: a picture that can't be opened is refused with 415, and leaves nothing."""
        proof = {"jpeg": 4, "png": 8, "gif": 6, "webp": 16, "tiff": 4, "bmp": 18, "x-portable-anymap": 9}
        for kind, length in proof.items():
            data = sample(f"image/{kind}")[:length]
            self.assertIn("damaged", self.refused(self.way.take(data), 415), kind)

    def test_date_that_does_not_parse(self) -> None:
        """S3-W4: a date that is none does not keep a picture from being taken, where no date is asked for."""
        out = io.BytesIO()
        exif = Image.Exif()
        exif[306] = "not a date"
        Image.new("L", (4, 3)).save(out, "JPEG", exif=exif)
        self.stored(out.getvalue())

    def test_name_too_long(self) -> None:
        """A name of 51 characters is refused with 400; 50 are taken."""
        self.assertIn("50 characters", self.refused(self.way.take(png(), "x" * 51), 400))
        self.stored(png(), "ё" * 50)

    def test_same_bytes(self) -> None:
        """The same bytes are refused with 409, whatever they are called."""
        self.stored(png(), "one")
        self.failureResultOf(self.way.take(png(), "two"), Duplicate)

    def test_age(self) -> None:
        """S3-F12: where pictures may not be old, an old one, and one without a date, is refused with 422."""
        self.way.with_rules(UploadRules(max_age_days=30))
        for taken in (None, "2021-03-01T10:00:00", "2021-03-01T10:00:00+01:00"):
            self.way.looking.says = {"taken": taken}
            self.assertIn("30 days", self.refused(self.way.take(png()), 422))
        self.way.looking.says = {}
        heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
        self.assertIn("can't read the date", self.refused(self.way.take(heic), 422))
        self.way.looking.says = {"taken": "2027-11-01T10:00:00"}
        self.assertIn("in the future", self.refused(self.way.take(png()), 422))
        self.way.looking.says = {"taken": "2026-11-01T10:00:00"}
        self.stored(png())

    def test_age_now(self) -> None:
        """It is the present time that counts."""
        self.way.looking.says = {"taken": "2026-11-01T10:00:00Z"}
        self.way.with_rules(UploadRules(max_age_days=30), lambda: NOW + 365 * 24 * 60 * 60)
        self.refused(self.way.take(png()), 422)

    def test_busy(self) -> None:
        """Where too many pictures wait to be looked at, the client is told when to come again."""
        self.way.looking.fails = Busy()
        refusal = self.failureResultOf(self.way.take(png()), Refusal).value
        self.assertEqual((refusal.status, refusal.headers), (503, {b"Retry-After": b"2"}))
        self.assert_nothing()


class LargeTests(UploadsCase):
    """S3-W7: pictures that are large."""

    limits = Limits(max_upload=3 * _MIB, min_free=0)

    def bmp(self, size: int) -> bytes:
        return sample("image/bmp").ljust(size, b"\0")

    def test_too_large(self) -> None:
        """S3-W7: over the limit a picture is refused with 413, as soon as that is seen."""
        self.assertIn(str(3 * _MIB), self.refused(self.way.take(self.bmp(3 * _MIB + 1)), 413))
        source = Slowly()
        taking = self.way.take(source)
        source.give(self.bmp(2 * _MIB))
        source.give(bytes(2 * _MIB))
        self.refused(taking, 413)
        self.assertFalse(source.waits)

    def test_windows(self) -> None:
        """S3-W7: the store gets a large picture in windows, so it is never whole in memory."""
        written: list[int] = []

        class Measured(Spied):
            def _call(self, name: str, *args: Any) -> Any:
                if name == "write":
                    written.append(sum(map(len, args[0])))
                return super()._call(name, *args)

            _spied = lambda self, incoming: Measured(incoming)  # noqa: E731

        self.way.store = Measured(self.way.memory)
        self.way.with_rules(UploadRules())
        self.successResultOf(self.way.take(Bytes(*[self.bmp(_MIB), bytes(_MIB), bytes(_MIB - 7)])))
        self.assertEqual(written, [_MIB, _MIB, _MIB - 7])

    def test_threads_wait_for_nobody(self) -> None:
        """Nothing more is read from the client while the disk is behind."""
        threads, source = ByHand(), Slowly()
        way = WayIn(self.mktemp(), in_thread=threads)
        taking = way.take(source)
        threads.run()
        source.give(self.bmp(_MIB))
        self.assertFalse(source.waits)
        threads.run()
        self.assertTrue(source.waits)
        taking.cancel()
        self.failureResultOf(taking, CancelledError)


class FailureTests(UploadsCase):
    """What breaks."""

    def test_source_is_lost(self) -> None:
        """S3-W5: a client that stops in the middle leaves nothing."""
        source = Slowly()
        taking = self.way.take(source)
        source.give(png()[:50])
        source.fail(BodyLost())
        self.failureResultOf(taking, BodyLost)
        self.assert_nothing()

    def test_store_and_catalogue(self) -> None:
        """S3-W5: so it is where the store, its disk or the catalogue is away, which is told."""
        away = CatalogueUnavailable("films", "locked")
        for part, name, error in (
            (self.way.store, "receive", StoreUnavailable("away")),
            (self.way.store, "write", NoSpace("full")),
            (self.way.claims, "claim", away),
        ):
            part.fails[name] = error
            self.assertIs(self.failureResultOf(self.way.take(png())).value, error)
            part.fails.clear()
            self.assert_nothing()

    def test_looking_fails(self) -> None:
        """An error in looking is told, and leaves nothing."""
        self.way.looking.fails = OSError("no more descriptors")
        self.failureResultOf(self.way.take(png()), OSError)
        self.assert_nothing()


class LeavingTests(UploadsCase):
    """The client leaves."""

    def leave(self, taking: Deferred[Any]) -> None:
        taking.cancel()
        self.failureResultOf(taking, CancelledError)

    def test_while_it_comes(self) -> None:
        """While a picture comes: nothing is left."""
        source = Slowly()
        taking = self.way.take(source)
        source.give(png()[:50])
        self.leave(taking)
        self.assert_nothing()

    def test_while_it_is_looked_at(self) -> None:
        """While it is looked at: nothing is left, when the look ends, too."""
        self.way.looking.waits = looked = Deferred[None]()
        self.leave(self.way.take(png()))
        looked.callback(None)
        self.assert_nothing()

    def test_in_a_thread(self) -> None:
        """While threads write it: no descriptor is left, once they are done."""
        before = open_descriptors()
        for steps in range(8):
            threads = ByHand()
            way = WayIn(self.mktemp(), in_thread=threads)
            taking = way.take(png())
            for _ in range(steps):
                if len(threads):
                    threads.step()
            taking.cancel()
            taking.addErrback(lambda failure: failure.trap(CancelledError))
            threads.run()
            self.assertEqual(open_descriptors(), before)


class LocationTests(UploadsCase):
    """Pictures that are kept without their location."""

    def setUp(self) -> None:
        super().setUp()
        self.way.with_rules(UploadRules(strip_location=True))
        self.way.looking.says = {"located": True}

    def test_taken_out(self) -> None:
        """What is stored says no more where it was taken; all else of it stays, and so does its length."""
        for media_type in ("image/jpeg", "image/png", "image/webp", "image/tiff"):
            data = sample(media_type, gps=True, exif={271: "Canon"})
            stored = self.stored(data, media_type.partition("/")[2])
            kept = self.kept_bytes(stored.path.decode())
            self.assertEqual(len(kept), len(data))
            with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(kept)) as after:
                self.assertTrue(before.getexif().get_ifd(34853), media_type)
                self.assertNotIn(2, after.getexif().get_ifd(34853))
                self.assertEqual(after.getexif()[271], "Canon")
                self.assertEqual(before.tobytes(), after.tobytes())
            self.assertIs(stored.picture.located, False)

    def test_known_as_it_is_stored(self) -> None:
        """What is remembered of its bytes is of those that were stored, and so is what is the same again."""
        data = sample("image/jpeg", gps=True)
        stored = self.stored(data, "one")
        self.assertEqual(self.failureResultOf(self.way.take(data, "two"), Duplicate).value.path, b"one.jpg")
        self.way.memory.put("other", b"same.jpg", self.kept_bytes("one.jpg"))
        member = self.successResultOf(self.way.memory.stat("other", b"same.jpg"))
        self.assertEqual(member.size, stored.member.size)
        error = self.failureResultOf(self.way.take(data, "", album="other"), Duplicate).value
        self.assertEqual(error.path, b"same.jpg")

    def test_off(self) -> None:
        """Without the option pictures are stored as they were sent."""
        self.way.with_rules(UploadRules())
        data = sample("image/jpeg", gps=True)
        stored = self.stored(data, "x")
        self.assertEqual(self.kept_bytes("x.jpg"), data)
        self.assertIs(stored.picture.located, True)

    def test_not_possible(self) -> None:
        """A picture from which it can't be taken is refused with 422, and what to do is told."""
        heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
        self.assertIn("image/heic", self.refused(self.way.take(heic), 422))
        avif = sample("image/avif")
        for located in (True, None):
            self.way.looking.says = {"located": located}
            self.refused(self.way.take(avif), 422)

    def test_odd(self) -> None:
        """A JPEG out of which it can't be taken is refused, whatever was seen at its head."""
        self.way.looking.says = {"located": False}
        whole = sample("image/jpeg")
        thermal = b"\xff\xe1\0\x20FLIR\0\1\0\0".ljust(34, b"\1")
        self.assertIn("thermal", self.refused(self.way.take(whole[:2] + thermal + whole[2:]), 422))

    def test_nothing_to_take_out(self) -> None:
        """Where a decoder saw that there is no location, such a picture is taken as it is."""
        self.way.looking.says = {"located": False}
        avif = sample("image/avif")
        self.assertIs(self.stored(avif, "x").picture.located, False)
        self.assertEqual(self.kept_bytes("x.avif"), avif)
