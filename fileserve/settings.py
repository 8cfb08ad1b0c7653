"""
What the operator decides: the command line of ``twist fileserve`` and its environment, as values.

Nothing here may import the reactor, directly or not: ``twist --reactor`` has yet to choose one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from attrs import frozen
from twisted.python import usage

from fileserve import __version__
from fileserve.http.forwarded import Network
from fileserve.options import TABLE, Option
from fileserve.storage.s3location import S3Location


@frozen(kw_only=True)
class Settings:
    """
    The options after every one of them was found usable.

    :ivar path: what ``--path`` said; what counts is `storage`.
    :ivar logging: whether accesses and transfers are logged.
    :ivar delay: whether a pause stands before each chunk of an archive.
    :ivar listen: Twisted endpoint strings of the listeners; at least one.
    :ivar admin: the endpoint string of the listener for health and metrics; ``None`` is no such listener.
    :ivar state: the state directory, as it was given; it need not exist yet.
    :ivar storage: where the files are: a directory on disk, as it was given, or a part of a bucket.
    :ivar database: an SQLAlchemy URL of which only the scheme was looked at; ``None`` is SQLite in `state`.
    :ivar upload_key_file: the name of the file; ``None`` is ``upload-key`` in `state`.
    :ivar open_uploads: whether everybody may write.
    :ivar max_upload: bytes of the largest file taken, more than zero.
    :ivar min_free: bytes that uploads must leave free.
    :ivar gallery: the album that everybody may see; ``None`` is none.
    :ivar photo_max_age: whole days, more than zero, since a picture for the gallery was taken at the most;
        ``None`` is any number of them, and it need not say when.
    :ivar strip_location: whether pictures for the gallery lose where they were taken.
    :ivar preview_cache: bytes that previews may take, more than zero.
    :ivar trust_proxy: networks whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are believed.
    :ivar stall_timeout: seconds, more than zero.
    :ivar drain: seconds; zero cuts transfers at once.
    """

    path: str
    logging: bool
    delay: bool
    listen: tuple[str, ...]
    admin: str | None
    state: str
    storage: str | S3Location
    database: str | None
    upload_key_file: str | None
    open_uploads: bool
    max_upload: int
    min_free: int
    gallery: str | None
    photo_max_age: int | None
    strip_location: bool
    preview_cache: int
    trust_proxy: tuple[Network, ...]
    stall_timeout: float
    drain: float


_LISTEN = next(option for option in TABLE if option.several)


class Options(usage.Options):
    """
    The command line of ``twist fileserve``.

    :ivar settings: what came of it, after ``parseOptions``.
    """

    synopsis = "[options]"
    longdesc = (
        "The command line wins over the environment variable in brackets, and that over the default. A "
        "switch in the environment is 1 or 0, true or false, yes or no, on or off."
    )
    optFlags: ClassVar = [[o.long, o.short, o.describe()] for o in TABLE if not o.metavar]
    optParameters: ClassVar = [
        [o.long, o.short, None, o.describe()] for o in TABLE if o.metavar and not o.several
    ]

    settings: Settings

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """
        :param environ: the environment; it is read by ``parseOptions`` and not changed.
        """
        super().__init__()
        self._environ = _with_state_directory(environ)
        self._endpoints: list[str] = []

    def opt_listen(self, text: str) -> None:
        """Add a listener."""
        self._endpoints.append(text)

    opt_listen.__doc__ = _LISTEN.describe()

    def opt_version(self) -> NoReturn:
        """
        Display the version of fileserve and exit.
        """
        print(f"fileserve {__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read the command line, then the environment.

        :raise SystemExit: with one sentence for standard error, and so status 1, for the first value that
            can't be used. A ``UsageError`` would make ``twist`` print its whole help as well.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"twist fileserve: {str(error).rstrip('.')}.") from None

    def parseArgs(self, *arguments: str) -> None:
        """
        Refuse what is no option.
        """
        if arguments:
            raise usage.UsageError(f"{arguments[0]!r} is not an option, and there is nothing else to give")

    def postOptions(self) -> None:
        """
        Turn texts into settings.
        """
        values = {option.field: self._value(option) for option in TABLE}
        if values["storage"] is None:
            values["storage"] = values["path"]
        self.settings = Settings(**values)

    def _value(self, option: Option) -> Any:
        texts, source = self._texts(option)
        try:
            values = tuple(option.convert(text) for text in texts)
        except ValueError as error:
            raise usage.UsageError(f"{source}: {error}") from error
        if not option.several:
            return next(iter(values), None)
        if not values:
            raise usage.UsageError(f"{source}: at least one is needed")
        return values

    def _texts(self, option: Option) -> tuple[Sequence[str], str]:
        """What an option was given, as texts, and the words that say where it came from."""
        name = f"--{option.long}"
        if given := self._given(option):
            return given, name
        text = self._environ.get(option.variable)
        if text is not None:
            return (text.split() if option.several else [text]), f"{name} (from {option.variable})"
        return ([] if option.default is None else [option.default]), name

    def _given(self, option: Option) -> list[str]:
        if option.several:
            return self._endpoints
        value = self[option.long]
        if not option.metavar:
            return ["1"] if value else []
        return [] if value is None else [value]


def _with_state_directory(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Let the first directory that systemd made (systemd.exec(5)) count where FILESERVE_STATE is not set."""
    first = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return {"FILESERVE_STATE": first, **environ} if first else environ
