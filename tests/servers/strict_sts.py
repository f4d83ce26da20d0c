"""A strict fake of AWS STS: it refuses what AWS refuses, in AWS's words, and keeps a log of every call.

Limits come from botocore's own model of the service; what the model leaves out names its source below.
botocore's signer is the oracle for signatures. Times are the `clock`'s, so a test can move them.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import socket
import struct
import sys
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from email.message import Message
from email.utils import formatdate
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader

_MODEL: dict[str, Any] = Loader().load_service_model("sts", "service-2")
_REGIONS: dict[str, re.Pattern[str]] = {
    partition["id"]: re.compile(partition["regionRegex"], re.ASCII)
    for partition in Loader().load_data("partitions")["partitions"]
}
# Stated in the documentation of AssumeRole's Policy and PolicyArns, but not in the shapes.
_BEYOND_THE_MODEL = {"Policy": {"max": 2048}, "PolicyArns": {"max": 10}}
# Nine tags of 252 characters are 498 % (aws-actions/configure-aws-credentials#1898).
_PACKED_BYTES = 460
_CHAIN_LIMIT = 3600  # role chaining, and sessions of a root user: STS API reference
_SKEW_LIMIT = 15 * 60

_ROLE_ARN = re.compile(r"arn:([a-z-]+):iam::(\d{12}):role/((?:[\w+=,.@-]+/)*[\w+=,.@-]+)", re.ASCII)
_POLICY_ARN = re.compile(r"arn:[a-z-]+:iam::(?:aws|\d{12}):policy/[\w+=,.@/-]+", re.ASCII)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})",
    re.ASCII,
)

_STATUS = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "SignatureDoesNotMatch": 403,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}  # every other code: 400
_BAD_TOKEN = "The security token included in the request is invalid."
_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
_NO_SUCH_MFA = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
_BAD_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
_HALF_AN_MFA = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
_UNTRUSTED = "because no role trust policy allows the sts:AssumeRole action"

_HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1><br></body></html>"
# The action is not performed: something in front of it answered.
_REFUSED_BEFORE = {
    "throttle": ("Throttling", "Rate exceeded"),
    "500": ("InternalFailure", "We encountered an internal error. Please try again."),
    "503": ("ServiceUnavailable", "Service is unable to handle request."),
}
_ANSWERED_BEFORE = {
    "html": (502, "text/html", _HTML),
    "html200": (200, "text/html", _HTML),
    "garbage": (200, "text/xml", bytes(range(256)) * 4),
    "noerror": (400, "text/xml", b"<ErrorResponse><RequestId>0</RequestId></ErrorResponse>"),
}
# The action *is* performed, a code is spent, a session exists: only the answer never arrives whole.
_LOST_ON_THE_WAY = frozenset({"truncated", "short", "empty", "reset", "hang", "drip"})


_Itself = TypeVar("_Itself", bound="StrictSts")


class Call(NamedTuple):
    """One request as it arrived; `error` is an STS error code, a kind of `fail_next`, or None."""

    action: str
    params: dict[str, str]
    access_key_id: str | None
    error: str | None
    user_agent: str
    host: str


class Key(NamedTuple):
    """A long-lived access key."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"Key({self.access_key_id!r}, …)"


