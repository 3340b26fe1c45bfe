"""The pass that leaves every population one synaptic current: filter stages for all else.

A chip's neuron has one u. What needs more, an alpha or bi-exponential synapse or a second time
constant, passes through filter stages where the profile has a model for them, exactly; else it is
refused, or, where the caller allows it, becomes one exponential.

A synapse that keeps ``ar`` of itself per step, onto a u that keeps ``a0``, is the same weight onto
u and ``ar - a0`` of it into a stage that keeps ``ar``: ``1 / (1 - ar/z)`` is
``(1 + (ar - a0) / z / (1 - ar/z)) / (1 - a0/z)``. The coded decays are put in, so that what u
forgets too soon is exactly what the stage makes up for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import entries, with_entries
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from ..filter_stage import free_name, link, stage_population
from ..stage_weights import is_link
from ..synapses import milliseconds
from .draft import Draft, note, refuse_or_note
from .form import DecayCode
from .kernels import is_folded
from .stage_form import StageForm, stage_form


def lower_stages(draft: Draft) -> Draft:
    """Give every population one synaptic current, through filter stages where it needs them."""
    form = stage_form(draft.profile)
    for stage in draft.stepped.populations:
        if stage.graded:
            _check_stage(draft.stepped, stage)
    for p in draft.stepped.described:
        several, fed = len(p.tau_syn) > 1, bool(stages_onto(draft.stepped, p.name))
        if not several and not fed:
            continue
        merged = several and "synapse" in draft.approximate
        if merged or form is None or draft.plans[p.name].form.decay_u is None:
            draft = _refuse_or_merge(draft, p, several, fed)
        else:
            wires = _Wires(draft, p, form)
            wires.compensate()
            for receptor in range(1, len(p.tau_syn)):
                wires.move(receptor)
            draft = wires.done()
    return draft


def _check_stage(stepped: SteppedNetwork, stage: SteppedPopulation) -> None:
    """Refuse a filter stage that a chip's cannot be.

    Raises:
        LoweringError: naming the stage.
    """
    where = f"filter stage {stage.name!r}"
    if stage.u_init is not None and np.any(stage.u_init):
        raise LoweringError(f"{where}: u_init is not 0, allowed: stages that start at 0")
    decays = np.asarray(stage.decay_u)
    if np.any(decays != decays[0, 0]):
        raise LoweringError(
            f"{where}: its decay differs from neuron to neuron, allowed: one time constant for all"
        )
    links = [q for q in stepped.projections if q.pre == stage.name]
    if len(links) != 1 or not is_link(links[0]):
        leads = ", ".join(f"{q.name!r} onto {q.post!r}" for q in links) or "nowhere"
        raise LoweringError(
            f"{where}: leads through weights ({leads}), allowed: one link of weight 1 from each of "
            "its neurons to one of its target (neuro_lif.stage_weights moves weights before it "
            "where all its neurons have one decay, and all its synapses one delay)"
        )


def stages_onto(stepped: SteppedNetwork, name: str) -> tuple[str, ...]:
    """Return the filter stages that lead to a population or stage."""
    graded = {p.name for p in stepped.populations if p.graded}
    return tuple(q.pre for q in stepped.projections if q.post == name and q.pre in graded)


def all_stages_of(stepped: SteppedNetwork, name: str) -> tuple[str, ...]:
    """Return the stages that lead to a population, those that lead to these after them."""
    found = list(stages_onto(stepped, name))
    for stage in found:  # grows while it is read
        found += stages_onto(stepped, stage)
    return tuple(found)


def times(p: SteppedPopulation) -> str:
    """Return a population's synaptic time constants as a text."""
    return ", ".join(f"{t * 1e3:.4g} ms" for t in p.tau_syn)


