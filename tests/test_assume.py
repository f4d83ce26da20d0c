"""What STS is asked, and how its answers are told: every input, every limit, every refusal, every kind of failure."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from awsudo_py.options import INPUTS
from tests.conftest import needs
from tests.servers.metadata import Metadata
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

DEV = "arn:aws:iam::111111111111:role/dev"
MFA = "arn:aws:iam::111111111111:mfa/phone"
POLICY = '{"Version":"2012-10-17","Statement":[]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class Said(NamedTuple):
    """One input: two values as typed, the parameter of the call they become, the profile key, a value that is none."""

    option: str
    values: tuple[str, str]
    parameter: str
    sent: tuple[str, str]
    key: str = ""
    wrong: str = ""


#: By field of Request; what has no parameter of AssumeRole is tested where it matters (see NOT_SENT).
SAID = {
    "duration": Said("--duration", ("15m", "1200"), "DurationSeconds", ("900", "1200"), "duration_seconds", "899"),
    "session_name": Said("--session-name", ("ann", "ben"), "RoleSessionName", ("ann", "ben"), "role_session_name", "a b"),
    "external_id": Said("--external-id", ("id-1", "id-2"), "ExternalId", ("id-1", "id-2"), "external_id", "x"),
    "policy": Said("--policy", (POLICY, POLICY.replace("2012", " 2012")), "Policy", (POLICY, POLICY.replace("2012", " 2012")), wrong="{"),
    "policy_arns": Said("--policy-arn", (READ_ONLY, READ_ONLY + "2"), "PolicyArns.member.1.arn", (READ_ONLY, READ_ONLY + "2"), wrong="arn"),
    "tags": Said("--tag", ("team=a", "team=b"), "Tags.member.1.Value", ("a", "b"), "session_tags", "team"),
    "source_identity": Said("--source-identity", ("ann", "ben"), "SourceIdentity", ("ann", "ben"), "source_identity", "aws:x"),
    "mfa_serial": Said("--mfa-serial", (MFA, MFA + "2"), "SerialNumber", (MFA, MFA + "2"), "mfa_serial", "short"),
}  # fmt: skip
NOT_SENT = {"mfa_code", "mfa_process", "mfa_session_duration", "mfa_per_role"}
NOT_SENT |= {"transitive_tags", "region", "min_ttl", "refresh", "no_cache"}
FIELDS = {wanted.field: wanted for wanted in INPUTS}


def test_every_input_has_its_row() -> None:
    """A new input is tested like the others, or said to be none of STS's."""
    assert set(FIELDS) == set(SAID) | NOT_SENT


def _sent(world: World, sts: StrictSts, *words: str, env: dict[str, str | None] | None = None) -> dict[str, str]:
    """The parameters of the one AssumeRole that this run makes, whatever STS says of it."""
    sts.forget()
    done = world.run("--no-cache", *words, "dev", "true", env={"AWSUDO_MFA_CODE": "123456", **(env or {})})
    assert len(sts.calls) == 1, done.err
    return sts.calls[0].params


@pytest.mark.parametrize("field", SAID)
def test_an_option_wins_over_its_variable_and_that_over_the_profile(world: World, sts: StrictSts, field: str) -> None:
    """The order is the same for every input, and what was said is what STS hears."""
    said = SAID[field]
    variable = FIELDS[field].variable

    assert _sent(world, sts, said.option, said.values[0])[said.parameter] == said.sent[0]
    assert _sent(world, sts, env={variable: said.values[1]})[said.parameter] == said.sent[1]
    assert (
        _sent(world, sts, said.option, said.values[0], env={variable: said.values[1]})[said.parameter] == said.sent[0]
    )
    if said.key:
        config = world.home / ".aws" / "config"
        config.write_text(
            f"{config.read_text()}{said.key} = {said.sent[0] if '=' not in said.values[0] else said.values[0]}\n"
        )
        assert _sent(world, sts)[said.parameter] == said.sent[0]
        assert _sent(world, sts, env={variable: said.values[1]})[said.parameter] == said.sent[1]


