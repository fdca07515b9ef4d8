# SPDX-License-Identifier: BSD-2-Clause
# packages: openssl

t_version()
{
	$P openssl version
}

t_dgst()
{
	seq 1 100000 >text
	$P openssl dgst -sha256 text
	$P openssl dgst -sha3-512 -r text
	$P openssl dgst -hmac key -md5 <text
}

t_genrsa_sign_verify()
{
	seq 1 1000 >text
	$P openssl genrsa -out key 2048 && openssl rsa -in key -check -noout
	$P openssl rsa -in key -pubout -out public
	$P openssl dgst -sha256 -sign key -out signature text
	$P openssl dgst -sha256 -verify public -signature signature text
	openssl dgst -sha256 -verify public -signature signature text
	echo more >>text
	$P openssl dgst -sha256 -verify public -signature signature text 2>/dev/null ||
		echo "status $?"
}

t_elliptic_curves()
{
	$P openssl ecparam -name prime256v1 -genkey -noout -out key
	$P openssl genpkey -algorithm ed25519 -out edkey
	$P openssl req -x509 -new -key key -subj /CN=test -days 9 -out certificate
	openssl verify -CAfile certificate certificate
	seq 1 100 >text
	$P openssl pkeyutl -sign -rawin -inkey edkey -in text -out signature
	openssl pkeyutl -verify -rawin -inkey edkey -in text -sigfile signature
}

t_enc()
{
	seq 1 50000 >text
	$P openssl enc -aes-256-cbc -pbkdf2 -iter 1000 -k secret -S 0011223344556677 -in text -out sealed
	busybox sha256sum <sealed
	$P openssl enc -d -aes-256-cbc -pbkdf2 -iter 1000 -k secret -S 0011223344556677 -in sealed |
		cmp - text && echo same
	$P openssl enc -d -aes-256-cbc -pbkdf2 -iter 1000 -k wrong -S 0011223344556677 -in sealed \
		>/dev/null 2>&1 || echo refused
}

# An alarm ends each measurement.
t_speed() # now and then
{
	$P openssl speed -seconds 1 -bytes 1024 sha256 2>&1 | sed -n '/^Doing/p; /^sha/p' |
		sed 's/[0-9][0-9.]*/N/g; s/  */ /g'
}

t_rand() # now and then
{
	$P openssl rand -hex 32 >one
	$P openssl rand -hex 32 >two
	wc -c <one
	! cmp -s one two && echo different
}

t_tls_server_and_client()
{
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key -subj /CN=test -days 9 -out certificate 2>&-
	echo 'over TLS' >page
	$P openssl s_server -accept 4433 -key key -cert certificate -WWW -quiet >server 2>&1 &
	wait_for_port 4433
	printf 'GET /page HTTP/1.0\r\n\r\n' |
		$P openssl s_client -connect localhost:4433 -CAfile certificate -quiet -verify_return_error \
			-no_ign_eof -ign_eof 2>/dev/null | tr -d '\r' | tail -n 1
	kill %1
}
