"""awsudo doctor: each thing that can be wrong with a machine is found, and named with what mends it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from awsudo_py.doctor import variables
from tests.screens import Screen
from tests.servers.serving import Answer, Call, Hangup, Serving
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import World

ROLE = "role_arn = arn:aws:iam::111111111111:role/dev\n"
SSO_SESSION = "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
SSO_PROFILE = f"[profile corp]\nsso_session = s\nsso_account_id = 222222222222\nsso_role_name = Admin\n{SSO_SESSION}"


def _findings(world: World, *words: str, env: dict[str, str | None] | None = None, code: int = 0) -> list[Any]:
    done = world.run("doctor", "--json", *words, env=env)

    assert done.code == code, done.out + done.err
    output = json.loads(done.out)
    count = [each["level"] for each in output["findings"]].count
    assert (output["problems"], output["warnings"]) == (count("problem"), count("warning"))
    return list(output["findings"])


def _about(found: list[Any], topic: str) -> list[tuple[str, str]]:
    return [(each["level"], each["text"]) for each in found if each["topic"] == topic]


@pytest.fixture
def healthy(world: World) -> World:
    """A machine without a fault."""
    for name in ("config", "credentials"):
        (world.home / ".aws" / name).chmod(0o600)
    (world.home / ".bashrc").write_text('eval "$(awsudo shell-init)"\n')
    world.env |= {"SHELL": "/bin/bash"}
    return world.at_hand()


def test_a_machine_without_a_fault_has_no_findings_but_good_ones(healthy: World, sts: StrictSts) -> None:
    """Each check says what it saw; STS hears of no credentials, and is asked for nothing."""
    found = _findings(
        healthy, env={"AWS_ENDPOINT_URL_STS": None, "AWSUDO_ALLOW": None, "HTTPS_PROXY": "http://127.0.0.1:9"}, code=1
    )
    assert [each["topic"] for each in found if each["level"] != "ok"] == ["sts"]

    done = healthy.run("doctor")

    assert done.code == 0 and done.err == ""
    topics = [line[2:14].strip() for line in done.out.splitlines() if line[0] == "✓"]
    assert topics == ["config", "permissions", "sts", "clock", "keyring", "completion", "versions"]
    assert "2 files, 2 profiles" in done.out and "AWS_ENDPOINT_URL_STS" in done.out
    assert done.out.splitlines()[-1] == "no problems, 1 warning"
    assert sts.issued == [] == sts.calls


class Fault(NamedTuple):
    """A fault of a file: its text, the level, the message, and the fix."""

    config: str
    level: str
    says: str
    fix: str
    credentials: str = ""


FAULTS = {
    "a key twice": Fault(
        f"[profile dev]\n{ROLE}{ROLE}",
        "problem",
        "/config: line 3: duplicate setting role_arn in [profile dev]",
        "remove one of the two",
    ),
    "no section": Fault("x = 1\n", "problem", "/config: line 1 is before any [section]", "give it a section"),
    "a source that is not there": Fault(
        f"[profile ok]\nregion = eu-west-1\n[profile old]\n{ROLE}source_profile = gone\n",
        "problem",
        "/config:5: no profile 'gone'",
        "awsudo explain old",
    ),
    "a loop": Fault(
        f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = a\n",
        "problem",
        "/config:3: source_profile loop: a -> b -> a",
        "awsudo explain a",
    ),
    "half a key": Fault(
        "", "problem", "/credentials:1: profile half", "awsudo explain half", "[half]\naws_access_key_id = AKIA\n"
    ),
    "a header without profile": Fault(
        "[foo]\nregion = x\n",
        "warning",
        "/config:1: section [foo] is not a profile",
        "rename it to [profile foo]",
    ),
    "a header without a space": Fault(
        "[profilefoo]\nregion = x\n",
        "warning",
        "/config:1: section [profilefoo]",
        "rename it to [profile foo]",
    ),
    "a name of a subcommand": Fault(
        f"[profile history]\n{ROLE}source_profile = base\n",
        "warning",
        "profile history hides the subcommand",
        "awsudo :history",
    ),
    "a reserved name": Fault(
        f"[profile exec]\n{ROLE}source_profile = base\n",
        "warning",
        "profile exec is hidden",
        "awsudo exec exec COMMAND",
    ),
    "an SSO session without its region": Fault(
        "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\n",
        "problem",
        "[sso-session s] has no sso_region",
        "aws configure sso-session",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_faults_of_the_aws_files_are_found_with_their_lines(healthy: World, fault: Fault) -> None:
    """The file, the line, what is wrong, and the command; what only surprises does not fail."""
    healthy.config(fault.config)
    if fault.credentials:
        healthy.credentials(fault.credentials)

    found = _findings(healthy, "--offline", code=fault.level == "problem")

    output = [each for each in found if fault.says in each["text"]]
    assert [each["level"] for each in output] == [fault.level], found
    assert any(fault.fix in fix for fix in output[0]["fixes"])


def test_both_files_are_looked_at_though_the_first_is_broken(healthy: World) -> None:
    """One run names all that is to be mended."""
    healthy.config("[a]\n[a]\n")
    healthy.credentials("nonsense\n")

    texts = [text for _, text in _about(_findings(healthy, "--offline", code=1), "config")]

    assert len(texts) == 2 and "/config: line 2" in texts[0] and "/credentials: line 1" in texts[1]


def test_a_profile_with_settings_alone_is_not_a_fault(healthy: World) -> None:
    """`[default]` with a region is what most files have."""
    config = healthy.home / ".aws/config"
    config.write_text(config.read_text() + "[default]\nregion = eu-west-1\noutput = json\n")

    assert [level for level, _ in _about(_findings(healthy, "--offline"), "config")] == ["ok"]


VARIABLES = {
    "two profiles": (
        {"AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "ops"},
        "AWS_PROFILE is used",
        "unset AWS_DEFAULT_PROFILE",
    ),
    "two regions": ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "AWS_REGION is used", "unset AWS_DEFAULT_REGION"),
    "a key alone": ({"AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_SECRET_ACCESS_KEY is not", "unset AWS_ACCESS_KEY_ID"),
    "a secret alone": ({"AWS_SECRET_ACCESS_KEY": "s"}, "AWS_ACCESS_KEY_ID is not", "unset AWS_SECRET_ACCESS_KEY"),
    "a session without its token": (
        {"AWS_ACCESS_KEY_ID": "ASIAX", "AWS_SECRET_ACCESS_KEY": "s"},
        "a session's key, and AWS_SESSION_TOKEN is not set",
        "unset ",
    ),
    "two tokens": ({"AWS_SECURITY_TOKEN": "a", "AWS_SESSION_TOKEN": "b"}, "differ", "unset AWS_SECURITY_TOKEN"),
    "keys and a profile": (
        {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "dev"},
        "are both set",
        "unset AWS_PROFILE",
    ),
    "a line break in a key": (
        {"AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "s"},
        "AWS_ACCESS_KEY_ID begins or ends with a space",
        "set AWS_ACCESS_KEY_ID",
    ),
    "a session that has expired": (
        {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"},
        "expired at 2020",
        "export --unset",
    ),
    "a profile that is not there": ({"AWS_PROFILE": "gone"}, "AWS_PROFILE=gone names a profile", "unset AWS_PROFILE"),
    "a bundle that is not there": (
        {"AWS_CA_BUNDLE": "/no/where"},
        "AWS_CA_BUNDLE names /no/where",
        "unset AWS_CA_BUNDLE",
    ),
    "an endpoint": (
        {"AWS_ENDPOINT_URL": "http://u:p@127.0.0.1:1"},
        "calls to http://127.0.0.1:1",
        "unset AWS_ENDPOINT_URL",
    ),
}


@pytest.mark.parametrize(("environ", "says", "fix"), VARIABLES.values(), ids=VARIABLES)
def test_variables_in_conflict_or_stale_are_found(environ: dict[str, str], says: str, fix: str) -> None:
    """One warning each, with the command; no value of a secret is in it."""
    found = list(variables.check(environ, frozenset({"dev", "ops"}), time.time()))

    assert [each.level for each in found] == ["warning"] and says in found[0].text
    assert any(fix in line for line in found[0].fixes)


def test_variables_that_agree_are_fine() -> None:
    """Both names of a region with one value, and a session that is good."""
    environ = {
        **{"AWS_REGION": "a", "AWS_DEFAULT_REGION": "a", "AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "dev"},
        "AWSUDO_EXPIRATION": "2099-01-01T00:00:00Z",
    }

    (found,) = variables.check(environ, frozenset({"dev"}), time.time())

    assert (found.level, found.text) == ("ok", "5 variables of AWS and awsudo, none in conflict")


def test_files_that_others_can_read_are_found_and_the_command_closes_them(healthy: World) -> None:
    """The command that is named does what it says: the next run has nothing to say of it."""
    (healthy.home / ".aws" / "credentials").chmod(0o644)
    healthy.cache.mkdir(mode=0o755)
    token = healthy.home / ".aws" / "sso" / "cache" / "x.json"
    token.parent.mkdir(parents=True)
    token.write_text("{}")
    token.chmod(0o640)

    found = [each for each in _findings(healthy, "--offline", code=1) if each["topic"] == "permissions"]

    assert sorted((each["level"], Path(shlex.split(each["fixes"][0])[-1]).name) for each in found) == [
        ("problem", "awsudo"),
        ("warning", "credentials"),
        ("warning", "x.json"),
    ]
    for each in found:
        subprocess.run(["sh", "-c", each["fixes"][0]], check=True)
    assert _about(_findings(healthy, "--offline"), "permissions")[0][0] == "ok"


class Web(Serving):
    """Gives one answer to everybody, with a Date so many seconds from now."""

    def __init__(self, status: int, off: float) -> None:
        super().__init__()
        self._status, self._off = status, off

    def answer(self, call: Call) -> Answer | Hangup:
        """Headers only."""
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + self._off))
        return Answer(self._status, b"", {"Date": date})


@pytest.mark.parametrize(
    ("off", "level", "says"),
    [
        (0, "ok", "matches"),
        (-60, "warning", "ahead of AWS"),
        (7200, "problem", "behind AWS: AWS rejects requests signed more than 5 min off"),
    ],
)
def test_the_clock_is_compared_with_the_date_of_the_answer(healthy: World, off: float, level: str, says: str) -> None:
    """Any answer will do, a refusal too."""
    with Web(403, off) as web:
        found = _findings(healthy, env={"AWS_ENDPOINT_URL_STS": web.url}, code=level == "problem")

    ((found_level, text),) = _about(found, "clock")
    assert found_level == level and says in text
    assert len(web.calls) == 1 and "Authorization" not in web.calls[0].headers


def test_a_server_that_does_not_answer_is_a_problem_with_its_address(healthy: World) -> None:
    """Each STS by itself: one that answers does not hide another that does not."""
    with Web(503, 0) as failing, Web(200, 0) as good:
        config = healthy.home / ".aws/config"
        config.write_text(
            f"[profile base]\nendpoint_url = {good.url}\n[profile dev]\n{ROLE}source_profile = base\n"
            f"endpoint_url = http://127.0.0.1:9\n"
            f"[profile ops]\n{ROLE}source_profile = base\nendpoint_url = {failing.url}\n"
        )
        found = _findings(healthy, env={"AWS_ENDPOINT_URL_STS": None}, code=1)

    levels = dict(_about(found, "sts"))
    assert good.url in levels["ok"] and "HTTP 503" in str(found) and "http://127.0.0.1:9" in str(found)
    assert len(_about(found, "sts")) == 3


@pytest.mark.parametrize(
    ("expires_in", "refreshable", "level", "says"),
    [
        (None, False, "warning", "s: not signed in"),
        (7200, False, "ok", "s: expires in 1h 59m"),
        (300, False, "warning", "s: expires in 4m, and cannot be renewed"),
        (-60, False, "warning", "s: expired, and cannot be renewed"),
        (-60, True, "ok", "s: expired, renewed silently"),
    ],
)
def test_sign_ins_are_listed_with_their_time_left(
    healthy: World, expires_in: int | None, refreshable: bool, level: str, says: str
) -> None:
    """From the token file, without a call."""
    healthy.config(SSO_PROFILE)
    with Sso() as sso:
        if expires_in is not None:
            sso.write_cached_token(
                healthy.home,
                start_url="https://x.awsapps.com/start",
                session_name="s",
                expires_in=expires_in,
                refreshable=refreshable,
            )

        found = _findings(healthy, "corp", "--offline")

    assert _about(found, "sign-in") == [(level, says)]
    assert level == "ok" or "awsudo login s" in str(found)


def test_a_target_is_checked_alone(healthy: World) -> None:
    """Faults of other profiles are not its own; its own are; a target that is not there is an error."""
    config = healthy.home / ".aws/config"
    config.write_text(f"{config.read_text()}[profile old]\n{ROLE}source_profile = gone\n")

    assert _about(_findings(healthy, "dev", "--offline"), "config") == [("ok", "2 files, 1 profile")]
    assert "gone" in _about(_findings(healthy, "old", "--offline", code=1), "config")[0][1]
    done = healthy.run("doctor", "prdo")
    assert (done.code, done.out) == (125, "") and "no profile 'prdo'" in done.err


def test_the_keyring_of_stored_keys_has_to_be_there(healthy: World) -> None:
    """Where nothing is stored, nobody needs it; where sessions are to be kept in it, it must be there."""
    assert _about(_findings(healthy), "keyring")[0][0] == "ok"

    found = _findings(healthy, env={"AWSUDO_STORE": "keyring"}, code=1)

    ((level, text),) = _about(found, "keyring")
    assert level == "problem" and "is not available" in text and "gnome-keyring" in str(found)


@pytest.mark.parametrize(("shell", "line"), [("/bin/zsh", ""), ("/bin/bash", "# nothing\n")])
def test_a_shell_without_completion_gets_the_setup_command(healthy: World, shell: str, line: str) -> None:
    """And one for which awsudo has none is not spoken of."""
    (healthy.home / ".bashrc").write_text(line)

    found = _findings(healthy, "--offline", env={"SHELL": shell})

    assert _about(found, "completion") == [("warning", f"not set up for {os.path.basename(shell)}")]
    assert _about(_findings(healthy, "--offline", env={"SHELL": "/bin/dash"}), "completion") == []


def test_another_awsudo_earlier_in_path_is_reported(healthy: World, tmp_path: Path) -> None:
    """`awsudo` is the name of other people's programs, too."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "awsudo").write_text("#!/bin/sh\n")
    (other / "awsudo").chmod(0o755)

    found = _findings(healthy, "--offline", env={"PATH": f"{other}:{healthy.env['PATH']}"})

    assert any(level == "warning" and str(other / "awsudo") in text for level, text in _about(found, "versions"))


