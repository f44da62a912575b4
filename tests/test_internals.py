"""What idstorm relies on in other libraries without their documentation is as it expects it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from idstorm.internals import bare_instance, base_folder, disown, is_of_pytest, sequences_of


class Base(DeclarativeBase):
    pass


class Closed(Base):
    __tablename__ = "closed"
    id: Mapped[int] = mapped_column(primary_key=True)

    def __init__(self, nothing_that_can_be_given: object) -> None:
        raise AssertionError("it was constructed")


def test_a_metadata_has_the_sequences_of_its_columns_and_others() -> None:
    metadata = sa.MetaData()
    used, alone = sa.Sequence("used"), sa.Sequence("alone", schema="far", metadata=metadata)
    sa.Table("thing", metadata, sa.Column("id", sa.Integer, used, primary_key=True))
    assert sorted(one.name for one in sequences_of(metadata)) == ["alone", "used"]
    assert alone in sequences_of(metadata)
    assert sequences_of(sa.MetaData()) == []


def test_a_bare_instance_is_inserted_like_any_other() -> None:
    engine = sa.create_engine("sqlite://")
    Base.registry.configure()
    Base.metadata.create_all(engine)
    row = bare_instance(sa.inspect(Closed))
    row.id = 7
    with Session(engine) as session:
        session.add(row)
        session.commit()
        assert session.scalars(sa.select(Closed.id)).all() == [7]


def test_the_base_folder_is_that_of_tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = base_folder(request.config)
    assert folder is not None
    assert folder in tmp_path.parents


def test_the_finder_that_rewrites_assertions_is_pytests() -> None:
    assert [is_of_pytest(finder) for finder in sys.meta_path].count(True) == 1
    assert not is_of_pytest(sys.meta_path[-1])


def _end_of_a_running_process(*, disowned: bool) -> list[str]:
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=reading)
    os.close(reading)
    pid = process.pid
    if disowned:
        disown(process)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del process
        gc.collect()
    os.close(writing)
    os.waitpid(pid, 0)
    return [str(one.message) for one in caught if str(pid) in str(one.message)]


def test_a_process_that_was_disowned_may_go_on_without_a_warning() -> None:
    assert _end_of_a_running_process(disowned=True) == []


def test_a_process_that_was_not_disowned_is_warned_of() -> None:
    assert len(_end_of_a_running_process(disowned=False)) == 1
