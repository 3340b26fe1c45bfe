"""Mean and spread per step of what a network's own inputs bring, read from their description.

Known are constant currents, :class:`~neuro_lif.stimulus.GaussianNoise` drawn in every step, sums of
them, and Poisson spikes of constant rates. Whatever else goes into a population is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...arrays import FloatArray, entries, plain_matrix, post_of_entries
from ...discretize import SteppedNetwork
from ...errors import RangeError
from ...fixed import FixedNetwork
from ...network import CurrentInput, PoissonInput
from ...stimulus import Constant, GaussianNoise, Stimulus, Sum
from ...streams import CodedCurrent, DrawnSpikes
from .integers import White, integer_step, model_ops

TELL = "tell mean and sd, or run it"
CURRENTS = "Constant, GaussianNoise in every step, and sums of them"


def current_moments(
    where: str, stimulus: Stimulus, dt: float, size: int, mend: str = TELL
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of a current from step to step, A ``(size,)`` each.

    Args:
        where: whose, for the message.
        stimulus: a constant, GaussianNoise, or a sum of them.
        dt: s.
        size: neurons.
        mend: what to do instead.

    Raises:
        RangeError: it varies otherwise; naming what it is.
    """
    mean, by_seed = np.zeros(size), dict[tuple[int, bool], FloatArray]()
    for part in _terms(stimulus):
        drawn = isinstance(part, GaussianNoise) and (
            part.interval is None or part.interval <= dt * (1 + 1e-9)
        )
        if isinstance(part, Constant):
            mean = mean + part.sample(np.zeros(1), size)[0]
        elif isinstance(part, GaussianNoise) and drawn:
            mean = mean + np.asarray(part.mean)
            key = (int(part.seed), bool(part.shared))  # equal seeds are equal numbers: they add up
            by_seed[key] = by_seed.get(key, np.zeros(size)) + np.asarray(part.as_step(dt).sd)
        else:
            held = ", each draw held for several steps" if isinstance(part, GaussianNoise) else ""
            raise RangeError(f"{where} varies ({type(part).__name__}{held}), allowed: {CURRENTS} "
                             f"({mend})")  # fmt: skip
    return mean, np.asarray(np.sqrt(sum((x**2 for x in by_seed.values()), np.zeros(size))))


def _terms(stimulus: Stimulus) -> Iterator[Stimulus]:
    if isinstance(stimulus, Sum):
        for part in stimulus.parts:
            yield from _terms(part)
    else:
        yield stimulus


