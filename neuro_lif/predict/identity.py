"""The spike-identity certificate: up to which step these integers surely emit the float's spikes.

The float reference is run; along its spikes every register of the integer network is followed as an
interval that holds the chip's value whatever each rounding did within its range
(:mod:`.bounds`). Synaptic input is exact as long as the senders' spikes are certified. Where the
whole interval lies on the side of the threshold on which the float neuron was, its spike (or
silence) is certain; from the first step where it is not, the neuron is no longer certified, nor is
any neuron from the step its spikes can arrive.

This says nothing of how often two runs agree by luck: a certified raster is equal by proof, one
that is not certified may be equal all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, entries
from ..checks import expect, expect_flag
from ..connect import Carrier
from ..dequantize import as_lowered, check_same
from ..discretize import SteppedNetwork
from ..emulator.engine import carrier_for, payload
from ..errors import RangeError, show
from ..feeds import Rolling, float_feeds
from ..fixed import FixedNetwork, FixedProjection
from ..lazy import is_sparse, sparse
from ..lower.encode import encode_current
from ..reference.stepper import Stepper
from ..run_inputs import input_rows
from ..stimulate import Inputs, batch_of, check_given, input_sizes, steps_of
from .bounds import Bounds, Mask, check_model, plus
from .relays import Link, StageBounds, check_stage
from .verdict import NeuronVerdicts, SpikeCertificate

ROUNDINGS = ("profile", "any")
ULPS = 4 * 2.0**-53
"""Of the magnitudes in ``|lsb * v - v_float|``, to cover how this difference is rounded."""


def certify_spikes(
    fixed: FixedNetwork, stepped: SteppedNetwork, n_steps: int | None = None,
    inputs: Inputs | None = None, *, rounding: str = "profile", record: bool = False,
) -> SpikeCertificate:  # fmt: skip
    """Prove, step by step, that a network of integers emits the spikes of the float reference.

    Not to be confused with :func:`neuro_lif.certify.certify`, which proves that no register
    overflows. Here an overflow that cannot be excluded ends the certificate of the neuron.

    Args:
        fixed: the integers, from ``quantize(stepped, ...)``, or made by hand with the same
            populations, projections and inputs.
        stepped: what they stand for.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: as of :func:`neuro_lif.run_clocked`: counts of spikes, amperes; ``(n_steps, n)`` or
            ``(batch, n_steps, n)``. Absent ones are as described.
        rounding: ``"profile"``: every decay is rounded by an amount in the range that the
            profile's rounding has (toward zero: 0..1 LSB; to the nearest: half an LSB);
            ``"any"``: by less than one LSB either way, so that the proof holds for a chip that
            rounds each step as it likes, stochastically too.
        record: keep the bound of every step: see ``SpikeCertificate.bounds``.

    Returns:
        The certificate: for every neuron the first step in which it may differ, and why.

    Raises:
        RangeError: the two do not belong together, or the inputs do not fit.
        LoweringError: a neuron model that the bounds do not follow (noise, events taken one by
            one, graded spikes of anything but a filter stage).
    """
    stages = _check(fixed, stepped, rounding, record)
    given = check_given(inputs, input_sizes(stepped.network))
    steps, batch = steps_of(n_steps, given), batch_of(given)
    made = float_feeds(stepped.network, stepped.dt, steps, batch or 1, given)
    feeds: Any = {k: Rolling(feed, batch or 1, steps, steps) for k, feed in made.items()}
    rows = input_rows(fixed, as_integers(fixed, given), batch or 1, steps)
    follower = _Follower(fixed, stages, batch or 1, steps, rounding, record)
    stepper = Stepper(stepped, batch or 1)
    for t, spikes in enumerate(stepper.steps(feeds, steps), start=1):
        volts = {name: neurons.v for name, neurons in stepper.neurons.items()}
        follower.step(t, {name: a[:, t - 1] for name, a in rows.items()}, spikes, volts)
        if follower.done:
            break
    return follower.certificate(batch is None, rounding)


def _check(fixed: FixedNetwork, stepped: SteppedNetwork, rounding: str, record: bool) -> set[str]:
    """Refuse what the bounds do not follow; return the filter stages."""
    expect(fixed, FixedNetwork, "certify_spikes (fixed)")
    expect(stepped, SteppedNetwork, "certify_spikes (stepped)")
    expect_flag(record, "certify_spikes: record")
    if rounding not in ROUNDINGS:
        raise RangeError(f"rounding = {show(rounding)}, allowed: {', '.join(map(repr, ROUNDINGS))}")
    lowered = as_lowered(fixed, stepped)
    check_same(fixed, lowered)
    for population in fixed.populations:
        check = check_stage if lowered.population(population.name).graded else check_model
        check(fixed.profile, population.model)
        if population.alias is not None:
            raise RangeError(f"population {population.name!r}: alias, allowed: none")
    if fixed.poissons:
        raise RangeError(f"poissons = {[p.name for p in fixed.poissons]}, allowed: none, as the "
                         "float network has no such input; give rasters")  # fmt: skip
    return {p.name for p in lowered.populations if p.graded}


def as_integers(fixed: FixedNetwork, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of the float run as the chip gets them."""
    sizes = fixed.input_sizes()
    out: dict[str, Any] = {}
    for name, values in given.items():
        direct = next((d for d in fixed.directs if d.name == name), None)
        if name not in sizes:
            raise RangeError(f"inputs: {name!r} is no input of the integer network (a constant "
                             "current is part of its bias), allowed: "
                             f"{', '.join(sorted(sizes)) or 'none'}")  # fmt: skip
        out[name] = values if direct is None else encode_current(direct, values)
    return check_given(out, sizes, whole=True)


