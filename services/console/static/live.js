// One stream of "what changed" per page (served at the address in <body data-live>), and the pill that says how fresh the page is.
//
// An event `changed` carries a JSON list of words; each becomes a DOM event `live:<word>` on the body (`account/4711` is `live:account`
// as well), which fragments wait for:
//   <div hx-get="/desk/queue" hx-trigger="live:queue from:body" hx-headers='{"Quittance-Live": "1"}'>
// No word comes more often than EVERY_MS, and its last change is always told (htmx's own `throttle` would drop that one).
// The page says under which id it was made, so that what changed before its stream was open is told as well.
// After a break everything is asked for again (`live:*` words the page listens to are unknown here, so all get `live:again`).
"use strict";
(() => {
  const address = document.body.dataset.live;
  const pill = document.querySelector("[data-live]:not(body)");
  if (!address || !pill) return;
  const QUIET_MS = 40000; // two heartbeats and a half: then the line is dead, whatever the browser thinks
  const HIDDEN_MS = 60000; // browsers allow six connections a site: a tab nobody looks at gives its own back
  const EVERY_MS = Number(document.body.dataset.every ?? 300); // the desk keeps a pace of its own, and wants words sooner
  let since = pill.dataset.heard; // the last id that this page knows of
  let source = null, heardAt = Date.now(), retryMs = 1000, hiddenTimer = 0, staleSince = null;

  const time = (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const show = (text, state) => {
    pill.hidden = false;
    if (pill.textContent !== text) pill.textContent = text;
    pill.classList.toggle("live", state === "live");
    pill.classList.toggle("stale", state === "stale");
    document.body.classList.toggle("stale-page", state === "stale");
  };
  const told = new Map(); // word -> when, and the timer of what came too soon
  const tell = (word) => {
    const last = told.get(word) ?? { at: -EVERY_MS, timer: 0 };
    if (last.timer) return;
    last.timer = setTimeout(() => {
      told.set(word, { at: performance.now(), timer: 0 });
      document.body.dispatchEvent(new CustomEvent(`live:${word}`));
    }, Math.max(0, last.at + EVERY_MS - performance.now()));
    told.set(word, last);
  };
  const heard = (event) => {
    since = event.lastEventId;
    heardAt = Date.now();
    if (staleSince) { staleSince = null; tell("again"); }
    retryMs = 1000;
    show("live", "live");
  };
  const stale = () => {
    staleSince ??= new Date(heardAt);
    show(`stale since ${time(staleSince)}, retrying`, "stale");
  };
  const close = () => { source?.close(); source = null; };
  const open = () => {
    close();
    source = new EventSource(`${address}&since=${encodeURIComponent(since)}`);
    source.addEventListener("beat", heard);
    source.addEventListener("behind", stale); // the console answers, but nobody brings its tables up to date
    source.addEventListener("ended", () => location.reload()); // the session is over: the page asks to sign in
    source.addEventListener("changed", (event) => {
      heard(event);
      for (const word of JSON.parse(event.data)) {
        tell(word);
        if (word.includes("/")) tell(word.split("/")[0]); // htmx takes no slash in the name of an event
      }
    });
    source.onerror = () => {
      stale();
      close();
      setTimeout(open, retryMs);
      retryMs = Math.min(retryMs * 2, 15000);
    };
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_MS);
    else if (!source) { open(); tell("again"); }
  });
  setInterval(() => {
    if (source && Date.now() - heardAt > QUIET_MS) { stale(); open(); }
  }, 5000);
  window.addEventListener("pagehide", close);
  open();
})();
