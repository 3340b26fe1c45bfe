"""Reads a profile's model as a filter stage: a state that decays and is sent in every step.

As with a LIF, structure comes from the operations and meaning from running them: nothing here knows
a chip by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import LoweringError
from ..numerics import params_of, walk
from ..semantics import neuron_step
from .form import FAR, DecayCode, decay_code

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile


@dataclass(frozen=True)
class StageForm:
    """One neuron model seen as a filter stage.

    In every step the register decays, takes the sum that arrives, shifted left by ``in_shift``, and
    is sent, shifted right by the parameter ``out_shift``; the remainder is carried to the next
    step, so that the sum of all that was sent is never off by one.

    Args:
        model: its name in the profile.
        decay: the coded decay.
        register: the state's.
        in_shift: left shift of what arrives.
        out_shift: parameter of the shift of what is sent, ``most_shift`` its largest value.
        span: what the register holds.
        sum_limit: the largest sum that arrives unharmed, in LSB of the register.
    """

    model: str
    decay: DecayCode
    register: str
    in_shift: int
    out_shift: str
    most_shift: int
    span: tuple[int, int]
    sum_limit: float


def stage_form(profile: HardwareProfile) -> StageForm | None:
    """Return the profile's first model that is a filter stage, or None.

    Profiles whose spikes carry no value have none.
    """
    if profile.routing.payload_bits < 2:
        return None
    for name in profile.models:
        found = _as_stage(profile, name)
        if found is not None:
            return found
    return None


def _as_stage(profile: HardwareProfile, model: str) -> StageForm | None:
    ops = walk(profile.ops(model))
    decays = [o for o in ops if o["op"] == "decay"]
    kinds = {o["op"] for o in ops}
    if "emit" not in kinds or "fire" in kinds or len(decays) != 1:
        return None
    register, ports = decays[0]["reg"], sorted(profile.ports(model))
    used = params_of(profile.ops(model)) & profile.params.keys()
    shifts = sorted(used - {decays[0]["d"]})
    if ports != ["in"] or profile.hears_noise(model) or len(shifts) != 1 or decays[0]["into"]:
        return None
    try:
        decay = decay_code(profile, ops, register, f"profile {profile.name}, model {model}")
    except LoweringError:
        return None
    if decay is None:
        return None
    most = profile.params[shifts[0]].span[1]
    span = profile.register_ranges[register]
    form = StageForm(model, decay, register, 0, shifts[0], most, span, FAR)
    run = _Run(profile, form)
    first = run.steps(0, [1])[0][0]
    if first <= 0 or first & (first - 1):
        return None
    form = StageForm(model, decay, register, first.bit_length() - 1, shifts[0], most, span,
                     float(run.sum_limit() << (first.bit_length() - 1)))  # fmt: skip
    return form if _Run(profile, form).behaves() else None


class _Run:
    """Runs one neuron of a model to learn what it does."""

    def __init__(self, profile: HardwareProfile, form: StageForm) -> None:
        self.profile, self.form = profile, form

    def steps(
        self, out_shift: int, inputs: list[int], told: Any = lambda *_: None
    ) -> list[tuple[int, int]]:
        """Return (state, what was sent) of every step, with hardly any decay."""
        code, profile = self.form.decay, self.profile
        params = {name: p.default for name, p in profile.params.items()}
        params[code.param] = code.hi if code.kind == "mult_by" else code.lo
        params[self.form.out_shift] = out_shift
        state = {r: 0 for r in profile.registers} | {"ref": 0}
        found = []
        for x in inputs:
            sent = neuron_step(profile.ops(self.form.model), params, state, {"in": x}, told)
            found.append((state[self.form.register], sent))
        return found

    def sum_limit(self) -> int:
        """Return the largest power of two, less one, that may arrive in a step unharmed."""
        for bits in range(40, 0, -1):
            events: list[str] = []
            self.steps(0, [2**bits - 1], lambda _at, register, _kind: events.append(register))  # noqa: B023
            if not events:
                return int(2**bits - 1)
        return 1

    def behaves(self) -> bool:
        """Tell whether what was sent, summed up, is the sum of the states, rounded down."""
        unit = self.form.in_shift
        for shift in {0, min(unit, self.form.most_shift), min(unit + 3, self.form.most_shift)}:
            states = sent = 0
            for state, value in self.steps(shift, [5, 0, 0, -9, 0, 0, 0, 3, 0, 1]):
                states, sent = states + state, sent + value
                if states >> shift != sent:
                    return False
        return True
