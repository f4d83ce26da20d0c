"""awsudo doctor: checks the machine, and names a fix for each problem."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import glyph, terminal_width, with_tilde, write, write_json
from awsudo_py.display import coloured, escape, styled
from awsudo_py.doctor import configuration, installation, network, permissions, sign_ins, variables
from awsudo_py.errors import AwsudoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.context import Context
    from awsudo_py.doctor.finding import Finding
    from awsudo_py.resolve.outline import Outline

#: How each level is drawn: glyph and style.
_LEVELS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("bad", "red")}
#: Columns before the text: the glyph, the topic.
_TOPIC, _INDENT = 12, 14


class DoctorOptions(Common):
    """What `awsudo doctor` takes."""

    as_json: bool
    offline: bool
    target: str | None


@subcommand("doctor", DoctorOptions)
def command(call: Call, options: DoctorOptions) -> int:
    """Check files, environment, clock, network, sign-ins and shell, and suggest a fix for each problem.

    With TARGET, only what that target needs. Exit code 1 if there is a problem; warnings do not count. No credentials
    are used: STS only has to answer.

    \b
      awsudo doctor
      awsudo doctor prod
      awsudo doctor --offline         without network and keyring
      awsudo doctor --json
    """
    context = begin(call)
    found: list[Finding] = []
    colour = coloured(sys.stdout, os.environ)
    for each in _findings(context, options):
        found.append(each)
        if not options.as_json:
            write("".join(f"{line}\n" for line in _lines(each, colour=colour)))
    problems = sum(each.level == "problem" for each in found)
    warnings = sum(each.level == "warning" for each in found)
    if options.as_json:
        write_json(
            {
                "findings": [{**each._asdict(), "fixes": list(each.fixes)} for each in found],
                "problems": problems,
                "warnings": warnings,
            }
        )
    else:
        write(f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}\n")
    return 1 if problems else 0


def _findings(context: Context, options: DoctorOptions) -> Iterator[Finding]:
    faults = configuration.file_faults(context)
    readable = not any(each.level == "problem" for each in faults)
    outlines = _outlines(context, options.target) if readable else []
    names = frozenset(context.config.names()) if readable else frozenset[str]()
    yield from faults
    if readable:
        yield from configuration.profile_faults(context, outlines)
        if options.target is None:
            yield from configuration.hidden_subcommands(context.config)
    yield from variables.check(context.environ, names, context.run.clock())
    yield from permissions.check(context.environ)
    chains = [each.chain for each in outlines if each.chain is not None]
    if not options.offline:
        yield from network.check(context, chains)
    if outlines:
        yield from sign_ins.check(context, chains, every=options.target is None)
    if not options.offline:
        yield from sign_ins.keyring(context)
    if options.target is None:
        yield from installation.shell(context.environ)
    yield from installation.versions(context.environ)


def _outlines(context: Context, target: str | None) -> list[Outline]:
    from awsudo_py.model import Request
    from awsudo_py.resolve.outline import Outline, outline_of
    from awsudo_py.session_for import chain_for
    from awsudo_py.targets import known_targets

    if target is None:
        return known_targets(context)
    try:
        return [outline_of(chain_for(context, Request(target=target)), context.config)]
    except AwsudoError as error:
        if target not in context.config.names():
            raise
        return [Outline(target, fault=error.message)]


def _lines(each: Finding, *, colour: bool) -> list[str]:
    name, style = _LEVELS[each.level]
    mark = styled(glyph(name), style) if colour else glyph(name)
    width = terminal_width()
    room = None if width is None else max(width - _INDENT, 20)
    text = escape(with_tilde(each.text))
    first, *rest = [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    indent = " " * _INDENT
    # a command to paste is never broken
    return [
        f"{mark} {each.topic:<{_TOPIC}}{first}",
        *(f"{indent}{line}" for line in rest),
        *(f"{indent}{'fix: ' if number == 0 else '  or '}{escape(fix)}" for number, fix in enumerate(each.fixes)),
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
