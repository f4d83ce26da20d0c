"""Network failures: one line each, retried where that helps, and over in forty seconds."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests import messages
from tests.conftest import needs
from tests.servers.serving import Answer, Call, Hangup, Serving
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

DEV = "arn:aws:iam::111111111111:role/dev"
PHONE = "arn:aws:iam::111111111111:mfa/phone"
CANNOT = f"awsudo: cannot get a session of {DEV}: "
#: Ten seconds of waiting, for a socket or between two tries, pass in one.
HURRY = ("faketime", "-f", "+0 x10")
START_URL = "https://corp.example/start"
SSO_PROFILE = (
    "[profile corp]\nsso_session = corp\nsso_account_id = 222222222222\nsso_role_name = Ops\n"
    f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
)


class Web(Serving):
    """Gives one answer to everybody, as a proxy or a captive portal does."""

    def __init__(self, answer: Answer | Hangup) -> None:
        super().__init__()
        self._answer = answer

    def answer(self, call: Call) -> Answer | Hangup:
        """The one answer."""
        return self._answer


# -- invalid responses -----------------------------------------------------------------------------------------------

#: Kinds of failure, their messages, and how often the call is made.
FAILURES = {
    "reset": (messages.CONNECTION_FAILED, 3),
    "empty": (messages.CONNECTION_FAILED, 3),
    "hang": ("no response", 3),
    "500": ("AWS failed (HTTP 500)", 3),
    "503": ("AWS failed (HTTP 503)", 3),
    "throttle": (messages.THROTTLED, 3),
    "html": (messages.NOT_FROM_AWS, 1),
    "html200": (messages.NOT_FROM_AWS, 1),
    "garbage": (messages.NOT_FROM_AWS, 1),
    "truncated": (messages.NOT_FROM_AWS, 1),
    "short": (messages.NOT_FROM_AWS, 1),
    "noerror": ("HTTP 400", 1),
}


@needs("faketime")
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_one_line_and_is_retried_where_that_helps(world: World, sts: StrictSts, kind: str) -> None:
    """What failed, where, and what to check; the command does not run and nothing is kept."""
    output, tries = FAILURES[kind]
    sts.fail_next(kind, times=9)

    done = world.run("dev", "echo", "ran", prefix=HURRY)

    assert (done.code, done.out, len(sts.calls)) == (125, "", tries), done.err
    assert done.err.startswith(CANNOT) and output in done.err.splitlines()[0]
    assert not world.entries("session")
    if kind not in ("500", "503", "throttle", "noerror"):
        assert sts.url in done.err and "HTTPS_PROXY" in done.err and "AWS_ENDPOINT_URL" in done.err


@needs("faketime")
@pytest.mark.parametrize("kind", [kind for kind, (_, tries) in FAILURES.items() if tries > 1])
def test_a_call_with_a_code_on_board_is_never_sent_twice(world: World, sts: StrictSts, kind: str) -> None:
    """A code works once: not a time-out, a reset nor throttling makes us send it again."""
    code = sts.add_mfa("alice", PHONE).code()
    sts.fail_next(kind, times=9)

    done = world.run("-m", PHONE, "-t", code, "dev", "true", prefix=HURRY)

    assert (done.code, len(sts.calls)) == (125, 1)
    assert code not in done.err


@needs("faketime")
@pytest.mark.parametrize("kind", [kind for kind, (_, tries) in FAILURES.items() if tries > 1])
def test_what_passes_is_waited_out(world: World, sts: StrictSts, kind: str) -> None:
    """Two failures in a row, and the third try is the session, without a word."""
    sts.fail_next(kind, times=2)

    done = world.run("dev", "true", prefix=HURRY)

    assert (done.code, done.err, len(sts.calls)) == (0, "", 3)


@needs("faketime")
def test_throttling_is_answered_by_waiting_longer_and_longer(
    world: World, sts: StrictSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between tries there is a pause, of no more than some seconds."""
    sts.fail_next("throttle", times=2)
    arrived: list[float] = []
    answer = sts.answer

    def noted(*given: Any) -> Any:
        arrived.append(time.monotonic())
        return answer(*given)

    monkeypatch.setattr(sts, "answer", noted)

    done = world.run("dev", "true")

    assert done.code == 0 and len(arrived) == 3
    assert all(later - sooner < 5 for sooner, later in pairwise(arrived))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(301, b"<html>moved<br></html>", {"Location": "https://portal.example/", "Content-Type": "text/html"}),
        Answer(302, b"", {"Location": "http://127.0.0.1:1/login"}),
        Answer(307, b"<html>log in<br></html>", {"Location": "http://127.0.0.1:1/login", "Content-Type": "text/html"}),
        Answer(403, b"<html>blocked by the firewall<br></html>", {"Content-Type": "text/html"}),
        Answer(407, b"<html>who are you<br></html>", {"Content-Type": "text/html"}),
        Answer(204),
        Answer(200, b""),
        Answer(200, b"<html><body>Welcome to the hotel</body></html>", {"Content-Type": "text/html"}),
        Answer(200, b"<AssumeRoleResponse/>", {"Content-Type": "text/xml"}),
        Answer(200, b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>", {"Content-Type": "text/xml"}),
        Answer(200, b"<a>" * 50_000, {"Content-Type": "text/xml"}),
        Answer(200, b'{"Credentials": {"AccessKeyId": "x"}}', {"Content-Type": "application/json"}),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[:24].decode()}",
)
def test_whoever_answers_in_the_place_of_sts_is_not_believed(world: World, answer: Answer) -> None:
    """Portals, firewalls and gateways: no redirect is followed, nothing is kept, and the line says what answered."""
    with Web(answer) as web:
        done = world.run("dev", "echo", "ran", env={"AWS_ENDPOINT_URL_STS": web.url})

    assert (done.code, done.out, len(web.calls)) == (125, "", 1)
    assert done.err.startswith(CANNOT) and f"{web.url} {messages.NOT_FROM_AWS}" in done.err
    assert not world.entries("session")


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("Expiration", "soon"),
        ("Expiration", ""),
        ("Expiration", "99999-01-01T00:00:00Z"),
        ("Expiration", "1e400"),
        ("Expiration", "12345678901234567890"),
        ("AccessKeyId", ""),
        ("SecretAccessKey", ""),
        ("SessionToken", ""),
        ("Expiration", "2001-01-01T00:00:00Z"),
    ],
)
def test_a_session_that_cannot_be_used_is_not_given_to_the_command(
    world: World, sts: StrictSts, element: str, text: str
) -> None:
    """Empty keys would send the SDKs to look elsewhere; an expired one is not a session."""
    sts.texts[element] = text

    done = world.run("dev", "echo", "ran")

    assert (done.code, done.out) == (125, "")
    assert done.err.startswith(CANNOT) and f"{sts.url} {messages.NOT_FROM_AWS}" in done.err
    assert not world.entries("session")


