# SPDX-License-Identifier: BSD-2-Clause
# packages: python3

t_json_and_hashlib()
{
	$P python3 - <<-'END' || echo "status $?"
		import hashlib, hmac, json, math, re, struct, sys, zlib
		data = {"numbers": list(range(50)), "text": "ünïcode", "nested": {"a": [None, True, 1.5]}}
		text = json.dumps(data, sort_keys=True, indent=1)
		assert json.loads(text) == data
		print(text[:200])
		for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
		    print(name, hashlib.new(name, text.encode()).hexdigest())
		print(hmac.new(b"k", b"m", "sha256").hexdigest())
		print(zlib.crc32(b"x" * 100000), math.factorial(30), re.findall(r"\d+", "a1b22c333"))
		print(sum(struct.unpack("<100I", struct.pack("<100I", *range(100)))))
		print(hashlib.pbkdf2_hmac("sha256", b"p", b"s", 1000).hex())
		sys.exit(3)
	END
}

t_threading()
{
	$P python3 - <<-'END'
		import queue, threading, time
		total, lock = 0, threading.Lock()
		def add():
		    global total
		    for _ in range(2000):
		        with lock:
		            total += 1
		threads = [threading.Thread(target=add) for _ in range(8)]
		for t in threads: t.start()
		for t in threads: t.join()
		print(total)
		work, done = queue.Queue(), queue.Queue()
		def worker():
		    while (n := work.get()) is not None:
		        done.put(n * n)
		threads = [threading.Thread(target=worker) for _ in range(4)]
		for t in threads: t.start()
		for n in range(100): work.put(n)
		for _ in threads: work.put(None)
		for t in threads: t.join()
		print(sum(done.get() for _ in range(100)))
		event = threading.Event()
		threading.Timer(0.2, event.set).start()
		print(event.wait(10))
		condition, ready = threading.Condition(), []
		def wait():
		    with condition:
		        while not ready: condition.wait()
		        print("woken")
		t = threading.Thread(target=wait); t.start()
		time.sleep(0.1)
		with condition:
		    ready.append(1); condition.notify_all()
		t.join()
	END
}

t_subprocess()
{
	$P python3 - <<-'END'
		import os, signal, subprocess
		print(subprocess.run(["busybox", "echo", "child"], capture_output=True, text=True))
		print(subprocess.run("exit 9", shell=True).returncode)
		p = subprocess.Popen(["busybox", "tr", "a-z", "A-Z"], stdin=subprocess.PIPE,
		                     stdout=subprocess.PIPE)
		print(p.communicate(b"through a pipe " * 5000)[0][-30:], p.returncode)
		p = subprocess.Popen(["busybox", "sleep", "100"])
		p.send_signal(signal.SIGTERM)
		print(p.wait())
		try:
		    subprocess.run(["busybox", "sleep", "100"], timeout=0.3)
		except subprocess.TimeoutExpired as error:
		    print(error.cmd)
		try:
		    subprocess.run(["/none"])
		except FileNotFoundError as error:
		    print(error)
		r, w = os.pipe()
		if os.fork() == 0:
		    os.write(w, b"from the child")
		    os._exit(4)
		print(os.read(r, 100), os.waitstatus_to_exitcode(os.wait()[1]))
		print(subprocess.check_output(["python3", "-c", "print(6 * 7)"]))
	END
}

t_multiprocessing()
{
	cat >script <<-'END'
		import multiprocessing
		def square(n):
		    return n * n
		if __name__ == "__main__":
		    with multiprocessing.Pool(3) as pool:
		        print(sum(pool.map(square, range(100))))
		    value = multiprocessing.Value("i", 0)
		    def add():
		        for _ in range(100):
		            with value.get_lock():
		                value.value += 1
		    children = [multiprocessing.Process(target=add) for _ in range(4)]
		    for c in children: c.start()
		    for c in children: c.join()
		    print(value.value, [c.exitcode for c in children])
	END
	$P python3 script
}

t_sockets_and_signals()
{
	$P python3 - <<-'END'
		import mmap, os, select, signal, socket, threading, time
		server = socket.create_server(("127.0.0.1", 0))
		def echo():
		    c, _ = server.accept()
		    while data := c.recv(65536):
		        c.sendall(data)
		    c.close()
		t = threading.Thread(target=echo); t.start()
		s = socket.create_connection(server.getsockname())
		sent = bytes(range(256)) * 1000
		threading.Thread(target=lambda: (s.sendall(sent), s.shutdown(socket.SHUT_WR))).start()
		got = b""
		while data := s.recv(65536):
		    got += data
		t.join()
		print(got == sent)
		hits = []
		signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
		signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
		end = time.monotonic() + 20
		while len(hits) < 10 and time.monotonic() < end: pass
		signal.setitimer(signal.ITIMER_REAL, 0)
		print(len(hits) >= 10)
		a, b = socket.socketpair()
		e = select.epoll(); e.register(b, select.EPOLLIN)
		a.send(b"x")
		print([(fd == b.fileno(), what) for fd, what in e.poll(5)])
		with open("file", "w+b") as f:
		    f.truncate(10000)
		    m = mmap.mmap(f.fileno(), 10000)
		    m[5000:5005] = b"hello"
		    m.flush(); m.close()
		    f.seek(5000)
		    print(f.read(5))
		m = mmap.mmap(-1, 4096)
		if os.fork() == 0:
		    m[0:5] = b"child"
		    os._exit(0)
		os.wait()
		print(m[0:5])
	END
}
