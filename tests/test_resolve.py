"""Resolution from outside: what is wrong is reported by name, and nothing is run, prompted for or guessed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from awsudo_py.display import fitted, fitted_hint
from awsudo_py.resolve.roles import PARTITIONS
from tests import messages
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import PRINT_ENV, World

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
    """A configuration with a mistake, and the texts of its message; ~ stands for the home."""

    config: str | bytes
    texts: tuple[str, ...]
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
        FROM_BASE, ("no profile 'zzzzzzzz'", "list them: awsudo list"), target="zzzzzzzz"
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
    "a loop of one": Wrong(f"{ROLE}source_profile = dev\n", ("dev -> dev", "~/.aws/config")),
    "a loop of two": Wrong(
        f"{ROLE}source_profile = mid\n[profile mid]\nrole_arn = {OPS}\nsource_profile = dev\n",
        ("source_profile loop: dev -> mid -> dev (~/.aws/config)",),
    ),
    "a loop that does not come back to the first": Wrong(
        f"{ROLE}source_profile = a\n" + "".join(
            f"[profile {name}]\nrole_arn = {OPS}\nsource_profile = {then}\n" for name, then in ("ab", "bc", "ca")
        ),
        ("source_profile loop: a -> b -> c -> a (",),
    ),
    "a loop in AWS_PROFILE": Wrong(
        f"{ROLE}source_profile = dev\n", ("source_profile loop: dev -> dev",), target=OPS, env={"AWS_PROFILE": "dev"}
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
        f"{ROLE}credential_source = Vault\n", ("valid values are Environment, Ec2InstanceMetadata and EcsContainer",)
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
    "a web identity with a null byte": Wrong(f"{ROLE}web_identity_token_file = a\0b\n", ("cannot read a\\x00b",)),
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
        f"{FROM_BASE}duration_seconds = 1h\n", ("duration_seconds of profile dev (~/.aws/config, line ", "such as 3600")
    ),
    "a duration that is too short": Wrong(f"{FROM_BASE}duration_seconds = 60\n", ("duration_seconds of profile dev", "900")),
    "a duration that is too long": Wrong(
        f"{FROM_BASE}duration_seconds = 43201\n", ("duration_seconds of profile dev", "43200")
    ),
    "a duration in other digits": Wrong(f"{FROM_BASE}duration_seconds = ٣٦٠٠\n", ("duration_seconds of profile dev",)),
    "an external id with a blank": Wrong(f"{FROM_BASE}external_id = a b\n", ("external_id of profile dev (~/.aws/config, line ",)),
    "an external id that is too long": Wrong(f"{FROM_BASE}external_id = {'x' * 1225}\n", ("1225 characters", "1224")),
    "a session name with a slash": Wrong(f"{FROM_BASE}role_session_name = a/b\n", ("role_session_name of profile dev",)),
    "a session name in another script": Wrong(f"{FROM_BASE}role_session_name = álice\n", ("role_session_name of profile dev",)),
    "a device with a comment": Wrong(f"{FROM_BASE}mfa_serial = arn:aws:iam::111111111111:mfa/a # b\n", ("mfa_serial of profile dev",)),
    "a device of mere keys with a comment": Wrong(
        "",
        ("mfa_serial of profile base (~/.aws/credentials, line ",),
        credentials=f"{BASE}mfa_serial = arn:aws:iam::111111111111:mfa/a # b\n",
        target="base",
    ),
    "a tag without a value": Wrong(f"{FROM_BASE}session_tags = team\n", ("session_tags of profile dev", "KEY=VALUE")),
    "a transitive tag that is none": Wrong(
        f"{FROM_BASE}session_tags = a=b\ntransitive_session_tags = team\n", ("transitive_session_tags of profile dev",)
    ),
    "a source identity of AWS": Wrong(f"{FROM_BASE}source_identity = aws:me\n", ("source_identity of profile dev",)),
    # roles in profiles
    "a role of five digits": Wrong(FROM_BASE.replace("111111111111", "11111"), ("role_arn of profile dev (~/.aws/config, line ",)),
    "a role that is a user": Wrong(FROM_BASE.replace(":role/", ":user/"), (messages.NOT_A_ROLE_ARN,)),
    "a role with a comment": Wrong(FROM_BASE.replace("/dev", "/dev # mine"), (messages.NOT_A_ROLE_ARN,)),
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
        (messages.OTHER_PARTITION,),
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
        ("[services local] in ~/.aws/config: sts is not a block of settings",),
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
    "regional endpoints that are neither": Wrong(
        f"{FROM_BASE}sts_regional_endpoints = sometimes\n", ("sts_regional_endpoints", "sometimes", "~/.aws/config")
    ),
    # files
    "a section twice": Wrong(FROM_BASE + FROM_BASE, ("~/.aws/config: line 4: duplicate section [profile dev]",)),
    "a section twice in the credentials file": Wrong(
        FROM_BASE, ("~/.aws/credentials: line 4: duplicate section [base]",), credentials=BASE + BASE
    ),
    "a key twice": Wrong(
        f"{FROM_BASE}source_profile = base\n", ("~/.aws/config: line 4: duplicate setting source_profile in [profile dev]",)
    ),
    "a file in Latin-1": Wrong(
        FROM_BASE.encode() + "# caf\xe9\n".encode("latin-1"), ("~/.aws/config: line 4 is not UTF-8 text", "sed -n 4p")
    ),
    "a credentials file in UTF-16": Wrong(FROM_BASE, ("~/.aws/credentials: line 1",), credentials=BASE.encode("utf-16")),
    "a file without a section": Wrong(
        "region = eu-west-1\n" + FROM_BASE, ("~/.aws/config: line 1 is before any [section]",)
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
def test_a_wrong_setting_is_reported_by_name(world: World, sts: StrictSts, name: str) -> None:
    """A mistake in the files is reported with its file and the key or name; nothing is run or prompted for."""
    wrong = WRONG[name]
    for path, content in (("config", wrong.config), ("credentials", wrong.credentials)):
        (world.home / ".aws" / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    err = refused(world, sts, wrong.target, env=wrong.env)

    for output in wrong.texts:
        assert output in err.replace(str(world.home), "~")
    assert "s3cr3t-of-base" not in err
    assert "check the network" not in err


@pytest.mark.parametrize(
    "name",
    [
        "a typo",
        "a name that is like no other",
        "a header without its word",
        "a source that is missing",
        "a source without credentials",
        "a profile without credentials",
        "a role without a source",
        "a loop of one",
        "a key without a secret",
        "an environment without keys",
        "a process that is missing",
        "a web identity without a role",
        "an sso-session that is missing",
        "an sso-session without a region",
        "SSO without a role",
        "an empty role",
    ],
)
def test_the_default_profile_is_never_a_fallback(world: World, sts: StrictSts, name: str) -> None:
    """With a [default] that could do it all, what is missing elsewhere is as missing as before."""
    wrong = WRONG[name]
    key = sts.add_user("default")
    default = f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    more = f"role_arn = {DEV}\nsource_profile = default\nsso_region = eu-west-1\nexternal_id = 12\nmfa_serial = GAHT12345\n"
    world.config(f"{wrong.config!s}[default]\n{more}" if wrong.config else "")
    world.credentials(f"{wrong.credentials!s}{default}")

    refused(world, sts, wrong.target)


@pytest.mark.parametrize("header", ["default", "DEFAULT"])
def test_a_profile_inherits_nothing_from_default(world: World, sts: StrictSts, header: str) -> None:
    """What [default] or [DEFAULT] says shapes no other profile's call, and is not the region of its command."""
    key = sts.add_user("alice")
    world.config(
        f"[{header}]\nregion = us-west-2\nexternal_id = inherited\nrole_session_name = inherited\n"
        "duration_seconds = 1800\nsession_tags = a=b\nsource_identity = me\nendpoint_url = http://127.0.0.1:1\n"
        f"{FROM_BASE}region = eu-west-3\n"
    )
    world.credentials(
        f"[{header}]\naws_session_token = inherited\n"
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )

    done = world.run("dev", *PRINT_ENV, env={"AWS_DEFAULT_REGION": None})

    assert done.code == 0, done.err
    assert [set(call.params) for call in sts.calls] == [{"RoleArn", "RoleSessionName"}]
    assert sts.calls[0].params["RoleSessionName"] != "inherited"
    assert (done.env["AWS_REGION"], done.env["AWS_DEFAULT_REGION"]) == ("eu-west-3", "eu-west-3")


