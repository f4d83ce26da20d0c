"""What a profile sets besides credentials and region reaches its commands: calls go where `--profile` sends them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError

from awsudo_py.aws_credentials import Credentials
from awsudo_py.child_environment import applied, changes_for, hide_from_sdk, marked, unset_changes
from awsudo_py.errors import ConfigError
from awsudo_py.fingerprint import Files, deciding
from awsudo_py.model import Request
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, IMPORTS_LISTED, PRINT_ENV, Done, Ready, World

#: What a profile may say, in parts that are combined.
URLS = {
    "": "",
    "url": "endpoint_url = http://127.0.0.1:4566\n",
    "services": "services = here\n",
    "services and url": "services = here\nendpoint_url = https://all.example.com\n",
    "ignored": "services = here\nendpoint_url = https://all.example.com\nignore_configured_endpoint_urls = true\n",
}
REACH = {
    "": "region = eu-west-1\n",
    "FIPS": "region = us-gov-west-1\nuse_fips_endpoint = true\n",
    "dual stack": "region = us-west-2\nuse_dualstack_endpoint = true\n",
    "legacy": "region = us-east-1\nsts_regional_endpoints = legacy\ns3_us_east_1_regional_endpoint = legacy\n",
}
SERVICES = "[services here]\ns3 =\n  endpoint_url = https://s3.example.com\ndynamodb =\n  endpoint_url = http://127.0.0.1:8000\n"
DEFAULTS = {
    "": "",
    "a default with a URL": "[default]\nendpoint_url = https://default.example.com\n",
    "a default with FIPS": "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
}
USERS: dict[str, dict[str, str]] = {
    "a URL of the user": {"AWS_ENDPOINT_URL": "https://mine.example.com"},
    "a URL of the user for S3": {"AWS_ENDPOINT_URL_S3": "https://mine.example.com"},
    "URLs ignored by the user": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    "no FIPS for the user": {"AWS_USE_FIPS_ENDPOINT": "false"},
}


class Case(NamedTuple):
    """A profile `it`, the rest of the config file, and the user's own variables."""

    profile: str
    rest: str = SERVICES
    env: Mapping[str, str] = {}


CORPUS = {
    f"{urls or 'no URL'}, {reach or 'plain'}, {default or 'no default'}": Case(
        URLS[urls] + REACH[reach], SERVICES + DEFAULTS[default]
    )
    for urls, reach, default in itertools.product(URLS, REACH, DEFAULTS)
    # URLs of [default] beside some of the profile's own cannot be turned off: a notice says so
    if not (urls == "services" and default == "a default with a URL")
} | {
    f"{urls}, {user}": Case(URLS[urls] + REACH["FIPS"], env=USERS[user])
    for urls, user in itertools.product(["url", "services", "ignored"], USERS)
}  # fmt: skip
_LOADER = botocore.session.Session().get_component("data_loader")  # read once: it depends on no configuration
_KEYS = Credentials("ASIAEXAMPLE", "secret", "token")


class _Sent(BaseException):
    """Stops a call before anything is sent."""


def _urls(environ: Mapping[str, str]) -> list[str]:
    """Where calls of s3, sts and dynamodb go in this environment."""
    found = []
    with mock.patch.dict(os.environ, environ, clear=True):
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)
        session.set_credentials(_KEYS.access_key_id, _KEYS.secret_access_key, _KEYS.session_token)
        for service, call in (("s3", "list_buckets"), ("sts", "get_caller_identity"), ("dynamodb", "list_tables")):

            def stop(request: object, **_: object) -> None:
                found.append(getattr(request, "url", ""))
                raise _Sent

            try:
                client = session.create_client(service)
                client.meta.events.register("before-send", stop)
                getattr(client, call)()
            except _Sent:
                continue
            except BotoCoreError as error:
                found.append(type(error).__name__)
    return found


def _command_environment(environ: Mapping[str, str], target: str = "it") -> dict[str, str]:
    """The environment of a command that is run as this target."""
    context = hide_from_sdk(dict(environ))
    with mock.patch.dict(os.environ, environ, clear=True):
        config = aws_config.load(deciding(context), Files(0))
    chain = Resolver(config, deciding(context), lambda _: None).chain(Request(profile=target))
    changes = changes_for(
        _KEYS,
        context,
        target=target,
        role_arn="",
        region=chain.region or "",
        settings=marked(dict(chain.settings)),
    )
    return applied(context, changes)


def _machine(home: Path, config: str) -> dict[str, str]:
    (home / "config").write_text(config)
    (home / "credentials").write_text(f"[it]\n{KEYS}[other]\n{KEYS}")
    return {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWSUDO_ALLOW_HTTP": "all.example.com",
    }


