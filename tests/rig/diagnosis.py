# SPDX-License-Identifier: BSD-2-Clause
"""What a run's logs tell about a machine that ended badly, or not at all."""

import os
import re

import grub

NAMES = ("emulator", "launch", "carrel", "kernel")
TAIL_LINES = 12
# What the hypervisor prints before it stops for good.
HYPERVISOR_STOPS = re.compile(rb"carrel: (PANIC: .*|halted)")
ESCAPES = re.compile(r"\x1b\[[0-9;=]*[A-Za-z]")
BRIEF_REGISTERS = re.compile(r"CPU#|[ER]IP=|CS |CR0|EFER")
# What QEMU logs at every reset of a CPU.
RESET_REGISTERS = re.compile(r"CPU Reset|[ER]?[A-Z0-9]{2,5} *=|XMM|FPR")


class Logs:
    """The folder with kernel.log, output.log, carrel.log and emulator.log of one run."""

    def __init__(self, folder):
        self._folder = folder

    def path(self, name):
        return os.path.join(self._folder, f"{name}.log")

    def read(self, name):
        """The log as bytes, empty while there is none."""
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def grub_failed(self):
        return grub.FAILED.encode() in self.read("kernel")

    def hypervisor_stopped(self):
        """How the hypervisor says that it will not go on, or None."""
        found = HYPERVISOR_STOPS.search(self.read("carrel"))
        return found and found.group().decode("utf-8", "replace")

    def cause(self, reason):
        """Why the machine stopped, as the end of a sentence; `reason` is the monitor's word."""
        stopped = self.hypervisor_stopped()
        if stopped:
            return f"because the hypervisor did ({stopped})"
        if b"Kernel panic" in self.read("kernel"):
            return "by a kernel panic"
        emulator = self.read("emulator").lower()
        if b"triple fault" in emulator or b"exception with no resolution" in emulator:
            return "by a triple fault"
        return {"guest-reset": "by a reset", "guest-shutdown": "by a power-off"}.get(
            reason, "(a reset, a power-off, or the emulator's own end)")

    def last_step(self, console):
        """The last step that was reached, in the order GRUB, hypervisor, kernel, init, command."""
        if console.reached == "run":
            return "the last step reached: COMMAND was running"
        if console.reached == "init":
            return "the last step reached: /init"
        kernel = self.read("kernel")
        if b"Linux version" in kernel or b"Kernel panic" in kernel:
            return "the last step reached: the kernel (--append loglevel=8 shows more)"
        carrel = self.read("carrel")
        if b"starting Linux" in carrel:
            return ("the last step reached: the hypervisor started the kernel "
                    "(--append loglevel=8 shows it)")
        if carrel:
            return "the last step reached: the hypervisor"
        if grub.STARTING.encode() in kernel:
            return ("the last step reached: GRUB started what it had loaded "
                    "(--append loglevel=8 shows the kernel)")
        if kernel:
            return "the last step reached: firmware or GRUB"
        return "nothing was reached: not even GRUB"

    def keep_registers(self, text):
        """Writes every CPU's registers to cpus.log; returns what of them an error shows."""
        if not text:
            return ""
        text = text.replace("\r", "")
        with open(self.path("cpus"), "w", encoding="utf-8") as file:
            file.write(text)
        lines = [line for line in text.split("\n") if BRIEF_REGISTERS.match(line)]
        return "\n".join(["--- the CPUs (more in cpus.log)", *lines])

    def tails(self):
        """The last lines of each log that has any."""
        return "\n".join(filter(None, map(self.tail, NAMES)))

    def tail(self, name):
        text = self.read(name).decode("utf-8", "replace").replace("\r", "")
        lines = [line for line in text.split("\n") if line.strip()]
        if name == "emulator":
            lines = [line for line in lines if not RESET_REGISTERS.match(line)]
        elif name == "kernel":  # where a nested machine's registers stand as well
            lines = [line for line in lines
                     if BRIEF_REGISTERS.match(line) or not RESET_REGISTERS.match(line)]
        lines = [ESCAPES.sub("", line) for line in lines[-TAIL_LINES:]]
        return "\n".join([f"--- the end of {name}.log", *lines]) if lines else ""
