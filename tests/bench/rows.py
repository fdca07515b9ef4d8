# SPDX-License-Identifier: BSD-2-Clause
"""The budgets, and a row of the table for each on each machine."""

import dataclasses
import statistics

import machines

BOOT_PERCENT = 1
MEMORY_KIB = 6 * 1024
WORK_PERCENT = 0.5
CPUID = 150
CALL_EXITS = 2
CALL = 1000
ASYNCHRONOUS = 600
START_TIMES = 3
# These differ from boot to boot by themselves, and are judged by the spread of bare machines.
SPREADING = ("fork-exec-exit", "mmap-munmap")
OURS = ("hv", "shim", "gate")


@dataclasses.dataclass
class Vendor:
    """The machines of one rig; None: not booted."""
    bare: machines.Machine
    carrel: machines.Machine
    less: machines.Machine | None = None        # bare, with as much memory as Carrel leaves
    pair: machines.Machine | None = None        # Carrel, two CPUs
    again: list = dataclasses.field(default_factory=list)   # more of (bare, carrel), to their boot

    def name(self):
        return {"tcg": "SVM", "bochs": "VMX"}[self.carrel.rig]

    def counts(self, part):
        """What was counted of a part, operation by operation."""
        if self.carrel.traced:
            part = "traced-" + part.removeprefix("protected-")
        return self.carrel.sequence()[part]


@dataclasses.dataclass
class Row:
    section: str
    name: str
    vendor: str
    bare: float | None = None
    carrel: float | None = None
    protected: float | None = None
    measured: str = ""
    budget: str = ""
    holds: bool | None = None       # None: nothing to judge
    note: str = ""
    # For the JSON alone: where the instructions are, every leaf, and so on.
    details: dict = dataclasses.field(default_factory=dict)


def percent(bare, carrel):
    return (carrel - bare) * 100 / bare


def median(counts, measure):
    return statistics.median(measure(count) for count in counts)


