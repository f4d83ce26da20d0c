"""--serve: an endpoint that is the command's only identity, renewed for as long as the command runs."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from awsudo_py.aws_credentials import Credentials
from awsudo_py.serve.child_config import ChildConfig, sweep, without_credentials
from awsudo_py.serve.endpoint import Endpoint, Served
from awsudo_py.serve.keeper import Got, Order, Renewal, ahead
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

_SESSION = Credentials("ASIAEXAMPLE", "secret", "token", time.time() + 3_600, issued=time.time())
#: Asks the endpoint as an SDK does, and prints what it answers.
FETCH = (
    sys.executable,
    "-c",
    "import os, urllib.request as u; e = os.environ; "
    "r = u.Request(e['AWS_CONTAINER_CREDENTIALS_FULL_URI'], "
    "headers={'Authorization': e['AWS_CONTAINER_AUTHORIZATION_TOKEN']}); print(u.urlopen(r).read().decode())",
)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that serves one session, in this process."""
    served = Endpoint(Served(_SESSION, "arn:aws:iam::111111111111:role/dev", "111111111111"))
    thread = threading.Thread(target=served.serve)
    thread.start()
    yield served
    served.close()
    thread.join(10)
    assert not thread.is_alive()


def _talk(endpoint: Endpoint, text: bytes, *, until_closed: bool = True) -> bytes:
    with socket.create_connection(("127.0.0.1", endpoint.port), 10) as connection:
        connection.sendall(text)
        if until_closed:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            more = connection.recv(65_536)
            if not more:
                return answer
            answer += more


def _request(endpoint: Endpoint, **changes: str | None) -> bytes:
    """A request that is answered, but for the changes: method, path, or a header (None leaves it out)."""
    headers: dict[str, str | None] = {"Host": f"127.0.0.1:{endpoint.port}", "Authorization": endpoint.token}
    line = [changes.pop("method", "GET"), changes.pop("path", endpoint.path), changes.pop("version", "HTTP/1.1")]
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"{' '.join(map(str, line))}\r\n{text}\r\n".encode()


def _status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_the_document_is_what_sdks_expect(endpoint: Endpoint) -> None:
    """Compact JSON with the names of the protocol, account and role included, never stored."""
    head, _, body = _talk(endpoint, _request(endpoint)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ") and b"Cache-Control: no-store" in head
    assert set(json.loads(body)) == {
        *("AccessKeyId", "SecretAccessKey", "Token", "Expiration"),
        *("AccountId", "RoleArn"),
    }
    assert b" " not in body and json.loads(body)["Expiration"].endswith("Z")


#: What is refused, and how.
REFUSED: tuple[tuple[dict[str, str | None], int], ...] = (
    ({"Authorization": None}, 401),
    ({"Authorization": "x"}, 401),
    ({"Authorization": "Bearer x"}, 401),
    ({"Authorization": "é"}, 401),
    ({"Host": None}, 403),
    ({"Host": "localhost"}, 403),
    ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Referer": "http://127.0.0.1/"}, 403),
    ({"method": "POST"}, 405),
    ({"method": "HEAD"}, 405),
    ({"method": "OPTIONS"}, 405),
    ({"method": "get"}, 405),
    ({"path": "/"}, 404),
    ({"path": "/x"}, 404),
    ({"path": "/é"}, 404),
    ({"Content_Length": "5"}, 400),
    ({"Transfer_Encoding": "chunked"}, 400),
    ({"version": "HTTP/2"}, 400),
    ({"version": ""}, 400),
    ({"X": "y" * 9_000}, 431),
)


@pytest.mark.parametrize(("changes", "status"), REFUSED, ids=str)
def test_what_is_not_a_clients_request_is_refused(
    endpoint: Endpoint, changes: dict[str, str | None], status: int
) -> None:
    """Each refusal has its status and a JSON body with a code and a message, and holds no secret."""
    answer = _talk(endpoint, _request(endpoint, **changes))

    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert _status(answer) == status and set(body) == {"code", "message"}
    assert b"secret" not in answer and endpoint.token.encode() not in answer


@pytest.mark.parametrize(
    "text",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"\0" * 64 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"x" * 20_000],
)
def test_a_broken_request_does_no_harm(endpoint: Endpoint, text: bytes) -> None:
    """It is refused, and the next client is served."""
    assert _status(_talk(endpoint, text)) in (400, 431)
    assert _status(_talk(endpoint, _request(endpoint))) == 200


