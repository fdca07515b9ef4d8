# SPDX-License-Identifier: BSD-2-Clause
# packages: redis-server redis-tools

start_redis()
{
	$P redis-server --port 6399 --bind 127.0.0.1 --daemonize no --dir "$PWD" --save '' \
		--enable-debug-command local --logfile "$PWD/log" "$@" &
	server=$!
	wait_for_port 6399
}

ask()
{
	redis-cli -p 6399 "$@"
}

stop_redis()
{
	ask shutdown "$@"
	wait $server
	echo "server: $?"
}

t_commands()
{
	start_redis
	$P redis-cli -p 6399 set greeting hello
	$P redis-cli -p 6399 get greeting
	for i in 1 2 3; do ask rpush list $i; done
	ask lrange list 0 -1
	ask incrby counter 41
	ask incr counter
	ask eval 'return redis.call("get", KEYS[1]) .. " from lua"' 1 greeting
	ask expire greeting 100
	ask multi
	ask set big "$(seq 1 20000)" && ask strlen big
	ask zadd z 1 one 2 two 3 three && ask zrangebyscore z 2 3
	stop_redis nosave
}

t_benchmark()
{
	start_redis
	redis-benchmark -p 6399 -n 500 -c 20 -P 4 -t set,get,incr,lpush,mset --csv |
		sed 's/[0-9][0-9.]*/N/g'
	$P redis-benchmark -p 6399 -n 500 -c 5 -t set,get -q | tr '\r' '\n' | grep -c 'requests per second'
	ask dbsize | grep -q '[1-9]' && echo keys
	stop_redis nosave
}

t_append_only_file()
{
	start_redis --appendonly yes --appendfsync always
	for i in 1 2 3 4 5; do ask set key$i value$i; done
	ask incr n
	kill -9 $server
	wait $server 2>/dev/null || true
	start_redis --appendonly yes --appendfsync always
	ask mget key1 key2 key3 key4 key5 n
	ask bgrewriteaof
	for i in $(seq 100); do
		ask info persistence | tr -d '\r' | grep -q '^aof_rewrite_in_progress:0' && break
		sleep 0.1
	done
	ask info persistence | tr -d '\r' | grep '^aof_last_bgrewrite_status'
	stop_redis nosave
}

t_bgsave()
{
	start_redis
	ask debug populate 20000 key 100
	before=$(ask lastsave)
	sleep 1.1
	ask bgsave
	# While the child writes, the parent changes what they share.
	redis-benchmark -p 6399 -n 1000 -c 5 -r 20000 -t set -q >/dev/null
	for i in $(seq 200); do
		[ "$(ask lastsave)" != "$before" ] && break
		sleep 0.1
	done
	ask info persistence | tr -d '\r' | grep '^rdb_last_bgsave_status'
	redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
	ask del key:5 >/dev/null
	stop_redis nosave
	start_redis
	ask exists key:5 key:19999
	stop_redis nosave
}
