"""Where configurations are run: in this process, or in processes of this machine."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from ..errors import StudyError, show
from .limits import LATE, late
from .lowering import Base
from .runner import Chunk
from .serve import SWITCH
from .work import Outcome, Worker

Ended = list[tuple[Chunk, list[Outcome], str]]
DEATHS = 3
"""So many workers in a row may die of one chunk before the study gives up."""
START = ("import sys; sys.path[:] = {path!r}; from neuro_lif.study.serve import serve; "
         "serve({fd}, {threads})")  # fmt: skip


class Here:
    """Runs chunks in this process, one after the other.

    Args:
        base: the study's.
        threads: of each run.
    """

    size = lanes = 1
    trouble = ""

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
        since: when it began what is under way, as far as is known here; never too early.
        outbox: what is to be sent, the study first; None ends it.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    given: deque[Chunk] = field(default_factory=deque)
    has: set[str] = field(default_factory=set)
    making: Chunk | None = None
    ready: bool = False
    since: float = 0.0
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

    def kill(self) -> None:
        """End a process that does not listen, and what it may have started itself."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it began a session of its own
        self.process.kill()

    @property
    def name(self) -> str:
        return f"process {self.process.pid}"


@dataclass(eq=False)
class _Whole:
    """A chunk whose items are done one by one.

    Args:
        chunk: which.
        outcomes: of its items, as far as they are there.
    """

    chunk: Chunk
    outcomes: dict[str, Outcome] = field(default_factory=dict)


class Processes:
    """Worker processes of this machine; each is sent the study once.

    They are started by command, not forked, and never import the caller's script. One that dies is
    replaced, and what it had is done again. So is one that takes longer than it may: what was
    handed to it at once is done one by one, and what alone takes too long is an error then.

    Args:
        base: the study's.
        workers: how many.
        timeout: s that one configuration may take; None: any time.
        threads: of each run; None: all processors.

    Raises:
        StudyError: the study cannot be sent (a measuring function of a script, say).
    """

    trouble = ""

    def __init__(
        self, base: Base, workers: int, timeout: float | None = None, threads: int | None = 1
    ) -> None:
        self._blob = packed(base)
        self._timeout, self._threads = timeout, threads
        self._parts: dict[Chunk, _Whole] = {}
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
                [sys.executable, "-c",
                 START.format(path=sys.path, fd=fd, threads=self._threads)],
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
        for connection in wait(list(by_connection), self._patience(seconds)):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                ended += self._heard(worker, pickle.loads(worker.connection.recv_bytes()))
            except (EOFError, OSError):
                ended += self._replace(worker)
        for worker in list(self._workers):
            if self._left(worker) <= 0 and not worker.connection.poll():
                ended += self._cut(worker)
        self._hand_out()
        return ended

    def _left(self, worker: _Process) -> float:
        """Return the seconds that a worker has left for what is under way."""
        if self._timeout is None or not (worker.given or worker.making):
            return float("inf")
        return worker.since + self._timeout - time.monotonic()

    def _patience(self, seconds: float) -> float:
        """Return how long to wait, so that none takes much longer than it may."""
        return max(0.0, min(seconds, *(self._left(w) for w in self._workers)))

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
        worker.since = time.monotonic()
        return self._ended(worker.given.popleft(), content, worker)

    def _ended(self, chunk: Chunk, outcomes: list[Outcome], worker: _Process) -> Ended:
        """Return a chunk that is done; of what is done one by one, the whole with its last."""
        whole = self._parts.pop(chunk, None)
        if whole is None:
            return [(chunk, outcomes, worker.name)]
        whole.outcomes[chunk.items[0].key] = outcomes[0]
        if len(whole.outcomes) < len(whole.chunk.items):
            return []
        return [(whole.chunk, [whole.outcomes[i.key] for i in whole.chunk.items], worker.name)]

    def _one_by_one(self, chunk: Chunk) -> list[Chunk]:
        """Return the items of a chunk as chunks: whose doing it was shows then."""
        whole = _Whole(chunk)
        parts = [Chunk((item,), True, chunk.lane) for item in chunk.items]
        self._parts |= dict.fromkeys(parts, whole)
        return parts

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
                worker.since = time.monotonic()
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
        if not worker.given:
            worker.since = time.monotonic()
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
        if worker.making is not None:
            network, item = worker.making.network, worker.making.items[0]
            if self._died_of(f"float {network}"):
                raise StudyError(
                    f"{DEATHS} workers in a row died (exit status {code}) in the float run of "
                    f"{show(dict(item.configuration), 200)} (is there enough memory?); what others "
                    "gave is stored"
                )
            del self._references[network]
        elif worker.given:
            ended = self._given_up(worker, code)
        self._start_again(worker)
        return ended

    def _start_again(self, worker: _Process) -> None:
        """Put another worker in the place of one that has ended; what it had comes first."""
        self._waiting.extendleft(reversed(worker.given))
        self._workers[self._workers.index(worker)] = self._start()

    def _died_of(self, key: str) -> bool:
        """Note that a worker died of a piece of work; tell whether that was the last try."""
        self._deaths[key] = self._deaths.get(key, 0) + 1
        return self._deaths[key] >= DEATHS

    def _given_up(self, worker: _Process, code: int) -> Ended:
        """Return what a worker died of, where others had before; of several, have each tried."""
        chunk = worker.given[0]
        if len(chunk.items) > 1:
            worker.given.popleft()
            worker.given.extendleft(reversed(self._one_by_one(chunk)))
            return []
        if not self._died_of(chunk.items[0].key):
            return []
        worker.given.popleft()
        lost = f"{DEATHS} workers in a row died (exit status {code})"
        return self._ended(chunk, [Outcome("", None, 0.0, 0.0, lost=lost)], worker)

    def _cut(self, worker: _Process) -> Ended:
        """End a worker that takes longer than it may, and start another."""
        timeout, ended = self._timeout or 0.0, Ended()
        worker.kill()
        worker.end()
        if worker.making is not None:
            error = late(timeout, "float64 reference")
            self._references[worker.making.network] = pickle.dumps(error, -1)
        else:
            chunk = worker.given.popleft()
            if len(chunk.items) > 1:
                worker.given.extendleft(reversed(self._one_by_one(chunk)))
            else:
                taken = time.monotonic() - worker.since
                out = Outcome("", f"{LATE} {late(timeout)}", taken, 0.0)
                ended = self._ended(chunk, [out], worker)
        self._start_again(worker)
        return ended

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
                "allowed: a function of a module, or workers=1 without a timeout"
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
