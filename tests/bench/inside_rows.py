# SPDX-License-Identifier: BSD-2-Clause
"""Rows of what costs a protected program more than an unprotected one: guest/inside.c."""

import machines
from rows import OURS, Row, typical

SECTION = "Protected operations"
EXITS = 2
COPY_4K = 2500
# Of one 64 KiB block of the channel, in the hypervisor, the shim and the stub, the copy aside.
BLOCK = 64 * 1024
PER_BLOCK = 8
PAGES_AN_EXIT = 16
WORD = 8        # that one iteration of the shim's copy moves
# None of the reported ones is judged.
REPORTED = ("futex-ping-pong", "thread-create-join", "fork-exit-wait")


def least(counts):
    """The one without an interruption."""
    return min(counts, key=lambda count: count.totals["all"])


class Operation:
    """One operation, unprotected and protected: the least batch of each, because all are the same
    but for interruptions; the one in the middle where threads or processes come and go."""

    def __init__(self, vendor, name, batch, plain, protected):
        self.vendor, self.name, self.batch = vendor, name, batch
        choose = typical if name in REPORTED else least
        self.plain, self.protected = choose(plain), choose(protected)

    def exits(self):
        return self.protected.totals["vmrun"] / self.batch

    def each(self, what="all"):
        """Of one operation, unprotected and protected."""
        return [count.totals[what] / self.batch for count in (self.plain, self.protected)]

    def above(self):
        """Instructions above unprotected, iterations of rep aside."""
        (plain, protected), (rep, protected_rep) = self.each(), self.each("rep")
        return protected - protected_rep - (plain - rep)

    def row(self, **more):
        plain, protected = self.each()
        where = {image: round(self.protected.image(image) / self.batch) for image in OURS}
        kernel = [count.totals["kernel"] / self.batch for count in (self.plain, self.protected)]
        note = "; ".join(f"{image} {n:,}" for image, n in where.items())
        note += f"; kernel {kernel[0]:,.0f}, protected {kernel[1]:,.0f}"
        details = {"exits": self.exits(), "functions of a batch": self.protected.largest(40),
                   "batch": self.batch, "plain": self.plain.totals,
                   "protected": self.protected.totals}
        return Row(SECTION, self.name, self.vendor.name(), None, plain, protected,
                   note=more.pop("note", note), details=details, **more)


def operations(vendor):
    """Name -> Operation."""
    machine, traced = vendor.carrel, vendor.carrel.traced
    names = ("traced-plain", "traced-inside") if traced else machines.INSIDE
    times = machines.TRACED_TIMES if traced else machines.BATCHES
    counts = [machine.sequence()[part] for part in names]
    return {name: Operation(vendor, name, line.batch,
                            *(part[i * times:(i + 1) * times] for part in counts))
            for i, (name, line) in enumerate(machine.lines(names[0]).items())}


def small(operation):
    """A call that moves 4 KiB."""
    exits, above = operation.exits(), operation.above()
    return operation.row(measured=f"{above:+,.0f}, {exits:.3g} exits",
                         budget=f"+{COPY_4K:,}, {EXITS} exits, copy aside",
                         holds=above <= COPY_4K and exits <= EXITS)


def large(half, whole):
    """What the second half of a MiB takes."""
    size = 1 << 19
    grown = whole.above() - half.above()
    rep = [big - little for big, little in zip(whole.each("rep"), half.each("rep"))]
    copies = (rep[1] - rep[0]) * WORD / size
    blocks = size // BLOCK
    return whole.row(measured=f"{copies:.3f} copies, {grown / blocks:+.0f} a block",
                     budget=f"1 copy, +{PER_BLOCK} a block, {EXITS} exits",
                     holds=round(copies, 2) == 1 and grown <= blocks * PER_BLOCK and
                     whole.exits() <= EXITS)


def clock(operation):
    exits = operation.exits()
    if operation.vendor.carrel.rig == "tcg":
        return operation.row(measured=f"{exits:.3g} exits",
                             note="no invariant TSC here, so it is a call")
    return operation.row(measured=f"{exits:.3g} exits", budget="0 exits", holds=exits == 0)


def touch(operation):
    exits = operation.exits()
    pages = 1 / exits if exits else float("inf")
    return operation.row(measured=f"an exit each {pages:.1f} pages",
                         budget=f"an exit each {PAGES_AN_EXIT}", holds=pages >= PAGES_AN_EXIT)


def reported(operation):
    plain, protected = operation.each()
    return operation.row(measured=f"{protected / plain:.2f} x, {operation.exits():.1f} exits")


def rows(vendor):
    found = operations(vendor)
    yield small(found["read-4k"])
    yield small(found["write-4k"])
    if not vendor.carrel.traced:        # there an interruption falls into each
        yield large(found["read-512k"], found["read-1m"])
        yield large(found["write-512k"], found["write-1m"])
    yield clock(found["clock_gettime"])
    yield touch(found["first-touch"])
    yield from (reported(found[name]) for name in REPORTED if name in found)
