import { button, frame, freshId, h, say } from "./shared.mjs";

const LETTERS = "ABCDEF";
const NO_REPLY = 4000; // milliseconds until the page says that the kernel does not reply

// --- One answer: each is { node, read(), set(answer), focus() } --------------------------------

/** Radio buttons, or tick boxes if several may be right. */
function choices(question, several) {
  const name = freshId();
  const inputs = question.options.map((_, i) => h("input", { type: several ? "checkbox" : "radio", name, id: `${name}-${i}`, value: i }));
  const rows = question.options.map((html, i) => {
    const label = h("label", { for: `${name}-${i}` }, h("b", {}, `${LETTERS[i]}  `));
    label.insertAdjacentHTML("beforeend", html);
    return h("div", { class: "cq-option" }, inputs[i], label);
  });
  return {
    node: h("div", { class: "cq-options" }, ...rows),
    read: () => {
      const chosen = inputs.flatMap((input, i) => (input.checked ? [i] : []));
      return several ? chosen : chosen[0] ?? null;
    },
    set: (answer) => inputs.forEach((input, i) => { input.checked = several ? (answer ?? []).includes(i) : answer === i; }),
    focus: () => (inputs.find((input) => input.checked) ?? inputs[0]).focus(),
  };
}

/** A line to type in. */
function line(question, onEnter) {
  const id = freshId();
  const input = h("input", { type: "text", id, autocomplete: "off", spellcheck: "false", class: "cq-line" });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") onEnter(); });
  const label = h("label", { for: id }, "Your answer");
  const unit = h("span", { class: "cq-unit" }, question.unit);
  return {
    node: h("div", { class: "cq-typed" }, label, input, unit),
    read: () => input.value,
    set: (answer) => { input.value = answer == null ? "" : Array.isArray(answer) ? `(${answer.join(", ")})` : String(answer); },
    focus: () => input.focus(),
  };
}

// --- Links to a section of the lesson -----------------------------------------------------------

/** Go to a heading of the notebook, which JupyterLab gives no id that a link could find. */
function goTo(event, text) {
  const clean = (node) => node.textContent.replace("\u00B6", "").trim();
  const heading = [...document.querySelectorAll("h2, h3")].find((node) => clean(node) === text);
  if (!heading) return;
  event.preventDefault();
  heading.setAttribute("tabindex", "-1");
  heading.scrollIntoView({ block: "start" });
  heading.focus({ preventScroll: true });
}

const sectionLink = ({ href, text }) => h("a", { href, onclick: (event) => goTo(event, text) }, text);

// --- One question --------------------------------------------------------------------------------

function ask(question, number, send) {
  const check = () => send({ action: "answer", id: question.id, answer: field.read() });
  const kinds = { multiple: () => choices(question, true), number: () => line(question, check), shape: () => line(question, check) };
  const field = (kinds[question.kind] ?? (() => choices(question, false)))();
  const textId = freshId();
  const text = h("div", { class: "cq-text", id: textId });
  text.innerHTML = question.html;
  const how = h("div", { class: "cw-note" });
  how.innerHTML = `Answer with ${question.how}.`;
  const feedback = h("div", { class: "cq-feedback", role: "status", "aria-live": "polite" });
  const actions = h("div", { class: "cq-actions" });
  const checkButton = button("Check", check, { "aria-label": `Check question ${number}` });
  const legend = h("legend", {}, `Question ${number}`);
  const node = h("fieldset", { class: "cq-question", "data-item": question.id, "aria-describedby": textId }, legend, text, how, field.node, h("div", { class: "cw-row" }, checkButton, actions), feedback);
  const entry = { node, field, update, touched: false };
  for (const kind of ["input", "click"]) field.node.addEventListener(kind, () => { entry.touched = true; });
  let told = "";

  function words(state) {
    const parts = [];
    if (state.feedback) parts.push(h("div", { class: state.right ? "cw-good" : "cw-bad" }));
    if (parts.length) parts[0].innerHTML = (state.right ? "\u2713 " : "\u2717 ") + state.feedback;
    if (state.solution) {
      parts.push(h("p", {}, h("b", {}, "The answer: ")));
      parts.at(-1).insertAdjacentHTML("beforeend", state.solution);
    }
    if (state.explanation) parts.push(Object.assign(h("div"), { innerHTML: state.explanation }));
    if (state.link) parts.push(h("p", {}, "Read again: ", sectionLink(state.link)));
    return parts;
  }

  function update(state) {
    const now = JSON.stringify([state.feedback, state.solution, state.explanation, state.tries]);
    if (now !== told) feedback.replaceChildren(...words(state));
    told = now;
    node.classList.toggle("cq-right", state.right);
    const focused = actions.contains(document.activeElement);
    actions.replaceChildren(
      ...(state.can_reveal ? [button("Show the answer", () => send({ action: "reveal", id: question.id }), { "aria-label": `Show the answer to question ${number}` })] : []),
      ...(state.can_vary ? [button("Other numbers", () => send({ action: "vary", id: question.id }), { "aria-label": `Other numbers for question ${number}` })] : []));
    if (focused) checkButton.focus();
  }

  return entry;
}

