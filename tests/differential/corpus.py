"""The corpus: machines as people have them, and as they should not be.

CASES must come out the same on both sides. REASONED are the differences that we want, each with what either side does.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import NamedTuple

from tests import messages
from tests.differential.sides import HOME, Case

KEYS = "aws_access_key_id = AKIABASE\naws_secret_access_key = s3cr3t\n"
BASE = f"[base]\n{KEYS}"
TEMPORARY = f"[base]\n{KEYS}aws_session_token = t0k3n\n"
DEV = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::222222222222:role/team/ops"
CHINA = "arn:aws-cn:iam::111111111111:role/dev"
GOV = "arn:aws-us-gov:iam::111111111111:role/dev"
MFA = "arn:aws:iam::111111111111:mfa/alice"
ROLE = f"role_arn = {DEV}\n"
FROM_BASE = f"[profile dev]\n{ROLE}source_profile = base\n"
REGION = "region = eu-west-1\n"

START = "https://example.awsapps.com/start"
WHERE = f"sso_start_url = {START}\nsso_region = eu-central-1\n"
ACCOUNT = "sso_account_id = 111111111111\nsso_role_name = Developer\n"
LEGACY_SSO = f"[profile sso]\n{WHERE}{ACCOUNT}"
SSO = f"[profile sso]\nsso_session = corp\n{ACCOUNT}[sso-session corp]\n{WHERE}"

KEY_VARIABLES = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
SESSION_VARIABLES = {**KEY_VARIABLES, "AWS_ACCESS_KEY_ID": "ASIAENV", "AWS_SESSION_TOKEN": "t0k3n"}
TOKEN_FILE = {"token": "web-identity-token"}
WEB_IDENTITY = f"web_identity_token_file = {HOME}/token\n"
WEB_IDENTITY_VARIABLES = {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{HOME}/token", "AWS_ROLE_ARN": OPS}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/creds/task"}
INSTANCE = {"AWS_EC2_METADATA_DISABLED": "false"}
PROCESS = f"credential_process = cat {HOME}/printed\n"


def cached_token(key: str, token: str, expires: float, **more: object) -> dict[str, str]:
    """The file that `aws sso login` leaves, for a session's name or a start URL."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + expires))
    fields = {"startUrl": START, "region": "eu-central-1", "accessToken": token, "expiresAt": stamp, **more}
    return {f".aws/sso/cache/{hashlib.sha1(key.encode()).hexdigest()}.json": json.dumps(fields)}


LOGGED_IN = {**cached_token("corp", "bearer-corp", 28800), **cached_token(START, "bearer-legacy", 28800)}
REGISTERED = {
    "clientId": "id",
    "clientSecret": "secret",
    "refreshToken": "again",
    "registrationExpiresAt": "2099-01-01T00:00:00Z",
}


