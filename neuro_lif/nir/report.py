"""What was mended, assumed or found as a file was read: nothing is changed without a line here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Args:
        kind: ``repair`` (the file is wrong), ``assumption`` (the file does not say), ``note``.
        where: the node, with the graphs it lies in: ``a/b``; empty: the file.
        field: its field; empty: none in particular.
        text: what was found and what was made of it.
    """

    kind: str
    where: str
    field: str
    text: str

    def __str__(self) -> str:
        place = f"node {self.where!r}" if self.where else "graph"
        return f"{self.kind}: {place}{f': {self.field}' if self.field else ''}: {self.text}"


@dataclass(frozen=True)
class Report:
    """All findings of one file, in the order in which they were made."""

    path: str
    version: str
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        head = f"{self.path}, NIR {self.version or 'without a version'}"
        if not self.findings:
            return f"{head}: nothing to mend"
        return "\n  ".join([f"{head}: {len(self.findings)} findings", *map(str, self.findings)])

    @property
    def repairs(self) -> tuple[Finding, ...]:
        """What was wrong in the file."""
        return tuple(f for f in self.findings if f.kind == "repair")

    @property
    def assumptions(self) -> tuple[Finding, ...]:
        """What the file does not say."""
        return tuple(f for f in self.findings if f.kind == "assumption")


@dataclass
class Findings:
    """Collects findings."""

    found: list[Finding] = field(default_factory=list)

    def repair(self, where: str, name: str, text: str) -> None:
        """Note that the file was wrong."""
        self.found.append(Finding("repair", where, name, text))

    def assume(self, where: str, name: str, text: str) -> None:
        """Note that the file does not say."""
        self.found.append(Finding("assumption", where, name, text))

    def note(self, where: str, name: str, text: str) -> None:
        """Note something worth knowing."""
        self.found.append(Finding("note", where, name, text))
