"use strict";
// The page says everything without this script; it adds pointing, zooming, hiding and sorting.
(function () {
  const all = (query, root) => Array.from((root || document).querySelectorAll(query));
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  // ---------------------------------------------------------------- what is pointed at
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  document.body.append(tip);

  function show(text, x, y) {
    if (tip.textContent !== text) tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth - 8 ? x - 14 - box.width : x + 14;
    const top = y + 14 + box.height > innerHeight - 8 ? y - 14 - box.height : y + 14;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = Math.max(8, top) + "px";
  }
  function hide() { tip.hidden = true; }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });

  // ---------------------------------------------------------------- charts of points
  for (const plot of all(".plot.points")) {
    const marks = all(".marks > svg", plot).map((node) => {
      const title = node.querySelector("title");
      const text = title.textContent;
      title.remove();
      return { node, text, x: parseFloat(node.getAttribute("x")), y: parseFloat(node.getAttribute("y")) };
    });
    if (!marks.length) continue;
    const order = marks.slice().sort((a, b) => a.x - b.x || b.y - a.y);
    const axes = plot.querySelector("svg.axes");
    let chosen = null;

    function choose(mark) {
      if (chosen) chosen.node.classList.remove("on");
      chosen = mark;
      if (!mark) return hide();
      mark.node.classList.add("on");
      const box = axes.getBoundingClientRect();
      show(mark.text, box.left + box.width * mark.x / 100, box.top + box.height * mark.y / 100);
    }
    axes.addEventListener("pointermove", (event) => {
      const box = axes.getBoundingClientRect();
      let best = null, least = 26;
      for (const mark of marks) {
        const far = Math.hypot(box.left + box.width * mark.x / 100 - event.clientX,
          box.top + box.height * mark.y / 100 - event.clientY);
        if (far < least) { least = far; best = mark; }
      }
      choose(best);
    });
    axes.addEventListener("pointerleave", () => choose(null));
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", "Points of the chart. The arrow keys go from one to the next.");
    plot.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      const end = { Home: 0, End: order.length - 1 }[event.key];
      if (by === undefined && end === undefined) return;
      event.preventDefault();
      const at = chosen ? order.indexOf(chosen) : by > 0 ? -1 : order.length;
      choose(order[end !== undefined ? end : clamp(at + by, 0, order.length - 1)]);
    });
    plot.addEventListener("blur", () => choose(null));
  }

  // ---------------------------------------------------------------- tables that are sorted
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => {
          const cell = row.cells[column];
          const text = cell.dataset.key !== undefined ? cell.dataset.key : cell.textContent;
          const value = parseFloat(text.replace(/\u2212/g, "-").replace(/,/g, ""));
          return Number.isNaN(value) ? text : value;
        };
        const rows = Array.from(body.rows).map((row) => [key(row), row]);
        rows.sort(([a], [b]) => {
          if (typeof a === "number" && typeof b === "number") return a - b;
          if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
          return a < b ? -1 : a > b ? 1 : 0;
        });
        if (down) rows.reverse();
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // ---------------------------------------------------------------- runs: hide, zoom, values
  const tools = document.querySelector(".tools");
  if (!tools || !data) return;
  tools.hidden = false;
  for (const box of all("[data-hide]", tools)) {
    box.addEventListener("change", () => {
      document.querySelector(`[data-population="${box.dataset.hide}"]`).hidden = !box.checked;
      tell();
    });
    box.checked = true;
  }

  const traces = new Map(data.traces.map((t) => [t.key, t]));
  const plots = all(".plot.time").map((node) => {
    const stage = node.querySelector(".stage");
    const [, y, , height] = stage.getAttribute("viewBox").split(" ");
    const cursor = document.createElementNS(SVG, "path");
    cursor.setAttribute("class", "cursor");
    stage.append(cursor);
    return { node, stage, cursor, y, height: parseFloat(height), axes: node.querySelector("svg.axes"),
      across: node.querySelector(".across"), trace: traces.get(node.dataset.key),
      population: node.closest("[data-population]"), spikes: null };
  });
  const least = Math.min(8, data.steps);
  let view = { first: 0.5, steps: data.steps };
  const slider = tools.querySelector("[data-cursor]");
  const readout = tools.querySelector(".readout");

  function round(x) {
    if (x === null || x === undefined) return "\u2013";
    if (x === 0) return "0";
    const text = Math.abs(x) >= 1e-6 && Math.abs(x) < 1e9
      ? x.toLocaleString("en-US", { maximumSignificantDigits: 4 }) : x.toExponential(2);
    return text.replace(/-/g, "\u2212");
  }
  function ticks() {
    const rough = view.steps / Math.max(3, Math.min(9, Math.floor(plots[0].axes.clientWidth / 70)));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].find((m) => m * power >= rough) * power);
    const out = [];
    for (let s = Math.ceil(view.first / step) * step; s <= view.first + view.steps; s += step) if (s > 0) out.push(s);
    return out;
  }
  function draw() {
    const at = ticks();
    const width = clamp(0.9 * plots[0].axes.clientWidth / view.steps, 1, 3).toFixed(2);
    for (const plot of plots) {
      plot.node.style.setProperty("--w", width);
      plot.stage.setAttribute("viewBox", `${view.first} ${plot.y} ${view.steps} ${plot.height}`);
      const y = parseFloat(plot.stage.getAttribute("height")) + 17;
      plot.across.replaceChildren(...at.map((s) => {
        const text = document.createElementNS(SVG, "text");
        text.setAttribute("x", 100 * (s - view.first) / view.steps + "%");
        text.setAttribute("y", y);
        text.setAttribute("text-anchor", "middle");
        text.textContent = s.toLocaleString("en-US");
        return text;
      }));
    }
  }
  function look(first, steps) {
    view.steps = clamp(steps, least, data.steps);
    view.first = clamp(first, 0.5, data.steps + 0.5 - view.steps);
    draw();
  }
  function zoom(by, around) {
    const middle = around === undefined ? view.first + view.steps / 2 : around;
    const share = (middle - view.first) / view.steps;
    const steps = clamp(view.steps * by, least, data.steps);
    look(middle - share * steps, steps);
  }
  const ways = {
    in: () => zoom(0.5, inside(+slider.value)), out: () => zoom(2),
    earlier: () => look(view.first - view.steps / 2, view.steps),
    later: () => look(view.first + view.steps / 2, view.steps),
    all: () => look(0.5, data.steps),
    divergence: () => {
      const steps = clamp(Math.min(view.steps, 40), least, data.steps);
      look(data.divergence - steps / 2, steps);
      slider.value = data.divergence;
      tell();
    },
  };
  const inside = (step) => (step >= view.first && step <= view.first + view.steps ? step : undefined);
  for (const button of all("[data-view]", tools)) button.addEventListener("click", ways[button.dataset.view]);

  function values(trace, step) {
    let k = step - 1;
    if (trace.at) {
      k = trace.at.findIndex((s) => s >= step);
      if (k < 0) k = trace.at.length - 1;
      if (k > 0 && step - trace.at[k - 1] < trace.at[k] - step) k -= 1;
    }
    const parts = [];
    for (const side of ["float", "chip"]) if (trace[side]) parts.push(`${side} ${round(trace[side][k])} ${trace.unit}`);
    if (trace.float && trace.chip && trace.lsb) {
      const off = (trace.chip[k] - trace.float[k]) / trace.lsb;
      parts.push(`${off > 0 ? "+" : ""}${round(off)} LSB`);
    }
    return parts.join(", ");
  }
  const when = (step) => `step ${step.toLocaleString("en-US")}, ${round(step * data.dt * 1e3)} ms`;

  function tell() {
    const step = +slider.value;
    const parts = [];
    for (const plot of plots) {
      plot.cursor.setAttribute("d", `M${step} 0V${plot.height}`);
      if (!plot.trace || plot.population.hidden) continue;
      parts.push(`${plot.population.querySelector("figcaption b").textContent} ${plot.trace.neuron}: ${values(plot.trace, step)}`);
    }
    const text = when(step);
    slider.setAttribute("aria-valuetext", text);
    readout.replaceChildren(...[text[0].toUpperCase() + text.slice(1), ...parts].map((line, k) => {
      const node = document.createElement(k ? "span" : "b");
      node.textContent = line;
      return node;
    }));
  }
  slider.addEventListener("input", () => {
    const step = +slider.value;
    if (inside(step) === undefined) look(step - view.steps / 2, view.steps);
    tell();
  });

  function fired(plot, step, row) {
    if (!plot.spikes) {
      plot.spikes = new Map();
      for (const path of all("path", plot.stage)) {
        const kind = path.getAttribute("class");
        if (!["both", "float", "chip"].includes(kind)) continue;
        for (const [, x, y] of path.getAttribute("d").matchAll(/M([\d.]+) ([\d.]+)v/g)) {
          const place = `${x},${Math.floor(+y)}`;
          plot.spikes.set(place, plot.spikes.has(place) ? "differs" : kind);
        }
      }
    }
    const words = data.both
      ? { both: "both spike", float: "only float spikes", chip: "only the chip spikes", differs: "both spike, with other values" }
      : { both: "spikes" };
    return words[plot.spikes.get(`${step},${row}`)] || "no spike";
  }
  for (const plot of plots) {
    let drag = null;
    const place = (event) => {
      const box = plot.axes.getBoundingClientRect();
      const step = view.first + view.steps * (event.clientX - box.left) / box.width;
      return { box, step: clamp(Math.round(step), 1, data.steps), exact: step, y: (event.clientY - box.top) / box.height };
    };
    plot.axes.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (drag) return look(drag.first - view.steps * (event.clientX - drag.x) / at.box.width, view.steps);
      if (at.y < 0 || at.y > 1 || event.clientX < at.box.left || event.clientX > at.box.right) return hide();
      let text = when(at.step) + "\n";
      if (plot.trace) text += values(plot.trace, at.step);
      else {
        const rows = data.rows[plot.population.dataset.population];
        const row = clamp(Math.floor(at.y * plot.height), 0, plot.height - 1);
        text += `neuron ${rows.length ? rows[row] : row}: ${fired(plot, at.step, row)}`;
      }
      show(text, event.clientX, event.clientY);
    });
    plot.axes.addEventListener("pointerleave", hide);
    plot.axes.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      drag = { x: event.clientX, first: view.first, far: false };
      plot.axes.setPointerCapture(event.pointerId);
    });
    plot.axes.addEventListener("pointerup", (event) => {
      if (drag && Math.abs(event.clientX - drag.x) < 4) { slider.value = place(event).step; tell(); }
      drag = null;
    });
    plot.axes.addEventListener("pointercancel", () => { drag = null; });
    plot.axes.addEventListener("dblclick", (event) => zoom(0.5, place(event).exact));
    plot.axes.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, place(event).exact);
    }, { passive: false });
  }
  addEventListener("resize", draw);
  draw();
  tell();
})();
