"""The examples of `examples/science` against the numbers of the texts they are taken from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "science"))

import blog  # noqa: E402
import book  # noqa: E402
import integrators  # noqa: E402
import orhan  # noqa: E402
import rates  # noqa: E402

from neuro_lif.reference import theory  # noqa: E402

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/data/science/texts.json").read_text())


# --------------------------------------------------------------------------------- Orhan's note


@pytest.mark.parametrize("dt", (1e-3, 5e-4, 1e-4, 1e-5))
@pytest.mark.parametrize("integrator", ("exact", "euler"))
def test_orhan_grid_spikes(integrator: str, dt: float) -> None:
    key = f"orhan.gridspikes[{integrator},dt={1e3 * dt:g}]_step_idx".replace("dt=1]", "dt=1.0]")
    assert orhan.grid_steps(dt, f"{integrator}-ge") == GOLDEN[key]


def test_orhan_grid_spikes_with_refractory_period() -> None:
    assert orhan.grid_steps(1e-4, "exact-ge", orhan.HELD) == [139, 328, 517, 706, 895]


def test_orhan_exact_spikes() -> None:
    period = 1e-3 * GOLDEN["orhan.t1_ms"]
    found = orhan.exact_times()
    np.testing.assert_allclose(found, period * np.arange(1, 8), rtol=1e-12)
    np.testing.assert_allclose(1e3 * found, GOLDEN["orhan.spikes_100ms_exact"], atol=1e-9)
    held = orhan.exact_times(orhan.HELD)
    np.testing.assert_allclose(held, period + (period + 5e-3) * np.arange(5), rtol=1e-12)


@pytest.mark.parametrize(("integrator", "dt"), (("exact", ""), ("euler", " dt=.1")))
def test_orhan_voltage(integrator: str, dt: str) -> None:
    v = orhan.grid_run(1e-4, f"{integrator}-ge").volts("n")[[49, 99], 0]
    golden = GOLDEN[f"orhan.v(5ms),v(10ms) {integrator}{dt}"]
    np.testing.assert_allclose(1e3 * v, golden, rtol=1e-12)


def test_orhan_f_i_curve() -> None:
    golden = np.array([GOLDEN[f"orhan.fI[{1e3 * ri:g}]_kHz(ref0,ref5)"] for ri in orhan.DRIVES])
    for k, held in enumerate((0.0, orhan.HELD)):
        np.testing.assert_allclose(orhan.exact_rates(tau_r=held), 1e3 * golden[:, k], rtol=1e-11)
    assert list(orhan.exact_rates((0.0, 10e-3, 15e-3))) == [0, 0, 0]  # the note's has NaN there


def test_orhan_noise_theory() -> None:
    rate = GOLDEN["orhan.fig2.rate_Hz"]
    continuous, clocked = orhan.noisy_rates()
    assert continuous == pytest.approx(rate["continuous"], rel=1e-10)
    white = theory.nu_dt(15e-3, 0.5e-3, 15e-3, 0.0, 10e-3, 0.0, 1e-4)
    assert white == pytest.approx(rate["clocked"], rel=1e-10)
    assert clocked == pytest.approx(white, rel=2e-6)  # the draw is held over a step
    for rule in ("exact", "euler"):
        golden = GOLDEN[f"orhan.fig2.sd_free_V_{rule}_mV"]
        assert 1e3 * orhan.noisy_sd(rule) == pytest.approx(golden, rel=1e-12)


@pytest.mark.parametrize("rule", ("exact", "euler"))
def test_orhan_noise_runs(rule: str) -> None:
    found = orhan.noisy_run(300, 1.5, rule, seed=11)
    expected = orhan.noisy_rates(rule)[1]
    assert abs(found.rate - expected) < 4 * found.error + 0.005 * expected
    assert found.error < 0.006 * expected
    # V forgets in tau: 200 neurons x 1.5 s / tau independent values, 0.4 % of their spread
    assert found.sd == pytest.approx(orhan.noisy_sd(rule), rel=0.02)


def test_orhan_poisson_input() -> None:
    names = {"coded": "as coded (Connection->ge: exponential)", "alpha": "alpha(eq10,peak1)",
             "brian": "brian alpha impl into I_in (peak 1/e)"}  # fmt: skip
    for name, mean in orhan.mean_currents().items():
        assert 1e3 * mean == pytest.approx(GOLDEN[f"orhan.fig3.meanI {names[name]}"], rel=1e-12)
    spreads, peaks = orhan.sd_currents(), orhan.psp_peaks()
    for name, sd, peak in (("coded", "exp(as coded)", "exp, w=1.62 (w/e)"),
                           ("alpha", "alpha(eq10)", "alpha eq10, w=1.62")):  # fmt: skip
        assert 1e3 * spreads[name] == pytest.approx(GOLDEN[f"orhan.fig3.sdI {sd}"], rel=1e-6)
        assert 1e3 * peaks[name] == pytest.approx(GOLDEN[f"orhan.fig3.PSP_peak {peak}"], rel=1e-9)


def test_orhan_poisson_spikes() -> None:
    counts = orhan.spike_counts(2000, seed=5)
    for name, (mean, error) in GOLDEN["orhan.fig3.spikes_100ms"].items():
        found = counts[name]
        both = np.hypot(error, found.std(ddof=1) / np.sqrt(len(found)))
        assert abs(found.mean() - mean) < 4 * both
        assert both < 0.03 * mean


# ------------------------------------------------------------------------------------ the blog


def test_blog_table_to_three_decimals() -> None:
    assert set(blog.differences(blog.table()).values()) == {0}
    changed = blog.table()
    changed["V_sin"] = changed["V_sin"] + 1e-3
    assert blog.differences(changed)["V_sin"] == blog.ROWS


def test_blog_table_in_full() -> None:
    columns = blog.table()
    keys = {"V_const": "V_const", "I_sin": "I_sin", "V_sin": "V_sin", "V_poisson": "V_poisson",
            "V_noise": "V_noise exact",
            "I_noise": "I_noise exact (I0=1.0 nA, sigma=0.5 nA, default_rng(42))"}  # fmt: skip
    for name, key in keys.items():
        np.testing.assert_allclose(columns[name], GOLDEN[f"blog.{key}"], rtol=1e-13, atol=1e-13)
    assert list(np.flatnonzero(columns["spike"])) == [6]


@pytest.mark.parametrize("tau_s", (2.0, 5.0, 10.0))
def test_blog_with_a_synapse(tau_s: float) -> None:
    golden = GOLDEN[f"blog.V_poisson if exp PSC tau_s={tau_s} (rows 7-10)"]
    np.testing.assert_allclose(blog.with_synapse(1e-3 * tau_s)[7:], golden, rtol=1e-13)
    exact = blog.synapse_exact(1e-3 * tau_s, np.array([6e-3, 10e-3]))
    kernel = 6.0 * tau_s / (10 - tau_s) if tau_s != 10 else 0.0
    rise = kernel * (np.exp(-0.4) - np.exp(-4 / tau_s)) if kernel else 6 * 0.4 * np.exp(-0.4)
    np.testing.assert_allclose(exact, [-65.0, -65.0 + rise], rtol=1e-12)


def test_blog_constant_input_never_spikes() -> None:
    found = blog.never(1000)
    spikes, _ = found.pop("integers, one LSB of bias too many")
    assert spikes > 5
    assert len(found) == 16
    for name, (spikes, gap) in found.items():
        assert spikes == 0 and 0 <= gap < 1e-5, name


# ------------------------------------------------------------------------------------ the book


def test_book_spikes_and_samples() -> None:
    found = book.as_in_the_book()
    assert found.spikes == GOLDEN["book.spike_step_idx"]
    assert [k - 1 for k in found.held] == GOLDEN["book.hold_at_rest_samples per spike"]
    stale = 1e3 * found.v[[k + 1 for k in found.spikes]]
    golden = GOLDEN["book.stale V[i+1] after each spike (mV)"]
    np.testing.assert_allclose(stale, golden, rtol=1e-12)
    first = GOLDEN["book.first updates: V[1],V[2],V[3] mV"]
    np.testing.assert_allclose(1e3 * found.v[[1, 2, 3]], first, rtol=1e-13)
    assert 1e3 * found.v[40] == pytest.approx(GOLDEN["book.V[40] mV"], rel=1e-13)
    assert 1e3 * found.v.max() == pytest.approx(GOLDEN["book.max_true_V"], rel=1e-13)
    assert len(book.TIMES) == GOLDEN["book.len(time)"]


def test_book_clean_references() -> None:
    assert book.clean(10) == GOLDEN["book.clean LIF (reset at crossing, ref=10 steps) idx"]
    assert book.clean(11) == GOLDEN["book.clean ref=11 idx"]


def test_book_without_a_grid() -> None:
    """Every spike is where V from the one before, by the closed form of stairs, is -40 mV."""
    times, current = book.without_a_grid(10), book.amperes()
    assert len(times) == 16 and abs(times[0] - 77e-4) < 1e-4
    start = 0.0
    for t in times:
        edges = np.arange(int(start / book.DT), int(t / book.DT) + 2) * book.DT
        edges = np.clip(edges, start, t)
        v = book.REST
        for a, b in zip(edges, edges[1:], strict=False):
            end = book.REST + 1e3 * current[int((a + b) / 2 / book.DT)]
            v = end + (v - end) * np.exp((a - b) / 5e-3)
        assert v == pytest.approx(book.THRESHOLD, abs=1e-13)
        start = t + 1e-3


def test_book_paints_the_drawing_only() -> None:
    found = book.as_in_the_book()
    shown = book.painted(found.v, found.spikes)
    assert (shown[found.spikes] == book.PAINT).all()
    assert np.count_nonzero(shown != found.v) == 15 and found.v.max() < -0.03


# --------------------------------------------------------------------------------- rate curves

SIZE = rates.Size(30, 2.0)


def off(points: rates.Points, least: float = 2.0) -> tuple[Any, Any, Any]:
    """Return what rates are off from theory, their errors, and theory, of rates above ``least``."""
    seen = points.theory > least
    assert np.count_nonzero(seen) >= 4
    return tuple(x[seen] for x in (points.rate - points.theory, points.error, points.theory))


@pytest.mark.parametrize("sigma", rates.WHITE)
def test_rates_in_white_noise(sigma: float) -> None:
    difference, error, expected = off(rates.white_float(sigma, SIZE, 3))
    assert (np.abs(difference) < 4 * error + 0.005 * expected).all()
    difference, error, expected = off(rates.white_fixed(sigma, SIZE, 3))
    assert (np.abs(difference) < 4 * error + 0.02 * expected).all()


def test_rates_need_the_corrections() -> None:
    """Continuous theory, and a theory of integers that leaves out rounding, are refuted."""
    real, whole = rates.white_float(5e-3, SIZE, 3), rates.white_fixed(5e-3, SIZE, 3)
    siegert = theory.siegert(rates.MU, 5e-3, **rates.CELL)
    assert (siegert[4:] - real.rate[4:] > 0.015 * siegert[4:]).all()
    assert (whole.rate[3:] < 0.85 * real.rate[3:]).all()


def test_rates_by_synapses() -> None:
    real, whole = rates.filtered_both(3e-3, SIZE, 3)
    for points in (real, whole):
        difference, error, expected = off(points)
        assert (np.abs(difference) < 4 * error + 0.02 * expected).all()
    lines = rates.curves("filtered", 3e-3)
    at = np.searchsorted(rates.FINE, rates.MU - 1e-9)
    decayed = lines["-."][at]
    assert (decayed[5:] < lines["-"][at][5:]).all()
    assert (np.abs(real.rate - decayed)[3:] < 4 * real.error[3:] + 0.02 * decayed[3:]).all()


def test_rates_poisson_drive_is_what_it_says() -> None:
    exc, inh = rates.poisson_rates(3e-3)
    weight = rates.WEIGHT[3e-3]
    np.testing.assert_allclose(rates.TAU * weight * (exc - inh), rates.MU, rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(rates.TAU * weight**2 * (exc + inh)), 3e-3, rtol=1e-12)


def test_brunel_rates() -> None:
    for g, eta in rates.BRUNEL:
        found = rates.brunel(g, eta)
        golden = GOLDEN["brunel_A.rate_Hz"][f"{g:g},{eta:g}"]
        np.testing.assert_allclose(found.nu, golden, rtol=1e-8)
        assert 0.9 * golden < rates.brunel_in_steps(g, eta) < golden


# ------------------------------------------------------------------------- integrators and proofs


@pytest.mark.parametrize("kind", ("euler", "exp-euler", "off grid"))
def test_first_order(kind: str) -> None:
    found = integrators.errors(kind)
    assert integrators.order(found.voltage) == pytest.approx(1.0, abs=0.1)
    assert integrators.order(found.lateness) == pytest.approx(1.0, abs=0.2)


def test_exact_propagator_is_exact_on_the_grid_but_for_spike_times() -> None:
    found = integrators.errors("exact")
    assert found.voltage.max() < 1e-14  # V; the others have 1e-3 at steps of 1 ms
    assert integrators.order(found.lateness) == pytest.approx(1.0, abs=0.2)
    assert (found.lateness > 0).all() and (found.lateness < integrators.STEPS).all()


def test_proofs_are_never_false_and_say_much() -> None:
    kept = []
    for bits in (6, 12):
        found = integrators.proof(bits, 150, seed=8)
        assert found.false == 0
        assert found.proved[-1].sum() > 0.9 * found.equal[-1].sum()
        kept.append(found.equal[-1].sum())
    assert 0 < kept[0] < kept[1] < 200


# ----------------------------------------------------------------------------------- the scripts


@pytest.mark.parametrize(
    ("script", "arguments", "files"),
    (
        (orhan, ["--trials", "50", "--figure", "1", "--figure", "3"], ["orhan_1", "orhan_3"]),
        (blog, [], ["blog_never", "blog_table"]),
        (book, ["--paint"], ["book"]),
        (integrators, [], ["certificate", "integrators"]),
    ),
)
def test_scripts_draw(
    script: Any, arguments: list[str], files: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    script.main([*arguments, "--out", str(tmp_path / "new")])
    assert sorted(p.stem for p in (tmp_path / "new").iterdir()) == files
    assert all(p.stat().st_size > 10_000 for p in (tmp_path / "new").iterdir())
    assert len(capsys.readouterr().out.splitlines()) > 5
