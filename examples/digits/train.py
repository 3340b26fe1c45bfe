"""Train a small spiking classifier of scikit-learn's handwritten digits (numpy only, offline).

How to run, from the root of the repository (needs numpy and scikit-learn, about a minute on one
core; a rerun on the same machine gives the same weights)::

    python examples/digits/train.py                      # rewrites examples/digits/weights.npz
    python examples/digits/train.py --epochs 20 --out quick.npz

The network is 64 inputs -> 96 hidden -> 10 output current-based LIF neurons, dt = 1 ms. Both
layers follow, from a zero start for every image, ::

    u[n] = a_u * u[n-1] + W @ s_in[n-1]       a_u = exp(-dt / tau_syn)
    v[n] = a_v * v[n-1] + u[n] + b            a_v = exp(-dt / tau_m)
    s[n] = v[n] > threshold,  then v[n] = 0 where s[n] = 1  (u is not reset)

so a spike of step n (input or hidden) enters the next layer in step n + 1. Inputs come from
``encoding.encode``; the answer is the output neuron with most spikes, see ``predict``.

Training is back-propagation through time with a surrogate gradient, Adam and a running average of
the weights. 450 images are the test split, which decides nothing. Of the others, 15 % are held out
for validation: they pick the epoch. The settings were chosen by cross-validation without the 450.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
from encoding import distort, encode
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # comes with scikit-learn

N_INPUT, N_HIDDEN, N_OUTPUT = 64, 96, 10
N_STEPS, N_TEST = 32, 450
DT, THRESHOLD = 1e-3, 1.0  # seconds; the threshold is the unit of all weights and biases
TAU_SYN, TAU_M = 1.4427e-3, 9.4912e-3  # seconds
A_U, A_V = math.exp(-DT / TAU_SYN), math.exp(-DT / TAU_M)  # about 0.5 and 0.9
GAIN = 0.5  # softmax input per output spike
DEFAULT_OUT = Path(__file__).resolve().parent / "weights.npz"
PARAMETERS = ("w_hidden", "b_hidden", "w_output", "b_output")

Params = dict[str, np.ndarray]
Data = tuple[np.ndarray, np.ndarray]  # images (B, 64), labels (B,)


@dataclass(frozen=True)
class Settings:
    """Everything that may be tuned without changing the network."""

    epochs: int = 300
    seed: int = 0
    batch: int = 64
    rate: float = 4e-3  # peak learning rate, cosine decay to zero
    average: float = 0.98  # running average of the weights, per update
    decay: float = 0.02  # decoupled weight decay, relative to the learning rate
    limit: float = 0.35  # weights are clipped to +-limit: no outliers to spoil quantisation
    activity: float = 2.0  # penalty on hidden rates above activity_target
    activity_target: float = 0.12
    jitter: float = 1.0  # scale of the random affine image distortion
    noise: float = 0.5  # standard deviation of the pixel noise, grey levels


class Activity(NamedTuple):
    """Result of ``forward``: spikes of both layers, last output membrane."""

    hidden: np.ndarray  # (B, T, 96) bool
    output: np.ndarray  # (B, T, 10) bool
    v_last: np.ndarray  # (B, 10), after the reset of the last step


class Trace(NamedTuple):
    """What the backward pass of one layer needs, time first."""

    arriving: np.ndarray  # (T, B, n_in) input spikes, already delayed by one step
    v: np.ndarray  # (T, B, n_out) membrane before reset
    spikes: np.ndarray  # (T, B, n_out)


def run_layer(spikes_in: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> Trace:
    """Run one LIF layer over time-first input spikes (T, B, n_in), in the dtype of weight."""
    arriving = np.zeros(spikes_in.shape, dtype=weight.dtype)
    arriving[1:] = spikes_in[:-1]
    current = arriving @ weight.T
    v_all, spikes = np.empty_like(current), np.empty_like(current)
    u, v = np.zeros_like(current[0]), np.zeros_like(current[0])
    for step in range(len(current)):
        u = A_U * u + current[step]
        v_all[step] = A_V * v + u + bias
        spikes[step] = v_all[step] > THRESHOLD
        v = v_all[step] * (1 - spikes[step])
    return Trace(arriving, v_all, spikes)


def run_network(params: Params, raster: np.ndarray) -> tuple[Trace, Trace]:
    """Run the hidden and the output layer on a raster (B, T, 64), in the dtype of the weights."""
    hidden = run_layer(np.swapaxes(raster, 0, 1), params["w_hidden"], params["b_hidden"])
    return hidden, run_layer(hidden.spikes, params["w_output"], params["b_output"])


def forward(params: Mapping[str, np.ndarray], raster: np.ndarray) -> Activity:
    """Run the network in float64 on a raster (B, T, 64); params may be the open weights.npz."""
    exact = {key: np.asarray(params[key], dtype=np.float64) for key in PARAMETERS}
    hidden, output = run_network(exact, raster)
    return Activity(
        hidden=np.swapaxes(hidden.spikes, 0, 1) > 0,
        output=np.swapaxes(output.spikes, 0, 1) > 0,
        v_last=output.v[-1] * (1 - output.spikes[-1]),
    )


def predict(counts: np.ndarray, v_last: np.ndarray) -> np.ndarray:
    """Class per image: most output spikes; ties go to the higher last membrane, then lower index.

    Args:
        counts: output spikes over the window, shape (B, 10).
        v_last: output membrane after the last step (zero where it just spiked), shape (B, 10).
    """
    tied = counts == counts.max(axis=1, keepdims=True)
    return np.where(tied, v_last, -np.inf).argmax(axis=1)


def layer_backward(
    trace: Trace, grad_spikes: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Back-propagate one layer through time: gradients at weight, bias and incoming spikes.

    The step function gets the surrogate derivative 1 / (1 + 5 |v - threshold|)^2; the reset is
    treated as constant.
    """
    grad = grad_spikes / (1 + 5 * np.abs(trace.v - THRESHOLD)) ** 2  # at v
    for step in range(len(grad) - 2, -1, -1):
        grad[step] += A_V * grad[step + 1] * (1 - trace.spikes[step])
    grad_bias = grad.sum(axis=(0, 1))
    for step in range(len(grad) - 2, -1, -1):  # now at u
        grad[step] += A_U * grad[step + 1]
    n_out, n_in = weight.shape
    grad_weight = grad.reshape(-1, n_out).T @ trace.arriving.reshape(-1, n_in)
    grad_in = np.zeros_like(trace.arriving)
    grad_in[:-1] = (grad @ weight)[1:]
    return grad_weight, grad_bias, grad_in


