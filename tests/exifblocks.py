"""
Blocks of EXIF for the tests, sound ones and broken ones, written byte by byte.

Sources: TIFF 6.0 section 2, and CIPA DC-008 (EXIF 3.0) section 4.6 for the tags.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction

from attrs import frozen

# Tags of EXIF, by what CIPA DC-008 calls them.
MAKE, MODEL, ORIENTATION, DATE_TIME, EXIF_IFD, GPS_IFD = 271, 272, 274, 306, 34665, 34853
DATE_TIME_ORIGINAL, DATE_TIME_DIGITIZED = 36867, 36868
OFFSET_TIME, OFFSET_TIME_ORIGINAL, OFFSET_TIME_DIGITIZED = 36880, 36881, 36882

#: What a camera writes, and what is to be seen of it.
CAMERA: Mapping[int, object] = {
    MAKE: "NIKON CORPORATION",
    MODEL: "NIKON D850",
    DATE_TIME: "2026:11:21 10:00:00",
    DATE_TIME_ORIGINAL: "2026:11:20 21:52:00",
    OFFSET_TIME_ORIGINAL: "+01:00",
}
TAKEN = "2026-11-20T21:52:00+01:00"

#: Where a picture says it was taken: the Null Island of no camera, in a town with a long name.
LATITUDE, LONGITUDE = (53.0, 13.0, 15.37), (4.0, 9.0, 49.77)

#: XMP that says the same.
XMP_LOCATION = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    b'exif:GPSLatitude="53,13.256N" exif:GPSLongitude="4,9.829W"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


@frozen
class Raw:
    """
    A field as it stands in the file, however wrong: its type, what it says is its count, and its bytes.
    """

    kind: int
    count: int
    data: bytes


Fields = Mapping[int, object]


def exif_block(
    main: Fields,
    sub: Fields | None = None,
    gps: Fields | None = None,
    *,
    order: str = "<",
    following: int = 0,
) -> bytes:
    """
    A block of EXIF, beginning with the header of TIFF.

    :param main: fields of the first directory; ``str`` becomes ASCII, ``int`` SHORT, ``bytes`` UNDEFINED, a
        sequence of numbers RATIONAL, and `Raw` what it says.
    :param sub: those of the directory of EXIF; ``None`` where there is none.
    :param order: of the bytes, ``<`` or ``>``.
    :param following: where the next directory is said to be.
    """
    start = 8 + _directory_size({**main, **_pointers(sub, gps, 0, 0)}, order)
    gps_at = start + (_directory_size(sub, order) if sub is not None else 0)
    first = _directory({**main, **_pointers(sub, gps, start, gps_at)}, 8, order, following)
    rest = b"".join(
        _directory(each, at, order) for each, at in ((sub, start), (gps, gps_at)) if each is not None
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8) + first + rest


def _pointers(sub: Fields | None, gps: Fields | None, sub_at: int, gps_at: int) -> dict[int, object]:
    found = {EXIF_IFD: (sub, sub_at), GPS_IFD: (gps, gps_at)}
    # A pointer that the test has set already is not touched.
    return {tag: Raw(4, 1, b"%d" % at) for tag, (each, at) in found.items() if each is not None}


def _directory_size(fields: Fields, order: str) -> int:
    return len(_directory(fields, 0, order))


def _directory(fields: Fields, at: int, order: str, following: int = 0) -> bytes:
    entries, values = b"", b""
    values_at = at + 2 + 12 * len(fields) + 4
    for tag, value in sorted(fields.items()):
        field = _field(tag, value, order)
        data = field.data.ljust(4, b"\0")
        if len(data) > 4:
            data = struct.pack(f"{order}I", values_at + len(values))
            values += field.data + b"\0" * (len(field.data) % 2)
        entries += struct.pack(f"{order}HHI", tag, field.kind, field.count) + data
    return struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", following) + values


def _field(tag: int, value: object, order: str) -> Raw:
    match value:
        case Raw(kind=4, count=1, data=digits) if tag in {EXIF_IFD, GPS_IFD} and digits.isdigit():
            return Raw(4, 1, struct.pack(f"{order}I", int(digits)))
        case Raw():
            return value
        case str():
            data = value.encode() + b"\0"
            return Raw(2, len(data), data)
        case int():
            return Raw(3, 1, struct.pack(f"{order}H", value))
        case bytes():
            return Raw(7, len(value), value)
        case Sequence():
            fractions = [Fraction(number).limit_denominator(10_000) for number in value]
            data = b"".join(struct.pack(f"{order}II", *each.as_integer_ratio()) for each in fractions)
            return Raw(5, len(fractions), data)
    raise TypeError(value)


#: A directory of GPS: version, and where.
GPS: Fields = {
    0: Raw(1, 4, b"\2\3\0\0"),
    1: "N",
    2: LATITUDE,
    3: "W",
    4: LONGITUDE,
}


def camera_block(
    exif: Fields | None = None, *, gps: bool = False, orientation: int | None = None, order: str = "<"
) -> bytes:
    """
    A block of EXIF with these fields, each in the directory where it belongs.
    """
    fields = dict(exif or {})
    if orientation is not None:
        fields[ORIENTATION] = orientation
    main = {tag: value for tag, value in fields.items() if tag < 0x8000}
    sub = {tag: value for tag, value in fields.items() if tag >= 0x8000}
    return exif_block(main, sub or None, GPS if gps else None, order=order)


def looping_blocks() -> Mapping[str, bytes]:
    """
    Blocks of EXIF whose directories lead to themselves or each other.
    """
    text = {MAKE: "Loop"}
    return {
        "the next directory is the first": exif_block(text, following=8),
        "EXIF is the first directory": exif_block({**text, EXIF_IFD: Raw(4, 1, b"8")}),
        "GPS is the first directory": exif_block({**text, GPS_IFD: Raw(4, 1, b"8")}),
        "interoperability is the first": exif_block(text, {0xA005: Raw(4, 1, struct.pack("<I", 8))}),
    }


def broken_blocks() -> Mapping[str, bytes]:
    """
    Blocks of EXIF that break a rule each: counts, types, offsets, ends.
    """
    good = camera_block(CAMERA, gps=True)
    return {
        "empty": b"",
        "cut in its header": good[:6],
        "cut in a directory": good[:20],
        "cut in a value": good[:-40],
        "no mark": b"XX" + good[2:],
        "giant count of text": exif_block({MAKE: Raw(2, 0xFFFF_FFFF, b"\0\0\0\x20"), MODEL: "Model"}),
        "giant count of numbers": exif_block({MAKE: "Maker", ORIENTATION: Raw(3, 0x7FFF_FFFF, b"\6\0\0\0")}),
        "giant number of entries": good[:8] + b"\xff\xff" + good[10:],
        "first directory far away": good[:4] + b"\xff\xff\xff\x7f" + good[8:],
        "unknown type": exif_block({MAKE: Raw(99, 1, b"abcd"), MODEL: "Model"}),
        "type 0": exif_block({MAKE: Raw(0, 4, b"abcd"), MODEL: "Model"}),
        "numbers for texts": exif_block({MAKE: 17, MODEL: (1.5, 2.5), ORIENTATION: "six", DATE_TIME: 20}),
        "texts for pointers": exif_block({MAKE: "Maker", EXIF_IFD: "abc", GPS_IFD: "here"}),
        "divided by nothing": exif_block(
            {MAKE: "Maker"}, None, {2: Raw(5, 3, bytes(24)), 4: Raw(5, 3, bytes(24))}
        ),
        "pointers to nowhere": exif_block(
            {MAKE: "Maker", EXIF_IFD: Raw(4, 1, b"99999999"), GPS_IFD: Raw(4, 1, b"99999999")}
        ),
        "no text": exif_block({MAKE: Raw(2, 0, b""), MODEL: Raw(2, 1, b"\0")}),
        "only blanks": exif_block({MAKE: " " * 20, MODEL: "\0" * 20, DATE_TIME: "    :  :     :  :  "}),
    }
