"""The AWS files as they are on real machines: thousands of profiles, odd headers, other tools' keys, closed folders."""

from __future__ import annotations

import ast
import configparser
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.errors import AwsudoError
from awsudo_py.fingerprint import Files
from awsudo_py.model import Request
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from awsudo_py.resolve.quick_reader import quick_sections
from tests.conftest import needs
from tests.differential.corpus import CASES
from tests.servers.ci import jwt
from tests.servers.strict_sts import StrictSts
from tests.world import PRINT_ENV, World

KEYS = "aws_access_key_id = AKIAQWERTYUIOP234567\naws_secret_access_key = abcdefghijklmnopqrstuvwxyzabcdefghijklmn\n"
BASE = f"[base]\n{KEYS}"
ROLE = "role_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\n"


# -- the quick reader


def _strictly(text: str) -> dict[str, dict[str, str]] | None:
    """What the SDKs' parser finds; None if it refuses the text."""
    parser = configparser.RawConfigParser(default_section="\n")
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    return {section: dict(parser.items(section)) for section in parser.sections()}


_LINES = [
    *(
        "[profile a]",
        "[profile b]",
        "  [profile c]",
        "[default]",
        '[profile "x y"]',
        "[profile  z ]",
        "[a]",
        "[]",
        "[]]",
    ),
    *("k = v", "  role_arn = x", "role_arn: y", "Role_ARN=z", "m = n:o=p", " [x]", "", "   ", "# c", "  ; c", "; d"),
    *(
        "[a b]",
        "sts =",
        "\t[profile t]",
        "[profile w] # c",
        "x = [y]",
        "x=",
        "= y",
        "key",
        "[x]y]",
        "\ufeff[b]",
        "\x1cz = 1",
    ),
    *(
        "\u00a0[nb]",
        "l = 1\r",
        "q = '1'",
        "  endpoint_url = u",
        "k = v # c",
        "\x0b",
        "\x85",
        "K : v",
        "a = b = c",
        "[",
        "]",
    ),
]


@settings(max_examples=3000, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(_LINES), max_size=9))
def test_the_quick_reader_finds_what_the_parser_finds(lines: list[str]) -> None:
    """On any text it gives the same sections and settings in the same order, or leaves the text to the parser."""
    text = "\n".join(lines)
    quick, strict = quick_sections(text), _strictly(text)

    if quick is not None:
        assert strict is not None
        assert [(name, list(each.items())) for name, each in quick.items()] == [
            (name, list(each.items())) for name, each in strict.items()
        ]


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="[]=:#; \t\nab\r\x0b", max_size=40))
def test_the_quick_reader_agrees_on_any_characters(text: str) -> None:
    """Brackets, blanks, comments and signs in any order."""
    quick = quick_sections(text)

    assert quick is None or quick == _strictly(text)


def test_usual_files_are_read_quickly() -> None:
    """Files of a plain form are not left to the parser: thousands of profiles, services, comments, continued lines."""
    texts = [case.config for case in CASES.values() if isinstance(case.config, str)]
    many = "".join(f"# {n}\n[profile p{n}]\n{ROLE}region = eu-west-1\n\n" for n in range(5000))
    services = "[services s]\ns3 =\n  endpoint_url = http://127.0.0.1:4566\n\n  x = y\nsts =\n    # c\n    a = b\n"

    assert sum(quick_sections(text) is not None for text in texts) > len(texts) * 0.8
    assert quick_sections(many) == _strictly(many)
    assert quick_sections(services) == _strictly(services)


# -- what is almost right


class Almost(NamedTuple):
    """Files with a slip, and the texts of the message; ~ stands for their folder."""

    config: str
    texts: tuple[str, ...]
    credentials: str = BASE
    target: str = "foo"


