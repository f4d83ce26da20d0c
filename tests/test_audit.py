"""awsudo keys audit: every long-lived key in a known place is found, shown without its secret, and really goes away."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from awsudo_py.keys.audit import PLACES
from tests import messages
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.servers.strict_sts import StrictSts
from tests.world import World

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXPORTS = f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}\n"
INI = f"[work]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
#: A file of a known place, what stands in it beside the key's lines, how the key stands in it, and what is shown.
FILES = [
    (".s3cfg", "[default]\nhost_base = s3\n", f"access_key = {KEY}\nsecret_key = {SECRET}\n", "s3cmd"),
    (".boto", "[Boto]\ndebug = 0\n", f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n", "boto"),
    (".bashrc", "if [ -f x ]; then y; fi\n", EXPORTS, "a shell's start-up file"),
    (".zshenv", "setopt extendedglob\n", EXPORTS, "a shell's start-up file"),
    (".profile", "umask 022\n", f"AWS_ACCESS_KEY_ID='{KEY}' AWS_SECRET_ACCESS_KEY=\"{SECRET}\"\n", "start-up file"),
    (
        ".config/fish/config.fish",
        "set x 1\n",
        f"set -gx AWS_ACCESS_KEY_ID {KEY}; set -gx AWS_SECRET {SECRET}\n",
        "start",
    ),
    (".config/environment.d/aws.conf", "A=1\n", EXPORTS.replace("export ", ""), "a shell's start-up file"),
    (".zsh_history", ": 1:0;ls\n", f": 2:0;AWS_ACCESS_KEY_ID={KEY} AWS_SECRET_ACCESS_KEY={SECRET} x\n", "history"),
    (".envrc", "layout python\n", EXPORTS, "an .env file"),
    (".passwd-s3fs", "", f"{KEY}:{SECRET}\n", "s3fs"),
    (".aws/credentials.bak", "", INI, "a copy beside the AWS files (work)"),
]


@pytest.fixture
def home(world: World) -> World:
    """A home without keys."""
    world.credentials("")
    (world.home / ".aws/credentials").chmod(0o600)
    return world


def _put(world: World, name: str, text: str, mode: int = 0o600) -> Path:
    file = world.home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def _audit(world: World, env: dict[str, str | None] | None = None) -> list[dict[str, Any]]:
    done = world.run("keys", "audit", "--json", env=env)
    assert (done.code, done.err) == (0, "")
    assert SECRET not in done.out
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_a_machine_without_problems_is_reported_as_such(home: World) -> None:
    """Nothing found is an answer too."""
    done = home.run("keys", "audit", "--check")

    assert (done.code, done.out, done.err) == (0, "No long-lived keys found on this machine.\n", "")


@pytest.mark.parametrize(("name", "other", "lines", "title"), FILES, ids=[row[0] for row in FILES])
def test_a_key_in_a_known_place_is_found_and_its_command_makes_it_go_away(
    home: World, name: str, other: str, lines: str, title: str
) -> None:
    """The command that is shown, typed as it is, removes the key and nothing else."""
    file = _put(home, name, other + lines)

    (found,) = _audit(home)

    assert found["access_key_id"] == KEY and title in found["place"] and found["file"] == str(file)
    (remedy,) = found["remedy"]
    subprocess.run(["sh", "-euc", remedy], env=home.environ(), check=True)
    assert _audit(home) == []
    assert not other or file.read_text() == other


@needs("fish")
def test_fishs_universal_variables_go_away_too(home: World) -> None:
    """They lie in a file of fish's own, and outlive every session."""
    environ = home.environ()
    keep = f"set -Ux AWS_ACCESS_KEY_ID {KEY}; set -Ux AWS_SECRET_ACCESS_KEY {SECRET}; set -U other 1"
    subprocess.run(["fish", "-c", keep], env=environ, check=True)

    (found,) = _audit(home)

    assert found["place"] == messages.UNIVERSAL_VARIABLES
    subprocess.run(["sh", "-euc", "\n".join(found["remedy"])], env=environ, check=True)
    assert _audit(home) == []
    assert "other" in (home.home / ".config/fish/fish_variables").read_text()