# -- names and roles that mean harm


HOSTILE_NAMES = {
    "newline": "dev\n[profile evil]",
    "carriage return": "dev\rawsudo: all is well",
    "title of the terminal": "\x1b]0;owned\x07",
    "clear the screen": "\x1b[2J\x1b[H",
    "one-byte control": "\x9b2J",
    "right to left": "\u202edev\u2066",
    "zero width": "d\u200bev",
    "4 KB": "x" * 4096,
    "4 KB of controls": "\x1b" * 4096,
    "above": "../dev",
    "root": "/etc/passwd",
    "blank": " ",
    "trailing blank": "dev ",
    "substitution": "$(touch ran)",
    "backquotes": "`touch ran`",
    "format": "%s%n{0}",
    "section": "profile dev",
    "bracket": "dev]",
    "no text": os.fsdecode(b"\xff\xfe"),
    "default": "default",
    "DEFAULT": "DEFAULT",
    "option": "-x",
    "long option": "--profile",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_of_a_profile_is_only_a_name_that_is_missing(world: World, sts: StrictSts, name: str) -> None:
    """Whatever the name is made of, it names nothing, it is shown without its controls, and its hint stays on screen."""
    err = refused(world, sts, "-p", HOSTILE_NAMES[name])

    assert err.startswith("awsudo: no profile ")
    assert len(err) < 700


@pytest.mark.parametrize(
    "name", ["../dev", "-x", "--profile", "a b", "$(touch ran)", "123456789012:admin", "export", DEV, "büro"]
)
def test_a_strange_name_of_a_profile_that_is_there_works(world: World, sts: StrictSts, name: str) -> None:
    """A profile may have any name that its file can hold: one that looks like an option, a path or a role too."""
    world.config(f'[profile "{name}"]\nrole_arn = {DEV}\nsource_profile = base\n')

    done = world.run("-p", name, *PRINT_ENV)

    assert done.code == 0, done.err
    assert (done.env["AWSUDO_ROLE_ARN"], done.env["AWSUDO_TARGET"]) == (DEV, name)
    assert sts.count("AssumeRole", ok=True) == 1


@pytest.mark.parametrize("name", ["123456789012:admin", DEV, "aws:123456789012:admin"])
def test_a_profile_that_is_called_like_a_role_comes_before_the_role(world: World, sts: StrictSts, name: str) -> None:
    """A target that is both the name of a profile and a role is the profile; that is what the files say."""
    sts.add_role(OPS)
    world.config(f"[profile {name}]\nrole_arn = {OPS}\nsource_profile = base\n")

    done = world.run(name, *PRINT_ENV, env={"AWS_PROFILE": "base"})

    assert done.code == 0, done.err
    assert done.env["AWSUDO_ROLE_ARN"] == OPS


HOSTILE_ROLES = {
    "newline at the end": f"{DEV}\n",
    "newline inside": "arn:aws:iam::111111111111:role/dev\nevil",
    "escape": f"{DEV}\x1b[2J",
    "other digits": "arn:aws:iam::\N{ARABIC-INDIC DIGIT ONE}" + "1" * 11 + ":role/dev",
    "other letters": "arn:aws:iam::111111111111:role/d\N{CYRILLIC SMALL LETTER IE}v",
    "eleven digits": "arn:aws:iam::11111111111:role/dev",
    "thirteen digits": "1111111111111:dev",
    "account of AWS": "arn:aws:iam::aws:role/dev",
    "no name": "arn:aws:iam::111111111111:role/",
    "no name in short": "111111111111:role/",
    "name of 65": f"111111111111:{'x' * 65}",
    "path of 513": f"arn:aws:iam::111111111111:role/{'p' * 512}/dev",
    "4 KB": f"arn:aws:iam::111111111111:role/{'x' * 4096}",
    "blank": "arn:aws:iam::111111111111:role/a b",
    "user": "arn:aws:iam::111111111111:user/dev",
    "bucket": "arn:aws:s3:::bucket",
    "session": "arn:aws:sts::111111111111:assumed-role/dev/me",
    "pattern": "arn:aws:iam::111111111111:role/*",
    "region inside": "arn:aws:iam:eu-west-1:111111111111:role/dev",
    "bare": "arn:",
    "quotes that differ": f"\"{DEV}'",
    "partition that is none": "arn:aws-gov:iam::111111111111:role/dev",
    "partition that is none, in short": "aws-china:111111111111:dev",
    "another cloud": "arn:azure:iam::111111111111:role/dev",
}


@pytest.mark.parametrize("name", HOSTILE_ROLES)
def test_a_hostile_role_is_refused_before_any_call(world: World, sts: StrictSts, name: str) -> None:
    """An invalid role makes no call, runs nothing, and is displayed without its control characters."""
    err = refused(world, sts, HOSTILE_ROLES[name], env={"AWS_PROFILE": "base"})

    assert len(err) < 1000


@pytest.mark.parametrize("name", ["newline at the end", "eleven digits", "user", "session", "partition that is none"])
def test_a_hostile_role_is_not_mistaken_for_the_command(world: World, sts: StrictSts, name: str) -> None:
    """After -p PROFILE too, an invalid role is refused; it is not run as the command."""
    refused(world, sts, "-p", "base", HOSTILE_ROLES[name])


@pytest.mark.parametrize(
    "option",
    ["-p", "-u", "--profile", "--policy", "-e", "-d", "-n", "-m", "-t", "--source-identity", "--region", "--min-ttl"],
)
def test_an_option_that_is_empty_is_a_mistake(world: World, sts: StrictSts, option: str) -> None:
    """`-p "$UNSET" dev COMMAND` does not run COMMAND as dev, and `--policy "$UNSET"` not without a policy."""
    refused(world, sts, option, "", "dev", code=2)


def test_a_target_that_is_empty_is_a_mistake(world: World, sts: StrictSts) -> None:
    """`awsudo "$UNSET" COMMAND` falls back to nothing, whatever the environment holds."""
    refused(world, sts, "", env={"AWS_PROFILE": "dev"})


@pytest.mark.parametrize(
    ("typed", "meant"), [("aws-gov", "aws-us-gov"), ("aws-usgov", "aws-us-gov"), ("aws-c", "aws-cn")]
)
def test_an_unknown_partition_is_named_with_the_closest_one(
    world: World, sts: StrictSts, typed: str, meant: str
) -> None:
    """A typo in an ARN's partition is reported as such, not as a mismatched region."""
    err = refused(world, sts, f"arn:{typed}:iam::111111111111:role/dev", env={"AWS_PROFILE": "base"})

    assert typed in err
    assert f"did you mean {meant}" in err


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_role_of_every_partition_can_be_assumed(world: World, sts: StrictSts, partition: str) -> None:
    """A role of any partition, path and quotes included, needs no region but its own partition's to be asked for."""
    arn = sts.add_role(f"arn:{partition}:iam::111111111111:role/team/a/dev")
    key = sts.add_user("bob", partition=partition)
    env: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": "eu-west-1" if partition == "aws" else None,
    }

    done = world.run(f'"{partition}:111111111111:team/a/dev"', *PRINT_ENV, env=env)

    assert done.code == 0, done.err
    assert (done.env["AWSUDO_ROLE_ARN"], sts.calls[0].params["RoleArn"]) == (arn, arn)
    assert done.env.get("AWS_REGION") == env["AWS_DEFAULT_REGION"]


