"""The errors of awsudo, each with its exit code (after env(1)) and a hint about what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class AwsudoError(Exception):
    """A failure of awsudo itself, reported to the user in one line.

    message: what failed, with the object (role, profile, file). Never a secret.
    hint: what to do next, with the exact command where there is one; a line, or several.
    detail: AWS's own message, word for word.

    All three may hold text from outside: the terminal escapes them on their way out.
    """

    exit_code = 125
    code = ""  # AWS's error code, if AWS refused

    def __init__(self, message: str, *, hint: str | tuple[str, ...] = (), detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hints = tuple(filter(None, (hint,) if isinstance(hint, str) else hint))
        self.detail = detail


class UsageError(AwsudoError):
    """The words on the command line do not make a request."""

    exit_code = 2


class CommandNotFound(AwsudoError):
    """The child's command does not exist."""

    exit_code = 127


class CommandCannotRun(AwsudoError):
    """The child's command exists and cannot be executed."""

    exit_code = 126


class Interrupted(AwsudoError):
    """The user cancelled."""

    exit_code = 130


class CtrlC(Interrupted):
    """The user pressed Ctrl-C: awsudo ends by SIGINT, as every program in the foreground does."""

    def __init__(self, *, hint: str | tuple[str, ...] = ()) -> None:
        super().__init__("interrupted", hint=hint)


class NoSuchProfile(AwsudoError):
    """A profile was named that neither AWS configuration file has."""


class ConfigError(AwsudoError):
    """An AWS configuration file, or a value in it, cannot be used."""


class InvalidInput(AwsudoError):
    """A value breaks a limit that STS has, found before any call."""


class Rejected(AwsudoError):
    """AWS refused the call. Calling again at once would get the same answer."""


class CodeRefused(Rejected):
    """AWS did not accept the MFA code. again: whether another code may be accepted."""

    again = True


class Refused(Rejected):
    """The person refused to answer a question; runs that wait for the same session do not ask again."""


class Unreachable(AwsudoError):
    """No usable response: network, time-out, proxy, garbage. sent: whether the request may have arrived."""

    sent = True


class NoPrompt(AwsudoError):
    """A question cannot be asked: there is no terminal, or this process is in its background."""


class Throttled(AwsudoError):
    """AWS throttles this account or this machine: the same call may succeed later."""


class NoCredentials(AwsudoError):
    """The source of a chain has no credentials."""


class AlreadyReported(AwsudoError):
    """A failure that has already been reported, by an awsudo that this one ran."""

    def __init__(self) -> None:
        super().__init__("")


class KeyringError(AwsudoError):
    """The OS key store cannot be used, or lacks what it should hold."""


class KeyringLocked(KeyringError):
    """The OS key store is locked, and its user has to unlock it."""


class PolicyError(AwsudoError):
    """A policy document, or the request that it is evaluated for, cannot be read."""


def of_system(error: OSError | MemoryError) -> AwsudoError:
    """A refusal by the system, anywhere: a full disk, no memory, too many open files."""
    import errno
    import os

    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return AwsudoError("out of memory", hint="free memory, or raise the limit: ulimit -v unlimited")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return AwsudoError("too many open files", hint="raise the limit: ulimit -n 1024")
    if error.errno == errno.EBADF:
        return AwsudoError("cannot write to stdout: it is closed")
    why = error.strerror or type(error).__name__
    if error.filename is None:
        return AwsudoError(f"cannot write to stdout: {why}")
    return AwsudoError(f"cannot use {os.fsdecode(error.filename)}: {why}")


def no_target() -> UsageError:
    """The error for a command line without a target, where no list can be displayed."""
    return UsageError("no target: which profile or role?", hint="awsudo TARGET COMMAND…; see awsudo --help")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The hint for a name that is not among these: those that are close to it, else those that contain it."""
    if len(name) > 200:
        return ""
    import difflib  # 5 ms, and only errors need it

    lower = {known.lower(): known for known in reversed(list(names))}
    close = [lower[found] for found in difflib.get_close_matches(name.lower(), lower, 3, 0.6)]
    if len(name) > 1:
        # `payments` for payments-prod and payments-dev
        containing = sorted((known for known in lower.values() if name.lower() in known.lower()), key=len)
        close += [known for known in containing[:3] if known not in close]
    return f"did you mean {' or '.join(close[:3])}?" if close else ""


def shortened(text: str, most: int) -> str:
    """The text, shortened for messages: 4 KB of it would push the hint off the screen."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
