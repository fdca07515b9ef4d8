# SPDX-License-Identifier: BSD-2-Clause
# packages: memcached

talk()
{
	printf '%b' "$1" | busybox nc -w 5 127.0.0.1 11299 | tr -d '\r'
}

t_commands()
{
	$P memcached -l 127.0.0.1 -p 11299 -u root -m 16 -t 4 &
	server=$!
	wait_for_port 11299
	talk 'set greeting 5 0 5\r\nhello\r\nget greeting\r\nquit\r\n'
	talk 'get greeting none\r\nincr n 1\r\nset n 0 0 2\r\n41\r\nincr n 1\r\ndelete greeting\r\nquit\r\n'
	for i in 1 2 3 4 5 6 7 8; do
		{
			awk -v c=$i 'BEGIN { for (k = 0; k < 200; k++) printf "set c%d_%d 0 0 3\r\nabc\r\n", c, k
				printf "quit\r\n" }' | busybox nc -w 5 127.0.0.1 11299 | tr -d '\r' | sort | uniq -c
		} &
		jobs="$jobs $!"
	done
	wait $jobs
	talk 'get c1_0 c8_199 n\r\nquit\r\n'
	talk 'stats\r\nquit\r\n' | grep -E 'curr_items|cmd_set|threads'
	kill -INT $server
	wait $server
	echo "server: $?"
}

t_as_another_user()
{
	chmod 777 .
	$P memcached -s "$PWD/socket" -u memcache -d -P "$PWD/pid"
	wait_for_file pid
	grep Uid /proc/$(cat pid)/status | tr -d '\t'
	kill $(cat pid)
}
