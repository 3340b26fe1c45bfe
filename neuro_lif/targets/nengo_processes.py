"""The small processes that the Nodes of a Nengo model run.

Spikes travel as Nengo has them: one spike is a pulse of height ``1/dt`` for one step. All state
lives in Nengo's own state signals, so two Simulators of one model share nothing, and reset works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nengo
import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..stimulus import Stimulus
from ..streams import Make
from .nengo_parts import own_identity, step_of

State = Mapping[str, npt.NDArray[Any]]
Step = Callable[..., npt.NDArray[Any]]


@own_identity
class Rows(nengo.Process):  # type: ignore[misc]
    """Plays an array: row ``i`` in step ``i + 1``, zeros after the last.

    Args:
        rows: ``(n_steps, n)``.
        pulses: True: a value is a number of spikes and leaves as pulses of height ``1/dt``.
    """

    def __init__(self, rows: npt.ArrayLike, pulses: bool) -> None:
        self.rows = np.array(rows, np.float64)
        self.pulses = pulses
        super().__init__(default_size_in=0, default_size_out=self.rows.shape[1])

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        table = self.rows / dt if self.pulses else self.rows
        silent = np.zeros(shape_out)

        def step(t: float) -> FloatArray:
            row = step_of(t, dt) - 1
            return np.asarray(table[row] if row < len(table) else silent)

        return step


@own_identity
class SpikeTimes(nengo.Process):  # type: ignore[misc]
    """Plays spike times: those in ``[i dt, (i+1) dt)`` in step ``i + 1``.

    Args:
        indices: channel of each spike.
        times: s, sorted.
        size: channels.
    """

    def __init__(self, indices: npt.ArrayLike, times: npt.ArrayLike, size: int) -> None:
        self.indices, self.times = np.asarray(indices, np.int64), np.asarray(times, np.float64)
        super().__init__(default_size_in=0, default_size_out=size)

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        # the same small offset as in stimulate.raster_of: a spike at exactly i*dt is in row i
        rows = np.floor(self.times / dt + 1e-9).astype(np.int64)

        def step(t: float) -> FloatArray:
            row = step_of(t, dt) - 1
            first, last = np.searchsorted(rows, (row, row + 1))
            counts = np.bincount(self.indices[first:last], minlength=shape_out[0])
            return np.asarray(counts / dt)

        return step


@own_identity
class Made(nengo.Process):  # type: ignore[misc]
    """Plays rows that are made as it goes: row ``i`` in step ``i + 1``.

    Args:
        reader: called with dt, returns what makes rows ``first .. last - 1``, ``(1, steps, n)``.
        size: channels.
        pulses: True: a value is a number of spikes and leaves as pulses of height ``1/dt``.
    """

    AHEAD = 256

    def __init__(self, reader: Callable[[float], Make], size: int, pulses: bool) -> None:
        self.reader, self.pulses = reader, pulses
        super().__init__(default_size_in=0, default_size_out=size)

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        make, first, scale = self.reader(dt), 0, 1.0 / dt if self.pulses else 1.0
        rows = np.zeros((0, *shape_out))

        def step(t: float) -> FloatArray:
            nonlocal first, rows
            row = step_of(t, dt) - 1
            if not first <= row < first + len(rows):
                first, rows = row, np.asarray(make(row, row + self.AHEAD)[0], np.float64) * scale
            return np.asarray(rows[row - first])

        return step


@own_identity
class Current(nengo.Process):  # type: ignore[misc]
    """Plays a stimulus, A: its value at the start of each step."""

    def __init__(self, stimulus: Stimulus, size: int) -> None:
        self.stimulus = stimulus
        super().__init__(default_size_in=0, default_size_out=size)

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""

        def step(t: float) -> FloatArray:
            row = step_of(t, dt) - 1
            return np.asarray(self.stimulus.rows(row, row + 1, dt, shape_out[0])[0, 0])

        return step


@own_identity
class Delay(nengo.Process):  # type: ignore[misc]
    """A ring buffer: hands on what came in ``delay`` ago, rounded to whole steps.

    Args:
        delay: s.
        least: steps already spent by the connection behind it, taken off the delay.
        size: channels.
    """

    def __init__(self, delay: float, least: int, size: int) -> None:
        self.delay, self.least = delay, least
        super().__init__(default_size_in=size, default_size_out=size)

    def steps(self, dt: float) -> int:
        """Return the length of the ring buffer."""
        return max(round(self.delay / dt), self.least) - self.least

    def make_state(
        self, shape_in: Any, shape_out: Any, dt: float, dtype: Any = None
    ) -> dict[str, FloatArray]:
        """Return Nengo's state signals."""
        return {"ring": np.zeros((self.steps(dt) + 1, *shape_in), dtype)}

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        ring = state["ring"]

        def step(t: float, x: FloatArray) -> FloatArray:
            now = step_of(t, dt)
            ring[now % len(ring)] = x
            return np.array(ring[(now + 1) % len(ring)])

        return step


@own_identity
class ReadOut(nengo.Process):  # type: ignore[misc]
    """Leaky integrators that never spike: current in (A), v above rest out (V).

    Args:
        tau_m, resistance, i_bias, v_start: ``(n,)`` s, ohm, A, V above rest.
    """

    def __init__(
        self, tau_m: FloatArray, resistance: FloatArray, i_bias: FloatArray, v_start: FloatArray
    ) -> None:
        self.tau_m, self.resistance, self.i_bias = tau_m, resistance, i_bias
        self.v_start = v_start
        super().__init__(default_size_in=len(tau_m), default_size_out=len(tau_m))

    def make_state(
        self, shape_in: Any, shape_out: Any, dt: float, dtype: Any = None
    ) -> dict[str, FloatArray]:
        """Return Nengo's state signals."""
        return {"v": np.array(self.v_start, dtype)}

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        v, lost = state["v"], -np.expm1(-dt / self.tau_m)

        def step(t: float, x: FloatArray) -> FloatArray:
            v[...] += (self.resistance * (x + self.i_bias) - v) * lost
            return np.array(v)

        return step
