# SPDX-License-Identifier: BSD-2-Clause
# packages:

t_static_program()
{
	$P busybox sha256sum /bin/busybox
	$P busybox echo "one  word" two
	$P busybox sh -c 'exit 7' || echo "status $?"
}

# Twelve processes and a shell.
t_pipeline_of_twelve()
{
	$P busybox sh -c 'seq 1 3000 | cat | awk "{ print \$1 * 7 % 1000 }" | sort -n | uniq -c |
		sort -rn -k2 | sed "s/^ *//" | tr " " ":" | cut -d: -f2 | tail -n 900 | head -n 500 | wc'
}

t_shell()
{
	$P busybox sh -c '
		trap "echo trapped" USR1
		kill -USR1 $$
		for i in 1 2 3; do
			(sleep 0.$i; exit $i) &
			wait $! || echo "job $?"
		done
		x=$(echo inner | tr a-z A-Z)
		echo "$x" | while read -r line; do echo "<$line>"; done
		mkdir a && touch a/1 a/2 && ls a && rm -r a
		cat <<-END
			here $((6 * 7))
		END
		(kill -9 $(exec sh -c "echo \$PPID")); echo "killed $?"
		exec echo done'
}

t_find_and_xargs()
{
	$P busybox sh -c 'for i in 1 2 3 4 5; do seq $i >f$i; done
		find . -type f | sort | xargs -n 2 wc -l
		find . -name "f*" -exec busybox md5sum {} \; | sort'
}
