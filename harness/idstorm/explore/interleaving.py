"""`idstorm.interleave`: functions of an application, in every order of their statements, as a test.

They run in this process, each in a thread, or in a task of one event loop if they await, on connections of the
application's own pools. What a pool connects to is learned from its first connection, and who waits is asked over
another one that the same pool makes.
"""

from __future__ import annotations

import inspect
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from idstorm.errors import UsageError
from idstorm.explore.clients import Given, Move
from idstorm.explore.kept import Kept, Work, name_of
from idstorm.explore.place import Place
from idstorm.explore.runtime import LoopRuntime, Stuck, ThreadRuntime
from idstorm.explore.schedules import Choice, Search, preemptions
from idstorm.findings.schedules import NAMES, named
from idstorm.model.awaiting import is_async
from idstorm.storm.loops import awaited, entered

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

_ONE_AT_A_TIME = threading.Lock()


class InvariantBroken(AssertionError):
    """A schedule broke the invariant. The message shows its steps, a line each."""


class NotComplete(AssertionError):
    """The invariant held in all schedules that were tried, but there are more."""


@dataclass(frozen=True)
class Interleaved:
    """What came of all schedules: the invariant held in each of them."""

    schedules: int
    preemptions: int  #: of that schedule which has most
    outcomes: tuple[tuple[str, ...], ...]  #: what the functions came to, each combination once: "ok", or an error


@dataclass(frozen=True)
class _Functions:
    """What a user gives to `interleave`."""

    work: Sequence[Work]
    setup: Callable[[], object]
    invariant: Callable[..., object]
    session: Callable[[], Any] | None  #: opens a session


def interleave(
    *work: Work,
    setup: Callable[[], object],
    invariant: Callable[..., object],
    session: Callable[[], Session] | Callable[[], AsyncSession] | None = None,
    max_preemptions: int | None = None,
    max_schedules: int = 2_000,
    max_time: float = 60.0,
) -> Interleaved:
    """Call these functions at the same time, again and again, in every order of their statements.

    A function with a parameter is given a session that `session()` opens, a `sessionmaker` say, and which is committed
    after it; one without opens its own. `setup()` is called before each schedule, and has to bring the tables back to
    where they were. `invariant` is called after each, with a session if it has a parameter: the schedule broke it if it
    raises AssertionError, or returns False. Errors of the functions are outcomes: whether they may happen is for the
    invariant to say. Either all functions await, or none does; those that do are tasks of one event loop, and `session`
    is an `async_sessionmaker`.

    Raises InvariantBroken with the shortest schedule that breaks it, NotComplete where `max_schedules` or `max_time`
    (seconds) was reached first, and UsageError for what cannot be stepped. A schedule that broke the invariant is kept
    below `.idstorm`, and tried first from then on.
    """
    if not 2 <= len(work) <= len(NAMES):
        raise UsageError(f"interleave takes from two to {len(NAMES)} functions")
    if len({is_async(one) for one in work}) > 1 or (not is_async(work[0]) and any(map(is_async, (setup, invariant)))):
        raise UsageError("functions that await and others cannot be stepped together: let all await, or none")
    takers = [one for one in (*work, invariant) if _takes_session(one)]
    if takers and session is None:
        words = f"{name_of(takers[0])} takes a session: say how to open one, interleave(…, session=SessionLocal)"
        raise UsageError(words)
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise UsageError("interleave is at work already in this process")
    try:
        awaits = is_async(work[0])
        with closing(LoopRuntime() if awaits else ThreadRuntime()) as runtime, Place(runtime) as place:
            functions = _Functions(work, setup, invariant, session)
            return _all(place, functions, max_preemptions, max_schedules, max_time)
    finally:
        _ONE_AT_A_TIME.release()


