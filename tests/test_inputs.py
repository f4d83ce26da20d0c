"""What can be asked for: which of its places wins, what STS really hears, and each bound, checked before any call."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsudo_py.aws.calls import default_session_name
from awsudo_py.grammar.options import INPUTS
from tests import messages
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import KEY_ID, PRINT_ENV, World

DEV = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::111111111111:role/ops"
PHONE = "arn:aws:iam::111111111111:mfa/phone"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
FIELDS = {wanted.field: wanted for wanted in INPUTS}
WAYS = ("option", "variable", "profile")
Heard = dict[str, str]


def _policy(sid: str) -> str:
    return json.dumps({"Statement": [{"Sid": sid, "Effect": "Deny", "Action": "*", "Resource": "*"}]})


class Row(NamedTuple):
    """One input: three values as written, what STS hears of the first, and what must be there beside it."""

    flag: str
    values: tuple[str, str, str]  # as the option, the variable and the profile have it
    heard: Callable[[str], Heard]  # the parameters that a value becomes
    key: str = ""  # of the profile, where there is one
    beside: tuple[str, ...] = ()  # options that it takes
    beside_in_profile: str = ""  # settings that it takes there


def _compact(policy: str) -> str:
    return json.dumps(json.loads(policy), separators=(",", ":"))


def _only(action: str, resource: str = "*") -> str:
    on: object = "*" if resource == "*" else [resource]
    return _compact(
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": on}]})
    )


def _seconds(value: str) -> Heard:
    return {"DurationSeconds": str(int(value[:-1]) * 60) if value.endswith("m") else value}


def _as(parameter: str) -> Callable[[str], Heard]:
    return lambda value: {parameter: value}


ROWS = {
    "duration": Row("--duration", ("15m", "16m", "1020"), _seconds, "duration_seconds"),
    "session_name": Row("--session-name", ("ann", "ben", "cat"), _as("RoleSessionName"), "role_session_name"),
    "external_id": Row("--external-id", ("id:1/x", "id:2/x", "id:3/x"), _as("ExternalId"), "external_id"),
    "mfa_serial": Row(
        "--mfa-serial", (PHONE, PHONE + "2", "GAHT12345678"), _as("SerialNumber"), "mfa_serial",
        ("-t", "123456", "--mfa-per-role"),
    ),
    "mfa_code": Row("--mfa-code", ("123456", "234567", ""), _as("TokenCode"), "", ("-m", PHONE, "--mfa-per-role")),
    "policy": Row("--policy", (_policy("A"), _policy("B"), ""), lambda value: {"Policy": _compact(value)}),
    "only": Row("--only", ("s3:Get*", "s3:List*", ""), lambda value: {"Policy": _only(value)}),
    "on": Row(
        "--on", ("arn:aws:s3:::a", "arn:aws:s3:::b", ""), lambda value: {"Policy": _only("s3:Get*", value)},
        "", ("--only", "s3:Get*"),
    ),
    "read_only": Row("--read-only", ("", "yes", ""), lambda _: {"PolicyArns.member.1.arn": READ_ONLY}),
    "shorten": Row("--shorten", ("15m", "16m", ""), _seconds),
    "reason": Row("--reason", ("TICKET-1", "TICKET-2", ""), lambda _: {}),
    "policy_arns": Row("--policy-arn", (READ_ONLY, READ_ONLY + "2", ""), _as("PolicyArns.member.1.arn")),
    "tags": Row(
        "--tag", ("team=a b", "team=x=y", "team="),
        lambda value: {"Tags.member.1.Key": "team", "Tags.member.1.Value": value.partition("=")[2]}, "session_tags",
    ),
    "transitive_tags": Row(
        "--transitive-tag", ("a", "b", "c"), _as("TransitiveTagKeys.member.1"), "transitive_session_tags",
        tuple(word for key in "abc" for word in ("--tag", f"{key}=1")), "session_tags = a=1,b=1,c=1",
    ),
    "source_identity": Row("--source-identity", ("ann", "ben", "cat"), _as("SourceIdentity"), "source_identity"),
}  # fmt: skip
#: How each list begins in the call: none of it is sent where nothing was asked for.
ONLY_WHEN_ASKED = (
    *("DurationSeconds", "ExternalId", "SerialNumber", "TokenCode", "Policy", "PolicyArns", "Tags"),
    *("TransitiveTagKeys", "SourceIdentity"),
)


def _with_setting(world: World, *lines: str) -> Path:
    """Add settings to the profile dev."""
    return world.config((world.home / ".aws" / "config").read_text() + "".join(f"{line}\n" for line in lines if line))


def _heard(world: World, sts: StrictSts, *words: str, env: dict[str, str | None] | None = None) -> Heard:
    """The parameters of the one call of this run, whatever STS thinks of them."""
    sts.forget()
    done = world.run("--no-cache", *words, "dev", "true", env=env)
    assert [call.action for call in sts.calls] == ["AssumeRole"], done.err
    return sts.calls[0].params


@pytest.mark.parametrize("field", ROWS)
def test_an_option_wins_over_its_variable_and_that_over_the_profile(world: World, sts: StrictSts, field: str) -> None:
    """The order is the same for every input, and STS hears the one that wins, as it was written."""
    row, variable = ROWS[field], FIELDS[field].variable
    option, in_variable, in_profile = row.values
    assert row.key or not in_profile

    if row.key:
        _with_setting(world, f"{row.key} = {in_profile}", row.beside_in_profile)
        beside = row.beside if field == "mfa_serial" else ()
        assert row.heard(in_profile).items() <= _heard(world, sts, *beside).items()
    by_variable = _heard(world, sts, *row.beside, env={variable: in_variable})
    given = (row.flag, option) if FIELDS[field].metavar else (row.flag,)
    by_option = _heard(world, sts, *row.beside, *given, env={variable: in_variable})

    assert row.heard(in_variable).items() <= by_variable.items()
    assert row.heard(option).items() <= by_option.items()


def test_only_requested_parameters_are_sent(world: World, sts: StrictSts) -> None:
    """A plain run names the role and the session, and leaves the rest to STS."""
    heard = _heard(world, sts)

    assert heard.keys() == {"RoleArn", "RoleSessionName"}
    assert not [name for name in heard if name.startswith(ONLY_WHEN_ASKED)]


def test_lists_arrive_whole_and_in_one_order(world: World, sts: StrictSts) -> None:
    """Every policy ARN, tag and transitive key that was named is sent; variables part them by commas."""
    words = ("--tag", "b=2", "--tag", "a=1", "--transitive-tag", "b", "--transitive-tag", "a")
    arns = ("--policy-arn", READ_ONLY, "--policy-arn", READ_ONLY + "2")

    by_options = _heard(world, sts, "-n", "ann", *words, *arns)
    by_variables = _heard(
        world, sts, "-n", "ann",
        env={
            "AWSUDO_TAGS": "b=2, a=1", "AWSUDO_TRANSITIVE_TAGS": "b,a",
            "AWSUDO_POLICY_ARNS": f"{READ_ONLY},{READ_ONLY}2",
        },
    )  # fmt: skip

    assert by_options == by_variables == {
        "RoleArn": DEV, "RoleSessionName": "ann",
        "PolicyArns.member.1.arn": READ_ONLY, "PolicyArns.member.2.arn": READ_ONLY + "2",
        "Tags.member.1.Key": "a", "Tags.member.1.Value": "1", "Tags.member.2.Key": "b", "Tags.member.2.Value": "2",
        "TransitiveTagKeys.member.1": "a", "TransitiveTagKeys.member.2": "b",
    }  # fmt: skip


@pytest.mark.parametrize("written", ["policy.json", "~/policy.json", "file://policy.json"])
def test_a_policy_file_is_read_and_sent_without_its_white_space(world: World, sts: StrictSts, written: str) -> None:
    """STS counts white space, so it is left out; a change of the file is another session."""
    (world.home / "policy.json").write_text(json.dumps(json.loads(_policy("A")), indent=8))

    heard = _heard(world, sts, "--policy", written)
    first = world.run("--policy", written, "dev", *KEY_ID)
    (world.home / "policy.json").write_text(_policy("B"))
    second = world.run("--policy", written, "dev", *KEY_ID)

    assert heard["Policy"] == _compact(_policy("A"))
    assert first.key_id != second.key_id


@pytest.mark.parametrize(
    ("written", "output"),
    [
        ("nowhere.json", "no such file: nowhere.json"),
        (".", "cannot read .: Is a directory"),
        ("latin1.json", "cannot read latin1.json: not UTF-8 text"),
        ("broken.json", messages.NOT_A_POLICY),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_named(world: World, sts: StrictSts, written: str, output: str) -> None:
    """A narrowing that cannot be read is an error: the command never runs without it."""
    (world.home / "latin1.json").write_bytes(b'{"Statement": "\xe9"}')
    (world.home / "broken.json").write_text("{")

    option = world.run("--policy", written, "dev", "echo", "ran")
    variable = world.run("dev", "echo", "ran", env={"AWSUDO_POLICY": written})

    assert (option.code, variable.code, option.out + variable.out, sts.calls) == (2, 125, "", [])
    assert "--policy" in option.err and "AWSUDO_POLICY" in variable.err
    assert output in option.err and output in variable.err


@pytest.mark.parametrize("flag", ["--session-name", "--external-id", "--source-identity", "--region"])
def test_a_refusal_without_a_hint_is_one_line(world: World, flag: str) -> None:
    """A character that STS does not accept: what is allowed is in the message, and no line is empty."""
    done = world.run(flag, "a b", "dev", "true")

    assert done.code != 0 and len(done.err.splitlines()) == 1, done.err
    assert "has characters that STS does not accept" in done.err


@pytest.mark.parametrize("field", [name for name, wanted in FIELDS.items() if wanted.metavar])
def test_an_empty_option_is_refused_and_not_passed_over(world: World, sts: StrictSts, field: str) -> None:
    """`--policy "$NOT_SET"` must not run the command without the policy, nor with the variable's."""
    flag = FIELDS[field].flags[-1]

    done = world.run(flag, "", "dev", "echo", "ran", env={FIELDS[field].variable: ""})

    assert (done.code, done.out, sts.calls) == (2, "", [])
    output = "awsudo: Invalid value for '{}': ''" if FIELDS[field].strict else "awsudo: {}: empty value\n"
    assert done.err.startswith(output.format(FIELDS[field].name))


