"""The limits of STS for each input, checked before any call; each message names its limit.

Sources: botocore's data/sts/2011-06-15/service-2.json, and the IAM quotas page of the user guide. botocore itself
checks minimums only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from awsudo_py.errors import AwsudoError


class Origin(NamedTuple):
    """Where a value was written, which decides the error: a usage error on the command line."""

    name: str  # "--duration", "AWSUDO_DURATION", "duration_seconds of profile prod (~/.aws/config)"
    error: type[AwsudoError]
    with_line: Callable[[], str] | None = None  # gives the name with the line in it, where that takes reading a file

    def refuse(self, why: str, hint: str | tuple[str, ...] = ()) -> AwsudoError:
        """The error to raise about this value."""
        return self.error(f"{self.with_line() if self.with_line else self.name}: {why}", hint=hint)


def slip_in(value: str) -> str:
    """The hint about a value that an editor's habits have changed: quotes, a comment, a continued line."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "remove the quotes: the SDKs take them as a part of the value"
    if re.search(r"\s[#;]", value):
        return "put the comment on its own line: the SDKs take it as a part of the value"
    if "\n" in value:
        return "the next line is indented, and so continues the value"
    return ""


def written(origins: Mapping[str, Origin], name: str) -> Origin:
    """Where the input of that name was written; by its name, if that is not recorded."""
    return origins.get(name) or Origin(name.replace("_", " "), InvalidInput)


class Text(NamedTuple):
    """Bounds of a text: its characters, and how many of them."""

    characters: str
    least: int
    most: int
    named: str  # the characters, for messages


_WORD = "A-Z a-z 0-9 _ + = , . @ -"
TEXTS = {
    "session_name": Text(r"[\w+=,.@-]", 2, 64, _WORD),
    "source_identity": Text(r"[\w+=,.@-]", 2, 256, _WORD),
    "external_id": Text(r"[\w+=,.@:/-]", 2, 1224, f"{_WORD} : /"),
    "mfa_serial": Text(r"[\w+=/:,.@-]", 9, 256, f"{_WORD} : /"),
    "policy_arn": Text(r"[!-~]", 20, 2048, "printable ASCII"),
    "sso_account_id": Text(r"\d", 12, 12, "0-9"),
    "sso_role_name": Text(r"[\w+=,.@-]", 1, 32, _WORD),
    "region": Text(r"[a-z0-9-]", 2, 63, "a-z 0-9 -"),
    "tenant_id": Text(r"[a-z0-9-]", 3, 24, "a-z 0-9 -"),  # service model of the Account Access Runtime
}
SHORTEST, LONGEST_ROLE, LONGEST_SESSION_TOKEN = 900, 43_200, 129_600
#: Roles assumed from a session of another role.
LONGEST_CHAINED = 3_600
#: The default durations of STS: for AssumeRole, for GetSessionToken.
DEFAULT_ROLE, DEFAULT_SESSION_TOKEN = 3_600, 43_200
MOST_POLICY_ARNS, MOST_TAGS, MOST_POLICY = 10, 50, 2_048
MOST_TAG_KEY, MOST_TAG_VALUE = 128, 256
_SPAN = re.compile(r"(?=\d)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", re.ASCII)


def text(kind: str, value: str, origin: Origin) -> str:
    """The value, if it is within the bounds of its kind in TEXTS."""
    bounds = TEXTS[kind]
    if not bounds.least <= len(value) <= bounds.most:
        takes = f"{bounds.least} to {bounds.most}" if bounds.least < bounds.most else str(bounds.most)
        raise origin.refuse(f"{len(value)} characters; {_service(kind)} takes {takes}", slip_in(value) or ())
    # fullmatch: `$` would let a final newline through; ASCII: STS's \w is not Unicode's
    if not re.fullmatch(f"{bounds.characters}*", value, re.ASCII):
        raise origin.refuse(
            f"{value!r} has characters that {_service(kind)} does not accept; allowed are {bounds.named}",
            slip_in(value),
        )
    if kind == "mfa_serial" and ":u2f/" in value:
        raise origin.refuse(
            f"{value} is a security key (FIDO), and STS accepts only codes",
            "add an authenticator app or a hardware token to the user, as a second device: its ARN has :mfa/ in it",
        )
    if kind == "tenant_id" and not value.startswith("aa-"):
        raise origin.refuse(
            f"{value!r} is not a tenant ID", "it begins with aa-; the administrator of account access has it"
        )
    if kind == "source_identity" and value.lower().startswith("aws:"):
        raise origin.refuse("a source identity cannot begin with aws:")
    return value


def _service(kind: str) -> str:
    if kind == "tenant_id":
        return "account access"
    return "SSO" if kind.startswith("sso_") else "STS"


