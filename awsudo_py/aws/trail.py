"""Reads from CloudTrail who assumed a role: LookupEvents for the calls of STS, and when IAM saw the role used last.

LookupEvents takes two requests a second for an account and a Region, gives 50 events a page and reaches back 90 days
(CloudTrail API reference). It looks up by one attribute only, and a refused call names no resource: so the events are
looked up by their name, and those of the role are picked out here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.aws_credentials import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from awsudo_py.aws.session_calls import SessionCalls

#: The calls that create a role's sessions.
EVENTS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetScopedCredentials")
#: Seconds between two requests.
PACE = 0.5
#: Seconds that LookupEvents reaches back.
LONGEST = 90 * 86_400


class Use(NamedTuple):
    """One attempt to get a session of the role. Empty texts stand for what the event does not hold."""

    time: str  # RFC 3339, UTC
    event: str  # the name of the call
    who: str  # ARN of the caller, or its name at the identity provider
    session_name: str
    source_identity: str
    reason: str  # description of a scoped session, or the session tag `reason`
    address: str  # an IP address, or the name of an AWS service
    mfa: str  # "yes", "no"; empty where the call does not show it
    result: str  # "ok", or AWS's error code
    region: str


class Progress(NamedTuple):
    """How far the search is: requests sent, events seen, uses of the role found."""

    requests: int
    events: int
    found: int


def uses(
    lookup: Callable[..., Mapping[str, Any]],
    role_arn: str,
    *,
    since: float,
    until: float,
    pace: Callable[[], None],
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> Iterator[Use]:
    """The uses of a role between two moments (seconds since the epoch), newest first for each kind of call.

    lookup: LookupEvents of a client; pace: waits until the next request may be sent. Raises what lookup raises.
    """
    requests = events = found = 0
    for name in EVENTS:
        token: str | None = None
        while True:
            pace()
            page = lookup(
                LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}],
                StartTime=since,
                EndTime=until,
                MaxResults=50,
                **({"NextToken": token} if token else {}),
            )
            requests += 1
            for event in page.get("Events", ()):
                events += 1
                use = use_of(event, role_arn)
                if use is not None:
                    found += 1
                    yield use
            progress(Progress(requests, events, found))
            token = page.get("NextToken")
            if not token:
                break


def use_of(event: Mapping[str, Any], role_arn: str) -> Use | None:
    """The use of the role that an event records; None if it is about another role, or cannot be read."""
    try:
        record = json.loads(event.get("CloudTrailEvent", ""))
    except (ValueError, TypeError):
        return None
    if not isinstance(record, dict):
        return None
    identity, sent, answer, more = (
        _object(record.get(name))
        for name in ("userIdentity", "requestParameters", "responseElements", "additionalEventData")
    )
    name = str(record.get("eventName", ""))
    issuer = _object(_object(identity.get("sessionContext")).get("sessionIssuer"))
    if name == "GetScopedCredentials":
        if issuer.get("arn") != role_arn:
            return None
    elif not _names_role(record, sent, role_arn):
        return None
    attributes = _object(_object(identity.get("sessionContext")).get("attributes"))
    tags = sent.get("tags")
    reasons = [str(tag.get("value", "")) for tag in _list(tags) if str(tag.get("key", "")).lower() == "reason"]
    mfa = (
        "yes"
        if sent.get("serialNumber")
        else {"true": "yes", "false": "no"}.get(_text(attributes, "mfaAuthenticated"), "")
    )
    return Use(
        time=_time(record, event),
        event=name,
        who=_who(identity),
        session_name=_text(sent, "roleSessionName") or _session_name(answer, identity if name == EVENTS[3] else {}),
        source_identity=_text(sent, "sourceIdentity") or _text(answer, "sourceIdentity"),
        reason=_text(sent, "scopedSessionDescription")
        or _text(more, "scopedSessionDescription")
        or "".join(reasons[:1]),
        address=_text(record, "sourceIPAddress"),
        mfa=mfa,
        result=_text(record, "errorCode") or "ok",
        region=_text(record, "awsRegion"),
    )


def events_of(calls: SessionCalls, region: str) -> Callable[..., Mapping[str, Any]]:
    """LookupEvents of CloudTrail in a Region, for the session's account. The function raises AwsudoError."""

    def lookup(**parameters: Any) -> Mapping[str, Any]:
        title = f"the CloudTrail events in {region}"
        return calls.patiently(
            "cloudtrail", title, lambda client: dict(client.lookup_events(**parameters)), region=region
        )

    return lookup


def last_used(calls: SessionCalls, name: str) -> tuple[str, str]:
    """When (RFC 3339) and in which Region the role of that name in the session's account was used last.

    Empty texts: never. IAM keeps track for 400 days, and some minutes behind (IAM user guide, "Refine permissions
    using last accessed information"). Raises AwsudoError.
    """
    role = calls.service("iam", f"the role {name}", lambda iam: iam.get_role(RoleName=name)["Role"])
    found = _object(role.get("RoleLastUsed"))
    at = found.get("LastUsedDate")
    return "" if at is None else rfc3339(at.timestamp()), _text(found, "Region")


def _names_role(record: Mapping[str, Any], sent: Mapping[str, Any], role_arn: str) -> bool:
    if sent.get("roleArn") == role_arn:
        return True
    if any(str(each.get("ARN", each.get("arn", ""))) == role_arn for each in _list(record.get("resources"))):
        return True
    # a refused call may have lost its parameters, but AWS's text names the role at its end, or before a reason
    words = _text(record, "errorMessage").replace(",", " ").split()
    return role_arn in words


def _who(identity: Mapping[str, Any]) -> str:
    arn = _text(identity, "arn")
    if arn:
        return arn
    for name in ("userName", "principalId", "invokedBy", "accountId", "type"):
        if _text(identity, name):
            return _text(identity, name)
    return ""


def _session_name(answer: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    arn = _text(_object(answer.get("assumedRoleUser")), "arn") or _text(identity, "arn")
    return arn.rpartition("/")[2] if ":assumed-role/" in arn else ""


def _time(record: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    if _text(record, "eventTime"):
        return _text(record, "eventTime")
    at: Any = event.get("EventTime")
    return "" if at is None else rfc3339(at.timestamp())


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return "" if value is None or isinstance(value, (dict, list)) else str(value)
