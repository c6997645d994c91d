// All exposures with their reasons, searchable, and as a file.

const COLUMNS = ["defocus", "resolution", "motion"];
let rowsShown = 25;

function matching() {
  const query = chosen.query.trim().toLowerCase(), wanted = chosen.state;
  const [low, high] = chosen.range || [-Infinity, Infinity], x = acquisition.x;
  const found = [];
  for (let place = acquisition.rows.length - 1; place >= 0; place--) {
    const row = acquisition.rows[place], state = data.states[row[STATE]];
    if (x[place] < low || x[place] > high) continue;
    if (wanted === "problems" ? row[STATE] < REJECTED : wanted !== "all" && state !== wanted) continue;
    if (query && ![row[NAME], acquisition.reasons[row[REASON]], acquisition.reasons[row[RUN]]].some((each) => each.toLowerCase().includes(query))) continue;
    found.push(row);
  }
  return found;
}

function drawTable() {
  const found = matching();
  const units = COLUMNS.map((name) => quantities.get(name)).map(({ label, unit }) => make("th", { class: "n", scope: "col" }, `${label} [${unit}]`));
  $("table").tHead.replaceChildren(make("tr", {}, ...["Exposure", "Taken", "State", "Run", "Reason"].map((name) => make("th", { scope: "col" }, name)), ...units));
  $("table").tBodies[0].replaceChildren(...found.slice(0, rowsShown).map((row) => {
    const state = data.states[row[STATE]];
    return make("tr", {}, make("td", {}, make("button", { type: "button", onclick: () => openExposure(row[NAME]) }, row[NAME])), make("td", { class: "n" }, clock(row[TAKEN]).slice(5)), make("td", {}, make("span", { class: `chip ${state}` }, LABELS[state])), make("td", {}, acquisition.reasons[row[RUN]]), make("td", { class: "reason" }, acquisition.reasons[row[REASON]]), ...COLUMNS.map((name) => make("td", { class: "n" }, number(row[quantities.get(name).place], name === "motion" ? 1 : 2))));
  }));
  const more = chosen.range ? ", within the range in view" : "";
  $("table-count").textContent = found.length ? `${number(Math.min(rowsShown, found.length))} of ${number(found.length)}${more}, newest first` : `There is none${more}.`;
  $("more-rows").hidden = found.length <= rowsShown;
}

function saveTable() {
  const quote = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  // A text that a spreadsheet would take for a formula is told to be a text.
  const text = (value) => quote(/^[=+@-]/.test(value) ? `'${value}` : value);
  const head = ["exposure", "taken", "state", "run", "reason", ...data.quantities.map(({ label, unit }) => (unit ? `${label} [${unit}]` : label))];
  const lines = matching().map((row) => [text(row[NAME]), new Date(row[TAKEN] * 1000).toISOString(), LABELS[data.states[row[STATE]]], text(acquisition.reasons[row[RUN]]), text(acquisition.reasons[row[REASON]]), ...row.slice(FIRST).map((value) => value ?? "")].join(","));
  const address = URL.createObjectURL(new Blob([[head.map(quote).join(","), ...lines].join("\n") + "\n"], { type: "text/csv" }));
  make("a", { href: address, download: `${data.session}-${acquisition.name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
$("table-state").value = chosen.state;
$("table-search").value = chosen.query;
$("table-state").addEventListener("change", (event) => { chosen.state = event.target.value; rowsShown = 25; keep(); drawTable(); });
$("table-search").addEventListener("input", (event) => { chosen.query = event.target.value; rowsShown = 25; keep(); drawTable(); });
$("more-rows").addEventListener("click", () => { rowsShown += 200; drawTable(); });
$("csv").addEventListener("click", saveTable);
listeners.range.push(drawTable);

