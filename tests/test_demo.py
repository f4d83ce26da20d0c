"""The demo: a newcomer's first command, the STS behind it, and the picture of it in the README."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pexpect
import pytest
from botocore.exceptions import ClientError

from awsudo_py.demo.server import ACCOUNT, DemoServer, DemoSts
from tests import messages
from tests.picture import PICTURE, demo_output, drawn, text_of
from tests.world import AWSUDO, World

BUILD, DEPLOY = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("build", "deploy"))


class Clock:
    """A clock that stands still until it is moved."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    """The demo STS's clock."""
    return Clock()


@pytest.fixture(scope="module")
def demo_sts(clock: Clock) -> Iterator[tuple[DemoSts, str]]:
    """A running demo STS, and its URL."""
    sts = DemoSts(clock=clock)
    with DemoServer(sts) as server:
        yield sts, server.url


def client(url: str, access_key_id: str, secret: str, token: str | None = None) -> Any:
    """botocore's STS client for these credentials."""
    session = botocore.session.Session()
    session.set_credentials(access_key_id, secret, token)
    return session.create_client("sts", region_name="eu-west-1", endpoint_url=url)


def session_of(answer: dict[str, Any], url: str) -> Any:
    """The client of a session that was just issued."""
    keys = answer["Credentials"]
    return client(url, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def test_the_demo_shows_two_roles_the_cache_and_the_export_and_cleans_up(world: World, tmp_path: Path) -> None:
    """Two roles, a first call, a cached second with its time, the exported lines; nothing is left behind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    output = demo_output(
        world.environ({"TMPDIR": str(temporary), "AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "AKIAMINE"})
    )

    plain = re.sub(r"\x1b\[\d*m", "", output)
    assert "assumed-role/build/ann" in plain and "assumed-role/deploy/ann" in plain
    assert re.search(r"first time +\d+ ms +2 calls", plain) and re.search(r"from then on +\d+ ms +no call", plain)
    assert plain.count("unset ") == 1 and "ASIA…" in plain
    assert "did you mean deploy?" in plain and "is not authorized to perform: sts:AssumeRole" in plain
    assert "Traceback" not in plain and not re.search(r"\$ .*['\"].*['\"]", plain), "quoting in a line to type"
    assert list(temporary.iterdir()) == [] and not world.cache.exists()
    # the picture in the README is of this very output; a new one: python -m tests.picture
    assert text_of(PICTURE.read_text(encoding="utf-8")) == text_of(drawn(output))


def test_the_demo_needs_nothing_beyond_the_standard_library() -> None:
    """A plain install has the demo: its modules import only the standard library and awsudo itself."""
    for path in (Path(sys.modules[DemoSts.__module__].__file__ or "").parent).glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        foreign = set(imported) - set(sys.stdlib_module_names) - {"awsudo_py"}
        assert foreign <= {"boto3"}, path  # boto3: in the program that the story prints, and runs as a command


def test_the_demo_shell_is_in_that_world_and_ends_with_it(world: World, tmp_path: Path) -> None:
    """--shell gives a shell in which the roles work; leaving it ends the world, with the shell's own exit code."""
    terminal = pexpect.spawn(
        AWSUDO,
        ["demo", "--shell"],
        env={**world.environ(), "SHELL": "/bin/sh", "PS1": "$ ", "TMPDIR": str(tmp_path)},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )

    terminal.expect("`exit` ends both")
    terminal.sendline("awsudo deploy sh -c 'echo as=$AWSUDO_ROLE_ARN'; echo code=$?")
    terminal.expect(f"as={DEPLOY}")
    terminal.expect("code=0")
    terminal.sendline("exit 3")
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == 3
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("awsudo-demo-")]


def test_the_demo_shell_without_a_terminal_is_a_usage_error(world: World) -> None:
    """A shell needs a terminal: one line, with what to do instead."""
    done = world.run("demo", "--shell")

    assert done.code == 2
    assert messages.NEEDS_A_TERMINAL in done.err and "awsudo demo" in done.err


def test_the_demo_sts_issues_sessions_that_work_and_expire(demo_sts: tuple[DemoSts, str], clock: Clock) -> None:
    """A session is who it says until its hour is over; the role behind it is open to it alone."""
    sts, url = demo_sts
    user = client(url, sts.access_key_id, sts.secret_access_key)
    build = session_of(user.assume_role(RoleArn=BUILD, RoleSessionName="ann", DurationSeconds=900), url)
    deploy = session_of(build.assume_role(RoleArn=DEPLOY, RoleSessionName="ann"), url)

    assert deploy.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann"
    assert session_of(user.get_session_token(), url).get_caller_identity()["Arn"].endswith("user/ann")
    clock.now += 899
    assert build.get_caller_identity()["Account"] == ACCOUNT
    clock.now += 1
    with pytest.raises(ClientError, match="ExpiredToken"):
        build.get_caller_identity()


def test_the_demo_sts_refuses_what_aws_refuses(demo_sts: tuple[DemoSts, str]) -> None:
    """Strangers, wrong tokens, roles that trust somebody else, and durations beyond the limits."""
    sts, url = demo_sts
    user = client(url, sts.access_key_id, sts.secret_access_key)
    keys = user.assume_role(RoleArn=BUILD, RoleSessionName="ann")["Credentials"]
    build = session_of({"Credentials": keys}, url)
    forged = client(url, keys["AccessKeyId"], keys["SecretAccessKey"], "forged")
    refused = {
        "InvalidClientTokenId": [client(url, "AKIASTRANGER", "x").get_caller_identity, forged.get_caller_identity],
        "AccessDenied": [
            lambda: user.assume_role(RoleArn=DEPLOY, RoleSessionName="ann"),
            lambda: user.assume_role(RoleArn=f"{BUILD}er", RoleSessionName="ann"),
            build.get_session_token,
        ],
        "ValidationError": [
            lambda: user.assume_role(RoleArn=BUILD, RoleSessionName="ann", DurationSeconds=3601),
            lambda: build.assume_role(RoleArn=DEPLOY, RoleSessionName="ann", DurationSeconds=3601),
        ],
        "InvalidAction": [lambda: user.get_access_key_info(AccessKeyId=keys["AccessKeyId"])],
    }

    for code, calls in refused.items():
        for call in calls:
            with pytest.raises(ClientError, match=code):
                call()
