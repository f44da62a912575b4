"""A token names its row by subtraction, whatever number of tokens each client has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from histories import storm, told
from idstorm.judge.evidence import FOREIGN, UNEXPECTED
from idstorm.record.plan import Tokens


@pytest.mark.parametrize("span", [1, 7, 1000, 1023, 1024, 1 << 32])
def test_each_token_is_that_of_its_row_of_a_stranger_or_of_nobody(span: int) -> None:
    tokens = Tokens(base=5_000, span=span)
    used = [1, 0, min(span, 5)]  # rows of each client
    ids = iter(range(100))
    operations = [told(next(ids), client=client) for client, rows in enumerate(used) for _ in range(rows)]
    evidence = storm(*operations, clients=3)
    evidence = replace(evidence, plan=replace(evidence.plan, tokens=tokens))
    row = iter(range(100))
    expected = {tokens.base - 1: FOREIGN, tokens.first(3): FOREIGN, tokens.first(3) + span: FOREIGN}
    for client, rows in enumerate(used):
        expected |= {tokens.first(client) + place: next(row) for place in range(rows)}
        if rows < span:
            expected |= {tokens.first(client) + rows: UNEXPECTED, tokens.first(client + 1) - 1: UNEXPECTED}
    assert evidence.rows_of(np.array(list(expected))).tolist() == list(expected.values())
