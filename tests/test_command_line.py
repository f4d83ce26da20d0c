"""The command line as a contract: every form, every exit code, and the environment that the command gets."""

from __future__ import annotations

import subprocess

import pytest

from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, PRINT_ENV, World

DEV = "arn:aws:iam::111111111111:role/dev"
ECHO = ("sh", "-c", 'printf "%s|" "$AWSUDO_ROLE_ARN" "$@"', "sh")
#: Design § 4.3, written out once more.
REMOVED = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_SESSION_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWSUDO_MFA_CODE",
]


@pytest.fixture
def base(world: World) -> World:
    """The world with the ambient profile `base`, and profiles that are called like subcommands."""
    config = world.home / ".aws" / "config"
    role = f"role_arn = {DEV}\nsource_profile = base\n"
    config.write_text(
        config.read_text() + "".join(f"[profile {name}]\n{role}" for name in ("export", "list", "111111111111:x"))
    )
    world.env["AWS_PROFILE"] = "base"
    return world


@pytest.mark.parametrize(
    "before",
    [
        ("dev",),
        ("dev", "--"),
        ("exec", "dev"),
        ("exec", "dev", "--"),
        ("-p", "dev"),
        ("-p", "dev", "--"),
        ("-u", "dev"),
        ("--profile=dev",),
        ("-p", "export"),
        ("exec", "export"),
        ("list",),
        (DEV,),
        (f'"{DEV}"',),
        (f"'{DEV}'",),
        ("111111111111:dev",),
        ("aws:111111111111:dev",),
        ("111111111111:x",),
        ("-p", "base", DEV),
        ("-p", "base", "111111111111:dev", "--"),
        ("-p", "base", "-d", "900", DEV),
        ("-d", "900", "-p", "base", "-n", "ann", DEV),
        ("-q", "dev"),
        ("-d", "15m", "exec", "dev"),
        ("exec", "-d", "15m", "-p", "base", DEV),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("times", [1, 2], ids=["cold", "warm"])
def test_a_form_of_the_command_line_runs_the_command_as_the_role(
    base: World, before: tuple[str, ...], times: int
) -> None:
    """However it is written, the command runs as the role and gets its words, the second time as the first."""
    words = ("-l", "--help", "--", "", "a b", "-p", "$HOME", "*")

    for _ in range(times):
        done = base.run(*before, *ECHO, *words)

    assert (done.code, done.out) == (0, f"{DEV}|" + "".join(f"{word}|" for word in words)), done.err


@pytest.mark.parametrize("times", [1, 2], ids=["cold", "warm"])
def test_words_arrive_byte_for_byte(world: World, times: int) -> None:
    """Bytes that are no text in any encoding reach the command as they are."""
    word = bytes(set(range(1, 256)))

    for _ in range(times):
        done = subprocess.run(
            [AWSUDO, b"dev", b"printf", b"%s", word], env=world.environ(), capture_output=True, check=True
        )

    assert done.stdout == word


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "no target"),
        (("--bogus", "dev", "true"), 2, "--bogus"),
        (("-d",), 2, "requires an argument"),
        (("dev",), 2, "no command for dev, and no terminal"),
        (("export",), 2, "no target"),
        (("export", "dev", "true"), 2, "unexpected extra argument"),
        (("export", "--unset", "dev"), 2, "takes no target"),
        (("export", "dev", "--format", "xml"), 2, "xml"),
        (("prdo", "true"), 125, "no profile 'prdo'"),
        (("dve", "true"), 125, "did you mean dev?"),
        (("dev", "no-such-command"), 127, "command not found: no-such-command"),
        (("dev", "/nowhere/command"), 127, "command not found: /nowhere/command"),
        (("dev", ""), 127, "command not found"),
        (("dev", "/"), 126, "it is a directory"),
        (("dev", "/etc/passwd"), 126, "not executable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_cannot_be_done_is_a_line_a_hint_and_an_exit_code(
    world: World, sts: StrictSts, words: tuple[str, ...], code: int, said: str
) -> None:
    """One clear line on stderr, nothing on stdout, and STS is not asked."""
    done = world.run(*words)

    assert (done.code, done.out, sts.calls) == (code, "", [])
    assert done.err.startswith("awsudo: ") and said.lower() in done.err.splitlines()[0].lower() + done.err.lower()


def test_a_missing_command_costs_nothing_on_the_short_way_either(world: World) -> None:
    """127 and the same words, cold and warm."""
    world.run("dev", "true")

    done = world.run("dev", "no-such-command")

    assert done.code == 127 and "command not found: no-such-command" in done.err


def test_the_help_is_complete_and_has_examples(world: World) -> None:
    """Every option, subcommand and exit code is in it, and it says where help for a subcommand is."""
    from awsudo_py.commands import SUBCOMMANDS
    from awsudo_py.options import REQUEST

    done = world.run("--help")

    assert (done.code, done.err) == (0, "")
    for name in (
        *(flag for option in REQUEST for flag in option.flags),
        *SUBCOMMANDS,
        "Examples:",
        "125",
        "-h",
    ):
        assert name in done.out
    for name, subcommand in SUBCOMMANDS.items():
        inner = world.run(name, "--help")
        assert inner.code == 0 and f"awsudo {name}" in inner.out
        said = " ".join(inner.out.split())
        assert subcommand.said in said
        assert [flag for option in subcommand.options for flag in option.flags if flag not in said] == []


def test_version_is_one_line(world: World) -> None:
    """--version: the name and the number."""
    from awsudo_py import __version__

    assert world.run("--version").out == f"awsudo {__version__}\n"


@pytest.mark.parametrize("times", [1, 2], ids=["cold", "warm"])
def test_the_command_gets_exactly_the_environment_of_the_contract(world: World, sts: StrictSts, times: int) -> None:
    """What could lead an SDK elsewhere is gone, what is set is exact, and all else is as it was."""
    unwanted: dict[str, str | None] = {name: "stale" for name in REMOVED if name != "AWS_WEB_IDENTITY_TOKEN_FILE"}
    unwanted["AWSUDO_MFA_CODE"] = "123456"
    kept: dict[str, str | None] = {
        "AWS_CONFIG_FILE": str(world.home / ".aws" / "config"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": "/dev/null",
        "AWS_PAGER": "cat",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "ODD": "a\nb=c\udcff",
    }

    for _ in range(times):
        done = world.run("dev", *PRINT_ENV, env={**unwanted, **kept})

    assert done.code == 0, done.err
    issued = sts.issued[-1]
    given = done.env
    set_by_us = {
        "AWS_ACCESS_KEY_ID": issued.access_key_id,
        "AWS_SECRET_ACCESS_KEY": issued.secret_access_key,
        "AWS_SESSION_TOKEN": issued.session_token,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWSUDO_TARGET": "dev",
        "AWSUDO_ROLE_ARN": DEV,
    }
    until = given.pop("AWS_CREDENTIAL_EXPIRATION")
    assert given.pop("AWSUDO_EXPIRATION") == until and until.endswith("Z")
    given.pop("LC_CTYPE", None)  # Python's own, where the locale is C
    assert given == {**world.env, **kept, **set_by_us}


@pytest.mark.parametrize(
    ("words", "env", "region"),
    [
        ((), {"AWS_DEFAULT_REGION": None}, "eu-west-1"),
        ((), {"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ((), {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-2"),
        ((), {"AWSUDO_REGION": "us-west-1", "AWS_REGION": "us-east-2"}, "us-west-1"),
        (("--region", "us-west-2"), {"AWSUDO_REGION": "us-west-1"}, "us-west-2"),
    ],
)
def test_the_region_is_the_options_the_users_or_the_profiles(
    world: World, words: tuple[str, ...], env: dict[str, str | None], region: str
) -> None:
    """An explicit region, else the user's variables, else the profile's; under both of its names."""
    done = world.run(*words, "dev", "sh", "-c", "echo $AWS_REGION $AWS_DEFAULT_REGION", env=env)

    assert done.out == f"{region} {region}\n", done.err


def test_quiet_says_nothing_and_verbose_says_what_was_done(world: World) -> None:
    """-v: what was resolved, from which file, cache or call; -q: nothing but errors."""
    verbose = world.run("-v", "dev", "true").err
    again = world.run("-v", "dev", "true").err

    assert "asked AWS" in verbose and str(world.home / ".aws" / "credentials") in verbose and DEV in verbose
    assert "from the cache" in again and "asked AWS" not in again
    assert world.run("-q", "base", "true").err == ""
