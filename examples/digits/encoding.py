"""Digit images as network input: deterministic rate code, and distortions for training.

In ``encode`` every pixel drives a phase accumulator. In each time step the accumulator grows by
``pixel / 16 * max_rate``; when it reaches one, a spike is emitted and one is subtracted, so the
remainder is carried on (error diffusion). No random numbers are involved. The accumulator starts
at one half, hence a pixel spikes ``floor(n_steps * pixel / 16 * max_rate + 0.5)`` times.
"""

from __future__ import annotations

import numpy as np

N_PIXELS = 64
PIXEL_MAX = 16.0
MAX_RATE = 0.5
START_PHASE = 0.5


def encode(images: np.ndarray, n_steps: int, max_rate: float = MAX_RATE) -> np.ndarray:
    """Turn images into spike rasters.

    Args:
        images: grey values 0..16, shape (B, 64).
        n_steps: number of time steps T, at least 1.
        max_rate: spikes per step of a pixel with value 16, in (0, 1].

    Returns:
        Raster of zeros and ones, uint8, shape (B, T, 64).

    Raises:
        ValueError: wrong shape, values outside 0..16 (or NaN), bad ``n_steps`` or ``max_rate``.
    """
    images = np.asarray(images, dtype=np.float64)
    if images.ndim != 2 or images.shape[1] != N_PIXELS:
        raise ValueError(f"images must have shape (B, {N_PIXELS}), got {images.shape}")
    if not np.all((images >= 0.0) & (images <= PIXEL_MAX)):
        raise ValueError(f"pixel values must lie in 0..{PIXEL_MAX:g}")
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    if not 0.0 < max_rate <= 1.0:
        raise ValueError(f"max_rate must lie in (0, 1], got {max_rate}")
    increment = images / PIXEL_MAX * max_rate
    phase = np.full_like(increment, START_PHASE)
    raster = np.zeros((images.shape[0], n_steps, N_PIXELS), dtype=np.uint8)
    for step in range(n_steps):
        phase += increment
        fired = phase >= 1.0
        phase -= fired
        raster[:, step] = fired
    return raster


def distort(
    images: np.ndarray, jitter: float, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Randomly shift, rotate, scale and shear images and add noise (for training only).

    Args:
        images: grey values 0..16, shape (B, 64).
        jitter: strength of the geometric change; 1 shifts by up to 0.6 pixels.
        noise: standard deviation of the pixel noise, grey levels.
        rng: source of randomness.

    Returns:
        New images, same shape and range; bilinear interpolation, black outside.
    """
    n_images = len(images)
    matrix = np.eye(2) + jitter * rng.normal(0, 0.08, (n_images, 2, 2))
    shift = jitter * rng.uniform(-0.6, 0.6, (n_images, 2, 1))
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij")).reshape(2, 64) - 3.5
    position = np.clip(matrix @ grid + shift + 4.5, 0, 8.999)  # in the image with a black frame
    corner = position.astype(np.intp)
    frac = position - corner
    framed = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    index = np.arange(n_images)[:, None]
    moved = noise * rng.normal(size=(n_images, N_PIXELS))
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - dy - frac[:, 0]) * np.abs(1 - dx - frac[:, 1])
        moved += share * framed[index, corner[:, 0] + dy, corner[:, 1] + dx]
    return np.clip(moved, 0, PIXEL_MAX)
