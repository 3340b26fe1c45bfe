"""The filter stage: what an alpha or bi-exponential synapse needs besides u, as explicit parts.

A chip's neuron has one synaptic state, u, that decays with one time constant. A current of two time
constants passes through one more population, one neuron per target neuron, that keeps the longer
one: x. Spikes go to u (with gain P) and to x (with gain Q), and in every step x is sent, as a
graded value, one to one, to u, where it arrives one step later::

    x = a1 * x + Q * spikes
    u = a2 * u + P * spikes + (x of the step before)

This is exact on the grid (:func:`neuro_lif.propagators.gains` gives P and Q) for equal time
constants too, and needs only graded spikes. One stage serves all projections onto a population that
have the same time constants.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .arrays import frozen
from .lazy import sparse
from .stepped import NO_SPIKE, SteppedPopulation, SteppedProjection
from .synapses import Alpha, BiExponential, Synapse, described


def stage_name(post: str, synapse: Synapse, taken: Iterable[str]) -> str:
    """Return a name such as ``cells__alpha_5ms`` that is not ``taken``."""
    return free_name(f"{post}__{described(synapse)}", taken)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return ``name``, with as many ``_`` as make it one that is not ``taken``."""
    known = set(taken)
    while name in known:
        name += "_"
    return name


def stage_population(name: str, size: int, kept: float, tau: float) -> SteppedPopulation:
    """Return a filter stage: x keeps ``kept`` of itself per step and is sent in every step.

    Args:
        name, size: its name, one neuron per target neuron.
        kept: factor per step.
        tau: time constant that it stands for, s.
    """
    none, whole = frozen(np.zeros(size)), frozen(np.ones(size))
    return SteppedPopulation(
        name=name, size=size, decay_u=frozen(np.full((1, size), kept)), decay_v=none, leak_v=whole,
        bias=none, gain=none, threshold=frozen(np.full(size, NO_SPIKE)),
        refractory=frozen(np.zeros(size), np.int64), v_init=none, v_zero=none, reset="value",
        tau_m=none, tau_syn=frozen([tau]), graded=True,
    )  # fmt: skip


def link(
    stage: str, post: str, size: int, receptor: int, taken: Iterable[str]
) -> SteppedProjection:
    """Return what carries a stage's values to its target, one to one, in the next step."""
    parts = (np.ones(size), np.arange(size), np.arange(size + 1))
    weights = sparse.csr_matrix(parts, shape=(size, size))
    for part in (weights.data, weights.indices, weights.indptr):
        part.setflags(write=False)
    delays = frozen(0, np.int64)
    name = free_name(f"{stage}__out", taken)
    return SteppedProjection(name, stage, post, weights, delays, receptor, 1)


Key = tuple[str, tuple[float, ...]]


@dataclass
class Stages:
    """The filter stages of a network while it is built: one per target and time constants.

    Args:
        taken: names of populations and inputs.
        projections: names of projections.
    """

    taken: set[str]
    projections: set[str]
    populations: list[SteppedPopulation] = field(default_factory=list)
    links: list[SteppedProjection] = field(default_factory=list)
    known: dict[Key, str] = field(default_factory=dict)

    def name_for(
        self, post: str, size: int, synapse: Alpha | BiExponential, kept: float, receptor: int
    ) -> str:
        """Return the name of the stage for ``synapse`` onto ``post``; the first call makes it."""
        key = (post, synapse.taus)
        if key not in self.known:
            name = stage_name(post, synapse, self.taken)
            self.taken.add(name)
            self.known[key] = name
            self.populations.append(stage_population(name, size, kept, synapse.taus[0]))
            self.links.append(link(name, post, size, receptor, self.projections))
            self.projections.add(self.links[-1].name)
        return self.known[key]
