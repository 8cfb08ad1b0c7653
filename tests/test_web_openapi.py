"""Tests of `fileserve.web.openapi`: the description of the API, and whether the API is what it describes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFiles
from fileserve.storage.errors import NoSpace, StoreUnavailable
from fileserve.storage.memory import MemoryStore
from fileserve.web.api import Api
from fileserve.web.openapi.document import document
from fileserve.web.openapi.operations import EXAMPLE_ORIGIN
from fileserve.web.openapi.page import Reader
from fileserve.web.sessions import Sessions

from .filesupport import FORM_TYPE, KEY, FilesSite, file_field, form
from .support import Answer, ask

_METHODS = ("get", "head", "post", "put", "delete")

_ALBUM = "3bea29ccabbbf64bdebcc055319c5745"

#: How a real answer and a described one are told apart.
_Operation = dict[str, Any]


def _operations(whole: dict[str, Any]) -> Iterator[tuple[str, str, _Operation]]:
    for path, item in whole["paths"].items():
        for method in item:
            yield path, method, item[method]


def _resolved(whole: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    found: Any = whole
    for key in piece.get("$ref", "#").split("/")[1:]:
        found = found[key]
    return found if "$ref" in piece else piece


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise SkipTest(f"{module} is not installed") from None


class DocumentTests(SynchronousTestCase):
    """What the document says."""

    def setUp(self) -> None:
        self.document = document(open_uploads=False)

    def test_valid(self) -> None:
        """It is an OpenAPI 3.1 document, with or without open uploads."""
        validator = _needed("openapi_spec_validator").OpenAPIV31SpecValidator
        for open_uploads in (False, True):
            errors = validator(document(open_uploads=open_uploads)).iter_errors()
            self.assertEqual([str(error) for error in errors], [])

    def test_all_routes(self) -> None:
        """Each route is described with its methods, and nothing else is; HEAD only where there is GET."""
        routes = {
            (re.sub(r"<[^>]*>", "{}", rule.rule), method.lower())
            for rule in Api.app.url_map.iter_rules()
            for method in (rule.methods or ())
        }
        described = {
            (re.sub(r"{[^}]*}", "{}", path), method) for path, method, _ in _operations(self.document)
        }
        self.assertEqual({each for each in routes if each[1] not in {"head", "options"}} - described, set())
        self.assertEqual(described - routes, set())

    def test_parameters_of_paths(self) -> None:
        """Each name in a path is a required parameter of each of its operations, and there is no other."""
        for path, method, operation in _operations(self.document):
            parameters = [_resolved(self.document, each) for each in operation.get("parameters", ())]
            named = {each["name"] for each in parameters if each["in"] == "path" and each["required"]}
            self.assertEqual(named, set(re.findall(r"{(\w+)}", path)), (path, method))

    def test_identities(self) -> None:
        """No two operations have one identity, so that generated clients call no two functions the same."""
        identities = [operation["operationId"] for _, _, operation in _operations(self.document)]
        self.assertEqual(len(identities), len(set(identities)))

    def test_no_component_unused(self) -> None:
        """Each component is pointed to, and what is pointed to is there."""
        text = json.dumps(self.document)
        pointed = set(re.findall(r'"#/components/(\w+/[\w-]+)"', text))
        there = {
            f"{section}/{name}"
            for section, components in self.document["components"].items()
            for name in components
            if section != "securitySchemes"
        }
        self.assertEqual(pointed, there)

    def test_examples(self) -> None:
        """The examples of schemas and of problems are of their schemas."""
        schemas = self.document["components"]["schemas"]
        for name, schema in schemas.items():
            for example in schema.get("examples", ()):
                _validate(self.document, {"$ref": f"#/components/schemas/{name}"}, example)
        for response in self.document["components"]["responses"].values():
            content = response["content"]["application/problem+json"]
            _validate(self.document, content["schema"], content["example"])

    def test_permission(self) -> None:
        """What takes the upload key is said, and without a key answered by 401; what is for all, is not."""
        site = FilesSite()
        for path, method, operation in _operations(self.document):
            target = re.sub(r"{\w+}", "x", path)
            status = site.ask(
                method.upper(), target, b"" if method in {"post", "put"} else None, key=None
            ).status
            self.assertEqual(status == 401, operation["security"] == [{"upload_key": []}], (path, method))
            if status == 401:
                self.assertIn("401", operation["responses"])

    def test_open_uploads(self) -> None:
        """With open uploads the key is optional for the three kinds of upload, and for nothing else."""
        optional = [
            operation["operationId"]
            for _, _, operation in _operations(document(open_uploads=True))
            if {} in operation["security"]
        ]
        self.assertEqual(optional, ["uploadForm", "uploadFile", "putMember"])

    def test_handbook(self) -> None:
        """The handbook calls only addresses that are described, and what it shows as JSON is JSON."""
        text = (Path(__file__).parents[1] / "docs" / "api.rst").read_text(encoding="utf-8")
        paths = "|".join(re.sub(r"{\w+}", ".+", path) for path in self.document["paths"])
        called = re.findall(r"\$FILES(/api/[^\s?\"]*)", text)
        self.assertGreater(len(called), 10)
        for address in called:
            # Behind a slash at the end, curl -T writes the name of the file.
            self.assertRegex(address + "x" * address.endswith("/"), f"^({paths})x?$")
        for example in re.findall(r"\.\. code-block:: json\n\n((?: {4}.*\n)+)", text):
            json.loads(example)

    def test_curl(self) -> None:
        """Each operation has an example for curl, of its address, its method and its permission."""
        for path, method, operation in _operations(self.document):
            [sample] = operation["x-codeSamples"]
            words = shlex.split(sample["source"])
            self.assertEqual(words[0], "curl")
            [address] = [word for word in words if word.startswith(EXAMPLE_ORIGIN)]
            # With -T curl writes the name of the file behind the last slash.
            shown = urlsplit(address).path + ("x" if "-T" in words else "")
            self.assertRegex(shown, "^" + re.sub(r"{\w+}", "[^/]+", path) + "$")
            self.assertEqual(_method_of(words), method, words)
            self.assertEqual("Authorization: Bearer KEY" in words, operation["security"] != [], words)


def _method_of(words: list[str]) -> str:
    """The method that curl uses."""
    if "-X" in words:
        return words[words.index("-X") + 1].lower()
    methods = {"-T": "put", "-F": "post", "-I": "head"}
    return next((method for option, method in methods.items() if option in words), "get")


def _validate(whole: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    """Fail unless a value is of a schema of the document."""
    validator = _needed("jsonschema").Draft202012Validator
    root = {"components": whole["components"], "allOf": [schema]}
    validator(root, format_checker=validator.FORMAT_CHECKER).validate(value)


class _FailingStore(MemoryStore):
    """Takes nothing."""

    error: Exception

    def receive(self, *_: object) -> Deferred[Any]:
        return fail(self.error)


class _FailingFiles(MemoryFiles):
    """Lists nothing."""

    error: Exception

    def page(self, *_: object) -> Deferred[Any]:
        return fail(self.error)


class AnswersTests(SynchronousTestCase):
    """Real answers are those that are described: their statuses, headers, media types and bodies."""

    def setUp(self) -> None:
        self.document = document(open_uploads=False)
        self.site = FilesSite()
        self.operations = {each["operationId"]: (path, each) for path, _, each in _operations(self.document)}
        self.methods = {each["operationId"]: method.upper() for _, method, each in _operations(self.document)}

    def see(
        self, identity: str, status: int, tail: str = "", body: bytes | None = None, **more: Any
    ) -> Answer:
        """
        Ask, and compare the answer with its description.

        :param more: values of the path's parameters, and ``headers`` and ``key``.
        """
        path, operation = self.operations[identity]
        how = {name: more.pop(name) for name in ("headers", "key") if name in more}
        answer = self.site.ask(self.methods[identity], path.format(**more) + tail, body, **how)
        self.assertEqual(answer.status, status, (identity, answer))
        self.assertIn(str(status), operation["responses"])
        self.compare(_resolved(self.document, operation["responses"][str(status)]), answer, identity)
        return answer

    def compare(self, described: dict[str, Any], answer: Answer, identity: str) -> None:
        for name, header in described.get("headers", {}).items():
            found = _resolved(self.document, header)
            value = answer.headers.get(name)
            if value is None:
                self.assertFalse(found.get("required", False), (identity, name))
                continue
            schema = found["schema"]
            _validate(self.document, schema, int(value) if schema.get("type") == "integer" else value)
        content = described.get("content")
        if content is None or self.methods[identity] == "HEAD":
            self.assertEqual(answer.body, b"")
            return
        kind = answer.headers.get_content_type()
        media = content.get(kind, content.get("*/*"))
        self.assertIsNotNone(media, (identity, kind))
        if kind.endswith("json") and "schema" in media:
            _validate(self.document, media["schema"], json.loads(answer.body))

    def test_uploads(self) -> None:
        """Files that come in, one or several, and every way in which that goes wrong."""
        one, two = file_field("a.txt", b"a"), file_field("b.txt", b"b")
        self.see("uploadForm", 201, body=form(one), headers=[FORM_TYPE])
        self.see("uploadForm", 201, body=form(one, two), headers=[FORM_TYPE])
        self.see("uploadForm", 400, body=b"no form", headers=[FORM_TYPE])
        self.see("uploadForm", 415, body=b"{}", headers=[("Content-Type", "application/json")])
        self.see("uploadForm", 422, body=form(file_field("a.txt", b"a", "other")), headers=[FORM_TYPE])
        self.see("uploadForm", 401, body=form(one), headers=[FORM_TYPE], key=None)
        self.see("uploadForm", 413, body=form(*[one] * 1001), headers=[FORM_TYPE])
        self.see("uploadFile", 201, body=b"", filename="%C3%BC%20%22.txt")
        self.see("uploadFile", 404, body=b"", filename="a%2Fb")

    def test_wrong_keys(self) -> None:
        """Wrong keys are refused, and after some of them all keys are."""
        for _ in range(10):
            self.see("listFiles", 401, key="wrong")
        self.see("listFiles", 429)
        self.see("uploadFile", 429, body=b"", filename="a")

    def test_stored_files(self) -> None:
        """What is asked of stored files."""
        name = self.site.stored()["short_name"]
        self.site.stored(data=b"\0")
        self.see("listFiles", 200)
        shown = self.see("listFiles", 200, "?limit=1&processed=false")
        after = json.loads(shown.body)["next"]
        _validate(self.document, self.document["components"]["parameters"]["after_files"]["schema"], after)
        self.see("listFiles", 200, f"?after={after}")
        self.see("listFiles", 422, "?after=x")
        self.see("describeFile", 200, short_name=name, key=None)
        self.see("describeFile", 404, short_name="x")
        self.see("removeFile", 204, short_name=name)
        self.see("removeFile", 404, short_name=name)

    def test_limits_of_parameters(self) -> None:
        """The largest and smallest values that are described are taken, and those beyond are not."""
        name = self.site.stored()["short_name"]
        self.site.ask("PUT", f"/api/v1/albums/{_ALBUM}/1.txt", b"")
        places: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
            ("listFiles", "limit_files", "limit", {}),
            ("listAlbum", "limit_members", "limit", {"album": _ALBUM}),
            ("linkFile", "expires", "expires", {"short_name": name}),
        )
        for identity, component, parameter, values in places:
            schema = self.document["components"]["parameters"][component]["schema"]
            for number in (schema["minimum"], schema["default"], schema["maximum"], ""):
                self.see(identity, 200, f"?{parameter}={number}", **values)
            for number in (schema["minimum"] - 1, schema["maximum"] + 1, "x"):
                self.see(identity, 422, f"?{parameter}={number}", **values)

    def test_defaults(self) -> None:
        """As many files as are listed unless it is said how many."""
        album = {f"{number:04}": b"" for number in range(1001)}
        for name in album:
            self.site.ask("PUT", f"/api/v1/albums/{_ALBUM}/{name}", b"")
        shown = json.loads(self.see("listAlbum", 200, album=_ALBUM).body)["members"]
        self.assertEqual(len(shown), self._default("limit_members"))
        for _ in range(self._default("limit_files") + 1):
            self.site.stored()
        shown = json.loads(self.see("listFiles", 200).body)["files"]
        self.assertEqual(len(shown), self._default("limit_files"))

    def _default(self, parameter: str) -> int:
        found: int = self.document["components"]["parameters"][parameter]["schema"]["default"]
        return found

    def test_downloads(self) -> None:
        """Bytes of files: whole, in parts, not again, and not at all."""
        name = self.site.stored(data=b"0123456789")["short_name"]
        self.site.ask("PUT", f"/api/v1/albums/{_ALBUM}/1.txt", b"0123456789")
        places: tuple[tuple[str, dict[str, Any]], ...] = (
            ("showFile", {"short_name": name}),
            ("saveFile", {"short_name": name}),
            ("getMember", {"album": _ALBUM, "name": "1.txt"}),
            ("followLink", {"id": self._signed(name)}),
        )
        for identity, values in places:
            etag = self.see(identity, 200, **values).headers["ETag"]
            self.see(identity, 206, headers=[("Range", "bytes=1-2")], **values)
            self.see(identity, 206, headers=[("Range", "bytes=1-2,4-5")], **values)
            self.see(identity, 304, headers=[("If-None-Match", etag)], **values)
            self.see(identity, 412, headers=[("If-Match", '"other"')], **values)
            self.see(identity, 416, headers=[("Range", "bytes=10-")], **values)
            self.see(identity + "Head", 200, headers=[("Range", "bytes=1-2")], **values)
            self.see(identity + "Head", 304, headers=[("If-None-Match", etag)], **values)
            self.see(identity + "Head", 412, headers=[("If-Match", '"other"')], **values)

    def _signed(self, short_name: str) -> str:
        """The last segment of a link, with its query."""
        link = json.loads(self.see("linkFile", 200, short_name=short_name).body)
        return str(link.rpartition("/")[2])

    def test_links(self) -> None:
        """Links that are whole, broken, too old, and of a file that is gone."""
        name = self.site.stored()["short_name"]
        signed = self._signed(name)
        self.see("followLink", 200, id=signed, key=None)
        self.see("followLink", 403, id=signed + "x")
        self.see("followLink", 403, id=signed.partition("?")[0])
        self.see("linkFile", 404, short_name="x")
        self.see("linkFile", 422, "?direct=1", short_name=name)
        self.site.clock.advance(86_401)
        self.see("followLink", 410, id=signed)
        signed = self._signed(name)
        self.see("removeFile", 204, short_name=name)
        self.see("followLink", 404, id=signed)

    def test_albums(self) -> None:
        """What is asked of albums and their members."""
        place: dict[str, Any] = {"album": _ALBUM, "name": "raw/1.txt"}
        self.see("listAlbum", 404, album=_ALBUM)
        self.see("getMember", 404, **place)
        self.see("getMemberHead", 404, **place)
        etag = self.see("putMember", 201, body=b"1", **place).headers["ETag"]
        self.see("putMember", 409, body=b"1", **place)
        self.see("putMember", 412, body=b"1", headers=[("If-None-Match", "*")], **place)
        self.see("putMember", 412, body=b"1", headers=[("If-Match", '"other"')], **place)
        self.see("putMember", 422, body=b"1", album=_ALBUM, name="CON")
        self.see("putMember", 422, body=b"1", album="%20", name="1.txt")
        self.see("putMember", 404, body=b"1", album=_ALBUM, name="a%2Fb")
        self.see("putMember", 401, body=b"1", key=None, **place)
        self.see("putMember", 200, body=b"2", headers=[("If-Match", etag)], **place)
        self.see("putMember", 201, body=b"2", album=_ALBUM, name="2.txt")
        shown = self.see("listAlbum", 200, "?limit=1", album=_ALBUM, key=None)
        self.see("listAlbum", 200, f"?after={json.loads(shown.body)['next']}", album=_ALBUM)
        self.see("removeMember", 412, headers=[("If-Match", etag)], **place)
        self.see("removeMember", 204, **place)
        self.see("removeMember", 404, **place)

    def test_facts_not_known(self) -> None:
        """A member of which nothing is known but what the store says is described all the same."""
        self.site.ask("PUT", f"/api/v1/albums/{_ALBUM}/1.txt", b"1")
        self.successResultOf(self.site.facts.forget(_ALBUM, ()))
        [member] = json.loads(self.see("listAlbum", 200, album=_ALBUM).body)["members"]
        self.assertIsNone(member["sha256"])

    def test_no_property_unsaid(self) -> None:
        """Every property of an answer is described."""
        schemas = self.document["components"]["schemas"]
        stored = self.site.stored()
        self.assertEqual(list(stored), list(schemas["StoredFile"]["properties"]))
        member = json.loads(self.site.ask("PUT", f"/api/v1/albums/{_ALBUM}/1.txt", b"").body)
        self.assertEqual(list(member), list(schemas["Member"]["properties"]))
        for target, schema in (("/api/v1/", "FilePage"), (f"/api/v1/albums/{_ALBUM}/", "AlbumPage")):
            shown = json.loads(self.site.ask("GET", target).body)
            self.assertEqual(list(shown), list(schemas[schema]["properties"]))
        problem = json.loads(self.site.ask("GET", "/api/v1/x").body)
        self.assertEqual(list(problem), list(schemas["Problem"]["properties"]))

    def test_trouble(self) -> None:
        """No room, no store, no catalogue, a fault, and a form of another site with a browser's session."""
        store, files = _FailingStore(), _FailingFiles()
        self.site = FilesSite(store, files)
        store.error = NoSpace("full")
        self.see("uploadFile", 507, body=b"", filename="a")
        store.error = StoreUnavailable("away")
        self.see("putMember", 503, body=b"", album=_ALBUM, name="1.txt")
        files.error = CatalogueUnavailable("catalogue", "locked")
        self.see("listFiles", 503)
        files.error = RuntimeError("a fault")
        self.see("listFiles", 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        session = Sessions(self.site.keys.session_key).begin(self.site.clock.seconds())
        elsewhere = [("Cookie", f"fileserve={session}"), ("Sec-Fetch-Site", "cross-site")]
        self.see("uploadFile", 403, body=b"", filename="a", headers=elsewhere, key=None)

    def test_itself(self) -> None:
        """The description, its page, and addresses without their slash."""
        self.see("getDescription", 200, key=None)
        self.see("getDescriptionPage", 200, key=None)
        self.see("getWithoutSlash", 308)
        self.see("postWithoutSlash", 308, body=b"")
        self.see("listAlbumWithoutSlash", 308, album=_ALBUM)

    def test_other_methods(self) -> None:
        """Every address answers other methods by 405, and OPTIONS by the methods that are described."""
        for path, item in self.document["paths"].items():
            target = re.sub(r"{\w+}", "x", path)
            answer = self.site.ask("PATCH", target)
            described = _resolved(self.document, {"$ref": "#/components/responses/MethodNotAllowed"})
            self.assertEqual(answer.status, 405, path)
            identity = item[next(iter(item))]["operationId"]
            self.compare(described, answer, identity)
            allowed = set(self.site.ask("OPTIONS", target).headers["Allow"].lower().split(", "))
            self.assertEqual(allowed - {"head", "options"}, set(item) - {"head"}, path)


class ServedTests(SynchronousTestCase):
    """The document and its page as they are served."""

    def setUp(self) -> None:
        self.site = FilesSite()

    def test_json(self) -> None:
        """It is the document, and pages of every site may read it."""
        answer = self.site.ask("GET", "/api/openapi.json", key=None)
        self.assertEqual(json.loads(answer.body), document(open_uploads=False))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")

    def test_open_uploads(self) -> None:
        """A server that lets everybody upload says so."""
        answer = FilesSite(open_uploads=True).ask("GET", "/api/openapi.json")
        self.assertEqual(json.loads(answer.body), document(open_uploads=True))

    def test_conditions(self) -> None:
        """Who has it already is told so; who wants another version is refused; dates don't count."""
        etag = self.site.ask("GET", "/api/openapi.json").headers["ETag"]
        self.assertRegex(etag, '^"[0-9a-f]{32}"$')
        for headers, status in (
            ([("If-None-Match", etag)], 304),
            ([("If-None-Match", "*")], 304),
            ([("If-None-Match", '"other"')], 200),
            ([("If-Match", etag)], 200),
            ([("If-Match", '"other"')], 412),
            ([("If-Modified-Since", "Fri, 20 Nov 2026 22:03:24 GMT")], 200),
            ([("If-Unmodified-Since", "Fri, 20 Nov 2026 22:03:24 GMT")], 200),
        ):
            answer = self.site.ask("GET", "/api/openapi.json", headers=headers)
            self.assertEqual(answer.status, status, headers)
            self.assertEqual(answer.headers["ETag"], etag)
            self.assertEqual(answer.body == b"", status == 304)

    def test_head(self) -> None:
        """HEAD says what GET would."""
        whole = self.site.ask("GET", "/api/openapi.json")
        answer = self.site.ask("HEAD", "/api/openapi.json")
        self.assertEqual(answer.body, b"")
        self.assertEqual(answer.headers.items(), whole.headers.items())

    def test_page(self) -> None:
        """The page shows every operation, parameter, schema and example, and runs no script."""
        page = self.site.ask("GET", "/api/openapi", key=None)
        text = page.body.decode()
        whole = document(open_uploads=False)
        for path, method, operation in _operations(whole):
            self.assertIn(f'id="{operation["operationId"]}"><code>{method.upper()} {path}</code>', text)
        for component in whole["components"]["parameters"].values():
            self.assertIn(f"<code>{component['name']}</code>", text)
        for name in ("StoredFile", "Member", "Problem"):
            self.assertIn(f'id="{name}"', text)
        self.assertIn("curl -r 0-1023 http://files.example/api/v1/download-stream/", text)
        self.assertNotIn(EXAMPLE_ORIGIN, text)
        self.assertNotIn("<script", text)
        self.assertNotIn(KEY, text)

    def test_every_link_of_the_page(self) -> None:
        """What the page points to within itself is there once."""
        text = self.site.ask("GET", "/api/openapi").body.decode()
        places = re.findall(r' id="([^"]+)"', text)
        self.assertEqual(len(places), len(set(places)))
        self.assertLessEqual(set(re.findall(r'href="#([^"]+)"', text)), set(places))

    def test_hostile_host(self) -> None:
        """The name by which the client calls the server can't become a part of the page."""
        answer = ask(self.site.site, "/api/openapi", headers=[("Host", "x")])
        self.assertEqual(answer.status, 400)
        hostile = b"GET /api/openapi HTTP/1.1\r\nHost: a';<b>&c\r\n\r\n"
        connection = self.site.connect()
        connection.send(hostile)
        received = connection.received()
        connection.leave()
        self.assertNotIn(b"<b>", received)


class ReaderTests(SynchronousTestCase):
    """The document in words."""

    def test_every_operation(self) -> None:
        """All operations are in a group, in the order of the document."""
        whole = document(open_uploads=False)
        shown = [each.identity for group in Reader(whole).groups() for each in group.operations]
        described = [operation["operationId"] for _, _, operation in _operations(whole)]
        self.assertEqual(shown, described)

    def test_meaning_beside_a_reference(self) -> None:
        """What an answer means for one operation goes before what it means in general."""
        [group] = [each for each in Reader(document(open_uploads=False)).groups() if each.name == "Albums"]
        listing = next(each for each in group.operations if each.identity == "listAlbum")
        meanings = {answer.status: answer.description for answer in listing.answers}
        self.assertEqual(meanings["404"], "There is no such album.")
        self.assertEqual(meanings["500"], "A fault of the server.")

    def test_kinds(self) -> None:
        """Schemas in a few words."""
        [group] = [each for each in Reader(document(open_uploads=True)).groups() if each.name == "Files"]
        listing = next(each for each in group.operations if each.identity == "listFiles")
        kinds = {field.name: field.kind for field in listing.parameters}
        self.assertEqual(kinds["limit"], "integer, 1 to 1000; 100 unless it is given")
        self.assertEqual(kinds["processed"], "boolean")
        upload = next(each for each in group.operations if each.identity == "uploadForm")
        self.assertEqual(upload.permission, "Everybody may.")
