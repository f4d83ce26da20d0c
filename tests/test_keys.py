"""Long-lived keys in the keyring: stored, used, listed, rotated, taken out; and the MFA device of their user."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from awsudo_py.aws_credentials import Credentials
from awsudo_py.keys.index import StoredKey
from awsudo_py.keys.vault import Keys
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.single_flight import Run
from awsudo_py.terminal import Terminal
from tests import messages
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.screens import PseudoTerminal, terminal
from tests.servers.strict_iam import StrictAws
from tests.servers.strict_sts import Key
from tests.world import AWSUDO, IMPORTS_LISTED, KEY_ID, PRINT_ENV, Done, Running, World

pytestmark = [needs("gnome-keyring-daemon", "dbus-daemon")]

DEV = "arn:aws:iam::111111111111:role/dev"
DEVICE = "arn:aws:iam::111111111111:mfa/alice"
CONFIG = f"[profile dev]\nrole_arn = {DEV}\nsource_profile = base\n"


@pytest.fixture(scope="module")
def session() -> Iterator[KeyringSession]:
    """A gnome-keyring, unlocked, for all tests of this module: each has keys of its own."""
    with KeyringSession() as running:
        yield running


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    """STS and IAM."""
    with StrictAws() as server:
        yield server


class Desk(World):
    """A machine with a keyring; `key` is alice's."""

    key: Key
    session: KeyringSession

    def stored(self, name: str = "base") -> None:
        """Alice's key is stored: what `keys add` leaves, without the time it takes."""
        run = Run(Terminal(), time.time, time.sleep, time.time())
        keys = Keys(self.env, run)
        with self.session.here():
            backend = keys.keep(name, Credentials(self.key.access_key_id, self.key.secret_access_key, None))
        arn = "arn:aws:iam::111111111111:user/alice"
        keys.write(name, StoredKey(self.key.access_key_id, backend, time.time(), arn))

    def environment_keys(self) -> dict[str, str | None]:
        """Alice's key as environment variables."""
        return {"AWS_ACCESS_KEY_ID": self.key.access_key_id, "AWS_SECRET_ACCESS_KEY": self.key.secret_access_key}

    @property
    def list(self) -> Path:
        """The list of stored keys."""
        return self.home / ".local/share/awsudo/keys"

    def listed(self) -> dict[str, str]:
        """The first key of that list, as it is on the disk."""
        fields = FileStore(str(self.list.parent)).read("keys") or {}
        return {name[2:]: value for name, value in fields.items() if name.startswith("0 ")}

    def plain(self, key: Key) -> str:
        """A key as the credentials file has it."""
        return f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"

    def terminal(self, *words: str, env: dict[str, str | None] | None = None) -> PseudoTerminal:
        """awsudo on a terminal."""
        return terminal(self, *words, env=env, size=(50, 400))


def ended(terminal: PseudoTerminal) -> tuple[int, str]:
    """How it ended, and all that the terminal showed since the last expectation."""
    done = terminal.ended()
    return done.code, done.out


@pytest.fixture
def desk(tmp_path: Path, aws: StrictAws, session: KeyringSession) -> Desk:
    """A machine with the keyring, the role `dev` from profile `base`, and no keys anywhere."""
    made = Desk(tmp_path, sts_url=aws.url)
    made.env |= {**session.env, "AWS_ENDPOINT_URL_IAM": aws.url, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    made.session = session
    made.key = aws.add_user("alice")
    aws.add_role(DEV)
    made.config(CONFIG)
    return made


def entry(session: KeyringSession, key: str) -> dict[str, str]:
    """What the keyring has of a key."""
    return dict(json.loads(session.entries().get(f"key {key}", "{}")))


# add


def test_a_key_is_typed_on_the_terminal_and_its_secret_is_never_shown(desk: Desk, session: KeyringSession) -> None:
    """Asked for, shown to AWS, stored, read back; stdin is not read."""
    terminal = desk.terminal("keys", "add", "base")
    terminal.expect_exact("Access key ID of profile base: ")
    terminal.sendline(desk.key.access_key_id)
    terminal.expect_exact("Secret access key (not shown): ")
    terminal.sendline(desk.key.secret_access_key)
    code, displayed = ended(terminal)

    assert code == 0, displayed
    assert "arn:aws:iam::111111111111:user/alice, account 111111111111" in displayed
    assert "stored in the Secret Service" in displayed
    assert desk.key.secret_access_key not in displayed
    assert entry(session, desk.key.access_key_id) == {
        "access_key_id": desk.key.access_key_id,
        "secret_access_key": desk.key.secret_access_key,
        "profile": "base",
    }
    assert desk.run("dev", "printenv", "AWSUDO_ROLE_ARN").out == f"{DEV}\n"


@pytest.mark.parametrize("answers", [0, 1])
def test_ctrl_c_at_a_prompt_stores_nothing(desk: Desk, session: KeyringSession, answers: int) -> None:
    """Ended by SIGINT, echo on again, and nothing anywhere."""
    terminal = desk.terminal("keys", "add", "base")
    terminal.expect_exact("Access key ID of profile base: ")
    if answers:
        terminal.sendline(desk.key.access_key_id)
        terminal.expect_exact("(not shown): ")
    terminal.sendintr()
    code, _ = ended(terminal)

    assert code == -signal.SIGINT
    assert not desk.list.exists()
    assert entry(session, desk.key.access_key_id) == {}


WRONG = {
    "ASIA": ("ASIAIOSFODNN7EXAMPLE", "only long-lived keys are stored"),
    "AIDA": ("AIDAIOSFODNN7EXAMPLE", "the ID of a user"),
    "AROA": ("AROAIOSFODNN7EXAMPLE", "the ID of a role"),
    "short": ("AKIA", messages.INVALID_KEY_ID),
    "lower case": ("akiaiosfodnn7example", messages.INVALID_KEY_ID),
    "a secret in its place": ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", messages.INVALID_KEY_ID),
    "nothing": ("", "AWS_ACCESS_KEY_ID is not set"),
}


@pytest.mark.parametrize(("key_id", "text"), WRONG.values(), ids=WRONG)
def test_an_invalid_access_key_id_is_refused_before_a_call(desk: Desk, aws: StrictAws, key_id: str, text: str) -> None:
    """The shape is looked at first, and a secret typed in the wrong place is not repeated."""
    done = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys() | {"AWS_ACCESS_KEY_ID": key_id})

    assert (done.code, done.out, aws.calls) == (125, "", [])
    assert text in done.err and "wJalrXUtn" not in done.err


