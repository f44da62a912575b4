"""What a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idstorm.findings.results import Status


@dataclass(frozen=True)
class Finding:
    """What a check found in one storm."""

    status: Status
    figures: Mapping[str, Any] = field(default_factory=dict)
    witnesses: tuple[Mapping[str, Any], ...] = ()
    reason: str | None = None
    crashed: bool = False  #: the check itself raised an error
