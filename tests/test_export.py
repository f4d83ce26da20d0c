"""`awsudo export`: an environment for a shell, a file or an SDK, the same as a command would get."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import made_world, needs
from tests.readers import READERS, SHELLS, UNQUOTED, Reader, in_shell
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, PRINT_ENV, World

ROLE = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::111111111111:role/ops"
POSIX = [shell for shell in SHELLS if shell not in ("fish", "tcsh", "elvish")]
EVERY_SHELL = [pytest.param(shell, marks=needs(shell)) for shell in (*POSIX, "fish")]
EVERY_POSIX = [pytest.param(shell, marks=needs(shell)) for shell in POSIX]
#: What a user's shell may hold of other sessions, and every SDK would rather take.
STALE = {
    name: f"stale {name}"
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ACCESS_KEY"),
        *("AWS_SECRET_KEY", "AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION", "AWS_ACCOUNT_ID", "AWS_ROLE_ARN"),
        *("AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_FILE", "AWSUDO_TARGET"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWSUDO_ROLE_ARN"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWSUDO_EXPIRATION"),
    )
} | {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "base"}
READS = [
    pytest.param(name, reader, id=f"{name}-{reader.label}", marks=needs(*reader.needs))
    for name, readers in READERS.items()
    for reader in readers
    if " after " not in reader.label
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """made_world() with awsudo at hand, for tests that only ask: its one session is kept."""
    with StrictSts() as sts:
        yield made_world(tmp_path_factory.mktemp("shared"), sts).at_hand()


def _aws(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(("AWS_", "AWSUDO_"))}


# -- what is printed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reader"), READS)
def test_every_format_gives_the_environment_that_a_command_gets(
    shared: World, tmp_path: Path, name: str, reader: Reader
) -> None:
    """Set and unset, variable by variable: nothing that exec hides from a command is left in the shell."""
    stale: dict[str, str | None] = {**STALE}
    command = _aws(shared.run("dev", *PRINT_ENV, env=stale).env)

    done = shared.run("export", "dev", "--format", name, env=stale)

    assert (done.code, done.err) == (0, "")
    found = reader.read(done.out.encode(), _aws(shared.environ(stale)), tmp_path)
    if name in ("dotenv", "process"):  # neither can unset
        fresh = reader.read(done.out.encode(), {}, tmp_path)
        assert fresh.items() <= command.items() and {"AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"} <= set(fresh)
    else:
        assert found == command


def test_json_marks_removed_variables_with_null(shared: World) -> None:
    """A program that reads it can do both halves: set what has a value, unset what is null."""
    printed = json.loads(shared.run("export", "dev", "--format", "json").out)

    assert {name for name, value in printed.items() if value is None} >= {"AWS_PROFILE", "AWS_SECURITY_TOKEN"}
    assert printed["AWSUDO_ROLE_ARN"] == ROLE


def test_export_and_exec_share_one_session(world: World, sts: StrictSts) -> None:
    """What a command has got is exported, and the other way round: STS is asked once."""
    command = world.run("dev", *PRINT_ENV).env

    exported = json.loads(world.run("export", "dev", "--format", "json").out)

    assert exported["AWS_ACCESS_KEY_ID"] == command["AWS_ACCESS_KEY_ID"]
    assert sts.count("AssumeRole") == 1


@pytest.mark.parametrize("words", [("-p", "base", OPS), (OPS, "-p", "base"), ("111111111111:ops", "--profile=base")])
def test_a_role_is_exported_from_a_named_source(world: World, sts: StrictSts, words: tuple[str, ...]) -> None:
    """`-p PROFILE ROLE` means the same as before a command, and options may stand after the target."""
    sts.add_role(OPS)

    done = world.run("export", *words, "--duration", "15m", "--format", "json")

    assert json.loads(done.out)["AWSUDO_ROLE_ARN"] == OPS
    assert sts.calls[-1].params["DurationSeconds"] == "900"


@pytest.mark.parametrize(
    "reader", [pytest.param(reader, id=reader.label, marks=needs(*reader.needs)) for reader in UNQUOTED]
)
def test_eval_without_quotes_works_with_real_credentials(shared: World, tmp_path: Path, reader: Reader) -> None:
    """`eval $(awsudo export prod)` is what people type: it sets and unsets the same."""
    name = {"fish": "fish", "tcsh": "csh"}.get(reader.needs[0], "sh")
    text = shared.run("export", "dev", "--format", name).out.encode()

    found = reader.read(text, {"AWS_PROFILE": "base"}, tmp_path)

    assert found["AWSUDO_ROLE_ARN"] == ROLE and "AWS_PROFILE" not in found


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_nothing_in_a_reply_of_sts_is_executed(world: World, sts: StrictSts, tmp_path: Path, shell: str) -> None:
    """Text from outside goes through eval as text: the shell runs nothing of it, and has it whole."""
    token = (
        "'; touch pwned; '\ntouch pwned\n$(touch pwned)`touch pwned`\"; touch pwned; #\\'; touch pwned; (touch pwned)"
    )
    sts.texts["SessionToken"] = token
    line = "awsudo export dev | source" if shell == "fish" else 'eval "$(awsudo export dev)"'
    words = "$argv" if shell == "fish" else '"$@"'
    empty = tmp_path / "empty"
    empty.mkdir()

    done = in_shell(shell, f"{line}\nexec {words}", *PRINT_ENV, environ=world.at_hand().environ(), cwd=empty)

    assert (done.code, done.err) == (0, "")
    assert done.env["AWS_SESSION_TOKEN"] == token
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    ("target", "locale"),
    [
        *((target, "C.UTF-8") for target in ("$(touch pwned)", "it's", "back\\slash", "-dashed")),
        *(("ünï cödé 🦄", locale) for locale in ("C", "nowhere")),
    ],
)
def test_a_profile_may_be_called_anything(world: World, tmp_path: Path, target: str, locale: str) -> None:
    """The target's name is shown to prompts as it is, whatever its characters and whatever the locale."""
    world.config(f"[profile {json.dumps(target, ensure_ascii=False)}]\nrole_arn = {ROLE}\nsource_profile = base\n")

    done = world.run("export", "--format", "sh", "--", target, env={"LC_ALL": locale})

    assert done.code == 0, done.err
    reader = READERS["sh"][0]
    found = reader.read(done.out.encode("utf-8", "surrogateescape"), {}, tmp_path)
    assert found["AWSUDO_TARGET"] == target


