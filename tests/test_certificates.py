"""Certificates: what is called safe never overflows, and a witness overflows in both engines."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_fixed import random_fixed

import neuro_lif as nl
from neuro_lif.certify import certify
from neuro_lif.cli import main
from neuro_lif.errors import RangeError

PROFILES = ("lava-0.10", "loihi1", "loihi2", "generic", "nengo-loihi-1.1")
ROOT = Path(__file__).resolve().parents[1]


def layer(weight: int, dv: int, n_pre: int = 3, **changes: Any) -> nl.FixedNetwork:
    """One neuron of loihi2 that never fires by itself, and its sources."""
    params = {"du": 4095, "dv": dv} | changes
    weights = np.full((1, n_pre), weight)
    return nl.FixedNetwork(
        nl.load_profile("loihi2"), [nl.FixedPopulation("p", 1, "readout", params)],
        [nl.FixedProjection("c", "s", "p", weights, changes.pop("exponent", 0), "mixed")],
        [nl.FixedSource("s", n_pre)],
    )  # fmt: skip


def test_a_leaky_neuron_is_safe_and_an_integrator_is_not() -> None:
    leaky, integrator = certify(layer(100, 400)), certify(layer(100, 0), effort=6)
    assert leaky.safe, str(leaky)
    low, high = leaky.reach("p", "v")
    assert 0 <= high[0] <= 2**23 - 1 and low[0] <= 0
    assert integrator.verdict == "overflows", str(integrator)
    assert integrator.witness is not None
    assert integrator.witness.event.register == "v"
    assert certify(layer(100, 0), 20).safe  # not in so few steps


def test_a_witness_overflows_in_both_engines() -> None:
    fixed = layer(254, 0, 40)
    found = certify(fixed, effort=5)
    assert found.verdict == "overflows", str(found)
    assert found.witness is not None
    inputs, n_steps = found.witness.inputs, found.witness.n_steps
    runs = [run(fixed, n_steps, inputs) for run in (nl.run_fixed, nl.run_semantics)]
    assert runs[0].events == runs[1].events
    assert found.witness.event in runs[0].events


@pytest.mark.parametrize("profile", PROFILES)
def test_random_networks(profile: str, record_figure: Callable[[str], None]) -> None:
    """What is called safe survives hostile inputs; what overflows does so in both engines."""
    rng, counts, runs = np.random.default_rng(4), {}, 0
    if profile == "nengo-loihi-1.1":
        networks = [_raw(rng) for _ in range(10)]
    else:
        networks = [random_fixed(rng, profile, 10) for _ in range(10)]
    for fixed in networks:
        found = certify(fixed, 12, effort=1, storage=False)
        counts[found.verdict] = counts.get(found.verdict, 0) + 1
        if found.safe:
            for inputs in hostile(rng, fixed, 12, 20):
                events = [e for e in nl.run_fixed(fixed, 12, inputs).events if e.first_step]
                assert not events, (str(found), events)
                runs += 1
        elif found.witness is not None:
            w = found.witness
            for run in (nl.run_fixed, nl.run_semantics):
                assert w.event in run(fixed, w.n_steps, w.inputs).events
    record_figure(f"certificates, {profile}: {counts} of 10 random networks; {runs} hostile runs "
                  "of those called safe, 0 overflows")  # fmt: skip


def _raw(rng: np.random.Generator) -> nl.FixedNetwork:
    """A small network of nengo-loihi's raw integers."""
    params = {"du": 2047, "dv": int(rng.integers(0, 800)), "vth": 64000, "vmin": -8388607}
    weights = 64 * rng.integers(-250, 250, (3, 4))
    return nl.FixedNetwork(
        nl.load_profile("nengo-loihi-1.1"), [nl.FixedPopulation("p", 3, "lif", params)],
        [nl.FixedProjection("c", "s", "p", weights)], [nl.FixedSource("s", 4)],
    )  # fmt: skip


def hostile(rng: np.random.Generator, fixed: nl.FixedNetwork, n_steps: int, count: int) -> Any:
    """Yield inputs within what a certificate assumes: all on, random, and the ends of rasters."""
    for k in range(count):
        inputs = {}
        for s in fixed.sources:
            lo = min(int(s.raster.min()), 0) if s.raster is not None else 0
            hi = max(int(s.raster.max()), 1) if s.raster is not None else 1
            row = rng.choice([lo, hi], (n_steps, s.size)) if k else np.full((n_steps, s.size), hi)
            inputs[s.name] = row
        for d in fixed.directs:
            ends = np.stack([np.minimum(d.raster.min(0), 0), np.maximum(d.raster.max(0), 0)])
            pick = rng.integers(0, 2, (n_steps, ends.shape[1]))
            inputs[d.name] = np.where(pick, ends[1], ends[0])
        yield inputs


def test_every_input_of_a_tiny_network() -> None:
    """Safe for three steps exactly where none of the 512 inputs of three channels overflows."""
    rng = np.random.default_rng(9)
    every = np.array(list(itertools.product((0, 1), repeat=9))).reshape(-1, 3, 3)
    safe = 0
    for _ in range(12):
        weights = 2 * rng.integers(-127, 128, (1, 3))
        fixed = nl.FixedNetwork(
            nl.load_profile("generic", state_bits=int(rng.integers(14, 19))),
            [nl.FixedPopulation("p", 1, "lif", {"du": 4096, "dv": 100, "vth": 131071})],
            [nl.FixedProjection("c", "s", "p", weights // 4, 0, "mixed")],
            [nl.FixedSource("s", 3)],
        )  # fmt: skip
        events = nl.run_fixed(fixed, 5, {"s": every}).events
        overflows = any(e.first_step for e in events)
        found = certify(fixed, 5, inputs={"s": (0, 1)}, storage=False)
        later = np.concatenate([every, np.zeros((512, 2, 3), np.int64)], axis=1)
        assert later.shape[1] == 5
        if found.safe:
            assert not overflows, str(found)
            safe += 1
        elif overflows:
            assert found.verdict == "overflows", str(found)
    assert 0 < safe < 12


def test_wrong_arguments() -> None:
    fixed = layer(10, 100)
    for options, word in (
        ({"effort": 9}, "effort"), ({"effort": True}, "effort"), ({"n_steps": 0}, "n_steps"),
        ({"inputs": {"nobody": (0, 1)}}, "nobody"), ({"activity": 2.0}, "activity"),
    ):  # fmt: skip
        with pytest.raises(RangeError, match=word):
            certify(fixed, **options)
    with pytest.raises(RangeError, match="certify"):
        certify("x")  # type: ignore[arg-type]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nl.save_fixed(layer(100, 400), tmp_path / "safe.npz")
    nl.save_fixed(layer(254, 0, 40), tmp_path / "open.npz")
    assert main(["certify", str(tmp_path / "safe.npz")]) == 0
    assert "SAFE" in capsys.readouterr().out
    out = tmp_path / "witness.npz"
    options = ["--effort", "5", "--out", str(out)]
    assert main(["certify", str(tmp_path / "open.npz"), *options]) == 1
    text = capsys.readouterr().out
    assert "OVERFLOWS" in text and str(out) in text
    steps = len(np.load(out)["s"])
    run = ["run", str(tmp_path / "open.npz"), "--inputs", str(out), "--steps", str(steps)]
    assert main([*run, "--strict"]) == 2
    assert "overflowed" in capsys.readouterr().err
    assert main(["certify", str(ROOT / "none.npz")]) == 2
