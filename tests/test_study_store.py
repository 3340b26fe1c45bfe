"""The store of a study: kills, full disks, several writers; and the runners around it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import ROOT, environment, script, start, study

import neuro_lif as nl
from neuro_lif.errors import StudyError
from neuro_lif.study import Study, StudyInterrupted, pools
from neuro_lif.study.runner import Runner
from neuro_lif.study.store import Store, Stored

IDENTITY = {"network": "n", "seed": 0}


@pytest.fixture(scope="module")
def wanted() -> str:
    """The table of an uninterrupted run, as text."""
    return json.dumps(study().run(workers=1).table())


def table(path: Path) -> str:
    return json.dumps(study(path).table())


def row(key: str, text: str = "{}") -> Stored:
    return Stored(key, '{"a":1}', text, None, 1.0, 0.5, "w")


# -------------------------------------------------------------------------------- the file


def test_a_result_is_stored_once_and_stays(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "s", IDENTITY), Store(tmp_path / "s", IDENTITY)
    one.add([row("a", "1"), row("b", "2")])
    two.add([row("b", "other"), row("c", "3")])
    assert [(r.key, r.result) for r in one.rows()] == [("a", "1"), ("b", "2"), ("c", "3")]
    assert one.row("b").engine == 0.5
    for store in (one, two):
        store.close()
    assert [p.name for p in tmp_path.iterdir()] == ["s"]  # the log is gone


def test_two_writers_share_the_work_and_the_dead_are_inherited(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "s", IDENTITY), Store(tmp_path / "s", IDENTITY)
    keys = [f"{k:02}" for k in range(10)]
    first, second = one.claim(keys, 4), two.claim(keys, 99)
    assert first == keys[:4] and second == keys[4:]
    assert one.claim(keys, 1) == []
    assert two.others() == [one.owner]
    two.release()
    assert one.claim(keys, 99) == keys[4:]
    one.add([row("00")])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = one.owner.split("/")[0]
    dead = (f"{host}/{gone.pid}/x", f"elsewhere/{os.getpid()}/x")
    for owner, key, beat in zip(dead, ("d1", "d2"), (time.time(), time.time() - 99), strict=True):
        one._db.execute("INSERT INTO writers VALUES (?, ?)", (owner, beat))
        one._db.execute("INSERT INTO claims VALUES (?, ?)", (key, owner))
    one._db.execute("INSERT INTO writers VALUES (?, ?)", ("elsewhere/1/y", time.time()))
    one._db.execute("INSERT INTO claims VALUES ('d3', 'elsewhere/1/y')")
    assert two.claim(["00", "d1", "d2", "d3"], 9) == ["d1", "d2"]
    one.close()
    two.close()


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", IDENTITY)
    store._db.execute("UPDATE meta SET value = 'neuro-lif-study/99' WHERE name = 'format'")
    store.close()
    with pytest.raises(StudyError, match="s': format = 'neuro-lif-study/99', allowed"):
        Store(tmp_path / "s", IDENTITY)
    (tmp_path / "text").write_text("no database, but long enough to look at" * 9)
    with pytest.raises(StudyError, match="text': cannot be opened: file is not a database"):
        Store(tmp_path / "text", IDENTITY)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE things (a)")
    other.close()
    with pytest.raises(StudyError, match="other': an SQLite file of something else .tables things"):
        Store(tmp_path / "other", IDENTITY)
    with pytest.raises(StudyError, match="no/where/s': cannot be opened"):
        Store(tmp_path / "no" / "where" / "s", IDENTITY)
    with pytest.raises(StudyError, match="absent': no such file"):
        Store(tmp_path / "absent")


@pytest.mark.skipif(not hasattr(os, "fork") or os.getuid() != 0, reason="to become another user")
def test_a_file_that_may_only_be_read_is_read() -> None:
    vary = {"quantize.weight_bits": [3, 99]}
    folder = Path(tempfile.mkdtemp())  # pytest's own is closed to others
    os.chmod(folder, 0o755)
    one = study(folder / "s", vary).run(workers=1)
    rows = one.table()
    os.chmod(folder / "s", 0o444)
    child = os.fork()
    if not child:  # another user, who may not write here
        code = 1
        with contextlib.suppress(BaseException):
            os.setuid(65534)
            again = study(folder / "s", vary)
            same = again.table() == rows and again.replay(rows[0]["key"]).same
            again.run(workers=1)
            with pytest.raises(StudyError, match="cannot be written.*readonly"):
                study(folder / "s", {"quantize.weight_bits": [4]}).run(workers=1)
            code = 0 if same and again.status().done == 2 else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {p.name for p in folder.iterdir()} == {"s"}
    shutil.rmtree(folder)


def test_damaged_files_are_told_without_a_promise(tmp_path: Path) -> None:
    vary = {"quantize.weight_bits": [3, 4]}
    study(tmp_path / "s", vary).run(workers=1)
    whole = (tmp_path / "s").read_bytes()
    (tmp_path / "t").write_bytes(whole[:4096] + bytes(range(256)) * ((len(whole) - 4096) // 256))
    with pytest.raises(StudyError, match="'.*t': cannot be read: .*damaged or of") as told:
        study(tmp_path / "t", vary).run(workers=1)
    assert "whole" not in str(told.value)
    with contextlib.closing(sqlite3.connect(tmp_path / "s")) as db:
        db.execute("UPDATE results SET result = '{oops'")
        db.commit()
    with pytest.raises(StudyError, match=r"result [0-9a-f]{10} of the study's file is damaged"):
        study(tmp_path / "s", vary).table()


def test_a_store_of_another_study_is_refused_with_what_differs(tmp_path: Path) -> None:
    study(tmp_path / "s", {"quantize.weight_bits": [3]}).run(workers=1)
    other = study(tmp_path / "s", {"quantize.weight_bits": [3]}, seed=4, dt=2e-3)
    with pytest.raises(StudyError, match=r"another study \(dt: 0.001 there, 0.002 here; seed: 0"):
        other.run(workers=1)
    with pytest.raises(StudyError, match="another study"):
        other.table()


def test_a_study_that_grows_runs_only_what_is_new(tmp_path: Path) -> None:
    small = study(tmp_path / "s", {"quantize.weight_bits": [3, 4]}).run(workers=1)
    before = small.table(times=True)
    calls: list[tuple[int, int, int]] = []
    large = study(tmp_path / "s", {"quantize.weight_bits": [2, 3, 4]})
    large.run(workers=1, progress=lambda *told: calls.append(told))
    assert calls[0] == (2, 3, 0) and calls[-1] == (3, 3, 0)
    assert large.table(times=True)[1:] == before
    assert len(small.table()) == 2


# -------------------------------------------------------------------------------- workers


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_gives_the_same_bytes(
    tmp_path: Path, wanted: str, workers: int
) -> None:
    study(tmp_path / "s").run(workers=workers)
    assert table(tmp_path / "s") == wanted
    used = {r["worker"] for r in study(tmp_path / "s").table(times=True)}
    assert all(w.startswith("process") for w in used)


def test_kept_arrays_are_the_same_from_everybody(tmp_path: Path) -> None:
    files = []
    for k, workers in enumerate((1, 2)):
        one = study(tmp_path / f"{k}", {"quantize.weight_bits": [3, 4, 99]}, keep=["spikes"])
        rows = one.run(workers=workers).table()
        folder = tmp_path / f"{k}.arrays"
        assert sorted(p.stem for p in folder.iterdir()) == sorted(r["key"] for r in rows[:2])
        files.append({p.name: p.read_bytes() for p in folder.iterdir()})
        assert one.replay(rows[0]["key"]).same
        (folder / f"{rows[1]['key']}.npz").write_bytes(b"other")
        assert not one.replay(rows[1]["key"]).same
    assert files[0] == files[1]


def test_workers_that_die_are_replaced(tmp_path: Path, wanted: str) -> None:
    """A worker is killed as soon as there is one, and again."""
    path = tmp_path / "s"
    process = start(script(path, workers=2, more=(
        "import os, threading, subprocess\n"
        "from neuro_lif.study import pools\n"
        "usual_wait, killed = pools.Processes.wait, []\n"
        "def wait(self, seconds):\n"
        "    busy = [w for w in self._workers if w.given]\n"
        "    if busy and len(killed) < 2:\n"
        "        busy[0].process.kill(); killed.append(busy[0].process.pid)\n"
        "    return usual_wait(self, seconds)\n"
        "pools.Processes.wait = wait\n"
        "import atexit; atexit.register(lambda: print(len(killed)))\n"
    )))  # fmt: skip
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert out.split()[-1] == b"2"
    assert table(path) == wanted


def test_a_configuration_that_ends_every_worker_ends_the_study(tmp_path: Path) -> None:
    one = study(tmp_path / "s", {"quantize.weight_bits": [3]}, measure=[os.kill])
    with pytest.raises(StudyError, match="cannot be sent|3 workers in a row"):
        from neuro_lif.study.pools import Processes

        one.base.__dict__["more"] = (_end,)
        with one._open() as store:
            pool = Processes(one.base, 1)
            try:
                Runner(store, pool, one._items(one.grid())).run()
            finally:
                pool.close()


def test_a_float_run_that_ends_every_worker_ends_the_study(monkeypatch: Any) -> None:
    dying = "import os, neuro_lif.study.serve as p; p.reference_bytes = lambda *_: os.abort(); "
    monkeypatch.setattr(pools, "START", pools.START.replace("serve({fd}", dying + "serve({fd}"))
    with pytest.raises(StudyError, match="3 workers in a row died .* in the float run"):
        study(None).run(workers=2)


def test_large_messages_both_ways_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """References and kept spikes that no pipe holds: who sends must not wait for who sends."""
    rng = np.random.default_rng(0)
    cell = nl.LIF(tau_m=20e-3, v_threshold=1e-3)
    weights = rng.normal(0.4e-3, 0.3e-3, (200, 5))
    net = nl.Network([nl.Population("hidden", 200, cell)],
                     [nl.Projection("p", "in", "hidden", weights, nl.Delta())],
                     [nl.SpikeInput("in", 5)])  # fmt: skip
    inputs = {"in": (rng.random((60, 200, 5)) < 0.6).astype(np.uint8)}
    vary = {"network.weights.p.scale": [0.9, 1.0, 1.1, 1.2], "quantize.weight_bits": [3, 4, 5, 6]}
    one = Study(net, "generic", vary, dt=1e-3, inputs=inputs, keep=["spikes"],
                store=tmp_path / "s")  # fmt: skip
    stuck = threading.Timer(120, lambda: os.kill(os.getpid(), signal.SIGINT))
    stuck.start()
    try:
        one.run(workers=2)
    finally:
        stuck.cancel()
    assert len(one.table()) == 16
    assert min(p.stat().st_size for p in (tmp_path / "s.arrays").iterdir()) > 2**17


@pytest.mark.parametrize("workers", [1, 2])
def test_what_wants_too_much_memory_is_named_when_all_others_are_done(
    tmp_path: Path, workers: int
) -> None:
    module = tmp_path / "greedy_of_a_test.py"
    module.write_text(
        "def greedy(fixed, run):\n"
        "    wanted = fixed.projections[0].weight_bits == 4\n"
        "    return {'x': len(bytearray(1 << 62 if wanted else 1))}\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        from greedy_of_a_test import greedy  # type: ignore[import-not-found]

        one = study(tmp_path / "s", {"quantize.weight_bits": [2, 3, 4, 5, 6]}, measure=[greedy])
        for _ in range(2):  # again: the same, nothing is stored of it
            with pytest.raises(StudyError, match="1 config.*weight_bits': 4}: MemoryError"):
                one.run(workers=workers)
            assert [r["quantize.weight_bits"] for r in one.table()] == [2, 3, 5, 6]
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["greedy_of_a_test"]


def _end(fixed: Any, run: Any) -> dict[str, float]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_functions_of_the_script_are_refused_for_processes() -> None:
    def own(fixed: Any, run: Any) -> dict[str, float]:
        return {}

    own.__module__ = "__main__"
    with pytest.raises(StudyError, match="of the script itself"):
        study(measure=[own]).run(workers=2)


def test_two_processes_at_once_share_one_study(tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "s"
    processes = [start(script(path, pause=0.03)) for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    assert table(path) == wanted


# -------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_leaves_a_valid_store_and_says_how_to_go_on(tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "s"

    def stop(done: int, total: int, errors: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    from neuro_lif.study import runner

    usual, runner.COMMIT = runner.COMMIT, 0.0
    try:
        with pytest.raises(
            StudyInterrupted, match=r"of 36 configurations; they are stored in .*s'"
        ):
            study(path).run(workers=1, progress=stop)
    finally:
        runner.COMMIT = usual
    assert 5 <= study(path).status().done < 36
    assert study(path).run(workers=1) is not None
    assert table(path) == wanted


# -------------------------------------------------------------------------------- kills


def killed(path: Path, workers: int, dice: random.Random) -> bool:
    """Start the study and kill it: mostly after its first results, else at any moment.

    Returns:
        False where it ended before.
    """
    process = start(script(path, pause=0.03, workers=workers))
    if dice.random() < 0.75 and process.stdout is not None:
        process.stdout.readline()  # what was there before
        process.stdout.readline()  # the first result of its own
        moment = dice.uniform(0.0, 0.6)
    else:
        moment = dice.uniform(0.0, 2.0)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
        return True
    finally:
        process.communicate()
    return False


def killed_until_done(
    path: Path, most: int, dice: random.Random, wanted: str
) -> tuple[int, list[int]]:
    """Kill a study until it is done all the same; return how often, and what was stored then."""
    kills, stored = 0, []
    while kills < most and killed(path, 1 + kills % 2, dice):
        kills += 1
        if path.exists():
            with sqlite3.connect(path) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
            stored.append(study(path).status().done)
    study(path).run(workers=1)
    assert table(path) == wanted
    assert stored == sorted(stored)  # nothing that was stored is lost
    return kills, stored


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path, wanted: str) -> None:
    kills, _ = killed_until_done(tmp_path / "s", 3, random.Random(1), wanted)
    assert kills >= 1


@pytest.mark.verify
def test_a_hundred_kills_lose_and_double_nothing(tmp_path: Path, wanted: str) -> None:
    dice, kills, moments = random.Random(7), 0, list[int]()
    while kills < 100:
        more, stored = killed_until_done(tmp_path / f"s{kills}", 100 - kills, dice, wanted)
        kills += more
        moments += stored
    under_way = sum(0 < n < 36 for n in moments)
    print(f"{kills} kills, {under_way} of them with 1..35 of 36 results stored: {moments}")
    assert under_way >= 50


# -------------------------------------------------------------------------------- disks


def test_a_file_that_may_not_grow_is_told_and_the_study_goes_on(
    tmp_path: Path, wanted: str
) -> None:
    """A limit of the system on the size of files is met as a full disk is."""
    path = tmp_path / "s"
    study(path, {"quantize.weight_bits": [2]}).run(workers=1)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    process = start(script(path, more=limit))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"StudyError: study '{path}': cannot be written" in err.decode()
    done = study(path).status().done
    assert done < 36
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    study(path).run(workers=1)
    assert table(path) == wanted


def test_a_full_database_is_told_and_the_study_goes_on(
    tmp_path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    usual = Store.add

    def small(self: Store, results: Any) -> None:
        self._db.execute("PRAGMA max_page_count = 10")
        usual(self, results)

    monkeypatch.setattr(Store, "add", small)
    monkeypatch.setattr("neuro_lif.study.runner.COMMIT", 0.0)
    with pytest.raises(StudyError, match="s': cannot be written: database or disk is full; what"):
        study(path).run(workers=1)
    monkeypatch.undo()
    assert 0 < study(path).status().done < 36
    study(path).run(workers=1)
    assert table(path) == wanted


def test_arrays_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: Any) -> None:
    one = study(tmp_path / "s", {"quantize.weight_bits": [3, 4]}, keep=["spikes"])
    usual, left = Path.write_bytes, [1]

    def full(self: Path, content: bytes) -> int:
        if not left:
            usual(self, content[:10])
            raise OSError(28, "No space left on device")
        left.pop()
        return usual(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StudyError, match="cannot be written: .*No space left on device"):
        one.run(workers=1)
    monkeypatch.undo()
    assert [p.suffix for p in (tmp_path / "s.arrays").iterdir()] in ([".npz"], [])
    one.run(workers=1)
    assert all(one.replay(r["key"]).same for r in one.table())


# -------------------------------------------------------------------------------- a cluster


@pytest.fixture(scope="module")
def cluster() -> Any:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(
    tmp_path: Path, wanted: str, cluster: Any
) -> None:
    from distributed import Client

    with Client(cluster) as client:
        pids = client.run(os.getpid)
        assert os.getpid() not in pids.values() and len(pids) == 2
        client.run(_slow_down)
        killed = []

        def kill(done: int, total: int, errors: int) -> None:
            if done and not killed:
                killed.append(list(pids.values())[0])
                os.kill(killed[0], signal.SIGKILL)

        study(tmp_path / "s").run(client=client, progress=kill)
        assert killed
        assert client.status == "running"
    assert table(tmp_path / "s") == wanted
    used = {r["worker"] for r in study(tmp_path / "s").table(times=True)}
    assert all(w.startswith("tcp://") for w in used) and len(used) >= 2


def _slow_down() -> None:
    """Make configurations take a while, so that a kill comes in between."""
    from neuro_lif.study.work import Worker

    usual = Worker._prepared

    def slow(self: Worker, configuration: Any) -> Any:
        time.sleep(0.05)
        return usual(self, configuration)

    Worker._prepared = slow  # type: ignore[method-assign]


def test_a_scheduler_by_address_gives_the_same_bytes(
    tmp_path: Path, wanted: str, cluster: Any
) -> None:
    study(tmp_path / "s").run(scheduler=cluster.scheduler_address)
    assert table(tmp_path / "s") == wanted


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = pytest.importorskip("neuro_lif.study.cluster")
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT", 2.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StudyError, match=f"scheduler = '{address}': no answer, allowed"):
            study(None).run(scheduler=address)


def test_a_wrong_scheduler_is_named(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(StudyError, match="scheduler = 'nowhere:1'"):
        study(tmp_path / "s").run(scheduler="nowhere:1")
    with pytest.raises(StudyError, match="one of them"):
        study(tmp_path / "s").run(scheduler="tcp://x:1", client=object())


# -------------------------------------------------------------------------------- search

SEARCH: dict[str, Any] = {
    "quantize.weight_bits": list(range(1, 9)),
    "params.hidden.vth.scale": [0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
    "quantize.coding": ["own", "lava"],  # which this profile cannot have
}


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_a_search_is_the_same_whoever_runs_it_and_however_often_it_stops(
    tmp_path: Path, sampler: str
) -> None:
    pytest.importorskip("optuna")
    how: Any = dict(minimise="bits", maximise="spike_agreement", sampler=sampler, batch=5,
                    at_least={"spike_agreement": 0.3})  # fmt: skip
    one = study(vary=SEARCH)
    front = one.search(15, workers=1, **how)
    assert front and all(r["spike_agreement"] >= 0.3 for r in front)
    again = study(tmp_path / "s", SEARCH)
    again.search(7, workers=1, **how)  # stopped early
    assert again.status().done <= 7
    calls: list[tuple[int, int, int]] = []
    assert study(tmp_path / "s", SEARCH).search(
        15, workers=2, progress=lambda *c: calls.append(c), **how) == front  # fmt: skip
    assert calls[-1][:2] == (15, 15)
    assert study(tmp_path / "s", SEARCH).table() == one.table()
    other = study(vary=SEARCH, seed=5)
    other.search(15, workers=1, **how)
    assert [r["quantize.weight_bits"] for r in other.table()] != [
        r["quantize.weight_bits"] for r in one.table()
    ]


def test_a_search_finds_the_fewest_bits_that_the_grid_has() -> None:
    pytest.importorskip("optuna")
    vary = {"quantize.weight_bits": [1, 2, 3, 4, 5, 6, 7, 8]}
    one = study(vary=vary)
    front = one.search(80, "bits", batch=10, at_least={"spike_agreement": 0.6}, workers=1)
    best = study(vary=vary).run(workers=1).best("bits", {"spike_agreement": 0.6})
    assert [r["key"] for r in front] == [one.key({"quantize.weight_bits": r}) for r in
                                         [best["quantize.weight_bits"]]]  # fmt: skip
    assert one.search(3, "bits", at_least={"spike_agreement": 2.0}, workers=1) == []


def test_a_study_of_errors_alone_has_no_front() -> None:
    pytest.importorskip("optuna")
    one = study(vary={"quantize.weight_bits": [77, 88, 99]})
    assert one.search(4, "bits", batch=2, workers=1) == []
    assert one.pareto() == [] and one.status().errors >= 1
    with pytest.raises(StudyError, match="no configuration of"):
        one.best("bits")
    with pytest.raises(StudyError, match="'bitz': unknown"):
        one.best("bitz")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"n": 0}, "search: n = 0"),
        ({"n": 3, "minimise": ["accuracy"]}, "minimise = 'accuracy', allowed: what is better low"),
        ({"n": 3, "minimise": []}, "nothing to minimise"),
        ({"n": 3, "sampler": "grid"}, "nsga2, tpe"),
        ({"n": 3, "minimise": "bitz"}, "search: measure = 'bitz': unknown, allowed: bits"),
        ({"n": 3, "at_least": {"acuracy": 1}}, "'acuracy': unknown, allowed: accuracy"),
    ],
)
def test_wrong_searches_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Study.search(study(vary=SEARCH), workers=1, **how)


def test_missing_libraries_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("optuna", "pandas", "distributed", "xarray", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    one = study(vary={"quantize.weight_bits": [3]}).run(workers=1)
    for call in (one.to_pandas, one.to_xarray, lambda: one.to_parquet("x"), lambda: one.search(3),
                 lambda: study().run(scheduler="tcp://127.0.0.1:1")):  # fmt: skip
        with pytest.raises(StudyError, match=r"pip install 'neuro-lif\[study\]'"):
            call()


def test_a_study_does_not_import_the_callers_script(tmp_path: Path) -> None:
    """No guard of __main__ is needed: workers are started by command."""
    (tmp_path / "own.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import study_cases as c\n"
        "print('once')\nprint(len(c.study().run(workers=2).table()))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "own.py"], env=environment(), timeout=120,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.split() == ["once", "36"]
