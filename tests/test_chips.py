"""Chips as data: what their simulators and RTL computed comes out of their profiles, bit for bit.

Every recorded value in all engines, single rules of a profile changed and caught, and random event
streams on which the engines must agree in every register, spike and overflow.
"""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_networks import random_chip
from chips import (
    Case,
    Section,
    UnknownRecording,
    cases_of,
    differences,
    load_sections,
    recorded_values,
    sections_of,
)
from conftest import DATA
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_fixed import first_difference

import neuro_lif as nl
from neuro_lif.kernel import native

SHIPPED = DATA / "chips"
CHIPS = ("catalyst-n1", "dynapcnn", "odin", "reckon", "tinyodin", "truenorth", "xylo-v1", "xylo-v2")
VALUES = {"catalyst-n1": 5280, "dynapcnn": 3000, "odin": 4000, "tinyodin": 4000, "reckon": 10000,
          "truenorth": 756, "xylo-v1": 23198, "xylo-v2": 34422}  # fmt: skip
"""Recorded values in the shipped files (TrueNorth's 378 under two rules)."""

Engine = Callable[..., nl.Recording]


def folder_of(config: pytest.Config) -> Path:
    """The folder to replay: --chips, NEURO_LIF_CHIPS, or what ships."""
    given_one = config.getoption("chips", None) or os.environ.get("NEURO_LIF_CHIPS")
    return Path(given_one) if given_one else SHIPPED


class NoRecording:
    """A file that no adapter knows: its test fails, and the other files are replayed."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.why = f"{path.name}: {type(error).__name__}: {error}"


def recordings(folder: Path) -> list[tuple[str, Section]]:
    """Every section of every file of a folder with its name."""
    found = read(folder)
    for _, section in found:
        if isinstance(section, NoRecording):
            raise UnknownRecording(section.why)
    return [(name, section) for name, section in found if isinstance(section, Section)]


def read(folder: Path) -> list[tuple[str, Section | NoRecording]]:
    """Every section of every file of a folder, and every file that is not understood."""
    found: list[tuple[str, Section | NoRecording]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found += [(f"{path.stem}:{s.profile}", s) for s in load_sections(path)]
        except Exception as error:  # a damaged file may be anything
            found.append((path.stem, NoRecording(path, error)))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "section" in metafunc.fixturenames:
        found = read(folder_of(metafunc.config))
        metafunc.parametrize("section", [s for _, s in found], ids=[name for name, _ in found])


def run(engine: Engine, case: Case) -> nl.Recording:
    return engine(case.fixed, case.n_steps, case.inputs, record="registers")


# ------------------------------------------------------------------------- recorded values


def test_there_is_something_to_replay(request: pytest.FixtureRequest) -> None:
    folder = folder_of(request.config)
    found = read(folder)
    assert any(isinstance(s, Section) for _, s in found), f"no recording of a chip in {folder}"
    if folder == SHIPPED:
        found = recordings(folder)
        assert len(list(folder.glob("*.json"))) == 6
        assert {s.profile: recorded_values(s) for _, s in found} == VALUES


@pytest.mark.parametrize(
    "text", ['{"meta": {}, "new_chip": []}', "{", "[]", '{"meta": 1, "cases": []}', "\x00"]
)
def test_a_file_that_no_adapter_knows_fails(text: str, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(text)
    ((_, section),) = read(tmp_path)
    with pytest.raises(pytest.fail.Exception, match="new.json: "):
        test_every_recorded_value(section, run_numpy)
    with pytest.raises(UnknownRecording, match="new.json: "):
        recordings(tmp_path)


def run_kernel(*args: Any, **more: Any) -> nl.Recording:
    """Run a network in the compiled kernel."""
    return nl.run_fixed(*args, engine="kernel", **more)


def run_numpy(*args: Any, **more: Any) -> nl.Recording:
    """Run a network in the numpy engine."""
    return nl.run_fixed(*args, engine="numpy", **more)


EMULATORS = [
    run_numpy,
    pytest.param(run_kernel, marks=pytest.mark.skipif(
        native() is None, reason="the compiled kernel was not built")),
]  # fmt: skip


@pytest.mark.parametrize("emulator", EMULATORS)
def test_every_recorded_value(section: Section | NoRecording, emulator: Engine) -> None:
    """Definition and emulator give every value of the file, and count the same overflows."""
    if isinstance(section, NoRecording):
        pytest.fail(section.why)
    wrong, cases, compared = [], cases_of(section), 0
    for case in cases:
        expected, found = run(nl.run_semantics, case), run(emulator, case)
        wrong += [f"definition: {line}" for line in differences(case, expected)]
        wrong += [f"emulator: {line}" for line in differences(case, found)]
        assert expected.events == found.events, case.id
        compared += case.n_values
    assert not wrong, "\n".join([f"{section.profile}: the first differences", *wrong[:20]])
    print(f"{section.profile}: {compared} values of {len(cases)} cases equal")
    assert compared == recorded_values(section) > 0


def test_several_samples_at_once_are_the_samples_one_by_one() -> None:
    for name in ("xylo-v2", "reckon"):
        fixed = random_chip(np.random.default_rng(7), nl.load_profile(name), 12)
        rasters = {s.name: np.asarray(s.raster) for s in fixed.sources}
        batch = {k: np.stack([v, np.roll(v, 1, axis=0), 0 * v]) for k, v in rasters.items()}
        together = nl.run_fixed(fixed, 12, batch, record="registers")
        for k in range(3):
            alone = nl.run_semantics(fixed, 12, {n: b[k] for n, b in batch.items()},
                                     record="registers")  # fmt: skip
            assert first_difference(alone, together.sample(k)) is None


# ------------------------------------------------------------------------ adapters refuse


def shipped_section(profile: str) -> Section:
    return next(s for _, s in recordings(SHIPPED) if s.profile == profile)


def places(node: Any) -> Iterator[dict[str, Any]]:
    """The first table of each kind in a section's data."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from places(value)
    elif isinstance(node, list) and node:
        yield from places(node[0])


