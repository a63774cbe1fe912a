// The cards of the runs: figures, tables, downloads. Every text goes in through textContent.

const MOST_SCENES = 8;   // a browser keeps about 16 WebGL contexts; beyond this many runs a scene is drawn when asked for

function make(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

function button(label, action) {
  const element = make("button", {type: "button", textContent: label});
  element.addEventListener("click", async () => {
    try {
      await action();
    } catch (error) {
      window.alert(error.message);
    }
  });
  return element;
}

function fileName(run, ending) {
  return (run.title.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._]+/, "").slice(0, 80) || "run") + ending;
}

function save(name, content, type = "application/octet-stream") {
  const blob = content instanceof Blob ? content : new Blob([content], {type});
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
  save(fileName(figure.run, "-" + figure.kind + "." + format), bytes, format === "png" ? "image/png" : "image/svg+xml");
}

function addFigure(panels, run, kind, more = {}) {
  const element = make("div", {className: "figure " + kind});
  const figure = {kind, run, element, ...more};
  figures.push(figure);
  if (figure.waiting) {
    const start = button("Draw the surface of this run", () => {
      figure.waiting = false;
      start.remove();
      return draw();
    });
    element.append(start);
  }
  const buttons = [button("PNG", () => saveImage(figure, "png")), button("SVG", () => saveImage(figure, "svg"))];
  if (kind === "curves") {
    buttons.push(button("CSV", () => save(fileName(run, "-curves.csv"), csvOfTable(curvesTable(figure.curves)), "text/csv")));
  }
  panels.append(make("div", {className: "panel"}, [element, make("div", {className: "buttons"}, buttons)]));
}

/** A mesh of the split, clip and scale that are shown. */
function saveMesh(run, ending, write, solid = false) {
  const view = currentView();
  const split = findSplit(run, view.split);
  if (!split) throw new Error("This run has no split of that name.");
  save(fileName(run, "-" + split.name.replace(/[^A-Za-z0-9_-]+/g, "_") + "." + ending), write(meshOf(run, split, view, solid), split.name));
}

function downloadsOf(run) {
  const buttons = [
    button("CSV of the data", () => save(fileName(run, ".csv"), csvOf(run), "text/csv")),
    button("npz", async () => save(fileName(run, ".npz"), await npzOf(run)))];
  if (run.x.length > 1 && run.y.length > 1) {
    buttons.push(button("VTP (ParaView)", () => saveMesh(run, "vtp", vtpOf)), button("OBJ", () => saveMesh(run, "obj", objOf)),
                 button("STL (to print)", () => saveMesh(run, "stl", stlOf, true)), button("glTF", () => saveMesh(run, "gltf", gltfOf)));
  }
  return make("div", {className: "buttons"}, buttons);
}

const isNumeric = cell => typeof cell === "number" || /^[-+]?[\d.,]+(e[-+]?\d+)?( ?%)?$|^$|^[-–]$|^-?(∞|inf|nan)$/i.test(cell);

/** Columns of numbers stand at the right. */
function fillTable(table, heads, rows) {
  const numeric = heads.map((_, k) => rows.every(row => isNumeric(row[k])));
  const line = (cells, tag) => make("tr", {}, cells.map((cell, k) => make(tag, {
    textContent: typeof cell === "number" ? shortNumber(cell) : cell, title: String(cell), className: numeric[k] ? "number" : ""})));
  table.replaceChildren(make("thead", {}, [line(heads, "th")]), make("tbody", {}, rows.map(row => line(row, "td"))));
  return table;
}

function addTable(card, run, title, table, ending) {
  card.append(make("h4", {textContent: title}), make("div", {className: "scroll"}, [fillTable(make("table"), table.heads, table.rows)]),
              make("div", {className: "buttons"}, [button("CSV", () => save(fileName(run, ending), csvOfTable(table), "text/csv"))]));
}

function addPaths(card, run) {
  for (const path of run.plane.runs) {
    if (path.captured === undefined) continue;
    const whose = path.label ? "the path of " + path.label : "the path";
    card.append(make("p", {className: "note", textContent: (100 * path.captured).toFixed(1) + " % of the squared length of " + whose + " lies in the plane."}));
  }
  for (const note of run.plane.notes) card.append(make("p", {className: "note", textContent: note}));
  addTable(card, run, "How far the plane can be trusted: each checkpoint and its projection", fidelityTable(run), "-path.csv");
}

function sizeOf(run) {
  const size = run.full.join(" × ") + " points";
  return run.stride === 1 ? size :
    size + "; this page and its downloads hold every " + run.stride + ". point of each axis to stay small, surface.h5 and lossmap export have all";
}

function addCard(run) {
  const card = make("article", {className: "run"}, runs.length > 1 ? [make("h3", {textContent: run.title})] : []);
  if (run.hasSurface) card.append(make("p", {className: "note", textContent: sizeOf(run)}));
  const panels = make("div", {className: "panels"});
  card.append(panels);
  if (run.isLine) addFigure(panels, run, "line");
  if (run.isPlane) {
    const scenes = figures.filter(figure => figure.kind === "surface").length;
    if (run.x.length > 1 && run.y.length > 1) addFigure(panels, run, "surface", {waiting: scenes >= MOST_SCENES});
    addFigure(panels, run, "contour");
  }
  for (const curves of run.curves) {
    addFigure(panels, run, "curves", {curves});
    for (const note of curves.notes) panels.lastChild.append(make("p", {className: "note", textContent: note}));
  }
  if (run.hasSurface) card.append(downloadsOf(run));
  if (run.plane) addPaths(card, run);
  run.tables.forEach((table, k) => addTable(card, run, table.title, table, "-table" + (k > 0 ? k + 1 : "") + ".csv"));
  document.getElementById("runs").append(card);
}

function fillNumbers(view) {
  const shown = runs.filter(run => run.hasSurface);
  document.getElementById("numbers-section").hidden = shown.length === 0;
  const heads = ["run", "split", "least loss", "at", "loss at 0", "accuracy at 0 (%)", "points", "computed", "not finite", "samples"];
  const rows = [];
  for (const run of shown) {
    for (const split of run.splits) {
      if (!run.isLine && split.name !== view.split) continue;
      const key = keyNumbers(run, split);
      rows.push([run.title, split.name, shortNumber(key.minimum), key.minimumAt, shortNumber(key.origin),
                 shortNumber(key.originAccuracy), String(key.points), String(key.computed), String(key.notFinite), String(key.samples)]);
    }
  }
  fillTable(document.getElementById("numbers"), heads, rows);
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
