"""
A location in a packet of XMP: exiftool and an XML parser judge.
"""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.location.patch import overwrite
from fileserve.pictures.location.reading import Budget
from fileserve.pictures.location.xmp import packet_patches, speaks_of_place
from tests.locatedpictures import PACKET, places, told

BLANK = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def stripped(packet: bytes) -> bytes:
    result = bytearray(b"before" + packet)
    overwrite(result, 0, packet_patches(packet, 6, Budget()))
    assert result.startswith(b"before")
    assert packet_patches(bytes(result[6:]), 0, Budget()) == []
    return bytes(result[6:])


def described(attributes: str = "", elements: str = "") -> bytes:
    names = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
        "drone-dji": "http://www.dji.com/drone-dji/1.0/",
        "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    }
    spaces = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in names.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" {spaces}><rdf:RDF><rdf:Description {attributes} xmp:Rating="3">'
        f"{elements}<xmp:Label>kept</xmp:Label></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


class PacketTests(SynchronousTestCase):
    """Packets with and without a location."""

    def goes(self, packet: bytes) -> None:
        """
        Properties go, the packet stays XML, and what else is in it stays.
        """
        result = stripped(packet)
        ET.fromstring(result)
        self.assertEqual(len(result), len(packet))
        self.assertFalse(speaks_of_place(result), result)
        self.assertIn(b'xmp:Rating="3"', result)
        self.assertIn(b"<xmp:Label>kept</xmp:Label>", result)

    def test_forms(self) -> None:
        """Every form in which a property may stand."""
        self.goes(described('exif:GPSLatitude="48,51.5N"'))
        self.goes(described("exif:GPSLatitude = '48,51.5N'\n exif:GPSLongitude=\"2\""))
        self.goes(described(elements="<exif:GPSLatitude>48</exif:GPSLatitude>"))
        self.goes(described(elements="<exif:GPSLatitude/><exif:GPSLongitude  />"))
        self.goes(described(elements='<exif:GPSTimeStamp rdf:datatype="x">\n1\n</exif:GPSTimeStamp >'))
        self.goes(described('drone-dji:GpsLatitude="+48.8" drone-dji:GpsLongtitude="2.2"'))
        self.goes(described('geo:lat="48.8" geo:long="2.2"', "<geo:alt>35</geo:alt>"))
        self.goes(described('MicrosoftPhoto:MapLocation="Kleinmachnow" drone-dji:AbsoluteAltitude="+35"'))
        self.goes(
            described("drone-dji:RelativeAltitude='1' xmp:Altitude='35'", "<xmp:Latitude>1</xmp:Latitude>")
        )
        self.goes(described(elements="<MicrosoftPhoto:MapLocation>x</MicrosoftPhoto:MapLocation>"))
        self.goes(described(elements="<xmp:Place><exif:GPSLongitude>2</exif:GPSLongitude></xmp:Place>"))
        self.goes(described(elements="<exif:GPSA><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></exif:GPSA>"))

    def test_nothing(self) -> None:
        """A packet without a location stays, also where a preview in it spells one by chance."""
        preview = base64.b64encode(b"\x18\xf4" * 3000).decode()
        chance = preview[:900] + "gps" + preview[900:]
        for packet in (
            described(),
            described(elements=f"<xmp:Label>{chance}</xmp:Label>"),
            described(elements="<xmp:Label>at high altitude</xmp:Label>"),
            b"",
            b"\0",
            b"no XML",
        ):
            self.assertEqual(packet_patches(packet, 0, Budget()), [])

    def test_in_doubt(self) -> None:
        """What is not well understood goes as a whole, and what stays is a packet that says nothing."""
        good = described('exif:GPSLatitude="48,51.5N"')
        for packet in (
            good.decode().encode("utf-16-le"),
            good.decode().encode("utf-16"),
            good.decode().encode("utf-32-be"),
            described(elements="<xmp:Label>by GPS</xmp:Label>"),
            described(elements="<exif:GPSLatitude>48"),
            b"<!DOCTYPE x [<!ENTITY e '&#60;exif:G&#80;SLatitude'>]>" + described(),
            described(elements="<exif:GPSLatitude>48</exif:GPSLatitude>") + b" " * 1024 * 1024,
        ):
            result = stripped(packet)
            self.assertEqual(result, BLANK.ljust(len(packet)))

    def test_blank(self) -> None:
        """A packet that says nothing is as long as it has to be."""
        for length in (3, len(BLANK), len(BLANK) + 2):
            expected = BLANK if length >= len(BLANK) else b""
            self.assertEqual(stripped(b"gps".ljust(length, b"<")), expected.ljust(length))

    def test_exiftool(self) -> None:
        """In the packet of the other tests exiftool finds a location before, and none afterwards."""
        found = told({"before.xmp": PACKET, "after.xmp": stripped(PACKET)})
        self.assertGreater(len(places(found["before.xmp"])), 3)
        self.assertEqual(places(found["after.xmp"]), {})
        self.assertEqual(found["after.xmp"]["XMP-dc:Title"], "A title")

    @given(st.lists(st.sampled_from(
        ["<a:gps>", "</a:gps>", "<a:gps/>", "<", ">", '"', "'", " a:gps=", "latitude", " ", "\0", "x", "&lt;"]
    )).map("".join))  # fmt: skip
    def test_anything(self, text: str) -> None:
        """Whatever is in a packet, nothing of a place is left, and its length stays."""
        packet = text.encode()
        self.assertFalse(speaks_of_place(stripped(packet)))
