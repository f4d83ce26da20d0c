"""The journal: a line for each use of a session, whole whatever happens, private, bounded, and never in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from awsudo_py.html_page import document
from awsudo_py.sessions import journal
from awsudo_py.sessions.journal import Entry
from awsudo_py.shell.history_page import history_page
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import World

_ENTRY = Entry(
    "2026-01-02T03:04:05Z", "dev", "arn:aws:iam::111111111111:role/dev", "profile base", "ann@laptop", "call", "", "aws"
)


def lines(world: World) -> list[dict[str, str]]:
    """The journal's lines; each must be a whole one."""
    path = world.home / ".local/share/awsudo" / journal.NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_run_adds_who_ran_what_as_which_role(world: World, sts: StrictSts) -> None:
    """One line a use: the first from a call, the next from the cache; of the command its first word."""
    world.run("-n", "ticket-7", "dev", "printenv", "HOME")
    world.run("-v", "-n", "ticket-7", "dev", "printenv", "HOME")

    first, second = lines(world)
    assert first.pop("time") <= second.pop("time")
    assert first == {
        "target": "dev",
        "role": "arn:aws:iam::111111111111:role/dev",
        "caller": f"profile base ({sts.calls[0].access_key_id})",
        "session_name": "ticket-7",
        "how": "call",
        "command": "printenv",
    }
    assert second == {**first, "how": "cache"}


@pytest.mark.parametrize(
    ("setting", "hits", "command"),
    [("off", 0, ""), ("hits", 2, "printenv"), ("words", 1, "printenv HOME"), ("Hits,words", 2, "printenv HOME")],
)
def test_what_is_listed_can_be_set(world: World, sts: StrictSts, setting: str, hits: int, command: str) -> None:
    """AWSUDO_JOURNAL switches it off, lists the hit path too, or keeps all words."""
    world.settle()
    for _ in range(2):
        assert world.run("dev", "printenv", "HOME", env={"AWSUDO_JOURNAL": setting}).code == 0

    found = lines(world)

    assert len(found) == hits
    assert [line["command"] for line in found] == [command] * hits


def test_a_replayed_run_adds_nothing_unless_it_is_set(world: World, sts: StrictSts) -> None:
    """A hit has no time for a journal."""
    world.settle()
    for _ in range(3):
        world.run("dev", "true")

    assert len(lines(world)) == 1


def test_no_secret_is_in_it(world: World, sts: StrictSts) -> None:
    """Neither the keys of the source nor those of the session."""
    world.run("dev", "true", env={"AWSUDO_JOURNAL": "hits,words"})

    text = (world.home / ".local/share/awsudo" / journal.NAME).read_text()
    secrets = [*sts.issued[0][1:3], (world.home / ".aws/credentials").read_text().split()[-1]]
    assert [secret for secret in secrets if str(secret) in text] == []


def test_the_file_is_private_from_birth(tmp_path: Path) -> None:
    """Whatever the umask, nobody else reads it; and a file that others can read is left alone."""
    before = os.umask(0)
    try:
        assert journal.append(str(tmp_path / "data"), _ENTRY)
    finally:
        os.umask(before)
    path = tmp_path / "data" / journal.NAME
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    path.chmod(0o644)
    assert not journal.append(str(tmp_path / "data"), _ENTRY) and list(journal.entries(str(tmp_path / "data"))) == []


