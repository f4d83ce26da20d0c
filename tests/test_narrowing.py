"""Less than the role: a narrowed session is refused what it was not given, whatever it is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ClientError

from awsudo_py.resolve.limits import MOST_POLICY
from awsudo_py.resolve.narrowing import Narrowing, _fitting
from awsudo_py.resolve.read_actions import READ_ACTIONS
from tests.conftest import made_world
from tests.servers.strict_iam import StrictAws
from tests.world import KEY_ID, PRINT_ENV, World

#: What a command may call: a method of botocore's client of IAM that reads, and one that writes.
READS, WRITES = "list_mfa_devices", "create_access_key"
WHO = ("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    """STS and IAM on one port; session policies are evaluated."""
    with StrictAws() as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, aws: StrictAws) -> World:
    """Profiles of every kind: a role, keys alone, a process that gives a session, a web identity."""
    made = made_world(tmp_path, aws).at_hand()
    made.env |= {"AWS_ENDPOINT_URL_IAM": aws.url, "AWS_ENDPOINT_URL": aws.url}
    config = made.home / ".aws/config"
    token = made.home / "token"
    token.write_text("token-of-ci")
    aws.add_web_identity("token-of-ci")
    config.write_text(
        config.read_text()
        + "[profile base]\nregion = eu-west-1\n"
        + "[profile process]\nregion = eu-west-1\ncredential_process = awsudo export dev --format process\n"
        + "[profile web]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111111111111:role/dev\n"
        + f"web_identity_token_file = {token}\n"
        + "[profile reader]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\nregion = eu-west-1\n"
        + "awsudo_read_only = true\n"
    )
    return made


def refused(world: World, *words: str, call: str) -> bool:
    """Whether the call of a command is refused for want of a session policy that allows it.

    The call is made here, with what the environment of the command has: an AWS CLI takes half a second to start.
    """
    environment = world.run(*words, *PRINT_ENV).env
    iam = botocore.session.Session().create_client(
        "iam",
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL_IAM"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment["AWS_SESSION_TOKEN"],
    )
    with closing(iam):
        try:
            getattr(iam, call)(UserName="x")
        except ClientError as error:
            return "no session policy allows" in str(error)
    return False


@pytest.mark.parametrize("target", ["dev", "process", "web"])
def test_read_only_reads_and_does_not_write(world: World, aws: StrictAws, target: str) -> None:
    """A role by ReadOnlyAccess, every other session by GetScopedCredentials: reading goes on, writing is refused."""
    aws.add_role("arn:aws:iam::111111111111:role/dev")

    assert not refused(world, "--read-only", target, call=READS)
    assert refused(world, "--read-only", target, call=WRITES)
    scoped = [call for call in aws.calls if call.action == "GetScopedCredentials"]
    assert bool(scoped) is (target != "dev")


@pytest.mark.parametrize("target", ["dev", "process"])
def test_only_allows_what_it_names(world: World, aws: StrictAws, target: str) -> None:
    """One action is allowed and no other; together with --read-only both are."""
    only = ("--only", "iam:CreateAccessKey", target)

    assert refused(world, *only, call=READS) and not refused(world, *only, call=WRITES)
    assert not refused(world, "--read-only", *only, call=READS)


def test_keys_get_a_session_first(world: World, aws: StrictAws) -> None:
    """Long-lived keys cannot be narrowed: GetSessionToken comes before GetScopedCredentials."""
    done = world.run("--read-only", "base", *WHO)

    assert done.out.strip() == "arn:aws:iam::111111111111:user/alice", done.err
    assert [call.action for call in aws.calls] == ["GetSessionToken", "GetScopedCredentials", "GetCallerIdentity"]


def test_a_narrow_session_is_another_session(world: World, aws: StrictAws) -> None:
    """The wide one is made once and used for each narrow one, and no narrow line ever gets the wide one."""
    key = ("printenv", "AWS_ACCESS_KEY_ID")
    wide = world.run("process", *key).key_id
    narrow = [world.run("--read-only", "process", *key).key_id for _ in range(2)]
    other = world.run("--only", "s3:Get*", "process", *key).key_id

    assert len({wide, narrow[0], other}) == 3 and narrow[0] == narrow[1]
    assert [call.action for call in aws.calls].count("AssumeRole") == 1
    assert [call.action for call in aws.calls].count("GetScopedCredentials") == 2


@pytest.mark.parametrize("target", ["base", "process", "web"])
def test_clear_forgets_the_narrowed_sessions_of_a_target_too(world: World, aws: StrictAws, target: str) -> None:
    """Whichever call made them: the next run with the same words makes new ones. Those of another target stay."""
    narrow, other = ("--read-only", target, *KEY_ID), ("--read-only", "dev", *KEY_ID)
    first, of_other = world.run(*narrow).key_id, world.run(*other).key_id

    done = world.run("clear", target)

    assert done.code == 0, done.err
    assert world.run(*narrow).key_id != first
    assert (world.run(*other).key_id == of_other) is (target != "web")  # which is the same role


def test_a_narrowed_session_is_replayed_as_itself(world: World, aws: StrictAws) -> None:
    """The hit path gives the narrow session to the narrow line and the wide one to the other."""
    from tests.world import IMPORTS_LISTED

    world.settle()
    key = ("printenv", "AWS_ACCESS_KEY_ID")
    narrow, wide = world.run("--read-only", "dev", *key).key_id, world.run("dev", *key).key_id

    again = world.run("--read-only", "dev", *key, prefix=IMPORTS_LISTED)

    assert again.replayed and again.key_id == narrow != wide


def test_nothing_of_the_wide_session_reaches_the_command(world: World, aws: StrictAws) -> None:
    """Its environment holds the narrow session alone, of the same identity."""
    done = world.run("--read-only", "process", "env")

    wide = aws.issued[0]
    assert done.code == 0 and not any(part in done.out for part in (wide.access_key_id, *wide[1:3]))
    assert (
        world.run("--read-only", "process", *WHO).out.strip().startswith("arn:aws:sts::111111111111:assumed-role/dev/")
    )


def test_a_profile_can_narrow_itself(world: World, aws: StrictAws) -> None:
    """awsudo_read_only = true holds for each of its commands."""
    assert refused(world, "reader", call=WRITES) and not refused(world, "reader", call=READS)


def test_a_session_can_be_shortened(world: World, aws: StrictAws) -> None:
    """A role by its duration from 15 minutes on, every other session, and a shorter life, by GetScopedCredentials."""
    assert world.run("--shorten", "15m", "dev", "true").code == 0
    assert (aws.calls[-1].action, aws.calls[-1].params["DurationSeconds"]) == ("AssumeRole", "900")
    assert world.run("--shorten", "5m", "dev", "true").code == 0
    assert (aws.calls[-1].action, aws.calls[-1].params["DurationSeconds"]) == ("GetScopedCredentials", "300")


def test_a_session_cannot_outlast_what_it_is_made_from(world: World, aws: StrictAws) -> None:
    """A longer time is cut to what is left, with a notice."""
    done = world.run("--shorten", "10h", "process", "true")

    assert done.code == 0 and "instead of 10h: its source session ends then" in done.err
    assert int(aws.calls[-1].params["DurationSeconds"]) < 3_600


def test_three_layers_are_the_most(world: World, aws: StrictAws) -> None:
    """A fourth is AWS's refusal, and runs nothing."""
    config = world.home / ".aws/config"
    process = "credential_process = awsudo --only iam:* export {before} --format process"
    layered = "[profile l{n}]\nregion = eu-west-1\n" + process + "\n"
    names = ["process", "l1", "l2", "l3", "l4"]
    with config.open("a") as file:
        for number, before in enumerate(names[:-1], 1):
            file.write(layered.format(n=number, before=before))

    third = world.run("--no-cache", "l3", "true")
    fourth = world.run("--no-cache", "l4", "touch", "ran")

    assert third.code == 0, third.err
    assert fourth.code != 0 and not (world.home / "ran").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "s3", "dev"), "'s3' is not an action"),
        (("--only", "*", "dev"), "'*' is not an action"),
        (("--on", "arn:aws:s3:::b", "dev"), "--on: it names what --only allows actions on"),
        (("--only", "s3:Get*", "--on", "bucket", "dev"), "'bucket' is not the ARN of a resource"),
        (("--policy-arn", "arn:aws:iam::aws:policy/X", "process"), "accepts inline policies only"),
        (("--only", "s3:Get*", "--policy", '{"Statement":[]}', "dev"), "a session can have only one inline policy"),
        (("--shorten", "0", "dev"), "between 1 s and 36h"),
        (("--reason", "x", "dev"), "a reason has 2 to 256 printable characters"),
        (("--only", ",".join(f"s3:Get{n:040}" for n in range(60)), "dev"), "and STS accepts 2048"),
    ],
)
def test_what_cannot_be_narrowed_runs_nothing(
    world: World, aws: StrictAws, words: tuple[str, ...], message: str
) -> None:
    """A narrowing that cannot be done is an error, never a wider session."""
    done = world.run(*words, "touch", "ran")

    assert done.code in (2, 125) and message in done.err, done.err
    assert not (world.home / "ran").exists() and aws.calls == []


