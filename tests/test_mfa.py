"""MFA asked once: one code for all roles behind a device, wherever it comes from, and none that is sent twice."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pexpect
import pytest

from awsudo_py.errors import AwsudoError
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import GIVE_UP_AFTER, PROMPT_GIVEN_UP_AFTER, Run, Wait, in_turn
from awsudo_py.terminal import Terminal
from tests import messages
from tests.conftest import needs
from tests.screens import PseudoTerminal, terminal
from tests.servers.strict_sts import MfaDevice, StrictSts
from tests.world import AWSUDO, IMPORTS_LISTED, KEY_ID, PRINT_ENV, Done, World, until

ROLE = "arn:aws:iam::111111111111:role/"
PHONE = "arn:aws:iam::111111111111:mfa/phone"
ASKED = f"MFA code of {PHONE} for profile base: "
ROLES = ("dev", "ops", "a", "b", "c")
#: All that a child gets is a line of ours, so that a test can tell it from what the terminal echoes.
WHO = ("sh", "-c", "echo as=$AWSUDO_ROLE_ARN=$AWS_ACCESS_KEY_ID")


@pytest.fixture
def phone(world: World, sts: StrictSts) -> MfaDevice:
    """Alice's phone guards her keys (profile base), and five roles want its code."""
    for name in ROLES:
        sts.add_role(ROLE + name, mfa_required=True)
    world.config(
        f"[profile base]\nmfa_serial = {PHONE}\n"
        + "".join(f"[profile {name}]\nrole_arn = {ROLE}{name}\nsource_profile = base\n" for name in ROLES)
    )
    return sts.add_mfa("alice", PHONE)


def _shell(world: World, line: str) -> PseudoTerminal:
    """A shell that runs this line, on a terminal of its own."""
    return PseudoTerminal(["sh", "-c", line], env=world.env, cwd=world.home)


def program(world: World, name: str, body: str) -> Path:
    """A program in the reader's PATH."""
    path = world.root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    if str(path.parent) not in world.env["PATH"]:
        world.env["PATH"] = f"{path.parent}:{world.env['PATH']}"
    return path


def counted(sts: StrictSts) -> dict[str, int]:
    """How many calls of each kind arrived."""
    return dict(Counter(call.action for call in sts.calls))


# -- one code for all


def test_one_code_opens_every_role_behind_the_device(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """Asked once, on one terminal; sibling roles, other terminals and the keys' own profile need no code any more."""
    with terminal(world, "dev", *WHO) as first:
        first.expect_exact(ASKED)
        first.sendline(phone.code())
        done = first.ended()

    others = [world.run(*words, *WHO) for words in (("ops",), ("dev",), ("-p", "base", f"{ROLE}a"), ("base",))]

    assert done.code == 0 and f"as={ROLE}dev=ASIA" in done.out
    assert [other.code for other in others] == [0] * 4, others
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 3}
    requested = sts.calls[0].params
    assert (requested["SerialNumber"], requested["DurationSeconds"]) == (PHONE, "43200")
    assert not any("SerialNumber" in call.params for call in sts.calls[1:])


def test_twenty_processes_over_five_roles_ask_once(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """All at once, nothing kept: one prompt, one GetSessionToken, five AssumeRole."""
    runs = [world.command(name, "sh", "-c", "echo got $AWSUDO_ROLE_ARN") for name in ROLES * 4]

    with PseudoTerminal(*runs, env=world.env, cwd=world.home, timeout=60) as shell:
        shell.expect_exact(ASKED)
        shell.sendline(phone.code())
        shell.expect(pexpect.EOF)
        output = shell.before

    assert Counter(re.findall(r"got (\S+)", output)) == {ROLE + name: 4 for name in ROLES}
    assert "MFA code of arn:aws:iam::111111111111:mfa/phone for" not in output
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 5}


def test_the_short_way_is_as_short_behind_mfa(world: World, phone: MfaDevice) -> None:
    """A role whose session is fresh is replayed like any other: no parser, no resolver, no SDK."""
    world.env["AWSUDO_MFA_PROCESS"] = f"echo {phone.code()}"
    world.settle()
    first = world.run("dev", *KEY_ID)

    again = world.run("dev", *KEY_ID, prefix=IMPORTS_LISTED)

    assert again.replayed and again.key_id == first.key_id


