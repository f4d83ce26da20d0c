"""awsudo help: prints a page of help."""

from __future__ import annotations

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import loaded, subcommand
from awsudo_py.cli.help import examples, options, page
from awsudo_py.cli.help import subcommand as subcommand_page
from awsudo_py.cli.options import Options
from awsudo_py.cli.output import write
from awsudo_py.errors import UsageError, did_you_mean
from awsudo_py.grammar.registry import SUBCOMMANDS

_PAGES = {"options": options, "examples": examples}


class HelpOptions(Options):
    """What `awsudo help` takes."""

    topic: tuple[str, ...]


@subcommand("help", HelpOptions)
def command(call: Call, options: HelpOptions) -> None:
    """Show help: an overview, or one topic.

    \b
      awsudo help                the overview
      awsudo help options        all options, variables and exit codes
      awsudo help examples       command lines to start from
      awsudo help keys add       one subcommand
    """
    if not options.topic:
        write(page())
        return
    name, *rest = options.topic
    if name in _PAGES and not rest:
        write(_PAGES[name]())
        return
    line, path = SUBCOMMANDS.get(name), name
    for word in rest:
        line, path = line.subs.get(word) if line else None, f"{path} {word}"
    if line is None:
        topic = " ".join(options.topic)
        hint = did_you_mean(topic, [*_PAGES, *SUBCOMMANDS]) or "see awsudo help"
        raise UsageError(f"no help for {topic!r}", hint=hint)
    text = "" if line.subs else loaded(line).help or ""
    write(subcommand_page(path, line, text))
