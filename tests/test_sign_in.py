"""Signing in to IAM Identity Center: the browser, the device code, and the files that the AWS CLI shares with us."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from awsudo_py.aws.client import Aws
from awsudo_py.aws.sso_oidc import Oidc
from awsudo_py.errors import AwsudoError
from awsudo_py.model import SsoSession
from awsudo_py.resolve.aws_config import AwsConfig
from awsudo_py.resolve.sso_sessions import chain_of_session
from awsudo_py.signin import browser, flows
from awsudo_py.signin.callback import Callback
from awsudo_py.signin.token_files import Registration, SsoToken, TokenFiles
from tests import messages
from tests.conftest import needs
from tests.screens import Screen
from tests.servers.sso import DEVICE_CODE, Sso, token_path
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, KEY_ID, World, open_files, until

START_URL = "https://corp.awsapps.com/start"
ACCOUNT = "222222222222"
CONFIG = (
    f"[profile corp-admin]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Admin\n"
    f"[profile corp-read]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Read\n"
    f"[profile old]\nsso_start_url = https://old.awsapps.com/start\nsso_region = eu-west-1\n"
    f"sso_account_id = {ACCOUNT}\nsso_role_name = Read\n"
    f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
)
SESSION = SsoSession("corp", START_URL, "eu-west-1")
#: SHA-1 of `corp`; of the start URL; of {"region": "eu-west-1", "scopes": null, "session_name": "corp", "startUrl": …,
#: "tool": "botocore"}; and of the same with "scopes": ["sso:account:access"] (sha1sum; AWS CLI 2, botocore/utils.py).
NAMES_BY_THE_AWS_CLI = (
    "ee0bfd2552fbd840c02cc48b6e823320543c450f",
    "a51746d4aa793ae07b25e90c3a5db96fc7832bd7",
    "a5ef4a75f83137c047e4ff336d1dade82162017b",
    "787ef34d0a944c01385765faa28b5e67d1c08f33",
)


STRACE = ("strace", "-f", "-qq", "-o", "/dev/null")


class Corp(NamedTuple):
    """A machine whose AWS configuration has a portal, and a browser that only notes what it is to open."""

    world: World
    sso: Sso
    opened_file: Path

    @property
    def opened(self) -> list[str]:
        """The pages that were opened."""
        return self.opened_file.read_text().splitlines() if self.opened_file.exists() else []

    @property
    def token(self) -> dict[str, str]:
        """The token file of the session."""
        found: dict[str, str] = json.loads(token_path(self.world.home, "corp").read_text())
        return found

    def browser(self, *, follows: bool) -> None:
        """Put a browser on the machine: it notes the page, and goes where the page sends it if it follows."""
        script = self.world.root / "browser"
        follow = 'exec curl -sL --max-time 20 "$1" >/dev/null' if follows else ""
        script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{self.opened_file}'\n{follow}\n")
        script.chmod(0o755)
        self.world.env["BROWSER"] = str(script)

    def screen(self, *words: str) -> Screen:
        """These words for awsudo, typed at a terminal."""
        return Screen([AWSUDO, *words], self.world.env, cwd=str(self.world.home), size=(30, 200))

    def page(self) -> str:
        """The page that is opened, once it is."""
        until(lambda: bool(self.opened))
        return self.opened[0]


@pytest.fixture
def corp(tmp_path: Path) -> Iterator[Corp]:
    """A machine with a portal, nobody signed in."""
    with Sso() as sso:
        for role in ("Admin", "Read"):
            sso.allow(ACCOUNT, role, "prod-data")
        world = World(tmp_path)
        world.env |= sso.environ
        world.config(CONFIG)
        made = Corp(world, sso, tmp_path / "opened")
        made.browser(follows=False)
        yield made


def visit(url: str) -> str:
    """What a browser displays in the end that opens this page."""
    with urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


# -- the browser flow --------------------------------------------------------------------------------------------------


def test_login_in_a_browser_leaves_the_files_of_the_aws_cli(corp: Corp) -> None:
    """The page is announced, then opened; the token and the registration have the AWS CLI's names, fields and mode."""
    with corp.screen("login", "--browser", "corp-admin") as screen:
        displayed = screen.until("If no browser opens")
        page = corp.page()
        result = visit(page)
        screen.until("signed in to corp until ")
        assert screen.end() == 0

    assert f'Opening {START_URL} (session "corp", region eu-west-1, for Admin in account {ACCOUNT}).' in displayed
    assert "Signed in" in result
    query = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    assert query["scopes"] == "sso:account:access" and query["code_challenge_method"] == "S256"
    directory = corp.world.home / ".aws/sso/cache"
    files = {path.name: json.loads(path.read_text()) for path in directory.iterdir()}
    token = files.pop(token_path(corp.world.home, "corp").name)
    (registration,) = files.values()
    assert set(token) == {
        *("startUrl", "region", "accessToken", "expiresAt"),
        *("clientId", "clientSecret", "registrationExpiresAt", "refreshToken"),
    }
    assert set(registration) == {"clientId", "clientSecret", "expiresAt", "scopes", "grantTypes"}
    assert token["expiresAt"].endswith("Z") and (token["startUrl"], token["region"]) == (START_URL, "eu-west-1")
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


