"""Codings that give a peer's integers: every integer equal to the peer's, tolerance zero."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_networks import hostile_rasters
from scipy import sparse

import neuro_lif as nl
from neuro_lif.codings import (
    CODINGS,
    code_as_lava,
    code_as_nengo_loihi,
    coding_of,
    lava,
    nengo_loihi,
)
from neuro_lif.codings import lava_network as slayer
from neuro_lif.codings.nengo_block import block_of
from neuro_lif.codings.nengo_loihi import Compartment
from neuro_lif.codings.nengo_synapses import (
    Learning,
    Synapses,
    discretize_block,
    discretize_synapse,
    discretize_weights,
)
from neuro_lif.codings.parts import draft_of
from neuro_lif.errors import LoweringError, NeuroLifError, RangeError
from neuro_lif.profile import SIGN_MODES

VECTORS = Path(__file__).parent / "data" / "loihi_vectors.json"
NENGO = "nengo-loihi-1.1"
DT = 1e-3


def vectors(kind: str) -> list[Any]:
    """Return the entries of one kind of the vector file."""
    found = [v for v in json.loads(VECTORS.read_text("utf-8"))["vectors"] if v["kind"] == kind]
    assert found, kind
    return [pytest.param(v, id=v["id"]) for v in found]


@contextmanager
def quiet() -> Iterator[None]:
    """Let a peer warn and divide by zero as it likes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def peer() -> Any:
    """The module of nengo-loihi that codes."""
    with quiet():
        reason = "nengo-loihi 1.1.0 is not installed"
        return pytest.importorskip("nengo_loihi.builder.discretize", reason=reason)


@pytest.fixture(scope="module")
def lava_peer() -> Any:
    """Lava's weight helpers."""
    return pytest.importorskip(
        "lava.utils.weightutils", reason="lava-nc 0.10.0 exists for Python 3.10 alone"
    )


def outcome(function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """Return what a function returns; the error where it raises one."""
    try:
        with quiet():
            return function(*given, **options)
    # whatever the peer fails with stands for one named error of ours
    except Exception as error:
        return error


def same_outcome(theirs: Any, ours: Any) -> bool:
    """Tell whether both succeeded; a failure of the peer has to be a named error of ours."""
    if not isinstance(theirs, Exception):
        assert not isinstance(ours, Exception), f"the peer succeeds: {ours!r}"
        return True
    assert isinstance(ours, (LoweringError, RangeError)), f"{theirs!r}, but {ours!r}"
    return False


# ------------------------------------------------------------------------- recorded vectors


@pytest.mark.parametrize("vector", vectors("discretize_weights"))
def test_recorded_weights(vector: Any) -> None:
    x = vector["input"]
    got = discretize_weights(np.array(x["weights"]), x["weight_exp"], x["shift_bits"])
    assert got.tolist() == vector["expected"]


@pytest.mark.parametrize("vector", vectors("bias_to_manexp"))
def test_recorded_biases(vector: Any) -> None:
    man, exp = nengo_loihi.bias_to_manexp(np.array(vector["input"]))
    wanted = vector["expected"]
    assert man.tolist() == wanted["man"] and exp.tolist() == wanted["exp"]
    assert (man << exp).tolist() == wanted["bias"]


@pytest.mark.parametrize("vector", vectors("vth_to_manexp"))
def test_recorded_thresholds(vector: Any) -> None:
    man, exp = nengo_loihi.vth_to_manexp(np.array(vector["input"]))
    assert {"man": man.tolist(), "exp": exp.tolist()} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("overflow_signed"))
def test_recorded_overflow(vector: Any) -> None:
    y, overflowed = nengo_loihi.overflow_signed(**vector["input"])
    assert {"y": y.tolist(), "overflowed": overflowed.tolist()} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("discretize_compartment"))
def test_recorded_compartments(vector: Any) -> None:
    x = dict(vector["input"])
    x["vmax"], w_max = float(x["vmax"]), x.pop("w_max")
    got = nengo_loihi.discretize_compartment(Compartment(**x), w_max)
    for name, wanted in vector["expected"].items():
        value = np.asarray(getattr(got, name))
        assert np.array_equal(value.ravel(), np.ravel(wanted)), name
    assert got.refract_delay.tolist() == x["refract_delay"]


@pytest.mark.parametrize("vector", vectors("discretize_synapse"))
def test_recorded_synapses(vector: Any) -> None:
    x = vector["input"]
    scales = x["w_max"], x["w_scale"], x["w_exp"]
    groups = [Synapses([w], [0]) for w in x["weights"]]
    got = [discretize_synapse(g, *scales) for g in groups]
    wanted = [(e["weight_exp"], [e["weight"]]) for e in vector["expected"]]
    assert [(g.weight_exp, g.weights.tolist()) for g in got] == wanted
    # mended, no weight is off by more than half a step of the smallest exponent
    for w, group in zip(x["weights"], groups, strict=True):
        mended = discretize_synapse(group, *scales, repair_small_synapses=True)
        assert mended.clamped == 0
        step = 2.0 ** (7 + mended.weight_exp)
        assert abs(mended.weights[0] - w * 255 * 64) <= max(step / 2, 64), w


# ----------------------------------------------------------------------------- random numbers


def logs(lo: float, hi: float) -> st.SearchStrategy[float]:
    """Numbers of every size between 10**lo and 10**hi."""
    return st.floats(lo, hi).map(lambda e: float(10.0**e))


SIGNS = st.sampled_from([-1.0, 1.0])
SIGNED = st.builds(lambda s, x: s * x, SIGNS, logs(-6, 5))
REALS = st.one_of(SIGNED, st.integers(-600, 600).map(lambda i: i / 2), st.just(0.0))
KINDS = st.sampled_from([np.float32, np.float64])


def arrays(values: st.SearchStrategy[float], most: int = 12) -> st.SearchStrategy[Any]:
    lists = st.lists(values, min_size=1, max_size=most)
    return st.builds(lambda x, kind: np.array(x, kind), lists, KINDS)


@settings(max_examples=300, deadline=None)
@given(arrays(REALS), st.integers(-20, 30), st.integers(0, 7), st.booleans(), st.booleans(),
       st.booleans())  # fmt: skip
def test_weights_equal_the_peer(
    peer: Any, weights: Any, exp: int, bits: int, mixed: bool, lossy: bool, check: bool
) -> None:
    from nengo_loihi.block import SynapseConfig

    config = SynapseConfig(weight_exp=exp, weight_bits=bits, fanout_type=int(mixed))
    if config.shift_bits > 8:  # no weight bits at all
        return
    options = {"lossy_shift": lossy, "check_result": check}
    theirs = outcome(peer.discretize_weights, config, weights, **options)
    ours = outcome(discretize_weights, weights, exp, config.shift_bits, **options)
    if same_outcome(theirs, ours):
        assert np.array_equal(theirs, ours)


@settings(max_examples=300, deadline=None)
@given(arrays(st.one_of(REALS, st.builds(lambda s, x: s * x, SIGNS, logs(3, 8)))))
def test_mantissas_equal_the_peer(peer: Any, x: Any) -> None:
    for theirs, ours, values in (
        (peer.bias_to_manexp, nengo_loihi.bias_to_manexp, x),
        (peer.vth_to_manexp, nengo_loihi.vth_to_manexp, np.abs(x)),
    ):
        wanted, got = outcome(theirs, values), outcome(ours, values)
        if same_outcome(wanted, got):
            assert all(np.array_equal(a, b) for a, b in zip(wanted, got, strict=True))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=9),
    st.integers(1, 30), st.integers(0, 4096), st.integers(0, 1),
)  # fmt: skip
def test_decay_and_overflow_equal_the_peer(
    peer: Any, values: list[int], bits: int, decay: int, offset: int
) -> None:
    x = np.array(values, np.int32)
    for a, b in zip(peer.overflow_signed(x, bits), nengo_loihi.overflow_signed(x, bits),
                    strict=True):  # fmt: skip
        assert np.array_equal(a, b)
    # one decay per value, as the emulator has it; with a single one the peer computes in 32 bits
    each = np.full(len(x), decay, np.int32)
    wanted = peer.decay_int(x, each, offset=offset)
    assert np.array_equal(wanted, nengo_loihi.decay_int(x, each, offset=offset))


