"""
Tests for the parts of ``benchmarks`` that figures depend on: the arithmetic, the tables and the null client.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat, takewhile
from pathlib import Path
from socket import MSG_PEEK, create_connection, create_server, socket
from threading import Thread
from typing import cast

from PIL import ExifTags, Image
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from benchmarks import galleries, health, pictures, thumbnails
from benchmarks.albums import MEMBER_TIME, Albums, Scale, fill
from benchmarks.bench import Bench
from benchmarks.client import Address, NotServed, get, get_for, stall
from benchmarks.figures import MILLISECONDS, TIMES, Spread, at_least, at_most, below, percentile, ratios
from benchmarks.kept import Round, ask_for
from benchmarks.measures.gallery import last_page
from benchmarks.measures.slow import least_share
from benchmarks.processes import Place, Program, Server, tree
from benchmarks.report import NOTHING, Row, Table, alone, as_rst, as_text, compared
from benchmarks.sender import Sending, ask, upload
from benchmarks.shared import fetch_all


class FiguresTests(SynchronousTestCase):
    """
    Medians, ratios, percentiles and targets.
    """

    def test_ratios_are_of_pairs(self) -> None:
        """
        Samples are divided pair by pair: a disturbance of both does not show; the median is of the ratios.
        """
        self.assertEqual(ratios([1.0, 20.0, 9.0], [2.0, 40.0, 3.0]), Spread(0.5, 0.5, 3.0))

    def test_ratios_need_pairs(self) -> None:
        """
        A sample without its other is a mistake and not left out.
        """
        self.assertRaises(ValueError, ratios, [1.0, 2.0], [1.0])

    def test_percentile_is_a_sample(self) -> None:
        """
        The nearest rank: of a hundred samples the 99th, of two the second, and the whole is the greatest.
        """
        hundred = [float(number) for number in range(100, 0, -1)]
        self.assertEqual(percentile(hundred, 0.99), 99.0)
        self.assertEqual(percentile(hundred, 1.0), 100.0)
        self.assertEqual(percentile([1.0, 2.0], 0.99), 2.0)
        self.assertEqual(percentile([1.0, 2.0, 3.0], 0.0), 1.0)

    def test_targets_at_their_bounds(self) -> None:
        """
        The bound itself is enough for ``at_least`` and ``at_most``, but not for ``below``; units are applied.
        """
        judgements = [target.met(0.040) for target in (at_least(40, MILLISECONDS), at_most(40, MILLISECONDS))]
        self.assertEqual(judgements, [True, True])
        self.assertFalse(below(40, MILLISECONDS).met(0.040))
        self.assertFalse(at_most(40, MILLISECONDS).met(0.0401))
        self.assertFalse(at_least(2.5, TIMES).met(2.4999))

    def test_text_shows_the_spread(self) -> None:
        """
        The extremes stand in brackets after the median and its unit; a single sample stands alone.
        """
        self.assertEqual(Spread.of([0.001, 0.0025, 0.2]).text(MILLISECONDS), "2.50 ms (1.00-200)")
        self.assertEqual(Spread.of([0.0123]).text(MILLISECONDS), "12.3 ms")

    def test_least_share(self) -> None:
        """
        The worst-off client is compared with the middle one, so that one greedy client does not hide it.
        """
        self.assertEqual(least_share([50, 100, 900]), 0.5)

    def test_waits(self) -> None:
        """
        The 99th percentile of the waits is judged, not their middle and not the longest.
        """
        waits = [0.001] * 98 + [0.060, 0.200]
        middle, high, longest = health.rows("busy", waits, [0.001], "100")
        self.assertEqual(high, Row("p99, busy", "60.0 ms (100)", "1.00 ms", "60.00", "< 50 ms", "NO"))
        self.assertEqual((middle.fileserve, middle.met), ("1.00 ms", NOTHING))
        self.assertEqual((longest.fileserve, longest.met), ("200 ms", NOTHING))


class ReportTests(SynchronousTestCase):
    """
    Rows and tables.
    """

    def test_judges_what_was_measured(self) -> None:
        """
        A value that misses its target is a miss, even if both are the same when rounded for the table.
        """
        row = compared("throughput", [2.499], [1.0], TIMES, at_least(2.5, TIMES))
        self.assertEqual(row, Row("throughput", "2.50", "1.00", "2.50", "≥ 2.5", "NO"))

    def test_judges_nothing_without_a_target(self) -> None:
        """
        Where no target is set, none is met.
        """
        self.assertEqual(alone("first byte", [0.01], MILLISECONDS), Row("first byte", "10.0 ms"))
        self.assertEqual(Row("first byte", "10.0 ms").met, NOTHING)

    def test_text(self) -> None:
        """
        In a terminal the columns stand under each other.
        """
        text = as_text(Table("Title", [Row("a", "1", "2", "0.50", "≤ 1", "yes")], "A note."))
        self.assertEqual(
            text,
            "Title\n=====\nA note.\n"
            "measure  fileserve  peer  ratio  target  met\n"
            "-------  ---------  ----  -----  ------  ---\n"
            "a        1          2     0.50   ≤ 1     yes\n",
        )

    def test_rst(self) -> None:
        """
        In the documentation each row has six cells, and no character of a cell is mark-up.
        """
        lines = as_rst(Table("Title", [Row("a_ *b*", "1")])).splitlines()
        self.assertEqual(lines[:2], ["Title", "-----"])
        self.assertEqual(lines[-6:], [r"   * - a\_ \*b\*", "     - 1", *["     - "] * 4])


class TurnsTests(SynchronousTestCase):
    """
    Who is measured when.
    """

    def test_every_server_is_first_in_turn(self) -> None:
        """
        Each run begins with another server, and the samples of one server stay together, in order.
        """
        asked: list[Server] = []

        def sample(server: Server) -> int:
            asked.append(server)
            return len(asked)

        first, second = cast("list[Server]", ["first", "second"])
        bench = Bench(Albums(Path(), Scale()), runs=2, twist="twist")
        self.assertEqual(bench.in_turns([first, second], sample), [[1, 4], [2, 3]])
        self.assertEqual(asked, [first, second, second, first])


class AlbumsTests(SynchronousTestCase):
    """
    The trees that are measured.
    """

    def test_fills_folders(self) -> None:
        """
        There are as many files as asked for, of that size, all different, old, and 1,000 to a folder.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        fill(folder, 1001, 16)
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.assertEqual({path.stat().st_size for path in files}, {16})
        self.assertEqual({path.stat().st_mtime for path in files}, {MEMBER_TIME})
        self.assertEqual(len({path.read_bytes() for path in files}), 1001)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["000", "001"])


