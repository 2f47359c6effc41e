import {
  arrows, bracket, choice, count, frame, grid, h, number, panel, player, read, say, scaleFor, slider, watch, write,
} from "./shared.mjs";

const KEYS = ["kind", "filter", "step"];
const PLANES = DATA.planes;
const NUM = PLANES.length; // channels in, and filters

// --- What it computes ------------------------------------------------------------------------

/** The channels that a filter of the layer reads. */
function channelsOf(filter, groups) {
  const size = NUM / groups;
  const first = Math.floor(filter / size) * size;
  return Array.from({ length: size }, (_, i) => first + i);
}

/** What the window at (row, col) of a channel adds to the sum. */
const part = (plane, kernel, row, col) => kernel.flatMap((line, i) => line.map((w, j) => w * plane[row + i][col + j]))
  .reduce((total, v) => total + v, 0);

/** The filter's channels, kernels and map, and how one number of the map comes about. */
export function compute({ kind, filter, step }) {
  const [k, groups] = DATA.kinds[kind];
  const channels = channelsOf(filter, groups);
  const kernels = channels.map((c) => DATA.kernels[k][(filter + c) % NUM]);
  const bias = DATA.biases[filter];
  const side = PLANES[0].length - k + 1;
  const parts = (row, col) => channels.map((c, i) => part(PLANES[c], kernels[i], row, col));
  const map = Array.from({ length: side }, (_, r) => Array.from({ length: side }, (__, c) =>
    parts(r, c).reduce((total, v) => total + v, bias)));
  const at = Math.min(step, side * side - 1);
  const [row, col] = [Math.floor(at / side), at % side];
  const taps = (NUM / groups) * k * k; // weights of one filter
  return {
    problem: null, read: channels, kernels, map, row, col, parts: parts(row, col), bias, total: map[row][col],
    parameters: NUM * (taps + 1), multiply_adds: NUM * taps * side * side,
  };
}

// --- What it shows ---------------------------------------------------------------------------

const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

/** Words as in a sentence: "1, 2 and 3". */
const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0]);

function sentence({ filter }, { read: channels, row, col, parts, bias, total }) {
  const several = channels.length > 1;
  return `Filter ${filter + 1} reads channel${several ? "s" : ""} ${listed(channels.map((c) => c + 1))}. At row ${row + 1}, `
    + `column ${col + 1} the products ${several ? "in each channel " : ""}add up to ${listed(parts.map((v) => number(v)))}; `
    + `together with the bias ${number(bias)}, that makes ${number(total)}.`;
}

/** Parameters and multiply-adds, written out. */
function costs({ kind }, { map, parameters, multiply_adds: work }) {
  const [k, groups] = DATA.kinds[kind];
  const [taps, side] = [`${NUM / groups} \u00B7 ${k} \u00B7 ${k}`, map.length];
  return `Parameters of all ${NUM} filters: ${NUM} \u00B7 (${taps} + 1) = <b>${count(parameters)}</b><br>`
    + `Multiply-adds: ${NUM} \u00B7 ${taps} \u00B7 ${side} \u00B7 ${side} = <b>${count(work)}</b>`;
}

