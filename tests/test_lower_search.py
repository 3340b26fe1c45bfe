"""The search of scales: what it leaves out changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.errors import ProfileError
from neuro_lif.lower import search
from neuro_lif.lower.bounds import LEAST_LEAK, Demand, Incoming, Limits, bounds, hard_limit
from neuro_lif.lower.bounds import highest_scale as highest
from neuro_lif.lower.search import ACTIVITIES, GOOD_ENOUGH, RATE, WORSE_AT_MOST, choose_scale
from neuro_lif.lower.search import code_weights as coded
from neuro_lif.profile import load_profile, shared_profile

RULES = {name: load_profile(name).weights for name in ("loihi1", "loihi2", "generic")}


@st.composite
def demands(draw: Any) -> Demand:
    """Return a population of any kind with up to three projections onto it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 12))
    threshold = np.where(rng.random(n) < draw(st.sampled_from([0, 0.3, 1])), np.inf,
                         rng.uniform(1e-3, 2e-2, n))  # fmt: skip
    incoming = []
    for _ in range(draw(st.integers(0, 3))):
        m, mode = draw(st.integers(0, 80)), draw(st.sampled_from(["mixed", "excitatory"]))
        weights = rng.normal(0, 10.0 ** draw(st.integers(-6, -2)), m)
        weights = np.round(weights, 4) if draw(st.booleans()) else weights
        weights = np.abs(weights) if mode == "excitatory" else weights
        incoming.append(Incoming(weights, rng.integers(0, n, m), mode, draw(st.integers(1, 8)),
                                 draw(st.integers(1, 50))))  # fmt: skip
    loss_u = draw(st.sampled_from([np.ones(n), np.full(n, 0.1), rng.uniform(0.01, 1, n)]))
    zero = np.zeros(n)
    return Demand(threshold, zero + 1e-4 * draw(st.booleans()), zero, loss_u,
                  rng.uniform(0, 0.3, n), "value", tuple(incoming), zero,
                  draw(st.sampled_from([0.0, 0.5])))  # fmt: skip


def plain(demand: Demand, limits: Limits, cap: float) -> tuple[float, tuple[int, ...], float]:
    """Try every scale and exponent, and keep the first of the best."""
    hard, reference = min(hard_limit(demand, limits), cap), search.reference_of(demand)
    spikes, found = bool(np.isfinite(demand.threshold).any()), []
    for activity in ACTIVITIES:
        top = min(hard, highest(bounds(demand, activity), limits, spikes))
        top = top if np.isfinite(top) else 1.0
        rated = [error(demand, limits, top * 2.0 ** (-k / 16), reference) for k in range(33)]
        found.append((*min(rated), activity))
        if found[-1][0] <= GOOD_ENOUGH or top == hard:
            break
    accepted = max(GOOD_ENOUGH, WORSE_AT_MOST * min(f[0] for f in found))
    total, s, exponents, activity = next(f for f in found if f[0] <= accepted)
    return -s, exponents, activity


def error(demand: Demand, limits: Limits, s: float, reference: Any) -> Any:
    """Return (predicted error, -scale, exponents): the least is the first of the best."""
    variance, exponents = np.zeros(len(reference)), []
    drive = np.maximum(demand.loss_v, LEAST_LEAK) * reference
    for p in demand.incoming:
        lo, hi = limits.weights.mode_range(p.mode)
        largest = np.abs(p.values).max(initial=0.0) * s / 2.0**limits.in_shift
        fits = int(np.ceil(np.log2(max(largest / max(hi, -lo, 1), 2.0**-30))))
        tried = []
        for k in range(3):
            exponent = search._within(fits - k, limits.weights)
            off = coded(p.values, p, limits, s, exponent)
            off = off * (2.0 ** (exponent + limits.in_shift) / s) - p.values
            tried.append((float(np.mean(off**2)) if off.size else 0.0, -exponent, off))
        _, exponent, off = min(tried, key=lambda t: t[:2])
        exponents.append(-exponent)
        squares = np.bincount(p.post, (off / drive[p.post]) ** 2, minlength=len(reference))
        variance += RATE * squares / np.maximum(demand.loss_u, 1e-6) ** 2
    unit = 2.0**limits.thr_shift
    exact = np.where(np.isfinite(demand.threshold), demand.threshold, 0.0) * s
    missed = np.abs(np.rint(exact / unit) * unit - exact) / (s * reference)
    lost = search._truncation(demand) / (s * reference)
    terms = [float(np.sqrt(np.mean(x))) for x in (variance, missed**2, lost**2)]
    return float(np.sqrt(sum(v**2 for v in terms))), -s, tuple(exponents)


@settings(max_examples=60, deadline=None)
@given(demand=demands(), rules=st.sampled_from(sorted(RULES)), data=st.data())
def test_the_search_finds_what_a_search_of_everything_finds(
    demand: Demand, rules: str, data: Any
) -> None:
    """To the last bit: the scale, the exponents and the bound that was taken."""
    shift = data.draw(st.sampled_from([0, 6]))
    limits = Limits((-(2**23), 2**23 - 1), (-(2**23), 2**23 - 1), data.draw(
        st.sampled_from([2.0**20, np.inf])), 2.0**23, 2.0**20, shift, 6, RULES[rules])  # fmt: skip
    cap = data.draw(st.sampled_from([np.inf, 1e5]))
    got = choose_scale(demand, limits, cap=cap)
    assert (got.lsb_per_volt, got.exponents, got.activity) == plain(demand, limits, cap)


def test_a_named_profile_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    """What quantize() reads of a name is read once, as long as it is the same file."""
    assert shared_profile("loihi2") is shared_profile("loihi2")
    text = nl.available_profiles()["generic"].read_text(encoding="utf-8")
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    first = shared_profile(file)
    assert shared_profile(str(file)) is first and load_profile(file) == first
    name = f'"{first.name}"'
    file.write_text(text.replace(name, '"own-one"', 1), encoding="utf-8")
    assert shared_profile(file).name == "own-one"
    file.unlink()
    with pytest.raises(ProfileError, match="no such file"):
        shared_profile(file)
