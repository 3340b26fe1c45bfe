"""The store of a study: one SQLite file (WAL), each result once, whoever writes and dies.

Tables: ``meta`` (format, what the study is), ``results`` (key, configuration, measures or error),
``times`` (what differs from run to run), ``claims`` (who works on what right now).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import expect_path
from ..errors import StudyError
from ..npz import replacing
from .digests import canonical
from .limits import LATE, settled

FORMAT = "neuro-lif-study/1"
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
  key TEXT PRIMARY KEY, configuration TEXT NOT NULL, result TEXT NOT NULL, error TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS times (
  key TEXT PRIMARY KEY, seconds REAL, engine REAL, worker TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writers (owner TEXT PRIMARY KEY, beat REAL NOT NULL) WITHOUT ROWID;
"""
LATE_ERROR = f"CASE WHEN error GLOB '{LATE}*' THEN error END"
"""The error of what ran out of time; other errors need not be read."""
STALE = 30.0
"""Seconds without a sign of life after which a writer counts as dead; one of this machine does so
as soon as its process is gone."""
WAIT = 60.0
"""Seconds to wait for another writer's transaction."""


@dataclass(frozen=True)
class Stored:
    """One result.

    Args:
        key: SHA-256, hexadecimal.
        configuration: as canonical JSON.
        result: measures as canonical JSON; empty where there is an error.
        error: why there are none.
        seconds, engine, worker: what differs from run to run.
        arrays: content of the file that is kept beside; not read back.
    """

    key: str
    configuration: str
    result: str
    error: str | None
    seconds: float = 0.0
    engine: float = 0.0
    worker: str = ""
    arrays: bytes | None = None