def test_renewing_a_role_costs_no_code_and_renewing_its_source_does(
    world: World, sts: StrictSts, phone: MfaDevice
) -> None:
    """--refresh renews what is named; the MFA session is renewed, and cleared, with the profile of the keys."""
    world.run("-t", phone.code(), "dev", "true")
    old = world.run("base", *KEY_ID).key_id

    refreshed = world.run("--refresh", "dev", "true")
    cleared = world.run("clear", "dev")
    after = world.run("dev", "true")
    renewed = world.run("--refresh", "-t", phone.code(time.time() + 30), "base", *KEY_ID)
    forgotten = world.run("clear", "base")
    requested = world.run("ops", "true")

    assert (refreshed.code, after.code) == (0, 0), (refreshed, after)
    assert "deleted 1 session of dev" in cleared.err and "awsudo clear base" in cleared.err
    assert renewed.key_id != old
    assert forgotten.err == "awsudo: deleted 1 session of base\n"
    assert requested.code == 125 and "no terminal" in requested.err
    assert counted(sts) == {"GetSessionToken": 2, "AssumeRole": 3}


def test_clearing_the_keys_forgets_every_session_behind_their_code(world: World, phone: MfaDevice) -> None:
    """However long it was to last and whoever named the device: what came of these keys goes with their profile."""
    world.run("--mfa-session-duration", "2h", "-t", phone.code(), "dev", "true")

    done = world.run("clear", "base")

    assert done.err == "awsudo: deleted 1 session of base\n"
    assert "no terminal" in world.run("ops", "true").err


@needs("faketime")
@pytest.mark.parametrize(("hours", "code"), [(11, 0), (13, 125)])
def test_the_code_lasts_as_long_as_its_session(
    world: World, phone: MfaDevice, sts: StrictSts, hours: int, code: int
) -> None:
    """Eleven hours later the role is assumed anew without a code; thirteen hours later the terminal is asked."""
    world.run("-t", phone.code(), "dev", "true")
    now = sts.clock()
    sts.clock = lambda: now + hours * 3600

    later = world.run("dev", "true", prefix=("faketime", "-f", f"+{hours}h"))

    assert later.code == code, later.err
    assert sts.count("AssumeRole") == (2 if code == 0 else 1)


@pytest.mark.parametrize(
    ("words", "env", "config", "seconds"),
    [
        ((), {}, "", "43200"),
        ((), {}, "mfa_session_duration = 8h\n", "28800"),
        ((), {"AWSUDO_MFA_SESSION_DURATION": "2h"}, "mfa_session_duration = 8h\n", "7200"),
        (("--mfa-session-duration", "36h"), {"AWSUDO_MFA_SESSION_DURATION": "2h"}, "", "129600"),
    ],
)
def test_how_long_one_code_serves_is_the_users_to_say(
    world: World,
    sts: StrictSts,
    phone: MfaDevice,
    words: tuple[str, ...],
    env: dict[str, str | None],
    config: str,
    seconds: str,
) -> None:
    """Twelve hours, or what option, variable and profile say, in that order."""
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("[profile base]\n", f"[profile base]\n{config}"))

    done = world.run(*words, "-t", phone.code(), "dev", "true", env=env)

    assert done.code == 0, done.err
    assert sts.calls[0].params["DurationSeconds"] == seconds


@pytest.mark.parametrize(
    ("words", "config", "output"),
    [
        (("--mfa-session-duration", "14m"), "", "--mfa-session-duration: a session lasts 900 s"),
        (("--mfa-session-duration", "37h"), "", "129600 s (36h)"),
        ((), "mfa_session_duration = 37h", "mfa_session_duration of profile base"),
        ((), "mfa_per_role = perhaps", "mfa_per_role of profile base"),
        (("--mfa-serial", "arn:aws:iam::111111111111:u2f/user/alice/key"), "", "security key (FIDO)"),
    ],
)
def test_an_impossible_request_is_reported_before_a_code_is_prompted_for(
    world: World, sts: StrictSts, phone: MfaDevice, words: tuple[str, ...], config: str, output: str
) -> None:
    """Limits and hardware that STS does not know are reported with the place that sets them."""
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("[profile base]\n", f"[profile base]\n{config}\n"))

    done = world.run(*words, "-t", "123456", "dev", "true")

    assert done.code in (2, 125) and output in done.err
    assert sts.calls == []


