"""awsudo: sudo for AWS. Runs one command as an IAM role."""

__version__ = "0.2.0"

#: The library: loaded at first use, so that a run of the command does without it.
_LIBRARY = ("Inputs", "acredentials", "credentials", "environment", "session")
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> "Any":
    if name in _LIBRARY:
        from awsudo_py.api import library as module
    elif name == "Provider":
        from awsudo_py.api import provider as module  # type: ignore[no-redef]
    elif name == "AwsudoError":
        from awsudo_py import errors as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module 'awsudo_py' has no attribute {name!r}")
    return getattr(module, name)
