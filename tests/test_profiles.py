"""Hardware profiles: what ships is whole and sourced, what a user writes is checked at once."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest

from neuro_lif import available_profiles, load_profile
from neuro_lif.errors import LoweringError, ProfileError
from neuro_lif.lower.form import lif_form
from neuro_lif.numerics import walk
from neuro_lif.op_models import Op
from neuro_lif.profile import check_profile, profile_schema
from neuro_lif.profile_model import HardwareProfile, Parameter, Register, Sourced, Status

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = sorted(available_profiles())


def raw(name: str) -> dict[str, Any]:
    return tomllib.loads(available_profiles()[name].read_text("utf-8"))


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    """The published JSON schema, itself checked."""
    schema = profile_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def schema_faults(document: dict[str, Any]) -> list[str]:
    """The places at which a document does not follow the published JSON schema."""
    found = validator().iter_errors(json.loads(json.dumps(document)))
    return [".".join(map(str, error.absolute_path)) for error in found]


def filled(document: Any, values: dict[str, Any]) -> Any:
    """A document with its "$name" texts replaced, as a loaded profile has them."""
    if isinstance(document, dict):
        return {k: filled(v, values) for k, v in document.items()}
    if isinstance(document, list):
        return [filled(v, values) for v in document]
    if isinstance(document, str) and document.startswith("$"):
        return values[document[1:]]
    return document


# ----------------------------------------------------------------------------- shipped


def test_the_profiles_that_ship() -> None:
    assert {"generic", "lava-0.10", "loihi1", "loihi2"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_valid_and_named_after_its_file(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert check_profile(profile) == []
    assert profile.title and profile.sources and profile.exclusions
    for model in profile.models:
        assert walk(profile.ops(model))


def sourced_tables(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every table of a file that holds a number, but for what has a source around it."""
    found = []
    for key, value in node.items():
        where = f"{path}.{key}".lstrip(".")
        if not isinstance(value, dict) or where in ("config", "sources"):
            continue
        if "source" in value:
            found.append((where, value))
        elif any(isinstance(v, (int, float)) for v in value.values()):
            found.append((where, value))  # a number without a source: the test will say so
        else:
            found += sourced_tables(value, where)
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_has_a_source_and_a_status(name: str) -> None:
    document = raw(name)
    tables = sourced_tables(document)
    assert len(tables) >= len(document["registers"]) + len(document["params"]) + 3
    for where, table in tables:
        assert table.get("status") in get_args(Status), where
        for source in table["source"].split(","):
            assert len(document["sources"][source.strip()]) > 10, f"{where}: {source}"


def test_each_kind_of_number_must_have_a_source() -> None:
    for model in (Register, Parameter, *Sourced.__subclasses__()):
        required = {n for n, f in model.model_fields.items() if f.is_required()}
        assert {"source", "status"} <= required, model


@pytest.mark.parametrize("name", SHIPPED)
def test_the_json_schema_accepts_what_ships(name: str) -> None:
    document = raw(name)
    values = {k: v["value"] for k, v in document.get("config", {}).items()}
    assert schema_faults(filled(document, values)) == []
    dumped = load_profile(name).model_dump(mode="json", by_alias=True)
    assert schema_faults(dumped) == []


