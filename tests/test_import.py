"""`awsudo import --sso`: a profile for every account and role of a portal, in the AWS configuration file."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from awsudo_py.aws.sso_portal import Account, Page
from awsudo_py.errors import AwsudoError, InvalidInput, Rejected, Throttled
from awsudo_py.model import SsoSession
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.signin.listing import Listing, Listings, listed
from awsudo_py.signin.profile_block import Role, named, plan
from awsudo_py.signin.rate import Rate
from awsudo_py.signin.start_urls import region_of_host, resolved
from tests import messages
from tests.conftest import needs
from tests.screens import Screen
from tests.servers.sso import Sso
from tests.world import AWSUDO, KEY_ID, World

START_URL = "https://corp.awsapps.com/start"
SESSION = SsoSession("corp", START_URL, "eu-west-1")
SECTION = f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
#: A file as people have them: comments, other tools' sections, no newline at its end.
FILE = (
    "# mine, keep it\n[default]\nregion = eu-west-1  \n\n; another comment\n[profile Prod-Admin]\n"
    "role_arn = arn:aws:iam::1:role/x\n# inside\nsource_profile = default\n\n[preview]\ncloudfront = true\n"
    f"[plugins]\nx=y\n{SECTION}\n   # the end"
)


MARK, END = "# awsudo: corp\n", "# awsudo: corp end\n"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[World, Sso]]:
    """A machine that is signed in to a portal with three accounts."""
    with Sso() as sso:
        for account, name in (("1" * 12, "Prod"), ("2" * 12, "Dev / Test"), ("3" * 12, "Prod")):
            for role in ("Admin", "Read"):
                sso.allow(account, role, name)
        world = World(tmp_path)
        world.env |= sso.environ
        world.config(FILE)
        sso.write_cached_token(world.home, start_url=START_URL, session_name="corp")
        yield world, sso


def test_every_account_and_role_becomes_a_profile(portal: tuple[World, Sso]) -> None:
    """Between two marks; the rest of the file stays byte for byte; the profiles work."""
    world, _ = portal
    config = world.home / ".aws/config"

    done = world.run("import", "--sso", "corp", "--yes")

    text = config.read_text()
    assert done.code == 0 and done.out == "", done.err
    assert text.startswith(FILE + "\n\n# awsudo: corp\n") and text.endswith("# awsudo: corp end\n")
    assert re.findall(r"^\[profile (\S+)\]$", text[len(FILE) :], re.MULTILINE) == [
        "Dev-Test-Admin",
        "Dev-Test-Read",
        *(f"Prod-{role}-{account * 12}" for role in ("Admin", "Read") for account in "13"),
    ]
    assert "several roles would have the same name: Prod-Admin, Prod-Read" in done.err
    assert "awsudo: 6 profiles of corp in " in done.err
    assert world.run("Dev-Test-Read", *KEY_ID).key_id
    known = subprocess.run(
        [sys.executable, "-c", "import botocore.session as s; print(*s.Session().available_profiles)"],
        env=world.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(known.stdout.split()) == 8


def test_doing_it_again_changes_nothing_and_follows_the_portal(portal: tuple[World, Sso]) -> None:
    """Idempotent; then what is new comes, what is gone goes, and the difference says so."""
    world, sso = portal
    config = world.home / ".aws/config"
    world.run("import", "--sso", "corp", "--yes")
    before = config.read_bytes()

    again = world.run("import", "--sso", "corp")
    sso.forbid("2" * 12, "Read")
    sso.allow("4" * 12, "Read", "New")
    refused = world.run("import", "--sso", "corp")
    difference = world.run("import", "--sso", "corp", "--diff")
    unchanged = config.read_bytes()
    followed = world.run("import", "--sso", "corp", "--yes")

    assert again.code == 0 and "is up to date: 6 profiles of corp" in again.err
    assert refused.code == 125 and messages.PASS_YES in refused.err
    assert (difference.code, unchanged) == (0, before)
    assert "\n-[profile Dev-Test-Read]\n" in difference.out and "\n+[profile New-Read]\n" in difference.out
    assert followed.code == 0
    after = config.read_text()
    assert "[profile New-Read]" in after and "[profile Dev-Test-Read]" not in after and after.startswith(FILE)


def test_the_question_counts_and_a_no_writes_nothing(portal: tuple[World, Sso]) -> None:
    """On a terminal: a progress bar, the difference, then how many profiles are new, gone and unchanged."""
    world, sso = portal
    config = world.home / ".aws/config"
    world.run("import", "--sso", "corp", "--yes")
    before = config.read_bytes()
    sso.forbid("2" * 12, "Read")
    sso.allow("4" * 12, "Read", "New")
    with Screen([AWSUDO, "import", "--sso", "corp"], world.env, cwd=str(world.home), size=(60, 120)) as screen:
        displayed = screen.until(re.escape("Write 6 profiles (1 new, 1 gone, 5 unchanged)? [y/N]"))
        screen.type("n\r").until("nothing was written")
        assert screen.end() == 130

    assert "Reading accounts" in screen.raw and "4/4" in screen.raw and "+[profile New-Read]" in displayed
    assert config.read_bytes() == before


def test_filters_names_and_regions(portal: tuple[World, Sso]) -> None:
    """Accounts by name or ID, roles by name, a template for names, and a region for each profile."""
    world, sso = portal
    done = world.run(
        *("import", "--sso", "corp", "--yes", "--account", "Dev*", "--account", "1" * 12, "--role", "Read"),
        *("--name", "{session}.{account_id}.{role}", "--default-region", "eu-central-1"),
    )

    text = (world.home / ".aws/config").read_text()
    assert done.code == 0, done.err
    assert re.findall(r"^\[profile (corp\S+)\]$", text, re.MULTILINE) == [
        f"corp.{'1' * 12}.Read",
        f"corp.{'2' * 12}.Read",
    ]
    assert text.count("region = eu-central-1\n") == 2
    listed = {call.query["account_id"] for call in sso.calls if call.path == "/assignment/roles"}
    assert listed == {"2" * 12, "1" * 12}


def test_a_start_url_brings_its_session_along(portal: tuple[World, Sso]) -> None:
    """A portal that the file does not know: the section is written too, and stays when the import is repeated."""
    world, sso = portal
    world.config("# nothing yet\n")
    sso.write_cached_token(world.home, start_url="https://acme.awsapps.com/start", session_name="acme")
    url = ("import", "--sso", "https://acme.awsapps.com/start", "--yes")

    missing = world.run(*url)
    first = world.run(*url, "--region", "eu-west-1")
    text = (world.home / ".aws/config").read_text()
    again = world.run("import", "--sso", "acme", "--yes")

    assert missing.code == 2 and "--region eu-west-1" in missing.err
    assert first.code == 0 and "[sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\n" in text
    assert again.code == 0 and "up to date" in again.err and (world.home / ".aws/config").read_text() == text


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        ((), 2, messages.IMPORT_FORMS),
        (("--sso", "corp", "--from", "granted"), 2, messages.IMPORT_FORMS),
        (("--sso", "crop"), 125, "did you mean corp?"),
        (("--sso", "corp", "--name", "{account.name}"), 125, messages.NOT_A_NAME_TEMPLATE),
        (("--sso", "corp", "--name", "{role"), 125, messages.NOT_A_NAME_TEMPLATE),
        (("--sso", "corp", "--default-region", "EU"), 2, "--default-region"),
    ],
)
def test_profiles_that_cannot_be_imported_are_reported(
    portal: tuple[World, Sso], words: tuple[str, ...], code: int, output: str
) -> None:
    """One line, and nothing is written."""
    world, _ = portal
    done = world.run("import", *words, "--yes")

    assert done.code == code and output in done.err, done.err
    assert (world.home / ".aws/config").read_text() == FILE


def test_a_session_that_has_ended_is_named(portal: tuple[World, Sso]) -> None:
    """Without a terminal there is no sign-in; nothing is written."""
    world, sso = portal
    sso.revoke_tokens()
    done = world.run("import", "--sso", "corp", "--yes")

    assert done.code == 125 and "awsudo login corp" in done.err and "has ended" in done.err


# -- the block in the file ---------------------------------------------------------------------------------------------


def _plan(path: Path, *names: str, overwrite: bool = False) -> str:
    """The file after an import of roles of these names."""
    roles = {name: Role("1" * 12, name, "Admin") for name in names}
    change = plan(str(path), SESSION, roles, overwrite=overwrite).change
    return (change.after or b"").decode()


def test_a_profile_of_ones_own_stays_unless_it_is_to_be_overwritten(tmp_path: Path) -> None:
    """Kept: ours is left out. Overwritten: its settings go, the comments between them stay."""
    path = tmp_path / "config"
    path.write_text(FILE)
    roles = {name: Role("1" * 12, name, "Admin") for name in ("Prod-Admin", "x")}

    keeps = plan(str(path), SESSION, roles)
    overwrites = plan(str(path), SESSION, roles, overwrite=True)

    assert (keeps.existing, keeps.new) == (("Prod-Admin",), ("x",))
    assert overwrites.overwritten == ("Prod-Admin",) and set(overwrites.new) == {"Prod-Admin", "x"}
    after = (overwrites.change.after or b"").decode()
    assert after.count("[profile Prod-Admin]") == 1 and "# inside" in after and "role/x" not in after


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment", FILE, FILE.replace("\n", "\r\n"), "[profile a]\nregion = x\n", "\n\n[default]\n\n\n"],
)
def test_what_is_not_ours_stays_byte_for_byte(tmp_path: Path, text: str) -> None:
    """Whatever the file has: after an import, another, and an import of nothing it is there unchanged."""
    path = tmp_path / "config"
    path.write_bytes(text.encode())
    for names in (("one", "two"), ("two", "three"), ()):
        after = _plan(path, *names)
        path.write_bytes(after.encode())
        for line in text.splitlines(keepends=True):
            assert line in after

    assert path.read_bytes().decode().startswith(text) and path.read_bytes().decode().strip() == text.strip()


def test_what_follows_the_block_stays_behind_it(tmp_path: Path) -> None:
    """One can go on writing below the block."""
    path = tmp_path / "config"
    path.write_text(_plan(path, "one") + "[profile mine]\nregion = x\n")

    after = _plan(path, "two")

    assert after.endswith("# awsudo: corp end\n[profile mine]\nregion = x\n") and "[profile one]" not in after


@pytest.mark.parametrize(
    "text",
    [MARK, END + MARK, MARK + MARK + END],
)
def test_marks_that_do_not_match_are_refused(tmp_path: Path, text: str) -> None:
    """The rest between the marks cannot be known; nothing is guessed."""
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(AwsudoError, match="must each appear once"):
        _plan(path, "one")


def test_a_file_that_the_sdks_cannot_read_is_not_written(tmp_path: Path) -> None:
    """A broken file is not made ours by mending a part of it."""
    path = tmp_path / "config"
    path.write_text("[profile a]\n[profile a]\n")

    with pytest.raises(AwsudoError, match="could not read the file"):
        _plan(path, "one")


def test_names_are_clean_and_unique() -> None:
    """What a shell would trip over becomes a dash; names that several roles would have get the account's ID."""
    roles = [Role("1" * 12, "A $(x) ü", "R/1"), Role("2" * 12, "A x", "Read"), Role("3" * 12, "A\tx", "Read")]

    by_name, collisions = named(roles, SESSION, "{account_name}-{role}")

    assert set(by_name) == {"A-x-R-1", f"A-x-Read-{'2' * 12}", f"A-x-Read-{'3' * 12}"} and collisions == ("A-x-Read",)
    with pytest.raises(InvalidInput):
        named(roles, SESSION, "{account_name.__class__}")