@pytest.mark.parametrize("field", SAID)
def test_a_value_beyond_its_limit_is_refused_before_any_call(world: World, sts: StrictSts, field: str) -> None:
    """On the command line it is a usage error, elsewhere awsudo's own; it names where the value was written."""
    said = SAID[field]

    option = world.run(said.option, said.wrong, "dev", "true")
    variable = world.run("dev", "true", env={FIELDS[field].variable: said.wrong})

    assert (option.code, variable.code, sts.calls) == (2, 125, [])
    assert said.option in option.err and FIELDS[field].variable in variable.err
    if said.key:
        config = world.home / ".aws" / "config"
        config.write_text(f"{config.read_text()}{said.key} = {said.wrong}\n")
        profile = world.run("dev", "true")
        assert (profile.code, sts.calls) == (125, [])
        assert f"{said.key} of profile dev ({config})" in profile.err


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        (("-d", "43201"), "43200"),
        (("-n", "x" * 65), "2 to 64"),
        (("-n", "name\n"), "characters that STS does not take"),
        (("-n", "näme"), "characters that STS does not take"),
        (("-e", "x" * 1225), "2 to 1224"),
        (("-m", "x" * 257), "9 to 256"),
        (("-t", "12345"), "six digits"),
        (("--policy", POLICY.replace("[]", '["' + "x" * 2048 + '"]')), "2048"),
        (("--policy", '{"Statement":[],"Statement":[]}'), "twice"),
        (tuple(word for _ in range(11) for word in ("--policy-arn", READ_ONLY)), "at most 10"),
        (tuple(word for number in range(51) for word in ("--tag", f"k{number}=v")), "at most 50"),
        (("--tag", f"{'k' * 129}=v"), "1 to 128"),
        (("--tag", f"k={'v' * 257}"), "0 to 256"),
        (("--tag", "a=1", "--tag", "A=2"), "twice"),
        (("--transitive-tag", "team"), "not among the session's tags"),
        (("--region", "eu west"), "a-z 0-9 -"),
        (("--min-ttl", "2h"), "not less than"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_limit_is_in_its_message(world: World, sts: StrictSts, words: tuple[str, ...], bound: str) -> None:
    """One beyond the bound is refused, and the bound is told."""
    done = world.run(*words, "dev", "true")

    assert (done.code, sts.calls) == (2, []), done.err
    assert bound in done.err


def test_what_is_at_its_limit_is_taken(world: World, sts: StrictSts) -> None:
    """The bounds themselves are allowed, and STS agrees."""
    sts.add_role(DEV, max_session=43200, external_id="x" * 1224)
    words = (
        "-d",
        "12h",
        "-n",
        "n" * 64,
        "-e",
        "x" * 1224,
        *[w for i in range(10) for w in ("--policy-arn", READ_ONLY + str(i))],
    )

    done = world.run(*words, "--tag", f"{'k' * 128}=", "--transitive-tag", "k" * 128, "dev", "true")

    assert (done.code, done.err) == (0, "")
    assert sts.calls[0].params["TransitiveTagKeys.member.1"] == "k" * 128


@pytest.mark.parametrize(
    ("user", "begins"), [("alice", "alice@"), ('Ælice O"Neil', "-lice-O-Neil@"), ("x" * 100, "x" * 64), ("", "")]
)
def test_the_default_session_name_is_readable_and_safe(world: World, sts: StrictSts, user: str, begins: str) -> None:
    """USER@HOST, made of what STS takes, whoever the user is."""
    name = _sent(world, sts, env={"USER": user, "LOGNAME": user})["RoleSessionName"]

    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII) and name.startswith(begins)


# -- what STS refuses ------------------------------------------------------------------------------------------------

