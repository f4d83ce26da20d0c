"""awsudo each: real commands on many targets, against the strict STS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import messages
from tests.conftest import needs
from tests.screens import Screen
from tests.servers.organizations import Organizations
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import Running, World

#: Prints which session the command has, once the shell has expanded it.
WHO = ("sh", "-c", "echo $AWS_ACCESS_KEY_ID $AWSUDO_TARGET $AWSUDO_ROLE_ARN")


def _arn(number: int) -> str:
    return f"arn:aws:iam::{222222222000 + number}:role/fleet"


@pytest.fixture
def fleet(world: World, sts: StrictSts) -> World:
    """A world with the targets t00 to t11, each a role in an account of its own."""
    _add_targets(world, sts, 12)
    return world


def _add_targets(world: World, sts: StrictSts, count: int, source: str = "base", more: str = "") -> None:
    text = ""
    for number in range(count):
        sts.add_role(_arn(number))
        text += f"[profile t{number:02}]\nrole_arn = {_arn(number)}\nsource_profile = {source}\nregion = eu-west-1\n"
    world.config(f"{text}{more}")


def _each(world: World, *words: str, **how: object) -> tuple[int, str, str]:
    done = world.run("each", *words, **how)  # type: ignore[arg-type]
    return done.code, done.out, done.err


def _records(out: str) -> dict[str, dict[str, object]]:
    records = [json.loads(line) for line in out.splitlines()]
    assert len({record["target"] for record in records}) == len(records)
    return {record["target"]: record for record in records}


# -- sessions ------------------------------------------------------------------------------------------------------


def test_each_target_has_its_own_session_from_one_call(fleet: World, sts: StrictSts) -> None:
    """N targets cost N AssumeRole calls; every command has its own session, and a second run costs no call."""
    code, out, err = _each(fleet, "t*", "--", *WHO)

    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert (code, len(lines)) == (0, 12), err
    assert all(lines[name].endswith(f" {name} {_arn(int(name[1:]))}") for name in lines)
    assert len({line.split()[0] for line in lines.values()}) == 12
    assert sts.count("AssumeRole") == 12
    assert "12 targets in " in err and ": 12 ok, 0 failed, 0 without a session" in err

    assert sorted(_each(fleet, "t*", "--", *WHO)[1].splitlines()) == sorted(out.splitlines())
    assert sts.count("AssumeRole") == 12


def test_one_code_and_one_hop_serve_all_targets(world: World, sts: StrictSts) -> None:
    """Targets behind one role and one MFA device: one code, one session of the role between, one call for each."""
    device = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    sts.add_role("arn:aws:iam::111111111111:role/hub", mfa_required=True)
    hub = "[profile hub]\nrole_arn = arn:aws:iam::111111111111:role/hub\nsource_profile = base\n"
    _add_targets(world, sts, 8, "hub", f"{hub}mfa_serial = {device.serial}\n")

    code, out, err = _each(world, "t*", "--mfa-code", device.code(), "--no-cache", "--", *WHO)

    assert (code, len(out.splitlines())) == (0, 8), err
    assert (sts.count("GetSessionToken"), sts.count("AssumeRole")) == (1, 1 + 8)


def test_a_refused_code_is_sent_once_and_ends_all(world: World, sts: StrictSts) -> None:
    """A wrong code: one call, no command, and one reason for all targets."""
    device = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    hub = f"[profile hub]\nrole_arn = {_arn(0)}\nsource_profile = base\nmfa_serial = {device.serial}\n"
    _add_targets(world, sts, 8, "hub", hub)
    wrong = f"{(int(device.code()) + 1) % 1_000_000:06}"

    code, out, err = _each(world, "t*", "--mfa-code", wrong, "--json", "--", "true")

    assert code == 125
    assert {record["class"] for record in _records(out).values()} == {"no-session"}
    assert len(sts.calls) == 1
    assert "0 ok, 0 failed, 8 without a session" in err
    assert err.count("no session: 8") == 1


def test_regions_multiply_the_targets_but_not_the_calls(fleet: World, sts: StrictSts) -> None:
    """--regions runs the command in each Region, with the one session of the role."""
    code, out, _ = _each(fleet, "t00", "t01", "--regions", "eu-west-1,us-east-2", "--", "printenv", "AWS_REGION")

    assert code == 0
    assert sorted(out.splitlines()) == [f"t0{n}@{each}: {each}" for n in (0, 1) for each in ("eu-west-1", "us-east-2")]
    assert sts.count("AssumeRole") == 2

    everywhere = _each(fleet, "t00", "--regions", "all", "--dry-run")[1].split()
    assert "t00@eu-west-1" in everywhere and len(everywhere) > 25
    assert not [name for name in everywhere if "@cn-" in name or "@us-gov-" in name]


def test_notices_about_each_target_are_cut(world: World, sts: StrictSts) -> None:
    """A notice about every one of many targets is printed for the first of them."""
    hub = f"[profile hub]\nrole_arn = {_arn(99)}\nsource_profile = base\n"
    sts.add_role(_arn(99))
    _add_targets(world, sts, 40, "hub", hub)
    config = world.home / ".aws/config"
    config.write_text(
        config.read_text().replace("source_profile = hub", "source_profile = hub\nduration_seconds = 43200")
    )

    code, _, err = _each(world, "t*", "--", "true")

    notices = [line for line in err.splitlines() if line.startswith("awsudo: ")]
    assert code == 0
    assert 1 <= len(notices) <= 11, err


def test_a_role_in_accounts_is_assumed_from_the_source_profile(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """--role NAME --accounts takes numbers and @FILE, and -p says whose credentials assume the role."""
    listed = tmp_path / "accounts"
    listed.write_text("222222222003 third\n# not 222222222004\n", encoding="utf-8")

    selection = ("-p", "base", "--role", "fleet", "--accounts", f"222222222001,@{listed}")
    code, out, err = _each(fleet, *selection, "--", "printenv", "AWSUDO_ROLE_ARN")

    assert code == 0, err
    assert sorted(out.splitlines()) == [f"{222222222000 + n}:fleet: {_arn(n)}" for n in (1, 3)]


def test_throttling_slows_the_fleet_and_fails_nothing(fleet: World, sts: StrictSts) -> None:
    """Throttled calls are tried again at half the rate; every target gets its session in the end."""
    sts.fail_next("throttle", 40, action="AssumeRole")

    code, out, err = _each(fleet, "t*", "--json", "--", "true")

    assert code == 0, err
    assert {record["attempts"] for record in _records(out).values()} == {1}
    assert (sts.count("AssumeRole", ok=True), sts.count("AssumeRole", ok=False)) == (12, 40)


# -- three classes -------------------------------------------------------------------------------------------------


def test_every_result_is_ok_failed_or_without_a_session(fleet: World, sts: StrictSts) -> None:
    """Three classes, in JSON and in the summary, each with what one needs to know; the exit code is 1."""
    sts.add_role(_arn(1), trusts=[])
    sts.add_role(_arn(2), trusts=[])
    script = "case $AWSUDO_TARGET in t00) echo '{\"a\": [1]}';; t03) echo bad >&2; exit 7;; t04) kill -9 $$;; esac"

    code, out, err = _each(fleet, "t00", "t01", "t02", "t03", "t04", "--json", "--", "sh", "-c", script)

    found = _records(out)
    assert code == 1
    assert [found[f"t0{n}"]["class"] for n in range(5)] == ["ok", "no-session", "no-session", "failed", "failed"]
    assert found["t00"]["data"] == {"a": [1]} and found["t00"]["stdout"] == '{"a": [1]}\n'
    assert (found["t03"]["exit"], found["t03"]["signal"], found["t03"]["stderr"]) == (7, None, "bad\n")
    assert (found["t04"]["exit"], found["t04"]["signal"]) == (None, 9)
    assert found["t01"]["reason"] == "AccessDenied"
    assert (found["t00"]["account"], found["t00"]["role"], found["t00"]["region"]) == (
        "222222222000", "fleet", "eu-west-1",
    )  # fmt: skip
    assert "5 targets in " in err and "1 ok, 2 failed, 2 without a session" in err
    assert re.search(r"no session: 2  .*: t0[12], t0[12]\n", err)
    assert "failed: 1  exit 7: t03\n" in err and "failed: 1  signal 9: t04\n" in err


def test_a_missing_command_costs_no_call(fleet: World, sts: StrictSts) -> None:
    """A command that does not exist is 127 before anything is spent."""
    assert _each(fleet, "t*", "--", "no-such-command")[0] == 127
    assert sts.calls == []


def test_each_target_is_in_the_journal(fleet: World, sts: StrictSts) -> None:
    """awsudo history has a line for each target that got a session, from a call or the cache; none where it is off."""
    refused = _arn(50)

    _each(fleet, "t00", "t01", refused, "-p", "base", "--reason", "a drill", "--", "printenv", "HOME")
    _each(fleet, "t00", "t02", "--template", "--", "echo", "{target}", env={"AWSUDO_JOURNAL": "words"})
    _each(fleet, "t04", "--", "true", env={"AWSUDO_JOURNAL": "off"})

    found = json.loads(fleet.run("history", "--json").out)
    fields = ("target", "role", "how", "reason", "command")
    assert sorted(tuple(entry.get(field) or "" for field in fields) for entry in found) == [
        ("t00", _arn(0), "cache", "", "echo t00"),
        ("t00", _arn(0), "call", "a drill", "printenv"),
        ("t01", _arn(1), "call", "a drill", "printenv"),
        ("t02", _arn(2), "call", "", "echo t02"),
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["prdo-*", "--", "true"], 125, "no target matches 'prdo-*'"),
        (["t00", "true"], 2, "no command: it goes after --"),
        (["t00", "--"], 2, "no command after --"),
        (["--", "true"], 2, messages.NO_TARGETS),
        (["t00", "--json", "--ordered", "--", "true"], 2, "output is printed in one way"),
        (["t00", "--resume", "--", "true"], 2, "--resume needs a journal"),
        (["t00", "-j", "0", "--", "true"], 2, "--jobs: invalid number '0'"),
        (["--accounts", "1", "--", "true"], 2, "--accounts needs a role"),
        (["t00", "--shard", "2/1", "--", "true"], 2, "there is no shard 2/1"),
        (["--merge", "nowhere"], 125, "cannot read nowhere"),
    ],
)
def test_a_line_that_cannot_be_meant_runs_nothing(
    fleet: World, sts: StrictSts, words: list[str], code: int, message: str
) -> None:
    """One clear line, a hint, and no call."""
    done = _each(fleet, *words)

    assert (done[0], sts.calls) == (code, [])
    assert done[2].startswith("awsudo: ") and message in done[2]
    assert "\n  " in done[2] or code == 125


# -- output --------------------------------------------------------------------------------------------------------


def test_lines_are_never_torn(fleet: World) -> None:
    """Commands that write at the same time, in pieces: every line is whole, after the name of its target."""
    script = (
        "for i in 1 2 3 4 5 6 7 8 9; do printf 'x'; printf '%0.s-' 1 2 3 4 5; echo $i; echo e$i >&2; done; printf end"
    )

    code, out, err = _each(fleet, "t*", "--", "sh", "-c", script)

    expected = [*(f"x-----{n}" for n in range(1, 10)), "end"]
    assert code == 0
    errors = [f"e{number}" for number in range(1, 10)]
    for number in range(12):
        name = f"t{number:02}: "
        assert [line[5:] for line in out.splitlines() if line.startswith(name)] == expected
        assert [line[5:] for line in err.splitlines() if line.startswith(name)] == errors
    assert len(out.splitlines()) == 120


def test_ordered_output_is_in_the_order_of_the_targets(fleet: World) -> None:
    """--ordered prints whole targets in the order of the list, however they finish."""
    script = 'test "$AWSUDO_TARGET" = t00 && sleep 0.3; echo a$AWSUDO_TARGET; echo b$AWSUDO_TARGET'

    _, out, _ = _each(fleet, "t*", "--ordered", "--", "sh", "-c", script)

    assert out.splitlines() == [f"t{n:02}: {each}t{n:02}" for n in range(12) for each in "ab"]


def test_merged_output_has_each_result_once(fleet: World, sts: StrictSts) -> None:
    """Identical results are one group, largest first; --diff shows the others as what differs from it."""
    sts.add_role(_arn(11), trusts=[])
    script = "echo same; case $AWSUDO_TARGET in t03) echo more;; t05) exit 3;; esac"

    _, out, _ = _each(fleet, "t*", "--merged", "--", "sh", "-c", script)
    _, diff, _ = _each(fleet, "t*", "--diff", "--", "sh", "-c", script)

    headers = [re.sub(r" [─-]+ ", " | ", line).strip("─ ") for line in out.splitlines() if line[:2] in ("──", "--")]
    assert [header.split(":")[0].split(" |")[0] for header in headers] == [
        "9 targets", "1 target", "1 target", "1 target",
    ]  # fmt: skip
    assert [header.rsplit("| ", 1)[1] for header in headers] == ["exit 0", "exit 0", "exit 3", "no session"]
    assert out.count("same\n") == 3
    assert "+more\n" in diff and diff.count("same\n") == 1 + 1
    assert "(same output)\n" in diff


def test_merged_json_is_one_document(fleet: World) -> None:
    """--merge-json concatenates arrays, with the target in each object; a target that prints none is named."""
    members = 'echo "{\\"Vpcs\\": [{\\"Id\\": \\"$AWSUDO_TARGET\\"}], \\"Owner\\": {\\"n\\": 1}}"'
    plain = 'case $AWSUDO_TARGET in t03) echo hm;; t04) ;; *) echo "[{\\"n\\": \\"$AWSUDO_TARGET\\"}, 5]";; esac'

    _, out, _ = _each(fleet, "t00", "t01", "--merge-json", "--", "sh", "-c", members)
    _, array, err = _each(fleet, "t00", "t03", "t04", "--merge-json", "--", "sh", "-c", plain)

    document = json.loads(out)
    assert sorted(each["awsudo_target"] for each in document["Vpcs"]) == ["t00", "t01"]
    assert {each["awsudo_target"]: each["Id"] for each in document["Vpcs"]} == {"t00": "t00", "t01": "t01"}
    assert sorted(map(json.dumps, document["Owner"])) == [
        f'{{"awsudo_target": "{name}", "n": 1}}' for name in ("t00", "t01")
    ]
    assert json.loads(array) == [{"awsudo_target": "t00", "n": "t00"}, {"awsudo_target": "t00", "value": 5}]
    assert "no JSON on stdout of 1 target" in err and "t03" in err


def test_the_output_directory_has_a_folder_for_each_target(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """DIR/TARGET/{stdout,stderr,exit}, as the commands wrote it; names that a path cannot have are encoded."""
    sts.add_role(_arn(1), trusts=[])
    place = tmp_path / "out"

    script = ("sh", "-c", "echo o; echo e >&2; exit 4")
    code, out, _ = _each(fleet, "t00", "t01", _arn(2), "-p", "base", "--output-dir", str(place), "--", *script)

    encoded = place / "arn:aws:iam::222222222002:role%2Ffleet"
    assert code == 1
    for folder in (place / "t00", encoded):
        assert [(folder / name).read_text() for name in ("stdout", "stderr", "exit")] == ["o\n", "e\n", "4\n"]
        assert (folder / "stdout").stat().st_mode & 0o777 == 0o600
    assert (place / "t01" / "exit").read_text() == "125\n"
    assert "no session" in (place / "t01" / "stderr").read_text()
    assert "t00: o\n" in out


def test_binary_output_reaches_a_pipe_unchanged(fleet: World) -> None:
    """Bytes that are not text are bytes in a pipe, and base64 in JSON."""
    _, out, _ = _each(fleet, "t00", "--", "printf", r"\377\000\033[2J\n")
    _, record, _ = _each(fleet, "t00", "--json", "--", "printf", r"\377\000\033[2J\n")

    assert out.encode("utf-8", "surrogateescape") == b"t00: \xff\x00\x1b[2J\n"
    assert json.loads(record)["stdout"] is None
    assert json.loads(record)["stdout_base64"] == "/wAbWzJKCg=="


def test_long_output_flows_without_being_held(fleet: World) -> None:
    """100,000 lines from each of three targets arrive whole, in every mode, and take no memory of awsudo's."""
    script = ("sh", "-c", "seq 100000; exec seq 1000 >&2")
    for mode in ((), ("--ordered",), ("--json",)):
        done = fleet.run("each", "t00", "t01", "t02", *mode, "--", *script)
        text = done.out
        if mode == ("--json",):
            assert all(record["stdout"].count("\n") == 100_000 for record in map(json.loads, text.splitlines()))
        else:
            assert text.count("\n") == 300_000
            assert [line for line in text.splitlines() if line.startswith("t01: ")] == [
                f"t01: {n}" for n in range(1, 100_001)
            ]