def test_decay_magnitude_equals_the_peer(peer: Any) -> None:
    decays = np.arange(4097)
    for offset in (0, 1):
        with quiet():
            wanted = peer.decay_magnitude(decays, offset=offset)
        got = nengo_loihi.decay_magnitude(decays, offset=offset)
        assert np.array_equal(wanted, got, equal_nan=True)


def test_decay_codes_equal_the_peer(peer: Any) -> None:
    from nengo_loihi.block import Compartment as TheirCompartment

    n = 20_000
    real = np.random.default_rng(0).random(n).astype(np.float32)
    real[:3] = 0.0, 1.0, 0.5
    block = TheirCompartment(n)
    block.decay_u[:], block.decay_v[:], block.vth[:] = real, real, 1.0
    block.scale_u = False
    peer.discretize_compartment(block, 1.0)
    u, v = nengo_loihi.code_decays(real, real)
    assert np.array_equal(block.decay_u, u) and np.array_equal(block.decay_v, v)


# ---------------------------------------------------------------------------- random blocks

FIELDS = ("decay_u", "decay_v", "vth", "bias")


@st.composite
def compartments(draw: Any, wild: bool = True) -> dict[str, Any]:
    """Real compartments: mostly such as a builder makes, and (``wild``) such as nobody should."""
    n = draw(st.integers(1, 6))
    shares = st.one_of(logs(-3, 0), st.just(1.0), st.just(0.0))
    odd = st.one_of(shares, logs(-5, 0), st.floats(-0.1, 1.2)) if wild else shares
    each = st.lists(odd, min_size=n, max_size=n)
    decay = st.one_of(odd.map(lambda x: [x] * n), each) if wild else odd.map(lambda x: [x] * n)
    size = draw(st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 1.0, 100.0]))
    unit = st.floats(-1, 1).map(lambda x: x * size)
    vth = st.one_of(st.just(1.0), logs(-3, 3), st.floats(-0.5, 2)) if wild else logs(-2, 2)
    return {
        "decay_u": draw(decay),
        "decay_v": draw(decay),
        "vth": draw(st.lists(vth, min_size=n, max_size=n)),
        "bias": draw(st.lists(unit, min_size=n, max_size=n)),
        "scale_u": draw(st.booleans()),
        "scale_v": draw(st.booleans()),
        "vmin": draw(st.sampled_from([0, -1.0, -0.03, -np.inf, 1e-9, 2.0])),
        "vmax": draw(st.sampled_from([np.inf, 3.0, 0.01, -1e-9, -2.0])),
        "noise_exp": draw(st.one_of(st.just(0), st.floats(-9, 9))),
        "noise_offset": draw(st.floats(-9, 9)),
        "enable_noise": draw(st.lists(st.booleans(), min_size=n, max_size=n)),
    }


def fill(compartment: Any, fields: dict[str, Any]) -> Any:
    """Write fields into a compartment of the peer."""
    for name, value in fields.items():
        if name in (*FIELDS, "enable_noise", "refract_delay"):
            getattr(compartment, name)[:] = value
        else:
            setattr(compartment, name, value)
    return compartment


def discretize_theirs(peer: Any, fields: dict[str, Any], w_max: Any) -> Any:
    from nengo_loihi.block import Compartment as TheirCompartment

    compartment = fill(TheirCompartment(len(fields["vth"])), fields)
    peer.discretize_compartment(compartment, w_max)
    if np.isnan(compartment.vmin) or np.isnan(compartment.vmax):
        raise AssertionError("the emulator refuses NaN")
    return compartment


def assert_same_compartment(theirs: Any, ours: Any) -> None:
    for name in FIELDS:
        assert np.array_equal(getattr(theirs, name), getattr(ours, name)), name
    for name in ("vmin", "vmax", "noise_exp", "noise_offset"):
        assert getattr(theirs, name) == getattr(ours, name), name
    for name in ("w_exp", "v_scale", "b_scale", "w_scale"):  # the scales too, to the last bit
        assert np.array_equal(theirs.discretize_info[name], getattr(ours, name)), name


LARGEST = st.one_of(
    st.just(0.0), st.just(1e-9), st.just(-np.inf), logs(-7, 5), logs(-4, 4).map(np.float32)
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(compartments(), compartments(wild=False)), LARGEST)
def test_compartments_equal_the_peer(peer: Any, fields: dict[str, Any], w_max: Any) -> None:
    theirs = outcome(discretize_theirs, peer, fields, w_max)
    ours = outcome(lambda: nengo_loihi.discretize_compartment(Compartment(**fields), w_max))
    if same_outcome(theirs, ours):
        assert_same_compartment(theirs, ours)


@st.composite
def groups_of(draw: Any, n: int) -> list[tuple[Any, Learning | None]]:
    """Groups of synapses onto n compartments, weights over many octaves, some that learn."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        size, seed = draw(logs(-9, 3)), draw(st.integers(0, 2**32 - 1))
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=(draw(st.integers(1, 4)), n)) * size
        weights *= draw(st.sampled_from([1.0, 1.0, 1.0, 0.0, 1e-8]))
        learning = st.builds(Learning, st.integers(-6, 7), logs(-6, 1), st.integers(1, 20),
                             logs(-3, 1))  # fmt: skip
        found.append((weights.astype(np.float32), draw(st.one_of(st.none(), st.none(), learning))))
    return found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_blocks_equal_the_peer(peer: Any, data: Any) -> None:
    from nengo_loihi.block import LoihiBlock, Synapse

    fields = data.draw(compartments(wild=False))
    n = len(fields["vth"])
    made = data.draw(groups_of(n))
    block = LoihiBlock(n)
    fill(block.compartment, fields | {"vmin": 0, "vmax": np.inf})
    for weights, learning in made:
        synapse = Synapse(len(weights))
        synapse.set_weights(weights.copy())
        if learning is not None:
            rate = learning.rate / 4  # the peer multiplies by the steps of a learning epoch
            synapse.set_learning(rate, learning.tracing_tau, learning.tracing_mag,
                                 learning.weight_exp)  # fmt: skip
        block.add_synapse(synapse)
    given_ = [Synapses(w, np.broadcast_to(np.arange(n), w.shape), how) for w, how in made]
    compartment = Compartment(**fields | {"vmin": 0, "vmax": np.inf})
    theirs, ours = (
        outcome(peer.discretize_block, block),
        outcome(discretize_block, compartment, given_),
    )
    if not same_outcome(theirs, ours):
        return
    coded, groups = ours
    assert_same_compartment(block.compartment, coded)
    for synapse, group in zip(block.synapses, groups, strict=True):
        assert synapse.synapse_cfg.weight_exp == group.weight_exp
        assert np.array_equal(np.concatenate(synapse.weights), group.weights)
        if synapse.learning:
            learned = group.learning
            assert (synapse._lr_int, synapse._lr_exp) == (learned.rate_int, learned.rate_exp)
            assert synapse.learning_rate == learned.rate
            assert synapse.tracing_mag == learned.tracing_mag
            assert synapse.tracing_tau == learned.tracing_tau


def assert_same_block(peer: Any, fields: dict[str, Any], matrices: list[Any]) -> None:
    """Discretize one block by both sides and compare every integer."""
    from nengo_loihi.block import LoihiBlock, Synapse

    n = len(fields["vth"])
    block = LoihiBlock(n)
    fill(block.compartment, fields)
    for weights in matrices:
        block.add_synapse(Synapse(len(weights)))
        block.synapses[-1].set_weights(weights.copy())
    with quiet():
        peer.discretize_block(block)
    made = [Synapses(w, np.broadcast_to(np.arange(n), w.shape)) for w in matrices]
    coded, groups = discretize_block(Compartment(**fields), made)
    assert_same_compartment(block.compartment, coded)
    for synapse, group in zip(block.synapses, groups, strict=True):
        assert synapse.synapse_cfg.weight_exp == group.weight_exp
        assert np.array_equal(np.concatenate(synapse.weights), group.weights)


def plain(n: int, bias: Any = 0.0) -> dict[str, Any]:
    """Compartments without anything odd."""
    return {
        "decay_u": np.full(n, 0.1), "decay_v": np.zeros(n), "vth": np.ones(n),
        "bias": np.broadcast_to(bias, (n,)),
    }  # fmt: skip


def test_single_precision_decides_ties(peer: Any) -> None:
    """Enough numbers that some round otherwise in double precision."""
    rng = np.random.default_rng(0)
    assert_same_block(peer, plain(400), [rng.normal(size=(900, 400)).astype(np.float32)])
    biases = rng.choice([-1, 1], 300_000) * 10 ** rng.uniform(-5, 0, 300_000)
    assert_same_block(peer, plain(300_000, biases), [])
    ends = np.float32(4095) * 2.0 ** np.arange(8, dtype=np.float32)
    near = [ends]
    for toward in (0, np.inf):
        values = ends
        for _ in range(4):
            values = np.nextafter(values, np.float32(toward), dtype=np.float32)
            near.append(values)
    for values in (x[:7] for x in near):
        for array in (values, values.astype(np.float64)):
            for wanted, got in zip(peer.bias_to_manexp(array), nengo_loihi.bias_to_manexp(array),
                                   strict=True):  # fmt: skip
                assert np.array_equal(wanted, got)


@pytest.mark.parametrize("kind", [np.float32, float])
def test_ratios_next_to_powers_of_two(peer: Any, kind: Any) -> None:
    """The precision of the logarithm is that of the block's largest weight."""
    from nengo_loihi.block import Synapse

    for octaves in range(1, 12):
        for steps in range(-4, 5):
            weight = np.float32(2.0**-octaves)
            toward = np.float32(np.inf if steps > 0 else 0)
            for _ in range(abs(steps)):
                weight = np.nextafter(weight, toward, dtype=np.float32)
            synapse = Synapse(1)
            synapse.set_weights(np.array([[weight]], np.float32))
            with quiet():
                peer.discretize_synapse(synapse, kind(1.0), 255.0, 0)
            got = discretize_synapse(Synapses([weight], [0]), kind(1.0), 255.0, 0)
            assert got.weight_exp == synapse.synapse_cfg.weight_exp, (octaves, steps)
            assert got.weights.tolist() == synapse.weights[0].ravel().tolist()


