#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""identity.py SHIM.ELF PROGRAM LIMIT FLAGS: the identity of PROGRAM with a limit of LIMIT chunks.
identity.py SHIM.ELF --manifest FILE: that of what the file lists.

Written from guest-abi/include/carrel/identity.h and docs/manifest.md alone, to hold hvreg measure
against.
"""

import hashlib
import os
import re
import struct
import subprocess
import sys

PAGE = 4096
SLOTS, BLOCKS, ABI = 128, 256, 5
SHIM, MANIFEST, THREADS = 0x7E0040000000, 0x7E0041000000, 0x7E0050000000
GATE, CHANNEL = 0x7E0000000000, 0x7E0000200000
R, W, X = 1, 2, 4


def add(address, rights, page):
    return struct.pack("<8sQII", b"ADDPREC1", address, rights, 0) + page


def shim_pages(image):
    """(address, rights, page) of every page that the ELF file's segments have."""
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for i in range(count):
        kind, flags, start, address, _, in_file, in_memory = struct.unpack_from(
            "<IIQQQQQ", image, offset + i * size)
        if kind != 1:
            continue
        rights = (R if flags & 4 else 0) | (W if flags & 2 else 0) | (X if flags & 1 else 0)
        content = image[start:start + in_file].ljust(-(-in_memory // PAGE) * PAGE, b"\0")
        for at in range(0, len(content), PAGE):
            yield address + at, rights, content[at:at + PAGE]


def listed(path):
    """(kind, path) of the program, its interpreter and its libraries, as ldd(1) tells."""
    yield 1, os.path.realpath(path)
    with open(path, "rb") as file:
        interpreter = re.search(rb"/lib[^\0]*/ld-linux-x86-64\.so\.2(?=\0)", file.read(65536))
    if not interpreter:
        return
    yield 2, os.fsdecode(interpreter[0])
    text = subprocess.run(("ldd", path), check=True, capture_output=True, text=True).stdout
    for library in re.findall(r"=> (\S+) \(0x", text):
        folder, name = os.path.split(library)
        yield 2, os.path.join(os.path.realpath(folder), name)


HOST = {"arguments": 1, "environment": 2, "folder": 4, "descriptors": 8, "code": 16}
UNSEALED = 19
KINDS = {"program": 1, "code": 2, "file": 3, "open": 4, "sealed": 5}


def hashed(path):
    with open(path, "rb") as file:
        content = file.read()
    return hashlib.sha256(content).digest(), len(content)


def made(program):
    """(host, entries): those that are found on the fly."""
    return 0x1F, [(kind, *hashed(path), path) for kind, path in listed(program)]


def read(name):
    """(limit, flags, host, entries, arguments, environment) of a manifest's text."""
    limit = flags = host = 0
    entries, arguments, environment = [], [], []
    with open(name, encoding="utf-8", errors="surrogateescape") as file:
        for line in file.read().split("\n")[1:]:
            first, _, rest = line.partition(" ")
            if first == "memory":
                limit = int(rest) // 2
            elif first == "require":
                flags |= 1
            elif first == "host":
                host |= sum(HOST[word] for word in rest.split())
            elif first == "argument":
                arguments.append(rest)
            elif first == "environment":
                environment.append(rest)
            elif first in ("open", "sealed"):
                entries.append((KINDS[first], bytes(32), 0, rest))
            elif first in KINDS:
                sha256, size, path = rest.split(" ", 2)
                entries.append((KINDS[first], bytes.fromhex(sha256), int(size), path))
    if not host & UNSEALED:
        flags |= 2
    return limit, flags, host, entries, arguments, environment


def manifest(host, files, arguments=(), environment=()):
    entries, strings = b"", b""
    for kind, sha256, size, path in files:
        entries += struct.pack("<IIQ32s", kind, 64 + 48 * len(files) + len(strings), size, sha256)
        strings += os.fsencode(path) + b"\0"
    start = b""
    if arguments:
        start = b"".join(os.fsencode(text) + b"\0" for text in
                         [files[0][3], *arguments, *environment])
    at = 64 + len(entries) + len(strings)
    strings += start
    size = -(-(at + len(start)) // PAGE) * PAGE
    header = struct.pack("<8sIIIIIIIIII16x", b"CHMANIF3", 3, host, SLOTS, BLOCKS, size, len(files),
                         at if start else 0, len(start), len(arguments), len(environment))
    return (header + entries + strings).ljust(size, b"\0")


def main():
    if sys.argv[2] == "--manifest":
        shim = sys.argv[1]
        limit, flags, *what = read(sys.argv[3])
    else:
        shim, program, limit, flags = sys.argv[1:]
        what = made(program)
    chain = hashlib.sha256(struct.pack("<8sIIIIQQQQQ", b"CREAREC1", ABI, int(limit), SLOTS,
                                       BLOCKS, SHIM, THREADS, GATE, CHANNEL, int(flags)))
    with open(shim, "rb") as file:
        for address, rights, page in shim_pages(file.read()):
            chain.update(add(address, rights, page))
    pages = manifest(*what)
    for at in range(0, len(pages), PAGE):
        chain.update(add(MANIFEST + at, R, pages[at:at + PAGE]))
    chain.update(b"FINIREC1")
    print(chain.hexdigest())


main()
