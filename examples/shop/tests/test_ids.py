"""The ids of the shop's tables under load."""

import pytest

from idstorm.pytest_plugin.results import StormResult


@pytest.mark.idstorm("shop.models:Order", on=["sqlite", "postgresql"])
def test_order_ids(storm_report: StormResult) -> None:
    assert storm_report.passed, storm_report
