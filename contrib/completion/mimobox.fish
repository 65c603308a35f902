# SPDX-License-Identifier: MIT
# Completion of mimobox(1) for fish.

function __mimobox_sessions
    set -l words (commandline -opc)
    set -l at (contains -i -- --mount $words)
    and mimobox ls -q --mount $words[(math $at + 1)] 2>/dev/null
    or mimobox ls -q 2>/dev/null
end

# What could follow in the command that `run` is given; fails while its options are not over.
function __mimobox_command
    set -l words (commandline -opc)
    test (count $words) -ge 2 -a "$words[2]" = run
    or return 1
    set -e words[1..2]
    while string match -qr -- '^--.' "$words[1]"
        string match -qr -- '^--([^=]+=.*|keep)$' $words[1]
        or set -e words[2]
        or return 1
        set -e words[1]
    end
    test "$words[1]" = --
    and set -e words[1]
    test (count $words) -eq 0
    and string match -q -- '-*' (commandline -ct)
    and return 1
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

function __mimobox_verb
    set -l words (commandline -opc)
    test (count $words) -ge 2
    and contains -- $words[2] $argv
end

set -l run '__mimobox_verb run'

complete -c mimobox -f
complete -c mimobox -n 'test (count (commandline -opc)) -eq 1' -l help -d 'Show help'
complete -c mimobox -n 'test (count (commandline -opc)) -eq 1' -l version -d 'Show the version'
complete -c mimobox -n __fish_use_subcommand -a run -d 'Run a command in a session of its own'
complete -c mimobox -n __fish_use_subcommand -a exec -d 'Run a command in the sandbox of a session'
complete -c mimobox -n __fish_use_subcommand -a attach -d 'Use a session\'s terminal'
complete -c mimobox -n __fish_use_subcommand -a ls -d 'List the sessions'
complete -c mimobox -n __fish_use_subcommand -a status -d 'What is known of a session'
complete -c mimobox -n __fish_use_subcommand -a diff -d 'What a session has changed'
complete -c mimobox -n __fish_use_subcommand -a apply -d 'Bring that to the host'
complete -c mimobox -n __fish_use_subcommand -a discard -d 'Drop it'
complete -c mimobox -n __fish_use_subcommand -a rm -d 'End and remove sessions'
complete -c mimobox -n __fish_use_subcommand -a forward -d 'A port of a session as one of this machine'
complete -c mimobox -n __fish_use_subcommand -a doctor -d 'What this machine has and lacks'

complete -c mimobox -n '__mimobox_verb run exec attach ls status diff apply discard rm forward doctor' -l mount -r \
    -a '(__fish_complete_directories)' -d 'Where the sessions are'
complete -c mimobox -n '__mimobox_verb exec attach status rm diff apply discard forward' -a '(__mimobox_sessions)' -d Session
complete -c mimobox -n '__mimobox_verb attach' -s e -x -d 'The key that detaches'
complete -c mimobox -n '__mimobox_verb ls' -s q -d 'Names alone'
complete -c mimobox -n '__mimobox_verb ls status doctor' -l json -d 'As JSON'

complete -c mimobox -n '__mimobox_verb exec' -l env -x -d 'A variable, NAME=VALUE'
complete -c mimobox -n '__mimobox_verb exec' -l cwd -x -d 'Where it starts'
complete -c mimobox -n '__mimobox_verb exec' -l timeout -x -a none -d 'When it is ended'
complete -c mimobox -n '__mimobox_verb exec' -l terminal -x -a 'yes no' -d 'Or pipes'

complete -c mimobox -n $run -l name -x -d 'Of the session'
complete -c mimobox -n $run -l keep -d 'Leave the session there'
complete -c mimobox -n $run -l config -r -F -d 'Lines for the config'
complete -c mimobox -n $run -l env -x -d 'A variable, NAME=VALUE'
complete -c mimobox -n $run -l cwd -x -d 'Where it starts'
complete -c mimobox -n $run -l timeout -x -a none -d 'When it is ended'
complete -c mimobox -n $run -l idle-timeout -x -a none -d 'When it is ended, unused'
complete -c mimobox -n $run -l kill-grace -x -d 'From SIGTERM to SIGKILL'
complete -c mimobox -n $run -l memory -x -a none -d Limit
complete -c mimobox -n $run -l processes -x -a none -d Limit
complete -c mimobox -n $run -l cpu -x -a none -d 'Limit, in cores'
complete -c mimobox -n $run -l open-files -x -d Limit
complete -c mimobox -n $run -l file-size -x -a none -d Limit
complete -c mimobox -n $run -l tmp-size -x -d 'Of /tmp'
complete -c mimobox -n $run -l disk -x -a none -d 'Limit of what it keeps on disk'
complete -c mimobox -n $run -l home -x -a none -d 'Room for a home on disk'
complete -c mimobox -n $run -l terminals -x -d Limit
complete -c mimobox -n $run -l retain -x -d 'How much output is kept'
complete -c mimobox -n $run -l overflow -x -a 'wait drop' -d 'Past that'
complete -c mimobox -n $run -l replies -x -a 'auto always never' -d 'Whether the session answers its program'
complete -c mimobox -n $run -l ro -r -F -d 'Path to see'
complete -c mimobox -n $run -l project -r -a '(__fish_complete_directories)' -d 'Directory that is copied on write'
complete -c mimobox -n $run -l apply -d 'Bring what was changed there'
complete -c mimobox -n $run -l discard -d 'Drop it'
complete -c mimobox -n '__mimobox_verb diff' -s u -d 'Differences of files'
complete -c mimobox -n $run -l rw -r -F -d 'Path to change'
complete -c mimobox -n $run -l root -r -a '(__fish_complete_directories)' -d 'Directory with another system'
complete -c mimobox -n $run -l device -r -F -d 'Device to open'
complete -c mimobox -n $run -l overlay -r -F -d 'Directory to change a copy of'
complete -c mimobox -n $run -l network -x -a 'none names host tcp' -d 'What may be reached'
complete -c mimobox -n $run -l allow -x -d 'A host by name, HOST[:PORT,...]'
complete -c mimobox -n $run -l deny -x -d 'A host by name'
complete -c mimobox -n $run -l network-ask -x -a none -d 'How long a name waits for an answer'
complete -c mimobox -n $run -l publish -x -d 'Ports to reach, PORT,...'
complete -c mimobox -n $run -l seccomp -x -a 'strict essential network compat' -d 'System calls'
complete -c mimobox -n $run -l fork -x -a 'yes no' -d 'Other processes'
complete -c mimobox -n $run -l ptrace -x -a 'yes no' -d 'Debuggers'
complete -c mimobox -n $run -l landlock -x -a 'auto 1 2 3 4 5 6 none' -d 'The lowest version'
complete -c mimobox -n $run -l terminal -x -a 'yes no' -d 'Or pipes'
complete -c mimobox -n $run -l ends -x -a 'command last-process' -d 'With whom'
complete -c mimobox -n $run -l in -x -a '(__mimobox_sessions)' -d 'Whose sandbox'
complete -c mimobox -n $run -a '(__mimobox_command)'
