"""awsudo against a server that somebody else wrote: moto's STS and IAM, over HTTP."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.world import PRINT_ENV, World

ACCOUNT = "123456789012"  # the one that moto has
BUILD, DEPLOY = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("build", "deploy"))
CONFIG = f"""
[profile build]
role_arn = {BUILD}
source_profile = ann
role_session_name = ann
[profile deploy]
role_arn = {DEPLOY}
source_profile = build
role_session_name = ann
[profile web]
role_arn = {BUILD}
role_session_name = web
web_identity_token_file = {{token}}
"""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a running moto server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(service: str, url: str, environ: dict[str, str] | None = None) -> Any:
    """boto3's client, with the session that a command got, or as the server's administrator."""
    keys = environ or {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin"}
    return boto3.client(
        service,
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys.get("AWS_SESSION_TOKEN"),
    )


@pytest.fixture
def desk(tmp_path: Path, moto: str) -> World:
    """A machine whose profile `ann` has the keys of a user at moto, and whose profiles name two roles there."""
    iam = client("iam", moto)
    existing = {user["UserName"] for user in iam.list_users()["Users"]}
    if "ann" not in existing:
        iam.create_user(UserName="ann")
        for role in ("build", "deploy"):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    for key in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    made = World(tmp_path, sts_url=moto)
    made.env["AWS_ENDPOINT_URL_IAM"] = moto
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    made.config(CONFIG.format(token=token))
    made.credentials(
        f"[ann]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
    )
    return made


@pytest.mark.parametrize(
    ("words", "arn"),
    [
        (("build",), f"arn:aws:sts::{ACCOUNT}:assumed-role/build/ann"),
        (("deploy",), f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann"),
        (("-n", "job-7", "-p", "ann", DEPLOY), f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/job-7"),
        (("web",), f"arn:aws:sts::{ACCOUNT}:assumed-role/build/web"),
    ],
    ids=["AssumeRole", "a chain", "a role by ARN", "a web identity"],
)
def test_a_command_is_at_moto_who_the_words_say(desk: World, moto: str, words: tuple[str, ...], arn: str) -> None:
    """Each way to a role gives a session that moto knows by the role's and the session's name; the second run too."""
    first, second = desk.run(*words, *PRINT_ENV), desk.run(*words, *PRINT_ENV)

    assert (first.code, first.err) == (0, "")
    assert client("sts", moto, first.env).get_caller_identity()["Arn"] == arn
    assert first.env["AWS_SESSION_TOKEN"] == second.env["AWS_SESSION_TOKEN"]


def test_a_saml_assertion_gives_a_session_at_moto(desk: World, moto: str) -> None:
    """AssumeRoleWithSAML: the session is of the role in the assertion, under the name that it gives."""
    attribute = "https://aws.amazon.com/SAML/Attributes"
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
    assertion = (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Assertion><saml:AttributeStatement>'
        f'<saml:Attribute Name="{attribute}/RoleSessionName"><saml:AttributeValue>ann@corp</saml:AttributeValue>'
        f'</saml:Attribute><saml:Attribute Name="{attribute}/Role"><saml:AttributeValue>{BUILD},{provider}'
        "</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>"
    )

    done = desk.run("--saml", "-", BUILD, *PRINT_ENV, stdin=base64.b64encode(assertion.encode()))

    assert done.code == 0, done.err
    arn = client("sts", moto, done.env).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/build/ann@corp"


def test_a_profile_of_keys_gives_a_session_at_moto(desk: World, moto: str) -> None:
    """GetSessionToken: the command gets temporary credentials, not the keys of the profile."""
    done = desk.run("ann", *PRINT_ENV)

    assert done.code == 0 and "ann has long-lived keys" in done.err
    keys = (desk.home / ".aws" / "credentials").read_text(encoding="utf-8")
    assert done.env["AWS_SESSION_TOKEN"] and done.env["AWS_SECRET_ACCESS_KEY"] not in keys
    assert client("sts", moto, done.env).get_caller_identity()["Account"] == ACCOUNT


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_key_is_imported_and_rotated_at_moto(desk: World, moto: str) -> None:
    """keys add, list and rotate make the IAM calls that a second implementation understands."""
    before = client("iam", moto).list_access_keys(UserName="ann")["AccessKeyMetadata"]

    with KeyringSession() as keyring:
        desk.env |= keyring.env
        for words in ("keys add ann --import --yes", "keys list", "keys rotate ann --yes", "build true"):
            done = desk.run(*words.split())
            assert done.code == 0, (words, done.err)

    after = client("iam", moto).list_access_keys(UserName="ann")["AccessKeyMetadata"]
    assert [len(before), len(after)] == [1, 1] and before[0]["AccessKeyId"] != after[0]["AccessKeyId"]
