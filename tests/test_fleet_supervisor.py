"""The supervisor of a fleet run, by its messages: in a process of its own, since it is made by fork."""

from __future__ import annotations

import subprocess
import sys

_LATE = """
import os, sys
from awsudo_py.fleet.protocol import END, ENDED, REFUSED, RUN, STARTED, Setting
from awsudo_py.fleet.supervisor import Supervisor

one = Supervisor(Setting("/bin/true", ["true"], os.environ, sys.argv[1]))

def last_kind(number):
    one.send(RUN, number, {}, None, "")
    while True:
        for kind, about, *_ in one.receive():
            if about == number and kind != STARTED:
                return kind

print(last_kind(1) == ENDED)
one.signal(END)
last_kind(2)  # this one may be handled before the signal, or after it
print(last_kind(3) == REFUSED)
one.close()
"""


def test_a_command_that_arrives_after_the_end_is_refused(tmp_path: object) -> None:
    """awsudo waits for the end of each command that it sent; one that is dropped would never end."""
    done = subprocess.run([sys.executable, "-c", _LATE, str(tmp_path)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nTrue\n", "")