@pytest.mark.parametrize("profile", ["xylo-v2", "catalyst-n1", "dynapcnn", "reckon", "truenorth"])
def test_a_key_that_no_adapter_knows_is_refused(profile: str) -> None:
    section = shipped_section(profile)
    for k in range(len(list(places(section.data)))):
        for change in (lambda table: table.update(more=1), lambda table: table.popitem()):
            data = copy.deepcopy(section.data)
            change(list(places(data))[k])
            with pytest.raises((UnknownRecording, KeyError)):
                cases_of(Section(section.kind, section.profile, data))


def test_what_is_no_recording_is_refused() -> None:
    for data in ({"schema": "hw-profile-draft/1"}, [], 3, {"meta": "", "rows2": []}):
        with pytest.raises(UnknownRecording):
            sections_of(data)
    with pytest.raises(UnknownRecording, match=r"unknown \['more'\]"):
        sections_of({"meta": "", "odin": [], "more": 1})


def test_rows_of_another_length_are_refused() -> None:
    section = shipped_section("odin")
    with pytest.raises(ValueError):
        cases_of(Section("odin", "odin", [[*section.data[0], 0]]))


# --------------------------------------------------------------------- one rule changed

SAT, WRAP = 'ovf = [{ mode = "sat" }]', 'ovf = [{ mode = "wrap" }]'
SHIFT_WRAP, SHIFT_SAT = f"shift_{WRAP}", f"shift_{SAT}"
ACC = '{ op = "acc", reg = "REG", port = "PORT", shift = "SHIFT", '
FIRE0 = '{ op = "fire", reg = "v", thr = "thr", cmp = ">=", reset = "value", value = 0 }'
N1_FIRE = FIRE0.replace("value = 0", 'value = "rest", ref = "refract"')
N1_CHOICE = (
    '{ op = "if", src = "WHICH", cmp = "!=", then = [{ op = "set", reg = "c", value = 1 }] },'
)
FIRE_MIN = FIRE0.replace(", reset", ", min_v = 0, reset")


