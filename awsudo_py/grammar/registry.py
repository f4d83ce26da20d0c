"""The subcommands: one line each. A module is loaded when its subcommand is called, so it costs the others nothing.

To add a subcommand NAME:

1. a line in SUBCOMMANDS: its name, module, help line, group, options and arguments;
2. a module cli/commands/NAME.py with a record of what it takes and a function:

       class NameOptions(Common):       # from cli/options.py: one attribute for each option and argument of the line
           as_json: bool
           target: str | None

       @subcommand("NAME", NameOptions)
       def command(call: Call, options: NameOptions) -> int | None:
           '''The help line, then a longer text and examples (after a line with \\b alone).'''

The returned number is the exit code; None is 0. Help, the man page and completion follow from the table, and a test
checks that the record has exactly the fields of the line.
"""

from __future__ import annotations

from awsudo_py.grammar.options import (
    ANSWERS,
    EACH,
    FORCE,
    INPUTS,
    JSON,
    PROCESS,
    PROFILE,
    QUIET,
    REQUEST,
    RUN,
    VERBOSE,
    WAIT,
    YES,
    Option,
)

#: The names of the formats; cli/formats.py has how each is written.
FORMATS = ("sh", "bash", "zsh", "fish", "csh", "powershell", "cmd", "dotenv", "github", "json", "process")
#: The shells that have a completion script, those that have an `awsudo-use`, and those that a prompt is escaped for.
COMPLETED = ("bash", "zsh", "fish")
SWITCHED = ("sh", "bash", "zsh", "fish", "csh", "tcsh")
#: The tools whose files `import --from` reads.
TOOLS = ("granted", "aws-sso", "aws-vault", "leapp")
PROMPTED = ("plain", "bash", "zsh", "fish")
#: Subcommands that scripts and shells rely on: a profile of the same name does not hide them. `-p NAME` reaches it.
RESERVED = ("exec", "export", "completion", "shell-init", "prompt", "_complete")
#: Before the name of a subcommand, this always means the subcommand: `awsudo :keys list`.
SHORT_FORM = ":"
#: The headings under which --help lists the subcommands, in order.
GROUPS = ("Run", "See", "Sign in", "Shell")


class Argument:
    """A word of a subcommand, other than its options.

    field: the name of its value in the command's Options record; metavar: how usage lines write it.
    values: its completions: words, or the name of a kind, as Option.values. strict: whether only these are accepted.
    many: takes all the words that follow.
    """

    __slots__ = ("field", "many", "metavar", "required", "strict", "values")

    def __init__(
        self,
        field: str,
        metavar: str,
        values: tuple[str, ...] | str = (),
        *,
        required: bool = False,
        strict: bool = False,
        many: bool = False,
    ) -> None:
        self.field = field
        self.metavar = metavar
        self.values = values
        self.required = required
        self.strict = strict
        self.many = many

    @property
    def usage(self) -> str:
        """Its form in a usage line."""
        word = f"{self.metavar}..." if self.many else self.metavar
        return word if self.required else f"[{word}]"


class Subcommand:
    """One subcommand: a module of cli/commands that has a click command called `command`.

    help: its line in `awsudo --help`; the first line of its own help is the same.
    group: its heading in `awsudo --help`; empty for a subcommand of a subcommand, and for one that is not listed.
    options, arguments: what it takes.
    runs: whether TARGET COMMAND ARG... follow its options, as after `awsudo` itself.
    dashed: whether `-- COMMAND ARG...` follows its options and arguments, which stand in any order before the dashes.
    subs: the subcommands it has itself, by name; it then has no module.
    """

    __slots__ = ("arguments", "dashed", "group", "help", "module", "name", "options", "runs", "subs")

    def __init__(
        self,
        name: str,
        module: str,
        help: str,
        options: tuple[Option, ...] = (),
        *arguments: Argument,
        group: str = "",
        runs: bool = False,
        dashed: bool = False,
        subs: tuple[Subcommand, ...] = (),
    ) -> None:
        self.name = name
        self.module = f"awsudo_py.cli.commands.{module}"
        self.help = help
        self.options = options
        self.arguments = arguments
        self.group = group
        self.runs = runs
        self.dashed = dashed
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


