"""Plays an identity pool of Amazon Cognito: GetId and GetCredentialsForIdentity."""

from __future__ import annotations

import json
import secrets
import time

from .serving import Answer, Call, Serving, as_json


class Cognito(Serving):
    """One pool, and the login tokens that it takes; guests, if it has them."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.guests = False
        self.logins: dict[str, str] = {}  # provider: token
        self._identities: dict[str, dict[str, str]] = {}  # identity: the logins that it was given for

    @property
    def actions(self) -> list[str]:
        """What was called."""
        return [call.headers["X-Amz-Target"].partition(".")[2] for call in self.calls]

    def answer(self, call: Call) -> Answer:
        """Answer by target; whoever signs is refused: both calls are public."""
        given = json.loads(call.body)
        logins = given.get("Logins", {})
        if call.headers.get("Authorization"):
            return _refused("NotAuthorizedException", "signed")
        if not all(self.logins.get(provider) == token for provider, token in logins.items()):
            return _refused("NotAuthorizedException", "Invalid login token. Token expired or wrong")
        if not logins and not self.guests:
            return _refused("NotAuthorizedException", "Unauthenticated access is not supported for this identity pool.")
        target = call.headers["X-Amz-Target"]
        if target == "AWSCognitoIdentityService.GetId":
            if given["IdentityPoolId"] != self.pool:
                return _refused("ResourceNotFoundException", "IdentityPool not found")
            identity = f"{self.pool.partition(':')[0]}:{secrets.token_hex(8)}"
            self._identities[identity] = logins
            return as_json({"IdentityId": identity})
        if self._identities.get(given["IdentityId"]) != logins:
            return _refused("NotAuthorizedException", "Logins don't match")
        issued = {"AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}", "SecretKey": secrets.token_urlsafe(30)}
        session = {"SessionToken": secrets.token_urlsafe(200), "Expiration": time.time() + 3600}
        return as_json({"IdentityId": given["IdentityId"], "Credentials": {**issued, **session}})


def _refused(code: str, message: str) -> Answer:
    return as_json({"__type": code, "message": message}, 400)
