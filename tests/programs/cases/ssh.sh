# SPDX-License-Identifier: BSD-2-Clause
# packages: openssh-client openssh-server

# make_and_use KIND BITS
make_and_use()
{
	$P ssh-keygen -q -t $1 -b $2 -N '' -C me -f key_$1
	ssh-keygen -y -f key_$1 >public && cut -d' ' -f1,2 key_$1.pub >stored
	cut -d' ' -f1,2 public | cmp - stored && echo "$1 same"
	$P ssh-keygen -l -f key_$1.pub | sed 's/SHA256:[^ ]*/HASH/'
	seq 10 >text
	$P ssh-keygen -q -Y sign -f key_$1 -n file text 2>/dev/null
	ssh-keygen -Y check-novalidate -n file -s text.sig <text | sed 's/SHA256:[^ ]*/HASH/'
	rm text.sig
}

t_keygen()
{
	make_and_use ed25519 256
	$P ssh-keygen -p -q -P '' -N secret -f key_ed25519
	$P ssh-keygen -y -P wrong -f key_ed25519 || echo "status $?"
}

t_keygen_of_other_kinds() # now and then
{
	make_and_use ecdsa 256
	make_and_use rsa 2048
}

# The key is in the agent's memory alone when the login happens.
t_agent_and_login()
{
	root=$PWD
	chmod 755 /root
	mkdir -p -m 755 /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -C me -f mine
	cp mine.pub authorized
	cat >sshd_config <<-END
		Port 2222
		ListenAddress 127.0.0.1
		HostKey $root/host
		AuthorizedKeysFile $root/authorized
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM no
		PidFile $root/sshd.pid
	END
	/usr/sbin/sshd -f sshd_config -E sshd.log
	wait_for_port 2222
	echo "[127.0.0.1]:2222 $(cut -d' ' -f1,2 host.pub)" >known
	$P ssh-agent -D -a "$root/socket" >/dev/null &
	wait_for_file socket
	export SSH_AUTH_SOCK=$root/socket
	$P ssh-add -l || echo "status $?"
	$P ssh-add -q mine && rm mine
	$P ssh-add -l | sed 's/SHA256:[^ ]*/HASH/'
	$P ssh -F /dev/null -o UserKnownHostsFile=known -o PreferredAuthentications=publickey \
		-o BatchMode=yes -p 2222 root@127.0.0.1 'echo logged in; cat; exit 3' <sshd_config |
		cut -c1-20 | head -n 3
	ssh -F /dev/null -o UserKnownHostsFile=known -o BatchMode=yes -p 2222 root@127.0.0.1 \
		'echo again; exit 4' || echo "status $?"
	$P ssh-add -D
	$P ssh-add -l || echo "status $?"
	kill $(cat sshd.pid)
}
