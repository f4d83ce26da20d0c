"""Reads the long-lived keys that aws-vault keeps in the Secret Service, and the names of those that it keeps in files.

1. Nothing of aws-vault's is changed.
2. What cannot be read as a key is reported by its name alone.

Its format (99designs/keyring, secretservice.go): a collection of its own, in which the label of an item is the name of
the profile, and its secret is JSON, whose Data is JSON again, in base64: the credentials. Sessions and tokens of SSO
sessions lie between them.
"""

from __future__ import annotations

import base64
import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from awsudo_py.aws_credentials import Credentials
from awsudo_py.keys.os_keyring import in_secret_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The collection, if AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME does not name another.
_COLLECTION = "awsvault"
_FILES = "~/.awsvault/keys"
#: An access key ID (IAM API reference, accessKeyIdType). A secret that was entered in its place has other characters.
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
#: Names of sessions, in the forms of several releases, and of tokens.
_NOT_KEYS = re.compile(r"[^,]+,[^,]+,[^,]*,\d+|session[,:].*|.* session \(\d+\)|oidc:.*", re.DOTALL)


def collection_name(environ: Mapping[str, str]) -> str:
    """The name of aws-vault's collection."""
    return environ.get("AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME") or _COLLECTION


def is_key(name: str) -> bool:
    """Whether an entry of that name is a long-lived key."""
    return bool(name) and not _NOT_KEYS.fullmatch(name)


def stored_keys(environ: Mapping[str, str], tell: Callable[[str], None]) -> dict[str, Credentials | None]:
    """The keys in the Secret Service by the names of their profiles; None for what is not a key. Raises KeyringError.

    tell displays a line (that the collection waits to be unlocked).
    """
    name = collection_name(environ)
    return in_secret_service(lambda: _keys_in(name), environ, tell)


def names_of_files(environ: Mapping[str, str]) -> list[str]:
    """The names of the keys in aws-vault's files, which are encrypted with a passphrase."""
    place = environ.get("AWS_VAULT_FILE_DIR") or _FILES
    home = environ.get("HOME")
    path = home + place[1:] if home and place.startswith("~/") else os.path.expanduser(place)
    try:
        return sorted(entry.name for entry in os.scandir(path) if entry.is_file() and is_key(entry.name))
    except OSError:
        return []


def _keys_in(name: str) -> dict[str, Credentials | None]:
    """The keys in the collection of that name, which is unlocked by a prompt of the desktop if it is locked."""
    from contextlib import closing

    import secretstorage  # `keyring` requires it on Linux; elsewhere there is none
    from secretstorage.util import open_session

    with closing(secretstorage.dbus_init()) as bus:
        if not secretstorage.check_service_availability(bus):
            raise secretstorage.SecretServiceNotAvailableException("no Secret Service")
        path = f"/org/freedesktop/secrets/collection/{name}"
        collections = secretstorage.get_all_collections(bus)
        collection = next((each for each in collections if _decoded(each.collection_path) == path), None)
        if collection is None:
            return {}
        if collection.is_locked() and (collection.unlock() or collection.is_locked()):
            raise secretstorage.LockedException("locked")
        collection.session = open_session(bus)  # one for all items: it takes a key exchange
        items = ((item.get_label(), item) for item in collection.get_all_items())
        return {label: _credentials(item.get_secret()) for label, item in items if is_key(label)}


def _credentials(secret: bytes) -> Credentials | None:
    """The key in the secret of an item; None if there is none."""
    try:
        value: Any = json.loads(base64.b64decode(json.loads(secret)["Data"], validate=True))
        access_key_id, key, token = value["AccessKeyID"], value["SecretAccessKey"], value.get("SessionToken") or None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not (isinstance(access_key_id, str) and isinstance(key, str) and isinstance(token, str | None)):
        return None
    if not _KEY_ID.fullmatch(access_key_id):
        return None
    return Credentials(access_key_id, key, token)


def _decoded(path: str) -> str:
    """A path of D-Bus, in which the Secret Service has written other characters than letters and digits as _xx."""
    return unquote(re.sub("_([0-9a-f]{2})", r"%\1", path.replace("%", "%25")))
