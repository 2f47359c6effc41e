import { arrows, button, choice, cividis, frame, h, heatmap, number, panel, read, s, say, slider, watch, write } from "./shared.mjs";

const KEYS = ["n", "layers", "layer", "position"];

// --- What it computes ------------------------------------------------------------------------

const covered = ({ k, d }) => d * (k - 1) + 1;
const outputSize = (n, layer) => Math.floor((n + 2 * layer.p - covered(layer)) / layer.s) + 1;

/** Names by kind: image, conv1, conv2, pool1. */
function layerNames(layers) {
  const seen = { conv: 0, pool: 0 };
  return ["image", ...layers.map(({ kind }) => `${kind}${(seen[kind] += 1)}`)];
}

function problemOf(name, layer, n) {
  if (layer.kind === "pool" && layer.p > Math.floor(covered(layer) / 2)) {
    return `${name} is impossible: its padding of ${layer.p} is more than half of its window of ${covered(layer)}.`;
  }
  if (covered(layer) > n + 2 * layer.p) {
    return `${name} is impossible: its kernel covers ${covered(layer)} pixels, but its padded input has only ${n + 2 * layer.p}. `
      + "Use a smaller kernel, more padding or a larger image.";
  }
  return null;
}

/** The layers up to the first that does not fit, their sizes, and what is wrong with that one. */
function fitting({ n, layers }) {
  const names = layerNames(layers);
  const sizes = [n];
  for (let i = 0; i < layers.length; i += 1) {
    const problem = problemOf(names[i + 1], layers[i], sizes[i]);
    if (problem) return { layers: layers.slice(0, i), sizes, problem };
    sizes.push(outputSize(sizes[i], layers[i]));
  }
  return { layers, sizes, problem: null };
}

function fieldsOf(layers) {
  const fields = [{ size: 1, jump: 1, start: 0 }];
  layers.forEach((layer, i) => {
    const { size, jump, start } = fields[i];
    fields.push({ size: size + (covered(layer) - 1) * jump, jump: jump * layer.s, start: start - layer.p * jump });
  });
  return fields;
}

/** First and last cell that an output sees, in the image and in each layer up to its own. */
function seenBy(layers, position) {
  const ranges = [[position, position]];
  [...layers].reverse().forEach((layer) => {
    const [low, high] = ranges[0].map((end) => end * layer.s - layer.p);
    ranges.unshift([low, high + covered(layer) - 1]);
  });
  return ranges;
}

/** Number of paths from each pixel to an output, found by walking down from it. */
function pathsTo(layers, sizes, position) {
  let above = new Float64Array(sizes[layers.length]);
  above[position] = 1;
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const { k, s: stride, p, d } = layers[i];
    const below = new Float64Array(sizes[i]);
    above.forEach((paths, cell) => {
      for (let tap = 0; paths && tap < k; tap += 1) {
        const at = cell * stride - p + tap * d;
        if (at >= 0 && at < below.length) below[at] += paths;
      }
    });
    above = below;
  }
  return above;
}

/** Sizes, fields, ranges and paths for a state; `problem` says which layer cannot be. */
export function compute(state) {
  const { layers, sizes, problem } = fitting(state);
  const layer = Math.min(state.layer, layers.length);
  const position = Math.min(state.position, sizes[layer] - 1);
  const below = layers.slice(0, layer);
  const paths = pathsTo(below, sizes, position);
  const most = Math.max(1, ...paths);
  return {
    problem, sizes, fields: fieldsOf(layers), layer, position, seen: seenBy(below, position),
    paths: Array.from(paths, (v) => v / most), share: (paths.filter((v) => v > 0).length / state.n) ** 2,
  };
}

// --- What it says ----------------------------------------------------------------------------

const pixels = (n) => `${n} pixel${n === 1 ? "" : "s"}`;

function sentence(state, result) {
  const { layer, position, fields, seen: [[low, high]], share } = result;
  const outside = Math.max(0, -low) + Math.max(0, high - state.n + 1);
  const padding = outside ? `, ${outside} of them in the padding` : "";
  return `${layerNames(state.layers)[layer]}, output ${position + 1} sees ${pixels(fields[layer].size)} across (pixels ${number(low + 1)} to `
    + `${number(high + 1)}${padding}), ${number(100 * share, 1)}% of the image. The field of the next output lies ${pixels(fields[layer].jump)} further on.`;
}