@needs("strace")
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_an_import_that_is_killed_while_it_writes_leaves_the_old_file_or_the_new(
    portal: tuple[World, Sso], call: str
) -> None:
    """kill -9 at each write of the run."""
    world, _ = portal
    config = world.home / ".aws/config"
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e")
    seen = set()
    for number in range(1, 5):
        prefix = (*strace, f"inject={call}:signal=KILL:when={number}")
        done = world.run("import", "--sso", "corp", "--yes", prefix=prefix)
        text = config.read_text()
        seen.add(done.code)
        assert text == FILE or text.endswith("# awsudo: corp end\n")
        config.write_text(FILE)

    assert len(seen) == 2  # some were killed, the last was not


# -- thousands of accounts ---------------------------------------------------------------------------------------------


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Throttling:
    """A portal behind the plug: 20 calls a second, or TooManyRequests."""

    def __init__(self, accounts: int, clock: Clock, *, rate: float = 20, fails_at: int = 0) -> None:
        self.accounts_there = [Account(f"{number:012}", f"Account {number}") for number in range(accounts)]
        self.clock, self.rate, self.fails_at = clock, rate, fails_at
        self.tokens, self.filled = rate, clock()
        self.calls = self.throttled = 0
        self.listed: list[str] = []

    def _count(self) -> None:
        self.tokens = min(self.rate, self.tokens + (self.clock() - self.filled) * self.rate)
        self.filled = self.clock()
        self.calls += 1
        if self.fails_at and self.calls > self.fails_at:
            raise Rejected("the SSO session has ended")
        if self.tokens < 1:
            self.throttled += 1
            raise Throttled(messages.THROTTLED)
        self.tokens -= 1

    def accounts(self, following: str = "") -> Page:
        self._count()
        start = int(following or 0)
        more = start + 100 < len(self.accounts_there)
        return Page(tuple(self.accounts_there[start : start + 100]), str(start + 100) if more else "")

    def roles(self, account_id: str, following: str = "") -> Page:
        self._count()
        self.listed.append(account_id)
        return Page(("Read", "Admin"), "")


