"""Bring a store file to the version that this program speaks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from bridge.errors import StoreError
from bridge.store import schema
from bridge.store.database import answered, immediate

HEAD = "0006"
_VERSION_TABLE = "alembic_version"
_SCRIPTS = Path(__file__).parent / "migrations"
_ALEMBICS_TABLE = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""


def migrate(engine: Engine, path: Path) -> None:
    """Create the tables or bring them up to date, in one transaction: a crash leaves the old version.

    Raises
    ------
    StoreError
        Not a store, or one that a newer SlideBridge wrote.
    """
    with answered(path):
        with engine.connect() as connection, connection.begin():
            version = _version(connection, path)
        if version == HEAD:
            return
        with immediate(engine) as connection:
            version = _version(connection, path)  # again: another process may have been faster
            if version != HEAD:
                _upgrade(connection, version, path)


def is_changed_by_opening(path: Path) -> bool:
    """Say whether opening a store file would make its tables, or bring them up to date; nothing is changed for it."""
    try:
        tables, version = _look(path)
    except sqlite3.Error:  # whoever opens it says why that can't be done
        return False
    return not tables or (version is not None and version < HEAD)


def check_current(path: Path) -> None:
    """Refuse a store that opening would bring up to date: that is for commands that write.

    Raises
    ------
    StoreError
        It is of another version of SlideBridge, no store at all, or can't be read.
    """
    try:
        tables, version = _look(path)
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: {error}; `slidebridge doctor` says what to do") from error
    if tables and _VERSION_TABLE not in tables:
        raise _foreign(path)
    if version is not None and version > HEAD:
        raise _newer(path, version)
    if version != HEAD:
        raise StoreError(
            f"store {path} is of another version of SlideBridge; the next `slidebridge sync` or `slidebridge watch`"
            " brings it up to date"
        )


def _look(path: Path) -> tuple[frozenset[str], str | None]:
    """Return the names of a file's tables and the version that it says, without changing it."""
    with closing(sqlite3.connect(path, timeout=5.0)) as connection:
        connection.execute("PRAGMA query_only = ON")
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = frozenset(str(name) for (name,) in rows)
        if _VERSION_TABLE not in tables:
            return tables, None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return tables, None if row is None else str(row[0])


def _foreign(path: Path) -> StoreError:
    return StoreError(f"{path} is an SQLite file of another program; move it away")


def _newer(path: Path, version: str) -> StoreError:
    return StoreError(
        f"store {path} is of version {version}, this SlideBridge knows {HEAD} and older; update SlideBridge"
    )


def _version(connection: Connection, path: Path) -> str | None:
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if tables:
        raise _foreign(path)
    return None


def _upgrade(connection: Connection, version: str | None, path: Path) -> None:
    if version is None:
        _create(connection)
        return
    # Here, not above: a tenth of a second that only an old file costs.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version not in known:
        raise _newer(path, version)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create(connection: Connection) -> None:
    """Make the tables as they are now: all migrations, one after another, lead to the same."""
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(text(_ALEMBICS_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
