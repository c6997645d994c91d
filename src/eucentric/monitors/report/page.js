// The page as a whole: head, alarms, acquisitions, numbers, and following the session.

function setTheme(theme) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = theme || (dark ? "dark" : "light");
  tell("theme");
}
$("theme").addEventListener("click", () => {
  chosen.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("eucentric:theme", chosen.theme); } catch { /* storage is off */ }
  setTheme(chosen.theme);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(chosen.theme));

const now = () => Date.now() / 1000;
function drawHead() {
  const age = now() - data.written, [length, unit] = span(Math.max(0, age)), engine = $("engine");
  const running = data.engine === "running";
  engine.className = `chip ${data.held ? "held" : data.engine}`;
  engine.textContent = data.held && running ? "held back" : data.engine;
  engine.title = data.held || "";
  $("written").textContent = running && age > 300 ? `not written for ${length} ${unit}: the monitor may have stopped` : `as of ${length} ${unit} ago`;
}

function drawAlarms() {
  const open = data.alarms.filter((each) => each.cleared === null || each.cleared === undefined);
  const over = data.alarms.filter((each) => !open.includes(each)).slice(0, 20);
  const box = $("alarms"), held = data.held ? [make("div", { class: "alarm" }, make("b", {}, "Held back"), make("p", {}, data.held))] : [];
  const draw = (each) => {
    const noted = each.acknowledged ? `acknowledged by ${each.acknowledged_by || "?"}` : each.muted ? "muted" : "";
    const ended = each.cleared ? ` to ${clock(each.cleared).slice(5, 16)}` : "";
    return make("div", { class: `alarm ${each.severity} ${each.cleared ? "over" : ""}` }, make("b", {}, each.title), make("p", {}, each.message, each.subject ? ` (${each.subject})` : ""), make("span", { class: "quiet" }, [`${each.cleared ? "" : "since "}${clock(each.raised).slice(5, 16)}${ended}`, noted].filter(Boolean).join(" · ")), each.cleared ? null : make("p", { class: "advice" }, each.advice));
  };
  const past = over.length ? [make("details", { class: "panel" }, make("summary", {}, `${over.length} earlier ${over.length > 1 ? "alarms" : "alarm"}`), ...over.map(draw))] : [];
  box.replaceChildren(...held, ...open.map(draw), ...past);
  box.hidden = !box.children.length;
}

function drawTabs() {
  const tabs = $("acquisitions");
  tabs.hidden = data.acquisitions.length < 2;
  const draw = (each) => make("button", { type: "button", role: "tab", "aria-selected": String(each.name === acquisition.name), "aria-controls": "acquisition", tabindex: each.name === acquisition.name ? 0 : -1, onclick: () => choose(each.name) }, `${each.name} (${number(each.rows.length)})`);
  tabs.replaceChildren(...data.acquisitions.map(draw));
}
$("acquisitions").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], place = data.acquisitions.findIndex((each) => each.name === acquisition.name);
  if (!step || !data.acquisitions[place + step]) return;
  event.preventDefault();
  choose(data.acquisitions[place + step].name);
  document.querySelector("[role=tab][aria-selected=true]").focus();
});

function tile(label, value, unit = "", kind = "") {
  const shown = value === null || value === undefined ? "–" : value;
  return make("div", { class: `tile ${kind}` }, make("dt", {}, label), make("dd", {}, String(shown), unit && shown !== "–" ? make("small", {}, ` ${unit}`) : null));
}
function drawTiles() {
  const rows = acquisition.rows, count = [0, 0, 0, 0];
  rows.forEach((row) => count[row[STATE]]++);
  const taken = rows.map((row) => row[TAKEN]), last = taken[taken.length - 1], recent = rows.filter((row) => row[TAKEN] > last - 3600);
  const length = recent.length > 2 ? recent[recent.length - 1][TAKEN] - recent[0][TAKEN] : 0;
  const middle = (name, some) => median(some.map((row) => row[quantities.get(name).place]).filter((each) => each !== null));
  const newest = rows.slice(-60), particles = rows.reduce((sum, row) => sum + (row[STATE] === DONE ? row[quantities.get("particles").place] || 0 : 0), 0);
  const running = data.engine === "running", age = span(Math.max(0, now() - last)), wait = middle("latency", newest);
  const judged = count[DONE] + count[REJECTED];
  $("tiles").replaceChildren(
    tile("exposures", number(rows.length)),
    tile("per hour, last hour", length ? number(((recent.length - 1) / length) * 3600) : null),
    running ? tile("since the last one", age[0], age[1]) : tile("last one taken", clock(last).slice(11, 16), clock(last).slice(5, 10)),
    tile("accepted", number(count[DONE]), judged ? `${Math.round((100 * count[DONE]) / judged)} %` : ""),
    tile("rejected", number(count[REJECTED]), "", count[REJECTED] ? "rejected" : ""),
    tile("failed", number(count[FAILED]), "", count[FAILED] ? "failed" : ""),
    tile("waiting", number(count[WAITING])),
    tile("file to CTF, median", wait === null ? null : span(wait)[0], wait === null ? "" : span(wait)[1]),
    tile("CTF fit to, newest 60", number(middle("resolution", newest), 1), "Å"),
    tile("defocus, newest 60", number(middle("defocus", newest), 2), "µm"),
    ...(particles ? [tile("particles", number(particles))] : []),
  );
}