DENIED = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: {} on resource: " + DEV
ASSUME = DENIED.format("sts:AssumeRole")


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        ("AccessDenied", ASSUME, "AWS does not say why"),
        ("AccessDenied", f"{ASSUME} because no identity-based policy allows the sts:AssumeRole action", "on the caller's side"),
        ("AccessDenied", f"{ASSUME} with an explicit deny in an identity-based policy", "find the Deny among the policies"),
        ("AccessDenied", f"{ASSUME} because no role trust policy allows the sts:AssumeRole action", "on the role's side"),
        ("AccessDenied", f"{ASSUME} with an explicit deny in the role trust policy", "find the Deny in its trust policy"),
        ("AccessDenied", f"{ASSUME} with an explicit deny in a service control policy", "service control policy"),
        ("AccessDenied", f"{ASSUME} because no permissions boundary allows the sts:AssumeRole action", "permissions boundary"),
        ("AccessDenied", f"{ASSUME} because no session policy allows the sts:AssumeRole action", "session policy"),
        ("AccessDenied", f"{ASSUME} because no VPC endpoint policy allows the sts:AssumeRole action", "VPC endpoint"),
        ("AccessDenied", DENIED.format("sts:TagSession"), "sts:TagSession is missing"),
        ("AccessDenied", DENIED.format("sts:SetSourceIdentity"), "sts:SetSourceIdentity is missing"),
        ("AccessDenied", "Roles may not be assumed by root accounts.", "root user's keys"),
        ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ", "a code works once"),
        ("ExpiredToken", "The security token included in the request is expired", "have expired"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "does not know the access key"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "does not fit the access key"),
        ("MalformedPolicyDocument", "Syntax errors in policy.", "the session policy is not one"),
        ("PackedPolicyTooLarge", "Packed policy consumes 110% of allotted space", "--policy-arn"),
        ("RegionDisabledException", "STS is not activated in this region", "--region us-east-1"),
        ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "-d 1h"),
        ("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining", "1h is the most"),
        ("NewKindOfError", "a text nobody has seen", "NewKindOfError"),
    ],
    ids=lambda value: str(value)[-40:],
)  # fmt: skip
def test_a_refusal_is_told_in_words_with_the_original_beside_it(
    world: World, sts: StrictSts, code: str, text: str, told: str
) -> None:
    """What was refused, which side to look at, what to do; and AWS's own text. It is not asked again."""
    sts.refuse_with(code, text, status=403 if code != "ValidationError" else 400)

    done = world.run("dev", "true")

    assert (done.code, done.out, len(sts.calls)) == (125, "", 1)
    assert done.err.startswith(f"awsudo: cannot get a session of {DEV}")
    assert told in done.err and f"AWS said: {text}".strip() in done.err


def test_nothing_that_sts_says_can_touch_the_terminal(world: World, sts: StrictSts) -> None:
    """Control characters and overrides in an answer arrive spelled out, in errors and in who one is."""
    hostile = "User: \u202e\x9b31m\u2028evil is not authorized"
    sts.refuse_with("AccessDenied", hostile)

    done = world.run("-v", "dev", "true")

    assert done.code == 125 and all(line.isprintable() for line in done.err.splitlines())
    assert "\\x9b31m" in done.err and "\\u202e" in done.err


@needs("faketime")
@pytest.mark.parametrize(("shift", "said"), [("+1h", "60 min ahead"), ("-1h", "60 min behind")])
def test_a_clock_that_is_an_hour_off_is_told_by_how_much(world: World, sts: StrictSts, shift: str, said: str) -> None:
    """Not "signature does not match": the clock, by how much, and how to set it."""
    done = world.run("dev", "true", prefix=("faketime", "-f", shift))

    assert done.code == 125
    assert f"this machine's clock is {said}" in done.err and "set the clock" in done.err


# -- failures of the network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["html", "html200", "garbage", "truncated", "empty", "reset", "500", "503", "noerror"])
def test_a_broken_answer_is_one_clear_line(world: World, sts: StrictSts, kind: str) -> None:
    """Whatever stands between us and STS may answer: no traceback, no session, exit 125 with what to check."""
    sts.fail_next(kind, times=5)

    done = world.run("dev", "true")

    assert (done.code, done.out) == (125, "")
    assert done.err.startswith(f"awsudo: cannot get a session of {DEV}") and "awsudo: internal error" not in done.err


def test_throttling_backs_off_and_tries_again(world: World, sts: StrictSts) -> None:
    """Two refusals for asking too often, and the third try is the session."""
    sts.fail_next("throttle", times=2)

    done = world.run("dev", "true")

    assert (done.code, len(sts.calls)) == (0, 3)


def test_a_call_with_a_code_on_board_is_never_sent_twice(world: World, sts: StrictSts) -> None:
    """A code works once: not even throttling makes us send it again."""
    device = sts.add_mfa("alice", MFA)
    sts.fail_next("throttle", times=1)

    done = world.run("-m", MFA, "-t", device.code(), "dev", "true")

    assert (done.code, len(sts.calls)) == (125, 1)


