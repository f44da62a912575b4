"""Which schedules are tried, and in which order, with clients whose steps are known: no database, no threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idstorm.explore.schedules import Choice, Prefix, Search, preemptions

Program = Sequence[str]  # the steps of a client: "lock" and "free" are those of one lock, any other always goes on


def play(programs: Sequence[Program], first: Sequence[int]) -> list[Choice]:
    """Play a schedule as the conductor does. A client that finds the lock taken waits until it is free."""
    at, holder, choices = [0] * len(programs), None, list[Choice]()
    while True:
        able = tuple(
            client
            for client, program in enumerate(programs)
            if at[client] < len(program) and (program[at[client]] != "lock" or holder in (None, client))
        )
        if not able:
            return choices
        place, last = len(choices), choices[-1].client if choices else None
        wanted = first[place] if place < len(first) else last
        client = wanted if wanted in able else able[0]
        assert client is not None
        step = programs[client][at[client]]
        holder = client if step == "lock" else None if step == "free" else holder
        choices.append(Choice(client, able, step))
        at[client] += 1


def explored(
    programs: Sequence[Program], roles: Sequence[str] | None = None, most: int | None = None
) -> list[tuple[Choice, ...]]:
    search, found = Search(roles or [f"role {number}" for number in range(len(programs))], most), []
    while (prefix := search.next()) is not None:
        choices = play(programs, prefix.clients)
        assert prefix.diverges(choices) is None
        search.ran(prefix, choices)
        found.append(tuple(choices))
    assert sum(search.tried.values()) == len(found)
    return found


@given(st.integers(1, 4), st.integers(1, 4))
def test_of_two_clients_every_interleaving_is_tried_once(one: int, other: int) -> None:
    found = [tuple(choice.client for choice in schedule) for schedule in explored(["a" * one, "b" * other])]
    assert len(found) == len(set(found)) == comb(one + other, one)


@given(st.lists(st.integers(1, 2), min_size=3, max_size=3))
def test_of_three_clients_too(steps: list[int]) -> None:
    found = {tuple(choice.client for choice in schedule) for schedule in explored(["x" * number for number in steps])}
    assert found == set(permutations([client for client, number in enumerate(steps) for _ in range(number)]))


@given(st.integers(1, 4))
def test_of_clients_that_do_the_same_only_one_may_go_first(steps: int) -> None:
    alike = explored(["x" * steps] * 2, ["client", "client"])
    assert len(alike) == comb(2 * steps, steps) / 2
    assert {schedule[0].client for schedule in alike} == {0}


def test_those_with_fewer_preemptions_come_first() -> None:
    costs = [preemptions(schedule) for schedule in explored(["aaa", "bbb"])]
    assert costs == sorted(costs)
    assert costs[0] == 0


def test_a_switch_from_a_client_that_waits_or_has_ended_costs_nothing() -> None:
    first, *_ = explored([["lock", "x", "free"], ["lock", "x", "free"]])
    assert [choice.client for choice in first] == [0, 0, 0, 1, 1, 1]
    assert preemptions(first) == 0


@pytest.mark.parametrize(("most", "schedules"), [(0, 2), (1, 6), (2, 14), (None, 20)])
def test_a_bound_leaves_out_those_with_more(most: int | None, schedules: int) -> None:
    found = explored(["aaa", "bbb"], most=most)
    assert len(found) == schedules
    assert most is None or max(map(preemptions, found)) <= most


@given(st.integers(0, 3))
def test_within_a_bound_none_is_missing(most: int) -> None:
    within = {schedule for schedule in explored(["aaa", "bbb"]) if preemptions(schedule) <= most}
    assert set(explored(["aaa", "bbb"], most=most)) == within


def test_a_lock_leaves_few_orders() -> None:
    assert len(explored([["lock", "read", "write", "free"]] * 2, ["client", "client"])) < comb(8, 4) / 2


def test_a_run_that_does_not_repeat_what_is_known_is_named_by_its_step() -> None:
    known = (Choice(0, (0, 1), "SELECT 1"), Choice(0, (0, 1), "SELECT 2"))
    assert Prefix(known, 1).diverges([*known, Choice(1, (0, 1), "SELECT 1")]) is None
    other = Prefix(known, 1).diverges([known[0], Choice(0, (0, 1), "SELECT 3")])
    assert other is not None
    assert other == (
        "step 2 was 'SELECT 2' of client 0, where 2 could go, and when it was repeated "
        "'SELECT 3' of client 0, where 2 could go"
    )
    ended = Prefix(known, 1).diverges(known[:1])
    assert ended is not None
    assert ended.endswith("and when it was repeated the schedule had ended")
    fewer = Prefix(known, 1).diverges([known[0], Choice(0, (0,), "SELECT 2")])
    assert fewer is not None
    assert fewer.endswith("'SELECT 2' of client 0, where 1 could go")
    gone = Prefix(known, 1).diverges([*known, Choice(0, (0,), "SELECT 1")])
    assert gone == "client 1 could go at step 3, and when it was repeated it could not"


def drawn(programs: Sequence[Program], seed: int) -> tuple[int, ...]:
    """Return the clients of a schedule by random priorities, of programs whose steps always go on."""
    search = Search([f"role {number}" for number in range(len(programs))])
    search.ran(Prefix(), [Choice(0, (0,), "x")] * sum(map(len, programs)))
    prefix = search.draw(Random(seed))
    assert prefix.priorities is not None
    at, order, clients = [0] * len(programs), list(prefix.priorities.order), list[int]()
    while able := [client for client, program in enumerate(programs) if at[client] < len(program)]:
        client = prefix.priorities.chosen(able, len(clients), order)
        at[client] += 1
        clients.append(client)
    return tuple(clients)


def test_drawn_schedules_show_what_takes_three_steps_in_a_certain_order_as_often_as_is_said() -> None:
    programs = ["x" * 6] * 2
    search = Search(["one", "other"])
    search.ran(Prefix(), [Choice(0, (0,), "x")] * 12)
    shown = sum(clients[2:5] == (0, 1, 0) for clients in (drawn(programs, seed) for seed in range(4_000)))
    assert search.odds == 2 * 12**2
    assert shown >= 4_000 / search.odds


@given(st.integers(0, 1_000), st.integers(1, 4))
def test_a_drawn_schedule_takes_all_steps(seed: int, clients: int) -> None:
    assert sorted(drawn(["xxx"] * clients, seed)) == sorted([*range(clients)] * 3)


def test_drawn_schedules_are_counted_and_lead_to_no_others() -> None:
    search = Search(["one", "other"])
    search.ran(search.draw(Random(1)), [Choice(0, (0, 1), "x"), Choice(1, (1,), "x")])
    assert (search.tried, search.drawn, len(search)) == ({0: 1}, 1, 1)
