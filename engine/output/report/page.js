// The page: controls, cards, tables, downloads. Every text goes in through textContent.

const MOST_SCENES = 8;   // a browser keeps about 16 WebGL contexts; beyond this many runs a scene is drawn when asked for

// Only what works on the figure itself: Plotly's own list has tools that talk to a server.
const TOOLS = {
  surface: [["orbitRotation", "tableRotation", "zoom3d", "pan3d", "resetCameraDefault3d"]],
  contour: [["zoom2d", "pan2d", "resetScale2d"]],
  line: [["zoom2d", "pan2d", "resetScale2d"]],
};

const page = JSON.parse(document.getElementById("data").textContent);
const runs = page.runs.map(decodeRun);
const figures = [];   // {kind, run, element, waiting, drawn}
const controls = Object.fromEntries(["split", "log", "clip", "link"].map(id => [id, document.getElementById(id)]));
let followingCamera = false;

function make(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

function unionOf(ranges) {
  if (ranges.length === 0) return null;
  return {low: Math.min(...ranges.map(range => range.low)), high: Math.max(...ranges.map(range => range.high))};
}

/** What the controls ask for, with the scale that all runs share. */
function currentView() {
  const log = controls.log.checked;
  const split = controls.split.value;
  const range = lossRange(runs.filter(run => !run.isLine), split, log);
  const names = [...new Set(runs.flatMap(run => run.splits.map(one => one.name)))];
  const lineRanges = names.map(name => lossRange(runs.filter(run => run.isLine), name, log)).filter(Boolean);
  const lineRange = unionOf(lineRanges);
  const whole = unionOf([range, lineRange].filter(Boolean));
  return {split, log, range, lineRange, clip: clipLimit(whole, Number(controls.clip.value) / 100)};
}

/** The slider moves evenly in the logarithm where the losses allow it: most of a landscape is low. */
function clipLimit(range, share) {
  if (!range || share >= 1) return Infinity;
  const {low, high} = range;
  const step = Math.max(share, 0.02);
  return low > 0 ? low * (high / low) ** step : low + (high - low) * step;
}

function fileName(run, ending) {
  return (run.title.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._]+/, "").slice(0, 80) || "run") + ending;
}

