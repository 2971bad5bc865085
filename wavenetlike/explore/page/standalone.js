// Draws an explorer into an element without a kernel: its traits live in the page.
(el) => {
  const page = (() => {
    /* EXPLORER */
  })();
  const state = /* STATE */;
  const listeners = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => {
      if (state[name] === value) return;
      state[name] = value;
      for (const listener of listeners[`change:${name}`] ?? []) listener();
    },
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    save_changes: () => {},
  };
  const style = document.createElement("style");
  style.textContent = /* STYLE */;
  page.render({ model, el });
  el.prepend(style);
}
