"""Proves the fake STS right with real botocore clients."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.servers.strict_sts import Issued, Key, StrictSts

HOME, OTHER = "111111111111", "222222222222"
ALICE = f"arn:aws:iam::{HOME}:user/alice"
DEPLOY = f"arn:aws:iam::{OTHER}:role/team/deploy"
AUDIT = f"arn:aws:iam::{OTHER}:role/audit"
SERIAL = f"arn:aws:iam::{HOME}:mfa/alice"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
IDENTITY = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
UNTRUSTED = " because no role trust policy allows the sts:AssumeRole action"

SESSION = botocore.session.Session()  # one for all: it keeps what it has read


class Clock:
    """The time now, until a test moves it."""

    offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictSts]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with StrictSts(clock=clock) as server:
        yield server


@pytest.fixture
def alice(sts: StrictSts) -> Key:
    sts.add_role(DEPLOY)
    return sts.add_user()


@lru_cache(maxsize=8)
def client(sts: StrictSts, key: Key | Issued, *, region: str = "us-east-1", patience: float = 5) -> Any:
    """A botocore client which checks nothing itself and never tries twice."""
    return SESSION.create_client(
        "sts",
        region_name=region,
        endpoint_url=sts.url,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token if isinstance(key, Issued) else None,
        config=Config(
            parameter_validation=False,
            read_timeout=patience,
            connect_timeout=patience,
            retries={"total_max_attempts": 1},
        ),
    )


def assume(sts: StrictSts, key: Key | Issued, role: str = DEPLOY, **params: Any) -> Issued:
    client(sts, key).assume_role(**{"RoleArn": role, "RoleSessionName": "test", **params})
    return sts.issued[-1]


def session_of(sts: StrictSts, key: Key | Issued, **params: Any) -> Issued:
    client(sts, key).get_session_token(**params)
    return sts.issued[-1]


def refusal(sts: StrictSts, key: Key | Issued, role: str = DEPLOY, **params: Any) -> tuple[str, str]:
    """The code and the text with which AssumeRole is refused."""
    with pytest.raises(ClientError) as caught:
        assume(sts, key, role, **params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def denial(role: str, action: str = "AssumeRole", caller: str = ALICE, reason: str = "") -> tuple[str, str]:
    text = f"User: {caller} is not authorized to perform: sts:{action} on resource: {role}{reason}"
    return "AccessDenied", text


def signed(sts: StrictSts, key: Key, service: str = "sts", region: str = "us-east-1", **headers: str) -> dict[str, str]:
    """The headers of a GetCallerIdentity request, signed by botocore."""
    request = AWSRequest("POST", sts.url + "/", headers=headers, data=urlencode(IDENTITY).encode())
    request.headers["Host"] = urlsplit(sts.url).netloc
    SigV4Auth(Credentials(*key), service, region).add_auth(request)
    return dict(request.headers.items())


def post(sts: StrictSts, headers: dict[str, str], body: dict[str, str] = IDENTITY) -> tuple[int, str, str]:
    """Status, error code and text of an answer, without any SDK."""
    connection = http.client.HTTPConnection(urlsplit(sts.url).netloc, timeout=5)
    connection.request("POST", "/", urlencode(body), headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    found = re.search(r"<Code>(.*)</Code><Message>(.*)</Message>", text)
    return response.status, found[1] if found else "", found[2] if found else text


# Who calls


def test_every_kind_of_caller_has_its_own_arn(sts: StrictSts, alice: Key) -> None:
    """GetCallerIdentity names users, root, and sessions; a role's path is left out of its sessions' ARN."""
    session = session_of(sts, alice)
    role = assume(sts, alice)
    expected: dict[Key | Issued, str] = {
        alice: ALICE,
        sts.add_user("bob", "123456789012", partition="aws-cn"): "arn:aws-cn:iam::123456789012:user/bob",
        sts.add_root(OTHER): f"arn:aws:iam::{OTHER}:root",
        session: ALICE,
        role: f"arn:aws:sts::{OTHER}:assumed-role/deploy/test",
    }

    for key, arn in expected.items():
        region = "cn-north-1" if ":aws-cn:" in arn else "eu-west-1"
        who = client(sts, key, region=region).get_caller_identity()
        assert (who["Arn"], who["Account"]) == (arn, arn.split(":")[4])
    assert who["UserId"].startswith("AROA") and who["UserId"].endswith(":test")


def test_two_keys_of_one_user_are_one_user(sts: StrictSts) -> None:
    """A user with a second key keeps the user id."""
    ids = {client(sts, sts.add_user()).get_caller_identity()["UserId"] for _ in range(2)}

    assert len(ids) == 1


@pytest.mark.parametrize(
    ("change", "service", "region", "code", "text"),
    [
        ({}, "sts", "us-east-1", "", "alice"),
        ({}, "sts", "ap-southeast-2", "", "alice"),
        ({"Authorization": None}, "sts", "us-east-1", "MissingAuthenticationToken", "is missing"),
        ({"Authorization": "AWS4-HMAC-SHA256 x"}, "sts", "us-east-1", "IncompleteSignature", "Authorization"),
        ({"X-Amz-Date": None}, "sts", "us-east-1", "IncompleteSignature", "X-Amz-Date"),
        ({"X-Amz-Security-Token": "x"}, "sts", "us-east-1", "InvalidClientTokenId", "is invalid."),
        ({"X-Amz-Target": "x"}, "sts", "us-east-1", "SignatureDoesNotMatch", "'x-amz-target' must be"),
        ({"X-Amz-Content-Sha256": "00"}, "sts", "us-east-1", "SignatureDoesNotMatch", "must be a"),
        ({"Host": "sts.amazonaws.com"}, "sts", "us-east-1", "SignatureDoesNotMatch", "we calculated"),
        ({}, "iam", "us-east-1", "SignatureDoesNotMatch", "correct service: 'sts'"),
        ({}, "sts", "mars-1", "SignatureDoesNotMatch", "valid region"),
        ({}, "sts", "cn-north-1", "InvalidClientTokenId", "is invalid."),
    ],
)
def test_only_a_whole_and_true_signature_passes(
    sts: StrictSts, alice: Key, change: dict[str, str | None], service: str, region: str, code: str, text: str
) -> None:
    """A part of a signed request that is missing, changed or for somebody else has an error of its own."""
    headers = {**signed(sts, alice, service, region), **change}

    status, got, message = post(sts, {name: value for name, value in headers.items() if value is not None})

    assert got == code and re.search(text, message)
    assert status == {"": 200, "IncompleteSignature": 400}.get(code, 403)


def test_a_signature_covers_the_body(sts: StrictSts, alice: Key) -> None:
    """Parameters that are not the signed ones are refused, whatever hash the request claims."""
    other = {**IDENTITY, "Extra": "1"}

    assert post(sts, signed(sts, alice), other)[1] == "SignatureDoesNotMatch"
    assert post(sts, signed(sts, alice, **{"X-Amz-Content-SHA256": "0" * 64}))[1] == "SignatureDoesNotMatch"


def test_the_day_is_signed_twice(sts: StrictSts, alice: Key) -> None:
    """A credential scope of another day than the request's is refused for that."""
    headers = signed(sts, alice)
    headers["Authorization"] = re.sub(r"/\d{8}/", "/20010203/", headers["Authorization"])

    status, code, message = post(sts, headers)

    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Date in Credential scope does not match") and "20010203" in message


