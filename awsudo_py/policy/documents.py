"""Policy documents, read into records.

What is not JSON, or not a policy at all, is a PolicyError. A statement that AWS would not store is still read:
it carries its fault as text, and whether it applies is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The maximum length of a document. The largest policy that IAM stores has 10,240 characters without white space.
MAX_CHARACTERS = 200_000

VARIABLES_VERSION = "2012-10-17"
VERSIONS = ("2008-10-17", VARIABLES_VERSION)
PRINCIPAL_TYPES = ("AWS", "CanonicalUser", "Federated", "Service")
_DOCUMENT_ELEMENTS = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


class ConditionKey(NamedTuple):
    """One key under one operator of a Condition."""

    operator: str
    key: str
    values: tuple[str, ...]


class Statement(NamedTuple):
    """One statement of a policy."""

    number: int  # from 1
    sid: str = ""
    effect: str = ""
    principals: tuple[tuple[str, str], ...] | None = None  # (type, value); `*` is ("AWS", "*")
    not_principal: bool = False
    actions: tuple[str, ...] = ()
    not_action: bool = False
    resources: tuple[str, ...] | None = None
    not_resource: bool = False
    conditions: tuple[ConditionKey, ...] = ()
    faults: tuple[str, ...] = ()  # why AWS would not accept it

    @property
    def title(self) -> str:
        """The statement as messages name it."""
        return f'statement "{self.sid}"' if self.sid else f"statement {self.number}"


class Policy(NamedTuple):
    """A policy document."""

    statements: tuple[Statement, ...]
    version: str = "2008-10-17"  # the default if the document has none
    name: str = ""  # its name in messages: its ARN, its name or its file

    @property
    def has_variables(self) -> bool:
        """Whether `${...}` is a policy variable here and not plain text."""
        return self.version == VARIABLES_VERSION


def parse(document: str | Mapping[str, Any], name: str = "") -> Policy:
    """The policy in a document: JSON text, or the output of a JSON parser."""
    where = f"{name}: " if name else ""
    if isinstance(document, str):
        document = _json(document, where)
    if not isinstance(document, Mapping):
        raise PolicyError(f"{where}not a policy: a JSON object is needed")
    if "Statement" not in document:
        raise PolicyError(f"{where}not a policy: it has no Statement")
    listed = document["Statement"]
    if isinstance(listed, Mapping):
        listed = [listed]
    if not isinstance(listed, list | tuple):
        raise PolicyError(f"{where}Statement is neither an object nor a list")
    version = document.get("Version", "2008-10-17")
    faults = []
    if version not in VERSIONS:
        faults.append(f"Version is {_short(version)}, which is neither {' nor '.join(VERSIONS)}")
    if extra := _unknown(document, _DOCUMENT_ELEMENTS):
        faults.append(f"the policy has the unknown element {extra}")
    statements = []
    for number, statement in enumerate(listed, 1):
        if not isinstance(statement, Mapping):
            raise PolicyError(f"{where}statement {number} is not an object")
        statements.append(_statement(number, statement, tuple(faults)))
    return Policy(tuple(statements), version if isinstance(version, str) else "", name)


def _json(text: str, where: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(f"{where}too long for a policy: {len(text)} characters")
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise PolicyError(f"{where}line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _Unusable) else "numbers or nesting beyond any policy"
        raise PolicyError(f"{where}not valid JSON: {why}") from None


class _Unusable(ValueError):
    pass


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Unusable(f"the key {_short(double)} appears twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise _Unusable(f"{name} is not a JSON value")


def _statement(number: int, given: Mapping[str, Any], faults: tuple[str, ...]) -> Statement:
    found = list(faults)
    if extra := _unknown(given, _STATEMENT_ELEMENTS):
        found.append(f"unknown element {extra}")
    sid, effect = given.get("Sid", ""), given.get("Effect")
    if not isinstance(sid, str):
        found.append("Sid is not a string")
    if effect not in ("Allow", "Deny"):
        found.append("Effect is missing" if effect is None else f"Effect is {_short(effect)}, not Allow or Deny")
    actions = _either(given, "Action", found)
    resources = _either(given, "Resource", found, required=False)
    if "Principal" in given and "NotPrincipal" in given:
        found.append("both Principal and NotPrincipal")
    named = given.get("Principal", given.get("NotPrincipal"))
    return Statement(
        number,
        sid if isinstance(sid, str) else "",
        effect if effect in ("Allow", "Deny") else "",
        None if named is None else tuple(_principals(named, found)),
        "NotPrincipal" in given,
        actions or (),
        "NotAction" in given,
        resources,
        "NotResource" in given,
        tuple(_conditions(given.get("Condition", {}), found)),
        tuple(found),
    )


def _either(
    given: Mapping[str, Any], element: str, faults: list[str], *, required: bool = True
) -> tuple[str, ...] | None:
    """The values of an element or of its Not form."""
    opposite = f"Not{element}"
    if element in given and opposite in given:
        faults.append(f"both {element} and {opposite}")
    name = element if element in given else opposite
    if name not in given:
        if required:
            faults.append(f"{element} is missing")
        return None
    values = given[name]
    listed = [values] if isinstance(values, str) else values
    if not isinstance(listed, list | tuple) or not all(isinstance(value, str) for value in listed):
        faults.append(f"{name} is neither a string nor a list of strings")
        return ()
    if not listed and required:
        faults.append(f"{name} is empty")
    return tuple(listed)


def _principals(named: Any, faults: list[str]) -> Iterable[tuple[str, str]]:
    if named == "*":
        yield "AWS", "*"
        return
    if not isinstance(named, Mapping):
        faults.append('Principal is neither "*" nor an object')
        return
    for kind, values in named.items():
        if kind not in PRINCIPAL_TYPES:
            faults.append(f"unknown type of principal {_short(kind)}")
            continue
        listed = [values] if isinstance(values, str) else values
        if not isinstance(listed, list | tuple) or not all(isinstance(value, str) for value in listed):
            faults.append(f"the principals of type {kind} are neither a string nor a list of strings")
            continue
        for value in listed:
            yield kind, value


def _conditions(given: Any, faults: list[str]) -> Iterable[ConditionKey]:
    if not isinstance(given, Mapping):
        faults.append("Condition is not an object")
        return
    for operator, keys in given.items():
        if not isinstance(keys, Mapping):
            faults.append(f"the condition operator {_short(operator)} holds no object")
            continue
        for key, values in keys.items():
            listed = values if isinstance(values, list | tuple) else [values]
            texts = [_value(value) for value in listed]
            if None in texts:
                faults.append(
                    f"the condition key {_short(key)} has a value that is neither a string, a number nor a boolean"
                )
            yield ConditionKey(str(operator), str(key), tuple(text for text in texts if text is not None))


def _value(value: Any) -> str | None:
    """A condition value as text: JSON numbers and booleans become their literal text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else None  # Python refuses to print what is much longer
    return str(value) if isinstance(value, float) else None


def _unknown(given: Mapping[str, Any], elements: set[str]) -> str:
    """The first key that is not an element, as messages show it."""
    extra = [key for key in given if key not in elements]
    return _short(extra[0]) if extra else ""


def _short(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, str) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}..."