@pytest.mark.parametrize(
    ("written", "heard"),
    [("900", 900), ("900s", 900), ("20m", 1200), ("1h", 3600), ("0h16m40s", 1000), ("1h30m", 5400)],
)
def test_a_duration_can_be_written_in_hours_minutes_and_seconds(
    world: World, sts: StrictSts, written: str, heard: int
) -> None:
    """The spellings that --help names, and their sums."""
    sts.add_role(DEV, max_session=7200)

    assert _heard(world, sts, "-d", written)["DurationSeconds"] == str(heard)


# -- what is not sent ------------------------------------------------------------------------------------------------


def test_the_region_of_an_option_wins_over_the_variables_and_the_profile(world: World) -> None:
    """--region, AWSUDO_REGION, the user's own variables, the profile: in this order."""
    none: dict[str, str | None] = {"AWS_DEFAULT_REGION": None}

    def region(*words: str, **env: str) -> str:
        return world.run(*words, "dev", "printenv", "AWS_REGION", env={**none, **env}).out.strip()

    assert region() == "eu-west-1"
    assert region(AWS_REGION="eu-west-2") == "eu-west-2"
    assert region(AWS_REGION="eu-west-2", AWSUDO_REGION="eu-west-3") == "eu-west-3"
    assert region("--region", "us-east-2", AWS_REGION="eu-west-2", AWSUDO_REGION="eu-west-3") == "us-east-2"