def _refuse_or_merge(draft: Draft, p: SteppedPopulation, several: bool, fed: bool) -> Draft:
    where, mend = f"population {p.name!r}", "Give its projections one synapse"
    text = f"{where} has synapses with different time constants ({times(p)}; 0: delta)"
    if fed:
        text = (
            f"{where} has alpha or bi-exponential synapses, which want a filter stage: a model "
            "that sends its state as a graded spike"
        )
        mend = "Use exponential synapses or a profile with graded spikes (loihi2, generic)"
    draft = refuse_or_note(draft, "synapse", text, mend)
    return _without_stages(draft, p) if fed else draft


def _without_stages(draft: Draft, p: SteppedPopulation) -> Draft:
    """Turn what passes through stages into exponentials of the same area, a step later if can be.

    A current of two time constants lasts, on average, for their sum.
    """
    stepped, longest = draft.stepped, draft.profile.routing.delay_hi
    gone = {name: stepped.population(name) for name in stages_onto(stepped, p.name)}
    taus, decays = list(p.tau_syn), [np.asarray(row) for row in p.decay_u]
    projections = []
    for q in stepped.projections:
        if q.pre in gone:
            continue
        if q.post in gone:
            stage = gone[q.post]
            out = next(o for o in stepped.projections if o.pre == q.post)
            kept_x, kept_u = (np.asarray(d)[0] for d in (stage.decay_u[0], decays[out.receptor]))
            # the steps both last, one after the other
            lost = 1.0 / (1.0 / (1.0 - kept_x) + 1.0 / (1.0 - kept_u))
            area = lost / ((1.0 - kept_x) * (1.0 - kept_u))
            taus.append(float(stage.tau_syn[0]) + taus[out.receptor])
            decays.append(np.full(p.size, 1.0 - lost))
            later = int(np.max(q.delays, initial=0) < longest)
            delays = q.delays + later
            q = replace(scaled(q, area), post=p.name, receptor=len(taus) - 1, delays=delays)
        projections.append(q)
    merged = replace(p, decay_u=np.asarray(decays), tau_syn=np.asarray(taus))
    populations = tuple(merged if x is p else x for x in stepped.populations if x.name not in gone)
    return replace(
        draft, stepped=replace(stepped, populations=populations, projections=tuple(projections))
    )


def scaled(q: SteppedProjection, factor: float) -> SteppedProjection:
    """Return a projection with its weights times ``factor``."""
    if is_folded(q.weights):
        return replace(q, weights=replace(q.weights, kernel=q.weights.kernel * factor))
    return replace(q, weights=with_entries(q.weights, entries(q.weights) * factor))


def coded_loss(code: DecayCode, lost: float) -> float:
    """Return the share lost per step that the code of ``lost`` stands for."""
    return float(code.loss(code.encode(np.array([lost]))[0])[0])


def _check_alike(p: SteppedPopulation) -> None:
    """Refuse what one filter stage for all neurons of a population cannot say.

    Raises:
        LoweringError: naming the population.
    """
    decays = np.asarray(p.decay_u)
    where = f"population {p.name!r} has {len(decays)} synaptic time constants"
    if np.any(decays != decays[:, :1]):
        raise LoweringError(
            f"{where}, and they differ from neuron to neuron, which filter stages cannot say, "
            "allowed: one synapse with a time constant per neuron, or several that all neurons "
            "share (split the population)"
        )
    if p.u_init is not None and np.any(np.asarray(p.u_init)[1:]):
        raise LoweringError(
            f"{where}; u_init of the second or a further one is not 0, allowed: 0 but for the "
            "first, which is kept in u"
        )


