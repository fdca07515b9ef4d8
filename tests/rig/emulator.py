# SPDX-License-Identifier: BSD-2-Clause
"""What an engine hands to the machine that it describes."""

import dataclasses

import qmp


@dataclasses.dataclass(frozen=True)
class Emulator:
    """A process to start. `environment` is what it needs beyond the rig's own."""
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    monitor: qmp.Monitor | None = None
