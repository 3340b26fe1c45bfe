"""Predicted beside measured: the command, and Brunel's network at full size."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif import predict
from neuro_lif.cli import main
from neuro_lif.errors import RangeError

ROOT = Path(__file__).resolve().parent.parent
NETWORK = ROOT / "examples" / "network_file" / "balanced.toml"


@pytest.fixture
def brunel(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import brunel

    return brunel


def test_the_command_prints_predictions_beside_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(NETWORK), "--profile", "loihi2", "--steps", "200"]) == 0
    text = capsys.readouterr().out
    for name in ("'exc'", "'inh'", "'readout'", "F1", "F2", "F3", "F4", "F5", "F6", "F7"):
        assert name in text
    assert "measured in 200 steps" in text and "it never spikes" in text
    assert "loihi2, 200 steps, as the profile rounds" in text
    assert main(["predict", str(NETWORK), "--profile", "loihi2", "--no-run"]) == 0
    assert "measured" not in capsys.readouterr().out
    assert main(["predict", str(NETWORK), "--profile", "loihi2"]) == 2
    assert "n_steps = None" in capsys.readouterr().err


def test_rates_of_a_population_are_predicted_from_those_of_its_senders() -> None:
    """60 neurons that hear 100 Poisson sources: float64 and coarse integers, both as predicted."""
    rng, n, k, steps = np.random.default_rng(8), 60, 100, 20000
    neuron = nl.LIF(20e-3, 1.0, v_rest=0.0, v_threshold=20e-3, v_reset=0.0, t_refractory=2e-3)
    weights = rng.normal(0.9e-3, 0.2e-3, (n, k))
    net = nl.Network([nl.Population("a", n, neuron)],
                     [nl.Projection("x", "s", "a", weights, nl.Delta(), 1e-3)],
                     [nl.SpikeInput("s", k)])  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    profile = nl.load_profile("generic", align_shift=0, threshold_bits=9)
    fixed = nl.quantize(stepped, profile)
    rows = {"s": rng.poisson(0.01, (steps, k)).clip(0, 1)}
    found = predict.beside_run(fixed, stepped, inputs=rows)
    e = found.errors["a"]
    assert e.rate is not None and not found.notes
    spikes = found.meant["a"].sum() * steps * 1e-3
    # all neurons hear the same sources, so their spikes are worth less than as many of others
    tolerance = 0.02 + 4 * 3 / np.sqrt(spikes)
    measured, coded = found.meant["a"].mean(), found.coded["a"].mean()
    assert measured == pytest.approx(e.rate.meant.mean(), rel=tolerance)
    assert np.corrcoef(found.meant["a"], e.rate.meant)[0, 1] > 0.95
    change, predicted = coded / measured - 1, e.rate.coded.mean() / e.rate.meant.mean() - 1
    print(f"predicted {100 * predicted:.2f} %, measured {100 * change:.2f} %")
    assert predicted < -0.01 and change == pytest.approx(predicted, abs=0.005)
    assert found.certificate is not None and str(found).count("population") >= 2


def test_what_cannot_be_predicted_is_said() -> None:
    neuron = nl.LIF(20e-3, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0, reset="subtract")
    wave = nl.stimulus.Sampled(np.full((30, 1), 1.5), 1e-3)
    net = nl.Network(
        [nl.Population("a", 2, neuron), nl.Population("b", 2, nl.LIF(
            20e-3, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0))],
        [], [nl.CurrentInput("i", "b", wave)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "loihi2")
    found = predict.beside_run(fixed, stepped, 30)
    assert "reset by subtraction" in found.notes["a"] and "'i' varies" in found.notes["b"]
    assert set(found.errors) == {"a", "b"} and "not predicted" in str(found)
    with pytest.raises(RangeError, match="a batch"):
        predict.beside_run(fixed, stepped, inputs={"i": np.zeros((2, 5, 2))})


GOLDEN = {"float": 37.34, "512": 37.72, "64": 37.69, "8": 36.08, "4": 34.65}
RUNS = {"float": 37.62, "512": 37.98, "64": 38.02, "8": 36.26, "4": 34.99}  # Hz, in 2 s


def test_predictions_of_brunels_network(brunel: Any) -> None:
    """The rate of mean-field theory is 37.95 Hz (Siegert); a grid of 0.1 ms takes 1.6 %."""
    found = {case: brunel.predicted(case) for case in brunel.CASES}
    assert found == pytest.approx(GOLDEN, abs=0.01)
    assert found["512"] > found["64"] > found["8"] > found["4"]
    for case, measured in RUNS.items():
        assert measured == pytest.approx(found[case], rel=0.011)
        # what the integers change is seen closer than the rate itself
        change, predicted = measured / RUNS["float"], found[case] / found["float"]
        assert change == pytest.approx(predicted, abs=0.003)


def test_brunels_network_in_coarse_integers(brunel: Any) -> None:
    """Four LSB for J: what rounding takes is seen in the first half second."""
    got = brunel.measured("4", 0.4, 1)
    assert got.rate == pytest.approx(brunel.predicted("4"), rel=0.02 + 3 * got.error / got.rate)


@pytest.mark.verify
@pytest.mark.parametrize("case", ["float", "512", "64", "8", "4"])
def test_brunels_network_is_within_two_percent_of_its_prediction(brunel: Any, case: str) -> None:
    got, expected = brunel.measured(case, 2.0, 1), brunel.predicted(case)
    print(f"LSB per J {case}: predicted {expected:.2f} Hz, measured {got.rate:.2f} +- "
          f"{got.error:.2f} Hz, {100 * (got.rate / expected - 1):+.2f} %")  # fmt: skip
    assert got.rate == pytest.approx(expected, rel=0.02)


def test_the_example_prints_its_table(brunel: Any, capsys: pytest.CaptureFixture[str]) -> None:
    brunel.main(["--predict"])
    text = capsys.readouterr().out
    assert text.count("\n") == 6 and "37.72" in text
    with pytest.raises(SystemExit):
        brunel.main(["--seconds", "0"])
    assert "brunel" in sys.modules


def test_brunels_network_at_rest_zero(brunel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predicted as another program predicted it; ``make replicate`` (R3) runs it."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "replications"))
    import r3  # type: ignore[import-not-found]

    for unit, (expected, _) in r3.PUBLISHED.items():
        assert r3.predicted_at_rest_zero(unit) == pytest.approx(expected, rel=0.004)
    assert brunel.predicted("4") > r3.predicted_at_rest_zero(4)


TWO = [nl.Exponential(2e-3, "nnmt"), nl.Exponential(5e-3, "nnmt")]


@pytest.mark.parametrize(
    "synapses", [[nl.Alpha(3e-3, "nnmt")], TWO, [nl.Alpha(3e-3, "nnmt"), *TWO]]
)
def test_a_filter_stage_is_named_where_no_rate_is_predicted(synapses: list[Any]) -> None:
    """What a stage sends is no train of spikes: no rate; but a proof, and maybe F7."""
    cell = nl.LIF(tau_m=20e-3, v_threshold=15e-3)
    net = nl.Network(
        [nl.Population("a", 4, cell)],
        [nl.Projection(f"p{k}", f"i{k}", "a", np.full((4, 3), 3e-3), s)
         for k, s in enumerate(synapses)],
        [nl.PoissonInput(f"i{k}", 3, 300.0, k) for k in range(len(synapses))],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "loihi2")
    found = predict.beside_run(fixed, stepped, 200)
    assert found.meant["a"].mean() > 50
    assert found.errors["a"].rate is None and "filter stage 'a__" in found.notes["a"]
    assert np.isfinite(found.errors["a"].path).all() == (len(synapses) == 1)
    assert found.certificate is not None and list(found.certificate.populations) == ["a"]
    assert "F1" in predict.predictions(fixed, stepped)
    drive = predict.Drive({f"i{k}": 300.0 for k in range(len(synapses))})
    with pytest.raises(RangeError, match="hears the filter stage 'a__"):
        predict.rate_error(fixed, stepped, "a", drive)
    assert predict.certify_spikes(fixed, stepped, 50).n_steps == 50


@pytest.mark.parametrize(
    ("drive", "named"),
    [({"mean": np.nan}, "drive.mean = nan"), ({"mean": "x"}, "drive.mean = 'x'"),
     ({"sd": [1.0, 2.0, 3.0]}, r"drive.sd = 'shape \(3,\)'"),
     ({"rates": {"i": "x"}}, r"drive.rates\['i'\] = 'x'")],
)  # fmt: skip
def test_wrong_drives_are_named(drive: dict[str, Any], named: str) -> None:
    cell = nl.LIF(tau_m=20e-3, v_threshold=15e-3)
    net = nl.Network([nl.Population("a", 2, cell)],
                     [nl.Projection("p", "i", "a", np.full((2, 3), 3e-3))],
                     [nl.SpikeInput("i", 3)])  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "loihi2")
    with pytest.raises(RangeError, match="population 'a'.*" + named):
        predict.rate_error(fixed, stepped, "a", predict.Drive(**drive))
