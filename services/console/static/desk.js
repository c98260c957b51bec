// The release desk with keys and without reloads. All of it works without this file; here it only gets faster:
//   j k ↓ ↑   the next and the last order in hand        b   mark it for all-at-once        [ ]   the windows before and after
//   r u x n a s t g o   what may be done (their buttons carry data-key, keys.js presses them)
// When something changed (live:desk, live:day) the page asks for the queue again and touches only rows that differ; the order in
// hand stays in hand, and nobody loses what they are typing.
"use strict";
(() => {
  const desk = document.getElementById("desk");
  if (!desk) return;
  const IDLE_MS = 20000; // clocks run on when nothing else happens
  const { parsed, fetched, renewNow, posted, paced, holder } = atDesk;
  const NARROW = matchMedia("(max-width: 760px)");

  const queue = () => document.getElementById("queue");
  const hand = () => document.getElementById("hand");
  const rows = () => [...queue().querySelectorAll("tr[data-order]")];
  const inHand = () => hand().dataset.order;
  const rowOf = (order) => queue().querySelector(`tr[data-order="${CSS.escape(order)}"]`);

  // --- the order in hand ---------------------------------------------------------------------------------------------
  let place = 0; // where it stands, so that its neighbour is next when it leaves
  const mark = () => {
    for (const row of rows()) row.setAttribute("aria-selected", row.dataset.order === inHand() ? "true" : "false");
    const at = rows().findIndex((row) => row.dataset.order === inHand());
    if (at >= 0) place = at;
    for (const field of hand().querySelectorAll("input[name=next]")) field.value = neighbour();
  };
  const neighbour = () => {
    const all = rows(), at = all.findIndex((row) => row.dataset.order === inHand());
    const next = at < 0 ? all[Math.min(place, all.length - 1)] : all[at + 1] || all[at - 1];
    return next ? next.dataset.order : "";
  };
  let asked = "", asking = null;
  const take = (order, scroll = true) => {
    if (!order) return;
    asked = order;
    const row = rowOf(order);
    for (const each of rows()) each.setAttribute("aria-selected", each === row ? "true" : "false");
    if (row && scroll) row.scrollIntoView({ block: "nearest" });
    clearTimeout(asking);
    asking = setTimeout(show, 60); // a held key passes many orders; only where it rests is asked for
  };
  const show = async () => {
    const order = asked;
    const text = await fetched(`/desk/hand?order=${encodeURIComponent(order)}`);
    if (text === null || order !== asked) return;
    replaceHand(text);
    history.replaceState(null, "", address({ order }));
    desk.classList.add("chosen");
    hold();
  };
  const replaceHand = (text) => {
    const made = parsed(text).getElementById("hand");
    if (!made) return;
    hand().replaceWith(made);
    sameClock(clockInHand(), clockInRow());
    mark();
  };
  // The same order again: parts change one by one; what somebody is filling in stays.
  const refreshHand = async () => {
    const order = inHand();
    if (!order) return;
    const text = await fetched(`/desk/hand?order=${encodeURIComponent(order)}`);
    if (text === null || inHand() !== order) return;
    merge(parsed(text).getElementById("hand"));
  };
  const merge = (made) => {
    const mine = hand(), busy = mine.querySelector("details[open]");
    if (!made) return;
    for (const part of ["head", "acts", "body"]) {
      const was = mine.querySelector(`[data-part=${part}]`), now = made.querySelector(`[data-part=${part}]`);
      if (part === "acts" && busy) continue; // even when it waits no more: the answer will say who was first
      if (was && now) { if (was.innerHTML !== now.innerHTML) was.replaceWith(now); }
      else if (was) was.remove();
      else if (now) mine.append(now);
    }
    mine.dataset.version = made.dataset.version;
    sameClock(clockInHand(), clockInRow());
    mark();
  };
  // The order in hand shows its clock twice, each fetched at its own moment: the newer one is written over the other.
  const clockInHand = () => hand().querySelector("[data-part=head] .clock");
  const clockInRow = () => rowOf(inHand())?.querySelector(".clock");
  const sameClock = (newer, older) => {
    if (!newer || !older || newer.innerHTML === older.innerHTML) return;
    older.className = newer.className;
    older.style.cssText = newer.style.cssText;
    older.innerHTML = newer.innerHTML;
  };

  // --- doing something to it --------------------------------------------------------------------------------------------
  // A form that was sent closes at once, so that the next key is a key again; its answer never takes away what was begun since.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("#hand form");
    if (!form || event.defaultPrevented) return;
    event.preventDefault();
    send(form);
  });
  const send = async (form) => {
    const order = inHand(), body = new URLSearchParams(new FormData(form)), box = form.closest("details");
    if (box) box.open = false;
    document.activeElement?.blur();
    hand().classList.add("sending");
    const text = await posted(form.action, body);
    hand().classList.remove("sending");
    arrive(text, order, body);
  };
  const arrive = (text, order, body) => {
    const made = parsed(text).getElementById("hand");
    const news = made ? made.querySelector("[data-part=news]") : null;
    if (!made) tellNews(text);
    else if (inHand() !== order) tellNews(news.innerHTML);
    else if (hand().querySelector("details[open]")) { tellNews(news.innerHTML); if (made.dataset.order === order) merge(made); }
    else replaceHand(text);
    if (inHand() === order && hand().querySelector(".outcome.bad")) reopen(body);
    if (inHand()) history.replaceState(null, "", address({ order: inHand() }));
    hold();
    look();
  };
  const tellNews = (html) => { const news = hand().querySelector("[data-part=news]"); if (news) news.innerHTML = html; };
  const reopen = (body) => {
    if (hand().querySelector("details[open]")) return;
    const form = [...hand().querySelectorAll("details form")].find((each) => each.elements.do.value === body.get("do"));
    if (!form) return;
    for (const name of ["text", "part", "owner", "level", "rank"]) if (form.elements[name] && body.has(name)) form.elements[name].value = body.get(name);
    form.closest("details").open = true;
  };

  // --- who has it -------------------------------------------------------------------------------------------------------
  const hold = holder((fields) => { fields.order.value = inHand() ?? ""; return hand().querySelector("[data-part=acts]"); });

  // --- the queue, when something changed -----------------------------------------------------------------------------
  const look = paced(async () => {
    const made = parsed((await fetched(rowsAddress())) ?? "");
    const figures = made.getElementById("figures"), table = made.getElementById("queue");
    if (!figures || !table) return false;
    renewNow(made);
    replaceIfOther(document.getElementById("figures"), figures);
    renew(table);
    sameClock(clockInRow(), clockInHand());
    const unseen = clockInHand() && !clockInRow(); // its row is in another window, and only the order itself says how late it is
    if (unseen || (table.dataset.handVersion && table.dataset.handVersion !== hand().dataset.version)) await refreshHand();
    if (!inHand() && rows().length && !NARROW.matches) take(rows()[0].dataset.order, false);
    return true;
  }, IDLE_MS);
  const replaceIfOther = (was, now) => { if (was.innerHTML !== now.innerHTML) was.innerHTML = now.innerHTML; };
  const plain = (row) => row.outerHTML.replace(/ aria-selected="\w+"/, "").replace(/ class="arrived"/, "").replace(/ style="--used: \d+%"/, "");
  const renew = (table) => {
    const here = queue(), mine = here.querySelector("tbody"), theirs = table.querySelector("tbody");
    if (!mine || !theirs || here.dataset.address !== table.dataset.address) { keepMarks(here, table); here.replaceWith(table); mark(); return; }
    const was = new Map(rows().map((row) => [row.dataset.order, row]));
    const marked = new Set([...here.querySelectorAll("input[name=order]:checked")].map((box) => box.value));
    let before = null; // the row after which the next one belongs
    for (const now of [...theirs.children]) {
      const old = was.get(now.dataset.order);
      let row = old;
      if (!old) { now.className = "arrived"; row = now; }
      else if (plain(old) !== plain(now)) { row = now; const box = now.querySelector("input[name=order]"); if (box) box.checked = marked.has(box.value); old.replaceWith(now); }
      was.delete(now.dataset.order);
      const after = before ? before.nextElementSibling : mine.firstElementChild;
      if (after !== row) mine.insertBefore(row, after);
      before = row;
    }
    for (const gone of was.values()) gone.remove();
    const ways = here.querySelector(".windows"), waysNow = table.querySelector(".windows");
    if (ways && waysNow) replaceIfOther(ways, waysNow);
    here.dataset.handVersion = table.dataset.handVersion ?? "";
    mark();
    counted();
  };
  const keepMarks = (was, now) => {
    for (const box of was.querySelectorAll("input[name=order]:checked")) {
      const same = now.querySelector(`input[name=order][value="${CSS.escape(box.value)}"]`);
      if (same) same.checked = true;
    }
  };

  // --- asking ------------------------------------------------------------------------------------------------------------
  const address = (changed) => {
    const query = new URLSearchParams(queue().dataset.address.split("?")[1] ?? "");
    for (const [name, value] of Object.entries(changed)) query.set(name, value);
    return `/desk?${query}`;
  };
  const rowsAddress = () => address({ order: inHand() }).replace("/desk?", "/desk/rows?");

  // --- all that are marked ----------------------------------------------------------------------------------------------
  const counted = () => {
    const bulk = document.getElementById("bulk");
    if (!bulk) return;
    const count = queue().querySelectorAll("input[name=order]:checked").length;
    bulk.classList.toggle("some", count > 0);
    bulk.querySelector("[data-marked]").textContent = count === 1 ? "1 marked" : `${count} marked`;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("#queue input[name=order]")) counted();
    if (event.target.matches("#filter select")) event.target.form.requestSubmit();
  });

  // --- keys and clicks ---------------------------------------------------------------------------------------------------
  window.quittanceKeys = [["j", "next order"], ["k", "order before"], ["b", "mark it for all at once"], ["[", "window before"], ["]", "window after"]];
  const typing = (at) => at.closest?.("input:not([type=checkbox]), textarea, select");
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    const to = at < 0 ? Math.min(place, all.length - 1) : at + by;
    if (to >= all.length) return queue().querySelector("[rel=next]")?.click();
    if (to < 0) return queue().querySelector("[rel=prev]")?.click();
    take(all[to].dataset.order);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") { closeActs(); return; }
    if (typing(event.target)) {
      if (event.key === "Enter" && event.target.matches("#hand textarea") && !event.shiftKey) {
        event.preventDefault();
        event.target.form.requestSubmit();
      }
      return;
    }
    const does = {
      j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
      b: () => rowOf(inHand())?.querySelector("input[name=order]")?.click(),
      "[": () => queue().querySelector("[rel=prev]")?.click(), "]": () => queue().querySelector("[rel=next]")?.click(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });
  const closeActs = () => { for (const open of hand().querySelectorAll("details[open]")) open.open = false; };
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("#hand details[open]")) {
      const form = event.target;
      if (form.querySelector("input:focus, textarea:focus, select:focus")) return; // a key has been there first, and somebody types
      (form.querySelector("[data-first]") ?? form.querySelector("input:not([type=hidden]), textarea") ?? form.querySelector("select"))?.focus();
    }
  }, true);
  desk.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-order]");
    if (!row || event.target.closest("input, label")) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || NARROW.matches) { if (!event.target.closest("a")) location.href = row.querySelector("a").href; return; }
    event.preventDefault();
    take(row.dataset.order, false);
  });

  for (const word of ["desk", "day", "again"]) document.body.addEventListener(`live:${word}`, look);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { look(); hold(); } });
  mark();
  counted();
  hold();
})();