def test_the_json_schema_refuses_what_the_loader_refuses() -> None:
    document = raw("lava-0.10")
    document["registers"]["u"]["bits"] = 0
    document["weights"]["colour"] = 1
    del document["routing"]["source"]
    document["models"]["lif"]["ops"][0]["op"] = "jump"
    assert sorted(schema_faults(document)) == [
        "models.lif.ops.0", "registers.u.bits", "routing", "weights",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_survives_being_dumped(name: str) -> None:
    profile = load_profile(name)
    dumped = json.loads(json.dumps(profile.model_dump(mode="json", by_alias=True)))
    assert HardwareProfile.model_validate(dumped) == profile


# ------------------------------------------------------------------ numbers of the profiles


def test_register_and_parameter_ranges() -> None:
    loihi = load_profile("loihi2")
    assert loihi.register_ranges["u"] == (-(2**23), 2**23 - 1)
    assert loihi.register_ranges["v"] == (-(2**23) + 1, 2**23 - 1)  # symmetric
    assert loihi.params["bias_mant"].span == (-4096, 4095)
    assert loihi.params["vth"].span == (0, 131071)
    generic = load_profile("generic")
    assert generic.params["du"].span == (0, 4096)  # hi_pow2: the bound belongs to the range
    assert generic.params["bias_mant"].span == (-4096, 4095)


@pytest.mark.parametrize(
    ("mode", "bits", "given", "kept"),
    [
        ("mixed", 8, [-256, -255, -3, -1, 0, 1, 3, 254, 255, 300],
         [-256, -256, -4, -2, 0, 0, 2, 254, 254, 254]),  # even numbers, floor
        ("excitatory", 8, [-5, 0, 1, 254, 255, 256], [0, 0, 1, 254, 255, 255]),
        ("excitatory", 6, [0, 3, 4, 255], [0, 0, 4, 252]),
        ("inhibitory", 8, [-256, -255, -1, 0, 9], [-255, -255, -1, 0, 0]),
        ("inhibitory", 6, [-255, -5, -4, -3], [-252, -4, -4, 0]),  # toward zero
        ("mixed", 1, [-256, -1, 255], [-256, -256, 0]),
    ],
)  # fmt: skip
def test_weights_as_loihi_stores_them(
    mode: str, bits: int, given: list[int], kept: list[int]
) -> None:
    weights = load_profile("loihi2").weights
    assert weights.effective(np.array(given), mode, bits).tolist() == kept
    step = weights.step(mode, bits)
    assert all(k % step == 0 for k in kept)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ProfileError, match="no neuron model 'hh', allowed: atrlif, "):
        load_profile("lava-0.10").model("hh")


# ------------------------------------------------------------------------------- config


def test_config_sets_every_place_where_it_is_used() -> None:
    profile = load_profile("generic", weight_bits=4, state_bits=16, decay_bits=5, delay_max=3,
                           rounding="floor", overflow="wrap", compare=">=")  # fmt: skip
    assert profile.weights.mantissa_bits == profile.weights.default_bits == 4
    assert profile.weights.mode_range("mixed") == (-16, 15)
    assert profile.register_ranges["v"] == (-(2**15), 2**15 - 1)
    assert profile.params["du"].span == (0, 32)
    assert profile.routing.delay_hi == 3
    for model in profile.models:
        for op in walk(profile.ops(model)):
            if op["op"] == "decay":
                assert (op["k"], op["round"]) == (5, "floor")
            if op["op"] == "fire":
                assert op["cmp"] == ">="
            assert all(rule[0] == "wrap" for rule in op.get("ovf", ()))
    assert profile.config["weight_bits"].value == 4  # the profile says how it was loaded
    assert load_profile("generic").config["weight_bits"].value == 8  # and only that one


@pytest.mark.parametrize("key", sorted(raw("generic")["config"]))
def test_every_config_value_can_be_moved_to_both_ends(key: str) -> None:
    entry = raw("generic")["config"][key]
    ends = entry.get("choices") or [entry["lo"], entry["hi"]]
    for value in ends:
        assert load_profile("generic", **{key: value}).config[key].value == value


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"weight_bits": 0}, "config.weight_bits = 0: allowed: a whole number 1..16"),
        ({"weight_bits": 17}, "config.weight_bits = 17: allowed: a whole number 1..16"),
        ({"weight_bits": 4.5}, "config.weight_bits = 4.5: allowed: a whole number 1..16"),
        ({"weight_bits": "4"}, "config.weight_bits = '4': allowed: a whole number 1..16"),
        ({"weight_bits": True}, "config.weight_bits = True: allowed: a whole number 1..16"),
        ({"weight_bits": None}, "config.weight_bits = None: allowed: a whole number 1..16"),
        ({"rounding": "up"}, "config.rounding = 'up': allowed: rtz, floor, nearest_up"),
        ({"rounding": 1}, "config.rounding = 1: allowed: rtz, floor, nearest_up"),
        ({"bits": 4}, "config.bits = 4: unknown, allowed: align_shift, bias_bits"),
    ],
)
def test_a_wrong_config_value_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("generic", **config)
    assert message in str(caught.value)


def test_a_profile_without_config_says_so() -> None:
    with pytest.raises(ProfileError, match=r"none \(this profile has no \[config\]\)"):
        load_profile("loihi2", weight_bits=4)


