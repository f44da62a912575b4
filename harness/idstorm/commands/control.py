"""`--control`: before anything else, storm a known fault with the same clients, on each target.

A run that found nothing is credible if it has just found something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from idstorm import catalogue
from idstorm.commands.schedule import Turn
from idstorm.databases.targets import Address
from idstorm.storm import known_fault
from idstorm.storm.lifecycle import Order

_LEAST, _EACH = 200, 25  # rows, in total and of each client: by then all of them have met, many times


def controls(orders: Sequence[Order], on: Sequence[Address]) -> list[Turn]:
    """Return the control of each of these targets, with the clients, the pool and the settings of its orders."""
    (found,) = catalogue.find(f"{known_fault.__name__}:control")
    return [_turn(replace(found, name="control"), orders[place], address, place) for place, address in enumerate(on)]


def _turn(found: catalogue.Found, like: Order, address: Address, place: int) -> Turn:
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
    order = replace(like, found=found, address=address, options=options, reader_if_possible=False, notes=())
    return Turn(order, place, f"c{place + 1}-control-{address.database.name}")
