"""What the commands' grammars are made of: click's classes and options, and what a command does first and last."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from awsudo_py.errors import AwsudoError, UsageError, did_you_mean
from awsudo_py.grammar.options import HELP
from awsudo_py.grammar.registry import Subcommand, registered
from awsudo_py.sessions.cached_session import RENEW_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from awsudo_py.context import Context
    from awsudo_py.grammar.options import Option
    from awsudo_py.model import Request
    from awsudo_py.session import Answer


class Words(click.Command):
    """A command whose parsing ends at the first word that is no option: the rest belongs to somebody else.

    ctx.args holds the rest, byte for byte; ctx.meta["dashed"] says whether a `--` stands right before it.
    """

    allow_interspersed_args = False
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        read = given[: len(given) - len(rest)]
        ctx.meta["dashed"] = read[-1:] == ["--"] and not self._takes_more(ctx, read[:-1])
        return rest

    def _takes_more(self, ctx: click.Context, words: list[str]) -> bool:
        """Whether the last of these words is an option whose value is still to come."""
        try:
            self.make_parser(ctx).parse_args(words)
        except click.UsageError:
            return True
        return False

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] TARGET [--] COMMAND [ARG]..."]


def taking(options: Sequence[Option]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a function these options."""

    def give(function: Callable[..., None]) -> Callable[..., None]:
        for each in reversed(options):
            how: dict[str, Any] = {"is_flag": True}
            if each.metavar:
                how = {"metavar": each.metavar, "multiple": each.many}
            if each.only:
                how["type"] = click.Choice(list(each.values))
            function = click.option(each.field, *each.flags, help=each.said, **how)(function)
        return function

    return give


help_option = click.help_option(*HELP.flags, help=HELP.said)


def subcommand(path: str, cls: type[click.Command] = click.Command) -> Callable[[Callable[..., None]], click.Command]:
    """Make this function the subcommand of that name (`clear`, `keys add`), with the options that its line has."""

    def make(function: Callable[..., None]) -> click.Command:
        line = registered(path)
        return click.command(line.name, cls=cls)(help_option(taking(line.options)(function)))

    return make


def loaded(line: Subcommand) -> click.Command:
    """The click command of a line in the registry; its module is loaded now."""
    return _Group(line) if line.subs else cast("click.Command", import_module(line.module).command)


class _Group(click.Group):
    """A subcommand that leads to others."""

    def __init__(self, line: Subcommand) -> None:
        names = {"help_option_names": ["-h", "--help"]}
        super().__init__(
            line.name,
            help=line.said,
            no_args_is_help=False,
            context_settings=names,
            subcommand_metavar="SUBCOMMAND ...",
        )
        self._line = line

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._line.subs and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self._line.subs) or f"there are: {', '.join(self._line.subs)}"
            raise UsageError(f"{self._line.name} has no subcommand {args[0]}", hint=hint)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise UsageError(f"which of {', '.join(self._line.subs)}?", hint=f"see awsudo {self._line.name} --help")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._line.subs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return loaded(self._line.subs[cmd_name]) if cmd_name in self._line.subs else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Subcommands"):
            formatter.write_dl([(each.name, each.said) for each in self._line.subs.values()])
        formatter.write(f"\n`awsudo {self._line.name} SUBCOMMAND --help` tells more.\n")


def begin(ctx: click.Context, options: Mapping[str, Any]) -> tuple[Context, dict[str, Any]]:
    """What this run has, and a command's options with those given before the subcommand."""
    from awsudo_py.context import Context  # here, so that --help does without it

    outer = ctx.find_root().params if ctx.parent is not None else {}
    merged = {name: outer.get(name) if value in (None, (), False) else value for name, value in options.items()}
    if merged.get("profile") == "":
        raise UsageError("--profile: it is empty", hint="name a profile, or leave the option out")
    level = -1 if merged["quiet"] else 1 if merged["verbose"] else 0
    ctx.obj["terminal"].level = level
    return Context(os.environ, ctx.obj["terminal"]), merged


def inputs_of(context: Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Request that options and variables set. Raises AwsudoError."""
    from awsudo_py.cli.request import read_inputs

    return read_inputs(options, context.deciding, context.files)


def targeted(ctx: click.Context, context: Context, target: str | None, options: Mapping[str, Any]) -> Request:
    """The request of a subcommand that takes a target and no command. Raises UsageError."""
    from awsudo_py.cli.request import exec_request

    words = [] if target is None else [target]
    request = exec_request(words, options["profile"], inputs_of(context, options))
    if request.command:
        name = ctx.info_name
        raise UsageError(f"{name} takes no command: {target}", hint=f"awsudo {name} TARGET; awsudo TARGET COMMAND")
    return request


def answered(context: Context, request: Request, *, ahead: float = RENEW_AHEAD, picked: bool = False) -> Answer:
    """What session_for() gives for a user's request, whose target is then among those that lists begin with.

    picked: whether it counts as a use though AWS is not called. Raises AwsudoError.
    """
    from awsudo_py.session import session_for
    from awsudo_py.shell import history

    answer = session_for(context, request, ahead=ahead)
    target = request.target or request.role or request.profile
    if (answer.called_aws or picked) and target and not request.no_cache:
        history.used(target, context.environ, context.run.clock(), after_profile=request.role is not None)
    return answer


def forget_sessions_of(context: Context, access_key_ids: Iterable[str]) -> None:
    """Forget the sessions that come from these access keys, and say how many there were. Raises AwsudoError."""
    from awsudo_py.sessions.clearing import forget_key

    count = sum(forget_key(each, [*context.stores.values()]) for each in access_key_ids)
    if count:
        context.terminal.notice(f"{count} session{'' if count == 1 else 's'} that came from it forgotten")


def printed(text: str) -> None:
    """Write to stdout, as bytes: what a secret is made of survives every locale."""
    if sys.stdout is None:
        raise AwsudoError("cannot write to stdout: it is closed")
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