def test_a_command_that_closes_its_output_early_is_waited_for(fleet: World) -> None:
    """Its exit code counts, though its output ended before."""
    code, out, _ = _each(fleet, "t00", "--json", "--", "sh", "-c", "echo x; exec >&- 2>&-; sleep 0.2; exit 5")

    record = json.loads(out)
    assert (code, record["exit"], record["stdout"]) == (1, 5, "x\n")
    assert record["seconds"] >= 0.2


def test_a_process_left_in_the_background_holds_nothing_up(fleet: World) -> None:
    """A command that leaves something behind with its output open: two seconds later the target is done."""
    began = time.monotonic()
    code, out, _ = _each(fleet, "t00", "--", "sh", "-c", "sleep 30 & echo started")

    assert (code, out) == (0, "t00: started\n")
    assert time.monotonic() - began < 15


def test_a_reader_that_has_seen_enough_ends_the_fleet(fleet: World) -> None:
    """`| head -1`: awsudo ends as SIGPIPE would end it, and no command stays."""
    with _running(fleet, "t*", "--", "sh", "-c", "while :; do echo line; sleep 0.02; done") as run:
        assert run.process.stdout is not None
        assert run.process.stdout.readline()
        run.process.stdout.close()

        assert run.process.wait(20) == 141
        run.none_left()


