"""awsudo as a credential_process: what the SDKs themselves make of it, and the guard against calling itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.readers import PROCESS
from tests.servers.strict_sts import StrictSts
from tests.world import PRINT_ENV, World

NODE = Path(__file__).parent / "node"
ROLE = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::111111111111:role/ops"
SESSION = "arn:aws:sts::111111111111:assumed-role/dev/"
BOTO3 = """
import boto3, sys
client = boto3.Session(profile_name=sys.argv[1] if sys.argv[1:] else None).client("sts")
print(client.get_caller_identity()["Arn"])
"""
JAVASCRIPT = """
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { fromIni } from "@aws-sdk/credential-providers";
const profile = process.argv[1];
const client = new STSClient({ region: "eu-west-1", ...(profile && { credentials: fromIni({ profile }) }) });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
"""
CLI = ("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
#: Each prints who it is; the profile's name goes after it, or into AWS_PROFILE.
SDKS = {
    "boto3": (sys.executable, "-c", BOTO3),
    "aws-cli": CLI,
    "javascript": ("node", "--input-type=module", "-e", JAVASCRIPT),
}
NAMED = {"boto3": (), "aws-cli": ("--profile",), "javascript": ("--",)}
EVERY_SDK = [
    "boto3",
    "aws-cli",
    pytest.param(
        "javascript",
        marks=[
            needs("node"),
            pytest.mark.skipif(
                not (NODE / "node_modules").is_dir() and os.environ.get("CI") != "true",
                reason="npm install --prefix tests/node",
            ),
        ],
    ),
]


@pytest.fixture
def sdk(world: World, sts: StrictSts) -> World:
    """A world in which profile `sdk` asks awsudo for the role of profile `dev`, and the role `ops` is there."""
    sts.add_role(OPS)
    _add(world, "[profile sdk]\ncredential_process = awsudo export dev --format process\n")
    return world.at_hand()


def _add(world: World, config: str) -> None:
    file = world.home / ".aws" / "config"
    world.config(file.read_text() + config)


def _run(
    world: World, *command: str, env: dict[str, str | None] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    # Node looks for packages where it is started
    return subprocess.run(
        command, env=world.environ(env), capture_output=True, text=True, timeout=timeout, cwd=NODE, check=False
    )


# -- the SDKs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_SDK)
def test_an_sdk_becomes_the_role_through_its_own_configuration(sdk: World, sts: StrictSts, name: str) -> None:
    """boto3, the AWS CLI and the JavaScript SDK run awsudo out of ~/.aws/config, and are the role."""
    done = _run(sdk, *SDKS[name], env={"AWS_PROFILE": "sdk"})

    assert done.stdout.startswith(SESSION), done.stderr
    assert [call.action for call in sts.calls] == ["AssumeRole", "GetCallerIdentity"]


@pytest.mark.parametrize("name", EVERY_SDK)
def test_an_sdk_and_a_command_share_one_session(sdk: World, sts: StrictSts, name: str) -> None:
    """What a command has caused to be kept, every SDK gets: STS is asked for a session once."""
    command = sdk.run("dev", *PRINT_ENV).env

    done = _run(sdk, *SDKS[name], *NAMED[name], "sdk")

    assert done.stdout.startswith(SESSION), done.stderr
    assert sts.calls[-1].access_key_id == command["AWS_ACCESS_KEY_ID"]
    assert sts.count("AssumeRole") == 1


def test_the_role_may_be_the_source_of_a_profile(sdk: World) -> None:
    """The AWS CLI assumes a role of its own from what awsudo gives it."""
    _add(sdk, f"[profile ops]\nrole_arn = {OPS}\nsource_profile = sdk\n")

    done = _run(sdk, *CLI, "--profile", "ops")

    assert ":assumed-role/ops/" in done.stdout, done.stderr


#: Says who it is and who it was, each time a line comes in.
LIVES_LONG = """
import boto3, sys
session = boto3.Session(profile_name="sdk")
client = session.client("sts")
for line in sys.stdin:
    client.get_caller_identity()
    print(session.get_credentials().get_frozen_credentials().access_key, flush=True)
