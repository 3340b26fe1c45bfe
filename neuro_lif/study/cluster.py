"""The same configurations on a Dask cluster: a scheduler's address, or a Client."""

from __future__ import annotations

import pickle
import queue
import threading
import time
from typing import Any

from ..errors import StudyError
from .limited import Limited
from .limits import Limits
from .lowering import Base
from .pools import Ended, packed
from .runner import Chunk
from .serve import reference_bytes
from .tables import needed
from .work import Outcome, Worker

CONNECT = 10.0
"""Seconds for a scheduler to answer."""
LOST = 3
"""So often what went with its workers is asked for again."""
LOOK, QUIET = 2.0, 5.0
"""Seconds between two looks at a cluster that gives no results; and without workers until that is
told."""


class Cluster:
    """Runs chunks on the workers of a Dask cluster.

    The study is sent to every worker once, also to those that come later. What a worker that dies
    had is done again by others: Dask sees to that. Once all are gone, :attr:`trouble` says so,
    until there is one again or the time for that is over.

    Args:
        base: the study's.
        scheduler: address, ``tcp://host:port``; None: ``client`` is given.
        client: a ``distributed.Client``.
        limits: how long a configuration may take, and how long it may have no workers.

    Raises:
        StudyError: Dask is not installed, there is no such scheduler, or it has no workers.
    """

    def __init__(
        self, base: Base, scheduler: str | None, client: Any, limits: Limits | None = None
    ) -> None:
        self._limits, self.trouble, self._alone = limits or Limits(), "", 0.0
        distributed = needed("distributed")
        self._own = client is None
        try:
            self._client = _connected(distributed, scheduler) if self._own else client
            cores = sum(self._client.nthreads().values())
        except (OSError, TimeoutError, ValueError) as error:
            raise StudyError(f"scheduler = {scheduler!r}: {error}, allowed: the address of a Dask "
                             "scheduler, as tcp://host:8786") from None  # fmt: skip
        if not cores:
            address = self._client.scheduler.address
            self._leave()
            raise StudyError(f"the cluster at {address} has no workers, "
                             "allowed: at least one (dask worker ADDRESS)")  # fmt: skip
        self.size, self.lanes = 2 * cores, 1
        self._name = f"neuro-lif-{id(self)}-{time.time_ns()}"
        self._client.register_plugin(
            _plugin(self._name, packed(base), self._limits.timeout), name=self._name
        )
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._chunks: dict[Any, tuple[Chunk, Any]] = {}
        self._references: dict[str, Any] = {}
        self._lost: dict[Chunk, int] = {}

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        configurations = [dict(i.configuration) for i in chunk.items]
        reference = None
        if chunk.shared and self._limits.timeout is None:
            reference = self._references.get(chunk.network)
            if reference is None:
                reference = self._client.submit(
                    _reference, self._name, configurations[0], pure=False, priority=1
                )
                self._references[chunk.network] = reference
        future = self._client.submit(
            _chunk, self._name, configurations, chunk.network, reference, pure=False
        )
        self._chunks[future.key] = (chunk, future)
        future.add_done_callback(self._ended.put)

    def wait(self, seconds: float) -> Ended:
        """Return chunks that are done; none after so many seconds."""
        try:
            futures = [self._ended.get(timeout=min(seconds, LOOK))]
        except queue.Empty:
            self._look()
            return []
        self.trouble, self._alone = "", 0.0
        while not self._ended.empty():
            futures.append(self._ended.get())
        return [one for f in futures if (one := self._one(f)) is not None]

    def _look(self) -> None:
        """See whether there are workers.

        Raises:
            StudyError: there were none for as long as may be.
        """
        try:
            why = "" if self._client.nthreads() else "has no workers"
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            why = f"does not answer ({error or type(error).__name__})"
        now = time.monotonic()
        if not why:
            self.trouble, self._alone = "", 0.0
            return
        self._alone = self._alone or now
        most, where = self._limits.worker_wait, f"the cluster at {self._client.scheduler.address}"
        if now - self._alone > most:
            raise StudyError(f"{where} {why}, for {most:g} s (worker_wait); what was stored is "
                             "whole, and the same study goes on from there once there are workers "
                             "(dask worker ADDRESS)")  # fmt: skip
        if now - self._alone >= min(QUIET, most / 2):
            self.trouble = (f"{where} {why}; waiting for them, {most:g} s in all, "
                            "then the run ends")  # fmt: skip

    def _one(self, future: Any) -> tuple[Chunk, list[Outcome], str] | None:
        """Return what a future holds; None where it went with its workers and is asked for again.

        Raises:
            StudyError: it failed.
        """
        chunk, _ = self._chunks.pop(future.key)
        if future.status == "lost" and self._lost.setdefault(chunk, 0) < LOST:
            self._lost[chunk] += 1
            self._references.pop(chunk.network, None)  # it may be lost, too
            self.submit(chunk)
            return None
        if future.status != "finished":
            why = future.exception() if future.status == "error" else future.status
            said = why if isinstance(why, str) else f"{type(why).__name__}: {why}"
            raise StudyError(f"the cluster failed: {said}; what was stored is whole, and the same "
                             "study goes on from there")  # fmt: skip
        outcomes, name = future.result()
        return chunk, outcomes, name

    def close(self) -> None:
        """Give up what is under way; a client that was handed over stays open."""
        from contextlib import suppress

        with suppress(OSError, TimeoutError, ValueError, RuntimeError):
            self._client.cancel([f for _, f in self._chunks.values()])
            self._references.clear()
            self._client.unregister_worker_plugin(self._name)
        self._leave()

    def _leave(self) -> None:
        if self._own:
            self._client.close()


def _connected(distributed: Any, scheduler: str | None) -> Any:
    """Return a client of a scheduler.

    Raises:
        TimeoutError: somebody listens at the address and does not answer; Dask itself waits for
            that for ever.
        OSError, ValueError: as Dask says.
    """
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def connect() -> None:
        try:
            found.put(distributed.Client(scheduler, timeout=CONNECT))
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
            found.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        client = found.get(timeout=1.5 * CONNECT)
    except queue.Empty:
        raise TimeoutError("no answer") from None
    if isinstance(client, Exception):
        raise client
    return client


def _plugin(name: str, blob: bytes, timeout: float | None) -> Any:
    """Return what holds the study in every worker of the cluster."""
    base: Any = needed("distributed").WorkerPlugin

    class Holder(base):  # type: ignore[misc]
        """The study in a worker."""

        def __init__(self) -> None:
            self.name, self.blob, self.timeout = name, blob, timeout

        def setup(self, worker: Any) -> None:
            """Unpack it."""
            study = pickle.loads(self.blob)
            self.worker = Worker(study, threads=1)
            self.limited = None if self.timeout is None else Limited(study, self.timeout)

        def teardown(self, worker: Any) -> None:
            """Stop what was started for it."""
            if self.limited is not None:
                self.limited.close()

    return Holder()


def _held(name: str) -> tuple[Any, str]:
    """Return what holds the study in this worker, and the worker's address."""
    own = needed("distributed").get_worker()
    return own.plugins[name], str(own.address)


def _reference(name: str, configuration: Any) -> bytes:
    return reference_bytes(_held(name)[0].worker, configuration)


def _chunk(
    name: str, configurations: list[Any], network: str, reference: bytes | None
) -> tuple[list[Outcome], str]:
    held, address = _held(name)
    if held.limited is not None:
        return held.limited.run(configurations, network), address
    if reference is not None:
        held.worker.give_reference(network, pickle.loads(reference))
    return held.worker.run_all(configurations), address
