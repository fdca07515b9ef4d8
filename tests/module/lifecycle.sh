# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest, under Carrel, by busybox's shell: the life of protected processes as the host
# kernel sees and ends it. Prints TAP.

readonly CPU1=/sys/devices/system/cpu/cpu1/online
number=0
failures=0

# check NAME COMMAND...: a test passes if COMMAND does, in a shell of its own.
check()
{
	name=$1
	shift
	number=$((number + 1))
	if ("$@") >/tmp/out 2>&1 && everything_is_back >>/tmp/out 2>&1; then
		echo "ok $number - $name"
	else
		failures=$((failures + 1))
		echo "not ok $number - $name"
		sed 's/^/# /' /tmp/out
		clean_up
	fi
}

# What a test that failed left behind must not make the next one fail.
clean_up()
{
	for process in /proc/[0-9]*; do
		grep -q /dev/carrel $process/maps 2>/dev/null && kill -9 ${process#/proc/}
	done
	[ -e $CPU1 ] && echo 1 >$CPU1
	[ -e /dev/carrel ] || insmod /lib/carrel.ko
	for i in 1 2 3 4 5 6 7 8 9 10; do
		everything_is_back >/dev/null && break
		sleep 1
	done
}

fail()
{
	echo "$*"
	exit 1
}

# memory MEMBER: a number out of hvreg status --json.
memory()
{
	hvreg status --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

# Between tests no process, chunk or block is at the hypervisor, and nothing was lost.
everything_is_back()
{
	[ "$(hvreg ps --json)" = '[]' ] || fail "processes are left: $(hvreg ps)"
	[ "$(memory chunks_donated)" = 0 ] || fail "$(memory chunks_donated) chunks are left"
	[ "$(memory blocks_lent)" = 0 ] || fail "$(memory blocks_lent) blocks are left"
	[ "$(cat /sys/module/carrel/parameters/leaked_pages)" = 0 ] || fail 'pages leaked'
}

# running N: waits until the hypervisor has N processes whose threads run.
running()
{
	tries=0
	while [ "$(hvreg ps | grep -c ready)" != "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || fail "not $1 processes: $(hvreg ps)"
		usleep 50000
	done
}

# killed PID: waits for a child that was killed.
killed()
{
	wait "$1"
	[ $? = 137 ] || fail "$1 did not die of SIGKILL"
}

exit_statuses()
{
	hvreg run busybox true || fail "true: $?"
	hvreg run busybox false
	[ $? = 1 ] || fail 'false'
	hvreg run busybox sh -c 'exit 77'
	[ $? = 77 ] || fail 'exit 77'
	hvreg run /nowhere
	[ $? = 127 ] || fail 'no program'
	hvreg run /root
	[ $? = 126 ] || fail 'a folder'
}

identity()
{
	ran=$(hvreg run --json busybox true 2>&1 | sed 's/.*"identity":"\([0-9a-f]*\)".*/\1/')
	measured=$(hvreg measure busybox)
	[ "$ran" = "$measured" ] || fail "ran $ran, measured $measured"
	[ ${#measured} = 64 ] || fail "not 64 digits: $measured"
}

kill_while_computing()
{
	victim spin & unprotected=$!
	hvreg run victim spin & protected=$!
	running 1
	kill -9 $protected $unprotected
	killed $protected
}

kill_while_waiting()
{
	mkfifo /tmp/fifo
	hvreg run busybox cat </tmp/fifo & protected=$!
	exec 3>/tmp/fifo
	running 1
	kill -9 $protected
	killed $protected
}

# Whenever it comes: while pages are added, while the shim starts, while the program runs.
kill_at_any_time()
{
	delay=0
	while [ $delay -lt 300000 ]; do
		hvreg run victim spin & protected=$!
		usleep $delay
		kill -9 $protected
		killed $protected
		everything_is_back
		delay=$((delay + 9000))
	done
}

fifty_in_any_order()
{
	pids=
	for i in 1 2 3 4 5; do
		for j in 1 2 3 4 5 6 7 8 9 10; do
			case $((j % 3)) in
			0) hvreg run victim spin & ;;
			1) hvreg run busybox sleep 1000 & ;;
			2) hvreg run --memory 16 busybox sha256sum /bin/busybox & ;;
			esac
			pids="$! $pids"
		done
		usleep 100000
		n=0
		rest=
		for pid in $pids; do
			n=$((n + 1))
			if [ $((n % 2)) = 0 ]; then
				kill -9 $pid 2>/dev/null
			else
				rest="$rest $pid"
			fi
		done
		pids=$rest
	done
	kill -9 $pids 2>/dev/null
	wait
}

# soon COMMAND...: within five seconds.
soon()
{
	tries=0
	until ("$@") >/dev/null; do
		tries=$((tries + 1))
		if [ $tries = 50 ]; then
			"$@"
			fail "not soon: $*"
		fi
		usleep 100000
	done
}

# Sixteen protected shells that fork each other, killed as a group at any time.
kill_a_family()
{
	delay=0
	while [ $delay -lt 1500000 ]; do
		setsid hvreg run busybox sh -c '
			f() { [ $1 = 0 ] || { f $(($1 - 1)) & f $(($1 - 1)) & wait; }; }; f 3' &
		protected=$!
		usleep $delay
		kill -9 -$protected 2>/dev/null || kill -9 $protected 2>/dev/null
		wait $protected
		soon everything_is_back
		delay=$((delay + 150000))
	done
}

# Threads that map memory, and children, some of them by exec; all are killed, or the first alone.
kill_a_crowd()
{
	delay=0
	while [ $delay -lt 2000000 ]; do
		setsid hvreg run victim crowd & protected=$!
		usleep $delay
		kill -9 $protected
		wait $protected
		kill -9 -$protected 2>/dev/null
		soon everything_is_back
		delay=$((delay + 135000))
	done
}

# start_pair: $parent and $child are numbers of host processes.
start_pair()
{
	rm -f /tmp/pair
	hvreg run victim pair >/tmp/pair & protected=$!
	soon grep -q '^[0-9]* [0-9]*$' /tmp/pair
	parent=$(cut -d' ' -f1 /tmp/pair)
	child=$(cut -d' ' -f2 /tmp/pair)
	[ "$parent" = $protected ] || fail "the parent is $parent, not $protected"
	running 2
}

# gone PID: it, and what it had.
gone()
{
	[ ! -e "/proc/$1" ] || fail "$1 is still there"
}

# The child goes on with the memory that it had in common with its parent; so does the module.
parent_killed()
{
	start_pair
	kill -9 $parent
	killed $parent
	running 1
	usleep 500000
	kill -0 $child || fail 'the child died with its parent'
	rmmod carrel && fail 'unloaded'
	hvreg run busybox true || fail "another: $?"
	kill -9 $child
	soon gone $child
	soon everything_is_back
}

child_killed()
{
	start_pair
	kill -9 $child
	soon grep -q '^child 9$' /tmp/pair
	running 1
	usleep 500000
	kill -9 $parent
	killed $parent
}

# The carrier's number stays, its process at the hypervisor is another one each time.
killed_while_it_execs()
{
	delay=0
	while [ $delay -lt 600000 ]; do
		hvreg run busybox sh -c 'echo "exec busybox sh /tmp/again" >/tmp/again; . /tmp/again' &
		protected=$!
		usleep $delay
		kill -9 $protected
		killed $protected
		soon everything_is_back
		delay=$((delay + 41000))
	done
}

stop_and_continue()
{
	mkfifo /tmp/lines
	hvreg run victim count </tmp/lines >/tmp/counted & protected=$!
	exec 3>/tmp/lines
	echo a >&3
	running 1
	kill -STOP $protected
	echo b >&3
	usleep 300000
	grep -q 'State:.T' /proc/$protected/status || fail 'not stopped'
	kill -CONT $protected
	echo c >&3
	exec 3>&-
	wait $protected || fail "status $?"
	[ "$(tr '\n' ' ' </tmp/counted)" = '1 a 2 b 3 c ' ] || fail "$(cat /tmp/counted)"
}

traced()
{
	hvreg run victim spin & protected=$!
	running 1
	victim trace $protected >/tmp/traced || fail 'no trace'
	grep -q '^rip in the gate, rbp 0 r12 0 r13 0 r14 0 r15 0$' /tmp/traced ||
		fail "$(cat /tmp/traced)"
	grep -q '^the shim: Input/output error$' /tmp/traced || fail "$(cat /tmp/traced)"
	kill -0 $protected || fail 'it died of being traced'
	kill -9 $protected
	killed $protected
}

# The program asks for more than --memory allows, then for what is allowed.
memory_limit()
{
	hvreg run --memory 32 victim touch 16 || fail "16 of 32 MiB: $?"
	hvreg run --memory 16 victim touch 64
	case $? in
	3 | 137) ;;
	*) fail "64 of 16 MiB: $?" ;;
	esac
}

