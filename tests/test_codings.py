"""nengo-loihi's integers: numbers, synapses and blocks equal to the peer's, tolerance zero."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from codings_peers import (
    FIELDS,
    REALS,
    RECORD,
    RESULTS,
    SIGNS,
    arrays,
    fill,
    logs,
    nengo_peer,
    outcome,
    quiet,
    same_outcome,
    their_record,
    vectors,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_lif.codings import (
    coding_of,
    lava,
    nengo_loihi,
)
from neuro_lif.codings.nengo_loihi import Compartment
from neuro_lif.codings.nengo_synapses import (
    Learning,
    Synapses,
    discretize_block,
    discretize_synapse,
    discretize_weights,
)
from neuro_lif.errors import LoweringError, NeuroLifError, RangeError


@pytest.fixture(scope="module")
def peer() -> Any:
    return nengo_peer()


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
