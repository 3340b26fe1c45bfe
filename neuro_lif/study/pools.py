"""Where configurations are run: in this process, or in processes of this machine."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from ..errors import NeuroLifError, StudyError, show
from .lowering import Base
from .runner import Chunk
from .work import Outcome, Worker

Ended = list[tuple[Chunk, list[Outcome], str]]
DEATHS = 3
"""So many workers in a row may die of one chunk before the study gives up."""
SWITCH = 2e-4
"""Seconds after which one thread lets the other have Python's lock: the engine waits for it."""
START = ("import sys; sys.path[:] = {path!r}; from neuro_lif.study.pools import serve; "
         "serve({fd})")  # fmt: skip


class Here:
    """Runs chunks in this process, one after the other.

    Args:
        base: the study's.
        threads: of each run.
    """

    size = lanes = 1

    def __init__(self, base: Base, threads: int | None = None) -> None:
        self._worker, self._waiting = Worker(base, threads), deque[Chunk]()

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._waiting.append(chunk)

    def wait(self, seconds: float) -> Ended:
        """Run the next chunk."""
        chunk = self._waiting.popleft()
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        try:
            outcomes = self._worker.run_all([i.configuration for i in chunk.items])
        finally:
            sys.setswitchinterval(before)
        return [(chunk, outcomes, "here")]

    def close(self) -> None:
        """There is nobody to stop."""


