"""
``fileserve.http.kinds``: what kind a file is said to be, and what may be shown in a browser.
"""

from __future__ import annotations

import codecs
import random
import re

import puremagic
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.kinds import HEAD, INLINE, UNKNOWN, media_type, safety_headers, shown_as
from fileserve.http.signatures import signature
from tests.test_http_signatures import SAMPLES

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

PLAIN = "text/plain"
TEXT = b"text/plain; charset=utf-8"

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю.\r\n"

#: Documents in which a browser would run a script, if it were told what they are.
RUNNING = (
    b"<script>alert(1)</script>",
    b"<!DOCTYPE html><body onload=alert(1)>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    b"<!-- --><iframe src=javascript:alert(1)>",
)
names = st.text(max_size=5) | st.sampled_from(
    ["x.txt", "x.csv", "x.md", "x.json", "x.html", "x.svg", "x.jpg", "x", ".csv", "README.MD", "x.ics"]
)


class MediaTypeTests(SynchronousTestCase):
    """What kind a file is."""

    def test_samples(self) -> None:
        """What is proved by signature is what it is, whatever its name says."""
        for name, (whole, kind) in SAMPLES.items():
            for filename in ("x", "x.html", "x.csv", "x.txt"):
                self.assertEqual(media_type(whole[:HEAD], filename), kind, name)

    def test_texts(self) -> None:
        """Text is text in UTF-8, in UTF-16 with its mark, and in the old sets of 8 bits."""
        for head in (
            b"Hello\n",
            b"x",
            b"tab\there\x0cnew page \x1b[31mred\x1b[0m",
            RUSSIAN.encode(),
            codecs.BOM_UTF8 + RUSSIAN.encode(),
            RUSSIAN.encode("utf-16"),
            codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be"),
            RUSSIAN.encode("cp1251"),
            RUSSIAN.encode("koi8-r"),
            "Ça dépend, déjà vu – «naïve» façade.".encode("cp1252"),
            b"#!/bin/sh\nrm -rf /\n",
            b"From: a@example.com\r\n\r\nHello",
        ):
            self.assertEqual(media_type(head, "x"), PLAIN, head)

    def test_no_texts(self) -> None:
        """Nothing, control characters, and bytes of which nobody can tell are of no known kind."""
        for head in (
            b"",
            b"\0",
            b"Hello\0",
            b"Hello\x07",
            b"\x80\x81\x82\x83",
            codecs.BOM_UTF16_LE + b"\0\0a\0",
            codecs.BOM_UTF16_LE + b"\0\xdc\0\xdc",
            RUSSIAN.encode("utf-16-le"),
            RUSSIAN.encode("utf-32"),
        ):
            self.assertEqual(media_type(head, "x.txt"), UNKNOWN, head)

    @patient
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), st.integers(0, 4), names)
    @example("a€", 2, "x")
    def test_cut_within_a_character(self, text: str, cut: int, filename: str) -> None:
        """A beginning that ends within a character is the same text."""
        assume(signature(text.encode()) is None)
        head = ("x" + text).encode()
        self.assertIn(shown_as(media_type(head[: max(1, len(head) - cut)], filename)), {TEXT})

    def test_names_of_texts(self) -> None:
        """The name tells kinds of text apart that run nothing, where the text does not speak against it."""
        for head, filename, kind in (
            (b"a,b\n1,2\n", "x.csv", "text/csv"),
            (b"a,b\n1,2\n", "X.CSV", "text/csv"),
            (b"# Title\n", "README.md", "text/markdown"),
            (b'<h1 align="center">Title</h1>\n', "README.md", "text/markdown"),
            (b"<!-- a comment -->\n# Title", "README.md", "text/markdown"),
            (b' {"a": 1}', "x.json", "application/json"),
            (codecs.BOM_UTF8 + b"[1]", "x.json", "application/json"),
            (b"hello", "x.json", PLAIN),
            (b'{"a": 1}', "x", PLAIN),
            (b"BEGIN:VCALENDAR\r\n", "x.ics", "text/calendar"),
            (b"hello", "x.vcf", PLAIN),
            (b"WEBVTT\n\n", "x.vtt", "text/vtt"),
            (b"1\n00:00:01,000 --> 00:00:02,000\n", "x.srt", "application/x-subrip"),
            # what runs somewhere is text here
            (b"alert(1)", "x.js", PLAIN),
            (b"body{}", "x.css", PLAIN),
            (b"hello", "x.html", PLAIN),
            (b"\0\1", "x.csv", UNKNOWN),
        ):
            self.assertEqual(media_type(head, filename), kind, filename)

    def test_markup(self) -> None:
        """HTML, SVG and XML are what they are, in every encoding of text and under every name."""
        for text, kind in (
            ("<!DOCTYPE html><p>é", "text/html"),
            ("<script>alert('é')</script>", "text/html"),
            ("<svg onload='é'>", "image/svg+xml"),
            ("<?xml version='1.0'?><note>é", "application/xml"),
        ):
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
                for filename in ("x", "x.txt", "x.csv", "x.md", "x.jpg"):
                    self.assertEqual(media_type(text.encode(encoding), filename), kind, (text, encoding))

    @patient
    @given(
        st.sampled_from(RUNNING),
        st.sampled_from(["", " ", "\n", "\ufeff", "\0"]).map(str.encode),
        st.binary(),
        names,
    )
    @example(RUNNING[0], codecs.BOM_UTF8, b"\xff", "x")
    def test_running_is_not_shown(self, document: bytes, before: bytes, after: bytes, filename: str) -> None:
        """No document that runs is shown, whatever a browser skips before it, whatever follows."""
        self.assertIsNone(shown_as(media_type(before + document + after, filename)))

    @patient
    @given(st.sampled_from(sorted(SAMPLES)), st.integers(0, 40), st.sampled_from(RUNNING), names)
    def test_polyglot(self, name: str, kept: int, document: bytes, filename: str) -> None:
        """
        The beginning of some format with a document that runs behind it is shown as that format, or as
        plain text, or not: never under a type by which a browser would run it.
        """
        shown = shown_as(media_type(SAMPLES[name][0][:kept] + document, filename))
        harmless = rb"image/(?!svg)[a-z]+|(audio|video)/[a-z0-9-]+|application/pdf|" + re.escape(TEXT)
        self.assertTrue(shown is None or re.fullmatch(harmless, shown), shown)

    def test_random(self) -> None:
        """Noise is of no known kind."""
        noise = random.Random(4)
        kinds = {media_type(noise.randbytes(HEAD), "x.txt") for _ in range(500)}
        self.assertEqual(kinds, {UNKNOWN})

    def test_tail(self) -> None:
        """Formats that are only downloaded have the names that puremagic knows."""
        for head, kind in (
            (b"wOF2" + bytes(50), "font/woff2"),
            (b"8BPS\0\1" + bytes(50), "image/vnd.adobe.photoshop"),
            (b"\x01\xda\x00\x01\x00\x03" + bytes(50), "image/x-rgb"),
        ):
            self.assertEqual(media_type(head, "x"), kind)

    def test_weak_evidence(self) -> None:
        """Two bytes, one of several types, and a type that browsers run or show are no evidence."""
        for head in (
            b"MZ" + bytes(100),  # two bytes
            b"\x7fELF" + bytes(100),  # its best match has no type, the next is shorter
            b"\0\0\1\0\1\0" + bytes(100),  # an icon, or Flash
            b"<!DOCTYPE html>\0" + bytes(100),  # HTML, and no text
            b"<svg \0",
            b"RIFF\x24\0\0\0CDXA" + bytes(100),
        ):
            self.assertEqual(media_type(head, "x"), UNKNOWN, head)

    def test_name_opens_nothing(self) -> None:
        """The name of a file of ours, as the name that was sent, tells nothing of it."""
        self.assertEqual(media_type(b"\1\2\3\4", puremagic.__file__), UNKNOWN)

    @patient
    @given(st.binary(), st.text(st.characters()))
    def test_anything(self, head: bytes, filename: str) -> None:
        """Whatever the bytes and the name, there is one type without parameters, fit for a header."""
        self.assertRegex(media_type(head, filename), r"\A[a-z]+/[a-z0-9.+-]+\Z")


