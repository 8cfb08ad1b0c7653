"""
A store without locations: archives and downloads over it, in memory and on a disk.
"""

from __future__ import annotations

import os
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from isal import isal_zlib
from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.archive.endpoint import Archives, Pace
from fileserve.archive.plan import Planner
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.gallery.stripped import WithoutLocation
from fileserve.gallery.strippedfacts import FactsWithoutLocation
from fileserve.http.request import Request
from fileserve.http.site import Site
from fileserve.operations.counters import Counts
from fileserve.pictures.location.patch import Unstrippable
from fileserve.storage.abilities import IDescriptor
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import (
    MemberChanged,
    NoSuchAlbum,
    NoSuchFile,
    StoreUnavailable,
)
from fileserve.storage.interfaces import IAlbumReader, IFileStore, IOpenMember, Part
from tests.locatedpictures import places, told
from tests.strippedsupport import ALBUM, FILM, LEFT_OUT, NOTE, OTHERS, SMALL, Stripped, filled
from tests.support import (
    ask,
    at_once,
    deferred,
    read_parts,
    site_of_resource,
    write_album,
)


class StoreTests(SynchronousTestCase):
    """`WithoutLocation` as a store."""

    def setUp(self) -> None:
        self.store = filled()
        self.stripped = Stripped(self.store)
        self.view = self.stripped.view

    def test_interfaces(self) -> None:
        """It is what it says, and so are its readers and open members, which have no descriptor."""
        self.assertTrue(verifyObject(IFileStore, self.view))
        reader = self.view.reader("a")
        self.assertTrue(verifyObject(IAlbumReader, reader))
        for path, member in self.stripped.members().items():
            opened = self.successResultOf(deferred(reader.open(member)))
            self.assertTrue(verifyObject(IOpenMember, opened), path)
            self.assertIsNone(IDescriptor(opened, None))
            self.assertEqual(opened.member, member)
            self.assertIsNone(self.successResultOf(deferred(opened.prepare(0, member.size))))
            opened.check()
            opened.close()
        reader.close()

    def test_list(self) -> None:
        """All are there of their size and time, with other versions; those left out are named in one more."""
        before = {member.path: member for member in self.successResultOf(self.store.list("a")).members}
        after = self.stripped.members()
        left_out = {path.encode() for path in LEFT_OUT}
        self.assertEqual(set(after) - {NOTE}, set(before) - left_out)
        for path in set(after) - {NOTE}:
            self.assertEqual(after[path][:3], before[path][:3])
            self.assertNotEqual(after[path].version, before[path].version)
        newest = max(before[path].mtime_ns for path in left_out)
        self.assertEqual(after[NOTE].mtime_ns, newest)

    def test_same_again(self) -> None:
        """Another server shows the same versions: nothing in them is a matter of chance."""
        self.assertEqual(Stripped(self.store).members(), self.stripped.members())

    def test_note(self) -> None:
        """The note names all that are left out; stat finds it, and of other paths no file."""
        member = self.stripped.members()[NOTE]
        reader = self.view.reader("a")
        (text,) = self.successResultOf(deferred(read_parts(reader, [Part(member, 0, member.size)])))
        self.assertEqual(text.decode().split("\n")[2:], ["b/track.gpx", "film.mp4", "z.bin", ""])
        self.assertEqual(self.successResultOf(deferred(reader.crc32(member))), isal_zlib.crc32(text))
        opened = self.successResultOf(deferred(reader.open(member)))
        self.assertEqual(self.successResultOf(deferred(opened.read(3, 5))), text[3:8])
        self.assertEqual(self.successResultOf(self.view.stat("a", NOTE)), member)
        for path in (b"NOT-INCLUDED (2).txt", b"x"):
            self.failureResultOf(self.view.stat("a", path), NoSuchFile)

    def test_no_note(self) -> None:
        """Where none is left out, there is no note."""
        stripped = Stripped(filled(SMALL))
        self.assertNotIn(NOTE, stripped.members())
        self.failureResultOf(stripped.view.stat("a", NOTE), NoSuchFile)

    def test_note_name_taken(self) -> None:
        """A file of the note's name stays, and the note gets another; a folder counts as one."""
        for path in ("NOT-INCLUDED.txt", "NOT-INCLUDED.txt/a.txt"):
            members = Stripped(filled({path: b"mine", "film.mp4": FILM})).members()
            self.assertEqual(set(members), {path.encode(), b"NOT-INCLUDED (2).txt"})

    def test_note_changes(self) -> None:
        """A note of other files than are left out by now can't be read; the new one can."""
        old = self.stripped.members()[NOTE]
        self.store.put("a", b"more.mp4", FILM)
        reader = self.view.reader("a")
        new = self.stripped.members()[NOTE]
        self.assertNotEqual(new, old)
        self.failureResultOf(deferred(reader.open(old)), MemberChanged)
        self.assertEqual(self.successResultOf(deferred(reader.open(new))).member, new)
        self.successResultOf(deferred(Stripped(self.store).view.reader("a").open(new)))

    def test_read(self) -> None:
        """What is read has no location, in any part of it, and is as long as before."""
        members, reader = self.stripped.members(), self.view.reader("a")
        wholes = {}
        for path in (*SMALL, "large.jpg"):
            member = members[path.encode()]
            opened = self.successResultOf(deferred(reader.open(member)))
            whole = bytes(self.successResultOf(deferred(opened.read(0, member.size))))
            length = min(member.size, 256 * 1024)
            (read,) = self.successResultOf(deferred(read_parts(reader, [Part(member, 0, length)])))
            self.assertEqual(read, whole[:length])
            self.assertEqual(len(whole), len(ALBUM[path]))
            self.assertEqual(self.successResultOf(deferred(reader.crc32(member))), isal_zlib.crc32(whole))
            for start in range(0, 2500, 7):
                part = self.successResultOf(deferred(opened.read(start, 7)))
                self.assertEqual(part, whole[start : start + 7])
            wholes[path.replace("/", "-")] = whole
        found = told(wholes)
        self.assertEqual({name: places(each) for name, each in found.items() if places(each)}, {})

    def test_read_together(self) -> None:
        """Parts of several members, the note among them, are read with one call."""
        members, reader = self.stripped.members(), self.view.reader("a")
        parts = [Part(members[path], 1, 9) for path in (b"notes.txt", NOTE, b"a.jpg")]
        first, second, third = self.successResultOf(deferred(read_parts(reader, parts)))
        self.assertEqual((first, third), (b"othing of", ALBUM["a.jpg"][1:10]))
        self.assertEqual(second, b"hese file")

    def test_stat(self) -> None:
        """Looked at alone, a member is what is listed; one that is left out is refused, in words."""
        for path, member in self.stripped.members().items():
            self.assertEqual(self.successResultOf(self.view.stat("a", path)), member)
        refusal = self.failureResultOf(self.view.stat("a", b"film.mp4"), Unstrippable)
        self.assertIn("video/mp4", str(refusal.value))
        self.failureResultOf(self.view.stat("none", b"a.jpg"), NoSuchFile)
        self.failureResultOf(self.view.stat("none", NOTE), NoSuchFile)

    def test_no_album(self) -> None:
        """An album that is not there is not there."""
        self.failureResultOf(self.view.list("none"), NoSuchAlbum)
        self.assertRaises(NoSuchAlbum, self.view.reader, "none")
        self.assertEqual(self.successResultOf(self.view.exist(["none", "a"])), {"a"})

    def test_read_only(self) -> None:
        """It takes nothing in and removes nothing, and the store stays its owner's."""
        self.failureResultOf(self.view.receive("a", b"new"), StoreUnavailable)
        self.failureResultOf(self.view.delete("a", b"a.jpg"), StoreUnavailable)
        for asked in (self.view.clean(), self.view.close(), self.view.check()):
            self.assertIsNone(self.successResultOf(asked))
        self.assertIsNone(self.successResultOf(self.view.free()))
        self.assertIn(b"a.jpg", self.stripped.members())

    def test_unknown_version(self) -> None:
        """A version that is none of this view's can't be read."""
        reader = self.view.reader("a")
        member = self.successResultOf(self.store.stat("a", b"a.jpg"))
        self.failureResultOf(deferred(reader.open(member)), MemberChanged)

    def test_changed(self) -> None:
        """A member that is another by now can't be read."""
        members, reader = self.stripped.members(), self.view.reader("a")
        for path in (b"a.jpg", b"notes.txt", b"large.jpg"):
            self.store.put("a", path, b"other")
            member = members[path]
            self.failureResultOf(deferred(reader.open(member)), MemberChanged)
            self.failureResultOf(deferred(reader.crc32(member)), MemberChanged)
            self.failureResultOf(deferred(read_parts(reader, [Part(member, 0, 3)])), MemberChanged)


