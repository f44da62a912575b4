"""A finished storm's tapes, as one small file: `history.zip`, the same records in columns.

The moments of an operation are stored as the time since the one before, its keys and tokens as they follow one another
on the tape. Reading gives back exactly what the tapes held.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from idstorm.record import tape
from idstorm.record.archive import Packed, Packing, new_archive
from idstorm.record.columns import Ints
from idstorm.record.plan import Plan
from idstorm.record.tape_reader import codes_of, owners_of, records_of

HISTORY = "history.zip"

_MOMENTS = {tape.BEGIN: "begin", tape.HANDED: "handed", tape.COMMIT: "commit", tape.ENDED: "ended"}
_WORDS = {tape.SHAPE: "shape", tape.RESULT: "result"}


def compact(folder: Path, plan: Plan) -> None:
    """Pack the tapes in a storm's folder, and remove them. Raises OSError, with nothing lost, where that fails."""
    tapes, layout = folder / "tapes", tape.Layout(plan.fleet.batch, plan.ids.codec.words)
    with new_archive(folder / HISTORY, plan.stamp, {"clients": plan.fleet.clients, "rows": layout.rows}) as packing:
        for client in range(plan.fleet.clients):
            _add(packing, client, records_of(tapes, client, layout, plan.stamp), layout)
            if codes := codes_of(tapes, client, plan.stamp):
                packing.add_text(f"{client}/codes", "\n".join(codes))
            if len(owners := owners_of(tapes, client, plan.stamp)):
                packing.add(f"{client}/owners", owners)
    shutil.rmtree(tapes)


def _add(packing: Packing, client: int, records: Ints, layout: tape.Layout) -> None:
    before = np.zeros(len(records), np.int64)
    for word, name in _MOMENTS.items():
        packing.add(f"{client}/{name}", records[:, word] - before)
        before = records[:, word]
    for word, name in _WORDS.items():
        packing.add(f"{client}/{name}", records[:, word])
    packing.add(f"{client}/told", records[:, tape.TOLD : layout.keys])
    packing.add(f"{client}/keys", records[:, layout.keys :])


def unpack(packed: Packed, client: int, layout: tape.Layout) -> tuple[Ints, list[str], Ints]:
    """Return the records of a client's tape, the lines of its error codes, and the owners that it names."""
    before = packed.read(f"{client}/begin")
    count, told, keys = len(before), layout.keys - tape.TOLD, layout.words - layout.keys
    columns = {
        word: packed.read(f"{client}/{name}", count) for word, name in [*list(_MOMENTS.items())[1:], *_WORDS.items()]
    }
    wide = [packed.read(f"{client}/{name}", count * width) for name, width in (("told", told), ("keys", keys))]
    records = np.empty((count, layout.words), np.int64)  # only once all of it is known to be there
    records[:, tape.BEGIN] = before
    for word in list(_MOMENTS)[1:]:
        records[:, word] = records[:, word - 1] + columns[word]
    for word in _WORDS:
        records[:, word] = columns[word]
    records[:, tape.TOLD : layout.keys] = wide[0].reshape(count, told)
    records[:, layout.keys :] = wide[1].reshape(count, keys)
    codes = packed.read_text(f"{client}/codes").splitlines() if f"{client}/codes" in packed else []
    owners = packed.read(f"{client}/owners") if f"{client}/owners" in packed else np.zeros(0, np.int64)
    return records, codes, owners
