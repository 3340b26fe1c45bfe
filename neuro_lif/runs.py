"""What every executor of a FixedNetwork shares: inputs as integers, names, noise, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import RangeError
from .feeds import told_spikes, told_stimulus
from .fixed import FixedNetwork, FixedProjection
from .numerics import sends_only_single, walk
from .recording import Interrupted, OverflowEvent, Recording
from .reference.clocked import check_record

Array = npt.NDArray[Any]

RECORDS = ("probes", "all", "registers")


def wanted_registers(fixed: FixedNetwork, record: str) -> list[tuple[str, str]]:
    """Return the (population, variable) pairs to record.

    Args:
        fixed: the network.
        record: ``"probes"``: those probed; ``"all"``: u and v of all populations;
            ``"registers"``: every register of all populations by its name, and u and v.

    Raises:
        RangeError: ``record`` is something else.
    """
    check_record(record, RECORDS)
    names = [p.name for p in fixed.populations]
    if record == "probes":
        probed = [(p.population, p.variable) for p in fixed.probes if p.variable != "spikes"]
        return list(dict.fromkeys(probed))
    registers = (*fixed.profile.registers, "ref") if record == "registers" else ()
    return [(n, variable) for n in names for variable in dict.fromkeys(("u", "v", *registers))]


def register_of(fixed: FixedNetwork, population: str, variable: str) -> str:
    """Return the register that holds a variable of a population: ``v``, ``u``, or by its name."""
    model = fixed.profile.model(fixed.population(population).model)
    if variable == "v":
        return model.voltage
    return (model.current or model.voltage) if variable == "u" else variable


def recorded(
    fixed: FixedNetwork, n_steps: int, asked: int, spikes: Mapping[str, Array],
    traces: Mapping[tuple[str, str], Array], events: tuple[OverflowEvent, ...], engine: str,
    more: Mapping[str, str] | None = None, interrupted: bool = False,
    inputs: Mapping[str, Array] | None = None, given: Iterable[str] = (),
) -> Recording:  # fmt: skip
    """Return what a run of a FixedNetwork leaves behind.

    Args:
        fixed: the network.
        n_steps, asked: steps that were done, and that were wanted.
        spikes, traces, events: as of :class:`neuro_lif.Recording`.
        engine, more: for the provenance.
        interrupted: whether somebody asked it to end, even if that came in the last step.
        inputs: what is kept of the inputs.
        given: names of inputs that were handed to the run.

    Raises:
        Interrupted: it was interrupted; it holds the recording.
    """
    provenance = {"engine": engine, "profile": fixed.profile.name, **(more or {})}
    provenance |= _told(fixed, set(given))
    if fixed.poissons:
        provenance["seed"] = str(fixed.seed)
    interrupted |= n_steps < asked
    if interrupted:
        provenance["interrupted"] = f"after {n_steps} of {asked} steps"
    recording = Recording(
        fixed.dt, n_steps, spikes, traces,
        {p.name: np.asarray(p.lsb) for p in fixed.populations},
        {p.name: np.asarray(p.v_zero) for p in fixed.populations},
        events, provenance, inputs or {},
    )  # fmt: skip
    if interrupted:
        raise Interrupted(recording)
    return recording


def _told(fixed: FixedNetwork, given: set[str]) -> dict[str, str]:
    """Return what the provenance says of the inputs that were made as the run went."""
    sources = [s for s in fixed.sources if s.stream is not None and s.name not in given]
    directs = [d for d in fixed.directs if d.stream is not None and d.name not in given]
    told = {f"input {s.name}": told_spikes(s.stream.spikes) for s in sources}
    return told | {f"input {d.name}": told_stimulus(d.stream.stimulus) for d in directs}


def spike_dtype(fixed: FixedNetwork, population: str) -> Any:
    """Return a type that holds what a population sends: graded values are wider than counts.

    So is the count of a neuron that may spike once for each of its events.
    """
    ops = walk(fixed.profile.ops(fixed.population(population).model))
    events = [inner for op in ops if op["op"] == "each" for inner in walk(op["do"])]
    wide = any(op["op"] == "emit" for op in ops) or any(op["op"] == "fire" for op in events)
    return np.int64 if wide else np.int16


def may_lose_counts(fixed: FixedNetwork, p: FixedProjection) -> bool:
    """Tell whether a projection that is not graded comes from neurons that send more than 0 or 1.

    Then every other value counts as an event ``(projection, "payload", "binary", -1)``, first
    neuron of the population that sends it. Inputs are :func:`input_events`.
    """
    sender = next((q for q in fixed.populations if q.name == p.pre), None)
    if p.graded or sender is None:
        return False
    return sender.alias is not None or not sends_only_single(fixed.profile.ops(sender.model))


def in_order(*events: OverflowEvent) -> tuple[OverflowEvent, ...]:
    """Return events by their first step."""
    return tuple(sorted(events, key=lambda e: e.first_step))


def events_of(
    found: Mapping[tuple[str, str, str, int], list[int]],
) -> tuple[OverflowEvent, ...]:
    """Return counted overflows, the earliest first; ``first_neuron`` is the lowest of that step.

    Args:
        found: (where, register, kind, operation) -> [count, first step, first neuron].
    """
    events = (OverflowEvent(w, r, k, o, *numbers) for (w, r, k, o), numbers in found.items())
    return tuple(
        sorted(events, key=lambda e: (e.first_step, e.where, e.operation, e.register, e.kind))
    )


class Noise:
    """The random integers of a run, drawn as the profile says; none where it has no noise.

    Args:
        fixed: the network.
        batch: samples; sample k has a generator of its own, seeded ``fixed.seed + k``.
    """

    def __init__(self, fixed: FixedNetwork, batch: int) -> None:
        heard = any(fixed.profile.hears_noise(p.model) for p in fixed.populations)
        self.rule = fixed.profile.noise if heard else None
        seeds = [(fixed.seed + k) % 2**32 for k in range(batch)] if self.rule else []
        self.generators = [np.random.RandomState(seed) for seed in seeds]
        self.sizes = {p.name: p.size for p in fixed.populations}

    def draw(self) -> dict[str, Array]:
        """Return one step's draws: population -> ``(batch, n)`` int64; empty without noise."""
        if self.rule is None:
            return {}
        size, ends = sum(self.sizes.values()), (self.rule.lo, self.rule.hi + 1)
        rows = np.stack([g.randint(*ends, size=size) for g in self.generators])
        places = np.cumsum(list(self.sizes.values()))[:-1]
        parts = np.split(rows.astype(np.int64), places, axis=1)
        return dict(zip(self.sizes, parts, strict=True))


def refuse_overflow(events: tuple[OverflowEvent, ...], t: int) -> None:
    """Raise where something overflowed up to step ``t`` (what ``strict=True`` asks for).

    Raises:
        RangeError: naming the place, the register and the step of the first.
    """
    if not events or events[0].first_step > t:
        return
    event = events[0]
    when = f"in step {event.first_step}" if event.first_step else "as it was stored"
    raise RangeError(
        f"{event.where}: {event.register} overflowed ({event.kind}) {when}, "
        f"neuron {event.first_neuron} (strict=True; lower the scale, or run without strict)"
    )
