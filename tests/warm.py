"""Runs the console script in a fork of an interpreter that has all modules loaded: a cold run costs a fifth so.

Loading botocore and click, and parsing botocore's data, is most of what a cold run takes, and the suite has thousands.
What a test is about stays real: a process of its own, with its own environment, directory and descriptors, on a
terminal of its own if it is to have one, that runs the script and becomes the command. Nothing that an environment
shapes before a script begins is shared: a run with PYTHON*, TZ or another locale is started from scratch, as is all
that a prefix or a shell starts.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import os
import pickle
import pkgutil
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

if sys.platform != "win32":
    import fcntl
    import termios

#: Bytes: a request must fit into one message, and what is read from stdin into a pipe that nobody empties yet.
_MOST = 50_000
_LOCALE = {"LANG": "C.UTF-8"}
_SHAPING = ("LC_", "LANG", "PYTHON", "TZ", "BOTO")
#: What botocore takes from the home while it is loaded: module, class, attribute.
_HOME_PATHS = (
    ("botocore.credentials", "SSOProvider", "_SSO_TOKEN_CACHE_DIR"),
    ("botocore.tokens", "SSOTokenProvider", "_SSO_TOKEN_CACHE_DIR"),
    ("botocore.loaders", "Loader", "CUSTOMER_DATA_PATH"),
    ("botocore.utils", "JSONFileCache", "CACHE_DIR"),
)
#: What is loaded besides all of awsudo: what it loads when it comes to that.
_LOADING = (
    "botocore.endpoint_provider",
    "botocore.retries.standard",
    "keyring.backends.SecretService",
    "rich.console",
    "rich.table",
)
#: The services whose clients the tests need all the time: botocore's data about them is parsed once.
_SERVICES = ("iam", "sso", "sso-oidc", "sts")


class Started:
    """A run that was started: what Popen has of it. The parent of the forks reports its end through a pipe."""

    def __init__(self, pid: int, end: int, command: list[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = open(end, "rb", buffering=0)  # noqa: SIM115 (this owns it)
        self._reporting = threading.Lock()
        self._command = command
        self._texts: list[TextIO] = []
        self._output: tuple[str, str] | None = None

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        self._end.close()
        for text in self._texts:
            text.close()

    def reading(self, *descriptors: int) -> Started:
        """Let these be where its stdout and stderr come out."""
        self._texts = [open(descriptor, encoding="utf-8") for descriptor in descriptors]  # noqa: SIM115 (this owns them)
        return self

    @property
    def stdout(self) -> TextIO:
        """Its stdout, if it is read."""
        return self._texts[0]

    @property
    def stderr(self) -> TextIO:
        """Its stderr, if it is read."""
        return self._texts[1]

    def poll(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it runs."""
        if self.returncode is None and select.select([self._end], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended."""
        if self.returncode is None and not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self._command, timeout or 0)
        with self._reporting:
            if self.returncode is None:
                self.returncode = int(self._end.read(16))
        return self.returncode

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Stdout and stderr, once it has ended; asked again, the same."""
        if self._output is None:
            out, err = _all_of([os.dup(text.fileno()) for text in self._texts], time.monotonic() + timeout)
            self.wait(timeout)
            self._output = out.decode(), err.decode()
            self._close()
        return self._output

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and the report is under way
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class WarmInterpreter:
    """The parent of the forks, for one script; it is started at the first run, and ends with the tests."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def run(
        self, words: list[str], environ: dict[str, str], stdin: bytes, cwd: str, timeout: float, *, modules: bool
    ) -> tuple[int, bytes, bytes] | None:
        """Exit code, stdout and stderr; None for a run that has to be started from scratch.

        modules: with awsudo's own modules on stderr, those that the run has loaded, as `-X importtime` tells them.
        """
        if len(stdin) > _MOST:
            return None
        (read_in, write_in), (read_out, write_out), (read_err, write_err) = (os.pipe() for _ in range(3))
        os.write(write_in, stdin)
        os.close(write_in)
        started = self.start([words], environ, cwd, (read_in, write_out, write_err), modules=modules)
        for descriptor in (read_in, write_out, write_err):
            os.close(descriptor)
        if started is None:
            os.close(read_out)
            os.close(read_err)
            return None
        until = time.monotonic() + timeout
        out, err = _all_of([read_out, read_err], until)
        try:
            return started.wait(max(until - time.monotonic(), 0)), out, err
        except subprocess.TimeoutExpired:
            started.kill()
            raise subprocess.TimeoutExpired([self._script, *words], timeout, out, err) from None

    def start(
        self,
        jobs: list[list[str]],
        environ: dict[str, str],
        cwd: str,
        streams: tuple[int, int, int],
        *,
        session: bool = False,
        modules: bool = False,
    ) -> Started | None:
        """Start a run that has these as stdin, stdout and stderr; None for one that has to be started from scratch.

        session: it leads a session of its own, and a terminal that is its stdin is that session's. More than one list
        of words: as many runs, as a shell starts them with `&`, and the process that waits for all of them.
        """
        request = pickle.dumps((jobs, environ, cwd, session, modules))
        if len(request) > _MOST or _shaped(environ) or not hasattr(os, "pidfd_open"):
            return None
        with self._starting:
            if self._control is None:
                self._control, self._process = _started(self._script)
        read_end, write_end = os.pipe()
        socket.send_fds(self._control, [request], [*streams, write_end])
        os.close(write_end)
        pid = b""
        while not pid.endswith(b" "):
            more = os.read(read_end, 1)
            if not more:
                raise AssertionError("the warm interpreter has died")
            pid += more
        return Started(int(pid), read_end, [self._script, *jobs[0]])


def _shaped(environ: dict[str, str]) -> bool:
    """Whether an interpreter, or a library as it is loaded, takes something else from this environment."""
    return {name: value for name, value in environ.items() if name.startswith(_SHAPING)} != _LOCALE


def _started(script: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, __file__, script, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env={"PATH": os.environ.get("PATH", os.defpath), **_LOCALE},
        stdin=subprocess.PIPE,  # as those of the forks: a text stream finds out when it is made what it lies on
        stdout=subprocess.PIPE,
    )
    theirs.close()
    atexit.register(_end, ours, process)
    return ours, process


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    process.communicate()


def _all_of(descriptors: list[int], until: float) -> list[bytes]:
    """All that comes out of each up to its end, or up to that moment."""
    read = dict.fromkeys(descriptors, b"")
    with selectors.DefaultSelector() as waiting:
        for descriptor in descriptors:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map() and time.monotonic() < until:
            for key, _ in waiting.select(until - time.monotonic()):
                more = os.read(key.fd, 65536)
                read[key.fd] += more
                if not more:
                    waiting.unregister(key.fd)
    for descriptor in descriptors:
        os.close(descriptor)
    return list(read.values())


def _load() -> None:
    """Load awsudo and what it needs, and parse what a client is made of; a fork has all of that at once."""
    import awsudo_py

    own = [module.name for module in pkgutil.walk_packages(awsudo_py.__path__, "awsudo_py.")]
    for name in (*own, *_LOADING):
        if not name.endswith("__main__"):
            importlib.import_module(name)

    import botocore.session

    parse_once()
    session = botocore.session.Session()
    session.set_credentials("none", "none")
    for service in _SERVICES:
        session.create_client(service, region_name="eu-west-1")


def parse_once() -> None:
    """Let botocore work out once in a process what depends on nothing but its own files."""
    from botocore import hooks, loaders

    loaders.JSONFileLoader.load_file = _once(loaders.JSONFileLoader.load_file)
    hooks.EventAliaser._alias_event_name = _once(hooks.EventAliaser._alias_event_name)
    hooks.accepts_kwargs = functools.cache(hooks.accepts_kwargs)


def _once(method: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """The method, whose result for one text is the same for every object."""
    results: dict[str, Any] = {}

    def found(this: Any, text: str) -> Any:
        if text not in results:
            results[text] = method(this, text)
        return results[text]

    return found


def _serve(script: str, control: socket.socket) -> None:
    _load()
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is None:
                    request, descriptors, _, _ = socket.recv_fds(control, 2 * _MOST, 4)
                    if not request:
                        return
                    pid = os.fork()
                    if not pid:
                        jobs, environ, cwd, session, modules = pickle.loads(request)
                        if modules:
                            _tell_modules()
                        _run(script, jobs, environ, cwd, descriptors, session=session)
                    os.write(descriptors[3], b"%d " % pid)
                    for descriptor in descriptors[:3]:
                        os.close(descriptor)
                    waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, descriptors[3]))
                else:
                    pid, answer = key.data
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    with contextlib.suppress(BrokenPipeError):
                        os.write(answer, b"%d\n" % code)
                    waiting.unregister(key.fd)
                    os.close(key.fd)
                    os.close(answer)


def _tell_modules() -> None:
    """Forget awsudo's modules, and tell, before this becomes the command, which have been loaded since."""
    for name in _own():
        del sys.modules[name]

    def tell(event: str, _: object) -> None:
        if event == "os.exec":
            os.write(2, "".join(f"import time: 0 | 0 | {name}\n" for name in _own()).encode())

    sys.addaudithook(tell)


def _own() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "awsudo_py"]


