"""What a client of a scenario's own has to say of an error, and what is made of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from idstorm.databases.error_code import ErrorCode
from idstorm.databases.registry import DATABASES
from idstorm.record.code import Code
from idstorm.record.keys import Codec
from idstorm.record.plan import Ids
from idstorm.record.tape import Tape
from idstorm.scenario import Refused
from idstorm.storm.coding import Codes

IDS = Ids(
    ("thing.tenant", "thing.number"),
    Codec("text", 16),
    "thing.token",
    constraints=(
        "thing.thing_pkey(tenant,number)",
        "thing.PRIMARY(tenant,number)",
        "~thing.thing_name_key(name)",
        "~thing.name(name)",
    ),
)


@pytest.fixture
def codes(tmp_path: Path) -> Codes:
    return Codes(DATABASES["sqlite"], IDS, Tape(tmp_path, 0, 1, IDS.codec, 1), ("sesame",))


def of_driver(columns: str) -> sa.exc.IntegrityError:
    """An error of SQLAlchemy's, with a real one of the driver's in it."""
    connection = sa.create_engine("sqlite://").connect()
    connection.exec_driver_sql("CREATE TABLE thing (tenant INT, number INT, name TEXT UNIQUE, UNIQUE (tenant, number))")
    connection.exec_driver_sql("INSERT INTO thing VALUES (1, 1, 'a')")
    with pytest.raises(sa.exc.IntegrityError) as caught:
        connection.exec_driver_sql(
            f"INSERT INTO thing VALUES (1, {'1' if columns == 'id' else '2'}, '{'b' if columns == 'id' else 'a'}')"
        )
    connection.close()
    return caught.value


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("constraint", "refused"),
    [
        ("thing_pkey", True),
        ("PRIMARY", True),
        ("thing.tenant, thing.number", True),
        ("tenant, number", True),
        ("number, tenant, day", True),
        ("thing_name_key", False),
        ("other.tenant, other.number", False),
    ],
)
def test_the_constraint_that_a_refusal_names_decides(codes: Codes, constraint: str, refused: bool) -> None:
    error = raised(Refused("409", constraint=constraint), of_driver("name" if refused else "id"))
    assert codes.of_client(error) == ErrorCode(f"refused by {constraint}", refused=refused)


@pytest.mark.parametrize("constraint", ["number", "somebodys_key", ""])
def test_a_constraint_that_nobody_knows_leaves_it_open(codes: Codes, constraint: str) -> None:
    error = raised(Refused("409", constraint=constraint))
    name = f"refused by {constraint or 'no constraint'}"
    assert codes.of_client(error) == ErrorCode(name, recognised=False)


@pytest.mark.parametrize("columns", ["id", "name"])
@pytest.mark.parametrize("error", [Refused("409"), RuntimeError("500")])
def test_else_the_error_of_the_driver_from_which_it_was_raised_does(
    codes: Codes, error: Exception, columns: str
) -> None:
    code = codes.of_client(raised(error, raised(ValueError("in between"), of_driver(columns))))
    assert (code.refused, code.recognised) == (columns == "id", True)


@pytest.mark.parametrize("error", [Refused("409"), RuntimeError("500"), ConnectionResetError("lost")])
def test_with_neither_nothing_is_known(codes: Codes, error: Exception) -> None:
    assert not codes.of_client(raised(error)).recognised
    assert not codes.of_client(raised(error, sa.exc.DBAPIError("", None, ValueError("of a strange driver")))).recognised


def test_a_request_that_was_never_sent_was_not_refused_by_a_constraint(codes: Codes) -> None:
    assert codes.of_client(raised(Refused("no server"), ConnectionRefusedError())).recognised
    assert codes.of_client(raised(RuntimeError("no server"), ConnectionRefusedError())).recognised


def test_an_error_that_is_being_handled_is_read_unless_it_is_disowned(codes: Codes) -> None:
    def while_handling(cause: BaseException | None, *, disowned: bool) -> BaseException:
        try:
            raise of_driver("id")
        except sa.exc.IntegrityError:
            try:
                if disowned:
                    raise Refused("409") from cause
                raise Refused("409")
            except Refused as caught:
                return caught

    assert codes.of_client(while_handling(None, disowned=False)).refused
    assert not codes.of_client(while_handling(None, disowned=True)).recognised


def test_a_code_is_written_down_once_with_what_it_means_and_without_secrets(codes: Codes, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("no table sesame")
    numbers = [codes.number(codes.of(error), error) for _ in range(2)]
    assert numbers[0] == numbers[1] == 1
    (line,) = (tmp_path / "client-0000.codes").read_text().splitlines()
    assert "sesame" not in line


class OutOfStock(Refused):
    """What an application's client may make of it."""


@pytest.mark.parametrize(
    ("error", "cause", "name"),
    [
        (Refused("request 17 was refused"), None, "refused"),
        (OutOfStock("request 17 was refused"), None, "refused: OutOfStock"),
        (OutOfStock("request 17", constraint="thing_pkey"), None, "refused: OutOfStock by thing_pkey"),
        (Refused("request 17"), sqlite3.OperationalError("17 is too many"), "refused: sqlite:OperationalError"),
    ],
)
def test_what_an_error_says_is_its_message_and_never_its_name(
    codes: Codes, tmp_path: Path, error: Exception, cause: Exception | None, name: str
) -> None:
    caught = raised(error, cause)
    codes.number(codes.of_client(caught), caught)
    (line,) = (tmp_path / "client-0000.codes").read_text().splitlines()
    written = Code.from_line(line)
    assert written.name.startswith(name)
    assert "17" not in written.name
    assert "17" in written.message


def test_two_errors_of_one_name_that_mean_different_things_are_two(codes: Codes) -> None:
    unsent, unknown = raised(Refused("no server"), ConnectionRefusedError()), raised(Refused("409"))
    numbers = [codes.number(codes.of_client(error), error) for error in (unsent, unknown, unsent)]
    assert numbers == [1, 2, 1]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("INSERT INTO guarded VALUES (17)", "sqlite:1811 IntegrityError"),
        ("INSERT INTO guarded VALUES '17'", "sqlite:1 OperationalError"),
        ("SELECT json('[17')", "sqlite:1 OperationalError"),
        ("SELECT * FROM nowhere", "sqlite:1 no such table: nowhere"),
        ("INSERT INTO checked VALUES (17)", "sqlite:275 CHECK constraint failed: small"),
    ],
)
def test_what_triggers_and_statements_say_is_no_name_of_an_error(codes: Codes, statement: str, name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("""
        CREATE TABLE guarded (id INT);
        CREATE TABLE checked (id INT CONSTRAINT small CHECK (id < 10));
        CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'row 17 is not for you'); END;
    """)
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(statement)
    connection.close()
    assert codes.of(caught.value).name == name