FIND = """
import json, botocore.session
found = botocore.session.Session(profile="corp-admin").get_credentials().get_frozen_credentials()
print(found.access_key)
"""


def test_botocore_and_awsudo_use_and_renew_the_same_sign_in(corp: Corp) -> None:
    """botocore reads and renews the token that awsudo stored, and awsudo then reads and renews botocore's."""
    corp.sso.tokens_last = 600  # so short that each use renews it
    with corp.screen("login", "--browser", "corp") as screen:
        visit(corp.page())
        screen.until("signed in")
    tokens = [corp.token["accessToken"]]

    found = subprocess.run([sys.executable, "-c", FIND], env=corp.world.env, capture_output=True, text=True, check=True)
    tokens.append(corp.token["accessToken"])
    ours = corp.world.run("corp-read", *KEY_ID)
    tokens.append(corp.token["accessToken"])

    assert found.stdout.startswith("ASIA") and ours.key_id
    assert len(set(tokens)) == 3 and corp.sso.count("/token") == 3


def test_the_aws_cli_and_awsudo_share_a_sign_in(corp: Corp, sts: StrictSts) -> None:
    """`aws --profile` runs on the token that awsudo login stored, renews it, and awsudo uses what it wrote."""
    corp.sso.on_credentials = lambda *given: sts.add_session("Admin", *given)
    corp.world.env |= {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_DEFAULT_REGION": "eu-west-1"}
    corp.sso.tokens_last = 600  # so short that its first use renews it
    with corp.screen("login", "--browser", "corp") as screen:
        visit(corp.page())
        screen.until("signed in")
    stored = corp.token["accessToken"]
    corp.sso.tokens_last = 28800

    aws = [str(Path(AWSUDO).with_name("aws")), "--profile", "corp-admin"]
    done = subprocess.run([*aws, "sts", "get-caller-identity"], env=corp.world.env, capture_output=True, check=True)
    renewed = corp.token["accessToken"]
    ours = corp.world.run("corp-admin", *aws[:1], "sts", "get-caller-identity", "--query", "Arn", "--output", "text")

    arn = "arn:aws:sts::111111111111:assumed-role/Admin/alice"
    assert json.loads(done.stdout)["Arn"] == ours.out.strip() == arn, ours.err
    assert stored != renewed == corp.token["accessToken"]
    assert corp.sso.count("/token") == 2  # the sign-in, and the AWS CLI's renewal


def test_a_registration_is_used_again(corp: Corp) -> None:
    """The second sign-in registers no client, and does not try out the region."""
    for number in range(2):
        with corp.screen("login", "--browser", "corp") as screen:
            until(lambda: len(corp.opened) > number)  # noqa: B023 (called at once)
            visit(corp.opened[number])
            screen.until("signed in")

    assert (corp.sso.count("/client/register"), corp.sso.count("/device_authorization")) == (2, 1)


@pytest.mark.parametrize(("consent", "output"), [("deny", "was refused on its page (access_denied)")])
def test_a_refusal_on_the_page_is_the_end(corp: Corp, consent: str, output: str) -> None:
    """No token is stored, the page says so too, and the exit code is 125."""
    corp.sso.consent = consent
    with corp.screen("login", "--browser", "corp") as screen:
        result = visit(corp.page())
        screen.until(re.escape(output))
        assert screen.end() == 125

    assert "Not signed in" in result and not token_path(corp.world.home, "corp").exists()


def test_an_answer_with_another_state_is_refused_and_the_wait_goes_on(corp: Corp) -> None:
    """Somebody who redirects the browser with a code of their own signs nobody in."""
    with corp.screen("login", "--browser", "corp") as screen:
        page = corp.page()
        corp.sso.consent = "forge"
        with pytest.raises(OSError, match="400"):
            visit(page)
        corp.sso.consent = "allow"
        visit(page)
        screen.until("signed in to corp")

    assert corp.sso.is_valid(corp.token["accessToken"])


def test_the_wrong_region_is_found_before_a_page_is_opened(corp: Corp) -> None:
    """Nobody types a password on a page that can lead nowhere; the key to change is named."""
    corp.sso.start_urls = {"https://another.awsapps.com/start"}
    for way in ("--browser", "--device-code"):
        with corp.screen("login", way, "corp") as screen:
            screen.until("Identity Center in eu-west-1 does not know https://corp.awsapps.com/start")
            screen.until(r"mend sso_region of \[sso-session corp\]")
            assert screen.end() == 125

    assert corp.opened == []


@needs("chromium-headless-shell")
def test_a_real_browser_walks_the_pages(corp: Corp) -> None:
    """Chromium, with its request for an icon, follows the link of the sign-in page to ours."""
    corp.sso.consent = "click"
    pages = corp.world.root / "page"
    script = corp.world.root / "browser"
    profile = corp.world.root / "chromium"
    script.write_text(
        "#!/bin/sh\nexec chromium-headless-shell --no-sandbox --disable-gpu --virtual-time-budget=4000 "
        f"--user-data-dir='{profile}' --dump-dom \"$1\" >'{pages}' 2>/dev/null\n"
    )
    with corp.screen("login", "--browser", "corp") as screen:
        screen.until("signed in to corp until")
        assert screen.end() == 0
    until(lambda: pages.exists() and "</html>" in pages.read_text())

    assert "<h1>Signed in</h1>" in pages.read_text()


# -- the callback ------------------------------------------------------------------------------------------------------


def _send(callback: Callback, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    parts = urlsplit(callback.redirect_uri)
    connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/oauth/callback?code=c&state=wrong", "GET", {}),
        ("/oauth/callback?code=c", "GET", {}),
        ("/oauth/callback?code=c&state=right&state=right", "GET", {}),
        ("/oauth/callback?state=right", "GET", {}),
        ("/oauth/callback?code=&state=right", "GET", {}),
        ("/oauth/callback?error=access_denied", "GET", {}),
        ("/favicon.ico", "GET", {}),
        ("/?code=c&state=right", "GET", {}),
        ("/oauth/callback/?code=c&state=right", "GET", {}),
        ("/oauth/callback?code=c&state=right", "POST", {}),
        ("/oauth/callback?code=c&state=right", "GET", {"Host": "attacker.example"}),
    ],
)
def test_the_callback_refuses_everything_without_its_state(
    path: str, method: str, headers: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Every other request is refused, and the right one that comes after it is taken; nothing is logged."""
    with Callback("right") as callback:
        status, _, _ = _send(callback, path, method, **headers)
        assert status >= 400 and callback.wait(0) is None

        thread = threading.Thread(target=_send, args=(callback, "/oauth/callback?code=the-code&state=right"))
        thread.start()
        answered = callback.wait(5)
        callback.finish(signed_in=True)
        thread.join()

    assert answered is not None and answered.code == "the-code" and "the-code" not in repr(answered)
    assert capfd.readouterr() == ("", "")


def test_the_callback_is_for_this_machine_and_keeps_its_address_to_itself() -> None:
    """It listens on 127.0.0.1 alone; the page hands on no address and is not stored; a silent client does no harm."""
    with Callback("right") as callback:
        port = urlsplit(callback.redirect_uri).port or 0
        silent = socket.create_connection(("127.0.0.1", port))
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=2)
        callback.finish(signed_in=False)
        status, page, headers = _send(callback, "/oauth/callback?code=secret-code&state=right")
        begun = time.monotonic()

    assert time.monotonic() - begun < 5
    silent.close()
    assert (status, headers["referrer-policy"], headers["cache-control"]) == (200, "no-referrer", "no-store")
    assert (
        "connection" in headers
        and "secret-code" not in page
        and "default-src 'none'" in headers["content-security-policy"]
    )


# -- the device flow ---------------------------------------------------------------------------------------------------


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = time.time()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@contextmanager
def device_login(
    sso: Sso, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Callable[[], SsoToken], Clock]]:
    """The device flow in this process, with a clock of ours."""
    for name, value in sso.environ.items():
        monkeypatch.setenv(name, value)
    config = AwsConfig("config", "credentials", {}, {}, {}, {}, {})
    clock = Clock()
    chain = chain_of_session(SESSION, config, dict(sso.environ))
    oidc = Oidc(Aws(chain, config, lambda: clock.now), "eu-west-1", "corp")
    screen = flows.Screen(lambda lines: None, lambda url: False, clock.sleep, lambda: clock.now)
    files = TokenFiles({"HOME": str(home)})
    yield lambda: flows.sign_in_by_device(SESSION, oidc, files, screen), clock


@pytest.mark.parametrize(
    ("answers", "slept"),
    [
        ([], []),
        (["AuthorizationPendingException"] * 3, [1, 1, 1]),
        (["SlowDownException", "AuthorizationPendingException", "SlowDownException"], [6, 6, 11]),
    ],
)
def test_a_device_code_is_polled_at_the_pace_that_the_service_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], slept: list[float]
) -> None:
    """Pending goes on, slow_down adds five seconds for good."""
    with Sso() as sso, device_login(sso, tmp_path, monkeypatch) as (login, clock):
        sso.device_refusals = answers
        token = login()

        assert sso.is_valid(token.access_token) and token.can_be_renewed(time.time())
    assert clock.slept == slept


@pytest.mark.parametrize(
    ("answers", "output"),
    [
        (["AuthorizationPendingException", "ExpiredTokenException"], "nobody signed in to corp within 10 minutes"),
        (["AuthorizationPendingException"] * 700, "nobody signed in to corp within 10 minutes"),
        (["AccessDeniedException"], "was refused on its page"),
        (["InvalidGrantException"], "cannot get the SSO session corp"),
    ],
)
def test_a_failed_device_code_names_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], output: str
) -> None:
    """Expired, denied, never answered: each ends with its reason, after ten minutes at most."""
    with Sso() as sso, device_login(sso, tmp_path, monkeypatch) as (login, clock):
        sso.interval = 30
        sso.device_refusals = answers
        begun = clock.now

        with pytest.raises(AwsudoError, match=output.replace("(", r"\(")):
            login()

    assert clock.now - begun <= 630


def test_a_legacy_profile_signs_in_by_device_code_under_its_start_url(corp: Corp) -> None:
    """As with the AWS CLI: no scopes, and so nothing that renews the token; the code is displayed before the page."""
    with corp.screen("login", "old") as screen:
        screen.until("The page must display this code: ")
        screen.until("signed in to https://old.awsapps.com/start until")
        assert screen.end() == 0

    fields = json.loads(token_path(corp.world.home, "https://old.awsapps.com/start").read_text())
    assert corp.sso.is_valid(fields["accessToken"])
    assert corp.world.run("old", *KEY_ID).key_id


def test_the_flow_fits_the_machine() -> None:
    """A browser on this machine where one can come back to it; a device code over ssh and in containers."""
    desktop = {"DISPLAY": ":0"}

    def nowhere(path: str) -> bool:
        return False

    assert browser.callback_arrives(desktop, nowhere)
    assert browser.callback_arrives({"BROWSER": "lynx"}, nowhere)
    assert not browser.callback_arrives(desktop, lambda path: path == "/.dockerenv")
    for name in ("SSH_CONNECTION", "SSH_TTY", "container", "KUBERNETES_SERVICE_HOST", "CODESPACES"):
        assert not browser.callback_arrives({**desktop, name: "x"}, nowhere)
    if sys.platform == "linux":
        assert not browser.callback_arrives({}, nowhere)


# -- a run whose session has ended -------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["never", "expired", "revoked"])
def test_a_run_on_a_terminal_offers_to_sign_in_and_goes_on(corp: Corp, before: str) -> None:
    """Which session, which account and role; then the page, then the command. A revoked token has ended too."""
    if before != "never":
        expires_in = -60 if before == "expired" else 3600
        corp.sso.write_cached_token(corp.world.home, start_url=START_URL, session_name="corp", expires_in=expires_in)
    corp.sso.revoke_tokens()
    corp.browser(follows=True)
    with corp.screen("corp-admin", "sh", "-c", "echo ran as $AWS_ACCESS_KEY_ID") as screen:
        screen.until(re.escape(f"Sign in to corp ({START_URL}) for Admin in account {ACCOUNT}? [Y/n]"))
        assert corp.opened == []
        screen.type("y\r").until("ran as ASIA")
        assert screen.end() == 0

    assert len(corp.opened) == 1
    calls = len(corp.sso.calls)
    assert corp.world.run("corp-admin", *KEY_ID).key_id and len(corp.sso.calls) == calls  # it is cached
    token_path(corp.world.home, "corp").unlink()
    assert corp.world.run("corp-admin", *KEY_ID).code == 125  # and is of use to that sign-in only


def test_a_no_opens_nothing_and_the_command_does_not_run(corp: Corp) -> None:
    """The hint has the line that signs in."""
    with corp.screen("corp-admin", "echo", "ran") as screen:
        screen.until("Sign in to corp")
        displayed = screen.type("n\r").until("sign in: awsudo login corp")
        assert screen.end() == 125

    assert corp.opened == [] and "not signed in to the SSO session corp" in displayed and "\nran" not in displayed


def test_without_a_terminal_no_page_is_ever_opened(corp: Corp) -> None:
    """A browser that is signed in would let any program in: neither a run nor `login` opens a page for one."""
    runs = [corp.world.run(*words) for words in (("corp-admin", "true"), ("login", "corp"), ("login", "--print-url"))]

    assert [run.code for run in runs] == [125] * 3 and corp.opened == [] and corp.sso.calls == []
    assert "sign in: awsudo login corp" in runs[0].err and messages.NEEDS_A_TERMINAL in runs[1].err


@needs("curl")
def test_a_crowd_on_a_session_that_has_ended_signs_in_once(corp: Corp) -> None:
    """Fifty runs of two roles, started together: one question, one page, one token; all commands run."""
    corp.browser(follows=True)
    runs = [[AWSUDO, f"corp-{role}", "printenv", "AWSUDO_TARGET"] for role in ("admin", "read")]
    with Screen(runs[0], corp.world.env, beside=[*runs * 24, runs[1]], cwd=corp.world.home, size=(120, 160)) as screen:
        screen.until("Sign in to corp", seconds=60)
        screen.type("y\r").end()
        displayed = screen.text

    assert len(re.findall(r"^corp-(?:admin|read)$", displayed, re.MULTILINE)) == 50
    assert (screen.raw.count("[Y/n]"), len(corp.opened)) == (1, 1)
    grants = [json.loads(call.body)["grantType"] for call in corp.sso.calls if call.path == "/token"]
    assert grants == [flows.BROWSER_GRANTS[0] if "authorize" in corp.opened[0] else DEVICE_CODE]
    assert corp.sso.count("/federation/credentials") == 2


def _lock_holders(cache: Path) -> int:
    """How many processes have a lock file of this cache open."""
    holders = [open_files(int(pid)) for pid in filter(str.isdigit, os.listdir("/proc"))]
    return sum(any(path.startswith(str(cache)) and path.endswith(".lock") for path in files) for files in holders)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
@needs("curl")
def test_a_crowd_hears_one_no(corp: Corp) -> None:
    """Who waited for the answer does not ask again."""
    runs = [[AWSUDO, f"corp-{role}", "echo", "ran"] for role in ("admin", "read", "read")]
    with Screen(runs[0], corp.world.env, beside=runs[1:], cwd=corp.world.home, size=(60, 160)) as screen:
        screen.until("Sign in to corp")
        # all three must be under way, or one that starts later asks in its own right
        until(lambda: _lock_holders(corp.world.cache) >= 3)
        screen.type("n\r").end()
        displayed = screen.text

    assert screen.raw.count("[Y/n]") == 1 and displayed.count("sign in: awsudo login corp") == 3


def test_a_crowd_renews_a_token_once(corp: Corp) -> None:
    """A refresh token is good once: of eight runs on an expired token one renews it, and none needs a terminal."""
    corp.sso.write_cached_token(
        corp.world.home, start_url=START_URL, session_name="corp", expires_in=-60, refreshable=True
    )
    words = [[AWSUDO, f"corp-{role}", "printenv", "AWS_ACCESS_KEY_ID"] for role in ("admin", "read") * 4]
    runs = [subprocess.Popen(each, env=corp.world.env, stdout=subprocess.PIPE, text=True) for each in words]

    assert {run.communicate(timeout=60)[0][:4] for run in runs} == {"ASIA"}
    assert corp.sso.count("/token") == 1 and corp.sso.is_valid(corp.token["accessToken"])


def test_a_renewal_that_fails_costs_nothing_while_the_token_is_valid(corp: Corp) -> None:
    """Ten minutes before its end a token is renewed ahead; refused, it does until then."""
    path = corp.sso.write_cached_token(
        corp.world.home, start_url=START_URL, session_name="corp", expires_in=600, refreshable=True
    )
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "refreshToken": "spent"}))

    done = corp.world.run("corp-admin", *KEY_ID)

    assert done.key_id and done.err == "" and corp.sso.count("/token") == 1


@needs("strace")
def test_a_token_that_cannot_be_stored_is_used_all_the_same(corp: Corp) -> None:
    """A directory that takes no new file: the notice names it, and the command runs."""
    path = corp.sso.write_cached_token(
        corp.world.home, start_url=START_URL, session_name="corp", expires_in=-60, refreshable=True
    )
    done = corp.world.run(
        "corp-admin", *KEY_ID, prefix=(*STRACE, "-e", "trace=rename", "-e", "inject=rename:error=EROFS")
    )

    assert done.key_id and f"the SSO token cannot be stored in {path.parent}: Read-only file system" in done.err


# -- the list, and signing out -----------------------------------------------------------------------------------------


def test_the_sessions_are_listed_with_their_state(corp: Corp) -> None:
    """Which there are, until when one is signed in, whether it is renewed; as JSON too; no secrets."""
    corp.sso.write_cached_token(corp.world.home, start_url=START_URL, session_name="corp", refreshable=True)

    table = corp.world.run("login", "--list")
    listed = json.loads(corp.world.run("login", "--list", "--json").out)

    assert re.search(r"corp +until .*yes +eu-west-1 +https://corp", table.out), table.out
    assert re.search(r"old +no +eu-west-1 +https://old", table.out), table.out
    assert [(each["session"], each["signedIn"], each["renewable"]) for each in listed] == [
        ("corp", True, True),
        (None, False, False),
    ]
    assert corp.token["accessToken"] not in f"{table} {listed}" and corp.sso.calls == []


def test_signing_out_ends_the_session_everywhere(corp: Corp) -> None:
    """At the portal, in the AWS CLI's file, and in the cache: sessions of other sources stay."""
    token = corp.sso.issue_token(3600)
    for session, url in (("corp", START_URL), (None, "https://old.awsapps.com/start")):
        corp.sso.write_cached_token(corp.world.home, start_url=url, session_name=session)
    token = corp.token["accessToken"]
    for target in ("corp-admin", "corp-read", "old"):
        assert corp.world.run(target, "true").code == 0

    done = corp.world.run("logout", "corp")

    assert done.err == "awsudo: signed out of corp; 2 cached sessions removed\n" and done.code == 0
    assert not corp.sso.is_valid(token) and not token_path(corp.world.home, "corp").exists()
    assert len(corp.world.entries()) == 1
    assert corp.world.run("corp-admin", "true").code == 125
    assert corp.world.run("logout", "corp").err == "awsudo: not signed in to corp\n"
    everything = corp.world.run("logout", "--all")
    assert "signed out of https://old.awsapps.com/start; 1 cached session removed" in everything.err
    assert corp.world.entries() == []


def test_the_word_for_a_session_may_be_any_target_of_it(corp: Corp) -> None:
    """Its name, a profile, a role from such a profile, its start URL, SESSION/ACCOUNT/ROLE; or AWS_PROFILE."""
    corp.world.config(
        f"{CONFIG}[profile dev]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/x\nsource_profile = corp-read\n"
        "[sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = eu-west-1\n"
    )
    for word in ("corp", "corp-admin", "dev", START_URL, f"{START_URL}/#", f"corp/{ACCOUNT}/Read"):
        assert corp.world.run("logout", word).err == "awsudo: not signed in to corp\n"
    assert corp.world.run("logout", env={"AWS_PROFILE": "corp-read"}).err == "awsudo: not signed in to corp\n"
    assert corp.world.run("logout").code == 125


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("login",), "several SSO sessions: corp, old"),
        (("login", "crop"), "did you mean corp?"),
        (("login", "keys"), "keys does not use an SSO session"),
        (("login", "cli"), "aws login --profile cli"),
        (("login", "--json"), "--json goes with --list"),
        (("login", "--browser", "--device-code"), messages.EXCLUSIVE),
        (("logout", "--all", "corp"), messages.EXCLUSIVE),
        (("login", "https://nowhere.example"), "no SSO session with the start URL"),
    ],
)
def test_a_word_that_names_no_session_is_distinguished(corp: Corp, words: tuple[str, ...], output: str) -> None:
    """One line, and what to type instead."""
    corp.world.config(
        CONFIG + "[profile cli]\nlogin_session = arn:aws:iam::1:user/a\n"
        "[profile keys]\naws_access_key_id = AKIAEXAMPLEEXAMPLE12\naws_secret_access_key = s\n"
    )

    done = corp.world.run(*words)

    assert done.code in (2, 125) and output in done.err, done.err
    assert corp.sso.calls == []