def test_a_secret_of_the_wrong_length_is_refused_and_not_shown(desk: Desk, aws: StrictAws) -> None:
    """Half a paste is reported as such."""
    half = desk.key.secret_access_key[:20]

    done = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys() | {"AWS_SECRET_ACCESS_KEY": half})

    assert (done.code, aws.calls) == (125, [])
    assert "20 characters" in done.err and half not in done.err


def test_temporary_keys_in_the_environment_are_refused_with_the_reason(desk: Desk, aws: StrictAws) -> None:
    """A session ends, whatever its id looks like."""
    done = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys() | {"AWS_SESSION_TOKEN": "token"})

    assert (done.code, aws.calls) == (125, [])
    assert "it belongs to a session" in done.err


def test_a_secret_in_the_place_of_an_id_is_not_displayed_beside_a_token_either(desk: Desk, aws: StrictAws) -> None:
    """Swapped keys of a session: the ID is looked at first, and is in no message."""
    env = {"AWS_ACCESS_KEY_ID": desk.key.secret_access_key, "AWS_SECRET_ACCESS_KEY": desk.key.access_key_id}

    done = desk.run("keys", "add", "base", "--from-env", env={**env, "AWS_SESSION_TOKEN": "token"})

    assert (done.code, aws.calls) == (125, []) and messages.INVALID_KEY_ID in done.err
    assert desk.key.secret_access_key not in done.err


@pytest.mark.parametrize(
    ("change", "output"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "x" * 40}, messages.WRONG_SECRET),
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, messages.UNKNOWN_KEY),
    ],
    ids=["another secret", "another key"],
)
def test_a_key_that_does_not_work_is_not_stored(
    desk: Desk, session: KeyringSession, change: dict[str, str | None], output: str
) -> None:
    """AWS is asked who it is, and says."""
    done = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys() | change)

    assert done.code == 125 and output in done.err
    assert not desk.list.exists()
    assert entry(session, desk.key.access_key_id) == {}


def test_a_key_of_the_root_user_is_not_stored(desk: Desk, aws: StrictAws, session: KeyringSession) -> None:
    """It opens everything, and no role can be assumed with it."""
    desk.key = aws.add_root("222222222222")

    done = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys())

    assert done.code == 125 and "belongs to the root user of account 222222222222" in done.err
    assert entry(session, desk.key.access_key_id) == {}


def test_another_key_under_the_name_needs_a_word(desk: Desk, aws: StrictAws, session: KeyringSession) -> None:
    """--replace, or a yes; the key that is replaced leaves the keyring."""
    first = desk.key
    desk.stored()
    desk.key = aws.add_user("alice")

    refused = desk.run("keys", "add", "base", "--from-env", env=desk.environment_keys())
    terminal = desk.terminal("keys", "add", "base", "--from-env", env=desk.environment_keys())
    terminal.expect_exact(f"base has a stored key, {first.access_key_id}. Replace it? [y/N] ")
    terminal.sendline("")
    code, displayed = ended(terminal)

    assert refused.code == 125 and "--replace" in refused.err
    assert code == 130 and "was not replaced" in displayed
    assert desk.listed()["access_key_id"] == first.access_key_id

    replaced = desk.run("keys", "add", "base", "--from-env", "--replace", env=desk.environment_keys())

    assert replaced.code == 0, replaced.err
    assert desk.listed()["access_key_id"] == desk.key.access_key_id
    assert entry(session, first.access_key_id) == {} and entry(session, desk.key.access_key_id)


def test_one_key_has_one_name(desk: Desk) -> None:
    """Rotating it under one name would end it under the other."""
    desk.stored()

    done = desk.run("keys", "add", "other", "--from-env", env=desk.environment_keys())

    assert done.code == 125 and "is already stored as base" in done.err and "source_profile = base" in done.err


def test_a_role_has_no_key(desk: Desk) -> None:
    """The hint names the profile whose key it is."""
    done = desk.run("keys", "add", "dev", "--from-env", env=desk.environment_keys())

    assert done.code == 125 and "awsudo keys add base" in done.err


def test_a_run_that_died_between_keyring_and_list_is_made_good(desk: Desk, session: KeyringSession) -> None:
    """The secret is in the keyring and nothing names it: adding the key again finds it, and asks for no secret."""
    desk.stored()
    desk.list.unlink()

    terminal = desk.terminal("keys", "add", "base")
    terminal.expect_exact("Access key ID of profile base: ")
    terminal.sendline(desk.key.access_key_id)
    code, displayed = ended(terminal)

    assert code == 0 and "its secret is already in the keyring" in displayed, displayed
    assert desk.run("base", "true").code == 0


# add --import

FILE = """# mine
[other]
aws_access_key_id = AKIAOTHEROTHEROTHER0
aws_secret_access_key = otherSecretOtherSecretOtherSecretOtherSe

[base]
{plain}region = eu-west-1

[last]
# aws_secret_access_key = commentedSecretCommentedSecretCommented0
output = json
"""


@pytest.fixture
def file(desk: Desk) -> Path:
    """A credentials file with alice's key under `base`, and more."""
    return desk.credentials(FILE.format(plain=desk.plain(desk.key)))


