"""Applies the guard rails of a run's target: refuses what awsudo_deny names, and prompts where awsudo_confirm is set.

1. Nothing is called, and no session is read, before the answer.
2. The question is asked on the controlling terminal. Without one the run is refused; --yes answers only where the
   profile allows scripts to.
3. The answer is a name, not a key: pressing Return once too often does not confirm.
4. Where awsudo_confirm is mfa, AWS asks, not awsudo: the code goes with the AssumeRole call. The prompt for it shows
   what a confirmation shows.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError, InvalidInput, NoPrompt
from awsudo_py.prompt import CONFIRMATION, Purpose, Question, has_terminal
from awsudo_py.resolve.rails import CONFIRM, MFA, SCRIPTS, Rails, line_shown, refuse_denied, to_confirm
from awsudo_py.resolve.roles import role_arn
from awsudo_py.session_for import purpose_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.display import Line
    from awsudo_py.fleet.records import Target
    from awsudo_py.model import Request, RoleChain

#: awsudo_color → a style of the terminal; other colours become bold.
_STYLES = {"red": "alarm", "orange": "yellow", "yellow": "yellow", "green": "green"}
_SEVERAL = Purpose("several targets")
#: How many targets are listed in a question about several.
MOST_LISTED = 12


class Guarded(NamedTuple):
    """A target that needs confirmation: its rails, and its identity for the question."""

    rails: Rails
    name: str
    role: str = ""
    account: str = ""
    account_name: str = ""
    region: str = ""

    @property
    def word(self) -> str:
        """What the user types to confirm: the name of the account, else that of the target."""
        name = " ".join(self.account_name.split())
        return name if name and name == self.account_name and name.isprintable() else self.name

    def line(self, lead: str = "") -> Line:
        """The target in a line."""
        place = f"{self.account} ({self.account_name})" if self.account_name else self.account
        where = ", ".join(filter(None, (place, self.region)))
        who = f"{self.role or self.name} in {where}" if where else self.role or self.name
        badge = self.rails.description
        style = _STYLES.get(self.rails.color.lower(), "bold")
        return [(lead, ""), (who, "bold"), *([("  ", ""), (f" {badge} ", style)] if badge else [])]


def pass_rails(
    context: Context,
    chain: RoleChain,
    request: Request,
    words: Sequence[str],
    argv: Sequence[str],
    *,
    yes: bool = False,
) -> None:
    """Return if the target's rails allow this run. Raises AwsudoError.

    words: the command, or the shell that is opened; none if the session goes to something else, by the words
    of argv.
    """
    found = context.rails.of_chain(chain)
    if not found:
        return
    refuse_denied(found, words, context.config)
    by_code = next((rails for rails in found if rails.by_code), None)
    rails = to_confirm(found, words)
    if rails is None and by_code is None:
        return
    from awsudo_py.resolve.outline import outline_of

    seen, line = outline_of(chain, context.config), shlex.join(words or ["awsudo", *argv])

    def guarded(rails: Rails) -> Guarded:
        name = rails.account_name or seen.account_name
        return Guarded(rails, chain.target, seen.role.rpartition("/")[2], seen.account, name, chain.region or "")

    if rails is not None:
        confirm(context, [guarded(rails)], line, argv, yes=yes, purpose=purpose_of(chain, request))
    elif by_code is not None:
        context.about_code = _about([guarded(by_code)], 1, line)


def confirm(
    context: Context,
    targets: Sequence[Guarded],
    line: str,
    argv: Sequence[str],
    *,
    yes: bool = False,
    of: int = 1,
    purpose: Purpose = _SEVERAL,
) -> None:
    """Return if the user confirms the line for these targets, out of that many. Raises AwsudoError."""
    first = targets[0]
    what = f"profile {first.rails.profile}" + (f", with {len(targets) - 1} more," if len(targets) > 1 else "")
    line = line_shown(line)
    strict = next((each.rails for each in targets if not each.rails.scripts), None)
    if yes and strict is None:
        return
    if yes and strict is not None:
        raise AwsudoError(
            f"--yes: profile {strict.profile} accepts confirmation only on a terminal"
            f" ({CONFIRM}, {context.config.at(strict.profile, CONFIRM)})",
            hint=f"leave --yes out and answer on a terminal; to let scripts confirm: {SCRIPTS} = allow in the profile",
        )
    word, kind = (first.word, "the target" if first.word == first.name else "the account")
    if len(targets) > 1:
        word, kind = str(len(targets)), "the number of targets"
    text = f"  Type {word} ({kind}) to continue, or press Enter to stop: "
    try:
        about = _about(targets, of, line)
        answer = context.terminal.ask(
            Question(text, "run it in the foreground of a terminal", CONFIRMATION, about=about, purpose=purpose)
        )
    except NoPrompt:
        if has_terminal():
            raise
        again = shlex.join(["awsudo", "--yes", *argv]) if of == 1 else "add --yes before the dashes"
        allow = f"to let scripts pass --yes: {SCRIPTS} = allow in the profile" if strict else f"in a script: {again}"
        raise AwsudoError(
            f"{what} must be confirmed on a terminal, and there is none: {line}",
            hint=(
                "run it on a terminal, or name a program that asks: AWSUDO_ASKPASS=PROGRAM",
                "or answer on another terminal, with awsudo answer: AWSUDO_WAIT=2m",
                allow,
            ),
        ) from None
    if answer != word:
        raise AwsudoError(f"not confirmed, so nothing was run: {line}")


def pass_fleet_rails(
    context: Context, targets: Sequence[Target], command: Sequence[str], argv: Sequence[str], *, fill: bool, yes: bool
) -> None:
    """Return if the rails of these targets let the command run as each of them: one question for all of them.

    fill: whether {target} and the like are filled in. Raises AwsudoError.
    """
    from awsudo_py.fleet.sessions import filled

    by_target, asking = context.rails, []
    for each in targets:
        found = by_target.of(each.word, _role_of(each))
        if not found:
            continue
        words = filled(command, each, each.region or each.home_region) if fill else command
        refuse_denied(found, words, context.config)
        if any(rails.by_code for rails in found):
            raise AwsudoError(
                f"target {each.name} needs an MFA code for each run ({CONFIRM} = {MFA} of profile {found[0].profile})",
                hint=("leave it out: '!" + each.name + "'", f"run it alone: awsudo {shlex.quote(each.word)} COMMAND"),
            )
        rails = to_confirm(found, words)
        if rails is not None:
            region = each.region or each.home_region
            role, name = each.role.rpartition("/")[2], rails.account_name or each.account_name
            asking.append(Guarded(rails, each.name, role, each.account, name, region))
    if asking:
        confirm(context, asking, shlex.join(command), argv, yes=yes, of=len(targets))


def _role_of(target: Target) -> str:
    """The ARN of a target that is written as a role; empty for any other target."""
    try:
        return role_arn(target.word)
    except InvalidInput:
        return ""


def _about(targets: Sequence[Guarded], of: int, line: str) -> list[Line]:
    """The lines above the question: the targets, the command and its directory."""
    return [*_listed(targets, of), [("  ", ""), (line_shown(line), "bold"), (f"    in {_directory()}", "dim")]]


def _listed(targets: Sequence[Guarded], of: int) -> list[Line]:
    if of == 1:
        return [targets[0].line("awsudo: ")]
    width = max(len(each.name) for each in targets[:MOST_LISTED])
    lines: list[Line] = [[(f"awsudo: {len(targets)} of {of} targets must be confirmed", "")]]
    lines += [each.line(f"  {each.name:{width}}  ") for each in targets[:MOST_LISTED]]
    if len(targets) > MOST_LISTED:
        lines.append([(f"  and {len(targets) - MOST_LISTED} more", "dim")])
    return lines


def _directory() -> str:
    """The working directory, with ~ for the home."""
    try:
        here = os.getcwd()
    except OSError:
        return "a directory that was deleted"
    home = os.path.expanduser("~")
    return f"~{here[len(home) :]}" if home != "/" and (here == home or here.startswith(f"{home}/")) else here
