"""Which schedules there are, and in which order they are tried: those with fewer preemptions first.

A schedule is the client that goes next, for each step. What is possible is only learned by running one: so each run
begins with the choices of a prefix, goes on with whichever client went last, and shows where another could have gone.
Each of these places is the prefix of another schedule, and every schedule is run once, unless it is drawn again.

A preemption is a switch from a client that could have gone on. Most races need one or two (Musuvathi and Qadeer, 2007),
so the first schedule that breaks a check is the simplest one.

Where there are too many, some are drawn instead: the client with the highest priority goes, and at a few random steps
the one that would have gone gets the lowest (Burckhardt, Kothari, Musuvathi and Nagarakatte, 2010).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

DEPTH = 3
"""How many steps have to come in a certain order for a fault that schedules by random priorities show for sure, if
often enough."""


@dataclass(frozen=True)
class Choice:
    """One point of a schedule: which client went, and which could have."""

    client: int
    able: tuple[int, ...]  #: the clients that stood before a step
    step: str  #: the step that the client took

    def preempts(self, last: int | None) -> bool:
        """Whether this took the turn from the client of the step before, which could have gone on."""
        return self.client != last and last in self.able


def preemptions(choices: Sequence[Choice]) -> int:
    """Return how many choices took the turn from a client that could have gone on."""
    before = (None, *(choice.client for choice in choices))
    return sum(choice.preempts(last) for last, choice in zip(before, choices, strict=False))


@dataclass(frozen=True)
class Priorities:
    """Who goes next in a schedule that was drawn."""

    order: tuple[int, ...]  #: clients, the highest priority first
    drops: tuple[int, ...]  #: the steps, from 0, before which the client that would go gets the lowest priority

    def chosen(self, able: Sequence[int], step: int, order: list[int]) -> int:
        """Return which of the able clients goes. `order` is that of now, at first the one of these, and may change."""
        first = next(client for client in order if client in able)
        if step in self.drops:
            order.remove(first)
            order.append(first)
        return next(client for client in order if client in able)


@dataclass(frozen=True)
class Prefix:
    """The first choices of a schedule: all but the last are known from an earlier run."""

    known: tuple[Choice, ...] = ()
    then: int | None = None  #: the client that goes after those
    priorities: Priorities | None = None  #: of a schedule that was drawn, of which nothing is known

    @property
    def clients(self) -> tuple[int, ...]:
        """The client of each step."""
        return (*(choice.client for choice in self.known), *(() if self.then is None else (self.then,)))

    def diverges(self, choices: Sequence[Choice]) -> str | None:
        """Return where a run did not repeat what is known, in words; None: it did."""
        for place, known in enumerate(self.known):
            now = choices[place] if place < len(choices) else None
            if now != known:
                return f"step {place + 1} was {_words(known)}, and when it was repeated {_words(now)}"
        place = len(self.known)
        if self.then is not None and (place >= len(choices) or choices[place].client != self.then):
            return f"client {self.then} could go at step {place + 1}, and when it was repeated it could not"
        return None


def _words(choice: Choice | None) -> str:
    if choice is None:
        return "the schedule had ended"
    return f"{choice.step!r} of client {choice.client}, where {len(choice.able)} could go"


class Search:
    """The schedules that are still to be tried.

    `roles` has a word for each client: those with the same one do the same work, so which of them goes first makes no
    difference, and only one of these schedules is tried. `most` bounds the preemptions.
    """

    def __init__(self, roles: Sequence[str], most: int | None = None) -> None:
        self._roles, self._most = tuple(roles), most
        self._numbers = count()
        self._waiting: list[tuple[int, int, Prefix]] = [(0, next(self._numbers), Prefix())]
        self.tried: Counter[int] = Counter()  #: schedules, by their preemptions
        self.beyond = 0  #: schedules that were left out because they have more preemptions
        self.drawn = 0  #: schedules by random priorities
        self._longest = 1  # steps of a schedule

    def __len__(self) -> int:
        """The number of prefixes that are known and were not tried yet."""
        return len(self._waiting)

    def next(self) -> Prefix | None:
        """Return the next prefix to run; None: all were."""
        return heapq.heappop(self._waiting)[2] if self._waiting else None

    def draw(self, random: Random) -> Prefix:
        """Return a schedule by random priorities."""
        clients = range(len(self._roles))
        order, drops = random.sample(clients, len(clients)), random.choices(range(self._longest), k=DEPTH - 1)
        self.drawn += 1
        return Prefix(priorities=Priorities(tuple(order), tuple(drops)))

    def alike(self, clients: Sequence[int]) -> tuple[int, ...]:
        """Return a schedule in which, of clients that do the same work, those with lower numbers go first."""
        free = {role: [one for one, other in enumerate(self._roles) if other == role] for role in self._roles}
        names: dict[int, int] = {}
        for client in clients:
            if client not in names:
                names[client] = free[self._roles[client]].pop(0)
        return tuple(names[client] for client in clients)

    @property
    def odds(self) -> int:
        """One in how many drawn schedules shows a fault that takes DEPTH steps in a certain order, or more of them."""
        return len(self._roles) * int(self._longest ** (DEPTH - 1))

    def ran(self, prefix: Prefix, choices: Sequence[Choice]) -> None:
        """Note how the schedule went that began with a prefix."""
        self.tried[preemptions(choices)] += 1
        self._longest = max(self._longest, len(choices))
        if prefix.priorities is not None:
            return
        for place in range(len(prefix.clients), len(choices)):
            before, here = tuple(choices[:place]), choices[place]
            last = before[-1].client if before else None
            for client in here.able:
                if client != here.client and not self._is_like_another(client, before):
                    cost = preemptions(before) + (client != last and last in here.able)
                    if self._most is not None and cost > self._most:
                        self.beyond += 1
                    else:
                        entry = (cost, next(self._numbers), Prefix(before, client))
                        heapq.heappush(self._waiting, entry)

    def _is_like_another(self, client: int, before: Sequence[Choice]) -> bool:
        """Whether a client with a lower number does the same work, and neither has done anything of it."""
        begun = {choice.client for choice in before}
        mates = (one for one in range(client) if self._roles[one] == self._roles[client])
        return client not in begun and any(mate not in begun for mate in mates)