GRAPH = Option(
    "graph",
    ("--graph",),
    "FORM",
    "Draw a graph: mermaid, dot or svg.",
    values=("mermaid", "dot", "svg"),
    strict=True,
)
TARGET = Argument("target", "TARGET", "target")
_KEY = Argument("name", "NAME", "key", required=True)
#: The options of a subcommand that calls AWS with a profile's keys.
_CALLS = (QUIET, VERBOSE, _input("region"))
_KEYS = (
    Subcommand(
        "add",
        "keys.add",
        "Store an access key in the OS keyring, under the name of its profile.",
        (
            *_CALLS,
            Option("from_env", ("--from-env",), "", "Take it from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
            Option("imported", ("--import",), "", "Take it from the profile's AWS file; offer to remove it there."),
            Option("replace", ("--replace",), "", "Replace the key that is stored under this name."),
            Option("backup", ("--backup",), "", "Keep a copy of the AWS file (0600) before a key is removed from it."),
            YES,
        ),
        Argument("name", "NAME", "profile", required=True),
    ),
    Subcommand(
        "list",
        "keys.list",
        "List the stored keys: owner, age, last use, MFA device. Never a secret.",
        (*_CALLS, JSON, Option("offline", ("--offline",), "", "Call neither AWS nor the keyring.")),
    ),
    Subcommand(
        "remove",
        "keys.remove",
        "Remove a key from the keyring. At AWS it stays valid.",
        (QUIET, VERBOSE, YES),
        _KEY,
    ),
    Subcommand(
        "rotate",
        "keys.rotate",
        "Replace a key with a new one, at AWS and in the keyring, and delete the old one.",
        (*_CALLS, *(_input(name) for name in ("mfa_serial", "mfa_code", "mfa_process")), YES),
        _KEY,
    ),
    Subcommand(
        "export",
        "keys.export",
        "Print a stored key, for an SDK that needs the key itself.",
        (QUIET, VERBOSE, PROCESS, FORCE),
        _KEY,
    ),
    Subcommand(
        "mfa",
        "keys.mfa",
        "Find your MFA devices and print the mfa_serial line for the profile.",
        (PROFILE, *_CALLS),
        Argument("name", "PROFILE", "profile"),
    ),
    Subcommand(
        "audit",
        "keys.audit",
        "Find the long-lived keys on this machine, and how to remove each.",
        (JSON, Option("check", ("--check",), "", "Exit with 1 if any key lies in a file or the environment.")),
    ),
)


#: Options of `awsudo explain --why`.
_WHY = (
    Option("why", ("--why",), "", "Explain why the role can or cannot be assumed, statement by statement."),
    Option("fix", ("--fix",), "", "With --why: print the statements that would allow it, as JSON to paste."),
    Option("no_calls", ("--no-calls",), "", "With --why: make no calls to AWS."),
    Option("trust_policy", ("--trust-policy",), "FILE", "Evaluate this trust policy, without calls.", values="file"),
    Option(
        "identity_policies",
        ("--identity-policy",),
        "FILE",
        "A policy of the caller. May be repeated.",
        many=True,
        values="file",
    ),
    Option("boundary", ("--boundary",), "FILE", "The caller's permissions boundary.", values="file"),
    Option("session_policy", ("--session-policy",), "FILE", "The policy of the caller's session.", values="file"),
    Option(
        "scps",
        ("--scp",),
        "FILE",
        "A service control policy of the caller's account, or a JSON list: one level. May be repeated.",
        many=True,
        values="file",
    ),
    Option(
        "rcps",
        ("--rcp",),
        "FILE",
        "A resource control policy of the role's account. May be repeated.",
        many=True,
        values="file",
    ),
    Option("caller", ("--caller",), "ARN", "Who assumes the role: a user, a role or a session."),
    Option(
        "context_keys",
        ("--context",),
        "KEY=VALUE",
        "A condition key of the request: aws:PrincipalOrgID=o-1. May be repeated.",
        many=True,
    ),
)


SUBCOMMANDS = {
    each.name: each
    for each in (
        Subcommand(
            "exec",
            "exec",
            "Run a command. The same as without exec; also for a target named like a subcommand.",
            RUN,
            group="Run",
            runs=True,
        ),
        Subcommand(
            "export",
            "export",
            "Print the credentials for a shell, a file or an SDK.",
            (
                *REQUEST,
                *ANSWERS,
                Option(
                    "format_name",
                    ("--format",),
                    "FORMAT",
                    f"One of {', '.join(FORMATS)} [default: what the calling shell reads].",
                    values=FORMATS,
                    strict=True,
                ),
                Option("as_json", ("--json",), "", "Print JSON: the same as --format json."),
                Option("process", ("--process",), "", "Print the JSON of a credential_process: --format process."),
                Option("unset", ("--unset",), "", "Print what removes a session from the environment."),
                Option("pick", ("--pick",), "", "Without TARGET, pick it from a list, and name it on stderr."),
                FORCE,
            ),
            TARGET,
            group="Run",
        ),
        Subcommand(
            "each",
            "each",
            "Run a command as many targets at once.",
            EACH,
            Argument("patterns", "PATTERN", "target", many=True),
            group="Run",
            dashed=True,
        ),
        Subcommand(
            "serve",
            "serve",
            "Serve credentials on this machine, for an IDE or a container, until Ctrl-C.",
            (
                *REQUEST,
                *ANSWERS,
                Option("port", ("--port",), "PORT", "The port on 127.0.0.1 [default: any that is free]."),
                Option(
                    "format_name",
                    ("--format",),
                    "FORMAT",
                    f"One of {', '.join(FORMATS)} [default: what the calling shell reads].",
                    values=FORMATS,
                    strict=True,
                ),
            ),
            TARGET,
            group="Run",
        ),
        Subcommand(
            "console",
            "console",
            "Open the AWS Management Console as the target.",
            (
                *REQUEST,
                *ANSWERS,
                Option("service", ("--service",), "SERVICE", "Open the page of this service: s3, ec2, logs."),
                Option("path", ("--path",), "PATH", "Open this page: what follows the host name in the browser."),
                Option("print_link", ("--print",), "", "Print the link to sign in instead of opening it."),
                Option("copy", ("--copy",), "", "Put the link on the clipboard instead; over ssh, with OSC 52."),
                Option(
                    "switch_link", ("--switch-link",), "", "Print the Switch Role link, which holds no credentials."
                ),
                Option("display_name", ("--display-name",), "NAME", "With --switch-link: the name to show [TARGET]."),
                Option(
                    "color",
                    ("--color",),
                    "COLOR",
                    "With --switch-link: red, orange, yellow, green, blue or six hex digits.",
                    values=("red", "orange", "yellow", "green", "blue"),
                ),
            ),
            TARGET,
            group="Run",
        ),
        Subcommand(
            "history",
            "history",
            "List which roles were used from this machine: when, by what, and why.",
            (
                QUIET,
                Option("since", ("--since",), "TIME", "Only the last 30m, 12h, 7d."),
                JSON,
                Option("html", ("--html",), "FILE", "Write one self-contained page with a timeline.", values="file"),
                Option("delete", ("--delete",), "", "Delete the history."),
                YES,
            ),
            Argument("words", "WORD", many=True),
            group="See",
        ),
        Subcommand(
            "explain",
            "explain",
            "Show how a target resolves: each value, and the file and line that set it.",
            (
                *REQUEST,
                Option("env", ("--env",), "", "List the variables that the command would get and lose."),
                GRAPH,
                *_WHY,
                JSON,
            ),
            TARGET,
            Argument("words", "COMMAND", many=True),
            group="See",
        ),
        Subcommand(
            "whoami",
            "whoami",
            "Show who you are at AWS: with the credentials at hand, or as TARGET.",
            (*REQUEST, JSON),
            TARGET,
            group="See",
        ),
        Subcommand(
            "doctor",
            "doctor",
            "Check files, environment, clock, network, sign-ins and shell, and suggest a fix for each problem.",
            (QUIET, VERBOSE, JSON, Option("offline", ("--offline",), "", "Call neither AWS nor the keyring.")),
            TARGET,
            group="See",
        ),
        Subcommand(
            "trail",
            "trail",
            "List who assumed a role, from AWS CloudTrail, refused attempts included.",
            (
                *REQUEST,
                Option("reader", ("--as",), "PROFILE", "Read CloudTrail as this target.", values="target"),
                Option("since", ("--since",), "TIME", "How far back to look [default: 24h; up to 90d]."),
                JSON,
            ),
            TARGET,
            group="See",
        ),
        Subcommand(
            "login",
            "login",
            "Sign in to the SSO session of a target, for awsudo and the AWS CLI.",
            (
                PROFILE,
                QUIET,
                VERBOSE,
                WAIT,
                Option("device_code", ("--device-code",), "", "Sign in on any device, with a code."),
                Option("browser", ("--browser",), "", "Sign in with a browser on this machine."),
                Option("print_url", ("--print-url",), "", "Print the address of the page instead of opening it."),
                Option("list_all", ("--list",), "", "List the SSO sessions, and when each sign-in expires."),
                JSON,
            ),
            Argument("word", "TARGET|SESSION", "sso-session"),
            group="Sign in",
        ),
        Subcommand(
            "answer",
            "answer",
            "Answer the questions of runs that wait without a terminal.",
            (QUIET, VERBOSE, Option("listed", ("--list",), "", "List what waits, and answer nothing."), JSON),
            group="Sign in",
        ),
        Subcommand(
            "logout",
            "logout",
            "Sign out of an SSO session, here and at its portal.",
            (QUIET, VERBOSE, Option("every", ("--all",), "", "Sign out of every SSO session.")),
            Argument("word", "TARGET|SESSION", "sso-session"),
            group="Sign in",
        ),
        Subcommand(
            "list",
            "list",
            "List the targets: account, role, where each comes from, cached sessions.",
            (
                QUIET,
                VERBOSE,
                JSON,
                Option("csv", ("--csv",), "", "Print CSV."),
                Option("tree", ("--tree",), "", "Show what is assumed from what, as a tree."),
                GRAPH,
            ),
            Argument("words", "WORD", many=True),
            group="See",
        ),
        Subcommand(
            "import",
            "import_",
            "Write a profile for every account and role of an SSO session, or take over another tool's.",
            (
                QUIET,
                VERBOSE,
                Option(
                    "sso", ("--sso",), "SESSION|URL", "The session, or the start URL of a portal.", values="session"
                ),
                Option(
                    "tool",
                    ("--from",),
                    "TOOL",
                    f"Read the files of another tool: {', '.join(TOOLS)}.",
                    values=TOOLS,
                    strict=True,
                ),
                Option("region", ("--region",), "REGION", "Region of Identity Center, with a URL.", values="region"),
                Option(
                    "tenant",
                    ("--tenant",),
                    "ID",
                    "List the roles of this account access tenant (aa-...), and write its ID to the session.",
                ),
                Option("template", ("--name",), "TEMPLATE", "Names of the profiles [default: {account_name}-{role}]."),
                Option("accounts", ("--account",), "GLOB", "Only these accounts: names or IDs; repeatable.", many=True),
                Option("roles", ("--role",), "GLOB", "Only these roles; repeatable.", many=True),
                Option(
                    "existing",
                    ("--existing",),
                    "keep|overwrite",
                    "What to do with your own profiles and stored keys of the same name [default: keep].",
                    values=("keep", "overwrite"),
                    strict=True,
                ),
                Option("profile_region", ("--default-region",), "REGION", "Write this region too.", values="region"),
                Option("diff_only", ("--diff",), "", "Print the difference to stdout, and write nothing."),
                YES,
            ),
            group="Sign in",
        ),
        Subcommand(
            "keys",
            "keys",
            "Keep long-lived keys in the OS keyring; find those in files, and MFA devices.",
            group="Sign in",
            subs=_KEYS,
        ),
        Subcommand(
            "completion",
            "completion",
            "Print a completion script, or set completion up.",
            (
                Option("install", ("--install",), "", "Set completion up in the shell's start-up file."),
                Option("uninstall", ("--uninstall",), "", "Undo --install."),
                YES,
            ),
            Argument("shell", "SHELL", COMPLETED, strict=True),
            group="Shell",
        ),
        Subcommand(
            "shell-init",
            "shell_init",
            "Print the shell function awsudo-use.",
            (),
            Argument("shell", "SHELL", SWITCHED, strict=True),
            group="Shell",
        ),
        Subcommand(
            "prompt",
            "prompt",
            "Print a segment for the shell prompt: the target and the time left.",
            (
                Option(
                    "shell",
                    ("--shell",),
                    "SHELL",
                    "Colour it for this shell's prompt: bash, zsh, fish [default: plain, no colour].",
                    values=PROMPTED,
                    strict=True,
                ),
            ),
            group="Shell",
        ),
        Subcommand(
            "clear",
            "clear",
            "Delete cached sessions: all, or those of one target.",
            (PROFILE, QUIET, VERBOSE, _input("store")),
            TARGET,
            group="Shell",
        ),
        Subcommand(
            "help",
            "help",
            "Show help: an overview, or one topic.",
            (),
            Argument("topic", "TOPIC", "topic", many=True),
        ),
        Subcommand(
            "demo",
            "demo",
            "Show awsudo at work in a temporary world; no AWS account needed.",
            (Option("shell", ("--shell",), "", "Open a shell in that world."),),
            group="Shell",
        ),
    )
}