def acc(reg: str, port: str, shift: str) -> str:
    return ACC.replace("REG", reg).replace("PORT", port).replace("SHIFT", shift)


def once_for_the_sum(reg: str, port: str, shift: str, cap: int) -> tuple[str, str]:
    """An `each` that adds events one by one, and an `acc` of their sum."""
    one = acc(reg, port, shift)
    return (
        f'{{ op = "each", ports = ["{port}"], cap = {cap}, do = [{one}{SHIFT_WRAP}, {SAT} }}] }}',
        f"{one}{SHIFT_WRAP}, {SAT} }}",
    )


MUTATIONS: dict[str, tuple[str, str, str]] = {
    # Xylo
    "input cap 16": ("xylo-v2", 'ports = ["in0"], cap = 15', 'ports = ["in0"], cap = 16'),
    "input cap 14": ("xylo-v2", 'ports = ["in0"], cap = 15', 'ports = ["in0"], cap = 14'),
    "input cap 16, synapse 2": ("xylo-v2", '["in1"], cap = 15', '["in1"], cap = 16'),
    "input cap 16, v1": ("xylo-v1", 'ports = ["in0"], cap = 15', 'ports = ["in0"], cap = 16'),
    "recurrent cap 30": ("xylo-v2", 'ports = ["rec0"], cap = 31', 'ports = ["rec0"], cap = 30'),
    "recurrent cap 32": ("xylo-v2", 'ports = ["rec0"], cap = 31', 'ports = ["rec0"], cap = 32'),
    "recurrent cap 30, synapse 2": ("xylo-v2", '["rec1"], cap = 31', '["rec1"], cap = 30'),
    "hidden cap 30": ("xylo-v2", 'multi = "loop", cap = 31', 'multi = "loop", cap = 30'),
    "hidden cap 32": ("xylo-v2", 'multi = "loop", cap = 31', 'multi = "loop", cap = 32'),
    "one spike in a step": ("xylo-v1", 'multi = "loop", cap = 31', 'multi = "once", cap = 31'),
    "two output spikes": ("xylo-v2", 'cmp = ">=", reset = "subtract"',
                          'cmp = ">=", multi = "loop", cap = 2, reset = "subtract"'),
    "alias cap 30": ("xylo-v2", "alias_cap = 31", "alias_cap = 30"),
    "alias cap 30, v1": ("xylo-v1", "alias_cap = 31", "alias_cap = 30"),
    "shifted weight saturates": (
        "xylo-v2", acc("u0", "in0", "shift_in") + SHIFT_WRAP,
        acc("u0", "in0", "shift_in") + SHIFT_SAT),
    "current wraps": (
        "xylo-v2", acc("u0", "in0", "shift_in") + SHIFT_WRAP + ", " + SAT,
        acc("u0", "in0", "shift_in") + SHIFT_WRAP + ", " + WRAP),
    "recurrent current wraps": (
        "xylo-v1", acc("u0", "rec0", "shift_rec") + SHIFT_WRAP + ", " + SAT,
        acc("u0", "rec0", "shift_rec") + SHIFT_WRAP + ", " + WRAP),
    "recurrent events summed": ("xylo-v2", *once_for_the_sum("u0", "rec0", "shift_rec", 31)),
    "output events summed": ("xylo-v2", *once_for_the_sum("u0", "rec0", "shift_out", 31)),
    "no least step, current": (
        "xylo-v2", 'd = "dash_syn0", min_step = 1', 'd = "dash_syn0", min_step = 0'),
    "no least step, voltage": (
        "xylo-v2", 'd = "dash_mem", min_step = 1', 'd = "dash_mem", min_step = 0'),
    "synapse 2 decays as 1": ("xylo-v2", 'd = "dash_syn1"', 'd = "dash_syn0"'),
    "current decays after its use": (
        "xylo-v1",
        '  { op = "decay", reg = "u0", kind = "shift", d = "dash_syn0", min_step = 1 },\n'
        '  { op = "decay", reg = "u1", kind = "shift", d = "dash_syn1", min_step = 1 },\n'
        '  { op = "copy", reg = "s", src = "u0" },\n',
        '  { op = "copy", reg = "s", src = "u0" },\n'
        '  { op = "decay", reg = "u0", kind = "shift", d = "dash_syn0", min_step = 1 },\n'
        '  { op = "decay", reg = "u1", kind = "shift", d = "dash_syn1", min_step = 1 },\n'),
    "change of v saturates": (
        "xylo-v2", f'd = "dash_mem", min_step = 1, {WRAP}', f'd = "dash_mem", min_step = 1, {SAT}'),
    "change is not bounded": (
        "xylo-v2",
        f'reg = "d", src = "s", {SAT} }},\n  {{ op = "add", reg = "d", src = "bias", {SAT} }}',
        'reg = "d", src = "s" },\n  { op = "add", reg = "d", src = "bias" }'),
    "change is bounded after the bias": (
        "xylo-v2", f'reg = "d", src = "s", {SAT}', 'reg = "d", src = "s"'),
    "v wraps": ("xylo-v2", f'reg = "v", src = "d", {SAT}', f'reg = "v", src = "d", {WRAP}'),
    "v wraps, v1": ("xylo-v1", f'reg = "v", src = "s", {SAT}', f'reg = "v", src = "s", {WRAP}'),
    "v1 decays as v2": (
        "xylo-v1",
        '  { op = "decay", reg = "v", kind = "shift", d = "dash_mem", min_step = 1 },\n'
        f'  {{ op = "add", reg = "v", src = "s", {SAT} }},\n',
        f'  {{ op = "add", reg = "v", src = "s", {SAT} }},\n'
        '  { op = "decay", reg = "v", kind = "shift", d = "dash_mem", min_step = 1 },\n'),
    "Xylo compares with >": ("xylo-v2", 'cmp = ">=", multi', 'cmp = ">", multi'),
    "reset saturates": (
        "xylo-v2", f'cap = 31, reset = "subtract", {WRAP}', f'cap = 31, reset = "subtract", {SAT}'),
    "inputs a step later": ("xylo-v2", "input_latency = 0", "input_latency = 1"),
    # Catalyst N1
    "u rounds away from zero": (
        "catalyst-n1", 'd = "du", k = 12, round = "floor_then_raz"',
        'd = "du", k = 12, round = "raz"'),
    "v rounds away from zero": (
        "catalyst-n1", 'd = "dv", k = 12, round = "floor_then_raz"',
        'd = "dv", k = 12, round = "raz"'),
    "v rounds down": (
        "catalyst-n1", 'd = "dv", k = 12, round = "floor_then_raz"',
        'd = "dv", k = 12, round = "floor"'),
    "u keeps a product": (
        "catalyst-n1", 'reg = "u", kind = "mult_step"', 'reg = "u", kind = "mult_keep"'),
    "new current": ("catalyst-n1", 'reg = "v", src = "uo"', 'reg = "v", src = "u"'),
    "plain path compares with >": (
        "catalyst-n1", f'{N1_FIRE},\n      {{ op = "floor"',
        f'{N1_FIRE},\n      {{ op = "floor"'.replace(">=", ">")),
    "current path compares with >": (
        "catalyst-n1", f"{N1_FIRE},\n    ] }},", f"{N1_FIRE},\n    ] }},".replace(">=", ">")),
    "bias is added while refractory": (
        "catalyst-n1", '{ op = "sub", reg = "v"', '{ op = "add", reg = "v"'),
    "rest below zero only": ("catalyst-n1", 'level = 0, cmp = "<="', 'level = 0, cmp = "<"'),
    "no upper bound": ("catalyst-n1", 'hi = "vmax" }', "hi = 32767 }"),
    "no lower bound": ("catalyst-n1", 'lo = "vmin", hi', "lo = -32768, hi"),
    "no refractory period": (
        "catalyst-n1", 'value = "rest", ref = "refract" },\n      { op = "floor"',
        'value = "rest" },\n      { op = "floor"'),
    "relative is absolute": (
        "catalyst-n1", '{ op = "if", src = "relative", cmp = "!=",',
        '{ op = "if", src = "relative", cmp = ">", level = 1,'),
    "reset to zero": (
        "catalyst-n1", 'value = "rest", ref = "refract" },\n    ] },',
        'value = 0, ref = "refract" },\n    ] },'),
    "plain path keeps u": ("catalyst-n1", '    { op = "set", reg = "u", value = 0 },\n', ""),
    "bias alone takes the plain path": (
        "catalyst-n1", N1_CHOICE.replace("WHICH", "bias_mant"), ""),
    "bias exponent alone takes the plain path": (
        "catalyst-n1", N1_CHOICE.replace("WHICH", "bias_exp"), ""),
    "accumulator saturates": (
        "catalyst-n1", f'reg = "u", sum_{WRAP}, {WRAP}', f'reg = "u", sum_{SAT}, {SAT}'),
    # DYNAP-CNN
    "lower bound before the spikes": (
        "dynapcnn", '  { op = "add", reg = "a", src = "bias" },\n',
        '  { op = "add", reg = "a", src = "bias" },\n'
        '  { op = "floor", reg = "a", level = "v_low", cmp = "<", value = "thr" },\n'),
    "bias after the spikes": (
        "dynapcnn",
        '  { op = "add", reg = "a", src = "bias" },\n  { op = "fire", reg = "a", thr = "thr", '
        'cmp = ">=", multi = "loop", cap = 32767, reset = "subtract" },\n',
        '  { op = "fire", reg = "a", thr = "thr", cmp = ">=", multi = "loop", cap = 32767, '
        'reset = "subtract" },\n  { op = "add", reg = "a", src = "bias" },\n'),
    "DYNAP-CNN compares with >": ("dynapcnn", 'cmp = ">=", multi', 'cmp = ">", multi'),
    "at most three spikes": ("dynapcnn", "cap = 32767", "cap = 3"),
    "reset to zero in a layer": (
        "dynapcnn", 'cap = 32767, reset = "subtract"', 'cap = 32767, reset = "value", value = 0'),
    "no lower bound in a layer": (
        "dynapcnn", 'level = "v_low", cmp = "<", value = "v_low"', 'level = -9999, cmp = "<"'),
    # ODIN, tinyODIN
    "ODIN wraps": ("odin", f'reg = "v", {SAT}', f'reg = "v", {WRAP}'),
    "ODIN's leak wraps": ("odin", f'd = "leak", {SAT}', f'd = "leak", {WRAP}'),
    "ODIN compares with >": ("odin", f"{SAT} }},\n    {FIRE0}",
                             f"{SAT} }},\n    {FIRE0.replace('>=', '>')}"),
    "no compare after the leak": ("odin", f"{SAT} }}] }},\n    {FIRE0},", f"{SAT} }}] }},"),
    "no compare without an event": ("odin", f'["idle"], do = [\n    {FIRE0},', '["idle"], do = ['),
    "leak always": ("odin", 'src = "leak_en", cmp = "!="', 'src = "leak_en", cmp = ">="'),
    "tinyODIN wraps": ("tinyodin", f'reg = "v", {SAT}', f'reg = "v", {WRAP}'),
    "leak below zero": ("tinyodin", '"linear_to_zero", d = "leak"', '"linear", d = "leak"'),
    "tinyODIN compares with >": ("tinyodin", f"{SAT} }},\n    {FIRE_MIN}",
                                 f"{SAT} }},\n    {FIRE_MIN.replace('>=', '>')}"),
    "a negative v may fire": ("tinyodin", "min_v = 0, ", ""),
    # ReckOn
    "compare after the leak": ("reckon", 'cmp_reg = "c", ', ""),
    "alpha rounds toward zero": (
        "reckon", 'd = "alpha", k = 15, round = "floor"', 'd = "alpha", k = 15, round = "rtz"'),
    "kappa rounds toward zero": (
        "reckon", 'd = "kappa", k = 7, round = "floor"', 'd = "kappa", k = 7, round = "rtz"'),
    "reset modes exchanged": (
        "reckon", 'src = "rst_mode", cmp = "=="', 'src = "rst_mode", cmp = "!="'),
    "u wraps": ("reckon", f'reg = "v", src = "w", {SAT}', f'reg = "v", src = "w", {WRAP}'),
    "output wraps": ("reckon", f'shift = "fp_out", {SAT}', f'shift = "fp_out", {WRAP}'),
    "subtraction saturates": (
        "reckon", f'reset = "subtract", {WRAP}', f'reset = "subtract", {SAT}'),
    "ReckOn compares with >": (
        "reckon", 'cmp = ">=", reset = "subtract"', 'cmp = ">", reset = "subtract"'),
    "weights saturate one by one": (
        "reckon",
        f'    {{ op = "acc", reg = "w", port = "rec", shift = "fp_rec", {SAT} }},\n'
        f'    {{ op = "add", reg = "v", src = "w", {SAT} }},\n',
        f'    {{ op = "add", reg = "v", src = "w", {SAT} }},\n'
        f'    {{ op = "acc", reg = "v", port = "rec", shift = "fp_rec", {SAT} }},\n'),
    "sum of two weights is not bounded": ("reckon", f'shift = "fp_rec", {SAT}', 'shift = "fp_rec"'),
    "leak is not bounded": (
        "reckon", f'd = "alpha", k = 15, round = "floor", {WRAP}',
        'd = "alpha", k = 15, round = "floor"'),
    # TrueNorth
    "leak after the threshold": (
        "truenorth",
        '  { op = "add", reg = "v", src = "leak" },\n  { op = "if", src = "v", cmp = ">="',
        '  { op = "if", src = "v", cmp = ">="'),
    "reset potential not negated": (
        "truenorth", 'cmp = "<", value = "-reset"', 'cmp = "<", value = "reset"'),
    "negative side set to zero": (
        "truenorth", 'cmp = "<", action = "subtract", value = "neg_thr"', 'cmp = "<", value = 0'),
    "TrueNorth compares with >": ("truenorth", 'src = "v", cmp = ">=", level = "thr"',
                                  'src = "v", cmp = ">", level = "thr"'),
    "modes exchanged": (
        "truenorth", 'then = [\n    { op = "if", src = "reset_mode", cmp = "=="',
        'then = [\n    { op = "if", src = "reset_mode", cmp = "!="'),
    "at or below the negative threshold": ("truenorth", 'level = "neg_thr", cmp = "<", action',
                                           'level = "neg_thr", cmp = "<=", action'),
}  # fmt: skip

