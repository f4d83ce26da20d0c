"""Conditions of statements: every operator, true, false or unknown for one request.

1. Operators and keys must all hold; of the values of a key one is enough, and for a negated operator none may match.
2. An absent key: false; for a negated operator and with IfExists true; ForAllValues true, ForAnyValue false.
3. An unknown key: unknown.
4. A policy value that is not of the operator's type matches nothing; whether its negation holds is unknown.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "... Variables and tags".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.policy import matching
from awsudo_py.policy.matching import ANY, STAR
from awsudo_py.policy.truth import agreed, all_of, any_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from awsudo_py.policy.context import Context, Values
    from awsudo_py.policy.documents import ConditionKey
    from awsudo_py.policy.matching import Pattern
    from awsudo_py.policy.truth import Truth


class ConditionResult(NamedTuple):
    """How one key of a Condition came out, with both sides of the comparison."""

    operator: str
    key: str
    expected: tuple[str, ...]  # the policy's values
    found: Values  # the request's; None: absent
    known: bool  # whether the request's are known
    outcome: Truth


class _Operator(NamedTuple):
    matches: Callable[[Pattern, str], Truth]  # a policy value, a request value
    negated: bool = False


def _equals(expected: Pattern, value: str) -> Truth:
    return matching.literal(expected) == value


def _equals_ignoring_case(expected: Pattern, value: str) -> Truth:
    return matching.literal(expected).lower() == value.lower()


def _like(expected: Pattern, value: str) -> Truth:
    return matching.matches(expected, value)


def _bool(expected: Pattern, value: str) -> Truth:
    text = matching.literal(expected).lower()
    return text in ("true", "false") and text == value.lower()


def _binary(expected: Pattern, value: str) -> Truth:
    try:
        return base64.b64decode(matching.literal(expected), validate=True) == base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _ip(expected: Pattern, value: str) -> Truth:
    try:
        network = ipaddress.ip_network(matching.literal(expected), strict=False)
        return ipaddress.ip_address(value) in network
    except ValueError:
        return None


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Pattern, str], Truth]:
    def matches(expected: Pattern, value: str) -> Truth:
        limit, number = _number(matching.literal(expected)), _number(value)
        return None if limit is None or number is None else compare(number, limit)

    return matches


def _date(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Pattern, str], Truth]:
    def matches(expected: Pattern, value: str) -> Truth:
        limit, moment = _moment(matching.literal(expected)), _moment(value)
        return None if limit is None or moment is None else compare(moment, limit)

    return matches


_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "equals": lambda value, limit: value == limit,
    "lessthan": lambda value, limit: value < limit,
    "lessthanequals": lambda value, limit: value <= limit,
    "greaterthan": lambda value, limit: value > limit,
    "greaterthanequals": lambda value, limit: value >= limit,
}

#: Every operator, by its name in lower case.
OPERATORS: dict[str, _Operator] = {
    "stringequals": _Operator(_equals),
    "stringnotequals": _Operator(_equals, negated=True),
    "stringequalsignorecase": _Operator(_equals_ignoring_case),
    "stringnotequalsignorecase": _Operator(_equals_ignoring_case, negated=True),
    "stringlike": _Operator(_like),
    "stringnotlike": _Operator(_like, negated=True),
    "bool": _Operator(_bool),
    "binaryequals": _Operator(_binary),
    "ipaddress": _Operator(_ip),
    "notipaddress": _Operator(_ip, negated=True),
    "arnequals": _Operator(matching.arn_matches),
    "arnlike": _Operator(matching.arn_matches),
    "arnnotequals": _Operator(matching.arn_matches, negated=True),
    "arnnotlike": _Operator(matching.arn_matches, negated=True),
    **{f"numeric{name}": _Operator(_numeric(compare)) for name, compare in _COMPARISONS.items()},
    **{f"date{name}": _Operator(_date(compare)) for name, compare in _COMPARISONS.items()},
    "numericnotequals": _Operator(_numeric(_COMPARISONS["equals"]), negated=True),
    "datenotequals": _Operator(_date(_COMPARISONS["equals"]), negated=True),
}


def result(condition: ConditionKey, context: Context, *, variables: bool) -> ConditionResult:
    """How one key of a Condition comes out; variables: whether `${...}` is a policy variable in this document."""
    alternatives = _alternatives(condition, context)
    outcome = agreed(_outcome(condition, values, context, variables) for values in alternatives)
    found = alternatives[0] if alternatives else None
    return ConditionResult(condition.operator, condition.key, condition.values, found, bool(alternatives), outcome)


def _alternatives(condition: ConditionKey, context: Context) -> tuple[Values, ...]:
    found = context.alternatives(condition.key)
    if not found or context.open_role is None or condition.key.lower() != "aws:principalarn":
        return found
    # The role of the caller's session may have any path, so the paths that the policy names with it are tried too.
    prefix, name = context.open_role
    possible = {value for value in condition.values if value.startswith(prefix) and value.endswith(f"/{name}")}
    if len(possible) > _MOST_PATHS:
        return ()
    return found + tuple((arn,) for arn in sorted(possible) if not {"*", "?", "$"} & set(arn))


#: More roles of one name than any condition has.
_MOST_PATHS = 10


def _outcome(condition: ConditionKey, values: Values, context: Context, variables: bool) -> Truth:
    quantifier, _, name = condition.operator.rpartition(":")
    name, quantifier = name.lower(), quantifier.lower()
    if name == "null" and quantifier in _QUANTIFIERS:
        presence = "true" if values is None else "false"
        return any(value.lower() == presence for value in condition.values)
    if_exists = name.endswith("ifexists")
    operator = OPERATORS.get(name.removesuffix("ifexists"))
    if operator is None or quantifier not in _QUANTIFIERS:
        return None
    if values is None:
        return if_exists or quantifier == "forallvalues" or (operator.negated and not quantifier)
    expected = _Wanted(condition.values, context, variables)
    outcomes = (_holds(operator, expected, value) for value in values)
    if quantifier == "forallvalues":
        return all_of(outcomes)
    return any_of(outcomes) if quantifier or len(values) == 1 else agreed(outcomes)


_QUANTIFIERS = ("", "forallvalues", "foranyvalue")


class _Wanted:
    """The values of a policy with their variables filled in."""

    def __init__(self, values: Iterable[str], context: Context, variables: bool) -> None:
        self.unknown = False  # whether a variable's value is not known
        self.unresolved = False  # whether a variable has no value: nothing matches
        self.patterns: list[Pattern] = []
        for value in values:
            filled = substituted(value, context, variables=variables)
            if filled is None:
                self.unknown = True
            elif filled == UNRESOLVED:
                self.unresolved = True
            else:
                self.patterns.append(filled)


def _holds(operator: _Operator, expected: _Wanted, value: str) -> Truth:
    """Whether one value of the request satisfies the operator."""
    doubtful = expected.unknown
    for pattern in expected.patterns:
        matched = operator.matches(pattern, value)
        if matched:
            return not operator.negated
        # a value of another type matches nothing; whether its negation holds is unknown
        doubtful = doubtful or (matched is None and (operator.negated or operator.matches is matching.arn_matches))
    if doubtful or (expected.unresolved and operator.negated):
        return None
    return operator.negated


#: The pattern of a text with a variable that has no value.
UNRESOLVED: Pattern = (None,)
_VARIABLE = re.compile(r"\$\{([^{}',\s]+)(?:\s*,\s*'([^']*)')?\s*\}")
_PIECES = re.compile(r"(\$\{[^{}]*\}|[*?])")


def substituted(text: str, context: Context, *, variables: bool) -> Pattern | None:
    """The pattern of a policy's value for this request; None if it depends on an unknown value."""
    if not variables or "${" not in text:
        return matching.pattern(text)
    pieces: list[object] = []
    for piece in filter(None, _PIECES.split(text)):
        if piece in ("*", "?"):
            pieces.append(STAR if piece == "*" else ANY)
        elif piece in ("${*}", "${?}", "${$}"):
            pieces.append(piece[2])
        elif "${" not in piece:
            pieces.append(piece)
        else:
            found = _VARIABLE.fullmatch(piece)
            if found is None:
                return None
            alternatives = context.alternatives(found[1])
            if len(alternatives) != 1 or (found[1].lower() == "aws:principalarn" and context.open_role is not None):
                return None
            values = alternatives[0]
            if values is None and found[2] is None:
                return UNRESOLVED
            if values is not None and len(values) != 1:
                return None
            pieces.append(found[2] if values is None else values[0])
    return tuple(piece for piece in pieces if piece != "")


_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?", re.ASCII)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if len(text) <= 90 and _NUMBER.fullmatch(text) else None


_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _moment(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date or of a number of seconds."""
    if len(text) > 64:
        return None
    found = _MOMENT.fullmatch(text)
    if found is None:
        return _number(text)
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    try:
        moment = datetime(
            year or 0, month or 1, day or 1, hour or 0, minute or 0, min(second or 0, 59), tzinfo=timezone.utc
        )
    except ValueError:
        return None
    seconds = Decimal((moment - _EPOCH) // timedelta(seconds=1)) + Decimal(f"0.{found[7] or 0}")
    zone = found[8] or "Z"
    if zone in "Zz":
        return seconds
    offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return seconds - offset if zone[0] == "+" else seconds + offset
