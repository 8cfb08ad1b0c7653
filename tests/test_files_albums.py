"""
Tests of the album API as requests see it (DESIGN section 8).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.http.representation import entity_tag
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged, StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import FilesSite, Spied, head, problem
from .support import Answer, at_once, deferred, parse

_KEYS = {
    "name", "size", "modified_at", "etag", "file_type", "sha256", "crc32", "width", "height", "url",
}  # fmt: skip


class AlbumCase(SynchronousTestCase):
    """A site over a store in memory."""

    def setUp(self) -> None:
        self.memory = MemoryStore()
        self.store = Spied(self.memory)
        self.facts = Spied(MemoryFacts())
        self.site = FilesSite(self.store, facts=self.facts)

    def ask(self, method: str, name: str, body: bytes | None = None, **headers: str) -> Answer:
        named = [(header.replace("_", "-"), value) for header, value in headers.items()]
        return self.site.ask(method, f"/api/v1/albums/{name}", body, named)

    def put(self, name: str, body: bytes, **headers: str) -> Answer:
        return self.ask("PUT", f"films/{name}", body, **headers)

    def json(self, name: str) -> Any:
        answer = self.site.ask("GET", f"/api/v1/albums/{name}", key=None)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        return json.loads(answer.body)

    def names(self) -> list[bytes]:
        return sorted(member.path for member in self.successResultOf(self.memory.list("films")).members)

    def bytes_of(self, name: str) -> bytes:
        answer = self.site.ask("GET", f"/api/v1/albums/films/{name}", key=None)
        self.assertEqual(answer.status, 200)
        return answer.body


class ListTests(AlbumCase):
    """Listing an album."""

    def test_shape(self) -> None:
        """Each member has these keys; what nobody computed yet is null."""
        member = self.memory.put("films", b"a/b c.txt", b"hello")
        self.assertEqual(
            self.json("films/"),
            {
                "album": "films",
                "members": [
                    {
                        "name": "a/b c.txt",
                        "size": 5,
                        "modified_at": self.json("films/")["members"][0]["modified_at"],
                        "etag": entity_tag(member).decode(),
                        "file_type": None,
                        "sha256": None,
                        "crc32": None,
                        "width": None,
                        "height": None,
                        "url": "a/b%20c.txt",
                    }
                ],
                "next": None,
            },
        )

    def test_known(self) -> None:
        """What was computed when it came is said; of another version it is not."""
        self.put("a.txt", b"hello")
        (said,) = self.json("films/")["members"]
        self.assertEqual((said["file_type"], said["crc32"]), ("text/plain", "3610a686"))
        self.memory.put("films", b"a.txt", b"other")
        self.assertIsNone(self.json("films/")["members"][0]["sha256"])

    def test_pictures(self) -> None:
        """What was seen in a picture is said, but not of another version of it."""
        member = self.memory.put("films", b"a.jpg", b"hello")
        seen = PictureFacts("image/jpeg", width=30, height=20)
        self.site.pictures.note("films", [(b"a.jpg", member.version, seen)])
        (said,) = self.json("films/")["members"]
        self.assertEqual((said["file_type"], said["width"], said["height"]), ("image/jpeg", 30, 20))
        self.memory.put("films", b"a.jpg", b"other")
        (said,) = self.json("films/")["members"]
        self.assertEqual((said["file_type"], said["width"], said["height"]), (None, None, None))

    def test_pictures_unavailable(self) -> None:
        """Where the catalogue is away, the members are listed all the same."""
        self.memory.put("films", b"a.jpg", b"hello")
        pictures = Spied(self.site.pictures)
        pictures.fails["describe"] = CatalogueUnavailable("here", "locked")
        self.site = FilesSite(self.store, facts=self.facts, pictures=pictures)
        self.assertIsNone(self.json("films/")["members"][0]["width"])

    def test_url(self) -> None:
        """``url`` leads from the album to the member, whatever bytes its name is made of."""
        for path in (b"a b.txt", "ф/ё.txt".encode(), b"caf\xe9", b"100%.txt", b"a:b?c#d", b"x;y&z=1+2"):
            self.memory.put("films", path, path)
        for said in self.json("films/")["members"]:
            where = urljoin("/api/v1/albums/films/", said["url"])
            answer = self.site.ask("GET", where, key=None)
            self.assertEqual((answer.status, answer.headers["ETag"]), (200, said["etag"]))

    def test_order(self) -> None:
        """Members come in the order of their paths' bytes."""
        for path in (b"b", b"a/z", b"B", b"a", b"\xff", b"a!"):
            self.memory.put("films", path, b"")
        paths = [quote(path) for path in sorted([b"b", b"a/z", b"B", b"a", b"\xff", b"a!"])]
        self.assertEqual([said["url"] for said in self.json("films/")["members"]], paths)

    @given(
        st.sets(st.binary(min_size=1, max_size=4).filter(lambda name: b"." not in name), max_size=12),
        st.integers(1, 5),
    )
    @settings(max_examples=50)
    def test_pages(self, names: set[bytes], limit: int) -> None:
        """Pages of any size, put together, are the album, with names of any bytes."""
        paths = {name.replace(b"/", b"_").replace(b"\0", b"_") for name in names}
        self.memory._albums.clear()
        for path in paths | {b"_"}:
            self.memory.put("films", path, b"")
        found, after = [], ""
        while True:
            page = self.json(f"films/?limit={limit}&after={after}")
            found += [said["url"] for said in page["members"]]
            self.assertLessEqual(len(page["members"]), limit)
            if page["next"] is None:
                break
            after = page["next"]
        self.assertEqual(found, [quote(path) for path in sorted(paths | {b"_"})])

    def test_pages_while_members_come_and_go(self) -> None:
        """S1-W13: a page begins after the last member of the one before, also if that is gone meanwhile."""
        for path in (b"a", b"b", b"c", b"d"):
            self.memory.put("films", path, b"")
        page = self.json("films/?limit=2")
        self.memory.delete("films", b"b")
        self.memory.put("films", b"aa", b"")
        rest = self.json(f"films/?limit=2&after={page['next']}")
        self.assertEqual([said["name"] for said in rest["members"]], ["c", "d"])
        self.assertIsNone(rest["next"])

    def test_none(self) -> None:
        """An album that is not there, or can't be, is not found."""
        for name in ("nobody", ".hidden", "a%20b", "%FF", "x" * 129):
            answer = self.ask("GET", f"{name}/")
            self.assertEqual((answer.status, problem(answer)["detail"]), (404, "There is no such album."))

    def test_without_slash(self) -> None:
        """The address of an album ends with a slash."""
        self.memory.put("films", b"a", b"")
        answer = self.ask("GET", "films?limit=1")
        self.assertEqual((answer.status, answer.headers["Location"]), (308, "films/?limit=1"))

    def test_bad_parameters(self) -> None:
        """What can't be understood is refused with a sentence: 422."""
        self.memory.put("films", b"a", b"")
        for query in ("limit=0", "limit=x", "limit=1001", "after=1.txt", "after=a"):
            answer = self.ask("GET", f"films/?{query}")
            self.assertEqual(answer.status, 422)
            problem(answer)

    def test_away(self) -> None:
        """Without the catalogue less is known; without the store nothing is: 503."""
        self.put("a.txt", b"hello")
        self.facts.fails["describe"] = CatalogueUnavailable("films", "locked")
        self.assertIsNone(self.json("films/")["members"][0]["sha256"])
        self.store.fails["list"] = StoreUnavailable("away")
        self.assertEqual(self.ask("GET", "films/").status, 503)

    def test_large(self) -> None:
        """A page of an album of 100,000 members is found in a thread, in one look at the catalogue."""
        paths = [b"%06d" % (number * 7919 % 100_000) for number in range(100_000)]
        for path in paths:
            self.memory.put("films", path, b"")
        worked: list[str] = []

        def in_thread(work: Any, *args: object) -> Deferred[Any]:
            worked.append(work.__name__)
            return at_once(work, *args)

        self.site = FilesSite(self.store, facts=self.facts, in_thread=in_thread)
        page = self.json("films/?limit=3&after=MDUwMDAw")
        self.assertEqual([said["name"] for said in page["members"]], ["050001", "050002", "050003"])
        self.assertEqual(worked, ["_first"])