# -- token files -------------------------------------------------------------------------------------------------------


def test_token_files_are_named_as_the_aws_cli_names_them(tmp_path: Path) -> None:
    """SHA-1 of the session's name, of the start URL, and of the sorted JSON of a registration's purpose."""
    files = TokenFiles({"HOME": str(tmp_path)})
    scoped = SESSION._replace(scopes=("sso:account:access",))

    names = [
        Path(path).name
        for path in (
            files.token_path(SESSION),
            files.token_path(SESSION._replace(name=None)),
            files.registration_path(SESSION),
            files.registration_path(scoped),
        )
    ]

    assert names == [f"{name}.json" for name in NAMES_BY_THE_AWS_CLI]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"accessToken": 1, "expiresAt": "2030-01-01T00:00:00Z"}', '{"accessToken": "a"}',
     '{"accessToken": "a\\nb", "expiresAt": "2030-01-01T00:00:00Z"}', '{"accessToken": "a", "expiresAt": "soon"}',
     '{"accessToken": "a", "expiresAt": null}'],
)  # fmt: skip
def test_an_invalid_token_file_is_ignored(tmp_path: Path, content: str) -> None:
    """What cannot be used is as good as absent; so is a pipe, or a directory."""
    files = TokenFiles({"HOME": str(tmp_path)})
    path = Path(files.token_path(SESSION))
    path.parent.mkdir(parents=True)
    path.write_text(content)

    assert files.token(SESSION) is None
    path.unlink()
    os.mkfifo(path)
    assert files.token(SESSION) is None
    path.unlink()
    path.mkdir()
    assert files.token(SESSION) is None


