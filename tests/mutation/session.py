"""One pytest session that runs the tests once, then once more, in a fork, against each mutant."""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from .mutants import APART, SAMPLED, WHOLE, Mutant, put_in

QUICK = 0.1
"""CPU seconds of a test that is tried early where its file has killed other mutants."""
MEMORY = 3 * 2**30
"""Bytes a mutant may take beyond what the session has."""


class MutationSession:
    """A pytest plugin: after the tests have passed, runs them against every mutant.

    Args:
        package: the package's folder.
        mutants: what to run.
        done: name -> verdict of mutants that need no run; the rest is added and saved.
        saved: file for the verdicts.
        budget: CPU seconds of passing tests after which a mutant counts as a survivor.
        left_out: parts of the names of tests that are not run.
    """

    def __init__(
        self, package: Path, mutants: list[Mutant], done: dict[str, Any], saved: Path,
        budget: float, left_out: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.package, self.mutants, self.done, self.saved = package, mutants, done, saved
        self.budget, self.left_out = budget, left_out
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.items: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.measured_in = saved.with_name("measured.pickle")
        self.cover = coverage.Coverage(data_file=None, include=[f"{package}/*"], config_file=False)

    # ------------------------------------------------------------------ the run without mutants

    def pytest_configure(self) -> None:
        """Let hypothesis draw the same for each mutant, and not shrink what it finds."""
        from hypothesis import HealthCheck, Phase, settings  # pytest wants to import it first

        settings.register_profile(
            "mutation", deadline=None, derandomize=True, database=None, print_blob=False,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        settings.load_profile("mutation")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out what takes too long."""
        items[:] = [i for i in items if not any(part in i.nodeid for part in self.left_out)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        """Measure which lines a test runs and how long it takes."""
        self.cover.switch_context(item.nodeid)
        start = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - start
        return result

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remember tests that fail without a mutant."""
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: Any) -> Any:
        """Run the tests that are not measured yet, then the mutants."""
        self.items = {item.nodeid: item for item in session.items}
        kept = self._measured()
        session.items[:] = [i for i in session.items if i.nodeid not in kept]
        self.cover.start()
        result = yield
        self.cover.stop()
        session.testsfailed = 0
        kept |= self._measurement() if self.seconds else {}  # coverage warns where nothing ran
        self.measured_in.write_bytes(pickle.dumps(kept))
        for nodeid in self.failed:  # it tells nothing of a mutant
            self.items.pop(nodeid, None)
            _say(f"fails without a mutant, left out: {nodeid}")
        self._run_mutants({k: v for k, v in kept.items() if k in self.items})
        return result

    def _measured(self) -> dict[str, Any]:
        """Return what is known of tests from the last time, if code and test file are the same."""
        if not self.measured_in.exists():
            return {}
        found = pickle.loads(self.measured_in.read_bytes())
        return {k: v for k, v in found.items() if k in self.items and v["state"] == self._state(k)}

    def _state(self, nodeid: str) -> str:
        if not self.states:
            code = [(self.package / f"{m}.py").read_bytes() for m in WHOLE + SAMPLED + APART]
            self.states[""] = hashlib.sha256(b"".join(code)).hexdigest()
        path = nodeid.partition("::")[0]
        if path not in self.states:
            test = (self.package.parent / path).read_bytes()
            self.states[path] = hashlib.sha256(self.states[""].encode() + test).hexdigest()
        return self.states[path]

    def _measurement(self) -> dict[str, Any]:
        """Return, per test just run, its CPU seconds and the lines it ran of each module."""
        lines: defaultdict[str, defaultdict[str, set[int]]]
        lines = defaultdict(lambda: defaultdict(set))
        data = self.cover.get_data()
        for path in data.measured_files():
            module = Path(path).relative_to(self.package).with_suffix("").as_posix()
            for line, contexts in data.contexts_by_lineno(path).items():
                for nodeid in contexts:
                    lines[nodeid][module].add(line)
        return {
            k: {"seconds": v, "lines": dict(lines[k]), "state": self._state(k)}
            for k, v in self.seconds.items() if k not in self.failed
        }  # fmt: skip

    # ------------------------------------------------------------------------- the mutants

    def _run_mutants(self, measured: dict[str, Any]) -> None:
        self.seconds = {k: v["seconds"] for k, v in measured.items()}
        tests_at: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        for nodeid, known in measured.items():
            for module, lines in known["lines"].items():
                for line in lines:
                    tests_at[module, line].add(nodeid)
        caches = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
        kills: defaultdict[str, Counter[str]] = defaultdict(Counter)
        gc.freeze()
        todo = [m for m in self.mutants if m.name not in self.done]
        for mutant in self.mutants:  # what killed others last time
            if by := self.done.get(mutant.name, {}).get("by"):
                kills[mutant.module + mutant.function][by] += 1
                kills[mutant.module][by] += 1
        start = time.time()
        for k, mutant in enumerate(todo):
            lines = mutant.body if mutant.lines is None else mutant.lines
            tests = set().union(*(tests_at[mutant.module, line] for line in lines))
            here, near = kills[mutant.module + mutant.function], kills[mutant.module]
            verdict = self._fork(mutant, self._in_order(tests, here, near), caches)
            self.done[mutant.name] = verdict
            if verdict["by"]:
                here[verdict["by"]] += 1
                near[verdict["by"]] += 1
            if k % 25 == 24 or k == len(todo) - 1:
                self.saved.write_text(json.dumps(self.done, indent=0))
                state = Counter(self.done[m.name]["verdict"] for m in todo[: k + 1])
                spent = time.time() - start
                _say(f"{k + 1}/{len(todo)} {spent:.0f} s {dict(state)} {mutant.name}")

    def _in_order(self, tests: set[str], here: Counter[str], near: Counter[str]) -> list[str]:
        """Return tests in the order to try them.

        First what killed other mutants of the function, then of the module, then the quick ones of
        the files that killed most of them, then one case of every test function, the quickest
        first, then the other cases.
        """
        best = set()
        for kills in (here, near):
            files: Counter[str] = Counter()
            for nodeid, count in kills.items():
                files[nodeid.partition("::")[0]] += count
            best |= {f for f, _ in files.most_common(1)}
        apt = {t for t in tests if t.partition("::")[0] in best and self.seconds[t] < QUICK}
        seen: Counter[str] = Counter()
        turn = {}
        for nodeid in sorted(tests, key=lambda t: (self.seconds[t], t)):
            turn[nodeid] = seen[nodeid.partition("[")[0]]
            seen[nodeid.partition("[")[0]] += 1
        return sorted(
            tests,
            key=lambda t: (-here[t], -min(near[t], 3), t not in apt, turn[t], self.seconds[t], t),
        )

    def _fork(self, mutant: Mutant, tests: list[str], caches: list[Any]) -> dict[str, Any]:
        """Run tests against a mutant in a fork until one fails; return the verdict."""
        if not tests:
            return _verdict(mutant, "no tests")
        receive, send = os.pipe()
        start = time.time()
        pid = os.fork()
        if pid == 0:
            os.close(receive)
            try:
                self._child(mutant, tests, caches, send)
            except BaseException as error:  # whatever it is, only the parent may go on
                os.write(send, f"crash {type(error).__name__}: {error}"[:500].encode())
            os._exit(0)
        os.close(send)
        with os.fdopen(receive) as pipe:
            said = pipe.read().splitlines()
        _, status = os.waitpid(pid, 0)
        took = time.time() - start
        last = said[-1].partition(" ") if said else ("", "", "")
        if last[0] == "killed":
            return _verdict(mutant, "killed", last[2], took)
        if last[0] == "survived":
            return _verdict(mutant, "survived", "", took, last[2])
        if last[0] == "trying" and os.WIFSIGNALED(status):
            limit = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
            return _verdict(mutant, "timeout" if limit else "killed", last[2], took)
        return _verdict(mutant, "broken", "", took, " ".join(said))

    def _child(self, mutant: Mutant, tests: list[str], caches: list[Any], send: int) -> None:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (space + MEMORY, space + MEMORY))
        for cache in caches:
            cache.cache_clear()
        put_in(mutant)
        begun, spent = time.process_time(), 0.0
        for k, nodeid in enumerate(tests):
            if spent > self.budget:
                os.write(send, f"survived {k} of {len(tests)} tests\n".encode())
                return
            limit = int(time.process_time() + 3 + 4 * self.seconds[nodeid])
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
            os.write(send, f"trying {nodeid}\n".encode())
            item = self.items[nodeid]
            item._initrequest()
            following = self.items[tests[k + 1]] if k + 1 < len(tests) else None
            if any(r.failed for r in runtestprotocol(item, nextitem=following, log=False)):
                os.write(send, f"killed {nodeid}\n".encode())
                return
            spent = time.process_time() - begun
        os.write(send, f"survived all {len(tests)} tests\n".encode())


def _say(text: str) -> None:
    print(text, file=sys.__stderr__, flush=True)


def _verdict(
    mutant: Mutant, verdict: str, by: str = "", seconds: float = 0, note: str = ""
) -> dict[str, Any]:
    return {"verdict": verdict, "by": by, "seconds": round(seconds, 2), "note": note,
            "change": mutant.change}  # fmt: skip


def run(
    root: Path, tests: list[str], mutants: list[Mutant], done: dict[str, Any], saved: Path,
    budget: float, left_out: tuple[str, ...],
) -> int:  # fmt: skip
    """Run the tests named against the mutants of the package in ``root``; return pytest's code."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    plugin = MutationSession(root / "neuro_lif", mutants, done, saved, budget, left_out)
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(pytest.main([*options, *tests], plugins=[plugin]))