function formula(state, { layer, fields }) {
  if (layer === 0) return "A pixel of the image sees only itself: field 1, jump 1.";
  const { k, s: stride, d } = state.layers[layer - 1];
  const [under, here] = [fields[layer - 1], fields[layer]];
  const [letters, kernel] = d > 1 ? ["<i>d</i>(<i>k</i> \u2212 1)", `${d}\u00B7(${k} \u2212 1)`] : ["(<i>k</i> \u2212 1)", `(${k} \u2212 1)`];
  return `Field <i>r</i> = <i>r</i><sub>below</sub> + ${letters}\u00B7<i>j</i><sub>below</sub> = ${under.size} + ${kernel}\u00B7${under.jump} = <b>${here.size}</b>`
    + ` &emsp; Jump <i>j</i> = <i>j</i><sub>below</sub>\u00B7<i>s</i> = ${under.jump}\u00B7${stride} = <b>${here.jump}</b>`;
}

// --- What it shows ---------------------------------------------------------------------------

const OWN = "your own layers";
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const same = (a, b) => a.length === b.length && a.every((layer, i) => ["kind", "k", "s", "p", "d"].every((key) => layer[key] === b[i][key]));
const nameOf = ({ n, layers }) => Object.keys(DATA.stacks).find((name) => DATA.stacks[name][0] === n && same(DATA.stacks[name][1], layers)) ?? OWN;
const WIDTH = 640;
const LEFT = 62;
const BAR = 18;

/** Where things are in the side view: one row per level, the image lowest, x in image pixels. */
function layout(state, { sizes, fields, seen }) {
  const low = Math.min(0, seen[0][0]);
  const high = Math.max(state.n, seen[0][1] + 1);
  const scale = (WIDTH - LEFT - 4) / (high - low);
  const row = sizes.length > 12 ? 26 : 36;
  const edge = (level, cell) => {
    const { start, jump, size } = fields[level];
    return LEFT + (start + cell * jump + (size - jump) / 2 - low) * scale;
  };
  const y = (level) => 8 + row * (sizes.length - 1 - level);
  return { edge, y, row, height: 8 + row * sizes.length + 50 };
}

function drawSide(node, state, result) {
  const { sizes, seen, layer, position, paths } = result;
  const { edge, y, height } = layout(state, result);
  const names = layerNames(state.layers);
  const rect = (level, low, high, name) => s("rect", { x: edge(level, low), y: y(level), width: Math.max(1.5, edge(level, high) - edge(level, low)), height: BAR, class: name });
  const cone = seen.slice(1).map(([low, high], i) => {
    const [belowLow, belowHigh] = seen[i];
    const [top, bottom] = [y(i + 1) + BAR, y(i)];
    return s("polygon", { class: "cw-cone", points: `${edge(i + 1, low)},${top} ${edge(i + 1, high + 1)},${top} ${edge(i, belowHigh + 1)},${bottom} ${edge(i, belowLow)},${bottom}` });
  });
  const rows = sizes.flatMap((size, level) => {
    const width = edge(level, 1) - edge(level, 0);
    const [low, high] = seen[level] ?? [0, -1];
    const cuts = width < 5 ? [] : Array.from({ length: size - 1 }, (_, i) => `M${edge(level, i + 1).toFixed(1)} ${y(level)}v${BAR}`);
    const outside = [[low, Math.min(high, -1)], [Math.max(low, size), high]].filter(([a, b]) => a <= b);
    const inside = [Math.max(low, 0), Math.min(high, size - 1)];
    return [
      s("text", { x: LEFT - 8, y: y(level) + 14, "text-anchor": "end", class: level === layer ? "cw-strong" : "" }, names[level]),
      rect(level, 0, size, "cw-level"),
      ...(inside[0] <= inside[1] ? [rect(level, inside[0], inside[1] + 1, level === layer ? "cw-pointed" : "cw-seen")] : []),
      ...outside.map(([a, b]) => rect(level, a, b + 1, "cw-outside")),
      s("path", { class: "cw-cut", d: cuts.join("") }), // one element: a large stack has a thousand cuts
    ];
  });
  const floor = y(0) + BAR + 48;
  const outline = paths.flatMap((v, i) => [`${edge(0, i)},${floor - 40 * v}`, `${edge(0, i + 1)},${floor - 40 * v}`]);
  node.replaceChildren(...cone, ...rows,
    s("polygon", { class: "cw-paths", points: `${edge(0, 0)},${floor} ${outline.join(" ")} ${edge(0, paths.length)},${floor}` }),
    s("text", { x: LEFT - 8, y: floor - 8, "text-anchor": "end", class: "cw-quiet" }, "paths"));
  node.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  node.setAttribute("width", WIDTH);
  node.dataset.position = position;
}

