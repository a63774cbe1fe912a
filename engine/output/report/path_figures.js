// The paths of training runs over a plane, on the contours and in space.

const PATH_COLOURS = ["#ff3d81", "#ff9e2c", "#f4f4f4", "#31d2f2", "#111111", "#b79bff"];
const DROP_COLOUR = "#e60000";
const STEPS_OF_A_SEGMENT = 24;   // in space: so that the line follows the surface

const NO_PATH = "none";
const ON_PLANE = "plane";
const OWN_LOSS = "own";

function pathsOf(run, view) {
  return view.path === NO_PATH ? [] : run.plane?.runs ?? [];
}

function checkpointName(path, k) {
  const parts = [path.names[k] ?? "checkpoint " + k];
  if (path.epochs.length > 0) parts.push("epoch " + path.epochs[k]);
  if (path.iterations.length > 0) parts.push("iteration " + path.iterations[k]);
  return parts.join(", ");
}

function lossesOf(path, split) {
  return path.losses.find(one => one.split === split.name);
}

/** -1 is a loss that was not computed. */
const knownLoss = loss => loss === -1 ? NOT_COMPUTED : shortNumber(loss);

function pathHover(path, split) {
  const losses = lossesOf(path, split);
  return path.x.map((_, k) => {
    const lines = path.label ? [path.label] : [];
    lines.push(checkpointName(path, k));
    if (path.drops.includes(k)) lines.push("the learning rate dropped here");
    if (losses) lines.push("loss " + knownLoss(losses.checkpoint[k]), "on the plane " + knownLoss(losses.plane[k]));
    if (path.distance.length > 0) lines.push("distance to the plane " + shortNumber(path.distance[k]));
    return lines.map(plotlyText).join("<br>");
  });
}

/** Size, colour and shape of a path's points: red diamonds where the learning rate dropped. */
function pathMarkers(path, colour, size, diamond) {
  const dropped = path.x.map((_, k) => path.drops.includes(k));
  return {size: dropped.map(drop => drop ? size * 1.4 : size), color: dropped.map(drop => drop ? DROP_COLOUR : colour),
          symbol: dropped.map(drop => drop ? diamond : "circle"), line: {color: dropped.map(drop => drop ? "#ffffff" : "#111111"), width: 1}};
}

function pathTraces(run, split, view) {
  return pathsOf(run, view).flatMap((path, index) => {
    const colour = PATH_COLOURS[index % PATH_COLOURS.length];
    const name = plotlyText(shortText(path.label || "path", 28));
    const common = {type: "scatter", x: path.x, y: path.y, legendgroup: String(index), name};
    return [{...common, mode: "lines", hoverinfo: "skip", showlegend: false, line: {color: "rgba(0,0,0,0.6)", width: 5}},
            {...common, mode: "lines+markers", hovertext: pathHover(path, split), hoverinfo: "text", showlegend: run.plane.runs.length > 1,
             line: {color: colour, width: 2.4}, marker: pathMarkers(path, colour, 8, "diamond")}];
  });
}

/** Drawn height of the surface between its points; null where a point is missing or beyond the edge. */
function heightAt(run, heights, x, y) {
  const place = (axis, value) => {
    if (!(value >= axis[0] && value <= axis.at(-1))) return null;
    let index = axis.findLastIndex(one => one <= value);
    index = Math.min(index, axis.length - 2);
    return {index, share: (value - axis[index]) / (axis[index + 1] - axis[index])};
  };
  const [column, row] = [place(run.x, x), place(run.y, y)];
  if (!column || !row) return null;
  const value = (i, j) => heights[(row.index + j) * run.x.length + column.index + i];
  const corners = [value(0, 0), value(1, 0), value(0, 1), value(1, 1)];
  if (corners.includes(null)) return null;
  const lower = corners[0] + (corners[1] - corners[0]) * column.share;
  const upper = corners[2] + (corners[3] - corners[2]) * column.share;
  return lower + (upper - lower) * row.share;
}

/** Heights of a path's points: the plane's loss there, or the checkpoints' own; null where there is none to draw. */
function pathHeights(path, split, view) {
  const losses = lossesOf(path, split);
  if (!losses) return path.x.map(() => null);
  const values = view.path === OWN_LOSS ? losses.checkpoint : losses.plane;
  return values.map(loss => {
    if (!Number.isFinite(loss) || loss === -1 || (view.log && loss <= 0)) return null;
    const clipped = Math.min(loss, view.clip);
    return view.log ? Math.log10(clipped) : clipped;
  });
}

/** The line between two checkpoints as it lies on the surface. */
function pathOnSurface(run, path, heights) {
  const line = {x: [], y: [], z: []};
  for (let k = 0; k + 1 < path.x.length; ++k) {
    for (let step = 0; step <= STEPS_OF_A_SEGMENT; ++step) {
      const share = step / STEPS_OF_A_SEGMENT;
      const [x, y] = [path.x[k] + (path.x[k + 1] - path.x[k]) * share, path.y[k] + (path.y[k + 1] - path.y[k]) * share];
      line.x.push(x);
      line.y.push(y);
      line.z.push(heightAt(run, heights, x, y));
    }
  }
  return line;
}

function pathTracesInSpace(run, split, view, scale) {
  const surface = split.state.map((_, k) => drawnValue(split, k, view));
  const lift = 0.012 * (scale.high - scale.low);   // above the surface, which would hide half of a line on it
  const lifted = value => value === null ? null : value + lift;
  return pathsOf(run, view).flatMap((path, index) => {
    const colour = PATH_COLOURS[index % PATH_COLOURS.length];
    const heights = pathHeights(path, split, view);
    const line = view.path === OWN_LOSS ? {x: path.x, y: path.y, z: heights} : pathOnSurface(run, path, surface);
    const common = {type: "scatter3d", legendgroup: String(index), name: plotlyText(shortText(path.label || "path", 28))};
    return [{...common, ...line, z: line.z.map(lifted), mode: "lines", hoverinfo: "skip", showlegend: false, connectgaps: false,
             line: {color: colour, width: 6}},
            {...common, x: path.x, y: path.y, z: heights.map(lifted), mode: "markers", hovertext: pathHover(path, split), hoverinfo: "text",
             showlegend: run.plane.runs.length > 1, marker: pathMarkers(path, colour, 4, "diamond")}];
  });
}

/** Least and greatest height of all paths on the page: the space that the scenes share. */
function pathRange(runs, view) {
  const heights = runs.flatMap(run => {
    const split = findSplit(run, view.split);
    return split ? pathsOf(run, view).flatMap(path => pathHeights(path, split, view)) : [];
  }).filter(height => height !== null);
  return {pathLow: Math.min(Infinity, ...heights), pathHigh: Math.max(-Infinity, ...heights)};
}

function pathLegend(run) {
  if ((run.plane?.runs.length ?? 0) < 2) return {};
  return {legend: {orientation: "h", x: 0.5, xanchor: "center", y: 1.0, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)"}};
}