def test_an_imported_key_leaves_the_file_after_a_yes(desk: Desk, file: Path, session: KeyringSession) -> None:
    """The difference is shown without any secret, then only the key's lines go."""
    before = file.read_text()
    file.chmod(0o640)

    terminal = desk.terminal("keys", "add", "base", "--import")
    terminal.expect_exact(f"Remove the key from {file}? [y/N] ")
    text = terminal.before or ""
    terminal.sendline("y")
    code, after = ended(terminal)

    assert code == 0, after
    assert f"-aws_access_key_id = {desk.key.access_key_id}" in text and "-aws_secret_access_key = ****" in text
    assert not [secret for secret in (desk.key.secret_access_key, "otherSecret", "commentedSecret") if secret in text]
    assert file.read_text() == before.replace(desk.plain(desk.key), "")
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["config", "credentials"]
    assert desk.run("dev", "printenv", "AWSUDO_ROLE_ARN").err == ""


@pytest.mark.parametrize("answer", ["", "n", "no", "yess"])
def test_without_a_yes_the_file_stays_as_it_is(desk: Desk, file: Path, answer: str) -> None:
    """The key is stored all the same."""
    before = file.read_bytes()

    terminal = desk.terminal("keys", "add", "base", "--import")
    terminal.expect_exact("[y/N] ")
    terminal.sendline(answer)
    code, after = ended(terminal)

    assert code == 0 and "was not changed" in after
    assert file.read_bytes() == before
    assert desk.listed()["access_key_id"] == desk.key.access_key_id


def test_without_a_terminal_the_file_stays_and_the_next_command_is_printed(desk: Desk, file: Path) -> None:
    """A script that means it says --yes."""
    before = file.read_bytes()

    done = desk.run("keys", "add", "base", "--import")

    assert done.code == 0 and "awsudo keys add base --import --yes" in done.err
    assert file.read_bytes() == before

    again = desk.run("keys", "add", "base", "--import", "--yes")

    assert again.code == 0 and desk.key.secret_access_key not in file.read_text()


def test_a_backup_is_made_only_on_request_and_is_private(desk: Desk, file: Path) -> None:
    """0600, whatever the file itself was."""
    before = file.read_bytes()
    file.chmod(0o644)

    done = desk.run("keys", "add", "base", "--import", "--yes", "--backup")

    backups = list(file.parent.glob("*.backup"))
    assert done.code == 0 and len(backups) == 1, done.err
    assert backups[0].read_bytes() == before and backups[0].stat().st_mode & 0o777 == 0o600
    assert str(backups[0]) in done.err


def test_a_key_that_is_not_there_cannot_be_imported(desk: Desk) -> None:
    """A profile without keys, and an unknown profile."""
    desk.config(f"{CONFIG}[profile base]\nregion = eu-west-1\n")

    assert "profile base has no key in" in desk.run("keys", "add", "base", "--import").err
    assert "did you mean base?" in desk.run("keys", "add", "bsae", "--import").err


# As a source


def test_a_stored_key_precedes_the_credentials_file_with_a_notice(desk: Desk, aws: StrictAws) -> None:
    """Both exist: the notice names the file, and the line that ends it."""
    desk.stored()
    other = aws.add_user("bob")
    file = desk.credentials(f"[base]\n{desk.plain(other)}")

    done = desk.run("--no-cache", "dev", "true")

    assert aws.calls[-1].access_key_id == desk.key.access_key_id
    assert (
        f"using the key {desk.key.access_key_id} of the keyring, not the one in {file} (another one, "
        f"{other.access_key_id})" in done.err
    )

    desk.credentials(f"[base]\n{desk.plain(desk.key)}")

    assert "awsudo keys add base --import" in desk.run("--no-cache", "dev", "true").err


def test_a_profile_may_exist_as_a_stored_key_alone(desk: Desk, aws: StrictAws) -> None:
    """As a target, as source_profile, as -p's source, as AWS_PROFILE, and as the ambient default."""
    desk.stored("default")
    desk.config(CONFIG.replace("base", "default"))

    for words, env in (
        (("dev",), {}),
        (("-p", "default", DEV), {}),
        ((DEV,), {}),
        ((DEV,), {"AWS_PROFILE": "default"}),
    ):
        done = desk.run("--no-cache", *words, "printenv", "AWSUDO_ROLE_ARN", env=dict(env))
        assert (done.out, done.err) == (f"{DEV}\n", ""), words
        assert aws.calls[-1].access_key_id == desk.key.access_key_id


def test_a_profile_that_is_a_stored_key_gives_a_session_and_never_the_key(desk: Desk, aws: StrictAws) -> None:
    """No command ever gets a long-lived key."""
    desk.stored()

    done = desk.run("base", *PRINT_ENV)

    assert done.env["AWS_ACCESS_KEY_ID"].startswith("ASIA") and done.env["AWS_SESSION_TOKEN"]
    assert desk.key.secret_access_key not in done.out
    assert aws.count("GetSessionToken", ok=True) == 1


def test_keys_in_the_environment_still_win_where_nothing_is_named(desk: Desk, aws: StrictAws) -> None:
    """As for the SDKs."""
    desk.stored("default")
    bob = aws.add_user("bob")

    desk.run(DEV, "true", env={"AWS_ACCESS_KEY_ID": bob.access_key_id, "AWS_SECRET_ACCESS_KEY": bob.secret_access_key})

    assert aws.calls[-1].access_key_id == bob.access_key_id


def test_a_session_of_a_stored_key_is_that_of_the_same_key_in_a_file(desk: Desk, aws: StrictAws) -> None:
    """The same key is the same source, wherever it lies: storing it costs no new session."""
    file = desk.credentials(f"[base]\n{desk.plain(desk.key)}")
    before = desk.run("dev", *KEY_ID).key_id
    desk.stored()
    file.unlink()

    assert desk.run("dev", *KEY_ID).key_id == before
    assert aws.count("AssumeRole") == 1