def typical(counts):
    """The one in the middle."""
    return sorted(counts, key=lambda count: count.totals["all"])[len(counts) // 2]


def images(count):
    return "; ".join(f"{image} {count.image(image)}" for image in OURS)


def boot(vendor):
    bare, carrel = vendor.bare, vendor.carrel
    row = Row("The machine", "boot: GRUB's hand-over to /init", vendor.name(),
              budget=f"+{BOOT_PERCENT} %")
    if bare.counting:
        was, there = (typical([machine.boot_count() for machine in like])
                      for like in zip((bare, carrel), *vendor.again))
        row.bare, row.carrel = was.totals["all"], there.totals["all"]
        row.note = f"hv {there.image('hv'):,} in {there.totals['vmrun']:,} exits"
        row.details = {"functions": there.largest(25)}
    else:
        row.bare, row.carrel = (m.init_tsc() - m.handover_tsc() for m in (bare, carrel))
        idle = [int(m.sections["idle"].split()[3]) for m in (bare, carrel)]
        row.note = f"with {idle[0]} and {idle[1]} jiffies of an idle CPU"
    change = percent(row.bare, row.carrel)
    row.measured, row.holds = f"{change:+.2f} %", change <= BOOT_PERCENT
    return row


def memory(vendor):
    before, after = vendor.bare.ram_kib(), vendor.carrel.ram_kib()
    taken = max(was - now for was, now in zip(before, after))
    return Row("The machine", "memory for Linux, KiB", vendor.name(), before[0], after[0],
               measured=f"{taken} KiB taken", budget=f"{MEMORY_KIB} KiB",
               holds=0 < taken <= MEMORY_KIB,
               note=f"MemTotal {before[1] - after[1]} KiB less")


def operations(vendor):
    """Against a bare machine of as much memory: how much there is steers Linux's allocators. Without
    that machine, exits alone are judged."""
    like = vendor.less or vendor.bare
    for name, there in vendor.carrel.lines("operations").items():
        bare = [m.lines("operations")[name] for m in (like, vendor.bare) if "operations" in m.parts]
        was = bare[0].each()
        change = percent(was, there.each())
        row = Row("Unprotected work", name, vendor.name(), was, there.each(),
                  measured=f"{change:+.2f} %, {there.exits} exits", holds=not there.exits,
                  details={"bare": [line.cycles for line in bare], "carrel": there.cycles,
                           "batch": there.batch})
        if not vendor.less:
            row.budget = "0 exits"
        elif name in SPREADING:
            least, most = (f([line.least_and_most()[i] for line in bare])
                           for i, f in enumerate((min, max)))
            row.budget = "bare spread, 0 exits"
            row.holds &= there.each() <= most
            row.note = f"bare {least:,.0f} to {most:,.0f}"
        else:
            row.budget = f"+{WORK_PERCENT} %, 0 exits"
            row.holds &= change <= WORK_PERCENT
        yield row


def ticks(vendor):
    line = vendor.carrel.line("spin")
    found = [("", len(line.cycles), line.exits)]
    if vendor.pair:
        came, exits = map(sum, zip(*vendor.pair.ticks()))
        found.append((", 2 CPUs", came, exits))
    for cpus, came, exits in found:
        yield Row("Unprotected work", "exits in timer ticks" + cpus, vendor.name(), carrel=exits,
                  measured=f"{exits} in {came} ticks", budget="0 exits",
                  holds=came > 0 and exits == 0)


def cpuid(vendor):
    """The dearest leaf."""
    lines = vendor.carrel.lines("leaves")
    counts = vendor.counts("leaves")
    each = len(counts) // len(lines)
    leaves = {}
    for i, (leaf, line) in enumerate(lines.items()):
        if line.exits != line.batch * machines.BATCHES:
            raise machines.Failed(f"{vendor.carrel.logs}: {line.exits} exits for CPUID {leaf}")
        leaves[leaf] = typical(counts[i * each:(i + 1) * each])
    cost = {leaf: count.image("hv") / count.totals["vmrun"] for leaf, count in leaves.items()}
    worst = max(cost, key=cost.get)
    return Row("Unprotected work", "CPUID, the dearest leaf", vendor.name(),
               vendor.bare.lines("leaves")[worst].each(), lines[worst].each(),
               measured=f"{cost[worst]:.0f} in hv", budget=f"{CPUID} in hv",
               holds=cost[worst] <= CPUID,
               note=f"leaf {worst}; of {len(cost)} leaves {sum(n > CPUID for n in cost.values())} "
               f"over, least {min(cost.values()):.0f}",
               details={"leaves": cost, "functions of a batch": leaves[worst].largest()})


def calls(vendor):
    """Two rows: exits, and instructions, of a protected getppid."""
    plain, here = vendor.bare.line("calls").each(), vendor.carrel.line("calls").each()
    lines = vendor.carrel.all_lines("protected-calls")
    counts = vendor.counts("protected-calls")
    first, others = counts[0], counts[1:]
    if not vendor.carrel.traced:       # the first of the second run is a first call too
        others = counts[1:len(lines[0].cycles)]
    exits = [first.totals["vmrun"], median(others, lambda count: count.totals["vmrun"])]
    by_counters = exits_of_calls(vendor.carrel, lines)
    mine = [first.image(*OURS), median(others, lambda count: count.image(*OURS))]
    return [
        Row("Protected programs", "getppid, exits", vendor.name(), 0, 0, exits[1],
            measured=f"first {exits[0]}, then {exits[1]:.0f}", budget=f"{CALL_EXITS}, from the first",
            holds=exits == [CALL_EXITS] * 2 and round(by_counters, 1) == CALL_EXITS,
            note=f"by the exit counters {by_counters:.2f}"),
        Row("Protected programs", "getppid", vendor.name(), plain, here, lines[-1].each(),
            measured=f"first {mine[0]}, then {mine[1]:.0f}", budget=f"{CALL} in hv and shim",
            holds=max(mine) <= CALL, note=images(typical(others)),
            details={"first": first.largest(40), "other": typical(others).largest(40)})]


def exits_of_calls(machine, lines):
    """Exits of a call, from the counters around two runs with different numbers of calls. Each
    interruption has two exits that are none of the call's."""
    sums = []
    statuses = machine.protected_call_statuses()
    for before, after in zip(statuses, statuses[1:]):
        cpus = list(zip(before["exits"], after["exits"]))
        exits = sum(now[reason] - was[reason] for was, now in cpus for reason in now)
        sums.append(exits - 2 * sum(now["interrupt"] - was["interrupt"] for was, now in cpus))
    return (sums[-1] - sums[0]) / (len(lines[-1].cycles) - len(lines[0].cycles))


def asynchronous(vendor):
    """The typical one; the first after a change of the process's tables flushes besides."""
    counts = [count for count in vendor.counts("protected-spin") if count.totals["vmrun"] == 2]
    if not counts:
        raise machines.Failed(f"{vendor.carrel.logs}: no interruption was counted")
    mine = [count.image("hv") for count in counts]
    middle = statistics.median(mine)
    return Row("Protected programs", "asynchronous exit and resume", vendor.name(),
               protected=middle, measured=f"{middle:.0f}, most {max(mine)}",
               budget=f"{ASYNCHRONOUS} in hv", holds=middle <= ASYNCHRONOUS,
               note=f"of {len(mine)}; {images(typical(counts))}",
               details={"all": mine, "functions": typical(counts).largest(40)})


@dataclasses.dataclass
class Apart:
    """What is left out of a start: instructions of hashing, and iterations of rep but the first, which
    a CPU retires as one instruction; of a protected start and of an unprotected one."""
    hashing: int
    rep: int
    plain_rep: int


def count_apart(carrel, row):
    counts = carrel.start_counts(machines.MAIN)
    middle, plain = typical(counts), typical(carrel.unprotected_start_counts(machines.MAIN))
    beyond = {image: middle.image(image) - middle.hashing(image) for image in OURS}
    beyond["kernel"] = middle.totals["kernel"]
    row.note = "with iterations of rep: " + "; ".join(f"{image} {n:,}" for image, n in beyond.items())
    row.details.update(functions=middle.largest(40), totals=middle.totals, beyond=beyond,
                       plain=plain.totals)
    return Apart(median(counts, lambda count: count.hashing()), middle.totals["rep"],
                 plain.totals["rep"])


def start(vendor, apart):
    """Rows of what starting takes beyond hashing, and of the hashing; and what was left out. Where
    that cannot be counted it is `apart`, which another vendor's took: the same code does it."""
    bare, carrel = vendor.bare, vendor.carrel
    parts = ((bare, "start"), (carrel, "start"), (carrel, "protected-start"))
    before, here, protected = (m.lines(part)["main"].each() for m, part in parts)
    row = Row("Protected programs", "start of a static program", vendor.name(), before, here,
              protected, budget=f"{START_TIMES} x unprotected",
              details={"to its end": [m.lines(part)["whole"].each() for m, part in parts]})
    if carrel.counting:
        apart = count_apart(carrel, row)
    if apart is None:
        row.measured, row.note = "hashing not countable", "count SVM too"
        return [row], None
    all_in = (protected - apart.hashing) / here
    if carrel.counting:
        times = (protected - apart.hashing - apart.rep) / (here - apart.plain_rep)
        row.measured, row.holds = f"{times:.2f} x beyond hashing", times <= START_TIMES
        row.note += f"; {all_in:.2f} x with them"
    else:
        row.measured = "rep not countable"
        row.note = f"{all_in:.2f} x with iterations of rep; hashing taken from SVM"
    return [row, Row("Protected programs", "  the hashing in it", vendor.name(), 0, 0, apart.hashing,
                     note="" if carrel.counting else "taken from SVM: not countable here")], apart
