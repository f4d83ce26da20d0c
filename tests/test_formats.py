"""Formats: every value arrives as it was, in the program that really reads it, and nothing of it is executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.aws_credentials import Credentials
from awsudo_py.child_environment import changes_for, unset_changes
from awsudo_py.cli.formats import FORMATS, format_of_shell
from awsudo_py.errors import AwsudoError
from awsudo_py.grammar import registry
from tests.conftest import needs
from tests.readers import LONGEST_CMD_LINE, PROCESS, READERS, UNQUOTED, Reader, docker_env_file

Changes = dict[str, str | None]
#: Each of these, taken for a command by any shell, would leave a file in the working directory.
COMMANDS = (
    "'; touch pwned; '",
    '"; touch pwned; "',
    "\\'; touch pwned; \\'",
    "\\\\'; touch pwned; '",
    "''; touch pwned; ''",
    "$(touch pwned)",
    "${x:-$(touch pwned)}",
    "`touch pwned`",
    "(touch pwned)",
    "'(touch pwned)'",
    "<(touch pwned)",
    "x\ntouch pwned\n",
    "x\n'\ntouch pwned\n'",
    "x; touch pwned",
    "x | touch pwned",
    "x && touch pwned #",
    "x > pwned",
    ">pwned",
    "=touch pwned",
    "\u2019; touch pwned; \u2019",
    "\u2018\u201b; touch pwned; \u201a'",
)
#: Each means something to some shell, or to a parser of files.
MEANINGFUL = (
    *(
        "",
        " ",
        "  lead",
        "trail  ",
        "\ttab\t",
        "two  spaces",
        "'",
        "''",
        "'''",
        '"',
        '""',
        "\\",
        "\\\\",
        "\\'",
        "end\\",
    ),
    *("\n", "a\nb", "trailing\n", "\n\n", "\r", "a\r\nb", "\\n", "\\\n", "a\\\nb"),
    *(
        "$HOME",
        "${HOME}",
        "$$",
        "$'x'",
        "$0",
        "%PATH%",
        "%",
        "100%",
        "!!",
        "!",
        "!x!",
        "^",
        "a^b",
        "^^",
        "&",
        "a&b",
        "|",
    ),
    *(
        "=ls",
        "=",
        "==",
        "~",
        "~root",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "#",
        "a #b",
        "a#b",
        ";",
        "(",
        ")",
        "<",
        ">",
        "`",
        "@",
    ),
    *(
        "-n",
        "-e",
        "--",
        "export",
        "null",
        "true",
        "0",
        "A=B",
        "é",
        "日本",
        "🦄",
        "e\u0301",
        "\u2028",
        "\u00a0",
        "\ufeff",
    ),
    *("\x01", "\x1b[31m", "\x7f", "\x85", "\udcff", "a\udcff\udcfeb", "x" * 100_000),
)
HOSTILE = (*COMMANDS, *MEANINGFUL)
#: The commands again, in what could end a quote, or begin one that the format's own then ends.
SURROUNDED = tuple(
    f"{before}{command}{after}"
    for command in COMMANDS
    for before, after in (("'", "'"), ('"', '"'), ("\\", "\\"), ("a\n", "\nb"), ("\u201c", "\u2019"))
)
#: What a format cannot carry, and so refuses.
REFUSED = {
    "cmd": lambda value: any(character in value for character in '"%!^\r\n') or len(value) > LONGEST_CMD_LINE,
    "dotenv": lambda value: "\r" in value or "\n" in value,
    "csh": lambda value: "\n" in value,
}
ALL = [
    pytest.param(name, reader, id=f"{name}-{reader.label}", marks=needs(*reader.needs))
    for name, readers in READERS.items()
    for reader in readers
]


def _carried(name: str, value: str) -> bool:
    return name not in REFUSED or not REFUSED[name](value)


def _batches(name: str, values: list[str]) -> Iterator[Mapping[str, str]]:
    """The values under names that this format has: a credential_process prints four."""
    names = list(PROCESS.values()) if name == "process" else [f"VALUE_{number}" for number in range(len(values))]
    for start in range(0, len(values), len(names)):
        # a credential_process prints all four, and none of them is left out for being the last
        yield dict(zip(names, [*values[start:], *[""] * 3], strict=False))


def _bytes(environ: Mapping[str, str]) -> dict[str, bytes]:
    return {name: value.encode("utf-8", "surrogateescape") for name, value in environ.items()}


def _arrives(name: str, reader: Reader, values: list[str], cwd: Path) -> None:
    for batch in _batches(name, values):
        text = FORMATS[name].write(dict(batch))

        found = reader.read(text.encode("utf-8", "surrogateescape"), {}, cwd)

        # an empty variable is an unset one to cmd and PowerShell
        stored = {key: value for key, value in batch.items() if value or name not in ("cmd", "powershell")}
        assert _bytes(found) == _bytes(stored)
    assert not list(cwd.iterdir()), "something was executed"


def test_no_name_comes_from_outside() -> None:
    """Names are written without quotes: they are awsudo's own, whatever a target, a role or a region is called."""
    odd = "x; touch pwned"
    session = Credentials(odd, odd, odd, 2_000_000_000.0, arn=odd)

    changes = {
        **changes_for(session, {}, target=odd, role_arn=odd, region=odd, settings={"AWS_CA_BUNDLE": odd}),
        **unset_changes({}),
    }

    assert [name for name in changes if not (name.isascii() and name.isidentifier() and name.isupper())] == []