def test_fifty_writers_tear_no_line(tmp_path: Path) -> None:
    """Fifty processes at once, some killed on the way: every line is whole."""
    code = (
        "import sys; from awsudo_py.sessions.journal import append, Entry\n"
        "for n in range(20): append(sys.argv[1], Entry('t', f'{sys.argv[2]}-{n}' + 'x' * 400, *[''] * 6))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)]) for number in range(50)]
    for process in running[::5]:
        process.send_signal(signal.SIGKILL)
    for process in running:
        process.wait(60)

    text = (tmp_path / journal.NAME).read_bytes()
    found = [json.loads(line)["target"] for line in text.splitlines()]
    assert text.endswith(b"\n") and len(found) == len(set(found))
    assert sum(name.startswith("1-") for name in found) == 20


def test_a_part_of_a_line_ends_before_the_next(tmp_path: Path) -> None:
    """What another program tore costs that line alone."""
    path = tmp_path / journal.NAME
    path.write_bytes(b'{"time": "torn')
    path.chmod(0o600)

    assert journal.append(str(tmp_path), _ENTRY)

    assert list(journal.entries(str(tmp_path))) == [_ENTRY]


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full, it becomes the older half; the half before is dropped, and the newest lines are always there."""
    monkeypatch.setattr(journal, "LARGEST", 2_000)
    for number in range(100):
        assert journal.append(str(tmp_path), _ENTRY._replace(reason=str(number)))

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000
    found = [int(entry.reason) for entry in journal.entries(str(tmp_path))]
    assert found == list(range(found[0], 100)) and len(found) >= 8


@needs("strace")
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_a_full_disk_costs_the_line_not_the_run(world: World, sts: StrictSts, error: str) -> None:
    """A write that fails is left out, without a word, and the command runs."""
    world.run("dev", "true")
    path = world.home / ".local/share/awsudo" / journal.NAME
    before = path.read_bytes()

    fault = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-e", f"inject=write:error={error}")
    done = world.run("-v", "dev", "true", prefix=fault)

    assert done.code == 0 and "journal" not in done.err
    assert path.read_bytes() == before


def test_a_home_that_cannot_be_written_fails_no_run(world: World, sts: StrictSts) -> None:
    """Where the data directory is a file, the run goes on."""
    (world.home / ".local/share/awsudo").write_text("")

    done = world.run("dev", "true")

    assert (done.code, done.err) == (0, "")


def test_history_lists_filters_and_deletes(world: World, sts: StrictSts) -> None:
    """A table, JSON, words, a time, and an end to all of it."""
    world.run("dev", "true")
    world.run("-v", "dev", "printenv", "HOME")

    table = world.run("history")
    assert table.code == 0 and "today" in table.out and "111111111111" in table.out, table.err
    assert [entry["command"] for entry in json.loads(world.run("history", "--json").out)] == ["true", "printenv"]
    assert [entry["command"] for entry in json.loads(world.run("history", "--json", "DEV", "print").out)] == [
        "printenv"
    ]
    assert len(json.loads(world.run("history", "--since", "1h", "--json").out)) == 2

    refused = world.run("history", "--since", "yesterday")
    assert (refused.code, "invalid time 'yesterday'" in refused.err) == (2, True)
    assert world.run("history", "--delete", "--yes").code == 0
    done = world.run("history")
    assert (done.code, done.out) == (0, "") and "the history is empty" in done.err


@needs("chromium-headless-shell")
@pytest.mark.parametrize("count", [0, 30, 20_000])
def test_the_page_works_in_a_real_browser(tmp_path: Path, count: int) -> None:
    """Self-contained, with hostile texts as texts: the rows, the count and the timeline are drawn by its script."""
    entries = [
        _ENTRY._replace(time=f"2026-01-{1 + n % 28:02}T03:{n % 60:02}:05Z", target=f"t{n}", reason="</script><b>x&amp;")
        for n in range(count)
    ]
    page = tmp_path / "history.html"
    page.write_text(history_page(entries), encoding="utf-8")

    shell = ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/data"]
    drawn = subprocess.run(
        [*shell, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=120
    ).stdout

    body = drawn.partition("<tbody")[2].partition("</tbody>")[0]
    assert body.count("<tr>") == min(count, 200)
    assert body.count("&lt;/script&gt;&lt;b&gt;x&amp;amp;") == min(count, 200)
    assert (f"{count:,} of {count:,}" in drawn) is (count > 0)
    assert ("<circle" in drawn) is (count > 0)


def test_a_page_loads_nothing() -> None:
    """Its policy forbids every request, and data cannot leave its place in the script."""
    page = document("t", ["</script><!--"], "<p></p>", "")

    assert "default-src 'none'" in page and "</script><!--" not in page
    assert "http://" not in page and "https://" not in page
