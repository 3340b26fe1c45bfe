"""The exported Lava folder stands alone; failures are told, bounded, and leave nothing behind."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_fixed import PROFILES, random_fixed

import neuro_lif.targets.lava as lava
from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    load_profile,
    run_fixed,
)
from neuro_lif.errors import RangeError, TargetError
from neuro_lif.fixed import verify
from neuro_lif.targets import lava_export, lava_python
from neuro_lif.targets.lava_bundle import main

AVAILABLE, ABOUT = lava.lava_status()
PACKAGE = Path(lava.__file__).parents[1]


def needs_lava(test: Any) -> Any:
    return pytest.mark.lava(pytest.mark.skipif(not AVAILABLE, reason=ABOUT)(test))


def tiny() -> FixedNetwork:
    """Return a network with one neuron process of ours and one connection of Lava's."""
    profile = load_profile("generic")
    population = FixedPopulation("a", 2, params={"dv": 50, "vth": 20, "bias_mant": [300, 500]})
    projection = FixedProjection("c", "a", "a", np.array([[0, -8], [6, 0]]), delays=1)
    return FixedNetwork(profile, (population,), (projection,))


# ------------------------------------------------------------------------- the folder by itself


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[FixedNetwork, Path]:
    fixed = random_fixed(np.random.default_rng(21), "loihi2", 25)
    return fixed, lava.export_lava(fixed, tmp_path_factory.mktemp("x") / "net", 25, record="all")


def alone(folder: Path, *arguments: str, blocked: Path) -> subprocess.CompletedProcess[str]:
    """Run ``run.py`` where importing neuro_lif, pydantic or rich is an error."""
    for name in ("neuro_lif", "pydantic", "rich"):
        (blocked / f"{name}.py").write_text("raise ImportError('not to be imported here')\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(blocked), "OMP_NUM_THREADS": "1"}
    python = lava.find_lava_python().executable
    return subprocess.run(
        [python, str(folder / "run.py"), *arguments], env=environment, cwd=blocked, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def spikes_of(text: str) -> set[tuple[str, int, int, int]]:
    """Return (population, step, neuron, value) of everything printed as sent."""
    found = set()
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+) step (\d+) neurons \[(.*)\]", line)
        for sent in match[3].split(", ") if match else ():
            neuron, _, value = sent.partition("=")
            found.add((match[1], int(match[2]), int(neuron), int(value or 1)))
    return found


def expected_spikes(fixed: FixedNetwork, n_steps: int) -> set[tuple[str, int, int, int]]:
    spikes = run_fixed(fixed, n_steps).spikes
    return {
        (name, int(step) + 1, int(neuron), int(rows[step, neuron]))
        for name, rows in spikes.items()
        for step, neuron in np.argwhere(rows)
    }


@needs_lava
def test_folder_runs_without_us(exported: tuple[FixedNetwork, Path], tmp_path: Path) -> None:
    """The printed spikes are the emulator's, with nothing of ours to import."""
    fixed, folder = exported
    done = alone(folder, blocked=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = expected_spikes(fixed, 25)
    assert expected and spikes_of(done.stdout) == expected
    assert done.stdout.splitlines()[-1] == f"{len(expected)} spikes"


@needs_lava
def test_folder_takes_another_length_and_writes_a_file(
    exported: tuple[FixedNetwork, Path], tmp_path: Path
) -> None:
    """``--steps`` beyond the rasters plays zeros; ``--out`` holds spikes, u and v."""
    fixed, folder = exported
    done = alone(folder, "--steps", "40", "--out", str(tmp_path / "o.npz"), blocked=tmp_path)
    assert done.returncode == 0, done.stderr
    assert spikes_of(done.stdout) == expected_spikes(fixed, 40)
    expected = run_fixed(fixed, 40, record="all")
    with np.load(tmp_path / "o.npz", allow_pickle=False) as data:
        for (population, variable), rows in expected.traces.items():
            assert np.array_equal(data[f"{variable}/{population}"], rows)


@needs_lava
def test_recorder_equals_lavas_monitor(tmp_path: Path) -> None:
    """What our recorder reads is what Lava's own Monitor reads."""
    population = FixedPopulation("a", 3, params={"dv": 90, "vth": 9, "bias_mant": [70, 300, -9]})
    fixed = FixedNetwork(load_profile("lava-0.10"), (population,))
    folder = lava.export_lava(fixed, tmp_path / "net", 20, record="all")
    script = """
import sys, tempfile
from pathlib import Path
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.proc.monitor.process import Monitor
from integer_rules.targets.lava_bundle import build
built = build.build(build.Tables(Path("network.npz")), 20, Path(tempfile.mkdtemp(dir=".")))
process, written, neuron = built.process, built.written, built.neurons["a"]
monitors = {}
for name, target in (("v", neuron.v), ("u", neuron.u), ("spikes", neuron.s_out)):
    monitors[name] = Monitor()
    monitors[name].probe(target, 20)
process.run(RunSteps(num_steps=20), built.config())
for name, monitor in monitors.items():
    (table,) = monitor.get_data().values()
    (values,) = table.values()
    assert np.array_equal(values, np.load(written["a", name])), name
assert np.load(written["a", "spikes"]).any()
process.stop()
"""
    python = lava.find_lava_python().executable
    done = subprocess.run([python, "-c", script], cwd=folder, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_listing_shows_the_values_of_graded_spikes() -> None:
    """Neurons alone where all sent 1; neuron and value where anything else was sent."""
    rows = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]])
    found = {("a", "spikes"): rows, ("a", "v"): rows, ("g", "spikes"): rows[None] * [-7, 5, 300]}
    assert main.listing(found).splitlines() == [
        "a step 1 neurons [1, 2]", "a step 3 neurons [0]",
        "g[0] step 1 neurons [1=5, 2=300]", "g[0] step 3 neurons [0=-7]", "6 spikes",
    ]  # fmt: skip


