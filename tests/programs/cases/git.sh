# SPDX-License-Identifier: BSD-2-Clause
# packages: git

prepare_git()
{
	export HOME=$PWD GIT_AUTHOR_DATE='2026-01-02 03:04:05 +0000' \
		GIT_COMMITTER_DATE='2026-01-02 03:04:05 +0000' GIT_PAGER=cat
	git config --global user.name Somebody
	git config --global user.email somebody@example.org
	git config --global init.defaultBranch main
}

# The dates are fixed, so the names of commits are the same.
t_init_add_commit_log() # now and then
{
	prepare_git
	$P git init -q work
	cd work
	seq 1 1000 >file
	mkdir folder && echo text >folder/other
	$P git add .
	$P git status --short
	$P git commit -q -m 'first'
	echo more >>file
	$P git commit -a -m 'second'
	$P git log --stat
	$P git show HEAD:folder/other
	$P git diff HEAD~1
	git fsck --strict
}

t_branch_merge_gc()
{
	prepare_git
	$P git init -q .
	seq 1 20 >a && $P git add a && $P git commit -q -m base
	$P git checkout -q -b side
	sed 's/^3$/three/' a >b && mv b a && $P git commit -q -a -m side
	$P git checkout -q main
	sed 's/^17$/seventeen/' a >b && mv b a && $P git commit -q -a -m main
	$P git merge -m merged side
	$P git log --oneline --graph
	$P git gc -q && $P git fsck --strict
	$P git rev-parse HEAD
}

t_clone()
{
	prepare_git
	git init -q from
	(cd from && seq 1 100 >f && git add f && git commit -q -m one)
	$P git clone -q "file://$PWD/from" to 2>&1
	$P git -C to log --oneline
}