@pytest.mark.parametrize("part", ["access_key_id", "secret_access_key", "session_token"])
def test_each_part_of_a_session_is_needed(sts: StrictSts, alice: Key, part: str) -> None:
    """A wrong id, secret or token is refused, and a wrong secret is distinguished from the others."""
    forged = assume(sts, alice)._replace(**{part: "ASIAWRONGWRONGWRONG7"})  # type: ignore[arg-type]

    code, message = refusal(sts, forged)

    if part == "secret_access_key":
        assert code == "SignatureDoesNotMatch" and message.startswith("The request signature we calculated")
    else:
        assert (code, message) == (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (895, None),
        (-895, None),
        (905, r"Signature expired: \d+T\d+Z is now earlier than \d+T\d+Z \(\d+T\d+Z - 15 min\.\)"),
        (-905, r"Signature not yet current: \d+T\d+Z is still later than \d+T\d+Z \(\d+T\d+Z \+ 15 min\.\)"),
    ],
)
def test_a_clock_may_be_off_by_a_quarter_of_an_hour(
    sts: StrictSts, alice: Key, clock: Clock, offset: float, text: str | None
) -> None:
    """Beyond 15 minutes the refusal says by how much, and the Date header is the server's own time."""
    clock.offset = offset

    if text is None:
        assume(sts, alice)
    else:
        with pytest.raises(ClientError, match=text) as caught:
            client(sts, alice).get_caller_identity()
        assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
        stated = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
        assert abs(parsedate_to_datetime(stated).timestamp() - sts.clock()) < 5


def test_a_session_ends_at_its_expiration(sts: StrictSts, alice: Key, clock: Clock) -> None:
    """A session works until the second it was promised for, and is then called expired."""
    clock.offset = -600
    session = assume(sts, alice, DurationSeconds=900)
    clock.offset = 290
    client(sts, session).get_caller_identity()
    clock.offset = 310

    expected = ("ExpiredToken", "The security token included in the request is expired")
    assert refusal(sts, session) == expected


# What may be asked for


