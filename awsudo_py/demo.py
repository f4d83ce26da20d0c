"""A throw-away world to see awsudo at work in: an STS on this machine, a user, two roles, a temporary home."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awsudo_py import child
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.installation import command_to_add
from awsudo_py.shell.calling import users_shell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REGION = "eu-west-1"
_ACCOUNT = "123456789012"  # the one that moto has
_WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
#: The first AWS CLIs that look at AWS_ENDPOINT_URL (their changelogs); an older one would go to the real AWS.
_CLI_WITH_ENDPOINT = {1: 29, 2: 13}


def run_demo(*, shell: bool, environ: Mapping[str, str]) -> None:
    """Show the demo, or open a shell in its world; cleans up. Raises AwsudoError where moto is missing."""
    try:
        import boto3
        from moto.server import ThreadedMotoServer
    except ImportError:
        hint = f"install it: {command_to_add('moto[server]')}"
        raise AwsudoError("the demo needs moto, which is not installed", hint=hint) from None
    if shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("a shell needs a terminal", hint="awsudo demo, without --shell, shows all by itself")
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    code = 0
    try:
        host, port = server.get_host_and_port()
        with tempfile.TemporaryDirectory(prefix="awsudo-demo-") as home:
            world = _World(Path(home), f"http://{host}:{port}", environ)
            world.furnish(boto3)
            code = world.shell() if shell else world.show()
    finally:
        server.stop()
    if code:
        child.end_like(code)


class _World:
    """The temporary home and its environment."""

    def __init__(self, home: Path, url: str, environ: Mapping[str, str]) -> None:
        self._url = url
        self._aws = home / ".aws"
        scripts = str(Path(sys.argv[0]).resolve().parent)
        kept = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "AWSUDO_", "XDG_"))}
        # a proxy would be asked for what is on this very machine
        self._environ = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")} | {
            "HOME": str(home),
            "PATH": scripts + os.pathsep + environ.get("PATH", os.defpath),
            "AWS_CONFIG_FILE": str(self._aws / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._aws / "credentials"),
            "AWS_ENDPOINT_URL": url,
            "AWSUDO_CACHE_DIR": str(home / "cache"),
        }

    def furnish(self, boto3: Any) -> None:
        """Make the user, the roles and the files that name them."""
        # boto3 reads this process's own environment: it moves into that world too, away from the user's profiles
        for name in set(os.environ) - set(self._environ):
            del os.environ[name]
        os.environ.update(self._environ)
        iam = boto3.client(
            "iam", region_name=_REGION, endpoint_url=self._url, aws_access_key_id="demo", aws_secret_access_key="demo"
        )
        iam.create_user(UserName="demo")
        key = iam.create_access_key(UserName="demo")["AccessKey"]
        for role, trusted in (("build", "user/demo"), ("deploy", "role/build")):
            principal = f"arn:aws:iam::{_ACCOUNT}:{trusted}"
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=_trust(principal))
        self._aws.mkdir(mode=0o700)
        config = "".join(
            f"[profile {role}]\nrole_arn = arn:aws:iam::{_ACCOUNT}:role/{role}\nsource_profile = {source}\n"
            f"region = {_REGION}\n\n"
            for role, source in (("build", "demo"), ("deploy", "build"))
        )
        (self._aws / "config").write_text(config, encoding="utf-8")
        credentials = self._aws / "credentials"
        credentials.touch(mode=0o600)
        credentials.write_text(
            f"[demo]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n",
            encoding="utf-8",
        )

    def show(self) -> int:
        """Run awsudo before the user's eyes. Returns the first exit code that is not 0."""
        _say(
            "A throw-away world: an STS on this machine, the user `demo` with long-lived keys, the role `build` that",
            "it may assume, and the role `deploy` that `build` may assume. Nothing of yours is read or changed.",
            "",
            "~/.aws/config",
            *(f"    {line}" for line in (self._aws / "config").read_text(encoding="utf-8").strip().splitlines()),
            "",
            "Run a command as a role; the first time, STS is asked:",
        )
        who = self._who()
        failed = self._run(["build", *who]) or self._run(["deploy", *who])
        if failed:
            return failed
        _say("", "From then on the session is kept, and awsudo is out of the way before you notice:")
        self._quietly(["clear"])
        first, second = self._timed(["deploy", "true"]), self._timed(["deploy", "true"])
        bare = self._timed_bare()
        _say(
            "$ awsudo deploy true",
            f"    the first time   {first * 1000:4.0f} ms   STS is asked twice: for build, and from there for deploy",
            f"    from the cache   {second * 1000:4.0f} ms   nothing is asked; python alone: {bare * 1000:.0f} ms",
            "",
            "What the command gets in its environment, for a shell to read:",
        )
        failed = self._run(["export", "deploy", "--format", "sh"], shorten=True)
        _say(
            "",
            "Each of these is a session of an hour; the long-lived keys never reached a command.",
            "Play in this world: awsudo demo --shell. Or begin in yours: awsudo PROFILE COMMAND.",
        )
        return failed

    def shell(self) -> int:
        """A shell in this world. Returns how it ended."""
        shell = users_shell(self._environ)
        _say(
            "A shell in a throw-away world; `exit` ends both. Profiles: demo, build, deploy. Try:",
            f"    awsudo deploy {shlex.join(self._who())}",
            "    awsudo -v build env",
            "    awsudo export deploy --force",
        )
        return child.supervise(child.find(shell, self._environ), [shell], self._environ)

    def _who(self) -> list[str]:
        """A command that says who it runs as."""
        aws = shutil.which("aws", path=self._environ["PATH"])
        if aws is not None:
            told = subprocess.run([aws, "--version"], capture_output=True, text=True, env=self._environ, check=False)
            version = re.search(r"aws-cli/(\d+)\.(\d+)", told.stdout + told.stderr)
            if version and int(version[2]) >= _CLI_WITH_ENDPOINT.get(int(version[1]), 0):
                return ["aws", "sts", "get-caller-identity"]
        return [sys.executable, "-c", _WHO]

    def _run(self, words: Sequence[str], *, shorten: bool = False) -> int:
        shown = ["python" if word == sys.executable else word for word in words]
        _say(f"$ awsudo {shlex.join(shown)}")
        done = subprocess.run(self._command(words), env=self._environ, stdout=subprocess.PIPE, text=True, check=False)
        for line in done.stdout.splitlines():
            _say("    " + (f"{line[:66]}…" if shorten and len(line) > 70 else line))
        return done.returncode

    def _quietly(self, words: Sequence[str]) -> None:
        subprocess.run(self._command(["-q", *words]), env=self._environ, check=False)

    def _timed(self, words: Sequence[str]) -> float:
        begun = time.perf_counter()
        subprocess.run(self._command(words), env=self._environ, check=False)
        return time.perf_counter() - begun

    def _timed_bare(self) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], env=self._environ, check=False)
        return time.perf_counter() - begun

    def _command(self, words: Sequence[str]) -> list[str]:
        """The real awsudo: the program that shows this."""
        program = Path(sys.argv[0])
        own = [str(program)] if program.name.startswith("awsudo") else [sys.executable, "-m", "awsudo_py"]
        return [*own, *words]


def _trust(principal: str) -> str:
    import json

    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _say(*lines: str) -> None:
    print("\n".join(lines), flush=True)