# -- unset ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_unset_removes_all_that_a_session_set(shared: World, tmp_path: Path, shell: str) -> None:
    """`export --unset` after `export`: no trace of any session is left, and the line succeeds."""
    export, unset, words = 'eval "$(awsudo export dev)"', 'eval "$(awsudo export --unset)"', '"$@"'
    if shell == "fish":
        export, unset, words = "awsudo export dev | source", "awsudo export --unset | source", "$argv"

    done = in_shell(
        shell, f"{export}; {unset} && exec {words}", *PRINT_ENV, environ=shared.environ({**STALE}), cwd=tmp_path
    )

    assert (done.code, done.err) == (0, "")
    stored = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_STS", "AWS_EC2_METADATA_DISABLED"}
    assert set(_aws(done.env)) <= stored


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_unset_succeeds_where_there_is_nothing_to_unset(shared: World, tmp_path: Path, shell: str) -> None:
    """`… --unset && next` goes on in a shell that never had a session."""
    line = "awsudo export --unset | source" if shell == "fish" else 'set -eu; eval "$(awsudo export --unset)"'

    done = in_shell(shell, f"{line} && echo went on", environ=shared.environ(), cwd=tmp_path)

    assert (done.out, done.err) == ("went on\n", "")


def test_unset_needs_no_configuration_and_no_network(world: World, sts: StrictSts) -> None:
    """A broken environment does not keep a session in the shell."""
    world.config("not a configuration file\n")

    done = world.run("export", "--unset", env={"AWSUDO_DURATION": "nonsense", "AWS_PROFILE": "nope"})

    assert (done.code, done.err, sts.calls) == (0, "", [])
    assert "unset AWS_ACCESS_KEY_ID;\n" in done.out and "export" not in done.out


