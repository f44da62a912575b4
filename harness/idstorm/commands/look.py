"""`list`, `show` and `doctor`: what there is to storm, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.processes import require_posix


def scenarios() -> Iterator[tuple[str, str]]:
    """Yield name and summary of each scenario of the catalogue."""
    for found in catalogue.all_scenarios():
        summary = found.essay.partition("\n")[0]
        yield found.name, f"{summary} ({found.reason})" if isinstance(found, Missing) else summary


def show(reference: str) -> list[Found]:
    """Return the scenarios that a reference means. Raises UsageError."""
    catalogue.current_directory_first()
    return catalogue.find(reference)


def doctor() -> Iterator[str]:
    """Yield lines on which databases can be stormed from here, with what, and what is missing."""
    require_posix()
    from idstorm.databases import doctor as databases

    yield from databases.all_diagnoses()


def clean(target: str, *, drop: bool, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield lines on what runs have left on a target; with `drop`, drop it: all of it, or by name."""
    require_posix()
    from idstorm.databases import doctor as databases

    return databases.clean(target, drop=drop, names=names)