SURVIVORS = {
    "recurrent cap 32": "counts of hidden neurons never exceed 31, the cap of fire and of aliases",
    "change of v saturates": "needs v = -32768 with dash_mem = 0 on v2; recorded on v1 only",
    "change is bounded after the bias": "no recorded bias is opposed to a change out of range",
    "reset saturates": "needs a negative threshold and v near 32767",
    "rest below zero only": "every recorded neuron of the plain path rests at 0",
    "no lower bound": "no recorded v falls below its lower bound",
    "plain path keeps u": "u starts at 0 and nothing else changes it there",
    "bias exponent alone takes the plain path": "no recorded neuron has an exponent alone",
    "accumulator saturates": "the recorded currents stay far below 24 bits",
    "DYNAP-CNN compares with >": "no recorded v meets the threshold exactly",
    "tinyODIN compares with >": "no recorded v meets the threshold exactly by a synapse",
    "a negative v may fire": "the same: the threshold is not negative",
    "subtraction saturates": "every recorded threshold of ReckOn is above 0",
    "ReckOn compares with >": "no recorded u meets the threshold exactly where it is subtracted",
    "sum of two weights is not bounded": "the same: two 8-bit weights shifted by 7 fit 16 bits",
    "leak is not bounded": "every recorded alpha is at most 1",
    "TrueNorth compares with >": "no recorded potential meets the threshold exactly",
    "at or below the negative threshold": "the recording came out under both rules",
}
"""Changes that the recordings cannot tell, and why."""


