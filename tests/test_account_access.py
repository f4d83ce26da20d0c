"""Account access: the roles that a tenant of IAM Identity Center gives, with profiles and without them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from awsudo_py.aws.client import OLDEST_BOTOCORE
from awsudo_py.aws.sso_portal import Account, Page
from awsudo_py.errors import Rejected, Unreachable
from awsudo_py.model import SsoSession
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.signin.listing import Listings, listed
from awsudo_py.signin.profile_block import Role, plan
from awsudo_py.signin.rate import Rate
from tests import messages
from tests.screens import Screen
from tests.servers.account_access import AccountAccess
from tests.servers.serving import Answer, Call, Serving, as_json
from tests.servers.sso import Sso
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, IMPORTS_LISTED, KEY_ID, Done, World

PROJECT = Path(__file__).parents[1]
START_URL = "https://corp.awsapps.com/start"
TENANT = "aa-corp-1234"
SECTION = f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
FILE = f"# mine\n{SECTION}\n# about the next one\n[profile mine]\nregion = eu-west-1\n"
PROD, DEV = "111111111111", "222222222222"
ADMIN = f"arn:aws:iam::{PROD}:role/Admin"
READ = f"arn:aws:iam::{DEV}:role/team/Read"


class Corp(NamedTuple):
    """A machine that is signed in to Identity Center, and the tenant of that."""

    world: World
    sso: Sso
    access: AccountAccess

    def import_(self, *words: str) -> Done:
        """Write the profiles of the tenant."""
        return self.world.run("import", "--sso", "corp", "--tenant", TENANT, "--yes", *words)

    @property
    def text(self) -> str:
        """The configuration file."""
        return (self.world.home / ".aws/config").read_text()

    @property
    def fetched(self) -> int:
        """How many sessions were fetched."""
        return self.access.count("/access/credentials")


@pytest.fixture
def corp(tmp_path: Path, sts: StrictSts) -> Iterator[Corp]:
    """Three roles in two accounts, on pages of two; the strict STS knows their sessions."""
    with Sso() as sso, AccountAccess(sso, on_credentials=lambda *given: sts.add_session("Admin", *given)) as access:
        access.page_size = 2
        access.allow(PROD, "Admin", "Prod")
        access.allow(DEV, "team/Read", "Dev")
        access.allow(PROD, "Audit", "Prod")
        world = World(tmp_path, sts_url=sts.url)
        world.env |= sso.environ | access.environ
        world.config(FILE)
        sso.write_cached_token(world.home, start_url=START_URL, session_name="corp")
        world.settle()
        yield Corp(world, sso, access)


def test_every_role_of_a_tenant_becomes_a_profile(corp: Corp) -> None:
    """The session's section gets the tenant's ID, below it are the roles by their ARNs, and the rest of the file stays.

    ListRoles gives the roles of all accounts: no call goes to the portal.
    """
    done = corp.import_()

    head = FILE.replace("sso_region = eu-west-1\n", f"sso_region = eu-west-1\nawsudo_tenant_id = {TENANT}\n")
    profiles = [("Dev-team-Read", READ), ("Prod-Admin", ADMIN), ("Prod-Audit", f"arn:aws:iam::{PROD}:role/Audit")]
    sections = [f"[profile {name}]\nsso_session = corp\nrole_arn = {arn}\n" for name, arn in profiles]
    assert done.code == 0 and "3 profiles of corp" in done.err, done.err
    assert corp.text == "\n".join([f"{head}\n# awsudo: corp\n", *sections]) + "# awsudo: corp end\n"
    assert (corp.access.count("/access"), corp.sso.calls) == (2, [])


def test_an_import_is_repeated_without_the_option_and_follows_the_tenant(corp: Corp) -> None:
    """The tenant is in the file now: nothing changes, until the tenant does; another ID replaces the one there."""
    corp.import_("--role", "Read", "--role", "Admin")
    first = corp.text

    again = corp.world.run("import", "--sso", "corp", "--role", "Read", "--role", "Admin")
    corp.access.forbid(READ)
    corp.access.allow("333333333333", "Ops")  # an account whose name the service does not know
    followed = corp.world.run("import", "--sso", "corp", "--yes")
    corp.access.tenant = "aa-other"
    moved = corp.world.run("import", "--sso", "corp", "--tenant", "aa-other", "--yes")

    assert again.code == 0 and "is up to date: 2 profiles of corp" in again.err
    assert "[profile Dev-team-Read]" in first and "Prod-Audit" not in first
    assert followed.code == 0 and "+[profile 333333333333-Ops]" in followed.err and "-[profile Dev-team" in followed.err
    assert moved.code == 0 and corp.text.count("awsudo_tenant_id") == 1 and "awsudo_tenant_id = aa-other\n" in corp.text


def test_a_start_url_brings_its_session_and_tenant_along(corp: Corp) -> None:
    """A session that is in our block has the tenant's ID there, and keeps it."""
    corp.world.config("")
    words = ("import", "--sso", START_URL, "--region", "eu-west-1", "--tenant", TENANT, "--yes")

    first = corp.world.run(*words)
    again = corp.world.run("import", "--sso", "corp", "--yes")

    assert (
        first.code == 0 and f"sso_registration_scopes = sso:account:access\nawsudo_tenant_id = {TENANT}\n" in corp.text
    )
    assert again.code == 0 and "up to date" in again.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[sso-session corp]\na = b", "[sso-session corp]\na = b\nawsudo_tenant_id = aa-1\n"),
        ("[sso-session corp]\n\n# x\n[a]\n", "[sso-session corp]\nawsudo_tenant_id = aa-1\n\n# x\n[a]\n"),
        ("[sso-session corp]\na=b\n  c\n\n\n", "[sso-session corp]\na=b\n  c\nawsudo_tenant_id = aa-1\n\n\n"),
        ("[sso-session corp]\r\na = b\r\n", "[sso-session corp]\r\na = b\r\nawsudo_tenant_id = aa-1\r\n"),
        (
            "[sso-session corp]\nawsudo_tenant_id=aa-2 \nz = y\n",
            "[sso-session corp]\nawsudo_tenant_id = aa-1\nz = y\n",
        ),
        (
            "[sso-session corpx]\na = b\n[sso-session 'corp']\na = b\n",
            "[sso-session corpx]\na = b\n[sso-session 'corp']\na = b\nawsudo_tenant_id = aa-1\n",
        ),
    ],
)
def test_the_tenant_is_added_to_the_section_as_it_is_written(tmp_path: Path, before: str, after: str) -> None:
    """One line more, or another value on the line that there is; every other byte stays."""
    path = tmp_path / "config"
    path.write_bytes(before.encode())
    session = SsoSession("corp", START_URL, "eu-west-1", tenant="aa-1")

    change = plan(str(path), session, {"x": Role(PROD, "Prod", "Admin")}).change

    written = (change.after or b"").decode()
    assert written.startswith(after) and "role_arn = " + ADMIN in written[len(after) :]


