"""
Pictures that say where they were taken, and exiftool, which finds that wherever it may stand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from tests.integration.server import missing

#: A place that stands nowhere else in these files, as text.
LATITUDE = "48.858370"

#: A packet with a location in both forms in which XMP writes properties, and with what is none.
PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:Rating="4"
    exif:GPSLatitude="{LATITUDE}N"
    exif:GPSAltitude='35/1'
    photoshop:City="Springfield">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">A title</rdf:li></rdf:Alt></dc:title>
   <exif:GPSLongitude>2,17.6666E</exif:GPSLongitude>
   <Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource">
     <Iptc4xmpExt:City>Springfield</Iptc4xmpExt:City>
     <exif:GPSLatitude>{LATITUDE}N</exif:GPSLatitude>
   </rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
{" " * 200}
<?xpacket end="w"?>""".encode()

_RATIONAL = TiffImagePlugin.IFDRational


def exif(order: str = "<", *, gps: bool = True) -> bytes:
    """
    A block of EXIF, with its signature.
    """
    fields = Image.Exif()
    fields.endian = order
    fields[0x010F] = "Some maker of cameras"
    fields[0x0110] = "Some model"
    fields[0x0112] = 1
    fields[0x0132] = "2026:11:20 21:52:00"
    details = fields.get_ifd(0x8769)
    details[0x9003] = "2026:11:20 21:52:00"
    details[0x829A] = _RATIONAL(1, 250)
    details[0x9286] = b"ASCII\0\0\0a comment"
    if gps:
        place = fields.get_ifd(0x8825)
        place[0] = b"\2\3\0\0"
        place[1], place[2] = "N", (_RATIONAL(48), _RATIONAL(51), _RATIONAL(3013, 100))
        place[3], place[4] = "E", (_RATIONAL(2), _RATIONAL(17), _RATIONAL(4000, 100))
        place[6] = _RATIONAL(35)
        place[7] = (_RATIONAL(21), _RATIONAL(52), _RATIONAL(0))
        place[18] = "WGS-84"
        place[27] = b"ASCII\0\0\0CELLID"
        place[29] = "2026:11:20"
    return fields.tobytes()


def drawn(width: int = 60, height: int = 40) -> Image.Image:
    """
    A picture that no two parts of are alike.
    """
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def picture(kind: str, *, exif_block: bytes | None = None, xmp: bytes | None = None, **options: Any) -> bytes:
    """
    A picture of a kind that Pillow writes, with these metadata.

    :param kind: as Pillow calls it: JPEG, PNG, WEBP, TIFF and others.
    """
    if kind == "PNG" and xmp is not None:
        texts = options.setdefault("pnginfo", PngInfo())
        texts.add_itxt("XML:com.adobe.xmp", xmp)
    elif kind == "TIFF" and xmp is not None:
        options["tiffinfo"] = {700: xmp}
    elif xmp is not None:
        options["xmp"] = xmp
    if exif_block is not None:
        options["exif"] = exif_block
    out = BytesIO()
    drawn().save(out, kind, **options)
    return out.getvalue()


def located(kind: str, **options: Any) -> bytes:
    """
    A picture with a location in EXIF and in XMP, where its kind has both.
    """
    if kind == "TIFF":  # Pillow writes one or the other
        return with_exiftool(picture("TIFF", exif_block=exif()), "tif", "-xmp<=packet.xmp", packet=PACKET)
    return picture(kind, exif_block=exif(), xmp=PACKET, **options)


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """
    What is to be seen in a picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that EXIF is damaged
        with Image.open(BytesIO(data)) as image:
            return image.size, image.convert("RGBA").tobytes()


def need_exiftool() -> None:
    """
    Skip a test where there is no exiftool.
    """
    if shutil.which("exiftool") is None:
        missing("exiftool")


def with_exiftool(data: bytes, extension: str, *arguments: str, packet: bytes = b"") -> bytes:
    """
    A file as exiftool writes it.

    :param packet: what the argument ``-xmp<=packet.xmp`` puts into it.
    """
    need_exiftool()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture." + extension)
        path.write_bytes(data)
        Path(folder, "packet.xmp").write_bytes(packet)
        subprocess.run(
            ["exiftool", "-q", "-overwrite_original", *arguments, path.name],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        return path.read_bytes()


def told(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """
    All that exiftool finds in some files, by their names, but for what the file system says.
    """
    need_exiftool()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        out = subprocess.run(
            ["exiftool", "-a", "-G1", "-json", "-ee3", "-u", "-n", "-api", "largefilesupport=1", *files],
            cwd=folder, capture_output=True, check=False,
        ).stdout  # fmt: skip
    return {
        found.pop("SourceFile"): _without_file(found) for found in json.loads(out.decode("utf-8", "replace"))
    }


def _without_file(found: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in found.items()
        if not name.startswith(("System:", "ExifTool:ExifToolVersion"))
    }


def places(found: Mapping[str, str]) -> dict[str, str]:
    """
    What of it says where a picture was taken.
    """
    return {name: value for name, value in found.items() if is_place(name, value)}


def is_place(name: str, value: str) -> bool:
    """
    Whether a tag of exiftool's says where a picture was taken.
    """
    words = ("gps", "latitude", "longitude")
    return any(word in name.lower() for word in words) or LATITUDE in value or "GPS" in value