@functools.cache
def cases(profile: str) -> list[Section]:
    return [s for _, s in recordings(SHIPPED) if s.profile == profile]


def mutated(name: str, folder: Path) -> nl.HardwareProfile:
    profile, old, new = MUTATIONS[name]
    text = nl.available_profiles()[profile].read_text("utf-8")
    assert old in text and old != new
    path = folder / f"{profile}.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return nl.load_profile(path)


def first_wrong(profile: nl.HardwareProfile) -> str | None:
    """The first value that a profile gets wrong, or None."""
    for section in cases(profile.name):
        for case in cases_of(section, lambda _: profile):
            found = differences(case, run(nl.run_semantics, case))
            if found:
                return found[0]
    return None


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_changed_rule_is_caught(name: str, tmp_path: Path) -> None:
    found = first_wrong(mutated(name, tmp_path))
    assert (found is None) == (name in SURVIVORS), found or "nothing recorded tells this change"


# ------------------------------------------------------------- every chip, random events


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), n_steps=st.integers(1, 12))
def test_engines_agree_on_random_events(chip: str, seed: int, n_steps: int) -> None:
    fixed = random_chip(np.random.default_rng(seed), nl.load_profile(chip), n_steps)
    expected = nl.run_semantics(fixed, n_steps, record="registers")
    found = run_numpy(fixed, n_steps, record="registers")
    assert first_difference(expected, found) is None
    assert expected.events == found.events


