#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# In the guest: guest.sh - what sealing does where there are keys, and where there are none: as the
# launch is. Lines `ok NAME` and `not ok NAME`; `state STATE`; where a platform key can be made,
# that is asked for: `prepared`; where there is one, `key SHA256` and `public KEY`, which are the same
# at each boot of this machine. The same script at each of them, since it is measured.

mode=keyed
state=$(hvreg status --json | sed 's/.*"launch":"\([a-z]*\)".*/\1/')
echo "state $state"
[ "$state" != unmeasured ] || mode=unmeasured
cd /tmp || exit 1
secret='what nobody else reads'
busybox=$(command -v busybox)
echo "$secret" >plain

# result NAME STATUS, with what was said in out and err
result()
{
	if [ "$2" = 0 ]; then
		echo "ok $1"
		return
	fi
	echo "not ok $1"
	cat out err 2>/dev/null | head -n 8 | sed 's/^/# /'
}

# gives NAME STATUS TEXT COMMAND...: that is its exit status, and that a line of its output or errors
gives()
{
	name=$1 status=$2 text=$3
	shift 3
	"$@" >out 2>err </dev/null
	got=$?
	[ $got = "$status" ] && cat out err | grep -q -e "$text"
	result "$name" $?
}

# noted NAME NUMBER: the last note 5 in the log, which says why a key was refused
noted()
{
	hvreg log | grep 'note 5' | tail -n 1 >out
	grep -q "note 5, $2\$" out
	result "$1" $?
}

manifest()
{
	to=$1
	shift
	hvreg manifest --memory 64 --fix "$@" >"$to" 2>err || result "hvreg manifest $*" 1
}

manifest reader --sealed /tmp/sealed busybox cat /tmp/sealed
manifest key busybox sha256sum /dev/carrel/key
manifest key2 --env A=1 busybox sha256sum /dev/carrel/key
manifest env --env FIXED=yes busybox env
manifest shell --sealed /tmp/sealed --exec busybox busybox sh -c \
	"$busybox cat /tmp/sealed; exec $busybox cat /tmp/sealed"

# --- What needs no key -------------------------------------------------------------------------

gives 'the fixed environment' 0 '^FIXED=yes$' env LD_PRELOAD=/evil.so LD_AUDIT=/evil.so hvreg run --manifest env busybox
[ "$(wc -l <out)" = 1 ]
result 'and nothing of the host' $?
gives 'other arguments are refused' 125 'argument 1 is not' hvreg run --manifest env busybox cat /etc/passwd

# A script under a name that is not listed: its interpreter would read there what the host likes.
interpreter=$(sed -n 's/^program [^ ]* [^ ]* //p' shell | head -n 1)
mkdir -p bin
printf '#!%s sh\necho "I am $0"\n' "$interpreter" >tool
cp tool bin/tool
chmod +x tool bin/tool
manifest script --exec busybox --file /tmp/tool busybox sh -c 'PATH=/tmp/bin exec tool'
gives 'a script is read by its listed name' 0 '^I am /tmp/tool$' hvreg run --manifest script busybox
printf '#!%s sh\necho "evil $0"\n' "$interpreter" >bin/tool
gives 'another script by that name is refused' 126 'Permission denied' hvreg run --manifest script busybox
echo 'echo evil' >bin/tool
gives 'commands by that name are refused' 126 'Permission denied' hvreg run --manifest script busybox

# What a host can do that does not care what hvreg refuses: every word of a manifest is in the identity.
identity=$(hvreg measure --manifest reader)
for change in 's/^argument cat/argument hexdump/' 's/^host.*/& arguments environment/; /^argument/d; /^sealed/d' \
	's/^argument busybox$/&\nenvironment LD_PRELOAD=x/' 's/^host.*/& code/; /^sealed/d'; do
	sed "$change" reader >changed
	other=$(hvreg measure --manifest changed)
	[ -n "$other" ] && [ "$other" != "$identity" ]
	result "another identity: $change" $?
done

