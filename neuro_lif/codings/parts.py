"""What the codings share: what they ask of a profile, and the parts of a network they all code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..discretize import SteppedNetwork, SteppedPopulation
from ..errors import LoweringError, RangeError, show
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie, nearest
from ..ledger import Entry, Headroom, Ledger, entry
from ..lower.demands import constant_current
from ..lower.draft import APPROXIMATIONS, Draft, note
from ..lower.encode import CurrentCodes, code_currents, code_sources
from ..lower.form import lif_form
from ..lower.models import headroom
from ..lower.reach import reach
from ..numerics import walk
from ..profiles import profile_of
from ..stimulate import steps_of

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

MODEL = "lif"
"""The neuron model that codings of a LIF fill in."""


@dataclass(frozen=True)
class Needs:
    """What a coding asks of a profile's neuron model.

    Args:
        coding: its name.
        params: parameters it fills in.
        decays: parameter -> offset of the 12 bit decay that it is a code for.
        in_shift: left shift of the synaptic input, ``thr_shift`` of the threshold ``vth``.
    """

    coding: str
    params: tuple[str, ...]
    decays: dict[str, int] = field(default_factory=dict)
    in_shift: int = 0
    thr_shift: int = 0


def check_holds(profile: HardwareProfile, needs: Needs) -> None:
    """Refuse a profile whose neuron model would read a coding's integers as something else.

    Raises:
        LoweringError: lists what the profile's model lacks.
    """
    lacks: list[str] = []
    ops = walk(profile.ops(MODEL)) if MODEL in profile.models else []
    if not ops:
        lacks.append(f"a neuron model {MODEL!r}")
    used = {v for op in ops for v in op.values() if isinstance(v, str)}
    missing = [p for p in needs.params if p not in profile.params or p not in used]
    lacks += [f"a parameter {name!r}" for name in missing]
    if not lacks:
        for name, offset in needs.decays.items():
            wanted = {"d": name, "kind": "mult_keep", "k": 12, "offset": offset, "round": "rtz"}
            if not _has(ops, "decay", wanted):
                text = f"a decay by {name!r} of 12 bits, offset {offset}, rounding toward zero"
                lacks.append(text)
        if not _has(ops, "acc", {"port": "in", "shift": needs.in_shift}):
            lacks.append(f"a synaptic input with a shift of {needs.in_shift}")
        if not _has(ops, "fire", {"thr": "vth", "thr_shift": needs.thr_shift}):
            lacks.append(f"a threshold 'vth' with a shift of {needs.thr_shift}")
    if lacks:
        raise LoweringError(
            f"profile {profile.name} cannot hold the coding {needs.coding!r}; it lacks "
            + "; ".join(lacks)
        )


def _has(ops: Sequence[dict[str, Any]], kind: str, wanted: dict[str, Any]) -> bool:
    return any(o["op"] == kind and all(o[k] == v for k, v in wanted.items()) for o in ops)


def approximations_of(names: Iterable[str]) -> frozenset[str]:
    """Return the named approximations.

    Raises:
        RangeError: there is none of that name.
    """
    if not isinstance(names, (str, Iterable)):
        raise RangeError(f"approximate = {show(names)}, allowed: names, such as ('delay',)")
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if not isinstance(name, str) or name not in APPROXIMATIONS:
            raise RangeError(f"approximate = {name!r}, allowed: {', '.join(APPROXIMATIONS)}")
    return frozenset(names)


def draft_of(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    approximate: Iterable[str],
    n_steps: int | None,
) -> Draft:
    """Return the start of a coding.

    Raises:
        RangeError: an argument is not valid.
        ProfileError: no such profile.
    """
    given: Any = stepped
    if not isinstance(given, SteppedNetwork):
        raise RangeError(f"stepped = {show(given)}, allowed: a SteppedNetwork, from discretize()")
    profile = profile_of(profile)
    if n_steps is not None:
        n_steps = steps_of(n_steps, {})
    allowed, bits = approximations_of(approximate), profile.weights.default_bits
    start = Ledger(profile.name, notes=stepped.notes)
    return Draft(stepped, profile, allowed, bits, n_steps, False, False, ledger=start)


def coded_network(draft: Draft) -> FixedNetwork:
    """Return the network of a finished draft, with its ledger."""
    if draft.fixed is None:
        raise LoweringError("no pass produced a network")
    return replace(draft.fixed, ledger=draft.ledger)


# ---------------------------------------------------------------------------- what all code alike


def refuse_stages(draft: Draft, coding: str) -> None:
    """Refuse filter stages, which no peer has.

    Raises:
        LoweringError: names the first.
    """
    name = next((p.name for p in draft.stepped.populations if p.graded), None)
    if name is not None:
        raise LoweringError(
            f"filter stage {name!r} (alpha and bi-exponential synapses): coding {coding} has no "
            "such part, allowed: delta and exponential synapses, or coding own"
        )


def check_population(draft: Draft, p: SteppedPopulation, coding: str, reset: str) -> Draft:
    """Refuse (or note, where allowed) what a coding has no way to say about a population."""
    where = f"population {p.name!r}"
    if p.u_init is not None and np.any(p.u_init):
        raise LoweringError(
            f"{where}: u_init (up to {np.abs(p.u_init).max():.4g} V per step): coding {coding} has "
            "no word for a first synaptic state, allowed: none, or coding own"
        )
    if p.most_spikes != 1 and p.spikes:
        text = f"{where} wants several spikes of a neuron in one step"
        draft = _refuse_or_note(draft, "multi-spike", text, coding, "one at most")
    if p.spikes and p.reset != "value":
        draft = _refuse_or_note(draft, "reset", f"{where} wants reset = {p.reset!r}", coding, reset)
    if len(p.tau_syn) > 1:
        times = ", ".join(f"{t * 1e3:.4g} ms" for t in p.tau_syn)
        text = f"{where} has synapses with different time constants ({times}; 0: delta)"
        instead = "all take the longest, at equal area"
        draft = _refuse_or_note(draft, "synapse", text, coding, instead)
    if p.spikes and draft.stepped.rule.compare == ">=":
        text = f"{where}: a voltage of exactly the threshold fires under the step rule, not here"
        draft = note(draft, notes=(text,))
    return draft


def _refuse_or_note(draft: Draft, name: str, text: str, coding: str, instead: str) -> Draft:
    if name not in draft.approximate:
        raise LoweringError(
            f"{text}; coding {coding} cannot. Use another coding, or allow it: "
            f'approximate=("{name}",): {instead}'
        )
    return note(draft, approximations=(f"{text} ({instead})",))


def loss_u_of(p: SteppedPopulation) -> FloatArray:
    """Return the share of u lost per step for the longest synaptic time constant ``(n,)``."""
    return np.asarray(1.0 - np.asarray(p.decay_u)[int(np.argmax(p.tau_syn))])


def bias_of(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return the bias, constant currents included, V per step ``(n,)``."""
    return np.asarray(p.bias + constant_current(draft, p))