def test_a_closed_stdout_is_an_error_and_its_descriptor_is_not_reused(fleet: World, sts: StrictSts) -> None:
    """`>&-`: refused before anything is spent; closed stdin and stderr do no harm."""
    script = 'awsudo each t00 -- echo x >&-; echo $?; awsudo each t00 -- sh -c "cat; echo y" <&- 2>&-'

    done = subprocess.run(
        ["sh", "-c", script], env=fleet.at_hand().environ(), capture_output=True, text=True, check=False
    )

    assert done.stdout == "125\nt00: y\n"
    assert "awsudo: cannot write to stdout: it is closed" in done.stderr
    assert sts.count("AssumeRole") == 1


# -- how commands run ----------------------------------------------------------------------------------------------


def test_stdin_is_empty_or_a_copy_for_each(fleet: World) -> None:
    """Without --stdin a command reads nothing; with it, each reads all of it."""
    _, empty, _ = _each(fleet, "t00", "t01", "--", "cat", stdin="one\ntwo\n")
    _, copies, _ = _each(fleet, "t00", "t01", "--stdin", "--ordered", "--", "cat", stdin="one\ntwo\n")

    assert empty == ""
    assert copies == "t00: one\nt00: two\nt01: one\nt01: two\n"


def test_a_template_is_filled_in_only_on_request(fleet: World) -> None:
    """{target}, {account}, {role} and {region} are words like others without --template."""
    words = ("echo", "{target}/{account}", "{role} {region} {other}")

    assert _each(fleet, "t01", "--", *words)[1] == "t01: {target}/{account} {role} {region} {other}\n"
    assert _each(fleet, "t01", "--template", "--", *words)[1] == "t01: t01/222222222001 fleet eu-west-1 {other}\n"


