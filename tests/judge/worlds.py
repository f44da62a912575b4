"""Storms as Hypothesis makes them up: at first without fault, then with faults planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from histories import (
    INTEGER,
    NOTHING,
    REFUSED,
    STRANGER,
    UUIDS,
    Entry,
    Operation,
    Poll,
    failed,
    storm,
    told_state,
    unused,
)
from idstorm.judge.evidence import Evidence
from idstorm.record.keys import Burned, Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Generator
from idstorm.record.tape import Told

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
CLIENTS = 4

Make = Callable[[int], object]


@dataclass
class World:
    """A storm in the making: its operations in the order in which they were handed ids, and its table."""

    make: Make  #: the id with this number
    generator: Generator | None
    before: list[object] | None
    operations: list[Operation] = field(default_factory=list)
    census: list[Entry] = field(default_factory=list)
    clock: int = 0
    busy: dict[int, int] = field(default_factory=dict)  #: until when each client is
    reusable: list[object] = field(default_factory=list)
    handed_out: int = 0
    early: int = 0  #: ids that were handed out although they lie before the first
    polled_at: list[int] = field(default_factory=list)  #: when a reader polls

    def polls(self) -> list[Poll]:
        """Return what a reader got who asks for rows beyond the furthest id that it has seen."""
        direction = 1 if self.generator is None or self.generator.increment > 0 else -1
        high, polls = -direction * (1 << 62), list[Poll]()
        rows = self.rows
        for at in [*sorted(self.polled_at), self.clock + 1_000]:
            there = [
                (id_, row)
                for id_, row in self.census
                if isinstance(row, int) and isinstance(id_, int) and (rows[row][1].ended or rows[row][1].handed) < at
            ]
            new = sorted((entry for entry in there if (entry[0] - high) * direction > 0), reverse=direction < 0)
            high = new[-1][0] if new else high
            polls.append(Poll(at, tuple(row for _, row in new), high))
        return polls

    @property
    def rows(self) -> list[tuple[object, Operation]]:
        """Each row's id and insert."""
        return [(id_, operation) for operation in self.operations for id_ in operation.ids]

    def evidence(self, *, token: bool = True) -> Evidence:
        """Return what the judge is given."""
        return storm(
            *self.operations,
            census=self.census if token else [(id_, None) for id_, _ in self.census],
            before=self.before,
            clients=CLIENTS,
            codec=UUIDS if isinstance(self.make(1), UUID) else INTEGER,
            token=token,
            generator=self.generator,
            polls=self.polls() if token and self.generator is not None else None,
        )

    def next_id(self, *, reuse: bool) -> object:
        """Return an id that is new, or that a rollback or a delete gave back."""
        if reuse and self.reusable:
            return self.reusable.pop()
        self.handed_out += 1
        return self.make(self.handed_out)

    def run(self, operation: Operation, hold: int) -> None:
        """Append an operation, which keeps its client busy for so long after its ids were handed."""
        begin = max(self.clock, self.busy.get(operation.client, 0)) + 1
        handed = begin + 1
        reached = operation.deletes or any(id_ is not NOTHING for id_ in operation.ids)
        ended = 0 if operation.outcome is UNKNOWN and hold % 5 == 0 else handed + 1 + hold
        self.clock, self.busy[operation.client] = handed, handed + 1 + hold
        self.operations.append(replace(operation, begin=begin, handed=handed if reached else 0, ended=ended))

    def insert(self, client: int, outcome: Outcome, rows: int, luck: int, hold: int) -> None:
        """Insert as a database without fault would."""
        first = len(self.rows)
        ids = [self.next_id(reuse=bool(luck & 1)) for _ in range(rows)]
        if outcome is not OK and luck & 6 == 0:
            ids = [NOTHING] * rows
        if outcome is OK and luck & 30 == 0:
            known = [id_ for id_, _ in self.census if id_ is not None]
            ids[-1] = (None, Existing(known[-1]) if known else None, Burned(ids[-1]))[hold % 3]
        self.run(Operation(outcome, tuple(ids), client=client), hold)
        numbered = [(id_, first + place) for place, id_ in enumerate(ids) if told_state(id_) is Told.ID]
        if outcome is OK or (outcome is UNKNOWN and luck & 8):
            self.census += numbered
        else:
            self.reusable += [id_ for id_, _ in numbered]

    def delete(self, client: int, outcome: Outcome, luck: int, hold: int) -> None:
        """Delete one or two rows that this client was acknowledged, if there are any."""
        tried = {row for operation in self.operations if operation.outcome is not FAILED for row in operation.deletes}
        mine = [
            row
            for row, (id_, insert) in enumerate(self.rows)
            if insert.client == client and insert.outcome is OK and told_state(id_) is Told.ID and row not in tried
        ][: 1 + luck % 2]
        if not mine:
            return
        self.run(Operation(outcome, deletes=tuple(mine), client=client), hold)
        if outcome is OK or (outcome is UNKNOWN and luck & 8):
            self.reusable += [id_ for id_, row in self.census if row in mine]
            self.census = [entry for entry in self.census if entry[1] not in mine]


