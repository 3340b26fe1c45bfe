"""The report in a real Chromium: quiet, offline, usable without a mouse, on a phone, in print."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import report_cases as cases

CHROMIUM = os.environ.get("NEURO_LIF_CHROMIUM") or shutil.which("chromium") or shutil.which(
    "chromium-browser") or shutil.which("google-chrome")  # fmt: skip
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if CHROMIUM is None:
    pytest.skip("no Chromium here (apt-get install chromium)", allow_module_level=True)

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(cases.whole_page(), "utf-8")
    return path.as_uri()


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page that fails the test if it says, asks for or breaks anything."""
    options = {"viewport": {"width": 1100, "height": 800}, **options}
    context = browser.new_context(**options)
    page = context.new_page()
    heard: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: heard.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: heard.append(f"error: {e}"))
    page.on("request", lambda r: asked.append(r.url))
    context.route(re.compile("^(?!file:|data:)"), lambda route: route.abort())
    page.goto(address)
    yield page
    context.close()
    assert heard == [] and asked == [address]


def test_it_says_and_asks_for_nothing(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        page.wait_for_timeout(200)
        assert page.locator("section").count() == 8
        assert page.locator("html").evaluate("e => e.ownerDocument.compatMode") == "CSS1Compat"
        assert page.locator("section:visible").count() == 8


def test_a_script_in_a_name_never_runs(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    path.write_text(cases.evil_page(), "utf-8")
    with opened(browser, path.as_uri()) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.locator("[data-hide]").first.focus()
        page.hover(".plot.points .marks > svg >> nth=0", force=True)
        page.locator(".sortable thead button").first.click()
        assert page.locator(".choose label").first.inner_text().strip() == cases.EVIL
        assert page.evaluate("document.querySelectorAll('script').length") == 2


def test_a_foreign_script_would_be_refused(browser: Any, tmp_path: Path) -> None:
    """The policy of the page lets our script run, and no other."""
    path = tmp_path / "more.html"
    more = "<script>document.title = 'taken'</script></body>"
    path.write_text(cases.whole_page().replace("</body>", more), "utf-8")
    context = browser.new_context()
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text))
    page.goto(path.as_uri())
    assert page.title() == "A whole page" and any("Content Security Policy" in h for h in heard)
    assert page.locator(".tools").is_visible()
    context.close()


