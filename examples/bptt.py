"""Trains layers of LIF neurons with numpy alone: what the examples' ``train.py`` share.

All layers follow, from a zero start for every sample, ::

    u[n] = a_u * u[n-1] + W @ s_in[n-1]       a_u = exp(-dt / tau_syn)
    v[n] = a_v * v[n-1] + u[n] + b            a_v = exp(-dt / tau_m)
    s[n] = v[n] > threshold,  then v[n] = 0 where s[n] = 1  (u is not reset)

so a spike of step n enters the next layer in step n + 1. The answer is the output neuron with most
spikes (:func:`predict`). Training is back-propagation through time with a surrogate gradient, Adam
and a running average of the weights; a validation split picks the epoch.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PARAMETERS = ("w_hidden", "b_hidden", "w_output", "b_output")

Params = dict[str, np.ndarray]
Data = tuple[np.ndarray, np.ndarray]  # samples (B, ...), labels (B,)
Show = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Makes the raster (B, T, n) of a training batch."""


@dataclass(frozen=True)
class Cell:
    """A kind of neuron and its step: times in s; the threshold is the unit of all weights."""

    dt: float
    tau_syn: float
    tau_m: float
    threshold: float = 1.0

    @property
    def a_u(self) -> float:
        return math.exp(-self.dt / self.tau_syn)

    @property
    def a_v(self) -> float:
        return math.exp(-self.dt / self.tau_m)


@dataclass(frozen=True)
class Settings:
    """Everything that may be tuned without changing the network."""

    epochs: int
    seed: int = 0
    batch: int = 64
    rate: float = 4e-3  # peak learning rate, cosine decay to zero
    average: float = 0.98  # running average of the weights, per update
    decay: float = 0.02  # decoupled weight decay, relative to the learning rate
    limit: float = math.inf  # weights are clipped to +-limit
    activity: float = 2.0  # penalty on hidden rates above activity_target
    activity_target: float = 0.12
    gain: float = 0.5  # softmax input per output spike


class Activity(NamedTuple):
    """Result of ``forward``: spikes of both layers, last output membrane."""

    hidden: np.ndarray  # (B, T, n_hidden) bool
    output: np.ndarray  # (B, T, n_output) bool
    v_last: np.ndarray  # (B, n_output), after the reset of the last step


class Trace(NamedTuple):
    """What the backward pass of one layer needs, time first."""

    arriving: np.ndarray  # (T, B, n_in) input spikes, already delayed by one step
    v: np.ndarray  # (T, B, n_out) membrane before reset
    spikes: np.ndarray  # (T, B, n_out)


# ------------------------------------------------------------------------------------ forward


def initial_params(
    rng: np.random.Generator, n_in: int, n_hidden: int, n_out: int, hidden: tuple[float, float]
) -> Params:
    """Random start weights, float32; ``hidden``: mean and standard deviation of the first layer."""
    params = {
        "w_hidden": rng.normal(*hidden, (n_hidden, n_in)),
        "b_hidden": np.zeros(n_hidden),
        "w_output": rng.normal(0.0, 0.1, (n_out, n_hidden)),
        "b_output": np.zeros(n_out),
    }
    return {key: value.astype(np.float32) for key, value in params.items()}