def _all(place: Place, functions: _Functions, bounded: int | None, most: int, seconds: float) -> Interleaved:
    work, search = functions.work, Search([str(id(one)) for one in functions.work], bounded)
    kept, began, outcomes = Kept.of(work, functions.invariant), monotonic(), dict[tuple[str, ...], None]()
    stepped, raised = set[int](), list[BaseException]()

    def play(first: Sequence[int]) -> list[Choice]:
        place.runtime.call(lambda: awaited(functions.setup()))
        told = ["did not end"] * len(work)
        bodies = [partial(_call, one, functions.session, told, number, raised) for number, one in enumerate(work)]
        conductor = place.conductor(bodies)
        try:
            conductor.run(first)
        except Stuck as error:
            place.end(conductor.sessions)
            shown = _shown(conductor.moves, told)
            raise UsageError(f"interleave cannot step these functions: {error}\n{shown}") from None
        if raised:  # such as what pytest.fail raises
            raise raised[0]
        stepped.update(choice.client for choice in conductor.choices if choice.step not in ("COMMIT", "ROLLBACK"))
        if place.other is not None:
            raise UsageError(
                f"these functions reach two databases, {place.other} besides the first: step one at a time"
            )
        if conductor.shared:
            raise UsageError(
                "two of these functions were in one transaction, on one connection: give each a session of its own; a "
                "fixture that rolls everything back after a test has only one, so use another engine here"
            )
        if why_not := conductor.doubt:
            raise UsageError(f"interleave cannot step these functions: {why_not}")
        outcomes[tuple(told)] = None
        why = place.runtime.call(partial(_broken, functions.invariant, functions.session))
        if why is not None:
            clients = [choice.client for choice in conductor.choices]
            kept.keep(clients, [move.step for move in conductor.moves if move.step])
            cost = preemptions(conductor.choices)
            raise InvariantBroken(
                f"{why}\nby the schedule {named(*clients)}, with {cost} preemption{'' if cost == 1 else 's'}:\n"
                f"{_shown(conductor.moves, told)}"
            )
        return conductor.choices

    for clients in kept.schedules:
        play(clients)
    while (prefix := search.next()) is not None:
        tried = sum(search.tried.values())
        if tried >= most or monotonic() > began + seconds:
            raise NotComplete(
                f"the invariant held in {tried:,} schedules, and at least {len(search) + 1:,} more are known: bound "
                "them with max_preemptions=, or raise max_schedules= and max_time="
            )
        choices = play(prefix.clients)
        if where := prefix.diverges(choices):
            raise UsageError(f"setup does not bring everything back, or the functions differ each time: {where}")
        search.ran(prefix, choices)
    if unseen := [name_of(one) for number, one in enumerate(work) if number not in stepped]:
        raise UsageError(
            f"no statement of {unseen[0]} was seen: it may have sent none, or by a driver, or in a thread of its own"
        )
    if bounded is None:
        kept.forget()
    return Interleaved(sum(search.tried.values()), max(search.tried, default=0), tuple(outcomes))


def _call(
    work: Work,
    session: Callable[[], Any] | None,
    told: list[str],
    number: int,
    raised: list[BaseException],
) -> None:
    """Call one function, with a session of its own if it takes one. What is no outcome goes to `raised`."""
    try:
        if _takes_session(work):
            assert session is not None
            with entered(session()) as own:
                awaited(work(own))
                awaited(own.commit())
        else:
            awaited(work())
        told[number] = "ok"
    except (Exception, CancelledError) as error:
        said = getattr(error, "orig", None) or error
        told[number] = f"{type(error).__name__}: {next(iter(str(said).strip().splitlines()), '')}"
    except Given:
        raise
    except BaseException as error:
        raised.append(error)


def _broken(invariant: Callable[..., object], session: Callable[[], Any] | None) -> str | None:
    """Return why the invariant does not hold, or None."""
    try:
        if _takes_session(invariant):
            assert session is not None
            with entered(session()) as own:
                held = awaited(invariant(own))
        else:
            held = awaited(invariant())
    except AssertionError as error:
        return f"{name_of(invariant)} does not hold: {error}" if str(error) else f"{name_of(invariant)} does not hold"
    return f"{name_of(invariant)} does not hold" if held is False else None


def _takes_session(function: Callable[..., object]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(one.default is one.empty and one.kind in positional for one in parameters)


def _shown(moves: Iterable[Move], told: Sequence[str]) -> str:
    lines = []
    for move in moves:
        answer = f"  -- {move.answer}" if move.answer else ""
        lines.append(f"  {NAMES[move.client]}: {move.step or '… goes on'}{answer}")
    return "\n".join([*lines, *(f"  {NAMES[number]} = {one}" for number, one in enumerate(told))])
