"""awsudo explain: every line is checked against the files, and what it foretells against what a run then does."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.context import Context
from awsudo_py.model import Request
from awsudo_py.resolve.setting_lines import setting_lines
from awsudo_py.session_for import chain_for, obtain
from awsudo_py.terminal import NoTerminal
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, PRINT_ENV, World

OPS = "arn:aws:iam::222222222222:role/team/ops"
DEVICE = "arn:aws:iam::111111111111:mfa/alice"
CONFIG = f"""\
# a comment
[default]
output = json

[profile dev]
role_arn = arn:aws:iam::111111111111:role/dev
source_profile = base
region = eu-west-1
awsudo_account_name = tools

[profile ops]
role_arn={OPS}
source_profile = dev
duration_seconds = 1800
external_id = x-1
role_session_name = from-file
"""


@pytest.fixture
def chained(world: World, sts: StrictSts) -> World:
    """The world with a role behind a role."""
    world.config(CONFIG)
    sts.add_role(OPS, trusts=["arn:aws:iam::111111111111:root"])
    return world


def _explained(world: World, *words: str, env: dict[str, str | None] | None = None) -> dict[str, Any]:
    done = world.run("explain", "--json", *words, env=env)
    assert (done.code, done.err) == (0, "")
    return dict(json.loads(done.out))


def _values(step: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["value"], each["place"]) for each in step["values"]}


def _line(file: Path, number: int) -> str:
    return file.read_text().splitlines()[number - 1]


def test_every_value_stands_on_the_line_that_is_named(chained: World, sts: StrictSts) -> None:
    """File and line of each, read again; and nothing is called."""
    found = _explained(chained, "ops")
    config, credentials = chained.home / ".aws" / "config", chained.home / ".aws" / "credentials"

    source, dev, ops = found["steps"]
    assert (source["file"], _line(credentials, source["line"])[:17]) == (str(credentials), "aws_access_key_id")
    assert _line(config, dev["line"]) == "role_arn = arn:aws:iam::111111111111:role/dev"
    assert _line(config, ops["line"]) == f"role_arn={OPS}"
    keys = {"duration": "duration_seconds = 1800", "external_id": "external_id = x-1"}
    for value in ops["values"]:
        if value["name"] in keys:
            assert _line(config, value["line"]) == keys[value["name"]]
    assert _values(ops)["session_name"] == ("from-file", "~/.aws/config:16")
    assert _values(dev)["duration"] == ("1h", "default")
    assert (dev["account"], dev["account_name"], ops["account"]) == ("111111111111", "tools", "222222222222")
    assert sts.calls == []


def test_an_option_is_shown_with_what_it_overrides(chained: World) -> None:
    """Option, then variable, then profile, each with its place."""
    ops = _explained(chained, "-d", "15m", "ops", env={"AWSUDO_DURATION": "20m"})["steps"][-1]
    named = _explained(chained, "ops", env={"AWSUDO_EXTERNAL_ID": "x-2"})["steps"][-1]

    duration = next(each for each in ops["values"] if each["name"] == "duration")
    assert (duration["value"], duration["place"]) == ("15m", "--duration")
    assert [(each["value"], each["place"]) for each in duration["overrides"]] == [
        ("20m", "AWSUDO_DURATION"),
        ("1800", "~/.aws/config:14"),
    ]
    assert _values(named)["external_id"] == ("x-2", "AWSUDO_EXTERNAL_ID")


def test_the_region_names_its_place(chained: World) -> None:
    """Option, variable or profile, in this order."""
    env: dict[str, str | None] = {"AWS_DEFAULT_REGION": None}

    assert _explained(chained, "dev", env=env)["region"]["place"] == "~/.aws/config:8"
    assert _explained(chained, "dev")["region"] == {
        "value": "eu-west-1",
        "place": "AWS_DEFAULT_REGION",
        "file": None,
        "line": None,
    }
    assert _explained(chained, "--region", "eu-west-2", "dev")["region"]["place"] == "--region"


def test_the_cached_session_to_be_used_is_announced(chained: World, sts: StrictSts) -> None:
    """Cold: the next run calls AWS, and why; then each step's end; then that the next run replays, and it does."""
    cold = _explained(chained, "ops")
    chained.settle()
    chained.run("ops", "true")
    calls = len(sts.calls)
    warm = _explained(chained, "ops")
    renewed = _explained(chained, "--refresh", "ops")
    chained.run("clear")

    assert cold["next_run"]["calls_aws"] and cold["next_run"]["why"] == "no session is cached"
    assert [step["cached"]["until"] is not None for step in warm["steps"]] == [False, True, True]
    assert (warm["next_run"]["calls_aws"], warm["next_run"]["replays"], calls) == (False, True, 2)
    assert "--refresh" in renewed["next_run"]["why"]
    assert _explained(chained, "ops")["next_run"]["calls_aws"]


@pytest.mark.parametrize(
    ("later", "why"), [(0, ""), (1_600, "the cached session is renewed: it has 3m left"), (1_900, "has expired")]
)
def test_the_reason_why_a_cached_session_is_not_used_is_printed(
    chained: World, monkeypatch: pytest.MonkeyPatch, later: float, why: str
) -> None:
    """Too little of it is left, or nothing."""
    chained.run("ops", "true")
    for name, value in chained.env.items():
        monkeypatch.setenv(name, value)
    context = Context(chained.environ(), NoTerminal(), clock=lambda: time.time() + later)
    request = Request(target="ops")

    found = obtain(context, chain_for(context, request), request).cached()

    assert (found.session is None, why in found.why) == (bool(why), True)


