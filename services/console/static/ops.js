// Draws the charts of the ops page from /ops/charts.json, in the colours of the style sheet, and fills the tables beside them.
"use strict";
(() => {
  const places = [...document.querySelectorAll("[data-chart]")];
  if (!places.length || !window.echarts) return;
  const THEME = matchMedia("(prefers-color-scheme: dark)");
  const QUIET_MS = 4500; // the console looks every five seconds
  const TONES = { met: "--ok", "met after escalation": "--warn", breached: "--bad", p50: "--ink-3", p99: "--accent" };
  const OTHERS = ["--accent", "--ink-3", "--ink-2", "--edge", "--ink"]; // colour is state: lines differ by shade and stroke
  const STROKES = ["solid", [6, 3], [2, 3], [8, 3, 2, 3], "solid"]; // p50 and p99 are told apart by their place
  const ZONE = document.getElementById("charts").dataset.zone;
  let found = null, asking = false, askedAt = 0;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const time = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: ZONE });
  const figure = (value) => (value == null ? "–" : value.toLocaleString("en-GB", { maximumFractionDigits: 1 }));
  const tone = (name, n) => colour(TONES[name] ?? OTHERS[n % OTHERS.length]);

  function line(place, data, name, n) {
    const bars = place.dataset.kind === "bar";
    const drawn = {
      name, type: bars ? "bar" : "line", data: data.lines[name].map((value, i) => [data.at[i], value]),
      stack: bars ? "all" : undefined, barMaxWidth: 26, showSymbol: false, symbol: "none", connectNulls: false, animation: false,
      lineStyle: { width: 1.5, type: place.dataset.unit ? "solid" : STROKES[n % STROKES.length] }, itemStyle: { color: tone(name, n) },
      // Pattern as well as colour where bars stand on each other.
      ...(bars && n > 0 ? { itemStyle: { color: tone(name, n), decal: { symbol: n > 1 ? "circle" : "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.8, color: "rgba(0,0,0,.25)" } } } : {}),
      ...(name === "received" || name === "p99" ? { areaStyle: { opacity: 0.08 } } : {}),
    };
    if (n === 0 && data.budget != null && reaches(data)) {
      drawn.markLine = {
        silent: true, symbol: "none", animation: false, data: [{ yAxis: data.budget }],
        lineStyle: { color: colour("--bad"), type: [4, 4], width: 1 },
        label: { formatter: `budget ${figure(data.budget)}`, color: colour("--bad"), position: "insideEndTop" },
      };
    }
    return drawn;
  }

  // A budget far above everything would press the line onto the axis: it is drawn when the line comes near, or is small.
  const highest = (data) => Math.max(0, ...Object.values(data.lines).flat().filter((value) => value != null));
  const reaches = (data) => data.budget <= 100 || highest(data) * 4 >= data.budget;

  const rounded = (top) => {
    const step = 10 ** Math.floor(Math.log10(top)) / 2;
    return Math.ceil(top / step) * step;
  };

  function options(place, data) {
    const names = Object.keys(data.lines), ink = colour("--ink-3"), soft = colour("--line-soft");
    const top = data.budget != null && reaches(data) ? rounded(Math.max(data.budget * 1.2, highest(data) * 1.05)) : null;
    return {
      animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      grid: { left: 46, right: 12, top: 26, bottom: 22 },
      // A bar's key is a patch, a line's is the line itself, with its stroke.
      legend: { show: names.length > 1, top: 0, right: 0, itemHeight: 8, ...(place.dataset.kind === "bar" ? { itemWidth: 14, icon: "roundRect" } : { itemWidth: 28 }), textStyle: { color: colour("--ink-2") } },
      // Drawn on the canvas: the page's policy lets no script write markup.
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("--card"), borderColor: colour("--line"),
        textStyle: { color: colour("--ink"), fontSize: 12 },
        formatter: (points) => [time(points[0].axisValue), ...points.map((p) => `${p.seriesName}  ${figure(p.value[1])}${place.dataset.unit ? ` ${place.dataset.unit}` : ""}`)].join("\n"),
      },
      xAxis: { type: "time", minInterval: 60000, axisLine: { lineStyle: { color: soft } }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: ink, formatter: time, hideOverlap: true } },
      yAxis: { type: "value", min: 0, max: top ?? undefined, minInterval: place.dataset.unit ? 0 : 1, splitNumber: 3, axisLabel: { color: ink, formatter: figure }, splitLine: { lineStyle: { color: soft } } },
      series: names.map((name, n) => line(place, data, name, n)),
    };
  }

  function say(place, data) {
    const last = Object.entries(data.lines).map(([name, values]) => `${name} ${figure(values.filter((v) => v != null).at(-1))}`);
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", `${place.dataset.title}: last ${last.join(", ")}. The figures are in the table below.`);
  }

  function draw(place) {
    const data = found[place.dataset.chart];
    const values = Object.values(data.lines).flat().filter((value) => value != null);
    place.classList.toggle("nothing", !values.length);
    if (!values.length) {
      echarts.getInstanceByDom(place)?.dispose();
      place.textContent = "Nothing to draw yet.";
      place.removeAttribute("role");
      return;
    }
    const chart = echarts.getInstanceByDom(place) ?? (place.replaceChildren(), echarts.init(place, null, { renderer: "canvas" }));
    chart.setOption(options(place, data), { notMerge: true });
    say(place, data);
  }

  function cell(row, text, tag = "td", number = true) {
    const made = row.appendChild(document.createElement(tag));
    made.textContent = text;
    if (number) made.className = "num";
  }

  function table(place) {
    const data = found[place.dataset.table], names = Object.keys(data.lines);
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    cell(head, "Time", "th", false);
    for (const name of names) cell(head, name, "th");
    const body = made.createTBody();
    for (let i = data.at.length - 1; i >= 0; i--) {
      const row = body.insertRow();
      cell(row, time(data.at[i]), "td", false);
      for (const name of names) cell(row, figure(data.lines[name][i]));
    }
    place.replaceChildren(made);
  }

  const openTables = () => [...document.querySelectorAll("[data-table]")].filter((place) => place.closest("details").open);
  function show() {
    if (!found) return;
    places.forEach(draw);
    openTables().forEach(table);
  }

  async function ask() {
    if (asking || Date.now() - askedAt < QUIET_MS) return;
    asking = true;
    try {
      const answer = await fetch("/ops/charts.json", { headers: { "Quittance-Live": "1" } });
      if (answer.ok) { found = await answer.json(); askedAt = Date.now(); show(); }
    } catch { /* the pill in the heading says that the page is stale */ } finally { asking = false; }
  }

  for (const word of ["live:ops", "live:again"]) document.body.addEventListener(word, ask);
  THEME.addEventListener("change", show);
  new ResizeObserver(() => places.forEach((place) => echarts.getInstanceByDom(place)?.resize())).observe(document.getElementById("main"));
  document.addEventListener("toggle", (event) => { if (event.target.tagName === "DETAILS") show(); }, true);
  ask();
})();
