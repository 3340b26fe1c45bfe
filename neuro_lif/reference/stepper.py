"""The numpy engine of the float reference: readable, and what the compiled one must equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..discretize import SteppedNetwork, SteppedPopulation
from .arrivals import Receptor, Synapses

Array = npt.NDArray[Any]


class Neurons:
    """State of one population in a float run.

    Args:
        population: the population.
        batch: samples.
        compare: ``">"`` or ``">="``.
    """

    def __init__(self, population: SteppedPopulation, batch: int, compare: str) -> None:
        self.population, self.strict = population, compare == ">"
        self.u = np.zeros((len(population.decay_u), batch, population.size))
        if population.u_init is not None:
            self.u += np.asarray(population.u_init, np.float64)[:, None]
        self.v = np.tile(np.asarray(population.v_init), (batch, 1))
        self.held = np.zeros((batch, population.size), np.int64)

    @property
    def drive(self) -> Array:
        """Sum of u over the receptors, added in their order."""
        total: Array = self.u[0]
        for u in self.u[1:]:
            total = total + u
        return total

    def step(self, arriving: list[Array], current: Array | float) -> Array:
        """Advance one step; return the spikes, or a filter stage's values, ``(batch, n)``."""
        p = self.population
        for r, incoming in enumerate(arriving):
            self.u[r] = p.decay_u[r] * self.u[r] + incoming
        if p.graded:
            self.v = self.u[0].copy()
            return self.v
        v = self.v * p.decay_v + self.drive + (p.bias + current)
        free = self.held <= 0
        v = np.where(free, v, self.v)
        above = v > p.threshold if self.strict else v >= p.threshold
        spikes = above & free
        sent = spikes if p.limit == 1 else np.where(spikes, self._counts(v), 0.0)
        taken: Array = p.threshold if p.limit == 1 else sent * p.threshold
        after = v - taken if p.reset == "subtract" and p.spikes else 0.0
        self.v = np.where(spikes, after, v)
        self.held = np.where(spikes, p.refractory, np.maximum(self.held - 1, 0))
        return np.asarray(sent)

    def _counts(self, v: Array) -> Array:
        """Return how many spikes those who spike send."""
        p = self.population
        positive = np.asarray(p.threshold) > 0
        many = np.where(positive, np.floor(v / np.where(positive, p.threshold, 1.0)), 1.0)
        many = np.where(many >= 1, many, 1.0)  # NaN, of inf / inf, is one
        return np.where(many > p.limit, float(p.limit), many)


class Stepper:
    """Holds the state of a SteppedNetwork and steps it.

    Args:
        stepped: the network.
        batch: samples, side by side.
    """

    def __init__(self, stepped: SteppedNetwork, batch: int) -> None:
        net = stepped.network
        self.neurons = {p.name: Neurons(p, batch, stepped.rule.compare)
                        for p in stepped.populations}  # fmt: skip
        self.receptors = {
            p.name: [Receptor(n_slots(stepped, p.name, r), batch, p.size)
                     for r in range(len(p.decay_u))]
            for p in stepped.populations
        }  # fmt: skip
        names = [*(i.name for i in net.spike_inputs), *self.neurons]
        self.synapses: dict[str, list[Synapses]] = {name: [] for name in names}
        for q in stepped.projections:
            receptor = self.receptors[q.post][q.receptor]
            self.synapses[q.pre].append(Synapses(q, receptor))
        self.sources = [i.name for i in net.spike_inputs]
        self.currents = [(c.name, c.population) for c in net.current_inputs]

    def steps(self, feeds: Mapping[str, Array], n_steps: int) -> Iterator[dict[str, Array]]:
        """Advance step by step.

        Args:
            feeds: of :func:`neuro_lif.feeds.float_feeds`, read row after row: ``rows[:, t]``.
            n_steps: so many.

        Yields:
            population -> spikes, or a filter stage's values, ``(batch, n)``, after every step.
        """
        for t in range(1, n_steps + 1):
            # a large number that leaves float64 is inf, in both engines without a word
            with np.errstate(over="ignore", invalid="ignore"):
                sent = self._step(t, {name: rows[:, t - 1] for name, rows in feeds.items()})
            yield sent

    def _step(self, t: int, feeds: Mapping[str, Array]) -> dict[str, Array]:
        for name in self.sources:
            for synapses in self.synapses[name]:
                synapses.emit(t, feeds[name])
        sent = {}
        for name, neurons in self.neurons.items():
            arriving = [receptor.arriving(t) for receptor in self.receptors[name]]
            current: Array | float = 0.0
            for given, population in self.currents:
                if population == name:
                    current = current + neurons.population.gain * feeds[given]
            sent[name] = neurons.step(arriving, current)
            for synapses in self.synapses[name]:
                synapses.emit(t, sent[name])
        return sent


def n_slots(stepped: SteppedNetwork, population: str, receptor: int) -> int:
    """Return how many steps a receptor has to look ahead, and 1."""
    longest = [int(np.max(q.delays, initial=0)) + q.latency for q in stepped.projections
               if (q.post, q.receptor) == (population, receptor)]  # fmt: skip
    return max(longest, default=0) + 1
