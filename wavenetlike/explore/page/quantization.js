// What µ-law leaves of a waveform: drawn and played; the kernel computes it.

const WAVES = { width: 900, height: 300 };

function draw({ model, el }) {
  const { controls, words, picture, root } = frame(el);
  const clips = () => model.get("clips").map((name, i) => [i, name]);
  const inputs = [
    select(model, "clip", "clip", clips, ["clips"]),
    slider(model, "levels", "levels (µ + 1)", { min: 2, max: model.get("most_levels") }),
  ];
  controls.append(...inputs);

  const chart = drawing(WAVES.width, WAVES.height, { role: "img" });
  const whole = panel(chart, 60, 24, 470, 225, "all of it"),
    near = panel(chart, 620, 24, 265, 225, "the loudest 10 ms");
  const curve = (panel, name) => panel.content.appendChild(svg("path", { class: name }));
  const wave = curve(whole, "wave"),
    error = curve(whole, "error"),
    smooth = curve(near, "smooth"),
    stairs = curve(near, "stairs");
  picture.append(
    chart,
    key([
      ["wave", "■", "waveform"],
      ["error", "■", "quantization error"],
      ["stairs", "▟", "decoded codes"],
    ]),
  );
  for (const name of ["before", "after"]) {
    const audio = html("audio", { controls: "", "aria-label": name === "before" ? "before µ-law" : "after µ-law" });
    let url;
    follow(model, [name], () => {
      if (url) URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([model.get(name)], { type: "audio/wav" }));
      audio.src = url;
    });
    root.append(html("div", { class: "player" }, html("span", {}, audio.getAttribute("aria-label")), audio));
  }

  // Between the lowest and the highest of each piece, as a band.
  const band = ({ low, high }) => {
    const x = (i) => (whole.width * i) / Math.max(1, low.length - 1);
    const upper = high.map((value, i) => [x(i), whole.y(value)]),
      lower = low.map((value, i) => [x(i), whole.y(value)]);
    return `${line([...upper, ...lower.reverse()])}Z`;
  };

  expectAnswer(model, ["clip", "levels"], words);
  follow(model, ["shown"], () => {
    const shown = model.get("shown");
    const largest = 1.15 * Math.max(0.01, shown.largest);
    whole.set({ from: 0, to: shown.seconds, label: "seconds" }, { from: -largest, to: largest, label: "amplitude" });
    near.set({ from: shown.from_ms, to: shown.to_ms, label: "ms" }, { from: -largest, to: largest, label: "" });
    wave.setAttribute("d", band(shown.waveform));
    error.setAttribute("d", band(shown.error));
    const ms = (i) => near.x(shown.from_ms + ((shown.to_ms - shown.from_ms) * i) / Math.max(1, shown.near.length - 1));
    smooth.setAttribute("d", line(shown.near.map((value, i) => [ms(i), near.y(value)])));
    const half = (ms(1) - ms(0)) / 2;
    stairs.setAttribute(
      "d",
      line(
        shown.decoded.flatMap((value, i) => [
          [ms(i) - half, near.y(value)],
          [ms(i) + half, near.y(value)],
        ]),
      ),
    );
    chart.setAttribute("aria-label", shown.alt);
    words.textContent = shown.words;
  });
}

export default explorer(draw);
