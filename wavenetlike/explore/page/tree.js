// The tree of one output: layer by layer down to the inputs that it depends on, the past to the left.

const TREE = { width: 760, height: 300, left: 16, right: 744, top: 16, bottom: 246 };
const MOST_SEGMENTS = 5000;
const MOST_LATTICE = 1500;

function spread(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]);
}

// Lags that the node (`row`, `lag`) depends on, row by row downwards, and the lines between them.
function branches(dilations, kernelLength, row, lag, most) {
  const rows = { [row]: [lag] };
  const lines = [];
  let complete = true;
  for (let layer = row; layer > 0; layer--) {
    const below = new Set();
    for (const from of rows[layer]) {
      for (let tap = 0; tap < kernelLength; tap++) {
        const to = from + tap * dilations[layer - 1];
        below.add(to);
        lines.push([layer, from, to]);
      }
    }
    const sorted = [...below].sort((one, two) => one - two);
    rows[layer - 1] = spread(sorted, most);
    complete &&= sorted.length <= most;
  }
  return { rows, lines, complete };
}

// A picture of the tree in `host`. `draw` takes {kernelLength, nLayers, dilations, behind, sampleRate}: `behind[i]` is Δ
// up to layer i + 1, as `analysis` gives it. The caller's `say` gets the words on the node that is looked at.
function tree(host, label, say) {
  const picture = drawing(TREE.width, TREE.height);
  const lattice = svg("path", { class: "lattice" });
  const lit = svg("path", { class: "lit" });
  const cone = svg("path", { class: "cone" });
  const nodes = svg("path", { class: "nodes" });
  const inputs = svg("path", { class: "inputs" });
  const output = svg("circle", { class: "output", r: 6 });
  const cursor = svg("circle", { class: "cursor", r: 8, visibility: "hidden" });
  const axis = svg("g", { class: "axes" });
  picture.append(lattice, lit, cone, nodes, inputs, output, cursor, axis);
  const { host: focusable, help } = keyed(picture, label, "Arrow keys go from node to node, Escape leaves them.");
  host.append(focusable, help);

  let shape,
    points,
    places,
    chosen = null,
    x,
    y;
  const segments = (lines) =>
    lines.map(([layer, from, to]) => `M${at(x(from), y(layer))}L${at(x(to), y(layer - 1))}`).join("");

  function look(i) {
    chosen = i;
    cursor.setAttribute("visibility", i === null ? "hidden" : "visible");
    cone.setAttribute("d", "");
    if (i === null) return say("");
    const [row, lag] = points[i];
    cursor.setAttribute("cx", places[i][0]);
    cursor.setAttribute("cy", places[i][1]);
    cone.setAttribute("d", segments(branches(shape.dilations, shape.kernelLength, row, lag, 40).lines));
    const when = lag === 0 ? "now" : `${plural(lag, "sample")} ago`;
    if (row === 0) return say(`Input ${when}: it is seen by the output.`);
    const sees = shape.behind[row - 1];
    const block = Math.floor((row - 1) / shape.nLayers) + 1;
    say(
      `Layer ${row} (block ${block}, dilation ${grouped(shape.dilations[row - 1])}), ${when}: it looks over ${plural(sees, "sample")} = ` +
        `${grouped((1000 * sees) / shape.sampleRate, 2)} ms, back to ${plural(lag + sees - 1, "sample")} ago.`,
    );
  }

  function move(key) {
    if (chosen === null) return look(points.findIndex(([row]) => row === shape.dilations.length));
    const [row, lag] = points[chosen];
    const wanted = { ArrowUp: row + 1, ArrowDown: row - 1 }[key] ?? row;
    let best = chosen,
      least = Infinity;
    points.forEach(([r, l], i) => {
      const along = key === "ArrowLeft" ? l - lag : key === "ArrowRight" ? lag - l : Math.abs(l - lag) + 1;
      if (r === wanted && along > 0 && along < least) [best, least] = [i, along];
    });
    look(best);
  }

  focusable.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) move(event.key);
    else if (event.key === "Escape") look(null);
    else return;
    event.preventDefault();
  });
  focusable.addEventListener("blur", () => look(null));
  picture.addEventListener("pointermove", (event) => {
    const i = nearest(places, pointer(picture, event));
    if (i !== chosen) look(i);
  });
  picture.addEventListener("pointerleave", () => look(null));

  return (next, described) => {
    shape = next;
    focusable.setAttribute("aria-label", described);
    const { dilations, kernelLength, behind, sampleRate } = shape;
    const n = dilations.length,
      span = Math.max(1, behind[n - 1] - 1);
    x = (lag) => TREE.right - ((TREE.right - TREE.left) * lag) / span;
    y = (row) => TREE.bottom - ((TREE.bottom - TREE.top) * row) / n;
    const most = Math.max(12, Math.min(160, Math.floor(MOST_SEGMENTS / (n * kernelLength))));
    const { rows, lines, complete } = branches(dilations, kernelLength, n, 0, most);
    points = Object.entries(rows).flatMap(([row, lags]) => lags.map((lag) => [Number(row), lag]));
    places = points.map(([row, lag]) => [x(lag), y(row)]);
    lit.setAttribute("d", segments(lines));
    nodes.setAttribute("d", dots(places.filter((_, i) => points[i][0] > 0)));
    inputs.setAttribute("d", rows[0].map((lag) => `M${at(x(lag), TREE.bottom)}v8`).join(""));
    lattice.setAttribute("d", (span + 1) * n <= MOST_LATTICE ? everything(n, span) : "");
    output.setAttribute("cx", TREE.right);
    output.setAttribute("cy", TREE.top);
    const ticks = steps(0, span, 6).filter((lag) => Number.isInteger(lag));
    const labels = ticks.flatMap((lag) => [
      svg("path", { d: `M${at(x(lag), TREE.bottom + 10)}v4`, class: "axis" }),
      svg(
        "text",
        { x: x(lag), y: TREE.bottom + 26, "text-anchor": lag ? "middle" : "end" },
        lag ? grouped(lag) : "now",
      ),
    ]);
    const some = complete ? "" : ", some of them drawn";
    labels.push(
      svg(
        "text",
        { x: TREE.width / 2, y: TREE.bottom + 46, "text-anchor": "middle" },
        `inputs, samples ago (in all ${grouped((1000 * behind[n - 1]) / sampleRate, 1)} ms${some})`,
      ),
    );
    axis.replaceChildren(...labels);
    if (chosen !== null) look(null);
  };

  // Every node and every tap in view, grey behind the path that is lit.
  function everything(n, span) {
    const parts = [];
    for (let layer = 1; layer <= n; layer++) {
      for (let lag = 0; lag <= span; lag++) {
        for (let tap = 0; tap < shape.kernelLength; tap++) {
          const to = lag + tap * shape.dilations[layer - 1];
          if (to <= span) parts.push(`M${at(x(lag), y(layer))}L${at(x(to), y(layer - 1))}`);
        }
      }
    }
    return parts.join("");
  }
}
