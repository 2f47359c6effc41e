import {
  OKABE_ITO, frame, h, heatmap, linePlot, number, panel, puor, read, say, slider, watch, write,
} from "./shared.mjs";

const KEYS = ["pictures", "tests", "results", "correlation", "picture"];
const BACKGROUNDS = ["true", "swapped"];

// --- What it computes ------------------------------------------------------------------------

/** Share of a map's absolute values that lies on the figure; 0 for a map of zeros. */
function figureShare(map, mask) {
  const cell = mask.length / map.length;
  let [on, total] = [0, 0];
  map.forEach((row, r) => row.forEach((value, c) => {
    const lines = mask.slice(r * cell, (r + 1) * cell).map((line) => line.slice(c * cell, (c + 1) * cell));
    const cover = [...lines.join("")].filter((bit) => bit === "1").length / cell ** 2;
    on += Math.abs(value) * cover;
    total += Math.abs(value);
  }));
  return total > 0 ? on / total : 0;
}

function kindOf(answer, label, family) {
  if (answer === label) return "right";
  return answer === family ? "background" : "wrong";
}

function oneModel(model, picture, test) {
  const maps = model.maps[picture];
  const answers = model.answers[picture];
  return {
    name: model.name, accuracy: model.accuracy, gap: model.accuracy[0] - model.accuracy[1],
    answers: answers.map((answer) => DATA.classes[answer]),
    kinds: answers.map((answer, k) => kindOf(answer, test.label, test.families[k])),
    shares: maps.map((map) => figureShare(map, test.mask)),
    largest: maps.map((map) => Math.max(...map.flat().map(Math.abs))),
  };
}

/** The result nearest to the correlation, and what follows from it and the test figure. */
export function compute({ tests, results, correlation, picture: wanted }) {
  if (!results.length || !tests.length) return { problem: DATA.empty };
  const distance = results.map((result) => Math.abs(result.correlation - correlation));
  const index = distance.indexOf(Math.min(...distance));
  const picture = Math.min(wanted, tests.length - 1);
  const chosen = results[index];
  return {
    problem: null, index, correlation: chosen.correlation,
    telling: chosen.correlation + (1 - chosen.correlation) / DATA.classes.length,
    picture,
    curves: results[0].models.flatMap((model, m) => BACKGROUNDS.map((kind, k) => ({
      name: `${model.name}, ${kind}`, points: results.map((r) => [r.correlation, r.models[m].accuracy[k]]),
    }))),
    models: chosen.models.map((model) => oneModel(model, picture, tests[picture])),
    foreign: chosen.example_families.map((row, r) => row.map((family) => family !== chosen.example_labels[r])),
  };
}

// --- What it says ----------------------------------------------------------------------------

const percent = (part) => `${Math.floor(100 * part + 0.5)}\u00A0%`;

function verdict({ correlation, models }) {
  const each = models.map(({ name, accuracy }) => `${name} ${percent(accuracy[0])} correct on true backgrounds, ${percent(accuracy[1])} on swapped ones`);
  return `Trained at \u03C1 = ${number(correlation)}: ${each.join("; ")}.`;
}

// --- What it shows ---------------------------------------------------------------------------

const COLOURS = ["purple", "green", "orange", "skyBlue"].map((name) => OKABE_ITO[name]);

/** Rows of [r, g, b] from an image's bytes in base64. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Array.from({ length: DATA.size }, (_, y) => Array.from({ length: DATA.size }, (__, x) =>
    bytes.subarray(3 * (y * DATA.size + x), 3 * (y * DATA.size + x) + 3)));
}

/** A map as rows of colours, as fine as the mask, with the outline of the figure in black. */
function coloured(map, mask, largest) {
  const cell = mask.length / map.length;
  const on = (y, x) => mask[y]?.[x] === "1";
  const outline = (y, x) => on(y, x) && !(on(y - 1, x) && on(y + 1, x) && on(y, x - 1) && on(y, x + 1));
  return Array.from(mask, (line, y) => Array.from(line, (_, x) =>
    (outline(y, x) ? [0, 0, 0] : puor(map[Math.floor(y / cell)][Math.floor(x / cell)] / (largest || 1)))));
}

