"""A process for each schedule: a fork that gets ready while the one before is still at work."""

from __future__ import annotations

import os
from collections.abc import Callable

Body = Callable[[Callable[[], bytes]], bytes]
"""What a fork does: it is given a function that waits for the question, and returns the answer."""


class Fork:
    """A fork of this process, which has one thread. It ends after its answer, or where no question comes any more."""

    def __init__(self, body: Body) -> None:
        question, self._asking = os.pipe()
        self._answering, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._asking)
            os.close(self._answering)
            with os.fdopen(question, "rb") as asked, os.fdopen(answer, "wb") as said:
                said.write(body(lambda: asked.readline() or os._exit(0)))
            os._exit(0)  # without waiting for threads that the application has left
        os.close(question)
        os.close(answer)

    def ask(self, question: bytes) -> None:
        """Ask, in one line."""
        with os.fdopen(self._asking, "wb") as asking:
            asking.write(question + b"\n")

    def answer(self) -> bytes:
        """Wait for the answer. Raises ChildProcessError if the process has ended without one."""
        with os.fdopen(self._answering, "rb") as answering:
            said = answering.read()
        _, status = os.waitpid(self._pid, 0)
        if not said:
            ended = os.waitstatus_to_exitcode(status)
            raise ChildProcessError(f"the process of a schedule ended with status {ended}")
        return said

    def dismiss(self) -> None:
        """Let it end without a question."""
        os.close(self._asking)
        os.close(self._answering)
        os.waitpid(self._pid, 0)
