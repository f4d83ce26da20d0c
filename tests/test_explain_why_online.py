"""awsudo explain --why with calls: AWS's words, its own evaluation, and the policies that the caller may read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import messages
from tests.policy.cases import allow, deny, may
from tests.servers.strict_policies import StrictPolicies, Toolbox
from tests.world import World

DEV = "arn:aws:iam::111111111111:role/dev"
ALICE = "arn:aws:iam::111111111111:user/alice"
ROOT = "arn:aws:iam::111111111111:root"
SCP = "arn:aws:organizations::777788889999:policy/o-qv5af4abcd/service_control_policy/p-2kgnabcd"
ID = "5arhuwacg4o48yxy"
DETAILS = (
    ". Go to https://us-east-1.console.aws.amazon.com/iam/home#/authorization-details/x for complete details, or call "
    f"the GetRequestAuthorizationDetails API with the following authorization id: {ID}"
)


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture
def aws() -> Iterator[StrictPolicies]:
    """STS and IAM with policies."""
    with StrictPolicies() as server:
        yield server


@pytest.fixture
def person(tmp_path: Path, aws: StrictPolicies) -> World:
    """A machine with the keys of alice, and a profile for the role dev."""
    world = World(tmp_path, sts_url=aws.url)
    world.env["AWS_ENDPOINT_URL_IAM"] = aws.url
    key = aws.add_user("alice")
    aws.add_role(DEV)
    world.config(f"[profile dev]\nrole_arn = {DEV}\nsource_profile = base\nregion = eu-west-1\n")
    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    return world


def _actions(aws: StrictPolicies) -> list[str]:
    return [call.action for call in aws.calls]


def test_a_role_that_can_be_assumed_is_reported(person: World, aws: StrictPolicies) -> None:
    """AWS gave a session: allowed, and nothing more is read."""
    done = person.run("explain", "dev", "--why")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("dev: ALLOWED\n") and "returned a session" in done.out
    assert _actions(aws) == ["AssumeRole", "GetCallerIdentity"]


def test_a_refusal_without_a_reason_is_explained_by_the_trust_policy(person: World, aws: StrictPolicies) -> None:
    """AWS does not say why: the trust policy's condition does, by its statement, with what to send."""
    aws.add_role(DEV, external_id="ci-7f3")
    aws.trust["dev"] = _policy(allow(ALICE, Sid="FromCI", Condition={"StringEquals": {"sts:ExternalId": "ci-7f3"}}))

    done = person.run("explain", "dev", "--why", "-v")

    assert done.code == 1, done.err
    assert f"dev: DENIED: {messages.TRUST_DOES_NOT_ALLOW} it" in done.out
    assert "AWS       User: " in done.out
    assert 'statement "FromCI" of the trust policy' in done.out
    assert 'sts:ExternalId must equal "ci-7f3" (StringEquals); the request does not have it' in done.out
    assert "awsudo --external-id ci-7f3 dev" in done.out
    announced = [line.removeprefix("awsudo: calling ") for line in done.err.splitlines() if "calling " in line]
    assert announced[:2] == ["sts:AssumeRole", "iam:GetRole"]
    assert [name.partition(":")[2] for name in announced] == _actions(aws)


