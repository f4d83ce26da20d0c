"""The Python library: sessions of roles for boto3 and botocore, by awsudo's resolution, cache and locks.

1. Nothing is printed, no terminal is opened and no global is changed. Where an MFA code is needed, `prompt` is called;
   without one the call raises.
2. Every function raises AwsudoError and nothing else for what goes wrong with a target, a file or AWS.
3. Every function may be called from any thread. Threads and processes that need the same session share one call.
4. Inputs that are not passed come from the AWSUDO_* variables and the profile, as on the command line.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TypedDict

from awsudo_py.context import Context
from awsudo_py.errors import AwsudoError
from awsudo_py.resolve.request import exec_request, read_inputs
from awsudo_py.session_for import session_for
from awsudo_py.terminal import NoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import boto3
    from typing_extensions import Unpack

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.child_environment import Changes
    from awsudo_py.prompt import Question
    from awsudo_py.session_for import Answer

    #: Takes the question, such as "MFA code of arn:aws:iam::123456789012:mfa/ann", and returns the answer.
    Prompt = Callable[[str], str]

#: A session of the library is renewed this many seconds before its end: a long-running program has time for a retry.
RENEW_AHEAD = 900.0


class Inputs(TypedDict, total=False):
    """What shapes a session, each as the option of the same name on the command line.

    duration, min_ttl, mfa_session_duration: seconds, or a text such as "15m". policy: a policy document as a dictionary
    or as JSON, or the path of a file. tags: names and values. profile: the source of `target`, which is then a role.
    """

    profile: str
    duration: int | str
    session_name: str
    external_id: str
    mfa_serial: str
    mfa_process: str
    mfa_session_duration: int | str
    mfa_per_role: bool
    policy: Mapping[str, Any] | str
    only: Sequence[str]
    on: Sequence[str]
    read_only: bool
    shorten: int | str
    reason: str
    policy_arns: Sequence[str]
    tags: Mapping[str, str]
    transitive_tags: Sequence[str]
    source_identity: str
    region: str
    min_ttl: int | str
    refresh: bool
    no_cache: bool
    store: str


def credentials(target: str, *, prompt: Prompt | None = None, **inputs: Unpack[Inputs]) -> Credentials:
    """The credentials of a session: access_key_id, secret_access_key, session_token, and expiration (seconds since the
    epoch, UTC).

    target: a profile, the ARN of a role, or ACCOUNT:ROLE. They last for at least five minutes (a third of a session
    that is shorter than 15), or for min_ttl seconds. Raises AwsudoError.
    """
    return _answer(target, prompt, inputs).credentials


async def acredentials(target: str, *, prompt: Prompt | None = None, **inputs: Unpack[Inputs]) -> Credentials:
    """credentials(), for asyncio: the call is made in a thread, so that the event loop goes on. Raises AwsudoError."""
    import asyncio

    return await asyncio.to_thread(credentials, target, prompt=prompt, **inputs)


def environment(target: str, *, prompt: Prompt | None = None, **inputs: Unpack[Inputs]) -> Changes:
    """The variables that a command of `awsudo TARGET` gets: a value for each, None for one that must not be set.

    Raises AwsudoError.
    """
    return _answer(target, prompt, inputs).changes


def session(target: str, *, prompt: Prompt | None = None, **inputs: Unpack[Inputs]) -> boto3.Session:
    """A boto3 Session as the target. Its credentials renew themselves, for as long as the source can give new ones.

    The first session is fetched now, so that a mistake raises here; later failures raise at the request that needs it.
    The Session has the target's Region. Raises AwsudoError.
    """
    import boto3
    import botocore.session
    from botocore.credentials import CredentialResolver

    from awsudo_py.api.provider import Provider

    provider = Provider(target, prompt=prompt, **inputs)
    answer = provider.answer()
    inner = botocore.session.Session()
    inner.register_component("credential_provider", CredentialResolver(providers=[provider]))
    if answer.chain.config_profile in inner.available_profiles:
        inner.set_config_variable("profile", answer.chain.config_profile)
    if answer.chain.region:
        inner.set_config_variable("region", answer.chain.region)
    return boto3.Session(botocore_session=inner)


def answer_for(target: str, prompt: Prompt | None, inputs: Inputs, *, ahead: float) -> Answer:
    """The result of session_for() for these inputs. ahead: seconds before its end from which a session is renewed."""
    return _answer(target, prompt, inputs, ahead=ahead)


def _answer(target: str, prompt: Prompt | None, inputs: Inputs, *, ahead: float | None = None) -> Answer:
    given: dict[str, Any] = dict(inputs)
    profile = given.pop("profile", None)
    _refuse_unknown(given)
    context = Context(os.environ, _Callback(prompt))
    fields = read_inputs(
        {name: _as_option(name, value) for name, value in given.items()},
        context.deciding,
        context.files,
        name_of=lambda option: option.field,
    )
    # as on the command line: PROFILE is the source of a role, or the target itself
    words = [target] if profile is None else [target, "true"]
    request = exec_request(words, profile, fields)
    if profile is not None and request.role is None:
        raise AwsudoError(f"{target} is not a role: with profile, the target is the role to assume from it")
    request = request._replace(command=())
    return session_for(context, request) if ahead is None else session_for(context, request, ahead=ahead)


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    unknown = sorted(given.keys() - Inputs.__annotations__.keys())
    if unknown:
        raise TypeError(f"unknown input: {', '.join(unknown)}")


def _as_option(name: str, value: Any) -> Any:
    """A Python value as the option's text."""
    if name == "policy" and not isinstance(value, str):
        return json.dumps(value)
    if name == "tags" and not isinstance(value, (list, tuple)):
        return [f"{key}={text}" for key, text in value.items()]
    if name in ("only", "on", "policy_arns", "transitive_tags"):
        return list(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return value


class _Callback(NoTerminal):
    """Rule 1: questions go to a function."""

    def __init__(self, prompt: Prompt | None) -> None:
        super().__init__(why="no prompt was passed")
        self._prompt = prompt

    def ask(self, question: Question) -> str:
        """The function's answer. Raises AwsudoError if there is no function."""
        return super().ask(question) if self._prompt is None else self._prompt(question.text.strip(" :")).strip()
