"""Changes of an environment as text: one registry, and all quoting.

A format is one function and one line of FORMATS. What a format cannot carry is refused, never mangled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.sessions.cached_session import RENEW_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.environment import Changes


class Format(NamedTuple):
    """One way to write changes.

    shells: the programs that read it. ahead: by how many seconds before its end its reader wants a session renewed.
    """

    name: str
    write: Callable[[Changes], str]
    said: str
    shells: tuple[str, ...] = ()
    ahead: float = RENEW_AHEAD


def _posix(changes: Changes) -> str:
    """One command a line, each with its semicolon, so that an unquoted `eval $(…)` works too."""

    def line(name: str, value: str | None) -> str:
        if value is None:
            return f"unset {name};\n"
        # Always quoted: zsh expands a bare leading `=`.
        quoted = value.replace("'", "'\\''")
        return f"export {name}='{quoted}';\n"

    return "".join(line(name, value) for name, value in changes.items())


def _fish(changes: Changes) -> str:
    def line(name: str, value: str | None) -> str:
        if value is None:
            # `set -e` erases the innermost scope only, and fails where there is none; a universal variable cannot be
            # hidden by less than its end
            told = f"awsudo: the universal variable {name} is erased, in every fish"
            return f"if set -qU {name}; echo '{told}' >&2; end; while set -q {name}; set -e {name}; end;\n"
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{quoted}';\n"

    return "".join(line(name, value) for name, value in changes.items())


def _csh(changes: Changes) -> str:
    """For tcsh and csh: history substitution works inside quotes too, and a line break ends any word."""

    def line(name: str, value: str | None) -> str:
        if value is None:
            return f"unsetenv {name};\n"
        if "\n" in value:
            raise AwsudoError(f"csh cannot carry the value of {name}: it has a line break", hint="use --format json")
        # outside the quotes: what a backslash does inside them depends on $backslash_quote
        quoted = "".join(f"'\\{character}'" if character in "'!\\" else character for character in value)
        return f"setenv {name} '{quoted}';\n"

    return "".join(line(name, value) for name, value in changes.items())


#: PowerShell takes the typographic single quotes, U+2018 to U+201B, for the plain one.
_POWERSHELL_QUOTES = "'\u2018\u2019\u201a\u201b"


def _powershell(changes: Changes) -> str:
    def line(name: str, value: str | None) -> str:
        if value is None:
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"
        quoted = "".join(character * 2 if character in _POWERSHELL_QUOTES else character for character in value)
        return f"$Env:{name} = '{quoted}'\n"

    return "".join(line(name, value) for name, value in changes.items())


#: Microsoft Learn, "Command prompt line string limitation".
_LONGEST_CMD_LINE = 8191


def _cmd(changes: Changes) -> str:
    for name, value in changes.items():
        too_long = value is not None and len(f'set "{name}={value}"') > _LONGEST_CMD_LINE
        if value is not None and (too_long or any(character in '"%!^\r\n' for character in value)):
            raise AwsudoError(f"cmd cannot carry the value of {name} safely", hint="use --format powershell or dotenv")
    return "".join(f'set "{name}={value or ""}"\n' for name, value in changes.items())


def _dotenv(changes: Changes) -> str:
    if all(value is None for value in changes.values()):
        raise AwsudoError("dotenv has no form for unsetting", hint="use another --format with --unset")

    def line(name: str, value: str) -> str:
        if "\n" in value or "\r" in value:
            raise AwsudoError(f"dotenv cannot carry the value of {name}: it has a line break", hint="use --format json")
        # Bare, as long as it can be: `docker run --env-file` takes quotes for a part of the value.
        plain = all(character.isalnum() or character in "_./:=+@,-" for character in value)
        if plain:
            return f"{name}={value}\n"
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{name}='{escaped}'\n"

    return "".join(line(name, value) for name, value in changes.items() if value is not None)


def _json(changes: Changes) -> str:
    import json

    return json.dumps(changes, indent=2) + "\n"


def _process(changes: Changes) -> str:
    """What a credential_process prints (AWS SDKs and tools reference guide, "Process credential provider")."""
    import json

    given = {
        "AccessKeyId": changes.get("AWS_ACCESS_KEY_ID"),
        "SecretAccessKey": changes.get("AWS_SECRET_ACCESS_KEY"),
        "SessionToken": changes.get("AWS_SESSION_TOKEN"),
        "Expiration": changes.get("AWS_CREDENTIAL_EXPIRATION"),
    }
    if given["AccessKeyId"] is None:
        raise AwsudoError("credential_process has no form for unsetting", hint="use another --format with --unset")
    return json.dumps({"Version": 1, **{name: value for name, value in given.items() if value is not None}}) + "\n"


FORMATS = {
    each.name: each
    for each in (
        Format("sh", _posix, "POSIX shells", ("sh", "dash", "ash", "ksh", "mksh", "busybox")),
        Format("bash", _posix, "bash", ("bash",)),
        Format("zsh", _posix, "zsh", ("zsh",)),
        Format("fish", _fish, "fish", ("fish",)),
        Format("csh", _csh, "tcsh and csh", ("csh", "tcsh")),
        Format("powershell", _powershell, "PowerShell", ("powershell", "pwsh")),
        Format("cmd", _cmd, "Windows cmd", ("cmd",)),
        Format("dotenv", _dotenv, "NAME=value lines, for docker --env-file and the like"),
        Format("json", _json, "an object; null stands for unset"),
        # botocore renews a quarter of an hour ahead, and would ask again before every call for less
        Format("process", _process, "what a credential_process prints", ahead=900.0),
    )
}


def format_of_shell(program: str) -> str:
    """The format that this shell reads; sh where the program is none that is known."""
    name = program.replace("\\", "/").rsplit("/", 1)[-1].lower().removeprefix("-").removesuffix(".exe")
    return next((each.name for each in FORMATS.values() if name in each.shells), "sh")
