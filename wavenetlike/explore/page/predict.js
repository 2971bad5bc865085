// A prediction: one of some choices, or a text; what the kernel has kept of it; then what came out, beside it.

const LONGEST = 200;

function draw({ model, el }) {
  const name = newId();
  const choices = model.get("choices");
  const inputs = choices.length
    ? choices.map((value) => html("input", { type: "radio", name, value, required: "" }))
    : [html("input", { type: "text", maxlength: LONGEST, pattern: ".*\\S.*", required: "", autocomplete: "off" })];
  const keep = html("button", { type: "submit" }, "keep");
  const form = html("form", { class: "prediction" });
  if (choices.length)
    form.append(
      html(
        "fieldset",
        {},
        html("legend", {}, model.get("question")),
        ...inputs.map((input, i) => html("label", {}, input, choices[i])),
        keep,
      ),
    );
  else {
    inputs[0].id = name;
    form.append(html("label", { for: name }, model.get("question")), inputs[0], keep);
  }
  const words = html("p", { class: "words", role: "status" });
  const sides = html("dl", { class: "sides" });
  el.replaceChildren(html("div", { class: "wavenetlike" }, form, words, sides));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = choices.length ? inputs.find((input) => input.checked) : inputs[0];
    choose(model, { answer: chosen.value.trim() });
  });
  follow(model, ["answer"], () => {
    const answer = model.get("answer");
    for (const input of inputs)
      if (choices.length) input.checked = input.value === answer;
      else input.value = answer ?? "";
  });
  expectAnswer(model, ["answer"], words);
  const side = (term, text) => html("div", {}, html("dt", {}, term), html("dd", {}, text ?? "–"));
  follow(model, ["shown"], () => {
    const { answer, result, words: said } = model.get("shown");
    words.textContent = said;
    const isKnown = answer !== null || result !== null;
    sides.replaceChildren(...(isKnown ? [side("you predicted", answer), side("it came out", result ?? "…")] : []));
  });
}

// Enter keeps, in a field as on a choice; by itself JupyterLab would begin to edit the cell.
const enters = (el) => (event) => {
  if (event.key !== "Enter" || !el.contains(event.target) || event.target.tagName !== "INPUT") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.form.requestSubmit();
};

const asked = explorer(draw);

export default {
  render: ({ model, el }) => {
    const end = asked.render({ model, el });
    const enter = enters(el);
    window.addEventListener("keydown", enter, true);
    return () => {
      window.removeEventListener("keydown", enter, true);
      end();
    };
  },
};