class PutTests(AlbumCase):
    """Taking members in."""

    def test_new(self) -> None:
        """A new one is described, with its entity-tag: 201."""
        answer = self.put("a/b.txt", b"hello")
        said = json.loads(answer.body)
        self.assertEqual((answer.status, set(said)), (201, _KEYS))
        self.assertEqual((said["name"], said["size"], said["crc32"]), ("a/b.txt", 5, "3610a686"))
        self.assertEqual(answer.headers["ETag"], said["etag"])
        self.assertEqual(self.ask("HEAD", "films/a/b.txt").headers["ETag"], said["etag"])
        self.assertEqual(self.bytes_of("a/b.txt"), b"hello")

    def test_there_already(self) -> None:
        """One that is there is not replaced unless it is told which: 409, before the body is asked for."""
        self.put("a", b"first")
        connection = self.site.connect()
        connection.send(head("PUT", "/api/v1/albums/films/a", b"second", [("Expect", "100-continue")]))
        self.assertEqual(parse(connection.received()).status, 409)
        connection.leave()
        self.assertEqual(self.bytes_of("a"), b"first")

    def test_only_if_new(self) -> None:
        """``If-None-Match: *`` takes it in only where there is none: 412."""
        self.assertEqual(self.put("a", b"first", If_None_Match="*").status, 201)
        self.assertEqual(self.put("a", b"second", If_None_Match="*").status, 412)
        self.assertEqual(self.bytes_of("a"), b"first")
        self.assertEqual(self.put("a", b"second", If_None_Match='"other"').status, 409)

    def test_replace(self) -> None:
        """``If-Match`` replaces that version, and no other: 200 or 412."""
        etag = self.put("a", b"first").headers["ETag"]
        self.assertEqual(self.put("a", b"x", If_Match='"other"').status, 412)
        answer = self.put("a", b"second", If_Match=etag)
        self.assertEqual(answer.status, 200)
        self.assertNotEqual(answer.headers["ETag"], etag)
        self.assertEqual(self.put("a", b"third", If_Match=etag).status, 412)
        self.assertEqual(self.bytes_of("a"), b"second")
        self.assertEqual(self.put("a", b"fourth", If_Match="*").status, 200)

    def test_replace_nothing(self) -> None:
        """Where there is none, none can be replaced: 412, and none is made."""
        for etag in ("*", '"x"'):
            self.assertEqual(self.put("a", b"x", If_Match=etag).status, 412)
        self.assertEqual(self.ask("GET", "films/").status, 404)

    def test_replaced_meanwhile(self) -> None:
        """Of two that replace one version at once, one does: 412 for the other."""
        etag = self.put("a", b"first").headers["ETag"]
        slow = self.site.connect()
        slow.send(head("PUT", "/api/v1/albums/films/a", b"slow", [("If-Match", etag)]))
        self.assertEqual(self.put("a", b"fast", If_Match=etag).status, 200)
        slow.send(b"slow")
        self.assertEqual(parse(slow.received()).status, 412)
        slow.leave()
        self.assertEqual(self.bytes_of("a"), b"fast")
        self.assertEqual(self.memory.incoming, set())

    def test_made_meanwhile(self) -> None:
        """So it is of two that make one: 409, and 412 for who said so."""
        for headers, status in (([], 409), ([("If-None-Match", "*")], 412)):
            slow = self.site.connect()
            slow.send(head("PUT", "/api/v1/albums/films/a", b"slow", headers))
            self.assertEqual(self.put("a", b"fast").status, 201)
            slow.send(b"slow")
            self.assertEqual(parse(slow.received()).status, status)
            slow.leave()
            self.assertEqual(self.bytes_of("a"), b"fast")
            self.ask("DELETE", "films/a")

    def test_file_where_a_folder_is(self) -> None:
        """A file can't take the place of a folder, nor lie below a file: 409."""
        self.put("a/b", b"x")
        for name in ("a", "a/b/c"):
            answer = self.put(name, b"y")
            self.assertEqual(answer.status, 409)
            problem(answer)
        self.assertEqual(self.put("a", b"y", If_Match="*").status, 412)
        self.assertEqual(self.names(), [b"a/b"])

    def test_names(self) -> None:
        """A name that some system can't take is refused, with one that it can: 422."""
        for name, better in {
            "CON.txt": "_CON.txt",
            "a%5Cb": "b",
            "a%00b": "a_b",
            "a%0Ab": "a_b",
            "%E2%80%AEb": "_b",
            ".hidden": "_.hidden",
            "a/../b": "a/file/b",
            "a./b": "a/b",
            "e%CC%81.txt": "é.txt",
            "x" * 300: "x" * 200,
        }.items():
            answer = self.put(name, b"x")
            self.assertEqual(answer.status, 422, name)
            self.assertEqual(problem(answer)["detail"], f"This name can't be used; this one can: '{better}'.")

    def test_names_that_none_can_be(self) -> None:
        """Names that are not UTF-8, or too long, or have empty parts, are refused."""
        for name in ("%FF", "a%2Fb", "/".join("x" * 600), "a//b"):
            self.assertIn(self.put(name, b"x").status, {404, 422}, name)
        self.assertEqual(self.ask("GET", "films/").status, 404)

    def test_albums_that_none_can_be(self) -> None:
        """So are names of albums."""
        for album in (".hidden", "a%20b", "x" * 129):
            self.assertEqual(self.ask("PUT", f"{album}/a", b"x").status, 422)

    def test_client_leaves(self) -> None:
        """A client that leaves in the middle leaves nothing, and what it would replace stays."""
        etag = self.put("a", b"first").headers["ETag"]
        for name, headers in (("a", [("If-Match", etag)]), ("b", [])):
            connection = self.site.connect()
            connection.send(head("PUT", f"/api/v1/albums/films/{name}", b"half", headers) + b"ha")
            connection.leave()
        self.assertEqual((self.names(), self.memory.incoming), ([b"a"], set()))
        self.assertEqual(self.bytes_of("a"), b"first")

    def test_away(self) -> None:
        """A store that is away refuses, at whatever step: 503."""
        for name in ("stat", "receive", "write", "keep"):
            self.store.fails[name] = StoreUnavailable("away")
            self.assertEqual(self.put("a", b"x").status, 503)
            self.store.fails.clear()


