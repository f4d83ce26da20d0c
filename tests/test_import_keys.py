"""`awsudo import --from aws-vault`: the keys in its keyring, or the line with which aws-vault hands each over."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from awsudo_py.keys.aws_vault import is_key
from tests import messages
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.screens import Screen
from tests.servers.strict_iam import StrictAws
from tests.servers.strict_sts import Key
from tests.world import AWSUDO, KEY_ID, Done, World

DEV = "arn:aws:iam::111111111111:role/dev"
IMPORT = ("import", "--from", "aws-vault")
#: Names of what lies between the keys: sessions, in the forms of several releases, and a token of an SSO session.
NOT_KEYS = (
    "sts.GetSessionToken,YmFzZQ,YXJu,1700000000",
    "session,YmFzZQ,,1700000000",
    "session:base:arn:1700000000",
    "base session (1234)",
    "oidc:https://corp.awsapps.com/start",
)


def item(name: str, value: dict[str, object]) -> bytes:
    """The secret of an item, as aws-vault's library writes it."""
    data = base64.b64encode(json.dumps(value).encode()).decode()
    flags = {"KeychainNotTrustApplication": True, "KeychainNotSynchronizable": False}
    return json.dumps({"Key": name, "Data": data, "Label": f"aws-vault ({name})", "Description": "", **flags}).encode()


def of_version_6(name: str, key: Key, session_token: str = "") -> bytes:
    """A key as aws-vault stores it up to version 6."""
    secret = {"AccessKeyID": key.access_key_id, "SecretAccessKey": key.secret_access_key}
    return item(name, {**secret, "SessionToken": session_token, "ProviderName": ""})


def of_version_7(name: str, key: Key) -> bytes:
    """A key as aws-vault stores it from version 7 on."""
    secret = {"AccessKeyID": key.access_key_id, "SecretAccessKey": key.secret_access_key, "SessionToken": ""}
    return item(name, {**secret, "Source": "", "CanExpire": False, "Expires": "0001-01-01T00:00:00Z", "AccountID": ""})


