# SPDX-License-Identifier: BSD-2-Clause
# packages: age
#
# Static programs made by Go.

t_keygen_and_round_trip()
{
	seq 1 50000 >text
	$P age-keygen -o key 2>/dev/null
	recipient=$($P age-keygen -y key)
	[ "$recipient" = "$(sed -n 's/.*public key: //p' key)" ] && echo 'the same recipient'
	$P age -r "$recipient" -o sealed text
	age -d -i key sealed | cmp - text && echo same
	$P age -d -i key sealed | cmp - text && echo same
	age -r "$recipient" <text >other
	$P age -d -i key <other | cmp - text && echo same
	age-keygen -o wrong 2>/dev/null
	$P age -d -i wrong sealed 2>&1 | sed -n '/^age: error/p'
}