CONSTRAINTS = [
    ({"RoleSessionName": "a"}, "'roleSessionName'", "greater than or equal to 2"),
    ({"RoleSessionName": "a" * 65}, "'roleSessionName'", "less than or equal to 64"),
    ({"RoleSessionName": "a b"}, "'roleSessionName'", r"pattern: [\w+=,.@-]*"),
    ({"RoleSessionName": "ünï"}, "'roleSessionName'", "pattern"),
    ({"RoleSessionName": "ab\n"}, "'roleSessionName'", "pattern"),
    ({"RoleSessionName": None}, "Value null at 'roleSessionName'", "must not be null"),
    ({"RoleArn": "arn:aws:iam::1"}, "'roleArn'", "greater than or equal to 20"),
    ({"RoleArn": "arn:aws:iam::1:role/" + "a" * 2029}, "'roleArn'", "less than or equal to 2048"),
    ({"DurationSeconds": 899}, "'durationSeconds'", "value greater than or equal to 900"),
    ({"DurationSeconds": 43201}, "'durationSeconds'", "value less than or equal to 43200"),
    ({"DurationSeconds": "1h"}, "'durationSeconds'", "integer"),
    ({"ExternalId": "a"}, "'externalId'", "greater than or equal to 2"),
    ({"ExternalId": "a" * 1225}, "'externalId'", "less than or equal to 1224"),
    ({"ExternalId": "a b"}, "'externalId'", "pattern"),
    ({"SourceIdentity": "a"}, "'sourceIdentity'", "greater than or equal to 2"),
    ({"SourceIdentity": "a" * 257}, "'sourceIdentity'", "less than or equal to 256"),
    ({"SourceIdentity": "aws:me"}, "'sourceIdentity'", "pattern"),
    ({"SerialNumber": "12345678", "TokenCode": "123456"}, "'serialNumber'", "greater than or equal to 9"),
    ({"SerialNumber": "a" * 257, "TokenCode": "123456"}, "'serialNumber'", "less than or equal to 256"),
    ({"SerialNumber": "a b c d e", "TokenCode": "123456"}, "'serialNumber'", "pattern"),
    ({"SerialNumber": SERIAL, "TokenCode": "12345"}, "'tokenCode'", "greater than or equal to 6"),
    ({"SerialNumber": SERIAL, "TokenCode": "1234567"}, "'tokenCode'", "less than or equal to 6"),
    ({"SerialNumber": SERIAL, "TokenCode": "١٢٣٤٥٦"}, "'tokenCode'", "pattern"),
    ({"Policy": ""}, "'policy'", "greater than or equal to 1"),
    ({"Policy": "x" * 2049}, "'policy'", "less than or equal to 2048"),
    ({"Policy": '{"☃": 1}'}, "'policy'", "pattern"),
    ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{n}"} for n in range(11)]}, "'policyArns'", "10"),
    ({"PolicyArns": [{"arn": "short"}]}, "'policyArns.1.member.arn'", "greater than or equal to 20"),
    ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "'tags'", "less than or equal to 50"),
    ({"Tags": [{"Key": "k" * 129, "Value": "v"}]}, "'tags.1.member.key'", "less than or equal to 128"),
    ({"Tags": [{"Key": "", "Value": "v"}]}, "'tags.1.member.key'", "greater than or equal to 1"),
    ({"Tags": [{"Key": "k!", "Value": "v"}]}, "'tags.1.member.key'", "pattern"),
    ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, "'tags.1.member.value'", "less than or equal to 256"),
    ({"Tags": [{"Key": "k", "Value": "[v]"}]}, "'tags.1.member.value'", "pattern"),
    ({"Tags": [{"Key": "k"}]}, "Value null at 'tags.1.member.value'", "must not be null"),
    ({"TransitiveTagKeys": ["k" * 129]}, "'transitiveTagKeys.1.member'", "less than or equal to 128"),
]


@pytest.mark.parametrize(("params", "where", "constraint"), CONSTRAINTS)
def test_every_limit_of_the_model_is_enforced(
    sts: StrictSts, alice: Key, params: dict[str, Any], where: str, constraint: str
) -> None:
    """A value beyond a limit is a ValidationError that names the parameter and the limit."""
    chosen = {"RoleArn": DEPLOY, "RoleSessionName": "test", **params}
    with pytest.raises(ClientError) as caught:
        client(sts, alice).assume_role(**{name: value for name, value in chosen.items() if value is not None})

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert re.match("1 validation error detected: |2 validation errors detected: ", error["Message"])
    assert where in error["Message"] and constraint in error["Message"]


@pytest.mark.parametrize(
    "params",
    [
        {"RoleSessionName": "ab"},
        {"RoleSessionName": "w+=,.@-" + "a" * 57},
        {"DurationSeconds": 900},
        {"DurationSeconds": 43200},
        {"ExternalId": "a" * 1224},
        {"ExternalId": "+=,.@:/-"},
        {"SourceIdentity": "a" * 64},
        {"Policy": POLICY},
        {"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/job-function/Role{n}"} for n in range(10)]},
        {"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{'a' * 1000}"}] * 2},
        {"PolicyArns": [], "Tags": []},
        {"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(50)]},
        {"Tags": [{"Key": "Ünï code", "Value": "東 京_.:/=+-@"}]},
        {"Tags": [{"Key": "k" * 128, "Value": "v" * 256}]},
        {"Tags": [{"Key": "A", "Value": "v"}], "TransitiveTagKeys": ["a"]},
    ],
)
def test_what_is_within_the_limits_passes(sts: StrictSts, alice: Key, params: dict[str, Any]) -> None:
    """The last value inside each limit is accepted."""
    sts.add_role(DEPLOY, max_session=43200)

    assume(sts, alice, **params)

    assert sts.count("AssumeRole", ok=True) == 1


def test_several_broken_limits_are_all_named(sts: StrictSts, alice: Key) -> None:
    """The text counts the errors and lists each."""
    code, message = refusal(sts, alice, DurationSeconds=1, ExternalId="a", RoleSessionName="x/y")

    assert code == "ValidationError" and message.startswith("3 validation errors detected: ")
    assert all(name in message for name in ("'durationSeconds'", "'externalId'", "'roleSessionName'"))


