# SPDX-License-Identifier: BSD-2-Clause
"""What an engine hands to the machine that it describes."""

import dataclasses
import typing

import qmp


@dataclasses.dataclass(frozen=True)
class Emulator:
    """A process to start."""
    command: list
    # Beyond the rig's own.
    environment: dict = dataclasses.field(default_factory=dict)
    # Files (anything with fileno and close) that the process alone keeps open.
    inherited: tuple = ()
    monitor: qmp.Monitor | None = None
    # With --shell: the near end of the second serial port.
    port: typing.Any = None
    # A file for its standard output, if that is not to go to emulator.log.
    output: str | None = None
    # After SIGINT it logs the registers and ends.
    interrupt: bool = False