class Server:
    """
    Archives and downloads over a view, as they are over a store.
    """

    def __init__(self, store: Any) -> None:
        facts = FactsWithoutLocation(MemoryFacts())
        view = WithoutLocation(store, at_once)
        pace = Pace(logs=False, pause=None, now=lambda: 1_795_000_000)
        archives = Archives(view, Planner(view, facts, at_once), Counts(), pace)
        downloads = Downloads(view, MemoryFiles(), Contents(view, facts, at_once), lambda: 1_795_000_000)
        app = Klein()

        @app.route("/archive/<album>/", methods=["GET"])
        async def archive(request: Request, album: str) -> None:
            await archives.send(request, album)

        @app.route("/original/<album>/<path:path>", methods=["GET"])
        async def original(request: Request, album: str, path: str) -> None:
            await downloads.send(request, album, path.encode(), "x", saved=False)

        self.site: Site = site_of_resource(app.resource())


class ServedContract:
    """
    What is served from a view of any store. A subclass makes the store.
    """

    store: Any

    def same_album(self) -> Any:
        """The store, opened anew."""
        return self.store

    def setUp(self) -> None:
        self.make()
        self.site = Server(self.store).site
        self.plain = site_of_plain(self.store)

    def make(self) -> None:
        raise NotImplementedError

    def test_archive(self: Any) -> None:
        """The archive is as long as was said, whole, and no file in it has a location."""
        answer = ask(self.site, "/archive/a/")
        self.assertEqual(answer.status, 200)
        self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        with ZipFile(BytesIO(answer.body)) as archive:
            self.assertIsNone(archive.testzip())
            names = set(archive.namelist())
            self.assertEqual(names, (set(ALBUM) - set(LEFT_OUT)) | {NOTE.decode()})
            files = {name.replace("/", "-"): archive.read(name) for name in names}
            self.assertEqual(files["notes.txt"], OTHERS["notes.txt"])
        found = told(files)
        self.assertEqual({name: places(each) for name, each in found.items() if places(each)}, {})
        self.assertEqual(found["large.jpg"]["IFD0:Model"], "Some model")

    def test_unzip(self: Any) -> None:
        """Debian's unzip finds nothing wrong with it."""
        path = Path(self.mktemp())
        path.write_bytes(ask(self.site, "/archive/a/").body)
        tested = subprocess.run(["unzip", "-tq", str(path)], capture_output=True, check=False)
        self.assertEqual(tested.returncode, 0, tested)

    def test_etag(self: Any) -> None:
        """Its entity-tag is strong, another than the plain one's, and the same from another server."""
        mine, plain = (ask(site, "/archive/a/", "HEAD") for site in (self.site, self.plain))
        self.assertRegex(mine.headers["ETag"], r'^"[0-9a-f]{32}"$')
        self.assertNotEqual(mine.headers["ETag"], plain.headers["ETag"])
        again = ask(Server(self.same_album()).site, "/archive/a/")
        self.assertEqual(again.headers["ETag"], mine.headers["ETag"])
        self.assertEqual(again.body, ask(self.site, "/archive/a/").body)
        unchanged = ask(self.site, "/archive/a/", headers=[("If-None-Match", mine.headers["ETag"])])
        self.assertEqual(unchanged.status, 304)

    def test_ranges(self: Any) -> None:
        """Put together from ranges it is the same, cold and warm."""
        whole = ask(Server(self.same_album()).site, "/archive/a/").body
        for _ in range(2):
            got = b""
            while len(got) < len(whole):
                span = f"bytes={len(got)}-{len(got) + 199_999}"
                answer = ask(self.site, "/archive/a/", headers=[("Range", span)])
                self.assertEqual(answer.status, 206)
                got += answer.body
            self.assertEqual(got, whole)

    def test_picked(self: Any) -> None:
        """Single members may be picked, by their own names; what is left out is not there."""
        answer = ask(self.site, "/archive/a/?file=a.jpg")
        with ZipFile(BytesIO(answer.body)) as archive:
            self.assertEqual(archive.namelist(), ["a.jpg"])

    def test_original(self: Any) -> None:
        """An original comes in its length, with its type and another entity-tag, whole and in ranges."""
        for path, kind in (("a.jpg", "image/jpeg"), ("large.jpg", "image/jpeg"), ("b/c.png", "image/png")):
            answer = ask(self.site, f"/original/a/{path}")
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, kind))
            self.assertEqual(int(answer.headers["Content-Length"]), len(ALBUM[path]))
            self.assertEqual(places(told({"x.jpg": answer.body})["x.jpg"]), {})
            part = ask(self.site, f"/original/a/{path}", headers=[("Range", "bytes=20-1500")])
            self.assertEqual((part.status, part.body), (206, answer.body[20:1501]))
            plain = ask(self.plain, f"/original/a/{path}")
            self.assertEqual(plain.body, ALBUM[path])
            self.assertNotEqual(plain.headers["ETag"], answer.headers["ETag"])

    def test_note(self: Any) -> None:
        """The note is a text that may be shown."""
        answer = ask(self.site, "/original/a/NOT-INCLUDED.txt")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertIn(b"\nb/track.gpx\nfilm.mp4\n", answer.body)


