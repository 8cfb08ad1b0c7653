"""
Tests of where in S3 the files are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from hyperlink import EncodedURL
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.s3location import S3Location, parse_s3_url, url_of

_SEGMENTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), min_size=1)


class ParsingTests(SynchronousTestCase):
    """An operator's URL is read, or refused with a sentence."""

    def test_reads(self) -> None:
        """Bucket, prefix, endpoint and region; all but the bucket may be left out."""
        for text, location in {
            "s3://photos": S3Location("photos"),
            "s3://photos/": S3Location("photos"),
            "s3://my.photos/a/b%20c/?region=eu-central-1": S3Location(
                "my.photos", "a/b c", None, "eu-central-1"
            ),
            "s3://photos/x?endpoint=http://127.0.0.1:8333": S3Location(
                "photos", "x", "http://127.0.0.1:8333"
            ),
            "s3://photos?endpoint=https%3A%2F%2Fs3.example.org%2F&region=garage": S3Location(
                "photos", "", "https://s3.example.org", "garage"
            ),
            "s3://photos?endpoint=http://[::1]:8333": S3Location("photos", "", "http://[::1]:8333"),
        }.items():
            self.assertEqual(parse_s3_url(text), location)

    def test_refuses(self) -> None:
        """What can't be meant is refused, and the sentence says which part it is."""
        for text, part in {
            "file:photos": "s3://BUCKET",
            "photos": "s3://BUCKET",
            "s3:photos": "''",
            "s3://": "''",
            "s3://Photos": "'Photos'",
            "s3://p": "'p'",
            "s3://user:password@photos": "s3://BUCKET",
            "s3://[": "s3://BUCKET",
            "s3://photos:80": "'photos:80'",
            "s3://photos/a//b": "prefix",
            "s3://photos/../b": "prefix",
            "s3://photos/%ff": "UTF-8",
            "s3://photos/%00": "prefix",
            "s3://photos#x": "s3://BUCKET",
            "s3://photos?region=": "''",
            "s3://photos?region=a&region=b": "once",
            "s3://photos?region=a/b": "'a/b'",
            "s3://photos?zone=a": "'zone'",
            "s3://photos?endpoint=": "endpoint",
            "s3://photos?endpoint=ftp://a": "endpoint",
            "s3://photos?endpoint=http://": "endpoint",
            "s3://photos?endpoint=http://a:b@c": "endpoint",
            "s3://photos?endpoint=http://a/path": "endpoint",
            "s3://photos?endpoint=http://a:99999": "endpoint",
        }.items():
            error = self.assertRaises(ValueError, parse_s3_url, text)
            self.assertIn(part, str(error), text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever is written, it is a location or a `ValueError`."""
        for start in ("", "s3://", "s3://photos/", "s3://photos?endpoint="):
            try:
                location = parse_s3_url(start + text)
            except ValueError:
                continue
            self.assertTrue(location.bucket)

    def test_imports_little(self) -> None:
        """Reading a URL imports neither Twisted nor an extra."""
        program = (
            "import sys, fileserve.storage.s3location\n"
            "assert not {'twisted', 'botocore', 'treq', 'klein'} & set(sys.modules), 'too much'"
        )
        subprocess.run(
            [sys.executable, "-c", program], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
        )


class UrlTests(SynchronousTestCase):
    """Keys become URLs."""

    def test_roots(self) -> None:
        """AWS wants the bucket in the host, where a certificate covers it; others in the path."""
        for location, root in {
            S3Location("photos"): "https://photos.s3.eu-west-1.amazonaws.com",
            S3Location("my.photos"): "https://s3.eu-west-1.amazonaws.com/my.photos",
            S3Location("photos", "x", "http://127.0.0.1:8333"): "http://127.0.0.1:8333/photos",
        }.items():
            self.assertEqual(location.root("eu-west-1"), root)
        self.assertEqual(
            S3Location("photos").root("cn-north-1"), "https://photos.s3.cn-north-1.amazonaws.com.cn"
        )

    def test_keys(self) -> None:
        """A key begins with the prefix, if there is one."""
        self.assertEqual(
            S3Location("photos", "a/\u00e9").key(b"album", b"1.jpg"), "a/\u00e9/album/1.jpg".encode()
        )
        self.assertEqual(S3Location("photos").key(b"album", b"1.jpg"), b"album/1.jpg")

    @given(
        _SEGMENTS,
        st.dictionaries(
            st.text(st.characters(codec="utf-8"), min_size=1),
            st.text(st.characters(codec="utf-8"), min_size=1),
        ),
    )
    def test_any_key(self, segments: list[str], query: dict[str, str]) -> None:
        """Whatever stands in a key, its URL says exactly that, and treq sends it letter by letter."""
        key = "/".join(segments).encode()
        url = url_of("http://host/bucket", key, query)
        parts = urlsplit(url)
        self.assertEqual(unquote_to_bytes(parts.path), b"/bucket/" + key)
        self.assertEqual(parse_qs(parts.query), {name: [value] for name, value in query.items()})
        self.assertEqual(EncodedURL.from_text(url).to_uri().to_text(), url)
