"""A strict STS in a process of its own: python -m tests.servers.sts_process ROLES [DELAY].

Prints one JSON line: url, and a key of user alice, who may assume the roles 100000000000:fleet, 100000000001:fleet, ….
Each line on stdin is answered with one on stdout: `count ACTION`, or `throttle N` for the next N calls. It ends with
its stdin.
"""

from __future__ import annotations

import json
import sys

from tests.servers.strict_sts import StrictSts

FIRST_ACCOUNT = 100_000_000_000


def main() -> None:
    """Serve until stdin ends."""
    roles, delay = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with StrictSts() as sts:
        key = sts.add_user("alice")
        for account in range(FIRST_ACCOUNT, FIRST_ACCOUNT + roles):
            sts.add_role(f"arn:aws:iam::{account}:role/fleet")
        sts.delay = delay
        print(json.dumps({"url": sts.url, "id": key.access_key_id, "secret": key.secret_access_key}), flush=True)
        for line in sys.stdin:
            word, argument = line.split()
            if word == "throttle":
                sts.fail_next("throttle", int(argument), action="AssumeRole")
            elif word == "forget":
                sts.forget()
            print(sts.count(argument) if word == "count" else "ok", flush=True)


if __name__ == "__main__":
    main()
