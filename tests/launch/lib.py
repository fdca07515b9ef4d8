# SPDX-License-Identifier: BSD-2-Clause
"""What the suites of tests/launch share: TAP, the rig, TPMs, and what the rig's logs tell."""

import hashlib
import json
import os
import re
import shutil
import subprocess

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RIG = os.path.join(TREE, "tests", "rig", "rig")
WORK = os.path.join(TREE, "build", "tests", "launch")
NV = os.path.join(TREE, "build", "tests", "launch", "nv")
PCRS = range(17, 20)
CAP = hashlib.sha256(b"carrel cap").digest()
NO_KEY = "there is no platform key"
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

    def state(self):
        """What Carrel says of its launch, or nothing; what it says and hvreg does not."""
        found = re.findall(r"^carrel: launch state: (.*)$", self.log("carrel"), re.MULTILINE)
        return found[-1] if len(found) == 1 else ""

    def told(self):
        """hvreg status, read; empty without."""
        lines = [line for line in self.output.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {}

    def sent_blob(self):
        return re.search(" (Load|Unseal) ", self.log("tpm")) is not None

    def pcrs(self):
        """What the guest read."""
        found = re.findall(r"^pcr (\d+) ([0-9a-f]{64})$", self.output, re.MULTILINE)
        return {int(number): value for number, value in found}

    def expected(self):
        """What the launch without a fault leaves, by the files and command lines."""
        found = re.findall(r"^expected (\d+) ([0-9a-f]{64})$", self.log("launch"), re.MULTILINE)
        return {int(number): value for number, value in found}

    def extended(self, event, capped=True):
        """What follows from what the stage says that it extended; `event`: SENTER's data, if it
        was made; `capped`: PCR 17 and 18 were ended by Carrel."""
        values = dict.fromkeys(PCRS, b"\xFF" * 32 if event is None else bytes(32))
        if event is not None:
            values[17] = extend(values[17], hashlib.sha256(event).digest())
        for number, digest in re.findall(r"^stage: extend ([0-9a-f]{8}) ([0-9a-f]{64})$",
                                         self.log("launch"), re.MULTILINE):
            values[int(number, 16)] = extend(values[int(number, 16)], bytes.fromhex(digest))
        before = values[17].hex()
        if capped:
            values.update((number, extend(values[number], CAP)) for number in (17, 18))
        return before, {number: value.hex() for number, value in values.items()}


def nv(state, *words):
    """Does something to the TPM whose memory is in the folder `state`: nv.c."""
    subprocess.run([NV, state, *words], check=True)


def provision(name, *arguments):
    """A folder with the TPM of a machine that has a key, and the launch that had it; or an error."""
    state = os.path.join(WORK, f"tpm-{name}")
    shutil.rmtree(state, ignore_errors=True)
    arguments = ["--tpm-state", state, *arguments]
    run = Run(f"{name} before", *arguments)
    if run.status != 0 or NO_KEY not in run.state() or not run.told()["launch_detail"]["policy"]:
        return state, run, f"no launch to make a key for: {run.state()}\n{run.failure()}"
    nv(state, "init", run.told()["launch_detail"]["policy"])
    run = Run(f"{name} made", *arguments)
    if run.status != 0 or "the platform key was made" not in run.log("carrel"):
        return state, run, f"no key was made: {run.state()}\n{run.failure()}"
    return state, run, ""


def copy_of(state):
    copied = os.path.join(WORK, "tpm")
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(state, copied)
    return copied


def extend(value, digest):
    return hashlib.sha256(value + digest).digest()