@pytest.mark.parametrize("name", ["process", "dotenv"])
def test_a_format_that_cannot_unset_is_refused_with_the_reason(world: World, name: str) -> None:
    """Success with nothing printed would leave the user with the session he wanted to be rid of."""
    done = world.run("export", "--unset", "--format", name)

    assert (done.code, done.out) == (125, "")
    assert "unset" in done.err


@needs("fish")
@pytest.mark.parametrize("before", ["", "set -gx AWS_PROFILE base;"], ids=["universal", "universal and global"])
def test_fish_gets_a_notice_for_an_erased_universal_variable(shared: World, tmp_path: Path, before: str) -> None:
    """`set -Ux AWS_PROFILE …` cannot be hidden, only erased, for all shells: no command sees it, and the user knows."""
    environ = shared.environ({"XDG_CONFIG_HOME": str(tmp_path / "config")})

    def fish(script: str) -> subprocess.CompletedProcess[str]:  # --no-config would be without universal variables
        return subprocess.run(["fish", "-c", script], env=environ, capture_output=True, text=True, cwd=tmp_path)

    assert fish("set -Ux AWS_PROFILE dev; env | grep AWS_PROFILE=").stdout == "AWS_PROFILE=dev\n"

    here = fish(f"{before} awsudo export dev | source; env | grep AWS_PROFILE=")

    assert here.stdout == ""
    assert "AWS_PROFILE" in here.stderr and "universal" in here.stderr


# -- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nope",), 125),
        ((), 2),
        (("dev", "--format", "nope"), 2),
        (("dev", "true"), 2),
        (("dev", "--", "true"), 2),
        (("-p", "base", "true"), 2),
        (("--unset", "dev"), 2),
        (("--unset", "-p", "dev"), 2),
        (("arn:aws:iam::111111111111:role/denied", "-p", "base"), 125),
        (("dev", "--duration", "1m"), 2),
        (("dev", "--no-such-option"), 2),
        (("dev", "--format", "cmd"), 125),
        (("dev", "--format", "dotenv"), 125),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_failure_prints_nothing_on_stdout(world: World, sts: StrictSts, words: tuple[str, ...], code: int) -> None:
    """`x=$(awsudo export nope)` is empty: no half environment, no message that a shell would execute."""
    sts.add_role("arn:aws:iam::111111111111:role/denied", deny="because of a test")
    sts.texts["SessionToken"] = '100%\n"'

    done = world.run("export", *words)

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("awsudo: ") and "internal error" not in done.err


@pytest.fixture(scope="module")
def help_text(shared: World) -> str:
    """What `awsudo export --help` says."""
    return shared.run("export", "--help").out


def _line(help_text: str, what: str, target: str) -> str:
    """The line of --help that is for this, with another target."""
    found = re.search(rf"^ *(\S.*?) {{2,}}(?:\S.*)?{what}", help_text, re.MULTILINE)
    assert found, f"--help has no line for {what}"
    return found[1].replace("prod", target)


@pytest.mark.parametrize("shell", EVERY_POSIX)
def test_the_line_for_scripts_stops_them_under_set_e(shared: World, help_text: str, tmp_path: Path, shell: str) -> None:
    """A script whose role cannot be had does not go on as somebody else."""
    line = _line(help_text, "set -e", "nope")

    done = in_shell(shell, f"set -e\n{line}\necho went on", environ=shared.environ(), cwd=tmp_path)

    assert done.out == "" and done.code == 125
    assert "no profile 'nope'" in done.err


