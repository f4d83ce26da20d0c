"""The child's environment: what is removed, kept and set, and what nesting makes of it (design, rule 3 of the child).

It is looked at twice: cold, after a full run that asked STS, and warm, after a replayed hit.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import time
from pathlib import Path

import pytest

from tests.servers.strict_sts import Issued, StrictSts
from tests.world import AWSUDO, PRINT_ENV, Done, Ready, World

DEV = "arn:aws:iam::111111111111:role/dev"
OPS = "arn:aws:iam::111111111111:role/ops"
#: What an SDK could find other credentials through: the design's list, written out once more.
REMOVED = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_SESSION_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_CREDENTIAL_SCOPE",
    "AWS_BEARER_TOKEN_BEDROCK",
]
#: What is set, always.
SET = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWSUDO_TARGET",
    "AWSUDO_ROLE_ARN",
    "AWSUDO_EXPIRATION",
]
KEPT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "2",
    "AWS_RETRY_MODE": "standard",
    "AWS_DEFAULT_OUTPUT": "json",
    "AWS_PAGER": "",
    "AWS_SDK_LOAD_CONFIG": "1",
    "AWS_SOMETHING_OF_TOMORROW": "x",
    "AWSUDO_DURATION": "20m",
    "AWSUDO_SOMETHING_OF_TOMORROW": "x",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "TERM": "dumb",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "LINES": "a\nb\n",
    "BASH_FUNC_f%%": "() {  echo hi\n}",
    "with space": "1",
    "NOT_UTF_8": "\udcff",
    "\udcfename": "x",
}


def _rfc3339(issued: Issued) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.expiration))


def _add_profile(world: World, name: str, *lines: str) -> None:
    with (world.home / ".aws" / "config").open("a", encoding="utf-8") as config:
        config.write("\n".join([f"[profile {name}]", *lines, ""]))


def _inside(world: World, *words: str, env: dict[str, str | None] | None = None) -> Done:
    """awsudo with these words, run by a child of `awsudo dev`."""
    return world.run("dev", AWSUDO, *words, env=env)


def test_the_child_gets_the_callers_environment_with_exactly_these_changes(
    world: World, sts: StrictSts, ready: Ready
) -> None:
    """Everything that was there is still there, byte for byte, but for what is removed; and nothing else comes in."""
    env: dict[str, str | None] = {**KEPT, "AWS_CA_BUNDLE": "/dev/null"}
    env |= {name: str(world.home / ".aws" / file) for name, file in
        (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials"))}  # fmt: skip
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    [issued] = sts.issued
    assert (done.code, done.err) == (0, "")
    assert done.env == world.environ(env) | {
        "AWS_ACCESS_KEY_ID": issued.access_key_id,
        "AWS_SECRET_ACCESS_KEY": issued.secret_access_key,
        "AWS_SESSION_TOKEN": issued.session_token,
        "AWS_CREDENTIAL_EXPIRATION": _rfc3339(issued),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWSUDO_TARGET": "dev",
        "AWSUDO_ROLE_ARN": DEV,
        "AWSUDO_EXPIRATION": _rfc3339(issued),
    }


def test_what_could_lead_an_sdk_to_other_credentials_is_removed(world: World, sts: StrictSts, ready: Ready) -> None:
    """Of each name on the list, what was set before is gone: it is absent, or holds the session's own value."""
    env: dict[str, str | None] = {name: f"stale-{name}" for name in REMOVED}
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    assert done.code == 0, done.err
    assert "stale" not in done.out
    assert [name for name in REMOVED if name in done.env] == [name for name in REMOVED if name in SET]
    assert sts.count("AssumeRole") == 1


def test_a_bearer_token_of_any_service_is_removed(world: World, ready: Ready) -> None:
    """An SDK would sign with it in place of the role: exec, export and --unset take out every AWS_BEARER_TOKEN_*."""
    env: dict[str, str | None] = {"AWS_BEARER_TOKEN_BEDROCK": "stale", "AWS_BEARER_TOKEN_NEW_SERVICE": "stale"}
    before = ready(env=env)

    child = world.run(*before, *PRINT_ENV, env=env)
    exported = world.run("export", "dev", "--format", "sh", env=env)
    unset = world.run("export", "--unset", "--format", "sh", env=env)

    assert child.code == 0 and not [name for name in child.env if name.startswith("AWS_BEARER_TOKEN_")]
    for done in (exported, unset):
        assert all(f"unset {name};" in done.out for name in env), done.out