@pytest.mark.parametrize("stamp", ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00UTC", "2030-01-01T00:00:00+00:00"])
def test_time_stamps_of_every_version_of_the_aws_cli_are_read(tmp_path: Path, stamp: str) -> None:
    """The AWS CLI has written three forms."""
    files = TokenFiles({"HOME": str(tmp_path)})
    path = Path(files.token_path(SESSION))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"accessToken": "a", "expiresAt": stamp}))

    found = files.token(SESSION)

    assert found is not None and found.expires_at == 1893456000


def test_no_record_of_a_sign_in_displays_its_secrets() -> None:
    """What ends up in a log by mistake says which, and until when."""
    registration = Registration("the-id", "the-secret", 0.0)
    token = SsoToken(START_URL, "eu-west-1", "the-token", 0.0, "the-refresh", registration)

    assert not any(secret in f"{token} {registration}" for secret in ("the-secret", "the-token", "the-refresh"))


@needs("strace")
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_login_that_is_killed_while_it_writes_leaves_the_old_token_or_the_new(corp: Corp, call: str) -> None:
    """kill -9 at each write: what stands in the files is whole, and the next login works."""
    corp.browser(follows=True)
    old = corp.sso.write_cached_token(corp.world.home, start_url=START_URL, session_name="corp")
    before = old.read_text()
    for number in (1, 2):
        command = [
            *STRACE,
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:signal=KILL:when={number}",
            AWSUDO,
            "login",
            "--browser",
            "corp",
        ]
        with Screen(command, corp.world.env, cwd=str(corp.world.home)) as screen:
            assert screen.end() != 0

        assert old.read_text() == before
        for path in old.parent.glob("*.json"):
            json.loads(path.read_text())
    with corp.screen("login", "--browser", "corp") as screen:
        screen.until("signed in")
    assert old.read_text() != before
