"""Puts the man page into the wheel: made from the tables of the command line when the wheel is built."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPage(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """Makes share/man/man1/awsudo.1."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the page, in a process of its own: this one may have another awsudo_py loaded."""
        if version == "editable":
            return
        done = subprocess.run(
            [sys.executable, "-m", "awsudo_py.cli.man"], cwd=self.root, capture_output=True, check=True
        )
        self._folder = tempfile.TemporaryDirectory(prefix="awsudo-man-")
        path = Path(self._folder.name, "awsudo.1")
        path.write_bytes(done.stdout)
        build_data["shared_data"][str(path)] = "share/man/man1/awsudo.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 (hatchling's)
        """Take the temporary folder away."""
        if version != "editable":
            self._folder.cleanup()