def test_other_sdks_refuse_such_a_profile(corp: Corp) -> None:
    """They do not know account access: an error, and not the credentials of the machine."""
    corp.import_()
    code = (
        "import botocore.session as s\n"
        "try: print(s.Session(profile='Prod-Admin').get_credentials())\n"
        "except Exception as error: print(type(error).__name__)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(corp.world.environ()), capture_output=True, text=True, check=True
    )

    assert done.stdout == "PartialCredentialsError\n"


# -- runs --------------------------------------------------------------------------------------------------------------


def test_a_profile_runs_with_a_session_of_its_role(corp: Corp) -> None:
    """One call for the session; the next run replays it. STS knows the session, and the command the role."""
    corp.import_()
    corp.world.settle()

    first = corp.world.run("Prod-Admin", *KEY_ID)
    second = corp.world.run("Prod-Admin", *KEY_ID, prefix=IMPORTS_LISTED)
    who = corp.world.run("whoami", "Prod-Admin", "--json")

    assert first.key_id and second.replayed and second.key_id == first.key_id and corp.fetched == 1
    assert json.loads(who.out)["arn"] == f"arn:aws:sts::{PROD}:assumed-role/Admin/alice"
    assert corp.world.run("Prod-Admin", "printenv", "AWSUDO_ROLE_ARN").out == f"{ADMIN}\n"
    call = next(call for call in corp.access.calls if call.path == "/access/credentials")
    assert call.query == {"tenantId": TENANT, "roleArn": ADMIN, "accessType": "PROGRAMMATIC_ACCESS"}
    assert re.fullmatch(r"Bearer \S+", call.headers["Authorization"])


