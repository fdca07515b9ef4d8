# SPDX-License-Identifier: BSD-2-Clause
"""A dynamic launch for a machine without TXT: the description, the registers, the event.

tests/launch/stage plays SENTER, SINIT and tboot inside the machine; here is what it cannot do: the
hash at locality 4, and registers that act on commands: those of TXT, and those of a remapping unit
that says it does what it is told and does nothing. tests/launch/description.md tells what a
description may say.
"""

import hashlib
import mmap
import os
import socket
import struct
import threading
import time

import paths

STAGE = os.path.join(paths.BUILD, "tests", "launch", "stage.elf")
WINDOW_SIZE = 0x20000
SPACES = {"private": 0, "public": 0x10000}
DONE = 0x1F000          # stage/registers.c
ENDED = 0x1F008         # nobody's but ours
# A function without a function 0: firmware and Linux do not find it, and so leave its BAR alone.
HIDDEN = "1e.7"
UNIT = 0x1E000          # stage/registers.c
POLL_SECONDS = 0.0005
EVENT = "sinit"

STS, E2STS = 0x000, 0x8F0
# Intel VT-d specification, "Register Descriptions" and "Queued Invalidation Interface".
GCMD, GSTS, FSTS, IQH, IQT, IQA = 0x18, 0x1C, 0x34, 0x80, 0x88, 0x90
SRTP, GSTS_KEPT = 1 << 30, 1 << 31 | 1 << 26 | 1 << 23
WAIT, WAIT_WRITES = 5, 1 << 5
# TXT registers that are commands (315168, appendix B): offset, name, and what it does: a register
# and the bits that it sets or clears there.
COMMANDS = (
    (0x038, "RESET", None), (0x048, "CLOSE-PRIVATE", (STS, 0, 1 << 7)),
    (0x218, "UNLOCK-MEM-CONFIG", None),
    (0x380, "OPEN-LOCALITY1", (STS, 1 << 15, 0)), (0x388, "CLOSE-LOCALITY1", (STS, 0, 1 << 15)),
    (0x390, "OPEN-LOCALITY2", (STS, 1 << 16, 0)), (0x398, "CLOSE-LOCALITY2", (STS, 0, 1 << 16)),
    (0x8E0, "SECRETS", (E2STS, 1 << 1, 0)), (0x8E8, "NO-SECRETS", (E2STS, 0, 1 << 1)),
)


def read(text):
    """A description as a list of (name, value)."""
    lines = (line.partition("#")[0].split(None, 1) for line in text.splitlines())
    return [(words[0], words[1].strip() if len(words) > 1 else "1") for words in lines if words]


def words(description):
    """The stage's command line: all but what is the rig's own."""
    for name, value in description:
        if name in ("flip", "late"):
            module, at = (int(part, 16) for part in value.split(":"))
            value = f"{module << 32 | at:x}"
        if name != "drtm":
            yield f"{name}={value}"


def digest(data):
    return hashlib.sha256(data).digest()


def pcrs(description, modules):
    """What PCRs 17 and on hold after the launch as it should be; `modules` are pairs of a command
    line and a file's bytes. (Another `drtm`, and what a description flips or adds, is not in it.)"""
    values = {number: bytes(32) for number in range(17, 23)}
    stated = dict(description)

    def extend(number, value):
        values[number] = digest(values[number] + value)

    extend(17, digest(EVENT.encode()))
    extend(18, digest(b"sinit-key"))
    for number in (17, 18):
        extend(number, digest(b"policy"))
    for index, (line, content) in enumerate(modules):
        number = int(stated.get("others", "11"), 16) if index else 17
        extend(number, digest(digest(line.encode()) + digest(content)))
    return values


def shared(name, size):
    """Memory that QEMU shares with the rig, as an open file and as bytes. It is in no file system:
    its disk could keep the rig waiting while Carrel counts reads of the unit."""
    file = os.fdopen(os.memfd_create(name), "r+b", buffering=0)
    file.truncate(size)
    return file, mmap.mmap(file.fileno(), size)


