"""What the clients of a schedule are called, and which checks schedules can settle."""

from __future__ import annotations

SETTLED = ("unique", "single_use", "accepted", "durable", "faithful", "ordered", "visible")
"""The other checks are about evidence, or about generators, which interleavings do not change."""

NAMES = "ABCDEFGH"
"""The names of clients, by their numbers. A reader comes after them, and has the next one."""


def named(*clients: int) -> str:
    """Return the steps of a schedule, a letter each."""
    return "".join(NAMES[client] for client in clients)


def clients_of(steps: str) -> tuple[int, ...]:
    """Return the client of each step. Raises ValueError for what is not a schedule."""
    letters = steps.upper().replace(" ", "")
    if not letters:
        raise ValueError("it has no step")
    return tuple(NAMES.index(letter) for letter in letters)
