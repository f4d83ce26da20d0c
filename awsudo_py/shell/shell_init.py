"""Writes the shell code for `awsudo-use`: static text that a shell evaluates when it starts.

1. It never fails a login shell: nothing in it runs a program, prints, or trips over `set -eu`.
2. What is evaluated is an export in the shell's own format, whatever the options; help is displayed instead.
3. A failure leaves the environment as it was, with awsudo's message and exit code.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: POSIX has no `local`, and no `-` in the names of functions, to which dash and mksh keep; in those of aliases all have
#: it. The assignment with its || keeps awsudo's exit code, and `set -e` out of the way.
_USE = """\
__awsudo_use() {
  LOCAL__awsudo_changes=$(command awsudo export "$@" --format FORMAT --pick) || {
    set -- "$?"; unset __awsudo_changes; return "$1"
  }
  case $__awsudo_changes in
    'Usage: '*) printf '%s\\n' "$__awsudo_changes" ;;
    *) eval "$__awsudo_changes" ;;
  esac
  unset __awsudo_changes
}
"""
_ALIAS = """\
alias awsudo-use=__awsudo_use
"""
#: bash in POSIX mode refuses the name, and ends a script for it.
_BASH_NAME = """\
case :$SHELLOPTS: in
  *:posix:*) alias awsudo-use=__awsudo_use ;;
  *) eval 'awsudo-use() { __awsudo_use "$@"; }' ;;
esac
"""
_ZSH_NAME = """\
awsudo-use() { __awsudo_use "$@"; }
"""
#: The script is loaded at the first TAB; what completes awsudo already goes on doing so.
_BASH_TAB = """\
__awsudo_load() { eval "$(command awsudo completion bash 2>/dev/null)" && _awsudo "$@"; }
case $- in
  *i*)
    complete -F __awsudo_load awsudo-use
    complete -p awsudo >/dev/null 2>&1 || complete -F __awsudo_load awsudo
    ;;
esac
"""
_ZSH_TAB = """\
if (( ${+functions[compdef]} )); then
  (( ${+functions[_awsudo]} )) || _awsudo() { eval "$(command awsudo completion zsh 2>/dev/null)"; _awsudo "$@"; }
  compdef _awsudo awsudo awsudo-use
fi
"""
_FISH = """\
function awsudo-use --description 'Make this shell an AWS profile or role'
    set -l changes (command awsudo export $argv --format fish --pick)
    or return
    if string match -q 'Usage: *' -- $changes[1]
        printf '%s\\n' $changes
    else
        printf '%s\\n' $changes | source
    end
end
function __awsudo_use_complete
    functions -q __awsudo_complete
    or command awsudo completion fish 2>/dev/null | source
    __awsudo_complete
end
complete -c awsudo-use -e
complete -c awsudo-use -f -a '(__awsudo_use_complete)'
"""

#: One line, as an alias has to be. The last command gives back awsudo's exit code, without a program.
_CSH = """\
alias awsudo-use '\
set __awsudo_changes = "`awsudo export \\!* --format csh --pick`"; set __awsudo_status = $status; \
if ( $__awsudo_status == 0 && "$__awsudo_changes" !~ "Usage: *" ) eval "$__awsudo_changes"; \
if ( $__awsudo_status == 0 && "$__awsudo_changes" =~ "Usage: *" ) awsudo export \\!*; \
unset __awsudo_changes; (exit $__awsudo_status)\
'
""".replace("\\\n", "")


def _use(shell: str, local: str = "local __awsudo_changes; ") -> str:
    return _USE.replace("LOCAL", local).replace("FORMAT", shell)


TEXTS = {
    "sh": _use("sh", local="") + _ALIAS,
    "bash": _use("bash") + _BASH_NAME + _BASH_TAB,
    "zsh": _use("zsh") + _ZSH_NAME + _ZSH_TAB,
    "fish": _FISH,
    "csh": _CSH,
    "tcsh": _CSH,
}
#: What completes awsudo and nothing more, for an rc file: no program runs when a shell starts.
COMPLETION = {"bash": _BASH_TAB, "zsh": _ZSH_TAB}
_WITHOUT_TEXT = ("powershell", "pwsh", "cmd")


def shell_init(words: Sequence[str]) -> int | None:
    """Print the text for the shell that words name, else the calling one; the exit code, None if click is to judge."""
    if words and (len(words) > 1 or words[0] not in TEXTS):
        return None
    shell = words[0] if words else reading_shell()
    if shell is None:
        return None
    os.write(1, TEXTS[shell].encode())
    return 0


def reading_shell() -> str | None:
    """The name of the text that the calling shell reads; sh for an unknown program, None if it reads none."""
    from awsudo_py.shell.calling import WITHOUT_FORMAT, calling_shell

    name = calling_shell()
    if name in _WITHOUT_TEXT or name in WITHOUT_FORMAT:
        return None
    return name if name in TEXTS else "sh"
