"""Reads a profile's operations as a LIF: which parameter codes the leak, the threshold, the bias.

Structure comes from the operations, timing from running them: nothing here knows a chip by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import LoweringError, show
from ..formats import nearest
from ..numerics import walk
from ..semantics import neuron_step

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

FAR = 2.0**62
"""Stands for: no limit."""


@dataclass(frozen=True)
class DecayCode:
    """How a decay is coded: the factor kept is ``1 - (d + offset) / 2**k``, or ``d / 2**k``."""

    param: str
    kind: str
    k: int
    offset: int
    rounding: str
    lo: int
    hi: int

    def encode(self, loss: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return (code, unrounded code) for the share lost per step."""
        unit = 2.0**self.k
        real = (1.0 - loss) * unit if self.kind == "mult_by" else loss * unit - self.offset
        return np.clip(nearest(real), self.lo, self.hi), real

    def loss(self, code: IntArray) -> FloatArray:
        """Return the share lost per step that ``code`` gives."""
        unit = 2.0**self.k
        kept = code / unit if self.kind == "mult_by" else 1.0 - (code + self.offset) / unit
        return np.asarray(1.0 - kept)


@dataclass(frozen=True)
class LifForm:
    """One neuron model seen as a LIF.

    Args:
        model: its name in the profile.
        decay_v, decay_u: the coded decays; None where the register does not decay.
        in_shift: left shift from the synaptic sum to the voltage register.
        bias_mant, bias_exp: parameters of the bias, or None.
        threshold: parameter of the threshold, ``thr_shift`` its left shift.
        compare: ``>`` or ``>=``.
        reset: ``value``, ``subtract`` or ``none``.
        refractory: parameter of the refractory counter, or None; v is held for
            ``parameter - ref_extra`` steps.
        registers: the voltage register and the one the synaptic input enters (may be the same).
        v_span, u_span: what the registers hold; ``sum_limit`` the largest synaptic sum, in v LSB.
        most: spikes that a neuron sends in one step at most.
    """

    model: str
    decay_v: DecayCode | None
    decay_u: DecayCode | None
    in_shift: int
    bias_mant: str | None
    bias_exp: str | None
    threshold: str
    thr_shift: int
    compare: str
    reset: str
    refractory: str | None
    ref_extra: int
    registers: tuple[str, str]
    v_span: tuple[int, int]
    u_span: tuple[int, int]
    sum_limit: float
    most: int = 1


def lif_form(profile: HardwareProfile, model: str) -> LifForm:
    """Read a neuron model as a LIF.

    Raises:
        LoweringError: the model is not a LIF we can lower to; says what is missing.
    """
    spec = profile.model(model)
    ops = walk(profile.ops(model))
    where = f"profile {profile.name}, model {model}"
    _check_plain(profile, model, ops, where)
    fire = next((o for o in ops if o["op"] == "fire" and o["reg"] == spec.voltage), None)
    if fire is None:
        raise LoweringError(f"{where}: no op fire on register {spec.voltage}")
    current = spec.current or spec.voltage
    bias = next((o for o in ops if o["op"] == "add" and o["src"] in profile.params), None)
    _check_fire(profile, fire, where)
    if bias and bias["shift"] not in profile.params and bias["shift"] != 0:
        _refuse(profile, where, bias, "shift", "0, or a parameter")
    form = LifForm(
        model=model,
        decay_v=decay_code(profile, ops, spec.voltage, where),
        decay_u=None if current == spec.voltage else decay_code(profile, ops, current, where),
        in_shift=0,
        bias_mant=None if bias is None else str(bias["src"]),
        bias_exp=bias["shift"] if bias and isinstance(bias["shift"], str) else None,
        threshold=fire["thr"],
        thr_shift=fire["thr_shift"],
        compare=fire["cmp"],
        reset=fire["reset"],
        refractory=fire["ref"] if isinstance(fire["ref"], str) else None,
        ref_extra=0,
        registers=(spec.voltage, current),
        v_span=profile.register_ranges[spec.voltage],
        u_span=profile.register_ranges[current],
        sum_limit=FAR,
        most=int(fire["cap"]) if fire["multi"] == "loop" else 1,
    )
    _check_roles(form, where)
    return _probe(profile, form, where)


PLAIN = ("acc", "decay", "add", "copy", "set", "clamp", "floor", "fire", "if_ref", "tick_ref")
"""Operations a LIF is made of; any other makes it something that no LIF parameter can say."""


def _check_plain(profile: HardwareProfile, model: str, ops: Any, where: str) -> None:
    odd = next((o["op"] for o in ops if o["op"] not in PLAIN), None)
    if odd is not None:
        allowed = ", ".join(PLAIN)
        raise LoweringError(f"{where}: op {odd} is no part of a LIF, allowed: {allowed}")
    ports = sorted(profile.ports(model))
    if ports != ["in"] or profile.hears_noise(model):
        noise = " and noise" if profile.hears_noise(model) else ""
        raise LoweringError(f"{where}: ports {', '.join(ports)}{noise}, allowed: one port 'in'")


def _refuse(
    profile: HardwareProfile, where: str, op: Any, field: str, allowed: str = "a parameter"
) -> None:
    known = f" ({', '.join(profile.params)})" if allowed.endswith("a parameter") else ""
    value = show(op[field])
    raise LoweringError(f"{where}, op {op['op']}: {field} = {value}, allowed: {allowed}{known}")