def test_the_global_endpoint_narrows_nothing(world: World, aws: StrictAws) -> None:
    """GetScopedCredentials is Regional: without a Region the run is refused before any call."""
    environment: dict[str, str | None] = {
        "AWS_ENDPOINT_URL_STS": None,
        "AWS_ENDPOINT_URL": None,
        "AWS_DEFAULT_REGION": None,
    }
    config = world.home / ".aws/config"
    config.write_text(config.read_text().replace("region = eu-west-1\n", ""))

    done = world.run("--read-only", "process", "touch", "ran", env=environment)

    assert done.code == 125 and "the global endpoint of STS has no GetScopedCredentials" in done.err


def test_the_read_actions_fit_and_the_first_stay() -> None:
    """As many as fit are sent, in their order, and what --only names is always among them."""
    policy = _fitting(Narrowing(only=("dynamodb:PutItem",), read_only=True), READ_ACTIONS)

    only, reads = json.loads(policy)["Statement"]
    assert len(policy) <= MOST_POLICY and only["Action"] == ["dynamodb:PutItem"]
    assert tuple(reads["Action"]) == READ_ACTIONS[: len(reads["Action"])] and len(reads["Action"]) > 25


def test_the_read_actions_read() -> None:
    """None of them writes, and none gives a secret or credentials."""
    assert not [
        each for each in READ_ACTIONS if each.partition(":")[2].startswith(("Put", "Create", "Delete", "Update"))
    ]
    forbidden = (
        "secretsmanager:GetSecretValue",
        "secretsmanager:Get*",
        "sts:Get*",
        "sts:GetSessionToken",
        "kms:Decrypt",
    )
    assert not set(forbidden) & set(READ_ACTIONS) and len(set(READ_ACTIONS)) == len(READ_ACTIONS)


