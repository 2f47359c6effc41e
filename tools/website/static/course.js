// Tells the widgets which theme is on, opens what is folded before printing, and filters the ledger.
(() => {
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  function tellTheme() {
    const chosen = document.body.dataset.theme;
    const dark = chosen === "dark" || (chosen !== "light" && prefersDark.matches);
    root.dataset.jpThemeLight = String(printing || !dark);
  }

  function onPaper(isOn) {
    printing = isOn;
    tellTheme();
    if (isOn) document.querySelectorAll("details").forEach((part) => { part.open = true; });
  }

  function filterLedger() {
    const input = document.getElementById("filter");
    if (!input) return;
    const rows = [...document.querySelectorAll("tbody tr")];
    const status = input.parentElement.querySelector("[role=status]");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      for (const part of document.querySelectorAll("section:has(> .table-wrapper)")) {
        part.hidden = !part.querySelector("tbody tr:not([hidden])");
      }
      status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    });
  }

  /** What scrolls sideways can be reached by the keyboard. */
  function focusWhatScrolls() {
    for (const node of document.querySelectorAll("pre, .table-wrapper, .output, div.math")) {
      if (node.scrollWidth > node.clientWidth + 1) node.tabIndex = 0;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    tellTheme();
    new MutationObserver(tellTheme).observe(document.body, { attributeFilter: ["data-theme"] });
    filterLedger();
    focusWhatScrolls();
  });
  addEventListener("load", focusWhatScrolls);
  prefersDark.addEventListener("change", tellTheme);
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));
})();
