"""How a netx file is taken where its readers disagree: each known difference has a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Faults, RangeError

IGNORABLE = ("gradedSpike", "refDelay", "wgtExp", "delay")


@dataclass(frozen=True)
class NetxRule:
    """What to do where lava-dl's own readers and trainer differ, or leave something out.

    Args:
        weights: ``"netx"``: the weights of a dense layer get the exponent and the number of bits
            that netx chooses for them; ``"plain"``: they are stored as they are, 8 bits, no
            exponent.
        delay: ``"synapse"``, as netx: the delays of a dense layer are those of what it receives;
            ``"axon"``, as slayer trains them: those of what it sends to the next layer.
        recurrent_exponent: ``"kept"``; or ``"lost"``, as netx 0.6.0 loses the exponent of the
            weights of a recurrent layer that has delays.
        ignore: of ``gradedSpike``, ``refDelay``, ``wgtExp`` and ``delay`` (of convolutions and
            pools): fields that netx does not look at, and which are then left out here, too;
            without this they are refused where they say anything.
        input: of an input layer with neurons: ``"bias"``, as netx: numbers act on v, as a bias
            does; ``"current"``, as slayer: they act on u, which then decays by iDecay.
        pool: ``"slayer"``: as the only program that runs pools does: it lays the channels of a
            plane one below the other, so that where a kernel does not divide the height, a window
            can lie across two channels; ``"channels"``: each channel by itself.
        shown_at_spike: what a probe of v shows in the step of a spike; None: v, which is 0. The
            chip shows 128.

    Source: lava-dl 0.6.0, netx/hdf5.py, netx/utils.py, netx/blocks/process.py, and in slayer
    block/base.py and synapse/layer.py (Pool.forward); the 128: the Loihi 2 trace of the NIR paper
    (Pedersen et al. 2024).
    """

    weights: Literal["netx", "plain"] = "netx"
    delay: Literal["synapse", "axon"] = "synapse"
    recurrent_exponent: Literal["kept", "lost"] = "kept"
    input: Literal["bias", "current"] = "bias"
    pool: Literal["slayer", "channels"] = "slayer"
    ignore: tuple[str, ...] = ()
    shown_at_spike: int | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        allowed: dict[str, tuple[Any, ...]] = {
            "weights": ("netx", "plain"),
            "delay": ("synapse", "axon"),
            "recurrent_exponent": ("kept", "lost"),
            "input": ("bias", "current"),
            "pool": ("slayer", "channels"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                faults.add("NetxRule", name, getattr(self, name), ", ".join(map(repr, values)))
        given: Any = self.ignore
        names = (given,) if isinstance(given, str) else tuple(given)
        for name in names:
            if name not in IGNORABLE:
                faults.add("NetxRule", "ignore", name, ", ".join(IGNORABLE))
        object.__setattr__(self, "ignore", names)
        faults.raise_if_any(RangeError)
