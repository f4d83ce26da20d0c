"""Roles that are assumed without keys: with a CI job's token, a SAML assertion, or a login at a Cognito pool."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from awsudo_py.errors import InvalidInput
from awsudo_py.resolve.ci_identities import PROVIDERS
from awsudo_py.resolve.saml import SamlRole, roles_of
from awsudo_py.signin.ci_tokens import expiry_of
from tests import messages
from tests.screens import Screen
from tests.servers.ci import SECRET, GitHub, jwt
from tests.servers.cognito import Cognito
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, KEY_ID, World

DEV = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::111111111111:role/ops"
IDP = "arn:aws:iam::111111111111:saml-provider/corp"


@pytest.fixture
def job(world: World, sts: StrictSts) -> World:
    """A machine without any keys."""
    (world.home / ".aws/credentials").unlink()
    world.config("")
    sts.add_role(OPS)
    return world


# -- CI ----------------------------------------------------------------------------------------------------------------


def test_a_github_job_runs_as_a_role(job: World, sts: StrictSts) -> None:
    """One token and one call for all commands of the job; the audience can be set; the token is in no output."""
    with GitHub() as github:
        job.env |= github.environ
        refused = job.run("--web-identity", "github", DEV, "true")
        for audience in ("sts.amazonaws.com", "corp"):
            sts.add_web_identity(jwt(audience))
        # the token that the fake gives next is one that STS takes
        sts._web_identities = _TakesAll()
        first = job.run("--web-identity", "github", "-v", DEV, *KEY_ID)
        second = job.run("--web-identity", "github", DEV, *KEY_ID)
        other = job.run("--web-identity", "github", "--web-identity-audience", "corp", DEV, *KEY_ID)
        audiences = [call.query["audience"] for call in github.calls]

    assert refused.code == 125, refused.err
    assert first.key_id == second.key_id != other.key_id
    assert audiences == ["sts.amazonaws.com"] * 2 + ["corp"]
    output = "".join(done.out + done.err for done in (refused, first, second, other))
    assert SECRET not in output and not any(token in output for token in github.given)


class _TakesAll(dict):  # type: ignore[type-arg]
    """Every token is known."""

    def get(self, token: str, default: object = None) -> object:
        from math import inf

        from tests.servers.strict_sts import _WebIdentity

        return _WebIdentity("sub", None, inf)


@pytest.mark.parametrize(
    ("statuses", "tries", "output"),
    [([503, 503], 3, ""), ([403], 1, "GitHub Actions returned no token (HTTP 403)"), ([302], 1, "(HTTP 302)")],
)
def test_github_is_called_again_where_that_can_help(
    job: World, sts: StrictSts, statuses: list[int], tries: int, output: str
) -> None:
    """A server's error is; a refusal and a redirect, which would take the job's secret elsewhere, are not."""
    sts._web_identities = _TakesAll()
    with GitHub() as github:
        github.statuses = statuses
        done = job.run("--web-identity", "github", DEV, "true", env={**github.environ})

        assert [call.path for call in github.calls] == ["/oidc"] * tries
    assert (done.code, output in done.err) == (125 if output else 0, True), done.err
    assert not output or "id-token: write" in done.err


def test_a_token_that_has_expired_is_named_before_any_call(job: World, sts: StrictSts) -> None:
    """With the time; STS is not called."""
    with GitHub() as github:
        github.expires_in = -60
        done = job.run("--web-identity", "github", DEV, "true", env={**github.environ})

    assert done.code == 125
    assert re.search(r"the web identity token of GitHub Actions expired at 20\d\d-\d\d-\d\dT\S+Z", done.err), done.err
    assert sts.calls == []


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("gitlab", "GITLAB_OIDC_TOKEN"),
        ("gitlab:AWS_TOKEN_OF_JOB", "AWS_TOKEN_OF_JOB"),
        ("circleci", "CIRCLE_OIDC_TOKEN"),
        ("bitbucket", "BITBUCKET_STEP_OIDC_TOKEN"),
    ],
)
def test_other_jobs_have_their_token_in_a_variable(job: World, sts: StrictSts, provider: str, variable: str) -> None:
    """Their variable, or the one that is named; without it, the line for the job's configuration."""
    token = jwt("sts.amazonaws.com")
    sts.add_web_identity(token)

    missing = job.run("--web-identity", provider, DEV, "true")
    done = job.run("--web-identity", provider, DEV, *KEY_ID, env={variable: token})

    assert missing.code == 125 and "is not set" in missing.err and "no web identity token of " in missing.err
    assert done.key_id


