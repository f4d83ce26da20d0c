"""What completion knows: the grammar as click has it, the files as the resolver reads them, the line as bash does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import botocore
import click
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from awsudo_py.cli import main as command_line
from awsudo_py.cli.click_glue import loaded
from awsudo_py.errors import AwsudoError, ConfigError
from awsudo_py.fingerprint import Files
from awsudo_py.grammar.options import REQUEST, Option
from awsudo_py.grammar.registry import SUBCOMMANDS, Argument, Subcommand
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.request import exec_request
from awsudo_py.resolve.roles import PARTITIONS
from awsudo_py.shell import history
from awsudo_py.shell.completion.candidates import MOST_DESCRIBED
from awsudo_py.shell.completion.line import quoted, split
from awsudo_py.shell.completion.place import place_of
from awsudo_py.shell.completion.profiles import profiles, setting, summary
from awsudo_py.shell.completion.regions import REGIONS
from tests.differential.corpus import CASES, REASONED
from tests.differential.sides import Case
from tests.servers.strict_sts import StrictSts
from tests.test_hit_path import imported_by
from tests.world import AWSUDO, World

# the grammar


def _by_click(words: list[str]) -> int | None:
    """The index of the command in these words, as click and the request have it; None without a command."""
    with command_line.main.make_context("awsudo", list(words), obj={}) as ctx:
        rest, dashed, profile = ctx.args, ctx.meta["dashed"], ctx.params["profile"]
        top = True
        if rest and profile is None and not dashed and rest[0] in SUBCOMMANDS:
            if rest[0] != "exec":
                return None
            top = False
            with loaded(SUBCOMMANDS["exec"]).make_context("exec", rest[1:], parent=ctx) as inner:
                rest, dashed, profile = inner.args, inner.meta["dashed"], inner.params["profile"]
        if profile is None and (not rest or (dashed and top)):
            command = tuple(rest)
        else:
            command = exec_request(rest, profile, {}, dashed=dashed).command
    return len(words) - len(command) if command else None


_WORDS = [
    *("-q", "-v", "-qv", "-d", "-d15m", "-qd1h", "-vd", "--duration", "--duration=1h", "--duration=", "--refresh"),
    *("-p", "-pbase", "-u", "-qp", "--profile", "--profile=base", "--region", "--tag", "a=b", "--policy-arn", "-t"),
    *("--", "-", "", "dev", "base", "exec", "export", "clear", "make", "arn:aws:iam::1:role/x", "111111111111:dev"),
]


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(before=st.lists(st.sampled_from(_WORDS), max_size=7), last=st.sampled_from(["", "word", "1:x", "arn:x", "dev"]))
def test_the_command_begins_where_click_finds_it(before: list[str], last: str) -> None:
    """One grammar: completion walks the table that click's is made of, and finds the command at the same word."""
    words = [*before, last]
    try:
        expected = _by_click(words)
    except (click.UsageError, AwsudoError):
        assume(False)

    found = place_of(words).child

    # after -p, a role and a command can both stand there: which it is, the word will tell when it is whole
    undecided = expected is None and found == len(words) - 1 and place_of(words).values == "role"
    assert found == expected or undecided


@pytest.mark.parametrize("option", REQUEST, ids=lambda option: option.field)
def test_every_spelling_of_every_option_is_known(option: Option) -> None:
    """Each flag is offered, and after one that takes a value its values are, however it is written."""
    for flag in option.flags:
        assert option in place_of([flag]).options
        if not option.metavar:
            assert place_of([flag, "x"]).subs, "a target stands after a switch"
            continue
        attached = f"{flag}=x" if flag.startswith("--") else f"{flag}x"
        assert place_of([flag, "x"]).values == option.values
        here = place_of([attached])
        assert (here.values, here.prefix) == (option.values, attached[:-1])


def test_an_option_is_offered_once_unless_it_may_be_repeated() -> None:
    """What is given already is not offered again; a tag is."""
    fields = {option.field for option in place_of(["-q", "-d", "1h", "--tag", "a=b", "-"]).options}

    assert not fields & {"quiet", "duration"} and {"tags", "region"} <= fields


def test_subcommands_may_have_subcommands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group's own subcommands are its words, and each takes what its line says."""
    inner = Subcommand("add", "none", "Add one.", REQUEST, Argument("profile", "PROFILE", "profile"))
    monkeypatch.setitem(SUBCOMMANDS, "group", Subcommand("group", "none", "A group.", subs=(inner,)))

    assert [each.name for each in place_of(["group", ""]).subs] == ["add"]
    assert place_of(["group", "add", ""]).values == "profile"
    assert place_of(["group", "add", "x", "--region", ""]).values == "region"
    assert place_of(["group", "none", ""]).values == ()


