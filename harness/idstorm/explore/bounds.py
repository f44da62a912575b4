"""How far an exploration goes."""

from __future__ import annotations

from dataclasses import dataclass

from idstorm.findings.schedules import named


@dataclass(frozen=True)
class Bounds:
    """How far to go. None: no bound of the user's."""

    operations: int | None = None  #: of each client; None: one, or three where some of them delete
    preemptions: int | None = None
    schedules: int | None = None
    seconds: float | None = None
    replay: tuple[int, ...] | None = None  #: only the schedule that begins with these clients' steps
    rows: int = 0  #: rows that the work has inserted before
    show_values: bool = False  #: programs show all values of statements

    DEFAULT_SCHEDULES, DEFAULT_SECONDS = 5_000, 60.0

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a command line that give these bounds."""
        given = {
            "--operations": self.operations,
            "--max-preemptions": self.preemptions,
            "--max-schedules": self.schedules,
            "--max-time": None if self.seconds is None else f"{self.seconds:g}s",
            "--rows": self.rows or None,
            "--replay": None if self.replay is None else named(*self.replay),
        }
        return tuple(word for name, value in given.items() if value is not None for word in (name, str(value)))

    @property
    def asked(self) -> tuple[str, ...]:
        """The bounds that the user named, in words."""
        return () if self.preemptions is None else (f"up to {self.preemptions} preemptions",)