cgroup_limit()
{
	mkdir -p /tmp/cgroup
	mount -t cgroup2 cgroup /tmp/cgroup || fail 'no cgroup2'
	echo +memory >/tmp/cgroup/cgroup.subtree_control
	mkdir /tmp/cgroup/small
	echo 32M >/tmp/cgroup/small/memory.max
	(
		sh -c 'echo $PPID' >/tmp/cgroup/small/cgroup.procs
		exec hvreg run --memory 256 victim touch 128
	)
	[ $? = 137 ] || fail "status $?"
	grep -q '^oom_kill 0$' /tmp/cgroup/small/memory.events || fail 'the OOM killer came'
	dmesg | grep -q 'process .* (victim, pid .* gets no more memory: memory.max' ||
		fail 'the kernel log does not tell why'
	rmdir /tmp/cgroup/small && umount /tmp/cgroup
}

# A reader that goes away ends it, though no line comes.
log_follow()
{
	timeout 10 sh -c 'hvreg log --follow | head -n 1' || fail "status $?"
	[ -z "$(pidof hvreg)" ] || fail 'it goes on'
}

# The device must not be taken for a standard stream that is closed.
closed_streams()
{
	hvreg ps >&-
	[ $? = 125 ] || fail "status $?"
	grep -q 'Bad file descriptor' /tmp/out || fail 'not told'
	hvreg run --json busybox true 2>&-
	[ $? = 125 ] || fail "--json: $?"
	hvreg run busybox true <&- >&- 2>&- || fail "run: $?"
}

