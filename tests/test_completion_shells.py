"""Completion as a person has it: a real shell on a terminal, TAB, and what the screen shows then."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from awsudo_py.sessions.file_store import FileStore
from tests.conftest import needs
from tests.screens import Screen
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

SCRIPTS = Path(__file__).parents[1] / "completions"
PROMPT = "> "
_DEV = "arn:aws:iam::111111111111:role/dev"
CONFIG = f"""\
[profile dev]
role_arn = {_DEV}
source_profile = base
[profile dev-eu]
role_arn = arn:aws:iam::111111111111:role/team/ops
source_profile = base
[profile prod]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = base
mfa_serial = arn:aws:iam::222222222222:mfa/alice
[profile "my profile"]
sso_account_id = 444444444444
sso_role_name = Developer
[profile 333333333333:x]
[profile same-a]
role_arn = arn:aws:iam::555555555555:role/x
[profile same-b]
role_arn = arn:aws:iam::555555555555:role/x
[profile "it's"]
[profile x$(touch${{IFS}}pwned)]
[profile exec]
"""


class Case(NamedTuple):
    """What is typed before TAB, and what one sees then: the line it makes, or what is listed, and what is not."""

    typed: str
    line: str | dict[str, str] = ""
    shows: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # the shells it is for; all, if empty

    def line_in(self, shell: str) -> str:
        """The line that it makes in this shell; that of `*` where it has none of its own."""
        return self.line if isinstance(self.line, str) else self.line.get(shell, self.line.get("*", ""))


_UNCHANGED = "\0"  # TAB changes and shows nothing
_LOADED = ("bash", "zsh", "fish")  # those that know how commands are completed which nobody taught them here
CASES = (
    # targets
    Case("awsudo prod", "awsudo prod "),
    Case("awsudo bas", "awsudo base "),
    Case("awsudo dev", shows=("dev-eu", "111111111111 team/ops", "1111 dev, cached 59m"), hides=("prod", "demo")),
    Case("awsudo pro", shows=("prod", "222222222222 admin", "prompt"), hides=("dev", "222222222222 admin, cached")),
    Case("awsudo same-", shows=("same-a  -- 555555555555 x", "same-b  -- 555555555555 x"), only=("zsh",)),
    Case("awsudo my", r"awsudo my\ profile "),
    Case(r"awsudo my\ p", r"awsudo my\ profile "),
    Case('awsudo "my', 'awsudo "my profile" '),
    Case("awsudo 'my", "awsudo 'my profile' "),
    Case("awsudo 3333", "awsudo 333333333333:x "),
    Case("awsudo 333333333333:", "awsudo 333333333333:x "),
    Case("awsudo 'it", {"bash": "awsudo 'it'\\''s' ", "zsh": "awsudo 'it'\\''s' ", "fish": r"awsudo 'it\'s' "}),
    Case("awsudo it", r"awsudo it\'s "),
    Case(
        "awsudo x",
        {
            "bash": r"awsudo x\$\(touch\$\{IFS\}pwned\) ",
            "zsh": r"awsudo x\$\(touch\$\{IFS\}pwned\) ",
            "fish": r"awsudo x\$\(touch\$\{IFS\}pwned\) ",
        },
    ),
    Case("awsudo nobody", _UNCHANGED),
    # roles used before, and those of the profiles
    Case("awsudo arn:aws:iam::111111111111:role/d", f"awsudo {_DEV} "),
    Case('awsudo "arn:aws:iam::111111111111:role/d', f'awsudo "{_DEV}" '),
    Case("awsudo arn:aws:iam::1", "awsudo arn:aws:iam::111111111111:role/"),
    Case("awsudo arn:aws:iam::2", "awsudo arn:aws:iam::222222222222:role/admin "),
    Case("awsudo 111111111111:te", "awsudo 111111111111:team/ops "),
    Case("awsudo 2222", "awsudo 222222222222:admin "),
    # subcommands, and their words
    Case("awsudo ex", shows=("exec", "export", "Print the credentials for a shell"), hides=("dev",)),
    Case("awsudo expo", "awsudo export "),
    Case("awsudo export bas", "awsudo export base "),
    Case("awsudo export --format pow", "awsudo export --format powershell "),
    Case("awsudo export dev --format=do", "awsudo export dev --format=dotenv "),
    Case("awsudo export dev --uns", "awsudo export dev --unset "),
    Case("awsudo export dev poli", _UNCHANGED),
    Case("awsudo clear bas", "awsudo clear base "),
    Case("awsudo clear poli", _UNCHANGED),
    Case("awsudo completion z", "awsudo completion zsh "),
    Case("awsudo completion --ins", "awsudo completion --install "),
    Case("awsudo shell-init fi", "awsudo shell-init fish "),
    Case("awsudo prompt --shell ba", "awsudo prompt --shell bash "),
    Case("awsudo exec exe", "awsudo exec exec "),
    Case("awsudo-use bas", "awsudo-use base "),
    Case("awsudo-use base --min", "awsudo-use base --min-ttl "),
    Case("awsudo :sh", "awsudo :shell-init "),
    Case("awsudo :keys rot", "awsudo :keys rotate "),
    Case("awsudo keys r", shows=("remove", "rotate", "Replace a key"), hides=("list", "dev")),
    Case("awsudo keys remove st", "awsudo keys remove stored "),
    # options
    Case("awsudo --dur", "awsudo --duration "),
    Case("awsudo --mfa-", shows=("--mfa-code", "--mfa-serial", "--mfa-token", "--mfa-token-arn"), hides=("--region",)),
    Case("awsudo --duration 15", "awsudo --duration 15m "),
    Case("awsudo --duration=15", "awsudo --duration=15m "),
    Case("awsudo -d 4", "awsudo -d 4h "),
    Case("awsudo -d4", "awsudo -d4h "),
    Case("awsudo -qvd4", "awsudo -qvd4h "),
    Case("awsudo --region us-gov-e", "awsudo --region us-gov-east-1 "),
    Case("awsudo --region=us-gov-e", "awsudo --region=us-gov-east-1 "),
    Case("awsudo --region eu-west-", shows=("eu-west-1", "Europe (Ireland)", "eu-west-3"), hides=("eu-north-1",)),
    Case("awsudo -p bas", "awsudo -p base "),
    Case("awsudo -u my", r"awsudo -u my\ profile "),
    Case("awsudo --profile=bas", "awsudo --profile=base "),
    Case("awsudo -p exe", "awsudo -p exec "),
    Case("awsudo -m arn", "awsudo -m arn:aws:iam::222222222222:mfa/alice "),
    Case("awsudo --policy poli", "awsudo --policy policy.json "),
    Case("awsudo --policy=poli", "awsudo --policy=policy.json "),
    Case("awsudo -q --refresh -d 15m bas", "awsudo -q --refresh -d 15m base "),
    Case("awsudo --external-id poli", _UNCHANGED),
    Case("awsudo --no-such", _UNCHANGED),
    Case("awsudo -p base 222222222222:", "awsudo -p base 222222222222:admin "),
    # the command itself
    Case("awsudo dev awsudo-too", "awsudo dev awsudo-tool "),
    Case("awsudo dev -- awsudo-too", "awsudo dev -- awsudo-tool "),
    Case("awsudo -p base awsudo-too", "awsudo -p base awsudo-tool "),
    Case("awsudo exec dev awsudo-too", "awsudo exec dev awsudo-tool "),
    Case("awsudo dev ./scri", "awsudo dev ./script.sh "),
    Case("awsudo dev a_function_of_m", _UNCHANGED),
    # what the command completes
    *(
        Case(f"awsudo {before} awsudo-tool al", f"awsudo {before} awsudo-tool alpha ")
        for before in (
            "dev",
            "dev --",
            "-p base",
            "-u base --",
            "-p base -d 15m 111111111111:dev",
            f"-p base -d 15m {_DEV} --",
            f"{_DEV}",
            "-d15m --region=eu-west-1 333333333333:x",
            "exec dev",
            "exec -p base 111111111111:dev",
            r"my\ profile",
            '"my profile"',
            "'my profile' --",
            "--tag a=b:c dev",
            "--",
            "dev awsudo -p prod",
        )
    ),
    Case('awsudo dev awsudo-tool "al', 'awsudo dev awsudo-tool "alpha" '),
    Case("awsudo dev awsudo-tool x:y=z al", "awsudo dev awsudo-tool x:y=z alpha "),
    Case("awsudo dev awsudo-tool --al", _UNCHANGED),
    Case("ODD=1 awsudo dev awsudo-tool al", "ODD=1 awsudo dev awsudo-tool alpha "),
    Case("true; awsudo dev awsudo-tool al", "true; awsudo dev awsudo-tool alpha "),
    Case("true | awsudo dev awsudo-tool al", "true | awsudo dev awsudo-tool alpha "),
    Case("awsudo dev awsudo-tool -- al", "awsudo dev awsudo-tool -- alpha "),
    Case("awsudo dev awsudo-tool ", shows=("alpha", "beta"), hides=("policy.json",)),
    Case("awsudo dev cat poli", "awsudo dev cat policy.json "),
    Case('awsudo dev -- cat "poli', 'awsudo dev -- cat "policy.json" '),
    Case("awsudo dev make shi", "awsudo dev make ship ", only=_LOADED),
    Case(
        "awsudo dev git checkou",
        {"zsh": "awsudo dev git checkout", "*": "awsudo dev git checkout "},
        only=_LOADED,
    ),
    Case(f"awsudo -p base -d 15m {_DEV} make shi", f"awsudo -p base -d 15m {_DEV} make ship ", only=_LOADED),
    Case("awsudo dev -- aws sts get-caller-i", {"*": "awsudo dev -- aws sts get-caller-identity "}),
    # ways to be completed that only bash has
    Case("awsudo dev awsudo-program be", "awsudo dev awsudo-program beta ", only=("bash", "plain bash")),
    Case("awsudo dev -- awsudo-program x:y be", "awsudo dev -- awsudo-program x:y beta ", only=("bash", "plain bash")),
    Case("awsudo dev awsudo-words ga", "awsudo dev awsudo-words gamma", only=("bash", "plain bash")),
    Case("awsudo dev awsudo-late al", "awsudo dev awsudo-late alpha ", only=("bash", "plain bash")),
)  # fmt: skip

_BASH = f"""\
PS1='{PROMPT}'
bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 500'
set -u -o noclobber
_tool() {{ [[ $2 == --* ]] || COMPREPLY=($(compgen -W 'alpha beta' -- "$2")); }}
complete -F _tool awsudo-tool
complete -C awsudo-completer awsudo-program
complete -o nospace -W 'gamma delta' awsudo-words
complete -C aws_completer aws
_late() {{ complete -F _tool awsudo-late; return 124; }}
complete -F _late awsudo-late
a_function_of_mine() {{ :; }}
"""
_ZSH = f"""\
PROMPT='{PROMPT}'
unsetopt automenu prompt_sp; setopt no_beep no_unset no_clobber
fpath=({SCRIPTS} $fpath)
autoload -Uz compinit && compinit -u -D
_tool() {{ [[ $PREFIX == --* ]] || compadd alpha beta }}
compdef _tool awsudo-tool
autoload -Uz bashcompinit && bashcompinit
complete -C aws_completer aws
a_function_of_mine() {{ : }}
setopt ksh_arrays sh_word_split
"""
_FISH = f"""\
function fish_prompt; printf '{PROMPT}'; end
function fish_right_prompt; end
set -g fish_greeting; set -g fish_autosuggestion_enabled 0
complete -c awsudo-tool -f -a 'alpha beta' -n 'not string match -q -- "--*" (commandline -ct)'
complete -c aws -f -a '(begin; set -lx COMP_SHELL fish; set -lx COMP_LINE (commandline); aws_completer; end)'
function a_function_of_mine; end
source {SCRIPTS}/awsudo.fish
"""
_BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"
_HAS_IT = pytest.mark.skipif(
    not os.path.exists(_BASH_COMPLETION) and os.environ.get("CI") != "true", reason="missing: bash-completion"
)
#: How each shell is started, what is in its start-up file, and where that is.
SHELLS: dict[str, tuple[list[str], str, str]] = {
    "bash": (["bash", "--noprofile", "-i"], f". {_BASH_COMPLETION}\n{_BASH}. {SCRIPTS}/awsudo.bash\n", ".bashrc"),
    # some take the colon out of what breaks words
    "plain bash": (
        ["bash", "--noprofile", "-i"],
        f"{_BASH}. {SCRIPTS}/awsudo.bash\nCOMP_WORDBREAKS=${{COMP_WORDBREAKS//:}}\n",
        ".bashrc",
    ),
    "zsh": (["zsh", "-d", "-i"], _ZSH, ".zshrc"),
    "fish": (["fish", "-i"], _FISH, ".config/fish/config.fish"),
}
_NOTHING = "#!/bin/sh\n"
#: A program that bash asks for completions: what it prints depends on the line it is given, which is to be its own.
_COMPLETER = """\
#!/bin/sh
case $COMP_LINE in awsudo-program\\ *be) [ ${#COMP_LINE} = "$COMP_POINT" ] && [ "$2" = be ] && echo beta ;; esac
"""


@pytest.fixture
def person(tmp_path: Path, sts: StrictSts) -> World:
    """A person's machine: profiles, roles used before, a session that is kept, files and programs."""
    world = World(tmp_path, sts_url=sts.url)
    key = sts.add_user("alice")
    sts.add_role(_DEV)
    sts.add_role("arn:aws:iam::111111111111:role/team/ops")
    world.config(CONFIG)
    FileStore(str(world.home / ".local/share/awsudo")).write("keys", {"0 name": "stored"}, until=time.time())
    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("awsudo-tool", "awsudo-program", "awsudo-words", "awsudo-late"):
        (programs / name).write_text(_NOTHING)
    (programs / "awsudo-completer").write_text(_COMPLETER)
    (world.home / "script.sh").write_text(_NOTHING)
    for path in (*programs.iterdir(), world.home / "script.sh"):
        path.chmod(0o755)
    (world.home / "policy.json").write_text("{}")
    (world.home / "Makefile").write_text("ship:\n\ttrue\n")
    # zsh and fish set these to who they run as, and they decide who names a session
    world.env["LOGNAME"] = world.env["USER"] = pwd.getpwuid(os.getuid()).pw_name
    world.env["PATH"] = f"{programs}:{Path(AWSUDO).parent}:{world.env['PATH']}"
    ambient: dict[str, str | None] = {"AWS_PROFILE": "base"}
    for target in (_DEV, "111111111111:team/ops"):
        assert world.run(target, "true", env=ambient).code == 0
    world.settle()
    assert world.run("dev", "true").code == 0
    return world


@pytest.fixture
def shell(request: pytest.FixtureRequest, person: World) -> Iterator[Screen]:
    """The shell that the test names, on a terminal, in that person's home."""
    command, text, path = SHELLS[request.param]
    file = person.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    with Screen(command, person.environ(), cwd=str(person.home), size=(16, 100)) as screen:
        screen.until(lambda displayed: screen.before_cursor == PROMPT)
        yield screen


def _seen(screen: Screen, shell: str, case: Case) -> str:
    """What is wrong with what one sees; empty if nothing is."""
    expected = case.line_in(shell)
    # bash lists at the second TAB
    screen.type(case.typed + "\t" + ("\t" if case.shows and "bash" in shell else ""))
    try:
        if expected == _UNCHANGED:
            screen.type("Q")
            expected = f"{case.typed}Q"
        ready: Callable[[str], bool] = lambda displayed: screen.before_cursor == PROMPT + expected  # noqa: E731 - two of them
        if case.shows:
            ready = lambda displayed: all(word in displayed for word in case.shows)  # noqa: E731 (one of two)
        displayed = screen.until(ready, seconds=10)
        below = "\n".join(line for line in screen.lines if not line.startswith(PROMPT))
        if case.shows:
            wrong = [word for word in case.hides if word in below]
            return f"{case.typed!r} shows {wrong}:\n{displayed}" if wrong else ""
        # a message on stderr would stand here too
        return f"{case.typed!r} shows more:\n{displayed}" if below and expected.endswith((" ", "Q")) else ""
    except AssertionError as error:
        return f"{case.typed!r}: {error}"
    finally:
        screen.type("\x15\x0c")
        screen.until(lambda displayed: displayed == PROMPT.rstrip() and screen.before_cursor == PROMPT)


@pytest.mark.parametrize(
    ("shell", "name"),
    [
        pytest.param("bash", "bash", marks=[needs("bash", "git", "make"), _HAS_IT]),
        pytest.param("plain bash", "plain bash", marks=needs("bash")),
        pytest.param("zsh", "zsh", marks=needs("zsh", "git", "make")),
        pytest.param("fish", "fish", marks=needs("fish", "git", "make")),
    ],
    indirect=["shell"],
)
def test_tab_completes_in_a_real_shell(shell: Screen, name: str, person: World) -> None:
    """Every case of the table: the line, or the list, that a person sees after TAB; nothing is run, no error shown."""
    cases = [case for case in CASES if not case.only or name in case.only]
    assert len(cases) >= 40

    wrong = [output for output in (_seen(shell, name.removeprefix("plain "), case) for case in cases) if output]

    assert not wrong, "\n\n".join(wrong)
    assert not (person.home / "pwned").exists()