# ------------------------------------------------------------------- events in networks


@pytest.mark.parametrize("chip", ["odin", "tinyodin"])
@pytest.mark.parametrize("engine", [nl.run_semantics, *EMULATORS])
def test_events_of_one_step_are_events_of_many_steps(chip: str, engine: Engine) -> None:
    """Event-serial chips: how events are grouped into steps does not matter, their order does."""
    rng, n, events = np.random.default_rng(3), 30, 25
    profile = nl.load_profile(chip)
    lo, hi = profile.weights.mode_range("mixed")
    neurons = nl.FixedPopulation("n", n, params={"thr": rng.integers(5, 30, n)},
                                 init={"v": rng.integers(0, 40, n)})  # fmt: skip
    weights = rng.integers(lo, hi + 1, (n, events)) + 0
    fixed = nl.FixedNetwork(
        profile, (neurons,),
        (nl.FixedProjection("w", "x", "n", weights, sign_mode="mixed"),),
        (nl.FixedSource("x", events),),
    )  # fmt: skip
    together = engine(fixed, 1, {"x": np.ones((1, events), int)}, record="registers")
    apart = engine(fixed, events, {"x": np.eye(events, dtype=int)}, record="registers")
    assert np.array_equal(together.trace("n", "v")[-1], apart.trace("n", "v")[-1])
    assert np.array_equal(together.spikes["n"][0], apart.spikes["n"].sum(axis=0))
    assert together.spikes["n"].max() > 1


