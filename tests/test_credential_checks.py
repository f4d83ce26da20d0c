"""Credentials and settings that AWS could only reject are named without a call: which, where and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from awsudo_py.aws import fetchers
from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError
from awsudo_py.fingerprint import Files
from awsudo_py.model import Request, Source
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from tests import messages
from tests.servers.strict_sts import StrictSts
from tests.world import World

if TYPE_CHECKING:
    from awsudo_py.aws.client import Aws

KEY, SECRET = "AKIAQWERTYUIOP234567", "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"
ASIA = "ASIAQWERTYUIOP234567"
ROLE = "[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\n"


class Fault(NamedTuple):
    """Files or variables with a fault, and the texts of its message; ~ stands for the folder of the files."""

    texts: tuple[str, ...]
    credentials: str = f"[base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    config: str = ROLE
    env: Mapping[str, str] = {}


def keys(key: str = KEY, secret: str = SECRET, token: str = "") -> str:
    """A credentials file with these values, the key on line 3."""
    lines = f"# mine\n[base]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    return lines + (f"aws_session_token = {token}\n" if token else "")


def variables(key: str = KEY, secret: str = SECRET, **more: str) -> dict[str, str]:
    """An environment with these keys."""
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, **more}


FAULTS = {
    # in files
    "a comment": Fault(("aws_access_key_id of profile base (~/credentials, line 3) has a comment",), keys(f"{KEY} # old")),
    "quotes": Fault(("aws_secret_access_key of profile base (~/credentials, line 4) is in quotes",), keys(secret=f'"{SECRET}"')),
    "a blank inside": Fault(("line 4) contains a space",), keys(secret=f"{SECRET[:20]} {SECRET[20:]}")),
    "a continued line": Fault(("line 3) contains a line break", "indented"), keys(f"{KEY}\n  {KEY}")),
    "a no-break space": Fault(("line 4) has a character", "U+00A0"), keys(secret=f"{SECRET}\u00a0x")),
    "swapped": Fault(("aws_access_key_id of profile base (~/credentials, line 3) and the secret access key are swapped",), keys(SECRET, KEY)),
    "the ID twice": Fault(("line 4) has 20 characters", "has 40"), keys(secret=KEY)),
    "a session's key alone": Fault((f"is that of a session ({ASIA})", messages.NO_SESSION_TOKEN, "aws_session_token"), keys(ASIA)),
    "a token with a line break": Fault(("aws_session_token of profile base (~/credentials, line 5) contains a line break",), keys(ASIA, token="x\n  y")),
    "an old name for the token": Fault(("aws_security_token of profile base", "contains a space"), keys(ASIA) + "aws_security_token = a b\n"),
    "in the config file": Fault(("(~/config, line 5) is in quotes",), "", f"{ROLE}[profile base]\naws_access_key_id = '{KEY}'\naws_secret_access_key = {SECRET}\n"),
    # in variables
    "a line break": Fault(("AWS_ACCESS_KEY_ID ends with a line break", "tr -d"), env=variables(f"{KEY}\r\n")),
    "a blank before": Fault(("AWS_SECRET_ACCESS_KEY begins with a space",), env=variables(secret=f" {SECRET}")),
    "a token's line break": Fault(("AWS_SESSION_TOKEN ends with a line break",), env=variables(ASIA, AWS_SESSION_TOKEN="token\n")),
    "the old variable": Fault(("AWS_SECURITY_TOKEN is in quotes",), env=variables(ASIA, AWS_SECURITY_TOKEN='"token"')),
    "swapped variables": Fault(("AWS_ACCESS_KEY_ID and the secret access key are swapped",), env=variables(SECRET, KEY)),
    "a session's variable alone": Fault(("AWS_ACCESS_KEY_ID is that of a session", "AWS_SESSION_TOKEN"), env=variables(ASIA)),
    # settings
    "a region's comment": Fault(("region of profile dev (~/config, line 4)", "own line"), config=f"{ROLE}region = eu-west-1 # Dublin\n"),
    "a role's comment": Fault(("role_arn of profile dev (~/config, line 2)", "own line"), config=ROLE.replace("/dev\n", "/dev ; mine\n")),
    "a device's quotes": Fault(("mfa_serial of profile dev (~/config, line 4)", messages.REMOVE_QUOTES), config=f'{ROLE}mfa_serial = "arn:aws:iam::111111111111:mfa/a"\n'),
    "a device's comment": Fault(("mfa_serial of profile base (~/credentials, line 5)", "own line"), f"{keys()}mfa_serial = arn:aws:iam::111111111111:mfa/a # phone\n"),
    "a duration's comment": Fault(("duration_seconds of profile dev (~/config, line 4)", "own line"), config=f"{ROLE}duration_seconds = 3600 # 1h\n"),
    "an external ID's line break": Fault(("external_id of profile dev (~/config, line 4)", "indented"), config=f"{ROLE}external_id = a\n  b\n"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_place_and_without_its_value(fault: Fault, tmp_path: Path) -> None:
    """Variable or file and line, what is wrong, what to do; a secret is never part of it."""
    (tmp_path / "config").write_text(fault.config)
    (tmp_path / "credentials").write_text(fault.credentials)
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    environ |= fault.env
    request = Request(target="arn:aws:iam::111111111111:role/dev") if fault.env else Request(target="dev")

    with pytest.raises(AwsudoError) as refused:
        Resolver(aws_config.load(environ, Files(0)), environ, lambda _: None).chain(request)

    output = "\n".join((refused.value.message, *refused.value.hints)).replace(str(tmp_path), "~")
    for words in fault.texts:
        assert words in output
    assert SECRET[:20] not in output and "Traceback" not in output


def test_keys_of_emulators_are_not_refused(tmp_path: Path) -> None:
    """`test` and `test` open LocalStack: what no AWS key is may still be a key of another server."""
    (tmp_path / "config").write_text(ROLE)
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    for key, secret in (("test", "test"), ("minioadmin", "minioadmin"), ("000000000000", "x"), ("AKIAEXAMPLE", "s-x")):
        (tmp_path / "credentials").write_text(keys(key, secret))

        chain = Resolver(aws_config.load(environ, Files(0)), environ, lambda _: None).chain(Request(target="dev"))

        assert chain.source.credentials is not None and chain.source.credentials.access_key_id == key


@pytest.mark.parametrize(
    ("change", "output"),
    [
        ({"AccessKeyId": f"{KEY}\n"}, "its AccessKeyId ends with a line break"),
        ({"SecretAccessKey": f'"{SECRET}"'}, "its SecretAccessKey is in quotes"),
        ({"AccessKeyId": SECRET, "SecretAccessKey": KEY}, "its AccessKeyId and the secret access key are swapped"),
        ({"AccessKeyId": ASIA, "SessionToken": None}, messages.NO_SESSION_TOKEN),
    ],
    ids=str,
)
def test_a_process_is_named_for_what_it_prints(
    world: World, sts: StrictSts, change: dict[str, str | None], output: str
) -> None:
    """A credential_process with a malformed value: no call, and no retries for two seconds."""
    printed = {"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET, "SessionToken": "token", **change}
    (world.home / "printed").write_text(json.dumps({name: value for name, value in printed.items() if value}))
    world.credentials(f"[base]\ncredential_process = cat {world.home}/printed\n")

    done = world.run("dev", "true")

    assert (done.code, sts.calls) == (125, [])
    assert output in done.err and "credential_process of profile base" in done.err
    assert SECRET not in done.err


def test_nothing_is_sent_with_a_key_that_ends_in_a_line_break(world: World, sts: StrictSts) -> None:
    """What was once reported as a broken network is a line that names the variable."""
    env: dict[str, str | None] = {**variables(f"{KEY}\n")}

    done = world.run("111111111111:dev", "true", env=env)

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert done.err.startswith("awsudo: AWS_ACCESS_KEY_ID ends with a line break\n")


@pytest.mark.parametrize(
    ("key", "secret", "output"),
    [
        (KEY, f"{SECRET}\n", "aws_secret_access_key of profile my corp in the keyring ends with a line break"),
        (f'"{KEY}"', SECRET, "aws_access_key_id of profile my corp in the keyring is in quotes"),
        (SECRET, KEY, "are swapped"),
    ],
)
def test_a_malformed_key_in_the_keyring_is_named_without_a_call(key: str, secret: str, output: str) -> None:
    """As one in a file is: which value, where, and how to store it again; never the value."""
    aws = cast("Aws", SimpleNamespace(stored_key=lambda _: Credentials(key, secret, None)))

    with pytest.raises(AwsudoError) as refused:
        fetchers.fetch(aws, Source("keyring", "my corp", "the keyring"), "alice")

    reported = "\n".join((refused.value.message, *refused.value.hints))
    assert output in reported and "awsudo keys add 'my corp'" in reported
    assert SECRET not in reported
