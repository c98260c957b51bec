// Whoever sends a small form of a page stays where they were: the page that answers is scrolled to the same place. What became of
// it is told in a notice that keeps to the top of the window (console.css, .told). Without this file the page begins at its top.
"use strict";
(() => {
  const KEPT_MS = 20000; // longer than any answer takes; what is older was another visit
  const KEY = "quittance-stay";
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname, top: scrollY, at: Date.now() }));
  });
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
  sessionStorage.removeItem(KEY);
  if (kept && kept.path === location.pathname && Date.now() - kept.at < KEPT_MS) scrollTo(0, kept.top);
})();