HEADERS = {
    "blanks in the header": Almost(f"[ profile foo ]\n{ROLE}", ("~/config has [ profile foo ]", "[profile foo]")),
    "capitals": Almost(f"[PROFILE foo]\n{ROLE}", ("[PROFILE foo]", "the SDKs read [profile foo] there")),
    "no blank": Almost(f"[profilefoo]\n{ROLE}", ("[profilefoo]", "the SDKs read [profile foo] there")),
    "no word": Almost(f"[foo]\n{ROLE}", ("[foo]", "the SDKs read [profile foo] there")),
    "an apostrophe": Almost(
        f"[profile o'brien]\n{ROLE}",
        ("[profile o'brien]", 'the SDKs read [profile "o\'brien"] there'),
        target="o'brien",
    ),
    "a blank in the name": Almost(
        f"[profile my corp]\n{ROLE}", ("[profile my corp]", 'the SDKs read [profile "my corp"] there'), target="my corp"
    ),
    "blanks in credentials": Almost("", ("~/credentials has [ foo ]", "the SDKs read [foo] there"), f"[ foo ]\n{KEYS}"),
    "profile in credentials": Almost(
        "", ("~/credentials has [profile foo]", "read [foo] there"), f"[profile foo]\n{KEYS}"
    ),
    "an indented header": Almost(
        f"[default]\nregion = eu-west-1\n  [profile foo]\n{ROLE}", ("~/config: line 3 is indented",)
    ),
    "an SSO session": Almost(
        "[profile foo]\nsso_session = my corp\nsso_account_id = 111111111111\nsso_role_name = Dev\n[sso-session my corp]\n",
        ("[sso-session my corp]", 'the SDKs read [sso-session "my corp"] there'),
    ),
    # settings that are not where they seem
    "an indented role": Almost(
        "[profile foo]\nregion = eu-west-1\n  role_arn = arn:aws:iam::111111111111:role/dev\n",
        ("role_arn is indented below region (~/config, line 2)", "remove the blanks"),
    ),
    "an indented source": Almost(
        "[profile foo]\nrole_arn = arn:aws:iam::111111111111:role/dev\nregion = eu-west-1\n  source_profile = base\n",
        ("source_profile is indented below region",),
    ),
    "a source in DEFAULT": Almost(
        "[DEFAULT]\nsource_profile = base\n[profile foo]\nrole_arn = arn:aws:iam::111111111111:role/dev\n",
        ("source_profile is in [DEFAULT] of ~/config",),
    ),
    "keys in DEFAULT": Almost(
        "[profile foo]\nregion = eu-west-1\n",
        ("aws_access_key_id is in [DEFAULT] of ~/credentials",),
        f"[DEFAULT]\n{KEYS}",
    ),
    # other tools
    "aws-vault": Almost("[profile foo]\ninclude_profile = base\n", ("include_profile is a key of aws-vault", "= base")),
    "aws-vault's parent": Almost("[profile foo]\nparent_profile = base\n", ("parent_profile", "source_profile = base")),
    "Granted": Almost("[profile foo]\ngranted_sso_start_url = x\n", ("Granted", "sso_start_url, sso_region")),
    "an sso_session alone": Almost(
        "[profile foo]\nsso_session = corp\n[sso-session corp]\n", ("add sso_account_id and sso_role_name",)
    ),
    "a region alone": Almost("[profile foo]\nregion = eu-west-1\n", ("credential_source = Ec2InstanceMetadata",)),
    # what goes to SSO
    "a short account": Almost(
        "[profile foo]\nsso_start_url = https://x\nsso_region = eu-west-1\nsso_account_id = 1111\nsso_role_name = Dev\n",
        ("sso_account_id of profile foo (~/config, line 4): 4 characters; SSO takes 12",),
    ),
    "a role's ARN": Almost(
        "[profile foo]\nsso_start_url = https://x\nsso_region = eu-west-1\nsso_account_id = 111111111111\n"
        "sso_role_name = a/b\n",
        ("sso_role_name of profile foo (~/config, line 5)", "SSO does not accept"),
    ),
}


def _refusal(folder: Path, config: str, credentials: str, target: str, environ: Mapping[str, str]) -> str:
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)
    files = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    environ = {**files, **environ}
    with pytest.raises(AwsudoError) as refused:
        Resolver(aws_config.load(environ, Files(0)), environ, lambda _: None).chain(Request(target=target))
    return "\n".join((refused.value.message, *refused.value.hints)).replace(str(folder), "~")


@pytest.mark.parametrize("almost", HEADERS.values(), ids=HEADERS)
def test_what_is_almost_right_gets_the_line_that_is(almost: Almost, tmp_path: Path) -> None:
    """The hint names the file and what is written there, and shows what works, quoted right."""
    output = _refusal(tmp_path, almost.config, almost.credentials, almost.target, {})

    for words in almost.texts:
        assert words in output


def test_sudo_awsudo_names_the_user_whose_files_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, by sudo: the profile that is missing is in the user's own files."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert "not those of alice" in _refusal(tmp_path, "", "", "foo", {"SUDO_USER": "alice"})
    assert "sudo" not in _refusal(tmp_path, "", "", "foo", {})


# -- what cannot be read


@pytest.fixture
def anybody() -> tuple[str, ...]:
    """A prefix that takes root's powers over files away."""
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


