import {
  arrows, bracket, choice, fraction, frame, grid, h, number, panel, player, read, scaleFor, say,
  slider, tick, watch, write,
} from "./shared.mjs";

const KEYS = ["picture", "kernel", "stride", "padding", "dilation", "flip", "step", "show_all"];

// --- What it computes ------------------------------------------------------------------------

const flipped = (kernel) => [...kernel].reverse().map((row) => [...row].reverse());

/** Value of the padded image; zero in the padding. */
const padded = (picture, p) => (r, c) => picture[r - p]?.[c - p] ?? 0;

/** The k x k values under the window whose corner is (top, left) of the padded image. */
function windowAt(state, kernel, top, left) {
  const value = padded(state.picture, state.padding);
  const d = state.dilation;
  return kernel.map((row, i) => row.map((_, j) => value(top + i * d, left + j * d)));
}

const multiply = (a, b) => a.map((row, i) => row.map((v, j) => v * b[i][j]));
const sum = (matrix) => matrix.flat().reduce((total, v) => total + v, 0);

/** Output, window, products and sum for a state; `problem` says why if there is no output. */
export function compute(state) {
  const { picture, kernel, stride: st, padding: p, dilation: d } = state;
  const used = state.flip ? flipped(kernel) : kernel;
  const covered = [kernel.length, kernel[0].length].map((k) => d * (k - 1) + 1);
  const size = [picture.length, picture[0].length].map((n) => n + 2 * p);
  const bad = covered.findIndex((k, axis) => k > size[axis]);
  if (bad >= 0) {
    const problem = `No window fits: the kernel covers ${covered[bad]} pixels, but the padded image has only `
      + `${size[bad]}. Use a smaller kernel or dilation, or more padding.`;
    return { used, covered, problem, out: [0, 0] };
  }
  const [rows, cols] = size.map((n, axis) => Math.floor((n - covered[axis]) / st) + 1);
  const output = Array.from({ length: rows }, (_, r) => Array.from({ length: cols }, (__, c) =>
    sum(multiply(windowAt(state, used, r * st, c * st), used))));
  const step = Math.min(state.step, rows * cols - 1);
  const [row, col] = [Math.floor(step / cols), step % cols];
  const [top, left] = [row * st, col * st];
  const seen = windowAt(state, used, top, left);
  const products = multiply(seen, used);
  const unused = size.map((n, axis) => (n - covered[axis]) % st);
  return { used, covered, problem: null, out: [rows, cols], output, unused, step, row, col, top, left,
    window: seen, products, total: sum(products) };
}

// --- What it shows ---------------------------------------------------------------------------

const OWN = "your own numbers";
const same = (a, b) => a.length === b.length && a.every((row, i) => row.length === b[i].length
  && row.every((v, j) => Math.abs(v - b[i][j]) < 1e-9));
const nameOf = (known, matrix) => Object.keys(known).find((name) => same(known[name], matrix)) ?? OWN;
const copyWith = (matrix, r, c, value) => matrix.map((row, i) => row.map((v, j) => (i === r && j === c ? value : v)));
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const sizeText = ([rows, cols]) => `${rows} \u00D7 ${cols}`;

/** The output formula in HTML, letters first, then the numbers of this state. */
function sizeFormula(state, result) {
  const letters = "<i>o</i> = \u230A(<i>n</i> + 2<i>p</i> \u2212 <i>d</i>(<i>k</i> \u2212 1) \u2212 1) / <i>s</i>\u230B + 1";
  const { stride: st, padding: p, dilation: d } = state;
  const filled = (axis) => {
    const n = axis ? state.picture[0].length : state.picture.length;
    const k = axis ? state.kernel[0].length : state.kernel.length;
    const above = n + 2 * p - result.covered[axis];
    if (result.problem) return `= \u230A(${n} + 2\u00B7${p} \u2212 ${d}\u00B7${k - 1} \u2212 1) / ${st}\u230B + 1 = \u230A${bracket(number(above))} / ${st}\u230B + 1`;
    return `= \u230A(${n} + 2\u00B7${p} \u2212 ${d}\u00B7${k - 1} \u2212 1) / ${st}\u230B + 1 = \u230A${above} / ${st}\u230B + 1 = <b>${result.out[axis]}</b>`;
  };
  const square = state.picture.length === state.picture[0].length && state.kernel.length === state.kernel[0].length;
  return square ? `Size: ${letters} ${filled(0)}` : `Rows: ${letters} ${filled(0)}<br>Columns: ${letters} ${filled(1)}`;
}

function unusedNote({ unused }) {
  const parts = [["row", "at the bottom"], ["column", "on the right"]].flatMap(([what, where], axis) => (unused[axis]
    ? [`${unused[axis]} ${what}${unused[axis] > 1 ? "s" : ""} ${where}`] : []));
  return parts.length ? `The formula rounds down: ${parts.join(" and ")} of the padded image ${parts.length > 1 || Math.max(...unused) > 1 ? "are" : "is"} never under the kernel.` : "";
}

