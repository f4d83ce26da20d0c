"""The list that opens where nothing is named: on a real terminal, in fzf and in the list of our own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from awsudo_py.sessions.file_store import state_directory
from awsudo_py.shell import history
from awsudo_py.shell.picker import Choice, matching
from tests.conftest import needs
from tests.screens import Screen
from tests.servers.strict_sts import StrictSts
from tests.world import Done, World

ACCOUNTS = {"dev": "111111111111", "prod": "333333333333", "staging": "111111111111", "export": "111111111111"}
AS = 'echo "as $AWSUDO_TARGET"'
OPEN = r"awsudo>"

pytestmark = needs("fzf")


@pytest.fixture(params=["ours", "fzf"])
def lists(request: pytest.FixtureRequest, world: World, sts: StrictSts, tmp_path: Path) -> World:
    """A world with some profiles, with fzf on the PATH and without."""
    for name, account in ACCOUNTS.items():
        sts.add_role(f"arn:aws:iam::{account}:role/team/{name}-admin", trusts=["arn:aws:iam::111111111111:root"])
    world.config(
        "".join(
            f"[profile {name}]\nrole_arn = arn:aws:iam::{account}:role/team/{name}-admin\nsource_profile = base\n"
            f"description = the {name} side of things\n"
            for name, account in ACCOUNTS.items()
        )
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "echo", "cat", "stty", "true", *(["fzf"] if request.param == "fzf" else [])):
        (programs / name).symlink_to(shutil.which(name) or name)
    world.env |= {"PATH": str(programs), "SHELL": str(programs / "sh"), "ENV": "", "PS1": "ready> "}
    return world


def _screen(world: World, *words: str) -> Screen:
    return Screen(world.command(*words), world.environ(), cwd=str(world.home))


def _messages(screen: Screen) -> list[str]:
    """What remains on the screen once the list has gone."""
    return [line for line in screen.lines if "awsudo>" not in line]


def test_what_is_picked_runs_the_command_behind_the_dashes(lists: World) -> None:
    """Type, press Enter: the command runs as that target, and the line that does the same is printed once."""
    with _screen(lists, "-d", "15m", "--", "sh", "-c", AS) as screen:
        screen.until(OPEN)
        screen.type("prod").until(r"prod-admin")
        screen.until(lambda text: "staging" not in text)

        code = screen.type("\r").end()

    assert code == 0
    assert _messages(screen) == [
        f"awsudo: to skip the list: awsudo -d 15m prod -- sh -c '{AS}'",
        "as prod",
    ]


def test_without_a_command_what_is_picked_gets_a_shell(lists: World) -> None:
    """A shell as the target that was picked."""
    with _screen(lists) as screen:
        screen.until(OPEN)
        screen.type("staging").until(lambda text: "333333333333" not in text)
        screen.type("\r").until("a shell as staging")

        screen.type(f"{AS}\r").until("as staging$")

        assert screen.type("exit 7\r").end() == 7
    assert "awsudo: to skip the list: awsudo staging" in screen.text


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("3333", "prod"),  # the account
        ("prod-adm", "prod"),  # the role
        ("STAGING", "staging"),  # case makes no difference
        ("side things stag", "staging"),  # words in any order, the description too
        ("admin dev 1111", "dev"),
    ],
)
def test_every_word_typed_must_match_somewhere(lists: World, typed: str, target: str) -> None:
    """Name, account, role and description count; words match in any order."""
    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until(OPEN)
        screen.type(typed).until(lambda text: all(f"the {name} side" not in text for name in {*ACCOUNTS} - {target}))

        screen.type("\r").end()

    assert _messages(screen)[-1] == f"as {target}"


def test_arrows_move_and_a_typed_word_can_be_deleted(lists: World) -> None:
    """Keys only: down, up, Backspace, Ctrl-U."""
    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until(OPEN)
        screen.type("prodx").until(lambda text: "the prod side" not in text)
        screen.type("\x7f").until("the prod side")
        screen.type("\x15").until("the staging side")

        screen.type("\x1b[B").type("\x1b[B").type("\x1b[A").type("\r").end()

    assert _messages(screen)[-1] == "as prod"


@pytest.mark.parametrize("key", ["\x1b", "\x03"], ids=["Esc", "Ctrl-C"])
def test_leaving_the_picker_runs_nothing(lists: World, sts: StrictSts, key: str) -> None:
    """130, no call, nothing printed, and the terminal echoes again."""
    script = f"{' '.join(lists.command('--', 'echo', 'ran'))}; echo code $?; stty -a"
    with Screen(["sh", "-c", script], lists.environ()) as screen:
        screen.until(OPEN)

        screen.type(key).until("code")
        screen.end()

    assert "code 130" in screen.text and "ran" not in screen.text
    assert " echo " in screen.text and " icanon " in screen.text
    assert sts.count("AssumeRole") == 0


def test_what_was_used_most_and_last_comes_first(lists: World) -> None:
    """Enter on an untouched list is the usual target."""
    for target in ("prod", "staging", "staging"):
        lists.run("--refresh", target, "true")

    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until("the staging side")
        screen.type("\r").end()

    assert _messages(screen)[-1] == "as staging"


def test_a_pick_counts_as_a_use(lists: World) -> None:
    """Picked again and again, from the cache too, a target comes first."""
    lists.run("dev", "true")
    for _ in range(2):
        with _screen(lists, "--", "true") as screen:
            screen.until(OPEN)
            screen.type("prod").until(lambda text: "the dev side" not in text)
            screen.type("\r").end()

    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until("the prod side")
        screen.type("\r").end()

    assert _messages(screen)[-1] == "as prod"


def test_a_role_used_before_can_be_picked_though_no_profile_has_it(lists: World) -> None:
    """Roles that were typed once are in the list."""
    keys: dict[str, str | None] = {"AWS_PROFILE": "base"}
    lists.run("333333333333:team/prod-admin", "true", env=keys)

    with Screen(lists.command("--", "sh", "-c", AS), lists.environ(keys)) as screen:
        screen.until("333333333333:team")
        screen.type("3333:team").until(lambda text: "the dev side" not in text)
        screen.type("\r").end()

    assert _messages(screen)[-1] == "as 333333333333:team/prod-admin"


def test_a_profile_that_is_called_like_a_subcommand_is_named_as_it_can_be_typed(lists: World) -> None:
    """The line that does the same really does."""
    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until(OPEN)
        screen.type("export").until(lambda text: "the dev side" not in text)
        screen.type("\r").end()

    assert _messages(screen) == [f"awsudo: to skip the list: awsudo -p export -- sh -c '{AS}'", "as export"]


def test_the_list_is_on_the_terminal_whatever_stdin_and_stdout_are(lists: World) -> None:
    """A pipe on both ends carries the command's own bytes, and nothing of the list."""
    script = f"echo data | {' '.join(lists.command('-q', '--', 'cat'))} > out"
    with Screen(["sh", "-c", script], lists.environ(), cwd=str(lists.home)) as screen:
        screen.until("the prod side")

        screen.type("\r").end()

    assert (lists.home / "out").read_text() == "data\n"


