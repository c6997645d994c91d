// The plots of exposures along time or number, and those of the machine's load.

const difference = (row) => {
  const found = row[quantities.get("defocus").place], wanted = row[quantities.get("target").place];
  return found === null || wanted === null ? null : found - wanted;
};
const PLOTS = [
  { title: "Defocus", of: "defocus", target: "target", decimals: 2 },
  { title: "Defocus, from the intended one", unit: "µm", value: difference, level: 0, decimals: 2 },
  { title: "CTF fit to", of: "resolution", floor: 0, decimals: 1 },
  { title: "Motion", of: "motion", floor: 0, decimals: 1, more: [["early", "early"], ["late", "late"]] },
  { title: "Astigmatism", of: "astigmatism", floor: 0, decimals: 0 },
  { title: "Counts / expected", of: "counts", level: 100, decimals: 1 },
  { title: "Mean counts per pixel and frame", of: "mean", decimals: 3, insteadOf: "counts" },
  { title: "Ice ring at 3.7 Å", of: "ice", decimals: 2, level: 0 },
  { title: "Confidence of the CTF", of: "confidence", decimals: 2, span: [0, 1.05] },
  { title: "Phase shift", of: "phase", decimals: 0, unless: (values) => values.every((each) => !each) },
  { title: "Local motion (rms)", of: "local", floor: 0, decimals: 1 },
  { title: "Particles per micrograph", of: "particles", floor: 0, decimals: 0 },
  { title: "Exposures per hour", unit: "1/h", values: (taken) => rates(taken), floor: 0, decimals: 0, line: true },
  { title: "From file to CTF", of: "latency", floor: 0, decimals: 0 },
];

/** Exposures per hour over the last 20 at each, or fewer at first. */
function rates(taken) {
  return taken.map((time, place) => {
    const first = Math.max(0, place - 20);
    return place < 3 || time <= taken[first] ? null : ((place - first) / (time - taken[first])) * 3600;
  });
}

/** Running medians of accepted exposures, at 1500 places at most. */
function trend(values, rows) {
  const places = [];
  for (let place = 0; place < rows.length; place++) if (rows[place][STATE] === DONE && values[place] !== null) places.push(place);
  const out = new Array(rows.length).fill(null);
  if (places.length < 10) return out;
  const half = Math.max(4, Math.min(30, places.length >> 4)), step = Math.max(1, Math.floor(places.length / 1500));
  for (let at = 0; at < places.length; at += step) {
    const some = places.slice(Math.max(0, at - half), at + half + 1).map((place) => values[place]);
    out[places[at]] = median(some);
  }
  return out;
}