def test_a_hit_and_a_kept_session_open_no_keyring(desk: Desk, aws: StrictAws, session: KeyringSession) -> None:
    """The list knows the key's id: no keyring is imported, on the short way nor on the long one."""
    desk.stored()
    desk.settle()
    first = desk.run("dev", *KEY_ID).key_id

    hit = desk.run("dev", *KEY_ID, prefix=IMPORTS_LISTED)
    long = desk.run("-v", "dev", *KEY_ID, prefix=IMPORTS_LISTED)

    assert (hit.key_id, long.key_id) == (first, first)
    assert hit.replayed and not long.replayed
    for done in (hit, long):
        assert not [
            line
            for line in done.err.splitlines()
            if re.fullmatch(r"import time:.*\| +(keyring|awsudo_py\.keys\.os_keyring)(\..*)?", line)
        ]


def test_a_change_of_the_stored_keys_is_seen_by_a_hit(desk: Desk, aws: StrictAws) -> None:
    """What another key would decide otherwise is not replayed."""
    desk.stored()
    desk.settle()
    desk.run("dev", "true")
    desk.key = aws.add_user("bob")
    desk.run("keys", "add", "base", "--from-env", "--replace", env=desk.environment_keys())

    desk.run("dev", "true")

    assert aws.calls[-1][:3][0] == "AssumeRole" and aws.calls[-1].access_key_id == desk.key.access_key_id


@pytest.mark.parametrize("gone", ["entry", "another secret's shape"])
def test_a_listed_key_that_the_keyring_lacks_is_one_line_with_the_remedy(
    desk: Desk, aws: StrictAws, session: KeyringSession, gone: str
) -> None:
    """Nothing else is used instead, though the credentials file has keys."""
    desk.stored()
    desk.credentials(f"[base]\n{desk.plain(desk.key)}")
    name = f"key {desk.key.access_key_id}"
    session.put(name, "" if gone == "entry" else "[1]")
    aws.forget()

    done = desk.run("dev", "true")

    assert (done.code, aws.calls) == (125, [])
    assert f"the Secret Service does not have the key {desk.key.access_key_id} of profile base" in done.err
    assert "awsudo keys add base --replace" in done.err and "awsudo keys remove base" in done.err


def _open_to_others(path: Path) -> None:
    path.chmod(0o644)


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


def _a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("harm", [_open_to_others, _damaged, _a_link])
def test_a_list_that_cannot_be_trusted_is_refused_instead_of_read_as_empty(
    desk: Desk, aws: StrictAws, harm: object
) -> None:
    """Else other credentials would be used instead, and the next key would overwrite it."""
    desk.stored()
    desk.credentials(f"[base]\n{desk.plain(desk.key)}")
    assert callable(harm)
    harm(desk.list)
    aws.forget()

    for words in (("dev", "true"), ("keys", "list"), ("keys", "add", "base", "--from-env")):
        done = desk.run(*words, env=desk.environment_keys() if words[0] == "keys" else None)
        assert done.code == 125 and f"cannot be trusted: {desk.list}" in done.err, done.err
    assert aws.calls == []


def test_the_list_is_private_and_has_no_secret(desk: Desk) -> None:
    """0600 in 0700, whatever the umask; names and ids only."""
    desk.run(
        "keys",
        "add",
        "base",
        "--from-env",
        env=desk.environment_keys(),
        prefix=("sh", "-c", 'umask 0; exec "$@"', "sh"),
    )

    assert desk.list.stat().st_mode & 0o777 == 0o600 and desk.list.parent.stat().st_mode & 0o777 == 0o700
    assert desk.key.secret_access_key.encode() not in desk.list.read_bytes()
    assert desk.key.access_key_id.encode() in desk.list.read_bytes()


@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({}, "home/.local/share/awsudo"),
        ({"XDG_DATA_HOME": "{root}/data"}, "data/awsudo"),
        ({"XDG_DATA_HOME": "relative"}, "home/.local/share/awsudo"),
        ({"XDG_DATA_HOME": "{root}/data", "AWSUDO_DATA_DIR": "{root}/mine"}, "mine"),
    ],
)
def test_the_list_is_where_the_platform_keeps_a_programs_data(desk: Desk, env: dict[str, str], place: str) -> None:
    """XDG's place, or AWSUDO_DATA_DIR."""
    desk.env |= {name: value.format(root=desk.root) for name, value in env.items()}

    desk.stored()

    assert (desk.root / place / "keys").is_file()
    assert desk.run("base", "true").code == 0


