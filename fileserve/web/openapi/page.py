"""
The document as the page of it shows it: references followed, schemas put in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from .operations import OPEN, WITH_KEY
from .schemas import Piece

_METHODS = ("get", "head", "post", "put", "delete")


@frozen
class Field:
    """
    A parameter, or a property of a schema.
    """

    name: str
    #: Of a parameter: path, query or header.
    place: str
    kind: str
    description: str
    required: bool


@frozen
class Answer:
    """
    What may be answered.
    """

    status: str
    description: str
    media_types: str
    headers: str


@frozen
class Operation:
    """
    One method of one address.
    """

    identity: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    body: str
    parameters: Sequence[Field]
    answers: Sequence[Answer]
    example: str


@frozen
class Group:
    """
    The operations of one tag.
    """

    name: str
    description: str
    operations: Sequence[Operation]


@frozen
class Schema:
    """
    An object that answers hold.
    """

    name: str
    description: str
    properties: Sequence[Field]


class Reader:
    """
    Reads a document.
    """

    def __init__(self, document: Piece) -> None:
        self._document = document

    def groups(self) -> Sequence[Group]:
        """
        The operations by tags, in the order of the document.
        """
        found = list(self._operations())
        return [
            Group(tag["name"], tag["description"], [each for name, each in found if name == tag["name"]])
            for tag in self._document["tags"]
        ]

    def schemas(self) -> Sequence[Schema]:
        """
        The objects, with their properties.
        """
        schemas = self._document["components"]["schemas"]
        return [
            Schema(name, schema["description"], [_property(schema, key) for key in schema["properties"]])
            for name, schema in schemas.items()
            if "properties" in schema
        ]

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for path, item in self._document["paths"].items():
            for method in _METHODS:
                if method in item:
                    yield item[method]["tags"][0], self._operation(method, path, item[method])

    def _operation(self, method: str, path: str, piece: Piece) -> Operation:
        return Operation(
            identity=piece["operationId"],
            method=method.upper(),
            path=path,
            summary=piece["summary"],
            description=piece.get("description", ""),
            permission=_permission(piece["security"]),
            body=_body(piece.get("requestBody")),
            parameters=[self._parameter(each) for each in piece.get("parameters", ())],
            answers=[self._answer(status, each) for status, each in piece["responses"].items()],
            example=piece["x-codeSamples"][0]["source"],
        )

    def _parameter(self, piece: Piece) -> Field:
        found = self._resolved(piece)
        kind = _kind(found["schema"])
        return Field(found["name"], found["in"], kind, found["description"], found["required"])

    def _answer(self, status: str, piece: Piece) -> Answer:
        found = self._resolved(piece)
        kinds = [_media(kind, each.get("schema", {})) for kind, each in found.get("content", {}).items()]
        return Answer(status, found["description"], ", ".join(kinds), ", ".join(found.get("headers", ())))

    def _resolved(self, piece: Piece) -> Piece:
        if "$ref" not in piece:
            return piece
        found: Any = self._document
        for key in piece["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        # What stands beside a reference takes the place of what it says.
        return {**found, **{key: value for key, value in piece.items() if key != "$ref"}}


def _permission(security: Sequence[Piece]) -> str:
    if security == OPEN:
        return ""
    return "Takes the upload key." if security == WITH_KEY else "Everybody may."


def _body(piece: Piece | None) -> str:
    if piece is None:
        return ""
    return f"{', '.join(piece['content'])}: {piece['description']}"


def _media(kind: str, schema: Piece) -> str:
    name = _named(schema)
    return f"{kind}: {name}" if name else kind


def _named(schema: Piece) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _property(schema: Piece, key: str) -> Field:
    found = schema["properties"][key]
    return Field(key, "", _kind(found), found.get("description", ""), key in schema["required"])


def _kind(schema: Piece) -> str:
    """
    A schema in a few words.
    """
    types = schema.get("type", _named(schema))
    words = " or ".join([types] if isinstance(types, str) else types)
    if "items" in schema:
        words += f" of {_kind(schema['items'])}"
    if "maximum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    if "enum" in schema:
        words += f": {', '.join(schema['enum'])}"
    if "default" in schema:
        words += f"; {str(schema['default']).lower()} unless it is given"
    return words
