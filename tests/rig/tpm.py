# SPDX-License-Identifier: BSD-2-Clause
"""The machine's TPM: swtpm, and what stands between it and QEMU.

QEMU has two connections to its TPM: control (power, localities, and one message that hands the
other over as an open file) and commands. Both pass through here, so that tpm.log tells each command
with its locality and its result, and so that the dynamic launch can put its hash in: swtpm would
not answer anybody else while QEMU has the control connection.

An answer can be spoilt: see FAULTS.
"""

import os
import socket
import struct
import subprocess
import threading
import time

import paths

SWTPM = "/usr/bin/swtpm"
KINDS = {"none": None, "tis": "tpm-tis", "crb": "tpm-crb"}
END_SECONDS = 5
START_SECONDS = 10

# swtpm's tpm_ioctl.h: requests of the control connection.
INIT, SET_LOCALITY, HASH_START, HASH_DATA, HASH_END, SET_DATAFD = 2, 5, 6, 7, 8, 16
HASH_DATA_MAX = 4096

# TPM 2.0 Library, Part 2, 6.5.2: what tpm.log calls by name.
NAMES = {
    0x121: "HierarchyControl", 0x122: "NV_UndefineSpace", 0x129: "HierarchyChangeAuth",
    0x12A: "NV_DefineSpace", 0x131: "CreatePrimary", 0x134: "NV_Increment", 0x137: "NV_Write",
    0x143: "SelfTest", 0x144: "Startup", 0x145: "Shutdown", 0x146: "StirRandom",
    0x149: "PolicyNV", 0x14E: "NV_Read", 0x153: "Create", 0x157: "Load", 0x158: "Quote",
    0x15E: "Unseal", 0x165: "FlushContext", 0x169: "NV_ReadPublic", 0x16F: "PolicyLocality",
    0x173: "ReadPublic", 0x176: "StartAuthSession", 0x17A: "GetCapability", 0x17B: "GetRandom",
    0x17E: "PCR_Read", 0x17F: "PolicyPCR", 0x181: "ReadClock", 0x182: "PCR_Extend",
}

# --tpm-fault CODE:KIND spoils the answers to commands of that code (hexadecimal; `any`: to all).
FAULTS = {
    "hang": lambda answer: b"",
    "short": lambda answer: struct.pack(">HI", 0x8001, 10) + answer[6:10],
    "long": lambda answer: answer[:2] + struct.pack(">I", 4096) + answer[6:].ljust(4090, b"\xFF"),
    "sizes": lambda answer: answer[:10] + b"\xFF" * (len(answer) - 10),
    "zeros": lambda answer: answer[:10] + bytes(len(answer) - 10),
    "error": lambda answer: bytes.fromhex("80010000000a00000101"),
    "slow": lambda answer: time.sleep(1) or answer,
    "retry": lambda answer: bytes.fromhex("80010000000a00000922"),
}


def fault(text):
    """CODE:KIND as a command code (0 stands for any) and a kind."""
    code, _, kind = text.partition(":")
    if kind not in FAULTS:
        raise ValueError
    return 0 if code == "any" else int(code, 16), kind


class Tpm:
    """A running TPM; `peers` is what QEMU inherits: its end of the control connection."""

    def __init__(self, run, work, log):
        paths.need_package(SWTPM, "swtpm")
        self._device = KINDS[run.tpm]
        self._faults = dict(run.tpm_faults)
        self._lock = threading.Lock()           # one request of the control connection at a time
        self._locality = 0
        self._on = False        # before, it is QEMU that asks which TPM this is
        self._log = open(log, "w", encoding="ascii", buffering=1)
        state = os.path.abspath(run.tpm_state or os.path.join(work, "tpm"))
        os.makedirs(state, exist_ok=True)
        self._control, far = socket.socketpair()
        self._control.settimeout(START_SECONDS)
        version = [] if run.tpm_version == "1.2" else ["--tpm2"]
        with far:
            self._process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", SWTPM, "socket", *version,
                 "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,clientfd={far.fileno()}",
                 "--log", f"file={log}.swtpm,level=1"],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                pass_fds=[far.fileno()])
        self._near, far = socket.socketpair()
        self.peers = [far]
        self._start(self._serve)

    def arguments(self):
        return ["-chardev", f"socket,id=tpm,fd={self.peers[0].fileno()}",
                "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", f"{self._device},tpmdev=tpm"]

    def close(self):
        """Ends swtpm, whose state is in its folder as of its last command."""
        self._near.close()
        self._control.close()
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def launch(self, data):
        """The event of a dynamic launch: TPM_HASH_START, DATA, END, as the CPU sends them at
        locality 4 (PTP, "TPM_HASH_START")."""
        results = [self._request(struct.pack(">I", HASH_START))]
        for at in range(0, len(data), HASH_DATA_MAX):
            part = data[at:at + HASH_DATA_MAX]
            results.append(self._request(struct.pack(">II", HASH_DATA, len(part)) + part))
        results.append(self._request(struct.pack(">I", HASH_END)))
        self._log.write(f"L4 HASH of {len(data)} bytes: {' '.join(r.hex() for r in results)}\n")
        return all(result == bytes(4) for result in results)

    @staticmethod
    def _start(target, *arguments):
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _request(self, message, files=()):
        with self._lock:
            socket.send_fds(self._control, [message], files)
            return self._control.recv(65536)

    def _serve(self):
        """The control connection, until either side ends it."""
        try:
            while True:
                message, files, _, _ = socket.recv_fds(self._near, 65536, 4)
                if not message:
                    return
                self._near.sendall(self._answer(message, files))
        except OSError:
            pass        # the machine has ended

    def _answer(self, message, files):
        code, = struct.unpack(">I", message[:4])
        if code == INIT:
            self._on = True
        if code == SET_LOCALITY:
            self._locality = message[4]
        if code != SET_DATAFD or len(files) != 1:
            answer = self._request(message, files)
            for number in files:
                os.close(number)
            return answer
        near, far = socket.socketpair()
        answer = self._request(message, [far.fileno()])
        far.close()
        self._start(self._carry, socket.socket(fileno=files[0]), near)
        return answer

    def _carry(self, guest, device):
        """Commands and their answers."""
        try:
            while True:
                command = receive(guest)
                device.sendall(command)
                guest.sendall(self._spoil(command, receive(device)))
        except (OSError, EOFError, ValueError):     # the machine or the log has ended
            guest.close()
            device.close()

    def _spoil(self, command, answer):
        code, = struct.unpack(">I", command[6:10])
        result, = struct.unpack(">I", answer[6:10])
        kind = self._on and (self._faults.get(code) or self._faults.get(0))
        self._log.write(f"L{self._locality} {NAMES.get(code, 'command')} {code:08x} -> "
                        f"{result:08x}{f' spoilt: {kind}' if kind else ''}\n")
        return FAULTS[kind](answer) if kind else answer


def receive(source):
    """One command or answer: a tag, the size of all, and the rest."""
    data = exactly(source, 10)
    return data + exactly(source, struct.unpack(">I", data[2:6])[0] - 10)


def exactly(source, size):
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
