// The autocorrelation of a series, lag by lag, and the pairs of samples behind each of its values.

const LAGS = { width: 900, height: 330, left: 62, top: 26, inner: [470, 250], right: 628, square: 250 };
// Stems that stand closer than so many pixels are drawn as one line.
const CLOSEST = 4;
// Overlapping strokes of one path do not add up: points are dealt to several, so that many in one place are darker.
const LAYERS = 10;

function draw({ model, el }) {
  const { controls, words, picture } = frame(el, 3);
  const all = model.get("series"),
    most = model.get("n_lags");
  if (all.length > 1) controls.append(select(model, "shown", "series", () => all.map(({ name }, i) => [i, name])));
  controls.append(slider(model, "lag", "lag k (samples)", { min: 0, max: most }));

  const chart = drawing(LAGS.width, LAGS.height);
  const stems = panel(chart, LAGS.left, LAGS.top, ...LAGS.inner, "autocorrelation");
  const pairs = panel(chart, LAGS.right, LAGS.top, LAGS.square, LAGS.square);
  const correlogram = stemmed(stems, most),
    scatter = scattered(pairs);
  const { host, help } = keyed(
    chart,
    "",
    "Left and right change the lag by one sample, page keys in large steps, Home and End go to the ends.",
  );
  picture.append(
    host,
    key([
      ["curve", "●", "correlation, and pairs of samples"],
      ["seen", "◆", "chosen lag (right: line of that slope)"],
      ["", "▒", "95% band of white noise"],
    ]),
    help,
  );

  follow(model, ["shown", "lag"], () => {
    const series = all[model.get("shown")],
      lag = model.get("lag");
    correlogram(series, lag);
    scatter(series, lag, most);
    const said = `${series.said[lag]} ${series.about}`;
    words.textContent = said;
    host.setAttribute("aria-label", `Autocorrelation, and each sample against the one k before it. ${said}`);
  });

  const put = (lag) => choose(model, { lag: Math.max(0, Math.min(most, Math.round(lag))) });
  host.addEventListener("keydown", (event) => {
    const far = Math.max(2, Math.round(most / 10)),
      lag = model.get("lag");
    const to = { ArrowLeft: lag - 1, ArrowRight: lag + 1, PageDown: lag - far, PageUp: lag + far, Home: 0, End: most };
    if (!(event.key in to)) return;
    put(to[event.key]);
    event.preventDefault();
  });
  chart.addEventListener("pointerdown", (event) => {
    const x = pointer(chart, event)[0] - LAGS.left;
    if (x >= -10 && x <= stems.width + 10) put(((most + 1) * x) / stems.width - 0.5);
  });
}

// Draws correlations by lag into a panel, with the band of white noise, and a diamond on the one that is chosen.
function stemmed(area, most) {
  const y = { from: -1, to: 1, label: "correlation" };
  const ticks = steps(0, most, 8).filter(Number.isInteger);
  area.set({ from: -0.5, to: most + 0.5, label: "lag k (samples)", ticks }, y);
  const band = svg("rect", { class: "shade", width: area.width });
  const edges = svg("path", { class: "border" }),
    zero = svg("path", { class: "axis", d: `M0 ${area.y(0)}H${area.width}` });
  const values = svg("path", { class: "curve" }),
    ends = svg("path", { class: "nodes" });
  const where = svg("path", { class: "border" }),
    stem = svg("path", { class: "cone" }),
    mark = svg("path", { class: "star" });
  area.content.append(band, edges, zero, where, values, ends, stem, mark);
  const isDense = area.width / (most + 1) < CLOSEST;

  return (series, lag) => {
    const [top, bottom] = [series.band, -series.band].map((value) => area.y(Math.max(-1, Math.min(1, value))));
    band.setAttribute("y", top);
    band.setAttribute("height", bottom - top);
    edges.setAttribute("d", `M0 ${top}H${area.width}M0 ${bottom}H${area.width}`);
    const points = series.correlations.map((value, k) => [area.x(k), area.y(value)]);
    const each = points.map(([px, py]) => `M${at(px, area.y(0))}V${py.toFixed(1)}`).join("");
    values.setAttribute("d", isDense ? line(points) : each);
    ends.setAttribute("d", isDense ? "" : dots(points));
    const [px, py] = points[lag];
    where.setAttribute("d", `M${at(px, 0)}V${area.height}`);
    stem.setAttribute("d", `M${at(px, area.y(0))}V${py.toFixed(1)}`);
    mark.setAttribute("d", `M${at(px, py - 8)}l7 8l-7 8l-7 -8Z`);
  };
}

// Draws pairs of samples, `lag` apart, into a panel, with the line whose slope is their correlation.
function scattered(area) {
  const title = svg("text", { class: "title", x: area.width / 2, y: -7, "text-anchor": "middle" });
  const layers = Array.from({ length: LAYERS }, () => svg("path", { class: "nodes", opacity: 0.5 }));
  const slope = svg("path", { class: "cone" });
  area.content.append(title, ...layers, slope);

  return (series, lag, most) => {
    const { low, high, mean, places, finest, step } = series;
    const rho = series.correlations[lag];
    const margin = 0.04 * (high - low);
    const axis = { from: low - margin, to: high + margin };
    const before = lag ? `x at time t − ${lag}` : "x at time t";
    area.set({ ...axis, label: before, ticks: steps(low, high, 4) }, { ...axis, label: "x at time t" });
    title.textContent = `lag ${lag}: slope ${rho.toFixed(3)}`;
    const value = (place) => low + ((high - low) * place) / finest;
    const parts = layers.map(() => []);
    let count = 0;
    for (let t = lag + ((most - lag) % step); t < places.length; t += step)
      parts[count++ % LAYERS].push([area.x(value(places[t - lag])), area.y(value(places[t]))]);
    layers.forEach((layer, i) => layer.setAttribute("d", dots(parts[i])));
    const ends = reach(axis.from - mean, axis.to - mean, rho).map((d) => [area.x(mean + d), area.y(mean + rho * d)]);
    slope.setAttribute("d", line(ends));
  };
}

// From where to where a line of this slope through 0 stays in the square [low, high] × [low, high].
function reach(low, high, slope) {
  if (slope === 0) return [low, high];
  const [one, other] = [low / slope, high / slope].sort((a, b) => a - b);
  return [Math.max(low, one), Math.min(high, other)];
}

export default explorer(draw);