def test_duration_and_session_name_are_sent(corp: Corp) -> None:
    """From options, or from the profile; each is a session of its own. Other inputs are refused."""
    corp.import_()
    longer = corp.text.replace(ADMIN, f"{ADMIN}\nduration_seconds = 5400\nrole_session_name = alice")
    corp.world.config(longer)

    by_profile = corp.world.run("Prod-Admin", *KEY_ID)
    by_option = corp.world.run("-d", "30m", "-n", "me", "Prod-Admin", *KEY_ID)
    tagged = corp.world.run("--tag", "a=b", "Prod-Admin", "true")
    endless = corp.world.run("-d", "1h", "--min-ttl", "2h", "Prod-Admin", "true")
    by_default = corp.world.run("--min-ttl", "2h", "corp/222222222222/team/Read", "true")  # the service has the default
    corp.world.config(longer.replace("role_session_name = alice", "external_id = abcd"))
    in_profile = corp.world.run("Prod-Admin", "true")

    sent = [call.query for call in corp.access.calls if call.query.get("roleArn") == ADMIN]
    assert [(query["sessionDuration"], query["sessionName"]) for query in sent] == [("5400", "alice"), ("1800", "me")]
    assert by_profile.key_id != by_option.key_id
    assert tagged.code == 2 and "takes no tags" in tagged.err
    assert endless.code == 2 and "no session would ever be fresh enough" in endless.err
    assert by_default.code == 0, by_default.err
    assert in_profile.code == 125 and "external_id of profile Prod-Admin" in in_profile.err
    assert "remove it from the profile" in in_profile.err


def test_a_session_belongs_to_a_tenant_and_a_sign_in(corp: Corp) -> None:
    """The same role of another tenant, or for somebody else who signs in, is another session."""
    corp.import_()
    first = corp.world.run("Prod-Admin", *KEY_ID)

    corp.access.tenant = "aa-other"
    corp.world.config(corp.text.replace(TENANT, "aa-other"))
    other = corp.world.run("Prod-Admin", *KEY_ID)
    corp.sso.write_cached_token(corp.world.home, start_url=START_URL, session_name="corp")
    later = corp.world.run("Prod-Admin", *KEY_ID)

    assert len({first.key_id, other.key_id, later.key_id}) == 3 and corp.fetched == 3


def test_a_role_can_be_assumed_from_it_and_it_can_be_narrowed(corp: Corp, sts: StrictSts) -> None:
    """As a source_profile it is role chaining; a policy goes to GetScopedCredentials."""
    corp.import_()
    sts.add_role(f"arn:aws:iam::{PROD}:role/deploy")
    corp.world.config(
        f"{corp.text}[profile deploy]\nrole_arn = arn:aws:iam::{PROD}:role/deploy\nsource_profile = Prod-Admin\n"
        "duration_seconds = 7200\n"
    )

    assumed = corp.world.run("deploy", *KEY_ID)
    narrowed = corp.world.run("--only", "s3:GetObject", "--region", "eu-west-1", "Prod-Admin", *KEY_ID)

    assert assumed.key_id and "it lasts 1h instead of 7200 s" in assumed.err
    assert narrowed.key_id and sts.count("GetScopedCredentials") == 1 and corp.fetched == 1
    assert "deleted 2 sessions of Prod-Admin\n" in corp.world.run("clear", "Prod-Admin").err  # not that of deploy


def test_any_role_of_a_tenant_runs_without_a_profile(corp: Corp) -> None:
    """SESSION/ACCOUNT/ROLE by the ID at once, by the name when it was listed; the role with its path."""
    corp.world.config(FILE.replace(SECTION, f"{SECTION}awsudo_tenant_id = {TENANT}\n"))
    by_id = corp.world.run(f"corp/{DEV}/team/Read", "printenv", "AWSUDO_ROLE_ARN")
    unlisted = corp.world.run("corp/Dev/team/Read", "true")
    corp.world.run("import", "--sso", "corp", "--diff")
    by_name = corp.world.run("corp/Dev/team/Read", "printenv", "AWSUDO_ROLE_ARN")

    assert (by_id.out, by_name.out, corp.fetched) == (f"{READ}\n", f"{READ}\n", 1), by_id.err
    assert unlisted.code == 125 and "no account named 'Dev' was listed for corp" in unlisted.err