@pytest.mark.parametrize("file", ["config", "credentials"])
def test_a_profiles_keys_are_found_in_both_aws_files(home: World, file: str) -> None:
    """Named by profile, with the command that moves them into the keyring."""
    header = "[profile my work]" if file == "config" else "[my work]"
    path = _put(home, f".aws/{file}", f"{header}\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")

    (found,) = _audit(home)

    assert (found["place"], found["file"]) == ("profile my work", str(path))
    assert found["remedy"] == ["awsudo keys add 'my work' --import"]


def test_files_that_variables_name_are_looked_at(home: World) -> None:
    """AWS_SHARED_CREDENTIALS_FILE moves the file, and so the look."""
    file = _put(home, "elsewhere", INI)

    (found,) = _audit(home, {"AWS_SHARED_CREDENTIALS_FILE": "~/elsewhere"})

    assert (found["place"], found["file"]) == ("profile work", str(file))


@pytest.mark.parametrize(
    "text",
    [f"[a]\n[a]\n{INI}", f"rubbish\n{INI}", "# " + INI.replace("\n", "\n# "), f"\xff\xfe{INI}"],
    ids=["twice", "rubbish", "commented out", "latin-1"],
)
def test_a_key_is_found_in_a_file_that_no_sdk_would_take(home: World, text: str) -> None:
    """It can be stolen all the same."""
    (home.home / ".aws/credentials").write_bytes(text.encode("latin-1"))

    assert [found["access_key_id"] for found in _audit(home)] == [KEY]


@pytest.mark.parametrize(
    "text",
    [
        f"[a]\naws_access_key_id = {KEY.replace('AKIA', 'ASIA')}\naws_secret_access_key = {SECRET}\n",
        f"[a]\nlast_used = {KEY}\n",
        f"[a]\naws_access_key_id = {KEY}\n{'#' * 700}\naws_secret_access_key = {SECRET}\n",
        f"[a]\nx = X{KEY}\nsecret = {SECRET}\n",
    ],
    ids=["temporary", "an id alone", "far apart", "part of a word"],
)
def test_a_temporary_key_is_not_called_long_lived(home: World, text: str) -> None:
    """Sessions end by themselves, and an id without its secret opens nothing."""
    _put(home, ".aws/credentials", text)

    assert _audit(home) == []


@pytest.mark.parametrize(
    ("env", "remedy"),
    [
        ({"AWS_ACCESS_KEY_ID": KEY}, "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY": KEY}, "unset AWS_ACCESS_KEY AWS_SECRET_KEY"),
        ({"TF_VAR_access_key": KEY}, "unset TF_VAR_access_key"),
        ({"AWS_ACCESS_KEY_ID": KEY, "AWS_SESSION_TOKEN": "x"}, None),
        ({"AWS_ACCESS_KEY_ID": KEY.replace("AKIA", "ASIA")}, None),
    ],
)
def test_the_environment_is_looked_at(home: World, env: dict[str, str | None], remedy: str | None) -> None:
    """Every program that is started gets to see it."""
    found = _audit(home, env)

    assert [each["remedy"] for each in found] == ([[remedy]] if remedy else [])


def test_a_file_that_others_can_read_is_reported_and_made_private_first(home: World) -> None:
    """Who can read it, can be the user."""
    file = _put(home, ".aws/credentials", INI, 0o644)

    output = home.run("keys", "audit").out
    (found,) = _audit(home)

    assert "mode 0644, OPEN TO OTHERS" in output
    assert (found["mode"], found["open_to_others"]) == ("0644", True)
    assert found["remedy"][0] == f"chmod 600 {file}"
    subprocess.run(["sh", "-euc", found["remedy"][0]], env=home.environ(), check=True)
    assert not _audit(home)[0]["open_to_others"]


def test_the_time_of_the_last_change_of_a_file_is_printed(home: World) -> None:
    """The least age of a key, without asking AWS."""
    file = _put(home, ".aws/credentials", INI)
    then = file.stat().st_mtime - 412 * 86_400 - 60
    os.utime(file, (then, then))

    assert "(unchanged for 412 days, mode 0600)" in home.run("keys", "audit").out
    assert _audit(home)[0]["unchanged_since"] == int(then)


