"""Prevents core dumps of awsudo: they would contain keys and sessions in plain text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def forbid() -> Callable[[], None]:
    """Disable them in this process; returns a function that restores the caller's limit for the command."""
    if sys.platform == "win32":  # no such limit; Windows Error Reporting asks the user
        return lambda: None
    import resource

    try:
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    except (OSError, ValueError):  # a sandbox forbids it, and may itself forbid core dumps
        return lambda: None
    return lambda: resource.setrlimit(resource.RLIMIT_CORE, before)
