"""Which drivers are installed, without importing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec


def best_driver(drivers: Sequence[str], modules: Mapping[str, str]) -> str:
    """Return the first of these drivers that is installed, or else the first, by SQLAlchemy's names.

    `modules` has the names of those whose module is not named as SQLAlchemy names the driver.
    """
    return next((driver for driver in drivers if is_installed(modules.get(driver, driver))), drivers[0])


def is_installed(module: str) -> bool:
    """Return whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would hold it is missing
        return False