# the profiles


def _compared(folder: Path, config: str | bytes, credentials: str | bytes) -> bool:
    """Whether both readers find the same, where the strict one finds anything: a broken file is its own to refuse."""
    environ = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    for name, text in (("config", config), ("credentials", credentials)):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    found = profiles(environ)
    output = {name: summary(text) for name, text in found.items()}
    try:
        whole = aws_config.load(environ, Files(time.time()))
    except ConfigError:
        return False
    assert list(found) == whole.names()
    for name, settings_shown in output.items():
        for key in ("role_arn", "mfa_serial"):
            assert setting(found[name], key) == settings_shown.get(key, "")
        expected = whole.profile(name) or {}
        # a value may go on in the next lines, which no setting of the summary does
        assert all(expected[key].split("\n")[0] == value for key, value in settings_shown.items())
        assert {key for key in expected if key in ("role_arn", "sso_account_id", "mfa_serial")} <= set(settings_shown)
    return True


@pytest.mark.parametrize("case", [*CASES.values(), *(each.case for each in REASONED.values())])
def test_the_profiles_of_the_corpus_are_those_that_the_resolver_knows(case: Case, tmp_path: Path) -> None:
    """Names in their order, roles and accounts: a scanner of lines finds what the parser finds."""
    _compared(tmp_path, case.config, case.credentials)


_LINES = [
    *("[profile a]", "[profile b]", "  [profile c]", "[default]", '[profile "x y"]', "[profile  z ]", "[ profile q]"),
    *("k = v", "  role_arn = x", "role_arn: y", "Role_ARN=z", "mfa_serial = m:n=o", " [x]", "", "   ", "# c", "  ; c"),
    *("[a b]", "sts =", "\t[profile t]", "[]", "[profile w] # c", "x = [y]", "[profile ü ö]", "[profile 'q']"),
    *(
        "[profile a\\ b]",
        "[profile]",
        "[profilex y]",
        "[sso-session s]",
        "\x0b[profile v]",
        "[profile n\x0bm]",
        "[x]y]",
    ),
    *("\u00a0[profile nb]", "[profile é\u00a0x]", "key", "[profile r\x1cs]", '[profile "it\'s"]', "[profile c]\r"),
]


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    config=st.lists(st.sampled_from(_LINES), max_size=7, unique=True),
    credentials=st.lists(st.sampled_from(_LINES), max_size=2, unique=True),
)
def test_the_profiles_of_any_file_are_those_that_the_resolver_knows(
    tmp_path_factory: pytest.TempPathFactory, config: list[str], credentials: list[str]
) -> None:
    """Headers in odd places, quotes, comments, values that look like headers: the same names."""
    folder = tmp_path_factory.getbasetemp() / "scanned"
    folder.mkdir(exist_ok=True)

    _compared(folder, "\n".join(config), "\n".join(credentials))


def test_regions_and_partitions_are_botocores() -> None:
    """The regions that are offered are those that there are."""
    known = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text(encoding="utf-8"))
    regions = {
        name: region["description"]
        for partition in known["partitions"]
        for name, region in partition["regions"].items()
        if not name.endswith("-global")
    }

    assert regions == REGIONS
    assert {partition["id"] for partition in known["partitions"]} == set(PARTITIONS)


# the line, as bash reads it

_PIECES = [
    "a",
    "b c",
    " ",
    "  ",
    "'",
    '"',
    "\\",
    "\\ ",
    ":",
    "=",
    "é",
    "\\'",
    '\\"',
    "'x y'",
    '"x y"',
    "\\\\",
    "#",
    "~",
]


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(lines=st.lists(st.lists(st.sampled_from(_PIECES), max_size=7).map("".join), min_size=20, max_size=40))
def test_words_are_those_that_bash_reads(lines: list[str]) -> None:
    """Quotes, half quotes, backslashes: the value of each word is what the command would get."""
    # half a quote is read with the other half, and a # that begins a word begins a comment
    lines = [f"w{line}" for line in lines if " #" not in line and "~" not in line and not line.endswith("\\")]
    whole = [f"{line}{split(line)[-1].quote}" for line in lines]
    script = "\n".join(f"printf '%s\\0' {line} END" for line in whole)

    output = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout.decode()

    expected = [words.split("\0")[:-1] for words in output.split("END\0")[:-1]]
    assert [
        [word.value for word in split(line) if word.value or word.ends or line[word.start :]] for line in whole
    ] == expected


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    texts=st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1), min_size=5, max_size=40)
)
def test_what_is_put_into_the_line_is_read_back(texts: list[str]) -> None:
    """A candidate arrives as it is, unquoted or within either quote, and nothing of it is executed."""
    # within double quotes ! cannot be written so that every bash reads it back; it is not part of this promise
    lines = [f"{quote}{quoted(text, quote)}{quote}" for text in texts for quote in ("", "'", '"')]

    output = subprocess.run(["bash", "-c", f"printf '%s\\0' {' '.join(lines)}"], capture_output=True, check=True).stdout

    assert output.decode().split("\0")[:-1] == [text for text in texts for _ in range(3)]


