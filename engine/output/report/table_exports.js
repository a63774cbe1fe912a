// Tables to take away: CSV and npz, made in the page from the data that it holds.

function csvField(text) {
  const value = String(text);
  return /[",\r\n]/.test(value) ? '"' + value.replaceAll('"', '""') + '"' : value;
}

function csvOfTable(table) {
  return [table.heads, ...table.rows].map(row => row.map(csvField).join(",") + "\n").join("");
}

/** Everything that the page knows of a run; numbers as JavaScript prints them, which reads back to the same bits. */
function csvOf(run) {
  const names = run.isLine ? ["x"] : ["x", "y"];
  const sampled = run.splits.some(split => split.drawn);
  const refined = run.splits.some(split => split.error_estimate);
  const rows = [[...names, "split", "loss", "accuracy", "standard_error", "samples", "non_finite_samples", "state",
                 ...(sampled ? ["interval_95"] : []), ...(refined ? ["error_estimate"] : [])].join(",")];
  for (const split of run.splits) {
    const label = csvField(split.name);
    for (let k = 0; k < run.count; ++k) {
      const number = (value, known) => known ? (Number.isNaN(value) ? "nan" : String(value).replace("Infinity", "inf")) : "";
      const computed = split.done[k] !== 0;
      const shown = split.state[k] !== NOT_COMPUTED;
      rows.push([...coordinates(run, k), label, number(split.loss[k], shown), number(split.accuracy[k], shown && split.hasAccuracy),
                 number(split.standard_error[k], computed), number(split.samples[k], computed), number(split.non_finite[k], computed),
                 split.state[k], ...(sampled ? [number(split.interval[k], computed)] : []),
                 ...(refined ? [number(split.error_estimate?.[k], shown && split.error_estimate)] : [])].join(","));
    }
  }
  return rows.join("\n") + "\n";
}

/** What is known of each checkpoint of the paths over a plane: heads and rows; numbers as they are. */
function fidelityTable(run) {
  const paths = run.plane.runs;
  const has = key => paths.some(path => path[key].length > 0);
  const columns = [
    ["run", haveLabels(paths), (path) => path.label],
    ["checkpoint", true, (path, k) => path.names[k] ?? k],
    ["epoch", has("epochs"), (path, k) => path.epochs[k] ?? ""],
    ["iteration", has("iterations"), (path, k) => path.iterations[k] ?? ""],
    ["x", true, (path, k) => path.x[k]],
    ["y", true, (path, k) => path.y[k]],
    ["distance to the plane", has("distance"), (path, k) => path.distance[k] ?? NaN],
  ];
  for (const name of new Set(paths.flatMap(path => path.losses.map(losses => losses.split)))) {
    const value = key => (path, k) => {
      const loss = path.losses.find(losses => losses.split === name)?.[key][k];
      return loss === undefined || loss === -1 ? "" : loss;   // -1: not computed
    };
    columns.push([name + " loss", true, value("checkpoint")], [name + " loss on the plane", true, value("plane")]);
  }
  const shown = columns.filter(([, wanted]) => wanted);
  return {heads: shown.map(([head]) => head),
          rows: paths.flatMap(path => path.x.map((_, k) => shown.map(([, , cell]) => cell(path, k))))};
}

function haveLabels(paths) {
  return paths.some(path => path.label !== "");
}

function curvesTable(figure) {
  const curves = figure.curves.flatMap(curve => curve.x.map((x, k) => [curve.name, x, curve.y[k], "", ""]));
  const bands = figure.bands.flatMap(band => band.x.map((x, k) => [band.name, x, "", band.low[k], band.high[k]]));
  return {heads: ["curve", figure.x_label, "y", "low", "high"], rows: [...curves, ...bands]};
}

const CRC_TABLE = Uint32Array.from({length: 256}, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** One array in NumPy's format 1.0 (little endian, as every browser's typed arrays are in practice). */
function npyBytes(values, shape) {
  const kinds = new Map([[Float64Array, "<f8"], [BigInt64Array, "<i8"], [Uint8Array, "|u1"]]);
  const tuple = "(" + shape.join(", ") + (shape.length === 1 ? "," : "") + ")";
  let header = `{'descr': '${kinds.get(values.constructor)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const magic = [0x93, ..."NUMPY"].map(c => typeof c === "number" ? c : c.charCodeAt(0));
  const size = new Uint8Array(new Uint16Array([header.length]).buffer);
  return new Blob([Uint8Array.from([...magic, 1, 0]), size, header, values]).arrayBuffer();
}

/** A zip archive of files that are not compressed (APPNOTE.TXT 4.3). */
function zipOf(files) {
  const little = (...fields) => {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
    let at = 0;
    for (const [size, value] of fields) {
      if (size === 2) view.setUint16(at, value, true); else view.setUint32(at, value, true);
      at += size;
    }
    return new Uint8Array(view.buffer);
  };
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const {name, bytes} of files) {
    const text = new TextEncoder().encode(name);
    // Version 2.0, names in UTF-8, stored, 1980-01-01.
    const common = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 0x21], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, text.length], [2, 0]];
    const local = little([4, 0x04034b50], ...common);
    parts.push(local, text, bytes);
    directory.push(little([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), text);
    offset += local.length + text.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = little([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], {type: "application/zip"});
}

/** The arrays of surface.h5 as `lossmap export --format npz` has them: what is not computed is NaN with done 0. */
async function npzOf(run) {
  const shape = run.isLine ? [run.x.length] : [run.y.length, run.x.length];
  const arrays = [["xcoordinates", Float64Array.from(run.x), [run.x.length]]];
  if (!run.isLine) arrays.push(["ycoordinates", Float64Array.from(run.y), [run.y.length]]);
  for (const split of run.splits) {
    const known = values => Float64Array.from(values, (value, k) => split.done[k] ? value : NaN);
    const whole = values => BigInt64Array.from(values, value => BigInt(value));
    arrays.push([split.name + "_loss", known(split.loss), shape]);
    if (split.hasAccuracy) arrays.push([split.name + "_acc", known(split.accuracy), shape]);
    arrays.push([split.name + "_done", Uint8Array.from(split.done), shape], [split.name + "_non_finite", whole(split.non_finite), shape],
                [split.name + "_samples", whole(split.samples), shape],
                [split.name + "_standard_error", known(split.standard_error.map(error => error < 0 ? NaN : error)), shape]);
    if (!split.error_estimate) continue;
    arrays.push([split.name + "_interpolated_loss", Float64Array.from(split.loss), shape]);
    if (split.hasAccuracy) arrays.push([split.name + "_interpolated_acc", Float64Array.from(split.accuracy), shape]);
    arrays.push([split.name + "_error_estimate", Float64Array.from(split.error_estimate), shape]);
  }
  const files = [];
  for (const [name, values, dimensions] of arrays) {
    files.push({name: name + ".npy", bytes: new Uint8Array(await npyBytes(values, dimensions))});
  }
  return zipOf(files);
}
