"""The two ways to sign in to IAM Identity Center: a browser on this machine (PKCE), or a code for any device.

1. The code verifier never leaves this process but for the token call; the state is a random one for each sign-in.
2. Before a page is opened, the region is tried out: a session with the wrong sso_region ends there, with the reason.
3. A sign-in that is not completed ends after ten minutes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import shlex
import string
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from awsudo_py.aws.sso_oidc import AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN
from awsudo_py.errors import AwsudoError, Rejected
from awsudo_py.signin.callback import PATH, Callback
from awsudo_py.signin.token_files import Registration, SsoToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.sso_oidc import Granted, Oidc
    from awsudo_py.model import SsoSession
    from awsudo_py.signin.token_files import TokenFiles

#: Rule 3, in seconds.
PATIENCE = 600.0
#: What a client registers for where the session names no scopes: without one, there is no refresh token.
DEFAULT_SCOPE = "sso:account:access"
#: Of the browser flow; the device flow registers none, as the AWS CLI does.
BROWSER_GRANTS = (AUTHORIZATION_CODE, REFRESH_TOKEN)
_VERIFIER = string.ascii_letters + string.digits + "-._~"
_SLOWER = 5.0


class Screen(NamedTuple):
    """The user's side of a sign-in: where lines are displayed, what opens a page, and how time passes."""

    show: Callable[[list[str]], None]
    open_page: Callable[[str], bool]  # whether a browser was started
    sleep: Callable[[float], None]
    now: Callable[[], float]  # seconds since the epoch
    print_page: Callable[[str], None] | None = None  # takes the address instead of a browser


def sign_in_by_browser(session: SsoSession, oidc: Oidc, files: TokenFiles, screen: Screen) -> SsoToken:
    """Sign in with a browser on this machine. Raises AwsudoError."""
    registration = _registration(session, oidc, files, screen.now(), BROWSER_GRANTS)
    verifier = "".join(secrets.choice(_VERIFIER) for _ in range(64))
    state = str(uuid.uuid4())
    with Callback(state) as callback:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": callback.redirect_uri,
            "state": state,
            "code_challenge_method": "S256",
            "scopes": " ".join(session.scopes or (DEFAULT_SCOPE,)),
            "code_challenge": challenge,
        }
        page = f"{oidc.url}/authorize?{urlencode(query)}"
        _present(session, screen, page)
        answered = callback.wait(PATIENCE)
        if answered is None:
            raise _nobody(session)
        if answered.error:
            raise _denied(session, answered.error)
        granted = _traded(
            session,
            lambda: oidc.token(
                registration.client_id,
                registration.client_secret,
                AUTHORIZATION_CODE,
                code=answered.code,
                redirectUri=callback.redirect_uri,
                codeVerifier=verifier,
            ),
        )
        callback.finish(signed_in=True)
    return _token(session, granted, registration, screen.now())


def sign_in_by_device(session: SsoSession, oidc: Oidc, files: TokenFiles, screen: Screen) -> SsoToken:
    """Sign in with a browser on any device, where the user compares a code. Raises AwsudoError."""
    registration = _registration(session, oidc, files, screen.now(), None)
    try:
        device = oidc.start_device(registration.client_id, registration.client_secret, session.start_url)
    except Rejected as error:
        raise wrong_region(session) if error.code == "InvalidRequestException" else error from None
    _present(session, screen, device.page_with_code, f"The page must display this code: {device.user_code}")
    interval, until = device.interval, screen.now() + min(device.expires_in, PATIENCE)
    while screen.now() < until:
        try:
            granted = oidc.token(
                registration.client_id, registration.client_secret, DEVICE_CODE, deviceCode=device.device_code
            )
        except Rejected as error:
            if error.code == "SlowDownException":
                interval += _SLOWER
            elif error.code == "ExpiredTokenException":
                break
            elif error.code == "AccessDeniedException":
                raise _denied(session, "access_denied") from None
            elif error.code != "AuthorizationPendingException":
                raise
            screen.sleep(interval)
        else:
            return _token(session, granted, registration, screen.now())
    raise _nobody(session)