@pytest.mark.parametrize(
    "arn",
    [ALICE, "arn:aws:iam::123:role/short", f"{DEPLOY} ", f"{DEPLOY}/", f'"{DEPLOY}"', f"{DEPLOY}\n"],
)
def test_an_arn_of_another_kind_is_invalid(sts: StrictSts, alice: Key, arn: str) -> None:
    """Only the ARN of a role, and nothing around it, can be assumed."""
    assert refusal(sts, alice, arn) == ("ValidationError", "Request ARN is invalid")


TOO_LARGE = "PackedPolicyTooLarge"
OVER = "The requested DurationSeconds exceeds the "
OVER_MAX = OVER + "MaxSessionDuration set for this role."
OVER_CHAIN = OVER + "1 hour session limit for roles assumed by role chaining."


@pytest.mark.parametrize(
    ("source", "max_session", "requested", "lasts"),
    [
        ("user", 3600, None, 3600),
        ("user", 43200, None, 3600),
        ("user", 7200, 7200, 7200),
        ("user", 7200, 7201, OVER_MAX),
        ("role", 43200, None, 3600),
        ("role", 43200, 3600, 3600),
        ("role", 43200, 3601, OVER_CHAIN),
        ("session", 43200, 3600, 3600),
        ("session", 43200, 3601, OVER_CHAIN),
    ],
)
def test_how_long_a_role_may_be_assumed(
    sts: StrictSts, alice: Key, source: str, max_session: int, requested: int | None, lasts: int | str
) -> None:
    """Long-lived keys have the role's own maximum, every chain has an hour, and an hour is the default."""
    sts.add_role(AUDIT, max_session=max_session)
    key = alice if source == "user" else assume(sts, alice) if source == "role" else session_of(sts, alice)
    params = {} if requested is None else {"DurationSeconds": requested}

    if isinstance(lasts, str):
        assert refusal(sts, key, AUDIT, **params) == ("ValidationError", lasts)
    else:
        before = int(sts.clock())
        assert 0 <= assume(sts, key, AUDIT, **params).expiration - before - lasts <= 1


@pytest.mark.parametrize(
    ("root", "requested", "lasts"),
    [
        (False, None, 43200),
        (False, 900, 900),
        (False, 129600, 129600),
        (False, 899, None),
        (False, 129601, None),
        (True, None, 3600),
        (True, 7200, 3600),
    ],
)
def test_how_long_a_session_token_lasts(sts: StrictSts, root: bool, requested: int | None, lasts: int | None) -> None:
    """GetSessionToken gives 12 hours unless asked, 36 at most, and root one hour."""
    key = sts.add_root() if root else sts.add_user()
    params = {} if requested is None else {"DurationSeconds": requested}

    if lasts is None:
        with pytest.raises(ClientError, match=r"ValidationError.*'durationSeconds'"):
            session_of(sts, key, **params)
    else:
        before = int(sts.clock())
        assert 0 <= session_of(sts, key, **params).expiration - before - lasts <= 1


def test_sessions_have_no_sessions(sts: StrictSts, alice: Key) -> None:
    """GetSessionToken refuses the keys of any session."""
    for key in (assume(sts, alice), session_of(sts, alice)):
        with pytest.raises(ClientError, match=r"AccessDenied.*Cannot call GetSessionToken with session cred"):
            session_of(sts, key)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": "[]"}, "MalformedPolicyDocument"),
        ({"Policy": '{"Statement": []}'}, "MalformedPolicyDocument"),
        ({"Policy": '{"Statement": [{"Effect": "allow"}]}'}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:role/notapolicy"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{'a' * n}"} for n in (1000, 1001)]}, TOO_LARGE),
        ({"Tags": [{"Key": f"T{n}", "Value": "a" * 250} for n in range(9)]}, TOO_LARGE),
        ({"Tags": [{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "AWS:x", "Value": "a"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "a", "Value": "a"}], "TransitiveTagKeys": ["b"]}, "InvalidParameterValue"),
    ],
)
def test_policies_and_tags_must_make_sense(sts: StrictSts, alice: Key, params: dict[str, Any], code: str) -> None:
    """What no shape can say about policies and tags is checked as well."""
    assert refusal(sts, alice, **params)[0] == code


def test_the_packed_size_is_reported(sts: StrictSts, alice: Key) -> None:
    """PackedPolicySize is there when there was something to pack, and grows with it."""
    assume_role = client(sts, alice).assume_role
    base = {"RoleArn": DEPLOY, "RoleSessionName": "test"}

    plain, small = assume_role(**base), assume_role(**base, Policy=POLICY)
    large = assume_role(**base, Policy=POLICY, Tags=[{"Key": "k", "Value": "v" * 20}])

    assert "PackedPolicySize" not in plain
    assert 0 < small["PackedPolicySize"] < large["PackedPolicySize"] <= 100


# Who may


