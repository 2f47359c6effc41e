import { choice, compact, count, frame, h, panel, s, say, slider, tick, watch, write } from "./shared.mjs";

const KEYS = ["n", "c_in", "c_out", "k", "s", "p", "groups", "bias"];

// --- What it computes ------------------------------------------------------------------------

/** Shapes, parameters and multiply-adds of the three layers; `problem` says why if it cannot be. */
export function compute({ n, c_in: cIn, c_out: cOut, k, s: stride, p, groups, bias }) {
  if (cIn % groups || cOut % groups) {
    return { problem: `${groups} groups do not divide ${cIn} input and ${cOut} output channels evenly. Choose a number that divides both.` };
  }
  if (k > n + 2 * p) {
    return { problem: `No window fits: the kernel covers ${k} pixels, but the padded image has only ${n + 2 * p}. Use a smaller kernel, or more padding.` };
  }
  const out = Math.floor((n + 2 * p - k) / stride) + 1;
  const taps = (cIn / groups) * k * k; // weights of one filter
  const [inputs, outputs] = [cIn * n * n, cOut * out * out];
  const conv = cOut * (taps + (bias ? 1 : 0));
  const dense = outputs * (inputs + (bias ? 1 : 0));
  return {
    problem: null, input: [cIn, n, n], weight: [cOut, cIn / groups, k, k], output: [cOut, out, out],
    parameters: { conv, local: out * out * conv, dense },
    multiply_adds: { conv: outputs * taps, local: outputs * taps, dense: inputs * outputs },
    ratio: dense / conv,
  };
}

// --- What it shows ---------------------------------------------------------------------------

const OWN = "your own layer";
const CHANNELS = [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 60, 64, 96, 128, 192, 256, 384, 512, 768, 1024];
const SIDES = [1, 2, 3, 4, 5, 7, 8, 10, 13, 14, 16, 20, 24, 27, 28, 32, 48, 56, 64, 96, 100, 112, 128, 160, 192, 224, 227, 256];
const layerOf = (known) => ({ s: 1, p: 0, groups: 1, ...known });
const nameOf = (state) => Object.keys(DATA.layers).find((name) =>
  Object.entries(layerOf(DATA.layers[name])).every(([key, value]) => state[key] === value)) ?? OWN;
const shape = (sizes) => sizes.join(" \u00D7 ");

/** Groups that divide both channel counts, and the one that is set even if it does not. */
function groupChoices({ c_in: cIn, c_out: cOut, groups }) {
  const fitting = CHANNELS.filter((g) => cIn % g === 0 && cOut % g === 0);
  const all = [...new Set([...fitting, groups])].sort((a, b) => a - b);
  return all.map((g) => [g, g === 1 ? "1 (none)" : g === cIn && g === cOut ? `${g} (depthwise)` : String(g)]);
}

const bytes = (x) => {
  const [size, unit] = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "bytes"]].find(([limit]) => 4 * x >= limit);
  return `${Number(((4 * x) / size).toPrecision(3))} ${unit}`;
};

function formulas(state, { weight, output, parameters, multiply_adds: work }) {
  const { n, c_in: cIn, c_out: cOut, k, s: stride, p, groups, bias } = state;
  const per = groups > 1 ? `${cIn}/${groups}` : cIn;
  const letters = groups > 1 ? "<i>c</i><sub>in</sub>/<i>g</i>" : "<i>c</i><sub>in</sub>";
  const [plus, plusOne] = bias ? [" + 1", " + 1"] : ["", ""];
  const wrap = (text) => (bias ? `(${text}${plus})` : text);
  const o = output[1];
  return [
    ["Output size", `\u230A(<i>n</i> + 2<i>p</i> \u2212 <i>k</i>) / <i>s</i>\u230B + 1 = \u230A(${n} + 2\u00B7${p} \u2212 ${k}) / ${stride}\u230B + 1 = <b>${o}</b>`],
    ["Parameters", `<i>c</i><sub>out</sub> \u00B7 ${wrap(`${letters} \u00B7 <i>k</i> \u00B7 <i>k</i>`)} = ${cOut} \u00B7 ${wrap(`${per} \u00B7 ${k} \u00B7 ${k}`)} = <b>${count(parameters.conv)}</b> (${bytes(parameters.conv)})`],
    ["Multiply-adds", `<i>c</i><sub>out</sub> \u00B7 ${letters} \u00B7 <i>k</i> \u00B7 <i>k</i> \u00B7 <i>o</i> \u00B7 <i>o</i> = ${cOut} \u00B7 ${per} \u00B7 ${k} \u00B7 ${k} \u00B7 ${o} \u00B7 ${o} = <b>${count(work.conv)}</b>`],
    ["Dense layer", `${cOut} \u00B7 ${o} \u00B7 ${o} \u00B7 ${wrap(`${cIn} \u00B7 ${n} \u00B7 ${n}`)} = <b>${count(parameters.dense)}</b> parameters (${bytes(parameters.dense)})`],
  ];
}