# -- two variables for one profile


def test_of_two_profile_variables_aws_profile_wins_with_a_notice(world: World, sts: StrictSts) -> None:
    """Both variables set and different: AWS_PROFILE is used, and a notice names both; --quiet drops the notice."""
    key = sts.add_user("other")
    path = world.home / ".aws" / "credentials"
    other = f"[other]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    path.write_text(path.read_text() + other)
    both: dict[str, str | None] = {"AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": "base"}

    output = world.run(DEV, *PRINT_ENV, env=both)
    again = world.run(DEV, *PRINT_ENV, env=both)
    quiet = world.run("-q", DEV, *PRINT_ENV, env=both)

    assert [call.access_key_id for call in sts.calls] == [key.access_key_id]
    assert "AWS_PROFILE (other) and AWS_DEFAULT_PROFILE (base) differ: using AWS_PROFILE" in output.err
    assert again.err == output.err
    assert (output.code, again.code, quiet.code, quiet.err) == (0, 0, 0, "")
    assert "AWS_PROFILE" not in output.env and "AWS_DEFAULT_PROFILE" not in output.env


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "base"},
        {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": ""},
        {"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "base"},
        {"AWS_DEFAULT_PROFILE": "base"},
    ],
    ids=str,
)
def test_two_profile_variables_that_agree_need_no_words(world: World, env: dict[str, str | None]) -> None:
    """Variables that name one profile, or are empty, are not a conflict and print no notice."""
    done = world.run(DEV, *PRINT_ENV, env=env)

    assert (done.code, done.err) == (0, "")