@pytest.mark.parametrize(
    ("trusts", "reason"),
    [
        (None, None),
        ([HOME], None),
        ([f"arn:aws:iam::{HOME}:root"], None),
        ([ALICE], None),
        ([], UNTRUSTED),
        ([OTHER], UNTRUSTED),
        ([f"arn:aws:iam::{HOME}:user/bob"], UNTRUSTED),
    ],
)
def test_a_role_trusts_whom_it_names(sts: StrictSts, alice: Key, trusts: list[str] | None, reason: str | None) -> None:
    """Accounts and users are trusted by name; the refusal says that the trust policy is why."""
    sts.add_role(DEPLOY, trusts=trusts)

    if reason is None:
        assume(sts, alice)
    else:
        assert refusal(sts, alice) == denial(DEPLOY, reason=reason)


def test_a_role_can_trust_a_role(sts: StrictSts, alice: Key) -> None:
    """Trust in a role is trust in its sessions, path and all, and not in the user behind them."""
    sts.add_role(AUDIT, trusts=[DEPLOY])

    assume(sts, assume(sts, alice), AUDIT)

    assert refusal(sts, alice, AUDIT) == denial(AUDIT, reason=UNTRUSTED)


def test_an_unknown_role_is_denied_without_a_reason(sts: StrictSts, alice: Key) -> None:
    """A role that does not exist reads like one that is merely not allowed."""
    assert refusal(sts, alice, AUDIT) == denial(AUDIT)


def test_roles_of_another_partition_are_out_of_reach(sts: StrictSts, alice: Key) -> None:
    """A role that trusts everybody still trusts nobody of another partition."""
    china = sts.add_role(f"arn:aws-cn:iam::{HOME}:role/deploy")

    assert refusal(sts, alice, china) == denial(china)


def test_a_denial_may_give_any_reason(sts: StrictSts, alice: Key) -> None:
    """`deny` is the end of the sentence."""
    sts.add_role(DEPLOY, deny="with an explicit deny in a service control policy")

    assert refusal(sts, alice) == denial(DEPLOY, reason=" with an explicit deny in a service control policy")


def test_root_assumes_no_role(sts: StrictSts, alice: Key) -> None:
    """Root users are turned away, also behind GetSessionToken."""
    root = sts.add_root()

    for key in (root, session_of(sts, root)):
        assert refusal(sts, key) == ("AccessDenied", "Roles may not be assumed by root accounts.")


@pytest.mark.parametrize(
    ("required", "given", "passes"),
    [("s3cret", "s3cret", True), ("s3cret", "other", False), ("s3cret", None, False), (None, "other", True)],
)
def test_the_external_id_is_compared(
    sts: StrictSts, alice: Key, required: str | None, given: str | None, passes: bool
) -> None:
    """A role that wants an external id wants exactly that one; other roles do not look at it."""
    sts.add_role(DEPLOY, external_id=required)
    params = {} if given is None else {"ExternalId": given}

    if passes:
        assume(sts, alice, **params)
    else:
        assert refusal(sts, alice, **params) == denial(DEPLOY)


def test_tags_and_source_identity_need_permissions_of_their_own(sts: StrictSts, alice: Key) -> None:
    """The refusal names the missing permission, not AssumeRole."""
    sts.add_role(DEPLOY, may_tag=False, may_set_source_identity=False)

    tagged = refusal(sts, alice, Tags=[{"Key": "a", "Value": "b"}])

    assert tagged == denial(DEPLOY, "TagSession")
    assert refusal(sts, alice, SourceIdentity="alice") == denial(DEPLOY, "SetSourceIdentity")
    assume(sts, alice)


def test_transitive_tags_are_inherited_for_good(sts: StrictSts, alice: Key) -> None:
    """They reach the end of a chain, cannot be set anew on the way, and need permission on every hop."""
    tags = [{"Key": "Team", "Value": "a"}, {"Key": "free", "Value": "b"}]
    sts.add_role(AUDIT, may_tag=False)
    first = assume(sts, alice, Tags=tags, TransitiveTagKeys=["team"])
    second = assume(sts, first, Tags=[{"Key": "free", "Value": "c"}])

    for key in (first, second):
        code, message = refusal(sts, key, Tags=[{"Key": "TEAM", "Value": "x"}])
        assert code == "InvalidParameterValue" and "conflicts with a transitive tag key" in message
        assert refusal(sts, key, AUDIT)[1].count("sts:TagSession") == 1
    assume(sts, assume(sts, alice, Tags=tags), AUDIT)


def test_the_source_identity_stays(sts: StrictSts, alice: Key) -> None:
    """It is in every answer down the chain, cannot be changed, and each role must allow it."""
    sts.add_role(AUDIT, may_set_source_identity=False)
    base = {"RoleArn": DEPLOY, "RoleSessionName": "test"}
    answer = client(sts, alice).assume_role(**base, SourceIdentity="alice")
    session = f"arn:aws:sts::{OTHER}:assumed-role/deploy/test"
    first = sts.issued[-1]

    chained = client(sts, first).assume_role(**base)

    assert answer["SourceIdentity"] == chained["SourceIdentity"] == "alice"
    expected = denial(DEPLOY, "SetSourceIdentity", caller=session)
    assert refusal(sts, first, SourceIdentity="mallory") == expected
    assert refusal(sts, sts.issued[-1], SourceIdentity="mallory") == expected
    assert refusal(sts, first, AUDIT) == denial(AUDIT, "SetSourceIdentity", caller=session)
    assume(sts, first, SourceIdentity="alice")


