"""The table of source kinds: each row is whole, and nothing else in the package tells kinds apart."""

from __future__ import annotations

import ast
import base64
import inspect
from pathlib import Path

import pytest

import awsudo_py
from awsudo_py.aws import fetchers
from awsudo_py.aws_credentials import Credentials
from awsudo_py.fingerprint import Files
from awsudo_py.model import Request, Source
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from awsudo_py.resolve.source_kinds import KINDS, SourceKind, gives_session, inputs_accepted, is_chaining, renew

PACKAGE = Path(awsudo_py.__file__).parent
ROLE = "arn:aws:iam::111111111111:role/dev"
KEYS, SESSION = Credentials("AKIA", "secret", None), Credentials("ASIA", "secret", "token")


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_each_kind_of_source_is_whole(name: str, kind: SourceKind) -> None:
    """A row names a function that gets its credentials, or the record holds them; its facts do not contradict."""
    source = Source(name, "my corp", "a file", credentials=None if kind.fetch else KEYS)

    assert callable(getattr(fetchers, kind.fetch)) if kind.fetch else kind.gives == "the token shows"
    assert kind.noun and renew(source)
    assert bool(kind.services) <= bool(kind.giver)
    assert kind.services or not kind.cached  # a cached session is of one server
    # an identity that only the call shows cannot be looked up before it
    assert not (kind.known_by_call and (kind.cached or kind.replayable))
    assert kind.gives != "the call shows" or kind.known_by_call
    assert "my corp" not in renew(source) or "'my corp'" in renew(source)


def test_each_function_that_gets_credentials_belongs_to_a_kind() -> None:
    """Nothing is left over: a kind that goes takes its function along."""
    functions = {
        name
        for name, function in inspect.getmembers(fetchers, inspect.isfunction)
        if list(inspect.signature(function).parameters) == ["aws", "source", "session_name"] and name != "fetch"
    }

    assert functions == {kind.fetch for kind in KINDS.values() if kind.fetch}


def test_each_kind_that_the_resolver_makes_has_a_row() -> None:
    """`Source("kind", …)` names a row, and each row is made somewhere."""
    made = set()
    for path in (PACKAGE / "resolve").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Source":
                made |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    looked_up = {"instance", "container"}  # by the word of credential_source

    assert made | looked_up == set(KINDS)


def test_no_other_room_distinguishes_kinds() -> None:
    """A module that compared `.kind`, or looked it up, would be one more place to change for a new kind."""
    looking = [
        f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare | ast.Subscript) and path.parent.name != "resolve"
        if "source.kind" in ast.unparse(node) or "what.kind" in ast.unparse(node)
        if ast.unparse(node) != "LOGINS[source.kind]"  # functions of another room, with a test of their own
    ]

    assert looking == []


@pytest.mark.parametrize(
    ("source", "session", "chaining"),
    [
        (Source("keys", credentials=KEYS), False, False),
        (Source("keys", credentials=SESSION), True, True),
        (Source("environment", credentials=KEYS), False, False),
        (Source("environment", credentials=SESSION), True, True),
        (Source("keyring"), False, False),
        (Source("sso"), True, True),
        (Source("account-access"), True, True),
        (Source("web-identity"), True, True),
        (Source("login"), True, True),
        (Source("process"), None, False),
        (Source("container"), True, False),
        (Source("instance"), True, False),
    ],
    ids=lambda value: value.kind if isinstance(value, Source) else "",
)
def test_what_a_source_gives_and_whether_a_role_from_it_is_chained(
    source: Source, session: bool | None, chaining: bool
) -> None:
    """Keys or a session, as the token or the kind shows; the role of a machine is not chaining to STS."""
    assert gives_session(source) is session
    assert is_chaining(source) is chaining
    takes_keys_inputs = ("duration", "mfa_serial")
    assert (inputs_accepted(source) == takes_keys_inputs) == (not session)


#: A profile `it` for each kind of source whose session a server gives.
OF_SERVERS = {
    "sso": "sso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 111111111111\n"
    "sso_role_name = Developer\n",
    "account-access": f"role_arn = {ROLE}\nsso_session = corp\n",
    "web-identity": f"role_arn = {ROLE}\nweb_identity_token_file = token\n",
    "login": "login_session = arn:aws:iam::111111111111:user/alice\n",
    "web-token-process": f"role_arn = {ROLE}\nweb_identity_token_process = cat token\n",
    "cognito": "cognito_identity_pool = eu-west-1:1234\n",
    **dict.fromkeys(("web-token", "saml"), f"role_arn = {ROLE}\n"),
}
_SAML = (
    '<Attribute Name="https://aws.amazon.com/SAML/Attributes/Role"><AttributeValue>'
    f"{ROLE},arn:aws:iam::111111111111:saml-provider/corp</AttributeValue></Attribute>"
)
#: Sections that the profiles above need.
SECTIONS = (
    "[sso-session corp]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\nawsudo_tenant_id = aa-1\n"
)
#: Requests for profile `it`, where the kind of source is not the profile's doing.
REQUESTS = {
    "web-token": Request(profile="it", web_identity_token="token"),  # noqa: S106 (an example)
    "saml": Request(profile="it", saml=base64.b64encode(_SAML.encode()).decode()),
}
#: Places for another server: the user's variables, the profile, a services section. @ stands for the service.
PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "AWS's own": ("", {}),
    "a variable": ("", {"AWS_ENDPOINT_URL": "https://a.example.com"}),
    "a variable of the service": ("", {"AWS_ENDPOINT_URL_@": "https://b.example.com"}),
    "the profile": ("endpoint_url = https://c.example.com\n", {}),
    "a services section": ("services = s\n[services s]\n@ =\n  endpoint_url = https://d.example.com\n", {}),
}


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.services])
def test_a_session_of_one_server_is_not_that_of_another(name: str, tmp_path: Path) -> None:
    """Each place that names a server gives a source of its own; so does the reach of STS's tokens."""
    service = KINDS[name].services[0]
    found = {}
    for place, (lines, env) in PLACES.items():
        config = f"[profile it]\n{OF_SERVERS[name]}{lines.replace('@', service)}"
        environ = {key.replace("@", service.upper()): value for key, value in env.items()}
        found[place] = identity(tmp_path, config, {**environ, "AWS_REGION": "eu-west-1"}, name)
    if service == "sts":
        config = f"[profile it]\n{OF_SERVERS[name]}"
        found["the global endpoint"] = identity(tmp_path, config, {}, name)
        legacy = {"AWS_REGION": "us-east-1", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"}
        assert identity(tmp_path, config, legacy, name) == found["the global endpoint"]

    assert len(set(found.values())) == len(found), found
    assert (
        identity(tmp_path, f"[profile it]\n{OF_SERVERS[name]}", {"AWS_REGION": "eu-west-1"}, name) == found["AWS's own"]
    )


def identity(home: Path, config: str, environ: dict[str, str], kind: str = "") -> tuple[tuple[str, str], ...]:
    """The identity of the source of profile `it`."""
    (home / "config").write_text(f"{SECTIONS}{config}")
    environ |= {"AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "none")}
    resolver = Resolver(aws_config.load(environ, Files(0)), environ, lambda _: "digest")
    return resolver.chain(REQUESTS.get(kind, Request(profile="it"))).source.identity
