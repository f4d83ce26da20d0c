"""Where a chain's first credentials come from: each kind of source, on a machine that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.metadata import Metadata
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import World

DEV = "arn:aws:iam::111111111111:role/dev"


def _as_dev(world: World, env: dict[str, str | None] | None = None, target: str = DEV) -> str:
    done = world.run(target, "sh", "-c", "echo $AWSUDO_ROLE_ARN", env=env)
    return done.out.strip() or done.err


def test_the_ambient_credentials_are_those_of_the_aws_cli(world: World, sts: StrictSts) -> None:
    """A bare ARN starts from the environment's keys, AWS_PROFILE, or the default profile."""
    key = sts.add_user("bob")
    variables: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }

    assert _as_dev(world, variables) == DEV and sts.calls[-1].access_key_id == key.access_key_id
    assert _as_dev(world, {"AWS_PROFILE": "base"}) == DEV
    world.credentials((world.home / ".aws" / "credentials").read_text().replace("[base]", "[default]"))
    assert _as_dev(world) == DEV


def test_container_and_instance_credentials_are_fetched_on_every_run(world: World, sts: StrictSts) -> None:
    """Metadata services give the source; the role's session is kept under the key they gave."""
    world.run("base", "true")
    machine = sts.issued[-1]
    with Metadata(machine.access_key_id, machine.secret_access_key, machine.session_token) as server:
        instance = {**server.instance_environ, "AWS_EC2_METADATA_DISABLED": "false"}
        for environ in (server.container_environ, instance):
            before = len(server.calls)

            assert _as_dev(world, dict(environ)) == DEV
            requested = len(server.calls) - before
            assert _as_dev(world, dict(environ)) == DEV

            assert requested > 0 and len(server.calls) - before == 2 * requested
    assert sts.count("AssumeRole") == 1


def test_an_sso_profile_is_a_target_and_its_session_is_kept(world: World) -> None:
    """The token that `aws sso login` left gives the credentials of the role; without it, the hint is to sign in."""
    with Sso() as sso:
        sso.allow("222222222222", "Admin")
        config = (
            "[profile corp]\nsso_session = s\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
            "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
        )
        world.config(config)
        env: dict[str, str | None] = dict(sso.environ)
        nobody = world.run("corp", "true", env=env)
        sso.write_cached_token(world.home, start_url="https://x.awsapps.com/start", session_name="s")
        first = world.run("corp", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", env=env)
        requested = len(sso.calls)
        second = world.run("corp", "sh", "-c", "echo $AWS_ACCESS_KEY_ID", env=env)

    assert nobody.code == 125 and "awsudo login s" in nobody.err
    assert first.code == 0 and first.out.startswith("ASIA"), first.err
    assert (second.out, len(sso.calls)) == (first.out, requested)


def test_a_web_identity_is_a_source(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """A token file and a role, in the profile or in the environment; another token is another session."""
    token = tmp_path / "token"
    token.write_text("token-1")
    for text in ("token-1", "token-2"):
        sts.add_web_identity(text)
    world.config(f"[profile ci]\nrole_arn = {DEV}\nweb_identity_token_file = {token}\n")

    first = world.run("ci", "true")
    again = world.run("ci", "true")
    token.write_text("token-2")
    other = world.run("ci", "true")

    assert (first.code, again.code, other.code) == (0, 0, 0), first.err
    assert sts.count("AssumeRoleWithWebIdentity") == 2


def test_a_credential_process_talks_to_the_user_and_leaves_stdin_alone(
    world: World, sts: StrictSts, tmp_path: Path
) -> None:
    """Its stderr is the user's, the child gets all of stdin, and what it prints becomes the source."""
    key = sts.add_user("vault")
    script = tmp_path / "process"
    script.write_text(
        "#!/bin/sh\ncat >/dev/null\necho please touch the key >&2\n"
        f'echo \'{{"Version": 1, "AccessKeyId": "{key.access_key_id}", \'\n'
        f'echo \'"SecretAccessKey": "{key.secret_access_key}"}}\'\n'
    )
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")

    role = world.run("-p", "vault", DEV, "cat", stdin="for the child")
    plain = world.run("vault", "sh", "-c", "echo $AWS_SESSION_TOKEN")

    assert (role.code, role.out) == (0, "for the child") and "please touch the key" in role.err
    assert plain.code == 0 and len(plain.out) > 20  # long-lived keys never reach a child
    assert sts.count("GetSessionToken") == 1


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("exit 3", "failed with exit code 3"),
        ("echo nonsense", "it is not JSON"),
        ("echo '{\"Version\": 2}'", "Version is 2, and must be 1"),
        (
            'echo \'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"2020-01-01T00:00:00Z"}\'',
            "expired",
        ),
    ],
)
def test_a_credential_process_that_fails_is_named(world: World, tmp_path: Path, body: str, output: str) -> None:
    """The profile, the file and what went wrong; never what it printed."""
    script = tmp_path / "process"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    world.config(f"[profile vault]\ncredential_process = {script}\n")

    done = world.run("vault", "true")

    assert done.code == 125 and "credential_process of profile vault" in done.err and output in done.err