def site_of_plain(store: Any) -> Site:
    """
    The same without a view.
    """
    pace = Pace(logs=False, pause=None, now=lambda: 1_795_000_000)
    facts = MemoryFacts()
    archives = Archives(store, Planner(store, facts, at_once), Counts(), pace)
    downloads = Downloads(store, MemoryFiles(), Contents(store, facts, at_once), lambda: 1_795_000_000)
    app = Klein()

    @app.route("/archive/<album>/", methods=["GET"])
    async def archive(request: Request, album: str) -> None:
        await archives.send(request, album)

    @app.route("/original/<album>/<path:path>", methods=["GET"])
    async def original(request: Request, album: str, path: str) -> None:
        await downloads.send(request, album, path.encode(), "x", saved=False)

    return site_of_resource(app.resource())


class MemoryServedTests(ServedContract, SynchronousTestCase):
    """Over a store in memory, whose members have no descriptors."""

    def make(self) -> None:
        self.store = filled()


class DiskServedTests(ServedContract, SynchronousTestCase):
    """Over a folder on a disk."""

    def make(self) -> None:
        self.root = self.mktemp()
        write_album(self.root, "a", ALBUM)
        self.store = DiskStore(self.root, at_once)

    def same_album(self) -> Any:
        return DiskStore(self.root, at_once)

    def test_touched(self) -> None:
        """A file that was written to gets another version, and is looked at again."""
        stripped = Stripped(self.store)
        before = stripped.members()
        Path(self.root, "a", "notes.txt").write_bytes(FILM)
        os.utime(Path(self.root, "a", "d.webp"), ns=(1, 1))
        after = stripped.members()
        self.assertNotIn(b"notes.txt", after)
        self.assertNotEqual(before[b"d.webp"].version, after[b"d.webp"].version)
        self.assertEqual(before[b"a.jpg"], after[b"a.jpg"])
