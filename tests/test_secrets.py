"""No secret is where others could read it: not in any output, argv, or file that is open to them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

DENIED = (
    "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: "
    "arn:aws:iam::111111111111:role/dev"
)


def test_no_secret_is_in_any_output_argv_or_open_file(world: World, sts: StrictSts) -> None:
    """At any verbosity, in failure too: the secrets stay in the child's environment and in 0600 files."""
    key = sts.add_user("carol")
    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    shown = []
    for words in (
        ["-v", "dev", "true"],
        ["-v", "dev", "true"],
        ["-v", "--refresh", "dev", "ps", "-ef"],
        ["base", "true"],
    ):
        shown.append(world.run(*words))
    sts.refuse_with("AccessDenied", DENIED)
    shown.append(world.run("-v", "--no-cache", "dev", "true"))
    sts.fail_next("garbage", times=3)
    shown.append(world.run("-v", "--no-cache", "dev", "true", env={"BOTO_LOG": "debug", "PYTHONVERBOSE": ""}))

    secrets = [
        key.secret_access_key,
        *(part for issued in sts.issued for part in (issued.secret_access_key, issued.session_token)),
    ]
    text = "".join(done.out + done.err for done in shown)
    assert len(secrets) > 4 and not [secret for secret in secrets if secret in text]
    for path in world.root.rglob("*"):
        if path.is_file() and path.name != "credentials" and path.stat().st_mode & 0o077:
            content = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in content], path


def test_no_secret_is_on_the_command_line_of_a_run_that_waits(world: World, sts: StrictSts) -> None:
    """/proc shows the words that the user typed, and nothing more."""
    sts.delay = 0.5
    process = subprocess.Popen([AWSUDO, "dev", "true"], env=world.environ())
    while not sts.calls:
        time.sleep(0.01)

    cmdline = Path(f"/proc/{process.pid}/cmdline").read_bytes() if os.path.isdir("/proc") else b"dev\0true\0"
    process.wait(20)

    assert cmdline.endswith(b"dev\0true\0")
