"""What has a resolution of its own: one step for all, by projection, by sign, by neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import hostile_rasters, random_network, random_profile, sharing
from scipy import sparse

import neuro_lif as nl
from neuro_lif.arrays import entries
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.lower.draft import GRANULARITIES, SCALINGS
from neuro_lif.lower.granularity import split_signs
from neuro_lif.lower.rounding import ROUNDINGS

DT = 1e-3
FINE = nl.load_profile("generic", align_shift=0)
"""With room for small steps between weights."""


def network(seed: int = 0, sparsely: bool = False, spread: float = 6.0) -> nl.SteppedNetwork:
    """Two layers, the second with two projections; inhibition is ``spread`` times as strong."""
    rng = np.random.default_rng(seed)

    def weights(n_post: int, n_pre: int, scale: float) -> Any:
        w = rng.uniform(0.2, 1, (n_post, n_pre)) * np.where(rng.random(n_pre) < 0.3, -spread, 1.0)
        w = scale * w * (rng.random((n_post, n_pre)) < 0.6)
        return sparse.csr_matrix(w) if sparsely else w

    lif = nl.LIF(10e-3, v_threshold=1.0)
    net = nl.Network(
        [nl.Population("a", 12, lif), nl.Population("b", 5, lif)],
        [nl.Projection("xa", "x", "a", weights(12, 20, 0.2), nl.Exponential(3e-3)),
         nl.Projection("ab", "a", "b", weights(5, 12, 0.3), nl.Exponential(3e-3), 2e-3),
         nl.Projection("xb", "x", "b", weights(5, 20, 0.02), nl.Exponential(3e-3))],
        [nl.SpikeInput("x", 20)],
    )  # fmt: skip
    return nl.discretize(net, DT)


def steps(fixed: nl.FixedNetwork) -> dict[str, np.ndarray]:
    """Return the V between two weights of every projection, per target neuron."""
    rules, out = fixed.profile.weights, {}
    for q in fixed.projections:
        mantissas = rules.step(str(q.sign_mode), int(q.weight_bits or 0))
        lsb = np.asarray(fixed.population(q.post).lsb)
        out[q.name] = (
            mantissas * 2.0**q.exponent * 2.0 ** fixed.profile.config["align_shift"].value * lsb
        )
    return out


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("bits", [3, 8])
def test_global_is_one_step_for_all_weights(scaling: str, bits: int) -> None:
    fixed = nl.quantize(network(), FINE, granularity="global", weight_bits=bits,
                        scaling=scaling)  # fmt: skip
    found = np.concatenate(list(steps(fixed).values()))
    np.testing.assert_allclose(found, found[0], rtol=1e-12)
    apart = steps(nl.quantize(network(), FINE, weight_bits=bits, scaling=scaling))
    assert np.ptp([s[0] for s in apart.values()]) > 0.5 * found[0]


def test_max_abs_gives_the_largest_weight_the_largest_code_and_cuts_none() -> None:
    stepped = network()
    for bits, most in ((8, 127), (4, 7), (2, 1)):
        fixed = nl.quantize(stepped, FINE, weight_bits=bits, scaling="max_abs",
                            gain_compensation=False)  # fmt: skip
        assert fixed.ledger is not None and not fixed.ledger.clipped
        unit = fixed.profile.weights.step("mixed", bits)
        found = {q.name: np.abs(entries(q.weights)).max() // unit for q in fixed.projections}
        assert found["xa"] == most
        assert max(found["ab"], found["xb"]) == most  # of those onto b one has the largest code
        assert min(found.values()) >= most // 2


@pytest.mark.parametrize("sparsely", [False, True])
def test_parts_by_sign_add_up_to_the_weights(sparsely: bool) -> None:
    stepped = network(1, sparsely)
    parts = split_signs(stepped)
    assert [q.name for q in parts.projections] == [
        f"{name}__{sign}" for name in ("xa", "ab", "xb") for sign in ("exc", "inh")
    ]
    for q, exc, inh in zip(stepped.projections, *_pairs(parts), strict=True):
        np.testing.assert_array_equal(_dense(exc) + _dense(inh), _dense(q))
        assert _dense(exc).min() >= 0 >= _dense(inh).max()
        if sparsely:
            assert len(entries(exc.weights)) + len(entries(inh.weights)) == len(entries(q.weights))


def _pairs(stepped: nl.SteppedNetwork) -> tuple[Any, Any]:
    return stepped.projections[::2], stepped.projections[1::2]


def _dense(q: Any) -> np.ndarray:
    return np.asarray(q.weights.toarray() if sparse.issparse(q.weights) else q.weights)


@pytest.mark.parametrize("sparsely", [False, True])
def test_parts_by_sign_are_the_same_weights_up_to_rounding(sparsely: bool) -> None:
    stepped = network(2, sparsely)
    fixed = nl.quantize(stepped, FINE, granularity="sign", weight_bits=6, scaling="max_abs",
                        gain_compensation=False)  # fmt: skip
    assert fixed.ledger is not None and "__exc and __inh: xa, ab, xb" in str(fixed.ledger)
    real, step = nl.dequantize(fixed, stepped), steps(fixed)
    for q, exc, inh in zip(stepped.projections, *_pairs(real), strict=True):
        # u forgets a little more or less than meant: the weights themselves are not rescaled
        meant, got = _dense(q), _dense(exc) + _dense(inh)
        room = np.where(meant >= 0, step[exc.name][:, None], step[inh.name][:, None]) / 2
        assert np.all(np.abs(got - meant) <= room * (1 + 1e-9))
        small = float(np.mean(step[exc.name])) / float(np.mean(step[inh.name]))
        assert small < 0.5  # excitatory weights are a sixth


def test_sign_leaves_a_network_of_one_sign_as_it_is() -> None:
    net = nl.Network([nl.Population("p", 2, nl.LIF(10e-3))],
                     [nl.Projection("w", "x", "p", np.array([[0.5], [0.2]]))],
                     [nl.SpikeInput("x", 1)])  # fmt: skip
    stepped = nl.discretize(net, DT)
    a, b = (nl.quantize(stepped, "loihi2", granularity=g) for g in (None, "sign"))
    assert [q.name for q in b.projections] == ["w"]
    assert str(a.ledger) == str(b.ledger)


def test_neurons_of_small_weights_get_a_finer_scale() -> None:
    stepped = network(3)
    rows = np.linspace(0.1, 1.0, 12)[:, None]
    stepped = _with_rows(stepped, rows)
    fixed = nl.quantize(stepped, FINE, granularity="neuron", weight_bits=4)
    lsb = np.asarray(fixed.population("a").lsb)
    assert lsb.max() / lsb.min() > 2
    real = {g: nl.dequantize(nl.quantize(stepped, "generic", granularity=g, weight_bits=4), stepped)
            for g in ("projection", "neuron")}  # fmt: skip
    errors = {g: np.abs(_dense(r.projections[0]) - _dense(stepped.projections[0])) / rows
              for g, r in real.items()}  # fmt: skip
    assert np.sqrt(np.mean(errors["neuron"] ** 2)) < 0.7 * np.sqrt(
        np.mean(errors["projection"] ** 2)
    )
    # a threshold of 1 V means 1 V for each of them
    np.testing.assert_allclose(real["neuron"].population("a").threshold, 1.0, rtol=1e-3)


def _with_rows(stepped: nl.SteppedNetwork, rows: np.ndarray) -> nl.SteppedNetwork:
    from dataclasses import replace

    first, *others = stepped.projections
    return replace(stepped, projections=(replace(first, weights=first.weights * rows), *others))


@pytest.mark.parametrize(
    ("profile", "options", "text"),
    [
        (sharing(nl.load_profile("generic"), "vth", "population"), {"granularity": "neuron"},
         "granularity = \"neuron\", population 'a': profile generic has one vth per population"),
        ("loihi2", {"granularity": "row"},
         "granularity = 'row', allowed: global, projection, sign, neuron"),
        ("loihi2", {"rounding": "up"},
         "rounding = 'up', allowed: nearest, floor, toward_zero, stochastic"),
        ("loihi2", {"rounding": None}, "rounding = None, allowed: nearest"),
        ("loihi2", {"scaling": "mean"}, "scaling = 'mean', allowed: own, max_abs"),
        ("loihi2", {"rounding_seed": -1}, "rounding_seed = -1, allowed: a whole number 0..2**32"),
        ("loihi2", {"rounding_seed": True}, "rounding_seed = True, allowed: a whole number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(profile: Any, options: Any, text: str) -> None:
    with pytest.raises((RangeError, LoweringError)) as caught:
        nl.quantize(network(), profile, **options)
    assert text in str(caught.value)


def test_one_step_for_all_is_refused_where_neurons_or_stages_have_their_own() -> None:
    thresholds = nl.LIF(10e-3, v_threshold=np.array([1.0, 2.0]))
    alpha = nl.LIF(10e-3, v_threshold=1.0)
    shared = sharing(nl.load_profile("generic"), "vth", "population")
    for neuron, synapse, why in (
        (thresholds, nl.Delta(), "one vth for neurons that differ"),
        (alpha, nl.Alpha(3e-3), "it hears filter stages"),
    ):
        net = nl.Network([nl.Population("p", 2, neuron)],
                         [nl.Projection("w", "x", "p", np.array([[0.5], [0.2]]), synapse)],
                         [nl.SpikeInput("x", 1)])  # fmt: skip
        with pytest.raises(
            LoweringError, match=f"granularity = \"global\", population 'p': .*{why}"
        ):
            nl.quantize(nl.discretize(net, DT), shared, granularity="global")


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(list(GRANULARITIES)),
    st.sampled_from(list(ROUNDINGS)), st.sampled_from(list(SCALINGS)),
)  # fmt: skip
def test_nothing_is_cut_or_overflows_that_the_ledger_does_not_tell(
    seed: int, granularity: str, rounding: str, scaling: str
) -> None:
    rng = np.random.default_rng(seed)
    profile, net = random_profile(rng), random_network(rng, 20)
    options = {"granularity": granularity, "rounding": rounding, "scaling": scaling}
    try:
        stepped = nl.discretize(net, DT)
        fixed = nl.quantize(stepped, profile, n_steps=20, approximate=nl.APPROXIMATIONS, **options)
    except LoweringError:
        return
    assert fixed.storage_events() == []
    assert fixed.ledger is not None
    sure = {(h.where, h.register) for h in fixed.ledger.headroom if h.sure}
    run = nl.run_fixed(fixed, 20, {"x": hostile_rasters(rng, net, 20)})
    for e in run.events:
        assert (f"population {e.where!r}", e.register) not in sure, options
    real = nl.dequantize(fixed, stepped)
    assert [q.name for q in real.projections] == [q.name for q in fixed.projections]


def test_the_ledger_says_which_options_were_asked_for() -> None:
    cell = nl.LIF(tau_m=20e-3, v_threshold=1e-3)
    weights = np.array([[4e-4, -3e-4]])
    net = nl.Network([nl.Population("a", 1, cell)],
                     [nl.Projection("p", "in", "a", weights, nl.Delta())],
                     [nl.SpikeInput("in", 2)])  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    usual = nl.quantize(stepped, "loihi2", weight_bits=4, rounding_seed=7).ledger
    assert usual is not None and "asked for" not in str(usual)
    ledger = nl.quantize(stepped, "loihi2", weight_bits=4, granularity="global", scaling="max_abs",
                         rounding="stochastic", rounding_seed=7).ledger  # fmt: skip
    said = "asked for: granularity global, rounding stochastic (rounding_seed 7), scaling max_abs"
    assert said in str(ledger)
