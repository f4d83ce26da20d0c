"""Reads what `awsudo export` writes, for each format with what would really read it: the shells themselves, parsers."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.world import PRINT_ENV, Done

Environ = dict[str, str]
#: How each shell is started without its owner's files.
SHELLS: dict[str, tuple[str, ...]] = {
    "dash": ("dash",),
    "mksh": ("mksh",),
    "bash": ("bash", "--noprofile", "--norc"),
    "zsh": ("zsh", "-f"),
    "fish": ("fish", "--no-config"),
    "tcsh": ("tcsh", "-f"),
    "elvish": ("elvish", "-norc"),
}
#: What makes a shell take the environment that stands on its stdin.
TAKE = {"fish": "source", "tcsh": 'eval "`cat`"'}
_TAKE_POSIX = 'eval "$(cat)"'
#: cmd takes no longer line ("Command prompt line string limitation", support.microsoft.com).
LONGEST_CMD_LINE = 8191


def in_shell(
    shell: str, script: str, *words: str, environ: Mapping[str, str], cwd: Path, stdin: bytes = b"", timeout: float = 30
) -> Done:
    """Run a script in a real shell; its words are "$@" there, or $argv."""
    zeroth = () if shell in ("fish", "tcsh", "elvish") else (shell,)
    done = subprocess.run(
        [*SHELLS[shell], "-c", script, *zeroth, *words],
        env=dict(environ),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "replace"))


class Reader(NamedTuple):
    """One way to read a format: text and the environment before it give the environment after it."""

    label: str
    read: Callable[[bytes, Environ, Path], Environ]
    needs: tuple[str, ...] = ()


def _shell(shell: str, before: str = "", take: str | None = None) -> Reader:
    def read(text: bytes, environ: Environ, cwd: Path) -> Environ:
        words = {"fish": "$argv", "tcsh": "$argv:q"}.get(shell, '"$@"')
        script = f"{before}\n{take or TAKE.get(shell, _TAKE_POSIX)}\nexec {words}"
        done = in_shell(shell, script, *PRINT_ENV, environ={"PATH": os.environ["PATH"]} | environ, cwd=cwd, stdin=text)
        assert (done.code, done.err) == (0, "")
        return {name: value for name, value in done.env.items() if name not in _SHELLS_OWN}

    return Reader(f"{shell}{f' after {before}' if before else ''}", read, (shell,))


#: What shells set on their own account, and the PATH that they are given.
_SHELLS_OWN = (
    *("PATH", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "HOME", "LOGNAME", "USER", "KSH_VERSION"),
    *("HOSTTYPE", "VENDOR", "OSTYPE", "MACHTYPE", "GROUP", "HOST", "NLSPATH"),
)


#: To PowerShell they are all the same: the plain quote and the typographic ones.
_QUOTES = "'\u2018\u2019\u201a\u201b"


def _powershell(text: bytes, environ: Environ, cwd: Path) -> Environ:
    """The two statements that are written, their strings as PowerShell's tokenizer scans them (ScanStringLiteral)."""
    rest, result = text.decode("utf-8", "surrogateescape"), dict(environ)
    while rest:
        removal = re.match(r"Remove-Item Env:(\w+) -ErrorAction SilentlyContinue\n", rest)
        if removal:
            result.pop(removal[1], None)
            rest = rest[removal.end() :]
            continue
        assignment = re.match(rf"\$Env:(\w+) = [{_QUOTES}]", rest)
        assert assignment, f"no statement that PowerShell is known to take: {rest[:80]!r}"
        value, rest = _single_quoted(rest[assignment.end() :])
        assert rest.startswith("\n"), f"the string ends early: {rest[:80]!r}"
        rest = rest[1:]
        result[assignment[1]] = value
        if not value:
            del result[assignment[1]]  # to PowerShell, an empty variable is an unset one
    return result


