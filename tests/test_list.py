"""awsudo list and whoami: what the targets are, as a table, a tree and data; who one is at AWS."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
import subprocess

import pytest

from awsudo_py.cli.output import Cell, Column, Span, display_width, table_lines
from awsudo_py.context import Context
from awsudo_py.errors import AwsudoError
from awsudo_py.model import Request
from awsudo_py.resolve.outline import matching
from awsudo_py.session_for import chain_for
from awsudo_py.targets import known_targets
from awsudo_py.terminal import NoTerminal
from tests import messages
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

ROLE = "arn:aws:iam::222222222222:role/"
CONFIG = f"""\
[profile dev]
role_arn = arn:aws:iam::111111111111:role/dev
source_profile = base
region = eu-west-1
awsudo_account_name = tools
[profile deploy]
role_arn = {ROLE}team/deploy
source_profile = dev
awsudo_account_name = prod-data
[profile ops]
role_arn = {ROLE}ops
source_profile = base
mfa_serial = arn:aws:iam::111111111111:mfa/ann
[profile gone]
role_arn = {ROLE}gone
source_profile = nowhere
[profile one]
role_arn = {ROLE}one
source_profile = two
[profile two]
role_arn = {ROLE}two
source_profile = one
[profile empty]
region = eu-west-1
[profile short]
role_arn = {ROLE}short
source_profile = base
duration_seconds = soon
"""


@pytest.fixture
def listed(world: World) -> World:
    """The world with targets of many kinds, some of them broken."""
    world.config(CONFIG)
    return world


def _rows(world: World, *words: str) -> dict[str, dict[str, object]]:
    return {row["target"]: row for row in json.loads(world.run("list", "--json", *words).out)}


def test_the_list_describes_every_target(listed: World, sts: StrictSts) -> None:
    """Account with its name, role, where it comes from, region, MFA; and nothing is called."""
    rows = _rows(listed)

    deploy, ops = rows["deploy"], rows["ops"]
    assert (deploy["account"], deploy["account_name"], deploy["role"]) == ("222222222222", "prod-data", "team/deploy")
    assert (deploy["role_arn"], deploy["from"], deploy["mfa"]) == (f"{ROLE}team/deploy", ["base", "dev"], False)
    assert (ops["account_name"], ops["from"], ops["mfa"], ops["fault"]) == ("prod-data", ["base"], True, None)
    assert rows["base"]["source"] == "key" and rows["base"]["role"] is None
    assert sts.calls == []


def test_a_broken_profile_is_listed_with_the_fault_that_a_run_would_report(listed: World) -> None:
    """The very message of `awsudo NAME`; exit code 0, since a list is what was requested."""
    rows = _rows(listed)

    assert set(rows) == {"dev", "deploy", "ops", "gone", "one", "two", "empty", "short", "base"}
    faults = {name: row["fault"] for name, row in rows.items() if row["fault"]}
    assert set(faults) == {"gone", "one", "two", "empty", "short"}
    for name, fault in faults.items():
        assert listed.run(name, "true").err.startswith(f"awsudo: {fault}\n")


def test_the_list_shows_whose_session_is_cached(listed: World) -> None:
    """Of the very target: another profile of the same role with other inputs is not cached."""
    with (listed.home / ".aws" / "config").open("a") as config:
        config.write("[profile other]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\n")
        config.write("external_id = x1\n")
    listed.run("dev", "true")

    rows = _rows(listed)
    table = listed.run("list").out

    assert [name for name, row in rows.items() if row["cached_until"]] == ["dev"]
    assert re.search(r"^dev .* 59m$", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "names"),
    [(("PROD", "deploy"), ["deploy"]), (("tools",), ["dev"]), (("222222222222", "ops"), ["ops"]), (("zzz",), [])],
)
def test_words_filter_as_in_the_picker(listed: World, words: tuple[str, ...], names: list[str]) -> None:
    """Every word must be part of the line; case makes no difference."""
    assert list(_rows(listed, *words)) == names


def test_csv_has_the_fields_of_json_and_no_formulas(listed: World) -> None:
    """A spreadsheet takes no cell for a formula."""
    listed.config(CONFIG.replace("prod-data", '=cmd|"x"'))
    rows = list(csv.DictReader(io.StringIO(listed.run("list", "--csv").out)))

    assert [row["target"] for row in rows] == list(_rows(listed))
    assert next(row for row in rows if row["target"] == "deploy")["account_name"] == '\'=cmd|"x"'
    assert next(row for row in rows if row["target"] == "deploy")["from"] == "base dev"


def test_the_tree_shows_what_is_assumed_from_what(listed: World) -> None:
    """A missing source and a loop are marked, and stop nothing; a filter keeps what leads to a match."""
    tree = listed.run("list", "--tree").out
    some = listed.run("list", "--tree", "team/").out.splitlines()

    assert re.search(r"^base .*\n├─ dev .*\n│  └─ deploy .*\n├─ ops .*\n└─ short ", tree, re.MULTILINE)
    assert re.search(r"^nowhere  ✗ not defined\n└─ gone ", tree, re.MULTILINE)
    assert re.search(r"^(one|two) .*\n└─ (one|two) .*\n   └─ (one|two)  ✗ loop$", tree, re.MULTILINE)
    assert len(some) == 3 and some[0].startswith("base") and "deploy" in some[2]


@pytest.mark.parametrize("order", [1, -1], ids=["sources first", "sources last"])
def test_a_chain_of_any_length_is_listed(world: World, order: int) -> None:
    """Beyond 50 roles it is a fault, the same for a run, whichever way round the file is; no internal error."""
    profiles = [
        f"[profile p{number}]\nrole_arn = arn:aws:iam::111111111111:role/r{number}\n"
        f"source_profile = {f'p{number - 1}' if number else 'base'}\n"
        for number in range(1_200)
    ]
    world.config("".join(profiles[::order]))

    rows = _rows(world)
    tree = world.run("list", "--tree")

    assert [number for number in range(1_200) if rows[f"p{number}"]["fault"]] == [*range(50, 1_200)]
    assert world.run("p50", "true").err.startswith(f"awsudo: {rows['p50']['fault']}\n")
    assert (tree.code, tree.err, len(tree.out.splitlines())) == (0, "", 1_201)


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_a_loop_through_keys_is_a_fault_wherever_its_profiles_are(world: World, order: str) -> None:
    """As a source, a profile with keys gives these; assumed itself, it comes back to itself, as a run reports."""
    role = "role_arn = arn:aws:iam::111111111111:role/{0}\nsource_profile = {1}\n"
    keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = " + 40 * "k" + "\n"
    profiles = {"a": role.format("a", "b") + keys, "b": role.format("b", "a"), "c": role.format("c", "b")}
    world.config("".join(f"[profile {name}]\n{profiles[name]}" for name in order))

    rows = _rows(world)

    assert str(rows["a"]["fault"]).startswith("source_profile loop: a -> b -> a (")
    assert world.run("a", "true").err.startswith("awsudo: source_profile loop: a -> b -> a (")
    assert (rows["b"]["fault"], rows["b"]["from"], rows["c"]["from"]) == (None, ["a"], ["a", "b"])


@pytest.mark.parametrize("words", [("--json", "--csv"), ("--tree", "--json"), ("--graph", "dot", "--csv")])
def test_forms_exclude_each_other(listed: World, words: tuple[str, ...]) -> None:
    """One thing is printed."""
    done = listed.run("list", *words)

    assert (done.code, done.out) == (2, "") and messages.EXCLUSIVE in done.err


def test_no_match_and_no_profiles_are_reported(listed: World) -> None:
    """On stderr: stdout stays empty."""
    none = listed.run("list", "zzz")
    (listed.home / ".aws" / "config").unlink()
    (listed.home / ".aws" / "credentials").unlink()

    assert (none.code, none.out, none.err) == (0, "", "awsudo: no target matches zzz\n")
    assert "awsudo: no profiles" in listed.run("list").err


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_the_table_fits_the_terminal(listed: World, width: int) -> None:
    """The least important column gives way first; the target and its fault stay."""
    done = subprocess.run(
        ["script", "-qec", f"stty cols {width}; {AWSUDO} list", "/dev/null"],
        env=listed.environ({"TERM": "xterm", "NO_COLOR": "1"}),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.replace("\r", "").splitlines()

    assert max(map(len, lines)) <= width and lines[0].startswith("TARGET")
    assert [line.split()[0] for line in lines[1:]] == list(_rows(listed))
    assert ("REGION" in lines[0], "ROLE" in lines[0]) == (width > 60, True)


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_have_it(listed: World, env: dict[str, str], coloured: bool) -> None:
    """A fault is red; NO_COLOR, a dumb terminal and a pipe have no escapes, and a dumb terminal no glyphs."""
    done = subprocess.run(
        ["script", "-qec", f"{AWSUDO} list", "/dev/null"],
        env=listed.environ({"TERM": "xterm", **env}),
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("\x1b[31m" in done.stdout, "\x1b" in done.stdout) == (coloured, coloured)
    assert ("✗" in done.stdout) is (env.get("TERM") != "dumb")
    assert "\x1b" not in listed.run("list").out


def test_five_thousand_profiles_take_less_than_half_a_second(world: World) -> None:
    """Of CPU, the start of Python included; every one is resolved."""
    world.config(
        "".join(
            f"[profile p{number}]\nrole_arn = arn:aws:iam::{100_000_000_000 + number}:role/admin\n"
            f"source_profile = {'base' if number % 5 else f'p{number + 1}'}\nregion = eu-west-1\n"
            for number in range(5_000)
        )
        + "[profile p5000]\nrole_arn = arn:aws:iam::111111111111:role/x\nsource_profile = base\n"
    )
    received = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([AWSUDO, "list"], env=world.environ(), capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        received.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    assert len(done.stdout.splitlines()) == 5_003
    # twice the promise: machines differ, and the benchmark has the exact figure
    assert min(received) < 1.0


def test_names_from_outside_cannot_move_the_cursor(world: World) -> None:
    """They are escaped in every form that a terminal shows."""
    world.config("[profile a\x1b[2Jb]\nrole_arn = x\n")

    assert "\x1b" not in world.run("list").out + world.run("list", "--tree").out


# the table by itself

_COLUMNS = (Column("NAME"), Column("LEAST", 2), Column("MORE", 1), Column("N", right=True))


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, ["NAME  LEAST       MORE       N", "a     0123456789  abcdefghi  7"]),
        (29, ["NAME  LEAST      MORE       N", "a     01234567…  abcdefghi  7"]),
        (22, ["NAME  MORE       N", "a     abcdefghi  7"]),
        (17, ["NAME  MORE      N", "a     abcdefg…  7"]),
        (9, ["NAME  N", "a     7"]),
    ],
)
def test_the_least_important_column_gives_way_first(width: int | None, lines: list[str]) -> None:
    """It is shortened as far as it can be read, then left out; the others stay whole."""
    assert table_lines(_COLUMNS, [("a", "0123456789", "abcdefghi", "7")], width=width, colour=False) == lines


def test_wide_characters_line_up_and_empty_columns_are_left_out() -> None:
    """A character of two columns is counted as two; a span takes the rest of the line."""
    rows: list[tuple[str | Cell | Span, ...]] = [("日本", "", "x", "1"), ("ab", Span("broken: " + "y" * 40, "red"))]

    lines = table_lines(_COLUMNS, rows, width=24, colour=True)

    assert lines[0].startswith("\x1b[1mNAME\x1b[0m  \x1b[1mMORE") and "LEAST" not in lines[0]
    assert lines[1] == "日本  x     1"
    assert lines[2] == "ab    \x1b[31mbroken: yyyyyyyyy…\x1b[0m"
    assert display_width("日本") == 4


# whoami


def test_whoami_of_a_target_needs_no_call_for_a_session_that_is_known(listed: World, sts: StrictSts) -> None:
    """One AssumeRole when it is cold, nothing when it is cached: STS named the session when it made it."""
    cold = json.loads(listed.run("whoami", "dev", "--json").out)
    calls = len(sts.calls)
    warm = json.loads(listed.run("whoami", "dev", "--json").out)
    displayed = listed.run("whoami", "dev").out

    assert (calls, len(sts.calls)) == (1, 1)
    assert cold == {**warm, "origin": "AWS, just now"} and warm["origin"] == "the cache"
    assert re.fullmatch(r"arn:aws:sts::111111111111:assumed-role/dev/\S+", warm["arn"])
    assert (warm["account"], warm["account_name"], warm["region"]) == ("111111111111", "tools", "eu-west-1")
    assert warm["user_id"].startswith("AROA") and warm["narrowed_by"] == []
    assert re.fullmatch(
        r"dev  arn:\S+\n     account 111111111111 \(tools\), region eu-west-1\n     user ID AROA\S+\n"
        r"     expires in 59m \(\d\d:\d\d\), from the cache\n",
        displayed,
    )


def test_whoami_alone_is_the_identity_at_hand(listed: World, sts: StrictSts) -> None:
    """What the AWS CLI would use: the keys of the default profile, a role that AWS_PROFILE names, the environment."""
    keys = json.loads(listed.run("whoami", "--json", env={"AWS_PROFILE": "base"}).out)
    calls = len(sts.calls)
    role = json.loads(listed.run("whoami", "--json", env={"AWS_PROFILE": "dev"}).out)
    nested = json.loads(listed.run("dev", AWSUDO, "whoami", "--json").out)

    assert keys["arn"] == "arn:aws:iam::111111111111:user/alice" and keys["expires"] is None and calls == 1
    assert role["arn"].startswith("arn:aws:sts::111111111111:assumed-role/dev/") and role["target"] == "dev"
    assert (nested["arn"], nested["target"], nested["expires"]) == (role["arn"], "dev", role["expires"])


def test_whoami_shows_whether_a_session_is_narrowed(listed: World) -> None:
    """By which policies."""
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"

    assert json.loads(listed.run("whoami", "dev", "--policy-arn", arn, "--json").out)["narrowed_by"] == [arn]
    assert f"narrowed by {arn}" in listed.run("whoami", "dev", "--policy-arn", arn).out


def test_whoami_of_keys_needs_one_call(listed: World, sts: StrictSts) -> None:
    """And no code: the keys themselves say who they are."""
    who = json.loads(listed.run("whoami", "base", "--json").out)

    assert who["arn"] == "arn:aws:iam::111111111111:user/alice" and len(sts.calls) == 1


def test_the_list_and_a_run_agree_about_every_profile(listed: World) -> None:
    """What the list resolves is what a run resolves."""
    aws = listed.home / ".aws"
    files = {"AWS_CONFIG_FILE": str(aws / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials")}
    context = Context(listed.environ({**files}), NoTerminal())
    for each in known_targets(context):
        try:
            chain = chain_for(context, Request(target=each.name))
        except AwsudoError as error:
            assert each.fault == error.message
        else:
            assert each.chain is not None and each.chain.hops == chain.hops and each.role_arn == chain.role_arn
    assert [each.name for each in matching(known_targets(context), ["team"])] == ["deploy"]
