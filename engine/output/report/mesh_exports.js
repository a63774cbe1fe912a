// The surface in 3D formats, made in the page: what `lossmap export` writes, of the split, clip and scale that are shown.

const LOG_OFFSET = 0.1;   // before the logarithm, as the reference implementation does
const PRINT_SIZE = {longerSide: 100, height: 50, base: 3};   // millimetres
const SHAPE_SIZE = {longerSide: 2, height: 1, base: 0};

/** Clamped, then ln(loss + 0.1); NaN is a gap. */
function zValue(split, k, view) {
  if (!hasLoss(split, k)) return NaN;
  const value = Math.min(split.loss[k], view.clip);
  return !view.log ? value : value + LOG_OFFSET > 0 ? Math.log(value + LOG_OFFSET) : NaN;
}

/** Quads (by their lower left corner) whose four corners have a value. */
function wholeQuads(nx, ny, z) {
  const quads = new Set();
  for (let j = 0; j + 1 < ny; ++j) {
    for (let i = 0; i + 1 < nx; ++i) {
      const first = j * nx + i;
      if ([first, first + 1, first + nx, first + nx + 1].every(point => !Number.isNaN(z[point]))) quads.add(first);
    }
  }
  return quads;
}

/** Leaves out quads that meet another one in a single point: a solid must not. */
function partAtSinglePoints(nx, ny, quads) {
  for (let changed = true; changed;) {
    changed = false;
    for (let j = 1; j + 1 < ny; ++j) {
      for (let i = 1; i + 1 < nx; ++i) {
        const point = j * nx + i;
        const [lowerLeft, lowerRight, upperLeft, upperRight] = [point - nx - 1, point - nx, point - 1, point].map(quad => quads.has(quad));
        if (lowerLeft === lowerRight || upperRight !== lowerLeft || upperLeft !== lowerRight) continue;
        quads.delete(lowerLeft ? point - nx - 1 : point - nx);
        changed = true;
      }
    }
  }
}

/** Vertices in grid order and quads as indices into them, counter-clockwise. Throws when nothing is left. */
function meshOf(run, split, view, solid) {
  const [nx, ny] = [run.x.length, run.y.length];
  const z = split.loss.map((_, k) => zValue(split, k, view));
  const quads = wholeQuads(nx, ny, z);
  if (solid) partAtSinglePoints(nx, ny, quads);
  const cornersOf = first => [first, first + 1, first + nx + 1, first + nx];
  const points = [...new Set([...quads].flatMap(cornersOf))].sort((a, b) => a - b);
  if (points.length === 0) throw new Error("No four neighbouring points have a value: a mesh would be empty.");
  const number = new Map(points.map((point, index) => [point, index]));
  const values = points.map(point => z[point]);
  return {run, points, z: values, low: values.reduce((a, b) => Math.min(a, b)), high: values.reduce((a, b) => Math.max(a, b)),
          hasQuad: (i, j) => i >= 0 && j >= 0 && i + 1 < nx && j + 1 < ny && quads.has(j * nx + i),
          quads: [...quads].map(first => ({i: first % nx, j: Math.floor(first / nx), corners: cornersOf(first).map(point => number.get(point))}))};
}

/** Places of the vertices: x and y centred and scaled together, values stretched to the height. */
function placesOf(mesh, size) {
  const centre = axis => axis[0] + (axis.at(-1) - axis[0]) / 2;
  const {x, y} = mesh.run;
  const longer = Math.max(x.at(-1) - x[0], y.at(-1) - y[0]);
  const range = mesh.high - mesh.low;
  return mesh.points.map((point, k) => [
    (x[point % x.length] - centre(x)) / longer * size.longerSide, (y[Math.floor(point / x.length)] - centre(y)) / longer * size.longerSide,
    size.base + (range > 0 ? (mesh.z[k] - mesh.low) / range : 0) * size.height]);
}

function vtpOf(mesh) {
  const {x, y} = mesh.run;
  const places = mesh.points.map((point, k) => `${x[point % x.length]} ${y[Math.floor(point / x.length)]} ${mesh.z[k]}`);
  const array = (type, name, more, rows) => `<DataArray type="${type}" Name="${name}"${more} format="ascii">\n${rows.join("\n")}\n</DataArray>\n`;
  return '<?xml version="1.0"?>\n<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n<PolyData>\n' +
    `<Piece NumberOfPoints="${places.length}" NumberOfVerts="0" NumberOfLines="0" NumberOfStrips="0" NumberOfPolys="${mesh.quads.length}">\n` +
    '<PointData Scalars="zvalue">\n' + array("Float64", "zvalue", "", mesh.z) + "</PointData>\n<Points>\n" +
    array("Float64", "Points", ' NumberOfComponents="3"', places) + "</Points>\n<Polys>\n" +
    array("Int64", "connectivity", "", mesh.quads.map(quad => quad.corners.join(" "))) +
    array("Int64", "offsets", "", mesh.quads.map((_, k) => 4 * (k + 1))) + "</Polys>\n</Piece>\n</PolyData>\n</VTKFile>\n";
}

function objOf(mesh) {
  const vertices = placesOf(mesh, SHAPE_SIZE).map(place => "v " + place.join(" "));
  return ["# loss surface by lossmap, z upwards", ...vertices, ...mesh.quads.map(quad => "f " + quad.corners.map(corner => corner + 1).join(" "))].join("\n") + "\n";
}

