// The cash desk with keys and without reloads. All of it works without this file; here it only gets faster:
//   j k ↓ ↑   the next and the last in hand        [ ]   the windows before and after        1–9   a proposal or candidate, ↵ takes it
//   h o g f t w r s   what may be done (their buttons carry data-key, keys.js presses them)
// In the grid: space fills a row, d takes its rest as a difference, ↑ ↓ ↵ change rows, Ctrl ↵ allocates. When something changed
// (live:cash) the page asks for the queue again; what is in hand stays in hand, and nobody loses what they are typing.
"use strict";
(() => {
  const desk = document.getElementById("cash");
  if (!desk) return;
  const IDLE_MS = 60000; // ages move by days: a look now and then is enough when nothing else happens
  const { parsed, fetched, renewNow, posted, paced, holder } = atDesk;
  const NARROW = matchMedia("(max-width: 760px)");

  const queue = () => document.getElementById("queue");
  const hand = () => document.getElementById("hand");
  const rows = () => [...queue().querySelectorAll("tr[data-on]")];
  const inHand = () => hand().dataset.on;
  const rowOf = (name) => queue().querySelector(`tr[data-on="${CSS.escape(name)}"]`);
  const busy = () => hand().querySelector("details[open]");

  // --- asking ----------------------------------------------------------------------------------------------------------
  const address = (changed) => {
    const query = new URLSearchParams(queue().dataset.address.split("?")[1] ?? "");
    for (const [name, value] of Object.entries(changed)) query.set(name, value);
    return `/cash?${query}`;
  };
  const ready = (made) => { window.htmx?.process(made); fill(); };

  // --- in hand -----------------------------------------------------------------------------------------------------------
  let place = 0; // where it stands, so that its neighbour is next when it leaves
  const mark = () => {
    for (const row of rows()) row.setAttribute("aria-selected", row.dataset.on === inHand() ? "true" : "false");
    const at = rows().findIndex((row) => row.dataset.on === inHand());
    if (at >= 0) place = at;
    for (const field of hand().querySelectorAll("input[name=next]")) field.value = neighbour();
  };
  const neighbour = () => {
    const all = rows(), at = all.findIndex((row) => row.dataset.on === inHand());
    const next = at < 0 ? all[Math.min(place, all.length - 1)] : all[at + 1] || all[at - 1];
    return next ? next.dataset.on : "";
  };
  let asked = "", asking = null;
  const take = (name, scroll = true) => {
    if (!name) return;
    asked = name;
    const row = rowOf(name);
    for (const each of rows()) each.setAttribute("aria-selected", each === row ? "true" : "false");
    if (row && scroll) row.scrollIntoView({ block: "nearest" });
    clearTimeout(asking);
    asking = setTimeout(show, 60); // a held key passes many; only where it rests is asked for
  };
  const show = async () => {
    const name = asked;
    const text = await fetched(`/cash/hand?on=${encodeURIComponent(name)}`);
    if (text === null || name !== asked) return;
    replaceHand(text);
    history.replaceState(null, "", address({ on: name }));
    desk.classList.add("chosen");
    hold();
  };
  const replaceHand = (text) => {
    const made = parsed(text).getElementById("hand");
    if (!made) return;
    hand().replaceWith(made);
    ready(made);
    mark();
  };
  // The same thing again: parts change one by one; what somebody is filling in stays.
  const refreshHand = async () => {
    const name = inHand();
    if (!name) return;
    const text = await fetched(`/cash/hand?on=${encodeURIComponent(name)}`);
    if (text === null || inHand() !== name) return;
    merge(parsed(text).getElementById("hand"));
  };
  const merge = (made) => {
    if (!made) return;
    const mine = hand(), held = busy();
    for (const part of ["head", "offers", "acts", "body"]) {
      const was = mine.querySelector(`[data-part=${part}]`), now = made.querySelector(`[data-part=${part}]`);
      if (held && was?.contains(held)) continue; // even when it waits no more: the answer will say who was first
      if (was && now) { if (was.innerHTML !== now.innerHTML) was.replaceWith(now); }
      else if (was) was.remove();
      else if (now) mine.append(now);
    }
    mine.dataset.version = made.dataset.version;
    ready(mine);
    mark();
  };

  // --- the grid ------------------------------------------------------------------------------------------------------------
  const grid = () => document.getElementById("grid");
  const places = () => Number(grid().dataset.places);
  const minor = (text) => {
    const plain = text.replace(/[, ]/g, "").replace("\u2212", "-");
    if (!/^[+-]?\d+(\.\d*)?$/.test(plain)) return 0;
    const [whole, part = ""] = plain.replace(/^[+-]/, "").split(".");
    const found = Number(whole + part.slice(0, places()).padEnd(places(), "0"));
    return plain.startsWith("-") ? -found : found;
  };
  const written = (amount) => {
    const digits = String(Math.abs(amount)).padStart(places() + 1, "0"), cut = digits.length - places();
    return (amount < 0 ? "-" : "") + digits.slice(0, cut) + (places() ? "." + digits.slice(cut) : "");
  };
  const shown = (amount) => {
    const [whole, part] = written(Math.abs(amount)).split(".");
    return (amount < 0 ? "\u2212" : "") + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
  };
  const field = (row, name) => row.querySelector(`input[name^="${name}."]`);
  const signed = (row, name) => { const sign = Number(row.dataset.open) < 0 ? -1 : 1; return name === "difference" ? sign * minor(field(row, name).value) : sign * Math.abs(minor(field(row, name).value)); };
  const paid = () => [...grid().querySelectorAll("tr[data-item]")].reduce((sum, row) => sum + signed(row, "pay"), 0);
  const openAfter = (row) => Number(row.dataset.open) - signed(row, "pay") - signed(row, "discount") - signed(row, "difference");
  const fill = () => {
    if (!grid()) return;
    const left = Number(grid().dataset.left) - paid();
    const out = document.getElementById("rest"), told = document.getElementById("rest-told");
    out.textContent = shown(left);
    out.classList.toggle("bad-text", left < 0);
    const touched = [...grid().querySelectorAll("tr[data-item]")].filter((row) => ["pay", "discount", "difference"].some((name) => field(row, name).value));
    for (const row of grid().querySelectorAll("tr[data-item]")) row.classList.toggle("on", touched.includes(row));
    const over = touched.filter((row) => Math.sign(openAfter(row)) === -Math.sign(Number(row.dataset.open)));
    told.textContent = left < 0 ? "more than is left" : over.length ? `${over.length === 1 ? "a row takes" : `${over.length} rows take`} more than is open` : touched.length ? `${touched.length} item${touched.length === 1 ? "" : "s"}` : "";
  };
  const fillRow = (row) => {
    const pay = field(row, "pay"), open = Number(row.dataset.open);
    if (pay.value) { pay.value = ""; return fill(); }
    const left = Number(grid().dataset.left) - paid(), wanted = openAfter(row);
    const amount = open < 0 ? wanted : Math.max(Math.min(wanted, left), 0);
    pay.value = amount ? written(amount) : "";
    fill();
  };
  const restAsDifference = (row) => {
    const difference = field(row, "difference"), sign = Number(row.dataset.open) < 0 ? -1 : 1;
    difference.value = "";
    const rest = sign * openAfter(row);
    difference.value = rest ? written(rest) : "";
    fill();
  };
  const stepRow = (at, by) => {
    const name = at.name.split(".")[0], all = [...grid().querySelectorAll("tr[data-item]")];
    const to = all[all.indexOf(at.closest("tr")) + by];
    if (to) field(to, name)?.focus();
    else if (by < 0) document.getElementById("items-q")?.focus();
  };
  // Narrowed by the server: rows that were filled in stay on top.
  let searching = null;
  const narrow = () => { clearTimeout(searching); searching = setTimeout(narrowNow, 200); };
  const narrowNow = async () => {
    const text = document.getElementById("items-q").value, name = inHand();
    const answer = await fetched(`/cash/items?on=${encodeURIComponent(name)}&items_q=${encodeURIComponent(text)}`);
    if (answer === null || inHand() !== name || !grid()) return;
    const made = parsed(answer).getElementById("items"), was = document.getElementById("items");
    const kept = [...was.querySelectorAll("tr.on")], body = made.querySelector("tbody");
    if (kept.length && !body) return; // nothing fits, and the rows that are filled in stay as they are
    kept.forEach((row, n) => {
      made.querySelector(`tr[data-item="${CSS.escape(row.dataset.item)}"]`)?.remove();
      for (const each of row.querySelectorAll("[name]")) each.name = `${each.name.split(".")[0]}.k${n}`;
    });
    body?.prepend(...kept);
    was.replaceWith(made);
    fill();
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches("#items-q")) narrow();
    else if (event.target.closest("#grid")) fill();
  });

  // --- doing something to it -------------------------------------------------------------------------------------------------
  // A form that was sent closes at once, so that the next key is a key again; its answer never takes away what was begun since.
  document.addEventListener("submit", (event) => {
    if (event.target.id === "items-search") { event.preventDefault(); narrowNow(); return; }
    const form = event.target.closest("#hand form");
    if (!form || event.defaultPrevented) return;
    event.preventDefault();
    send(form);
  });
  const bodyOf = (form) => {
    const body = new URLSearchParams(new FormData(form));
    if (form.id !== "grid") return body;
    for (const row of form.querySelectorAll("tr[data-item]:not(.on)")) for (const each of row.querySelectorAll("[name]")) body.delete(each.name);
    return body; // what nothing was typed into is not sent
  };
  const send = async (form) => {
    const name = inHand(), body = bodyOf(form), box = form.closest("details");
    if (box) box.open = false;
    document.activeElement?.blur();
    hand().classList.add("sending");
    const text = await posted(form.action, body);
    hand().classList.remove("sending");
    arrive(text, name);
  };
  const arrive = (text, name) => {
    const made = parsed(text).getElementById("hand");
    const news = made ? made.querySelector("[data-part=news]") : null;
    if (!made) tellNews(text);
    else if (inHand() !== name || busy()) { tellNews(news.innerHTML); if (made.dataset.on === inHand()) merge(made); }
    else replaceHand(text);
    if (inHand()) history.replaceState(null, "", address({ on: inHand() }));
    hold();
    look();
  };
  const tellNews = (html) => { const news = hand().querySelector("[data-part=news]"); if (news) news.innerHTML = html; };

  // --- who has it ------------------------------------------------------------------------------------------------------------
  const hold = holder((fields) => { fields.on.value = inHand() ?? ""; return hand().querySelector("[data-part=acts]"); });

  // --- the queue, when something changed ---------------------------------------------------------------------------------------
  const look = paced(async () => {
    const made = parsed((await fetched(address({ on: inHand() }).replace("/cash?", "/cash/rows?"))) ?? "");
    const figures = made.getElementById("figures"), table = made.getElementById("queue");
    if (!figures || !table) return false;
    renewNow(made);
    const shown = document.getElementById("figures");
    if (shown.innerHTML !== figures.innerHTML) shown.innerHTML = figures.innerHTML;
    if (queue().innerHTML !== table.innerHTML) queue().replaceWith(table);
    mark();
    if (table.dataset.handVersion && table.dataset.handVersion !== hand().dataset.version) await refreshHand();
    if (!inHand() && rows().length && !NARROW.matches) take(rows()[0].dataset.on, false);
    return true;
  }, IDLE_MS);

  // --- keys and clicks -----------------------------------------------------------------------------------------------------------
  window.quittanceKeys = [["j", "next"], ["k", "the one before"], ["1–9", "choose a proposal, ↵ takes it"], ["[", "from the oldest"], ["]", "window after"], ["space", "in the grid: fill the row"], ["d", "in the grid: its rest is a difference"], ["Ctrl ↵", "in the grid: allocate"]];
  const typing = (at) => at.closest?.("input:not([type=checkbox]), textarea, select");
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    const to = at < 0 ? Math.min(place, all.length - 1) : at + by;
    if (to >= all.length) return queue().querySelector("[rel=next]")?.click();
    if (to < 0) return queue().querySelector("[rel=prev]")?.click();
    take(all[to].dataset.on);
  };
  const inGrid = (event) => {
    const at = event.target, cell = at.matches("#grid tr[data-item] input.num");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && at.closest("#grid")) { grid().requestSubmit(); return true; }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (at.id === "items-q" && event.key === "ArrowDown") { grid().querySelector("tr[data-item] input.num")?.focus(); return true; }
    if (!cell) return false;
    const does = {
      " ": () => fillRow(at.closest("tr")), d: () => restAsDifference(at.closest("tr")),
      ArrowDown: () => stepRow(at, 1), ArrowUp: () => stepRow(at, -1), Enter: () => stepRow(at, 1),
    }[event.key];
    does?.();
    return Boolean(does);
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { for (const open of hand().querySelectorAll("details[open]")) open.open = false; return; }
    if (typing(event.target)) {
      if (inGrid(event)) event.preventDefault();
      else if (event.key === "Enter" && event.target.matches("#hand textarea") && !event.shiftKey) { event.preventDefault(); event.target.form.requestSubmit(); }
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const does = {
      j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
      "[": () => queue().querySelector("[rel=prev]")?.click(), "]": () => queue().querySelector("[rel=next]")?.click(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("#hand details[open]")) return;
    const box = event.target;
    if (box.querySelector("input:focus, textarea:focus, select:focus, button:focus")) return; // a key has been there first
    (box.querySelector("[data-first]") ?? box.querySelector("input:not([type=hidden]), textarea") ?? box.querySelector("select"))?.focus();
  }, true);
  desk.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-on]");
    if (!row) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || NARROW.matches) { if (!event.target.closest("a")) location.href = row.querySelector("a").href; return; }
    event.preventDefault();
    take(row.dataset.on, false);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("#filter select")) event.target.form.requestSubmit();
  });

  for (const word of ["cash", "again"]) document.body.addEventListener(`live:${word}`, look);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { look(); hold(); } });
  mark();
  fill();
  hold();
})();
