"""
What the first bytes of a file prove about its format, by signatures that chance or a trick won't meet.

Each rule looks at more than a magic number where that is short: a second frame of MP3, the fixed fields of a
bitmap's header, the brands of an ISO file. Sources: the WHATWG's MIME Sniffing standard (section 6) for what
browsers show, and the specification beside the rule for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Formats that begin with bytes no other format has; `.` is any byte. Compared at the start only.
_BEGINNINGS: Sequence[tuple[bytes, str]] = (
    (rb"\xff\xd8\xff[\xc0-\xfe]", "image/jpeg"),  # ITU-T T.81 B.1.1: SOI, then the marker of a segment
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBPVP8[ LX]", "image/webp"),
    (rb"(?:II\*\0|MM\0\*)", "image/tiff"),
    (rb"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    # Bytes 6 to 9 are zero; the size of the second header tells the version (2 is OS/2's).
    (rb"BM....\0{4}..\0\0[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "image/bmp"),
    (rb"P[1-6](?:\s|#[^\n]*\n)+[0-9]{1,7}(?:\s|#[^\n]*\n)+[0-9]{1,7}\s", "image/x-portable-anymap"),
    (
        # Xlib, XWriteBitmapFile: a piece of C. What reads it asks for the brackets to be empty.
        (
            rb"(?:/\*[^\0]{0,512}?\*/)?\s{0,9}#define \w{0,99}_width[ \t]+[0-9]{1,5}\s+"
            rb"#define \w{0,99}_height[ \t]+[0-9]{1,5}\s+"
            rb"(?:#define \w{0,99}_[xy]_hot[ \t]+[0-9]{1,5}\s+){0,2}"
            rb"(?:static[ \t]+)?(?:unsigned[ \t]+)?(?:char|short)[ \t]+\w{0,99}_bits\[\] = \{"
        ),
        "image/x-xbitmap",
    ),
    # The SGI Image File Format 0.97: magic, storage, bytes a channel, dimensions, x, y and z, the least and
    # the most, four unused bytes, 80 of a name, and the kind of map.
    (rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03].{4}\0.{93}\0\0\0[\0-\x03]", "image/x-sgi"),
    # rasterfile(5) of SunOS: magic, width, height, depth, length, type, the map's type, and its length.
    (
        rb"\x59\xa6\x6a\x95\0.{3}\0.{3}\0\0\0[\x01\x04\x08\x18\x20].{4}\0\0(?:\0[\0-\x05]|\xff\xff)\0\0\0[\0-\x02]\0\0",
        "image/x-sun-raster",
    ),
    # OpenEXR File Layout: magic, version 2, four flags, and the name of the first attribute.
    (rb"\x76\x2f\x31\x01\x02[\0-\x1e]\0\0[A-Za-z]", "image/x-exr"),
    (rb"%PDF-[12]\.[0-9]", "application/pdf"),  # ISO 32000 7.5.2
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"RIFF....AVI ", "video/x-msvideo"),
    (rb"FORM....AIF[FC]", "audio/aiff"),
    (rb"fLaC[\0\x80]\0\0\x22", "audio/flac"),  # RFC 9639 section 8: STREAMINFO comes first, and has 34 bytes
    (rb"\x1f\x8b\x08[\0-\x1f]", "application/gzip"),  # RFC 1952 section 2.3
    (rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)", "application/x-bzip2"),
    (rb"\xfd7zXZ\0", "application/x-xz"),
    (rb"\x28\xb5\x2f\xfd", "application/zstd"),  # RFC 8878 section 3.1.1
    (rb"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (rb"Rar!\x1a\x07(?:\0|\x01\0)", "application/vnd.rar"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (rb"SQLite format 3\0", "application/vnd.sqlite3"),
    (rb"\{\\rtf1", "application/rtf"),
    (rb"%!PS-Adobe-", "application/postscript"),
)
_BEGINNING = re.compile(b"|".join(b"(%b)" % pattern for pattern, _ in _BEGINNINGS), re.DOTALL)

# The brands of ISO/IEC 14496-12 files that are what their name says, as the registry at mp4ra.org has them.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys((b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"mmp4"), "video/mp4"),
    **dict.fromkeys((b"isom", *(b"iso%d" % number for number in range(2, 10))), "video/mp4"),
    b"crx ": "image/x-canon-cr3",
}
# These say only that it is some picture; other brands say of what kind.
_PICTURES = (b"mif1", b"msf1")

# How QuickTime files begin that are older than the box "ftyp": two kinds of box, one after or in the other.
_OLD_MOVIES = ((b"moov", b"mvhd"), (b"moov", b"cmov"), (b"wide", b"mdat"))

# The first packet of a stream in Ogg: Vorbis I 4.2.1, RFC 7845, RFC 9639, Theora 6.1.
_OGG_PACKETS = (
    (b"\1vorbis", "audio/ogg"),
    (b"OpusHead", "audio/ogg"),
    (b"\x7fFLAC", "audio/ogg"),
    (b"Speex   ", "audio/ogg"),
    (b"\x80theora", "video/ogg"),
)

# Version, revision, flags of which the lower half is zero, and the size in four times seven bits.
_ID3 = re.compile(
    rb"ID3[\x02-\x04][^\xff][\0\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0]([\0-\x7f]{4})"
)

# Kilobits a second by layer III's index, and samples a second, of MPEG-1 (ISO/IEC 11172-3 2.4.2.3); MPEG-2's.
_BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {0b11: (44_100, 48_000, 32_000), 0b10: (22_050, 24_000, 16_000), 0b00: (11_025, 12_000, 8_000)}

# The element DocType of an EBML header (RFC 8794 section 11.2.6), which stands near its start.
_DOCTYPE = re.compile(rb"\x42\x82(?:\x84(webm)|\x88(matroska))", re.DOTALL)

# A local file header (APPNOTE 4.3.7) as far as its name: method, size, length of the name.
_LOCAL_HEADER = re.compile(rb"PK\x03\x04.{4}(?P<method>..).{8}(?P<size>....).{4}(?P<length>..)..", re.DOTALL)

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OFFICE_FOLDERS = {
    b"word": _OFFICE + "wordprocessingml.document",
    b"xl": _OFFICE + "spreadsheetml.sheet",
    b"ppt": _OFFICE + "presentationml.presentation",
}

# What a first member "mimetype" may say: OpenDocument 1.3 part 2 section 3.3, and EPUB (OCF 4.3).
_PACKAGE = re.compile(rb"application/(?:vnd\.oasis\.opendocument\.[a-z-]{1,40}|epub\+zip)")


def signature(head: bytes) -> str | None:
    """
    Name the format that a file's first bytes prove.

    :param head: the first 4 KiB or more, or all there is.
    :return: a media type; ``None`` where nothing is proved, as for every text.
    """
    if (found := _BEGINNING.match(head)) is not None and found.lastindex is not None:
        return _BEGINNINGS[found.lastindex - 1][1]
    return next((media_type for rule in _RULES if (media_type := rule(head)) is not None), None)


def _iso_media(head: bytes) -> str | None:
    """The box ``ftyp`` comes first (ISO/IEC 14496-12 4.3); old QuickTime files have none."""
    size = int.from_bytes(head[:4])
    if (head[4:8], head[12:16]) in _OLD_MOVIES:
        return "video/quicktime"
    if head[4:8] != b"ftyp" or not 16 <= size <= 1024 or size % 4:
        return None
    brands = [head[at : at + 4] for at in (8, *range(16, min(size, len(head)), 4))]
    if brands[0][:3] in {b"3gp", b"3g2"}:
        return "video/3gpp2" if brands[0][:3] == b"3g2" else "video/3gpp"
    some_picture = None if set(_PICTURES).isdisjoint(brands) else "image/heif"
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), some_picture)


def _ebml(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3") or (found := _DOCTYPE.search(head, 4, 128)) is None:
        return None
    # RFC 9559 registers video/matroska; programs know the old name.
    return "video/webm" if found[1] else "video/x-matroska"


def _ogg(head: bytes) -> str | None:
    if not head.startswith(b"OggS\0\2") or len(head) < 28:
        return None
    packet = head[27 + head[26] :]  # RFC 3533 section 6: the table of segments ends the page's header
    return next((kind for start, kind in _OGG_PACKETS if packet.startswith(start)), "application/ogg")


def _id3(head: bytes) -> str | None:
    """A tag (ID3 2.4.0 section 3.1) stands before MP3, and sometimes before FLAC."""
    if (tag := _ID3.match(head)) is None:
        return None
    size = sum(each << shift for each, shift in zip(tag[1], (21, 14, 7, 0), strict=True))
    return "audio/flac" if head[10 + size :].startswith(b"fLaC") else "audio/mpeg"


def _mpeg_audio(head: bytes) -> str | None:
    """Two frames of layer III, the second where the first says that it ends."""
    length = _frame_length(head[:4])
    return "audio/mpeg" if length and _frame_length(head[length : length + 4]) else None


def _frame_length(header: bytes) -> int:
    """How long a frame of MP3 is, in bytes with its header; 0 for what is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:  # the sync word, and layer III
        return 0
    version, index, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in _RATES or not 0 < index < 15 or rate == 3:
        return 0
    bitrates, samples = (_BITRATES_1, 144_000) if version == 0b11 else (_BITRATES_2, 72_000)
    return samples * bitrates[index] // _RATES[version][rate] + (header[2] >> 1 & 1)


