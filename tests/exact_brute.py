"""A brute-force stand-in for the event-exact run: matrix exponentials on a fine grid, bisection.

It shares nothing with the solver but the description: the state of every neuron, sinusoids
included, is one linear system, stepped by a power series of its matrix. In each small step V is
compared at its end, and at its maximum where its slope changes sign; a crossing is found by
bisection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

import neuro_lif as nl
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

TERMS = 16
"""Of the series: steps are 0.05 ms, rates below 1e4/s."""


class Brute:
    """All neurons of a network; state of each: 1, then sin and cos per wave, y, x, ..., V."""

    def __init__(self, network: nl.Network, trains: Any, duration: float, step: float) -> None:
        self.network, self.duration, self.step = network, duration, step
        self.neurons = [(p, i) for p in network.populations for i in range(p.size)]
        self.first = {}
        for k, (p, _) in enumerate(self.neurons):
            self.first.setdefault(p.name, k)
        self.waves = [c for c in network.current_inputs if isinstance(c.stimulus, Sinusoid)]
        self.chains = [q for q in network.projections if not isinstance(q.synapse, nl.Delta)]
        self.n = 1 + 2 * len(self.waves) + 2 * len(self.chains) + 1
        self.matrices = np.stack([self.matrix(p, i) for p, i in self.neurons])
        self.state = np.stack([self.start(p, i) for p, i in self.neurons])
        self.small = self.steps(step)
        self.threshold = np.array([self.field(p, i, "v_threshold") if self.spiking(p) else np.inf
                                   for p, i in self.neurons])  # fmt: skip
        self.release = np.full(len(self.neurons), -1.0)
        self.hold = np.zeros(len(self.neurons))
        self.arrivals: list[tuple[float, Any, int]] = []
        self.edges = sorted({k * c.stimulus.interval for c in network.current_inputs
                             if isinstance(c.stimulus, Sampled)
                             for k in range(len(c.stimulus.values) + 1)})  # fmt: skip
        for name, (indices, times) in trains.items():
            for i, t in zip(indices, times, strict=True):
                self.send(name, int(i), float(t))

    @staticmethod
    def spiking(p: nl.Population) -> bool:
        return not isinstance(p.neuron, nl.LI)

    @staticmethod
    def field(p: nl.Population, i: int, name: str) -> float:
        return float(np.broadcast_to(np.asarray(getattr(p.neuron, name)), (p.size,))[i])

    def capacitance(self, p: nl.Population, i: int) -> float:
        if isinstance(p.neuron, nl.IF):
            return self.field(p, i, "capacitance")
        return self.field(p, i, "tau_m") / self.field(p, i, "resistance")

    def matrix(self, p: nl.Population, i: int) -> Any:
        m = np.zeros((self.n, self.n))
        v, c = self.n - 1, self.capacitance(p, i)
        m[v, 0] = self.field(p, i, "i_bias") / c
        if not isinstance(p.neuron, nl.IF):
            tau = self.field(p, i, "tau_m")
            m[v, v] = -1 / tau
            m[v, 0] += self.field(p, i, "v_rest") / tau
        for current in self.network.current_inputs:
            if current.population == p.name and isinstance(current.stimulus, Constant):
                m[v, 0] += np.broadcast_to(current.stimulus.amplitude, (p.size,))[i] / c
        for k, wave in enumerate(self.waves):
            omega = 2 * np.pi / float(wave.stimulus.period)
            a = 1 + 2 * k
            m[a, a + 1], m[a + 1, a] = omega, -omega
            if wave.population == p.name:
                m[v, a] = np.broadcast_to(wave.stimulus.amplitude, (p.size,))[i] / c
                m[v, 0] += np.broadcast_to(wave.stimulus.offset, (p.size,))[i] / c
        for k, q in enumerate(self.chains):
            y = 1 + 2 * len(self.waves) + 2 * k
            if q.post == p.name:
                slow, *fast = q.synapse.taus
                m[y, y] = -1 / slow
                m[v, y] = 1 / c
                if fast:
                    m[y + 1, y + 1], m[y, y + 1] = -1 / fast[0], 1.0
        return m

    def start(self, p: nl.Population, i: int) -> Any:
        z = np.zeros(self.n)
        z[0], z[-1] = 1.0, self.field(p, i, "v_init")
        for k, wave in enumerate(self.waves):
            phase = np.broadcast_to(wave.stimulus.phase, (p.size,))[i % p.size]
            z[1 + 2 * k : 3 + 2 * k] = np.sin(phase), np.cos(phase)
        return z

    def send(self, name: str, pre: int, time: float) -> None:
        for q in self.network.projections:
            if q.pre != name:
                continue
            w = q.weights.toarray() if sparse.issparse(q.weights) else np.asarray(q.weights)
            for post in np.flatnonzero(w[:, pre]):
                delay = self.delay(q, int(post), pre)
                self.arrivals.append((time + delay, q, int(post), float(w[post, pre])))
        self.arrivals.sort(key=lambda a: a[0])

    @staticmethod
    def delay(q: nl.Projection, post: int, pre: int) -> float:
        d = np.asarray(q.delay)
        if d.ndim == 0:
            return float(d)
        if sparse.issparse(q.weights):
            at = q.weights.indptr[post] + np.searchsorted(
                q.weights.indices[q.weights.indptr[post] : q.weights.indptr[post + 1]], pre
            )
            return float(d[at])
        return float(d.reshape(q.weights.shape)[post, pre])

    def steps(self, h: float) -> Any:
        """exp(matrix h) by its series: steps are short, and no threads are started as by BLAS."""
        m, unit = self.matrices * h, np.eye(self.n)
        out = np.broadcast_to(unit, m.shape)
        for k in range(TERMS, 0, -1):
            out = unit + np.einsum("kij,kjl->kil", m, out) / k
        return out

    def at(self, k: int, z: Any, h: float) -> Any:
        m, term, out = self.matrices[k] * h, z, z
        for n in range(1, TERMS):
            term = np.einsum("ij,j->i", m, term) / n
            out = out + term
        return out

    def sampled(self, time: float) -> None:
        """Write the sampled currents that hold from ``time`` on into the matrices."""
        for c in self.network.current_inputs:
            if not isinstance(c.stimulus, Sampled):
                continue
            own = np.arange(len(c.stimulus.values) + 1) * c.stimulus.interval
            now = int(np.searchsorted(own, time, "right")) - 1
            values = np.vstack([c.stimulus.values, np.zeros((1, np.shape(c.stimulus.values)[1]))])
            for k, (p, i) in enumerate(self.neurons):
                if c.population == p.name:
                    before = values[now - 1] if now else np.zeros(values.shape[1])
                    if own[now] != time:
                        continue
                    change = values[now][i % values.shape[1]] - before[i % values.shape[1]]
                    self.matrices[k, -1, 0] += change / self.capacitance(p, i)
        self.small = self.steps(self.step)

    def run(self) -> list[tuple[float, str, int]]:
        """Return (time, population, neuron) of every spike."""
        now, spikes = 0.0, []
        while now < self.duration:
            if self.edges and self.edges[0] <= now:
                self.sampled(self.edges.pop(0))
            marks = [self.duration, now + self.step, *self.edges[:1]]
            marks += [a[0] for a in self.arrivals[:1]]
            marks += [r for r in self.release if r > now]
            then = max(min(marks), now)
            h = then - now
            held = self.release > now
            matrices = self.small if h == self.step else self.steps(h)
            after = np.einsum("kij,kj->ki", matrices, self.state)
            first, who = h, None
            for k in np.flatnonzero(~held):
                s = self.crossing(k, self.state[k], after[k], h)
                if s is not None and (who is None or s < first):
                    first, who = s, k
            if who is not None:
                then = now + first
                after = np.stack([self.at(k, z, first) for k, z in enumerate(self.state)])
            after[held, -1] = self.hold[held]
            self.state, now = after, then
            if who is not None:
                self.fire(int(who), now, spikes)
                continue
            while self.arrivals and self.arrivals[0][0] <= now:
                self.take(self.arrivals.pop(0), now)
            above = (self.state[:, -1] > self.threshold) & (self.release < now)
            for k in np.flatnonzero(above):
                self.fire(int(k), now, spikes)
        return spikes

    def crossing(self, k: int, z: Any, after: Any, h: float) -> float | None:
        row, theta = self.matrices[k, -1], self.threshold[k]
        high = h
        if after[-1] <= theta:
            if not (row @ z > 0 > row @ after):
                return None
            low, high = 0.0, h
            for _ in range(60):  # the maximum inside the step
                middle = 0.5 * (low + high)
                low, high = (middle, high) if row @ self.at(k, z, middle) > 0 else (low, middle)
            if self.at(k, z, high)[-1] <= theta:
                return None
        low = 0.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self.at(k, z, middle)[-1] > theta else (middle, high)
        return high

    def fire(self, k: int, now: float, spikes: list[tuple[float, str, int]]) -> None:
        p, i = self.neurons[k]
        spikes.append((now, p.name, i))
        reset = self.field(p, i, "v_reset")
        if p.neuron.reset == "subtract":
            reset += max(self.state[k, -1] - self.threshold[k], 0.0)
        self.state[k, -1] = self.hold[k] = reset
        refractory = self.field(p, i, "t_refractory")
        if refractory > 0:
            self.release[k] = now + refractory
        self.send(p.name, i, now)

    def take(self, arrival: Any, now: float) -> None:
        _, q, post, weight = arrival
        k = self.first[q.post] + post
        p, i = self.neurons[k]
        if isinstance(q.synapse, nl.Delta):
            if self.release[k] < now:
                self.state[k, -1] += weight
            return
        if q.synapse.norm in ("psp", "nnmt"):
            weight *= self.capacitance(p, i)
        y = 1 + 2 * len(self.waves) + 2 * self.chains.index(q)
        peak, taus = q.synapse.peak(1.0), q.synapse.taus
        self.state[k, y + len(taus) - 1] += weight * peak * q.synapse.scale


def random_exact(seed: int) -> nl.Network:
    """Return a network of 1-3 populations of any kind, all synapses, delays on no grid."""
    rng = np.random.default_rng(seed)
    populations = [nl.Population(f"p{i}", int(n), _neuron(rng, i == 0, int(n)))
                   for i, n in enumerate(rng.integers(1, 5, rng.integers(1, 4)))]  # fmt: skip
    x = nl.SpikeInput("x", 3, rng.integers(0, 3, 8), rng.uniform(0, 0.03, 8))
    projections = []
    for post in populations:
        for pre, m in [("x", 3), *((p.name, p.size) for p in populations)]:
            if rng.random() < 0.6:
                synapse: Any = _synapse(rng)
                charge = not isinstance(synapse, nl.Delta) and synapse.norm == "area"
                w = rng.normal(0.2, 0.5, (post.size, m)) * (1e-2 if charge else 1)
                several = (post.size, m) if rng.random() < 0.5 else None
                d = rng.uniform(0.5e-3, 4e-3, several)
                name = f"c{len(projections)}"
                projections.append(nl.Projection(name, pre, post.name, w, synapse, d))
    inputs: list[Any] = [x]
    for k, chance in enumerate((0.5, 0.3)):
        if rng.random() < chance:
            wave = Sinusoid(rng.normal(), rng.normal(), rng.uniform(2e-3, 2e-2), rng.uniform(0, 6))
            inputs.append(nl.CurrentInput(f"i{k}", "p0", wave))
    if rng.random() < 0.4:
        inputs.append(nl.CurrentInput("j", "p0", Sampled(rng.normal(size=(10, 1)), 1.3e-3)))
    return nl.Network(populations, projections, inputs)


def _neuron(rng: np.random.Generator, leaky: bool, n: int) -> Any:
    def draw(low: float, high: float) -> Any:
        return rng.uniform(low, high, n) if rng.random() < 0.5 else float(rng.uniform(low, high))

    kind = "LIF" if leaky else str(rng.choice(["LIF", "LIF", "IF", "LI"]))
    reset: Any = str(rng.choice(["value", "subtract"]))
    hold = float(rng.choice([0, 1.7e-3]))
    if kind == "IF":
        return nl.IF(draw(5e-3, 2e-2), t_refractory=hold, i_bias=draw(-0.2, 1.0), reset=reset)
    if kind == "LI":
        return nl.LI(draw(5e-3, 2e-2), v_rest=draw(-1, 0), i_bias=draw(-1, 1))
    return nl.LIF(draw(5e-3, 2e-2), draw(0.5, 2), v_rest=draw(-0.2, 0.2), v_reset=draw(-0.5, -0.2),
                  t_refractory=hold, i_bias=draw(0.5, 1.5), reset=reset,
                  v_init=draw(-0.5, 0.9))  # fmt: skip


def _synapse(rng: np.random.Generator) -> Any:
    norm: Any = str(rng.choice(["peak", "area", "psp"]))
    a, b = rng.uniform(1e-3, 2e-2, 2)
    kinds = [nl.Delta(), nl.Exponential(a, norm), nl.Alpha(a, norm), nl.BiExponential(a, b, norm)]
    return kinds[rng.integers(4)]
