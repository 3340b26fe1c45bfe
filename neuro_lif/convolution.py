"""Convolutions: one kernel for every place, in Lava's layout or PyTorch's.

A convolution stands for a matrix, which is made where somebody asks for it. What has to be known of
the matrix's entries (how many, how large, which sums) is counted from the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .arrays import IntArray, frozen, frozen_synapses
from .errors import Faults, RangeError
from .lazy import sparse
from .memo import Memo

LAYOUTS = ("lava", "torch")
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Convolution:
    """Connects two planes of neurons by a kernel.

    With layout ``lava`` a plane is (X, Y, channels) and the kernel (channels out, kx, ky, channels
    in / groups), flipped in x and y (a true convolution). With ``torch`` a plane is (channels, H,
    W) and the kernel (channels out, channels in / groups, kh, kw), not flipped. Neurons are
    numbered in C order of their plane; what lies outside the input counts as 0.

    Args:
        kernel: whole numbers, kept as int64, or finite floats, kept as float64. A chip's projection
            has whole numbers only.
        input_shape: the presynaptic plane.
        stride, padding, dilation: one number, or one for each of the two directions.
        groups: channels are convolved in this many separate groups.
        layout: ``lava`` or ``torch``.

    Raises:
        RangeError: naming every field that does not fit.

    Source: lava-nc 0.10.0, lava/proc/conv/utils.py (conv_scipy); PyTorch, torch.nn.Conv2d.
    """

    kernel: Any
    input_shape: tuple[int, int, int]
    stride: int | Pair = 1
    padding: int | Pair = 0
    dilation: int | Pair = 1
    groups: int = 1
    layout: Literal["lava", "torch"] = "lava"

    def __post_init__(self) -> None:
        faults = Faults()
        kernel = np.asarray(self.kernel)
        if kernel.dtype.kind not in "iuf" or kernel.ndim != 4 or 0 in kernel.shape:
            faults.add("convolution", "kernel", f"{kernel.dtype} {kernel.shape}",
                       "four dimensions of whole numbers, or of finite floats")  # fmt: skip
        elif kernel.dtype.kind == "f" and not np.isfinite(kernel).all():
            faults.add("convolution", "kernel", float(kernel[~np.isfinite(kernel)][0]),
                       "finite numbers (no NaN, no infinity)")  # fmt: skip
        if self.layout not in LAYOUTS:
            faults.add("convolution", "layout", self.layout, ", ".join(LAYOUTS))
        shape = self.input_shape
        if not _listed(shape) or len(shape) != 3 or not all(_whole(n, 1) for n in shape):
            faults.add("convolution", "input_shape", shape, "three whole numbers >= 1")
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            pair = _pair(getattr(self, name))
            if pair is None or min(pair) < least:
                faults.add("convolution", name, getattr(self, name), f"whole numbers >= {least}")
            else:
                object.__setattr__(self, name, pair)
        if not _whole(self.groups, 1):
            faults.add("convolution", "groups", self.groups, "a whole number >= 1")
        faults.raise_if_any(RangeError)
        dtype = np.float64 if kernel.dtype.kind == "f" else np.int64
        object.__setattr__(self, "kernel", frozen(kernel, dtype))
        object.__setattr__(self, "input_shape", tuple(int(n) for n in shape))
        self._check_fit(faults)
        faults.raise_if_any(RangeError)

    def _check_fit(self, faults: Faults) -> None:
        n_out, n_in = self.planar_kernel.shape[2:]
        channels = self._channels_in
        if channels % self.groups or n_out % self.groups:
            faults.add("convolution", "groups", self.groups,
                       f"a divisor of the {channels} channels in and the {n_out} out")  # fmt: skip
        elif n_in * self.groups != channels:
            faults.add("convolution", "kernel", f"{n_in} channels in",
                       f"{channels // self.groups} (channels in / groups)")  # fmt: skip
        elif min(self._plane_out) < 1:
            faults.add("convolution", "input_shape", self.input_shape,
                       f"at least as large as the kernel {self.kernel.shape}")  # fmt: skip

    @property
    def is_whole(self) -> bool:
        """Tell whether the kernel was given in whole numbers."""
        return bool(self.kernel.dtype.kind == "i")

    @property
    def planar_kernel(self) -> Any:
        """The kernel as (first direction, second, channels out, channels in), not flipped."""
        if self.layout == "torch":
            return np.asarray(self.kernel.transpose(2, 3, 0, 1))
        return np.asarray(self.kernel[:, ::-1, ::-1, :].transpose(1, 2, 0, 3))

    @property
    def _plane_in(self) -> Pair:
        a, b, c = self.input_shape
        return (b, c) if self.layout == "torch" else (a, b)

    @property
    def _channels_in(self) -> int:
        return self.input_shape[0 if self.layout == "torch" else 2]

    @property
    def _plane_out(self) -> Pair:
        sizes = self.planar_kernel.shape
        steps = (_pairs(self.stride), _pairs(self.padding), _pairs(self.dilation))
        first, second = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(self._plane_in, sizes, *steps, strict=False)
        )
        return first, second

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Return the postsynaptic plane, in the same layout."""
        (a, b), channels = self._plane_out, self.planar_kernel.shape[2]
        return (channels, a, b) if self.layout == "torch" else (a, b, channels)

    @property
    def shape(self) -> Pair:
        """Return (n_post, n_pre)."""
        return int(np.prod(self.output_shape)), int(np.prod(self.input_shape))

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The two directions of the planar kernel."""
        steps = (_pairs(self.stride), _pairs(self.padding), _pairs(self.dilation))
        sizes = (self._plane_in, self._plane_out, self.planar_kernel.shape)
        first, second = (Axis(*numbers) for numbers in zip(*sizes, *steps, strict=False))
        return first, second

    def uses(self) -> IntArray:
        """Return how many entries of the matrix each entry of the planar kernel becomes."""
        first, second = (axis.inside().sum(axis=1) for axis in self.axes)
        planar = self.planar_kernel
        return np.asarray((first[:, None] * second)[:, :, None, None] * (planar != 0))

    def first_posts(self) -> IntArray:
        """Return the lowest postsynaptic neuron of each entry of the planar kernel that is used."""
        first, second = (axis.inside().argmax(axis=1) for axis in self.axes)
        channel = np.arange(self.planar_kernel.shape[2])[:, None]
        x, y = first[:, None, None, None], second[:, None, None]
        posts = self.numbers(self.output_shape, x, y, channel)
        return np.asarray(np.broadcast_to(posts, self.planar_kernel.shape))

    def largest_sum(self, values: Any) -> float:
        """Return the most that one neuron receives of magnitudes, in float64.

        Args:
            values: of the shape of the planar kernel; they stand in for its entries.
        """
        taps = np.abs(values).astype(np.float64).sum(axis=3)
        for axis in self.axes:  # the borders see fewer taps; most places see the same ones
            seen = np.unique(axis.inside(), axis=1)
            taps = np.tensordot(taps, seen.astype(np.float64), (0, 0))
        return float(taps.max())

    def matrix(self) -> Any:
        """Return the weights as CSR ``(n_post, n_pre)``, zeros of the kernel left out.

        They are int64 or float64, as the kernel is.
        """
        kernel, (ox, oy), (first, second) = self.planar_kernel, self._plane_out, self.axes
        kx, ky, c_out, c_in = np.nonzero(kernel)
        # one row per non-zero entry of the kernel, one column per place of the output
        x_out, y_out = (g.ravel()[None] for g in np.mgrid[0:ox, 0:oy])
        x_in, y_in = first.place(x_out, kx[:, None]), second.place(y_out, ky[:, None])
        inside = (x_in >= 0) & (x_in < first.n_in) & (y_in >= 0) & (y_in < second.n_in)
        group = (c_out // (kernel.shape[2] // self.groups)) * kernel.shape[3]
        post = self.numbers(self.output_shape, x_out, y_out, c_out[:, None])
        pre = self.numbers(self.input_shape, x_in, y_in, (group + c_in)[:, None])
        values = np.broadcast_to(kernel[kx, ky, c_out, c_in][:, None], inside.shape)
        entries = (values[inside], (post[inside], pre[inside]))
        return sparse.csr_matrix(entries, shape=self.shape, dtype=kernel.dtype)

    @property
    def csr(self) -> Any:
        """The matrix, read-only, made when it is first asked for."""
        found = _matrices.get(self)
        if found is None:
            found = _matrices.keep(self, frozen_synapses(self.matrix(), self.kernel.dtype)[0])
        return found

    def scaled(self, factors: Any) -> Convolution | None:
        """Return the convolution whose weights are those of each row times its factor, in float64.

        Args:
            factors: ``(n_post,)``, or one for all.

        Returns:
            The convolution; None where it is none any more: neurons of one channel have different
            factors, or a weight becomes 0 or infinite.
        """
        channels = self.planar_kernel.shape[2]
        each = np.broadcast_to(np.asarray(factors, np.float64), self.shape[:1])
        by_channel = each.reshape(channels, -1) if self.layout == "torch" else (
            each.reshape(-1, channels).T)  # fmt: skip
        if (by_channel != by_channel[:, :1]).any():
            return None
        with np.errstate(over="ignore"):
            kernel = self.kernel * by_channel[:, :1, None, None]
        if not np.isfinite(kernel).all() or ((kernel != 0) != (self.kernel != 0)).any():
            return None
        return replace(self, kernel=kernel)

    def numbers(self, plane: tuple[int, int, int], x: Any, y: Any, channel: Any) -> Any:
        """Return the neurons at places and channels of a plane."""
        if self.layout == "torch":
            return (channel * plane[1] + x) * plane[2] + y
        return (x * plane[1] + y) * plane[2] + channel


_matrices: Memo[Any] = Memo()


@dataclass(frozen=True)
class Axis:
    """One direction of a convolution.

    Args:
        n_in, n_out, taps: places of the input, of the output, and of the kernel.
        stride, padding, dilation: in this direction.
    """

    n_in: int
    n_out: int
    taps: int
    stride: int
    padding: int
    dilation: int

    def place(self, out: Any, tap: Any) -> Any:
        """Return the place of the input that a tap reads for a place of the output."""
        return out * self.stride + tap * self.dilation - self.padding

    def inside(self) -> Any:
        """Tell which taps read a place of the input, for each place of the output."""
        place = self.place(np.arange(self.n_out), np.arange(self.taps)[:, None])
        return (place >= 0) & (place < self.n_in)


def _whole(value: object, least: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and int(value) >= least  # type: ignore[call-overload]


def _listed(value: object) -> bool:
    return isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _pair(value: Any) -> Pair | None:
    """Return one number or two as a pair; None where they are no whole numbers."""
    values = tuple(value) if _listed(value) else (value, value)
    if len(values) != 2 or not all(_whole(v, -(2**31)) for v in values):
        return None
    return int(values[0]), int(values[1])


def _pairs(value: int | Pair) -> Pair:
    return value if isinstance(value, tuple) else (value, value)