@pytest.mark.parametrize(
    ("columns", "term", "env"),
    [(80, "xterm", {}), (200, "xterm", {}), (80, "dumb", {}), (80, "xterm", {"NO_COLOR": "1"})],
)
def test_the_screen_fits_and_commands_stay_whole(healthy: World, columns: int, term: str, env: dict[str, str]) -> None:
    """Lines wrap between words, below their beginning; ~ stands for home; colour only where it is wanted."""
    config = healthy.home / ".aws/config"
    config.write_text(
        f"{config.read_text()}[profile old]\n{ROLE}source_profile = a-name-that-is-rather-long-for-a-profile\n"
    )
    command = healthy.command("doctor", "--offline")
    with Screen(command, healthy.environ({"TERM": term, **env}), size=(40, columns)) as screen:
        code = screen.end()

    lines = screen.lines
    assert code == 1 and "~/.aws/config:7" in screen.text
    wrapped = [line for line in lines if line.startswith(" " * 14)]
    assert "              fix: awsudo explain old" in wrapped
    assert lines[-1] == "1 problem, 1 warning"
    assert ("\x1b[31m" in screen.raw) == (term == "xterm" and not env)
    assert ("x config" in lines[0]) == (term == "dumb") and ("✗ config" in lines[0]) == (term != "dumb")
