"""What STS refuses is told in words: what was refused, which side to look at, what to do next; the original kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pexpect
import pytest

from awsudo_py.aws import errors
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
    """One error of AWS, and how it is told."""

    code: str
    text: str
    told: str  # what failed
    hint: str  # which side, and what to do
    status: int = 403


def _denied(reason: str, action: str = "sts:AssumeRole") -> str:
    return f"User: {ALICE} is not authorized to perform: {action} on resource: {DEV} {reason}".strip()


CALLER, ROLE = "on the caller's side: ", "on the role's side: "
ASSUME = "the sts:AssumeRole action"
ANSWERS = [
    Answer(
        "AccessDenied",
        _denied(f"because no identity-based policy allows {ASSUME}"),
        f"no policy of {ALICE} allows it",
        f"{CALLER}attach a policy to {ALICE} that allows sts:AssumeRole on {DEV}",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in an identity-based policy"),
        f"a policy of {ALICE} forbids it",
        f"{CALLER}find the Deny among the policies of {ALICE}",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in an identity-based policy: arn:aws:iam::111111111111:policy/no"),
        f"a policy of {ALICE} forbids it",
        f"{CALLER}find the Deny",
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no role trust policy allows {ASSUME}"),
        f"the role does not trust {ALICE}",
        f"{ROLE}its trust policy must allow sts:AssumeRole to {ALICE}",
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no resource-based policy allows {ASSUME}"),
        f"the role does not trust {ALICE}",
        f"{ROLE}its trust policy must allow",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in the role trust policy"),
        "the role's trust policy forbids it",
        f"{ROLE}find the Deny in its trust policy",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a resource-based policy"),
        "the role's trust policy forbids it",
        f"{ROLE}find the Deny in its trust policy",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a service control policy"),
        "a service control policy of the organization forbids it",
        "ask who administers the organization",
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no service control policy allows {ASSUME}"),
        "a service control policy of the organization forbids it",
        "ask who administers the organization",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a resource control policy"),
        "a resource control policy of the organization forbids it",
        "ask who administers the organization",
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no permissions boundary allows {ASSUME}"),
        f"the permissions boundary of {ALICE} does not allow it",
        f"{CALLER}its permissions boundary must allow sts:AssumeRole",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a permissions boundary"),
        f"the permissions boundary of {ALICE}",
        CALLER,
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no session policy allows {ASSUME}"),
        f"the policy of the session {ALICE} does not allow it",
        "the session that assumes the role was itself narrowed",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a session policy"),
        "the policy of the session",
        "the session that assumes the role was itself narrowed",
    ),
    Answer(
        "AccessDenied",
        _denied(f"because no VPC endpoint policy allows {ASSUME}"),
        "the policy of the VPC endpoint does not allow it",
        "on the network's side: the policy of the STS VPC endpoint must allow sts:AssumeRole",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a VPC endpoint policy"),
        "the policy of the VPC endpoint",
        "on the network's side",
    ),
    Answer(
        "AccessDenied",
        _denied(""),
        "access denied, and AWS does not say why",
        "one of these, to be checked in this order:",
    ),
    Answer(
        "AccessDenied",
        _denied("for a reason that nobody has heard of"),
        "access denied, and AWS does not say why",
        "one of these",
    ),
    Answer(
        "AccessDenied", "a text that nobody has heard of", "access denied, and AWS does not say why", "one of these"
    ),
    Answer(
        "AccessDenied",
        _denied("", "sts:TagSession"),
        "tags may not be set, sts:TagSession is missing",
        f"the policies of {ALICE} and the role's trust policy must both allow sts:TagSession",
    ),
    Answer(
        "AccessDenied",
        _denied("", "sts:SetSourceIdentity"),
        "a source identity may not be set, sts:SetSourceIdentity is missing",
        "must both allow sts:SetSourceIdentity",
    ),
    Answer(
        "AccessDenied",
        _denied("with an explicit deny in a service control policy", "sts:TagSession"),
        "a service control policy of the organization forbids it",
        "ask who administers the organization",
    ),
    Answer(
        "AccessDenied",
        _denied("because no identity-based policy allows the sts:TagSession action", "sts:TagSession"),
        "sts:TagSession",
        f"{CALLER}attach a policy to {ALICE} that allows sts:TagSession",
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
        "the MFA code was refused",
        "a code works once: wait for the next one",
    ),
    Answer(
        "AccessDeniedException",
        _denied(f"because no identity-based policy allows {ASSUME}"),
        f"no policy of {ALICE} allows it",
        CALLER,
    ),
    Answer(
        "ExpiredToken",
        "The security token included in the request is expired",
        "the credentials that ask for it have expired",
        "renew the credentials ",
    ),
    Answer("ExpiredTokenException", "Token expired", "have expired", "renew the credentials "),
    Answer(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "AWS does not know the access key",
        "aws iam list-access-keys",
    ),
    Answer(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        "AWS does not know the access key",
        "/.aws/credentials",
    ),
    Answer(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match",
        "the secret key does not fit the access key",
        "enter both again",
    ),
    Answer(
        "MalformedPolicyDocument",
        "Syntax errors in policy.",
        "the session policy is not one that AWS takes",
        "check --policy",
        400,
    ),
    Answer(
        "PackedPolicyTooLarge",
        "Packed policy consumes 110% of allotted space",
        "too large together",
        "use fewer tags, or keep the policy as a managed one: --policy-arn ARN",
        400,
    ),
    Answer(
        "RegionDisabledException",
        "STS is not activated in this region for account:111111111111.",
        "STS is switched off in this region",
        "--region us-east-1",
    ),
    Answer(
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account",
        "the web identity token is not one that AWS takes",
        "provider",
        400,
    ),
    Answer("IDPRejectedClaim", "Rejected", "the identity provider rejected the token", "get a new one"),
    Answer("IDPCommunicationError", "Timeout", "AWS could not reach the identity provider", "try again", 400),
    Answer(
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
        "AWS allows a user two access keys",
        "see them: aws iam list-access-keys",
        409,
    ),
    Answer("RequestLimitExceeded", "Rate exceeded", "AWS is being called too often", "try again in a few seconds", 400),
    Answer("ThrottlingException", "Rate exceeded", "AWS is being asked too often", "try again in some seconds", 400),
    Answer(
        "TooManyRequestsException", "Rate exceeded", "AWS is being asked too often", "try again in some seconds", 400
    ),
    Answer("Throttling", "Rate exceeded", "AWS is being asked too often", "try again in some seconds", 400),
    Answer(
        "UnauthorizedException",
        "Session token not found or invalid",
        "the SSO session has ended",
        "renew the credentials ",
        401,
    ),
    Answer(
        "ForbiddenException",
        "No access",
        "this SSO user may not use that account or role",
        "aws sso list-account-roles",
    ),
    Answer("ResourceNotFoundException", "not found", "SSO knows no such account or role", "check sso_account_id", 404),
    Answer(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        "the role's maximum is lower",
        "ask for less (-d 1h); or raise it: aws iam update-role --role-name dev --max-session-duration",
        400,
    ),
    Answer(
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        "the source is itself a session, so 1h is the most",
        "ask for less: -d 1h",
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
    Answer("ServiceUnavailable", "Please try again", "AWS failed (HTTP 503)", "try again", 503),
]


@pytest.mark.parametrize(
    "answer", [pytest.param(answer, id=f"{answer.code}-{answer.text[-36:]}") for answer in ANSWERS]
)
def test_an_answer_is_told_in_words_with_the_original_beside_it(world: World, sts: StrictSts, answer: Answer) -> None:
    """What failed in the first line, then AWS's own text, then what to do; exit 125, and the command does not run."""
    sts.refuse_with(answer.code, answer.text, answer.status, times=3)

    done = world.run("--mfa-serial", PHONE, "--mfa-code", "123456", "-d", "2h", "dev", "echo", "ran")

    first, original, *hints = done.err.splitlines()
    assert (done.code, done.out) == (125, "")
    assert first.startswith(CANNOT) and answer.told in first
    assert original.rstrip() == f"  AWS: {answer.text}".rstrip()
    assert hints[0].startswith("  ") and answer.hint in hints[0] if answer.hint else not hints


