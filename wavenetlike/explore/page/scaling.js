// Explorer 6: many machines, how much faster than one they are, and where the time of a step goes.

const SCALING = { width: 900, height: 330, top: 24, inner: [370, 250] };

function draw({ model, el }) {
  const { controls, words, picture } = frame(el, 3);
  const choices = model.get("choices");
  const ns = choices.n;
  const unit = (divisor, large, small) => (value) =>
    value >= divisor ? `${grouped(value / divisor)} ${large}` : `${grouped(value)} ${small}`;
  const pick = (name, label, text) =>
    select(model, name, label, () => choices[name].map((value) => [value, text(value)]));
  controls.append(
    slider(model, "n", "processes", { values: ns }),
    slider(model, "batch", "windows a step, over all", { values: choices.batch }),
    pick("model", "model", (name) => ({ wavenet: "full WaveNet", toy: "toy" })[name]),
    pick("gigaflops", "a process sustains", unit(1000, "TFLOP/s", "GFLOP/s")),
    pick("megabits", "bandwidth", unit(1000, "Gbit/s", "Mbit/s")),
    pick("microseconds", "latency", unit(1000, "ms", "µs")),
  );

  const chart = drawing(SCALING.width, SCALING.height);
  const speed = panel(chart, 60, SCALING.top, ...SCALING.inner, "speed-up; dashed: perfect");
  const time = panel(chart, 520, SCALING.top, ...SCALING.inner, "a step");
  const curve = (panel, name) => panel.content.appendChild(svg("path", { class: name }));
  const perfect = curve(speed, "border"),
    speedUp = curve(speed, "curve"),
    computing = curve(time, "curve"),
    sending = curve(time, "seen"),
    links = curve(time, "smooth"),
    here = [speed, time].map((panel) => curve(panel, "border"));
  const point = speed.content.appendChild(svg("circle", { class: "point", r: 7 }));
  const { host, help } = keyed(chart, "", "Left and right change the number of processes.");
  picture.append(
    host,
    key([
      ["curve", "―", "computing (left: speed-up)"],
      ["seen", "●", "sending"],
    ]),
    help,
  );

  const inputs = Object.keys(choices);
  expectAnswer(model, inputs, words);
  follow(model, ["shown"], () => {
    const shown = model.get("shown");
    const ticks = ns.filter((_, i) => i % 2 === 0);
    const across = { from: 1, to: 1.1 * ns.at(-1), log: true, label: "processes", ticks };
    speed.set(across, { ...across, from: 0.8, label: "times as fast as one" });
    const times = [...shown.computing, ...shown.sending].filter((value) => value > 0).map((value) => 1000 * value);
    time.set(across, { from: Math.min(...times) / 1.5, to: 1.5 * Math.max(...times), log: true, label: "ms" });
    const over = (area, values, factor = 1) =>
      values.flatMap((value, i) => (value > 0 ? [[area.x(ns[i]), area.y(factor * value)]] : []));
    perfect.setAttribute("d", line(over(speed, ns)));
    speedUp.setAttribute("d", line(over(speed, shown.speed_up)));
    computing.setAttribute("d", line(over(time, shown.computing, 1000)));
    sending.setAttribute("d", dots(over(time, shown.sending, 1000)));
    links.setAttribute("d", line(over(time, shown.sending, 1000)));
    for (const [i, area] of [speed, time].entries())
      here[i].setAttribute("d", `M${at(area.x(shown.n), 0)}v${area.height}`);
    point.setAttribute("cx", speed.x(shown.n));
    point.setAttribute("cy", speed.y(shown.speed_up[ns.indexOf(shown.n)]));
    words.textContent = shown.words;
    host.setAttribute("aria-label", `Speed-up, and the time of a step, against the number of processes. ${shown.words}`);
  });

  host.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const next = ns[ns.indexOf(model.get("n")) + by];
    if (next) choose(model, { n: next });
    event.preventDefault();
  });
}

export default explorer(draw);
