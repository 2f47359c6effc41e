// What every widget of the course shares: colours, number formats, controls, grids, plots.
//
// base.py writes this file in front of a widget's own .mjs and drops its import line, so that the
// browser receives one module that needs nothing from the network.

// --- Colours ---------------------------------------------------------------------------------

/** Okabe and Ito's colours, told apart by colour-blind readers too. */
export const OKABE_ITO = {
  orange: "#E69F00", skyBlue: "#56B4E9", green: "#009E73", yellow: "#F0E442",
  blue: "#0072B2", vermillion: "#D55E00", purple: "#CC79A7", black: "#000000",
};

// Both tables are read off matplotlib at 33 even steps; a test holds them against it.
const CIVIDIS =
  "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a71" +
  "6f70737676767d7c788482798c8878938e789b9476a39a74aba072b4a76fbcae6cc4b468cdbb63d5c25e" +
  "dec958e7d150f0d846f9e03afee838";
const PUOR =
  "7f3b088f4407a04d07b05606be630acd700edb7d12e68d23ef9e3cf8ae55fdbd6efdca88fed7a2fde2bb" +
  "fbe9cff9f0e4f6f6f7ededf3e3e4efd9dbebcecde4c2bedcb6b0d4a79fca988dbe887cb27967a66b4f9b" +
  "5d379050238244176f380b5c2d004b";

/** 513 colours [r, g, b] between the steps of a table: looking one up costs an image nothing. */
function ramp(table) {
  const steps = table.match(/.{6}/g).map((hex) => [0, 2, 4].map((i) => parseInt(hex.substr(i, 2), 16)));
  return Array.from({ length: 513 }, (_, j) => {
    const i = Math.min(steps.length - 2, Math.floor(j / 16));
    return steps[i].map((v, channel) => Math.round(v + (j / 16 - i) * (steps[i + 1][channel] - v)));
  });
}
const CIVIDIS_RAMP = ramp(CIVIDIS);
const PUOR_RAMP = ramp(PUOR);
const onRamp = (colours, t) => colours[Math.round(512 * Math.min(1, Math.max(0, t)))];

/** Colour [r, g, b] of a value in [0, 1]; for images. */
export const cividis = (t) => onRamp(CIVIDIS_RAMP, t);

/** Colour [r, g, b] of a value in [-1, 1], white at zero; for signed maps. */
export const puor = (t) => onRamp(PUOR_RAMP, (t + 1) / 2);

/** An [r, g, b] triple as CSS. */
export const css = (rgb) => `rgb(${rgb.join(",")})`;

/** Black or white, whichever is easier to read on [r, g, b]. */
export function ink(rgb) {
  const linear = rgb.map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000" : "#fff";
}

/** A colour scale for the values given: cividis from 0 to the largest, or PuOr if any is negative. */
export function scaleFor(values, { signed = values.some((v) => v < 0) } = {}) {
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
  return (v) => (signed ? puor(v / largest) : cividis(v / largest));
}

// --- Numbers as text -------------------------------------------------------------------------

/** Minus as a minus sign, and never a negative zero. */
const signed = (text) => (/^-0(\.0*)?$/.test(text) ? text.slice(1) : text).replace("-", "\u2212");

/** A number with at most `digits` decimals: 3, −0.5, 3.33. */
export const number = (x, digits = 2) => signed(String(Number(x.toFixed(digits))));

/** A number as a short fraction where it is one: 1/9, −1/4; else with decimals. */
export function fraction(x) {
  for (let d = 1; d <= 256; d += 1) {
    const top = x * d;
    if (Math.abs(top - Math.round(top)) < 1e-9) return signed(String(Math.round(top))) + (d > 1 ? `/${d}` : "");
  }
  return number(x, 3);
}

/** The value of "3", "-0.5", "−1/9"; NaN if the text is not a number. */
export function parseNumber(text) {
  const parts = text.trim().replace(/\u2212/g, "-").replace(",", ".").split("/");
  if (parts.length > 2 || parts.some((part) => part.trim() === "")) return NaN;
  const value = parts.length === 2 ? Number(parts[0]) / Number(parts[1]) : Number(parts[0]);
  return Number.isFinite(value) ? value : NaN;
}

/** A count with commas between thousands: 138,357,544. */
export const count = (x) => String(Math.round(x)).replace(/\B(?=(\d{3})+$)/g, ",");