# what it costs, and what it leaves alone

_DEV = "arn:aws:iam::111111111111:role/dev"
#: What an answer imports after `site`: none of it knows click, a parser, the SDK, the keyring or the network.
_LIGHT = {
    "__future__",
    "_blake2",
    "gc",
    "awsudo_py",
    "awsudo_py.__main__",
    "awsudo_py.durations",
    "awsudo_py.grammar.registry",
    "awsudo_py.shell.completion.complete",
    "awsudo_py.shell.completion.candidates",
    "awsudo_py.shell.completion.line",
    "awsudo_py.shell.completion.place",
    "awsudo_py.shell.completion.profiles",
    "awsudo_py.shell.completion.regions",
    "awsudo_py.shell.history",
    "awsudo_py.grammar.options",
    "awsudo_py.resolve.role_words",
    "awsudo_py.grammar",
    "awsudo_py.keys",
    "awsudo_py.resolve",
    "awsudo_py.sessions",
    "awsudo_py.shell",
    "awsudo_py.shell.completion",
    "awsudo_py.sessions.file_store",
    "awsudo_py.keys.index_names",
    "awsudo_py.sessions.sealed",
    # to tell which targets would be a hit
    "awsudo_py.child",
    "awsudo_py.aws_credentials",
    "awsudo_py.child_environment",
    "awsudo_py.fingerprint",
    "awsudo_py.replay",
    "awsudo_py.sessions.cached_session",
}
_ASKED = [
    ("bash", "63", "80", "", "awsudo "),
    ("bash", "9", "80", "eu", "awsudo --region=eu"),
    ("bash", "9", "80", "ma", "awsudo dev ma"),
    ("zsh", "awsudo", ""),
    ("zsh", "awsudo", "-p", "dev", "arn:"),
    ("fish", "awsudo", "dev", "aws", "s3", ""),
    ("fish", "awsudo-use", "--region", ""),
]


@pytest.mark.parametrize("requested", _ASKED, ids=" ".join)
def test_an_answer_imports_only_the_short_list(world: World, requested: tuple[str, ...]) -> None:
    """A person waits for it at every TAB: no click, no SDK, no keyring, and nothing that could open a socket."""
    world.run("dev", "true")

    imported = imported_by(world, "_complete", *requested)

    assert imported <= _LIGHT and "awsudo_py.shell.completion.complete" in imported


@pytest.mark.parametrize("broken", ["[profile", "a\n[b", "\xff\xfe", "[profile a]\nrole_arn\n[profile a]\n"])
def test_a_broken_file_prints_nothing(world: World, broken: str) -> None:
    """What can be found is offered; stderr stays empty, whatever the files are like."""
    (world.home / ".aws" / "config").write_bytes(broken.encode("latin-1"))

    done = world.run("_complete", "zsh", "awsudo", "")

    assert (done.code, done.err) == (0, "") and "profile\tbase\t" in done.out


def test_nothing_at_all_is_needed(world: World) -> None:
    """No files, no home, no cache: subcommands and options are still offered."""
    for path in (world.home / ".aws").iterdir():
        path.unlink()

    done = world.run("_complete", "fish", "awsudo", "", env={"HOME": None, "XDG_RUNTIME_DIR": None})

    assert (done.code, done.err) == (0, "") and "export\t" in done.out


def _cached(world: World, target: str, env: dict[str, str | None] | None = None) -> str:
    """What completion says of the session of a target: `cached 59m`, or nothing."""
    lines = world.run("_complete", "fish", "awsudo", target, env=env).out.splitlines()
    about = next(line.partition("\t")[2] for line in lines if line.partition("\t")[0] == target)
    return about.partition("cached")[2] and about[about.index("cached") :]


