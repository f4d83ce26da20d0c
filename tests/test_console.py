"""awsudo console: the link is made of the role's session, opened, printed or copied, and reaches no log."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests import messages
from tests.conftest import needs
from tests.screens import terminal
from tests.servers.federation import Federation
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World


@pytest.fixture
def federation(sts: StrictSts, world: World) -> Iterator[Federation]:
    """A federation endpoint that knows the sessions which the STS has issued."""

    def known(session: dict[str, str]) -> bool:
        parts = tuple(session[name] for name in ("sessionId", "sessionKey", "sessionToken"))
        return parts in {(each.access_key_id, each.secret_access_key, each.session_token) for each in sts.issued}

    with Federation(known) as server:
        world.env["AWSUDO_FEDERATION_ENDPOINT"] = f"{server.url}/federation"
        yield server


def test_the_link_signs_in_as_the_role(world: World, sts: StrictSts, federation: Federation) -> None:
    """The token in the link was given for the very session of the role, and opens the page that was named."""
    done = world.run("console", "dev", "--service", "s3", "--print")

    query = dict(parse_qsl(urlsplit(done.out.strip()).query))
    assert (done.code, done.err) == (0, "")
    assert query["Destination"] == "https://eu-west-1.console.aws.amazon.com/s3/buckets?region=eu-west-1"
    assert [call.method for call in federation.calls] == ["POST"] and federation.durations == [None]
    assert not any(secret in federation.calls[0].target for secret in sts.issued[0][:3])


def test_a_duration_is_that_of_the_console_session(world: World, sts: StrictSts, federation: Federation) -> None:
    """--duration goes to the console's endpoint, and leaves the role's session as it is."""
    done = world.run("console", "--duration", "8h", "dev", "--print")

    assert done.code == 0, done.err
    assert federation.durations == [28_800]
    assert "DurationSeconds" not in sts.calls[0].params


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("chained", "--duration", "8h"), "--duration: AWS does not accept one for chained"),
        (("base",), "base is an IAM user, and the console accepts only role sessions"),
        (("dev", "--service", "s33"), "no service 's33' in the console"),
        (("dev", "--path", "https://example.com"), "--path is not a path in the console"),
        (("dev", "--service", "s3", "--path", "/x"), f"--service and --path {messages.EXCLUSIVE}"),
        (("dev", "--color", "red"), "--color and --display-name are for --switch-link"),
        ((), "no target: which profile or role?"),
    ],
)
def test_what_cannot_be_opened_costs_no_call(
    world: World, sts: StrictSts, federation: Federation, words: tuple[str, ...], message: str
) -> None:
    """A mistake is named before any session is spent on it."""
    sts.add_role("arn:aws:iam::222222222222:role/far")
    config = world.home / ".aws/config"
    config.write_text(
        config.read_text() + "[profile chained]\nrole_arn = arn:aws:iam::222222222222:role/far\nsource_profile = dev\n"
    )

    done = world.run("console", *words)

    assert done.code in (2, 125) and done.err.startswith(f"awsudo: {message}"), done.err
    assert (sts.calls, federation.calls, done.out) == ([], [], "")


def test_a_refusal_of_the_endpoint_is_one_line(world: World, federation: Federation) -> None:
    """A session that the console does not take is a refusal with a hint, not a broken link."""
    federation.known = lambda _session: False

    done = world.run("console", "dev", "--print")

    assert (done.code, done.out) == (125, "")
    assert "the console's sign-in endpoint refused the session (HTTP 400" in done.err


def test_the_switch_role_link_needs_no_credentials(world: World, sts: StrictSts, federation: Federation) -> None:
    """It is made of the files alone, with the profile's colour."""
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + "awsudo_color = red\n")

    done = world.run("console", "dev", "--switch-link")

    assert done.out.strip() == (
        "https://signin.aws.amazon.com/switchrole?account=111111111111&roleName=dev&displayName=dev&color=F2B0A9"
    )
    assert (sts.calls, federation.calls) == ([], [])


@pytest.mark.parametrize(
    ("env", "opened"),
    [({"BROWSER": "record"}, True), ({"SSH_CONNECTION": "1 2 3 4"}, False), ({}, False)],
    ids=["browser", "ssh", "no-display"],
)
def test_the_page_is_opened_where_a_person_sees_it(
    world: World, federation: Federation, env: dict[str, str], opened: bool
) -> None:
    """A browser gets the link and stdout stays empty; over ssh and without a display the link is printed."""
    record, log = world.root / "record", world.root / "opened"
    record.write_text(f'#!/bin/sh\necho noise; echo noise >&2; printf "%s\\n" "$1" >>{log}\n')
    record.chmod(0o755)
    environment = {name: str(record) if value == "record" else value for name, value in env.items()}

    done = world.run("console", "dev", env={**environment, "DISPLAY": None, "WAYLAND_DISPLAY": None})

    link = log.read_text() if opened else done.out
    assert done.code == 0 and link.startswith(f"{federation.url}/federation?Action=login"), done.err
    assert (done.out == "") is opened
    assert ("opening the console as dev" in done.err) is opened and "noise" not in done.out + done.err


def test_over_ssh_the_link_is_copied_by_the_terminal(world: World, federation: Federation) -> None:
    """--copy writes OSC 52 to the terminal, which puts the link on the clipboard of the person's machine."""
    with terminal(world, "console", "dev", "--copy", env={"SSH_CONNECTION": "1 2 3 4", "TERM": "xterm"}) as ssh:
        _, shown, _ = ssh.ended()

    match = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", shown)
    assert match and base64.b64decode(match[1]).decode().startswith(f"{federation.url}/federation?Action=login")
    assert "copied the link that signs in as dev" in shown


def test_the_link_is_in_no_file(world: World, federation: Federation) -> None:
    """Neither the cache nor the journal holds the token."""
    done = world.run("-v", "console", "dev", "--print")

    token = dict(parse_qsl(urlsplit(done.out.strip()).query))["SigninToken"]
    files = [path for path in world.root.rglob("*") if path.is_file()]
    assert token and not [path for path in files if token.encode() in path.read_bytes()]
    assert token not in done.err


def test_an_endpoint_in_the_clear_is_refused(world: World, sts: StrictSts) -> None:
    """The session goes to no other machine without TLS."""
    done = world.run("console", "dev", env={"AWSUDO_FEDERATION_ENDPOINT": "http://example.com/federation"})

    assert done.code == 125 and "AWSUDO_FEDERATION_ENDPOINT" in done.err


@needs("chromium-headless-shell")
def test_a_real_browser_is_signed_in_by_the_link(world: World, federation: Federation, tmp_path: Path) -> None:
    """The link that awsudo hands to the browser opens a page that says who is signed in."""
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!/bin/sh\nexec chromium-headless-shell --no-sandbox --disable-gpu --user-data-dir={tmp_path}/data "
        f'--dump-dom "$1" >{tmp_path}/page 2>/dev/null\n'
    )
    browser.chmod(0o755)

    subprocess.run(
        [AWSUDO, "console", "dev", "--path", "/ec2/home#Instances:"],
        env=world.environ({"BROWSER": str(browser)}),
        check=True,
        timeout=60,
    )

    _wait_for(tmp_path / "page")
    assert federation.signed_in[0][1] == (
        "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:"
    )


def _wait_for(path: Path) -> None:
    """Wait until a browser that outlives awsudo has written its page."""
    end = time.monotonic() + 30
    while time.monotonic() < end and not (path.exists() and path.stat().st_size):
        time.sleep(0.02)
