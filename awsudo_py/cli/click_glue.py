"""Makes click commands of the tables in grammar/, and calls each with a typed record of its values."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from awsudo_py.cli.call import Call, Process, empty_profile, set_level
from awsudo_py.cli.options import Options
from awsudo_py.errors import UsageError, did_you_mean
from awsudo_py.grammar.options import HELP
from awsudo_py.grammar.registry import Subcommand, registered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.grammar.options import Option
    from awsudo_py.grammar.registry import Argument

_O = TypeVar("_O", bound=Options)


class Words(click.Command):
    """A command whose options end at the first other word: what follows is passed on unchanged.

    ctx.args holds the rest, byte for byte; ctx.meta["dashed"] says whether `--` comes right before it.
    """

    allow_interspersed_args = False
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = self._spelled(ctx, args)
        given = list(args)
        rest = super().parse_args(ctx, args)
        read = given[: len(given) - len(rest)]
        ctx.meta["dashed"] = read[-1:] == ["--"] and not self._takes_more(ctx, read[:-1])
        return rest

    def _spelled(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words, with --serve=linger among the options rewritten for click as a switch of its own."""
        if "--serve=linger" not in args:
            return args
        valued = {flag for each in self.get_params(ctx) if not getattr(each, "is_flag", True) for flag in each.opts}
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] not in ("-", "--"):
            if args[at] == "--serve=linger":
                return [*args[:at], "--serve-linger", *args[at + 1 :]]
            short = not args[at].startswith("--")
            takes_next = f"-{args[at][-1]}" in valued if short else args[at] in valued
            at += 2 if takes_next else 1
        return args

    def _takes_more(self, ctx: click.Context, words: list[str]) -> bool:
        """Whether the last of these words is an option that still needs its value."""
        try:
            self.make_parser(ctx).parse_args(words)
        except click.UsageError:
            return True
        return False


class Dashed(click.Command):
    """A command whose options and arguments come in any order before `--`; ctx.args holds what follows that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["dashed"] = at < len(args)
        super().parse_args(ctx, args[:at])
        ctx.args = args[at + 1 :]
        return ctx.args


class _Subcommand(click.Command):
    """A subcommand, with help in the format of all other pages."""

    line: Subcommand
    path: str

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click does not name it for an option without its value
            raise

    def get_help(self, ctx: click.Context) -> str:
        from awsudo_py.cli import help as pages  # here, so that other runs do not import it

        return pages.subcommand(self.path, self.line, self.help or "").rstrip("\n")


class _RunSubcommand(_Subcommand, Words):
    """A subcommand that runs a command."""


class _DashedSubcommand(_Subcommand, Dashed):
    """A subcommand with a command after `--`."""


def click_options(options: Sequence[Option]) -> list[click.Parameter]:
    """These options as click's."""
    made: list[click.Parameter] = []
    for each in options:
        how: dict[str, Any] = {"is_flag": True}
        if each.metavar:
            how = {"metavar": each.metavar, "multiple": each.many}
        if each.strict:
            how["type"] = click.Choice(list(each.values))
        made.append(click.Option([each.field, *each.flags], help=each.help, **how))
    return made


def _click_argument(argument: Argument) -> click.Argument:
    kind = click.Choice(list(argument.values)) if argument.strict else None
    count = -1 if argument.many else 1
    return click.Argument([argument.field], required=argument.required, metavar=argument.usage, type=kind, nargs=count)


def help_option(command: click.Command) -> click.Command:
    """The command, with -h and --help."""
    return click.help_option(*HELP.flags, help=HELP.help)(command)


def subcommand(path: str, record: type[_O]) -> Callable[[Callable[[Call, _O], int | None]], click.Command]:
    """Make this function the subcommand of that name (`clear`, `keys add`), with the options and arguments of its line.

    It is called with a `record` of them. What it returns is the exit code; None is 0.
    """

    def make(function: Callable[[Call, _O], int | None]) -> click.Command:
        line = registered(path)

        @click.pass_context
        def callback(ctx: click.Context, /, **values: Any) -> None:
            merged = _with_outer(path, line, ctx, values)
            process = cast("Process", ctx.obj)
            call = Call(process, path, tuple(ctx.args), ctx.meta.get("dashed", False))
            code = function(call, record(merged))
            if code:
                ctx.exit(code)

        kind = _RunSubcommand if line.runs else _DashedSubcommand if line.dashed else _Subcommand
        made = kind(
            line.name,
            callback=callback,
            help=inspect.cleandoc(function.__doc__ or ""),
            params=[*click_options(line.options), *map(_click_argument, line.arguments)],
        )
        made.line, made.path = line, path
        return help_option(made)

    return make


def _with_outer(path: str, line: Subcommand, ctx: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """A subcommand's options with those given before it (`awsudo -q keys list`). Raises UsageError.

    One that the subcommand does not accept is refused: ignoring it would be a silent mistake.
    """
    outer = {name: value for name, value in ctx.find_root().params.items() if _is_given(value)}
    merged = {name: value if _is_given(value) else outer.get(name, value) for name, value in values.items()}
    own = {option.field for option in line.options}
    for name in outer:
        if name not in own and name not in ("quiet", "verbose"):
            flag = next(param.opts[-1] for param in ctx.find_root().command.params if param.name == name)
            raise UsageError(f"{path} does not take {flag}", hint=f"see awsudo {path} --help")
    if merged.get("profile") == "":
        raise empty_profile()
    set_level(
        cast("Process", ctx.obj).terminal,
        quiet=bool(merged.get("quiet") or outer.get("quiet")),
        verbose=bool(merged.get("verbose") or outer.get("verbose")),
    )
    return merged


def _is_given(value: object) -> bool:
    return value not in (None, (), False)


def loaded(line: Subcommand) -> click.Command:
    """The click command of a line in the registry; its module is loaded now."""
    return _Group(line) if line.subs else cast("click.Command", import_module(line.module).command)


class _Group(click.Group):
    """A subcommand that has subcommands."""

    def __init__(self, line: Subcommand) -> None:
        names = {"help_option_names": ["-h", "--help"]}
        super().__init__(
            line.name,
            help=line.help,
            no_args_is_help=False,
            context_settings=names,
            subcommand_metavar="SUBCOMMAND ...",
        )
        self._line = line

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._line.subs and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self._line.subs) or f"one of {', '.join(self._line.subs)}"
            raise UsageError(f"{self._line.name} has no subcommand {args[0]!r}", hint=hint)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise UsageError(
                f"{self._line.name} needs a subcommand: {', '.join(self._line.subs)}",
                hint=f"see awsudo {self._line.name} --help",
            )
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._line.subs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return loaded(self._line.subs[cmd_name]) if cmd_name in self._line.subs else None

    def get_help(self, ctx: click.Context) -> str:
        from awsudo_py.cli import help as pages  # here, so that other runs do not import it

        return pages.subcommand(self._line.name, self._line, "").rstrip("\n")