@contextmanager
def answering(response: bytes) -> Iterator[Address]:
    """
    A server that gives every client the same bytes and closes.
    """
    with create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if not connection.recv(4096).startswith(b"GET"):
                        return
                    connection.sendall(response)

        thread = Thread(target=answer)
        thread.start()
        address = Address(listener.getsockname()[1], "/")
        try:
            yield address
        finally:
            stop(address)
            thread.join()


def stop(address: Address) -> None:
    """
    Have the server of ``answering`` end.
    """
    with create_connection((address.host, address.port)) as connection:
        connection.sendall(b"STOP")


class NullClientTests(SynchronousTestCase):
    """
    Bodies that nobody looks at are still counted rightly.
    """

    def test_counts_a_promised_body(self) -> None:
        """
        A body with a Content-Length is read to its last byte, whether it is long, short or nothing at all.
        """
        for size in (0, 1, 1_234_567):
            with answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)) as address:
                download, drowsy = get(address), get(address, wake=100_000)
            self.assertEqual((download.size, download.promised), (size, True))
            self.assertLessEqual(download.first_byte, download.total)
            self.assertEqual(drowsy.size, size)

    def test_counts_chunks_without_their_framing(self) -> None:
        """
        Of a chunked body only the data counts, chunk extensions and all sizes of chunk included.
        """
        chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (size, bytes(size)) for size in (1, 31, 32, 33, 100_000))
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with answering(head + chunks + b"0\r\n\r\n") as address:
            download = get(address)
        self.assertEqual((download.size, download.promised), (100_097, False))

    def test_counts_until_closed(self) -> None:
        """
        A body of no known length ends with the connection.
        """
        with answering(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(1_234_567)) as address:
            self.assertEqual(get(address).size, 1_234_567)

    def test_refuses_a_short_body(self) -> None:
        """
        A server that stops before the promised end is not measured but reported.
        """
        with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + bytes(9)) as address:
            self.assertRaises(NotServed, get, address)

    def test_refuses_a_missing_last_chunk(self) -> None:
        """
        A chunked body without its last chunk was cut.
        """
        response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
        with answering(response) as address:
            self.assertRaises(NotServed, get, address)

    def test_refuses_errors(self) -> None:
        """
        An error page, however fast, is not a download.
        """
        with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as address:
            self.assertRaises(NotServed, get, address)
            self.assertRaises(NotServed, stall, address)

    def test_stalls(self) -> None:
        """
        A stalled client has read nothing: all of the response is still in its connection.
        """
        response = b"HTTP/1.1 200 OK\r\n\r\nbody"
        with answering(response) as address, stall(address) as connection:
            self.assertEqual(connection.recv(100), response)

    def test_stops_at_the_end(self) -> None:
        """
        A client with a time limit that gets all before it leaves with all, headers included.
        """
        response = b"HTTP/1.1 200 OK\r\n\r\nbody"
        with answering(response) as address:
            self.assertEqual(get_for(address, 60), len(response))


