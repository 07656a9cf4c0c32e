"use strict";
(() => {
  const root = document.documentElement;
  const filter = document.getElementById("filter");
  const all = (selector) => [...document.querySelectorAll(selector)];
  const buttons = all("button[data-verdict]");
  const runs = all("[data-run]");
  const texts = new Map();
  for (const run of runs) {
    const row = run.matches("details") ? run.querySelector("summary").textContent + run.closest("[data-kind]").querySelector("h3").textContent : run.textContent;
    texts.set(run, row.toLowerCase());
  }

  // --- theme: what the system says until the reader chooses ---
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("teecall-theme", root.dataset.theme); } catch { /* A file may have no storage. */ }
  };
  try {
    const kept = localStorage.getItem("teecall-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* A file may have no storage. */ }
  document.getElementById("theme").addEventListener("click", toggle);

  // --- filter ---
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = buttons.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.verdict);
    const shown = new Set();
    for (const run of runs) {
      const fits = (!wanted.length || wanted.includes(run.dataset.verdict)) && words.every((w) => texts.get(run).includes(w));
      run.hidden = !fits;
      if (fits && run.dataset.of) shown.add(run.dataset.of);
    }
    for (const cell of all("[data-for]")) cell.classList.toggle("off", !shown.has(cell.dataset.for));
    for (const kind of all("[data-kind]")) kind.hidden = (words.length || wanted.length) && !kind.querySelector("[data-run]:not([hidden])");
    document.getElementById("shown").textContent = words.length || wanted.length ? `${shown.size} shown` : "";
  };
  filter.addEventListener("input", apply);
  document.getElementById("bar").addEventListener("submit", (event) => event.preventDefault());
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      apply();
    });
  }

  // --- links to a failure open it ---
  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    const details = target.closest("details");
    if (details) {
      details.open = true;
      details.querySelector("summary").focus();
    } else {
      target.focus();
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  // The same link again does not change the fragment.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) openTarget();
  });
  openTarget();

  // A failure is of interest for its last lines.
  const toEnds = (details) => { for (const box of details.querySelectorAll(".console, .picture")) { box.scrollTop = box.scrollHeight; box.scrollLeft = box.matches(".picture") ? box.scrollWidth : 0; } };
  for (const details of all("details.failure")) {
    details.addEventListener("toggle", () => details.open && toEnds(details), { once: true });
    if (details.open) toEnds(details);
  }
  // --- keys ---
  const step = (by) => {
    const stops = all("details.failure:not([hidden]) > summary").filter((s) => s.offsetParent);
    if (!stops.length) return;
    const here = document.activeElement && document.activeElement.closest("details.failure");
    const at = stops.findIndex((s) => s.parentElement === here);
    const next = at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(stops.length - 1, Math.max(0, at + by));
    stops[next].focus();
    stops[next].scrollIntoView({ block: "nearest" });
  };
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const moveInGrid = (link, [down, right]) => {
    const cell = link.closest("td");
    const rows = [...cell.closest("tbody").rows];
    let row = rows.indexOf(cell.parentElement) + down;
    let column = cell.cellIndex + right;
    while (rows[row] && rows[row].cells[column]) {
      const found = rows[row].cells[column].querySelector("a");
      if (found) { found.focus(); return true; }
      row += down;
      column += right;
    }
    return false;
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      filter.value = "";
      for (const button of buttons) button.setAttribute("aria-pressed", "false");
      apply();
      filter.blur();
      return;
    }
    if (event.target.matches("input")) return;
    const inGrid = event.target.closest(".grid a");
    if (inGrid && moves[event.key] && moveInGrid(inGrid, moves[event.key])) event.preventDefault();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "t") toggle();
    else if (event.key === "/") { event.preventDefault(); filter.focus(); filter.select(); }
  });
})();
