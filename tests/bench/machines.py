# SPDX-License-Identifier: BSD-2-Clause
"""The machines that the benchmark boots, and what each of them tells."""

import json
import os
import re
import statistics
import subprocess

import counting
import handover

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TREE, "build")
BENCH = os.path.join(BUILD, "bench")
RIG = os.path.join(TREE, "tests", "rig", "rig")
CARREL = os.path.join(BUILD, "carrel.elf")
KERNEL = os.path.join(BUILD, "guest", "vmlinuz")

# guest/mark.h
HANDOVER, INIT, BEGIN, END, SPAWN, MAIN, REAPED = range(1, 8)
BATCHES = 9
LEAVES = 13
CALLS = 20
# Of the runs of a protected program that makes calls; the last two tell what a call costs.
PROTECTED_CALLS = (20, 220)
SPINS = {"tcg": 24, "bochs": 60}
# guest/traced.c
TRACED_CALLS = 3
TRACED_FILLS = 200
# guest/inside.c
INSIDE = ("inside", "protected-inside")
TRACED_TIMES = 3
TRACED_PARTS = ("traced-leaves", "traced-calls", "traced-spin", "traced-plain", "traced-inside")
# Carrel hides 5-level paging and VT-d, which cost Linux instructions: not to count that as Carrel's,
# nor to set it off against what Carrel does with VT-d.
KERNEL_ARGUMENTS = "nokaslr no5lvl intel_iommu=off"
INIT_ARGUMENT = "rdinit=/bench/init"
IOMMU = {"tcg": "vtd", "bochs": "none"}
MEMORY_MIB = 1024
# What Carrel takes of it, in one piece.
CARREL_MIB = 2
SECTION = re.compile(r"^@@ (.*)\n", re.MULTILINE)
LINE = re.compile(r"^(\S+)(?: per batch (\d+))?(?: exits (\d+))? cycles((?: \d+)*)$", re.MULTILINE)

BARE_PARTS = ("memory", "init", "idle", "operations", "leaves", "spin", "calls", "start")
# Which the brief run leaves out.
LONG_PARTS = ("start", "protected-start")
CARREL_PARTS = BARE_PARTS + ("protected-calls", "protected-spin", "protected-start") + INSIDE


class Failed(Exception):
    """A machine did not do what was asked: the text says why."""


class Line:
    """A line that `work` printed: instructions of each batch, each gap or each call."""

    def __init__(self, batch, exits, cycles):
        self.batch = int(batch or 1)
        self.exits = int(exits or 0)
        self.cycles = [int(word) for word in cycles.split()]

    def each(self):
        """Instructions of one operation: the median batch."""
        return statistics.median(self.cycles) / self.batch

    def least_and_most(self):
        return min(self.cycles) / self.batch, max(self.cycles) / self.batch


