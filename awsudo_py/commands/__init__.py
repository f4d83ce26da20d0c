"""The subcommands: a line each. Its module is loaded when it is called, so that none costs the others anything."""

from __future__ import annotations

from awsudo_py.options import REQUEST, Option

#: Names of formats.py's formats (a test compares): completion has no time to load it.
FORMATS = ("sh", "bash", "zsh", "fish", "powershell", "cmd", "dotenv", "json", "process")


class Subcommand:
    """One subcommand: a module of this package, named by it, that has a click command called `command`.

    said: its line in `awsudo --help`; the first line of its own help is the same.
    options: what it takes.
    words: what completes its words: `target`, `command` (a target, then the child's words), or a kind of its own.
    """

    __slots__ = ("module", "name", "options", "said", "words")

    def __init__(self, name: str, module: str, said: str, options: tuple[Option, ...] = (), words: str = "") -> None:
        self.name = name
        self.module = f"awsudo_py.commands.{module}"
        self.said = said
        self.options = options
        self.words = words


SUBCOMMANDS = {
    each.name: each
    for each in (
        Subcommand(
            "exec",
            "run",
            "Run a command: the same as without `exec`, for targets that are called like a subcommand.",
            REQUEST,
            "command",
        ),
        Subcommand(
            "export",
            "export",
            "Print the environment for a shell, a file or an SDK.",
            (
                *REQUEST,
                Option(
                    "format_name",
                    ("--format",),
                    "FORMAT",
                    f"How to write them: {', '.join(FORMATS)} [as the calling shell reads them].",
                    values=FORMATS,
                    only=True,
                ),
                Option("unset", ("--unset",), "", "Write what takes a session out of the environment again."),
                Option("force", ("--force",), "", "Write secrets to a terminal too."),
            ),
            "target",
        ),
        Subcommand(
            "clear", "clear", "Forget the sessions that are kept: all, or those of one target.", REQUEST, "target"
        ),
        Subcommand(
            "audit",
            "audit",
            "Find the long-lived keys on this machine, and the command that makes each go away.",
            (
                Option("as_json", ("--json",), "", "Write a list for other programs."),
                Option("check", ("--check",), "", "Exit with 1 if any key lies in a file or the environment."),
            ),
        ),
        Subcommand(
            "demo",
            "demo",
            "Show awsudo at work in a throw-away world.",
            (Option("shell", ("--shell",), "", "Open a shell in that world, to play."),),
        ),
    )
}
