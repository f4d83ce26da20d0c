"""Narrows the session at the end of a chain: fewer actions, a shorter life, and a reason for it that AWS logs.

1. Where a role is assumed last, it is narrowed by a session policy of that very call. Every other session (SSO, aws
   login, web identity, a process, a container or instance, GetSessionToken) is narrowed by one call more,
   GetScopedCredentials, which takes an inline policy only.
2. A session that cannot be narrowed as requested is refused. No session is ever wider than requested.
3. Within one call, policies add up: --read-only --only dynamodb:PutItem allows reading and that action.

Limits: STS API reference, GetScopedCredentials; a session policy has 2,048 characters at most.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.errors import ConfigError, InvalidInput, UsageError
from awsudo_py.model import RoleHop, ScopedHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import MOST_POLICY, Origin
from awsudo_py.resolve.read_actions import READ_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from awsudo_py.model import Endpoint, Hop, Request
    from awsudo_py.resolve.aws_config import AwsConfig

#: An action of a policy: a service, and a name with or without wildcards. `*` alone would narrow nothing.
_ACTION = re.compile(r"[a-z0-9-]{1,64}:[A-Za-z0-9*?]{1,128}", re.ASCII)
#: How many actions of a policy are displayed.
MOST_ACTIONS = 4
#: AWS packs a policy in a format of its own, with a limit that it does not publish. Reported sizes of session tags put
#: it at some 460 bytes of a common compression; --read-only stays below that.
_MOST_PACKED = 430
#: Characters that the description of a scoped session may have (botocore's model of STS).
_DESCRIPTION = re.compile("[\t\n\r\x20-\x7e\xa1-\xff]{2,256}")


class Narrowing(NamedTuple):
    """The limits of a session; all are empty if it is not narrowed."""

    only: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    read_only: bool = False
    shorten: int | None = None  # seconds
    reason: str | None = None

    @property
    def limits_actions(self) -> bool:
        """Whether it needs a policy."""
        return bool(self.only or self.read_only)


def narrowing_of(request: Request, config: AwsConfig, profile: str | None) -> Narrowing:
    """What the request narrows its session to, the profile's own settings included. Raises AwsudoError."""
    settings = (config.profile(profile) or {}) if profile is not None else {}

    def origin(key: str) -> Origin:
        return config.origin(profile or "", key)

    only, resources, read_only = request.only, request.on, request.read_only
    if not only and "awsudo_only" in settings:
        only = actions(settings["awsudo_only"].split(","), origin("awsudo_only"))
        resources = resources or tuple(arns(settings.get("awsudo_on", "").split(","), origin("awsudo_on")))
    if not read_only and "awsudo_read_only" in settings:
        read_only = limits.switch(settings["awsudo_read_only"], origin("awsudo_read_only"))
    if resources and not only:
        raise limits.written(request.origins, "on").refuse(
            "it names what --only allows actions on, and there is no --only", "add it: --only 's3:Get*,s3:List*'"
        )
    if only and request.policy:
        raise limits.written(request.origins, "only").refuse(
            "a session can have only one inline policy, and --policy is one", "add the actions to that policy instead"
        )
    rule = settings.get("awsudo_reason", "")
    words = {word.strip() for word in rule.split(",") if word.strip()}
    unknown = words - {"required", "source-identity"}
    if unknown:
        raise origin("awsudo_reason").refuse(
            f"{unknown.pop()!r} is neither required nor source-identity", "awsudo_reason = required"
        )
    if "required" in words and not request.reason:
        raise ConfigError(
            f"profile {profile} requires a reason ({config.where(profile or '', 'awsudo_reason')})",
            hint="pass one: --reason 'TICKET-4711', or AWSUDO_REASON",
        )
    shorten = _at_most(request, settings, profile, origin("awsudo_max_duration"))
    return Narrowing(only, resources, read_only, shorten, request.reason)