def _listed(portal: Throttling, listings: Listings, clock: Clock, most: float = 15.0) -> int:
    rate = Rate(None, clock=clock, sleep=clock.sleep, most=most)
    found = listed(SESSION, lambda: portal, listings=listings, rate=rate, clock=clock)
    assert found.complete and {each.roles for each in found.accounts} == {("Admin", "Read")}
    return len(found.accounts)


def test_two_thousand_accounts_are_listed_without_a_refusal(tmp_path: Path) -> None:
    """At 15 calls a second: 2,020 calls take 135 s, and the portal never says no."""
    clock = Clock()
    portal = Throttling(2000, clock)
    begun = clock()

    assert _listed(portal, Listings(FileStore(str(tmp_path / "state"))), clock) == 2000
    assert (portal.throttled, portal.calls) == (0, 2020)
    assert 130 < clock() - begun < 140


def test_a_refusal_halves_the_rate_and_the_listing_goes_on(tmp_path: Path) -> None:
    """A portal that takes 6 calls a second only: few refusals, all accounts."""
    clock = Clock()
    portal = Throttling(300, clock, rate=6)

    assert _listed(portal, Listings(None), clock) == 300
    assert 0 < portal.throttled < 40


def test_a_listing_that_breaks_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The session ends after 150 calls: the next run asks for the roles of the other accounts only."""
    clock = Clock()
    listings = Listings(FileStore(str(tmp_path / "state")))
    portal = Throttling(300, clock, fails_at=150)
    with pytest.raises(Rejected):
        _listed(portal, listings, clock)
    partial = listings.read("corp")

    portal.fails_at, first = 0, list(portal.listed)
    portal.listed.clear()
    _listed(portal, listings, clock)

    assert partial is not None and not partial.complete and len(first) > 100
    assert len(portal.listed) < 200 and len({*first, *portal.listed}) == 300


def test_a_portal_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """Refused without end: the error says so, and that the same command goes on."""
    clock = Clock()
    portal = Throttling(3, clock)
    portal.rate = portal.tokens = 0

    with pytest.raises(AwsudoError, match="too many requests"):
        _listed(portal, Listings(None), clock)


PACED = """
import sys, time
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.signin.rate import Rate
rate = Rate(FileStore(sys.argv[1]), clock=time.time, sleep=time.sleep, most=100.0)
for _ in range(20):
    rate.take()
