"""Networks built so that one rung alone errs, in one population: both are named."""

from __future__ import annotations

import pytest
from ladder_cases import DT, POPULATIONS, cases

from neuro_lif.ladder import ladder

CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_the_rung_and_the_population_are_named(name: str) -> None:
    case = CASES[name]()
    found = ladder(case.network, case.fixed, dt=DT, inputs=case.inputs, exact=case.timed,
                   gain_compensation=case.compensated)  # fmt: skip
    assert found.total.changed > 0
    for rung in found.rungs:
        if rung.name != case.rung:
            assert rung.changed == rung.changed_own == 0, rung.name
    assert (found.verdict.rung, found.verdict.population) == (case.rung, case.population)
    worst = found.rung(case.rung)
    # without steps, what b hears at two times of one step it hears at once in the next run, so that
    # it has an error of its own, if a smaller one
    for p in POPULATIONS if not case.timed else ():
        assert (worst.of(p).changed_own > 0) == (p == case.population), p
