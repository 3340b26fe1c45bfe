"""``neuro-lif report``: as a user would, and with wrong input."""

from __future__ import annotations

import hashlib
import html
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import report_cases as cases

import neuro_lif as nl
from neuro_lif.cli import main
from neuro_lif.ladder import ladder
from neuro_lif.laws import LawSweep
from neuro_lif.npz import replacing
from neuro_lif.study import Study

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program in a folder with a network, its inputs and a task."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    nl.save_network(cases.network(), "net.toml")
    np.savez("inputs.npz", **cases.inputs())
    np.savez("task.npz", **cases.inputs(6), labels=np.arange(6) % 3, output="out")
    np.savez("nobody.npz", **cases.inputs(6), labels=np.arange(6) % 3, output="nobody")
    np.savez("classes.npz", **cases.inputs(6), labels=np.arange(6), output="out")

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["report", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


BASE = ("net.toml", "--profile", "loihi2", "--weight-bits", "3")


def sections(path: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', Path(path).read_text("utf-8"))


def test_a_network_and_inputs(run: Run) -> None:
    code, out, err = run(*BASE, "--inputs", "inputs.npz", "-o", "a.html")
    assert code == 0 and out.startswith("report written to a.html (") and "no " not in err
    assert sections("a.html") == [
        "verdict", "ladder", "laws", "runs", "overflow", "ledger", "origin"]  # fmt: skip
    text = Path("a.html").read_text("utf-8")
    digest = hashlib.sha256(Path("net.toml").read_bytes()).hexdigest()
    assert digest in text and "loihi2: Intel Loihi 2" in text
    command = "neuro-lif report net.toml --profile loihi2 --weight-bits 3 --inputs inputs.npz"
    assert command in text
    assert run(*BASE, "--inputs", "inputs.npz", "-o", "a.html")[0] == 0
    assert Path("a.html").read_text("utf-8") == text, "no date, nothing that changes"


def test_a_task_gives_the_accuracy(run: Run) -> None:
    code, _, _ = run(*BASE, "--task", "task.npz", "--date", "2026-02-03", "--title", "Mine <b>")
    text = Path("report.html").read_text("utf-8")
    assert code == 0 and "accuracy, float" in text and "6 samples" in text
    assert "2026-02-03" in text and "<h1>Mine &lt;b&gt;</h1>" in text


def test_the_command_on_the_page_makes_it_again(run: Run) -> None:
    words = (*BASE, "--inputs", "inputs.npz", "--rounding", "floor", "--no-ladder", "--title",
             "a title of 'mine'", "--dt", "1ms", "--no-bias-correction")  # fmt: skip
    assert run(*words)[0] == 0
    text = Path("report.html").read_text("utf-8")
    found = re.search(r'<dd class="code">(.*?)</dd>', text)
    assert found is not None
    again = shlex.split(html.unescape(found[1]))
    assert again[:2] == ["neuro-lif", "report"] and "--no-bias-correction" in again
    Path("report.html").unlink()
    assert run(*again[2:])[0] == 0
    assert Path("report.html").read_text("utf-8") == text


def test_parts_from_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.climbed(False).save("ladder.json")
    LawSweep(tuple(cases.law_rows())).save("laws.json")
    study = Study(cases.network(), "loihi2", {"quantize.weight_bits": [2, 4, 8]}, dt=1e-3,
                  inputs=cases.inputs(), store="s.sqlite")  # fmt: skip
    study.run(workers=1, progress=False)
    study.close()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    code, _, _ = run(*BASE, "--inputs", "inputs.npz", "--ladder", "ladder.json", "--laws",
                     "laws.json", "--study", "s.sqlite")  # fmt: skip
    text = Path("report.html").read_text("utf-8")
    assert code == 0 and sections("report.html") == [
        "verdict", "ladder", "study", "laws", "runs", "overflow", "ledger", "origin"]  # fmt: skip
    assert "3 configurations" in text and "58 of 59 comparisons" in text
    assert "1970-01-02" in text and "study: network" in text


def test_a_page_without_a_ladder(run: Run) -> None:
    assert run(*BASE, "--steps", "20", "--no-ladder")[0] == 0
    assert "ladder" not in sections("report.html")


def test_the_ladder_of_the_page_is_that_of_the_command(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("net.toml", "--profile", "loihi2", "--inputs", "inputs.npz", "--coding", "lava")
    assert run(*words)[0] == 0
    alone = Path("report.html").read_text("utf-8")
    assert main(["ladder", *words, "--json", "ladder.json"]) == 0
    capsys.readouterr()
    assert run(*words, "--ladder", "ladder.json")[0] == 0
    bars = r'aria-label="(Waterfall of[^"]*|Spikes that differ[^"]*)"'
    given = re.findall(bars, Path("report.html").read_text("utf-8"))
    described = [re.sub("time step [^,]*, ", "", g) for g in given]
    found = [re.sub("time step [^,]*, ", "", g) for g in re.findall(bars, alone)]
    assert found == described and found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--weight-bits", "3", "--inputs", "inputs.npz", "--dt", "2ms"),
            "it is of other integers",
        ),
        (("--weight-bits", "4", "--inputs", "inputs.npz"), "of other integers"),
        (("--weight-bits", "3", "--steps", "7"), "steps, not of 7"),
    ],
)
def test_a_ladder_of_something_else_is_refused(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    cases.climbed(False).save("ladder.json")
    code, out, err = run("net.toml", "--profile", "loihi2", *words, "--ladder", "ladder.json")
    assert code == 2 and out == "" and message in err and "ladder.json" in err


def test_a_ladder_of_another_network_is_refused_and_such_a_study_is_said(run: Run) -> None:
    other = nl.Network([nl.Population("a", 1, nl.LIF(tau_m=0.02, v_threshold=0.01, i_bias=0.02))])
    ladder(other, "loihi2", dt=1e-3, n_steps=20).save("ladder.json")
    code, _, err = run(*BASE, "--steps", "20", "--ladder", "ladder.json")
    assert code == 2 and "of another network than net.toml" in err
    for network, store in ((other, "b.sqlite"), (cases.network(), "c.sqlite")):
        study = Study(network, "loihi2", {"quantize.weight_bits": [4]}, dt=1e-3, n_steps=20,
                      store=store)  # fmt: skip
        study.run(workers=1, progress=False)
        study.close()
        code, _, err = run(*BASE, "--steps", "20", "--no-ladder", "--study", store)
        assert code == 0 and ("not of the network" in err) == (network is other)


def test_a_read_out_is_judged_by_its_v(run: Run) -> None:
    weights = 1e-3 * np.arange(1.0, 41.0).reshape(2, 20)
    synapse = nl.Exponential(5e-3, norm="psp")
    net = nl.Network([nl.Population("r", 2, nl.LI(tau_m=0.02))],
                     [nl.Projection("p", "in", "r", weights, synapse)],
                     [nl.SpikeInput("in", 20)])  # fmt: skip
    nl.save_network(net, "readout.toml")
    assert run("readout.toml", *BASE[1:], "--inputs", "inputs.npz")[0] == 0
    text = html.unescape(Path("report.html").read_text("utf-8"))
    assert "Nothing spikes, neither in float64 nor on loihi2; v is off by" in text
    assert "the rung 'weights' costs most: v of population 'r' is off by" in text


def test_a_device_is_not_replaced(run: Run) -> None:
    os.mkfifo("pipe")
    code, out, err = run(*BASE, "--steps", "5", "--no-ladder", "-o", "pipe")
    assert code == 2 and out == "" and "'pipe': cannot be written" in err
    assert Path("pipe").is_fifo()
    with pytest.raises(OSError, match="no file"), replacing(Path("pipe")) as temporary:
        temporary.write_text("x")
    assert Path("pipe").is_fifo() and not list(Path().glob("*.part"))


def test_names_that_a_terminal_cannot_show(run: Run) -> None:
    name = os.fsdecode(b"\xc3\xa9\xff.html")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "neuro_lif", "report", *BASE, "--steps", "5", "--no-ladder", "-o",
         name], env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"report written to ") and Path(name).stat().st_size > 10_000


