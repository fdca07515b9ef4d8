# SPDX-License-Identifier: BSD-2-Clause
"""Reads what the guest's /init says on its second serial port (guest/init tells the lines)."""

import re


class Console:
    """Takes that port's bytes as they come and separates COMMAND's output from /init's lines.

    Attributes: `reached` is "nothing", "init", "run" or "exit"; `status` is COMMAND's exit status,
    None until it is known; `failure` is /init's own complaint, or None.
    """

    def __init__(self, mark, write):
        """`write` is called with each stretch of COMMAND's output."""
        self._mark = mark.encode() + b" "
        self._exit = re.compile(re.escape(self._mark) + rb"exit (\d+)\r?\n")
        self._write = write
        self._pending = b""
        self.reached = "nothing"
        self.status = None
        self.failure = None

    def feed(self, data):
        self._pending += data
        while self.reached in ("nothing", "init") and self._preamble_line():
            pass
        if self.reached == "run":
            self._output()

    def finish(self):
        """No more bytes will come: hands over the output that was held back."""
        if self.reached == "run":
            self._emit(len(self._pending))

    def _preamble_line(self):
        line, newline, rest = self._pending.partition(b"\n")
        if not newline:
            return False
        self._pending = rest
        _, mark, words = line.partition(self._mark)
        words = words.decode("ascii", "replace").strip()
        if mark and words == "init":
            self.reached = "init"
        elif mark and words == "run":
            self.reached = "run"
        elif mark and words.startswith("failed "):
            self.failure = words[len("failed "):]
        return True

    def _output(self):
        end = self._exit.search(self._pending)
        if end:
            self._emit(end.start())
            self.status = int(end.group(1))
            self.reached = "exit"
        else:
            self._emit(len(self._pending) - self._length_of_begun_mark())

    def _length_of_begun_mark(self):
        """How many bytes at the end could be the beginning of the last line."""
        whole = self._pending.rfind(self._mark)
        if whole >= 0 and len(self._pending) - whole < len(self._mark) + len("exit 255\r\n"):
            return len(self._pending) - whole
        for length in range(min(len(self._mark) - 1, len(self._pending)), 0, -1):
            if self._pending.endswith(self._mark[:length]):
                return length
        return 0

    def _emit(self, length):
        if length:
            self._write(self._pending[:length])
            self._pending = self._pending[length:]