def _at_most(request: Request, settings: Mapping[str, str], profile: str | None, origin: Origin) -> int | None:
    """What the session is shortened to, with the profile's awsudo_max_duration, which no option exceeds."""
    if "awsudo_max_duration" not in settings:
        return request.shorten
    most = limits.span(settings["awsudo_max_duration"], origin)
    if most < 1:
        raise origin.refuse("a session lasts at least 1 s")
    for field in ("duration", "shorten"):
        given = getattr(request, field)
        if given is not None and given > most:
            raise limits.written(request.origins, field).refuse(
                f"{given} s is more than profile {profile} allows, {most} s", f"see {origin.name}"
            )
    return min(request.shorten or most, most)


def narrowed(
    hops: tuple[Hop, ...],
    narrowing: Narrowing,
    request: Request,
    config: AwsConfig,
    profile: str | None,
    partition: str,
) -> tuple[Hop, ...]:
    """The hops with the last session narrowed; rule 1. Raises AwsudoError."""
    last = hops[-1] if hops else None
    if isinstance(last, RoleHop):
        return _narrowed_role(hops, last, narrowing, config, partition)
    if request.policy_arns:
        raise limits.written(request.origins, "policy_arns").refuse(
            "GetScopedCredentials, which narrows a session that no AssumeRole call makes, accepts inline policies only",
            ("name the actions: --only 's3:Get*,s3:List*', or --read-only", "or send a document: --policy FILE"),
        )
    if not (narrowing.limits_actions or narrowing.shorten or request.policy):
        return hops
    policy = request.policy or None
    if narrowing.limits_actions:
        reads = READ_ACTIONS if narrowing.read_only else ()
        statements = _statements(narrowing, reads)
        policy = _fitting(narrowing, reads) if policy is None else _merged(policy, statements)
        _refuse_long(policy)
    return (*hops, ScopedHop(profile, policy, narrowing.shorten, _description(narrowing.reason, request)))


def refuse_global(hops: Sequence[Hop], endpoint: Endpoint) -> None:
    """Refuse GetScopedCredentials at the global endpoint of STS, which does not have it."""
    if any(isinstance(hop, ScopedHop) for hop in hops) and endpoint.scope == "aws global":
        raise InvalidInput(
            "the session cannot be narrowed: the global endpoint of STS has no GetScopedCredentials",
            hint="name a Region: --region us-east-1, AWS_REGION, or region in the profile",
        )


def actions(values: Iterable[str], origin: Origin) -> tuple[str, ...]:
    """Actions of an IAM policy out of words, in their order. Raises the error of their origin."""
    found: list[str] = []
    for word in (part.strip() for value in values for part in value.split(",")):
        if not word:
            continue
        if not _ACTION.fullmatch(word):
            raise origin.refuse(f"{word!r} is not an action", "write SERVICE:ACTION, such as s3:Get* or ec2:Describe*")
        if word not in found:
            found.append(word)
    return tuple(found)


def arns(values: Iterable[str], origin: Origin) -> tuple[str, ...]:
    """ARNs of resources out of words, wildcards included. Raises the error of their origin."""
    found: list[str] = []
    for word in (part.strip() for value in values for part in value.split(",")):
        if not word:
            continue
        if word != "*" and not re.fullmatch(r"arn:[a-z*-]+:[a-z0-9*-]+:[^:\s]*:[^:\s]*:\S+", word, re.ASCII):
            raise origin.refuse(f"{word!r} is not the ARN of a resource", "such as 'arn:aws:s3:::bucket/*'")
        found.append(word)
    return tuple(dict.fromkeys(found))


def _narrowed_role(
    hops: tuple[Hop, ...], last: RoleHop, narrowing: Narrowing, config: AwsConfig, partition: str
) -> tuple[Hop, ...]:
    hop = _with_reason(last, narrowing, config)
    if narrowing.read_only:
        read_only = f"arn:{partition}:iam::aws:policy/ReadOnlyAccess"
        hop = hop._replace(policy_arns=tuple(dict.fromkeys((*hop.policy_arns, read_only))))
    if narrowing.only:
        policy = _document(_statements(narrowing, ()))
        _refuse_long(policy)
        hop = hop._replace(policy=policy)
    if narrowing.shorten is None:
        return (*hops[:-1], hop)
    if narrowing.shorten >= limits.SHORTEST:
        hop = hop._replace(duration=min(narrowing.shorten, hop.duration or limits.DEFAULT_ROLE))
        return (*hops[:-1], hop)
    # AssumeRole allows no session that short
    return (*hops[:-1], hop, ScopedHop(hop.profile, None, narrowing.shorten, None))