@pytest.mark.parametrize(
    ("words", "env", "config", "why"),
    [
        (("--mfa-per-role",), {}, "", "--mfa-per-role is set"),
        ((), {"AWSUDO_MFA_PER_ROLE": "1"}, "", "AWSUDO_MFA_PER_ROLE is set"),
        ((), {}, "mfa_per_role = true\n", "mfa_per_role of profile base"),
        (("-d", "2h"), {}, "", "7200 s is more than the 1h"),
    ],
)
def test_verbose_explains_a_code_that_must_go_with_the_role(
    world: World,
    sts: StrictSts,
    phone: MfaDevice,
    words: tuple[str, ...],
    env: dict[str, str | None],
    config: str,
    why: str,
) -> None:
    """More than an hour cannot be had from a session, and who wants a code for each role gets it."""
    sts.add_role(f"{ROLE}dev", mfa_required=True, max_session=7200)
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("[profile base]\n", f"[profile base]\n{config}"))

    done = world.run("-v", *words, "-t", phone.code(), "dev", "true", env=env)

    assert done.code == 0 and why in done.err, done.err
    assert counted(sts) == {"AssumeRole": 1}
    assert sts.calls[0].params["SerialNumber"] == PHONE


OTHER = "arn:aws:iam::111111111111:mfa/other"


@pytest.mark.parametrize(
    ("words", "env", "config", "serial"),
    [
        (("dev",), {}, "[profile base]\nmfa_serial = {phone}\n", PHONE),
        (("-p", "base", f"{ROLE}dev"), {}, "[profile base]\nmfa_serial = {phone}\n", PHONE),
        ((f"{ROLE}dev",), {"AWS_PROFILE": "base"}, "[profile base]\nmfa_serial = {phone}\n", PHONE),
        (("dev",), {"AWSUDO_MFA_SERIAL": OTHER}, "[profile base]\nmfa_serial = {phone}\n", OTHER),
        (("-m", PHONE, "dev"), {"AWSUDO_MFA_SERIAL": OTHER}, "", PHONE),
        (("-m", PHONE, "far"), {}, "[profile far]\nrole_arn = {role}ops\nsource_profile = dev\n", PHONE),
        (("mine",), {}, "[profile base]\nmfa_serial = {other}\n[profile mine]\nrole_arn = {role}dev\nsource_profile = base\nmfa_serial = {phone}\n", PHONE),
    ],
    ids=["source", "source of a role", "ambient", "variable", "option", "option with a chain", "role"],
)  # fmt: skip
def test_the_device_is_the_requested_one_or_the_roles_or_the_sources(
    world: World, sts: StrictSts, words: tuple[str, ...], env: dict[str, str | None], config: str, serial: str
) -> None:
    """An option wins over its variable, that over profiles; a bare role has the device of the keys it starts from."""
    sts.add_mfa("alice", PHONE)
    sts.add_mfa("alice", OTHER)
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text() + config.format(phone=PHONE, other=OTHER, role=ROLE))

    world.run(*words, "true", env={"AWSUDO_MFA_CODE": "000000", **env})

    assert [(call.action, call.params["SerialNumber"]) for call in sts.calls] == [("GetSessionToken", serial)]


# -- the prompt


