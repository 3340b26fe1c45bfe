"""What happens when in an event-exact run: the order of events, and what each does.

Events are done by time; at one time in this order:

1. spikes of the inputs are sent, injected currents change;
2. populations in the order of their ranks (a sender comes before whom it reaches without delay):
   all that arrives is added up; holds end; then V is compared, and who spikes sends;
3. V is read.

What arrives at one time is added in the order in which it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from ..network import Network, SpikeInput
from ..stimulus import Stimulus
from .exact_cells import BOUND, RELEASE, SPIKE, Cells
from .exact_synapses import DELTA, Fan, Outlet, Stages, ranks_of, stages_of

Array = npt.NDArray[Any]

FIRST, LAST = -1, 2**62
"""Ranks of inputs, and of reading V."""


class Queue:
    """The state of a run.

    Args:
        network: the description.
        end: length of the run, s.
        trains: spike input name -> the spikes it has in this run.
        stimuli: current input name -> stimulus in place of the one described.
        touching: whether to reach the threshold is enough.
        sample_times: ``(k,)`` s, ascending.
    """

    def __init__(
        self, network: Network, end: float, trains: Mapping[str, SpikeInput],
        stimuli: Mapping[str, Stimulus], touching: bool, sample_times: Array,
    ) -> None:  # fmt: skip
        self.now, self.end, self.events = 0.0, end, 0
        sizes = {p.name: p for p in network.populations}
        outlets = {q.name: Outlet(q, sizes[q.post]) for q in network.projections}
        ranks = ranks_of(network, outlets)
        receptors: dict[str, dict[Stages, None]] = {name: {} for name in sizes}
        for q in network.projections:
            if (stages := stages_of(q.synapse)) != DELTA:
                receptors[q.post][stages] = None
        self.cells = [Cells(p, network, list(receptors[p.name]), stimuli, touching, end)
                      for p in network.populations]  # fmt: skip
        self._by_name = {c.name: c for c in self.cells}
        self._rank = {c.name: ranks[c.name] for c in self.cells}
        self._out: dict[str, list[Outlet]] = {}
        for q in network.projections:
            self._out.setdefault(q.pre, []).append(outlets[q.name])
        self.spikes: dict[str, list[tuple[float, Array]]] = {c.name: [] for c in self.cells}
        self.samples: dict[str, list[Array]] = {c.name: [] for c in self.cells}
        self._heap: list[tuple[float, int, int, Any]] = []
        self._number = 0
        self._soonest = {c.name: np.inf for c in self.cells}
        for spikes in trains.values():
            self._ask(_Source(spikes.name, _groups(spikes)))
        self._sampling = iter(sample_times.tolist())
        self._ask_sample()
        for cells in self.cells:
            self._change(cells)

    def _push(self, time: float, rank: int, what: Any) -> None:
        if time <= self.end:
            self._number += 1
            heappush(self._heap, (time, rank, self._number, what))

    def _ask(self, source: _Source) -> None:
        following = next(source.groups, None)
        if following is not None:
            time, source.indices = following
            self._push(time, FIRST, source)

    def _ask_sample(self) -> None:
        following = next(self._sampling, None)
        if following is not None:
            self._push(following, LAST, None)

    def _change(self, cells: Cells) -> None:
        cells.change(cells.next_change)
        self._look(cells)
        self._push(cells.next_change, FIRST, cells)

    def _look(self, cells: Cells) -> None:
        self._soonest[cells.name] = float(cells.when.min())

    # ----------------------------------------------------------------------------- the run

    def run(self) -> Iterator[float]:
        """Do event after event; yield the time (s) of each before it is done."""
        heap = self._heap
        while True:
            when, rank, name = min((t, self._rank[n], n) for n, t in self._soonest.items())
            if heap and (heap[0][0], heap[0][1]) <= (when, rank):
                self.now = heap[0][0]
                yield self.now
                self._pop()
            elif when <= self.end:
                self.now = when
                yield when
                self._due(self._by_name[name], when)
            else:
                return
            self.events += 1

    def _pop(self) -> None:
        time, rank, _, what = heappop(self._heap)
        if isinstance(what, _Source):
            self._send(what.name, what.indices, time)
            self._ask(what)
        elif isinstance(what, Cells):
            self._change(what)
        elif what is None:
            for cells in self.cells:
                self.samples[cells.name].append(cells.volts(time))
            self._ask_sample()
        else:
            arriving = [what]
            while self._heap and self._heap[0][:2] == (time, rank):
                arriving.append(heappop(self._heap)[3])
            self._arrive(arriving, time)

    def _arrive(self, arriving: list[tuple[Outlet, Fan]], time: float) -> None:
        reached: dict[str, list[Array]] = {}
        for outlet, fan in arriving:
            self._by_name[outlet.post].receive(outlet.stages, fan.posts, fan.jumps, time)
            reached.setdefault(outlet.post, []).append(fan.posts)
        for name, posts in reached.items():
            cells = self._by_name[name]
            idx = posts[0] if len(posts) == 1 else np.unique(np.concatenate(posts))
            cells.predict(idx, time)
            self._look(cells)

    def _due(self, cells: Cells, time: float) -> None:
        due = np.flatnonzero(cells.when == time)
        kind = cells.kind[due]
        if (of_kind := due[kind == BOUND]).size:
            for i in of_kind.tolist():
                cells.refine(i)
        elif (of_kind := due[kind == RELEASE]).size:
            cells.release(of_kind, time)
        else:
            due = due[kind == SPIKE]
            cells.spike(due, time)
            self.spikes[cells.name].append((time, due))
            self._send(cells.name, due, time)
        self._look(cells)

    def _send(self, name: str, indices: Array, time: float) -> None:
        for outlet in self._out.get(name, ()):
            rank = self._rank[outlet.post]
            for i in indices.tolist():
                for fan in outlet.fans(i):
                    self._push(time + fan.delay, rank, (outlet, fan))


class _Source:
    """A spike input, and those of its channels that are next."""

    def __init__(self, name: str, groups: Iterator[tuple[float, Array]]) -> None:
        self.name, self.groups = name, groups
        self.indices: Array = np.zeros(0, np.int64)


def _groups(spikes: SpikeInput) -> Iterator[tuple[float, Array]]:
    """Yield (time, channels) of the spikes at each time."""
    if spikes.times is None or spikes.indices is None:
        return
    times, indices = np.asarray(spikes.times), np.asarray(spikes.indices)
    cuts = [0, *(np.flatnonzero(np.diff(times)) + 1).tolist(), len(times)]
    for i, j in zip(cuts, cuts[1:], strict=False):
        if i < j:
            yield float(times[i]), indices[i:j]
