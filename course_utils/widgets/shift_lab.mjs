import {
  OKABE_ITO, arrows, choice, cividis, frame, h, heatmap, linePlot, number, panel, player, puor, read, say, slider, watch, write,
} from "./shared.mjs";

const KEYS = ["shape", "kernel", "border", "pool", "score", "down", "right"];
const N = DATA.size;
const FARTHEST = N / 2;

// --- What it computes: a map is { n, v }, its side and its values row by row -----------------

const onRing = (i, n) => ((i % n) + n) % n;
const sum = (values) => values.reduce((total, v) => total + v, 0);
const asRows = ({ n, v }) => Array.from({ length: n }, (_, r) => Array.from(v.subarray(r * n, (r + 1) * n)));

/** A map whose value at (r, c) is f(r, c). */
function mapOf(n, f) {
  const v = new Float64Array(n * n);
  for (let r = 0; r < n; r += 1) for (let c = 0; c < n; c += 1) v[r * n + c] = f(r, c);
  return { n, v };
}

function pictureOf(shape) {
  const rows = DATA.shapes[shape];
  const edge = (N - rows.length) / 2;
  return mapOf(N, (r, c) => (rows[r - edge]?.[c - edge] === "#" ? 1 : 0));
}

function roll({ n, v }, rows, columns) {
  const [down, right] = [onRing(-rows, n), onRing(-columns, n)];
  return mapOf(n, (r, c) => v[((r + down) % n) * n + ((c + right) % n)]);
}

/** Weights [real, imaginary] that move a row of n values by a fraction: each frequency by itself. */
function movingWeights(n, pixels) {
  const weights = [new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i += 1) {
    for (let k = -n / 2; k < n / 2; k += 1) {
      const angle = (2 * Math.PI * k * (i - pixels)) / n;
      weights[0][i] += Math.cos(angle) / n;
      weights[1][i] += Math.sin(angle) / n;
    }
  }
  return weights;
}

/** Each row convolved with the weights, on the ring. */
function alongRows({ n, v }, weights) {
  return mapOf(n, (r, c) => {
    let total = 0;
    for (let q = 0; q < n; q += 1) total += weights[(c - q + n) % n] * v[r * n + q];
    return total;
  });
}

const transposed = ({ n, v }) => mapOf(n, (r, c) => v[c * n + r]);

/** A shift on the ring; by a fraction of a pixel each frequency is moved by itself. */
function shift(map, rows, columns) {
  if (Number.isInteger(rows) && Number.isInteger(columns)) return roll(map, rows, columns);
  const [across, down] = [movingWeights(map.n, columns), movingWeights(map.n, rows)];
  const [real, imaginary] = across.map((weights, i) => alongRows(transposed(alongRows(map, weights)), down[i]));
  return transposed(minus(real, imaginary)); // the real part of the product
}

/** The values with `edge` pixels more on each side, zeros or what the ring has there, row by row. */
function framed({ n, v }, edge, border) {
  const wide = n + 2 * edge;
  const out = new Float64Array(wide * wide);
  for (let r = 0; r < wide; r += 1) {
    for (let c = 0; c < wide; c += 1) {
      const [row, col] = [r - edge, c - edge];
      const inside = row >= 0 && col >= 0 && row < n && col < n;
      if (inside || border === "circular") out[r * wide + c] = v[((row + n) % n) * n + ((col + n) % n)];
    }
  }
  return { wide, out };
}

/** Cross-correlation with a 3 x 3 kernel; the size stays. */
function convolve(map, kernel, border) {
  const { wide, out } = framed(map, 1, border);
  const taps = kernel.flatMap((row, i) => row.map((weight, j) => [weight, i * wide + j])).filter(([weight]) => weight !== 0);
  return mapOf(map.n, (r, c) => {
    let total = 0;
    for (let i = 0; i < taps.length; i += 1) total += taps[i][0] * out[r * wide + c + taps[i][1]];
    return total;
  });
}

const DENSE = {
  keep: (a) => a,
  max: (a, b, c, d) => Math.max(a, b, c, d),
  average: (a, b, c, d) => (a + b + c + d) / 4,
};

/** Pooling taken apart: 2 x 2 windows at every pixel, a blur, every stride-th pixel; on the ring. */
function pooled({ n, v }, [dense, blurSize, stride]) {
  const full = mapOf(n, (r, c) => {
    const [below, right] = [((r + 1) % n) * n, (c + 1) % n];
    return DENSE[dense](v[r * n + c], v[r * n + right], v[below + c], v[below + right]);
  });
  const blur = DATA.blurs[blurSize];
  const { wide, out } = framed(full, (blurSize - 1) / 2, "circular");
  return mapOf(n / stride, (r, c) => {
    const corner = r * stride * wide + c * stride;
    let total = 0;
    for (let i = 0; i < blurSize; i += 1) {
      for (let j = 0; j < blurSize; j += 1) total += blur[i] * blur[j] * out[corner + i * wide + j];
    }
    return total;
  });
}