@pytest.mark.parametrize(
    ("shell", "what"),
    [
        *(pytest.param(shell, "set -e", marks=needs(shell)) for shell in POSIX),
        *(pytest.param(shell, "sh, bash, zsh", marks=needs(shell)) for shell in POSIX),
        pytest.param("fish", "fish", marks=needs("fish")),
        pytest.param("tcsh", "tcsh", marks=needs("tcsh")),
    ],
)
def test_every_line_of_the_help_works_in_its_shell(
    shared: World, help_text: str, tmp_path: Path, shell: str, what: str
) -> None:
    """What --help says to type is what makes this shell run as the role, under `set -eu` too."""
    line = _line(help_text, what, "dev")
    script = {"fish": f"{line}\nexec $argv", "tcsh": f"{line}\nexec $argv:q"}.get(shell, f'set -eu\n{line}\nexec "$@"')

    done = in_shell(shell, script, *PRINT_ENV, environ=shared.environ({**STALE}), cwd=tmp_path)

    assert (done.code, done.err) == (0, "")
    assert done.env["AWSUDO_ROLE_ARN"] == ROLE and "AWS_PROFILE" not in done.env


@pytest.mark.parametrize("shell", EVERY_POSIX)
def test_a_failed_export_leaves_the_shell_as_it_was(shared: World, tmp_path: Path, shell: str) -> None:
    """`eval "$(awsudo export typo)"` changes nothing: neither half a session nor a message taken for commands."""
    before = in_shell(shell, 'exec "$@"', *PRINT_ENV, environ=shared.environ(), cwd=tmp_path).env

    done = in_shell(
        shell, 'eval "$(awsudo export nope)"; exec "$@"', *PRINT_ENV, environ=shared.environ(), cwd=tmp_path
    )

    assert done.env == before


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", ["dev", "--unset"])
def test_a_full_stdout_is_explained(shared: World, redirection: str, words: str) -> None:
    """A full disk under `export … > .env` is a failure, and says what failed."""
    done = in_shell("bash", f"awsudo export {words} {redirection}", environ=shared.environ(), cwd=shared.home)

    assert done.code == 125
    assert "cannot write" in done.err and "internal error" not in done.err


# -- which format --------------------------------------------------------------------------------------------------


def _language(text: str) -> str:
    starts = {"set -gx": "fish", "setenv": "tcsh", "export": "sh"}
    return next(name for start, name in starts.items() if text.startswith(f"{start} AWS_ACCESS_KEY_ID"))


def _is_fish(text: str) -> bool:
    return _language(text) == "fish"


@pytest.mark.parametrize(
    ("shell", "before"),
    [
        *(pytest.param(shell, "", marks=needs(shell)) for shell in (*POSIX, "fish", "tcsh")),
        *(pytest.param("fish", before, marks=needs("fish")) for before in ("env A=b", "timeout 20", "nice -n 1")),
    ],
)
def test_the_shell_that_reads_the_lines_decides_their_format(shared: World, shell: str, before: str) -> None:
    """Whatever $SHELL says, and whatever small program is between: fish gets fish's, tcsh its own, others sh's."""
    login = "/bin/bash" if shell == "fish" else "/usr/bin/fish"

    done = in_shell(
        shell, f"{before} awsudo export dev | cat", environ=shared.environ({"SHELL": login}), cwd=shared.home
    )

    assert _language(done.out) == (shell if shell in ("fish", "tcsh") else "sh")


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_a_script_reads_what_its_own_interpreter_reads(shared: World, tmp_path: Path, shell: str) -> None:
    """`./deploy` with a #! line runs under its own name: it is still a script of that shell."""
    script = tmp_path / "deploy"
    script.write_text(f"#!{shutil.which(shell)}\nawsudo export dev | cat\n")
    script.chmod(0o755)

    done = subprocess.run([script], env=shared.environ(), capture_output=True, text=True, check=True)

    assert _is_fish(done.stdout) == (shell == "fish")


@needs("fish")
def test_a_program_other_than_a_shell_gets_sh(shared: World) -> None:
    """From Python, make or an editor: what POSIX shells read, whichever shell is the user's own."""
    done = shared.run("export", "dev", env={"SHELL": "/usr/bin/fish"})

    assert not _is_fish(done.out)


@needs("fish")
def test_the_requested_format_is_printed(shared: World) -> None:
    """--format wins over what is calling."""
    fish = shared.run("export", "dev", "--format", "fish").out
    posix = in_shell("fish", "awsudo export dev --format bash | cat", environ=shared.environ(), cwd=shared.home).out

    assert _is_fish(fish) and not _is_fish(posix)


