# SPDX-License-Identifier: BSD-2-Clause
"""Where the second serial port's bytes come from: a file, or a link to the user's terminal."""

import os
import select
import sys
import termios
import time
import tty

LEAVE = b"\x1d"


class Recorded:
    """The port is a file that the emulator writes."""

    def __init__(self, path):
        self._path = path
        self._offset = 0

    def wait(self, seconds):
        time.sleep(seconds)

    def read(self):
        """What came since the last time."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return b""
        self._offset += len(data)
        return data

    def close(self):
        pass


class Interactive:
    """The port is the open file `port`; what is typed goes there, and all is kept in `path`.

    ^] leaves, as the only byte that the guest does not get."""

    def __init__(self, port, path):
        self._port = port
        self._log = open(path, "wb", buffering=0)
        self._keyboard = sys.stdin.fileno()
        self._saved = None
        if os.isatty(self._keyboard):
            self._saved = termios.tcgetattr(self._keyboard)
            tty.setraw(self._keyboard)
        os.set_blocking(port, False)
        self._typed_ends = False

    def wait(self, seconds):
        """Passes on what is typed until the guest says something or the time is over."""
        watched = [self._port] if self._typed_ends else [self._port, self._keyboard]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._keyboard not in ready:
            return
        typed = os.read(self._keyboard, 256)
        if LEAVE in typed:
            raise KeyboardInterrupt
        if typed:
            os.write(self._port, typed)
        else:
            self._typed_ends = True

    def read(self):
        data = b""
        try:
            while more := os.read(self._port, 65536):
                data += more
        except OSError:  # nothing there now, or the emulator has gone
            pass
        self._log.write(data)
        return data

    def close(self):
        if self._saved:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._saved)
