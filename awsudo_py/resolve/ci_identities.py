"""The CI systems that give a job a web identity token: one row each, and the variables of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The audience for which AWS's guides set up providers.
DEFAULT_AUDIENCE = "sts.amazonaws.com"


class Provider(NamedTuple):
    """How the jobs of one CI system get a token.

    variables: those that have the token, the first that is set counts; or, for a provider with `asks`, those that all
    must be set to ask for one. missing: what to do if none is set.
    """

    title: str
    variables: tuple[str, ...]
    missing: str
    asks: bool = False


PROVIDERS = {
    "github": Provider(
        "GitHub Actions",
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        "give the job the permission, in its workflow: permissions: {id-token: write, contents: read}",
        asks=True,
    ),
    "gitlab": Provider(
        "GitLab CI",
        ("GITLAB_OIDC_TOKEN",),
        "declare it in the job: id_tokens: {GITLAB_OIDC_TOKEN: {aud: sts.amazonaws.com}}; another name: gitlab:NAME",
    ),
    "circleci": Provider(
        "CircleCI", ("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"), "jobs that use a context have it: add a context"
    ),
    "buildkite": Provider(
        "Buildkite", ("BUILDKITE_JOB_ID", "BUILDKITE_AGENT_ACCESS_TOKEN"), "is this a Buildkite job?", asks=True
    ),
    "bitbucket": Provider("Bitbucket Pipelines", ("BITBUCKET_STEP_OIDC_TOKEN",), "add to the step: oidc: true"),
}
#: The variables that a resolution reads, besides those that decide every run.
VARIABLES = frozenset(name for provider in PROVIDERS.values() for name in provider.variables)


def provider_and_variable(word: str) -> tuple[str, str]:
    """`gitlab:MY_TOKEN` as the provider's name and the variable; empty without one."""
    name, _, variable = word.partition(":")
    return name, variable


def environment_of_ci(environ: Mapping[str, str], word: str | None) -> dict[str, str]:
    """The variables of CI systems, and the one that `--web-identity gitlab:VARIABLE` names."""
    names = {*VARIABLES, provider_and_variable(word or "")[1]}
    return {name: value for name, value in environ.items() if name in names}