# Each of a user's chunks counts against ulimit -l; root's do not.
memlock_limit()
{
	chmod 666 /dev/carrel
	(ulimit -l 1024; exec su -s /bin/sh nobody -c 'hvreg run busybox true')
	status=$?
	chmod 660 /dev/carrel
	[ $status = 125 ] || fail "status $status"
	grep -q 'no memory to donate' /tmp/out || fail 'no advice'
}

not_in_the_group()
{
	su -s /bin/sh nobody -c 'hvreg run busybox true'
	[ $? = 125 ] || fail "status $?"
	grep -q 'usermod -aG carrel' /tmp/out || fail 'no advice'
}

# Four programs on two CPUs: some must move, and those that die then were on both.
cpu_offline_under_load()
{
	pids=
	for i in 1 2 3 4; do
		hvreg run victim spin & pids="$pids $!"
	done
	running 4
	for i in 1 2 3 4 5 6; do
		echo 0 >$CPU1 || fail 'offline'
		usleep 100000
		echo 1 >$CPU1 || fail 'online'
		hvreg run busybox true || fail "when online: $?"
	done
	kill -9 $pids
	for pid in $pids; do
		killed $pid
	done
}

# A CPU that is offline keeps nobody waiting.
start_and_end_while_offline()
{
	hvreg run victim spin & protected=$!
	running 1
	echo 0 >$CPU1 || fail 'offline'
	hvreg run busybox true || fail "start: $?"
	kill -9 $protected
	killed $protected
	everything_is_back
	echo 1 >$CPU1 || fail 'online'
}

unload_while_in_use()
{
	hvreg run victim spin & protected=$!
	running 1
	rmmod carrel && fail 'unloaded'
	kill -9 $protected
	killed $protected
}

unload_and_load()
{
	rmmod carrel || fail 'rmmod'
	[ -e /dev/carrel ] && fail '/dev/carrel is still there'
	hvreg status
	[ $? = 125 ] || fail 'status without the module'
	insmod /lib/carrel.ko || fail 'insmod'
	hvreg run busybox true || fail "run: $?"
}

kernel_is_content()
{
	! dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|Bad page|soft lockup|rcu.*stall'
}

echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd
check 'exit statuses' exit_statuses
check 'run and measure agree' identity
check 'kill -9 while it computes' kill_while_computing
check 'kill -9 while it waits' kill_while_waiting
check 'kill -9 at any time' kill_at_any_time
check 'fifty start and die in any order' fifty_in_any_order
check 'kill -9 of a family' kill_a_family
check 'kill -9 of a crowd' kill_a_crowd
check 'a parent is killed' parent_killed
check 'a child is killed' child_killed
check 'kill -9 in a chain of exec' killed_while_it_execs
check 'SIGSTOP and SIGCONT' stop_and_continue
check 'a tracer sees the stub' traced
check '--memory' memory_limit
check "a cgroup's memory.max" cgroup_limit
check 'ulimit -l' memlock_limit
check 'a user who is not in the group' not_in_the_group
if [ -e $CPU1 ]; then
	check 'a CPU goes offline and online under load' cpu_offline_under_load
	check 'start and end while a CPU is offline' start_and_end_while_offline
else
	number=$((number + 1))
	echo "ok $number - a CPU goes offline # SKIP one CPU"
fi
check 'hvreg log --follow' log_follow
check 'closed standard streams' closed_streams
check 'rmmod while in use' unload_while_in_use
check 'rmmod and insmod' unload_and_load
check 'no complaint of the kernel' kernel_is_content
echo "1..$number"
[ $failures = 0 ]
