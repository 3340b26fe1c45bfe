"""A population of a SteppedNetwork as a block of nengo-loihi, in real numbers.

As the peer's builder does, a block counts v in thresholds, and its weights and biases are those
before the filters that they go through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, entries, post_of_entries
from ..discretize import SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from ..lower.demands import allowance
from ..lower.draft import Draft
from ..lower.encode import largest_current
from ..network import Constant
from .nengo_loihi import NO_DECAY, Compartment
from .nengo_synapses import Synapses
from .parts import bias_of, loss_u_of


@dataclass(frozen=True, eq=False)
class Block:
    """One population as a nengo-loihi block of real numbers.

    Args:
        compartment: its neurons, v counted in ``unit``.
        projections: the projections onto it, and ``synapses`` their synapses, one group each.
        unit: ``(n,)`` V per unit: the threshold of each neuron.
        drive: ``(n,)`` units of bias per V per step.
    """

    compartment: Compartment
    projections: tuple[SteppedProjection, ...]
    synapses: tuple[Synapses, ...]
    unit: FloatArray
    drive: FloatArray


def block_of(draft: Draft, p: SteppedPopulation) -> Block:
    """Return a population as a block of real numbers, before anything is rounded.

    Raises:
        LoweringError: a time constant is too long for nengo-loihi to scale by.
    """
    loss_u, scale_v = loss_u_of(p), bool(np.any(p.leak_v > 0))
    where = f"population {p.name!r}"
    if np.any(loss_u <= NO_DECAY):
        raise LoweringError(_too_slow(where, "tau of a synapse", loss_u))
    if scale_v and np.any(np.asarray(p.leak_v, np.float32) <= NO_DECAY):
        raise LoweringError(_too_slow(where, "tau_m", p.leak_v))
    unit = p.threshold if p.spikes else np.full(p.size, _read_out_unit(draft, p))
    drive = 1.0 / (unit * (p.leak_v if scale_v else 1.0))
    compartment = Compartment(
        decay_u=loss_u,
        decay_v=p.leak_v,
        vth=np.ones(p.size),
        bias=bias_of(draft, p) * drive,
        scale_u=True,
        scale_v=scale_v,
        refract_delay=p.refractory + 1,
    )
    incoming = tuple(q for q in draft.stepped.projections if q.post == p.name)
    return Block(
        compartment, incoming, tuple(_synapses(p, q, drive) for q in incoming), unit, drive
    )


def _too_slow(where: str, name: str, loss: FloatArray) -> str:
    return (
        f"{where}: {name} loses {loss.min():.3g} of its value per step, allowed by nengo-loihi: "
        f"more than {NO_DECAY:.3g} (use a longer dt)"
    )


def _synapses(p: SteppedPopulation, q: SteppedProjection, drive: FloatArray) -> Synapses:
    post = post_of_entries(q.weights)
    scale = drive / (1.0 - np.asarray(p.decay_u)[q.receptor])
    return Synapses(entries(q.weights) * scale[post], post)


def _read_out_unit(draft: Draft, p: SteppedPopulation) -> float:
    """Return the voltage a read-out cannot pass, V: the peer has no neuron without a threshold."""
    drive = np.abs(bias_of(draft, p))
    for q in draft.stepped.projections:
        if q.post == p.name:
            loss = (1.0 - np.asarray(p.decay_u)[q.receptor])[post_of_entries(q.weights)]
            size = np.abs(entries(q.weights)) / loss * draft.most.get(q.pre, 1)
            drive = drive + np.bincount(post_of_entries(q.weights), size, minlength=p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and c.stimulus is None:
            drive = drive + allowance(p)
        elif c.population == p.name and not isinstance(c.stimulus, Constant):
            drive = drive + np.abs(p.gain) * largest_current(draft.stepped, c, draft.n_steps)
    farthest = drive / np.where(p.leak_v > 0, p.leak_v, 1e-3) + np.abs(p.v_init)
    largest = float(farthest.max())
    # a hundredth more than it can reach, so that rounding the weights up does not make it fire
    return 1.01 * largest if largest > 0 else 1.0
