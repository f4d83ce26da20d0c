"""No secret is where others could read it: not in any output, argv, or file that is open to them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pexpect
import pytest

from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.servers.strict_iam import StrictAws
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

DENIED = (
    "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: "
    "arn:aws:iam::111111111111:role/dev"
)


def test_no_secret_is_in_any_output_argv_or_open_file(world: World, sts: StrictSts) -> None:
    """At any verbosity, in failure too: the secrets stay in the child's environment and in 0600 files."""
    key = sts.add_user("carol")
    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    lines = ("-v dev true", "-v dev true", "-v --refresh dev ps -ef", "base true")
    displayed = [world.run(*line.split()) for line in lines]
    sts.refuse_with("AccessDenied", DENIED)
    displayed.append(world.run("-v", "--no-cache", "dev", "true"))
    sts.fail_next("garbage", times=3)
    displayed.append(world.run("-v", "--no-cache", "dev", "true", env={"BOTO_LOG": "debug", "PYTHONVERBOSE": ""}))

    secrets = [
        key.secret_access_key,
        *(part for issued in sts.issued for part in (issued.secret_access_key, issued.session_token)),
    ]
    text = "".join(done.out + done.err for done in displayed)
    assert len(secrets) > 4 and not [secret for secret in secrets if secret in text]
    for path in world.root.rglob("*"):
        if path.is_file() and path.name != "credentials" and path.stat().st_mode & 0o077:
            content = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in content], path


def test_no_secret_is_on_the_command_line_of_a_run_that_waits(world: World, sts: StrictSts) -> None:
    """/proc shows the words that the user typed, and nothing more."""
    sts.delay = 0.5
    process = subprocess.Popen([AWSUDO, "dev", "true"], env=world.environ())
    while not sts.calls:
        time.sleep(0.01)

    cmdline = Path(f"/proc/{process.pid}/cmdline").read_bytes() if os.path.isdir("/proc") else b"dev\0true\0"
    process.wait(20)

    assert cmdline.endswith(b"dev\0true\0")


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_the_command_may_dump_core_as_its_caller_may(world: World, state: str) -> None:
    """awsudo forbids core dumps to itself, and to nobody else."""
    if state == "warm":
        world.settle()
        world.run("dev", "true")

    limited = ("sh", "-c", 'ulimit -c 7; exec "$@"', "sh")
    output = world.run("dev", "sh", "-c", "ulimit -S -c; ulimit -H -c", prefix=limited)

    assert output.out == "7\n7\n"


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_no_core_is_dumped_where_a_key_is_in_memory(world: World) -> None:
    """A crash, or a quit at the prompt, leaves no file with what was typed."""
    script = f"ulimit -S -c $(ulimit -H -c); exec {AWSUDO} keys add other"
    with KeyringSession() as session:
        environ = world.environ({**session.env})
        terminal = pexpect.spawn("sh", ["-c", script], env=environ, encoding="utf-8", timeout=20)
        terminal.expect("[Aa]ccess key")

        limits = Path(f"/proc/{terminal.pid}/limits").read_text()
        terminal.close(force=True)

    (core,) = (line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core[4] == "0" and core[5] != "0"


@needs("strace", "gnome-keyring-daemon", "dbus-daemon")
def test_a_key_is_on_no_command_line(world: World, tmp_path: Path) -> None:
    """Neither storing a key nor exporting it hands it to a program as an argument, where all users can read it."""
    with StrictAws() as aws, KeyringSession() as session:
        key = aws.add_user("alice")
        env: dict[str, str | None] = {
            **session.env,
            "AWS_ENDPOINT_URL_STS": aws.url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        trace = tmp_path / "trace"
        prefix = ("strace", "-f", "-qq", "-s", "4096", "-e", "trace=execve", "-o", str(trace))

        added = world.run("keys", "add", "work", "--from-env", env=env, prefix=prefix)
        output = trace.read_text()
        exported = world.run("keys", "export", "work", "--process", env=env, prefix=prefix)
        output += trace.read_text()

    assert (added.code, exported.code) == (0, 0), added.err + exported.err
    assert "execve(" in output and key.secret_access_key in exported.out
    assert key.secret_access_key not in output


def _repeated(world: World, sts: StrictSts, sent: str, *words: str, code: str = "AccessDenied") -> str:
    """What is shown, and kept, of an answer that repeats this: as it is, and quoted for a URL."""
    sts.refuse_with(code, f"denied: {sent} and {quote(sent, safe='')} and {quote(sent, safe='').lower()}")
    done = world.run("-v", *words, "true")
    assert done.code == 125 and "denied: [removed" in done.err, done.err
    return done.err + "".join(path.read_text(errors="replace") for path in world.entries("rejected"))


@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch", "InternalFailure", "ValidationError", "New"])
def test_a_secret_that_aws_repeats_is_struck_out(world: World, sts: StrictSts, code: str) -> None:
    """The secret access key, in any kind of refusal, is neither shown nor shared with waiting runs."""
    secret = (world.home / ".aws/credentials").read_text().split()[-1]

    assert secret not in _repeated(world, sts, secret, "dev", code=code)


def test_a_token_and_a_code_that_aws_repeats_are_struck_out(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """The session token that signs, the web identity token and the MFA code: all that a call sends."""
    world.run("base", "true")
    issued = sts.issued[-1]
    token = tmp_path / "token"
    token.write_text("eyJhbGciOiJIUzI1NiJ9.c+ret/web.identity")
    role = "arn:aws:iam::111111111111:role/dev"
    world.config(
        f"[profile ci]\nrole_arn = {role}\nweb_identity_token_file = {token}\n"
        f"[profile mfa]\nrole_arn = {role}\nsource_profile = base\nmfa_serial = arn:aws:iam::111111111111:mfa/x\n"
    )
    web = _repeated(world, sts, token.read_text(), "ci")
    code = _repeated(world, sts, "934271", "-t", "934271", "mfa")
    world.env |= {
        "AWS_ACCESS_KEY_ID": issued.access_key_id,
        "AWS_SECRET_ACCESS_KEY": issued.secret_access_key,
        "AWS_SESSION_TOKEN": issued.session_token,
    }
    session = _repeated(world, sts, issued.session_token, role)

    assert token.read_text() not in web and "934271" not in code and issued.session_token not in session


def test_a_secret_in_the_place_of_the_key_id_is_struck_out(world: World, sts: StrictSts) -> None:
    """Who has swapped the two sends the secret as the key ID, which AWS repeats in full."""
    secret = "c1k2/Zm9v+YmFyYmF6cXV4cXV1eGNvcmdlZ3JhdW" + "0"
    env: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": secret, "AWS_SECRET_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE"}
    sts.refuse_with("IncompleteSignature", f"Credential={secret}/20260101 is not valid")

    done = world.run("-v", "arn:aws:iam::111111111111:role/dev", "true", env=env)

    assert done.code == 125 and secret not in done.err + done.out


def test_an_answer_without_an_end_is_not_read_to_its_end(world: World, sts: StrictSts) -> None:
    """More than a mebibyte is not from AWS: reading stops, and the memory stays free."""
    sts.texts["SessionToken"] = "A" * (3 * 1024 * 1024)

    done = world.run("dev", "true")

    assert done.code == 125 and "is not from AWS" in done.err
    assert len(sts.calls) == 1
