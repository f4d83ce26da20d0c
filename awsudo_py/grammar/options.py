"""What can be asked for on the command line, as plain data: click's grammar, the variables and completion read it.

Nothing is imported here: completion has no time for it.
"""

from __future__ import annotations


class Option:
    """One option: how it is written, and what --help says of it.

    field: the name under which its value is found; for an input, the field of Request.
    metavar: what stands for its value in --help; empty for a switch.
    many: may be given more than once; in a variable, parted by commas.
    values: what completes its value: words, or the name of a kind (`profile`, `region`, `file`, …).
    only: whether no other word is taken.
    """

    __slots__ = ("field", "flags", "many", "metavar", "only", "said", "values")

    def __init__(
        self,
        field: str,
        flags: tuple[str, ...],
        metavar: str,
        said: str,
        *,
        many: bool = False,
        values: tuple[str, ...] | str = (),
        only: bool = False,
    ) -> None:
        self.field = field
        self.flags = flags
        self.metavar = metavar
        self.said = said
        self.many = many
        self.values = values
        self.only = only

    @property
    def variable(self) -> str:
        """The AWSUDO_* variable that says the same, where this is an input."""
        return {"policy_arns": "AWSUDO_POLICY_ARNS", "tags": "AWSUDO_TAGS"}.get(
            self.field, f"AWSUDO_{self.field.upper()}"
        )

    @property
    def name(self) -> str:
        """The flag by which messages name it: the first long one."""
        return next(flag for flag in self.flags if flag.startswith("--"))


_SPANS = ("15m", "30m", "1h", "2h", "4h", "8h", "12h")
PROFILE = Option(
    "profile",
    ("-p", "-u", "--profile"),
    "PROFILE",
    "The target; or the source, if a role follows.",
    values="profile",
)
QUIET = Option("quiet", ("-q", "--quiet"), "", "Say nothing but errors.")
VERBOSE = Option("verbose", ("-v", "--verbose"), "", "Say what was resolved and asked.")
#: Every input of AssumeRole, and what else shapes a run; request.py reads their values.
INPUTS = (
    Option(
        "duration",
        ("-d", "--duration"),
        "TIME",
        "How long the session lasts: 900, 15m, 1h (15m to 12h).",
        values=_SPANS,
    ),
    Option("session_name", ("-n", "--session-name"), "NAME", "Name of the session in CloudTrail [USER@HOST]."),
    Option("external_id", ("-e", "--external-id"), "ID", "External id that the role's trust policy asks for."),
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
        "Code of the MFA device; - reads it from stdin. Without it, the terminal is asked.",
    ),
    Option("mfa_process", ("--mfa-process",), "COMMAND", "Program that prints the code: ykman, pass, op."),
    Option(
        "mfa_session_duration",
        ("--mfa-session-duration",),
        "TIME",
        "How long one code serves all roles of a source [12h] (15m to 36h).",
        values=(*_SPANS, "24h", "36h"),
    ),
    Option("mfa_per_role", ("--mfa-per-role",), "", "Ask for a code for each role."),
    Option(
        "policy",
        ("--policy",),
        "JSON|FILE",
        "Session policy that narrows what the role may do.",
        values="file",
    ),
    Option("policy_arns", ("--policy-arn",), "ARN", "Managed policy as session policy; up to ten times.", many=True),
    Option("tags", ("--tag",), "KEY=VALUE", "Session tag; up to fifty times.", many=True),
    Option(
        "transitive_tags",
        ("--transitive-tag",),
        "KEY",
        "Tag that holds through role chaining too; repeatable.",
        many=True,
    ),
    Option("source_identity", ("--source-identity",), "NAME", "Who is behind the session, for CloudTrail."),
    Option("region", ("--region",), "REGION", "Region for STS and for the command.", values="region"),
    Option(
        "min_ttl",
        ("--min-ttl",),
        "TIME",
        "Least time the credentials must still be valid [5m, or a third].",
        values=_SPANS,
    ),
    Option("refresh", ("--refresh",), "", "Renew the session even if it is fresh."),
    Option("no_cache", ("--no-cache",), "", "Neither read nor keep sessions."),
    Option(
        "store",
        ("--store",),
        "STORE",
        "Where sessions are kept: file, or keyring, which is the OS's [file].",
        values=("file", "keyring"),
        only=True,
    ),
)
#: What a run takes: before a target, or after a subcommand that resolves one.
REQUEST = (PROFILE, QUIET, VERBOSE, *INPUTS)
#: What every command takes, and what awsudo itself takes besides.
HELP = Option("help", ("-h", "--help"), "", "Show this and exit.")
VERSION = Option("version", ("--version",), "", "Show the version and exit.")