def test_tab_and_the_picker_have_the_roles_of_a_tenant(corp: Corp) -> None:
    """What the tenant last listed, but for the roles that have a profile; the profile is one to sign in for."""
    corp.import_("--role", "Admin")

    def tab(*typed: str) -> list[str]:
        return [line.split("\t")[0] for line in corp.world.run("_complete", "fish", "awsudo", *typed).out.splitlines()]

    assert "corp/Dev/team/Read" in tab("corp/D") and f"corp/{DEV}/team/Read" in tab("corp/2")
    assert {"corp", "Prod-Admin"} <= set(tab("login", ""))
    environ = corp.world.environ()
    with Screen([AWSUDO, "--", "printenv", "AWSUDO_ROLE_ARN"], environ, cwd=str(corp.world.home)) as screen:
        displayed = screen.until("corp/Dev/team/Read")
        screen.type("team").until(lambda text: "Prod-Admin" not in text)
        screen.type("\r").until(f"^{READ}")
    assert "Prod-Admin" in displayed and "corp/Prod/Admin" not in displayed


def test_one_role_in_all_accounts_of_a_tenant(corp: Corp) -> None:
    """awsudo each --sso lists by ListRoles, and again when the session gets a tenant."""
    corp.sso.allow(PROD, "Other", "Prod")
    first = corp.world.run("each", "--sso", "corp", "--role", "Ops", "--dry-run")
    corp.world.config(FILE.replace(SECTION, f"{SECTION}awsudo_tenant_id = {TENANT}\n"))
    for account in ("333333333333", "444444444444"):
        corp.access.allow(account, "Ops", f"account {account[0]}")

    done = corp.world.run("each", "--sso", "corp", "--role", "Ops", "--", "printenv", "AWSUDO_ROLE_ARN")

    assert first.code == 125 and "it lists: Other" in first.err
    assert done.code == 0 and sorted(done.out.splitlines()) == [
        f"corp/{account}/Ops: arn:aws:iam::{account}:role/Ops" for account in ("333333333333", "444444444444")
    ]
    assert corp.fetched == 2


def test_a_role_of_a_tenant_has_the_rails_of_the_profile_that_means_it(corp: Corp) -> None:
    """By its profile, as SESSION/ACCOUNT/ROLE, and among those of --sso: no name gets around them."""
    corp.import_()
    corp.world.config(corp.text.replace(ADMIN, f"{ADMIN}\nawsudo_deny = true"))
    target = f"corp/{PROD}/Admin"

    lines = (("Prod-Admin",), (target,), ("-p", target), ("each", "--sso", "corp", "--role", "Admin", "--"))
    runs = [corp.world.run(*words, "true") for words in lines]

    assert [done.code for done in runs] == [125] * 4 and corp.fetched == 0
    assert all("profile Prod-Admin does not allow this command: true" in done.err for done in runs)


def test_the_source_is_explained(corp: Corp) -> None:
    """explain, -v and list show the role, the tenant and their places; doctor its sign-in."""
    corp.import_()
    line = next(number for number, text in enumerate(corp.text.splitlines(), 1) if text == f"role_arn = {ADMIN}")

    explained = corp.world.run("explain", "-d", "30m", "Prod-Admin")
    verbose = corp.world.run("-v", f"corp/{PROD}/Admin", "true")
    found = {each["target"]: each for each in json.loads(corp.world.run("list", "--json").out)}
    doctor = corp.world.run("doctor", "Prod-Admin")

    displayed = [re.split(r"  +", text.strip()) for text in explained.out.splitlines()]
    assert ["1", "account access credentials of profile Prod-Admin", PROD, f"~/.aws/config:{line}"] in displayed
    assert ["tenant id", TENANT, "[sso-session corp] in ~/.aws/config"] in displayed
    assert ["role arn", ADMIN, f"~/.aws/config:{line}"] in displayed and ["duration", "30m", "--duration"] in displayed
    assert f"starts from account access credentials (tenant id {TENANT}, role arn {ADMIN})" in verbose.err
    assert "from account access, " in verbose.err
    assert (found["Prod-Admin"]["role_arn"], found["Prod-Admin"]["account"]) == (ADMIN, PROD)
    assert "✓ sign-in     corp: expires in" in doctor.out


