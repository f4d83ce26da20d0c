"""awsudo as a credential_process: what the SDKs themselves make of it, and the guard against calling itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pexpect
import pytest

from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
ARN = "arn:aws:sts::111111111111:assumed-role/dev/"
SDK = "[profile sdk]\ncredential_process = awsudo export dev --format process\n"
BOTO3 = "import boto3; print(boto3.Session(profile_name='sdk').client('sts').get_caller_identity()['Arn'])"
JAVASCRIPT = """
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { fromIni } from "@aws-sdk/credential-providers";
const client = new STSClient({ region: "eu-west-1", credentials: fromIni({ profile: "sdk" }) });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
"""


@pytest.fixture
def sdk(world: World) -> World:
    """A world in which profile `sdk` asks awsudo for the role of profile `dev`."""
    config = world.home / ".aws" / "config"
    config.write_text(config.read_text() + SDK)
    world.env["PATH"] = sysconfig.get_path("scripts") + os.pathsep + world.env["PATH"]
    return world


def _said(world: World, *command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, env=world.environ(), capture_output=True, text=True, timeout=60, cwd=cwd or world.home, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_boto3_becomes_the_role_through_its_own_configuration(sdk: World) -> None:
    """boto3 runs awsudo out of ~/.aws/config, and is the role."""
    assert _said(sdk, sys.executable, "-c", BOTO3).startswith(ARN)


def test_the_aws_cli_becomes_the_role_through_its_own_configuration(sdk: World) -> None:
    """The AWS CLI likewise."""
    words = ("sts", "get-caller-identity", "--profile", "sdk", "--query", "Arn", "--output", "text")

    assert _said(sdk, str(Path(sysconfig.get_path("scripts"), "aws")), *words).startswith(ARN)


@needs("node")
@pytest.mark.skipif(
    not NODE_MODULES.is_dir() and os.environ.get("CI") != "true", reason="npm install --prefix tests/node"
)
def test_the_javascript_sdk_becomes_the_role_through_its_own_configuration(sdk: World) -> None:
    """The AWS SDK for JavaScript likewise."""
    said = _said(sdk, "node", "--input-type=module", "-e", JAVASCRIPT, cwd=NODE_MODULES.parent)

    assert said.startswith(ARN)


def test_it_prints_what_the_sdks_expect_and_nothing_else(world: World, sts: StrictSts) -> None:
    """Version 1, the three keys and their expiration, as STS gave them."""
    done = world.run("export", "dev", "--format", "process")

    printed = json.loads(done.out)
    issued = sts.issued[-1]
    assert done.err == ""
    assert sorted(printed) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert (printed["Version"], printed["AccessKeyId"]) == (1, issued.access_key_id)
    assert (printed["SecretAccessKey"], printed["SessionToken"]) == (issued.secret_access_key, issued.session_token)
    assert printed["Expiration"].endswith("Z")


def test_a_failure_prints_nothing_on_stdout(world: World) -> None:
    """An SDK gets an exit code and a reason, never half an answer."""
    done = world.run("export", "nope", "--format", "process")

    assert (done.code, done.out) == (125, "") and "no profile 'nope'" in done.err


@pytest.mark.parametrize(
    ("config", "words", "env"),
    [
        ("[profile a]\ncredential_process = awsudo export a --format process\n", ("a", "true"), {}),
        (
            "[profile a]\ncredential_process = awsudo export b --format process\n"
            "[profile b]\ncredential_process = awsudo export a --format process\n",
            ("a", "true"),
            {},
        ),
        (
            "[profile a]\ncredential_process = awsudo export 111111111111:dev --format process\n",
            ("111111111111:dev", "true"),
            {"AWS_PROFILE": "a"},
        ),
    ],
    ids=["itself", "two profiles", "the ambient profile"],
)
def test_a_credential_process_that_comes_back_to_itself_is_one_clear_error(
    sdk: World, sts: StrictSts, config: str, words: tuple[str, ...], env: dict[str, str | None]
) -> None:
    """A loop ends at once, names the profile, and starts no storm of processes."""
    sdk.config(config)
    begun = time.monotonic()

    done = sdk.run(*words, env=env)

    assert (done.code, sts.calls) == (125, [])
    assert "calls awsudo for profile a again" in done.err
    assert time.monotonic() - begun < 5


def test_a_profile_that_asks_awsudo_may_be_the_source_of_a_role(sdk: World, sts: StrictSts) -> None:
    """One awsudo inside another is no loop where the profiles differ."""
    sts.add_role("arn:aws:iam::111111111111:role/ops")

    done = sdk.run("-p", "sdk", "111111111111:ops", "sh", "-c", "echo $AWSUDO_ROLE_ARN")

    assert (done.code, done.out) == (0, "arn:aws:iam::111111111111:role/ops\n"), done.err


def test_export_on_a_terminal_is_refused_with_the_line_to_type(world: World) -> None:
    """Secrets are not printed where somebody may look over a shoulder, unless that is wanted."""
    for words, expected in (
        (["export", "dev"], "this would print secrets"),
        (["export", "dev", "--force"], "export AWS_"),
    ):
        terminal = pexpect.spawn(AWSUDO, words, env=world.environ(), encoding="utf-8", timeout=20, dimensions=(50, 200))
        terminal.expect(expected)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == (0 if "--force" in words else 125)


@pytest.mark.parametrize(
    ("shell", "unset"),
    [
        ("bash", "unset AWS_PROFILE;"),
        ("dash", "unset AWS_PROFILE;"),
        ("zsh", "unset AWS_PROFILE;"),
        ("fish", "set -e AWS_PROFILE;"),
    ],
)
def test_the_calling_shell_decides_the_format(world: World, shell: str, unset: str) -> None:
    """Not $SHELL: the shell that reads the lines."""
    if subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True, check=False).returncode:
        assert os.environ.get("CI") != "true", f"{shell} is missing"
        pytest.skip(f"{shell} is missing")
    done = subprocess.run(
        [shell, "-c", f"{AWSUDO} export dev; true"],
        env=world.environ({"SHELL": "/bin/csh"}),
        capture_output=True,
        text=True,
        check=True,
    )

    assert unset in done.stdout.splitlines()


def test_unset_takes_out_all_that_a_session_brought(world: World) -> None:
    """`export --unset` undoes `export`: nothing of the session is left in the shell."""
    line = f'eval "$({AWSUDO} export dev)"; eval $({AWSUDO} export --unset); env | grep -E "^(AWS_[AS]|AWSUDO_)" | sort'
    kept = "AWS_ACCESS|AWS_SECRET|AWS_SESSION|AWSUDO"

    done = subprocess.run(["sh", "-c", line], env=world.environ(), capture_output=True, text=True, check=False)

    assert not [name for name in done.stdout.splitlines() if name.startswith(tuple(kept.split("|")))]
