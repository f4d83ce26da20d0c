"""Proves that awsudo resolves as botocore does: the same requests, signed with the same keys, in the same place.

What differs stands in REASONED, with its reason, and is shown to differ. Everything else must be equal: the URL, the
region of the signature, who signs, every parameter, the CA bundle, the credentials at the end, the command's region.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from botocore.args import LEGACY_GLOBAL_STS_REGIONS
from botocore.loaders import Loader

from awsudo_py.resolve import roles
from awsudo_py.resolve.endpoints import LEGACY_GLOBAL
from tests.differential.corpus import (
    ACCOUNT,
    BASE,
    CASES,
    CHINA,
    CONTAINER,
    DEV,
    FROM_BASE,
    GOV,
    INSTANCE,
    KEY_VARIABLES,
    LOGGED_IN,
    MFA,
    OPS,
    PROCESS,
    REASONED,
    ROLE,
    TOKEN_FILE,
    WEB_IDENTITY,
    WEB_IDENTITY_VARIABLES,
    WHERE,
    WITH_RUNTIME,
    chain,
    printed,
)
from tests.differential.sides import Case, Refused, Resolved, by_awsudo, by_botocore
from tests.servers.strict_sts import StrictSts
from tests.world import PRINT_ENV, World


def same(ours: Resolved | Refused, theirs: Resolved | Refused) -> bool:
    """Whether two outcomes are one: two errors need not have the same words."""
    return ours == theirs or (isinstance(ours, Refused) and isinstance(theirs, Refused))


@pytest.mark.parametrize("name", CASES)
def test_a_configuration_means_to_awsudo_what_it_means_to_botocore(name: str, tmp_path: Path) -> None:
    """Each machine of the corpus gives the same requests and credentials to both, or an answer to neither."""
    case = CASES[name]

    ours = by_awsudo(case, tmp_path)
    theirs = by_botocore(case, tmp_path)

    assert isinstance(theirs, Refused) == case.refused, theirs
    assert same(ours, theirs)


@pytest.mark.parametrize("name", WITH_RUNTIME)
def test_a_login_session_means_to_awsudo_what_it_means_to_botocore(name: str, tmp_path: Path) -> None:
    """`aws login` sessions are used wherever botocore could use them, and refused where it lacks its runtime."""
    ours = by_awsudo(WITH_RUNTIME[name], tmp_path)
    theirs = by_botocore(WITH_RUNTIME[name], tmp_path)

    assert isinstance(theirs, Refused) == (importlib.util.find_spec("awscrt") is None), theirs
    assert same(ours, theirs)


@pytest.mark.parametrize("name", REASONED)
def test_a_listed_difference_is_one(name: str, tmp_path: Path) -> None:
    """Each difference that is listed with a reason is there, and is the one that the list describes."""
    why, case, we, they = REASONED[name]

    ours = by_awsudo(case, tmp_path)
    theirs = by_botocore(case, tmp_path)

    assert why
    assert not same(ours, theirs)
    assert we in repr(ours) + getattr(ours, "error", "")
    assert they in repr(theirs) + getattr(theirs, "error", "")


def test_the_corpus_has_every_kind_of_source_and_is_large(tmp_path: Path) -> None:
    """No fewer than two hundred machines are compared, and most of them have an answer."""
    answered = [case for case in CASES.values() if not case.refused]

    assert len(CASES) + len(WITH_RUNTIME) + len(REASONED) >= 200
    assert len(answered) >= 120


# -- generated configurations


ROLES = (DEV, OPS, "arn:aws:iam::333333333333:role/a/b")
NAMES = ("default", "a", "b", "c")
KEY_LINES = (
    "aws_access_key_id = AKIA{}\naws_secret_access_key = s\n",
    "aws_access_key_id = AKIA{}\naws_secret_access_key = s\naws_session_token = t\n",
    "aws_access_key_id = AKIA{}\naws_secret_access_key = s\naws_session_token =\n",
    "aws_access_key_id = AKIA{}\n",
    "aws_secret_access_key = s\n",
)
#: What a profile may be, the likeliest first; a role is the likeliest of all.
KINDS = (
    WHERE + ACCOUNT,
    f"sso_session = corp\n{ACCOUNT}",
    PROCESS,
    f"{ROLE}{WEB_IDENTITY}",
    "",
    WEB_IDENTITY,
    f"sso_session = missing\n{ACCOUNT}",
    "sso_session = corp\n",
)
CREDENTIAL_SOURCES = ("Environment", "EcsContainer", "Ec2InstanceMetadata", "environment")
SETTINGS = (
    "region = eu-west-1\n",
    "region = me-south-1\n",
    "sts_regional_endpoints = legacy\n",
    "use_fips_endpoint = true\n",
    "use_dualstack_endpoint = true\n",
    "endpoint_url = https://a.example.com\n",
    "services = one\n",
    "ignore_configured_endpoint_urls = true\n",
    "ca_bundle = /etc/ca.pem\n",
    "external_id = 1234\n",
    "role_session_name = alice\n",
    "duration_seconds = 1800\n",
)
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    KEY_VARIABLES,
    {"AWS_SESSION_TOKEN": "t"},
    *({"AWS_PROFILE": name} for name in NAMES),
    {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
    {"AWS_ENDPOINT_URL_STS": "https://c.example.com"},
    {"AWS_ENDPOINT_URL": "https://d.example.com"},
    {"AWS_CA_BUNDLE": "/etc/other.pem"},
    WEB_IDENTITY_VARIABLES,
    {"AWS_ROLE_ARN": DEV},
    CONTAINER,
    INSTANCE,
)


def once(text: str) -> str:
    """The lines without those whose key was there before: neither side reads a file that has one twice."""
    return "".join({line.split(" =")[0]: f"{line}\n" for line in reversed(text.splitlines())}.values())


@st.composite
def sections(draw: st.DrawFn, name: str) -> tuple[str, str]:
    """A profile's settings in the config file, and in the credentials file."""
    kind = draw(st.sampled_from(("role", "role", "role", "keys", "keys", *KINDS[: draw(st.sampled_from((4, 8)))])))
    text = "".join(draw(st.lists(st.sampled_from(SETTINGS), max_size=4)))
    if kind == "role":
        source = draw(st.sampled_from((*NAMES, *NAMES[1:], *NAMES[2:], "missing", *CREDENTIAL_SOURCES)))
        key = "credential_source" if source in CREDENTIAL_SOURCES else "source_profile"
        text += f"role_arn = {draw(st.sampled_from(ROLES))}\n{key} = {source}\n"
    elif kind != "keys":
        text += kind
    if draw(st.sampled_from((False, False, False, True))):  # one more, to see which wins
        text += draw(st.sampled_from((*KINDS, "source_profile = a\n", "credential_source = Environment\n")))
    keys = ""
    if kind == "keys" or draw(st.sampled_from((False, False, False, True))):
        keys = draw(st.sampled_from((*KEY_LINES[:2] * 2, *KEY_LINES))).format(name.upper())
    if kind == "role" and not keys and draw(st.booleans()):  # a listed difference: a source's device guards its roles
        text += f"mfa_serial = {MFA}\n"
    here = draw(st.booleans())
    return once(text + keys if here else text), once(("region = sa-east-1\n" if here else "") + keys * (not here))


