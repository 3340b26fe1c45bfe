"""NIR's primitives as frozen types, named as NIR names them, checked when made.

Arrays are read-only and keep their dtype. NIR has no units: the exporters write times in seconds
(snnTorch, SpikingJelly, Rockpool) or in steps (Sinabs). Two values are equal where they are equal
bit for bit.

Source: nir 1.0.8, ``nir/ir/*.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from ..errors import Faults, NetworkError
from .fields import (
    Array,
    Check,
    Shape,
    array_of,
    count,
    metadata,
    or_none,
    padded,
    pair,
    same,
    sizes_of,
)


@dataclass(frozen=True, eq=False)
class Node:
    """What all nodes share.

    Args:
        metadata: free texts, numbers, arrays and mappings of them; no meaning.

    Raises:
        NetworkError: fields that NIR does not allow, all at once.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    CHECKS: ClassVar[Mapping[str, Check]] = {}
    ALIKE: ClassVar[tuple[str, ...]] = ()
    """Fields that must have one shape: the shape of the layer."""

    def __post_init__(self) -> None:
        faults = Faults()
        where = type(self).__name__
        for name, check in self.CHECKS.items():
            object.__setattr__(self, name, check(where, name, getattr(self, name), faults))
        object.__setattr__(self, "metadata", metadata(where, self.metadata, faults))
        if not faults.lines:
            self._check(where, faults)
        faults.raise_if_any(NetworkError)

    def _check(self, where: str, faults: Faults) -> None:
        """Note what is wrong between fields."""
        if not self.ALIKE:
            return
        shapes = {name: getattr(self, name).shape for name in self.ALIKE}
        wanted, _ = Counter(shapes.values()).most_common(1)[0]
        for name, found in shapes.items():
            if found != wanted:
                faults.add(where, name, f"shape {found}", f"shape {wanted}, as the other fields")
        for name in self.ALIKE:
            values = getattr(self, name)
            if name.startswith("tau") and not np.all(values > 0):
                faults.add(where, name, values.min().item(), "time constants > 0")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> Any:
        # read-only mappings cannot be pickled or copied
        return _remade, (type(self), {f.name: _plain(getattr(self, f.name)) for f in fields(self)})


def _remade(kind: type[Any], values: dict[str, Any]) -> Any:
    return kind(**values)


def _plain(value: Any) -> Any:
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


@dataclass(frozen=True, eq=False)
class Input(Node):
    """Where values come in: y = x.

    Args:
        shape: of one sample in one step, without batch and time.
    """

    shape: Shape
    CHECKS = {"shape": sizes_of}


@dataclass(frozen=True, eq=False)
class Output(Node):
    """Where values go out: y = x."""

    shape: Shape
    CHECKS = {"shape": sizes_of}


@dataclass(frozen=True, eq=False)
class Affine(Node):
    """y = W x + b; ``weight`` (..., out, in), ``bias`` (..., out)."""

    weight: Array
    bias: Array
    CHECKS = {"weight": array_of(2), "bias": array_of(1)}

    def _check(self, where: str, faults: Faults) -> None:
        if self.bias.shape != self.weight.shape[:-1]:
            wanted = f"shape {self.weight.shape[:-1]}, one per row of weight"
            faults.add(where, "bias", f"shape {self.bias.shape}", wanted)


@dataclass(frozen=True, eq=False)
class Linear(Node):
    """y = W x; ``weight`` (..., out, in)."""

    weight: Array
    CHECKS = {"weight": array_of(2)}


@dataclass(frozen=True, eq=False)
class Scale(Node):
    """y = s x, element by element."""

    scale: Array
    CHECKS = {"scale": array_of(0)}


class _Conv(Node):
    weight: Array
    bias: Array
    groups: int

    def _check(self, where: str, faults: Faults) -> None:
        outs = self.weight.shape[0]
        if self.bias.shape != (outs,):
            faults.add(where, "bias", f"shape {self.bias.shape}", f"shape ({outs},)")
        if outs % self.groups:
            faults.add(where, "groups", self.groups, f"a divisor of the {outs} output channels")
        stride: Any = getattr(self, "stride", 1)
        if getattr(self, "padding", None) == "same" and np.any(np.asarray(stride) != 1):
            faults.add(where, "stride", stride, "1 where padding is 'same'")


@dataclass(frozen=True, eq=False)
class Conv1d(_Conv):
    """Cross-correlation, as torch's: ``weight`` (C_out, C_in / groups, K), ``input_shape`` N.

    ``input_shape`` None: what comes in says it.
    """

    input_shape: int | None
    weight: Array
    stride: int
    padding: int | str
    dilation: int
    groups: int
    bias: Array
    CHECKS = {
        "input_shape": or_none(count(1)),
        "weight": array_of(3, 3),
        "stride": count(1),
        "padding": padded(count(0)),
        "dilation": count(1),
        "groups": count(1),
        "bias": array_of(1, 1),
    }


