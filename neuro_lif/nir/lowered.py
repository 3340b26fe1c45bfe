"""What lowering a NIR graph gives: the stepped network, and how its numbers are the graph's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import Faults, RangeError
from ..fixed import FixedNetwork
from ..recording import Recording
from ..stepped import SteppedNetwork
from .fields import Array, Shape
from .rules import NirRule


@dataclass(frozen=True, eq=False)
class Current:
    """A current that is made off the chip.

    Args:
        steps: input node -> (steps later, CSR matrix onto the current).
        keep: ``(n,)`` what a synapse keeps per step; None: there is none.
        shift: steps until the target begins.
    """

    ways: tuple[tuple[str, int, Any], ...]
    keep: Array | None
    shift: int


@dataclass(frozen=True, eq=False)
class Lowered:
    """A graph as a stepped network.

    Args:
        stepped: for :func:`neuro_lif.run_clocked` and :func:`neuro_lif.quantize`.
        rule: by which it steps; the graph ran by it gives the same spikes.
        names: node -> population or spike input.
        shapes: node -> shape of its numbers in one step.
        shifts: spiking node -> steps by which its spikes come later than in the graph.
        voltage_shifts: neuron -> steps by which its voltage comes later.
        currents: current input -> how it is made.
        bias: name of the spike input that carries biases (1 in every step); "": there is none.
        notes: what was assumed, and what is not as the rule has it.
    """

    stepped: SteppedNetwork
    rule: NirRule
    names: Mapping[str, str]
    shapes: Mapping[str, Shape]
    shifts: Mapping[str, int]
    voltage_shifts: Mapping[str, int]
    currents: Mapping[str, Current]
    bias: str
    notes: tuple[str, ...]

    @property
    def nodes(self) -> Mapping[str, str]:
        """Population or spike input -> node."""
        return {name: node for node, name in self.names.items()}

    def steps(self, n_steps: int) -> int:
        """Return how many steps show what the graph does in ``n_steps``."""
        return n_steps + max([0, *self.shifts.values(), *self.voltage_shifts.values()])

    def inputs(self, given: Any, fixed: FixedNetwork | None = None) -> dict[str, Array]:
        """Return inputs of the graph as inputs of the stepped network, or of a chip's.

        Args:
            given: ``(n_steps, *shape)``, or ``(batch, n_steps, *shape)``, where there is one Input;
                else Input name -> such an array.
            fixed: what :func:`neuro_lif.quantize` made: spikes and currents become its integers.

        Returns:
            Input -> ``(steps, n)`` or ``(batch, steps, n)``, as long as :meth:`steps` says.

        Raises:
            RangeError: an input is missing, unknown or of another shape.
        """
        arrays = self._given(given)
        lengths = {a.shape[:-1] for a in arrays.values()}
        if len(lengths) > 1:
            raise RangeError(f"inputs: lengths {sorted(lengths)}, allowed: one")
        *batch, n = lengths.pop()
        steps = self.steps(n)
        found = {}
        taken = {i.name for i in self.stepped.network.spike_inputs}
        for node, array in arrays.items():
            if self.names[node] in taken:
                found[self.names[node]] = _longer(array, 0, steps)
        for name, current in self.currents.items():
            found[name] = _current(current, arrays, steps)
        if self.bias:
            found[self.bias] = np.ones((*batch, steps, 1), np.uint8)
        if fixed is None:
            return found
        counted = {q.pre for q in self.stepped.projections if q.graded}
        return _integers(found, fixed, counted)

    def _given(self, given: Any) -> dict[str, Array]:
        known = {n for n in self.shapes if n not in self.voltage_shifts and n not in self.shifts}
        if not isinstance(given, Mapping):
            if len(known) != 1:
                raise RangeError(f"inputs, allowed: a mapping of {sorted(known)} to arrays")
            given = {next(iter(known)): given}
        faults, found = Faults(), {}
        for name in sorted(known ^ set(given), key=str):
            there = "missing" if name in known else "given"
            faults.add("inputs", repr(name), there, ", ".join(sorted(known)))
        for name in sorted(known & set(given)):
            array, shape = np.asarray(given[name]), self.shapes[name]
            free = array.ndim - len(shape)
            if array.dtype.kind not in "biuf" or free not in (1, 2) or array.shape[free:] != shape:
                wanted = ", ".join(["n_steps", *map(str, shape)])
                faults.add("inputs", name, f"{array.dtype} of shape {array.shape}",
                           f"shape ({wanted}), or a batch of such")  # fmt: skip
            else:
                found[name] = array.reshape(*array.shape[:free], -1)
        faults.raise_if_any(RangeError)
        return found

    def spikes(self, recording: Recording, n_steps: int | None = None) -> dict[str, Array]:
        """Return a recording's spikes in the graph's own time: node -> ``(n_steps, *shape)``.

        Args:
            recording: of the stepped network, or of what :func:`neuro_lif.quantize` made of it.
            n_steps: of the graph; None: as many as the recording shows of every node.
        """
        rows = {n: recording.spikes[self.names[n]] for n in self.shifts}
        return self._own(rows, self.shifts, recording.n_steps, n_steps)

    def voltages(self, recording: Recording, n_steps: int | None = None) -> dict[str, Array]:
        """Return the recorded voltages in the graph's own time and units.

        A voltage is shown after the reset, as all engines show it.
        """
        rows = {
            n: recording.volts(self.names[n])
            for n in self.voltage_shifts
            if (self.names[n], "v") in recording.traces
        }
        return self._own(rows, self.voltage_shifts, recording.n_steps, n_steps)

    def _own(
        self, rows: Mapping[str, Array], shifts: Mapping[str, int], there: int, n_steps: int | None
    ) -> dict[str, Array]:
        n = there - self.steps(0) if n_steps is None else n_steps
        if n < 0 or self.steps(n) > there:
            raise RangeError(
                f"recording: {there} steps, allowed: {self.steps(max(n, 0))} for {max(n, 0)} "
                "steps of the graph"
            )
        found = {}
        for node, array in rows.items():
            late = shifts[node]
            part = array[..., max(late, 0) : n + late, :]
            if late < 0:
                none = np.zeros((*part.shape[:-2], min(-late, n), part.shape[-1]), part.dtype)
                part = np.concatenate([none, part[..., : n + late, :]], axis=-2)
            found[node] = part.reshape(*part.shape[:-1], *self.shapes[node])
        return found


def _integers(
    inputs: Mapping[str, Array], fixed: FixedNetwork, counted: set[str]
) -> dict[str, Array]:
    """Return inputs of a stepped network as integers of a chip."""
    from ..lower.encode import encode_current

    directs = {d.name: d for d in fixed.directs}
    found: dict[str, Array] = {}
    for name, array in inputs.items():
        if name in directs:
            found[name] = encode_current(directs[name], array)
            continue
        if np.any(array != np.rint(array)):
            raise RangeError(
                f"input {name!r}: numbers that are not whole, allowed: spike counts, or lower the "
                "graph with inputs='current'"
            )
        if name not in counted and np.max(array, initial=0) > 1:
            raise RangeError(
                f"input {name!r}: {np.max(array):g} spikes in a step, allowed: 0 or 1, or lower "
                "the graph with inputs='counts'"
            )
        found[name] = array.astype(np.int64)
    return found


def _longer(array: Array, late: int, steps: int) -> Array:
    """Return rows with zeros before and after them."""
    out = np.zeros((*array.shape[:-2], steps, array.shape[-1]), array.dtype)
    n = min(array.shape[-2], steps - late)
    if n > 0:
        out[..., late : late + n, :] = array[..., :n, :]
    return out


def _current(current: Current, arrays: Mapping[str, Array], steps: int) -> Array:
    """Return a current, row by row."""
    total: Any = None
    for node, late, matrix in current.ways:
        rows = arrays[node]
        flat = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
        made = (matrix @ flat.T).T.reshape(*rows.shape[:-1], matrix.shape[0])
        placed = _longer(made, late + current.shift, steps)
        total = placed if total is None else total + placed
    if current.keep is not None:
        for k in range(1, total.shape[-2]):
            total[..., k, :] += current.keep * total[..., k - 1, :]
    return np.asarray(total)
