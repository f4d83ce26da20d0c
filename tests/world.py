"""A person's machine, in a temporary home: AWS files, an environment without surprises, the real console script."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from tests import warm
from tests.warm import Started

#: The console script of the environment that runs the tests.
AWSUDO = warm.AWSUDO
#: Prints the environment as the kernel gave it (a Python that starts in the C locale would add to it), NUL-parted.
PRINT_ENV = ("/usr/bin/env", "-0")
#: Prints which session the child got.
KEY_ID = ("printenv", "AWS_ACCESS_KEY_ID")
#: As a prefix: lets the interpreter tell on stderr what it imports, which Done.replayed reads.
IMPORTS_LISTED = (sys.executable, "-X", "importtime")


def until(happened: Callable[[], bool], what: str = "what the test waits for", *, seconds: float = 20) -> None:
    """Wait for something that is about to happen; the test fails if it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"in {seconds:g} s, this did not happen: {what}"
        time.sleep(0.005)


def open_files(pid: int) -> set[str]:
    """What a process has open (Linux): the paths of its descriptors; those that it closes meanwhile are left out."""
    folder = f"/proc/{pid}/fd"
    found = set()
    # a process that ends takes the folder with it, one that closes a file only that entry
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"{folder}/{number}"))
    return found


#: A run that is not waited for.
Running: TypeAlias = "Started | subprocess.Popen[str]"


class Ready(Protocol):
    """What the fixture `ready` gives."""

    state: str  # "cold" or "warm"

    def __call__(self, *words: str, env: dict[str, str | None] | None = None) -> tuple[str, ...]:
        """These words (`dev`, if none) to stand before a command; warm: a run with them, in this environment, was."""


class Done(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    @classmethod
    def of(cls, run: Running) -> Done:
        """How a run that World.start started ended."""
        out, err = run.communicate(timeout=60)
        return cls(run.wait(), out, err)

    @property
    def env(self) -> dict[str, str]:
        """The environment that PRINT_ENV printed."""
        return dict(pair.split("=", 1) for pair in self.out.split("\0") if pair)

    @property
    def key_id(self) -> str:
        """The session that KEY_ID printed; the run must have succeeded."""
        assert self.code == 0, self.err
        assert self.out.startswith("ASIA"), self.out
        return self.out.strip()

    @property
    def replayed(self) -> bool:
        """Whether a run under IMPORTS_LISTED took the hit path: no parser, no resolver, no SDK."""
        names = {line.rpartition("|")[2].strip() for line in self.err.splitlines() if line.startswith("import time:")}
        assert "awsudo_py.replay" in names, self.err
        return not names & {"awsudo_py.cli.start", "awsudo_py.resolve.chain", "click", "botocore"}


class World:
    """A temporary home with its AWS files. Nothing of the real environment but PATH and a locale comes in."""

    def __init__(self, root: Path, *, sts_url: str | None = None) -> None:
        self.root = root
        self.home = root / "home"
        self.runtime = root / "run"
        (self.home / ".aws").mkdir(parents=True)
        self.runtime.mkdir(mode=0o700)
        # fish reads all manual pages of the machine, in the background, in a home where it finds no such directory
        (self.home / ".local/share/fish/generated_completions").mkdir(parents=True)
        self.env = {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "USER": "alice",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if sts_url is not None:
            self.env |= {"AWS_ENDPOINT_URL_STS": sts_url, "AWS_DEFAULT_REGION": "eu-west-1"}

    @property
    def cache(self) -> Path:
        """Where awsudo keeps sessions here."""
        return self.runtime / "awsudo"

    def entries(self, kind: str = "session") -> list[Path]:
        """The cache's files of one kind."""
        return sorted(self.cache.glob(f"*.{kind}"))

    def config(self, text: str) -> Path:
        """Write ~/.aws/config."""
        return self._write("config", text)

    def credentials(self, text: str) -> Path:
        """Write ~/.aws/credentials."""
        return self._write("credentials", text)

    def _write(self, name: str, text: str) -> Path:
        path = self.home / ".aws" / name
        path.write_text(text, encoding="utf-8")

        return path

    def settle(self) -> None:
        """Let this world's files grow old enough to prove something to a later run: 20 ms."""
        paths = [path for path in self.root.rglob("*") if path.is_file() and self.runtime not in path.parents]
        while time.time() < max(path.stat().st_ctime for path in paths) + 0.03:
            time.sleep(0.002)

    def at_hand(self) -> World:
        """Put awsudo, and what is installed beside it, on the PATH: lines can be run as people type them."""
        self.env["PATH"] = os.path.dirname(AWSUDO) + os.pathsep + self.env["PATH"]
        return self

    def command(self, *words: str) -> list[str]:
        """The command line for the real console script."""
        return [AWSUDO, *words]

    def run(
        self,
        *words: str,
        env: dict[str, str | None] | None = None,
        stdin: str | bytes = b"",
        prefix: tuple[str, ...] = (),
        timeout: float = 60,
        cwd: Path | None = None,
    ) -> Done:
        """Run awsudo with these words; env adds variables, or takes them away (None)."""
        environ, given = self.environ(env), stdin.encode() if isinstance(stdin, str) else stdin
        modules = prefix == IMPORTS_LISTED
        ended = None
        if modules or not prefix:
            ended = warm.WARM.run(list(words), environ, given, str(cwd or self.home), timeout, modules=modules)
        if ended is None:
            done = subprocess.run(
                [*prefix, AWSUDO, *words],
                env=environ,
                input=given,
                capture_output=True,
                timeout=timeout,
                check=False,
                cwd=cwd or self.home,
            )
            ended = done.returncode, done.stdout, done.stderr
        code, out, err = ended
        return Done(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace"))

    def start(self, *words: str, env: dict[str, str | None] | None = None, session: bool = False) -> Running:
        """Start awsudo with these words, without a stdin; session: as the leader of one, without a terminal."""
        environ = self.environ(env)
        with contextlib.ExitStack() as ours:
            nothing = ours.enter_context(open(os.devnull))
            (read_out, write_out), (read_err, write_err) = os.pipe(), os.pipe()
            out, err = (ours.enter_context(open(end, "wb")) for end in (write_out, write_err))
            streams = nothing.fileno(), out.fileno(), err.fileno()
            started = warm.WARM.start([list(words)], environ, str(self.home), streams, session=session)
        if started is not None:
            return started.reading(read_out, read_err)
        os.close(read_out)
        os.close(read_err)
        nowhere, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(
            self.command(*words),
            env=environ,
            cwd=self.home,
            stdin=nowhere,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=session,
        )

    def together(self, *runs: Sequence[str], env: Sequence[dict[str, str | None]] = ()) -> list[Done]:
        """Run awsudo once for each of these words, all at the same time; env: what each has more."""
        with ThreadPoolExecutor(len(runs)) as pool:
            return list(pool.map(lambda words, more: self.run(*words, env=more), runs, env or [{}] * len(runs)))

    def environ(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        """This world's environment with changes."""
        merged: dict[str, str | None] = {**self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}