// --- The quiz --------------------------------------------------------------------------------------

function closing({ closed, total, first_try: first, slips }) {
  if (!closed) return [];
  const head = h("p", {}, h("b", {}, "Done. "), `${first} of ${total} right on the first try.`);
  if (!slips.length) return [head, h("p", {}, "None of your answers shows a known mistake.")];
  const rows = slips.map(({ count, text, link }) => {
    const row = h("li", {}, `In ${count} ${count === 1 ? "answer" : "answers"}: what you get if `);
    row.insertAdjacentHTML("beforeend", `${text}. `);
    row.append(sectionLink(link));
    return row;
  });
  return [head, h("p", {}, "What to look at again:"), h("ul", {}, ...rows)];
}

function render({ model, el }) {
  const { root, controls, stage, readout } = frame(el, { title: TITLE, hint: "Your answers are kept on this machine." });
  controls.remove();
  root.classList.add("cq");
  const note = h("div", { class: "cq-note cw-bad", role: "status" });
  const progress = h("div", { class: "cq-progress" });
  const meter = h("progress", { "aria-label": "Questions answered correctly" });
  const count = h("span", {});
  progress.append(meter, count);
  stage.before(note, progress);
  let asked = []; // the questions on the page, with what they were made from
  let timer = 0;
  let number = 0;

  const silent = () => say(note, "The kernel does not reply. Is it running and idle? Run this cell again.");
  function send(message) {
    clearTimeout(timer);
    number += 1;
    timer = setTimeout(silent, NO_REPLY);
    try {
      model.send({ ...message, number });
    } catch { // the kernel is gone
      silent();
    }
  }
  const restart = button("Start again", () => send({ action: "restart" }));
  readout.after(h("div", { class: "cw-row" }, restart));

  function draw() {
    const [questions, states, summary] = ["questions", "progress", "summary"].map((key) => model.get(key));
    asked = questions.map((question, i) => {
      const text = JSON.stringify(question);
      const kept = asked[i]?.text === text;
      const entry = kept ? asked[i] : Object.assign(ask(question, i + 1, send), { text, tries: 0 });
      const state = states[question.id];
      if (state.tries === 0 && entry.tries > 0) entry.touched = false; // started again
      // What was typed here stays as typed; otherwise the kernel's state counts.
      if (!entry.touched) entry.field.set(state.answer);
      entry.isNew = !kept;
      entry.tries = state.tries;
      entry.update(state);
      return entry;
    });
    const inside = stage.contains(document.activeElement) && document.activeElement.closest("fieldset");
    const place = inside ? [...stage.children].indexOf(inside) : -1;
    if (asked.some((entry) => entry.isNew)) stage.replaceChildren(...asked.map((entry) => entry.node));
    if (place >= 0 && asked[place]?.isNew) asked[place].field.focus();
    Object.assign(meter, { max: summary.total, value: summary.right });
    say(count, `${summary.right} of ${summary.total} right`);
    const lines = closing(summary);
    const closingText = lines.map((line) => line.textContent).join("");
    if (closingText !== readout.dataset.text) readout.replaceChildren(...lines);
    readout.dataset.text = closingText;
    readout.hidden = !lines.length;
    say(note, model.get("note"));
  }

  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; draw(); });
  };
  const heard = () => { clearTimeout(timer); later(); };
  const keys = ["questions", "progress", "summary", "note"];
  keys.forEach((key) => model.on(`change:${key}`, later));
  model.on("msg:custom", heard);
  draw();
  return () => {
    clearTimeout(timer);
    keys.forEach((key) => model.off(`change:${key}`, later));
    model.off("msg:custom", heard);
  };
}

export default { render };