class Desk(World):
    """A machine with a keyring, in which aws-vault has keys of alice and bob, and all that lies between them."""

    aws: StrictAws
    session: KeyringSession
    alice: Key
    bob: Key

    def vault(self, name: str = "awsvault", **more: bytes) -> dict[str, bytes]:
        """Fill aws-vault's collection; returns what is in it."""
        items = {"base": of_version_7("base", self.alice), "bob": of_version_6("bob", self.bob), **more}
        items |= {other: item(other, {"AccessKeyID": "ASIA"}) for other in NOT_KEYS}
        self.session.add_collection(name, items)
        return items

    def shows_no_secret(self, *runs: Done) -> bool:
        """Whether the secrets are in no output of these runs."""
        secrets = (self.alice.secret_access_key, self.bob.secret_access_key)
        return not any(secret in done.out + done.err for done in runs for secret in secrets)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The machine; `dev` is a role that is assumed with the keys of base."""
    with KeyringSession() as session, StrictAws() as aws:
        made = Desk(tmp_path, sts_url=aws.url)
        made.env |= {**session.env, "AWS_ENDPOINT_URL_IAM": aws.url}
        made.aws, made.session = aws, session
        made.alice, made.bob = aws.add_user("alice"), aws.add_user("bob")
        aws.add_role(DEV)
        made.config(f"[profile base]\nregion = eu-west-1\n[profile dev]\nrole_arn = {DEV}\nsource_profile = base\n")
        yield made


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_the_keys_of_aws_vault_are_stored_after_a_yes(desk: Desk) -> None:
    """They are listed by their IDs, asked about, checked with AWS and stored; aws-vault's own stay as they are.

    Sessions and tokens that lie between them are no keys. The profiles work afterwards.
    """
    items = desk.vault()

    with Screen([AWSUDO, *IMPORT], desk.environ(), cwd=str(desk.home), size=(40, 140)) as screen:
        asked = screen.until(r"Store 2 keys of aws-vault in the Secret Service, for awsudo\? \[y/N\]")
        stored_before = desk.session.entries()
        screen.type("y\r").until("to remove it there: aws-vault remove bob")
        assert screen.end() == 0
    run = desk.run("dev", *KEY_ID)

    assert f"base  {desk.alice.access_key_id}  new" in asked and f"bob  {desk.bob.access_key_id}  new" in asked
    assert not any(name in screen.raw for name in NOT_KEYS) and stored_before == {}
    assert "arn:aws:iam::111111111111:user/bob" in screen.raw and "aws-vault remove base" in screen.raw
    assert set(desk.session.entries()) == {f"key {key.access_key_id}" for key in (desk.alice, desk.bob)}
    assert run.key_id and desk.session.collection("awsvault") == items
    assert desk.shows_no_secret(run) and desk.alice.secret_access_key not in screen.raw


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_nothing_is_stored_without_a_yes(desk: Desk) -> None:
    """Without a terminal the run needs --yes, --diff lists the keys alone, and a second run has nothing to store."""
    desk.vault()

    refused, listed = desk.run(*IMPORT), desk.run(*IMPORT, "--diff")
    untouched = desk.session.entries()
    done = desk.run(*IMPORT, "--yes")
    again = desk.run(*IMPORT)

    assert refused.code == 125 and messages.PASS_YES in refused.err and untouched == {}
    assert listed.code == 0 and listed.out.splitlines() == [
        f"base  {desk.alice.access_key_id}  new",
        f"bob  {desk.bob.access_key_id}  new",
    ]
    assert done.code == 0 and len(desk.session.entries()) == 2, done.err
    assert again.code == 0 and again.err.count("  stored already\n") == 2
    assert "aws-vault exec" not in refused.err + done.err + again.err
    assert desk.shows_no_secret(refused, listed, done, again)


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_key_of_ones_own_stays_unless_it_is_to_be_replaced(desk: Desk) -> None:
    """A name that has another key is left out; --existing overwrite replaces it."""
    desk.vault()
    mine = desk.aws.add_user("alice")
    env: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": mine.access_key_id,
        "AWS_SECRET_ACCESS_KEY": mine.secret_access_key,
    }
    assert desk.run("keys", "add", "base", "--from-env", env=env).code == 0

    kept = desk.run(*IMPORT, "--yes")
    first = desk.session.entries()
    replaced = desk.run(*IMPORT, "--yes", "--existing", "overwrite")

    assert kept.code == 0 and f"left out: {mine.access_key_id} is stored" in kept.err
    assert set(first) == {f"key {key.access_key_id}" for key in (mine, desk.bob)}
    assert replaced.code == 0 and f"replaces {mine.access_key_id}" in replaced.err
    assert set(desk.session.entries()) == {f"key {key.access_key_id}" for key in (desk.alice, desk.bob)}


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_key_that_cannot_be_stored_does_not_stop_the_others(desk: Desk) -> None:
    """Keys of a root user, of a session, for a role's name, and that AWS does not know: each with its reason."""
    gone = Key("AKIAABCDEFGHIJKLMNOP", desk.bob.secret_access_key)
    desk.vault(
        root=of_version_7("root", desk.aws.add_root()),
        session=of_version_6("session", desk.aws.add_user("carol"), session_token="t"),  # noqa: S106 (an example)
        dev=of_version_7("dev", desk.aws.add_user("dora")),
        gone=of_version_7("gone", gone),
        broken=b"{}",
        other=item("other", {"AccessKeyID": 1, "SecretAccessKey": None}),
    )

    done = desk.run(*IMPORT, "--yes")

    assert done.code == 125 and "4 of 6 keys not stored: dev, gone, root, session" in done.err, done.err
    for reason in (
        "the key of root was not stored: ",
        "the key of session was not stored: ",
        "the key of dev was not stored: profile dev is a role",
        "the key of gone was not stored: ",
        "broken in aws-vault's collection is not a key",
        "other in aws-vault's collection is not a key",
    ):
        assert reason in done.err
    assert set(desk.session.entries()) == {f"key {key.access_key_id}" for key in (desk.alice, desk.bob)}
    assert desk.shows_no_secret(done)


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_secret_that_lies_in_the_place_of_the_id_is_not_displayed(desk: Desk) -> None:
    """Whoever answered aws-vault's prompts in the wrong order has no key there: it is reported by its name alone."""
    swapped = Key(desk.alice.secret_access_key, desk.alice.access_key_id)
    desk.vault(base=of_version_7("base", swapped))

    runs = [desk.run(*IMPORT, *more) for more in ((), ("--diff",), ("--yes",))]

    assert [done.code for done in runs] == [125, 0, 0]
    assert all("base in aws-vault's collection is not a key, and is left out" in done.err for done in runs)
    assert runs[1].out == f"bob  {desk.bob.access_key_id}  new\n"
    assert desk.shows_no_secret(*runs)


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_locked_keyring_is_named_with_the_next_command(desk: Desk) -> None:
    """aws-vault's collection has a password of its own: what to unlock, and how aws-vault does it."""
    desk.vault()
    desk.session.lock()

    done = desk.run(*IMPORT, "--yes")

    assert done.code == 125 and "the Secret Service is locked: its collection awsvault has the keys" in done.err
    assert "unlock that collection in the desktop's password manager" in done.err
    assert "aws-vault exec --no-session NAME -- awsudo keys add NAME --from-env" in done.err


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_the_collection_may_have_another_name(desk: Desk) -> None:
    """By aws-vault's own variable; characters that D-Bus does not accept in a path are found too."""
    desk.vault("my-vault")

    unnamed = desk.run(*IMPORT, "--diff")
    named = desk.run(*IMPORT, "--diff", env={"AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME": "my-vault"})

    assert unnamed.out == "" and "the keys of base: aws-vault exec --no-session base --" in unnamed.err
    assert desk.alice.access_key_id in named.out


