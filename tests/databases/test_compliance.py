"""idstorm's own databases do what is asked of every database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.compliance import Compliance
from idstorm.databases.registry import DATABASES
from servers import database as server_of


class _Own(Compliance):
    dialect: str

    @pytest.fixture
    def database(self) -> Database:
        return DATABASES[self.dialect]

    @pytest.fixture
    def url(self, tmp_path: Path) -> sa.URL:
        return server_of(self.dialect).url or sa.make_url(f"sqlite+pysqlite:///{tmp_path / 'a.db'}")


class TestSQLite(_Own):
    dialect = "sqlite"
    short_wait: ClassVar[Mapping[str, str]] = {"busy_timeout": "300"}


class TestPostgreSQL(_Own):
    dialect = "postgresql"
    short_wait: ClassVar[Mapping[str, str]] = {"lock_timeout": "300"}


class TestMySQL(_Own):
    dialect = "mysql"
    short_wait: ClassVar[Mapping[str, str]] = {"innodb_lock_wait_timeout": "1"}


class TestMariaDB(_Own):
    dialect = "mariadb"
    short_wait: ClassVar[Mapping[str, str]] = {"innodb_lock_wait_timeout": "1"}


def test_idstorm_itself_does_not_need_pytest() -> None:
    script = "import sys, idstorm.cli, idstorm.databases.targets, idstorm.storm.worker; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