def poisson_moments(
    where: str, spikes: PoissonInput, dt: float, mend: str = TELL
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of the events of each channel in a step ``(size,)``.

    Raises:
        RangeError: its rate changes in time.
    """
    rate = np.asarray(spikes.rate, np.float64)
    if rate.ndim == 2:
        raise RangeError(f"{where} varies (PoissonInput with an interval), allowed: a constant "
                         f"rate ({mend})")  # fmt: skip
    p = np.broadcast_to(rate * dt, (spikes.size,))
    return np.asarray(p), np.asarray(p * (1 - p) if spikes.draw == "bernoulli" else p)


def stepped_input(stepped: SteppedNetwork, population: str) -> tuple[White, FloatArray]:
    """Return what arrives at a population of the float reference, V, without its bias.

    Returns:
        The input, and the factor that the synaptic current keeps per step ``(n,)``.

    Raises:
        RangeError: something arrives whose mean and spread are not described.
    """
    p, net = stepped.population(population), stepped.network
    n, inputs = p.size, {i.name: i for i in net.spike_inputs}
    mean, variance, current, spread = (np.zeros(n) for _ in range(4))
    receptors = set()
    for q in stepped.projections:
        if q.post != population or not entries(q.weights).size:
            continue
        where = f"population {population!r}: the input {q.pre!r} of projection {q.name!r}"
        events = poisson_moments(where, _drawn(where, inputs.get(q.pre)), stepped.dt)
        by = _arriving(q.weights, entries(q.weights), events, n)
        mean, variance = mean + by[0], variance + by[1]
        receptors.add(q.receptor)
    if len({tuple(p.decay_u[r]) for r in receptors}) > 1:
        raise RangeError(f"population {population!r}: several synaptic time constants, allowed: "
                         f"one ({TELL})")  # fmt: skip
    kept_u = np.array(p.decay_u[receptors.pop()] if receptors else np.zeros(n))
    for c in net.current_inputs:
        if c.population == population:
            where = f"population {population!r}: the current {c.name!r}"
            m, s = current_moments(where, _stimulus(where, c), stepped.dt, n)
            current, spread = current + p.gain * m, np.sqrt(spread**2 + (p.gain * s) ** 2)
    arriving = White(mean, np.sqrt(variance), current, spread)
    check_white(population, arriving, kept_u)
    return arriving, kept_u


def check_white(population: str, arriving: White, kept_u: Any) -> None:
    """Refuse noise through synapses that stay beside noise that does not.

    Raises:
        RangeError: naming the population.
    """
    both = (np.asarray(arriving.sd) > 0) & (np.asarray(arriving.direct_sd) > 0)
    if np.any(both & (np.asarray(kept_u) > 0)):
        raise RangeError(f"population {population!r}: spikes through synapses with a time constant "
                         "and a noisy current, allowed: one of both (run it)")  # fmt: skip


def _stimulus(where: str, current: CurrentInput) -> Stimulus:
    if current.stimulus is None:
        raise RangeError(f"{where} is given when it is run, allowed: a described one ({TELL})")
    return current.stimulus


def _drawn(where: str, spikes: object) -> PoissonInput:
    if not isinstance(spikes, PoissonInput):
        kind = "a population" if spikes is None else "a list of spikes, or given when it is run"
        raise RangeError(f"{where} is {kind}: its rate is not described, allowed: a PoissonInput "
                         f"({TELL})")  # fmt: skip
    return spikes


def _arriving(
    weights: Any, values: Any, events: tuple[FloatArray, FloatArray], n: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of the sum of weights that arrives in a step ``(n,)``."""
    post, sender = post_of_entries(weights), sender_of_entries(weights)
    mean, variance = (
        np.bincount(post, values**power * events[power - 1][sender], n).astype(np.float64)
        for power in (1, 2)
    )
    return mean, variance


def sender_of_entries(weights: Any) -> Any:
    """Return the presynaptic index of every stored value."""
    weights = plain_matrix(weights)
    if hasattr(weights, "indices"):
        return weights.indices
    n_post, n_pre = np.shape(weights)
    return np.tile(np.arange(n_pre), n_post)


# -------------------------------------------------------------------------- a chip's integers


def fixed_input(fixed: FixedNetwork, population: str) -> White:
    """Return what arrives at a population of a chip, LSB of its voltage, without its bias.

    Raises:
        RangeError: something arrives whose mean and spread are not known.
    """
    n, sources = fixed.population(population).size, {s.name: s for s in fixed.sources}
    unit = 2.0 ** input_shift(fixed, population)
    mean, variance, current, spread = (np.zeros(n) for _ in range(4))
    for q in fixed.projections:
        weights = fixed.effective_weights(q)
        if q.post != population or not entries(weights).size:
            continue
        where = f"population {population!r}: the input {q.pre!r} of projection {q.name!r}"
        stream = sources[q.pre].stream if q.pre in sources else None
        drawn = stream.spikes if isinstance(stream, DrawnSpikes) else sources.get(q.pre)
        events = poisson_moments(where, _drawn(where, drawn), fixed.dt)
        by = _arriving(weights, entries(weights) * unit * 2.0 ** fixed.sum_exponent(q), events, n)
        mean, variance = mean + by[0], variance + by[1]
    for poisson in fixed.poissons:
        if poisson.population == population:
            mean = mean + poisson.mean * poisson.weight * unit
            variance = variance + poisson.mean * (poisson.weight * unit) ** 2
    for direct in fixed.directs:
        if direct.population == population:
            where = f"population {population!r}: the current {direct.name!r}"
            m, s = coded_moments(where, direct.stream)
            current, spread = current + m, np.sqrt(spread**2 + s**2)
    arriving = White(mean, np.sqrt(variance), current, spread)
    check_white(population, arriving, integer_step(fixed, population).decay_u)
    return arriving


def coded_moments(where: str, stream: Any, mend: str = TELL) -> tuple[FloatArray, FloatArray]:
    """Return mean and spread of a coded current, LSB of v per step ``(n,)`` each.

    Raises:
        RangeError: it is no current that is coded as a run goes, or one that varies otherwise.
    """
    if not isinstance(stream, CodedCurrent):
        raise RangeError(f"{where} is coded ahead, or given when it is run, allowed: a described "
                         f"one: {CURRENTS} ({mend})")  # fmt: skip
    m, s = current_moments(where, stream.stimulus, stream.dt, stream.size, mend)
    by = np.asarray(stream.lsb_per_ampere)
    return m * by, s * np.abs(by)


def input_shift(fixed: FixedNetwork, population: str) -> Any:
    """Return the left shift from the sum that arrives at port ``in`` to the voltage.

    Raises:
        RangeError: the model has no such port, or shifts by a parameter.
    """
    total, register = None, None
    for op in model_ops(fixed, population):
        if op["op"] == "acc" and op["port"] == "in":
            total, register = op["shift"], op["reg"]
        elif op["op"] == "add" and register is not None and op["src"] == register and op["shift"]:
            total, register = total + op["shift"], op["reg"]
    if not isinstance(total, int):
        raise RangeError(f"population {population!r}: shift of its input = {total!r}, allowed: a "
                         f"number ({TELL})")  # fmt: skip
    return total