def test_a_command_has_a_session_and_a_process_group_of_its_own(fleet: World) -> None:
    """No terminal to stop on, no group to be hit with; signals and limits are the caller's."""
    script = "ps -o pid=,pgid=,sid=,tty= -p $$; grep -E 'SigIgn|SigBlk' /proc/self/status"

    _, out, _ = _each(fleet, "t00", "--", "sh", "-c", script)

    first, *masks = [line.removeprefix("t00: ") for line in out.splitlines()]
    pid, group, session, terminal = first.split()
    assert (pid, pid, "?") == (group, session, terminal)
    libcs_own = 3 << 31  # 32 and 33
    assert [int(line.split()[1], 16) & ~libcs_own for line in masks] == [0, 0]


def test_a_command_is_ended_after_its_time_limit(fleet: World) -> None:
    """--timeout: TERM to its group, KILL after --grace; the result says so."""
    script = "trap '' TERM; echo on; sleep 60"

    code, out, _ = _each(fleet, "t00", "--json", "--timeout", "1", "--grace", "1", "--", "sh", "-c", script)

    record = json.loads(out)
    assert code == 1
    assert (record["class"], record["reason"], record["signal"], record["stdout"]) == ("failed", "timeout", 9, "on\n")
    assert 1.9 < record["seconds"] < 15


def test_failed_targets_are_tried_again(fleet: World, tmp_path: Path) -> None:
    """--retry N: as often as that, and no more; what works at last is ok."""
    script = f'echo x >>{tmp_path}/$AWSUDO_TARGET; test $AWSUDO_TARGET = t00 && test "$(wc -l <{tmp_path}/t00)" = 3'

    code, out, _ = _each(fleet, "t00", "t01", "--retry", "2", "--json", "--", "sh", "-c", script)

    found = _records(out)
    assert (code, found["t00"]["class"], found["t00"]["attempts"]) == (1, "ok", 3)
    assert (found["t01"]["class"], found["t01"]["attempts"]) == ("failed", 3)


def test_fail_fast_starts_no_more(fleet: World, tmp_path: Path) -> None:
    """--fail-fast: after the first failure nothing is started, and the summary says how many were left."""
    code, out, err = _each(fleet, "t*", "-j", "1", "--fail-fast", "--json", "--", "false")

    assert code == 1
    assert len(out.splitlines()) == 1
    assert "11 not started" in err


@needs("prlimit")
def test_the_width_is_cut_to_the_limit_of_open_files(fleet: World) -> None:
    """With 100 open files few commands run at once, and a notice says so; all of them run."""
    done = fleet.run("each", "t*", "-j", "64", "--json", "--", "true", prefix=("prlimit", "--nofile=100:100"))

    assert done.code == 0
    assert "awsudo: running 6 at once, not 12: the limit of open files is 100" in done.err
    assert len(done.out.splitlines()) == 12


