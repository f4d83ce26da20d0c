"""awsudo clear: deletes cached sessions."""

from __future__ import annotations

from awsudo_py.cli.call import Call, begin, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.session_for import chain_for, obtain
from awsudo_py.sessions.clearing import forget_all, forget_target


class ClearOptions(Common):
    """What `awsudo clear` takes."""

    profile: str | None
    store: str | None
    target: str | None


@subcommand("clear", ClearOptions)
def command(call: Call, options: ClearOptions) -> None:
    """Delete cached sessions: all, or those of one target.

    \b
      awsudo clear                        all sessions, in every store
      awsudo clear prod                   those of one target
      awsudo clear --store keyring        those in the OS keyring only
    """
    context = begin(call)
    request = None
    if options.target is not None or options.profile is not None:
        request = targeted(call, context, options.target, options.profile, options)
    stores, stays = [each for name, each in context.stores.items() if options.store in (None, name)], ""
    if request is None:
        count = forget_all(stores, context.run.clock())
    else:
        chain = chain_for(context, request)
        count, stays = forget_target(chain, obtain(context, chain, request), stores)
    which = f" of {options.target or options.profile}" if request else ""
    rest = f"; the MFA session of its keys stays ({stays})" if stays else ""
    context.terminal.notice(f"deleted {count} session{'' if count == 1 else 's'}{which}{rest}")
