"""The examples' pages: their Python gives what they say, their commands and files are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from neuro_lif.cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize("name", ["digits", "yinyang"])
def test_the_python_of_the_page_gives_its_number(name: str) -> None:
    if name == "digits":
        pytest.importorskip("sklearn")
    folder = EXAMPLES / name
    (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.S)
    *lines, last = block.strip().splitlines()
    call, said = re.fullmatch(r"(.*)  # ([\d.]+)", last).groups()  # type: ignore[union-attr]
    code = "\n".join([*lines, f"print(round({call}, 3))"])
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": path}, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == float(said)


@pytest.mark.parametrize("name", ["digits", "yinyang", "replications"])
def test_the_commands_of_the_page_are_there(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text("utf-8").replace("\\\n", " ")
    commands = [shlex.split(c, comments=True) for block in re.findall(r"```\n(.*?)```", text, re.S)
                for c in block.splitlines()]  # fmt: skip
    assert len(commands) >= 3
    parser = build_parser()
    for words in commands:
        if words[0] == "neuro-lif":
            assert parser.parse_args(words[1:]).run
        if words[0] == "python":
            assert (ROOT / words[1]).is_file()
    assert max(map(len, text.splitlines())) < 240
