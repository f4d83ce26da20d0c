"""Gets the web identity token of a CI job, or of a program, at the moment when STS is to be called with it.

1. A token is in no message, no argument and no log; its expiry may be.
2. The address that returns a token is called over https only, or on this machine; a redirect is not followed, as the
   request has the job's own secret in it.
"""

from __future__ import annotations

import base64
import json
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.errors import NoCredentials, Unreachable
from awsudo_py.resolve.ci_identities import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.model import Source

#: Seconds for one call, how often one is made, and the bytes that an answer may have.
_SECONDS, _TRIES, _LARGEST = 10, 3, 64 * 1024
_PROGRAM_SECONDS = 60


def token_of(
    source: Source,
    environ: Mapping[str, str],
    given: str | None,
    *,
    now: float,
    sleep: Callable[[float], None],
) -> str:
    """The token for a source; given: one that was read from a file or from stdin. Raises AwsudoError."""
    provider = source.setting("provider")
    if source.setting("token_process"):
        token = _from_program(shlex.split(source.setting("token_process")), environ, source.where)
    elif not provider:
        token = given or ""
    elif provider == "github":
        token = _from_github(environ, source.setting("audience"), sleep)
    elif provider == "buildkite":
        command = ["buildkite-agent", "oidc", "request-token", "--audience", source.setting("audience")]
        token = _from_program(command, environ, "Buildkite")
    else:
        token = environ.get(source.setting("variable"), "")
    if not token:
        raise NoCredentials(f"{source.where} returned no web identity token", hint="run the job again")
    until = expiry_of(token)
    if until is not None and until <= now:
        raise NoCredentials(
            f"the web identity token of {source.where} expired at {rfc3339(until)}",
            hint="get a new one: a job's token lives for minutes, so call awsudo early in the job",
        )
    return token


def expiry_of(token: str) -> float | None:
    """The expiry in a token (seconds since the epoch); None without one."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _from_github(environ: Mapping[str, str], audience: str, sleep: Callable[[float], None]) -> str:
    url, secret = (environ.get(name, "") for name in PROVIDERS["github"].variables)
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not is_local:
        raise NoCredentials("ACTIONS_ID_TOKEN_REQUEST_URL is not an https address", hint="unset it, or run in the job")
    target = f"{url}{'&' if parts.query else '?'}audience={quote(audience, safe='')}"
    for left in reversed(range(_TRIES)):
        status, answer = _get(target, f"bearer {secret}")
        if status == 200:
            try:
                return str(json.loads(answer)["value"])
            except (ValueError, KeyError, TypeError, RecursionError):
                break
        if status < 500 and status != 429:
            break
        if left:
            sleep(float(_TRIES - left))
    raise Unreachable(
        f"GitHub Actions returned no token (HTTP {status})"
        if status
        else "GitHub Actions returned no token: no response",
        hint=PROVIDERS["github"].missing,
    )


def _get(url: str, authorization: str) -> tuple[int, bytes]:
    """Status and body of an answer; 0 without one. Rule 2: no redirect is followed."""
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    headers = {"Authorization": authorization, "Accept": "application/json"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (rule 2 has looked at the scheme)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=_SECONDS) as answer:
            return answer.status, answer.read(_LARGEST)
    except urllib.error.HTTPError as error:
        return error.code, b""
    except (OSError, ValueError):
        return 0, b""


def _from_program(command: list[str], environ: Mapping[str, str], where: str) -> str:
    """A program's output: a token on one line. Its stderr is the user's."""
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=dict(environ),
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, ValueError, IndexError) as error:
        why = getattr(error, "strerror", None) or "it cannot be parsed"
        raise NoCredentials(f"{where}: the program that prints the web identity token cannot be run: {why}") from None
    except subprocess.TimeoutExpired:
        raise NoCredentials(f"{where}: no web identity token after {_PROGRAM_SECONDS} s") from None
    token = done.stdout.decode("ascii", "replace").strip()
    if done.returncode != 0:
        raise NoCredentials(
            f"{where}: the program that prints the web identity token failed with exit code {done.returncode}",
            hint="its own message is above",
        )
    if not token.isprintable() or " " in token or not token.isascii():
        raise NoCredentials(f"{where}: the program printed no web identity token", hint="it must print a JWT alone")
    return token
