"""Makes a request of options and AWSUDO_* variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from awsudo_py.errors import InvalidInput, UsageError, did_you_mean, no_target
from awsudo_py.grammar.options import CI_SYSTEMS, INPUTS, STORES
from awsudo_py.model import Request
from awsudo_py.resolve import limits, narrowing
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.role_words import looks_like_role, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.fingerprint import Files
    from awsudo_py.grammar.options import Option

#: No line with a code is longer (bytes); input without a line end is not read for ever.
_LONGEST_LINE = 64


def _text(kind: str) -> Callable[[Any, Origin, Files], str]:
    return lambda value, origin, _files: limits.text(kind, value, origin)


def _policy(value: str, origin: Origin, files: Files) -> str:
    if value.lstrip().startswith("{"):
        return limits.policy(value, origin)
    path = os.path.expanduser(value.removeprefix("file://"))
    try:
        content = files.read(path)
        if content is None:
            raise origin.refuse(f"no such file: {path}", "give the path of a file, or the policy's JSON itself")
        return limits.policy(content.decode("utf-8"), Origin(f"{origin.name} ({path})", origin.error))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise origin.refuse(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None


def _shorten(value: str, origin: Origin) -> int:
    seconds = limits.span(value, origin)
    if not 1 <= seconds <= limits.LONGEST_SESSION_TOKEN:
        raise origin.refuse("a session can be shortened to between 1 s and 36h")
    return seconds


def _reason(value: str, origin: Origin) -> str:
    text = " ".join(value.split())
    if not 2 <= len(text) <= 256 or not text.isprintable():
        raise origin.refuse("a reason has 2 to 256 printable characters")
    return text


def _switch(value: Any, origin: Origin, _files: Files) -> bool:
    return value if isinstance(value, bool) else limits.switch(value, origin)


def _store(value: str, origin: Origin, _files: Files) -> str:
    if value not in STORES:
        raise origin.refuse(f"invalid store {value!r}: it must be {' or '.join(STORES)}")
    return value


def _mfa_code(value: str, origin: Origin, _files: Files) -> str:
    if value != "-":
        return limits.mfa_code(value, origin)
    # Read now, even if it is not needed: the command's stdin must not depend on the cache.
    return limits.mfa_code(_line_of_stdin(origin), Origin(f"{origin.name} - (stdin)", origin.error))


def _line_of_stdin(origin: Origin) -> str:
    """One line, read byte by byte: the rest of stdin is the command's."""
    line = b""
    try:
        while len(line) < _LONGEST_LINE and not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                break
            line += byte
    except OSError:
        pass  # it is closed
    if not line:
        raise origin.refuse("no line on stdin to read the code from", "printf '%s\\n' CODE | awsudo …")
    return line.decode("ascii", "replace")


