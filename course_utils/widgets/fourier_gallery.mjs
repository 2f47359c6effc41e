import { choice, cividis, frame, h, heatmap, number, panel, puor, read, say, slider, tick, watch, write } from "./shared.mjs";

const KEYS = ["picture", "filter", "edge", "cut_off", "width", "flip", "border", "conjugate", "append"];
const N = DATA.size;
const HALF = N / 2;

// --- The Fourier transform: a spectrum is { n, re, im }, n x n complex numbers row by row -------

/** Transform n complex numbers in place, n a power of two; sign -1 is forward, 1 is inverse. */
function transform(re, im, sign) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i += 1) { // sort by the indices' bits read backwards
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) { [re[i], re[j]] = [re[j], re[i]]; [im[i], im[j]] = [im[j], im[i]]; }
  }
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k += 1) {
      const angle = (sign * Math.PI * k) / half;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let i = k; i < n; i += 2 * half) {
        const j = i + half;
        const [a, b] = [re[j] * cos - im[j] * sin, re[j] * sin + im[j] * cos];
        re[j] = re[i] - a; im[j] = im[i] - b;
        re[i] += a; im[i] += b;
      }
    }
  }
}

/** Transform rows, then columns; the inverse also divides by the number of pixels. */
function transform2({ n, re, im }, sign) {
  const out = { n, re: Float64Array.from(re), im: Float64Array.from(im) };
  for (let r = 0; r < n; r += 1) transform(out.re.subarray(r * n, (r + 1) * n), out.im.subarray(r * n, (r + 1) * n), sign);
  const [a, b] = [new Float64Array(n), new Float64Array(n)];
  const scale = sign > 0 ? n * n : 1;
  for (let c = 0; c < n; c += 1) {
    for (let r = 0; r < n; r += 1) { a[r] = out.re[r * n + c]; b[r] = out.im[r * n + c]; }
    transform(a, b, sign);
    for (let r = 0; r < n; r += 1) { out.re[r * n + c] = a[r] / scale; out.im[r * n + c] = b[r] / scale; }
  }
  return out;
}

/** An n x n spectrum or image whose real part at (r, c) is f(r, c). */
function realOf(n, f) {
  const re = new Float64Array(n * n);
  for (let r = 0; r < n; r += 1) for (let c = 0; c < n; c += 1) re[r * n + c] = f(r, c);
  return { n, re, im: new Float64Array(n * n) };
}

const rowsOf = (n, f) => Array.from({ length: n }, (_, r) => Array.from({ length: n }, (__, c) => f(r, c)));
/** Rows of f over a spectrum, frequency 0 at the centre. */
const centred = (n, f) => rowsOf(n, (r, c) => f(((r + n / 2) % n) * n + ((c + n / 2) % n)));

// --- What it computes ------------------------------------------------------------------------

/** The factor that a filter applies to a wave of so many cycles per N pixels. */
function maskAt({ filter, edge, cut_off: cut, width }, distance) {
  if (filter === "Band-pass") {
    if (edge === "ideal") return distance - cut >= -width / 2 && distance - cut < width / 2 ? 1 : 0;
    return Math.exp(-((distance - cut) ** 2) / (2 * (width / 2) ** 2));
  }
  const low = edge === "ideal" ? Number(distance < cut) : Math.exp(-(distance ** 2) / (2 * cut ** 2));
  return filter === "Low-pass" ? low : 1 - low;
}

/** The filter's N x N weights at the offsets from -N/2, row by row. */
function kernelOf(state) {
  const weights = DATA.kernels[state.filter];
  if (weights) {
    const before = HALF - (weights.length - 1) / 2;
    return realOf(N, (r, c) => weights[r - before]?.[c - before] ?? 0).re;
  }
  const cycles = (i) => (i < HALF ? i : i - N);
  const { re } = transform2(realOf(N, (r, c) => maskAt(state, Math.hypot(cycles(r), cycles(c)))), 1);
  return realOf(N, (r, c) => re[((r + HALF) % N) * N + ((c + HALF) % N)]).re;
}

