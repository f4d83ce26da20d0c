"""A throw-away world to see awsudo at work in: an STS on this machine, a user, two roles, a temporary home."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from awsudo_py import child, child_supervision
from awsudo_py.demo.server import ACCOUNT, USER, DemoServer, DemoSts
from awsudo_py.errors import UsageError
from awsudo_py.shell.calling import users_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONFIG = f"""\
[profile build]
role_arn = arn:aws:iam::{ACCOUNT}:role/build
source_profile = {USER}
role_session_name = {USER}

[profile deploy]
role_arn = arn:aws:iam::{ACCOUNT}:role/deploy
source_profile = build
role_session_name = {USER}
"""
_WHOAMI = """\
import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
"""
#: Secrets are not printed whole, though these open nothing.
_SECRET = re.compile(r"(AWS_(?:ACCESS_KEY_ID='ASIA|SECRET_ACCESS_KEY='|SESSION_TOKEN='))[^']+'")
_UNSET = re.compile(r"unset \w+;\n?")


def run_demo(*, shell: bool, environ: Mapping[str, str]) -> None:
    """Tell the story, or open a shell in its world; cleans up."""
    if shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("a shell needs a terminal", hint="without --shell the demo needs none: awsudo demo")
    sts = DemoSts()
    with DemoServer(sts) as server, tempfile.TemporaryDirectory(prefix="awsudo-demo-") as home:
        world = _World(Path(home), server.url, environ)
        world.furnish(sts)
        code = _open_shell(world) if shell else _Story(world, sts).tell()
    if code:
        child_supervision.end_like(code)


class _World:
    """The temporary home and its environment."""

    def __init__(self, home: Path, url: str, environ: Mapping[str, str]) -> None:
        self.home = home
        programs = (str(home / "bin"), str(Path(sys.argv[0]).resolve().parent), environ.get("PATH", os.defpath))
        ours = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "AWSUDO_", "XDG_"))}
        # a proxy would be called for what is on this machine
        self.environ = {name: value for name, value in ours.items() if not name.lower().endswith("_proxy")} | {
            "HOME": str(home),
            "PATH": os.pathsep.join(programs),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWSUDO_CACHE_DIR": str(home / "cache"),
            "AWSUDO_STATE_DIR": str(home / "state"),
            "AWSUDO_DATA_DIR": str(home / "data"),
        }

    def furnish(self, sts: DemoSts) -> None:
        """Write the AWS files, a program that calls AWS, and a `python` that has boto3."""
        for folder in (".aws", "bin"):
            (self.home / folder).mkdir(mode=0o700)
        (self.home / ".aws" / "config").write_text(_CONFIG, encoding="utf-8")
        credentials = self.home / ".aws" / "credentials"
        credentials.touch(mode=0o600)
        credentials.write_text(
            f"[{USER}]\naws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n",
            encoding="utf-8",
        )
        (self.home / "whoami.py").write_text(_WHOAMI, encoding="utf-8")
        python = self.home / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        python.chmod(0o700)

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run awsudo here: the program that this is. stderr comes with stdout, in order."""
        program = Path(sys.argv[0]).resolve()
        awsudo = [str(program)] if program.name.startswith("awsudo") else [sys.executable, "-m", "awsudo_py"]
        return subprocess.run(
            [*awsudo, *words],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def timed(self, words: list[str]) -> int:
        """How long awsudo takes with these words, in milliseconds."""
        return _milliseconds(lambda: self.run(words))

    def timed_python(self) -> int:
        """How long Python takes to do nothing."""
        return _milliseconds(lambda: subprocess.run([sys.executable, "-I", "-c", "pass"], check=False))


class _Story:
    """The parts of the story, in order."""

    def __init__(self, world: _World, sts: DemoSts) -> None:
        self._world = world
        self._sts = sts
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._bold, self._dim, self._plain = ("\033[1m", "\033[2m", "\033[0m") if coloured else ("", "", "")

    def tell(self) -> int:
        """Print all of it. Returns the exit code of the first run that failed."""
        self._say(
            f"A throw-away world on this machine: a small STS, the user {USER} with long-lived",
            "keys, and two roles. Nothing of yours is read or changed.",
        )
        self._type("cat ~/.aws/config", _CONFIG)
        self._type("cat whoami.py", _WHOAMI)

        self._title("Run a command as a role")
        code = self._run("build python whoami.py")
        self._title("A role behind another role")
        code = code or self._run("deploy python whoami.py")

        self._title("Again: the session comes from the cache")
        self._world.run(["clear"])
        before = len(self._sts.calls)
        first = self._world.timed(["deploy", "true"])
        calls = len(self._sts.calls) - before
        again = self._world.timed(["deploy", "true"])
        self._type(
            "awsudo deploy true",
            f"  first time    {first:4} ms   {calls} calls of STS: build, and from there deploy\n"
            f"  from then on  {again:4} ms   no call (Python alone: {self._world.timed_python()} ms)",
        )

        self._title("What the command gets: a session, never the keys")
        code = code or self._run("export deploy --format sh")

        self._title("A mistake runs nothing, and says what to do")
        self._run("deplyo python whoami.py")
        self._run(f"-p {USER} {ACCOUNT}:deploy python whoami.py")

        self._title("Next")
        self._say(
            "  awsudo demo --shell           play in this world",
            "  awsudo list                   the targets in your own AWS configuration",
            "  awsudo TARGET COMMAND         if aws --profile TARGET works, so does this",
            "  awsudo doctor                 checks your configuration, clock, keyring and shell",
            "  awsudo completion --install   TAB for profiles, roles and the command's own words",
        )
        return code

    def _run(self, line: str) -> int:
        done = self._world.run(shlex.split(line))
        self._type(f"awsudo {line}", _folded(done.stdout.replace(str(self._world.home), "~")))
        return done.returncode

    def _title(self, text: str) -> None:
        self._say("", f"{self._bold}{text}{self._plain}")

    def _type(self, line: str, output: str) -> None:
        self._say(f"{self._dim}$ {self._plain}{line}", output.rstrip("\n"))

    def _say(self, *lines: str) -> None:
        print("\n".join(lines), flush=True)


def _open_shell(world: _World) -> int:
    """Open a shell in this world. Returns its exit code."""
    shell = users_shell(world.environ)
    print(
        f"A shell in a throw-away world; `exit` ends both. Profiles: {USER}, build, deploy. Try:",
        "    awsudo build python whoami.py",
        "    awsudo -v deploy env",
        "    awsudo export deploy --force",
        sep="\n",
        flush=True,
    )
    os.chdir(world.home)
    try:
        return child_supervision.supervise(child.find(shell, world.environ), [shell], world.environ)
    finally:
        os.chdir("/")  # a directory in use cannot be removed on every system


def _folded(text: str) -> str:
    """Exported lines, short enough to read: secrets cut, all variables that are unset in one line."""
    short = _SECRET.sub(r"\1…'", _UNSET.sub("", text))
    return f"{short}unset AWS_PROFILE …; (and whatever else could lead to other keys)\n" if short != text else text


def _milliseconds(action: Callable[[], object]) -> int:
    begun = time.perf_counter()
    action()
    return round((time.perf_counter() - begun) * 1000)
