"""Replaces a stored key with a new one, step by step, so that a working key is always in use.

Each step is in the list of stored keys before the next begins. A run that was killed is resumed from there:

| the list says | a run that finds this |
|---|---|
| rotating | looks at AWS whether the new key was made, and in the keyring whether its secret arrived |
| pending: the new key, whose secret is in the keyring | waits until it works, then lets it be the key |
| retiring: the old key, no longer used | deactivates it, deletes it, takes it out of the keyring |
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Protocol, TypeVar

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.errors import AwsudoError, CtrlC, Interrupted, KeyringError, Rejected, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.iam import Iam
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.keys.index import StoredKey
    from awsudo_py.keys.vault import Keys
    from awsudo_py.sessions.single_flight import Run

#: Seconds until a new key that does not work yet is given up for this run. IAM is eventually consistent; ten are usual.
GIVE_UP_AFTER = 60.0
#: Error codes for a key that AWS does not know yet.
_UNKNOWN = ("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException")
#: Seconds by which this machine's clock may be ahead of AWS's (with more, AWS accepts no signature).
_SKEW = 900
_Result = TypeVar("_Result")


class IamOf(Protocol):
    """IAM, called with a key; itself: not with a session of it."""

    def __call__(self, key: Credentials, *, itself: bool) -> Iam:
        """Raises AwsudoError."""


class Rotation:
    """One run of a rotation. agreed(question, otherwise) prompts the user."""

    def __init__(self, keys: Keys, name: str, *, iam: IamOf, run: Run, agreed: Callable[[str, str], bool]) -> None:
        self._keys = keys
        self._name = name
        self._iam = iam
        self._run = run
        self._agreed = agreed
        self._tell = run.terminal.notice

    def rotate(self) -> str:
        """Do the remaining steps; returns the id of the deleted key.

        Raises AwsudoError, with a hint that names the key in use and how to continue.
        """
        self._key: StoredKey = self._keys.named(self._name)
        try:
            lock = self._keys.list.lock(self._name)
        except OSError as error:
            raise AwsudoError(f"cannot lock {self._keys.list.path}: {error.strerror or error}") from None
        try:
            if not lock.try_acquire():
                raise AwsudoError(
                    f"another awsudo is rotating the key of profile {self._name}", hint="wait for it to finish"
                )
            self._key = self._keys.named(self._name)
            return self._steps()
        except KeyboardInterrupt:
            raise CtrlC(hint=self._state()) from None
        except AwsudoError as error:
            error.hints = (*error.hints, self._state())
            raise
        finally:
            lock.release()

    def _steps(self) -> str:
        key = self._key
        if not key.retiring:
            if not key.pending:
                self._make()
            self._promote()
        return self._retire()

    def _make(self) -> None:
        """The new key: made at AWS, its secret in the keyring."""
        iam = self._iam(self._current(), itself=False)
        others = [each for each in iam.access_keys() if each.access_key_id != self._key.access_key_id]
        if others and self._key.rotating:
            if self._keys.find(others[0].access_key_id, self._key.backend) is not None:
                self._save(pending=others[0].access_key_id, pending_created=others[0].created)
                return
            if others[0].created < rfc3339(self._key.rotating - _SKEW) or iam.last_use(others[0].access_key_id).at:
                self._save(rotating=0.0)  # it existed before, or is in use: not this rotation's
            else:
                self._delete_lost(iam, others[0].access_key_id, others[0].created)
                others = []
        if others:
            state = "active" if others[0].active else "inactive"
            raise AwsudoError(
                f"the user of {self._key.access_key_id} has a second key, {others[0].access_key_id} ({state}, made "
                f"{others[0].created}), and AWS allows two",
                hint=f"if it is not in use: aws iam delete-access-key --access-key-id {others[0].access_key_id}",
            )
        self._save(rotating=self._run.clock())
        try:
            made, created = iam.create()
        except Rejected:
            self._save(rotating=0.0)  # AWS answered, so there is none
            raise
        self._tell(f"new key {made.access_key_id}")
        try:
            self._keys.keep(self._name, made, self._key.backend)
        except KeyringError:
            iam.delete(made.access_key_id)
            self._save(rotating=0.0)
            raise
        self._save(pending=made.access_key_id, pending_created=created)

    def _delete_lost(self, iam: Iam, access_key_id: str, created: str) -> None:
        """Delete the key that an interrupted run made, and whose secret was lost."""
        question = (
            f"{access_key_id} was made at {created}, when an earlier rotation was interrupted, and its secret was "
            "never stored. Delete it?"
        )
        by_hand = f"aws iam delete-access-key --access-key-id {access_key_id}"
        if not self._agreed(question, f"to confirm, pass --yes; or delete it: {by_hand}"):
            raise Interrupted(f"{access_key_id} was not deleted", hint=f"to delete it: {by_hand}")
        iam.delete(access_key_id)
        self._tell(f"deleted {access_key_id}, created by an interrupted run")

    def _promote(self) -> None:
        """The new key works: use it from now on."""
        key = self._key
        new = self._keys.secret(self._name, key.pending, key.backend)
        arn = self._patiently(new, lambda: self._iam(new, itself=True).arn())
        if key.arn and arn != key.arn:
            raise AwsudoError(
                f"the new key {key.pending} belongs to {arn}, the old one to {key.arn}",
                hint="find out who created it; awsudo does not use it",
            )
        self._save(
            access_key_id=key.pending,
            created=key.pending_created,
            pending="",
            pending_created="",
            retiring=key.access_key_id,
            stored=self._run.clock(),
            arn=arn,
        )
        self._tell(f"{key.pending} works; profile {self._name} uses it now")

    def _retire(self) -> str:
        """Delete the old key: first at AWS, then here."""
        old, new = self._key.retiring, self._current()

        def gone(what: Callable[[Iam, str], None]) -> None:
            try:
                # STS knowing the new key does not mean that IAM does
                self._patiently(new, lambda: what(self._iam(new, itself=False), old))
            except Rejected as error:
                if error.code != "NoSuchEntity":
                    raise

        gone(lambda iam, key: iam.deactivate(key))
        gone(lambda iam, key: iam.delete(key))
        self._tell(f"old key {old} deactivated and deleted")
        self._keys.drop(old, self._key.backend)
        self._save(retiring="", rotating=0.0)
        return old

    def _current(self) -> Credentials:
        return self._keys.secret(self._name, self._key.access_key_id, self._key.backend)

    def _patiently(self, new: Credentials, call: Callable[[], _Result]) -> _Result:
        """The result of the call, repeated for a minute while AWS does not know the new key."""
        waited, pause = 0.0, 0.25
        while True:
            try:
                return call()
            except Rejected as error:
                if error.code not in _UNKNOWN:
                    raise
                if waited >= GIVE_UP_AFTER:
                    raise Unreachable(
                        f"AWS does not know the new key {new.access_key_id} after {waited:.0f} s", hint=error.hints
                    ) from None
            if not waited:
                self._tell(f"waiting until the new key {new.access_key_id} is known everywhere at AWS")
            self._run.sleep(pause)
            waited += pause
            pause = min(pause * 2, 5.0)

    def _save(self, **changes: str | float) -> None:
        self._key = self._key._replace(**changes)  # type: ignore[arg-type]  # fields of it
        self._keys.write(self._name, self._key)

    def _state(self) -> str:
        """The hint: which key is in use, and how to continue."""
        key, line = self._key, f"awsudo keys rotate {shlex.quote(self._name)}"
        if key.retiring:
            return f"in use: the new key {key.access_key_id}; to delete the old key {key.retiring}: {line}"
        if key.rotating:
            return f"still in use: {key.access_key_id}; to continue: {line}"
        return f"still in use: {key.access_key_id}; nothing was changed"
