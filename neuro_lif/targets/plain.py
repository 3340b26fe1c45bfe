"""What a target that carries one sum per neuron, port and step cannot run, by name."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import Faults, TargetError
from ..fixed import FixedNetwork


def refuse_special(fixed: FixedNetwork, target: str, can: Collection[str] = ()) -> None:
    """Refuse events taken one by one, aliases, several ports, noise and Poisson inputs.

    Args:
        fixed: the network.
        target: its name.
        can: what the target can do after all: ``"ports"``, ``"noise"``.

    Raises:
        TargetError: naming every population that has one of them, and every Poisson input.
    """
    faults, mend = Faults(), "run it with run_fixed or run_semantics"
    for p in fixed.populations:
        where, events = f"population {p.name!r}", fixed.profile.event_ports(p.model)
        ports = fixed.profile.ports(p.model)
        if events:
            faults.add(where, "model", p.model, "a model that adds up its input first", mend)
        elif ports - {"in"} and "ports" not in can:
            faults.add(where, "ports", ", ".join(sorted(ports)), "one port called 'in'", mend)
        if p.alias is not None:
            faults.add(where, "alias", "given", "None", mend)
        if fixed.profile.hears_noise(p.model) and "noise" not in can:
            faults.add(where, "model", p.model, "a model without noise", mend)
    for drive in fixed.poissons:
        faults.add(f"input {drive.name!r}", "mean", drive.mean, "no Poisson input (a DirectInput "
                   "with the same numbers in its raster)", mend)  # fmt: skip
    faults.raise_if_any(TargetError, f"{target} cannot run this network")
