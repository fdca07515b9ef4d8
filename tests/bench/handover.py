# SPDX-License-Identifier: BSD-2-Clause
"""Where GRUB hands over. On QEMU the plugin sees the first instruction of what was loaded. For other
rigs, the same files with that instruction replaced by handover.S, which tells the TSC and halts:
until then a machine that repeats to the instruction does the same with either file.
"""

import re
import struct

TOLD = re.compile(r"TSC=([0-9A-F]{16})\n")
MARK_BYTES = 16


def kernel_entry(image):
    """The file offset of a Linux kernel's 32-bit entry."""
    return ((image[0x1F1] or 4) + 1) * 512


def elf32_entry(image):
    """The file offset of an ELF32's entry."""
    entry, table = struct.unpack_from("<II", image, 24)
    size, count = struct.unpack_from("<HH", image, 42)
    for i in range(count):
        kind, offset, address, _, length = struct.unpack_from("<IIIII", image, table + i * size)
        if kind == 1 and address <= entry < address + length:
            return offset + entry - address
    raise ValueError("no segment holds the entry")


def entry_of(image):
    return elf32_entry(image) if image[:4] == b"\x7fELF" else kernel_entry(image)


def block_at_entry(path):
    """The bytes of the first instructions, up to and with the first call, by which the plugin
    knows them: both entries begin with CLD, CLI and, after little else, a call of the next
    instruction."""
    with open(path, "rb") as file:
        image = file.read()
    entry = entry_of(image)
    code = image[entry:entry + MARK_BYTES]
    return code[:code.index(b"\xe8\0\0\0\0") + 5]


def write_standin(path, stage, target):
    """A copy of `path` that is of the same size and begins with the code in the file `stage`."""
    with open(path, "rb") as file:
        image = bytearray(file.read())
    with open(stage, "rb") as file:
        code = file.read()
    entry = entry_of(image)
    image[entry:entry + len(code)] = code
    with open(target, "wb") as file:
        file.write(image)


def told(log):
    """The TSC in what COM1 received, or None."""
    found = TOLD.search(log.replace("\r", ""))
    return int(found.group(1), 16) if found else None