#: Written to a file of GitHub Actions, not to stdout: test_identities.py reads it.
OF_A_FILE = {"github"}
TO_STDOUT = [name for name in FORMATS if name not in OF_A_FILE]


def test_every_format_has_a_reader() -> None:
    """A new format comes with the program that reads it, or these tests prove nothing of it."""
    assert set(READERS) | OF_A_FILE == set(FORMATS)


@pytest.mark.parametrize(("name", "reader"), ALL)
def test_every_value_arrives_as_it_was(name: str, reader: Reader, tmp_path: Path) -> None:
    """Quotes, newlines, substitutions, globs, Unicode, invalid UTF-8, nothing, 100 KB: all equal, none run."""
    assert len({*HOSTILE, *SURROUNDED}) >= 200

    _arrives(name, reader, [value for value in (*HOSTILE, *SURROUNDED) if _carried(name, value)], tmp_path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory that nothing may write to."""
    return tmp_path_factory.mktemp("scratch")


#: Mostly what has a meaning somewhere, one or two of all else.
_CHARACTERS = st.one_of(
    st.sampled_from("'\"\\$`!%^=~#&|;()<>{}[]*?@-:,. \t\n\rnxe\x01\x7f\u2018\u2019\u201a\u201bé🦄\udcff\udcc3\udca9"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)


@pytest.mark.parametrize(("name", "reader"), ALL)
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(values=st.lists(st.text(_CHARACTERS, max_size=20), min_size=8, max_size=60))
def test_any_value_arrives_as_it_was(name: str, reader: Reader, scratch: Path, values: list[str]) -> None:
    """What nobody thought of arrives too."""
    _arrives(name, reader, [value for value in values if _carried(name, value)], scratch)


@pytest.mark.parametrize("name", TO_STDOUT)
def test_what_a_format_cannot_carry_is_refused(name: str) -> None:
    """A value is never mangled in silence: it is carried, or refused by its variable's name and without its text."""
    refused = []

    for value in HOSTILE:
        try:
            FORMATS[name].write(
                {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": value}
            )
        except AwsudoError as error:
            refused.append(value)
            assert "AWS_SESSION_TOKEN" in error.message and error.hints
            assert len(value) < 5 or value not in str(error)

    assert refused == [value for value in HOSTILE if not _carried(name, value)]


@pytest.mark.parametrize("value", ['"', "%PATH%", "!x!", "^", "a\nb", "a\rb", "x" * (LONGEST_CMD_LINE + 1)])
def test_cmd_refuses_what_it_would_change(value: str) -> None:
    """cmd has no quoting for these, and cuts off no line: what it would read is something else."""
    with pytest.raises(AwsudoError, match="AWS_SESSION_TOKEN"):
        FORMATS["cmd"].write({"AWS_SESSION_TOKEN": value})


@pytest.mark.parametrize(("name", "reader"), [each for each in ALL if each.values[0] not in ("dotenv", "process")])
def test_what_is_to_be_unset_is_unset(name: str, reader: Reader, tmp_path: Path) -> None:
    """A variable that is to go is gone, not empty; one that never was is not an error, under `set -eu` too."""
    changes: Changes = {"GONE": None, "NEVER": None, "STAYS": "new", "LAST": None}

    found = reader.read(
        FORMATS[name].write(changes).encode(), {"GONE": "old", "STAYS": "old", "OTHER": "kept"}, tmp_path
    )

    assert found == {"STAYS": "new", "OTHER": "kept"}


SIMPLE = {
    "AWS_ACCESS_KEY_ID": "ASIAQWERTYUIOP234567",
    "AWS_SECRET_ACCESS_KEY": "abc/def+ghi/JKL+mno/PQR+stu/VWX+yz01234=",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjE" * 60 + "/+==",
    "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z",
    "AWSUDO_ROLE_ARN": "arn:aws:iam::111111111111:role/path/dev",
    "AWS_REGION": "eu-west-1",
}


@pytest.mark.parametrize("reader", [pytest.param(each, id=each.label, marks=needs(*each.needs)) for each in UNQUOTED])
def test_eval_without_quotes_works_too(reader: Reader, tmp_path: Path) -> None:
    """`eval $(awsudo export prod)` joins the lines to one: each ends with its own semicolon."""
    name = format_of_shell(reader.needs[0])
    text = FORMATS[name].write({"GONE": None, **SIMPLE, "AWS_PROFILE": None})

    found = reader.read(text.encode(), {"GONE": "old", "AWS_PROFILE": "old"}, tmp_path)

    assert found == SIMPLE


def test_docker_reads_credentials_as_they_are(tmp_path: Path) -> None:
    """`docker run --env-file` knows no quotes: ordinary credentials are written without."""
    text = FORMATS["dotenv"].write({**SIMPLE, "AWS_PROFILE": None, "EMPTY": ""})

    assert docker_env_file(text.encode(), {}, tmp_path) == {**SIMPLE, "EMPTY": ""}


def test_a_credential_process_has_no_form_for_less_than_keys() -> None:
    """Without keys there is nothing that an SDK could take, and no way to say so in that format."""
    with pytest.raises(AwsudoError, match="credential_process"):
        FORMATS["process"].write({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})


def test_long_lived_keys_make_a_credential_process_without_token_and_expiration() -> None:
    """The SDKs take an absent SessionToken or Expiration for "none"; null is not in the format."""
    changes: Changes = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": None}

    text = FORMATS["process"].write(changes)

    assert text == '{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s"}\n'


@pytest.mark.parametrize("name", TO_STDOUT)
def test_text_ends_with_one_newline(name: str) -> None:
    """What is appended to it, or read line by line, finds its end."""
    text = FORMATS[name].write({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": None})

    assert text.endswith("\n") and not text.endswith("\n\n")


@pytest.mark.parametrize("spelling", ["{}", "-{}", "/usr/bin/{}", "C:\\Program Files\\{}.exe", "{}.EXE"])
def test_every_shell_of_the_registry_gets_its_format(spelling: str) -> None:
    """A login shell's dash, a path, Windows' endings and capitals make no difference."""
    shells = [(form.name, shell) for form in FORMATS.values() for shell in form.shells]

    found = [(format_of_shell(spelling.format(shell)), shell) for _, shell in shells]

    assert found == shells


@pytest.mark.parametrize("program", ["", "python3", "make", "fishy", "bash5x", "node"])
def test_any_other_program_gets_sh(program: str) -> None:
    """What POSIX shells read is what most programs can make something of."""
    assert format_of_shell(program) == "sh"


def test_the_command_line_knows_every_format() -> None:
    """The names that --format takes and completion offers are those of the registry."""
    assert tuple(FORMATS) == registry.FORMATS