# -- no connection ---------------------------------------------------------------------------------------------------


@needs("faketime")
@pytest.mark.parametrize(
    ("env", "output"),
    [
        (
            {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:{closed}"},
            f"{messages.CONNECTION_FAILED} (http://127.0.0.1:{{closed}})",
        ),
        (
            {"AWS_ENDPOINT_URL_STS": "https://no-such-host.invalid"},
            f"{messages.CONNECTION_FAILED} (https://no-such-host.invalid)",
        ),
        ({"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:{sts}"}, "(https://127.0.0.1:{sts})"),
        (
            {"AWS_ENDPOINT_URL_STS": "http://u:hunter2@127.0.0.1:{closed}"},
            f"{messages.CONNECTION_FAILED} (http://127.0.0.1:{{closed}})",
        ),
        ({"HTTP_PROXY": "http://127.0.0.1:{closed}"}, messages.NO_PROXY),
        ({"HTTP_PROXY": "http://u:hunter2@127.0.0.1:{closed}"}, messages.NO_PROXY),
        ({"HTTP_PROXY": "nonsense"}, messages.NO_PROXY),
    ],
)
def test_an_unreachable_address_is_reported(
    world: World, sts: StrictSts, env: dict[str, str | None], output: str
) -> None:
    """Nobody there, no such name, not TLS, a dead proxy: where it was tried, and what to check."""
    with socket.socket() as bound:  # a port that nobody else gets, and nobody listens on
        bound.bind(("127.0.0.1", 0))
        ports = {"closed": bound.getsockname()[1], "sts": sts.url.rpartition(":")[2]}
        filled = {name: value.format(**ports) for name, value in env.items() if value}

        done = world.run("dev", "echo", "ran", env=dict(filled), prefix=HURRY)

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert done.err.startswith(CANNOT) and output.format(**ports) in done.err
    assert "check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and the region" in done.err
    assert "hunter2" not in done.err


@needs("faketime")
@pytest.mark.parametrize(
    "answer", [Hangup(reset=True), Answer(200, b"<html>"), Answer(200, b"{}"), Answer(500, b"oops")]
)
def test_trouble_with_another_service_does_not_blame_sts(world: World, sts: StrictSts, answer: Answer | Hangup) -> None:
    """Where the SSO portal failed, STS's address is not the one to look at."""
    world.config(SSO_PROFILE)
    with Sso() as sso, Web(answer) as web:
        sso.write_cached_token(world.home, start_url=START_URL, session_name="corp")
        done = world.run("corp", "echo", "ran", env={"AWS_ENDPOINT_URL_SSO": web.url}, prefix=HURRY)

    assert (done.code, done.out) == (125, "")
    assert done.err.startswith("awsudo: cannot get a session of profile corp: ")
    assert "internal error" not in done.err and sts.url not in done.err and "settings of profile" not in done.err


# -- plain http ------------------------------------------------------------------------------------------------------

FAR = (
    "http://sts.example.com",
    "http://192.0.2.1",
    "http://0.0.0.0",
    "http://[2001:db8::1]:80/x",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://127.0.0.1@sts.example.com",
    "HTTP://STS.EXAMPLE.COM",
    "http:\\\\sts.example.com",
    "http://",
    "ftp://127.0.0.1",
    "sts.example.com",
)


@pytest.mark.parametrize("url", FAR)
def test_plain_http_beyond_this_machine_is_refused_before_any_connection(world: World, url: str) -> None:
    """Sessions never cross a network in the clear: not even the proxy hears of it."""
    with Web(Answer(500)) as proxy:
        via: dict[str, str | None] = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, "ALL_PROXY": proxy.url}
        done = world.run("dev", "echo", "ran", env={**via, "AWS_ENDPOINT_URL_STS": url})

    assert (done.code, done.out, proxy.calls) == (125, "", [])
    assert done.err.startswith("awsudo: AWS_ENDPOINT_URL_STS is ") and url in done.err