/** The filtered image, one sum per pixel: x(r + p) is multiplied by f(p), x(r - p) if flipped. */
function inSpace(x, kernel, flip, border) {
  const wide = 2 * N; // offsets from -N/2 to N/2 reach half an image beyond each border
  const around = new Float64Array((wide + 1) * (wide + 1));
  for (let r = -HALF; r <= N + HALF; r += 1) {
    for (let c = -HALF; c <= N + HALF; c += 1) {
      const inside = r >= 0 && c >= 0 && r < N && c < N;
      if (inside || border === "circular") around[(r + HALF) * (wide + 1) + c + HALF] = x[((r + N) % N) * N + ((c + N) % N)];
    }
  }
  const sign = flip ? -1 : 1;
  const out = new Float64Array(N * N);
  kernel.forEach((weight, i) => {
    if (weight === 0) return;
    const [down, right] = [sign * (Math.floor(i / N) - HALF), sign * ((i % N) - HALF)];
    for (let r = 0; r < N; r += 1) {
      const start = (r + down + HALF) * (wide + 1) + right + HALF;
      for (let c = 0; c < N; c += 1) out[r * N + c] += weight * around[start + c];
    }
  });
  return out;
}

function multiply(f, x, conjugate) {
  const sign = conjugate ? -1 : 1;
  return {
    n: f.n,
    re: f.re.map((a, i) => a * x.re[i] - sign * f.im[i] * x.im[i]),
    im: f.re.map((a, i) => a * x.im[i] + sign * f.im[i] * x.re[i]),
  };
}

/** Powers of ten of the amplitudes, frequency 0 at the centre. */
const logarithm = ({ n, re, im }) => centred(n, (i) => Math.log10(Math.max(10 ** DATA.darkest, Math.hypot(re[i], im[i]) / N ** 2)));

/** Output both ways and the spectra for a state. */
export function compute(state) {
  const x = Float64Array.from(state.picture.flat());
  const kernel = kernelOf(state);
  const space = inSpace(x, kernel, state.flip, state.border);
  const ring = state.append ? 2 * N : N;
  const offset = (i) => (i < ring / 2 ? i : i - ring) + HALF;
  const onRing = (r, c) => {
    const [row, col] = [offset(r), offset(c)];
    return row >= 0 && col >= 0 && row < N && col < N ? kernel[row * N + col] : 0;
  };
  const ofF = transform2(realOf(ring, onRing), -1);
  const ofX = transform2(realOf(ring, (r, c) => (r < N && c < N ? x[r * N + c] : 0)), -1);
  const product = multiply(ofF, ofX, state.conjugate);
  const back = transform2(product, 1).re;
  const difference = rowsOf(N, (r, c) => space[r * N + c] - back[r * ring + c]);
  const sizes = difference.flat().map(Math.abs);
  return {
    kernel: rowsOf(N, (r, c) => kernel[r * N + c]),
    in_space: rowsOf(N, (r, c) => space[r * N + c]),
    by_product: rowsOf(N, (r, c) => back[r * ring + c]),
    difference,
    spectrum: logarithm(ofX),
    response: centred(ring, (i) => Math.hypot(ofF.re[i], ofF.im[i])),
    product: logarithm(product),
    differing: sizes.filter((v) => v > 1e-9).length,
    largest: Math.max(...sizes),
    imaginary: ofF.im.reduce((most, v) => Math.max(most, Math.abs(v)), 0),
  };
}

// --- What it says ----------------------------------------------------------------------------

const isMask = ({ filter }) => DATA.masks.includes(filter);

