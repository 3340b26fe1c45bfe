"""The conformance suite: its vectors, our engines, a stranger's engine, and wrong ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_fixed import random_fixed

from neuro_lif import FixedNetwork, Recording, run_fixed, run_semantics
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
from neuro_lif.conformance.own import OwnEngine
from neuro_lif.conformance.suite import asked
from neuro_lif.errors import FileFormatError, RangeError, TargetError
from neuro_lif.kernel import native

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
    """At least 2,000 recorded vectors and 25 flags; values of every peer; every kind of result."""
    recorded = [v for v in SHIPPED if v.peer != "profile"]
    limits = [v for v in SHIPPED if v.peer == "profile"]
    flags = Counter(flag for v in recorded for flag in v.flags)
    peers = Counter(v.peer for v in recorded)
    print(f"{len(recorded)} recorded vectors, {sum(v.n_values for v in recorded)} values, "
          f"{len(flags)} flags; {len(limits)} limits of the profiles")  # fmt: skip
    assert len(recorded) >= 2000
    assert all(v.expect and v.result != "invalid" for v in recorded)
    assert len(limits) >= 500
    assert all(v.result == "invalid" for v in limits)
    assert len(flags) >= 25
    assert min(peers[p] for p in ("lava-nc", "nengo-loihi", "brian2_loihi")) >= 350
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


def test_no_network_is_shipped_twice() -> None:
    questions = Counter(json.dumps(v.plain, sort_keys=True) for v in SHIPPED)
    assert max(questions.values()) == 1


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
    assert report.counts().keys() == {"equal", "refused"}
    assert report.verdict.startswith(f"{target} conforms on all {len(SHIPPED)} vectors (")


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
def test_the_kernel_conforms(record_figure: Callable[[str], None]) -> None:
    """On all vectors but those whose graded spikes may leave the 32 bits of its sums."""

    def run(fixed: FixedNetwork, n_steps: int) -> Recording:
        try:
            return run_fixed(fixed, n_steps, record="registers", engine="kernel")
        except RangeError as error:
            if str(error).startswith('engine = "kernel": a sum may have left 32 bits'):
                raise TargetError(str(error)) from None
            raise

    report = run_conformance(OwnEngine("kernel", run), SHIPPED)
    record_figure(figure(report))
    counts = report.counts()
    assert counts.keys() <= {"equal", "refused", "unsupported"}
    assert counts["unsupported"] <= 3


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
    assert f"of {len(SHIPPED)} vectors" in text
    assert "my engine conforms on what it supports: " in text
    assert "MOST VECTORS WERE NOT TRIED" in text
    assert "by profile: " in text and "nengo-loihi-1.1 " in text and "by flag: " in text
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


def test_an_engine_is_told_nothing_of_what_is_expected() -> None:
    """A valid vector and an invalid one look alike; no text in them tells the peer or the rule."""
    by_result = {v.result: v for v in SHIPPED}
    seen = {result: asked(v) for result, v in by_result.items()}
    for result, given in seen.items():
        assert given.keys() == {"profile", "config", "network", "n_steps", "wanted"}
        assert given["wanted"] and all(given["wanted"].values()), result
    wanted = {json.dumps(asked(v)["wanted"]) for v in SHIPPED
              if v.profile == "lava-0.10" and len(v.network.populations) == 1}  # fmt: skip
    invalid = [v for v in SHIPPED if v.profile == "lava-0.10" and v.result == "invalid"]
    assert json.dumps(asked(invalid[0])["wanted"]) in wanted
    assert {tuple(asked(v)["wanted"]["n"]) for v in invalid} == {("s", "u", "v")}


def test_an_engine_cannot_change_what_the_next_one_is_given(some: list[Vector]) -> None:
    class Greedy:
        name = "greedy"

        def run(self, vector: dict[str, Any]) -> Any:
            vector["network"].clear()
            return {}

    before = json.dumps(asked(some[0]))
    run_conformance(Greedy(), some[:1])
    assert json.dumps(asked(some[0])) == before


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("population 'n': {error} = 7, allowed: 0..3", "refused"),
        ("no", "unnamed"),
        ("", "unnamed"),
        ("x{error}x", "unnamed"),
        ("\ud800 {error}", "refused"),
    ],
)
def test_a_refusal_must_name_the_field(text: str, status: str) -> None:
    invalid = [v for v in SHIPPED if v.result == "invalid"]
    fields = {v.error: v for v in invalid}
    for error, vector in fields.items():
        report = run_conformance(Said(Refused(text.format(error=error))), [vector])
        assert report.counts() == {status: 1}, error
        assert not report.passed  # no value was compared
        assert str(report).encode("utf-8")


class Said:
    """An engine that raises one error."""

    name = "said"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self, vector: dict[str, Any]) -> Any:
        raise self.error


def test_limits_alone_are_no_conformance(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no recorded value was compared, nothing conforms."""
    assert main(["conformance", "--flag", "limits", "--profile", "odin"]) == 1
    assert "no recorded value was compared" in capsys.readouterr().out


