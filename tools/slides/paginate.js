// Makes slides of what nbconvert wrote: what does not fit on one slide goes on to the next.
//
// How high a cell is depends on fonts, formulas and figures, so it is measured here, in the page.
// What is still too high alone, a long piece of code or a widget, is made smaller; what would
// become too small to read can be scrolled.

const WIDTH = 1280;
const HEIGHT = 720;
const ROOM = HEIGHT - 44 - 16; // what the padding in slides.css leaves
const SMALLEST = 0.62; // 26 pixels become 16
const LARGEST = 1.9; // a figure gets coarse beyond that
const UNITS = ".jp-RenderedMarkdown > *, .jp-Cell-inputWrapper, .jp-OutputArea-child";
const QUESTIONS = ".pop-quiz > *"; // one a slide, for a show of hands
const HEADINGS = /^H[1-3]$/;

/** What is moved as a whole: paragraphs, inputs, outputs, questions; none inside another. */
function unitsOf(slide) {
  const outermost = (unit) => unit.matches(QUESTIONS) || !unit.parentElement.closest(UNITS);
  return [...slide.querySelectorAll(`${UNITS}, ${QUESTIONS}`)].filter(
    (unit) => unit.offsetHeight > 0 && outermost(unit) && !unit.querySelector(QUESTIONS),
  );
}

/** The first unit that has to go to the next slide; undefined if all fit. */
function firstTooLow(slide) {
  const top = slide.getBoundingClientRect().top;
  const units = unitsOf(slide);
  let index = units.findIndex((unit, i) => {
    const below = unit.getBoundingClientRect().bottom - top > 44 + ROOM;
    return i > 0 && (below || /^H[12]$/.test(unit.tagName) || unit.matches(QUESTIONS));
  });
  // A heading stays with what it is the heading of.
  while (index > 1 && HEADINGS.test(units[index - 1].tagName)) index -= 1;
  if (index === 1 && HEADINGS.test(units[0].tagName)) index = units.length > 2 ? 2 : -1;
  return units[index];
}

/** Move a unit and all that follows it to a new slide, and return that slide. */
function splitBefore(slide, unit) {
  const range = document.createRange();
  range.setStartBefore(unit);
  range.setEndAfter(slide.lastChild);
  const next = slide.cloneNode(false);
  next.removeAttribute("id");
  next.append(range.extractContents());
  next.firstElementChild?.classList.remove("fragment"); // no slide is empty at first
  slide.after(next);
  return next;
}

function paginate(slide) {
  for (let page = slide; page; ) {
    const unit = firstTooLow(page);
    page = unit && splitBefore(page, unit);
  }
}

/** Say on each slide which part of the lesson it belongs to. */
function label(stack) {
  let part = "";
  for (const slide of stack.children) {
    const heading = slide.querySelector("h1, h2");
    if (heading) part = heading.textContent.replace("¶", "").trim();
    else if (part) slide.dataset.part = part;
  }
}

/** Give a figure the room that is left on its slide. */
function enlarge(content, room) {
  const figures = [...content.querySelectorAll(".jp-OutputArea-output img")];
  if (figures.length !== 1) return;
  const { width, height } = figures[0].getBoundingClientRect();
  const others = content.getBoundingClientRect().height - height;
  const factor = Math.min(LARGEST, (room - others) / height, (WIDTH - 48) / width);
  if (factor > 1) figures[0].style.width = `${figures[0].offsetWidth * factor}px`;
}

/** Make what does not fit smaller; below the smallest size, let it scroll. */
function fit(content, room) {
  const scale = Math.min(1, room / content.scrollHeight, (WIDTH - 48) / content.scrollWidth);
  if (scale < 1) content.style.zoom = Math.max(scale, SMALLEST);
  if (scale >= SMALLEST) return;
  Object.assign(content.style, { height: `${room / SMALLEST}px`, overflow: "auto" });
  content.tabIndex = 0; // so that the keyboard can scroll it
}

/** A widget draws itself late, and may have grown since it was measured. */
function tighten(slide) {
  const content = slide?.querySelector(".fitted");
  if (!content || content.style.overflow === "auto" || slide.scrollHeight <= HEIGHT) return;
  content.style.zoom = ((content.style.zoom || 1) * (HEIGHT - 60)) / (slide.scrollHeight - 60);
}

/** Put what is on a slide into one element, as large as the slide lets it be. */
function settle(slide) {
  const content = document.createElement("div");
  content.className = "fitted";
  content.append(...slide.childNodes);
  slide.append(content);
  enlarge(content, ROOM);
  fit(content, ROOM);
}

async function start() {
  const reveal = document.querySelector(".reveal");
  reveal.classList.add("measuring");
  if (window.MathJax) {
    await MathJax.startup.promise;
    await MathJax.typesetPromise([...document.querySelectorAll(".jp-RenderedMarkdown")]);
  }
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  const stacks = [...document.querySelectorAll(".slides > section")];
  for (const stack of stacks) {
    [...stack.children].forEach(paginate);
    for (const slide of [...stack.children]) {
      if (unitsOf(slide).length) settle(slide);
      else slide.remove();
    }
    label(stack);
  }
  reveal.classList.remove("measuring");
  for (const event of ["ready", "slidechanged"])
    Reveal.on(event, ({ currentSlide }) => tighten(currentSlide));
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0.02,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
  });
  document.body.dataset.slides = "ready";
}

start();
