#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# In the guest: guest.sh ROUNDS SEEDS NAME... - each of /stress' programs that are named, without
# and with protection. Prints TAP.

rounds=$1
seeds=$2
shift 2
number=0
failures=0

# back: no process, chunk or block is left at the hypervisor, soon.
back()
{
	for turn in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(hvreg ps --json)" = '[]' ] &&
			hvreg status --json | grep -q '"chunks_donated":0[,}]' && return 0
		sleep 0.5
	done
	echo "left: $(hvreg ps --json)"
	return 1
}

# same NAME PROGRAM ARGUMENT...
same()
{
	name=$1
	shift
	number=$((number + 1))
	begin=$(cut -d' ' -f1 /proc/uptime)
	rm -rf /tmp/stress && mkdir /tmp/stress
	"$@" >/tmp/plain 2>&1 </dev/null
	echo "status $?" >>/tmp/plain
	middle=$(cut -d' ' -f1 /proc/uptime)
	rm -rf /tmp/stress && mkdir /tmp/stress
	hvreg run -- "$@" >/tmp/protected 2>&1 </dev/null
	echo "status $?" >>/tmp/protected
	sed -i '/^hvreg: warning: DMA unprotected: /d' /tmp/protected
	end=$(cut -d' ' -f1 /proc/uptime)
	times=$(echo "$begin $middle $end" | awk '{ printf "%.1f s, %.1f s protected", $2 - $1, $3 - $2 }')
	if grep -q '^status 0$' /tmp/plain && cmp -s /tmp/plain /tmp/protected && back >/tmp/left; then
		echo "ok $number - $name ($times)"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $number - $name ($times)"
	diff /tmp/plain /tmp/protected | head -n 30 | sed 's/^/# /'
	[ ! -e /tmp/left ] || sed 's/^/# /' /tmp/left
	hvreg log | tail -n 6 | sed 's/^/# /'
}

for name; do
	case $name in
	stress)
		for seed in $seeds; do
			same "stress, seed $seed" /stress/stress "$rounds" "$seed"
		done
		;;
	files) same files /stress/files /tmp/stress ;;
	*) same "$name" "/stress/$name" ;;
	esac
done
number=$((number + 1))
if dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|Bad page|soft lockup|rcu.*stall' >/tmp/out; then
	failures=$((failures + 1))
	echo "not ok $number - no complaint of the kernel"
	sed 's/^/# /' /tmp/out
else
	echo "ok $number - no complaint of the kernel"
fi
echo "1..$number"
[ $failures = 0 ]
