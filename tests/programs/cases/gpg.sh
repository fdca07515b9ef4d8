# SPDX-License-Identifier: BSD-2-Clause
# packages: gnupg

# Its agent is a program of its own that gpg starts; it stays and holds the keys.
t_keys_and_agent()
{
	export GNUPGHOME=$PWD/home
	mkdir -m 700 home
	$P gpg --batch --quiet --passphrase '' --quick-generate-key 'Me <me@example.org>' ed25519 sign never 2>&1 |
		sed 's/[0-9A-F]\{16,\}/ID/g'
	fingerprint=$(gpg --batch --with-colons -K | sed -n 's/^fpr:*\([^:]*\):/\1/p' | head -n 1)
	$P gpg --batch --quiet --passphrase '' --quick-add-key "$fingerprint" cv25519 encr never
	seq 1 1000 >text
	$P gpg --batch --quiet --detach-sign text
	$P gpg --batch --verify text.sig text 2>/dev/null && echo good
	$P gpg --batch --quiet --trust-model always -e -r me@example.org -o sealed text
	$P gpg --batch --quiet -d sealed | cmp - text && echo same
	echo x >>text
	$P gpg --batch --verify text.sig text 2>/dev/null || echo bad
	$P gpg --batch -k --with-colons | grep '^[ps]ub' | cut -d: -f1,3,4,12
	$P gpgconf --kill gpg-agent
}

t_symmetric() # now and then
{
	export GNUPGHOME=$PWD/home
	mkdir -m 700 home
	seq 1 1000 >text
	$P gpg --batch --quiet --passphrase secret --pinentry-mode loopback -c -o sealed text
	$P gpg --batch --quiet --passphrase secret --pinentry-mode loopback -d sealed | cmp - text && echo same
	$P gpg --batch --quiet --passphrase wrong --pinentry-mode loopback -d sealed >/dev/null 2>&1 ||
		echo "status $?"
	gpgconf --kill gpg-agent
}