/** The line of PyTorch that computes the same. */
function torchLine({ stride: st, padding: p, dilation: d, flip }) {
  const settings = [st > 1 && `stride=${st}`, p && `padding=${p}`, d > 1 && `dilation=${d}`].filter(Boolean);
  return `F.conv2d(${["image", flip ? "kernel.flip(-2, -1)" : "kernel", ...settings].join(", ")})`;
}

/** The sum written out; of a large kernel only the products that are not zero. */
function sumLine({ window: seen, used, products, total }) {
  const terms = seen.flat().map((v, i) => `${bracket(number(v))}\u00B7${bracket(fraction(used.flat()[i]))}`);
  const shown = terms.length <= 9 ? terms : terms.filter((_, i) => products.flat()[i] !== 0);
  const rest = terms.length - shown.length;
  return `${shown.join(" + ") || "0"} = <b>${number(total)}</b>${rest ? ` (${rest === 1 ? "the other product is" : `the other ${rest} products are`} zero)` : ""}`;
}

function render({ model, el }) {
  const { root, controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Keys: Tab moves between controls. On the output, the arrow keys move the window; in the image and "
      + "the kernel they move between numbers. Type to change one (1/9 and \u22120.5 both work), then press Enter.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const go = (step) => {
    const { problem, out } = compute(state());
    if (!problem) set({ step: clamp(step, 0, out[0] * out[1] - 1) });
  };
  const here = () => compute(state()).step ?? 0;
  const options = (known) => [...Object.keys(known), OWN].map((name) => [name, name]);
  const pick = (key, known) => (name) => known[name] && set({ [key]: known[name] });

  const picture = choice({ label: "Image", options: options(DATA.pictures), onChange: pick("picture", DATA.pictures) });
  const kernel = choice({ label: "Kernel", options: options(DATA.kernels), onChange: pick("kernel", DATA.kernels) });
  const mode = choice({
    label: "Operation",
    options: [["no", "cross-correlation (PyTorch)"], ["yes", "convolution (kernel flipped)"]],
    onChange: (value) => set({ flip: value === "yes" }),
  });
  const stride = slider({ label: "Stride", min: 1, max: 4, onChange: (v) => set({ stride: v }) });
  const padding = slider({ label: "Padding", min: 0, max: 3, onChange: (v) => set({ padding: v }) });
  const dilation = slider({ label: "Dilation", min: 1, max: 3, onChange: (v) => set({ dilation: v }) });
  const cells = slider({ label: "Output cell", min: 1, onChange: (v) => go(v - 1) });
  cells.node.classList.add("cw-wide");
  const all = tick({ label: "Show the whole output", onChange: (v) => set({ show_all: v }) });
  const steps = player({
    onBack: () => go(here() - 1), onNext: () => go(here() + 1),
    atEnd: () => { const { problem, out, step } = compute(state()); return problem || step === out[0] * out[1] - 1; },
  });
  controls.append(picture.node, kernel.node, mode.node, stride.node, padding.node, dilation.node, cells.node, steps.node, all.node);

  const image = grid({ onEdit: (r, c, v) => set({ picture: copyWith(state().picture, r - state().padding, c - state().padding, v) }) });
  const weights = grid({ onEdit: (r, c, v) => set({ kernel: copyWith(state().kernel, r, c, v) }) });
  const products = grid({ className: "cw-products" });
  const output = grid({ className: "cw-pick", onPick: (r, c) => go(r * compute(state()).out[1] + c) });
  const map = h("div", { role: "group" }, output.node);
  arrows(map, "Output; the arrow keys move the window", (down, right) => {
    const { problem, out, row, col } = compute(state());
    if (!problem) go(clamp(row + down, 0, out[0] - 1) * out[1] + clamp(col + right, 0, out[1] - 1));
  });
  const imagePanel = panel("Image", image.node);
  const kernelPanel = panel("Kernel", weights.node);
  const productPanel = panel("Products under the window", products.node);
  const outputPanel = panel("Output", map);
  stage.append(imagePanel.node, h("div", { class: "cw-column" }, kernelPanel.node, productPanel.node), outputPanel.node);
  const sumNode = h("div", { class: "cw-formula" });
  const formula = h("div", { class: "cw-formula" });
  const note = h("div", { class: "cw-note" });
  const code = h("code");
  readout.before(h("div", { class: "cw-below" }, sumNode, formula, note, h("div", {}, "In PyTorch: ", code)));

  function drawPicture(current, result) {
    const { picture: values, padding: p, dilation: d } = current;
    const [rows, cols] = [values.length + 2 * p, values[0].length + 2 * p];
    const colour = scaleFor(values.flat());
    const value = padded(values, p);
    const inside = (r, c) => values[r - p]?.[c - p] !== undefined;
    const tapped = (r, c) => !result.problem && (r - result.top) % d === 0 && (c - result.left) % d === 0
      && r >= result.top && c >= result.left && r < result.top + result.covered[0] && c < result.left + result.covered[1];
    image.draw({
      rows, cols, cell: clamp(Math.floor(330 / cols), 25, 36),
      label: "Image; the arrow keys move between numbers",
      outline: result.problem ? null : { row: result.top, col: result.left, rows: result.covered[0], cols: result.covered[1], loose: d > 1 },
      content: (r, c) => ({
        text: number(value(r, c)),
        rgb: inside(r, c) ? colour(value(r, c)) : null,
        classes: `${inside(r, c) ? "" : "pad"} ${d > 1 && tapped(r, c) ? "tap" : ""}`,
        edit: inside(r, c) ? `image, row ${r - p + 1}, column ${c - p + 1}` : "",
      }),
    });
    say(imagePanel.heading, `Image, ${sizeText([values.length, values[0].length])}${p ? `, with padding ${p}` : ""}`);
  }

  function drawKernel(current) {
    const { kernel: values, flip } = current;
    const colour = scaleFor(values.flat(), { signed: true });
    weights.draw({
      rows: values.length, cols: values[0].length, cell: values.length > 3 ? 38 : 42, label: "Kernel; the arrow keys move between numbers",
      content: (r, c) => ({ text: fraction(values[r][c]), rgb: colour(values[r][c]), edit: `kernel, row ${r + 1}, column ${c + 1}` }),
    });
    say(kernelPanel.heading, `Kernel, ${sizeText([values.length, values[0].length])}`);
    say(kernelPanel.note, flip ? "Rotated by 180\u00B0 before it is laid on the image." : "");
  }

  function drawProducts(current, result) {
    const { used } = result;
    const colour = scaleFor((result.products ?? [[1]]).flat(), { signed: true });
    products.draw({
      rows: used.length, cols: used[0].length, cell: used.length > 3 ? 50 : 60,
      label: result.problem ? "No products" : `Products: ${result.products.map((row) => row.map((v) => number(v)).join(", ")).join("; ")}`,
      content: (r, c) => (result.problem ? { text: "\u2013" } : {
        text: `${number(result.window[r][c])}\u00B7${bracket(fraction(used[r][c]))}\n= ${number(result.products[r][c])}`,
        rgb: colour(result.products[r][c]),
      }),
    });
  }

  function drawOutput(current, result) {
    const { problem, out: [rows, cols], step } = result;
    say(outputPanel.heading, problem ? "No output" : `Output, ${sizeText(result.out)}`);
    map.hidden = Boolean(problem);
    if (problem) { say(outputPanel.note, problem); return; }
    const colour = scaleFor(result.output.flat());
    const made = (r, c) => current.show_all || r * cols + c <= step;
    output.draw({
      rows, cols, cell: clamp(Math.floor(300 / cols), 27, 40),
      label: `Output, ${rows} rows of ${cols}`,
      outline: { row: result.row, col: result.col, rows: 1, cols: 1 },
      content: (r, c) => ({
        text: number(result.output[r][c], cols > 7 ? 1 : 2),
        rgb: made(r, c) ? colour(result.output[r][c]) : null,
        classes: made(r, c) ? "" : "later",
      }),
    });
    say(outputPanel.note, result.output.flat().some((v) => v < 0)
      ? "Orange is negative, white is zero, purple is positive." : "Dark blue is zero, yellow is the largest value.");
  }

  function drawControls(current, result) {
    picture.update(nameOf(DATA.pictures, current.picture));
    kernel.update(nameOf(DATA.kernels, current.kernel));
    mode.update(current.flip ? "yes" : "no");
    stride.update(current.stride);
    padding.update(current.padding);
    dilation.update(current.dilation);
    all.update(current.show_all);
    const total = result.out[0] * result.out[1];
    cells.range(1, Math.max(1, total));
    cells.update((result.step ?? 0) + 1);
    cells.input.disabled = Boolean(result.problem);
  }

  function draw(current) {
    const result = compute(current);
    drawControls(current, result);
    drawPicture(current, result);
    drawKernel(current);
    drawProducts(current, result);
    drawOutput(current, result);
    sumNode.innerHTML = result.problem ? "" : `Sum: ${sumLine(result)}`;
    formula.innerHTML = sizeFormula(current, result);
    say(note, result.problem ? "" : unusedNote(result));
    say(code, torchLine(current));
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    say(readout, result.problem ?? `Output row ${result.row + 1}, column ${result.col + 1} of ${sizeText(result.out)}: `
      + `the ${result.used.flat().length} products add up to ${number(result.total)}.`);
  }

  const unwatch = watch(model, KEYS, draw);
  return () => { steps.stop(); unwatch(); };
}

export default { render };