def test_buildkite_tokens_come_from_its_agent(job: World, sts: StrictSts, tmp_path: Path) -> None:
    """The agent's command prints the token."""
    token = jwt("sts.amazonaws.com")
    sts.add_web_identity(token)
    agent = tmp_path / "bin/buildkite-agent"
    agent.parent.mkdir()
    agent.write_text(f'#!/bin/sh\n[ "$*" = "oidc request-token --audience sts.amazonaws.com" ] && echo {token}\n')
    agent.chmod(0o755)
    env: dict[str, str | None] = {"BUILDKITE_JOB_ID": "1", "BUILDKITE_AGENT_ACCESS_TOKEN": "x"}

    done = job.run(
        "--web-identity", "buildkite", DEV, *KEY_ID, env={**env, "PATH": f"{agent.parent}:{job.env['PATH']}"}
    )

    assert done.key_id


def test_a_token_comes_from_a_file_or_stdin(job: World, sts: StrictSts, tmp_path: Path) -> None:
    """stdin is read whether the session is cached or not; the command finds it at its end."""
    token = jwt("x")
    sts.add_web_identity(token)
    path = tmp_path / "token"
    path.write_text(f"{token}\n")

    by_file = job.run("--web-identity-token", str(path), DEV, *KEY_ID)
    by_stdin = job.run("--web-identity-token", "-", DEV, "sh", "-c", "cat; printenv AWS_ACCESS_KEY_ID", stdin=token)

    assert by_file.key_id == by_stdin.key_id and sts.count("AssumeRoleWithWebIdentity") == 1


def test_a_program_of_the_profile_prints_the_token(job: World, sts: StrictSts, tmp_path: Path) -> None:
    """web_identity_token_process, as a profile of its own and as the source of a role; its failure is named."""
    token = jwt("x")
    sts.add_web_identity(token)
    job.config(
        f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_process = echo {token}\nrole_session_name = ci-job\n"
        f"[profile ops]\nrole_arn = {OPS}\nsource_profile = ci\n"
        f"[profile bad]\nrole_arn = {DEV}\nweb_identity_token_process = sh -c 'echo no >&2; exit 3'\n"
    )

    assert job.run("ci", *KEY_ID).key_id and job.run("ops", *KEY_ID).key_id
    failed = job.run("bad", "true")

    assert sts.calls[0].params["RoleSessionName"] == "ci-job"
    assert failed.code == 125 and "failed with exit code 3" in failed.err and "profile bad" in failed.err


def test_the_inputs_of_the_call_are_sent_and_others_refused(job: World, sts: StrictSts) -> None:
    """AssumeRoleWithWebIdentity takes policies, a name and a duration; it has no external ID."""
    token = jwt("x")
    sts.add_web_identity(token)
    env: dict[str, str | None] = {"GITLAB_OIDC_TOKEN": token}
    arns = ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/SecurityAudit")
    base = ("--web-identity", "gitlab")

    done = job.run(
        *base, "-d", "900", "-n", "me", *(w for arn in arns for w in ("--policy-arn", arn)), DEV, "true", env=env
    )
    refused = job.run(*base, "-e", "id-of-them", DEV, "true", env=env)

    params = sts.calls[0].params
    assert done.code == 0, done.err
    assert (params["DurationSeconds"], params["RoleSessionName"]) == ("900", "me")
    assert [params[f"PolicyArns.member.{n}.arn"] for n in (1, 2)] == list(arns)
    assert refused.code == 2 and len(sts.calls) == 1


