"""Networks of three populations in which one thing alone errs, in one population: what and whose.

``x -> a -> b`` and ``x -> c``, each population with a bias or inputs of its own. All numbers are
whole in LSB, so that nothing is lost but what a case spoils: in the description a number is moved
away from what the integers have, or the integers are such that they lose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import neuro_lif as nl

DT = 2.0**-10
"""s; sums of such times are exact, so that what arrives together is added up together."""
LSB = 2.0**-20
"""V; the plain thresholds below are about 2**20 LSB."""
POPULATIONS = ("a", "b", "c")
SIZE = 4
STEPS = 240


@dataclass(frozen=True)
class Numbers:
    """One population as a chip has it, LSB; ``spoil`` changes what is described, in V or s.

    Without a leak (``dv`` 0) nothing of the state is ever rounded.
    """

    theta: int = 16000 * 64
    bias: int = 0
    dv: int = 0
    du: int = 4095
    refract: int = 0
    start: int = 0
    mantissas: tuple[int, ...] = (96, 80, 64, 112)
    exponent: int = 4
    delay: int = 0
    lsb: float = LSB
    compensated: bool = False
    spoil: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A description, its integers, inputs, and what the ladder should name."""

    network: nl.Network
    fixed: nl.FixedNetwork
    inputs: dict[str, Any]
    rung: str
    population: str
    compensated: bool = False
    timed: bool = False


def tau_of(loss: float) -> float:
    return -DT / math.log1p(-loss)


def loss_u(n: Numbers) -> float:
    """Return what is described to be lost of u per step."""
    return (n.du + 1) / 4096 * (1 + n.spoil.get("decay_u", 0.0))


def gain(n: Numbers) -> float:
    """Return what compensation multiplies the described weights and bias by."""
    if not n.compensated:
        return 1.0
    return 1 / (1 + n.spoil.get("decays", 0.0)) / (1 + n.spoil.get("decay_u", 0.0))


