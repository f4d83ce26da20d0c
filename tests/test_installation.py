"""Hints that install something fit the way awsudo itself was installed."""

from __future__ import annotations

import json
import re
from importlib import metadata, util
from pathlib import Path

import pytest

from awsudo_py import __version__, installation
from awsudo_py.installation import DISTRIBUTION, command_to_add
from tests.world import World

PACKAGE = "botocore[crt]"


class _Distribution:
    """The installed metadata of awsudo, with one file in it."""

    def __init__(self, direct_url: object) -> None:
        self._direct_url = direct_url

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._direct_url is None else json.dumps(self._direct_url)


@pytest.mark.parametrize(
    ("marker", "folder", "command"),
    [
        ("pipx_metadata.json", "venvs/awsudo-cli", "pipx inject awsudo-cli 'botocore[crt]'"),
        ("uv-receipt.toml", "tools/awsudo-cli", "uv tool install --with 'botocore[crt]' awsudo-cli"),
        ("pyvenv.cfg", "archive-v0/u8Itaut", "uvx --with 'botocore[crt]' --from awsudo-cli awsudo"),
        ("pyvenv.cfg", "my venv", "'/opt/my venv/bin/python' -m pip install 'botocore[crt]'"),
    ],
    ids=["pipx", "uv tool", "uvx", "venv"],
)
def test_the_command_fits_the_tool_that_installed_awsudo(
    marker: str, folder: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pipx and uv leave a mark in the environment they made; any other environment has its interpreter's pip."""
    monkeypatch.setattr(util, "find_spec", lambda name: name)
    prefix = tmp_path / folder
    prefix.mkdir(parents=True)
    (prefix / marker).touch()
    monkeypatch.setattr(metadata, "distribution", lambda name: _Distribution(None))

    assert command_to_add(PACKAGE, prefix=str(prefix), executable="/opt/my venv/bin/python") == command


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        (None, DISTRIBUTION),
        ({"url": "file:///home/ann/my%20tools/awsudo", "dir_info": {}}, "'/home/ann/my tools/awsudo'"),
        ({"url": "https://git.example/awsudo", "vcs_info": {"vcs": "git"}}, "git+https://git.example/awsudo"),
        ({"url": "https://files.example/awsudo.whl"}, "https://files.example/awsudo.whl"),
    ],
    ids=["index", "folder", "git", "file"],
)
def test_an_installation_is_repeated_from_where_it_came(
    recorded: object, origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv installs a tool anew with its additions: from the same folder, repository or file as before."""
    (tmp_path / "uv-receipt.toml").touch()
    monkeypatch.setattr(metadata, "distribution", lambda name: _Distribution(recorded))

    assert command_to_add(PACKAGE, prefix=str(tmp_path)) == f"uv tool install --with 'botocore[crt]' {origin}"


def test_an_environment_without_pip_is_served_by_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`uv venv` makes environments without pip."""
    monkeypatch.setattr(util, "find_spec", lambda name: None)

    command = command_to_add(PACKAGE, prefix=str(tmp_path), executable="/v/bin/python")

    assert command == "uv pip install --python /v/bin/python 'botocore[crt]'"


def test_a_profile_of_aws_login_says_how_to_install_what_it_needs(tmp_path: Path) -> None:
    """The AWS Common Runtime comes with the extra `login`; without it, the hint is the command for this interpreter."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "awscrt.py").write_text("raise ImportError\n")
    world = World(tmp_path)
    world.config("[profile ann]\nlogin_session = arn:aws:iam::111111111111:user/ann\nregion = eu-west-1\n")

    done = world.run("ann", "true", env={"PYTHONPATH": str(tmp_path / "hidden")})

    assert done.code == 125
    assert "profile ann uses aws login, which needs the AWS Common Runtime" in done.err
    assert command_to_add(PACKAGE) in done.err


def test_the_distribution_has_the_name_that_hints_use() -> None:
    """The names `awsudo` and `awsudo-py` on PyPI are other programs: no hint may install those."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")

    assert f'\nname = "{DISTRIBUTION}"\n' in text


def test_the_login_extra_of_the_hint_is_what_the_extra_installs() -> None:
    """`aws login` profiles need one package; the extra `login` and the hint name the same."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    fetchers = (Path(installation.__file__).parent / "aws" / "fetchers.py").read_text(encoding="utf-8")

    assert f'login = ["{PACKAGE}' in text
    assert f"command_to_add('{PACKAGE}')" in fetchers


def test_the_changelog_has_the_version() -> None:
    """The changes of this version stand under its number."""
    text = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
    assert text.index("## [Unreleased]") < text.index(f"## [{__version__}]")
