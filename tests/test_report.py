"""The report without a browser: structure, nothing from outside, escaping, the same bytes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import report_cases as cases

import neuro_lif as nl
from neuro_lif.errors import FileFormatError, NeuroLifError, RangeError
from neuro_lif.laws import LawSweep
from neuro_lif.report import page, write

SECTIONS = ["verdict", "ladder", "study", "laws", "runs", "overflow", "ledger", "origin"]
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """Every element in order, and whether each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.faults: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [k for k, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> has an attribute twice: {names}")
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")
        elif self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def whole() -> Page:
    return Page(cases.whole_page())


def test_the_markup_is_sound(whole: Page) -> None:
    assert not whole.faults, whole.faults[:5]
    ids = [a["id"] for _, a in whole.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in whole.all("a") if a["href"].startswith("#")]
    assert targets and set(targets) <= set(ids)
    named = [a["aria-labelledby"] for _, a in whole.elements if "aria-labelledby" in a]
    assert named and set(named) <= set(ids)


def test_every_section_is_there_in_order(whole: Page) -> None:
    assert [a["id"] for a in whole.all("section")] == SECTIONS


def test_headings_go_down_one_by_one(whole: Page) -> None:
    levels = [int(tag[1]) for tag, _ in whole.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize("text", [cases.whole_page, cases.evil_page], ids=["whole", "evil"])
def test_nothing_comes_from_outside(text: object) -> None:
    assert callable(text)
    found = text()
    parsed = Page(found)
    for tag, attributes in parsed.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attributes.get(name, "#")
            assert value.startswith("#") or value == "data:,", (tag, name, value)
    style = "".join(re.findall(r"<style>(.*?)</style>", found, re.S))
    assert "url(" not in style and "@import" not in style
    script = "".join(re.findall(r"<script>(.*?)</script>", found, re.S))
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import\(|sendBeacon|Image\()", script)
    (policy,) = [a["content"] for a in parsed.all("meta") if "http-equiv" in a]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy


def test_texts_of_the_user_are_harmless() -> None:
    found = cases.evil_page()
    parsed = Page(found)
    assert not parsed.faults, parsed.faults[:5]
    assert "<script>alert" not in found
    assert len(parsed.all("script")) == 2, "the data, and our own"
    assert not [a for _, a in parsed.elements if any(k.startswith("on") for k in a)]
    assert "".join(parsed.text).count(cases.EVIL) > 20, "and all of them are shown as they are"
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', found, re.S)
    assert data and json.loads(data[1])["steps"] == cases.STEPS


def test_the_same_input_gives_the_same_bytes() -> None:
    code = "import report_cases as c; import sys; sys.stdout.write(c.whole_page())"
    here = Path(__file__).resolve().parent
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {"PYTHONPATH": f"{here}:{here.parent}", "PYTHONHASHSEED": seed, "PATH": "",
                   "PYTHONIOENCODING": "utf-8"}  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment
    )
    assert found.stdout == cases.whole_page().encode()


def test_a_page_of_nothing_says_so() -> None:
    parsed = Page(page())
    assert [a["id"] for a in parsed.all("section")] == ["verdict", "origin"]
    assert "nothing to judge" in "".join(parsed.text)


PARTS = {
    "ladder": lambda: {"ladder": cases.climbed()},
    "study": lambda: {"study": cases.study_rows()},
    "laws": lambda: {"laws": LawSweep(tuple(cases.law_rows()))},
    "runs": lambda: {"reference": cases.recordings()[0], "chip": cases.recordings()[1]},
    "float": lambda: {"reference": cases.recordings()[0]},
    "chip": lambda: {"chip": cases.recordings()[1]},
    "ledger": lambda: {"fixed": cases.fixed()},
    "prediction": lambda: {"prediction": "F1 says so"},
}
SHOWN = {
    "ladder": ["ladder"], "study": ["study"], "laws": ["laws"], "runs": ["runs", "overflow"],
    "float": ["runs"], "chip": ["runs", "overflow"], "ledger": ["ledger"], "prediction": ["laws"],
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_each_part_alone(name: str) -> None:
    parsed = Page(page(**PARTS[name]()))  # type: ignore[no-untyped-call]
    assert not parsed.faults, parsed.faults[:5]
    assert [a["id"] for a in parsed.all("section")] == ["verdict", *SHOWN[name], "origin"]


def test_a_batch_shows_the_sample_that_differs() -> None:
    a, b = cases.recordings(8)
    text = "".join(Page(page(reference=a, chip=b)).text)
    first = nl.compare(a, b).divergence
    assert first is not None and f"Sample {first.sample} (of 0 to 7)" in text
    text = "".join(Page(page(reference=a, chip=b, sample=5)).text)
    assert "Sample 5 (of 0 to 7)" in text


def test_numbers_of_the_page_are_those_of_the_parts() -> None:
    a, b = cases.recordings()
    found = nl.compare(a, b)
    text = " ".join("".join(Page(cases.whole_page()).text).split())
    assert found.divergence is not None
    assert f"First divergence: {found.divergence.population}, step {found.divergence.step}," in text
    for p in found.populations:
        assert f"{100 * p.agreement:.2f} %" in text
    ladder = cases.climbed()
    before, after = ladder.accuracy(), ladder.accuracy(ladder.rungs[-1].name)
    assert before is not None and after is not None
    assert f"{100 * before:.1f} \u2192 {100 * after:.1f} %" in text
    assert str(ladder.verdict).replace("->", "\u2192") in text
    held = sum(r.within for r in cases.law_rows() if not r.beyond)
    assert held == 58 and "58 of 59 comparisons" in text
    run, _ = cases.timeline()
    assert f"{sum(e.count for e in run.events):,} values did not fit" in text


def test_the_strokes_of_a_raster_are_its_spikes() -> None:
    a, b = cases.recordings()
    found = cases.whole_page()
    figure = found[found.index('data-population="p0"') :].split("</figure>")[0]
    drawn = {
        style: {
            (int(float(x)) - 1, int(float(y)))
            for x, y in re.findall(r"M([\d.]+) ([\d.]+)v", d)
        }
        for style, d in re.findall(r'<path class="(both|float|chip)" d="([^"]*v[^"]*)"', figure)
    }  # fmt: skip
    x, y = np.asarray(a.spikes["hidden"]), np.asarray(b.spikes["hidden"])
    for style, mask in (("both", (x == y) & (x > 0)), ("float", (x != y) & (x > 0)),
                        ("chip", (x != y) & (y > 0))):  # fmt: skip
        assert drawn[style] == set(map(tuple, np.argwhere(mask).tolist())), style
        assert drawn[style], "a case that shows something"


def test_big_rasters_are_thinned_and_it_says_so() -> None:
    rng = np.random.default_rng(1)
    spikes = (rng.random((2000, 3000)) < 0.02).astype(np.int16)
    v = np.zeros((2000, 3000))
    run = nl.Recording(1e-3, 2000, {"a": spikes}, {("a", "v"): v}, v_zero={"a": np.zeros(3000)})
    other = replace(run, spikes={"a": np.roll(spikes, 1, axis=0)})
    found = page(reference=run, chip=other)
    assert len(found) < 2_000_000
    assert re.search(r"\(\d+ of 3,000 neurons are drawn, evenly chosen\)", found)


def test_write_returns_the_path_and_writes_whole(tmp_path: Path) -> None:
    out = write(tmp_path / "r.html", fixed=cases.fixed())
    assert out == tmp_path / "r.html" and out.read_text("utf-8").endswith("</html>\n")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(FileFormatError, match="cannot be written"):
        write(tmp_path / "no" / "r.html", fixed=cases.fixed())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reference": 3}, "reference.*Recording"),
        ({"chip": "run.npz"}, "call Recording.load"),
        ({"fixed": "net.npz"}, "call load_fixed"),
        ({"ladder": 3}, "ladder"),
        ({"ladder": {"format": "x"}}, "neuro-lif-ladder/1"),
        ({"laws": "laws.json"}, "LawSweep"),
        ({"laws": [{"law": "F9"}]}, "LawRow"),
        ({"study": 3}, "study"),
        ({"title": 3}, "title"),
        ({"facts": 3}, "facts"),
        ({"overflow": 3}, "OverflowTimeline"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(NeuroLifError, match=message):
        page(**given)  # type: ignore[arg-type]


def test_a_sample_that_there_is_not() -> None:
    a, b = cases.recordings(8)
    with pytest.raises(RangeError, match="sample = 8, allowed: 0..7"):
        page(reference=a, chip=b, sample=8)
