"""Links to the console: every partition's hosts, pages of services, and the Switch Role page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from awsudo_py.errors import AwsudoError, InvalidInput
from awsudo_py.resolve import roles
from awsudo_py.resolve.console_links import (
    HOSTS,
    destination,
    federation_endpoint,
    login_url,
    switch_role_url,
)
from tests import messages

#: Partition, Region → the federation endpoint, and the console's home.
PARTITIONS = (
    ("aws", "eu-west-1", "signin.aws.amazon.com", "eu-west-1.console.aws.amazon.com"),
    ("aws", None, "signin.aws.amazon.com", "console.aws.amazon.com"),
    ("aws-cn", "cn-north-1", "signin.amazonaws.cn", "cn-north-1.console.amazonaws.cn"),
    ("aws-us-gov", "us-gov-west-1", "signin.amazonaws-us-gov.com", "us-gov-west-1.console.amazonaws-us-gov.com"),
    (
        *("aws-eusc", "eusc-de-east-1"),
        *("eusc-de-east-1.signin.amazonaws-eusc.eu", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ),
    ("aws-iso", "us-iso-east-1", "signin.c2shome.ic.gov", "us-iso-east-1.console.c2shome.ic.gov"),
    ("aws-iso-b", "us-isob-east-1", "signin.sc2shome.sgov.gov", "us-isob-east-1.console.sc2shome.sgov.gov"),
    ("aws-iso-e", "eu-isoe-west-1", "signin.csphome.adc-e.uk", "eu-isoe-west-1.console.csphome.adc-e.uk"),
    ("aws-iso-f", "us-isof-south-1", "signin.csphome.hci.ic.gov", "us-isof-south-1.console.csphome.hci.ic.gov"),
)
#: --service or --path, Region → the page.
PAGES = (
    ({"service": "ec2"}, "eu-west-1", "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1"),
    ({"service": "S3"}, "eu-west-1", "https://eu-west-1.console.aws.amazon.com/s3/buckets?region=eu-west-1"),
    ({"service": "s3"}, None, "https://console.aws.amazon.com/s3/buckets"),
    (
        {"service": "logs"},
        "eu-west-1",
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups",
    ),
    (
        {"path": "/ec2/home?x=1#Instances:"},
        "us-east-1",
        "https://us-east-1.console.aws.amazon.com/ec2/home?x=1&region=us-east-1#Instances:",
    ),
    (
        {"path": "ec2/home?region=us-west-2"},
        "eu-west-1",
        "https://eu-west-1.console.aws.amazon.com/ec2/home?region=us-west-2",
    ),
)


@pytest.mark.parametrize(("partition", "region", "sign_in", "console"), PARTITIONS)
def test_each_partition_has_its_own_hosts(partition: str, region: str | None, sign_in: str, console: str) -> None:
    """A session of one partition signs in at that partition, and opens its console."""
    assert federation_endpoint(partition, region) == f"https://{sign_in}/federation"
    assert urlsplit(destination(partition, region)).netloc == console


def test_every_partition_of_roles_has_a_console() -> None:
    """A role ARN that awsudo accepts has a console to open."""
    assert set(HOSTS) == set(roles.PARTITIONS) == {partition for partition, *_ in PARTITIONS}


@pytest.mark.parametrize(("given", "region", "page"), PAGES)
def test_a_page_is_that_of_a_service_or_a_path(given: dict[str, str], region: str | None, page: str) -> None:
    """A service opens its own page, and a path is kept, both in the target's Region."""
    assert destination("aws", region, **given) == page


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"service": "dynamo"}, "dynamodb"),
        ({"service": "lamda"}, "did you mean lambda"),
        ({"service": "../../evil"}, "--path"),
        ({"path": "https://example.com/"}, messages.PATH_ONLY),
        ({"path": "//example.com/"}, messages.PATH_ONLY),
        ({"path": "/ec2/home\n"}, messages.PATH_ONLY),
    ],
)
def test_a_page_that_cannot_be_meant_is_refused(given: dict[str, str], hint: str) -> None:
    """An unknown service suggests the nearest one, and no path leads to another host."""
    with pytest.raises(AwsudoError) as refused:
        destination("aws", "eu-west-1", **given)

    assert hint in " ".join(refused.value.hints)


def test_the_login_link_carries_page_and_token() -> None:
    """The link is the federation endpoint's login action, with each part encoded."""
    link = login_url("https://signin.aws.amazon.com/federation", "https://x/y?a=b&c#d", "to+ken/=")

    assert dict(parse_qsl(urlsplit(link).query)) == {
        "Action": "login",
        "Issuer": "awsudo",
        "Destination": "https://x/y?a=b&c#d",
        "SigninToken": "to+ken/=",
    }


@pytest.mark.parametrize(
    ("arn", "more", "host", "query"),
    [
        (
            "arn:aws:iam::123456789012:role/team/ops",
            {"name": "prod ops", "color": "red"},
            "signin.aws.amazon.com",
            {"account": "123456789012", "roleName": "team/ops", "displayName": "prod ops", "color": "F2B0A9"},
        ),
        (
            "arn:aws-us-gov:iam::123456789012:role/ops",
            {"color": "#99bce3"},
            "signin.amazonaws-us-gov.com",
            {"account": "123456789012", "roleName": "ops", "color": "99BCE3"},
        ),
    ],
)
def test_the_switch_role_link_is_filled_in(arn: str, more: dict[str, str], host: str, query: dict[str, str]) -> None:
    """It names account, role with its path, display name and colour, at the partition's host."""
    parts = urlsplit(switch_role_url(arn, **more))

    assert (parts.netloc, parts.path, dict(parse_qsl(parts.query))) == (host, "/switchrole", query)


def test_a_color_that_the_page_does_not_have_is_refused() -> None:
    """A typing error makes no link."""
    with pytest.raises(InvalidInput, match="invalid color 'crimsn'"):
        switch_role_url("arn:aws:iam::123456789012:role/ops", color="crimsn")
