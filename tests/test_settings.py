"""
Tests of the command line and the environment of ``twist fileserve``.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from attrs import asdict, fields
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from fileserve import __version__
from fileserve.options import TABLE
from fileserve.settings import Options, Settings
from fileserve.storage.s3location import S3Location

ROOT = Path(__file__).parent.parent

DEFAULTS = {
    "path": "photos",
    "logging": False,
    "delay": False,
    "listen": ("tcp:8080:interface=127.0.0.1",),
    "admin": None,
    "state": ".fileserve",
    "storage": "photos",
    "database": None,
    "upload_key_file": None,
    "open_uploads": False,
    "max_upload": 5 * 1024**3,
    "min_free": 1024**3,
    "gallery": "gallery",
    "photo_max_age": None,
    "strip_location": False,
    "preview_cache": 2 * 1024**3,
    "trust_proxy": (),
    "stall_timeout": 600.0,
    "drain": 30.0,
}

# The long option, its variable, a text for each, and what the texts become.
WAYS: list[tuple[str, str, str, Any, str, Any]] = [
    ("listen", "FILESERVE_LISTEN", "tcp:1", ("tcp:1",), "tcp:2", ("tcp:2",)),
    ("admin", "FILESERVE_ADMIN", "tcp:1", "tcp:1", "tcp:2", "tcp:2"),
    ("state", "FILESERVE_STATE", "/a", "/a", "/b", "/b"),
    (
        "storage",
        "FILESERVE_STORAGE",
        "file:/a",
        "/a",
        "s3://bucket/x/y?endpoint=http://127.0.0.1:8333&region=eu-1",
        S3Location("bucket", "x/y", "http://127.0.0.1:8333", "eu-1"),
    ),
    ("upload-key-file", "FILESERVE_UPLOAD_KEY_FILE", "/a", "/a", "b", "b"),
    ("max-upload", "FILESERVE_MAX_UPLOAD", "1", 1, "2T", 2 * 1024**4),
    ("min-free", "FILESERVE_MIN_FREE", "0", 0, "3M", 3 * 1024**2),
    ("gallery", "FILESERVE_GALLERY", "holidays", "holidays", "", None),
    ("photo-max-age", "FILESERVE_PHOTO_MAX_AGE", "365", 365, "1", 1),
    ("preview-cache", "FILESERVE_PREVIEW_CACHE", "1", 1, "500M", 500 * 1024**2),
    ("database", "FILESERVE_DATABASE", "sqlite:////a", "sqlite:////a", "postgresql:///b", "postgresql:///b"),
    (
        "trust-proxy",
        "FILESERVE_TRUST_PROXY",
        "10.0.0.0/8,::1",
        (ip_network("10.0.0.0/8"), ip_network("::1")),
        "127.0.0.1",
        (ip_network("127.0.0.1"),),
    ),
    ("stall-timeout", "FILESERVE_STALL_TIMEOUT", "1.5", 1.5, "20", 20.0),
    ("drain", "FILESERVE_DRAIN", "0", 0.0, "5", 5.0),
]

SWITCHES = [
    ("logging", "-l", "ENABLE_LOGGING"),
    ("delay", "-d", "ENABLE_RESPONSE_DELAY"),
    ("open-uploads", "--open-uploads", "FILESERVE_OPEN_UPLOADS"),
    ("strip-location", "--strip-location", "FILESERVE_STRIP_LOCATION"),
]


def parsed(*arguments: str, **environ: str) -> Settings:
    """The settings that come of a command line and an environment."""
    options = Options(environ)
    options.parseOptions(list(arguments))
    return options.settings


class PrecedenceTests(SynchronousTestCase):
    """The command line wins over the environment, the environment over the default."""

    def test_defaults(self) -> None:
        """Without command line and environment the defaults of the contract hold."""
        self.assertEqual(asdict(parsed(), recurse=False), DEFAULTS)

    def test_table_is_complete(self) -> None:
        """Every setting has one option, and every option one setting."""
        self.assertEqual([field.name for field in fields(Settings)], [option.field for option in TABLE])

    def test_environment(self) -> None:
        """A variable gives the value where the command line does not."""
        for long, variable, text, value, _, _ in WAYS:
            settings = parsed(**{variable: text})
            self.assertEqual(asdict(settings, recurse=False), {**DEFAULTS, long.replace("-", "_"): value})

    def test_command_line(self) -> None:
        """The command line gives the value, whatever the variable says."""
        for long, variable, ours, _, text, value in WAYS:
            for arguments in ([f"--{long}", text], [f"--{long}={text}"]):
                settings = parsed(*arguments, **{variable: ours})
                self.assertEqual(asdict(settings, recurse=False), {**DEFAULTS, long.replace("-", "_"): value})

    def test_command_line_hides_bad_environment(self) -> None:
        """A bad value in the environment does not matter where the command line says otherwise."""
        self.assertEqual(parsed("--drain", "3", FILESERVE_DRAIN="soon").drain, 3)

    def test_path(self) -> None:
        """``-p`` is ``--path``, and says where the files are; the command line wins here too."""
        for settings in (
            parsed("-p", "/a"),
            parsed("--path", "/a", BASE_FILE_STORAGE_PATH="/b"),
            parsed(BASE_FILE_STORAGE_PATH="/a"),
        ):
            self.assertEqual(asdict(settings, recurse=False), {**DEFAULTS, "path": "/a", "storage": "/a"})

    def test_storage_overrides_path(self) -> None:
        """Wherever ``--storage`` comes from, it wins over ``--path``, wherever that comes from."""
        for settings in (
            parsed("--path", "/a", "--storage", "file:/b"),
            parsed("--path", "/a", FILESERVE_STORAGE="file:/b"),
            parsed("--storage", "file:/b", BASE_FILE_STORAGE_PATH="/a"),
        ):
            self.assertEqual(settings.storage, "/b")

    def test_switches(self) -> None:
        """A switch is on by its long name, its short one or its variable, and the command line wins."""
        for long, short, variable in SWITCHES:
            for arguments, environ in (
                ([f"--{long}"], {}),
                ([short], {}),
                ([], {variable: "Yes"}),
                ([short], {variable: "0"}),
            ):
                settings = parsed(*arguments, **environ)
                self.assertEqual(asdict(settings, recurse=False), {**DEFAULTS, long.replace("-", "_"): True})

    def test_switched_off_in_environment(self) -> None:
        """``ENABLE_LOGGING=0`` means off: any text that is not empty once meant on."""
        for long, _, variable in SWITCHES:
            self.assertIs(getattr(parsed(**{variable: "0"}), long.replace("-", "_")), False)

    def test_several_listeners(self) -> None:
        """``--listen`` may be given several times; in the environment white space separates."""
        self.assertEqual(parsed("--listen", "tcp:1", "--listen=unix:/a").listen, ("tcp:1", "unix:/a"))
        self.assertEqual(parsed(FILESERVE_LISTEN=" tcp:1\n unix:/a ").listen, ("tcp:1", "unix:/a"))

    def test_listeners_of_command_line_only(self) -> None:
        """Listeners of the command line replace those of the environment, they are not added."""
        self.assertEqual(parsed("--listen", "tcp:1", FILESERVE_LISTEN="tcp:2 tcp:3").listen, ("tcp:1",))

    def test_state_directory_of_systemd(self) -> None:
        """The first directory that systemd made is the state directory, unless we were told another."""
        self.assertEqual(parsed(STATE_DIRECTORY="/var/lib/a:/var/lib/b").state, "/var/lib/a")
        self.assertEqual(parsed(STATE_DIRECTORY="/var/lib/a", FILESERVE_STATE="/b").state, "/b")
        self.assertEqual(parsed("--state", "/c", STATE_DIRECTORY="/var/lib/a").state, "/c")
        self.assertEqual(parsed(STATE_DIRECTORY="").state, ".fileserve")

    def test_environment_is_not_changed(self) -> None:
        """Reading the environment leaves it as it was."""
        environ = {"STATE_DIRECTORY": "/var/lib/a"}
        Options(environ).parseOptions([])
        self.assertEqual(environ, {"STATE_DIRECTORY": "/var/lib/a"})


class RefusalTests(SynchronousTestCase):
    """Every value that can't be used is refused at start, in one sentence that names the option."""

    def sentence(self, *arguments: str, **environ: str) -> str:
        """What a refused start says: a text as the status makes Python print it and exit with status 1."""
        with self.assertRaises(SystemExit, msg=f"{arguments} {environ}") as caught:
            parsed(*arguments, **environ)
        said = caught.exception.code
        assert isinstance(said, str)
        self.assertEqual((said.count("\n"), said[-1]), (0, "."))
        return said

    def test_bad_values(self) -> None:
        """A bad value is refused from either source; the sentence names the option, and the variable."""
        for long, bad in (
            ("path", ""),
            ("listen", "tcp:http"),
            ("listen", "gopher:70"),
            ("admin", ""),
            ("admin", "tcp:70000"),
            ("state", ""),
            ("storage", ""),
            ("storage", "/srv/files"),
            ("storage", "file:"),
            ("storage", "s3://"),
            ("storage", "s3://bucket?colour=red"),
            ("database", "mysql://host/name"),
            ("upload-key-file", ""),
            ("upload-key-file", "keys/"),
            ("max-upload", "0"),
            ("max-upload", "5GB"),
            ("max-upload", "-1"),
            ("min-free", "lots"),
            ("min-free", "9999999T"),
            ("gallery", ".hidden"),
            ("gallery", "a/b"),
            ("photo-max-age", ""),
            ("photo-max-age", "0"),
            ("photo-max-age", "1.5"),
            ("preview-cache", "0"),
            ("preview-cache", "2GB"),
            ("trust-proxy", "10.0.0.1/8"),
            ("trust-proxy", "proxy.example"),
            ("stall-timeout", "0"),
            ("stall-timeout", "-1"),
            ("stall-timeout", "inf"),
            ("stall-timeout", "10m"),
            ("drain", "-1"),
            ("drain", "nan"),
            ("drain", ""),
        ):
            variable = next(option.variable for option in TABLE if option.long == long)
            self.assertIn(f" --{long}: ", self.sentence(f"--{long}", bad))
            self.assertIn(f" --{long} (from {variable}): ", self.sentence(**{variable: bad}))

    def test_bad_switches(self) -> None:
        """A switch in the environment that is neither on nor off is refused, nothing at all included."""
        for long, _, variable in SWITCHES:
            for bad in ("", "2", "enabled"):
                self.assertIn(f" --{long} (from {variable}): ", self.sentence(**{variable: bad}))

    def test_one_bad_listener(self) -> None:
        """One bad listener among good ones is refused."""
        self.assertIn("'tcp:x'", self.sentence("--listen", "tcp:1", "--listen", "tcp:x"))
        self.assertIn("'tcp:x'", self.sentence(FILESERVE_LISTEN="tcp:1 tcp:x"))

    def test_no_listener(self) -> None:
        """An empty list of listeners is refused: the server could not be reached."""
        self.assertIn(" --listen (from FILESERVE_LISTEN): ", self.sentence(FILESERVE_LISTEN=" "))
        self.assertIn(" --listen: ", self.sentence("--listen", ""))

    def test_switch_with_argument(self) -> None:
        """A switch takes no argument."""
        self.assertIn("--logging", self.sentence("--logging=1"))

    def test_missing_argument(self) -> None:
        """An option without its argument is refused."""
        self.assertIn("--drain", self.sentence("--drain"))

    def test_unknown_option(self) -> None:
        """An option that does not exist is refused by its name."""
        self.assertIn("--colour", self.sentence("--colour", "red"))

    def test_superfluous_argument(self) -> None:
        """What is no option is refused."""
        self.assertIn("'photos'", self.sentence("photos"))