# MFA


BAD_CODE = ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")


def test_a_code_opens_once(sts: StrictSts, alice: Key) -> None:
    """A role that wants MFA opens for a code, and never for the same code again."""
    sts.add_role(DEPLOY, mfa_required=True)
    code = sts.add_mfa("alice", SERIAL).code()

    assert refusal(sts, alice) == denial(DEPLOY)
    assume(sts, alice, SerialNumber=SERIAL, TokenCode=code)
    assert refusal(sts, alice, SerialNumber=SERIAL, TokenCode=code) == BAD_CODE


def test_a_right_code_is_spent_even_when_the_call_is_denied(sts: StrictSts, alice: Key) -> None:
    """A denial for another reason costs the code."""
    code = sts.add_mfa(ALICE, SERIAL).code()

    assert refusal(sts, alice, AUDIT, SerialNumber=SERIAL, TokenCode=code) == denial(AUDIT)
    assert refusal(sts, alice, SerialNumber=SERIAL, TokenCode=code) == BAD_CODE


def test_an_invalid_request_uses_no_code(sts: StrictSts, alice: Key) -> None:
    """A ValidationError comes before the code is looked at."""
    mfa = {"SerialNumber": SERIAL, "TokenCode": sts.add_mfa(ALICE, SERIAL).code()}

    assert refusal(sts, alice, **mfa, DurationSeconds=1)[0] == "ValidationError"
    assume(sts, alice, **mfa)


@pytest.mark.parametrize(("drift", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_is_good_for_a_minute_and_a_half(
    sts: StrictSts, alice: Key, clock: Clock, drift: float, right: bool
) -> None:
    """The neighbours of the current code are accepted, older and later ones are not."""
    clock.offset = 15 - time.time() % 30  # far from the next step
    mfa = {"SerialNumber": SERIAL, "TokenCode": sts.add_mfa(ALICE, SERIAL).code(clock() + drift)}

    if right:
        assume(sts, alice, **mfa)
    else:
        assert refusal(sts, alice, **mfa) == BAD_CODE


def test_a_device_belongs_to_its_user(sts: StrictSts, alice: Key) -> None:
    """Another user's device, one that does not exist, and half an MFA are refused in words of their own."""
    sts.add_user("bob")
    code = sts.add_mfa("bob", SERIAL).code()
    unknown = (
        "AccessDenied",
        "MultiFactorAuthentication failed, unable to validate MFA code.  "
        "Please verify your MFA serial number is valid and associated with this user.",
    )
    half = (
        "AccessDenied",
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    )

    assert refusal(sts, alice, SerialNumber=SERIAL, TokenCode=code) == unknown
    assert refusal(sts, alice, SerialNumber="GAHT12345678", TokenCode=code) == unknown
    assert refusal(sts, alice, SerialNumber=SERIAL) == refusal(sts, alice, TokenCode=code) == half


def test_a_session_behind_a_code_needs_no_second_code(sts: StrictSts, alice: Key) -> None:
    """GetSessionToken with a code opens every role that wants MFA; a role session does not hand that on."""
    sts.add_role(AUDIT, mfa_required=True)
    device = sts.add_mfa("alice", SERIAL)

    with_code = session_of(sts, alice, SerialNumber=SERIAL, TokenCode=device.code())
    role = assume(sts, with_code, AUDIT)

    assert refusal(sts, session_of(sts, alice), AUDIT)[0] == "AccessDenied"
    assert refusal(sts, role, AUDIT)[0] == "AccessDenied"


class SlowSet(set[int]):
    """Takes its time between the question and the answer, so that a missing lock shows."""

    def add(self, step: int) -> None:
        time.sleep(0.05)
        super().add(step)


def test_of_two_who_hurry_one_has_the_code(sts: StrictSts, alice: Key) -> None:
    """One code sent many times at once is good for one of them."""
    device = sts.add_mfa("alice", SERIAL)
    device._spent = SlowSet()
    mfa = {"SerialNumber": SERIAL, "TokenCode": device.code()}
    shared = client(sts, alice)

    def attempt(_: int) -> bool:
        try:
            shared.assume_role(RoleArn=DEPLOY, RoleSessionName="test", **mfa)
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_codes_are_those_of_rfc_6238(sts: StrictSts, alice: Key) -> None:
    """The device computes the codes of the RFC's own test vectors."""
    device = sts.add_mfa("alice", SERIAL)
    device._secret = b"12345678901234567890"

    assert [device.code(at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


# Web identity


def test_a_web_identity_needs_no_key(sts: StrictSts) -> None:
    """A known token is exchanged for a role without a signature, and the session is a role's."""
    sts.add_role(DEPLOY)
    sts.add_web_identity("tok+en/=&", subject="repo:me", roles=[DEPLOY])
    unsigned = client(sts, Key("AKIANOBODYNOBODY7777", "nobody"))

    answer = unsigned.assume_role_with_web_identity(
        RoleArn=DEPLOY, RoleSessionName="ci", WebIdentityToken="tok+en/=&", DurationSeconds=900
    )

    assert answer["SubjectFromWebIdentityToken"] == "repo:me"
    assert sts.calls[-1].access_key_id is None
    arn = client(sts, sts.issued[-1]).get_caller_identity()["Arn"]
    assert arn == answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/deploy/ci"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"WebIdentityToken": "unknown"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": "stale"}, "ExpiredTokenException"),
        ({"RoleArn": AUDIT}, "AccessDenied"),
        ({"RoleArn": DEPLOY + "s"}, "AccessDenied"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"WebIdentityToken": "abc"}, "ValidationError"),
    ],
)
def test_a_web_identity_has_limits_too(sts: StrictSts, params: dict[str, Any], code: str) -> None:
    """Unknown and expired tokens, other roles and long durations are refused."""
    for role in (DEPLOY, AUDIT):
        sts.add_role(role)
    sts.add_web_identity("token", roles=[DEPLOY])
    sts.add_web_identity("stale", expires=sts.clock() - 1)
    requested = {"RoleArn": DEPLOY, "RoleSessionName": "ci", "WebIdentityToken": "token", **params}

    with pytest.raises(ClientError) as caught:
        client(sts, Key("AKIANOBODYNOBODY7777", "nobody")).assume_role_with_web_identity(**requested)

    assert caught.value.response["Error"]["Code"] == code