def class_probabilities(counts: np.ndarray) -> np.ndarray:
    """Softmax of the output spike counts (B, 10)."""
    weight = np.exp(GAIN * (counts - counts.max(axis=1, keepdims=True)))
    return weight / weight.sum(axis=1, keepdims=True)


def loss_and_gradients(
    params: Params, raster: np.ndarray, labels: np.ndarray, settings: Settings
) -> tuple[float, Params]:
    """Cross entropy of the output spike counts plus rate penalty, and the gradients of both."""
    hid, out = run_network(params, raster)
    n_steps, n_batch, n_hidden = hid.spikes.shape
    prob = class_probabilities(out.spikes.sum(axis=0))
    rows = np.arange(n_batch)
    excess = np.maximum(hid.spikes.mean(axis=(0, 1)) - settings.activity_target, 0)
    loss = -np.log(prob[rows, labels] + 1e-12).mean() + settings.activity * (excess**2).mean()
    prob[rows, labels] -= 1
    grad_out = np.repeat((GAIN / n_batch * prob)[None], n_steps, axis=0)
    g_wo, g_bo, grad_hid = layer_backward(out, grad_out, params["w_output"])
    grad_hid += settings.activity * 2 * excess / (n_hidden * n_steps * n_batch)
    g_wh, g_bh, _ = layer_backward(hid, grad_hid, params["w_hidden"])
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


def initial_params(rng: np.random.Generator) -> Params:
    """Random start weights, float32."""
    params = {
        "w_hidden": rng.normal(0.01, 0.05, (N_HIDDEN, N_INPUT)),
        "b_hidden": np.zeros(N_HIDDEN),
        "w_output": rng.normal(0.0, 0.1, (N_OUTPUT, N_HIDDEN)),
        "b_output": np.zeros(N_OUTPUT),
    }
    return {key: value.astype(np.float32) for key, value in params.items()}


