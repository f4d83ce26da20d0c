"""The demo: a newcomer's first command."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pexpect
import pytest

from tests.world import AWSUDO, World


def test_the_demo_shows_two_roles_the_cache_and_the_export_and_cleans_up(world: World, tmp_path: Path) -> None:
    """Two roles, a first call, a cached second with its time, the exported lines; nothing is left behind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    done = world.run("demo", env={"TMPDIR": str(temporary), "AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "AKIAMINE"})

    assert done.code == 0, done.err
    assert "assumed-role/build/" in done.out and "assumed-role/deploy/" in done.out
    assert re.search(r"the first time +\d+ ms", done.out) and re.search(r"from the cache +\d+ ms", done.out)
    assert "export AWS_ACCESS_KEY_ID='ASIA" in done.out and "unset AWS_PROFILE;" in done.out
    assert done.err == ""
    assert list(temporary.iterdir()) == [] and not world.cache.exists()


def test_the_demo_shell_is_in_that_world_and_ends_with_it(world: World, tmp_path: Path) -> None:
    """--shell gives a shell in which the roles work; leaving it ends the world, with the shell's own exit code."""
    terminal = pexpect.spawn(
        AWSUDO,
        ["demo", "--shell"],
        env={**world.environ(), "SHELL": "/bin/sh", "PS1": "$ ", "TMPDIR": str(tmp_path)},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )

    terminal.expect("`exit` ends both")
    terminal.sendline("awsudo deploy sh -c 'echo as=$AWSUDO_ROLE_ARN'; echo code=$?")
    terminal.expect("as=arn:aws:iam::123456789012:role/deploy")
    terminal.expect("code=0")
    terminal.sendline("exit 3")
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == 3
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("awsudo-demo-")]


def test_the_demo_shell_without_a_terminal_is_a_usage_error(world: World) -> None:
    """A shell needs a terminal: said in one line, with what to do instead."""
    done = world.run("demo", "--shell")

    assert done.code == 2
    assert "needs a terminal" in done.err and "awsudo demo" in done.err


@pytest.mark.parametrize("missing", ["moto", "boto3"])
def test_without_its_extra_the_demo_says_what_to_install(world: World, tmp_path: Path, missing: str) -> None:
    """Missing moto is one clear line with the command that helps."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / f"{missing}.py").write_text("raise ImportError\n")

    done = world.run("demo", env={"PYTHONPATH": str(tmp_path / "hidden")})

    assert done.code == 125
    assert done.err.splitlines()[1].strip().endswith("-m pip install 'moto[server]'")
    assert tempfile.gettempdir() not in done.out
