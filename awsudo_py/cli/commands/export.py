"""awsudo export: prints the environment of a target."""

from __future__ import annotations

import shlex

from awsudo_py.child_environment import unset_changes
from awsudo_py.cli.call import Call, answered, begin, description_of, picked_target, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.confirmation import pass_rails
from awsudo_py.cli.formats import FORMATS, Format, format_of_shell
from awsudo_py.cli.options import AnsweredOptions
from awsudo_py.cli.output import refuse_terminal, write
from awsudo_py.errors import UsageError
from awsudo_py.session_for import chain_for
from awsudo_py.shell.calling import WITHOUT_FORMAT, calling_shell


class ExportOptions(AnsweredOptions):
    """What `awsudo export` takes."""

    format_name: str | None
    as_json: bool
    process: bool
    unset: bool
    pick: bool
    force: bool
    target: str | None


@subcommand("export", ExportOptions)
def command(call: Call, options: ExportOptions) -> None:
    """Print the credentials for a shell, a file or an SDK.

    \b
      eval "$(awsudo export prod)"                        sh, bash, zsh
      awsudo export prod | source                         fish
      eval "`awsudo export prod`"                         tcsh, csh
      x=$(awsudo export prod) || exit; eval "$x"          scripts, set -e too
      awsudo export prod --format dotenv > .env           docker --env-file
      credential_process = awsudo export prod --process   in ~/.aws/config
    """
    context = begin(call, wait=options.wait)
    form = _format(options)
    if options.unset:
        if options.target is not None or options.profile is not None:
            raise UsageError(
                "--unset does not accept a target: it is the same for every target", hint="awsudo export --unset"
            )
        write(form.write(unset_changes(context.environ)))
        return
    target, picked = options.target, False
    if target is None and options.profile is None:
        if not options.pick:
            raise UsageError("no target: which profile or role?", hint="awsudo export TARGET")
        target, picked = picked_target(context), True
    line = shlex.join(["awsudo", *call.process.argv])
    refuse_terminal("secrets", force=options.force, hint=_instead(form, line))
    request = targeted(call, context, target, options.profile, options)
    chain = chain_for(context, request)
    pass_rails(context, chain, request, (), call.process.argv, yes=options.yes)
    answer = answered(context, request, ahead=form.ahead, picked=picked, chain=chain)
    write(form.write(answer.changes))
    if picked:
        context.terminal.notice(f"now {description_of(answer)}")


def _format(options: ExportOptions) -> Format:
    """The format of --format, --json or --process; else that of the calling shell."""
    named = {options.format_name} if options.format_name else set()
    named |= {name for name, given in (("json", options.as_json), ("process", options.process)) if given}
    if len(named) > 1:
        raise UsageError(f"formats exclude each other: {', '.join(sorted(named))}", hint="name one")
    return FORMATS[named.pop() if named else _format_of_caller(options.target or options.profile or "TARGET")]


def _format_of_caller(target: str) -> str:
    """The format that the calling shell reads. Raises UsageError if it reads none of them."""
    name = calling_shell()
    if name in WITHOUT_FORMAT:
        raise UsageError(
            f"awsudo export has no format for {name}",
            hint=(
                f"start one as the target: awsudo {shlex.quote(target)} {name}",
                f"or name a format: awsudo export {shlex.quote(target)} --format json",
            ),
        )
    return format_of_shell(name)


def _instead(form: Format, line: str) -> str:
    """The hint: the line as typed, changed so that no secret reaches the terminal."""
    if not form.shells or form.name == "cmd":
        return f"write it to a file, or pipe it to a program: {line} > FILE"
    ways = {
        "fish": f"{line} | source",
        "csh": f'eval "`{line}`"',
        "powershell": f"{line} | Out-String | Invoke-Expression",
    }
    way = ways.get(form.name, f'eval "$({line})"')
    return f"let the shell read it: {way}"
