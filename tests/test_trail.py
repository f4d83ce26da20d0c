"""awsudo trail: who assumed a role, by CloudTrail's own events, at its pace, with what IAM knows at the head."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from awsudo_py.aws import trail
from awsudo_py.aws.trail import Progress, Use, use_of
from tests.conftest import made_world
from tests.servers.cloudtrail import CloudTrail
from tests.servers.strict_iam import StrictAws
from tests.world import World

ROLE = "arn:aws:iam::111111111111:role/dev"
_NOW = 1_760_000_000


def event(name: str = "AssumeRole", *, ago: float = 60, role: str = ROLE, **more: Any) -> dict[str, Any]:
    """An event as CloudTrail writes it, `ago` seconds before now."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))
    made = {
        "eventName": name,
        "eventTime": at,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/ann"},
        "requestParameters": {"roleArn": role, "roleSessionName": "ann@laptop"},
        "responseElements": {"assumedRoleUser": {"arn": f"{role.replace(':role/', ':assumed-role/')}/ann@laptop"}},
        "resources": [{"ARN": role, "type": "AWS::IAM::Role"}],
    }
    return {**made, **more}


#: What an event holds, and what is listed of it.
EVENTS: tuple[tuple[dict[str, Any], dict[str, str]], ...] = (
    (event(), {"who": "arn:aws:iam::111111111111:user/ann", "session_name": "ann@laptop", "result": "ok", "mfa": ""}),
    (
        event(requestParameters={"roleArn": ROLE, "serialNumber": "arn:aws:iam::111111111111:mfa/ann"}),
        {"mfa": "yes"},
    ),
    (
        event(
            userIdentity={
                "arn": "arn:aws:sts::111111111111:assumed-role/ci/b",
                "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
            }
        ),
        {"mfa": "no", "who": "arn:aws:sts::111111111111:assumed-role/ci/b"},
    ),
    (
        event(
            errorCode="AccessDenied",
            errorMessage=f"User: u is not authorized to perform: sts:AssumeRole on resource: {ROLE} because no",
            requestParameters=None,
            responseElements=None,
            resources=None,
        ),
        {"result": "AccessDenied", "session_name": ""},
    ),
    (
        event(
            requestParameters={
                "roleArn": ROLE,
                "roleSessionName": "s",
                "sourceIdentity": "ann",
                "tags": [{"key": "Reason", "value": "TICKET-4711"}],
            }
        ),
        {"source_identity": "ann", "reason": "TICKET-4711"},
    ),
    (
        event("AssumeRoleWithWebIdentity", userIdentity={"type": "WebIdentityUser", "userName": "repo:o/r"}),
        {"who": "repo:o/r", "event": "AssumeRoleWithWebIdentity"},
    ),
    (
        event(
            "GetScopedCredentials",
            userIdentity={
                "arn": "arn:aws:sts::111111111111:assumed-role/dev/ann@laptop",
                "sessionContext": {"sessionIssuer": {"arn": ROLE}},
            },
            requestParameters={"scopedSessionDescription": "only reads"},
            responseElements=None,
            resources=None,
        ),
        {"reason": "only reads", "session_name": "ann@laptop"},
    ),
)


@pytest.mark.parametrize(("record", "expected"), EVENTS)
def test_an_event_has_user_time_and_way(record: dict[str, Any], expected: dict[str, str]) -> None:
    """Each kind of call is read as CloudTrail writes it, refused ones included."""
    use = use_of({"CloudTrailEvent": json.dumps(record)}, ROLE)

    assert use is not None and expected.items() <= use._asdict().items()


@pytest.mark.parametrize(
    "record",
    [
        event(role="arn:aws:iam::111111111111:role/develop"),
        event(role="arn:aws:iam::222222222222:role/dev"),
        event(
            errorCode="AccessDenied",
            errorMessage=f"User: u is not authorized to perform: sts:AssumeRole on resource: {ROLE}-other",
            requestParameters=None,
            resources=None,
        ),
        event("GetScopedCredentials", userIdentity={"sessionContext": {"sessionIssuer": {"arn": ROLE + "x"}}}),
    ],
)
def test_an_event_of_another_role_is_left_out(record: dict[str, Any]) -> None:
    """A role whose name begins alike, or that of another account, is another role."""
    assert use_of({"CloudTrailEvent": json.dumps(record)}, ROLE) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"userIdentity": 1, "requestParameters": []}'])
def test_an_event_that_cannot_be_read_is_left_out(text: str) -> None:
    """No record of CloudTrail's ends the list."""
    assert use_of({"CloudTrailEvent": text}, ROLE) is None


