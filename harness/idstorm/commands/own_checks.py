"""Bringing the code of users' own checks, for stored runs that are judged again."""

from __future__ import annotations

from collections.abc import Iterable


def load_checks(places: Iterable[str]) -> None:
    """Import files, or modules, that have checks of a user's own. Raises UsageError, and ScenarioError.

    A stored run names the file of such a check, and may come from a stranger: it is the user who has to name it here.
    """
    from idstorm import catalogue  # and SQLAlchemy with it, which no other run needs to be judged again

    catalogue.current_directory_first()
    for place in places:
        catalogue.load(place)