function range({ filter, edge, cut_off, width }) {
  const [cut, low, high] = [cut_off, cut_off - width / 2, cut_off + width / 2].map((v) => `${number(Math.max(0, v), 1)}/${N}`);
  const sides = cut_off > width / 2 ? `${low} and ${high}` : high;
  return {
    "Low-pass": { ideal: `below ${cut}`, Gaussian: `gain 1 at 0, 0.61 at ${cut}` },
    "High-pass": { ideal: `at least ${cut}`, Gaussian: `gain 0 at 0, 0.39 at ${cut}` },
    "Band-pass": { ideal: `from ${low} to ${high}`, Gaussian: `gain 1 at ${cut}, 0.61 at ${sides}` },
  }[filter][edge];
}

function verdict({ largest, differing }) {
  if (largest < 1e-9) return "Both ways give the same image: no pixel differs by more than rounding error.";
  const shown = number(largest, 4);
  return `The two ways differ in ${differing} of ${N * N} pixels, by ${shown === "0" ? "less than 0.0001" : `up to ${shown}`}.`;
}

/** Why the two ways agree, or do not. */
function reason({ flip, conjugate, border, append }, { largest, imaginary }) {
  const agree = largest < 1e-9;
  const real = imaginary < 1e-9;
  const wrongBar = flip === conjugate && !real;
  const wrongBorder = (border === "zeros") !== append;
  if (agree && wrongBorder) return "With this image and filter nothing crosses the border, so what lies beyond it makes no difference.";
  if (agree && flip === conjugate) return "The filter is the same when rotated by 180\u00B0, so its spectrum is real and the bar changes nothing.";
  if (agree && append) return `Enough zeros are appended for nothing to wrap around: ${2 * N} pixels are at least n + k \u2212 1.`;
  if (agree) return "On the ring, the theorem is exact.";
  const bar = wrongBar ? [flip ? "Convolution flips the filter, so the product needs F[f] without the bar."
    : "Cross-correlation reads x(i + p), so the product needs the conjugate of F[f]."] : [];
  const edge = !wrongBorder ? [] : [append ? "In space the opposite edge lies beyond the border; the product finds the appended zeros there."
    : "In space zeros lie beyond the border; the product finds the opposite edge there."];
  return [...bar, ...edge].join(" ");
}

function theorem({ flip, conjugate }, { largest }) {
  const sign = flip ? "\u2217" : "\u22C6";
  const bar = conjugate ? '<span style="text-decoration:overline">F[f]</span>' : "F[f]";
  return `F[f ${sign} x] <span class="${largest < 1e-9 ? "cw-good" : "cw-bad"}">${largest < 1e-9 ? "=" : "\u2260"}</span> ${bar} \u00B7 F[x]`;
}

function torchLine({ conjugate, append }) {
  const [size, cut] = append ? [`, s=(${2 * N}, ${2 * N})`, `[:${N}, :${N}]`] : ["", ""];
  return `torch.fft.ifft2(torch.fft.fft2(f)${conjugate ? ".conj()" : ""} * torch.fft.fft2(x${size})).real${cut}`;
}

// --- What it shows ---------------------------------------------------------------------------

const OWN = "your own image";
const fromHex = (rows) => rows.map((row) => row.match(/../g).map((pair) => parseInt(pair, 16) / 100));
const toHex = (picture) => picture.map((row) => row.map((v) => Math.round(100 * v).toString(16).padStart(2, "0")).join("")).join();
const nameOf = (picture) => Object.keys(DATA.pictures).find((name) => DATA.pictures[name].join() === toHex(picture)) ?? OWN;
const largestOf = (rows) => Math.max(...rows.flat().map(Math.abs)) || 1;
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

