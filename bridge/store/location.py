"""Where a project's database lies: beside the project, or, where that is a network drive, in a folder of this machine.

SQLite's locks can't be trusted on network drives. Backups, checkpoints and the lease stay beside the project.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from bridge.errors import StoreError
from bridge.files import create_exclusively, no_file, replace_whole, replacing, write_new
from bridge.store.holders import this_host
from bridge.store.mounts import is_network_path as is_network_path

logger = logging.getLogger(__name__)

STORE_NAME = "store.sqlite"
MOVED_NAME = "store.sqlite.moved"  # what a store that moved away is called where it was
ID_NAME = "project-id"
STORE_ID_NAME = "store-id"  # beside a database that lies elsewhere; the note in the project says it too
OWNER_NAME = "project.txt"  # beside a database that lies elsewhere: where its project is
NOTE_NAME = "store-is-elsewhere.txt"


def project_id(data_folder: Path) -> str:
    """Return what tells a project from others, wherever it is mounted; made when it is first asked for.

    Raises
    ------
    StoreError
        Its file is damaged, or can't be written.
    """
    return _made_once(data_folder / ID_NAME)


def known_project_id(data_folder: Path) -> str | None:
    """Return a project's id if it has one yet.

    Raises
    ------
    StoreError
        Its file is damaged.
    """
    return _known(data_folder / ID_NAME)


def store_folder(
    data_folder: Path,
    configured: Path | None,
    user_folder: Path,
    *,
    is_network: Callable[[Path], bool] = is_network_path,
) -> Path:
    """Return the folder that the database belongs in.

    Parameters
    ----------
    data_folder
        The project's ``.slidebridge``.
    configured
        ``[store] path``, absolute; goes before all.
    user_folder
        Of this account, on this machine; a project gets a folder in it by its id.
    """
    if configured is not None:
        return configured
    return user_folder / project_id(data_folder) if is_network(data_folder) else data_folder


def find_store(data_folder: Path, configured: Path | None, user_folder: Path) -> Path | None:
    """Return the folder that has the project's database now, whether it belongs there or not; writes nothing.

    A note in the project names the database that counts; without one it is that beside the project, if there is one.

    Raises
    ------
    StoreError
        The configured folder is another project's; or what lies there is no database, or one that lost all it held.
    """
    if configured is not None:
        _refuse_anothers(data_folder, configured)
    known, note = known_project_id(data_folder), _lines(data_folder / NOTE_NAME)
    elsewhere = (configured, None if known is None else user_folder / known)
    places = [place for place in (data_folder, *elsewhere) if place is not None and (place / STORE_NAME).exists()]
    if note:
        places = [place for place in places if _known(place / STORE_ID_NAME) == note[0]]
    found = next(iter(places), None)
    if found is not None:
        _refuse_emptied(found / STORE_NAME, data_folder)
    return found


def _refuse_emptied(store: Path, data_folder: Path) -> None:
    """Raise where a store is no file, or an empty one though the project was worked on.

    SQLite takes an empty file for a new database; what we wrote into people's files would then pass for theirs. A first
    command that was killed leaves one, too, and no backups.
    """
    way_out = f"put {STORE_NAME} back from a copy, or move it away to begin anew"
    kind = no_file(store)
    if kind is not None:
        raise StoreError(f"store {store}: it is {kind}, not a database; {way_out}")
    if store.stat().st_size == 0 and any(path.is_dir() for path in _inside(data_folder / "backups")):
        raise StoreError(f"store {store}: it is empty, all records are lost; {way_out}")


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def bring_store(
    data_folder: Path,
    configured: Path | None,
    user_folder: Path,
    *,
    is_network: Callable[[Path], bool] = is_network_path,
) -> Path:
    """Return ``store_folder``, after bringing there the database that lies elsewhere; for the holder of the lease.

    Until the new one is whole the old one counts. One beside the project is renamed then; one in this account's folder
    stays, for what we see may be a copy of the project.

    Raises
    ------
    StoreError
        It can't be copied; the configured folder is another project's; or the project's records are in a database that
        this machine doesn't know, and without them what we wrote into people's files would pass for theirs.
    """
    found = find_store(data_folder, configured, user_folder)
    if configured is None and is_network(data_folder):
        found = _part_from_original(data_folder, user_folder, found)
    belongs = store_folder(data_folder, configured, user_folder, is_network=is_network)
    if found is None:
        refuse_unknown(data_folder, belongs)
    elif not _is_same(found, belongs):
        _copy_store(found / STORE_NAME, belongs / STORE_NAME)
        logger.info("database brought from %s to %s", found, belongs)
    _leave_notes(data_folder, belongs)
    if not _is_same(belongs, data_folder) and (belongs / STORE_NAME).is_file():
        with suppress(FileNotFoundError):
            (data_folder / STORE_NAME).replace(data_folder / MOVED_NAME)
    return belongs


def refuse_unknown(data_folder: Path, belongs: Path) -> None:
    """Raise where ``find_store`` found none, though the project has records.

    Raises
    ------
    StoreError
        They are on another machine, in another account, or in a folder that the settings named before.
    """
    note = data_folder / NOTE_NAME
    said = _lines(note)
    if said and said[0] != _known(belongs / STORE_ID_NAME):
        raise StoreError(
            f"{data_folder}: {' '.join(said[1:])}, not in {belongs}; work from there, or copy {STORE_NAME} to this"
            f" folder and remove {note.name}"
        )


def _refuse_anothers(data_folder: Path, configured: Path) -> None:
    """Raise where the configured folder has another project's database: a setting that several projects share."""
    said, store_id = _lines(configured / OWNER_NAME), _known(configured / STORE_ID_NAME)
    owner = Path(said[0]) if said else data_folder
    if _is_same(owner, data_folder) or not owner.is_dir():
        return  # ours, or of a project that was moved here, or is no more
    is_ours_alone = _lines(data_folder / NOTE_NAME)[:1] == (store_id,) != _lines(owner / NOTE_NAME)[:1]
    if not is_ours_alone:
        raise StoreError(
            f"{configured} has the database of {owner.parent}, not of {data_folder.parent}; give each project a [store]"
            " path of its own"
        )


