"""The Yin-Yang data set, and its coordinates as spikes.

A disc of radius 0.5 around (0.5, 0.5) is divided in two by an S of two half circles; each half has
a dot of radius 0.1 in its head. A point belongs to the *yang* half (0), the *yin* half (1) or to
one of the *dots* (2). The three classes are equally frequent, so small dots hold many points; no
straight line helps, and the nearest border is never far: networks with coarse weights fail.

In ``encode`` each point has five channels with one spike each: x, y, 1 - x, 1 - y, the larger the
later, and one that always spikes in the first step.

Source: L. Kriener, J. Goeltz, M. A. Petrovici, "The Yin-Yang dataset", NICE 2022, arXiv 2102.08211.
Written from its geometry; the points are of other random numbers than its own program's.
"""

from __future__ import annotations

import numpy as np

CLASSES = ("yang", "yin", "dot")
R_BIG, R_DOT = 0.5, 0.1
N_CHANNELS = 5
LATEST = 0.75
"""The spike of a coordinate of 1 comes after this share of the steps; the rest is to decide."""


def class_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the class 0, 1, 2 of points in the disc, in the shape of x and y."""
    left = np.hypot(x - 0.5 * R_BIG, y - R_BIG)
    right = np.hypot(x - 1.5 * R_BIG, y - R_BIG)
    # the upper half, with the lower head on the left, without the upper one on the right
    yin = (left <= 0.5 * R_BIG) | ((y > R_BIG) & (right > 0.5 * R_BIG))
    return np.where((left <= R_DOT) | (right <= R_DOT), 2, yin.astype(np.int64))


def points(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points, each class with the same probability.

    Args:
        size: how many, at least 0.
        seed: whole number >= 0; the first points of a seed do not depend on ``size``.

    Returns:
        Coordinates ``(size, 2)`` in 0..1, and classes ``(size,)``.

    Raises:
        ValueError: a negative size.
    """
    if size < 0:
        raise ValueError(f"size must be at least 0, got {size}")
    rng = np.random.default_rng(seed)
    wanted = np.random.default_rng([seed, 1]).integers(0, len(CLASSES), size)
    found = np.empty((size, 2))
    stock: list[list[np.ndarray]] = [[] for _ in CLASSES]
    for k, kind in enumerate(wanted):
        while not stock[kind]:
            some = 2 * R_BIG * rng.random((256, 2))
            some = some[np.hypot(*(some - R_BIG).T) <= R_BIG]
            for place, c in zip(some, class_of(*some.T), strict=True):
                stock[c].insert(0, place)
        found[k] = stock[kind].pop()
    return found, wanted


def encode(places: np.ndarray, n_steps: int) -> np.ndarray:
    """Turn points into spike rasters.

    Args:
        places: coordinates 0..1, shape (B, 2).
        n_steps: number of time steps T, at least 4.

    Returns:
        Raster of zeros and ones, uint8, shape (B, T, 5); a channel spikes in the step
        ``round(value * LATEST * T)``, the bias in step 0.

    Raises:
        ValueError: wrong shape, values outside 0..1 (or NaN), or bad ``n_steps``.
    """
    places = np.asarray(places, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"places must have shape (B, 2), got {places.shape}")
    if not np.all((places >= 0.0) & (places <= 1.0)):
        raise ValueError("coordinates must lie in 0..1")
    if n_steps < 4:
        raise ValueError(f"n_steps must be at least 4, got {n_steps}")
    values = np.concatenate([places, 1 - places, np.zeros((len(places), 1))], axis=1)
    step = np.rint(values * round(LATEST * n_steps)).astype(np.intp)
    raster = np.zeros((len(places), n_steps, N_CHANNELS), dtype=np.uint8)
    raster[np.arange(len(places))[:, None], step, np.arange(N_CHANNELS)] = 1
    return raster
