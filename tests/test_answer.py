"""Questions without a terminal: they wait for awsudo answer on another one, and go with their run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from awsudo_py.sessions.questions import Asker, Waiting, give
from tests import messages
from tests.conftest import needs
from tests.screens import PseudoTerminal, terminal
from tests.servers.sso import Sso
from tests.servers.strict_sts import MfaDevice, StrictSts
from tests.world import AWSUDO, Running, World, open_files, until

WHO = ("sh", "-c", "echo as=$AWSUDO_TARGET")


@pytest.fixture(autouse=True)
def _guarded(world: World) -> None:
    """The profile dev asks before each command."""
    world.config(
        "[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\nregion = eu-west-1\n"
        "awsudo_confirm = true\n"
    )


@contextmanager
def detached(world: World, *words: str, env: dict[str, str | None] | None = None) -> Iterator[Running]:
    """A run without a terminal."""
    run = world.start(*words, env=env, session=True)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()


@contextmanager
def waiting(world: World, *words: str, env: dict[str, str | None] | None = None) -> Iterator[Running]:
    """A run without a terminal, once its question is there."""
    with detached(world, *words, env={"AWSUDO_WAIT": "2m", **(env or {})}) as run:
        until(lambda: bool(questions(world)) or run.poll() is not None, "a question is there")
        yield run


def questions(world: World) -> list[str]:
    """The files of the questions that wait."""
    place = world.cache / "questions"
    return sorted(name for name in os.listdir(place) if not name.endswith(".tmp")) if place.is_dir() else []


def answering(world: World, *words: str) -> PseudoTerminal:
    """Awsudo answer on a terminal of its own."""
    return terminal(world, "answer", *words)


def test_a_confirmation_is_given_on_another_terminal(world: World, sts: StrictSts) -> None:
    """The question shows who asks; the answer goes to that run, and the question is gone with it."""
    with waiting(world, "dev", *WHO) as run:
        (name,) = questions(world)
        path = world.cache / "questions" / name
        modes = (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
        with answering(world) as other:
            other.expect_exact("Type dev (the target) to continue, or press Enter to stop: ")
            before, calls = other.before, len(sts.calls)
            other.sendline("dev")
            other.expect_exact(f"sent to pid {run.pid}")
        out, err = run.communicate(timeout=30)

    assert f"pid {run.pid}" in before and "awsudo dev sh -c" in before and "dev in 111111111111, eu-west-1" in before
    assert modes == (0o600, 0o700) and calls == 0
    assert (run.returncode, out) == (0, "as=dev\n")
    assert err.startswith("awsudo: waiting for a confirmation; on another terminal") and "awsudo answer   (2m)" in err
    assert questions(world) == []


def test_enter_refuses_and_ends_the_run(world: World, sts: StrictSts) -> None:
    """A refusal is exit code 125 for the run, before any call."""
    with waiting(world, "--wait", "1m", "dev", *WHO, env={"AWSUDO_WAIT": None}) as run:
        with answering(world) as other:
            other.expect_exact("to continue")
            other.sendline("")
            other.expect_exact(f"refused pid {run.pid}")
        out, err = run.communicate(timeout=30)

    assert (run.returncode, out) == (125, "") and messages.REFUSED_BY_ANSWER in err
    assert sts.calls == []


def test_one_of_several_is_picked_and_gets_its_mfa_code(world: World, sts: StrictSts) -> None:
    """The list has each question with its kind and its run; the code goes to the run that was picked."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    code = phone.code()
    with waiting(world, "dev", *WHO):
        with waiting(world, "-m", phone.serial, "base", "sh", "-c", "echo as=base") as run:
            until(lambda: len(questions(world)) == 2)
            listed = [json.loads(world.run("answer", "--json").out), world.run("answer", "--list").out]
            with answering(world) as other:
                other.expect_exact("Answer which? A number, or all [1]: ")
                other.sendline("2")
                other.expect_exact(f"MFA code of {phone.serial}")
                other.sendline(code)
                other.expect_exact(f"sent to pid {run.pid}")
            out, err = run.communicate(timeout=30)
        left = questions(world)

    assert (run.returncode, out) == (0, "as=base\n"), err
    assert [each["kind"] for each in listed[0]] == ["confirmation", "MFA code"] and f"pid {run.pid}" in listed[1]
    assert len(left) == 1


