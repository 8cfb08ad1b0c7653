"""
The XML that S3 speaks: what it answers, read with care, and what it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.sax.saxutils import escape

from attrs import frozen


class NotUnderstood(ValueError):
    """
    An answer is not what S3 answers.
    """


@frozen
class Object:
    """
    A line of a listing.
    """

    key: bytes
    #: Bytes.
    size: int
    #: Nanoseconds since 1970 UTC, of whole seconds: the header of one object tells no more.
    modified_ns: int
    #: Without its quotes.
    etag: str


@frozen
class Upload:
    """
    A multipart upload that was neither completed nor aborted.
    """

    key: bytes
    upload_id: str
    #: Seconds since 1970 UTC.
    initiated: float


class _Tree(TreeBuilder):
    """
    Builds a tree of an answer; S3 declares no document type, and so no entities.
    """

    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        raise NotUnderstood("an answer of S3 declares a document type")


def parse(document: bytes) -> Element:
    """
    Read an answer; names lose their namespace, which not all servers send.

    :raise NotUnderstood: it is no XML, or has a document type.
    """
    parser = XMLParser(target=_Tree())  # noqa: S314 - a document type, and with it entities, is refused
    try:
        parser.feed(document)
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:  # a LookupError is of an unknown encoding
        raise NotUnderstood(f"an answer of S3 is not XML: {error}") from None
    assert isinstance(root, Element)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: Element, name: str) -> str:
    """
    The text of a child.

    :raise NotUnderstood: there is no such child.
    """
    text = element.findtext(name)
    if text is None:
        raise NotUnderstood(f"an answer of S3 lacks {name}")
    return text


def error_code(document: bytes) -> str:
    """
    What kind of error an answer tells of, such as ``NoSuchKey``; empty where it does not say so.
    """
    try:
        root = parse(document)
    except NotUnderstood:
        return ""
    code = (root.findtext("Code") or "") if root.tag == "Error" else ""
    return code if code.isascii() and code.isalnum() and len(code) <= 100 else ""


def objects(document: bytes) -> tuple[list[Object], str | None]:
    """
    Read a page of ListObjectsV2.

    :return: its objects, and the token of the next page, if there is one.
    """
    root = parse(document)
    try:
        found = [_object(fields, root) for fields in _records(root, "Contents")]
    except (ValueError, KeyError) as error:
        raise NotUnderstood(f"a listing of S3 is not understood: {error}") from None
    more = root.findtext("IsTruncated") == "true"
    return found, text_of(root, "NextContinuationToken") if more else None


def _object(fields: dict[str, str], root: Element) -> Object:
    seconds = int(_seconds(fields["LastModified"]))
    etag = fields.get("ETag", "").strip('"')
    return Object(_key(fields["Key"], root), int(fields["Size"]), seconds * 1_000_000_000, etag)


def uploads(document: bytes) -> tuple[list[Upload], dict[str, str] | None]:
    """
    Read a page of ListMultipartUploads.

    :return: its uploads, and what to ask the next page by, if there is one.
    """
    root = parse(document)
    try:
        found = [
            Upload(_key(fields["Key"], root), fields["UploadId"], _seconds(fields["Initiated"]))
            for fields in _records(root, "Upload")
        ]
    except (ValueError, KeyError) as error:
        raise NotUnderstood(f"a listing of S3 is not understood: {error}") from None
    if root.findtext("IsTruncated") != "true":
        return found, None
    key = _key(text_of(root, "NextKeyMarker"), root).decode()
    return found, {"key-marker": key, "upload-id-marker": text_of(root, "NextUploadIdMarker")}


def _records(root: Element, name: str) -> Iterator[dict[str, str]]:
    for record in root.iterfind(name):
        yield {field.tag: field.text or "" for field in record}


def _key(text: str, root: Element) -> bytes:
    """
    A key as it is: XML 1.0 can't spell all characters, so servers are asked to escape them, as a form does.
    """
    if root.findtext("EncodingType") != "url":
        return text.encode()
    return unquote_to_bytes(text.replace("+", " "))


def _seconds(text: str) -> float:
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def completion(parts: Iterable[str]) -> bytes:
    """
    Name the parts of an upload that is to be completed.

    :param parts: their entity-tags as they were answered, from part 1 on.
    """
    named = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
        for number, etag in enumerate(parts, 1)
    )
    return f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()


def bucket_in(region: str) -> bytes:
    """
    Say where a bucket is to be made. The oldest region of AWS wants nothing said.
    """
    if region == "us-east-1":
        return b""
    place = f"<LocationConstraint>{escape(region)}</LocationConstraint>"
    return f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>".encode()