def printed(**changes: object) -> dict[str, str]:
    """What a credential_process prints, as a file for cat."""
    fields = {
        "Version": 1,
        "AccessKeyId": "ASIAPROCESS",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    stored = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return {"printed": json.dumps(stored)}


def services(text: str, profile: str = "") -> str:
    """A role profile with a services section."""
    return f"{FROM_BASE}{REGION}services = local\n{profile}[services local]\n{text}"


def chain(length: int) -> str:
    """Roles assumed one after the other, the last from base."""
    links = [
        f"[profile r{number}]\nrole_arn = arn:aws:iam::{number:012}:role/r{number}\n"
        f"source_profile = {f'r{number + 1}' if number < length else 'base'}\n"
        for number in range(1, length + 1)
    ]
    return "".join(links)


_ENDPOINT = "https://sts.example.com/path"

CASES: dict[str, Case] = {
    # keys
    "keys in the credentials file": Case(credentials=BASE, profile="base"),
    "keys in the config file": Case(f"[profile base]\n{KEYS}", profile="base"),
    "keys in both files": Case(f"[profile base]\n{KEYS.replace('BASE', 'OTHER')}", BASE, profile="base"),
    "keys of default by name, keys in the environment": Case(f"[default]\n{KEYS}", env=KEY_VARIABLES, profile="default"),
    "keys with a session token": Case(credentials=TEMPORARY, profile="base"),
    "keys with a token under its old name": Case(
        credentials=f"[base]\n{KEYS}aws_security_token = old\naws_session_token = new\n", profile="base"
    ),
    "keys with an empty token": Case(credentials=f"[base]\n{KEYS}aws_session_token =\n", profile="base"),
    "keys and an MFA device": Case(credentials=f"[base]\n{KEYS}mfa_serial = {MFA}\n", profile="base"),
    "keys, the device in the config file": Case(f"[profile base]\nmfa_serial = {MFA}\n", BASE, profile="base"),
    "keys without a secret": Case(credentials="[base]\naws_access_key_id = AKIABASE\n", profile="base", refused=True),
    "a secret without keys": Case(credentials="[base]\naws_secret_access_key = s\n", profile="base", refused=True),
    "halves of keys in two files": Case(
        "[profile base]\naws_access_key_id = AKIABASE\n", "[base]\naws_secret_access_key = s\n", profile="base",
        refused=True,
    ),
    "keys in capitals, with colons": Case(
        credentials="[base]\nAWS_ACCESS_KEY_ID: AKIABASE\nAws_Secret_Access_Key: s\n", profile="base"
    ),
    "keys in a file with comments and blanks": Case(
        credentials=f"# mine\n\n[base]\n; old\n\n{KEYS.replace(' = ', '=')}\n\n", profile="base"
    ),
    "keys in a file of Windows": Case(credentials=BASE.replace("\n", "\r\n"), profile="base"),
    "keys in a file without a last newline": Case(credentials=BASE.rstrip("\n"), profile="base"),
    # roles
    "a role from keys": Case(FROM_BASE, BASE, profile="dev"),
    "a role from keys with a token": Case(FROM_BASE, TEMPORARY, profile="dev"),
    "a role from keys in the config file": Case(f"{FROM_BASE}[profile base]\n{KEYS}", profile="dev"),
    "a role in the credentials file": Case(credentials=f"{BASE}[dev]\n{ROLE}source_profile = base\n", profile="dev"),
    "a role in both files": Case(
        f"[profile dev]\nrole_arn = {OPS}\nsource_profile = nobody\n{REGION}",
        f"{BASE}[dev]\n{ROLE}source_profile = base\n",
        profile="dev",
    ),
    "a role with all that shapes it": Case(
        f"{FROM_BASE}external_id = ext:1/2\nrole_session_name = alice@example.com\nduration_seconds = 7200\n"
        f"mfa_serial = {MFA}\n{REGION}",
        BASE,
        profile="dev",
    ),
    "a role and a hardware device": Case(f"{FROM_BASE}mfa_serial = GAHT12345678\n", BASE, profile="dev"),
    "a role from default": Case(
        f"[profile dev]\n{ROLE}source_profile = default\n", BASE.replace("base", "default"), profile="dev"
    ),
    "a role that is default": Case(
        f"[default]\n{ROLE}source_profile = base\nregion = eu-west-2\n", BASE, profile="default"
    ),
    "a role that sources itself": Case(
        f"[profile dev]\n{ROLE}source_profile = dev\n", BASE.replace("base", "dev"), profile="dev"
    ),
    "a role that sources itself, keys beside it": Case(f"[profile dev]\n{ROLE}source_profile = dev\n{KEYS}", profile="dev"),
    "a role that sources itself, half a key": Case(
        f"[profile dev]\n{ROLE}source_profile = dev\naws_secret_access_key = s\n", profile="dev", refused=True
    ),
    "a role that sources itself, no key": Case(
        f"[profile dev]\n{ROLE}source_profile = dev\n", profile="dev", refused=True
    ),
    "a role with keys and no source": Case(f"[profile dev]\n{ROLE}{KEYS}", profile="dev", refused=True),
    "a role with no source": Case(f"[profile dev]\n{ROLE}", profile="dev", refused=True),
    "a role with two kinds of source": Case(
        f"{FROM_BASE}credential_source = Environment\n", BASE, KEY_VARIABLES, profile="dev", refused=True
    ),
    "a role from a profile that is missing": Case(FROM_BASE, profile="dev", refused=True),
    "a role from a profile with a region alone": Case(f"{FROM_BASE}[profile base]\n{REGION}", profile="dev", refused=True),
    "a role from an empty name": Case(f"[profile dev]\n{ROLE}source_profile =\n", BASE, profile="dev", refused=True),
    "a role, keys in the environment": Case(FROM_BASE, BASE, KEY_VARIABLES, profile="dev"),
    "a profile that is missing": Case(FROM_BASE, BASE, profile="prod", refused=True),
    "a profile of another kind of section": Case(f"[base]\n{KEYS}", profile="base", refused=True),
    "no files at all": Case(profile="base", refused=True),
    # chains
    "a chain of two": Case(chain(2), BASE, profile="r1"),
    "a chain of five": Case(chain(5), BASE, profile="r1"),
    "a chain of twelve": Case(chain(12), BASE, profile="r1"),
    "a chain whose middle has keys too": Case(
        chain(3) + f"[profile r4]\n{ROLE}", f"{BASE}[r2]\n{KEYS.replace('BASE', 'MIDDLE')}", profile="r1"
    ),
    "a chain that ends in a profile that sources itself": Case(
        f"{chain(1).replace('base', 'self')}[profile self]\n{ROLE}source_profile = self\n{KEYS}", profile="r1"
    ),
    "a chain with MFA at both roles": Case(
        f"[profile a]\n{ROLE}source_profile = b\nmfa_serial = {MFA}\n"
        f"[profile b]\nrole_arn = {OPS}\nsource_profile = base\nmfa_serial = {MFA}\nexternal_id = 12\n",
        BASE,
        profile="a",
    ),
    "a chain with a region at each profile": Case(
        f"[profile a]\n{ROLE}source_profile = b\nregion = eu-west-3\n"
        f"[profile b]\nrole_arn = {OPS}\nsource_profile = base\nregion = us-west-2\n",
        f"{BASE}region = ap-south-1\n",
        profile="a",
    ),
    "a circle of three": Case(chain(3).replace("base", "r1"), BASE, profile="r1", refused=True),
    "a circle behind the first": Case(chain(3).replace("base", "r2"), BASE, profile="r1", refused=True),
    # credential_source
    "a role from the environment": Case(
        f"[profile dev]\n{ROLE}credential_source = Environment\n", env=KEY_VARIABLES, profile="dev"
    ),
    "a role from a session in the environment": Case(
        f"[profile dev]\n{ROLE}credential_source = Environment\n", env=SESSION_VARIABLES, profile="dev"
    ),
    "a role from an environment without keys": Case(
        f"[profile dev]\n{ROLE}credential_source = Environment\n", profile="dev", refused=True
    ),
    "a role from an instance": Case(
        f"[profile dev]\n{ROLE}credential_source = Ec2InstanceMetadata\n", env=INSTANCE, profile="dev"
    ),
    "a role from an instance elsewhere": Case(
        f"[profile dev]\n{ROLE}credential_source = Ec2InstanceMetadata\n"
        "ec2_metadata_service_endpoint = http://127.0.0.1:1338/\n",
        env=INSTANCE,
        profile="dev",
    ),
    "a role from no instance": Case(
        f"[profile dev]\n{ROLE}credential_source = Ec2InstanceMetadata\n", profile="dev", refused=True
    ),
    "a role from a container": Case(
        f"[profile dev]\n{ROLE}credential_source = EcsContainer\n", env=CONTAINER, profile="dev"
    ),
    "a role from no container": Case(
        f"[profile dev]\n{ROLE}credential_source = EcsContainer\n", profile="dev", refused=True
    ),
    "a role from a source in small letters": Case(
        f"[profile dev]\n{ROLE}credential_source = environment\n", env=KEY_VARIABLES, profile="dev", refused=True
    ),
    "a chain that begins with the environment": Case(
        f"[profile a]\n{ROLE}source_profile = b\n"
        f"[profile b]\nrole_arn = {OPS}\ncredential_source = Environment\n",
        env=SESSION_VARIABLES,
        profile="a",
    ),
    # processes
    "a process": Case(f"[profile p]\n{PROCESS}", files=printed(), profile="p"),
    "a process that gives no expiration": Case(f"[profile p]\n{PROCESS}", files=printed(Expiration=None), profile="p"),
    "a process that prints long-lived keys": Case(
        f"[profile p]\n{PROCESS}", files=printed(SessionToken=None, Expiration=None), profile="p"
    ),
    "a process that prints long-lived keys, a role from them": Case(
        f"{FROM_BASE}[profile base]\n{PROCESS}", files=printed(SessionToken="", Expiration=None), profile="dev"
    ),
    "a process that prints long-lived keys, a device beside it": Case(
        f"[profile p]\nmfa_serial = {MFA}\n{PROCESS}", files=printed(SessionToken=None, Expiration=None), profile="p"
    ),
    "a process named in the credentials file": Case(credentials=f"[p]\n{PROCESS}", files=printed(), profile="p"),
    "a process with quoted words": Case(
        f'[profile p]\ncredential_process = cat "{HOME}/a file"\n',
        files={"a file": printed()["printed"]},
        profile="p",
    ),
    "a process behind keys of the config file": Case(f"[profile p]\n{PROCESS}{KEYS}", files=printed(), profile="p"),
    "a process before keys of the credentials file": Case(
        f"[profile p]\n{PROCESS}", BASE.replace("base", "p"), files=printed(), profile="p"
    ),
    "a role from a process": Case(f"{FROM_BASE}[profile base]\n{PROCESS}", files=printed(), profile="dev"),
    "a process of another version": Case(f"[profile p]\n{PROCESS}", files=printed(Version=2), profile="p", refused=True),
    "a process without a key": Case(f"[profile p]\n{PROCESS}", files=printed(AccessKeyId=None), profile="p", refused=True),
    "a process that is late": Case(
        f"[profile p]\n{PROCESS}", files=printed(Expiration="2001-01-01T00:00:00Z"), profile="p", refused=True
    ),
    "a process that fails": Case("[profile p]\ncredential_process = false\n", profile="p", refused=True),
    "a process that is missing": Case("[profile p]\ncredential_process = no-such-program\n", profile="p", refused=True),
    # web identity
    "a web identity": Case(f"[profile w]\n{ROLE}{WEB_IDENTITY}", files=TOKEN_FILE, profile="w"),
    "a web identity with a name": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}role_session_name = ci-1\n", files=TOKEN_FILE, profile="w"
    ),
    "a web identity and a source": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}source_profile = base\n", BASE, files=TOKEN_FILE, profile="w"
    ),
    "a web identity, others in the environment": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}",
        env={**WEB_IDENTITY_VARIABLES, "AWS_ROLE_SESSION_NAME": "elsewhere"},
        files=TOKEN_FILE,
        profile="w",
    ),
    "a web identity before keys": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}", BASE.replace("base", "w"), files=TOKEN_FILE, profile="w"
    ),
    "a web identity without a role": Case(f"[profile w]\n{WEB_IDENTITY}", files=TOKEN_FILE, profile="w", refused=True),
    "a web identity without a role, one in the environment": Case(
        f"[profile w]\n{WEB_IDENTITY}", env={"AWS_ROLE_ARN": DEV}, files=TOKEN_FILE, profile="w", refused=True
    ),
    "a web identity without a token": Case(f"[profile w]\n{ROLE}{WEB_IDENTITY}", profile="w", refused=True),
    "a role from a web identity": Case(
        f"{FROM_BASE}{REGION}[profile base]\nrole_arn = {OPS}\n{WEB_IDENTITY}region = us-west-1\n",
        files=TOKEN_FILE,
        profile="dev",
    ),
    # SSO
    "SSO": Case(SSO, files=LOGGED_IN, profile="sso"),
    "SSO of old": Case(LEGACY_SSO, files=LOGGED_IN, profile="sso"),
    "SSO of old beside a session": Case(f"{LEGACY_SSO}[sso-session corp]\n{WHERE}", files=LOGGED_IN, profile="sso"),
    "SSO with a quoted session": Case(
        SSO.replace("[sso-session corp]", '[sso-session "corp"]'), files=LOGGED_IN, profile="sso"
    ),
    "SSO before keys": Case(SSO, BASE.replace("base", "sso"), files=LOGGED_IN, profile="sso"),
    "SSO behind a web identity": Case(
        f"{ROLE}{WEB_IDENTITY}".join(SSO.split("sso_session = corp\n")), files={**LOGGED_IN, **TOKEN_FILE}, profile="sso"
    ),
    "SSO and a region": Case(SSO.replace("sso_session", f"{REGION}sso_session", 1), files=LOGGED_IN, profile="sso"),
    "SSO that repeats its session": Case(
        SSO.replace("sso_session = corp\n", f"sso_session = corp\n{WHERE}"), files=LOGGED_IN, profile="sso"
    ),
    "SSO that contradicts its session": Case(
        SSO.replace("sso_session = corp\n", "sso_session = corp\nsso_region = us-east-1\n"),
        files=LOGGED_IN, profile="sso", refused=True,
    ),
    "SSO without its session": Case(
        f"[profile sso]\nsso_session = corp\n{ACCOUNT}", files=LOGGED_IN, profile="sso", refused=True
    ),
    "SSO whose session has no region": Case(SSO.replace("sso_region", "region"), files=LOGGED_IN, profile="sso", refused=True),
    "SSO whose session leaves the region to the profile": Case(
        f"[profile sso]\nsso_session = corp\n{WHERE}{ACCOUNT}[sso-session corp]\nsso_start_url = {START}\n",
        files=LOGGED_IN, profile="sso", refused=True,
    ),
    "SSO without an account": Case(
        SSO.replace("sso_account_id = 111111111111\n", ""), files=LOGGED_IN, profile="sso", refused=True
    ),
    "SSO without a login": Case(SSO, profile="sso", refused=True),
    "SSO of old without a login": Case(LEGACY_SSO, profile="sso", refused=True),
    "SSO with a login that is over": Case(SSO, files=cached_token("corp", "b", -60), profile="sso", refused=True),
    "SSO of old with a login that is over": Case(
        LEGACY_SSO, files=cached_token(START, "b", -60), profile="sso", refused=True
    ),
    "SSO with a login that can be renewed": Case(
        SSO, files=cached_token("corp", "b", -60, **REGISTERED), profile="sso"
    ),
    "SSO with a login that should be renewed": Case(
        SSO, files=cached_token("corp", "b", 300, **REGISTERED), profile="sso"
    ),
    "SSO for nothing but a token": Case(
        f"[profile sso]\nsso_session = corp\n[sso-session corp]\n{WHERE}", files=LOGGED_IN, profile="sso", refused=True
    ),
    "a role from SSO": Case(f"{FROM_BASE.replace('base', 'sso')}{REGION}{SSO}", files=LOGGED_IN, profile="dev"),
    "a role from SSO of old": Case(f"{FROM_BASE.replace('base', 'sso')}{LEGACY_SSO}", files=LOGGED_IN, profile="dev"),
    "a role from SSO, an endpoint at the role": Case(
        f"{FROM_BASE.replace('base', 'sso')}{REGION}endpoint_url = https://proxy.example.com\n{SSO}",
        files=LOGGED_IN,
        profile="dev",
    ),
    "a role from SSO, an endpoint at the source": Case(
        f"{FROM_BASE.replace('base', 'sso')}{REGION}"
        + SSO.replace("sso_session = corp", "sso_session = corp\nendpoint_url = https://proxy.example.com"),
        files=LOGGED_IN,
        profile="dev",
    ),
    "a role from SSO, a CA bundle at the role": Case(
        f"{FROM_BASE.replace('base', 'sso')}ca_bundle = /etc/corp.pem\n{SSO}", files=LOGGED_IN, profile="dev"
    ),
    # login
    "a login session that is missing": Case(
        "[profile l]\nlogin_session = arn:aws:iam::111111111111:user/alice\n", profile="l", refused=True
    ),
    "a login session behind keys": Case("[profile l]\nlogin_session = x\n", BASE.replace("base", "l"), profile="l"),
    "a login session before keys of the config file": Case(
        f"[profile l]\nlogin_session = x\n{KEYS}", profile="l", refused=True
    ),
    # ambient credentials, and a role by its ARN
    "a role from keys at hand": Case(env=KEY_VARIABLES, role=DEV),
    "a role from a session at hand": Case(env=SESSION_VARIABLES, role=DEV),
    "a role from an old token at hand": Case(env={**SESSION_VARIABLES, "AWS_SECURITY_TOKEN": "old"}, role=DEV),
    "a role from an empty old token at hand": Case(env={**SESSION_VARIABLES, "AWS_SECURITY_TOKEN": ""}, role=DEV),
    "a role from half a key at hand": Case(env={"AWS_ACCESS_KEY_ID": "AKIAENV"}, role=DEV, refused=True),
    "a role from an empty key at hand": Case(
        credentials=BASE.replace("base", "default"), env={**KEY_VARIABLES, "AWS_ACCESS_KEY_ID": ""}, role=DEV
    ),
    "a role from the default profile": Case(f"[default]\n{REGION}", BASE.replace("base", "default"), role=DEV),
    "a role from AWS_PROFILE": Case(f"[profile base]\n{REGION}", BASE, {"AWS_PROFILE": "base"}, role=DEV),
    "a role from AWS_DEFAULT_PROFILE": Case(credentials=BASE, env={"AWS_DEFAULT_PROFILE": "base"}, role=DEV),
    "a role from AWS_PROFILE twice": Case(
        credentials=BASE, env={"AWS_DEFAULT_PROFILE": "base", "AWS_PROFILE": "base"}, role=DEV
    ),
    "a role from AWS_PROFILE that is missing": Case(credentials=BASE, env={"AWS_PROFILE": "bsae"}, role=DEV, refused=True),
    "a role from AWS_PROFILE that is missing, keys at hand": Case(
        env={"AWS_PROFILE": "bsae", **KEY_VARIABLES}, role=DEV, refused=True
    ),
    "a role from AWS_PROFILE and keys at hand": Case(
        f"[profile base]\n{REGION}", BASE, {"AWS_PROFILE": "base", **KEY_VARIABLES}, role=DEV
    ),
    "a role from a role in AWS_PROFILE": Case(FROM_BASE, BASE, {"AWS_PROFILE": "dev"}, role=OPS),
    "a role from a role in default": Case(FROM_BASE.replace("profile dev", "default"), BASE, role=OPS),
    "a role from SSO in AWS_PROFILE": Case(SSO, env={"AWS_PROFILE": "sso"}, files=LOGGED_IN, role=OPS),
    "a role from a process in default": Case(f"[default]\n{PROCESS}", files=printed(), role=OPS),
    "a role from a web identity at hand": Case(env=WEB_IDENTITY_VARIABLES, files=TOKEN_FILE, role=DEV),
    "a role from a web identity with a name at hand": Case(
        env={**WEB_IDENTITY_VARIABLES, "AWS_ROLE_SESSION_NAME": "pod-1"}, files=TOKEN_FILE, role=DEV
    ),
    "a role from a web identity at hand without a role": Case(
        env={"AWS_WEB_IDENTITY_TOKEN_FILE": f"{HOME}/token"}, files=TOKEN_FILE, role=DEV, refused=True
    ),
    "a role from a web identity at hand, its role in AWS_PROFILE": Case(
        f"[profile w]\nrole_arn = {OPS}\nweb_identity_token_file = /nowhere\nrole_session_name = pod\n",
        env={"AWS_PROFILE": "w", "AWS_WEB_IDENTITY_TOKEN_FILE": f"{HOME}/token"},
        files=TOKEN_FILE,
        role=DEV,
    ),
    "a role from a web identity in AWS_PROFILE, its role at hand": Case(
        f"[profile w]\n{WEB_IDENTITY}",
        env={"AWS_PROFILE": "w", "AWS_ROLE_ARN": OPS, "AWS_ROLE_SESSION_NAME": "pod-1"},
        files=TOKEN_FILE,
        role=DEV,
    ),
    "a role from a web identity in AWS_PROFILE, another role at hand": Case(
        f"[profile w]\nrole_arn = arn:aws:iam::333333333333:role/w\n{WEB_IDENTITY}",
        env={"AWS_PROFILE": "w", "AWS_ROLE_ARN": OPS},
        files=TOKEN_FILE,
        role=DEV,
    ),
    "a role from a web identity at hand before keys in default": Case(
        credentials=BASE.replace("base", "default"), env=WEB_IDENTITY_VARIABLES, files=TOKEN_FILE, role=DEV
    ),
    "a role from a role in default before a web identity at hand": Case(
        FROM_BASE.replace("profile dev", "default"), BASE, WEB_IDENTITY_VARIABLES, files=TOKEN_FILE, role=OPS
    ),
    "a role from a container at hand": Case(env=CONTAINER, role=DEV),
    "a role from a container by its full address": Case(
        env={
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic b",
        },
        role=DEV,
    ),
    "a role from a container by both addresses": Case(
        env={**CONTAINER, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/creds"}, role=DEV
    ),
    "a role from a container with a token file": Case(
        env={**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{HOME}/token"}, files=TOKEN_FILE, role=DEV
    ),
    "a role from keys in default before a container": Case(
        credentials=BASE.replace("base", "default"), env=CONTAINER, role=DEV
    ),
    "a role from a container, a region in default": Case(f"[default]\n{REGION}", env=CONTAINER, role=DEV),
    "a role from an instance at hand": Case(env=INSTANCE, role=DEV),
    "a role from an instance at hand, settings in AWS_PROFILE": Case(
        f"[profile x]\n{REGION}ec2_metadata_service_endpoint = http://127.0.0.1:1338/\n"
        "[default]\nec2_metadata_service_endpoint = http://127.0.0.1:9/\n",
        env={**INSTANCE, "AWS_PROFILE": "x"},
        role=DEV,
    ),
    "a role from an instance at hand, over IPv6": Case(
        env={**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, role=DEV
    ),
    "a role from a container before an instance": Case(env={**INSTANCE, **CONTAINER}, role=DEV),
    "a role from nothing": Case(role=DEV, refused=True),
    # a profile and a role
    "a role from keys by name": Case(f"[profile base]\n{REGION}", BASE, KEY_VARIABLES, profile="base", role=DEV),
    "a role from a role by name": Case(FROM_BASE, BASE, profile="dev", role=OPS),
    "a role from SSO by name": Case(SSO, files=LOGGED_IN, profile="sso", role=OPS),
    "a role from a process by name": Case(f"[profile p]\n{PROCESS}", files=printed(), profile="p", role=OPS),
    "a role from a web identity by name": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}", files=TOKEN_FILE, profile="w", role=OPS
    ),
    "a role with a path": Case(BASE.replace("[", "[profile "), profile="base", role="arn:aws:iam::111111111111:role/a/b/c"),
    # where STS is
    "a region in the profile": Case(f"{FROM_BASE}{REGION}", BASE, profile="dev"),
    "a region in the credentials file": Case(
        f"{FROM_BASE}{REGION}", f"{BASE}[dev]\nregion = sa-east-1\n", profile="dev"
    ),
    "a region in the environment": Case(
        f"{FROM_BASE}{REGION}", BASE, {"AWS_DEFAULT_REGION": "ap-southeast-2"}, profile="dev"
    ),
    "a region of the source": Case(FROM_BASE, f"{BASE}{REGION}", profile="dev"),
    "a region of default": Case(f"[default]\n{REGION}{FROM_BASE}", BASE, profile="dev"),
    "a region that one has to opt in to": Case(f"{FROM_BASE}region = me-south-1\n", BASE, profile="dev"),
    "a region of tomorrow": Case(f"{FROM_BASE}region = eu-west-9\n", BASE, profile="dev"),
    "a region that is none": Case(f"{FROM_BASE}region = eu west\n", BASE, profile="dev", refused=True),
    "the global region": Case(f"{FROM_BASE}region = aws-global\n", BASE, profile="dev"),
    "the global endpoint": Case(f"{FROM_BASE}{REGION}sts_regional_endpoints = legacy\n", BASE, profile="dev"),
    "the global endpoint by variable": Case(
        f"{FROM_BASE}{REGION}sts_regional_endpoints = regional\n",
        BASE,
        {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
        profile="dev",
    ),
    "an endpoint that is neither": Case(
        f"{FROM_BASE}{REGION}sts_regional_endpoints = sometimes\n", BASE, profile="dev", refused=True
    ),
    "FIPS": Case(f"{FROM_BASE}region = us-east-2\nuse_fips_endpoint = true\n", BASE, profile="dev"),
    "FIPS by variable": Case(
        f"{FROM_BASE}region = us-east-2\n", BASE, {"AWS_USE_FIPS_ENDPOINT": "true"}, profile="dev"
    ),
    "FIPS of the source": Case(
        f"{FROM_BASE}region = us-east-2\n", f"{BASE}use_fips_endpoint = true\n", profile="dev"
    ),
    "dual stack": Case(f"{FROM_BASE}{REGION}use_dualstack_endpoint = true\n", BASE, profile="dev"),
    "dual stack of default": Case(f"[default]\nuse_dualstack_endpoint = true\n{FROM_BASE}{REGION}", BASE, profile="dev"),
    "China": Case(f"[profile cn]\nrole_arn = {CHINA}\nsource_profile = base\nregion = cn-north-1\n", BASE, profile="cn"),
    "GovCloud": Case(
        f"[profile gov]\nrole_arn = {GOV}\nsource_profile = base\nregion = us-gov-east-1\n", BASE, profile="gov"
    ),
    "a CA bundle": Case(f"{FROM_BASE}ca_bundle = /etc/corp.pem\n", BASE, profile="dev"),
    "a CA bundle by variable": Case(
        f"{FROM_BASE}ca_bundle = /etc/corp.pem\n", BASE, {"AWS_CA_BUNDLE": "/etc/other.pem"}, profile="dev"
    ),
    "a CA bundle of the source": Case(FROM_BASE, f"{BASE}ca_bundle = /etc/corp.pem\n", profile="dev"),
    "a CA bundle of AWS_PROFILE": Case(
        f"[profile x]\n{REGION}ca_bundle = /etc/corp.pem\n", env={"AWS_PROFILE": "x", **KEY_VARIABLES}, role=DEV
    ),
    "an endpoint by variable": Case(
        f"{FROM_BASE}{REGION}endpoint_url = https://no.example.com\n", BASE, {"AWS_ENDPOINT_URL_STS": _ENDPOINT},
        profile="dev",
    ),
    "an endpoint by the variable for all": Case(
        f"{FROM_BASE}{REGION}endpoint_url = https://no.example.com\n", BASE, {"AWS_ENDPOINT_URL": _ENDPOINT}, profile="dev"
    ),
    "an endpoint by both variables": Case(
        FROM_BASE + REGION,
        BASE,
        {"AWS_ENDPOINT_URL": "https://no.example.com", "AWS_ENDPOINT_URL_STS": _ENDPOINT},
        profile="dev",
    ),
    "an endpoint by an empty variable": Case(
        f"{FROM_BASE}{REGION}endpoint_url = {_ENDPOINT}\n", BASE, {"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_STS": ""},
        profile="dev",
    ),
    "a directory for the config file": Case(FROM_BASE, BASE, {"AWS_CONFIG_FILE": HOME}, profile="base"),
    "an endpoint of the profile": Case(f"{FROM_BASE}{REGION}endpoint_url = {_ENDPOINT}\n", BASE, profile="dev"),
    "an endpoint on this machine": Case(f"{FROM_BASE}{REGION}endpoint_url = http://127.0.0.1:4566\n", BASE, profile="dev"),
    "an endpoint of the source": Case(FROM_BASE, f"{BASE}endpoint_url = {_ENDPOINT}\n", profile="dev"),
    "an endpoint of a services section": Case(
        services(f"sts =\n  endpoint_url = {_ENDPOINT}\n", "endpoint_url = https://no.example.com\n"), BASE, profile="dev"
    ),
    "a services section for others": Case(
        services("s3 =\n  endpoint_url = https://no.example.com\n", f"endpoint_url = {_ENDPOINT}\n"), BASE, profile="dev"
    ),
    "a services section of the source": Case(
        f"{FROM_BASE}[services local]\nsts =\n  endpoint_url = {_ENDPOINT}\n", f"{BASE}services = local\n", profile="dev"
    ),
    "a services section that is missing": Case(f"{FROM_BASE}services = local\n", BASE, profile="dev", refused=True),
    "a services section that is missing, a variable before it": Case(
        f"{FROM_BASE}{REGION}services = local\n", BASE, {"AWS_ENDPOINT_URL_STS": _ENDPOINT}, profile="dev"
    ),
    "a services section that is a list of nothing": Case(services("sts = https://x\n"), BASE, profile="dev", refused=True),
    "a services section that is empty": Case(services(""), BASE, profile="dev", refused=True),
    "endpoints that are to be ignored": Case(
        f"{FROM_BASE}{REGION}endpoint_url = {_ENDPOINT}\nignore_configured_endpoint_urls = true\n", BASE, profile="dev"
    ),
    "endpoints that are to be ignored by variable": Case(
        f"{FROM_BASE}{REGION}endpoint_url = {_ENDPOINT}\n",
        BASE,
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE", "AWS_ENDPOINT_URL": "https://no.example.com"},
        profile="dev",
    ),
    "endpoints that are not to be ignored after all": Case(
        f"{FROM_BASE}{REGION}endpoint_url = {_ENDPOINT}\nignore_configured_endpoint_urls = true\n",
        BASE,
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
        profile="dev",
    ),
    "an endpoint for a web identity": Case(
        f"[profile w]\n{ROLE}{WEB_IDENTITY}endpoint_url = {_ENDPOINT}\n", files=TOKEN_FILE, profile="w"
    ),
    # files
    "a profile in quotes": Case(f'[profile "my dev"]\n{ROLE}source_profile = base\n', BASE, profile="my dev"),
    "a profile in single quotes": Case(f"[profile 'my dev']\n{ROLE}source_profile = base\n", BASE, profile="my dev"),
    "a profile behind two blanks": Case(FROM_BASE.replace("profile dev", "profile \t dev"), BASE, profile="dev"),
    "a profile with two words and no quotes": Case(
        FROM_BASE.replace("profile dev", "profile my dev"), BASE, profile="my dev", refused=True
    ),
    "a profile with an escaped blank": Case(FROM_BASE.replace("profile dev", "profile my\\ dev"), BASE, profile="my dev"),
    "a profile with a blank that is no blank": Case(
        FROM_BASE.replace("profile dev", "profile my\N{NO-BREAK SPACE}dev"), BASE, profile="my\N{NO-BREAK SPACE}dev"
    ),
    "a profile that is not ASCII": Case(FROM_BASE.replace("profile dev", "profile büro"), BASE, profile="büro"),
    "a profile with a sharp": Case(FROM_BASE.replace("profile dev", "profile a#b"), BASE, profile="a#b"),
    "a profile that is written twice": Case(FROM_BASE + FROM_BASE, BASE, profile="dev", refused=True),
    "a profile with a key that is written twice": Case(FROM_BASE + REGION + REGION, BASE, profile="dev", refused=True),
    "a profile that is written in two ways": Case(
        f"{FROM_BASE}[profile  dev]\nrole_arn = {OPS}\nsource_profile = base\n", BASE, profile="dev"
    ),
    "default in two ways": Case(
        f"[default]\n{REGION}[profile default]\nregion = eu-west-2\n", BASE.replace("base", "default"), profile="default"
    ),
    "default in the other order": Case(
        f"[profile default]\nregion = eu-west-2\n[default]\n{REGION}", BASE.replace("base", "default"), profile="default"
    ),
    "a profile named as in the other file": Case(credentials=f"[profile base]\n{KEYS}", profile="base", refused=True),
    "a file that is Latin-1": Case(f"[profile dev]\n# é\n{ROLE}".encode("latin-1"), BASE, profile="base", refused=True),
    "a file that begins with a BOM": Case(b"\xef\xbb\xbf" + FROM_BASE.encode(), BASE, profile="dev", refused=True),
    "a file of old Macs": Case(FROM_BASE.replace("\n", "\r").encode(), BASE, profile="dev"),
    "a file without a section": Case(REGION, BASE, profile="base", refused=True),
    "a file with a line of nonsense": Case(FROM_BASE + "nonsense\n", BASE, profile="dev", refused=True),
    "a file of another name": Case(
        env={"AWS_CONFIG_FILE": f"{HOME}/c", "AWS_SHARED_CREDENTIALS_FILE": "~/k"},
        files={"c": FROM_BASE, "k": BASE},
        profile="dev",
    ),
    "a file named by a variable": Case(
        FROM_BASE, env={"AWS_SHARED_CREDENTIALS_FILE": "$HOME/k"}, files={"k": BASE}, profile="dev"
    ),
    "a file that is missing": Case(
        FROM_BASE, BASE, {"AWS_SHARED_CREDENTIALS_FILE": f"{HOME}/k"}, profile="dev", refused=True
    ),
    "a file that is nothing": Case(FROM_BASE, BASE, {"AWS_CONFIG_FILE": "/dev/null"}, profile="base"),
    "one file for both": Case(
        f"{FROM_BASE}{BASE}", env={"AWS_SHARED_CREDENTIALS_FILE": f"{HOME}/.aws/config"}, profile="dev"
    ),
}  # fmt: skip


SESSION = "arn:aws:iam::111111111111:user/alice"
LOGIN = f"[profile l]\nlogin_session = {SESSION}\n"


def login_token(expires: str) -> dict[str, str]:
    """The file that `aws login` leaves."""
    key = {"accessKeyId": "ASIALOGIN", "secretAccessKey": "s", "sessionToken": "t", "accountId": "111111111111"}
    fields = {"accessToken": {**key, "expiresAt": expires}, "refreshToken": "r", "dpopKey": "k", "clientId": "c"}
    return {f".aws/login/cache/{hashlib.sha256(SESSION.encode()).hexdigest()}.json": json.dumps(fields)}


_LONG = login_token("2099-01-01T00:00:00Z")
#: Cases that have an answer only where botocore has the AWS common runtime.
WITH_RUNTIME: dict[str, Case] = {
    "a login": Case(LOGIN, files=_LONG, profile="l"),
    "a login before keys of the config file": Case(f"{LOGIN}{KEYS}", files=_LONG, profile="l"),
    "a login elsewhere": Case(
        LOGIN,
        env={"AWS_LOGIN_CACHE_DIRECTORY": "$HOME/logins"},
        files={name.replace(".aws/login/cache", "logins"): said for name, said in _LONG.items()},
        profile="l",
    ),
    "a role from a login": Case(f"{FROM_BASE.replace('base', 'l')}{REGION}{LOGIN}", files=_LONG, profile="dev"),
    "a role from a login at hand": Case(LOGIN.replace("profile l", "default"), files=_LONG, role=DEV),
    "a role from a login in AWS_PROFILE": Case(LOGIN, env={"AWS_PROFILE": "l"}, files=_LONG, role=DEV),
}


class Difference(NamedTuple):
    """A difference that we want: why, and words that each side's outcome shows."""

    why: str
    case: Case
    ours: str
    theirs: str


_BOTH_NAMED = {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "other"}
_OTHER = f"[other]\n{KEYS.replace('BASE', 'OTHER')}"
_LIMIT = "a limit of STS is checked before the call, and the message says where the value is written"
_NO_FALL_BACK = "what was named and has no credentials is an error: nothing falls back to the machine's own role"
_EMPTY = "a variable that is set and empty is not set, as in a shell's ${NAME:-default}"

REASONED: dict[str, Difference] = {
    "both profile variables": Difference(
        "all SDKs but botocore let AWS_PROFILE win; a notice says so",
        Case(credentials=BASE + _OTHER, env=_BOTH_NAMED, role=DEV), "signed_by='AKIABASE'", "signed_by='AKIAOTHER'",
    ),
    "AWS_REGION": Difference(
        "all SDKs but botocore read AWS_REGION",
        Case(FROM_BASE, BASE, {"AWS_REGION": "eu-north-1"}, profile="dev"),
        "https://sts.eu-north-1.amazonaws.com/", "https://sts.amazonaws.com/",
    ),
    "AWS_REGION before AWS_DEFAULT_REGION": Difference(
        "where both are read, AWS_REGION wins (AWS SDKs and tools reference guide)",
        Case(FROM_BASE, BASE, {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-3"}, profile="dev"),
        "region='eu-north-1'", "region='eu-west-3'",
    ),
    "[DEFAULT]": Difference(
        "that all sections inherit from [DEFAULT] is Python's INI dialect; no other SDK has it",
        Case(f"[DEFAULT]\nregion = eu-west-2\nexternal_id = inherited\n{FROM_BASE}", BASE, profile="dev"),
        "https://sts.amazonaws.com/", "('ExternalId', 'inherited')",
    ),
    "a profile without credentials in a container": Difference(
        _NO_FALL_BACK,
        Case(f"[profile x]\n{REGION}", env=CONTAINER, profile="x"),
        "profile x has no credentials and no role_arn", "http://169.254.170.2/creds/task",
    ),
    "a profile without credentials on an instance": Difference(
        _NO_FALL_BACK,
        Case(f"[profile x]\n{REGION}", env=INSTANCE, profile="x"),
        "profile x has no credentials and no role_arn", "http://169.254.169.254/latest",
    ),
    "a profile without credentials and boto's own file": Difference(
        "boto 2 has been out of support since 2021: its files are not read",
        Case(f"[profile x]\n{REGION}", files={".boto": f"[Credentials]\n{KEYS}"}, profile="x"),
        "profile x has no credentials and no role_arn", "signed_by='AKIABASE'",
    ),
    "ambient credentials in AWS_CREDENTIAL_FILE": Difference(
        "the EC2 command line tools of 2010 are the last that had it",
        Case(
            env={"AWS_CREDENTIAL_FILE": f"{HOME}/ec2"},
            files={"ec2": "AWSAccessKeyId=AKIAOLD\nAWSSecretKey=s\n"}, role=DEV,
        ),
        "no credentials", "signed_by='AKIAOLD'",
    ),
    "a duration in words": Difference(
        "a duration that cannot be read is an error; botocore goes on with another one",
        Case(f"{FROM_BASE}duration_seconds = 2h\n", BASE, profile="dev"),
        f"'2h' is {messages.NOT_SECONDS}", "('RoleArn', 'arn:aws:iam::111111111111:role/dev'), ('Version'",
    ),
    "a duration that Python reads": Difference(
        "1_800 is a number to Python alone",
        Case(f"{FROM_BASE}duration_seconds = 1_800\n", BASE, profile="dev"),
        f"'1_800' is {messages.NOT_SECONDS}", "('DurationSeconds', '1800')",
    ),
    "a duration beyond the limit": Difference(
        _LIMIT,
        Case(f"{FROM_BASE}duration_seconds = 90000\n", BASE, profile="dev"),
        "a session lasts 900 s (15m) to 43200 s", "('DurationSeconds', '90000')",
    ),
    "a duration beyond that of chains": Difference(
        "STS refuses more than an hour to a role that is assumed from a session: we ask for the hour, and say so",
        Case(f"{FROM_BASE}duration_seconds = 7200\n", TEMPORARY, profile="dev"),
        "('DurationSeconds', '3600')", "('DurationSeconds', '7200')",
    ),
    "a session name with a blank": Difference(
        _LIMIT,
        Case(f"{FROM_BASE}role_session_name = alice smith\n", BASE, profile="dev"),
        "role_session_name of profile dev", "('RoleSessionName', 'alice smith')",
    ),
    "an empty session name": Difference(
        "a name that is written and empty is a mistake; botocore makes one up",
        Case(f"{FROM_BASE}role_session_name =\n", BASE, profile="dev"),
        "role_session_name of profile dev", "Resolved",
    ),
    "an external id over two lines": Difference(
        _LIMIT,
        Case(f"{FROM_BASE}external_id = abc\n  def\n", BASE, profile="dev"),
        "external_id of profile dev", "('ExternalId', 'abc\\ndef')",
    ),
    "a device with a comment behind it": Difference(
        _LIMIT,
        Case(f"{FROM_BASE}mfa_serial = {MFA} # phone\n", BASE, profile="dev"),
        "mfa_serial of profile dev", "mfa/alice # phone",
    ),
    "a role that is no ARN": Difference(
        "an ARN that is none is found before a code is typed",
        Case("[profile dev]\nrole_arn = arn:aws:iam::111111111111:user/not-a-role\nsource_profile = base\n", BASE, profile="dev"),
        messages.NOT_A_ROLE_ARN, "arn:aws:iam::111111111111:user/not-a-role",
    ),
    "a role of keys with an MFA device": Difference(
        "the device of the source's profile guards its roles too: one code for all of them",
        Case(FROM_BASE, f"{BASE}mfa_serial = {MFA}\n", profile="dev"), f"('SerialNumber', '{MFA}')", "'AssumeRole'",
    ),
    "a role in a partition that is none": Difference(
        "a typo in a partition is found before the call",
        Case(env=KEY_VARIABLES, role="arn:aws-gov:iam::111111111111:role/dev"), "aws-gov", "https://sts.amazonaws.com/",
    ),
    "a services section that is missing, and no need of it": Difference(
        "what a profile names and nobody has is an error, whether this run would have come to it or not",
        Case(f"[profile base]\n{KEYS}aws_session_token = t\nservices = missing\n", profile="base"),
        "names [services missing]", "access_key_id='AKIABASE'",
    ),
    "a role in quotes": Difference(
        "Terraform and JSON print ARNs in quotes: one pair is taken off",
        Case(f'[profile dev]\nrole_arn = "{DEV}"\nsource_profile = base\n', BASE, profile="dev"),
        f"('RoleArn', '{DEV}')", f"""('RoleArn', '"{DEV}"')""",
    ),
    "a role in short": Difference(
        "ACCOUNT:ROLE is understood wherever a role is",
        Case("[profile dev]\nrole_arn = 111111111111:dev\nsource_profile = base\n", BASE, profile="dev"),
        f"('RoleArn', '{DEV}')", "ParamValidationError",
    ),
    "a role in another partition than the region": Difference(
        "no such call can succeed; botocore sends it",
        Case(f"[profile cn]\nrole_arn = {CHINA}\nsource_profile = base\n{REGION}", BASE, profile="cn"),
        "is in the partition aws-cn, and the region eu-west-1", "https://sts.eu-west-1.amazonaws.com/",
    ),
    "a role in another partition than its source": Difference(
        "no such call can succeed; botocore sends it",
        Case(
            f"[profile cn]\nrole_arn = {CHINA}\nsource_profile = dev\nregion = cn-north-1\n{FROM_BASE}", BASE,
            profile="cn",
        ),
        messages.OTHER_PARTITION, f"('RoleArn', '{CHINA}')",
    ),
    "China without a region": Difference(
        "the global endpoint serves the partition aws alone: a role elsewhere is asked for there",
        Case(f"[profile cn]\nrole_arn = {CHINA}\nsource_profile = base\n", BASE, profile="cn"),
        "https://sts.cn-northwest-1.amazonaws.com.cn/", "https://sts.amazonaws.com/",
    ),
    "GovCloud without a region": Difference(
        "the global endpoint serves the partition aws alone: a role elsewhere is asked for there",
        Case(env=KEY_VARIABLES, role=GOV),
        "https://sts.us-gov-west-1.amazonaws.com/", "https://sts.amazonaws.com/",
    ),
    "an endpoint without a region": Difference(
        "an emulator's address takes a region from nobody: it is signed for as the global endpoint is",
        Case(f"{FROM_BASE}endpoint_url = https://sts.example.com/path\n", BASE, profile="dev"),
        "region='us-east-1'", "NoRegionError",
    ),
    "an endpoint in the clear": Difference(
        "signed requests and sessions cross no network in the clear",
        Case(f"{FROM_BASE}{REGION}endpoint_url = http://sts.example.com\n", BASE, profile="dev"),
        "is plain http", "http://sts.example.com/",
    ),
    "session tags": Difference(
        "aws-vault's names for what botocore has no names for",
        Case(
            f"{FROM_BASE}session_tags = team=a, stage=b\ntransitive_session_tags = team\nsource_identity = alice\n",
            BASE, profile="dev",
        ),
        "('SourceIdentity', 'alice'), ('Tags.member.1.Key', 'stage')", "('RoleArn'",
    ),
    "a web identity token with a last newline": Difference(
        "a token has no white space: what editors and echo add is taken off",
        Case(f"[profile w]\n{ROLE}{WEB_IDENTITY}", files={"token": "web-identity-token\n"}, profile="w"),
        "('WebIdentityToken', 'web-identity-token')", "('WebIdentityToken', 'web-identity-token\\n')",
    ),
    "a web identity without a path": Difference(
        _NO_FALL_BACK,
        Case(f"[profile w]\n{ROLE}web_identity_token_file =\n{KEYS}", profile="w"),
        "Refused", "signed_by='AKIABASE'",
    ),
    "nonsense below a key of another service": Difference(
        "what does not concern STS cannot break it",
        Case(f"{FROM_BASE}s3 =\n  nonsense\n", BASE, profile="dev"), "Resolved", "ConfigParseError",
    ),
    "an empty name for the config file": Difference(
        _EMPTY, Case(FROM_BASE, BASE, {"AWS_CONFIG_FILE": ""}, profile="dev"), "Resolved", "ProfileNotFound",
    ),
    "an empty AWS_PROFILE": Difference(
        _EMPTY,
        Case(credentials=BASE.replace("base", "default"), env={"AWS_PROFILE": ""}, role=DEV), "Resolved", "ProfileNotFound",
    ),
    "an empty AWS_DEFAULT_REGION": Difference(
        _EMPTY,
        Case(f"{FROM_BASE}{REGION}", BASE, {"AWS_DEFAULT_REGION": ""}, profile="dev"),
        "https://sts.eu-west-1.amazonaws.com/", "Invalid endpoint: https://sts..amazonaws.com",
    ),
    "an empty AWS_DEFAULT_REGION and no other": Difference(
        _EMPTY,
        Case(FROM_BASE, BASE, {"AWS_DEFAULT_REGION": ""}, profile="dev"),
        "https://sts.amazonaws.com/", "Invalid endpoint: https://sts..amazonaws.com",
    ),
    "an empty region": Difference(
        "a region that is written and empty is none, as an empty variable is",
        Case(f"{FROM_BASE}region =\n", BASE, profile="dev"),
        "https://sts.amazonaws.com/", "Invalid endpoint: https://sts..amazonaws.com",
    ),
    "an empty container address": Difference(
        _EMPTY,
        Case(env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", **INSTANCE}, role=DEV),
        "http://169.254.169.254/latest", "Refused",
    ),
    "a keyless access key": Difference(
        "an access key id that is written and empty is a mistake, found before the call",
        Case(credentials="[base]\naws_access_key_id =\naws_secret_access_key = s\n", profile="base"),
        "Refused", "signed_by=''",
    ),
}  # fmt: skip