def test_the_callers_policies_are_read_and_their_statements_named(person: World, aws: StrictPolicies) -> None:
    """Inline, attached and group policies count; the statement that allows is named with its policy."""
    engineers = "arn:aws:iam::111111111111:policy/engineers"
    aws.add_role(DEV, deny="")
    aws.trust["dev"] = _policy(allow(ROOT, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    aws.inline["alice"] = _policy(may(Action="s3:*"))
    aws.groups["alice"] = ["team"]
    aws.attached["team"] = {engineers: _policy(may(Action="s3:*"), may())}

    done = person.run("explain", "dev", "--why")

    assert done.code == 1
    assert f"identity policies     allows     statement 2 of {engineers}" in done.out
    assert 'aws:MultiFactorAuthPresent must be "true" (Bool)' in done.out and "--mfa-serial ARN" in done.out


def test_what_aws_reports_goes_before_what_awsudo_evaluates(person: World, aws: StrictPolicies) -> None:
    """AWS names a Deny of the organization, which nobody here can read: that side is to blame."""
    aws.add_role(DEV, deny=f"with an explicit deny in a service control policy: {SCP}")
    aws.trust["dev"] = _policy(allow(ALICE))

    done = person.run("explain", "dev", "--why", "--json")

    found = json.loads(done.out)
    assert (done.code, found["verdict"], found["blame"]) == (1, "deny", "scp")
    assert (found["aws"]["policy_arn"], found["aws"]["explicit"]) == (SCP, True)


def test_the_authorization_id_brings_awss_own_evaluation(person: World, aws: StrictPolicies) -> None:
    """Where the text carries an ID, its details are read and shown: check, effect, policy and Sid."""
    aws.add_role(DEV, deny=f"with an explicit deny in a service control policy: {SCP}{DETAILS}")
    check = {
        "checkType": "SERVICE_CONTROL_POLICY",
        "evaluatedEffect": "EXPLICIT_DENY",
        "matchedPolicies": [{"uri": SCP, "matchedStatements": [{"sid": "Regions", "evaluatedEffect": "DENY"}]}],
    }
    with Toolbox(ID, [check]) as toolbox:
        person.env["AWS_ENDPOINT_URL_IAM_TOOLBOX"] = toolbox.url
        done = person.run("explain", "dev", "--why")

    assert done.code == 1
    assert f"checked   SERVICE_CONTROL_POLICY EXPLICIT_DENY {SCP}, Regions" in done.out


def test_what_may_not_be_read_is_unknown(person: World, aws: StrictPolicies) -> None:
    """Nothing may be read: the cause stays unknown, each refusal is noted, and nothing is claimed."""
    aws.add_role(DEV, external_id="x")
    for action in ("GetRole", "GetUser", "ListGroupsForUser", "SimulatePrincipalPolicy"):
        aws.deny(f"iam:{action}")

    done = person.run("explain", "dev", "--why")

    assert done.code == 3
    assert "dev: DENIED by AWS; the policies that can be read do not show why" in done.out
    assert done.out.count("could not be read") == 4
    assert "It may be one of these:" in done.out and "  - its trust policy requires an --external-id" in done.out


def test_a_simulation_stands_in_for_policies_that_may_not_be_read(person: World, aws: StrictPolicies) -> None:
    """The simulator tells what the caller's policies and SCPs say, one role at a time."""
    aws.add_role(DEV, deny="")
    aws.trust["dev"] = _policy(allow(ROOT))
    aws.deny("iam:ListGroupsForUser")
    aws.decisions["sts:AssumeRole"] = "implicitDeny"
    aws.organization = True

    found = json.loads(person.run("explain", "dev", "--why", "--json").out)

    assert (found["verdict"], found["blame"]) == ("implicitDeny", "identity")
    assert found["sides"]["scp"] == "allows"
    assert [each["statement"] for each in found["advice"] if each["statement"]] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": DEV}
    ]


def test_a_role_that_does_not_exist_is_named_with_the_nearest(person: World, aws: StrictPolicies) -> None:
    """A misspelt role: that it does not exist, and which does."""
    aws.add_role("arn:aws:iam::111111111111:role/team/Admin")
    person.config("[profile ops]\nrole_arn = arn:aws:iam::111111111111:role/admin\nsource_profile = base\n")

    done = person.run("explain", "ops", "--why")

    assert done.code == 1
    assert "there is no role admin in account 111111111111" in done.out
    assert "awsudo arn:aws:iam::111111111111:role/team/Admin" in done.out


def test_a_role_of_that_name_with_another_path_is_named(person: World, aws: StrictPolicies) -> None:
    """A role's name is unique, its path is part of the ARN: the one that exists is named."""
    there = aws.add_role("arn:aws:iam::111111111111:role/team/admin")
    person.config("[profile ops]\nrole_arn = arn:aws:iam::111111111111:role/admin\nsource_profile = base\n")

    done = person.run("explain", "ops", "--why")

    assert done.code == 1
    assert f"there is no arn:aws:iam::111111111111:role/admin: the role of that name is {there}" in done.out
    assert f"awsudo {there}" in done.out


def test_a_role_of_another_account_has_a_trust_policy_that_cannot_be_read(person: World, aws: StrictPolicies) -> None:
    """Across accounts the trust policy is unknown, not guessed."""
    there = aws.add_role("arn:aws:iam::222222222222:role/deploy", external_id="x")
    aws.inline["alice"] = _policy(may())
    person.config(f"[profile deploy]\nrole_arn = {there}\nsource_profile = base\n")

    done = person.run("explain", "deploy", "--why")

    assert done.code == 3
    assert "is in account 222222222222, where the caller cannot read it" in done.out
    assert "identity policies     allows" in done.out


def test_no_calls_makes_no_call(person: World, aws: StrictPolicies) -> None:
    """--no-calls: unknown, with the caller on the line."""
    done = person.run("explain", "dev", "--why", "--no-calls", "--caller", ALICE)

    assert (done.code, len(aws.calls)) == (3, 0)
    assert person.run("explain", "dev", "--why", "--no-calls").code == 2


def test_a_refused_code_or_key_is_explained_as_in_a_run(person: World, aws: StrictPolicies) -> None:
    """What no policy decides is the error of a run, with its hint."""
    person.credentials("[base]\naws_access_key_id = AKIAAAAAAAAAAAAAAAAA\naws_secret_access_key = secret\n")

    done = person.run("explain", "dev", "--why")

    assert done.code == 125 and messages.UNKNOWN_KEY in done.err


def test_a_session_that_calls_is_judged_by_its_role(person: World, aws: StrictPolicies) -> None:
    """In a chain the policies are those of the role before, found with its path."""
    build = aws.add_role("arn:aws:iam::111111111111:role/team/build")
    aws.add_role(DEV, deny="")
    aws.trust["dev"] = _policy(
        allow(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": build}}), deny("*", Action="sts:TagSession")
    )
    aws.inline["build"] = _policy(may(Action="s3:*"))
    person.config(
        f"[profile build]\nrole_arn = {build}\nsource_profile = base\n"
        f"[profile dev]\nrole_arn = {DEV}\nsource_profile = build\n"
    )  # fmt: skip

    found = json.loads(person.run("explain", "dev", "--why", "--json").out)

    assert (found["verdict"], found["blame"], found["sides"]["trust"]) == ("implicitDeny", "identity", "allows")
    assert found["caller"].startswith("arn:aws:sts::111111111111:assumed-role/build/")


@pytest.mark.parametrize("how", ["option", "variable", "profile"])
def test_a_run_explains_a_denial_where_that_is_set(person: World, aws: StrictPolicies, how: str) -> None:
    """--why, AWSUDO_EXPLAIN or awsudo_explain: the refusal of a run is followed by its reasons, on stderr."""
    aws.add_role(DEV, external_id="ci-7f3")
    aws.trust["dev"] = _policy(allow(ALICE, Condition={"StringEquals": {"sts:ExternalId": "ci-7f3"}}))
    if how == "profile":
        person.config(f"[profile dev]\nrole_arn = {DEV}\nsource_profile = base\nawsudo_explain = true\n")
    words = ("--why", "dev") if how == "option" else ("dev",)

    done = person.run(*words, "echo", "ran", env={"AWSUDO_EXPLAIN": "true"} if how == "variable" else None)

    assert (done.code, done.out) == (125, "")
    assert done.err.startswith("awsudo: cannot get a session of ") and done.err.count(messages.NO_REASON) == 1
    assert f"dev: DENIED: {messages.TRUST_DOES_NOT_ALLOW} it" in done.err
    assert _actions(aws)[:2] == ["AssumeRole", "GetRole"] and aws.count("AssumeRole") == 1


def test_a_run_calls_nothing_more_by_itself(person: World, aws: StrictPolicies) -> None:
    """Unless configured, a refused run makes no further call."""
    aws.add_role(DEV, external_id="ci-7f3")

    person.run("dev", "true")

    assert _actions(aws) == ["AssumeRole"]


def test_the_role_that_was_refused_is_explained_and_not_the_last(person: World, aws: StrictPolicies) -> None:
    """In a chain the first role may be the one that is refused."""
    build = aws.add_role("arn:aws:iam::111111111111:role/build", external_id="x")
    aws.trust["build"] = _policy(allow("arn:aws:iam::111111111111:user/bob"))
    person.config(
        f"[profile build]\nrole_arn = {build}\nsource_profile = base\n"
        f"[profile dev]\nrole_arn = {DEV}\nsource_profile = build\n"
    )

    found = json.loads(person.run("explain", "dev", "--why", "--json").out)

    assert (found["role"], found["caller"], found["blame"]) == (build, ALICE, "trust")
