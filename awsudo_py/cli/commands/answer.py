"""awsudo answer: answers the questions of runs that wait without a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import with_tilde, write, write_json
from awsudo_py.display import coloured, drawn
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError
from awsudo_py.prompt import CONFIRMATION, Question, ask
from awsudo_py.sessions.questions import Waiting, all_waiting, give

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.display import Line


#: Columns before the values of a card, and the fewest for a value.
_INDENT, _NARROWEST = 13, 40


class AnswerOptions(Common):
    """What `awsudo answer` takes."""

    listed: bool
    as_json: bool


@subcommand("answer", AnswerOptions)
def command(call: Call, options: AnswerOptions) -> int | None:
    """Answer the questions of runs that wait without a terminal.

    A run with AWSUDO_WAIT=2m, or --wait 2m, that has no terminal waits that long for its MFA code or confirmation. The
    answer goes to that run alone, once; Enter without an answer refuses, which ends the run with 125.

    \b
      awsudo answer
      awsudo answer --list
    """
    questions = all_waiting(os.environ)
    if options.as_json:
        write_json([_fields(each) for each in questions])
        return None
    if options.listed:
        in_colour = coloured(sys.stdout, os.environ)
        write("".join(f"{drawn(line, colour=in_colour)}\n" for line in _listing(questions, time.time())))
        return None
    if not questions:
        call.terminal.notice("no question is waiting")
        return None
    for question in _chosen(questions):
        _answer(call, question)
    return None


def _chosen(questions: list[Waiting]) -> list[Waiting]:
    """The questions that the user picks. Raises AwsudoError."""
    if len(questions) == 1:
        return questions
    about = [*_listing(questions, time.time()), [("", "")]]
    typed = ask(Question("Answer which? A number, or all [1]: ", "run it on a terminal", about=about)) or "1"
    if typed == "all":
        return questions
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(questions)):
        raise AwsudoError(f"no question {typed!r}", hint=f"a number from 1 to {len(questions)}, or all")
    return [questions[int(typed) - 1]]


def _answer(call: Call, question: Waiting) -> None:
    about = [*_card(question, time.time()), [("", "")], *([(each, "")] for each in question.about)]
    text = question.text if question.kind == CONFIRMATION else f"{question.text} (Enter refuses)"
    answer = ask(Question(f"{text} ", "run it on a terminal", about=about))
    if not give(question, answer or None):
        raise AwsudoError(f"pid {question.pid} does not wait any more: nothing was sent")
    call.terminal.notice(f"{'sent to' if answer else 'refused'} pid {question.pid}")


def _card(question: Waiting, now: float, number: int | None = None) -> Iterator[Line]:
    """The lines about a question: the run, what its answer is for, and how long it waits."""
    asker = question.asker
    head = f"{number}  " if number is not None else ""
    yield [(f"{head}{question.kind}", "bold"), (f" for {asker.target}" if asker.target else "", "bold")]
    rows = (
        ("role", asker.role),
        ("command", asker.line),
        ("directory", with_tilde(asker.directory)),
        ("process", f"pid {question.pid}" + (f", started by {asker.starter}" if asker.starter else "")),
        ("reason", asker.reason),
        ("policy", asker.policy),
        ("waiting", f"for {brief(now - question.since)}; gives up in {brief(question.until - now)}"),
    )
    width = max(shutil.get_terminal_size().columns - _INDENT, _NARROWEST)
    for name, value in rows:
        for number, part in enumerate(textwrap.wrap(value, width, break_on_hyphens=False)):
            yield [(f"   {'' if number else name:<{_INDENT - 3}}", "dim"), (part, "")]


def _listing(questions: list[Waiting], now: float) -> list[Line]:
    """The cards of all questions, with an empty line between them."""
    cards = ([*_card(question, now, number)] for number, question in enumerate(questions, 1))
    return [line for card in cards for line in ([("", "")], *card)][1:]


def _fields(question: Waiting) -> dict[str, object]:
    asker = question.asker
    return {
        "kind": question.kind,
        "question": question.text,
        "about": [*question.about],
        "target": asker.target,
        "role": asker.role,
        "command": asker.line,
        "directory": asker.directory,
        "pid": question.pid,
        "started_by": asker.starter,
        "reason": asker.reason,
        "policy": asker.policy,
        "since": question.since,
        "until": question.until,
    }
