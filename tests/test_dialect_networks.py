"""Random networks in every dialect: both engines alike; no code asks which dialect it runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from dialect_networks import random_dialect, used_params
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif
from neuro_lif import available_profiles, load_profile, run_fixed, run_semantics

DIALECTS = ("lava-0.10", "nengo-loihi-1.1", "brian2-loihi-0.5", "loihi1", "loihi2")
STEPS = 12
ROOT = Path(neuro_lif.__file__).parent
OWN_CHIP = ("targets", "codings", "conformance/data")
"""Where a peer is spoken to, or its rules are kept: what these are for has a name."""


@pytest.mark.parametrize("name", DIALECTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_both_engines_agree(name: str, seed: int) -> None:
    """Every register, everything sent and every event of a random network."""
    fixed = random_dialect(np.random.default_rng(seed), load_profile(name), STEPS)
    fast = run_fixed(fixed, STEPS, record="registers")
    slow = run_semantics(fixed, STEPS, record="registers")
    for key, spikes in slow.spikes.items():
        assert np.array_equal(spikes, fast.spikes[key]), key
    for place, trace in slow.traces.items():
        assert np.array_equal(trace, fast.traces[place]), place
    assert slow.events == fast.events


@pytest.mark.parametrize("name", DIALECTS)
def test_random_networks_reach_every_operation_and_every_limit(name: str) -> None:
    """What is drawn spikes, overflows, and uses every model and parameter of the profile."""
    profile = load_profile(name)
    models, params, kinds, sent, loud = set(), set(), set(), 0, 0
    for seed in range(150):
        fixed = random_dialect(np.random.default_rng(seed), profile, STEPS)
        models |= {p.model for p in fixed.populations}
        params |= {key for p in fixed.populations for key in p.params}
        run = run_fixed(fixed, STEPS)
        sent += sum(int((s != 0).sum()) for s in run.spikes.values())
        loud += any(s.any() for s in run.spikes.values())
        kinds |= {(e.register, e.kind) for e in run.events if e.first_step}
    assert models == profile.models.keys()
    assert params == {p for m in profile.models for p in used_params(profile, m)}
    assert params == profile.params.keys(), "a parameter that no model uses"
    assert loud > 80 and sent > 1000
    limits = {  # what must have happened: (register, kind)
        "lava-0.10": {("u", "wrap_once"), ("v", "sat"), ("sum", "wrap"), ("sigma", "wrap")},
        "nengo-loihi-1.1": {("q", "wrap"), ("u", "wrap"), ("d", "wrap"), ("v", "clamp")},
        "brian2-loihi-0.5": set(),
        "loihi1": {("sum", "wrap"), ("u", "wrap"), ("d", "wrap"), ("v", "sat"), ("v", "clamp")},
        "loihi2": {("u", "wrap_once"), ("u", "wrap"), ("v", "sat"), ("sigma", "wrap")},
    }[name]
    assert limits <= kinds
    assert name != "brian2-loihi-0.5" or not kinds


def modules() -> list[Path]:
    """Return the modules that must not know a dialect."""
    found = [p for p in sorted(ROOT.rglob("*.py")) if "__pycache__" not in p.parts]
    kept_out = tuple(ROOT / name for name in OWN_CHIP)
    return [p for p in found if not any(p.is_relative_to(folder) for folder in kept_out)]


def asked(tree: ast.AST) -> list[ast.expr]:
    """Return every text that code compares, looks up or takes as a key."""
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            found += [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            found += node.keys
        elif isinstance(node, ast.Subscript):
            found.append(node.slice)
        elif isinstance(node, ast.MatchValue):
            found.append(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asks = ("startswith", "endswith", "get", "find")
            found += node.args if node.func.attr in asks else []
    return [inner for e in found if e is not None for inner in ast.walk(e)
            if isinstance(inner, ast.Constant)]  # fmt: skip


def test_no_branch_asks_for_a_dialect_by_name() -> None:
    """No comparison, key or pattern of the package holds the name of a profile."""
    names = {n.lower() for n in available_profiles() if n != "generic"}
    names |= {n.split("-")[0] for n in names} - {"lava", "nengo"}  # two simulators we also run on
    assert {"loihi1", "xylo", "brian2", "nengo-loihi-1.1", "lava-0.10"} <= names
    for path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        texts = [e.value.lower() for e in asked(tree) if isinstance(e.value, str)]
        found = [t for t in texts if any(re.search(rf"(?<![a-z]){re.escape(n)}", t) for n in names)]
        assert not found, path


def test_no_branch_asks_a_profile_for_its_name() -> None:
    """A profile's name is shown, never compared."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                texts = {ast.unparse(inner) for side in sides for inner in ast.walk(side)
                         if isinstance(inner, ast.expr)}  # fmt: skip
                assert not {t for t in texts if t.endswith("profile.name")}, (path, node.lineno)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_number_has_a_source_and_a_status(name: str) -> None:
    """What is confirmed by a run, read in code, or assumed is told for each part."""
    profile = load_profile(name)
    parts = [*profile.registers.values(), *profile.params.values(), *profile.models.values(),
             profile.weights, profile.routing]  # fmt: skip
    assert all(part.source and part.status for part in parts)
    chip = name.startswith("loihi")
    assert all(part.status == "run" for part in parts) or chip
    assumed = {k for k, m in profile.models.items() if m.status == "assumed"}
    expected = {"loihi1": {"lif_noise"}, "loihi2": {"lif_refractory", "lif_subtract", "readout",
                                                     "filter"}}  # fmt: skip
    assert assumed == expected.get(name, set())
