"""Gets the session that a request means: the one function behind every command, the library and the servers.

1. It needs no command line, no terminal and no main thread: its messages and prompts go to the context.
2. Threads that need the same session at the same time share one call, as processes do.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws.mfa_codes import Codes
from awsudo_py.aws_credentials import rfc3339
from awsudo_py.child_environment import changes_for, marked
from awsudo_py.prompt import Purpose
from awsudo_py.resolve.narrowing import narrowing_text
from awsudo_py.sessions.cached_session import RENEW_AHEAD
from awsudo_py.sessions.obtain import Obtain, Obtained, alone

if TYPE_CHECKING:
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.child_environment import Changes
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain, Source
    from awsudo_py.resolve.explain import Explained
    from awsudo_py.sessions.obtain import Share, Sts


class Answer(NamedTuple):
    """The result of a request."""

    chain: RoleChain
    obtained: Obtained
    changes: Changes
    called_aws: bool  # whether AWS was called: a session from the cache needs no call

    @property
    def credentials(self) -> Credentials:
        """The credentials that the changes carry."""
        return self.obtained.credentials


def session_for(
    context: Context,
    request: Request,
    *,
    ahead: float = RENEW_AHEAD,
    share: Share = alone,
    chain: RoleChain | None = None,
) -> Answer:
    """Credentials for the request, and the changes that carry them; ahead as in fresh_session(), share as in Obtain.

    chain: the result of chain_for() for the request, if it was called already. Raises AwsudoError.
    """
    chain = chain or chain_for(context, request)
    way = obtain(context, chain, request, ahead=ahead, share=share)
    obtained = way.credentials()
    credentials = obtained.credentials
    if credentials.expiration is not None:
        context.terminal.detail(f"valid until {rfc3339(credentials.expiration)}")
    changes = changes_for(
        credentials,
        context.environ,
        target=chain.target,
        role_arn=chain.role_arn,
        region=chain.region or "",
        settings=marked(dict(chain.settings)),
    )
    return Answer(chain, obtained, changes, way.called_aws)


def chain_for(context: Context, request: Request) -> RoleChain:
    """The chain of the request; its notices are displayed. Raises AwsudoError."""
    chain = context.resolver(request.web_identity).chain(request)
    for notice in chain.notices:
        context.terminal.notice(notice)
    if context.terminal.level > 0:
        from awsudo_py.resolve.explain import lines  # here, so that other runs do not import it

        for line in lines(chain, explained(context, request, chain).steps(defaults=False)):
            context.terminal.detail(line)
    return chain


def purpose_of(chain: RoleChain, request: Request) -> Purpose:
    """What an answer to a question of this run is for."""
    return Purpose(chain.target, chain.role_arn, narrowing_text(chain.hops), request.reason or "")


def explained(context: Context, request: Request, chain: RoleChain) -> Explained:
    """The explanation of a chain that the request resolved to."""
    from awsudo_py.resolve.explain import Explained

    return Explained(
        chain,
        context.config,
        request,
        read=context.files.read,
        environ=context.environ,
        session_name=session_name,
    )


def obtain(
    context: Context, chain: RoleChain, request: Request, *, ahead: float = RENEW_AHEAD, share: Share = alone
) -> Obtain:
    """The way to the chain's credentials."""
    codes = Codes(
        chain.source, context.environ, context.terminal, given=request.mfa_code, process=chain.mfa_process,
        about=context.about_code, purpose=purpose_of(chain, request), once=chain.confirmed_by_code,
    )  # fmt: skip
    return Obtain(
        chain,
        with_code=codes.with_code,
        store=None if request.no_cache else context.store(request),
        sts=cache(lambda: _sts(context, chain, request)),
        run=context.run,
        min_ttl=request.min_ttl,
        ahead=ahead,
        refresh=request.refresh,
        share=share,
        logins=context.logins,
        user=_user(),
    )


def _sts(context: Context, chain: RoleChain, request: Request) -> Sts:
    from awsudo_py.aws.calls import BotocoreSts

    return BotocoreSts(
        chain,
        context.config,
        session_name=session_name(),
        stored_key=context.keys.of_source,
        sso_token=lambda source, refused: context.sign_ins.token_of(source, chain.config_profile, refused=refused),
        web_token=lambda source: _web_token(context, source, request),
        saml_assertion=request.saml,
        clients=context.clients,
    )


def _web_token(context: Context, source: Source, request: Request) -> str:
    from awsudo_py.signin.ci_tokens import token_of  # here, as few runs need it

    run = context.run
    return token_of(source, context.environ, request.web_identity_token, now=run.clock(), sleep=run.sleep)


def session_name() -> str:
    """The default session name: the user and the machine."""
    from awsudo_py.aws.calls import default_session_name

    return default_session_name(_user(), _host())


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "awsudo"


def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename.split(".")[0]
    return os.environ.get("COMPUTERNAME", "localhost")
