// Explorer 3: how strongly an output depends on each of its past inputs, as measured.

const PROFILE = { width: 760, height: 340, left: 64, top: 22, inner: [676, 264] };

function draw({ model, el }) {
  const { controls, words, picture, root } = frame(el);
  const profiles = model.get("profiles");
  const names = profiles.map(({ name }, i) => [i, name]);
  const inputs = [
    select(model, "shown", "model", () => names),
    select(model, "beside", "beside it", () => [[-1, "nothing"], ...names]),
    select(model, "axis", "lags", () => [
      ["linear", "evenly"],
      ["log", "logarithmically"],
    ]),
    select(model, "sample_rate", "sample rate (Hz)", () =>
      model.get("sample_rates").map((value) => [value, grouped(value)]),
    ),
  ];
  controls.append(...inputs);

  const chart = drawing(PROFILE.width, PROFILE.height);
  const area = panel(chart, PROFILE.left, PROFILE.top, ...PROFILE.inner);
  const marks = ["second", "first"].map((name) => svg("path", { class: `strengths ${name}` }));
  const ends = ["second", "first"].map((name) => svg("path", { class: `end ${name}` }));
  const cursor = svg("path", { class: "cursor", visibility: "hidden" });
  area.content.append(...marks, ...ends, cursor);
  const { host, help } = keyed(
    chart,
    "",
    "Left and right go from lag to lag, page keys in large steps, Escape leaves.",
  );
  const legend = key([]);
  picture.append(host, legend, help);
  const detail = html("p", { role: "status", class: "detail" });
  root.append(detail);

  let lag = null,
    toLag;
  const chosen = () => profiles[model.get("shown")];
  const both = () => [profiles[model.get("beside")], chosen()];
  // On a logarithmic axis the newest sample, lag 0, stands where 1 does: places count from 1.
  const place = (lag) => (model.get("axis") === "log" ? lag + 1 : lag);

  function look(next) {
    const { strength } = chosen();
    lag = next === null ? null : Math.max(0, Math.min(strength.length - 1, next));
    cursor.setAttribute("visibility", lag === null ? "hidden" : "visible");
    if (lag === null) return (detail.textContent = "Point at a lag, or focus the picture and press arrow keys.");
    cursor.setAttribute("d", `M${at(area.x(place(lag)), 0)}v${area.height}`);
    const ms = grouped((1000 * lag) / model.get("sample_rate"), 2);
    const { name } = chosen();
    return (detail.textContent = `Lag ${grouped(lag)} (${ms} ms): ${strength[lag] ? strength[lag].toPrecision(3) : "no dependence at all"}, ${name}.`);
  }

  follow(model, ["shown", "beside", "axis", "sample_rate"], () => {
    const log = model.get("axis") === "log",
      drawn = both().filter(Boolean);
    const n = Math.max(...drawn.map(({ strength }) => strength.length));
    const all = drawn.flatMap(({ strength }) => strength.filter((value) => value > 0));
    const lowest = all.reduce((one, two) => Math.min(one, two), Infinity),
      highest = all.reduce((one, two) => Math.max(one, two), 0);
    const ticks = log ? powers(1, n) : undefined;
    area.set(
      {
        from: place(0),
        to: place(n),
        log,
        ticks,
        label: log ? "lag + 1 (samples)" : "lag (samples ago)",
        text: grouped,
      },
      {
        from: highest > 0 ? lowest / 2 : 0.1,
        to: highest > 0 ? highest * 2 : 10,
        log: true,
        label: "|∂ output / ∂ input|",
        text: (value) => value.toExponential(0),
      },
    );
    toLag = (x) => {
      const part = x / area.width,
        low = place(0),
        high = place(n);
      return Math.round(log ? low * (high / low) ** part - 1 : low + (high - low) * part);
    };
    both().forEach((profile, i) => {
      const points =
        profile?.strength.flatMap((value, lag) => (value > 0 ? [[area.x(place(lag)), area.y(value)]] : [])) ?? [];
      marks[i].setAttribute("d", i ? dots(points) : crosses(points));
      ends[i].setAttribute("d", profile ? `M${at(area.x(place(profile.delta - 0.5)), 0)}v${area.height}` : "");
    });
    legend.replaceChildren(
      ...key(
        both().flatMap((profile, i) =>
          profile ? [[`${["second", "first"][i]}`, "×●"[i], `${profile.name} (dashed: its Δ)`]] : [],
        ),
      ).children,
    );
    const rate = model.get("sample_rate");
    const text = drawn
      .reverse()
      .map(
        ({ name, delta, effective, words: more }) =>
          `${name}: ${more ? more + " " : ""}Δ = ${grouped(delta)} samples = ${grouped((1000 * delta) / rate, 1)} ms; 95% of the dependence lies within the newest ${plural(effective, "sample")} = ${grouped((1000 * effective) / rate, 2)} ms.`,
      );
    words.textContent = text.join(" ");
    host.setAttribute("aria-label", `Strength of the dependence by lag. ${text.join(" ")}`);
    look(lag);
  });

  host.addEventListener("keydown", (event) => {
    const far = Math.max(1, Math.round(chosen().strength.length / 20));
    const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: far, PageUp: -far }[event.key];
    if (by !== undefined) look(lag === null ? 0 : lag + by);
    else if (event.key === "Escape") look(null);
    else return;
    event.preventDefault();
  });
  host.addEventListener("blur", () => look(null));
  chart.addEventListener("pointermove", (event) => look(toLag(Math.max(0, pointer(chart, event)[0] - PROFILE.left))));
  chart.addEventListener("pointerleave", () => look(null));
}

export default explorer(draw);
