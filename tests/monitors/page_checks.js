// What the tests ask of a page in the browser.
window.checks = (() => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rgb = (text) => {
    canvas.width = canvas.height = 1;
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return [255, 255, 255];
  };
  const pixels = (from) => {
    canvas.width = from.width;
    canvas.height = from.height;
    pen.drawImage(from, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  return {
    /** Texts whose contrast to what is behind them is less than 4.5 (WCAG 2, level AA). */
    poorContrast() {
      const poor = [];
      for (const each of document.querySelectorAll("body *")) {
        const told = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!told || !each.checkVisibility() || each.closest("script, svg, .sr, .skip")) continue;
        const front = luminance(rgb(getComputedStyle(each).color)), back = luminance(behind(each));
        const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        if (ratio < 4.5) poor.push(`${each.className} ${each.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
      }
      return [...new Set(poor)];
    },
    /** Whether anything is drawn on each plot. */
    drawn: () => [...document.querySelectorAll("#plots canvas")].map((each) => pixels(each).some((value) => value)),
    /** How many pixels of the micrograph are yellow, as rings around particles are. */
    yellow() {
      const data = pixels(document.querySelector("#exposure canvas"));
      let count = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > data[at + 2] + 60) count++;
      return count;
    },
    /** Controls that a screen reader has no name for. */
    unnamed: () => [...document.querySelectorAll("button, input, select")].filter((each) => !(each.textContent || each.ariaLabel || each.labels?.length)).length,
    tiles: () => Object.fromEntries([...document.querySelectorAll(".tile")].map((each) => [each.querySelector("dt").innerText, each.querySelector("dd").innerText])),
    /** What every plot tells of the exposure at the cursor. */
    readOuts: () => Object.fromEntries([...document.querySelectorAll("#plots .plot")].map((each) => [each.querySelector("b").innerText, each.querySelector(".at").innerText])),
  };
})();
