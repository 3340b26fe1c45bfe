"""Lemmas about the arithmetic, proved by z3 for every value, and refuted where they are mutated.

The terms are not written here a second time: the package's own functions run on z3's terms
(symbolic.py). `Int` below means integers without end, `Word` means words of 64 bits as numpy has
them. Where a formula has to be stated anew (intervals, what quantize rounds), samples of the code
are held against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from neuro_lif import available_profiles, load_profile
from neuro_lif.certify import spans
from neuro_lif.emulator import OpList
from neuro_lif.formats import (
    OVERFLOWS,
    ROUNDINGS,
    nearest,
    overflow,
    overflow_array,
    round_shift,
    round_shift_array,
    shift,
    shift_array,
    shift_rounded_array,
)
from neuro_lif.lower.bounds import Incoming, Limits
from neuro_lif.lower.encode import code_bias
from neuro_lif.lower.form import lif_form
from neuro_lif.lower.reach import MONOTONE, Watched
from neuro_lif.lower.search import code_weights
from neuro_lif.numerics import BRANCHES, MOST_SHIFT, PRODUCT, walk
from neuro_lif.semantics import neuron_step

z3 = pytest.importorskip("z3", reason="z3-solver (of the extra `test`) is not installed")

from symbolic import (  # noqa: E402
    COMPARISONS,
    WORD,
    Pair,
    Term,
    Truth,
    followed,
    merged,
    outcomes,
    symbolic_numpy,
)
from test_exhaustive import decay_forms_once, slope  # noqa: E402

PATIENCE = 120_000
"""Milliseconds until z3 gives up; every lemma here takes a few seconds at most."""


def counterexample(claim: Any, *given: Any) -> Any:
    """Return values that are ``given`` and for which ``claim`` fails; None: there are none."""
    for products, patience in ((False, PATIENCE // 60), (True, PATIENCE)):
        # first with every product as a number of its own, which is quick and mostly enough
        solver = z3.Solver()
        solver.set("arith.nl", products)
        solver.set("timeout", patience)
        solver.add(*given, z3.Not(claim))
        answer = solver.check()
        if answer == z3.unsat:
            return None
    if answer == z3.unknown:
        raise TimeoutError(f"z3 gave up: {solver.reason_unknown()}")
    return solver.model()


def proved(claim: Any, *given: Any) -> bool:
    return counterexample(claim, *given) is None


def value(model: Any, variable: Term) -> int:
    """Return a variable's number in a counterexample."""
    found = model.eval(variable.expr, model_completion=True)
    return int(found.as_signed_long() if z3.is_bv(variable.expr) else found.as_long())


def integer(name: str) -> Term:
    return Term(z3.Int(name))


def word(name: str) -> Term:
    return Term(z3.BitVec(name, 64))


def within(x: Term, lo: int, hi: int) -> Any:
    return z3.And((x >= lo).expr, (x <= hi).expr)


def fits(terms: Iterable[Term], most: int = 2**63 - 1) -> Any:
    """Say of every term that it is a word."""
    return z3.And(*(within(t, -most - 1, most) for t in terms))


def computed(function: Callable[[], Any]) -> tuple[Any, list[Term]]:
    """Return the result of ``function`` and every number that was computed on the way to it."""
    Term.made = []
    try:
        return function(), Term.made
    finally:
        Term.made = None


