"""Explains a chain: each step to the session, with every value that shapes it and the place that sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.model import RoleHop, ScopedHop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.model import Hop, Request, RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

#: Fields of a role's step → the profile's keys that set them.
_KEYS = {
    "role_arn": "role_arn",
    "session_name": "role_session_name",
    "duration": "duration_seconds",
    "external_id": "external_id",
    "mfa_serial": "mfa_serial",
    "tags": "session_tags",
    "transitive_tags": "transitive_session_tags",
    "source_identity": "source_identity",
}


class Value(NamedTuple):
    """One value, and the place that sets it; an empty place means the default."""

    name: str
    value: str
    place: str = ""


class Step(NamedTuple):
    """One step of a chain. kind is a source's kind, or "role" or "session" for a call to STS."""

    kind: str
    title: str  # the result of the step: a source's place, a role's ARN
    place: str  # its origin: a file and its profile, a variable, an option
    values: tuple[Value, ...] = ()


class Explanation(NamedTuple):
    """How a request was resolved, for --verbose and for programs."""

    target: str
    steps: tuple[Step, ...]  # the source, then a step for each call to STS
    endpoint: Value
    region: Value
    details: tuple[str, ...] = ()


def explained(chain: RoleChain, config: AwsConfig, request: Request) -> Explanation:
    """The chain that this request was resolved to, step by step; no secret is in it."""
    source, endpoint = chain.source, chain.endpoint
    profile = f"profile {source.profile}" if source.profile else ""
    steps = [Step(source.kind, source.where, profile or source.where)]
    last = len(chain.hops) - 1
    for number, hop in enumerate(chain.hops):
        # the inputs of the request shape the last step
        steps.append(_step(hop, config, request if number == last else None))
    return Explanation(
        chain.target,
        tuple(steps),
        Value("STS", endpoint.url or endpoint.region or "global endpoint"),
        Value("region of the command", chain.region or "none"),
        chain.details,
    )


def lines(explanation: Explanation) -> Iterator[str]:
    """The explanation as --verbose shows it."""
    first, *calls = explanation.steps
    yield f"{explanation.target}: starts from {first.kind.replace('-', ' ')}, {first.title}"
    for step in calls:
        values = ", ".join(f"{each.name} {each.value}" for each in step.values)
        titles = {"role": f"assumes {step.title}", "narrowed": "narrows that session"}
        title = titles.get(step.kind, "gets a session of these keys")
        yield f"{title}{f' ({values})' if values else ''}{f', {step.place}' if step.place else ''}"
    yield f"{explanation.endpoint.name}: {explanation.endpoint.value}"
    yield from explanation.details
    yield f"{explanation.region.name}: {explanation.region.value}"


def _step(hop: Hop, config: AwsConfig, request: Request | None) -> Step:
    origins = request.origins if request is not None else {}

    def place(field: str) -> str:
        if field in origins:
            return origins[field].name
        key = _KEYS.get(field)
        if not hop.profile or key is None or key not in (config.profile(hop.profile) or {}):
            return ""
        return f"{key} of profile {hop.profile} ({config.where(hop.profile, key)})"

    values = tuple(
        Value(field.replace("_", " "), _shown(field, value), place(field))
        for field, value in hop._asdict().items()
        if value and field not in ("role_arn", "profile")
    )
    if isinstance(hop, ScopedHop):
        return Step("narrowed", "the same session, narrowed", "", values)
    if not isinstance(hop, RoleHop):
        return Step("session", "a session of these keys", "", values)
    named_by = f"profile {hop.profile} ({config.where(hop.profile, 'role_arn')})" if hop.profile else ""
    return Step("role", hop.role_arn, named_by, values)


def _shown(field: str, value: object) -> str:
    if field == "policy":
        return f"of {len(str(value))} characters"
    if field == "tags" and isinstance(value, tuple):
        return ", ".join(f"{key}={text}" for key, text in value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value} s" if field == "duration" else str(value)
