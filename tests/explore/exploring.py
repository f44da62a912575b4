"""Exploring one scenario as a user does, and reading what the report says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from running import Idstorm, Ran
from servers import On

PATTERNS = str(Path(__file__).with_name("patterns.py"))


def explored(idstorm: Idstorm, on: On, *words: str) -> tuple[Ran, dict[str, Any]]:
    """Explore one scenario. Returns how it ended, and its report."""
    ran = idstorm("explore", *words, "--on", on.dialect, "--json", "report.json", **on.environ)
    report = json.loads((idstorm.folder / "report.json").read_text()) if ran.code != 2 else {}
    return ran, report["storms"][0] if report else {}


def explored_on(idstorm: Idstorm, url: str, *words: str) -> tuple[Ran, dict[str, Any]]:
    """Explore one scenario on a URL."""
    ran = idstorm("explore", *words, "--on", url, "--json", "report.json")
    (storm,) = json.loads((idstorm.folder / "report.json").read_text())["storms"]
    return ran, storm


def broken(storm: dict[str, Any], check: str) -> dict[str, Any]:
    (found,) = (one for one in storm["explored"]["broken"] if one["check"] == check)
    assert isinstance(found, dict)
    return found
