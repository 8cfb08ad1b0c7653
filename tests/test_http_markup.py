"""
``fileserve.http.markup``: which texts are documents that a browser would run.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.markup import markup

HTML, SVG, XML, XHTML = "text/html", "image/svg+xml", "application/xml", "application/xhtml+xml"

# What WHATWG MIME Sniffing section 7.1 takes for HTML, each followed by a space or `>`.
_SNIFFED = [
    "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A",
    "<STYLE", "<TITLE", "<B", "<BODY", "<BR", "<P", "<!--",
]  # fmt: skip
sniffed = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", " ", "\n\t\r\f "]),
    st.sampled_from(_SNIFFED + [tag.lower() for tag in _SNIFFED]),
    st.sampled_from(" >"),
    st.text(),
)


class MarkupTests(SynchronousTestCase):
    """What is markup, and which."""

    def test_table(self) -> None:
        """The root element decides, after all that may stand before it; text with tags inside is text."""
        for text, kind in (
            ("<!DOCTYPE html><html>", HTML),
            ("<!doctype HTML\n", HTML),
            ("\r\n <HTML>", HTML),
            ("<script>alert(1)</script>", HTML),
            ("<script/src=x>", HTML),
            ("<img src=x onerror=alert(1)>", HTML),
            ("<!-- a comment --> <p", HTML),
            ("<!-- a comment without an end", HTML),
            ("<!-- a -- b > c --><html>", HTML),
            ("<!-- a comment --> and text", HTML),
            ('<svg xmlns="http://www.w3.org/2000/svg">', SVG),
            ("<svg/onload=alert(1)>", SVG),
            ("<svg", SVG),
            ("<?xml version='1.0'?>\n<!-- by a program -->\n<svg:svg xmlns:svg='x'>", SVG),
            ('<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">', SVG),
            ("<!-- x --><!-- y --><svg>", SVG),
            ("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", XHTML),
            ("<?xml version='1.0'?><?xml-stylesheet href='x'?><feed>", XML),
            ("<?xml version='1.0'?><!DOCTYPE note SYSTEM 'x'><note>", XML),
            ("<?xml version='1.0'", XML),
            ("<?php echo 1; ?>\n<html>", HTML),
            # text
            ("", None),
            ("hello <script>alert(1)</script>", None),
            ("<someone@example.com> wrote:", None),
            ("<- look here", None),
            ("< b", None),
            ("<3", None),
            ("<article-of-mine>", None),
            ("<foo>", None),
            ("<?php echo 1; ?>", None),
            ("#include <html>", None),
        ):
            self.assertEqual(markup(text), kind, text)

    def test_pages_only(self) -> None:
        """Where a piece of HTML does not count, a whole page does, and what is no HTML."""
        for text, kind in (
            ('<h1 align="center">Title</h1>', None),
            ("<!-- comment -->\n# Title", None),
            ("<!-- comment -->\n<html>", HTML),
            ("<!DOCTYPE html>", HTML),
            ("<script>", HTML),
            ("<svg>", SVG),
            ("<?xml version='1.0'?><a>", XML),
        ):
            self.assertEqual(markup(text, pieces=False), kind, text)

    @given(sniffed)
    @example("<!--><svg")
    def test_all_that_browsers_sniff(self, text: str) -> None:
        """What a browser that is not told would take for HTML is never text to us."""
        self.assertIsNotNone(markup(text))

    @given(st.text("<!->?sv g=/htmlx:DOCTYPE\n"))
    def test_any(self, text: str) -> None:
        """Whatever the text is, it is one of four kinds, or none; white space before it does not matter."""
        self.assertIn(markup(text), {HTML, SVG, XML, XHTML, None})
        self.assertEqual(markup("\n " + text), markup(text))
