"""What a study puts up with: configurations that hang, errors of all, clusters without workers."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import study_measures as own
from hypothesis import given
from hypothesis import strategies as st
from study_cases import ROOT, environment, study

from neuro_lif.errors import StudyError
from neuro_lif.study import pools
from neuro_lif.study.limits import Limits, late, settled, timeout_of
from neuro_lif.study.runner import Chunk
from neuro_lif.study.store import Store, Stored

BITS = {"quantize.weight_bits": [2, 3, 4, 5, 6, 7]}
SAID = "StudyTimeout: not done within 1.5 s; a run with another timeout tries it again"


def without_4(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r for r in rows if r["quantize.weight_bits"] != 4]


# -------------------------------------------------------------------------------- time


@pytest.mark.parametrize("workers", [1, 2])
def test_what_hangs_is_a_row_and_all_others_go_on(tmp_path: Path, workers: int) -> None:
    one = study(tmp_path / "s", BITS, measure=["spikes", own.hanging])
    start = time.monotonic()
    one.run(workers=workers, timeout=1.5)
    taken = time.monotonic() - start
    rows = {r["quantize.weight_bits"]: r for r in one.table()}
    assert {k: r["error"] for k, r in rows.items()} == dict.fromkeys(rows, None) | {4: SAID}
    assert [r["x"] for r in rows.values()] == [2.0, 3.0, None, 5.0, 6.0, 7.0]
    assert taken < 30
    assert (one.status().errors, one.status().late) == (1, 1)
    plain = study(vary=BITS, measure=["spikes"]).run(workers=1).table()
    for a, b in zip(without_4(one.table()), without_4(plain), strict=True):
        assert {k: v for k, v in a.items() if k not in ("key", "x")} == {
            k: v for k, v in b.items() if k != "key"
        }
    (row,) = [r for r in one.table(times=True) if r["error"]]
    assert 1.5 <= row["seconds"] < 20


def test_a_chunk_of_many_is_cut_and_the_one_that_hangs_is_found(tmp_path: Path) -> None:
    """All six are handed over at once: five of them are done all the same."""
    one = study(tmp_path / "s", BITS, measure=[own.hanging])
    pool, items = pools.Processes(one.base, 1, 1.5), tuple(one._items(one.grid()))
    try:
        whole = Chunk(items, True)
        pool.submit(whole)
        ended: pools.Ended = []
        until = time.monotonic() + 60
        while not ended and time.monotonic() < until:
            ended = pool.wait(5.0)
    finally:
        pool.close()
    ((chunk, outcomes, _),) = ended
    assert chunk is whole and not pool._parts
    found = [json.loads(o.result)["x"] if o.error is None else o.error for o in outcomes]
    bits = [i.configuration["quantize.weight_bits"] for i in items]
    assert found == [SAID if b == 4 else float(b) for b in bits]  # type: ignore[arg-type]


def test_a_worker_that_dies_of_one_of_many_takes_no_other_with_it(tmp_path: Path) -> None:
    one = study(tmp_path / "s", BITS, measure=[own.dying])
    pool, items = pools.Processes(one.base, 1), tuple(one._items(one.grid()))
    try:
        pool.submit(Chunk(items, True))
        ended: pools.Ended = []
        until = time.monotonic() + 60
        while not ended and time.monotonic() < until:
            ended = pool.wait(5.0)
    finally:
        pool.close()
    lost = [o.lost for o in ended[0][1]]
    bits = [i.configuration["quantize.weight_bits"] for i in items]
    assert [b for b, why in zip(bits, lost, strict=True) if why] == [4]
    assert "3 workers in a row died" in str(lost[bits.index(4)])


def test_another_limit_tries_again_and_a_shorter_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANGS", str(tmp_path / "go"))
    one = study(tmp_path / "s", {"quantize.weight_bits": [3, 4]}, measure=[own.hanging_once],
                keep=["spikes"])  # fmt: skip
    one.run(workers=2, timeout=1.5)
    before = one.table(times=True)
    for same_or_less in (1.5, 0.5):  # nothing to do: quick, and the same row
        one.run(workers=2, timeout=same_or_less)
        assert one.table(times=True) == before
    one.run(workers=2, timeout=2.0)
    assert [r["error"] for r in one.table()] == [None, SAID.replace("1.5", "2.0")]
    (tmp_path / "go").touch()
    one.run(workers=1)  # no limit
    assert [(r["error"], r["x"]) for r in one.table()] == [(None, 1.0)] * 2
    assert one.table(times=True)[0] == before[0]
    assert all(one.replay(r["key"]).same for r in one.table())
    with contextlib.closing(sqlite3.connect(tmp_path / "s")) as db:
        assert db.execute("SELECT COUNT(*) FROM results").fetchone() == (2,)
        assert db.execute("SELECT COUNT(*) FROM times").fetchone() == (2,)


def test_a_float_run_that_hangs_is_the_error_of_its_configurations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = ("import time, neuro_lif.study.work as w\nusual = w.run_clocked\n"
            "def slow(stepped, *a, **k):\n"
            "    if stepped.network.projections[0].weights.max() > 1: time.sleep(600)\n"
            "    return usual(stepped, *a, **k)\nw.run_clocked = slow\n")  # fmt: skip
    monkeypatch.setattr(pools, "START", f"exec({slow!r}); " + pools.START)
    vary = {"network.weights.p.scale": [1.0, 1e6], "quantize.weight_bits": [3, 4]}
    rows = study(vary=vary).run(workers=2, timeout=2.0).table()
    said = SAID.replace("Timeout: not", "Timeout: float64 reference: not").replace("1.5", "2.0")
    assert [r["error"] for r in rows] == [None, None, said, said]


def test_workers_end_with_who_started_them_even_while_they_hang(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "import study_cases as c, study_measures as own\nfrom neuro_lif.study import pools\n"
        "usual = pools.Processes.wait\n"
        "def wait(self, seconds):\n"
        "    if any(w.given for w in self._workers):\n"
        "        print(*[w.process.pid for w in self._workers], flush=True)\n"
        "    return usual(self, seconds)\n"
        "pools.Processes.wait = wait\n"
        "c.study(None, {'quantize.weight_bits': [4]}, measure=[own.hanging])"
        ".run(workers=1, timeout=500)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=environment(), cwd=ROOT,
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    worker = int(process.stdout.readline().split()[0])
    time.sleep(0.5)
    process.kill()
    process.communicate()
    until = time.monotonic() + 20
    while _lives(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _lives(worker)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@given(st.floats(1e-3, 1e6), st.one_of(st.none(), st.floats(1e-3, 1e6)))
def test_a_row_is_settled_by_as_much_time_or_less(had: float, now: float | None) -> None:
    error = f"StudyTimeout: {late(had)}"
    assert timeout_of(error) == had
    assert settled(error, now) == (now is not None and now <= had)
    for other in (None, "LoweringError: not done within 3 s; ", "StudyError: f raised X: y"):
        assert settled(other, now) and timeout_of(other) is None


def test_claims_and_replacements_of_rows_that_ran_out_of_time(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", {"network": "n"})
    rows = [Stored("a", "{}", "", f"StudyTimeout: {late(2.0)}"), Stored("b", "{}", "{}", None)]
    store.add(rows)
    assert (store.done(), store.done(2.0), store.done(3.0)) == ({"b"}, {"a", "b"}, {"b"})
    assert store.claim(["a", "b"], 9, 1.0) == []
    assert store.claim(["a", "b"], 9, 2.5) == ["a"]
    store.add([Stored("a", "{}", "{}", None, 7.0), Stored("b", "{}", "other", None, 7.0)])
    assert [(r.key, r.result, r.error, r.seconds) for r in store.rows()] == [
        ("a", "{}", None, 7.0), ("b", "{}", None, 0.0)]  # fmt: skip
    store.close()


# -------------------------------------------------------------------------------- errors alike


@pytest.mark.parametrize("workers", [1, 2])
def test_a_programming_error_of_all_ends_the_run_and_nothing_is_lost(
    tmp_path: Path, workers: int
) -> None:
    one = study(tmp_path / "s", BITS, measure=[own.wrong])
    with pytest.raises(StudyError, match="first 3 config.* alike, .*wrong raised KeyError: 'of"):
        one.run(workers=workers, stop_after=3)
    assert one.table() == []
    other = study(tmp_path / "s", BITS, measure=[own.seldom_wrong])  # mended: the same file will do
    other.run(workers=1, stop_after=3)
    assert [r["error"] is None for r in other.table()] == [True] + [False] * 5
    with pytest.raises(StudyError, match="another study"):
        one.table()


def test_errors_alike_are_rows_where_that_is_wanted_or_they_are_too_few(tmp_path: Path) -> None:
    rows = study(tmp_path / "s", BITS, measure=[own.wrong]).run(workers=1, stop_after=None).table()
    again = study(vary=BITS, measure=[own.wrong]).run(workers=2, stop_after=7).table()
    assert rows == again and all("wrong raised KeyError" in r["error"] for r in rows)
    lowering = study(vary={"quantize.weight_bits": [77, 88, 99]}).run(workers=1, stop_after=2)
    assert [r["error"] is None for r in lowering.table()] == [False] * 3  # not of a function


def test_results_of_before_are_kept_when_a_run_ends_with_an_error(tmp_path: Path) -> None:
    one = study(tmp_path / "s", BITS, measure=[own.seldom_wrong])
    one.run([{"quantize.weight_bits": 2}], workers=1)
    before = one.table()
    with pytest.raises(StudyError, match="first 2 configurations all failed alike"):
        one.run(workers=1, stop_after=2)
    assert one.table() == before and len(before) == 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"timeout": 0}, "timeout = 0, allowed: s > 0"),
        ({"timeout": "5"}, "timeout = '5', allowed"),
        ({"timeout": float("nan")}, "timeout = nan, allowed"),
        ({"stop_after": 0}, "stop_after = 0, allowed: a whole number >= 1, or None"),
        ({"stop_after": True}, "stop_after = True"),
        ({"worker_wait": float("inf")}, "worker_wait = inf, allowed: s > 0"),
    ],
)
def test_wrong_limits_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Limits(**how)
    with pytest.raises(StudyError, match=said):
        study(vary=BITS).run(workers=1, **how)


# -------------------------------------------------------------------------------- a cluster


@pytest.fixture
def cluster() -> Any:
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made:
            yield made


def test_a_cluster_keeps_the_limit_and_waits_for_workers_no_longer_than_it_may(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    address = cluster.scheduler_address
    one = study(tmp_path / "s", BITS, measure=["spikes", own.hanging])
    from distributed import Client

    with Client(cluster) as client:
        client.run(_find_tests, str(ROOT / "tests"))
        one.run(client=client, timeout=1.5)
    here = study(vary=BITS, measure=["spikes", own.hanging]).run(workers=2, timeout=1.5)
    assert one.table() == here.table()
    assert [r["error"] for r in one.table()].count(SAID) == 1

    two = study(tmp_path / "t")  # now all workers go, in the middle of it
    monkeypatch.setattr("neuro_lif.study.cluster.LOOK", 0.2)
    gone: list[int] = []

    def leave(done: int, total: int, errors: int) -> None:
        if done and not gone:
            gone.append(done)
            cluster.scale(0)
            until = time.monotonic() + 30
            while cluster.scheduler.workers and time.monotonic() < until:
                time.sleep(0.05)

    monkeypatch.setattr("neuro_lif.study.runner.COMMIT", 0.0)
    with (
        pytest.warns(RuntimeWarning, match=f"cluster at {address} has no workers; waiting"),
        pytest.raises(StudyError, match=r"has no workers, for 2 s \(worker_wait\); what was sto"),
    ):
        two.run(scheduler=address, progress=leave, worker_wait=2.0)
    assert 0 < len(two.table()) < 36
    two.run(workers=1)
    assert two.table() == study().run(workers=1).table()


def _find_tests(folder: str) -> None:
    sys.path.insert(0, folder)


# -------------------------------------------------------------------------------- file, command


def test_a_file_and_the_command_say_the_limits(tmp_path: Path, capsys: Any) -> None:
    from study_cases import network, task

    from neuro_lif.cli import main
    from neuro_lif.files.toml import save_network
    from neuro_lif.study.files import load_study

    save_network(network(), tmp_path / "net.toml")
    given_task = task()
    np.savez(tmp_path / "task.npz", labels=given_task.labels,
             **{"in": np.asarray(given_task.inputs["in"])})  # fmt: skip
    head = 'format = "neuro-lif-study-file/1"\nnetwork = "net.toml"\nprofile = "generic"\n'
    more = '[task]\ninputs = "task.npz"\noutput = "out"\n[vary]\n"quantize.weight_bits" = [3, 4]\n'
    path = tmp_path / "s.toml"
    path.write_text(head + 'timeout = "20 s"\nstop_after = 0\nworker_wait = 60\n' + more)
    assert load_study(path).limits == {"timeout": 20.0, "stop_after": None, "worker_wait": 60}
    key = load_study(path).study.key({"quantize.weight_bits": 4})
    store = Store(tmp_path / "s.sqlite", load_study(path).study.identity)
    store.add([Stored(key, '{"quantize.weight_bits":4}', "", f"StudyTimeout: {late(20.0)}")])
    store.release()
    store.close()
    assert main(["study", "run", str(path), "--workers", "1", "--quiet"]) == 0
    assert "2 of 2 configurations, 1 with an error (1 of them a timeout)" in capsys.readouterr().out
    args = ["study", "run", str(path), "--workers", "1", "--quiet", "--timeout", "40"]
    assert main([*args, "--stop-after", "0", "--worker-wait", "9"]) == 0
    assert capsys.readouterr().out.endswith("2 of 2 configurations\n")
    path.write_text(head + 'timeout = "3 m"\n' + more)
    assert main(["study", "status", str(path)]) != 0
    assert "timeout = '3 m', allowed" in capsys.readouterr().err