def split(labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Indices of the splits train, val and test; seed only affects what val takes from train."""
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=N_TEST, stratify=labels, random_state=0
    )
    train, val = train_test_split(rest, test_size=0.15, stratify=labels[rest], random_state=seed)
    return {"train": train, "val": val, "test": test}


def evaluate(params: Params, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Correct answers, accuracy, cross entropy and hidden activity on clean images."""
    activity = forward(params, encode(images, N_STEPS))
    counts = activity.output.sum(axis=1)
    correct = int((predict(counts, activity.v_last) == labels).sum())
    chance = class_probabilities(counts)[np.arange(len(labels)), labels]
    return {
        "correct": correct,
        "accuracy": correct / len(labels),
        "cross_entropy": float(-np.log(chance + 1e-12).mean()),
        "hidden_activity": float(activity.hidden.mean()),
    }


def train_epoch(
    params: Params, average: Params, adam: Adam, data: Data, rate: float, rng: np.random.Generator
) -> float:
    """Update params and their running average in place over one epoch; return the mean loss."""
    settings = adam.settings
    images, labels = data
    order = rng.permutation(len(labels))
    losses = []
    for batch in np.array_split(order, max(1, len(order) // settings.batch)):
        raster = encode(distort(images[batch], settings.jitter, settings.noise, rng), N_STEPS)
        loss, grads = loss_and_gradients(params, raster, labels[batch], settings)
        adam.update(params, grads, rate)
        for key, value in params.items():
            average[key] += (1 - settings.average) * (value - average[key])
        losses.append(loss)
    return float(np.mean(losses))


def fit(data: Data, val: Data, settings: Settings) -> tuple[Params, list[float]]:
    """Return averaged weights (epoch of least cross entropy on val) and the loss of every epoch."""
    rng = np.random.default_rng(settings.seed)
    params = initial_params(rng)
    average = {key: value.copy() for key, value in params.items()}
    adam = Adam(params, settings)
    best, best_score, losses = average, math.inf, []
    for epoch in range(settings.epochs):
        rate = settings.rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
        losses.append(train_epoch(params, average, adam, data, rate, rng))
        score = evaluate(average, *val)
        if score["cross_entropy"] <= best_score:
            best_score = score["cross_entropy"]
            best = {key: value.copy() for key, value in average.items()}
        print(
            f"epoch {epoch + 1:3d}  loss {losses[-1]:.4f}  val {score['accuracy']:.4f}"
            f" (ce {score['cross_entropy']:.4f})  hidden activity {score['hidden_activity']:.3f}",
            flush=True,
        )
    return best, losses


def main(argv: list[str] | None = None) -> None:
    """Command line: train, print the accuracies, write the weights."""
    parser = argparse.ArgumentParser(description="Train the spiking digits classifier.")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="FILE")
    args = parser.parse_args(argv)
    images, labels = load_digits(return_X_y=True)
    parts = split(labels, args.seed)
    data = {name: (images[index], labels[index]) for name, index in parts.items()}
    start = time.perf_counter()
    with threadpool_limits(1):  # small matrices: more threads are slower, and not reproducible
        params, _ = fit(data["train"], data["val"], Settings(epochs=args.epochs, seed=args.seed))
    print(f"trained in {time.perf_counter() - start:.0f} s")
    info: dict[str, object] = {"seed": args.seed, "epochs": args.epochs}
    info.update(numpy=np.__version__, sklearn=sklearn.__version__)
    for name, (part_images, part_labels) in data.items():
        score = evaluate(params, part_images, part_labels)
        info[name] = {**score, "images": len(part_labels)}
        print(f"{name:5s} {score['correct']} of {len(part_labels)}: {score['accuracy']:.4f}")
    constants = {"dt": DT, "threshold": THRESHOLD, "tau_syn": TAU_SYN, "tau_m": TAU_M}
    text = json.dumps(info, sort_keys=True)
    np.savez(args.out, **params, **constants, n_steps=N_STEPS, test_index=parts["test"], info=text)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
