"""
The peer that talks to S3 itself: ``s3_client.py ENDPOINT BUCKET KEY file|stream``, by boto3, to /dev/null.

It prints the seconds that the download took, without what comes before.  ``file`` is what ``aws s3 cp`` does,
several parts at once; ``stream`` is one GET that is read by the MiB.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import Any

import boto3

CHUNK = 1 << 20


def download(client: Any, bucket: str, key: str, how: str) -> None:
    """
    Get an object and keep nothing of it.
    """
    with open(os.devnull, "wb") as target:
        if how == "file":
            client.download_fileobj(bucket, key, target)
        else:
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
            target.writelines(body.iter_chunks(CHUNK))


if __name__ == "__main__":
    endpoint, bucket, key, how = sys.argv[1:]
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.head_object(Bucket=bucket, Key=key)  # so that it is connected
    start = perf_counter()
    download(client, bucket, key, how)
    print(perf_counter() - start)
