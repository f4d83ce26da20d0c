"""Builds links to the AWS Management Console: hosts by partition, pages by service, and the Switch Role page.

Hosts: IAM user guide, "Enable custom identity broker access to the AWS console", and the endpoint pages of the China,
GovCloud and European Sovereign Cloud documentation. The isolated partitions follow the host names that botocore's
`signin` service has for them.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import urlencode

from awsudo_py.errors import InvalidInput, UsageError, did_you_mean
from awsudo_py.resolve import roles


class ConsoleHosts(NamedTuple):
    """The hosts of one partition's console. sign_in may hold {region}: that partition has one host a region."""

    sign_in: str
    console: str


HOSTS = {
    "aws": ConsoleHosts("signin.aws.amazon.com", "console.aws.amazon.com"),
    "aws-cn": ConsoleHosts("signin.amazonaws.cn", "console.amazonaws.cn"),
    "aws-us-gov": ConsoleHosts("signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
    "aws-eusc": ConsoleHosts("{region}.signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu"),
    "aws-iso": ConsoleHosts("signin.c2shome.ic.gov", "console.c2shome.ic.gov"),
    "aws-iso-b": ConsoleHosts("signin.sc2shome.sgov.gov", "console.sc2shome.sgov.gov"),
    "aws-iso-e": ConsoleHosts("signin.csphome.adc-e.uk", "console.csphome.adc-e.uk"),
    "aws-iso-f": ConsoleHosts("signin.csphome.hci.ic.gov", "console.csphome.hci.ic.gov"),
}
#: Services whose page in the console is not /SERVICE/home, and names that people use besides those of the API.
PAGES = {
    "acm": "acm/home",
    "apigateway": "apigateway/main/apis",
    "autoscaling": "ec2/home#AutoScalingGroups:",
    "billing": "costmanagement/home",
    "ce": "costmanagement/home#/cost-explorer",
    "cloudfront": "cloudfront/v4/home",
    "cloudtrail": "cloudtrailv2/home",
    "codebuild": "codesuite/codebuild/projects",
    "codecommit": "codesuite/codecommit/repositories",
    "codedeploy": "codesuite/codedeploy/applications",
    "codepipeline": "codesuite/codepipeline/pipelines",
    "cognito": "cognito/v2/idp/user-pools",
    "cognito-identity": "cognito/v2/identity/identity-pools",
    "cognito-idp": "cognito/v2/idp/user-pools",
    "cost": "costmanagement/home",
    "dynamodb": "dynamodbv2/home",
    "ecr": "ecr/private-registry/repositories",
    "ecs": "ecs/v2/clusters",
    "efs": "efs/home",
    "elb": "ec2/home#LoadBalancers:",
    "elbv2": "ec2/home#LoadBalancers:",
    "es": "aos/home",
    "events": "events/home",
    "kafka": "msk/home",
    "logs": "cloudwatch/home#logsV2:log-groups",
    "mq": "amazon-mq/home",
    "opensearch": "aos/home",
    "organizations": "organizations/v2/home",
    "resource-groups": "resource-groups/home",
    "route53": "route53/v2/hostedzones",
    "s3": "s3/buckets",
    "secretsmanager": "secretsmanager/listsecrets",
    "service-quotas": "servicequotas/home",
    "ses": "ses/home",
    "sesv2": "ses/home",
    "sns": "sns/v3/home",
    "sqs": "sqs/v3/home",
    "ssm": "systems-manager/home",
    "sso": "singlesignon/home",
    "sso-admin": "singlesignon/home",
    "stepfunctions": "states/home",
    "vpc": "vpcconsole/home",
    "wafv2": "wafv2/homev2",
    "xray": "cloudwatch/home#xray:service-map",
}
#: The colours that the Switch Role page offers, as it writes them.
COLORS = {"red": "F2B0A9", "orange": "FBBF93", "yellow": "FAD791", "green": "B7CA9D", "blue": "99BCE3"}


def federation_endpoint(partition: str, region: str | None) -> str:
    """The URL of a partition's federation endpoint, without a query."""
    host = HOSTS[partition].sign_in.format(region=region or roles.PARTITIONS[partition][1])
    return f"https://{host}/federation"


def destination(partition: str, region: str | None, *, service: str | None = None, path: str | None = None) -> str:
    """The page to open after signing in: that of a service, a path in the console, or its home.

    Raises UsageError for a service that neither the AWS SDK nor PAGES knows, and for a path with a host of its own.
    """
    page = "console/home"
    if path is not None:
        if re.match(r"[a-z][a-z0-9+.-]*:|/{2}|\\", path, re.IGNORECASE) or not path.isprintable() or " " in path:
            raise UsageError(
                f"--path is not a path in the console: {path}",
                hint="copy what follows the host name in the browser: --path '/ec2/home#Instances:'",
            )
        page = path.lstrip("/")
    elif service is not None:
        page = _page(service)
    console = HOSTS[partition].console
    host = f"{region}.{console}" if region and region != "aws-global" else console
    before, mark, fragment = page.partition("#")
    if region and region != "aws-global" and not re.search(r"[?&]region=", before):
        before += f"{'&' if '?' in before else '?'}region={region}"
    return f"https://{host}/{before}{mark}{fragment}"


def login_url(endpoint: str, page: str, sign_in_token: str) -> str:
    """The link that signs in and opens a page. It is as good as a session for 15 minutes, so nobody else may see it."""
    query = {"Action": "login", "Issuer": "awsudo", "Destination": page, "SigninToken": sign_in_token}
    return f"{endpoint}?{urlencode(query)}"


def switch_role_url(role_arn: str, *, name: str | None = None, color: str | None = None) -> str:
    """The link to the Switch Role page, filled in. It holds no credentials. Raises InvalidInput for a bad colour."""
    partition, account, role = role_parts(role_arn)
    query = {"account": account, "roleName": role}
    if name:
        query["displayName"] = name[:64]  # what the page takes
    if color:
        code = COLORS.get(color.lower(), color.lstrip("#").upper())
        if not re.fullmatch(r"[0-9A-F]{6}", code):
            raise InvalidInput(
                f"invalid color {color!r}", hint=f"use one of {', '.join(COLORS)}, or six hexadecimal digits"
            )
        query["color"] = code
    host = HOSTS[partition].sign_in.format(region=roles.PARTITIONS[partition][1])
    return f"https://{host}/switchrole?{urlencode(query)}"


def role_parts(role_arn: str) -> tuple[str, str, str]:
    """Partition, account and role name with its path, out of the ARN of a role."""
    _, partition, _, _, account, resource = role_arn.split(":", 5)
    return partition, account, resource.removeprefix("role/")


def services() -> list[str]:
    """The services that have a page: those of the AWS SDK, and the names in PAGES."""
    from importlib.util import find_spec

    found = find_spec("botocore")
    data = os.path.join(os.path.dirname(found.origin), "data") if found and found.origin else ""
    try:
        named = [entry.name for entry in os.scandir(data) if entry.is_dir()]
    except OSError:
        named = []
    return sorted({*PAGES, *named})


def _page(service: str) -> str:
    name = service.lower()
    if name in PAGES:
        return PAGES[name]
    known = services()
    if name not in known:
        raise UsageError(
            f"no service {service!r} in the console",
            hint=did_you_mean(name, known) or "open a page by its path: --path '/ec2/home#Instances:'",
        )
    return f"{name}/home"
