"""
``fileserve.http.signatures`` on files of other programs: Pillow, Python's libraries, a browser.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sqlite3
import struct
import tarfile
import wave
import zipfile
from collections.abc import Mapping
from contextlib import closing

from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.signatures import signature

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

HEAD = 8192

OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."

# The first bytes of a WebM that Chromium's MediaRecorder wrote.
WEBM = bytes.fromhex(
    "1a45dfa39f4286810142f7810142f2810442f381084282847765626d4287810442858102185380670100000000"
)
# ... and one of Matroska as mkvmerge writes it (RFC 8794 section 11.2).
MATROSKA = bytes.fromhex(
    "1a45dfa3a34286810142f7810142f2810442f381084282886d6174726f736b61428781044285810218538067"
)


def picture(form: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 50).convert("RGB").save(out, form, **options)
    return out.getvalue()


def xbm(**options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 50).convert("1").save(out, "XBM", **options)
    return out.getvalue()


def zipped(*names: str, **stored: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in stored.items():
            archive.writestr(zipfile.ZipInfo(name), text)
        for name in names:
            archive.writestr(name, "some text " * 10)
    return out.getvalue()


def tarred(form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        info = tarfile.TarInfo("ünï/" * 30 + "x")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    return out.getvalue()


def waved() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1000))
    return out.getvalue()


def database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
        return bytes(connection.serialize())


def iso_file(major: str, *compatible: str) -> bytes:
    brands = "".join(compatible).encode()
    return (16 + len(brands)).to_bytes(4) + b"ftyp" + major.encode() + bytes(4) + brands + bytes(100)


def ogg(packet: bytes) -> bytes:
    """A first page (RFC 3533 section 6)."""
    return b"OggS\0\2" + bytes(20) + b"\1" + bytes([len(packet)]) + packet


def mp3(header: bytes, length: int, frames: int = 3) -> bytes:
    return (header + bytes(length - len(header))) * frames


def id3(size: int, after: bytes, version: int = 4) -> bytes:
    """A tag of ID3v2: its size stands in four times seven bits."""
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0]) + sizes + bytes(size) + after


#: Files as others write them, and what they are.
SAMPLES: Mapping[str, tuple[bytes, str]] = {
    "jpeg": (picture("JPEG"), "image/jpeg"),
    "jpeg with EXIF": (picture("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"), "image/jpeg"),
    "png": (picture("PNG"), "image/png"),
    "gif": (picture("GIF"), "image/gif"),
    "webp": (picture("WEBP"), "image/webp"),
    "webp, lossless": (picture("WEBP", lossless=True), "image/webp"),
    "avif": (picture("AVIF"), "image/avif"),
    "tiff": (picture("TIFF"), "image/tiff"),
    "tiff of Motorola": (picture("TIFF", big_endian=True), "image/tiff"),
    "bmp": (picture("BMP"), "image/bmp"),
    "ppm": (picture("PPM"), "image/x-portable-anymap"),
    "pgm in text": (b"P2\n# by hand\n2 2\n255\n1 2 3 4\n", "image/x-portable-anymap"),
    "xbm": (xbm(), "image/x-xbitmap"),
    "xbm of an editor": (b"/* made by hand\n * or not */\n" + xbm(), "image/x-xbitmap"),
    "xbm with a hot spot": (xbm(hotspot=(2, 1)), "image/x-xbitmap"),
    "sgi": (picture("SGI"), "image/x-sgi"),
    "sgi of 16 bits": (picture("SGI", bpc=2), "image/x-sgi"),
    "sun raster": (
        struct.pack(">8I", 0x59A66A95, 64, 48, 24, 9216, 1, 0, 0) + bytes(9216),
        "image/x-sun-raster",
    ),
    "sun raster of old": (
        struct.pack(">8I", 0x59A66A95, 8, 1, 8, 0, 0, 1, 768) + bytes(776),
        "image/x-sun-raster",
    ),
    "exr": (b"\x76\x2f\x31\x01\x02\0\0\0channels\0chlist\0" + bytes(50), "image/x-exr"),
    "exr in tiles": (b"\x76\x2f\x31\x01\x02\x02\0\0channels\0chlist\0" + bytes(50), "image/x-exr"),
    "pdf": (picture("PDF"), "application/pdf"),
    "heic": (iso_file("heic", "mif1", "heic"), "image/heic"),
    "heic by its second brand": (iso_file("mif1", "mif1", "miaf", "heix"), "image/heic"),
    "avif by its second brand": (iso_file("mif1", "mif1", "avif"), "image/avif"),
    "some heif": (iso_file("mif1", "miaf"), "image/heif"),
    "mp4": (iso_file("isom", "isom", "iso2", "avc1", "mp41"), "video/mp4"),
    "mp4 of a camera": (iso_file("MSNV", "mp42", "isom"), "video/mp4"),
    "m4a": (iso_file("M4A ", "mp42", "isom"), "audio/mp4"),
    "mov": (iso_file("qt  ", "qt  "), "video/quicktime"),
    "old mov": (b"\0\0\x12\x34moov\0\0\0\x6cmvhd" + bytes(100), "video/quicktime"),
    "old mov, data first": (b"\0\0\0\x08wide\0\x12\x34\x56mdat" + bytes(100), "video/quicktime"),
    "3gp": (iso_file("3gp5", "3gp5", "isom"), "video/3gpp"),
    "raw picture of Canon": (iso_file("crx ", "crx ", "isom"), "image/x-canon-cr3"),
    "webm": (WEBM, "video/webm"),
    "mkv": (MATROSKA, "video/x-matroska"),
    "avi": (b"RIFF\x24\x10\0\0AVI LIST", "video/x-msvideo"),
    # 128 kbit/s at 44,100: 417 bytes, or one more; 64 at 22,050 (MPEG-2): 208; 320 at 48,000: 960
    "mp3": (mp3(b"\xff\xfb\x90\x64", 417), "audio/mpeg"),
    "mp3, padded": (mp3(b"\xff\xfb\x92\x64", 418), "audio/mpeg"),
    "mp3 with checksums": (mp3(b"\xff\xfa\xe4\x40", 960), "audio/mpeg"),
    "mp3 of MPEG-2": (mp3(b"\xff\xf3\x80\xc4", 208), "audio/mpeg"),
    "mp3 with a tag": (id3(100, mp3(b"\xff\xfb\x90\x64", 417)), "audio/mpeg"),
    "mp3 with a picture": (id3(100_000, b""), "audio/mpeg"),
    "mp3 of 2000": (id3(20, b"", version=2), "audio/mpeg"),
    "flac": (b"fLaC\0\0\0\x22" + bytes(34), "audio/flac"),
    "flac with a tag": (id3(300, b"fLaC\0\0\0\x22"), "audio/flac"),
    "wav": (waved(), "audio/wav"),
    "aiff": (b"FORM\0\0\0\x2eAIFFCOMM", "audio/aiff"),
    "vorbis": (ogg(b"\1vorbis" + bytes(23)), "audio/ogg"),
    "opus": (ogg(b"OpusHead\1\2"), "audio/ogg"),
    "theora": (ogg(b"\x80theora\3\2\1"), "video/ogg"),
    "ogg of something": (ogg(b"fishead\0"), "application/ogg"),
    "zip": (zipped("a.txt", "b/c.txt"), "application/zip"),
    "empty zip": (zipped(), "application/zip"),
    "docx": (
        zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"),
        OFFICE + "wordprocessingml.document",
    ),
    "xlsx": (zipped("docProps/app.xml", "xl/workbook.xml"), OFFICE + "spreadsheetml.sheet"),
    "pptx": (zipped("[Content_Types].xml", "ppt/presentation.xml"), OFFICE + "presentationml.presentation"),
    "office, of no known kind": (zipped("[Content_Types].xml", "_rels/.rels"), "application/zip"),
    "a folder called word": (zipped("word/letter.txt"), "application/zip"),
    "odt": (zipped("content.xml", mimetype=OPEN_DOCUMENT + "text"), OPEN_DOCUMENT + "text"),
    "ods": (zipped("content.xml", mimetype=OPEN_DOCUMENT + "spreadsheet"), OPEN_DOCUMENT + "spreadsheet"),
    "epub": (zipped("OEBPS/x", mimetype="application/epub+zip"), "application/epub+zip"),
    "zip that says HTML": (zipped(mimetype="text/html"), "application/zip"),
    "jar": (zipped("META-INF/MANIFEST.MF", "x.class"), "application/java-archive"),
    "gzip": (gzip.compress(b"hello"), "application/gzip"),
    "bzip2": (bz2.compress(b"hello"), "application/x-bzip2"),
    "empty bzip2": (bz2.compress(b""), "application/x-bzip2"),
    "xz": (lzma.compress(b"hello"), "application/x-xz"),
    "tar": (tarred(tarfile.USTAR_FORMAT), "application/x-tar"),
    "tar of GNU": (tarred(tarfile.GNU_FORMAT), "application/x-tar"),
    "tar of POSIX": (tarred(tarfile.PAX_FORMAT), "application/x-tar"),
    "sqlite": (database(), "application/vnd.sqlite3"),
    "rtf": (rb"{\rtf1\ansi hello}", "application/rtf"),
    "postscript": (b"%!PS-Adobe-3.0\n", "application/postscript"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "application/x-7z-compressed"),
    "rar": (b"Rar!\x1a\x07\0", "application/vnd.rar"),
    "rar 5": (b"Rar!\x1a\x07\1\0", "application/vnd.rar"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\x05", "application/zstd"),
    "old Word": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), "application/x-ole-storage"),
    "jxl": (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "image/jxl"),
}


class SignatureTests(SynchronousTestCase):
    """What is proved, and what is not."""

    def test_samples(self) -> None:
        """Files that other programs wrote are what they are, from the first 8 KiB and from 4."""
        for name, (whole, media_type) in SAMPLES.items():
            self.assertEqual(signature(whole[:HEAD]), media_type, name)
            self.assertEqual(signature(whole[:4096]), media_type, name)

    def test_weak(self) -> None:
        """What begins alike by chance, or names a format and has not its shape, proves nothing."""
        for name, head in {
            "nothing": b"",
            "BM and text": b"BMW builds cars, and motorcycles, in Munich",
            "one frame": mp3(b"\xff\xfb\x90\x64", 417, frames=1),
            "a frame, and no second": mp3(b"\xff\xfb\x90\x64", 417, frames=1) + bytes(1000),
            "layer I, or UTF-16": b"\xff\xfea\0b\0" * 500,
            "free bit rate": mp3(b"\xff\xfb\x00\x64", 417),
            "bad bit rate": mp3(b"\xff\xfb\xf0\x64", 417),
            "bad sample rate": mp3(b"\xff\xfb\x9c\x64", 417),
            "bad version": mp3(b"\xff\xeb\x90\x64", 417),
            "ID3 in a text": b"ID3 tags are described below",
            "a tag of too large bytes": b"ID3\4\0\0\x80\0\0\0",
            "ftyp of nothing": iso_file("abcd", "efgh"),
            "ftyp of a wrong size": b"\0\0\0\x07ftypisom",
            "EBML of something": bytes.fromhex("1a45dfa3874282846d796578"),
            "RIFF of something": b"RIFF\0\0\0\0CDR9vrsn",
            "GIF of no version": b"GIF88a" + bytes(10),
            "not from the start": b" " + picture("PNG"),
            "PDF after junk": b"<html>" + picture("PDF"),
            "PDF of no version": b"%PDF is what it says",
            "a tar with a bad checksum": SAMPLES["tar"][0].replace(b"x\0", b"y\0", 1),
            "ustar in a text": b"x" * 257 + b"ustar" + b"x" * 300,
            "a header of C": b"#define width 5\n#define height 6\nint main(void) { return 0; }\n",
            "C about a picture": b"#define x_width 5\n#define x_height 6\nextern char x_bits[];\n",
            "a bitmap within a text": b"So it begins:\n" + xbm(),
            "SGI of no depth": b"\x01\xda\0\3" + bytes(510),
            "SGI of four dimensions": b"\x01\xda\0\1\0\4" + bytes(506),
            "Sun raster of 2 bits": struct.pack(">8I", 0x59A66A95, 8, 8, 2, 16, 1, 0, 0),
            "Sun raster, too short": struct.pack(">4I", 0x59A66A95, 8, 8, 8),
            "OpenEXR of version 3": b"\x76\x2f\x31\x01\x03\0\0\0channels\0",
            "OpenEXR of unknown flags": b"\x76\x2f\x31\x01\x02\x20\0\0channels\0",
            "OpenEXR of nothing": b"\x76\x2f\x31\x01\x02\0\0\0\0",
            "P6 of a playlist": b"P6 songs by heart",
            "a ZIP from the middle": b"PK\1\2" + bytes(100),
            "gzip with unknown flags": b"\x1f\x8b\x08\xe0" + bytes(10),
            "HTML": b"<!DOCTYPE html><html>",
            "text": b"Hello\n",
        }.items():
            self.assertIsNone(signature(head), name)

    def test_random(self) -> None:
        """Nothing is seen in noise."""
        noise = random.Random(3)
        for _ in range(3000):
            self.assertIsNone(signature(noise.randbytes(HEAD)))

    @patient
    @given(st.sampled_from(sorted(SAMPLES)), st.integers(0, 600), st.binary(max_size=64))
    @example("zip", 30, b"")
    @example("tar", 512, b"")
    def test_cut_and_changed(self, name: str, kept: int, rest: bytes) -> None:
        """However a file is cut, it proves what it is or something less, and there is no error."""
        whole, media_type = SAMPLES[name]
        less = {None, "application/zip", "application/ogg", "image/heif", "video/mp4", "audio/mpeg"}
        self.assertIn(signature(whole[:kept] + rest), {media_type} | less)

    @patient
    @given(st.sampled_from(sorted(SAMPLES)), st.binary(max_size=512))
    def test_goes_on(self, name: str, rest: bytes) -> None:
        """Only a file's beginning counts: nothing that follows makes something else of it."""
        whole, media_type = SAMPLES[name]
        self.assertEqual(signature((whole + rest)[:HEAD]), media_type)

    @patient
    @given(st.binary())
    @example(b"OggS\0\2" + bytes(21))
    @example(b"\xff\xfb\x90")
    @example(b"PK\x03\x04" + b"\xff" * 26)
    @example(b"\0\0\4\0ftypisom")
    def test_anything(self, head: bytes) -> None:
        """Whatever the bytes are, there is no error."""
        found = signature(head)
        self.assertTrue(found is None or "/" in found)