function axes(timed, size) {
  const common = { stroke: () => colour("quiet"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return [
    { ...common, space: 70, size: 34, values: timed ? [[86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1], [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1]] : (_, ticks) => ticks.map((each) => (Number.isInteger(each) ? number(each) : "")) },
    { ...common, size: size || 52, space: 34, values: (_, ticks) => ticks.map((each) => number(each, decimalsOf(ticks))) },
  ];
}
function decimalsOf(ticks) {
  if (ticks.length < 2) return 0;
  const step = Math.abs(ticks[1] - ticks[0]);
  return [0, 1, 2, 3].find((decimals) => Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) < 1e-6) ?? 4;
}

/** One plot of exposures. */
class Plot {
  constructor(wanted, values, x) {
    this.wanted = wanted;
    this.values = values;
    this.unit = wanted.unit ?? quantities.get(wanted.of).unit;
    const rows = acquisition.rows;
    this.target = wanted.target ? acquisition.column(wanted.target) : null;
    if (this.target && this.target.every((each) => each === null)) this.target = null;
    // A median means little where the intended defocus differs from exposure to exposure.
    this.lines = wanted.line ? [["", values]] : this.target ? [] : [["median", trend(values, rows)]];
    if (wanted.more) this.lines = wanted.more.map(([name, label]) => [label, trend(acquisition.column(name), rows)]);
    this.at = make("span", { class: "at" });
    this.box = make("div", { class: "canvas", tabindex: 0, role: "group", "aria-roledescription": "plot", "aria-label": this.describe() });
    const unit = this.unit ? make("span", { class: "unit" }, ` [${this.unit}]`) : null;
    const keys = this.lines.filter(([label, line]) => label && line.some((each) => each !== null)).map(([label], place) => make("span", { class: place ? "key failed dash" : "key" }, make("i"), label));
    if (this.target) keys.push(make("span", { class: "key target" }, make("i"), "intended"));
    this.element = make("figure", { class: "plot" }, make("figcaption", {}, make("b", {}, wanted.title, unit), ...keys, this.at), this.box);
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.x = x;
  }
  describe() {
    const known = this.values.filter((each) => each !== null);
    const middle = median(known);
    return known.length ? `${this.wanted.title}: ${known.length} exposures, median ${withUnit(number(middle, this.wanted.decimals), this.unit)}` : `${this.wanted.title}: not known yet`;
  }
  draw(width) {
    const lines = this.lines.map(([, line], place) => ({ stroke: () => colour(place ? "failed" : "trend"), width: this.wanted.line ? 1.5 : 2, dash: place ? [5, 4] : undefined, spanGaps: true, points: { show: false } }));
    const along = this.x[0] === undefined ? [0, 1] : [this.x[0], this.x[this.x.length - 1]];
    const pad = Math.max((along[1] - along[0]) * 0.015, chosen.along === "time" ? 5 : 0.5);
    this.whole = [along[0] - pad, along[1] + pad];
    this.plot = new uPlot({
      width, height: 208, padding: [8, 12, 0, 0], legend: { show: false },
      scales: { x: { time: chosen.along === "time", range: (_, low, high) => (low === null ? this.whole : [low, high]) }, y: { range: () => this.span() } },
      axes: axes(chosen.along === "time"),
      series: [{}, { paths: () => null, points: { show: false } }, ...lines],
      cursor: { sync: { key: "exposures" }, y: false, points: { show: false }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => setRange(null) } },
      hooks: { drawAxes: [(plot) => this.marks(plot)], draw: [(plot) => this.ring(plot)], setCursor: [(plot) => this.readOut(plot)], setSelect: [(plot) => this.select(plot)] },
    }, [this.x, this.values, ...this.lines.map(([, line]) => line)], this.box);
    this.plot.over.addEventListener("click", (event) => this.click(event));
    this.zoom();
  }
  zoom() {
    const [min, max] = chosen.range || this.whole;
    this.plot.setScale("x", { min, max });
  }
  /** From the least to the greatest value in view, but without what lies far off: that is drawn at the edge. */
  span() {
    if (this.wanted.span) return this.wanted.span;
    const [low, high] = chosen.range || this.whole, seen = [];
    for (let place = 0; place < this.x.length; place++) {
      if (this.x[place] < low || this.x[place] > high || !Acquisition.shown(acquisition.rows[place][STATE])) continue;
      if (this.values[place] !== null) seen.push(this.values[place]);
      if (this.target && this.target[place] !== null) seen.push(this.target[place]);
    }
    if (!seen.length) return (this.limits = [0, 1]);
    const sorted = Float64Array.from(seen).sort(), first = quantile(sorted, 0.25), third = quantile(sorted, 0.75);
    const reach = 5 * (third - first) || Infinity;
    let least = Math.max(sorted[0], first - reach), most = Math.min(sorted[sorted.length - 1], third + reach);
    for (const level of [this.wanted.level, this.wanted.floor]) if (level !== undefined) { least = Math.min(least, level); most = Math.max(most, level); }
    const pad = (most - least || Math.abs(most) || 1) * 0.08;
    return (this.limits = [this.wanted.floor === least ? least : least - pad, most + pad]);
  }
  marks(plot) {
    const { ctx } = plot, ratio = devicePixelRatio, [bottom, top] = [plot.scales.y.min, plot.scales.y.max];
    const { left, top: up, width, height } = plot.bbox;
    ctx.save(); ctx.setLineDash([]);
    ctx.beginPath(); ctx.rect(left, up, width, height); ctx.clip();
    if (this.wanted.level !== undefined) {
      const y = plot.valToPos(this.wanted.level, "y", true);
      ctx.strokeStyle = colour("target"); ctx.lineWidth = 1.5 * ratio; ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath(); ctx.moveTo(left, y); ctx.lineTo(left + width, y); ctx.stroke(); ctx.setLineDash([]);
    }
    const [low, high] = chosen.range || this.whole, rows = acquisition.rows;
    const points = [];
    for (let place = 0; place < this.x.length; place++) {
      if (this.x[place] >= low && this.x[place] <= high && Acquisition.shown(rows[place][STATE])) points.push(place);
    }
    const size = (points.length > 4000 ? 1.1 : points.length > 800 ? 1.7 : points.length > 100 ? 2.6 : 3.4) * ratio;
    if (this.target) {
      ctx.strokeStyle = colour("target"); ctx.lineWidth = 2 * ratio; ctx.globalAlpha = points.length > 1500 ? 0.35 : 0.8; ctx.beginPath();
      for (const place of points) if (this.target[place] !== null) {
        const x = plot.valToPos(this.x[place], "x", true), y = plot.valToPos(this.target[place], "y", true);
        ctx.moveTo(x - 2 * size, y); ctx.lineTo(x + 2 * size, y);
      }
      ctx.stroke();
    }
    if (!this.wanted.line) for (const [state, name] of [[WAITING, "waiting"], [DONE, "done"], [FAILED, "failed"], [REJECTED, "rejected"]]) {
      ctx.strokeStyle = ctx.fillStyle = colour(name); ctx.lineWidth = Math.max(1.2 * ratio, size * 0.6);
      ctx.globalAlpha = state === DONE ? (points.length > 4000 ? 0.45 : 0.75) : points.length > 4000 ? 0.7 : 1;
      ctx.beginPath();
      for (const place of points) {
        const value = this.values[place];
        if (rows[place][STATE] !== state || value === null) continue;
        const x = plot.valToPos(this.x[place], "x", true);
        const y = Math.min(up + height - size, Math.max(up + size, plot.valToPos(Math.min(top, Math.max(bottom, value)), "y", true)));
        const beyond = value > top ? 1 : value < bottom ? -1 : 0;
        // An arrowhead at the edge is for what lies further out.
        if (beyond) { ctx.moveTo(x - size, y + beyond * size); ctx.lineTo(x, y - beyond * size); ctx.lineTo(x + size, y + beyond * size); }
        else if (state === REJECTED) { ctx.moveTo(x - size, y - size); ctx.lineTo(x + size, y + size); ctx.moveTo(x - size, y + size); ctx.lineTo(x + size, y - size); }
        else if (points.length > 4000) ctx.rect(x - size, y - size, 2 * size, 2 * size);
        else { ctx.moveTo(x + size, y); ctx.arc(x, y, size, 0, 7); }
      }
      if (state === REJECTED || state === WAITING) ctx.stroke(); else ctx.fill();
    }
    ctx.restore();
  }
  ring(plot) {
    const place = acquisition.index.get(chosen.exposure);
    if (place === undefined) return;
    const { ctx } = plot, ratio = devicePixelRatio, { left, top, width, height } = plot.bbox, x = plot.valToPos(this.x[place], "x", true);
    if (x < left || x > left + width) return;
    ctx.save(); ctx.setLineDash([]); ctx.strokeStyle = colour("ink"); ctx.lineWidth = ratio; ctx.globalAlpha = 0.55;
    ctx.beginPath(); ctx.moveTo(x, top); ctx.lineTo(x, top + height); ctx.stroke();
    const value = this.values[place];
    if (value !== null) {
      const y = plot.valToPos(Math.min(plot.scales.y.max, Math.max(plot.scales.y.min, value)), "y", true);
      ctx.globalAlpha = 1; ctx.lineWidth = 2 * ratio; ctx.beginPath(); ctx.arc(x, y, 6 * ratio, 0, 7); ctx.stroke();
    }
    ctx.restore();
  }
  readOut(plot) {
    const place = plot.cursor.left >= 0 ? plot.cursor.idx : acquisition.index.get(chosen.exposure);
    const value = place === null || place === undefined ? null : this.values[place];
    this.at.textContent = value === null || value === undefined ? "" : withUnit(number(value, this.wanted.decimals), this.unit);
    if (this.first) pointed(plot.cursor.left >= 0 ? place : null);
  }
  select(plot) {
    if (plot.select.width < 4) return;
    const low = plot.posToVal(plot.select.left, "x"), high = plot.posToVal(plot.select.left + plot.select.width, "x");
    this.dragged = true;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    setRange([low, high]);
  }
  click(event) {
    if (this.dragged) { this.dragged = false; return; }
    const plot = this.plot; let best = null, least = 24;
    for (let place = 0; place < this.x.length; place++) {
      const value = this.values[place];
      if (value === null || !Acquisition.shown(acquisition.rows[place][STATE])) continue;
      const clamped = Math.min(plot.scales.y.max, Math.max(plot.scales.y.min, value));
      const far = Math.hypot(plot.valToPos(this.x[place], "x") - event.offsetX, plot.valToPos(clamped, "y") - event.offsetY);
      if (far < least) { least = far; best = place; }
    }
    if (best !== null) openExposure(acquisition.rows[best][NAME]);
  }
  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (step) {
      event.preventDefault();
      const from = this.keyed ?? acquisition.index.get(chosen.exposure) ?? this.x.length - 1;
      this.keyed = Math.min(this.x.length - 1, Math.max(0, from + step));
      this.plot.setCursor({ left: this.plot.valToPos(this.x[this.keyed], "x"), top: 50 });
      $("readout").setAttribute("aria-live", "polite");
    } else if (event.key === "Enter") openExposure(acquisition.rows[this.keyed ?? this.x.length - 1][NAME]);
    else if (event.key === "Home") setRange(null);
  }
}