function save(name, blob) {
  const link = make("a", {href: URL.createObjectURL(blob), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function saveImage(figure, format) {
  const url = await Plotly.toImage(figure.element, {format, width: 1000, height: 800, scale: format === "png" ? 2 : 1});
  const comma = url.indexOf(",");
  const body = url.slice(comma + 1);
  const bytes = url.slice(0, comma).endsWith("base64") ? Uint8Array.from(atob(body), c => c.charCodeAt(0)) : decodeURIComponent(body);
  const type = format === "png" ? "image/png" : "image/svg+xml";
  save(fileName(figure.run, "-" + figure.kind + "." + format), new Blob([bytes], {type}));
}

function button(label, action) {
  const element = make("button", {type: "button", textContent: label});
  element.addEventListener("click", action);
  return element;
}

function addFigure(panels, run, kind, waiting) {
  const element = make("div", {className: "figure " + kind});
  const figure = {kind, run, element, waiting};
  figures.push(figure);
  if (waiting) {
    const start = button("Draw the surface of this run", () => {
      figure.waiting = false;
      start.remove();
      draw();
    });
    element.append(start);
  }
  panels.append(make("div", {className: "panel"}, [element, make("div", {className: "buttons"}, [
    button("PNG", () => saveImage(figure, "png")), button("SVG", () => saveImage(figure, "svg"))])]));
}

function addCard(run) {
  const card = make("article", {className: "run"}, [make("h3", {textContent: run.title})]);
  const size = run.isLine ? run.full[0] + " points" : run.full[0] + " × " + run.full[1] + " points";
  card.append(make("p", {className: "note", textContent: run.stride === 1 ? size :
    size + "; this page holds every " + run.stride + ". point of each axis to stay small, surface.h5 holds all"}));
  const panels = make("div", {className: "panels"});
  card.append(panels);
  if (run.isLine) {
    addFigure(panels, run, "line", false);
  } else {
    const scenes = figures.filter(figure => figure.kind === "surface").length;
    if (run.x.length > 1 && run.y.length > 1) addFigure(panels, run, "surface", scenes >= MOST_SCENES);
    addFigure(panels, run, "contour", false);
  }
  card.append(make("div", {className: "buttons"}, [
    button("CSV of the data", () => save(fileName(run, ".csv"), new Blob([csvOf(run)], {type: "text/csv"})))]));
  document.getElementById("runs").append(card);
}

function fillNumbers(view) {
  const table = document.getElementById("numbers");
  const heads = ["run", "split", "least loss", "at", "loss at 0", "accuracy at 0 (%)", "points", "computed", "not finite", "samples"];
  const rows = [];
  for (const run of runs) {
    for (const split of run.splits) {
      if (!run.isLine && split.name !== view.split) continue;
      const key = keyNumbers(run, split);
      rows.push([run.title, split.name, shortNumber(key.minimum), key.minimumAt, shortNumber(key.origin),
                 shortNumber(key.originAccuracy), key.points, key.computed, key.notFinite, key.samples]);
    }
  }
  const line = (cells, tag) => make("tr", {}, cells.map(cell => make(tag, {textContent: String(cell)})));
  table.replaceChildren(make("thead", {}, [line(heads, "th")]), make("tbody", {}, rows.map(row => line(row, "td"))));
}

function fillProvenance() {
  const section = document.getElementById("provenance");
  for (const run of runs) {
    for (const [label, text] of [["resolved configuration", run.config], ["provenance", run.provenance]]) {
      if (!text) continue;
      section.append(make("details", {}, [make("summary", {textContent: run.title + ": " + label}), make("pre", {textContent: text})]));
    }
  }
}

/** Turns the other scenes the same way. */
async function followCamera(source, change) {
  const camera = change["scene.camera"];
  if (!camera || followingCamera || !controls.link.checked) return;
  followingCamera = true;
  const others = figures.filter(figure => figure.kind === "surface" && figure !== source && !figure.waiting && figure.drawn);
  try {
    await Promise.all(others.map(figure => Plotly.relayout(figure.element, {"scene.camera": camera})));
  } finally {
    followingCamera = false;
  }
}

function figureOf(figure, view, theme) {
  if (figure.kind === "line") return lineFigure(figure.run, view, theme);
  const split = findSplit(figure.run, view.split);
  if (!split) return {data: [], layout: baseLayout(theme)};
  return figure.kind === "surface" ? surfaceFigure(figure.run, split, view, theme) : contourFigure(figure.run, split, view, theme);
}

/** What the figures hold, read back from Plotly: for scripts and tests. */
function describeDrawn() {
  const described = figures.filter(figure => figure.drawn).map(figure => {
    const trace = figure.element.data[0];
    const values = trace ? (trace.z ? trace.z.flat() : trace.y) : [];
    const known = values.filter(value => value !== null);
    return {kind: figure.kind, run: runs.indexOf(figure.run), type: trace?.type, points: values.length, gaps: values.length - known.length,
            sum: known.reduce((sum, value) => sum + value, 0), first: values[0], last: values.at(-1)};
  });
  document.getElementById("drawn").textContent = JSON.stringify({figures: described});
}

async function draw() {
  const view = currentView();
  const theme = currentTheme();
  document.getElementById("clip-value").textContent = Number.isFinite(view.clip) ? shortNumber(view.clip) : "off";
  for (const figure of figures) {
    if (figure.waiting) continue;
    const {data, layout} = figureOf(figure, view, theme);
    const camera = figure.drawn ? figure.element.layout.scene?.camera : undefined;
    if (camera && layout.scene) layout.scene.camera = camera;
    await Plotly.react(figure.element, data, layout, {responsive: true, displaylogo: false, modeBarButtons: TOOLS[figure.kind]});
    if (figure.kind === "surface" && !figure.drawn) {
      figure.element.on("plotly_relayouting", change => followCamera(figure, change));
      figure.element.on("plotly_relayout", change => followCamera(figure, change));
    }
    figure.drawn = true;
  }
  fillNumbers(view);
  describeDrawn();
}

/** report.html#split=test&log=1&clip=60 opens with these settings. */
function readAddress() {
  const wanted = new URLSearchParams(window.location.hash.slice(1));
  if ([...controls.split.options].some(option => option.value === wanted.get("split"))) controls.split.value = wanted.get("split");
  controls.log.checked = wanted.get("log") === "1";
  if (wanted.get("clip")) controls.clip.value = wanted.get("clip");
}

function start() {
  const several = runs.length > 1;
  document.getElementById("title").textContent = several ? "Loss landscapes" : runs[0]?.title ?? "Loss landscape";
  document.getElementById("subtitle").textContent = several ? runs.length + " runs on one scale" : "Loss landscape";
  const names = [...new Set(runs.flatMap(run => run.splits.map(split => split.name)))];
  controls.split.append(...names.map(name => make("option", {value: name, textContent: name})));
  const planes = runs.filter(run => !run.isLine);
  controls.split.closest("label").hidden = planes.length === 0;
  document.getElementById("link-label").hidden = planes.length < 2;
  readAddress();
  runs.forEach(addCard);
  fillProvenance();
  let scheduled = false;
  const later = () => {   // a slider fires faster than a scene draws
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => { scheduled = false; draw(); });
  };
  for (const control of Object.values(controls)) control.addEventListener("input", later);
  document.getElementById("controls").addEventListener("submit", event => event.preventDefault());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  draw();
}

start();
