# SPDX-License-Identifier: BSD-2-Clause
"""swtpm, a relay in front of it that can lose commands, and the few commands that tests give
themselves: what an attacker, or the hypervisor at a launch, does to the indices of
<carrel/platform.h>."""

import hashlib
import os
import socket
import struct
import subprocess
import threading
import time

RECORD, SLOT0, SLOT1, COUNTER, REQUEST = range(0x0181CA00, 0x0181CA05)
INDICES = (RECORD, SLOT0, SLOT1, COUNTER, REQUEST)
MAGIC, VERSION = 0x4C505243, 1
STATIC, MEASURED = 1, 2
PCRS = {STATIC: (0, 2, 4, 7, 8, 9), MEASURED: (17, 18)}
LOCALITY = {STATIC: 0, MEASURED: 2}

OWNERWRITE, AUTHWRITE, POLICYWRITE, COUNTS = 1 << 1, 1 << 2, 1 << 3, 1 << 4
OWNERREAD, AUTHREAD, NO_DA, WRITTEN = 1 << 17, 1 << 18, 1 << 25, 1 << 29
READABLE = OWNERREAD | AUTHREAD | NO_DA
DATA = READABLE | OWNERWRITE | AUTHWRITE
ATTRIBUTES = {RECORD: READABLE | POLICYWRITE, SLOT0: DATA, SLOT1: DATA,
              COUNTER: READABLE | AUTHWRITE | COUNTS, REQUEST: DATA}
SIZE = {RECORD: 32, SLOT0: 384, SLOT1: 384, COUNTER: 8, REQUEST: 80}
OWNER, PW = 0x40000001, 0x40000009


def mask(pcrs):
    return sum(1 << pcr for pcr in pcrs)


def selection(pcrs):
    return struct.pack(">IHB", 1, 0xB, 3) + mask(pcrs).to_bytes(3, "little")


def policy(state, digest):
    """What the TPM has computed after PolicyPCR and PolicyLocality."""
    first = hashlib.sha256(bytes(32) + b"\0\0\x01\x7F" + selection(PCRS[state]) + digest).digest()
    return hashlib.sha256(first + b"\0\0\x01\x6F" + bytes([1 << LOCALITY[state]])).digest()


class Refused(Exception):
    pass


def receive(wire, size):
    data = b""
    while len(data) < size:
        part = wire.recv(size - len(data))
        if not part:
            raise ConnectionError("the other end is gone")
        data += part
    return data


def packet(wire):
    """A whole command or response."""
    head = receive(wire, 10)
    return head + receive(wire, int.from_bytes(head[2:6], "big") - 10)


class Tpm:
    """swtpm with a fresh state in `folder`; `path` is where clients come in, one at a time. The
    command number `cut` of a client (from 1) is lost together with the client, after the TPM has
    done it if `late`. `codes` are those of the last client."""

    def __init__(self, folder):
        self.path, inner = os.path.join(folder, "tpm"), os.path.join(folder, "swtpm")
        state = os.path.join(folder, "state")
        os.makedirs(state)
        self.child = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server",
             f"type=unixio,path={inner}", "--flags", "not-need-init,startup-clear",
             "--locality", "allow-set-locality"], stdout=subprocess.DEVNULL)
        self.wire = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                self.wire.connect(inner)
                break
            except OSError:
                time.sleep(0.01)
        self.lock = threading.Lock()
        self.cut, self.late, self.codes = None, False, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def stop(self):
        self.child.terminate()
        self.child.wait()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            with client:
                try:
                    self.client(client)
                except OSError:
                    pass

    def client(self, client):
        while True:
            command = packet(client)
            self.codes.append(int.from_bytes(command[6:10], "big"))
            lost = self.cut == len(self.codes)
            if lost and not self.late:
                return
            response = self.raw(command)
            if lost:
                return
            client.sendall(response)

    def raw(self, command):
        with self.lock:
            self.wire.sendall(command)
            return packet(self.wire)

    # --- Commands of our own -----------------------------------------------------------------

    def command(self, code, handles=(), auth=None, parameters=b""):
        """The response's handles and parameters."""
        body = struct.pack(f">{len(handles)}I", *handles)
        if auth is not None:
            body += struct.pack(">IIHBH", 9, auth, 0, 1, 0)
        body += parameters
        tag = 0x8001 if auth is None else 0x8002
        response = self.raw(struct.pack(">HII", tag, 10 + len(body), code) + body)
        result = int.from_bytes(response[6:10], "big")
        if result:
            raise Refused(f"command {code:X}h: {result:X}h")
        return response[10:] if auth is None else response[14:]

    def define(self, index, attributes=None, size=None, auth_policy=b""):
        attributes = ATTRIBUTES[index] if attributes is None else attributes
        public = struct.pack(">IHI", index, 0xB, attributes)
        public += struct.pack(">H", len(auth_policy)) + auth_policy
        public += struct.pack(">H", SIZE[index] if size is None else size)
        self.command(0x12A, [OWNER], PW, struct.pack(">HH", 0, len(public)) + public)

    def undefine(self, index):
        self.command(0x122, [OWNER, index], PW)

    def write(self, index, data, auth=PW):
        self.command(0x137, [index, index], auth,
                     struct.pack(">H", len(data)) + data + struct.pack(">H", 0))

    def increment(self):
        self.command(0x134, [COUNTER, COUNTER], PW)

    def public(self, index):
        """(attributes, policy, size), or None."""
        try:
            data = self.command(0x169, [index])
        except Refused:
            return None
        attributes, length = struct.unpack_from(">IH", data, 8)
        return attributes, data[14:14 + length], int.from_bytes(data[14 + length:16 + length], "big")

    def read(self, index):
        """Bytes, or None: not there or not written."""
        public = self.public(index)
        if not public or not public[0] & WRITTEN:
            return None
        data = self.command(0x14E, [index, index], PW, struct.pack(">HH", public[2], 0))
        return data[2:2 + public[2]]

    def counter(self):
        value = self.read(COUNTER)
        return value and int.from_bytes(value, "big")

    def pcr_digest(self, state):
        whole = hashlib.sha256()
        for pcr in PCRS[state]:
            whole.update(self.command(0x17E, parameters=selection([pcr]))[-32:])
        return whole.digest()

    def locality(self, number):
        response = self.raw(struct.pack(">HIIB", 0x8001, 11, 0x20001000, number))
        assert response[6:10] == bytes(4)

    # --- The hypervisor's part ---------------------------------------------------------------

    def write_record(self, state, fingerprint):
        """By its policy, at its locality: Refused if the PCRs are others."""
        self.locality(LOCALITY[state])
        session = self.command(0x176, parameters=struct.pack(
            ">IIH16sHBHH", 0x40000007, 0x40000007, 16, bytes(16), 0, 1, 0x10, 0xB))[:4]
        try:
            self.command(0x17F, parameters=session + b"\0\0" + selection(PCRS[state]))
            self.command(0x16F, parameters=session + bytes([1 << LOCALITY[state]]))
            self.write(RECORD, fingerprint, int.from_bytes(session, "big"))
        finally:
            self.command(0x165, parameters=session)
            self.locality(0)

    def clear(self):
        for index in INDICES:
            if self.public(index):
                self.undefine(index)


def request(what, key=bytes(64)):
    return struct.pack("<IIII64s", MAGIC, VERSION, what, 0, key)


def blob(counter, mark):
    """A blob in form; `mark` is what it would unseal to, for tests to tell them apart."""
    return struct.pack("<IIQHH364s", MAGIC, VERSION, counter, 100, 50, mark)
