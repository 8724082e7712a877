"""The connection: one SQLite file, short transactions, and the driver's errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, delete, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from bridge.errors import StoreError
from bridge.store import schema

_BEGIN = "slidebridge_begin"


class Database:
    """An open store file; the records' methods live in its subclasses.

    Attributes
    ----------
    path
        The SQLite file.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._joined = threading.local()

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the store throughout."""
        joined = self._together()
        if joined is not None:
            yield joined
            return
        with answered(self.path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock from the start; committed at the end, or nothing is."""
        joined = self._together()
        if joined is not None:
            yield joined
            return
        with answered(self.path), immediate(self._engine) as connection:
            yield connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that this thread asks of the store meanwhile: all of it happens, or nothing.

        For some records of one thing. Nothing slow belongs in it, for nobody else can write until it ends; and no error
        of the store's may be passed over in it.
        """
        if self._together() is not None:
            yield
            return
        with answered(self.path), immediate(self._engine) as connection:
            self._joined.connection = connection
            try:
                yield
            finally:
                self._joined.connection = None

    def _together(self) -> Connection | None:
        return getattr(self._joined, "connection", None)


def connect(path: Path, busy_seconds: float) -> Engine:
    """Return an engine for a file that may not exist yet.

    A rollback journal rather than WAL: the file may lie where shared memory doesn't work, and one file is easier to
    copy. ``synchronous = EXTRA`` because the write journal must be on disk before a file of people's is touched.
    """
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": busy_seconds})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # a DBAPI connection has no type of its own
        connection.isolation_level = None  # the driver begins nothing by itself: `_begin` does
        for pragma in ("foreign_keys = ON", "journal_mode = DELETE", "synchronous = EXTRA", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


@contextmanager
def immediate(engine: Engine) -> Iterator[Connection]:
    """Give a connection within a transaction that took the write lock at once.

    A transaction that reads first and writes later fails at once when another has written in between; this one waits.
    """
    with engine.connect() as connection:
        connection = connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        with connection.begin():
            yield connection


@contextmanager
def answered(path: Path) -> Iterator[None]:
    """Turn what SQLite complains of into one line with the way out."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig)
        raise StoreError(f"store {path}: {said}; {_way_out(said)}") from error


def _way_out(said: str) -> str:
    words = said.casefold()
    if "locked" in words or "busy" in words:
        return "another SlideBridge is at work here, try again when it has ended"
    if "full" in words or "i/o" in words:
        return "free some disk space and run again"
    if "readonly" in words or "unable to open" in words:
        return "make the folder writable"
    if "not a database" in words or "malformed" in words:
        return "restore it from a copy, or move it away to begin anew"
    return "please report it"


def forget_seen(connection: Connection, slide_key: str) -> None:
    """Forget what the last reading of a slide found: something is recorded of it that another reading would heed."""
    connection.execute(delete(schema.seen).where(schema.seen.c.slide_key == slide_key))


def touch_slide(connection: Connection, slide_key: str, name: str | None = None) -> None:
    """Make sure that a slide is known, of which something is recorded; a name that is given replaces the one before."""
    forget_seen(connection, slide_key)
    row = insert(schema.slides).values(slide_key=slide_key, name=name or slide_key)
    if name is None:
        connection.execute(row.on_conflict_do_nothing())
    else:
        connection.execute(row.on_conflict_do_update(index_elements=["slide_key"], set_={"name": name}))