def _is_same(first: Path, second: Path) -> bool:
    return first == second or (first.exists() and second.exists() and first.samefile(second))


def _part_from_original(data_folder: Path, user_folder: Path, found: Path | None) -> Path | None:
    """Give a copy of a project an id of its own, so that the two don't share one database; return where its own is."""
    known = known_project_id(data_folder)
    said = () if known is None else _lines(user_folder / known / OWNER_NAME)
    owner = Path(said[0]) if said else data_folder
    if known is None or _is_same(owner, data_folder) or known_project_id(owner) != known:
        return found
    logger.info("%s is a copy of %s: it goes on with a copy of its database", data_folder, owner)
    own = str(uuid.uuid4())
    if found is not None and not _is_same(found, data_folder):  # first, for by the new id no other one is found
        _copy_store(found / STORE_NAME, user_folder / own / STORE_NAME)
        replace_whole(user_folder / own / STORE_ID_NAME, (found / STORE_ID_NAME).read_bytes())  # as the note has it
        found = user_folder / own
    replace_whole(data_folder / ID_NAME, f"{own}\n".encode())
    return found


def _leave_notes(data_folder: Path, belongs: Path) -> None:
    """Say in the project which database has its records, where that isn't beside it, and there whose they are."""
    note = data_folder / NOTE_NAME
    try:
        if _is_same(belongs, data_folder):
            note.unlink(missing_ok=True)
            return
        store_id = _made_once(belongs / STORE_ID_NAME)
        _say(belongs / OWNER_NAME, str(data_folder))
        _say(note, store_id, f"the project's database is in {belongs}", f"on {this_host()}")
    except OSError as error:
        raise StoreError(f"{note}: {error.strerror}; make its folder writable") from error


def _say(path: Path, *lines: str) -> None:
    if _lines(path)[:1] != lines[:1]:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, "\n".join((*lines, "")).encode())


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text("utf-8").splitlines())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make it readable") from error


def _copy_store(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(target, is_shared=True) as temp,  # what lies there was brought away, or is a crash's copy
            closing(sqlite3.connect(source)) as old,
            closing(sqlite3.connect(temp)) as new,
        ):
            old.backup(new)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"store {source}: not copied to {target.parent}: {error}; it stays where it is") from error


def _made_once(path: Path) -> str:
    known = _known(path)
    try:
        if known is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_once(path, f"{uuid.uuid4()}\n".encode())
            known = _known(path)  # another process may have been faster
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make its folder writable") from error
    assert known is not None
    return known


def _known(path: Path) -> str | None:
    try:
        return str(uuid.UUID(path.read_text("ascii").strip()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make it readable") from error
    except ValueError as error:
        raise StoreError(f"{path} holds no id; put it back from a copy") from error


def _write_once(path: Path, data: bytes) -> None:
    temp = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_new(temp, data)
    try:
        create_exclusively(temp, path)
    except FileExistsError:
        temp.unlink()
