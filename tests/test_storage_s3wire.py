"""
Tests of exchanges with S3 over TLS, and of an archive that comes from S3 through them all.
"""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import treq
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, DefaultOpenSSLContextFactory, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.s3 import S3Store
from fileserve.storage.s3location import S3Location

from .s3script import Endless, Scene, Script, ScriptCase, answer, settled, stored
from .s3server import credentials
from .support import deferred, site_of, until
from .test_storage_s3 import S3Case


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """
    A certificate for ``localhost`` that vouches for itself, and its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True)
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


class TLSTests(ScriptCase):
    """S3 over TLS."""

    def play(self, *scenes: Scene) -> Script:
        script = Script(scenes)
        self.certificate, key = make_certificate(Path(self.mktemp()))
        site: Any = Site(script)
        context = DefaultOpenSSLContextFactory(str(key), str(self.certificate))
        listener: Any = reactor
        port = listener.listenSSL(0, site, context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.location = S3Location("bucket", "", f"https://localhost:{port.getHost().port}")
        return script

    def trusting(self) -> S3Store:
        root = trustRootFromCertificates([Certificate.loadPEM(self.certificate.read_bytes())])
        policy = BrowserLikePolicyForHTTPS(root)
        store = S3Store(self.location, reactor, deferToThread, find_credentials=credentials, policy=policy)
        self.addCleanup(store.close)
        self.addCleanup(settled)
        return store

    async def test_checks_certificates(self) -> None:
        """A server whose certificate nobody vouches for is asked nothing, and that is said."""
        script = self.play(answer())
        failure = await self.assertFailure(deferred(self.store().check()), StoreUnavailable)
        self.assertIn("certificate verify failed", str(failure))
        self.assertEqual(script.asked, [])

    async def test_bodies_are_not_signed(self) -> None:
        """Where TLS guards a body, its CRC-32 goes with it, and its SHA-256 is not computed."""
        script = self.play(answer(404), answer(), answer(404))
        incoming = await self.trusting().receive("album", b"1.jpg")
        await incoming.write([b"body"])
        await self.assertFailure(incoming.keep(), Exception)
        sent = script.asked[1]
        self.assertEqual((sent.method, sent.body), ("PUT", b"body"))
        self.assertEqual(sent.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD")
        self.assertEqual(
            sent.headers["x-amz-checksum-crc32"], base64.b64encode(zlib.crc32(b"body").to_bytes(4)).decode()
        )

    async def test_closing(self) -> None:
        """What is not wanted any more ends at once, though the server does not stop talking."""
        endless = Endless(1 << 40, stored())
        self.play(endless)
        reader = self.trusting()
        reply = await reader._client.fetch(b"key", {})
        await reply.body.read(10)
        await deferLater(reactor, 0.05)
        reply.body.close()
        await until(lambda: endless.stopped)
        await until(lambda: not [each for each in reactor.getReaders() if "Client" in type(each).__name__])


class ArchiveTests(S3Case):
    """An archive of an album in S3."""

    async def test_archive(self) -> None:
        """It has its length, is whole, is the same the next time, and can be had from anywhere."""
        contents = {f"{number}.txt": b"%d" % number * 1000 * number for number in range(50)}
        contents |= {"a/large \u00e9.bin": bytes(range(256)) * 8192, "empty": b""}
        store = await self.store_of(contents)
        site: Any = site_of(store)
        port: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}/archive/album/"
        first = await treq.get(url, persistent=False)
        whole = await first.content()
        self.assertEqual(first.length, len(whole))
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual({name: archive.read(name) for name in archive.namelist()}, contents)
        for start in (0, 1000, len(whole) // 2, len(whole) - 10):
            part = await treq.get(url, headers=Headers({b"Range": [b"bytes=%d-" % start]}), persistent=False)
            self.assertEqual(part.code, 206)
            self.assertTrue(await part.content() == whole[start:])
            self.assertEqual(part.headers.getRawHeaders(b"ETag"), first.headers.getRawHeaders(b"ETag"))
