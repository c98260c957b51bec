// What the desks do alike: ask for fragments, look again when something changed, say who has what in hand. A page that uses it loads
// it before its own file; nothing here knows what is worked on.
const atDesk = (() => {
  "use strict";
  const AGAIN_MS = 200; // between two looks at the queue: with the way of a change to the page well below half a second
  const RETRY_MS = 2000; // a look that got no answer is taken again
  const HOLD_AFTER_MS = 1000, HOLD_EVERY_MS = 15000; // who stays with something has it in hand; who steps past it does not
  const LIVE = { "Quittance-Live": "1", "HX-Request": "true" };

  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
  const fetched = async (path) => {
    try {
      const answer = await fetch(path, { headers: { ...LIVE, "HX-Current-URL": location.href } });
      if (answer.status === 401) { location.reload(); return null; }
      return answer.ok ? await answer.text() : null;
    } catch { return null; } // the stream's pill says since when
  };
  // What was fetched is of a later moment than the page: the pill in the heading says which.
  const renewNow = (made) => {
    const was = document.getElementById("as-of"), now = made.getElementById("as-of");
    if (was && now) was.replaceWith(now);
  };
  const posted = async (path, body) => {
    try {
      const answer = await fetch(path, { method: "POST", body, headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      if (answer.status === 401) location.reload();
      return await answer.text();
    } catch {
      return '<p class="notice bad outcome" role="alert"><b>The console does not answer.</b> Send it again in a moment: it counts once.</p>';
    }
  };

  // `once` looks, and says whether it saw anything; what is asked for while it looks is looked for afterwards.
  const paced = (once, idleMs) => {
    let looking = false, again = false, lookedAt = 0, timer = 0;
    const look = () => {
      if (looking) { again = true; return; }
      clearTimeout(timer);
      timer = setTimeout(lookNow, Math.max(0, lookedAt + AGAIN_MS - performance.now()));
    };
    const lookNow = async () => {
      let nextMs = RETRY_MS;
      looking = true; again = false; lookedAt = performance.now();
      try {
        if (await once()) nextMs = idleMs;
      } finally {
        looking = false;
        clearTimeout(timer);
        timer = setTimeout(lookNow, nextMs);
        if (again) look();
      }
    };
    timer = setTimeout(lookNow, idleMs);
    return look;
  };

  // `fill` writes into the form what is in hand, and says whether it may be worked on.
  const holder = (fill) => {
    const holding = document.getElementById("holding");
    let timer = 0;
    const hold = () => { clearTimeout(timer); timer = setTimeout(holdNow, HOLD_AFTER_MS); };
    const holdNow = () => {
      clearTimeout(timer);
      if (!holding || document.hidden || !fill(holding.elements)) return;
      fetch(holding.action, { method: "POST", body: new URLSearchParams(new FormData(holding)), headers: LIVE }).catch(() => {});
      timer = setTimeout(holdNow, HOLD_EVERY_MS);
    };
    return hold;
  };

  return { parsed, fetched, renewNow, posted, paced, holder };
})();