function torchLine({ c_in: cIn, c_out: cOut, k, s: stride, p, groups, bias }) {
  const settings = [stride > 1 && `stride=${stride}`, p && `padding=${p}`, groups > 1 && `groups=${groups}`, !bias && "bias=False"];
  return `nn.Conv2d(${[cIn, cOut, `kernel_size=${k}`, ...settings.filter(Boolean)].join(", ")})`;
}

// --- Boxes: sides and depths on a log scale, so that 1 and 1024 fit in one drawing ---------------

const side = (n) => 20 + 11 * Math.log2(n + 1);
const depth = (c) => 5 + 5.5 * Math.log2(c);

function box(x, y, width, height, deep, name) {
  const d = deep * 0.7;
  const face = (points, shade) => s("polygon", { points, class: `cw-box ${name} ${shade}` });
  return [
    face(`${x},${y} ${x + d},${y - d} ${x + width + d},${y - d} ${x + width},${y}`, "top"),
    face(`${x + width},${y} ${x + width + d},${y - d} ${x + width + d},${y + height - d} ${x + width},${y + height}`, "side"),
    face(`${x},${y} ${x + width},${y} ${x + width},${y + height} ${x},${y + height}`, "front"),
  ];
}

function drawBoxes(node, state, { input, weight, output }) {
  const floor = 156; // all boxes stand on one line
  const place = (x, channels, n, name, title, text) => {
    const [size, deep] = [side(n), depth(channels)];
    return [
      ...box(x, floor - size, size, size, deep, name),
      s("text", { x: x + size / 2, y: floor + 20, "text-anchor": "middle", class: "cw-strong" }, text),
      s("text", { x: x + size / 2, y: floor + 38, "text-anchor": "middle", class: "cw-quiet" }, title),
    ];
  };
  const [first, second, third] = [20, 186, 322];
  const [wide, k] = [side(input[1]), Math.max(8, Math.min(side(input[1]) * Math.min(1, state.k / state.n), side(state.k)))];
  const [kx, ky] = [first + wide - k, floor - wide];
  const target = [second, floor - side(state.k)];
  node.replaceChildren(
    ...place(first, input[0], input[1], "cw-in", "input", shape(input)),
    s("rect", { x: kx, y: ky, width: k, height: k, class: "cw-patch" }),
    s("line", { x1: kx + k, y1: ky, x2: target[0], y2: target[1], class: "cw-ray" }),
    s("line", { x1: kx + k, y1: ky + k, x2: target[0], y2: floor, class: "cw-ray" }),
    ...place(second, weight[1], state.k, "cw-kernel", `${output[0]} filter${output[0] > 1 ? "s" : ""}`, shape(weight.slice(1))),
    ...place(third, output[0], output[1], "cw-out", "output", shape(output)),
  );
  node.setAttribute("aria-label", `Input ${shape(input)}, ${output[0]} filters of ${shape(weight.slice(1))}, output ${shape(output)}`);
}

/** Which input channels each output channel sees: one block per group. */
function drawGroups(node, { groups, c_in: cIn, c_out: cOut }) {
  const size = 120;
  const shown = Math.min(groups, 32);
  const step = size / shown;
  const blocks = Array.from({ length: shown }, (_, g) => s("rect", { x: g * step, y: g * step, width: step, height: step, class: "cw-block" }));
  node.replaceChildren(s("rect", { x: 0, y: 0, width: size, height: size, class: "cw-empty" }), ...blocks,
    s("text", { x: size / 2, y: size + 16, "text-anchor": "middle", class: "cw-quiet" }, `${cIn} in`),
    s("text", { x: -8, y: size / 2, "text-anchor": "middle", class: "cw-quiet", transform: `rotate(-90 -8 ${size / 2})` }, `${cOut} out`));
  node.setAttribute("aria-label", groups === 1 ? "Every output channel sees every input channel" : `${groups} groups: each output channel sees ${cIn / groups} of ${cIn} input channels`);
}