@pytest.mark.parametrize("size", [1e-7, 2e-8, 1.1e-8, 0.9e-8, 1e-9, 0.0])
def test_what_counts_as_nothing(peer: Any, size: float) -> None:
    """The limits below which the peer takes weights and biases for zero."""
    unit = size if size > 1e-8 else 1.0
    fields = plain(2, 0.01 * unit) | {"vth": np.full(2, 3 * unit)}
    assert_same_block(peer, fields | {"bias": np.full(2, size)}, [])
    weights = np.array([[1.0, -0.3]], np.float32)
    assert_same_block(peer, fields, [weights * np.float32(size)])
    tiny = weights * np.float32(size * 1e-8)
    assert_same_block(peer, plain(2, 0.01), [weights, tiny])


def test_a_scale_per_compartment_reaches_the_weights(peer: Any) -> None:
    """Weights below the limit leave the scale to the bias, one for each compartment."""
    weights = np.array([[4e-9, -2e-9, 1e-9]], np.float32)
    fields = plain(3) | {"bias": np.array([0.3, 0, -1])}
    assert_same_block(peer, fields, [weights])
    coded, _ = discretize_block(Compartment(**fields), [Synapses(weights, [[0, 1, 2]])])
    assert np.shape(coded.w_scale) == (3,)


def test_nothing_given_is_changed() -> None:
    """The functions are pure, unlike the peer's."""
    given_ = np.array([0.5, -3.0])
    discretize_weights(given_, -2)
    compartment = Compartment([0.1], [0.2], [1.0], [0.3])
    nengo_loihi.discretize_compartment(compartment, 1.0)
    assert given_.tolist() == [0.5, -3.0] and compartment.bias.dtype == np.float32
    with pytest.raises(ValueError):
        compartment.bias[0] = 1


WRONG: list[tuple[Callable[[], Any], type[NeuroLifError], str]] = [
    (lambda: nengo_loihi.vth_to_manexp([0.0]), RangeError, "vth = 0.0, allowed: above 32"),
    (lambda: nengo_loihi.bias_to_manexp([1.0, 1e6]), RangeError, r"bias = 1000000.0, allowed: -52"),
    (lambda: discretize_weights([np.nan], 0), RangeError, "weights = .*finite"),
    (
        lambda: discretize_weights([-300.0], -15, lossy_shift=False),
        RangeError,
        "weights = -1, allowed: mantissas -256..255",
    ),
    (lambda: Compartment([0.1], [0.1], [1.0, 1.0], [0.0, 0, 0]), RangeError, "vth.*shape"),
    (lambda: Compartment([np.inf], [0.1], [1.0], [0.0]), RangeError, "decay_u.*finite"),
    (lambda: Compartment([], [0.1], [1.0], [0.0]), RangeError, "at least one neuron"),
    (lambda: Compartment([0.1], [0.1], [1.0], [0.0], noise_exp=400), RangeError, "noise_exp = 400"),
    (
        lambda: nengo_loihi.discretize_compartment(Compartment([0.1], [0.1], [-1.0], [0.0]), 1.0),
        RangeError,
        "vth = -1.0, allowed: numbers > 0",
    ),
    (
        lambda: nengo_loihi.discretize_compartment(
            Compartment([0.1], [0.1], [1.0], [0.0], vmin=2.0), 1.0
        ),
        RangeError,
        "vmin = 2.0",
    ),
    (
        lambda: nengo_loihi.discretize_compartment(Compartment([0.1], [0.1], [1.0], [1e9]), 1.0),
        LoweringError,
        "bias up to 1e.09, weights up to 1, allowed: .* exponent 0..-7",
    ),
    (
        lambda: nengo_loihi.discretize_compartment(
            Compartment([0.1, 0.2], [0.1, 0.1], [1.0, 1.0], [0.0, 0.0]), 1.0
        ),
        LoweringError,
        "decay_u = 408..818, .*one decay for all",
    ),
    (
        lambda: nengo_loihi.discretize_compartment(
            Compartment([0.1], [1e-5], [1.0], [0.0], scale_v=True), 1.0
        ),
        LoweringError,
        "decay_v = 0, allowed: 1..4095",
    ),
    (lambda: discretize_synapse(Synapses([2.0], [0]), 1.0, 255.0, 0), RangeError, "w_max = 1.0"),
    (lambda: Synapses([1.0, 2.0], [0]), RangeError, "targets"),
    (lambda: lava.float_to_literal(np.inf), RangeError, "learning parameter = inf"),
    (lambda: lava.loihi2round(np.inf), RangeError, "x = inf"),
    (lambda: lava.clip_weights(np.ones((1, 1)), "both"), RangeError, "sign_mode = 'both'"),
    (lambda: lava.determine_sign_mode(np.ones((0, 2))), RangeError, "at least one weight"),
    (
        lambda: lava.optimize_weight_bits(np.array([[300]]), "mixed"),
        RangeError,
        "weights = 300, allowed: -256..255",
    ),
    (
        lambda: lava.optimize_weight_bits(np.array([[254, -3]]), "mixed", loihi2=True),
        RangeError,
        "needs 9 bits",
    ),
    (lambda: lava.graded_weights(np.array([[1e9]])), RangeError, "inside an int32"),
    (lambda: coding_of("brian2"), RangeError, "coding = 'brian2', allowed: own, nengo-loihi, lava"),
    (lambda: coding_of("lava", proved=True), RangeError, "proved = True with .*with 'own' only"),
]