class Store:
    """The results of a study in one file; with several writers at once.

    Args:
        path: the file; None: in memory, for as long as this object lives.
        identity: what the study is; None: whatever the file says.

    Raises:
        StudyError: the file is none of a study, of another format or of another study, or it
            cannot be read or written; names the file.
    """

    def __init__(self, path: str | Path | None, identity: Mapping[str, Any] | None = None) -> None:
        self.path = None if path is None else expect_path(path, "Study: store", StudyError)
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:12]}"
        if self.path is not None and identity is None and not self.path.is_file():
            raise StudyError(f"study {str(self.path)!r}: no such file")
        self.read_only = self.path is not None and _only_read(self.path)
        with self._told("opened"):
            self._db = sqlite3.connect(
                self._address, uri=self.read_only, timeout=WAIT, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
        try:
            with self._told("opened"):
                self._prepare(identity)
        except StudyError:
            self._db.close()
            raise

    @property
    def _address(self) -> str:
        """What SQLite is asked for; a file that nobody writes is read without a log beside it."""
        if self.path is None or not self.read_only:
            return ":memory:" if self.path is None else str(self.path)
        still = not self.path.with_name(self.path.name + "-wal").exists()
        return f"{self.path.resolve().as_uri()}?mode=ro{'&immutable=1' if still else ''}"

    def _prepare(self, identity: Mapping[str, Any] | None) -> None:
        names = {r[0] for r in self._db.execute("SELECT name FROM sqlite_master")}
        if names and "meta" not in names:
            raise StudyError(f"{self.name}: an SQLite file of something else (tables "
                             f"{', '.join(sorted(names))[:60]}), allowed: a study's file, or a "
                             "new name")  # fmt: skip
        if not self.read_only:
            self._log_ahead()
        if not names:
            if identity is None:
                raise StudyError(f"{self.name}: empty, allowed: a study's file")
            with self._transaction():
                for statement in TABLES.split(";\n"):
                    self._db.execute(statement)
                for name, value in (("format", FORMAT), ("identity", canonical(identity))):
                    self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        found = self.meta("format")
        if found != FORMAT:
            raise StudyError(f"{self.name}: format = {found!r}, allowed: {FORMAT!r}")
        self._check(identity)

    def _log_ahead(self) -> None:
        """Switch to a log ahead of the file; another process may be doing so right now."""
        until = time.monotonic() + WAIT
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
        self._db.execute("PRAGMA synchronous=NORMAL")

    def _check(self, identity: Mapping[str, Any] | None) -> None:
        """Refuse the results of another study, saying what differs."""
        own = self.identity
        if identity is None or canonical(own) == canonical(identity):
            return
        if self._replaced(identity):
            return
        wanted = json.loads(canonical(identity))
        apart = [n for n in {**own, **wanted} if own.get(n) != wanted.get(n)]
        shown = "; ".join(f"{n}: {_short(own.get(n))} there, {_short(wanted.get(n))} here"
                          for n in apart)  # fmt: skip
        raise StudyError(f"{self.name}: holds another study ({shown}), allowed: the same study, or "
                         "another file name")  # fmt: skip

    def _replaced(self, identity: Mapping[str, Any]) -> bool:
        """Give a file without results, at which nobody works, to another study; tell whether."""
        if self.read_only or self.others() or self._db.execute("SELECT 1 FROM results").fetchone():
            return False
        with self._transaction():
            if self._db.execute("SELECT 1 FROM results").fetchone():
                return False
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'identity'",
                             (canonical(identity),))  # fmt: skip
        return True

    @property
    def name(self) -> str:
        """The file in messages."""
        return "study in memory" if self.path is None else f"study {str(self.path)!r}"

    @property
    def identity(self) -> dict[str, Any]:
        """What the stored study is."""
        return dict(json.loads(self.meta("identity") or "{}"))

    def meta(self, name: str) -> str | None:
        """Return a fact about the study."""
        with self._told("read"):
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    # ---------------------------------------------------------------------------- results

    def done(self, timeout: float | None = None) -> set[str]:
        """Return the keys of all results, but of those that another limit gives more time.

        Args:
            timeout: s that a configuration may take; None: any time.
        """
        with self._told("read"):
            found = self._db.execute(f"SELECT key, {LATE_ERROR} FROM results")
            return {key for key, error in found if settled(error, timeout)}

    def rows(self) -> Iterator[Stored]:
        """Yield all results, in order of keys."""
        query = ("SELECT r.key, configuration, result, error, seconds, engine, worker "
                 "FROM results r LEFT JOIN times t ON r.key = t.key ORDER BY r.key")  # fmt: skip
        with self._told("read"):
            found = self._db.execute(query).fetchall()
        for key, configuration, result, error, seconds, engine, worker in found:
            yield Stored(key, configuration, result, error, seconds or 0.0, engine or 0.0,
                         worker or "")  # fmt: skip

    def row(self, key: str) -> Stored:
        """Return one result by its key or the beginning of it.

        Raises:
            StudyError: there is none, or several begin so.
        """
        found = [row for row in self.rows() if row.key.startswith(key)] if key else []
        if len(found) != 1:
            what = "no result" if not found else f"{len(found)} results"
            raise StudyError(f"{self.name}: key = {key!r}: {what}, allowed: a key of the table, or "
                             "the beginning of one")  # fmt: skip
        return found[0]

    def add(self, results: Sequence[Stored]) -> None:
        """Store results, all or none; what is there already stays as it is.

        Raises:
            StudyError: the file cannot be written, e.g. the disk is full. Nothing is lost of what
                was stored before.
        """
        with self._told("written"):
            for r in results:
                if r.arrays is not None and self.path is not None:
                    self._write_arrays(r.key, r.arrays)
            with self._transaction():
                self._drop_late([(r.key,) for r in results])
                self._db.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
                                     [(r.key, r.configuration, r.result, r.error)
                                      for r in results])  # fmt: skip
                self._db.executemany("INSERT OR IGNORE INTO times VALUES (?, ?, ?, ?)",
                                     [(r.key, r.seconds, r.engine, r.worker)
                                      for r in results])  # fmt: skip
                self._db.executemany(
                    "DELETE FROM claims WHERE key = ?", [(r.key,) for r in results]
                )
                self._beat()

    def _drop_late(self, keys: Sequence[tuple[str]]) -> None:
        """Make room for results of what had run out of time before."""
        late = f"error GLOB '{LATE}*'"
        self._db.executemany(
            f"DELETE FROM times WHERE key IN (SELECT key FROM results WHERE key = ? AND {late})",
            keys,
        )
        self._db.executemany(f"DELETE FROM results WHERE key = ? AND {late}", keys)

    def arrays_path(self, key: str) -> Path:
        """Return where the arrays of a result are kept."""
        if self.path is None:
            raise StudyError(f"{self.name}: keeps no arrays, allowed: a study with store=a file")
        return self.path.with_name(self.path.name + ".arrays") / f"{key}.npz"

    def _write_arrays(self, key: str, content: bytes) -> None:
        path = self.arrays_path(key)
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            with replacing(path) as temporary:
                temporary.write_bytes(content)

    # ---------------------------------------------------------------------------- writers

    def claim(self, keys: Iterable[str], most: int, timeout: float | None = None) -> list[str]:
        """Claim up to ``most`` of some keys that nobody has done or works on; return them.

        ``timeout`` as of :meth:`done`.
        """
        ask = f"SELECT {LATE_ERROR} FROM results WHERE key = ?"
        taken: list[str] = []
        with self._told("written"), self._transaction():
            self._drop_dead()
            self._beat()
            for key in keys:
                if len(taken) == most:
                    break
                done = self._db.execute(ask, (key,)).fetchone()
                if done is None or not settled(done[0], timeout):
                    row = (key, self.owner)
                    n = self._db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", row).rowcount
                    taken += [key] * n
        return taken

    def release(self) -> None:
        """Give back what was claimed and not done."""
        with self._told("written"), self._transaction():
            self._db.execute("DELETE FROM claims WHERE owner = ?", (self.owner,))
            self._db.execute("DELETE FROM writers WHERE owner = ?", (self.owner,))

    def others(self) -> list[str]:
        """Return the other writers that are alive."""
        with self._told("read"):
            rows = self._db.execute("SELECT owner, beat FROM writers").fetchall()
        return [o for o, beat in rows if o != self.owner and _alive(o, beat)]

    def _beat(self) -> None:
        self._db.execute("INSERT OR REPLACE INTO writers VALUES (?, ?)", (self.owner, time.time()))

    def beat(self) -> None:
        """Tell other writers that this one is alive."""
        with self._told("written"), self._transaction():
            self._beat()

    def _drop_dead(self) -> None:
        for owner, beat in self._db.execute("SELECT owner, beat FROM writers").fetchall():
            if owner != self.owner and not _alive(owner, beat):
                self._db.execute("DELETE FROM claims WHERE owner = ?", (owner,))
                self._db.execute("DELETE FROM writers WHERE owner = ?", (owner,))

    # ---------------------------------------------------------------------------- file

    def close(self) -> None:
        """Close the file; with the last writer the log beside it goes."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what SQLite and the system say into one kind of error that names the file."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, (sqlite3.OperationalError, sqlite3.IntegrityError)
            )
            if broken:
                then = "allowed: a study's file; this one is damaged or of something else"
            elif what == "opened":
                then = "allowed: a file that can be made and read there (is the disk full?)"
            else:
                then = ("what was stored is whole, and the same study goes on from there once this "
                        "is mended")  # fmt: skip
            raise StudyError(f"{self.name}: cannot be {what}: {error}; {then}") from error


def _only_read(path: Path) -> bool:
    """Tell whether a file is there that can be read, and neither it nor its folder be written."""
    if not path.is_file():
        return False
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _alive(owner: str, beat: float) -> bool:
    """Tell whether a writer lives, by its last sign and, on this machine, by its process."""
    if time.time() - beat > STALE:
        return False
    host, pid, _ = owner.rsplit("/", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is somebody else's
        return True
    return True


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 20 else text[:13] + "..."
