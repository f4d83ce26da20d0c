"""Promises that hold for every input: what is kept on disk, and what is shown on a terminal."""

from __future__ import annotations

import copy
import pickle
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.aws_credentials import Credentials
from awsudo_py.display import escape
from awsudo_py.errors import did_you_mean
from awsudo_py.replay import record_name, surroundings
from awsudo_py.sessions.cached_session import fresh_session, session_fields
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.sealed import pack, unpack

#: Text as it comes out of arguments and the environment: any Unicode, lone bytes as surrogates, but no NUL.
OUTSIDE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from("\udc80\udcff"))
NAMES = OUTSIDE.filter(lambda name: "=" not in name)
few = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@few
@given(st.dictionaries(NAMES, OUTSIDE, max_size=8))
def test_fields_come_back_as_they_were_packed(fields: dict[str, str]) -> None:
    """A record keeps every name and value, whatever bytes they are made of."""
    assert unpack(pack(fields)) == fields


@few
@given(st.dictionaries(NAMES, OUTSIDE, max_size=4), st.data())
def test_a_changed_or_truncated_record_is_a_miss(fields: dict[str, str], data: st.DataObject) -> None:
    """One flipped bit or one missing byte, wherever it is, makes a record a miss."""
    packed = bytearray(pack(fields))
    place = data.draw(st.integers(0, len(packed) - 1))
    flipped = bytearray(packed)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))

    assert unpack(bytes(flipped)) is None
    assert unpack(bytes(packed[:place])) is None


@few
@given(st.binary(max_size=300))
def test_bytes_of_another_format_are_a_miss(data: bytes) -> None:
    """Whatever is found on disk is a miss, never an error."""
    assert unpack(data) is None


@pytest.mark.parametrize("fields", [{"a": "x\0y"}, {"a\0": "x"}, {"a=b": "x"}])
def test_what_would_not_come_back_is_not_packed(fields: dict[str, str]) -> None:
    """A field that cannot be stored is refused when it is written, not lost."""
    with pytest.raises(ValueError, match="cannot be stored"):
        pack(fields)


@few
@given(st.dictionaries(NAMES, OUTSIDE), st.floats(0, 2e9))
def test_fields_of_another_kind_are_a_miss(fields: dict[str, str], now: float) -> None:
    """A record that is whole but no session of that key is a miss."""
    assert fresh_session(fields, "0" * 40, now, None) is None


@pytest.mark.parametrize("expiration", ["nan", "inf", "-inf", "1e999", "", "soon"])
def test_an_invalid_expiration_is_a_miss(expiration: str) -> None:
    """Invalid numbers never make a session fresh."""
    fields = session_fields(Credentials("ASIA", "s", "t", 2000.0, issued=1000.0), "inputs")
    fields["expiration"] = expiration
    from awsudo_py.sessions.sealed import digest

    assert fresh_session(fields, digest("inputs"), 1500.0, None) is None


@few
@given(st.lists(OUTSIDE, min_size=1, max_size=5), st.lists(OUTSIDE, min_size=1, max_size=5), st.data())
def test_two_command_lines_share_a_record_only_if_they_are_the_same(
    one: list[str], other: list[str], data: st.DataObject
) -> None:
    """No word, however it is made, can pass for two words, or for a variable."""
    environ = {"AWS_PROFILE": data.draw(OUTSIDE)}
    changed = {"AWS_PROFILE": environ["AWS_PROFILE"], "AWS_X": data.draw(OUTSIDE)}
    store = FileStore("/nowhere")

    around = surroundings(environ, store)
    assert (record_name(one, around) == record_name(other, around)) == (one == other)
    # an empty variable counts as unset
    same = record_name(one, around) == record_name(one, surroundings(changed, store))
    assert same == (not changed["AWS_X"])


@few
@given(st.text())
def test_nothing_escaped_can_move_the_cursor_or_forge_a_line(text: str) -> None:
    """What reaches the terminal is visible characters and spaces; all else is spelled out."""
    escaped = escape(text)

    assert escaped.isprintable()
    assert not [character for character in escaped if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert "\n" not in escaped


def test_ordinary_text_is_printed_unchanged() -> None:
    """Names in any script are safe."""
    assert escape("naïve, 東京 \N{SNOWMAN}") == "naïve, 東京 \N{SNOWMAN}"


def test_credentials_show_no_secret_in_any_text_form() -> None:
    """repr, str, %, format, copies and pickles: the secret parts stay inside."""
    credentials = Credentials("ASIAVISIBLE", "the-secret", "the-token", 1.0)

    forms = [repr(credentials), str(credentials), f"{credentials}", "%s %r" % (credentials, [credentials])]  # noqa: UP031 (what is tested)

    assert all("ASIAVISIBLE" in form and "the-secret" not in form and "the-token" not in form for form in forms)
    for way in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            way(credentials)


@pytest.mark.parametrize(
    ("typed", "known", "hint"),
    [
        ("prdo", ["prod", "dev"], "did you mean prod?"),
        ("PROD", ["prod"], "did you mean prod?"),
        ("stagng", ["staging", "staging2"], "did you mean staging or staging2?"),
        ("zzz", ["prod"], ""),
        ("x" * 4096, ["x" * 4096 + "y"], ""),
    ],
)
def test_a_name_close_to_a_known_one_is_guessed(typed: str, known: list[str], hint: str) -> None:
    """A typo is answered with what was perhaps meant; a wild guess is not made."""
    assert did_you_mean(typed, known) == hint