def test_every_answer_that_awsudo_knows_is_tested() -> None:
    """A line added to the tables of reasons and codes needs a line here."""
    texts = [answer.text for answer in ANSWERS]

    assert errors._CODES.keys() <= {answer.code for answer in ANSWERS}
    assert [words for words, *_ in errors._REASONS if not any(words in text for text in texts)] == []


@pytest.mark.parametrize(
    ("words", "candidate"),
    [
        ((), "- it asks for an --external-id"),
        (("-e", "id-1"), "- its trust policy asks for another external id"),
        ((), "- it asks for MFA: --mfa-serial ARN"),
        (("-m", PHONE, "-t", "123456", "--mfa-per-role"), "- the MFA device is another one"),
        ((), f"- its trust policy does not name {ALICE}"),
        ((), f"- no policy of {ALICE} allows sts:AssumeRole on it"),
        ((), "- there is no such role"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_without_a_reason_the_candidates_are_listed(
    world: World, sts: StrictSts, words: tuple[str, ...], candidate: str
) -> None:
    """Which of them apply depends on what was asked; none is claimed."""
    sts.refuse_with("AccessDenied", _denied(""))

    done = world.run(*words, "dev", "true")

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
    "no-such-role": (_no_such_role, "AWS does not say why", "no such role"),
    "untrusted": (_role(trusts=["222222222222"]), "the role does not trust", ROLE),
    "denied-by-trust": (_role(deny="with an explicit deny in the role trust policy"), "forbids it", ROLE),
    "denied-by-organization": (
        _role(deny="with an explicit deny in a service control policy"),
        "service control policy",
        "organization",
    ),
    "external-id": (_role(external_id="secret-word"), "AWS does not say why", "--external-id"),
    "wrong-external-id": (
        _asking("-e", "other-word", external_id="secret-word"),
        "AWS does not say why",
        "another external id",
    ),
    "mfa-required": (_role(mfa_required=True), "AWS does not say why", "--mfa-serial ARN"),
    "tags": (_asking("--tag", "a=b", may_tag=False), "sts:TagSession is missing", "both allow sts:TagSession"),
    "source-identity": (
        _asking("--source-identity", "ann", may_set_source_identity=False),
        "sts:SetSourceIdentity is missing",
        "both allow",
    ),
    "root": (_root, "root user's keys", "delete the root user's keys"),
    "unknown-key": (_unknown_key, "does not know the access key", "aws iam list-access-keys"),
    "wrong-secret": (_wrong_secret, "the secret key does not fit", "enter both again"),
    "wrong-code": (_wrong_code, f"the MFA code was refused for {PHONE}", "a code works once"),
    "spent-code": (_spent_code, f"the MFA code was refused for {PHONE}", "a code works once: wait for the next one"),
    "no-such-device": (
        _no_such_device,
        f"{PHONE} is no MFA device of the user whose keys these are",
        "awsudo keys mfa",
    ),
    "malformed-policy": (_malformed_policy, "not one that AWS takes", "check --policy"),
    "packed-policy": (_too_many_tags, "too large together", "use fewer tags"),
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
    arrange, told, hint = BY_STS[name]
    words, env = arrange(world, sts)
    sts.forget()

    done = world.run(*words, *(() if "-p" in words else ("dev",)), "echo", "ran", env=env)

    first, *rest = done.err.splitlines()
    assert (done.code, done.out, len(sts.calls)) == (125, "", 1), done.err
    assert first.startswith(CANNOT) and told in first
    assert rest[0].startswith("  AWS: ") and hint in "\n".join(rest[1:])
    assert not world.kept("session") or name == "chained-by-a-process"


def test_a_process_that_gives_expired_sessions_is_told_from_refused_ones(world: World, sts: StrictSts) -> None:
    """A session that ran out where nobody could see it: AWS says so, and the hint is where to renew it."""
    got = world.run("base", *PRINT_ENV).env
    ran_out = {name: got[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    sts.clock = lambda: time.time() + 600
    expired = sts._credentials[got["AWS_ACCESS_KEY_ID"]]._replace(expiration=time.time())
    sts._credentials[got["AWS_ACCESS_KEY_ID"]] = expired

    done = world.run(DEV, "true", env=dict(ran_out))

    assert done.code == 125 and "the credentials that ask for it have expired" in done.err
    assert "AWS: The security token included in the request is expired" in done.err
    assert "remove them from the environment (awsudo export --unset)" in done.err


@pytest.mark.parametrize(
    ("token", "told", "hint"),
    [
        ("unknown", "the web identity token is not one that AWS takes", "is the provider set up in IAM"),
        ("old", "the credentials or the token that ask for it have expired", "renew the credentials "),
        ("elsewhere", "access denied", ""),
    ],
)
def test_a_web_identity_that_is_refused_is_told_too(
    world: World, sts: StrictSts, token: str, told: str, hint: str
) -> None:
    """The token's own ways to fail; the token itself is never shown."""
    sts.add_web_identity("old-token", expires=1.0)
    sts.add_web_identity("elsewhere-token", roles=[])
    path = world.home / "token"
    path.write_text(f"{token}-token")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {path}\n")

    done = world.run("ci", "true")

    assert done.code == 125
    assert done.err.startswith("awsudo: cannot get a session of profile ci: ") and told in done.err
    assert "AWS: " in done.err and hint in done.err
    assert f"{token}-token" not in done.err


# -- the clock -------------------------------------------------------------------------------------------------------


@needs("faketime")
@pytest.mark.parametrize(
    ("shift", "said"),
    [("+1h", "60 min ahead"), ("-1h", "60 min behind"), ("+16m", "16 min ahead"), ("-2d", "2880 min behind")],
)
def test_a_clock_that_is_off_is_told_by_how_much(world: World, sts: StrictSts, shift: str, said: str) -> None:
    """Not "the signature does not match": the clock, by how much, and how it is set."""
    done = world.run("dev", "true", prefix=("faketime", "-f", shift))

    assert (done.code, len(sts.calls)) == (125, 1)
    assert f"this machine's clock is {said}, and AWS takes 15 min at most" in done.err
    assert "set the clock: " in done.err and "AWS: Signature" in done.err


@needs("faketime")
@pytest.mark.parametrize("shift", ["+14m", "-14m"])
def test_a_clock_that_is_off_by_less_is_nobodys_business(world: World, sts: StrictSts, shift: str) -> None:
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
    assert "the role does not trust" in done.err and "\\x9b31m" in done.err


@pytest.mark.parametrize("element", ["Arn", "AssumedRoleId", "AccessKeyId", "SecretAccessKey", "SessionToken"])
def test_nothing_in_a_session_of_sts_can_touch_the_terminal(world: World, sts: StrictSts, element: str) -> None:
    """Who one is now is said on a terminal too, in the greeting of a shell."""
    sts.texts[element] = HOSTILE.replace("\n", "").replace("\r", "")
    shell = world.home / "shell"
    shell.write_text("#!/bin/sh\necho the-shell-runs\n")
    shell.chmod(0o755)
    command, *words = world.command("-v", "dev")

    child = pexpect.spawn(command, words, env=world.environ({"SHELL": str(shell)}), timeout=20)
    said = child.read().decode()
    child.close()

    assert "the-shell-runs" in said and "a shell as dev (" in said
    assert _is_harmless(said.replace("\r\n", "\n"))


@pytest.mark.parametrize("text", ["x" * 100_000, "x " * 50_000])
def test_a_text_of_any_length_is_told(world: World, sts: StrictSts, text: str) -> None:
    """A flood neither hangs nor hides what failed."""
    sts.refuse_with("AccessDenied", text)

    done = world.run("dev", "true")

    assert done.code == 125 and done.err.startswith(CANNOT)