"""


def test_processes_share_one_rate(tmp_path: Path) -> None:
    """Three processes with twenty calls each: sixty calls at a hundred a second take 0.6 s, not 0.2."""
    begun = time.monotonic()
    runs = [subprocess.Popen([sys.executable, "-c", PACED, str(tmp_path / "cache")]) for _ in range(3)]

    assert [run.wait(30) for run in runs] == [0, 0, 0]
    assert time.monotonic() - begun > 0.55


def test_listings_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    """Names with tabs, accounts without roles, accounts whose roles are not known."""
    listings = Listings(FileStore(str(tmp_path)))
    named = Account("1" * 12, "a\tb", "", ())
    accounts = (named, Account("2" * 12, "", "x@y", None), Account("3" * 12, "ü", "", ("R",)))

    listings.write("corp", Listing(accounts, 5.0, True))

    assert listings.read("corp") == Listing((named._replace(name="a b"), *accounts[1:]), 5.0, True)
    assert listings.read("other") is None


# -- SESSION/ACCOUNT/ROLE ----------------------------------------------------------------------------------------------


def test_any_role_of_a_portal_runs_without_a_profile(portal: tuple[World, Sso]) -> None:
    """By the account's ID at once; by its name once the portal was listed; as a source for a role too."""
    world, sso = portal
    by_id = world.run("corp/222222222222/Read", "printenv", "AWSUDO_TARGET")
    unlisted = world.run("corp/Dev / Test/Read", "true")
    world.run("import", "--sso", "corp", "--diff")
    by_name = world.run("corp/Dev / Test/Read", *KEY_ID)
    several = world.run("corp/Prod/Read", "true")
    calls = len(sso.calls)

    assert by_id.out == "corp/222222222222/Read\n", by_id.err
    assert unlisted.code == 125 and "no account named 'Dev / Test' was listed for corp" in unlisted.err
    assert by_name.key_id
    assert several.code == 125 and "several accounts of corp are named Prod: 111111111111, 333333333333" in several.err
    assert world.run("corp/222222222222/Read", *KEY_ID).out == by_name.out and len(sso.calls) == calls  # one session


