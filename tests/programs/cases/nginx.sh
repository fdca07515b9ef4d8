# SPDX-License-Identifier: BSD-2-Clause
# packages: nginx-light curl openssl

# configure WORKERS: files to serve, a certificate, and what nginx is to do.
configure()
{
	mkdir -p site && seq 1 40000 >site/numbers && echo 'a page' >site/index.html
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -subj /CN=localhost -days 9 \
		-addext subjectAltName=DNS:localhost -out certificate 2>/dev/null
	chmod -R a+rX . && chmod a+x /tmp
	cat >nginx.conf <<-END
		user www-data;
		pid $PWD/pid;
		worker_processes $1;
		error_log $PWD/error.log;
		events { worker_connections 64; }
		http {
			access_log $PWD/access.log;
			client_body_temp_path $PWD/body;
			proxy_temp_path $PWD/proxy;
			fastcgi_temp_path $PWD/fastcgi;
			uwsgi_temp_path $PWD/uwsgi;
			scgi_temp_path $PWD/scgi;
			limit_req_zone \$binary_remote_addr zone=one:1m rate=1000r/s;
			sendfile on;
			server {
				listen 127.0.0.1:8099;
				listen 127.0.0.1:8499 ssl;
				ssl_certificate $PWD/certificate;
				ssl_certificate_key $PWD/key;
				ssl_session_cache shared:tls:1m;
				root $PWD/site;
				gzip on;
				gzip_types *;
				limit_req zone=one burst=100;
			}
		}
	END
}

# By a client that is protected, where there is time.
fetch()
{
	$client curl -s -S -m 60 "$@"
}

workers()
{
	cat /proc/$server/task/$server/children
}

# New workers take over; the old ones end.
reload()
{
	old=$(workers)
	kill -HUP $(cat pid)
	for worker in $old; do
		wait_until test ! -e /proc/$worker
	done
	[ "$(workers | wc -w)" = "$(echo $old | wc -w)" ] || echo "workers: $old, $(workers)"
}

serve_and_fetch()
{
	configure $1
	$P /usr/sbin/nginx -c "$PWD/nginx.conf" -p "$PWD" -g "daemon off; $2" &
	server=$!
	wait_for_port 8499
	$P curl -s -S -m 60 http://127.0.0.1:8099/
	fetch http://127.0.0.1:8099/numbers | cmp - site/numbers && echo same
	fetch -r 10-19 http://127.0.0.1:8099/numbers
	echo
	fetch --compressed http://127.0.0.1:8099/numbers | cmp - site/numbers && echo same
	fetch -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8099/none
	$P curl -s -S -m 60 --cacert certificate https://localhost:8499/numbers | cmp - site/numbers && echo same
	fetch --cacert certificate -w '%{ssl_verify_result} %{http_version}\n' https://localhost:8499/
	for i in 1 2 3 4 5 6; do
		curl -s -S -m 60 --cacert certificate https://localhost:8499/numbers | cmp - site/numbers &
		jobs="$jobs $!"
	done
	wait $jobs && echo 'all the same'
	[ "$2" ] || reload
	fetch http://127.0.0.1:8099/
	kill -QUIT $server
	wait $server
	echo "server: $?"
	! grep -E 'emerg|alert|crit' error.log
}

t_one_process() # now and then
{
	client=$P
	serve_and_fetch 1 'master_process off;'
}

# A master and two workers, which share zones of memory; HUP makes two more and ends the first.
t_workers()
{
	client=
	serve_and_fetch 2 ''
}