def _run(
    script: str, jobs: list[list[str]], environ: dict[str, str], cwd: str, descriptors: list[int], *, session: bool
) -> NoReturn:
    """Be the process that the script is run in."""
    code: object = 1
    try:
        for number, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        if session:
            _lead_session()
        os.chdir(cwd)
        before = os.path.expanduser("~")
        os.environ.clear()
        os.environ.update(environ)
        _move_home(before)
        words = jobs[0] if len(jobs) == 1 else _be_one_of(jobs)
        sys.argv = [script, *words]
        sys.path[0] = os.path.dirname(script)
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _move_home(before: str) -> None:
    """Let botocore have the paths that it would have taken from this environment."""
    from botocore.utils import JSONFileCache

    home = os.path.expanduser("~")
    for module, owner, name in _HOME_PATHS:
        held = getattr(sys.modules[module], owner)
        setattr(held, name, home + getattr(held, name).removeprefix(before))
    JSONFileCache.__init__.__defaults__ = (JSONFileCache.CACHE_DIR, *JSONFileCache.__init__.__defaults__[1:])


def _lead_session() -> None:
    os.setsid()
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if os.isatty(1):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # as it would have begun on a terminal


def _be_one_of(jobs: list[list[str]]) -> list[str]:
    """Fork a process for each of these lists of words, and give it those: what a shell starts with `&`.

    The process that was, the shell, ends when all of them have.
    """
    for words in jobs:
        if not os.fork():
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_IGN)
            return words
    for _ in jobs:
        os.wait()
    sys.exit(0)


#: For the console script of the environment that runs the tests.
AWSUDO = os.path.join(sysconfig.get_path("scripts"), "awsudo")
WARM = WarmInterpreter(AWSUDO)


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
