# SPDX-License-Identifier: BSD-2-Clause
# packages: openssh-client openssh-server

t_keygen()
{
	for kind in ed25519 ecdsa rsa; do
		$P ssh-keygen -q -t $kind -b $([ $kind = rsa ] && echo 2048 || echo 256) -N '' -C me -f key_$kind
		ssh-keygen -y -f key_$kind >public && cut -d' ' -f1,2 key_$kind.pub >stored
		cut -d' ' -f1,2 public | cmp - stored && echo "$kind same"
		$P ssh-keygen -l -f key_$kind.pub | sed 's/SHA256:[^ ]*/HASH/'
		seq 10 >text
		$P ssh-keygen -q -Y sign -f key_$kind -n file text 2>/dev/null
		ssh-keygen -Y check-novalidate -n file -s text.sig <text | sed 's/SHA256:[^ ]*/HASH/'
		rm text.sig
	done
	$P ssh-keygen -p -q -P '' -N secret -f key_ed25519
	$P ssh-keygen -y -P wrong -f key_ed25519 || echo "status $?"
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
