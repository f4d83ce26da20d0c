"""Refusals of STS are explained: what was refused, which side to look at, what to do next, with the original text."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pexpect
import pytest

from tests import messages
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import PRINT_ENV, World

DEV = "arn:aws:iam::111111111111:role/dev"
ALICE = "arn:aws:iam::111111111111:user/alice"
PHONE = "arn:aws:iam::111111111111:mfa/phone"
ROOT = "arn:aws:iam::111111111111:root"
CANNOT = f"awsudo: cannot get a session of {DEV}"
Arranged = tuple[tuple[str, ...], dict[str, str | None]]


class Answer(NamedTuple):
    """One error of AWS, and its explanation."""

    code: str
    text: str
    message: str  # what failed
    hint: str  # which side, and what to do
    status: int = 403


def _denied(reason: str, action: str = "sts:AssumeRole") -> str:
    return f"User: {ALICE} is not authorized to perform: {action} on resource: {DEV} {reason}".strip()


ASSUME = "the sts:AssumeRole action"
SCP = "arn:aws:organizations::777788889999:policy/o-qv5af4abcd/service_control_policy/p-2kgnabcd"
#: One of each kind; all texts and codes are in tests/policy/denial_texts.
ANSWERS = [
    Answer(
        "AccessDenied",
        _denied(f"because no identity-based policy allows {ASSUME}"),
        f"no policy of {ALICE} allows sts:AssumeRole",
        f"on the caller's side: attach a policy to {ALICE} that allows sts:AssumeRole on {DEV}",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in the role trust policy"),
        f"{messages.TRUST_DENIES} sts:AssumeRole to {ALICE}",
        "on the role's side: find the Deny in its trust policy",
    ),
    Answer(
        "AccessDenied",
        _denied(f"with an explicit deny in a service control policy: {SCP}"),
        "a service control policy of the caller's organization denies sts:AssumeRole",
        f"ask the organization's administrator about the Deny: {SCP}",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny"),
        "a policy denies sts:AssumeRole; AWS does not say which",
        messages.CHECK_IN_ORDER,
    ),
    Answer(
        "AccessDenied",
        _denied(""),
        f"access denied, and {messages.NO_REASON}",
        messages.CHECK_IN_ORDER,
    ),
    Answer(
        "AccessDenied",
        _denied("", "sts:SetSourceIdentity"),
        "a source identity needs sts:SetSourceIdentity, and it is not allowed",
        "no --source-identity was given: the caller's session has one, and passes it on",
    ),
    Answer(
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
        "roles cannot be assumed with the root user's keys",
        "use an IAM user's or an SSO session",
    ),
    Answer(
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        messages.CODE_REFUSED,
        f"{messages.CODE_WORKS_ONCE}: {messages.NEXT_CODE}",
    ),
    Answer(
        "ExpiredToken",
        "The security token included in the request is expired",
        messages.EXPIRED_CREDENTIALS,
        "renew ",
    ),
    Answer(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        messages.UNKNOWN_KEY,
        "aws iam list-access-keys",
    ),
    Answer(
        "SignatureDoesNotMatch",
        "Credential should be scoped to a valid region. ",
        "the call was signed for eu-west-1, and the endpoint is in another",
        "make region and endpoint agree",
    ),
    Answer(
        "PackedPolicyTooLarge",
        "Packed policy consumes 110% of allotted space",
        messages.PACKED_TOO_LARGE,
        f"{messages.FEWER_TAGS}, name fewer actions, or keep a role's policy as a managed one: --policy-arn ARN",
        400,
    ),
    Answer("ThrottlingException", "Rate exceeded", messages.THROTTLED, "try again in a few seconds", 400),
    Answer(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        "for 7200 s: the role's maximum is lower",
        "ask for less (-d 1h); or raise it: aws iam update-role --role-name dev --max-session-duration 7200",
        400,
    ),
    Answer("ValidationError", "1 validation error detected", "ValidationError", "", 400),
    Answer("AnErrorOfTomorrow", "a text that nobody has heard of", "AnErrorOfTomorrow", "", 400),
    Answer(
        "InternalFailure",
        "We encountered an internal error.",
        "AWS failed (HTTP 500)",
        "try again; see https://health.aws.amazon.com",
        500,
    ),
]


@pytest.mark.parametrize(
    "answer", [pytest.param(answer, id=f"{answer.code}-{answer.text[-36:]}") for answer in ANSWERS]
)
def test_a_refusal_is_explained_beside_the_text_of_aws(world: World, sts: StrictSts, answer: Answer) -> None:
    """What failed in the first line, then AWS's own text, then what to do; exit 125, and the command does not run."""
    sts.refuse_with(answer.code, answer.text, answer.status, times=3)

    done = world.run("--mfa-serial", PHONE, "--mfa-code", "123456", "-d", "2h", "dev", "echo", "ran")

    first, original, *hints = done.err.splitlines()
    assert (done.code, done.out) == (125, "")
    assert first.startswith(CANNOT) and answer.message in first
    assert original.rstrip() == f"  AWS: {answer.text}".rstrip()
    assert hints[0].startswith("  ") and answer.hint in hints[0] if answer.hint else not hints


