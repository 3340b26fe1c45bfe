"""Traces in NIR's own container, NIRData: read back, on a grid or as events.

Source: nir 1.0.8, ``nir/data_ir/graph.py`` and ``read_data``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, RangeError, show
from .fields import Array
from .hdf import MOST_BYTES, import_h5py

MOST_GRID = 2**28
"""Entries of events on a grid."""
SECONDS = 60
SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class Observable:
    """What was recorded of a node.

    Args:
        kind: ``TimeGriddedData``, ``EventData`` or ``ValuedEventData``.
        arrays: ``data`` (samples, steps, neurons); or ``idx``, ``time`` (s) and maybe ``value``,
            each (samples, events), where an index of -1 is no event.
        numbers: ``dt`` (s); or ``n_neurons`` and ``t_max`` (s).
    """

    kind: str
    arrays: Mapping[str, Array]
    numbers: Mapping[str, float]

    def grid(self, dt: float | None = None) -> Array:
        """Return ``(samples, steps, neurons)``; events are counted, or their values added up.

        Args:
            dt: the step of events, s; None only for what is on a grid. An event belongs to the step
                ``floor(time / dt)``, where a time within 1e-6 steps below a step belongs to it, as
                0.3 s do to step 3 of 0.1 s.

        Raises:
            RangeError: no step for events, or so many entries that they are not made.
        """
        if self.kind == "TimeGriddedData":
            return self.arrays["data"]
        if dt is None or not 0 < dt < np.inf:
            raise RangeError(f"dt = {show(dt)}, allowed: a step > 0 s, to put events on a grid")
        idx, time = self.arrays["idx"], self.arrays["time"]
        shape = (len(idx), round(self.numbers["t_max"] / dt), int(self.numbers["n_neurons"]))
        if np.prod(shape, dtype=object) > MOST_GRID:
            raise RangeError(f"events on a grid {shape}, allowed: at most {MOST_GRID} entries "
                             "(a longer dt)")  # fmt: skip
        there = (idx >= 0) & np.isfinite(time)
        sample, _ = np.nonzero(there)
        step = np.floor(time[there] / dt + 1e-6).astype(np.int64)
        neuron = idx[there].astype(np.int64)
        inside = (step >= 0) & (step < shape[1]) & (neuron < shape[2])
        if not inside.all():
            raise RangeError(f"an event of neuron {neuron[~inside][0]} in step "
                             f"{step[~inside][0]}, allowed: within {shape[1]} steps and "
                             f"{shape[2]} neurons")  # fmt: skip
        values = self.arrays["value"][there] if "value" in self.arrays else 1.0
        grid = np.zeros(shape)
        np.add.at(grid, (sample, step, neuron), values)
        return grid


@dataclass(frozen=True, eq=False)
class NirData:
    """A file of NIRData.

    Args:
        path: the file.
        nodes: node (``graph/node`` in nested graphs) -> name -> observable.
    """

    path: str
    nodes: Mapping[str, Mapping[str, Observable]]

    @property
    def dt(self) -> float | None:
        """The step of what is on a grid, s; None: nothing is, or on several."""
        found = {o.numbers["dt"] for n in self.nodes.values() for o in n.values()
                 if "dt" in o.numbers}  # fmt: skip
        return found.pop() if len(found) == 1 else None

    def recorded(
        self, names: tuple[str, ...] = ("spikes",), dt: float | None = None, sample: int = 0
    ) -> dict[str, Array]:
        """Return one sample of each node that has an observable: node -> ``(n_steps, neurons)``.

        Args:
            names: of the observable; the first that a node has counts.
            dt: step of events, s; None: the one of the file.
            sample: which.

        Raises:
            FileFormatError: no node has one, or there is no such sample.
        """
        found = {}
        for node, seen in self.nodes.items():
            name = next((n for n in names if n in seen), None)
            if name is None:
                continue
            grid = seen[name].grid(self.dt if dt is None else dt)
            if not 0 <= sample < len(grid):
                raise FileFormatError(f"{self.path!r}: node {node!r}: sample {sample}, allowed: "
                                      f"0..{len(grid) - 1}")  # fmt: skip
            found[node] = np.asarray(grid[sample])
        if not found:
            there = sorted({o for n in self.nodes.values() for o in n})
            wanted = " or ".join(names)
            raise FileFormatError(f"{self.path!r}: no observable {wanted}, there: {show(there)}")
        return found


def is_hdf(path: str | Path) -> bool:
    """Tell whether a file begins as an HDF5 file does."""
    try:
        with open(path, "rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def read_data(path: str | Path, *, max_bytes: int = MOST_BYTES) -> NirData:
    """Read a file of NIRData, of :func:`write_data` or of the ``nir`` package.

    Args:
        path: the file.
        max_bytes: of arrays; more are not read.

    Raises:
        FileFormatError: missing, damaged, too large or no NIRData; names node and observable.
        TargetError: h5py is not installed.
    """
    path = expect_path(path, "nir.read_data")
    import_h5py()
    if not path.is_file():
        raise FileFormatError(f"{str(path)!r}: no such file")
    script = str(Path(__file__).with_name("data_child.py"))
    command = [sys.executable, script, str(path.resolve()), str(int(max_bytes)), *sys.path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise FileFormatError(
            f"{str(path)!r}: damaged: reading it does not end within {SECONDS} s"
        ) from None
    head, sign, rest = done.stdout.partition(b"\n")
    if not sign:
        raise FileFormatError(f"{str(path)!r}: damaged: the HDF5 library breaks down as it reads")
    answer: dict[str, Any] = json.loads(head)
    if "fault" in answer:
        raise FileFormatError(f"{str(path)!r}: {answer['fault']}")
    return NirData(str(path), _observables(answer["observables"], rest, str(path)))


def _observables(listed: list[Any], rest: bytes, path: str) -> dict[str, dict[str, Observable]]:
    nodes: dict[str, dict[str, Observable]] = {}
    at = 0
    for one in listed:
        arrays = {}
        for said in one["arrays"]:
            count = int(np.prod(said["shape"], dtype=np.int64))
            array = np.frombuffer(rest, said["dtype"], count, at).reshape(said["shape"])
            at += array.nbytes
            arrays[said["name"]] = array
        node = "/".join(one["path"])
        where = f"{path!r}: node {node!r}: {one['name']!r}"
        _check(arrays, one["numbers"], where)
        found = Observable(one["kind"], arrays, one["numbers"])
        nodes.setdefault(node, {})[one["name"]] = found
    return nodes


def _check(arrays: Mapping[str, Array], numbers: Mapping[str, float], where: str) -> None:
    axes = 3 if "data" in arrays else 2
    for name, array in arrays.items():
        if array.ndim != axes:
            raise FileFormatError(f"{where}: {name} of shape {array.shape}, allowed: {axes} axes")
    shapes = {a.shape for a in arrays.values()}
    if len(shapes) > 1:
        raise FileFormatError(f"{where}: shapes {sorted(shapes)}, allowed: one")
    for name, number in numbers.items():
        if not (np.isfinite(number) and number >= 0) or (name == "dt" and number == 0):
            raise FileFormatError(f"{where}: {name} = {number}, allowed: a number > 0")
