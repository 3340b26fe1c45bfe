"""Damaged and hostile NIR files: one clear error that names file, node and field, soon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import h5py
import pytest
from nir_graphs import FILES, Maker, damaged, hostile
from nir_hostile import PRIMITIVES, greedy, spoiled

import neuro_lif
from neuro_lif import nir
from neuro_lif.cli import main
from neuro_lif.errors import FileFormatError
from neuro_lif.nir import hdf_process

HOSTILE = [*hostile(), *greedy()]
MOST_SECONDS = 2.0


def refused(path: Path, *named: str) -> str:
    if hdf_process._child is None:
        nir.read(FILES[0])  # the process that reads is there
    before = time.monotonic()
    with pytest.raises(FileFormatError) as error:
        nir.read(path)
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others' work is not ours
    assert time.monotonic() - before < MOST_SECONDS * busy
    message = str(error.value)
    assert str(path) in message
    for name in named:
        assert name in message
    return message


@pytest.mark.parametrize(("make", "named"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_hostile_files_are_refused(make: Maker, named: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    with contextlib.suppress(ValueError), h5py.File(path, "w") as file:
        make(file)
    message = refused(path, named)
    assert "Traceback" not in message and len(message) < 1500


@pytest.mark.parametrize("kind", PRIMITIVES)
def test_every_field_of_every_primitive(kind: str, tmp_path: Path) -> None:
    for name in spoiled(kind, tmp_path / "a.nir"):
        refused(tmp_path / "a.nir", "'a'", name)


def test_the_corpus_is_large_enough() -> None:
    fields = sum(len(node.CHECKS) for node in PRIMITIVES.values())
    assert len(HOSTILE) + 11 * fields > 300


def test_the_program_says_one_clear_thing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, make, named in HOSTILE[::7]:
        path = tmp_path / "a.nir"
        path.unlink(missing_ok=True)
        with contextlib.suppress(ValueError), h5py.File(path, "w") as file:
            make(file)
        assert main(["nir", "show", str(path)]) == 2, name
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("neuro-lif nir: ") and named in err, name
        assert "Traceback" not in err and len(err) < 1500


def sweep(seeds: range, path: Path) -> tuple[int, int]:
    """How many damaged files were refused and read; anything else is an error."""
    counts = [0, 0]
    for seed in seeds:
        path.write_bytes(damaged(seed))
        start = time.monotonic()
        try:
            nir.read(path)
            counts[1] += 1
        except FileFormatError as error:
            assert str(path) in str(error), seed
            counts[0] += 1
        assert time.monotonic() - start < 30, seed
    return counts[0], counts[1]


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    bad, good = sweep(range(240), tmp_path / "a.nir")
    assert bad > 120 and bad + good == 240


@pytest.mark.verify
def test_many_damaged_files(tmp_path: Path) -> None:
    bad, good = sweep(range(1000, 3000), tmp_path / "a.nir")
    assert bad > 1000 and bad + good == 2000


def test_a_file_that_the_library_never_ends_on(tmp_path: Path) -> None:
    # seeds of `damaged` on which HDF5 1.14 loops for ever in its heap of texts
    path = tmp_path / "a.nir"
    path.write_bytes(damaged(303))
    refused(path)
    assert nir.read(FILES[0]).graph.nodes, "the next file is read again"


MEASURED = """
import os, re, resource, sys
from pathlib import Path
def peak(process):
    # not ru_maxrss of this process: it begins with the memory of the process that started this one
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", text)[1])
import neuro_lif
from neuro_lif import nir
from neuro_lif.cli import main
from neuro_lif.errors import FileFormatError
try:
    nir.read(sys.argv[1])
except FileFormatError:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # the reader waits for the next file, and only those that ended are counted above
    living = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    print(peak("self") // 1024, max(ended, *map(peak, living)) // 1024)
"""


def test_memory_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    with h5py.File(path, "w") as file:
        dict((h[0], h[1]) for h in HOSTILE)["bomb"](file)
    refused(path)
    # in a process of its own: that of the tests remembers the largest test before
    told = subprocess.run([sys.executable, "-c", MEASURED, str(path)], check=True, timeout=60,
                          capture_output=True, text=True).stdout  # fmt: skip
    own, children = map(int, told.split())
    assert 0 < own < 500 and 0 < children < 500


def test_no_file_at_all(tmp_path: Path) -> None:
    for content in (b"", b"hello", b"\x89HDF\r\n\x1a\n", bytes(5000)):
        (tmp_path / "a.nir").write_bytes(content)
        refused(tmp_path / "a.nir")
    with pytest.raises(FileFormatError, match="a folder, allowed: a file"):
        nir.read(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, said in (
        (tmp_path / "pipe", "a pipe or a device"),
        (Path("/dev/zero"), "a pipe or a device"),
        (tmp_path / "loop", "cannot be read"),
        (tmp_path / ("x" * 5000), "cannot be read"),
        (tmp_path / "none", "no such file"),
    ):
        with pytest.raises(FileFormatError, match=said):
            nir.read(path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_reader_that_somebody_ended_is_started_again(how: int) -> None:
    for _ in range(5):
        nir.read(FILES[0])
        living = hdf_process._child
        assert living is not None
        os.kill(living.process.pid, how)
        assert nir.read(FILES[0]).graph.nodes


def test_a_reader_that_ends_as_it_is_asked_is_started_again(monkeypatch: Any) -> None:
    nir.read(FILES[0])
    first = hdf_process._child
    assert first is not None
    ask = hdf_process.Child.ask

    def ended(child: hdf_process.Child, request: Any) -> None:
        if child is first:
            child.process.kill()
            child.process.wait()
        ask(child, request)

    monkeypatch.setattr(hdf_process.Child, "ask", ended)
    assert nir.read(FILES[0]).graph.nodes and hdf_process._child is not first


def test_a_forked_process_reads_while_another_thread_did() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            nir.read(FILES[0])

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(60)  # a lock that nobody gives back
                os._exit(0 if nir.read(FILES[0]).graph.nodes else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


def test_h5py_is_found_where_only_the_path_says(tmp_path: Path) -> None:
    packages = [str(Path(m.__file__).parents[1]) for m in (h5py, neuro_lif)]
    script = (
        f"import sys; sys.path += {packages!r}; "
        f"from neuro_lif import nir; print(len(nir.read({str(FILES[0])!r}).graph.nodes))"
    )
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    told = subprocess.run([sys.executable, "-S", "-c", script], env=bare, check=True, timeout=60,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip
    assert int(told.stdout) > 2


def test_an_endless_read_ends_with_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    path.write_bytes(damaged(303))
    nir.read(FILES[0])
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        nir.read(path)
    timer.join()
    assert nir.read(FILES[0]).graph.nodes
