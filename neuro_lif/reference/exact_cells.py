"""One population of the event-exact run: its state, moved in closed form from event to event.

Every neuron has a clock of its own. Its state is what it was after the last thing that reached it:

- ``q``: V less where the injected currents alone would have brought it (V);
- ``y``, ``x``: per receptor, the current (A) and, of alpha and bi-exponential ones, what feeds it;
- ``hold``: V less the base, while it is held after a spike.

``when`` says when the neuron has to be looked at next: there it spikes (``SPIKE``), its hold ends
(``RELEASE``), or it may spike then or later (``BOUND``: no crossing is possible before; where it is
comes from :mod:`neuro_lif.reference.exact_crossing`, once the time has come).

Source: Brette, Exact simulation of integrate-and-fire models with exponential currents, Neural
Computation 19 (2007); Rotter and Diesmann, Biol. Cybern. 81 (1999).
"""

from __future__ import annotations

import cmath
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import per_neuron
from ..errors import RangeError
from ..network import IF, LI, Network, Population
from ..stimulus import Stimulus
from .exact_crossing import Chain, Path, first_crossing
from .exact_drive import Waves, changes
from .exact_kernels import psi2_peak, psi2_rows, psi3_rows
from .exact_synapses import DELTA, Stages

Array = npt.NDArray[Any]

BOUND, SPIKE, RELEASE = 0, 1, 2

EPS = float(np.finfo(np.float64).eps)


