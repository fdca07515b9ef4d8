# SPDX-License-Identifier: BSD-2-Clause
"""The budgets, and a row of the table for each on each machine."""

import dataclasses

import machines

BOOT_PERCENT = 1
MEMORY_KIB = 6 * 1024
WORK_PERCENT = 0.5
CPUID = 150
CALL_EXITS = 2
CALL = 1000
ASYNCHRONOUS = 600
START_TIMES = 3
# In which the verdict is about the spread of bare runs: fork spreads by itself.
SPREADING = ("fork-exec-exit",)


@dataclasses.dataclass
class Row:
    section: str
    name: str
    machine: str
    bare: float | None = None
    carrel: float | None = None
    protected: float | None = None
    measured: str = ""
    budget: str = ""
    holds: bool | None = None       # None: nothing to judge
    note: str = ""
    # For the JSON alone: where the instructions are, every leaf, and so on.
    details: dict = dataclasses.field(default_factory=dict)


def name_of(machine):
    return {"tcg": "SVM", "bochs": "VMX"}[machine.rig] + (
        f", {machine.smp} CPUs" if machine.smp > 1 else "")


def percent(bare, carrel):
    return (carrel - bare) * 100 / bare


def boot(bare, carrel):
    row = Row("The machine", "boot: GRUB's hand-over to /init", name_of(carrel),
              budget=f"+{BOOT_PERCENT} %")
    if bare.counts:
        there = carrel.boot_count()
        row.bare, row.carrel = bare.boot_count().totals["all"], there.totals["all"]
        row.details = {"hypervisor": there.image("hv"), "exits": there.totals["vmrun"],
                       "functions": there.largest(25)}
    else:
        row.bare, row.carrel = (m.init_tsc() - m.handover_tsc() for m in (bare, carrel))
        row.note = "ticks, with those of an idle CPU"
        row.details = {"idle jiffies": [int(m.sections["idle"].split()[3])
                                        for m in (bare, carrel)]}
    change = percent(row.bare, row.carrel)
    row.measured, row.holds = f"{change:+.2f} %", change <= BOOT_PERCENT
    return row


def memory(bare, carrel):
    before, after = bare.ram_kib(), carrel.ram_kib()
    taken = before[0] - after[0]
    return Row("The machine", "memory for Linux, KiB", name_of(carrel), before[0], after[0],
               measured=f"{taken} KiB taken", budget=f"{MEMORY_KIB} KiB",
               holds=0 < taken <= MEMORY_KIB,
               details={"MemTotal": [before[1], after[1]]})


def operations(bare, carrel):
    for name, there in carrel.lines("operations").items():
        was = bare.lines("operations")[name]
        change = percent(was.each(), there.each())
        row = Row("Unprotected work", name, name_of(carrel), was.each(), there.each(),
                  measured=f"{change:+.2f} %, {there.exits} exits",
                  budget=f"+{WORK_PERCENT} %, 0 exits",
                  holds=change <= WORK_PERCENT and not there.exits,
                  details={"bare": was.cycles, "carrel": there.cycles, "batch": there.batch})
        if name in SPREADING:
            least, most = was.least_and_most()
            row.budget = "bare spread, 0 exits"
            row.holds = there.each() <= most and not there.exits
            row.note = f"bare {least:.0f} to {most:.0f}"
        yield row


def tick(carrel):
    lines = [line for part in ("spin", "spin-each") if part in carrel.sections
             for line in carrel.all_lines(part)]
    ticks, exits = sum(len(line.cycles) for line in lines), sum(line.exits for line in lines)
    return Row("Unprotected work", f"exits of {ticks} timer ticks", name_of(carrel),
               carrel=exits, measured=f"{exits} exits", budget="0 exits", holds=exits == 0)


def cpuid(bare, carrel):
    """The dearest leaf."""
    counted = carrel.sequence()["leaves"] if carrel.counts else None
    leaves, functions = {}, {}
    for i, (leaf, line) in enumerate(carrel.lines("leaves").items()):
        if line.exits != line.batch * machines.BATCHES:
            raise machines.Failed(f"{carrel.logs}: {line.exits} exits for CPUID {leaf}")
        if counted:
            batches = counted[i * machines.BATCHES:(i + 1) * machines.BATCHES]
            leaves[leaf] = machines.median_count(batches, lambda c: c.image("hv")) / line.batch
            functions[leaf] = batches[0].largest()
        else:
            leaves[leaf] = line.each() - bare.lines("leaves")[leaf].each()
    worst = max(leaves, key=leaves.get)
    row = Row("Unprotected work", "CPUID, the dearest leaf", name_of(carrel),
              bare.lines("leaves")[worst].each(), carrel.lines("leaves")[worst].each(),
              measured=f"{leaves[worst]:.0f} in hv", budget=f"{CPUID} in hv",
              holds=leaves[worst] <= CPUID, note=f"leaf {worst}; least {min(leaves.values()):.0f}",
              details={"leaves": leaves, "functions": functions.get(worst, {})})
    if not counted:
        row.note += "; less bare"
    return row


