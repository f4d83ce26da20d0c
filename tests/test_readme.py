"""The README's commands, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from awsudo_py.grammar.options import INPUTS
from awsudo_py.grammar.registry import SUBCOMMANDS
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.readme import README, Block, blocks
from tests.servers.ci import GitHub
from tests.servers.serving import Answer, Call
from tests.servers.strict_iam import StrictAws
from tests.servers.strict_sts import StrictSts
from tests.world import World

BLOCKS = [block for block in blocks() if not block.by_ci]
INTRODUCTION = [line[4:] for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("    awsudo")]
#: Programs that the README's reader has: they say who they run as. `aws s3` is the one call that no STS can answer.
PROGRAM = '#!/bin/sh\necho "${0##*/} as $AWSUDO_ROLE_ARN"\n'
#: Prints a code that was not printed before.
YKMAN = '#!/bin/sh\nread -r code <"$0.codes"; sed -i 1d "$0.codes"; echo "$code"\n'
AWS = '#!/bin/sh\n[ "$1" = s3 ] && exec echo "aws as $AWSUDO_ROLE_ARN"\nexec "{real}" "$@"\n'


#: What has to be done before the commands below a heading.
BEFORE = {"Rotate keys": "awsudo keys add base --import --yes\n"}
#: Commands that have something to say though all goes well.
TALKATIVE = ("awsudo -v", "awsudo keys", "awsudo each", "awsudo history")


@pytest.fixture(scope="module")
def keyring() -> Iterator[KeyringSession]:
    """The reader's keyring."""
    with KeyringSession() as running:
        yield running


@pytest.fixture
def sts_of_reader() -> Iterator[StrictAws]:
    """The AWS that the reader's machine talks to."""
    with StrictAws() as aws:
        yield aws


@pytest.fixture
def reader(tmp_path: Path, sts_of_reader: StrictAws) -> World:
    """A reader's machine: the README's profiles and roles, and the programs it names."""
    return _machine(tmp_path, sts_of_reader)


def _machine(tmp_path: Path, sts: StrictSts) -> World:
    world = World(tmp_path, sts_url=sts.url)
    world.env["AWS_ENDPOINT_URL_IAM"] = sts.url
    key = sts.add_user("alice", account="123456789012")
    sts.add_mfa("alice", "arn:aws:iam::123456789012:mfa/alice")
    for role in ("admin", "deploy", "team/deploy"):
        sts.add_role(f"arn:aws:iam::123456789012:role/{role}")
    world.config("\n".join(block.text for block in BLOCKS if block.language == "ini"))
    keys = f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    world.credentials(f"[base]\n{keys}[default]\n{keys}[alice]\n{keys}")
    phone = sts.add_mfa("alice", "arn:aws:iam::123456789012:mfa/phone")
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = sysconfig.get_path("scripts")
    (programs / "ykman.codes").write_text("".join(f"{phone.code(time.time() + later)}\n" for later in (0, 30)))
    aws = AWS.replace("{real}", f"{scripts}/aws")
    for name, text in {"make": PROGRAM, "docker": PROGRAM, "aws": aws, "ykman": YKMAN}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    world.env["AWSUDO_MFA_PROCESS"] = "ykman oath accounts code -s aws"  # in place of a person at the terminal
    world.env["PATH"] = f"{programs}:{scripts}:{world.env['PATH']}"
    return world


