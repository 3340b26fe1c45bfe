"""What a run leaves behind: spikes, traces, overflow events, and where they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import expect_path
from .errors import FileFormatError, RangeError, show
from .npz import NpzFile, replacing, write_npz
from .rasters import Rasters, events_from, events_of

FORMAT = "neuro-lif-recording/2"
FORMATS = ("neuro-lif-recording/1", FORMAT)
"""Those that are read; the first has arrays of spikes alone."""


@dataclass(frozen=True)
class OverflowEvent:
    """A kind of overflow that happened in a run.

    Counted is every value that a rule brought back into a range and every stored bit that was
    lost. Rounding is not: where the model's own arithmetic rounds (the product of a decay, a bias
    or a sum shifted to the right), the rounding is the rule. Neither is ``floor``, a bound that
    belongs to the model.

    Args:
        where: population or projection.
        register: what overflowed (``u``, ``v``, ``bias_mant``, ``sum``, ``weights``, ``payload``,
            ``spikes`` ...).
        kind: ``wrap``, ``wrap_once``, ``sat``, ``clamp``; ``cap`` (a count cut to the most there
            may be), ``binary`` (a value that is not 0 or 1, carried as 1); of stored weights
            ``clip``, ``low_bits`` or ``duplicate`` (another synapse took its place).
        operation: index of the operation in the model's list, -1 outside neurons.
        count: how many values in the whole run.
        first_step: step of the first (1 is the first step); 0: as it was stored.
        first_neuron: neuron of the first.
    """

    where: str
    register: str
    kind: str
    operation: int
    count: int
    first_step: int
    first_neuron: int


@dataclass(frozen=True, eq=False)
class Recording:
    """The result of one run.

    Row ``i`` of every array is step ``i + 1``, which ends at ``(i + 1) * dt``; traces are read at
    the end of a step, after the reset.

    Args:
        dt: s.
        n_steps: number of steps.
        spikes: population -> ``(n_steps, n)`` or ``(batch, n_steps, n)`` integers.
        traces: (population, variable) -> array of the same shape; floats in V above v_zero, or
            integers in LSB.
        lsb: population -> V per LSB ``(n,)``; empty for a float run.
        v_zero: population -> V that v = 0 stands for ``(n,)``.
        events: overflow events, empty where nothing overflowed.
        provenance: free text facts: engine, profile, versions, what drew the inputs.
        inputs: input name -> array like those of ``spikes``: counts, A or integers, where the run
            was asked to keep them; handed to a run as its ``inputs``, they repeat this one.
    """

    dt: float
    n_steps: int
    spikes: Mapping[str, npt.NDArray[Any]]
    traces: Mapping[tuple[str, str], npt.NDArray[Any]] = field(default_factory=dict)
    lsb: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    v_zero: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    events: tuple[OverflowEvent, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def is_integer(self) -> bool:
        """True where the traces are a chip's integers."""
        return bool(self.lsb)

    def trace(self, population: str, variable: str) -> npt.NDArray[Any]:
        """Return a recorded trace.

        Raises:
            RangeError: it was not recorded, or there is no such population.
        """
        self._check_population(population)
        if (population, variable) not in self.traces:
            known = ", ".join(f"{p}.{v}" for p, v in sorted(self.traces)) or "none"
            raise RangeError(
                f"trace {population}.{variable} was not recorded, recorded: {known} "
                '(add a Probe to the network, or run with record="all")'
            )
        return self.traces[population, variable]

    def _check_population(self, population: object) -> None:
        if not isinstance(population, str) or population not in self.spikes:
            known = ", ".join(sorted(self.spikes)) or "none"
            raise RangeError(f"population = {show(population)}, allowed: {known}")

    def _scale(self, name: str, population: str) -> npt.NDArray[np.float64]:
        table: Mapping[str, npt.NDArray[np.float64]] = getattr(self, name)
        if population not in table:
            raise RangeError(f"volts: this recording has no {name} of population {population!r}")
        return table[population]

    def volts(
        self, population: str, variable: str = "v", steps: slice = slice(None)
    ) -> npt.NDArray[np.float64]:
        """Return a trace in volts, or some steps of it: ``v`` absolute, ``u`` in V per step."""
        values = np.asarray(self.trace(population, variable)[..., steps, :], np.float64)
        if self.is_integer:
            values = values * self._scale("lsb", population)
        return values + self._scale("v_zero", population) if variable == "v" else values

    def spike_times(self, population: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return (neuron, time in s) of every spike of an unbatched run, in time order."""
        self._check_population(population)
        if len(self._shape(population)) != 2:
            raise RangeError("spike_times wants one sample; take one with .sample(k)")
        events = events_of(self.spikes, population)
        if events is not None and events.value is None:  # what is sent may also be 0
            return events.neuron.astype(np.int64), events.step * self.dt
        step, neuron = np.nonzero(np.asarray(self.spikes[population]))
        return neuron.astype(np.int64), (step + 1) * self.dt

    def _shape(self, population: str) -> tuple[int, ...]:
        events = events_of(self.spikes, population)
        return np.shape(self.spikes[population]) if events is None else events.shape

    def sample(self, k: int) -> Recording:
        """Return sample ``k`` of a batched run as a recording of its own (no events).

        Raises:
            RangeError: the run has no such sample.
        """
        shapes = [self._shape(name) for name in self.spikes]
        batches = {shape[0] if len(shape) == 3 else 0 for shape in shapes}
        whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
        last = min(batches, default=0) - 1
        if not whole or not -last - 1 <= k <= last:
            allowed = f"0..{last}" if last >= 0 else "none: the run is not batched"
            raise RangeError(f"sample = {k!r}, allowed: {allowed}")
        return Recording(
            self.dt,
            self.n_steps,
            self.spikes.of_sample(k)
            if isinstance(self.spikes, Rasters)
            else {name: a[k] for name, a in self.spikes.items()},
            {key: a[k] for key, a in self.traces.items()},
            self.lsb,
            self.v_zero,
            (),
            self.provenance,
            self.inputs.of_sample(k)
            if isinstance(self.inputs, Rasters)
            else {name: a[k] for name, a in self.inputs.items()},
        )

    def save(self, path: str | Path) -> None:
        """Write to an ``.npz`` file; the file appears whole or not at all.

        Spikes that are there as events are kept so: far less than a number for each neuron and
        step. Traces may be larger than the memory.

        Raises:
            FileFormatError: the file cannot be written.
        """
        path = expect_path(path, "Recording.save")
        head: dict[str, Any] = {
            "format": FORMAT,
            "dt": self.dt,
            "n_steps": self.n_steps,
            "events": [vars(e) for e in self.events],
            "provenance": dict(self.provenance),
        }
        arrays: dict[str, Any] = {}
        head["spikes"] = _pack(self.spikes, "spikes", "events", arrays)
        if self.inputs:
            head["inputs"] = _pack(self.inputs, "input", "input_events", arrays)
        arrays |= {f"trace/{p}/{v}": a for (p, v), a in self.traces.items()}
        arrays |= {f"lsb/{k}": v for k, v in self.lsb.items()}
        arrays |= {f"v_zero/{k}": v for k, v in self.v_zero.items()}
        head["arrays"] = list(arrays)
        try:
            with replacing(path) as temporary:
                write_npz(temporary, {"head": np.array(json.dumps(head)), **arrays})
        except (OSError, ValueError) as error:
            raise FileFormatError(f"recording {str(path)!r}: cannot be written: {error}") from None

    @staticmethod
    def load(path: str | Path) -> Recording:
        """Read a file written by :meth:`save`.

        Raises:
            FileFormatError: the file is missing, damaged or not a recording.
        """
        path = expect_path(path, "Recording.load")
        try:
            file = NpzFile(path)
            arrays = {name: file.array(name) for name in file.names}
        except FileFormatError as error:
            raise FileFormatError(f"recording {error}, allowed: a file that save() wrote") from None
        try:
            head = json.loads(str(arrays.pop("head")))
            if head["format"] not in FORMATS:
                raise ValueError(f"format = {head['format']!r}")
            # a damaged name would otherwise make an array vanish unnoticed
            if head["arrays"] != list(arrays):
                raise ValueError(f"arrays = {list(arrays)}, wanted {head['arrays']}")
            return Recording(
                float(head["dt"]),
                int(head["n_steps"]),
                _spikes(arrays, dict(head["spikes"]) if head["format"] == FORMAT else {}),
                {_pair(k): v for k, v in _part(arrays, "trace").items()},
                _part(arrays, "lsb"),
                _part(arrays, "v_zero"),
                tuple(OverflowEvent(**e) for e in head["events"]),
                dict(head["provenance"]),
                _spikes(arrays, dict(head.get("inputs", {})), "input", "input_events", "iuf"),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileFormatError(
                f"recording {str(path)!r}: not a recording: {type(error).__name__} {error}, "
                f"allowed: format {FORMAT}, as save() writes it"
            ) from None


def _pair(key: str) -> tuple[str, str]:
    population, variable = key.split("/")
    return population, variable


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(prefix + "/")}


def _pack(
    rasters: Mapping[str, Any], whole: str, listed: str, arrays: dict[str, Any]
) -> dict[str, Any]:
    """Put spikes into ``arrays``; return name -> shape and type of its events, or None."""
    how: dict[str, Any] = {}
    for name in rasters:
        events = events_of(rasters, name)
        how[name] = None
        if events is None:
            arrays[f"{whole}/{name}"] = rasters[name]
            continue
        how[name] = [list(events.shape), np.dtype(events.dtype).name]
        arrays[f"{listed}/{name}/counts"] = events.counts
        arrays[f"{listed}/{name}/neuron"] = events.neuron
        if events.value is not None:
            arrays[f"{listed}/{name}/value"] = events.value
    return how


def _spikes(
    arrays: dict[str, Any], how: Mapping[str, Any], prefix: str = "spikes",
    listed: str = "events", kinds: str = "iu",
) -> Mapping[str, Any]:  # fmt: skip
    """Return the spikes of a file; ``how``: population -> shape and type of its events, or None."""
    whole = _part(arrays, prefix)
    if not any(how.values()):
        return whole
    lists = {}
    for name, given in how.items():
        if given:
            shape, dtype = given
            lists[name] = events_from(_part(arrays, f"{listed}/{name}"), shape, dtype, kinds)
    return Rasters(lists, whole, how)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run; what was recorded until then is a valid recording.

    Args:
        recording: of the steps that were done; its provenance says that more were asked for.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__(f"interrupted after {recording.n_steps} steps")
        self.recording = recording
