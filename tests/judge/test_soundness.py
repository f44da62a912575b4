"""The judge against a naive one, on storms that are made up: what is planted is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from histories import spelled_out
from idstorm.findings.checks import CHECKS
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge import groups
from idstorm.judge.evidence import Evidence
from judge import naive
from judge.worlds import FAULTS, OF_NUMBERS, Fault, World, clean_worlds, intrude, large_world

thorough = settings(max_examples=150, deadline=None)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])

picks = st.integers(0, 999)


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Iterator[None]:
    """Cut columns into pieces that are shorter than the storms made up here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "_PIECE", 7)
        yield


def found(evidence: Evidence) -> dict[str, Finding]:
    """Return what each check finds."""
    return {name: check(evidence) for name, check in CHECKS.items()}


def expected(world: World) -> dict[str, dict[str, Any]]:
    """Return the figures of the naive judge."""
    return naive.judge(spelled_out(world.operations), world.census, world.before, world.generator, world.polls())


def agree(world: World) -> dict[str, Finding]:
    """Assert that both judges say the same, and return what they say."""
    findings, figures = found(world.evidence()), expected(world)
    assert {name: dict(findings[name].figures) for name in figures} == figures
    for name, faults in naive.FAULTS.items():
        broken = any(figures.get(name, {}).get(fault) for fault in faults)
        otherwise = (
            Status.UNKNOWN if name == "single_use" and naive.untried(world.operations, world.census) else Status.HELD
        )
        if findings[name].status is not Status.NA:
            assert findings[name].status is (Status.BROKEN if broken else otherwise), name
        assert bool(findings[name].witnesses) == broken, name
    return findings


@thorough
@given(clean_worlds())
def test_nothing_is_broken_where_nothing_unlawful_happened(world: World) -> None:
    findings = agree(world)
    assert [name for name in ("unique", "accepted", "durable", "faithful") if findings[name].witnesses] == []


@thorough
@given(clean_worlds())
def test_nothing_is_broken_where_rows_are_matched_by_id_either(world: World) -> None:
    findings = found(world.evidence(token=False))
    assert [name for name in ("unique", "accepted", "durable") if findings[name].status is not Status.HELD] == []


@pytest.mark.parametrize("plant", FAULTS)
@quick
@given(data=st.data())
def test_a_fault_that_is_planted_alone_is_found(plant: Fault, data: st.DataObject) -> None:
    check, figure = FAULTS[plant]
    world = data.draw(clean_worlds(integers=True if plant in OF_NUMBERS else None))
    earlier = found(world.evidence())[check].figures.get(figure, 0)
    assume(plant(world, data.draw(picks)))
    finding = agree(world)[check]
    assert finding.status is Status.BROKEN
    assert finding.figures[figure] > earlier
    assert finding.witnesses


@thorough
@given(clean_worlds(), st.lists(st.tuples(st.sampled_from([*FAULTS, intrude]), picks), min_size=2, max_size=8))
def test_faults_that_are_mixed_are_all_counted(world: World, faults: list[tuple[Fault, int]]) -> None:
    for plant, pick in faults:
        plant(world, pick)
    agree(world)


@pytest.mark.parametrize("size", [0, 1, 40, 300, 1_500])
def test_storms_of_every_size_are_judged_alike(size: int) -> None:
    random = Random(size)
    world = large_world(size, random)
    for plant in random.choices([*FAULTS, intrude], k=size // 20):
        plant(world, random.randrange(1_000))
    agree(world)


@quick
@given(clean_worlds(), st.lists(st.tuples(st.sampled_from([*FAULTS]), picks), max_size=4), st.randoms())
def test_the_order_of_the_census_does_not_matter(world: World, faults: list[tuple[Fault, int]], random: Any) -> None:
    for plant, pick in faults:
        plant(world, pick)
    one = found(world.evidence())
    random.shuffle(world.census)
    other = found(world.evidence())
    assert {name: finding.figures for name, finding in one.items()} == {
        name: finding.figures for name, finding in other.items()
    }