def test_what_an_engine_cannot_run_is_counted(some: list[Vector]) -> None:
    class Partly:
        name = "partly"
        real = find_engine("emulator")

        def run(self, vector: dict[str, Any]) -> Any:
            if vector["profile"] != "lava-0.10":
                raise Unsupported("not\n this")
            return self.real.run(vector)

    report = run_conformance(Partly(), some)
    tried = sum(v.profile == "lava-0.10" for v in some)
    assert report.passed and report.tried == tried
    assert f"conforms on what it supports: {tried} of {len(some)} vectors" in report.verdict
    text = str(report)
    odin = sum(v.profile == "odin" for v in some)
    assert f"odin {odin}" in text.split("by profile:")[1].splitlines()[0]
    assert f"{len(some) - tried} vectors: not this" in text


# ------------------------------------------------------------------------ values are exact


def each(change: Callable[[list[list[int]]], Any]) -> Callable[[Any], Any]:
    """Return a change of every table of an answer."""
    return lambda answer: {p: {k: change(r) for k, r in v.items()} for p, v in answer.items()}


INEXACT: dict[str, Callable[[Any], Any]] = {
    "a bit more": each(lambda r: (np.array(r) + np.copysign(0.999, r)).tolist()),
    "half": each(lambda r: np.where(np.array(r) > 0, np.array(r) + 0.5, r)),
    "whole floats": each(lambda r: np.array(r, float)),
    "complex": each(lambda r: np.array(r) + 5j),
    "texts": each(lambda r: [[str(x) for x in row] for row in r]),
    "objects that are texts": each(lambda r: np.array(r).astype(str).astype(object)),
    "a float among integers": each(lambda r: [[float(x), *row] for x, *row in r]),
    "an object among integers": each(lambda r: [[None, *row[1:]] for row in r]),
    "bytes": each(lambda r: np.array(r).astype("S")),
    "steps of time": each(lambda r: np.array(r).astype("m8[s]")),
    "wrapped": each(lambda r: np.array(r).astype(np.uint64)),
    "beyond 64 bits": each(lambda r: [[x + 2**64 for x in row] for row in r]),
    "beyond 63 bits": each(lambda r: np.array(r).astype(object) + 2**63),
    "nothing": each(lambda r: None),
    "no rows": each(lambda r: []),
    "ragged": each(lambda r: [[*r[0], 1], *r[1:]]),
}


@pytest.mark.parametrize("name", INEXACT)
def test_nothing_but_the_integers_is_equal(name: str, some: list[Vector]) -> None:
    negative = [v for v in some if any(np.min(r) < 0 for p in v.expect.values()
                                       for r in p.values())][:5]  # fmt: skip
    report = run_conformance(Fake(INEXACT[name]), negative)
    assert not report.passed and not report.counts()["equal"], str(report)
    assert report.counts().keys() <= {"failed", "different"}


@pytest.mark.parametrize("kind", [np.array, tuple, lambda r: np.array(r, object),
                                  lambda r: np.array(r, np.int32)])  # fmt: skip
def test_any_kind_of_integers_will_do(kind: Any, some: list[Vector]) -> None:
    report = run_conformance(Fake(each(kind)), some[:20])
    assert report.counts() == {"equal": 20}, str(report)


def test_truths_are_numbers(some: list[Vector]) -> None:
    def truths(answer: Any) -> Any:
        return {p: {k: np.array(r, bool) if set(np.ravel(r)) <= {0, 1} else r
                    for k, r in v.items()} for p, v in answer.items()}  # fmt: skip

    assert run_conformance(Fake(truths), some[:20]).passed


# ---------------------------------------------------------------------- engines that break


class Own(Exception):
    """An error of an engine's own."""


