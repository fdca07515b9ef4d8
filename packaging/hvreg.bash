# SPDX-License-Identifier: BSD-2-Clause
# bash completion for hvreg: what its --help lists, then programs and files. It asks nothing of the
# hypervisor.

# The words that begin a line of hvreg's own help, two blanks from the left.
_hvreg_words()
{
	hvreg "$@" --help 2>/dev/null | sed -n 's/^  \(-*[a-z][a-z-]*\).*/\1/p'
}

# _hvreg_program INDEX: that word is the program, those behind it are its arguments.
_hvreg_program()
{
	if [ "$COMP_CWORD" -le "$1" ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

# Prints where the program's name stands: behind the options and their values.
_hvreg_find_program()
{
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			i=$((i + 1))
			break
			;;
		--manifest | --expect | --memory | --require | --exec | --open | --code | --file | --env | --sealed | --to | --as | --key)
			i=$((i + 1))
			;;
		-*) ;;
		*) break ;;
		esac
	done
	echo "$i"
}

_hvreg_value()
{
	case $1 in
	--require) mapfile -t COMPREPLY < <(compgen -W dma -- "$cur") ;;
	--exec | --open) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	--manifest | --code | --file | --sealed | --as) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--expect | --memory | --env | --to | --key) ;;		# nothing to guess
	*) return 1 ;;
	esac
}

_hvreg()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command=${COMP_WORDS[1]} program
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_hvreg_words | grep -v COMMAND)" -- "$cur")
		return
	fi
	case $command in
	run | measure | manifest)
		program=$(_hvreg_find_program)
		if [ "$program" -lt "$COMP_CWORD" ] || [ "$prev" = -- ]; then
			_hvreg_program "$program"
			return
		fi
		_hvreg_value "$prev" && return
		[[ $cur = -* ]] || { _hvreg_program "$COMP_CWORD"; return; }
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$(_hvreg_words "$command") --help" -- "$cur")
	[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -o filenames -F _hvreg hvreg