def run_layer(cell: Cell, spikes_in: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> Trace:
    """Run one LIF layer over time-first input spikes (T, B, n_in), in the dtype of weight."""
    arriving = np.zeros(spikes_in.shape, dtype=weight.dtype)
    arriving[1:] = spikes_in[:-1]
    current = arriving @ weight.T
    v_all, spikes = np.empty_like(current), np.empty_like(current)
    u, v = np.zeros_like(current[0]), np.zeros_like(current[0])
    a_u, a_v = cell.a_u, cell.a_v
    for step in range(len(current)):
        u = a_u * u + current[step]
        v_all[step] = a_v * v + u + bias
        spikes[step] = v_all[step] > cell.threshold
        v = v_all[step] * (1 - spikes[step])
    return Trace(arriving, v_all, spikes)


def run_network(cell: Cell, params: Params, raster: np.ndarray) -> tuple[Trace, Trace]:
    """Run the hidden and the output layer on a raster (B, T, n), in the dtype of the weights."""
    hidden = run_layer(cell, np.swapaxes(raster, 0, 1), params["w_hidden"], params["b_hidden"])
    return hidden, run_layer(cell, hidden.spikes, params["w_output"], params["b_output"])


def forward(cell: Cell, params: Mapping[str, np.ndarray], raster: np.ndarray) -> Activity:
    """Run the network in float64 on a raster (B, T, n); params may be an open weights.npz."""
    exact = {key: np.asarray(params[key], dtype=np.float64) for key in PARAMETERS}
    hidden, output = run_network(cell, exact, raster)
    return Activity(
        hidden=np.swapaxes(hidden.spikes, 0, 1) > 0,
        output=np.swapaxes(output.spikes, 0, 1) > 0,
        v_last=output.v[-1] * (1 - output.spikes[-1]),
    )


def predict(counts: np.ndarray, v_last: np.ndarray) -> np.ndarray:
    """Class per sample: most output spikes; ties go to the higher last membrane, then lower index.

    Args:
        counts: output spikes over the window, shape (B, n_output).
        v_last: output membrane after the last step (zero where it just spiked), same shape.
    """
    tied = counts == counts.max(axis=1, keepdims=True)
    return np.where(tied, v_last, -np.inf).argmax(axis=1)


# ----------------------------------------------------------------------------------- backward


def layer_backward(
    cell: Cell, trace: Trace, grad_spikes: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Back-propagate one layer through time: gradients at weight, bias and incoming spikes.

    The step function gets the surrogate derivative 1 / (1 + 5 |v - threshold|)^2; the reset is
    treated as constant.
    """
    grad = grad_spikes / (1 + 5 * np.abs(trace.v - cell.threshold)) ** 2  # at v
    for step in range(len(grad) - 2, -1, -1):
        grad[step] += cell.a_v * grad[step + 1] * (1 - trace.spikes[step])
    grad_bias = grad.sum(axis=(0, 1))
    for step in range(len(grad) - 2, -1, -1):  # now at u
        grad[step] += cell.a_u * grad[step + 1]
    n_out, n_in = weight.shape
    grad_weight = grad.reshape(-1, n_out).T @ trace.arriving.reshape(-1, n_in)
    grad_in = np.zeros_like(trace.arriving)
    grad_in[:-1] = (grad @ weight)[1:]
    return grad_weight, grad_bias, grad_in


def class_probabilities(counts: np.ndarray, gain: float) -> np.ndarray:
    """Softmax of the output spike counts (B, n_output)."""
    weight = np.exp(gain * (counts - counts.max(axis=1, keepdims=True)))
    return weight / weight.sum(axis=1, keepdims=True)


def loss_and_gradients(
    cell: Cell, params: Params, raster: np.ndarray, labels: np.ndarray, settings: Settings
) -> tuple[float, Params]:
    """Cross entropy of the output spike counts plus rate penalty, and the gradients of both."""
    hid, out = run_network(cell, params, raster)
    n_steps, n_batch, n_hidden = hid.spikes.shape
    prob = class_probabilities(out.spikes.sum(axis=0), settings.gain)
    rows = np.arange(n_batch)
    excess = np.maximum(hid.spikes.mean(axis=(0, 1)) - settings.activity_target, 0)
    loss = -np.log(prob[rows, labels] + 1e-12).mean() + settings.activity * (excess**2).mean()
    prob[rows, labels] -= 1
    grad_out = np.repeat((settings.gain / n_batch * prob)[None], n_steps, axis=0)
    g_wo, g_bo, grad_hid = layer_backward(cell, out, grad_out, params["w_output"])
    grad_hid += settings.activity * 2 * excess / (n_hidden * n_steps * n_batch)
    g_wh, g_bh, _ = layer_backward(cell, hid, grad_hid, params["w_hidden"])
    return float(loss), {"w_hidden": g_wh, "b_hidden": g_bh, "w_output": g_wo, "b_output": g_bo}


class Adam:
    """Adam with decoupled decay and clipping of the weights (not of the biases)."""

    def __init__(self, params: Params, settings: Settings) -> None:
        self.settings = settings
        self.mean = {key: np.zeros_like(value) for key, value in params.items()}
        self.square = {key: np.zeros_like(value) for key, value in params.items()}
        self.count = 0

    def update(self, params: Params, grads: Params, rate: float) -> None:
        """One step, in place."""
        self.count += 1
        for key, value in params.items():
            self.mean[key] += 0.1 * (grads[key] - self.mean[key])
            self.square[key] += 0.001 * (grads[key] ** 2 - self.square[key])
            mean = self.mean[key] / (1 - 0.9**self.count)
            square = self.square[key] / (1 - 0.999**self.count)
            value -= rate * mean / (np.sqrt(square) + 1e-8)
            if key.startswith("w_"):
                value *= 1 - rate * self.settings.decay
                np.clip(value, -self.settings.limit, self.settings.limit, out=value)


# ----------------------------------------------------------------------------------- training


def evaluate(
    cell: Cell, params: Params, raster: np.ndarray, labels: np.ndarray, gain: float
) -> dict[str, float]:
    """Correct answers, accuracy, cross entropy and hidden activity."""
    activity = forward(cell, params, raster)
    counts = activity.output.sum(axis=1)
    correct = int((predict(counts, activity.v_last) == labels).sum())
    chance = class_probabilities(counts, gain)[np.arange(len(labels)), labels]
    return {
        "correct": correct,
        "accuracy": correct / len(labels),
        "cross_entropy": float(-np.log(chance + 1e-12).mean()),
        "hidden_activity": float(activity.hidden.mean()),
    }


def one_thread() -> contextlib.AbstractContextManager[object]:
    """Keep numpy to one thread: for matrices this small more are slower, and not reproducible."""
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ModuleNotFoundError:
        return contextlib.nullcontext()
    return threadpool_limits(1)


def train_epoch(
    cell: Cell, params: Params, average: Params, adam: Adam, data: Data, show: Show, rate: float,
    rng: np.random.Generator,
) -> float:  # fmt: skip
    """Update params and their running average in place over one epoch; return the mean loss."""
    settings = adam.settings
    samples, labels = data
    order = rng.permutation(len(labels))
    losses = []
    for batch in np.array_split(order, max(1, len(order) // settings.batch)):
        raster = show(samples[batch], rng)
        loss, grads = loss_and_gradients(cell, params, raster, labels[batch], settings)
        adam.update(params, grads, rate)
        for key, value in params.items():
            average[key] += (1 - settings.average) * (value - average[key])
        losses.append(loss)
    return float(np.mean(losses))


def fit(
    cell: Cell, params: Params, data: Data, show: Show, val: Data, settings: Settings,
    rng: np.random.Generator,
) -> tuple[Params, list[float]]:  # fmt: skip
    """Train ``params`` in place.

    Args:
        cell: the neurons.
        params: start weights, float32.
        data: training samples and labels.
        show: makes the raster of a batch of samples.
        val: raster (B, T, n) and labels that pick the epoch.
        settings: see there.
        rng: source of the order of the samples, and of what ``show`` draws.

    Returns:
        Averaged weights (epoch of least cross entropy on val) and the loss of every epoch.
    """
    average = {key: value.copy() for key, value in params.items()}
    adam = Adam(params, settings)
    best, best_score, losses = average, math.inf, []
    for epoch in range(settings.epochs):
        rate = settings.rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
        losses.append(train_epoch(cell, params, average, adam, data, show, rate, rng))
        score = evaluate(cell, average, *val, settings.gain)
        if score["cross_entropy"] <= best_score:
            best_score = score["cross_entropy"]
            best = {key: value.copy() for key, value in average.items()}
        print(
            f"epoch {epoch + 1:3d}  loss {losses[-1]:.4f}  val {score['accuracy']:.4f}"
            f" (ce {score['cross_entropy']:.4f})  hidden activity {score['hidden_activity']:.3f}",
            flush=True,
        )
    return best, losses
