// Keys for every page: what carries data-key is pressed or focused by it; / goes to the search; ? shows the keys of this page.
// A key does nothing while somebody types, and nothing together with Ctrl, Alt or Meta.
"use strict";
(() => {
  const typing = (at) => at.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const seen = (one) => !one.disabled && one.getClientRects().length > 0;
  const find = (key) => [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(seen);
  const press = (one) => {
    if (one.matches("input, textarea, select")) { one.focus(); return; }
    one.click();
    // A form that unfolds is there to be filled in.
    if (!one.matches("summary") || !one.parentElement.open) return;
    const form = one.parentElement;
    (form.querySelector("[data-first]") ?? form.querySelector("input:not([type=hidden]), textarea"))?.focus();
  };

  // What a key does, as its button says it: the picture of the key is no part of the words.
  const label = (one) => {
    const words = one.cloneNode(true);
    for (const cap of words.querySelectorAll("kbd")) cap.remove();
    return words.textContent.trim();
  };
  const list = () => {
    const keys = [...document.querySelectorAll("[data-key]")].filter(seen);
    const rows = keys.map((one) => [one.dataset.key, one.dataset.does || one.ariaLabel || label(one)]);
    return [...(window.quittanceKeys || []), ...rows, ["/", "search"], ["?", "these keys"]];
  };
  const help = () => {
    const there = document.getElementById("keys");
    if (there) { there.remove(); return; }
    const box = document.createElement("aside");
    box.id = "keys";
    box.className = "card keys";
    box.setAttribute("aria-label", "Keys of this page");
    const table = document.createElement("dl");
    for (const [key, does] of list()) {
      const term = document.createElement("dt"), told = document.createElement("dd"), cap = document.createElement("kbd");
      cap.textContent = key;
      term.append(cap);
      told.textContent = does;
      table.append(term, told);
    }
    box.append(table);
    document.body.append(box);
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") {
      document.getElementById("keys")?.remove();
      if (typing(event.target)) event.target.blur();
      return;
    }
    if (typing(event.target)) return;
    if (event.key === "?") { help(); event.preventDefault(); return; }
    const one = event.key === "/" ? document.querySelector("[data-search]") : find(event.key);
    if (!one) return;
    press(one);
    event.preventDefault();
  });
  // A form that is being sent is not sent again by a second click; the server would count it once anyway.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") { form.dataset.sent = "1"; setTimeout(() => delete form.dataset.sent, 3000); }
  });
})();
