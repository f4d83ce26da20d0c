"""What a replay goes by: each thing that can change a verdict is part of its name, or is looked at again."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from awsudo_py import fingerprint, recording, replay
from awsudo_py.aws_credentials import Credentials
from awsudo_py.context import Context
from awsudo_py.fingerprint import DECIDING, SECRET, witness
from awsudo_py.model import Endpoint, Request, RoleChain, Source
from awsudo_py.replay import record_name, surroundings
from awsudo_py.resolve.source_kinds import KINDS
from awsudo_py.session_for import Answer
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.obtain import Obtained, made_from
from awsudo_py.sessions.sealed import digest
from awsudo_py.terminal import Terminal
from tests.servers.strict_sts import StrictSts
from tests.world import KEY_ID, World

#: Written out once more: each moves the home or the cache, names sessions, or is read by the SDKs.
ALL_DECIDING = {
    *("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"),
    *("XDG_DATA_HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "REQUESTS_CA_BUNDLE"),
}
STORE = FileStore("/nowhere")


@pytest.mark.parametrize("name", sorted({*ALL_DECIDING, "AWS_REGION", "AWS_NEW_THING", "AWSUDO_DURATION", *SECRET}))
def test_each_deciding_variable_is_part_of_the_name(name: str) -> None:
    """Another value is another record; so is an absent one."""
    around = [surroundings(environ, STORE) for environ in ({name: "one"}, {name: "two"}, {})]

    assert len(set(around)) == 3
    assert "one" not in around[0] or name not in SECRET


def test_no_deciding_variable_is_forgotten() -> None:
    """The list is this one; what is taken out of it decides no longer."""
    assert set(DECIDING) == ALL_DECIDING
    assert surroundings({"EDITOR": "vi"}, STORE) == surroundings({}, STORE)


def test_the_version_of_awsudo_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older awsudo has decided, a newer one may decide otherwise."""
    before = surroundings({}, STORE)

    monkeypatch.setattr(replay, "__version__", "0.0.1")

    assert surroundings({}, STORE) != before


def test_a_variable_cannot_pass_for_a_word() -> None:
    """The number of variables is in the name: where they end, the words begin."""
    as_variable = record_name(["dev"], surroundings({"AWS_A": "1"}, STORE))
    as_word = record_name(["AWS_A=1", "dev"], surroundings({}, STORE))

    assert as_variable != as_word


def test_a_role_after_a_profile_is_not_a_command(world: World, sts: StrictSts) -> None:
    """`-p base COMMAND` was recorded; `-p base 111111111111:dev COMMAND` is for the parser to take apart."""
    world.settle()
    for _ in range(2):  # the first has a notice, and so is not recorded
        assert world.run("-p", "base", *KEY_ID).code == 0
    assert world.entries("replay")

    done = world.run("-p", "base", "111111111111:dev", "printenv", "AWSUDO_ROLE_ARN")

    assert (done.code, done.out) == (0, "arn:aws:iam::111111111111:role/dev\n"), done.err


#: What a file looks like, as the system tells it.
LOOK = {"st_dev": 1, "st_ino": 2, "st_size": 3, "st_mtime_ns": 4, "st_ctime_ns": 5}


@pytest.mark.parametrize("field", LOOK)
def test_each_field_of_a_witness_counts(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """A file that differs in any of them is another one."""
    looks = [SimpleNamespace(**LOOK), SimpleNamespace(**{**LOOK, field: 99})]

    seen = []
    for look in looks:
        monkeypatch.setattr(fingerprint, "os", SimpleNamespace(stat=lambda _, look=look: look))
        seen.append(witness("/some/file"))

    assert seen[0] != seen[1] and "absent" not in seen


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_what_files_and_variables_decide_is_recorded(tmp_path: Path, kind: str) -> None:
    """A login that is renewed, a process, a machine's role: a later run has to see what they give now."""
    environ = {"HOME": str(tmp_path), "AWSUDO_CACHE_DIR": str(tmp_path / "cache")}
    context = Context(environ, Terminal(-1))
    chain = RoleChain("t", Source(kind), (), Endpoint("aws", None, None, "aws global"), None, None)
    session = Credentials("ASIA", "s", "t", time.time() + 3600)

    answer = Answer(chain, Obtained(session, "key"), {}, called_aws=True)
    recording.record(context, ["t"], Request(target="t"), answer, yes=False)

    recorded = list((tmp_path / "cache").glob("*.replay"))
    replayed = {"keys", "environment", "keyring", "sso", "account-access", "web-identity", "cognito"}
    assert bool(recorded) == (kind in replayed)


def test_the_sessions_of_a_key_are_found_at_any_number_of_hops() -> None:
    """After a rotation none is left: not the key's own, not the role's behind it, not the next role's."""
    source = "source='keys'\naccess_key_id='AKIA1'"
    chain = [source]
    for _ in range(3):
        chain.append(f"hop='RoleHop'\nfrom={digest(chain[-1])!a}")
    other = f"hop='RoleHop'\nfrom={digest('elsewhere')!a}"
    stored = {digest(inputs): inputs for inputs in (*chain[1:], other)}

    assert made_from("AKIA1", stored) == {digest(inputs) for inputs in chain[1:]}
    assert made_from("AKIA2", stored) == set()
