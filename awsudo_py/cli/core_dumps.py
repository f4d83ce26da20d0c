"""Lets no core dump of awsudo be written: it would hold keys and sessions in the clear, for whoever finds the file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def forbid() -> Callable[[], None]:
    """Forbid them to this process; gives what puts the caller's limit back, for the command that we become."""
    if sys.platform == "win32":  # no such limit; Windows Error Reporting asks its user
        return lambda: None
    import resource

    try:
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    except (OSError, ValueError):  # a sandbox forbids it, and may forbid core dumps by itself
        return lambda: None
    return lambda: resource.setrlimit(resource.RLIMIT_CORE, before)