def test_a_wrong_code_is_reported_and_prompted_for_again(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """The refusal stands above the next question, and the right code continues the run."""
    with terminal(world, "dev", *WHO) as spawned:
        spawned.expect_exact(ASKED)
        spawned.sendline("000000")
        spawned.expect_exact(f"awsudo: {messages.THAT_CODE_REFUSED}; {messages.CODE_WORKS_ONCE}")
        spawned.expect_exact(ASKED)
        spawned.sendline(phone.code())
        done = spawned.ended()

    assert done.code == 0 and f"as={ROLE}dev=ASIA" in done.out
    assert sts.count("GetSessionToken") == 2


def test_three_codes_are_prompted_for_and_no_more(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """After the third refusal: 125, the text of AWS, and what to check."""
    with terminal(world, "dev", "true") as spawned:
        for code in ("000000", "000001", "000002"):
            spawned.expect_exact(ASKED)
            spawned.sendline(code)
        done = spawned.ended()

    assert done.code == 125 and messages.CODE_REFUSED in done.out and "clock of the device" in done.out
    assert counted(sts) == {"GetSessionToken": 3}


def test_a_code_that_another_run_used_is_prompted_for_again(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """The same six digits a moment later are refused by STS, and the next ones are taken."""
    code = phone.code()
    assert world.run("--no-cache", "-t", code, "dev", "true").code == 0

    with terminal(world, "dev", "true") as spawned:
        spawned.expect_exact(ASKED)
        spawned.sendline(code)
        spawned.expect_exact(messages.THAT_CODE_REFUSED)
        spawned.expect_exact(ASKED)
        spawned.sendline(phone.code(time.time() + 30))
        done = spawned.ended()

    assert done.code == 0
    assert sts.count("GetSessionToken", ok=False) == 1


def test_an_invalid_or_used_code_costs_no_call(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """An empty line, words, five digits, the code that was just refused: asked again, and STS does not hear of it."""
    with terminal(world, "dev", "true") as spawned:
        spawned.expect_exact(ASKED)
        spawned.sendline("000000")
        spawned.expect_exact(ASKED)
        for typed, output in (
            ("", "six digits"),
            ("yes", "six digits"),
            ("12345", "six digits"),
            ("000000", "already sent"),
        ):
            spawned.sendline(typed)
            spawned.expect_exact(output)
            spawned.expect_exact(ASKED)
        spawned.sendline(f" {phone.code()[:3]} {phone.code()[3:]} ")  # as apps show it
        done = spawned.ended()

    assert done.code == 0
    assert counted(sts) == {"GetSessionToken": 2, "AssumeRole": 1}


def test_a_code_of_another_users_device_is_not_prompted_for_again(
    world: World, sts: StrictSts, phone: MfaDevice
) -> None:
    """No other code would help: the serial is named, and where to find the right one."""
    with terminal(world, "-m", OTHER, "dev", "true") as spawned:
        spawned.expect_exact(f"MFA code of {OTHER} for profile base: ")
        spawned.sendline("123456")
        done = spawned.ended()

    assert (
        done.code == 125 and f"{OTHER} is not an MFA device of the user" in done.out and "awsudo keys mfa" in done.out
    )
    assert counted(sts) == {"GetSessionToken": 1}


@pytest.mark.parametrize("key", ["c", "d"], ids=["Ctrl-C", "end of file"])
@pytest.mark.parametrize("way", ["the terminal", "a program that hides what is typed"])
def test_a_cancelled_code_prompt_exits_130_and_restores_the_terminal(
    world: World, sts: StrictSts, phone: MfaDevice, key: str, way: str
) -> None:
    """Ctrl-C or Ctrl-D at the question: 130, no traceback, no call, and the terminal shows again what one types."""
    process = ""
    if way != "the terminal":
        program(world, "asks", "stty -echo; printf 'PIN: ' >&2; read -r pin || exit 130; echo $pin")
        process = "--mfa-process asks"
    with _shell(world, f"trap : INT; '{AWSUDO}' {process} dev true; echo code=$?; stty -a") as shell:
        shell.expect_exact("PIN: " if process else ASKED)
        shell.sendcontrol(key)
        output = shell.ended().out

    assert "code=130" in output and "Traceback" not in output
    assert re.search(r"[ ;]echo\b", output), output
    assert sts.calls == []


def test_the_question_is_answered_on_the_terminal_and_stdin_stays_the_commands(world: World, phone: MfaDevice) -> None:
    """A megabyte on stdin, stdout and stderr elsewhere: the prompt is on the terminal, the command gets every byte."""
    line = f"head -c 1000000 /dev/zero | '{AWSUDO}' dev wc -c >out 2>err"
    with _shell(world, line) as shell:
        shell.expect_exact(ASKED)
        shell.sendline(phone.code())
        shell.expect(pexpect.EOF)

    assert (world.home / "out").read_text().strip() == "1000000"
    assert (world.home / "err").read_text() == ""


def test_without_a_terminal_the_other_ways_are_named(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """No terminal, no code: one line, and the four ways to give it."""
    done = world.run("dev", "true", prefix=("setsid", "-w"))

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert done.err.startswith("awsudo: no terminal to prompt for MFA code of ")
    for way in ("--mfa-code CODE", "AWSUDO_MFA_CODE", "--mfa-code -", "mfa_process"):
        assert way in done.err


# -- a code that is given


@pytest.mark.parametrize("way", ["option", "variable", "stdin"])
def test_a_code_that_was_given_is_tried_once(world: World, sts: StrictSts, phone: MfaDevice, way: str) -> None:
    """It opens the role; a wrong one is an error that says so, not a question, and nothing is resent."""
    words: dict[str, tuple[str, ...]] = {"option": ("-t", "{}"), "variable": (), "stdin": ("--mfa-code", "-")}

    def run(code: str) -> Done:
        env: dict[str, str | None] = {"AWSUDO_MFA_CODE": code} if way == "variable" else {}
        return world.run(*(word.format(code) for word in words[way]), "dev", "true", env=env, stdin=f"{code}\n")

    wrong, right = run("000000"), run(phone.code())

    assert wrong.code == 125 and messages.CODE_REFUSED in wrong.err and "wait for the next" in wrong.err
    assert right.code == 0, right.err
    assert counted(sts) == {"GetSessionToken": 2, "AssumeRole": 1}


@pytest.mark.parametrize("times", [1, 2], ids=["cold", "kept"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_code_on_stdin_is_one_line_and_the_rest_is_the_commands(
    world: World, phone: MfaDevice, times: int, end: str
) -> None:
    """Whether the code was needed or not, the command finds the same on stdin."""
    rest = b"second\n" + bytes(1_000_000)

    for _ in range(times):
        done = world.run("--mfa-code", "-", "dev", "cat", stdin=f"{phone.code()}{end}".encode() + rest)

    assert done.code == 0 and done.out.encode() == rest, done.err


@pytest.mark.parametrize(
    ("stdin", "output"),
    [
        (b"", messages.NO_LINE_ON_STDIN),
        (b"12345\n", "--mfa-code - (stdin): an MFA code has six digits"),
        (b"\xff" * 70, "six digits"),
    ],
)
def test_a_stdin_without_a_code_is_reported(
    world: World, sts: StrictSts, phone: MfaDevice, stdin: bytes, output: str
) -> None:
    """Nothing runs on a guess: what was promised on stdin and is not there is a usage error."""
    done = world.run("--mfa-code", "-", "dev", "true", stdin=stdin)

    assert (done.code, sts.calls) == (2, []) and output in done.err


def test_a_closed_stdin_is_reported(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """No descriptor 0, no traceback."""
    done = world.run("--mfa-code", "-", "dev", "true", prefix=("sh", "-c", 'exec "$@" <&-', "sh"))

    assert (done.code, sts.calls) == (2, []) and messages.NO_LINE_ON_STDIN in done.err


def test_a_second_call_gets_no_code_that_the_first_has_spent(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """A chain with two devices takes two codes: the one given goes to the first, the terminal is asked for the other."""
    path = world.home / ".aws" / "config"
    path.write_text(
        f"{path.read_text()}[profile far]\nrole_arn = {ROLE}far\nsource_profile = a\nmfa_serial = {OTHER}\n"
    )

    done = world.run("-t", phone.code(), "far", "true")

    assert done.code == 125 and f"MFA code of {OTHER} for profile far alone" in done.err
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 1}


@pytest.mark.parametrize("fault", ["empty", "html", "503", "hang"])
def test_a_code_is_not_resent_where_the_answer_was_lost(
    world: World, sts: StrictSts, phone: MfaDevice, fault: str
) -> None:
    """One call, whatever became of its answer; and the hint that the code may be spent."""
    sts.fail_next(fault)

    done = world.run("-t", phone.code(), "dev", "true")

    assert done.code == 125 and "the MFA code may be spent" in done.err, done.err
    assert counted(sts) == {"GetSessionToken": 1}


def test_a_code_that_was_not_sent_is_not_called_used(world: World, phone: MfaDevice) -> None:
    """Nobody took the connection: the same code is as good as before."""
    done = world.run("-t", phone.code(), "dev", "true", env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})

    assert done.code == 125 and "spent" not in done.err


def test_the_code_does_not_reach_the_command(world: World, phone: MfaDevice) -> None:
    """An awsudo inside would send it once more."""
    env: dict[str, str | None] = {"AWSUDO_MFA_CODE": phone.code()}

    runs = [world.run("dev", *PRINT_ENV, env=env) for _ in range(2)]

    assert [run.code for run in runs] == [0, 0]
    assert not any("AWSUDO_MFA_CODE" in run.env for run in runs)
    assert "unset AWSUDO_MFA_CODE" in world.run("export", "--unset", "--format", "sh").out


# -- a program that prints the code


@pytest.mark.parametrize("way", ["option", "variable", "source", "role"])
def test_a_program_gives_the_code(world: World, sts: StrictSts, phone: MfaDevice, way: str) -> None:
    """ykman, pass-otp, op: named by option, variable, the role's profile, else its source's."""
    program(world, "code", f"echo {phone.code()}")
    command = 'code "a b" \'$HOME\' "*"'
    path = world.home / ".aws" / "config"
    section = {"source": "[profile base]\n", "role": "[profile dev]\n"}.get(way, "")
    if section:
        path.write_text(path.read_text().replace(section, f"{section}mfa_process = {command}\n"))
    words = ("--mfa-process", command) if way == "option" else ()

    done = world.run(*words, "dev", "true", env={"AWSUDO_MFA_PROCESS": command} if way == "variable" else {})

    assert (done.code, done.err) == (0, "")
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 1}


def test_its_words_are_parted_as_written_and_no_shell_reads_them(world: World, phone: MfaDevice) -> None:
    """Quotes part words, and nothing is expanded; it does not see a code that is in the environment."""
    program(world, "code", f'printf "%s|" "$@" "${{AWSUDO_MFA_CODE-none}}" >told; echo {phone.code()}')

    done = world.run("--mfa-process", 'code "a b" \'$HOME\' "*" ; true', "dev", "true", env={"AWSUDO_MFA_CODE": ""})

    assert done.code == 0, done.err
    assert (world.home / "told").read_text() == "a b|$HOME|*|;|true|none|"


@pytest.mark.parametrize("text", ["{}", "{}\\n\\n", "Amazon Web Services:alice@work  {}", "touch your key\\n{}"])
def test_a_code_at_the_end_of_a_line_is_one(world: World, phone: MfaDevice, text: str) -> None:
    """Alone, or behind the account's name, as ykman prints it."""
    program(world, "code", f"printf '{text.format(phone.code())}'")

    assert world.run("--mfa-process", "code", "dev", "true").code == 0


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("echo no touch >&2; exit 3", "--mfa-process failed with exit code 3"),
        ("echo 5318008x", "--mfa-process printed no code"),
        ("echo 0 531800 8", "--mfa-process printed no code"),
        ("true", "--mfa-process printed no code"),
        ("echo one 531800; echo two 531801", "--mfa-process printed more than one code"),
        (
            "printf '\\377\\376 \\331\\241\\331\\242\\331\\243\\331\\244\\331\\245\\331\\246'",
            "--mfa-process printed no code",
        ),
    ],
)
def test_a_program_that_gives_no_code_is_named_and_not_quoted(
    world: World, sts: StrictSts, phone: MfaDevice, body: str, output: str
) -> None:
    """Its stdout could be a secret; its stderr stands above."""
    program(world, "code", body)

    done = world.run("--mfa-process", "code", "dev", "true")

    assert (done.code, sts.calls) == (125, []) and output in done.err
    assert "53180" not in done.err
    assert "no touch" in done.err or "exit 3" not in body


def test_a_program_from_a_variable_is_reported_with_the_variable(world: World, phone: MfaDevice) -> None:
    """Whoever reads the error must find the line to mend."""
    program(world, "code", "true")

    done = world.run("dev", "true", env={"AWSUDO_MFA_PROCESS": "code"})

    assert done.code == 125 and "AWSUDO_MFA_PROCESS printed no code" in done.err


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("no-such-program -x", "no-such-program: No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("'open", "it cannot be parsed"),
    ],
)
def test_a_program_that_cannot_run_is_reported_with_its_file_and_line(
    world: World, sts: StrictSts, phone: MfaDevice, command: str, output: str
) -> None:
    """The profile key, the file, and why."""
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("[profile base]\n", f"[profile base]\nmfa_process = {command}\n"))

    done = world.run("dev", "true")

    assert (
        (done.code, sts.calls) == (125, [])
        and f"mfa_process of profile base ({path})" in done.err
        and output in done.err
    )


def test_a_program_may_ask_on_the_terminal_and_leaves_stdin_alone(world: World, phone: MfaDevice) -> None:
    """Its question and its answer are on the terminal, the command's stdin and stdout go elsewhere."""
    program(world, "asks", "printf 'PIN: ' >&2; read -r pin; test $pin = 4711 && cat codes")
    (world.home / "codes").write_text(f"{phone.code()}\n")
    with _shell(world, f"echo data | '{AWSUDO}' --mfa-process asks dev cat >out") as shell:
        shell.expect_exact("PIN: ")
        shell.sendline("4711")
        shell.expect(pexpect.EOF)

    assert (world.home / "out").read_text() == "data\n"


def test_a_program_that_waits_for_a_touch_can_be_interrupted(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """It is not hurried; Ctrl-C ends it and awsudo, by SIGINT."""
    program(world, "touch-me", "echo touch your key >&2; exec sleep 600")
    with terminal(world, "--mfa-process", "touch-me", "dev", "true") as spawned:
        spawned.expect_exact("touch your key")
        spawned.sendintr()
        done = spawned.ended()

    assert done.code == -signal.SIGINT and "Traceback" not in done.out
    assert sts.calls == []


def test_the_refused_code_of_a_program_is_not_retried(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """It would print the same: one call, and the advice to wait for the next code."""
    done = world.run("--mfa-process", "echo 000000", "dev", "true")

    assert done.code == 125 and messages.NEXT_CODE in done.err
    assert counted(sts) == {"GetSessionToken": 1}


# -- who waits


@pytest.mark.parametrize("before", [(), ("--mfa-session-duration", "2h")], ids=["one session", "two sessions"])
def test_a_run_behind_a_prompt_reports_it_and_prompts_when_that_one_is_cancelled(
    world: World, sts: StrictSts, phone: MfaDevice, before: tuple[str, ...]
) -> None:
    """Another terminal, another role: after two seconds a notice names whose code it is; Ctrl-C there, and the prompt is here.

    Also where it is another session of the device: a code that is typed twice at once is refused once.
    """
    with terminal(world, "dev", *WHO) as first:
        first.expect_exact(ASKED)
        with terminal(world, *before, "ops", *WHO) as second:
            asked_too = (
                second.expect_exact([ASKED, "waiting for another awsudo that is prompting for an MFA code"]) == 0
            )
            first.sendintr()
            gave_up = first.ended()
            second.expect_exact(ASKED)
            second.sendline(phone.code())
            done = second.ended()

    assert not asked_too
    assert gave_up.code == -signal.SIGINT and done.code == 0
    assert f"as={ROLE}ops=ASIA" in done.out
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 1}


def test_a_wrong_code_is_not_the_answer_of_those_who_wait(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """Who has a right code of its own gives it, though another's was refused while it waited."""
    sts.delay = 1.0
    wrong = world.start("-t", "000000", "dev", "true")
    until(lambda: sts.count("GetSessionToken") == 1, "the first code is on its way")

    right = world.run("-t", phone.code(), "dev", "true")

    assert Done.of(wrong).code == 125
    assert right.code == 0, right.err
    assert not world.entries("rejected")


@pytest.mark.parametrize("here", [True, False], ids=["the same terminal", "another terminal"])
def test_patience_with_a_prompt_has_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str], here: bool) -> None:
    """Five minutes for a person, where a call has less than one. Only a user who does not see the question gets a notice."""
    slept: list[float] = []
    store = FileStore(str(tmp_path / "cache"))
    lock = store.lock(digest("name"))
    assert lock.try_acquire()
    lock.sign(str(os.getsid(0) + (0 if here else 1)))
    run = Run(Terminal(), time.time, slept.append, 0.0)
    wait = Wait("asking for a code", prompts=True)

    with pytest.raises(AwsudoError, match="asking for a code for 300 s"):
        in_turn(store, run, digest("name"), wait, lambda: pytest.fail("not our turn"))

    assert PROMPT_GIVEN_UP_AFTER <= sum(slept) < PROMPT_GIVEN_UP_AFTER + 1
    assert PROMPT_GIVEN_UP_AFTER > GIVE_UP_AFTER
    output = "" if here else "awsudo: waiting for another awsudo that is asking for a code\n"
    assert capsys.readouterr().err == output


def test_in_the_background_nothing_prompts_and_nothing_blocks(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """A job that would stop at the question ends with a line instead: the one in the foreground asks at once."""
    interactive = ["bash", "--norc", "--noprofile", "-i"]
    with PseudoTerminal(interactive, env=world.environ({"PS1": "$ "}), cwd=world.home) as shell:
        shell.expect_exact("$ ")
        shell.sendline(f"'{AWSUDO}' dev true & wait; '{AWSUDO}' ops sh -c 'echo as=$AWSUDO_ROLE_ARN'")
        shell.expect_exact("cannot prompt in the background for MFA code of")
        shell.expect_exact(ASKED)
        shell.sendline(phone.code())
        shell.expect_exact(f"as={ROLE}ops")

    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 1}


# -- sources


def test_a_credential_process_that_gives_keys_has_one_code_for_all(
    world: World, sts: StrictSts, phone: MfaDevice
) -> None:
    """Keys that a program hands out are guarded like those of a file."""
    words = (world.home / ".aws" / "credentials").read_text().split()
    keys = {"Version": 1, "AccessKeyId": words[3], "SecretAccessKey": words[6]}
    (world.home / "keys").write_text(json.dumps(keys))
    world.credentials(f"[base]\ncredential_process = cat {world.home}/keys\n")

    first = world.run("-t", phone.code(), "dev", "true")
    others = [world.run(name, "true") for name in ("ops", "base")]

    assert [done.code for done in (first, *others)] == [0, 0, 0], (first, *others)
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 2}


def test_keys_in_the_environment_are_guarded_by_the_device_that_is_named(
    world: World, sts: StrictSts, phone: MfaDevice
) -> None:
    """No profile says it, so option or variable do; two roles, one code."""
    words = (world.home / ".aws" / "credentials").read_text().split()
    world.env |= {"AWS_ACCESS_KEY_ID": words[3], "AWS_SECRET_ACCESS_KEY": words[6], "AWSUDO_MFA_SERIAL": PHONE}
    with terminal(world, f"{ROLE}dev", "true") as spawned:
        spawned.expect_exact(f"MFA code of {PHONE} for the keys of the environment: ")
        spawned.sendline(phone.code())
        first = spawned.ended()

    second = world.run("-v", f"{ROLE}ops", "true")

    assert (first.code, second.code) == (0, 0), second.err
    assert counted(sts) == {"GetSessionToken": 1, "AssumeRole": 2}
    assert "profile None" not in second.err


# -- refusals


@pytest.mark.parametrize(
    "reason", ["", " with an explicit deny in an identity-based policy"], ids=["no reason", "a policy of the caller"]
)
def test_a_refusal_after_an_mfa_session_prints_how_to_give_a_new_code(
    world: World, sts: StrictSts, phone: MfaDevice, reason: str
) -> None:
    """aws:MultiFactorAuthAge, or a policy that denies sessions: the two ways out are named."""
    world.run("-t", phone.code(), "base", "true")
    sts.refuse_with(
        "AccessDenied", f"User: alice is not authorized to perform: sts:AssumeRole on resource: {ROLE}dev{reason}"
    )

    done = world.run("dev", "true")

    assert done.code == 125
    assert "--mfa-per-role" in done.err and "awsudo clear base" in done.err and "--mfa-serial" not in done.err


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_an_mfa_session_that_aws_refuses_suggests_clear(
    world: World, sts: StrictSts, phone: MfaDevice, code: str
) -> None:
    """Nothing is wrong with the keys: a new code mends it."""
    world.run("-t", phone.code(), "base", "true")
    sts.refuse_with(code, "The security token included in the request is not one.")

    done = world.run("dev", "true")

    assert done.code == 125 and "for a new one, awsudo clear base" in done.err


def test_a_refusal_without_a_device_says_how_to_name_one(world: World, sts: StrictSts) -> None:
    """A role that wants MFA does not say so: it is on the list, with the way to find the device."""
    sts.add_role(f"{ROLE}dev", mfa_required=True)

    done = world.run("dev", "true")

    assert done.code == 125 and "--mfa-serial ARN; find yours: awsudo keys mfa" in done.err


# -- secrets


@needs("strace")
def test_a_code_is_in_no_output_no_argument_and_no_file(world: World, sts: StrictSts, phone: MfaDevice) -> None:
    """Typed, from a variable, from stdin, from a program, right or wrong, at -v: nobody else gets to see it."""
    at = time.time()
    phone.clock = lambda: at  # the first code would soon be too old
    codes = [phone.code(at + drift) for drift in (-30, 0, 30)]
    program(world, "code", f"cat {world.home}/code.txt")
    (world.home / "code.txt").write_text(f"{codes[1]}\n")
    trace = world.root / "trace"
    strace = ("strace", "-f", "-qq", "-s", "100000", "-e", "trace=execve", "-o", str(trace))
    output, calls = "", ""
    runs: list[tuple[tuple[str, ...], dict[str, str | None], str]] = [
        (("-v", "dev"), {"AWSUDO_MFA_CODE": codes[0]}, ""),
        (("-v", "--refresh", "--mfa-code", "-", "base"), {}, f"{codes[2]}\n"),
        (("-v", "--no-cache", "--mfa-process", "code", "dev"), {}, ""),
        (("-v", "--no-cache", "--mfa-process", "code", "dev"), {}, ""),
    ]
    for words, env, stdin in runs:
        done = world.run(*words, "env", env=env, stdin=stdin, prefix=strace)
        output += re.sub(r"(?m)^AWS_.*$", "", done.out) + done.err
        calls += trace.read_text()
    (world.home / "code.txt").unlink()

    assert sts.count("GetSessionToken", ok=True) == 3 and sts.count("GetSessionToken", ok=False) == 1, output
    assert "execve" in calls
    for code in codes:
        assert code not in output
        assert code not in calls
        found = [path for path in world.root.rglob("*") if path.is_file() and code.encode() in path.read_bytes()]
        assert found == []


def test_the_prompt_shows_what_is_typed_and_no_process_has_it_as_a_word(world: World, phone: MfaDevice) -> None:
    """A code is worthless once it is used, and people want to see their typos; /proc shows what the user typed, no more."""
    with terminal(world, "dev", "sleep", "30") as spawned:
        spawned.expect_exact(ASKED)
        code = phone.code()
        spawned.sendline(code)
        spawned.expect_exact(code)
        until(lambda: b"sleep\x0030" in Path(f"/proc/{spawned.pid}/cmdline").read_bytes(), "the command runs")
        words = Path(f"/proc/{spawned.pid}/cmdline").read_bytes()

    assert code.encode() not in words