# ----------------------------------------------------------------------------- user files


def written(folder: Path, *changes: tuple[str, str], name: str = "mine") -> Path:
    text = available_profiles()["lava-0.10"].read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_profile_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ('name = "lava-0.10"', 'name = "mine"'), ("bits = 24", "bits = 20"))
    monkeypatch.chdir(tmp_path.parent)  # neither the checkout nor the file's folder
    for given in (path, str(path), path.relative_to(tmp_path.parent)):
        profile = load_profile(given)
        assert profile.name == "mine" and profile.register_ranges["u"] == (-(2**19), 2**19 - 1)


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    lines = str(caught.value).split("\n  ")
    assert lines[0] == f"profile file {path.name}: {len(lines) - 1} fault(s)"
    return lines[1:]


SCHEMA_CASES = {
    "unknown key": (("bits = 24,", "bits = 24, width = 3,"),
                    "registers.u.width = 3: unknown key, allowed: source, status, note, bits"),
    "unknown key of an op": (('offset = 1,', 'offset = 1, ofset = 1,'),
                             "models.lif.ops.0.decay.ofset = 1: unknown key, allowed: op, reg, ki"),
    "unknown table": (("[registers]", "[chips]\n[registers]"), "chips = {}: unknown key, allow"),
    "no source": ((', source = "LV", status = "run", note = "u w', ', status = "run", note = "u w'),
                  "registers.u.source = (absent): needed"),
    "no status": (('source = "LV", status = "run", note = "u wraps', 'source = "LV", note = "u'),
                  "registers.u.status = (absent): needed"),
    "unknown status": (('status = "run"', 'status = "guessed"'), "status = 'guessed': Input shoul"),
    "text for a number": (("bits = 24", 'bits = "24"'), "registers.u.bits = '24': Input should be"),
    "too wide": (("bits = 24", "bits = 99"), "registers.u.bits = 99: Input should be less than or"),
    "a truth": (("offset = 1,", "offset = true,"), "models.lif.ops.0.decay.offset = True: Input"),
    "unknown op": (('op = "copy"', 'op = "move"'), "does not match any of the expected tags: 'acc"),
    "unknown rounding": (('round = "rtz"', 'round = "up"'), "ops.0.decay.round = 'up': Input shou"),
    "schema": (("hw-profile/1", "hw-profile/9"), "schema = 'hw-profile/9': Input should be 'hw-pr"),
    "bad name": (('name = "lava-0.10"', 'name = "My Chip"'), "name = 'My Chip': String should mat"),
}  # fmt: skip

CROSS_CASES = {
    "unknown source": (('source = "LV"', 'source = "XY"'), "registers.u.source = 'XY': not in [so"),
    "no source named": (('source = "LV"', 'source = ""'), "registers.u.source = '': not in [sourc"),
    "unknown register": (('reg = "d", src = "u"', 'reg = "w", src = "u"'),
                         "models.lif.ops.2 (copy).reg = 'w': not in [registers]"),
    "register of a rule": (('op = "add", reg = "v"', 'op = "add", reg = "w"'),
                           "models.lif.ops.5 (add).reg = 'w': not in [registers]"),
    "unknown operand": (('src = "bias_mant"', 'src = "bia"'),
                        "models.lif.ops.3 (add).src = 'bia': not in [params] or [registers]"),
    "unknown threshold": (('thr = "vth"', 'thr = "nope"'),
                          "models.lif.ops.6 (fire).thr = 'nope': not in [params] or [registers]"),
    "no range": (("vth = { lo = 0, hi = 131071,", "vth = { lo = 0,"),
                 "params.vth: needs lo and hi, or bits, or hi_pow2"),
    "upside down": (("vth = { lo = 0, hi = 131071, default = 131071", "vth = { lo = 9, hi = 1"),
                    "params.vth: lo = 9 is above hi = 1, allowed: lo <= hi"),
    "default": (("default = 131071", "default = -1"), "params.vth.default = -1: allowed: 0..13107"),
    "delays": (("delay_lo = 0", "delay_lo = 64"), "routing.delay: lo = 64 is above hi = 63"),
    "exponents": (("exponent_lo = -8", "exponent_lo = 8"), "weights.exponent: lo = 8 is above hi "),
    "default bits": (("default_bits = 8", "default_bits = 9"),
                     "weights.default_bits = 9: allowed: at most mantissa_bits = 8"),
    "sign mode": (("[routing]", "[weights.modes.positive]\nlo = 0\nhi = 1\n[routing]"),
                  "weights.modes.positive: allowed: mixed, excitatory, inhibitory, null"),
    "accumulator": (('accumulator = [{ mode = "wrap", lo = -2147483648, hi = 2147483647 }]',
                     'accumulator = [{ mode = "wrap" }]'), "routing.accumulator.0: needs lo and h"),
    "no config": (("bits = 24", 'bits = "$width"'), "registers.u.bits = '$width': no such config "),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEMA_CASES | CROSS_CASES)