def test_a_named_profile_does_not_look_at_the_variables(world: World, sts: StrictSts) -> None:
    """A target by name is resolved from the files alone: keys, profiles and web identities around it change nothing."""
    env: dict[str, str | None] = {
        "AWS_PROFILE": "missing",
        "AWS_DEFAULT_PROFILE": "missing too",
        "AWS_ACCESS_KEY_ID": "AKIAELSEWHERE",
        "AWS_SECRET_ACCESS_KEY": "elsewhere",
        "AWS_SESSION_TOKEN": "elsewhere",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
        "AWS_ROLE_ARN": OPS,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    }

    done = world.run("dev", *PRINT_ENV, env=env)

    assert (done.code, done.err, done.env["AWSUDO_ROLE_ARN"]) == (0, "", DEV)
    assert sts.calls[0].access_key_id != "AKIAELSEWHERE"


# -- files that cannot be read


def _directory(world: World) -> str:
    return str(world.home)


def _circle(world: World) -> str:
    path = world.home / "circle"
    path.symlink_to(path)
    return str(path)


def _too_long(world: World) -> str:
    return str(world.home / ("x" * 300))


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("place", [_directory, _circle, _too_long])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(
    world: World, sts: StrictSts, variable: str, place: Callable[[World], str]
) -> None:
    """A configuration file that is there and cannot be read is not taken for an empty one."""
    path = place(world)

    err = refused(world, sts, "dev", env={variable: path})

    # a path that would fill the screen is shortened
    assert f"cannot read {path}: " in err or (f"cannot read {path[:40]}" in err and f"… ({len(path)} characters" in err)