def test_the_reason_why_a_run_is_not_replayed_is_printed(chained: World) -> None:
    """The session is cached, and the config file has changed since."""
    chained.settle()
    chained.run("dev", "true")
    with (chained.home / ".aws" / "config").open("a") as config:
        config.write("# changed\n")

    run = _explained(chained, "dev")["next_run"]

    assert (run["calls_aws"], run["replays"]) == (False, False) and "on record" in run["why_not_replayed"]


def test_the_environment_is_what_a_run_gives(chained: World) -> None:
    """The same names set and removed; no secret is shown, nor any value that only the session has."""
    env: dict[str, str | None] = {"AWS_PROFILE": "base", "AWS_SECURITY_TOKEN": "stale"}
    found = _explained(chained, "ops", env=env)["environment"]

    ran = chained.run("ops", *PRINT_ENV, env=env).env
    before = chained.environ(env)
    assert set(found["set"]) == {name for name, value in ran.items() if before.get(name) != value} | {
        "AWS_DEFAULT_REGION"
    }
    assert set(found["removed"]) == set(before) - set(ran)
    displayed = {name: value for name, value in found["set"].items() if value is not None}
    assert displayed == {name: ran[name] for name in displayed} and not {name for name in displayed if "KEY" in name}


def test_the_mfa_code_to_come_is_announced(chained: World, sts: StrictSts) -> None:
    """Which step takes a code, of which device, and where that is named."""
    chained.config(CONFIG.replace("region = eu-west-1", f"mfa_serial = {DEVICE}"))

    found = _explained(chained, "ops")
    displayed = chained.run("explain", "ops").out

    assert (found["mfa"]["step"], found["mfa"]["serial"]) == (2, DEVICE)
    assert _values(found["steps"][1])["mfa_serial"] == (DEVICE, "~/.aws/config:8")
    assert f"a code of {DEVICE} for step 2" in displayed
    chained.config(CONFIG)
    assert _explained(chained, "ops")["mfa"]["serial"] is None


@pytest.mark.parametrize(
    "words", [("explain", "ops", "sh"), ("--dry-run", "ops", "sh"), ("exec", "--dry-run", "ops", "sh")], ids=" ".join
)
def test_a_dry_run_is_the_same_and_runs_nothing(chained: World, sts: StrictSts, words: tuple[str, ...]) -> None:
    """Options before, the command's path found, nothing called, nothing run."""
    done = chained.run(*words)

    assert done.out == chained.run("explain", "ops", "sh").out
    assert re.search(r"^  command   /\S*/sh; ", done.out, re.MULTILINE) and sts.calls == []


def test_the_screen_shows_the_short_form(chained: World) -> None:
    """A line for each step and value, the place behind it."""
    lines = chained.run("explain", "ops").out.splitlines()

    assert lines[0] == "ops"
    assert re.fullmatch(r"  1  long-lived keys of profile base  AKIA\.\.\.\w{4} +~/\.aws/credentials:2", lines[1])
    assert re.fullmatch(r"  2  role/dev  111111111111 \(tools\) +~/\.aws/config:6", lines[2])
    assert any(
        re.fullmatch(r"       duration  30m +~/\.aws/config:14; role chaining: at most 1h", line) for line in lines
    )
    assert [line.split("  ")[1] for line in lines if re.match(r"  [A-Za-z]", line)] == [
        *("STS", "region", "MFA", "cache", "next run", "command")
    ]


def test_the_screen_fits_80_columns(chained: World) -> None:
    """A place that has no room behind its value stands below it."""
    done = subprocess.run(
        ["script", "-qec", f"stty cols 80; {AWSUDO} explain -m {DEVICE} ops", "/dev/null"],
        env=chained.environ({"TERM": "xterm", "NO_COLOR": "1"}),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.replace("\r", "").splitlines()

    assert [line for line in lines if len(line) > 80] == []
    assert "            from the terminal" in lines


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [((), 2, "no target"), (("nope",), 125, "no profile 'nope'"), (("ops", "no-such"), 0, "")],
)
def test_a_fault_is_that_of_a_run(chained: World, words: tuple[str, ...], code: int, message: str) -> None:
    """The same message and code; a missing command is part of the explanation."""
    done = chained.run("explain", *words)

    assert done.code == code and message in done.err
    assert code or "command not found: no-such" in done.out


_NAMES = st.text(st.sampled_from("abcXYZ -_.=:#;[]'\t"), min_size=1, max_size=8)
_LINES = st.one_of(
    _NAMES.map(lambda name: f"[profile {name}]"),
    _NAMES.map(lambda name: f"[{name}]"),
    st.tuples(_NAMES, st.sampled_from(["=", ":", " = "]), _NAMES).map("".join),
    _NAMES.map(lambda text: f"  {text}"),
    st.sampled_from(["", "# x", "; y = z", "[default]"]),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(_LINES, max_size=12))
def test_settings_are_found_where_configparser_finds_them(lines: list[str]) -> None:
    """Whatever the file: no setting that the parser has is missing, and its line holds its key."""
    parser = configparser.RawConfigParser(default_section="\n")
    text = "\n".join(lines)
    try:
        parser.read_string(text)
    except configparser.Error:
        return

    found = setting_lines(text, in_config=False)

    for section in parser.sections():
        for key in parser.options(section):
            assert lines[found[section, key] - 1].strip().lower().startswith(key)


def test_a_continued_value_is_not_a_setting() -> None:
    """A line that is indented below a setting belongs to it, whatever it looks like."""
    text = "[profile a]\ns3 =\n  role_arn = x\n  [profile b]\nrole_arn = y\n\n[default]\n  region = z\n"

    assert setting_lines(text, in_config=True) == {
        **{("a", ""): 1, ("a", "s3"): 2, ("a", "role_arn"): 5},
        **{("default", ""): 7, ("default", "region"): 8},
    }
