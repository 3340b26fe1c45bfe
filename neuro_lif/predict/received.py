"""What a population receives per step, meant and coded: by a drive, and by the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..discretize import SteppedNetwork
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..network import Constant, PoissonInput, SpikeInput
from ..reference.theory.described import check_white, current_moments, poisson_moments
from ..reference.theory.integers import White
from .coded import Coded, Incoming

MEND = (
    "measure it: run_clocked and run_fixed; or put None for the stimulus and tell the drive's mean "
    "and sd"
)


@dataclass(frozen=True, eq=False)
class Drive:
    """What a population receives beside its bias and beside what the network describes.

    The network describes constant currents, GaussianNoise and the rates of PoissonInputs: they are
    taken from it. Currents and spikes that are given when it is run are told here.

    Args:
        rates: input or population -> Hz, a number or one per sender; the senders fire as Poisson
            processes, independently. It goes before what a PoissonInput describes. Other senders
            that are absent are silent.
        mean: V per step added to v by anything else, a number or ``(n,)``.
        sd: its standard deviation from step to step, V per step, independent of all else.
    """

    rates: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    mean: npt.ArrayLike = 0.0
    sd: npt.ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class Received:
    """What arrives at a population per step; arrays ``(n,)``, V.

    Args:
        events: projection -> mean number of its senders' events in a step, one per synapse; only
            those known.
        meant, coded: what they and the currents add up to, for the float reference and as coded.
    """

    events: Mapping[str, FloatArray]
    meant: White
    coded: White


def received(fixed: FixedNetwork, stepped: SteppedNetwork, c: Coded, drive: Drive) -> Received:
    """Return what a population receives.

    Args:
        fixed, stepped: the networks.
        c: the population.
        drive: what the network does not describe.

    Raises:
        RangeError: something described varies in another way than white noise, or the drive does
            not fit; naming it.
    """
    described = {i.name: i for i in stepped.network.spike_inputs}
    events: dict[str, FloatArray] = {}
    sums = np.zeros((2, 2, c.size))  # meant and coded; mean and variance
    for p in c.incoming:
        found = _events(c, p, drive, described.get(p.pre))
        if found is None:
            continue
        events[p.name] = found[0]
        for k, weight in enumerate((p.meant, p.coded)):
            sums[k, 0] += np.bincount(p.post, weight * found[0], c.size)
            sums[k, 1] += np.bincount(p.post, weight**2 * found[1], c.size)
    currents = _currents(fixed, stepped, c, drive)
    meant, coded = (
        White(mean, np.sqrt(variance), direct[0], np.sqrt(direct[1]))
        for (mean, variance), direct in zip(sums, currents, strict=True)
    )
    check_white(c.name, meant, 1.0 - (c.incoming[0].delta_u if c.incoming else 1.0))
    check_white(c.name, coded, 1.0 - c.delta_u)
    return Received(events, meant, coded)


def _events(
    c: Coded, p: Incoming, drive: Drive, spikes: PoissonInput | SpikeInput | None
) -> tuple[FloatArray, FloatArray] | None:
    """Return mean and variance of the events per step, one per synapse; None: not known."""
    if p.pre in drive.rates:
        each = per_synapse(p, drive.rates[p.pre]) * c.dt
        at_most_one = isinstance(spikes, PoissonInput) and spikes.draw == "bernoulli"
        return each, each * np.maximum(1.0 - each, 0.0) if at_most_one else each
    where = f"population {c.name!r}: the input {p.pre!r}"
    mend = f"tell its mean rate: rates of the drive[{p.pre!r}]"
    if isinstance(spikes, PoissonInput):
        mean, variance = poisson_moments(where, spikes, c.dt, mend)
        return mean[p.sender], variance[p.sender]
    if spikes is not None and spikes.times is not None:
        raise RangeError(f"{where} varies (a list of spikes), allowed: a PoissonInput ({mend})")
    return None


def _currents(fixed: FixedNetwork, stepped: SteppedNetwork, c: Coded, drive: Drive) -> FloatArray:
    """Return mean and variance of the currents, V and V**2 ``(2, 2, n)``: meant, then coded."""
    where = f"population {c.name!r}"
    if any(p.population == c.name for p in fixed.poissons):
        names = ", ".join(p.name for p in fixed.poissons if p.population == c.name)
        raise RangeError(f"{where}: poissons {names} are in the integers alone, allowed: inputs of "
                         "both (theory.fixed_rate reads them)")  # fmt: skip
    told: list[Any] = [drive.mean, np.asarray(drive.sd, np.float64) ** 2]
    total: FloatArray = np.zeros((2, 2, c.size))
    total += np.stack([np.broadcast_to(np.asarray(x, np.float64), (c.size,)) for x in told])
    gain = stepped.population(c.name).gain
    directs = {d.name: d for d in fixed.directs}
    for i in stepped.network.current_inputs:
        if i.population != c.name or i.stimulus is None or isinstance(i.stimulus, Constant):
            continue  # given at run, or in the bias
        about = f"{where}: the current {i.name!r}"
        mean, sd = current_moments(about, i.stimulus, c.dt, c.size, MEND)
        direct = directs.get(i.name)
        scale = getattr(getattr(direct, "stream", None), "lsb_per_ampere", None)
        scale = getattr(direct, "lsb_per_ampere", None) if scale is None else scale
        if scale is None:
            raise RangeError(f"{about}: the integers have no scale of it, allowed: an input that "
                             f"quantize() made ({MEND})")  # fmt: skip
        for k, by in enumerate((gain, np.asarray(scale) * c.lsb)):
            total[k] += np.stack([by * mean, (by * sd) ** 2])
    return total


def per_synapse(p: Incoming, rate: npt.ArrayLike) -> FloatArray:
    """Return the rate of every synapse's sender, Hz.

    Raises:
        RangeError: it is no rate, or not one per sender.
    """
    values = np.asarray(rate, np.float64)
    most = int(p.sender.max(initial=-1))
    fits = values.ndim == 0 or (values.ndim == 1 and len(values) > most)
    if not fits or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise RangeError(f"drive: rates[{p.pre!r}] = {show(rate)}, allowed: finite Hz >= 0, "
                         "one, or one per sender")  # fmt: skip
    return np.full(p.sender.shape, float(values)) if values.ndim == 0 else values[p.sender]
