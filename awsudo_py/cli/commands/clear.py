"""awsudo clear: forgets sessions that are kept."""

from __future__ import annotations

from typing import Any

import click

from awsudo_py.cli.click_glue import begin, subcommand, targeted
from awsudo_py.session import chain_for, obtain
from awsudo_py.sessions.clearing import forget_all, forget_target


@subcommand("clear")
@click.argument("target", required=False)
@click.pass_context
def command(ctx: click.Context, /, target: str | None, **options: Any) -> None:
    """Forget the sessions that are kept: all, or those of one target."""
    context, merged = begin(ctx, options)
    request = None
    if target is not None or merged["profile"] is not None:
        request = targeted(ctx, context, target, merged)
    stores, stays = [*context.stores.values()], ""
    if request is None:
        count = forget_all(stores)
    else:
        chain = chain_for(context, request)
        count, stays = forget_target(chain, obtain(context, chain, request), stores)
    what = f"of {target or merged['profile']} " if request else ""
    kept = f"; the MFA session of its keys stays ({stays})" if stays else ""
    context.terminal.notice(f"{count} session{'' if count == 1 else 's'} {what}forgotten{kept}")