class HelpTests(SynchronousTestCase):
    """What the operator is told."""

    def printed(self, option: str) -> str:
        with redirect_stdout(StringIO()) as out, self.assertRaises(SystemExit) as caught:
            Options({}).parseOptions([option])
        self.assertEqual(caught.exception.code, 0)
        return out.getvalue()

    def test_help(self) -> None:
        """``--help`` says each option, its variable and its default."""
        text = " ".join(self.printed("--help").split())
        for option in TABLE:
            self.assertIn(f"--{option.long}", text)
            default = DEFAULTS[option.field]
            said = "off" if default is False else (option.default or "none")
            self.assertIn(f"[{option.variable}; default: {said}]", text)

    def test_version(self) -> None:
        """``--version`` says ours, not Twisted's."""
        self.assertEqual(self.printed("--version"), f"fileserve {__version__}\n")

    def test_documented(self) -> None:
        """The operator's handbook has every option and every variable."""
        handbook = (ROOT / "docs" / "operators.rst").read_text(encoding="utf-8")
        for option in TABLE:
            self.assertIn(f"``--{option.long}", handbook)
            self.assertIn(f"``{option.variable}``", handbook)

    def test_is_a_command_line(self) -> None:
        """``twist`` takes the options for what it needs."""
        self.assertIsInstance(Options({}), usage.Options)


class PluginTests(SynchronousTestCase):
    """Twisted finds the program."""

    def test_found(self) -> None:
        """``twist`` lists ``fileserve`` once, and makes it from ``fileserve.tap``."""
        ours = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "fileserve"]
        self.assertEqual([getattr(plugin, "module", None) for plugin in ours], ["fileserve.tap"])