class Machine:
    """One boot. `rig` is tcg or bochs, `parts` what guest/bench.sh is to do."""

    def __init__(self, name, rig, parts, bare=False, smp=1, mem=MEMORY_MIB, word=""):
        self.rig, self.parts, self.bare, self.smp, self.mem = rig, parts, bare, smp, mem
        self.word = word        # more for the kernel's command line
        self.logs = os.path.join(BENCH, f"{rig}-{name}")
        # Two CPUs that wait for each other do not get on with --icount.
        self.counting = rig == "tcg" and smp == 1
        self.traced = not set(TRACED_PARTS).isdisjoint(parts)
        self.counts = None      # a counting.Counts, where the rig can
        self.sections = {}

    def _words(self):
        words = ["--rig", self.rig, "--smp", str(self.smp), "--mem", str(self.mem),
                 "--iommu", IOMMU[self.rig],
                 "--add", os.path.join(BENCH, "guest") + ":/bench",
                 "--append", f"{KERNEL_ARGUMENTS} {INIT_ARGUMENT} {self.word}", "--timeout", "580"]
        words += ["--bare"] if self.bare else []
        words += ["--icount"] if self.counting else []
        return words

    def _command(self):
        calls = " ".join(map(str, PROTECTED_CALLS))
        return ["--", f"PARTS='{' '.join(self.parts)}' CALLS='{calls}' SPINS={SPINS[self.rig]};",
                ". /bench/bench.sh"]

    def _boot(self, logs, *words):
        os.makedirs(logs, exist_ok=True)
        result = subprocess.run(
            [RIG, "--log", logs, *self._words(), *words, *self._command()], check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode:
            raise Failed(f"{os.path.basename(logs)}: the rig's exit status is "
                         f"{result.returncode}\n{result.stdout[-1000:]}{result.stderr[-2000:]}")
        return result.stdout

    def _plugin(self, ranges):
        """Words for the rig, and the file that the plugin writes."""
        names = [os.path.join(self.logs, name) for name in ("ranges", "counts")]
        os.makedirs(self.logs, exist_ok=True)
        counting.write_ranges(names[0], ranges, {
            HANDOVER: handover.block_at_entry(KERNEL if self.bare else CARREL)})
        plugin, listed, counts = (path.replace(",", ",,") for path in (
            os.path.join(BENCH, "counter.so"), *names))
        return ["--qemu-arg=-plugin",
                f"--qemu-arg={plugin},ranges={listed},out={counts}"], names[1]

    def run(self, ranges):
        words, counts = self._plugin(ranges) if self.counting else ([], None)
        if self.traced:
            words = ["--trace", str(len(TRACED_PARTS))]
        self._take(self._boot(self.logs, *words))
        if counts:
            self.counts = counting.read_plugin(counts, ranges)
        if self.traced:
            trace = os.path.join(self.logs, "trace.log")
            self.counts = counting.read_trace(trace, ranges)
            os.unlink(trace)
        return self

    def _take(self, output):
        parts = SECTION.split(output)
        self.sections = dict(zip(parts[1::2], parts[2::2]))
        missing = {*self.parts, "end"} - self.sections.keys()
        if missing:
            raise Failed(f"{self.logs}: no output of {', '.join(sorted(missing))}")

    def handover_tsc(self):
        """The TSC when GRUB hands over, by a boot of its own that goes no further."""
        logs = f"{self.logs}-handover"
        os.makedirs(logs, exist_ok=True)
        standin = os.path.join(logs, "standin")
        handover.write_standin(KERNEL if self.bare else CARREL,
                               os.path.join(BENCH, "handover.bin"), standin)
        self._boot(logs, "--kernel" if self.bare else "--hypervisor", standin,
                   "--until", handover.TOLD.pattern.replace("\\n", ""))
        with open(os.path.join(logs, "kernel.log"), encoding="latin-1") as log:
            return handover.told(log.read())

    # --- What it told ---

    def lines(self, part):
        return {name: Line(*rest) for name, *rest in LINE.findall(self.sections[part])}

    def line(self, part):
        """The last, or only, line of a part."""
        return list(self.lines(part).values())[-1]

    def all_lines(self, part):
        """Also those that have one name."""
        return [Line(*rest) for _, *rest in LINE.findall(self.sections[part])]

    def ticks(self):
        """(timer ticks, exits in them), of each CPU that they were waited for on."""
        return [tuple(map(int, found)) for found in
                re.findall(r"^ticks (\d+) exits (\d+)$", self.sections["ticks"], re.MULTILINE)]

    def protected_call_statuses(self):
        return [json.loads(text) for text in self.sections["protected-calls"].splitlines()
                if text.startswith("{")]

    def init_tsc(self):
        return int(self.sections["init"])

    def ram_kib(self):
        """System RAM that Linux was given, as /proc/iomem has it, and MemTotal."""
        text = self.sections["memory"]
        ram = sum(int(end, 16) - int(start, 16) + 1 for start, end in
                  re.findall(r"^(\w+)-(\w+) : System RAM$", text, re.MULTILINE))
        return ram // 1024, int(re.search(r"MemTotal: *(\d+)", text).group(1))

    # --- What the plugin counted ---

    def boot_count(self):
        first = self.counts.places(HANDOVER)
        last = self.counts.places(INIT)
        if len(first) != 1 or len(last) != 1:
            raise Failed(f"{self.logs}: {len(first)} hand-overs, {len(last)} starts of /init")
        return self.counts.between(first[0], last[0])

    def sequence(self):
        """The counts between BEGIN and END, by part, in the order in which they were run; where
        there is a trace, of what is in it."""
        pairs = iter(self.counts.pairs(BEGIN, END))
        sizes = {"leaves": LEAVES * BATCHES, "spin": SPINS[self.rig], "calls": CALLS,
                 "protected-calls": sum(PROTECTED_CALLS), "protected-spin": SPINS[self.rig],
                 "traced-leaves": LEAVES, "traced-calls": TRACED_CALLS,
                 "traced-spin": TRACED_FILLS}
        found = {}
        for part in (*INSIDE, "traced-plain", "traced-inside"):
            if part in self.parts:
                sizes[part] = len(self.lines(part)) * (TRACED_TIMES if self.traced else BATCHES)
        for part, size in sizes.items():
            if part in self.parts and part.startswith("traced") == self.traced:
                found[part] = [next(pairs) for _ in range(size)]
        return found

    def start_counts(self, end):
        """The counts from each fork to `end`, of the protected starts that count."""
        return self.counts.pairs(SPAWN, end)[-BATCHES:]

    def unprotected_start_counts(self, end):
        return self.counts.pairs(SPAWN, end)[1:BATCHES + 1]

