# SPDX-License-Identifier: BSD-2-Clause
"""Which engine runs the machine."""

import importlib

NAMES = ("tcg", "bochs")


def choose(name):
    """The module of the engine called `name`."""
    if name == "auto":
        name = "tcg"
    return importlib.import_module(f"engine_{name}")
