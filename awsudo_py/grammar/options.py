"""The options as plain data: click's grammar, the variables, completion, help and the man page read them.

Nothing is imported here: completion must be fast.
"""

from __future__ import annotations


class Option:
    """One option: how it is written, and its line in --help.

    field: the name of its value in the command's Options record; for an input, the field of Request.
    metavar: the placeholder of its value in --help; empty for a switch.
    many: may be given more than once; in a variable, separated by commas.
    values: the completions of its value: words, or the name of a kind (`profile`, `region`, `file`, …).
    strict: whether only the words in `values` are accepted.
    """

    __slots__ = ("field", "flags", "help", "many", "metavar", "strict", "values")

    def __init__(
        self,
        field: str,
        flags: tuple[str, ...],
        metavar: str,
        help: str,
        *,
        many: bool = False,
        values: tuple[str, ...] | str = (),
        strict: bool = False,
    ) -> None:
        self.field = field
        self.flags = flags
        self.metavar = metavar
        self.help = help
        self.many = many
        self.values = values
        self.strict = strict

    @property
    def variable(self) -> str:
        """The AWSUDO_* variable that sets the same input."""
        return {"policy_arns": "AWSUDO_POLICY_ARNS", "tags": "AWSUDO_TAGS"}.get(
            self.field, f"AWSUDO_{self.field.upper()}"
        )

    @property
    def name(self) -> str:
        """The flag that messages use: the first long one."""
        return next(flag for flag in self.flags if flag.startswith("--"))


#: Where sessions can be cached.
STORES = ("file", "keyring")
_SPANS = ("15m", "30m", "1h", "2h", "4h", "8h", "12h")
PROFILE = Option(
    "profile",
    ("-p", "-u", "--profile"),
    "PROFILE",
    "The target; or the source profile, if a role follows.",
    values="profile",
)
QUIET = Option("quiet", ("-q", "--quiet"), "", "Print errors only.")
VERBOSE = Option("verbose", ("-v", "--verbose"), "", "Print how the target is resolved, and each call to AWS.")
#: The CI systems whose jobs have a web identity token; resolve/ci_identities.py has the source of each.
CI_SYSTEMS = ("github", "gitlab", "circleci", "buildkite", "bitbucket")
#: Every input of AssumeRole, and the other inputs of a run; resolve/request.py reads their values.
INPUTS = (
    Option(
        "duration",
        ("-d", "--duration"),
        "TIME",
        "Session duration: 900, 15m, 1h. From 15m to 12h, or to 36h for keys without a role.",
        values=_SPANS,
    ),
    Option(
        "session_name",
        ("-n", "--session-name"),
        "NAME",
        "Role session name, as CloudTrail shows it [default: USER@HOST].",
    ),
    Option("external_id", ("-e", "--external-id"), "ID", "External ID that the role's trust policy requires."),
    Option(
        "mfa_serial",
        ("-m", "--mfa-serial", "--mfa-token-arn"),
        "SERIAL",
        "MFA device: its ARN or serial number.",
        values="mfa-serial",
    ),
    Option(
        "mfa_code",
        ("-t", "--mfa-code", "--mfa-token"),
        "CODE",
        "MFA code, or - to read it from stdin. Without it, awsudo prompts for a code when one is needed.",
    ),
    Option(
        "mfa_process", ("--mfa-process",), "COMMAND", "Program that prints the MFA code, such as ykman, pass or op."
    ),
    Option(
        "mfa_session_duration",
        ("--mfa-session-duration",),
        "TIME",
        "How long one MFA code serves all roles of a source: 15m to 36h [default: 12h].",
        values=(*_SPANS, "24h", "36h"),
    ),
    Option("mfa_per_role", ("--mfa-per-role",), "", "Send an MFA code with each AssumeRole call."),
    Option(
        "policy",
        ("--policy",),
        "JSON|FILE",
        "Session policy: limits the session to what both it and the role allow.",
        values="file",
    ),
    Option(
        "only",
        ("--only",),
        "ACTIONS",
        "Narrow the session to these actions: s3:Get*,s3:List*. Repeatable.",
        many=True,
    ),
    Option("on", ("--on",), "ARN", "The resources that --only allows its actions on. Repeatable.", many=True),
    Option("read_only", ("--read-only",), "", "Narrow the session to reading: what ReadOnlyAccess allows."),
    Option("shorten", ("--shorten",), "TIME", "End the session earlier: 60, 15m, 1h.", values=_SPANS),
    Option("reason", ("--reason",), "TEXT", "Why: for the history, and for CloudTrail where it can be logged."),
    Option("policy_arns", ("--policy-arn",), "ARN", "Managed policy as session policy. Up to ten times.", many=True),
    Option("tags", ("--tag",), "KEY=VALUE", "Session tag. Up to fifty times.", many=True),
    Option(
        "transitive_tags",
        ("--transitive-tag",),
        "KEY",
        "Session tag to pass on through role chaining. Repeatable.",
        many=True,
    ),
    Option("source_identity", ("--source-identity",), "NAME", "Source identity of the session, for CloudTrail."),
    Option(
        "web_identity",
        ("--web-identity",),
        "CI",
        f"Assume the role with the token of the CI job: {', '.join(CI_SYSTEMS)}.",
        values=CI_SYSTEMS,
    ),
    Option(
        "web_identity_audience",
        ("--web-identity-audience",),
        "AUDIENCE",
        "Audience of that token, where it can be set [default: sts.amazonaws.com].",
    ),
    Option(
        "web_identity_token",
        ("--web-identity-token",),
        "FILE",
        "Assume the role with the web identity token in a file, or - for stdin.",
        values="file",
    ),
    Option(
        "saml", ("--saml",), "FILE", "Assume the role with the SAML assertion in a file, or - for stdin.", values="file"
    ),
    Option("region", ("--region",), "REGION", "Region for STS and for the command.", values="region"),
    Option(
        "min_ttl",
        ("--min-ttl",),
        "TIME",
        "Renew if less than this is left [default: 5m, or a third of a short session].",
        values=_SPANS,
    ),
    Option("refresh", ("--refresh",), "", "Renew the session even if the cached one is still valid."),
    Option("no_cache", ("--no-cache",), "", "Neither read nor write the session cache."),
    Option(
        "store",
        ("--store",),
        "STORE",
        "Where to cache sessions: file, or keyring (the OS keyring) [default: file].",
        values=STORES,
        strict=True,
    ),
)
#: The options of a run: before a target, or after a subcommand that resolves one.
REQUEST = (PROFILE, QUIET, VERBOSE, *INPUTS)
#: More options of a run itself.
DRY_RUN = Option("dry_run", ("--dry-run",), "", "Run nothing: explain what the run would do. The same as explain.")
#: An option of the npm awsudo; sessions are cached here in any case.
PRESERVE = Option("preserve", ("--preserve-credentials-cache",), "", "Accepted for older scripts; has no effect.")
WHY = Option("why", ("--why",), "", "If AWS refuses the role, find out why and show it; see explain --why.")
#: How a run without a terminal is confirmed, and how its other questions are answered.
WAIT = Option("wait", ("--wait",), "TIME", "Without a terminal, wait this long for awsudo answer.", values=("2m", "5m"))
ANSWERS = (
    Option("yes", ("-y", "--yes"), "", "Confirm for a script, where the profile has awsudo_confirm_scripts = allow."),
    WAIT,
)
RUN = (
    *REQUEST,
    *ANSWERS,
    DRY_RUN,
    WHY,
    Option("serve", ("--serve",), "", "Serve the session to COMMAND, renewed for as long as COMMAND runs."),
    Option(
        "serve_linger", ("--serve-linger",), "", "The same, until the last process that COMMAND leaves running ends."
    ),
    PRESERVE,
)
#: Options of several subcommands; each means the same everywhere.
YES = Option("yes", ("-y", "--yes"), "", "Answer yes to every question.")
JSON = Option("as_json", ("--json",), "", "Print JSON.")
FORCE = Option("force", ("--force",), "", "Print secrets even to a terminal.")
PROCESS = Option("process", ("--process",), "", "Print the JSON of a credential_process.")
#: Options of every command, and more of awsudo itself.
HELP = Option("help", ("-h", "--help"), "", "Show this help and exit.")
VERSION = Option("version", ("--version",), "", "Show the version and exit.")

