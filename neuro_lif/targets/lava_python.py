"""Finds a Python that has Lava, and runs a folder in it without leaving anything behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import TargetError

VARIABLE = "NEURO_LIF_LAVA_PYTHON"
LAVA_VERSION = "0.10.0"
HOW = (
    "create a Python 3.10 environment with `make lava-env` (or `python3.10 -m venv E && "
    f"E/bin/pip install lava-nc=={LAVA_VERSION}`) and set {VARIABLE}=E/bin/python"
)
ASK = """
import json, platform
import lava.proc.lif.process
import numpy
from importlib.metadata import version
print(json.dumps([platform.python_version(), version("lava-nc"), numpy.__version__]))
"""
TRACEBACK = "Traceback (most recent call last)"
POLL_S = 0.05
AFTER_TRACEBACK_S = 10.0
"""How long a run that printed a traceback may take to end; some failures make Lava hang."""


@dataclass(frozen=True)
class LavaPython:
    """A Python interpreter that has Lava.

    Args:
        executable: path of the interpreter.
        python, lava, numpy: versions.
    """

    executable: str
    python: str
    lava: str
    numpy: str


def find_lava_python(python: str | None = None) -> LavaPython:
    """Return an interpreter that has Lava: as named, this one, the variable's or the checkout's.

    Args:
        python: path of an interpreter to use and no other.

    Raises:
        TargetError: there is none, or the one named does not have Lava; says how to get one.
    """
    if python is not None:
        return _checked(python, f"python = {python!r}")
    here = _ask(sys.executable)
    if isinstance(here, LavaPython):
        return here
    named = os.environ.get(VARIABLE)
    if named:
        return _checked(named, f"{VARIABLE} = {named!r}")
    checkout = Path(__file__).resolve().parents[2]
    for folder in (".venv-lava", ".venv"):
        candidate = checkout / folder / "bin" / "python"
        if candidate.is_file():
            found = _ask(str(candidate))
            if isinstance(found, LavaPython):
                return found
    raise TargetError(f"Lava is not available ({here}): {HOW}")


def _checked(python: str, where: str) -> LavaPython:
    found = _ask(python)
    if isinstance(found, LavaPython):
        return found
    raise TargetError(f"{where} cannot run Lava ({found}): {HOW}")


@lru_cache(maxsize=16)
def _ask(executable: str) -> LavaPython | str:
    """Return what an interpreter has, or why it cannot run Lava."""
    try:
        done = subprocess.run(
            [executable, "-c", ASK], capture_output=True, text=True, timeout=60, check=False,
            env=child_environment(executable), stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return f"it does not start: {type(error).__name__}"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"Python {sys.version_info[0]}.{sys.version_info[1]} has no lava-nc" if (
            executable == sys.executable
        ) else f"it has no lava-nc: {last}"  # fmt: skip
    python, lava, numpy = json.loads(done.stdout)
    if not python.startswith("3.10."):
        return f"Lava needs Python 3.10, this is {python}"
    if lava != LAVA_VERSION:
        return f"needs lava-nc {LAVA_VERSION}, found {lava}"
    return LavaPython(executable, python, lava, numpy)


def lava_status() -> tuple[bool, str]:
    """Return whether Lava can be run here, and one line about it (for ``neuro-lif doctor``)."""
    try:
        found = find_lava_python()
    except TargetError as error:
        return False, str(error)
    same = "this interpreter" if found.executable == sys.executable else "another interpreter"
    return True, f"lava-nc {found.lava}, Python {found.python}, numpy {found.numpy} ({same})"


def child_environment(executable: str) -> dict[str, str]:
    """Return the environment of a child: ours, without what belongs to another interpreter."""
    environment = dict(os.environ)
    if executable != sys.executable:
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"):
            environment.pop(name, None)
    # one process per population and projection: threads inside each only stand in the way
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.setdefault(name, "1")
    return environment


# ------------------------------------------------------------------------------ running


def run_folder(
    found: LavaPython, folder: Path, timeout: float, told: Callable[[int], None] | None = None
) -> Path:
    """Run an exported folder to its end, or end it.

    Args:
        found: the interpreter.
        folder: an export; what the run writes stays inside.
        timeout: s.
        told: called with the steps done, from time to time.

    Returns:
        The file with the results.

    Raises:
        TargetError: the run failed (with its own last words) or took longer than ``timeout``.
    """
    out, said, steps = folder / "result.npz", folder / "said.txt", folder / "steps.txt"
    prefix = f"nl{os.urandom(3).hex()}"
    command = [
        found.executable, "run.py", "--quiet", "--out", str(out), "--shm-prefix", prefix,
        "--watch-stdin", *(() if told is None else ("--progress", str(steps))),
    ]  # fmt: skip
    environment = child_environment(found.executable)
    # relative, because the socket that Lava opens in there may have a path of 107 bytes at most
    environment |= {"TMPDIR": os.curdir, "PYTHONDONTWRITEBYTECODE": "1"}
    with said.open("wb") as stream:
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=stream,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            why = _wait(child, said, timeout, _Steps(steps, told))
        finally:
            _end(child, prefix)
    if why or child.returncode or not out.is_file():
        said_last = _last_words(said)
        raise TargetError(f"the run in Lava {why or 'failed'}; its last words:\n{said_last}")
    return out


class _Steps:
    """Hands on how many steps are done, as often as the child says something new."""

    def __init__(self, file: Path, told: Callable[[int], None] | None) -> None:
        self.file, self.told, self.last = file, told, 0

    def __call__(self) -> None:
        if self.told is None or not self.file.is_file():
            return
        text = self.file.read_text(encoding="ascii")
        if text.isdigit() and int(text) != self.last:  # empty while it is being written
            self.last = int(text)
            self.told(self.last)


def _wait(
    child: subprocess.Popen[bytes], said: Path, timeout: float, every: Callable[[], None]
) -> str:
    """Wait for the end; return why it must be ended, or an empty string.

    ``every`` is called from time to time, and once more at the end.
    """
    deadline = time.monotonic() + timeout
    failed = False
    while True:
        try:
            child.wait(POLL_S)
            every()
            return ""
        except subprocess.TimeoutExpired:
            every()
        if not failed and TRACEBACK.encode() in said.read_bytes():
            failed = True
            deadline = min(deadline, time.monotonic() + AFTER_TRACEBACK_S)
        if time.monotonic() > deadline:
            if failed:
                return "failed and hung"
            return f"did not end within {timeout:g} s (give more time with timeout=...)"


def _end(child: subprocess.Popen[bytes], prefix: str) -> None:
    """End the child and everything it started, and remove its shared memory."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    for left in Path("/dev/shm").glob(prefix + "_*"):
        left.unlink(missing_ok=True)


def _last_words(said: Path, most: int = 40) -> str:
    """Return what matters of a run's output: its first traceback, else its last lines."""
    text = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    text = [line for line in text if "resource_tracker" not in line and "warnings.warn" not in line]
    starts = [i for i, line in enumerate(text) if line.startswith(TRACEBACK)]
    # the first one is the process' own; later ones tell that others ended because of it
    shown = text[starts[0] :][:most] if starts else text[-most:]
    return "\n".join("  " + line for line in shown) or "  (nothing)"


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that goes away when left."""
    return tempfile.TemporaryDirectory(prefix="neuro-lif-lava-")