@pytest.mark.parametrize("reason", ["", "with an explicit deny", f"because no role trust policy allows {ASSUME}"])
def test_a_refusal_by_policies_suggests_why(world: World, sts: StrictSts, reason: str) -> None:
    """The last line is what to run next: an explanation, statement by statement."""
    sts.refuse_with("AccessDenied", _denied(reason))

    done = world.run("dev", "true")

    assert done.err.splitlines()[-1] == "  why, statement by statement: awsudo explain dev --why"


def test_the_suggested_why_starts_where_the_run_did(world: World, sts: StrictSts) -> None:
    """A role by its ARN was assumed from a profile: the command names both, and runs."""
    sts.refuse_with("AccessDenied", _denied(""), times=2)

    last = world.run("-p", "base", DEV, "true").err.splitlines()[-1]

    assert last == f"  why, statement by statement: awsudo explain -p base {DEV} --why"
    assert world.run("explain", "-p", "base", DEV, "--why").out.startswith(f"{DEV}: DENIED")


def test_a_refused_code_does_not_suggest_why(world: World, sts: StrictSts) -> None:
    """Policies are not to blame for a code, a key or a clock."""
    sts.refuse_with("InvalidClientTokenId", "The security token included in the request is invalid.")

    assert "--why" not in world.run("dev", "true").err


def test_a_refusal_without_a_text_has_no_quotation(world: World, sts: StrictSts) -> None:
    """Where AWS says nothing, nothing is shown as its words."""
    sts.refuse_with("InternalFailure", "", 500, times=3)

    done = world.run("dev", "true")

    assert "AWS failed (HTTP 500)" in done.err and "AWS:" not in done.err and "None" not in done.err