const relu = ({ n, v }) => ({ n, v: v.map((value) => Math.max(0, value)) });
const minus = (a, b) => ({ n: a.n, v: a.v.map((value, i) => value - b.v[i]) });
const norm = ({ v }) => Math.sqrt(sum(v.map((value) => value * value)));
const SCORES = { mean: ({ v }) => sum(v) / v.length, maximum: ({ v }) => Math.max(...v) };

/** Maps both ways around for a state, and both errors for every shift to the right. */
export function compute(state) {
  const { down, right } = state;
  const x = pictureOf(state.shape);
  const convolution = (map) => convolve(map, DATA.kernels[state.kernel], state.border);
  const layer = (map) => pooled(relu(convolution(map)), DATA.parts[state.pool]);
  const scoreOf = SCORES[state.score];
  const output = layer(x);
  const [size, score, step] = [norm(output), scoreOf(output), N / output.n];
  const expectedAt = (columns) => shift(output, down / step, columns / step);
  const moved = roll(x, down, right);
  const convolved = convolution(moved);
  const map = layer(moved);
  const expected = expectedAt(right);
  const shifts = size ? Array.from({ length: 2 * FARTHEST + 1 }, (_, i) => i - FARTHEST) : [];
  const looked = shifts.map((columns) => layer(roll(x, down, columns)));
  const curves = {
    equivariance: looked.map((seen, i) => norm(minus(seen, expectedAt(shifts[i]))) / size),
    invariance: looked.map((seen) => Math.abs(scoreOf(seen) - score) / Math.abs(score)),
  };
  const maps = { picture: moved, convolved, activated: relu(convolved), still: output, map, expected, difference: minus(map, expected) };
  return {
    ...Object.fromEntries(Object.entries(maps).map(([name, values]) => [name, asRows(values)])),
    scores: [score, scoreOf(map)], curves,
    problem: size ? null : DATA.problem,
    equivariance: curves.equivariance[right + FARTHEST] ?? null,
    invariance: curves.invariance[right + FARTHEST] ?? null,
  };
}

// --- What it says ----------------------------------------------------------------------------

function sentence({ down, right, score }, { problem, map, scores, equivariance, invariance }) {
  if (problem) return problem;
  const step = N / map.length;
  const [rows, columns] = [down, right].map((pixels) => number(Math.abs(pixels) / step));
  return `The shape has moved ${Math.abs(down)} ${down < 0 ? "up" : "down"} and ${Math.abs(right)} ${right < 0 ? "left" : "right"}, in pixels; `
    + `the map should move by ${rows} and ${columns} cells. Equivariance error ${number(equivariance, 3)}; the ${score} is `
    + `${number(scores[1], 3)}, unmoved ${number(scores[0], 3)}: invariance error ${number(invariance, 3)}.`;
}

/** Why the map does what it does, for this setting. */
function reason({ border, pool, down, right }, { problem, equivariance, map }) {
  const step = N / map.length;
  const whole = down % step === 0 && right % step === 0;
  if (problem) return "Every pixel that the stride keeps is 0. If the shape moves by one pixel, the stride keeps those that it now skips.";
  if (equivariance < 1e-6) {
    if (down === 0 && right === 0) return "Nothing has moved yet.";
    return whole ? `The map follows exactly: every window sees the same pixels${step > 1 ? ", because the shift is a multiple of the stride" : ""}.`
      : "The map follows, although the shift is not a multiple of the stride.";
  }
  if (whole) return "The shift is a multiple of the stride, so the remaining error comes from the border: the convolution sees zeros there, but the shift brings in the opposite edge.";
  const blurred = pool.includes("blur") ? " The blur has removed most of these frequencies." : "";
  return `The shift is not a multiple of the stride ${step}: frequencies too high for the smaller map turn into lower ones (aliasing).${blurred}`
    + `${border === "zeros" ? " The zeros at the border may add to the error." : ""} T moves f(x) by a fraction of a cell, one frequency at a time.`;
}

// --- What it shows ---------------------------------------------------------------------------