def _run(world: World, shell: str, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell.split(), "-c", text], env=world.environ(), cwd=world.home, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "sh"], ids=lambda block: block.text.splitlines()[0][:50]
)
def test_a_block_of_shell_commands_works_as_it_stands(
    reader: World, block: Block, request: pytest.FixtureRequest
) -> None:
    """What the README tells one to type runs without an error."""
    if "awsudo keys" in block.text:
        reader.env |= request.getfixturevalue("keyring").env

    done = _run(reader, "bash -eu", BEFORE.get(block.heading, "") + block.text)

    output = [line for line in done.stderr.splitlines() if not line.startswith("awsudo: deleted ")]
    talkative = any(words in block.text for words in TALKATIVE)
    assert (done.returncode, [] if talkative else output) == (0, []), done.stderr


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_profile_of_the_readme_gives_an_sdk_the_stored_key(reader: World, keyring: KeyringSession) -> None:
    """The block of configuration that an import leads to works for the AWS CLI."""
    reader.env |= keyring.env

    done = _run(reader, "bash -eu", f"{BEFORE['Rotate keys']}aws sts get-caller-identity --profile base")

    assert "arn:aws:iam::123456789012:user/alice" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, marks=needs(block.language), id=block.text.splitlines()[0][:50])
        for block in BLOCKS
        if block.language in ("fish", "zsh")
    ],
)
def test_a_block_for_fish_or_zsh_works_as_it_stands(reader: World, block: Block) -> None:
    """The README's lines for those shells, each in its own: they set what they say, and print no error."""
    displayed = {
        "awsudo export prod": ("echo as=$AWSUDO_ROLE_ARN", "as=arn:aws:iam::123456789012:role/admin"),
        "awsudo shell-init": (
            "awsudo-use prod; echo as=$AWSUDO_ROLE_ARN; awsudo-use --unset",
            "as=arn:aws:iam::123456789012:role/admin",
        ),
        "function fish_prompt": ("set -x AWSUDO_TARGET me; fish_prompt", "me >"),
        "PROMPT=": ("export AWSUDO_TARGET=me; print -P $PROMPT", "me #"),
    }
    after, expected = next(pair for words, pair in displayed.items() if words in block.text)

    done = _run(reader, block.language, f"{block.text}\n{after}")

    assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_starships_segment_works_as_it_stands(reader: World) -> None:
    """The command in starship's configuration gives the segment inside a session, and is not run outside."""
    text = next(block.text for block in BLOCKS if block.language == "toml")
    command, when = (re.search(rf"^{key} = (['\"])(.*)\1$", text, re.MULTILINE) for key in ("command", "when"))
    assert command and when

    assert _run(reader, "sh", when[2]).returncode == 1
    reader.env["AWSUDO_TARGET"] = "prod"
    assert _run(reader, "sh", f"{when[2]} && {command[2]}").stdout == "prod"


@pytest.mark.parametrize("line", INTRODUCTION)
def test_a_line_of_the_introduction_works_as_it_stands(reader: World, line: str) -> None:
    """The very first lines one sees run as they are; a run of many targets ends with its summary."""
    done = _run(reader, "bash -eu", line)

    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(\d+ targets in .*: \d+ ok, 0 failed, 0 without a session\n)?", done.stderr)
    assert "role/" in done.stdout


class TrustedGitHub(GitHub):
    """A GitHub whose tokens this STS takes."""

    def __init__(self, sts: StrictAws) -> None:
        super().__init__()
        self._sts = sts

    def answer(self, call: Call) -> Answer:
        """As GitHub's own."""
        answer = super().answer(call)
        for token in self.given:
            self._sts.add_web_identity(token)
        return answer


def test_the_steps_of_a_ci_job_work_as_they_stand(reader: World, sts_of_reader: StrictAws, tmp_path: Path) -> None:
    """The job's own lines run a command as a role, and hand the session on to the steps that follow."""
    block = next(block.text for block in BLOCKS if block.heading == "Run it in CI without keys")
    reader.env |= dict(re.findall(r"^      (AWS_\w+): (.*)$", block, re.MULTILINE))
    reader.credentials("")

    with TrustedGitHub(sts_of_reader) as github:
        reader.env |= {**github.environ, "GITHUB_ENV": str(tmp_path / "env")}
        done = _run(reader, "bash -e", "\n".join(re.findall(r"run: (awsudo .*)", block)))

    assert done.returncode == 0, done.stderr
    assert "make as arn:aws:iam::123456789012:role/deploy\n" in done.stdout
    assert "AWS_SESSION_TOKEN" in (tmp_path / "env").read_text(encoding="utf-8")


def test_the_image_runs_what_a_wheel_installs() -> None:
    """The Dockerfile needs nothing but this checkout, starts the console script, and does not run as root."""
    lines = next(block.text for block in BLOCKS if block.language == "dockerfile").splitlines()
    project = (README.parent / "pyproject.toml").read_text(encoding="utf-8")

    assert lines[0].startswith("FROM python:3.13") and "Python :: 3.13" in project
    assert "pip install --no-cache-dir /src" in lines[2] and lines[1] == "COPY . /src"
    assert lines[-2:] == ["USER app", 'ENTRYPOINT ["awsudo"]'] and '\nawsudo = "awsudo_py.__main__:main"' in project


def test_every_variable_is_in_the_readme() -> None:
    """The list of AWSUDO_* variables is the program's own."""
    output = set(re.findall(r"AWSUDO_[A-Z_]+", README.read_text(encoding="utf-8")))

    assert {expected.variable for expected in INPUTS} <= output


def test_every_subcommand_is_in_the_readme() -> None:
    """What the program can do, the README tells."""
    text = README.read_text(encoding="utf-8")

    lines = [*SUBCOMMANDS, *(f"{name} {sub}" for name, line in SUBCOMMANDS.items() for sub in line.subs)]
    assert [name for name in lines if f"awsudo {name}" not in text] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """The blocks that install something are run by .ci/run out of this very file."""
    script = (README.parent / ".ci" / "run").read_text(encoding="utf-8")

    for block in blocks():
        assert not block.by_ci or f'tests/readme.py "{block.heading}"' in script