def test_a_secret_that_sts_repeats_is_not_shown(world: World, sts: StrictSts) -> None:
    """Swapped keys: the answer holds the secret access key, the message does not."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    text = f"Credential must have exactly 5 slash-delimited elements, got '{secret}/2018/us-east-1/sts/aws4_request'"
    sts.refuse_with("IncompleteSignature", text, 400)

    done = world.run("-v", "dev", "true")

    assert "access key ID and secret access key are swapped" in done.err
    assert secret not in done.err + done.out


@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (
            (),
            [
                "- there is no such role",
                f"- its trust policy does not name {ALICE}",
                "- its trust policy requires an --external-id",
                "- its trust policy requires MFA: --mfa-serial ARN",
                "- its trust policy requires a certain --session-name, source IP",
                f"- no policy of {ALICE} allows sts:AssumeRole on it",
            ],
        ),
        (("-e", "id-1"), ["- its trust policy requires another external ID"]),
        (("-m", PHONE, "-t", "123456", "--mfa-per-role"), ["- its trust policy requires another MFA device"]),
        (("-n", "ann"), ["- its trust policy requires another --session-name"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_without_a_reason_the_candidates_are_listed(
    world: World, sts: StrictSts, words: tuple[str, ...], candidates: list[str]
) -> None:
    """Which of them apply depends on what was asked; none is claimed."""
    sts.refuse_with("AccessDenied", _denied(""))

    done = world.run(*words, "dev", "true")

    for candidate in candidates:
        assert sum(line.strip().startswith(candidate) for line in done.err.splitlines()) == 1


# -- what the strict STS refuses by itself ---------------------------------------------------------------------------


def _role(**terms: Any) -> Callable[[World, StrictSts], Arranged]:
    def arrange(world: World, sts: StrictSts) -> Arranged:
        sts.add_role(DEV, **terms)
        return (), {}

    return arrange


def _asking(*words: str, **terms: Any) -> Callable[[World, StrictSts], Arranged]:
    def arrange(world: World, sts: StrictSts) -> Arranged:
        sts.add_role(DEV, **terms)
        return words, {}

    return arrange


def _keys(world: World, access_key_id: str, secret_access_key: str, token: str = "") -> Arranged:
    lines = f"[base]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n"
    world.credentials(lines + (f"aws_session_token = {token}\n" if token else ""))
    return (), {}


def _root(world: World, sts: StrictSts) -> Arranged:
    return _keys(world, *sts.add_root())


def _unknown_key(world: World, sts: StrictSts) -> Arranged:
    return _keys(world, "AKIAAAAAAAAAAAAAAAAA", "secret")


def _wrong_secret(world: World, sts: StrictSts) -> Arranged:
    return _keys(world, sts.add_user("alice").access_key_id, "not-the-secret")


def _wrong_code(world: World, sts: StrictSts) -> Arranged:
    code = sts.add_mfa("alice", PHONE).code()
    return ("--mfa-per-role", "-m", PHONE, "-t", f"{(int(code) + 500_000) % 1_000_000:06}"), {}


def _spent_code(world: World, sts: StrictSts) -> Arranged:
    words = ("--mfa-per-role", "-m", PHONE, "-t", sts.add_mfa("alice", PHONE).code())
    assert world.run("--no-cache", *words, "dev", "true").code == 0
    return words, {}


def _no_such_device(world: World, sts: StrictSts) -> Arranged:
    return ("--mfa-per-role", "-m", PHONE, "-t", "123456"), {}


def _malformed_policy(world: World, sts: StrictSts) -> Arranged:
    return ("--policy", '{"Statement":[{"Effect":"Perhaps"}]}'), {}


def _too_many_tags(world: World, sts: StrictSts) -> Arranged:
    return tuple(word for number in range(9) for word in ("--tag", f"k{number}={'v' * 250}")), {}


def _process_with_a_session(world: World, sts: StrictSts) -> Arranged:
    sts.add_role(DEV, max_session=7200)
    got = world.run("base", *PRINT_ENV).env
    named = {
        "AccessKeyId": "AWS_ACCESS_KEY_ID",
        "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
        "SessionToken": "AWS_SESSION_TOKEN",
    }
    fields = "".join(f',"{field}":"{got[name]}"' for field, name in named.items())
    script = world.home / "process"
    script.write_text(f"#!/bin/sh\necho '{{\"Version\":1{fields}}}'\n")
    script.chmod(0o755)
    world.credentials(f"[base]\ncredential_process = {script}\n")
    return ("-d", "2h"), {}


Arrange = Callable[[World, StrictSts], Arranged]


def _no_such_role(world: World, sts: StrictSts) -> Arranged:
    return ("-p", "base", f"{DEV}-2"), {}


#: How it comes about, what failed, and what to do.
BY_STS: dict[str, tuple[Arrange, str, str]] = {
    "no-such-role": (_no_such_role, messages.NO_REASON, "no such role"),
    "untrusted": (
        _role(trusts=["222222222222"]),
        messages.TRUST_DOES_NOT_ALLOW,
        "on the role's side: its trust policy must allow",
    ),
    "denied-by-trust": (
        _role(deny="with an explicit deny in the role trust policy"),
        messages.TRUST_DENIES,
        "on the role's side: find the Deny",
    ),
    "denied-by-organization": (
        _role(deny="with an explicit deny in a service control policy"),
        "service control policy",
        "organization",
    ),
    "external-id": (_role(external_id="secret-word"), messages.NO_REASON, "--external-id"),
    "wrong-external-id": (
        _asking("-e", "other-word", external_id="secret-word"),
        messages.NO_REASON,
        "another external ID",
    ),
    "mfa-required": (_role(mfa_required=True), messages.NO_REASON, "--mfa-serial ARN"),
    "tags": (_asking("--tag", "a=b", may_tag=False), "session tags need sts:TagSession", "both allow sts:TagSession"),
    "source-identity": (
        _asking("--source-identity", "ann", may_set_source_identity=False),
        "a source identity needs sts:SetSourceIdentity",
        "both allow",
    ),
    "root": (_root, "root user's keys", "delete the root user's keys"),
    "unknown-key": (_unknown_key, "does not know the access key", "aws iam list-access-keys"),
    "wrong-secret": (_wrong_secret, messages.WRONG_SECRET, messages.ENTER_BOTH_AGAIN),
    "wrong-code": (_wrong_code, f"{messages.CODE_REFUSED} for {PHONE}", messages.CODE_WORKS_ONCE),
    "spent-code": (
        _spent_code,
        f"{messages.CODE_REFUSED} for {PHONE}",
        f"{messages.CODE_WORKS_ONCE}: {messages.NEXT_CODE}",
    ),
    "no-such-device": (
        _no_such_device,
        f"{PHONE} is not an MFA device of the user whose keys these are",
        "awsudo keys mfa",
    ),
    "malformed-policy": (_malformed_policy, "AWS does not accept the session policy", "check --policy"),
    "packed-policy": (_too_many_tags, messages.PACKED_TOO_LARGE, messages.FEWER_TAGS),
    "role-maximum": (
        _asking("-d", "2h"),
        "for 7200 s: the role's maximum is lower",
        "aws iam update-role --role-name dev --max-session-duration 7200",
    ),
    "chained-by-a-process": (_process_with_a_session, "for 7200 s: the source is itself a session", "-d 1h"),
}


@pytest.mark.parametrize("name", BY_STS)
def test_a_refusal_of_sts_names_its_side_and_the_way_out(world: World, sts: StrictSts, name: str) -> None:
    """The strict STS refuses, in AWS's words, and is asked once; the user reads what to do."""
    arrange, output, hint = BY_STS[name]
    words, env = arrange(world, sts)
    sts.forget()

    done = world.run(*words, *(() if "-p" in words else ("dev",)), "echo", "ran", env=env)

    first, *rest = done.err.splitlines()
    assert (done.code, done.out, len(sts.calls)) == (125, "", 1), done.err
    assert first.startswith(CANNOT) and output in first
    assert rest[0].startswith("  AWS: ") and hint in "\n".join(rest[1:])
    assert not world.entries("session") or name == "chained-by-a-process"


