#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest: each program of $PROGRAMS twice as it is and twice protected, with work for N
# operations and for twice as many, each between marks (`work around`). Before each it prints a line
#	@@ NAME plain|protected
# and behind it what the program prints, and `did OPERATIONS` if that does not tell. What is common to
# both sizes, starting above all, is not in their difference. $P stands before what is protected.

work=/bench/work

# measure NAME COMMAND...
measure()
{
	echo "@@ $1 $kind"
	shift
	"$@" 2>&1 || echo "failed: $?"
}

# By the clock, so it says how many there were.
run_openssl()
{
	$P openssl version
	for seconds in 1 2; do
		measure openssl $work around $P openssl speed -seconds $seconds -bytes 1024 sha256
	done
}

inserts()
{
	echo 'PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);'
	echo 'CREATE INDEX i ON t(b); BEGIN;'
	seq 1 $1 | awk '{ printf "INSERT INTO t VALUES(%d, \"row %d\", %f);\n", $1, $1 * 7919 % 10007, $1 / 7 }'
	echo 'COMMIT; SELECT count(*) FROM t;'
}

run_sqlite3()
{
	$P sqlite3 data 'CREATE TABLE t(a);'
	for n in 5000 10000; do
		rm -f data
		inserts $n >script
		measure sqlite3 $work around $P sqlite3 data '.read script'
		echo "did $n"
	done
}

listens()
{
	grep -q ":$(printf %04X $1) 00000000:0000 0A" /proc/net/tcp
}

wait_for_port()
{
	until listens $1; do
		sleep 0.1
	done
}

# Here and in the next one the client is not protected.
run_redis()
{
	$P redis-server --port 6399 --bind 127.0.0.1 --daemonize no --dir "$PWD" --save '' \
		--logfile "$PWD/log" &
	wait_for_port 6399
	redis-benchmark -p 6399 -n 500 -c 20 -t set,get -q >warm
	for n in 1000 2000; do
		measure redis $work around redis-benchmark -p 6399 -n $n -c 20 -t set,get -q >out
		tr '\r' '\n' <out | grep -v 'overall:'
		echo "did $((2 * n))"
	done
	redis-cli -p 6399 shutdown nosave
	wait
}

run_nginx()
{
	mkdir -p site
	seq 1 200 >site/page
	chmod -R a+rX .
	cat >nginx.conf <<-END
		user www-data;
		pid $PWD/pid;
		worker_processes 1;
		error_log $PWD/error.log;
		events { worker_connections 64; }
		http {
			access_log $PWD/access.log;
			sendfile on;
			keepalive_requests 100000;
			server { listen 127.0.0.1:8099; root $PWD/site; }
		}
	END
	$P /usr/sbin/nginx -c "$PWD/nginx.conf" -p "$PWD" -g 'daemon off;' &
	wait_for_port 8099
	$work fetch 8099 /page 100
	for n in 1000 2000; do
		measure nginx $work around $work fetch 8099 /page $n
		echo "did $n"
	done
	kill -QUIT $(cat pid)
	wait
}

all()
{
	for program in $PROGRAMS; do
		for kind in plain protected; do
			P=
			[ $kind = plain ] || P='hvreg run --'
			rm -rf /tmp/program
			mkdir -m 755 /tmp/program
			cd /tmp/program
			run_$program
		done
	done
	echo '@@ end'
}

# As in bench.sh.
all >/tmp/programs.out 2>&1
cat /tmp/programs.out
