"""Who signed in is part of every session's key: no session is served that another login made."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from awsudo_py.aws import fetchers
from awsudo_py.aws.client import Aws
from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError, Rejected
from awsudo_py.fingerprint import Files
from awsudo_py.model import Endpoint, Hop, RoleChain, Source
from awsudo_py.resolve.source_kinds import KINDS
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.logins import LOGINS, NOBODY, Logins
from awsudo_py.sessions.obtain import Obtain, Obtained
from awsudo_py.sessions.single_flight import Run
from awsudo_py.terminal import Terminal
from tests.servers.metadata import Metadata
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import IMPORTS_LISTED, KEY_ID, World

ROLE = "arn:aws:iam::111111111111:role/dev"
START_URL = "https://x.awsapps.com/start"


@pytest.fixture
def sso(world: World, sts: StrictSts) -> Iterator[Sso]:
    """An SSO portal whose sessions the strict STS knows; `corp` is a profile of it, `dev` a role behind that."""
    with Sso(on_credentials=lambda *given: sts.add_session("corp", *given)) as server:
        server.allow("111111111111", "Admin")
        world.config(
            "[profile corp]\nsso_session = s\nsso_account_id = 111111111111\nsso_role_name = Admin\n"
            f"[sso-session s]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
            f"[profile dev]\nrole_arn = {ROLE}\nsource_profile = corp\n"
        )
        world.env |= server.environ
        yield server


def _signed_in(world: World, sso: Sso) -> Path:
    path = sso.write_cached_token(world.home, start_url=START_URL, session_name="s")
    world.settle()
    return path


@pytest.mark.parametrize("target", ["corp", "dev"])
def test_another_sso_login_gets_a_session_of_its_own(world: World, sso: Sso, target: str) -> None:
    """Who signs in after somebody else is not served the other's session: not the profile's, nor a role's behind it."""
    _signed_in(world, sso)
    first = world.run(target, *KEY_ID)
    again = world.run(target, *KEY_ID, prefix=IMPORTS_LISTED)
    _signed_in(world, sso)

    other = world.run(target, *KEY_ID)

    assert again.replayed and again.key_id == first.key_id
    assert other.key_id != first.key_id


@pytest.mark.parametrize("target", ["corp", "dev"])
def test_after_a_sign_out_of_sso_there_is_no_session(world: World, sso: Sso, target: str) -> None:
    """Without the token file the kept session is not served, by a replay or otherwise; the hint says how to sign in."""
    token = _signed_in(world, sso)
    assert world.run(target, *KEY_ID).key_id
    token.unlink()

    replayed = world.run(target, *KEY_ID)
    resolved = world.run("-v", target, *KEY_ID)

    for done in (replayed, resolved):
        assert (done.code, done.out) == (125, "") and "awsudo login s" in done.err


def test_an_sso_session_stays_usable_while_its_token_file_is_there(world: World, sso: Sso) -> None:
    """An access token that has expired ends no session that it gave: signing in again is for the next one."""
    token = _signed_in(world, sso)
    first = world.run("dev", *KEY_ID)
    fields = json.loads(token.read_text())
    token.write_text(json.dumps(fields | {"expiresAt": "2020-01-01T00:00:00Z"}))

    second = world.run("dev", *KEY_ID)

    assert second.key_id == first.key_id


def test_a_renewed_sso_token_costs_one_call_for_each_session(world: World, sts: StrictSts, sso: Sso) -> None:
    """The session that a run gets after renewing the token is kept under the new token, and found by the next run."""
    sso.write_cached_token(world.home, start_url=START_URL, session_name="s", expires_in=60, refreshable=True)

    first = world.run("dev", *KEY_ID)
    second = world.run("dev", *KEY_ID)

    assert second.key_id == first.key_id
    assert (sso.count("/token"), sso.count("/federation/credentials"), sts.count("AssumeRole")) == (1, 1, 1)


def test_clear_forgets_an_sso_session_whose_login_is_gone(world: World, sso: Sso) -> None:
    """Who has signed out can still have the profile's session forgotten."""
    token = _signed_in(world, sso)
    assert world.run("corp", *KEY_ID).key_id
    token.unlink()

    done = world.run("clear", "corp")

    assert "1 session of corp" in done.err and world.entries() == []