@needs("faketime")
def test_the_least_time_of_an_option_wins_over_its_variable(world: World, sts: StrictSts) -> None:
    """A session with 50 minutes left is used where 45 are asked for, and renewed where 55 are."""
    world.run("dev", "true")
    later = ("faketime", "-f", "+10m")

    world.run("--min-ttl", "45m", "dev", "true", env={"AWSUDO_MIN_TTL": "55m"}, prefix=later)
    used = sts.count("AssumeRole")
    world.run("dev", "true", env={"AWSUDO_MIN_TTL": "55m"}, prefix=later)
    by_variable = sts.count("AssumeRole")
    world.run("--min-ttl", "59m59s", "dev", "true", env={"AWSUDO_MIN_TTL": "45m"}, prefix=("faketime", "-f", "+10m2s"))

    assert (used, by_variable, sts.count("AssumeRole")) == (1, 2, 3)


@pytest.mark.parametrize(("words", "value"), [(("--refresh",), ""), ((), "1"), ((), "true"), ((), "YES")])
def test_refresh_works_by_option_and_by_variable(
    world: World, sts: StrictSts, words: tuple[str, ...], value: str
) -> None:
    """A fresh session is renewed all the same."""
    world.run("dev", "true")

    world.run(*words, "dev", "true", env={"AWSUDO_REFRESH": value})
    world.run("dev", "true", env={"AWSUDO_REFRESH": "0"})

    assert sts.count("AssumeRole") == 2


@pytest.mark.parametrize(("words", "value"), [(("--no-cache",), "0"), ((), "1"), ((), "on")])
def test_no_cache_works_by_option_and_by_variable(
    world: World, sts: StrictSts, words: tuple[str, ...], value: str
) -> None:
    """Nothing is read, and nothing is left behind."""
    for _ in range(2):
        world.run(*words, "dev", "true", env={"AWSUDO_NO_CACHE": value})

    assert sts.count("AssumeRole") == 2 and not world.cache.exists()


