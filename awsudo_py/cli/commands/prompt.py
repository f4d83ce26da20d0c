"""awsudo prompt: prints a prompt's segment."""

from __future__ import annotations

import os
import time

from awsudo_py.cli.click_glue import subcommand
from awsudo_py.shell.prompt import print_segment


@subcommand("prompt")
def command(shell: str | None) -> None:
    """Print a prompt's segment: the target, and the time left.

    Nothing where there is no session. Production is red: what has one of the words prod, production, prd or live in its
    target or role, and no "non" or "pre" before it; AWSUDO_PROMPT_PRODUCTION=word,word lists others.

    \b
      PS1='${AWSUDO_TARGET:+$(awsudo prompt --shell bash) }\\$ '             bash
      PROMPT='${AWSUDO_TARGET:+$(awsudo prompt --shell zsh) }%# '           zsh, after: setopt prompt_subst
      awsudo prompt --shell fish                                            fish, in fish_prompt
    """
    print_segment(shell or "plain", os.environ, time.time())
