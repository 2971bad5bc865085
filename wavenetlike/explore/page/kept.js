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

  // In JupyterLab a widget appears after a moment, or much later, when its kernel is free; in an export, with the network's help.
  const PATIENCE = 40;
  let looks = 0,
    isDrawn = false;
  const start = () => {
    isDrawn = true;
    show(true);
    draw?.(el);
    if (inJupyter) widget?.style.setProperty("display", "none");
  };
  const look = () => {
    if (isLive()) {
      widget?.style.setProperty("display", "");
      return show(false);
    }
    if (el.isConnected) looks += 1;
    if (!isDrawn && (looks > PATIENCE || isMissed())) start();
    setTimeout(look, looks > PATIENCE ? 1000 : 100);
  };
  if (inJupyter) show(false);
  else start();
  look();
})(/* DRAW */);