class Issued(NamedTuple):
    """The secrets of one session, for tests that look for them where they must not be."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: int

    def __repr__(self) -> str:
        return f"Issued({self.access_key_id!r}, …, expiration={self.expiration})"


class MfaDevice:
    """A virtual MFA device (RFC 6238, 30 s) whose every code is good for one use."""

    def __init__(self, serial: str, user_arn: str, clock: Callable[[], float]) -> None:
        self.serial = serial
        self.user_arn = user_arn
        self.clock = clock
        self._secret = secrets.token_bytes(20)
        self._spent: set[int] = set()

    def code(self, at: float | None = None) -> str:
        """The six digits the device shows at a time, by default now."""
        step = int((self.clock() if at is None else at) // 30)
        digest = hmac.digest(self._secret, struct.pack(">Q", step), "sha1")
        (number,) = struct.unpack_from(">L", digest, digest[-1] & 15)
        return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"

    def spend(self, code: str) -> bool:
        """Whether the code is right, within one step of now, and was never seen before."""
        now = self.clock()
        steps = {int((now + drift) // 30): self.code(now + drift) for drift in (-30, 0, 30)}
        for step, expected in steps.items():
            if step not in self._spent and hmac.compare_digest(expected.encode(), code.encode()):
                self._spent.add(step)
                return True
        return False


class _Principal(NamedTuple):
    arn: str
    account: str
    partition: str
    user_id: str
    names: frozenset[str]  # what a trust policy may call it
    root: bool = False
    session: bool = False
    mfa: bool = False
    tags: Mapping[str, tuple[str, str]] = {}  # transitive ones, by lower-case key
    source_identity: str | None = None
    layers: tuple[tuple[str, ...], ...] = ()  # session policies: each layer limits, the policies of one add up
    scoped: int = 0  # how many of the layers GetScopedCredentials added
    expires: float = math.inf


class _Credential(NamedTuple):
    principal: _Principal
    secret: str
    token: str | None = None
    expiration: float = math.inf


class _Role(NamedTuple):
    arn: str
    role_id: str
    trusts: frozenset[str] | None
    max_session: int
    external_id: str | None
    mfa_required: bool
    may_tag: bool
    may_set_source_identity: bool
    deny: str | None


class _WebIdentity(NamedTuple):
    subject: str
    roles: frozenset[str] | None
    expires: float


class _Reply(NamedTuple):
    status: int
    content_type: str
    body: bytes
    request_id: str = ""


class _Refusal(Exception):
    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)


_ANONYMOUS = _Principal("", "", "", "", frozenset())


def _random_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))


def _random_base64(length: int) -> str:
    """Base64 text that has both characters which need care in URLs, shells and XML."""
    while True:
        text = base64.b64encode(secrets.token_bytes(length)).decode()[:length]
        if "+" in text and "/" in text:
            return text


def _stamp(at: float, form: str = "%Y%m%dT%H%M%SZ") -> str:
    return time.strftime(form, time.gmtime(at))


def _names(account: str, partition: str, *arns: str) -> frozenset[str]:
    return frozenset({account, f"arn:{partition}:iam::{account}:root", *arns})


def _members(params: Mapping[str, str], name: str, field: str = "") -> list[str]:
    """The values of a query-protocol list, one field of each member, in the members' order."""
    found = re.compile(rf"{name}\.member\.(\d+)" + (rf"\.{field}" if field else ""))
    matches = [(int(match[1]), params[key]) for key in params if (match := found.fullmatch(key))]
    return [value for _, value in sorted(matches)]


def _constraints(shape: Mapping[str, Any], value: str) -> Iterator[str]:
    """The constraints of a scalar shape that a value breaks, in the words of AWS's validation."""
    number = shape["type"] == "integer"
    if number and not re.fullmatch(r"-?[0-9]{1,18}", value):
        yield "Member must be an integer"
        return
    size, noun = (int(value), "value") if number else (len(value), "length")
    if size > shape.get("max", size):
        yield f"Member must have {noun} less than or equal to {shape['max']}"
    if size < shape.get("min", size):
        yield f"Member must have {noun} greater than or equal to {shape['min']}"
    pattern = shape.get("pattern", r"(?s).*")
    if r"\p{" in pattern:  # Python has no \p{…}: one letter stands for all of these classes
        value = "".join("a" if unicodedata.category(char)[0] in "LZN" else char for char in value)
    if not re.fullmatch(re.sub(r"\\p\{[LZN]\}", "a", pattern), value, re.ASCII):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _faults(
    model: Mapping[str, Any], shape_name: str, params: Mapping[str, str], path: str, where: str, name: str
) -> Iterator[str]:
    """Walk a shape of the model over the flat parameters; say every constraint they break."""
    shapes = model["shapes"]
    shape: dict[str, Any] = {**shapes[shape_name], **_BEYOND_THE_MODEL.get(name, {})}
    if shape["type"] == "structure":
        for member, target in shape["members"].items():
            at = ".".join(filter(None, (where, member[0].lower() + member[1:])))
            inner = f"{path}{member}"
            if any(key == inner or key.startswith(f"{inner}.") for key in params):
                inner += ".member." if shapes[target["shape"]]["type"] == "list" else ""
                yield from _faults(model, target["shape"], params, inner, at, member)
            elif member in shape.get("required", ()):
                yield f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
    elif shape["type"] == "list":
        below = {key[len(path) :].split(".")[0] for key in params if key.startswith(path)}
        numbers = sorted(int(number) for number in below if re.fullmatch(r"[0-9]+", number))
        if len(numbers) > shape.get("max", len(numbers)):
            limit = f"Member must have length less than or equal to {shape['max']}"
            yield f"Value '[{len(numbers)} members]' at '{where}' failed to satisfy constraint: {limit}"
        target = shape["member"]
        dot = "." if shapes[target["shape"]]["type"] == "structure" else ""
        for number in numbers:
            at = f"{where}.{number}.member"
            yield from _faults(model, target["shape"], params, f"{path}{number}{dot}", at, "")
    else:
        value = params.get(path, "")
        for constraint in _constraints(shape, value):
            yield f"Value '{value}' at '{where}' failed to satisfy constraint: {constraint}"