def test_two_hosts_or_tokens_are_one_too_many(endpoint: Endpoint) -> None:
    """A second header of the same name is not a way around the first."""
    line, rest = _request(endpoint).split(b"\r\n", 1)

    assert _status(_talk(endpoint, line + b"\r\nHost: evil\r\n" + rest)) == 403
    assert _status(_talk(endpoint, line + b"\r\nAuthorization: x\r\n" + rest)) == 401


def test_a_connection_is_kept_for_several_requests(endpoint: Endpoint) -> None:
    """HTTP/1.1 keep-alive, requests sent together included; `Connection: close` ends it."""
    answer = _talk(endpoint, _request(endpoint) * 3 + _request(endpoint, Connection="close"), until_closed=False)

    assert answer.count(b"HTTP/1.1 200 ") == 4 and answer.count(b"Connection: close") == 1


def test_two_hundred_slow_clients_hold_up_nobody(endpoint: Endpoint) -> None:
    """While they send a byte or none, a request is answered in well under the SDKs' second."""
    slow = [socket.create_connection(("127.0.0.1", endpoint.port), 10) for _ in range(200)]
    for connection in slow[::2]:
        connection.sendall(b"G")

    begun = time.monotonic()
    answers = [_status(_talk(endpoint, _request(endpoint))) for _ in range(20)]

    assert answers == [200] * 20 and (time.monotonic() - begun) / 20 < 2
    for connection in slow:
        connection.close()


def test_more_clients_than_places_push_out_the_oldest(endpoint: Endpoint) -> None:
    """A flood of connections does not keep a client out."""
    flood = [socket.create_connection(("127.0.0.1", endpoint.port), 10) for _ in range(400)]

    assert _status(_talk(endpoint, _request(endpoint))) == 200
    for connection in flood:
        connection.close()


def test_what_has_expired_is_not_served() -> None:
    """The client gets the reason, and a renewal is requested at once."""
    moment, expected = [0.0], list[bool]()
    session = Credentials("ASIAEXAMPLE", "secret", "token", 100.0, issued=0.0)
    endpoint = Endpoint(Served(session, "", ""), clock=lambda: moment[0])
    endpoint.renew = lambda: expected.append(True)
    threading.Thread(target=endpoint.serve, daemon=True).start()

    first = _talk(endpoint, _request(endpoint))
    moment[0] = 100.0
    endpoint.explain("MFA code needed")
    second = _talk(endpoint, _request(endpoint))
    endpoint.replace(Served(session_until(200.0), "", ""))
    third = _talk(endpoint, _request(endpoint))
    endpoint.close()

    assert [_status(answer) for answer in (first, second, third)] == [200, 503, 200]
    assert b"MFA code needed" in second and b"secret" not in second and expected == [True]


def session_until(end: float) -> Credentials:
    """A session that was issued an hour before its end."""
    return Credentials("ASIANEW", "secret", "token", end, issued=end - 3_600)


@pytest.mark.parametrize(("life", "expected"), [(3_600, 1_200), (43_200, 1_200), (1_800, 900), (900, 450)])
def test_a_session_is_renewed_before_sdks_ask(life: int, expected: int) -> None:
    """More than 15 minutes ahead, where it lasts long enough."""
    assert ahead(1_000.0, 1_000.0 + life) == expected


def test_a_renewal_that_fails_is_reported_once_and_tried_again() -> None:
    """The user hears once what fails and when the session ends; the next success is served."""
    now, output, replaced, tries = time.time(), list[str](), list[Served](), list[float]()
    first = Served(Credentials("A", "s", "t", now + 1_000, issued=now - 2_600), "", "")
    done = threading.Event()

    def session(order: Order) -> Got:
        assert order.min_ttl is not None
        tries.append(order.min_ttl)
        if len(tries) < 3:
            return Got(None, {}, "", "no answer from STS", ("check the network",))
        return Got(Served(session_until(now + 3_600), "", ""), {}, "dev")

    def replace(served: Served) -> None:
        replaced.append(served)
        done.set()

    renewal = Renewal(session, first, replace=replace, explain=lambda _: None, notify=output.append)
    renewal._last_try = -1e9
    thread = threading.Thread(target=renewal.run)
    thread.start()
    end = time.monotonic() + 20
    while not done.wait(0.01) and time.monotonic() < end:
        renewal._last_try = -1e9  # no pause between tries
        renewal.now()
    renewal.stop()
    thread.join(10)

    assert tries[:3] == [1_200.0] * 3 and replaced[0].credentials.access_key_id == "ASIANEW"
    assert len(output) == 1 and "no answer from STS\n  check the network" in output[0] and "which ends" in output[0]


