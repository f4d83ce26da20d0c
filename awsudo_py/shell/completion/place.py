"""Finds the meaning of the word that is being typed, by walking the table of click's grammar."""

from __future__ import annotations

from awsudo_py.grammar.options import HELP, RUN, VERSION
from awsudo_py.grammar.registry import SHORT_FORM, SUBCOMMANDS
from awsudo_py.resolve.role_words import looks_like_role

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.grammar.options import Option
    from awsudo_py.grammar.registry import Argument, Subcommand


_NONE: dict[str, Subcommand] = {}


class Place:
    """The candidates for the last word.

    values: words, or the name of a kind: `target`, `role`, and those of Option.values.
    prefix: what of the word stands before a value (`--region=`, `-d`).
    options: those whose flags can stand here.
    subs: the subcommands that can stand here. top: whether they are awsudo's own, beside targets.
    child: the index of the word with which the child's command line begins.
    """

    __slots__ = ("child", "options", "prefix", "subs", "top", "values")

    def __init__(
        self,
        values: tuple[str, ...] | str = (),
        *,
        prefix: str = "",
        options: tuple[Option, ...] = (),
        subs: tuple[Subcommand, ...] = (),
        child: int | None = None,
        top: bool = False,
    ) -> None:
        self.values = values
        self.top = top
        self.prefix = prefix
        self.options = options
        self.subs = subs
        self.child = child


def place_of(words: Sequence[str], hidden: Callable[[str], bool] = lambda _: False) -> Place:
    """The meaning of the last of these words (those after `awsudo`).

    hidden: whether a profile hides the subcommand of a name.
    """
    walk = _Walk(words, 0, (*RUN, HELP, VERSION))
    return walk.found or _command(walk, SUBCOMMANDS, hidden)


class _Walk:
    """Reads options as click does, up to the first word that is none.

    at is then the index of that word, dashed says whether a `--` stands before it, given holds the fields of the
    options. If the last word is itself an option or an option's value, found says what stands there.
    """

    def __init__(self, words: Sequence[str], at: int, options: Sequence[Option], before: _Walk | None = None) -> None:
        self.words = words
        self.at = at
        self.given: set[str] = before.given if before else set()
        self.dashed: bool = before.dashed if before else False
        self.found: Place | None = None
        self._options = options
        self._by_flag = {flag: option for option in options for flag in option.flags}
        while self.found is None and not self.dashed and self._is_option(words[self.at]):
            self._read(words[self.at])

    @property
    def last(self) -> bool:
        """Whether the word at hand is the one being typed."""
        return self.at == len(self.words) - 1

    def _is_option(self, word: str) -> bool:
        # a lone dash is a word; while it is being typed it may become an option
        return word[:1] == "-" and (len(word) > 1 or self.last)

    def _read(self, word: str) -> None:
        if word == "--" and not self.last:
            self.dashed = True
            self.at += 1
            return
        option, prefix = self._last_of(word)
        takes_next = option is not None and bool(option.metavar) and prefix == ""
        if self.last:
            if option is not None and option.metavar and prefix:
                self.found = Place(option.values, prefix=prefix)
            else:
                open_ones = tuple(each for each in self._options if each.many or each.field not in self.given)
                self.found = Place(options=open_ones)
            return
        self.at += 1
        if takes_next and option is not None:
            if self.last:
                self.found = Place(option.values)
            else:
                self.at += 1

    def _last_of(self, word: str) -> tuple[Option | None, str]:
        """The option that this word ends with, and the text before its value if the word contains that too."""
        if word[:2] == "--":
            name, equals, _ = word.partition("=")
            option = self._by_flag.get(name)
            # a flag that is still being typed is not given yet
            if option is not None and not (self.last and not equals):
                self.given.add(option.field)
            return option, name + equals if equals else ""
        option = None
        for end in range(2, len(word) + 1):
            option = self._by_flag.get("-" + word[end - 1])
            if option is not None and not self.last:
                self.given.add(option.field)
            if option is not None and option.metavar:
                return option, word[:end] if end < len(word) else ""
        return option, ""


def _command(
    walk: _Walk, subcommands: Mapping[str, Subcommand] = _NONE, hidden: Callable[[str], bool] = lambda _: False
) -> Place:
    """A target and a command, or with a profile given, a role and a command; subcommands, where they can stand here."""
    words, at = walk.words, walk.at
    if "profile" in walk.given:
        if walk.dashed:
            return Place(child=at)
        if walk.last:
            return Place("role", child=at)
        return Place(child=_after_dashes(words, at + 1) if looks_like_role(words[at]) else at)
    if walk.dashed and subcommands:
        return Place(child=at)  # the target is picked from a list
    if walk.dashed or not subcommands:
        return Place("target") if walk.last else Place(child=_after_dashes(words, at + 1))
    if walk.last:
        return Place("target", subs=tuple(subcommands.values()), top=True)
    short = words[at][:1] == SHORT_FORM
    named = subcommands.get(words[at][1:] if short else words[at])
    if named is None or (not short and hidden(named.name)):
        return Place(child=_after_dashes(words, at + 1))
    return _subcommand(named, words, at + 1)


def _after_dashes(words: Sequence[str], at: int) -> int:
    """The index of the command: one `--` before it is dropped."""
    return at + 1 if words[at] == "--" and at < len(words) - 1 else at


def _subcommand(subcommand: Subcommand, words: Sequence[str], at: int) -> Place:
    options = (*subcommand.options, HELP)
    if subcommand.dashed and "--" in words[at:-1]:
        return Place(child=words.index("--", at) + 1)
    walk = _Walk(words, at, options)
    if subcommand.runs:
        return walk.found or _command(walk)
    count = 0
    while walk.found is None and not walk.last:
        if subcommand.subs:
            named = subcommand.subs.get(words[walk.at])
            return _subcommand(named, words, walk.at + 1) if named else Place()
        count += 1
        # all but a run takes its options after its words too
        walk = _Walk(words, walk.at + 1, options, walk)
    if walk.found is not None:
        return walk.found
    if subcommand.subs:
        return Place(subs=tuple(subcommand.subs.values()))
    argument = _argument(subcommand, count)
    if argument is None:
        return Place()
    if argument.values == "target" and "profile" in walk.given:
        return Place("role")
    return Place(argument.values)


def _argument(subcommand: Subcommand, count: int) -> Argument | None:
    """The argument of a word, after that many others."""
    if count < len(subcommand.arguments):
        return subcommand.arguments[count]
    return next((each for each in subcommand.arguments[-1:] if each.many), None)
