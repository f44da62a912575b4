"""`list` and `show`: what there is to storm."""

from __future__ import annotations

from collections.abc import Iterator

from idstorm import catalogue
from idstorm.catalogue import Found, Missing


def scenarios() -> Iterator[tuple[str, str]]:
    """Yield name and summary of each scenario of the catalogue."""
    for found in catalogue.all_scenarios():
        summary = found.essay.partition("\n")[0]
        yield found.name, f"{summary} ({found.reason})" if isinstance(found, Missing) else summary


def show(reference: str) -> list[Found]:
    """Return the scenarios that a reference means. Raises UsageError."""
    catalogue.current_directory_first()
    return catalogue.find(reference)