@needs("prlimit")
@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("--json",), 100_000),  # more than is kept in memory, for one target
        (("--ordered",), 100_000),
        (("--merged",), 10_000),  # for all of them together
        (("--output-dir", "out"), 100_000),
        (("--merge-json",), 10_000),
    ],
)
def test_a_full_disk_is_one_clear_error(fleet: World, words: tuple[str, ...], lines: int) -> None:
    """Output that cannot be kept ends the run with one error, and no result that was cut short."""
    script = f"printf '[\"%s' $AWSUDO_TARGET; seq {lines} | tr '\\n' ' '; printf '\"]\\n'"
    limit = ("prlimit", "--fsize=200000")

    done = fleet.run("each", "t*", *words, "--", "sh", "-c", script, prefix=limit)

    errors = [line for line in done.err.splitlines() if line.startswith("awsudo: ")]
    assert done.code == 125, done.err[-500:]
    assert len(errors) == 1 and "File too large" in errors[0] and "/" in errors[0], done.err[-500:]


# -- the end -------------------------------------------------------------------------------------------------------


class _Run:
    def __init__(self, process: Running, mark: str) -> None:
        self.process = process
        self.mark = mark

    def pids(self) -> list[int]:
        """The processes that the commands' sleeps are, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if self.mark in (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[1:2]:
                    found.append(int(entry.name))
        return found

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.pids()
            time.sleep(0.01)

    def none_left(self) -> None:
        self.until(lambda: not self.pids(), 10)


_MARKS = iter(range(1, 1000))


@contextmanager
def _running(world: World, *words: str) -> Iterator[_Run]:
    """awsudo each in the background; MARK in the words is a number of seconds that no other process sleeps."""
    mark = f"7{os.getpid()}.{next(_MARKS)}"
    process = world.start("each", *(word.replace("MARK", mark) for word in words), session=True)
    run = _Run(process, mark)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pid in run.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


GRANDCHILDREN = ("sh", "-c", "sleep MARK & sleep MARK; wait")
STUBBORN = ("sh", "-c", "trap '' TERM INT; sleep MARK & while :; do sleep MARK; done")


def test_an_interrupt_ends_what_runs_and_starts_no_more(fleet: World) -> None:
    """^C once: TERM to every group, grandchildren included; awsudo ends by SIGINT itself."""
    with _running(fleet, "t*", "-j", "4", "--", *GRANDCHILDREN) as run:
        run.until(lambda: len(run.pids()) == 8)
        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(20) == -signal.SIGINT
        run.none_left()


def test_a_command_that_ignores_term_is_killed_after_the_grace(fleet: World) -> None:
    """TERM, then KILL after --grace."""
    with _running(fleet, "t00", "t01", "--grace", "1", "--", *STUBBORN) as run:
        run.until(lambda: len(run.pids()) == 4)
        began = time.monotonic()
        run.process.send_signal(signal.SIGTERM)

        assert run.process.wait(20) == -signal.SIGTERM
        assert time.monotonic() - began > 0.9
        run.none_left()


def test_what_a_command_leaves_behind_when_it_is_ended_is_killed(fleet: World) -> None:
    """A command that ends on TERM, and a child of it that does not: neither stays."""
    leaves = ("sh", "-c", "(trap '' TERM; exec sleep MARK) & exec sleep MARK")
    with _running(fleet, "t00", "t01", "--", *leaves) as run:
        run.until(lambda: len(run.pids()) == 4)
        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(20) == -signal.SIGINT
        run.none_left()


def test_a_second_interrupt_kills_at_once(fleet: World) -> None:
    """^C twice does not wait for the grace period."""
    with _running(fleet, "t00", "t01", "--grace", "1h", "--", *STUBBORN) as run:
        run.until(lambda: len(run.pids()) == 4)
        run.process.send_signal(signal.SIGINT)
        run.until(lambda: len(run.pids()) == 4 and run.process.poll() is None)
        time.sleep(0.2)
        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(20) == -signal.SIGINT
        run.none_left()


def test_an_interrupt_works_while_the_output_is_not_read(fleet: World) -> None:
    """A reader that has stopped reading holds awsudo up, and not what an interrupt ends; the third ends awsudo."""
    script = ("sh", "-c", "trap '' PIPE; sleep MARK & while :; do echo line; done")
    with _running(fleet, "t00", "--", *script) as run:
        run.until(lambda: run.pids() and _waits_in_write(run.process.pid))
        run.process.send_signal(signal.SIGINT)
        run.none_left()
        assert run.process.poll() is None
        run.process.send_signal(signal.SIGINT)
        run.until(lambda: _waits_in_write(run.process.pid))
        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(20) == -signal.SIGINT


def _waits_in_write(pid: int) -> bool:
    """Whether a process sleeps in a write to a pipe."""
    return (
        "pipe_write" in Path(f"/proc/{pid}/wchan").read_text() or "pipe_wait" in Path(f"/proc/{pid}/wchan").read_text()
    )


def test_no_command_outlives_a_killed_awsudo(fleet: World) -> None:
    """kill -9 of awsudo: every group is gone, those that ignore TERM and grandchildren included."""
    with _running(fleet, "t*", "-j", "4", "--", *STUBBORN) as run:
        run.until(lambda: len(run.pids()) == 8)
        run.process.kill()
        run.process.wait()

        run.none_left()


def test_no_command_outlives_a_killed_supervisor(fleet: World) -> None:
    """kill -9 of the process that watches the commands: awsudo ends them, and says what happened."""
    with _running(fleet, "t*", "-j", "4", "--", *STUBBORN) as run:
        run.until(lambda: len(run.pids()) == 8)
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)

        assert run.process.wait(20) == 125
        assert run.process.stderr is not None
        assert "awsudo: the process that watches the commands was killed" in run.process.stderr.read()
        run.none_left()


# -- again ---------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was_killed(fleet: World, tmp_path: Path) -> None:
    """--joblog and --resume: after kill -9 every target that was not ok runs, and none that was runs again."""
    log, ran = tmp_path / "log", tmp_path / "ran"
    script = f"case $AWSUDO_TARGET in t0*) echo $AWSUDO_TARGET >>{ran};; *) test -e {tmp_path}/go || sleep MARK;; esac"
    with _running(fleet, "t*", "--joblog", str(log), "--", "sh", "-c", script) as run:
        # ten are done, two hang
        run.until(lambda: log.exists() and log.read_text().count('"class": "ok"') == 10)
        run.process.kill()
        run.process.wait()
        run.none_left()
        words = ["sh", "-c", script.replace("MARK", run.mark)]
    with open(log, "a", encoding="utf-8") as file:
        file.write('{"target": "t10", "class": "o')  # a line cut short by a crash
    (tmp_path / "go").touch()

    code, out, err = _each(fleet, "t*", "--joblog", str(log), "--resume", "--json", "--", *words)
    again = _each(fleet, "t*", "--joblog", str(log), "--resume", "--json", "--", *words)
    other = _each(fleet, "t*", "--joblog", str(log), "--resume", "--json", "--", "true")

    assert (code, sorted(_records(out))) == (0, ["t10", "t11"])
    assert sorted(ran.read_text().split()) == [f"t0{n}" for n in range(10)]
    assert "10 of 12 targets are done" in err and "2 left" in err
    assert (again[0], again[1]) == (0, "")
    assert len(_records(other[1])) == 12  # another command is never skipped
    assert sum(not line.endswith("}") for line in log.read_text().splitlines()) == 1  # what the crash left, alone


def test_only_the_failed_ones_run_again(fleet: World, tmp_path: Path) -> None:
    """--only-failed runs what failed in the journal, and not what was never tried."""
    log = str(tmp_path / "log")
    script = f"test -e {tmp_path}/go || case $AWSUDO_TARGET in t01|t02) exit 9;; esac"
    first = _each(fleet, "t00", "t01", "t02", "--joblog", log, "--json", "--", "sh", "-c", script)
    (tmp_path / "go").touch()

    code, out, _ = _each(fleet, "t*", "--joblog", log, "--only-failed", "--json", "--", "sh", "-c", script)

    assert first[0] == 1 and "add --only-failed" in first[2]
    assert (code, sorted(_records(out))) == (0, ["t01", "t02"])


def test_shards_together_are_the_whole_and_a_missing_one_is_named(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """Every target runs in one shard; --merge joins the journals, and names what is missing."""
    place = tmp_path / "logs"
    place.mkdir()
    for number in range(3):
        words = ("--shard", "auto", "--joblog", str(place / f"{number}.jsonl"))
        env = {"AWS_BATCH_JOB_ARRAY_INDEX": str(number), "AWS_BATCH_JOB_ARRAY_SIZE": "3"}
        assert _each(fleet, "t*", *words, "--", "sh", "-c", "test $AWSUDO_TARGET != t04", env=env)[0] in (0, 1)
    assert sts.count("AssumeRole") == 12

    code, out, _ = _each(fleet, "--merge", str(place))
    lost = [line for line in (place / "1.jsonl").read_text().splitlines() if '"class"' in line]
    (place / "1.jsonl").unlink()
    missing = _each(fleet, "--merge", str(place))

    assert code == 1 and "12 targets in " in out and ": 11 ok, 1 failed, 0 without a session" in out
    assert "exit 1: t04" in out
    assert missing[0] == 1 and "missing shards: 2 (of 3)" in missing[1]
    assert f"{12 - len(lost)} targets in " in missing[1]


def test_dry_run_prints_what_can_be_read_again(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """--dry-run runs nothing, and its output is a file of targets."""
    _, out, _ = _each(fleet, "t0*", "!t03", "--where", "role=fleet", "--dry-run")
    (tmp_path / "targets").write_text(out)

    assert out.splitlines() == [f"t0{n}" for n in range(10) if n != 3]
    assert _each(fleet, f"@{tmp_path}/targets", "--dry-run")[1] == out
    assert _each(fleet, "-", "--dry-run", stdin=out)[1] == out
    assert sts.calls == []


def test_the_report_is_one_page_with_escaped_text(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """--html writes a page without any other file, with all targets, and with nothing that a command could inject."""
    sts.add_role(_arn(1), trusts=[])
    page = tmp_path / "report.html"
    script = "echo '<script>alert(1)</script>'; test $AWSUDO_TARGET != t02"

    _each(fleet, "t*", "--html", str(page), "--", "sh", "-c", script)

    text = page.read_text()
    assert text.count("<script>") == 1 and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert re.findall(r'<tr data-k="([a-z-]+)"><td>(t\d\d)', text) and text.count("<tr data-k=") == 12
    assert not re.search(r'(?:src|href)="(?!#)', text) and "http" not in text.replace("http-equiv", "")


@needs("chromium-headless-shell")
def test_the_report_works_in_a_browser(fleet: World, tmp_path: Path) -> None:
    """Its own script runs under its own policy: the page counts its rows, and nothing else is asked for."""
    page = tmp_path / "report.html"
    _each(fleet, "t*", "--html", str(page), "--", "echo", "same")

    browser = ["chromium-headless-shell", "--no-sandbox", "--dump-dom", f"file://{page}"]
    done = subprocess.run(browser, capture_output=True, text=True, check=False, timeout=60)

    assert '<span id="c" class="dim">12 targets</span>' in done.stdout
    assert '<details id="g0" open="">' in done.stdout


def test_no_secret_of_a_session_is_written(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """Journal, report, directory, messages and what is left in the temporary directory: no secret, no token."""
    (tmp_path / "tmp").mkdir()
    files = ("--joblog", str(tmp_path / "log"), "--html", str(tmp_path / "page"), "--output-dir", str(tmp_path / "out"))

    done = fleet.run("each", "t*", "-v", "--json", *files, "--", "ls", env={"TMPDIR": str(tmp_path / "tmp")})

    written = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    outside = [text for text in written if "session_token" not in text]  # all but the cache, and the user's keys
    assert done.code == 0 and len(sts.issued) == 12
    for issued in sts.issued:
        for secret in (issued.secret_access_key, issued.session_token):
            assert not [text for text in (done.out, done.err, *outside) if secret in text]
    assert not list((tmp_path / "tmp").iterdir())


# -- on a terminal -------------------------------------------------------------------------------------------------

#: Waits for the file `go`, so that the live view is there to be read; then every target prints the same, t03 more.
SLOW = (
    "until test -e go; do sleep 0.02; done; echo same; test $AWSUDO_TARGET != t03 || printf '\\033[31mred\\033[0m\\n'"
)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_progress_and_then_merged_results(fleet: World, sts: StrictSts, columns: int) -> None:
    """While it runs: the counts, the time, the slowest; then each result once, in lines no wider than the terminal."""
    sts.add_role(_arn(11), trusts=[])
    words = ("each", "t*", "-j", "4", "--", "sh", "-c", SLOW)

    with Screen(fleet.command(*words), fleet.environ(), cwd=str(fleet.home), size=(24, columns)) as screen:
        view = screen.until(r"running 4 .* left \d+ .*0:0\d[^\n]*\n t\d\d +0:0\d  sh -c ")
        assert all(len(line) <= columns for line in view.splitlines())
        (fleet.home / "go").touch()
        code = screen.end()

    text = screen.text
    assert code == 1
    assert "running" not in text
    assert re.search(r"^── 10 targets: t00, t01, t02, t04.* exit 0 ──$", text, re.MULTILINE), text
    assert "\x1b[31mred" not in screen.raw and r"\x1b[31mred\x1b[0m" in text
    assert {len(line) for line in text.splitlines() if line.startswith("──")} == {columns}
    assert "12 targets in " in text and "11 ok, 0 failed, 1 without a session" in text


@pytest.mark.parametrize(
    ("env", "rule", "styled"),
    [({}, "──", True), ({"NO_COLOR": "1"}, "──", False), ({"TERM": "dumb"}, "--", False)],
)
def test_colour_and_glyphs_are_for_terminals_that_have_them(
    fleet: World, env: dict[str, str], rule: str, styled: bool
) -> None:
    """NO_COLOR takes the colours away; a dumb terminal gets ASCII, and no live view."""
    (fleet.home / "go").touch()
    words = ("each", "t00", "t01", "--", "sh", "-c", SLOW)

    with Screen(fleet.command(*words), {**fleet.environ(), **env}, cwd=str(fleet.home)) as screen:
        assert screen.end() == 0

    assert f"{rule} 2 targets: t00, t01 {rule}" in screen.text
    assert ("\x1b[32m" in screen.raw) == styled
    assert env.get("TERM") != "dumb" or "\x1b" not in screen.raw


def test_a_diff_on_a_terminal_is_escaped_too(fleet: World) -> None:
    """What a command prints cannot reach the terminal by way of a diff."""
    (fleet.home / "go").touch()
    words = ("each", "t00", "t01", "t03", "--diff", "--", "sh", "-c", SLOW)

    with Screen(fleet.command(*words), fleet.environ(), cwd=str(fleet.home)) as screen:
        assert screen.end() == 0

    assert r"+\x1b[31mred\x1b[0m" in screen.text and "\x1b[31mred" not in screen.raw


def test_a_code_is_typed_while_nothing_is_drawn(world: World, sts: StrictSts) -> None:
    """On a terminal the code is asked for once, in a quiet place, and serves all targets."""
    device = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    sts.add_role("arn:aws:iam::111111111111:role/hub", mfa_required=True)
    hub = "[profile hub]\nrole_arn = arn:aws:iam::111111111111:role/hub\nsource_profile = base\n"
    _add_targets(world, sts, 6, "hub", f"{hub}mfa_serial = {device.serial}\n")

    with Screen(world.command("each", "t*", "--", "echo", "done"), world.environ()) as screen:
        screen.until(r"MFA code of arn:aws:iam::111111111111:mfa/alice for .*: ?$").count("MFA code")
        screen.type(f"{device.code()}\n")
        assert screen.end() == 0

    assert screen.text.count("MFA code of") == 1
    assert "6 targets: t00, t01" in screen.text
    assert sts.count("GetSessionToken") == 1


def test_an_interrupt_at_a_question_ends_the_run(world: World, sts: StrictSts) -> None:
    """^C while a code is asked for: nothing ran, nothing hangs."""
    device = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    _add_targets(
        world,
        sts,
        3,
        "hub",
        f"[profile hub]\nrole_arn = {_arn(0)}\nsource_profile = base\nmfa_serial = {device.serial}\n",
    )

    with Screen(world.command("each", "t*", "--", "echo", "done"), world.environ()) as screen:
        screen.until(r"MFA code of ")
        screen.type("\x03")

        assert screen.end() == -signal.SIGINT

    assert sts.calls == []


# -- an organization -----------------------------------------------------------------------------------------------


@pytest.fixture
def organization(fleet: World) -> Iterator[Organizations]:
    """45 accounts, of which t00 to t11 have the role; some are suspended, some below OUs."""
    with Organizations() as served:
        for number in range(45):
            served.add(
                222222222000 + number, f"account {number}", status="SUSPENDED" if number in (1, 30) else "ACTIVE"
            )
        served.units += [("ou-a", "r-1"), ("ou-b", "ou-a")]
        served.add(222222222005, "five", parent="ou-a")
        served.add(222222222006, "six", parent="ou-b")
        fleet.env["AWS_ENDPOINT_URL_ORGANIZATIONS"] = served.url
        yield served


def test_an_organization_is_listed_page_by_page_without_suspended_accounts(
    fleet: World, organization: Organizations
) -> None:
    """--org TARGET: every page, throttled calls again, and no account that is suspended."""
    organization.throttle = 2

    code, out, err = _each(fleet, "--org", "t00", "--role", "fleet", "--dry-run")

    assert code == 0, err
    assert out.splitlines() == [f"{222222222000 + n}:fleet" for n in range(45) if n not in (1, 30)]
    assert organization.operations == ["ListAccounts"] * (2 + 3)


def test_an_ou_includes_those_below_it(fleet: World, sts: StrictSts, organization: Organizations) -> None:
    """--ou: its accounts and those of the OUs below; names of accounts are there for --where."""
    selection = ("--org", "t00", "--ou", "ou-a", "-p", "base", "--role", "fleet")

    code, out, err = _each(fleet, *selection, "--", "printenv", "AWSUDO_ROLE_ARN")
    _, named, _ = _each(fleet, *selection, "--where", "account_name=six", "--dry-run")

    assert code == 0, err
    assert sorted(out.splitlines()) == [f"{222222222000 + n}:fleet: {_arn(n)}" for n in (5, 6)]
    assert named == "222222222006:fleet\n"


def test_an_organization_that_cannot_be_listed_runs_nothing(fleet: World, organization: Organizations) -> None:
    """An OU without accounts, or a refusal, is an error."""
    assert _each(fleet, "--org", "t00", "--ou", "ou-x", "--role", "fleet", "--", "true")[0] == 125

    organization.throttle = 100
    code, _, err = _each(fleet, "--org", "nobody", "--role", "fleet", "--", "true")

    assert code == 125 and "no profile 'nobody'" in err


# -- a sign-in portal ----------------------------------------------------------------------------------------------


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[World, Sso]]:
    """A machine that is signed in to a portal of nine accounts, in eight of which there is the role Audit."""
    with Sso() as sso:
        for number in range(9):
            sso.allow(f"{number + 1}" * 12, "Audit" if number else "Other", f"account {number}")
        world = World(tmp_path)
        world.env |= sso.environ
        world.config("[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n")
        sso.write_cached_token(world.home, start_url="https://corp.awsapps.com/start", session_name="corp")
        yield world, sso


def test_a_portal_gives_one_role_in_all_accounts(portal: tuple[World, Sso]) -> None:
    """--sso SESSION --role NAME: what the portal lists, each with a session of its own from one call."""
    world, sso = portal
    selection = ("--sso", "corp", "--role", "Audit")

    code, out, err = _each(world, *selection, "!*3333*", "--", "printenv", "AWS_ACCESS_KEY_ID")

    lines = dict(line.split(": ") for line in out.splitlines())
    assert code == 0, err
    assert sorted(lines) == [f"corp/{f'{n}' * 12}/Audit" for n in range(2, 10) if n != 3]
    assert len(set(lines.values())) == 7
    assert sso.count("/federation/credentials") == 7
    assert _each(world, *selection, "--where", "account_name=account?4", "--dry-run")[1] == f"corp/{'5' * 12}/Audit\n"
    assert "lists no role Audits" in _each(world, "--sso", "corp", "--role", "Audits", "--dry-run")[2]


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("awsudo_deny = true", "profile audit does not allow this command: true"),
        ("awsudo_confirm = true", "profile audit must be confirmed on a terminal, and there is none: true"),
        ("awsudo_confirm = mfa", "target corp/222222222222/Audit needs an MFA code for each run"),
    ],
)
def test_a_role_of_a_portal_has_the_rails_of_the_profile_that_means_it(
    portal: tuple[World, Sso], setting: str, why: str
) -> None:
    """--sso gets around no rail: nothing runs, and no session is fetched; without that role, all others run."""
    world, sso = portal
    config = (world.home / ".aws/config").read_text()
    role = "sso_session = corp\nsso_account_id = 222222222222\nsso_role_name = Audit\n"
    world.config(f"{config}[profile audit]\n{role}{setting}\n")

    code, out, err = _each(world, "--sso", "corp", "--role", "Audit", "--", "true")
    fetched = sso.count("/federation/credentials")
    others = _each(world, "--sso", "corp", "--role", "Audit", "!*2222*", "--", "true")

    assert (code, out, fetched) == (125, "", 0) and why in err, err
    assert others[0] == 0 and sso.count("/federation/credentials") == 7, others[2]


def test_a_profile_that_is_called_like_a_role_of_a_portal_stays_what_it_is(portal: tuple[World, Sso]) -> None:
    """As for a run of that word: the profile wins, with its own rails."""
    world, _ = portal
    config = (world.home / ".aws/config").read_text()
    role = "sso_session = corp\nsso_account_id = 333333333333\nsso_role_name = Audit\n"
    world.config(f"{config}[profile corp/222222222222/Audit]\n{role}awsudo_deny = false\n")

    code, _, err = _each(world, "--sso", "corp", "--role", "Audit", "--", "false")

    assert code == 125 and "profile corp/222222222222/Audit does not allow this command: false" in err


def test_an_ended_sign_in_is_one_reason_for_all(portal: tuple[World, Sso]) -> None:
    """Without a terminal a session that has ended is named once, with its targets; nothing signs in."""
    world, sso = portal
    assert _each(world, "--sso", "corp", "--role", "Audit", "--dry-run")[0] == 0
    sso.revoke_tokens()

    code, _, err = _each(world, "--sso", "corp", "--role", "Audit", "--json", "--", "true")

    assert code == 125
    assert err.count("no session: 8") == 1, err


def test_a_portal_that_throttles_fails_nothing(tmp_path: Path) -> None:
    """A portal that answers few calls a second: the fleet waits for it."""
    with Sso(rate=20) as sso:
        for number in range(1, 10):
            sso.allow(f"{number}" * 12, "Audit")
        world = World(tmp_path)
        world.env |= sso.environ
        world.config("[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n")
        sso.write_cached_token(world.home, start_url="https://corp.awsapps.com/start", session_name="corp")

        code, _, err = _each(world, "--sso", "corp", "--role", "Audit", "--json", "--", "true")

    assert (code, ": 9 ok, 0 failed" in err) == (0, True), err
