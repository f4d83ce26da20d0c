"""Where an MFA code goes, as a truth table: to a session that roles share, along with one AssumeRole, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from awsudo_py.aws_credentials import Credentials
from awsudo_py.model import Endpoint, Hop, RoleChain, RoleHop, SessionTokenHop, Source
from awsudo_py.resolve.aws_config import AwsConfig
from awsudo_py.resolve.endpoints import LEGACY_GLOBAL, Endpoints
from awsudo_py.resolve.mfa_placement import MfaInputs, place
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.obtain import Obtain
from awsudo_py.sessions.single_flight import Run
from awsudo_py.terminal import Terminal
from tests import messages

ROLE = "arn:aws:iam::111111111111:role/"
PHONE, TOKEN = "arn:aws:iam::111111111111:mfa/phone", "GAHT12345678"
NAMES = {PHONE: "phone", TOKEN: "token"}
#: What a chain may begin with.
KEYS = Source("keys", "base", "a file", credentials=Credentials("AKIA", "secret", None))
SESSION = Source("keys", "base", "a file", credentials=Credentials("ASIA", "secret", "token"))
PROCESS = Source("process", "base", "a file")
SSO = Source("sso", "base", "a file")
MACHINE = Source("instance", None, "the machine")
#: The roles on the way: the device of each, and how long it is to last.
PLAIN, PHONES, LONG = RoleHop("r"), RoleHop("r", mfa_serial=PHONE), RoleHop("r", duration=7200)
HOUR, PHONES_LONG = RoleHop("r", duration=3600), RoleHop("r", duration=3601, mfa_serial=PHONE)
TOKENS = RoleHop("r", mfa_serial=TOKEN)


def guarded(source: Source) -> Source:
    """The source with a phone in its profile."""
    return source._replace(settings=(("mfa_serial", PHONE),))


class Row(NamedTuple):
    """A source, the roles after it, the inputs; and the hops that come of them, as shape() writes them."""

    source: Source
    roles: tuple[RoleHop, ...]
    result: str
    inputs: MfaInputs = MfaInputs()
    why: str = ""
    if_session: str | None = None  # what comes of it if the source turns out to give a session


PER_ROLE = MfaInputs(per_role="mfa_per_role of profile dev")
TABLE = {
    # no device, no code
    "keys, a role": Row(KEYS, (PLAIN,), "role"),
    "keys, two roles": Row(KEYS, (PLAIN, LONG), "role, role"),
    "keys, a role, a code for each": Row(KEYS, (PLAIN,), "role", PER_ROLE),
    "a session, a role": Row(SESSION, (PLAIN,), "role"),
    "a process, a role": Row(PROCESS, (PLAIN,), "role", if_session="role"),
    # the device of the role
    "keys, a role with a phone": Row(KEYS, (PHONES,), "session 43200 phone, role"),
    "keys, one hour": Row(guarded(KEYS), (HOUR,), "session 43200 phone, role"),
    "keys, two roles, the first with a phone": Row(KEYS, (PHONES, PLAIN), "session 43200 phone, role, role"),
    "keys, two roles, the last with a phone": Row(KEYS, (PLAIN, PHONES), "role, role phone"),
    "keys, two roles with one phone": Row(KEYS, (PHONES, PHONES), "session 43200 phone, role, role"),
    "keys, two roles with two devices": Row(KEYS, (PHONES, TOKENS), "session 43200 phone, role, role token"),
    # the device of the source
    "guarded keys, a role": Row(guarded(KEYS), (PLAIN,), "session 43200 phone, role"),
    "guarded keys, a role with a token": Row(guarded(KEYS), (TOKENS,), "session 43200 token, role"),
    "guarded keys, the last role with the same phone": Row(guarded(KEYS), (PLAIN, PHONES), "session 43200 phone, role, role"),
    # the device that is asked for
    "keys, a role, a token asked for": Row(KEYS, (PLAIN,), "session 43200 token, role", MfaInputs(TOKEN)),
    "guarded keys, a role with a phone, a token asked for": Row(guarded(KEYS), (PHONES,), "session 43200 token, role", MfaInputs(TOKEN)),
    "keys, two roles, a token asked for": Row(KEYS, (PLAIN, PLAIN), "session 43200 token, role, role", MfaInputs(TOKEN)),
    # how long the session lasts
    "keys, a role, four hours": Row(guarded(KEYS), (PLAIN,), "session 14400 phone, role", MfaInputs(session_duration=14400)),
    # with AssumeRole itself
    "keys, a role of two hours": Row(guarded(KEYS), (LONG,), "role phone", why="7200 s is more than the 1h"),
    "keys, a second more than one hour": Row(KEYS, (PHONES_LONG,), "role phone", why="3601 s is more than the 1h"),
    "keys, the last of two roles of two hours": Row(guarded(KEYS), (PLAIN, LONG), "session 43200 phone, role, role"),
    "keys, a code for each": Row(guarded(KEYS), (PLAIN,), "role phone", PER_ROLE, "mfa_per_role of profile dev is set"),
    "keys, a code for each, a token asked for": Row(guarded(KEYS), (PHONES,), "role token", PER_ROLE._replace(serial=TOKEN), "is set"),
    # sources that are sessions: GetSessionToken cannot be called; the source's own device is behind them
    "a session, a role with a phone": Row(SESSION, (PHONES,), "role phone", why=f"a file {messages.RETURNS_A_SESSION}"),
    "a guarded session, a role": Row(guarded(SESSION), (PLAIN,), "role"),
    "SSO, a role with a phone": Row(SSO, (PHONES,), "role phone", why=messages.RETURNS_A_SESSION),
    "a machine, a role with a phone": Row(MACHINE, (PHONES,), "role phone", why=f"the machine {messages.RETURNS_A_SESSION}"),
    "a machine, a role, a token asked for": Row(MACHINE, (PLAIN,), "role token", MfaInputs(TOKEN), messages.RETURNS_A_SESSION),
    # a process may give either: a role's own device then goes with the role, the source's is behind the session
    "a process, a role with a phone": Row(PROCESS, (PHONES,), "session 43200 phone, role", if_session="role phone"),
    "a guarded process, a role": Row(guarded(PROCESS), (PLAIN,), "session 43200 phone, role", if_session="role"),
    "a process, a role, a token asked for": Row(PROCESS, (PLAIN,), "session 43200 token, role", MfaInputs(TOKEN), if_session="role token"),
    "a guarded process, a role of two hours": Row(guarded(PROCESS), (LONG,), "role phone", why="7200 s", if_session="role"),
    "a guarded process, a code for each": Row(guarded(PROCESS), (PLAIN,), "role phone", PER_ROLE, "mfa_per_role", "role"),
    "a process, two roles with one phone": Row(PROCESS, (PHONES, PHONES), "session 43200 phone, role, role", if_session="role phone, role phone"),
    # no role: long-lived keys give a session, and share it with the roles unless a length is asked for
    "keys alone": Row(KEYS, (), "session 3600"),
    "keys alone, two hours": Row(KEYS, (), "session 7200", MfaInputs(duration=7200)),
    "guarded keys alone": Row(guarded(KEYS), (), "session 43200 phone"),
    "guarded keys alone, two hours": Row(guarded(KEYS), (), "session 7200 phone", MfaInputs(duration=7200)),
    "guarded keys alone, four hours for all": Row(guarded(KEYS), (), "session 14400 phone", MfaInputs(session_duration=14400)),
    "guarded keys alone, a code for each": Row(guarded(KEYS), (), "session 43200 phone", PER_ROLE),
    "keys alone, a token asked for": Row(KEYS, (), "session 43200 token", MfaInputs(TOKEN)),
    "a guarded session alone": Row(guarded(SESSION), (), ""),
    "SSO alone, a token asked for": Row(SSO, (), "", MfaInputs(TOKEN)),
    "a machine alone": Row(MACHINE, (), ""),
    "a process alone": Row(PROCESS, (), "session 3600", if_session=""),
    "a guarded process alone": Row(guarded(PROCESS), (), "session 43200 phone", if_session=""),
}  # fmt: skip


def shape(hops: tuple[Hop, ...]) -> str:
    """The hops in short."""
    return ", ".join(
        " ".join(
            word
            for word in (
                f"session {hop.duration}" if isinstance(hop, SessionTokenHop) else "role",
                NAMES[hop.mfa_serial] if hop.mfa_serial else "",
            )
            if word
        )
        for hop in hops
    )


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_code_goes_where_the_table_says(row: Row) -> None:
    """One code serves all that it can serve; where it cannot, the reason is reported."""
    result = place(row.source, row.roles, row.inputs)

    assert shape(result.hops) == row.result
    assert (None if result.if_session is None else shape(result.if_session)) == row.if_session
    assert row.why in result.why
    assert bool(row.why) == bool(result.why)


# -- which session is whose, below the console script


class Aws:
    """AWS as Obtain needs it: gives numbered sessions, and tells what it was asked."""

    def __init__(self, source: Credentials) -> None:
        self.calls: list[str] = []
        self._source = source

    def sign_in(self, source: Source) -> None:
        raise AssertionError("these sources take no sign-in")

    def source(self, source: Source) -> Credentials:
        self.calls.append("source")
        return self._source

    def session(self, hop: Hop, credentials: Credentials, code: str = "") -> Credentials:
        self.calls.append(shape((hop,)))
        name = f"{credentials.access_key_id}>{len(self.calls)}"
        return Credentials(name, "secret", "token", 1000.0 + (hop.duration or 3600), issued=1000.0)


def obtained(directory: Path, chain: RoleChain, aws: Aws) -> Credentials:
    """The session at the end of the chain, a thousand seconds after the beginning of time."""
    run = Run(Terminal(-1), lambda: 1000.0, lambda _: None, 1000.0)
    way = Obtain(chain, store=FileStore(str(directory)), sts=lambda: aws, with_code=with_code, run=run)
    return way.credentials().credentials


def with_code(hop: Hop, call: Callable[[str], Credentials]) -> Credentials:
    """The call with a code that is always right."""
    return call("123456")


def chained(source: Source, roles: tuple[RoleHop, ...], endpoint: Endpoint) -> RoleChain:
    """A chain as the resolver makes it."""
    placement = place(source, roles, MfaInputs())
    return RoleChain("target", source, placement.hops, endpoint, None, None, if_session=placement.if_session)


def endpoint(region: str | None) -> Endpoint:
    """STS in a region, or the global one."""
    return Endpoints(AwsConfig("c", "k", {}, {}, {}, {}, {}), {}).endpoint((), SSO, region, "", None)


NAMED = KEYS._replace(identity=(("access_key_id", "AKIA"),), settings=(("mfa_serial", PHONE),))


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ("eu-west-1", "eu-west-1", 1),
        ("eu-west-1", "us-east-1", 1),
        ("eu-west-1", None, 1),
        (None, "eu-west-1", 1),
        ("eu-south-1", "eu-west-1", 1),
        ("eu-south-1", None, 1),
        (None, "eu-south-1", 2),  # a token of the global endpoint is invalid in an opt-in Region
    ],
)
def test_an_mfa_session_serves_the_roles_of_other_endpoints(
    tmp_path: Path, first: str | None, second: str | None, codes: int
) -> None:
    """Wherever STS is asked: one code, as long as the session that it gave is good there."""
    aws = Aws(Credentials("AKIA", "secret", None))

    obtained(tmp_path / "cache", chained(NAMED, (RoleHop("a"),), endpoint(first)), aws)
    obtained(tmp_path / "cache", chained(NAMED, (RoleHop("b"),), endpoint(second)), aws)

    assert aws.calls.count("session 43200 phone") == codes
    assert aws.calls.count("role") == 2
    assert "eu-west-1" in LEGACY_GLOBAL


@pytest.mark.parametrize(
    ("first", "second", "codes"), [("eu-west-1", None, 1), (None, "eu-west-1", 2), (None, None, 1)]
)
def test_a_command_gets_no_mfa_session_that_holds_in_fewer_regions(
    tmp_path: Path, first: str | None, second: str | None, codes: int
) -> None:
    """A role's STS knows a token of the global endpoint; the command itself may go where nobody does."""
    aws = Aws(Credentials("AKIA", "secret", None))

    obtained(tmp_path / "cache", chained(NAMED, (RoleHop("a"),), endpoint(first)), aws)
    obtained(tmp_path / "cache", chained(NAMED, (), endpoint(second)), aws)

    assert aws.calls.count("session 43200 phone") == codes


