"""The wording that reports share."""

from __future__ import annotations

from idstorm.report.text import witness_words


def test_a_witness_says_which_clients_and_when() -> None:
    rows = [{"client": client, "operation": 3, "at": 0.0031 * (client + 1)} for client in range(2)]
    assert witness_words({"id": 5, "times": 2, "rows": rows}) == (
        "id 5, times 2, told client 0 in operation 3 at +0.003100 s, client 1 in operation 3 at +0.006200 s"
    )
