"""The command that adds a package to this installation of awsudo, whichever tool made it."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import metadata, util

#: The name of the distribution on PyPI. `awsudo` and `awsudo-py` are other programs there.
DISTRIBUTION = "awsudo-cli"


def command_to_add(package: str, *, prefix: str = sys.prefix, executable: str = sys.executable) -> str:
    """The command that installs a package beside awsudo, quoted to paste.

    pipx and uv keep each tool in an environment of its own, where pip is absent or is not meant to be used.
    """
    package = shlex.quote(package)
    if os.path.exists(os.path.join(prefix, "pipx_metadata.json")):
        return f"pipx inject {shlex.quote(os.path.basename(prefix))} {package}"
    if os.path.exists(os.path.join(prefix, "uv-receipt.toml")):
        return f"uv tool install --with {package} {shlex.quote(_origin())}"
    if os.path.basename(os.path.dirname(prefix)).startswith("archive-v"):  # uvx: gone after the run
        return f"uvx --with {package} --from {shlex.quote(_origin())} awsudo"
    if util.find_spec("pip") is None:
        return f"uv pip install --python {shlex.quote(executable)} {package}"
    return f"{shlex.quote(executable)} -m pip install {package}"


def _origin() -> str:
    """Where awsudo was installed from: a folder, a URL, or the package index."""
    import json

    try:
        recorded = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return DISTRIBUTION
    url = str(recorded.get("url", DISTRIBUTION))
    if "vcs_info" in recorded:
        return f"{recorded['vcs_info'].get('vcs', 'git')}+{url}"
    if not url.startswith("file://"):
        return url
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).path)
