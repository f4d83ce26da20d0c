"""Runs the console script in a fork of an interpreter that has all modules loaded: a cold run costs a tenth so.

Loading botocore and click, and parsing botocore's data, is most of what a cold run takes, and the suite has thousands.
What a test is about stays real: a process of its own, with its own environment, directory and descriptors, that runs
the script and becomes the command. Nothing that an environment shapes before a script begins is shared: a run with
PYTHON*, TZ or another locale is started from scratch, as is all that a prefix, a shell or a terminal starts.
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
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

#: Bytes: a request must fit into one message, and what is read from stdin into a pipe that nobody empties yet.
_MOST = 50_000
_LOCALE = {"LANG": "C.UTF-8"}
_SHAPING = ("LC_", "LANG", "PYTHON", "TZ", "BOTO")
#: In the home: botocore settles where these are while it is loaded.
_PLACES = (".aws/sso", ".aws/models")
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
        request = pickle.dumps((words, environ, cwd, modules))
        if max(len(request), len(stdin)) > _MOST or _shaped(environ) or not hasattr(os, "pidfd_open"):
            return None
        with self._starting:
            if self._control is None:
                self._control, self._process = _started(self._script)
        (read_in, write_in), (read_out, write_out), (read_err, write_err), (read_end, write_end) = (
            os.pipe() for _ in range(4)
        )
        os.write(write_in, stdin)
        socket.send_fds(self._control, [request], [read_in, write_out, write_err, write_end])
        for descriptor in (write_in, read_in, write_out, write_err, write_end):
            os.close(descriptor)
        out, err, end = _all_of([read_out, read_err, read_end], time.monotonic() + timeout)
        pid, _, code = end.decode().partition(" ")
        if code:
            return int(code), out, err
        if not pid:
            raise AssertionError("the warm interpreter has died")
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        raise subprocess.TimeoutExpired([self._script, *words], timeout, out, err)


def _shaped(environ: dict[str, str]) -> bool:
    """Whether an interpreter, or a library as it is loaded, takes something from this environment."""
    if {name: value for name, value in environ.items() if name.startswith(_SHAPING)} != _LOCALE:
        return True
    return any(os.path.exists(os.path.join(environ.get("HOME", ""), place)) for place in _PLACES)


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
                        words, environ, cwd, modules = pickle.loads(request)
                        if modules:
                            _tell_modules()
                        _run(script, words, environ, cwd, descriptors)
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


def _run(script: str, words: list[str], environ: dict[str, str], cwd: str, descriptors: list[int]) -> NoReturn:
    """Be the process that the script is run in."""
    code: object = 1
    try:
        for number, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = [script, *words]
        sys.path[0] = os.path.dirname(script)
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