class _Synapses:
    """One projection: exact sums, and which neurons hear which.

    Args:
        fixed, p, batch: the network, the projection, samples.
    """

    def __init__(self, fixed: FixedNetwork, p: FixedProjection, batch: int) -> None:
        self.p, self.lost = p, False
        self.carrier: Carrier = carrier_for(fixed, p, batch, self._told)
        effective = fixed.effective_weights(p)
        self.hears = _structure(effective)  # (n_pre, n_post)
        self.soonest = fixed.latency(p) + int(np.min(p.delays, initial=2**31))
        if not np.size(p.delays):
            self.soonest = fixed.latency(p)

    def _told(self, *what: Any) -> None:
        self.lost = True

    def send(self, t: int, spikes: IntArray) -> None:
        self.carrier.emit(t, payload(self.p, spikes))

    def reached(self, doubted: Mask) -> Mask:
        """Return who can hear that a sender was not certain ``(batch, n_post)``."""
        heard = np.asarray(doubted.astype(np.float64) @ self.hears)
        return np.asarray(heard > 0, np.bool_)


def _structure(weights: Any) -> Any:
    if is_sparse(weights):
        values = (entries(weights) != 0).astype(np.float64)
        parts = (values, weights.indices, weights.indptr)
        return sparse.csr_matrix(parts, shape=weights.shape).T.tocsr()
    return (np.asarray(weights) != 0).astype(np.float64).T


class _Neurons:
    """One population on the way: its intervals, and what is known of its neurons."""

    def __init__(
        self, fixed: FixedNetwork, name: str, batch: int, steps: int, rounding: str, record: bool
    ) -> None:
        population = fixed.population(name)
        mode = "any" if rounding == "any" else None
        self.lsb = np.asarray(population.lsb)
        self.bounds = Bounds(fixed.profile.ops(population.model), fixed.params(name),
                             fixed.initial(name), batch, mode)  # fmt: skip
        shape = (batch, population.size)
        self.voltage = fixed.profile.model(population.model).voltage
        self.first, self.reason = np.zeros(shape, np.int64), np.zeros(shape, np.int8)
        self.margin, self.tightest = np.full(shape, np.inf), np.zeros(shape, np.int64)
        self.error = np.zeros(shape)
        self.each = np.full((batch, steps, population.size), np.inf) if record else None
        self.pending: dict[int, Mask] = {}

    def doubt(self, t: int, who: Mask, reason: int) -> Mask:
        """Note who is no longer certified from step ``t`` on; return those that were until now."""
        new: Mask = who & (self.first == 0)
        self.first[new], self.reason[new] = t, reason
        return new

    def heard(self, t: int) -> Mask:
        """Return who is doubted for the first time, by what it may hear in step ``t``."""
        heard = self.pending.pop(t, None)
        return np.zeros(self.first.shape, np.bool_) if heard is None else self.doubt(t, heard, 3)

    def step(
        self, t: int, arriving: IntArray, more: FloatArray | None, spikes: Mask, volts: FloatArray
    ) -> Mask:
        """Follow one step; return who is doubted for the first time."""
        new = self.heard(t)
        right, wrong, margin = self.bounds.step(arriving, spikes, more)
        new |= self.doubt(t, self.bounds.overflow, 2)
        new |= self.doubt(t, wrong, 4)
        new |= self.doubt(t, ~right, 1)
        sure = self.first == 0
        closer = sure & (margin < self.margin)
        self.margin = np.where(closer, margin, self.margin)
        self.tightest = np.where(closer, t, self.tightest)
        error = np.where(sure, self._error(volts), np.inf)
        self.error = np.where(sure, np.maximum(self.error, error), self.error)
        if self.each is not None:
            self.each[:, t - 1] = error
        return new

    def _error(self, volts: FloatArray) -> FloatArray:
        """Return a bound of ``|lsb * v - v_float|``, V, after the step."""
        low, high = self.bounds.state[self.voltage]
        low, high = low * self.lsb, high * self.lsb
        slack = ULPS * (np.abs(low) + np.abs(high) + np.abs(volts))
        return np.asarray(np.maximum(np.abs(high - volts), np.abs(volts - low)) + slack)


