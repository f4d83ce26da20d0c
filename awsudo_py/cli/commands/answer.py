"""awsudo answer: answers the questions of runs that wait without a terminal."""

from __future__ import annotations

import os
import time

from awsudo_py.cli.click_glue import Call, subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import write, write_json
from awsudo_py.display import escape
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError
from awsudo_py.prompt import Question, ask
from awsudo_py.sessions.questions import Waiting, all_waiting, give


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
        write("".join(f"{line}\n" for line in _table(questions, time.time())))
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
    lines = [[(line, "")] for line in _table(questions, time.time())]
    typed = ask(Question("Answer which? A number, or all [1]: ", "run it on a terminal", about=lines)) or "1"
    if typed == "all":
        return questions
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(questions)):
        raise AwsudoError(f"no question {typed!r}", hint=f"a number from 1 to {len(questions)}, or all")
    return [questions[int(typed) - 1]]


def _answer(call: Call, question: Waiting) -> None:
    since = brief(time.time() - question.since, parts=1) or "0s"
    who = f"awsudo: pid {question.pid}, waiting for {since}, in {question.directory}"
    about = [[(who, "")], [("  ", ""), (question.line, "bold")], *([(each, "")] for each in question.about)]
    text = question.text if question.kind == "confirmation" else f"{question.text} (Enter refuses)"
    answer = ask(Question(f"{text} ", "run it on a terminal", about=about))
    if not give(question, answer or None):
        raise AwsudoError(f"pid {question.pid} does not wait any more: nothing was sent")
    call.terminal.notice(f"{'sent to' if answer else 'refused'} pid {question.pid}")


def _table(questions: list[Waiting], now: float) -> list[str]:
    return [
        escape(
            f"{number}  {each.kind:12}  {each.line}  {each.directory}  pid {each.pid}"
            f"  since {brief(now - each.since, parts=1) or '0s'}"
        )
        for number, each in enumerate(questions, 1)
    ]


def _fields(question: Waiting) -> dict[str, object]:
    return {
        "kind": question.kind,
        "question": question.text,
        "about": [*question.about],
        "command": question.line,
        "directory": question.directory,
        "pid": question.pid,
        "since": question.since,
    }
