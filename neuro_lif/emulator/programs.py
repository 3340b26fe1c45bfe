"""A population's two programs, kept for the next network that has the same neurons."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..memo import Memo
from ..numerics import walk
from .bounds import FLOAT32, INT32
from .program import Event, Exact, IntArray, Model, Program, Span, live_registers
from .quick import written

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

MOST_KEPT, LARGEST_KEPT = 512, 1024
"""So many programs of a profile are kept, of populations with at most so many neurons."""

Code = tuple[IntArray, IntArray, list[int]]
"""Instructions, rules and constants."""


@dataclass(frozen=True)
class Facts:
    """What follows from a profile's model alone.

    Args:
        ops: resolved operations.
        params: names of the parameters they use.
        registers: names in the order of their numbers, ``ref`` first.
        live: those whose value at the start of a step matters.
        start: interval each register is expected in; what leaves it is run in 64 bits.
    """

    ops: Any
    params: tuple[str, ...]
    registers: list[str]
    live: set[str]
    start: dict[str, Span]

    @property
    def spans(self) -> list[Span]:
        """Intervals of the registers in their order, as wide as can be where none matters."""
        return [self.start[r] if r in self.live else INT32 for r in self.registers]


_facts: Memo[dict[str, Facts]] = Memo()


def facts_of(profile: HardwareProfile, model: str) -> Facts:
    """Return what follows from a profile's model alone; worked out once."""
    known = _facts.get(profile)
    known = _facts.keep(profile, {}) if known is None else known
    if model not in known:
        ops = profile.ops(model)
        names = ["ref", *(r for r in profile.registers if r != "ref")]
        start = {r: _start_span(profile, r, ops) for r in names}
        known[model] = Facts(ops, profile.used_params(model), names, live_registers(ops, names),
                             start)  # fmt: skip
    return known[model]


def _start_span(profile: HardwareProfile, register: str, ops: Any) -> Span:
    if register == "ref":
        return (0, 2**30)
    lo, hi = profile.registers[register].span
    for op in walk(ops):  # a rule's own range may reach one further than the register's
        rules, target = op.get("ovf", ()), op.get("into") or op.get("reg")
        if target == register and rules:
            lo, hi = min(lo, rules[-1][1]), max(hi, rules[-1][2])
    return (max(lo, -FLOAT32), min(hi, FLOAT32))


@dataclass(frozen=True)
class Programs:
    """The programs of one population.

    Args:
        exact, quick: instructions, rules, constants; quick: None where there is none.
        params: arrays that the exact program names, ``(n,)`` int64 each.
        quick_params, factors: what the quick program names.
        why: why there is no quick program.
        events: overflows that they count, by number.
    """

    exact: Code
    params: list[IntArray]
    quick: Code | None
    quick_params: list[IntArray]
    factors: list[npt.NDArray[np.float32]]
    why: str
    events: tuple[Event, ...]


_kept: Memo[dict[Any, Programs]] = Memo()
_writing = threading.Lock()


def programs_of(
    profile: HardwareProfile, model: str, params: Mapping[str, IntArray], ports: list[str],
    arriving: Mapping[str, Span] | None, first_event: int,
) -> Programs:  # fmt: skip
    """Return the programs of a population.

    Args:
        profile, model: what the neurons are.
        params: parameter -> ``(n,)`` int64, those that the model uses.
        ports: names in the order of their numbers.
        arriving: interval of what arrives at each port; None: only the exact program is wanted.
        first_event: number of the first overflow.
    """
    if max((v.size for v in params.values()), default=0) > LARGEST_KEPT:
        return _written(profile, model, params, ports, arriving, first_event)
    key = (model, tuple(ports), None if arriving is None else tuple(arriving.items()), first_event,
           *(values.tobytes() for values in params.values()))  # fmt: skip
    with _writing:
        known = _kept.get(profile)
        known = _kept.keep(profile, {}) if known is None else known
        found = known.get(key)
    if found is None:
        found = _written(profile, model, params, ports, arriving, first_event)
        with _writing:
            if len(known) >= MOST_KEPT:
                known.pop(next(iter(known)))
            known[key] = found
    return found


def _written(
    profile: HardwareProfile, model: str, params: Mapping[str, IntArray], ports: list[str],
    arriving: Mapping[str, Span] | None, first_event: int,
) -> Programs:  # fmt: skip
    facts = facts_of(profile, model)
    numbers: dict[Event, int] = {}

    def event(found: Event) -> int:
        return numbers.setdefault(found, first_event + len(numbers))

    row = Model(facts.ops, params, facts.registers, ports, event)
    if arriving is None:
        exact, quick, why = Exact(row).out, None, "its neurons are run one by one"
    else:
        exact, quick, why = written(row, facts.start, arriving)
    none = Program()
    return Programs(
        _code(exact), exact.params, None if quick is None else _code(quick),
        (quick or none).params, (quick or none).factors, why, tuple(numbers),
    )  # fmt: skip


def _code(program: Program) -> Code:
    return program.code(), program.rule_table(), program.constants


def rounded_up(reach: int) -> int:
    """Return a bound at most an eighth above, so that networks that are alike share programs."""
    most = int(reach)  # numpy's have no bit_length before numpy 2
    step = 1 << max(most.bit_length() - 4, 0)
    return -(-most // step) * step
