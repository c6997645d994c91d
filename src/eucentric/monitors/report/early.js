// Light or dark before anything is drawn: as the reader chose on this machine, else as the system is.
(() => {
  let theme = null;
  try { theme = localStorage.getItem("eucentric:theme"); } catch { /* storage is off */ }
  document.documentElement.dataset.theme = theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