# Failures


@pytest.mark.parametrize(
    ("kind", "exception", "text", "performed"),
    [
        ("throttle", "ClientError", r"\(Throttling\).*Rate exceeded", False),
        ("500", "ClientError", r"\(InternalFailure\)", False),
        ("503", "ClientError", r"\(ServiceUnavailable\)", False),
        ("html", "ResponseParserError", None, False),
        ("html200", "ResponseParserError", None, False),
        ("garbage", "ResponseParserError", None, False),
        ("noerror", "ClientError", "Unknown", False),
        ("truncated", "ResponseParserError", None, True),
        ("short", "ResponseParserError", None, True),
        ("empty", "ConnectionClosedError", None, True),
        ("reset", "ConnectionClosedError", None, True),
        ("hang", "ReadTimeoutError", None, True),
        ("drip", "ReadTimeoutError", None, True),
    ],
)
def test_each_failure_looks_as_it_should(
    sts: StrictSts, alice: Key, kind: str, exception: str, text: str | None, performed: bool
) -> None:
    """botocore sees the failure that was asked for, once; where the answer was lost, the session exists."""
    sts.fail_next(kind)
    caller = client(sts, alice, patience=0.3)

    with pytest.raises(Exception, match=text) as caught:
        caller.assume_role(RoleArn=DEPLOY, RoleSessionName="test")

    assert type(caught.value).__name__ == exception
    assert (len(sts.issued) == 1) is performed
    assert sts.count("AssumeRole", ok=False) == 1
    caller.get_caller_identity()


def test_a_reset_is_a_reset(sts: StrictSts, alice: Key) -> None:
    """The connection is torn down by RST, not by an end of file."""
    sts.fail_next("reset")

    with pytest.raises(ConnectionResetError) as caught:
        post(sts, signed(sts, alice))

    assert caught.type is ConnectionResetError  # http.client has a subclass of it for an end of file


def test_failures_wait_for_their_action(sts: StrictSts, alice: Key) -> None:
    """A failure for one action lets others through, and lasts as often as it was asked for."""
    sts.fail_next("throttle", 2, action="AssumeRole")

    client(sts, alice).get_caller_identity()
    assert [refusal(sts, alice)[0] for _ in range(2)] == ["Throttling"] * 2
    assume(sts, alice)


def test_botocore_tries_again_after_a_throttle(sts: StrictSts, alice: Key) -> None:
    """Throttling, 500 and 503 are what botocore's own retries look for."""
    config = Config(retries={"total_max_attempts": 2, "mode": "standard"})
    keys = {"aws_access_key_id": alice.access_key_id, "aws_secret_access_key": alice.secret_access_key}
    patient = SESSION.create_client("sts", "us-east-1", endpoint_url=sts.url, config=config, **keys)
    sts.fail_next("throttle")

    patient.get_caller_identity()

    assert [call.error for call in sts.calls] == ["Throttling", None]


def test_an_unknown_failure_is_a_mistake_in_the_test(sts: StrictSts) -> None:
    """A typo in a kind, a role, a user or a duration does not pass as a test of nothing."""
    for mistake in (
        lambda: sts.fail_next("throtle"),
        lambda: sts.add_role("deploy"),
        lambda: sts.add_role(DEPLOY, max_session=900),
        lambda: sts.add_mfa("nobody", SERIAL),
        lambda: sts.add_user(account="123"),
        lambda: sts.add_user(partition="aws-mars"),
    ):
        with pytest.raises(ValueError):
            mistake()


def test_any_text_can_be_printed(sts: StrictSts, alice: Key) -> None:
    """Error texts and the fields of answers arrive as written: markup, C1 controls, bidi and line ends."""
    evil = "<b>&amp;]]>\x9b31m\u202e\r\n[red]'\""
    sts.refuse_with("Evil<Code>", evil, 418)
    sts.texts["Arn"] = evil

    assert refusal(sts, alice) == ("Evil<Code>", evil)
    answer = client(sts, alice).assume_role(RoleArn=DEPLOY, RoleSessionName="test")
    assert answer["AssumedRoleUser"]["Arn"] == evil
    assert sts.calls[0].error == "Evil<Code>"


