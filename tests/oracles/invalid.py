"""Vectors that an engine must refuse: each breaks one limit that a profile states.

Nobody was run for these: the limits, and who states them, are in the profile. Run with
``python -m oracles.invalid OUT.json`` from the folder ``tests``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from neuro_lif import HardwareProfile, available_profiles, load_profile

Table = dict[str, Any]
Broken = tuple[str, str, Table]
"""What the vector is called, the field an engine must name, the network."""


def base(profile: HardwareProfile) -> Table:
    """Return a network every engine of the profile runs."""
    model = next(iter(profile.models))
    port = sorted(profile.ports(model))[0]
    lo, hi = profile.weights.mode_range("mixed")
    weights = [[min(2, hi), max(-2, lo)]]
    projection = {
        "name": "c", "pre": "x", "post": "n", "weights": weights, "sign_mode": "mixed",
        "port": port, "delays": profile.routing.delay_lo,
    }  # fmt: skip
    return {
        "populations": [{"name": "n", "size": 1, "model": model}],
        "projections": [projection],
        "inputs": [{"name": "x", "size": 2, "raster": [[1, 0], [0, 1], [1, 1]]}],
    }


def broken(profile: HardwareProfile) -> Iterator[Broken]:
    """Yield every way to break one limit."""
    for part in (_parameters, _registers, _weights, _routing, _names):
        yield from part(profile)


def _changed(profile: HardwareProfile, table: str, **fields: Any) -> Table:
    net = deepcopy(base(profile))
    net[table][0] |= fields
    return net


def _parameters(profile: HardwareProfile) -> Iterator[Broken]:
    for name, parameter in profile.params.items():
        for end, value in zip(("below", "above"), (parameter.span[0] - 1, parameter.span[1] + 1),
                              strict=True):  # fmt: skip
            net = _changed(profile, "populations", params={name: value})
            yield f"{name}_{end}", name, net


def _registers(profile: HardwareProfile) -> Iterator[Broken]:
    model = next(iter(profile.models.values()))
    for register in dict.fromkeys((model.voltage, model.current or model.voltage)):
        lo, hi = profile.registers[register].span
        for end, value in (("below", lo - 1), ("above", hi + 1)):
            net = _changed(profile, "populations", init={register: value})
            yield f"init_{register}_{end}", f"init {register}", net


def _weights(profile: HardwareProfile) -> Iterator[Broken]:
    rules = profile.weights
    for mode in ("mixed", "excitatory", "inhibitory"):
        lo, hi = rules.mode_range(mode)
        for end, value in (("below", lo - 1), ("above", hi + 1)):
            fields = {"weights": [[value, 0]], "sign_mode": mode}
            yield f"weight_{mode}_{end}", "weights", _changed(profile, "projections", **fields)
    for end, value in (("below", rules.exponent_lo - 1), ("above", rules.exponent_hi + 1)):
        yield f"exponent_{end}", "exponent", _changed(profile, "projections", exponent=value)
    for end, value in (("below", 0), ("above", rules.mantissa_bits + 1)):
        net = _changed(profile, "projections", weight_bits=value)
        yield f"weight_bits_{end}", "weight_bits", net


def _routing(profile: HardwareProfile) -> Iterator[Broken]:
    routing = profile.routing
    net = _changed(profile, "projections", delays=routing.delay_hi + 1)
    yield "delay_above", "delays", net
    if routing.delay_hi > routing.delay_lo and routing.delay_per != "synapse":
        delays = [routing.delay_lo, routing.delay_hi]
        yield "delay_per_synapse", "delays", _changed(profile, "projections", delays=delays)
    if routing.payload_bits == 0:
        yield "graded", "graded", _changed(profile, "projections", graded=True)
    if not routing.alias:
        net = _changed(profile, "populations", size=2, alias=[1, -1])
        net["projections"] = []
        yield "alias", "alias", net


def _names(profile: HardwareProfile) -> Iterator[Broken]:
    yield "model", "model", _changed(profile, "populations", model="no_such_model")
    yield (
        "parameter",
        "no_such_parameter",
        _changed(profile, "populations", params={"no_such_parameter": 1}),
    )
    yield "port", "port", _changed(profile, "projections", port="no_such_port")
    yield "pre", "pre", _changed(profile, "projections", pre="nobody")
    yield "shape", "weights", _changed(profile, "projections", weights=[[1, 1, 1]])


def vectors() -> list[Table]:
    """Return all of them, for every shipped profile."""
    found = []
    for name in available_profiles():
        profile = load_profile(name)
        for what, field, net in broken(profile):
            found.append({
                "id": f"limits.{name}.{what}", "flags": ["limits"], "peer": "profile",
                "peer_version": profile.dated, "profile": name, "result": "invalid",
                "rule": f"{field} is outside what {name} allows, or unknown to it",
                "network": net, "n_steps": 3, "error": field,
            })  # fmt: skip
    return found


if __name__ == "__main__":
    text = json.dumps(
        {
            "schema": "neuro-lif-conformance/1",
            "about": __doc__.split("\n")[0],
            "vectors": vectors(),
        },
        separators=(",", ":"),
    )
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
