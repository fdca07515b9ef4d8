# SPDX-License-Identifier: BSD-2-Clause
# packages: gzip xz-utils tar

t_gzip()
{
	seq 1 100000 >text
	$P /bin/gzip -n -9 -k text && busybox sha256sum text.gz
	$P /bin/gzip -t text.gz && $P /bin/gzip -dc text.gz | cmp - text && echo same
	head -c 1000 text.gz >short.gz
	$P /bin/gzip -t short.gz || echo "status $?"
}

t_xz() # now and then
{
	seq 1 60000 >text
	$P /usr/bin/xz -k -6 text && busybox sha256sum text.xz
	$P /usr/bin/xz -t text.xz && $P /usr/bin/xz -dc text.xz | cmp - text && echo same
}

t_xz_with_threads()
{
	seq 1 100000 >text
	$P /usr/bin/xz -T 4 -1 --block-size=100000 -k text
	$P /usr/bin/xz -T 4 -dc text.xz | cmp - text && echo same
}

# tar runs the compressors as children.
t_tar()
{
	mkdir -p tree/a/b && seq 1 5000 >tree/a/one && seq 9 >tree/a/b/two && ln -s one tree/a/link
	ln tree/a/one tree/hard
	chmod 640 tree/a/b/two
	# By a path, for busybox' shell has a gzip and an xz of its own.
	for by in cat /bin/gzip /usr/bin/xz; do
		[ $by = cat ] && use= || use="-I $by"
		$P /bin/tar $use -cf archive --sort=name --mtime=@0 --numeric-owner tree
		[ $by != cat ] || busybox sha256sum archive
		$P /bin/tar $use -tvf archive | sed 's/  */ /g'
		mkdir out
		$P /bin/tar $use -xf archive -C out && busybox diff -r tree out/tree && echo same
		rm -r out
	done
}