@pytest.mark.parametrize(
    ("config", "env", "named"),
    [
        ("", {"AWS_ENDPOINT_URL": "http://x.example"}, "AWS_ENDPOINT_URL is plain http"),
        ("endpoint_url = http://x.example\n", {}, "endpoint_url of profile dev is plain http"),
        ("services = s\n[services s]\nsts =\n  endpoint_url = http://x.example\n", {}, "[services s]"),
    ],
)
def test_every_place_that_names_an_endpoint_is_held_to_it(
    world: World, config: str, env: dict[str, str | None], named: str
) -> None:
    """Variables, profiles and services sections alike."""
    world.config((world.home / ".aws" / "config").read_text() + config)
    with Web(Answer(500)) as proxy:
        done = world.run("dev", "true", env={"AWS_ENDPOINT_URL_STS": None, "HTTP_PROXY": proxy.url, **env})

    assert (done.code, proxy.calls) == (125, []) and named in done.err


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL"])
def test_no_token_of_a_portal_crosses_a_network_in_the_clear(world: World, sts: StrictSts, variable: str) -> None:
    """The portal's token opens every account of its user: plain http is refused for it as for STS."""
    world.config(SSO_PROFILE)
    with Sso() as sso, Web(Answer(500, b"{}")) as proxy:
        sso.allow("222222222222", "Ops")
        sso.write_cached_token(
            world.home,
            start_url=START_URL,
            session_name="corp",
            refreshable=True,
            expires_in=-60 if variable.endswith("OIDC") else 3600,
        )
        env: dict[str, str | None] = {
            **(sso.environ if variable != "AWS_ENDPOINT_URL" else {}),
            variable: "http://portal.example",
            "HTTP_PROXY": proxy.url,
        }
        done = world.run("corp", "true", env=env)

    assert proxy.calls == []
    assert done.code == 125 and "http://portal.example" in done.err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.1.2.3"])
