"""The texts of help and the man page besides options and subcommands, as plain data."""

from __future__ import annotations

#: awsudo in one line.
SUMMARY = "run a command as an IAM role"
#: The forms of the command line, and what each does.
USAGE = (
    ("awsudo [OPTIONS] TARGET [COMMAND...]", "run COMMAND, or a shell, as TARGET"),
    ("awsudo [OPTIONS] -p PROFILE [ROLE] [COMMAND...]", "the same, as other awsudos write it"),
    ("awsudo [OPTIONS] -- COMMAND...", "pick TARGET from a list"),
    ("awsudo SUBCOMMAND ...", ""),
)
#: The words of the usage.
WORDS = (
    "TARGET is a profile, a role ARN, or [PARTITION:]ACCOUNT:ROLE.",
    "Options go before TARGET; everything after COMMAND is passed to it unchanged.",
)
ABOUT = (
    "awsudo gets temporary credentials for TARGET from AWS STS, caches them until they expire, and becomes "
    "COMMAND, which finds them in its environment. The exit code, signals and the terminal are COMMAND's own.",
    "A profile wins over a subcommand of the same name, except for exec, export, completion, shell-init and prompt. "
    "`awsudo :NAME` is always the subcommand; `awsudo -p NAME` is always the profile.",
)
#: Lines to type, and what each does.
EXAMPLES = (
    ("awsudo prod aws s3 ls", "a profile"),
    ("awsudo 123456789012:deploy make ship", "a role, from default credentials"),
    ("awsudo -p base 123456789012:ops aws s3 ls", "a role, from the profile base"),
    ("awsudo -d 15m prod terraform plan", "for a quarter of an hour"),
    ("awsudo prod", "a shell as prod"),
    ("awsudo -- aws s3 ls", "pick the target from a list"),
    ('eval "$(awsudo export prod)"', "make this shell prod"),
    ("awsudo completion zsh --install", "set TAB up for zsh"),
    ("awsudo keys add base --import", "move a key into the OS keyring"),
    ("awsudo clear", "delete all cached sessions"),
)
VARIABLES = (
    ("AWSUDO_DURATION, AWSUDO_SESSION_NAME, ...", "Each option of a run that takes a value has a variable."),
    ("AWSUDO_CACHE_DIR", "Where sessions are cached."),
    ("AWSUDO_STATE_DIR", "Where awsudo remembers which targets were used."),
    ("AWSUDO_ASKPASS", "Program that asks where there is no terminal: question as argument, answer on stdout."),
    ("AWSUDO_WAIT", "How long to wait for `awsudo answer` where there is no terminal."),
    ("AWSUDO_PROMPT_PRODUCTION", "Words that `awsudo prompt` shows in red, separated by commas."),
    ("NO_COLOR", "No colour, whatever the terminal can show."),
)
RAILS = (
    ("awsudo_confirm = true, or PATTERN, ...", "Ask on the terminal before each command, or before those that fit."),
    ("awsudo_confirm = mfa", "Require an MFA code for each run; its session is not cached."),
    (
        "awsudo_confirm_scripts = allow",
        "Let --yes confirm for a script; otherwise the run needs a terminal.",
    ),
    ("awsudo_deny = PATTERN, ...", "Refuse these commands: terraform destroy*, aws * delete-*."),
    ("awsudo_max_duration = TIME", "Shorten every session of the profile to this."),
    ("awsudo_account_name, awsudo_description, awsudo_color", "The name of the target in the prompt."),
)
ABOUT_RAILS = (
    "Rails, not walls: they look at the words of a command, and a script can do more than its words say. The walls are "
    "the session's policy (--read-only, --only, --policy) and MFA."
)
PRECEDENCE = "An option wins over its variable, a variable over the profile, the profile over the default."
EXIT_CODES = (
    ("0-255", "The command's own."),
    ("125", "awsudo failed."),
    ("126", "The command was found and cannot run."),
    ("127", "The command was not found."),
    ("2", "Wrong usage."),
    ("130", "Interrupted."),
)
#: The order of a group's subcommands, the most used first; others follow in the order of the registry.
ORDER = (
    *("exec", "export", "each", "serve", "console"),
    *("list", "whoami", "explain", "history", "trail", "doctor"),
    *("login", "logout", "import", "keys", "answer"),
    *("completion", "shell-init", "prompt", "clear", "demo"),
)
#: Fields of the options that the first page of help shows.
COMMON = (
    "profile",
    "duration",
    "read_only",
    "only",
    "reason",
    "mfa_code",
    "region",
    "refresh",
    "verbose",
)