def calls(bare, carrel):
    """Two rows: exits, and instructions, of a protected getppid."""
    plain, here = bare.line("calls").each(), carrel.line("calls").each()
    lines = carrel.all_lines("protected-calls")
    protected = lines[-1].each()
    exits = Row("Protected programs", "getppid, exits", name_of(carrel), 0, 0,
                budget=f"{CALL_EXITS}, from the first")
    cost = Row("Protected programs", "getppid", name_of(carrel), plain, here, protected,
               budget=f"{CALL} in hv and shim")
    if carrel.counts:
        sequence = carrel.sequence()["protected-calls"]
        runs = (sequence[:len(lines[0].cycles)], sequence[len(lines[0].cycles):])
        counts = [run[0] for run in runs] + [runs[-1][1]]
        first, other = counts[0], median_call(runs[-1][1:])
        each = [count.totals["vmrun"] for run in runs for count in run]
        often = each.count(CALL_EXITS)
        exits.protected = CALL_EXITS if often > len(each) * 0.9 else max(each)
        exits.measured = f"first {each[0]}, then {machines.statistics.median(each):.0f}"
        exits.holds = (each[0] == each[len(runs[0])] == CALL_EXITS and
                       machines.statistics.median(each) == CALL_EXITS)
        exits.note = f"{often} of {len(each)} calls; a tick came in the others"
        mine = [count.image("hv", "shim", "gate") for count in (first, other)]
        cost.measured = f"first {mine[0]}, then {mine[1]}"
        cost.holds = max(mine) <= CALL
        cost.note = "; ".join(f"{image} {other.image(image)}" for image in ("hv", "shim", "gate"))
        cost.details = {"first": first.largest(40), "other": other.largest(40)}
    else:
        per_call = exits_of_calls(carrel, lines)
        exits.protected = per_call
        exits.measured = f"{per_call:.2f} a call"
        exits.holds = round(per_call, 1) == CALL_EXITS
        exits.note = "the first not apart: counters tell no single call"
        mine = [cycles - here for cycles in (lines[-1].cycles[0], protected)]
        cost.measured = f"first {mine[0]:.0f}, then {mine[1]:.0f}"
        cost.holds = max(mine) <= CALL
        cost.note = "less unprotected: with the stub"
    return [exits, cost]


def median_call(counts):
    return sorted(counts, key=lambda count: count.totals["all"])[len(counts) // 2]


def exits_of_calls(carrel, lines):
    """Exits of a call, from the counters around two runs with different numbers of calls. Each
    interruption has two exits that are none of the call's."""
    sums = []
    for before, after in zip(carrel.protected_call_statuses(),
                             carrel.protected_call_statuses()[1:]):
        cpus = list(zip(before["exits"], after["exits"]))
        exits = sum(now[reason] - was[reason] for was, now in cpus for reason in now)
        sums.append(exits - 2 * sum(now["interrupt"] - was["interrupt"] for was, now in cpus))
    return (sums[-1] - sums[0]) / (len(lines[-1].cycles) - len(lines[0].cycles))


def asynchronous(carrel):
    row = Row("Protected programs", "asynchronous exit and resume", name_of(carrel),
              carrel=carrel.line("spin").each(), protected=carrel.line("protected-spin").each(),
              budget=f"{ASYNCHRONOUS} in hv")
    if carrel.counts:
        count = carrel.sequence()["protected-spin"][0]
        times = count.totals["vmrun"] / 2
        mine = count.image("hv") / times
        row.measured, row.holds = f"{mine:.0f} in hv", mine <= ASYNCHRONOUS
        row.note = f"mean of {times:.0f}; the columns: what a tick takes"
        row.details = {name: n / times for name, n in count.largest(40).items()}
    else:
        row.measured = f"{row.protected - row.carrel:+.0f}"
        row.note = "not countable: the kernel's part differs too"
    return row


def start(bare, carrel, hashing_on_other=None):
    """Two rows: what starting takes beyond hashing, and the hashing. `hashing_on_other`: where it
    cannot be counted, that of a machine where it can: the same code hashes the same bytes."""
    before, here, protected = ((m.lines(part)["main"].each()) for m, part in (
        (bare, "start"), (carrel, "start"), (carrel, "protected-start")))
    row = Row("Protected programs", "start of a static program", name_of(carrel), before, here,
              protected, budget=f"{START_TIMES} x unprotected")
    if carrel.counts:
        counts = carrel.start_counts(True, machines.MAIN)
        hashing = machines.median_count(counts, lambda count: count.hashing())
        middle = median_call(counts)
        row.details = {"functions": middle.largest(40), "totals": middle.totals,
                       "images": {image: middle.image(image)
                                  for image in ("hv", "shim", "gate", "hvreg")}}
        row.note = f"of these {middle.totals['rep']} iterations of rep"
    else:
        hashing = hashing_on_other
        row.note = "hashing as on SVM: the same code and bytes"
    whole = [m.lines(part)["whole"].each() for m, part in (
        (bare, "start"), (carrel, "start"), (carrel, "protected-start"))]
    row.details["whole life"] = whole
    hash_row = Row("Protected programs", "  hashing in it", name_of(carrel), 0, 0, hashing,
                   measured="apart")
    if hashing is None:
        row.measured = "not countable"
        return [row], None
    times = (protected - hashing) / here
    row.measured, row.holds = f"{times:.2f} x beyond hashing", times <= START_TIMES
    return [row, hash_row], hashing