def test_an_export_tells_its_plan(tmp_path: Path) -> None:
    """The choices as they were made for what is sent; anything else is no export."""
    folder = lava.export_lava(tiny(), tmp_path / "net", 5)
    assert lava.exported_plan(folder) == [str(choice) for choice in lava.plan_lava(tiny())]
    with pytest.raises(TargetError, match="is no export"):
        lava.exported_plan(tmp_path)


def test_copied_modules_need_nothing_but_lava() -> None:
    """What a folder carries imports the standard library, numpy, scipy, lava and itself."""
    allowed = set(sys.stdlib_module_names) | {"numpy", "scipy", "lava", "__future__"}
    copied = {(PACKAGE / name).resolve() for name in lava_export.COPIED}
    for path in copied:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {a.name.split(".")[0] for a in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom) and node.level:
                base = path.parents[node.level - 1] / (node.module or "").replace(".", "/")
                assert {base.with_suffix(".py"), base / "__init__.py"} & copied, (path.name, base)
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] in allowed, path.name


def test_folder_is_not_written_over(tmp_path: Path) -> None:
    """An earlier export is replaced; anything else only where that is allowed."""
    fixed = tiny()
    folder = lava.export_lava(fixed, tmp_path / "net", 5)
    assert "run.py" in (folder / "README.md").read_text()
    assert lava.export_lava(fixed, folder, 6) == folder
    other = tmp_path / "mine"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    with pytest.raises(TargetError, match="not empty.*overwrite=True"):
        lava.export_lava(fixed, other, 5)
    lava.export_lava(fixed, other, 5, overwrite=True)
    assert (other / "precious.txt").read_text() == "mine"
    with pytest.raises(TargetError, match="is a file"):
        lava.export_lava(fixed, other / "precious.txt", 5)


# -------------------------------------------------------------------------------- failures


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Any]]:
    """Collect the children that are started; afterwards nothing of them may be left."""
    started: list[Any] = []
    original = subprocess.Popen

    class Kept(original):  # type: ignore[type-arg, misc, valid-type]
        def __init__(self, command: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(command, *args, **kwargs)
            started.append((self.pid, command))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lava_python.subprocess, "Popen", Kept)
    yield started
    for pid, command in started:
        if "--shm-prefix" in command:
            prefix = command[command.index("--shm-prefix") + 1]
            assert not list(Path("/dev/shm").glob(prefix + "*"))
        assert gone(pid)
    assert not list(tmp_path.glob("neuro-lif-lava-*"))


