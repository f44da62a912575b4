"""Fixtures of all tests: a folder to be in, and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import Idstorm


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def idstorm(here: Path) -> Idstorm:
    """The command `idstorm`, run in an empty current directory."""
    return Idstorm(here)
