"""A worker process of a study: takes chunks from a connection until it ends."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ..errors import NeuroLifError
from .work import Worker

SWITCH = 2e-4
"""Seconds after which one thread lets the other have Python's lock: the engine waits for it."""
LOOK = 1.0
"""Seconds between two looks whether who started this process still lives."""


def serve(fd: int, threads: int | None = 1) -> None:
    """Be a worker: take chunks from a connection until it ends.

    Args:
        fd: of the connection.
        threads: of each run; None: all processors.
    """
    sys.setswitchinterval(SWITCH)
    sys.stdout = sys.stderr  # what a measuring function prints
    # who hangs in a configuration does not hear that the connection has ended
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with Connection(fd) as connection:
        try:
            _serve(connection, threads)
        except (EOFError, OSError):
            return  # whoever asked is gone


def _end_with(parent: int) -> None:
    """End this process once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)


def _serve(connection: Connection, threads: int | None) -> None:
    worker = Worker(pickle.loads(connection.recv_bytes()), threads)

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
