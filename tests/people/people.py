#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""people.py [TEST]... - runs in the guest. Each test is done with an unprotected program, then with
a protected one; what it returns must be the same. Prints TAP."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PROTECTION = ["hvreg", "run", "--"]
PYTHON = "/usr/bin/python3"
SECRET = bytes(b ^ 0x55 for b in b"the secret that is only in memory")
SECRET_MAKER = "secret = bytes(b ^ 0x55 for b in bytes.fromhex('%s'))\n" % bytes(
    b ^ 0x55 for b in SECRET).hex()


class Failed(Exception):
    pass


def expect(good, what):
    if not good:
        raise Failed(what)


def eventually(condition, what, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise Failed(f"not within {seconds} s: {what}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Program:
    """One that runs beside the test; it is killed at the end of a `with`."""

    def __init__(self, prefix, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen([*prefix, *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, **options)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline()

    def wait(self):
        return self.process.wait(60)


def python(prefix, text, *words, **options):
    return Program(prefix, PYTHON, "-u", "-c", text, *words, **options)


def output(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100,
                          check=False, **options)
    text = re.sub(rb"hvreg: warning: DMA unprotected: .*\n", b"", done.stdout)
    return done.returncode, text.decode(errors="replace")


# --- Names, priorities, limits ------------------------------------------------------------------

def t_names(prefix, protected):
    """ps, top, /proc/PID/comm and cmdline show the program's name and arguments."""
    with Program(prefix, "/bin/busybox", "sleep", "1000.5") as p:
        eventually(lambda: read(f"/proc/{p.pid}/comm") == b"busybox\n", "its name")
        columns = subprocess.run(["/bin/ps", "-o", "comm=,args=", "-p", str(p.pid)],
                                 capture_output=True, text=True, check=False).stdout.split()
        top = subprocess.run(["/usr/bin/top", "-b", "-n", "1", "-p", str(p.pid)],
                             capture_output=True, text=True, env=dict(os.environ, TERM="dumb"),
                             check=False).stdout.split("\n")
        shown = [line.split()[-1] for line in top if line.split()[:1] == [str(p.pid)]]
        found = subprocess.run(["/usr/bin/pgrep", "-x", "busybox", "-P", str(os.getpid())],
                               capture_output=True, text=True, check=False).stdout.split()
        return columns, shown, found == [str(p.pid)], read(f"/proc/{p.pid}/cmdline")


def t_names_of_threads(prefix, protected):
    """prctl(PR_SET_NAME) and pthread_setname_np are seen outside."""
    text = ("import ctypes, threading, time\n"
            "c = ctypes.CDLL(None)\n"
            "def body():\n"
            "    c.prctl(15, b'second', 0, 0, 0); time.sleep(1000)\n"
            "c.prctl(15, b'first', 0, 0, 0)\n"
            "threading.Thread(target=body).start()\n"
            "time.sleep(0.5); print('ready')\n")
    with python(prefix, text) as p:
        p.line()
        tasks = sorted(os.listdir(f"/proc/{p.pid}/task"), key=int)
        return [read(f"/proc/{p.pid}/task/{t}/comm") for t in tasks]


def t_nice(prefix, protected):
    """Priorities are inherited, set by the program, and by others."""
    with python(prefix, "import os, sys\n"
                "print(os.nice(0)); print(os.nice(2)); sys.stdin.readline()\n"
                "print(os.getpriority(os.PRIO_PROCESS, 0))", stdin=subprocess.PIPE,
                preexec_fn=lambda: os.nice(3)) as p:
        own = [p.line(), p.line()]
        seen = os.getpriority(os.PRIO_PROCESS, p.pid)
        os.setpriority(os.PRIO_PROCESS, p.pid, 9)
        p.process.stdin.write(b"\n")
        p.process.stdin.flush()
        return own, seen, p.line()


def t_ulimit(prefix, protected):
    """Limits of descriptors, of a file's size, of CPU time, of processes; inherited and set."""
    words = " ".join(prefix)
    return [output("sh", "-c", f"ulimit -n 20; {words} {PYTHON} -c '\n"
                   "import os\nn = 0\ntry:\n    while True: os.dup(0); n += 1\n"
                   "except OSError as e: print(n < 20, e.strerror)'"),
            output("sh", "-c", f"ulimit -f 2; exec {words} busybox dd if=/dev/zero of=/tmp/big "
                   "bs=4096 count=2", stdin=subprocess.DEVNULL)[0],
            output("sh", "-c", f"ulimit -t 1; exec {words} {PYTHON} -c 'while True: pass'")[0],
            output(*prefix, PYTHON, "-c", "import resource as r\n"
                   "r.setrlimit(r.RLIMIT_NOFILE, (50, 60)); print(r.getrlimit(r.RLIMIT_NOFILE))\n"
                   "try: [open('/dev/null') for i in range(100)].clear()\n"
                   "except OSError as e: print(e.strerror)"),
            output(*prefix, "busybox", "sh", "-c", "ulimit -c 0; ulimit -n 40; ulimit -c -n; "
                   "busybox sh -c 'ulimit -c -n'")]


# --- Signals and terminals ----------------------------------------------------------------------

COMPUTING = "import signal\nsignal.signal(2, signal.SIG_DFL)\nprint('ready')\nwhile True: pass\n"


def t_kill(prefix, protected):
    """Signals from outside: ended by, handled, ignored, stopped and continued."""
    seen = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV,
                   signal.SIGKILL, signal.SIGALRM, signal.SIGXCPU):
        with python(prefix, COMPUTING) as p:
            p.line()
            os.kill(p.pid, number)
            seen.append(p.wait())
    # Python runs a handler at its own leisure: not in a sleep that began just before the signal was
    # noted, so the sleep is short; and maybe within another's print, so there is none.
    text = ("import os, signal, time\n"
            "def handler(n, _): os.write(1, b'got %d\\n' % n)\n"
            "for n in (1, 2, 10, 12, 15, 18, 28): signal.signal(n, handler)\n"
            "signal.signal(14, signal.SIG_IGN); print('ready')\n"
            "while True: time.sleep(0.05)\n")
    with python(prefix, text) as p:
        seen.append(p.line())
        for number in (1, 2, 10, 14, 12, 15, 28):
            os.kill(p.pid, number)
            if number != 14:
                seen.append(p.line())
        os.kill(p.pid, signal.SIGSTOP)
        eventually(lambda: b"State:\tT" in read(f"/proc/{p.pid}/status"), "stopped")
        os.kill(p.pid, signal.SIGCONT)
        seen.append(p.line())
        os.kill(p.pid, signal.SIGTERM)
        seen.append(p.line())
    return seen


class Terminal:
    """A program on a terminal of its own, which is what it is the session's leader of."""

    def __init__(self, *words):
        self.text = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="dumb", PS1="$ ", HISTFILE="")
            os.environ.pop("ENV", None)
            os.execvp(words[0], words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def wait(self):
        pid, self.pid = self.pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def expect(self, pattern, seconds=40):
        """What has come up to the end of `pattern`, which is taken away."""
        end = time.monotonic() + seconds
        while not (m := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            try:
                more = os.read(self.fd, 4096) if ready else b""
            except OSError:
                more = b""
            if not more:
                raise Failed(f"no {pattern} in {self.text[-500:]}")
            self.text += more
        self.text = self.text[m.end():]
        return m

    def send(self, text):
        os.write(self.fd, text)

    def prompt(self):
        """Only then does a shell take what is typed: it may drop what came before."""
        self.expect(rb"\$ ")

    def line(self, text, pattern=None):
        """Types a line; waits for the pattern that it brings, and for the prompt."""
        self.send(text + b"\n")
        found = self.expect(pattern)[0] if pattern else None
        self.prompt()
        return found

    def key(self, text):
        """Types one that interrupts or stops; the exit status of what it hit."""
        time.sleep(0.5)
        self.send(text)
        self.prompt()
        return self.line(b"echo status:$?:", rb"\nstatus:(\d+):")


def job_control(shell, prefix):
    """In a shell on a terminal: what a user sees of a job that is stopped, goes on, and ends."""
    run = " ".join([*prefix, "busybox"]).encode()
    sleeper = run + b" sh -c 'echo begun; exec busybox sleep 1000'\n"
    seen = []
    with Terminal(*shell) as t:
        t.prompt()
        t.line(run + b" true")
        t.send(sleeper)
        t.expect(rb"\nbegun")
        seen.append(t.key(b"\x1a"))
        t.line(b"jobs", rb"Stopped .*busybox")
        t.line(b"bg")
        t.line(b"jobs", rb"Running .*busybox")
        t.send(b"fg\n")
        seen.append(t.key(b"\x03"))
        t.send(sleeper)
        t.expect(rb"\nbegun")
        seen.append(t.key(b"\x1c"))
        # one that reads the terminal: in the background it is stopped by SIGTTIN
        t.line(run + b" cat &")
        time.sleep(1)
        t.line(b"", rb"Stopped .*cat")
        t.send(b"fg\n")
        time.sleep(0.5)
        t.send(b"a line\n")
        t.expect(rb"a line\r\n(.*\n)?a line")
        seen.append(t.key(b"\x04"))
        t.send(b"exit 3\n")
        seen.append(t.wait())
    return seen


def t_jobs(prefix, protected):
    """busybox' shell, which is not protected; its jobs are."""
    return job_control(["busybox", "sh", "-i"], prefix)


def t_jobs_of_bash(prefix, protected):
    return job_control(["/bin/bash", "--norc", "--noediting", "-i"], prefix)


def t_shell_with_jobs(prefix, protected):
    """A shell that is protected, and with it all that it runs."""
    return job_control([*prefix, "/bin/busybox", "sh", "-i"], [])


def t_bash_with_jobs(prefix, protected):
    return job_control([*prefix, "/bin/bash", "--norc", "--noediting", "-i"], [])


def t_terminal(prefix, protected):
    """Sizes, modes, SIGWINCH and SIGHUP of a terminal."""
    text = ("import os, signal, sys, termios, tty\n"
            "signal.signal(signal.SIGWINCH, lambda *_: print('size', *os.get_terminal_size()))\n"
            "def hung_up(*_): open('/tmp/hup', 'w').write('hup'); os._exit(3)\n"
            "signal.signal(signal.SIGHUP, hung_up)\n"
            "print(os.isatty(0), os.ttyname(0)[:8], os.tcgetpgrp(0) == os.getpgrp())\n"
            "old = termios.tcgetattr(0); tty.setraw(0)\n"
            "c = os.read(0, 1); termios.tcsetattr(0, termios.TCSANOW, old)\n"
            "print('read', c)\n"
            "while True: signal.pause()\n")
    seen = []
    if os.path.exists("/tmp/hup"):
        os.unlink("/tmp/hup")
    with Terminal(*prefix, PYTHON, "-u", "-c", text) as t:
        seen.append(t.expect(rb"(True .*)\r\n")[1])
        time.sleep(0.3)
        t.send(b"\x03")
        seen.append(t.expect(rb"(read .*)\r\n")[1])
        fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("4H", 33, 99, 0, 0))
        seen.append(t.expect(rb"(size .*)\r\n")[1])
        os.close(t.fd)
        t.fd = os.open("/dev/null", os.O_RDONLY)
        eventually(lambda: os.path.exists("/tmp/hup") and read("/tmp/hup"), "SIGHUP")
    return seen


# --- Those who look -----------------------------------------------------------------------------

WAITER = SECRET_MAKER + """
import sys
print('ready')
for line in sys.stdin: print(line.upper(), end='')
"""


def t_strace(prefix, protected):
    """strace -p sees calls, and the program goes on behind it."""
    with python(prefix, WAITER, stdin=subprocess.PIPE) as p:
        p.line()
        tracer = subprocess.Popen(["/usr/bin/strace", "-f", "-s", "100", "-o", "/tmp/trace",
                                   "-p", str(p.pid)], stderr=subprocess.DEVNULL)
        attached = b"TracerPid:\t%d\n" % tracer.pid
        eventually(lambda: attached in read(f"/proc/{p.pid}/status"), "traced")
        time.sleep(0.5)
        said = []
        for word in (b"one\n", b"two\n"):
            p.process.stdin.write(word)
            p.process.stdin.flush()
            said.append(p.line())
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        trace = read("/tmp/trace")
        p.process.stdin.write(b"three\n")
        p.process.stdin.flush()
        said.append(p.line())
        expect(SECRET not in trace, "the secret is in the trace")
        return said, bool(re.search(rb"read\(0, ", trace)), bool(re.search(rb'write\(1, "', trace))


def t_strace_from_the_start(prefix, protected):
    """strace of a command, its children with it."""
    status, text = output("/usr/bin/strace", "-f", "-o", "/tmp/trace", *prefix, "busybox", "sh",
                          "-c", "echo one | busybox tr a-z A-Z; exit 6", stdin=subprocess.DEVNULL)
    trace = read("/tmp/trace")
    return status, text, trace.count(b"+++ exited with 6"), b"execve(" in trace


def memory_of(pid):
    """All of /proc/PID/mem that can be read."""
    found = b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in read(f"/proc/{pid}/maps").decode().splitlines():
            start, end = (int(n, 16) for n in line.split()[0].split("-"))
            for at in range(start, min(end, start + (64 << 20)), 1 << 16):
                try:
                    found += os.pread(memory.fileno(), min(1 << 16, end - at), at)
                except (OSError, OverflowError):
                    pass
    return found


def t_memory(prefix, protected):
    """/proc/PID/mem has the secret of an unprotected program alone."""
    with python(prefix, WAITER, stdin=subprocess.PIPE) as p:
        p.line()
        expect((SECRET in memory_of(p.pid)) != protected, "the secret")
        p.process.stdin.write(b"on\n")
        p.process.stdin.flush()
        return p.line()


def allow_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def t_core(prefix, protected):
    """A core dump has the secret of an unprotected program alone; its end is the same."""
    with open("/proc/sys/kernel/core_pattern", "w", encoding="ascii") as file:
        file.write("/tmp/core")
    seen = []
    for how in ("os.abort()", "os.kill(os.getpid(), 11)", "__import__('ctypes').string_at(8)"):
        if os.path.exists("/tmp/core"):
            os.unlink("/tmp/core")
        with python(prefix, SECRET_MAKER + "import os\n" + how, preexec_fn=allow_cores) as p:
            seen.append(p.wait())
        core = read("/tmp/core") if os.path.exists("/tmp/core") else b""
        expect(core or protected, f"no core after {how}")
        expect((SECRET in core) != protected, f"the secret, after {how}")
    return seen


def t_ptrace_writes(prefix, protected):
    """Whoever writes to the carrier's memory ends the program, or changes nothing of it."""
    with python(prefix, WAITER, stdin=subprocess.PIPE) as p:
        p.line()
        for line in read(f"/proc/{p.pid}/maps").decode().splitlines():
            if not protected:
                break
            with open(f"/proc/{p.pid}/mem", "r+b", buffering=0) as memory:
                try:
                    os.pwrite(memory.fileno(), b"\xcc" * 16, int(line.split("-")[0], 16))
                except (OSError, OverflowError):
                    pass
        p.process.stdin.write(b"on\n")
        try:
            p.process.stdin.flush()
        except BrokenPipeError:
            pass
        said = p.line()
        expect(said in (b"ON\n", b"") if protected else said == b"ON\n", f"it says {said}")
    return None


# --- All of them --------------------------------------------------------------------------------

def left():
    status = subprocess.run(["hvreg", "status", "--json"], capture_output=True, text=True,
                            check=False).stdout
    return "" if '"chunks_donated":0' in status else status


def judge(test):
    """What is wrong, or nothing."""
    try:
        plain = test([], False)
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        return f"unprotected: {error}"
    try:
        protected = test(PROTECTION, True)
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        return f"protected: {error}"
    if plain != protected:
        return f"{plain} is now {protected}"
    try:
        eventually(lambda: not left(), "all memory is back", 10)
    except Failed as error:
        return str(error)
    return ""


def main():
    for number in (signal.SIGINT, signal.SIGQUIT):  # a script's background has them ignored
        signal.signal(number, signal.SIG_DFL)
    names = sys.argv[1:] or [name[2:] for name in globals() if name.startswith("t_")]
    failures = 0
    for number, name in enumerate(names, 1):
        begin = time.monotonic()
        wrong = judge(globals()["t_" + name])
        failures += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {name} ({time.monotonic() - begin:.1f} s)",
              flush=True)
        if wrong:
            print("#", wrong)
            log = output("hvreg", "log")[1].splitlines()[-4:]
            print(*("# " + line for line in log), sep="\n", flush=True)
    print(f"1..{len(names)}")
    return failures > 0


sys.exit(main())
