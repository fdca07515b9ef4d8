# SPDX-License-Identifier: BSD-2-Clause
# packages: sqlite3

t_inserts_and_indexes()
{
	{
		echo 'PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);'
		echo 'BEGIN;'
		seq 1 10000 | awk '{ printf "INSERT INTO t VALUES(%d, \"row %d\", %f);\n", $1,
			$1 * 7919 % 10007, $1 / 7 }'
		echo 'COMMIT; CREATE INDEX i ON t(b); CREATE INDEX j ON t(c, b); PRAGMA integrity_check;'
		echo 'SELECT count(*), sum(a), max(b) FROM t; SELECT * FROM t WHERE b = "row 5" LIMIT 3;'
		echo 'EXPLAIN QUERY PLAN SELECT * FROM t WHERE b > "row 99";'
		echo 'DELETE FROM t WHERE a % 3 = 0; VACUUM; PRAGMA integrity_check;'
		echo 'SELECT count(*) FROM t;'
	} >script
	$P sqlite3 data <script
	sqlite3 data 'PRAGMA integrity_check; SELECT sum(a) FROM t;'
}

# Its shared memory is a file that is mapped.
t_write_ahead_log()
{
	$P sqlite3 data 'PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1), (2);
		PRAGMA wal_checkpoint; INSERT INTO t SELECT a + 2 FROM t; SELECT sum(a) FROM t;'
	$P sqlite3 data 'SELECT count(*) FROM t; PRAGMA integrity_check;'
}

# grew FILE SIZE
grew()
{
	[ "$(stat -c %s "$1")" -gt "$2" ]
}

# Many transactions, and death in one of them: whole ones are there, in order, and no other.
t_killed_and_recovered()
{
	$P sqlite3 data 'CREATE TABLE t(a INTEGER PRIMARY KEY, b);'
	seq 1 10000 | awk '{ printf "BEGIN; INSERT INTO t VALUES(%d, 1); INSERT INTO t VALUES(%d, 2); COMMIT;\n",
		2 * $1, 2 * $1 + 1 }' >script
	$P sqlite3 data <script >/dev/null 2>&1 &
	wait_until grew data 8192
	kill -9 $!
	wait $! 2>/dev/null || echo "status $?"
	$P sqlite3 data 'PRAGMA integrity_check; SELECT count(*) > 20, count(*) % 2,
		max(a) - count(*) FROM t; INSERT INTO t VALUES(1000000, 3); SELECT max(a) FROM t;'
}