def test_what_is_removed_is_unset_by_export_too(world: World) -> None:
    """exec and export start from the same changes: JSON's null is what a child does not have."""
    changes = json.loads(world.run("export", "dev", "--format", "json").out)

    assert {name for name, value in changes.items() if value is None} >= set(REMOVED) - set(SET)
    # an MFA code is spent: an awsudo inside must not send it again (test_mfa.py shows it of exec)
    assert set(changes) == {*REMOVED, *SET, "AWSUDO_MFA_CODE", "AWSUDO_SETTINGS"}


def test_doubled_variables_do_not_smuggle_a_value_in(world: World, sts: StrictSts, ready: Ready) -> None:
    """An environment may hold a name twice; the child has the session's keys once, and no other ones."""
    entries = [b"AWS_ACCESS_KEY_ID=stale1", b"AWS_PROFILE=stale2", b"AWS_PROFILE=stale3", b"AWS_SESSION_TOKEN=stale4"]
    before = ready()

    code, out = _executed(world, [*before, *PRINT_ENV], entries + entries)

    assert code == 0
    assert b"stale" not in out
    assert out.count(b"AWS_ACCESS_KEY_ID=") == 1


def test_entries_that_are_not_variables_are_ignored(world: World, ready: Ready) -> None:
    """An environment may hold entries without a name or an equals sign; other programs run with them, and so do we."""
    before = ready()

    code, out = _executed(world, [*before, "echo", "ran"], [b"=nameless", b"no equals sign", b"", b"="])

    assert (code, out) == (0, b"ran\n")


def _executed(world: World, words: list[str], more: list[bytes]) -> tuple[int, bytes]:
    """The exit code and stdout of awsudo with entries in its environment that no dict and no shell would pass on."""
    argv = [os.fsencode(word) for word in (AWSUDO, *words)]
    entries = [os.fsencode(f"{name}={value}") for name, value in world.environ().items()] + more
    c_argv = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    c_environ = (ctypes.c_char_p * (len(entries) + 1))(*entries, None)
    libc = ctypes.CDLL(None)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writes, 1)
        libc.execve(argv[0], c_argv, c_environ)
        os._exit(99)
    os.close(writes)
    with os.fdopen(reads, "rb") as output:
        out = output.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), out


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}], ids=str)
def test_the_childs_locale_is_the_callers(world: World, ready: Ready, locale: dict[str, str]) -> None:
    """Python changes LC_CTYPE for itself where the locale is plain C (PEP 538); the child does not hear of it."""
    env: dict[str, str | None] = {"LANG": None, **locale}
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    assert {name: value for name, value in done.env.items() if name.startswith(("LC_", "LANG"))} == locale


@pytest.mark.parametrize("locale", [{"LC_CTYPE": "C.UTF-8"}, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}], ids=str)
def test_a_locale_that_the_caller_chose_stays(world: World, ready: Ready, locale: dict[str, str]) -> None:
    """The same value, set by the user, is the user's."""
    env: dict[str, str | None] = {"LANG": None, **locale}
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    assert {name: value for name, value in done.env.items() if name.startswith(("LC_", "LANG"))} == locale


# What is set


def test_expirations_are_rfc_3339_in_utc(world: World, sts: StrictSts, ready: Ready) -> None:
    """The SDKs read AWS_CREDENTIAL_EXPIRATION; the caller's time zone changes nothing."""
    env: dict[str, str | None] = {"TZ": "Asia/Kolkata"}
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    until = done.env["AWS_CREDENTIAL_EXPIRATION"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", until)
    assert until == done.env["AWSUDO_EXPIRATION"] == _rfc3339(sts.issued[0])


@pytest.mark.parametrize(
    "token", ["a'b\"c`d$(e)\\f g\th\ni;#|&=%", "é😀", "x" * 60_000], ids=["quotes", "letters", "long"]
)
def test_a_token_arrives_as_sts_gave_it(world: World, sts: StrictSts, token: str) -> None:
    """No character of a token is special on its way, cold or warm."""
    sts.texts["SessionToken"] = token
    world.settle()

    cold = world.run("dev", *PRINT_ENV)
    warm = world.run("dev", *PRINT_ENV)

    assert cold.env["AWS_SESSION_TOKEN"] == token
    assert warm.env == cold.env
    assert sts.count("AssumeRole") == 1


_NO_REGION: dict[str, str | None] = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}