@needs("setpriv")
@pytest.mark.parametrize("closed", ["the folder", "both files", "directories"])
def test_a_closed_home_stops_only_what_needs_it(
    world: World, sts: StrictSts, anybody: tuple[str, ...], closed: str
) -> None:
    """docker run -u, a bind mount of nothing: with keys in the environment it goes on; a profile is refused by name."""
    folder = world.home / ".aws"
    words = (folder / "credentials").read_text().split()
    keys: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": words[3], "AWS_SECRET_ACCESS_KEY": words[6]}
    if closed == "directories":
        for name in ("config", "credentials"):
            (folder / name).unlink()
            (folder / name).mkdir()
    elif closed == "both files":
        for name in ("config", "credentials"):
            (folder / name).chmod(0)
    else:
        folder.chmod(0)
    try:
        arn = "arn:aws:iam::111111111111:role/dev"
        by_keys = world.run(arn, *PRINT_ENV, env=keys, prefix=anybody)
        by_profile = world.run("dev", "true", env=keys, prefix=anybody)
        by_nothing = world.run(arn, "true", prefix=anybody)
    finally:
        folder.chmod(0o700)

    assert by_keys.code == 0, by_keys.err
    assert by_profile.code == by_nothing.code == 125
    for done in (by_profile, by_nothing):
        assert done.err.startswith(f"awsudo: cannot read {folder}/config: ")
        assert done.err.count("awsudo: ") == 1
    mended = {"the folder": f"chmod u+rx {folder}\n", "both files": f"chmod u+r {folder}/config\n", "directories": ""}
    assert mended[closed] in by_profile.err


#: What may stand in a command as it is: words of our own, what AWS makes of letters and digits, what is quoted before.
BARE = {
    "add.py: name", "advice.py: target", "child_errors.py: shell", "each.py: places[0]", "each.py: which",
    "errors.py: _words(chain)", "import_.py: options.tool",
    "error_codes.py: role.name if role else 'ROLE'", "export.py: name", "help.py: path", "man.py: usage(line)",
    "remove.py: each", "rotation.py: access_key_id", "rotation.py: others[0].access_key_id", "shell_init.py: name",
}  # fmt: skip


def test_a_name_in_a_command_is_quoted_for_the_shell() -> None:
    """A hint is a line to paste: what comes from outside is quoted wherever a message has it in a command."""
    package = Path(aws_config.__file__).parent.parent
    bare = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            before = ""
            for part in node.values if isinstance(node, ast.JoinedStr) else ():
                if isinstance(part, ast.Constant):
                    before += str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    value = ast.unparse(part.value)
                    in_command = re.search(r"(?:^|: |; |`)(?:awsudo|aws)(?: [\w-]+)+ $", before)
                    if in_command and "quote" not in value and f"{path.name}: {value}" not in BARE:
                        bare.append(f"{path.name}: {before}{{{value}}}")
                    before += "X"

    assert not bare, "\n".join(bare)


CORP = "arn:aws:iam::111111111111:role/corp"
#: What the profile `my corp` has, the words of a run, and the command that its hint shows.
QUOTED = [
    ("sso_session = my corp\nsso_account_id = 111111111111\nsso_role_name = Dev\n", "X true", "awsudo login 'my corp'"),
    ("region = eu-west-1\n", "X true", "aws configure list --profile 'my corp'"),
    (f"role_arn = {CORP}\nsource_profile = base\n", "X true", "awsudo explain 'my corp' --why"),
    ("", "keys rotate X", "awsudo keys add 'my corp'"),
    ("", "keys export X", "awsudo keys export 'my corp' --process"),
    (KEYS, "--source-identity me X true", "awsudo -p 'my corp' arn:aws:iam::"),
    (KEYS, "console X --print", "awsudo console -p 'my corp' ACCOUNT:ROLE"),
    (KEYS, f"--web-identity-token - -p X {CORP} true", "leave -p 'my corp' out"),
    ("", "dev my&tool", "awsudo TARGET sh -ic 'my&tool'"),
]


@pytest.mark.parametrize(("settings", "words", "line"), QUOTED, ids=[line for _, _, line in QUOTED])
def test_the_command_in_a_hint_can_be_pasted(world: World, settings: str, words: str, line: str) -> None:
    """A profile called `my corp` is one word in every command that a message shows."""
    session = "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
    world.config(f'[profile "my corp"]\n{settings}[sso-session "my corp"]\n{session}[profile dev]\n{ROLE}')

    done = world.run(
        *("my corp" if word == "X" else word for word in words.split()),
        env={"SHELL": "/bin/sh"},
        stdin=jwt("sts.amazonaws.com"),
    )

    assert done.code != 0
    assert line in done.err