@pytest.mark.parametrize("variable", ["AWSUDO_REFRESH", "AWSUDO_NO_CACHE"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(world: World, sts: StrictSts, variable: str) -> None:
    """A variable that was misspelt does not silently mean no."""
    done = world.run("dev", "true", env={variable: "maybe"})

    assert (done.code, sts.calls) == (125, [])
    assert f"{variable}: 'maybe'" in done.err


#: Inputs about MFA that no AssumeRole has; test_mfa.py and test_mfa_choice.py show which of their places wins.
ABOUT_MFA = {"mfa_process", "mfa_session_duration", "mfa_per_role"}
#: test_keyring_store.py shows which of its places wins, and that no other word is taken.
ABOUT_STORE = {"store"}
#: Tokens and assertions, with which another call than AssumeRole is made: see test_identities.py.
ABOUT_TOKENS = {"web_identity", "web_identity_audience", "web_identity_token", "saml"}
#: Inputs that are not parameters of AssumeRole, and the test that shows which of their places wins.
TESTED_ABOVE = {
    "region": test_the_region_of_an_option_wins_over_the_variables_and_the_profile,
    "min_ttl": test_the_least_time_of_an_option_wins_over_its_variable,
    "refresh": test_refresh_works_by_option_and_by_variable,
    "no_cache": test_no_cache_works_by_option_and_by_variable,
}


def test_every_input_is_tested() -> None:
    """A new input needs a row here, or a test of its own."""
    assert FIELDS.keys() == ROWS.keys() | TESTED_ABOVE.keys() | ABOUT_MFA | ABOUT_STORE | ABOUT_TOKENS


# -- limits ----------------------------------------------------------------------------------------------------------


class Bound(NamedTuple):
    """A value that breaks a bound, and the bound as the message has it."""

    field: str
    value: str
    message: str
    ways: tuple[str, ...] = WAYS


def _tags(count: int) -> str:
    return ",".join(f"k{number}=v" for number in range(count))


NAMED, NOT_IN_FILES = ("option", "variable"), ("option", "variable")
WORD = "A-Z a-z 0-9 _ + = , . @ -"
BOUNDS = [
    Bound("duration", "899", "900"),
    Bound("duration", "43201", "43200"),
    Bound("duration", "0", "900"),
    Bound("duration", "-900", "invalid duration", NAMED),
    Bound("duration", "-900", messages.NOT_SECONDS, ("profile",)),
    Bound("duration", "1d", "invalid duration", NAMED),
    Bound("duration", "9e2", messages.NOT_SECONDS, ("profile",)),
    Bound("duration", "٩٠٠", "invalid duration", NAMED),
    Bound("duration", "9" * 40, "invalid duration", NAMED),
    Bound("session_name", "x", "2 to 64"),
    Bound("session_name", "x" * 65, "2 to 64"),
    Bound("session_name", "a b", WORD),
    Bound("session_name", "a:b", WORD),
    Bound("session_name", "née", WORD),
    Bound("session_name", "ann\n", WORD, NOT_IN_FILES),
    Bound("external_id", "x", "2 to 1224"),
    Bound("external_id", "x" * 1225, "2 to 1224"),
    Bound("external_id", "a b", f"{WORD} : /"),
    Bound("external_id", "x\n", f"{WORD} : /", NOT_IN_FILES),
    Bound("source_identity", "x", "2 to 256"),
    Bound("source_identity", "x" * 257, "2 to 256"),
    Bound("source_identity", "a/b", WORD),
    Bound("source_identity", "AWS:ann", WORD),
    Bound("mfa_serial", "x" * 8, "9 to 256"),
    Bound("mfa_serial", "x" * 257, "9 to 256"),
    Bound("mfa_serial", "my phone 12", f"{WORD} : /"),
    Bound("mfa_code", "12345", "six digits", NAMED),
    Bound("mfa_code", "1234567", "six digits", NAMED),
    Bound("mfa_code", "12345a", "six digits", NAMED),
    Bound("mfa_code", "١٢٣٤٥٦", "six digits", NAMED),
    Bound("mfa_session_duration", "899", "900 s (15m) to 129600 s (36h)", NAMED),
    Bound("mfa_session_duration", "36h1s", "900 s (15m) to 129600 s (36h)", NAMED),
    Bound("policy", json.dumps({"Statement": "x" * 2033}), "2048", NAMED),
    Bound("policy", '{"Statement":"Ā"}', "U+00FF", NAMED),
    Bound("policy", '{"Version":"2012-10-17"}', "Statement", NAMED),
    Bound("policy", '{"Statement":[],"Statement":[]}', "duplicate key", NAMED),
    Bound("policy", "{" * 100_000, messages.NOT_A_POLICY, NAMED),
    Bound("only", "s3", "not an action", NAMED),
    Bound("only", "*", "not an action", NAMED),
    Bound("on", "bucket", "not the ARN of a resource", NAMED),
    Bound("shorten", "0", "between 1 s and 36h", NAMED),
    Bound("reason", "x", "2 to 256", NAMED),
    Bound("reason", "x" * 257, "2 to 256", NAMED),
    Bound("policy_arns", ",".join(READ_ONLY + str(number) for number in range(11)), "10", NAMED),
    Bound("policy_arns", "arn:aws:iam::aws:pol", "ReadOnlyAccess", NAMED),
    Bound("policy_arns", "arn:aws:iam::aws:po", "20 to 2048", NAMED),
    Bound("policy_arns", f"arn:aws:iam::aws:policy/{'x' * 2025}", "20 to 2048", NAMED),
    Bound("policy_arns", "arn:aws:iam::111111111111:role/dev", "managed policy", NAMED),
    Bound("tags", _tags(51), "50"),
    Bound("tags", "=v", "1 to 128"),
    Bound("tags", f"{'k' * 129}=v", "1 to 128"),
    Bound("tags", f"k={'v' * 257}", "0 to 256"),
    Bound("tags", "team", "KEY=VALUE"),
    Bound("tags", "k=50%", "_ . : / = + - @"),
    Bound("tags", "Aws:k=v", "aws:"),
    Bound("tags", "team=a,TEAM=b", "duplicate key"),
    Bound("transitive_tags", "team", "--tag team=VALUE"),
    Bound("region", "x", "2 to 63", NAMED),
    Bound("region", "EU-WEST-1", "a-z 0-9 -", NAMED),
    Bound("min_ttl", "soon", "invalid duration", NAMED),
    Bound("min_ttl", "3600", "3600", NAMED),
]


@pytest.mark.parametrize(
    ("bound", "way"),
    [
        pytest.param(bound, way, id=f"{bound.field}-{bound.value.encode('unicode_escape').decode()[:24]}-{way}")
        for bound in BOUNDS
        for way in bound.ways
        if way != "profile" or ROWS[bound.field].key
    ],
)
def test_a_value_beyond_its_bound_is_refused_before_any_call(
    world: World, sts: StrictSts, bound: Bound, way: str
) -> None:
    """A usage error on the command line, awsudo's own elsewhere; it names the bound and the place of the value."""
    wanted = FIELDS[bound.field]
    many = bound.value.split(",") if wanted.many else [bound.value]
    words = [word for value in many for word in (wanted.flags[-1], value)] if way == "option" else []
    env: dict[str, str | None] = {wanted.variable: bound.value} if way == "variable" else {}
    named = {"option": wanted.flags, "variable": (wanted.variable,)}.get(way, ())
    if way == "profile":
        config = _with_setting(world, f"{ROWS[bound.field].key} = {bound.value}")
        named = (f"{ROWS[bound.field].key} of profile dev ({config}, line ",)

    done = world.run(*words, "dev", "echo", "ran", env=env)

    assert (done.code, done.out) == (2 if way == "option" else 125, ""), done.err
    assert not sts.calls and not world.cache.exists()
    assert bound.message in done.err
    assert any(name in done.err.splitlines()[0] for name in named)
    assert bound.field != "mfa_code" or bound.value.strip() not in done.err


@pytest.mark.parametrize(
    ("target", "given", "output"),
    [
        ("dev", "37h", "900 s (15m) to 43200 s (12h), not 133200 s"),
        ("dev", "14m", "900 s (15m) to 43200 s (12h), not 840 s"),
        ("ci", "13h", "900 s (15m) to 43200 s (12h), not 46800 s"),
        ("base", "37h", "900 s (15m) to 129600 s (36h), not 133200 s"),
        ("base", "14m", "900 s (15m) to 129600 s (36h), not 840 s"),
        ("base", "36h", ""),
    ],
)
def test_a_duration_is_held_to_the_bound_of_the_call_that_it_is_for(
    world: World, sts: StrictSts, tmp_path: Path, target: str, given: str, output: str
) -> None:
    """12h for a role, by a token too, and 36h for keys: the message names the one that counts, and no other."""
    (tmp_path / "token").write_text("x.y.z")
    with open(world.home / ".aws/config", "a", encoding="utf-8") as file:
        file.write(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {tmp_path}/token\n")

    by_option = world.run("-d", given, target, "true")
    by_variable = world.run(target, "true", env={"AWSUDO_DURATION": given, "AWSUDO_STORE": "file"})

    if output:
        assert f"--duration: a session lasts {output}" in by_option.err
        assert f"AWSUDO_DURATION: a session lasts {output}" in by_variable.err
        assert (by_option.code, by_variable.code, sts.calls) == (2, 125, [])
        assert ("MaxSessionDuration" in by_option.err) == (target != "base" and given != "14m")
    else:
        assert by_option.code == by_variable.code == 0
        assert sts.calls[0].params["DurationSeconds"] == "129600"


def test_every_input_with_a_bound_is_held_to_it() -> None:
    """The table has a row for each input that takes a value; but a program's words have no bound."""
    held = {bound.field for bound in BOUNDS}

    assert held == {name for name, wanted in FIELDS.items() if wanted.metavar} - {"mfa_process", "store"} - ABOUT_TOKENS


LEAST = {
    "duration": "900",
    "session_name": "xy",
    "external_id": "xy",
    "source_identity": "xy",
    "mfa_serial": "GAHT12345",
    "tags": "k=",
    "transitive_tags": "k",
}
MOST = {
    "duration": "43200",
    "session_name": "x" * 64,
    "external_id": "x" * 1224,
    "source_identity": "x" * 256,
    "mfa_serial": "x" * 256,
    "tags": _tags(50),
    "transitive_tags": "k0,k1,k2",
}
LONG_TAG = {"tags": f"{'k' * 128}={'v' * 256}", "transitive_tags": "k" * 128}
POLICIES = {"policy_arns": ",".join(READ_ONLY + str(number) for number in range(10))}
POLICY = {"policy": json.dumps({"Statement": [{"Effect": "Deny", "Action": "x" * 1994}]}, separators=(",", ":"))}


@pytest.mark.parametrize(
    ("values", "way"),
    [
        pytest.param(values, way, id=f"{name}-{way}")
        for name, values in {
            "least": LEAST, "most": MOST, "long-tag": LONG_TAG, "policies": POLICIES, "policy": POLICY
        }.items()
        for way in WAYS
        if way != "profile" or "tags" in values
    ],
)  # fmt: skip
def test_a_value_at_its_bound_is_accepted_by_awsudo_and_by_sts(
    world: World, sts: StrictSts, values: dict[str, str], way: str
) -> None:
    """No bound of ours is narrower than STS's own."""
    sts.add_role(DEV, max_session=43200)
    serial = values.get("mfa_serial")
    code: dict[str, str | None] = {"AWSUDO_MFA_CODE": sts.add_mfa("alice", serial).code()} if serial else {}
    words = [
        word
        for field, value in values.items()
        for one in (value.split(",") if FIELDS[field].many else [value])
        for word in (FIELDS[field].flags[-1], one)
    ]
    if way == "profile":
        _with_setting(world, *(f"{ROWS[field].key} = {value}" for field, value in values.items()))
    given = {FIELDS[field].variable: value for field, value in values.items()} if way == "variable" else {}

    done = world.run(*(words if way == "option" else []), "dev", "true", env={**code, **given})

    assert (done.code, done.err) == (0, "")
    assert sts.count("AssumeRole", ok=True) == 1


@pytest.mark.parametrize(("words", "code"), [(("-d", "129600"), 0), (("-d", "129601"), 2), (("-d", "899"), 2)])
def test_a_session_of_long_lived_keys_may_last_thirty_six_hours(
    world: World, sts: StrictSts, words: tuple[str, ...], code: int
) -> None:
    """GetSessionToken has a bound of its own."""
    done = world.run(*words, "base", "true")

    assert done.code == code
    assert [call.params for call in sts.calls] == ([{"DurationSeconds": "129600"}] if code == 0 else [])


@pytest.mark.parametrize("target", ["dev", "base"])
def test_no_session_is_requested_to_outlive_its_source(world: World, sts: StrictSts, target: str) -> None:
    """--min-ttl beyond a session's own length would renew it on every run for ever."""
    done = world.run("--min-ttl", "2h", target, "true")

    assert (done.code, sts.calls) == (2, [])
    assert "--min-ttl" in done.err and "3600" in done.err


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("base", ("-n", "ann")),
        ("base", ("-e", "id-1")),
        ("base", ("--policy-arn", READ_ONLY)),
        ("ci", ("-e", "id-1")),
        ("ci", ("--tag", "a=b")),
        ("ci", ("-m", PHONE)),
        ("dev", ("-t", "123456")),
        ("base", ("-t", "123456")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_an_option_that_cannot_be_sent_is_refused(
    world: World, sts: StrictSts, target: str, words: tuple[str, ...]
) -> None:
    """Nobody is to think that a session was narrowed, named or opened with a code when it was not."""
    token = world.home / "token"
    token.write_text("token")
    sts.add_web_identity("token")
    _with_setting(world, "[profile ci]", f"role_arn = {DEV}", f"web_identity_token_file = {token}")

    done = world.run("--no-cache", *words, target, "echo", "ran")

    assert (done.code, done.out, sts.calls) == (2, "", [])
    assert done.err.startswith("awsudo: --")


@pytest.mark.parametrize(
    ("variable", "value", "target"),
    [("AWSUDO_SESSION_NAME", "ann", "base"), ("AWSUDO_MFA_CODE", "123456", "dev")],
)
def test_a_variable_without_effect_is_a_notice(world: World, variable: str, value: str, target: str) -> None:
    """It may be set for other targets: the command runs, and nobody thinks that it was heard."""
    done = world.run(target, "echo", "ran", env={variable: value})

    assert (done.code, done.out) == (0, "ran\n")
    assert f"awsudo: {variable} has no effect: " in done.err
    assert value not in done.err or variable != "AWSUDO_MFA_CODE"


@pytest.mark.parametrize("variable", ["AWSUDO_EXTERNAL_ID", "AWSUDO_SOURCE_IDENTITY", "AWSUDO_TAGS"])
def test_a_variable_that_narrows_or_names_a_session_is_never_left_out(
    world: World, sts: StrictSts, variable: str
) -> None:
    """Where no role is assumed, a policy cannot be sent: the command does not run without it."""
    value = {"AWSUDO_TAGS": "a=b"}.get(variable, "ann")

    done = world.run("base", "echo", "ran", env={variable: value})

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert done.err.startswith(f"awsudo: {variable}: the session of profile base takes no ")
    assert "name the role: awsudo -p base arn:aws:iam::" in done.err


def test_a_code_is_for_the_device_of_keys_that_a_process_gives(world: World, sts: StrictSts) -> None:
    """Only running it shows that they are long-lived: the profile's device is named, so a code is right."""
    credentials = (world.home / ".aws" / "credentials").read_text()
    keys = dict(line.split(" = ") for line in credentials.splitlines() if " = " in line)
    printed = {"Version": 1, "AccessKeyId": keys["aws_access_key_id"], "SecretAccessKey": keys["aws_secret_access_key"]}
    (world.home / "printed").write_text(json.dumps(printed))
    code = sts.add_mfa("alice", PHONE).code()
    world.config(f"[profile vault]\ncredential_process = cat {world.home}/printed\nmfa_serial = {PHONE}\n")

    done = world.run("-t", code, "vault", "true")

    assert done.code == 0, done.err
    assert sts.calls[-1].params.items() >= {"SerialNumber": PHONE, "TokenCode": code}.items()


@pytest.mark.parametrize("words", [("-d", "15m"), ("-n", "ann")], ids=" ".join)
def test_another_input_of_a_web_identity_is_another_session(
    world: World, sts: StrictSts, words: tuple[str, ...]
) -> None:
    """What shapes the session is a part of its key, for this call as for AssumeRole."""
    token = world.home / "token"
    token.write_text("token")
    sts.add_web_identity("token")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    plain, shaped = world.run("ci", *KEY_ID), world.run(*words, "ci", *KEY_ID)

    assert plain.key_id != shaped.key_id


def test_a_web_identity_session_ends_with_its_token(world: World, sts: StrictSts) -> None:
    """--min-ttl is held against the length that is asked for, or STS's own."""
    token = world.home / "token"
    token.write_text("token")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    done = world.run("-d", "15m", "--min-ttl", "900", "ci", "true")

    assert (done.code, sts.calls) == (2, [])
    assert "--min-ttl: 900 s is not less than the session's own 900 s" in done.err


def test_tags_on_the_line_leave_no_transitive_key_of_the_profile_without_its_tag(world: World, sts: StrictSts) -> None:
    """The profile's key is named as the one that has no tag any more, in its own file."""
    config = _with_setting(world, "session_tags = team=a", "transitive_session_tags = team")

    done = world.run("--tag", "cost=b", "dev", "true")

    assert (done.code, sts.calls) == (125, [])
    assert done.err.startswith(f"awsudo: transitive_session_tags of profile dev ({config}): 'team' is not among")


@pytest.mark.parametrize(
    ("words", "heard"), [(("-d", "15m"), {"DurationSeconds": "900"}), (("-n", "ann"), {"RoleSessionName": "ann"})]
)
def test_a_web_identity_accepts_the_inputs_of_its_call(
    world: World, sts: StrictSts, words: tuple[str, ...], heard: Heard
) -> None:
    """AssumeRoleWithWebIdentity knows a duration and a name too: they are sent, not dropped."""
    token = world.home / "token"
    token.write_text("token")
    sts.add_web_identity("token")
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    done = world.run(*words, "ci", "true")

    assert done.code == 0, done.err
    assert heard.items() <= sts.calls[-1].params.items()


# -- role chaining ---------------------------------------------------------------------------------------------------


def _chain(world: World, sts: StrictSts, *settings: str) -> None:
    sts.add_role(OPS, max_session=43200)
    _with_setting(world, "[profile ops]", f"role_arn = {OPS}", "source_profile = dev", *settings)


@pytest.mark.parametrize("way", WAYS)
def test_role_chaining_is_limited_to_one_hour_with_a_notice(world: World, sts: StrictSts, way: str) -> None:
    """More than an hour is not asked for behind another session; the user learns it once, when STS is asked."""
    _chain(world, sts, "duration_seconds = 7200" if way == "profile" else "")
    words = ("-d", "2h") if way == "option" else ()
    env: dict[str, str | None] = {"AWSUDO_DURATION": "2h"} if way == "variable" else {}

    first = world.run(*words, "ops", *PRINT_ENV, env=env)
    again = world.run(*words, "ops", "true", env=env)

    assert (first.code, first.env["AWSUDO_ROLE_ARN"]) == (0, OPS)
    assert [call.params.get("DurationSeconds") for call in sts.calls] == [None, "3600"]
    assert first.err.count("\n") == 1 and "lasts 1h instead of 7200 s" in first.err and OPS in first.err
    assert (again.code, again.err) == (0, "")


@pytest.mark.parametrize("requested", ["", "900", "3600"])
def test_a_chained_role_within_the_hour_is_nothing_to_talk_about(world: World, sts: StrictSts, requested: str) -> None:
    """Up to an hour is sent as requested; without a duration none is sent."""
    _chain(world, sts, f"duration_seconds = {requested}" if requested else "")

    done = world.run("ops", "true")

    assert (done.code, done.err) == (0, "")
    assert sts.calls[-1].params.get("DurationSeconds", "") == requested


def test_a_role_from_a_session_in_the_environment_is_chained_too(world: World, sts: StrictSts) -> None:
    """Inside another awsudo, an ARN starts from its session: one hour, and a notice says both."""
    sts.add_role(OPS, max_session=43200)
    outer = world.run("dev", *PRINT_ENV).env

    inner = world.run("-d", "2h", OPS, "true", env=dict(outer))

    assert inner.code == 0
    assert (
        sts.calls[-1].params["DurationSeconds"] == "3600" and sts.calls[-1].access_key_id == outer["AWS_ACCESS_KEY_ID"]
    )
    assert "inside dev" in inner.err and "1h instead of 7200 s" in inner.err


# -- the session's name ----------------------------------------------------------------------------------------------

SAFE = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


@pytest.mark.parametrize(
    ("env", "begins"),
    [
        ({"USER": "alice"}, "alice@"),
        ({"USER": 'Ælice O"Neil'}, "-lice-O-Neil@"),
        ({"USER": "CORP\\alice"}, "CORP-alice@"),
        ({"USER": "x" * 100}, "x" * 64),
        ({"USER": "", "LOGNAME": "bob"}, "bob@"),
        ({"USER": None, "LOGNAME": None, "USERNAME": "carol"}, "carol@"),
        ({"USER": ""}, pwd.getpwuid(os.getuid()).pw_name + "@"),
        ({"USER": "\udcff\udcfe\n"}, "-@"),
    ],
)
def test_the_default_name_of_a_session_is_who_and_where(
    world: World, sts: StrictSts, env: dict[str, str | None], begins: str
) -> None:
    """USER@HOST as far as STS takes it, whoever the user is: readable in CloudTrail, and never a reason to fail."""
    done = world.run("dev", "true", env=env)

    name = sts.calls[0].params["RoleSessionName"]
    assert (done.code, done.err) == (0, "")
    assert SAFE.fullmatch(name) and name.startswith(begins)


@given(user=st.text(max_size=80), host=st.text(max_size=80))
def test_any_user_on_any_host_has_a_name_that_sts_takes(user: str, host: str) -> None:
    """Whatever the two are called."""
    assert SAFE.fullmatch(default_session_name(user, host))