KEYS = "aws_access_key_id = AKIAEXAMPLEEXAMPLE12\naws_secret_access_key = abcdefghijklmnopqrstuvwxyzabcdefghijklmn\n"


@pytest.mark.parametrize("case", CORPUS.values(), ids=CORPUS)
def test_a_command_calls_the_endpoints_that_the_profile_would(case: Case, tmp_path: Path) -> None:
    """`awsudo it aws s3 ls` goes where `aws --profile it s3 ls` goes, and so do sts and dynamodb."""
    environ = _machine(tmp_path, f"[profile it]\n{case.profile}{case.rest}") | dict(case.env)

    assert _urls(_command_environment(environ)) == _urls({**environ, "AWS_PROFILE": "it"})


def test_the_corpus_is_one() -> None:
    """At least 60 profiles, and their calls go to many places."""
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("case", list(CORPUS.values())[::5], ids=list(CORPUS)[::5])
def test_a_nested_run_and_unset_take_out_what_was_set(case: Case, tmp_path: Path) -> None:
    """Inside `it`, another target's commands go where they would without; --unset gives the user's own back."""
    environ = _machine(tmp_path, f"[profile it]\n{case.profile}[profile other]\nregion = sa-east-1\n{SERVICES}")
    environ |= dict(case.env)
    outer = _command_environment(environ)

    nested = _command_environment(outer, "other")

    assert _urls(nested) == _urls(_command_environment(environ, "other"))
    left = applied(outer, unset_changes(outer))
    assert {name: value for name, value in left.items() if "REGION" not in name} == environ


def test_what_the_user_sets_inside_is_the_users(tmp_path: Path) -> None:
    """In a subshell of the target, a variable that was set anew wins in a nested run, and stays with --unset."""
    environ = _machine(tmp_path, f"[profile it]\n{URLS['url']}{REACH['']}[profile other]\nregion = sa-east-1\n")
    inside = _command_environment(environ) | {"AWS_ENDPOINT_URL": "https://mine.example.com"}

    nested = _command_environment(inside, "other")

    assert nested["AWS_ENDPOINT_URL"] == "https://mine.example.com"
    assert applied(inside, unset_changes(inside))["AWS_ENDPOINT_URL"] == "https://mine.example.com"


def test_names_of_variables_in_the_environment_reach_no_shell_unquoted() -> None:
    """A name that no shell could unset is left alone."""
    odd = "AWS_BEARER_TOKEN_X;touch pwned"
    environ = {
        odd: "x",
        "AWS_BEARER_TOKEN_BEDROCK": "x",
        "AWS_BEARER_TOKEN_NEW": "x",
        "AWSUDO_SETTINGS": "A;b:00000000",
    }

    changes = unset_changes(environ)

    assert all(name.isidentifier() for name in changes)
    assert {"AWS_BEARER_TOKEN_BEDROCK", "AWS_BEARER_TOKEN_NEW"} <= set(changes)


# -- real processes


@pytest.fixture
def local(world: World, sts: StrictSts) -> World:
    """A world whose profile `local` calls an emulator, the strict STS, by its endpoint_url; `base` has no such."""
    url = world.env.pop("AWS_ENDPOINT_URL_STS")
    path = world.home / ".aws" / "config"
    path.write_text(
        path.read_text() + f"[profile local]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\n"
        f"endpoint_url = {url}\noutput = text\nmax_attempts = 2\nretry_mode = adaptive\n"
    )
    world.env["LOCAL_URL"] = url
    world.settle()
    return world


