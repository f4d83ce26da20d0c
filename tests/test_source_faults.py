"""What goes wrong at a source of credentials: each fault in its own words, with the address that was asked."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from tests import messages
from tests.conftest import needs
from tests.servers.serving import Answer, Call, Hangup, Serving, as_json
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import World

DEV = "arn:aws:iam::111111111111:role/dev"
KEYS = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "s" * 40, "Token": "t" * 100}
LATER, EARLIER = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
WHOLE = {**KEYS, "Expiration": LATER}
ROLES = "/latest/meta-data/iam/security-credentials/"
#: What no message may hold.
AUTHORIZATION = "Bearer-hunter2"


class Service(Serving):
    """Answers by path; what has no answer is 404."""

    def __init__(self, **answers: Answer) -> None:
        super().__init__()
        self._answers = answers

    def answer(self, call: Call) -> Answer | Hangup:
        """The answer for the last word of the path, and `token` for the PUT of IMDSv2."""
        word = "token" if call.method == "PUT" else call.path.rstrip("/").rpartition("/")[2].replace("-", "_")
        return self._answers.get(word, Answer(404))


def _fails(world: World, env: dict[str, str | None], *words: str) -> str:
    done = world.run(*(words or (DEV, "true")), env=env)

    assert done.code == 125 and "ca_bundle" not in done.err and "KeyError" not in done.err, done.err
    assert AUTHORIZATION not in done.err
    return done.err


# -- container ------------------------------------------------------------------------------------------------------

#: Status and body of the endpoint → words of the message.
CONTAINER = {
    "refused": (
        as_json({"code": "AccessDeniedException", "message": f"no such {AUTHORIZATION}"}, 403),
        (
            "refused: HTTP 403",
            "AccessDeniedException: no such [removed: it was sent]",
            "authorization token (AWS_CONTAINER_AUTH",
        ),
    ),
    "not there": (Answer(404, b"404 page not found"), ("refused: HTTP 404", "AWS_CONTAINER_CREDENTIALS_FULL_URI")),
    "no token in it": (as_json({**WHOLE, "Token": None}), ("has no Token",)),
    "nothing in it": (as_json({}), ("has no AccessKeyId, SecretAccessKey, Token, Expiration",)),
    "a list": (as_json([1]), ("has no AccessKeyId",)),
    "expired": (as_json({**KEYS, "Expiration": EARLIER}), (f"expired at {EARLIER}",)),
    "a bad date": (as_json({**KEYS, "Expiration": "soon"}), ("an Expiration or keys that cannot be used",)),
}


@pytest.mark.parametrize(("answer", "words"), CONTAINER.values(), ids=CONTAINER)
def test_the_message_of_a_container_endpoint_is_passed_on(world: World, answer: Answer, words: tuple[str, ...]) -> None:
    """Its status, code and message, its address; never the token, which it may repeat."""
    with Service(task=answer) as service:
        env: dict[str, str | None] = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/task",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION,
        }
        output = _fails(world, env)

    assert f"the container credentials endpoint ({service.url})" in output
    for word in words:
        assert word in output
    assert len(service.calls) == 1, "an answer for good is not asked for again"


class Setting(NamedTuple):
    """What is wrong in the environment, and the message."""

    env: dict[str, str]
    words: tuple[str, ...]
    text: str | None = None  # content of the token file TOKEN


SETTINGS = {
    "plain http to another host": Setting(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"}, ("http://example.com: plain http is allowed",)
    ),
    "no token file": Setting(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "TOKEN",
        },
        ("cannot read the container's authorization token", "/token: No such file"),
    ),
    "a line break in the token file": Setting(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "TOKEN",
        },
        ("has a line break", "/token, named by AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "without a line end"),
        f"{AUTHORIZATION}\n",
    ),
    "a line break in the token": Setting(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": f"{AUTHORIZATION}\r",
        },
        ("has a line break (AWS_CONTAINER_AUTHORIZATION_TOKEN)",),
    ),
    "nobody there": Setting(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/creds"},
        ("the container credentials endpoint (http://127.0.0.1:9) does not respond",),
    ),
}


@pytest.mark.parametrize(("env", "words", "text"), SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_container_setup_is_explained(
    world: World, tmp_path: Path, env: dict[str, str], words: tuple[str, ...], text: str | None
) -> None:
    """The variable, the file and what is wrong with it."""
    token = tmp_path / "token"
    if text is not None:
        token.write_bytes(text.encode())

    output = _fails(world, {name: str(token) if value == "TOKEN" else value for name, value in env.items()})

    for word in words:
        assert word in output
    assert "STS" not in output


def test_an_empty_variable_of_a_container_is_one_that_is_not_set(world: World) -> None:
    """An empty RELATIVE_URI does not hide FULL_URI; both empty: no container."""
    with Service(task=as_json({})) as service:
        env: dict[str, str | None] = {
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/task",
        }
        output = _fails(world, env)
    assert f"({service.url}) has no AccessKeyId" in output

    world.config(f"[profile ecs]\nrole_arn = {DEV}\ncredential_source = EcsContainer\n")
    output = _fails(world, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""}, "ecs", "true")
    assert "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set" in output


# -- instance -------------------------------------------------------------------------------------------------------

INSTANCE = {
    "the role does not trust EC2": (
        {
            "token": Answer(200, b"t"),
            "security_credentials": Answer(200, b"web"),
            "web": as_json({"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role web."}),
        },
        (
            "returned no credentials: AssumeRoleUnauthorizedAccess",
            "EC2 cannot assume the role web.",
            "ec2.amazonaws.com",
        ),
    ),
    "no role": ({"token": Answer(200, b"t")}, ("the instance has no role (HTTP 404 from",)),
    "a field is missing": (
        {
            "token": Answer(200, b"t"),
            "security_credentials": Answer(200, b"web"),
            "web": as_json({"Code": "Success", **KEYS}),
        },
        ("has no Expiration",),
    ),
    "refused": (
        {"token": Answer(200, b"t"), "security_credentials": Answer(401)},
        ("refused: HTTP 401",),
    ),
}


@pytest.mark.parametrize(("answers", "words"), INSTANCE.values(), ids=INSTANCE)
def test_the_message_of_the_metadata_service_is_passed_on(
    world: World, answers: dict[str, Answer], words: tuple[str, ...]
) -> None:
    """Its code and its own words, and its address."""
    with Service(**answers) as service:
        output = _fails(
            world,
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url, "AWS_EC2_METADATA_DISABLED": "false"},
        )

    for word in (*words, service.url):
        assert word in output


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"}, ("is switched off by AWS_EC2_METADATA_DISABLED",)),
        (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "false"},
            ("(http://127.0.0.1:9) does not respond",),
        ),
        (
            {
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": "SERVICE",
                "AWS_EC2_METADATA_DISABLED": "false",
                "AWS_EC2_METADATA_V1_DISABLED": "true",
            },
            ("returned no token for IMDSv2 (HTTP 403), and IMDSv1 is switched off", "--http-put-response-hop-limit 2"),
        ),
    ],
    ids=["switched off", "nobody there", "only IMDSv1"],
)
def test_a_missing_metadata_service_is_explained(world: World, env: dict[str, str], words: tuple[str, ...]) -> None:
    """Not as a broken profile, and not as a service that gave nothing."""
    with Service(token=Answer(403)) as service:
        output = _fails(world, {name: service.url if value == "SERVICE" else value for name, value in env.items()})

    for word in words:
        assert word in output


# -- credential_process ----------------------------------------------------------------------------------------------

PROCESSES = {
    "nothing": ("true", "there is no output"),
    "text before the JSON": ("echo hello '{}'", "there is text before the JSON"),
    "an array": ("echo '[]'", "the JSON is not an object"),
    "no Version": ('echo \'{"AccessKeyId": "A"}\'', "no Version"),
    "a Version in quotes": ('echo \'{"Version": "1"}\'', "Version is not a number, and must be 1"),
    "no secret": ('echo \'{"Version": 1, "AccessKeyId": "A"}\'', "no SecretAccessKey"),
    "an empty key": ('echo \'{"Version": 1, "AccessKeyId": "", "SecretAccessKey": "s"}\'', "AccessKeyId is empty"),
    "a token that is a number": (
        'echo \'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": 7}\'',
        "SessionToken is not a string",
    ),
    "a bad date": (
        'echo \'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "soon"}\'',
        "Expiration is not a time such as 2030-01-01T00:00:00Z",
    ),
    "expired": (
        'echo \'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}\'',
        "expired at 2020-01-01T00:00:00Z",
    ),
    "killed": ("kill -9 $$", "was killed by signal 9 (Killed)"),
}


@pytest.mark.parametrize(("body", "words"), PROCESSES.values(), ids=PROCESSES)
def test_what_is_wrong_with_the_document_of_a_process_is_named(
    world: World, tmp_path: Path, body: str, words: str
) -> None:
    """Which key, which rule; nothing of what it printed, which may be a secret."""
    script = tmp_path / "process"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")

    output = _fails(world, {}, "vault", "true")

    assert "credential_process of profile vault" in output and words in output
    assert "hello" not in output


@pytest.mark.parametrize("command", ["~/no/such", "$HOME/no/such", "a-program-that-is-not | there"])
def test_a_process_with_shell_syntax_is_explained(world: World, command: str) -> None:
    """By hand it works: the shell expands it. No shell reads credential_process."""
    world.config(f"[profile vault]\ncredential_process = {command}\n")

    output = _fails(world, {}, "vault", "true")

    assert "it is not run by a shell" in output and "by hand" not in output


# -- web identity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"abc", "has 3 characters, which is not a token"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_token_file_without_a_token_is_named(world: World, tmp_path: Path, content: bytes, words: str) -> None:
    """Not as a profile with a bad ca_bundle."""
    token = tmp_path / "token"
    token.write_bytes(content)
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    output = _fails(world, {}, "ci", "true")

    assert f"{token}" in output and words in output


@needs("setpriv")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's place")
@pytest.mark.parametrize("closed", ["file", "directory"])
def test_a_token_file_of_another_user_is_reported_with_its_owner(closed: str) -> None:
    """Whose it is, and who we are: `cannot read` alone sends people looking for typos."""
    # not tmp_path: pytest closes the directories above it to other users
    with TemporaryDirectory() as root:
        world = World(Path(root))
        place = Path(root, "tokens")
        place.mkdir()
        token = place / "token"
        token.write_text("token-1")
        world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n").chmod(0o644)
        for path in (Path(root), world.home, world.home / ".aws"):
            path.chmod(0o755)
        token.chmod(0o600 if closed == "file" else 0o644)
        place.chmod(0o755 if closed == "file" else 0o700)
        as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

        done = world.run("ci", "true", prefix=as_nobody, env={"XDG_RUNTIME_DIR": None, "AWSUDO_CACHE_DIR": "/nowhere"})

    culprit = token if closed == "file" else place
    assert done.code == 125 and f"{culprit} belongs to root (mode 0{600 if closed == 'file' else 700})" in done.err
    assert "awsudo runs as nobody" in done.err


# -- the clock -------------------------------------------------------------------------------------------------------

SSO_PROFILE = (
    "[profile corp]\nsso_session = s\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
    "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
)


@needs("faketime")
@pytest.mark.parametrize("kind", ["sso", "web identity"])
def test_a_clock_that_is_hours_ahead_is_reported(world: World, sts: StrictSts, tmp_path: Path, kind: str) -> None:
    """Without a signature AWS cannot see it: the session seems to have expired. It is not a captive portal."""
    with Sso() as sso:
        sso.allow("222222222222", "Admin")
        token = tmp_path / "token"
        token.write_text("token-1")
        sts.add_web_identity("token-1")
        ci = f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n"
        world.config(SSO_PROFILE + ci)
        sso.write_cached_token(
            world.home, start_url="https://x.awsapps.com/start", session_name="s", expires_in=6 * 3600
        )
        target = "corp" if kind == "sso" else "ci"

        done = world.run(target, "true", env=dict(sso.environ), prefix=("faketime", "-f", "+2h"))

    assert done.code == 125 and "this machine's clock is 2h ahead of AWS" in done.err
    assert "timedatectl" in done.err and "captive" not in done.err


def test_a_proxy_that_cannot_be_reached_is_named_by_its_own_address(world: World) -> None:
    """Not by that of STS, and without the password in it."""
    world.env["AWS_ENDPOINT_URL_STS"] = "https://sts.example.com"
    proxy = "http://u:hunter2@127.0.0.1:9"

    output = _fails(world, {"HTTPS_PROXY": proxy}, "dev", "true")

    assert f"{messages.NO_PROXY} (http://127.0.0.1:9)" in output
    assert "hunter2" not in output and "sts.example.com" not in output


#: Answers of the SSO portal that are not AWS's own.
PORTAL = {
    "a redirect": Answer(302, b"", {"Location": "https://login.example.com/"}),
    "a login page": Answer(200, b"<html>log in</html>", {"Content-Type": "text/html"}),
    "401 without a type": Answer(401, b"{}", {"Content-Type": "application/json"}),
    "401 in HTML": Answer(401, b"<html>no</html>", {"Content-Type": "text/html"}),
    "407": Answer(407, b"<html>proxy</html>", {"Content-Type": "text/html"}),
    "429": Answer(429, b"<html>slow</html>", {"Content-Type": "text/html"}),
    "429 without a type": Answer(429, b"{}", {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("name", PORTAL)
def test_an_answer_that_is_not_the_portals_is_put_in_words(world: World, name: str) -> None:
    """A redirect, a page, a bare status: what answered, with which status, and what to look at."""
    words = {
        "a redirect": "HTTP 302",
        "a login page": "a response that is not from AWS",
        "407": "the proxy requires a user name and a password (HTTP 407)",
    }
    with Sso() as sso, Service(credentials=PORTAL[name]) as portal:
        world.config(SSO_PROFILE)
        sso.write_cached_token(world.home, start_url="https://x.awsapps.com/start", session_name="s")
        env = {"AWS_ENDPOINT_URL_SSO": portal.url, "AWS_ENDPOINT_URL_SSO_OIDC": sso.url, "AWS_MAX_ATTEMPTS": "1"}

        output = _fails(world, dict(env), "corp", "true")

    expected = words.get(name) or ("throttling calls" if name.startswith("429") else "HTTP 401")
    assert expected in output, output
    assert "None" not in output


def test_the_time_stamps_here_are_what_they_say() -> None:
    """LATER is later than any run of these tests."""
    assert EARLIER < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) < LATER and json.dumps(WHOLE)


def test_a_web_identity_beyond_the_roles_maximum_gets_a_command_to_paste(
    world: World, sts: StrictSts, tmp_path: Path
) -> None:
    """The role and the duration are in it, not None and ROLE."""
    token = tmp_path / "token"
    token.write_text("token-1")
    sts.add_web_identity("token-1")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    output = _fails(world, {}, "-d", "2h", "ci", "true")

    assert "for 7200 s: the role's maximum is lower" in output
    assert "--role-name dev --max-session-duration 7200" in output and "None" not in output


@needs("faketime")
def test_a_second_run_waits_for_a_process_as_for_a_person(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """A sign-in in a browser may take a minute: the second run neither gives up nor opens another window."""
    key = sts.add_user("vault")
    script, log, gate = tmp_path / "process", tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    document = json.dumps({"Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key})
    script.write_text(
        f"#!/bin/sh\necho run >> {log}\n[ -e {tmp_path}/signed-in ] || read line < {gate}\n"
        f"touch {tmp_path}/signed-in\necho '{document}'\n"
    )
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")
    first = subprocess.Popen(world.command("vault", "true"), env=world.environ())
    until(lambda: log.exists())

    # thirty seconds pass for it in one of ours
    hurried = ["faketime", "-f", "+0 x30", *world.command("vault", "true")]
    with subprocess.Popen(
        hurried, env=world.environ(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as second:
        assert second.stderr is not None
        output = second.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(2)
        assert log.read_text() == "run\n"
        gate.write_text("done\n")

        assert (first.wait(30), second.wait(30)) == (0, 0)

    assert "waiting for another awsudo that is running credential_process of profile vault" in output


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, for 20 s at most."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_half_a_key_in_the_environment_is_named(world: World) -> None:
    """Not `no keys`: there is one, and the other half is missing."""
    output = _fails(world, {"AWS_SECRET_ACCESS_KEY": "s"})

    assert "AWS_SECRET_ACCESS_KEY is set in the environment without AWS_ACCESS_KEY_ID" in output


def test_a_cache_directory_that_is_open_to_others_comes_with_the_command_that_closes_it(
    world: World, tmp_path: Path
) -> None:
    """Pasted, it does what it says: the next run says nothing."""
    place = tmp_path / "my cache"
    place.mkdir()
    place.chmod(0o755)
    env: dict[str, str | None] = {"AWSUDO_CACHE_DIR": str(place)}

    done = world.run("dev", "true", env=env)

    assert done.code == 0 and f"chmod 700 '{place}'" in done.err
    subprocess.run(["sh", "-c", done.err[done.err.index("chmod") :]], check=True)
    assert world.run("dev", "true", env=env).err == ""
