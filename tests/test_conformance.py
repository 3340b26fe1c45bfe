"""The conformance suite: its vectors, our engines, a stranger's engine, and wrong ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_fixed import random_fixed

from neuro_lif import FixedNetwork, run_semantics
from neuro_lif.cli import main
from neuro_lif.conformance import (
    Engine,
    Refused,
    Unsupported,
    Vector,
    find_engine,
    load_vectors,
    run_conformance,
)
from neuro_lif.conformance.networks import network_of, table_of
from neuro_lif.errors import FileFormatError, TargetError

ROOT = Path(__file__).resolve().parents[1]
MINE = ROOT / "examples" / "conformance" / "my_engine.py"
SHIPPED = load_vectors()


class Fake:
    """An engine that hands on another's answers after ``change``."""

    name = "fake"

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self.change, self.real = change, find_engine("emulator")

    def run(self, vector: dict[str, Any]) -> Any:
        return self.change(self.real.run(vector))


def written(tmp_path: Path, *vectors: Any, **changes: Any) -> Path:
    """Write vectors to a file."""
    data = {"schema": "neuro-lif-conformance/1", "vectors": [dict(v) for v in vectors]} | changes
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def made(fixed: FixedNetwork, name: str, n_steps: int = 12) -> dict[str, Any]:
    """Return a vector of a network, its values from the living definition."""
    r = run_semantics(fixed, n_steps, record="registers")
    expect = {
        p.name: {"s": r.spikes[p.name].tolist(), "u": r.trace(p.name, "u").tolist(),
                 "v": r.trace(p.name, "v").tolist()}
        for p in fixed.populations
    }  # fmt: skip
    return {
        "id": name, "flags": ["made"], "peer": "semantics", "peer_version": "0",
        "profile": fixed.profile.name, "result": "valid", "network": table_of(fixed, {}),
        "n_steps": n_steps, "expect": expect,
    }  # fmt: skip


def figure(report: Any) -> str:
    """Return the line of a report that holds its figures."""
    return "golden vectors on " + str(report).splitlines()[0]


@pytest.mark.verify
@pytest.mark.lava
def test_lava_conforms_on_every_vector_it_can_run(record_figure: Callable[[str], None]) -> None:
    report = run_conformance(find_engine("lava"), [v for v in SHIPPED if v.result != "invalid"])
    record_figure(figure(report))
    assert report.passed, str(report)
    assert report.counts()["equal"] > 1000


@pytest.fixture(scope="module")
def some() -> list[Vector]:
    """Every tenth of the shipped vectors that have values."""
    return [v for v in SHIPPED if v.result != "invalid"][::10]


# --------------------------------------------------------------------------- the vectors


def test_what_is_shipped() -> None:
    """At least 2,000 vectors and 25 flags; values of every peer; every kind of result."""
    flags = Counter(flag for v in SHIPPED for flag in v.flags)
    peers = Counter(v.peer for v in SHIPPED)
    print(f"{len(SHIPPED)} vectors, {len(flags)} flags, {sum(v.n_values for v in SHIPPED)} values")
    assert len(SHIPPED) >= 2000
    assert len(flags) >= 25
    assert {"lava-nc", "nengo-loihi", "brian2_loihi"} <= peers.keys()
    assert {v.result for v in SHIPPED} == {"valid", "invalid", "profile-defined"}
    for bug in ("lava#329", "lava#334", "lava#859", "nengo-loihi#130"):
        assert any(bug in v.rule or bug in v.flags for v in SHIPPED), bug
    assert all(v.peer_version and v.flags for v in SHIPPED)
    assert all(bool(v.expect) != (v.result == "invalid") for v in SHIPPED)
    assert all(v.error for v in SHIPPED if v.result == "invalid")


def test_no_vector_expects_nothing_but_zeros_of_its_peer() -> None:
    """Of every peer most vectors show something: a value other than 0."""
    for peer in {v.peer for v in SHIPPED}:
        mine = [v for v in SHIPPED if v.peer == peer and v.expect]
        alive = [v for v in mine if any(np.any(r) for p in v.expect.values() for r in p.values())]
        print(f"{peer}: {len(alive)} of {len(mine)} vectors have a value other than 0")
        assert len(alive) >= 0.75 * len(mine), peer


def test_one_question_has_several_answers() -> None:
    """Ten questions and more are asked of all three peers, and not all answer the same."""
    questions: dict[str, list[Vector]] = {}
    for v in SHIPPED:
        if v.question:
            assert v.result == "profile-defined", v.id
            questions.setdefault(v.question, []).append(v)
    shared = [vs for vs in questions.values() if len({v.profile for v in vs}) == 3]
    assert len(shared) >= 10
    answers = [{json.dumps([v.expect[p] for p in sorted(v.expect)]) for v in vs} for vs in shared]
    assert sum(len(a) > 1 for a in answers) >= 8


# ----------------------------------------------------------------------------- our engines


@pytest.mark.parametrize("target", ["emulator", "semantics"])
def test_our_engine_conforms(target: str, record_figure: Callable[[str], None]) -> None:
    report = run_conformance(find_engine(target), SHIPPED)
    record_figure(figure(report))
    assert report.passed, str(report)
    assert report.counts()["unsupported"] == 0
    named = [o for o in report.outcomes if o.status == "refused" and o.why]
    assert not named, named[:3]


def test_nengo_conforms(some: list[Vector], record_figure: Callable[[str], None]) -> None:
    report = run_conformance(find_engine("nengo"), some)
    record_figure(figure(report))
    assert report.passed, str(report)
    assert report.counts()["equal"] > 100


