# bash completion for awsudo                                                          -*- shell-script -*-
#
# awsudo itself says what can stand before the command (awsudo _complete); from the command on, the line is the
# command's, and is completed as it would be without awsudo. Works with bash-completion, and without.
# Names have the prefix __awsudo: the command's completion runs inside these functions, and sees their variables.

_awsudo() {
    local IFS=$' \t\n' __awsudo_program=awsudo __awsudo_answer
    case $1 in */*) __awsudo_program=${1/#\~\//$HOME/} ;; esac
    COMPREPLY=()
    __awsudo_answer=$(command "$__awsudo_program" _complete bash "${COMP_TYPE-9}" "${COLUMNS-80}" "${2-}" \
        "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || return 0
    case $__awsudo_answer in
        child\ *) __awsudo_child "${__awsudo_answer#child }" "$@" ;;
        files) __awsudo_option default ;;
        executables)
            __awsudo_option filenames
            __awsudo_lines "$(compgen -c -- "${2-}")"
            ;;
        -$'\n'*) __awsudo_lines "${__awsudo_answer#*$'\n'}" ;;
    esac
    return 0
}

# Complete the command's own line, which begins at character $1 of ours.
__awsudo_child() {
    local __awsudo_at=0 __awsudo_word=0 __awsudo_rest=$COMP_LINE __awsudo_before __awsudo_tries __awsudo_spec
    # COMP_WORDS breaks at : and = too, so the word is found by where it stands
    while ((__awsudo_word < COMP_CWORD)); do
        __awsudo_before=${__awsudo_rest%%"${COMP_WORDS[__awsudo_word]}"*}
        ((__awsudo_at + ${#__awsudo_before} >= $1)) && break
        __awsudo_before=$((${#__awsudo_before} + ${#COMP_WORDS[__awsudo_word]}))
        __awsudo_at=$((__awsudo_at + __awsudo_before))
        __awsudo_rest=${__awsudo_rest:__awsudo_before}
        __awsudo_word=$((__awsudo_word + 1))
    done
    COMP_LINE=${COMP_LINE:$1}
    COMP_POINT=$((COMP_POINT - $1))
    COMP_WORDS=("${COMP_WORDS[@]:__awsudo_word}")
    COMP_CWORD=$((COMP_CWORD - __awsudo_word))
    shift 2
    set -- "${COMP_WORDS[0]}" "$@"
    # 124 says that a completion was loaded only now (Bash manual, "Programmable Completion")
    for __awsudo_tries in 1 2 3; do
        __awsudo_spec=$(complete -p -- "$1" 2>/dev/null || complete -p -- "${1##*/}" 2>/dev/null ||
            complete -p -D 2>/dev/null)
        if [[ ! $__awsudo_spec ]]; then
            __awsudo_option bashdefault
            __awsudo_option default
            return
        fi
        __awsudo_by_spec "$@"
        (($? == 124)) || return
    done
}

# Do what the specification says; it is as `complete -p` prints it, so the shell can read it.
__awsudo_by_spec() {
    local __awsudo_command=$1 __awsudo_typed=${2-} __awsudo_last=${3-}
    local __awsudo_function= __awsudo_by= __awsudo_actions
    __awsudo_actions=()
    eval "set -- ${__awsudo_spec#complete }"
    while (($#)); do
        case $1 in
            -o) __awsudo_option "$2" && shift ;;
            -F) __awsudo_function=$2 && shift ;;
            -C) __awsudo_by=$2 && shift ;;
            -[AGWXPS]) __awsudo_actions+=("$1" "$2") && shift ;;
            -[DEI] | --) ;;
            -*) __awsudo_actions+=("$1") ;;
        esac
        shift
    done
    if [[ $__awsudo_function ]]; then
        "$__awsudo_function" "$__awsudo_command" "$__awsudo_typed" "$__awsudo_last"
        return
    fi
    if [[ $__awsudo_by ]]; then
        # such a program reads the line from its environment: it gets the command's, not ours
        __awsudo_lines "$(
            export COMP_LINE COMP_POINT COMP_KEY COMP_TYPE
            eval "$__awsudo_by \"\$__awsudo_command\" \"\$__awsudo_typed\" \"\$__awsudo_last\"" 2>/dev/null
        )"
    elif ((${#__awsudo_actions[@]})); then
        __awsudo_lines "$(compgen "${__awsudo_actions[@]}" -- "$__awsudo_typed" 2>/dev/null)"
    fi
    return 0
}

# One candidate a line. Not mapfile, which macOS's bash lacks; and nothing is expanded on the way.
__awsudo_lines() {
    local IFS=$'\n' __awsudo_glob=
    case $- in *f*) ;; *) __awsudo_glob=1 && set -f ;; esac
    COMPREPLY=($1)
    [[ ! $__awsudo_glob ]] || set +f
}

__awsudo_option() {
    # macOS's bash has none
    compopt -o "$1" 2>/dev/null || :
}

complete -F _awsudo awsudo awsudo-use