def test_expired_sessions_of_a_process_are_distinguished_from_refused_ones(world: World, sts: StrictSts) -> None:
    """A session that ran out where nobody could see it: AWS says so, and the hint is where to renew it."""
    got = world.run("base", *PRINT_ENV).env
    ran_out = {name: got[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    sts.clock = lambda: time.time() + 600
    expired = sts._credentials[got["AWS_ACCESS_KEY_ID"]]._replace(expiration=time.time())
    sts._credentials[got["AWS_ACCESS_KEY_ID"]] = expired

    done = world.run(DEV, "true", env=dict(ran_out))

    assert done.code == 125 and messages.EXPIRED_CREDENTIALS in done.err
    assert "AWS: The security token included in the request is expired" in done.err
    assert "remove them from the environment (awsudo export --unset)" in done.err


@pytest.mark.parametrize(
    ("token", "output", "hint"),
    [
        ("unknown", "the role's account has no OIDC provider", "aws iam create-open-id-connect-provider"),
        ("old", messages.WEB_IDENTITY_EXPIRED, "renew its file: "),
        ("elsewhere", messages.WEB_IDENTITY_NOT_TRUSTED, messages.WEB_IDENTITY_CONDITIONS),
    ],
)
def test_a_refused_web_identity_is_explained(world: World, sts: StrictSts, token: str, output: str, hint: str) -> None:
    """The token's own ways to fail; the token itself is never shown."""
    sts.add_web_identity("old-token", expires=1.0)
    sts.add_web_identity("elsewhere-token", roles=[])
    path = world.home / "token"
    path.write_text(f"{token}-token")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {path}\n")

    done = world.run("ci", "true")

    assert done.code == 125
    assert done.err.startswith("awsudo: cannot get a session of profile ci: ") and output in done.err
    assert "AWS: " in done.err and hint in done.err
    assert f"{token}-token" not in done.err


def test_an_untrusted_token_is_shown_by_its_claims(world: World, sts: StrictSts) -> None:
    """Issuer, audience and subject stand beside what the trust policy may require; the token does not."""
    claims = {"iss": "https://token.example", "aud": "sts.amazonaws.com", "sub": "repo:corp/site", "jti": "private"}
    token = f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"
    sts.add_web_identity(token, roles=[])
    path = world.home / "token"
    path.write_text(token)
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {path}\n")

    done = world.run("ci", "true")

    for name in ("iss", "aud", "sub"):
        assert f"    {name} {claims[name]}" in done.err.splitlines()
    assert "private" not in done.err and token not in done.err


# -- the clock -------------------------------------------------------------------------------------------------------


@needs("faketime")
@pytest.mark.parametrize(
    ("shift", "output"),
    [("+1h", "60 min ahead"), ("-1h", "60 min behind"), ("+16m", "16 min ahead"), ("-2d", "2880 min behind")],
)
def test_a_clock_skew_is_reported_with_its_size(world: World, sts: StrictSts, shift: str, output: str) -> None:
    """Not "the signature does not match": the clock, by how much, and how it is set."""
    done = world.run("dev", "true", prefix=("faketime", "-f", shift))

    assert (done.code, len(sts.calls)) == (125, 1)
    assert f"this machine's clock is {output}, and AWS takes 15 min at most" in done.err
    assert "set the clock: " in done.err and "AWS: Signature" in done.err


@needs("faketime")
@pytest.mark.parametrize("shift", ["+14m", "-14m"])
def test_a_small_clock_skew_is_not_reported(world: World, sts: StrictSts, shift: str) -> None:
    """What AWS takes, works: the session is got, and used again."""
    for _ in range(2):
        done = world.run("dev", "true", prefix=("faketime", "-f", shift))
        assert (done.code, done.err) == (0, "")

    assert sts.count("AssumeRole") == 1


# -- terminal escapes ------------------------------------------------------------------------------------------------

#: C1 controls (CSI, OSC, ST), a right-to-left override, a line separator, a zero-width space, newlines: all that
#: XML can carry. Spelled out, they do nothing.
HOSTILE = "\x9b31m\x9d0;owned\x9c\u202eevil\u2028awsudo: forged\u200b\nawsudo: forged\r\ttab"


def _is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text) and "\nawsudo: forged" not in text


@pytest.mark.parametrize("element", ["Code", "Message", "RequestId", "Type"])
def test_nothing_in_an_error_of_sts_can_touch_the_terminal(world: World, sts: StrictSts, element: str) -> None:
    """Control characters arrive spelled out, and no line can be forged."""
    sts.refuse_with("AccessDenied", "no")
    sts.texts[element] = HOSTILE

    done = world.run("-v", "dev", "true")

    assert done.code == 125 and _is_harmless(done.err)
    assert "\\x9b31m" in done.err or element in ("RequestId", "Type")


@pytest.mark.parametrize("where", ["caller", "action", "role", "reason"])
def test_nothing_in_the_parts_of_a_denial_can_touch_the_terminal(world: World, sts: StrictSts, where: str) -> None:
    """The parts of AWS's sentence that our own words repeat are escaped like the rest."""
    hostile = HOSTILE.translate({ord(space): None for space in "\u2028\n\r\t "})
    parts = {
        "caller": ALICE,
        "action": "sts:AssumeRole",
        "role": DEV,
        "reason": f"because no role trust policy allows {ASSUME}",
    }
    parts[where] = f"{parts[where]}{hostile}"
    sts.refuse_with(
        "AccessDenied",
        "User: {caller} is not authorized to perform: {action} on resource: {role} {reason}".format(**parts),
    )

    done = world.run("dev", "true")

    assert done.code == 125 and _is_harmless(done.err)
    assert messages.TRUST_DOES_NOT_ALLOW in done.err and "\\x9b31m" in done.err


@pytest.mark.parametrize("element", ["Arn", "AssumedRoleId", "AccessKeyId", "SecretAccessKey", "SessionToken"])
def test_nothing_in_a_session_of_sts_can_touch_the_terminal(world: World, sts: StrictSts, element: str) -> None:
    """The greeting of a shell on a terminal names the identity too."""
    sts.texts[element] = HOSTILE.replace("\n", "").replace("\r", "")
    shell = world.home / "shell"
    shell.write_text("#!/bin/sh\necho the-shell-runs\n")
    shell.chmod(0o755)
    command, *words = world.command("-v", "dev")

    child = pexpect.spawn(command, words, env=world.environ({"SHELL": str(shell)}), timeout=20)
    output = child.read().decode()
    child.close()

    assert "the-shell-runs" in output and "a shell as dev (" in output
    assert _is_harmless(output.replace("\r\n", "\n"))


@pytest.mark.parametrize("text", ["x" * 100_000, "x " * 50_000])
def test_a_text_of_any_length_is_reported(world: World, sts: StrictSts, text: str) -> None:
    """A flood neither hangs nor hides what failed."""
    sts.refuse_with("AccessDenied", text)

    done = world.run("dev", "true")

    assert done.code == 125 and done.err.startswith(CANNOT)