def _zip(head: bytes) -> str | None:
    """A ZIP, and what kind of document where its first members say so."""
    if head[:22] == b"PK\5\6" + bytes(18):
        return "application/zip"
    if (first := _LOCAL_HEADER.match(head)) is None:
        return None
    names = [_member_name(head, found) for found in _LOCAL_HEADER.finditer(head)]
    if names[0] == b"mimetype" and first["method"] == b"\0\0":
        return _package(head, first)
    if b"META-INF/MANIFEST.MF" in names[:2]:
        return "application/java-archive"
    if {b"[Content_Types].xml", b"_rels/.rels", b"docProps/app.xml"}.isdisjoint(names):
        return "application/zip"
    folders = [name.partition(b"/")[0] for name in names]
    return next((_OFFICE_FOLDERS[each] for each in folders if each in _OFFICE_FOLDERS), "application/zip")


def _member_name(head: bytes, header: re.Match[bytes]) -> bytes:
    return head[header.end() : header.end() + int.from_bytes(header["length"], "little")]


def _package(head: bytes, first: re.Match[bytes]) -> str:
    start = first.end() + len(b"mimetype")
    said = head[start : start + int.from_bytes(first["size"], "little")]
    return said.decode() if _PACKAGE.fullmatch(said) else "application/zip"


def _tar(head: bytes) -> str | None:
    """POSIX 1003.1 pax, "ustar Interchange Format"; its checksum counts itself as spaces."""
    if len(head) < 512 or head[257:262] != b"ustar":
        return None
    said = head[148:156].strip(b" \0")
    total = sum(head[:148]) + sum(head[156:512]) + 8 * 0x20
    return "application/x-tar" if re.fullmatch(rb"[0-7]+", said) and int(said, 8) == total else None


_RULES: Sequence[Callable[[bytes], str | None]] = (_iso_media, _ebml, _ogg, _id3, _mpeg_audio, _zip, _tar)
