// What the notebook keeps of an explorer: the picture before this script. It gives its place to the live explorer, where a
// kernel answers; else to a drawing whose traits live in the page, where that needs no kernel to go on.
((draw) => {
  const el = document.currentScript.previousElementSibling;
  const area = el.closest(".jp-OutputArea") ?? document;
  const output = el.closest(".jp-OutputArea-child") ?? el;
  const show = (isShown) => output.style.setProperty("display", isShown ? "" : "none");
  const isLive = () => area.querySelector("[data-live]") !== null;
  const widget = output.previousElementSibling;
  const isMissed = () => widget?.textContent.startsWith("Error displaying widget") ?? false;
  const inJupyter = document.getElementById("jupyter-config-data") !== null;

  const start = () => {
    show(true);
    draw?.(el);
  };

  // In JupyterLab a widget appears after a moment; in an export it may, with the network's help.
  let looks = 0;
  const look = () => {
    if (isLive()) return show(false);
    if (el.isConnected) looks += 1;
    if (looks < 40 && !isMissed()) return setTimeout(look, 100);
    if (!inJupyter) return;
    start();
    widget?.style.setProperty("display", "none");
  };
  if (inJupyter) show(false);
  else start();
  look();
})(/* DRAW */);