function render({ model, el }) {
  const { controls, stage, readout } = frame(el, {
    title: TITLE,
    hint: "True background: the one that goes with the figure\u2019s class. Swapped: that of another class; the figure itself stays the same. "
      + "Maps: covering a purple place makes the model less confident in its prediction, covering an orange one more confident (in log-odds); the black line outlines the figure.",
  });
  const state = () => read(model, KEYS);
  const set = (changes) => write(model, changes);
  const levels = state().results.map((result) => result.correlation);
  const dial = slider({
    label: "\u03C1, background correlation in training", values: levels.length ? levels : [0],
    text: (v) => number(v), onChange: (v) => set({ correlation: v }),
  });
  dial.node.classList.add("cw-wide");
  const which = slider({ label: "Test figure", min: 1, onChange: (v) => set({ picture: v - 1 }) });
  controls.append(dial.node, which.node);

  const decoded = new Map();
  function pixels(text) {
    if (!decoded.has(text)) decoded.set(text, decode(text));
    return decoded.get(text);
  }
  const asIs = (rgb) => rgb;
  const rows = h("div", { class: "cw-examples" });
  const plot = linePlot({ width: 560, height: 250 });
  const table = h("table", { class: "cw-table cw-scores" });
  const examples = panel("", rows);
  examples.node.classList.add("cw-examples-panel");
  const curves = panel("Accuracy on test images", h("div", { class: "cw-column" }, plot.node, table));
  const tests = h("div", { class: "cw-tests" });
  curves.node.classList.add("cw-curves-panel");
  stage.append(examples.node, curves.node, tests);

  const exampleMaps = [];
  function drawExamples({ pictures, results }, result) {
    const chosen = results[result.index];
    chosen.examples.forEach((line, r) => {
      exampleMaps[r] ??= line.map(() => heatmap({ size: 50 }));
      if (!rows.children[r]) {
        rows.append(h("div", { class: "cw-example-row" }, h("span", { class: "cw-example-name" }, DATA.classes[chosen.example_labels[r]]), ...exampleMaps[r].map((map) => map.node)));
      }
      line.forEach((picture, c) => {
        const foreign = result.foreign[r][c];
        const background = foreign ? "another class\u2019s background" : "its own background";
        exampleMaps[r][c].update(pixels(pictures[picture]), asIs, `${DATA.classes[chosen.example_labels[r]]} in front of ${background}`);
        exampleMaps[r][c].node.classList.toggle("cw-foreign", foreign);
      });
    });
    say(examples.heading, `Images like those in training, \u03C1 = ${number(result.correlation)}`);
    say(examples.note, `Framed: the background of another class. The background alone gives away the class of ${percent(result.telling)} of the training images.`);
  }

  function drawCurves(result) {
    const lines = result.curves.map(({ name, points }, i) => ({
      name, points, colour: COLOURS[Math.floor(i / 2) % COLOURS.length], dash: i % 2 ? "5 4" : null,
    }));
    plot.update({
      lines, marker: result.correlation, label: `Accuracy against \u03C1 of ${result.curves.map((curve) => curve.name).join(", ")}. ${verdict(result)}`,
      x: { min: 0, max: 1, label: "\u03C1 in training", ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
      y: { min: 0, max: 1, label: "accuracy", ticks: [0, 0.25, 0.5, 0.75, 1] },
    });
  }

  function drawScores({ results }, result) {
    const chosen = results[result.index];
    const head = ["", "true", "swapped", "difference", "fooled", "on the figure"];
    table.replaceChildren(
      h("tr", {}, ...head.map((text) => (text ? h("th", { scope: "col" }, text) : h("td")))),
      ...chosen.models.map((measured, m) => {
        const { name, accuracy, gap } = result.models[m];
        const cells = [...accuracy, gap, measured.fooled, measured.on_figure].map(percent);
        return h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((text) => h("td", {}, text)));
      }),
    );
    say(curves.note, "Fooled: the share of swapped images that the model classifies by their background. On the figure: the share of the occlusion maps "
      + `(mean over many images) that lies on the figure, which covers ${percent(chosen.area)} of the image.`);
    curves.note.classList.add("cw-wide-note");
  }

  const shown = []; // for each background: the image, and map and texts of each model
  function buildTests(count) {
    BACKGROUNDS.forEach((kind, k) => {
      const picture = heatmap({ size: 128 });
      const maps = Array.from({ length: count }, () => ({
        map: heatmap({ size: 128 }), name: h("b"), answer: h("span"), kind: h("span"), share: h("span", { class: "cw-quiet-text" }), scale: h("span", { class: "cw-quiet-text" }),
      }));
      shown[k] = { picture, maps };
      tests.append(
        h("div", { class: "cw-test-picture" }, h("div", { class: "cw-panel-title" }, `${kind === "true" ? "True" : "Swapped"} background`), picture.node),
        ...maps.map(({ map, name, answer, kind: verdictNode, share, scale }) => h("div", { class: "cw-test-map" }, map.node, h("div", { class: "cw-test-text" }, name, answer, verdictNode, share, scale))),
      );
    });
    tests.style.setProperty("--models", count);
  }
  function drawTests({ pictures, tests: all, results }, result) {
    const test = all[result.picture];
    if (!shown.length) buildTests(result.models.length);
    shown.forEach(({ picture, maps }, k) => {
      picture.update(pixels(pictures[test.pictures[k]]), asIs, `${DATA.classes[test.label]} in front of a ${BACKGROUNDS[k]} background`);
      maps.forEach((part, m) => {
        const { name, answers, kinds, shares, largest } = result.models[m];
        const map = results[result.index].models[m].maps[result.picture][k];
        part.map.update(coloured(map, test.mask, largest[k]), asIs, `Occlusion map of the ${name}, ${BACKGROUNDS[k]} background: ${percent(shares[k])} of it on the figure`);
        say(part.name, name);
        say(part.answer, `predicts \u201C${answers[k]}\u201D`);
        say(part.kind, DATA.meaning[kinds[k]]);
        part.kind.className = kinds[k] === "right" ? "cw-good" : "cw-bad";
        say(part.share, `${percent(shares[k])} of the map on the figure`);
        say(part.scale, `colour scale: \u00B1${number(largest[k])}`);
      });
    });
  }

  function draw(current) {
    const result = compute(current);
    readout.classList.toggle("cw-problem", Boolean(result.problem));
    stage.hidden = Boolean(result.problem);
    which.range(1, Math.max(1, current.tests.length));
    which.update((result.picture ?? 0) + 1);
    dial.update(result.correlation ?? 0);
    for (const control of [dial, which]) control.input.disabled = Boolean(result.problem);
    if (result.problem) {
      say(readout, result.problem);
      return;
    }
    drawExamples(current, result);
    drawCurves(result);
    drawScores(current, result);
    drawTests(current, result);
    const figure = DATA.classes[current.tests[result.picture].label];
    say(readout, `${verdict(result)} Test figure ${result.picture + 1}: ${figure}.`);
  }

  return watch(model, KEYS, draw);
}

export default { render };