@pytest.mark.parametrize("call, kind, text", WRONG)
def test_what_is_refused(call: Callable[[], Any], kind: type[NeuroLifError], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()


# --------------------------------------------------------------- the same without the peer

RECORD = Path(__file__).parent / "data" / "nengo_codings.json"
RESULTS = (*FIELDS, "vmin", "vmax", "noise_exp", "noise_offset", "w_exp", "v_scale", "b_scale",
           "w_scale")  # fmt: skip


def recorded(key: str) -> list[Any]:
    return list(json.loads(RECORD.read_text("utf-8"))[key])


def coded_block(entry: dict[str, Any]) -> dict[str, Any] | None:
    """What we make of a recorded block; None where it cannot be coded."""
    n = len(entry["fields"]["vth"])
    matrices = [np.array(w, np.float32) for w in entry["weights"]]
    fields = {k: float(v) if k in ("vmin", "vmax") else v for k, v in entry["fields"].items()}
    made = [Synapses(w, np.broadcast_to(np.arange(n), w.shape)) for w in matrices]
    both = outcome(lambda: discretize_block(Compartment(**fields), made))
    if isinstance(both, Exception):
        assert isinstance(both, NeuroLifError), both
        return None
    coded, groups = both
    values = {name: np.asarray(getattr(coded, name)).tolist() for name in RESULTS}
    return values | {
        "weights": [g.weights.tolist() for g in groups],
        "weight_exp": [g.weight_exp for g in groups],
    }


@pytest.mark.parametrize("entry", recorded("blocks"), ids=lambda e: e["id"])
def test_recorded_blocks(entry: dict[str, Any]) -> None:
    """Needs no peer, so it also runs under the numpy that the peer cannot run under."""
    assert coded_block(entry) == entry["expected"]


def test_recorded_mantissas() -> None:
    for entry in recorded("biases"):
        values = np.array(entry["input"], entry["dtype"])
        man, exp = nengo_loihi.bias_to_manexp(values)
        assert {"man": man.tolist(), "exp": exp.tolist()} == entry["expected"]


def test_the_record_is_the_peers(peer: Any) -> None:
    for entry in recorded("blocks"):
        assert their_record(peer, entry["fields"], entry["weights"]) == entry["expected"], entry


def their_record(peer: Any, fields: dict[str, Any], matrices: Any) -> dict[str, Any] | None:
    """What the peer makes of a block, as it is recorded."""
    from nengo_loihi.block import LoihiBlock, Synapse

    block = LoihiBlock(len(fields["vth"]))
    fill(block.compartment, {k: float(v) if isinstance(v, str) else v for k, v in fields.items()})
    for weights in matrices:
        block.add_synapse(Synapse(len(weights)))
        block.synapses[-1].set_weights(np.array(weights, np.float32))
    if isinstance(outcome(peer.discretize_block, block), Exception):
        return None
    c = block.compartment
    values = {n: np.asarray(getattr(c, n, None)).tolist() for n in RESULTS[:8]}
    values |= {n: np.asarray(c.discretize_info[n]).tolist() for n in RESULTS[8:]}
    return values | {
        "weights": [np.concatenate(s.weights).tolist() for s in block.synapses],
        "weight_exp": [s.synapse_cfg.weight_exp for s in block.synapses],
    }


def record(peer: Any) -> None:
    """Write the record anew: ``python tests/test_codings.py`` where the peer is installed."""
    rng = np.random.default_rng(0)
    inputs: list[tuple[str, dict[str, Any], list[Any]]] = []

    def add(name: str, bias: Any, matrices: list[Any], **fields: Any) -> None:
        bias = np.asarray(bias, np.float32)
        n = len(bias)
        plain_ = {"decay_u": 0.1, "decay_v": 0.0, "vth": 1.0} | fields
        each = {k: [float(np.float32(plain_.pop(k)))] * n for k in ("decay_u", "decay_v", "vth")}
        inputs.append(
            (name, each | {"bias": bias.tolist()} | plain_, [w.tolist() for w in matrices])
        )

    # numbers that round otherwise where the products are taken in double precision
    many = np.float32(10) ** rng.uniform(-4, -2.2, 400_000).astype(np.float32)
    scale = 524160 / 1.0
    odd = np.rint(many * np.float32(scale)) != np.rint(many.astype(np.float64) * scale)
    add("bias in single precision", [1.0, *many[odd][:30]], [])
    many = rng.uniform(-0.7, 0.7, 4_000_000).astype(np.float32)
    scale = 255 / float(np.float32(0.7))
    half = many * np.float32(scale) / 2, many.astype(np.float64) * scale / 2
    odd = np.rint(half[0]) != np.rint(half[1])
    weights = np.array([np.float32(0.7), *many[odd][:11]], np.float32).reshape(3, 4)
    add("weights in single precision", np.zeros(4), [weights])
    ratios = [np.nextafter(np.float32(2.0**-k), np.float32(1)) for k in range(1, 12)]
    groups = [np.array([[1.0]], np.float32), *[np.array([[r]], np.float32) for r in ratios]]
    add("ratios next to powers of two", [0.0], groups, decay_u=1.0)
    for i in range(40):
        n, noisy = int(rng.integers(1, 4)), bool(rng.integers(2))
        leak, vth = float(rng.choice([0, 10 ** rng.uniform(-3, 0)])), 10 ** rng.uniform(-1, 1)
        groups = [(rng.normal(size=(2, n)) * vth * 10 ** rng.uniform(-3.5, 1)).astype(np.float32)
                  for _ in range(int(rng.integers(0, 3)))]  # fmt: skip
        add(
            f"block {i}", rng.normal(size=n) * vth * rng.choice([0, 0.01, 0.3]), groups, vth=vth,
            decay_u=10 ** rng.uniform(-3, 0), decay_v=leak, scale_u=bool(rng.integers(4)),
            scale_v=leak > 0, vmin=str(rng.choice(["0", "-1.5", "-inf"])),
            vmax=str(rng.choice(["inf", "2.0"])), enable_noise=[noisy] * n,
            noise_exp=float(rng.integers(-5, 2)), noise_offset=float(rng.normal()),
        )  # fmt: skip
    blocks = [
        {"id": name, "fields": f, "weights": w, "expected": their_record(peer, f, w)}
        for name, f, w in inputs
    ]
    biases = []
    for kind in ("float32", "float64"):
        ends = np.float32(4095) * 2.0 ** np.arange(8, dtype=np.float32)
        values = np.stack([np.nextafter(ends, np.float32(0)), ends,
                           np.nextafter(ends, np.float32(np.inf))])[:, :7].astype(kind)  # fmt: skip
        man, exp = peer.bias_to_manexp(values.ravel())
        expected = {"man": man.tolist(), "exp": exp.tolist()}
        biases.append({"dtype": kind, "input": values.ravel().tolist(), "expected": expected})
    about = "nengo-loihi 1.1.0 under numpy 1.26: blocks before and after discretize_block"
    data = {"schema": "nengo-codings/1", "about": about, "blocks": blocks, "biases": biases}
    RECORD.write_text(json.dumps(data, indent=None, separators=(",", ":")) + "\n", "utf-8")


# ------------------------------------------------------------------------------------- Lava


def dense(weights: Any) -> Any:
    return weights.toarray() if sparse.issparse(weights) else np.asarray(weights)


@st.composite
def matrices(draw: Any) -> Any:
    """Weight matrices about the ends of the sign modes' ranges."""
    lo, hi = draw(st.sampled_from([(-255, 0), (0, 255), (-256, 256), (-300, 300), (-8, 8), (0, 0)]))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(lo, hi), min_size=shape[0] * shape[1],
                           max_size=shape[0] * shape[1]))  # fmt: skip
    weights = np.array(values).reshape(shape) * draw(st.sampled_from([1, 1, 2, 4, 16]))
    weights = weights + draw(st.sampled_from([0, 0, 0, 0.3]))
    return weights * draw(st.sampled_from([1, 1, 1, 10**8])) if weights.dtype != float else weights