let plots = [];
const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const plot = target.plotted;
    if (plot && contentRect.width > 0 && Math.abs(plot.width - contentRect.width) > 1) plot.setSize({ width: contentRect.width, height: plot.height });
  }
});

function drawPlots() {
  plots.forEach((each) => { sizes.unobserve(each.box); each.plot.destroy(); });
  const x = acquisition.x, taken = acquisition.rows.map((row) => row[TAKEN]), shown = [];
  plots = [];
  for (const wanted of PLOTS) {
    const values = wanted.values ? wanted.values(taken) : wanted.value ? acquisition.rows.map(wanted.value) : acquisition.column(wanted.of);
    if (values.every((each) => each === null) || wanted.unless?.(values) || (wanted.insteadOf && shown.includes(wanted.insteadOf))) continue;
    shown.push(wanted.of);
    plots.push(new Plot(wanted, values, x));
  }
  $("plots").replaceChildren(...plots.map((each) => each.element));
  if (!plots.length) $("plots").append(make("p", { class: "notice" }, "Nothing has been measured yet."));
  plots.forEach((each, place) => { each.first = place === 0; each.draw(each.box.clientWidth); each.box.plotted = each.plot; sizes.observe(each.box); });
}
listeners.range.push(() => plots.forEach((each) => each.zoom()));
listeners.shown.push(() => plots.forEach((each) => each.zoom()));
listeners.exposure.push(() => plots.forEach((each) => { each.plot.redraw(false); each.readOut(each.plot); }));

