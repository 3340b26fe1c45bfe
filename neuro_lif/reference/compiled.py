"""The float reference in the compiled kernel: equal to the numpy engine bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..convolution import Convolution
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..engines import NotInKernel, Progress, in_stretches, taken_spikes
from ..feeds import Feed, block_of, in_blocks
from ..kernel import missing_reason, native
from ..lanes import only_delay
from ..rasters import Rasters
from .float_rows import float_rows
from .folded import weights_by_input

Array = npt.NDArray[Any]

MOST_WAITING = 2**28
"""Sums on their way to one receptor, of all samples, that the kernel keeps."""

_built: WeakKeyDictionary[SteppedNetwork, Any] = WeakKeyDictionary()


def run_in_kernel(
    stepped: SteppedNetwork, n_steps: int, feeds: Mapping[str, Feed],
    traces: Mapping[tuple[str, str], Array], batch: int | None, progress: Progress | None,
    threads: int | None,
) -> tuple[int, bool, Rasters, str]:  # fmt: skip
    """Run a network in the kernel.

    Args:
        stepped: the network.
        n_steps: number of steps.
        feeds: of :func:`neuro_lif.feeds.float_feeds`.
        traces: float64 ``(batch or 1, n_steps, n)``, filled.
        batch: samples; None: one, and no axis for them.
        progress: as of :func:`neuro_lif.run_clocked`.
        threads: at most so many; None: as many as there are processors.

    Returns:
        Steps that were done, whether Ctrl-C ended it, spikes, and which instructions.

    Raises:
        KeyboardInterrupt: Ctrl-C before the first step was done.
    """
    module: Any = native()
    run = module.FloatRun(kernel_of(stepped, batch or 1), batch or 1)
    net, many = stepped.network, threads or os.cpu_count() or 1
    numbers = {p.name: k for k, p in enumerate(stepped.populations)}
    places = [(feeds[spikes.name], True, k) for k, spikes in enumerate(net.spike_inputs)]
    places += [(feeds[c.name], False, numbers[c.population]) for c in net.current_inputs]

    def load(first: int, last: int) -> None:
        run.drop_feeds()
        for feed, to_source, number in places:  # in their order, for in it they are added up
            _feed(run, to_source, number, feed, first, last)

    for (name, variable), out in traces.items():
        run.trace(numbers[name], variable == "v", out)
    block = block_of(feeds.values(), batch or 1, n_steps)
    advance = in_blocks(n_steps, block, load, lambda steps: run.advance(steps, many))
    interrupted = False
    try:
        in_stretches(n_steps, run.size(), advance, progress)
    except KeyboardInterrupt:
        interrupted = True
        if not run.done():
            raise
    done = run.done()
    lists = {
        p.name: taken_spikes(run, numbers[p.name], p.size, p.counts_dtype, batch, done, many)
        for p in stepped.described
    }
    return done, interrupted, Rasters(lists), module.used_set()


def _feed(run: Any, to_source: bool, number: int, feed: Feed, first: int, last: int) -> None:
    """Give a run a stretch of an input; what all samples or all steps have in common, once."""
    rows = feed.rows(first, last) if feed.whole is None else feed.whole
    n_steps, begin = rows.shape[1], first if feed.whole is None else 0
    rows = rows[:1] if rows.strides[0] == 0 else rows
    rows = rows[:, :1] if rows.strides[1] == 0 else rows
    if rows.shape[1] > 1 or rows.any():  # silence changes nothing
        run.feed(to_source, number, np.ascontiguousarray(rows), n_steps, begin)


def kernel_of(stepped: SteppedNetwork, batch: int) -> Any:
    """Return a network in the kernel; the second call for a network is quick.

    Raises:
        NotInKernel: there is no kernel, or its delays are too long for the memory.
    """
    if native() is None:
        raise NotInKernel(f"the compiled kernel is not there: {missing_reason()}")
    sizes = {p.name: p.size for p in stepped.populations}
    for q in stepped.projections:
        slots = int(np.max(q.delays, initial=0)) + q.latency + 1
        if slots * sizes[q.post] * batch > MOST_WAITING:
            raise NotInKernel(f"projection {q.name!r}: its delays are too long")
    if stepped not in _built:
        _built[stepped] = _build(stepped)
    return _built[stepped]


def _build(stepped: SteppedNetwork) -> Any:
    kernel = native().FloatKernel()  # type: ignore[union-attr]
    sources = {i.name: kernel.add_source(i.size) for i in stepped.network.spike_inputs}
    numbers = {p.name: _add_population(kernel, p, stepped.rule.compare)
               for p in stepped.populations}  # fmt: skip
    for q in stepped.projections:
        from_source = q.pre in sources
        pre = sources[q.pre] if from_source else numbers[q.pre]
        _add_projection(kernel, q, from_source, pre, numbers[q.post])
    kernel.finish()
    return kernel


def _add_population(kernel: Any, p: SteppedPopulation, compare: str) -> int:
    def spread(values: Any) -> Array:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float64), (p.size,)))

    def own(values: Array) -> Array:
        """One number where all are the same, bit for bit."""
        same = (values.view(np.int64) == values.view(np.int64)[0]).all()
        return values[:1].copy() if same else values

    threshold = spread(p.threshold)
    # x >= y is x > (the number below y), so that the kernel has one comparison
    with np.errstate(over="ignore"):
        above = threshold if compare == ">" else np.nextafter(threshold, -np.inf)
    params = [*(spread(decay) for decay in p.decay_u), spread(p.decay_v), above]
    if all(own(x).size == 1 for x in params):
        params = [own(x) for x in params]
    bias = own(spread(p.bias) + 0.0)  # numpy adds the current, here none, before anything else
    number = int(kernel.add_population(
        p.size, params[:-2], params[-2], params[-1], bias, spread(p.gain), own(threshold),
        own(spread(p.refractory)), spread(p.v_init), p.reset == "subtract" and p.spikes, p.graded,
    ))  # fmt: skip
    if p.u_init is not None or p.limit > 1:
        u_init = None if p.u_init is None else np.ascontiguousarray(p.u_init, np.float64)
        kernel.set_first(number, float(p.limit), u_init)
    return number


def _add_projection(
    kernel: Any, q: SteppedProjection, from_source: bool, pre: int, post: int
) -> None:
    delay = only_delay(q.delays)
    if isinstance(q.weights, Convolution) and delay is not None:
        if (packed := _convolution(q.weights)) is not None:
            kernel.add_conv(from_source, pre, post, q.receptor, q.latency, delay, *packed)
            return
    rows = float_rows(q.matrix, q.delays, native().DOUBLES)  # type: ignore[union-attr]
    where = (from_source, pre, post, q.receptor, q.latency, rows.delay)
    if rows.dense is not None:
        kernel.add_dense(*where, rows.dense)
    else:
        kernel.add_sparse(*where, rows.n_pre, rows.row_start, rows.segment_start,
                          rows.segment_delay, rows.posts, rows.weights, rows.weight,
                          rows.by_row)  # fmt: skip


def _convolution(given: Convolution) -> tuple[Any, ...] | None:
    """Return a convolution as the kernel reads it, its weights once; None: it reads the matrix."""
    axes = [[a.n_in, a.n_out, a.taps, a.stride, a.padding, a.dilation] for a in given.axes]
    if max(map(max, axes)) >= 2**31:
        return None
    torch = given.layout == "torch"
    weights = weights_by_input(given, torch)
    each = weights.shape[1 if torch else 3]
    return torch, len(weights), given.groups, each, axes, weights.ravel()
