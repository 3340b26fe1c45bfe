"""The same configurations on a Dask cluster: a scheduler's address, or a Client."""

from __future__ import annotations

import pickle
import queue
import threading
import time
from typing import Any

from ..errors import StudyError
from .lowering import Base
from .pools import Ended, packed, reference_bytes
from .runner import Chunk
from .tables import needed
from .work import Outcome, Worker

CONNECT = 10.0
"""Seconds for a scheduler to answer."""


class Cluster:
    """Runs chunks on the workers of a Dask cluster.

    The study is sent to every worker once, also to those that come later. What a worker that dies
    had is done again by others: Dask sees to that.

    Args:
        base: the study's.
        scheduler: address, ``tcp://host:port``; None: ``client`` is given.
        client: a ``distributed.Client``.

    Raises:
        StudyError: Dask is not installed, there is no such scheduler, or it has no workers.
    """

    def __init__(self, base: Base, scheduler: str | None, client: Any) -> None:
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
        self._client.register_plugin(_plugin(self._name, packed(base)), name=self._name)
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._chunks: dict[Any, tuple[Chunk, Any]] = {}
        self._references: dict[str, Any] = {}

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        configurations = [dict(i.configuration) for i in chunk.items]
        reference = None
        if chunk.shared:
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
            futures = [self._ended.get(timeout=seconds)]
        except queue.Empty:
            return []
        while not self._ended.empty():
            futures.append(self._ended.get())
        return [self._one(f) for f in futures]

    def _one(self, future: Any) -> tuple[Chunk, list[Outcome], str]:
        chunk, _ = self._chunks.pop(future.key)
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


def _plugin(name: str, blob: bytes) -> Any:
    """Return what holds the study in every worker of the cluster."""
    base: Any = needed("distributed").WorkerPlugin

    class Holder(base):  # type: ignore[misc]
        """The study in a worker."""

        def __init__(self) -> None:
            self.name, self.blob = name, blob

        def setup(self, worker: Any) -> None:
            """Unpack it."""
            self.worker = Worker(pickle.loads(self.blob), threads=1)

    return Holder()


def _held(name: str) -> tuple[Worker, str]:
    own = needed("distributed").get_worker()
    return own.plugins[name].worker, str(own.address)


def _reference(name: str, configuration: Any) -> bytes:
    return reference_bytes(_held(name)[0], configuration)


def _chunk(
    name: str, configurations: list[Any], network: str, reference: bytes | None
) -> tuple[list[Outcome], str]:
    worker, address = _held(name)
    if reference is not None:
        worker.give_reference(network, pickle.loads(reference))
    return worker.run_all(configurations), address
