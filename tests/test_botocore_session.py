"""What awsudo's botocore session leaves out changes no request: the same address, the same signature's scope."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from awsudo_py.aws import botocore_session
from awsudo_py.aws.botocore_session import GivenSession
from awsudo_py.resolve.aws_config import AwsConfig

_LOADER = botocore_session._LOADER
_REGIONS = [region for partition in _LOADER.load_data("partitions")["partitions"] for region in partition["regions"]]
_KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"}


class _Stop(Exception):
    """Instead of sending the request."""


def _request(session: Any, region: str, url: str | None = None, **settings: Any) -> tuple[str, ...]:
    """Where a client's request would go, and the scope of its signature; or the error."""
    found: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        scope = request.headers["Authorization"].decode().split("Signature")[0].split("/", 2)[2]
        found.extend((request.url, scope))
        raise _Stop

    try:
        client = session.create_client("sts", region, endpoint_url=url, config=Config(**settings), **_KEYS)
        client.meta.events.register("before-send", stop)
        client.get_caller_identity()
    except _Stop:
        return (client.meta.endpoint_url, client.meta.region_name, client.meta.partition, *found)
    except (BotoCoreError, ValueError) as error:
        return (type(error).__name__, str(error))
    raise AssertionError("it was sent")


def _both(**settings: str) -> tuple[GivenSession, Any]:
    """A session of awsudo, and botocore's own with the same settings and data."""
    own = botocore.session.Session()
    own.register_component("data_loader", _LOADER)
    for name, value in settings.items():
        own.set_config_variable(name, value)
    config = AwsConfig("", "", {"dev": settings}, {}, {}, {}, {})
    return GivenSession(config, "dev"), own


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")


@pytest.mark.parametrize("region", [*_REGIONS, "eu-west-99", "us-gov-west-9", "mars"])
def test_a_request_is_the_same_as_botocores_own(region: str) -> None:
    """In every region, and in those that botocore does not know yet."""
    ours, own = _both()

    assert _request(ours, region) == _request(own, region)


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"])
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9"])
@pytest.mark.parametrize(
    ("legacy", "variants"),
    [
        ("legacy", {}),
        ("regional", {"use_fips_endpoint": True}),
        ("regional", {"use_dualstack_endpoint": True}),
        ("legacy", {"use_fips_endpoint": True, "use_dualstack_endpoint": True}),
    ],
    ids=["global", "FIPS", "dual stack", "all"],
)
def test_each_kind_of_endpoint_is_the_same_as_botocores_own(
    region: str, url: str | None, legacy: str, variants: dict[str, bool]
) -> None:
    """The global endpoint, FIPS and dual stack, each with and without an address of one's own."""
    ours, own = _both(sts_regional_endpoints=legacy)

    assert _request(ours, region, url, **variants) == _request(own, region, url, **variants)


def test_a_call_in_a_region_reads_no_list_of_all_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list takes as long as a tenth of a run; where a variant needs it, it is read."""
    read: list[str] = []
    load = type(_LOADER).load_data

    def noted(loader: Any, name: str) -> Any:
        read.append(name)
        return load(loader, name)

    monkeypatch.setattr(type(_LOADER), "load_data", noted)

    _request(_both()[0], "eu-west-1")
    plain = read.count("endpoints")
    _request(_both()[0], "eu-west-1", use_fips_endpoint=True)

    assert (plain, read.count("endpoints")) == (0, 1)


def test_endpoints_of_the_users_own_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in ~/.aws/models replaces botocore's, as it does for every SDK call."""
    data = json.loads(Path(botocore.session.__file__).with_name("data").joinpath("endpoints.json").read_text())
    for partition in data["partitions"]:
        partition["services"]["sts"]["endpoints"]["eu-west-1"] = {"hostname": "sts.example.com"}
    (tmp_path / "endpoints.json").write_text(json.dumps(data))
    loader = botocore_session._SlimLoader(extra_search_paths=[str(tmp_path)])
    monkeypatch.setattr(botocore_session, "_LOADER", loader)

    ours, own = _both()
    own.register_component("data_loader", loader)

    assert _request(ours, "eu-west-1") == _request(own, "eu-west-1")
    assert "sts.example.com" in _request(ours, "eu-west-1")[0]
