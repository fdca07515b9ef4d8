# SPDX-License-Identifier: BSD-2-Clause
"""Compares what two machines tell by CPUID; the texts are those of guest/cpuid.c."""

import os

TABLE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "cpuid-differences.txt")
REGISTERS = ("eax", "ebx", "ecx", "edx")
SUBLEAVES = 64
SHOWN = 40
INSTRUCTION = {"VMX": 1, "SVM": 2}


def leaves(text):
    """{(cpu, leaf, subleaf): [eax, ebx, ecx, edx]}, with every subleaf."""
    shown = {}
    for line in text.splitlines():
        words = line.split()
        cpu, leaf, subleaf = int(words[0]), int(words[1], 16), int(words[2], 16)
        shown[cpu, leaf, subleaf] = [int(word, 16) for word in words[3:7]]
    result = {}
    for cpu, leaf in {key[:2] for key in shown}:
        for subleaf in range(SUBLEAVES):
            registers = shown.get((cpu, leaf, subleaf)) or result[cpu, leaf, subleaf - 1]
            result[cpu, leaf, subleaf] = registers
    return result


def rules():
    """(first leaf, last leaf, subleaf or None, register or None, mask, value or None) of the table."""
    result = []
    with open(TABLE, encoding="utf-8") as table:
        for line in table:
            if line.startswith("#") or not line.strip():
                continue
            leaf, subleaf, register, mask, value = line.split()[:5]
            first, _, last = leaf.partition("-")
            result.append((int(first, 16), int(last or first, 16),
                           None if subleaf == "*" else int(subleaf, 16),
                           None if register == "*" else REGISTERS.index(register),
                           int(mask, 16), None if value == "?" else int(value, 16)))
    return result


def allowed(table, leaf, subleaf, register):
    """(mask, value) of the bits that Carrel decides, and the mask of those that are checked."""
    mask = value = checked = 0
    for first, last, only, which, bits, wanted in table:
        if not first <= leaf <= last or only not in (None, subleaf) or which not in (None, register):
            continue
        mask |= bits
        if wanted is not None:
            checked |= bits
            value |= wanted
    return mask, value, checked


def differences(bare, carrel, table):
    """Lines that say what differs and must not; empty if nothing does."""
    expected, found = leaves(bare), leaves(carrel)
    if expected.keys() != found.keys():
        return f"not the same leaves: {sorted(expected.keys() ^ found.keys())[:SHOWN]}"
    wrong, told = [], set()         # the first subleaf of each leaf's register is enough
    for key, registers in sorted(found.items()):
        cpu, leaf, subleaf = key
        for i, register in enumerate(REGISTERS):
            mask, value, checked = allowed(table, leaf, subleaf, i)
            want = expected[key][i] & ~mask | value
            if registers[i] & ~(mask & ~checked) != want and (cpu, leaf, i) not in told:
                told.add((cpu, leaf, i))
                wrong.append(f"CPU {cpu} leaf {leaf:x}.{subleaf:x} {register}: {registers[i]:08x}, "
                             f"bare {expected[key][i]:08x}, wanted {want:08x}")
    if not found:
        wrong.append("no leaves")
    return "\n".join(wrong[:SHOWN])


def compare(bare, carrel):
    return differences(bare, carrel, rules())


def own_leaf(text, cpus, backend):
    """Every CPU's leaf 40000001h names the instruction of the back end."""
    found = leaves(text)
    for cpu in range(cpus):
        if found[cpu, 0x40000001, 0][1] != INSTRUCTION[backend]:
            return f"CPU {cpu}: {found[cpu, 0x40000001, 0]}, back end {backend}"
    return ""
