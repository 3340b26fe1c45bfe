"""What a layer of neurons is multiplied by in a step, and what it holds between steps."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Array

ONE = 4096
"""A state of 1 in the integers of ``shift``."""


@dataclass(frozen=True)
class Coefficients:
    """What one step of a layer multiplies and adds; arrays of the layer's shape."""

    kind: str
    keep: Array
    gain: Array
    leak: Array
    keep_i: Array | None
    gain_i: Array | None
    spiking: bool
    threshold: Array
    """Zeros where there are no spikes, as is the reset."""
    reset: Array
    late: bool
    late_before: bool
    lost: Array
    """Decay of v in 1/4096 (``shift``)."""
    lost_i: Array | None = None
    one: float = ONE
    """What a state of 1 is in the integers of ``shift``."""
    leak_i: Array | None = None
    """What a step adds to the current; None: nothing."""
    continuous: tuple[Array, ...] = ()
    """(tau, tau_syn or 0, v_leak, r, w_in, dt) for ``event``."""


@dataclass
class State:
    """What a layer holds between steps."""

    v: Array
    i: Array | None
