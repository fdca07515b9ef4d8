# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest, under Carrel, by busybox's shell: programs behave under hvreg run as they do
# without. Prints `ok - NAME` or `not ok - NAME` with lines of explanation that begin with `# `.

result()
{
	if [ "$2" = 0 ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		sed 's/^/# /' /tmp/why 2>/dev/null | head -n 24
	fi
}

# side FOLDER: $command in a new folder of its own, always of the same name.
side()
{
	rm -rf /tmp/work
	mkdir -p /tmp/work "$1"
	(cd /tmp/work && eval "$command") >"$1/out" 2>"$1/err" </dev/null
	echo "status $?" >"$1/status"
	[ ! -e /tmp/work/how ] || cat /tmp/work/how >>"$1/status"
}

# unwarned FILE: takes away what hvreg itself says on a machine without an IOMMU. The command may
# run several programs.
unwarned()
{
	sed -i '/^hvreg: warning: DMA unprotected: .*refuses)$/d' "$1"
}

# same NAME COMMAND: COMMAND, in which $P stands before each program, does the same with $P empty
# and with $P hvreg run: both streams, the status, and what `outcome how` saw.
same()
{
	command=$2
	rm -rf /tmp/bare /tmp/protected
	P=
	side /tmp/bare
	P='hvreg run --'
	side /tmp/protected
	unwarned /tmp/protected/err
	: >/tmp/why
	for file in status err out; do
		diff /tmp/bare/$file /tmp/protected/$file >/tmp/difference 2>&1 ||
			sed "s/^/$file: /" /tmp/difference >>/tmp/why
	done
	[ ! -s /tmp/why ] || { result "$1" 1; return; }
	[ -s /tmp/bare/out ] || [ -s /tmp/bare/err ] || grep -qv 'status 0' /tmp/bare/status ||
		{ echo 'it did nothing, with or without protection' >/tmp/why; result "$1" 1; return; }
	result "$1" 0
}

# more NAME COMMAND: the same, where time is not short.
more()
{
	[ "$FUNCTIONAL" = brief ] || same "$@"
}

# ends NAME STATUS TEXT COMMAND...: the command ends with STATUS and says TEXT, in either stream.
ends()
{
	name=$1 wanted=$2 text=$3
	shift 3
	"$@" >/tmp/why 2>&1 </dev/null
	status=$?
	echo "status $status" >>/tmp/why
	[ $status = "$wanted" ] && grep -qF -- "$text" /tmp/why
	result "$name" $?
}

export CARREL_TEST='a value with spaces,
two lines and "quotes"' LC_ALL=C
seq 1 10000 | awk '{ print ($1 * 7919) % 10007, "line", $1 }' >/tmp/lines
cat /tmp/lines /bin/busybox /tmp/lines | dd of=/tmp/data bs=1M count=3 iflag=fullblock 2>/dev/null
cat /bin/busybox >>/tmp/data
truncate -s 3000001 /tmp/data

more 'busybox sh -c: quoting' \
	'$P busybox sh -c '\''printf "<%s>\n" "a  b" "$1" "\$HOME" "" "x\"y" '\'\\\'\''single'\'\\\'\'''\'' zero "one  two"'
same 'busybox sh -c: environment' 'X=1 Y="2  3" $P busybox sh -c '\''echo "$X$Y $CARREL_TEST"; export -p'\'
more 'busybox sh -c: arithmetic, loops, functions' \
	'$P busybox sh -c '\''f() { s=$(($s + $1)); }; s=0; for i in 1 2 3 4 5; do f $i; done; echo $s; exit $s'\'
more 'busybox sh: a script on standard input' 'echo "read x; echo got \$x; exit 9
line of input" | outcome how $P busybox sh'
more 'busybox sh -c: redirection' '$P busybox sh -c "echo a >f; echo b >>f; read x <f; echo \$x; echo c >&2"; cat f'
more 'busybox sh -c: a long line' 'x=$(seq 1 3000 | tr "\n" " "); $P busybox sh -c "echo $x"'
same 'busybox sha256sum of 3 MB' '$P busybox sha256sum /tmp/data'
more 'busybox sha256sum of standard input' '$P busybox sha256sum </tmp/data'
more 'busybox cat of standard input' 'cat /tmp/data | $P busybox cat | cksum'
same 'busybox cat of a file' '$P busybox cat /tmp/data | cksum'
more 'busybox cat of a file that is not there' '$P busybox cat /tmp/lines /none/such'
more 'busybox cat of a folder' 'outcome how $P busybox cat /tmp'
same 'busybox sort of 10,000 lines' '$P busybox sort /tmp/lines'
more 'busybox sort -n of standard input' '$P busybox sort -n </tmp/lines | cksum'
more 'busybox wc, grep, tr, sed, awk' 'for c in "wc" "grep -c 77" "tr a-z A-Z" "sed -n 5,9p" "awk {s+=\$1}END{print\ s}"; do
	$P busybox $c </tmp/lines | tail -n 3; done'
more 'busybox ls and stat' 'touch -d "2020-01-02 03:04:05" a b; $P busybox ls -la --full-time a b; $P busybox stat -c "%s %a %n" a'
more 'busybox tar of a folder' 'mkdir d; cp /tmp/lines d; touch -d "2020-01-02 03:04:05" d d/lines; $P busybox tar c d | cksum'
more 'busybox gzip and gunzip' '$P busybox gzip -c /tmp/lines >z; $P busybox gunzip -c z | cksum'
more 'an applet that is not there' '$P busybox no-such-applet'
more 'busybox true and false' 'outcome how $P busybox true; cat how; outcome how $P busybox false; cat how'

same 'arguments and environment' '$P program arguments "" " " "a b" "\\" "$(printf "x\ty")" --help -- --json'
more 'no environment' 'env -i PATH=/bin:/usr/bin $P program arguments'
more 'hundreds of arguments' '$P program arguments $(seq 1 400) | cksum'
more 'stdio: scanf' 'printf "1 one 1.5\n-2 two 2e3\n  33\nthree .125\n" | $P program scan'
same 'stdio and files' '$P program files'
more 'stdio: output' '$P program output 5000'
more 'stdio: output to a file' '$P program output 5000 >f 2>g; cat f g | cksum'
more 'reads of odd sizes from a file' '$P program reads /tmp/data'
more 'vectors' '$P program vectors'
same 'memory' '$P program memory'
same 'errors' '$P program failures'
same 'faults caught' '$P program faults'
same 'signals and timers' '$P program signals'
more 'numbers' '$P program numbers'
more 'the machine as a program sees it' '$P program machine'
same 'exit status' 'outcome how $P program leave 77'
for n in 0 1 125 126 127 128 255 256; do
	more "exit status $n" "outcome how \$P program leave $n"
done

for cause in segv ill 15; do
	same "death by $cause" "outcome how \$P program die $cause"
done
for cause in align read jump wild constant fpe trap hlt in stack abort 1 2 3 9 10 13 14 31 34; do
	more "death by $cause" "outcome how \$P program die $cause"
done
for cause in 17 18 23 28; do
	more "no death by $cause" "outcome how \$P program die $cause"
done
# Not SIGINT and SIGQUIT: a shell has what it puts into the background ignore them.
for signal in 15 9 1 6 14; do
	more "killed by another: signal $signal" "mkfifo in; outcome how \$P busybox cat <in >out &
		exec 3>in; echo a >&3; while [ ! -s out ]; do usleep 20000; done
		kill -$signal \$(cat how.pid); wait; cat out"
done
more 'SIGHUP that was ignored before' "trap '' 1 15; outcome how \$P program die 15"
more 'a stopped program goes on' 'mkfifo in; $P busybox cat <in & pid=$!; exec 3>in; echo a >&3
	usleep 200000; kill -STOP $pid; echo b >&3; kill -CONT $pid; exec 3>&-; wait $pid'

more 'standard output closed' 'outcome how $P busybox echo text >&-'
more 'standard input closed' 'outcome how $P busybox cat <&-'
more 'standard error closed' 'outcome how $P busybox cat /none/such 2>&-'
more 'all three closed' 'outcome how $P busybox cat <&- >&- 2>&-'
more 'a full device' 'outcome how $P busybox echo text >/dev/full'
more 'SIGPIPE' 'outcome how $P program output 20000 | head -n 3'
more 'EPIPE' "trap '' 13; outcome how \$P program output 20000 2>/dev/null | head -n 3"
more 'descriptors are inherited' 'exec 5</tmp/lines 6>out5; $P busybox sh -c "read x <&5; echo \$x >&6"; cat out5'
more 'working directory and umask' 'mkdir -p a/b; cd a/b; umask 027; $P busybox sh -c "pwd; echo x >f"; stat -c %a f'
more 'resource limits' 'ulimit -n 64; ulimit -f 1; outcome how $P busybox dd if=/tmp/data of=f bs=4096 count=5'

# A call that is not served: ENOSYS, and a line in the log that names its number (449).
ends 'a call that is not served is ENOSYS' 0 'futex_waitv: -1 ENOSYS' hvreg run program unserved
# The hypervisor writes few lines a second that its guests cause: more than once, if need be.
logged()
{
	for try in 1 2 3 4 5 6 7 8 9 10; do
		hvreg log | grep 'note 1, 449' && return
		sleep 2
		hvreg run program unserved
	done
	hvreg log
	return 1
}
ends 'and is logged' 0 'note 1, 449' logged

# What hvreg itself refuses, and how it measures, is the same on all machines.
[ "$FUNCTIONAL" != brief ] || return 0

cp /usr/bin/program /tmp/program
head -c 200000 /tmp/program >/tmp/truncated
head -c 50 /tmp/program >/tmp/short
{ head -c 4 /tmp/program; printf '\001'; tail -c +6 /tmp/program; } >/tmp/narrow
printf '#!/bin/sh\necho no\n' >/tmp/script
echo 'plain text' >/tmp/text
chmod +x /tmp/truncated /tmp/short /tmp/narrow /tmp/script /tmp/text
cp /tmp/program /tmp/locked && chmod 644 /tmp/locked
ends 'no such program' 127 'No such file' hvreg run /none/such
ends 'not in PATH' 127 'No such file' hvreg run no-such-program
ends 'a folder' 126 'is a directory' hvreg run /tmp
ends 'not executable' 126 'Permission denied' hvreg run /tmp/locked
ends 'a script' 0 'no' hvreg run /tmp/script
ends 'a text' 126 'is not an ELF file' hvreg run /tmp/text
ends 'a 32-bit program' 126 'is a 32-bit program' hvreg run /tmp/narrow
ends 'a dynamic program without its interpreter' 126 'its interpreter /lib64' hvreg run /usr/bin/dynamic
ends 'a truncated program' 126 'is cut short' hvreg run /tmp/truncated
ends 'a truncated header' 126 'is not a program for x86-64' hvreg run /tmp/short
if hvreg status | grep -q '^DMA  *protected by'; then
	warnings=0
	ends '--require dma' 0 'it runs' hvreg run --require dma busybox echo it runs
else
	warnings=1
	ends '--require dma' 125 'DMA is not protected' hvreg run --require dma busybox echo it runs
fi
hvreg run busybox true 2>/tmp/why
[ "$(grep -c '^hvreg: warning: DMA unprotected: ' /tmp/why)" = $warnings ]
result 'a warning where DMA is not protected, and only there' $?
ends 'no program named' 125 'no program' hvreg run
ends 'an unknown option' 125 'unknown option' hvreg run --frob program

# Identities: what measure tells is what runs, and every byte of the program counts.
identity()
{
	hvreg run --json -- "$1" leave 2>&1 >/dev/null | sed 's/.*"identity":"\([0-9a-f]*\)".*/\1/'
}
before=$(hvreg measure /tmp/program)
echo "ran $(identity /tmp/program), measured $before" >/tmp/why
[ ${#before} = 64 ] && [ "$(identity /tmp/program)" = "$before" ]
result 'measure tells the identity that runs' $?
offset=$(strings -t d /tmp/program | sed -n 's/^ *\([0-9]*\) without a newline$/\1/p')
printf W | dd of=/tmp/program bs=1 seek="$offset" conv=notrunc 2>/dev/null
after=$(hvreg measure /tmp/program)
echo "at $offset; before $before, ran $(identity /tmp/program), measured $after" >/tmp/why
[ ${#after} = 64 ] && [ "$(identity /tmp/program)" = "$after" ] && [ "$before" != "$after" ]
result 'another byte at one place: another identity' $?
ends 'and that byte is what runs' 0 'Without a newline' hvreg run /tmp/program leave