/** A large count in words: 1,792, 138 million, 2.4 billion. */
export function compact(x) {
  const names = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];
  const found = names.find(([size]) => x >= size);
  return found ? `${Number((x / found[0]).toPrecision(3))} ${found[1]}` : count(x);
}

/** A negative number in brackets, to stand behind an operator. */
export const bracket = (text) => (text.startsWith("\u2212") ? `(${text})` : text);

// --- Elements --------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
let lastId = 0;

/** An id that nothing else in the page has; several widgets may live in one page. */
export const freshId = () => `cw-${(lastId += 1)}-${Math.random().toString(36).slice(2, 8)}`;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** An HTML element: h("button", { class: "x", onclick: f }, "text", child). */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element, likewise. */
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Write text only where it changed, so that a screen reader is not told twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// --- The widget's frame ----------------------------------------------------------------------

/**
 * Title, controls, stage, readout. Keys typed inside stay inside: JupyterLab's command mode would
 * otherwise act on them (arrows change the cell, "b" inserts one). Ctrl and Cmd chords pass, so
 * that Ctrl+S still saves the notebook.
 */
export function frame(el, { title, hint }) {
  const controls = h("div", { class: "cw-controls" });
  const stage = h("div", { class: "cw-stage" });
  const readout = h("div", { class: "cw-readout", role: "status", "aria-live": "polite" });
  const root = h("div", { class: "cw", role: "group", "aria-label": title },
    h("div", { class: "cw-title" }, title), controls, stage, readout,
    h("div", { class: "cw-hint" }, hint));
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  el.replaceChildren(root);
  return { root, controls, stage, readout };
}

/** A titled box on the stage; `note` is the small line under its content. */
export function panel(title, ...children) {
  const heading = h("div", { class: "cw-panel-title" }, title);
  const note = h("div", { class: "cw-note" });
  const node = h("div", { class: "cw-panel" }, heading, ...children, note);
  return { node, heading, note };
}

/** The named traits of the model, as a plain object. */
export const read = (model, keys) => Object.fromEntries(keys.map((key) => [key, model.get(key)]));

/** Change traits and tell the kernel, if there is one. */
export function write(model, changes) {
  for (const [key, value] of Object.entries(changes)) model.set(key, value);
  model.save_changes();
}

/** Call draw(state) now and after each change, once however many traits changed together. */
export function watch(model, keys, draw) {
  let waiting = false;
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      draw(read(model, keys));
    });
  };
  keys.forEach((key) => model.on(`change:${key}`, redraw));
  draw(read(model, keys));
  return () => keys.forEach((key) => model.off(`change:${key}`, redraw));
}

// --- Controls: each is { node, update(value) } and has a visible label -----------------------

/**
 * A slider over whole numbers, or over `values` if given (the state then holds the value itself).
 * `text` writes a value for the reader and for the screen reader.
 */
export function slider({ label, min = 0, max = 1, step = 1, values, text = String, onChange }) {
  const id = freshId();
  const input = h("input", { type: "range", id, min, max, step });
  const shown = h("output", { for: id, class: "cw-value" });
  if (values) Object.assign(input, { min: 0, max: values.length - 1, step: 1 });
  input.addEventListener("input", () => onChange(values ? values[input.value] : Number(input.value)));
  const node = h("div", { class: "cw-control" }, h("label", { for: id }, label), input, shown);
  return {
    node,
    input,
    range(newMin, newMax) { Object.assign(input, { min: newMin, max: newMax }); },
    update(value) {
      const nearest = (best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best);
      input.value = values ? values.reduce(nearest, 0) : value;
      say(shown, text(value));
      input.setAttribute("aria-valuetext", text(value));
    },
  };
}

/** A drop-down list; options are [value, text] pairs. */
export function choice({ label, options, onChange }) {
  const id = freshId();
  const select = h("select", { id }, ...options.map(([value, text]) => h("option", { value }, text)));
  select.addEventListener("change", () => onChange(select.value));
  const node = h("div", { class: "cw-control" }, h("label", { for: id }, label), select);
  return {
    node,
    input: select,
    options(pairs) {
      const texts = [...select.options].map((option) => option.text).join();
      if (pairs.map(([, text]) => text).join() === texts) return;
      select.replaceChildren(...pairs.map(([value, text]) => h("option", { value }, text)));
    },
    update(value) { select.value = value; },
  };
}

/** A tick box. */
export function tick({ label, onChange }) {
  const id = freshId();
  const input = h("input", { type: "checkbox", id });
  input.addEventListener("change", () => onChange(input.checked));
  const node = h("div", { class: "cw-control cw-tick" }, input, h("label", { for: id }, label));
  return { node, input, update(value) { input.checked = value; } };
}

