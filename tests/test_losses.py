"""Everything that is lost is counted, and alike in every engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import neuro_lif as nl
from neuro_lif.certify import certify
from neuro_lif.machine import run_semantics
from neuro_lif.recording import Recording

Run = Callable[..., Recording]
ENGINES: list[Run] = [nl.run_fixed, run_semantics]


def weights_only(profile: str, weights: Any, **more: Any) -> nl.FixedNetwork:
    """A network of silent neurons behind one projection."""
    n_post, n_pre = weights.shape
    raster = np.zeros((2, n_pre), np.int64)
    chip = nl.load_profile(profile)
    model = next(iter(chip.models))
    return nl.FixedNetwork(
        chip, (nl.FixedPopulation("n", n_post, model),),
        (nl.FixedProjection("c", "x", "n", weights, **more),),
        (nl.FixedSource("x", n_pre, raster),),
    )  # fmt: skip


def counted(fixed: nl.FixedNetwork) -> dict[str, tuple[int, int]]:
    """Kind -> (count, first neuron) of what the weights lost, equal in both engines."""
    found = []
    for run in ENGINES:
        events = [e for e in run(fixed, 2).events if e.register == "weights"]
        assert all(e.where == "c" and e.first_step == 0 and e.operation == -1 for e in events)
        found.append({e.kind: (e.count, e.first_neuron) for e in events})
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("profile", "weights", "exponent", "lost"),
    [
        ("brian2-loihi-0.5", [[2, 0], [-256, 2]], 7, {"clip": (1, 1)}),
        ("brian2-loihi-0.5", [[2, 0], [-254, 2]], 7, {}),
        ("brian2-loihi-0.5", [[4, 0], [-6, 2]], -2, {"low_bits": (2, 1)}),
        ("loihi1", [[0, 2], [254, -2]], -8, {"low_bits": (3, 0)}),
        ("loihi1", [[8, -8], [16, 0]], -3, {}),
        ("loihi2", [[2, -2], [4, 6]], -2, {}),  # there the sum is shifted: state, not storage
    ],
)
def test_what_the_exponent_of_a_synapse_takes_is_counted(
    profile: str, weights: list[list[int]], exponent: int, lost: dict[str, tuple[int, int]]
) -> None:
    fixed = weights_only(profile, np.array(weights), exponent=exponent, sign_mode="mixed")
    assert counted(fixed) == lost
    if lost:
        with pytest.raises(nl.errors.RangeError, match="weights overflowed"):
            nl.run_fixed(fixed, 2, strict=True)
        assert certify(fixed, 2).verdict == "overflows"


def test_a_weight_counts_once_per_kind() -> None:
    fixed = weights_only("loihi1", np.array([[3]]), exponent=-3, sign_mode="mixed")
    assert counted(fixed) == {"low_bits": (1, 0)}  # by its code and by its exponent


def test_synapses_that_give_way_to_others_are_counted() -> None:
    ends = ([1, 1, 0, 1, 0], [0, 0, 1, 0, 1])
    weights = sparse.coo_matrix(([2, 4, 8, 6, 0], ends), shape=(2, 2))
    fixed = weights_only("nengo-loihi-1.1", weights, sign_mode="mixed")
    assert counted(fixed) == {"duplicate": (3, 0)}
    assert counted(weights_only("loihi2", weights, sign_mode="mixed")) == {}


def sender(profile: str, model: str, params: dict[str, Any], drive: int, **more: Any) -> Any:
    """A driven population and a projection of its spikes, graded or not."""
    chip = nl.load_profile(profile)
    return nl.FixedNetwork(
        chip, (nl.FixedPopulation("a", 2, model, params), nl.FixedPopulation("b", 2, model)),
        (nl.FixedProjection("ab", "a", "b", np.array([[2, 0], [0, 2]]), **more),), (),
        (nl.DirectInput("d", "a", np.array([[0, 0], [0, drive], [0, 0], [0, drive]])),),
    )  # fmt: skip


CASES = {
    "several spikes": ("dynapcnn", "subtract", {"thr": 2}, 10, 1),
    "a negative one": ("lava-0.10", "ternary_lif", {"vth_hi": 8, "vth_lo": -1}, -900, 1),
}


def binary(recording: Recording) -> list[nl.OverflowEvent]:
    return [e for e in recording.events if e.kind == "binary"]


def binary_runs() -> list[Any]:
    runs: list[Any] = [pytest.param(run, id=run.__name__) for run in ENGINES]

    def in_nengo(*args: Any, **options: Any) -> Recording:
        pytest.importorskip("nengo")
        from neuro_lif.targets.nengo import run_nengo_fixed

        return run_nengo_fixed(*args, **options)

    return [*runs, pytest.param(in_nengo, id="run_nengo_fixed")]


@pytest.mark.parametrize("run", binary_runs())
@pytest.mark.parametrize("name", CASES)
def test_counts_of_a_population_that_a_projection_does_not_carry(name: str, run: Run) -> None:
    profile, model, params, drive, neuron = CASES[name]
    fixed = sender(profile, model, params, drive)
    recording = nl.run_fixed(fixed, 6)
    sent = np.asarray(recording.spikes["a"])
    lost = (sent != 0) & (sent != 1)
    assert lost.any(), "the case must lose something"
    (event,) = binary(run(fixed, 6))
    step = int(np.flatnonzero(lost.any(axis=1))[0]) + 1
    assert event == nl.OverflowEvent("ab", "payload", "binary", -1, int(lost.sum()), step, neuron)
    assert binary(run(fixed, step - 1)) == []
    with pytest.raises(nl.errors.RangeError, match="payload overflowed"):
        run(fixed, 6, strict=True)


def test_a_graded_projection_carries_them() -> None:
    fixed = sender("lava-0.10", "ternary_lif", CASES["a negative one"][2], -900, graded=True)
    for run in ENGINES:
        assert binary(run(fixed, 6)) == []


def test_a_batch_counts_every_sample() -> None:
    fixed = sender(*CASES["several spikes"][:4])
    drive = np.stack([np.array([[0, 10], [10, 0]]), np.array([[10, 0], [0, 0]])])
    (event,) = binary(nl.run_fixed(fixed, 2, {"d": drive}))
    assert (event.count, event.first_step, event.first_neuron) == (3, 1, 0)


def test_aliases_make_counts() -> None:
    chip = nl.load_profile("loihi2")
    routing = chip.routing.model_copy(update={"alias": True})
    chip = chip.model_copy(update={"routing": routing})
    firing = {"vth": 1, "bias_mant": 500}
    for alias, count in ((None, 0), ([1, -1], 3)):
        fixed = nl.FixedNetwork(
            chip, (nl.FixedPopulation("a", 2, "lif", firing, alias=alias),
                   nl.FixedPopulation("b", 1, "lif")),
            (nl.FixedProjection("ab", "a", "b", np.array([[2, 2]])),),
        )  # fmt: skip
        for run in ENGINES:
            assert sum(e.count for e in binary(run(fixed, 3))) == count


def test_a_certificate_sees_the_counts_of_a_population() -> None:
    profile, model, params, drive, _ = CASES["several spikes"]
    fixed = sender(profile, model, params, drive)
    found = certify(fixed, 6)
    assert found.verdict == "overflows"
    assert any((p.register, p.kind) == ("payload", "binary") for p in found.places)
    quiet = sender(profile, model, params, 1)
    assert not binary(nl.run_fixed(quiet, 4))
    assert all(p.holds for p in certify(quiet, 4).places if p.kind == "binary")


def test_plain_neurons_are_not_watched() -> None:
    for name in nl.available_profiles():
        chip = nl.load_profile(name)
        for model in chip.models:
            ops = chip.ops(model)
            single = nl.numerics.sends_only_single(ops)
            kinds = {op["op"] for op in nl.numerics.walk(ops)}
            assert not (single and "emit" in kinds), (name, model)
    assert nl.numerics.sends_only_single(nl.load_profile("loihi2").ops("lif"))
    assert not nl.numerics.sends_only_single(nl.load_profile("dynapcnn").ops("subtract"))
    assert not nl.numerics.sends_only_single(nl.load_profile("loihi2").ops("ternary_lif"))


@pytest.mark.parametrize("run", ENGINES)
@pytest.mark.parametrize("strict", ["yes", 1, None])
def test_strict_is_true_or_false(run: Run, strict: Any) -> None:
    fixed = weights_only("loihi2", np.array([[2]]))
    with pytest.raises(nl.errors.RangeError, match="strict = .*allowed: True or False"):
        run(fixed, 1, strict=strict)


def test_progress_is_something_to_call() -> None:
    fixed = weights_only("loihi2", np.array([[2]]))
    with pytest.raises(nl.errors.RangeError, match="progress = 3, allowed"):
        nl.run_fixed(fixed, 1, progress=3)  # type: ignore[arg-type]
    with pytest.raises(nl.errors.RangeError, match="progress = 3, allowed"):
        certify(fixed, 1, progress=3)  # type: ignore[arg-type]
