"""MariaDB: much of it is MySQL's."""

from idstorm.databases.mariadb.database import MariaDB

__all__ = ["MariaDB"]