@needs("setpriv")
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_without_permission_is_an_error_that_names_it(world: World, sts: StrictSts, name: str) -> None:
    """A configuration file that belongs to somebody else is not taken for an empty one."""
    path = world.home / ".aws" / name
    path.chmod(0)
    as_anybody = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

    done = world.run("dev", "touch", "ran", prefix=as_anybody)

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert f"cannot read {path}: Permission denied" in done.err
    assert f"chmod u+r {path}" in done.err


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_that_is_missing_is_an_empty_one(world: World, sts: StrictSts, variable: str) -> None:
    """A configuration file that does not exist holds nothing; what it would have held is missing by name."""
    dangling = world.home / "dangling"
    dangling.symlink_to("/nowhere/at/all")

    err = refused(world, sts, "dev", env={variable: str(dangling)})

    assert f"no profile '{'dev' if variable == 'AWS_CONFIG_FILE' else 'base'}'" in err
    assert str(dangling) in err


def test_a_file_through_a_pipe_is_read(world: World) -> None:
    """A configuration that a shell hands over with <(…) is one, though no later run could look at it again."""
    config = (world.home / ".aws" / "config").read_text()
    reading, writing = os.pipe()
    os.write(writing, config.encode())
    os.close(writing)
    world.settle()

    done = subprocess.run(
        world.command("dev", *PRINT_ENV),
        env=world.environ({"AWS_CONFIG_FILE": f"/dev/fd/{reading}"}),
        pass_fds=[reading],
        capture_output=True,
        check=False,
    )
    os.close(reading)

    assert done.returncode == 0, done.stderr
    assert world.entries("replay") == []