/** Of a small filter only its own weights. */
function shownKernel({ filter }, kernel) {
  if (!DATA.kernels[filter]) return kernel;
  const half = (DATA.kernels[filter].length - 1) / 2;
  return kernel.slice(HALF - half, HALF + half + 1).map((row) => row.slice(HALF - half, HALF + half + 1));
}

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "Drag the cut-off on the filter's spectrum, or use its slider. Frequency 0 is at the centre of each spectrum, "
      + "half a cycle per pixel at its edges.",
  });
  const set = (changes) => write(model, changes);
  const same = (names) => names.map((name) => [name, name]);
  const picture = choice({
    label: "Image", options: same([...Object.keys(DATA.pictures), OWN]),
    onChange: (name) => DATA.pictures[name] && set({ picture: fromHex(DATA.pictures[name]) }),
  });
  const filter = choice({ label: "Filter", options: same([...DATA.masks, ...Object.keys(DATA.kernels)]), onChange: (v) => set({ filter: v }) });
  const edge = choice({ label: "Roll-off", options: same(["ideal", "Gaussian"]), onChange: (v) => set({ edge: v }) });
  const cut = slider({ label: "Cut-off", min: 1, max: 20, text: (v) => `${v}/${N}`, onChange: (v) => set({ cut_off: v }) });
  const width = slider({ label: "Band", min: 1, max: 12, text: (v) => `${v}/${N}`, onChange: (v) => set({ width: v }) });
  const mode = choice({
    label: "In space", options: [["no", "cross-correlation"], ["yes", "convolution"]],
    onChange: (v) => set({ flip: v === "yes" }),
  });
  const border = choice({ label: "Border", options: same(["circular", "zeros"]), onChange: (v) => set({ border: v }) });
  const bar = choice({
    label: "Product", options: [["yes", "conj(F[f]) \u00B7 F[x]"], ["no", "F[f] \u00B7 F[x]"]],
    onChange: (v) => set({ conjugate: v === "yes" }),
  });
  const append = tick({ label: "Append zeros", onChange: (v) => set({ append: v }) });
  controls.append(...[picture, filter, edge, cut, width, mode, border, bar, append].map(({ node }) => node));

  const maps = Object.fromEntries(["picture", "kernel", "in_space", "difference", "spectrum", "response", "product", "by_product"]
    .map((name) => [name, heatmap({ size: 186 })]));
  const rings = [h("div", { class: "cw-cut-off" }), h("div", { class: "cw-cut-off" })];
  const live = h("div", { class: "cw-spectrum" }, maps.response.node, ...rings);
  const panels = Object.fromEntries(Object.entries(maps).map(([name, { node }]) => [name, panel("", name === "response" ? live : node)]));
  const sign = (text = "") => h("span", { class: "cw-arrow", "aria-hidden": "true" }, text);
  const star = sign();
  stage.append(h("div", { class: "cw-gallery" },
    panels.picture.node, star, panels.kernel.node, sign("="), panels.in_space.node, sign(), panels.difference.node,
    panels.spectrum.node, sign("\u00B7"), panels.response.node, sign("="), panels.product.node, sign("\u2192"), panels.by_product.node));
  const rule = h("div", { class: "cw-formula" });
  const why = h("div", { class: "cw-note cw-wide-note" });
  const code = h("code");
  const place = h("span", { class: "cw-note" });
  readout.before(h("div", { class: "cw-below" }, rule, why, h("div", {}, "In PyTorch: ", code, " ", place)));

  function follow(event) {
    if (!event.buttons || !isMask(read(model, KEYS))) return;
    const box = maps.response.node.getBoundingClientRect();
    const middle = 0.5 + 0.5 / maps.response.node.width;
    const distance = Math.hypot((event.clientX - box.left) / box.width - middle, (event.clientY - box.top) / box.height - middle);
    const cut_off = clamp(Math.round(distance * N), 1, 20);
    if (cut_off !== model.get("cut_off")) set({ cut_off });
  }
  live.addEventListener("pointerdown", (event) => { live.setPointerCapture(event.pointerId); follow(event); });
  live.addEventListener("pointermove", follow);

  function drawRings(current, ring) {
    const { cut_off: middle, width: wide, filter: name } = current;
    const radii = name === "Band-pass" ? [middle - wide / 2, middle + wide / 2] : [middle];
    rings.forEach((node, i) => {
      node.hidden = !isMask(current) || !(radii[i] > 0);
      const [at, size] = [`${100 * (0.5 + 0.5 / ring)}%`, `${(200 * (radii[i] ?? 0)) / N}%`];
      Object.assign(node.style, { left: at, top: at, width: size, height: size });
    });
    live.classList.toggle("cw-live", isMask(current));
  }
  function drawMaps(current, result) {
    const log = (v) => cividis(1 - v / DATA.darkest);
    const weights = shownKernel(current, result.kernel);
    const [heaviest, strongest] = [largestOf(weights), largestOf(result.response)];
    const total = result.kernel.flat().reduce((all, v) => all + v, 0);
    const top = Math.max(largestOf(result.in_space), largestOf(result.by_product));
    const output = Math.abs(total) < 0.5 ? (v) => puor(v / top) : cividis;
    const off = result.largest > 1e-9 ? result.largest : 1;
    maps.picture.update(current.picture, cividis, `The image: ${nameOf(current.picture)}`);
    maps.kernel.update(weights, (v) => puor(v / heaviest), `The weights of the filter: ${current.filter}`);
    maps.in_space.update(result.in_space, output, "The output, computed in space");
    maps.by_product.update(result.by_product, output, "The output, by the product of the spectra");
    maps.difference.update(result.difference, (v) => puor(v / off), `The difference between the two outputs. ${verdict(result)}`);
    maps.spectrum.update(result.spectrum, log, "Amplitudes of the image's frequencies");
    maps.response.update(result.response, (v) => cividis(v / strongest), `What the filter lets through${isMask(current) ? `: ${range(current)} cycles per pixel` : ""}`);
    maps.product.update(result.product, log, "Amplitudes of the product");
    drawRings(current, result.response.length);
  }
  function drawTexts(current, result) {
    const [side, ring] = [shownKernel(current, result.kernel).length, result.response.length];
    const texts = {
      picture: ["Image x", `${N} \u00D7 ${N}${current.append ? `, zeros appended to ${ring} \u00D7 ${ring}` : ""}`],
      kernel: ["Filter f", `${side} \u00D7 ${side}; purple is positive`],
      in_space: ["Output, in space", `${current.flip ? "filter flipped" : "as in F.conv2d"}; ${current.border === "zeros" ? "zero border" : "circular border"}`],
      difference: ["Difference", result.largest < 1e-9 ? "none" : `largest: ${number(result.largest, 4)}`],
      spectrum: ["|F[x]|", "logarithmic, 10\u207B\u2075 to 1"],
      response: ["|F[f]|", isMask(current) ? `${range(current)} cycles per pixel` : `largest: ${number(largestOf(result.response))}`],
      product: ["|product|", `${ring} \u00D7 ${ring} products, one per frequency`],
      by_product: ["Output, by product", "the product, transformed back"],
    };
    Object.entries(texts).forEach(([name, [heading, note]]) => { say(panels[name].heading, heading); say(panels[name].note, note); });
    panels.difference.note.className = `cw-note ${result.largest < 1e-9 ? "cw-good" : "cw-bad"}`;
    say(star, current.flip ? "\u2217" : "\u22C6");
    rule.innerHTML = theorem(current, result);
    say(why, reason(current, result));
    say(code, torchLine(current));
    say(place, `f on ${ring} \u00D7 ${ring} pixels, its centre at (0, 0)`);
    const name = isMask(current) ? `${current.filter} (${current.edge}): ${range(current)} cycles per pixel` : current.filter;
    say(readout, `${name}. ${verdict(result)}`);
  }
  function drawControls(current) {
    picture.update(nameOf(current.picture));
    filter.update(current.filter);
    edge.update(current.edge);
    cut.update(current.cut_off);
    width.update(current.width);
    mode.update(current.flip ? "yes" : "no");
    border.update(current.border);
    bar.update(current.conjugate ? "yes" : "no");
    append.update(current.append);
    edge.input.disabled = cut.input.disabled = !isMask(current);
    width.input.disabled = current.filter !== "Band-pass";
  }
  return watch(model, KEYS, (current) => {
    const result = compute(current);
    drawControls(current);
    drawMaps(current, result);
    drawTexts(current, result);
  });
}

export default { render };