def test_cached_is_what_this_very_target_would_find(world: World, sts: StrictSts) -> None:
    """Two profiles of one role, other options, another environment, changed files: no hit, and not announced as one."""
    world.config((world.home / ".aws/config").read_text() + "[profile same]\nrole_arn = " + _DEV + "\n")
    with (world.home / ".aws/config").open("a") as config:
        config.write("source_profile = base\nduration_seconds = 43200\n")
    sts.add_role(_DEV, max_session=43200)
    world.settle()

    assert world.run("-d", "30m", "dev", "true").code == 0
    assert _cached(world, "dev") == ""

    assert world.run("dev", "true").code == 0
    assert (_cached(world, "dev"), _cached(world, "same")) == ("cached 59m", "")
    assert _cached(world, "dev", {"AWSUDO_TAGS": "team=ops"}) == ""

    assert world.run("same", "true").code == 0
    assert _cached(world, "same") == "cached 11h"

    assert world.run("clear", "dev").code == 0
    assert _cached(world, "dev") == ""

    assert world.run("dev", "true").code == 0
    (world.home / ".aws/config").touch()
    assert _cached(world, "dev") == ""


def test_beyond_some_hundreds_only_names_are_given(world: World) -> None:
    """Nobody reads a word about each of 5,000 profiles, and finding it would take time."""
    text = "".join(f"[profile p{number}]\nrole_arn = arn:aws:iam::1:role/r\n" for number in range(MOST_DESCRIBED + 1))
    world.config(text)

    assert "profile\tp7\t\n" in world.run("_complete", "zsh", "awsudo", "p").out
    assert "profile\tp77\t1 r\n" in world.run("_complete", "zsh", "awsudo", "p77").out


def test_what_no_terminal_can_show_is_not_offered(world: World) -> None:
    """A name with an escape sequence in it reaches no screen, and neither does a role with one."""
    world.config("[profile a\x1b[2Jb]\nk = v\n[profile ok]\nrole_arn = arn:aws:iam::1:role/x\x1b[2J\n")

    out = world.run("_complete", "zsh", "awsudo", "").out

    assert "\x1b" not in out and "profile\tok\t\n" in out


def test_roles_used_before_outlive_their_sessions(world: World) -> None:
    """A role's ARN is typed again the next morning: it is offered when its session is long gone."""
    history.used("444444444444:night/shift", world.env, time.time() - 86_400)

    done = world.run("_complete", "fish", "awsudo", "4444")

    assert "444444444444:night/shift\t\n" in done.out


def test_a_name_that_is_typed_in_part_is_found_by_what_it_holds(world: World) -> None:
    """zsh and fish can match more than beginnings: where nothing begins so, they are given what holds it."""
    world.config("[profile acme-Prod-eu]\nk = v\n[profile acme-dev]\nk = v\n")

    assert [line for line in world.run("_complete", "fish", "awsudo", "prod-").out.splitlines() if "acme" in line] == [
        "acme-Prod-eu\t"
    ]
    assert "acme" not in world.run("_complete", "bash", "9", "80", "prod-", "awsudo prod-").out


def test_a_narrow_terminal_gets_short_words(world: World) -> None:
    """bash breaks no line of its list: the description of a candidate is cut off at the screen's edge, or left out."""
    for columns in ("20", "40", "80"):
        out = world.run("_complete", "bash", "63", columns, "ex", "awsudo ex").out
        assert all(len(line) < int(columns) for line in out.splitlines())
    assert "(" not in world.run("_complete", "bash", "63", "18", "ex", "awsudo ex").out
    # in these ways bash may put a candidate into the line, so they are nothing but candidates
    assert "(" not in world.run("_complete", "bash", "37", "80", "ex", "awsudo ex").out


def test_an_answer_is_given_while_no_socket_can_be_had(world: World) -> None:
    """It answers with the network taken away: `socket` cannot even be imported."""
    assert socket
    code = (
        "import sys; sys.modules['socket'] = sys.modules['_socket'] = None; sys.argv = sys.argv[1:];"
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, AWSUDO, "_complete", "zsh", "awsudo", "d"],
        env=world.environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "") and "profile\tdev\t" in done.stdout


def test_a_profile_that_is_called_like_a_subcommand_is_offered_where_it_is_reached(world: World) -> None:
    """`awsudo exec` is the subcommand, so the profile of that name stands after -p and exec only."""
    world.config("[profile exec]\nk = v\n")

    assert "profile\texec" not in world.run("_complete", "zsh", "awsudo", "ex").out
    for before in (("-p",), ("exec",), ("export",)):
        assert "profile\texec\t\n" in world.run("_complete", "zsh", "awsudo", *before, "ex").out


def test_the_command_of_each_is_completed_after_its_dashes() -> None:
    """Before `--` come targets and options, in any order; after it the command's own words."""
    assert place_of(["each", "prod", ""]).values == "target"
    assert "ordered" in {option.field for option in place_of(["each", "prod", "--"]).options}
    assert place_of(["each", "prod", "--", "aws", ""]).child == 3
    assert place_of(["each", "--all", "--", ""]).child == 3