def test_one_answer_serves_all_runs_that_need_the_same_code(world: World, sts: StrictSts) -> None:
    """Fifty runs behind one device leave one question; its answer ends the waiting of all."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    world.env["AWSUDO_WAIT"] = "2m"
    with ThreadPoolExecutor(1) as pool:
        crowd = pool.submit(world.together, *[("-m", phone.serial, "base", "echo", "got")] * 50)
        until(lambda: bool(questions(world)), "a question is there")
        with answering(world) as other:
            other.expect_exact(f"MFA code of {phone.serial}")
            other.sendline(phone.code())
            other.expect_exact("sent to pid")
        done = crowd.result(timeout=120)

    assert [(each.code, each.out) for each in done] == [(0, "got\n")] * 50
    assert sum("waiting for an MFA code" in each.err for each in done) == 1
    assert [call.action for call in sts.calls] == ["GetSessionToken"]


@pytest.mark.parametrize("point", ["which", "code"])
def test_an_answerer_that_is_killed_leaves_the_question(world: World, sts: StrictSts, point: str) -> None:
    """Whoever answers next finds it: no answer was sent, and none is lost."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    with waiting(world, "dev", *WHO), waiting(world, "-m", phone.serial, "base", "sh", "-c", "echo as=base") as run:
        until(lambda: len(questions(world)) == 2)
        with answering(world) as first:
            first.expect_exact("Answer which?")
            if point == "code":
                first.sendline("2")
                first.expect_exact("MFA code of")
                first.send("12345")
            first.kill(signal.SIGKILL)
        with answering(world) as second:
            second.expect_exact("Answer which?")
            second.sendline("2")
            second.expect_exact("MFA code of")
            second.sendline(phone.code())
            second.expect_exact(f"sent to pid {run.pid}")
        out, err = run.communicate(timeout=30)

    assert (run.returncode, out) == (0, "as=base\n"), err


def test_of_two_answers_one_is_used(world: World, sts: StrictSts) -> None:
    """The second answerer learns that nothing was sent; the code went out once."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    words = ("-m", phone.serial, "base", "true")
    with waiting(world, *words) as run, answering(world) as first, answering(world) as second:
        for each in (first, second):
            each.expect_exact("MFA code of")
        first.sendline(phone.code())
        first.expect_exact("sent to pid")
        run.communicate(timeout=30)
        second.sendline(phone.code())
        second.expect_exact("does not wait any more: nothing was sent")

    assert (run.returncode, sts.count("GetSessionToken")) == (0, 1)


def test_the_question_of_a_killed_run_goes_away(world: World) -> None:
    """kill -9: the next look finds nobody listening, and removes what was left."""
    with waiting(world, "dev", *WHO) as run:
        run.kill()
        run.wait()
        listed = world.run("answer", "--json")

    assert (json.loads(listed.out), questions(world)) == ([], [])


def test_a_run_behind_a_question_waits_as_long_as_its_own_wait_allows(world: World, sts: StrictSts) -> None:
    """The run behind gives up after its two seconds, the one with the question goes on waiting."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    words = ("-m", phone.serial, "base", "true")
    with waiting(world, *words) as first:
        behind = world.run(*words, env={"AWSUDO_WAIT": "2s"})
        still = first.poll()

    assert behind.code == 125 and "another awsudo has been prompting for an MFA code" in behind.err
    assert still is None


def test_the_list_counts_waiting_questions(world: World) -> None:
    """On stderr, with the command that answers them."""
    with waiting(world, "dev", "true"):
        done = world.run("list")

    assert done.code == 0 and "1 question is waiting: awsudo answer" in done.err
    assert "waiting" not in world.run("list").err


def test_a_job_of_cron_is_answered_and_the_prompt_counts_the_questions(world: World) -> None:
    """Cron sets no XDG_RUNTIME_DIR, and a terminal does; who started the run, and why, is displayed."""
    assert world.run("prompt").out == ""
    with waiting(world, "dev", "true"), waiting(world, "dev", *WHO, env={"XDG_RUNTIME_DIR": None}) as job:
        until(lambda: len(json.loads(world.run("answer", "--json").out)) == 2)
        segment = world.run("prompt").out
        found = json.loads(world.run("answer", "--json").out)
        with answering(world) as other:
            other.expect_exact("all [1]: ")
            other.sendline(str(1 + [each["pid"] for each in found].index(job.pid)))
            other.expect_exact("press Enter to stop")
            displayed = other.before
            other.sendline("dev")
            other.expect_exact("sent to pid")
        out, err = job.communicate(timeout=20)

    assert segment == "1 waiting" and world.run("prompt", env={"XDG_RUNTIME_DIR": None}).out == ""
    assert (job.returncode, out) == (0, "as=dev\n"), err
    assert "started by " in displayed


