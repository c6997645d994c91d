// One exposure, looked at closely, and the gallery of the newest.

const picturesOf = (name) => acquisition.pictures[name] || {};

function drawExposure() {
  const dialog = $("exposure"), place = acquisition?.index.get(chosen.exposure);
  document.body.classList.toggle("with-exposure", place !== undefined);
  if (place === undefined) { if (dialog.open) dialog.close(); return; }
  const row = acquisition.rows[place], state = data.states[row[STATE]], pictures = picturesOf(row[NAME]);
  const go = (to) => make("button", { type: "button", class: "icon", "aria-label": to < place ? "Exposure before" : "Next exposure", disabled: !acquisition.rows[to], onclick: () => openExposure(acquisition.rows[to][NAME]) }, to < place ? "‹" : "›");
  const head = make("div", { class: "head" }, make("h2", { id: "exposure-title" }, row[NAME]), make("span", { class: `chip ${state}` }, LABELS[state]), make("span", { class: "quiet" }, clock(row[TAKEN])), go(place - 1), go(place + 1), make("button", { type: "button", class: "icon", "aria-label": "Close", onclick: () => openExposure(null) }, "✕"));
  const body = make("div", { class: "body" }, why(row, state));
  if (pictures.image) body.append(micrograph(pictures));
  const pair = make("div", { class: "two" });
  if (pictures.spectrum) pair.append(make("figure", {}, make("figcaption", {}, "Power spectrum and fit"), make("img", { src: pictures.spectrum, alt: `Power spectrum beside the fitted CTF, rings to ${figure(row, "resolution")}` })));
  if (pictures.motion) pair.append(motion(pictures.motion));
  if (pair.children.length) body.append(pair);
  if (pictures.profile) body.append(profile(pictures.profile, row[quantities.get("resolution").place]));
  if (!pictures.image && row[STATE] !== FAILED) body.append(make("p", { class: "quiet" }, "No pictures of this exposure are in the report: only the newest have theirs here, or they are still to come."));
  body.append(values(row));
  dialog.replaceChildren(head, body);
  if (!dialog.open) { dialog.show(); head.querySelector("button[aria-label=Close]").focus(); }
}

function why(row, state) {
  const reason = acquisition.reasons[row[REASON]];
  if (!reason) return null;
  // A rejection may have several reasons.
  const parts = state === "rejected" ? reason.split("; ") : [reason], run = acquisition.reasons[row[RUN]];
  const text = parts.length > 1 ? make("ul", {}, ...parts.map((each) => make("li", {}, each))) : make("div", {}, reason);
  return make("div", { class: `why ${state}` }, make("b", {}, `${state === "failed" ? "Failed" : "Rejected"} at ${run || "?"}`), text);
}

function micrograph(pictures) {
  const canvas = make("canvas", { role: "img", "aria-label": "Micrograph" + (pictures.picks ? ` with ${pictures.picks.places.length / 2} particles` : "") });
  const image = new Image();
  const draw = () => {
    const scale = 2;
    canvas.width = image.width * scale; canvas.height = image.height * scale;
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (!pictures.picks || !chosen.picks) return;
    // Places are in thousandths of the width from the lower left, where the first row of the image is.
    const unit = canvas.width / 1000, radius = (pictures.picks.diameter / 2) * unit, places = pictures.picks.places;
    pen.strokeStyle = "#ffd34d"; pen.lineWidth = 1.6; pen.shadowColor = "rgb(0 0 0 / 80%)"; pen.shadowBlur = 2;
    pen.beginPath();
    for (let at = 0; at < places.length; at += 2) {
      const x = places[at] * unit, y = canvas.height - places[at + 1] * unit;
      pen.moveTo(x + radius, y); pen.arc(x, y, radius, 0, 7);
    }
    pen.stroke();
  };
  image.addEventListener("load", draw);
  image.src = pictures.image;
  const count = pictures.picks ? pictures.picks.places.length / 2 : 0;
  const toggle = pictures.picks ? make("label", { class: "switch" }, make("input", { type: "checkbox", ...(chosen.picks ? { checked: true } : {}), onchange: (event) => { chosen.picks = event.target.checked; keep(); draw(); } }), `${number(count)} particles`) : null;
  return make("figure", {}, make("figcaption", {}, make("span", {}, "Micrograph"), toggle), canvas);
}

/** The specimen's path: of the whole field to scale, and what each patch adds to it, drawn larger. */
function motion({ whole, patches, aspect }) {
  const side = 200, tall = patches.length ? side * aspect : side, svg = makeSvg("svg", { viewBox: `0 0 ${side} ${Math.max(tall, 120)}`, class: "motion", role: "img", "aria-label": "How the specimen moved" });
  const height = Math.max(tall, 120), xs = whole.map((each) => each[0]), ys = whole.map((each) => each[1]);
  const reach = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 0.1);
  const line = (path, x, y, scale) => path.map(([right, up], place) => `${place ? "L" : "M"}${(x + right * scale).toFixed(1)} ${(y - up * scale).toFixed(1)}`).join("");
  let caption = "Motion";
  if (patches.length) {
    svg.append(makeSvg("rect", { class: "field", x: 0.5, y: 0.5, width: side - 1, height: height - 1 }));
    const longest = Math.max(...patches.map(({ path }) => Math.max(...path.map(([x, y]) => Math.hypot(x, y)))), 0.05);
    const larger = (0.4 * side) / Math.sqrt(patches.length) / longest;
    for (const { x, y, path } of patches) svg.append(makeSvg("path", { class: "patch", d: line(path, x * side, height - y * height, larger) }));
    const bar = niceLength((0.25 * side) / larger);
    svg.append(makeSvg("line", { class: "bar", x1: 8, x2: 8 + bar * larger, y1: height - 8, y2: height - 8 }), makeSvg("text", { x: 8, y: height - 12 }, `patches, ${bar} Å`));
    caption = "Motion of the whole field, and of patches beyond it";
  }
  const room = patches.length ? 0.34 : 0.72, scale = (room * Math.min(side, height)) / reach;
  const centre = [side / 2 - ((Math.max(...xs) + Math.min(...xs)) / 2) * scale, height / 2 + ((Math.max(...ys) + Math.min(...ys)) / 2) * scale];
  svg.append(makeSvg("path", { class: "whole", d: line(whole, ...centre, scale) }));
  svg.append(makeSvg("circle", { class: "start", cx: centre[0] + whole[0][0] * scale, cy: centre[1] - whole[0][1] * scale, r: 3 }));
  const bar = niceLength((0.25 * side) / scale);
  svg.append(makeSvg("line", { class: "bar", x1: side - 8 - bar * scale, x2: side - 8, y1: 20, y2: 20 }), makeSvg("text", { x: side - 8, y: 14, "text-anchor": "end" }, `${patches.length ? "whole, " : ""}${bar} Å`));
  return make("figure", {}, make("figcaption", { title: caption }, "Motion, from the dot"), svg);
}
function niceLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return Number((([5, 2, 1].find((each) => each * power <= most) || 1) * power).toPrecision(1));
}

