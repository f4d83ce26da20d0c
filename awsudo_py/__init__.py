"""awsudo: sudo for AWS. Runs one command as an IAM role."""

__version__ = "0.2.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awsudo_py.api.library import Inputs as Inputs
    from awsudo_py.api.library import acredentials as acredentials
    from awsudo_py.api.library import credentials as credentials
    from awsudo_py.api.library import environment as environment
    from awsudo_py.api.library import session as session
    from awsudo_py.api.provider import Provider as Provider
    from awsudo_py.errors import AwsudoError as AwsudoError

#: The library, and its module: loaded at first use, so that running the command does not import it.
_LIBRARY = {
    **dict.fromkeys(("Inputs", "acredentials", "credentials", "environment", "session"), "awsudo_py.api.library"),
    "Provider": "awsudo_py.api.provider",
    "AwsudoError": "awsudo_py.errors",
}


def __getattr__(name: str) -> object:
    if name not in _LIBRARY:
        raise AttributeError(f"module 'awsudo_py' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LIBRARY[name]), name)
