"""The history: all tapes of a storm, as columns in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from idstorm.record.code import Code
from idstorm.record.columns import Ints, Keys
from idstorm.record.tape import Kind

Bytes = NDArray[np.uint8]
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class History:
    """Every operation of a storm, client by client, each in the order of its tape.

    Columns of operations are parallel, and so are columns of rows. The rows of an insert follow one another, those of
    a client are in the order of its tokens. Moments are nanoseconds of one monotonic clock; 0: never reached. The
    third, when COMMIT was sent, stays on the tape: no check asks for it. A column of which all is the same may be one
    element, repeated.
    """

    op_offsets: Ints  #: where each client's operations begin, and where the last one's end
    row_offsets: Ints  #: the same for rows
    kind: Bytes
    outcome: Bytes
    flags: Bytes
    code: NDArray[np.uint16 | np.uint32]  #: 0: none, else its place in `codes`, from 1
    begin: Ints
    handed: Ints
    ended: Ints
    rows: NDArray[np.int32]  #: rows of each operation
    told: Bytes  #: of each inserted row
    keys: Keys  #: of each inserted row; means something where `told` is ID, EXISTING or BURNED
    deleted: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  #: the rows that were deleted …
    deleted_by: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  #: … and the operation of each
    codes: tuple[Code, ...] = ()
    owners: Ints | None = None  #: of each row told EXISTING the token of the row that has the id, or -1; None: of none

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def clients(self) -> int:
        """The number of clients."""
        return len(self.op_offsets) - 1

    @cached_property
    def op_of_row(self) -> Ints | None:
        """The operation of each row; None where each operation is one row, and row and operation are one number."""
        if len(self.told) == len(self) and (self.kind == Kind.INSERT).all():
            return None
        inserts = np.flatnonzero(self.kind == Kind.INSERT)
        return np.repeat(inserts, self.rows[inserts])

    def of_rows(self, column: NDArray[_Scalar], rows: Ints | None = None) -> NDArray[_Scalar]:
        """Return a column of operations as one of rows: of all of them, or of these."""
        if self.op_of_row is None:
            return column if rows is None else column[rows]
        return column[self.op_of_row if rows is None else self.op_of_row[rows]]

    def client_of_row(self, row: int) -> int:
        """The client that inserted this row."""
        return int(np.searchsorted(self.row_offsets, row, side="right")) - 1
