"""The Python library: boto3 sessions, values and variables, by the same resolution, cache and locks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import botocore.session
import pytest

import awsudo_py
from awsudo_py.errors import AwsudoError
from tests.servers.strict_sts import StrictSts
from tests.world import World

ROLE = "arn:aws:iam::111111111111:role/dev"


@pytest.fixture(autouse=True)
def _here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has the world's environment."""
    for name, value in world.environ().items():
        monkeypatch.setenv(name, value)


def test_a_session_is_the_target(sts: StrictSts) -> None:
    """A boto3 Session signs as the role, in the profile's Region, with credentials that renew themselves."""
    session = awsudo_py.session("dev")

    assert session.region_name == "eu-west-1"
    assert session.client("sts").get_caller_identity()["Arn"].startswith("arn:aws:sts::111111111111:assumed-role/dev/")
    assert session.get_credentials().method == "awsudo"


def test_a_session_renews_its_credentials(sts: StrictSts) -> None:
    """A client that lives longer than its session gets the next one, without an error between."""
    session = awsudo_py.session("dev", region="eu-central-1", no_cache=True)
    client = session.client("sts")
    before = client.get_caller_identity()["ResponseMetadata"]["HTTPStatusCode"]

    # botocore has no public way to let credentials expire
    session.get_credentials()._expiry_time -= timedelta(hours=1)
    after = client.get_caller_identity()["ResponseMetadata"]["HTTPStatusCode"]

    used = [call.access_key_id for call in sts.calls if call.action == "GetCallerIdentity"]
    assert (before, after) == (200, 200) and len(set(used)) == 2


def test_threads_with_one_expired_session_make_one_call(sts: StrictSts) -> None:
    """32 threads at once: one AssumeRole call, and the same session for all."""
    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda _: awsudo_py.credentials("dev").access_key_id, range(32)))

    assert len(set(found)) == 1 and sts.count("AssumeRole") == 1


def test_the_command_line_shares_the_cache(world: World, sts: StrictSts) -> None:
    """What one has got, the other uses."""
    key = awsudo_py.credentials("dev").access_key_id

    assert world.run("dev", "printenv", "AWS_ACCESS_KEY_ID").key_id == key and sts.count("AssumeRole") == 1


def test_the_variables_are_those_of_a_command(world: World, sts: StrictSts) -> None:
    """A value for each, None for one that must not be set."""
    changes = awsudo_py.environment("dev")

    assert changes["AWS_REGION"] == "eu-west-1" and changes["AWS_PROFILE"] is None
    done = world.run("dev", "/usr/bin/env", "-0")
    assert {name: done.env.get(name) for name in changes} == changes


def test_asyncio_waits_in_a_thread(sts: StrictSts) -> None:
    """acredentials() is credentials(), without holding up the event loop."""

    async def both() -> list[str]:
        found = await asyncio.gather(awsudo_py.acredentials("dev"), awsudo_py.acredentials("dev"))
        return [each.access_key_id for each in found]

    first, second = asyncio.run(both())
    assert first == second and sts.count("AssumeRole") == 1