def _keys(key_id: str, secret: str) -> dict[str, str | None]:
    return {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}


def test_a_wrong_secret_in_the_environment_gets_no_kept_session(world: World, sts: StrictSts) -> None:
    """The key ID of another user is not a secret: without the right secret there is no session, replayed or kept."""
    key = sts.add_user("bob")
    good, bad = _keys(key.access_key_id, key.secret_access_key), _keys(key.access_key_id, "guessed")
    world.settle()
    assert world.run(ROLE, *KEY_ID, env=good).key_id

    assert world.run(ROLE, *KEY_ID, env=good, prefix=IMPORTS_LISTED).replayed
    for words in ((ROLE,), ("-v", ROLE)):
        done = world.run(*words, *KEY_ID, env=bad)
        assert (done.code, done.out) == (125, "") and "SignatureDoesNotMatch" not in done.out
    assert world.run(ROLE, *KEY_ID, env=good).code == 0 and sts.count("AssumeRole", ok=True) == 1


def test_a_wrong_secret_in_the_file_gets_no_kept_session(world: World, sts: StrictSts) -> None:
    """The same for keys of a profile, also where the role's session comes from a session of the keys."""
    path = world.home / ".aws/credentials"
    assert world.run("dev", *KEY_ID).key_id and world.run("base", *KEY_ID).key_id
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "aws_secret_access_key = guessed", ""]))

    for target in ("dev", "base"):
        done = world.run(target, *KEY_ID)
        assert (done.code, done.out) == (125, "")


def test_another_session_token_in_the_environment_gets_no_kept_session(world: World, sts: StrictSts) -> None:
    """A token beside a known key ID and secret is part of the login too."""
    world.run("base", "true")
    session = sts.issued[-1]
    good = _keys(session.access_key_id, session.secret_access_key) | {"AWS_SESSION_TOKEN": session.session_token}
    assert world.run(ROLE, *KEY_ID, env=good).key_id

    done = world.run(ROLE, *KEY_ID, env=good | {"AWS_SESSION_TOKEN": "forged"})

    assert (done.code, done.out) == (125, "")


@pytest.mark.parametrize("kind", ["container", "instance"])
def test_another_role_of_a_machine_gets_a_session_of_its_own(world: World, sts: StrictSts, kind: str) -> None:
    """The metadata service is called on every run: what answers now is who it is."""
    one, two = sts.add_user("one"), sts.add_user("two")

    for key in (one, two, two):
        with Metadata(key.access_key_id, key.secret_access_key, "") as server:
            env = server.container_environ if kind == "container" else server.instance_environ
            assert world.run(ROLE, *KEY_ID, env={**env, "AWS_EC2_METADATA_DISABLED": "false"}).key_id

    assert sts.count("AssumeRole") == 2


def test_every_kind_of_source_names_what_distinguishes_two_sign_ins() -> None:
    """The table has a row for each kind, and a kind whose login is a file is not one that is known by its call."""
    assert set(LOGINS) == set(KINDS)
    assert not [kind for kind, find in LOGINS.items() if find is not None and KINDS[kind].known_by_call]


