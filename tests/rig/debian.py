# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages for the guest, as scripts/packages unpacked them: a package and what it depends on.

Nothing configures them; no maintainer's script runs.
"""

import os
import re

import paths


def add(archive, names):
    """Adds the packages of these names and all that they need."""
    for name in closure(names):
        archive.copy(os.path.join(paths.DEBIAN, name), "")


def closure(names):
    """The names of them and of all that they need, sorted."""
    return _Index().closure(names) if names else []


class _Index:
    """What the unpacked packages say of each other."""

    def __init__(self):
        self._needs = {}
        self._provided = {}
        path = paths.need(os.path.join(paths.DEBIAN, "index"), "Debian packages for the guest",
                          "run scripts/packages install")
        with open(path, encoding="utf-8") as file:
            for stanza in file.read().split("\n\n"):
                self._read(dict(line.split(": ", 1) for line in stanza.splitlines()))

    def _read(self, fields):
        if not fields:
            return
        name = fields["Package"]
        self._needs[name] = [[_bare(each) for each in alternatives.split("|")]
                             for field in ("Pre-Depends", "Depends")
                             for alternatives in fields.get(field, "").split(",")]
        for other in fields.get("Provides", "").split(","):
            self._provided.setdefault(_bare(other), name)

    def _find(self, alternatives):
        """The first that there is, or None: what scripts/packages leaves out, nobody needs here."""
        for name in alternatives:
            if name in self._needs:
                return name
            if name in self._provided:
                return self._provided[name]
        return None

    def closure(self, names):
        found = {}
        wanted = list(names)
        for name in names:
            if name not in self._needs:
                raise paths.RigError(f"scripts/packages fetches no package {name} for the guest: "
                                     "add it to PROGRAMS there")
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            found[name] = True
            wanted += filter(None, map(self._find, self._needs[name]))
        return sorted(found)


def _bare(text):
    """The name in 'NAME:ARCHITECTURE (>= VERSION)'."""
    return re.sub(r"[ :(].*", "", text.strip())