# the command's files

HOSTILE = """\
# a comment
[default]
region = eu-central-1
aws_access_key_id = AKIAHOSTILE
aws_secret_access_key = hostile
credential_process = echo hostile
role_arn = arn:aws:iam::999999999999:role/hostile
s3 =
  addressing_style = path
source_profile=x
SSO_SESSION : corp
output = json

[profile other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = other
[profile "default"]
credential_process = echo
[sso-session default]
sso_region = us-east-1
"""


def test_only_the_credentials_of_default_are_left_out() -> None:
    """Every other line, of [default] too, stays as it is."""
    assert without_credentials(HOSTILE) == (
        "# a comment\n[default]\nregion = eu-central-1\ns3 =\n  addressing_style = path\noutput = json\n\n"
        "[profile other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n"
        '[profile "default"]\n[sso-session default]\nsso_region = us-east-1\n'
    )


def test_the_files_are_private_and_go_with_the_run(tmp_path: Path) -> None:
    """0600 in a 0700 directory, whatever the umask; what a killed run left is removed, what is in use is not."""
    before = os.umask(0)
    config = ChildConfig(str(tmp_path), HOSTILE)
    os.umask(before)
    directory = Path(config.directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}

    killed = subprocess.run(
        [sys.executable, "-c", "import os,sys; from awsudo_py.serve.child_config import ChildConfig as C; "
         "print(C(sys.argv[1], '').directory, flush=True); os.kill(os.getpid(), 9)", str(tmp_path)],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    assert os.path.isdir(killed)
    sweep(str(tmp_path))
    assert not os.path.exists(killed) and directory.is_dir()

    config.close()
    assert not directory.exists()


# the whole


def test_the_command_gets_an_endpoint_and_no_keys(world: World, sts: StrictSts) -> None:
    """Its environment has the address and the token, and nothing that another source could be found by."""
    done = world.run("--serve", "dev", "/usr/bin/env", "-0", env={"AWS_PROFILE": "dev", "AWS_ACCESS_KEY_ID": "AKIA"})

    aws = {name: value for name, value in done.env.items() if name.startswith(("AWS_", "AWSUDO_"))}
    assert done.code == 0, done.err
    assert aws.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI").startswith("http://127.0.0.1:")
    assert len(aws.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN")) > 40
    assert set(aws) == {
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWSUDO_TARGET", "AWSUDO_ROLE_ARN"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_STS", "AWS_EC2_METADATA_DISABLED"),
    }
    assert not any(secret in done.out for secret in sts.issued[0][1:3])
    assert not list(world.cache.glob("serve-*"))


def test_it_serves_the_session_of_the_target(world: World, sts: StrictSts) -> None:
    """The very session that the cache holds, with its account and role."""
    done = world.run("--serve", "dev", *FETCH)

    document = json.loads(done.out)
    assert document["AccessKeyId"] == sts.issued[0].access_key_id == world.run("dev", *KEY).out.strip()
    assert (document["RoleArn"], document["AccountId"]) == ("arn:aws:iam::111111111111:role/dev", "111111111111")


KEY = ("printenv", "AWS_ACCESS_KEY_ID")


def test_a_profile_can_ask_for_it(world: World, sts: StrictSts) -> None:
    """awsudo_serve = true serves every command of the profile; it is never replayed without."""
    config = world.home / ".aws/config"
    config.write_text(config.read_text() + "awsudo_serve = true\n")
    world.settle()

    for _ in range(2):
        assert "AWS_CONTAINER_CREDENTIALS_FULL_URI=" in world.run("dev", "env").out


@pytest.mark.parametrize(
    ("command", "code"),
    [(("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -TERM $$"), -signal.SIGTERM), (("true",), 0)],
)
def test_it_ends_as_the_command_does(world: World, sts: StrictSts, command: tuple[str, ...], code: int) -> None:
    """With its exit code, or by the same signal."""
    done = subprocess.run([AWSUDO, "--serve", "dev", *command], env=world.environ(), check=False, timeout=60)

    assert done.returncode == code


def test_a_target_without_a_session_runs_nothing(world: World, sts: StrictSts) -> None:
    """The refusal of STS is reported as without --serve, and no file is left."""
    sts.add_role("arn:aws:iam::111111111111:role/dev", trusts=["arn:aws:iam::111111111111:user/nobody"])

    done = world.run("--serve", "dev", "touch", "ran")

    assert done.code == 125 and "role/dev" in done.err and not (world.home / "ran").exists()
    assert not list(world.cache.glob("serve-*"))


def test_nothing_is_left_when_awsudo_is_killed(world: World, sts: StrictSts) -> None:
    """After kill -9 the keeper ends by itself, and the next run removes the files."""
    running = subprocess.Popen(
        [AWSUDO, "--serve", "dev", "sh", "-c", "echo ready; exec sleep 60"],
        env=world.environ(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    members = _members(running.pid)
    running.kill()
    running.wait(10)

    sleeper = [pid for pid in members if "sleep" in _words(pid)]
    _until(lambda: [pid for pid in members if pid not in sleeper and _alive(pid)] == [])
    assert list(world.cache.glob("serve-*"))
    world.run("--serve", "dev", "true")
    assert not list(world.cache.glob("serve-*"))
    for pid in sleeper:
        os.kill(pid, signal.SIGKILL)
    running.stdout.close()


def _members(group: int) -> list[int]:
    """The processes of a process group, but for its leader."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != group:
            try:
                if int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[2]) == group:
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
    return found


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(condition: object) -> None:
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_lingers_for_what_the_command_leaves(world: World, sts: StrictSts) -> None:
    """--serve=linger serves until the last process that the command started is gone; --serve does not wait."""
    late = shlex.join(["sh", "-c", 'read -r line <gate; exec "$@" >late', "sh", *FETCH])
    script = f"({late}) & exit 3"
    os.mkfifo(world.home / "gate")

    words = [AWSUDO, "--serve=linger", "dev", "sh", "-c", script]
    running = subprocess.Popen(words, env=world.environ(), cwd=world.home)
    with (world.home / "gate").open("w") as gate:
        assert running.poll() is None
        gate.write("go\n")

    assert running.wait(30) == 3
    assert json.loads((world.home / "late").read_text())["AccessKeyId"] == sts.issued[0].access_key_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_are_the_commands(world: World, sts: StrictSts, number: signal.Signals) -> None:
    """A signal to awsudo alone reaches the command, whose own end counts."""
    script = f"trap 'echo got; exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    running = subprocess.Popen(
        [AWSUDO, "--serve", "dev", "sh", "-c", script], env=world.environ(), stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None and running.stdout.readline() == "ready\n"

    running.send_signal(number)

    assert (running.stdout.readline(), running.wait(20)) == ("got\n", 9)
    running.stdout.close()


def _interactive(world: World, shell: str) -> pexpect.spawn[str]:
    """A shell as a person has it, on a terminal."""
    environ = world.environ({"PS1": "$ ", "TERM": "dumb", "HISTFILE": ""})
    flags = ["--norc", "-i"] if shell == "bash" else ["-f", "-i"]
    return pexpect.spawn(shell, flags, env=environ, encoding="utf-8", timeout=30)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_job_control_works_as_without_awsudo(world: World, sts: StrictSts, shell: str) -> None:
    """In an interactive shell, ^Z stops it, fg goes on, and ^C ends it by SIGINT."""
    terminal = _interactive(world, shell)
    script = world.root / "script"
    # no shell: a ^Z between its vfork and the exec of what it starts would leave it waiting, with awsudo and without
    script.write_text(
        "import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "signal.signal(signal.SIGCONT, lambda *_: os.write(1, b'resumed\\n'))\n"
        "print('started', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    terminal.sendline(f"{AWSUDO} --serve dev {sys.executable} {script}")
    terminal.expect("\nstarted")
    terminal.sendcontrol("z")
    terminal.expect("[Ss]topped|suspended")
    terminal.sendline("fg")
    terminal.expect("\nresumed")
    terminal.sendcontrol("c")
    terminal.sendline("echo end=$?")
    terminal.expect("end=130")
    terminal.sendline("exit")
    terminal.close(force=True)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_resized_window_and_quit_are_the_commands(world: World, sts: StrictSts, shell: str) -> None:
    """In an interactive shell, the command hears of the new size, and ^\\ ends it by SIGQUIT."""
    terminal = _interactive(world, shell)
    script = world.root / "script"
    script.write_text(
        "import os, signal\nsignal.signal(signal.SIGQUIT, signal.SIG_DFL)\n"
        "width = lambda: os.write(1, b'columns %d\\n' % os.get_terminal_size().columns)\n"  # print may be under way
        "signal.signal(signal.SIGWINCH, lambda *_: width())\n"
        "print('started', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    terminal.sendline(f"ulimit -c 0; {AWSUDO} --serve dev {sys.executable} {script}")
    terminal.expect("\nstarted")
    terminal.setwinsize(30, 123)
    terminal.expect("columns 123")
    terminal.sendcontrol("\\")
    terminal.expect("[Qq]uit")
    terminal.sendline("echo end=$?")
    terminal.expect("end=131")
    terminal.sendline("exit")
    terminal.close(force=True)


@contextmanager
def _serving(world: World, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    running = subprocess.Popen(
        [AWSUDO, "serve", *words], env=world.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None and running.stdout is not None
    output = running.stderr.readline()
    assert output.startswith("awsudo: serving dev on 127.0.0.1:"), output
    changes: dict[str, str] = {}
    os.set_blocking(running.stdout.fileno(), False)
    for line in (running.stdout.read() or "").splitlines():
        name, _, value = line.partition("=")
        changes[name] = value
    try:
        yield running, changes
    finally:
        running.terminate()
        running.wait(20)
        running.stdout.close()
        running.stderr.close()


def test_an_endpoint_of_its_own_serves_other_tools(world: World, sts: StrictSts) -> None:
    """awsudo serve prints the variables in any format, serves until it is stopped, and ends with 0."""
    with _serving(world, "dev", "--format", "dotenv") as (running, changes):
        done = subprocess.run(FETCH, env={**world.environ(), **changes}, capture_output=True, text=True, check=True)

        assert json.loads(done.stdout)["AccessKeyId"] == sts.issued[0].access_key_id
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [(("dev", "--port", "x"), "--port: invalid port 'x'"), ((), "no target"), (("dvv",), "no profile 'dvv'")],
)
def test_a_mistake_starts_nothing(world: World, sts: StrictSts, words: tuple[str, ...], message: str) -> None:
    """It is named before an endpoint is opened or AWS is called."""
    done = world.run("serve", *words)

    assert done.code in (2, 125) and message in done.err and sts.calls == []


def test_a_port_in_use_is_named(world: World, sts: StrictSts) -> None:
    """The message has the port, and the option to choose another."""
    with socket.socket() as received:
        received.bind(("127.0.0.1", 0))
        received.listen()
        port = received.getsockname()[1]

        done = world.run("serve", "dev", "--port", str(port))

    assert done.code == 125 and f"cannot listen on 127.0.0.1:{port}" in done.err and "--port PORT" in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_that_stays_is_small_and_asleep(world: World, sts: StrictSts) -> None:
    """Under 30 MiB without botocore, and no wake-up while nobody asks."""
    with _serving(world, "dev", "--format", "dotenv") as (running, _):
        status = Path(f"/proc/{running.pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        maps = Path(f"/proc/{running.pid}/maps").read_text()

        assert resident < 30 * 1_024, f"{resident} KiB"
        assert "_ssl" not in maps  # what a call to AWS loads
        _until(lambda: _asleep(running.pid, 0.3))


def _asleep(pid: int, seconds: float) -> bool:
    """Whether no thread of a process woke up for so long."""
    before = _switches(pid)
    time.sleep(seconds)
    return _switches(pid) == before


def _switches(pid: int) -> int:
    """How often the threads of a process have given up the processor of their own will: once for each wake-up."""
    total = 0
    for task in os.scandir(f"/proc/{pid}/task"):
        status = Path(task.path, "status").read_text()
        total += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total