def gone(session: int, within: float = 5.0) -> bool:
    """Tell whether no process of a session runs any more."""
    deadline = time.monotonic() + within
    while session_members(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def session_members(session: int) -> list[int]:
    """Return the processes of a session, dead ones that nobody waited for left out."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if fields[3] == str(session) and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def spoil(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Make every neuron process of ours run ``statement`` in its third step."""

    def export(fixed: Any, folder: Path, *args: Any) -> Any:
        plan = lava_export.write_export(fixed, folder, *args)
        module = folder / "integer_rules/targets/lava_bundle/processes/__init__.py"
        text = module.read_text()
        line = "        state = self.neurons.state\n"
        assert line in text
        spoiled = f"        if self.time_step == 3:\n            {statement}\n" + line
        module.write_text(text.replace(line, spoiled))
        return plan

    monkeypatch.setattr(lava, "write_export", export)


@needs_lava
def test_a_good_run_leaves_nothing(watched: list[Any]) -> None:
    """No process, no temporary folder, no shared memory (checked by the fixture)."""
    assert lava.run_lava(tiny(), 5).n_steps == 5
    assert watched


@needs_lava
def test_failing_process_shows_its_own_traceback(
    watched: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error carries the traceback of the process that died, not Lava's note about it."""
    monkeypatch.setattr(lava_python, "AFTER_TRACEBACK_S", 2.0)
    spoil(monkeypatch, "raise ArithmeticError('the neuron broke')")
    started = time.monotonic()
    with pytest.raises(TargetError, match="ArithmeticError: the neuron broke") as caught:
        lava.run_lava(tiny(), 10)
    assert "processes/__init__.py" in str(caught.value)
    assert time.monotonic() - started < 30


@needs_lava
def test_hang_is_bounded(watched: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that never ends is ended, with everything it started."""
    spoil(monkeypatch, "import time; time.sleep(1000)")
    started = time.monotonic()
    with pytest.raises(TargetError, match=r"did not end within 3 s \(give more time"):
        lava.run_lava(tiny(), 10, timeout=3)
    assert time.monotonic() - started < 15


@needs_lava
def test_interrupt_ends_the_run(watched: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while Lava runs."""
    spoil(monkeypatch, "import time; time.sleep(1000)")

    def interrupted(*args: Any) -> str:
        deadline = time.monotonic() + 30
        while len(session_members(watched[-1][0])) <= 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(session_members(watched[-1][0])) > 2
        raise KeyboardInterrupt

    monkeypatch.setattr(lava_python, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lava.run_lava(tiny(), 10)


@needs_lava
def test_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed outright takes the whole run with it."""
    folder = lava.export_lava(tiny(), tmp_path / "net", 10**6)
    python = lava.find_lava_python().executable
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys\n"
         "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
         "print(child.pid, flush=True)\n"
         "child.wait()\n",
         python, "run.py", "--quiet", "--watch-stdin", "--shm-prefix", "nltest01"],
        cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": os.curdir},
    )  # fmt: skip
    assert parent.stdout is not None
    session = int(parent.stdout.readline())
    deadline = time.monotonic() + 30
    while len(session_members(session)) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(session_members(session)) >= 4
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(session)
    assert not list(Path("/dev/shm").glob("nltest01*"))


# -------------------------------------------------------------------------------- refusals


def test_no_interpreter_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no Python has Lava, the error says how to get one."""
    monkeypatch.setattr(lava_python, "_ask", lambda executable: "Python 3.12 has no lava-nc")
    monkeypatch.delenv(lava_python.VARIABLE, raising=False)
    with pytest.raises(TargetError) as caught:
        lava.run_lava(tiny(), 5)
    text = str(caught.value)
    assert "make lava-env" in text and "NEURO_LIF_LAVA_PYTHON" in text and "\n" not in text
    assert lava.lava_status() == (False, text)
    monkeypatch.setenv(lava_python.VARIABLE, "elsewhere/python")
    with pytest.raises(TargetError, match="NEURO_LIF_LAVA_PYTHON = 'elsewhere/python'"):
        lava.find_lava_python()


def test_named_interpreter_is_checked() -> None:
    """An interpreter that is missing or has no Lava is refused by name."""
    with pytest.raises(TargetError, match="python = '/no/such/python'.*FileNotFoundError"):
        lava.run_lava(tiny(), 5, python="/no/such/python")


def test_out_of_range_is_refused_before_lava_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values no Lava process can hold: by name, and without starting anything."""
    found = lava.LavaPython("python", "3.10.0", "0.10.0", "1.26.4")
    monkeypatch.setattr(lava, "find_lava_python", lambda python=None: found)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("Lava was started")

    monkeypatch.setattr(lava_python.subprocess, "Popen", refuse)
    profile = load_profile("generic")
    populations = (FixedPopulation("a", 2),)
    sources, directs = (FixedSource("s", 2),), (DirectInput("i", "a"),)
    fixed = FixedNetwork(profile, populations, (), sources, directs)
    wide = np.array([[2**31, 0]])
    with pytest.raises(TargetError, match="source 's': largest value = 2147483648"):
        lava.run_lava(fixed, 1, {"s": wide})
    with pytest.raises(TargetError, match="input 'i': largest value"):
        lava.run_lava(fixed, 1, {"i": -wide - 1})
    with pytest.raises(RangeError, match="whole numbers"):
        lava.run_lava(fixed, 1, {"i": np.array([[0.5, 0.0]])})
    with pytest.raises(RangeError, match="n_steps"):
        lava.run_lava(fixed)
    with pytest.raises(TargetError, match="timeout = 0"):
        lava.run_lava(fixed, 1, timeout=0)


def test_importing_the_package_loads_no_target() -> None:
    """``import neuro_lif`` neither imports lava nor nengo."""
    code = (
        "import sys, neuro_lif, neuro_lif.targets\n"
        "loaded = {'lava', 'nengo', 'neuro_lif.targets.lava'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "assert neuro_lif.targets.lava.run_lava\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("name", PROFILES)
def test_random_networks_are_valid_and_repeatable(name: str) -> None:
    """The builder the differential tests draw from: valid, and the same from the same seed."""
    for seed in range(20):
        a, b = (random_fixed(np.random.default_rng(seed), name) for _ in range(2))
        assert not verify(a).lines
        for p, q in zip(a.projections, b.projections, strict=True):
            assert (p.pre, p.post, p.exponent) == (q.pre, q.post, q.exponent)
            assert (p.weights != q.weights).sum() == 0
