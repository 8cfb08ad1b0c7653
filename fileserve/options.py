"""
The options of ``twist fileserve``, each with its variable, its default and what its text means, in one table.

Nothing here may import the reactor, directly or not: ``twist --reactor`` has yet to choose one.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from fileserve.conversions import (
    album,
    database_url,
    days,
    directory,
    endpoint,
    file_name,
    positive_seconds,
    positive_size,
    seconds,
    size,
    storage,
    switch,
)
from fileserve.http.forwarded import parse_networks


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
        long="storage",
        metavar="URL",
        variable="FILESERVE_STORAGE",
        convert=storage,
        help="where the files are: file:DIR, or s3://BUCKET/PREFIX?endpoint=URL&region=R. Without one, the "
        "directory of --path.",
    ),
    Option(
        long="database",
        metavar="URL",
        variable="FILESERVE_DATABASE",
        convert=database_url,
        help="an SQLAlchemy URL, sqlite:/// or postgresql://. Without one, SQLite in the state directory.",
    ),
    Option(
        long="upload-key-file",
        metavar="FILE",
        variable="FILESERVE_UPLOAD_KEY_FILE",
        convert=file_name,
        help="the file with the key that permits writing. Without one, upload-key in the state directory, "
        "which is made at the first start.",
    ),
    Option(
        long="open-uploads",
        variable="FILESERVE_OPEN_UPLOADS",
        default="0",
        convert=switch,
        help="Let everybody upload who can reach the server.",
    ),
    Option(
        long="max-upload",
        metavar="SIZE",
        variable="FILESERVE_MAX_UPLOAD",
        default="5G",
        convert=positive_size,
        help="the largest file that is taken, in bytes, or with K, M, G or T.",
    ),
    Option(
        long="min-free",
        metavar="SIZE",
        variable="FILESERVE_MIN_FREE",
        default="1G",
        convert=size,
        help="refuse uploads that would leave less free on the disk.",
    ),
    Option(
        long="gallery",
        metavar="ALBUM",
        variable="FILESERVE_GALLERY",
        default="gallery",
        convert=album,
        help="the album that /gallery/ shows to everybody. Without a name there is no such page.",
    ),
    Option(
        long="photo-max-age",
        metavar="DAYS",
        variable="FILESERVE_PHOTO_MAX_AGE",
        convert=days,
        help="refuse pictures for the gallery that were taken longer ago, or do not say when.",
    ),
    Option(
        long="strip-location",
        variable="FILESERVE_STRIP_LOCATION",
        default="0",
        convert=switch,
        help="Take out of pictures that are uploaded to the gallery where they were taken.",
    ),
    Option(
        long="preview-cache",
        metavar="SIZE",
        variable="FILESERVE_PREVIEW_CACHE",
        default="2G",
        convert=positive_size,
        help="how much room previews of pictures may take in the state directory.",
    ),
    Option(
        long="trust-proxy",
        metavar="ADDRESSES",
        variable="FILESERVE_TRUST_PROXY",
        default="",
        convert=parse_networks,
        help="addresses and networks, separated by commas, whose X-Forwarded-For, -Proto and -Host are "
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
