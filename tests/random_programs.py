"""Random operation lists on small registers, run by both engines: ``compare_program``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from neuro_lif.emulator import OpList
from neuro_lif.formats import ROUNDINGS
from neuro_lif.numerics import resolve
from neuro_lif.op_models import Op
from neuro_lif.semantics import neuron_step

REGISTERS = ("a", "b", "c")


class ProgramMaker:
    """Draws valid operations on small registers; nothing grows past what int64 holds."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.inside: tuple[str, ...] = ()

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def reg(self) -> str:
        return str(self.pick(*REGISTERS))

    def number(self, lo: int, hi: int) -> int:
        return int(self.rng.integers(lo, hi + 1))

    def operand(self) -> int | str:
        value: int | str = self.pick(
            self.number(-30, 30), "p", "q", self.reg(), "-p", "-" + self.reg()
        )
        return value

    def bounds(self) -> list[dict[str, Any]]:
        last: dict[str, Any] = {"mode": self.pick("wrap", "sat")}
        if self.rng.random() < 0.4:
            last |= {"lo": self.number(-90, -1), "hi": self.number(0, 90)}
        once = {"mode": "wrap_once", "lo": self.number(-70, -1), "hi": self.number(0, 70)}
        return [once, last] if self.rng.random() < 0.3 else [last]

    def op(self, depth: int = 0) -> dict[str, Any]:
        kinds = ["acc", "decay", "add", "sub", "copy", "set", "clamp", "floor", "fire", "tick_ref",
                 "emit"]  # fmt: skip
        deep = ["if_ref", "if", "if_step", *([] if self.inside else ["each"])]
        kind = str(self.pick(*kinds, *(deep if depth < 2 else [])))
        rest: dict[str, Any] = getattr(self, "_" + kind)(depth)
        return {"op": kind} | rest

    def _acc(self, depth: int) -> dict[str, Any]:
        rules = {k: self.bounds() for k in ("sum_ovf", "shift_ovf") if self.rng.random() < 0.5}
        port = {"port": self.pick(*(self.inside or ("in", "in", "on")))}
        found = {"reg": self.reg(), "shift": self.pick(0, 2, -1, "s", "-s"), "ovf": self.bounds()}
        return found | port | rules

    def _decay(self, depth: int) -> dict[str, Any]:
        kind = self.pick("mult_keep", "mult_step", "mult_by", "shift", "linear", "linear_to_zero")
        return {
            "reg": self.reg(), "kind": kind, "round": self.pick(*ROUNDINGS),
            "d": self.pick(self.number(0, 5), "s") if kind == "shift" else self.operand(),
            "k": self.number(0, 6), "offset": self.number(0, 1), "min_step": self.number(0, 2),
            "into": self.pick(None, None, self.reg()), "ovf": self.bounds(),
        }  # fmt: skip

    def _add(self, depth: int) -> dict[str, Any]:
        found = {"reg": self.reg(), "src": self.operand()}
        if self.rng.random() < 0.2:
            return found
        rules = {"src_ovf": self.bounds()} if self.rng.random() < 0.4 else {}
        way = {"shift": self.pick(0, 1, -2, "s"), "round": self.pick("floor", "rtz")}
        return found | way | {"ovf": self.bounds()} | rules

    _sub = _add

    def _copy(self, depth: int) -> dict[str, Any]:
        return {"reg": self.reg(), "src": self.pick("p", "q", self.reg())}

    def _set(self, depth: int) -> dict[str, Any]:
        return {"reg": self.reg(), "value": self.operand()}

    def _clamp(self, depth: int) -> dict[str, Any]:
        return {"reg": self.reg(), "lo": self.operand(), "hi": self.operand()}

    def _floor(self, depth: int) -> dict[str, Any]:
        return {"reg": self.reg(), "level": self.operand(), "cmp": self.pick("<", "<="),
                "action": self.pick("set", "subtract"), "value": self.operand()}  # fmt: skip

    def _fire(self, depth: int) -> dict[str, Any]:
        return {
            "reg": self.reg(), "thr": self.operand(), "thr_shift": self.number(0, 2),
            "cmp": self.pick(">", ">="), "cmp_reg": self.pick(None, None, self.reg()),
            "multi": self.pick("once", "loop"), "cap": self.number(1, 5),
            "reset": self.pick("value", "subtract", "none"), "value": self.operand(),
            "min_v": self.pick(None, None, self.number(-20, 20)), "ovf": self.bounds(),
            "ref": self.pick(None, "r", self.number(0, 3)),
        }  # fmt: skip

    def _if_ref(self, depth: int) -> dict[str, Any]:
        branches = [[self.op(depth + 1) for _ in range(self.number(0, 3))] for _ in range(2)]
        return {"then": branches[0], "else": branches[1]}

    def _if(self, depth: int) -> dict[str, Any]:
        test = {
            "src": self.operand(), "cmp": self.pick(">", ">=", "<", "<=", "==", "!="),
            "level": self.operand(), "level_shift": self.pick(0, 1, "s"),
            "magnitude": bool(self.pick(True, False)),
        }  # fmt: skip
        return test | self._if_ref(depth)

    def _if_step(self, depth: int) -> dict[str, Any]:
        when = {"interval": self.pick(1, 2, 3, 0, "r", "s"), "offset": self.pick(0, 1, "p")}
        return when | self._if_ref(depth)

    def _each(self, depth: int) -> dict[str, Any]:
        self.inside = self.pick(("ev",), ("ev",), ("ev", "ew"))
        found = {"ports": self.inside, "do": [self.op(depth + 1) for _ in range(self.number(1, 4))]}
        self.inside = ()
        return found

    def _emit(self, depth: int) -> dict[str, Any]:
        return {"src": self.operand(), "shift": self.pick(0, 0, 2, -1, "s", "-s")}

    def _tick_ref(self, depth: int) -> dict[str, Any]:
        return {}

    def program(self) -> Any:
        """Return resolved operations; the last ones bring every register back to 9 bit."""
        ops = [self.op() for _ in range(self.number(3, 12))]
        ops += [{"op": "clamp", "reg": r, "lo": -256, "hi": 255} for r in REGISTERS]
        checked = TypeAdapter(tuple[Op, ...]).validate_python(ops)
        return resolve(checked, {r: (-(2**k), 2**k - 1) for r, k in zip(REGISTERS, (5, 6, 7))})  # noqa: B905