def span(value: str, origin: Origin) -> int:
    """Seconds out of 900, 900s, 15m, 1h or 1h30m."""
    found = _SPAN.fullmatch(value)
    if not found:
        raise origin.refuse(f"invalid duration {value!r}", "write seconds (900), minutes (15m) or hours (1h, 1h30m)")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def seconds(value: str, origin: Origin) -> int:
    """Seconds out of digits: the form of duration_seconds in the SDKs."""
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise origin.refuse(
            f"{value!r} is not a number of seconds", slip_in(value) or "write it in digits, such as 3600"
        )
    return int(value)


def duration(value: int, origin: Origin, *, most: int = LONGEST_ROLE) -> int:
    """A session's length in seconds, if STS allows it."""
    if not SHORTEST <= value <= most:
        raise origin.refuse(
            f"a session lasts {SHORTEST} s (15m) to {most} s ({most // 3600}h), not {value} s",
            "a role's own maximum (MaxSessionDuration) may be lower: the default is 1h"
            if value > most == LONGEST_ROLE
            else (),
        )
    return value


def session_duration(value: int, origin: Origin) -> int:
    """The length in seconds of a session of GetSessionToken, if it allows it."""
    return duration(value, origin, most=LONGEST_SESSION_TOKEN)


def mfa_code(value: str, origin: Origin) -> str:
    """Six digits; apps show them as 123 456. The value itself is in no message."""
    code = "".join(value.split())
    if not re.fullmatch(r"\d{6}", code, re.ASCII):
        raise origin.refuse("an MFA code has six digits")
    return code


def switch(value: str, origin: Origin) -> bool:
    """On or off, out of the usual words."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise origin.refuse(f"{value!r} is neither on (1, true, yes) nor off (0, false, no)")
    return known[value.lower()]


def policy(value: str, origin: Origin) -> str:
    """A session policy's JSON without its white space, which STS would count."""
    import json

    try:
        parsed = json.loads(value, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise origin.refuse(f"not a JSON policy: {error}") from None
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        raise origin.refuse("not a policy: it must be a JSON object with a Statement")
    compact = json.dumps(parsed, separators=(",", ":"), ensure_ascii=False)
    if len(compact) > MOST_POLICY:
        raise origin.refuse(
            f"{len(compact)} characters without white space; a session policy has at most {MOST_POLICY}",
            "keep it as a managed policy and name that: --policy-arn ARN",
        )
    if not re.fullmatch("[\t\n\r\x20-\xff]*", compact):
        raise origin.refuse("a session policy cannot have characters beyond U+00FF")
    return compact


def policy_arns(values: Iterable[str], origin: Origin) -> tuple[str, ...]:
    """ARNs of managed policies, at most ten."""
    found = tuple(text("policy_arn", value, origin) for value in values)
    if len(found) > MOST_POLICY_ARNS:
        raise origin.refuse(f"{len(found)} policy ARNs; STS accepts at most {MOST_POLICY_ARNS}")
    for value in found:
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::(?:aws|\d{12}):policy/.+", value, re.ASCII):
            raise origin.refuse(
                f"not the ARN of a managed policy: {value}", "such as arn:aws:iam::aws:policy/ReadOnlyAccess"
            )
    return found


def tags(values: Iterable[str], origin: Origin) -> tuple[tuple[str, str], ...]:
    """Session tags out of KEY=VALUE words, at most fifty, sorted; keys differ in more than case."""
    found: dict[str, tuple[str, str]] = {}
    for word in values:
        key, equals, value = word.partition("=")
        if not equals:
            raise origin.refuse(f"{word!r} is not KEY=VALUE")
        _tag_text(key, 1, MOST_TAG_KEY, origin)
        _tag_text(value, 0, MOST_TAG_VALUE, origin)
        if key.lower().startswith("aws:"):
            raise origin.refuse(f"{key!r}: keys that begin with aws: are reserved")
        if key.lower() in found:
            raise origin.refuse(f"duplicate key {key!r} (case does not matter)")
        found[key.lower()] = (key, value)
    if len(found) > MOST_TAGS:
        raise origin.refuse(f"{len(found)} tags; STS accepts at most {MOST_TAGS}")
    return tuple(sorted(found.values()))


def transitive(values: Iterable[str], given: Iterable[tuple[str, str]], origin: Origin) -> tuple[str, ...]:
    """Keys of tags that are passed on through role chaining; each must be a tag of this session."""
    found = tuple(sorted(set(values)))
    known = {key.lower() for key, _ in given}
    missing = next((key for key in found if key.lower() not in known), None)
    if missing is not None:
        raise origin.refuse(f"{missing!r} is not among the session's tags", f"add it: --tag {missing}=VALUE")
    return found


def _tag_text(value: str, least: int, most: int, origin: Origin) -> None:
    if not least <= len(value) <= most:
        raise origin.refuse(f"{value!r} has {len(value)} characters; a tag takes {least} to {most} here")
    for character in value:
        if not (unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"):
            raise origin.refuse(f"{value!r}: tags take letters, digits, spaces and _ . : / = + - @")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key in an object")
    return found