def test_a_pick_is_never_replayed(lists: World) -> None:
    """The same words the next time open the list again."""
    lists.settle()
    for target in ("prod", "staging"):
        with _screen(lists, "--", "sh", "-c", AS) as screen:
            screen.until(OPEN)
            screen.type(target).until(lambda text: "the dev side" not in text)
            screen.type("\r").end()

        assert _messages(screen)[-1] == f"as {target}"
    assert lists.entries("replay") == []


def test_what_a_configuration_holds_cannot_touch_the_terminal(lists: World) -> None:
    """Escapes in a description are shown, not obeyed."""
    hostile = "[profile evil]\nrole_arn = arn:aws:iam::111111111111:role/evil\nsource_profile = base\n"
    lists.config(f"{hostile}description = a\x1b]0;owned\x07b [bold red]c[/] \x1b[2Jd\n")

    with _screen(lists, "--", "true") as screen:
        screen.until(r"a\\x1b\]0;owned\\x07b \[bold red\]c\[/\] \\x1b\[2Jd")
        screen.type("\x1b").end()

    assert "\x1b]0;owned" not in screen.raw


def test_five_thousand_profiles_are_filtered_as_one_types(lists: World) -> None:
    """The list does not care how many there are."""
    many = "".join(f"[profile p{number}]\nregion = eu-west-1\n" for number in range(5000))
    lists.config(
        f"{many}[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/team/dev-admin\nsource_profile = base\n"
    )

    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until(r"500\d")
        screen.type("dev-adm").until(lambda text: "p17" not in text and "dev-admin" in text)
        screen.type("\r").end()

    assert _messages(screen)[-1] == "as dev"


@pytest.mark.parametrize("words", [(), ("--", "true"), ("-d", "15m")])
def test_without_a_terminal_nothing_is_picked(world: World, words: tuple[str, ...]) -> None:
    """A usage error that says what to type."""
    done = world.run(*words, prefix=("setsid", "-w"))

    assert done == Done(
        2, "", "awsudo: no target: which profile or role?\n  awsudo TARGET COMMAND…; see awsudo --help\n"
    )


def test_a_command_that_is_not_there_opens_no_list(lists: World) -> None:
    """127 before anybody is asked anything."""
    with _screen(lists, "--", "no-such-command") as screen:
        code = screen.end()

    assert code == 127 and "awsudo>" not in screen.raw