@settings(max_examples=200, deadline=None)
@given(matrices(), st.sampled_from(SIGN_MODES), st.integers(-40, 13), st.booleans())
@example(np.array([[-256, 0]]), "inhibitory", 8, False)
@example(np.array([[-(2**31)]]), "inhibitory", 8, False)  # the one whose negative is itself
def test_lava_weights_equal_the_peer(
    lava_peer: Any, weights: Any, mode: str, bits: int, is_sparse: bool
) -> None:
    theirs = getattr(lava_peer.SignMode, mode.upper())
    # a new matrix each time, since the peer changes a sparse one
    new = (lambda: sparse.csr_matrix(weights)) if is_sparse else weights.copy
    assert lava_peer.determine_sign_mode(new()).name.lower() == lava.determine_sign_mode(new())
    pairs = [
        (lava_peer.truncate_weights(new(), theirs, bits), lava.truncate_weights(new(), mode, bits)),
        (lava_peer.clip_weights(new(), theirs, 8), lava.clip_weights(new(), mode)),
        (lava_peer.clip_weights(new(), theirs, 6, True),
         lava.clip_weights(new(), mode, 6, learning=True)),
    ]  # fmt: skip
    for wanted, got in pairs:
        assert np.array_equal(dense(wanted), dense(got))
    for loihi2 in (False, True):
        wanted = outcome(lava_peer.optimize_weight_bits, new(), theirs, loihi2)
        got = outcome(lava.optimize_weight_bits, new(), mode, loihi2=loihi2)
        if same_outcome(wanted, got):
            assert (wanted.num_weight_bits, wanted.weight_exp) == (
                got.num_weight_bits,
                got.weight_exp,
            )
            assert np.array_equal(dense(wanted.weights), dense(got.weights))


def test_a_mixed_matrix_with_255_is_lost(lava_peer: Any) -> None:
    """Lava shifts it left by -1, which clears it."""
    weights = np.array([[255, -3]])
    got = lava.optimize_weight_bits(weights, "mixed")
    assert (got.weight_exp, got.num_weight_bits) == (1, 10) and not got.weights.any()
    theirs = lava_peer.optimize_weight_bits(weights, lava_peer.SignMode.MIXED)
    assert not theirs.weights.any()


@settings(max_examples=100, deadline=None)
@given(arrays(st.one_of(REALS, logs(-20, 18), st.just(0.49999999999999994))))
def test_lava_numbers_equal_the_peer(lava_peer: Any, x: Any) -> None:
    from lava.magma.core.learning.utils import float_to_literal
    from lava.proc.graded.process import loihi2round

    assert np.array_equal(loihi2round(x), lava.loihi2round(x))
    assert [float_to_literal(float(v)) for v in x] == [lava.float_to_literal(float(v)) for v in x]


def test_literals() -> None:
    wanted = {0: "0", 0.3: "(1) * 2 ^ -2", 2.7: "(2) * 2 ^ 0", -3: "(-3)", -0.1: "(-1) * 2 ^ -3"}
    assert {x: lava.float_to_literal(x) for x in wanted} == wanted


@pytest.mark.parametrize("real", [[[0.3, -0.2]], [[2.5, -1.0]], [[2.5, 0.004]], [[-2.1, -0.3]]])
def test_graded_weights_equal_the_peer(lava_peer: Any, real: Any) -> None:
    """What ``GradedDense`` hands to its Dense process, and what Dense then works with."""
    from lava.networks.gradedvecnetwork import GradedDense

    process = GradedDense(np.array(real)).main
    got = lava.graded_weights(np.array(real))
    stored = process.weights.init.astype(np.int32)
    assert np.array_equal(stored, got.weights)
    assert process.proc_params["weight_exp"] == got.weight_exp == -7
    assert process.proc_params["num_weight_bits"] == got.num_weight_bits
    assert process.num_message_bits.init == got.num_message_bits
    mode = lava_peer.determine_sign_mode(stored)
    assert mode.name.lower() == got.sign_mode
    used = lava_peer.truncate_weights(lava_peer.clip_weights(stored, mode, 8), mode, 8)
    assert np.array_equal(used, got.effective)


@pytest.mark.lava
def test_graded_weights_at_work(lava_peer: Any) -> None:
    """GradedDense run by Lava: the weights it uses and what it sends."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.networks.gradedvecnetwork import GradedDense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer

    real = np.array([[0.3, -0.2, 2.5], [0.004, -2.1, 1.999]])
    spikes = np.diag([3, 5, 7])
    process, sink = GradedDense(real).main, Sink(shape=(2,), buffer=5)
    RingBuffer(data=spikes).s_out.connect(process.s_in)
    process.a_out.connect(sink.a_in)
    try:
        with quiet():
            process.run(condition=RunSteps(4), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
            used, sent = process.weights.get(), sink.data.get()
    finally:
        process.stop()
    got = lava.graded_weights(real)
    assert np.array_equal(used, got.effective)
    arriving = (got.effective @ spikes) >> -got.weight_exp
    assert np.array_equal(arriving, sent[:, 1:4])


RECORDED = [v for v in vectors("network") if str(v.id).startswith("lava.weights_")]


@pytest.mark.parametrize("vector", RECORDED)
def test_recorded_effective_weights(vector: Any) -> None:
    """One input spike onto neurons with a weight each: u holds the weight in use, times 64."""
    (connection,) = vector["network"]["connections"]
    mode, given_ = connection.get("sign_mode"), np.array(connection["weights"])
    bits = connection.get("num_weight_bits", 8)
    got = lava.effective_weights(given_, None if mode is None else mode.lower(), bits)
    wanted = [trace[1] for trace in vector["expected"]["n"]["u"]]
    assert (got @ np.array([x[0] for x in vector["network"]["sources"]["x"]["values"]]) * 64 ==
            wanted).all()  # fmt: skip


# ---------------------------------------------------------------------- networks as nengo-loihi


def random_stepped(seed: int, *, refractory: bool = True) -> nl.SteppedNetwork:
    """A network of all kinds of neurons, synapses and matrices that both codings have words for."""
    rng = np.random.default_rng(seed)
    populations: list[nl.Population] = []
    for i in range(int(rng.integers(1, 4))):
        n = int(rng.integers(1, 7))
        threshold = rng.uniform(5e-3, 2e-2, n if rng.random() < 0.5 else 1)
        spiking: dict[str, Any] = {
            "v_threshold": threshold if len(threshold) > 1 else float(threshold[0]),
            "t_refractory": float(rng.integers(0, 4)) * DT * refractory,
            "i_bias": rng.normal(size=n) * 2e-3 * rng.integers(0, 2),
        }
        tau_m = float(10 ** rng.uniform(-2.6, -0.7))
        neuron = [
            nl.LIF(tau_m=tau_m, **spiking),
            nl.LIF(tau_m=tau_m, v_init=float(rng.normal()) * 3e-3, **spiking),
            nl.IF(capacitance=float(rng.uniform(0.01, 1)), **spiking),
            nl.LI(tau_m=tau_m),
        ][int(rng.integers(4 if i else 3))]
        populations.append(nl.Population(f"p{i}", n, neuron))
    sizes = {p.name: p.size for p in populations} | {"x": 4}
    synapses = {
        p.name: nl.Delta() if rng.random() < 0.3 else nl.Exponential(float(rng.uniform(2e-3, 2e-2)))
        for p in populations
    }
    projections = []
    for post in (p.name for p in populations):
        for pre in ("x", *(p.name for p in populations if not isinstance(p.neuron, nl.LI))):
            if pre != "x" and rng.random() < 0.5:
                continue
            weights: Any = rng.normal(size=(sizes[post], sizes[pre])) * 10 ** rng.uniform(-4, -1)
            if rng.random() < 0.4:
                weights = sparse.csr_matrix(weights * (rng.random(weights.shape) < 0.6))
            delay = DT if isinstance(synapses[post], nl.Delta) else 0.0
            projections.append(nl.Projection(f"{pre}_{post}", pre, post, weights, synapses[post],
                                             delay=delay))  # fmt: skip
    return nl.discretize(nl.Network(populations, projections, [nl.SpikeInput("x", 4)]), DT)


def their_block(stepped: nl.SteppedNetwork, name: str) -> tuple[Any, dict[str, Any]]:
    """A population as nengo-loihi's own methods configure it; in units of the threshold."""
    from nengo_loihi.block import LoihiBlock, Synapse

    p, described = stepped.population(name), stepped.network.population(name)
    neuron: Any = described.neuron
    block = LoihiBlock(p.size)
    if isinstance(neuron, nl.IF):
        block.compartment.configure_relu(vth=1, tau_ref=neuron.t_refractory, dt=DT)
        leak = np.ones(p.size)
    else:
        tau_ref = 0.0 if isinstance(neuron, nl.LI) else neuron.t_refractory
        block.compartment.configure_lif(tau_rc=neuron.tau_m, tau_ref=tau_ref, vth=1, dt=DT)
        leak = p.leak_v
    block.compartment.configure_filter(float(p.tau_syn[0]), dt=DT)
    draft = draft_of(stepped, NENGO, (), None)
    unit = block_of(draft, p).unit  # the threshold; a read-out has none
    assert not p.spikes or np.array_equal(unit, p.threshold)
    block.compartment.bias[:] = p.bias / leak / unit
    synapses = {}
    loss_u = 1.0 - p.decay_u[0]
    for q in stepped.projections:
        if q.post == name:
            factor = 1.0 / (unit * leak) / loss_u
            weights = sparse.csr_matrix(q.weights).multiply(factor[:, None]).T.tocsr()
            synapse = Synapse(weights.shape[0])
            # the peer stumbles over a sparse matrix that stores nothing
            made = weights if weights.nnz else weights.toarray()
            synapse.set_weights(made.astype(np.float32))
            block.add_synapse(synapse, q.name)
            synapses[q.name] = synapse
    return block, synapses