/** A shift brought back to -16 to 15, which on the ring is the same place. */
const home = (pixels) => onRing(pixels + FARTHEST, N) - FARTHEST;
const TOPS = [0.1, 0.2, 0.5, 1, 2, 5];

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Drag the shape, or move it with the arrow keys on the image or with the sliders. What leaves at one edge comes back at the opposite one.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const pick = (label, key, names) => choice({ label, options: names.map((name) => [name, name]), onChange: (value) => set({ [key]: value }) });
  const chosen = {
    shape: pick("Shape", "shape", Object.keys(DATA.shapes)),
    kernel: pick("Kernel", "kernel", Object.keys(DATA.kernels)),
    border: pick("Border", "border", ["circular", "zeros"]),
    pool: pick("Pooling", "pool", Object.keys(DATA.parts)),
    score: pick("Score", "score", DATA.scores),
    right: slider({ label: "Shift right", min: -FARTHEST, max: FARTHEST, text: (v) => number(v), onChange: (right) => set({ right }) }),
    down: slider({ label: "Shift down", min: -FARTHEST, max: FARTHEST, text: (v) => number(v), onChange: (down) => set({ down }) }),
  };
  const move = (rows, columns) => set({ down: home(state().down + rows), right: home(state().right + columns) });
  const steps = player({ onBack: () => move(0, -1), onNext: () => move(0, 1), atEnd: () => false, wait: 350 });
  controls.append(...Object.values(chosen).map(({ node }) => node), steps.node);

  const picture = heatmap({ size: 240 });
  const handle = h("div", { role: "group", class: "cw-drag" }, picture.node);
  arrows(handle, "Image; the arrow keys move the shape", move);
  let held = null;
  handle.addEventListener("pointerdown", (event) => {
    const { down, right } = state();
    held = { x: event.clientX, y: event.clientY, down, right };
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (!held) return;
    const pixels = (distance) => Math.round((distance / picture.node.clientWidth) * N);
    const to = { down: home(held.down + pixels(event.clientY - held.y)), right: home(held.right + pixels(event.clientX - held.x)) };
    const { down, right } = state();
    if (to.down !== down || to.right !== right) set(to);
  });
  ["pointerup", "pointercancel"].forEach((name) => handle.addEventListener(name, () => { held = null; }));

  const maps = Object.fromEntries(["convolved", "activated", "map", "still", "expected", "difference"].map((name) => [name, heatmap({ size: 165 })]));
  const picturePanel = panel("T x: the shape, moved", handle);
  const panels = Object.fromEntries(Object.entries(maps).map(([name, { node }]) => [name, panel("", node)]));
  const titles = { convolved: "Convolution", activated: "ReLU", map: "f(T x)", still: "f(x)", expected: "T f(x)", difference: "f(T x) \u2212 T f(x)" };
  const notes = { map: "move, then look", still: "not moved", expected: "look, then move", difference: "white is 0" };
  Object.entries(notes).forEach(([name, note]) => say(panels[name].note, note));
  Object.entries(titles).forEach(([name, title]) => say(panels[name].heading, title));

  const plots = { equivariance: linePlot({ width: 390, height: 170 }), invariance: linePlot({ width: 390, height: 170 }) };
  const colours = { equivariance: OKABE_ITO.orange, invariance: OKABE_ITO.green };
  const why = h("div", { class: "cw-note cw-wide-note" });
  stage.append(picturePanel.node, h("div", { class: "cw-ways" }, ...Object.keys(titles).map((name) => panels[name].node)),
    h("div", { class: "cw-row cw-top" }, plots.equivariance.node, plots.invariance.node));
  readout.before(h("div", { class: "cw-below" }, why));

  function drawMaps(current, result) {
    const largest = (...names) => Math.max(...names.flatMap((name) => result[name].flat().map(Math.abs))) || 1;
    const bright = (top) => (v) => cividis(v / top);
    const signed = (top) => (v) => puor(v / top);
    picture.update(result.picture, bright(1), `The ${current.shape.toLowerCase()}, moved`);
    const both = largest("map", "expected", "still"); // one scale, so that their colours compare
    const response = largest("convolved");
    maps.convolved.update(result.convolved, signed(response), "What the kernel makes of the moved shape");
    maps.activated.update(result.activated, bright(response), "The same after ReLU");
    maps.map.update(result.map, bright(both), "The map of the moved shape");
    maps.still.update(result.still, bright(both), "The map of the unmoved shape");
    maps.expected.update(result.expected, bright(both), "The map of the unmoved shape, then moved");
    maps.difference.update(result.difference, signed(both), "The difference between the two");
    say(panels.map.heading, `f(T x), ${result.map.length} \u00D7 ${result.map.length}`);
  }
  function drawPlot(name, { curves, [name]: now }, current) {
    const points = curves[name].map((error, i) => [i - FARTHEST, error]);
    const most = Math.max(0, ...curves[name]);
    const top = TOPS.find((limit) => most <= limit && (name === "invariance" || limit >= 1)) ?? Math.ceil(most);
    plots[name].update({
      lines: [{ name: name === "equivariance" ? "equivariance error of the map" : `invariance error of the ${current.score}`, colour: colours[name], points }],
      x: { min: -FARTHEST, max: FARTHEST, label: "shift to the right, in pixels", ticks: [-16, -8, 0, 8, 16] },
      y: { min: 0, max: top, label: "", ticks: [0, top / 2, top] },
      marker: current.right,
      label: now == null ? `The ${name} error is undefined` : `The ${name} error over the shift to the right; at ${number(current.right)} it is ${number(now, 3)}, at most ${number(most, 3)}`,
    });
  }
  function draw(current) {
    const result = compute(current);
    Object.entries(chosen).forEach(([key, control]) => control.update(current[key]));
    drawMaps(current, result);
    Object.keys(plots).forEach((name) => drawPlot(name, result, current));
    say(why, reason(current, result));
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    say(readout, sentence(current, result));
  }
  const unwatch = watch(model, KEYS, draw);
  return () => { steps.stop(); unwatch(); };
}

export default { render };