def _validate(model: Mapping[str, Any], action: str, params: Mapping[str, str]) -> None:
    shape = model["operations"][action]["input"]["shape"]
    faults = list(_faults(model, shape, params, "", "", ""))
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        raise _Refusal("ValidationError", f"{len(faults)} validation {noun} detected: {'; '.join(faults)}")


def _check_policy(text: str) -> None:
    try:
        policy = json.loads(text)
    except ValueError:
        raise _Refusal("MalformedPolicyDocument", "This policy contains invalid Json") from None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    for statement in statements if isinstance(statements, list) and statements else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _Refusal("MalformedPolicyDocument", "Syntax errors in policy.")


def _packed_percent(params: Mapping[str, str], tags: Iterable[tuple[str, str]]) -> int:
    """How full the packed policies and tags are; AWS keeps its format secret, this one is as tight."""
    policy, arns = params.get("Policy"), _members(params, "PolicyArns", "arn")
    if policy is not None:
        _check_policy(policy)
    for arn in arns:
        if not _POLICY_ARN.fullmatch(arn):
            raise _Refusal("ValidationError", f"ARN {arn} is not valid.")
    plain = "".join([policy or "", *arns])
    size = len(zlib.compress(plain.encode())) if plain else 0
    size += sum(len(key.encode()) + len(value.encode()) + 2 for key, value in tags)
    percent = max(math.ceil(100 * size / _PACKED_BYTES), math.ceil(100 * len(plain) / 2048))
    if percent > 100:
        what = "policy consumes {}% of allotted space, please use smaller policy."
        what = what if plain else "size of session tags consumes {}% of allotted space."
        raise _Refusal("PackedPolicyTooLarge", "Packed " + what.format(percent))
    return percent


#: What a managed policy as session policy allows here.
_MANAGED = {
    "arn:aws:iam::aws:policy/ReadOnlyAccess": '{"Statement": [{"Effect": "Allow", '
    '"Action": ["*:Get*", "*:List*", "*:Describe*"], "Resource": "*"}]}'
}
_NOTHING = '{"Statement": []}'


def refuse_narrowed(caller: _Principal, action: str, resource: str) -> None:
    """Refuse an action that a session policy of the caller does not allow, in AWS's words.

    Actions and resources with wildcards are compared; conditions are not.
    """

    def matches(statement: dict[str, Any]) -> bool:
        actions, resources = (
            [found] if isinstance(found := statement.get(key, []), str) else found for key in ("Action", "Resource")
        )
        return any(fnmatchcase(action.lower(), each.lower()) for each in actions) and any(
            fnmatchcase(resource, each) for each in resources
        )

    for layer in caller.layers:
        found = []
        for text in layer:
            statements = json.loads(text)["Statement"]
            found += [each for each in (statements if isinstance(statements, list) else [statements]) if matches(each)]
        effects = {each["Effect"] for each in found}
        if "Allow" not in effects or "Deny" in effects:
            reason = f"because no session policy allows the {action} action"
            if "Deny" in effects:
                reason = "with an explicit deny in a session policy"
            raise _Refusal(
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} {reason}",
            )