/** Spectrum and fitted CTF along spatial frequency, each from its least to its greatest value. */
function profile({ frequency, spectrum, model }, resolution) {
  const width = 440, height = 130, base = 108, last = Math.max(...frequency), svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, class: "profile", role: "img", "aria-label": "Spectrum and fitted CTF along spatial frequency" });
  const across = (value) => (value / last) * width;
  const line = (values) => {
    const sorted = values.filter((each) => each !== null).sort((one, other) => one - other), low = quantile(sorted, 0.01), high = quantile(sorted, 0.99);
    let begun = false;
    return values.map((value, place) => {
      if (value === null) { begun = false; return ""; }
      const up = Math.max(-0.05, Math.min(1.05, (value - low) / (high - low || 1))), text = `${begun ? "L" : "M"}${across(frequency[place]).toFixed(1)} ${(base - 6 - up * (base - 14)).toFixed(1)}`;
      begun = true;
      return text;
    }).join("");
  };
  svg.append(makeSvg("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }), makeSvg("path", { class: "fit", d: line(model) }), makeSvg("path", { class: "found", d: line(spectrum) }));
  if (resolution) svg.append(makeSvg("line", { class: "limit", x1: across(1 / resolution), x2: across(1 / resolution), y1: 4, y2: base }));
  for (const length of [30, 10, 6, 5, 4, 3, 2.5, 2]) if (1 / length < last * 0.97) svg.append(makeSvg("text", { x: across(1 / length), y: height - 8, "text-anchor": "middle" }, String(length)));
  return make("figure", {}, make("figcaption", {}, make("span", {}, "Spectrum by resolution [Å]"), make("span", {}, make("span", { class: "key done" }, make("i"), "spectrum "), make("span", { class: "key rejected" }, make("i"), "fit "), make("span", { class: "key dash" }, make("i"), "fit to"))), svg);
}

function values(row) {
  const table = make("table", {}, make("caption", { class: "sr" }, "Figures of the exposure"));
  for (const [name, { label, unit, decimals, place }] of quantities) {
    if (row[place] !== null && !(row[place] === 0 && ["phase", "dropped"].includes(name))) table.append(make("tr", {}, make("th", { scope: "row" }, label), make("td", {}, withUnit(number(row[place], decimals), unit))));
  }
  return table;
}
listeners.exposure.push(drawExposure);
document.addEventListener("keydown", (event) => {
  if (!$("exposure").open || event.target.matches("input, select, .canvas")) return;
  const place = acquisition.index.get(chosen.exposure), to = { ArrowLeft: place - 1, ArrowRight: place + 1 }[event.key];
  if (event.key === "Escape") openExposure(null);
  else if (to !== undefined && acquisition.rows[to]) { event.preventDefault(); openExposure(acquisition.rows[to][NAME]); }
});

// ------------------------------------------------------------------ gallery

function drawGallery() {
  const names = acquisition.rows.map((row) => row[NAME]).reverse().filter((name) => picturesOf(name).image);
  $("gallery").closest("section").hidden = !names.length;
  $("gallery").replaceChildren(...names.slice(0, chosen.pictures).map((name) => {
    const row = acquisition.rows[acquisition.index.get(name)], state = data.states[row[STATE]], { image, spectrum } = picturesOf(name);
    const told = [figure(row, "defocus"), figure(row, "resolution"), row[quantities.get("particles").place] === null ? null : `${figure(row, "particles")} picks`];
    const corner = spectrum ? make("img", { class: "corner", src: spectrum, alt: "", loading: "lazy" }) : null;
    return make("button", { type: "button", title: name, "aria-pressed": String(name === chosen.exposure), onclick: () => openExposure(name), "data-name": name }, make("span", { class: "pair" }, make("img", { src: image, alt: "", loading: "lazy" }), corner), make("span", { class: "what" }, make("b", {}, make("bdi", {}, name)), make("span", {}, make("i", { class: `mark ${state}` }), make("span", { class: "sr" }, LABELS[state]), make("span", { class: "told" }, told.filter((each) => each && each !== "–").join(" · ") || LABELS[state]))));
  }));
  $("more-pictures").hidden = names.length <= chosen.pictures;
  $("more-pictures").textContent = `Show more of ${names.length}`;
}
$("more-pictures").addEventListener("click", () => { chosen.pictures += 24; keep(); drawGallery(); });
listeners.exposure.push(() => document.querySelectorAll("#gallery button").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.name === chosen.exposure))));

