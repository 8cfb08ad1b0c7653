"""
Tests of who may do what: the rules one by one, and then every route with every method.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.memory import MemoryFiles
from fileserve.storage.memory import MemoryStore
from fileserve.web.api import Api
from fileserve.web.filespages import FilePages
from fileserve.web.keys import Keys
from fileserve.web.root import Root
from fileserve.web.sessions import LASTS, Sessions
from fileserve.web.signin import SignIn

from .filesupport import BEGIN, FORM_TYPE, KEY, FilesSite, Spied, file_field, form, head, problem
from .support import Answer, Connection, parse

Headers = Sequence[tuple[str, str]]

_OURS = ("Sec-Fetch-Site", "same-origin")


def cookie(key: str = KEY, began: float = BEGIN) -> tuple[str, str]:
    """The cookie of a browser that signed in with a key."""
    return "Cookie", "a=b; fileserve=" + Sessions(Keys.parse(key).session_key).begin(began)


class RuleTests(SynchronousTestCase):
    """The list of files, which takes the key, and removing one, which writes."""

    def setUp(self) -> None:
        self.site = FilesSite()

    def ask(self, *headers: tuple[str, str | bytes], method: str = "GET", target: str = "/api/v1/") -> Answer:
        return self.site.ask(method, target, headers=headers, key=None)

    def remove(self, *headers: tuple[str, str]) -> int:
        file = self.site.stored()
        return self.ask(*headers, method="DELETE", target=f"/api/v1/{file['short_name']}").status

    def wrong(self, times: int) -> None:
        for _ in range(times):
            self.assertEqual(self.ask(("Authorization", "Bearer wrong")).status, 401)

    def test_key(self) -> None:
        """S1-W9, S2-W6: who sends the key may, whatever page it comes from."""
        for value in (f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "):
            self.assertEqual(self.ask(("Authorization", value)).status, 200)
        self.assertEqual(
            self.remove(("Authorization", f"Bearer {KEY}"), ("Sec-Fetch-Site", "cross-site")), 204
        )

    def test_wrong_key(self) -> None:
        """Who sends another may not, and is told what is asked for: 401."""
        for value in (
            f"Bearer {KEY}x",
            f"Bearer {KEY[:-1]}",
            "Bearer x",
            b"Bearer \xff\xfe",
            b"Bearer \xc3\xa9",
        ):
            answer = self.ask(("Authorization", value))
            self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
            self.assertEqual(problem(answer)["detail"], "This is not the upload key.")

    def test_no_key(self) -> None:
        """Nor may who sends none, or another kind of permission, or a cookie that is no session of ours."""
        for header in (
            ("X", "x"),
            ("Authorization", "Bearer"),
            ("Authorization", "Bearer "),
            ("Authorization", f"Basic {KEY}"),
            ("Authorization", KEY),
            ("Authorization", b"\xff\xfe"),
            ("Cookie", f"fileserve={KEY}"),
            ("Cookie", b"fileserve=\xff; \xfe"),
            cookie("another-key-for-uploads"),
            cookie(began=BEGIN - LASTS),
        ):
            answer = self.ask(header)
            self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"), header)

    def test_key_in_the_address(self) -> None:
        """A key in the query permits nothing, so that none stands in logs."""
        self.assertEqual(self.ask(target=f"/api/v1/?key={KEY}").status, 401)

    def test_session(self) -> None:
        """A browser that signed in may, for twelve hours."""
        self.assertEqual(self.ask(cookie()).status, 200)
        self.site.clock.advance(LASTS - 1)
        self.assertEqual(self.ask(cookie()).status, 200)
        self.site.clock.advance(1)
        self.assertEqual(self.ask(cookie()).status, 401)

    def test_session_writes_from_our_pages(self) -> None:
        """A cookie writes only from our own pages: 403."""
        self.assertEqual(self.remove(cookie(), _OURS), 204)
        self.assertEqual(self.remove(cookie(), ("Origin", "http://files.example")), 204)
        for others in (
            [],
            [("Sec-Fetch-Site", "cross-site")],
            [("Sec-Fetch-Site", "same-site")],
            [("Sec-Fetch-Site", "none")],
            [("Origin", "http://evil.example")],
            [("Origin", "null")],
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://files.example")],
        ):
            self.assertEqual(self.remove(cookie(), *others), 403, others)

    def test_wrong_key_beside_a_session(self) -> None:
        """Who sends a key is judged by it."""
        self.assertEqual(self.ask(cookie(), ("Authorization", "Bearer wrong")).status, 401)

    def test_too_many(self) -> None:
        """After ten wrong keys in a minute no key is looked at, the right one neither: 429."""
        self.wrong(10)
        for key in ("wrong", KEY):
            answer = self.ask(("Authorization", f"Bearer {key}"))
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "60"))
            problem(answer)
        self.site.clock.advance(60)
        self.assertEqual(self.ask(("Authorization", f"Bearer {KEY}")).status, 200)

    def test_what_does_not_count(self) -> None:
        """Missing keys and bad cookies are no guesses, and neither is the right key."""
        self.wrong(9)
        for header in (
            ("X", "x"),
            ("Authorization", "Bearer "),
            ("Cookie", "fileserve=x"),
            ("Authorization", f"Bearer {KEY}"),
        ):
            for _ in range(5):
                self.ask(header)
        self.assertEqual(self.ask(("Authorization", f"Bearer {KEY}")).status, 200)

    def test_who_signed_in_is_not_locked_out(self) -> None:
        """A session goes on while its address guesses."""
        self.wrong(10)
        self.assertEqual(self.ask(cookie()).status, 200)

    def test_others_are_not_locked_out(self) -> None:
        """Another address is not refused for it."""
        self.wrong(10)
        connection = Connection(self.site.site, IPv4Address("TCP", "192.0.2.8", 4711))
        connection.send(head("GET", "/api/v1/"))
        self.assertEqual(parse(connection.received()).status, 200)
        connection.leave()

    def test_open_uploads(self) -> None:
        """With open uploads everybody takes files in; to list, link, replace or remove them takes the key."""
        self.site = FilesSite(open_uploads=True)
        self.assertEqual(self.site.post(file_field("a", b"x"), key=None).status, 201)
        self.assertEqual(self.site.ask("PUT", "/api/v1/files/a", b"x", key=None).status, 201)
        made = self.site.ask("PUT", "/api/v1/albums/films/a", b"x", key=None)
        self.assertEqual(made.status, 201)
        name = self.site.rows()[0]
        for method, target, headers in (
            ("GET", "/api/v1/", []),
            ("GET", f"/api/v1/get-url/{name}", []),
            ("DELETE", f"/api/v1/{name}", []),
            ("DELETE", "/api/v1/albums/films/a", []),
            ("PUT", "/api/v1/albums/films/a", [("If-Match", made.headers["ETag"])]),
            ("PUT", "/api/v1/albums/films/a", [("If-Match", "*")]),
            ("PUT", "/api/v1/albums/films/a", [("If-Match", b"\xff")]),
        ):
            answer = self.site.ask(method, target, b"x", headers, key=None)
            self.assertEqual(answer.status, 401, (method, target))


#: What permits each method of each route. HEAD is as GET. Whoever adds a route adds it here.
_ROUTES: dict[tuple[str, str], str] = {
    ("/", "GET"): "everybody",
    ("/static/<any>", "GET"): "everybody",
    ("/archive/<album>", "GET"): "everybody",
    ("/archive/<album>/", "GET"): "everybody",
    ("/api/v1", "GET"): "everybody",
    ("/api/v1", "POST"): "everybody",
    ("/api/v1/", "GET"): "key",
    ("/api/v1/", "POST"): "upload",
    ("/api/v1/files/<name>", "PUT"): "upload",
    ("/api/v1/<short_name>", "GET"): "everybody",
    ("/api/v1/<short_name>", "DELETE"): "key",
    ("/api/v1/download-stream/<short_name>", "GET"): "everybody",
    ("/api/v1/download-full/<short_name>", "GET"): "everybody",
    ("/api/v1/get-url/<short_name>", "GET"): "key",
    ("/api/v1/linked/<identity>", "GET"): "link",
    ("/api/v1/albums/<album>", "GET"): "everybody",
    ("/api/v1/albums/<album>/", "GET"): "everybody",
    ("/api/v1/albums/<album>/<path:name>", "GET"): "everybody",
    ("/api/v1/albums/<album>/<path:name>", "PUT"): "upload",
    ("/api/v1/albums/<album>/<path:name>", "DELETE"): "key",
    ("/api/openapi.json", "GET"): "everybody",
    ("/api/openapi", "GET"): "everybody",
    ("/files", "GET"): "everybody",
    ("/files/", "GET"): "page",
    ("/files/", "POST"): "key",
    ("/files/<short_name>", "GET"): "everybody",
    ("/files/<short_name>/", "GET"): "page",
    ("/files/<short_name>/link", "GET"): "page",
    ("/files/<short_name>/delete", "GET"): "page",
    ("/files/<short_name>/delete", "POST"): "key",
    ("/sign-in", "GET"): "everybody",
    ("/sign-in", "POST"): "everybody",
    ("/sign-out", "POST"): "our pages",
}

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "COPY", "get")

_WRITES = {"receive", "write", "keep", "expect", "add", "remove", "delete", "settle"}

#: What permits nothing to be written, with what may at most be read by it.
_STRANGERS: dict[str, Headers] = {
    "nothing": [],
    "a wrong key": [("Authorization", "Bearer wrong")],
    "another kind of key": [("Authorization", f"Basic {KEY}")],
    "a cookie of another server": [cookie("another-key-for-uploads"), _OURS],
    "a cookie of yesterday": [cookie(began=BEGIN - LASTS), _OURS],
    "a cookie that was made up": [("Cookie", "fileserve=1"), _OURS],
}

_FOREIGN_PAGES: dict[str, Headers] = {
    "a cookie alone": [cookie()],
    "another site's page": [cookie(), ("Sec-Fetch-Site", "cross-site")],
    "another origin": [cookie(), ("Origin", "http://evil.example")],
}


@frozen
class Asked:
    """
    One method of one route.
    """

    rule: str
    method: str
    permitted: str
    target: str
    body: bytes | None
    headers: Headers


class EveryRouteTests(SynchronousTestCase):
    """Every rule of every table, with every method."""

    def setUp(self) -> None:
        self.journal: list[str] = []
        self.begin()

    def begin(self, *, open_uploads: bool = False) -> None:
        """A site with a stored file."""
        store, files = Spied(MemoryStore(), self.journal), Spied(MemoryFiles(), self.journal)
        self.site = FilesSite(store, files, open_uploads=open_uploads)
        self.file = self.site.stored("a.txt", b"hello")
        self.journal.clear()

    def rules(self) -> set[tuple[str, str]]:
        found = set()
        for tables in (Root, Api, FilePages, SignIn):
            for rule in tables.app.url_map.iter_rules():
                name = re.sub(r"<any\(.*\):name>", "<any>", rule.rule)
                found |= {(name, method) for method in (rule.methods or set()) - {"HEAD"}}
        return found

    def asked(self) -> Iterator[Asked]:
        """All that can be asked for, in the order in which the file is still there."""
        for (rule, method), permitted in sorted(_ROUTES.items(), key=lambda item: item[0][1] == "DELETE"):
            for each in (method, "HEAD") if method == "GET" else (method,):
                yield self.request(rule, each, permitted)

    def request(self, rule: str, method: str, permitted: str) -> Asked:
        target = rule
        for part, value in {
            "<any>": "style.css",
            "<album>": self.file["short_name"],
            "<short_name>": self.file["short_name"],
            "<identity>": self.file["id"],
            "<path:name>": "new.txt" if method == "PUT" else "a.txt",
            "<name>": "new.txt",
        }.items():
            target = target.replace(part, value)
        form_route = method == "POST" and not target.endswith("delete")
        body = form(file_field("b.txt", b"x")) if form_route else b"x" if method in {"PUT", "POST"} else None
        return Asked(rule, method, permitted, target, body, [FORM_TYPE] if form_route else [])

    def send(self, asked: Asked, headers: Headers) -> Answer:
        """Send it, without its body where that has to be asked for."""
        connection = self.site.connect()
        waits = [("Expect", "100-continue")] if asked.body else []
        connection.send(
            head(asked.method, asked.target, asked.body, [*asked.headers, *headers, *waits], key=None)
        )
        received = connection.received()
        if received.startswith(b"HTTP/1.1 100"):
            connection.send(asked.body or b"")
            self.journal.append("100 Continue")
            received = received.partition(b"\r\n\r\n")[2] + connection.received()
        connection.leave()
        return parse(received, asked.method)

    def written(self) -> set[str]:
        """What was done since to store and catalogue that writes."""
        done, self.journal[:] = _WRITES & set(self.journal), []
        return done

    def refused(self, asked: Asked, headers: Headers, who: str) -> Answer:
        """Nothing is written, and the body is not asked for."""
        answer = self.send(asked, headers)
        self.assertNotIn("100 Continue", self.journal, (asked, who))
        self.assertEqual(self.written(), set(), (asked, who))
        self.site.clock.advance(60)  # wrong keys are forgotten
        return answer

    def test_all_are_known(self) -> None:
        """The table has every route and method that there is, and no others."""
        self.assertEqual(self.rules(), set(_ROUTES))

    def test_strangers(self) -> None:
        """S1-W9, S2-W6: strangers write nothing, and read only what the secret name permits."""
        for who, headers in _STRANGERS.items():
            self.begin()
            for asked in self.asked():
                if asked.permitted in {"everybody", "link", "our pages"}:
                    continue
                answer = self.refused(asked, headers, who)
                if asked.permitted == "page" and answer.status == 303:
                    self.assertTrue(
                        answer.headers["Location"].startswith("../" * asked.target.count("/", 1) + "sign-in")
                    )
                    self.assertNotIn(b"hello", answer.body)
                else:
                    self.assertEqual(
                        (answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"), (asked, who)
                    )
            self.assertEqual(self.site.rows(), [self.file["short_name"]])

    def test_foreign_pages(self) -> None:
        """What a browser sends for another site's page writes nothing: 403."""
        for who, headers in _FOREIGN_PAGES.items():
            for asked in self.asked():
                if asked.method not in {"GET", "HEAD"} and asked.permitted in {"upload", "key", "our pages"}:
                    self.assertEqual(self.refused(asked, headers, who).status, 403, (asked, who))

    def test_reading_never_writes(self) -> None:
        """GET and HEAD write nothing, whoever asks, so that no link and no crawler does harm."""
        for headers in ([], [("Authorization", f"Bearer {KEY}")], [cookie()]):
            for asked in self.asked():
                if asked.method in {"GET", "HEAD"}:
                    self.assertNotIn(self.send(asked, headers).status, {404, 405, 500}, asked)
                    self.assertEqual(self.written(), set(), asked)

    def test_everybody_writes_nothing(self) -> None:
        """What is for everybody writes nothing, by whatever method."""
        for asked in self.asked():
            if asked.permitted in {"everybody", "link"}:
                self.send(asked, [("Authorization", f"Bearer {KEY}"), _OURS])
                self.assertEqual(self.written(), set(), asked)

    def test_who_may(self) -> None:
        """With the key, or signed in and from our pages, all works: nothing above is refused by chance."""
        for headers in ([("Authorization", f"Bearer {KEY}")], [cookie(), _OURS]):
            writes = set()
            for (rule, method), permitted in _ROUTES.items():
                if permitted in {"upload", "key", "page"}:
                    self.begin()
                    asked = self.request(rule, method, permitted)
                    answer = self.send(asked, headers)
                    self.assertIn(answer.status, {200, 201, 204, 303}, (asked, answer))
                    if method not in {"GET", "HEAD"}:
                        self.assertTrue(self.written(), asked)
                        writes.add((rule, method))
            self.assertEqual(len(writes), 7)

    def test_open_uploads(self) -> None:
        """With open uploads strangers upload by the API, and do nothing else."""
        for each in list(self.asked()):
            self.begin(open_uploads=True)
            asked = self.request(each.rule, each.method, each.permitted)
            answer = self.send(asked, [])
            self.assertEqual(bool(self.written()), asked.permitted == "upload", (asked, answer))

    def test_link(self) -> None:
        """A link that nobody signed gives nothing."""
        answer = self.send(self.request("/api/v1/linked/<identity>", "GET", "link"), [])
        self.assertEqual(answer.status, 403)

    def test_other_methods(self) -> None:
        """Every other method is refused with what there is, also with the key, and writes nothing."""
        by_rule: dict[str, set[str]] = {}
        for rule, method in _ROUTES:
            by_rule.setdefault(rule, {"OPTIONS"}).update({method, "HEAD"} if method == "GET" else {method})
        for rule, methods in by_rule.items():
            for method in _METHODS:
                asked = self.request(rule, method, "")
                if method in methods - {"OPTIONS"}:
                    continue
                answer = self.send(asked, [("Authorization", f"Bearer {KEY}")])
                if method in by_rule.get(rule + "/", set()) - {"OPTIONS"}:
                    self.assertEqual(answer.status, 308, asked)  # its slash is missing
                    continue
                self.assertEqual(answer.status, 204 if method == "OPTIONS" else 405, asked)
                self.assertEqual(answer.headers["Allow"], ", ".join(sorted(methods)), asked)
                self.assertEqual(self.written(), set(), asked)
