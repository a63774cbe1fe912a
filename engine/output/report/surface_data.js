// The data of the page: decoding, masks, scales, key numbers. Nothing here touches the document.

const NOT_COMPUTED = "not computed";
const NOT_FINITE = "not finite";
const COMPUTED = "computed";
const INTERPOLATED = "interpolated";

/** A stored value: a number, or "nan", "inf", "-inf" (JSON has no words for these). */
function decodeNumber(value) {
  if (typeof value === "number") return value;
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return NaN;
}

/** Arrays whose values are all equal are stored as one value. */
function decodeArray(stored, count) {
  if (Array.isArray(stored)) return stored.map(decodeNumber);
  return new Array(count).fill(decodeNumber(stored));
}

function decodeSplit(split, count) {
  const decoded = {name: split.name, hasAccuracy: split.has_accuracy};
  for (const key of ["loss", "accuracy", "standard_error", "done", "samples", "non_finite"]) {
    decoded[key] = decodeArray(split[key], count);
  }
  decoded.drawn = split.drawn ?? "";   // "1000 of 60000 samples, drawn at random"
  decoded.interval = decodeArray(split.interval ?? "nan", count);
  const refined = split.error_estimate !== undefined;  // a grid of which only a part is computed
  if (refined) decoded.error_estimate = decodeArray(split.error_estimate, count);
  decoded.state = decoded.done.map((done, k) => {
    const finite = Number.isFinite(decoded.loss[k]);
    if (done) return finite ? COMPUTED : NOT_FINITE;
    return refined && finite ? INTERPOLATED : NOT_COMPUTED;
  });
  return decoded;
}

function decodePath(path) {
  const numbers = key => path[key].map(decodeNumber);
  return {...path, x: numbers("x"), y: numbers("y"), distance: numbers("distance"),
          losses: path.losses.map(one => ({split: one.split, checkpoint: one.checkpoint.map(decodeNumber), plane: one.plane.map(decodeNumber)}))};
}

function decodeCurves(figure) {
  const decoded = (one, keys) => ({...one, ...Object.fromEntries(keys.map(key => [key, one[key].map(decodeNumber)]))});
  return {...figure, bands: figure.bands.map(band => decoded(band, ["x", "low", "high"])), curves: figure.curves.map(curve => decoded(curve, ["x", "y"]))};
}

/** Whether there is a loss to draw. */
function hasLoss(split, k) {
  return split.state[k] === COMPUTED || split.state[k] === INTERPOLATED;
}

function decodeRun(run) {
  const hasSurface = run.x.length > 0;
  const isLine = hasSurface && run.y.length === 0;
  const count = run.x.length * (run.y.length || 1);
  const decoded = {...run, hasSurface, isLine, isPlane: hasSurface && !isLine, count,
                   splits: run.splits.map(split => decodeSplit(split, count)), curves: run.curves.map(decodeCurves)};
  if (run.plane) decoded.plane = {...run.plane, runs: run.plane.runs.map(decodePath)};
  return decoded;
}

function findSplit(run, name) {
  return run.splits.find(split => split.name === name);
}

/** Least and largest finite loss of a split over all runs that have it; null when there is none. */
function lossRange(runs, name, log) {
  let low = Infinity;
  let high = -Infinity;
  for (const run of runs) {
    const split = findSplit(run, name);
    if (!split) continue;
    split.loss.forEach((loss, k) => {
      if (!hasLoss(split, k) || (log && loss <= 0)) return;
      low = Math.min(low, loss);
      high = Math.max(high, loss);
    });
  }
  return low <= high ? {low, high} : null;
}

function shortNumber(value) {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

/** Index of the point nearest to the origin of the directions. */
function originIndex(run) {
  const nearest = axis => axis.reduce((best, value, i) => Math.abs(value) < Math.abs(axis[best]) ? i : best, 0);
  return run.isLine ? nearest(run.x) : nearest(run.y) * run.x.length + nearest(run.x);
}

function coordinates(run, k) {
  if (run.isLine) return [run.x[k]];
  return [run.x[k % run.x.length], run.y[Math.floor(k / run.x.length)]];
}

function keyNumbers(run, split) {
  let minimum = -1;
  split.loss.forEach((loss, k) => {
    if (split.state[k] === COMPUTED && (minimum < 0 || loss < split.loss[minimum])) minimum = k;
  });
  const origin = originIndex(run);
  const exact = coordinates(run, origin).every(value => value === 0);
  return {
    minimum: minimum < 0 ? NaN : split.loss[minimum],
    minimumAt: minimum < 0 ? "–" : coordinates(run, minimum).map(shortNumber).join(", "),
    origin: exact && split.done[origin] ? split.loss[origin] : NaN,
    originAccuracy: exact && split.hasAccuracy && split.done[origin] ? split.accuracy[origin] : NaN,
    points: run.count,
    computed: split.state.filter(state => state === COMPUTED || state === NOT_FINITE).length,
    notFinite: split.state.filter(state => state === NOT_FINITE).length,
    samples: split.samples.reduce((most, value) => Math.max(most, value), 0),
  };
}