@pytest.mark.parametrize(
    ("words", "env", "expected"),
    [
        (("dev",), {}, "eu-west-1"),
        (("dev",), {"AWS_REGION": "us-east-2"}, "us-east-2"),
        (("dev",), {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        (("dev",), {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-west-2"}, "us-east-2"),
        (("dev",), {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "eu-west-1"),
        (("dev",), {"AWSUDO_REGION": "ap-south-1", "AWS_REGION": "us-east-2"}, "ap-south-1"),
        (("--region", "us-west-1", "dev"), {"AWSUDO_REGION": "ap-south-1", "AWS_REGION": "us-east-2"}, "us-west-1"),
        (("nowhere",), {"AWS_REGION": "us-east-2"}, "us-east-2"),
    ],
)  # fmt: skip
def test_the_region_is_set_under_both_names_when_it_is_known(
    world: World, ready: Ready, words: tuple[str, ...], env: dict[str, str | None], expected: str
) -> None:
    """An option, else AWSUDO_REGION, else the user's own variables, else the profile; never [default]'s."""
    _add_profile(world, "nowhere", f"role_arn = {DEV}", "source_profile = base")
    _add_profile(world, "default", "region = sa-east-1")  # rule 3 of resolving: nothing is inherited from it
    before = ready(*words, env=_NO_REGION | env)

    done = world.run(*before, *PRINT_ENV, env=_NO_REGION | env)

    assert done.code == 0, done.err
    assert (done.env.get("AWS_REGION"), done.env.get("AWS_DEFAULT_REGION")) == (expected, expected)


def test_an_unknown_region_is_not_invented(world: World) -> None:
    """Where nothing says a region, neither name is set."""
    with (world.home / ".aws" / "credentials").open("a", encoding="utf-8") as credentials:
        credentials.write("[at-hand]\naws_access_key_id = ASIAX\naws_secret_access_key = s\naws_session_token = t\n")

    done = world.run("at-hand", *PRINT_ENV, env=_NO_REGION)

    assert done.env["AWS_SESSION_TOKEN"] == "t"
    assert {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CREDENTIAL_EXPIRATION", "AWSUDO_EXPIRATION"}.isdisjoint(done.env)


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (("dev",), "dev"),
        (("-p", "dev"), "dev"),
        (("-p", "base", DEV), DEV),
        (("-p", "base", "111111111111:dev"), DEV),
    ],
)  # fmt: skip
def test_the_child_has_variables_of_its_target(world: World, ready: Ready, words: tuple[str, ...], target: str) -> None:
    """AWSUDO_TARGET for prompts, AWSUDO_ROLE_ARN for scripts; none of them is a secret."""
    before = ready(*words)

    done = world.run(*before, *PRINT_ENV)

    assert (done.env["AWSUDO_TARGET"], done.env["AWSUDO_ROLE_ARN"]) == (target, DEV)


def test_a_session_without_a_role_has_no_role_name(world: World, sts: StrictSts) -> None:
    """A session of long-lived keys has no role, and an outer awsudo's is not left standing."""
    env: dict[str, str | None] = {
        "AWSUDO_ROLE_ARN": DEV,
        "AWSUDO_TARGET": "dev",
        "AWSUDO_EXPIRATION": "2000-01-01T00:00:00Z",
    }

    runs = [world.run("base", *PRINT_ENV, env=env) for _ in "12"]

    for done in runs:
        assert done.env["AWSUDO_TARGET"] == "base"
        assert "AWSUDO_ROLE_ARN" not in done.env
        assert done.env["AWSUDO_EXPIRATION"] == _rfc3339(sts.issued[0])
        assert done.env["AWS_ACCESS_KEY_ID"] == sts.issued[0].access_key_id


# Nesting


def test_a_profile_inside_awsudo_gives_the_same_session_as_outside(world: World, sts: StrictSts) -> None:
    """Rule 4: a profile resolves from the files, so that it is one session, one call, and no notice."""
    _add_profile(world, "ops", f"role_arn = {OPS}", "source_profile = base", "region = eu-west-1")
    sts.add_role(OPS)

    outside = world.run("ops", *PRINT_ENV)
    inside = _inside(world, "ops", *PRINT_ENV)
    again = _inside(world, "ops", *PRINT_ENV)

    assert outside.env == inside.env == again.env
    assert (inside.err, again.err) == ("", "")
    assert sts.count("AssumeRole") == 2  # dev, ops


def test_a_profile_inside_awsudo_keeps_its_own_region(world: World, sts: StrictSts) -> None:
    """Rule 4: the region that the outer awsudo set from its profile is not the user's own."""
    _add_profile(world, "ops", f"role_arn = {OPS}", "source_profile = base", "region = us-east-2")
    sts.add_role(OPS)

    outside = world.run("ops", *PRINT_ENV, env=_NO_REGION)
    inside = _inside(world, "ops", *PRINT_ENV, env=_NO_REGION)

    assert inside.env == outside.env
    assert inside.env["AWS_REGION"] == "us-east-2"


def test_a_profile_of_another_partition_works_inside_awsudo(world: World, sts: StrictSts) -> None:
    """Rule 4: what works outside works inside, whichever partition the outer session is in."""
    role = sts.add_role("arn:aws-cn:iam::222222222222:role/dev")
    key = sts.add_user("lin", "222222222222", partition="aws-cn")
    with (world.home / ".aws" / "credentials").open("a", encoding="utf-8") as credentials:
        credentials.write(
            f"[china]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
        )
    _add_profile(world, "cn", f"role_arn = {role}", "source_profile = china", "region = cn-north-1")

    outside = world.run("cn", *PRINT_ENV, env=_NO_REGION)
    inside = _inside(world, "cn", *PRINT_ENV, env=_NO_REGION)

    assert outside.code == 0, outside.err
    assert inside.code == 0, inside.err
    assert inside.env == outside.env


def test_the_users_own_region_holds_inside_too(world: World, sts: StrictSts) -> None:
    """What the user set outside, or inside, is the user's own and wins over every profile."""
    _add_profile(world, "ops", f"role_arn = {OPS}", "source_profile = base", "region = us-east-2")
    sts.add_role(OPS)

    outer = _inside(world, "ops", *PRINT_ENV, env=_NO_REGION | {"AWS_REGION": "eu-north-1"})
    inner = world.run("dev", "env", "AWS_REGION=eu-south-1", AWSUDO, "ops", *PRINT_ENV, env=_NO_REGION)

    assert outer.env["AWS_REGION"] == outer.env["AWS_DEFAULT_REGION"] == "eu-north-1"
    assert inner.env["AWS_REGION"] == inner.env["AWS_DEFAULT_REGION"] == "eu-south-1"


def test_a_role_inside_awsudo_is_assumed_from_the_outer_role(world: World, sts: StrictSts) -> None:
    """Rule 4: an ARN takes the outer role as its source and its region, is an hour at most, and says so once."""
    sts.add_role(OPS, trusts=[DEV])
    _add_profile(world, "default", "region = sa-east-1")

    inside = _inside(world, OPS, *PRINT_ENV)
    again = _inside(world, OPS, *PRINT_ENV)

    outer, inner = sts.issued
    assert inside.code == 0, inside.err
    assert inside.env["AWS_ACCESS_KEY_ID"] == again.env["AWS_ACCESS_KEY_ID"] == inner.access_key_id
    assert [call.access_key_id for call in sts.calls][1] == outer.access_key_id
    assert "dev" in inside.err and "role chaining" in inside.err and "1h" in inside.err
    assert again.err == ""
    assert inside.env["AWS_REGION"] == "eu-west-1"


def test_a_duration_above_an_hour_is_clamped_inside_awsudo_with_a_notice(world: World, sts: StrictSts) -> None:
    """Rule 4: STS would refuse it, whatever the role's own maximum."""
    sts.add_role(OPS, trusts=[DEV], max_session=43_200)

    inside = _inside(world, "-d", "2h", OPS, *PRINT_ENV)

    assert inside.code == 0, inside.err
    assert [call.params.get("DurationSeconds") for call in sts.calls] == [None, "3600"]
    assert "1h instead of 7200 s" in inside.err


def test_quiet_holds_inside_too(world: World, sts: StrictSts) -> None:
    """-q: the chain's notice is not printed."""
    sts.add_role(OPS, trusts=[DEV])

    inside = _inside(world, "-q", "-d", "2h", OPS, "echo", "ran")

    assert inside == (0, "ran\n", "")


def test_no_other_session_is_left_in_a_nested_child(world: World, sts: StrictSts) -> None:
    """The inner child has the inner keys alone; the outer ones are nowhere in its environment."""
    sts.add_role(OPS, trusts=[DEV])

    inside = _inside(world, OPS, *PRINT_ENV)

    outer, inner = sts.issued
    for secret in (outer.access_key_id, outer.secret_access_key, outer.session_token):
        assert secret not in inside.out
    assert inside.env["AWS_SECRET_ACCESS_KEY"] == inner.secret_access_key
    assert inside.env["AWSUDO_TARGET"] == inside.env["AWSUDO_ROLE_ARN"] == OPS


@pytest.mark.parametrize("name", ["HOME", "USER", "PATH", "XDG_RUNTIME_DIR"])
def test_a_missing_variable_stays_missing(world: World, tmp_path: Path, name: str) -> None:
    """awsudo finds its way without it, and does not invent it for the child."""
    files = {f"AWS_{kind}_FILE": str(world.home / ".aws" / file) for kind, file in
        (("CONFIG", "config"), ("SHARED_CREDENTIALS", "credentials"))}  # fmt: skip
    env: dict[str, str | None] = {**files, "AWSUDO_CACHE_DIR": str(tmp_path / "cache"), name: None}

    cold = world.run("dev", *PRINT_ENV, env=env)
    warm = world.run("dev", *PRINT_ENV, env=env)

    assert (cold.code, cold.err) == (0, "")
    assert name not in cold.env
    assert warm == cold
