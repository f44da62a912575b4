"""Ids go to a browser as JSON, and JavaScript rounds whole numbers from 2^53 on: a check of our own looks for them.

`orders` are numbered by the database, which will not come that far. `parcels` have random ids of 62 bits: two of them
may be one and the same in the browser, however unique they are in the table.
"""

from collections.abc import Sequence
from secrets import randbits

import numpy as np
from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.judge.evidence import Evidence
from idstorm.scenario import Finding, Row, Scenario, Status, breaks, check, holds

SAFE = 2**53 - 1  # Number.MAX_SAFE_INTEGER


@check("safe_in_javascript", meaning="every id is exact in JavaScript", figures={"too_large": "ids"})
def safe_in_javascript(evidence: Evidence) -> Finding:
    rows = np.flatnonzero(evidence.committed).tolist()
    wrong = [row for row, id_ in zip(rows, evidence.ids(rows), strict=True) if abs(id_) > SAFE]
    status = Status.BROKEN if wrong else Status.HELD
    return Finding(status, {"too_large": len(wrong)}, tuple(evidence.describe_all(wrong)))


class Order(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class Parcel(Row):
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


def insert_parcels(session: Session, tokens: Sequence[int]) -> list[int]:
    parcels = [Parcel(id=randbits(62), token=token) for token in tokens]
    session.add_all(parcels)
    session.flush()
    return [parcel.id for parcel in parcels]


orders = Scenario(model=Order, claims=[holds(safe_in_javascript)])
parcels = Scenario(
    model=Parcel,
    insert=insert_parcels,
    generated=False,
    claims=[breaks(safe_in_javascript, why="nearly all numbers of 62 bits are larger than 2^53")],
)
