// Follow the theme of Airflow's UI: the frame around this page, else its stored choice, else the system's.
// Runs before the first paint, so that the page never flashes in the other theme.
"use strict";
(() => {
  const page = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let frame = null;
  try {
    frame = window.parent !== window ? window.parent.document.documentElement : null;
  } catch {
    frame = null; // framed by another origin
  }

  function stored() {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off
    }
  }

  function theme() {
    for (const name of ["dark", "light"]) {
      if (frame !== null && frame.classList.contains(name)) return name;
    }
    const choice = stored();
    if (choice === "dark" || choice === "light") return choice;
    return system.matches ? "dark" : "light";
  }

  function apply() {
    const wanted = theme();
    if (page.dataset.theme === wanted) return;
    page.dataset.theme = wanted;
    document.dispatchEvent(new Event("themechange"));
  }

  apply();
  if (frame !== null) {
    page.dataset.framed = "";
    new MutationObserver(apply).observe(frame, { attributes: true, attributeFilter: ["class"] });
  }
  window.addEventListener("storage", apply);
  system.addEventListener("change", apply);
})();
