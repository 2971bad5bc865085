// Explorer 2: every stack as a point in the plane of Δ and γ; choose one, and its tree follows.

const PLANE = { width: 760, height: 330, left: 60, top: 20, inner: [680, 260] };

function draw({ model, el }) {
  const { controls, words, picture, root } = frame(el, 3);
  const table = model.get("table"),
    all = stacks(table);
  const inputs = [
    ...WIDTHS(model, table),
    limit(model, "least_ms", "wanted: Δ at least (ms)"),
    limit(model, "most_gamma", "wanted: γ at most (parameters per layer)"),
    limit(model, "most_parameters", "wanted: parameters at most"),
  ];
  controls.append(...inputs);

  const plane = drawing(PLANE.width, PLANE.height);
  const area = panel(
    plane,
    PLANE.left,
    PLANE.top,
    ...PLANE.inner,
    "every point a stack; ★ the chosen one; the line: no stack is better in both",
  );
  const shade = svg("rect", { class: "shade" });
  const others = svg("path", { class: "others" });
  const good = svg("path", { class: "good" });
  const edge = svg("path", { class: "frontier" });
  const star = svg("path", { class: "star" });
  area.content.append(shade, others, good, edge, star);
  const { host, help } = keyed(plane, "", "Arrow keys go to the nearest point on that side.");
  picture.append(host, help);
  const detail = html("p", { role: "status", class: "detail" });
  const below = html("div");
  root.append(below, detail);
  const drawTree = tree(below, "", (text) => {
    detail.textContent = text || " ";
  });

  let places = [],
    wantedNow;
  const moved = (index) => choose(model, all.at(index));

  function qualifies(width) {
    const [ms, gamma, parameters] = ["least_ms", "most_gamma", "most_parameters"].map((name) => model.get(name));
    const least = ms === null ? 0 : (ms * model.get("sample_rate")) / 1000;
    const is = (i) =>
      all.deltas[i] >= least &&
      table.gamma[width][i] <= (gamma ?? Infinity) &&
      table.parameters[width][i] <= (parameters ?? Infinity);
    return { asked: [ms, gamma, parameters].some((value) => value !== null), least, gamma, is };
  }

  function drawPlane() {
    const { width } = chosenShape(model, table, all);
    const gammas = table.gamma[width];
    area.set(
      { from: 0.8, to: 1.4 * Math.max(...all.deltas), log: true, label: "Δ (samples)" },
      {
        from: Math.min(...gammas) / 1.2,
        to: 1.2 * Math.max(...gammas),
        log: true,
        label: "γ (parameters / depth)",
        ticks: gammaTicks(gammas),
      },
    );
    places = all.deltas.map((delta, i) => [area.x(delta), area.y(gammas[i])]);
    const wanted = qualifies(width);
    const inside = places.filter((_, i) => wanted.asked && wanted.is(i));
    others.setAttribute("d", dots(wanted.asked ? places.filter((_, i) => !wanted.is(i)) : places));
    good.setAttribute("d", dots(inside));
    edge.setAttribute("d", stairs(table.frontier[width].map((i) => places[i])));
    const left = Math.max(0, Math.min(area.width, area.x(Math.max(0.8, wanted.least)))),
      top = wanted.gamma ? Math.max(0, area.y(wanted.gamma)) : 0;
    const size = {
      x: left,
      y: Math.min(top, area.height),
      width: wanted.asked ? area.width - left : 0,
      height: Math.max(0, area.height - top),
    };
    for (const [name, value] of Object.entries(size)) shade.setAttribute(name, value);
    wantedNow = { ...wanted, count: inside.length };
  }

  function gammaTicks(gammas) {
    const [low, high] = [Math.min(...gammas), Math.max(...gammas)];
    return powers(low / 10, high)
      .flatMap((power) => [1, 2, 5].map((factor) => factor * power))
      .filter((value) => value >= low / 1.2 && value <= 1.2 * high);
  }

  function verdict(index) {
    const { asked, count, is } = wantedNow;
    if (!asked) return "";
    return ` ${grouped(count)} of ${plural(all.count, "stack")} ${count === 1 ? "has" : "have"} what is wanted; this one ${is(index) ? "has" : "has not"}.`;
  }

  function drawChoice() {
    const { numbers, shape, index, values } = chosenShape(model, table, all);
    const [x, y] = places[index];
    star.setAttribute("d", starAt(x, y));
    const text = `kernel ${values.kernel_length}, ${plural(values.n_blocks, "block")} of ${plural(values.n_layers, "layer")}, dilation rate ${values.dilation_rate}: ${inWords(numbers, shape.sampleRate)}`;
    words.textContent = text + verdict(index);
    host.setAttribute("aria-label", `The plane of Δ and γ with ${grouped(all.count)} stacks. Chosen: ${text}`);
    drawTree(shape, asPicture(numbers, shape));
  }

  // Up to the Δ of each stack on it, no stack has a smaller γ.
  const stairs = (points) =>
    line(
      points.flatMap(([x, y], i) => [
        [i ? points[i - 1][0] : 0, y],
        [x, y],
      ]),
    );

  const starAt = (x, y) =>
    line(
      Array.from({ length: 10 }, (_, i) => {
        const radius = i % 2 ? 4 : 10,
          angle = (Math.PI * i) / 5;
        return [x + radius * Math.sin(angle), y - radius * Math.cos(angle)];
      }),
    ) + "Z";

  function step(key) {
    const { index } = chosenShape(model, table, all);
    const [x, y] = places[index];
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    let best = -1,
      least = Infinity;
    places.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy,
        across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 0.05 && along + 2 * across < least) [best, least] = [i, along + 2 * across];
    });
    if (best >= 0) moved(best);
  }

  host.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    step(event.key);
    event.preventDefault();
  });
  plane.addEventListener("pointerdown", (event) => {
    const [x, y] = pointer(plane, event);
    moved(nearest(places, [x - PLANE.left, y - PLANE.top]));
  });

  follow(model, ["channels", "sample_rate", "least_ms", "most_gamma", "most_parameters"], () => {
    drawPlane();
    drawChoice();
  });
  follow(model, SHAPE, drawChoice);
}

export default explorer(draw);