def test_a_run_waits_so_long_and_no_longer(world: World) -> None:
    """The time is over: exit code 125, and the question is gone."""
    done = world.run("--wait", "1", "dev", "true")

    assert done.code == 125 and "no answer within 1s" in done.err
    assert questions(world) == []
    assert world.run("--wait", "long", "dev", "true").code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_run_that_waits(world: World, number: signal.Signals) -> None:
    """At once; what is left of a run that was killed is removed by whoever looks next."""
    with waiting(world, "dev", "true") as run:
        run.send_signal(number)
        run.communicate(timeout=20)

    assert run.returncode == -number
    assert (number != signal.SIGINT) or questions(world) == []
    assert world.run("answer", "--list").out == "" and questions(world) == []
    assert "no question is waiting" in world.run("answer").err


@pytest.mark.skipif(sys.platform != "linux", reason="looks the port up in /proc")
def test_answers_without_the_token_are_refused(world: World, sts: StrictSts) -> None:
    """Another user can reach the port, and not the file: what comes without the token is passed over."""
    with waiting(world, "dev", "true") as run:
        (port,) = (int(each) for each in _listening_ports(run.pid))
        for message in (b"0" * 32 + b" answer dev\n", b"\n", b"x" * 4096):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as other:
                other.sendall(b"1" * 32 + b"\n")
                assert len(other.recv(100)) == 65
                other.sendall(message)
                try:
                    answer = other.recv(10)
                except OSError:
                    answer = b""
                assert answer == b""
        still = run.poll() is None and len(questions(world)) == 1

    assert still and sts.calls == []


def test_no_answer_is_sent_to_another_program_on_the_port(world: World) -> None:
    """The port of a run that was killed can be anybody's: without proof that it has the token, it gets no answer."""
    heard = []

    def listen(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(1024))
            connection.sendall(b"0" * 64 + b"\n")
            heard.append(connection.recv(1024))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        received = give(Waiting("", port, "t" * 32, "MFA code", "", (), Asker("awsudo"), 1, 0.0, 1.0), "123456")
        thread.join(10)

    assert not received and len(heard) == 2 and heard[1] == b""
    assert b"123456" not in heard[0] and b"t" * 32 not in heard[0]


def test_a_refusal_ends_all_runs_that_need_the_same_code(world: World, sts: StrictSts) -> None:
    """No question comes after it: those that wait for the same session end with 125 too."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    words = ("-m", phone.serial, "base", "true")
    with waiting(world, *words) as first, waiting(world, *words) as second:
        assert second.stderr is not None
        assert any("waiting for another awsudo" in line for line in second.stderr)
        with answering(world) as other:
            other.expect_exact("Enter refuses")
            other.sendline("")
            other.expect_exact("refused pid")
        errors = [run.communicate(timeout=20)[1] for run in (first, second)]

    assert [first.returncode, second.returncode] == [125, 125]
    assert all(messages.REFUSED_BY_ANSWER in text for text in errors) and sts.calls == []
    assert "awsudo answer   (" not in errors[1]


@pytest.mark.parametrize(("words", "output"), [(("corp", *WHO), "as=corp\n"), (("login", "--wait", "1m", "corp"), "")])
def test_a_sign_in_goes_on_without_a_terminal_once_it_is_answered(
    words: tuple[str, ...], output: str, tmp_path: Path
) -> None:
    """The page and the code are on stderr, no page is opened on this machine, and the command runs."""
    (tmp_path / "sso").mkdir()
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntouch '{opened}'\n")
    browser.chmod(0o755)
    with Sso() as sso:
        sso.allow("222222222222", "Admin", "prod-data")
        world = World(tmp_path / "sso")
        world.env |= {**sso.environ, "BROWSER": str(browser)}
        world.config(
            "[profile corp]\nsso_session = corp\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
            "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
        )
        with waiting(world, *words) as run:
            with answering(world) as other:
                other.expect_exact("Sign in to corp")
                other.sendline("y")
                other.expect_exact("sent to pid")
            out, err = run.communicate(timeout=30)

    assert (run.returncode, out) == (0, output), err
    assert "/device" in err and not opened.exists()


def _listening_ports(pid: int) -> list[str]:
    """The TCP ports on which a process listens (Linux)."""
    inodes = {path[8:-1] for path in open_files(pid) if path.startswith("socket:[")}
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return [str(int(row[1].partition(":")[2], 16)) for row in rows if row[3] == "0A" and row[9] in inodes]


# a renewal beside a command


def short_sessions(world: World, sts: StrictSts) -> MfaDevice:
    """Let each session of dev need a code, and last twelve seconds."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    sts.add_role("arn:aws:iam::111111111111:role/dev", mfa_required=True)
    # behind by nearly the 15 minutes that a session has at least
    sts.clock = phone.clock = lambda: time.time() - (900 - 12)
    world.config(
        "[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\n"
        f"mfa_serial = {phone.serial}\nmfa_per_role = true\n"
    )
    return phone


