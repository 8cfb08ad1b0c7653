"""
What the operator decides: the options of ``twist fileserve``, and where their values come from.

Nothing here may import the reactor, directly or not: ``twist --reactor`` has yet to choose one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from attrs import frozen
from twisted.python import usage

from fileserve import __version__
from fileserve.conversions import database_url, directory, endpoint, positive_seconds, seconds, switch
from fileserve.http.forwarded import Network, parse_networks


@frozen(kw_only=True)
class Settings:
    """
    The options after every one of them was found usable.

    :ivar path: the storage root on disk, as it was given.
    :ivar logging: whether accesses and transfers are logged.
    :ivar delay: whether a pause stands before each chunk of an archive.
    :ivar listen: Twisted endpoint strings of the listeners; at least one.
    :ivar admin: the endpoint string of the listener for health and metrics; ``None`` is no such listener.
    :ivar state: the state directory, as it was given; it need not exist yet.
    :ivar database: an SQLAlchemy URL of which only the scheme was looked at; ``None`` is SQLite in `state`.
    :ivar trust_proxy: networks whose ``X-Forwarded-For`` is believed.
    :ivar stall_timeout: seconds, more than zero.
    :ivar drain: seconds; zero cuts transfers at once.
    """

    path: str
    logging: bool
    delay: bool
    listen: tuple[str, ...]
    admin: str | None
    state: str
    database: str | None
    trust_proxy: tuple[Network, ...]
    stall_timeout: float
    drain: float


@frozen(kw_only=True)
class Option:
    """
    One line of the table of options.

    :ivar variable: the environment variable that gives the value where the command line does not.
    :ivar default: as one would write it; ``None`` is no value at all.
    :ivar convert: makes the value of its text; raises ``ValueError`` with a sentence.
    :ivar metavar: what the help calls the argument; empty for a switch, which takes none.
    :ivar several: whether it may be given several times, or as several words in the environment.
    """

    long: str
    short: str | None = None
    metavar: str = ""
    variable: str
    default: str | None = None
    convert: Callable[[str], object]
    help: str
    several: bool = False

    @property
    def field(self) -> str:
        """
        The attribute of ``Settings`` that holds the value.
        """
        return self.long.replace("-", "_")

    def describe(self) -> str:
        """
        The text for ``--help``: what it means, its argument, its variable and its default.
        """
        default = ("off" if not self.metavar else self.default) or "none"
        argument = f"{self.metavar}: " if self.metavar else ""
        return f"{argument}{self.help} [{self.variable}; default: {default}]"


TABLE = (
    Option(
        long="path",
        short="p",
        metavar="DIR",
        variable="BASE_FILE_STORAGE_PATH",
        default="photos",
        convert=directory,
        help="the storage root, with the albums.",
    ),
    Option(
        long="logging",
        short="l",
        variable="ENABLE_LOGGING",
        default="0",
        convert=switch,
        help="Log accesses, and the life of each transfer.",
    ),
    Option(
        long="delay",
        short="d",
        variable="ENABLE_RESPONSE_DELAY",
        default="0",
        convert=switch,
        help="Pause for a second before each chunk of an archive, to try out slow downloads.",
    ),
    Option(
        long="listen",
        metavar="ENDPOINT",
        variable="FILESERVE_LISTEN",
        default="tcp:8080:interface=127.0.0.1",
        convert=endpoint,
        help="where to listen, a Twisted endpoint: tcp:, tcp6:, unix:, ssl: or systemd:. May be given "
        "several times; in the environment white space separates them.",
        several=True,
    ),
    Option(
        long="admin",
        metavar="ENDPOINT",
        variable="FILESERVE_ADMIN",
        convert=endpoint,
        help="a second listener, with /healthz, /readyz and /metrics.",
    ),
    Option(
        long="state",
        metavar="DIR",
        variable="FILESERVE_STATE",
        default=".fileserve",
        convert=directory,
        help="the directory for what fileserve itself writes. Where the variable is not set, STATE_DIRECTORY "
        "counts, which systemd sets.",
    ),
    Option(
        long="database",
        metavar="URL",
        variable="FILESERVE_DATABASE",
        convert=database_url,
        help="an SQLAlchemy URL, sqlite:/// or postgresql://. Without one, SQLite in the state directory.",
    ),
    Option(
        long="trust-proxy",
        metavar="ADDRESSES",
        variable="FILESERVE_TRUST_PROXY",
        default="",
        convert=parse_networks,
        help="addresses and networks, separated by commas, whose X-Forwarded-For is "
        "believed. The other end of a UNIX socket always is.",
    ),
    Option(
        long="stall-timeout",
        metavar="SECONDS",
        variable="FILESERVE_STALL_TIMEOUT",
        default="600",
        convert=positive_seconds,
        help="after how long a client is cut off that reads nothing of a response.",
    ),
    Option(
        long="drain",
        metavar="SECONDS",
        variable="FILESERVE_DRAIN",
        default="30",
        convert=seconds,
        help="for how long transfers may go on after SIGTERM.",
    ),
)

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
        self.settings = Settings(**{option.field: self._value(option) for option in TABLE})

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