@st.composite
def machines(draw: st.DrawFn) -> Case:
    """A machine with four profiles that name each other, an environment, and a question."""
    config = f"[sso-session corp]\n{WHERE}[services one]\nsts =\n  endpoint_url = https://b.example.com\n"
    credentials = ""
    for name in NAMES:
        settings, secrets = draw(sections(name))
        config += f"[{name if name == 'default' else f'profile {name}'}]\n{settings}"
        credentials += f"[{name}]\n{secrets}" if secrets else ""
    env = {"AWS_DEFAULT_REGION": "us-west-2"} if draw(st.booleans()) else {}
    for part in draw(st.lists(st.sampled_from(ENVIRONMENTS), max_size=3)):
        env |= part
    profile = draw(st.sampled_from((None, *NAMES)))
    role = draw(st.sampled_from(ROLES if profile is None else (None, *ROLES)))
    if profile is not None:  # a listed difference: what was named never falls back to the machine's own role
        env = {name: value for name, value in env.items() if name not in (*CONTAINER, *INSTANCE)}
    return Case(config, credentials, env, profile, role, {**TOKEN_FILE, **LOGGED_IN, **printed()})


GENERATED = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=80,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)


@GENERATED
@hypothesis.given(case=machines())
def test_generated_configurations_mean_the_same_to_both(tmp_path: Path, case: Case) -> None:
    """Profiles put together at random give the same requests and credentials to both, or an answer to neither."""
    ours, theirs = by_awsudo(case, tmp_path), by_botocore(case, tmp_path)

    # the listed difference "an endpoint without a region"
    if isinstance(theirs, Refused) and "NoRegionError" in theirs.error and isinstance(ours, Resolved):
        assert {sent.region for sent in ours.sent} <= {"us-east-1", None}
    else:
        assert same(ours, theirs)


def test_generated_configurations_are_not_all_refused(tmp_path: Path) -> None:
    """The generator makes machines that have an answer, chains among them: the comparison above is not idle."""
    calls: list[int] = []

    @hypothesis.settings(GENERATED, max_examples=40)
    @hypothesis.given(case=machines())
    def count(case: Case) -> None:
        theirs = by_botocore(case, tmp_path)
        calls.append(len(theirs.sent) if isinstance(theirs, Resolved) else -1)

    count()

    assert sum(number > 0 for number in calls) >= 10
    assert max(calls) >= 2


# -- where STS is


REGIONS = (
    "",
    "aws-global",
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "me-south-1",
    "mx-central-1",
    "eu-west-9",
    "us-gov-west-1",
    "us-gov-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "us-isof-south-1",
    "eusc-de-east-1",
)