# -- the sign-in -------------------------------------------------------------------------------------------------------


def test_a_token_that_was_revoked_is_renewed_once(corp: Corp) -> None:
    """Refused by the service, the token is renewed, and the call made again; else the hint is to sign in."""
    corp.import_()
    path = corp.sso.write_cached_token(corp.world.home, start_url=START_URL, session_name="corp", refreshable=True)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"accessToken": "revoked"}))

    renewed = corp.world.run("Prod-Admin", *KEY_ID)
    corp.sso.revoke_tokens()
    ended = corp.world.run("--refresh", "Prod-Admin", "true")
    listing = corp.world.run("import", "--sso", "corp", "--yes")

    assert renewed.key_id and (corp.sso.count("/token"), corp.fetched) == (2, 3)
    for done in (ended, listing):
        assert done.code == 125 and "awsudo login corp" in done.err and "has ended" in done.err


def test_logout_forgets_the_sessions_that_came_from_the_sign_in(corp: Corp) -> None:
    """Those of account access too; after it there is no session without signing in."""
    corp.import_()
    assert corp.world.run("Prod-Admin", *KEY_ID).key_id

    out = corp.world.run("logout", "corp")
    after = corp.world.run("Prod-Admin", "true")

    assert "signed out of corp; 1 cached session removed" in out.err and corp.world.entries() == []
    assert after.code == 125 and "awsudo login corp" in after.err and corp.fetched == 1


def test_the_session_of_a_profile_is_the_one_to_sign_in_to(corp: Corp) -> None:
    """awsudo login PROFILE and AWS_PROFILE find the session behind a role of account access."""
    corp.import_()
    corp.world.config(
        f"{corp.text}[sso-session other]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
    )

    by_name = corp.world.run("login", "Prod-Admin")
    by_variable = corp.world.run("logout", env={"AWS_PROFILE": "Prod-Admin"})

    assert by_name.code == 125 and messages.NEEDS_A_TERMINAL in by_name.err
    assert "signed out of corp" in by_variable.err


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_refusals_have_a_way_on(corp: Corp) -> None:
    """A role that one is not entitled to, a duration that is too long, a tenant that there is not; one call each."""
    corp.import_()
    role = corp.world.run(f"corp/{DEV}/Admin", "true")
    duration = corp.world.run("-d", "3h", "Prod-Admin", "true")
    corp.access.tenant = "aa-gone"
    tenant = corp.world.run("import", "--sso", "corp", "--yes")

    assert corp.fetched == 2
    assert f"cannot get a session of arn:aws:iam::{DEV}:role/Admin: this SSO user may not use that role" in role.err
    assert "see which: awsudo import --sso corp --diff" in role.err and "You are not entitled" in role.err
    assert duration.code == 125 and "sessionDuration exceeds the maximum session duration of the role" in duration.err
    assert "where it is set: awsudo explain Prod-Admin\n" in duration.err
    assert tenant.code == 125 and f"the roles of the tenant {TENANT} of corp" in tenant.err
    assert "The tenant does not exist" in tenant.err


@pytest.mark.parametrize(
    ("section", "words", "code", "text"),
    [
        (SECTION, ("p", "true"), 125, "[sso-session corp] no awsudo_tenant_id"),
        (SECTION, ("p", "true"), 125, "awsudo import --sso corp --tenant aa-…"),
        (f"{SECTION}awsudo_tenant_id = corp\n", ("p", "true"), 125, "awsudo_tenant_id of [sso-session corp]"),
        (f"{SECTION}awsudo_tenant_id = {'aa-' + 'x' * 22}\n", ("p", "true"), 125, "account access takes 3 to 24"),
        ("", ("p", "true"), 125, "names [sso-session corp], which"),
        (SECTION, ("import", "--sso", "corp", "--tenant", "AA-1"), 2, "--tenant: 'AA-1' has characters"),
        (SECTION, ("import", "--sso", "corp", "--tenant", "corp"), 2, "--tenant: 'corp' is not a tenant ID"),
        (SECTION, ("import", "--from", "granted", "--tenant", "aa-1"), 2, "--tenant is for --sso SESSION"),
        (SECTION, ("import", "--from", "aws-vault", "--account", "x", "--yes"), 2, "--account is for --sso SESSION"),
        (SECTION, ("import", "--from", "granted", "--name", "x"), 2, "--name is for --sso SESSION"),
    ],
)
def test_a_tenant_that_is_missing_or_wrong_is_reported(
    corp: Corp, section: str, words: tuple[str, ...], code: int, text: str
) -> None:
    """The file, the key and the next command; no call is made."""
    corp.world.config(f"[profile p]\nsso_session = corp\nrole_arn = {ADMIN}\n{section}")

    done = corp.world.run(*words)

    assert done.code == code and text in done.err, done.err
    assert corp.access.calls == []