def _document(value: str, origin: Origin, files: Files) -> str:
    """The content of a file, or of stdin to its end: read now, so that the command's stdin never varies."""
    name = "stdin" if value == "-" else os.path.expanduser(value)
    try:
        if value == "-":
            content: bytes | None = b"".join(iter(lambda: os.read(0, 65536), b""))
        else:
            content = files.read(name)
        if content is None:
            raise origin.refuse(f"no such file: {name}", "give the path of a file, or - to read stdin")
        text = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise origin.refuse(f"cannot read {name}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    if not text or "\0" in text:
        raise origin.refuse(f"{name} is empty" if not text else f"{name} is not text")
    return text


def _token(value: str, origin: Origin, files: Files) -> str:
    token = _document(value, origin, files)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise origin.refuse("not a web identity token", "it must contain only the token (a JWT), on one line")
    return token


def _saml(value: str, origin: Origin, files: Files) -> str:
    from awsudo_py.resolve.saml import assertion_of  # here: few runs need a parser of XML

    return assertion_of(_document(value, origin, files), origin.name)


def _web_identity(value: str, origin: Origin, _files: Files) -> str:
    name = value.partition(":")[0]
    if name not in CI_SYSTEMS:
        raise origin.refuse(
            f"unknown CI system {name!r}",
            did_you_mean(name, CI_SYSTEMS) or f"one of {', '.join(CI_SYSTEMS)}; or --web-identity-token FILE",
        )
    return value


def _audience(value: str, origin: Origin, _files: Files) -> str:
    if not value.isprintable() or " " in value or not value.isascii():
        raise origin.refuse(f"invalid audience {value!r}", "such as sts.amazonaws.com")
    return value


#: How the value of each input is read; a switch has True, or a variable's text.
_READ: dict[str, Callable[[Any, Origin, Files], Any]] = {
    "duration": lambda value, origin, _files: limits.span(value, origin),  # its bounds depend on the chain
    "session_name": _text("session_name"),
    "external_id": _text("external_id"),
    "mfa_serial": _text("mfa_serial"),
    "mfa_code": _mfa_code,
    "mfa_process": lambda value, _origin, _files: value,
    "mfa_session_duration": lambda value, origin, _files: limits.session_duration(limits.span(value, origin), origin),
    "mfa_per_role": _switch,
    "policy": _policy,
    "only": lambda value, origin, _files: narrowing.actions(value, origin),
    "on": lambda value, origin, _files: narrowing.arns(value, origin),
    "read_only": _switch,
    "shorten": lambda value, origin, _files: _shorten(value, origin),
    "reason": lambda value, origin, _files: _reason(value, origin),
    "policy_arns": lambda value, origin, _files: limits.policy_arns(value, origin),
    "tags": lambda value, origin, _files: limits.tags(value, origin),
    "transitive_tags": lambda value, _origin, _files: tuple(value),
    "source_identity": _text("source_identity"),
    "web_identity": _web_identity,
    "web_identity_audience": _audience,
    "web_identity_token": _token,
    "saml": _saml,
    "region": _text("region"),
    "min_ttl": lambda value, origin, _files: limits.span(value, origin),
    "refresh": _switch,
    "no_cache": _switch,
    "store": _store,
}


def read_inputs(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    files: Files,
    *,
    name_of: Callable[[Option], str] = lambda option: option.name,
) -> dict[str, Any]:
    """The fields of a Request that options and variables set, and their origins; an option wins.

    name_of: the name of an option in messages. Raises the error of a value's origin.
    """
    found: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for option in INPUTS:
        value = options.get(option.field)
        if value not in (None, (), False):
            origin = Origin(name_of(option), UsageError)
            if value == "" or (option.many and "" in value):
                # `--policy "$NOT_SET"` is a mistake, and running without the policy would be a worse one
                raise origin.refuse("empty value", "give it a value, or leave the option out")
        elif environ.get(option.variable):
            value, origin = environ[option.variable], Origin(option.variable, InvalidInput)
            if option.many:
                value = [word.strip() for word in value.split(",") if word.strip()]
        else:
            continue
        found[option.field] = _READ[option.field](value, origin, files)
        origins[option.field] = origin
    return {**found, "origins": origins}


def exec_request(
    words: Sequence[str], profile: str | None, inputs: Mapping[str, Any], *, dashed: bool = False
) -> Request:
    """The request out of the words after the options: [ROLE] [--] [COMMAND …] with -p, else TARGET [--] [COMMAND …].

    dashed: whether a `--` that ended the options is right before these words. Raises UsageError.
    """
    rest = list(words)
    target = role = None
    if profile is None:
        if not rest:
            raise no_target()
        target = unquoted(rest.pop(0))
        dashed = False
    elif rest and not dashed and looks_like_role(rest[0]):
        role = unquoted(rest.pop(0))
    if rest and rest[0] == "--" and not dashed:
        rest.pop(0)
    return Request(target=target, profile=profile, role=role, command=tuple(rest), **inputs)
