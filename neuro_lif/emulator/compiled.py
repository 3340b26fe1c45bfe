"""Builds the kernel's network from a FixedNetwork, or says why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..engines import NotInKernel
from ..fixed import FixedNetwork, FixedPoisson, FixedProjection
from ..kernel import missing_reason, native
from ..memo import Memo
from ..numerics import walk
from ..runs import may_lose_counts, spike_dtype
from ..stored import delivered_weights
from ..width import most_sent
from .bounds import INT32
from .convolved import Taps, taps_of
from .program import MOST_EVENTS, MOST_PORTS
from .programs import facts_of, programs_of, rounded_up
from .synapses import Rows, bits_of, by_delay, rows_of

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

Array = npt.NDArray[Any]
Synapses = Rows | Taps

GRADED_MOST = 2**28
"""What the values of one step, times their weights, may add up to; more is run elsewhere."""

RING_MOST = 2**30
"""Sums of weights above this are not kept in 32 bits."""


@dataclass
class Built:
    """A network in the kernel and what its numbers mean.

    Args:
        kernel: the compiled network.
        registers: name -> number.
        ports: population -> port -> number.
        live: population -> bits of the registers that live on.
        sources: source -> number.
        populations: population -> number.
        events: event number -> (where, register, kind, operation).
        why: population -> why it does not run in 32 bits, empty where it does.
        sent: population -> type that holds what it sends.
        noisy: whether some population hears noise.
    """

    kernel: Any
    registers: dict[str, int]
    ports: dict[str, dict[str, int]]
    live: dict[str, int]
    sources: dict[str, int]
    populations: dict[str, int]
    events: list[tuple[str, str, str, int]] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    noisy: bool = False

    def event(self, where: str, register: str, kind: str, operation: int) -> int:
        """Return the number of an event, a new one if need be."""
        key = (where, register, kind, operation)
        if key not in self.events:
            self.events.append(key)
        return self.events.index(key)


_built: WeakKeyDictionary[FixedNetwork, Built | str] = WeakKeyDictionary()


def built(fixed: FixedNetwork) -> Built:
    """Return a network in the kernel; the second call for a network is quick.

    Raises:
        NotInKernel: with the reason.
    """
    if fixed not in _built:
        try:
            _built[fixed] = _build(fixed)
        except NotInKernel as reason:
            _built[fixed] = str(reason)
    found = _built[fixed]
    if isinstance(found, str):
        raise NotInKernel(found)
    return found


def prepare(fixed: FixedNetwork) -> None:
    """Do what a run of a network needs before its first step, ahead of it."""
    fixed.storage_events()
    try:
        built(fixed)
    except NotInKernel:
        return  # the run says so


def _build(fixed: FixedNetwork) -> Built:
    module = native()
    if module is None:
        raise NotInKernel(f"the compiled kernel is not there: {missing_reason()}")
    names = ["ref", *(r for r in fixed.profile.registers if r != "ref")]
    if len(names) > module.MOST_REGISTERS:
        raise NotInKernel(f"{len(names)} registers")
    out = Built(
        module.Kernel(), {name: k for k, name in enumerate(names)},
        {p.name: _ports(fixed, p.name) for p in fixed.populations}, {}, {},
        {p.name: k for k, p in enumerate(fixed.populations)},
    )  # fmt: skip
    for source in fixed.sources:
        out.sources[source.name] = out.kernel.add_source(source.size)
    synapses = [(p, _rows(fixed, p)) for p in fixed.projections]
    for population in fixed.populations:
        _add_population(fixed, population.name, out, synapses)
    for drive in fixed.poissons:
        _add_drive(fixed, drive, out)
    for projection, rows in synapses:
        number = _add_projection(fixed, projection, rows, out)
        if may_lose_counts(fixed, projection):
            event = out.event(projection.name, "payload", "binary", -1)
            out.kernel.count_binary(number, event)
    out.kernel.finish(len(out.events))
    out.sent = {p.name: spike_dtype(fixed, p.name) for p in fixed.populations}
    out.noisy = any(fixed.profile.hears_noise(p.model) for p in fixed.populations)
    return out


def _singly(fixed: FixedNetwork, name: str) -> bool:
    """Tell whether a population's neurons are run one by one, in 64 bits."""
    population = fixed.population(name)
    return population.alias is not None or bool(fixed.profile.event_ports(population.model))