# ------------------------------------------------------------ numbers: integers and words


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_of_arrays_is_that_of_integers(rounding: str) -> None:
    """round_shift_array = round_shift, Int |p| <= 2^62, every k of 0..31.

    And no number of the array's way is wider than a word. Control: for another rounding it fails.
    """
    p = integer("p")
    given = within(p, -PRODUCT, PRODUCT)
    other = ROUNDINGS[ROUNDINGS.index(rounding) - 1]
    for k in range(MOST_SHIFT + 1):
        one = followed(lambda k=k: round_shift(p, k, rounding), p)
        with symbolic_numpy():
            many, way = computed(lambda k=k: round_shift_array(p, k, rounding))
        assert proved((one == many).expr, given)
        assert proved(fits(way), given)
        if k:
            wrong = followed(lambda k=k: round_shift(p, k, other), p)
            at = value(counterexample((wrong == many).expr, given), p)
            assert round_shift(at, k, other) != round_shift(at, k, rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_of_words(rounding: str) -> None:
    """round_shift_array = round_shift, both on Words |p| <= 2^61 bit by bit, k = 1, 6, 12.

    (`make verify`: every k of 0..31.)
    """
    check_rounding_of_words(rounding, (1, 6, 12))


@pytest.mark.verify
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_of_words_every_shift(rounding: str) -> None:
    """The same for every k of 0..31."""
    check_rounding_of_words(rounding, range(MOST_SHIFT + 1))


def check_rounding_of_words(rounding: str, shifts: Iterable[int]) -> None:
    p = word("p")
    for k in shifts:
        one = followed(lambda k=k: round_shift(p, k, rounding), p)
        with symbolic_numpy(WORD):
            many = round_shift_array(p, k, rounding)
        assert proved((one == many).expr, within(p, -(2**61), 2**61))
        beyond = within(p, 2**63 - 2**k, 2**63 - 1)  # control: there the words do run over
        if k and rounding in ("raz", "nearest_up"):
            assert not proved((one == many).expr, beyond)


def test_shifts_of_arrays_are_those_of_integers() -> None:
    """shift_array = shift and shift_rounded_array = round_shift: Int |x| <= 2^31, k of -63..31."""
    x = integer("x")
    given = within(x, -(2**31), 2**31)
    for k in (-63, -31, -12, -7, -1, 0, 1, 6, 12, MOST_SHIFT):
        one = followed(lambda k=k: shift(x, k), x)
        for amount in (k, Term(z3.IntVal(k))):
            with symbolic_numpy():
                many, way = computed(lambda amount=amount: shift_array(x, amount))
            assert proved(z3.And((one == many).expr, fits(way)), given)
        assert not proved((one == many + 1).expr, given)
        if k < 0:
            for rounding in ("floor", "rtz"):
                exact = followed(lambda k=k, r=rounding: round_shift(x, -k, r), x)
                with symbolic_numpy():
                    many = shift_rounded_array(x, k, rounding)
                assert proved((exact == many).expr, given)


def rules_of_profiles() -> list[tuple[str, int, int]]:
    """Return every overflow rule of every shipped profile, and every mode on ranges of each."""
    found = set()
    for profile in map(load_profile, available_profiles()):
        found |= {*profile.accumulator(), *profile.accumulator(True)}
        for op in (op for model in profile.models for op in walk(profile.ops(model))):
            for key in ("sum_ovf", "shift_ovf", "src_ovf", "ovf"):
                found |= set(op.get(key, ()))
        for p in profile.params.values():
            if p.storage is not None and p.storage.lo is not None and p.storage.hi is not None:
                found.add((p.storage.mode, p.storage.lo, p.storage.hi))
    return sorted(found | {(mode, *span) for mode in OVERFLOWS for _, *span in found})


RULES = rules_of_profiles()


def test_overflow_of_arrays_is_that_of_integers() -> None:
    """overflow_array = overflow, every rule of every shipped profile in every mode, Int |x| <= 2^61

    And: a value is changed exactly where it is outside of [lo, hi], so that what is counted is what
    overflowed; after wrap and sat it is inside. Controls: not so with another hi, nor after
    wrap_once.
    """
    x = integer("x")
    given = within(x, -(2**61), 2**61)
    for mode, lo, hi in RULES:
        one = followed(lambda r=(mode, lo, hi): overflow(x, *r), x)
        with symbolic_numpy():
            many, way = computed(lambda r=(mode, lo, hi): overflow_array(x, *r))
        assert proved(z3.And((one == many).expr, fits(way)), given)
        outside = z3.Not(within(x, lo, hi))
        assert proved((one != x).expr == outside)
        assert proved(within(one, lo, hi)) == (mode != "wrap_once")
        with symbolic_numpy():
            wider = overflow_array(x, mode, lo, hi + 1)
        assert not proved((one == wider).expr, given)


def test_overflow_of_words() -> None:
    """overflow_array = overflow on Words |x| <= 2^61 bit by bit, every rule of every profile."""
    x = word("x")
    for mode, lo, hi in RULES:
        one = followed(lambda r=(mode, lo, hi): overflow(x, *r), x)
        with symbolic_numpy(WORD):
            many = overflow_array(x, mode, lo, hi)
        assert proved((one == many).expr, within(x, -(2**61), 2**61))


def test_wrap_is_twos_complement() -> None:
    """wrap to b bits = the b lowest bits, signed or not; Words |x| <= 2^61, every b of 1..48.

    Control: with one bit more it is not.
    """
    x = word("x")
    given = within(x, -(2**61), 2**61)
    for bits in range(1, 49):
        top = 2 ** (bits - 1)
        signed = followed(lambda t=top: overflow(x, "wrap", -t, t - 1), x)
        unsigned = followed(lambda t=top: overflow(x, "wrap", 0, 2 * t - 1), x)
        low = z3.Extract(bits - 1, 0, x.expr)
        assert proved(signed.expr == z3.SignExt(64 - bits, low), given)
        assert proved(unsigned.expr == z3.ZeroExt(64 - bits, low), given)
        more = z3.SignExt(63 - bits, z3.Extract(bits, 0, x.expr))
        at = value(counterexample(signed.expr == more, given), x)
        assert overflow(at, "wrap", -top, top - 1) != overflow(at, "wrap", -2 * top, 2 * top - 1)


def test_wrap_once_is_wrap_within_one_period() -> None:
    """wrap_once = wrap exactly where lo - period <= x <= hi + period, Int x without end.

    For every rule of the profiles and every width of 1..48 bits; so also where |x| < 3/2 period.
    Control: one beyond it differs.
    """
    x = integer("x")
    widths = [(-(2**b) + odd, 2**b - 1 + odd) for b in range(48) for odd in (0, 1)]
    for lo, hi in {*widths, *((lo, hi) for _, lo, hi in RULES)}:
        period = hi - lo + 1
        once = followed(lambda e=(lo, hi): overflow(x, "wrap_once", *e), x)
        wrap = followed(lambda e=(lo, hi): overflow(x, "wrap", *e), x)
        near = within(x, lo - period, hi + period)
        assert proved((once == wrap).expr == near)
        if (lo, hi) in widths:
            assert proved((once == wrap).expr, (abs(x) * 2 < 3 * period).expr)
        for beyond in (lo - period - 1, hi + period + 1):
            assert overflow(beyond, "wrap_once", lo, hi) != overflow(beyond, "wrap", lo, hi)


def test_lava_current_stays_where_wrap_once_is_exact() -> None:
    """u of lava-0.10, from its range, with an input of a step of at most 2^18 + 32: it wraps as
    two's complement would (to -2^23+1..2^23) and is in its range again. Int, every du of 0..4095.

    Control: an input of 2^18 + 33 leaves the range.
    """
    ops = load_profile("lava-0.10").ops("lif")[:2]
    lo, hi = -(2**23) + 1, 2**23
    u, du, port = integer("u"), integer("du"), integer("port")

    def after(rules: Any = None) -> Term:
        acc = ops[1] | ({} if rules is None else {"ovf": rules})
        return followed(lambda: done((acc,), {}, u, port), u)

    left = followed(lambda: done(ops[:1], {"du": du}, u, port), u)
    least, most = -(2**23) + 2049, 2**23 - 2048
    assert proved(within(left, least, most), within(u, lo, hi), within(du, 0, 4095))
    found, exact = after(), after((("wrap", lo, hi),))
    same = z3.And(within(found, lo, hi), (found == exact).expr)
    start, small = within(u, least, most), within(port, -(2**18) - 32, 2**18 + 32)
    assert proved(same, start, small)
    model = counterexample(same, start, within(port, 2**18 + 33, 2**18 + 33))
    assert not lo <= done(ops[1:], {}, value(model, u), value(model, port)) <= hi
    assert lo <= done(ops[:1], {"du": 0}, hi, 0) == most


def done(ops: Any, params: Any, u: Any, port: Any) -> Any:
    """Return u after some operations, by the living definition."""
    state = {"u": u}
    neuron_step(ops, params, state, {"in": port})
    return state["u"]


# ------------------------------------------------------------------------------- decays


def left_of(x: Any, d: Any, kind: str = "mult_keep", rounding: str = "rtz", **more: Any) -> Any:
    """Return what the living definition leaves of ``x``: by default x (4096 - d) / 4096."""
    op = {"op": "decay", "at": 0, "reg": "v", "d": "d", "kind": kind, "round": rounding, "k": 12,
          "offset": 0, "min_step": 0, "into": None, "ovf": ()} | more  # fmt: skip
    state = {"v": x}
    neuron_step((op,), {"d": d}, state, {})
    return state["v"]


X, D, R = integer("x"), integer("d"), integer("r")
FACTOR = within(D, 0, 4096)
SIGN = Term(z3.If(X.expr > 0, 1, z3.If(X.expr < 0, -1, 0)))


def test_forms_of_the_decay_are_one() -> None:
    """The form toward zero = three others: Int x without end, every d of 0..4096, r = 4096 - d.

    sgn(x) (|x| r >> 12); floor of x r / 4096 above 0 and ceil below; x - sgn(x) ceil(|x| d / 4096).

    Controls: floor differs below 0, ceil(|x| d / 4096) + 1 everywhere, d = 4097 too.
    """
    found = followed(lambda: left_of(X, D), X)
    r = 4096 - D
    by_sign = z3.If(X.expr >= 0, (abs(X) * r).expr / 4096, -((abs(X) * r).expr / 4096))
    product_ = (X * r).expr
    by_ends = z3.If(product_ >= 0, product_ / 4096, -((-product_) / 4096))
    lost = -((-(abs(X) * D).expr) / 4096)
    by_loss = z3.If(X.expr >= 0, X.expr - lost, X.expr + lost)
    for form in (by_sign, by_ends, by_loss):
        assert proved(found.expr == form, FACTOR)
    floor = followed(lambda: left_of(X, D, rounding="floor"), X)
    model = counterexample(floor.expr == by_sign, within(D, 1, 1))
    x, d = value(model, X), value(model, D)
    assert x < 0 and left_of(x, d, rounding="floor") != left_of(x, d)
    one_more = z3.If(X.expr >= 0, X.expr - lost - 1, X.expr + lost + 1)
    assert not proved(found.expr == one_more, within(D, 1, 1))
    step = followed(lambda: left_of(X, D, "mult_step", "raz"), X)
    assert proved(step.expr == by_loss, FACTOR)
    assert not proved(by_sign == by_ends, within(D, 4097, 4097))


def test_a_decay_does_not_grow() -> None:
    """|left| <= |x| and never of the other sign, in every rounding but one: Int, d of 0..4096.

    Control: floor and then away from zero makes -2 of -1.
    """
    for rounding in ROUNDINGS:
        found = followed(lambda r=rounding: left_of(X, D, rounding=r), X)
        claim = z3.And((abs(found) <= abs(X)).expr, (found * SIGN).expr >= 0)
        if rounding != "floor_then_raz":
            assert proved(claim, FACTOR)
        else:
            model = counterexample(claim, within(D, 1, 1))
            x, d = value(model, X), value(model, D)
            assert abs(left_of(x, d, rounding=rounding)) > abs(x)
    assert left_of(-1, 1, rounding="floor_then_raz") == -2


def test_decays_of_low_and_high_part_add_up() -> None:
    """left(s (low + 4096 h)) = left(s low) + s h slope, s = 1 or -1: Int h >= 0, low of 0..4095.

    For every form and d that test_exhaustive.py runs through; what it tabulates is so all there is.
    Control: not with one slope more.
    """
    low, high = integer("low"), integer("high")
    given = (within(low, 0, 4095), (high >= 0).expr)
    for form, sign in product(decay_forms_once(), (1, -1)):
        kind, rounding, offset = form

        def left(x: Term, form: Any = form) -> Term:
            return followed(lambda: left_of(x, D, form[0], form[1], offset=form[2]), x)

        whole, part = left((low + high * 4096) * sign), left(low * sign)
        more, allowed = slope(form, D), within(D, 0, 4096 - offset)  # type: ignore[arg-type]
        assert proved((whole == part + high * more * sign).expr, allowed, *given)
        wrong = (whole == part + high * (more + 1) * sign).expr
        assert not proved(wrong, within(D, 163, 163), *given), (kind, rounding)


# ------------------------------------------------------------------ every operation there is

MARKS = tuple({"op": "emit", "at": 98, "src": k, "shift": 0} for k in (1, 2))


def alone(op: dict[str, Any]) -> dict[str, Any]:
    """Return an operation whose branches only say which of them was taken.

    What is in them is proved by itself, under any mask. A ``fire`` is followed for three spikes.
    """
    found = op | {branch: (MARKS[branch == "else"],) for branch in BRANCHES if branch in op}
    return found | ({"cap": min(op["cap"], 3)} if op["op"] == "fire" else {})


def operations(profile: Any) -> list[dict[str, Any]]:
    """Return the different operations of a profile; ``each`` is a loop around others."""
    found = {}
    for op in (op for model in profile.models for op in walk(profile.ops(model))):
        if op["op"] != "each":
            one = alone(op)
            found[json.dumps({k: v for k, v in one.items() if k != "at"}, sort_keys=True)] = one
    return list(found.values())


def reaches(profile: Any) -> dict[str, int]:
    """Return what no register is larger than: four times its range and those of its rules."""
    most = {r: max(map(abs, span)) for r, span in profile.register_ranges.items()}
    for op in (op for model in profile.models for op in walk(profile.ops(model))):
        register = op.get("into") or op.get("reg")
        for _, lo, hi in op.get("ovf", ()):
            most[register] = max(most[register], abs(lo), abs(hi))
    return {r: 4 * m for r, m in most.items()}


FAR_SUM = 2**31
"""No sum of a port is larger in what follows."""


def cases(profile: Any, op: dict[str, Any]) -> Iterator[dict[str, Term]]:
    """Yield parameters: free within their ranges, those that shift with every value they have."""
    used = [op.get(k) for k in ("shift", "level_shift")]
    used += [op["d"]] if op.get("kind") == "shift" else []
    shifts = [name.removeprefix("-") for name in used if isinstance(name, str)]
    spans = [profile.params[name].span for name in shifts]
    free = {name: integer(f"param {name}") for name in profile.params}
    for amounts in product(*(range(lo, hi + 1) for lo, hi in spans)):
        fixed = {s: Term(z3.IntVal(k)) for s, k in zip(shifts, amounts, strict=True)}
        yield free | fixed


def check_operation(profile: Any, op: dict[str, Any], given_op: Any = None, **known: int) -> int:
    """Prove one operation; return for how many shift amounts.

    Args:
        profile, op: what the living definition runs.
        given_op: what the emulator runs, if not the same.
        **known: parameters of which one value is enough: where a control is to fail.
    """
    registers = {name: integer(name) for name in (*profile.registers, "ref")}
    sums = {name: integer(f"port {name}") for name in {"in", op.get("port", "in")}}
    mask, t = Truth(z3.Bool("mask")), integer("t")
    sent = Term(z3.IntVal(0)) if op.get("multi") == "loop" else integer("sent")
    most = reaches(profile) | {"ref": 2**21}
    given = [within(x, -most[name], most[name]) for name, x in registers.items()]
    given += [within(x, -FAR_SUM, FAR_SUM) for x in sums.values()]
    given += [within(t, 1, 2**40), within(sent, 0, 2**20)]
    count = 0
    for params in cases(profile, op):
        ranges = [within(x, *profile.params[name].span) for name, x in params.items()]
        ranges += [(params[name] == number).expr for name, number in known.items()]
        (after, told), way = computed(lambda p=params: defined(op, p, registers, sums, t, sent))
        before = registers | {"sent": sent}
        for where in (mask, None)[: 1 if count else 2]:  # None: for all neurons of the array
            with symbolic_numpy():
                (got, heard), more = computed(
                    lambda p=params, b=before, w=where: emulated(given_op or op, p, b, sums, t, w)
                )
            meant = z3.BoolVal(True) if where is None else where.expr
            same = [
                got[k].expr == z3.If(meant, x.expr, before[k].expr) for k, x in after.items()
            ] + [
                heard.get(key, z3.IntVal(0)) == z3.If(meant, told.get(key, z3.IntVal(0)), 0)
                for key in heard.keys() | told.keys()
            ]
            assert proved(z3.And(*same), *given, *ranges), op
            words = [x for x in (*way, *more) if z3.is_int(x.expr)]
            assert proved(fits(words), *given, *ranges), op
        count += 1
    return count


def defined(op: Any, params: Any, registers: Any, sums: Any, t: Term, sent: Term) -> Any:
    """Return registers (and ``sent``) and events after an operation, by the living definition."""

    def run() -> Any:
        state, events = dict(registers), list[Any]()
        told = lambda *event: events.append(event)  # noqa: E731
        state["sent"] = neuron_step((op,), params, state, sums, told, t, sent)  # type: ignore[arg-type]
        return state, events

    ways = list(outcomes(run))
    after = {
        name: merged([(c, state[name]) for c, (state, _) in ways], t) for name in ways[0][1][0]
    }
    keys = {event for _, (_, events) in ways for event in events}
    told = {key: merged([(c, e.count(key)) for c, (_, e) in ways], t).expr for key in keys}
    return after, told


def emulated(op: Any, params: Any, before: Any, sums: Any, t: Term, mask: Truth | None) -> Any:
    """Return the same by the emulator, for a neuron that ``mask`` may leave out."""
    registers = {name: x for name, x in before.items() if name != "sent"}
    events: list[tuple[Any, Any]] = []
    neurons = OpList((op,), params, registers, lambda *event: events.append((event[:3], event[3])))
    neurons.t, neurons.sent = t, before["sent"]  # type: ignore[assignment]
    neurons._run((op,), sums, mask)
    heard: dict[Any, Any] = {}
    for key, where in events:
        heard[key] = heard.get(key, z3.IntVal(0)) + z3.If(where.expr, 1, 0)
    return neurons.state | {"sent": neurons.sent}, heard


@pytest.mark.parametrize("name, model", [("loihi2", "lif_subtract"), ("nengo-loihi-1.1", "lif")])
def test_every_operation_of_a_neuron(name: str, model: str) -> None:
    """The emulator = the living definition, operation for operation: registers, spikes, events.

    Int: every register within four times its range, every parameter of its range, sums of a port
    up to 2^31, any step, any mask; and no number on the way of either is wider than a word, so
    that numpy's are these. (`make verify`: every operation of every shipped profile.)
    """
    profile = load_profile(name)
    own = [alone(op) for op in walk(profile.ops(model))]
    shifting = [op for op in own if isinstance(op.get("shift"), str)]
    for op in own:
        if op not in shifting:
            check_operation(profile, op)
    assert len(own) > 8


@pytest.mark.verify
@pytest.mark.parametrize("name", sorted(available_profiles()))
def test_every_operation_of_every_profile(name: str, record_figure: Callable[..., None]) -> None:
    """The same for every operation of every shipped profile, and every amount it shifts by."""
    profile = load_profile(name)
    proofs = sum(check_operation(profile, op) for op in operations(profile))
    record_figure(
        f"proved of {name}: {len(operations(profile))} operations in {proofs} cases, emulator = "
        "living definition for every value, no product wider than 64 bits"
    )


def test_controls_of_the_proofs_of_operations() -> None:
    """What is proved above is refuted where the emulator runs something a little different."""
    profile = load_profile("loihi2")
    ops = [alone(op) for op in walk(profile.ops("lif_subtract"))]
    decay = next(op for op in ops if op["op"] == "decay")
    fire = next(op for op in ops if op["op"] == "fire")
    add = next(op for op in ops if op["op"] == "add" and op["ovf"] and op["reg"] == "v")
    if_ref = next(op for op in ops if op["op"] == "if_ref")
    (mode, lo, hi), *_ = add["ovf"]
    for op, wrong in (
        (decay, {"round": "floor"}), (decay, {"offset": 0}), (fire, {"cmp": ">="}),
        (fire, {"reset": "value"}), (fire, {"ref": None}), (add, {"ovf": ((mode, lo, hi - 1),)}),
        (add, {"at": 97}), (if_ref, {"then": if_ref["else"], "else": if_ref["then"]}),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            check_operation(profile, op, op | wrong, du=1, dv=1)


def test_control_of_the_width_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that products fit fails for registers of 52 bits."""
    profile = load_profile("loihi2")
    decay = next(op for op in profile.ops("lif") if op["op"] == "decay")
    check_operation(profile, decay)
    wide = {name: 2**52 for name in profile.registers}
    monkeypatch.setitem(globals(), "reaches", lambda profile: wide)
    with pytest.raises(AssertionError):
        check_operation(profile, decay, du=0)


# -------------------------------------------------------------------- bounds of head-room


def rising(*terms: Any, d: Term) -> Any:
    """Say that products with d and 4096 - d rise with what they are of: a fact, and a hint to z3.

    Without it z3 may search long for the one product that it takes.
    """
    ends = [x.expr for x in terms]
    return z3.And(*((b - a) * f >= 0 for a, b in zip(ends, ends[1:], strict=False)
                    for f in (d.expr, 4096 - d.expr)))  # fmt: skip


def test_products_rise() -> None:
    """a <= b and f >= 0 give (b - a) f >= 0: Int. The hint `rising` says nothing that is not so."""
    a, b, f = map(integer, "abf")
    assert proved(((b - a) * f >= 0).expr, (a <= b).expr, (f >= 0).expr)
    assert not proved(((b - a) * f >= 0).expr, (a == 0).expr, (b == 1).expr)


def test_interval_of_a_decay_holds_its_image() -> None:
    """lo <= x <= hi gives left(lo) <= left(x) <= left(hi): Int, every d of 0..4096.

    That is what lower/reach.py rests on (`MONOTONE`). Controls: not for floor_then_raz, nor with a
    factor below 0 (d = 4097).
    """
    lo, hi = integer("lo"), integer("hi")
    given = [(lo <= X).expr, (X <= hi).expr, rising(lo, X, hi, d=D)]
    for kind, rounding in product(("mult_keep", "mult_step", "mult_by"), ROUNDINGS):
        low, mid, high = (followed(lambda x=x: left_of(x, D, kind, rounding), X)  # noqa: B023
                          for x in (lo, X, hi))  # fmt: skip
        image = z3.And((low <= mid).expr, (mid <= high).expr)
        if rounding in MONOTONE:
            assert proved(image, FACTOR, *given), (kind, rounding)
        else:
            assert not proved(image, within(D, 1, 1), *given[:2]), (kind, rounding)
        if kind == "mult_keep":
            assert not proved(image, within(D, 4097, 4097), *given[:2])


def test_interval_of_a_decay_holds_its_image_in_d() -> None:
    """d0 <= d <= d1 gives left(x, d) between left(x, d0) and left(x, d1): Int, every d of 0..4096.

    With the lemma above: the extremes of an interval of x and one of d are at their ends. Control:
    floor_then_raz is not so.
    """
    first, last = integer("d0"), integer("d1")
    given = [within(d, 0, 4096) for d in (first, last)]
    given += [(first <= D).expr, (D <= last).expr]
    # the hint of `rising`, for x of either sign
    steps = [(b - a).expr * abs(X).expr >= 0 for a, b in ((first, D), (D, last))]
    for kind, rounding in product(("mult_keep", "mult_step", "mult_by"), ROUNDINGS):
        a, mid, b = (followed(lambda d=d: left_of(X, d, kind, rounding), X)  # noqa: B023
                     for d in (first, D, last))  # fmt: skip
        rises = z3.And((a <= mid).expr, (mid <= b).expr)
        falls = z3.And((b <= mid).expr, (mid <= a).expr)
        if rounding in MONOTONE:
            assert proved(z3.Or(rises, falls), *given, *steps), (kind, rounding)
        else:
            assert not proved(z3.Or(rises, falls), (X == -1).expr, *given), (kind, rounding)


def interval(name: str) -> tuple[Pair, Term, tuple[Any, ...]]:
    """Return an interval with ends of up to 2^40, a value, and that it is in the interval."""
    low, high, inside = (integer(f"{name} {part}") for part in ("low", "high", "inside"))
    near = [within(x, -(2**40), 2**40) for x in (low, high)]
    return Pair(low, high), inside, (*near, (low <= inside).expr, (inside <= high).expr)


def holds(ends: Any, found: Term) -> Any:
    return z3.And((ends[0] <= found).expr, (found <= ends[1]).expr)


def test_arithmetic_of_intervals_holds_its_image() -> None:
    """x in X and y in Y gives -x in -X, |x| in |X|, x + y in X + Y, and so on; Int, |ends| <= 2^40.

    The functions of certify/spans.py run on z3's terms: sums, differences, every overflow rule of
    every profile, and the part of X for which a comparison with Y may hold. Controls: ends that
    are one closer, and the comparison the other way.
    """
    (xs, x, of_x), (ys, y, of_y) = interval("x"), interval("y")
    given = (*of_x, *of_y)
    with symbolic_numpy():
        for found, image in (
            (spans.negative(xs), -x), (spans.magnitude(xs), abs(x)), (spans.hull(xs, ys), y),
            (spans.plus(xs, ys), x + y), (spans.minus(xs, ys), x - y),
        ):  # fmt: skip
            assert proved(holds(found, image), *given)
            assert not proved(holds((found[0], found[1] - 1), image), *given)
            assert not proved(holds((found[0] + 1, found[1]), image), *given)
        for mode, lo, hi in RULES:
            found = spans.overflowed(xs, mode, lo, hi)
            image = followed(lambda r=(mode, lo, hi): overflow(x, *r), x)
            assert proved(holds(found, image), *given)
            assert not proved(holds((found[0], found[1] - 1), image), *given)
        for cmp, may in product(COMPARISONS, (True, False)):
            for part, value_ in ((spans.limited, x), (spans.limited_magnitude, abs(x))):
                condition = COMPARISONS[cmp](value_, y).expr
                found = holds(part(xs, cmp, ys, may), x)
                assert proved(z3.Implies(condition == may, found), *given), (cmp, may)
                assert not proved(z3.Implies(condition != may, found), *given), (cmp, may)


def after_fire(v: Any, threshold: Any, value: Any, cmp: str, reset: str) -> Any:
    """Return what the living definition leaves of v."""
    op = {"op": "fire", "at": 0, "reg": "v", "thr": "thr", "thr_shift": 6, "cmp": cmp,
          "cmp_reg": None, "multi": "once", "cap": 1, "reset": reset, "value": "value",
          "min_v": None, "ovf": (), "ref": None}  # fmt: skip
    state = {"v": v}
    neuron_step((op,), {"thr": threshold, "value": value}, state, {})
    return state["v"]


def interval_after_fire(lo: Any, hi: Any, thr: Any, value: Any, cmp: str, reset: str) -> Any:
    """Return the interval of v after it, as lower/reach.py has it; min and max as z3 says them."""
    least = lambda a, b: z3.If(a <= b, a, b)  # noqa: E731
    most = lambda a, b: z3.If(a >= b, a, b)  # noqa: E731
    last = thr * 64 - (1 if cmp == ">=" else 0)
    kept = least(hi, last)
    if reset == "value":
        ends = least(lo, value), most(kept, value)
    else:
        ends = least(lo, most(lo, last + 1) - thr * 64), most(kept, hi - thr * 64)
    return z3.If(hi > last, ends[0], lo), z3.If(hi > last, ends[1], hi)


@pytest.mark.parametrize("cmp", [">", ">="])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_interval_of_a_spike_holds_its_image(cmp: str, reset: str) -> None:
    """lo <= v <= hi gives v after ``fire`` in the interval of lower/reach.py: Int without end.

    The interval is stated here anew; 300 samples of reach.py's own lie within it. Control:
    with the highest value one lower the image sticks out.
    """
    v, lo, hi, thr, given_value = map(integer, ("v", "lo", "hi", "thr", "value"))
    found = followed(lambda: after_fire(v, thr, given_value, cmp, reset), v)
    low, high = interval_after_fire(lo.expr, hi.expr, thr.expr, given_value.expr, cmp, reset)
    given = ((lo <= v).expr, (v <= hi).expr, (thr >= 0).expr)
    assert proved(z3.And(low <= found.expr, found.expr <= high), *given)
    assert not proved(found.expr <= high - 1, *given)
    rng = np.random.default_rng(5)
    for _ in range(300):
        a, b = np.sort(rng.integers(-400, 400, 2)).tolist()
        thr_, value_ = int(rng.integers(0, 5)), int(rng.integers(-50, 50))
        op = {"op": "fire", "at": 0, "reg": "v", "thr": "thr", "thr_shift": 6, "cmp": cmp,
              "cmp_reg": None, "multi": "once", "cap": 1, "reset": reset, "value": "value",
              "min_v": None, "ovf": (), "ref": None}  # fmt: skip
        state = {"v": np.array([[a], [b]]), "ref": np.zeros((2, 1), np.int64)}
        params = {"thr": np.array([thr_]), "value": np.array([value_])}
        after, _ = Watched((op,), params, 1, True).step(state, {})
        stated = interval_after_fire(*map(z3.IntVal, (a, b, thr_, value_)), cmp, reset)
        least, most = (z3.simplify(e).as_long() for e in stated)
        low, high = after["v"].ravel().tolist()
        assert least <= low <= high <= most, (a, b, thr_, value_)
        for v_ in {a, b, *rng.integers(a, b, 9, endpoint=True).tolist()}:
            at = {"v": v_, "ref": 0}
            neuron_step((op,), {"thr": thr_, "value": value_}, at, {})
            assert low <= at["v"] <= high, (a, b, thr_, value_, v_)


def test_interval_of_a_step_holds_its_image() -> None:
    """A whole step of the plain LIF: decay of u, input, decay of v, sum. Int, every du and dv.

    From u, v and input in intervals to u and v in the intervals of their ends. Samples of reach.py
    hold what the living definition does (200 neurons, 5 values each). Control: with the ends one
    closer they do not.
    """
    names = ("u", "v", "in")
    x, lo, hi = ({n: integer(f"{n} {k}") for n in names} for k in ("", "lo", "hi"))
    du, dv = integer("du"), integer("dv")

    def step(at: dict[str, Term]) -> tuple[Term, Term]:
        u = followed(lambda: left_of(at["u"], du), X) + at["in"] * 64
        return u, followed(lambda: left_of(at["v"], dv), X) + u

    given = [z3.And((lo[n] <= x[n]).expr, (x[n] <= hi[n]).expr) for n in names]
    for n, d in (("u", du), ("v", dv)):
        given += [within(d, 0, 4096), rising(lo[n], x[n], hi[n], d=d)]
    nothing = [(t == 0).expr for t in (du, dv, *(at[n] for at in (lo, x, hi) for n in names))]
    for low, mid, high in zip(step(lo), step(x), step(hi), strict=True):
        assert proved(z3.And((low <= mid).expr, (mid <= high).expr), *given)
        assert not proved((low + 1 <= mid).expr, *given, *nothing)
    rng = np.random.default_rng(6)
    ops = load_profile("loihi2").ops("lif")
    rows = {n: np.sort(rng.integers(-(2**20), 2**20, (2, 200)), axis=0) for n in ("u", "v")}
    port = np.sort(rng.integers(-(2**12), 2**12, (2, 200)), axis=0)
    zero = np.zeros((2, 200), np.int64)
    params = {"du": rng.integers(0, 4096, 200), "dv": rng.integers(0, 4096, 200),
              "vth": rng.integers(0, 2**14, 200), "bias_mant": rng.integers(-4096, 4096, 200),
              "bias_exp": rng.integers(0, 8, 200)}  # fmt: skip
    watched = Watched(ops, params, 200, True)
    after, _ = watched.step(rows | {"d": zero, "ref": zero}, {"in": port})
    for i, _ in product(range(200), range(5)):
        at = {n: int(rng.integers(*a[:, i], endpoint=True)) for n, a in rows.items()} | {"d": 0}
        arriving = {"in": int(rng.integers(*port[:, i], endpoint=True))}
        neuron_step(ops, {k: int(a[i]) for k, a in params.items()}, at, arriving)
        for n in ("u", "v"):
            low, high = after[n][:, i]
            assert low <= at[n] <= high


# ----------------------------------------------------------------------- what quantize rounds


def test_nearest_is_within_half() -> None:
    """|rint(x) - x| <= 1/2 in binary32 arithmetic: every float |x| <= 2^23, bit by bit.

    Control: rounding up is not. (`make verify`: binary64, |x| <= 2^52.)
    """
    check_nearest(z3.Float32(), 2.0**23)


@pytest.mark.verify
def test_nearest_is_within_half_in_binary64() -> None:
    """The same for every float64 |x| <= 2^52, what quantize computes in."""
    check_nearest(z3.Float64(), 2.0**52)


def check_nearest(sort: Any, most: float) -> None:
    x, half = z3.FP("x", sort), z3.FPVal(0.5, sort)
    given = z3.fpLEQ(z3.fpAbs(x), z3.FPVal(most, sort))

    def error(mode: Any) -> Any:
        return z3.fpAbs(z3.fpSub(z3.RNE(), z3.fpRoundToIntegral(mode, x), x))

    assert proved(z3.fpLEQ(error(z3.RNE()), half), given)
    assert not proved(z3.fpLEQ(error(z3.RTP()), half), given)
    rng = np.random.default_rng(7)
    samples = np.concatenate([rng.normal(0, 10.0 ** rng.integers(-3, 12, 5000)),
                              np.arange(-50, 50) / 4])  # fmt: skip
    for sample in samples[::50]:
        at = z3.simplify(z3.fpRoundToIntegral(z3.RNE(), z3.FPVal(float(sample), z3.Float64())))
        assert int(float(z3.simplify(z3.fpToReal(at)).as_fraction())) == nearest(sample)


def test_what_is_dequantised_is_within_half_a_step() -> None:
    """|dequantise(quantise(x)) - x| <= step / 2 for lo <= x / step <= hi: reals, any step > 0.

    q is the nearest integer to x / step, cut to [lo, hi]. Controls: not where x is cut, nor for
    what is rounded down.
    """
    y, step, lo, hi = z3.Reals("y step lo hi")  # y = x / step
    q = z3.Int("q")
    near = z3.And(q - y <= z3.Q(1, 2), y - q <= z3.Q(1, 2))
    cut = z3.If(q < lo, lo, z3.If(q > hi, hi, z3.ToReal(q)))
    half = z3.And((cut - y) * step <= step / 2, (y - cut) * step <= step / 2)
    inside = (step > 0, lo <= y, y <= hi, z3.IsInt(lo), z3.IsInt(hi))
    assert proved(half, near, *inside)
    one = (step == 1, lo == -8, hi == 8)
    assert not proved(half, near, *one)
    assert not proved(half, z3.And(q <= y, y < q + 1), *inside, *one)


def test_codes_are_within_half_a_step() -> None:
    """What the lemma above says, of the functions that code: weights, decays, biases; samples."""
    rng = np.random.default_rng(8)
    profile = load_profile("loihi2")
    form = lif_form(profile, "lif")
    for mode, bits, exponent in product(("mixed", "excitatory", "inhibitory"), (8, 5), (0, 3)):
        lo, hi = profile.weights.mode_range(mode)
        step, s = profile.weights.step(mode, bits), 1000.0
        unit = step * 2.0 ** (exponent + 6) / s
        values = rng.uniform(-(-lo // step), hi // step, 2000) * unit
        incoming = Incoming(values, np.zeros(2000, int), mode, bits, 10)
        limits = Limits((0, 0), (0, 0), 0.0, 0.0, 0.0, 6, 6, profile.weights)
        got = code_weights(values, incoming, limits, s, exponent) * 2.0 ** (exponent + 6) / s
        assert np.abs(got - values).max() <= unit / 2 * (1 + 1e-9)
        # the chip's own loss of low bits takes nothing more away
        coded = code_weights(values, incoming, limits, s, exponent)
        assert (profile.weights.effective(coded, mode, bits) == coded).all()
    for decay in (form.decay_u, form.decay_v):
        assert decay is not None
        losses = rng.uniform(decay.offset / 4096, (4095 + decay.offset) / 4096, 5000)
        code, _ = decay.encode(losses)
        assert np.abs(decay.loss(code) - losses).max() <= 0.5 / 4096 * (1 + 1e-9)
    bias = rng.uniform(-4096, 4095, 5000) * 2.0 ** rng.integers(0, 8, 5000)
    mantissa, exponent_, _ = code_bias(profile, form, bias, np.full(5000, 1.0), "")
    assert (np.abs(mantissa * 2.0**exponent_ - bias) <= 0.5 * 2.0**exponent_ * (1 + 1e-9)).all()
