"""Quantiles of durations, as reports show them."""

from __future__ import annotations

import numpy as np

from idstorm.record.columns import Ints

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


def quantiles_ms(nanoseconds: Ints) -> dict[str, float]:
    """Return the quantiles of these durations in milliseconds, each one that occurred.

    `nanoseconds` must not be empty and is in another order afterwards: a copy could take too much memory.
    """
    found = np.quantile(nanoseconds, list(QUANTILES.values()), method="higher", overwrite_input=True)
    return {name: round(int(value) / 1e6, 3) for name, value in zip(QUANTILES, found, strict=True)}