def _check_fire(profile: HardwareProfile, fire: Any, where: str) -> None:
    if fire["thr"] not in profile.params:
        _refuse(profile, where, fire, "thr")
    if fire["ref"] is not None and fire["ref"] not in profile.params:
        _refuse(profile, where, fire, "ref", "absent, or a parameter")
    if fire["reset"] == "value" and fire["value"] != 0:
        _refuse(profile, where, fire, "value", "0: quantize puts the reset voltage there")
    if fire["cmp_reg"] not in (None, fire["reg"]):
        _refuse(profile, where, fire, "cmp_reg", f"absent, or {fire['reg']}")


def _check_roles(form: LifForm, where: str) -> None:
    """Refuse one parameter in two places: it would need two codes."""
    decays = [code.param for code in (form.decay_v, form.decay_u) if code is not None]
    others = (form.threshold, form.refractory, form.bias_mant, form.bias_exp)
    names = decays + [name for name in others if name is not None]
    for name in names:
        if names.count(name) > 1:
            raise LoweringError(
                f"{where}: parameter {name!r} is used {names.count(name)} times, allowed: one each "
                "for decays, threshold, bias, its exponent and the refractory period"
            )


def decay_code(profile: HardwareProfile, ops: Any, register: str, where: str) -> DecayCode | None:
    """Return how a register's decay is coded; None where it has none.

    Raises:
        LoweringError: in a way that no parameter of a decay can say.
    """
    op = next((o for o in ops if o["op"] == "decay" and o["reg"] == register), None)
    if op is None:
        return None
    if op["kind"] not in ("mult_keep", "mult_step", "mult_by"):
        _refuse(profile, where, op, "kind", "mult_keep, mult_step or mult_by")
    if op["d"] not in profile.params:
        _refuse(profile, where, op, "d")
    lo, hi = profile.params[op["d"]].span
    top = 2 ** op["k"] - (0 if op["kind"] == "mult_by" else op["offset"])
    if lo > top or hi < 0:
        raise LoweringError(
            f"{where}, op decay: {op['d']} = {lo}..{hi} never lets register {register} decay, "
            f"allowed: a range that meets 0..{top}"
        )
    return DecayCode(op["d"], op["kind"], op["k"], op["offset"], op["round"], lo, min(hi, top))


def _probe(profile: HardwareProfile, form: LifForm, where: str) -> LifForm:
    """Run the operations to learn the input shift, the sum's limit and the refractory count."""
    changes: dict[str, Any] = {}
    first = _response(profile, form)
    if first <= 0 or first & (first - 1):
        raise LoweringError(
            f"{where}: one unit of synaptic input moves v by {first} in its own step; quantize "
            "lowers to models that add a power of two of the new input"
        )
    changes["in_shift"] = first.bit_length() - 1
    changes["sum_limit"] = float(_sum_limit(profile, form) << changes["in_shift"])
    if form.refractory is not None:
        changes["ref_extra"] = _ref_extra(profile, form, changes["in_shift"])
    return LifForm(**{**vars(form), **changes})


def _quiet(profile: HardwareProfile, form: LifForm) -> dict[str, int]:
    """Return parameters of a neuron that neither leaks (as far as possible) nor fires."""
    params = {name: p.default for name, p in profile.params.items()}
    params[form.threshold] = profile.params[form.threshold].span[1]
    for code in (form.decay_v, form.decay_u):
        if code is not None:
            params[code.param] = code.hi if code.kind == "mult_by" else code.lo
    return params


def _response(profile: HardwareProfile, form: LifForm) -> int:
    state = {r: 0 for r in profile.registers} | {"ref": 0}
    neuron_step(profile.ops(form.model), _quiet(profile, form), state, {"in": 1})
    return state[profile.model(form.model).voltage]


def _sum_limit(profile: HardwareProfile, form: LifForm) -> int:
    """Return the largest power of two, less one, that one step's input may sum to unharmed."""
    found: list[str] = []
    ops, quiet = profile.ops(form.model), _quiet(profile, form)
    for bits in range(40, 0, -1):
        found.clear()
        state = {r: 0 for r in profile.registers} | {"ref": 0}
        told = lambda _index, register, _kind: found.append(register)  # noqa: E731
        neuron_step(ops, quiet, state, {"in": 2**bits - 1}, told)
        if not found:
            return int(2**bits - 1)
    return 1


def _ref_extra(profile: HardwareProfile, form: LifForm, in_shift: int) -> int:
    """Return the refractory parameter minus the steps v is really held."""
    params = _quiet(profile, form)
    value = 5
    # the least threshold that v = 0, where it is held, does not reach
    least = int(form.compare == ">=")
    enough = max((least << form.thr_shift) >> in_shift, 1)
    params |= {form.threshold: least, str(form.refractory): value}
    if form.decay_u is not None:  # u forgets at once, so it cannot overflow however narrow it is
        code = form.decay_u
        params[code.param] = code.lo if code.kind == "mult_by" else code.hi
    state = {r: 0 for r in profile.registers} | {"ref": 0}
    ops = profile.ops(form.model)
    times = []
    for t in range(3 * value + 8):
        if neuron_step(ops, params, state, {"in": enough}):
            times.append(t)
    if len(times) < 2:
        raise LoweringError(f"profile {profile.name}, model {form.model}: does not fire again")
    return value - (times[1] - times[0] - 1)