class Cells:
    """State of one population.

    Args:
        population: the population.
        network: the description.
        receptors: the stages of its receptors, delta synapses left out.
        given: stimuli in place of those described.
        touching: whether to reach the threshold is enough (``>=``).
        end: length of the run, s.
    """

    def __init__(
        self, population: Population, network: Network, receptors: list[Stages],
        given: Mapping[str, Stimulus], touching: bool, end: float,
    ) -> None:  # fmt: skip
        n, neuron = population.size, population.neuron
        self.name, self.size, self.touching, self.end = population.name, n, touching, end
        self.leaky, self.spiking = not isinstance(neuron, IF), not isinstance(neuron, LI)
        if isinstance(neuron, IF):
            self.rate, self.base = np.zeros(n), per_neuron(neuron.v_reset, n)
            self.per_ampere = 1.0 / per_neuron(neuron.capacitance, n)
            self.ohms = np.zeros(n)
        else:
            tau = per_neuron(neuron.tau_m, n)
            self.ohms, self.base = per_neuron(neuron.resistance, n), per_neuron(neuron.v_rest, n)
            self.rate, self.per_ampere = 1.0 / tau, self.ohms / tau
        self._set_spiking(population)
        self.bias = per_neuron(neuron.i_bias, n)
        self._changes = changes(network, self.name, given, end)
        self._next = next(self._changes)
        self.next_change = self._next.time
        self.since, self.waves = 0.0, Waves()
        self.time = np.zeros(n)
        self._set_receptors(receptors)
        init: Any = neuron.v_init
        self.q = per_neuron(init, n) - self.base
        self.hold, self.held = np.zeros(n), np.zeros(n, np.bool_)
        self.when, self.kind = np.full(n, np.inf), np.zeros(n, np.int8)
        self.settle, self.line, self.bend = np.zeros(n), np.zeros(n), np.zeros(n)
        self.moving, self.offset = False, -self.threshold
        self.all, self.last = np.arange(n), np.full(n, -np.inf)

    def _set_spiking(self, population: Population) -> None:
        n, neuron = population.size, population.neuron
        if isinstance(neuron, LI):
            self.threshold, self.reset = np.full(n, np.inf), np.zeros(n)
            self.refractory, self.subtract, self.holds = np.zeros(n), False, False
            return
        reset: Any = neuron.v_reset
        self.absolute = per_neuron(neuron.v_threshold, n)
        self.threshold = self.absolute - self.base
        self.reset = per_neuron(reset, n) - self.base
        self.refractory = per_neuron(neuron.t_refractory, n)
        self.subtract, self.holds = neuron.reset == "subtract", bool(self.refractory.any())

    def _set_receptors(self, receptors: list[Stages]) -> None:
        n = self.size
        self.receptors = receptors
        self.y = [np.zeros(n) for _ in receptors]
        self.x = [None if s.c is None else np.zeros(n) for s in receptors]
        # the most that y = 1 or x = 1 can add to V, and x = 1 to y; a little more, for rounding
        self.most: list[tuple[Array, Array, float]] = []
        for b, c in receptors:
            of_y = 1.000001 * self.per_ampere * psi2_peak(self.rate, b)
            of_x, to_y = np.zeros(n), 0.0
            if c is not None:
                of_x = 1.000001 * self.per_ampere * psi2_peak(self.rate, c) / b
                to_y = 1.000001 * float(psi2_peak(b, c))
            self.most.append((of_y, of_x, to_y))

    # ------------------------------------------------------------------------ moving on

    def advance(self, idx: Array, time: float) -> None:
        """Bring neurons to ``time`` (s); arrivals and crossings there are not part of it."""
        h = time - self.time[idx]
        q, ys, xs = self._moved(idx, h)
        self.q[idx] = np.where(self.held[idx], self.q[idx], q) if self.holds else q
        for r in range(len(self.receptors)):
            self.y[r][idx] = ys[r]
            x, moved = self.x[r], xs[r]
            if x is not None and moved is not None:
                x[idx] = moved
        self.time[idx] = time

    def _moved(self, idx: Array, h: Array) -> tuple[Array, list[Array], list[Array | None]]:
        """Return q, y and x of neurons ``h`` (s) after their last event."""
        rate, per_ampere = self.rate[idx], self.per_ampere[idx]
        q = self.q[idx] * np.exp(-rate * h)
        ys: list[Array] = []
        xs: list[Array | None] = []
        for (b, c), of_y, of_x in zip(self.receptors, self.y, self.x, strict=True):
            y, decay = of_y[idx], np.exp(-b * h)
            q = q + per_ampere * y * psi2_rows(h, rate, b)
            y = y * decay
            moved = None
            if c is not None and of_x is not None:
                x = of_x[idx]
                q = q + per_ampere * x * psi3_rows(h, rate, b, c)
                y = y + x * psi2_rows(h, b, c)
                moved = x * np.exp(-c * h)
            ys.append(y)
            xs.append(moved)
        return q, ys, xs

    def moved_by(self, time: float) -> Any:
        """Return what ramps, drifts and sinusoids make of V at ``time``, ``(n,)`` or 0."""
        if not self.moving:
            return 0.0
        total: Any = self.polynomial(time)
        for omega, amplitude in self.waves:
            total = total + (amplitude * cmath.exp(1j * omega * time)).imag
        return total

    def polynomial(self, time: float) -> Array:
        """Return the part of :meth:`moved_by` that is no sinusoid, ``(n,)``."""
        u = time - self.since
        return np.asarray(u * (self.line + 0.5 * u * self.bend))

    def volts(self, time: float) -> Array:
        """Return V ``(n,)`` at ``time``, not before any neuron's last event."""
        q = self._moved(self.all, time - self.time)[0]
        free = q + self.settle + self.moved_by(time)
        return np.asarray(self.base + np.where(self.held, self.hold, free))

    # ---------------------------------------------------------------------- what reaches it

    def change(self, time: float) -> None:
        """Take the current that begins at ``time``: V goes on from where it is."""
        self.advance(self.all, time)
        before = self.settle + self.moved_by(time)
        now = self._next
        current, self.since = now.level + self.bias, time
        if self.leaky:  # a ramp is followed tau late
            self.line, self.bend = self.ohms * now.ramp, np.zeros(self.size)
            self.settle = self.ohms * current - self.line / self.rate
        else:
            self.line, self.bend = self.per_ampere * current, self.per_ampere * now.ramp
        self.waves = [(omega, amplitude * self.per_ampere / (1j * omega + self.rate))
                      for omega, amplitude in now.waves]  # fmt: skip
        self.moving = bool(self.waves or self.line.any() or self.bend.any())
        self.q = self.q + (before - (self.settle + self.moved_by(time)))
        offset = self.settle - self.threshold
        if self.leaky and self.spiking:
            # where the membrane settles at the threshold but for rounding, it never passes it
            near = 4 * EPS * (np.abs(self.absolute) + np.abs(self.base) + np.abs(self.settle))
            offset = np.where(np.abs(offset) <= near, 0.0, offset)
        self.offset = offset
        following = next(self._changes, None)
        self.next_change = np.inf
        if following is not None:
            self._next, self.next_change = following, following.time
        self.predict(self.all, time)

    def receive(self, stages: Stages, posts: Array, jumps: Array, time: float) -> None:
        """Add what arrives at one time over one fan; the neurons are at that time afterwards."""
        self.advance(posts, time)
        if stages == DELTA:
            self.q[posts] += np.where(self.held[posts], 0.0, jumps) if self.holds else jumps
            return
        r = self.receptors.index(stages)
        first = self.x[r]
        (self.y[r] if first is None else first)[posts] += jumps

    # ------------------------------------------------------------------------- what it does

    def predict(self, idx: Array, time: float) -> None:
        """Say for neurons at ``time`` before when they cannot spike."""
        if not self.spiking:
            return
        q, rate = self.q[idx], self.rate[idx]
        high = np.maximum(q, 0.0)
        most, slope = high, np.maximum(-q * rate, 0.0)
        drive: Any = 0.0
        for (of_y, of_x, to_y), y, x in zip(self.most, self.y, self.x, strict=True):
            up = np.maximum(y[idx], 0.0)
            most = most + up * of_y[idx]
            if x is not None:
                more = np.maximum(x[idx], 0.0)
                most = most + more * of_x[idx]
                up = up + more * to_y
            drive = drive + up
        slope = slope + self.per_ampere[idx] * drive
        g = q + self.offset[idx]
        if self.moving:
            g = g + self.moved_by(time)[idx]
            rising, left = self._rising(idx, time)
            most = most + self.polynomial(time)[idx] + rising * left
            slope = slope + rising
            for omega, amplitude in self.waves:
                size = np.abs(amplitude[idx])
                most, slope = most + size, slope + size * omega
        most = most + self.offset[idx]
        self._bound(idx, time, g, most, slope)

    def _rising(self, idx: Array, time: float) -> tuple[Array, float]:
        """Return the steepest rise of ramps and drifts, V/s, and how long they go on, s."""
        left = max(min(self.next_change, self.end) - time, 0.0)
        line, bend = self.line[idx] + self.bend[idx] * (time - self.since), self.bend[idx]
        return np.maximum(line + np.maximum(bend * left, 0.0), 0.0), left

    def _bound(self, idx: Array, time: float, g: Array, most: Array, slope: Array) -> None:
        """Write down the bound that follows from g, the most it can be, and its largest slope."""
        slack = 1e-12 * (np.abs(g) + np.abs(self.offset[idx]))
        when = np.full(len(idx), np.inf)
        with np.errstate(over="ignore"):  # a current that is all but gone: never
            np.divide(g, slope, out=when, where=(most > -slack) & (slope > 0))
        when = time + np.abs(when) * (1 - 1e-6)
        above = g >= 0 if self.touching else g > 0
        when[above] = time
        kind = above.view(np.int8)  # SPIKE where above, else BOUND
        if self.holds:
            held = self.held[idx]
            when, kind = np.where(held, self.when[idx], when), np.where(held, RELEASE, kind)
        self.when[idx], self.kind[idx] = when, kind

    def refine(self, i: int) -> None:
        """Find when neuron ``i``, whose bound has come, spikes if nothing more reaches it."""
        start = float(self.time[i])
        chains = []
        for (b, c), of_y, of_x in zip(self.receptors, self.y, self.x, strict=True):
            y, x = float(of_y[i]), 0.0 if of_x is None else float(of_x[i])
            if x or y:
                chains.append(Chain(b, b if c is None else c, y, x))
        bend = float(self.bend[i])
        waves = [(complex(amplitude[i]) * cmath.exp(1j * omega * start), omega)
                 for omega, amplitude in self.waves if amplitude[i]]  # fmt: skip
        path = Path(
            float(self.rate[i]),
            float(self.per_ampere[i]),
            float(self.offset[i]) + float(self.polynomial(start)[i]),
            float(self.line[i]) + bend * (start - self.since),
            bend,
            float(self.q[i]),
            tuple(chains),
            tuple(waves),
        )
        s = first_crossing(path, min(self.end, self.next_change) - start, self.touching)
        # not before the bound: there, rounding alone can have put V above the threshold
        self.when[i], self.kind[i] = max(start + s, float(self.when[i])), SPIKE

    def spike(self, idx: Array, time: float) -> None:
        """Reset neurons that spike at ``time``."""
        self._check_rate(idx, time)
        self.advance(idx, time)
        wave = self.moved_by(time)[idx] if self.moving else 0.0
        rest = self.settle[idx] + wave
        after = self.reset[idx]
        if self.subtract:  # V is the threshold, but where a jump went beyond it
            after = after + np.maximum(self.q[idx] + self.offset[idx] + wave, 0.0)
            if (stuck := after >= self.q[idx] + rest).any():
                raise RangeError(
                    f"population {self.name!r}: V of neuron {idx[stuck][0]} at {time:g} s is so "
                    "large that a spike does not lower it, allowed: jumps that float64 can subtract"
                )
        self.hold[idx], self.q[idx] = after, after - rest
        self.held[idx] = held = self.refractory[idx] > 0
        self.when[idx] = time + self.refractory[idx]
        self.kind[idx] = RELEASE
        self.predict(idx[~held], time)

    def _check_rate(self, idx: Array, time: float) -> None:
        """Refuse what spikes twice at one time though it was reset to a value."""
        if not self.subtract and (twice := self.last[idx] == time).any():
            raise RangeError(
                f"population {self.name!r}: neuron {idx[twice][0]} spikes again at {time!r} s, "
                "allowed: spikes that float64 tells apart (a refractory period, or less current)"
            )
        self.last[idx] = time

    def release(self, idx: Array, time: float) -> None:
        """End the hold of neurons."""
        self.advance(idx, time)
        wave = self.moved_by(time)[idx] if self.moving else 0.0
        self.q[idx] = self.hold[idx] - self.settle[idx] - wave
        self.held[idx] = False
        self.predict(idx, time)