def test_explain_names_what_narrows(world: World, aws: StrictAws) -> None:
    """The call that narrows is a step of its own, and each policy has the place that sets it."""
    option = world.run("explain", "--read-only", "process").out
    profile = world.run("explain", "reader").out

    assert "the same session, narrowed" in option and "GetScopedCredentials" in option and "--read-only" in option
    assert "policy/ReadOnlyAccess" in profile and "~/.aws/config:" in profile


@pytest.mark.parametrize(
    ("words", "setting", "place"),
    [
        (("--shorten", "20m"), "duration_seconds = 7200", "--shorten"),
        (("--shorten", "5m", "-d", "30m"), "", "--shorten"),
        ((), "duration_seconds = 7200\nawsudo_max_duration = 20m", "~/.aws/config:9"),
        (("--shorten", "3h"), "duration_seconds = 7200", "~/.aws/config:8"),
    ],
    ids=["by an option", "by a call of its own", "by the profile", "not at all"],
)
def test_explain_has_the_place_that_shortens_a_session(
    world: World, words: tuple[str, ...], setting: str, place: str
) -> None:
    """Not that of the duration which it shortens."""
    role = f"role_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\nregion = eu-west-1\n{setting}\n"
    world.config(f"[profile base]\n\n\n[profile long]\n{role}")

    done = world.run("explain", *words, "long", "--json")

    durations = [
        each for step in json.loads(done.out)["steps"] for each in step["values"] if each["name"] == "duration"
    ]
    assert durations[-1]["place"] == place, durations


# why


def test_a_reason_goes_where_it_is_logged(world: World, aws: StrictAws) -> None:
    """In the description of a scoped session; in a session tag or the source identity where the profile says so."""
    assert world.run("--read-only", "--reason", "TICKET-4711", "process", "true").code == 0
    assert aws.calls[-1].params["ScopedSessionDescription"] == "TICKET-4711"

    config = world.home / ".aws/config"
    role = "role_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\nregion = eu-west-1\n"
    config.write_text(
        config.read_text()
        + f"[profile tagged]\n{role}awsudo_reason_tag = reason\n[profile strict]\n{role}"
        + "awsudo_reason = required, source-identity\n"
    )
    assert world.run("tagged", "true", env={"AWSUDO_REASON": "TICKET-1"}).code == 0
    assert aws.calls[-1].params["Tags.member.1.Value"] == "TICKET-1"
    refused = world.run("strict", "touch", "ran")
    assert refused.code == 125 and "profile strict requires a reason" in refused.err
    assert world.run("--reason", "TICKET-2", "strict", "true").code == 0
    assert aws.calls[-1].params["SourceIdentity"] == "TICKET-2"
    assert not (world.home / "ran").exists()


def test_a_reason_is_in_the_history(world: World, aws: StrictAws) -> None:
    """With each run that has one."""
    world.run("--reason", "fix the build", "dev", "true")

    assert json.loads(world.run("history", "--json").out)[0]["reason"] == "fix the build"
