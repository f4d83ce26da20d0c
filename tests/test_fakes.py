"""Proves with botocore itself that the fakes speak as the services they stand for."""

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.message import Message
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.servers.account_access import AccountAccess
from tests.servers.metadata import Metadata
from tests.servers.proxy import FaultyProxy
from tests.servers.serving import Answer, Call, Serving
from tests.servers.sso import DEVICE_CODE, Sso
from tests.world import World

ACCOUNT, ROLE, START_URL = "123456789012", "Deploy", "https://example.awsapps.com/start"
KEY_ID, SECRET, REGION = "AKIAEXAMPLEEXAMPLE12", "the-secret", "eu-west-1"
HANDED_IN = ("ASIAEXAMPLEEXAMPLE12", "handed-in-secret", "handed-in-token")

# A process of its own, as botocore settles where the home is while it is being imported.
FIND_CREDENTIALS = """
import json
import botocore.session
try:
    found = botocore.session.get_session().get_credentials()
    print(json.dumps([found.method, *found.get_frozen_credentials()[:3]]))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
WHERE = f"sso_start_url = {START_URL}\nsso_region = {REGION}\n"
SSO_CONFIGS = {"session": f"sso_session = corp\n[sso-session corp]\n{WHERE}", "legacy": WHERE}
SESSION_NAMES = {"session": "corp", "legacy": None}


def find_credentials(home: Path, **environ: str) -> list[str]:
    """Return how and which credentials botocore finds in this home, or the error's name and text."""
    bare = {"HOME": str(home), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
    run = subprocess.run(
        [sys.executable, "-c", FIND_CREDENTIALS],
        env={**bare, **environ},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(run.stdout)
    return found


def write_sso_profile(home: Path, kind: str) -> None:
    """Write the config file with an SSO default profile of this kind."""
    (home / ".aws").mkdir()
    profile = f"[default]\nsso_account_id = {ACCOUNT}\nsso_role_name = {ROLE}\n"
    (home / ".aws" / "config").write_text(profile + SSO_CONFIGS[kind])


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Make botocore clients that try once and know nothing of the machine they are on."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    session = botocore.session.Session()
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=0.3)

    def make(service: str, url: str) -> Any:
        keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
        return session.create_client(service, REGION, endpoint_url=url, config=once, **keys)

    return make


def open_answer(fake: Serving, method: str, path: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    """Send one bare request and return the answer before its body is read."""
    connection = HTTPConnection(fake.url.removeprefix("http://"), timeout=5)
    connection.request(method, path, headers=headers or {})
    return connection.getresponse()


def ask(fake: Serving, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Send one bare request and return the answer's status and body."""
    with open_answer(fake, method, path, headers) as answer:
        return answer.status, answer.read()


class SignedSts(Serving):
    """Answers GetCallerIdentity if the signature is right for the Host header as it arrives."""

    def answer(self, call: Call) -> Answer:
        """Sign what arrived once more, and compare."""
        _, claims = call.headers["Authorization"].split(" ", 1)
        scope = dict(claim.split("=", 1) for claim in claims.split(", "))
        signed = {name: call.headers[name] for name in scope["SignedHeaders"].split(";")}
        request = AWSRequest(call.method, f"http://{call.headers['Host']}{call.target}", signed, call.body)
        request.context["timestamp"] = call.headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials(KEY_ID, SECRET), "sts", REGION)
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        if signature != scope["Signature"]:
            return Answer(403, b"<ErrorResponse><Error><Code>BadSignature</Code></Error></ErrorResponse>")
        identity = f"<GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
        body = f"<GetCallerIdentityResponse>{identity}</GetCallerIdentityResponse>".encode()
        return Answer(200, body, {"Content-Type": "text/xml", "date": "Sat, 01 Jan 2000 00:00:00 GMT"})


@pytest.mark.parametrize("kind", SSO_CONFIGS)
def test_sso_gives_credentials_to_a_cached_token(tmp_path: Path, kind: str) -> None:
    """With a cached token botocore gets exactly the credentials that the callback got."""
    issued: list[tuple[str, str, str, datetime]] = []
    write_sso_profile(tmp_path, kind)

    with Sso(on_credentials=lambda *credentials: issued.append(credentials)) as sso:
        sso.allow(ACCOUNT, ROLE)
        path = sso.write_cached_token(tmp_path, start_url=START_URL, session_name=SESSION_NAMES[kind])
        found = find_credentials(tmp_path, **sso.environ)

    assert found == ["sso", *issued[0][:3]]
    assert found[1].startswith("ASIA") and len(found[1]) == 20
    assert timedelta(minutes=59) < issued[0][3] - datetime.now(timezone.utc) <= timedelta(hours=1)
    assert [call.path for call in sso.calls] == ["/federation/credentials"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_sso_refreshes_a_token_about_to_expire(tmp_path: Path) -> None:
    """A refreshable token with a minute to live is traded for a new one, and the new one works."""
    write_sso_profile(tmp_path, "session")

    with Sso() as sso:
        sso.allow(ACCOUNT, ROLE)
        path = sso.write_cached_token(
            tmp_path, start_url=START_URL, session_name="corp", expires_in=60, refreshable=True
        )
        before = json.loads(path.read_text())
        found = find_credentials(tmp_path, **sso.environ)

    after = json.loads(path.read_text())
    assert found[0] == "sso"
    assert [call.path for call in sso.calls] == ["/token", "/federation/credentials"]
    assert after["accessToken"] != before["accessToken"]
    assert after["refreshToken"] != before["refreshToken"]


def test_sso_refuses_a_revoked_token(tmp_path: Path) -> None:
    """A token that looks fresh in the file and is revoked at the service is botocore's unauthorized token."""
    write_sso_profile(tmp_path, "legacy")

    with Sso() as sso:
        sso.allow(ACCOUNT, ROLE)
        sso.write_cached_token(tmp_path, start_url=START_URL)
        sso.revoke_tokens()
        found = find_credentials(tmp_path, **sso.environ)

    assert found[0] == "UnauthorizedSSOTokenError"
    assert sso.count("/federation/credentials") == 1


def test_the_sso_portal_distinguishes_wrong_tokens_from_wrong_roles(client: Callable[..., Any]) -> None:
    """A wrong or expired token is Unauthorized, a role nobody allowed is Forbidden."""
    with Sso() as sso:
        sso.allow(ACCOUNT, ROLE)
        portal = client("sso", sso.url)
        requested = {"accountId": ACCOUNT, "roleName": ROLE, "accessToken": sso.token}

        assert portal.get_role_credentials(**requested)["roleCredentials"]["expiration"] > time.time() * 1000
        for change, code in {
            ("accessToken", "wrong"): "UnauthorizedException",
            ("accessToken", sso.issue_token(-1)): "UnauthorizedException",
            ("roleName", "Admin"): "ForbiddenException",
        }.items():
            with pytest.raises(ClientError) as caught:
                portal.get_role_credentials(**{**requested, change[0]: change[1]})
            assert caught.value.response["Error"]["Code"] == code


def test_sso_portal_lists_accounts_and_roles(client: Callable[..., Any]) -> None:
    """The lists hold what was allowed, each account once."""
    with Sso() as sso:
        for account, role in [(ACCOUNT, ROLE), (ACCOUNT, "Read"), ("210987654321", "Read")]:
            sso.allow(account, role)
        portal = client("sso", sso.url)

        accounts = portal.list_accounts(accessToken=sso.token)["accountList"]
        roles = portal.list_account_roles(accessToken=sso.token, accountId=ACCOUNT)["roleList"]

    assert [account["accountId"] for account in accounts] == [ACCOUNT, "210987654321"]
    assert [role["roleName"] for role in roles] == [ROLE, "Read"]


def test_sso_device_flow(client: Callable[..., Any]) -> None:
    """A device code is pending until the user consents, then gives one token, which the portal takes."""
    with Sso() as sso:
        sso.device_refusals = ["AuthorizationPendingException"]
        oidc = client("sso-oidc", sso.url)
        registered = oidc.register_client(clientName="awsudo", clientType="public")
        us = {name: registered[name] for name in ("clientId", "clientSecret")}
        device = oidc.start_device_authorization(**us, startUrl=START_URL)
        poll = {**us, "grantType": DEVICE_CODE, "deviceCode": device["deviceCode"]}

        with pytest.raises(oidc.exceptions.AuthorizationPendingException):
            oidc.create_token(**poll)
        token = oidc.create_token(**poll)["accessToken"]
        with pytest.raises(oidc.exceptions.InvalidGrantException):
            oidc.create_token(**poll)

        assert device["verificationUriComplete"].endswith(device["userCode"])
        assert client("sso", sso.url).list_accounts(accessToken=token)["accountList"] == []


def test_sso_trades_a_code_and_then_a_refresh_token(client: Callable[..., Any]) -> None:
    """Each proof gives a known client one token: a code with its verifier, a refresh token; all else is refused."""
    redirect = "http://127.0.0.1:4711/oauth/callback"
    verifier, state = "v" * 64, "s" * 36
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")

    with Sso() as sso:
        oidc = client("sso-oidc", sso.url)
        registered = oidc.register_client(
            clientName="awsudo",
            clientType="public",
            grantTypes=["authorization_code", "refresh_token"],
            redirectUris=["http://127.0.0.1/oauth/callback"],
            issuerUrl=START_URL,
        )
        us = {name: registered[name] for name in ("clientId", "clientSecret")}

        def code() -> str:
            query = {"client_id": us["clientId"], "redirect_uri": redirect, "code_challenge": challenge}
            fixed = {"response_type": "code", "code_challenge_method": "S256", "scopes": "sso:account:access"}
            page = Call("GET", "", "/authorize", {**query, **fixed, "state": state}, Message(), b"")
            answered = dict(parse_qsl(urlsplit(sso.answer(page).headers["Location"]).query))
            assert answered["state"] == state
            return answered["code"]

        def token(**proof: str) -> dict[str, str]:
            answered: dict[str, str] = oidc.create_token(**us, **proof)
            return answered

        right = {"grantType": "authorization_code", "redirectUri": redirect, "codeVerifier": verifier}
        first = token(**right, code=code())
        second = token(grantType="refresh_token", refreshToken=first["refreshToken"])

        assert len({sso.token, first["accessToken"], second["accessToken"]}) == 3
        for wrong in (
            {**right, "code": code(), "codeVerifier": "x" * 64},
            {**right, "code": code(), "redirectUri": "http://127.0.0.1:4712/oauth/callback"},
            {"grantType": "refresh_token", "refreshToken": first["refreshToken"]},
        ):
            with pytest.raises(oidc.exceptions.InvalidGrantException):
                token(**wrong)
        with pytest.raises(oidc.exceptions.UnsupportedGrantTypeException):
            token(grantType="password")
        with pytest.raises(oidc.exceptions.UnauthorizedClientException):
            oidc.start_device_authorization(**us, startUrl=START_URL)
        with pytest.raises(oidc.exceptions.InvalidClientException):
            oidc.create_token(clientId="x", clientSecret="y", grantType="refresh_token")


def test_sso_pages_and_throttles_its_lists(client: Callable[..., Any]) -> None:
    """A page holds a hundred accounts at most; more calls a second than the rate are refused until time has passed."""
    now = 0.0
    with Sso(rate=20, clock=lambda: now) as sso:
        for number in range(150):
            sso.allow(f"{number:012}", ROLE)
        portal = client("sso", sso.url)
        first = portal.list_accounts(accessToken=sso.token, maxResults=100)
        second = portal.list_accounts(accessToken=sso.token, maxResults=100, nextToken=first["nextToken"])
        for _ in range(18):
            portal.list_account_roles(accessToken=sso.token, accountId=ACCOUNT)

        with pytest.raises(portal.exceptions.TooManyRequestsException):
            portal.list_accounts(accessToken=sso.token)
        now += 0.06
        assert portal.list_accounts(accessToken=sso.token)

    assert [len(first["accountList"]), len(second["accountList"])] == [100, 50] and "nextToken" not in second
    assert sso.throttled == 1


def test_account_access_refuses_what_its_model_does(tmp_path: Path) -> None:
    """Without the bearer token of a sign-in, for another tenant, with a wrong parameter, for a role not granted."""
    with Sso() as sso, AccountAccess(sso, "aa-1", rate=9, clock=lambda: 0.0) as access:
        arn = access.allow(ACCOUNT, ROLE)
        bearer = {"Authorization": f"Bearer {sso.token}"}
        credentials = f"/access/credentials?tenantId=aa-1&accessType=PROGRAMMATIC_ACCESS&roleArn={arn}"
        calls = [
            ("/access?tenantId=aa-1", {}),
            ("/access?tenantId=aa-1", {"x-amz-sso_bearer_token": sso.token}),
            ("/access", bearer),
            ("/access?tenantId=aa-2", bearer),
            ("/access?tenantId=aa-1&nextToken=x", bearer),
            (credentials.replace("PROGRAMMATIC", "CONSOLE"), bearer),
            (f"{credentials}&sessionDuration=899", bearer),
            (credentials.replace(ROLE, "Other"), bearer),
            (credentials, bearer),
            (credentials, bearer),
        ]
        answers = [ask(access, "GET", path, headers) for path, headers in calls]

    assert [status for status, _ in answers] == [401, 401, 400, 400, 400, 400, 400, 403, 200, 429]
    assert json.loads(answers[8][1])["credentialsDetails"]["programmaticAccess"]["accessKeyId"].startswith("ASIA")


def test_metadata_is_an_ec2_instance(tmp_path: Path) -> None:
    """botocore finds the instance role's credentials in IMDSv2's three steps."""
    with Metadata(*HANDED_IN, role="web") as metadata:
        found = find_credentials(tmp_path, AWS_EC2_METADATA_V1_DISABLED="true", **metadata.instance_environ)

    assert found == ["iam-role", *HANDED_IN]
    roles = "/latest/meta-data/iam/security-credentials/"
    assert [call.path for call in metadata.calls] == ["/latest/api/token", roles, roles + "web"]


def test_metadata_wants_a_session_token() -> None:
    """A request in the manner of IMDSv1 is refused, and so are a lifetime out of range and another role."""
    lifetime, roles = "X-aws-ec2-metadata-token-ttl-seconds", "/latest/meta-data/iam/security-credentials/"

    with Metadata(*HANDED_IN) as metadata:
        token = ask(metadata, "PUT", "/latest/api/token", {lifetime: "60"})[1].decode()
        requested = {"X-aws-ec2-metadata-token": token}

        assert ask(metadata, "PUT", "/latest/api/token", {lifetime: "21601"})[0] == 400
        assert ask(metadata, "PUT", "/latest/api/token")[0] == 400
        assert ask(metadata, "GET", roles)[0] == 401
        assert ask(metadata, "GET", roles, requested) == (200, b"instance-role")
        assert ask(metadata, "GET", roles + "other", requested)[0] == 404


@pytest.mark.parametrize("authorization", [None, "Basic c2VjcmV0"])
def test_metadata_is_a_container(tmp_path: Path, authorization: str | None) -> None:
    """botocore finds what was given last at the container endpoint, with the token where one is wanted."""
    with Metadata("ASIAOLD", "old", "old", authorization=authorization) as metadata:
        metadata.give(*HANDED_IN)
        found = find_credentials(tmp_path, **metadata.container_environ)

    assert found == ["container-role", *HANDED_IN]
    assert metadata.calls[0].headers["Authorization"] == authorization


def test_metadata_refuses_another_containers_token() -> None:
    """A wrong or missing authorization token gets 401 and no credentials."""
    with Metadata(*HANDED_IN, authorization="right") as metadata:
        for headers in ({"Authorization": "wrong"}, {}):
            status, body = ask(metadata, "GET", "/creds/task", headers)
            assert status == 401 and HANDED_IN[1].encode() not in body


def test_proxy_keeps_signatures_valid(client: Callable[..., Any]) -> None:
    """A request signed for the proxy's address passes unchanged, and the upstream's own Date comes back."""
    with SignedSts() as sts, FaultyProxy(sts.url) as proxy:
        identity = client("sts", proxy.url).get_caller_identity()

    assert identity["Account"] == ACCOUNT
    assert sts.calls[0].headers["Host"] == proxy.url.removeprefix("http://")
    assert identity["ResponseMetadata"]["HTTPHeaders"]["date"] == "Sat, 01 Jan 2000 00:00:00 GMT"


def test_proxy_serves_as_http_proxy(client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in HTTP_PROXY, it is asked for whole URLs, and the upstream still sees a plain path."""
    with SignedSts() as sts, FaultyProxy(sts.url) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        identity = client("sts", sts.url).get_caller_identity()

    assert identity["Account"] == ACCOUNT
    assert (proxy.count("/"), sts.count("/")) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "error", "reached"),
    [
        ("reset", "ConnectionClosedError", 0),
        ("empty", "ConnectionClosedError", 0),
        ("slow", "ReadTimeoutError", 1),
        ("short", "ResponseParserError", 1),
        ("html502", "ResponseParserError", 0),
        ("503", "ServiceUnavailable", 0),
    ],
)
def test_the_proxy_fails_as_configured(client: Callable[..., Any], fault: str, error: str, reached: int) -> None:
    """Each fault is what botocore takes it for, reaches the upstream or not, and is over after one call."""
    with SignedSts() as sts, FaultyProxy(sts.url, slow_seconds=30) as proxy:
        proxy.faults = [None, fault]
        caller = client("sts", proxy.url)
        caller.get_caller_identity()
        with pytest.raises(Exception) as caught:
            caller.get_caller_identity()
        caller.get_caller_identity()

    assert error in f"{caught.type.__name__}: {caught.value}"
    assert (proxy.count("/"), sts.count("/")) == (3, 2 + reached)


def test_proxy_reset_and_empty_differ_on_the_wire() -> None:
    """A reset is ECONNRESET and never an end of file; empty is an end of file at once."""
    with SignedSts() as sts, FaultyProxy(sts.url) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        for _ in range(20):
            proxy.faults = ["reset", "empty"]
            with socket.create_connection((host, int(port))) as wire:
                wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                with pytest.raises(ConnectionResetError):
                    wire.recv(1)
            with socket.create_connection((host, int(port))) as wire:
                wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert wire.recv(1) == b""


def test_proxy_short_promises_more_than_it_sends() -> None:
    """A reader that minds Content-Length sees that the body is cut."""
    with Metadata(*HANDED_IN) as metadata, FaultyProxy(metadata.url, fault="short") as proxy:
        answer = open_answer(proxy, "GET", "/creds/task")
        with pytest.raises(IncompleteRead):
            answer.read()


def test_proxy_can_lose_the_answer_alone() -> None:
    """With upstream_acts, the fault comes after the upstream has done what was asked."""
    with (
        Metadata(*HANDED_IN) as metadata,
        FaultyProxy(metadata.url, fault="503", upstream_acts=True) as proxy,
    ):
        assert ask(proxy, "GET", "/creds/task")[0] == 503

    assert metadata.count("/creds/task") == 1


def test_a_fakes_own_mistake_fails_the_test(capfd: pytest.CaptureFixture[str]) -> None:
    """A fault that does not exist raises at the end of the with block, whatever the client made of it."""
    proxy = FaultyProxy("http://127.0.0.1:1", fault="slwo")

    with pytest.raises(KeyError, match="slwo"), proxy, pytest.raises(RemoteDisconnected):
        ask(proxy, "GET", "/")

    assert "KeyError" in capfd.readouterr().err


def test_fakes_close_at_once_and_for_good() -> None:
    """Closing takes no noticeable time, even amid a slow answer, and frees the port."""
    with Metadata(*HANDED_IN) as metadata:
        with FaultyProxy(metadata.url, fault="slow", slow_seconds=30) as proxy:
            host, port = proxy.url.removeprefix("http://").split(":")
            waiting = socket.create_connection((host, int(port)))
            waiting.sendall(b"GET /creds/task HTTP/1.1\r\nHost: x\r\n\r\n")
            while not metadata.count("/creds/task"):
                time.sleep(0.01)
            start = time.monotonic()
        assert time.monotonic() - start < 10

        waiting.close()
        with pytest.raises(ConnectionRefusedError):
            ask(proxy, "GET", "/")


def test_a_run_is_killed_after_its_time_limit(world: World) -> None:
    """A fork of the warm interpreter ends at the time-out like a process of its own, and the next one runs."""
    with pytest.raises(subprocess.TimeoutExpired) as expired:
        world.run("dev", "sh", "-c", "echo $$; exec sleep 60", timeout=2)

    pid = int(expired.value.output)
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{pid}")
    assert world.run("--version").code == 0
