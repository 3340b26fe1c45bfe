"""The demo's picture: input, spike rasters and membrane traces, float beside integer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from ..compare import compare
from ..demo import Ladder
from ..errors import FileFormatError
from ..recording import Recording

FLOAT, FIXED, MARK = "#1f6fb4", "#d1495b", "#3a3a3a"


def ladder_picture(ladder: Ladder, path: Path) -> Path:
    """Draw one held-out image at both ends of the ladder and the accuracy of every rung.

    The image is the first one whose integer spikes differ from the float ones, so that there is a
    divergence to look at; the first image where none differs.

    Returns:
        The path written.
    """
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    first, last = ladder.rungs[0].recording, ladder.rungs[-1].recording
    sample = _interesting(first, last)
    a, b = first.sample(sample), last.sample(sample)
    figure = plt.figure(figsize=(12, 8.5), constrained_layout=True)
    grid = figure.add_gridspec(3, 3, height_ratios=(1.0, 1.7, 1.7), width_ratios=(1, 2.2, 2.2))
    _image(figure.add_subplot(grid[0, 0]), ladder, sample)
    _accuracy(figure.add_subplot(grid[0, 1:]), ladder)
    divergence = compare(a, b).divergence
    _raster(figure.add_subplot(grid[1, :]), a, b, divergence)
    _traces(figure.add_subplot(grid[2, :]), ladder, a, b, divergence)
    profile = ladder.fixed.profile.title
    figure.suptitle(f"One network, float64 beside the integers of {profile}", fontsize=13)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise FileFormatError(f"picture {str(path)!r}: cannot be written: {error}") from None
    finally:
        plt.close(figure)
    return path


def _interesting(first: Recording, last: Recording) -> int:
    different = np.zeros(next(iter(first.spikes.values())).shape[0], bool)
    for name, spikes in first.spikes.items():
        different |= np.any(spikes != last.spikes[name], axis=(1, 2))
    return int(np.argmax(different))


def _image(axis: Any, ladder: Ladder, sample: int) -> None:
    axis.imshow(ladder.images[sample], cmap="gray_r")
    axis.set_title(f"held-out image {sample}: a {ladder.labels[sample]}", fontsize=10)
    axis.axis("off")


def _accuracy(axis: Any, ladder: Ladder) -> None:
    names = [r.name for r in ladder.rungs]
    values = [r.accuracy for r in ladder.rungs]
    bars = axis.barh(names, values, color=[FLOAT, "#8d6aa8", FIXED], height=0.6)
    axis.bar_label(bars, [f"{v:.2f} %" for v in values], padding=4, fontsize=10)
    axis.invert_yaxis()
    axis.set_xlim(min(values) - 3, 101)
    axis.set_xlabel(
        f"accuracy on {len(ladder.labels)} held-out images (axis does not start at 0), %"
    )
    axis.set_title(f"emulator against Lava: {ladder.lava_text}", fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def _raster(axis: Any, a: Recording, b: Recording, divergence: Any) -> None:
    offset, ticks, labels = 0, [], []
    for name in a.spikes:
        for recording, color, marker, size in ((a, FLOAT, "o", 26), (b, FIXED, "x", 14)):
            step, neuron = np.nonzero(recording.spikes[name])
            style = {"facecolors": "none", "edgecolors": color} if marker == "o" else {"c": color}
            label = None
            if offset == 0:
                label = "float64" if marker == "o" else "integers"
            axis.scatter(
                step + 1,
                neuron + offset,
                s=size,
                marker=marker,
                linewidths=1.0,
                label=label,
                **style,
            )
        size_of = a.spikes[name].shape[-1]
        ticks.append(offset + size_of / 2)
        labels.append(f"{name}\n({size_of})")
        offset += size_of + 4
        axis.axhline(offset - 2.5, color="0.85", lw=0.8)
    axis.set_yticks(ticks, labels)
    axis.set_ylim(-2, offset)
    axis.set_xlim(0, a.n_steps + 1)
    axis.set_xlabel("step")
    axis.set_title(
        "spikes (a lone circle or cross: only one side has it)",
        fontsize=10,
        loc="left",
    )
    _mark(axis, divergence)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=9, frameon=False)


def _traces(axis: Any, ladder: Ladder, a: Recording, b: Recording, divergence: Any) -> None:
    name, neuron = (
        ("output", _busiest(a))
        if divergence is None
        else (divergence.population, divergence.neuron)
    )
    steps = np.arange(1, a.n_steps + 1)
    axis.plot(steps, a.volts(name)[:, neuron], color=FLOAT, lw=2.2, label="float64")
    axis.plot(
        steps,
        b.volts(name)[:, neuron],
        color=FIXED,
        lw=1.2,
        ls="--",
        marker=".",
        label="integers, in volts",
    )
    population = ladder.stepped.population(name)
    threshold = float(population.threshold[neuron] + population.v_zero[neuron])
    axis.axhline(threshold, color="0.5", lw=0.8, ls=":")
    axis.annotate("threshold", (0.3, threshold), fontsize=8, color="0.4", va="bottom")
    axis.set_xlim(0, a.n_steps + 1)
    axis.set_xlabel("step")
    axis.set_ylabel("membrane voltage after reset, V")
    axis.set_title(f"membrane of neuron {neuron} of {name!r}", fontsize=10, loc="left")
    _mark(axis, divergence)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=9, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


def _busiest(recording: Recording) -> int:
    return int(recording.spikes["output"].sum(axis=0).argmax())


def _mark(axis: Any, divergence: Any) -> None:
    if divergence is None:
        return
    label = f"first divergence: step {divergence.step}"
    axis.axvline(divergence.step, color=MARK, lw=1.0, ls="-.", label=label)
