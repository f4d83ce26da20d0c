"""awsudo explain --why: policies from files, evaluated without a call; the exit code and the JSON that CI gates on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from awsudo_py.cli.call import Process
from awsudo_py.cli.main import main
from awsudo_py.cli.why import context_keys
from awsudo_py.terminal import Terminal
from tests import messages
from tests.policy.cases import DOCUMENTED, MADE, Case, allow, deny, may, may_not
from tests.servers.strict_sts import StrictSts
from tests.world import World

ANN = "arn:aws:iam::111111111111:user/ann"
DEPLOY = "arn:aws:iam::222222222222:role/deploy"
CODES = {"allow": 0, "deny": 1, "implicitDeny": 1, "unknown": 3}


def _file(directory: Path, name: str, statements: Any, **more: Any) -> str:
    path = directory / name
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements, **more}))
    return str(path)


def _words(case: Case, directory: Path) -> list[str]:
    """The command line that says what the case says."""
    words = ["explain", case.role, "--why", "--json", "--caller", case.caller]
    if case.trust is not None:
        words += ["--trust-policy", _file(directory, "trust", case.trust)]
    for option, policies in (("--identity-policy", case.identity), ("--boundary", case.boundary)):
        for number, statements in enumerate(policies or []):
            words += [option, _file(directory, f"{option}{number}", statements)]
    for statements in case.session or []:
        words += ["--session-policy", _file(directory, "session", statements)]
    for option, levels in (("--scp", case.scp), ("--rcp", case.rcp)):
        for number, level in enumerate(levels or []):
            path = directory / f"{option}{number}"
            path.write_text(json.dumps([{"Version": "2012-10-17", "Statement": statements} for statements in level]))
            words += [option, str(path)]
    for option, value in (
        ("--external-id", case.external_id),
        ("--session-name", case.session_name),
        ("--source-identity", case.source_identity),
        ("--region", case.region),
    ):
        words += [option, value] if value else []
    words += [word for key, value in case.tags.items() for word in ("--tag", f"{key}={value}")]
    words += [word for key in case.transitive for word in ("--transitive-tag", key)]
    return words + [word for key, value in case.context.items() for word in ("--context", f"{key}={value}")]


def _run(words: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON, in this process: a hundred of its own would take a minute."""
    code = 0
    try:
        with main.make_context("awsudo", words, obj=Process(words, Terminal(), lambda: None)) as context:
            main.invoke(context)
    except click.exceptions.Exit as end:
        code = end.exit_code
    found: dict[str, Any] = json.loads(capsysbinary.readouterr().out)
    return code, found


SAYABLE = [
    case
    for case in DOCUMENTED + MADE
    if case.version == "2012-10-17" and not case.inherited_tags and case.inherited_source_identity is None
    and not case.mfa_code and case.caller_role is None and None not in (case.trust, case.identity, case.boundary)
    and None not in (case.session, case.scp, case.rcp) and case.id not in ("O05",)
]  # fmt: skip