class DeleteTests(AlbumCase):
    """Removing members."""

    def test_gone(self) -> None:
        """It is gone; the same once more finds nothing, and so does what was never there."""
        self.put("a", b"x")
        self.assertEqual(self.ask("DELETE", "films/a").status, 204)
        for name in ("films/a", "films/.hidden", ".hidden/a", "films/a%00", "films/%FF"):
            answer = self.ask("DELETE", name)
            self.assertEqual((answer.status, problem(answer)["detail"]), (404, "File was not found"))

    def test_of_one_version(self) -> None:
        """With ``If-Match`` only that version goes: 412 for another."""
        etag = self.put("a", b"x").headers["ETag"]
        self.assertEqual(self.ask("DELETE", "films/a", If_Match='"other"').status, 412)
        self.assertEqual(self.ask("DELETE", "films/a", If_Match=etag).status, 204)

    def test_name_of_any_bytes(self) -> None:
        """A name that is not UTF-8 can be removed."""
        self.memory.put("films", b"caf\xe9", b"x")
        self.assertEqual(self.ask("DELETE", "films/caf%E9").status, 204)

    def test_stored_file(self) -> None:
        """A stored file that is removed so has no row any more; another file beside it does not matter."""
        file = self.site.stored("a.txt", b"x")
        album = file["short_name"]
        self.ask("PUT", f"{album}/b.txt", b"y")
        self.assertEqual(self.ask("DELETE", f"{album}/b.txt").status, 204)
        self.assertEqual(self.site.rows(), [album])
        self.assertEqual(self.ask("DELETE", f"{album}/a.txt").status, 204)
        self.assertEqual(self.site.rows(), [])
        self.assertEqual(self.successResultOf(self.site.files.unsettled()), [])

    def test_stored_file_of_another_version(self) -> None:
        """With ``If-Match`` a stored file that another request replaces meanwhile stays, with its row."""
        file = self.site.stored("a.txt", b"x")
        album = file["short_name"]
        member = self.successResultOf(self.site.store.stat(album, b"a.txt"))
        uploads = self.site.uploads
        self.memory.put(album, b"a.txt", b"newer")
        removing = deferred(uploads.remove_member(album, b"a.txt", member.version))
        self.failureResultOf(removing, MemberChanged)
        self.assertEqual(self.site.rows(), [album])
        self.assertEqual(self.site.ask("GET", f"/api/v1/download-full/{album}").body, b"newer")

    def test_away(self) -> None:
        """A store that is away removes nothing: 503."""
        self.put("a", b"x")
        self.store.fails["delete"] = StoreUnavailable("away")
        self.assertEqual(self.ask("DELETE", "films/a").status, 503)


