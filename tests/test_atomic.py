"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from idstorm.atomic import try_to_write, write_text, written_whole


def test_a_file_that_is_replaced_is_the_old_one_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_text(path, "old")
    with written_whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as file:
        file.write(b"half of it %d" % (1 // 0))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "server.url"
    with written_whole(path, mode=0o600):
        (partial,) = tmp_path.iterdir()
        assert partial.stat().st_mode & 0o077 == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_to_try_leaves_nothing_behind(tmp_path: Path) -> None:
    try_to_write(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        try_to_write(tmp_path / "missing" / "report.json")
