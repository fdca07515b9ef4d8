# SPDX-License-Identifier: BSD-2-Clause
"""What the suites of tests/boot share: the rig, the guest's programs, and the tally."""

import os
import re
import subprocess
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(TREE, "build", "tests", "boot")
RIG = os.path.join(TREE, "tests", "rig", "rig")
PROGRAMS = ("cpuid", "kexec", "load", "outcome", "program")
GUEST_SCRIPTS = ("machine.sh", "functional.sh")
WARNING = re.compile(r"^hvreg: warning: DMA unprotected: .*\n", re.MULTILINE)


class Tally:
    """Prints a line a test and counts; done() prints the last line and gives the exit status."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def check(self, name, why=""):
        """`why` says what is wrong, or is empty (or None): the test has passed."""
        with self._lock:
            if why:
                self.failed += 1
                print(f"FAIL {name}")
                for line in str(why).splitlines()[:60]:
                    print(f"     {line}")
            else:
                self.passed += 1
                print(f"ok   {name}", flush=True)

    def skip(self, name, why):
        with self._lock:
            self.skipped += 1
            print(f"SKIP {name}: {why}", flush=True)

    def done(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0


def build():
    """Compiles the guest's programs, where they are older than their sources."""
    os.makedirs(WORK, exist_ok=True)
    for name in PROGRAMS:
        compile_guest(name, f"{name}.c", "-static", "-no-pie")
    compile_guest("dynamic", "outcome.c")


def compile_guest(name, source, *arguments):
    source = os.path.join(HERE, "guest", source)
    target = os.path.join(WORK, name)
    if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(source):
        return
    # Several suites may do this at once.
    made = f"{target}.{os.getpid()}"
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", *arguments,
                    "-o", made, source, "-lm"], check=True)
    os.replace(made, target)


def guest_files():
    """The rig's arguments that bring the programs and scripts into the guest."""
    pairs = [(os.path.join(WORK, name), f"/usr/bin/{name}") for name in (*PROGRAMS, "dynamic")]
    pairs += [(os.path.join(HERE, "guest", name), f"/{name}") for name in GUEST_SCRIPTS]
    return [word for source, name in pairs for word in ("--add", f"{source}:{name}")]


class Run:
    """One run of the rig: its status, output and what it says; `logs` is the logs' folder."""

    def __init__(self, name, *arguments):
        self.logs = os.path.join(WORK, "log", name)
        os.makedirs(self.logs, exist_ok=True)
        result = subprocess.run([RIG, "--log", self.logs, *arguments], check=False,
                                stdin=subprocess.DEVNULL, capture_output=True)
        self.status = result.returncode
        self.output = unwarned(result.stdout.decode("utf-8", "replace"))
        self.says = result.stderr.decode("utf-8", "replace")

    def log(self, name):
        """The hypervisor's log ("carrel") or the kernel's ("kernel")."""
        try:
            with open(os.path.join(self.logs, f"{name}.log"), "rb") as file:
                return file.read().decode("utf-8", "replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def failure(self):
        """Why the rig failed, or what COMMAND said last, for a report."""
        return "\n".join([f"exit status {self.status}; logs are in {self.logs}",
                          *self.says.splitlines()[-30:]])


def unwarned(output):
    """What the guest printed without what hvreg run warns of where there is no IOMMU."""
    return WARNING.sub("", output)


def iomem(text):
    """(first, last, name) of each line of /proc/iomem."""
    for line in text.splitlines():
        addresses, name = line.strip().split(" : ", 1)
        first, last = (int(word, 16) for word in addresses.split("-"))
        yield first, last, name
