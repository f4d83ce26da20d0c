"""Replacing a user's file: as a whole, in its place, and never over a change that somebody else made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from awsudo_py.errors import AwsudoError
from awsudo_py.files import Change, content_of, replace_file


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_link_and_a_mode_are_preserved(tmp_path: Path) -> None:
    """Dotfiles are stored elsewhere, and linked."""
    real = tmp_path / "dotfiles" / "rc"
    real.parent.mkdir()
    real.write_bytes(b"old\n")
    real.chmod(0o604)
    link = tmp_path / "link"
    link.symlink_to("dotfiles/rc")

    Change(str(link), b"old\n", b"new\n").apply()

    assert os.readlink(link) == "dotfiles/rc" and real.read_bytes() == b"new\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o604
    assert _names(real.parent) == ["rc"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_the_owner_is_preserved(tmp_path: Path) -> None:
    """A file that root changes for a user stays the user's."""
    file = tmp_path / "rc"
    file.write_bytes(b"old\n")
    file.chmod(0o600)
    os.chown(file, 4321, 4322)

    Change(str(file), b"old\n", b"new\n").apply()

    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4321, 4322, 0o600)


@pytest.mark.parametrize(
    ("before", "now"),
    [(b"old\n", b"old\nadded by another program\n"), (None, b"created by another program\n"), (b"old\n", None)],
    ids=["changed", "created", "deleted"],
)
@pytest.mark.parametrize("after", [b"new\n", None], ids=["replace", "delete"])
def test_a_file_that_changed_meanwhile_is_left_alone(
    tmp_path: Path, before: bytes | None, now: bytes | None, after: bytes | None
) -> None:
    """Rule 3: the user agreed to another change."""
    file = tmp_path / "rc"
    if before is not None:
        file.write_bytes(before)
    change = Change(str(file), content_of(str(file)), after if before else b"new\n")
    assert change.before == before
    if now is None:
        file.unlink()
    else:
        file.write_bytes(now)

    with pytest.raises(AwsudoError, match="was changed by another program"):
        change.apply(backup="backup")

    assert (file.read_bytes() if file.exists() else None) == now
    assert _names(tmp_path) == (["rc"] if now is not None else [])


def test_a_file_is_created_and_deleted(tmp_path: Path) -> None:
    """None stands for no file; directories on the way are made, and the mode is that of the change."""
    file = tmp_path / "a" / "b" / "rc"

    Change(str(file), None, b"new\n").apply()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    Change(str(file), b"new\n", None).apply()

    assert _names(file.parent) == []

    Change(str(file), None, b"new\n", new_mode=0o644).apply()

    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    """A umask of 0777 would take the owner's own bits."""
    before = os.umask(0o777)
    try:
        replace_file(str(tmp_path / "a"), b"x", modified=1_000.0)
    finally:
        os.umask(before)

    found = (tmp_path / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o600, 1_000.0)


def test_a_backup_is_private_whatever_the_mode_of_the_file(tmp_path: Path) -> None:
    """The backup has what the file has, secrets included."""
    file = tmp_path / "credentials"
    file.write_bytes(b"old\n")
    file.chmod(0o644)

    saved = Change(str(file), b"old\n", b"new\n").apply(backup="1.backup")

    assert saved == f"{file}.1.backup" and Path(saved).read_bytes() == b"old\n"
    assert stat.S_IMODE(os.stat(saved).st_mode) == 0o600


def test_a_file_that_cannot_be_replaced_stays_whole(tmp_path: Path) -> None:
    """The error names it, the hint quotes it, and nothing half written is left."""
    file = tmp_path / "my rc"
    file.write_bytes(b"old\n")

    def full(_from: str, _to: str) -> None:
        raise OSError(28, "No space left on device")

    change = Change(str(file), b"old\n", b"new\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(AwsudoError, match="No space left") as caught:
            change.apply()

    assert file.read_bytes() == b"old\n" and _names(tmp_path) == ["my rc"]
    assert f"'{file}'" in caught.value.hints[0]


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    """A configuration linked to /dev/null, a named pipe: nothing waits, and no device is replaced."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")

    for name in ("pipe", "null", "."):
        with pytest.raises(AwsudoError, match=r"not a regular file|Is a directory"):
            Change(str(tmp_path / name), b"", b"new\n").apply()


def test_a_diff_names_the_file_and_shows_a_missing_line_end(tmp_path: Path) -> None:
    """As diff -u writes it, so that patch(1) takes it; no file is /dev/null."""
    change = Change("/x/rc", b"a\nb", b"a\nc\n")

    assert change.diff() == "--- /x/rc\n+++ /x/rc\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    assert Change("/x/rc", None, b"a\n").diff().startswith("--- /dev/null\n+++ /x/rc\n")
    assert Change("/x/rc", b"a\n", b"a\n").diff() == ""
    assert "-*\n" in change.diff(lambda text: text.replace("b", "*\n"))


def test_a_change_does_not_show_its_content() -> None:
    """Its repr() ends up in tracebacks and logs."""
    assert "SECRET" not in repr(Change("/x/rc", b"SECRET", b"SECRET2"))
