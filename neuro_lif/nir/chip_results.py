"""What :func:`neuro_lif.nir.explain_chip` gives: rung after rung from a rule to a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..fixed import FixedNetwork
from ..ladder.parameters import FIELDS
from .causes import Divergence
from .fields import Array
from .rules import NirRule

Spikes = Mapping[str, Array]
"""Node -> ``(n_steps, *shape)``."""


@dataclass(frozen=True)
class Rung:
    """One step from a rule to a chip.

    Args:
        name: a switch, ``chip's steps``, a group of parameters (``weights`` ...), ``state`` or
            ``overflow``.
        text: what changes.
        entries: entries of spikes that change with it, on top of what stands above it.
        total: entries that then differ from the rule's run.
        first: where they differ first; None: not at all.
    """

    name: str
    text: str
    entries: int
    total: int
    first: Divergence | None


@dataclass(frozen=True)
class VoltageStep:
    """Two voltages of a neuron at the end of a step, after a reset.

    Args:
        step: of the graph.
        rule: of the rule, V.
        chip: of the chip, V.
        spikes_rule: spikes of the rule in that step.
        spikes_chip: of the chip.
    """

    step: int
    rule: float
    chip: float
    spikes_rule: float
    spikes_chip: float


@dataclass(frozen=True)
class VoltageTable:
    """The voltages of the neuron whose spike differs first, until it does.

    Args:
        node: the spiking node.
        neuron: its index in the layer.
        lsb: V per unit of the chip's v.
        threshold_rule: V.
        threshold_chip: V, as the chip has rounded it.
        steps: the steps up to the divergence, in the graph's own time.
    """

    node: str
    neuron: tuple[int, ...]
    lsb: float
    threshold_rule: float
    threshold_chip: float
    steps: tuple[VoltageStep, ...]

    def __str__(self) -> str:
        where = ", ".join(map(str, self.neuron))
        a, b = self.threshold_rule, self.threshold_chip
        lines = [
            f"voltages of node {self.node!r}, neuron ({where}), at the end of each step, after a "
            f"reset; * it spiked; 1 LSB = {self.lsb:.4g} V",
            f"  {'step':>9} {'rule V':>11}  {'chip V':>11}  {'chip - rule':>11} {'LSB':>10}",
        ]
        rows = [("threshold", a, b, " ", " ")]
        for s in self.steps:
            spiked = ["*" if n else " " for n in (s.spikes_rule, s.spikes_chip)]
            rows.append((str(s.step), s.rule, s.chip, spiked[0], spiked[1]))
        for name, x, y, mine, theirs in rows:
            lines.append(f"  {name:>9} {x:>11.5g}{mine} {y:>11.5g}{theirs} {y - x:>+11.3g} "
                         f"{(y - x) / self.lsb:>+10.1f}")  # fmt: skip
        return "\n".join(lines)


@dataclass(frozen=True)
class ChipExplanation:
    """What parts a rule and a chip.

    Args:
        rule: in floats.
        chip: name of the profile.
        first: the first divergence (``a``: the rule, ``b``: the chip); None: the spikes are equal.
        differences: node -> entries of its spikes that differ.
        causes: name -> text: together they make the chip's spikes up to the first divergence, and
            none can be left out; where one alone does, the first of these in the order of the
            rungs, with the others in its text. A chip's state can be rounded only together with
            its parameters: of these are named then those that alone part from the rule no later.
        needed: the same for the whole run.
        rungs: one after the other, from the rule to the chip.
        trials: what was set as on the chip -> (first step that differs from the chip or None,
            entries that do).
        shifts: node -> steps by which it is later on the chip; undone before spikes are compared.
        notes: what lowering assumed.
        spikes_a: of the rule, by node.
        spikes_b: of the chip, in the graph's own time.
        fixed: the network on the chip.
        voltages: of the neuron that differs first, up to there; None: the spikes are equal.
    """

    rule: NirRule
    chip: str
    first: Divergence | None
    differences: Mapping[str, int]
    causes: Mapping[str, str]
    needed: Mapping[str, str]
    rungs: tuple[Rung, ...]
    trials: Mapping[str, tuple[int | None, int]]
    shifts: Mapping[str, int]
    notes: tuple[str, ...]
    spikes_a: Spikes = field(default_factory=dict, repr=False)
    spikes_b: Spikes = field(default_factory=dict, repr=False)
    fixed: FixedNetwork | None = field(default=None, repr=False)
    voltages: VoltageTable | None = None

    @property
    def equal(self) -> bool:
        """Tell whether all spikes are equal."""
        return self.first is None

    def __str__(self) -> str:
        late = {n: s for n, s in self.shifts.items() if s}
        lines = []
        if self.first is None:
            lines.append(f"{self.rule.name} and {self.chip}: all spikes are equal")
        else:
            total = sum(self.differences.values())
            lines += [f"{self.rule.name} and {self.chip}: {total} entries differ",
                      f"first: {self.first}"]  # fmt: skip
            for title, found in (("cause", self.causes), ("in the whole run", self.needed)):
                lines += [f"{title}: {k}: {x}" for k, x in found.items()] or [f"{title}: unknown"]
        if self.voltages is not None:
            lines.append(str(self.voltages))
        if late:
            told = ", ".join(f"{n} {s}" for n, s in late.items())
            lines.append(f"later on the chip by steps, undone before spikes are compared: {told}")
        width = max([len(r.name) for r in self.rungs] or [0])
        for r in self.rungs:
            where = "as the rule" if r.first is None else f"{r.total} from step {r.first.step}"
            text = "" if r.name in FIELDS else f": {r.text}"
            lines.append(f"  {r.name:<{width}} {r.entries:>6} change, {where}{text}")
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])
