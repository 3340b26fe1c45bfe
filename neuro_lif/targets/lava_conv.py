"""Convolutions that Lava's own ``Conv`` computes exactly.

``Conv`` multiplies in float64, casts to int32, wraps the sums to 24 bits, and applies no coding and
no exponent. Its planes are (X, Y, channels); planes of PyTorch's order are permuted on the wires.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..convolution import Convolution
from ..fixed import FixedNetwork, FixedProjection
from .lava_choice import INT32, fits32

WRAP24 = (("wrap", -(2**23), 2**23 - 1),)
INT8, INT16 = 127, 32767
PLANE_AXES = {"lava": (None, None), "torch": ((1, 2, 0), (2, 0, 1))}
"""Layout -> permutation of a sender's plane to Lava's, and of Lava's to the receiver's."""


def why_no_conv(fixed: FixedNetwork, p: FixedProjection, widest: int, late: bool) -> str:
    """Return why Lava's ``Conv`` does not compute a convolution exactly, or an empty string.

    Args:
        fixed: the network.
        p: a projection that is a convolution.
        widest: no sum gets larger, before its exponent.
        late: something arrives later than in the step after it was sent.
    """
    conv, exponent = p.convolution, int(fixed.sum_exponent(p))
    if conv is None:
        return "no convolution"
    if late:
        return "Conv knows no delays"
    if exponent < 0:
        return "Conv knows no exponent"
    if _too_wide(conv):
        return "Conv computes places in 8 bits, which these do not fit"
    if widest > INT32[1] or not fits32(lava_kernel(fixed, p)):
        return f"sums up to {widest} do not fit Conv's 32 bits"
    rules = fixed.accumulator(p)
    shifted = widest << exponent
    inside = all(lo <= -shifted and shifted <= hi for _, lo, hi in (*rules, *WRAP24))
    if not inside and (exponent or rules != WRAP24):
        return f"sums up to {shifted} may overflow, and not as Conv's do"
    return ""


def _too_wide(conv: Convolution) -> bool:
    """Tell whether Lava's 8-bit arithmetic on places overflows (a plane above 127 widens it)."""
    first, second = conv.planar_kernel.shape[:2]
    plane = conv.input_shape[1:] if conv.layout == "torch" else conv.input_shape[:2]
    steps = (_pair(conv.stride), _pair(conv.padding), _pair(conv.dilation))
    for size, k, stride, padding, dilation in zip(plane, (first, second), *steps, strict=True):
        span = size + 2 * padding
        if max(stride, 2 * padding, dilation * (k - 1) + 1) > INT8:
            return True
        if span > (INT8 if size <= INT8 else INT16):
            return True
    return conv.groups > INT8


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def lava_kernel(fixed: FixedNetwork, p: FixedProjection) -> Any:
    """Return the kernel (channels out, kx, ky, channels in / groups) that Lava flips and uses."""
    conv = p.convolution
    if conv is None or fixed.is_raw(p):
        kernel = conv.planar_kernel if conv is not None else np.zeros((0, 0, 0, 0), np.int64)
    else:
        planar = conv.planar_kernel
        coded = replace(p, weights=planar.reshape(-1, planar.shape[3]), convolution=None, delays=0)
        kernel = np.asarray(fixed.effective_weights(coded)).reshape(planar.shape)
    return kernel.transpose(2, 0, 1, 3)[:, ::-1, ::-1, :] << int(fixed.sum_exponent(p))


def conv_settings(p: FixedProjection) -> dict[str, Any]:
    """Return what ``Conv`` is given beside its kernel, and the planes on either side."""
    conv = p.convolution
    if conv is None:
        return {}
    axes, axes_out = PLANE_AXES[conv.layout]
    plane = conv.input_shape
    steps = {name: _pair(getattr(conv, name)) for name in ("stride", "padding", "dilation")}
    return {
        **steps, "groups": conv.groups, "plane": plane, "axes": axes, "axes_out": axes_out,
        "input_shape": plane if axes is None else tuple(plane[k] for k in axes),
    }  # fmt: skip
