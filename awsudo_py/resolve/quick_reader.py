"""Reads the sections of an AWS file as configparser does, in a third of its time: thousands of profiles are common.

It knows the plain form that nearly every file has. Anything else, mistakes above all, is left to configparser: a test
compares the two on any text.
"""

from __future__ import annotations


def quick_sections(text: str) -> dict[str, dict[str, str]] | None:
    """The sections with their settings; None if the text is not plain."""
    if "\r" in text:
        return None
    found: dict[str, dict[str, str]] = {}
    settings: dict[str, str] | None = None
    key, blank = "", 0  # the last setting, and how many empty lines came after it
    for line in text.split("\n"):
        first = line[:1]
        if not first:
            blank += 1
        elif first == "[":
            end = line.rfind("]")
            if end < 2 or line[1:end] in found:
                return None
            settings = found[line[1:end]] = {}
            key, blank = "", 0
        elif first in "#;":
            continue
        elif first.isspace():
            bare = line.strip()
            if not bare:
                blank += 1
            elif bare[0] not in "#;":
                if settings is None or not key:
                    return None
                # a line that is indented continues the value above it
                settings[key] = f"{settings[key]}{chr(10) * (blank + 1)}{bare}"
                blank = 0
        else:
            name, equals, value = line.partition("=")
            if not equals or ":" in name or settings is None:
                return None
            key, blank = name.rstrip().lower(), 0
            if not key or key in settings:
                return None
            settings[key] = value.strip()
    return found
