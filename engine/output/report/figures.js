// Plotly figures of a run. Names never reach Plotly unescaped: it reads some HTML tags in its texts.

const LOSS_COLOURS = {light: "#1f4fd8", dark: "#7ea6ff"};
const NARROW_WINDOW = 600;   // pixels: the contours under a surface have the same colour bar
const ACCURACY_COLOURS = {light: "#d62728", dark: "#ff8a80"};

function currentTheme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  return dark
    ? {name: "dark", ink: "#e7eaf0", rule: "#3b4351", gap: "#4a5160", card: "#1d222b"}
    : {name: "light", ink: "#1d2330", rule: "#dfe3ea", gap: "#cfd3da", card: "#ffffff"};
}

/** What fits beside an axis or in a legend. */
function shortText(text, most) {
  const characters = [...text];
  return characters.length <= most ? text : characters.slice(0, most - 1).join("") + "…";
}

function plotlyText(name) {
  return name.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function rowsOf(run, values) {
  return run.y.map((_, iy) => values.slice(iy * run.x.length, (iy + 1) * run.x.length));
}

/** Height of a loss in the figure: clipped, logarithmic where asked for; null is a gap. */
function drawnValue(split, k, view) {
  const loss = split.loss[k];
  if (!hasLoss(split, k) || (view.log && loss <= 0)) return null;
  const clipped = Math.min(loss, view.clip);
  return view.log ? Math.log10(clipped) : clipped;
}

function hoverTexts(run, split) {
  return split.state.map((state, k) => {
    const [x, y] = coordinates(run, k);
    const lines = ["x " + shortNumber(x) + (run.isLine ? "" : ", y " + shortNumber(y))];
    if (state !== NOT_COMPUTED) {
      lines.push("loss " + shortNumber(split.loss[k]) +
        (Number.isFinite(split.interval[k]) ? " ± " + shortNumber(split.interval[k]) + " (95 %, " + split.drawn + ")" : ""));
      if (state === INTERPOLATED) lines.push("estimated error " + shortNumber(split.error_estimate[k]));
      else if (split.standard_error[k] >= 0) lines.push("standard error " + shortNumber(split.standard_error[k]));
      if (split.hasAccuracy) lines.push("accuracy " + shortNumber(split.accuracy[k]) + " %");
      if (split.samples[k] > 0) lines.push(split.samples[k] + " samples" + (split.non_finite[k] > 0 ? ", " + split.non_finite[k] + " not finite" : ""));
    }
    lines.push(state);
    return lines.join("<br>");
  });
}

/** Range and ticks of the colour and height scale, the same for every run on the page. */
function scaleOf(view) {
  if (!view.range) return {low: 0, high: 1};
  const high = Math.max(Math.min(view.range.high, view.clip), view.range.low);
  const drawn = value => view.log ? Math.log10(value) : value;
  let [low, top] = [drawn(view.range.low), drawn(high)];
  if (low === top) [low, top] = [low - 0.5, top + 0.5];
  if (!view.log) return {low, high: top};
  const values = [];
  const mantissas = top - low > 8 ? [1] : top - low > 1.5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  for (let power = Math.floor(low); power <= Math.ceil(top); ++power) {
    for (const mantissa of mantissas) values.push(mantissa * 10 ** power);
  }
  const shown = values.filter(value => Math.log10(value) >= low && Math.log10(value) <= top);
  return {low, high: top, tickvals: shown.map(Math.log10), ticktext: shown.map(shortNumber)};
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
function roundStep(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map(mantissa => mantissa * power).find(value => value >= step * (1 - 1e-9));
}

function colourBar(scale, title, theme) {
  const bar = {title: {text: title, side: "right"}, thickness: 14, len: 0.9, outlinewidth: 0, tickfont: {color: theme.ink}};
  if (scale.tickvals) Object.assign(bar, {tickvals: scale.tickvals, ticktext: scale.ticktext});
  return bar;
}

function baseLayout(theme) {
  return {
    paper_bgcolor: theme.card,
    plot_bgcolor: theme.card,
    font: {color: theme.ink, size: 12.5},
    margin: {l: 56, r: 12, t: 14, b: 46},
    hoverlabel: {align: "left"},
  };
}

function axisTitles(run) {
  return run.plane?.labels.length === 2 ? run.plane.labels.map(label => shortText(label, 44)) : ["x", "y"];
}

function surfaceFigure(run, split, view, theme) {
  const scale = scaleOf(view);
  const z = rowsOf(run, split.state.map((_, k) => drawnValue(split, k, view)));
  const axis = title => ({title: {text: title}, color: theme.ink, gridcolor: theme.rule, zerolinecolor: theme.rule, showspikes: false});
  const [xTitle, yTitle] = axisTitles(run);   // as they are: a scene's texts are drawn by WebGL, not as markup
  // A little air: a clipped surface that lies in the top of the box flickers.
  const air = 0.01 * (scale.high - scale.low);
  const zaxis = {...axis("loss"), range: [Math.min(scale.low, view.pathLow) - air, Math.max(scale.high, view.pathHigh) + air]};
  if (scale.tickvals) Object.assign(zaxis, {tickvals: scale.tickvals, ticktext: scale.ticktext});
  const step = (scale.high - scale.low) / 16;
  const contours = {z: {show: true, start: scale.low, end: scale.high, size: step, color: "rgba(255,255,255,0.35)", width: 1,
                        highlight: false, project: {z: false}},
                    x: {highlight: false}, y: {highlight: false}};
  const trace = {
    type: "surface", x: run.x, y: run.y, z, cmin: scale.low, cmax: scale.high, colorscale: "Viridis", contours,
    hovertext: rowsOf(run, hoverTexts(run, split)), hoverinfo: "text",
    colorbar: colourBar(scale, plotlyText(shortText(split.name, 28)) + " loss", theme), showscale: window.innerWidth >= NARROW_WINDOW,
    lighting: {ambient: 0.75, diffuse: 0.5, specular: 0.06, roughness: 0.9},
  };
  const layout = {
    ...baseLayout(theme), margin: {l: 0, r: 0, t: 0, b: 0}, uirevision: "camera", ...pathLegend(run),
    scene: {xaxis: {...axis(xTitle), range: ends(run.x)}, yaxis: {...axis(yTitle), range: ends(run.y)}, zaxis, aspectmode: "manual", aspectratio: {x: 1, y: 1, z: 0.8},
            camera: {eye: {x: 1.45, y: -1.45, z: 1.05}, center: {x: 0, y: 0, z: -0.12}}, uirevision: "camera"},
  };
  return {data: [trace, ...pathTracesInSpace(run, split, view, scale)], layout};
}

const ends = axis => [axis[0], axis.at(-1)];

function contourFigure(run, split, view, theme) {
  const scale = scaleOf(view);
  const z = rowsOf(run, split.state.map((_, k) => drawnValue(split, k, view)));
  const isPlane = run.x.length > 1 && run.y.length > 1;
  const hasGaps = z.some(row => row.includes(null));
  const trace = {
    type: isPlane ? "contour" : "heatmap", x: run.x, y: run.y, z, zmin: scale.low, zmax: scale.high, colorscale: "Viridis",
    text: rowsOf(run, hoverTexts(run, split)), hoverinfo: "text", hoverongaps: true, connectgaps: false,
    colorbar: colourBar(scale, plotlyText(shortText(split.name, 28)) + " loss", theme),
  };
  if (isPlane) {
    trace.autocontour = false;
    trace.line = {width: 0.8, color: "rgba(20,20,20,0.65)"};
    // Labels would be logarithms: Plotly cannot name the levels.
    const size = roundStep((scale.high - scale.low) / 16);
    trace.contours = {start: Math.floor(scale.low / size) * size, end: scale.high, size, coloring: "fill",
                      showlabels: !view.log, labelfont: {size: 11, color: "#ffffff"}, labelformat: ".4~g"};
  }
  const data = [trace];
  const [x0, x1, y0, y1] = [run.x[0], run.x.at(-1), run.y[0], run.y.at(-1)];
  if (x0 <= 0 && x1 >= 0 && y0 <= 0 && y1 >= 0) {
    data.push({type: "scatter", x: [0], y: [0], mode: "markers", hoverinfo: "skip", showlegend: false,
               marker: {symbol: "cross-thin", size: 11, line: {width: 2.2, color: "#ffffff"}}});
  }
  data.push(...pathTraces(run, split, view));
  const axis = title => ({title: {text: plotlyText(title)}, color: theme.ink, showgrid: false, zeroline: false, constrain: "domain"});
  const [xTitle, yTitle] = axisTitles(run);
  const layout = {...baseLayout(theme), margin: {l: 56, r: 12, t: 34, b: 46}, xaxis: axis(xTitle), yaxis: axis(yTitle), ...pathLegend(run)};
  if (run.plane) Object.assign(layout, {xaxis: {...layout.xaxis, range: [x0, x1]}, yaxis: {...layout.yaxis, range: [y0, y1]}});
  if (hasGaps) layout.plot_bgcolor = theme.gap;
  return {data, layout};
}

/** Points without a drawn neighbour: a line alone would not show them. */
function loneMarkers(values) {
  const empty = value => value === null || value === undefined || !Number.isFinite(value);
  return {size: values.map((_, k) => empty(values[k - 1]) && empty(values[k + 1]) ? 5 : 0)};
}

/** Train is solid and test dashed wherever they stand in the list. */
function dashOf(name, index) {
  if (name === "train") return "solid";
  if (name === "test") return "dash";
  return ["solid", "dash", "dot", "dashdot"][index % 4];
}

/** The 95 % band of a split that was drawn at random, a filled piece for each run of neighbours that have an interval. */
function intervalTraces(run, split, view, theme) {
  const pieces = [[]];
  split.state.forEach((state, k) => {
    const inside = state === COMPUTED && Number.isFinite(split.interval[k]) && !(view.log && split.loss[k] <= split.interval[k]);
    if (inside) pieces.at(-1).push(k); else pieces.push([]);
  });
  return pieces.filter(piece => piece.length > 1).map(piece => {
    const edge = sign => piece.map(k => Math.min(split.loss[k] + sign * split.interval[k], view.clip));
    const x = piece.map(k => run.x[k]);
    return {type: "scatter", mode: "lines", x: [...x, ...x.reverse()], y: [...edge(1), ...edge(-1).reverse()], fill: "toself",
            fillcolor: LOSS_COLOURS[theme.name] + "2e", line: {width: 0}, hoverinfo: "skip", showlegend: false};
  });
}

function lineFigure(run, view, theme) {
  const data = [];
  run.splits.forEach((split, index) => {
    const dash = dashOf(split.name, index);
    const text = hoverTexts(run, split);
    const common = {type: "scatter", mode: "lines+markers", x: run.x, text, hoverinfo: "text", connectgaps: false};
    const loss = split.loss.map((value, k) => hasLoss(split, k) && !(view.log && value <= 0) ?
                                              Math.min(value, view.clip) : null);
    if (split.drawn) data.push(...intervalTraces(run, split, view, theme));
    data.push({...common, y: loss, name: plotlyText(shortText(split.name, 28)) + " loss", marker: loneMarkers(loss),
               line: {color: LOSS_COLOURS[theme.name], dash, width: 2.2}});
    if (!split.hasAccuracy) return;
    const accuracy = split.accuracy.map((value, k) => split.state[k] === NOT_COMPUTED || !Number.isFinite(value) ? null : value);
    data.push({...common, yaxis: "y2", y: accuracy, name: plotlyText(shortText(split.name, 28)) + " accuracy", marker: loneMarkers(accuracy),
               line: {color: ACCURACY_COLOURS[theme.name], dash, width: 2.2}});
  });
  const lossAxis = {title: {text: "loss"}, color: LOSS_COLOURS[theme.name], gridcolor: theme.rule, zeroline: false};
  if (view.lineRange) {
    const {low} = view.lineRange;
    const high = Math.max(Math.min(view.lineRange.high, view.clip), low);
    const pad = view.log ? 0.05 * Math.log10(high / low) + 0.02 : 0.05 * (high - low) + 1e-12;
    lossAxis.range = view.log ? [Math.log10(low) - pad, Math.log10(high) + pad] : [low >= 0 && low < high - low ? 0 : low - pad, high + pad];
  }
  if (view.log) lossAxis.type = "log";
  const layout = {
    ...baseLayout(theme), margin: {l: 56, r: 56, t: 34, b: 92}, hovermode: "closest",
    xaxis: {title: {text: "alpha"}, color: theme.ink, gridcolor: theme.rule, zeroline: false},
    yaxis: lossAxis,
    yaxis2: {title: {text: "accuracy (%)"}, color: ACCURACY_COLOURS[theme.name], overlaying: "y", side: "right", range: [0, 100],
             tickmode: "linear", tick0: 0, dtick: 20, showgrid: false, zeroline: false, visible: run.splits.some(split => split.hasAccuracy)},
    legend: {orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0.5, xanchor: "center"},
  };
  return {data, layout};
}