def their_weights(synapse: Any, shape: tuple[int, int]) -> Any:
    """The final integers of a synapse of the peer as ``(n_post, n_pre)``."""
    weights = np.zeros(shape, np.int64)
    for pre, (values, targets) in enumerate(zip(synapse.weights, synapse.indices, strict=True)):
        weights[targets.ravel(), pre] = values.ravel()
    return weights


def test_the_peers_own_builder_makes_the_same_block(peer: Any) -> None:
    """A recurrent ensemble of Nengo through nengo-loihi's simulator, and its twin through ours."""
    import nengo

    with quiet():
        import nengo_loihi as whole_peer
    for seed in range(4):
        rng = np.random.default_rng(seed)
        n = 8
        weights, bias = rng.normal(size=(n, n)) * 0.02, rng.uniform(0.5, 2, n)
        with nengo.Network(seed=0) as net:
            lif = nengo.LIF(tau_rc=0.02, tau_ref=0.002)
            e = nengo.Ensemble(n, 1, gain=np.ones(n), bias=bias, neuron_type=lif)
            nengo.Connection(e.neurons, e.neurons, transform=weights, synapse=0.005)
        with quiet(), whole_peer.Simulator(net, target="sim", progress_bar=False) as sim:
            (block,) = sim.model.blocks
            wanted = np.concatenate(block.synapses[0].weights).T

        def twin(w: Any, n: int = n, bias: Any = bias) -> nl.SteppedNetwork:
            neuron = nl.LIF(tau_m=0.02, v_threshold=1.0, t_refractory=0.002, i_bias=bias)
            synapse = nl.Exponential(0.005, norm="area")
            parts = [nl.Population("e", n, neuron)], [nl.Projection("w", "e", "e", w, synapse)]
            return nl.discretize(nl.Network(*parts), DT)

        unit = twin(np.ones((n, n)))
        p = unit.population("e")
        # our jump is exact in continuous time, the peer's is not: 0.999 of it here
        jump = unit.projections[0].weights[0, 0] / ((1 - p.decay_u[0, 0]) * p.leak_v[0]) * DT
        ours = code_as_nengo_loihi(twin(weights / jump), NENGO)
        params = ours.params("e")
        assert np.array_equal(wanted, ours.projections[0].weights)
        for name, our_name in (("vth", "vth"), ("bias", "bias"), ("decay_u", "du"),
                               ("decay_v", "dv"), ("refract_delay", "refract")):  # fmt: skip
            assert np.array_equal(getattr(block.compartment, name), params[our_name]), name


SEEDS = st.integers(0, 10**6)


def coded_by_both(peer: Any, stepped: nl.SteppedNetwork) -> tuple[Any, dict[str, Any]] | None:
    """Code a network as we do and as the peer does; every integer must agree."""
    ours = outcome(code_as_nengo_loihi, stepped, NENGO)
    blocks = {}
    for p in stepped.populations:
        with quiet():
            block, synapses = their_block(stepped, p.name)
            theirs = outcome(peer.discretize_block, block)
            if isinstance(theirs, Exception):
                same_outcome(theirs, ours)
                return None
            # a described membrane has no floor; ours is at the bottom of the register
            block.compartment.vmin = 1 - 2**23
        blocks[p.name] = block, synapses
    assert isinstance(ours, nl.FixedNetwork), ours
    names = {"decay_u": "du", "decay_v": "dv", "vth": "vth", "bias": "bias", "vmin": "vmin",
             "vmax": "vmax", "refract_delay": "refract", "noise_exp": "noise_exp",
             "enable_noise": "enable_noise", "noise_offset": "noise_offset",
             "noise_at_membrane": "noise_at_membrane"}  # fmt: skip
    for name, (block, synapses) in blocks.items():
        params = ours.params(name)
        for theirs_name, our_name in names.items():
            value = getattr(block.compartment, theirs_name)
            assert np.array_equal(np.broadcast_to(value, params[our_name].shape),
                                  params[our_name]), (name, our_name)  # fmt: skip
        for q in ours.projections:
            if q.post == name:
                wanted = their_weights(synapses[q.name], q.weights.shape)
                assert np.array_equal(wanted, dense(q.weights)), q.name
                assert q.exponent == 0
                assert np.array_equal(wanted, dense(ours.effective_weights(q)))
    return ours, blocks


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_networks_get_the_peers_integers(peer: Any, seed: int) -> None:
    coded_by_both(peer, random_stepped(seed))


def emulate(
    stepped: nl.SteppedNetwork, blocks: dict[str, Any], raster: Any
) -> dict[tuple[str, str], Any]:
    """Run coded blocks in the peer's emulator: current, voltage and spikes at every step."""
    from nengo_loihi.block import Axon
    from nengo_loihi.builder import Model
    from nengo_loihi.emulator import EmulatorInterface
    from nengo_loihi.inputs import SpikeInput

    model, spikes = Model(), SpikeInput(raster.shape[1])
    model.add_input(spikes)
    for t, row in enumerate(raster, start=1):
        spikes.add_spikes(t, np.flatnonzero(row).tolist())
    for block, _ in blocks.values():
        model.add_block(block)
    for q in stepped.projections:
        axon = Axon(q.weights.shape[1])
        axon.target = blocks[q.post][1][q.name]
        (spikes if q.pre == "x" else blocks[q.pre][0]).add_axon(axon)
    found: dict[tuple[str, str], list[Any]] = {}
    with EmulatorInterface(model, seed=0) as emulator:
        for _ in range(len(raster)):
            emulator.step()
            for name, (block, _) in blocks.items():
                sl = emulator.block_info.slices[block]
                state = emulator.compartment
                for key, array in (("u", state.current), ("v", state.voltage), ("s", state.spiked)):
                    found.setdefault((name, key), []).append(np.array(array[sl], np.int64))
    return {key: np.array(rows) for key, rows in found.items()}