def test_what_aws_vault_encrypted_is_named(home: World) -> None:
    """Its keys cannot be read, and they are there all the same; its sessions are not keys."""
    _put(home, ".awsvault/keys/work", "sealed")
    _put(home, ".awsvault/keys/sts.AssumeRole,d29yaw,,1700000000", "sealed")

    (found,) = _audit(home)

    assert found["access_key_id"] is None and found["place"] == "aws-vault (work)"
    assert found["remedy"] == ["awsudo keys add work", "aws-vault remove work"]


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_key_in_the_keyring_is_listed_without_failure(home: World, sts: StrictSts) -> None:
    """It lies where a key should: what there is to do is to rotate it."""
    key = sts.add_user("carol")
    with KeyringSession() as session:
        env: dict[str, str | None] = {
            **session.env,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        added = home.run("keys", "add", "work", "--from-env", env=env)
    assert added.code == 0, added.err

    done = home.run("keys", "audit", "--check")
    (found,) = _audit(home)

    assert done.code == 0 and "the OS keyring (work) (since today)" in done.out
    assert (found["access_key_id"], found["kept_well"]) == (key.access_key_id, True)
    assert found["remedy"] == ["awsudo keys rotate work"]


def test_check_is_for_scripts(home: World) -> None:
    """Exit code 1, and the same text."""
    _put(home, ".s3cfg", f"access_key = {KEY}\nsecret_key = {SECRET}\n")

    done = home.run("keys", "audit", "--check")

    assert done.code == 1 and KEY in done.out and SECRET not in done.out


def test_a_hostile_name_cannot_touch_the_terminal_or_the_command(home: World) -> None:
    """Escapes are shown, and the command quotes what it names."""
    name = "x'; touch pwned; '\x1b]0;owned\x07"
    _put(home, f".aws/{name}", INI)

    output = home.run("keys", "audit").out
    (found,) = _audit(home)

    assert "\x1b" not in output and "\\x1b]0;owned" in output
    subprocess.run(["sh", "-euc", found["remedy"][0]], env=home.environ(), cwd=home.home, check=True)
    assert _audit(home) == [] and not (home.home / "pwned").exists()


def test_every_place_has_a_test() -> None:
    """A new place comes with a file that is found in it."""
    tested = {"rclone", "MinIO client", messages.UNIVERSAL_VARIABLES} | {
        place.tool for place in PLACES for row in FILES if row[3] in f"{place.tool} (work)"
    }

    assert {place.tool for place in PLACES} == tested


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        (
            ".config/rclone/rclone.conf",
            f"[s3]\ntype = s3\naccess_key_id = {KEY}\nsecret_access_key = {SECRET}\n",
            "rclone config update s3 env_auth=true access_key_id= secret_access_key=",
        ),
        (
            ".mc/config.json",
            f'{{"aliases": {{"aws": {{"accessKey": "{KEY}", "secretKey": "{SECRET}"}}}}}}',
            "mc alias remove ALIAS",
        ),
    ],
)
def test_tools_that_keep_their_own_files_are_named_with_their_own_command(
    home: World, name: str, text: str, remedy: str
) -> None:
    """Where a tool has a command for it, that is the one to type."""
    _put(home, name, text)

    (found,) = _audit(home)

    assert found["remedy"] == [remedy]


def test_a_bearer_token_in_the_environment_is_listed(home: World) -> None:
    """A long-lived API key signs for its service whatever role a command runs as; a short-term one ends by itself."""
    home.env |= {"AWS_BEARER_TOKEN_BEDROCK": "ABSKQmVkcm9j", "AWS_BEARER_TOKEN_OTHER": "bedrock-api-key-YWJj"}

    (found,) = _audit(home)

    assert found["place"] == "the environment, AWS_BEARER_TOKEN_BEDROCK"
    assert found["remedy"] == ["unset AWS_BEARER_TOKEN_BEDROCK"]
    assert "ABSK" not in home.run("keys", "audit").out
