"""Study: one network, one profile, and what varies; results are stored once and can be resumed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..digests import digest
from ..errors import StudyError, show
from . import tables
from .axes import Axis, Configuration, axes_of, grid, random, unknown
from .digests import canonical
from .limits import STOP_AFTER, WORKER_WAIT, Limits, timeout_of
from .lowering import Base, Lowering, configuration_key
from .measures import GROUPS, MEASURES
from .prepare import base_of, check_axes
from .rows import Replay, Row, Status
from .runner import Item, Pool, Runner
from .search import goal_of, search
from .store import Store, Stored
from .told import shown
from .work import Worker

if TYPE_CHECKING:
    from ..discretize import SteppedNetwork
    from ..network import Network
    from ..profile_model import HardwareProfile
    from ..stepped import StepRule
    from ..stimulate import Inputs
    from ..task import Task

MOST_POINTS = 1_000_000
"""Configurations of a grid; more are asked for by chance or by search."""


class Study:
    """One network lowered in many ways.

    Args:
        network: a Network, with ``dt``; or a SteppedNetwork.
        profile: a profile, or the name or the file of one.
        vary: dotted name -> list or range of values. Names: every number, mode and truth of the
            profile (``profile.weights.default_bits``, ``profile.config.weight_bits``,
            ``profile.models.lif.ops.0.round``); every option of :func:`neuro_lif.quantize`
            (``quantize.weight_bits``); of the network ``network.FIELD.NAME`` and
            ``network.FIELD.NAME.scale``, without NAME for all
            (``network.weights.in_to_out.scale``); integers of the lowered network
            (``params.hidden.vth``, ``params.hidden.vth.scale``), which lower nothing again;
            ``dt``, ``rule`` and ``seed``.
        dt: s per step; of a SteppedNetwork its own.
        rule: a step rule or the name of one; of a SteppedNetwork its own.
        inputs: of every run: input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)`` spikes.
        task: instead of inputs: samples with labels, whose classes are decided.
        n_steps: of every run; None: the inputs' length.
        measure: groups of :data:`neuro_lif.study.GROUPS`, and functions of (FixedNetwork,
            Recording) that return a mapping of name to number.
        options: of :func:`neuro_lif.quantize`, the same for all.
        calibration: inputs, or a task, that scales may be calibrated on (other samples than those
            that judge): ``quantize.calibrate`` True or False then says whether they are.
        seed: of the profile's noise, of :meth:`random` and of :meth:`search`.
        store: the file that results are kept in; None: in memory.
        keep: ``("spikes",)`` keeps the spikes of every run beside the file.

    Raises:
        StudyError: a name that there is not, or an argument that is not valid.
        NeuroLifError: as of what makes a network, a profile or a task.
    """

    def __init__(
        self, network: Network | SteppedNetwork, profile: HardwareProfile | str | Path,
        vary: Mapping[str, Iterable[Any]], *, dt: float | None = None,
        rule: StepRule | str | None = None, inputs: Inputs | None = None, task: Task | None = None,
        n_steps: int | None = None, measure: Iterable[Any] = GROUPS,
        options: Mapping[str, Any] | None = None, calibration: Inputs | Task | None = None,
        seed: int = 0, store: str | Path | None = None, keep: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.axes: tuple[Axis, ...] = axes_of(vary)
        self.base: Base = base_of(network, profile, dt, rule, inputs, task, n_steps, measure,
                                  options, calibration, seed, keep)  # fmt: skip
        check_axes(self.axes, self.base)
        self.path = None if store is None else Path(store)
        self._memory: Store | None = None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What all results depend on besides their configuration."""
        return self.base.identity()

    @cached_property
    def _identity_digest(self) -> str:
        return digest(canonical(self.identity))

    def key(self, configuration: Configuration) -> str:
        """Return the key under which a configuration's result is stored."""
        return configuration_key(self._identity_digest, configuration)

    # ---------------------------------------------------------------------------- points

    def grid(self) -> list[Configuration]:
        """Return every combination of the values, the last name changing quickest.

        Raises:
            StudyError: there are more than :data:`MOST_POINTS`.
        """
        size = self._size
        if size > MOST_POINTS:
            raise StudyError(f"grid: {size:.3g} configurations, allowed: {MOST_POINTS}, or "
                             "random(n) or search(n) of them")  # fmt: skip
        return list(grid(self.axes))

    @property
    def _size(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    def random(self, n: int) -> list[Configuration]:
        """Return ``n`` different configurations of the grid, drawn with the study's seed."""
        return list(random(self.axes, _count(n, "random: n"), self.base.seed))

    def _checked(self, configurations: Iterable[Configuration] | None) -> list[Configuration]:
        if configurations is None:
            return self.grid()
        names = [a.name for a in self.axes]
        out: list[Configuration] = []
        for given in configurations:
            if not isinstance(given, Mapping) or set(given) != set(names):
                raise StudyError(f"run: configuration = {show(given)}, allowed: a value for each "
                                 f"of {', '.join(names)}")  # fmt: skip
            out.append({a.name: a.values[a.place(given[a.name])] for a in self.axes})
        return out

    def _items(self, configurations: Iterable[Configuration]) -> list[Item]:
        """Return what is to be run, each once; what shares a network stands together."""
        lowering = Lowering(self.base)
        found: dict[str, tuple[str, str, int, Item]] = {}
        for c in configurations:
            item = Item(self.key(c), c, lowering.stepped_key(c), lowering.lowered_key(c))
            found[item.key] = (item.network, item.lowered, len(found), item)
        return [f[3] for f in sorted(found.values(), key=lambda f: f[:3])]

    # ---------------------------------------------------------------------------- running

    def run(
        self, configurations: Iterable[Configuration] | None = None, *, workers: int | None = None,
        scheduler: str | None = None, client: Any = None, timeout: float | None = None,
        stop_after: int | None = STOP_AFTER, worker_wait: float = WORKER_WAIT,
        progress: bool | Callable[[int, int, int], None] | None = None,
    ) -> Study:  # fmt: skip
        """Run what is not stored yet.

        Where the results come from changes nothing in them. Several processes may run the same
        study at once: they share the work.

        Args:
            configurations: of :meth:`grid` or :meth:`random`; None: the grid.
            workers: processes of this machine; None: as many as it has processors; 1: none but
                this one.
            scheduler: address of a Dask scheduler instead, ``tcp://host:8786``.
            client: a ``distributed.Client`` instead.
            timeout: s that one configuration may take (lowered, run, measured; the float64
                reference of its network by itself); its worker is ended then and another started,
                and its row says so. A run with a longer one, or none, tries it again. With a
                timeout, one worker is a process, too. None: as long as it wants.
            stop_after: so many configurations that fail, from the first on, of the same error of a
                measuring function end the run with it, and are not stored; None: any number may.
            worker_wait: s to wait for a cluster that has lost all its workers.
            progress: True, False, a function of (done, of how many, with an error), or None: shown
                where stderr is a terminal.

        Returns:
            The study itself.

        Raises:
            StudyError: the store is another study's or cannot be written, or workers fail.
            StudyInterrupted: Ctrl-C; a KeyboardInterrupt that says how to go on.
        """
        limits = Limits(timeout, stop_after, worker_wait)
        items = self._items(self._checked(configurations))
        with self._open() as store, shown(progress, self._title) as told:
            left = len({i.key for i in items} - store.done(timeout))
            with self._pool(workers, scheduler, client, left, limits) as pool:
                Runner(store, pool, items, told, limits=limits).run()
        return self

    def search(
        self, n: int, minimise: Iterable[str] = ("bits",), *,
        at_least: Mapping[str, float] | None = None, maximise: Iterable[str] = (),
        sampler: str = "nsga2", batch: int = 20, workers: int | None = None,
        scheduler: str | None = None, client: Any = None, timeout: float | None = None,
        stop_after: int | None = STOP_AFTER, worker_wait: float = WORKER_WAIT,
        progress: bool | Callable[[int, int, int], None] | None = None,
    ) -> list[Row]:  # fmt: skip
        """Search for the fewest bits at a target, with optuna.

        The search depends on the study, its seed and the arguments up to ``batch``, not on who
        runs it: stopped and called again it goes on where it was.

        Args:
            n: trials; the same configuration may be tried again, which costs nothing.
            minimise, maximise: measures to be made small, or large; all together they span the
                Pareto front.
            at_least: measure -> value that it must reach (where less is better: not exceed).
            sampler: ``"nsga2"`` or ``"tpe"``.
            batch: trials that are chosen at once.
            workers, scheduler, client, progress: as of :meth:`run`.
            timeout, stop_after, worker_wait: as of :meth:`run`, of each batch.

        Returns:
            The Pareto front of all that was tried and reaches the targets; without any, empty.

        Raises:
            StudyError: as of :meth:`run`; optuna is not installed; a measure that there is not.
        """
        goal = goal_of(minimise, maximise, at_least or {})
        self._check_columns([*goal.columns, *goal.targets])
        n, batch = _count(n, "search: n"), _count(batch, "search: batch")
        limits = Limits(timeout, stop_after, worker_wait)
        tried: dict[str, Row] = {}
        asked: list[Configuration] = []
        with self._open() as store, self._pool(workers, scheduler, client, n, limits) as pool:
            begun: set[str] = set()
            with shown(progress, self._title) as told:

                def evaluate(chosen: list[dict[str, Any]]) -> list[Row]:
                    items = self._items(chosen)
                    Runner(store, pool, items, None, begun, limits).run()
                    rows = {r["key"]: r for r in self._rows(store, {i.key for i in items})}
                    tried.update(rows)
                    asked.extend(chosen)
                    if told is not None:
                        errors = sum(r["error"] is not None for r in tried.values())
                        told(len(asked), n, errors)
                    return [rows[self.key(c)] for c in chosen]

                search(self.axes, goal, n, sampler, self.base.seed, batch, evaluate)
            rows = self._rows(store, set(tried))
        return tables.pareto_rows(tables.reaching(rows, goal.targets), *goal.columns)

    def _check_columns(self, columns: Iterable[str]) -> None:
        """Refuse a measure that there is not before anything is run."""
        known = [m for m, about in MEASURES.items() if about.group in self.base.groups]
        for name in columns:
            if name.partition(".")[0] not in known and not self.base.more:
                raise unknown(name, known, "search: measure")

    @contextmanager
    def _pool(
        self, workers: int | None, scheduler: str | None, client: Any, left: int, limits: Limits
    ) -> Iterator[Pool]:
        from .pools import Here, Processes

        if scheduler is not None and client is not None:
            raise StudyError("run: scheduler and client, allowed: one of them")
        if workers is not None:
            _count(workers, "run: workers")
        many = min(workers or os.cpu_count() or 1, max(left, 1))
        pool: Pool
        if left and (scheduler is not None or client is not None):
            from .cluster import Cluster

            pool = Cluster(self.base, scheduler, client, limits)
        elif not left or (many == 1 and limits.timeout is None):  # who hangs here cannot be ended
            pool = Here(self.base)
        else:
            pool = Processes(self.base, many, limits.timeout, None if many == 1 else 1)
        try:
            yield pool
        finally:
            pool.close()

    @property
    def _title(self) -> str:
        return "study" if self.path is None else self.path.name

    @contextmanager
    def _open(self) -> Iterator[Store]:
        """Give the store; a file is closed afterwards."""
        if self.path is None:
            if self._memory is None:
                self._memory = Store(None, self.identity)
            yield self._memory
            return
        store = Store(self.path, self.identity)
        try:
            yield store
        finally:
            store.close()

    def close(self) -> None:
        """Give up results in memory."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __del__(self) -> None:
        if getattr(self, "_memory", None) is not None:
            self.close()

    # ---------------------------------------------------------------------------- results

    def _rows(self, store: Store, keys: set[str] | None = None, times: bool = False) -> list[Row]:
        stored: Iterable[Stored] = store.rows()
        if keys is not None:
            stored = [s for s in stored if s.key in keys]
        return tables.rows_of(stored, self.axes, times)

    def table(self, times: bool = False) -> list[Row]:
        """Return the stored rows of this study, ordered by configuration (:data:`Row`).

        Args:
            times: add what differs from run to run.
        """
        with self._open() as store:
            return self._rows(store, times=times)

    def to_pandas(self) -> Any:
        """Return the table as a ``pandas.DataFrame``."""
        return tables.to_pandas(self.table())

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV."""
        tables.write_file(path, tables.csv_text(self.table()).encode())

    def to_parquet(self, path: str | Path) -> None:
        """Write the table as Parquet."""
        tables.to_parquet(self.table(), path)

    def to_xarray(self) -> Any:
        """Return the table as an ``xarray.Dataset``, one dimension per varied name."""
        return tables.to_xarray(self.table(), self.axes)

    def pareto(self, x: str = "bits", y: str = "accuracy") -> list[Row]:
        """Return the rows that no other beats in both columns, ordered by ``x``.

        Which way is better :data:`neuro_lif.study.MEASURES` says; of varied numbers, the smaller.
        """
        return tables.pareto_rows(self.table(), x, y)

    def best(self, column: str, at_least: Mapping[str, float] | None = None) -> Row:
        """Return the best row in a column among those that reach targets.

        Args:
            column: a measure or a varied name.
            at_least: measure -> value it must reach (where less is better: not exceed).

        Raises:
            StudyError: no such column, or nothing reaches the targets.
        """
        return tables.best_row(self.table(), column, at_least or {})

    def status(self) -> Status:
        """Return how far the study is."""
        with self._open() as store:
            rows, others = self._rows(store), tuple(store.others())
        late = sum(timeout_of(r["error"]) is not None for r in rows)
        return Status(self._size, len(rows), sum(r["error"] is not None for r in rows), others,
                      late)  # fmt: skip

    def replay(self, key: str) -> Replay:
        """Run one stored configuration again and hold it against what is stored.

        Args:
            key: of a row, or the beginning of it.

        Raises:
            StudyError: no such result.
        """
        with self._open() as store:
            row = store.row(key)
            path = store.arrays_path(row.key) if self.base.keep and self.path else None
        configuration: Configuration = json.loads(row.configuration)
        if self.key(configuration) != row.key:
            raise StudyError(f"key {row.key[:10]} is not of this study's configurations")
        out = Worker(self.base).run(configuration)
        same = (out.result, out.error) == (row.result, row.error)
        if path is not None and out.arrays is not None:
            same = same and path.is_file() and path.read_bytes() == out.arrays
        return Replay(row.key, configuration, row.error or row.result, out.error or out.result,
                      same)  # fmt: skip


def _count(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise StudyError(f"{what} = {show(value)}, allowed: a whole number >= 1")
    return value
