"""awsudo prompt: prints a segment for the shell prompt."""

from __future__ import annotations

import os
import time

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options
from awsudo_py.shell.prompt import print_segment


class PromptOptions(Options):
    """What `awsudo prompt` takes."""

    shell: str | None


@subcommand("prompt", PromptOptions)
def command(call: Call, options: PromptOptions) -> None:
    """Print a segment for the shell prompt: the target and the time left.

    Prints nothing without a session. Production is red: a target or role with one of the words prod, production, prd or
    live, and no "non" or "pre" before it. AWSUDO_PROMPT_PRODUCTION=word,word sets other words.

    \b
      bash:  PS1='${AWSUDO_TARGET:+$(awsudo prompt --shell bash) }\\$ '
      zsh:   setopt prompt_subst
             PROMPT='${AWSUDO_TARGET:+$(awsudo prompt --shell zsh) }%# '
      fish:  awsudo prompt --shell fish, in the function fish_prompt
    """
    print_segment(options.shell or "plain", os.environ, time.time())
