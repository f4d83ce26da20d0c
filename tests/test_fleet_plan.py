"""Which targets a fleet run takes, and which of them a shard: pure functions, as tables."""

from __future__ import annotations

import pytest

from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.fleet.plan import Selection, known_targets, select
from awsudo_py.fleet.records import Target
from awsudo_py.fleet.shard import Shard, in_shard, shard_of
from awsudo_py.fleet.width import width
from awsudo_py.resolve.aws_config import AwsConfig
from tests import messages


def _role(account: int, role: str, **more: str) -> dict[str, str]:
    return {"role_arn": f"arn:aws:iam::{account:012}:role/{role}", "source_profile": "base", **more}


CONFIG = AwsConfig(
    "~/.aws/config",
    "~/.aws/credentials",
    {
        "prod-eu": _role(1, "team/Admin", region="eu-west-1", awsudo_account_name="data", awsudo_tags="team=web, gold"),
        "prod-us": _role(2, "Admin", region="us-east-1"),
        "dev-eu": _role(3, "Reader", region="eu-west-1", awsudo_tags="team=web"),
        "portal": {"sso_session": "corp", "sso_account_id": "000000000004", "sso_role_name": "Admin"},
    },
    {"base": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "…"}},
    {},
    {},
    {},
)
ARN = "arn:aws:iam::000000000009:role/x/Deploy"
FILES = {
    "list": "# those of the web team\nprod-eu\n\n  dev-eu  \n",
    "-": "prod-us\n!dev-eu\n",
    "globs": "prod-*\n!prod-us\n",
}


def _names(*words: str, **expected: object) -> list[str]:
    chosen = select(Selection(words, **expected), known_targets(CONFIG), FILES.__getitem__)  # type: ignore[arg-type]
    return [target.name for target in chosen]


@pytest.mark.parametrize(
    ("words", "expected", "names"),
    [
        (["prod-*"], {}, ["prod-eu", "prod-us"]),
        (["*-eu", "prod-*"], {}, ["prod-eu", "dev-eu", "prod-us"]),
        (["prod-eu", "prod-eu", "prod-e?"], {}, ["prod-eu"]),
        (["*"], {}, ["prod-eu", "prod-us", "dev-eu", "portal", "base"]),
        ([], {"everything": True}, ["prod-eu", "prod-us", "dev-eu", "portal"]),
        # exclusions win, wherever they stand, by name, glob or account
        (["!prod-us", "prod-*"], {}, ["prod-eu"]),
        (["prod-*", "^*-us"], {}, ["prod-eu"]),
        (["!000000000002"], {"everything": True}, ["prod-eu", "dev-eu", "portal"]),
        (["prod-eu", "dev-eu", "!prod-*"], {}, ["dev-eu"]),
        (["!nothing-*"], {"everything": True}, ["prod-eu", "prod-us", "dev-eu", "portal"]),
        # files and stdin
        (["@list"], {}, ["prod-eu", "dev-eu"]),
        (["-", "dev-eu", "prod-eu"], {}, ["prod-us", "prod-eu"]),
        (["@globs"], {}, ["prod-eu"]),
        # roles
        ([ARN, "000000000008:Ops"], {}, [ARN, "000000000008:Ops"]),
        # conditions: each must hold
        (["*"], {"where": ("admin",)}, ["prod-eu", "prod-us", "portal"]),
        (["*"], {"where": ("role=Admin region=eu-*",)}, ["prod-eu"]),
        (["*"], {"where": ("team=web", "name=prod-*")}, ["prod-eu"]),
        (["*"], {"where": ("gold",)}, ["prod-eu"]),
        (["*"], {"where": ("account-name=data",)}, ["prod-eu"]),
        (["*"], {"where": ("account=*4",)}, ["portal"]),
        # regions
        (["prod-eu"], {"regions": ("eu-west-1", "us-east-1")}, ["prod-eu@eu-west-1", "prod-eu@us-east-1"]),
        (["prod-eu@us-east-1"], {}, ["prod-eu@us-east-1"]),
        (["prod-eu@us-east-1"], {"regions": ("eu-west-1",)}, ["prod-eu@us-east-1"]),
        (["prod-*@sa-east-1", "!prod-us"], {}, ["prod-eu@sa-east-1"]),
        ([f"{ARN}@eu-west-1"], {}, [f"{ARN}@eu-west-1"]),
        # a role in accounts
        (
            ["!000000000006"],
            {"role": "Audit", "accounts": (("000000000005", "five"), ("000000000006", ""))},
            ["000000000005:Audit"],
        ),
    ],
)
def test_selection(words: list[str], expected: dict[str, object], names: list[str]) -> None:
    """Globs, exclusions, files, roles, conditions and regions give these targets, in this order."""
    assert _names(*words, **expected) == names


@pytest.mark.parametrize(
    ("words", "expected", "message", "hint"),
    [
        (["prdo-eu"], {}, "no target matches 'prdo-eu'", "did you mean prod-eu"),
        (["prod-*", "stagin-*"], {}, "no target matches 'stagin-*'", "awsudo each --all --dry-run"),
        (["porta*l*x"], {}, "no target matches", "portal"),
        ([], {}, messages.NO_TARGETS, "--all"),
        (["!prod-eu"], {}, messages.NO_TARGETS, "--all"),
        (["prod-*", "!prod-eus"], {}, "no target is called 'prod-eus'", "or prod-eu?"),
        (["prod-eu", "!prod-eu"], {}, "no targets are left of 1", "--dry-run"),
        (["*"], {"where": ("team=db",)}, "no targets are left of 5", "--where"),
        ([], {"role": "Audit", "accounts": (("5", ""),)}, "'5' is not an account ID", "12 digits"),
        (["arn:aws:iam::12:role/x"], {}, messages.NOT_A_ROLE_ARN, "123456789012:NAME"),
    ],
)
def test_a_selection_that_cannot_be_meant_is_an_error(
    words: list[str], expected: dict[str, object], message: str, hint: str
) -> None:
    """A word that matches nothing is an error that names the nearest targets, never a smaller run or all targets."""
    with pytest.raises(AwsudoError) as raised:
        _names(*words, **expected)

    assert message in raised.value.message
    assert hint in " ".join(raised.value.hints)


