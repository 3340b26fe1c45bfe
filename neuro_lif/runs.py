"""What every executor of a FixedNetwork shares: inputs as integers, names, noise, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import Faults, RangeError
from .fixed import DirectInput, FixedNetwork, FixedProjection, FixedSource
from .numerics import sends_only_single, walk
from .recording import Interrupted, OverflowEvent, Recording
from .reference.clocked import check_record
from .stimulate import padded

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
) -> Recording:  # fmt: skip
    """Return what a run of a FixedNetwork leaves behind.

    Args:
        fixed: the network.
        n_steps, asked: steps that were done, and that were wanted.
        spikes, traces, events: as of :class:`neuro_lif.Recording`.
        engine, more: for the provenance.
        interrupted: whether somebody asked it to end, even if that came in the last step.

    Raises:
        Interrupted: it was interrupted; it holds the recording.
    """
    provenance = {"engine": engine, "profile": fixed.profile.name, **(more or {})}
    if fixed.poissons:
        provenance["seed"] = str(fixed.seed)
    interrupted |= n_steps < asked
    if interrupted:
        provenance["interrupted"] = f"after {n_steps} of {asked} steps"
    recording = Recording(
        fixed.dt, n_steps, spikes, traces,
        {p.name: np.asarray(p.lsb) for p in fixed.populations},
        {p.name: np.asarray(p.v_zero) for p in fixed.populations},
        events, provenance,
    )  # fmt: skip
    if interrupted:
        raise Interrupted(recording)
    return recording


def spike_dtype(fixed: FixedNetwork, population: str) -> Any:
    """Return a type that holds what a population sends: graded values are wider than counts.

    So is the count of a neuron that may spike once for each of its events.
    """
    ops = walk(fixed.profile.ops(fixed.population(population).model))
    events = [inner for op in ops if op["op"] == "each" for inner in walk(op["do"])]
    wide = any(op["op"] == "emit" for op in ops) or any(op["op"] == "fire" for op in events)
    return np.int64 if wide else np.int16


@dataclass(frozen=True, eq=False)
class Fed:
    """The integers of one input, looked through once.

    Args:
        values: ``(1 or batch, n_steps, n)``, in bytes where they fit.
        low, high: the lowest and the highest, 0 where there is none.
    """

    values: Array
    low: int
    high: int

    @classmethod
    def of(cls, given: Any) -> Fed:
        """Return checked numbers ``(n_steps, n)`` or ``(batch, n_steps, n)`` as an input.

        Without a copy where they are small already; most inputs are 0 and 1.
        """
        values = np.asarray(given)
        values = values.view(np.uint8) if values.dtype.kind == "b" else values
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        signed = values.size and values.dtype.kind != "u"
        low, high = int(values.min()) if signed else 0, int(values.max()) if values.size else 0
        if values.dtype.itemsize > 1 and -128 <= low and high <= 127:
            values = values.astype(np.int8)
        elif values.dtype.kind not in "iu" or values.dtype == np.uint64:
            values = values.astype(np.int64)
        values = values if values.ndim == 3 else values[None]
        return cls(np.ascontiguousarray(values), low, high)

    @property
    def reach(self) -> int:
        """The largest magnitude."""
        return max(self.high, -self.low)

    @cached_property
    def lost(self) -> tuple[int, int, int] | None:
        """What is not carried as counts 0 and 1: (how many, first step, its lowest neuron)."""
        if 0 <= self.low and self.high <= 1:
            return None
        lost = counts_lost(self.values)
        by_step = lost.any(axis=0)
        step = int(np.argmax(by_step.any(axis=1)))
        return int(lost.sum()), step + 1, int(np.argmax(by_step[step]))


def fed_inputs(given: Mapping[str, Array]) -> dict[str, Fed]:
    """Return checked inputs of a run, looked through once for all networks that get them."""
    return {name: Fed.of(values) for name, values in given.items()}


def network_inputs(fixed: FixedNetwork, given: Mapping[str, Fed], n_steps: int) -> dict[str, Fed]:
    """Return every input of a run: what was given, else the raster; no entry for a silent one.

    Raises:
        RangeError: a run longer than a coded input; or values so large that a sum of them would
            not fit the 64 bits executors compute in.
    """
    rows = {}
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    for item in items:
        if item.name in given:
            rows[item.name] = given[item.name]
            continue
        covers = getattr(item, "covers", None)
        if covers is not None and n_steps > covers:
            raise RangeError(
                f"input {item.name!r}: n_steps = {n_steps}, allowed: at most {covers}, the steps "
                f"that were coded (lower again with quantize(..., n_steps={n_steps}))"
            )
        if item.raster is not None:
            rows[item.name] = Fed.of(item.raster[:n_steps])
    if given:  # rasters were looked at when the network was built
        faults = Faults()
        fixed.check_inputs({name: fed.reach for name, fed in rows.items()}, faults)
        faults.raise_if_any(RangeError, "inputs")
    return rows


def widened(rows: Mapping[str, Fed], batch: int, n_steps: int) -> dict[str, Array]:
    """Return inputs as int64 ``(batch, n_steps, n)``, zeros after their last row."""
    return {name: padded(fed.values, batch, n_steps, np.int64) for name, fed in rows.items()}


def input_rows(
    fixed: FixedNetwork, given: Mapping[str, Any], batch: int, n_steps: int
) -> dict[str, Any]:
    """Return every input as int64 ``(batch, n_steps, n)``: given, else the raster, else zeros.

    Raises:
        RangeError: as of :func:`network_inputs`.
    """
    rows = widened(network_inputs(fixed, fed_inputs(given), n_steps), batch, n_steps)
    return {name: rows[name] if name in rows else np.zeros((batch, n_steps, size), np.int64)
            for name, size in fixed.input_sizes().items()}  # fmt: skip


def input_events(
    fixed: FixedNetwork, rows: Mapping[str, Any], batch: int = 1
) -> tuple[OverflowEvent, ...]:
    """Return what is lost before the first step.

    Parameters and weights their storage changed, and spike counts of inputs other than 0 and 1 on
    projections that are not graded: there each counts as one spike. What populations send is
    counted in the run (:func:`may_lose_counts`). Rows of one sample stand for ``batch`` of them.
    """
    events = fixed.storage_events()
    for p in fixed.projections:
        if p.graded or p.pre not in rows:
            continue
        sent = rows[p.pre]
        fed = sent if isinstance(sent, Fed) else Fed.of(sent)
        if fed.lost is not None:
            count, step, neuron = fed.lost
            count *= batch if len(fed.values) == 1 else 1
            events.append(OverflowEvent(p.name, "payload", "binary", -1, count, step, neuron))
    return tuple(events)


def counts_lost(sent: Array) -> Array:
    """Tell which values a projection that is not graded does not carry: all but 0 and 1."""
    lost: Array = (sent != 0) & (sent != 1)
    return lost


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
