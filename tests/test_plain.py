"""The plain copy of a key leaves its file, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from awsudo_py.files import Change
from awsudo_py.fingerprint import Files
from awsudo_py.keys.plaintext import masked_diff, plain_copy, removal
from awsudo_py.resolve import aws_config

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OTHER = "otherSecretOtherSecretOtherSecretOtherSe"
KEYS = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"

#: What is in the file → what is left of it, for profile `base`.
FILES = {
    "alone": (f"[base]\n{KEYS}", ""),
    "with a setting": (f"[base]\n{KEYS}region = eu-west-1\n", "[base]\nregion = eu-west-1\n"),
    "between two": (
        f"[a]\naws_secret_access_key = {OTHER}\n\n[base]\n{KEYS}\n[b]\noutput = json\n",
        f"[a]\naws_secret_access_key = {OTHER}\n\n[b]\noutput = json\n",
    ),
    "with comments": (f"# mine\n[base]\n; here\n{KEYS}# there\n", "# mine\n[base]\n; here\n# there\n"),
    "without spaces, in capitals": (
        f"[base]\nAWS_ACCESS_KEY_ID={KEY}\nAws_Secret_Access_Key:{SECRET}\nregion=x\n",
        "[base]\nregion=x\n",
    ),
    "with a block": (
        f"[base]\ns3 =\n  aws_access_key_id = 1\n{KEYS}aws_session_token =\nx = 1\n",
        "[base]\ns3 =\n  aws_access_key_id = 1\nx = 1\n",
    ),
    "without a last newline": (f"[base]\nregion = x\n{KEYS}".rstrip("\n"), "[base]\nregion = x\n"),
    "with a name like another's": (f"[base2]\n{KEYS}[base]\n{KEYS}x = 1\n", f"[base2]\n{KEYS}[base]\nx = 1\n"),
    "Windows line ends": (f"[base]\n{KEYS}region = x\n".replace("\n", "\r\n"), "[base]\r\nregion = x\r\n"),
    "with blank lines": (f"\n\n[base]\n\n{KEYS}\n\n[z]\nregion = x\n", "\n\n[z]\nregion = x\n"),
}


def _removal(tmp_path: Path, *, credentials: str = "", config: str = "", name: str = "base") -> Change:
    for file, text in (("credentials", credentials), ("config", config)):
        (tmp_path / file).write_bytes(text.encode())
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    copy = plain_copy(aws_config.load(environ, Files(0.0)), name)
    assert copy is not None and copy.credentials.secret_access_key == SECRET
    return removal(copy)


@pytest.mark.parametrize(("text", "left"), FILES.values(), ids=FILES)
def test_only_the_keys_own_lines_go(tmp_path: Path, text: str, left: str) -> None:
    """Comments, other sections, line ends and order stay; a section with nothing left goes with its header."""
    _removal(tmp_path, credentials=text).apply()

    assert (tmp_path / "credentials").read_bytes().decode() == left


@pytest.mark.parametrize(
    ("text", "left", "name"),
    [
        (f"[profile base]\n{KEYS}region = x\n", "[profile base]\nregion = x\n", "base"),
        (f'[profile "my base"]\n{KEYS}[base]\nregion = x\n', "[base]\nregion = x\n", "my base"),
        (f"[default]\n{KEYS}[profile default2]\nx = 1\n", "[profile default2]\nx = 1\n", "default"),
    ],
)
def test_a_key_leaves_the_config_file_too(tmp_path: Path, text: str, left: str, name: str) -> None:
    """Where the profile's headers are written otherwise."""
    _removal(tmp_path, config=text, name=name).apply()

    assert (tmp_path / "config").read_text() == left


def test_the_difference_shows_no_secret(tmp_path: Path) -> None:
    """Neither the key's own, nor one beside it, in a comment, in a block, or under any name."""
    around = (
        f"# {OTHER}\n#aws_secret_access_key={OTHER}\nmy_token = {OTHER}\ns3 =\n  secret = {OTHER}\n"
        f"aws_session_token =\n  {OTHER}\n"
    )
    text = f"[a]\naws_secret_access_key = {OTHER}\n[base]\n{KEYS}{around}region = eu-west-1\n"

    displayed = "\n".join(masked_diff(_removal(tmp_path, credentials=text)))

    assert SECRET not in displayed and OTHER not in displayed
    assert f"-aws_access_key_id = {KEY}" in displayed and "-aws_secret_access_key = ****" in displayed
    assert "[base]" in displayed
