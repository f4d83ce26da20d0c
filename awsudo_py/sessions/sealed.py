"""The format of the files in the cache: named fields, sealed with a digest.

Not JSON: its import alone is most of the hit path's budget. NUL parts the fields, since neither an
argument, a path nor an environment variable can hold one.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b  # hashlib costs 2 ms and 3.6 MiB more
except ImportError:  # a Python built without it
    from hashlib import blake2b

#: The first field of every file. Another number is another format, and so a miss.
FORMAT = b"awsudo 1"
_SEAL = 16


def pack(fields: dict[str, str]) -> bytes:
    """The fields as bytes. ValueError if a name or value cannot be stored (it contains a NUL)."""
    body = [FORMAT]
    for name, value in fields.items():
        field = f"{name}={value}".encode("utf-8", "surrogateescape")
        if b"\0" in field or "=" in name:
            raise ValueError(f"a field that cannot be stored: {name}")
        body.append(field)
    data = b"\0".join(body)
    return data + b"\0" + _seal(data)


def unpack(data: bytes) -> dict[str, str] | None:
    """The fields that pack() was given, or None if these bytes are not all it wrote."""
    body, seal = data[: -_SEAL - 1], data[-_SEAL - 1 :]
    if seal != b"\0" + _seal(body):
        return None
    form, *fields = body.split(b"\0")
    if form != FORMAT:
        return None
    try:
        return dict(field.decode("utf-8", "surrogateescape").split("=", 1) for field in fields)
    except ValueError:
        return None


def _seal(data: bytes) -> bytes:
    return blake2b(data, digest_size=_SEAL).digest()


def keyed_digest(text: str, key: bytes) -> str:
    """A digest that takes the key to compute: 32 hexadecimal digits."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16, key=key).hexdigest()


def digest(text: str) -> str:
    """The name under which something with this description is stored: 40 hexadecimal digits."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
