"""Profiles with one wrong token: refused by name, or as good as any other profile.

Every number and text of every shipped profile is replaced by each of a fixed list of values. What
loads must lower and run, emulator and living definition alike, or be refused by our own errors.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.errors import ProfileError

SHIPPED = sorted(nl.available_profiles())
TOKEN = re.compile(r'"""[\s\S]*?"""|"[^"\n]*"|(?<![\w.$+-])-?\d[\w.+-]*|\b(?:true|false)\b')
VALUES = ("0", "-1", "1", "99999", f'"{"long " * 60}"', '"u"', '"v"', '"vth"', "1.5", "true", "[]")
STEPS = 5
SAMPLE = 120
"""Mutations of each profile in the default run."""
PARTS = 4
"""Tests the long run of a profile is divided into, so that two processes share it."""


@functools.cache
def text_of(profile: str) -> str:
    return nl.available_profiles()[profile].read_text("utf-8")


@functools.cache
def mutations(profile: str) -> list[tuple[str, str]]:
    """(what changed, the changed file) for every token and value."""
    text = text_of(profile)
    found = []
    for token in TOKEN.finditer(text):
        line = text.count("\n", 0, token.start()) + 1
        for value in VALUES:
            if value != token[0]:
                label = f"{profile}:{line}: {token[0][:30]} -> {value[:30]}"
                found.append((label, text[: token.start()] + value + text[token.end() :]))
    return found


@functools.cache
def stepped(number: int) -> nl.SteppedNetwork:
    """A small network whose neurons are a plain LIF, a refractory one, a subtracting one."""
    changes = [{}, {"t_refractory": 2e-3}, {"t_refractory": 2e-3, "reset": "subtract"}][number]
    neuron = nl.LIF(tau_m=20e-3, v_threshold=1.0, i_bias=0.01, **changes)
    rng = np.random.default_rng(7)
    raster = rng.integers(0, 2, (STEPS, 3))
    times, channels = np.nonzero(raster)
    network = nl.Network(
        [nl.Population("p", 4, neuron)],
        [
            nl.Projection("w", "x", "p", rng.uniform(0, 0.5, (4, 3)), nl.Exponential(5e-3)),
            nl.Projection("r", "p", "p", rng.uniform(-0.2, 0.2, (4, 4)), nl.Exponential(5e-3),
                          delay=1e-3),
        ],
        [nl.SpikeInput("x", 3, times=(times + 0.5) * 1e-3, indices=channels)],
    )  # fmt: skip
    return nl.discretize(network, 1e-3)


@functools.cache
def is_lowered(name: str) -> bool:
    """Tell whether quantize can lower a LIF to the shipped profile."""
    try:
        nl.quantize(stepped(0), name, approximate=("delay", "refractory"))
    except nl.NeuroLifError:
        return False
    return True


def by_hand(profile: nl.HardwareProfile, number: int) -> nl.FixedNetwork:
    """Return a network of integers: one population of each model, every parameter at its end."""
    end = (1, 1, 0)[number]  # a threshold of 0 makes a loop of spikes long: seldom
    params = {name: p.span[end] for name, p in profile.params.items()}
    populations, directs = [], []
    for i, model in enumerate(profile.models):
        mine = {name: params[name] for name in profile.used_params(model)} if number else {}
        populations.append(nl.FixedPopulation(f"p{i}", 2, model, mine))
        for port in sorted(profile.ports(model)):
            raster = np.arange(2 * STEPS).reshape(STEPS, 2) * (7 if number else -3)
            directs.append(nl.DirectInput(f"{port} of p{i}", f"p{i}", raster, port=port))
    return nl.FixedNetwork(profile, tuple(populations), directs=tuple(directs))


def loaded(path: Path) -> nl.HardwareProfile | None:
    """Load a profile; None where it is refused."""
    try:
        return nl.load_profile(path)
    except ProfileError:
        return None


def outcome(name: str, profile: nl.HardwareProfile | None, number: int) -> str:
    """Lower (where the shipped profile is lowered) and run; name what refused."""
    if profile is None:
        return "refused by the loader"
    try:
        if is_lowered(name):
            fixed = nl.quantize(stepped(number), profile, approximate=("delay", "refractory"))
        else:
            fixed = by_hand(profile, number)
        got = nl.run_fixed(fixed, STEPS, record="all")
        expected = nl.run_semantics(fixed, STEPS, record="all")
    except nl.NeuroLifError:
        return "refused in lowering"
    for name, spikes in expected.spikes.items():
        assert np.array_equal(got.spikes[name], spikes)
    for key, trace in expected.traces.items():
        assert np.array_equal(got.traces[key], trace), key
    assert got.events == expected.events
    return "equal"


def faults_of(chosen: list[tuple[str, str]], numbers: tuple[int, ...], folder: Path) -> list[str]:
    """Run every mutation; return those that ended in something else than they may."""
    wrong, counts = [], Counter[str]()
    path = folder / "p.toml"
    for i, (label, text) in enumerate(chosen):
        path.write_text(text, "utf-8")
        number = -1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                profile = loaded(path)
                for number in numbers or (i % 3,):
                    counts[outcome(label.partition(":")[0], profile, number)] += 1
        except Exception as error:  # whatever it is, it is a fault of ours
            wrong.append(f"{label}, network {number}: {type(error).__name__} {error}"[:300])
    print(dict(counts))
    return wrong


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_profile_itself_is_lowered(name: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text_of(name), "utf-8")
    assert outcome(name, loaded(path), 0) == "equal"


@pytest.mark.parametrize("name", SHIPPED)
def test_one_wrong_token_is_refused_or_works(name: str, tmp_path: Path) -> None:
    every = mutations(name)
    rng = np.random.default_rng([2026, SHIPPED.index(name)])
    chosen = [every[i] for i in sorted(rng.choice(len(every), SAMPLE, replace=False))]
    assert faults_of(chosen, (), tmp_path) == []


@pytest.mark.verify
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SHIPPED)
def test_every_wrong_token_is_refused_or_works(name: str, part: int, tmp_path: Path) -> None:
    assert faults_of(mutations(name)[part::PARTS], (0, 1, 2), tmp_path) == []