def _takes_events(fixed: FixedNetwork, p: FixedProjection) -> bool:
    return p.port in fixed.profile.event_ports(fixed.population(p.post).model)


def _ports(fixed: FixedNetwork, name: str) -> dict[str, int]:
    model = fixed.population(name).model
    read = [op["port"] for op in walk(fixed.profile.ops(model)) if op["op"] == "acc"]
    ports = list(dict.fromkeys([*read, *fixed.profile.event_ports(model)]))
    if len(ports) > MOST_PORTS:
        raise NotInKernel(f"population {name!r} has {len(ports)} ports")
    return {port: k for k, port in enumerate(ports)}


_packed: Memo[tuple[HardwareProfile, bool, Synapses]] = Memo()
"""Synapses of a projection under the profile that it was last asked for."""

MOST_KEPT = 2**22
"""More synapses of a projection are not kept for another network: the kernel may have made
something else of them."""


def _rows(fixed: FixedNetwork, p: FixedProjection) -> Synapses:
    singly, known = _takes_events(fixed, p), _packed.get(p)
    if known is not None and known[0] is fixed.profile and known[1] == singly:
        return known[2]
    rows = _new_rows(fixed, p, singly)
    if isinstance(rows, Taps) or rows.n_synapses <= MOST_KEPT:
        _packed.keep(p, (fixed.profile, singly, rows))
    return rows


def _new_rows(fixed: FixedNetwork, p: FixedProjection, singly: bool) -> Synapses:
    try:
        rows: Synapses | None = None if singly else taps_of(fixed, p)
        if rows is None:
            rows = rows_of(delivered_weights(fixed.profile, p), p.delays, whole=not singly)
    except OverflowError as error:
        raise NotInKernel(f"projection {p.name!r}: {error}") from None
    if singly:
        return rows
    exponent = fixed.sum_exponent(p)
    most = _most(fixed, p, rows)
    shifted = most << max(exponent, 0)
    for _, lo, hi in fixed.accumulator(p):
        if most > min(-lo, hi) or shifted > min(-lo, hi):
            raise NotInKernel(f"projection {p.name!r}: its accumulator may overflow")
    if shifted > RING_MOST or rows.shift + exponent > 30:
        raise NotInKernel(f"projection {p.name!r}: its sums may leave 32 bits")
    if p.graded and int(rows.row_most.max(initial=0)) > GRADED_MOST:
        raise NotInKernel(f"projection {p.name!r}: its weights may leave 32 bits")
    return rows


