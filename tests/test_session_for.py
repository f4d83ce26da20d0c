"""One session by one function: from any thread, without a command line, a terminal or a user."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from awsudo_py.context import Context
from awsudo_py.errors import AwsudoError
from awsudo_py.model import Request
from awsudo_py.session_for import Answer, session_for
from awsudo_py.terminal import NoTerminal
from tests.servers.strict_sts import StrictSts
from tests.world import World

ROLE = "arn:aws:iam::111111111111:role/"
ROLES = [f"r{number}" for number in range(8)]


@pytest.fixture
def notices() -> list[str]:
    """What the contexts of a test had to say."""
    return []


@pytest.fixture
def context(world: World, sts: StrictSts, notices: list[str], monkeypatch: pytest.MonkeyPatch) -> Context:
    """A context without a user, in this process, over eight roles of alice's."""
    text = "".join(f"[profile {name}]\nrole_arn = {ROLE}{name}\nsource_profile = base\n" for name in ROLES)
    world.config(text + f"[profile guarded]\nrole_arn = {ROLE}r0\nsource_profile = base\nmfa_serial = {ROLE}phone\n")
    for name in ROLES:
        sts.add_role(ROLE + name)
    for name, value in world.environ().items():
        monkeypatch.setenv(name, value)
    return Context(world.environ(), NoTerminal(notices.append))


def _all_at_once(context: Context, names: list[str]) -> list[Answer]:
    """A session for each name, in a thread each, that begin together."""
    start = threading.Barrier(len(names))

    def one(name: str) -> Answer:
        start.wait(30)
        return session_for(context, Request(target=name))

    with ThreadPoolExecutor(len(names)) as threads:
        return list(threads.map(one, names, timeout=60))


def _called(sts: StrictSts) -> Counter[str]:
    return Counter(call.params["RoleArn"].rpartition("/")[2] for call in sts.calls)


def test_threads_that_want_the_same_session_share_one_call(
    context: Context, sts: StrictSts, notices: list[str]
) -> None:
    """32 sessions of 8 roles in 32 threads are 8 calls, each thread gets its own role, and nothing is printed."""
    answers = _all_at_once(context, ROLES * 4)

    assert _called(sts) == Counter(ROLES)
    assert [answer.credentials.arn.split("/")[1] for answer in answers] == ROLES * 4
    assert len({answer.credentials.access_key_id for answer in answers}) == 8
    assert notices == []


def test_threads_without_a_cache_sign_with_their_own_keys(
    context: Context, world: World, sts: StrictSts, capfd: pytest.CaptureFixture[str]
) -> None:
    """Clients are shared, credentials never: each call is signed by the keys of its own chain."""
    other = sts.add_user("bob")
    world.credentials(
        (world.home / ".aws/credentials").read_text()
        + f"[bob]\naws_access_key_id = {other.access_key_id}\naws_secret_access_key = {other.secret_access_key}\n"
    )
    requests = [Request(profile=name, role=ROLE + role, no_cache=True) for role in ROLES for name in ("base", "bob")]

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda request: session_for(context, request), requests, timeout=60))

    signers = {"base": 0, "bob": 0}
    for call in sts.calls:
        signers["bob" if call.access_key_id == other.access_key_id else "base"] += 1
    assert signers == {"base": 8, "bob": 8}
    assert capfd.readouterr() == ("", "")


def test_sessions_of_one_context_share_a_connection(context: Context, sts: StrictSts) -> None:
    """One target after the other goes over the connection that is there: a fan-out connects once, not once a target."""
    for name in ROLES:
        session_for(context, Request(target=name))

    assert len(sts.calls) == 8 and sts.connections == 1


def test_threads_do_not_touch_the_umask(context: Context) -> None:
    """The umask belongs to the whole process: making the cache's directories in many threads leaves it alone."""
    before = os.umask(0o022)
    try:
        _all_at_once(context, ROLES)

        after = os.umask(before)
    finally:
        os.umask(before)
    assert after == 0o022


def test_without_a_user_a_code_is_refused_instead_of_prompted_for(context: Context, sts: StrictSts) -> None:
    """A role behind MFA fails at once, and the hint says how to give the code."""
    with pytest.raises(AwsudoError, match="there is no user") as raised:
        session_for(context, Request(target="guarded"))

    assert any("--mfa-process" in hint for hint in raised.value.hints) and not sts.calls