def renewed(session: SsoSession, token: SsoToken, oidc: Oidc, now: float) -> SsoToken:
    """A new token for an old one that can be renewed. Raises AwsudoError; Rejected: the sign-in is over."""
    assert token.registration is not None  # can_be_renewed() has looked
    granted = oidc.token(
        token.registration.client_id, token.registration.client_secret, REFRESH_TOKEN, refreshToken=token.refresh_token
    )
    return _token(session, granted, token.registration, now)


def _registration(
    session: SsoSession, oidc: Oidc, files: TokenFiles, now: float, grants: tuple[str, ...] | None
) -> Registration:
    """awsudo as a client: as registered before, or anew."""
    found = files.registration(session, grants, now)
    if found is not None:
        return found
    name = f"botocore-client-{session.name or int(now)}"
    try:
        if grants is None:
            made = oidc.register(name, scopes=session.scopes or (), grants=())
            scopes = session.scopes
        else:
            scopes = session.scopes or (DEFAULT_SCOPE,)
            _try_region(session, oidc, name)
            made = oidc.register(
                name, scopes=scopes, grants=grants, redirect=f"http://127.0.0.1{PATH}", issuer=session.start_url
            )
    except Rejected as error:
        raise wrong_region(session) if error.code == "InvalidRequestException" else error from None
    registration = Registration(made.client_id, made.client_secret, made.expires_at, scopes, grants)
    with suppress(OSError):  # then the next sign-in registers again
        files.keep_registration(session, registration)
    return registration


def _try_region(session: SsoSession, oidc: Oidc, name: str) -> None:
    """Rule 2: only a device sign-in, which need not be completed, shows before the page whether the region is right."""
    tried = oidc.register(name, scopes=(), grants=())
    oidc.start_device(tried.client_id, tried.client_secret, session.start_url)


def _traded(session: SsoSession, call: Callable[[], Granted]) -> Granted:
    try:
        return call()
    except Rejected as error:
        if error.code in ("AccessDeniedException", "ExpiredTokenException"):
            raise _denied(session, error.code) from None
        raise


def _token(session: SsoSession, granted: Granted, registration: Registration, now: float) -> SsoToken:
    return SsoToken(
        session.start_url,
        session.region,
        granted.access_token,
        now + granted.expires_in,
        granted.refresh_token,
        registration,
    )


def _present(session: SsoSession, screen: Screen, page: str, *more: str) -> None:
    """Display the session, then open its page; the address is displayed in any case."""
    named = f'session "{session.name}", ' if session.name else ""
    for_role = f", for {session.role} in account {session.account}" if session.account else ""
    verb = "Opening" if screen.print_page is None else "Sign in to"
    screen.show([f"{verb} {session.start_url} ({named}region {session.region}{for_role}).", *more])
    if screen.print_page is not None:
        screen.print_page(page)
        return
    opened = screen.open_page(page)
    screen.show(["If no browser opens, visit:" if opened else "Visit:", f"  {page}"])


def _nobody(session: SsoSession) -> AwsudoError:
    return AwsudoError(
        f"nobody signed in to {session.title} within {PATIENCE / 60:.0f} minutes",
        hint=f"again: awsudo login {shlex.quote(session.word)}",
    )


def _denied(session: SsoSession, why: str) -> AwsudoError:
    return AwsudoError(
        f"the sign-in to {session.title} was refused on its page ({why})",
        hint=f"again: awsudo login {shlex.quote(session.word)}",
    )


def wrong_region(session: SsoSession, right: str = "") -> AwsudoError:
    """The error for a session whose sso_region is not that of its portal."""
    place = f"[sso-session {session.name}]" if session.name else f"[profile {session.profile}]"
    known = f"set sso_region = {right} in {place}" if right else f"mend sso_region of {place}"
    return AwsudoError(
        f"Identity Center in {session.region} does not know {session.start_url}",
        hint=(
            f"{known}: the region in which Identity Center is set up, not the one you work in",
            *(() if right else ("the access portal's page has it in its source: look for region",)),
        ),
    )
