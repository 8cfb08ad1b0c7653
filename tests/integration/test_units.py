"""
Tests of the systemd units of ``docs/deploy``, judged by systemd itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PROJECT, folder, need

DEPLOY = PROJECT / "docs" / "deploy"

# What the handbook promises (docs/operators.rst).
MOST_EXPOSURE = 1.1


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=False
    )


class UnitTests(SynchronousTestCase):
    """The service and its socket."""

    def setUp(self) -> None:
        need("systemd-analyze")

    def with_a_program(self, unit: str, where: Path) -> str:
        """The unit, with a program that exists on this machine in place of the one that will."""
        text = (DEPLOY / unit).read_text(encoding="utf-8")
        (where / unit).write_text(text.replace("/opt/fileserve/bin/twist", sys.executable), encoding="utf-8")
        return str(where / unit)

    def test_verified(self) -> None:
        """``systemd-analyze verify`` has nothing to say of both units together."""
        where = folder(self)
        units = [self.with_a_program(unit, where) for unit in ("fileserve.service", "fileserve.socket")]
        done = analyze("verify", "--man=no", *units)
        ours = [line for line in done.stderr.splitlines() if "fileserve" in line]
        self.assertEqual((done.returncode, ours), (0, []), done.stderr)

    def test_exposure(self) -> None:
        """``systemd-analyze security`` rates the service as the handbook says, or better."""
        done = analyze("security", "--offline=yes", str(DEPLOY / "fileserve.service"))
        rating = re.search(r"Overall exposure level for fileserve\.service: ([0-9.]+)", done.stdout)
        assert rating is not None, done.stdout + done.stderr
        self.assertLessEqual(float(rating[1]), MOST_EXPOSURE)

    def test_program_is_where_the_handbook_puts_it(self) -> None:
        """The program that the service starts is in the environment that the handbook makes."""
        handbook = (PROJECT / "docs" / "operators.rst").read_text(encoding="utf-8")
        service = (DEPLOY / "fileserve.service").read_text(encoding="utf-8")
        (program,) = re.findall(r"^ExecStart=(\S+)", service, re.MULTILINE)
        self.assertIn(f"python3 -m venv {Path(program).parent.parent}\n", handbook)
