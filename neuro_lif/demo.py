"""The demonstration: one trained network down the whole ladder, held against Lava."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .compare import Comparison, compare
from .dequantize import dequantize
from .discretize import SteppedNetwork, discretize
from .emulator import run_fixed
from .errors import FileFormatError, RangeError, TargetError
from .fixed import FixedNetwork
from .quantize import quantize
from .recording import Recording
from .reference import run_clocked

Report = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""


@dataclass(frozen=True)
class Rung:
    """One level of the ladder: its name, what it loses, accuracy in percent, its recording."""

    name: str
    loses: str
    accuracy: float
    recording: Recording


@dataclass(frozen=True)
class Ladder:
    """The whole demonstration.

    Args:
        rungs: from float to integers.
        stepped, fixed: the network at levels 1 and 2.
        lava: comparison of the emulator with Lava, None where Lava is not to be had.
        lava_text: what to say about it.
        labels, images: of the held-out set.
    """

    rungs: tuple[Rung, ...]
    stepped: SteppedNetwork
    fixed: FixedNetwork
    lava: Comparison | None
    lava_text: str
    labels: npt.NDArray[np.int64]
    images: npt.NDArray[np.float64]


def digits_folder() -> Path:
    """Return the digits example: inside an installed wheel, or beside the package in a checkout.

    Raises:
        FileFormatError: it is in neither place.
    """
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "examples" / "digits", here / "_examples" / "digits"):
        if (folder / "weights.npz").is_file():
            return folder
    raise FileFormatError(
        "examples/digits/weights.npz is missing; write it with: python examples/digits/train.py"
    )


def load_digits_example() -> tuple[Any, Any]:
    """Return (the loaded digits, the example's ``predict``)."""
    folder = str(digits_folder())
    sys.path.insert(0, folder)
    try:
        network, train = importlib.import_module("network"), importlib.import_module("train")
    except ModuleNotFoundError as error:
        raise TargetError(
            f"the demo needs {error.name}; mend with: pip install 'neuro-lif[digits]'"
        ) from None
    finally:
        sys.path.remove(folder)
    return network.load(), train.predict


def check_images(count: object) -> None:
    """Refuse a number of images that is none.

    Raises:
        RangeError: not a whole number >= 0.
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
        raise RangeError(f"lava_images (--lava-images) = {count!r}, allowed: a whole number >= 0")


def run_ladder(
    profile: str = "loihi2", lava_images: int = 20, report: Report | None = None
) -> Ladder:
    """Run the digits classifier at every level.

    Args:
        profile: the chip.
        lava_images: how many held-out images also run in the Lava runtime; all where there are
            fewer.
        report: progress.

    Raises:
        RangeError: lava_images is no whole number >= 0.
    """
    check_images(lava_images)
    told = report or (lambda *_: None)
    digits, predict = load_digits_example()
    stepped = discretize(digits.network, digits.dt)
    fixed = quantize(stepped, profile)
    inputs = {"pixels": digits.rasters}

    def say(title: str) -> Callable[[int, int], None]:
        return lambda done, total: told(title, done, total)

    def rung(name: str, loses: str, recording: Recording) -> Rung:
        counts = recording.spikes["output"].sum(axis=-2)
        guess = predict(counts, recording.volts("output")[..., -1, :])
        return Rung(name, loses, 100.0 * float(np.mean(guess == digits.labels)), recording)

    title = ("float64", "rounded parameters", f"{profile} integers")
    runs = (
        run_clocked(stepped, inputs=inputs, record="all", progress=say(title[0])),
        run_clocked(
            dequantize(fixed, stepped), inputs=inputs, record="all", progress=say(title[1])
        ),
        run_fixed(fixed, inputs=inputs, record="all", progress=say(title[2])),
    )
    losses = ("time step", "parameter rounding", "state rounding")
    rungs = tuple(rung(*parts) for parts in zip(title, losses, runs, strict=True))
    lava, text = _against_lava(fixed, digits.rasters[:lava_images], runs[2], told)
    if lava is not None and lava_images > len(digits.rasters):
        text += f" ({lava_images} were asked for; there are {len(digits.rasters)})"
    return Ladder(rungs, stepped, fixed, lava, text, digits.labels, digits.images)


def _against_lava(
    fixed: FixedNetwork, rasters: Any, emulated: Recording, told: Report
) -> tuple[Comparison | None, str]:
    """Run some images in the Lava runtime and compare every u, v and spike."""
    from .targets.lava import lava_status, run_lava

    works, why = lava_status()
    if not works or len(rasters) == 0:
        return None, f"not run: {why}" if not works else "not run"
    told("Lava runtime", 0, 1)
    recording = run_lava(fixed, inputs={"pixels": rasters}, record="all")
    told("Lava runtime", 1, 1)
    cut = Recording(
        emulated.dt,
        emulated.n_steps,
        {k: v[: len(rasters)] for k, v in emulated.spikes.items()},
        {k: v[: len(rasters)] for k, v in emulated.traces.items()},
        emulated.lsb,
        emulated.v_zero,
    )
    result = compare(cut, recording)
    values = sum(a.size for a in (*cut.spikes.values(), *cut.traces.values()))
    outcome = "0 differences" if result.identical else f"FIRST DIFFERENCE {result.divergence}"
    return result, f"{len(rasters)} images, {values:,} values of u, v and spikes: {outcome}"