@pytest.mark.parametrize("engine", [nl.run_semantics, *EMULATORS])
def test_a_neuron_spikes_as_often_as_it_has_events(engine: Engine) -> None:
    fixed = nl.FixedNetwork(
        nl.load_profile("odin"), (nl.FixedPopulation("n", 1, params={"thr": 0}),),
        (nl.FixedProjection("w", "x", "n", np.array([[1]]), graded=True),),
        (nl.FixedSource("x", 1),),
    )  # fmt: skip
    assert engine(fixed, 1, {"x": np.array([[33000]])}).spikes["n"].tolist() == [[33000]]


def saturated(x: int) -> int:
    return max(-32768, min(32767, x))


def wrapped(x: int) -> int:
    return (x + 32768) % 65536 - 32768


def reckon_by_index(net: dict[str, Any], raster: Any) -> tuple[Any, Any, Any]:
    """ReckOn's loop as its RTL writes it: index by index, input and recurrent weight together."""
    n, n_out, n_in = len(net["wr"]), len(net["wo"]), net["wi"].shape[1]
    u, out, z = [0] * n, [0] * n_out, [0] * n
    rows = ([], [], [])  # type: tuple[list[Any], list[Any], list[Any]]
    for events in raster:
        for i in range(max(n, n_in)):
            inp, rec = i < n_in and events[i], i < n and z[i]
            for j in range(n):
                both = (int(net["wi"][j, i]) << net["fp_inp"]) if inp else 0
                both += (int(net["wr"][j, i]) << net["fp_rec"]) if rec else 0
                u[j] = saturated(u[j] + saturated(both))
            for k in range(n_out if rec else 0):
                out[k] = saturated(out[k] + (int(net["wo"][k, i]) << net["fp_out"]))
        z = [int(a >= b) for a, b in zip(u, net["thr"], strict=True)]
        leaked = [wrapped((a * int(b)) >> 15) for a, b in zip(u, net["alpha"], strict=True)]
        after = [0 if net["rst_mode"] else wrapped(a - int(b))
                 for a, b in zip(leaked, net["thr"], strict=True)]  # fmt: skip
        u = [a if s else b for s, a, b in zip(z, after, leaked, strict=True)]
        out = [wrapped((a * net["kappa"]) >> 7) for a in out]
        for row, values in zip(rows, (u, z, out), strict=True):
            row.append(list(values))
    return rows