# -- terminals -----------------------------------------------------------------------------------------------------


def _on_terminal(world: World, shell: str, line: str, cwd: Path) -> str:
    """What a terminal shows when this line is run in a shell on it."""
    terminal = pexpect.spawn(
        SHELLS[shell][0],
        [*SHELLS[shell][1:], "-c", f"{line}; echo code $status" if shell == "fish" else f"{line}; echo code $?"],
        env=world.environ(),
        cwd=str(cwd),
        encoding="utf-8",
        timeout=20,
        dimensions=(60, 2000),
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    displayed: str = terminal.before
    return displayed


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_a_terminal_is_shown_the_line_to_type_instead_of_secrets(shared: World, tmp_path: Path, shell: str) -> None:
    """Nothing is printed for all to see; the line that the hint gives works in the very shell that was used."""
    displayed = _on_terminal(shared, shell, "awsudo export dev", tmp_path)

    assert "code 125" in displayed and "terminal" in displayed
    assert "ASIA" not in displayed and "AWS_SECRET_ACCESS_KEY" not in displayed
    hint = re.search(r"let the shell read it: (.*); or add --force", displayed)
    assert hint
    words = "$argv" if shell == "fish" else '"$@"'
    done = in_shell(shell, f"{hint[1]}\nexec {words}", *PRINT_ENV, environ=shared.environ(), cwd=tmp_path)
    assert done.env["AWSUDO_ROLE_ARN"] == ROLE


def test_the_line_to_type_has_the_options_that_were_typed(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """A hint that dropped the source profile would be another role's credentials, or none."""
    sts.add_role(OPS)
    line = "awsudo export -d 15m -p base 111111111111:ops --tag 'team=a b'"

    displayed = _on_terminal(world.at_hand(), "bash", line, tmp_path)

    hint = re.search(r"let the shell read it: (.*); or add --force", displayed)
    assert hint
    done = in_shell("bash", f'{hint[1]}\nexec "$@"', *PRINT_ENV, environ=world.environ(), cwd=tmp_path)
    assert done.env.get("AWSUDO_ROLE_ARN") == OPS, done.err
    assert sts.calls[-1].params.items() >= {"DurationSeconds": "900", "Tags.member.1.Value": "a b"}.items()


@pytest.mark.parametrize("name", ["dotenv", "json", "process", "cmd"])
def test_formats_that_are_not_for_a_shell_cannot_be_evaluated(shared: World, tmp_path: Path, name: str) -> None:
    """The hint for `--format json` on a terminal is about JSON: eval would take it for commands."""
    displayed = _on_terminal(shared, "bash", f"awsudo export dev --format {name}", tmp_path)

    assert "code 125" in displayed and "--force" in displayed
    assert "eval" not in displayed


def test_force_prints_on_a_terminal(shared: World, tmp_path: Path) -> None:
    """Who asks for it gets it, whole."""
    displayed = _on_terminal(shared, "bash", "awsudo export dev --force", tmp_path)

    assert displayed.replace("\r\n", "\n").removesuffix("code 0\n") == shared.run("export", "dev").out


def test_formats_without_a_secret_print_to_a_terminal(shared: World, tmp_path: Path) -> None:
    """`export --unset` has no secret, and a terminal on stderr does not matter."""
    unset = _on_terminal(shared, "bash", "awsudo export --unset", tmp_path)
    elsewhere = _on_terminal(shared, "bash", f"{shlex.quote(AWSUDO)} export dev > kept", tmp_path)

    assert "unset AWS_SESSION_TOKEN" in unset and "code 0" in unset
    assert elsewhere == "code 0\r\n" and (tmp_path / "kept").stat().st_size > 500


def test_a_terminal_refuses_before_anything_is_spent(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """No call and no MFA code for what will not be printed."""
    _on_terminal(world.at_hand(), "bash", "awsudo export dev", tmp_path)

    assert sts.calls == []