@contextmanager
def taking(status: bytes = b"201 Created") -> Iterator[tuple[Address, list[bytes]]]:
    """
    A server that keeps connections, and the bodies that come on them; each is answered by ``ok``.
    """
    bodies: list[bytes] = []
    with create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket) -> None:
            with connection, connection.makefile("rb") as source:
                while head := b"".join(takewhile(lambda line: line != b"\r\n", source)):
                    found = re.search(rb"Content-Length: (\d+)", head)
                    bodies.append(source.read(int(found[1]) if found else 0))
                    connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)
                    if b"Connection: close" in head:
                        return

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                if connection.recv(4, MSG_PEEK) == b"STOP":
                    connection.close()
                    return
                threads.append(Thread(target=serve, args=[connection]))
                threads[-1].start()

        threads = [Thread(target=accept)]
        threads[0].start()
        address = Address(listener.getsockname()[1], "/")
        try:
            yield address, bodies
        finally:
            stop(address)
            for thread in threads:
                thread.join()


class SenderTests(SynchronousTestCase):
    """
    What is sent is what the server gets, whole.
    """

    def test_body(self) -> None:
        """
        A file is the body, byte by byte, and its size and the time of the answer are told.
        """
        source = Path(self.mktemp())
        source.write_bytes(os.urandom(3_000_000))
        with taking() as (address, bodies):
            sent = upload(Sending(address, "PUT"), source)
        self.assertEqual((bodies, sent.size), ([source.read_bytes()], 3_000_000))
        self.assertLessEqual(sent.first_byte, sent.total)

    def test_form(self) -> None:
        """
        A form has the file as its one field, between boundaries; a small body is sent alike.
        """
        source = Path(self.mktemp())
        source.write_bytes(b"content")
        with taking() as (address, bodies):
            upload(Sending(address, "POST", form=True), source)
            self.assertEqual(ask(Sending(address, "POST", form=True), b"content"), b"ok")
        self.assertEqual(bodies[0], bodies[1])
        head, content, end = re.split(rb"\r\n\r\n|\r\n(?=--)", bodies[0])
        self.assertIn(b'name="file"', head)
        self.assertEqual((content, end), (b"content", head.split(b"\r\n")[0] + b"--\r\n"))

    def test_refused(self) -> None:
        """
        An upload that was refused is not measured but reported.
        """
        with taking(b"507 Insufficient Storage") as (address, _):
            self.assertRaises(NotServed, ask, Sending(address, "PUT"), b"content")


class KeptTests(SynchronousTestCase):
    """
    Clients that keep their connections.
    """

    def test_counts_answers(self) -> None:
        """
        Every request that the server got is counted once, and its time is known.
        """
        with taking(b"200 OK") as (address, bodies):
            asking = Sending(address, "PUT").whole(b"content")
            done = ask_for(address, repeat(asking), 3, 0.05)
        self.assertEqual((len(done.waits), set(bodies)), (len(bodies), {b"content"}))
        self.assertGreaterEqual(len(bodies), 3)
        self.assertGreaterEqual(done.seconds, 0.05)

    def test_rate(self) -> None:
        """
        The rate is that of answers, whatever the number of clients.
        """
        self.assertEqual(Round(2.0, [0.1] * 10).rate(), 5.0)

    def test_refuses_errors(self) -> None:
        """
        An error, however fast, is no answer.
        """
        with taking(b"500 Internal Server Error") as (address, _):
            asking = Sending(address, "GET").whole(b"")
            self.assertRaises(NotServed, ask_for, address, repeat(asking), 2, 0.05)