# A host that says that any process may ask for keys. The shim ends it, by DIE with 10h.
gives 'a liar, and the host chooses' 137 '' /lying run -- busybox cat /dev/carrel/key
hvreg log | tail -n 1 >out
grep -q 'by its shim (10,' out
result 'the log says that its manifest was no good' $?
sed 's/^host.*/& code/; /^sealed/d' reader >changed
gives 'a liar, and the host chooses code' 137 '' /lying run --manifest changed busybox
gives 'a liar that does not lie' 0 '^FIXED=yes$' /lying run --manifest env busybox
gives 'nobody may ask' 1 'Permission denied' env NO_KEYS=1 /lying run --manifest key busybox
noted 'the log says that the host chose' 2

# --- Without keys ------------------------------------------------------------------------------

if [ "$mode" = unmeasured ]; then
	gives 'seal: unmeasured' 125 'unmeasured: there are no keys' hvreg seal --manifest reader plain
	gives 'seal --show-key: unmeasured' 125 'unmeasured: there are no keys' hvreg seal --show-key --to "$identity"
	hvreg seal --manifest reader --key "$identity" plain >sealed
	gives 'a sealed file: unmeasured' 1 'Required key not available' hvreg run --manifest reader busybox
	noted 'the log says why' 1
	gives 'the key file: unmeasured' 1 'Required key not available' hvreg run --manifest key busybox
	gives 'the key file, and the host chooses' 1 'Permission denied' hvreg run -- busybox cat /dev/carrel/key
	noted 'the log says that, too' 2
	hvreg status --json | grep -q 'there is no platform key' || exit 0
	hvreg platform init --yes >out 2>err && echo prepared
	exit 0
fi

# --- With keys ---------------------------------------------------------------------------------

hvreg seal --manifest reader plain >sealed 2>err
result 'seal' $?
! grep -q "$secret" sealed
result 'it is not there in the clear' $?
gives 'its program reads it' 0 "^$secret\$" hvreg run --manifest reader busybox
gives 'hvreg outside does not' 125 "is sealed to $identity" hvreg unseal sealed
public=$(hvreg seal --show-key --manifest reader)
hvreg seal --to "$identity" --as /tmp/sealed --key "$public" plain >sealed.2 && mv sealed.2 sealed
gives 'sealed elsewhere, by its public key' 0 "^$secret\$" hvreg run --manifest reader busybox
cp sealed good

# A child, and a program that was exec'd: the identity is theirs, too. So are the keys.
hvreg seal --manifest shell plain >sealed
gives 'a child and a successor read it' 0 "^$secret\$" hvreg run --manifest shell busybox
[ "$(grep -c "$secret" out)" = 2 ]
result 'both of them' $?
cp good sealed
gives 'for another identity' 1 'Permission denied' hvreg run --manifest shell busybox
noted 'the log says for whom it is not' 4

# One bit of it, another path, another manifest.
{ head -c 140 good; printf X; tail -c +142 good; } >sealed
gives 'a changed file' 1 'Permission denied' hvreg run --manifest reader busybox
noted 'the log says that it was changed' 6
hvreg seal --to "$identity" --as /tmp/another plain >sealed
gives 'a file for another path' 1 'Permission denied' hvreg run --manifest reader busybox
noted 'the log says so' 5
cp good sealed
for change in 's/^argument cat/argument hexdump/' 's/^argument busybox$/&\nenvironment LD_PRELOAD=x/'; do
	sed "$change" reader >changed
	hvreg run --manifest changed busybox >out 2>err </dev/null
	[ $? != 0 ] && ! grep -q "$secret" out
	result "no secret: $change" $?
done
gives 'no key where the host chooses' 1 'Permission denied' hvreg run -- busybox cat /dev/carrel/key
gives 'nor a sealed file' 0 CRSEALD1 hvreg run -- busybox cat /tmp/sealed

# Keys are the same each time, and another's are others.
hvreg run --manifest key busybox >key.1 2>err </dev/null && hvreg run --manifest key busybox >key.2 2>err </dev/null &&
	[ -s key.1 ] && cmp -s key.1 key.2
result 'the key file, twice' $?
hvreg run --manifest key2 busybox >key.3 2>err </dev/null && [ -s key.3 ] && ! cmp -s key.1 key.3
result 'the key of another identity' $?
echo "key $(cut -c1-64 key.1)"
echo "public $public"
