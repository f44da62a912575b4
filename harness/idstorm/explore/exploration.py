"""The search through all schedules, and what they come to."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

from idstorm.errors import UsageError
from idstorm.explore.bounds import Bounds
from idstorm.explore.player import Player
from idstorm.explore.runtime import Stuck
from idstorm.explore.schedules import DEPTH, Choice, Prefix, Search, preemptions
from idstorm.findings.results import Status
from idstorm.findings.schedules import NAMES, named
from idstorm.record.explored import Broken, Explored, Seen
from idstorm.record.plan import Plan
from idstorm.record.store import writing
from idstorm.storm.stop import StopSignal

Show = Callable[[str, int, int], None]
"""Shows progress: the exploration, and how many schedules were tried, and are known and still to be tried."""

_FEWEST = 20  # schedules to try in order, before any is drawn
_ALL_STEPS = 500  # more than any client takes


@dataclass
class Exploration:
    """The search, and what was seen so far."""

    plan: Plan
    bounds: Bounds
    folder: Path
    seconds: float = 0.0  #: that searches took
    rows: list[int] = field(default_factory=list)  #: how many were there, besides those of `setup`, in each search
    tried: Counter[int] = field(default_factory=Counter)  #: schedules of searches that are over, by their preemptions
    beyond: bool = False  #: schedules were left out because they have more preemptions
    bounded: bool = False  #: a bound was reached
    schedules: list[str] = field(default_factory=list)
    limits: dict[str, None] = field(default_factory=dict)  #: in the order in which they were met
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)
    seen: int = 0  #: schedules that were judged
    stepped: set[int] = field(default_factory=set)  #: the clients of which a statement was seen
    acknowledged: set[int] = field(default_factory=set)  #: those of which something was acknowledged
    raced: Counter[str] = field(default_factory=Counter)  #: in how many of them the database ended an operation by this
    played: tuple[str, ...] = ()  #: the only schedule that was played, in words
    replayed: int | None = None  #: the preemptions of the only schedule that was played
    _player: Player | None = None
    _rows: int = 0
    _known: set[tuple[int, ...]] = field(default_factory=set)  #: schedules of this search, clients alike by one name
    repeated: int = 0  #: drawn schedules that were known

    def over(self, player: Player, rows: int, show: Show, stop: StopSignal) -> None:
        """Play schedules until there are no more, or a bound is reached, on tables in which so many rows are."""
        self._rows = rows
        self._player, began, before_it = player, monotonic(), self.seconds
        self._known.clear()
        search, before, begun = Search(self._roles(), self.bounds.preemptions), None, count()
        if self.bounds.replay is not None:
            self._replay(self.bounds.replay)
            search = Search([])
            search.next()
        random = Random(self.plan.fleet.seed)
        while (prefix := self._next(search, random, stop)) is not None:
            self.seconds = before_it + monotonic() - began
            folder = self.folder / f"schedule-{next(begun) % 2}"  # the one before may still be judged
            self.player.play(prefix.clients, folder, self._wanted, prefix.priorities)
            self._see(before)
            before = self._ran(search, prefix, folder)
            tried = self.tried.total() + search.tried.total()
            show(f"{self.plan.scenario} on {self.plan.target.name}", tried, len(search))
        self._see(before, last=True)
        self.seconds = before_it + monotonic() - began
        self.tried += search.tried
        self.beyond = self.beyond or search.beyond > 0

    def explored(self) -> Explored:
        """Return what it came to."""
        self._note_who_did_nothing()
        names = dict.fromkeys([*self.plan.claims])
        tried = dict(self.tried) if self.replayed is None else {self.replayed: 1}
        return Explored(
            operations=self.bounds.operations or 1,
            rows=tuple(self.rows) or (0,),
            by_preemptions={str(number): times for number, times in sorted(tried.items())},
            schedules=tuple(self.schedules),
            asked=self.played or (self.bounds.asked if self.beyond else ()),
            limits=tuple(self.limits),
            raced=dict(self.raced),
            seconds=round(self.seconds, 3),
            checks={
                name: Seen(dict(self.statuses.get(name, {})), self.reasons.get(name), self.broken.get(name))
                for name in names
            },
        )

    @property
    def player(self) -> Player:
        """What plays the schedules of the search that is under way."""
        assert self._player is not None
        return self._player

    def _next(self, search: Search, random: Random, stop: StopSignal) -> Prefix | None:
        """Return the next schedule to try; None: there is none, or a bound is reached."""
        if len(search) and (bound := self._bound(search, stop)):
            self.limits[bound], self.bounded = None, True
            return None
        return search.draw(random) if self._too_many(search) else search.next()

    def _roles(self) -> list[str]:
        """Return the roles of the clients: those that do the same, each as the first of all, have the same role.

        A client's tokens are its own, and work may choose by them: a tenant, a name.
        """
        clients = self.plan.fleet.clients
        alone = list[str]()
        for client in range(clients if self.bounds.replay is None else 0):
            folder = self.folder / "schedule-0"
            self.player.play([client] * _ALL_STEPS, folder, [])
            try:
                _, sent = self.player.choices()
            except Stuck:
                shutil.rmtree(folder, ignore_errors=True)
                return [f"client {number}" for number in range(clients)] + ["reader"] * self.plan.reader
            self.player.judged(last=True)
            shutil.rmtree(folder, ignore_errors=True)
            alone.append(sent[client])
        return alone + ["reader"] * self.plan.reader

    def _ran(self, search: Search, prefix: Prefix, folder: Path) -> tuple[list[Choice], Path] | None:
        """Take up the choices of a schedule. Returns them, with its folder, unless it did not go as it had to."""
        try:
            choices, _ = self.player.choices()
        except Stuck as error:
            self.limits[f"a schedule did not come to its end: {error}"] = None
            shutil.rmtree(folder, ignore_errors=True)
            return None
        if where := prefix.diverges(choices):
            self.limits[f"the work is not the same each time: {where}"] = None
            self.player.judged(last=True)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        played = search.alike([choice.client for choice in choices])
        if prefix.priorities is not None and played in self._known:
            self.repeated += 1
            self.player.judged(last=True)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        self._known.add(played)
        search.ran(prefix, choices)
        self._note_rows()
        self.schedules.append(named(*(choice.client for choice in choices)))
        return choices, folder

    def _note_rows(self) -> None:
        if self._rows not in self.rows:
            self.rows.append(self._rows)

    @property
    def _wanted(self) -> list[str]:
        """The checks of which no schedule is known yet that breaks them."""
        return [name for name in self.plan.claims if name not in self.broken]

    def _note_who_did_nothing(self) -> None:
        """Note clients of which nothing was seen: what they did may have gone another way."""
        for client in range(self.plan.fleet.clients) if self.seen else ():
            who = NAMES[client]
            if client not in self.stepped:
                self.limits[
                    f"no statement of {who} was seen: it may have sent them by a driver, or in a thread of its own"
                ] = None
            elif client not in self.acknowledged:
                self.limits[f"nothing that {who} did was acknowledged in any schedule"] = None

    def _replay(self, clients: tuple[int, ...]) -> None:
        """Play one schedule. Raises UsageError where its steps cannot be taken in this order any more."""
        folder = self.folder / "schedule-0"
        self.player.play(clients, folder, self._wanted)
        choices, _ = self.player.choices()
        taken = [choice.client for choice in choices]
        self.schedules.append(named(*taken))
        self._note_rows()
        self._see((choices, folder), last=True)
        if tuple(taken[: len(clients)]) != clients:
            place = next(place for place, client in enumerate(clients) if taken[place : place + 1] != [client])
            step = f"step {place + 1} is one that {named(clients[place])} cannot take"
            raise UsageError(f"the schedule {named(*clients)} does not fit any more: {step}")
        self.replayed = preemptions(choices)
        self.played = (f"the schedule {named(*taken)}",)

    def _bound(self, search: Search, stop: StopSignal) -> str | None:
        """Return why no further schedule is tried."""
        tried, more = self.tried.total() + search.tried.total(), f"at least {len(search)} more were known"
        if search.drawn:
            more += (
                f"; {search.drawn:,} had random priorities, each of which shows a fault that takes {DEPTH} steps in a "
                f"certain order with a probability of at least 1 in {search.odds:,}"
            )
        if stop.asked():
            return f"the user ended it after {tried:,} schedules; {more}"
        if tried + self.repeated >= self._most:
            return f"it ended after {tried:,} schedules (--max-schedules); {more}"
        if self.seconds > self._seconds:
            return f"it ended after {self._seconds:g} s (--max-time), with {tried:,} schedules tried; {more}"
        return None

    def _too_many(self, search: Search) -> bool:
        """Whether half of what there is was spent, and more schedules are left than the other half can try."""
        tried = self.tried.total() + search.tried.total()
        half = tried >= max(self._most / 2, _FEWEST) or self.seconds > self._seconds / 2
        return search.drawn > 0 or (self.bounds.preemptions is None and half and len(search) > tried)

    @property
    def _most(self) -> int:
        return self.bounds.schedules or Bounds.DEFAULT_SCHEDULES

    @property
    def _seconds(self) -> float:
        return self.bounds.seconds or Bounds.DEFAULT_SECONDS

    def _see(self, ran: tuple[list[Choice], Path] | None, *, last: bool = False) -> None:
        """Take up what came of a schedule. `last`: none was begun after it."""
        if ran is None:
            return
        (choices, folder), played = ran, self.player.judged(last=last)
        if played.doubt is not None:
            self.limits[played.doubt] = None
        self.seen += 1
        self.raced.update(played.raced)
        self.acknowledged.update(played.ok)
        self.stepped.update(choice.client for choice in choices if choice.step not in ("COMMIT", "ROLLBACK"))
        for name, finding in played.findings.items():
            self.statuses.setdefault(name, Counter())[str(finding.status)] += 1
            if finding.reason and finding.status in (Status.UNKNOWN, Status.NA):
                self.reasons.setdefault(name, finding.reason)
            if finding.status is Status.BROKEN and name not in self.broken:
                self._keep(folder, name)
                self.broken[name] = Broken(
                    folder=name,
                    number=self.seen,
                    preemptions=preemptions(choices),
                    rows=self._rows,
                    clients=tuple(choice.client for choice in choices),
                    moves=played.moves,
                    told=played.told,
                )
        shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, schedule: Path, name: str) -> None:
        """Keep the tapes of a schedule as those of a storm. Raises EnvironmentFault."""
        with writing(self.folder / name):
            shutil.copytree(schedule, self.folder / name)
            shutil.copy(self.folder / "plan.json", self.folder / name / "plan.json")
