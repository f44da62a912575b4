"""Where a test keeps the results of its storms."""

from __future__ import annotations

import pytest

from idstorm.commands.outcome import StormResult as StormResult

RESULTS = pytest.StashKey[list[StormResult]]()
"""The results of a test's storms, for the report of the test."""