def test_a_population_is_hidden_and_comes_back(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        figure, box = page.locator("[data-population=p1]"), page.locator("[data-hide=p1]")
        assert figure.is_visible()
        box.focus()
        page.keyboard.press("Space")
        assert not figure.is_visible() and page.locator("[data-population=p0]").is_visible()
        assert "out " not in page.locator(".readout").inner_text()
        page.keyboard.press("Space")
        assert figure.is_visible()


def views(page: Any) -> set[tuple[float, float]]:
    """First step and number of steps of every time plot."""
    found = page.locator(".plot.time .stage").evaluate_all(
        "all => all.map(e => e.getAttribute('viewBox').split(' ').map(Number))"
    )
    return {(first, steps) for first, _, steps, _ in found}


def test_zoom_and_pan_by_buttons(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        assert views(page) == {(0.5, cases.STEPS)}
        before = page.locator(".plot.time .across").first.text_content()
        page.get_by_role("button", name="To the divergence").click()
        ((first, steps),) = views(page)
        step = int(page.locator("[data-cursor]").input_value())
        assert steps == 40 and first <= step <= first + steps
        page.get_by_role("button", name="Zoom in").click()
        ((nearer, fewer),) = views(page)
        assert fewer == 20 and nearer <= step <= nearer + fewer
        assert page.locator(".plot.time .across").first.text_content() != before
        page.get_by_role("button", name="Later steps").click()
        assert views(page) == {(nearer + 10, 20)}
        page.get_by_role("button", name="Earlier steps").click()
        assert views(page) == {(nearer, 20)}
        page.get_by_role("button", name="All steps").click()
        assert views(page) == {(0.5, cases.STEPS)}


def test_zoom_and_pan_by_mouse(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        plot = page.locator(".plot.time svg.axes").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.dblclick(*middle)
        ((first, steps),) = views(page)
        assert steps == cases.STEPS / 2 and first == pytest.approx(cases.STEPS / 4, abs=2)
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + box["width"] / 10, middle[1])
        page.mouse.up()
        ((moved, same),) = views(page)
        assert same == steps and moved == pytest.approx(first - steps / 10, abs=0.5)
        page.keyboard.down("Control")
        page.mouse.wheel(0, 100)
        page.keyboard.up("Control")
        page.wait_for_function("document.querySelector('.stage[viewBox]') && Number("
                               "document.querySelector('.plot.time .stage').getAttribute('viewBox')"
                               f".split(' ')[2]) > {steps}")  # fmt: skip


def test_values_under_the_mouse_are_those_of_the_run(browser: Any, address: str) -> None:
    a, b = cases.recordings()
    with opened(browser, address) as page:
        plot = page.locator(".plot[data-kind=trace] svg.axes").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        step = 33
        x = box["x"] + box["width"] * (step - 0.5) / cases.STEPS
        page.mouse.move(x, box["y"] + 40)
        text = page.locator(".tip").inner_text()
        name = page.locator(".trace-name").first.inner_text()
        neuron = int(re.findall(r"Neuron (\d+)", name)[0])
        assert text.startswith("step 33, 33 ms")
        for run, side in ((a, "float"), (b, "chip")):
            (found,) = re.findall(rf"{side} ([\u2212\d.,e-]+) (\S*)V", text)
            factor = {"m": 1e-3, "\u00b5": 1e-6, "": 1.0}[found[1]]
            value = float(found[0].replace("\u2212", "-").replace(",", "")) * factor
            assert value == pytest.approx(run.volts("hidden")[step - 1, neuron], rel=2e-3, abs=1e-8)
        page.keyboard.press("Escape")
        assert not page.locator(".tip").is_visible()


def test_a_spike_under_the_mouse_is_named(browser: Any, address: str) -> None:
    a, b = cases.recordings()
    x, y = a.spikes["hidden"], b.spikes["hidden"]
    wanted = {
        "both spike": (x == y) & (x > 0),
        "only float spikes": (x != y) & (x > 0),
        "only the chip spikes": (x != y) & (y > 0),
        "no spike": (x == 0) & (y == 0),
    }
    with opened(browser, address) as page:
        plot = page.locator(".plot[data-kind=raster] svg.axes").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        for words, mask in wanted.items():
            step, neuron = (int(k[0]) for k in mask.nonzero())
            page.mouse.move(box["x"] + box["width"] * (step + 0.5) / cases.STEPS,
                            box["y"] + box["height"] * (neuron + 0.5) / 12)  # fmt: skip
            text = page.locator(".tip").inner_text()
            assert text.startswith(f"step {step + 1},") and text.endswith(
                f"neuron {neuron}: {words}"), text  # fmt: skip


def test_tables_are_sorted_by_their_heads(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        table = page.locator("#study table.sortable")
        head = table.locator("thead th", has_text="accuracy").first
        column = head.evaluate("e => e.cellIndex")

        def cells() -> list[float]:
            texts = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
            return [float(t.replace("\u202f%", "")) for t in texts if t != "\u2013"]

        given = cells()
        assert given == sorted(given, reverse=True), "the best first"
        button = head.locator("button")
        button.focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "ascending" and cells() == sorted(given)
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert cells() == sorted(given, reverse=True)
        other = table.locator("thead button").first
        other.click()
        assert head.get_attribute("aria-sort") is None


def test_points_are_read_with_the_arrow_keys(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        chart = page.locator("#study .plot.points")
        chart.focus()
        page.keyboard.press("End")
        last = page.locator(".tip").inner_text()
        page.keyboard.press("Home")
        first = page.locator(".tip").inner_text()
        assert first != last and "bit" in first and "weight_bits = 2" in first
        page.keyboard.press("ArrowRight")
        assert page.locator(".tip").inner_text() != first
        assert chart.locator(".marks svg.on").count() == 1
        page.keyboard.press("Tab")
        assert not page.locator(".tip").is_visible() and not chart.locator(".marks svg.on").count()


REACHED = "e => { const b = document.activeElement; return b === document.body ? '' : path(b) }"
PATH = """
const path = (e) => e.id || [...document.querySelectorAll('*')].indexOf(e) + ':' + e.tagName;
"""


def test_the_keyboard_reaches_every_control(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        wanted = set(page.evaluate(
            "() => {" + PATH + "return [...document.querySelectorAll("
            "'a[href], button, input, summary, [tabindex]')].filter((e) => e.checkVisibility() && "
            "e.tabIndex >= 0).map(path) }"
        ))  # fmt: skip
        assert len(wanted) > 40
        found = []
        for _ in range(len(wanted) + 2):
            page.keyboard.press("Tab")
            found.append(page.evaluate("() => {" + PATH + f"return ({REACHED})() }}"))
            outlined = page.evaluate("() => { const e = document.activeElement, "
                                     "s = getComputedStyle(e); return e === document.body || "
                                     "parseFloat(s.outlineWidth) >= 2 }")  # fmt: skip
            assert outlined, found[-1]
        assert wanted <= set(found), wanted - set(found)


WIDE = """() => [...document.querySelectorAll('main *')].filter((e) => {
  const r = e.getBoundingClientRect();
  return r.width && r.right > innerWidth + 1 && !e.closest('.scroll, pre') && !e.closest('svg');
}).map((e) => e.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_phone_needs_no_sideways_scroll(browser: Any, address: str, width: int) -> None:
    phone = {"viewport": {"width": width, "height": 740}, "has_touch": True, "is_mobile": True}
    with opened(browser, address, **phone) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(WIDE) == []
        small = page.locator(".tools button, summary, nav a").evaluate_all(
            "all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24)"
            ".map(e => e.outerHTML)"
        )
        assert small == [], "large enough for a finger"
        sizes = page.locator("svg text").evaluate_all(
            "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * "
            "e.getScreenCTM().a / (e.ownerSVGElement.closest('.stage') ? 0 : 1))"
        )
        assert min(sizes) >= 11.9, "the text of charts keeps its size"


OVERLAPS = """() => {
  const out = [];
  for (const svg of document.querySelectorAll('svg.axes, .bar.axis svg')) {
    const boxes = [...svg.querySelectorAll('text')].filter((e) => e.textContent.trim())
      .map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, b]) => b.width);
    boxes.forEach(([s, a], i) => boxes.slice(i + 1).forEach(([t, b]) => {
      const across = a.left < b.right - 1 && b.left < a.right - 1;
      if (across && a.top < b.bottom - 2 && b.top < a.bottom - 2)
        out.push(s + ' / ' + t);
    }));
  }
  return out;
}"""


@pytest.mark.parametrize("width", [360, 1100])
def test_labels_do_not_overlap(browser: Any, address: str, width: int) -> None:
    with opened(browser, address, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate(OVERLAPS) == []
        page.get_by_role("button", name="To the divergence").click()
        assert page.evaluate(OVERLAPS) == []


CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (s) => s.match(/[\\d.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const seen = new Map();
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || ['SCRIPT', 'STYLE', 'title'].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const ink = parse(e.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => x - y);
    const ratio = (b + 0.05) / (a + 0.05);
    if (ratio < 4.5) seen.set(e.tagName + '.' + e.className.toString() + ' ' + style.color, ratio);
  }
  return [...seen];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, address: str, scheme: str) -> None:
    with opened(browser, address, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        assert page.evaluate(CONTRAST) == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


MARKS = """() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (s) => { const [r, g, b] = s.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const out = {};
  for (const query of ['.stage .both', '.stage .float', '.stage .chip', '.stage .divergence']) {
    const [a, b] = [light(getComputedStyle(document.querySelector(query)).stroke), ground].sort();
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    out[query] = (high + 0.05) / (low + 0.05);
  }
  return out;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_their_ground(browser: Any, address: str, scheme: str) -> None:
    with opened(browser, address, color_scheme=scheme) as page:
        assert min(page.evaluate(MARKS).values()) >= 3.0


NAMES = """() => {
  const named = (e) => (e.getAttribute('aria-label') || e.textContent || '').trim()
    || (e.closest('label') || {}).textContent
    || (e.getAttribute('aria-labelledby') || '').split(' ').some((i) => document.getElementById(i));
  const out = [];
  const want = (query, why, good) => document.querySelectorAll(query).forEach((e) => {
    if (!good(e)) out.push(why + ': ' + e.outerHTML.slice(0, 90));
  });
  want('button, a[href], summary', 'no name', named);
  want('input', 'no label', (e) => e.closest('label') && e.closest('label').textContent.trim());
  want('svg', 'neither named nor hidden', (e) => e.parentElement.closest('svg') ||
    e.closest('[aria-hidden=true]') ||
    (e.getAttribute('role') === 'img' && e.getAttribute('aria-label')));
  want('table', 'no name', named);
  want('thead th, tbody th', 'no scope', (e) => ['col', 'row', 'colgroup'].includes(e.scope));
  want('[role=region]', 'no name', (e) => e.getAttribute('aria-label'));
  want('figure', 'no caption', (e) => e.querySelector('figcaption') || e.ariaLabel);
  want('section', 'no heading', (e) => document.getElementById(e.getAttribute('aria-labelledby')));
  want('fieldset', 'no legend', (e) => e.querySelector('legend'));
  want('.scroll', 'no keyboard', (e) => e.tabIndex === 0);
  if (!document.documentElement.lang) out.push('no language');
  if (document.querySelectorAll('main').length !== 1) out.push('not one main');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  if (new Set(ids).size !== ids.length) out.push('an id twice');
  return out;
}"""


def test_everything_has_a_role_and_a_name(browser: Any, address: str) -> None:
    with opened(browser, address) as page:
        assert page.evaluate(NAMES) == []
        charts = page.locator("section:not(#verdict)").evaluate_all(
            "all => all.filter(s => s.querySelector('svg[role=img], .waterfall') && "
            "!s.querySelector('table')).map(s => s.id)"
        )
        assert charts == [], "a table behind every chart"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#verdict"


def test_the_checks_of_this_file_can_fail(browser: Any, address: str) -> None:
    with opened(browser, address, viewport={"width": 360, "height": 740}) as page:
        page.evaluate("""() => {
          const main = document.querySelector('main');
          const add = (html) => main.insertAdjacentHTML('beforeend', html);
          add('<p style="color:#999">pale</p><p style="width:500px">wide</p><table></table>');
          add('<svg class="axes"><text y="9">one</text><text y="9" x="3">two</text></svg>');
        }""")
        assert len(page.evaluate(CONTRAST)) == 1
        assert len(page.evaluate(WIDE)) == 1
        assert page.evaluate(OVERLAPS) == ["one / two"]
        assert {fault.split(":")[0] for fault in page.evaluate(NAMES)} == {
            "no name", "neither named nor hidden"}  # fmt: skip


def test_without_javascript_all_of_it_is_there(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("section:visible").count() == 8
    assert not page.locator(".tools").is_visible(), "nothing that would not work"
    assert page.locator(".stage path").count() > 20
    assert page.locator(".marks title").count() > 50, "the browser's own tips"
    assert page.locator("#study table.sortable tbody tr").count() == len(cases.study_rows())
    context.close()


def test_print_is_light_whole_and_has_no_controls(
    browser: Any, address: str, tmp_path: Path
) -> None:
    with opened(browser, address, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        assert not page.locator(".tools, nav").locator("visible=true").count()
        assert page.evaluate(CONTRAST) == []
        page.set_viewport_size({"width": 680, "height": 1000})  # A4 less its margins, 96 dpi
        cut = page.locator(".plot, .bar, .heat table").evaluate_all(
            "all => all.filter(e => e.checkVisibility() && (e.getBoundingClientRect().height > 980 "
            "|| getComputedStyle(e).breakInside !== 'avoid' && !e.closest('.heat')))"
            ".map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == [], "every chart fits a sheet and is not cut"
        out = page.pdf(format="A4")
        assert out[:5] == b"%PDF-" and 3 <= len(re.findall(rb"/Type\s*/Page\b", out)) <= 20


def test_colours_alone_say_nothing(browser: Any, address: str) -> None:
    """What blue and orange tell apart, dashes, places and shapes tell apart as well."""
    with opened(browser, address) as page:
        style: Callable[[str, str], str] = lambda query, name: page.locator(  # noqa: E731
            query).first.evaluate(f"e => getComputedStyle(e).{name}")  # fmt: skip
        assert style(".plot[data-kind=trace] .float", "strokeDasharray") == "none"
        assert style(".plot[data-kind=trace] .chip", "strokeDasharray") != "none"
        places = page.locator(".plot[data-kind=raster] .stage").first.evaluate(
            "e => ['float', 'chip'].map(k => Number(e.querySelector('.' + k).getAttribute('d')"
            ".match(/ ([\\d.]+)v/)[1]) % 1)"
        )
        assert places[0] < 0.2 < places[1]
        assert page.locator("#laws .held circle").count() and page.locator("#laws .broken path")
        values = page.locator("#ladder .bar:not(.total):not(.axis) .value").all_inner_texts()
        assert all(v[0] in "+\u2212<0123456789" for v in values), "signs"