/** Tell which exposure the cursor is at. */
function pointed(place) {
  const row = place === null || place === undefined ? null : acquisition.rows[place];
  $("readout").textContent = row ? `${row[NAME]} · ${clock(row[TAKEN])} · ${LABELS[data.states[row[STATE]]]}` : "";
}

// ------------------------------------------------------------------ load of the machine

let loadPlots = [];
function drawLoad() {
  const load = data.load;
  if (!load) return;
  $("load").hidden = false;
  loadPlots.forEach((each) => each.plot.destroy());
  const percent = [["processors", load.cpu], ...load.gpus.map((each, place) => [load.gpus.length > 1 ? `GPU ${place}` : "GPU", each.use])];
  const memory = [[`memory of ${number(load.memory_total)} GB`, load.memory], ...load.gpus.map((each, place) => [load.gpus.length > 1 ? `GPU ${place}` : "GPU", each.memory])];
  const wanted = [["Processors" + (load.gpus.length ? ` and ${load.gpus[0].name}` : ""), "%", percent, [0, 100]], ["Memory in use", "%", memory, [0, 100]], ["Disks", "MB/s", [["read", load.read], ["written", load.written]]], ["Network", "MB/s", [["received", load.received], ["sent", load.sent]]], ["Free disk space", "GB", load.disks.map((each) => [`${each.folder} of ${number(each.total)} GB`, each.free])]];
  const names = ["done", "rejected", "target", "failed", "waiting"];
  loadPlots = wanted.map(([title, unit, lines, range]) => {
    const at = make("span", { class: "at" }), box = make("div", { class: "canvas", role: "img", "aria-label": `${title}: ${lines.map(([label, line]) => `${label} ${withUnit(number(line[line.length - 1], 1), unit)} now`).join(", ")}` });
    const keys = lines.map(([label], place) => make("span", { class: `key ${names[place % 5]}` }, make("i"), label));
    const element = make("figure", { class: "plot" }, make("figcaption", {}, make("b", {}, title, make("span", { class: "unit" }, ` [${unit}]`)), ...keys, at), box);
    return { element, box, at, title, unit, lines, range };
  });
  $("load-plots").replaceChildren(...loadPlots.map((each) => each.element));
  for (const each of loadPlots) {
    const { box, at, unit, lines, range } = each;
    each.plot = new uPlot({
      width: box.clientWidth, height: 170, padding: [8, 12, 0, 0], legend: { show: false },
      scales: { x: { time: true }, y: { range: range ? () => range : (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 1) * 1.1)] } },
      axes: axes(true), series: [{}, ...lines.map((_, place) => ({ stroke: () => colour(names[place % 5]), width: 1.6, spanGaps: false, points: { show: load.time.length < 3 } }))],
      cursor: { sync: { key: "load" }, y: false, drag: { x: true, y: false } },
      hooks: { setCursor: [(plot) => { const place = plot.cursor.idx; at.textContent = plot.cursor.left < 0 || place === null ? "" : lines.map(([, line]) => number(line[place], 1)).join(" / ") + thin + unit; }] },
    }, [load.time, ...lines.map(([, line]) => line)], box);
    box.plotted = each.plot;
    sizes.observe(box);
  }
}
listeners.theme.push(() => { plots.forEach((each) => each.plot.redraw(false, true)); loadPlots.forEach((each) => each.plot.redraw(false, true)); });