#: Inputs of the library, and the parameters that they become.
INPUTS: tuple[tuple[dict[str, Any], dict[str, str]], ...] = (
    ({"duration": 900}, {"DurationSeconds": "900"}),
    ({"duration": "15m"}, {"DurationSeconds": "900"}),
    ({"session_name": "job-7", "external_id": "x/1"}, {"RoleSessionName": "job-7", "ExternalId": "x/1"}),
    ({"tags": {"team": "ops"}}, {"Tags.member.1.Key": "team", "Tags.member.1.Value": "ops"}),
    (
        {"policy": {"Statement": {"Effect": "Deny", "Action": "s3:*"}}},
        {"Policy": '{"Statement":{"Effect":"Deny","Action":"s3:*"}}'},
    ),
    ({"read_only": True}, {"PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
)


@pytest.mark.parametrize(("inputs", "sent"), INPUTS, ids=str)
def test_an_input_is_the_option_of_that_name(sts: StrictSts, inputs: dict[str, Any], sent: dict[str, str]) -> None:
    """Python values become what the options would."""
    sts.add_role(ROLE)

    awsudo_py.credentials("dev", **inputs)

    assert sent.items() <= sts.calls[-1].params.items()


def test_a_role_can_be_assumed_from_a_profile(sts: StrictSts) -> None:
    """profile is the source of the role that is the target."""
    found = awsudo_py.credentials(ROLE, profile="base")

    assert found.arn.startswith("arn:aws:sts::111111111111:assumed-role/dev/")


@pytest.mark.parametrize(
    ("target", "inputs", "message"),
    [
        ("dvv", {}, "no profile 'dvv'"),
        ("dev", {"duration": 5}, "duration: a session lasts"),
        ("dev", {"tags": {"aws:x": "1"}}, "tags:"),
        ("dev", {"profile": "base"}, "dev is not a role"),
        ("arn:aws:iam::111111111111:role/nobody", {"profile": "base"}, "role/nobody"),
    ],
)
def test_what_goes_wrong_raises_and_prints_nothing(
    sts: StrictSts, capfd: pytest.CaptureFixture[str], target: str, inputs: dict[str, Any], message: str
) -> None:
    """AwsudoError, with the message that the command line would print."""
    with pytest.raises(AwsudoError) as raised:
        awsudo_py.credentials(target, **inputs)

    assert message in raised.value.message and capfd.readouterr() == ("", "")


def test_an_unknown_input_is_a_mistake_of_the_program(sts: StrictSts) -> None:
    """A misspelled keyword is a TypeError, not an input without effect."""
    with pytest.raises(TypeError, match="duratoin"):
        awsudo_py.credentials("dev", **{"duratoin": 900})  # type: ignore[arg-type]


def test_a_code_comes_from_the_callback(world: World, sts: StrictSts) -> None:
    """Nobody is asked on a terminal: the callback gets the question, and without one the call raises."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    device = sts.add_mfa("alice", serial)
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + f"mfa_serial = {serial}\n")
    questions = list[str]()

    with pytest.raises(AwsudoError, match="no prompt was passed"):
        awsudo_py.credentials("dev")
    awsudo_py.credentials("dev", prompt=lambda question: questions.append(question) or device.code())  # type: ignore[func-returns-value]

    assert len(questions) == 1 and serial in questions[0]


def test_a_provider_goes_into_botocores_chain(sts: StrictSts) -> None:
    """Put first, it wins over what the environment holds."""
    session = botocore.session.Session()
    session.get_component("credential_provider").insert_before("env", awsudo_py.Provider("dev"))

    assert session.get_credentials().access_key == sts.issued[0].access_key_id


def test_importing_costs_nothing_and_changes_nothing() -> None:
    """`import awsudo_py` loads no other module; the library comes with its first use."""
    code = (
        "import sys; before = set(sys.modules); import awsudo_py; "
        "print(sorted(set(sys.modules) - before)); getattr(awsudo_py, 'credentials'); print('boto3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    )

    assert done.stdout == "['awsudo_py']\nFalse\n"


def test_an_attribute_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'sesion'"):
        getattr(awsudo_py, "sesion")  # noqa: B009 (mypy knows that it is not there)


def test_the_readmes_lines_run_as_they_stand(world: World, sts: StrictSts) -> None:
    """The example of the README, for a profile called prod."""
    from tests.readme import blocks

    (block,) = [block for block in blocks() if block.language == "python"]
    config = world.home / ".aws/config"
    config.write_text(config.read_text().replace("[profile dev]", "[profile prod]"))

    exec(compile(block.text, "README.md", "exec"), {})  # noqa: S102 (the README's own code is what is tested)

    assert sts.count("GetCallerIdentity") == 1
