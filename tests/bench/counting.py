# SPDX-License-Identifier: BSD-2-Clause
"""Ranges of code, one a function; what was executed of each between marks (guest/mark.h), as counter.c
counts it on QEMU or as a trace of Bochs shows it."""

import bisect
import dataclasses
import re
import struct
import subprocess

# Pages of Carrel's own in the address space of a protected process: stub, gate and bounce.
GATE_PAGES = (0x7E0000000000, 0x7E0000003000)
# The functions that are SHA-256 alone, and the copy by which BearSSL's br_sha256_update takes each
# block: hardly anything else calls memcpy in the hypervisor and the shim, or glibc's in hvreg, but for
# long copies, which repeat an instruction and are left out (hashing).
HASHING = re.compile(r"(hv|shim|hvreg) (br_)?(sha2|sha256|sha224|range_dec32be|range_enc32be|"
                     r"memcpy$|__memmove_)")


@dataclasses.dataclass(frozen=True)
class Range:
    start: int
    end: int
    image: str          # hv, shim, gate or hvreg
    name: str
    code: bytes | None  # None: whatever is there


def text_section(path):
    """(address, content) of an ELF64's .text."""
    with open(path, "rb") as file:
        elf = file.read()
    table, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    for name, _, _, address, offset, length in headers:
        start = headers[names][4] + name
        if elf[start:elf.index(b"\0", start)] == b".text":
            return address, elf[offset:offset + length]
    raise ValueError(f"{path} has no .text")


def is_hashing(image, name):
    return HASHING.match(f"{image} {name}") is not None


def functions(path, image, wanted=lambda image, name: True):
    """A range from each symbol of .text to the next; what lies before the first is `start`."""
    base, code = text_section(path)
    end = base + len(code)
    symbols = {base: "start"}
    listing = subprocess.run(["nm", "--defined-only", path], check=True, capture_output=True,
                             text=True).stdout
    for line in listing.splitlines():
        address, kind, name = line.split()
        if kind in "tTwW" and base <= int(address, 16) < end:
            symbols[int(address, 16)] = name
    starts = sorted(symbols)
    return [Range(start, stop, image, symbols[start], code[start - base:stop - base])
            for start, stop in zip(starts, [*starts[1:], end]) if wanted(image, symbols[start])]


def all_ranges(hv, shim, hvreg):
    found = functions(hv, "hv") + functions(shim, "shim")
    found += functions(hvreg, "hvreg", is_hashing)
    found.append(Range(*GATE_PAGES, "gate", "gate", None))
    return sorted(found, key=lambda r: r.start)


def kernel_ranges(listing):
    """Of the guest's kernel, from lines of its /proc/kallsyms; none beside a range of 0 bytes."""
    symbols = {}
    for line in listing:
        address, _, name = line.split()
        symbols.setdefault(int(address, 16), name)
    starts = sorted(address for address in symbols if address >= KERNEL_TEXT)
    return [Range(start, stop, "kernel", symbols[start], None)
            for start, stop in zip(starts, starts[1:])]


def write_ranges(path, ranges, marks):
    """`marks`: number -> the bytes of the code that is the mark."""
    with open(path, "w", encoding="ascii") as file:
        for r in ranges:
            file.write(f"range {r.start:x} {r.end:x} {r.code.hex() if r.code else '-'}\n")
        for number, code in marks.items():
            file.write(f"mark {number} {code.hex()}\n")


KERNEL_HALF = 0xFFFF800000000000
# Where it is linked; below lies the hypervisor.
KERNEL_TEXT = 0xFFFFFFFF81000000