"""


@needs("faketime")
def test_a_program_that_outlives_its_session_gets_the_next_one(sdk: World, sts: StrictSts, tmp_path: Path) -> None:
    """The Expiration that is printed makes the SDK ask again in time, and it is given a new session."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = sdk.environ({"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"})
    preload = _run(sdk, "faketime", "-f", "+0s", "printenv", "LD_PRELOAD").stdout.strip()
    real, offset = sts.clock, 0
    sts.clock = lambda: real() + offset

    with subprocess.Popen(
        [sys.executable, "-c", LIVES_LONG],
        env={**env, "LD_PRELOAD": preload},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as program:
        assert program.stdin and program.stdout
        keys = []
        for later in (offset, 1800, 3590, 7300):
            clock.write_text(f"+{later}")
            offset = later
            program.stdin.write("go\n")
            keys.append(program.stdout.readline().strip())
        program.stdin.close()

    assert keys == [keys[0], keys[0], sts.issued[1].access_key_id, sts.issued[2].access_key_id]
    assert sts.count("AssumeRole") == 3


@needs("faketime")
@pytest.mark.parametrize("minutes", [46, 54])
def test_an_sdk_asks_once_however_old_the_session_is(sdk: World, sts: StrictSts, tmp_path: Path, minutes: int) -> None:
    """botocore renews 15 minutes ahead: a session that it would want to renew at once would cost a process per call."""
    sdk.run("dev", "true")
    counted = tmp_path / "counted"
    script = tmp_path / "process"
    script.write_text(f"#!/bin/sh\necho >> {counted}\nexec awsudo export dev --format process\n")
    script.chmod(0o755)
    _add(sdk, f"[profile counted]\ncredential_process = {script}\n")
    real = sts.clock
    sts.clock = lambda: real() + 60 * minutes
    calls = "import boto3; c = boto3.client('sts'); [c.get_caller_identity() for _ in range(3)]"

    done = _run(sdk, "faketime", "-f", f"+{minutes}m", sys.executable, "-c", calls, env={"AWS_PROFILE": "counted"})

    assert done.returncode == 0, done.stderr
    assert len(counted.read_text()) == 1


@pytest.mark.parametrize("name", EVERY_SDK)
def test_an_sdk_shows_the_message_of_awsudo(sdk: World, name: str) -> None:
    """A typo in ~/.aws/config is reported through the SDK, with its hint, and nothing runs as another identity."""
    _add(sdk, "[profile typo]\ncredential_process = awsudo export deb --format process\n")

    done = _run(sdk, *SDKS[name], *NAMED[name], "typo")

    assert done.returncode != 0 and done.stdout == ""
    assert "no profile 'deb'" in done.stderr and "did you mean dev?" in done.stderr


# -- what is printed -----------------------------------------------------------------------------------------------


def test_it_prints_what_the_sdks_expect_and_nothing_else(world: World, sts: StrictSts) -> None:
    """Version 1, the three keys and their expiration, as STS gave them."""
    done = world.run("export", "dev", "--format", "process")

    printed = json.loads(done.out)
    issued = sts.issued[-1]
    assert (done.code, done.err) == (0, "")
    assert printed == {
        "Version": 1,
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "SessionToken": issued.session_token,
        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.expiration)),
    }


def test_a_notice_does_not_reach_what_the_sdk_reads(sdk: World, sts: StrictSts) -> None:
    """What awsudo has to say goes to stderr: stdout is JSON and nothing else, verbose or not."""
    stale: dict[str, str | None] = {"AWS_PROFILE": "sdk", "AWS_DEFAULT_PROFILE": "base"}

    done = sdk.run("export", "-v", OPS, "--format", "process", env=stale)

    assert "AWS_DEFAULT_PROFILE" in done.err
    assert set(json.loads(done.out)) == {"Version", *PROCESS}
    assert not any(each.secret_access_key in done.err or each.session_token in done.err for each in sts.issued)


def test_a_process_gives_a_session_of_long_lived_keys(world: World, sts: StrictSts) -> None:
    """The keys themselves never leave for an SDK: it gets a session of them."""
    printed = json.loads(world.run("export", "base", "--format", "process").out)

    assert printed["AccessKeyId"] == sts.issued[-1].access_key_id
    assert printed["SessionToken"] and printed["Expiration"]


# -- loops ---------------------------------------------------------------------------------------------------------


def _process(profile: str, words: str) -> str:
    return f"[profile {profile}]\ncredential_process = awsudo export {words} --format process\n"


ROLE_OF_A = f"[profile role]\nrole_arn = {ROLE}\nsource_profile = a\n"
ITSELF = _process("a", "a")
AMBIENT = _process("a", "111111111111:dev")
LOOPS: dict[str, tuple[str, tuple[str, ...], dict[str, str | None]]] = {
    "itself": (ITSELF, ("a", "true"), {}),
    "itself, exported": (ITSELF, ("export", "a", "--format", "process"), {}),
    "itself by option": (_process("a", "-p a"), ("a", "true"), {}),
    "two profiles": (_process("a", "b") + _process("b", "a"), ("a", "true"), {}),
    "three profiles": (_process("a", "b") + _process("b", "c") + _process("c", "a"), ("a", "true"), {}),
    "its own role": (_process("a", "role") + ROLE_OF_A, ("role", "true"), {}),
    "a role from itself": (_process("a", "-p a 111111111111:dev"), ("a", "true"), {}),
    "AWS_PROFILE": (AMBIENT, ("111111111111:dev", "true"), {"AWS_PROFILE": "a"}),
    "AWS_DEFAULT_PROFILE": (AMBIENT, ("export", "111111111111:dev"), {"AWS_DEFAULT_PROFILE": "a"}),
    "a shell": (ITSELF.replace("= awsudo export a --format process", "= sh -c 'awsudo export a'"), ("a", "true"), {}),
    "a command": (ITSELF.replace("export a --format process", "a cat printed"), ("a", "true"), {}),
}


