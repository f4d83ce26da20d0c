"""awsudo's end of the supervisors of a fleet run: starts them, and exchanges messages with them."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from awsudo_py.fleet.protocol import END, KILL, Inbox, packed
from awsudo_py.fleet.supervisor_process import SupervisorProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.fleet.protocol import Setting

#: One supervisor for each core, up to this many: starting processes keeps a core busy.
MOST = 4


class Supervisor:
    """awsudo's end of one supervisor process."""

    def __init__(self, setting: Setting, others: Sequence[Supervisor] = ()) -> None:
        self.socket, theirs = socket.socketpair()
        # neither may end the process before it has handlers
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (END, KILL)}
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                for each in (self, *others):  # held open here, their ends would not be noticed
                    each.socket.close()
                ignored = [number for number in before if before[number] is signal.SIG_IGN]
                SupervisorProcess(setting, theirs, ignored).serve()
                code = 0
            finally:
                os._exit(code)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()
        self._inbox = Inbox()
        self.load = 0  # commands that it runs now

    def send(self, *message: Any) -> None:
        """Send one message. Raises OSError if the supervisor is gone."""
        self.socket.sendall(packed(message))

    def signal(self, number: int) -> None:
        """END or KILL its commands; it then starts no more."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return  # that is noticed when its messages are read

    def receive(self) -> list[tuple[Any, ...]] | None:
        """The messages that have arrived; None if the supervisor is gone."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            return None
        return self._inbox.messages(data) if data else None

    def close(self) -> None:
        """Close the supervisor, which ends all its commands."""
        self.socket.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return
