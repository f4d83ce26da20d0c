"""Resolves one case twice, with awsudo and with plain botocore, and records every request that each of them sends.

The recorder stands where botocore hands a signed request to the network, below all that is compared. It answers as
AWS would, with credentials made from the request itself: who signs the next request with them sent the same before.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.credentials import SSOProvider
from botocore.httpsession import URLLib3Session
from botocore.loaders import JSONFileLoader
from botocore.tokens import SSOTokenProvider

from awsudo_py.aws.calls import BotocoreSts
from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError
from awsudo_py.fingerprint import Files, deciding
from awsudo_py.model import Request
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from awsudo_py.sessions.obtain import Obtain
from awsudo_py.sessions.single_flight import Run
from awsudo_py.signin.wiring import SignIns
from awsudo_py.terminal import Terminal

#: What both sides type when they are asked for an MFA code.
CODE = "123456"
#: Session names that nobody chose: they say nothing about a resolution.
_GENERATED = re.compile(r"botocore-session-\d+|generated-session")
_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]*)/\d{8}/([^/]+)/")
#: Says where the case's home is in the texts of the corpus.
HOME = "<home>"


class Case(NamedTuple):
    """One machine and one question: a profile, a role from ambient credentials, or a role from a profile."""

    config: str | bytes = ""
    credentials: str | bytes = ""
    env: Mapping[str, str] = {}
    profile: str | None = None
    role: str | None = None
    files: Mapping[str, str] = {}  # below the home
    refused: bool = False  # neither side has an answer


class Sent(NamedTuple):
    """A request as it would have left this machine."""

    url: str
    region: str | None  # that it is signed for
    signed_by: str | None  # access key id, or a bearer token
    session_token: str | None
    parameters: tuple[tuple[str, str], ...]
    ca_bundle: str


class Resolved(NamedTuple):
    """What a side came to: the requests on the way, the credentials at the end, the region of the command."""

    sent: tuple[Sent, ...]
    access_key_id: str
    session_token: str | None
    region: str | None


class Refused(NamedTuple):
    """The error of a side instead."""

    error: str


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.getvalue()


_LOAD_FILE = JSONFileLoader.load_file


@cache
def _data(path: str) -> Any:
    return _LOAD_FILE(JSONFileLoader(), path)


def _read_once(_: JSONFileLoader, path: str) -> Any:
    """Stand in for JSONFileLoader.load_file: botocore's own data is the same for every case, and slow to parse."""
    return _data(path)