/** A button. */
export function button(label, onClick, attributes = {}) {
  return h("button", { type: "button", class: "cw-button", onclick: onClick, ...attributes }, label);
}

/** Back, play and next; returns stop() for the widget's clean-up. */
export function player({ onBack, onNext, atEnd, wait = 600 }) {
  let timer = 0;
  const play = button("\u25B6 Play", () => (timer ? stop() : start()));
  function stop() {
    clearInterval(timer);
    timer = 0;
    say(play, "\u25B6 Play");
  }
  function start() {
    say(play, "\u275A\u275A Pause");
    onNext();
    timer = setInterval(() => (atEnd() ? stop() : onNext()), wait);
  }
  const back = button("\u2190 Back", () => { stop(); onBack(); });
  const next = button("Next \u2192", () => { stop(); onNext(); });
  return { node: h("div", { class: "cw-control cw-buttons" }, back, play, next), stop };
}

// --- Grids of numbers ------------------------------------------------------------------------

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * A grid of numbers in coloured cells.
 *
 * draw({ rows, cols, cell, label, content, outline }) sets it: content(r, c) gives { text, rgb,
 * classes, edit } for a cell, and outline = { row, col, rows, cols, loose } frames a window (dashed if loose). Without `edit` the grid is an image named `label`. With it, each such cell
 * is a text box, reached by one Tab; the arrow keys move between boxes, and `edit` is the text
 * that names the box. onEdit(r, c, value) hears of numbers typed, onPick(r, c) of clicks.
 */
export function grid({ onEdit, onPick, className = "" } = {}) {
  const node = h("div", { class: `cw-grid ${className}` });
  let shape = "";
  let cells = [];
  let focus = [0, 0];
  const frameOfWindow = h("div", { class: "cw-window", hidden: true });

  const box = (r, c) => cells[r]?.[c]?.querySelector("input");
  function move(event, r, c) {
    const step = MOVES[event.key];
    if (!step) return;
    event.preventDefault();
    const target = box(r + step[0], c + step[1]);
    if (target) target.focus();
  }
  function commit(input, r, c) {
    const value = parseNumber(input.value);
    if (Number.isNaN(value)) input.value = input.dataset.text;
    else if (input.value !== input.dataset.text) onEdit(r, c, value);
  }
  function textBox(r, c) {
    const input = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
    input.addEventListener("focus", () => {
      box(...focus)?.setAttribute("tabindex", "-1");
      focus = [r, c];
      input.setAttribute("tabindex", "0");
      input.select();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") commit(input, r, c);
      move(event, r, c);
    });
    input.addEventListener("change", () => commit(input, r, c));
    return input;
  }
  function build(rows, cols, content) {
    cells = Array.from({ length: rows }, (_, r) => Array.from({ length: cols }, (_, c) => {
      const cell = h("span", onPick ? { onclick: () => onPick(r, c) } : {});
      if (content(r, c).edit) cell.append(textBox(r, c));
      return cell;
    }));
    const boxes = cells.flatMap((row, r) => row.map((_, c) => [r, c])).filter(([r, c]) => box(r, c));
    if (boxes.length && !box(...focus)) [focus] = boxes;
    boxes.forEach(([r, c]) => box(r, c).setAttribute("tabindex", r === focus[0] && c === focus[1] ? "0" : "-1"));
    node.replaceChildren(...cells.flat(), frameOfWindow);
  }
  function drawOutline(outline, cell) {
    frameOfWindow.hidden = !outline;
    if (!outline) return;
    frameOfWindow.classList.toggle("cw-loose", Boolean(outline.loose));
    const pixels = (cellsWide) => `${cellsWide * (cell + 1)}px`;
    Object.assign(frameOfWindow.style, {
      left: `calc(3px + ${pixels(outline.col)})`, top: `calc(3px + ${pixels(outline.row)})`,
      width: `calc(${pixels(outline.cols)} - 1px)`, height: `calc(${pixels(outline.rows)} - 1px)`,
    });
  }

  return {
    node,
    draw({ rows, cols, cell = 34, label, content, outline }) {
      const editable = Array.from({ length: rows * cols }, (_, i) => (content(Math.floor(i / cols), i % cols).edit ? 1 : 0));
      const wanted = `${rows},${cols},${editable.join("")}`;
      if (wanted !== shape) build(rows, cols, content);
      shape = wanted;
      node.style.cssText = `--cell:${cell}px;--cols:${cols}`;
      drawOutline(outline, cell);
      node.setAttribute("role", editable.includes(1) ? "group" : "img");
      node.setAttribute("aria-label", label);
      cells.forEach((row, r) => row.forEach((span, c) => {
        const { text = "", rgb, classes = "", edit } = content(r, c);
        span.className = `cw-cell ${classes}`;
        span.style.background = rgb ? css(rgb) : "";
        span.style.color = rgb ? ink(rgb) : "";
        span.style.setProperty("--fit", text.length > 4 ? `${Math.max(9.5, (1.7 * cell) / text.length).toFixed(1)}px` : "15px");
        if (!edit) { say(span, text); return; }
        const input = box(r, c);
        input.setAttribute("aria-label", edit);
        input.dataset.text = text;
        if (document.activeElement !== input || parseNumber(input.value) !== parseNumber(text)) input.value = text;
      }));
    },
  };
}

