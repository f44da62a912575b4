"""How a page is made: one file of HTML, whose templates escape all text, and which asks for no other file."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from idstorm.findings.results import Result, Status
from idstorm.report.text import MARKS, look_of

_CLASSES = {Status.BROKEN: "lawful", Status.UNKNOWN: "na"}  # of what passed without having held


def render(template: str, **values: Any) -> str:
    """Return a page from a template of this folder, with these values."""
    environment = Environment(
        loader=PackageLoader("idstorm.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(f"{template}.html.jinja").render(
        marks=MARKS, class_of=class_of, look_of=look_of, **values
    )


def class_of(result: Result, status: Status | None = None) -> str:
    """Return the class that the pages' style sheet has for a result."""
    if result is Result.PASSED and status in _CLASSES:
        return _CLASSES[status]
    return "na" if result is Result.NA else str(result)