def test_a_code_opens_a_role_once_and_its_reuse_is_said_to_be_one(world: World, sts: StrictSts) -> None:
    """--mfa-code reaches STS with the device; the same code again is told to be spent."""
    code = sts.add_mfa("alice", MFA).code()
    sts.add_role(DEV, mfa_required=True)

    first = world.run("--no-cache", "-m", MFA, "-t", code, "dev", "true")
    again = world.run("--no-cache", "-m", MFA, "-t", code, "dev", "true")

    assert (first.code, again.code) == (0, 125)
    assert "the MFA code was refused" in again.err and code not in again.err


def test_a_refused_connection_says_where_and_what_to_check(world: World) -> None:
    """Nobody there: the address, and what may stand in the way."""
    done = world.run("dev", "true", env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})

    assert done.code == 125
    assert "http://127.0.0.1:1" in done.err and "HTTPS_PROXY" in done.err


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_nothing_hangs_longer_than_forty_seconds(world: World, sts: StrictSts, kind: str) -> None:
    """A server that takes the connection and says nothing, or a byte a second, is given up on."""
    sts.fail_next(kind, times=9)
    begun = time.monotonic()

    done = world.run("dev", "true")

    assert done.code == 125 and "no answer" in done.err
    assert time.monotonic() - begun < 40


def test_ctrl_c_while_sts_is_asked_ends_with_130_and_leaves_no_lock(world: World, sts: StrictSts) -> None:
    """The user does not wait: 130, no traceback, and the next run succeeds."""
    sts.fail_next("hang")
    process = subprocess.Popen([AWSUDO, "dev", "true"], env=world.environ(), stderr=subprocess.PIPE, text=True)
    while not sts.calls:
        time.sleep(0.02)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)

    assert process.returncode == 130 and "Traceback" not in said
    assert world.run("dev", "true").code == 0


# -- sources ---------------------------------------------------------------------------------------------------------


def _as_dev(world: World, env: dict[str, str | None] | None = None, target: str = DEV) -> str:
    done = world.run(target, "sh", "-c", "echo $AWSUDO_ROLE_ARN", env=env)
    return done.out.strip() or done.err


def test_the_ambient_credentials_are_those_of_the_aws_cli(world: World, sts: StrictSts) -> None:
    """A bare ARN starts from the environment's keys, AWS_PROFILE, or the default profile."""
    key = sts.add_user("bob")
    variables: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }

    assert _as_dev(world, variables) == DEV and sts.calls[-1].access_key_id == key.access_key_id
    assert _as_dev(world, {"AWS_PROFILE": "base"}) == DEV
    world.credentials((world.home / ".aws" / "credentials").read_text().replace("[base]", "[default]"))
    assert _as_dev(world) == DEV


def test_a_container_and_an_instance_are_sources_that_are_asked_every_time(world: World, sts: StrictSts) -> None:
    """Metadata services give the source; the role's session is kept under the key they gave."""
    world.run("base", "true")
    machine = sts.issued[-1]
    with Metadata(machine.access_key_id, machine.secret_access_key, machine.session_token) as server:
        instance = {**server.instance_environ, "AWS_EC2_METADATA_DISABLED": "false"}
        for environ in (server.container_environ, instance):
            before = len(server.calls)

            assert _as_dev(world, dict(environ)) == DEV
            asked = len(server.calls) - before
            assert _as_dev(world, dict(environ)) == DEV

            assert asked > 0 and len(server.calls) - before == 2 * asked
    assert sts.count("AssumeRole") == 1