class ShownTests(SynchronousTestCase):
    """What is shown, and under what headers."""

    def test_allowed(self) -> None:
        """Pictures of pixels, sound, moving pictures and PDF are shown as such, text as plain text."""
        for kind in ("image/jpeg", "image/webp", "audio/mpeg", "video/mp4", "application/pdf"):
            self.assertEqual(shown_as(kind), kind.encode())
        for kind in ("text/plain", "text/csv", "text/markdown", "application/json"):
            self.assertEqual(shown_as(kind), TEXT)

    def test_not_allowed(self) -> None:
        """Nothing else is: what runs, what is XML, what is not known, no other spelling."""
        for kind in (
            "text/html", "image/svg+xml", "application/xml", "text/xml", "application/xhtml+xml", "text/css",
            "text/javascript", "application/javascript", "application/zip", "multipart/mixed", UNKNOWN, "",
            "TEXT/HTML", "image/svg", "text/plain; charset=utf-7", "image/jpeg\r\nX: y", "image/png ",
        ):  # fmt: skip
            self.assertIsNone(shown_as(kind), kind)

    def test_list(self) -> None:
        """No type on the list can hold a script for a browser, and text is sent under one name only."""
        for kind, shown in INLINE.items():
            self.assertTrue(shown in {kind.encode(), TEXT})
            self.assertIsNone(re.search(rb"svg|xml|html|script|flash|css", shown), kind)
            self.assertTrue(shown == TEXT or not shown.startswith(b"text/"), kind)

    def test_headers(self) -> None:
        """Nothing is sniffed, nothing runs; a player may ask for its sound; only PDF is in no sandbox."""
        for shown in (None, *INLINE.values()):
            headers = safety_headers(shown)
            policy = headers[b"Content-Security-Policy"].split(b"; ")
            self.assertEqual(headers[b"X-Content-Type-Options"], b"nosniff")
            self.assertIn(b"default-src 'none'", policy)
            self.assertFalse(
                [rule for rule in policy if b"script" in rule or b"*" in rule or b"http" in rule]
            )
            is_media = shown is not None and shown.startswith((b"audio/", b"video/"))
            self.assertEqual(b"sandbox" in policy, shown != b"application/pdf" and not is_media)
            self.assertEqual(b"sandbox allow-same-origin" in policy, is_media)
            self.assertEqual(b"media-src 'self'" in policy, is_media)