def code_start(
    p: SteppedPopulation, lsb: FloatArray, span: tuple[int, int]
) -> tuple[dict[str, IntArray], tuple[Entry, ...]]:
    """Code the initial voltage; ``lsb`` is V per LSB."""
    if not p.v_init.any():
        return {}, ()
    lo, hi = span
    real = p.v_init / lsb
    start = np.clip(nearest(np.clip(real, -(2.0**50), 2.0**50)), lo, hi)
    clipped = int(np.sum((real > hi + 0.5) | (real < lo - 0.5)))
    noted = entry(
        f"population {p.name!r}", "v_init", p.v_init, start * lsb, "V", clipped,
        headroom(min(hi, -lo), start), int(near_tie(real).sum()), 1e-12 * lsb,
    )  # fmt: skip
    return {"v": start} if start.any() else {}, (noted,)


def decay_entry(
    p: SteppedPopulation, name: str, meant: FloatArray, values: IntArray, offset: int, clipped: int
) -> Entry:
    """Return the ledger entry of a 12 bit decay."""
    got = (values + offset) / 4096.0
    room = headroom(4095.0, values)
    return entry(f"population {p.name!r}", name, meant, got, "1/step", clipped, room,
                 tolerance=1e-15)  # fmt: skip


def assemble(
    draft: Draft,
    populations: Sequence[FixedPopulation],
    projections: Sequence[FixedProjection],
    codes: CurrentCodes,
) -> Draft:
    """Build the network from its coded parts and the inputs."""
    order = {q.name: i for i, q in enumerate(draft.stepped.projections)}
    directs, noted = code_currents(draft.stepped, codes, draft.n_steps)
    fixed = FixedNetwork(
        draft.profile,
        tuple(populations),
        tuple(sorted(projections, key=lambda q: order[q.name])),
        code_sources(draft.stepped),
        directs,
        draft.stepped.dt,
        draft.stepped.network.probes,
    )
    return note(replace(draft, fixed=fixed), entries=noted)


def is_open(fixed: FixedNetwork, p: SteppedPopulation) -> bool:
    """Tell whether a population gets a current that nobody knows yet."""
    return any(d.population == p.name and d.span is None for d in fixed.directs)


def headroom_rows(draft: Draft, p: SteppedPopulation) -> tuple[Headroom, ...]:
    """Return how far the registers of a plain LIF go if every source fires in every step."""
    fixed = draft.fixed
    if fixed is None or is_open(fixed, p):
        return ()
    form = lif_form(fixed.profile, MODEL)
    found = reach(fixed, p.name, form, draft.most, 1.0, p.spikes)
    if found is None:
        return ()
    shown = {"sum", *fixed.profile.registers}
    return tuple(
        Headroom(f"population {p.name!r}", register, float(r.bound), float(r.limit),
                 register in found.proved, 1.0)
        for register, r in found.registers.items()
        if register in shown or r.share > 1
    )  # fmt: skip
