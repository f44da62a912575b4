"""`doctor`: where there is something to storm, and what earlier runs have left there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idstorm.processes import require_posix


def diagnoses() -> Iterator[str]:
    """Yield lines on which databases can be stormed from here, with what, and what is missing."""
    require_posix()
    from idstorm.databases import doctor

    yield from doctor.all_diagnoses()


def clean(target: str, *, drop: bool, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield lines on what runs have left on a target; with `drop`, drop it: all of it, or by name."""
    require_posix()
    from idstorm.databases import doctor

    return doctor.clean(target, drop=drop, names=names)
