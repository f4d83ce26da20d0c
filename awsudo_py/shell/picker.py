"""Lets the user pick a target from a list on the terminal: in fzf if it is installed, else in a list of our own.

1. It is drawn on the controlling terminal; stdin and stdout are the child's.
2. Every word typed must match, anywhere in a line. A target with exactly that name comes first, then names that begin
   with it, then those used most and last.
3. Text from the configuration is escaped before it is drawn.
4. A terminal that cannot move its cursor (TERM=dumb) gets a numbered list.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

from awsudo_py.display import escape
from awsudo_py.errors import AwsudoError, Interrupted, no_target
from awsudo_py.prompt import Question, ask, controlling_terminal
from awsudo_py.sessions.file_store import FileStore, state_directory
from awsudo_py.sessions.portal_lists import record_name, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.text import Text

    from awsudo_py.resolve.aws_config import AwsConfig

#: fzf's own exit codes: no match, and left with Esc or Ctrl-C.
_NOTHING_PICKED = (1, 130)
#: Lines of our own list, at most; fewer on a lower terminal.
_MOST_LINES = 20
#: How often the numbered list prompts again.
_TRIES = 5
#: The first fzf that has the tiebreak `chunk` in every build.
_FZF_WITH_CHUNK = (0, 36)


class Choice(NamedTuple):
    """One target that can be picked."""

    target: str
    account: str = ""
    role: str = ""
    description: str = ""  # what else distinguishes it: a description, a region

    @property
    def text(self) -> str:
        """The text to match."""
        return " ".join(self).lower()


def choices(config: AwsConfig, before: Sequence[str], environ: Mapping[str, str] | None = None) -> list[Choice]:
    """All profiles, and the roles used before that are none; those used before come first, in the order given.

    environ: of the user whose portals' roles are listed too, if no profile is for them.
    """
    found = {name: _choice(name, config.profile(name) or {}) for name in config.names()}
    found.update({each.target: each for each in _listed(config, environ or {})})
    for target in before:
        if target not in found and ":" in target:
            found[target] = Choice(target, *_account_and_role(target))
    first = [target for target in before if target in found]
    return [found[target] for target in dict.fromkeys((*first, *found))]


def matching(given: Sequence[Choice], typed: str) -> list[Choice]:
    """Rule 2: the choices in which every word typed is found, in order; case makes no difference."""
    words = typed.lower().split()

    def rank(choice: Choice) -> int:
        name = choice.target.lower()
        return 0 if name in words else 1 if name.startswith(tuple(words)) else 2

    found = [choice for choice in given if all(word in choice.text for word in words)]
    return sorted(found, key=rank) if words else found


def pick(given: Sequence[Choice], environ: Mapping[str, str]) -> str:
    """The target that the user picks. Raises Interrupted if none, UsageError where there is no terminal."""
    fzf = shutil.which("fzf", path=environ.get("PATH"))
    with ExitStack() as stack:
        try:
            typed, screen = stack.enter_context(controlling_terminal())
        except OSError:
            raise no_target() from None
        if not given:
            raise AwsudoError("there are no profiles to pick from", hint="make one: aws configure sso")
        if os.name != "nt" and environ.get("TERM", "dumb") in ("dumb", ""):
            index: int | None = _by_number(given, screen)
        else:
            index = _with_fzf(fzf, given, environ) if fzf is not None else _in_our_list(given, typed, screen)
    if index is None:
        raise Interrupted("nothing picked")
    return given[index].target


def _listed(config: AwsConfig, environ: Mapping[str, str]) -> Iterator[Choice]:
    """The roles that portals last listed, but for those of profiles."""
    directory = state_directory(environ) if environ else None
    if directory is None:
        return
    profiles = ((config.profile(name) or {}, name) for name in config.names())
    known = {(each.get("sso_session"), *_choice(name, each)[1:3]) for each, name in profiles}
    for session in config.sso_sessions:
        fields = FileStore(directory).read(record_name(session)) or {}
        for by_name, by_id, account_id, name, role in words(session, fields):
            if (session, account_id, role) not in known:
                yield Choice(by_name or by_id, account_id, role, name)


def _choice(name: str, settings: Mapping[str, str]) -> Choice:
    account, role = _account_and_role(settings.get("role_arn", ""))
    return Choice(
        name,
        account or settings.get("sso_account_id", ""),
        role or settings.get("sso_role_name", ""),
        settings.get("awsudo_description") or settings.get("description") or settings.get("region", ""),
    )


def _account_and_role(role: str) -> tuple[str, str]:
    """Out of an ARN or a short form."""
    if role.startswith("arn:"):
        parts = role.split(":", 5)
        return (parts[4], parts[5].removeprefix("role/")) if len(parts) == 6 else ("", "")
    account, _, name = role.rpartition(":")
    return account.rpartition(":")[2], name


def _columns(given: Sequence[Choice]) -> list[str]:
    """A line for each, its parts below one another."""
    rows = [[escape(part) for part in choice] for choice in given]
    widths = [min(max(len(parts[column]) for parts in rows), 48) for column in range(3)]
    return [
        "  ".join((*(part.ljust(width) for part, width in zip(parts, widths, strict=False)), parts[3])).rstrip()
        for parts in rows
    ]


def _with_fzf(fzf: str, given: Sequence[Choice], environ: Mapping[str, str]) -> int | None:
    import subprocess

    lines = "".join(f"{index}\t{line}\n" for index, line in enumerate(_columns(given)))
    command = [fzf, "--exact", "-i", "--no-multi", "--delimiter=\t", "--with-nth=2..", "--prompt=awsudo> "]
    # rule 2, as near as fzf comes to it
    command.append(f"--tiebreak=begin,{'chunk' if _version(fzf) >= _FZF_WITH_CHUNK else 'length'},index")
    # fzf takes the keys and draws on the terminal by itself; its stdin is the list, its stdout the line picked
    done = subprocess.run(
        [*command, "--height=~50%", "--layout=reverse"],
        input=lines.encode("utf-8", "replace"),
        stdout=subprocess.PIPE,
        env=dict(environ),
        check=False,
    )
    if done.returncode in _NOTHING_PICKED:
        return None
    number = done.stdout.partition(b"\t")[0]
    if done.returncode != 0 or not number.isdigit() or int(number) >= len(given):
        raise AwsudoError(
            f"fzf failed with exit code {done.returncode}",
            hint="name the target: awsudo TARGET …; or see whether FZF_DEFAULT_OPTS fits this fzf",
        )
    return int(number)


def _version(fzf: str) -> tuple[int, ...]:
    import subprocess

    done = subprocess.run([fzf, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _by_number(given: Sequence[Choice], screen: TextIO) -> int | None:
    numbers = {str(number): index for index, number in enumerate(range(1, len(given) + 1))}
    lines, listed = _columns(given), list(range(len(given)))
    for _ in range(_TRIES):
        screen.write("".join(f"{index + 1:>{len(str(len(given)))}}  {lines[index]}\n" for index in listed))
        screen.flush()
        typed = ask(Question("Number or name: ", "awsudo TARGET COMMAND…"))
        found = matching(given, typed) if typed else []
        exact = [choice for choice in found if choice.target.lower() == typed.lower()]
        if not exact and typed in numbers:
            return numbers[typed]
        if exact or len(found) == 1:
            return given.index((exact or found)[0])
        listed = [given.index(choice) for choice in found] or list(range(len(given)))
    return None


def _in_our_list(given: Sequence[Choice], typed: TextIO, screen: TextIO) -> int | None:
    picking = _List(given)
    with _keyboard(typed.fileno()) as pressed:
        while not picking.ended:
            if _drawn_until_resized(picking, screen, pressed):
                # the wrapping of the old lines is unknown: begin on a clear screen
                screen.write("\x1b[2J\x1b[H")
    return picking.picked


def _drawn_until_resized(picking: _List, screen: TextIO, pressed: Callable[[], str | None]) -> bool:
    """Draw the list and follow the keys; returns whether it ended because the terminal has another size now."""
    from rich.console import Console
    from rich.live import Live

    width, height = os.get_terminal_size(screen.fileno())
    picking.height = max(min(_MOST_LINES, height - 2), 1)
    console = Console(file=screen, force_terminal=True, width=width, height=height, emoji=False)
    live = Live(
        picking.drawn(),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        while not picking.ended:
            try:
                keys = pressed()
            except (KeyboardInterrupt, EOFError):
                picking.ended = True
                return False
            if keys is None:
                return True
            picking.press(keys)
            live.update(picking.drawn(), refresh=True)
    return False


@contextmanager
def _keyboard(descriptor: int) -> Iterator[Callable[[], str | None]]:
    """A function that returns the keys pressed, without echo; None if the size of the terminal has changed."""
    if os.name == "nt":
        import click

        yield click.getchar
        return
    import codecs
    import select
    import signal
    import termios
    import tty

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    resized, wake = os.pipe()
    os.set_blocking(wake, False)

    def pressed() -> str | None:
        if resized in select.select([descriptor, resized], [], [])[0]:
            os.read(resized, 1024)
            return None
        got = os.read(descriptor, 1024)
        if not got:
            raise EOFError
        return decoder.decode(got)

    def on_resize(_number: int, _frame: object) -> None:
        with suppress(BlockingIOError):
            os.write(wake, b".")

    before = termios.tcgetattr(descriptor)
    handler = signal.signal(signal.SIGWINCH, on_resize)
    try:
        # not click.getchar: it throws away what was typed before it reads
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        silent = termios.tcgetattr(descriptor)
        silent[3] &= ~termios.ISIG  # Ctrl-C is a key here: it leaves the list, and not the script that opened it
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
        os.close(resized)
        os.close(wake)


#: A key that sends more than a character, or a character. On Windows such keys begin with NUL or U+00E0.
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|[\0\xe0][A-Z]|.", re.DOTALL)
_LINES = {"\x1b[A": -1, "\x1bOA": -1, "\x10": -1, "\xe0H": -1, "\x1b[B": 1, "\x1bOB": 1, "\x0e": 1, "\xe0P": 1}
_PAGES = {"\x1b[5~": -1, "\xe0I": -1, "\x1b[6~": 1, "\xe0Q": 1}
_FIRST = ("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\xe0G")
_LAST = ("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\xe0O")
_LEAVES = ("\x1b", "\x03", "\x04", "\x07")


class _List:
    """What was typed, what matches, and the position in it. height: lines for the choices."""

    def __init__(self, given: Sequence[Choice], *, height: int = _MOST_LINES) -> None:
        self._given = given
        self._lines = dict(zip(given, _columns(given), strict=True))
        self.height = height
        self._typed = ""
        self._matching = list(given)
        self._at = 0
        self.ended = False
        self.picked: int | None = None

    def press(self, keys: str) -> None:
        """What was read of the keyboard at once: a key, or several (a paste, or a key held down)."""
        for key in _KEY.findall(keys):
            if self.ended:
                return
            if key in _LEAVES:
                self.ended = True
            elif key in "\r\n":
                self._pick()
            elif key in _LINES or key in _PAGES:
                at = self._at + _LINES.get(key, 0) + _PAGES.get(key, 0) * self.height
                self._at = max(min(at, len(self._matching) - 1), 0)
            elif key in _FIRST:
                self._at = 0
            elif key in _LAST:
                self._at = max(len(self._matching) - 1, 0)
            else:
                self._type(key)

    def _pick(self) -> None:
        if self._matching:
            self.ended, self.picked = True, self._given.index(self._matching[self._at])

    def _type(self, key: str) -> None:
        typed = self._typed
        if key in "\x7f\x08":  # Backspace
            typed = typed[:-1]
        elif key == "\x15":  # Ctrl-U
            typed = ""
        elif key == "\x17":  # Ctrl-W
            typed = typed.rstrip()[: typed.rstrip().rfind(" ") + 1]
        elif len(key) == 1 and key.isprintable():
            typed += key
        if typed != self._typed:
            self._typed, self._at = typed, 0
            self._matching = matching(self._given, typed)

    def drawn(self) -> Text:
        """The list as it is to be shown now; nothing, once it has ended."""
        from rich.text import Text

        if self.ended:
            return Text("")
        top = max(self._at - self.height + 1, 0)
        result = Text(no_wrap=True, overflow="ellipsis")
        result.append("awsudo> ", "bold")
        result.append(self._typed)
        result.append(f"  {len(self._matching)} of {len(self._given)}; type to filter, Enter picks, Esc leaves", "dim")
        for number, choice in enumerate(self._matching[top : top + self.height], top):
            here = number == self._at
            result.append(f"\n{'>' if here else ' '} {self._lines[choice]}", "bold" if here else "")
        return result