class Launch:
    """What stands beside the machine; `peers` is what QEMU inherits."""

    def __init__(self, description, tpm, mem, log):
        self._event = dict(description).get("drtm", EVENT).encode()
        self._tpm = tpm
        self._log = open(log, "w", encoding="ascii", errors="replace", buffering=1)
        self._mem = mem << 20
        registers, self._window = shared("txt", WINDOW_SIZE)
        memory, self._memory = shared("memory", self._mem)
        self._near, far = socket.socketpair()
        self.peers = [far, registers, memory]
        self._unit_states = []  # logged at the end: nobody is kept waiting for a disk
        self._chipset = self._fork()
        threading.Thread(target=self._listen, daemon=True).start()

    def arguments(self):
        registers, memory = (f"/dev/fd/{peer.fileno()}" for peer in self.peers[1:])
        return ["-object", f"memory-backend-file,id=memory,size={self._mem},share=on,"
                f"mem-path={memory}", "-machine", "memory-backend=memory",
                "-object", f"memory-backend-file,id=txt,size={WINDOW_SIZE},share=on,"
                f"mem-path={registers}", "-device", f"ivshmem-plain,memdev=txt,addr={HIDDEN}",
                "-chardev", f"socket,id=launch,fd={self.peers[0].fileno()}",
                "-device", "isa-debugcon,iobase=0xe9,chardev=launch"]

    def close(self):
        self._put(ENDED, 1)
        os.waitpid(self._chipset, 0)
        self._near.close()
        self._act()             # on what was written last
        for space, base in SPACES.items():
            self._log.write(f"at the end, {space}: STS {self._get(base + STS):x}, "
                            f"E2STS {self._get(base + E2STS):x}\n")

    def expect(self, values):
        for number, value in values.items():
            self._log.write(f"expected {number} {value.hex()}\n")

    def _listen(self):
        """The stage's words, line by line, of which one asks for the event."""
        try:
            with self._near.makefile("r", encoding="ascii", errors="replace") as lines:
                for line in lines:
                    self._log.write(f"stage: {line}")
                    if line == "event\n":
                        done = self._tpm.launch(self._event)
                        self._put(DONE, 1 if done else 0)
        except (OSError, ValueError):
            pass        # the machine has ended

    def _get(self, offset):
        return struct.unpack_from("<Q", self._window, offset)[0]

    def _put(self, offset, value):
        struct.pack_into("<Q", self._window, offset, value)

    def _fork(self):
        """A process that acts on registers; its number. Carrel waits for the unit by a number of reads,
        some ten milliseconds: a thread waits longer for Python's lock if the host takes the CPU away
        from the one that holds it."""
        rig = os.getpid()
        child = os.fork()
        if child:
            return child
        try:
            # others see the end of a connection only when nobody has its other end
            os.closerange(3, self._log.fileno())
            os.closerange(self._log.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
            self._obey(rig)
        finally:
            os._exit(0)

    def _obey(self, rig):
        """Acts on the commands of both spaces; a write of 0 is not seen."""
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass
        while not self._get(ENDED) and os.getppid() == rig:
            self._obey_unit()
            self._act()
            time.sleep(POLL_SECONDS)
        for state in self._unit_states:
            self._log.write(f"unit: GSTS {state:08x}\n")
        self._log.flush()

    def _act(self):
        for space, base in SPACES.items():
            for offset, name, effect in COMMANDS:
                if self._get(base + offset):
                    self._put(base + offset, 0)
                    self._log.write(f"command {name} in the {space} space\n")
                    self._change(effect)

    def _get32(self, offset):
        return struct.unpack_from("<I", self._window, offset)[0]

    def _obey_unit(self):
        """Every command is done at once, and so is every request of the queue."""
        command, status = self._get32(UNIT + GCMD), self._get32(UNIT + GSTS)
        now = command & GSTS_KEPT | (command | status) & SRTP
        if now != status:
            struct.pack_into("<I", self._window, UNIT + GSTS, now)
            self._unit_states.append(now)
        if self._get32(UNIT + FSTS):            # its bits are cleared by writing ones
            struct.pack_into("<I", self._window, UNIT + FSTS, 0)
        queue, head, tail = (self._get(UNIT + register) for register in (IQA, IQH, IQT))
        while head != tail and queue + head + 16 <= self._mem:
            low, high = struct.unpack_from("<QQ", self._memory, (queue & ~0xFFF) + head)
            if low & 0xF == WAIT and low & WAIT_WRITES and high + 4 <= self._mem:
                struct.pack_into("<I", self._memory, high, low >> 32)
            head = (head + 16) & 0xFF0
        self._put(UNIT + IQH, tail)

    def _change(self, effect):
        if not effect:
            return
        offset, bits, others = effect
        for base in SPACES.values():
            self._put(base + offset, (self._get(base + offset) | bits) & ~others)