class _Relay(_Neurons):
    """One filter stage on the way: it has no spikes, only what it sends."""

    def __init__(self, fixed: FixedNetwork, name: str, batch: int, rounding: str) -> None:
        super().__init__(fixed, name, batch, 0, rounding, False)
        self.name = name
        self.stage = StageBounds(fixed.profile.ops(fixed.population(name).model),
                                 fixed.params(name), fixed.initial(name), batch,
                                 "any" if rounding == "any" else None)  # fmt: skip
        self.stage.spans = fixed.profile.register_ranges

    def relay(self, t: int, arriving: IntArray, more: FloatArray | None) -> Mask:
        """Follow one step; return who is doubted for the first time."""
        new = self.heard(t)
        self.sent = self.stage.relay(arriving, more)
        return new | self.doubt(t, self.stage.overflow, 2)


class _Follower:
    """Follows the whole network along the float's spikes."""

    def __init__(
        self, fixed: FixedNetwork, stages: set[str], batch: int, steps: int, rounding: str,
        record: bool,
    ) -> None:  # fmt: skip
        self.fixed, self.steps = fixed, steps
        self.synapses = [_Synapses(fixed, p, batch) for p in fixed.projections
                         if p.pre not in stages]  # fmt: skip
        self.links = [Link(fixed, p) for p in fixed.projections if p.pre in stages]
        self.neurons: dict[str, _Neurons] = {
            p.name: _Relay(fixed, p.name, batch, rounding) if p.name in stages
            else _Neurons(fixed, p.name, batch, steps, rounding, record)
            for p in fixed.populations
        }  # fmt: skip

    def step(
        self, t: int, rows: Mapping[str, IntArray], spikes: Mapping[str, Mask],
        volts: Mapping[str, FloatArray],
    ) -> None:  # fmt: skip
        for synapses in self.synapses:
            if synapses.p.pre in rows:
                synapses.send(t, rows[synapses.p.pre])
        for name, neurons in self.neurons.items():
            self._doubt_lost(t, name)
            arriving = self._arriving(t, name, rows)
            more = self._relayed(t, name)
            if isinstance(neurons, _Relay):
                new = neurons.relay(t, arriving, more)
                for link in self.links:
                    if link.p.pre == name:
                        link.send(t, neurons.sent)
                        self._hand_on(t, link, new)
                continue
            new = neurons.step(t, arriving, more, spikes[name], volts[name])
            for synapses in self.synapses:
                if synapses.p.pre == name:
                    synapses.send(t, spikes[name].astype(np.int64))
                    self._hand_on(t, synapses, new)

    def _arriving(self, t: int, name: str, rows: Mapping[str, IntArray]) -> IntArray:
        """Return the sum of what arrives and is known exactly ``(batch, n)``."""
        arriving = np.zeros(self.neurons[name].first.shape, np.int64)
        for synapses in self.synapses:
            if synapses.p.post == name:
                arriving += synapses.carrier.arriving(t)
        for direct in self.fixed.directs:
            if direct.population == name:
                arriving += rows[direct.name]
        return arriving

    def _relayed(self, t: int, name: str) -> FloatArray | None:
        """Return the sum of what filter stages may send to a population, an interval."""
        total: FloatArray | None = None
        for link in self.links:
            found = link.arriving(t) if link.p.post == name else None
            if found is not None:
                total = found[0] if total is None else plus(total, found[0])
                self._doubt(t, name, found[1])
        return total

    @property
    def done(self) -> bool:
        """Whether no neuron is certified any more."""
        return all(bool((n.first > 0).all()) for n in self.followed.values())

    def _doubt_lost(self, t: int, name: str) -> None:
        """End the certificate of a population whose sums of synaptic input overflowed."""
        for synapses in self.synapses:
            if synapses.p.post == name and synapses.lost:
                self._doubt(t, name, np.ones(self.neurons[name].first.shape, np.bool_))

    def _hand_on(self, t: int, synapses: _Synapses | Link, new: Mask) -> None:
        if new.any():
            self._doubt(t + synapses.soonest, synapses.p.post, synapses.reached(new))

    def _doubt(self, t: int, name: str, who: Mask) -> None:
        """Note who may hear something else in step ``t``."""
        pending = self.neurons[name].pending
        pending[t] = who | pending[t] if t in pending else who

    @property
    def followed(self) -> dict[str, _Neurons]:
        """The populations that spike."""
        return {k: n for k, n in self.neurons.items() if not isinstance(n, _Relay)}

    def certificate(self, single: bool, rounding: str) -> SpikeCertificate:
        """Return what was found; ``single``: without an axis for samples."""

        def cut(a: Any) -> Any:
            return a[0] if single else a

        verdicts = {
            name: NeuronVerdicts(*(cut(a) for a in (n.first, n.reason, n.margin, n.tightest,
                                                    n.error)))
            for name, n in self.followed.items()
        }  # fmt: skip
        bounds: dict[str, npt.NDArray[np.float64]] = {
            name: cut(n.each) for name, n in self.followed.items() if n.each is not None
        }
        return SpikeCertificate(self.fixed.profile.name, rounding, self.steps, verdicts, bounds)
