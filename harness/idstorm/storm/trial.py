"""The operations of a rehearsal: what was told of each row, what is stored, and what that means for the storm.

A fault of the work is a finding, which the storm will show with its witnesses; here it becomes a note. Only what makes
judging impossible raises ScenarioError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from idstorm.databases.rows import in_namespace, read_rows, read_token
from idstorm.errors import ScenarioError
from idstorm.model.codec import codec_of, forms_as_stored, forms_of
from idstorm.model.filling import plain_type
from idstorm.model.rows import qualified
from idstorm.model.work import Work
from idstorm.record.keys import Burned, Codec, Existing, codec_for
from idstorm.record.texts import Odd, show_stored

Pairs = list[tuple[Any, int | None]]


@dataclass(frozen=True)
class Rehearsal:
    """One operation: what was told of each of its rows, and the ids that are stored for it."""

    told: Sequence[Any]
    stored: Sequence[Sequence[Any]]  #: for each row; none: the row is missing; several: it is duplicated
    tokens: Sequence[int]
    early: bool  #: other sessions saw one of its rows before COMMIT
    grew: bool  #: the table has new rows, whether or not they are the operation's

    @property
    def rows(self) -> Iterator[tuple[Any, Sequence[Any], int]]:
        """What was told, what is stored, and the token of each row."""
        yield from zip(self.told, self.stored, self.tokens, strict=True)


def rehearsal_of(
    work: Work,
    dialect: sa.Dialect,
    told: Sequence[Any],
    tokens: Sequence[int],
    before: Pairs,
    early: Pairs,
    after: Pairs,
    zone: str,
) -> Rehearsal:
    """Return what came of an operation, given the table's rows before it, before its COMMIT, and after it."""
    forms = forms_of(work.ids, dialect, zone)
    return Rehearsal(
        told=told,
        stored=_stored(work, forms, told, tokens, before, after),
        tokens=tokens,
        early=any(_stored(work, forms, told, tokens, before, early)),
        grew=len(_newer(before, after)) > 0,
    )


def _stored(
    work: Work, forms: Sequence[str], told: Sequence[Any], tokens: Sequence[int], before: Pairs, pairs: Pairs
) -> list[list[Any]]:
    """Return for each row the ids that are stored for it. Without a token, a row is identified by the id told."""
    if work.token is not None:
        by_token: dict[int | None, list[Any]] = {token: [] for token in tokens}
        for id_, token in pairs:
            if token in by_token:
                by_token[token].append(id_)
        return [by_token[token] for token in tokens]
    newer = _newer(before, pairs)
    found = [[id_ for id_ in newer if _same(one, id_, forms)] for one in told]
    if len(newer) == len(told) == 1 and not isinstance(told[0], Existing | Burned):
        return [newer]  # there is no other row that it could be
    return found


def _newer(before: Pairs, after: Pairs) -> list[Any]:
    """Return the ids of the rows that exist now and did not before."""
    known, newer = Counter(map(repr, before)), []  # not every id can be hashed
    for pair in after:
        known[repr(pair)] -= 1
        if known[repr(pair)] < 0:
            newer.append(pair[0])
    return newer


def agree(
    rehearsals: Sequence[Rehearsal], work: Work, dialect: sa.Dialect, zone: str, elsewhere: Sequence[str]
) -> tuple[Codec, list[str]]:
    """Return the codec under which ids told and ids stored are the same, and sentences on what the work does wrong.

    `zone` is the time zone of the storm's sessions; `elsewhere` is where the work's own connections lead. Raises
    ScenarioError where there is nothing to judge, or where what was told cannot be an id.
    """
    rows = [row for one in rehearsals for row in one.rows]
    _look_for_rows(rehearsals, work, elsewhere)
    codec = codec_of(
        work.ids, dialect, [(told, stored) for told, stored, _ in rows], zone, scope=work.scope, key=work.key
    )
    for told, _, _ in rows:
        _prove(codec, told, work)
    return codec, [sentence for told, stored, _ in rows if (sentence := _sentence(codec, told, stored))]


def as_compared(codec: Codec, work: Work, connection: sa.Connection) -> Codec:
    """Return the codec for scopes as the database tells them apart, which by its collation may not look at case.

    A row of the work has to be there.
    https://dev.mysql.com/doc/refman/9.7/en/case-sensitivity.html
    """
    table, columns, _ = in_namespace(work.ids, None)
    parts = list(codec.parts)
    for place, column in enumerate(columns[: work.scope]):
        if parts[place] == "text" and isinstance(plain_type(column.type), sa.String):
            same = sa.select(sa.literal(1)).select_from(table).where(column + "a" == column + "A")
            if connection.execute(same.limit(1)).first() is not None:
                parts[place] = "caseless"
    return replace(codec, parts=tuple(parts))


def misled(rehearsals: Sequence[Rehearsal], codec: Codec) -> list[tuple[Any, int]]:
    """Return the id told and the token of each row that is stored with another id."""
    return [
        (told, token)
        for one in rehearsals
        for told, stored, token in one.rows
        if _is_own(told) and stored and not any(_equal(codec, told, id_) for id_ in stored)
    ]


