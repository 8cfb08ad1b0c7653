"""
Where in S3 the files are: the bucket, the prefix, the server.

Pure rules: settings read the operator's URL by them before anything else is imported.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from attrs import frozen

#: What AWS and all that follow it allow (Amazon S3 User Guide, "General purpose bucket naming rules").
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")

#: What servers that have no regions are told, as every AWS tool does.
DEFAULT_REGION = "us-east-1"

_FORM = "s3://BUCKET/PREFIX?endpoint=URL&region=R"


@frozen
class S3Location:
    """
    A part of a bucket. Albums lie below the prefix.
    """

    bucket: str
    #: Segments joined by ``/``, with none at the ends; empty for the whole bucket.
    prefix: str = ""
    #: ``http://`` or ``https://``, host and port; ``None`` for AWS.
    endpoint: str | None = None
    #: ``None``: as the AWS configuration of this machine says.
    region: str | None = None

    def root(self, region: str) -> str:
        """
        The URL of the bucket, without a slash at its end.

        AWS wants the bucket in the name of the host; a certificate for
        ``*.s3.REGION.amazonaws.com`` does not cover dots in it, and servers of
        other makers seldom have such names, so there it stands in the path.
        """
        if self.endpoint is not None:
            return f"{self.endpoint}/{self.bucket}"
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        if "." in self.bucket:
            return f"https://s3.{region}.{domain}/{self.bucket}"
        return f"https://{self.bucket}.s3.{region}.{domain}"

    def key(self, *segments: bytes) -> bytes:
        """
        The key of something below the prefix.
        """
        return b"/".join([self.prefix.encode(), *segments] if self.prefix else segments)


def url_of(root: str, key: bytes, query: dict[str, str]) -> str:
    """
    The URL of a key, spelt as the signature counts it: all that is not unreserved is escaped
    (RFC 3986 section 2.3; Amazon S3 API Reference, "Signature Calculations").
    """
    asked = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items())
    )
    return f"{root}/{quote(key, safe='/')}" + (f"?{asked}" if asked else "")


def parse_s3_url(text: str) -> S3Location:
    """
    Read ``s3://BUCKET/PREFIX?endpoint=URL&region=R``; all but the bucket may be left out.

    :raise ValueError: it is not of that form; the text is a sentence for the operator.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"An S3 storage is written {_FORM}") from None
    if parts.scheme != "s3" or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"An S3 storage is written {_FORM}")  # no secrets stand in it
    if not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(f"{parts.netloc!r} is not the name of an S3 bucket ({_FORM})")
    query = _query(parts)
    region = query.pop("region", None)
    if region is not None and not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is not the name of an S3 region")
    endpoint = query.pop("endpoint", None)
    if query:
        raise ValueError(f"An S3 storage has no {next(iter(query))!r}: it is written {_FORM}")
    return S3Location(parts.netloc, _prefix(parts), None if endpoint is None else _endpoint(endpoint), region)


def _query(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise ValueError(f"An S3 storage names its endpoint and its region once: {_FORM}")
    return query


def _prefix(parts: SplitResult) -> str:
    try:
        prefix = unquote(parts.path, errors="strict").strip("/")
    except UnicodeDecodeError:
        raise ValueError("The prefix of an S3 storage must be UTF-8") from None
    if prefix and not all(_is_segment(segment) for segment in prefix.split("/")):
        raise ValueError(f"{prefix!r} can't be a prefix in an S3 bucket: a segment is empty, '.' or '..'")
    return prefix


def _is_segment(segment: str) -> bool:
    return segment not in ("", ".", "..") and segment.isprintable()


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is not the URL of an S3 endpoint") from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise ValueError("The endpoint of an S3 storage is http:// or https://, a host and a port, no more")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
