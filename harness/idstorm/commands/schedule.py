"""The storms of a run, in order: each scenario on each target, once, or repetition after repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from idstorm.storm.lifecycle import Order
from idstorm.storm.progress import Progress, Watch


@dataclass(frozen=True)
class Turn:
    """One storm of a run."""

    order: Order
    place: int  #: of what is asked of it among all that is asked for, from 0
    name: str  #: of its folder
    first: str | None = None  #: the name of its first repetition; None: nothing is repeated
    label: str = ""  #: which repetition it is, in words

    @property
    def entry(self) -> dict[str, str]:
        """What a run's folder says of it."""
        entry = {"name": self.name, "scenario": self.order.found.name, "target": self.order.address.name}
        return entry if self.first is None else {**entry, "repeats": self.first}

    def told(self, watch: Watch) -> Watch:
        """Return a function that shows the progress of this storm with its repetition."""

        def show(progress: Progress) -> None:
            watch(replace(progress, scenario=f"{progress.scenario}, {self.label}" if self.label else progress.scenario))

        return show


def turns_of(orders: Sequence[Order]) -> list[Turn]:
    """Return the storms of a run in which nothing is repeated."""
    return next(rounds(orders))


def rounds(orders: Sequence[Order], repeat: int | None = None, *, endless: bool = False) -> Iterator[list[Turn]]:
    """Yield the storms of each repetition, `repeat` times or endlessly.

    The seeds of the repetitions follow one another, so that each can be stormed alone.
    """
    repeated, width = endless or repeat is not None, max(2, len(str(len(orders) * (repeat or 1))))
    firsts = [_name(order, place, width) for place, order in enumerate(orders)]
    for repetition in count() if endless else range(repeat or 1):
        label = f"repetition {repetition + 1}" + ("" if endless else f" of {repeat}")
        yield [
            Turn(
                order=replace(order, options=replace(order.options, seed=(order.options.seed or 0) + repetition)),
                place=place,
                name=_name(order, repetition * len(orders) + place, width),
                first=first if repeated else None,
                label=label if repeated else "",
            )
            for place, (order, first) in enumerate(zip(orders, firsts, strict=True))
        ]


def _name(order: Order, number: int, width: int) -> str:
    slug = f"{order.found.name.rpartition('.')[2].replace(':', '-')}-{order.address.database.name}"
    return f"{number + 1:0{width}}-{slug}"
