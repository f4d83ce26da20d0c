"""The strict STS with the IAM beside it that knows of its users' access keys and MFA devices, on the same port.

Which principal may what is in IAM's hands alone: `deny` refuses an action in AWS's words. Sources: IAM API reference;
the IAM user guide for the limit of two keys and for calls of a session without MFA.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.loaders import Loader

from tests.servers.strict_sts import _MODEL as _STS
from tests.servers.strict_sts import Key, StrictSts, _Credential, _Principal, _Refusal, refuse_narrowed

_IAM: dict[str, Any] = Loader().load_service_model("iam", "service-2")


class _Known(NamedTuple):
    """What IAM knows of a key besides its secret."""

    created: float
    credential: _Credential
    active: bool = True
    used: float | None = None


class StrictAws(StrictSts):
    """StrictSts, and IAM: a user's own keys and devices.

    slow_to_know: how many requests signed with a new key are refused before it works (IAM is eventually consistent).
    watch(action, when): called before and after each action, once its signature was found right.
    """

    models = (_STS, _IAM)

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.slow_to_know = 0
        self.watch: Callable[[str, str], None] = lambda _action, _when: None
        self.made: list[Key] = []  # by CreateAccessKey, with their secrets
        self.role_used: dict[str, tuple[float, str]] = {}  # ARN → when and in which Region
        self._known: dict[str, _Known] = {}
        self._unknown_yet: dict[str, int] = {}
        self._denied: dict[str, str] = {}
        self._mfa_for: set[str] = set()
        super().__init__(clock=clock)
        for action in (
            self._list_access_keys,
            self._create_access_key,
            self._update_access_key,
            self._delete_access_key,
            self._get_access_key_last_used,
            self._list_mfa_devices,
            self._get_role,
        ):
            self._actions["".join(word.title() for word in action.__name__.split("_")).replace("Mfa", "MFA")] = action
        self._actions = {name: self._watched(name, action) for name, action in self._actions.items()}

    def _watched(self, name: str, action: Any) -> Callable[[_Principal, dict[str, str]], dict[str, Any]]:
        def watched(caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
            self.watch(name, "before")
            result: dict[str, Any] = action(caller, params)
            self.watch(name, "after")
            return result

        return watched

    # What the test sets up, and looks at

    def deny(self, action: str, reason: str = "because no identity-based policy allows the {action} action") -> None:
        """Let no policy allow this action (`iam:ListMFADevices`)."""
        self._denied[action] = reason

    def ask_mfa_for(self, *actions: str) -> None:
        """Let a policy deny these actions (`iam:CreateAccessKey`) to whoever has not shown a code."""
        self._mfa_for |= set(actions)

    def state(self, access_key_id: str) -> str:
        """Active, Inactive, or empty where there is no such key (any more)."""
        known = self._known.get(access_key_id)
        return "" if known is None else "Active" if known.active else "Inactive"

    def keys_of(self, name: str = "alice") -> list[str]:
        """The ids of a user's keys, oldest first."""
        found = [(known.created, key) for key, known in self._known.items() if self._owner(known).endswith(f"/{name}")]
        return [key for _, key in sorted(found)]

    def age(self, access_key_id: str, seconds: float) -> None:
        """Let a key have been made that long before now."""
        known = self._known[access_key_id]
        self._known[access_key_id] = known._replace(created=self.clock() - seconds)

    def switch_off(self, access_key_id: str) -> None:
        """Make a key inactive."""
        self._set_active(access_key_id, active=False)

    # Keys

    def _add_key(self, arn: str, account: str, partition: str, root: bool = False) -> Key:
        key = super()._add_key(arn, account, partition, root)
        self._known[key.access_key_id] = _Known(self.clock(), self._credentials[key.access_key_id])
        return key

    def _authenticate(self, called: str, method: str, path: str, headers: Any, body: bytes) -> _Principal:
        caller = super()._authenticate(called, method, path, headers, body)
        key_id = headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        if self._unknown_yet.get(key_id):
            self._unknown_yet[key_id] -= 1
            raise _Refusal("InvalidClientTokenId", "The security token included in the request is invalid.")
        if key_id in self._known:
            self._known[key_id] = self._known[key_id]._replace(used=self.clock())
        if called == "iam" and caller.session and not caller.mfa and ":assumed-role/" not in caller.arn:
            # STS API reference, GetSessionToken: IAM takes no call from such a session
            raise _Refusal("InvalidClientTokenId", "The security token included in the request is invalid")
        return caller

    def _allowed(self, caller: _Principal, action: str) -> None:
        name = caller.arn.rpartition("/")[2]
        refuse_narrowed(caller, action, f"user {name}")
        denial = f"User: {caller.arn} is not authorized to perform: {action} on resource: user {name}"
        if action in self._denied:
            raise _Refusal("AccessDenied", f"{denial} {self._denied[action].format(action=action)}")
        if action in self._mfa_for and not caller.mfa:
            raise _Refusal("AccessDenied", f"{denial} with an explicit deny in an identity-based policy")

    def _own(self, caller: _Principal, params: dict[str, str]) -> str:
        key_id = params["AccessKeyId"]
        known = self._known.get(key_id)
        if known is None or self._owner(known) != caller.arn:
            raise _Refusal("NoSuchEntity", f"The Access Key with id {key_id} cannot be found.", 404)
        return key_id

    @staticmethod
    def _owner(known: _Known) -> str:
        return known.credential.principal.arn

    def _set_active(self, key_id: str, *, active: bool) -> None:
        known = self._known[key_id]
        self._known[key_id] = known._replace(active=active)
        # STS knows no inactive key either
        if active:
            self._credentials[key_id] = known.credential
        else:
            self._credentials.pop(key_id, None)

    def _list_access_keys(self, caller: _Principal, _params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:ListAccessKeys")
        return {
            "AccessKeyMetadata": [
                {
                    "UserName": caller.arn.rpartition("/")[2],
                    "AccessKeyId": key_id,
                    "Status": self.state(key_id),
                    "CreateDate": _date(known.created),
                }
                for key_id, known in self._known.items()
                if self._owner(known) == caller.arn
            ],
            "IsTruncated": "false",
        }

    def _create_access_key(self, caller: _Principal, _params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:CreateAccessKey")
        if sum(self._owner(known) == caller.arn for known in self._known.values()) >= 2:
            raise _Refusal("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409)
        key = self._add_key(caller.arn, caller.account, caller.partition)
        self.made.append(key)
        self._unknown_yet[key.access_key_id] = self.slow_to_know
        return {
            "AccessKey": {
                "UserName": caller.arn.rpartition("/")[2],
                "AccessKeyId": key.access_key_id,
                "Status": "Active",
                "SecretAccessKey": key.secret_access_key,
                "CreateDate": _date(self.clock()),
            }
        }

    def _update_access_key(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:UpdateAccessKey")
        self._set_active(self._own(caller, params), active=params["Status"] == "Active")
        return {}

    def _delete_access_key(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:DeleteAccessKey")
        key_id = self._own(caller, params)
        del self._known[key_id]
        self._credentials.pop(key_id, None)
        return {}

    def _get_access_key_last_used(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:GetAccessKeyLastUsed")
        used = self._known[self._own(caller, params)].used
        output = {"ServiceName": "N/A", "Region": "N/A"}
        if used is not None:
            output = {"LastUsedDate": _date(used), "ServiceName": "sts", "Region": "eu-west-1"}
        return {"UserName": caller.arn.rpartition("/")[2], "AccessKeyLastUsed": output}

    def _get_role(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:GetRole")
        found = [arn for arn in self._roles if arn.endswith(f"/{params['RoleName']}")]
        found = [arn for arn in found if arn.split(":")[4] == caller.account]
        if not found:
            raise _Refusal("NoSuchEntity", f"The role with name {params['RoleName']} cannot be found.", 404)
        arn, used = found[0], self.role_used.get(found[0])
        role = {
            "Path": "/",
            "RoleName": params["RoleName"],
            "RoleId": self._roles[arn].role_id,
            "Arn": arn,
            "CreateDate": _date(self.clock()),
            "MaxSessionDuration": self._roles[arn].max_session,
            "RoleLastUsed": {} if used is None else {"LastUsedDate": _date(used[0]), "Region": used[1]},
        }
        return {"Role": role}

    def _list_mfa_devices(self, caller: _Principal, _params: dict[str, str]) -> dict[str, Any]:
        self._allowed(caller, "iam:ListMFADevices")
        return {
            "MFADevices": [
                {"UserName": caller.arn.rpartition("/")[2], "SerialNumber": serial, "EnableDate": _date(self.clock())}
                for serial, device in self._devices.items()
                if device.user_arn == caller.arn
            ],
            "IsTruncated": "false",
        }


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
