"""
How one operation of the API is written down.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .answers import empty, headers, problems
from .parameters import parameters
from .schemas import Piece

#: What examples call the server.
EXAMPLE_ORIGIN = "https://files.example"

_KEY = "-H 'Authorization: Bearer KEY'"

#: The upload key permits it.
WITH_KEY: list[Piece] = [{"upload_key": []}]

#: Nobody is asked for a key.
OPEN: list[Piece] = []

#: Everybody may, and who may more says so.
WITH_OR_WITHOUT: list[Piece] = [{}, *WITH_KEY]


def operation(
    identity: str, tag: str, summary: str, answers: Piece, takes: Iterable[str] = (), **more: Any
) -> Piece:
    """
    Describe an operation.

    :param identity: how generated clients call it; no two have the same.
    :param takes: names of its parameters.
    :param more: ``curl``, an example: see `_sample`; and ``description``, ``body``, ``security`` (nobody is
        asked unless it is given).
    """
    found: Piece = {"operationId": identity, "tags": [tag], "summary": summary}
    if "description" in more:
        found["description"] = more["description"]
    if named := parameters(*takes):
        found["parameters"] = named
    if "body" in more:
        found["requestBody"] = more["body"]
    found |= {"responses": _sorted(answers), "security": more.get("security", OPEN)}
    # The name by which tools that show such documents know examples.
    found["x-codeSamples"] = [_sample(more["curl"])]
    return found


def _sorted(answers: Piece) -> Piece:
    return {status: answers[status] for status in sorted(answers)}


def _sample(words: str) -> Piece:
    """
    Write an example: in the words, KEY stands for the option with the upload key, and a path for its address.
    """
    source = " ".join(["curl", *map(_spelled, words.split(" "))])
    return {"lang": "Shell", "label": "curl", "source": source}


def _spelled(word: str) -> str:
    if word == "KEY":
        return _KEY
    quoted = "'" if word.startswith("'") else ""
    path = word.removeprefix(quoted)
    return f"{quoted}{EXAMPLE_ORIGIN}{path}" if path.startswith("/") else word


def redirect(identity: str, tag: str, summary: str, curl: str, takes: Iterable[str] = ()) -> Piece:
    """
    Describe an address that leads to the same one with a slash at its end.
    """
    moved = empty("The address with a slash.", headers("Location"))
    return operation(identity, tag, summary, {"308": moved} | problems(), takes, curl=curl)


def head(get: Piece, path: str) -> Piece:
    """
    Describe HEAD beside a GET that sends bytes: it looks at conditions, and not at ranges.

    :param path: of an example.
    """
    ranges = {"#/components/parameters/Range", "#/components/parameters/If-Range"}
    return get | {
        "operationId": get["operationId"] + "Head",
        "summary": "The headers of what GET sends.",
        "parameters": [each for each in get["parameters"] if each["$ref"] not in ranges],
        "responses": {
            status: each for status, each in get["responses"].items() if status not in {"206", "416"}
        },
        "x-codeSamples": [_sample(f"-I {path}")],
    }
