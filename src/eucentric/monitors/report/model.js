// What the page is about: the data within it, what the reader has chosen to see, and small helpers.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const NAME = 0, TAKEN = 1, FOUND = 2, STATE = 3, RUN = 4, REASON = 5, FIRST = 6;
const WAITING = 0, DONE = 1, REJECTED = 2, FAILED = 3;
const LABELS = { waiting: "waiting", done: "accepted", rejected: "rejected", failed: "failed" };
const quantities = new Map(data.quantities.map((each, place) => [each.name, { ...each, place: place + FIRST }]));

/** Make an element; text is never read as HTML. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

function makeSvg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const thin = "\u202f";
function number(value, decimals = 0) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(decimals);
  const [whole, part] = text.split(".");
  const sign = value < 0 && Number(text) !== 0 ? "−" : "";
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, thin) + (part ? "." + part : "");
}
const withUnit = (text, unit) => (text === "–" || !unit ? text : text + thin + unit);
const figure = (row, name) => {
  const quantity = quantities.get(name), value = row[quantity.place];
  // What was written with more decimals than people read.
  return withUnit(number(value, Math.min(quantity.decimals, 2)), quantity.unit);
};
const two = (value) => String(value).padStart(2, "0");
function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
function span(seconds) {
  if (seconds < 90) return [Math.round(seconds), "s"];
  if (seconds < 5400) return [Math.round(seconds / 60), "min"];
  if (seconds < 172800) return [(seconds / 3600).toFixed(1), "h"];
  return [(seconds / 86400).toFixed(1), "d"];
}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
function median(values) {
  if (!values.length) return null;
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(part * (sorted.length - 1))))];
}

// What the reader has chosen: kept over reloads, and partly in the address so that it can be sent to others.
const kept = `eucentric:${data.session}:${data.created}`;
const chosen = { acquisition: null, along: "time", range: null, exposure: null, hidden: [], theme: null, live: true, state: "problems", query: "", picks: true, pictures: 12, facts: false };
try { Object.assign(chosen, JSON.parse(sessionStorage.getItem(kept) || "{}")); } catch { /* storage is off */ }
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
  if (name === "acquisition" || name === "exposure") chosen[name] = value;
}
try { chosen.theme = localStorage.getItem("eucentric:theme") || null; } catch { /* storage is off */ }
function keep() {
  try { sessionStorage.setItem(kept, JSON.stringify(chosen)); } catch { /* storage is off */ }
  const address = new URLSearchParams();
  if (data.acquisitions.length > 1 && chosen.acquisition) address.set("acquisition", chosen.acquisition);
  if (chosen.exposure) address.set("exposure", chosen.exposure);
  const hash = address.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

/** The acquisition that is looked at, with its columns. */
class Acquisition {
  constructor(found) {
    Object.assign(this, found);
    this.index = new Map(this.rows.map((row, place) => [row[NAME], place]));
    this.columns = new Map();
  }
  column(name) {
    if (!this.columns.has(name)) {
      const place = quantities.get(name).place;
      this.columns.set(name, this.rows.map((row) => row[place]));
    }
    return this.columns.get(name);
  }
  get x() {
    return chosen.along === "time" ? this.rows.map((row) => row[TAKEN]) : this.rows.map((_, place) => place + 1);
  }
  /** Whether the reader wants to see exposures of this state. */
  static shown(state) {
    const group = state === DONE ? "done" : state === REJECTED ? "rejected" : "waiting";
    return !chosen.hidden.includes(group);
  }
  /** Places of the exposures within the range that is looked at and of a state that is shown. */
  inView() {
    const x = this.x, [low, high] = chosen.range || [-Infinity, Infinity];
    const places = [];
    for (let place = 0; place < x.length; place++) {
      if (x[place] >= low && x[place] <= high && Acquisition.shown(this.rows[place][STATE])) places.push(place);
    }
    return places;
  }
}
let acquisition = null;
const listeners = { range: [], exposure: [], theme: [], shown: [] };
const tell = (what) => listeners[what].forEach((each) => each());
function setRange(range) { chosen.range = range; keep(); tell("range"); }
function openExposure(name) { chosen.exposure = name; keep(); tell("exposure"); }

