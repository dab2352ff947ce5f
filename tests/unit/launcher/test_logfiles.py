"""Log files: rotation by size, and the last line."""

from pathlib import Path

import pytest

from launcher import logfiles


def test_large_log_is_rotated_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "checks-web.log"
    with log.open("a") as writer:
        writer.write("old\n" * 100)
        writer.flush()
        logfiles.bound(tmp_path, max_bytes=100)
        writer.write("new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "checks-web.log.1").read_text() == "old\n" * 100


def test_small_log_is_not_rotated(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")
    logfiles.bound(tmp_path, max_bytes=100)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


@pytest.mark.parametrize(
    ("text", "offset", "line"),
    [
        ("one\ntwo\n\n", 0, "two"),
        ("old\n", 4, ""),
        ("old\nnew\n", 4, "new"),
        ("rotated\n", 999, "rotated"),
        ("the reason\n[ERROR] Unexpected exit from worker-1\n", 0, "the reason"),
    ],
)
def test_last_line_after_the_offset_is_returned(tmp_path: Path, text: str, offset: int, line: str) -> None:
    log = tmp_path / "a.log"
    log.write_text(text)
    assert logfiles.last_line(log, offset) == line


def test_missing_log_has_no_last_line(tmp_path: Path) -> None:
    assert logfiles.last_line(tmp_path / "none.log") == ""
