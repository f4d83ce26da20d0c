"""ARNs of the principals and roles that policies are about."""

from __future__ import annotations

from typing import NamedTuple

from awsudo_py.errors import PolicyError

#: The maximum length of a request's value; nothing in an STS request is longer than an ARN (2,048 characters).
LONGEST = 4096


class Arn(NamedTuple):
    """An ARN in its six parts."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parsed(text: str) -> Arn | None:
    """The ARN in its parts, or None if the text is not an ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not all((parts[1], parts[2], parts[5])):
        return None
    return Arn(*parts[1:])


class Role(NamedTuple):
    """A role, by its ARN."""

    arn: str
    partition: str
    account: str
    path: str  # "/", or "/a/b/"
    name: str


def role_of(text: str) -> Role | None:
    """The role that an ARN names, or None if it names something else."""
    arn = parsed(text)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/") or not is_account(arn.account):
        return None
    path, _, name = arn.resource.removeprefix("role").rpartition("/")
    return Role(text, arn.partition, arn.account, f"{path}/", name) if name else None


class Caller(NamedTuple):
    """The caller of AssumeRole."""

    arn: str  # as GetCallerIdentity returns it; of a role whose session is not known, the role's
    kind: str  # user, session, federated-user or root
    partition: str
    account: str
    name: str  # of the user, or of the role whose session calls; empty for root
    session: str | None = None  # the session's name, if it is a session and its name is known
    role_arn: str | None = None  # of the session's role, path included, if it is known

    @property
    def temporary(self) -> bool:
        """Whether the caller is a session of a role or of a federated user."""
        return self.kind in ("session", "federated-user")

    @property
    def role_prefix(self) -> str:
        """The prefix of the ARN of the session's role; a path may follow, and the name."""
        path = "aws-reserved/sso.amazonaws.com/" if self.name.startswith("AWSReservedSSO_") else ""
        return f"arn:{self.partition}:iam::{self.account}:role/{path}"

    @property
    def principal_arns(self) -> tuple[str, ...]:
        """The values of aws:PrincipalArn; several if the path of the role is unknown and depends on the region."""
        if self.kind != "session":
            return (self.arn,)
        if self.role_arn is not None:
            return (self.role_arn,)
        without_region = f"{self.role_prefix}{self.name}"
        if self.name.startswith("AWSReservedSSO_"):
            # with a region between, except where IAM Identity Center is in us-east-1
            return (without_region, f"{self.role_prefix}eu-west-1/{self.name}")
        return (without_region,)

    @property
    def owner(self) -> str:
        """The ARN of what a policy is attached to: of the user, or of the role whose session calls."""
        return self.principal_arns[0]


def caller_of(text: str, role_arn: str | None = None) -> Caller:
    """The caller that an ARN names; role_arn is its role with the path, if it is a session and that is known."""
    arn = parsed(text) if len(text) <= LONGEST else None
    if arn is None or not is_account(arn.account):
        raise PolicyError(f"{text[:200]!r} is not the ARN of a user, role or session")
    kind, _, rest = arn.resource.partition("/")
    last = rest.rpartition("/")[2]
    if arn.service == "iam" and arn.resource == "root":
        return Caller(text, "root", arn.partition, arn.account, "")
    if arn.service == "iam" and kind == "user" and last:
        return Caller(text, "user", arn.partition, arn.account, last)
    if arn.service == "iam" and kind == "role" and last:
        return Caller(text, "session", arn.partition, arn.account, last, None, text)
    if arn.service == "sts" and kind == "federated-user" and rest:
        return Caller(text, "federated-user", arn.partition, arn.account, rest)
    name, slash, session = rest.partition("/")
    if arn.service == "sts" and kind == "assumed-role" and name and slash and session:
        known = role_of(role_arn) if role_arn else None
        same = known is not None and (known.account, known.name) == (arn.account, name)
        return Caller(text, "session", arn.partition, arn.account, name, session, role_arn if same else None)
    raise PolicyError(f"{text[:200]!r} is not the ARN of a user, role or session")


def is_account(text: str) -> bool:
    """Whether the text is an account ID."""
    return len(text) == 12 and text.isascii() and text.isdigit()
