// What all explorers share: controls that are labelled, panels with axes, and words that are read aloud.
// The page draws; every number that it shows comes from the kernel.

const SVG = "http://www.w3.org/2000/svg";

function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const grouped = (number, digits = 0) =>
  number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const plural = (number, word) => `${grouped(number)} ${word}${number === 1 ? "" : "s"}`;

// Coordinates to a tenth of a pixel: short paths are drawn sooner.
const at = (x, y) => `${Math.round(10 * x) / 10} ${Math.round(10 * y) / 10}`;

const dots = (points) => points.map(([x, y]) => `M${at(x, y)}h0`).join("");

const crosses = (points) => points.map(([x, y]) => `M${at(x - 2, y - 2)}l4 4m0-4l-4 4`).join("");

// What the marks of a picture stand for: [class, sign, text].
const key = (entries) =>
  html("p", { class: "key" }, ...entries.map(([name, sign, text]) => html("span", { class: name }, `${sign} ${text}`)));

const line = (points) => (points.length ? "M" + points.map(([x, y]) => at(x, y)).join("L") : "");

// One that no other explorer of the page has.
const newId = () => `wavenetlike-${Math.random().toString(36).slice(2)}`;

// The frame of an explorer in `el`: controls above, words, then what is drawn.
function frame(el, lines = 2) {
  const controls = html("div", { class: "controls" });
  const words = html("p", { role: "status", class: "words", style: `min-height:${1.45 * lines}em` });
  const picture = html("div", { class: "picture" });
  const root = html("div", { class: "wavenetlike" }, controls, words, picture);
  el.replaceChildren(root);
  return { root, controls, words, picture };
}

const REST = 1500;

// A widget of a function that draws into `el` from the model. Plain keys belong to the control that has the focus, not to
// JupyterLab's shortcuts; and when nothing has been changed for a while, the kernel, where there is one, is told to keep
// the picture.
const explorer = (draw) => ({
  render: ({ model, el }) => {
    draw({ model, el });
    const keys = (event) => {
      if (!el.contains(event.target)) return;
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== "Enter";
      event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain);
    };
    window.addEventListener("keydown", keys, true);
    let timer;
    if (model.send) {
      el.dataset.live = "";
      model.on("change", () => {
        clearTimeout(timer);
        timer = setTimeout(() => model.send({ kind: "rest" }), REST);
      });
    }
    return () => {
      clearTimeout(timer);
      window.removeEventListener("keydown", keys, true);
    };
  },
});

// Calls `f` now and whenever one of the traits changes.
function follow(model, names, f) {
  for (const name of names) model.on(`change:${name}`, f);
  f();
}

function choose(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// Says so in `words` when the kernel does not follow a change of one of the traits `names`.
function expectAnswer(model, names, words) {
  let timer;
  const late = () => {
    words.textContent = "The kernel does not answer: it is busy, or was restarted. Wait, or run this cell again.";
  };
  model.on("change:shown", () => clearTimeout(timer));
  for (const name of names)
    model.on(`change:${name}`, () => {
      clearTimeout(timer);
      timer = setTimeout(late, 3000);
    });
}

function labelled(label, control, ...more) {
  const id = newId();
  control.id = id;
  return html("div", { class: "control" }, html("label", { for: id }, label), control, ...more);
}

// From `min` to `max` in steps, or over a list of `values`.
function slider(model, name, label, { min, max, step = 1, values, text = (value) => grouped(value) }) {
  const input = html("input", { type: "range", min: min ?? 0, max: max ?? values.length - 1, step });
  const place = (value) => (values ? values.indexOf(value) : value);
  const output = html("output", { "aria-hidden": "true" });
  input.addEventListener("input", () => {
    const value = Number(input.value);
    choose(model, { [name]: values ? values[value] : value });
  });
  follow(model, [name], () => {
    const value = model.get(name);
    if (Number(input.value) !== place(value)) input.value = place(value);
    output.textContent = text(value);
    input.setAttribute("aria-valuetext", text(value));
  });
  return labelled(label, input, output);
}

// `options` gives [value, text] of each choice, and is asked again when one of the traits in `more` changes.
function select(model, name, label, options, more = []) {
  const input = html("select");
  input.addEventListener("change", () => choose(model, { [name]: options()[input.selectedIndex][0] }));
  follow(model, [name, ...more], () => {
    const choices = options(),
      key = JSON.stringify(choices);
    if (input.dataset.choices !== key) {
      input.replaceChildren(...choices.map(([value, text]) => html("option", { value }, text)));
      input.dataset.choices = key;
    }
    input.value = model.get(name);
  });
  return labelled(label, input);
}

const MOST_WANTED = 1e12;

// A number that may be left out; out of range it is not taken, and the field says so until it is left.
function limit(model, name, label) {
  const input = html("input", { type: "number", min: 0, step: "any", placeholder: "any" });
  const help = html("span", { id: newId(), role: "alert", class: "help" });
  input.setAttribute("aria-describedby", help.id);
  const check = (bad) => {
    input.setAttribute("aria-invalid", bad);
    help.textContent = bad ? "not used: it must be a number, 0 or more" : "";
  };
  input.addEventListener("input", () => {
    const value = input.value === "" ? null : Number(input.value);
    const bad = input.validity.badInput || (value !== null && !(value >= 0 && value <= MOST_WANTED));
    check(bad);
    if (!bad) choose(model, { [name]: value });
  });
  const put = () => {
    if (input.getRootNode().activeElement === input) return;
    input.value = model.get(name) ?? "";
    check(false);
  };
  input.addEventListener("blur", () => setTimeout(put));
  follow(model, [name], put);
  return labelled(label, input, help);
}

// A drawing of fixed size, which scales with the page and never makes it jump.
function drawing(width, height, attributes = {}) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", style: `max-width:${width}px`, ...attributes });
}

