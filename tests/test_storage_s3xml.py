"""
Tests of the XML that S3 speaks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.s3xml import (
    NotUnderstood,
    Object,
    Upload,
    bucket_in,
    completion,
    error_code,
    objects,
    parse,
    text_of,
    uploads,
)

_NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

_OBJECTS = st.lists(
    st.builds(
        Object,
        st.text(st.characters(codec="utf-8"), min_size=1).map(str.encode),
        st.integers(0, 1 << 43),
        st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1_000_000_000),
        st.text("0123456789abcdef-", min_size=1),
    )
)


def _page(found: list[Object], more: str | None, namespace: str) -> bytes:
    lines = [
        f"<Contents><Key>{escape(quote_plus(each.key))}</Key><Size>{each.size}</Size>"
        f"<ETag>&quot;{each.etag}&quot;</ETag><Owner><ID>x</ID></Owner>"
        f"<LastModified>{_spelt(each.modified_ns)}</LastModified></Contents>"
        for each in found
    ]
    end = f"<NextContinuationToken>{escape(more)}</NextContinuationToken>" if more else ""
    return (
        f"<ListBucketResult{namespace}><EncodingType>url</EncodingType>{''.join(lines)}"
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{end}</ListBucketResult>"
    ).encode()


def _spelt(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.789Z")


class ListingTests(SynchronousTestCase):
    """Listings are read."""

    @given(_OBJECTS, st.none() | st.text("abc+/=<&", min_size=1), st.sampled_from(["", _NAMESPACE]))
    def test_objects(self, found: list[Object], more: str | None, namespace: str) -> None:
        """Whatever is listed is read, with its time in whole seconds, with or without a namespace."""
        self.assertEqual(objects(_page(found, more, namespace)), (found, more))

    def test_keys_that_are_not_escaped(self) -> None:
        """Some servers don't escape keys, though they were asked to, and say so by saying nothing."""
        page = _page([Object(b"a+b%41", 1, 0, "e")], None, "").replace(b"a%2Bb%2541", b"a+b%41")
        self.assertEqual(objects(page)[0][0].key, b"a bA")
        page = page.replace(b"<EncodingType>url</EncodingType>", b"")
        self.assertEqual(objects(page)[0][0].key, b"a+b%41")

    def test_uploads(self) -> None:
        """Uploads come with what aborts them, and a page with what asks for the next one."""
        page = (
            f"<R{_NAMESPACE}><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
            "<NextKeyMarker>a+b</NextKeyMarker><NextUploadIdMarker>u+1</NextUploadIdMarker>"
            "<Upload><Key>a+b%C3%A9</Key><UploadId>u+1</UploadId>"
            "<Initiated>1970-01-01T00:00:01.500Z</Initiated></Upload></R>"
        ).encode()
        found, more = uploads(page)
        self.assertEqual(found, [Upload("a b\u00e9".encode(), "u+1", 1.5)])
        self.assertEqual(more, {"key-marker": "a b", "upload-id-marker": "u+1"})
        self.assertEqual(uploads(page.replace(b"true", b"false"))[1], None)

    def test_not_understood(self) -> None:
        """What is no listing is said not to be."""
        good = _page([Object(b"key", 1, 0, "e")], "more", "")
        for wrong, right in (
            (b"<Size>x", b"<Size>1"),
            (b"<Size></Size>", b"<Size>1</Size>"),
            (b"", b"<Size>1</Size>"),
            (b"<LastModified>yesterday", b"<LastModified>1970-01-01T00:00:00.789Z"),
            (b"", b"<NextContinuationToken>more</NextContinuationToken>"),
        ):
            self.assertIn(right, good)
            self.assertRaises(NotUnderstood, objects, good.replace(right, wrong))
        self.assertRaises(NotUnderstood, uploads, b"<R><Upload><Key>k</Key></Upload></R>")


class ParsingTests(SynchronousTestCase):
    """XML is read with care."""

    @given(st.binary())
    def test_any_bytes(self, document: bytes) -> None:
        """Whatever comes, it is read or refused in our words."""
        for read in (objects, uploads, parse):
            try:
                read(document)
            except NotUnderstood:
                continue

    def test_entities(self) -> None:
        """A document type is refused, and with it all that entities can do."""
        for declared in (
            '<!DOCTYPE R [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>',
            "<!DOCTYPE R SYSTEM 'file:///etc/passwd'>",
            "<!DOCTYPE R>",
        ):
            error = self.assertRaises(NotUnderstood, parse, f"{declared}<R>text</R>".encode())
            self.assertIn("document type", str(error))
        document = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE R><R/>'.encode("utf-16")
        self.assertRaises(NotUnderstood, parse, document)

    def test_error_codes(self) -> None:
        """An error has a code, if it has one; nothing else does."""
        self.assertEqual(error_code(b"<Error><Code>NoSuchKey</Code><Key>secret</Key></Error>"), "NoSuchKey")
        for other in (
            b"",
            b"<html/>",
            b"<R><Code>x</Code></R>",
            b"<Error/>",
            b"Bad",
            b"<Error><Code>a b\n</Code></Error>",
        ):
            self.assertEqual(error_code(other), "")

    def test_text(self) -> None:
        """A child's text is found, or missed aloud."""
        root = parse(f"<R{_NAMESPACE}><UploadId>u</UploadId></R>".encode())
        self.assertEqual(text_of(root, "UploadId"), "u")
        self.assertRaises(NotUnderstood, text_of, root, "Nothing")


class WritingTests(SynchronousTestCase):
    """What S3 is told is XML."""

    @given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]))))
    def test_completion(self, etags: list[str]) -> None:
        """Parts are numbered from 1, their entity-tags as they are."""
        root = parse(completion(etags))
        self.assertEqual(root.tag, "CompleteMultipartUpload")
        self.assertEqual([text_of(part, "ETag") for part in root], etags)
        self.assertEqual(
            [text_of(part, "PartNumber") for part in root], [str(n + 1) for n in range(len(etags))]
        )

    def test_buckets(self) -> None:
        """A bucket is made in its region; for the oldest one nothing may be said."""
        self.assertEqual(bucket_in("us-east-1"), b"")
        self.assertEqual(text_of(parse(bucket_in("eu-west-1")), "LocationConstraint"), "eu-west-1")
