// Looking up, in the table that `analysis` made, what a choice of sliders stands for.

const SHAPE = ["kernel_length", "n_layers", "n_blocks", "dilation_rate"];

function stacks(table) {
  const sizes = SHAPE.map((name) => table[name].length);
  const indexOf = (values) => SHAPE.reduce((index, name, i) => index * sizes[i] + table[name].indexOf(values[name]), 0);
  const at = (index) => {
    const values = {};
    for (let i = SHAPE.length - 1; i >= 0; i--) {
      values[SHAPE[i]] = table[SHAPE[i]][index % sizes[i]];
      index = Math.floor(index / sizes[i]);
    }
    return values;
  };
  const count = sizes.reduce((one, two) => one * two, 1);
  // Blocks repeat: what lies behind each layer of the longest stack begins with what does in a shorter one.
  const behind = ({ kernel_length, n_layers, n_blocks, dilation_rate }) =>
    table.behind[`${kernel_length} ${n_layers} ${dilation_rate}`].slice(0, n_layers * n_blocks);
  const deltas = Array.from({ length: count }, (_, i) => behind(at(i)).at(-1));
  return { indexOf, at, behind, deltas, count };
}

function chosenShape(model, table, all) {
  const values = Object.fromEntries(SHAPE.map((name) => [name, model.get(name)]));
  const width = table.channels.indexOf(model.get("channels"));
  const index = all.indexOf(values);
  const sampleRate = model.get("sample_rate");
  const behind = all.behind(values);
  const numbers = {
    delta: behind.at(-1),
    depth: table.depth[index],
    parameters: table.parameters[width][index],
    gamma: table.gamma[width][index],
    multiplications: table.multiplications[width][index],
  };
  const block = Array.from({ length: values.n_layers }, (_, i) => values.dilation_rate ** i);
  const dilations = Array.from({ length: values.n_blocks }, () => block).flat();
  return {
    values,
    width,
    index,
    numbers,
    shape: { kernelLength: values.kernel_length, nLayers: values.n_layers, dilations, behind, sampleRate },
  };
}

function inWords({ delta, depth, parameters, gamma, multiplications }, sampleRate) {
  return (
    `Δ = ${grouped(delta)} samples = ${grouped((1000 * delta) / sampleRate, 1)} ms; depth ${depth}; ${grouped(parameters)} parameters; ` +
    `γ = ${grouped(gamma)} parameters per layer; ${grouped((multiplications * sampleRate) / 1e6)} million multiplications per second of audio.`
  );
}

function asPicture({ delta }, { dilations }) {
  return `A tree from one output down through ${plural(dilations.length, "layer")} to inputs up to ${plural(delta - 1, "sample")} ago.`;
}

const WIDTHS = (model, table) => [
  select(model, "channels", "channels", () => table.channels.map((value) => [value, String(value)])),
  select(model, "sample_rate", "sample rate (Hz)", () => table.sample_rates.map((value) => [value, grouped(value)])),
];