def right(rehearsals: Sequence[Rehearsal], codec: Codec) -> list[Any]:
    """Return the ids told of rows that do have them."""
    return [
        told
        for one in rehearsals
        for told, stored, _ in one.rows
        if _is_own(told) and any(_equal(codec, told, id_) for id_ in stored)
    ]


def still_there(codec: Codec, ids: Sequence[Any], pairs: Pairs) -> list[Any]:
    """Return those of these ids that a row still has."""
    return [one for one in ids if any(_equal(codec, one, id_) for id_, _ in pairs)]


def look_for_typo(
    rehearsals: Sequence[Rehearsal],
    codec: Codec,
    work: Work,
    connected: Callable[[], AbstractContextManager[sa.Connection]],
) -> None:
    """Raise ScenarioError where the ids told are the values of another column, in each of several rows."""
    wrong = misled(rehearsals, codec)
    if len({repr(told) for told, _ in wrong}) < 2 or right(rehearsals, codec) or work.token is None:
        return
    table = work.ids[0].table
    others = [column for column in table.columns if column not in work.ids]
    with connected() as connection:
        _, columns, token = in_namespace(others, work.token)
        assert token is not None
        rows = read_rows(connection, [token, *columns])
    by_token = {read_token(row[0]): row[1:] for row in rows}
    for place, column in enumerate(others):
        if all(
            token in by_token and _same(told, by_token[token][place], forms_of([column], connection.dialect))
            for told, token in wrong
        ):
            names = " and ".join(work.id_names)
            raise ScenarioError(f"insert returned {qualified(column)} of each row, which is not its id: return {names}")


def _look_for_rows(rehearsals: Sequence[Rehearsal], work: Work, elsewhere: Sequence[str]) -> None:
    """Raise ScenarioError where none of the work's rows is stored, so that there is nothing to judge."""
    if any(any(one.stored) for one in rehearsals):
        return
    told = [told for one in rehearsals for told in one.told]
    own = next((one for one in told if _is_own(one)), None)
    where = qualified(work.ids[0]).rpartition(".")[0]
    if own is None:
        if any(isinstance(one, Existing) for one in told):
            return
        raise ScenarioError(f"insert returned no id, and {where} holds no row of it: there is nothing to judge")
    if work.token is not None and any(one.grew for one in rehearsals):
        raise ScenarioError(
            f"the rehearsal was told the id {own!r}, but no row that it committed has its token in {work.token_name}"
        )
    raise ScenarioError(
        f"the rehearsal was told the id {own!r}, but {where} holds no row of it: {_whither(elsewhere)}. Insert by the "
        "session that the work is given, or let the application's own lead where that leads: "
        "SessionLocal.configure(bind=session.get_bind())"
    )


def _whither(elsewhere: Sequence[str]) -> str:
    if not elsewhere:
        return "the work seems to insert somewhere else"
    return f"the work used connections of its own, to {' and '.join(elsewhere)}, where that row may be now"


def _prove(codec: Codec, told: Any, work: Work) -> None:
    """Raise ScenarioError if what was told cannot be an id of this table."""
    plain = told.id if isinstance(told, Existing | Burned) else told
    if told is None:
        return
    try:
        codec.encode(plain)
    except (TypeError, ValueError) as error:
        names = ", ".join(work.id_names)
        raise ScenarioError(f"insert returned {plain!r}, which is not an id of {names}: {error}") from error


def _sentence(codec: Codec, told: Any, stored: Sequence[Any]) -> str | None:
    """Return what is wrong with what was told of one row, as the storm's report will say it."""
    alone = "with no other client at work, the rehearsal was told"
    if told is None and stored:
        return f"{alone} None, which means that there is certainly no row, yet its row is there with id {_show(stored)}"
    if not _is_own(told) or any(_equal(codec, told, id_) for id_ in stored):
        return None
    if not stored:
        return f"{alone} the id {told!r} of a row that is not there"
    if any(isinstance(id_, Odd) for id_ in stored):
        return f"{alone} the id {told!r} of a row whose id, {_show(stored)}, its type fails to read back"
    return f"{alone} the id {told!r} of a row that has {_show(stored)}"


def _show(stored: Sequence[Any]) -> str:
    return " and ".join(show_stored(id_) if isinstance(id_, Odd) else repr(id_) for id_ in stored)


def _is_own(told: Any) -> bool:
    return told is not None and not isinstance(told, Existing | Burned)


def _equal(codec: Codec, told: Any, stored: Any) -> bool:
    try:
        return codec.encode(told) == codec.encode(stored)
    except (TypeError, ValueError):
        return False


def _same(told: Any, stored: Any, forms: Sequence[str]) -> bool:
    plain = told.id if isinstance(told, Existing | Burned) else told
    try:
        codec = codec_for(plain, stored).formed(forms_as_stored(forms, stored))
    except (TypeError, ValueError):
        return False
    return _equal(codec, plain, stored)