def test_the_token_crosses_no_network_in_the_clear(corp: Corp) -> None:
    """A plain http endpoint that is not on this machine gets no call, for a run and for a listing."""
    corp.import_()
    away: dict[str, str | None] = {"AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": "http://access.example.com"}

    for words in (("Prod-Admin", "true"), ("import", "--sso", "corp")):
        done = corp.world.run(*words, env=away)
        assert done.code == 125 and "AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME is plain http" in done.err


class Repeating(Serving):
    """A service that repeats in its error what it was sent."""

    def answer(self, call: Call) -> Answer:
        """The token, in the message."""
        return as_json({"message": f"no {call.headers['Authorization']}"}, 400, {"x-amzn-ErrorType": "Other"})


def test_the_token_is_never_displayed(corp: Corp) -> None:
    """Not even where the service repeats it."""
    corp.import_()
    token = json.loads(next((corp.world.home / ".aws/sso/cache").iterdir()).read_text())["accessToken"]

    with Repeating() as server:
        env: dict[str, str | None] = {"AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": server.url}
        runs = [
            corp.world.run(*words, env=env) for words in (("-v", "Prod-Admin", "true"), ("import", "--sso", "corp"))
        ]

    for done in runs:
        assert done.code == 125 and "[removed: it was sent]" in done.err and token not in done.err + done.out