/** The triangles of the solid between the surface and the ground: top, bottom and the walls at the edges. */
function solidTriangles(mesh) {
  const places = placesOf(mesh, PRINT_SIZE);
  return mesh.quads.flatMap(({i, j, corners}) => {
    const top = corners.map(corner => places[corner]);
    const bottom = top.map(([x, y]) => [x, y, 0]);
    const triangles = [[top[0], top[1], top[2]], [top[0], top[2], top[3]], [bottom[0], bottom[2], bottom[1]], [bottom[0], bottom[3], bottom[2]]];
    [mesh.hasQuad(i, j - 1), mesh.hasQuad(i + 1, j), mesh.hasQuad(i, j + 1), mesh.hasQuad(i - 1, j)].forEach((inside, side) => {
      if (inside) return;
      const next = (side + 1) % 4;
      triangles.push([bottom[side], bottom[next], top[next]], [bottom[side], top[next], top[side]]);
    });
    return triangles;
  });
}

function crossProduct(a, b, c) {
  const [u, v] = [b.map((value, i) => value - a[i]), c.map((value, i) => value - a[i])];
  return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
}

/** Binary STL: 80 bytes of text, the number of triangles, 50 bytes a triangle. */
function stlOf(mesh) {
  const triangles = solidTriangles(mesh);
  const view = new DataView(new ArrayBuffer(84 + 50 * triangles.length));
  [..."loss surface by lossmap, millimetres".padEnd(80)].forEach((c, k) => view.setUint8(k, c.charCodeAt(0)));
  view.setUint32(80, triangles.length, true);
  triangles.forEach((triangle, k) => {
    const normal = crossProduct(...triangle);
    const length = Math.hypot(...normal);
    [...normal.map(value => value / length), ...triangle.flat()].forEach((value, n) => view.setFloat32(84 + 50 * k + 4 * n, value, true));
  });
  return view.buffer;
}

/** viridis as `lossmap export` has it: ten entries of matplotlib's table (CC0), linear between them; in linear light. */
function linearViridis(share) {
  const table = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"];
  const place = Math.min(Math.max(share, 0), 1) * (table.length - 1);
  const index = Math.min(Math.floor(place), table.length - 2);
  const channel = (entry, c) => parseInt(table[entry].slice(2 * c, 2 * c + 2), 16);
  return [0, 1, 2].map(c => {
    const value = Math.round(channel(index, c) + (channel(index + 1, c) - channel(index, c)) * (place - index)) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function base64Of(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 0x8000) text += String.fromCharCode(...bytes.subarray(k, k + 0x8000));
  return btoa(text);
}

/** glTF 2.0 with vertex colours, the buffer inside; y is upwards there. */
function gltfOf(mesh, name) {
  const places = placesOf(mesh, SHAPE_SIZE);
  const positions = places.map(([x, y, z]) => [x, z, -y]);
  const indices = Uint32Array.from(mesh.quads.flatMap(({corners: c}) => [c[0], c[1], c[2], c[0], c[2], c[3]]));
  const normals = positions.map(() => [0, 0, 0]);
  for (let k = 0; k < indices.length; k += 3) {
    const corners = [...indices.subarray(k, k + 3)];
    const product = crossProduct(...corners.map(corner => positions[corner]));
    for (const corner of corners) product.forEach((value, i) => { normals[corner][i] += value; });
  }
  const floats = rows => Float32Array.from(rows.flat());
  const parts = [floats(positions), floats(normals.map(normal => normal.map(value => value / Math.hypot(...normal)))),
                 floats(places.map(place => linearViridis(place[2]))), indices];
  const views = [];
  let offset = 0;
  for (const part of parts) {
    views.push({buffer: 0, byteOffset: offset, byteLength: part.byteLength, target: part === indices ? 34963 : 34962});
    offset += part.byteLength;
  }
  const bytes = new Uint8Array(offset);
  parts.forEach((part, k) => bytes.set(new Uint8Array(part.buffer), views[k].byteOffset));
  const bounds = (part, pick) => [0, 1, 2].map(i => part.reduce((best, value, k) => k % 3 === i ? pick(best, value) : best, part[i]));
  const accessor = (part, k) => ({bufferView: k, componentType: 5126, count: part.length / 3, type: "VEC3", min: bounds(part, Math.min), max: bounds(part, Math.max)});
  return JSON.stringify({
    asset: {version: "2.0", generator: "lossmap"}, scene: 0, scenes: [{nodes: [0]}], nodes: [{name, mesh: 0}],
    meshes: [{name, primitives: [{attributes: {POSITION: 0, NORMAL: 1, COLOR_0: 2}, indices: 3, material: 0, mode: 4}]}],
    materials: [{pbrMetallicRoughness: {metallicFactor: 0, roughnessFactor: 0.9}, doubleSided: true}],
    accessors: [...parts.slice(0, 3).map(accessor), {bufferView: 3, componentType: 5125, count: indices.length, type: "SCALAR"}],
    bufferViews: views, buffers: [{byteLength: offset, uri: "data:application/octet-stream;base64," + base64Of(bytes)}],
  });
}
