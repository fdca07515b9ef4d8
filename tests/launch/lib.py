# SPDX-License-Identifier: BSD-2-Clause
"""What the suites of tests/launch share: TAP, the rig, and what its logs tell."""

import hashlib
import os
import re
import shutil
import subprocess

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RIG = os.path.join(TREE, "tests", "rig", "rig")
WORK = os.path.join(TREE, "build", "tests", "launch")
PCRS = range(17, 20)
# The guest's own driver reads at locality 0.
COMMAND = ("cd /sys/class/tpm/tpm0/pcr-sha256 && for n in 17 18 19; do "
           "echo pcr $n $(cat $n | tr A-F a-f); done; hvreg status --json")


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, why):
        """`why` says what is wrong, or is empty."""
        self.count += 1
        self.failed += bool(why)
        print(f"{'not ok' if why else 'ok'} {self.count} - {name}", flush=True)
        for line in str(why or "").splitlines():
            print(f"# {line}")

    def done(self):
        print(f"1..{self.count}")
        return 1 if self.failed or not self.count else 0


class Run:
    """A boot and what is known of it; `name` is its folder of logs."""

    def __init__(self, name, *arguments, command=COMMAND):
        self.logs = os.path.join(WORK, "log", re.sub(r"[^a-z0-9]+", "-", name.lower()))
        shutil.rmtree(self.logs, ignore_errors=True)
        result = subprocess.run(
            [RIG, "--rig", "tcg", "--log", self.logs, *arguments,
             *(["--", command] if command else [])],
            check=False, stdin=subprocess.DEVNULL, capture_output=True)
        self.status = result.returncode
        self.output = result.stdout.decode("utf-8", "replace")
        self.says = result.stderr.decode("utf-8", "replace")

    def log(self, name):
        try:
            with open(os.path.join(self.logs, f"{name}.log"), encoding="utf-8",
                      errors="replace") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def failure(self):
        return "\n".join([f"exit status {self.status}; logs are in {self.logs}",
                          *self.says.splitlines()[-20:]])

    def pcrs(self):
        """What the guest read."""
        found = re.findall(r"^pcr (\d+) ([0-9a-f]{64})$", self.output, re.MULTILINE)
        return {int(number): value for number, value in found}

    def expected(self):
        """What the launch without a fault leaves, by the files and command lines."""
        found = re.findall(r"^expected (\d+) ([0-9a-f]{64})$", self.log("launch"), re.MULTILINE)
        return {int(number): value for number, value in found}

    def extended(self, event):
        """What follows from what the stage says that it extended; `event`: SENTER's data, if it
        was made."""
        values = dict.fromkeys(PCRS, b"\xFF" * 32 if event is None else bytes(32))
        if event is not None:
            values[17] = extend(values[17], hashlib.sha256(event).digest())
        for number, digest in re.findall(r"^stage: extend ([0-9a-f]{8}) ([0-9a-f]{64})$",
                                         self.log("launch"), re.MULTILINE):
            values[int(number, 16)] = extend(values[int(number, 16)], bytes.fromhex(digest))
        return {number: value.hex() for number, value in values.items()}


def extend(value, digest):
    return hashlib.sha256(value + digest).digest()