function drawFacts() {
  $("facts").replaceChildren(...acquisition.facts.map(([label, value]) => make("div", {}, make("dt", {}, label), make("dd", {}, value))));
  $("facts-panel").hidden = !acquisition.facts.length;
}
function drawResults() {
  const draw = ({ title, picture, figures }) => make("figure", { class: "panel" },
    make("figcaption", {}, make("b", {}, title), make("dl", {}, ...figures.map(([label, value]) => make("div", {}, make("dt", {}, label), make("dd", {}, value))))),
    picture ? make("img", { src: picture, alt: `${title}: ${figures.map(([label, value]) => `${label} ${value}`).join(", ")}` }) : make("p", { class: "quiet" }, "There is no picture yet."));
  $("results").replaceChildren(...acquisition.results.map(draw));
  $("results-section").hidden = !acquisition.results.length;
}
function drawRuns() {
  $("runs").replaceChildren(...data.runs.map((each) => make("details", { class: "panel run" }, make("summary", {}, each.name, make("span", { class: "quiet" }, ` · ${each.protocol} ${each.version}${each.revision > 1 ? `, revision ${each.revision}` : ""}${each.closed ? ", closed" : ""}`)), make("pre", {}, Object.entries(each.params).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join("\n") || "no parameters"))));
}

function choose(name) {
  // The one that goes on; what could not even be read is only looked at by those who want to.
  const last = (each) => Math.max(0, ...each.rows.slice(-50).map((row) => (row[STATE] === FAILED ? 1 : row[TAKEN])));
  const newest = data.acquisitions.reduce((one, other) => (last(other) > last(one) ? other : one));
  const found = data.acquisitions.find((each) => each.name === name) || newest;
  if (acquisition && acquisition.name !== found.name) { chosen.range = null; chosen.exposure = null; rowsShown = 25; }
  acquisition = new Acquisition(found);
  chosen.acquisition = found.name;
  keep();
  drawTabs(); drawTiles(); drawFacts(); drawPlots(); drawHistograms(); drawResults(); drawGallery(); drawTable(); drawExposure();
}

// ------------------------------------------------------------------ tools

for (const input of document.querySelectorAll("input[name=along]")) {
  input.checked = input.value === chosen.along;
  input.addEventListener("change", () => { chosen.along = input.value; chosen.range = null; keep(); drawPlots(); tell("range"); });
}
for (const input of document.querySelectorAll("input[data-state]")) {
  input.checked = !chosen.hidden.includes(input.dataset.state);
  input.addEventListener("change", () => {
    chosen.hidden = [...document.querySelectorAll("input[data-state]")].filter((each) => !each.checked).map((each) => each.dataset.state);
    keep(); tell("shown");
  });
}
for (const button of document.querySelectorAll("button[data-last]")) {
  button.addEventListener("click", () => {
    const taken = acquisition.rows.map((row) => row[TAKEN]), last = taken[taken.length - 1], first = Math.max(0, taken.findIndex((each) => each >= last - button.dataset.last));
    setRange(chosen.along === "time" ? [last - button.dataset.last, last + 10] : [first + 0.5, taken.length + 0.5]);
  });
}
$("whole").addEventListener("click", () => setRange(null));
$("facts-panel").open = chosen.facts;
$("facts-panel").addEventListener("toggle", (event) => { chosen.facts = event.target.open; keep(); });

// ------------------------------------------------------------------ following the session

$("live").checked = chosen.live;
$("live").addEventListener("change", (event) => { chosen.live = event.target.checked; keep(); });
let touched = 0;
for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, () => { touched = now(); }, { passive: true });
let stamp = null;
/** Read the page again when it was written anew: what the reader has chosen is kept. */
async function follow() {
  if (!chosen.live || document.hidden || now() - touched < 8) return;
  if (location.protocol.startsWith("http")) {
    try {
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
      const found = answer.headers.get("ETag") || answer.headers.get("Last-Modified");
      if (!answer.ok || stamp === null || found === stamp) { stamp = found; return; }
    } catch { return; }
  } else if (data.engine !== "running") return;
  location.reload();
}
if (location.protocol !== "about:") setInterval(follow, 10_000);
setInterval(() => { drawHead(); if (acquisition) drawTiles(); }, 5000);

setTheme(chosen.theme);
drawHead(); drawAlarms(); drawRuns(); drawLoad();
$("size").textContent = `${(document.documentElement.outerHTML.length / 1e6).toFixed(1)} MB.`;
if (data.acquisitions.length) choose(chosen.acquisition);
else { $("acquisition").hidden = true; $("empty").hidden = false; }