class Wire:
    """Takes what botocore would send, and answers it."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def send(self, session: Any, request: Any) -> AWSResponse:
        """Stand in for URLLib3Session.send."""
        body = request.body or b""
        sent = _read(request, body.decode() if isinstance(body, bytes) else body, str(session._verify))
        self.sent.append(sent)
        content = _answer(sent)
        return AWSResponse(request.url, 200, {"Content-Length": str(len(content))}, _Body(content))


def _read(request: Any, body: str, ca_bundle: str) -> Sent:
    parts = urlsplit(request.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    pairs = list(json.loads(body).items()) if body.startswith("{") else parse_qsl(body, keep_blank_values=True)
    pairs += parse_qsl(parts.query, keep_blank_values=True)
    scope = _SCOPE.match(headers.get("authorization", ""))
    return Sent(
        f"{request.method} {parts.scheme}://{parts.netloc}{parts.path}",
        scope[2] if scope else None,
        scope[1] if scope else headers.get("x-amz-sso_bearer_token") or headers.get("authorization"),
        headers.get("x-amz-security-token"),
        tuple(sorted((name, str(value)) for name, value in pairs if not _GENERATED.fullmatch(str(value)))),
        ca_bundle,
    )


def _answer(sent: Sent) -> bytes:
    mark = hashlib.sha1(repr(sent._replace(ca_bundle="")).encode()).hexdigest()[:16].upper()
    until = time.time() + 3600
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    given = {"AccessKeyId": f"ASIA{mark}", "SecretAccessKey": f"secret-{mark}"}
    action = dict(sent.parameters).get("Action")
    path = urlsplit(sent.url.split(" ")[1]).path
    if action is not None:
        fields = {**given, "SessionToken": f"token-{mark}", "Expiration": stamp}
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        answer = f"<{action}Result><Credentials>{inner}</Credentials></{action}Result>"
        return (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{answer}</{action}Response>'.encode()
        )
    if path == "/federation/credentials":
        role = {"accessKeyId": f"ASIA{mark}", "secretAccessKey": "s", "sessionToken": f"token-{mark}"}
        return json.dumps({"roleCredentials": {**role, "expiration": int(until * 1000)}}).encode()
    if path == "/token":
        return json.dumps({"accessToken": f"bearer-{mark}", "tokenType": "Bearer", "expiresIn": 28800}).encode()
    if path == "/latest/api/token":
        return b"imds-session"
    if path == "/latest/meta-data/iam/security-credentials/":
        return b"instance-role"
    return json.dumps({**given, "Code": "Success", "Token": f"token-{mark}", "Expiration": stamp}).encode()


@contextmanager
def machine(case: Case, home: Path) -> Iterator[Wire]:
    """Make the case true for this process: its files, its environment, its network."""
    aws = home / ".aws"
    aws.mkdir(parents=True, exist_ok=True)
    for path in (aws / "config", aws / "credentials"):
        content = case.config if path.name == "config" else case.credentials
        text = content if isinstance(content, bytes) else content.replace(HOME, str(home)).encode()
        path.unlink(missing_ok=True)
        if text:
            path.write_bytes(text)
    for name, output in case.files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(output)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "AWS_EC2_METADATA_DISABLED": "true"}
    env |= {name: value.replace(HOME, str(home)) for name, value in case.env.items()}
    wire = Wire()
    cached = str(aws / "sso" / "cache")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, env, clear=True))
        stack.enter_context(mock.patch.object(JSONFileLoader, "load_file", _read_once))
        # botocore settles this while it is being imported, and so for another home
        for cls in (SSOProvider, SSOTokenProvider):
            stack.enter_context(mock.patch.object(cls, "_SSO_TOKEN_CACHE_DIR", cached))
        stack.enter_context(
            mock.patch.object(URLLib3Session, "send", lambda session, request: wire.send(session, request))
        )
        yield wire


def by_awsudo(case: Case, home: Path) -> Resolved | Refused:
    """What awsudo makes of it: the resolver, then its own clients."""
    with machine(case, home) as wire:
        environ = deciding(os.environ)
        files = Files(time.time())
        try:
            config = aws_config.load(environ, files)
            # a code for each role is all that botocore can do; test_mfa_choice tells of the session they share
            if case.profile is None:
                request = Request(target=case.role, mfa_per_role=True)
            else:
                request = Request(profile=case.profile, role=case.role, mfa_per_role=True)
            chain = Resolver(config, environ, lambda path: None if files.read(path) is None else path).chain(request)
            run = Run(Terminal(-1), time.time, time.sleep, time.time())
            sign_ins = SignIns(config, os.environ, environ, store=None, run=run)
            credentials = (
                Obtain(
                    chain,
                    store=None,
                    sts=lambda: BotocoreSts(
                        chain,
                        config,
                        session_name="generated-session",
                        stored_key=lambda source: Credentials("no key", "is stored", None),
                        sso_token=lambda source, refused: sign_ins.token_of(
                            source, chain.config_profile, refused=refused
                        ),
                    ),
                    with_code=lambda _, call: call(CODE),
                    run=run,
                )
                .credentials()
                .credentials
            )
        except AwsudoError as error:
            return Refused("; ".join((error.message, *error.hints)))
        return Resolved(tuple(wire.sent), credentials.access_key_id, credentials.session_token or None, chain.region)


_PLAIN_LOADER = botocore.session.Session().get_component("data_loader")  # read once: it depends on no configuration


def by_botocore(case: Case, home: Path) -> Resolved | Refused:
    """What botocore makes of it: its own chain, then the call with the credentials it found.

    That call is AssumeRole where a role is asked for. A profile that is nothing but long-lived keys gets a session of
    them, as the contract has it: keys never reach a child.
    """
    with machine(case, home) as wire:
        try:
            session = botocore.session.Session(profile=case.profile)
            session.register_component("data_loader", _PLAIN_LOADER)
            session.get_component("credential_provider").get_provider("assume-role")._prompter = lambda _: CODE
            credentials = session.get_credentials()
            if credentials is None:
                return Refused("no credentials")
            found = credentials.get_frozen_credentials()
            got = {"AccessKeyId": found.access_key, "SessionToken": found.token}
            if case.role is not None:
                sts = session.create_client("sts")
                got = sts.assume_role(RoleArn=case.role, RoleSessionName="generated-session")["Credentials"]
            elif not found.token:
                serial = session.get_scoped_config().get("mfa_serial")
                mfa = {"SerialNumber": serial, "TokenCode": CODE} if serial else {}
                got = session.create_client("sts").get_session_token(DurationSeconds=43200 if serial else 3600, **mfa)[
                    "Credentials"
                ]
            region = session.get_config_variable("region")
        except Exception as error:  # noqa: BLE001 (whatever it is, a program that uses botocore fails)
            return Refused(f"{type(error).__name__}: {error}")
        return Resolved(tuple(wire.sent), got["AccessKeyId"], got["SessionToken"] or None, region)