@dataclasses.dataclass
class Count:
    """What was counted from one mark to another."""
    totals: dict
    functions: dict     # Range -> instructions
    rep: dict = dataclasses.field(default_factory=dict)     # of these, iterations of rep

    def image(self, *images):
        return sum(n for r, n in self.functions.items() if r.image in images)

    def hashing(self, *images):
        """Of these images, or of all; without iterations of rep, of which hashing has none."""
        return sum(n - self.rep.get(r, 0) for r, n in self.functions.items()
                   if is_hashing(r.image, r.name) and (not images or r.image in images))

    def largest(self, number=12):
        """The functions that most of it was spent in, as text -> instructions; None: all."""
        return {f"{r.image} {r.name}": n for r, n in
                sorted(self.functions.items(), key=lambda item: -item[1])[:number]}


def difference(many, few):
    """What one Count has more than the other."""
    return Count(*({name: greater.get(name, 0) - less.get(name, 0) for name in {**greater, **less}}
                   for greater, less in ((many.totals, few.totals),
                                         (many.functions, few.functions))))


class Counts:
    """All marks of a run, in order; counts are between any two of them."""

    def __init__(self, marks):
        """marks: (number, totals, Range -> instructions, Range -> iterations of rep), all since the
        mark before."""
        self._marks = marks

    def places(self, number):
        return [i for i, mark in enumerate(self._marks) if mark[0] == number]

    def between(self, first, last):
        totals, found, rep = {}, {}, {}
        for _, *marked in self._marks[first + 1:last + 1]:
            for sums, addends in zip((totals, found, rep), marked):
                for name, n in addends.items():
                    sums[name] = sums.get(name, 0) + n
        return Count(totals, found, rep)

    def pairs(self, begin, end):
        """The counts from each mark `begin` to the next mark `end`."""
        ends = self.places(end)
        behind = ((first, bisect.bisect(ends, first)) for first in self.places(begin))
        return [self.between(first, ends[i]) for first, i in behind if i < len(ends)]


def read_plugin(path, ranges):
    """What counter.c wrote."""
    marks = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if len(words) < 10:     # the machine went off while it was written
                break
            totals = {words[i]: int(words[i + 1]) for i in range(2, 10, 2)}
            counted = [re.split("[=/]", word) for word in words[10:]]
            marks.append((int(words[1]), totals, {ranges[int(i)]: int(n) for i, n, _ in counted},
                          {ranges[int(i)]: int(n) for i, _, n in counted if n != "0"}))
    return Counts(marks)


# (0).[TICK] [PHYSICAL] SELECTOR:ADDRESS (CONTEXT): INSTRUCTION ; BYTES
TRACED = re.compile(r"\(\d\)\.\[\d+\] \[0x\w+\] \w+:(\w+) \([^)]*\): (\S+).* ; ([0-9a-f]+)$")
MARK = re.compile("0f1f80(..)(..)4243$")


def read_trace(path, ranges):
    """What Bochs wrote with the rig's --trace. A VM entry is called vmrun here too."""
    starts = [r.start for r in ranges]
    none = {"all": 0, "kernel": 0, "rep": 0, "vmrun": 0}
    totals, counted, marks = dict(none), {}, []
    seen = {}       # (address, bytes) -> the names of what it adds to, a mark's number

    def look(address, what, code):
        names = ["all"]
        found = [r for r in ranges[:bisect.bisect(starts, address)][-1:]
                 if address < r.end and (not r.code or r.code[address - r.start:].startswith(
                     bytes.fromhex(code)))]
        if not found and address >= KERNEL_HALF:
            names.append("kernel")
        names += ["rep"] * what.startswith("rep") + ["vmrun"] * (
            what in ("vmresume", "vmlaunch", "vmrun"))
        mark = MARK.match(code)
        return names, found, mark and int(mark.group(2) + mark.group(1), 16)

    with open(path, encoding="latin-1") as file:
        for line in file:
            fields = TRACED.match(line)
            if not fields:
                continue
            key = fields.groups()
            if key not in seen:
                seen[key] = look(int(key[0], 16), key[1], key[2])
            names, found, mark = seen[key]
            if mark:
                marks.append((mark, totals, counted, {}))
                totals, counted = dict(none), {}
            for name in names:
                totals[name] += 1
            for r in found:
                counted[r] = counted.get(r, 0) + 1
    return Counts(marks)