def test_another_key_of_a_credential_process_gets_a_session_of_its_own(world: World, sts: StrictSts) -> None:
    """It is run on every run: whose key it prints now is who it is."""
    script, keys = world.root / "process", [sts.add_user("one"), sts.add_user("two")]
    world.config(f"[profile p]\ncredential_process = {script}\n[profile dev]\nrole_arn = {ROLE}\nsource_profile = p\n")
    found = []
    for key in (keys[0], keys[0], keys[1]):
        document = {"Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
        script.write_text(f"#!/bin/sh\necho '{json.dumps(document)}'\n")
        script.chmod(0o755)
        found.append(world.run("dev", *KEY_ID).key_id)

    assert found[0] == found[1] != found[2]


@pytest.fixture
def logins(tmp_path: Path) -> Logins:
    """The logins of a home."""
    return Logins({"HOME": str(tmp_path)}, Files(time.time()), lambda: b"salt")


def test_an_aws_login_is_distinguished_from_the_next_by_its_key(tmp_path: Path, logins: Logins) -> None:
    """The key is made at each login and stays when the tokens are renewed; no file is nobody's login."""
    arn = "arn:aws:iam::111111111111:user/alice"
    source = Source("login", "p", identity=(("login_session", arn),))
    nobody = logins.mark(source)
    directory = tmp_path / ".aws/login/cache"
    directory.mkdir(parents=True)
    path = directory / f"{hashlib.sha256(arn.encode()).hexdigest()}.json"
    marks = []
    for key, token in (("one", "a"), ("one", "renewed"), ("two", "a")):
        path.write_text(json.dumps({"dpopKey": key, "accessToken": {"sessionToken": token}}))
        marks.append(logins.mark(source))

    assert nobody == NOBODY and marks[0] == marks[1] and len({nobody, *marks}) == 3


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"accessToken": 7}', '{"accessToken": ""}', "[" * 100_000])
def test_an_invalid_token_file_is_not_a_sign_in(tmp_path: Path, logins: Logins, content: str) -> None:
    """Whatever lies there, no error comes of it, and no session is served for it."""
    source = Source("sso", "p", settings=(("sso_session", "s"),))
    path = tmp_path / ".aws/sso/cache" / "a0f1490a20d0211c997b44bc357e1972deab8ae3.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)

    assert logins.mark(source) == NOBODY


def test_a_mark_reveals_nothing_without_its_salt(logins: Logins) -> None:
    """The digests of two caches differ, so that one that was found cannot be tried against guesses."""
    credentials = Credentials("AKIA", "hunter2", None)
    other = Logins({}, Files(time.time()), lambda: b"another")

    assert logins.mark_of(credentials) != other.mark_of(credentials)
    assert "hunter2" not in logins.mark_of(credentials)


def test_the_salt_is_made_once_and_is_private(world: World, sts: StrictSts) -> None:
    """All runs share one; it is random, and 0600."""
    world.run("dev", "true")
    (salt,) = world.entries("salt")
    before = salt.read_bytes()
    world.run("-d", "15m", "dev", "true")

    assert [path.read_bytes() for path in world.entries("salt")] == [before]
    assert salt.stat().st_mode & 0o777 == 0o600 and len(before) > 64


class _OneAtATime:
    """A source that notes how many runs use it at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._guard = threading.Lock()

    def source(self, _source: Source) -> Credentials:
        with self._guard:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.005)  # as long as others could come in
        with self._guard:
            self._now -= 1
        return Credentials("ASIA", "s", "t", time.time() + 3600)

    def sign_in(self, _source: Source) -> None:
        raise AssertionError

    def session(self, _hop: Hop, _credentials: Credentials, _code: str = "") -> Credentials:
        raise AssertionError


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_runs_that_would_sign_in_do_it_one_after_the_other(tmp_path: Path, kind: str) -> None:
    """Eight at once over one `login_session`, or one credential_process: no renewal token is spent twice."""
    if not KINDS[kind].in_turn:
        assert kind not in ("login", "process")
        return
    source = Source(kind, "p", "~/.aws/config", identity=(("name", "p"),))
    chain = RoleChain("p", source, (), Endpoint("aws", None, None, "aws global"), None, None)
    giver = _OneAtATime()

    def get(_: int) -> Obtained:
        run = Run(Terminal(-1), time.time, time.sleep, time.time())
        store = FileStore(str(tmp_path / "cache"))
        return Obtain(chain, store=store, sts=lambda: giver, with_code=lambda _, call: call(""), run=run).credentials()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(get, range(8)))

    assert len(found) == 8 and giver.most == 1


def test_a_refused_renewal_of_an_aws_login_reads_the_file_once_more() -> None:
    """The AWS CLI may have renewed it at the same moment: what it left is used; a second refusal is the answer."""
    session = Credentials("ASIA", "s", "t", time.time() + 900)
    answers: list[Credentials | AwsudoError] = [Rejected("refused"), session, Rejected("one"), Rejected("two")]

    class Answering:
        def guarded(self, *_: object) -> Credentials:
            answer = answers.pop(0)
            if isinstance(answer, AwsudoError):
                raise answer
            return answer

    source = Source("login", "p")
    assert fetchers.login(cast("Aws", Answering()), source, "") is session
    with pytest.raises(Rejected, match="two"):
        fetchers.login(cast("Aws", Answering()), source, "")