@pytest.mark.parametrize("case", SAYABLE, ids=lambda case: case.id)
def test_files_and_options_give_the_verdict_of_the_documents(
    case: Case, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each case that files can say gets its verdict, its side to blame, and the exit code for it."""
    code, found = _run(_words(case, tmp_path), capsysbinary)

    assert f"{found['verdict']} {found['blame']}" == case.expected, case.rule
    assert code == CODES[found["verdict"]]


def test_all_documented_cases_can_be_configured() -> None:
    """None of the documents' cases needs more than the options."""
    assert {case.id for case in DOCUMENTED} <= {case.id for case in SAYABLE}
    assert len(SAYABLE) > 170


@pytest.fixture
def files(world: World) -> dict[str, str]:
    """A trust policy that requires an external ID, a policy that grants every role, and SCPs."""
    condition = {"StringEquals": {"sts:ExternalId": "ci-7f3"}}
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
    home = world.home
    return {
        "trust": _file(home, "trust.json", allow("arn:aws:iam::111111111111:root", Sid="FromCI", Condition=condition)),
        "identity": _file(home, "dev.json", [may(Action="s3:*"), may(Resource="arn:aws:iam::222222222222:role/*")]),
        "regions": _file(home, "regions.json", may_not(Action="*", Condition=elsewhere)),
        "s3": _file(home, "s3.json", may(Action="s3:*")),
    }  # fmt: skip


def _given(files: dict[str, str], *more: str) -> tuple[str, ...]:
    return (
        *("explain", DEPLOY, "--why", "--caller", ANN, "--trust-policy", files["trust"]),
        *("--identity-policy", files["identity"], *more),
    )


def test_the_statement_and_the_condition_that_decide_are_shown(
    world: World, sts: StrictSts, files: dict[str, str]
) -> None:
    """A denial names the statement by its Sid, the condition with both values, and what to send; nothing is called."""
    done = world.run(*_given(files))

    lines = [line.strip() for line in done.out.splitlines()]
    assert (done.code, done.err, len(sts.calls)) == (1, "", 0)
    assert lines[0] == f"{DEPLOY}: DENIED: {messages.TRUST_DOES_NOT_ALLOW} it"
    assert any(line.startswith('trust policy          no allow   statement "FromCI" of ') for line in lines)
    assert 'sts:ExternalId must equal "ci-7f3" (StringEquals); the request does not have it' in lines
    assert any(line.startswith("identity policies     allows     statement 2 of ") for line in lines)
    assert f"awsudo --external-id ci-7f3 {DEPLOY}" in lines
    assert "After this change another policy may still refuse." in lines


def test_what_is_sent_is_judged(world: World, files: dict[str, str]) -> None:
    """With the external ID on the line the role can be assumed."""
    done = world.run(*_given(files, "-e", "ci-7f3"))

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{DEPLOY}: ALLOWED\n")


def test_what_is_not_known_is_not_guessed(world: World, files: dict[str, str]) -> None:
    """A condition on a region that nobody gave: unknown, with an exit code of its own, and what would decide it."""
    done = world.run(*_given(files, "-e", "ci-7f3", "--scp", files["regions"]))

    assert (done.code, done.err) == (3, "")
    assert "UNKNOWN: what the organization's SCPs say is not known" in done.out
    assert messages.UNKNOWN_VALUE in done.out and "possibly: " in done.out


def test_an_scp_that_only_denies_stands_beside_full_access(world: World, files: dict[str, str]) -> None:
    """A region guard alone is not a level without any Allow; that FullAWSAccess is attached is reported."""
    words = _given(files, "-e", "ci-7f3", "--region", "eu-west-1", "--scp", files["regions"])

    assert world.run(*words).code == 0
    assert "FullAWSAccess is assumed to be attached too" in world.run(*words).out
    assert world.run(*words, "--scp", files["s3"]).code == 1


def test_json_holds_verdict_blame_and_statements(world: World, files: dict[str, str]) -> None:
    """What CI reads: verdict, blame, the statements with their conditions, and the advice."""
    done = world.run(*_given(files, "--json"))

    found = json.loads(done.out)
    assert (done.code, found["verdict"], found["blame"], found["action"]) == (
        1,
        "implicitDeny",
        "trust",
        "sts:AssumeRole",
    )
    (statement,) = found["statements"]
    assert (statement["side"], statement["sid"], statement["statement"]) == ("trust", "FromCI", 1)
    assert statement["conditions"] == [
        {
            "operator": "StringEquals",
            "key": "sts:ExternalId",
            "policyValues": ["ci-7f3"],
            "requestValues": None,
            "known": True,
            "holds": False,
        }
    ]  # fmt: skip
    assert found["sides"]["identity"] == "allows"
    assert "external-id" in [each["slip"] for each in found["advice"]]


def test_fix_prints_statements_to_paste(world: World, files: dict[str, str]) -> None:
    """JSON of what is missing on each side, and nothing else on stdout."""
    done = world.run(*_given(files, "-e", "ci-7f3", "--tag", "team=x", "--fix"))

    assert json.loads(done.out) == [
        {
            "policy": "trust",
            "statement": {"Effect": "Allow", "Principal": {"AWS": ANN}, "Action": "sts:TagSession"},
        },
        {
            "policy": "identity",
            "statement": {"Effect": "Allow", "Action": "sts:TagSession", "Resource": DEPLOY},
        },
    ]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda policy: {"Role": {"RoleName": "deploy", "AssumeRolePolicyDocument": policy}},
        lambda policy: {"PolicyVersion": {"Document": policy}},
        lambda policy: {"PolicyDocument": policy},
        lambda policy: {"Policy": {"Content": json.dumps(policy)}},
        lambda policy: [policy],
    ],
)
def test_an_answer_of_the_aws_cli_is_read_as_the_policy_in_it(
    world: World, files: dict[str, str], wrapped: Any
) -> None:
    """What `aws iam get-role` and its kin print needs no cutting."""
    path = Path(files["trust"])
    path.write_text(json.dumps(wrapped(json.loads(path.read_text()))))

    assert world.run(*_given(files, "-e", "ci-7f3")).code == 0