def serve_words(phone: MfaDevice, script: str) -> tuple[str, ...]:
    """The words that run a script as dev, beside an endpoint."""
    return ("-d", "15m", "--mfa-code", phone.code(), "--serve", "dev", "sh", "-c", script)


#: Prints each session that the endpoint serves, until it is another one.
_FETCH = """\
fetch() { curl -s -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI" |
    sed -n 's/.*"AccessKeyId":"\\([A-Z0-9]*\\)".*/\\1/p'; }
"""
_TWO_SESSIONS = f"""{_FETCH}\
first=$(fetch); next=$first
while [ -z "$next" ] || [ "$next" = "$first" ]; do sleep 0.2; next=$(fetch); done
echo $first $next
"""


@needs("curl")
def test_a_renewal_asks_ahead_of_time_and_goes_on_with_the_answer(world: World, sts: StrictSts) -> None:
    """One line says when the session ends and what its renewal needs; the code of `awsudo answer` renews it."""
    phone = short_sessions(world, sts)
    with detached(world, *serve_words(phone, _TWO_SESSIONS)) as run:
        until(lambda: bool(questions(world)), "the renewal asks")
        (question,) = json.loads(world.run("answer", "--json").out)
        with answering(world) as other:
            other.expect_exact("MFA code of")
            other.sendline(phone.code(phone.clock() + 30))
            other.expect_exact("sent to pid")
        out, err = run.communicate(timeout=60)

    first, second = out.split()
    assert run.returncode == 0 and first != second, err
    assert (question["kind"], question["target"]) == ("MFA code", "dev")
    assert re.fullmatch(
        r"awsudo: the session of dev ends today \d\d:\d\d; its renewal needs this code", *question["about"]
    )
    assert re.findall(r"awsudo: the session of dev ends today \d\d:\d\d, and its renewal needs (.*)", err) == [
        "an MFA code: awsudo answer"
    ]
    assert sts.count("AssumeRole", ok=True) == 2


@needs("curl")
def test_a_program_answers_for_a_renewal(world: World, sts: StrictSts) -> None:
    """AWSUDO_ASKPASS gets the question with the end of the session above it."""
    phone = short_sessions(world, sts)
    requested, program = world.root / "asked", world.root / "askpass"
    program.write_text(f"#!/bin/sh\nprintf '%s' \"$1\" >{requested}\necho {phone.code(phone.clock() + 30)}\n")
    program.chmod(0o755)
    with detached(world, *serve_words(phone, _TWO_SESSIONS), env={"AWSUDO_ASKPASS": str(program)}) as run:
        out, err = run.communicate(timeout=60)

    first, second = out.split()
    assert run.returncode == 0 and first != second, err
    assert re.match(r"awsudo: the session of dev ends today .*\nMFA code of ", requested.read_text())


@needs("curl")
def test_an_endpoint_of_its_own_asks_on_its_terminal(world: World, sts: StrictSts) -> None:
    """`awsudo serve` has the terminal to itself: the prompt comes there, ahead of time."""
    phone = short_sessions(world, sts)
    words = ["-d", "15m", "--mfa-code", phone.code(), "serve", "dev", "--format", "dotenv"]
    with terminal(world, *words, size=(40, 300)) as spawned:
        spawned.expect_exact("to stop: Ctrl-C")
        printed = re.findall(r"^(AWS_CONTAINER_\w+)='?([^'\r\n]*)", spawned.before, re.MULTILINE)
        first = _fetched(world, dict(printed))
        spawned.expect(r"awsudo: the session of dev ends today \d\d:\d\d; its renewal needs this code")
        spawned.expect_exact("MFA code of")
        spawned.sendline(phone.code(phone.clock() + 30))
        until(lambda: _fetched(world, dict(printed)) not in ("", first), "the new session is served")
        spawned.sendintr()
        spawned.expect(pexpect.EOF)

    assert first and (spawned.exitstatus, questions(world)) == (0, [])


