"""Writes changes of an environment as text: one table of formats, and all quoting.

A format is one function, one line of _FORMATS and its name in the grammar. A value that a format cannot carry is
refused, never mangled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.errors import AwsudoError
from awsudo_py.grammar.registry import FORMATS as NAMES
from awsudo_py.sessions.cached_session import RENEW_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.child_environment import Changes


class Format(NamedTuple):
    """One way to write changes.

    shells: the programs that read it. ahead: how many seconds before it expires its reader wants a session renewed.
    """

    name: str
    write: Callable[[Changes], str]
    shells: tuple[str, ...] = ()
    ahead: float = RENEW_AHEAD


def _posix(changes: Changes) -> str:
    """One command per line, each with its semicolon, so that an unquoted `eval $(…)` works too."""

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
            # `set -e` erases the innermost scope only, and fails if there is no variable; a universal variable cannot
            # be hidden, only erased
            notice = f"awsudo: erasing the universal variable {name}, in every fish"
            return f"if set -qU {name}; echo '{notice}' >&2; end; while set -q {name}; set -e {name}; end;\n"
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


#: PowerShell reads the typographic single quotes, U+2018 to U+201B, as the plain one.
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
        raise AwsudoError("dotenv cannot unset variables", hint="use another --format with --unset")

    def line(name: str, value: str) -> str:
        if "\n" in value or "\r" in value:
            raise AwsudoError(f"dotenv cannot carry the value of {name}: it has a line break", hint="use --format json")
        # Without quotes if possible: `docker run --env-file` reads quotes as a part of the value.
        plain = all(character.isalnum() or character in "_./:=+@,-" for character in value)
        if plain:
            return f"{name}={value}\n"
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{name}='{escaped}'\n"

    return "".join(line(name, value) for name, value in changes.items() if value is not None)


#: The variables whose values GitHub Actions is to hide in its logs.
_SECRET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _github(changes: Changes) -> str:
    """For a step of GitHub Actions: masks the secrets on stdout, and hands the variables to the following steps.

    The file $GITHUB_ENV cannot unset a variable: one that is set, and must go, becomes empty.
    """
    import os

    path = os.environ.get("GITHUB_ENV", "")
    if not path:
        raise AwsudoError("GITHUB_ENV is not set: this is not a step of GitHub Actions", hint="use another --format")
    lines = []
    for name, value in changes.items():
        if value is not None and ("\n" in value or "\r" in value):
            raise AwsudoError(f"GITHUB_ENV cannot carry the value of {name}: it has a line break")
        if value is not None or os.environ.get(name):
            lines.append(f"{name}={value or ''}\n")
    masks = "".join(f"::add-mask::{changes[name]}\n" for name in _SECRET if changes.get(name))
    try:
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(lines))
    except OSError as error:
        raise AwsudoError(f"cannot write to GITHUB_ENV ({path}): {error.strerror}") from None
    return masks


def _json(changes: Changes) -> str:
    import json

    return json.dumps(changes, indent=2) + "\n"


def _process(changes: Changes) -> str:
    key, secret = changes.get("AWS_ACCESS_KEY_ID"), changes.get("AWS_SECRET_ACCESS_KEY")
    if key is None or secret is None:
        raise AwsudoError("credential_process cannot unset variables", hint="use another --format with --unset")
    return _process_json(key, secret, changes.get("AWS_SESSION_TOKEN"), changes.get("AWS_CREDENTIAL_EXPIRATION"))


def credential_process(credentials: Credentials) -> str:
    """These credentials as a credential_process prints them."""
    until = None if credentials.expiration is None else rfc3339(credentials.expiration)
    return _process_json(credentials.access_key_id, credentials.secret_access_key, credentials.session_token, until)


def _process_json(key: str, secret: str, token: str | None, until: str | None) -> str:
    """What a credential_process prints (AWS SDKs and tools reference guide, "Process credential provider")."""
    import json

    fields = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": until}
    return json.dumps({"Version": 1, **{name: value for name, value in fields.items() if value is not None}}) + "\n"


_FORMATS = (
    Format("sh", _posix, ("sh", "dash", "ash", "ksh", "mksh", "busybox")),
    Format("bash", _posix, ("bash",)),
    Format("zsh", _posix, ("zsh",)),
    Format("fish", _fish, ("fish",)),
    Format("csh", _csh, ("csh", "tcsh")),
    Format("powershell", _powershell, ("powershell", "pwsh")),
    Format("cmd", _cmd, ("cmd",)),
    Format("dotenv", _dotenv),
    Format("github", _github),
    Format("json", _json),
    # botocore renews a quarter of an hour ahead, and would call again before every request for less
    Format("process", _process, ahead=900.0),
)
#: The formats by name, in the order of the grammar, which has their names.
FORMATS = {name: next(each for each in _FORMATS if each.name == name) for name in NAMES}


def format_of_shell(program: str) -> str:
    """The format that this shell reads; sh for a program that is not known."""
    name = program.replace("\\", "/").rsplit("/", 1)[-1].lower().removeprefix("-").removesuffix(".exe")
    return next((each.name for each in FORMATS.values() if name in each.shells), "sh")
