"""Explains why a command cannot be found or executed; a run that executes it does not load this."""

from __future__ import annotations

import errno
import os
import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, CommandCannotRun, CommandNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Linux accepts no longer argument or variable (MAX_ARG_STRLEN, in bytes).
_LONGEST_STRING = 128 * 1024


def not_found(command: str, blocked: str, environ: Mapping[str, str]) -> AwsudoError:
    """The error for a command that PATH does not have; blocked: a file of its name that cannot be executed."""
    if blocked:
        if os.path.isdir(blocked):
            return CommandCannotRun(
                f"cannot run {blocked}: it is a directory", hint=f"see: ls -ld {shlex.quote(blocked)}"
            )
        hint = f"if it is your own program: chmod +x {shlex.quote(blocked)}"
        return CommandCannotRun(f"cannot run {blocked}: it is not executable", hint=hint)
    return CommandNotFound(f"command not found: {command or chr(39) * 2}", hint=_hint(command, environ))


def _hint(command: str, environ: Mapping[str, str]) -> str:
    """The hint for a command that was not found, from how the word looks."""
    name, equals, _ = command.partition("=")
    if command[:1] == "-":
        return "options of awsudo go before the target: awsudo [OPTIONS] TARGET COMMAND…"
    if equals and name.isidentifier():
        return f"to set a variable for the command: awsudo TARGET env {shlex.quote(command)} COMMAND…"
    if any(character.isspace() for character in command):
        program = command.split()[0] if command.strip() else "COMMAND"
        return (
            f"it is one word with spaces: leave the quotes out (awsudo TARGET {program} …), or let a shell split it: "
            f"awsudo TARGET sh -c {shlex.quote(command)}"
        )
    if "/" in command:
        folder = os.path.dirname(command) or "/"
        return "no such file" if os.path.isdir(folder) else f"no such file: there is no directory {folder}"
    if not command:
        return "the command is empty: is a variable unset?"
    shell, quoted = os.path.basename(environ.get("SHELL", "sh")), shlex.quote(command)
    return f"if it is an alias or a shell function, let your shell run it: awsudo TARGET {shell} -ic {quoted}"


def cannot_execute(path: str, error: OSError, arguments: Sequence[str], environ: Mapping[str, str]) -> AwsudoError:
    """The error for a program that the system does not execute."""
    if error.errno == errno.ENOENT:
        return _without_interpreter(path)
    if error.errno == errno.E2BIG:
        return _too_large(path, arguments, environ)
    return CommandCannotRun(f"cannot run {path}: {error.strerror}")


def _too_large(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> AwsudoError:
    """The error for arguments or an environment beyond the system's limit, with the part that is too large."""
    token = len(environ.get("AWS_SESSION_TOKEN", ""))
    words = sum(len(os.fsencode(word)) + 1 for word in arguments)
    variables = sum(len(os.fsencode(name)) + len(os.fsencode(value)) + 2 for name, value in environ.items())
    if token + len("AWS_SESSION_TOKEN=") >= _LONGEST_STRING:
        return CommandCannotRun(
            f"cannot run {path}: the session token is too large for an environment variable ({token} bytes)",
            hint="to shrink the token, use fewer or shorter session tags, or a smaller session policy",
        )
    if words >= variables:
        return CommandCannotRun(
            f"cannot run {path}: its arguments are too large for the system ({words} bytes)",
            hint="pass fewer arguments at a time: xargs",
        )
    return CommandCannotRun(
        f"cannot run {path}: the environment is too large for the system ({variables} bytes)",
        hint="unset large variables; list them by size: env | awk '{print length, $1}' | sort -n",
    )


def _without_interpreter(path: str) -> AwsudoError:
    """The error for a program whose interpreter (of its #! line) or loader is missing."""
    try:
        with open(path, "rb") as file:
            first = file.readline(256).decode("utf-8", "replace").rstrip("\n")
    except OSError:
        first = ""
    hint = f"see its #! line: head -1 {shlex.quote(path)}"
    if first[:2] != "#!":
        return CommandNotFound(
            f"cannot run {path}: its loader is missing", hint=f"is it built for this system? file {shlex.quote(path)}"
        )
    interpreter = (first[2:].strip().split() or [""])[0]
    if first.endswith("\r"):
        hint = f"its lines end in CR LF, as on Windows; to convert it: sed -i 's/\\r$//' {shlex.quote(path)}"
    return CommandNotFound(f"cannot run {path}: its interpreter {interpreter} is missing", hint=hint)