function torchLine(kind) {
  const [k, groups] = DATA.kinds[kind];
  return `nn.Conv2d(${NUM}, ${NUM}, kernel_size=${k}${groups > 1 ? `, groups=${groups}` : ""})`;
}

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Keys: Tab moves between controls. On the map, the arrow keys move the window in all channels at once.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const side = () => compute(state()).map.length;
  const here = () => { const { row, col } = compute(state()); return row * side() + col; };
  const go = (step) => set({ step: clamp(step, 0, side() ** 2 - 1) });

  const kind = choice({ label: "Layer", options: Object.keys(DATA.kinds).map((name) => [name, name]), onChange: (name) => set({ kind: name }) });
  const filter = slider({ label: "Filter", min: 1, max: NUM, onChange: (v) => set({ filter: v - 1 }) });
  const cells = slider({ label: "Map cell", min: 1, onChange: (v) => go(v - 1) });
  cells.node.classList.add("cw-wide");
  const steps = player({ onBack: () => go(here() - 1), onNext: () => go(here() + 1), atEnd: () => here() === side() ** 2 - 1 });
  controls.append(kind.node, filter.node, cells.node, steps.node);

  const rows = PLANES.map((_, c) => {
    const [plane, kernel, sum] = [grid(), grid(), h("div", { class: "cw-part" })];
    const node = h("div", { class: "cw-row cw-channel" }, h("div", { class: "cw-note" }, `channel ${c + 1}`),
      plane.node, h("span", { class: "cw-arrow" }, "\u00D7"), h("div", { class: "cw-kernel-place" }, kernel.node), h("span", { class: "cw-arrow" }, "\u2192"), sum);
    return { node, plane, kernel, sum };
  });
  const output = grid({ className: "cw-pick", onPick: (r, c) => go(r * side() + c) });
  const map = h("div", { role: "group" }, output.node);
  arrows(map, "Map of the filter; the arrow keys move the window", (down, right) => {
    const { row, col, map: values } = compute(state());
    const last = values.length - 1;
    go(clamp(row + down, 0, last) * values.length + clamp(col + right, 0, last));
  });
  const channelPanel = panel("Channels, the filter\u2019s kernels, and what each adds", ...rows.map(({ node }) => node));
  const mapPanel = panel("", map);
  const sumNode = h("div", { class: "cw-formula" });
  const costNode = h("div", { class: "cw-formula" });
  const code = h("code");
  stage.append(channelPanel.node, h("div", { class: "cw-column" }, mapPanel.node, sumNode));
  readout.before(h("div", { class: "cw-below" }, costNode, h("div", {}, "In PyTorch: ", code)));

  function drawChannel(c, result) {
    const { node, plane, kernel, sum } = rows[c];
    const place = result.read.indexOf(c);
    const isRead = place >= 0;
    const weights = isRead ? result.kernels[place] : [];
    const k = result.kernels[0].length;
    const colour = scaleFor(PLANES.flat(2));
    node.classList.toggle("cw-unread", !isRead);
    plane.draw({
      rows: PLANES[c].length, cols: PLANES[c][0].length, cell: 25, label: `Channel ${c + 1}${isRead ? "" : ", not read by this filter"}`,
      outline: isRead ? { row: result.row, col: result.col, rows: k, cols: k } : null,
      content: (r, col) => ({ text: number(PLANES[c][r][col]), rgb: isRead ? colour(PLANES[c][r][col]) : null }),
    });
    kernel.node.hidden = !isRead;
    if (isRead) {
      const signed = scaleFor(weights.flat(), { signed: true });
      kernel.draw({
        rows: k, cols: k, cell: 34, label: `Kernel for channel ${c + 1}: ${weights.map((line) => line.join(", ")).join("; ")}`,
        content: (r, col) => ({ text: number(weights[r][col]), rgb: signed(weights[r][col]) }),
      });
    }
    say(sum, isRead ? number(result.parts[place]) : "not read");
  }

  function draw(current) {
    const result = compute(current);
    kind.update(current.kind);
    filter.update(current.filter + 1);
    cells.range(1, result.map.length ** 2);
    cells.update(result.row * result.map.length + result.col + 1);
    PLANES.forEach((_, c) => drawChannel(c, result));
    const colour = scaleFor(result.map.flat(), { signed: result.map.flat().some((v) => v < 0) });
    say(mapPanel.heading, `Map of filter ${current.filter + 1}, ${result.map.length} \u00D7 ${result.map.length}`);
    output.draw({
      rows: result.map.length, cols: result.map.length, cell: result.map.length > 3 ? 34 : 44, label: `Map: ${result.map.map((line) => line.map((v) => number(v)).join(", ")).join("; ")}`,
      outline: { row: result.row, col: result.col, rows: 1, cols: 1 },
      content: (r, c) => ({ text: number(result.map[r][c]), rgb: colour(result.map[r][c]) }),
    });
    sumNode.innerHTML = `${result.parts.map((v) => bracket(number(v))).join(" + ")} + bias ${bracket(number(result.bias))} = <b>${number(result.total)}</b>`;
    costNode.innerHTML = costs(current, result);
    say(code, torchLine(current.kind));
    say(readout, sentence(current, result));
  }

  const unwatch = watch(model, KEYS, draw);
  return () => { steps.stop(); unwatch(); };
}

export default { render };