def test_a_botocore_without_the_service_is_named(corp: Corp, tmp_path: Path) -> None:
    """One line with the version that has it; botocore's data here are those of a build without it."""
    corp.import_()
    (tmp_path / "sitecustomize.py").write_text(
        "import botocore.loaders as loaders\n"
        "whole = loaders.Loader.list_api_versions\n"
        "def cut(self, service, type_name):\n"
        "    if service == 'account-access-runtime':\n"
        "        raise loaders.DataNotFoundError(data_path=service)\n"
        "    return whole(self, service, type_name)\n"
        "loaders.Loader.list_api_versions = cut\n"
    )

    done = corp.world.run("Prod-Admin", "true", env={"PYTHONPATH": str(tmp_path)}, prefix=("env",))

    assert done.code == 125 and "does not have the service account-access-runtime" in done.err, done.err
    assert f"install {OLDEST_BOTOCORE} or a later version: " in done.err
    assert f"'botocore>={OLDEST_BOTOCORE}'" in done.err
    required = re.findall(
        r"[\"[]botocore(?:\[crt\])?>=([\d.]+)", (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert set(required) == {OLDEST_BOTOCORE}


# -- the listing -------------------------------------------------------------------------------------------------------


def test_a_tenant_that_throttles_is_listed_slower(corp: Corp) -> None:
    """Refused for its rate, a page is called for again: no role is missing, and nothing signs in."""
    # its clock goes on with each call, however fast this machine is: by 0.8 of an answer
    with AccountAccess(corp.sso, TENANT, rate=2, clock=partial(next, count(0.0, 0.4))) as slow:
        slow.page_size = 1
        for number in range(10):
            slow.allow(f"{number:012}", "Ops", f"account {number}")
        corp.world.env |= slow.environ

        done = corp.import_("--diff")

    assert done.code == 0 and done.out.count("+[profile account-") == 10, done.err
    assert 0 < slow.throttled < 4 and corp.sso.calls == []


class Pages:
    """A lister of ten accounts with a role on each page, which fails on one page; calls has the tokens it was given."""

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at
        self.calls: list[str] = []
        self.refused: set[str] = set()

    def accounts(self, following: str = "") -> Page:
        """Page 0 to 9."""
        self.calls.append(following)
        number = int(following or 0)
        if following in self.refused:
            self.refused.remove(following)
            error = Rejected("invalid token")
            error.code = "ValidationException"
            raise error
        if number == self.fails_at:
            raise Unreachable("gone")
        return Page(
            (Account(f"{number:012}", "", roles=("A",)), Account("9" * 12, "nine", roles=(f"R{number}",))),
            str(number + 1) if number < 9 else "",
        )

    def roles(self, account_id: str, following: str = "") -> Page:
        """Never needed."""
        raise AssertionError(account_id)


def _listed(pages: Pages, listings: Listings, tenant: str = TENANT) -> dict[str, tuple[str, ...] | None]:
    session = SsoSession("corp", START_URL, "eu-west-1", tenant=tenant)
    rate = Rate(None, clock=lambda: 0.0, sleep=lambda _: None)
    found = listed(session, lambda: pages, listings=listings, rate=rate, clock=lambda: 0.0)
    assert found.complete and not found.following
    return {each.account_id: each.roles for each in found.accounts}


@pytest.mark.parametrize("page_is_valid", [True, False])
def test_a_listing_that_breaks_off_goes_on_at_its_page(tmp_path: Path, page_is_valid: bool) -> None:
    """With the token of the next page; where that is not accepted any more, from the start."""
    listings, pages = Listings(FileStore(str(tmp_path))), Pages(fails_at=7)
    with pytest.raises(Unreachable):
        _listed(pages, listings)
    partial = listings.read("corp")
    pages.fails_at = -1
    pages.calls.clear()
    pages.refused = set() if page_is_valid else {"7"}

    found = _listed(pages, listings)

    assert partial is not None and (partial.following, partial.complete, len(partial.accounts)) == ("7", False, 8)
    assert pages.calls == (["7", "8", "9"] if page_is_valid else ["7", "", *map(str, range(1, 10))])
    assert len(found) == 11 and found["9" * 12] == tuple(f"R{number}" for number in range(10))
    assert listings.read("corp") is not None


class Fixed(Serving):
    """A service with one answer."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self._body = body

    def answer(self, call: Call) -> Answer:
        """The answer, whatever the call is."""
        return as_json(self._body)


def test_a_role_that_awsudo_would_write_in_another_way_is_not_listed(corp: Corp) -> None:
    """By the partition, account and name of the ARN: no profile means another role than the service gave."""
    for arn in (
        f"arn:aws-cn:iam::{PROD}:role/Admin",
        f"arn:aws:iam::{PROD}:role/a]b",
        f"arn:aws:iam::{PROD}:user/Admin",
        f"arn:aws:iam::{DEV}:role/Admin",
        f"'{ADMIN}'",
    ):
        response = {"roles": [{"accountId": PROD, "accountName": "Prod", "roleArn": arn}]}
        with Fixed(response) as server:
            done = corp.world.run(
                *("import", "--sso", "corp", "--tenant", TENANT, "--yes"),
                env={"AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": server.url},
            )

        assert done.code == 125 and messages.NOT_FROM_AWS in done.err, arn
    assert corp.text == FILE


def test_an_account_keeps_its_name_where_one_of_its_roles_comes_without(corp: Corp) -> None:
    """The service may have no name yet beside a role: the one beside another role of the account counts."""
    corp.access.allow(PROD, "Ops")

    done = corp.import_()

    assert done.code == 0 and "[profile Prod-Ops]" in corp.text and "[profile Prod-Admin]" in corp.text


def test_a_name_of_an_account_is_that_of_the_present_tenant(corp: Corp) -> None:
    """What another tenant listed, or the portal, names no account: it may be another account's name here."""
    corp.import_()
    corp.world.config(corp.text.replace(TENANT, "aa-other"))

    other = corp.world.run("corp/Prod/Admin", "true")
    corp.world.config(corp.text.replace("aa-other", TENANT))
    same = corp.world.run("corp/Prod/Admin", "true")

    assert other.code == 125 and "no account named 'Prod' was listed for corp" in other.err
    assert same.code == 0, same.err


def test_a_listing_of_another_tenant_is_not_continued(tmp_path: Path) -> None:
    """What was listed for one tenant, or for the portal, is of no use for another."""
    listings, pages = Listings(FileStore(str(tmp_path))), Pages(fails_at=7)
    with pytest.raises(Unreachable):
        _listed(pages, listings)
    pages.fails_at = -1
    pages.calls.clear()

    _listed(pages, listings, tenant="aa-other")

    assert len(pages.calls) == 10 and os.listdir(tmp_path)