@pytest.mark.parametrize(
    ("status", "params", "kind"),
    [
        (400, {"DurationSeconds": 1}, None),
        (400, {"Policy": "{"}, None),
        (403, {"RoleArn": AUDIT}, None),
        (400, {}, "throttle"),
        (500, {}, "500"),
        (503, {}, "503"),
        (400, {}, "noerror"),
    ],
)
def test_errors_have_the_status_aws_gives_them(
    sts: StrictSts, alice: Key, status: int, params: dict[str, Any], kind: str | None
) -> None:
    """A denial is 403, other mistakes of the caller 400, and only the service's own are above 499."""
    if kind is not None:
        sts.fail_next(kind)

    with pytest.raises(ClientError) as caught:
        client(sts, alice).assume_role(**{"RoleArn": DEPLOY, "RoleSessionName": "test", **params})

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_unknown_operations_are_not_operations(sts: StrictSts, alice: Key) -> None:
    """An action or a version STS does not have is refused by name."""
    for change in ({"Action": "Sudo"}, {"Version": "2010-05-08"}):
        status, code, message = post(sts, signed(sts, alice), {**IDENTITY, **change})
        assert (status, code) == (400, "InvalidAction") and next(iter(change.values())) in message


def test_close_wakes_every_waiting_caller(alice: Key, sts: StrictSts) -> None:
    """A hanging answer, a long delay and an idle connection end with the server."""
    sts.fail_next("hang", action="AssumeRole")
    sts.delay = 60
    ended = []
    idle = socket.create_connection(("127.0.0.1", urlsplit(sts.url).port or 0), timeout=5)

    def wait(call: Any, **params: Any) -> None:
        with pytest.raises(Exception, match="closed"):
            call(**params)
        ended.append(True)

    caller = client(sts, alice, patience=30)
    role = {"RoleArn": DEPLOY, "RoleSessionName": "test"}
    threads = [
        threading.Thread(target=wait, args=(caller.assume_role,), kwargs=role),
        threading.Thread(target=wait, args=(caller.get_caller_identity,)),
    ]
    for thread in threads:
        thread.start()
    while len(sts.calls) < 2:
        time.sleep(0.01)

    start = time.monotonic()
    sts.close()
    for thread in threads:
        thread.join(5)

    assert idle.recv(1) == b""
    assert len(ended) == 2 and time.monotonic() - start < 10
    idle.close()


def test_a_delay_does_not_block_other_requests(sts: StrictSts, alice: Key) -> None:
    """Delayed answers are delayed side by side."""
    sts.delay = 1.0
    shared = client(sts, alice)
    start = time.monotonic()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: shared.get_caller_identity(), range(5)))

    assert 1 <= time.monotonic() - start < 4


# What the test sees


def test_the_log_has_every_call(sts: StrictSts, alice: Key) -> None:
    """A call is logged with its parameters, key, error, user agent and host, and forgotten on demand."""
    assume(sts, alice)
    refusal(sts, alice, AUDIT)
    good, bad = sts.calls

    assert good.params == {"RoleArn": DEPLOY, "RoleSessionName": "test"} and good.error is None
    assert (good.action, good.access_key_id) == ("AssumeRole", alice.access_key_id)
    assert "Botocore" in good.user_agent and sts.url.endswith(good.host)
    assert bad.error == "AccessDenied"
    assert [sts.count("AssumeRole", ok=ok) for ok in (None, True, False)] == [2, 1, 1]
    sts.forget()
    assert not sts.calls and sts.count("AssumeRole") == 0


def test_secrets_look_like_secrets_and_do_not_show(sts: StrictSts, alice: Key) -> None:
    """Issued secrets have the form of AWS's, all of them are kept for the test, and no repr shows one."""
    answer = client(sts, alice).assume_role(RoleArn=DEPLOY, RoleSessionName="test")["Credentials"]
    (session,) = sts.issued

    assert session[:3] == (answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
    assert session.expiration == int(answer["Expiration"].timestamp())
    assert re.fullmatch("AKIA[A-Z2-7]{16}", alice.access_key_id)
    assert re.fullmatch("ASIA[A-Z2-7]{16}", session.access_key_id)
    for secret, size in ((session.secret_access_key, 40), (session.session_token, 352)):
        assert re.fullmatch(f"[A-Za-z0-9+/]{{{size}}}", secret) and {"+", "/"} < set(secret)
    displayed = f"{alice} {alice!r} {session} {session!r} {sts.add_mfa('alice', SERIAL)!r}"
    assert not any(secret in displayed for secret in (alice[1], session[1], session[2]))


def test_a_hundred_callers_at_once_are_all_answered(sts: StrictSts, alice: Key) -> None:
    """A cold start of many processes loses no call."""
    headers = signed(sts, alice)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: post(sts, headers)[0], range(200)))

    assert answers == [200] * 200 and sts.count("GetCallerIdentity", ok=True) == 200