@pytest.mark.parametrize(("config", "words", "env"), LOOPS.values(), ids=LOOPS)
def test_a_credential_process_that_comes_back_to_itself_is_one_clear_error(
    sdk: World, sts: StrictSts, config: str, words: tuple[str, ...], env: dict[str, str | None]
) -> None:
    """A loop ends at once and says so once: what goes round, in which file; no storm of processes, no call."""
    sdk.config(config)

    done = sdk.run(*words, env=env, timeout=5)

    assert (done.code, done.out, sts.calls) == (125, "", [])
    output = done.err.splitlines()
    assert "credential_process of profile a calls awsudo for profile a again" in output[0]
    assert str(sdk.home / ".aws" / "config") in output[0]
    # the cause with its hint, and what came of it for the profile that was asked for
    assert len(output) <= 4, done.err


def test_the_default_profile_may_loop_too(sdk: World) -> None:
    """[default] is ambient where nothing is named: a loop over it is found like any other."""
    sdk.config("[default]\ncredential_process = awsudo export 111111111111:dev --format process\n")

    done = sdk.run("111111111111:dev", "true", timeout=5)

    assert done.code == 125
    assert "credential_process of profile default calls awsudo for profile default again" in done.err


def test_an_sdk_in_a_loop_is_reported(sdk: World, sts: StrictSts) -> None:
    """Started by the AWS CLI, the loop ends just so, and the CLI shows why."""
    sdk.config(_process("a", "111111111111:dev"))

    done = _run(sdk, *CLI, env={"AWS_PROFILE": "a"}, timeout=10)

    assert done.returncode != 0 and sts.calls == []
    assert "calls awsudo for profile a again" in done.stderr


def test_a_profile_that_asks_awsudo_may_be_the_source_of_a_role(sdk: World, sts: StrictSts) -> None:
    """One awsudo inside another is not a loop where the profiles differ, however deep."""
    _add(sdk, _process("further", "-p sdk 111111111111:ops"))

    done = sdk.run("-p", "further", "111111111111:dev", *PRINT_ENV)

    assert (done.code, done.env["AWSUDO_ROLE_ARN"]) == (0, ROLE), done.err
    roles = [call.params["RoleArn"] for call in sts.calls]
    assert roles == [ROLE, OPS, ROLE]


def test_the_guard_ends_with_the_process(sdk: World) -> None:
    """The command does not inherit the credential_process: awsudo inside it may use the same profile."""
    done = sdk.run("sdk", "awsudo", "sdk", *PRINT_ENV)

    assert done.code == 0, done.err
    assert done.env["AWSUDO_TARGET"] == "sdk" and "AWSUDO_CREDENTIAL_PROCESS" not in done.env


# -- other people's processes --------------------------------------------------------------------------------------

GIVEN = {"Version": 1, "AccessKeyId": "ASIAQWERTYUIOP234567", "SecretAccessKey": "secret", "SessionToken": "token"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AccessKeyId": None}, ("other", "true")),
        ({"AccessKeyId": ""}, ("other", "true")),
        ({"SecretAccessKey": ""}, ("export", "other")),
        ({"SessionToken": "a\0b"}, ("other", "true")),
        ({"SessionToken": "a\0b"}, ("export", "other")),
        ({"SessionToken": "a\ud800b"}, ("other", "true")),
        ({"SessionToken": "a\ud800b"}, ("export", "other")),
        ({"Version": None}, ("export", "other")),
    ],
    ids=ascii,
)
def test_what_no_environment_can_hold_is_refused(
    world: World, change: dict[str, object], words: tuple[str, ...]
) -> None:
    """With half of the keys, or with what no variable can carry, a command would run as somebody else, or not."""
    printed = world.home / "printed"
    printed.write_text(json.dumps({**GIVEN, **change}))
    world.config(f"[profile other]\ncredential_process = cat {printed}\n")

    done = world.run(*words)

    assert (done.code, done.out) == (125, "")
    assert "printed no valid credentials" in done.err
