import {
  arrows, bracket, choice, frame, grid, h, number, panel, player, read, scaleFor, say, slider, watch, write,
} from "./shared.mjs";

const KEYS = ["picture", "pool", "activation", "window", "stride", "step"];

// --- What it computes ------------------------------------------------------------------------

const ACTIVATIONS = {
  ReLU: (x) => Math.max(x, 0),
  "leaky ReLU": (x) => (x > 0 ? x : 0.1 * x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  "|x|": Math.abs,
  "\u2212x": (x) => -x,
};
const POOLS = {
  max: (values) => Math.max(...values),
  average: (values) => values.reduce((total, v) => total + v, 0) / values.length,
};

const eachCell = (matrix, f) => matrix.map((row) => row.map(f));
const windowAt = (matrix, top, left, k) => matrix.slice(top, top + k).map((row) => row.slice(left, left + k));

/** Both orders for a state; `problem` says why if there is no output. */
export function compute({ picture, pool, activation, window: k, stride, step: wanted }) {
  const size = [picture.length, picture[0].length];
  if (k > Math.min(...size)) {
    const problem = `No window fits: it is ${k} \u00D7 ${k}, but the image's shorter side is ${Math.min(...size)}. `
      + "Use a smaller window or a larger image.";
    return { problem, out: [0, 0] };
  }
  const [rows, cols] = size.map((n) => Math.floor((n - k) / stride) + 1);
  const pooling = (matrix) => Array.from({ length: rows }, (_, r) => Array.from({ length: cols }, (__, c) =>
    POOLS[pool](windowAt(matrix, r * stride, c * stride, k).flat())));
  const activate = ACTIVATIONS[activation];
  const activated = eachCell(picture, activate);
  const pooled = pooling(picture);
  const before = pooling(activated);
  const after = eachCell(pooled, activate);
  const difference = before.map((row, r) => row.map((v, c) => v - after[r][c]));
  const sizes = difference.flat().map(Math.abs);
  const step = Math.min(wanted, rows * cols - 1);
  const [row, col] = [Math.floor(step / cols), step % cols];
  return {
    problem: null, out: [rows, cols], activated, pooled, before, after, difference,
    differing: sizes.filter((v) => v > 1e-9).length, largest: Math.max(...sizes),
    calls: [size[0] * size[1], rows * cols], step, row, col,
    seen: windowAt(picture, row * stride, col * stride, k),
  };
}

// --- What it says ----------------------------------------------------------------------------

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function verdict({ pool, activation }, { out, differing, largest }) {
  const start = `${capital(pool)} pooling and ${activation}: the two orders`;
  const total = out[0] * out[1];
  return differing ? `${start} differ in ${differing} of ${total} places, by up to ${number(largest)}.` : `${start} agree in all ${total} places.`;
}

/** Why the two orders agree or not, which depends on the pair alone. */
function reason({ pool, activation }) {
  if (pool === "max") {
    if (activation === "|x|") return "|x| does not keep the order: a large negative number overtakes a small positive one, so another cell may win.";
    if (activation === "\u2212x") return "\u2212x reverses the order: the largest becomes the smallest, so another cell wins.";
    return `${activation} never reverses the order of two numbers, so the largest stays the largest: it can always change places with max pooling. Pool first: that is cheaper.`;
  }
  if (activation === "\u2212x") return "\u2212x is linear, and so is the average: they can always change places.";
  if (activation === "ReLU" || activation === "leaky ReLU" || activation === "|x|") return `${activation} bends at zero: the two orders agree where all numbers in a window have the same sign (or are zero), and differ where the signs are mixed.`;
  return `${activation} is curved, so the average of its values is in general not its value at the average.`;
}

/** The activation written out, as |x| and −x are not written like functions. */
function applied(activation, text) {
  if (activation === "|x|") return `|${text}|`;
  if (activation === "\u2212x") return `\u2212${bracket(text)}`;
  return `${activation}(${text})`;
}

function windowLines({ pool, activation }, result) {
  const values = result.seen.flat();
  const activate = ACTIVATIONS[activation];
  const list = (numbers) => numbers.map((v) => number(v)).join(", ");
  const { row, col } = result;
  const pooled = number(result.pooled[row][col]);
  return [
    `${pool}(${values.map((v) => applied(activation, number(v))).join(", ")}) = ${pool}(${list(values.map(activate))}) = <b>${number(result.before[row][col])}</b>`,
    `${applied(activation, `${pool}(${list(values)})`)} = ${applied(activation, pooled)} = <b>${number(result.after[row][col])}</b>`,
  ];
}

// --- What it shows ---------------------------------------------------------------------------

const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const copyWith = (matrix, r, c, value) => matrix.map((row, i) => row.map((v, j) => (i === r && j === c ? value : v)));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const OWN = "your own numbers";

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Keys: Tab moves between controls. On the difference, the arrow keys move the window; in the image they "
      + "move between numbers. Type to change one, then press Enter.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const here = () => compute(state()).step ?? 0;
  const go = (step) => {
    const { problem, out } = compute(state());
    if (!problem) set({ step: clamp(step, 0, out[0] * out[1] - 1) });
  };

  const names = [...Object.keys(DATA.pictures), OWN];
  const picture = choice({
    label: "Image", options: names.map((name) => [name, name]),
    onChange: (name) => DATA.pictures[name] && set({ picture: DATA.pictures[name] }),
  });
  const pool = choice({ label: "Pooling", options: [["max", "max"], ["average", "average"]], onChange: (v) => set({ pool: v }) });
  const activation = choice({
    label: "Activation", options: DATA.activations.map((name) => [name, name]), onChange: (v) => set({ activation: v }),
  });
  const size = slider({ label: "Window", min: 1, max: 4, onChange: (v) => set({ window: v }) });
  const stride = slider({ label: "Stride", min: 1, max: 4, onChange: (v) => set({ stride: v }) });
  const cells = slider({ label: "Output cell", min: 1, onChange: (v) => go(v - 1) });
  const steps = player({
    onBack: () => go(here() - 1), onNext: () => go(here() + 1),
    atEnd: () => { const { problem, calls, step } = compute(state()); return problem || step === calls[1] - 1; },
  });
  controls.append(picture.node, pool.node, activation.node, size.node, stride.node, cells.node, steps.node);

  const image = grid({ onEdit: (r, c, v) => set({ picture: copyWith(state().picture, r, c, v) }) });
  const pick = (r, c) => go(r * compute(state()).out[1] + c);
  const [activated, pooled, before, after, difference] = [{}, ...Array(4).fill({ className: "cw-pick", onPick: pick })].map(grid);
  const map = h("div", { role: "group" }, difference.node);
  arrows(map, "Difference; the arrow keys move the window", (down, right) => {
    const { problem, out, row, col } = compute(state());
    if (!problem) go(clamp(row + down, 0, out[0] - 1) * out[1] + clamp(col + right, 0, out[1] - 1));
  });
  const panels = {
    image: panel("Image", image.node), activated: panel("", activated.node), before: panel("", before.node),
    pooled: panel("", pooled.node), after: panel("", after.node), difference: panel("Upper \u2212 lower", map),
  };
  const arrow = () => h("span", { class: "cw-arrow", "aria-hidden": "true" }, "\u2192");
  const orders = h("div", { class: "cw-orders" },
    panels.activated.node, arrow(), panels.before.node, panels.difference.node,
    panels.pooled.node, arrow(), panels.after.node);
  stage.append(panels.image.node, orders);
  const first = h("div", { class: "cw-formula" });
  const second = h("div", { class: "cw-formula" });
  const why = h("div", { class: "cw-note cw-wide-note" });
  readout.before(h("div", { class: "cw-below" }, first, second, why));

  function drawMap(target, name, values, largest, outline, likeThese = values) {
    const colour = scaleFor(likeThese.flat(), { signed: true });
    target.draw({
      rows: values.length, cols: values[0].length, cell: clamp(Math.floor(largest / values[0].length), 31, 50), label: name, outline,
      content: (r, c) => ({ text: number(values[r][c]), rgb: colour(values[r][c]) }),
    });
  }
  function drawPicture(current, outline) {
    const { picture: values } = current;
    const colour = scaleFor(values.flat(), { signed: true });
    image.draw({
      rows: values.length, cols: values[0].length, cell: 38, label: "Image; the arrow keys move between numbers", outline,
      content: (r, c) => ({ text: number(values[r][c]), rgb: colour(values[r][c]), edit: `image, row ${r + 1}, column ${c + 1}` }),
    });
  }
  function drawOrders(current, result, outline) {
    const { row, col } = result;
    const cell = { row, col, rows: 1, cols: 1 };
    const { activation: f, pool: p } = current;
    orders.classList.toggle("cw-large", result.out[1] > 4);
    const both = [...result.before, ...result.after]; // one scale, so that their colours compare
    drawMap(activated, `${f} of the image`, result.activated, 200, outline);
    drawMap(before, `${p} pooling of the activated image`, result.before, 150, cell, both);
    drawMap(pooled, `${p} pooling of the image`, result.pooled, 150, cell);
    drawMap(after, `${f} of the pooled image`, result.after, 150, cell, both);
    drawMap(difference, "Activation first minus pooling first", result.difference, 150, cell, both);
    say(panels.activated.heading, `Activation first: ${f}`);
    say(panels.before.heading, `then ${p}`);
    say(panels.pooled.heading, `Pooling first: ${p}`);
    say(panels.after.heading, `then ${f}`);
    say(panels.activated.note, `${result.calls[0]} calls to ${f}`);
    say(panels.after.note, `${result.calls[1]} calls to ${f}`);
    say(panels.difference.note, result.differing ? `${result.differing} of ${result.calls[1]} differ` : "all agree");
    panels.difference.note.className = `cw-note ${result.differing ? "cw-bad" : "cw-good"}`;
  }
  function drawControls(current, result) {
    picture.update(Object.keys(DATA.pictures).find((name) => same(DATA.pictures[name], current.picture)) ?? OWN);
    pool.update(current.pool);
    activation.update(current.activation);
    size.update(current.window);
    stride.update(current.stride);
    cells.range(1, Math.max(1, result.calls?.[1] ?? 1));
    cells.update((result.step ?? 0) + 1);
    cells.input.disabled = Boolean(result.problem);
  }
  function draw(current) {
    const result = compute(current);
    const { window: k, stride: st } = current;
    const outline = result.problem ? null : { row: result.row * st, col: result.col * st, rows: k, cols: k };
    drawControls(current, result);
    drawPicture(current, outline);
    orders.hidden = Boolean(result.problem);
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    if (result.problem) {
      first.innerHTML = second.innerHTML = why.textContent = "";
      say(readout, result.problem);
      return;
    }
    drawOrders(current, result, outline);
    const lines = windowLines(current, result);
    first.innerHTML = `Activation first: ${lines[0]}`;
    second.innerHTML = `Pooling first: ${lines[1]}`;
    say(why, reason(current));
    const { row, col } = result;
    say(readout, `${verdict(current, result)} Row ${row + 1}, column ${col + 1}: ${number(result.before[row][col])} against ${number(result.after[row][col])}.`);
  }

  const unwatch = watch(model, KEYS, draw);
  return () => { steps.stop(); unwatch(); };
}

export default { render };
