"""The subcommands: a line each. Its module is loaded when it is called, so that none costs the others anything."""

from __future__ import annotations

from awsudo_py.grammar.options import INPUTS, PROFILE, QUIET, REQUEST, VERBOSE, Option

#: Names of formats.py's formats (a test compares): completion has no time to load it.
FORMATS = ("sh", "bash", "zsh", "fish", "csh", "powershell", "cmd", "dotenv", "json", "process")
#: The shells that have a completion script, those that have an `awsudo-use`, and those that a prompt is escaped for.
COMPLETED = ("bash", "zsh", "fish")
SWITCHED = ("sh", "bash", "zsh", "fish", "csh", "tcsh")
PROMPTED = ("plain", "bash", "zsh", "fish")


class Subcommand:
    """One subcommand: a module of this package, named by it, that has a click command called `command`.

    said: its line in `awsudo --help`; the first line of its own help is the same.
    options: what it takes.
    words: what completes its words: `target`, `command` (a target, then the child's words), or as Option.values.
    subs: the subcommands it has itself, by name; then it does nothing but lead to them, and has no module.
    """

    __slots__ = ("module", "name", "options", "said", "subs", "words")

    def __init__(
        self,
        name: str,
        module: str,
        said: str,
        options: tuple[Option, ...] = (),
        words: tuple[str, ...] | str = "",
        subs: tuple[Subcommand, ...] = (),
    ) -> None:
        self.name = name
        self.module = f"awsudo_py.cli.commands.{module}"
        self.said = said
        self.options = options
        self.words = words
        self.subs = {each.name: each for each in subs}


def registered(path: str) -> Subcommand:
    """The line of a subcommand named by its words: `clear`, `keys add`."""
    first, *rest = path.split()
    found = SUBCOMMANDS[first]
    for name in rest:
        found = found.subs[name]
    return found


def _input(field: str) -> Option:
    return next(option for option in INPUTS if option.field == field)


_YES = Option("yes", ("-y", "--yes"), "", "Ask nothing: the answer is yes.")
_JSON = Option("as_json", ("--json",), "", "Print JSON, for programs.")
#: What a subcommand that asks AWS with a profile's keys takes.
_ASKING = (QUIET, VERBOSE, _input("region"))
_KEYS = (
    Subcommand(
        "add",
        "keys.add",
        "Store an access key in the OS keyring, under the name of its profile.",
        (
            *_ASKING,
            Option("from_env", ("--from-env",), "", "Take it from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
            Option("imported", ("--import",), "", "Take it from the profile's AWS file; offer to remove it there."),
            Option("replace", ("--replace",), "", "Replace the key that is stored under this name."),
            Option("backup", ("--backup",), "", "Keep a copy of the AWS file (0600) before a key is removed from it."),
            _YES,
        ),
        "profile",
    ),
    Subcommand(
        "list",
        "keys.list",
        "Show the stored keys: owner, age, last use, MFA device; never a secret.",
        (*_ASKING, _JSON, Option("offline", ("--offline",), "", "Ask neither AWS nor the keyring.")),
    ),
    Subcommand(
        "remove",
        "keys.remove",
        "Take a key out of the keyring; at AWS it stays as it is.",
        (QUIET, VERBOSE, _YES),
        "key",
    ),
    Subcommand(
        "rotate",
        "keys.rotate",
        "Replace a key by a new one, at AWS and here, and delete the old one.",
        (*_ASKING, *(_input(name) for name in ("mfa_serial", "mfa_code", "mfa_process")), _YES),
        "key",
    ),
    Subcommand(
        "export",
        "keys.export",
        "Print a stored key for an SDK that has to have the key itself.",
        (
            QUIET,
            VERBOSE,
            Option("process", ("--process",), "", "As a credential_process prints it."),
            Option("force", ("--force",), "", "Write the secret to a terminal too."),
        ),
        "key",
    ),
)


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
            "keys", "keys", "Keep long-lived keys in the OS keyring: add, list, remove, rotate, export.", subs=_KEYS
        ),
        Subcommand(
            "mfa",
            "mfa",
            "Find your MFA device, and print the line for the profile.",
            (PROFILE, *_ASKING),
            "profile",
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
            "completion",
            "completion",
            "Print what lets a shell complete awsudo, or set it up.",
            (
                Option("install", ("--install",), "", "Set it up for the calling shell, or SHELL: shows, then asks."),
                Option("uninstall", ("--uninstall",), "", "Undo --install."),
                Option("yes", ("--yes",), "", "Do it without asking."),
            ),
            COMPLETED,
        ),
        Subcommand("shell-init", "shell_init", "Print what gives a shell awsudo-use.", (), SWITCHED),
        Subcommand(
            "prompt",
            "prompt",
            "Print a prompt's segment: the target, and the time left.",
            (
                Option(
                    "shell",
                    ("--shell",),
                    "SHELL",
                    "Colour it, in the escapes of this shell's prompt: bash, zsh, fish [plain: no colour].",
                    values=PROMPTED,
                    only=True,
                ),
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