def test_a_fault_names_place_and_value(case: str, tmp_path: Path) -> None:
    change, expected = (SCHEMA_CASES | CROSS_CASES)[case]
    assert any(expected in line for line in faults_of(written(tmp_path, change)))


def test_all_faults_of_the_schema_in_one_report(tmp_path: Path) -> None:
    cases = [c for c in SCHEMA_CASES if c not in ("no status", "unknown op", "a truth", "too wide")]
    changes = {c: SCHEMA_CASES[c] for c in ("no source", "unknown rounding", "schema", "bad name")}
    lines = faults_of(written(tmp_path, *(change for change, _ in changes.values())))
    assert len(lines) == len(changes) < len(cases)
    for _, expected in changes.values():
        assert any(expected in line for line in lines)


def test_all_faults_across_tables_in_one_report(tmp_path: Path) -> None:
    skip = ("no source named", "register of a rule", "no config", "no range", "upside down")
    changes = {c: v for c, v in CROSS_CASES.items() if c not in skip}
    changes.pop("default")  # only told where every range is sound
    lines = faults_of(written(tmp_path, *(change for change, _ in changes.values())))
    assert len(lines) == len(changes)
    for _, expected in changes.values():
        assert any(expected in line for line in lines)


def changed_chip(folder: Path, *changes: tuple[str, str]) -> Path:
    """loihi2 with texts replaced."""
    text = available_profiles()["loihi2"].read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "chip.toml"
    path.write_text(text, "utf-8")
    return path


def test_faults_of_the_schema_hide_no_others(tmp_path: Path) -> None:
    path = changed_chip(tmp_path, ("u = { bits = 24", "u = { bits = 999"),
                        ('thr = "vth"', 'thr = "nope"'), ("delay_hi = 63", "delay_hi = -1"),
                        ('source = "LV,BR"', 'source = "LV,XX"'),
                        ('reg = "u", kind', 'reg = "w", kind'),
                        ('reg = "d", src = "u"', 'reg = "y", src = "z"'))  # fmt: skip
    told = [line.split(":")[0] for line in faults_of(path)]
    assert told == [
        "registers.u.bits = 999", "routing.delay_hi = -1", "routing.delay",
        "routing.source = 'XX'", "models.lif.ops.0 (decay).reg = 'w'",
        "models.lif.ops.2 (copy).reg = 'y'", "models.lif.ops.2 (copy).src = 'z'",
        "models.lif.ops.6 (fire).thr = 'nope'",
    ]  # fmt: skip


TOO_FAR = {
    "exponent": (("exponent_hi = 7", "exponent_hi = 99999"), "weights.exponent_hi = 99999: Input"),
    "least exponent": (("exponent_lo = -8", "exponent_lo = -32"), "weights.exponent_lo = -32: In"),
    "parameter": (("bias_exp = { lo = 0, hi = 7", "bias_exp = { lo = 0, hi = 32"),
                  "models.lif.ops.3 (add).shift = 'bias_exp': its range 0..32, as it is used as a"),
    "constant": (('op = "acc", reg = "u", shift = 6', 'op = "acc", reg = "u", shift = 60'),
                 "models.lif.ops.1 (acc).shift = 60: allowed: -31..31, or a parameter"),
    "register": (('shift = "bias_exp"', 'shift = "u"'),
                 "models.lif.ops.3 (add).shift = 'u': a register, allowed: -31..31, or a param"),
    "delay": (("delay_lo = 0", "delay_lo = -1"), "routing.delay_lo = -1: Input should be greater"),
    "rule": (('mode = "wrap", lo = -131072, hi = 131071', 'mode = "wrap", lo = 1, hi = 0'),
             "models.lif_refractory.ops.1 (acc).sum_ovf.0: lo = 1 is above hi = 0"),
    "constant value": (("value = 0 }", "value = 300000000000000 }"), "allowed: -2**48..2**48"),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_FAR)