def _set(done: Done) -> dict[str, str]:
    names = ("AWS_ENDPOINT_URL", "AWS_DEFAULT_OUTPUT", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE")
    return {name: done.env[name] for name in names if name in done.env}


def test_a_command_gets_what_its_profile_sets_cold_and_replayed(local: World) -> None:
    """The same variables after a call and after a replayed hit; what the user has set stays."""
    expected = {
        "AWS_ENDPOINT_URL": local.env["LOCAL_URL"],
        "AWS_DEFAULT_OUTPUT": "text",
        "AWS_MAX_ATTEMPTS": "2",
        "AWS_RETRY_MODE": "adaptive",
    }

    cold = local.run("local", *PRINT_ENV)
    warm = local.run("local", *PRINT_ENV, prefix=IMPORTS_LISTED)
    own = local.run("local", *PRINT_ENV, env={"AWS_DEFAULT_OUTPUT": "yaml"})

    assert _set(cold) == expected, cold.err
    assert warm.replayed and _set(warm) == expected
    assert _set(own) == expected | {"AWS_DEFAULT_OUTPUT": "yaml"}


def test_a_nested_run_calls_its_own_endpoint(local: World, sts: StrictSts) -> None:
    """A target inside another one is resolved, called and run without what the outer one set."""
    url = local.env["LOCAL_URL"]

    nested = local.run("local", AWSUDO, "dev", *PRINT_ENV, env={"AWS_ENDPOINT_URL_STS": url})

    assert nested.code == 0, nested.err
    assert _set(nested) == {} and "AWSUDO_SETTINGS" not in nested.env
    # and with the endpoint from the outer target alone, none is left for the inner one: AWS's own is called
    refused = local.run("-v", "local", AWSUDO, "-v", "dev", "true", env={"HTTPS_PROXY": "http://127.0.0.1:9"})
    assert refused.code == 125 and "127.0.0.1:9" not in refused.out
    assert "STS: eu-west-1" in refused.err


def test_an_export_after_another_removes_the_variables_of_the_first(local: World) -> None:
    """eval "$(awsudo export local)", then another target: the shell does not keep the first one's endpoint."""
    line = (
        f'eval "$({AWSUDO} export local --format sh)"; eval "$({AWSUDO} export dev --format sh)"; '
        'echo "${AWS_ENDPOINT_URL-none} ${AWS_DEFAULT_OUTPUT-none} ${AWSUDO_TARGET-none}"; '
        f'eval "$({AWSUDO} export local --format sh)"; echo "${{AWS_ENDPOINT_URL-none}}"; '
        f'eval "$({AWSUDO} export --unset --format sh)"; echo "${{AWS_ENDPOINT_URL-none}} ${{AWSUDO_TARGET-none}}"'
    )
    url = local.env["LOCAL_URL"]

    done = local.run("-p", "base", "sh", "-c", line, env={"AWS_ENDPOINT_URL_STS": url})

    assert done.out.splitlines() == ["none none dev", url, "none none"], done.err


# -- empty variables


def test_an_empty_variable_counts_as_not_set(world: World, ready: Ready) -> None:
    """Each deciding variable, empty: the run is as without it, and the command has it as the user left it."""
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("region = eu-west-1\n", ""))
    names = (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CA_BUNDLE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_RETRY_MODE",
        "AWS_PAGER",
    )
    more = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_MAX_ATTEMPTS")
    ours = ("AWSUDO_DURATION", "AWSUDO_REGION", "AWSUDO_TAGS", "AWSUDO_MFA_SERIAL")
    env: dict[str, str | None] = dict.fromkeys((*names, *more, *ours), "")
    before = ready(env=env)

    done = world.run(*before, *PRINT_ENV, env=env)

    assert done.code == 0, done.err
    assert done.env["AWS_PAGER"] == "" and done.env["AWS_CA_BUNDLE"] == "" and done.env["AWS_REGION"] == ""


def test_an_empty_ca_bundle_does_not_turn_off_the_check_of_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """To botocore an empty AWS_CA_BUNDLE means that any certificate will do: it must not see one."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "")

    before = hide_from_sdk(os.environ)

    assert before["AWS_CA_BUNDLE"] == before["REQUESTS_CA_BUNDLE"] == ""
    assert not {"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"} & set(os.environ)


# -- endpoints of one's own


def test_an_endpoint_of_ones_own_needs_no_region(world: World) -> None:
    """An emulator is signed for as the global endpoint is: for us-east-1."""
    path = world.home / ".aws" / "config"
    path.write_text(path.read_text().replace("region = eu-west-1\n", ""))

    done = world.run("dev", *PRINT_ENV, env={"AWS_DEFAULT_REGION": None})

    assert done.code == 0, done.err
    assert "AWS_REGION" not in done.env


@pytest.mark.parametrize(
    ("allowed", "passes"), [("", False), ("other", False), ("LOCALSTACK", True), ("other,localstack", True)]
)
def test_plain_http_is_for_named_hosts_only(tmp_path: Path, allowed: str, passes: bool) -> None:
    """Beyond this machine, http is refused with the way to allow it; a host that the user names gets a notice."""
    environ = _machine(tmp_path, f"[profile it]\n{REACH['']}endpoint_url = http://localstack:4566\n")
    environ["AWSUDO_ALLOW_HTTP"] = allowed
    with mock.patch.dict(os.environ, environ, clear=True):
        resolver = Resolver(aws_config.load(environ, Files(0)), environ, lambda _: None)

    if passes:
        chain = resolver.chain(Request(profile="it"))
        assert chain.endpoint.url == "http://localstack:4566"
        assert any("in the clear" in notice and "localstack" in notice for notice in chain.call_notices)
    else:
        with pytest.raises(ConfigError, match="is plain http") as refused:
            resolver.chain(Request(profile="it"))
        assert "AWSUDO_ALLOW_HTTP=localstack" in "".join(refused.value.hints)
