// A widget on a page without a kernel: base.py writes this behind the widget's module, with KEY and
// STATE replaced, into a script of its own.

/** The part of anywidget's model that our widgets use. */
const makeModel = (state) => {
  const listeners = [];
  return {
    get: (key) => state[key],
    set(key, value) {
      state[key] = value;
      listeners.filter(([name]) => name === `change:${key}`).forEach(([, call]) => call());
    },
    save_changes() {},
    on: (name, call) => listeners.push([name, call]),
    off(name, call) {
      const i = listeners.findIndex((entry) => entry[0] === name && entry[1] === call);
      if (i >= 0) listeners.splice(i, 1);
    },
  };
};

// The page may hold the same widget twice, so each script takes the first place still free.
const place = document.querySelector('[data-course-widget="KEY"]:not([data-alive])');
if (place) {
  place.setAttribute("data-alive", "");
  courseWidget.render({ model: makeModel(STATE), el: place });
}