def test_what_would_leave_64_bits_is_refused(case: str, tmp_path: Path) -> None:
    change, expected = TOO_FAR[case]
    assert any(expected in line for line in faults_of(changed_chip(tmp_path, change)))


def test_a_product_wider_than_64_bits_is_refused(tmp_path: Path) -> None:
    path = changed_chip(tmp_path, ("u = { bits = 24", "u = { bits = 48"), ("k = 12", "k = 31"))
    assert "models.lif.ops.0 (decay): reaches 78 bits, allowed: 62" in faults_of(path)


UNFIT = {
    "threshold": (('thr = "vth"', 'thr = "v"'),
                  "model lif, op fire: thr = 'v', allowed: a parameter (du, dv, vth, bias_mant, "),
    "refractory": (('reset = "value", value = 0 }', 'reset = "value", value = 0, ref = "u" }'),
                   "model lif, op fire: ref = 'u', allowed: absent, or a parameter (du, "),
    "reset": (('reset = "value", value = 0 }', 'reset = "value", value = "u" }'),
              "model lif, op fire: value = 'u', allowed: 0"),
    "decay": (('d = "du"', 'd = "u"'), "model lif, op decay: d = 'u', allowed: a parameter (du"),
    "kind": (('kind = "mult_keep", d = "du"', 'kind = "linear", d = "du"'),
             "model lif, op decay: kind = 'linear', allowed: mult_keep, mult_step or mult_by"),
    "bias": (('shift = "bias_exp"', "shift = 3"), "op add: shift = 3, allowed: 0, or a parameter"),
    "twice": (('thr = "vth"', 'thr = "dv"'), "model lif: parameter 'dv' is used 2 times"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_model_that_is_no_lif_is_refused_by_name(case: str, tmp_path: Path) -> None:
    change, expected = UNFIT[case]
    profile = load_profile(changed_chip(tmp_path, change))
    with pytest.raises(LoweringError) as caught:
        lif_form(profile, "lif")
    assert str(caught.value).startswith("profile loihi2, model lif")
    assert expected in str(caught.value)


@pytest.mark.parametrize("config", ["config = 3\n", "config = { a = 3 }\n", "config = { a = {} }\n",
                                    'config = { a = { value = 1, lo = "x", hi = 2 } }\n',
                                    "config = { a = { value = 1, choices = 3 } }\n"])  # fmt: skip
def test_a_broken_config_table_is_a_fault_of_the_file(config: str, tmp_path: Path) -> None:
    lines = faults_of(
        written(tmp_path, ('schema = "hw-profile/1"', f'schema = "hw-profile/1"\n{config}'))
    )
    assert all(line.startswith("config") for line in lines)


@pytest.mark.parametrize("content", [b"a =", b"\xff", b"a = 1\na = 2", b"x = " + b"[" * 4000])
def test_what_is_no_toml(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_bytes(content)
    with pytest.raises(ProfileError, match=r"profile file p.toml: not valid TOML"):
        load_profile(tmp_path / "p.toml")


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no such file, allowed: a path .*generic, .*lava-0.10"):
        load_profile(tmp_path / "none.toml")
    for name in ("loihi3", "", tmp_path):
        with pytest.raises(ProfileError, match=r"allowed: .*generic, lava-0.10, .* or a path"):
            load_profile(name)
    with pytest.raises(ProfileError, match="profile = 3, allowed: a name or a path"):
        load_profile(3)  # type: ignore[arg-type]


def test_every_operation_is_in_the_schema() -> None:
    kinds = {get_args(m.model_fields["op"].annotation)[0] for m in get_args(get_args(Op)[0])}
    text = json.dumps(profile_schema())
    assert len(kinds) == 15 and all(f'"{kind}"' in text for kind in kinds)
