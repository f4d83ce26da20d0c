"""Makes the SSO tokens of one run: the service's clients, the user's screen, and the flow that fits the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.aws.account_access import AccountAccess
from awsudo_py.aws.client import Aws
from awsudo_py.aws.sso_oidc import Oidc
from awsudo_py.aws.sso_portal import Portal
from awsudo_py.display import escape
from awsudo_py.errors import AwsudoError, Interrupted, NoCredentials, Refused
from awsudo_py.prompt import SIGN_IN, Purpose, Question, controlling_terminal, has_terminal
from awsudo_py.resolve.sso_sessions import chain_of_session, session_of_source
from awsudo_py.signin.browser import callback_arrives, open_page
from awsudo_py.signin.flows import Screen, sign_in_by_browser, sign_in_by_device, wrong_region
from awsudo_py.signin.sso_tokens import Memory, SsoTokens
from awsudo_py.signin.start_urls import resolved
from awsudo_py.signin.token_files import TokenFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.aws.clients import Clients
    from awsudo_py.model import Source, SsoSession
    from awsudo_py.resolve.aws_config import AwsConfig
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.single_flight import Run
    from awsudo_py.signin.listing import Lister
    from awsudo_py.signin.token_files import SsoToken


class SignIns:
    """What one run needs to sign in.

    environ is the whole environment; deciding the part of it that may decide a resolution.
    """

    def __init__(
        self,
        config: AwsConfig,
        environ: Mapping[str, str],
        deciding: Mapping[str, str],
        *,
        store: FileStore | None,
        run: Run,
        clients: Clients | None = None,
    ) -> None:
        self.files = TokenFiles(environ)
        self._config = config
        self._environ = environ
        self._deciding = deciding
        self._store = store
        self._run = run
        self._clients = clients
        self._memory = Memory()

    def tokens(
        self,
        *,
        show: Callable[[list[str]], None] | None = None,
        device: bool | None = None,
        print_page: Callable[[str], None] | None = None,
        offers: bool = True,
    ) -> SsoTokens:
        """The tokens. show displays the lines of a sign-in, on the terminal if it is left out.

        device: whether to use a device code, None: where no browser can come back to this machine. print_page takes
        the address of the page, which then is not opened. offers: whether a session that has ended may lead to a
        question; without it, that is an error.
        """
        screen = Screen(
            show or (_on_terminal if has_terminal() else self._run.terminal.show),
            lambda url: has_terminal() and open_page(url, self._environ),
            self._run.sleep,
            self._run.clock,
            print_page,
        )

        def sign_in(session: SsoSession, oidc: Oidc) -> SsoToken:
            portal, region = resolved(session.start_url)
            if region is not None and region != session.region:
                raise wrong_region(session, region)
            # without a terminal, the user has answered from elsewhere, and opens the page there
            here = session.name and callback_arrives(self._environ) and has_terminal()
            by_device = not here if device is None else device
            flow = sign_in_by_device if by_device else sign_in_by_browser
            token = flow(session._replace(start_url=portal), oidc, self.files, screen)
            return token._replace(start_url=session.start_url)

        return SsoTokens(
            self.files,
            self._oidc,
            store=self._store,
            run=self._run,
            offer=self.offered if offers else _not_offered,
            sign_in=sign_in,
            memory=self._memory,
        )

    def token_of(self, source: Source, profile: str | None, *, refused: str = "") -> str:
        """The access token that a source needs, in a chain that has this profile's settings. Raises AwsudoError."""
        return self.tokens().token(session_of_source(source, self._config, profile), refused=refused)

    def lister(self, session: SsoSession, token: Callable[[], str]) -> Lister:
        """What lists the session's accounts and roles: its account access tenant, or else its portal."""
        return AccountAccess(self._aws(session), session, token) if session.tenant else self.portal(session, token)

    def portal(self, session: SsoSession, token: Callable[[], str]) -> Portal:
        """The portal of a session."""
        return Portal(self._aws(session), session.region, session.title, token)

    def _oidc(self, session: SsoSession) -> Oidc:
        return Oidc(self._aws(session), session.region, session.title)

    def _aws(self, session: SsoSession) -> Aws:
        chain = chain_of_session(session, self._config, self._deciding)
        return Aws(chain, self._config, self._run.clock, self._clients)

    def offered(self, session: SsoSession) -> bool:
        """Ask whether to sign in; yes unless the user says no. Raises NoCredentials if nobody can be asked."""
        for_role = f" for {session.role} in account {session.account}" if session.account else ""
        question = f"Sign in to {session.title} ({session.start_url}){for_role}? [Y/n] "
        role = f"{session.account}/{session.role}" if session.account else ""
        purpose = Purpose(session.profile or session.title, role)
        try:
            return self._run.terminal.ask(Question(question, "", SIGN_IN, purpose=purpose)).lower() in ("", "y", "yes")
        except (Interrupted, Refused):
            raise
        except AwsudoError as error:
            raise NoCredentials(error.message) from None


def _not_offered(_session: SsoSession) -> bool:
    raise NoCredentials("")


def _on_terminal(lines: list[str]) -> None:
    with controlling_terminal() as (_, screen):
        screen.write("".join(f"{escape(line)}\n" for line in lines))
        screen.flush()
