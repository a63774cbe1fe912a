// The page: what the controls ask for, drawing, start.

// Only what works on the figure itself: Plotly's own list has tools that talk to a server.
const TOOLS = {
  surface: [["orbitRotation", "tableRotation", "zoom3d", "pan3d", "resetCameraDefault3d"]],
  contour: [["zoom2d", "pan2d", "resetScale2d"]],
  line: [["zoom2d", "pan2d", "resetScale2d"]],
  curves: [["zoom2d", "pan2d", "resetScale2d"]],
};

const page = JSON.parse(document.getElementById("data").textContent);
const runs = page.runs.map(decodeRun);
const figures = [];   // {kind, run, element, curves, waiting, drawn}
const controls = Object.fromEntries(["split", "log", "clip", "path", "link"].map(id => [id, document.getElementById(id)]));
let followingCamera = false;

function unionOf(ranges) {
  if (ranges.length === 0) return null;
  return {low: Math.min(...ranges.map(range => range.low)), high: Math.max(...ranges.map(range => range.high))};
}

/** What the controls ask for, with the scale that all runs share. */
function currentView() {
  const log = controls.log.checked;
  const split = controls.split.value;
  const range = lossRange(runs.filter(run => run.isPlane), split, log);
  const names = [...new Set(runs.flatMap(run => run.splits.map(one => one.name)))];
  const lineRanges = names.map(name => lossRange(runs.filter(run => run.isLine), name, log)).filter(Boolean);
  const lineRange = unionOf(lineRanges);
  const whole = unionOf([range, lineRange].filter(Boolean));
  const view = {split, log, range, lineRange, path: controls.path.value, clip: clipLimit(whole, Number(controls.clip.value) / 100)};
  return Object.assign(view, pathRange(runs, view));
}

/** The slider moves evenly in the logarithm where the losses allow it: most of a landscape is low. */
function clipLimit(range, share) {
  if (!range || share >= 1) return Infinity;
  const {low, high} = range;
  const step = Math.max(share, 0.02);
  return low > 0 ? low * (high / low) ** step : low + (high - low) * step;
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
  if (figure.kind === "curves") return curvesFigure(figure.curves, view, theme);
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

/** report.html#split=test&log=1&clip=60&path=own opens with these settings. */
function readAddress() {
  const wanted = new URLSearchParams(window.location.hash.slice(1));
  if ([...controls.split.options].some(option => option.value === wanted.get("split"))) controls.split.value = wanted.get("split");
  controls.log.checked = wanted.get("log") === "1";
  if (wanted.get("clip")) controls.clip.value = wanted.get("clip");
  if ([...controls.path.options].some(option => option.value === wanted.get("path"))) controls.path.value = wanted.get("path");
}

function start() {
  const several = runs.length > 1;
  document.getElementById("title").textContent = several ? "Loss landscapes" : runs[0]?.title ?? "Loss landscape";
  const names = [...new Set(runs.flatMap(run => run.splits.map(split => split.name)))];
  controls.split.append(...names.map(name => make("option", {value: name, textContent: name})));
  const planes = runs.filter(run => run.isPlane);
  document.getElementById("subtitle").textContent = several ? runs.length + " runs" + (planes.length > 1 ? " on one scale" : "") : "Loss landscape";
  controls.split.closest("label").hidden = planes.length === 0;
  controls.clip.closest("label").hidden = !runs.some(run => run.hasSurface);
  controls.path.closest("label").hidden = !runs.some(run => run.isPlane && run.plane);
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
