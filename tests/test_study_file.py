"""Study files and ``neuro-lif study``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import environment, network, study, task

import neuro_lif as nl
from neuro_lif.cli import main
from neuro_lif.errors import FileFormatError, NeuroLifError, StudyError
from neuro_lif.study.files import load_study
from neuro_lif.study.told import Lines, clock

HEAD = 'format = "neuro-lif-study-file/1"\nnetwork = "net.toml"\nprofile = "generic"\n'
TASK = '[task]\ninputs = "task.npz"\noutput = "out"\n'
VARY = '[vary]\n"quantize.weight_bits" = [2, 3, 99]\n"params.hidden.vth.scale" = [0.9, 1.0]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nl.save_network(network(), tmp_path / "net.toml")
    asked = task()
    np.savez(tmp_path / "task.npz", labels=asked.labels, **asked.inputs)
    np.savez(tmp_path / "in.npz", **asked.inputs)
    return tmp_path


def written(folder: Path, text: str, name: str = "s.toml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_file_describes_the_study_that_python_does(folder: Path) -> None:
    file = load_study(written(folder, HEAD + TASK + VARY))
    own = study(vary={"quantize.weight_bits": [2, 3, 99], "params.hidden.vth.scale": [0.9, 1.0]})
    assert file.study.identity == own.identity
    assert file.study.path == folder / "s.sqlite"
    assert file.run(workers=1).table() == own.run(workers=1).table()


def test_values_spans_and_options(folder: Path) -> None:
    text = HEAD + (
        'dt = "0.5 ms"\nrule = "euler"\ninputs = "in.npz"\nn_steps = 40\nmeasure = ["spikes"]\n'
        'seed = 3\nstore = "other.db"\nkeep = ["spikes"]\n'
        "[vary]\n"
        'dt = ["1 ms", 5e-4]\n'
        '"quantize.weight_bits" = { from = 2, to = 8, step = 3 }\n'
        '"params.hidden.vth.scale" = { from = 0.5, to = 2.0, points = 3, log = true }\n'
        "[vary.profile.config]\n"
        'rounding = ["rtz", "floor"]\n'
        "state_bits = { from = 8, to = 32, points = 3, log = true }\n"
        "[quantize]\nproved = true\n"
        '[choose]\nhow = "random"\nn = 5\n'
    )
    file = load_study(written(folder, text))
    values = {a.name: list(a.values) for a in file.study.axes}
    assert values.pop("params.hidden.vth.scale") == pytest.approx([0.5, 1.0, 2.0])
    assert values == {
        "dt": [1e-3, 5e-4],
        "quantize.weight_bits": [2, 5, 8],
        "profile.config.rounding": ["rtz", "floor"],
        "profile.config.state_bits": [8, 16, 32],
    }
    base = file.study.base
    assert (base.dt, base.seed, base.groups, base.keep) == (5e-4, 3, ("spikes",), ("spikes",))
    assert base.options == {"proved": True} and base.n_steps == 40 and base.task is None
    assert base.rule == nl.RULES["euler"] and file.study.path == folder / "other.db"
    assert file.configurations() == file.study.random(5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [", "not valid TOML"),
        ('format = "x"', "s.toml': format = 'x', allowed: \"neuro-lif-study-file/1\""),
        (HEAD, "vary is missing"),
        (HEAD + "bits = 3\n" + VARY, "bits = 3, allowed: keys format"),
        (HEAD + 'dt = "5 mV"\n' + TASK + VARY, "dt = '5 mV', allowed: a time"),
        (HEAD + TASK + '[vary]\n"quantize.bits" = [1]\n', "s.toml': vary: name = 'quantize.bits'"),
        (HEAD + TASK + '[vary]\n"dt" = { from = 2, to = 1 }\n', "vary.dt = {'from': 2, 'to': 1}"),
        (HEAD + TASK + '[vary]\n"dt" = { from = 0, to = 1, points = 3, log = true }\n', "vary.dt"),
        (HEAD + TASK + "labels = 'y'\n" + VARY, "task.npz': no array 'y' among labels, in, output"),
        (HEAD + TASK.replace("output", "#") + VARY, "no array 'output' among labels, in, allowed"),
        (HEAD + TASK.replace("output", "#") + VARY, "(the population's name), or output in [task]"),
        (HEAD + TASK + "readout = 3\n" + VARY, "task: readout = 3, allowed: a name"),
        (HEAD + TASK + "classes = 3\n" + VARY, "task.classes = 3, allowed: keys inputs"),
        (HEAD + TASK + VARY + '[choose]\nhow = "all"\n', "choose.how = 'all', allowed: grid"),
        (HEAD + TASK + VARY + '[choose]\nhow = "random"\n', "choose.n = None"),
        (HEAD + TASK + VARY + "[choose]\nn = 4\n", "choose.n = 4, allowed: keys how"),
        (HEAD.replace("net.", "no."), "vary is missing"),
        (HEAD.replace("net.", "no.") + TASK + VARY, "no.toml': no such file"),
        (HEAD.replace("generic", "loihi3") + TASK + VARY, "s.toml': profile = 'loihi3', allowed"),
        (HEAD + "network = 3\n" + VARY, "not valid TOML"),
        (HEAD.replace('"net.toml"', "3") + TASK + VARY, "network = 3, allowed: the name"),
        (HEAD + "seed = -1\n" + TASK + VARY, "s.toml': Study: seed = -1"),
    ],
)
def test_wrong_files_are_refused_by_file_field_and_value(
    folder: Path, text: str, said: str
) -> None:
    with pytest.raises(NeuroLifError) as stop:
        load_study(written(folder, text))
    assert said in str(stop.value) and "s.toml" in str(stop.value)


def test_absent_files(folder: Path, capsys: Any) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        load_study(folder / "absent.toml")
    assert main(["study", "status", str(folder / "absent.toml")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_command_from_run_to_replay(folder: Path, capsys: Any) -> None:
    file = str(written(folder, HEAD + TASK + VARY))
    assert main(["study", "status", file]) == 0
    assert "0 of 6 configurations" in capsys.readouterr().out
    assert main(["study", "show", file]) == 0
    assert capsys.readouterr().out == "no results yet\n"
    assert main(["study", "run", file, "--workers", "1"]) == 0
    out = capsys.readouterr()
    assert "6 of 6 configurations, 2 with an error" in out.out
    assert "s.sqlite: 6 of 6 configurations, 2 with an error" in out.err
    assert main(["study", "run", file, "--workers", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    rows = load_study(file).study.table()
    assert main(["study", "show", file, "--columns", "key,bits,error"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["key", "bits", "error"] and len(shown) == 7
    assert shown[1].split() == [rows[0]["key"][:10], str(rows[0]["bits"]), "-"]
    assert main(["study", "show", file, "--pareto", "bits,spike_agreement"]) == 0
    front = load_study(file).study.pareto("bits", "spike_agreement")
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(front)
    assert main(["study", "show", file, "--at-least", "spike_agreement=2"]) == 0
    capsys.readouterr()
    csv, parquet = folder / "t.csv", folder / "t.parquet"
    assert main(["study", "export", file, "--csv", str(csv), "--parquet", str(parquet)]) == 0
    assert "6 rows written to" in capsys.readouterr().out
    assert csv.read_text().count("\n") == 7 and parquet.stat().st_size > 0
    assert main(["study", "replay", file, rows[0]["key"][:9]]) == 0
    assert "run again: the same bytes" in capsys.readouterr().out
    with load_study(file).study._open() as store:
        store._db.execute("UPDATE results SET result = '{}'")
    assert main(["study", "replay", file, rows[0]["key"]]) == 1
    assert '"bits"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["export"], "--csv and --parquet are missing"),
        (["show", "--pareto", "bits"], "--pareto = 'bits', allowed: X,Y"),
        (["show", "--pareto", "bits,acc"], "column = 'acc': unknown, allowed: accuracy"),
        (["show", "--columns", "bitz"], "--columns = 'bitz': unknown, allowed: bits"),
        (["show", "--at-least", "bits"], "--at-least 'bits', allowed: MEASURE=VALUE"),
        (["replay", "zz"], "key = 'zz': no result"),
        (["run", "--workers", "0"], "run: workers = 0"),
    ],
)
def test_wrong_use_is_told(folder: Path, capsys: Any, more: list[str], said: str) -> None:
    file = str(written(folder, HEAD + TASK + '[vary]\n"quantize.weight_bits" = [3]\n'))
    load_study(file).run(workers=1)
    assert main(["study", more[0], file, *more[1:]]) == 2
    assert said in capsys.readouterr().err


def test_a_search_by_file(folder: Path, capsys: Any) -> None:
    pytest.importorskip("optuna")
    text = (
        HEAD
        + TASK
        + '[vary]\n"quantize.weight_bits" = { from = 1, to = 8 }\n'
        + (
            '[choose]\nhow = "search"\nn = 6\nbatch = 3\nminimise = "bits"\n'
            "at_least = { spike_agreement = 0.5 }\n"
        )
    )
    assert main(["study", "run", str(written(folder, text)), "--workers", "1"]) == 0
    err = capsys.readouterr().err
    assert "6 of 6 configurations" in err
    file = load_study(folder / "s.toml")
    assert 1 <= len(file.study.table()) <= 6
    wrong = text.replace('"bits"', '"accuracy"')
    assert main(["study", "run", str(written(folder, wrong))]) == 2
    assert "minimise = 'accuracy'" in capsys.readouterr().err


def test_ctrl_c_at_the_terminal_says_how_to_go_on(folder: Path) -> None:
    vary = '[vary]\n"params.hidden.vth" = { from = 1, to = 9000 }\n'
    file = written(folder, HEAD + TASK + vary)
    process = subprocess.Popen([sys.executable, "-m", "neuro_lif", "study", "run", str(file),
                                "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(), text=True)  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until and not _stored(folder / "s.sqlite"):
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 9000 configurations; they are stored in" in err and "go on from there" in err
    assert "Traceback" not in err
    rows = load_study(file).study.table()
    assert rows and all(r["error"] is None for r in rows)
    again = load_study(file).study.replay(rows[-1]["key"])
    assert again.same and json.loads(again.stored)["bits"] == rows[-1]["bits"]


def _stored(path: Path) -> int:
    from neuro_lif.study.store import Store

    try:
        store = Store(path)
    except StudyError:
        return 0
    try:
        return len(store.done())
    finally:
        store.close()


def test_progress_in_lines(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("neuro_lif.study.told.time.monotonic", lambda: now[0])
    told = Lines("x")
    told(10, 100, 0)
    for k in (11, 12, 13):
        now[0] += 2.0
        told(k, 100, 0)
    now[0] += 14.0
    told(30, 100, 2)
    told(100, 100, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "x: 10 of 100 configurations"
    assert lines[-2] == "x: 30 of 100 configurations, 2 with an error, 60 a minute, 1:10 left"
    assert lines[-1] == "x: 100 of 100 configurations, 2 with an error, 270 a minute"
    assert len(lines) == 4
    assert (clock(59.6), clock(3661)) == ("1:00", "1:01:01")
