# SPDX-License-Identifier: MIT
# Completion of mimobox(1) for bash.

# The names of the sessions at the mount that the line names, or at the usual one.
_mimobox_sessions() {
	local i mount=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} != --mount ]] || mount=(--mount "${COMP_WORDS[i + 1]}")
	done
	mimobox ls -q "${mount[@]}" 2>/dev/null
}

_mimobox_value() {
	case $1 in
	--mount | --project) compgen -d -- "$2" ;;
	--config) compgen -f -- "$2" ;;
	--ro | --rw | --overlay | --root | --device) compgen -f -- "$2" ;;
	--network) compgen -W 'none names host tcp' -- "$2" ;;
	--seccomp) compgen -W 'strict essential network compat' -- "$2" ;;
	--replies) compgen -W 'auto always never' -- "$2" ;;
	--overflow) compgen -W 'wait drop' -- "$2" ;;
	--ends) compgen -W 'command last-process' -- "$2" ;;
	--in) compgen -W "$(_mimobox_sessions)" -- "$2" ;;
	--landlock) compgen -W 'auto 1 2 3 4 5 6 none' -- "$2" ;;
	--terminal | --fork | --ptrace) compgen -W 'yes no' -- "$2" ;;
	--timeout | --idle-timeout | --network-ask | --memory | --processes | --cpu | --file-size | --disk | --home) compgen -W none -- "$2" ;;
	esac
}

_mimobox_run() {
	local i word joins=0 options='--mount --name --keep --project --apply --discard --config --env --cwd --timeout --idle-timeout --kill-grace
		--memory --processes --cpu --open-files --file-size --tmp-size --disk --home --terminals --retain --overflow
		--ro --rw --overlay --root --device --network --allow --deny --network-ask --publish --seccomp --fork --ptrace --landlock --terminal --ends --replies --in'
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--keep | --apply | --discard | --*=*) ;;
		--?*) ((++i)) ;;
		*) # the session, then the command and its arguments
			if [[ ${COMP_WORDS[1]} == exec && $joins == 0 ]]; then
				joins=1
				continue
			fi
			[[ $word != -- ]] || ((++i))
			[[ $i -lt $COMP_CWORD ]] && compgen -f -- "$1" || compgen -c -- "$1"
			return
			;;
		esac
	done
	if [[ $i -gt $COMP_CWORD ]]; then
		_mimobox_value "${COMP_WORDS[COMP_CWORD - 1]}" "$1"
	elif [[ $1 == -* ]]; then
		compgen -W "$options --" -- "$1"
	elif [[ ${COMP_WORDS[1]} == exec && $joins == 0 ]]; then
		compgen -W "$(_mimobox_sessions)" -- "$1"
	else
		compgen -c -- "$1"
	fi
}

_mimobox() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local IFS=$' \t\n' found
	if ((COMP_CWORD == 1)); then
		found=$(compgen -W 'run exec attach ls status diff apply discard rm forward doctor --help --version' -- "$word")
	elif [[ ${COMP_WORDS[1]} == run || ${COMP_WORDS[1]} == exec ]]; then
		found=$(_mimobox_run "$word")
	elif [[ $before == --mount ]]; then
		found=$(compgen -d -- "$word")
	else
		case ${COMP_WORDS[1]}:$word in
		attach:-*) found=$(compgen -W '-e --mount' -- "$word") ;;
		ls:*) found=$(compgen -W '-q --json --mount' -- "$word") ;;
		diff:-*) found=$(compgen -W '-u --mount' -- "$word") ;;
		rm:-* | apply:-* | discard:-* | forward:-*) found=$(compgen -W '--mount' -- "$word") ;;
		status:-* | doctor:*) found=$(compgen -W '--json --mount' -- "$word") ;;
		attach:* | status:* | rm:* | diff:* | apply:* | discard:* | forward:*) found=$(compgen -W "$(_mimobox_sessions)" -- "$word") ;;
		esac
	fi
	IFS=$'\n'
	COMPREPLY=($found)
}

complete -o filenames -F _mimobox mimobox