@pytest.mark.parametrize("mode", ["regional", "legacy"])
@pytest.mark.parametrize("region", REGIONS)
def test_sts_is_where_botocore_has_it(region: str, mode: str, tmp_path: Path) -> None:
    """With what awsudo leaves out of botocore for speed, host and region of the signature stay those of plain botocore."""
    for extra in (
        "",
        "use_fips_endpoint = true\n",
        "use_dualstack_endpoint = true\n",
        "use_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
    ):
        settings = f"sts_regional_endpoints = {mode}\n{extra}{f'region = {region}' if region else ''}\n"
        case = Case(f"[profile base]\n{settings}", BASE, profile="base")

        ours = by_awsudo(case, tmp_path)
        theirs = by_botocore(case, tmp_path)

        assert same(ours, theirs), settings


def test_partitions_are_those_that_botocore_knows() -> None:
    """Every partition of botocore's is one of ours, none is made up, and each region belongs to its own."""
    known = {partition["id"]: partition for partition in Loader().load_data("partitions")["partitions"]}

    ours = {
        region: roles.partition_of_region(region)
        for partition in known.values()
        for region in partition["regions"]
        if not region.endswith("-global")
    }

    assert set(roles.PARTITIONS) == set(known)
    assert ours == {
        region: name
        for name, partition in known.items()
        for region in partition["regions"]
        if not region.endswith("-global")
    }


@pytest.mark.parametrize("partition", [name for name in roles.PARTITIONS if name != "aws"])
def test_a_role_of_another_partition_is_assumed_at_its_own_endpoint(partition: str, tmp_path: Path) -> None:
    """Where no region is set, a role outside the partition aws is asked for at an STS that plain botocore has there."""
    known = {each["id"]: each for each in Loader().load_data("partitions")["partitions"]}
    role = f"role_arn = arn:{partition}:iam::111111111111:role/dev\nsource_profile = base\n"
    default = roles.PARTITIONS[partition][1]

    ours = by_awsudo(Case(f"[profile dev]\n{role}", BASE, profile="dev"), tmp_path)
    theirs = by_botocore(Case(f"[profile dev]\n{role}region = {default}\n", BASE, profile="dev"), tmp_path)

    assert default in known[partition]["regions"]
    assert isinstance(ours, Resolved) and isinstance(theirs, Resolved)
    assert ours.sent == theirs.sent


def test_the_regions_of_the_global_endpoint_are_botocores() -> None:
    """Where sts_regional_endpoints is legacy, the same regions mean the global endpoint to both."""
    assert set(LEGACY_GLOBAL_STS_REGIONS) == LEGACY_GLOBAL


# -- whole processes, against one STS


BOTOCORE = """
import sys
import botocore.session
session = botocore.session.Session(profile=sys.argv[1] or None)
sts = session.create_client("sts")
if sys.argv[2]:
    sts.assume_role(RoleArn=sys.argv[2], RoleSessionName="whole")
else:
    session.get_credentials().get_frozen_credentials()
"""


@pytest.mark.parametrize(
    ("profile", "role"),
    [("dev", ""), ("r1", ""), ("narrow", ""), ("", OPS), ("dev", OPS)],
    ids=["role", "chain", "parameters", "ambient", "profile and role"],
)
def test_a_whole_run_asks_what_a_program_with_botocore_asks(
    world: World, sts: StrictSts, profile: str, role: str
) -> None:
    """The console script and a plain botocore program send one STS the same calls, signed with the same keys."""
    for arn in (DEV, OPS, *(f"arn:aws:iam::{number:012}:role/r{number}" for number in (1, 2, 3))):
        sts.add_role(arn)
    world.config(
        f"{FROM_BASE}{chain(3)}[profile narrow]\n{ROLE}source_profile = base\nduration_seconds = 1200\n"
        "external_id = 1234\nrole_session_name = alice\n"
    )
    env: dict[str, str | None] = {"AWS_PROFILE": "base"} if not profile else {}

    def calls() -> list[tuple[object, ...]]:
        """The calls so far, with each session named by the call that gave it."""
        known = {issued.access_key_id: f"session {number}" for number, issued in enumerate(sts.issued)}
        output: list[tuple[object, ...]] = [
            (
                call.action,
                call.host,
                known.get(call.access_key_id or "", call.access_key_id),
                {name: value for name, value in call.params.items() if name != "RoleSessionName" or value == "alice"},
                call.error,
            )
            for call in sts.calls
        ]
        sts.forget()
        sts.issued.clear()
        return output

    words = [*(["-p", profile] if profile and role else []), role or profile]
    done = world.run(*words, *PRINT_ENV, env=env)
    ours = calls()
    plain = subprocess.run([sys.executable, "-c", BOTOCORE, profile, role], env=world.environ(env), check=False)
    theirs = calls()

    assert (done.code, plain.returncode) == (0, 0), done.err
    assert ours == theirs
    assert ours


@pytest.mark.parametrize("arn", [CHINA, GOV])
def test_a_role_of_another_partition_is_not_sent_to_this_endpoint(world: World, sts: StrictSts, arn: str) -> None:
    """A role whose partition the region is not in is refused before any call."""
    done = world.run(arn, *PRINT_ENV, env={"AWS_PROFILE": "base"})

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert f"is in the partition {arn.split(':')[1]}, and the region eu-west-1 (AWS_DEFAULT_REGION) is not" in done.err
