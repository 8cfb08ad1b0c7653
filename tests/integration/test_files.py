"""
Tests of the file API of a real server, with curl and with clients that misbehave.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sqlite3
import subprocess
from contextlib import closing
from unittest import TestCase

from tests.postgres import fresh_database

from .clients import eventually
from .server import folder, need
from .uploading import FileServer

_MIB = 1024 * 1024


def pattern(size: int) -> bytes:
    """Bytes that repeat at no power of two."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


class FilesCase(TestCase):
    """Tests that need curl."""

    def setUp(self) -> None:
        need("curl")

    def assert_nothing(self, server: FileServer) -> None:
        """No file, no row, no temporary file, and nothing that the operator should look at."""
        server.wait_until_settled()
        self.assertEqual(server.files(), [])
        self.assertEqual(server.albums(), [])
        self.assertNotIn("Traceback", server.process.log)
        self.assertNotIn("Unhandled", server.process.log)


class ApiTests(FilesCase):
    """What the API is for."""

    def test_from_upload_to_removal(self) -> None:
        """A file is uploaded by a form, described, downloaded whole, in part and resumed, and removed."""
        server = FileServer(self)
        data = pattern(3 * _MIB)
        source = server.scratch / "Звёздные войны.bin"
        source.write_bytes(data)
        posted = server.curl("/api/v1/", "-F", f"file=@{source}")
        self.assertEqual(posted.status, 201)
        file = posted.json
        self.assertEqual((file["filename"], file["size"]), (source.name, len(data)))
        self.assertEqual(file["sha256"], hashlib.sha256(data).hexdigest())
        name = file["short_name"]

        self.assertEqual(server.curl(f"/api/v1/{name}", key=False).json, file)
        self.assertEqual(server.curl(f"/api/v1/download-full/{name}", key=False).body, data)
        part = server.curl(f"/api/v1/download-stream/{name}", "-r", "1000000-1000009", key=False)
        self.assertEqual((part.status, part.body), (206, data[1_000_000:1_000_010]))
        archive = server.curl(f"/archive/{name}/", key=False)
        self.assertEqual((archive.status, archive.body[:2]), (200, b"PK"))

        saved = server.scratch / "saved"
        saved.write_bytes(data[:1_234_567])
        subprocess.run(
            ["curl", "-sS", "-C", "-", "-o", saved, server.address(f"/api/v1/download-stream/{name}")],
            check=True,
        )
        self.assertEqual(saved.read_bytes(), data)

        removed = server.curl(f"/api/v1/{name}", "-X", "DELETE")
        self.assertEqual((removed.status, removed.body), (204, b""))
        self.assertEqual(server.curl(f"/api/v1/{name}", "-X", "DELETE").status, 404)
        self.assertEqual(server.curl(f"/api/v1/download-full/{name}", key=False).status, 404)
        self.assert_nothing(server)

    def test_from_a_pipe(self) -> None:
        """200 MiB from a pipe, of a length that nobody knows, are stored, and take no memory."""
        server = FileServer(self)
        server.put("warm", pattern(_MIB))
        before = server.process.resident()
        block = pattern(_MIB)
        digest = hashlib.sha256()
        command = ["curl", "-sS", "-T", "-", "-H", f"Authorization: Bearer {server.key}"]
        client = subprocess.Popen(
            [*command, server.address("/api/v1/files/large.bin")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert client.stdin is not None
        for _ in range(200):
            digest.update(block)
            client.stdin.write(block)
        answer, _ = client.communicate()
        file = json.loads(answer)
        self.assertEqual((file["size"], file["sha256"]), (200 * _MIB, digest.hexdigest()))
        self.assertLess(server.process.resident() - before, 24 * _MIB)

    def test_link(self) -> None:
        """A link works without permission, and then no more."""
        server = FileServer(self)
        name = server.put("a.txt", b"hello")["short_name"]
        link = server.curl(f"/api/v1/get-url/{name}").json.removeprefix(server.address(""))
        self.assertEqual(server.curl(link, key=False).body, b"hello")
        short = server.curl(f"/api/v1/get-url/{name}?expires=1").json.removeprefix(server.address(""))
        self.assertIn(server.curl(short, key=False).status, {200, 410})
        eventually(lambda: server.curl(short, key=False).status == 410, "the link to expire")

    def test_two_processes(self) -> None:
        """S2-W10: two processes on one store and one SQLite see each other's files at once."""
        one = FileServer(self)
        two = FileServer(self, root=one.root, state=one.state)
        self.see_each_other(one, two)

    def test_two_processes_on_postgresql(self) -> None:
        """So do two with a state directory each, and one PostgreSQL."""
        database = fresh_database(self)
        one = FileServer(self, "--database", database)
        key = str(one.state / "upload-key")
        two = FileServer(self, "--database", database, "--upload-key-file", key, root=one.root)
        (two.state / "upload-key").write_text(one.key)
        self.see_each_other(one, two)

    def see_each_other(self, one: FileServer, two: FileServer) -> None:
        """What one does, the other knows."""
        file = one.put("a.txt", b"hello")
        name = file["short_name"]
        for server in (one, two):
            self.assertEqual(server.files(), [file])
            self.assertEqual(server.curl(f"/api/v1/download-stream/{name}").body, b"hello")
        link = one.curl(f"/api/v1/get-url/{name}").json.removeprefix(one.address(""))
        self.assertEqual(two.curl(link, key=False).body, b"hello")
        self.assertEqual(two.curl(f"/api/v1/{name}", "-X", "DELETE").status, 204)
        for target in (f"/api/v1/{name}", f"/api/v1/download-stream/{name}", link):
            self.assertEqual(one.curl(target, key=False).status, 404)
        self.assertEqual(one.files(), [])


class RefusedTests(FilesCase):
    """Uploads that are not taken."""

    def test_before_the_body(self) -> None:
        """A client that waits to be asked for its body gets to read why not, and has sent none of it."""
        server = FileServer(self, "--max-upload", "1M")
        large = server.scratch / "large"
        large.write_bytes(bytes(20 * _MIB))
        expect = ("-H", "Expect: 100-continue", "--expect100-timeout", "30")
        for words, key, status in (
            (("/api/v1/files/a", "-T", str(large)), False, 401),
            (("/api/v1/files/a", "-T", str(large)), True, 413),
            (("/api/v1/", "-F", f"file=@{large}"), False, 401),
            (("/api/v1/", "--data-binary", f"@{large}"), True, 415),
            (("/api/v1/nothing/here", "-T", str(large)), True, 404),
            (("/api/v1/", "-T", str(large)), True, 405),
            (("/api/v1/albums/.hidden/a", "-T", str(large)), True, 422),
        ):
            answer = server.curl(words[0], *expect, *words[1:], key=key)
            self.assertEqual((answer.status, answer.uploaded), (status, 0), words)
        self.assert_nothing(server)

    def test_while_the_body_comes(self) -> None:
        """A client that does not wait gets to read the answer all the same."""
        server = FileServer(self, "--max-upload", "1M")
        for data, key, status in ((bytes(8 * _MIB), False, 401), (bytes(8 * _MIB), True, 413)):
            for words in (
                ("-T", "-"),
                ("-T", "-", "-H", "Content-Length: 8388608", "-H", "Transfer-Encoding:"),
            ):
                answer = server.curl("/api/v1/files/a", *words, "-H", "Expect:", key=key, given=data)
                self.assertEqual(answer.status, status, words)
        form = server.scratch / "large"
        form.write_bytes(bytes(8 * _MIB))
        self.assertEqual(server.curl("/api/v1/", "-F", f"file=@{form}", "-H", "Expect:").status, 413)
        self.assert_nothing(server)

    def test_no_room(self) -> None:
        """What would leave less room on the disk than the operator wants is refused: 507."""
        server = FileServer(self, "--min-free", "8000T")
        for words in (("/api/v1/files/a", "-T", "-"), ("/api/v1/", "-F", "file=@-;filename=a")):
            answer = server.curl(words[0], *words[1:], given=b"x")
            self.assertEqual(answer.status, 507)
        self.assert_nothing(server)

    def test_open_uploads(self) -> None:
        """With open uploads everybody takes files in, and nobody without the key removes them."""
        server = FileServer(self, "--open-uploads")
        answer = server.curl("/api/v1/", "-F", "file=@-;filename=a.txt", key=False, given=b"hello")
        self.assertEqual(answer.status, 201)
        name = answer.json["short_name"]
        self.assertEqual(server.curl(f"/api/v1/{name}", "-X", "DELETE", key=False).status, 401)
        self.assertEqual(server.curl("/api/v1/", key=False).status, 401)
        self.assertEqual(server.curl(f"/api/v1/{name}", "-X", "DELETE").status, 204)


class BrokenTests(FilesCase):
    """Requests that are not what they should be."""

    def head(self, server: FileServer, *lines: str, target: str = "/api/v1/files/a.bin") -> bytes:
        fields = [f"PUT {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {server.key}", *lines, "", ""]
        return "\r\n".join(fields).encode()

    def test_client_stops_in_the_middle(self) -> None:
        """A client that leaves in the middle leaves no file, no row, and no temporary file."""
        server = FileServer(self)
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        post = self.head(server, "Content-Length: 9000000", "Content-Type: multipart/form-data; boundary=x")
        post = post.replace(b"PUT /api/v1/files/a.bin", b"POST /api/v1/")
        for request in (
            self.head(server, "Content-Length: 9000000") + pattern(3 * _MIB),
            self.head(server, "Transfer-Encoding: chunked") + b"300000\r\n" + pattern(0x300000) + b"\r\n",
            post + form + pattern(3 * _MIB),
            self.head(server, "Content-Length: 9000000", target="/api/v1/albums/films/a") + pattern(3 * _MIB),
        ):
            with server.process.connect() as client:
                client.sendall(request)
                eventually(server.in_progress, "the upload to be under way")
            self.assert_nothing(server)
        self.assertEqual([path for path in server.process.descriptors() if "incoming" in path], [])

    def test_server_stops_in_the_middle(self) -> None:
        """A server that is told to stop cuts uploads; what they left is gone when the next one begins."""
        server = FileServer(self, "--drain", "1")
        with server.process.connect() as client:
            client.sendall(self.head(server, "Content-Length: 9000000") + pattern(3 * _MIB))
            eventually(server.in_progress, "the upload to be under way")
            server.process.stop()
        self.assertNotIn("Traceback", server.process.log)
        self.assertNotIn("Unhandled", server.process.log)
        self.assert_nothing(FileServer(self, root=server.root, state=server.state))

    def test_length_that_is_wrong(self) -> None:
        """A body longer than it said is taken as long as it said; the rest is a bad request."""
        server = FileServer(self)
        received = server.process.exchange(
            self.head(server, "Content-Length: 5") + b"hello, and more\r\n\r\n"
        )
        self.assertTrue(received.startswith(b"HTTP/1.1 201"))
        self.assertIn(b"HTTP/1.1 400", received)
        (file,) = server.files()
        self.assertEqual((file["size"], file["sha256"]), (5, hashlib.sha256(b"hello").hexdigest()))

    def test_chunks_of_bad_sizes(self) -> None:
        """Chunks with bad sizes are a bad request, and leave nothing."""
        server = FileServer(self)
        for chunk in (
            b"zz\r\n",
            b"-5\r\nhello\r\n",
            b"5\r\nhello!!\r\n",
            b"0x5\r\nhello\r\n",
            b"5 5\r\n",
            b"f" * 3000,
        ):
            request = self.head(server, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n" + chunk
            self.assertTrue(server.process.exchange(request).startswith(b"HTTP/1.1 400"), chunk)
        self.assert_nothing(server)


class TroubleTests(FilesCase):
    """Disks that are full, catalogues that are locked."""

    def refuse_and_go_on(self, server: FileServer) -> None:
        """30 MiB find no room: 507, nothing is left, and what is small enough comes in after it."""
        large = server.scratch / "large"
        large.write_bytes(pattern(30 * _MIB))
        for words in (
            ("/api/v1/files/a", "-T", str(large)),
            ("/api/v1/", "-F", f"file=@{large}"),
            ("/api/v1/albums/films/a", "-T", str(large)),
        ):
            answer = server.curl(words[0], *words[1:])
            self.assertEqual(answer.status, 507, answer)
            self.assertEqual(answer.json["detail"], "There is no room left for this file.")
            self.assert_nothing(server)
        file = server.put("small", b"hello")
        self.assertEqual(server.curl(f"/api/v1/download-full/{file['short_name']}").body, b"hello")

    def test_disk_is_full(self) -> None:
        """A disk that gets full in the middle of an upload: 507."""
        root = folder(self)
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=20M", "tmpfs", root], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("only root can make a small disk")
        self.addCleanup(lambda: subprocess.run(["umount", "--lazy", root], check=True))
        self.refuse_and_go_on(FileServer(self, root=root))

    def test_files_may_not_grow(self) -> None:
        """So it is with a limit for the size of files."""
        server = FileServer(self)
        resource.prlimit(server.process.process.pid, resource.RLIMIT_FSIZE, (20 * _MIB, 20 * _MIB))
        self.refuse_and_go_on(server)

    def test_catalogue_is_locked(self) -> None:
        """While another program locks the catalogue nothing is taken in: 503; then it goes on."""
        server = FileServer(self)
        name = server.put("a", b"hello")["short_name"]
        with closing(sqlite3.connect(server.state / "catalogue.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            answer = server.curl("/api/v1/files/b", "-T", "-", given=b"x")
            self.assertEqual(answer.status, 503)
            self.assertEqual(server.curl(f"/api/v1/download-stream/{name}").body, b"hello")
            other.execute("ROLLBACK")
        server.put("b", b"x")
        server.wait_until_settled()
        self.assertEqual(len(server.albums()), 2)

    def test_store_is_read_only(self) -> None:
        """A root that can't be written to refuses uploads and goes on serving: 503."""
        if os.geteuid() == 0:
            need("setpriv")
        server = self.unprivileged()
        name = server.put("a", b"hello")["short_name"]
        server.root.chmod(0o555)
        (server.root / ".incoming").chmod(0o555)
        self.assertEqual(server.curl("/api/v1/files/b", "-T", "-", given=b"x").status, 503)
        self.assertEqual(server.curl(f"/api/v1/download-stream/{name}").body, b"hello")
        server.root.chmod(0o755)
        (server.root / ".incoming").chmod(0o755)
        server.put("b", b"x")
        server.wait_until_settled()

    def unprivileged(self) -> FileServer:
        """A server that is not root, to whom modes mean something."""
        if os.geteuid() != 0:
            return FileServer(self)
        root, state = folder(self), folder(self)
        for path in (root, state):
            os.chown(path, 65534, 65534)
        before = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        return FileServer(self, root=root, state=state, before=before)
