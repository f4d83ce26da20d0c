"""Typed records of what subcommands take: one attribute for each option and argument of their line in the registry.

A module of cli/commands declares its own, from these; a test compares each with its line.
"""

from __future__ import annotations

from typing import Any


class Options:
    """The values of a subcommand's options. An option that was not used is None, False or ()."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


class Common(Options):
    """The options of nearly every subcommand."""

    quiet: bool
    verbose: bool


class CallOptions(Common):
    """The options of a subcommand that calls AWS with a profile's keys."""

    region: str | None


class RequestOptions(Common):
    """The options of a run, and of every subcommand that resolves a target as a run does."""

    profile: str | None
    duration: str | None
    session_name: str | None
    external_id: str | None
    mfa_serial: str | None
    mfa_code: str | None
    mfa_process: str | None
    mfa_session_duration: str | None
    mfa_per_role: bool
    policy: str | None
    only: tuple[str, ...]
    on: tuple[str, ...]
    read_only: bool
    shorten: str | None
    reason: str | None
    policy_arns: tuple[str, ...]
    tags: tuple[str, ...]
    transitive_tags: tuple[str, ...]
    source_identity: str | None
    web_identity: str | None
    web_identity_audience: str | None
    web_identity_token: str | None
    saml: str | None
    region: str | None
    min_ttl: str | None
    refresh: bool
    no_cache: bool
    store: str | None


class AnsweredOptions(RequestOptions):
    """The options of a subcommand whose questions a script or `awsudo answer` may answer."""

    yes: bool
    wait: str | None


class RunOptions(AnsweredOptions):
    """The options of a run itself."""

    dry_run: bool
    why: bool
    preserve: bool
    serve: bool
    serve_linger: bool