@dataclass(eq=False)
class _Process:
    """One worker process.

    Args:
        process: its handle.
        connection: to it.
        given: chunks that it has not ended yet, the first being under way.
        has: float networks whose reference it has.
        making: the chunk whose reference it was asked for.
        ready: whether it has read the study.
        outbox: what is to be sent, the study first; None ends it.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    given: deque[Chunk] = field(default_factory=deque)
    has: set[str] = field(default_factory=set)
    making: Chunk | None = None
    ready: bool = False
    outbox: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        # in a thread of its own: a pipe holds little, and a worker that is busy, or is sending
        # much itself, reads late; who waited for that here would not hear what it sends
        self.sender = threading.Thread(target=_send, args=(self.connection, self.outbox),
                                       daemon=True)  # fmt: skip
        self.sender.start()

    def end(self) -> int:
        """Wait for a process that ends; close what led to it; return its exit status."""
        code = self.process.wait()
        self.outbox.put(None)
        self.sender.join()
        self.connection.close()
        return code

    @property
    def name(self) -> str:
        return f"process {self.process.pid}"


class Processes:
    """Worker processes of this machine; each is sent the study once.

    They are started by command, not forked, and never import the caller's script. One that dies is
    replaced, and what it had is done again.

    Args:
        base: the study's.
        workers: how many.

    Raises:
        StudyError: the study cannot be sent (a measuring function of a script, say).
    """

    def __init__(self, base: Base, workers: int) -> None:
        self._blob = packed(base)
        self._waiting: deque[Chunk] = deque()
        self._references: dict[str, bytes | None] = {}
        self._deaths: dict[str, int] = {}
        self._stillborn = 0
        self.size, self.lanes = 2 * workers, workers
        self._workers: list[_Process] = []
        try:
            for _ in range(workers):
                self._workers.append(self._start())
        except BaseException:
            self.close()
            raise

    def _start(self) -> _Process:
        ours, theirs = Pipe()
        fd = theirs.fileno()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", START.format(path=sys.path, fd=fd)],
                pass_fds=[fd], stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        worker = _Process(process, ours)
        worker.outbox.put(self._blob)
        return worker

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._waiting.append(chunk)
        self._hand_out()

    def wait(self, seconds: float) -> Ended:
        """Return chunks that are done; none after so many seconds."""
        ended: Ended = []
        by_connection = {w.connection: w for w in self._workers}
        for connection in wait(list(by_connection), seconds):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                ended += self._heard(worker, pickle.loads(worker.connection.recv_bytes()))
            except (EOFError, OSError):
                ended += self._replace(worker)
        self._hand_out()
        return ended

    def _heard(self, worker: _Process, message: tuple[str, Any]) -> Ended:
        kind, content = message
        if kind == "failed":
            raise StudyError(f"a worker failed:\n{content}")
        if kind == "ready":
            worker.ready, self._stillborn = True, 0
            return []
        if kind == "reference" and worker.making is not None:
            self._references[worker.making.network] = content
            worker.has.add(worker.making.network)
            worker.making = None
            return []
        chunk = worker.given.popleft()
        return [(chunk, content, worker.name)]

    def _hand_out(self) -> None:
        """Give every worker that has room something to do; the idle ones first."""
        for room in (1, 2):
            for lane, worker in enumerate(self._workers):
                while len(worker.given) < room and self._next(worker, lane):
                    pass

    def _next(self, worker: _Process, lane: int) -> bool:
        """Give a worker the next chunk that is ready; False where there is none.

        Chunks of its own lane come first, as it has lowered their network before; another lane's
        are for the idle.
        """
        if worker.making is not None or not worker.ready:
            return False
        own = [chunk for chunk in self._waiting if chunk.lane == lane]
        others = [] if worker.given else [c for c in self._waiting if c.lane != lane]
        for chunk in (*own, *others):
            if chunk.shared and chunk.network not in self._references:
                if worker.given:
                    continue
                self._references[chunk.network], worker.making = None, chunk
                self._tell(worker, ("reference", chunk.items[0].configuration))
                return False
            reference = self._references.get(chunk.network)
            if chunk.shared and reference is None:
                continue  # somebody is at it
            self._waiting.remove(chunk)
            self._give(worker, chunk, reference)
            return True
        return False

    def _give(self, worker: _Process, chunk: Chunk, reference: bytes | None) -> None:
        send = reference if chunk.shared and chunk.network not in worker.has else None
        worker.has.add(chunk.network)
        worker.given.append(chunk)
        configurations = [i.configuration for i in chunk.items]
        self._tell(worker, ("chunk", (configurations, chunk.network, send)))

    def _tell(self, worker: _Process, message: tuple[str, Any]) -> None:
        worker.outbox.put(pickle.dumps(message, -1))

    def _replace(self, worker: _Process) -> Ended:
        """Start another worker for one that died; what it had comes first.

        Returns:
            The chunk that every worker died of, given up.
        """
        code = worker.end()
        self._stillborn += not worker.ready
        if self._stillborn >= DEATHS:
            raise StudyError(f"{DEATHS} workers in a row ended (exit status {code}) before they "
                             "had read the study; what they said is above")  # fmt: skip
        ended: Ended = []
        if worker.given:
            ended = self._given_up(worker, code)
        self._waiting.extendleft(reversed(worker.given))
        if worker.making is not None:
            network, item = worker.making.network, worker.making.items[0]
            if self._died_of(f"float {network}"):
                raise StudyError(
                    f"{DEATHS} workers in a row died (exit status {code}) in the float run of "
                    f"{show(dict(item.configuration), 200)} (is there enough memory?); what others "
                    "gave is stored"
                )
            del self._references[network]
        self._workers[self._workers.index(worker)] = self._start()
        return ended

    def _died_of(self, key: str) -> bool:
        """Note that a worker died of a piece of work; tell whether that was the last try."""
        self._deaths[key] = self._deaths.get(key, 0) + 1
        return self._deaths[key] >= DEATHS

    def _given_up(self, worker: _Process, code: int) -> Ended:
        """Return the chunk that a worker died of, where others had died of it before."""
        chunk = worker.given[0]
        if not self._died_of(chunk.items[0].key):
            return []
        worker.given.popleft()
        among = f" of it or of one of the {len(chunk.items) - 1} run with it"
        lost = (f"{DEATHS} workers in a row died (exit status {code})"
                f"{among if len(chunk.items) > 1 else ''}")  # fmt: skip
        return [(chunk, [Outcome("", None, 0.0, 0.0, lost=lost)] * len(chunk.items), worker.name)]

    def close(self) -> None:
        """Stop the workers."""
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + 2.0
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
            worker.end()
        self._workers.clear()


def packed(base: Base) -> bytes:
    """Return the study as it is sent.

    Raises:
        StudyError: something of it cannot be sent to another process.
    """
    for function in base.more:
        if getattr(function, "__module__", "__main__") == "__main__":
            raise StudyError(
                f"measure = {show(function)}: of the script itself, which workers do not import, "
                "allowed: a function of a module, or workers=1"
            )
    try:
        return pickle.dumps(base, -1)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise StudyError(f"the study cannot be sent to a worker: {error}") from None


def _send(connection: Connection, outbox: queue.SimpleQueue[bytes | None]) -> None:
    try:
        while (content := outbox.get()) is not None:
            connection.send_bytes(content)
    except OSError:
        pass  # the worker is dead, which the next wait tells


# -------------------------------------------------------------------------------- a worker


def serve(fd: int) -> None:
    """Be a worker: take chunks from a connection until it ends."""
    sys.setswitchinterval(SWITCH)
    sys.stdout = sys.stderr  # what a measuring function prints
    with Connection(fd) as connection:
        try:
            _serve(connection)
        except (EOFError, OSError):
            return  # whoever asked is gone


def _serve(connection: Connection) -> None:
    worker = Worker(pickle.loads(connection.recv_bytes()), threads=1)

    def answer(kind: str, content: Any) -> None:
        connection.send_bytes(pickle.dumps((kind, content), -1))

    answer("ready", None)
    while True:
        kind, content = pickle.loads(connection.recv_bytes())
        try:
            out = _answer(worker, kind, content)
        except (MemoryError, RuntimeError, OSError):
            kind, out = "failed", traceback.format_exc()
        answer(kind, out)
        if kind == "failed":
            return


def _answer(worker: Worker, kind: str, content: Any) -> Any:
    if kind == "reference":
        return reference_bytes(worker, content)
    configurations, network, reference = content
    if reference is not None:
        worker.give_reference(network, pickle.loads(reference))
    return worker.run_all(configurations)


def reference_bytes(worker: Worker, configuration: Any) -> bytes:
    """Return the reference of a configuration, or the error that it is, as it is sent."""
    try:
        return pickle.dumps(worker.reference(configuration), -1)
    except NeuroLifError as error:
        return pickle.dumps(type(error)(str(error)), -1)
