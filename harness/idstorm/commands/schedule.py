"""The storms of a run, in order: each scenario on each target, once, or repetition after repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from idstorm import catalogue
from idstorm.databases.targets import Address
from idstorm.storm import known_fault
from idstorm.storm.scheduled import ScheduledStorm

_LEAST, _EACH = 200, 25  # rows of a control, in total and of each client: by then all of them have met, many times


def rounds(
    storms: Sequence[ScheduledStorm], repeat: int | None = None, *, endless: bool = False
) -> Iterator[list[ScheduledStorm]]:
    """Yield the storms of each repetition, `repeat` times or endlessly, each with the name of its folder.

    The seeds of the repetitions follow one another, so that each can be stormed alone.
    """
    repeated, width = endless or repeat is not None, max(2, len(str(len(storms) * (repeat or 1))))
    firsts = [_name(storm, place, width) for place, storm in enumerate(storms)]
    for repetition in count() if endless else range(repeat or 1):
        label = f"repetition {repetition + 1}" + ("" if endless else f" of {repeat}")
        yield [
            replace(
                storm,
                options=replace(storm.options, seed=(storm.options.seed or 0) + repetition),
                name=_name(storm, repetition * len(storms) + place, width),
                repeats=first if repeated else None,
                label=label if repeated else "",
            )
            for place, (storm, first) in enumerate(zip(storms, firsts, strict=True))
        ]


def _name(storm: ScheduledStorm, number: int, width: int) -> str:
    slug = f"{storm.found.name.rpartition('.')[2].replace(':', '-')}-{storm.address.database.name}"
    return f"{number + 1:0{width}}-{slug}"


def controls(storms: Sequence[ScheduledStorm]) -> list[ScheduledStorm]:
    """Return the storm of a known fault on each target of these storms, with their clients, pool and settings.

    A run that found nothing is credible if it has just found something.
    """
    (found,) = catalogue.find(f"{known_fault.__name__}:control")
    first: dict[str, ScheduledStorm] = {}
    for storm in storms:
        first.setdefault(storm.address.name, storm)
    return [_control(replace(found, name="control"), like, number) for number, like in enumerate(first.values(), 1)]


def _control(found: catalogue.Found, like: ScheduledStorm, number: int) -> ScheduledStorm:
    options = replace(
        like.options,
        inserts=max(_LEAST, _EACH * like.options.clients),
        time=None,
        batch=None,
        rollback=0.0,
        deletes=0.0,
        think=(0.0, 0.0),
        reader=False,
        headroom=None,
        forecast=None,
        keep=False,
    )
    name = f"c{number}-control-{like.address.database.name}"
    return replace(like, found=found, options=options, reader_if_possible=False, notes=(), name=name)


def addresses_of(storms: Sequence[ScheduledStorm]) -> list[Address]:
    """Return the targets of these storms, each once."""
    return list({storm.address.name: storm.address for storm in storms}.values())


def by_target(storms: Sequence[ScheduledStorm]) -> dict[str, list[ScheduledStorm]]:
    """Return the storms of each target, by its name."""
    lanes: dict[str, list[ScheduledStorm]] = {}
    for storm in storms:
        lanes.setdefault(storm.address.name, []).append(storm)
    return lanes