def _weights(seed: int, mantissas: tuple[int, ...], n_pre: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 2 * (rng.choice(mantissas, (SIZE, n_pre)) // 2)


def build(numbers: dict[str, Numbers], rung: str, culprit: str, **more: Any) -> Case:
    """Return a case; ``numbers`` of the populations that are not plain."""
    populations, projections, described, wires = [], [], [], []
    for k, name in enumerate(POPULATIONS):
        n = numbers.get(name, Numbers())
        populations.append(_fixed_population(name, n))
        described.append(nl.Population(name, SIZE, _neuron(n)))
        for pre, size in (("x", 6), *((("a", SIZE),) if name == "b" else ())):
            mantissas = _weights(10 * k + len(pre), n.mantissas, size)
            label = f"{pre}_to_{name}"
            projections.append(
                nl.FixedProjection(label, pre, name, mantissas, n.exponent, delays=n.delay)
            )
            volts = mantissas * 2.0 ** (n.exponent + 6) * n.lsb + n.spoil.get("weights", 0.0)
            volts = volts / gain(n)
            synapse: Any = nl.Delta()
            if n.du != 4095:
                synapse = nl.Exponential(tau_of(loss_u(n)))
                volts = volts / _unit_jump(n)
            delay = (n.delay + 1 + n.spoil.get("delay", 0)) * DT
            if n.du != 4095:
                delay -= DT
            wires.append(nl.Projection(label, pre, name, volts, synapse, delay))
    source, fixed_source = nl.SpikeInput("x", 6), nl.FixedSource("x", 6)
    fixed = nl.FixedNetwork(
        nl.load_profile("loihi2"), tuple(populations), tuple(projections), (fixed_source,), dt=DT
    )
    rng = np.random.default_rng(5)
    inputs = {"x": (rng.random((STEPS, 6)) < 0.25).astype(np.int64)}
    return Case(nl.Network(described, wires, [source]), fixed, inputs, rung, culprit, **more)


def _unit_jump(n: Numbers) -> float:
    """Return the jump of u that an incoming 1 A makes at 1 ohm, by the discretisation itself."""
    net = nl.Network(
        [nl.Population("p", 1, _neuron(n))],
        [nl.Projection("q", "x", "p", np.ones((1, 1)), nl.Exponential(tau_of(loss_u(n))))],
        [nl.SpikeInput("x", 1)],
    )
    return float(nl.discretize(net, DT).projections[0].weights[0, 0])


def _fixed_population(name: str, n: Numbers) -> nl.FixedPopulation:
    params = {"vth": n.theta // 64, "dv": n.dv, "du": n.du}
    exponent = max(0, n.bias.bit_length() - 12)
    params |= {"bias_mant": n.bias >> exponent, "bias_exp": exponent}
    if n.refract:
        params["refract"] = n.refract + 1
    model = "lif_refractory" if n.refract else "lif"
    init = {"v": n.start} if n.start else {}
    return nl.FixedPopulation(name, SIZE, model, params, init, n.lsb)


def _neuron(n: Numbers) -> Any:
    theta = n.theta * n.lsb + n.spoil.get("threshold", 0.0)
    bias = (n.bias * n.lsb + n.spoil.get("bias", 0.0)) / gain(n)
    held = (n.refract + n.spoil.get("refract", 0)) * DT
    start = n.start * n.lsb + n.spoil.get("start", 0.0)
    if not n.dv:
        return nl.IF(1.0, v_threshold=theta, i_bias=bias / DT, t_refractory=held, v_init=start)
    loss = n.dv / 4096 * (1 + n.spoil.get("decays", 0.0))
    return nl.LIF(tau_of(loss), v_threshold=theta, i_bias=bias / loss, t_refractory=held,
                  v_init=start)  # fmt: skip


def spoiled(name: str, rung: str, numbers: Numbers, **more: Any) -> Callable[[], Case]:
    return lambda: build({name: numbers}, rung, name, **more)


def cases() -> dict[str, Callable[[], Case]]:
    """Return name -> what makes the case."""
    unit = 2.0**10 * LSB
    leaky = Numbers(dv=128)
    slow = Numbers(du=800, mantissas=(24, 20, 16, 28))
    out: dict[str, Callable[[], Case]] = {}
    for p in POPULATIONS:
        spoil = {
            "weights": Numbers(spoil={"weights": 7.3 * unit}),
            "threshold": Numbers(spoil={"threshold": 0.11}),
            "bias": Numbers(bias=2**14, spoil={"bias": 0.006}),
            "start": Numbers(start=2**19, spoil={"start": -0.3}),
            "decays": replace(leaky, spoil={"decays": 0.35}),
            "state": Numbers(theta=20 * 64, dv=41, mantissas=(0,), exponent=0, bias=20,
                             lsb=2.0**-10),
            "overflow": Numbers(mantissas=(-254, -200, 254, 230), exponent=7),
        }  # fmt: skip
        out |= {f"{rung}-{p}": spoiled(p, rung, n) for rung, n in spoil.items()}
        more = {
            "delay": ("delays", Numbers(delay=3, spoil={"delay": 2})),
            "refractory": ("delays", Numbers(refract=2, spoil={"refract": 3})),
            "decay of u": ("decays", replace(slow, spoil={"decay_u": 0.3})),
            "decays, made up for": (
                "decays", replace(leaky, compensated=True, spoil={"decays": 0.35})),
            "decay of u, made up for": (
                "decays", replace(slow, compensated=True, spoil={"decay_u": 0.6})),
            "weights of a current": ("weights", replace(slow, spoil={"weights": 2.1 * unit})),
            "u wraps": ("overflow", Numbers(du=255, mantissas=(200, 254), exponent=6)),
        }  # fmt: skip
        for title, (rung, n) in more.items():
            out[f"{title}-{p}"] = spoiled(p, rung, n, compensated=n.compensated)
        out[f"time step-{p}"] = spoiled(p, "time_step", Numbers(bias=73000), timed=True)
    return out