def test_a_coded_network_runs_as_the_peers_emulator_runs_it(peer: Any) -> None:
    ran = fired = 0
    for seed in range(20):
        stepped = random_stepped(seed)
        both = coded_by_both(peer, stepped)
        if both is None or any(p.v_init.any() for p in stepped.populations):
            continue  # the peer starts at 0
        fixed, blocks = both
        raster = (np.random.default_rng(seed).random((60, 4)) < 0.4).astype(np.int64)
        with quiet():
            wanted = emulate(stepped, blocks, raster)
        got = nl.run_fixed(fixed, 60, {"x": raster}, record="all")
        for p in fixed.populations:
            assert np.array_equal(got.spikes[p.name], wanted[p.name, "s"])
            for key in ("u", "v"):
                assert np.array_equal(got.traces[p.name, key], wanted[p.name, key]), (seed, key)
            fired += int(wanted[p.name, "s"].sum())
        ran += 1
    assert ran >= 5 and fired > 100


def two_projections(ratio: float) -> nl.SteppedNetwork:
    """A population with a strong and a weak projection onto it."""
    net = nl.Network(
        [nl.Population("p", 2, nl.LIF(tau_m=20e-3, v_threshold=1.0))],
        [
            nl.Projection("strong", "x", "p", [[1.0], [-0.7]], nl.Exponential(5e-3)),
            nl.Projection("weak", "x", "p", [[ratio], [-0.7 * ratio]], nl.Exponential(5e-3)),
        ],
        [nl.SpikeInput("x", 1)],
    )
    return nl.discretize(net, DT)


def test_weak_projections_come_out_too_strong_unless_mended() -> None:
    stepped = two_projections(1 / 1000)
    as_is = code_as_nengo_loihi(stepped, NENGO)
    mended = code_as_nengo_loihi(stepped, NENGO, repair_small_synapses=True)
    (strong, weak), (_, weak_mended) = as_is.projections, mended.projections
    scale = strong.weights[0, 0]
    assert weak.weights[0, 0] / scale > 4e-3  # the peer: about eight times too strong
    assert abs(weak_mended.weights[0, 0] / scale - 1e-3) <= 64 / scale
    notes = "\n".join((as_is.ledger or pytest.fail()).notes)
    assert "'weak': 2**3 times too strong" in notes and "repair_small_synapses" in notes
    assert "too strong" not in str(mended.ledger)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_a_proof_holds(seed: int, as_lava: bool) -> None:
    """Where the ledger says that no register can overflow, hostile input makes none overflow."""
    stepped = random_stepped(seed, refractory=not as_lava)
    fixed = (
        outcome(code_as_lava, stepped, "lava-0.10")
        if as_lava
        else outcome(code_as_nengo_loihi, stepped, NENGO)
    )
    if isinstance(fixed, Exception):
        assert isinstance(fixed, LoweringError)
        return
    rows = fixed.ledger.headroom
    assert {h.where for h in rows} == {f"population {p.name!r}" for p in fixed.populations}
    raster = hostile_rasters(np.random.default_rng(seed), stepped.network, 80)
    got = nl.run_fixed(fixed, 80, {"x": raster}, record="all")
    if fixed.ledger.proved:
        assert not got.events
    for h in rows:
        if h.register in ("u", "v") and h.proved:
            name = h.where.split("'")[1]
            assert np.abs(got.traces[name, h.register]).max() <= h.bound


def test_some_proofs_are_given() -> None:
    proved = [
        fixed.ledger.proved
        for seed in range(30)
        if isinstance(fixed := outcome(code_as_nengo_loihi, random_stepped(seed), NENGO),
                      nl.FixedNetwork)
    ]  # fmt: skip
    assert 5 < sum(proved) < len(proved)


def test_ledger_of_a_nengo_coding() -> None:
    stepped = two_projections(0.3)
    ledger = code_as_nengo_loihi(stepped, NENGO).ledger
    assert ledger is not None and ledger.profile == NENGO
    fields = [(e.where, e.field) for e in ledger.entries]
    for name in ("du", "dv", "vth", "bias", "refract"):
        assert ("population 'p'", name) in fields
    rows = {e.where: e for e in ledger.entries if e.field == "weights"}
    # a weight is off by at most half a mantissa: 2 of 255 of the largest
    assert 0 < rows["projection 'strong'"].max_error <= 1.01 / 255
    assert ledger.scales[0][0] == "p" and len(ledger.time_constants) == 2
    assert "tau_m" in str(ledger)
    assert all(abs(t.realised / t.meant - 1) < 0.01 for t in ledger.time_constants)


def spiking(seed: int = 3) -> nl.SteppedNetwork:
    return random_stepped(seed, refractory=False)