def test_the_printed_targets_select_themselves() -> None:
    """What --dry-run prints is a file for @: it selects the same targets again."""
    first = _names("*", ARN, regions=("eu-west-1", "us-east-1"))

    FILES["printed"] = "".join(f"{name}\n" for name in first)
    assert _names("@printed") == first


NAMES = [f"account-{number:04}" for number in range(2000)]


@pytest.mark.parametrize("total", [1, 2, 16, 64])
def test_shards_are_disjoint_and_complete(total: int) -> None:
    """Every target is in exactly one of N shards, and the shards are about equally large."""
    shards = [[name for name in NAMES if in_shard(name, Shard(number, total))] for number in range(1, total + 1)]

    assert sorted(name for shard in shards for name in shard) == NAMES
    assert max(map(len, shards)) < 2 * len(NAMES) / total


def test_a_new_target_moves_no_other() -> None:
    """The shard of a target depends on its name alone, in every version."""
    shards = {name: [number for number in range(1, 17) if in_shard(name, Shard(number, 16))] for name in SHARDS}

    assert shards == SHARDS


#: sha256, the first eight bytes as a number, modulo 16.
SHARDS = {"prod": [15], "dev": [16], "ü": [5]}


@pytest.mark.parametrize(
    ("text", "environ", "shard"),
    [
        ("3/16", {}, "3/16"),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "16"}, "1/16"),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "15", "AWS_BATCH_JOB_ARRAY_SIZE": "16"}, "16/16"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_TASK_MIN": "0"}, "4/16"),
        # --array=1-31:2
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "31",
                "SLURM_ARRAY_TASK_COUNT": "16",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            "16/16",
        ),
        ("auto/8", {"JOB_COMPLETION_INDEX": "2"}, "3/8"),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}, "1/4"),
        ("auto", {"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "4"}, "1/4"),
        ("auto", {"BUILDKITE_PARALLEL_JOB": "3", "BUILDKITE_PARALLEL_JOB_COUNT": "4"}, "4/4"),
    ],
)
def test_the_shard_comes_from_the_engine(text: str, environ: dict[str, str], shard: str) -> None:
    """--shard I/N says it; --shard auto reads what each engine sets, whatever number it starts from."""
    assert str(shard_of(text, environ)) == shard


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("0/4", {}, "no shard 0/4"),
        ("5/4", {}, "no shard 5/4"),
        ("4", {}, "invalid shard '4'"),
        ("a/b", {}, "invalid shard"),
        ("auto", {}, "no batch engine"),
        ("auto", {"JOB_COMPLETION_INDEX": "2"}, "Kubernetes does not say how many"),
        ("auto", {"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "4"}, "CI_NODE_INDEX='x'"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, "no shard 5/4"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_STEP": "0", "SLURM_ARRAY_TASK_COUNT": "2"}, "='1'"),
    ],
)
def test_a_shard_that_does_not_exist_is_an_error(text: str, environ: dict[str, str], message: str) -> None:
    """A wrong shard never runs another part of the targets, or all of them."""
    with pytest.raises(UsageError) as raised:
        shard_of(text, environ)

    assert message in raised.value.message


@pytest.mark.parametrize(
    ("expected", "cores", "files", "memory", "targets", "commands", "needed", "notice"),
    [
        (None, 2, (1024, 4096), None, 500, 16, 1024, ""),
        (None, 16, (1024, 4096), None, 500, 64, 1024, ""),
        (None, 16, (1024, 4096), None, 3, 3, 1024, ""),
        (200, 2, (1024, 4096), None, 500, 200, 64 + 1200, ""),
        (200, 2, (256, 256), None, 500, 32, 256, "the limit of open files is 256"),
        (None, 2, (64, 64), None, 500, 1, 70, "the limit of open files is 64"),
        (None, 16, (1024, -1), 1 << 30, 500, 16, 1024, "1024 MiB of memory"),
        (64, 16, (1024, -1), 1 << 30, 500, 64, 1024, ""),
    ],
)
def test_width(
    expected: int | None,
    cores: int,
    files: tuple[int, int],
    memory: int | None,
    targets: int,
    commands: int,
    needed: int,
    notice: str,
) -> None:
    """The width is eight a core and at most 64, or as wanted, and never more than files and memory allow."""
    found = width(expected, cores=cores, files=files, memory=memory, targets=targets)

    assert (found.commands, found.files) == (commands, needed)
    assert notice in found.notice and bool(notice) == bool(found.notice)


def test_a_target_has_what_conditions_look_at() -> None:
    """Account, role without its path, region and tags of ours come from the profile."""
    target = known_targets(CONFIG)[0]

    assert target == Target(
        "prod-eu",
        "prod-eu",
        account="000000000001",
        account_name="data",
        role="Admin",
        home_region="eu-west-1",
        tags=(("team", "web"), ("gold", "")),
    )
