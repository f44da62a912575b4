"""A plan made by hand, where a benchmark uses idstorm's parts without a whole storm."""

from __future__ import annotations

from idstorm.findings.checks import CHECKS
from idstorm.findings.results import Stance
from idstorm.record.keys import Codec
from idstorm.record.plan import Claim, Fleet, Generator, Ids, Plan, Pool, Target, Tokens


def plan_of(fleet: Fleet, pool: Pool, *, codec: Codec, generator: Generator | None) -> Plan:
    """Return the plan of a storm on SQLite in which every check is claimed to hold."""
    return Plan(
        run="bench",
        storm="bench",
        scenario="bench",
        reference="",
        path=(),
        target=Target("sqlite", "sqlite", "pysqlite", "", ""),
        fleet=fleet,
        pool=pool,
        ids=Ids(("user.id",), codec, "user.token", generator=generator),
        tokens=Tokens(1),
        claims={check: Claim(Stance.HOLDS) for check in CHECKS},
    )