@pytest.mark.parametrize("coding, code, profile", [
    ("nengo-loihi", code_as_nengo_loihi, NENGO), ("lava", code_as_lava, "lava-0.10"),
])  # fmt: skip
def test_coded_networks_behave_as_described(coding: str, code: Any, profile: str) -> None:
    """Rates of the coded network follow the float reference."""
    rng = np.random.default_rng(1)
    net = nl.Network(
        [nl.Population("a", 20, nl.LIF(tau_m=20e-3, v_threshold=1.0)),
         nl.Population("out", 2, nl.LI(tau_m=30e-3))],
        [nl.Projection("w", "x", "a", rng.normal(0.5, 1.0, (20, 10)), nl.Exponential(5e-3)),
         nl.Projection("o", "a", "out", rng.normal(0, 1.0, (2, 20)), nl.Exponential(5e-3))],
        [nl.SpikeInput("x", 10), nl.CurrentInput("c", "a", nl.stimulus.Constant(0.2)),
         nl.CurrentInput("late", "a")],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    fixed = code(stepped, profile)
    raster = (rng.random((400, 10)) < 0.3).astype(np.int64)
    current = np.full((400, 20), 0.3)
    direct = nl.encode_current(fixed.directs[0], current)
    got = nl.run_fixed(fixed, 400, {"x": raster, "late": direct}, record="all")
    wanted = nl.run_clocked(stepped, 400, {"x": raster, "late": current}, record="all")
    a, b = got.spikes["a"].sum(), wanted.spikes["a"].sum()
    assert b > 300 and abs(a - b) < 0.05 * b
    assert got.spikes["out"].sum() == 0
    volts = got.traces["out", "v"] * fixed.population("out").lsb
    spread = np.std(wanted.traces["out", "v"])
    assert np.sqrt(np.mean((volts - wanted.traces["out", "v"]) ** 2)) < 0.2 * spread


# --------------------------------------------------------------------------- networks as Lava


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_networks_get_lavas_integers(lava_peer: Any, seed: int) -> None:
    """lava-dl's rules written out once more, number by number, and Lava's own weight helpers."""
    stepped = random_stepped(seed, refractory=False)
    fixed = code_as_lava(stepped, "lava-0.10")
    for p in stepped.populations:
        params, coded = fixed.params(p.name), fixed.population(p.name)
        unit = float(coded.lsb[0]) * 64 * 64  # V per unit of lava-dl
        share = np.float32(4096 * (1 - p.decay_u[0, 0]))
        assert set(params["du"]) == {round(float(share)) - 1}
        assert params["dv"].tolist() == [round(float(np.float32(4096 * x))) for x in p.leak_v]
        assert params["bias_mant"].tolist() == [byte(x / unit) for x in p.bias]
        assert set(params["bias_exp"]) == {6}
        if p.spikes:
            assert params["vth"].tolist() == [int(x / unit * 64) for x in p.threshold]
        for q in stepped.projections:
            if q.post != p.name:
                continue
            mine = next(x for x in fixed.projections if x.name == q.name)
            whole = np.vectorize(lambda x, unit=unit: byte(x / unit))(dense(q.weights))
            mode = lava_peer.determine_sign_mode(whole)
            best = lava_peer.optimize_weight_bits(whole, mode)
            assert mode.name.lower() == mine.sign_mode and best.weight_exp == mine.exponent
            assert np.array_equal(best.weights, dense(mine.weights))
            assert mine.weight_bits == max(best.num_weight_bits, 1)
            # nothing is lost on the way: what the synapse uses, shifted back, is the mantissa
            used = dense(fixed.effective_weights(mine))
            assert np.array_equal(used >> -mine.exponent, whole)


def byte(x: float) -> int:
    """lava-dl's quantize_8bit at scale 64, on one number."""
    return min(max(2 * round(float(np.float32(x)) * 32), -256), 254)


def test_lava_uses_the_range() -> None:
    fixed = code_as_lava(two_projections(0.3), "lava-0.10")
    largest = max(int(np.abs(fixed.effective_weights(q)).max()) for q in fixed.projections)
    assert largest == 254
    assert fixed.ledger is not None and fixed.ledger.clipped == 0
    assert {"sum", "u", "v"} <= {h.register for h in fixed.ledger.headroom}


def test_lava_numbers_at_their_ends() -> None:
    assert slayer.quantize_8bit([10.0, -10.0, 1 / 64, 3 / 64, -1 / 64]).tolist() == [
        254, -256, 0, 4, 0,
    ]  # fmt: skip
    assert slayer.quantize_decay([0.0, 1.0, 1.5, 0.5]).tolist() == [0, 4096, 4096, 2048]
    assert slayer.threshold_mantissa([0.999, 1.0]).tolist() == [63, 64]


# ------------------------------------------------------------------------------ what is refused


def changed(neuron: Any = None, **options: Any) -> nl.SteppedNetwork:
    neuron = neuron or nl.LIF(tau_m=20e-3, v_threshold=1.0, **options)
    weights = np.full((neuron_size := 2, 1), 0.5)
    net = nl.Network(
        [nl.Population("p", neuron_size, neuron)],
        [nl.Projection("w", "x", "p", weights, nl.Exponential(5e-3))],
        [nl.SpikeInput("x", 1)],
    )
    return nl.discretize(net, DT)


def two_synapses() -> nl.SteppedNetwork:
    stepped = two_projections(0.5)
    net = stepped.network
    slow = replace(net.projections[1], synapse=nl.Exponential(20e-3))
    return nl.discretize(nl.Network(net.populations, [net.projections[0], slow], net.inputs), DT)


def delayed() -> nl.SteppedNetwork:
    net = changed().network
    late = replace(net.projections[0], delay=5e-3)
    return nl.discretize(nl.Network(net.populations, [late], net.inputs), DT)


NENGO_REFUSES = [
    ("lava-0.10", changed(), "cannot hold the coding 'nengo-loihi'; it lacks a parameter 'bias'"),
    (NENGO, changed(reset="subtract"), "wants reset = 'subtract'; coding nengo-loihi cannot"),
    (NENGO, changed(t_refractory=0.1), "'p' wants t_refractory of 100 steps, allowed -1..62"),
    (NENGO, two_synapses(), "different time constants .5 ms, 20 ms"),
    (NENGO, delayed(), "'w' wants a delay of 5 steps"),
    (NENGO, changed(nl.LIF(tau_m=[0.01, 0.02], v_threshold=1.0)), "'p', as nengo-loihi codes it: "
                                                                    ".*one decay for all"),
    (NENGO, changed(nl.LIF(tau_m=1e5, v_threshold=1.0)), "tau_m loses 1e-08 of its value per step"),
]  # fmt: skip


@pytest.mark.parametrize("profile, stepped, text", NENGO_REFUSES)
def test_what_nengo_loihi_refuses(profile: str, stepped: Any, text: str) -> None:
    with pytest.raises(LoweringError, match=text):
        code_as_nengo_loihi(stepped, profile)


@pytest.mark.parametrize("stepped, name, text", [
    (changed(reset="subtract"), "reset", "reset to a value instead"),
    (changed(t_refractory=0.1), "refractory", "wants t_refractory of 100 steps"),
    (two_synapses(), "synapse", "all take the longest, at equal area"),
    (delayed(), "delay", "wants a delay of 5 steps"),
])  # fmt: skip
@pytest.mark.parametrize("code, profile", [
    (code_as_nengo_loihi, NENGO), (code_as_lava, "lava-0.10"),
])  # fmt: skip
def test_what_may_be_approximated(
    code: Any, profile: str, stepped: Any, name: str, text: str
) -> None:
    if name == "delay" and code is code_as_lava:  # Lava has delays
        assert code(stepped, profile).projections[0].delays == 5
        return
    fixed = code(stepped, profile, approximate=(name,))
    assert any(text in a for a in fixed.ledger.approximations)
    if name == "synapse":  # each keeps its area
        strong, weak = (
            dense(fixed.effective_weights(q))[0, 0] * 2.0**q.exponent for q in fixed.projections
        )
        # half the peak and four times the time constant: twice the area
        assert weak / strong == pytest.approx(2, rel=0.02)


def test_what_lava_refuses() -> None:
    with pytest.raises(LoweringError, match="t_refractory of 2 steps, coding lava has none"):
        code_as_lava(changed(t_refractory=2e-3), "lava-0.10")
    with pytest.raises(LoweringError, match="'generic' ?.*lacks a decay by 'du'|generic.*offset 1"):
        code_as_lava(changed(), "generic")
    with pytest.raises(RangeError, match="approximate = 'all'"):
        code_as_lava(changed(), "lava-0.10", approximate="all")
    with pytest.raises(RangeError, match="stepped = 3"):
        code_as_lava(3, "lava-0.10")  # type: ignore[arg-type]


def test_a_threshold_that_fires_when_reached_is_noted() -> None:
    stepped = nl.discretize(changed().network, DT, "exact-ge")
    for code, profile in ((code_as_nengo_loihi, NENGO), (code_as_lava, "lava-0.10")):
        assert "exactly the threshold fires under the step rule" in str(
            code(stepped, profile).ledger
        )


# ------------------------------------------------------------------------------- by name


def same_network(a: nl.FixedNetwork, b: nl.FixedNetwork) -> bool:
    params = all(
        np.array_equal(a.params(p.name)[k], b.params(p.name)[k])
        for p in a.populations
        for k in a.params(p.name)
    )
    weights = all(
        np.array_equal(dense(p.weights), dense(q.weights)) and p.exponent == q.exponent
        for p, q in zip(a.projections, b.projections, strict=True)
    )
    return params and weights and str(a.ledger) == str(b.ledger)


def test_codings_by_name() -> None:
    stepped = spiking()
    assert list(CODINGS) == ["own", "nengo-loihi", "lava"]
    assert all(c.about and c.passes for c in CODINGS.values())
    named = nl.quantize(stepped, NENGO, coding="nengo-loihi")
    assert same_network(named, code_as_nengo_loihi(stepped, NENGO))
    named = nl.quantize(stepped, "lava-0.10", coding="lava")
    assert same_network(named, code_as_lava(stepped, "lava-0.10"))
    own = nl.quantize(stepped, "lava-0.10")
    assert same_network(own, nl.quantize(stepped, "lava-0.10", coding="own"))
    assert not same_network(own, named)
    with pytest.raises(RangeError, match="coding = 'netx', allowed: own, nengo-loihi, lava"):
        nl.quantize(stepped, "lava-0.10", coding="netx")
    for option in ({"weight_bits": 4}, {"proved": True}, {"gain_compensation": False}):
        with pytest.raises(RangeError, match=f"{next(iter(option))} = .*with 'own' only"):
            nl.quantize(stepped, "lava-0.10", coding="lava", **option)


if __name__ == "__main__":
    with quiet():
        from nengo_loihi.builder import discretize

        record(discretize)