def begun(generator: Generator, numbers: bool) -> World:
    """Return a world in which nothing has happened yet."""

    def number(place: int) -> object:
        return generator.start + (place - 1) * generator.increment

    return World(number, generator, None) if numbers else World(lambda place: UUID(int=place << 61), None, None)


GENERATORS = [Generator(1, 1), Generator(500, 3), Generator(-20, -2), Generator(7, 40)]


def large_world(size: int, random: Random) -> World:
    """Return a storm of this many operations in which nothing unlawful happened."""
    world = begun(random.choice(GENERATORS[:3]), True)
    for _ in range(size):
        client, luck, hold = random.randrange(CLIENTS), random.randrange(64), random.randrange(13)
        outcome = random.choice([OK, OK, OK, FAILED, UNKNOWN])
        if random.random() < 0.8:
            world.insert(client, outcome, random.choice([1, 1, 3]), luck, hold)
        else:
            world.delete(client, outcome, luck, hold)
    world.polled_at = [random.randrange(1 + world.clock) for _ in range(size // 10)]
    return world


@st.composite
def clean_worlds(draw: DrawFn, *, integers: bool | None = None) -> World:
    """Return a storm in which nothing unlawful happened."""
    generator = draw(st.sampled_from(GENERATORS))
    world = begun(generator, draw(st.booleans()) if integers is None else integers)
    there_before = draw(st.integers(0, 3))
    if there_before:
        world.before = [world.next_id(reuse=False) for _ in range(there_before)]
        world.census = [(id_, None) for id_ in world.before[draw(st.integers(0, 1)) :]]
    step = st.tuples(
        st.integers(0, CLIENTS - 1),
        st.sampled_from([OK, OK, OK, FAILED, UNKNOWN]),
        st.integers(0, 3),
        st.integers(0, 63),
        st.integers(0, 12),
    )
    world.polled_at = draw(st.lists(st.integers(1, 400), max_size=15))
    one_by_one = draw(st.booleans())
    for client, outcome, rows, luck, hold in draw(st.lists(step, min_size=4, max_size=30)):
        if rows:
            world.insert(client, outcome, 1 if one_by_one else rows, luck, hold)
        else:
            world.delete(client, outcome, luck, hold)
    return world


def standing(world: World) -> list[int]:
    """Return the rows that are there, were acknowledged, and that nobody tried to delete."""
    aimed = {row for operation in world.operations for row in operation.deletes}
    there = [row for _, row in world.census if isinstance(row, int)]
    return [
        row
        for row, (id_, insert) in enumerate(world.rows)
        if insert.outcome is OK and told_state(id_) is Told.ID and row not in aimed and there.count(row) == 1
    ]


def tell(world: World, row: int, id_: object) -> None:
    """Change the id that a row was told."""
    for place, operation in enumerate(world.operations):
        if row < len(operation.ids):
            ids = (*operation.ids[:row], id_, *operation.ids[row + 1 :])
            world.operations[place] = replace(operation, ids=ids)
            return
        row -= len(operation.ids)


def store(world: World, row: int, id_: object) -> None:
    """Change the id that a row has in the table."""
    world.census = [(id_ if known == row else stored, known) for stored, known in world.census]


def duplicate(world: World, pick: int) -> bool:
    """Two rows have the same id."""
    rows = standing(world)
    if len(rows) < 2:
        return False
    one, other = rows[pick % len(rows)], rows[(pick + 1) % len(rows)]
    tell(world, other, world.rows[one][0])
    store(world, other, world.rows[one][0])
    return True


def reissue(world: World, pick: int) -> bool:
    """The id of a row that was acknowledged and deleted is acknowledged again, lawfully but for `single_use`."""
    gone = [row for each in world.operations if each.deletes and each.outcome is OK for row in each.deletes]
    if not gone:
        return False
    id_, row = world.rows[gone[pick % len(gone)]][0], len(world.rows)
    acknowledged = [told for told, insert in world.rows if insert.outcome is OK]
    if acknowledged.count(id_) > 1 or any(stored == id_ for stored, _ in world.census):
        return False
    world.run(Operation(OK, (id_,), client=pick % CLIENTS), pick % 7)
    world.census.append((id_, row))
    return True


def take(world: World, pick: int) -> bool:
    """A row has the id of a foreign row that was there before."""
    rows = standing(world)
    if not rows or world.before is None:
        return False
    row = rows[pick % len(rows)]
    tell(world, row, world.before[0])
    store(world, row, world.before[0])
    return True


def estrange(world: World, pick: int) -> bool:
    """A client is told of an existing row, and no row has its id."""
    world.run(Operation(OK, (Existing(world.next_id(reuse=False)),), client=pick % CLIENTS), pick % 7)
    return True


def collide(world: World, pick: int) -> bool:
    """The id's own constraint refuses a row."""
    world.run(failed(NOTHING, client=pick % CLIENTS, error=REFUSED), pick % 7)
    return True


def lose(world: World, pick: int) -> bool:
    """An acknowledged row is gone."""
    rows = standing(world)
    if rows:
        world.census = [entry for entry in world.census if entry[1] != rows[pick % len(rows)]]
    return bool(rows)


def double(world: World, pick: int) -> bool:
    """A row is there twice, under its own id or another."""
    rows = standing(world)
    if rows:
        row = rows[pick % len(rows)]
        world.census.append((world.rows[row][0] if pick % 2 else world.next_id(reuse=False), row))
    return bool(rows)


def revive(world: World, pick: int) -> bool:
    """A row that failed is there."""
    rows = [row for row, (_, insert) in enumerate(world.rows) if insert.outcome is FAILED]
    if rows:
        world.census.append((world.next_id(reuse=False), rows[pick % len(rows)]))
    return bool(rows)


def undelete(world: World, pick: int) -> bool:
    """A row that was deleted is there."""
    gone = [row for each in world.operations if each.outcome is OK for row in each.deletes]
    if gone:
        row = gone[pick % len(gone)]
        world.census.append((world.rows[row][0], row))
    return bool(gone)


def misattribute(world: World, pick: int) -> bool:
    """A row has an id that its client was not told, or none."""
    rows = standing(world)
    if rows:
        store(world, rows[pick % len(rows)], world.next_id(reuse=False) if pick % 3 else None)
    return bool(rows)


def appear(world: World, pick: int) -> bool:
    """There is a row with a token that nobody had used."""
    world.census.append((world.next_id(reuse=False), unused(pick % CLIENTS)))
    return True


def intrude(world: World, pick: int) -> bool:
    """There is a row of somebody else's, lawfully."""
    world.census.append((world.next_id(reuse=False) if pick % 3 else None, STRANGER if pick % 2 else None))
    return True


def skip(world: World, pick: int) -> bool:
    """The generator skips values, and nothing says why."""
    if not any(isinstance(id_, int) and isinstance(row, int) for id_, row in world.census):
        return False
    row = len(world.rows)
    for _ in range(2 + pick % 20):
        id_ = world.next_id(reuse=False)
    world.run(Operation(OK, (id_,), client=pick % CLIENTS), pick % 7)
    world.census.append((id_, row))
    return True


def overtake(world: World, pick: int) -> bool:
    """An insert that begins when others have been acknowledged gets an id before all of theirs."""
    generator, rows = world.generator, [world.rows[row][0] for row in standing(world)]
    if generator is None or not rows:
        return False
    row, client = len(world.rows), pick % CLIENTS
    world.clock = max(world.clock, *world.busy.values())
    world.run(Operation(OK, (generator.start - (1 + world.early) * generator.increment,), client=client), pick % 7)
    world.early += 1
    world.census.append((world.rows[row][0], row))
    return True


def pass_by(world: World, pick: int) -> bool:
    """A reader has seen later ids before such a row is there."""
    if not any(isinstance(row, int) for _, row in world.census):
        return False
    world.polled_at.append(max(world.clock, *world.busy.values()) + 1)
    world.clock += 2
    return overtake(world, pick)


Fault = Callable[[World, int], bool]

FAULTS: dict[Fault, tuple[str, str]] = {
    duplicate: ("unique", "duplicated"),
    take: ("unique", "duplicated"),
    reissue: ("single_use", "reissued"),
    collide: ("accepted", "collisions"),
    lose: ("durable", "lost"),
    double: ("durable", "doubled"),
    revive: ("durable", "revived"),
    undelete: ("durable", "undeleted"),
    appear: ("durable", "unexpected"),
    misattribute: ("faithful", "misattributed"),
    estrange: ("faithful", "of_existing"),
    skip: ("gapless", "missing"),
    overtake: ("ordered", "inversions"),
    pass_by: ("visible", "skipped"),
}
"""What can be planted, with the check and the figure that it must show in."""

OF_NUMBERS = (skip, overtake, pass_by)
"""Those that mean something only where ids are numbers."""