#: More options of `each`.
EACH = (
    Option("everything", ("--all",), "", "All profiles that have a role."),
    Option("where", ("--where",), "TEXT", "Only targets with these words, or KEY=GLOB. Repeatable.", many=True),
    Option("regions", ("--regions",), "LIST", "Run in each of these Regions, or in all.", many=True, values="region"),
    Option("role_name", ("--role",), "NAME", "With --accounts, --org or --sso: the role to assume in each account."),
    Option("accounts", ("--accounts",), "LIST", "Account IDs, or @FILE with one per line. Repeatable.", many=True),
    Option("org", ("--org",), "TARGET", "All active accounts of the organization, listed as TARGET.", values="target"),
    Option("ou", ("--ou",), "ID", "With --org: only accounts below this OU. Repeatable.", many=True),
    Option("sso", ("--sso",), "SESSION", "All accounts in which the portal of an sso-session lists the role."),
    Option("dry_run", ("--dry-run",), "", "Print the targets, one per line, and run nothing."),
    *ANSWERS,
    Option("jobs", ("-j", "--jobs"), "N", "How many to run at once [default: 8 per core, at most 64]."),
    Option("timeout", ("--timeout",), "TIME", "End a command that runs longer: TERM, then KILL."),
    Option("grace", ("--grace",), "TIME", "Time between TERM and KILL [default: 5s]."),
    Option("retry", ("--retry",), "N", "Try a failed target again, up to N times."),
    Option("fail_fast", ("--fail-fast",), "", "Start no more targets after the first failure."),
    Option("stdin", ("--stdin",), "", "Give each command a copy of stdin [default: none]."),
    Option("template", ("--template",), "", "Replace {target}, {account}, {role} and {region} in the command."),
    Option("ordered", ("--ordered",), "", "Print the output in the order of the targets."),
    Option("merged", ("--merged",), "", "Print identical output once [default on a terminal]."),
    Option("no_merge", ("--no-merge",), "", "Print each line as it comes [default in a pipe]."),
    Option("diff", ("--diff",), "", "Print merged output as a diff against the largest group."),
    JSON,
    Option("merge_json", ("--merge-json",), "", "Print one JSON document of all output, with awsudo_target."),
    Option("output_dir", ("--output-dir",), "DIR", "Write DIR/TARGET/stdout, stderr and exit.", values="file"),
    Option("html", ("--html",), "FILE", "Write a report page.", values="file"),
    Option(
        "joblog", ("--joblog",), "FILE", "Write what is done to a journal, one JSON line per target.", values="file"
    ),
    Option("resume", ("--resume",), "", "With --joblog: skip the targets that are ok there."),
    Option("only_failed", ("--only-failed",), "", "With --joblog: only the targets that failed there."),
    Option("shard", ("--shard",), "I/N", "Only the I-th of N parts; auto: from the batch engine."),
    Option("merge", ("--merge",), "DIR", "Summarize the journals of all shards. Repeatable.", many=True, values="file"),
    *REQUEST,
)
