# SPDX-License-Identifier: BSD-2-Clause
"""Runs one emulated machine to its end, within a time limit, and says how far it came.

The emulator is one process that dies with the rig, however the rig dies. Everything that is known
of the guest comes from files that the emulator writes.
"""

import os
import re
import signal
import subprocess
import time

import grub
import paths
import terminal

POLL_SECONDS = 0.02
SLOW_POLL_SECONDS = 0.5
INTERRUPT_SECONDS = 3
TAIL_LINES = 12
ESCAPES = re.compile(r"\x1b\[[0-9;=]*[A-Za-z]")
BRIEF_REGISTERS = re.compile(r"CPU#|[ER]IP=|CS |CR0|EFER")
# What QEMU logs at every reset of a CPU.
REGISTERS = re.compile(r"CPU Reset|[ER]?[A-Z0-9]{2,5} *=|XMM|FPR")


class Machine:
    """One run of an emulator.Emulator.

    `logs` is the folder with kernel.log, output.log, carrel.log and emulator.log."""

    def __init__(self, emulator, console, logs, *, cwd, until=None):
        """`console` takes the second serial port; `until` ends the run when a log line has it."""
        self._emulator = emulator
        self._console = console
        self._source = None
        self._logs = logs
        self._cwd = cwd
        self._until = re.compile(until.encode()) if until else None
        self._process = None

    def run(self, timeout, power_off_grace):
        """Returns COMMAND's status (0 if `until` was seen); raises RigError otherwise.

        timeout: seconds until COMMAND must have ended, or infinity; power_off_grace: seconds from then until
        the machine must be off."""
        monitor = self._emulator.monitor
        with open(self.log("emulator"), "ab") as log, \
                open(self._emulator.output or self.log("emulator"), "ab") as output:
            self._process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", *self._emulator.command],
                cwd=self._cwd, env={**os.environ, **self._emulator.environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                pass_fds=[file.fileno() for file in self._emulator.inherited])
        try:
            for file in self._emulator.inherited:
                file.close()
            if monitor:
                monitor.started()
            port = self._emulator.port
            self._source = (terminal.Interactive(port.fileno(), self.log("output")) if port
                            else terminal.Recorded(self.log("output")))
            return self._watch(timeout, power_off_grace)
        finally:
            self._process.kill()
            self._process.wait()
            if self._source:
                self._source.close()

    def log(self, name):
        return os.path.join(self._logs, f"{name}.log")

    def _watch(self, timeout, grace):
        deadline = time.monotonic() + timeout
        next_slow = 0
        leaving = False
        while True:
            ended = self._ended()
            self._console.feed(self._source.read())
            now = time.monotonic()
            if ended or now >= next_slow:
                next_slow = now + SLOW_POLL_SECONDS
                if self._until and self._until_seen():
                    return 0
                self._give_up_early()
            if self._console.reached == "exit" and not leaving:
                leaving = True
                deadline = now + grace
            if ended:
                return self._result()
            if now >= deadline:
                self._interrupt()
                raise paths.RigError(self._timed_out(timeout))
            self._source.wait(POLL_SECONDS)

    def _ended(self):
        if self._process.poll() is not None:
            return True
        return bool(self._emulator.monitor and self._emulator.monitor.ended())

    def _interrupt(self):
        """Lets an emulator that has no monitor tell in its log where the guest hangs."""
        if self._emulator.interrupt:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(INTERRUPT_SECONDS)
            except subprocess.TimeoutExpired:
                pass

    def _until_seen(self):
        return any(self._until.search(_read(self.log(name))) for name in ("carrel", "kernel"))

    def _give_up_early(self):
        """Some ends are certain long before the time limit."""
        if grub.FAILED.encode() in _read(self.log("kernel")):
            raise paths.RigError(f"GRUB could not boot this\n{self._tail('kernel')}")
        if self._console.failure:
            raise paths.RigError(f"/init could not prepare the guest: {self._console.failure}\n"
                                 + self._tail("kernel"))

    def _result(self):
        self._console.finish()
        if self._console.status is None:
            raise paths.RigError(f"the machine stopped before COMMAND had ended{self._why()}; "
                                 f"{self._last_step()}\n{self._tails()}")
        return self._console.status

    def _timed_out(self, timeout):
        if self._console.status is not None:
            return ("COMMAND ended with status "
                    f"{self._console.status}, but the guest did not power off\n{self._tails()}")
        return f"no end within {timeout:g} s; {self._last_step()}\n{self._tails()}"

    def _why(self):
        log = _read(self.log("emulator")).lower()
        if b"Kernel panic" in _read(self.log("kernel")):
            return " by a kernel panic"
        if b"triple fault" in log or b"exception with no resolution" in log:
            return " by a triple fault"
        reason = self._emulator.monitor and self._emulator.monitor.ended()
        return {"guest-reset": " by a reset", "guest-shutdown": " by a power-off"}.get(
            reason, " (a reset, a power-off, or the emulator's own end)")

    def _last_step(self):
        """The last step that was reached, in the order GRUB, hypervisor, kernel, init, command."""
        if self._console.reached == "run":
            return "the last step reached: COMMAND was running"
        if self._console.reached == "init":
            return "the last step reached: /init"
        kernel = _read(self.log("kernel"))
        if b"Linux version" in kernel or b"Kernel panic" in kernel:
            return "the last step reached: the kernel (--append loglevel=8 shows more)"
        if _read(self.log("carrel")):
            return ("the last step reached: the hypervisor, and perhaps the kernel "
                    "(--append loglevel=8 shows it)")
        if grub.STARTING.encode() in kernel:
            return ("the last step reached: GRUB started what it had loaded "
                    "(--append loglevel=8 shows the kernel)")
        if kernel:
            return "the last step reached: firmware or GRUB"
        return "nothing was reached: not even GRUB"

    def _tails(self):
        tails = [self._registers(), *map(self._tail, ("emulator", "carrel", "kernel"))]
        return "\n".join(filter(None, tails))

    def _registers(self):
        """Every CPU's registers go to cpus.log, and the first lines of each to the error."""
        monitor = self._emulator.monitor
        text = monitor.registers().replace("\r", "") if monitor else ""
        if not text:
            return ""
        with open(self.log("cpus"), "w", encoding="utf-8") as file:
            file.write(text)
        lines = [line for line in text.split("\n") if BRIEF_REGISTERS.match(line)]
        return "\n".join(["--- the CPUs (more in cpus.log)", *lines])

    def _tail(self, name):
        text = _read(self.log(name)).decode("utf-8", "replace").replace("\r", "")
        lines = [line for line in text.split("\n") if line.strip()]
        if name == "emulator":
            lines = [line for line in lines if not REGISTERS.match(line)]
        lines = [ESCAPES.sub("", line) for line in lines[-TAIL_LINES:]]
        return "\n".join([f"--- the end of {name}.log", *lines]) if lines else ""


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
