# fish completion for awsudo: awsudo itself says what can stand before the command (awsudo _complete); from the command
# on, the line is the command's, and is completed as it would be without awsudo.

function __awsudo_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program awsudo
    string match -q '*/*' -- $words[1]; and set program $words[1]
    # half a quote is unquoted with the other half
    set -l typed (string unescape -- $current; or string unescape -- $current'"'; or string unescape -- $current"'")
    set -l answer (command $program _complete fish $words "$typed" 2>/dev/null)
    or return
    set -l first (string split ' ' -- $answer[1])
    set -e answer[1]
    printf '%s\n' $answer
    switch $first[1]
        case files
            set -l prefix (string sub -l $first[-1] -- $typed)
            for path in (__fish_complete_path (string sub -s (math $first[-1] + 1) -- $typed))
                printf '%s%s\n' $prefix $path
            end
        case child
            string match -q '*["\']*' -- $current; and set current (string escape -n -- $typed)
            if test $first[2] -lt (count $words)
                complete -C (string join ' ' -- (string escape -- $words[(math $first[2] + 1)..-1]) $current)
            else
                for line in (complete -C $current)
                    # functions and builtins are no commands
                    set -l name (string split -f 1 \t -- $line)
                    begin
                        string match -q '*/*' -- $name
                        or command -q $name
                    end
                    and printf '%s\n' $line
                end
            end
    end
end

for name in awsudo awsudo-use
    complete -c $name -f -a '(__awsudo_complete)'
end
