# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's monitor: how the guest ended, and the CPUs' registers at that moment."""

import json
import socket
import time

ANSWER_SECONDS = 5


class Monitor:
    """The rig's end of a connection that QEMU is given as an open file."""

    def __init__(self):
        self._socket, self.peer = socket.socketpair()
        self._received = b""
        self._messages = []

    def arguments(self):
        """QEMU's arguments; the machine stops, but its process stays, when the guest ends."""
        return ["-no-reboot", "-no-shutdown",
                "-chardev", f"socket,id=monitor,fd={self.peer.fileno()}",
                "-mon", "chardev=monitor,mode=control"]

    def started(self):
        """QEMU runs and has its end now."""
        # No event comes before this request.
        self._send("qmp_capabilities", {})
        self._socket.setblocking(False)

    def ended(self):
        """Why the guest stopped the machine, as QEMU words it, or None while it runs."""
        self._receive()
        for message in self._messages:
            if message.get("event") == "SHUTDOWN":
                return message["data"]["reason"]
        return None

    def registers(self):
        """The registers of all CPUs as text; empty if QEMU does not answer."""
        try:
            answer = self._execute("human-monitor-command",
                                   {"command-line": "info registers -a"})
        except OSError:
            return ""
        return answer if isinstance(answer, str) else ""

    def _execute(self, command, arguments):
        self._send(command, arguments)
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            self._receive()
            for message in self._messages:
                if message.get("id") == command:
                    return message.get("return")
            time.sleep(0.01)
        return None

    def _send(self, command, arguments):
        request = json.dumps({"execute": command, "arguments": arguments, "id": command})
        self._socket.sendall(request.encode() + b"\n")

    def _receive(self):
        try:
            while data := self._socket.recv(65536):
                self._received += data
        except BlockingIOError:
            pass
        except ConnectionResetError:
            return
        *lines, self._received = self._received.split(b"\n")
        self._messages += [json.loads(line) for line in lines if line.strip()]