@dataclass(frozen=True, eq=False)
class Conv2d(_Conv):
    """Cross-correlation, as torch's: ``weight`` (C_out, C_in / groups, K_h, K_w).

    ``input_shape`` (H, W), or None: what comes in says it. Pairs are (height, width).
    """

    input_shape: tuple[int, int] | None
    weight: Array
    stride: tuple[int, int]
    padding: tuple[int, int] | str
    dilation: tuple[int, int]
    groups: int
    bias: Array
    CHECKS = {
        "input_shape": or_none(pair(1)),
        "weight": array_of(4, 4),
        "stride": pair(1),
        "padding": padded(pair(0)),
        "dilation": pair(1),
        "groups": count(1),
        "bias": array_of(1, 1),
    }


_POOL: dict[str, Check] = {"kernel_size": pair(1), "stride": pair(1), "padding": pair(0)}


@dataclass(frozen=True, eq=False)
class SumPool2d(Node):
    """The sum of each window of (C, H, W)."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    CHECKS = _POOL


@dataclass(frozen=True, eq=False)
class AvgPool2d(Node):
    """The mean of each window of (C, H, W); padding counts as zeros."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    CHECKS = _POOL


@dataclass(frozen=True, eq=False)
class Flatten(Node):
    """Axes ``start_dim`` to ``end_dim`` become one, in C order; no batch axis is counted."""

    input_type: Shape | None
    start_dim: int = 1
    end_dim: int = -1
    CHECKS = {
        "input_type": or_none(sizes_of),
        "start_dim": count(-16, 15),
        "end_dim": count(-16, 15),
    }


@dataclass(frozen=True, eq=False)
class Delay(Node):
    """y(t) = x(t - delay)."""

    delay: Array
    CHECKS = {"delay": array_of(0)}

    def _check(self, where: str, faults: Faults) -> None:
        if not np.all(self.delay >= 0):
            faults.add(where, "delay", self.delay.min().item(), "delays >= 0")


@dataclass(frozen=True, eq=False)
class Threshold(Node):
    """y = 1 where x > threshold, else 0."""

    threshold: Array
    CHECKS = {"threshold": array_of(0)}


_EACH = array_of(1)


def _each(*names: str) -> dict[str, Check]:
    return dict.fromkeys(names, _EACH)


@dataclass(frozen=True, eq=False)
class I(Node):  # noqa: E742
    """dv/dt = r I; gives v."""

    r: Array
    CHECKS, ALIKE = _each("r"), ("r",)


@dataclass(frozen=True, eq=False)
class IF(Node):
    """dv/dt = r I; a spike where v > v_threshold, then v = v_reset."""

    r: Array
    v_threshold: Array
    v_reset: Array
    CHECKS = _each("r", "v_threshold", "v_reset")
    ALIKE = tuple(CHECKS)


@dataclass(frozen=True, eq=False)
class LI(Node):
    """Tau dv/dt = (v_leak - v) + r I; gives v."""

    tau: Array
    r: Array
    v_leak: Array
    CHECKS = _each("tau", "r", "v_leak")
    ALIKE = tuple(CHECKS)


@dataclass(frozen=True, eq=False)
class LIF(Node):
    """Tau dv/dt = (v_leak - v) + r I; a spike where v > v_threshold, then v = v_reset."""

    tau: Array
    r: Array
    v_leak: Array
    v_threshold: Array
    v_reset: Array
    CHECKS = _each("tau", "r", "v_leak", "v_threshold", "v_reset")
    ALIKE = tuple(CHECKS)


@dataclass(frozen=True, eq=False)
class CubaLI(Node):
    """tau_syn dI/dt = -I + w_in S; tau_mem dv/dt = (v_leak - v) + r I; gives v."""

    tau_syn: Array
    tau_mem: Array
    r: Array
    v_leak: Array
    w_in: Array
    CHECKS = _each("tau_syn", "tau_mem", "r", "v_leak", "w_in")
    ALIKE = tuple(CHECKS)


@dataclass(frozen=True, eq=False)
class CubaLIF(Node):
    """As CubaLI, with a spike where v > v_threshold, then v = v_reset."""

    tau_syn: Array
    tau_mem: Array
    r: Array
    v_leak: Array
    v_threshold: Array
    v_reset: Array
    w_in: Array
    CHECKS = _each("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in")
    ALIKE = tuple(CHECKS)
