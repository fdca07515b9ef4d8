# SPDX-License-Identifier: BSD-2-Clause
"""Writes cpio archives of the "newc" kind that Linux unpacks as its first root file system.

Needs no privilege: owners are root and device nodes are made by description, and two archives of
the same content are the same bytes, so that deterministic rigs stay deterministic.
"""

import os
import stat

ALIGN = 4


class Archive:
    """An archive in memory; each entry's missing parent folders are added before it."""

    def __init__(self):
        self._parts = []
        self._names = set()
        self._inode = 0

    def folder(self, name, mode=0o755):
        self._entry(name, stat.S_IFDIR | mode, b"")

    def file(self, name, content, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name, target):
        """A symbolic link."""
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def char_device(self, name, major, minor, mode=0o600):
        self._entry(name, stat.S_IFCHR | mode, b"", (major, minor))

    def copy(self, source, name):
        """Adds the host's file or folder `source`, whole, under the guest's path `name`."""
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            self.link(name, os.readlink(source))
        elif stat.S_ISDIR(info.st_mode):
            self.folder(name, stat.S_IMODE(info.st_mode))
            for child in sorted(os.listdir(source)):
                self.copy(os.path.join(source, child), os.path.join(name, child))
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as file:
                self.file(name, file.read(), stat.S_IMODE(info.st_mode))
        # Sockets, pipes and devices of the host have no meaning in the guest.

    def finish(self):
        """The whole archive as bytes; nothing can be added afterwards."""
        self._write("TRAILER!!!", 0, b"", (0, 0))
        return b"".join(self._parts)

    def _entry(self, name, mode, content, device=(0, 0)):
        name = name.strip("/")
        if stat.S_ISDIR(mode) and (not name or name in self._names):
            return
        # Of two files of one name Linux keeps the later, which is what a caller means.
        parent = os.path.dirname(name)
        if parent and parent not in self._names:
            self.folder(parent)
        self._names.add(name)
        self._write(name, mode, content, device)

    def _write(self, name, mode, content, device):
        self._inode += 1
        name = os.fsencode(name) + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._parts += [header, _padding(header), content, _padding(content)]


def _padding(content):
    return bytes(-len(content) % ALIGN)
