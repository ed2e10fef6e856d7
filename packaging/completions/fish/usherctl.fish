# fish completion for usherctl. Made by `cargo xtask generate`.

# The command on the line, if it is there already.
function __usherctl_verb
    set -l words (commandline -opc)
    set -l skip
    for word in $words[2..]
        if set -q skip[1]
            set -e skip[1]
            continue
        end
        switch $word
            case -p --property -P --kill-whom -s --signal --json -n --lines -o --output
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end

function __usherctl_verb_is
    contains -- (__usherctl_verb; or echo -) $argv
end

# One column of a list, with the line as its description.
function __usherctl_column
    usherctl $argv[2] --no-legend --no-pager 2>/dev/null | string trim | while read -l line
        set -l words (string split -n ' ' -- $line)
        printf '%s\t%s\n' $words[$argv[1]] (string join ' ' -- $words)
    end
end

complete -c usherctl -f

complete -c usherctl -s h -l help -d 'Show this help'
complete -c usherctl -l version -d 'Show the version'
complete -c usherctl -s p -l property -x -d 'Show only properties by this name, even empty ones (repeatable; commas separate names)'
complete -c usherctl -s P -x -d 'Equivalent to --value --property=NAME'
complete -c usherctl -s a -l all -d 'Show all properties, including empty ones'
complete -c usherctl -l value -d 'When showing properties, print only the value'
complete -c usherctl -s l -l full -d 'Do not shorten process lines to the terminal\'s width'
complete -c usherctl -l no-legend -d 'Print tables without header and footer'
complete -c usherctl -l no-pager -d 'Accepted; there is no pager'
complete -c usherctl -l no-ask-password -d 'Accepted; nothing asks for a password'
complete -c usherctl -l kill-whom -x -a 'leader all' -d 'Whom to send the signal to'
complete -c usherctl -s s -l signal -x -a '(kill -l | string split -n " ")' -d 'Which signal to send: a name with or without SIG, a number, RTMIN+N or RTMAX-N'
complete -c usherctl -l json -x -a 'pretty short off' -d 'Print lists and properties as JSON'
complete -c usherctl -s j -d 'Equivalent to --json=pretty on a terminal, --json=short otherwise'
complete -c usherctl -s n -l lines -x -d 'Accepted; journal lines are not shown'
complete -c usherctl -s o -l output -x -d 'Accepted; journal lines are not shown'

complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a list-sessions -d 'List sessions'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a session-status -d 'Show session status'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a show-session -d 'Show properties of sessions, or of usherd'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a activate -d 'Bring a session to the foreground of its seat'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a lock-session -d 'Ask one or more sessions to lock their screens'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a unlock-session -d 'Ask one or more sessions to unlock their screens'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a lock-sessions -d 'Ask all sessions to lock their screens'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a unlock-sessions -d 'Ask all sessions to unlock their screens'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a terminate-session -d 'Terminate one or more sessions'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a kill-session -d 'Send a signal to processes of a session'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a list-users -d 'List users'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a user-status -d 'Show user status'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a show-user -d 'Show properties of users, or of usherd'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a enable-linger -d 'Keep one or more users\' managers running without a login'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a disable-linger -d 'Run one or more users\' managers only while they are logged in'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a terminate-user -d 'Terminate all sessions of one or more users'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a kill-user -d 'Send a signal to processes of a user'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a list-seats -d 'List seats'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a seat-status -d 'Show seat status'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a show-seat -d 'Show properties of seats, or of usherd'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a terminate-seat -d 'Terminate all sessions of one or more seats'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a help -d 'Show this help'
complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a doctor -d 'Look whether this machine is set up right, and say what to do'

complete -c usherctl -n '__usherctl_verb_is session-status show-session activate lock-session unlock-session terminate-session kill-session' -a 'self auto (__usherctl_column 1 list-sessions)'
complete -c usherctl -n '__usherctl_verb_is user-status show-user disable-linger terminate-user kill-user' -a '(__usherctl_column 2 list-users)'
complete -c usherctl -n '__usherctl_verb_is enable-linger' -a '(__fish_complete_users)'
complete -c usherctl -n '__usherctl_verb_is seat-status show-seat terminate-seat' -a 'self auto (__usherctl_column 1 list-seats)'