@pytest.mark.parametrize("engine", [nl.run_semantics, *EMULATORS])
def test_reckon_adds_both_weights_of_an_index_before_it_saturates(engine: Engine) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        (n_in, n, n_out), n_steps = rng.integers(3, 12, 3).tolist(), 15
        net: dict[str, Any] = {
            "wi": rng.integers(-128, 128, (n, n_in)), "wr": rng.integers(-128, 128, (n, n)),
            "wo": rng.integers(-128, 128, (n_out, n)), "alpha": rng.integers(28672, 36864, n),
            "thr": rng.integers(-2000, 30000, n), "rst_mode": seed % 2,
            "kappa": int(rng.integers(100, 256)),
        } | {name: int(rng.integers(4, 8)) for name in ("fp_inp", "fp_rec", "fp_out")}  # fmt: skip
        hidden = {k: net[k] for k in ("alpha", "thr", "rst_mode", "fp_inp", "fp_rec")}
        output = {k: net[k] for k in ("kappa", "fp_out")}
        fixed = nl.FixedNetwork(
            nl.load_profile("reckon"),
            (nl.FixedPopulation("h", n, "hidden", hidden),
             nl.FixedPopulation("o", n_out, "output", output)),
            (nl.FixedProjection("i", "x", "h", net["wi"], port="inp"),
             nl.FixedProjection("r", "h", "h", net["wr"], port="rec"),
             nl.FixedProjection("o", "h", "o", net["wo"], port="rec")),
            (nl.FixedSource("x", n_in),),
        )  # fmt: skip
        raster = (rng.random((n_steps, n_in)) < 0.6).astype(int)
        u, z, out = reckon_by_index(net, raster)
        run_of = engine(fixed, n_steps, {"x": raster}, record="registers")
        assert run_of.trace("h", "v").tolist() == u
        assert run_of.spikes["h"].tolist() == z
        assert run_of.trace("o", "v").tolist() == out


def test_no_chip_is_named_in_the_code() -> None:
    package = Path(nl.__file__).parent
    names = ("xylo", "dynap", "odin", "reckon", "catalyst", "truenorth", "ranc")
    for path in package.rglob("*.py"):
        words = path.read_text("utf-8").lower().replace("_", " ").split()
        assert not [n for n in names if n in words], path