def test_without_profiles_the_command_that_makes_one_is_printed(lists: World) -> None:
    """An empty configuration is reported, not displayed as an empty list."""
    lists.config("")
    lists.credentials("")

    with _screen(lists, "--", "true") as screen:
        code = screen.end()

    assert code == 125 and "no profiles to pick from" in screen.text and "aws configure sso" in screen.text


@pytest.mark.parametrize(
    ("typed", "found"),
    [("", [0, 1]), ("  ", [0, 1]), ("PROD", [0]), ("prod 222", []), ("b", [1]), ("222 ops-b", [1]), ("east us", [1])],
)
def test_matching(typed: str, found: list[int]) -> None:
    """Every word, anywhere, in any case."""
    given = [Choice("prod", "111111111111", "ops", "eu-west-1"), Choice("x", "222222222222", "ops-b", "us-east-1")]

    assert [given.index(choice) for choice in matching(given, typed)] == found


class TestHistory:
    """What was used is remembered for the list, and never in the way."""

    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        return {"HOME": str(tmp_path)}

    def test_often_and_lately_comes_first(self, environ: dict[str, str]) -> None:
        """Three uses last month count less than one in this hour."""
        for target, at in (("old", 0.0), ("old", 1.0), ("old", 2.0), ("new", 3e6), ("twice", 3e6), ("twice", 3e6)):
            history.used(target, environ, at)

        assert history.targets(environ, 3e6) == ["twice", "new", "old"]

    def test_any_name_is_remembered_as_it_is(self, environ: dict[str, str]) -> None:
        """Spaces, equals signs, newlines and all."""
        for target in ("a b", "x=y", "new\nline", "é", " lead"):
            history.used(target, environ, 1.0)

        assert {*history.targets(environ, 1.0)} == {"a b", "x=y", "new\nline", "é", " lead"}

    def test_it_does_not_grow_for_ever(self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The least used go first."""
        monkeypatch.setattr(history, "MOST", 5)
        history.used("kept", environ, 1.0)
        history.used("kept", environ, 1.0)
        for number in range(9):
            history.used(f"role {number}", environ, 1.0)

        found = history.targets(environ, 1.0)

        assert len(found) == history.MOST and "kept" in found

    @pytest.mark.parametrize(
        ("env", "place"),
        [
            ({"XDG_STATE_HOME": "/state"}, "/state/awsudo"),
            ({"XDG_STATE_HOME": "relative"}, "{home}/.local/state/awsudo"),
            ({"XDG_STATE_HOME": "/state", "AWSUDO_STATE_DIR": "/mine"}, "/mine"),
            ({"HOME": "relative"}, None),
        ],
    )
    def test_it_is_where_the_platform_keeps_a_programs_state(
        self, environ: dict[str, str], env: dict[str, str], place: str | None
    ) -> None:
        """XDG's place, or AWSUDO_STATE_DIR; without a home there is none."""
        assert state_directory({**environ, **env}) == (place and place.format(home=environ["HOME"]))

    def test_it_is_private(self, environ: dict[str, str], tmp_path: Path) -> None:
        """0600 in a directory of 0700: which accounts somebody uses is nobody's business."""
        history.used("prod", environ, 1.0)

        file = tmp_path / ".local/state/awsudo/history"
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    @pytest.mark.parametrize(
        "spoil", [lambda file: file.write_bytes(b"rubbish"), lambda file: file.chmod(0o644), os.unlink]
    )
    def test_a_spoilt_one_is_an_empty_one(
        self, environ: dict[str, str], tmp_path: Path, spoil: Callable[[Path], object]
    ) -> None:
        """Whatever is found there, the list opens and the next use is remembered."""
        history.used("prod", environ, 1.0)

        spoil(tmp_path / ".local/state/awsudo/history")

        assert history.targets(environ, 1.0) == []
        history.used("dev", environ, 1.0)
        assert history.targets(environ, 1.0) == ["dev"]

    def test_a_role_after_a_profile_is_completed_and_not_picked(self, world: World) -> None:
        """Picked from the list it would be assumed from elsewhere; typed after -p it is what it was."""
        ran = world.run("-p", "base", "111111111111:dev", "true")

        assert ran.code == 0, ran.err
        assert history.targets(world.env, time.time()) == []
        assert history.words(world.env, time.time()) == ["111111111111:dev"]
        assert "111111111111:dev\t" in world.run("_complete", "fish", "awsudo", "-p", "base", "11").out

    def test_a_home_that_cannot_be_written_stops_nothing(self, world: World) -> None:
        """The command runs, without a message."""
        done = world.run("dev", "true", env={"XDG_STATE_HOME": "/proc/nowhere"})

        assert (done.code, done.err) == (0, "")

    def test_no_cache_leaves_no_trace(self, world: World) -> None:
        """--no-cache keeps nothing, this included."""
        world.run("--no-cache", "dev", "true")

        assert not (world.home / ".local/state").exists()


# -- rank, size, keys, plain terminals ------------------------------------------------------------------------------


def _with_names(world: World, *names: str) -> None:
    world.config(
        "".join(
            f"[profile {name}]\nrole_arn = arn:aws:iam::111111111111:role/team/dev-admin\nsource_profile = base\n"
            f"description = of {number}\n"
            for number, name in enumerate(names)
        )
    )


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("admin", "admin"),  # exactly that name
        ("ADMIN", "admin"),
        ("ops-a", "ops-a1"),  # a name that begins so
    ],
)
def test_the_target_typed_is_the_one_picked(lists: World, typed: str, target: str) -> None:
    """`prod-admin` comes before `admin` in the file: who types admin and presses Enter gets admin."""
    _with_names(lists, "prod-admin", "admin-x", "admin", "devops-a1", "ops-a1")
    with _screen(lists, "--", "sh", "-c", AS) as screen:
        screen.until("of 4")
        screen.type(typed).until(lambda text: "base" not in text)

        screen.type("\r").end()

    assert _messages(screen)[-1] == f"as {target}"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("a", ["prod-a", "x", "a-2", "a"]),
        ("", ["prod-a", "x", "a-2", "a"]),
        ("zz", []),
    ],
)
def test_rule_2_exact_then_prefix_then_the_usual_order(typed: str, found: list[str]) -> None:
    """The order that was given decides among equals."""
    given = [Choice("prod-a"), Choice("x", role="a"), Choice("a-2"), Choice("a")]
    expected = {"a": ["a", "a-2", "prod-a", "x"]}.get(typed, found)

    assert [choice.target for choice in matching(given, typed)] == expected


