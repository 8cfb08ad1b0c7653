"""
Tests behind the real nginx, with the very site of ``docs/deploy``, over TCP and over a UNIX socket.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from .clients import Answer, Download, ask, eventually
from .nginx import Nginx
from .server import Server, environment, folder, need, start
from .trees import MIB, make_album, noise

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
TARGET = f"/archive/{ALBUM}/"
GIB = 1 << 30

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object


class ProxyContract(Contract):
    """
    What a client gets through the proxy, however the proxy reaches the server.
    """

    server: Server
    upstream: str

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        members = {"1.jpg": noise(300_000, 1), "2.jpg": b"two", "large.bin": noise(20 * MIB, 2)}
        make_album(self.root, ALBUM, members)
        self.state = folder(self)
        self.begin()
        self.key = (self.state / "upload-key").read_text().strip()
        self.nginx = Nginx(self, self.upstream)
        self.url = f"http://127.0.0.1:{self.nginx.port}"

    def begin(self) -> None:
        """Start the server, and say how nginx reaches it."""
        raise NotImplementedError

    def get(self, target: str = TARGET, method: str = "GET", **headers: str) -> Answer:
        return ask(self.nginx.port, target, method, **headers)

    def direct(self, **headers: str) -> Answer:
        """The answer without the proxy."""
        return ask(self.server.port, TARGET, **headers)

    def test_download(self) -> None:
        """Bytes and headers are those of the server, compression and all defaults notwithstanding."""
        expected, answer = self.direct(), self.get(Accept_Encoding="gzip")
        self.assertEqual(answer.body, expected.body)
        passed = "etag last-modified content-length content-type content-disposition accept-ranges"
        for name in f"{passed} cache-control referrer-policy x-content-type-options".split():
            self.assertEqual(answer.headers.get(name), expected.headers[name], name)

    def test_ranges_and_conditions(self) -> None:
        """Ranges, several as well, If-Range and conditions reach the server."""
        whole = self.direct()
        self.assertEqual(self.get(Range="bytes=5-300099").body, whole.body[5:300_100])
        self.assertEqual(self.get(Range="bytes=-9", If_Range=whole["ETag"]).body, whole.body[-9:])
        self.assertEqual(self.get(Range="bytes=-9", If_Range='"other"').status, 200)
        several = self.get(Range="bytes=0-9,-9")
        self.assertEqual((several.status, int(several["Content-Length"])), (206, len(several.body)))
        self.assertEqual(self.get(If_None_Match=whole["ETag"]).status, 304)
        self.assertEqual(self.get(If_Match='"other"').status, 412)
        self.assertEqual(self.get(Range="bytes=999999999-").status, 416)

    def test_resumed(self) -> None:
        """A download that was cut in the middle is resumed by ``curl -C -``."""
        need("curl")
        target = self.root / "a.zip"
        expected = self.direct().body
        target.write_bytes(expected[: 5 * MIB])
        command = ["curl", "-fsS", "-C", "-", "-o", str(target), self.url + TARGET]
        subprocess.run(command, check=True, env=environment())
        self.assertEqual(target.read_bytes(), expected)

    def test_over_1_gib(self) -> None:
        """An archive of over 1 GiB, where nginx would cut a slow one, is whole, and never on the disk."""
        make_album(self.root, "huge", {"zeros.bin": GIB * 3 // 2})
        download = Download(self.nginx.port, "/archive/huge/", receive_buffer=None)
        time.sleep(0.5)
        self.assertEqual(self.nginx.temporary, [])
        self.assertTrue(download.finish())
        self.assertGreater(download.length, GIB * 3 // 2)
        plain = Download(self.server.port, "/archive/huge/", receive_buffer=None)
        self.assertTrue(plain.finish())
        self.assertEqual(download.digest, plain.digest)
        self.assertEqual(self.nginx.errors, "")

    def test_other_answers(self) -> None:
        """The home page, its stylesheet, the redirect and errors come through; nothing else is passed on."""
        self.assertEqual(self.get("/").status, 200)
        self.assertEqual(self.get("/static/style.css").status, 200)
        self.assertEqual(self.get(f"/gallery/{ALBUM}/").status, 200)
        self.assertEqual(self.get(f"/upload/{ALBUM}/", "POST").status, 401)
        redirect = self.get(TARGET.rstrip("/"))
        self.assertEqual((redirect.status, redirect["Location"]), (308, f"{ALBUM}/"))
        gone = self.get("/archive/unknown/")
        self.assertEqual((gone.status, gone.body), (404, b"Archive does not exist or was removed"))
        self.assertEqual(self.get(TARGET, "POST").status, 405)
        before = self.server.log
        self.assertEqual(self.get("/metrics").status, 404)
        self.assertEqual(self.server.log, before)

    def test_upload(self) -> None:
        """Files go through, large ones too and with no copy on the proxy's disk; links name the proxy."""
        bearer = {"Authorization": f"Bearer {self.key}"}
        data = noise(20 * MIB, 3)
        answer = ask(self.nginx.port, "/api/v1/files/a.bin", "PUT", data, **bearer)
        self.assertEqual(answer.status, 201, answer.body)
        short = json.loads(answer.body)["short_name"]
        self.assertEqual(self.nginx.temporary, [])
        self.assertEqual(self.get(f"/api/v1/download-full/{short}").body, data)
        link = json.loads(self.get(f"/api/v1/get-url/{short}", **bearer).body)
        self.assertTrue(link.startswith(f"{self.url}/api/v1/linked/"), link)
        self.assertEqual(self.get(link.removeprefix(self.url)).body, data)
        refused = ask(self.nginx.port, "/api/v1/files/a.bin", "PUT", data)
        self.assertEqual(refused.status, 401)
        logged = self.nginx.accesses
        for secret in (short, self.key, link.partition("signature=")[2]):
            self.assertNotIn(secret, logged)

    def test_signing_in(self) -> None:
        """A browser signs in through the proxy, and its session is good for the page of files."""
        answer = self.get(f"/sign-in?key={self.key}")
        self.assertEqual(answer.status, 303, answer.body)
        cookie = answer["Set-Cookie"].partition(";")[0]
        self.assertEqual(self.get("/files/", Cookie=cookie).status, 200)
        self.assertEqual(self.get("/files/").status, 303)
        self.assertNotIn(self.key, self.nginx.accesses)

    def test_client_leaves(self) -> None:
        """A client that leaves ends the transfer behind the proxy too."""
        download = Download(self.nginx.port, TARGET)
        download.socket.close()
        eventually(lambda: not self.server.metric("fileserve_open_transfers"), "the end")
        ended = self.server.metric("fileserve_archives_ended_total")
        self.assertEqual(self.server.metric("fileserve_archives_started_total"), ended)

    def test_cut_is_seen(self) -> None:
        """When a member changes on the way, the client of the proxy sees that something is missing."""
        make_album(self.root, "changes", {"a.bin": 40 * MIB, "b.bin": noise(MIB)})
        download = Download(self.nginx.port, "/archive/changes/")
        (self.root / "changes" / "b.bin").unlink()
        self.assertFalse(download.finish())

    def test_client_address(self) -> None:
        """The access log has the client's address; what a client says of itself is not believed."""
        for forged in ({}, {"X_Forwarded_For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
            self.get(**forged)
        eventually(lambda: self.server.log.count('"GET /archive/3bea29cc…/" 200') == 3, "the access log")
        self.assertEqual(self.server.log.count(' 127.0.0.1 "GET /archive/'), 3)
        self.assertNotIn("203.0.113.9", self.server.log)

    def test_secret_in_no_log(self) -> None:
        """Neither log has the secret name whole."""
        archives = (TARGET, TARGET + "?file=1.jpg", TARGET.rstrip("/"), TARGET + "x", f"/{ALBUM}")
        pictures = (f"/gallery/{ALBUM}/", f"/gallery/{ALBUM}/original/1.jpg", f"/upload/{ALBUM}/")
        for target in (*archives, *pictures):
            self.get(target)
        eventually(lambda: self.nginx.accesses.count("\n") == 8, "the access log")
        for log in (self.nginx.accesses, self.server.log, self.nginx.errors):
            self.assertNotIn(ALBUM, log)


class TCPProxyTests(ProxyContract, SynchronousTestCase):
    """nginx reaches the server by TCP."""

    def begin(self) -> None:
        """The server trusts this machine."""
        self.server = start(self, self.root, "--logging", "--trust-proxy", "127.0.0.1", state=self.state)
        self.upstream = f"127.0.0.1:{self.server.port}"

    def test_not_trusted(self) -> None:
        """Whom the server does not trust, it does not believe."""
        server = start(self, self.root, "--logging")
        server.ask("/", X_Forwarded_For="203.0.113.9")
        self.assertIn(' 127.0.0.1 "GET /"', server.wait_for_log('"GET /"'))


class UNIXProxyTests(ProxyContract, SynchronousTestCase):
    """nginx reaches the server by a UNIX socket, whose peer is trusted."""

    def begin(self) -> None:
        """The server listens at both, so that answers can be compared."""
        path = folder(self) / "http.sock"
        self.server = start(
            self,
            self.root,
            "--logging",
            listen=["tcp:0:interface=127.0.0.1", f"unix:{path}"],
            state=self.state,
        )
        self.upstream = f"unix:{path}"