/** The output of another level whose field has its centre closest to the one now pointed at. */
function nearest(result, level) {
  const centre = (at, cell) => { const { start, jump, size } = result.fields[at]; return start + cell * jump + size / 2; };
  const { start, jump, size } = result.fields[level];
  const cell = Math.round((centre(result.layer, result.position) - start - size / 2) / jump);
  return clamp(cell, 0, result.sizes[level] - 1);
}

const COLUMNS = [["k", "kernel"], ["s", "stride"], ["p", "padding"], ["d", "dilation"]];

/** The table of layers; rebuilt only when layers come or go, so that the focus stays. */
function layerTable({ onChange, onRemove, onPoint }) {
  const body = h("tbody");
  const heads = ["layer", ...COLUMNS.map(([, name]) => name), "output size", "jump", "field", "cells seen", ""];
  const node = h("table", { class: "cw-table cw-layers" }, h("thead", {}, h("tr", {}, ...heads.map((text) =>
    (text ? h("th", { scope: "col" }, text) : h("td"))))), body);
  let rows = [];
  function numberBox(level, name, [key, label]) {
    const [min, max] = DATA.limits[key];
    const input = h("input", { type: "number", min, max, "aria-label": `${name} ${label}` });
    input.addEventListener("input", () => {
      const value = Number(input.value);
      if (Number.isInteger(value) && value >= min && value <= max && input.value !== "") onChange(level - 1, key, value);
    });
    input.addEventListener("change", () => { if (input.value === "" || !input.checkValidity()) input.value = input.dataset.value; });
    return input;
  }
  function build(names, layers) {
    rows = names.map((name, level) => {
      const point = h("button", { type: "button", class: "cw-button cw-point", onclick: () => onPoint(level) }, name);
      const boxes = level === 0 ? [] : COLUMNS.map((column) => (layers[level - 1].kind === "pool" && column[0] === "d" ? null : numberBox(level, name, column)));
      const cells = Array.from({ length: 4 }, () => h("td"));
      const remove = level === 0 ? [] : [h("button", { type: "button", class: "cw-button cw-remove", "aria-label": `Remove ${name}`, onclick: () => onRemove(level - 1) }, "\u00D7")];
      const row = h("tr", {}, h("th", { scope: "row" }, point),
        ...(level === 0 ? COLUMNS.map(() => h("td")) : boxes.map((box) => h("td", {}, ...(box ? [box] : [])))), ...cells, h("td", {}, ...remove));
      return { row, point, boxes, cells };
    });
    body.replaceChildren(...rows.map(({ row }) => row));
  }
  let shape = "";
  return {
    node,
    draw(state, { sizes, fields, seen, layer }) {
      const names = layerNames(state.layers);
      if (names.join() !== shape) build(names, state.layers);
      shape = names.join();
      rows.forEach(({ row, point, boxes, cells }, level) => {
        const known = level < sizes.length;
        point.setAttribute("aria-pressed", String(level === layer));
        row.classList.toggle("cw-chosen", level === layer);
        boxes.forEach((box, i) => {
          if (!box) return;
          const value = String(state.layers[level - 1][COLUMNS[i][0]]);
          box.dataset.value = value;
          if (Number(box.value) !== Number(value) || box.value === "") box.value = value;
        });
        const range = seen[level];
        const texts = known ? [`${sizes[level]} \u00D7 ${sizes[level]}`, fields[level].jump, fields[level].size,
          range ? `${number(range[0] + 1)} to ${number(range[1] + 1)}` : ""] : ["impossible", "", "", ""];
        cells.forEach((cell, i) => say(cell, String(texts[i])));
      });
    },
  };
}

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Keys: Tab moves between controls. On the layers, \u2190 and \u2192 move between outputs, \u2191 and \u2193 between layers. "
      + "Type the numbers in the table, or change them with \u2191 and \u2193.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const point = (layer, position) => {
    const result = compute(state());
    const to = clamp(layer, 0, result.sizes.length - 1);
    set({ layer: to, position: position ?? nearest(result, to) });
  };
  const change = (layers, layer = state().layer) => {
    const wanted = { ...state(), layers, layer };
    const result = compute(wanted);
    set({ layers, layer: result.layer, position: result.position });
  };
  const add = (layer) => {
    const { layers } = state();
    if (layers.length < DATA.most) change([...layers, layer], layers.length + 1);
  };
  const load = (name) => {
    if (!DATA.stacks[name]) return;
    const [n, layers] = DATA.stacks[name];
    const { sizes } = compute({ n, layers, layer: 0, position: 0 });
    set({ n, layers, layer: layers.length, position: Math.floor(sizes[layers.length] / 2) });
  };

  const stack = choice({ label: "Layers", options: [...Object.keys(DATA.stacks), OWN].map((name) => [name, name]), onChange: load });
  const size = slider({ label: "Image size", min: 1, max: 256, onChange: (n) => set({ n }) });
  const level = slider({ label: "Layer", min: 0, text: (v) => layerNames(state().layers)[v], onChange: (v) => point(v) });
  const output = slider({ label: "Output", min: 1, onChange: (v) => set({ position: v - 1 }) });
  output.node.classList.add("cw-wide");
  const addConv = button("+ conv 3\u00D73", () => add({ kind: "conv", k: 3, s: 1, p: 1, d: 1 }));
  const addPool = button("+ pool 2\u00D72", () => add({ kind: "pool", k: 2, s: 2, p: 0, d: 1 }));
  controls.append(stack.node, size.node, level.node, output.node, h("div", { class: "cw-control cw-buttons" }, addConv, addPool));

  const side = s("svg", { class: "cw-plot cw-side", "aria-hidden": "true" });
  const pointer = h("div", { role: "group", class: "cw-pick" }, side);
  arrows(pointer, "Layers; left and right move between outputs, up and down between layers", (down, right) => {
    const result = compute(state());
    if (down) point(result.layer - down);
    else set({ position: clamp(result.position + right, 0, result.sizes[result.layer] - 1) });
  });
  side.addEventListener("click", (event) => {
    const result = compute(state());
    const { edge, y, row } = layout(state(), result);
    const box = side.getBoundingClientRect();
    const zoom = WIDTH / box.width;
    const [px, py] = [(event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom];
    const at = clamp(Math.floor((y(0) + row - py) / row), 0, result.sizes.length - 1);
    const cell = Math.floor((px - edge(at, 0)) / (edge(at, 1) - edge(at, 0)));
    point(at, clamp(cell, 0, result.sizes[at] - 1));
  });
  const map = heatmap({ size: 190 });
  const frameOfField = h("div", { class: "cw-field" });
  const pictureBox = h("div", { class: "cw-map" }, map.node, frameOfField);
  const sidePanel = panel("From the side: each row is a layer, with the image at the bottom", pointer);
  const mapPanel = panel("From above: the image", pictureBox);
  mapPanel.node.classList.add("cw-slim");
  stage.append(sidePanel.node, mapPanel.node);
  say(mapPanel.note, "Bright: many paths lead from this pixel to the output. The frame is the receptive field.");
  const rule = h("div", { class: "cw-formula" });
  const table = layerTable({
    onChange: (i, key, value) => change(state().layers.map((layer, j) => (i === j ? { ...layer, [key]: value } : layer))),
    onRemove: (i) => change(state().layers.filter((_, j) => j !== i)),
    onPoint: (at) => point(at),
  });
  const scroller = h("div", { class: "cw-scroll" }, table.node);
  readout.before(h("div", { class: "cw-below" }, rule, scroller));

  function drawMap(current, { paths, seen: [[low, high]], fields, layer }) {
    map.update(paths.map((a) => paths.map((b) => a * b)), cividis, `The image from above; the field is ${fields[layer].size} pixels wide`);
    const percent = (v) => `${(100 * v) / current.n}%`;
    const [from, to] = [Math.max(0, low), Math.min(current.n, high + 1)];
    Object.assign(frameOfField.style, { left: percent(from), top: percent(from), width: percent(to - from), height: percent(to - from) });
  }
  function draw(current) {
    const result = compute(current);
    stack.update(nameOf(current));
    size.update(current.n);
    level.range(0, result.sizes.length - 1);
    level.update(result.layer);
    output.range(1, result.sizes[result.layer]);
    output.update(result.position + 1);
    addConv.disabled = addPool.disabled = current.layers.length >= DATA.most;
    drawSide(side, current, result);
    drawMap(current, result);
    table.draw(current, result);
    rule.innerHTML = formula(current, result);
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    say(readout, `${result.problem ? `${result.problem} ` : ""}${sentence(current, result)}`);
  }
  return watch(model, KEYS, draw);
}

export default { render };