def _single_quoted(text: str) -> tuple[str, str]:
    """The string up to its closing quote, and what follows; of two quotes in a row, whatever their kind, the second is
    meant."""
    value, at = "", 0
    while True:
        character = text[at]
        if character in _QUOTES:
            at += 1
            if text[at : at + 1] not in set(_QUOTES):
                return value, text[at:]
            character = text[at]
        value += character
        at += 1


def _cmd(text: bytes, environ: Environ, cwd: Path) -> Environ:
    """Lines of `set "NAME=VALUE"`, where nothing may stand that cmd expands or that ends the quotes."""
    result = dict(environ)
    for line in text.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n"):
        setting = re.fullmatch(r'set "(\w+)=([^"%!^\r]*)"', line, re.DOTALL)
        assert setting, f"cmd would not take this as it is meant: {line[:80]!r}"
        assert len(line) <= LONGEST_CMD_LINE
        result[setting[1]] = setting[2]
        if not setting[2]:
            del result[setting[1]]  # to cmd, an empty variable is an unset one
    return result


def _dotenv(text: bytes, environ: Environ, cwd: Path) -> Environ:
    from dotenv import dotenv_values

    output = text.decode("utf-8", "surrogateescape")
    # expanding ${…} even in single quotes is python-dotenv's own, and can be turned off
    values = dotenv_values(stream=io.StringIO(output, newline=""), interpolate=False)
    return {**environ, **{name: value for name, value in values.items() if value is not None}}


def docker_env_file(text: bytes, environ: Environ, cwd: Path) -> Environ:
    """`docker run --env-file`: whatever stands after the first `=` is the value, quotes too."""
    lines = [line.lstrip() for line in text.decode("utf-8", "surrogateescape").splitlines()]
    return {**environ, **dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))}


def _json(text: bytes, environ: Environ, cwd: Path) -> Environ:
    result: dict[str, str | None] = {**environ, **json.loads(text)}
    return {name: value for name, value in result.items() if value is not None}


#: What a credential_process prints, and the variable that says the same.
PROCESS = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
    "Expiration": "AWS_CREDENTIAL_EXPIRATION",
}


def _process(text: bytes, environ: Environ, cwd: Path) -> Environ:
    output = json.loads(text)
    assert output.pop("Version") == 1
    return {**environ, **{PROCESS[field]: value for field, value in output.items()}}


_STRICT = "set -eu -o noclobber"
#: For each format of the registry, all that reads it here.
READERS: dict[str, Sequence[Reader]] = {
    "sh": (
        _shell("dash"),
        _shell("dash", "set -eu -C"),
        _shell("mksh"),
        _shell("mksh", _STRICT),
        _shell("bash", "set -o posix"),
        _shell("zsh", "emulate sh"),
        _shell("zsh", "emulate ksh"),
    ),
    "bash": (
        _shell("bash"),
        _shell("bash", f"{_STRICT} -o pipefail"),
        _shell("bash", "shopt -s extglob nullglob failglob; set -H"),
    ),
    "zsh": (
        _shell("zsh"),
        _shell("zsh", _STRICT),
        _shell("zsh", "setopt rc_quotes glob_subst sh_word_split extended_glob magic_equal_subst null_glob bang_hist"),
    ),
    "fish": (_shell("fish"), _shell("fish", take="eval (cat | string collect)")),
    "csh": (
        _shell("tcsh"),
        _shell("tcsh", "set backslash_quote"),
        _shell("tcsh", "set nonomatch noclobber printexitvalue; set echo_style = both"),
    ),
    "powershell": (Reader("parser", _powershell),),
    "cmd": (Reader("parser", _cmd),),
    "dotenv": (Reader("python-dotenv", _dotenv),),
    "json": (Reader("parser", _json),),
    "process": (Reader("parser", _process),),
}
_UNQUOTED = {"fish": "eval (cat)", "tcsh": "eval `cat`"}
#: Those that read the unquoted `eval $(…)` that people write; for values without spaces or globs.
UNQUOTED = tuple(_shell(shell, take=_UNQUOTED.get(shell, "eval $(cat)")) for shell in SHELLS if shell != "elvish")