def test_five_thousand_events_are_paged_at_cloudtrails_pace() -> None:
    """100 pages of 50, no request before its time, and progress after each."""
    moment, displayed = [0.0], list[Progress]()
    events = [
        event(
            eventTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_NOW - number)), role=f"{ROLE}{number % 5 or ''}"
        )
        for number in range(5_000)
    ]
    server = CloudTrail(events, clock=lambda: moment[0])

    def pace() -> None:
        moment[0] += trail.PACE

    def lookup(**parameters: Any) -> dict[str, Any]:
        from tests.servers.serving import Answer, Call

        headers: Any = {"X-Amz-Target": "CloudTrail_20131101.LookupEvents", "Authorization": "/cloudtrail/aws4_request"}
        answer = server.answer(Call("POST", "/", "/", {}, headers, json.dumps(parameters).encode()))
        assert isinstance(answer, Answer) and answer.status == 200, answer
        found: dict[str, Any] = json.loads(answer.body)
        return found

    found = list(trail.uses(lookup, ROLE, since=_NOW - 6_000, until=_NOW, pace=pace, progress=displayed.append))

    assert len(found) == 1_000 and len(server.requests) == 103
    assert displayed[-1] == Progress(requests=103, events=5_000, found=1_000)


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    """STS and IAM on one port."""
    with StrictAws() as server:
        yield server


def _world(root: Any, aws: StrictAws, cloudtrail: CloudTrail) -> World:
    world = made_world(root, aws)
    world.env |= {"AWS_ENDPOINT_URL_IAM": aws.url, "AWS_ENDPOINT_URL_CLOUDTRAIL": cloudtrail.url}
    return world


def test_the_list_has_the_role_at_its_head(tmp_path: Any, aws: StrictAws) -> None:
    """Newest first, a refused attempt among them; throttled requests are sent again."""
    refused = event(ago=3_600, errorCode="AccessDenied", userIdentity={"arn": "arn:aws:iam::333333333333:role/ci"})
    with CloudTrail([event(ago=60), refused, event(role=f"{ROLE}-other")]) as server:
        world = _world(tmp_path, aws, server)
        server.throttled = 1
        aws.role_used[ROLE] = (time.time() - 60, "eu-west-1")

        table = world.run("trail", "dev", "--region", "us-east-1")
        as_json = json.loads(world.run("trail", "dev", "--region", "us-east-1", "--json").out)

    first, titles, newest, oldest = table.out.splitlines()
    assert table.code == 0 and first.startswith("role/dev in 111111111111: last used "), table.err
    assert first.endswith(" in eu-west-1") and titles.split()[:2] == ["WHEN", "WHO"]
    assert "user/ann (111111111111)" in newest and newest.rstrip().endswith("ok")
    assert "role/ci (333333333333)" in oldest and oldest.rstrip().endswith("denied")
    assert [use["result"] for use in as_json["events"]] == ["ok", "AccessDenied"]
    assert set(as_json["events"][0]) == set(Use._fields) and as_json["lastUsed"]["region"] == "eu-west-1"


def test_a_role_that_was_never_used_has_no_events(tmp_path: Any, aws: StrictAws) -> None:
    """It says so, of IAM's 400 days and of the time that was looked at."""
    with CloudTrail([]) as server:
        done = _world(tmp_path, aws, server).run("trail", "dev", "--region", "us-east-1", "--since", "7d")

    assert done.out == "role/dev in 111111111111: not used in the last 400 days\n"
    assert (done.code, f"no event of {ROLE} in this time" in done.err) == (0, True)


def test_what_may_not_be_read_is_named(tmp_path: Any, aws: StrictAws) -> None:
    """Without iam:GetRole the events are listed all the same; without LookupEvents the refusal is AWS's."""
    with CloudTrail([event()]) as server:
        world = _world(tmp_path, aws, server)
        aws.deny("iam:GetRole")
        partly = world.run("trail", "dev", "--region", "us-east-1")
        server.denied = "User: x is not authorized to perform: cloudtrail:LookupEvents"
        refused = world.run("trail", "dev", "--region", "us-east-1")

    assert partly.code == 0 and "user/ann" in partly.out and "when the role was last used is not known" in partly.err
    assert (refused.code, refused.out) == (125, "") and "cloudtrail:LookupEvents" in refused.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dev", "--since", "91d"), "--since: 91d is too long ago"),
        (("base",), "base is not a role"),
        ((), "no target"),
    ],
)
def test_a_mistake_costs_no_call(tmp_path: Any, aws: StrictAws, words: tuple[str, ...], message: str) -> None:
    """It is named before AWS is called."""
    done = made_world(tmp_path, aws).run("trail", *words)

    assert done.code in (2, 125) and done.err.startswith(f"awsudo: {message}") and aws.calls == []