def test_tab_and_the_list_have_what_the_portal_last_listed(portal: tuple[World, Sso]) -> None:
    """TAB once the session is typed, by name or by ID; the list of targets at once."""
    world, sso = portal
    sso.allow("5" * 12, "Ops", "tools")
    world.run("import", "--sso", "corp", "--diff")

    def tab(typed: str) -> list[str]:
        lines = world.run("_complete", "fish", "awsudo", typed).out.splitlines()
        return [line.split("\t")[0] for line in lines if "corp" in line]

    assert "corp/tools/Ops" in tab("corp/to") and "corp/tools/Ops" in tab("cor")
    assert "corp/555555555555/Ops" in tab("corp/5")
    assert not any("tools" in line for line in tab(""))
    with Screen([AWSUDO, "--", "printenv", "AWSUDO_TARGET"], world.env, cwd=str(world.home), size=(40, 140)) as screen:
        screen.until("corp/tools/Ops")
        screen.type("tools").until(lambda text: "default" not in text)
        screen.type("\r").until("^corp/tools/Ops$")


# -- other tools -------------------------------------------------------------------------------------------------------

GRANTED = (
    "# before\n[profile prod/Admin]\n# a comment\ngranted_sso_start_url = https://acme.awsapps.com/start\n"
    "granted_sso_region = eu-west-1\ngranted_sso_account_id = 222222222222\ngranted_sso_role_name = Admin\n"
    "common_fate_generated_from = aws-sso\ncredential_process = granted credential-process --profile prod/Admin\n"
    "region = us-east-1\n\n[profile half]\ngranted_sso_start_url = https://acme.awsapps.com/start\n"
    "[profile mine]\nregion = x\n"
)
AWS_SSO = (
    "# BEGIN_AWS_SSO_CLI\n[profile 222222222222:Admin]\n"
    'credential_process = /usr/local/bin/aws-sso -u open -S "Default" process --arn '
    "arn:aws:iam::222222222222:role/Admin\n[profile other]\n"
    "credential_process = aws-sso -S Gone process --arn arn:aws:iam::222222222222:role/Read\n# END_AWS_SSO_CLI\n"
)
AWS_SSO_YAML = (
    "# made by setup\nSSOConfig:\n    Default:\n        SSORegion: eu-west-1\n"
    "        StartUrl: https://acme.awsapps.com/start  # the portal\n        Accounts:\n            2222:\n"
    "                StartUrl: no\nDefaultSSO: Default\nUrlAction: open\n"
)


