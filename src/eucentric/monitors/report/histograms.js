// How figures are distributed over the exposures in view.

const HISTOGRAMS = ["defocus", "resolution", "motion", "astigmatism", "counts", "ice", "particles"];
const BINS = 28;

function drawHistograms() {
  const places = acquisition.inView(), rows = acquisition.rows;
  $("in-view").textContent = places.length === 1 ? "of the exposure in view" : `of the ${number(places.length)} exposures in view`;
  const drawn = HISTOGRAMS.map((name) => histogram(name, places, rows)).filter((each) => each);
  $("histograms").replaceChildren(...drawn);
  if (!drawn.length) $("histograms").append(make("p", { class: "quiet" }, "Nothing is known of them."));
}

function histogram(name, places, rows) {
  const quantity = quantities.get(name), column = acquisition.column(name);
  const known = places.filter((place) => column[place] !== null);
  if (known.length < 2) return null;
  const sorted = Float64Array.from(known.map((place) => column[place])).sort();
  const first = quantile(sorted, 0.25), third = quantile(sorted, 0.75), reach = 5 * (third - first) || Infinity;
  let low = Math.max(sorted[0], first - reach), high = Math.min(sorted[sorted.length - 1], third + reach);
  if (high <= low) [low, high] = [low - 0.5, high + 0.5];
  const accepted = new Array(BINS).fill(0), others = new Array(BINS).fill(0);
  for (const place of known) {
    const bin = Math.max(0, Math.min(BINS - 1, Math.floor(((column[place] - low) / (high - low)) * BINS)));
    (rows[place][STATE] === REJECTED ? others : accepted)[bin]++;
  }
  const most = Math.max(...accepted.map((count, bin) => count + others[bin]));
  const width = 300, height = 110, top = 8, bottom = 88, step = width / BINS, scale = (bottom - top) / most;
  const middle = median(sorted), svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const say = (value) => withUnit(number(value, Math.min(2, quantity.decimals)), quantity.unit);
  svg.setAttribute("aria-label", `${quantity.label}: median ${say(middle)}, from ${say(sorted[0])} to ${say(sorted[sorted.length - 1])}`);
  for (let bin = 0; bin < BINS; bin++) {
    const left = bin * step + 0.5, tall = accepted[bin] * scale, more = others[bin] * scale;
    if (tall) svg.append(makeSvg("rect", { class: "accepted", x: left, y: bottom - tall, width: step - 1, height: tall }));
    if (more) svg.append(makeSvg("rect", { class: "others", x: left, y: bottom - tall - more, width: step - 1, height: more }));
  }
  const at = ((middle - low) / (high - low)) * width;
  svg.append(makeSvg("line", { class: "axis", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }), makeSvg("line", { class: "median", x1: at, x2: at, y1: top, y2: bottom }));
  for (const [value, anchor, x] of [[low, "start", 0], [(low + high) / 2, "middle", width / 2], [high, "end", width]]) {
    svg.append(makeSvg("text", { x, y: height - 6, "text-anchor": anchor }, number(value, Math.min(2, quantity.decimals))));
  }
  const unit = quantity.unit ? make("span", { class: "unit" }, ` [${quantity.unit}]`) : null;
  const caption = make("figcaption", {}, make("b", {}, quantity.label, unit), make("span", { class: "key" }, "median ", make("b", {}, say(middle))));
  return make("figure", { class: "plot" }, caption, make("div", { style: "padding:0 .5rem" }, svg));
}
listeners.range.push(drawHistograms);
listeners.shown.push(drawHistograms);