class ProcessTests(SynchronousTestCase):
    """
    The cost of a server is that of its whole tree.
    """

    def test_counts_children(self) -> None:
        """
        Processor time is that of the process, of a child that ended, and of a child that still runs.
        """
        burn = "sum(range(2_000_000))"
        program = f"""\
import os, subprocess, sys
{burn}
subprocess.run([sys.executable, "-c", "{burn}"], check=True)
child = subprocess.Popen([sys.executable, "-c", "{burn}; print(flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(sum(os.times()[:4]), child.pid, flush=True)
input()
child.communicate(b"end")
"""
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        spent, child = process.stdout.readline().split()
        place = Place(Path(), Path(), Path(), 0, 0)
        server = Server(Program("", lambda _: [], str), place, process.pid)
        self.assertEqual(tree(process.pid), [process.pid, int(child)])
        # The child that runs is not in the times that its parent told.
        alone = Server(server.program, place, int(child)).cpu_seconds()
        self.assertGreater(alone, 0.0)
        tick = 1 / os.sysconf("SC_CLK_TCK")
        self.assertGreaterEqual(server.cpu_seconds(), float(spent) - 2 * tick + alone)
        self.assertGreater(server.rss(), 0)
        process.communicate("end\n")


class PictureTests(SynchronousTestCase):
    """
    The pictures of the gallery's measures.
    """

    def folder(self, members: int, size: tuple[int, int]) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        pictures.fill(folder, members, size, MEMBER_TIME)
        return folder

    def test_all_different(self) -> None:
        """
        No two have the same bytes or the same time, though few were drawn; and all can be opened.
        """
        files = sorted(self.folder(10, pictures.TINY).iterdir())
        self.assertEqual(len({path.read_bytes() for path in files}), 10)
        self.assertEqual([path.stat().st_mtime for path in files], [MEMBER_TIME + n for n in range(10)])
        for path in files:
            with Image.open(path) as picture:
                picture.load()
                self.assertEqual((picture.format, picture.size), ("JPEG", pictures.TINY))

    def test_what_cameras_write(self) -> None:
        """
        Each has its camera and the moment of its own, and some tell where they were taken.
        """
        for number, path in enumerate(sorted(self.folder(8, pictures.TINY).iterdir())):
            camera = pictures.CAMERAS[number % len(pictures.CAMERAS)]
            with Image.open(path) as picture:
                exif = picture.getexif()
            self.assertEqual(exif[ExifTags.Base.Make], camera.maker)
            self.assertEqual(exif[ExifTags.Base.Orientation], camera.orientation)
            taken = datetime.fromtimestamp(MEMBER_TIME + number, UTC).strftime("%Y:%m:%d %H:%M:%S")
            self.assertEqual(exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal], taken)
            self.assertEqual(bool(exif.get_ifd(ExifTags.IFD.GPSInfo)), camera.located)

    def test_as_large_as_photographs(self) -> None:
        """
        A drawn picture compresses as photographs do: 12 megapixels of it would take 3 to 5 MB.
        """
        size = len(pictures.taken_with(pictures.CAMERAS[0], pictures.draw(pictures.SMALL)))
        megapixels = pictures.SMALL[0] * pictures.SMALL[1] / 1e6
        self.assertGreater(size / megapixels * 12, 3e6)
        self.assertLess(size / megapixels * 12, 5e6)

    def check_small(self, source: Path, target: Path) -> None:
        self.assertEqual({path.name for path in target.iterdir()}, {path.name for path in source.iterdir()})
        for path in target.iterdir():
            with Image.open(path) as picture:
                self.assertEqual((picture.format, max(picture.size)), ("JPEG", 320))

    def test_loop(self) -> None:
        """
        The loop makes a JPEG of the last size of every picture, and tells how long that took.
        """
        source, target = self.folder(3, pictures.SMALL), Path(self.mktemp())
        target.mkdir()
        self.assertGreater(thumbnails.pillow(source, target, [640, 320]), 0)
        self.check_small(source, target)

    def test_vipsthumbnail(self) -> None:
        """
        The command of libvips makes as many, also in folders whose names mean something to a shell.
        """
        if shutil.which("vipsthumbnail") is None:
            raise SkipTest("vipsthumbnail is not installed")
        source, target = self.folder(12, pictures.SMALL), Path(self.mktemp()) / "$(o) '\"ut"
        target.mkdir(parents=True)
        self.assertGreater(thumbnails.vips(source.absolute(), target.absolute(), [320], 2), 0)
        self.check_small(source, target)