def test_overflow_is_timed(run: Run) -> None:
    twice = cases.inputs()["in"]
    np.savez("twice.npz", **{"in": 2 * twice})  # a spike count of 2 is carried as 1
    assert run(*BASE, "--inputs", "twice.npz", "--no-ladder")[0] == 0
    text = Path("report.html").read_text("utf-8")
    assert f"{twice.sum():,} values did not fit" in text and "A bar is a stretch" in text
    counts = re.findall(r"<title>steps [\d,]+ to [\d,]+: ([\d,]+) values</title>", text)
    assert sum(int(n.replace(",", "")) for n in counts) == twice.sum() and len(counts) > 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.toml", "--profile", "loihi2", "--steps", "3"), "none.toml"),
        (("net.toml", "--profile", "loihi9", "--steps", "3"), "loihi9"),
        (BASE, "n_steps"),
        ((*BASE, "--steps", "0"), "n_steps = 0"),
        ((*BASE, "--steps", "3", "-o", "no/r.html"), "--out 'no/r.html'"),
        ((*BASE, "--steps", "3", "-o", "."), "--out '.'"),
        ((*BASE, "--steps", "3", "--ladder", "none.json"), "--ladder 'none.json': no such file"),
        ((*BASE, "--steps", "3", "--study", "none.sqlite"), "--study 'none.sqlite': no such file"),
        ((*BASE, "--steps", "3", "--laws", "none.json"), "--laws 'none.json': no such file"),
        ((*BASE, "--steps", "3", "--ladder", "net.toml"), "net.toml"),
        ((*BASE, "--steps", "3", "--study", "inputs.npz"), "inputs.npz"),
        ((*BASE, "--steps", "3", "--laws", "net.toml"), "laws 'net.toml'"),
        ((*BASE, "--steps", "3", "--ladder", "net.toml", "--no-ladder"), "--no-ladder"),
        ((*BASE, "--inputs", "inputs.npz", "--task", "task.npz"), "--task"),
        ((*BASE, "--task", "inputs.npz"), "labels"),
        ((*BASE, "--task", "nobody.npz"), "output = 'nobody', allowed: hidden, out"),
        ((*BASE, "--task", "classes.npz"), "labels up to 5, allowed: 0..2"),
        ((*BASE, "--task", "task.npz", "--steps", "3"), "--steps = 3"),
        ((*BASE, "--task", "task.npz", "--sample", "6"), "--sample = 6, allowed: 0..5"),
        ((*BASE, "--steps", "3", "--inputs", "task.npz"), "labels"),
    ],
)  # fmt: skip
def test_wrong_input_is_named(run: Run, words: tuple[str, ...], message: str) -> None:
    code, out, err = run(*words)
    assert code == 2 and out == "", err
    assert message in err and err.startswith("neuro-lif report: ") and "Traceback" not in err
    assert not Path("report.html").exists()
