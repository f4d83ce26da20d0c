"""The entry point: the hit path, else the command line; the only place where errors become exit codes."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


#: Words of 8 bytes, for the frames of a full run. CPython maps 16 KB at a time for frames, and unmaps them as the first
#: of theirs returns: at an unlucky depth, calls in a loop cost two system calls each, up to 12,000 in a run.
_FRAMES = 20_000
#: In place of an exit code: the user pressed Ctrl-C.
_INTERRUPTED = -1


def main() -> NoReturn:
    """Run awsudo with the words of this process, and exit, unless it becomes the command."""
    code = _done(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 (contextlib costs a prompt a millisecond)
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # it is closed or full: whoever wrote to it has reported that, if it could be reported
    if code == _INTERRUPTED:
        _end_by_sigint()
    # not sys.exit: taking the interpreter down costs 5 ms after click, and 30 after botocore
    os._exit(code)


def _done(argv: list[str]) -> int:
    """Run the command line; returns the exit code, unless it becomes the command."""
    try:
        code = _quick(argv)
        if code is not None:
            return code
        # here, so that a prompt does not import them
        from awsudo_py.child_environment import undo_coercion
        from awsudo_py.replay import replay

        undo_coercion(os.environ)
        replay(argv, os.environ, time.time())
        _full.__code__ = _full.__code__.replace(co_stacksize=_FRAMES)
        return _full(argv)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 (no traceback reaches a user)
        return _failed(error)


def _quick(argv: list[str]) -> int | None:
    """Answer what a shell calls at every TAB, prompt or start, without click, which is slow to import.

    Returns the exit code; None if click must parse the words: --help, or anything unusual.
    """
    word, words = argv[0] if argv else "", argv[1:]
    if word == "_complete":
        from awsudo_py.shell.completion.complete import complete

        return complete(words, os.environ, time.time())
    if word == "prompt":
        from awsudo_py.shell.prompt import prompt

        return prompt(words, os.environ, time.time())
    if word == "shell-init":
        from awsudo_py.shell.shell_init import shell_init

        return shell_init(words)
    if word == "completion":
        from awsudo_py.shell.scripts import print_script

        return print_script(words)
    return None


def _full(argv: list[str]) -> int:
    # A run takes a quarter of a second: there is nothing to collect, and a collection costs 10 ms of it.
    import gc

    gc.disable()
    from awsudo_py import renewal
    from awsudo_py.cli.start import start
    from awsudo_py.terminal import NoTerminal, Terminal

    return start(argv, NoTerminal() if renewal.MARK in os.environ else Terminal())


def _failed(error: Exception) -> int:
    from awsudo_py.errors import AwsudoError, CtrlC, of_system
    from awsudo_py.terminal import Terminal

    if isinstance(error, BrokenPipeError):
        return (
            141  # the reader of our output is gone: the exit code that a shell reports for a program that SIGPIPE ended
        )
    if isinstance(error, (OSError, MemoryError)):
        error = of_system(error)
    Terminal().fail(error)
    if isinstance(error, CtrlC):
        return _INTERRUPTED
    return error.exit_code if isinstance(error, AwsudoError) else AwsudoError.exit_code


def _end_by_sigint() -> NoReturn:
    """End as the shell expects it: its loop or script goes on after a program that exits with 130."""
    if os.name != "nt":
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(130)


if __name__ == "__main__":
    main()
