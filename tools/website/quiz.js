// Marks a quiz where there is no kernel: website_quiz.py writes this behind the widget's module. What
// Python would reply is in the page; only what was typed is read here, as course_utils.quiz.marking does.

const TRIES_BEFORE_ANSWER = 2;

class NoAnswer extends Error {}

/** Write a number as JavaScript does: 61706.5 for 61,706.5 and for 61.706,5. */
function plain(text, whole) {
  const gap = "[ \u00a0\u2009\u202f'\u2019]";
  const groups = (separator) => `[-+]?[1-9]\\d{0,2}(?:${separator}\\d{3})`;
  const fits = (pattern) => new RegExp(`^(?:${pattern})$`).test(text);
  if (fits(`${groups(gap)}+(?:[.,]\\d+)?`)) text = text.replace(new RegExp(gap, "g"), "");
  const english = fits(`${groups(",")}+(?:\\.\\d+)?`);
  const dotted = groups("\\.");
  const comma = fits(`(?:[-+]?\\d*|${dotted}+),\\d+(?:[eE][-+]?\\d+)?|${dotted}{2,}`);
  if (english && comma && !whole) {
    const [none, point] = [text.replaceAll(",", ""), text.replaceAll(",", ".")];
    throw new NoAnswer(`${text} can be read as ${none} or as ${point}: write one of the two`);
  }
  if (english) return text.replaceAll(",", "");
  return comma ? text.replaceAll(".", "").replaceAll(",", ".") : text;
}

function asNumber(text) {
  const digits = text.replace(/(\d)_(?=\d)/g, "$1"); // as in 61_706
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(digits) ? Number(digits) : NaN;
}

function readNumber(typed, unit, whole) {
  let text = typed.trim().replaceAll("\u2212", "-");
  if (unit && text.endsWith(unit)) text = text.slice(0, -unit.length).trim();
  const [top, ...bottom] = text.split(/\/(.*)/s).map((part) => asNumber(plain(part.trim(), whole)));
  const value = bottom.length ? top / bottom[0] : top;
  if (!Number.isFinite(value)) throw new NoAnswer("answer with a number, such as 61706 or 0.25");
  return value;
}

function readShape(typed, wanted, form) {
  const text = typed.replace(/[x×,()[\]]/g, " ");
  if (!/^\s*\d+(\s+\d+)*\s*$/.test(text)) throw new NoAnswer("answer with sizes, such as (16, 5, 5)");
  const sizes = text.trim().split(/\s+/).map(Number);
  if (sizes.length !== wanted.length) throw new NoAnswer(`answer with ${wanted.length} sizes: ${form || "see the question"}`);
  return sizes;
}

/** The reply to what was typed: the first whose answer is as near as the item allows. */
function replyToTyped(question, item, typed) {
  const [right] = item.replies;
  const given = question.kind === "shape"
    ? readShape(typed, right.given, item.form)
    : readNumber(typed, question.unit, item.whole);
  const near = (reply) => (Array.isArray(given)
    ? String(given) === String(reply.given)
    : Math.abs(given - reply.given) <= reply.slack);
  const known = item.replies.find(near);
  if (known) return known;
  const name = h("code", {}, typed.trim()).outerHTML;
  return { right: false, feedback: `<p>${name} is not right, and comes from no slip that we know.</p>`, link: item.section, rules: [] };
}

const sorted = (given) => JSON.stringify(Array.isArray(given) ? [...given].sort() : given);

/** What the kernel would say about an answer. */
function replyTo(question, item, given) {
  if (typeof given === "string") return replyToTyped(question, item, given);
  if (Array.isArray(given) && !given.length) throw new NoAnswer("choose at least one statement: at least one is right");
  const known = item.replies.find((reply) => sorted(reply.given) === sorted(given));
  if (!known) throw new NoAnswer("choose an answer first");
  return known;
}

/** The part of anywidget's model that the quiz uses, with the marking behind it. */
function markingModel({ questions, progress, summary, items }) {
  const state = { questions, progress: structuredClone(progress), summary, note: "" };
  const calls = [];
  const rules = Object.fromEntries(questions.map(({ id }) => [id, []]));

  const actions = {
    answer({ id, answer }) {
      const now = state.progress[id];
      const item = items[id];
      let reply;
      try {
        reply = replyTo(questions.find((question) => question.id === id), item, answer);
      } catch (problem) {
        if (!(problem instanceof NoAnswer)) throw problem;
        now.feedback = `<p>${problem.message[0].toUpperCase()}${problem.message.slice(1)}.</p>`;
        return;
      }
      now.tries += now.right && reply.right ? 0 : 1;
      rules[id].push(...reply.rules);
      Object.assign(now, { answer, right: reply.right, feedback: reply.feedback, link: reply.link });
    },
    reveal: ({ id }) => { state.progress[id].revealed = true; },
    restart() {
      state.progress = structuredClone(progress);
      for (const id of Object.keys(rules)) rules[id] = [];
    },
  };

  function settle() {
    for (const [id, now] of Object.entries(state.progress)) {
      now.done = now.right || Boolean(now.revealed);
      now.explanation = now.done ? items[id].explanation : "";
      now.solution = now.revealed && !now.right ? items[id].solution : "";
      now.can_reveal = now.tries >= TRIES_BEFORE_ANSWER && !now.done;
    }
    const all = Object.values(state.progress);
    state.summary = {
      total: all.length,
      right: all.filter((now) => now.right).length,
      first_try: all.filter((now) => now.right && now.tries === 1).length,
      closed: all.every((now) => now.done),
      slips: slips(),
    };
  }

  function slips() {
    const found = new Map();
    for (const [id, broken] of Object.entries(rules)) {
      for (const rule of broken) {
        const slip = found.get(rule) ?? { count: 0, text: items[id].rules[rule], link: items[id].section };
        found.set(rule, { ...slip, count: slip.count + 1 });
      }
    }
    return [...found.values()].sort((a, b) => b.count - a.count);
  }

  return {
    get: (key) => state[key],
    on: (name, call) => calls.push([name, call]),
    off: (name, call) => calls.splice(calls.findIndex((entry) => entry[0] === name && entry[1] === call), 1),
    send({ action, ...message }) {
      actions[action](message);
      settle();
      calls.filter(([name]) => name === "msg:custom").forEach(([, call]) => call());
    },
  };
}

const fromBase64 = (text) => new TextDecoder().decode(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));

for (const place of document.querySelectorAll("[data-quiz]")) {
  const quiz = JSON.parse(fromBase64(place.dataset.quiz));
  place.courseQuiz = { questions: quiz.questions, reply: (id, given) => replyTo(quiz.questions.find((q) => q.id === id), quiz.items[id], given) };
  courseWidget.render({ model: markingModel(quiz), el: place });
}
