"""awsudo console: opens the AWS Management Console as a target."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, answered, begin, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.confirmation import pass_rails
from awsudo_py.cli.options import AnsweredOptions
from awsudo_py.cli.output import write
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.model import RoleHop
from awsudo_py.prompt import controlling_terminal
from awsudo_py.resolve import console_links, limits
from awsudo_py.resolve.endpoints import Endpoints
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.source_kinds import is_chaining
from awsudo_py.shell.browser import copy, open_page

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.session_for import Answer


class ConsoleOptions(AnsweredOptions):
    """What `awsudo console` takes."""

    service: str | None
    path: str | None
    print_link: bool
    copy: bool
    switch_link: bool
    display_name: str | None
    color: str | None
    target: str | None


@subcommand("console", ConsoleOptions)
def command(call: Call, options: ConsoleOptions) -> None:
    """Open the AWS Management Console as the target.

    --duration is how long the console session lasts (15m to 12h); without it, the console ends with the credentials.
    AWS accepts it for one role only, not for a chain. The link is valid for 15 minutes, and whoever has it is signed
    in: treat it as a password. It is printed where no browser can be opened, as over ssh.

    \b
      awsudo console prod                                the console's home
      awsudo console prod --service s3                   a service
      awsudo console prod --path '/ec2/home#Instances:'  a page
      awsudo console prod --duration 8h
      awsudo console prod --print                        the link
      awsudo console prod --switch-link --color red      no credentials in it
    """
    context = begin(call, wait=options.wait)
    if options.target is None and options.profile is None:
        raise UsageError("no target: which profile or role?", hint="awsudo console TARGET")
    if options.service is not None and options.path is not None:
        raise UsageError("--service and --path exclude each other", hint="name one")
    request = targeted(call, context, options.target, options.profile, options)
    lasts = None
    if options.duration is not None:
        origin = Origin("--duration", UsageError)
        lasts = limits.duration(limits.span(options.duration, origin), origin)
        request = request._replace(duration=None)
    if options.switch_link:
        write(f"{_switch_link(context, request, options)}\n")
        return
    if options.color is not None or options.display_name is not None:
        raise UsageError("--color and --display-name are for --switch-link", hint="awsudo console --switch-link TARGET")
    link, who = _sign_in_link(call, context, request, lasts, options)
    _hand_over(context, link, who, options)


def _switch_link(context: Context, request: Request, options: ConsoleOptions) -> str:
    from awsudo_py.session_for import chain_for

    chain = chain_for(context, request)
    if not chain.role_arn:
        raise AwsudoError(
            f"{chain.target} is not a role, and the Switch Role page accepts only roles",
            hint="name a role: awsudo console --switch-link ACCOUNT:ROLE",
        )
    profile = context.config.profile(chain.target) or {}
    return console_links.switch_role_url(
        chain.role_arn,
        name=options.display_name or chain.target if not chain.target.startswith("arn:") else options.display_name,
        color=options.color or profile.get("awsudo_color"),
    )


def _sign_in_link(
    call: Call, context: Context, request: Request, lasts: int | None, options: ConsoleOptions
) -> tuple[str, str]:
    """The link, and the identity it signs in. The page is checked before any call."""
    from awsudo_py.session_for import chain_for

    chain = chain_for(context, request)
    page = console_links.destination(chain.endpoint.partition, chain.region, service=options.service, path=options.path)
    _refuse_what_cannot_sign_in(chain, lasts)
    federation = Endpoints(context.config, context.deciding).federation_url() or console_links.federation_endpoint(
        chain.endpoint.partition, chain.region
    )
    pass_rails(context, chain, request, (), call.process.argv, yes=options.yes)
    answer = answered(context, request, chain=chain)
    from awsudo_py.aws.federation import sign_in_token  # here, so that a refusal does not import botocore

    bundle = context.deciding.get("AWS_CA_BUNDLE") or (
        context.config.profile(chain.config_profile or "default") or {}
    ).get("ca_bundle")
    token = sign_in_token(federation, answer.credentials, duration=lasts, ca_bundle=bundle)
    return console_links.login_url(federation, page, token), _who(answer)


def _refuse_what_cannot_sign_in(chain: RoleChain, lasts: int | None) -> None:
    """Raises AwsudoError for a session or a duration that the console does not accept."""
    # whether a credential_process prints keys is known only after it has run; AWS then refuses them
    hops = chain.hops if chain.if_session is None else chain.if_session
    last = hops[-1] if hops else None
    if last is not None and not isinstance(last, RoleHop):
        raise AwsudoError(
            f"{chain.target} is an IAM user, and the console accepts only role sessions",
            hint="name a role that the user may assume: awsudo console -p "
            f"{shlex.quote(chain.source.profile or 'PROFILE')} ACCOUNT:ROLE",
        )
    if lasts is not None and hops and (len(hops) > 1 or is_chaining(chain.source)):
        raise UsageError(
            f"--duration: AWS does not accept one for {chain.target}, whose role is assumed from another session",
            hint="leave --duration out: the console session then lasts as long as the credentials",
        )


def _who(answer: Answer) -> str:
    arn = answer.credentials.arn or answer.chain.role_arn
    return f"{answer.chain.target} ({arn})" if arn else answer.chain.target


def _hand_over(context: Context, link: str, who: str, options: ConsoleOptions) -> None:
    if options.print_link:
        write(f"{link}\n")
        return
    if options.copy:
        try:
            with controlling_terminal() as (_, screen):
                by = copy(link, os.environ, screen.fileno())
        except OSError:
            by = copy(link, os.environ, None)
        if not by:
            raise AwsudoError(
                "no clipboard: neither wl-copy, xclip, xsel nor pbcopy works here, and there is no terminal",
                hint="print the link instead: --print",
            )
        context.terminal.notice(f"copied the link that signs in as {who}; it is valid for 15 min")
        return
    if open_page(link, os.environ):
        context.terminal.notice(f"opening the console as {who}")
        return
    context.terminal.notice(f"no browser here: open this link within 15 min to sign in as {who}")
    write(f"{link}\n")
