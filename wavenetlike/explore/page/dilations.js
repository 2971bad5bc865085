// Explorer 1: choose a stack, see its tree.

const ASK = "Point at a node, or focus the tree and press arrow keys: what does it see?";

function draw({ model, el }) {
  const { controls, words, picture, root } = frame(el);
  const table = model.get("table"),
    all = stacks(table);
  const range = (name) => ({ min: table[name][0], max: table[name].at(-1) });
  const inputs = [
    slider(model, "kernel_length", "kernel length (taps)", range("kernel_length")),
    slider(model, "n_layers", "layers per block", range("n_layers")),
    slider(model, "n_blocks", "blocks", range("n_blocks")),
    slider(model, "dilation_rate", "dilation rate", range("dilation_rate")),
    ...WIDTHS(model, table),
  ];
  controls.append(...inputs);
  const detail = html("p", { role: "status", class: "detail" });
  const drawTree = tree(picture, "", (text) => {
    detail.textContent = text || ASK;
  });
  root.append(detail);
  follow(model, [...SHAPE, "channels", "sample_rate"], () => {
    const { numbers, shape } = chosenShape(model, table, all);
    words.textContent = inWords(numbers, shape.sampleRate);
    drawTree(shape, asPicture(numbers, shape));
  });
  detail.textContent = ASK;
}

export default explorer(draw);
