"""What `insert` of a scenario returned."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from idstorm.errors import ScenarioError


def validate_ids(ids: object, tokens: Sequence[int]) -> Sequence[Any]:
    """Return what `insert` returned. Raises ScenarioError unless it is a sequence with an id for each token."""
    if isinstance(ids, Coroutine):
        ids.close()
        raise ScenarioError("insert returned a coroutine without being an async function: write it with async def")
    if not isinstance(ids, Sequence) or isinstance(ids, str | bytes):
        raise ScenarioError(f"insert has to return a list with an id for each token; it returned {type(ids).__name__}")
    if len(ids) != len(tokens):
        raise ScenarioError(f"insert was given {len(tokens)} tokens and returned {len(ids)} ids")
    return ids
