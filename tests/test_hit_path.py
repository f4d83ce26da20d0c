"""The hit path's import budget: a cache hit loads a short list of modules, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

#: What a hit imports after `site`, all of it. Each name here is a piece of a millisecond on every command.
ALLOWED = {
    "__future__",
    "_blake2",
    "awsudo_py",
    "awsudo_py.__main__",
    "awsudo_py.child",
    "awsudo_py.aws_credentials",
    "awsudo_py.fingerprint",
    "awsudo_py.child_environment",
    "awsudo_py.replay",
    "awsudo_py.sessions",
    "awsudo_py.sessions.file_store",
    "awsudo_py.sessions.sealed",
    "awsudo_py.sessions.cached_session",
}


#: What no run with a cached session imports: each costs a millisecond or more.
SLOW = {
    *("botocore", "boto3", "click", "keyring", "rich", "dateutil", "urllib3"),
    *("argparse", "base64", "configparser", "dataclasses", "datetime", "email", "hashlib", "http", "importlib"),
    *("inspect", "logging", "pathlib", "shutil", "socket", "ssl", "subprocess", "tempfile", "textwrap", "xml"),
}


def imported_by(world: World, *words: str) -> set[str]:
    """The modules that awsudo imports after site and its own wrapper, as the interpreter lists them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", AWSUDO, *words],
        env=world.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    # the wrapper that older pips write imports re, and it is not ours
    return set(names[names.index("site") + 1 :]) - _imported_by_wrapper()


def test_a_hit_imports_only_the_short_list(world: World) -> None:
    """What people feel on every command is the interpreter, and these modules."""
    world.settle()
    world.run("dev", "true")

    imported = imported_by(world, "dev", "true")

    assert imported == ALLOWED


def test_a_hit_with_all_options_imports_no_more(world: World) -> None:
    """Options, a role of its own, a policy: a hit is as short whatever stands before the command."""
    words = ("-p", "base", "-d", "15m", "--tag", "team=ops", "-q", "111111111111:dev", "true")
    world.settle()
    world.run(*words)

    imported = imported_by(world, *words)

    assert imported == ALLOWED


def test_a_hit_behind_mfa_imports_no_more(world: World, sts: StrictSts) -> None:
    """A role whose code was given this morning is as short: nothing that could ask for one is loaded."""
    phone = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/phone")
    world.env |= {"AWSUDO_MFA_SERIAL": phone.serial, "AWSUDO_MFA_PROCESS": f"echo {phone.code()}"}
    world.settle()
    assert world.run("dev", "true").code == 0

    imported = imported_by(world, "dev", "true")

    assert imported == ALLOWED


def test_a_confirmed_run_loads_no_parser_and_no_resolver(world: World) -> None:
    """With a --yes that the profile accepts, the patterns and the journal come on top of a hit."""
    role = "arn:aws:iam::111111111111:role/dev"
    rails = "awsudo_confirm = true\nawsudo_confirm_scripts = allow\nawsudo_deny = terraform destroy*\n"
    world.config(f"[profile dev]\nrole_arn = {role}\nsource_profile = base\n{rails}")
    world.settle()
    assert world.run("--yes", "dev", "true").code == 0

    imported = imported_by(world, "--yes", "dev", "true")

    ours = {
        *("awsudo_py.resolve", "awsudo_py.resolve.command_patterns"),
        *("awsudo_py.sessions.journal", "awsudo_py.sessions.private_directory"),
    }
    assert {name for name in imported if name.startswith("awsudo_py")} == {
        *(name for name in ALLOWED if name.startswith("awsudo_py")),
        *ours,
    }
    assert not imported & {"click", "configparser", "inspect", "subprocess"}


def test_the_help_loads_no_sdk(world: World) -> None:
    """--help is shown without botocore."""
    imported = imported_by(world, "--help")

    assert not {name for name in imported if name.startswith(("botocore", "boto3", "moto"))}


def test_a_full_run_with_a_cached_session_loads_no_sdk_and_no_click(world: World) -> None:
    """Other words, the same session: the resolver runs, and nothing that takes longer than it."""
    world.run("dev", "true")

    imported = imported_by(world, "--min-ttl", "1m", "dev", "true")

    assert "awsudo_py.resolve.chain" in imported
    assert not {name.partition(".")[0] for name in imported} & SLOW


def test_a_miss_loads_nothing_that_only_a_refusal_needs(world: World, sts: StrictSts) -> None:
    """A call that succeeds: botocore, without click, boto3, and what explains AWS's answers."""
    imported = imported_by(world, "dev", "true")

    assert sts.count("AssumeRole") == 1 and "botocore.client" in imported
    assert not {name for name in imported if name.startswith(("click", "boto3", "rich", "keyring", "awsudo_py.policy"))}
    assert not imported & {"xml.sax", "argparse", "awsudo_py.cli.main", "awsudo_py.signin.wiring"}


def test_a_line_of_another_form_is_read_by_click(world: World) -> None:
    """Options in one word, a subcommand, a mistake: there is one grammar, and click has it whole."""
    world.run("dev", "true")

    imported = imported_by(world, "--min-ttl", "1m", "-qq", "dev", "true")

    assert "click" in imported
    assert not {name for name in imported if name.startswith(("botocore", "boto3"))}


def _imported_by_wrapper() -> set[str]:
    """What the console script itself imports, where an older pip wrote it."""
    with open(AWSUDO, encoding="utf-8") as script:
        if "import re" not in script.read():
            return set()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import re"], capture_output=True, text=True, check=True
    )
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return set(names[names.index("site") + 1 :])


@needs("strace")
def test_the_frames_of_a_full_run_are_mapped_once(world: World, tmp_path: Path) -> None:
    """However deep a loop calls: CPython maps pieces of 16 KB for frames, and would unmap and map one at each call."""
    log = tmp_path / "log"

    done = world.run("export", "dev", prefix=("strace", "-f", "-qq", "--seccomp-bpf", "-e", "mmap", "-o", str(log)))

    assert done.code == 0
    assert len(re.findall(r"mmap\(NULL, 16384, \w+\|\w+, MAP_PRIVATE\|MAP_ANONYMOUS", log.read_text())) < 300
