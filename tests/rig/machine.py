# SPDX-License-Identifier: BSD-2-Clause
"""Runs one emulated machine to its end, within a time limit.

The emulator is one process that dies with the rig, however the rig dies. Everything that is known
of the guest comes from its serial ports and from the emulator's monitor.
"""

import os
import re
import signal
import subprocess
import time

import diagnosis
import paths
import terminal

POLL_SECONDS = 0.02
SLOW_POLL_SECONDS = 0.5
INTERRUPT_SECONDS = 3
# How long the reset may take that follows when the hypervisor has stopped for good.
AFTERMATH_SECONDS = 3


class Machine:
    """One run of an emulator.Emulator; `logs` is the folder for its logs."""

    def __init__(self, emulator, console, logs, *, cwd, until=None):
        """`console` takes the second serial port; `until` ends the run when a log line has it."""
        self._emulator = emulator
        self._console = console
        self._logs = diagnosis.Logs(logs)
        self._cwd = cwd
        self._until = re.compile(until.encode()) if until else None
        self._source = None
        self._process = None

    def run(self, timeout, power_off_grace):
        """Returns COMMAND's status (0 if `until` was seen); raises RigError otherwise.

        timeout: seconds until COMMAND must have ended, or infinity; power_off_grace: seconds from
        then until the machine must be off."""
        try:
            self._start()
            return self._watch(timeout, power_off_grace)
        finally:
            if self._process:
                self._process.kill()
                self._process.wait()
            if self._source:
                self._source.close()

    def _start(self):
        emulator = self._emulator
        log_path = self._logs.path("emulator")
        with open(log_path, "ab") as log, open(emulator.output or log_path, "ab") as output:
            self._process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", *emulator.command],
                cwd=self._cwd, env={**os.environ, **emulator.environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                pass_fds=[file.fileno() for file in emulator.inherited])
        for file in emulator.inherited:
            file.close()
        if emulator.monitor:
            emulator.monitor.started()
        output_path = self._logs.path("output")
        self._source = (terminal.Interactive(emulator.port.fileno(), output_path) if emulator.port
                        else terminal.Recorded(output_path))

    def _watch(self, timeout, grace):
        deadline = time.monotonic() + timeout
        next_slow = 0
        leaving = doomed = False
        while True:
            ended = self._ended()
            self._console.feed(self._source.read())
            now = time.monotonic()
            if ended or now >= next_slow:
                next_slow = now + SLOW_POLL_SECONDS
                if self._until and self._until_seen():
                    return 0
                self._give_up_early()
                if self._logs.hypervisor_stopped() and not doomed:
                    doomed = True
                    deadline = min(deadline, now + AFTERMATH_SECONDS)
            if self._console.reached == "exit" and not leaving:
                leaving = True
                deadline = now + grace
            if ended:
                return self._result()
            if now >= deadline:
                self._interrupt()
                raise self._error(self._overdue(timeout))
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
        return any(self._until.search(self._logs.read(name)) for name in ("carrel", "kernel"))

    def _give_up_early(self):
        """Some ends are certain long before the time limit."""
        if self._logs.grub_failed():
            raise self._error("GRUB could not boot this")
        if self._console.failure:
            raise self._error(f"/init could not prepare the guest: {self._console.failure}")

    def _result(self):
        self._console.finish()
        if self._until:
            raise self._error("the machine stopped, but no line of carrel.log or kernel.log "
                              f"matches {self._until.pattern.decode()!r}")
        if self._console.status is None:
            reason = self._emulator.monitor and self._emulator.monitor.ended()
            raise self._error(f"the machine stopped before COMMAND had ended "
                              f"{self._logs.cause(reason)}; {self._logs.last_step(self._console)}")
        return self._console.status

    def _overdue(self, timeout):
        stopped = self._logs.hypervisor_stopped()
        if stopped:
            return f"the hypervisor stopped ({stopped})"
        if self._console.status is not None:
            return (f"COMMAND ended with status {self._console.status}, but the guest did not "
                    "power off")
        return f"no end within {timeout:g} s; {self._logs.last_step(self._console)}"

    def _error(self, text):
        """What is said, with all that helps to find out why."""
        monitor = self._emulator.monitor
        registers = self._logs.keep_registers(monitor.registers() if monitor else "")
        return paths.RigError("\n".join(filter(None, (text, registers, self._logs.tails()))))