@pytest.mark.lava
def test_lava_conforms(some: list[Vector], record_figure: Callable[[str], None]) -> None:
    """The Lava runtime on a cut of its own vectors."""
    mine = [v for v in some if v.profile == "lava-0.10"][:40]
    report = run_conformance(find_engine("lava"), mine)
    record_figure(figure(report))
    assert report.passed, str(report)
    assert report.counts()["equal"] > 20


def test_a_network_survives_the_way_to_json_and_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    names = ("lava-0.10", "loihi1", "loihi2", "generic")
    vectors = [made(random_fixed(rng, names[k % 4], 12), f"v{k}") for k in range(24)]
    loaded = load_vectors([written(tmp_path, *vectors)])
    assert run_conformance(find_engine("emulator"), loaded).passed
    for given, vector in zip(vectors, loaded, strict=True):
        assert table_of(network_of(vector.plain), {}) == given["network"]


# ------------------------------------------------------------------------ strangers' engines


def test_the_example_engine_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--target", str(MINE)]) == 0
    text = capsys.readouterr().out
    assert "my engine conforms" in text
    assert "unsupported" in text
    engine = find_engine(str(MINE))
    report = run_conformance(engine, [v for v in SHIPPED if v.profile == "lava-0.10"])
    assert report.counts()["equal"] >= 20, str(report)


def test_a_wrong_engine_is_told_where_and_why(some: list[Vector]) -> None:
    def shifted(answer: Any) -> Any:
        return {p: {k: [[x + (k == "u") for x in row] for row in rows] for k, rows in v.items()}
                for p, v in answer.items()}  # fmt: skip

    report = run_conformance(Fake(shifted), some)
    assert not report.passed
    text = str(report)
    assert "DOES NOT CONFORM" in text
    first = next(o for o in report.outcomes if o.status == "different")
    assert "in step 1: expected" in first.why
    assert first.vector.id in text
    assert ", ".join(first.vector.flags) in text


def failing(error: BaseException) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        raise error

    return change


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        (lambda answer: {}, "failed", "no integers"),
        (lambda answer: None, "failed", "no integers"),
        (lambda answer: {p: {k: r[:-1] for k, r in v.items()} for p, v in answer.items()},
         "failed", "shape"),
        (failing(ZeroDivisionError("by zero")), "failed", "ZeroDivisionError: by zero"),
        (failing(AssertionError()), "failed", "AssertionError"),
        (failing(Refused("no")), "failed", "refused: no"),
        (failing(Unsupported("too hard")), "unsupported", "too hard"),
    ],
)  # fmt: skip
def test_whatever_an_engine_does(
    change: Callable[[Any], Any], status: str, word: str, some: list[Vector]
) -> None:
    report = run_conformance(Fake(change), some[:3])
    assert {o.status for o in report.outcomes} == {status}
    assert all(word in o.why for o in report.outcomes)
    assert not report.passed  # an engine that can run nothing does not conform either


def test_an_engine_that_accepts_what_is_invalid_does_not_conform() -> None:
    invalid = [v for v in SHIPPED if v.result == "invalid"]

    class Careless:
        name = "careless"

        def run(self, vector: dict[str, Any]) -> Any:
            return {}

    report = run_conformance(Careless(), invalid)
    assert report.counts() == {"accepted": len(invalid)}
    assert not report.passed
    assert "must be refused" in str(report)


# ------------------------------------------------------------------------------ wrong input


def test_a_target_that_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n")
    two = tmp_path / "two.py"
    two.write_text("class A:\n    name = 'a'\n    def run(self, v): ...\nclass B(A): ...\n"
                   "class C:\n    def run(self, v): ...\n")  # fmt: skip
    for target, word in (
        ("nowhere.at.all", "emulator, semantics, lava, nengo"),
        (str(tmp_path / "none.py"), "no such file"),
        (str(empty), "this module has: none"),
        (str(two), "A, B, C"),
        (f"{two}:D", "A, B, C"),
        (f"{two}:C", "has no name"),
    ):
        with pytest.raises(TargetError, match=word):
            find_engine(target)
    assert isinstance(find_engine(f"{two}:B"), Engine)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": "neuro-lif-conformance/2"}, "schema"),
        ({"vectors": [{"id": "a"}]}, "vectors.0.flags"),
        ({"vectors": 3}, "vectors"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_damaged_file_of_vectors(tmp_path: Path, change: Any, word: str) -> None:
    with pytest.raises(FileFormatError, match=word):
        load_vectors([written(tmp_path, **change)])


def test_a_file_that_is_missing_or_no_json(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read"):
        load_vectors([tmp_path / "none.json"])
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(FileFormatError, match="text.json"):
        load_vectors([tmp_path / "text.json"])


def test_the_same_id_twice(tmp_path: Path) -> None:
    vector = made(random_fixed(np.random.default_rng(1), "loihi2", 12), "a")
    with pytest.raises(FileFormatError, match="'a' twice"):
        load_vectors([written(tmp_path, vector, vector)])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--list"]) == 0
    assert "flag:" in capsys.readouterr().out
    out = tmp_path / "out.json"
    peer = ["--peer", "lava-nc", "--result-file"]
    assert main(["conformance", *peer[:2], "--json", str(out)]) == 0
    data = json.loads(out.read_text())
    assert data["passed"] and all(o["status"] in ("equal", "refused") for o in data["outcomes"])
    capsys.readouterr()
    assert main(["conformance", "--flag", "nothing of this name"]) == 2
    assert "--list" in capsys.readouterr().err
