"""Synapse types of the description, in SI units: what one spike does, and their checks.

A spike of weight 1 that arrives at t = 0 adds the current ``amplitude * shape(t)`` with a shape of
peak 1. The weight is named by the norm:

- ``"peak"``: the current's peak, A;
- ``"area"``: the charge, C: the current's integral;
- ``"nnmt"`` (also ``"psp"``): a voltage, V: the charge is ``weight * capacitance``, so that a
  membrane without a leak moves by the weight in the end. NNMT's ``J`` is this weight.

Source: Gerstner and Kistler, Spiking Neuron Models (2002), section 4.1; Rotter and Diesmann,
Biol. Cybern. 81 (1999).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .checks import number_array
from .errors import Faults, NetworkError, show
from .exponentials import exp2, exp3

Norm = Literal["peak", "area", "psp", "nnmt"]
NORMS = ("peak", "area", "psp", "nnmt")


@dataclass(frozen=True)
class Delta:
    """Each spike moves V by the weight at once; weights in V."""

    @staticmethod
    def psp(t: npt.ArrayLike, tau_m: float, capacitance: float = 1.0) -> FloatArray:
        """Return V per unit weight at ``t`` (s) after a spike; ``tau_m`` may be infinite."""
        times = np.asarray(t, np.float64)
        return np.where(times >= 0, np.exp(-np.maximum(times, 0.0) / tau_m), 0.0)

    @staticmethod
    def psp_peak(tau_m: float, capacitance: float = 1.0) -> tuple[float, float]:
        """Return (time of the peak, s; V per unit weight there)."""
        return 0.0, 1.0


class _Current:
    """What the synapses with a current share: one exponential, or two convolved."""

    norm: Norm

    @property
    def taus(self) -> tuple[float, ...]:
        """Time constants, s, the longest first."""
        raise NotImplementedError

    @property
    def peak_time(self) -> float:
        """When the current is largest, s after the spike."""
        taus = self.taus
        return 0.0 if len(taus) == 1 else _peak_time(*taus)

    @property
    def scale(self) -> float:
        """Peak-1 shape per convolution of the exponentials, 1/s (1 for one exponential)."""
        taus = self.taus
        return 1.0 if len(taus) == 1 else _inverse_peak(*taus) / taus[-1]

    @property
    def shape_area(self) -> float:
        """Integral of the peak-1 shape, s: tau, e tau (alpha), or what two time constants give."""
        taus = self.taus
        return taus[0] if len(taus) == 1 else _inverse_peak(*taus) * taus[0]

    def shape(self, t: npt.ArrayLike) -> FloatArray:
        """Return the current at ``t`` (s) after a spike as a share of its peak; 0 before."""
        times = np.asarray(t, np.float64)
        after = np.maximum(times, 0.0)
        taus = self.taus
        if len(taus) == 1:
            return np.where(times >= 0, np.exp(-after / taus[0]), 0.0)
        return self.scale * after * exp2(-after / taus[0], -after / taus[1])

    def peak(self, capacitance: float | None = None) -> float:
        """Return the current's peak, A per unit weight.

        Args:
            capacitance: F, of the membrane; needed for the norm "nnmt" alone.

        Raises:
            NetworkError: it is needed and absent.
        """
        if self.norm == "peak":
            return 1.0
        if self.norm == "area":
            return 1.0 / self.shape_area
        if capacitance is None:
            raise NetworkError(
                f"{type(self).__name__}: capacitance = None, allowed: a capacitance > 0 F (the "
                f"weight of norm {self.norm!r} is a voltage)"
            )
        return capacitance / self.shape_area

    def area(self, capacitance: float | None = None) -> float:
        """Return the charge, C per unit weight; arguments and errors as of :meth:`peak`."""
        return 1.0 if self.norm == "area" else self.peak(capacitance) * self.shape_area

    def current(self, t: npt.ArrayLike, capacitance: float | None = None) -> FloatArray:
        """Return the current at ``t`` (s) after a spike, A per unit weight; 0 before.

        Arguments and errors as of :meth:`peak`.
        """
        return self.peak(capacitance) * self.shape(t)

    def psp(self, t: npt.ArrayLike, tau_m: float, capacitance: float) -> FloatArray:
        """Return what a spike adds to V at ``t`` (s) after it, V per unit weight.

        Args:
            t: s, any shape.
            tau_m: membrane time constant, s; infinite without a leak.
            capacitance: F.

        Source: the convolution of the current with ``exp(-t / tau_m) / capacitance``.
        """
        after = np.maximum(np.asarray(t, np.float64), 0.0)
        rates = [-after / tau for tau in (*self.taus, tau_m)]
        if len(rates) == 2:
            kernel = after * exp2(*rates)
        else:
            kernel = after**2 * exp3(*rates)
        return np.asarray(self.peak(capacitance) * self.scale / capacitance * kernel)

    def psp_peak(self, tau_m: float, capacitance: float) -> tuple[float, float]:
        """Return (time of the PSP's peak, s after the spike; V per unit weight there).

        Without a leak (``tau_m`` infinite) V only rises: the time is infinite.
        """
        if np.isinf(tau_m):
            return float("inf"), self.area(capacitance) / capacitance
        when = _summit(self.taus, tau_m)
        return when, float(self.psp(when, tau_m, capacitance))


@dataclass(frozen=True)
class Exponential(_Current):
    """Each spike adds a current that decays with ``tau``.

    Args:
        tau: synaptic time constant, s, > 0.
        norm: what the weight is: ``"peak"`` the current's jump (A), ``"area"`` the charge (C, the
            jump is weight/tau), ``"psp"`` or ``"nnmt"`` a voltage (V, the jump is weight * tau_m /
            (tau * resistance), the form NNMT uses).
    """

    tau: float
    norm: Norm = "peak"

    @property
    def taus(self) -> tuple[float, ...]:
        """The time constant, s."""
        return (self.tau,)


@dataclass(frozen=True)
class Alpha(_Current):
    """Each spike adds the current ``amplitude * (t / tau) * exp(1 - t / tau)``, largest at tau.

    Args:
        tau: time constant and time of the peak, s, > 0.
        norm: what the weight is: ``"peak"`` the current at tau (A; the charge is e tau weight),
            ``"area"`` the charge (C; the peak is weight / (e tau)), ``"nnmt"`` or ``"psp"`` a
            voltage (V; the charge is weight * capacitance).

    Source: Orhan, The leaky integrate-and-fire neuron model (2012), Eq. 10; ``"area"`` is the
    ``t / tau**2 exp(-t / tau)`` of Gerstner and Kistler (2002), section 4.1.
    """

    tau: float
    norm: Norm = "peak"

    @property
    def taus(self) -> tuple[float, ...]:
        """The time constant, twice, s."""
        return (self.tau, self.tau)


@dataclass(frozen=True)
class BiExponential(_Current):
    """Each spike adds a current proportional to ``exp(-t / tau_decay) - exp(-t / tau_rise)``.

    It rises from 0, is largest at ``tau_rise tau_decay / (tau_decay - tau_rise) *
    ln(tau_decay / tau_rise)``, and falls. Equal time constants give :class:`Alpha`; exchanged ones
    give the same current.

    Args:
        tau_rise, tau_decay: time constants, s, > 0.
        norm: what the weight is: ``"peak"`` the largest current (A), ``"area"`` the charge (C),
            ``"nnmt"`` or ``"psp"`` a voltage (V; the charge is weight * capacitance).

    Source: Orhan, The leaky integrate-and-fire neuron model (2012), Eq. 11, whose bracket has the
    wrong sign: ``tau2 / (tau2 - tau1) * [exp(-t / tau1) - exp(-t / tau2)]`` is negative for all
    tau1 != tau2. Here the bracket is reversed, and the shape is scaled to a peak of 1.
    """

    tau_rise: float
    tau_decay: float
    norm: Norm = "peak"

    @property
    def taus(self) -> tuple[float, ...]:
        """Both time constants, s, the longer first."""
        return (max(self.tau_rise, self.tau_decay), min(self.tau_rise, self.tau_decay))


Synapse = Delta | Exponential | Alpha | BiExponential
SYNAPSES = (Delta, Exponential, Alpha, BiExponential)


def _excess(slow: float, fast: float) -> tuple[float, float]:
    """Return r = slow/fast - 1, and ln(1 + r)/r, which is 1 where both are equal."""
    r = (slow - fast) / fast
    return r, float(np.log1p(r) / r) if r > 0 else 1.0


def _peak_time(slow: float, fast: float) -> float:
    return slow * _excess(slow, fast)[1]


def _inverse_peak(slow: float, fast: float) -> float:
    """Return fast / the peak of the convolution of both exponentials; e where they are equal."""
    return float(np.exp(_excess(slow, fast)[1]))


def _summit(taus: tuple[float, ...], tau_m: float) -> float:
    """Return when a membrane driven through ``taus`` is highest, s.

    There the current's share equals the leak's. A convolution of exponentials has one peak, not
    after the mean, which is the sum of the time constants.
    """
    if len(taus) == 1:
        return _peak_time(max(taus[0], tau_m), min(taus[0], tau_m))

    def rises(t: float) -> bool:
        x, y, z = (-t / tau for tau in (*taus, tau_m))
        return bool(exp2(x, y) > t / tau_m * exp3(x, y, z))

    low, high = 0.0, sum(taus) + tau_m
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if rises(middle) else (low, middle)
    return low


def checked_synapse(where: str, synapse: Synapse, faults: Faults) -> Synapse:
    """Return the synapse with plain floats as its time constants, after noting every fault."""
    if isinstance(synapse, Delta):
        return synapse
    norm: Any = synapse.norm
    if not isinstance(norm, str) or norm not in NORMS:
        faults.add(where, "synapse.norm", norm, '"peak", "area", "nnmt" or "psp"')
    names = ("tau",) if not isinstance(synapse, BiExponential) else ("tau_rise", "tau_decay")
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(synapse, name)
        tau = number_array(where, f"synapse.{name}", value, faults)
        if tau is None:
            continue
        if tau.ndim != 0 or not tau > 0:
            faults.add(where, f"synapse.{name}", value, "one time constant > 0 s")
            continue
        found[name] = float(tau)
    return replace(synapse, **found) if len(found) == len(names) else synapse


def described(synapse: Synapse) -> str:
    """Return a short name such as ``alpha_5ms`` that can be part of a population's name."""
    if isinstance(synapse, Delta):
        return "delta"
    kind = {Exponential: "exp", Alpha: "alpha", BiExponential: "biexp"}[type(synapse)]
    taus = synapse.taus[:1] if isinstance(synapse, Alpha) else synapse.taus[::-1]
    return "_".join([kind, *(milliseconds(tau) for tau in taus)])


def milliseconds(tau: float) -> str:
    """Return a time in s as part of a name: ``5ms``, ``0p5ms``."""
    text = show(float(f"{tau * 1e3:.6g}")).removesuffix(".0")
    return text.replace(".", "p").replace("-", "m").replace("+", "") + "ms"