@pytest.mark.parametrize(
    ("tool", "config", "profile", "left"),
    [
        ("granted", GRANTED, "prod/Admin", "profile half is not changed: it has no granted_sso_region"),
        (
            "aws-sso",
            AWS_SSO,
            "222222222222:Admin",
            "profile other is not changed: aws-sso-cli's configuration has no portal",
        ),
    ],
)
def test_profiles_of_other_tools_become_those_of_a_session(
    portal: tuple[World, Sso], tool: str, config: str, profile: str, left: str
) -> None:
    """Their lines change and no other; what cannot be converted is named; the profile works, in the SDKs too."""
    world, sso = portal
    path = world.config(config)
    (world.home / ".aws-sso").mkdir()
    (world.home / ".aws-sso/config.yaml").write_text(AWS_SSO_YAML)
    sso.write_cached_token(world.home, start_url="https://acme.awsapps.com/start", session_name="acme")

    done = world.run("import", "--from", tool, "--yes")

    text = path.read_text()
    assert done.code == 0 and left in done.err, done.err
    assert f"converted 1 profile of {tool}; added [sso-session acme]" in done.err
    settings = "sso_session = acme\nsso_account_id = 222222222222\nsso_role_name = Admin\n"
    assert f"[profile {profile}]\n{settings}" in text
    stored = [line for line in config.splitlines(keepends=True) if "sso" not in line and "granted" not in line]
    assert all(line in text for line in stored)
    assert world.run(profile, *KEY_ID).key_id
    assert world.run("import", "--from", tool, "--yes").code == 125  # nothing is left to convert


def test_tools_of_which_nothing_can_be_read_have_a_way_on(portal: tuple[World, Sso]) -> None:
    """Leapp encrypts its files; aws-vault's profiles need no import, and its keys have a line that stores them."""
    world, _ = portal
    world.config("[profile base]\nregion = x\n[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n")

    leapp, vault = (world.run("import", "--from", tool) for tool in ("leapp", "aws-vault"))

    assert leapp.code == 125 and "encrypts its workspace" in leapp.err and "awsudo import --sso" in leapp.err
    assert vault.code == 0 and "aws-vault exec --no-session base -- awsudo keys add base --from-env" in vault.err


# -- start URLs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("ssoins-1.portal.eu-west-1.app.aws", "eu-west-1"),
        ("ssoins-1.us-gov-west-1.portal.amazonaws.com", "us-gov-west-1"),
        ("ssoins-1.cn-north-1.portal.amazonaws.com.cn", "cn-north-1"),
        ("corp.awsapps.com", None),
        ("evil.example", None),
    ],
)
def test_a_portals_host_may_have_its_region(host: str, region: str | None) -> None:
    """Each form that AWS has."""
    assert region_of_host(host) == region


def _head(status: int, location: str) -> Callable[[str], tuple[int, str]]:
    return lambda url: (status, location)


def test_a_start_url_of_ones_own_leads_to_a_portal_of_aws_or_nowhere() -> None:
    """One redirect, over https, to a host of AWS's; nothing is asked about a host that is AWS's already."""
    portal = "https://ssoins-1.portal.eu-west-1.app.aws/start/"

    def never(url: str) -> tuple[int, str]:
        raise AssertionError(url)

    assert resolved(START_URL, never) == (START_URL, None)
    assert resolved("https://sso.corp.example", _head(302, portal)) == (portal.rstrip("/"), "eu-west-1")
    for url, status, location in (
        ("https://sso.corp.example", 200, ""),
        ("https://sso.corp.example", 302, "https://evil.example/app.aws"),
        ("https://sso.corp.example", 302, "http://corp.awsapps.com/start"),
        ("https://sso.corp.example", 302, "https://notawsapps.com/start"),
        ("http://sso.corp.example", 302, portal),
    ):
        with pytest.raises(AwsudoError):
            resolved(url, _head(status, location))