def test_a_profile_names_the_role_and_keeps_its_limits(job: World, sts: StrictSts) -> None:
    """Its duration and session name are sent; what narrows its sessions does here, and so does a required reason."""
    token = jwt("x")
    sts.add_web_identity(token)
    job.config(
        f"[profile it]\nrole_arn = {DEV}\nrole_session_name = from-profile\nduration_seconds = 1200\n"
        f"[profile less]\nrole_arn = {DEV}\nawsudo_only = s3:Get*\n"
        f"[profile why]\nrole_arn = {DEV}\nawsudo_reason = required\n"
    )
    env: dict[str, str | None] = {"GITLAB_OIDC_TOKEN": token}

    runs = [job.run("--web-identity", "gitlab", target, "true", env=env) for target in ("it", "less", "why")]

    params = sts.calls[0].params
    assert [run.code for run in runs] == [0, 0, 125] and "requires a reason" in runs[2].err, runs
    assert (params["DurationSeconds"], params["RoleSessionName"]) == ("1200", "from-profile")
    assert [call.action for call in sts.calls][1:] == ["AssumeRoleWithWebIdentity", "GetScopedCredentials"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("--web-identity", "gitea", DEV, "true"), "unknown CI system 'gitea'"),
        (("--web-identity", "github:X", DEV, "true"), "no variable of its own"),
        (("--web-identity", "gitlab", "--saml", "-", DEV, "true"), "excludes"),
        (("--web-identity", "gitlab", "-p", "base", DEV, "true"), "not with a profile"),
        (("--web-identity", "gitlab", "plain", "true"), "has no role_arn"),
        (("--web-identity", "gitlab", "--web-identity-audience", "x", DEV, "true"), "sets the audience"),
        (("--web-identity-token", "/nowhere", DEV, "true"), "no such file: /nowhere"),
        (("--web-identity-token", "-", DEV, "true"), "not a web identity token"),
    ],
)
def test_what_does_not_fit_is_refused(job: World, sts: StrictSts, words: tuple[str, ...], output: str) -> None:
    """One line; no call."""
    job.config("[profile plain]\nregion = eu-west-1\n[profile base]\nregion = eu-west-1\n")
    done = job.run(*words, env={"GITLAB_OIDC_TOKEN": jwt("x")}, stdin="<a>two words</a>")

    assert done.code in (2, 125) and output in done.err, done.err
    assert sts.calls == []


def test_every_ci_system_of_the_grammar_is_known() -> None:
    """The names that completion offers are those of the table."""
    from awsudo_py.grammar.options import CI_SYSTEMS

    assert tuple(PROVIDERS) == CI_SYSTEMS


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "a.e30.c", "a.bnVsbA.c", "..", "a." + "W" * 9000 + ".c"])
def test_a_token_with_unknown_expiry_is_sent(token: str) -> None:
    """It is for STS to say what it is."""
    assert expiry_of(token) is None