/** Bars on a logarithmic scale; a label is written behind its bar. */
function drawBars(node, values, title) {
  const [left, right, top] = [128, 344, 4];
  const x = (v) => left + ((right - left) * Math.log10(Math.max(v, 1))) / 16;
  const ticks = [[1, "1"], [1e3, "10\u00B3"], [1e6, "10\u2076"], [1e9, "10\u2079"], [1e12, "10\u00B9\u00B2"], [1e15, "10\u00B9\u2075"]];
  node.replaceChildren(
    ...ticks.flatMap(([v, text]) => [
      s("line", { x1: x(v), x2: x(v), y1: top, y2: top + 84, class: "cw-gridline" }),
      s("text", { x: x(v), y: top + 100, "text-anchor": "middle", class: "cw-quiet" }, text),
    ]),
    ...Object.entries(values).flatMap(([key, value], i) => {
      const [name, colour] = DATA.kinds[key];
      const y = top + 3 + 28 * i;
      return [
        s("text", { x: left - 8, y: y + 15, "text-anchor": "end" }, name),
        s("rect", { x: left, y, width: Math.max(2, x(value) - left), height: 21, fill: colour, rx: 2 }),
        s("text", { x: x(value) + 8, y: y + 16, class: "cw-strong cw-over" }, compact(value)),
      ];
    }),
  );
  node.setAttribute("aria-label", `${title}: ${Object.entries(values).map(([key, v]) => `${DATA.kinds[key][0]} ${compact(v)}`).join(", ")}`);
}

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Keys: Tab moves between controls, the arrow keys change them. Multiply-adds are for one image, without the bias.",
  });
  const set = (changes) => write(model, changes);
  const whole = (label, key, min, max) => slider({ label, min, max, onChange: (v) => set({ [key]: v }) });
  const listed = (label, key, values) => slider({ label, values, onChange: (v) => set({ [key]: v }) });
  const layer = choice({
    label: "Layer", options: [...Object.keys(DATA.layers), OWN].map((name) => [name, name]),
    onChange: (name) => DATA.layers[name] && set(layerOf(DATA.layers[name])),
  });
  const sliders = {
    c_in: listed("Channels in", "c_in", CHANNELS), c_out: listed("Channels out", "c_out", CHANNELS),
    n: listed("Input size", "n", SIDES), k: whole("Kernel", "k", 1, 15), s: whole("Stride", "s", 1, 8), p: whole("Padding", "p", 0, 7),
  };
  const groups = choice({ label: "Groups", options: [], onChange: (v) => set({ groups: Number(v) }) });
  const bias = tick({ label: "Bias", onChange: (v) => set({ bias: v }) });
  controls.append(layer.node, ...Object.values(sliders).map((control) => control.node), groups.node, bias.node);

  const boxes = s("svg", { class: "cw-plot", role: "img", viewBox: "0 0 466 200", width: 466 });
  const matrix = s("svg", { class: "cw-plot", role: "img", viewBox: "-18 0 140 140", width: 150 });
  const chart = () => s("svg", { class: "cw-plot", role: "img", viewBox: "0 0 460 108", width: 460 });
  const bars = { parameters: chart(), multiply_adds: chart() };
  const scene = h("div", { class: "cw-column" },
    h("div", { class: "cw-row cw-top" }, panel("Shapes: channels \u00D7 height \u00D7 width", boxes).node, panel("Connected channels", matrix).node),
    h("div", { class: "cw-row cw-top" }, panel("Parameters (logarithmic scale)", bars.parameters).node,
      panel("Multiply-adds for one image (logarithmic scale)", bars.multiply_adds).node));
  stage.append(scene);
  const table = h("table", { class: "cw-table cw-formula" }, h("tbody"));
  const code = h("code");
  readout.before(h("div", { class: "cw-below" }, table, h("div", {}, "In PyTorch: ", code)));

  function draw(state) {
    const result = compute(state);
    layer.update(nameOf(state));
    Object.entries(sliders).forEach(([key, control]) => control.update(state[key]));
    groups.options(groupChoices(state));
    groups.update(state.groups);
    bias.update(state.bias);
    say(code, torchLine(state));
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    scene.hidden = table.hidden = Boolean(result.problem);
    if (result.problem) { say(readout, result.problem); return; }
    drawBoxes(boxes, state, result);
    drawGroups(matrix, state);
    drawBars(bars.parameters, result.parameters, "Parameters");
    drawBars(bars.multiply_adds, result.multiply_adds, "Multiply-adds");
    table.firstChild.innerHTML = formulas(state, result).map(([name, text]) => `<tr><th scope="row">${name}</th><td>${text}</td></tr>`).join("");
    say(readout, `The convolution has ${count(result.parameters.conv)} parameters; a dense layer between the same shapes has ${compact(result.parameters.dense)}, ${compact(result.ratio)} times as many.`);
  }
  return watch(model, KEYS, draw);
}

export default { render };