def _files(world: World) -> World:
    """A machine without a keyring, where aws-vault has a file for the key of bob, and base may have one anywhere."""
    world.config(f"[profile base]\nregion = x\n[profile dev]\nrole_arn = {DEV}\nsource_profile = base\n")
    keys = world.home / ".awsvault/keys"
    keys.mkdir(parents=True)
    for name in ("bob", *(name for name in NOT_KEYS if "/" not in name)):
        (keys / name).write_text("sealed")
    return world


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        ("", "cannot look for the keys of aws-vault in the Secret Service: the Secret Service is not available"),
        ("file", "awsudo does not read aws-vault's backend file (AWS_VAULT_BACKEND)"),
        ("pass", "awsudo does not read aws-vault's backend pass (AWS_VAULT_BACKEND)"),
    ],
)
def test_keys_that_awsudo_cannot_read_have_the_line_that_stores_them(tmp_path: Path, backend: str, reason: str) -> None:
    """For each encrypted file, and for each profile that is a source without keys: aws-vault hands the key over."""
    world = _files(World(tmp_path))

    done = world.run(*IMPORT, env={"AWS_VAULT_BACKEND": backend or None, "DBUS_SESSION_BUS_ADDRESS": None})

    assert done.code == 0 and reason in done.err, done.err
    assert "aws-vault --backend=file exec --no-session bob -- awsudo keys add bob --from-env" in done.err
    assert "the keys of base: aws-vault exec --no-session base -- awsudo keys add base --from-env" in done.err
    assert done.err.count("aws-vault exec") + done.err.count("--backend=file") == 2


def test_a_keyring_that_was_named_and_is_absent_is_an_error(tmp_path: Path) -> None:
    """Who named the Secret Service for aws-vault has the keys there: what to install or to start."""
    world = _files(World(tmp_path))

    done = world.run(*IMPORT, env={"AWS_VAULT_BACKEND": "secret-service", "DBUS_SESSION_BUS_ADDRESS": None})

    assert done.code == 125 and "the Secret Service" in done.err and "gnome-keyring" in done.err


@pytest.mark.parametrize(("name", "expected"), [*((name, False) for name in NOT_KEYS), ("a,b", True), ("x 1", True)])
def test_names_of_sessions_are_not_names_of_keys(name: str, expected: bool) -> None:
    """Every form that a release of aws-vault has used."""
    assert is_key(name) is expected