def test_github_steps_that_follow_get_the_variables_and_the_log_hides_the_secrets(
    world: World, sts: StrictSts, tmp_path: Path
) -> None:
    """`export --format github`: masks on stdout, the variables in $GITHUB_ENV, what would shadow them made empty."""
    path = tmp_path / "github_env"
    path.write_text("BEFORE=1\n")
    outside = world.run("export", "dev", "--format", "github")
    done = world.run(
        "export", "dev", "--format", "github", env={"GITHUB_ENV": str(path), "AWS_PROFILE": "base", "AWS_REGION": None}
    )

    assert outside.code == 125 and "GITHUB_ENV is not set" in outside.err and outside.out == ""
    assert done.code == 0, done.err
    lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
    secrets = {lines[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    assert set(done.out.splitlines()) == {f"::add-mask::{value}" for value in secrets}
    assert (lines["BEFORE"], lines["AWS_PROFILE"], lines["AWS_REGION"]) == ("1", "", "eu-west-1")
    assert "AWS_SECURITY_TOKEN" not in lines


# -- SAML --------------------------------------------------------------------------------------------------------------


def _assertion(*roles: str, head: str = "") -> str:
    values = "".join(f"<saml:AttributeValue> {IDP} ,{role}</saml:AttributeValue>" for role in roles)
    return (
        f'{head}<samlp:Response xmlns:samlp="p" xmlns:saml="a"><saml:Assertion><saml:AttributeStatement>'
        f'<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">{values}</saml:Attribute>'
        "</saml:AttributeStatement></saml:Assertion></samlp:Response>"
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_saml_assertion_gives_a_role(job: World, sts: StrictSts, tmp_path: Path) -> None:
    """From a file or a pipe, wrapped as tools print it; a role that is not in it is refused with those that are."""
    assertion = _base64(_assertion(DEV, OPS))
    sts.add_saml(assertion, [(DEV, IDP), (OPS, IDP)])
    path = tmp_path / "assertion"
    path.write_text("\n".join(re.findall(".{1,76}", assertion)))

    by_file = job.run("--saml", str(path), "-d", "900", DEV, *KEY_ID)
    by_pipe = job.run("--saml", "-", "-d", "900", DEV, *KEY_ID, stdin=assertion)
    other = job.run("--saml", str(path), "arn:aws:iam::111111111111:role/none", "true")

    assert by_file.key_id == by_pipe.key_id
    assert [(call.action, call.params["DurationSeconds"]) for call in sts.calls] == [("AssumeRoleWithSAML", "900")]
    assert other.code == 125 and DEV in other.err and OPS in other.err
    assert assertion[:60] not in other.err


def test_without_a_role_the_only_one_of_the_assertion_is_used_or_one_is_picked(
    job: World, sts: StrictSts, tmp_path: Path
) -> None:
    """Several without a terminal are listed; on a terminal, one picks."""
    one, two = (_base64(_assertion(*roles)) for roles in ((OPS,), (DEV, OPS)))
    for assertion in (one, two):
        sts.add_saml(assertion, [(DEV, IDP), (OPS, IDP)])
    path = tmp_path / "assertion"
    path.write_text(two)
    show = ("--", "printenv", "AWSUDO_ROLE_ARN")

    only = job.run("--saml", "-", *show, stdin=one)
    listed = job.run("--saml", str(path), *show)
    with Screen([AWSUDO, "--saml", str(path), *show], job.env, cwd=str(job.home), size=(30, 140)) as screen:
        screen.until("111111111111 +ops")
        screen.type("ops").until(lambda text: "role/dev" not in text)
        screen.type("\r").until(f"^{OPS}$")

    assert only.out == f"{OPS}\n", only.err
    assert listed.code == 2 and DEV in listed.err and OPS in listed.err


@pytest.mark.parametrize(
    "document",
    [
        "<a/>",
        "<a",
        _assertion(),
        _assertion("not-an-arn"),
        _assertion(DEV, head='<!DOCTYPE x [<!ENTITY a "aaaa">]>'),
        _assertion(DEV, head="<!DOCTYPE x>"),
        _assertion(DEV, head='<?xml version="1.0" encoding="UTF-16"?>'),
    ],
)
def test_an_assertion_that_has_no_roles_is_refused(document: str) -> None:
    """Broken, empty, or with a DOCTYPE, whose entities could grow without end."""
    encoding = "utf-16" if "UTF-16" in document else "utf-8"
    with pytest.raises(InvalidInput):
        roles_of(base64.b64encode(document.encode(encoding)).decode())


def test_roles_of_an_assertion_are_read_in_either_order() -> None:
    """ROLE,PROVIDER or PROVIDER,ROLE: both are in use."""
    other = _assertion(DEV).replace(f" {IDP} ,{DEV}", f"{DEV},{IDP}")

    assert roles_of(_base64(_assertion(DEV))) == roles_of(_base64(other)) == (SamlRole(DEV, IDP),)


# -- Cognito -----------------------------------------------------------------------------------------------------------

POOL = "eu-west-1:12345678-1234-1234-1234-123456789012"


def test_a_cognito_pool_gives_a_session_for_a_login(job: World, sts: StrictSts, tmp_path: Path) -> None:
    """GetId, then GetCredentialsForIdentity, unsigned; cached; another token is another session."""
    token = tmp_path / "login"
    config = f"[profile web]\ncognito_identity_pool = {POOL}\n"
    job.config(f"{config}cognito_login = accounts.google.com\ncognito_token_file = {token}\n")
    with Cognito(POOL) as cognito:
        cognito.logins = {"accounts.google.com": "token-of-ann"}
        env: dict[str, str | None] = {"AWS_ENDPOINT_URL_COGNITO_IDENTITY": cognito.url}
        missing = job.run("web", "true", env=env)
        token.write_text("token-of-ann\n")
        first = job.run("web", *KEY_ID, env=env)
        second = job.run("web", *KEY_ID, env=env)
        calls = list(cognito.actions)
        token.write_text("token-of-eve\n")
        wrong = job.run("web", "true", env=env)
        job.config(config)
        no_guest = job.run("web", "true", env=env)
        cognito.guests = True
        guest = job.run("web", *KEY_ID, env=env)

    assert missing.code == 125 and "no login token at" in missing.err
    assert first.key_id == second.key_id and calls == ["GetId", "GetCredentialsForIdentity"]
    assert wrong.code == 125 and "token-of-eve" not in wrong.err
    assert no_guest.code == 125 and "Unauthenticated access is not supported" in no_guest.err
    assert guest.key_id


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ("cognito_identity_pool = pool\n", "is not the ID of a pool"),
        (f"cognito_identity_pool = {POOL}\ncognito_login = x\n", messages.ONE_OF_A_PAIR),
        (f"cognito_identity_pool = {POOL}\ncognito_token_file = x\n", messages.ONE_OF_A_PAIR),
    ],
)
def test_an_invalid_pool_is_refused(job: World, settings: str, output: str) -> None:
    """The key, the profile and the file."""
    job.config(f"[profile web]\n{settings}")
    done = job.run("web", "true")

    assert done.code == 125 and output in done.err and "profile web" in done.err