@contextmanager
def serving(answer: Callable[[str], tuple[int, bytes]]) -> Iterator[tuple[Address, list[str]]]:
    """
    A server that keeps connections; ``answer`` tells status and body of a path, of which 503 means at once.

    :return: where it listens, and what it was asked for.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = answer(self.path)
            self.send_response(status)
            if status == 503:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield Address(server.server_port, "/"), asked
        finally:
            server.shutdown()
            thread.join()


def always(status: int, body: bytes) -> Callable[[str], tuple[int, bytes]]:
    """
    The same answer, whatever is asked.
    """
    return lambda _: (status, body)


class SharedTests(SynchronousTestCase):
    """
    Clients that share a list.
    """

    def test_each_once(self) -> None:
        """
        Every path is asked for once, by whichever client.
        """
        paths = [f"/{number}" for number in range(20)]
        with serving(always(200, b"picture")) as (address, asked):
            self.assertGreater(fetch_all(address, paths, 3, {}), 0)
        self.assertEqual(sorted(asked), sorted(paths))

    def test_comes_back(self) -> None:
        """
        What a busy server puts off is asked for again, and nothing else is.
        """
        busy = iter([True, True, False])

        def answer(path: str) -> tuple[int, bytes]:
            return (503, b"") if path == "/1" and next(busy) else (200, b"picture")

        with serving(answer) as (address, asked):
            fetch_all(address, ["/1", "/2"], 1, {})
        self.assertEqual(asked, ["/1", "/1", "/1", "/2"])

    def test_refuses_errors(self) -> None:
        """
        A picture without a preview is not measured but reported; so is an empty one.
        """
        for answer in (always(404, b"There is no preview."), always(200, b"")):
            with serving(answer) as (address, _):
                self.assertRaises(NotServed, fetch_all, address, ["/1"], 1, {})


class GalleryTests(SynchronousTestCase):
    """
    What the measures of the gallery stand on.
    """

    def test_pages(self) -> None:
        """
        A page that is not full counts.
        """
        self.assertEqual([last_page(count) for count in (1, 48, 49, 10_000)], [1, 1, 2, 209])

    def server(self, port: int) -> Server:
        return Server(Program("", lambda _: [], str), Place(Path(), Path(), Path(), port, 0), 0)

    def test_waits_for_facts(self) -> None:
        """
        A page of members is asked for until all of them are known; then the one behind it.
        """
        looked_at = {"first": iter([None, None, 7]), "second": iter([7])}

        def answer(path: str) -> tuple[int, bytes]:
            name, further = ("second", None) if "after=there" in path else ("first", "there")
            members = [{"width": 7}, {"width": next(looked_at[name])}]
            return 200, json.dumps({"members": members, "next": further}).encode()

        with serving(answer) as (address, asked):
            galleries.wait_until_known(self.server(address.port), "album", 4, 60.0)
        first = "/api/v1/albums/album/?limit=1000"
        self.assertEqual(asked, [first] * 3 + [f"{first}&after=there"])

    def test_gives_up(self) -> None:
        """
        An album of which something stays unknown, or which is not the whole one, is reported.
        """
        for width, count in ((None, 1), (7, 2)):
            body = json.dumps({"members": [{"width": width}], "next": None}).encode()
            with serving(always(200, body)) as (address, _):
                wait = galleries.wait_until_known
                self.assertRaises(NotServed, wait, self.server(address.port), "album", count, 0.0)
