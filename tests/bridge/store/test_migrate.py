from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bridge.errors import StoreError
from bridge.store import Store, migrate
from bridge.store.database import connect
from bridge.store.schema import metadata

STARTED = "2026-03-01T12:00:00.000000+00:00"
ROWS = {  # of a store as version 0001 made it
    "slides": {"slide_key": "s1", "name": "case", "predicted_with": "c1"},
    "runs": {
        "iteration": 1,
        "kind": "incremental",
        "data_hash": "d",
        "started_at": STARTED,
        "state": "finished",
        "promoted": 1,
        "metrics": "{}",
    },
    "reads": {"slide_key": "s1", "revision": "r1", "first_read_at": STARTED, "read_at": STARTED, "human_count": 4},
    "writes": {
        "marker": "m1",
        "slide_key": "s1",
        "new_revision": "r2",
        "target": "case.xml",
        "temp_name": "t",
        "iteration": 1,
        "begun_at": STARTED,
        "state": "finished",
        "kind": "edits",
    },
    "versions": {"slide_key": "s1", "revision": "r1", "kept_at": STARTED, "seen_at": STARTED, "size": 9},
    "objects": {
        "slide_key": "s1",
        "write_marker": "m1",
        "object_id": "o1",
        "role": "prediction",
        "path_class": "Tumor: Predicted",
        "geometry": b"wkb",
        "iteration": 1,
        "is_editable": 1,
        "is_open": 1,
        "fate": "open",
    },
    "planned_closes": {"write_marker": "m1", "object_id": "o0"},
    "added": {"slide_key": "s1", "revision": "r1", "iteration": 1, "count": 2},
    "parts": {"slide_key": "s1", "area_key": "a1", "part": "train", "assigned_at": STARTED},
    "learned": {"slide_key": "s1", "area_key": "a1", "iteration": 1},
}


def test_migrations_lead_to_the_tables_that_the_code_speaks_of(tmp_path: Path) -> None:
    _upgrade(tmp_path / "store.sqlite", "head")
    with Store.open(tmp_path) as store, store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_new_store_is_what_all_migrations_lead_to(store: Store, tmp_path: Path) -> None:
    _upgrade(tmp_path / "migrated.sqlite", "head")
    found = _shape(store.path)
    assert found == _shape(tmp_path / "migrated.sqlite")
    assert found.keys() == metadata.tables.keys() | {"alembic_version"}


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_newer_store_is_refused_and_untouched(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.close()
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=r"version 0099.*update SlideBridge"):
        Store.open(store.path.parent)
    assert store.path.read_bytes() == before


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("CREATE TABLE recipes (id)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Store.open(tmp_path)


def test_crash_while_migrating_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    engine = connect(path, 1)

    class Crash(BaseException):
        pass

    with pytest.raises(Crash), migrate.immediate(engine) as connection:
        migrate._upgrade(connection, None, path)
        raise Crash
    engine.dispose()
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == []
    plain.close()
    Store.open(tmp_path).close()


def test_two_processes_make_a_store_at_once(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from bridge.store import Store; Store.open(Path({str(tmp_path)!r})).close()"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]


@pytest.mark.parametrize("name", ["100 % ready", "naïve Straße", "a;b"])
def test_folder_names_don_t_matter(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path / name) as store:
        assert store.slides() == ()


def test_store_of_the_first_version_keeps_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    _make_first_version(path)
    before = _rows(path)
    assert set(before) == set(ROWS) and all(before.values())
    with Store.open(tmp_path) as store:
        assert store.slides()[0].predicted_with == "c1"
        assert store.jobs() == ()
        with store.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    after = _rows(path)  # columns that came later stand at the end
    assert {name: [r[: len(before[name][0])] for r in after[name]] for name in ROWS} == before


def _make_first_version(path: Path) -> None:
    _upgrade(path, "0001")
    with sqlite3.connect(path) as plain:
        for table, row in ROWS.items():
            columns, places = ", ".join(row), ", ".join("?" * len(row))
            plain.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))
    plain.close()


def _upgrade(path: Path, revision: str) -> None:
    """Run the migrations up to one of them, beginning with no table."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = connect(path, 1)
    with migrate.immediate(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _shape(path: Path) -> dict[str, set[tuple[object, ...]]]:
    """Return columns, keys and indexes of each table; columns that came later stand at the end."""
    with sqlite3.connect(path) as plain:
        shape = {}
        for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = {column[1:] for column in plain.execute(f"PRAGMA table_info({name})")}
            keys = {key[2:] for key in plain.execute(f"PRAGMA foreign_key_list({name})")}
            indexes = {
                (*index[1:], *(part[2] for part in plain.execute(f"PRAGMA index_info({index[1]})")))
                for index in plain.execute(f"PRAGMA index_list({name})").fetchall()
            }
            shape[name] = columns | keys | indexes
    plain.close()
    return shape


def _rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as plain:
        tables = [row[0] for row in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: plain.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    plain.close()
    del found["alembic_version"]
    return found


@pytest.mark.parametrize(
    ("statement", "is_changed"),
    [
        (None, False),
        ("UPDATE alembic_version SET version_num = '0001'", True),
        ("UPDATE alembic_version SET version_num = '9999'", False),
        ("DROP TABLE alembic_version", False),
    ],
    ids=["as it is", "older", "newer", "of another program"],
)
def test_whether_opening_a_store_changes_it_is_told_without_changing_it(
    tmp_path: Path, statement: str | None, *, is_changed: bool
) -> None:
    Store.open(tmp_path).close()
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement or "SELECT 1")
    before = path.read_bytes()
    assert migrate.is_changed_by_opening(path) is is_changed
    assert path.read_bytes() == before


def test_opening_an_empty_file_would_make_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.touch()
    assert migrate.is_changed_by_opening(path)
    assert path.read_bytes() == b""


def test_who_only_reads_refuses_what_opening_would_change(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match="of another program; move it away"):
        migrate.check_current(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    with pytest.raises(StoreError, match="sync` or `slidebridge watch` brings it up to date"):
        migrate.check_current(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"version 9999, .* update SlideBridge"):
        migrate.check_current(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (migrate.HEAD,))
    migrate.check_current(path)
    path.write_bytes(b"no database at all, and long enough to be read as one")
    with pytest.raises(StoreError, match="slidebridge doctor"):
        migrate.check_current(path)
