"""Resolution from outside: what is wrong is said by name, and then nothing is run, asked or guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.servers.strict_sts import StrictSts
from tests.world import World

DEV = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::222222222222:role/team/ops"
KEYS = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s3cr3t-of-base\n"
BASE = f"[base]\n{KEYS}"
ROLE = f"[profile dev]\nrole_arn = {DEV}\n"
FROM_BASE = f"{ROLE}source_profile = base\n"
START = "sso_start_url = https://example.awsapps.com/start\n"
ACCOUNT = "sso_account_id = 111111111111\nsso_role_name = Developer\n"
LOCAL = "endpoint_url = http://127.0.0.1:1\n"


def refused(
    world: World, sts: StrictSts, *words: str, env: Mapping[str, str | None] | None = None, code: int = 125
) -> str:
    """Run with these words before a command that leaves a trace; it must not run, and STS must not hear of it."""
    done = world.run(*words, "touch", "ran", env=dict(env or {}))

    assert (done.code, done.out, sts.calls) == (code, "", []), done.err
    assert not (world.home / "ran").exists()
    assert done.err.startswith("awsudo: ")
    assert "Traceback" not in done.err and "internal error" not in done.err
    assert all(character.isprintable() for character in done.err.replace("\n", ""))
    return done.err


class Wrong(NamedTuple):
    """A configuration with a mistake, and what must be said of it; ~ stands for the home."""

    config: str | bytes
    said: tuple[str, ...]
    credentials: str | bytes = BASE
    target: str = "dev"
    env: Mapping[str, str | None] = {}


WRONG: dict[str, Wrong] = {
    # profiles
    "a typo": Wrong(FROM_BASE, ("no profile 'dve'", "~/.aws/config", "did you mean dev?"), target="dve"),
    "a typo in capitals": Wrong(FROM_BASE, ("no profile 'DEV'", "did you mean dev?"), target="DEV"),
    "a typo between two": Wrong(
        f"{FROM_BASE}[profile prod-eu]\n[profile prod-us]\n",
        ("no profile 'prod-e'", "did you mean prod-eu or prod-us?"),
        target="prod-e",
    ),
    "a name that is like no other": Wrong(
        FROM_BASE, ("no profile 'zzzzzzzz'", "list them: aws configure list-profiles"), target="zzzzzzzz"
    ),
    "no profile at all": Wrong("", ("no profile 'dev'", "there are no profiles in ~/.aws/config"), credentials=""),
    "a typo in AWS_PROFILE": Wrong(
        FROM_BASE, ("no profile 'bsae' (named by AWS_PROFILE)", "did you mean base?"), target=DEV, env={"AWS_PROFILE": "bsae"}
    ),
    "a typo in AWS_DEFAULT_PROFILE": Wrong(
        FROM_BASE,
        ("no profile 'bsae' (named by AWS_DEFAULT_PROFILE)", "did you mean base?"),
        target=DEV,
        env={"AWS_DEFAULT_PROFILE": "bsae"},
    ),
    "a header without its word": Wrong(
        f"[dev]\nrole_arn = {DEV}\nsource_profile = base\n", ("no profile 'dev'", "~/.aws/config", "[profile dev]")
    ),
    "a header with a word too many": Wrong(
        "", ("no profile 'base'", "~/.aws/credentials", "[base]"), credentials=BASE.replace("[", "[profile "), target="base"
    ),
    "a header with two words and no quotes": Wrong(
        FROM_BASE.replace("profile dev", "profile my dev"), ("no profile 'my dev'", '[profile "my dev"]'), target="my dev"
    ),
    # source_profile
    "a source that is missing": Wrong(
        FROM_BASE.replace("= base", "= bsae"),
        ("no profile 'bsae'", "named by source_profile of profile dev, ~/.aws/config", "did you mean base?"),
    ),
    "a source that is missing, said in the credentials file": Wrong(
        "",
        ("no profile 'nobody'", "named by source_profile of profile dev, ~/.aws/credentials"),
        credentials=f"[dev]\nrole_arn = {DEV}\nsource_profile = nobody\n",
    ),
    "a source that is missing, two profiles on": Wrong(
        f"{ROLE}source_profile = mid\n[profile mid]\nrole_arn = {OPS}\nsource_profile = bsae\n",
        ("no profile 'bsae'", "named by source_profile of profile mid", "did you mean base?"),
    ),
    "a source without credentials": Wrong(
        f"{FROM_BASE}[profile base]\nregion = eu-west-1\n",
        ("profile base has no credentials and no role_arn (~/.aws/config)",),
        credentials="",
    ),
    "a profile without credentials": Wrong(
        "[profile dev]\nregion = eu-west-1\n", ("profile dev has no credentials and no role_arn (~/.aws/config)",)
    ),
    "a profile without credentials in the credentials file": Wrong(
        "",
        ("profile dev has no credentials and no role_arn (~/.aws/credentials)",),
        credentials="[dev]\naws_secret_access_key = s3cr3t-of-base\n",
    ),
    "a role without a source": Wrong(
        ROLE, ("profile dev has a role_arn and no source_profile (~/.aws/config)", "source_profile = NAME")
    ),
    "a role with two sources": Wrong(
        f"{FROM_BASE}credential_source = Environment\n",
        ("profile dev has both source_profile and credential_source (~/.aws/config)",),
    ),
    "a circle of one": Wrong(f"{ROLE}source_profile = dev\n", ("dev -> dev", "~/.aws/config")),
    "a circle of two": Wrong(
        f"{ROLE}source_profile = mid\n[profile mid]\nrole_arn = {OPS}\nsource_profile = dev\n",
        ("source_profile goes round in a circle: dev -> mid -> dev (~/.aws/config)",),
    ),
    "a circle that does not come back to the first": Wrong(
        f"{ROLE}source_profile = a\n" + "".join(
            f"[profile {name}]\nrole_arn = {OPS}\nsource_profile = {then}\n" for name, then in ("ab", "bc", "ca")
        ),
        ("a circle: a -> b -> c -> a (",),
    ),
    "a circle in AWS_PROFILE": Wrong(
        f"{ROLE}source_profile = dev\n", ("a circle: dev -> dev",), target=OPS, env={"AWS_PROFILE": "dev"}
    ),
    # keys
    "a key without a secret": Wrong(
        "",
        ("profile base has an aws_access_key_id and no aws_secret_access_key (~/.aws/credentials)",),
        credentials="[base]\naws_access_key_id = AKIAEXAMPLE\n",
        target="base",
    ),
    "halves of a key in two files": Wrong(
        "[profile base]\naws_access_key_id = AKIAEXAMPLE\n",
        ("profile base has an aws_access_key_id and no aws_secret_access_key (~/.aws/config)", "in the same file"),
        credentials="[base]\naws_secret_access_key = s3cr3t-of-base\n",
        target="base",
    ),
    "half a key in the environment": Wrong(
        FROM_BASE,
        ("AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not",),
        target=DEV,
        env={"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"},
    ),
    "an empty key": Wrong(
        "",
        ("profile base", "~/.aws/credentials"),
        credentials="[base]\naws_access_key_id =\naws_secret_access_key = s3cr3t-of-base\n",
        target="base",
    ),
    # credential_source, credential_process, web identity
    "a credential_source in small letters": Wrong(
        f"{ROLE}credential_source = environment\n",
        ("credential_source of profile dev (~/.aws/config) is environment", "did you mean Environment?"),
    ),
    "a credential_source that nobody knows": Wrong(
        f"{ROLE}credential_source = Vault\n", ("it can be Environment, Ec2InstanceMetadata or EcsContainer",)
    ),
    "an environment without keys": Wrong(
        f"{ROLE}credential_source = Environment\n",
        ("credential_source of profile dev (~/.aws/config) is Environment, and AWS_ACCESS_KEY_ID is not set",),
    ),
    "a container that is none": Wrong(
        f"{ROLE}credential_source = EcsContainer\n", ("credential_source of profile dev (~/.aws/config)", "container")
    ),
    "a process that is missing": Wrong(
        "[profile dev]\ncredential_process = no-such-program\n",
        ("credential_process of profile dev (~/.aws/config) cannot be run: No such file or directory",),
    ),
    "a process with a quote that does not end": Wrong(
        "[profile dev]\ncredential_process = cat 'x\n", ("credential_process of profile dev (~/.aws/config) cannot be run",)
    ),
    "a process that is empty": Wrong(
        "[profile dev]\ncredential_process =\n", ("credential_process of profile dev (~/.aws/config) cannot be run",)
    ),
    "a web identity without a file": Wrong(
        f"{ROLE}web_identity_token_file = /nowhere/token\n", ("no web identity token at /nowhere/token (~/.aws/config)",)
    ),
    "a web identity without a path": Wrong(f"{ROLE}web_identity_token_file =\n", ("web_identity_token_file", "~/.aws/config")),
    "a web identity in a directory": Wrong(f"{ROLE}web_identity_token_file = /tmp\n", ("cannot read /tmp",)),
    "a web identity without a role": Wrong(
        "[profile dev]\nweb_identity_token_file = /nowhere/token\n",
        ("profile dev", "role_arn", "~/.aws/config"),
    ),
    # SSO
    "an sso-session that is missing": Wrong(
        f"[profile dev]\nsso_session = crop\n{ACCOUNT}[sso-session corp]\n{START}sso_region = eu-west-1\n",
        ("profile dev names [sso-session crop], which ~/.aws/config does not have", "did you mean corp?"),
    ),
    "an sso-session without its word": Wrong(
        f"[profile dev]\nsso_session = corp\n{ACCOUNT}[corp]\n{START}sso_region = eu-west-1\n",
        ("profile dev names [sso-session corp], which ~/.aws/config does not have",),
    ),
    "an sso-session that differs": Wrong(
        f"[profile dev]\nsso_session = corp\nsso_region = us-east-1\n{ACCOUNT}[sso-session corp]\n{START}sso_region = eu-west-1\n",
        ("sso_region of profile dev and of [sso-session corp] differ (~/.aws/config)",),
    ),
    "an sso-session without a region": Wrong(
        f"[profile dev]\nsso_session = corp\n{ACCOUNT}[sso-session corp]\n{START}", ("sso_region", "~/.aws/config")
    ),
    "an sso-session that leaves the region to the profile": Wrong(
        f"[profile dev]\nsso_session = corp\nsso_region = eu-west-1\n{ACCOUNT}[sso-session corp]\n{START}",
        ("[sso-session corp]", "sso_region", "~/.aws/config"),
    ),
    "SSO without a role": Wrong(
        f"[profile dev]\n{START}sso_region = eu-west-1\nsso_account_id = 111111111111\n",
        ("profile dev is set up for SSO and has no sso_role_name (~/.aws/config)",),
    ),
    "SSO in a region that is none": Wrong(
        f"[profile dev]\n{START}sso_region = eu west\n{ACCOUNT}", ("sso_region of profile dev", "~/.aws/config")
    ),
    "SSO in an empty region": Wrong(
        f"[profile dev]\n{START}sso_region =\n{ACCOUNT}", ("sso_region", "profile dev", "~/.aws/config")
    ),
    # what shapes a role
    "a duration in words": Wrong(
        f"{FROM_BASE}duration_seconds = 1h\n", ("duration_seconds of profile dev (~/.aws/config)", "such as 3600")
    ),
    "a duration that is too short": Wrong(f"{FROM_BASE}duration_seconds = 60\n", ("duration_seconds of profile dev", "900")),
    "a duration that is too long": Wrong(
        f"{FROM_BASE}duration_seconds = 43201\n", ("duration_seconds of profile dev", "43200")
    ),
    "a duration in other digits": Wrong(f"{FROM_BASE}duration_seconds = ٣٦٠٠\n", ("duration_seconds of profile dev",)),
    "an external id with a blank": Wrong(f"{FROM_BASE}external_id = a b\n", ("external_id of profile dev (~/.aws/config)",)),
    "an external id that is too long": Wrong(f"{FROM_BASE}external_id = {'x' * 1225}\n", ("1225 characters", "1224")),
    "a session name with a slash": Wrong(f"{FROM_BASE}role_session_name = a/b\n", ("role_session_name of profile dev",)),
    "a session name in another script": Wrong(f"{FROM_BASE}role_session_name = álice\n", ("role_session_name of profile dev",)),
    "a device with a comment": Wrong(f"{FROM_BASE}mfa_serial = arn:aws:iam::111111111111:mfa/a # b\n", ("mfa_serial of profile dev",)),
    "a device of mere keys with a comment": Wrong(
        "",
        ("mfa_serial of profile base (~/.aws/credentials)",),
        credentials=f"{BASE}mfa_serial = arn:aws:iam::111111111111:mfa/a # b\n",
        target="base",
    ),
    "a tag without a value": Wrong(f"{FROM_BASE}session_tags = team\n", ("session_tags of profile dev", "KEY=VALUE")),
    "a transitive tag that is none": Wrong(
        f"{FROM_BASE}session_tags = a=b\ntransitive_session_tags = team\n", ("transitive_session_tags of profile dev",)
    ),
    "a source identity of AWS": Wrong(f"{FROM_BASE}source_identity = aws:me\n", ("source_identity of profile dev",)),
    # roles in profiles
    "a role of five digits": Wrong(FROM_BASE.replace("111111111111", "11111"), ("role_arn of profile dev (~/.aws/config)",)),
    "a role that is a user": Wrong(FROM_BASE.replace(":role/", ":user/"), ("not the ARN of an IAM role",)),
    "a role with a comment": Wrong(FROM_BASE.replace("/dev", "/dev # mine"), ("not the ARN of an IAM role",)),
    "a role that is a session": Wrong(
        FROM_BASE.replace(DEV, "arn:aws:sts::111111111111:assumed-role/dev/me"),
        ("the ARN of a session, not of a role", "its role is probably arn:aws:iam::111111111111:role/dev"),
    ),
    "a role over two lines": Wrong(FROM_BASE.replace(":role/", ":\n  role/"), ("role_arn of profile dev",)),
    "an empty role": Wrong(FROM_BASE.replace(DEV, ""), ("role_arn of profile dev",)),
    "a web identity's role that is none": Wrong(
        f"[profile dev]\nrole_arn = dev\nweb_identity_token_file = {__file__}\n", ("role_arn of profile dev", "~/.aws/config")
    ),
    # where STS is
    "a region that is none": Wrong(f"{FROM_BASE}region = eu west\n", ("region of profile dev",), env={"AWS_DEFAULT_REGION": None}),
    "a region with a comment": Wrong(
        f"{FROM_BASE}region = eu-west-1 # Dublin\n", ("region of profile dev",), env={"AWS_DEFAULT_REGION": None}
    ),
    "a region of another partition": Wrong(
        f"{FROM_BASE}region = cn-north-1\n",
        (f"{DEV} is in the partition aws, and the region cn-north-1 (region of profile dev) is not", "--region"),
        env={"AWS_DEFAULT_REGION": None},
    ),
    "a source of another partition": Wrong(
        f"{ROLE}source_profile = cn\n[profile cn]\nrole_arn = arn:aws-cn:iam::111111111111:role/cn\nsource_profile = base\n",
        ("no session passes from one partition to another",),
    ),
    "a services section that is missing": Wrong(
        f"{FROM_BASE}services = loacl\n[services local]\ns3 =\n  endpoint_url = https://s3.example.com\n",
        ("profile dev (~/.aws/config) names [services loacl], which ~/.aws/config does not have", "did you mean local?"),
        env={"AWS_ENDPOINT_URL_STS": None},
    ),
    "a services section that is empty": Wrong(
        f"{FROM_BASE}services = local\n[services local]\n", ("[services local]", "~/.aws/config"), env={"AWS_ENDPOINT_URL_STS": None}
    ),
    "a services section that is no list": Wrong(
        f"{FROM_BASE}services = local\n[services local]\nsts = https://sts.example.com\n",
        ("[services local] in ~/.aws/config: sts is no list of settings",),
        env={"AWS_ENDPOINT_URL_STS": None},
    ),
    "an endpoint that is none": Wrong(
        f"{FROM_BASE}endpoint_url = sts.example.com\n",
        ("endpoint_url of profile dev is not a URL",),
        env={"AWS_ENDPOINT_URL_STS": None},
    ),
    "an endpoint with a blank": Wrong(
        f"{FROM_BASE}endpoint_url = https://a b/\n", ("endpoint_url of profile dev is not a URL",), env={"AWS_ENDPOINT_URL_STS": None}
    ),
    "an endpoint in the clear": Wrong(
        FROM_BASE, ("AWS_ENDPOINT_URL_STS is plain http",), env={"AWS_ENDPOINT_URL_STS": "http://sts.example.com"}
    ),
    "an endpoint in the clear that looks local": Wrong(
        FROM_BASE, ("AWS_ENDPOINT_URL_STS is plain http",), env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1@sts.example.com"}
    ),
    "an endpoint that asks for a region": Wrong(
        f"{FROM_BASE}{LOCAL}", ("region", "--region"), env={"AWS_ENDPOINT_URL_STS": None, "AWS_DEFAULT_REGION": None}
    ),
    "regional endpoints that are neither": Wrong(
        f"{FROM_BASE}sts_regional_endpoints = sometimes\n", ("sts_regional_endpoints", "sometimes", "~/.aws/config")
    ),
    # files
    "a section twice": Wrong(FROM_BASE + FROM_BASE, ("~/.aws/config: line 4: section [profile dev] is there twice",)),
    "a section twice in the credentials file": Wrong(
        FROM_BASE, ("~/.aws/credentials: line 4: section [base] is there twice",), credentials=BASE + BASE
    ),
    "a key twice": Wrong(
        f"{FROM_BASE}source_profile = base\n", ("~/.aws/config: line 4: source_profile is there twice in [profile dev]",)
    ),
    "a file in Latin-1": Wrong(
        FROM_BASE.encode() + "# caf\xe9\n".encode("latin-1"), ("~/.aws/config: line 4 is not UTF-8 text", "sed -n 4p")
    ),
    "a credentials file in UTF-16": Wrong(FROM_BASE, ("~/.aws/credentials: line 1",), credentials=BASE.encode("utf-16")),
    "a file without a section": Wrong(
        "region = eu-west-1\n" + FROM_BASE, ("~/.aws/config: line 1 stands before any [section]",)
    ),
    "a file with a byte order mark": Wrong(
        b"\xef\xbb\xbf" + FROM_BASE.encode(), ("~/.aws/config: line 1", "byte order mark")
    ),
    "a line that is neither": Wrong(
        FROM_BASE,
        ("~/.aws/credentials: line 3 is neither a [section] nor `key = value`",),
        credentials="[base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key s3cr3t-of-base\n",
    ),
    # settings that only botocore reads
    "a CA bundle that is missing": Wrong(
        f"{FROM_BASE}endpoint_url = https://127.0.0.1:1\nca_bundle = /nowhere/ca.pem\n",
        ("/nowhere/ca.pem",),
        env={"AWS_ENDPOINT_URL_STS": None},
    ),
    "a setting of nested ones": Wrong(f"{FROM_BASE}api_versions = 2\n", ("profile dev",)),
    "a timeout in words": Wrong(
        f"{ROLE}credential_source = Ec2InstanceMetadata\nmetadata_service_timeout = soon\n",
        ("profile dev",),
        env={"AWS_EC2_METADATA_DISABLED": "false"},
    ),
    "a metadata service that is nowhere": Wrong(
        f"{ROLE}credential_source = Ec2InstanceMetadata\nec2_metadata_service_endpoint = http://[\n",
        ("profile dev",),
        env={"AWS_EC2_METADATA_DISABLED": "false"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_configuration_is_said_by_name(world: World, sts: StrictSts, name: str) -> None:
    """A mistake in the files is told with its file and the key or name it is about; nothing is run or asked."""
    wrong = WRONG[name]
    for path, content in (("config", wrong.config), ("credentials", wrong.credentials)):
        (world.home / ".aws" / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    err = refused(world, sts, wrong.target, env=wrong.env)

    for said in wrong.said:
        assert said in err.replace(str(world.home), "~")
    assert "s3cr3t-of-base" not in err
    assert "check the network" not in err


@pytest.mark.parametrize("name", [name for name, wrong in WRONG.items() if not wrong.env and "\n" not in wrong.target])
def test_nothing_is_taken_from_default_instead(world: World, sts: StrictSts, name: str) -> None:
    """With a [default] that could do it all, what is missing elsewhere is as missing as before."""
    wrong = WRONG[name]
    if isinstance(wrong.config, bytes) or isinstance(wrong.credentials, bytes):
        pytest.skip("a file that cannot be read has no [default]")
    key = sts.add_user("default")
    default = f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    more = f"role_arn = {DEV}\nsource_profile = default\nsso_region = eu-west-1\nexternal_id = 1\nmfa_serial = GAHT1\n"
    world.config(f"{wrong.config}[default]\n{more}" if wrong.config else "")
    world.credentials(f"{wrong.credentials}{default}")

    refused(world, sts, wrong.target)