@pytest.mark.parametrize("lists", ["ours"], indirect=True)
def test_home_end_and_pages_move_in_the_list(lists: World) -> None:
    """End is the last target, Home the first, PgUp and PgDn a screen."""
    _with_names(lists, *(f"p{number:02}" for number in range(40)))
    for keys, target in (
        ("\x1b[F", "base"),
        ("\x1b[4~\x1b[A", "p39"),
        ("\x1b[F\x1b[H", "p00"),
        ("\x1b[6~", "p08"),  # ten lines have room for eight targets
        ("\x1b[6~\x1b[6~\x1b[5~", "p08"),
    ):
        history_file = lists.home / ".local/state/awsudo/history"
        history_file.unlink(missing_ok=True)
        with Screen(lists.command("--", "sh", "-c", AS), lists.environ(), size=(10, 100)) as screen:
            screen.until("p07")
            screen.type(keys).type("\r").end()

        assert _messages(screen)[-1] == f"as {target}", repr(keys)


@pytest.mark.parametrize("lists", ["ours"], indirect=True)
def test_the_list_is_redrawn_when_the_window_changes(lists: World) -> None:
    """Narrower and lower: the list fits, what was typed is still there, and nothing of the old one is left."""
    _with_names(lists, *(f"profile-number-{number:02}" for number in range(40)))
    with Screen(lists.command("--", "sh", "-c", AS), lists.environ(), size=(30, 100)) as screen:
        screen.until("profile-number-19")
        screen.type("number-1").until(lambda text: "number-20" not in text)

        screen.resize(8, 40)
        screen.until(lambda text: "awsudo> number-1" in text and len(text.splitlines()) <= 8)

        assert [line for line in screen.lines if "awsudo>" not in line] == [
            f"{'>' if number == 10 else ' '} profile-number-{number}  111111111111  team/"[:39] + "…"
            for number in range(10, 16)
        ]
        screen.resize(30, 100)
        screen.until("profile-number-19")
        screen.type("\r").end()

    assert _messages(screen)[-1] == "as profile-number-10"


@pytest.mark.parametrize("term", ["dumb", ""])
@pytest.mark.parametrize(("answers", "target"), [(["3"], "dev"), (["prod"], "prod"), (["adm", "staging"], "staging")])
def test_a_dumb_terminal_gets_a_numbered_list(lists: World, term: str, answers: list[str], target: str) -> None:
    """An editor's shell, a serial line: no escape sequence, and a number or a name picks."""
    _with_names(lists, "prod", "staging", "dev")
    with Screen(lists.command("--", "sh", "-c", AS), lists.environ({"TERM": term})) as screen:
        for answer in answers:
            screen.until("Number or name:$")
            screen.type(f"{answer}\r").until(f"name: {answer}")
        screen.end()

    assert _messages(screen)[-1] == f"as {target}" and "\x1b" not in screen.raw
    assert "3  dev" in screen.raw