@dataclass
class _Wires:
    """Rewires the synapses of one population.

    Args:
        draft: with a model for the population.
        p: the population.
        form: the profile's filter stage.
    """

    draft: Draft
    p: SteppedPopulation
    form: StageForm

    def __post_init__(self) -> None:
        _check_alike(self.p)
        stepped = self.draft.stepped
        self.populations = list(stepped.populations)
        self.projections = list(stepped.projections)
        self.taken = {p.name for p in stepped.populations} | {
            i.name for i in stepped.network.spike_inputs
        }
        self.made: list[str] = []
        code: Any = self.draft.plans[self.p.name].form.decay_u
        lost = [1.0 - float(row[0]) for row in np.asarray(self.p.decay_u)]
        self.base = coded_loss(code, lost[0])
        self.base_gain = self._gain(self.base, lost[0])
        self.losses = lost

    def _gain(self, coded: float, meant: float) -> float:
        """Return what keeps an area although a decay was rounded."""
        return coded / meant if self.draft.compensate and coded > 0 and meant > 0 else 1.0

    def _receptor_gain(self, receptor: int) -> float:
        if receptor == 0:
            return self.base_gain
        coded = coded_loss(self.form.decay, self.losses[receptor])
        return self._gain(coded, self.losses[receptor])

    def compensate(self) -> None:
        """Keep the area of what passes through the stages that are there, whatever is rounded."""
        outs = {q.pre: q for q in self.projections if q.post == self.p.name}
        for k, q in enumerate(self.projections):
            if q.post in outs and q.post in stages_onto(self.draft.stepped, self.p.name):
                lost = 1.0 - float(self.draft.stepped.population(q.post).decay_u[0][0])
                own = self._gain(coded_loss(self.form.decay, lost), lost)
                gain = own * self._receptor_gain(outs[q.post].receptor)
                self.projections[k] = scaled(q, gain)

    def move(self, receptor: int) -> None:
        """Lead what one receptor takes to u and to a stage."""
        lost = self.losses[receptor]
        coded, gain = coded_loss(self.form.decay, lost), self._receptor_gain(receptor)
        share = self.base - coded  # (1 - coded) - (1 - base)
        tau = float(self.p.tau_syn[receptor])
        stage = self._stage(f"{self.p.name}__exp_{milliseconds(tau)}", 1.0 - lost, tau, self.p.name)
        graded = {x.name for x in self.populations if x.graded}
        for k, q in enumerate(self.projections):
            if q.post != self.p.name or q.receptor != receptor:
                continue
            if q.pre in graded:  # what it sends has weight 1, so its own inputs are scaled
                self.projections[k] = replace(q, receptor=0)
                self._copy_stage(q.pre, stage, share)
                continue
            # the population's own gain comes on top of what goes to u
            self.projections[k] = replace(scaled(q, gain / self.base_gain), receptor=0)
            self._add(replace(scaled(q, gain * share), post=stage, receptor=0))

    def _copy_stage(self, name: str, onto: str, share: float) -> None:
        """Make a copy of a stage that leads to the stage ``onto``, its inputs times ``share``."""
        old = next(x for x in self.populations if x.name == name)
        copy = self._stage(f"{name}__b", float(old.decay_u[0][0]), float(old.tau_syn[0]), onto)
        for q in [q for q in self.projections if q.post == name]:
            self._add(replace(scaled(q, share), post=copy))

    def _stage(self, name: str, kept: float, tau: float, onto: str) -> str:
        name = free_name(name, self.taken)
        self.taken.add(name)
        self.made.append(name)
        self.populations.append(stage_population(name, self.p.size, kept, tau))
        used = {q.name for q in self.projections}
        self.projections.append(link(name, onto, self.p.size, 0, used))
        return name

    def _add(self, q: SteppedProjection) -> None:
        used = {q.name for q in self.projections}
        self.projections.append(replace(q, name=free_name(f"{q.name}__{q.post}", used)))

    def done(self) -> Draft:
        """Return the draft with the rewired network."""
        start = None if self.p.u_init is None else self.p.u_init[:1]
        one = replace(self.p, decay_u=self.p.decay_u[:1], tau_syn=self.p.tau_syn[:1], u_init=start)
        populations = tuple(one if x is self.p else x for x in self.populations)
        stepped = replace(
            self.draft.stepped, populations=populations, projections=tuple(self.projections)
        )
        draft = replace(self.draft, stepped=stepped)
        stages = ", ".join(stages_onto(stepped, self.p.name))
        text = (
            f"population {self.p.name!r}: synaptic time constants {times(self.p)} and filter "
            f"stages {stages} (model {self.form.model})"
        )
        return note(draft, notes=(text,))