def _most(fixed: FixedNetwork, p: FixedProjection, rows: Synapses) -> int:
    """Return a bound of what arrives in one step, before the exponent."""
    if not p.graded:
        return rows.reach
    limit = GRADED_MOST >> max(fixed.sum_exponent(p), 0)
    for _, lo, hi in fixed.accumulator(p):
        limit = min(limit, min(-lo, hi) >> max(fixed.sum_exponent(p), 0))
    return max(limit // rows.n_delays, 0) * rows.n_delays


def _most_meant(fixed: FixedNetwork, p: FixedProjection, rows: Synapses) -> int:
    """Return the same, where the sender sends no more than its registers are meant to hold.

    The kernel notices where it does.
    """
    most = _most(fixed, p, rows)
    sender = next((s for s in fixed.populations if s.name == p.pre), None)
    if not p.graded or sender is None:
        return most
    return min(most, most_sent(fixed.profile, sender) * rows.reach)


def _add_population(
    fixed: FixedNetwork, name: str, out: Built, synapses: list[tuple[FixedProjection, Synapses]]
) -> None:
    population, profile = fixed.population(name), fixed.profile
    facts, ports = facts_of(profile, population.model), out.ports[name]
    stored = fixed.params(name)
    params = {k: np.ascontiguousarray(stored[k], np.int64) for k in facts.params}
    singly, first = _singly(fixed, name), len(out.events)
    events = profile.event_ports(population.model)
    arriving = {p: _arriving(fixed, name, p, synapses) for p in ports if p not in events}
    found = programs_of(profile, population.model, params, list(ports),
                        None if singly else _alike(arriving), first)  # fmt: skip
    if not singly and found.quick is None:  # the bounds themselves may do
        found = programs_of(profile, population.model, params, list(ports), arriving, first)
    if not singly and len(found.events) > MOST_EVENTS:
        raise NotInKernel(f"population {name!r}: {len(found.events)} kinds of overflow")
    out.events += [(name, register, kind, at) for at, register, kind in found.events]
    out.why[name] = found.why
    out.live[name] = sum(1 << out.registers[r] for r in facts.live)
    initial = fixed.initial(name)
    rows = np.array([initial[r] for r in facts.registers], np.int64)
    number = out.kernel.add_population(
        population.size, len(facts.registers), len(ports), found.params, rows, facts.spans,
    )  # fmt: skip
    if not singly:
        out.kernel.set_arriving(number, [arriving[port] for port in ports])
    out.kernel.set_exact(number, *found.exact)
    if singly:
        _run_singly(fixed, name, out)
    if found.quick is not None:
        out.kernel.set_quick(number, *found.quick, found.quick_params, found.factors)


def _alike(arriving: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return wider intervals, which are often those of a network with other weights, too."""
    return {port: (lo, hi) if (lo, hi) == INT32 else (-rounded_up(-lo), rounded_up(hi))
            for port, (lo, hi) in arriving.items()}  # fmt: skip


def _run_singly(fixed: FixedNetwork, name: str, out: Built) -> None:
    population = fixed.population(name)
    ports, alias = out.ports[name], population.alias
    events = sum(1 << ports[port] for port in fixed.profile.event_ports(population.model))
    cut = -1 if alias is None else out.event(name, "spikes", "cap", -1)
    out.kernel.run_singly(out.populations[name], events, [] if alias is None else alias.tolist(),
                          fixed.profile.routing.alias_cap, cut)  # fmt: skip


def _arriving(
    fixed: FixedNetwork, name: str, port: str, synapses: list[tuple[FixedProjection, Synapses]]
) -> tuple[int, int]:
    total = 0
    for bound in (_most, _most_meant):
        total = sum(
            bound(fixed, p, rows) << max(fixed.sum_exponent(p), 0)
            for p, rows in synapses
            if p.post == name and p.port == port
        )
        if total <= RING_MOST:
            break
    for drive in fixed.poissons:
        if drive.population == name and drive.port == port:
            total += int(np.abs(drive.span(fixed.population(name).size)).max(initial=0))
    if total > RING_MOST:
        raise NotInKernel(f"population {name!r}: its input may leave 32 bits")
    noise = fixed.profile.noise
    if any(d.population == name and d.port == port for d in fixed.directs):
        return INT32
    if noise is not None and noise.port == port:
        return INT32
    return (-total, total)


def _add_drive(fixed: FixedNetwork, drive: FixedPoisson, out: Built) -> None:
    if drive.port not in out.ports[drive.population]:
        return  # nothing reads it
    if len(drive.tables) > 2**16:
        raise NotInKernel(f"input {drive.name!r} has {len(drive.tables)} different means")
    span = drive.span(fixed.population(drive.population).size)
    if max(int(np.abs(span).max(initial=0)), int(np.abs(drive.weight).max())) > RING_MOST:
        raise NotInKernel(f"input {drive.name!r} may leave 32 bits")
    out.kernel.add_drive(
        out.populations[drive.population], out.ports[drive.population][drive.port],
        int(drive.seed), int(fixed.seed), [list(table) for table in drive.tables],
        drive.table_of.tolist() if drive.table_of.ndim else [], drive.weight.reshape(-1).tolist(),
    )  # fmt: skip


def _add_projection(fixed: FixedNetwork, p: FixedProjection, rows: Synapses, out: Built) -> int:
    """Add a projection; return the number of its first part."""
    if _takes_events(fixed, p) and isinstance(rows, Rows):
        return _add_events(fixed, p, rows, out)
    exponent, per_step = fixed.sum_exponent(p), _most(fixed, p, rows) // rows.n_delays
    if exponent >= 0:
        return _add_rows(fixed, p, rows, out, out.ports[p.post][p.port], per_step)
    # what is shifted right is shifted for each delay by itself
    parts: list[Synapses] = [rows] if isinstance(rows, Taps) else list(by_delay(rows))
    return [_add_rows(fixed, p, part, out, _ring(p, out, -exponent), per_step)
            for part in parts][0]  # fmt: skip


def _ring(p: FixedProjection, out: Built, right_shift: int) -> int:
    """Return the number of a new ring, for sums that are shifted right as they arrive."""
    port = out.ports[p.post][p.port]
    try:
        return int(out.kernel.add_ring(out.populations[p.post], port, min(right_shift, 31)))
    except ValueError:
        raise NotInKernel(f"population {p.post!r}: too many sums are shifted right") from None


def _add_rows(
    fixed: FixedNetwork, p: FixedProjection, rows: Synapses, out: Built, ring: int, per_step: int
) -> int:
    exponent = fixed.sum_exponent(p)
    from_source = p.pre in out.sources
    pre = out.sources[p.pre] if from_source else out.populations[p.pre]
    shift = rows.shift + max(exponent, 0)
    common = (from_source, pre, out.populations[p.post], ring, fixed.latency(p), bool(p.graded))
    if isinstance(rows, Taps):
        number = out.kernel.add_conv(
            *common, rows.shape, rows.channels_first, rows.weights, rows.tap_start, rows.taps,
            rows.run_start, rows.runs, rows.narrow, shift, rows.delay, rows.row_most, per_step,
        )  # fmt: skip
        return int(number)
    if rows.posts is None:
        number = out.kernel.add_dense(*common, rows.weights, rows.n_post, shift, rows.delay,
                                      rows.row_most, per_step)  # fmt: skip
        return int(number)
    bits = None if p.graded else bits_of(rows, native().can_expand())  # type: ignore[union-attr]
    if bits is not None and rows.row_start is not None:
        number = out.kernel.add_bits(
            *common[:-1], rows.n_pre, rows.n_post, rows.row_start.astype(np.int64), rows.delay,
            rows.posts, bits.kinds, [value << max(exponent, 0) for value in bits.weights],
            bits.each, shift,
        )  # fmt: skip
        if number >= 0:
            return int(number)
    weight = rows.weight << max(exponent, 0)
    number = out.kernel.add_sparse(
        *common, rows.n_pre, rows.n_post, rows.row_start, rows.segment_start, rows.segment_delay,
        rows.delay, rows.posts, rows.weights, weight, shift, rows.row_most, per_step,
        rows.by_row,
    )  # fmt: skip
    return int(number)


def _add_events(fixed: FixedNetwork, p: FixedProjection, rows: Rows, out: Built) -> int:
    """Add a projection into a port that takes events one by one."""
    from_source = p.pre in out.sources
    pre = out.sources[p.pre] if from_source else out.populations[p.pre]
    post, port = out.populations[p.post], out.ports[p.post][p.port]
    number = out.kernel.add_sparse(
        from_source, pre, post, port, fixed.latency(p), bool(p.graded), rows.n_pre, rows.n_post,
        rows.row_start, rows.segment_start, rows.segment_delay, rows.delay, rows.posts,
        rows.weights, rows.weight, rows.shift, np.zeros(0, np.int64), 0,
    )  # fmt: skip
    alike = [q.name for q in fixed.projections if (q.post, q.port) == (p.post, p.port)]
    cap = fixed.profile.event_ports(fixed.population(p.post).model)[p.port]
    cut = -1 if cap is None else out.event(p.name, "payload", "cap", -1)
    out.kernel.send_singly(number, alike.index(p.name), fixed.sum_exponent(p), cap or 0, cut)
    return int(number)