/** Make the arrow keys move something on a node, which the Tab key then reaches. */
export function arrows(node, label, onMove) {
  node.setAttribute("tabindex", "0");
  node.setAttribute("aria-label", label);
  node.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step) return;
    event.preventDefault();
    onMove(...step);
  });
}

// --- Images and plots ----------------------------------------------------------------------

/** A canvas that shows a matrix, one square per value; update(rows, colour, label). */
export function heatmap({ size = 160 } = {}) {
  const node = h("canvas", { class: "cw-heatmap", role: "img", style: `width:${size}px;height:${size}px` });
  return {
    node,
    update(rows, colour, label) {
      const [height, width] = [rows.length, rows[0].length];
      if (node.width !== width || node.height !== height) Object.assign(node, { width, height });
      const context = node.getContext("2d");
      const image = context.createImageData(width, height);
      let at = 0;
      rows.forEach((row) => row.forEach((value) => {
        const rgb = colour(value);
        for (let channel = 0; channel < 3; channel += 1) image.data[at + channel] = rgb[channel];
        image.data[at + 3] = 255;
        at += 4;
      }));
      context.putImageData(image, 0, 0);
      node.setAttribute("aria-label", label);
    },
  };
}

/**
 * A line plot: update({ lines, x, y, marker, label }), lines = [{ name, colour, dash, points }],
 * x and y = { min, max, label, ticks }, marker = an x value to mark.
 */
export function linePlot({ width = 360, height = 200 } = {}) {
  const node = s("svg", { class: "cw-plot", role: "img", viewBox: `0 0 ${width} ${height}`, width });
  const edge = { left: 48, right: 12, top: 22, bottom: 40 };
  return {
    node,
    update({ lines, x, y, marker, label }) {
      const px = (v) => edge.left + ((v - x.min) / (x.max - x.min || 1)) * (width - edge.left - edge.right);
      const py = (v) => height - edge.bottom - ((v - y.min) / (y.max - y.min || 1)) * (height - edge.top - edge.bottom);
      const tickX = x.ticks.map((v) => s("text", { x: px(v), y: height - edge.bottom + 16, "text-anchor": "middle" }, number(v)));
      const tickY = y.ticks.flatMap((v) => [
        s("line", { class: "cw-gridline", x1: edge.left, x2: width - edge.right, y1: py(v), y2: py(v) }),
        s("text", { x: edge.left - 6, y: py(v) + 4, "text-anchor": "end" }, number(v)),
      ]);
      const curves = lines.flatMap(({ name, colour, dash, points }, i) => [
        s("polyline", { points: points.map(([a, b]) => `${px(a)},${py(b)}`).join(" "), stroke: colour, "stroke-dasharray": dash, class: "cw-line" }),
        s("line", { x1: edge.left + 120 * i, x2: edge.left + 120 * i + 18, y1: 10, y2: 10, stroke: colour, "stroke-dasharray": dash, class: "cw-line" }),
        s("text", { x: edge.left + 120 * i + 23, y: 14 }, name),
      ]);
      const mark = marker == null ? [] : [s("line", { class: "cw-marker", x1: px(marker), x2: px(marker), y1: edge.top, y2: height - edge.bottom })];
      node.replaceChildren(...tickY, ...tickX, ...mark, ...curves,
        s("text", { x: (edge.left + width - edge.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label),
        s("text", { x: 12, y: (edge.top + height - edge.bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(edge.top + height - edge.bottom) / 2})` }, y.label));
      node.setAttribute("aria-label", label);
    },
  };
}