class GetTests(AlbumCase):
    """Members themselves."""

    def test_get(self) -> None:
        """A member is sent as a stored file is: with its type, ranges, and the last part of its name."""
        self.put("a/%D1%84.txt", b"hello")
        answer = self.ask("GET", "films/a/%D1%84.txt", Range="bytes=1-2")
        self.assertEqual((answer.status, answer.body), (206, b"el"))
        name = "inline; filename=\"_.txt\"; filename*=UTF-8''%D1%84.txt"
        self.assertEqual(answer.headers["Content-Disposition"], name)
        self.assertNotIn("films", str(answer.headers))

    def test_not_there(self) -> None:
        """What is not there, hidden, or outside, is not found."""
        self.put("a", b"x")
        for name in (
            "films/b",
            "films/.a",
            "films/a/",
            "films/a/b",
            "films/../films/a",
            "films/%2e%2e/a",
            "x/a",
        ):
            self.assertEqual(self.ask("GET", name).status, 404, name)


class DiskTests(SynchronousTestCase):
    """What only a disk has."""

    def test_too_deep(self) -> None:
        """Folders that nest deeper than a listing would show are refused with a sentence: 422."""
        root = Path(self.mktemp())
        root.mkdir()
        site = FilesSite(DiskStore(str(root), at_once, time.perf_counter), MemoryFiles())
        answer = site.ask("PUT", "/api/v1/albums/films/" + "x/" * 110 + "x", b"x")
        self.assertEqual(answer.status, 422)
        problem(answer)
        self.assertEqual(list(root.iterdir()), [])