NAMED_PROCESS = PROCESS._replace(identity=(("credential_process", "x"),))


@pytest.mark.parametrize(
    ("source", "roles", "gave", "requested"),
    [
        (guarded(NAMED_PROCESS), (PLAIN,), "keys", ["source", "session 43200 phone", "role"]),
        (NAMED_PROCESS, (PHONES,), "keys", ["source", "session 43200 phone", "role"]),
        (guarded(NAMED_PROCESS), (PLAIN,), "session", ["source", "role"]),
        (NAMED_PROCESS, (PHONES,), "session", ["source", "role phone"]),
        (guarded(NAMED_PROCESS), (), "session", ["source"]),
        (guarded(NAMED_PROCESS), (), "keys", ["source", "session 43200 phone"]),
        (NAMED_PROCESS, (), "keys", ["source", "session 3600"]),
    ],
)
@pytest.mark.parametrize("stored", [True, False], ids=["kept", "without a cache"])
def test_what_a_process_turns_out_to_give_decides(
    tmp_path: Path, source: Source, roles: tuple[RoleHop, ...], gave: str, requested: list[str], stored: bool
) -> None:
    """Keys get an MFA session. A session needs none: a role's own device goes with it, the source's is behind it."""
    aws = Aws(Credentials("AKIA", "secret", None) if gave == "keys" else Credentials("ASIA", "secret", "token", 4600.0))
    chain = chained(source, roles, endpoint("eu-west-1"))

    if stored:
        first = obtained(tmp_path / "cache", chain, aws)
        again = obtained(tmp_path / "cache", chain, aws)
        assert again.access_key_id == first.access_key_id
    else:
        run = Run(Terminal(-1), lambda: 1000.0, lambda _: None, 1000.0)
        Obtain(chain, store=None, sts=lambda: aws, with_code=with_code, run=run).credentials()

    # only its credentials tell who it is: the process is run each time, as the SDKs do
    assert aws.calls == requested + (["source"] if stored else [])
