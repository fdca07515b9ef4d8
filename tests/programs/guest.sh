#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# In the guest: runs each case twice, as it is and with every `$P` in it protected, and compares what
# it prints (both streams) and its exit status. Prints TAP.
#
#   guest.sh PROTECTION LIMIT CASE...
#
# PROTECTION: what stands before a command to protect it; empty: each case runs once and must
# succeed, and what it prints is shown. LIMIT: seconds for an unprotected case; protected ones have three times as many. CASE:
# FILE/FUNCTION, for function t_FUNCTION of cases/FILE.sh.

readonly HERE=${0%/*}
readonly PLACE=/tmp/case

# --- For the cases, each in a shell of its own in an empty folder ---------------------------

# wait_until COMMAND...: at most 60 seconds.
wait_until()
{
	for turn in $(seq 600); do
		"$@" && return 0
		sleep 0.1
	done
	echo "timed out: $*"
	return 1
}

# A listening socket of this port, on any address.
listens()
{
	awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && index($2, port) { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

wait_for_port()
{
	wait_until listens "$1"
}

wait_for_file()
{
	wait_until test -e "$1"
}

if [ "$1" = one ]; then
	. "$HERE/cases/${2%/*}.sh"
	set -e
	"t_${2#*/}"
	exit
fi

# --- Around them ----------------------------------------------------------------------------

processes()
{
	cd /proc && echo [0-9]*
}

# Whatever came since $1 was the list of processes.
kill_since()
{
	for process in $(processes); do
		case " $1 " in
		*" $process "*) ;;
		*) kill -9 "$process" 2>/dev/null ;;
		esac
	done
}

# run CASE LIMIT OUTPUT: its exit status, 143 if it took too long.
run()
{
	rm -rf $PLACE
	mkdir -m 755 $PLACE
	before=$(processes)
	(cd $PLACE && HOME=$PLACE exec timeout -k 5 "$2" sh "$HERE/guest.sh" one "$1") \
		>"$3" 2>&1 </dev/null
	status=$?
	kill_since "$before" 2>/dev/null
	return $status
}

# explain TEXT: why the last case failed.
explain()
{
	echo "# $1"
	[ -e /tmp/protected ] || head -n 30 /tmp/plain | sed 's/^/#   /'
	[ ! -e /tmp/protected ] || diff /tmp/plain /tmp/protected | sed 1,2d | head -n 40 | sed 's/^/#   /'
	[ -z "$protection" ] || hvreg log | tail -n 6 | sed 's/^/# /'
	dmesg | grep carrel: | tail -n 4 | sed 's/^/# /'
}

# judge CASE: prints why not.
judge()
{
	rm -f /tmp/plain /tmp/protected
	P='' run "$1" "$limit" /tmp/plain
	plain=$?
	if [ $plain != 0 ]; then
		explain "fails without protection: exit status $plain"
		return 1
	fi
	if [ -z "$protection" ]; then
		sed 's/^/# /' /tmp/plain
		return 0
	fi
	P=$protection run "$1" $((3 * limit)) /tmp/protected
	protected=$?
	# told of each program that is run, on machines without an IOMMU
	sed -i '/^hvreg: warning: DMA unprotected: /d' /tmp/protected
	[ $protected = 0 ] && cmp -s /tmp/plain /tmp/protected && return 0
	explain "exit status $protected protected; what it prints:"
	return 1
}

protection=$1
limit=$2
shift 2
number=0
failures=0
echo "1..$#"
for name; do
	number=$((number + 1))
	begin=$(cut -d' ' -f1 /proc/uptime)
	if judge "$name" >/tmp/why; then
		word=ok
	else
		word='not ok'
		failures=$((failures + 1))
	fi
	echo "$word $number - $name ($(echo "$begin $(cut -d' ' -f1 /proc/uptime)" |
		awk '{ printf "%.1f", $2 - $1 }') s)"
	cat /tmp/why
done
[ $failures = 0 ]