def test_many_keys_stored_at_once_are_all_in_the_list(desk: Desk, aws: StrictAws) -> None:
    """Edits wait for each other."""
    keys = {f"user{number}": aws.add_user(f"user{number}") for number in range(4)}
    variables: list[dict[str, str | None]] = [
        {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
        for key in keys.values()
    ]

    done = desk.together(*(("keys", "add", name, "--from-env") for name in keys), env=variables)

    assert [run.code for run in done] == [0] * 4
    listed = json.loads(desk.run("keys", "list", "--offline", "--json").out)
    assert {each["name"]: each["access_key_id"] for each in listed} == {
        name: key.access_key_id for name, key in keys.items()
    }


# list


def test_the_list_shows_what_iam_knows_and_never_a_secret(desk: Desk, aws: StrictAws) -> None:
    """Age, last use, device, keyring; JSON has the same."""
    desk.stored()
    aws.age(desk.key.access_key_id, 40 * 86_400 + 5)
    aws.add_mfa("alice", DEVICE)

    table = desk.run("keys", "list")
    (output,) = json.loads(desk.run("keys", "list", "--json").out)

    assert (table.code, table.err) == (0, "")
    header, row = table.out.splitlines()
    assert [word for word in header.split("  ") if word.strip()]
    for displayed in ("base", "111111111111", desk.key.access_key_id, "40d", "sts", "mfa/alice", "Secret Service"):
        assert displayed in row
    assert (output["name"], output["account"], output["mfa_devices"], output["active"]) == (
        "base",
        "111111111111",
        [DEVICE],
        True,
    )
    assert output["created"].endswith("Z") and output["last_used_service"] == "sts"
    assert desk.key.secret_access_key not in table.out + json.dumps(output)


def test_the_list_needs_no_network(desk: Desk, aws: StrictAws) -> None:
    """What AWS does not return is a question mark, with the reason."""
    desk.stored()

    unreachable = desk.run("keys", "list", env={"AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9"})
    aws.forget()
    offline = desk.run("keys", "list", "--offline", env={"DBUS_SESSION_BUS_ADDRESS": None})

    assert unreachable.code == 0 and "AWS is not called any more" in unreachable.err
    for done in (unreachable, offline):
        assert done.out.splitlines()[-1].split()[-5:] == ["?", "?", "?", "Secret", "Service"]
    assert (offline.code, offline.err, aws.calls) == (0, "", [])


def test_the_list_is_shown_though_the_keyring_is_not_there(desk: Desk) -> None:
    """Names need no keyring."""
    desk.stored()

    done = desk.run("keys", "list", env={"DBUS_SESSION_BUS_ADDRESS": None})

    assert done.code == 0 and desk.key.access_key_id in done.out
    assert "AWS is not called: the Secret Service is not available" in done.err


def test_a_denied_iam_call_is_a_question_mark_and_verbose_prints_the_reason(desk: Desk, aws: StrictAws) -> None:
    """Each column by itself: one that is denied does not take the others with it."""
    desk.stored()
    aws.deny("iam:GetAccessKeyLastUsed")

    quiet, verbose = desk.run("keys", "list"), desk.run("-v", "keys", "list")

    assert quiet.err == "" and " ? " in quiet.out.splitlines()[-1] and "none" in quiet.out
    assert "iam:GetAccessKeyLastUsed" in verbose.err or "the last use of the key" in verbose.err


def test_an_empty_list_prints_how_to_begin(desk: Desk) -> None:
    """Nothing on stdout, and the next line to type."""
    done = desk.run("keys", "list")

    assert (done.code, done.out) == (0, "") and "awsudo keys add NAME" in done.err
    assert desk.run("keys", "list", "--json").out == "[]\n"


# remove, export


def test_a_key_is_removed_after_a_yes(desk: Desk, aws: StrictAws, session: KeyringSession) -> None:
    """It still works at AWS: the message has the line that deletes it there."""
    desk.stored()
    desk.run("dev", "true")

    refused = desk.run("keys", "remove", "base")
    terminal = desk.terminal("keys", "remove", "base")
    terminal.expect_exact("[y/N] ")
    terminal.sendline("yes")
    code, displayed = ended(terminal)

    assert refused.code == 125 and "--yes" in refused.err
    assert code == 0, displayed
    assert f"aws iam delete-access-key --access-key-id {desk.key.access_key_id} --user-name alice" in displayed
    assert entry(session, desk.key.access_key_id) == {} and desk.listed() == {}
    assert desk.entries() == [] and aws.state(desk.key.access_key_id) == "Active"
    assert "no key is stored as 'base'" in desk.run("keys", "remove", "base", "--yes").err


def test_a_name_is_forgotten_though_the_keyring_is_gone(desk: Desk) -> None:
    """With a word about the secret that may still be there."""
    desk.stored()

    done = desk.run("keys", "remove", "base", "--yes", env={"DBUS_SESSION_BUS_ADDRESS": None})

    assert done.code == 0 and "its secret may still be in the keyring" in done.err
    assert desk.listed() == {}


def test_a_stored_key_is_printed_for_an_sdk_only(desk: Desk) -> None:
    """Version 1 and the two parts; not on a terminal; not without the word."""
    desk.stored()

    done = desk.run("keys", "export", "base", "--process")
    code, displayed = ended(desk.terminal("keys", "export", "base", "--process"))

    assert json.loads(done.out) == {
        "Version": 1,
        "AccessKeyId": desk.key.access_key_id,
        "SecretAccessKey": desk.key.secret_access_key,
    }
    assert done.err == ""
    assert code == 125 and "print a secret on the terminal" in displayed and desk.key.secret_access_key not in displayed
    assert desk.key.secret_access_key in ended(desk.terminal("keys", "export", "base", "--process", "--force"))[1]
    assert desk.run("keys", "export", "base").code == 2


def test_an_sdk_finds_the_stored_key_through_its_own_configuration(desk: Desk) -> None:
    """The profile names awsudo, which names the profile: no circle, for awsudo nor for the SDK."""
    desk.stored()
    desk.config(f"{CONFIG}[profile base]\ncredential_process = {AWSUDO} keys export base --process\n")
    boto3 = "import boto3; print(boto3.Session(profile_name='base').client('sts').get_caller_identity()['Arn'])"

    done = subprocess.run(
        [str(Path(AWSUDO).parent / "python"), "-c", boto3],
        env=desk.environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "arn:aws:iam::111111111111:user/alice\n", done.stderr
    assert desk.run("dev", "true").err == ""


# rotate


def rotated(desk: Desk, aws: StrictAws, session: KeyringSession) -> None:
    """What holds after a rotation: one key at AWS, in the list and in the keyring, and it works."""
    (new,) = aws.keys_of()
    assert new != desk.key.access_key_id and aws.state(new) == "Active"
    listed = desk.listed()
    assert (listed["access_key_id"], listed["pending"], listed["retiring"], listed["rotating"]) == (new, "", "", "0.0")
    assert entry(session, new)["secret_access_key"] in [key.secret_access_key for key in aws.made]
    assert entry(session, desk.key.access_key_id) == {}
    done = desk.run("--no-cache", "dev", "true")
    assert (done.code, done.err) == (0, "")


def test_a_rotation_leaves_one_key_that_works_and_no_session_of_the_old_one(
    desk: Desk, aws: StrictAws, session: KeyringSession
) -> None:
    """New, tried, used, then the old one deactivated, deleted, and its sessions forgotten; others stay."""
    desk.stored()
    bob = aws.add_user("bob")
    desk.credentials(f"[bob]\n{desk.plain(bob)}")
    desk.run("dev", "true")
    desk.run("base", "true")
    desk.run("bob", "true")
    aws.slow_to_know = 2

    done = desk.run("keys", "rotate", "base")

    assert done.code == 0, done.err
    order = [
        call.action for call in aws.calls if call.action.endswith("AccessKey") or call.action == "GetCallerIdentity"
    ]
    assert order == ["CreateAccessKey", *["GetCallerIdentity"] * 3, "UpdateAccessKey", "DeleteAccessKey"]
    assert messages.KNOWN_EVERYWHERE in done.err and "deleted 2 sessions that came from it" in done.err
    assert len(desk.entries()) == 1
    secrets = [key.secret_access_key for key in (desk.key, *aws.made)]
    assert not [secret for secret in secrets if secret in done.out + done.err]
    rotated(desk, aws, session)


#: A question changes nothing: whether it was answered makes no difference to those who go on.
STEPS = [
    *((question, "before") for question in ("ListAccessKeys", "GetCallerIdentity")),
    *(
        (change, when)
        for change in ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
        for when in ("before", "after")
    ),
]


@pytest.mark.parametrize(("action", "when"), STEPS)
def test_a_rotation_killed_at_any_call_leaves_a_key_that_works_and_is_gone_on_with(
    desk: Desk, aws: StrictAws, session: KeyringSession, action: str, when: str
) -> None:
    """Killed as AWS gets a request or before its answer arrives: no working key is lost, the same line finishes."""
    desk.stored()
    process: list[Running] = []

    def watch(called: str, at: str) -> None:
        if process and (called, at) == (action, when):
            process[0].kill()
            process.pop().wait()

    aws.watch = watch
    process.append(desk.start("keys", "rotate", "base"))
    process[0].wait()

    in_use = desk.listed()["access_key_id"]
    assert not process and aws.state(in_use) == "Active" and entry(session, in_use)
    assert desk.run("--no-cache", "dev", "true").code == 0

    done = desk.run("keys", "rotate", "base", "--yes")

    assert done.code == 0, done.err
    rotated(desk, aws, session)


@needs("strace")
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_rotation_killed_at_any_write_of_the_list_leaves_a_key_that_works_and_is_gone_on_with(
    desk: Desk, aws: StrictAws, session: KeyringSession, write: int
) -> None:
    """Between the steps on this machine likewise."""
    desk.stored()
    killing = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=/^rename")

    killed = desk.run("keys", "rotate", "base", prefix=(*killing, "-e", f"inject=/^rename:signal=KILL:when={write}"))

    assert killed.code == -signal.SIGKILL
    assert aws.state(desk.listed()["access_key_id"]) == "Active"
    assert desk.run("--no-cache", "dev", "true").code == 0

    done = desk.run("keys", "rotate", "base", "--yes")

    assert done.code == 0, done.err
    rotated(desk, aws, session)


def test_a_key_whose_secret_was_lost_is_deleted_only_after_a_yes(
    desk: Desk, aws: StrictAws, session: KeyringSession
) -> None:
    """The answer to CreateAccessKey never came: the user is asked, and a no changes nothing."""
    desk.stored()
    aws.fail_next("empty", action="CreateAccessKey")
    lost = desk.run("keys", "rotate", "base")
    (key,) = aws.made

    assert lost.code == 125 and "to continue: awsudo keys rotate base" in lost.err
    assert aws.count("CreateAccessKey") == 1, "sent once: each time it arrives there is one more key"

    terminal = desk.terminal("keys", "rotate", "base")
    terminal.expect_exact("its secret was never stored. Delete it? [y/N] ")
    terminal.sendline("n")
    code, displayed = ended(terminal)

    assert code == 130 and f"aws iam delete-access-key --access-key-id {key.access_key_id}" in displayed
    assert aws.state(key.access_key_id) == "Active"

    assert desk.run("keys", "rotate", "base", "--yes").code == 0
    assert aws.state(key.access_key_id) == ""
    rotated(desk, aws, session)


@pytest.mark.parametrize("whose", ["older than the rotation", "used by somebody"])
def test_a_second_key_that_is_not_the_rotations_is_never_deleted(desk: Desk, aws: StrictAws, whose: str) -> None:
    """A rotation that was interrupted finds a key that somebody else made: it keeps its hands off."""
    desk.stored()
    aws.fail_next("reset", action="CreateAccessKey")
    aws.fail_next("503", action="CreateAccessKey")
    desk.run("keys", "rotate", "base")
    for key in aws.made:
        aws._known.pop(key.access_key_id, None)
    other = aws.add_user("alice")
    if whose == "older than the rotation":
        aws.age(other.access_key_id, 86_400)
    else:
        aws._known[other.access_key_id] = aws._known[other.access_key_id]._replace(used=time.time())

    done = desk.run("keys", "rotate", "base", "--yes")

    assert done.code == 125 and f"has a second key, {other.access_key_id}" in done.err
    assert aws.state(other.access_key_id) == "Active"


def test_the_line_to_go_on_with_is_one_to_type_whatever_the_name(desk: Desk) -> None:
    """A name with a space is quoted in it."""
    desk.stored("my base")
    keys = Keys(desk.env, Run(Terminal(), time.time, time.sleep, time.time()))
    keys.write("my base", keys.named("my base")._replace(rotating=1.0))

    done = desk.run("keys", "list", "--offline")

    assert done.code == 0 and "go on: awsudo keys rotate 'my base'" in done.err


def test_two_keys_are_one_clear_line(desk: Desk, aws: StrictAws) -> None:
    """AWS allows no third: which one is in the way, and how it goes."""
    desk.stored()
    other = aws.add_user("alice")
    aws.switch_off(other.access_key_id)

    done = desk.run("keys", "rotate", "base")

    first = done.err.splitlines()[0]
    assert done.code == 125 and f"a second key, {other.access_key_id} (inactive, made " in first
    assert f"aws iam delete-access-key --access-key-id {other.access_key_id}" in done.err
    assert messages.NOTHING_CHANGED in done.err and aws.count("CreateAccessKey") == 0


def test_ctrl_c_in_a_rotation_prints_the_key_in_use_and_how_to_resume(desk: Desk, aws: StrictAws) -> None:
    """Ended by SIGINT, and the state it is left in."""
    desk.stored()
    aws.slow_to_know = 1_000
    process = desk.start("keys", "rotate", "base")

    def watch(action: str, _when: str) -> None:
        if action == "CreateAccessKey":
            aws.watch = lambda _a, _w: None

    aws.watch = watch
    assert process.stderr is not None
    output = ""
    while messages.KNOWN_EVERYWHERE not in output:
        output += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    output += process.stderr.read()

    assert process.wait() == -signal.SIGINT
    assert f"{messages.KEY_IN_USE} {desk.key.access_key_id}; to continue: awsudo keys rotate base" in output
    process.stderr.close()


def test_a_denied_rotation_is_reported_and_leaves_both_keys(desk: Desk, aws: StrictAws) -> None:
    """The new key is in use; the old one goes with the same line, once it is allowed."""
    desk.stored()
    aws.deny("iam:UpdateAccessKey")

    done = desk.run("keys", "rotate", "base")

    (new,) = [key.access_key_id for key in aws.made]
    assert done.code == 125
    assert f"in use: the new key {new}; to delete the old key {desk.key.access_key_id}: awsudo keys rotate" in done.err
    assert {aws.state(new), aws.state(desk.key.access_key_id)} == {"Active"}


def test_a_rotation_that_may_not_begin_changes_nothing(desk: Desk, aws: StrictAws) -> None:
    """And says that MFA may be what is missing."""
    desk.stored()
    aws.ask_mfa_for("iam:CreateAccessKey")

    done = desk.run("keys", "rotate", "base")

    assert done.code == 125 and messages.NOTHING_CHANGED in done.err and "--mfa-serial" in done.err
    assert aws.keys_of() == [desk.key.access_key_id] and desk.listed()["rotating"] == "0.0"


@pytest.mark.parametrize("where", ["profile", "option"])
def test_where_iam_asks_for_mfa_one_code_does_the_whole_rotation(
    desk: Desk, aws: StrictAws, session: KeyringSession, where: str
) -> None:
    """The device of the profile, or of the option."""
    device = aws.add_mfa("alice", DEVICE)
    if where == "profile":
        desk.config(f"{CONFIG}[profile base]\nmfa_serial = {DEVICE}\n")
    desk.stored()
    actions = ("CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey")
    aws.ask_mfa_for(*(f"iam:{action}" for action in actions))
    serial = () if where == "profile" else ("--mfa-serial", DEVICE)

    done = desk.run("keys", "rotate", "base", *serial, "--mfa-code", device.code())

    assert done.code == 0, done.err
    assert aws.count("GetSessionToken") == 1
    assert aws.keys_of() == [key.access_key_id for key in aws.made]


def test_a_keyring_that_refuses_the_new_key_leaves_no_key_behind(desk: Desk, aws: StrictAws, tmp_path: Path) -> None:
    """What cannot be stored is deleted again, and the old key stays in use."""
    with KeyringSession() as own:
        desk.env |= own.env
        desk.session = own
        desk.stored()

        def watch(action: str, when: str) -> None:
            if (action, when) == ("CreateAccessKey", "after"):
                own.lock()

        aws.watch = watch
        done = desk.run("keys", "rotate", "base")

    assert done.code == 125 and "the Secret Service is locked" in done.err and messages.NOTHING_CHANGED in done.err
    assert aws.keys_of() == [desk.key.access_key_id]


def test_two_rotations_do_not_run_at_once(desk: Desk, aws: StrictAws) -> None:
    """The second says so and changes nothing."""
    desk.stored()
    others: list[Done] = []

    def watch(action: str, when: str) -> None:
        if (action, when) == ("CreateAccessKey", "after"):
            aws.watch = lambda _a, _w: None
            others.append(desk.run("keys", "rotate", "base"))

    aws.watch = watch
    done = desk.run("keys", "rotate", "base")

    assert done.code == 0, done.err
    assert others[0].code == 125 and "another awsudo is rotating the key of profile base" in others[0].err
    assert aws.count("CreateAccessKey") == 1


def test_no_secret_is_left_or_printed_anywhere(desk: Desk, aws: StrictAws) -> None:
    """Neither in the output of -v, nor in any file of the machine."""
    file = desk.credentials(f"[base]\n{desk.plain(desk.key)}")
    done = [
        desk.run("-v", "keys", "add", "base", "--import", "--yes"),
        desk.run("-v", "dev", "true"),
        desk.run("-v", "keys", "list"),
        desk.run("-v", "keys", "rotate", "base"),
        desk.run("-v", "dev", "true", env={"DBUS_SESSION_BUS_ADDRESS": None, "AWSUDO_NO_CACHE": "1"}),
        desk.run("-v", "keys", "remove", "base", "--yes"),
    ]

    secrets = [key.secret_access_key for key in (desk.key, *aws.made)]
    assert len(secrets) == 2 and [each.code for each in done] == [0, 0, 0, 0, 125, 0]
    for secret in secrets:
        assert not [each for each in done if secret in each.out + each.err]
        holding = [path for path in desk.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert holding == [], file


# mfa


def test_the_device_of_the_user_is_found_and_its_line_printed(desk: Desk, aws: StrictAws) -> None:
    """On stdout the line, on stderr where it goes; a role leads to the profile that it starts from."""
    desk.stored()
    aws.add_mfa("alice", DEVICE)
    desk.config(f"{CONFIG}")

    for words in (("base",), ("dev",), ("-p", "base")):
        done = desk.run("keys", "mfa", *words)
        assert (done.code, done.out) == (0, f"mfa_serial = {DEVICE}\n"), done.err
        assert "below [profile base] in ~/.aws/config" in done.err

    desk.config(f"{CONFIG}[profile base]\nmfa_serial = {DEVICE}\n")

    assert "already has it" in desk.run("keys", "mfa", "base").err


@pytest.mark.parametrize("place", ["file", "environment", "process", "AWS_PROFILE"])
def test_the_device_is_found_with_keys_wherever_they_are(desk: Desk, aws: StrictAws, place: str) -> None:
    """The credentials file, the environment, a credential_process; without a name, as the AWS CLI would."""
    aws.add_mfa("alice", DEVICE)
    env = dict[str, str | None]()
    words: tuple[str, ...] = ()
    if place == "environment":
        env = desk.environment_keys()
    elif place == "process":
        keys = {"Version": 1, "AccessKeyId": desk.key.access_key_id, "SecretAccessKey": desk.key.secret_access_key}
        (desk.home / "keys.json").write_text(json.dumps(keys))
        desk.config(f"{CONFIG}[profile base]\ncredential_process = cat {desk.home}/keys.json\n")
        words = ("base",)
    else:
        desk.credentials(f"[base]\n{desk.plain(desk.key)}")
        if place == "AWS_PROFILE":
            env["AWS_PROFILE"] = "base"
        else:
            words = ("base",)

    done = desk.run("keys", "mfa", *words, env=env)

    assert (done.code, done.out) == (0, f"mfa_serial = {DEVICE}\n"), done.err


def test_security_keys_are_reported_as_unusable_with_sts(desk: Desk, aws: StrictAws) -> None:
    """FIDO has no codes; beside an app it is passed over, alone it is an error with a way out."""
    desk.stored()
    fido = "arn:aws:iam::111111111111:u2f/user/alice/key-ABC"
    aws.add_mfa("alice", fido)

    alone = desk.run("keys", "mfa", "base")
    aws.add_mfa("alice", DEVICE)
    beside = desk.run("keys", "mfa", "base")

    assert (alone.code, alone.out) == (125, "") and f"{fido} is a security key" in alone.err
    assert "https://console.aws.amazon.com/iam/home#/security_credentials" in alone.err
    assert (beside.code, beside.out) == (0, f"mfa_serial = {DEVICE}\n") and fido in beside.err


def test_a_user_without_a_device_gets_the_page_that_adds_one(desk: Desk) -> None:
    """The console's page for one's own user."""
    desk.stored()

    done = desk.run("keys", "mfa", "base")

    assert (
        (done.code, done.out) == (125, "") and "has no MFA device" in done.err and "console.aws.amazon.com" in done.err
    )


def test_where_iam_does_not_tell_the_console_does(desk: Desk, aws: StrictAws) -> None:
    """ListMFADevices denied: who may not, and where to look instead."""
    desk.stored()
    aws.deny("iam:ListMFADevices")

    done = desk.run("keys", "mfa", "base")

    assert done.code == 125
    assert "no policy of arn:aws:iam::111111111111:user/alice allows iam:ListMFADevices" in done.err
    assert "console.aws.amazon.com" in done.err and "iam:ListMFADevices" in done.err


def test_identities_other_than_iam_users_have_no_device(desk: Desk, aws: StrictAws) -> None:
    """SSO, a role, nothing at all."""
    desk.config(
        "[profile sso]\nsso_start_url = https://e.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 111111111111\nsso_role_name = Dev\n"
    )

    for words in (("sso",), ()):
        done = desk.run("keys", "mfa", *words)
        assert (done.code, done.out, aws.calls) == (125, "", []) and "only IAM users with keys" in done.err


@pytest.mark.parametrize("service", ["IAM", "STS"])
def test_no_key_is_shown_to_a_plain_http_address_elsewhere(desk: Desk, service: str) -> None:
    """IAM's endpoint is held to the same rule as STS's."""
    desk.stored()

    done = desk.run("keys", "mfa", "base", env={f"AWS_ENDPOINT_URL_{service}": "http://192.0.2.1"})

    assert done.code == 125 and f"AWS_ENDPOINT_URL_{service} is plain http" in done.err


def test_a_pending_rotation_leaves_the_old_key_its_age(desk: Desk, aws: StrictAws) -> None:
    """The new key is there and not yet in use: the list still shows when the key in use was made."""
    desk.stored()
    aws.age(desk.key.access_key_id, 40 * 86_400 + 5)
    # the new key is made and stored, and then not known to STS
    aws.fail_next("garbage", action="GetCallerIdentity")
    done = desk.run("keys", "rotate", "base")
    pending = aws.made[0].access_key_id
    assert done.code == 125 and desk.listed()["pending"] == pending, done.err

    (offline,) = json.loads(desk.run("keys", "list", "--offline", "--json").out)

    assert (offline["access_key_id"], offline["created"]) == (desk.key.access_key_id, None)

    assert desk.run("keys", "rotate", "base").code == 0
    (after,) = json.loads(desk.run("keys", "list", "--offline", "--json").out)
    assert after["access_key_id"] == pending and after["created"].endswith("Z")


def test_a_new_key_of_another_user_is_never_used(desk: Desk, aws: StrictAws) -> None:
    """The journal names a key whose owner is somebody else: the old one stays in use, and neither is deleted."""
    desk.stored()
    other = aws.add_user("mallory")
    environment: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": other.access_key_id,
        "AWS_SECRET_ACCESS_KEY": other.secret_access_key,
    }
    assert desk.run("keys", "add", "other", "--from-env", env=environment).code == 0
    keys = Keys(desk.env, Run(Terminal(), time.time, time.sleep, time.time()))
    keys.write("other", None)
    keys.write("base", keys.named("base")._replace(rotating=time.time(), pending=other.access_key_id))
    aws.forget()

    done = desk.run("keys", "rotate", "base", "--yes")

    assert done.code == 125 and f"the new key {other.access_key_id} belongs to" in done.err
    assert "user/mallory" in done.err and f"{messages.KEY_IN_USE} {desk.key.access_key_id}" in done.err
    assert desk.listed()["access_key_id"] == desk.key.access_key_id
    assert [aws.state(key) for key in (other.access_key_id, desk.key.access_key_id)] == ["Active", "Active"]
    assert {call.action for call in aws.calls} == {"GetCallerIdentity"}
