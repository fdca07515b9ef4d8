# SPDX-License-Identifier: BSD-2-Clause
"""Rows of Debian's programs, protected against unprotected: guest/programs.sh."""

import base64
import gzip
import os
import re
import subprocess

import counting
import machines
from rows import OURS, Row

SECTION = "Programs"
PACKAGES = "openssl,sqlite3,redis-server,redis-tools,nginx-light"
MEMORY_MIB = 1536
# Times the instructions of an unprotected operation, all of the machine: client and kernel too.
AIMS = {"openssl": 1.01, "sqlite3": 1.1, "redis": 1.5, "nginx": 1.5}
NAMES = {"openssl": "openssl speed, 1 KiB of SHA-256", "sqlite3": "sqlite3, an insert",
         "redis": "redis-benchmark, a set or get", "nginx": "nginx, a page of 692 bytes"}
SIZES = 2
FUNCTIONS = 60          # of a profile in the JSON
PRINTED = 12            # of these
OPERATIONS = re.compile(r"^(?:did |.*: )(\d+)(?: sha256's in [\d.]+s)?$", re.MULTILINE)
SYMBOLS = os.path.join(machines.BENCH, "kernel-symbols")
ASK = "grep -i ' [tw] ' /proc/kallsyms | grep -v '\\[' | gzip -1 | base64"


class Programs(machines.Machine):
    """Carrel, and Debian's programs. Of its sections there are SIZES with each name."""

    def __init__(self, names):
        super().__init__("programs", "tcg", ["programs"], mem=MEMORY_MIB)
        self.names = names

    def _words(self):
        return super()._words() + ["--debian", PACKAGES]

    def _command(self):
        return ["--", f"PROGRAMS='{' '.join(self.names)}'", "sh", "/bench/programs.sh"]

    def _take(self, output):
        parts = machines.SECTION.split(output)
        self.sections = list(zip(parts[1::2], parts[2::2]))
        if not self.sections or self.sections[-1][0] != "end":
            raise machines.Failed(f"{self.logs}: {output[-1000:]}")

    def operations(self, name, kind):
        """How much more was done the second time, and what it took more: a Count."""
        places = [i for i, (head, _) in enumerate(self.sections) if head == f"{name} {kind}"]
        done = [OPERATIONS.search(self.sections[i][1]) for i in places]
        pairs = self.counts.pairs(machines.SPAWN, machines.REAPED)
        failed = any("failed: " in self.sections[i][1] for i in places)
        if failed or len(places) != SIZES or not all(done) or len(pairs) != len(self.sections) - 1:
            raise machines.Failed(f"{self.logs}: {name} {kind} was not measured")
        few, many = (pairs[i] for i in places)
        return int(done[1][1]) - int(done[0][1]), counting.difference(many, few)


def kernel_symbols():
    """Ranges of the kernel's functions, which are where they are on every machine."""
    if not os.path.exists(SYMBOLS) or os.path.getmtime(SYMBOLS) < os.path.getmtime(machines.KERNEL):
        result = subprocess.run(
            [machines.RIG, "--bare", "--append", machines.KERNEL_ARGUMENTS,
             "--timeout", "300", "--", ASK], check=False, stdin=subprocess.DEVNULL, capture_output=True)
        if result.returncode:
            raise machines.Failed(f"no symbols of the kernel: {result.stderr[-1000:]}")
        with open(SYMBOLS, "wb") as file:
            file.write(gzip.decompress(base64.b64decode(result.stdout)))
    with open(SYMBOLS, encoding="ascii") as file:
        return counting.kernel_ranges(file)


def profile(plain, protected, operations):
    """Function -> what it has more for one operation, the largest first."""
    more = {}
    for count, sign in ((plain, -1), (protected, 1)):
        for name, n in count.largest(None).items():
            more[name] = more.get(name, 0) + sign * n / operations[sign > 0]
    return {name: round(n, 1) for name, n in
            sorted(more.items(), key=lambda item: -abs(item[1]))[:FUNCTIONS]}


def row(machine, name):
    (plain_done, plain), (done, protected) = (machine.operations(name, kind)
                                              for kind in ("plain", "protected"))
    each = [count.totals["all"] / n for count, n in ((plain, plain_done), (protected, done))]
    kernel = [count.totals["kernel"] / n for count, n in ((plain, plain_done), (protected, done))]
    ours = {image: protected.image(image) / done for image in OURS}
    times = each[1] / each[0]
    note = "; ".join(f"{image} {n:,.0f}" for image, n in ours.items())
    note += f"; kernel {kernel[1] - kernel[0]:+,.0f}"
    note += f"; program {each[1] - each[0] - sum(ours.values()) - kernel[1] + kernel[0]:+,.0f}"
    exits = protected.totals["vmrun"] / done
    return Row(SECTION, NAMES[name], "SVM", None, each[0], each[1],
               measured=f"{times:.3f} x, {exits:,.2f} exits", budget=f"{AIMS[name]} x",
               holds=times <= AIMS[name], note=note,
               details={"operations": [plain_done, done], "plain": plain.totals,
                        "protected": protected.totals,
                        "more for one operation":
                        profile(plain, protected, (plain_done, done))})


def show(found):
    """Where the instructions are that a protected operation takes more."""
    for row in found:
        more = row.details.get("more for one operation", {})
        if more:
            print(f"{row.name}, where:")
            print("  " + "; ".join(f"{name} {n:+,.0f}" for name, n in list(more.items())[:PRINTED]))


def rows(machine):
    return [row(machine, name) for name in machine.names]