@pytest.mark.parametrize("header", ["[DEFAULT]", "[]]", "[default]"])
def test_no_section_is_inherited_by_all(world: World, sts: StrictSts, header: str) -> None:
    """Whatever its name means to a parser: a profile without credentials has none."""
    with (world.home / ".aws" / "config").open("a") as config:
        config.write(f"{header}\nsource_profile = base\nrole_arn = {DEV}\n[profile bare]\nregion = eu-west-1\n")

    done = world.run("bare", "true")

    assert done.code == 125 and "profile bare has no credentials and no role_arn" in done.err
    assert not sts.calls


LONG_VALUES = {"one word": "x" * 4096, "many words": "ab " * 1365 + "c"}
#: Lines with a value of 4 KB in place of V.
LINES_WITH_A_LONG_VALUE = [
    "V true",
    "-p V dev true",
    "--V dev true",
    "arn:aws:iam::111111111111:role/V true",
    "111111111111:V true",
    "corp/V/r true",
    "-d V dev true",
    "-n V dev true",
    "-m V dev true",
    "--policy V dev true",
    "--only V dev true",
    "--only s3:Get* --on V dev true",
    "--shorten V dev true",
    "--tag V dev true",
    "--tag a=V dev true",
    "--transitive-tag V dev true",
    "--web-identity V dev true",
    "--web-identity-token V dev true",
    "--saml V dev true",
    "--min-ttl V dev true",
    "--store V dev true",
    "dev V",
    "dev /V",
    "explain V",
    "login V",
    "clear V",
    "export V",
    "export dev --format V",
    "keys V",
    "keys rotate V",
    "keys remove V",
    "keys export V",
    "console dev --service V --print",
    "trail dev --since V",
    "list V",
    "help V",
    "import --sso V",
    "completion V",
    "each V -- true",
    "each @V -- true",
    "each dev -j V -- true",
    "each --sso V --role r -- true",
]


@pytest.mark.parametrize("value", LONG_VALUES)
def test_a_value_of_great_length_leaves_the_message_and_its_hint_on_the_screen(
    world: World, sts: StrictSts, value: str
) -> None:
    """A name or a value of 4 KB, wherever it is given, is shortened: each line fits, and a hint is still there."""
    for line in LINES_WITH_A_LONG_VALUE:
        done = world.run(*(word.replace("V", LONG_VALUES[value]) for word in line.split(" ")))

        assert done.err.startswith("awsudo: ") and "internal error" not in done.err, line
        assert max(map(len, done.err.splitlines())) <= 420, line
        assert len(done.err) < 1300, line
    assert sts.calls == []


def test_a_long_message_keeps_what_is_at_its_end() -> None:
    """What was shortened says how long it was; what follows it in the message, and a role's longest ARN, stay."""
    longest = f"arn:aws:iam::111111111111:role/{'p' * 511}/{'r' * 64}"

    assert fitted(f"cannot read {'x' * 500}: No such file") == f"cannot read {'x' * 80}… (500 characters): No such file"
    assert fitted(f"no profile '{'a b' * 500}' in the file").endswith("' in the file")
    assert fitted_hint(f"awsudo explain {longest} --why") == f"awsudo explain {longest} --why"
    assert fitted("a b " * 50) == "a b " * 50
