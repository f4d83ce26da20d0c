"""Gets the access token of an SSO session: from its file, renewed, or by signing in; one process at a time.

1. Look, lock, look again: of any number of runs on a session that has ended, one renews it, or opens one page.
2. A token is renewed ahead of its end. While it is still valid, a renewal that fails costs nothing.
3. A sign-in needs a terminal, and is offered there before a page is opened. Without one, nothing is opened: a browser
   that is signed in lets any program in that asks.
4. A refusal by the user is shared with the runs that were waiting for the answer.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import NoCredentials, Refused, Rejected, Unreachable
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import Wait, in_turn
from awsudo_py.signin import flows

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.sso_oidc import Oidc
    from awsudo_py.model import SsoSession
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.single_flight import Run
    from awsudo_py.signin.token_files import SsoToken, TokenFiles

#: Seconds of validity below which a token is renewed, and below which it is of no use (botocore/tokens.py: 15 min).
_RENEW, _USELESS = 900.0, 30.0
#: Seconds between two renewals ahead of time, which can fail (botocore/tokens.py: a minute).
_AGAIN = 60.0
#: Seconds for which a refusal of the user counts for the runs that were waiting.
_SHARED = 60.0


class Memory:
    """What one process knows of tokens beside their files: those that could not be stored, and when one was renewed."""

    def __init__(self) -> None:
        self.tokens: dict[str, SsoToken] = {}  # by file
        self.renewed: dict[str, float] = {}


class SsoTokens:
    """The tokens of all sessions, as one run gets them.

    oidc makes the service's client for a session. offer asks the user whether to sign in (Raises AwsudoError without a
    terminal); sign_in does it. store has the locks; None where there is no place for them.
    """

    def __init__(
        self,
        files: TokenFiles,
        oidc: Callable[[SsoSession], Oidc],
        *,
        store: FileStore | None,
        run: Run,
        offer: Callable[[SsoSession], bool],
        sign_in: Callable[[SsoSession, Oidc], SsoToken],
        memory: Memory,
    ) -> None:
        self._files = files
        self._oidc = oidc
        self._store = store
        self._run = run
        self._offer = offer
        self._sign_in = sign_in
        self._memory = memory

    def token(self, session: SsoSession, *, refused: str = "") -> str:
        """The access token of a session. refused: one that the portal does not accept. Raises AwsudoError."""
        found = self._found(session)
        if found is not None and self._is_good(session, found) and found.access_token != refused:
            return found.access_token
        return self._alone(session, lambda: self._renewed(session, refused)).access_token

    def signed_in(self, session: SsoSession) -> SsoToken:
        """Sign in, whether the session has ended or not. Raises AwsudoError.

        Where another run signs in at this moment, that is the sign-in.
        """
        before = self._files.token(session)

        def sign_in() -> SsoToken:
            found = self._files.token(session)
            if found is not None and found != before and self._left(found) > _RENEW:
                return found
            return self._stored(session, self._sign_in(session, self._oidc(session)))

        return self._alone(session, sign_in)

    def _renewed(self, session: SsoSession, refused: str) -> SsoToken:
        """Rule 1: the part under the lock."""
        found = self._found(session)
        usable = found if found is not None and found.access_token != refused else None
        if usable is not None and self._is_good(session, usable):
            return usable
        if found is not None and found.can_be_renewed(self._run.clock()):
            self._memory.renewed[self._files.token_path(session)] = self._run.clock()
            try:
                return self._stored(session, flows.renewed(session, found, self._oidc(session), self._run.clock()))
            except (Rejected, Unreachable) as error:
                if usable is None or self._left(usable) <= _USELESS:
                    if isinstance(error, Unreachable):
                        raise
                else:
                    self._run.terminal.detail(f"the SSO session {session.title} could not be renewed: {error.message}")
        if usable is not None and self._left(usable) > _USELESS:
            return usable  # rule 2
        return self._signed_in_on_offer(session, never=found is None)

    def _signed_in_on_offer(self, session: SsoSession, *, never: bool) -> SsoToken:
        """Rules 3 and 4."""
        ended = _ended(session, never=never)
        if self._refused_meanwhile(session):
            raise ended
        try:
            agreed = self._offer(session)
        except NoCredentials:
            raise ended from None
        except Refused:
            self._share_refusal(session)
            raise
        if not agreed:
            self._share_refusal(session)
            raise ended
        return self._stored(session, self._sign_in(session, self._oidc(session)))

    def _stored(self, session: SsoSession, token: SsoToken) -> SsoToken:
        try:
            self._files.keep_token(session, token)
        except OSError as error:
            self._memory.tokens[self._files.token_path(session)] = token
            why = error.strerror or error
            self._run.terminal.notice(f"the SSO token cannot be stored in {self._files.directory}: {why}")
        return token

    def _alone(self, session: SsoSession, action: Callable[[], SsoToken]) -> SsoToken:
        if self._store is None:
            return action()
        wait = Wait(f"signing in to {session.title}", prompts=True, signs_in=True)
        return in_turn(self._store, self._run, self._name(session), wait, action)

    def _name(self, session: SsoSession) -> str:
        return digest(f"sso {self._files.token_path(session)}")

    def _found(self, session: SsoSession) -> SsoToken | None:
        """The token of a session: that of its file, or a newer one that could not be stored there."""
        stored, own = self._files.token(session), self._memory.tokens.get(self._files.token_path(session))
        if own is not None and (stored is None or own.expires_at > stored.expires_at):
            return own
        return stored

    def _is_good(self, session: SsoSession, token: SsoToken) -> bool:
        """Whether a token is used as it is: it is valid for long, or was renewed a moment ago, as far as that went."""
        renewed = self._memory.renewed.get(self._files.token_path(session), 0.0)
        since = self._run.clock() - renewed
        return self._left(token) > (_USELESS if 0 <= since < _AGAIN else _RENEW)

    def _left(self, token: SsoToken) -> float:
        return token.expires_at - self._run.clock()

    def _share_refusal(self, session: SsoSession) -> None:
        if self._store is not None:
            now = self._run.clock()
            try:
                self._store.write(f"{self._name(session)}.rejected", {"at": str(now)}, until=now + _SHARED)
            except (OSError, ValueError):
                return  # then each asks for itself

    def _refused_meanwhile(self, session: SsoSession) -> bool:
        fields = (self._store.read(f"{self._name(session)}.rejected") if self._store else None) or {}
        try:
            return self._run.started <= float(fields["at"]) <= self._run.clock()
        except (KeyError, ValueError):
            return False


def _ended(session: SsoSession, *, never: bool) -> NoCredentials:
    what = f"not signed in to the SSO session {session.title}"
    return NoCredentials(
        what if never else f"the SSO session {session.title} has ended",
        hint=f"sign in: awsudo login {shlex.quote(session.word)}",
    )
