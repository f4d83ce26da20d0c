"""awsudo clear: forgets sessions that are kept."""

from __future__ import annotations

from typing import Any

import click

from awsudo_py.cli.click_glue import begin, subcommand, targeted


@subcommand("clear")
@click.argument("target", required=False)
@click.pass_context
def command(ctx: click.Context, /, target: str | None, **options: Any) -> None:
    """Forget the sessions that are kept: all, or those of one target."""
    invocation, merged = begin(ctx, options)
    request = None
    if target is not None or merged["profile"] is not None:
        request = targeted(ctx, invocation, target, merged)
    count, stays = invocation.clear(request)
    what = f"of {target or merged['profile']} " if request else ""
    kept = f"; the MFA session of its keys stays ({stays})" if stays else ""
    invocation.terminal.notice(f"{count} session{'' if count == 1 else 's'} {what}forgotten{kept}")
