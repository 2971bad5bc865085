// A model heard while it generates: blocks come from the kernel as they are made, are drawn and played.

const SOUND = { width: 900, height: 230 };
const COLUMNS = 800;
const MARGIN = 0.25;

function draw({ model, el }) {
  const { controls, words, picture } = frame(el);
  const rate = model.get("sample_rate");
  const seconds = (value) => `${value} s`;
  controls.append(
    slider(model, "temperature", "temperature", { values: model.get("temperatures"), text: (value) => value.toFixed(2) }),
    select(model, "greedy", "each code", () => [
      [false, "drawn by chance"],
      [true, "the likeliest"],
    ]),
    number(model, "seed", "seed", 0, 4294967295),
  );
  if (model.get("lengths").length) controls.append(slider(model, "seconds", "length", { values: model.get("lengths"), text: seconds }));
  const choice = (name, label, names) => select(model, name, label, () => model.get(names).map((text, i) => [i, text]), [names]);
  controls.append(choice("beginning", model.get("beginning_is"), "beginnings"));
  if (model.get("known").length) controls.append(choice("told", "told the word", "known"));
  const play = html("button", { type: "button" }, "generate and play"),
    stop = html("button", { type: "button", disabled: "" }, "stop"),
    again = html("button", { type: "button" }, "play again");
  const bar = html("progress", { max: 1, value: 0, "aria-label": "made" }),
    pace = html("span", { "aria-hidden": "true" });
  picture.before(html("div", { class: "buttons" }, play, stop, again, bar, pace));

  const chart = drawing(SOUND.width, SOUND.height, { role: "img" });
  const area = panel(chart, 60, 12, 825, 170);
  const curve = area.content.appendChild(svg("path", { class: "generated" })),
    cursor = area.content.appendChild(svg("path", { class: "cursor" }));
  picture.append(chart);

  // The sound of one run: what has come of it, how much there will be, and where it plays.
  let sound = { data: new Float32Array(0), made: 0, total: 0 };
  let context = null,
    sources = [],
    run = null,
    wanted = null,
    began = 0,
    given = 0,
    begin = null,
    queued = 0;

  const low = new Float32Array(COLUMNS),
    high = new Float32Array(COLUMNS);
  const show = () => {
    const { data, made, total } = sound;
    area.set({ from: 0, to: Math.max(total, 1) / rate, label: "seconds" }, { from: -1, to: 1, label: "amplitude" });
    const columns = Math.min(COLUMNS, total);
    const used = Math.ceil((columns * made) / Math.max(total, 1));
    for (let i = 0; i < used; i++) {
      const from = Math.floor((i * total) / columns),
        to = Math.min(made, Math.floor(((i + 1) * total) / columns));
      low[i] = high[i] = data[Math.min(from, made - 1)];
      for (let t = from + 1; t < to; t++) {
        low[i] = Math.min(low[i], data[t]);
        high[i] = Math.max(high[i], data[t]);
      }
    }
    const upper = [],
      lower = [];
    for (let i = 0; i < used; i++) {
      const x = (area.width * i) / columns;
      upper.push([x, area.y(high[i])]);
      lower.push([x, area.y(low[i])]);
    }
    curve.setAttribute("d", used ? `${line([...upper, ...lower.reverse()])}Z` : "");
    bar.value = total ? made / total : 0;
  };

  const silence = () => {
    for (const source of sources) source.stop();
    [sources, begin, queued] = [[], null, 0];
    cursor.setAttribute("d", "");
  };
  // Queues what has come since, right after what was queued before.
  const queue = () => {
    if (queued === sound.made) return;
    const buffer = context.createBuffer(1, sound.made - queued, rate);
    buffer.copyToChannel(sound.data.subarray(queued, sound.made), 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    if (begin === null) begin = context.currentTime + 0.05;
    // Where the sound came too late, all that follows is later.
    const late = context.currentTime - (begin + queued / rate);
    if (late > 0) begin += late + 0.02;
    source.start(begin + queued / rate);
    sources.push(source);
    queued = sound.made;
  };
  const followCursor = () => {
    if (begin === null || !el.isConnected) return;
    const t = Math.max(0, context.currentTime - begin);
    el.dataset.played = t.toFixed(3);
    if (t * rate >= sound.made && sound.made >= sound.total) {
      begin = null;
      cursor.setAttribute("d", "");
      return;
    }
    const x = area.x(Math.min(t, sound.made / rate));
    cursor.setAttribute("d", `M${at(x, 0)}V${area.height}`);
    requestAnimationFrame(followCursor);
  };
  const wake = () => {
    context ??= new AudioContext({ sampleRate: rate });
    context.resume();
  };

  // Samples a second that are generated; what it goes on from came at once, and does not count.
  const speed = () => (sound.made - given) / Math.max(1e-3, (performance.now() - began) / 1000);
  // Whether the sound, played from now on, will always find its next block made.
  const isSafe = () =>
    sound.made >= sound.total ||
    (sound.made > given && sound.made >= sound.total * (1 - speed() / rate) + MARGIN * rate);

  const setRunning = (isRunning) => {
    stop.disabled = !isRunning;
    again.disabled = isRunning;
  };
  play.addEventListener("click", () => {
    wake();
    silence();
    wanted = newId();
    run = null;
    sound = { data: new Float32Array(0), made: 0, total: 0 };
    setRunning(true);
    words.textContent = "Generating.";
    model.send({ kind: "play", run: wanted });
  });
  stop.addEventListener("click", () => {
    silence();
    run = null;
    sound.total = sound.made;
    setRunning(false);
    show();
    model.send({ kind: "stop" });
    play.focus();
  });
  again.addEventListener("click", () => {
    wake();
    silence();
    queue();
    followCursor();
  });

  // Blocks of the run that this page has begun, or, if it has begun none, of the newest; after a stop those that are on their way are left.
  model.on("msg:custom", (message, buffers) => {
    if (message.kind === "block" && message.first && (wanted === null || message.run === wanted)) {
      silence();
      run = message.run;
      sound = { data: new Float32Array(message.total), made: 0, total: message.total };
      setRunning(true);
    }
    if (message.run !== run) return;
    if (message.kind === "block") {
      const view = buffers[0];
      const block = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
      sound.data.set(block, sound.made);
      sound.made += block.length;
      if (message.first) [began, given] = [performance.now(), sound.made];
      show();
      pace.textContent = `${(sound.made / rate).toFixed(1)} s, ${(speed() / rate).toFixed(1)} × real time`;
    }
    if (message.kind === "end") {
      sound.total = sound.made;
      wanted = null;
      setRunning(false);
      show();
    }
    if (context && sound.made && (begin !== null || isSafe())) {
      const isFirst = begin === null;
      queue();
      if (isFirst) followCursor();
    }
  });
  follow(model, ["shown"], () => {
    const shown = model.get("shown");
    words.textContent = shown.words;
    chart.setAttribute("aria-label", shown.alt);
    if (stop.disabled) wanted = null; // what was stopped has ended
  });
  const first = model.get("first");
  const data = new Float32Array(first.buffer.slice(first.byteOffset, first.byteOffset + first.byteLength));
  sound = { data, made: data.length, total: data.length };
  show();
}

// A whole number; out of range it is not taken, and the field shows again what holds when it is left.
function number(model, name, label, min, max) {
  const input = html("input", { type: "number", min, max, step: 1 });
  input.addEventListener("input", () => {
    const value = Number(input.value);
    const isGood = input.value !== "" && Number.isInteger(value) && value >= min && value <= max;
    input.setAttribute("aria-invalid", !isGood);
    if (isGood) choose(model, { [name]: value });
  });
  const put = () => {
    if (input.getRootNode().activeElement === input) return;
    input.value = model.get(name);
    input.setAttribute("aria-invalid", false);
  };
  input.addEventListener("blur", () => setTimeout(put));
  follow(model, [name], put);
  return labelled(label, input);
}

export default explorer(draw);