class Mute(Exception):
    """An error that has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


BREAKS = (Own("mine"), ImportError("gone"), StopIteration(1), SystemExit(0), GeneratorExit(),
          MemoryError(), RecursionError("deep"), NotImplementedError(), KeyError("k"),
          UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), Mute(), Warning("w"))  # fmt: skip


@pytest.mark.parametrize("error", BREAKS, ids=lambda e: type(e).__name__)
def test_an_engine_that_raises_fails_and_the_others_go_on(
    error: BaseException, some: list[Vector], tmp_path: Path
) -> None:
    report = run_conformance(Fake(Once(error)), some[:3])
    assert [o.status for o in report.outcomes] == ["failed", "equal", "equal"]
    assert type(error).__name__ in report.outcomes[0].why
    assert not report.passed and str(report)


class Once:
    """A change that raises the first time."""

    def __init__(self, error: BaseException) -> None:
        self.errors = [error]

    def __call__(self, answer: Any) -> Any:
        if self.errors:
            raise self.errors.pop()
        return answer


def test_an_engine_is_interrupted_by_the_user_alone(some: list[Vector]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_conformance(Said(KeyboardInterrupt()), some[:1])


def test_the_exit_status_of_an_engine_that_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leaves.py"
    path.write_text("class E:\n    name = 'leaves'\n    def run(self, v): raise SystemExit(0)\n")
    assert main(["conformance", "--target", str(path), "--peer", "RANC"]) == 1
    assert "leaves DOES NOT CONFORM" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (None, "run_many returned None, allowed: a list of 4 answers"),
        ([{}], "run_many returned 1 answers"),
        ({}, "run_many returned {}"),
        (3, "run_many returned 3"),
    ],
)
def test_what_run_many_returns(given: Any, word: str, some: list[Vector]) -> None:
    class Many(Fake):
        at_once = 4

        def run_many(self, vectors: list[Any]) -> Any:
            return given

    report = run_conformance(Many(lambda a: a), some[:4])
    assert report.counts() == {"failed": 4}
    assert word in str(report)


def test_a_batch_with_one_that_breaks(some: list[Vector]) -> None:
    class Many(Fake):
        at_once = 4

        def run_many(self, vectors: list[Any]) -> Any:
            raise SystemExit(0)

    assert run_conformance(Many(lambda a: a), some[:6]).counts() == {"equal": 6}
    assert run_conformance(Many(Once(Own())), some[:6]).counts() == {"equal": 5, "failed": 1}


@pytest.mark.parametrize("at_once", ["many", 0, -1, True, 1.5, None])
def test_how_many_at_once(at_once: Any, some: list[Vector]) -> None:
    engine = Fake(lambda a: a)
    engine.at_once = at_once  # type: ignore[attr-defined]
    with pytest.raises(TargetError, match="at_once = .*, allowed: a whole number >= 1"):
        run_conformance(engine, some[:1])


@pytest.mark.parametrize("name", [None, "", " ", 3])
def test_a_name_that_is_none(name: Any, some: list[Vector]) -> None:
    engine = Fake(lambda a: a)
    engine.name = name
    with pytest.raises(TargetError, match="name = .*, allowed: a text"):
        run_conformance(engine, some[:1])


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
        (f"{two}:C", "name = None, allowed: a text"),
        ("..", "importing it raised"),
        ("", "importing it raised"),
    ):
        with pytest.raises(TargetError, match=word):
            find_engine(target)
    assert isinstance(find_engine(f"{two}:B"), Engine)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("class E(:\n", "importing it raised SyntaxError"),
        ("1 / 0\n", "importing it raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)\n", "importing it raised SystemExit"),
        ("import no_such_module_at_all\n", "No module named 'no_such_module_at_all'"),
        ("class E:\n    def __init__(self, x): ...\n    def run(self, v): ...\n",
         r"E\(\) raised TypeError: .*, allowed: a class that is made without arguments"),
        ("class E:\n    def __init__(self): 1 / 0\n    def run(self, v): ...\n",
         "raised ZeroDivisionError"),
        ("class E:\n    name = None\n    def run(self, v): ...\n", "E: name = None, allowed: a"),
        ("class E:\n    name = 'e'\n    at_once = 'x'\n    def run(self, v): ...\n",
         "at_once = 'x', allowed"),
        ("class E:\n    def run(self, v): ...\n    @property\n    def name(self): 1 / 0\n",
         "its attributes raise ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_engine(
    text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(TargetError, match=word):
        find_engine(str(path))
    assert main(["conformance", "--target", str(path)]) == 2
    assert "broken.py" in capsys.readouterr().err


GOOD = "class Mine:\n    name = 'mine'\n    def run(self, v): return {}\n"


def test_an_engine_file_takes_no_module_s_place(tmp_path: Path) -> None:
    import scipy

    for stem in ("nengo", "scipy", "lava"):
        path = tmp_path / f"{stem}.py"
        before = sys.modules.get(stem)
        path.write_text(GOOD)
        assert find_engine(str(path)).name == "mine"
        assert sys.modules.get(stem) is before
    assert sys.modules["scipy"] is scipy


def test_a_folder_with_a_colon(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "mine.py").write_text(GOOD)
    assert find_engine(str(folder / "mine.py")).name == "mine"


def test_a_package_that_hands_its_engine_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "strange_package"
    package.mkdir()
    (package / "inner.py").write_text(GOOD)
    (package / "__init__.py").write_text(
        "from neuro_lif.conformance import BatchEngine, Engine\nfrom .inner import Mine\n"
    )
    (tmp_path / "strange_front.py").write_text("from strange_package.inner import Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    for target in ("strange_package", "strange_package:Mine", "strange_front"):
        assert find_engine(target).name == "mine"


def test_a_module_in_the_working_directory(tmp_path: Path) -> None:
    """The console script sees it too, which has no working directory on its path."""
    (tmp_path / "stranger.py").write_text(GOOD)
    script = "import sys; sys.path = [p for p in sys.path if p]\n"
    script += "from neuro_lif.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["conformance", "--target", "stranger", "--peer", "RANC"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "mine DOES NOT CONFORM: 2 wrong" in done.stdout


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


Change = Callable[[dict[str, Any]], Any]


def plain_one(name: str) -> dict[str, Any]:
    """Return a valid vector: two neurons, three channels, dense or sparse, and a direct input."""
    triples = {"rows": [0, 1], "columns": [2, 0], "values": [4, 6], "shape": [2, 3]}
    weights = {"dense": [[2, 4, 6], [8, 10, 12]], "sparse": triples}
    net = {
        "populations": [{"name": "n", "size": 2, "params": {"vth": [3, 4]}}],
        "projections": [{"name": w, "pre": "x", "post": "n", "weights": weights[w]}
                        for w in weights],
        "inputs": [{"name": "x", "size": 3, "raster": [[1, 0, 1], [0, 1, 1]]}],
        "directs": [{"name": "d", "population": "n", "raster": [[5, 6]]}],
    }  # fmt: skip
    vector = {"id": name, "flags": ["made"], "peer": "semantics", "peer_version": "0",
              "profile": "lava-0.10", "result": "valid", "network": net, "n_steps": 3}  # fmt: skip
    fixed = network_of({**vector, "network": {"seed": 0, **net}})
    return vector | {"expect": made(fixed, name, 3)["expect"]}


def part(table: str, place: int = 0, **fields: Any) -> Change:
    return lambda v: v["network"][table][place].update(fields)


def both(*changes: Change) -> Change:
    return lambda v: [change(v) for change in changes]


def conv(**fields: Any) -> Change:
    kernel = {"kernel": [[[[1]]]], "input_shape": [1, 1, 1]}
    return part("projections", weights=kernel | fields)


FAULTS: dict[str, tuple[Change, str]] = {
    "ragged expectation": (lambda v: v["expect"]["n"]["u"][1].append(1),
                           "expect.n.u: row 1 = 3 values, allowed: 2"),
    "short expectation": (lambda v: v["expect"]["n"]["u"].pop(),
                          "expect n.u = shape (2, 2), allowed: (3, 2)"),
    "2**70": (lambda v: v["expect"]["n"]["u"].__setitem__(0, [0, 2**70]),
              f"expect.n.u.0.1 = {2**70}: Input should be less than"),
    "a float": (lambda v: v["expect"]["n"]["u"].__setitem__(0, [0, 0.5]), "expect.n.u.0.1 = 0.5"),
    "no expectation": (lambda v: v.pop("expect"), "expect = {}, allowed: values"),
    "empty expectation": (lambda v: v.update(expect={"n": {}}), "expect = {}, allowed: values"),
    "expectation of nobody": (lambda v: v["expect"].update(m={"s": [[0]]}),
                              "expect: population = 'm', allowed: n"),
    "ragged raster": (part("inputs", raster=[[1, 0, 1], [1]]), "row 1 = 1 values, allowed: 3"),
    "wide raster": (part("inputs", raster=[[1] * 4]), "input 'x': raster = 4 a row, allowed: 3"),
    "large raster": (part("inputs", raster=[[2**63, 0, 0]]), f"raster.0.0 = {2**63}"),
    "ragged direct": (part("directs", raster=[[1], [1, 2]]), "row 1 = 2 values, allowed: 1"),
    "narrow direct": (part("directs", raster=[[1]]), "direct 'd': raster = 1 a row, allowed: 2"),
    "direct to nobody": (part("directs", population="m"), "population = 'm', allowed: n"),
    "ragged weights": (part("projections", weights=[[1], [1, 2]]),
                       "projections.0.weights: row 1 = 2 values, allowed: 1"),
    "large weight": (part("projections", weights=[[2**70, 0, 0], [0] * 3]),
                     f"weights.0.0 = {2**70}"),
    "too few weights": (part("projections", weights=[[1]]),
                        "weights = shape (1, 1), allowed: (n_post, n_pre) = (2, 3)"),
    "no index": (part("projections", 1, weights={
        "rows": [0, 2], "columns": [0, 0], "values": [1, 1], "shape": [2, 3]}),
        "projections.1.weights: rows[1] = 2, allowed: 0..1"),
    "negative index": (part("projections", 1, weights={
        "rows": [0], "columns": [-1], "values": [1], "shape": [2, 3]}),
        "columns[0] = -1, allowed: 0..2"),
    "an index too few": (part("projections", 1, weights={
        "rows": [0], "columns": [0, 0], "values": [1, 1], "shape": [2, 3]}),
        "rows, columns, values = 1, 2, 2 of them, allowed: as many of each"),
    "no shape": (part("projections", 1, weights={
        "rows": [], "columns": [], "values": [], "shape": [0, 3]}), "shape = (0, 3), allowed"),
    "delays": (part("projections", delays=[1, 2]), "delays = 2 values, allowed: 1, or 6"),
    "ragged kernel": (conv(kernel=[[1], [1, 2]]), "allowed: whole numbers in even nested rows"),
    "kernel of floats": (conv(kernel=[[[[0.5]]]]), "weights.kernel: kernel = ([[[0.5]]],)"),
    "large kernel": (conv(kernel=[[[[2**63]]]]), "allowed: whole numbers in even nested rows"),
    "channels": (conv(kernel=[[[[1, 1]]]]), "convolution: kernel = '2 channels in'"),
    "from nobody": (part("projections", pre="y"), "pre = 'y', allowed: n, x"),
    "to nobody": (part("projections", post="x"), "post = 'x', allowed: n"),
    "parameters": (part("populations", params={"vth": [1, 2, 3]}),
                   "population 'n': params vth = 3 values, allowed: 2"),
    "start": (part("populations", init={"u": [1]}), "init u = 1 values, allowed: 2"),
    "aliases": (part("populations", alias=[-1]), "alias = 1 values, allowed: 2"),
    "no neuron": (part("populations", size=0), "population 'n': size = 0, allowed: at least 1"),
    "nobody": (lambda v: v["network"].update(populations=[]), "populations = (), allowed"),
    "a name twice": (part("directs", name="x"), "name = 'x' twice, allowed: once"),
    "no field": (lambda v: (v.pop("expect"), v.update(result="invalid")),
                 "error = '', allowed: the field an engine names"),
    "expected of an invalid one": (lambda v: v.update(result="invalid", error="x"),
                                   "expect is given, allowed: none"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_vector_is_the_file_s(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, word = FAULTS[name]
    vector = plain_one("a")
    assert len(load_vectors([written(tmp_path, vector)])) == 1
    change(vector)
    path = written(tmp_path, plain_one("b"), vector)
    assert main(["conformance", "--vectors", str(path)]) == 2
    text = capsys.readouterr().err
    assert word in text and "vectors.1" in text and "1 fault(s)" in text, text


TOO_LARGE: dict[str, tuple[Change, str]] = {
    "neurons": (part("populations", size=10**13), "size of all populations = 10000000000000"),
    "channels": (part("inputs", size=10**13), "input 'x': size = 10000000000000"),
    "delays": (part("projections", delays=10**13), "delays = 10000000000000, allowed: at most"),
    "one delay": (part("projections", delays=[1, 2**62]), "delays = "),
    "latency": (part("projections", latency=10**13), "latency = 10000000000000"),
    "exponent": (part("projections", exponent=-(10**13)), "exponent = 10000000000000"),
    "steps": (lambda v: v.update(n_steps=10**13), "n_steps = 10000000000000"),
    "plane": (conv(input_shape=[10**6, 10**6, 1]), "input_shape = 1000000000000"),
}


@pytest.mark.parametrize("target", ["emulator", "semantics", "nengo"])
def test_a_vector_that_is_too_large_ends_nothing(target: str, tmp_path: Path) -> None:
    vectors = []
    for name, (change, _) in TOO_LARGE.items():
        vectors.append(plain_one(name))
        change(vectors[-1])
    path = written(tmp_path, *vectors, plain_one("right"))
    report = run_conformance(find_engine(target), load_vectors([path]))
    assert report.counts() == {"too large": len(vectors), "equal": 1}
    assert not report.passed
    for outcome, (_, word) in zip(report.outcomes[:-1], TOO_LARGE.values(), strict=True):
        assert f"not run: {word}" in outcome.why or word in outcome.why


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