def _with_reason(hop: RoleHop, narrowing: Narrowing, config: AwsConfig) -> RoleHop:
    """The reason where the role's profile wants it: in a session tag, or as source identity."""
    settings = (config.profile(hop.profile) or {}) if hop.profile else {}
    if narrowing.reason is None:
        return hop
    key = settings.get("awsudo_reason_tag")
    if key:
        origin = Origin(f"--reason, in the session tag {key} of profile {hop.profile}", InvalidInput)
        others = [f"{name}={value}" for name, value in hop.tags if name.lower() != key.lower()]
        hop = hop._replace(tags=limits.tags([*others, f"{key}={narrowing.reason}"], origin))
    if "source-identity" in settings.get("awsudo_reason", "") and hop.source_identity is None:
        origin = Origin(f"--reason, as source identity of profile {hop.profile}", InvalidInput)
        hop = hop._replace(source_identity=limits.text("source_identity", narrowing.reason, origin))
    return hop


def _description(reason: str | None, request: Request) -> str | None:
    if reason is None:
        return None
    if not _DESCRIPTION.fullmatch(reason):
        raise limits.written(request.origins, "reason").refuse("a reason has 2 to 256 characters of Latin-1")
    return reason


def _statements(narrowing: Narrowing, reads: Sequence[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if narrowing.only:
        on: list[str] | str = list(narrowing.resources) or "*"
        found.append({"Effect": "Allow", "Action": list(narrowing.only), "Resource": on})
    if reads:
        found.append({"Effect": "Allow", "Action": list(reads), "Resource": "*"})
    return found


def _fitting(narrowing: Narrowing, reads: Sequence[str]) -> str:
    """The policy with as many of the read actions, in their order, as fit."""
    count = len(reads)
    policy = _document(_statements(narrowing, reads))
    while count and (len(policy) > MOST_POLICY or _packed(policy) > _MOST_PACKED):
        count -= 1
        policy = _document(_statements(narrowing, reads[:count]))
    return policy


def _packed(policy: str) -> int:
    """The approximate size of a packed policy in bytes."""
    import zlib

    return len(zlib.compress(policy.encode()))


def _merged(policy: str, statements: list[dict[str, object]]) -> str:
    document = json.loads(policy)
    found = document["Statement"]
    document["Statement"] = [*(found if isinstance(found, list) else [found]), *statements]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _document(statements: list[dict[str, object]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _refuse_long(policy: str) -> None:
    if len(policy) > MOST_POLICY:
        raise UsageError(
            f"the policy to narrow the session has {len(policy)} characters, and STS accepts {MOST_POLICY}",
            hint="name fewer actions or resources, or use wildcards: --only 's3:*'",
        )


def narrowing_text(hops: Sequence[Hop]) -> str:
    """What narrows the session at the end of a chain, in a few words for people; empty if nothing does."""
    last = hops[-1] if hops else None
    arns = getattr(last, "policy_arns", ())
    parts = [arn.rpartition("/")[2] for arn in arns]
    policy = getattr(last, "policy", None)
    if policy:
        parts.append(_actions_of(policy))
    return ", ".join(parts)


def _actions_of(policy: str) -> str:
    """The first actions that a policy allows."""
    try:
        statements = json.loads(policy)["Statement"]
        listed = [each.get("Action", []) for each in _listed(statements) if each.get("Effect") == "Allow"]
        actions = [str(action) for each in listed for action in _listed(each)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"a policy of {len(policy)} characters"
    more = f" and {len(actions) - MOST_ACTIONS} more" if len(actions) > MOST_ACTIONS else ""
    return ", ".join(actions[:MOST_ACTIONS]) + more or "no action"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
