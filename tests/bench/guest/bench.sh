#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest: all parts, each after a line `@@ NAME`. In the environment: PARTS, the names of
# those that are wanted; CALLS, for the first calls of a process; SPINS, how many interruptions.

work=/bench/work

wanted()
{
	case " $PARTS " in
	*" $1 "*) echo "@@ $1" ;;
	*) return 1 ;;
	esac
}

all()
{
	wanted memory && cat /proc/iomem && grep MemTotal /proc/meminfo
	wanted init && od -A n -t u8 /bench/init-tsc
	wanted idle && sed -n 's/^cpu  *//p' /proc/stat
	wanted operations && $work operations
	wanted leaves && $work leaves
	wanted spin && $work spin $SPINS
	wanted ticks && {
		for cpu in $(seq 0 $(($(nproc) - 1))); do
			taskset -c $cpu $work ticks
		done
	}
	wanted calls && $work calls 20
	wanted start && $work start /bench/hello
	wanted status && hvreg status --json
	wanted protected-calls && {
		for count in $CALLS; do
			hvreg status --json
			hvreg run -- $work calls $count
		done
		hvreg status --json
	}
	wanted protected-spin && hvreg run -- $work spin $SPINS
	wanted inside && $work inside
	wanted protected-inside && hvreg run -- $work inside
	wanted protected-start && $work start /usr/bin/hvreg run -- /bench/hello
	wanted traced-leaves && $work traced-leaves
	wanted traced-calls && hvreg run -- $work traced-calls
	wanted traced-spin && hvreg run -- $work traced-spin
	wanted traced-plain && $work traced-inside
	wanted traced-inside && hvreg run -- $work traced-inside
	echo '@@ end'
}

# Not before the end: while a serial port sends, its interrupts come between.
all >/tmp/bench.out 2>&1
cat /tmp/bench.out