@needs("bash")
def test_ctrl_z_at_the_question_of_a_renewal_stops_the_endpoint(world: World, sts: StrictSts) -> None:
    """In an interactive shell: ^Z gives the terminal back, and fg asks again."""
    phone = short_sessions(world, sts)
    environ = world.environ({"PS1": "$ ", "TERM": "dumb", "HISTFILE": ""})
    spawned = pexpect.spawn("bash", ["--norc", "-i"], env=environ, encoding="utf-8", timeout=30)  # type: ignore[arg-type, unused-ignore]
    spawned.setwinsize(40, 300)
    try:
        spawned.sendline(f"{AWSUDO} -d 15m --mfa-code {phone.code()} serve dev --format dotenv")
        spawned.expect_exact("MFA code of")
        spawned.sendcontrol("z")
        spawned.expect("Stopped")
        # the process that stays, and the one that prompts: a person is slower than both
        until(lambda: sum(_state(pid) == "T" for pid in _in_session(spawned.pid)) == 2, "both have stopped")
        spawned.sendline("fg")
        spawned.expect_exact("MFA code of")
        spawned.sendline(phone.code(phone.clock() + 30))
        until(lambda: sts.count("AssumeRole", ok=True) == 2, "the session is renewed")
        spawned.sendintr()
        spawned.sendline("echo end=$?")
        spawned.expect("end=0")
    finally:
        spawned.close(force=True)


@needs("curl")
def test_ctrl_c_at_the_question_of_a_renewal_ends_the_endpoint(world: World, sts: StrictSts) -> None:
    """Nothing is left: neither the endpoint nor the process that prompts."""
    phone = short_sessions(world, sts)
    words = ["-d", "15m", "--mfa-code", phone.code(), "serve", "dev", "--format", "dotenv"]
    with terminal(world, *words) as spawned:
        spawned.expect_exact("MFA code of")
        spawned.sendintr()
        spawned.expect(pexpect.EOF)
        until(lambda: not _in_session(spawned.pid), "no process is left")

    assert spawned.exitstatus == 0


@needs("curl")
def test_a_sign_in_that_a_renewal_needs_waits_for_its_answer(tmp_path: Path) -> None:
    """The SSO session is signed out while the command runs: agreed to on another terminal, it goes on."""
    (tmp_path / "sso").mkdir()
    script = _TWO_SESSIONS.replace("next=$first\n", "next=$first; rm -f ~/.aws/sso/cache/*.json\n", 1)
    with Sso(credentials_last=12) as sso:
        sso.allow("222222222222", "Admin", "prod-data")
        world = World(tmp_path / "sso")
        world.env |= sso.environ
        world.config(
            "[profile corp]\nsso_session = corp\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
            "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
        )
        with detached(world, "--wait", "1m", "--serve", "corp", "sh", "-c", script) as run:
            for _ in range(2):  # for the first session, and for the next
                until(lambda: bool(questions(world)), "a question is there", seconds=30)
                with answering(world) as other:
                    other.expect_exact("Sign in to corp")
                    other.sendline("y")
                    other.expect_exact("sent to pid")
            out, err = run.communicate(timeout=60)

    first, second = out.split()
    assert run.returncode == 0 and first != second, err
    assert "its renewal needs a sign-in: awsudo answer" in err


def test_the_question_of_a_renewal_goes_with_the_command(world: World, sts: StrictSts) -> None:
    """The command ends, and nothing is left that waits: neither the question nor the process that asked."""
    phone = short_sessions(world, sts)
    with detached(world, *serve_words(phone, "until [ -e go ]; do sleep 0.1; done")) as run:
        until(lambda: bool(questions(world)), "the renewal asks")
        (question,) = json.loads(world.run("answer", "--json").out)
        (world.home / "go").touch()
        run.communicate(timeout=30)
        until(lambda: not questions(world), "the question is gone")
        until(lambda: not _runs(question["pid"]), "the process is gone")

    assert run.returncode == 0


def _fetched(world: World, variables: dict[str, str]) -> str:
    """The access key ID that an endpoint serves; empty for an error."""
    done = subprocess.run(
        ["sh", "-c", f"{_FETCH} fetch"], env=world.environ({**variables}), capture_output=True, text=True
    )
    return done.stdout.strip()


def _in_session(leader: int) -> list[int]:
    """The processes of a terminal's session, zombies left out."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _runs(pid) and _sid(pid) == leader]


def _sid(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _runs(pid: int) -> bool:
    return _state(pid) not in ("", "Z")


def _state(pid: int) -> str:
    """The state of a process, as in ps; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""