def test_an_sso_profile_is_a_target_and_its_session_is_kept(world: World) -> None:
    """The token that `aws sso login` left gives the role's credentials; without it, the hint is to log in."""
    with Sso() as sso:
        sso.allow("222222222222", "Admin")
        config = (
            "[profile corp]\nsso_session = s\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
            "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
        )
        world.config(config)
        env: dict[str, str | None] = dict(sso.environ)
        nobody = world.run("corp", "true", env=env)
        sso.write_cached_token(world.home, start_url="https://x.awsapps.com/start", session_name="s")
        first = world.run("corp", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", env=env)
        asked = len(sso.calls)
        second = world.run("corp", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", env=env)

    assert nobody.code == 125 and "aws sso login --sso-session s" in nobody.err
    assert first.code == 0 and first.out.startswith("ASIA"), first.err
    assert (second.out, len(sso.calls)) == (first.out, asked)


def test_a_web_identity_is_a_source(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """A token file and a role, in the profile or in the environment; another token is another session."""
    token = tmp_path / "token"
    token.write_text("token-1")
    for text in ("token-1", "token-2"):
        sts.add_web_identity(text)
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    first = world.run("ci", "true")
    again = world.run("ci", "true")
    token.write_text("token-2")
    other = world.run("ci", "true")

    assert (first.code, again.code, other.code) == (0, 0, 0), first.err
    assert sts.count("AssumeRoleWithWebIdentity") == 2


def test_a_credential_process_talks_to_the_user_and_leaves_stdin_alone(
    world: World, sts: StrictSts, tmp_path: Path
) -> None:
    """Its stderr is the user's, the child gets all of stdin, and what it prints becomes the source."""
    key = sts.add_user("vault")
    script = tmp_path / "process"
    script.write_text(
        "#!/bin/sh\ncat >/dev/null\necho please touch the key >&2\n"
        f'echo \'{{"Version": 1, "AccessKeyId": "{key.access_key_id}", "SecretAccessKey": "{key.secret_access_key}"}}\'\n'
    )
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")

    role = world.run("-p", "vault", DEV, "cat", stdin="for the child")
    plain = world.run("vault", "sh", "-c", "echo $AWS_SESSION_TOKEN")

    assert (role.code, role.out) == (0, "for the child") and "please touch the key" in role.err
    assert plain.code == 0 and len(plain.out) > 20  # long-lived keys never reach a child
    assert sts.count("GetSessionToken") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 3", "failed with exit code 3"),
        ("echo nonsense", "printed no credentials"),
        ("echo '{\"Version\": 2}'", "printed no credentials"),
        (
            'echo \'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"2020-01-01T00:00:00Z"}\'',
            "expired",
        ),
    ],
)
def test_a_credential_process_that_fails_is_named(world: World, tmp_path: Path, body: str, said: str) -> None:
    """The profile, the file and what went wrong; never what it printed."""
    script = tmp_path / "process"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")

    done = world.run("vault", "true")

    assert done.code == 125 and "credential_process of profile vault" in done.err and said in done.err


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_no_secret_is_in_any_output_argv_or_open_file(world: World, sts: StrictSts) -> None:
    """Whatever is asked, at any verbosity, in failure too: the secrets stay in the child's environment and in 0600 files."""
    key = sts.add_user("carol")
    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    shown = []
    for words in (
        ["-v", "dev", "true"],
        ["-v", "dev", "true"],
        ["-v", "--refresh", "dev", "ps", "-ef"],
        ["base", "true"],
    ):
        shown.append(world.run(*words))
    sts.refuse_with("AccessDenied", ASSUME)
    shown.append(world.run("-v", "--no-cache", "dev", "true"))
    sts.fail_next("garbage", times=3)
    shown.append(world.run("-v", "--no-cache", "dev", "true", env={"BOTO_LOG": "debug", "PYTHONVERBOSE": ""}))

    secrets = [
        key.secret_access_key,
        *(part for issued in sts.issued for part in (issued.secret_access_key, issued.session_token)),
    ]
    text = "".join(done.out + done.err for done in shown)
    assert len(secrets) > 4 and not [secret for secret in secrets if secret in text]
    for path in world.root.rglob("*"):
        if path.is_file() and path.name != "credentials" and path.stat().st_mode & 0o077:
            content = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in content], path


def test_no_secret_is_on_the_command_line_of_a_run_that_waits(world: World, sts: StrictSts) -> None:
    """/proc shows the words that the user typed, and nothing more."""
    sts.delay = 1.0
    process = subprocess.Popen([AWSUDO, "dev", "true"], env=world.environ())
    while not sts.calls:
        time.sleep(0.02)

    cmdline = Path(f"/proc/{process.pid}/cmdline").read_bytes() if os.path.isdir("/proc") else b"dev\0true\0"
    process.wait(20)

    assert cmdline.endswith(b"dev\0true\0")
