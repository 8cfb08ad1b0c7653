"""
A location in XMP (ISO 16684-1): properties whose names speak of GPS, of latitude, longitude or altitude, or
of a place on a map, whatever their prefix.

Packets are looked at as bytes. A parser would resolve entities, and could not say which bytes a property is
made of.
"""

from __future__ import annotations

import re
from itertools import islice

from .patch import Patch, filled
from .reading import Budget

#: What JPEG puts before a packet, and before each portion of a long one (XMP part 3, section 1.1.3).
SIGNATURE = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"

#: Longer packets are not taken apart, nor such with more properties that name a place.
_LONGEST = 1024 * 1024
_MOST_PLACES = 1000

# How much longer it takes to take a packet apart than to search it.
_EFFORT = 4

# What names of properties hold: exif:GPSLatitude, drone-dji:GpsLongitude, and MapLocation, an address that
# Microsoft writes. What else speaks of an altitude than the end of a name is prose.
_WORDS = rb"gps|latitude|longitude|maplocation|(?<=[\w:])altitude"

# Names of properties; "geo" is the W3C's vocabulary of 2003.
_PLACE = rb"[\w.-]{0,64}(?:%b)[\w.-]{0,64}|(?<=geo:)(?:lat|long|lon|alt)\b" % _WORDS
_NAME = rb"(?:[\w.-]{0,64}:)?(?:%b)" % _PLACE
_ATTRIBUTE = re.compile(rb"(?<=\s)(%b)\s*=\s*(?:\"[^\"]*\"|'[^']*')" % _NAME, re.IGNORECASE)
_ELEMENT = re.compile(rb"<(%b)(?=[\s/>])[^<>]*?(/?)>" % _NAME, re.IGNORECASE)

# What speaks of a place. Entities could spell it in ways that are not looked for.
_TRACES = re.compile(rb"%b|geo:(?:lat|lon|alt)|<!ENTITY|<!DOCTYPE" % _WORDS, re.IGNORECASE)

# Previews stand in packets as Base64, in which three letters are met by chance.
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{60,}")

# A packet that says nothing, and that parsers of XML take; white space may follow it.
_NOTHING = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def speaks_of_place(text: bytes) -> bool:
    """
    Whether a text, of a coding that has ASCII's letters or twice as wide ones, speaks of coordinates.
    """
    text = text.replace(b"\0", b"")
    return _TRACES.search(text) is not None and _TRACES.search(_BASE64.sub(b"", text)) is not None


def packet_patches(packet: bytes, at: int, budget: Budget) -> list[Patch]:
    """
    What takes the location out of a packet.

    :param packet: all of it; that it is searched is paid for.
    :param at: where in the file it begins.
    :param budget: of the file.
    :raise TooMuchError: it is more than that allows.
    """
    if not speaks_of_place(packet):
        return []
    budget.spend(length=(_EFFORT - 1) * min(len(packet), _LONGEST))
    spans = _places(packet)
    if spans is None:
        return filled(at, packet, _NOTHING, b" ")
    budget.spend(patches=len(spans))
    return [Patch(at + start, b" ", stop - start) for start, stop in spans]


def _places(packet: bytes) -> list[tuple[int, int]] | None:
    """
    Where the properties stand; ``None`` where the packet is not well understood.
    """
    if len(packet) > _LONGEST or b"\0" in packet.rstrip(b"\0"):
        return None
    text, spans, at = bytearray(packet), list[tuple[int, int]](), 0
    while (opened := _ELEMENT.search(text, at)) is not None:
        at = opened.end()
        if not opened[2]:
            closing = text.find(b"</" + opened[1], at)
            if closing < 0 or (at := text.find(b">", closing) + 1) <= 0:
                return None
        spans.append((opened.start(), at))
        if len(spans) > _MOST_PLACES:
            return None
        text[opened.start() : at] = b" " * (at - opened.start())
    spans += [found.span() for found in islice(_ATTRIBUTE.finditer(text), _MOST_PLACES)]
    for start, stop in spans:
        text[start:stop] = b" " * (stop - start)
    return None if speaks_of_place(bytes(text)) else spans