def test_plain_http_on_this_machine_is_allowed(world: World, sts: StrictSts, host: str) -> None:
    """Fakes and forwards that people run for themselves."""
    url = sts.url.replace("127.0.0.1", host)
    reached = host != "127.1.2.3"  # loopback, though nobody listens there

    done = world.run("dev", "true", env={"AWS_ENDPOINT_URL_STS": url, "AWS_MAX_ATTEMPTS": "1"})

    assert (done.code == 0) == reached and "plain http" not in done.err


# -- nothing hangs ---------------------------------------------------------------------------------------------------

#: Shortens the wait for a call that may be given up, and the time that is measured for it, and notes how long it was to
#: be. faketime reaches polls and sleeps, not this.
SHORT_WAIT = """
import os, threading, time
join, monotonic, begun = threading.Thread.join, time.monotonic, time.monotonic()
time.monotonic = lambda: begun + (monotonic() - begun) * 20
def short(thread, timeout=None):
    if timeout is None:
        return join(thread)
    with open(os.environ["TIMERS"], "a") as file:
        file.write(f"{timeout}\\n")
    return join(thread, timeout / 20)
threading.Thread.join = short
"""


@pytest.fixture
def timers(world: World) -> Path:
    """The file in which awsudo's patience with each call is noted, a line each; it passes twenty times as fast."""
    (world.root / "sitecustomize.py").write_text(SHORT_WAIT)
    noted = world.root / "timers"
    world.env |= {"PYTHONPATH": str(world.root), "TIMERS": str(noted)}
    return noted


def _set(timers: Path) -> list[float]:
    return [float(line) for line in timers.read_text().splitlines()]


def test_an_answer_that_trickles_in_is_cut_off_in_time(world: World, sts: StrictSts, timers: Path) -> None:
    """A byte a second never reaches a read time-out: the call is given up in less than forty seconds."""
    sts.fail_next("drip", times=9)
    begun = time.monotonic()

    done = world.run("dev", "echo", "ran")

    assert (done.code, done.out, len(sts.calls)) == (125, "", 1)
    assert done.err.startswith(CANNOT)
    assert f"{messages.NO_RESPONSE_WITHIN} {max(_set(timers)):.0f} s ({sts.url})" in done.err
    assert 30 <= max(_set(timers)) < 40 and time.monotonic() - begun < 10


def test_a_chain_that_trickles_in_is_cut_off_as_one(world: World, sts: StrictSts, timers: Path) -> None:
    """Three roles do not wait three times as long: the run as a whole has less than forty seconds."""
    config = (world.home / ".aws" / "config").read_text()
    for name, source in (("a", "dev"), ("b", "a")):
        sts.add_role(f"{DEV}-{name}")
        config += f"[profile {name}]\nrole_arn = {DEV}-{name}\nsource_profile = {source}\n"
    world.config(config)
    sts.delay = 0.7  # fourteen of the run's own seconds

    done = world.run("b", "true")

    requested = [seconds for seconds in _set(timers) if seconds]
    assert done.code == 125 and messages.NO_RESPONSE_WITHIN in done.err, requested
    assert all(later < sooner for sooner, later in pairwise(requested))


@needs("faketime")
def test_a_silent_server_ends_in_a_timeout(world: World, sts: StrictSts) -> None:
    """Three tries of ten seconds, not five of sixty; in the tests' hurried time."""
    sts.fail_next("hang", times=9)
    begun = time.monotonic()

    done = world.run("dev", "true", prefix=HURRY)

    assert done.code == 125 and "no response" in done.err
    assert 2 < time.monotonic() - begun < 8


def test_ctrl_c_during_a_call_to_sts_ends_at_once(world: World, sts: StrictSts) -> None:
    """Ended by SIGINT, no traceback, and no lock is left behind: the next run succeeds."""
    sts.fail_next("hang")
    process = subprocess.Popen([AWSUDO, "dev", "true"], env=world.environ(), stderr=subprocess.PIPE, text=True)
    while not sts.calls:
        time.sleep(0.01)

    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=10)

    assert process.returncode == -signal.SIGINT and output.strip() in ("", "awsudo: interrupted")
    assert world.run("dev", "true").code == 0
