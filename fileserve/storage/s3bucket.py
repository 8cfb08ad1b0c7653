"""
What is asked of a bucket as a whole: its pages, whether it is there, what lies in it unfinished.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.logger import Logger

from .errors import StoreUnavailable
from .s3client import Refused, S3Client
from .s3location import S3Location
from .s3xml import NotUnderstood, Object, Upload, bucket_in, objects, uploads

_log = Logger(namespace="fileserve.storage")

#: Seconds after which nobody is expected to go on with an upload.
_ABANDONED = 24 * 60 * 60

_Read = TypeVar("_Read")


class Bucket:
    """
    One bucket, of which the part below the location's prefix is ours.
    """

    def __init__(self, client: S3Client, location: S3Location, region: str) -> None:
        self._client = client
        self._location = location
        self._region = region
        self._may_be_made = True

    async def page(self, prefix: bytes, token: str = "", most: int = 1000) -> tuple[list[Object], str | None]:
        """
        List objects whose keys begin with a prefix.

        :return: some of them, and the token of the next page.
        """
        query = {
            "list-type": "2",
            "prefix": prefix.decode(),
            "encoding-type": "url",
            "max-keys": str(most),
        }
        if token:
            query["continuation-token"] = token
        return _understood(objects, (await self._client.call("GET", query=query)).body)

    async def check(self) -> None:
        """
        See that the bucket can be listed. One that is missing the first time is made.
        """
        try:
            await self.page(self._location.key(b""), most=1)
        except Refused as error:
            if error.code != "NoSuchBucket":
                raise
            await self._make()
        self._may_be_made = False

    async def _make(self) -> None:
        bucket = self._location.bucket
        missing = f"the bucket {bucket} does not exist"
        if not self._may_be_made:
            # It was there when we started: to go on with an empty one would hide the loss.
            raise StoreUnavailable(missing)
        body = bucket_in(self._region) if self._location.endpoint is None else b""
        try:
            await self._client.call("PUT", body=[body] if body else [])
        except Refused as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another process was faster
                raise StoreUnavailable(f"{missing}, and can't be made: {error}") from None
        _log.info("The bucket {bucket} was made", bucket=bucket)

    async def clean(self, now: float) -> None:
        """
        Abort uploads in parts that began more than a day ago: younger ones may be another process's.
        """
        prefix = self._location.key(b"").decode()
        more: dict[str, str] | None = {}
        while more is not None:
            query = {"uploads": "", "prefix": prefix, "encoding-type": "url", **more}
            found, more = _understood(uploads, (await self._client.call("GET", query=query)).body)
            for upload in found:
                if upload.initiated < now - _ABANDONED:
                    await self._abort(upload)

    async def _abort(self, upload: Upload) -> None:
        try:
            await self._client.call("DELETE", upload.key, {"uploadId": upload.upload_id})
        except Refused as error:
            if error.status != 404:
                raise


def _understood(read: Callable[[bytes], _Read], document: bytes) -> _Read:
    try:
        return read(document)
    except NotUnderstood as error:
        raise StoreUnavailable(str(error)) from None
