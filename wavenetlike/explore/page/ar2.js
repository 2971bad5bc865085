// Explorer 4: drag (a, b) in the stationarity triangle; the kernel computes what follows from it.

const AR2 = { width: 900, height: 520 };

function draw({ model, el }) {
  const { controls, words, picture } = frame(el);
  const range = model.get("range");
  const text = (value) => value.toFixed(2);
  const inputs = [
    slider(model, "a", "a (weight of the last sample)", { min: -range.a, max: range.a, step: 0.05, text }),
    slider(model, "b", "b (weight of the one before)", { min: -range.b, max: range.b, step: 0.05, text }),
  ];
  controls.append(...inputs);

  const chart = drawing(AR2.width, AR2.height);
  const triangle = panel(chart, 60, 24, 250, 190, "stationary inside: drag ●");
  const series = panel(chart, 390, 24, 495, 190, "the series");
  const correlation = panel(chart, 60, 290, 250, 180, "its autocorrelation");
  const spectrum = panel(chart, 390, 290, 235, 180, "its spectrum");
  const roots = panel(chart, 705, 290, 180, 180, "its roots, and the unit circle");
  triangle.set({ from: -range.a, to: range.a, label: "a" }, { from: -range.b, to: range.b, label: "b" });
  const corner = (a, b) => [triangle.x(a), triangle.y(b)];
  const below = Array.from({ length: 81 }, (_, i) => -2 + i / 20);
  const grip = svg("rect", { class: "grip", width: triangle.width, height: triangle.height });
  const point = svg("circle", { class: "point", r: 8 });
  triangle.content.append(
    svg("path", { class: "inside", d: `${line([corner(-2, -1), corner(2, -1), corner(0, 1)])}Z` }),
    svg("path", { class: "border", d: line(below.map((a) => corner(a, (-a * a) / 4))) }),
    svg("text", { x: triangle.x(0), y: triangle.y(-0.8), "text-anchor": "middle" }, "oscillates"),
    grip,
    point,
  );
  const curve = (panel, name) => panel.content.appendChild(svg("path", { class: name }));
  const samples = curve(series, "curve"),
    power = curve(spectrum, "curve"),
    period = curve(spectrum, "border");
  const theory = curve(correlation, "curve"),
    seen = curve(correlation, "seen");
  const none = [correlation, spectrum].map((panel) =>
    panel.content.appendChild(svg("text", { x: panel.width / 2, y: panel.height / 2, "text-anchor": "middle" })),
  );
  const circle = curve(roots, "border"),
    where = curve(roots, "roots");
  const { host, help } = keyed(chart, "", "Arrow keys move the point (a, b) by 0.05.");
  picture.append(
    host,
    key([
      ["curve", "―", "autocorrelation and spectrum in theory"],
      ["seen", "●", "autocorrelation of these samples"],
    ]),
    help,
  );

  expectAnswer(model, ["a", "b"], words);
  follow(model, ["shown"], () => {
    const {
      a,
      b,
      x,
      correlations,
      observed,
      frequencies,
      powers: power_,
      period: samplesPerCycle,
      roots: found,
      words: said,
    } = model.get("shown");
    point.setAttribute("cx", triangle.x(a));
    point.setAttribute("cy", triangle.y(b));
    const largest = Math.max(1e-9, ...x.map(Math.abs));
    series.set({ from: 0, to: model.get("n_samples"), label: "t" }, { from: -largest, to: largest, label: "x_t" });
    samples.setAttribute("d", line(x.map((value, t) => [series.x(t), series.y(value)])));
    correlation.set(
      { from: 0, to: Math.max(1, observed.length - 1), label: "lag (samples)" },
      { from: -1, to: 1, label: "correlation" },
    );
    const over = (values, panel) => values.map((value, i) => [panel.x(i), panel.y(value)]);
    theory.setAttribute("d", correlations ? line(over(correlations, correlation)) : "");
    seen.setAttribute("d", dots(over(observed, correlation)));
    const values = power_ ?? [0.5, 2];
    spectrum.set(
      { from: 0, to: 0.5, label: "frequency (cycles per sample)" },
      { from: Math.min(...values) / 1.5, to: 1.5 * Math.max(...values), log: true, label: "power" },
    );
    power.setAttribute(
      "d",
      power_ ? line(power_.map((value, i) => [spectrum.x(frequencies[i]), spectrum.y(value)])) : "",
    );
    period.setAttribute(
      "d",
      power_ && samplesPerCycle ? `M${at(spectrum.x(1 / samplesPerCycle), 0)}v${spectrum.height}` : "",
    );
    none[0].textContent = observed.length ? "" : "none";
    none[1].textContent = power_ ? "" : "none: it does not settle";
    const size = Math.max(1.3, ...found.flat().map((value) => 1.1 * Math.abs(value)));
    roots.set({ from: -size, to: size, label: "real" }, { from: -size, to: size, label: "imaginary" });
    circle.setAttribute(
      "d",
      `${line(Array.from({ length: 73 }, (_, i) => [roots.x(Math.cos((i * Math.PI) / 36)), roots.y(Math.sin((i * Math.PI) / 36))]))}Z`,
    );
    where.setAttribute("d", dots(found.map(([real, imaginary]) => [roots.x(real), roots.y(imaginary)])));
    words.textContent = said;
    host.setAttribute(
      "aria-label",
      `AR(2) with a = ${a.toFixed(2)}, b = ${b.toFixed(2)}: its triangle, series, autocorrelation, spectrum and roots. ${said}`,
    );
  });

  const inRange = (value, most) => Number((Math.round(20 * Math.max(-most, Math.min(most, value))) / 20).toFixed(2));
  const put = (a, b) => choose(model, { a: inRange(a, range.a), b: inRange(b, range.b) });
  host.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
    if (!by) return;
    put(model.get("a") + by[0], model.get("b") + by[1]);
    event.preventDefault();
  });
  const drag = (event) => {
    const [x, y] = pointer(chart, event);
    put(((2 * (x - 60)) / triangle.width - 1) * range.a, (1 - (2 * (y - 24)) / triangle.height) * range.b);
  };
  chart.addEventListener("pointerdown", (event) => {
    const [x, y] = pointer(chart, event);
    if (x > 310 || y > 214) return;
    chart.setPointerCapture(event.pointerId);
    drag(event);
  });
  chart.addEventListener("pointermove", (event) => chart.hasPointerCapture(event.pointerId) && drag(event));
}

export default explorer(draw);