// A drawing that is explored with the pointer and with the arrow keys; `aria-label` says what is seen.
function keyed(picture, label, keys) {
  const help = html("span", { class: "hidden", id: newId() }, keys);
  const host = html(
    "div",
    { tabindex: 0, role: "application", "aria-label": label, "aria-describedby": help.id, class: "keyed" },
    picture,
  );
  picture.setAttribute("aria-hidden", "true");
  return { host, help };
}

// Where the pointer is, in the coordinates of a drawing.
function pointer(picture, event) {
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
  return [x, y];
}

function nearest(points, [x, y]) {
  let best = -1,
    least = Infinity;
  points.forEach(([px, py], i) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

function steps(from, to, count) {
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
  const ticks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9 * step; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function powers(from, to) {
  const first = Math.ceil(Math.log10(from) - 1e-9),
    last = Math.floor(Math.log10(to) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / 8));
  const ticks = [];
  for (let i = first; i <= last; i += every) ticks.push(10 ** i);
  return ticks;
}

const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size !== 0 && size < 1e-3) return `1e${Math.round(Math.log10(size))}`;
  return String(Number(value.toPrecision(4)));
};

// One panel with axes in a drawing. `x` and `y` are {from, to, log, label, text}; `set` draws them anew.
function panel(parent, left, top, width, height, title = "") {
  const axes = svg("g", { class: "axes" });
  const content = svg("g");
  parent.append(svg("g", { transform: `translate(${left} ${top})` }, axes, content));
  const result = { content, width, height };
  const scale = ({ from, to, log }, size, flip) => {
    const f = log ? Math.log : (value) => value;
    const low = f(from),
      high = f(to);
    return (value) => {
      const part = (f(value) - low) / (high - low || 1);
      return size * (flip ? 1 - part : part);
    };
  };
  result.set = (x, y) => {
    const key = JSON.stringify([x, y]);
    result.x = scale(x, width, false);
    result.y = scale(y, height, true);
    if (result.key === key) return;
    result.key = key;
    const parts = [svg("path", { d: `M0 0V${height}H${width}`, class: "axis" })];
    for (const value of x.ticks ?? (x.log ? powers(x.from, x.to) : steps(x.from, x.to, Math.max(2, width / 90)))) {
      const px = result.x(value);
      parts.push(svg("path", { d: `M${at(px, height)}v4`, class: "axis" }));
      parts.push(svg("text", { x: px, y: height + 16, "text-anchor": "middle" }, (x.text ?? short)(value)));
    }
    for (const value of y.ticks ?? (y.log ? powers(y.from, y.to) : steps(y.from, y.to, Math.max(2, height / 50)))) {
      const py = result.y(value);
      parts.push(svg("path", { d: `M${at(-4, py)}h4`, class: "axis" }));
      parts.push(svg("text", { x: -7, y: py + 4, "text-anchor": "end" }, (y.text ?? short)(value)));
    }
    parts.push(svg("text", { x: width / 2, y: height + 33, "text-anchor": "middle" }, x.label));
    parts.push(
      svg("text", { transform: `translate(-48 ${height / 2}) rotate(-90)`, "text-anchor": "middle" }, y.label),
    );
    if (title) parts.push(svg("text", { x: width / 2, y: -7, "text-anchor": "middle", class: "title" }, title));
    axes.replaceChildren(...parts);
  };
  return result;
}