def random_events(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Return up to four events of every neuron: weights ``(k, ...)`` and which there are."""
    k = int(rng.integers(0, 5))
    count = rng.integers(0, k + 1, shape)
    there = np.arange(k).reshape(-1, *[1] * len(shape)) < count
    return np.where(there, rng.integers(-30, 31, there.shape), 0), there


def compare_program(rng: np.random.Generator, ops: Any, n_steps: int = 6) -> int:
    """Run one program on 2 x 5 neurons in both engines; return how many values were equal."""
    n, batch = 5, 2
    params = {"p": rng.integers(-40, 41, n), "q": rng.integers(0, 70, n),
              "s": rng.integers(-3, 6, n), "r": rng.integers(0, 4, n)}  # fmt: skip
    start = {r: rng.integers(-140, 141, (batch, n)) for r in REGISTERS}
    start["ref"] = rng.integers(0, 3, (batch, n))
    found: Counter[Any] = Counter()

    def told(place: int, register: str, kind: str, where: Any) -> None:
        found.update((place, register, kind, *at) for at in np.argwhere(where).tolist())

    fast = OpList(ops, params, start, told)
    slow = {(b, i): {r: int(a[b, i]) for r, a in start.items()}
            for b in range(batch) for i in range(n)}  # fmt: skip
    expected: Counter[Any] = Counter()
    compared = 0
    for t in range(1, n_steps + 1):
        sums = {name: rng.integers(-200, 201, (batch, n)) for name in ("in", "on")}
        events = {name: random_events(rng, (batch, n)) for name in ("ev", "ew")}
        sent = fast.step(sums | events)
        for at, state in slow.items():
            mine = {name: int(values[at[1]]) for name, values in params.items()}
            heard: list[Any] = []
            ports: dict[str, Any] = {name: int(port[at]) for name, port in sums.items()}
            for name, (weights, there) in events.items():
                ports[name] = weights[(slice(None), *at)][there[(slice(None), *at)]].tolist()
            got = neuron_step(ops, mine, state, ports, lambda *e, to=heard: to.append(e), t)
            expected.update((*event, *at) for event in heard)
            assert sent[at] == got
            assert {r: int(a[at]) for r, a in fast.state.items()} == state
            compared += 1 + len(state)
    assert found == expected
    return compared
