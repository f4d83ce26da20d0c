"""A credential provider for botocore: a target of awsudo, in the chain of a botocore session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialProvider, RefreshableCredentials

from awsudo_py.api.library import RENEW_AHEAD, answer_for
from awsudo_py.aws_credentials import rfc3339

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from awsudo_py.api.library import Inputs, Prompt
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.session_for import Answer

#: Seconds before its end at which botocore asks for a new session, and from which it insists on one.
_ADVISORY, _MANDATORY = 900, 300


class Provider(CredentialProvider):  # type: ignore[misc]  # botocore has no types
    """Gives the sessions of a target, and renews them; the arguments are those of awsudo_py.session().

    To put it first in the chain of a botocore session:

        session.get_component("credential_provider").insert_before("env", Provider("prod"))
    """

    METHOD = "awsudo"
    CANONICAL_NAME = "awsudo"

    def __init__(self, target: str, *, prompt: Prompt | None = None, **inputs: Unpack[Inputs]) -> None:
        super().__init__()
        self._target = target
        self._prompt = prompt
        self._inputs = inputs

    def load(self) -> Any:
        """Credentials that renew themselves. Raises AwsudoError."""
        found = self.answer().credentials
        # a third of a short session, as in the cache: otherwise every request would look for a new one
        third = ((found.expiration or 0) - found.issued) / 3
        return RefreshableCredentials.create_from_metadata(
            _metadata(found),
            refresh_using=lambda: _metadata(self.answer().credentials),
            method=self.METHOD,
            advisory_timeout=min(_ADVISORY, third),
            mandatory_timeout=min(_MANDATORY, third / 2),
        )

    def answer(self) -> Answer:
        """The session as it is now, from the cache unless it is due for renewal. Raises AwsudoError."""
        return answer_for(self._target, self._prompt, self._inputs, ahead=RENEW_AHEAD)


def _metadata(found: Credentials) -> dict[str, str | None]:
    return {
        "access_key": found.access_key_id,
        "secret_key": found.secret_access_key,
        "token": found.session_token,
        "expiry_time": rfc3339(found.expiration or 0),
    }
