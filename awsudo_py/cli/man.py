"""Writes the man page awsudo(1) from the tables of the command line, without click: a wheel's build runs it."""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING

from awsudo_py import __version__
from awsudo_py.cli.help import of_group, usage
from awsudo_py.grammar import texts
from awsudo_py.grammar.options import HELP, REQUEST, RUN, VERSION
from awsudo_py.grammar.registry import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awsudo_py.grammar.options import Option
    from awsudo_py.grammar.registry import Subcommand

_FILES = (
    ("~/.aws/config, ~/.aws/credentials", "The profiles. AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others."),
    ("$XDG_RUNTIME_DIR/awsudo", "Cached sessions; without that directory, $XDG_CACHE_HOME/awsudo. Mode 0600."),
)


def page() -> str:
    """The man page, in the macros of man(7)."""
    lines = [
        f'.TH AWSUDO 1 "" "awsudo {__version__}" "User Commands"',
        ".SH NAME",
        f"awsudo \\- {_text(texts.SUMMARY)}",
    ]
    lines += [".SH SYNOPSIS", ".nf", *(_text(form) for form, _ in texts.USAGE), ".fi", ".SH DESCRIPTION"]
    for text in (*texts.ABOUT, *texts.WORDS):
        lines += [".PP", _text(text)]
    lines += [".SH OPTIONS", *_options((*RUN, HELP, VERSION)), ".SH SUBCOMMANDS"]
    for group in (*GROUPS, ""):
        for line in of_group(group):
            lines += _subcommand(line.name, line)
    lines += [".SH ENVIRONMENT", *_definitions(texts.VARIABLES), ".PP", _text(texts.PRECEDENCE)]
    lines += [".SH GUARD RAILS", *_definitions(texts.RAILS), ".PP", _text(texts.ABOUT_RAILS)]
    lines += [".SH EXIT STATUS", *_definitions(texts.EXIT_CODES)]
    lines += [".SH FILES", *_definitions(_FILES)]
    lines += [".SH EXAMPLES", *(each for line, what in texts.EXAMPLES for each in (".TP", _text(line), _text(what)))]
    lines += [".SH SEE ALSO", ".BR aws (1),", ".BR sudo (8)"]
    return "\n".join(lines) + "\n"


def _subcommand(path: str, line: Subcommand) -> list[str]:
    lines = [f".SS {_text(f'awsudo {path} {usage(line)}')}", *_paragraphs(_docstring(line) or line.help)]
    own = [option for option in line.options if option not in REQUEST]
    if set(REQUEST) <= set(line.options):
        lines += [".PP", f"It takes the options of a run{', and these:' if own else '.'}"]
    else:
        own = [*line.options]
    lines += _options(own)
    for name, inner in line.subs.items():
        lines += _subcommand(f"{path} {name}", inner)
    return lines


def _docstring(line: Subcommand) -> str:
    """The help of the function in the subcommand's module, which is read and not loaded."""
    if line.subs:
        return ""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, *line.module.split(".")) + ".py", encoding="utf-8") as file:
        tree = ast.parse(file.read())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "command"]
    return ast.get_docstring(functions[0]) or "" if functions else ""


def _paragraphs(docstring: str) -> list[str]:
    """A docstring in click's markup: after \\b alone, lines stay as they are."""
    lines = []
    for block in docstring.split("\n\n"):
        if block.startswith("\b"):
            lines += [".PP", ".nf", *(_text(line.removeprefix("  ")) for line in block.split("\n")[1:]), ".fi"]
        else:
            lines += [".PP", _text(" ".join(block.split()))]
    return lines


def _options(options: Iterable[Option]) -> list[str]:
    lines = []
    for option in options:
        value = f" \\fI{_text(option.metavar)}\\fR" if option.metavar else ""
        flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in option.flags)
        lines += [".TP", f"{flags}{value}", _text(option.help)]
    return lines


def _definitions(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [line for term, text in pairs for line in (".TP", f"\\fB{_text(term)}\\fR", _text(text))]


def _text(text: str) -> str:
    """The text with nothing that roff would read as its own; one that begins with a dot or a quote begins with \\&."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti").replace("…", "...")
    return f"\\&{escaped}" if escaped[:1] in (".", " ") else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