def test_a_profile_gives_what_it_sends_and_the_role_before_it(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """For a profile, external ID, session name and the calling role come from the AWS configuration."""
    world.config(
        "[profile build]\nrole_arn = arn:aws:iam::111111111111:role/build\nsource_profile = base\n"
        f"[profile deploy]\nrole_arn = {DEPLOY}\nsource_profile = build\nexternal_id = ci-7f3\n"
        "role_session_name = ann\nregion = eu-west-1\n"
    )
    condition = {"StringEquals": {"sts:ExternalId": "ci-7f3", "sts:RoleSessionName": "ann"}}
    trust = _file(tmp_path, "t", allow("arn:aws:iam::111111111111:role/build", Condition=condition))
    identity = _file(tmp_path, "i", may(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))

    done = world.run("explain", "deploy", "--why", "--trust-policy", trust, "--identity-policy", identity)

    assert (done.code, done.err, len(sts.calls)) == (0, "", 0), done.out
    assert "arn:aws:iam::111111111111:role/build" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--trust-policy", "{home}/nowhere"), 125, "cannot read {home}/nowhere: No such file or directory"),
        (("--trust-policy", "{home}/broken"), 125, "{home}/broken: line 2, column 1: not valid JSON"),
        (("--trust-policy", "{home}/twice"), 125, '{home}/twice: not valid JSON: the key "a" appears twice'),
        (
            ("--trust-policy", "{home}/trust.json", "--caller", "ann"),
            125,
            "'ann' is not the ARN of a user, role or session",
        ),
        (
            ("--trust-policy", "{home}/trust.json", "--context", "x"),
            2,
            "invalid --context 'x': it must be KEY=VALUE",
        ),
    ],
    ids=range(5),
)  # fmt: skip
def test_what_cannot_be_read_is_named(
    world: World, files: dict[str, str], words: tuple[str, ...], code: int, message: str
) -> None:
    """A file, a caller or a key that is not one: a line that says so, and never a verdict."""
    (world.home / "broken").write_text("{\n")
    (world.home / "twice").write_text('{"a": 1, "a": 2}')
    caller = () if "--caller" in words else ("--caller", ANN)

    done = world.run("explain", DEPLOY, "--why", *caller, *(word.format(home=world.home) for word in words))

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"awsudo: {message.format(home=world.home)}")


def test_files_need_a_caller(world: World, files: dict[str, str]) -> None:
    """Nobody is called to ask who calls."""
    done = world.run("explain", DEPLOY, "--why", "--trust-policy", files["trust"])

    assert done.code == 2 and "--caller arn:aws:iam::ACCOUNT:user/NAME" in done.err


def test_nothing_in_a_policy_can_touch_the_terminal(world: World, tmp_path: Path) -> None:
    """Names and values of a policy are escaped like all text from outside."""
    hostile = "\x1b]0;owned\x07\n\u202eevil"
    trust = _file(tmp_path, "t", deny("*", Sid=hostile, Condition={"StringNotEquals": {"sts:ExternalId": hostile}}))

    done = world.run("explain", DEPLOY, "--why", "--caller", ANN, "--trust-policy", trust)

    assert done.code == 1
    assert all(character.isprintable() or character == "\n" for character in done.out) and "\\x1b]0;owned" in done.out


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("aws:TagKeys=a", "aws:TagKeys=b"), ("a", "b")),
        (('aws:TagKeys=["a", "b"]',), ("a", "b")),
        (("aws:TagKeys=[a]",), ("[a]",)),
        (("aws:TagKeys=a=b",), ("a=b",)),
        (("aws:TagKeys=",), ("",)),
    ],
)
def test_a_key_of_the_context_may_have_several_values(words: tuple[str, ...], values: tuple[str, ...]) -> None:
    """Given twice, or as a JSON list."""
    assert context_keys(words) == (("aws:TagKeys", values),)
