"""Networks between a description and its integers: some of the parameters rounded, state float.

Making up for rounded decays (gain compensation) ties the weights and the bias of a chip to its
decays. What rounding the weights does *alone* is therefore held against the weight that the rounded
decays ask for: with ``g`` the gain and ``W`` what the chip has in place of ``g w``,

    nothing rounded: w      weights only: W / g      decays only: g w      both: W

and so for the bias. So a network whose weights the chip can hold loses nothing to them, whatever
its decays become, and what compensation leaves over is the decays' own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, entries, frozen, is_sparse, post_of_entries, with_entries
from ..dequantize import as_lowered, dequantize
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from ..fixed import FixedNetwork
from ..network import Constant
from .fine import finely_lowered

FIELDS = ("weights", "decays", "threshold", "bias", "delays", "start")
"""Groups of parameters, in the order of their rungs."""

SAME = 1e-12
"""Relative: a number so near to what was meant is taken as meant. Only the scale's own rounding in
float64 is between them, and it would decide ties at the threshold."""


@dataclass(frozen=True)
class Change:
    """What rounding did to one field of a population or projection.

    Args:
        group: of :data:`FIELDS`.
        where: name of the population or projection; ``population`` whose (a projection's target).
        what: the field, for people.
        values, changed: how many numbers, how many of them changed.
        error: root mean square error over that of the meant numbers.
        text: for people.
    """

    group: str
    where: str
    population: str
    what: str
    values: int
    changed: int
    error: float
    text: str


class Rounded:
    """A described network beside what its integers stand for; makes every network between.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        compensated: whether weights and bias were rescaled for the rounded decays.

    Raises:
        RangeError: the two networks do not belong together.
        LoweringError: filter stages were approximated away.
    """

    def __init__(self, fixed: FixedNetwork, stepped: SteppedNetwork, compensated: bool) -> None:
        self.described = stepped
        stages = [p.name for p in stepped.populations if p.graded]
        if stages and len(fixed.populations) == len(stepped.described):
            raise LoweringError(
                f"filter stages {', '.join(stages)} were replaced by exponentials (approximate = "
                "'synapse'), which leaves no network between the description and the integers; "
                "allowed: a profile with filter stages (loihi2, generic), or exponential synapses"
            )
        self.coded = dequantize(fixed, stepped)
        lowered = as_lowered(fixed, stepped)
        # lowered may be split by sign, which changes nothing, or have stages, whose inputs have
        # been made to fit the rounded decays
        self.staged = len(lowered.populations) != len(stepped.populations)
        self.plain = finely_lowered(fixed, stepped, lowered) if self.staged else lowered
        self.lowered, self.compensated = lowered, compensated
        self.to_target = {q.pre: q.post for q in self.plain.projections
                          if self.plain.population(q.post) and q.pre in self._stages()}  # fmt: skip

    def target(self, name: str) -> str:
        """Return the population that a stage leads to in the end; any other is its own."""
        while name in self.to_target:
            name = self.to_target[name]
        return name

    def _stages(self) -> set[str]:
        return {p.name for p in self.plain.populations if p.graded}

    def network(self, groups: Collection[str]) -> SteppedNetwork:
        """Return the network with these groups of parameters rounded, all else as described."""
        if not groups:
            return self.described
        chosen = frozenset(groups)
        populations = tuple(self._population(p.name, chosen) for p in self.plain.populations)
        projections = tuple(
            self._projection(a, low, c, chosen)
            for a, low, c in zip(self.plain.projections, self.lowered.projections,
                                 self.coded.projections, strict=True)
        )  # fmt: skip
        rule = self.coded.rule if "threshold" in chosen else self.plain.rule
        note = f"rounded: {', '.join(g for g in FIELDS if g in chosen)}"
        return replace(self.plain, rule=rule, populations=populations, projections=projections,
                       notes=(*self.described.notes, note))  # fmt: skip

    def only(
        self, population: str, before: SteppedNetwork, after: SteppedNetwork
    ) -> SteppedNetwork:
        """Return ``before`` with one population, its stages and synapses as they are ``after``."""
        populations = [after.population(p.name) if self.target(p.name) == population else p
                       for p in before.populations]  # fmt: skip
        pairs = zip(before.projections, after.projections, strict=True)
        projections = [b if self.target(a.post) == population else a for a, b in pairs]
        return replace(before, populations=tuple(populations), projections=tuple(projections))

    # -------------------------------------------------------------------- populations

    def _population(self, name: str, chosen: frozenset[str]) -> SteppedPopulation:
        a, c = self.plain.population(name), self.coded.population(name)
        decays = "decays" in chosen
        if a.graded:
            return replace(a, decay_u=_kept(a.decay_u, c.decay_u)) if decays else a
        changes: dict[str, Any] = {}
        if decays:
            same = a.decay_u.shape == c.decay_u.shape
            changes["decay_u"] = _kept(a.decay_u, c.decay_u) if same else c.decay_u
            changes["tau_syn"] = c.tau_syn
            changes["leak_v"] = _kept(a.leak_v, c.leak_v)
            moved = changes["leak_v"] != a.leak_v
            changes["decay_v"] = frozen(np.where(moved, c.decay_v, a.decay_v))
            changes["gain"] = _kept(a.gain, c.gain)
        if decays or "bias" in chosen:
            changes["bias"] = self._bias(a, c, chosen)
        if "threshold" in chosen:
            changes["threshold"] = _kept(a.threshold, c.threshold)
        if "delays" in chosen:
            changes["refractory"] = c.refractory
        if "start" in chosen:
            changes["v_init"] = _kept(a.v_init, c.v_init)
            if a.u_init is not None or c.u_init is not None:
                changes["u_init"] = _kept(u_start(a), u_start(c)[:1])
            changes["reset"] = c.reset
        return replace(a, **changes)

    def _leak_gain(self, a: SteppedPopulation, c: SteppedPopulation) -> FloatArray:
        if not self.compensated:
            return np.ones(a.size)
        leak = _kept(a.leak_v, c.leak_v)
        usable = (a.leak_v > 0) & (leak > 0)
        gain = np.divide(leak, a.leak_v, out=np.ones(a.size), where=usable)
        return np.asarray(gain)

    def _bias(
        self, a: SteppedPopulation, c: SteppedPopulation, chosen: frozenset[str]
    ) -> FloatArray:
        """Return the bias; constant currents, which chips have in it, come again from the run."""
        leak_gain = self._leak_gain(a, c)
        amperes = constant(self.described, a)
        gain = _kept(a.gain, c.gain) if "decays" in chosen else a.gain
        plain = a.bias + a.gain * amperes
        ideal = plain * leak_gain
        got = _kept(ideal, c.bias + c.gain * amperes)
        if "bias" not in chosen:
            total = ideal
        elif "decays" in chosen:
            total = got
        else:
            total = np.where(got == ideal, plain, got / leak_gain)
        now = total - gain * amperes
        return np.asarray(frozen(np.where(total == plain, a.bias, now) if gain is a.gain else now))

    # -------------------------------------------------------------------- projections

    def _gain(self, q: SteppedProjection, low: SteppedProjection) -> FloatArray:
        """Return the factor from each described weight to the one that the coded decays ask for."""
        post = post_of_entries(q.weights)
        stage = q.post in self._stages()
        target = self.target(q.post)
        a, c = self.plain.population(target), self.coded.population(target)
        gain = self._leak_gain(a, c)
        if not stage:
            gain = gain * self._area(q.post, q.receptor)
        elif not self.staged and self.compensated:
            out = next(x for x in self.plain.projections if x.pre == q.post)
            gain = gain * self._area(q.post, 0) * self._area(target, out.receptor)
        each = gain[post]
        if self.staged:  # lowering put some of it into the weights
            was, now = np.asarray(entries(q.weights)), np.asarray(entries(low.weights))
            each = each * np.divide(now, was, out=np.ones(was.shape), where=was != 0)
        return np.asarray(each)

    def _area(self, name: str, receptor: int) -> FloatArray:
        """Return what keeps the area of a current although the decay of u was rounded."""
        a, c = self.plain.population(name), self.coded.population(name)
        several = len(a.decay_u) > 1
        if not self.compensated and not several:
            return np.ones(a.size)
        meant = np.asarray(1.0 - a.decay_u[receptor])
        got = np.asarray(1.0 - (c.decay_u[0] if several else _kept(a.decay_u, c.decay_u)[0]))
        usable = (meant > 0) & (got > 0)
        return np.asarray(np.divide(got, meant, out=np.ones(a.size), where=usable))

    def _projection(
        self, a: SteppedProjection, low: SteppedProjection, c: SteppedProjection,
        chosen: frozenset[str],
    ) -> SteppedProjection:  # fmt: skip
        changes: dict[str, Any] = {}
        if a.pre not in self._stages():  # a link from a stage has weight one
            if chosen & {"weights", "decays"}:
                changes["weights"] = self._weights(a, low, c, chosen)
            if "decays" in chosen:
                changes["receptor"] = c.receptor
        if "delays" in chosen:
            changes["delays"], changes["latency"] = c.delays, c.latency
        return replace(a, **changes)

    def _weights(
        self, a: SteppedProjection, low: SteppedProjection, c: SteppedProjection,
        chosen: frozenset[str],
    ) -> Any:  # fmt: skip
        plain, ideal, got = self._three(a, low, c)
        if "weights" not in chosen:
            values = ideal
        elif "decays" in chosen:
            values = got
        else:
            usable = (ideal != 0) & (plain != 0)
            ratio = np.divide(plain, ideal, out=np.ones(plain.shape), where=usable)
            values = np.where(got == ideal, plain, np.where(usable, got * ratio,
                                                           plain + got - ideal))  # fmt: skip
        return a.weights if np.array_equal(values, plain) else with_entries(a.weights, values)

    def _three(
        self, a: SteppedProjection, low: SteppedProjection, c: SteppedProjection
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (as described, as the coded decays ask, as coded) of every stored weight."""
        plain = np.asarray(entries(a.weights), np.float64)
        ideal = plain * self._gain(a, low)
        got = c.weights
        if is_sparse(got) != is_sparse(a.matrix):
            got = got.toarray() if is_sparse(got) else got
        return plain, ideal, _kept(ideal, np.asarray(entries(got), np.float64))

    # ------------------------------------------------------------------------ changes

    def changes(self) -> tuple[Change, ...]:
        """Return what rounding did to every field."""
        found: list[Change] = []
        stages = self._stages()
        for a, low, c in zip(self.plain.projections, self.lowered.projections,
                             self.coded.projections, strict=True):  # fmt: skip
            target = self.target(a.post)
            if a.pre not in stages:
                _, ideal, got = self._three(a, low, c)
                found.append(_change("weights", a.name, target, "weights", ideal, got))
            late, coded = (np.asarray(q.delays + q.latency) for q in (a, c))
            found.append(_change("delays", a.name, target, "delays, steps", late, coded))
        for a_p in self.plain.populations:
            found += self._population_changes(a_p)
        return tuple(change for change in found if change.changed)

    def _population_changes(self, a: SteppedPopulation) -> list[Change]:
        c, name = self.coded.population(a.name), a.name
        target = self.target(name)
        meant_u = 1.0 - np.asarray(a.decay_u)
        got_u = np.broadcast_to(1.0 - np.asarray(c.decay_u), meant_u.shape)
        found = [_change("decays", name, target, "loss of u per step", meant_u,
                         _kept(meant_u, got_u))]  # fmt: skip
        if a.graded:
            return found
        amperes = constant(self.described, a)
        ideal = (a.bias + a.gain * amperes) * self._leak_gain(a, c)
        pairs: list[tuple[str, str, Any, Any]] = [
            ("decays", "loss of v per step", a.leak_v, c.leak_v),
            ("bias", "bias, V per step", ideal, c.bias + c.gain * amperes),
            ("delays", "refractory period, steps", a.refractory, c.refractory),
            ("start", "v at the start", a.v_init, c.v_init),
            ("start", "u at the start", u_start(a).sum(axis=0), u_start(c).sum(axis=0)),
        ]
        if a.spikes:
            pairs.append(("threshold", "threshold, V", a.threshold, c.threshold))
            strict = self.plain.rule.compare, self.coded.rule.compare
            if strict[0] != strict[1]:
                text = f"spikes where v {strict[1]} threshold, in place of {strict[0]}"
                found.append(Change("threshold", name, name, "comparison", 1, 1, 0.0, text))
        if a.reset != c.reset:
            text = f"reset by {c.reset}, in place of {a.reset}"
            found.append(Change("start", name, name, "reset", 1, 1, 0.0, text))
        return found + [_change(g, name, name, what, x, y) for g, what, x, y in pairs]


def u_start(p: SteppedPopulation) -> FloatArray:
    """Return what every synaptic state starts at, V per step ``(n_receptors, n)``."""
    return np.zeros(np.shape(p.decay_u)) if p.u_init is None else np.asarray(p.u_init)


def constant(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    """Return the constant currents of a population, A ``(n,)``."""
    total = np.zeros(p.size)
    for c in stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def _kept(meant: Any, got: Any) -> Any:
    """Return ``got``, but ``meant`` where only the scale's rounding in float64 is between them."""
    a, b = np.asarray(meant, np.float64), np.asarray(got, np.float64)
    near = np.isclose(b, a, rtol=SAME, atol=0.0) | (a == b)
    return frozen(np.where(near, a, b))


def _change(group: str, where: str, population: str, what: str, meant: Any, got: Any) -> Change:
    shape = np.broadcast_shapes(np.shape(meant), np.shape(got))
    a = np.broadcast_to(np.asarray(meant, np.float64), shape)
    b = np.broadcast_to(_kept(a, np.broadcast_to(got, a.shape)), a.shape)
    changed = a != b
    finite = np.isfinite(a) & np.isfinite(b)
    error = np.sqrt(np.mean((b - a)[finite] ** 2)) if finite.any() else 0.0
    size = np.sqrt(np.mean(a[finite] ** 2)) if finite.any() else 0.0
    share = float(error / size) if size > 0 else float(error > 0)
    n = int(changed.sum())
    text = f"{what}: {n} of {a.size} rounded, rms error {_percent(share)}"
    if n:
        k = int(np.argmax(np.abs(np.where(finite, b - a, 0.0))))
        text += f", at most {a.flat[k]:.6g} -> {b.flat[k]:.6g}"
    return Change(group, where, population, what, int(a.size), n, share, text)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
