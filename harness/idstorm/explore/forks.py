"""A process for each schedule: a fork that gets ready while the one before is still at work."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from idstorm.record.files import dumps_line

Body = Callable[[Callable[[], bytes], Callable[[Mapping[str, Any]], None]], None]
"""What a fork does: it is given a function that waits for the question, and one that says something, as JSON."""


class Fork:
    """A fork of this process, which has one thread. It ends after its work, or where no question comes any more."""

    def __init__(self, body: Body) -> None:
        question, self._asking = os.pipe()
        answering, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._asking)
            os.close(answering)
            with os.fdopen(question, "rb") as asked, os.fdopen(answer, "wb", buffering=0) as said:
                body(lambda: asked.readline() or os._exit(0), lambda about: _say(said, about))
            os._exit(0)  # without waiting for threads that the application has left
        os.close(question)
        os.close(answer)
        self._answering = os.fdopen(answering, "rb")

    def ask(self, question: bytes) -> None:
        """Ask, in one line."""
        with os.fdopen(self._asking, "wb") as asking:
            asking.write(question + b"\n")

    def answer(self) -> bytes:
        """Wait for the first line of its answer."""
        return self._answering.readline() or self._lost()

    def rest(self) -> bytes:
        """Wait for the second line, and for its end. There is none where the first was an error."""
        with self._answering:
            said = self._answering.read()
        _, status = os.waitpid(self._pid, 0)
        return said or (self._failed(status) if status else b"")

    def dismiss(self) -> None:
        """Let it end without a question."""
        os.close(self._asking)
        self.rest()

    def _lost(self) -> bytes:
        return self._failed(None)

    @staticmethod
    def _failed(status: int | None) -> bytes:
        ended = "" if status is None else f" with status {os.waitstatus_to_exitcode(status)}"
        return dumps_line({"failed": f"the process of a schedule ended{ended}"}).encode() + b"\n"


def _say(said: Any, about: Mapping[str, Any]) -> None:
    said.write(dumps_line(about).encode() + b"\n")