def _session_tags(caller: _Principal, params: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The tags of the session to be, inherited ones first, by lower-case key."""
    keys = _members(params, "Tags", "Key")
    tags = zip(keys, _members(params, "Tags", "Value"), strict=True)
    fresh = {key.lower(): (key, value) for key, value in tags}
    transitive = {key.lower() for key in _members(params, "TransitiveTagKeys")}
    reserved = [key for key in fresh if key.startswith("aws:")]
    problems = {
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.": len(fresh) < len(keys),
        "aws: prefixed tag key names are not allowed for external use.": reserved,
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag "
        "key from the calling session.": fresh.keys() & caller.tags.keys(),
        "The specified transitive tag key must be included in the requested tags.": transitive - fresh.keys(),
    }
    for message, found in problems.items():
        if found:
            raise _Refusal("InvalidParameterValue", message)
    return {**caller.tags, **fresh}


class StrictSts:
    """An STS on 127.0.0.1 with its own users, roles, MFA devices and clock."""

    #: The services that answer here: their models.
    models: tuple[dict[str, Any], ...] = (_MODEL,)

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.calls: list[Call] = []
        self.connections = 0
        self.issued: list[Issued] = []
        self.texts: dict[str, str] = {}  # element name -> text put in its place in every answer
        self.delay = 0.0
        self.closing = threading.Event()
        self._lock = threading.RLock()
        self._credentials: dict[str, _Credential] = {}
        self._roles: dict[str, _Role] = {}
        self._user_ids: dict[str, str] = {}
        self._devices: dict[str, MfaDevice] = {}
        self._web_identities: dict[str, _WebIdentity] = {}
        self._saml: dict[str, frozenset[tuple[str, str]]] = {}  # assertion: roles, each with its provider
        self._planned: list[tuple[str | _Refusal, str | None]] = []
        self._actions: dict[str, Callable[[_Principal, dict[str, str]], dict[str, Any]]] = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithSAML": self._assume_role_with_saml,
            "AssumeRoleWithWebIdentity": self._assume_role_with_web_identity,
            "GetSessionToken": self._get_session_token,
            "GetCallerIdentity": self._get_caller_identity,
            "GetScopedCredentials": self._get_scoped_credentials,
        }
        self._server = _Server(self)
        self._address = ("127.0.0.1", int(self._server.server_address[1]))
        self.url = "http://{}:{}".format(*self._address)
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def __enter__(self: _Itself) -> _Itself:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and hang up on whoever is still waiting for an answer."""
        if not self.closing.is_set():
            self.closing.set()
            with suppress(OSError):  # one last caller, so that the server need not poll for the end
                socket.create_connection(self._address).close()
            self._thread.join()
            self._server.server_close()
            self._server.hang_up()

    # What the test sets up

    def add_user(self, name: str = "alice", account: str = "111111111111", *, partition: str = "aws") -> Key:
        """A key of an IAM user; called again for the same user, one more key."""
        return self._add_key(f"arn:{partition}:iam::{account}:user/{name}", account, partition)

    def add_root(self, account: str = "111111111111", *, partition: str = "aws") -> Key:
        """A key of an account's root user, who may assume no role."""
        return self._add_key(f"arn:{partition}:iam::{account}:root", account, partition, root=True)

    def _add_key(self, arn: str, account: str, partition: str, root: bool = False) -> Key:
        if not re.fullmatch(r"[0-9]{12}", account) or partition not in _REGIONS:
            raise ValueError(f"no such account or partition: {account!r}, {partition!r}")
        key = Key(_random_id("AKIA"), _random_base64(40))
        with self._lock:
            user_id = self._user_ids.setdefault(arn, account if root else _random_id("AIDA"))
            names = _names(account, partition, arn)
            principal = _Principal(arn, account, partition, user_id, names, root=root)
            self._credentials[key.access_key_id] = _Credential(principal, key.secret_access_key)
        return key

    def add_session(
        self, role: str, access_key_id: str, secret_access_key: str, token: str, until: datetime
    ) -> None:  # fmt: skip
        """A session that another service gave: of a role of account 111111111111."""
        account, arn = "111111111111", f"arn:aws:sts::111111111111:assumed-role/{role}/alice"
        principal = _Principal(arn, account, "aws", _random_id("AROA"), _names(account, "aws", arn), session=True)
        principal = principal._replace(expires=until.timestamp())
        self._credentials[access_key_id] = _Credential(principal, secret_access_key, token, until.timestamp())

    def add_role(
        self,
        arn: str,
        *,
        trusts: Iterable[str] | None = None,
        max_session: int = 3600,
        external_id: str | None = None,
        mfa_required: bool = False,
        may_tag: bool = True,
        may_set_source_identity: bool = True,
        deny: str | None = None,
    ) -> str:
        """A role, or new terms for it.

        `trusts` are account ids and ARNs of users, roles and role sessions; None is anybody of the partition.
        `deny` always refuses, and is the end of the sentence that says so.
        """
        if not _ROLE_ARN.fullmatch(arn):
            raise ValueError(f"not a role ARN: {arn!r}")
        if not 3600 <= max_session <= 43200:  # IAM API reference, CreateRole: MaxSessionDuration
            raise ValueError(f"IAM has no role with a MaxSessionDuration of {max_session}")
        with self._lock:
            self._roles[arn] = _Role(
                arn,
                _random_id("AROA"),
                None if trusts is None else frozenset(trusts),
                max_session,
                external_id,
                mfa_required,
                may_tag,
                may_set_source_identity,
                deny,
            )
        return arn

    def add_mfa(self, user: str, serial: str) -> MfaDevice:
        """A virtual MFA device of a user, who is named by ARN, or by name where that is enough."""
        with self._lock:
            arns = [arn for arn in self._user_ids if user in (arn, arn.partition(":user/")[2])]
            if len(arns) != 1:
                raise ValueError(f"{len(arns)} users are called {user!r}")
            self._devices[serial] = MfaDevice(serial, arns[0], self.clock)
            return self._devices[serial]

    def add_web_identity(
        self,
        token: str,
        *,
        subject: str = "sub",
        roles: Iterable[str] | None = None,
        expires: float = math.inf,
    ) -> None:
        """An OIDC token that may be exchanged for the roles; None is every role."""
        with self._lock:
            allowed = None if roles is None else frozenset(roles)
            self._web_identities[token] = _WebIdentity(subject, allowed, expires)

    def add_saml(self, assertion: str, roles: Iterable[tuple[str, str]]) -> None:
        """A SAML assertion, in base64, for roles (ARN of the role, ARN of the provider)."""
        with self._lock:
            self._saml[assertion] = frozenset(roles)

    def fail_next(self, kind: str, times: int = 1, *, action: str | None = None) -> None:
        """Spoil the next answers: see the three tables of kinds at the head of this file."""
        if kind not in _REFUSED_BEFORE.keys() | _ANSWERED_BEFORE.keys() | _LOST_ON_THE_WAY:
            raise ValueError(f"no such kind of failure: {kind!r}")
        with self._lock:
            self._planned += [(kind, action)] * times

    def refuse_with(
        self, code: str, message: str, status: int = 403, times: int = 1, *, action: str | None = None
    ) -> None:
        """Refuse the next calls with any error.

        Mind that XML 1.0 cannot carry ESC: botocore calls such an answer unparsable. C1 controls pass.
        """
        with self._lock:
            self._planned += [(_Refusal(code, message, status), action)] * times

    # What the test looks at

    def count(self, action: str, *, ok: bool | None = None) -> int:
        """How many calls of an action arrived; with `ok`, how many were answered well, or not."""
        with self._lock:
            return sum(call.action == action and ok in (None, call.error is None) for call in self.calls)

    def forget(self) -> None:
        """Empty the log of calls."""
        with self._lock:
            self.calls.clear()

    # One request

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> tuple[_Reply, str]:
        """The reply, and what is to happen to it on the way."""
        params = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        action, version = params.pop("Action", ""), params.pop("Version", "")
        request_id = "-".join(secrets.token_hex(size) for size in (4, 2, 2, 2, 6))
        error: str | None = None
        fields: dict[str, Any]
        with self._lock:
            fault = self._next_fault(action)
            try:
                if isinstance(fault, _Refusal):
                    raise fault
                if fault in _REFUSED_BEFORE:
                    raise _Refusal(*_REFUSED_BEFORE[fault])
                if fault in _ANSWERED_BEFORE:
                    reply = _Reply(*_ANSWERED_BEFORE[fault])
                else:
                    found = [each for each in self.models if each["metadata"]["apiVersion"] == version]
                    if not found or action not in found[0]["operations"] or action not in self._actions:
                        message = f"Could not find operation {action} for version {version}"
                        raise _Refusal("InvalidAction", message)
                    model = found[0]
                    unsigned = model["operations"][action].get("authtype") == "none"
                    service = model["metadata"]["endpointPrefix"]
                    caller = _ANONYMOUS if unsigned else self._authenticate(service, method, path, headers, body)
                    _validate(model, action, params)
                    result = self._actions[action](caller, params)
                    fields = {f"{action}Result": result, "ResponseMetadata": {"RequestId": request_id}}
                    reply = self._xml(200, f"{action}Response", fields, request_id, model["metadata"]["xmlNamespace"])
                error = fault or None
            except _Refusal as refusal:
                error = refusal.code
                blame = "Receiver" if refusal.status >= 500 else "Sender"
                text = {"Type": blame, "Code": refusal.code, "Message": refusal.message}
                fields = {"Error": text, "RequestId": request_id}
                reply = self._xml(refusal.status, "ErrorResponse", fields, request_id)
            signed = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
            agent, host = headers.get("User-Agent", ""), headers.get("Host", "")
            self.calls.append(Call(action, params, signed[1] if signed else None, error, agent, host))
        return reply, fault if isinstance(fault, str) else ""

    def _next_fault(self, action: str) -> str | _Refusal:
        for index, (fault, only) in enumerate(self._planned):
            if only in (None, action):
                del self._planned[index]
                return fault
        return ""

    def _xml(
        self,
        status: int,
        root: str,
        fields: Mapping[str, Any],
        request_id: str,
        namespace: str = _MODEL["metadata"]["xmlNamespace"],
    ) -> _Reply:
        def render(name: str, value: Any, attributes: str = "") -> str:
            if isinstance(value, Mapping):
                inner = "".join(render(child, below) for child, below in value.items())
            elif isinstance(value, list):
                inner = "".join(render("member", below) for below in value)
            else:
                inner = escape(self.texts.get(name, str(value)), {"\r": "&#13;"})
            return f"<{name}{attributes}>{inner}</{name}>"

        text = render(root, fields, f' xmlns="{namespace}"')
        return _Reply(status, "text/xml", text.encode("utf-8", "surrogatepass"), request_id)

    def _authenticate(  # noqa: C901 (AWS's questions, one after the other)
        self, called: str, method: str, path: str, headers: Message, body: bytes
    ) -> _Principal:
        """Who signed the request: Signature Version 4, in the IAM user guide's order of questions."""
        if "Authorization" not in headers:
            raise _Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
        match = _AUTHORIZATION.fullmatch(headers["Authorization"])
        date = headers.get("X-Amz-Date", "")
        if match is None or not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", date):
            raise _Refusal("IncompleteSignature", "Authorization header or X-Amz-Date is not complete.")
        key_id, day, region, service, names, signature = match.groups()
        credential = self._credentials.get(key_id)
        if credential is None or headers.get("X-Amz-Security-Token") != credential.token:
            raise _Refusal("InvalidClientTokenId", _BAD_TOKEN)

        def mismatch(message: str) -> NoReturn:
            raise _Refusal("SignatureDoesNotMatch", message)

        if service != called:
            mismatch(f"Credential should be scoped to correct service: '{called}'. ")
        if not any(pattern.fullmatch(region) for pattern in _REGIONS.values()):
            mismatch(f"Credential should be scoped to a valid region, not '{region}'. ")
        if not _REGIONS[credential.principal.partition].fullmatch(region):
            raise _Refusal("InvalidClientTokenId", _BAD_TOKEN)  # each partition has keys of its own
        if day != date[:8]:
            mismatch(f"Date in Credential scope does not match YYYYMMDD from HTTP: '{day}' != '{date[:8]}'.")
        try:
            signed_at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        except ValueError:
            raise _Refusal("IncompleteSignature", f"Date must be in ISO-8601 basic format: {date}") from None
        now = self.clock()
        first, last = now - _SKEW_LIMIT, now + _SKEW_LIMIT
        if signed_at < first:
            gap = f"{date} is now earlier than {_stamp(first)} ({_stamp(now)} - 15 min.)"
            mismatch(f"Signature expired: {gap}")
        if signed_at > last:
            gap = f"{date} is still later than {_stamp(last)} ({_stamp(now)} + 15 min.)"
            mismatch(f"Signature not yet current: {gap}")
        signed = names.split(";")
        must = {"host"} | {name.lower() for name in headers if name.lower().startswith("x-amz-")}
        if missing := must - set(signed):
            mismatch(f"'{min(missing)}' must be a 'SignedHeader' in the AWS Authorization.")
        digest = hashlib.sha256(body).hexdigest()
        if headers.get("X-Amz-Content-Sha256", digest) != digest:
            mismatch(_BAD_SIGNATURE)
        request = AWSRequest(
            method=method,
            url=f"http://{headers.get('Host', '')}{path}",
            data=body,
            headers={name: ",".join(headers.get_all(name, [])) for name in signed},
        )
        request.context["timestamp"] = date
        oracle = SigV4Auth(Credentials(key_id, credential.secret), service, region)
        to_sign = oracle.string_to_sign(request, oracle.canonical_request(request))
        expected = oracle.signature(to_sign, request)
        if not hmac.compare_digest(expected, signature):
            mismatch(_BAD_SIGNATURE)
        if now >= credential.expiration:
            raise _Refusal("ExpiredToken", "The security token included in the request is expired")
        return credential.principal

    # The actions

    def _get_caller_identity(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}

    def _get_scoped_credentials(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        """STS API reference, GetScopedCredentials: the same identity, with one layer of policy more."""
        if not caller.session:
            raise _Refusal(
                "InvalidSubjectCredentials",
                "GetScopedCredentials must be called with temporary security credentials.",
            )
        if "Policy" not in params and "DurationSeconds" not in params:
            raise _Refusal("ValidationError", "At least one of Policy or DurationSeconds must be specified.")
        percent, session = _packed_percent(params, ()), caller
        if "Policy" in params:
            if caller.scoped >= 3:
                raise _Refusal("AccessDenied", "The maximum number of scope-down policies (3) has been reached.")
            session = caller._replace(layers=(*caller.layers, (params["Policy"],)), scoped=caller.scoped + 1)
        left = math.ceil(caller.expires - self.clock())
        duration = int(params.get("DurationSeconds", left))
        if duration > left:
            raise _Refusal(
                "InsufficientSessionLifetime", "The requested DurationSeconds exceeds the remaining session lifetime."
            )
        return {
            "Credentials": self._issue(session, duration, params),
            "SessionInfo": {"Arn": caller.arn},
            "PackedPolicySize": percent,
            "ScopedPoliciesCount": session.scoped,
        }

    def _get_session_token(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        if caller.session:
            raise _Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials")
        duration = int(params.get("DurationSeconds", 43200))
        duration = min(duration, _CHAIN_LIMIT) if caller.root else duration
        session = caller._replace(session=True, mfa=self._check_mfa(caller, params))
        return {"Credentials": self._issue(session, duration, params)}

    def _assume_role(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        if caller.root:
            raise _Refusal("AccessDenied", "Roles may not be assumed by root accounts.")
        tags = _session_tags(caller, params)
        packed = _packed_percent(params, tags.values())
        mfa = self._check_mfa(caller, params)
        role = self._authorized(caller, params, mfa=mfa, tagged=bool(tags))
        refuse_narrowed(caller, "sts:AssumeRole", params["RoleArn"])
        duration = int(params.get("DurationSeconds", 3600))
        if caller.session and duration > _CHAIN_LIMIT:
            limit = "1 hour session limit for roles assumed by role chaining."
            raise _Refusal("ValidationError", f"The requested DurationSeconds exceeds the {limit}")
        inherited = caller.tags.keys() | {key.lower() for key in _members(params, "TransitiveTagKeys")}
        identity = params.get("SourceIdentity", caller.source_identity)
        passed_on = {key: tag for key, tag in tags.items() if key in inherited}
        return self._role_session(role, duration, packed, params, passed_on, identity)

    def _authorized(self, caller: _Principal, params: dict[str, str], *, mfa: bool, tagged: bool) -> _Role:
        """The role, if its trust policy and the caller's own policies would all agree."""
        arn = self._role_arn(params)
        role = self._roles.get(arn)

        def denied(action: str = "AssumeRole", reason: str = "") -> NoReturn:
            what = f"sts:{action} on resource: {arn} {reason}".rstrip()
            raise _Refusal("AccessDenied", f"User: {caller.arn} is not authorized to perform: {what}")

        # A key is unknown outside its partition, and so are roles: nobody there could trust it.
        if role is None or arn.split(":")[1] != caller.partition:
            denied()
        if role.deny is not None:
            denied(reason=role.deny)
        if role.trusts is not None and not role.trusts & caller.names:
            denied(reason=_UNTRUSTED)
        if role.external_id not in (None, params.get("ExternalId")) or (role.mfa_required and not mfa):
            denied()
        if tagged and not role.may_tag:
            denied("TagSession")
        # The value persists through chains and cannot be changed: IAM user guide, monitor assumed roles.
        # Every role on the way must allow it, even when it is only carried along.
        identity = params.get("SourceIdentity", caller.source_identity)
        changed = caller.source_identity not in (None, identity)
        if changed or (identity is not None and not role.may_set_source_identity):
            denied("SetSourceIdentity")
        return role

    def _assume_role_with_web_identity(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        percent = _packed_percent(params, ())
        arn = self._role_arn(params)
        identity = self._web_identities.get(params["WebIdentityToken"])
        if identity is None:
            message = "No OpenIDConnect provider found in your account for the token"
            raise _Refusal("InvalidIdentityToken", message)
        now = self.clock()
        if now >= identity.expires:
            message = f"Token expired: current date/time {int(now)} must be before the expiration date/time "
            raise _Refusal("ExpiredTokenException", f"{message}{int(identity.expires)}")
        role = self._roles.get(arn)
        trusted = identity.roles is None or arn in identity.roles
        if role is None or role.deny is not None or not trusted:
            raise _Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        duration = int(params.get("DurationSeconds", 3600))
        result = self._role_session(role, duration, percent, params, {}, None)
        about = {"SubjectFromWebIdentityToken": identity.subject, "Audience": "sts.amazonaws.com"}
        return {**result, **about, "Provider": "arn:aws:iam::111111111111:oidc-provider/example.com"}

    def _assume_role_with_saml(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        percent = _packed_percent(params, ())
        arn = self._role_arn(params)
        roles = self._saml.get(params["SAMLAssertion"])
        if roles is None:
            raise _Refusal("InvalidIdentityToken", "Invalid base64 SAMLResponse (Service: AWSSecurityTokenService)")
        role = self._roles.get(arn)
        if role is None or (arn, params["PrincipalArn"]) not in roles:
            raise _Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
        named = {**params, "RoleSessionName": "from-the-assertion"}
        return self._role_session(role, int(params.get("DurationSeconds", 3600)), percent, named, {}, None)

    def _role_arn(self, params: Mapping[str, str]) -> str:
        if not _ROLE_ARN.fullmatch(params["RoleArn"]):
            raise _Refusal("ValidationError", "Request ARN is invalid")
        return params["RoleArn"]

    def _check_mfa(self, caller: _Principal, params: Mapping[str, str]) -> bool:
        """Whether the caller has shown a code, now or for the session that calls; a right code is spent."""
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        if serial is None and code is None:
            return caller.mfa
        if serial is None or code is None:
            raise _Refusal("AccessDenied", _HALF_AN_MFA)
        device = self._devices.get(serial)
        if device is None or device.user_arn != caller.arn:
            raise _Refusal("AccessDenied", _NO_SUCH_MFA)
        if not device.spend(code):
            raise _Refusal("AccessDenied", _BAD_CODE)
        return True

    def _role_session(
        self,
        role: _Role,
        duration: int,
        packed: int,
        params: dict[str, str],
        tags: Mapping[str, tuple[str, str]],
        source_identity: str | None,
    ) -> dict[str, Any]:
        if duration > role.max_session:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise _Refusal("ValidationError", message)
        partition, account = role.arn.split(":")[1], role.arn.split(":")[4]
        name = params["RoleSessionName"]
        arn = f"arn:{partition}:sts::{account}:assumed-role/{role.arn.rsplit('/')[-1]}/{name}"
        role_id = f"{role.role_id}:{name}"
        names = _names(account, partition, role.arn, arn)
        # No MFA: a role session does not carry it on (STS API reference, AssumeRole).
        session = _Principal(
            arn, account, partition, role_id, names, session=True, tags=tags, source_identity=source_identity
        )
        policies = [params["Policy"]] if "Policy" in params else []
        policies += [_MANAGED.get(each, _NOTHING) for each in _members(params, "PolicyArns", "arn")]
        session = session._replace(layers=(tuple(policies),) if policies else ())
        result: dict[str, Any] = {
            "AssumedRoleUser": {"AssumedRoleId": role_id, "Arn": arn},
            "Credentials": self._issue(session, duration, params),
        }
        extras = {"PackedPolicySize": packed or None, "SourceIdentity": source_identity}
        return result | {element: value for element, value in extras.items() if value is not None}

    def _issue(self, session: _Principal, duration: int, params: Mapping[str, str]) -> dict[str, str]:
        token = _random_base64(max(352, int(params.get("MinimumSessionTokenSize", 0))))
        new = Issued(_random_id("ASIA"), _random_base64(40), token, int(self.clock()) + duration)
        self.issued.append(new)
        session = session._replace(expires=new.expiration)
        credential = _Credential(session, new.secret_access_key, token, new.expiration)
        self._credentials[new.access_key_id] = credential
        return {
            "AccessKeyId": new.access_key_id,
            "SecretAccessKey": new.secret_access_key,
            "SessionToken": token,
            "Expiration": _stamp(new.expiration, "%Y-%m-%dT%H:%M:%SZ"),
        }


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024  # a hundred processes may start at once
    daemon_threads = True
    block_on_close = False

    def __init__(self, sts: StrictSts) -> None:
        self.sts = sts
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for a name nobody needs

    def serve(self) -> None:
        while not self.sts.closing.is_set():
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that gave up is not reported
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.sts.connections += 1

    def do_POST(self) -> None:
        sts = self.server.sts
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply, fault = sts.answer(self.command, self.path, self.headers, body)
        if fault == "hang" or sts.delay:
            sts.closing.wait(None if fault == "hang" else sts.delay)
        if sts.closing.is_set() or fault in ("empty", "reset"):
            self.close_connection = True
            if fault == "reset":  # no FIN before the RST, so not the server's orderly way to close
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())
            return
        content = reply.body[: len(reply.body) // 2] if fault in ("truncated", "short") else reply.body
        self.close_connection = self.close_connection or fault == "short"
        self.send_response(reply.status)
        self.send_header("x-amzn-RequestId", reply.request_id)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body if fault == "short" else content)))
        self.end_headers()
        step = 1 if fault == "drip" else len(content)
        for start in range(0, len(content), step):
            if start and sts.closing.wait(1.0):
                break
            self.wfile.write(content[start : start + step])

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.sts.clock() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `calls`, not stderr."""
