// What is wider than the page scrolls in itself, and has to be reached by keyboard, too.
const WIDE = { ".table-wrapper": "table", pre: "code", "div.math": "formula", ".output.text_html": "output" };

function reach() {
  for (const [selector, name] of Object.entries(WIDE)) {
    for (const element of document.querySelectorAll(`article ${selector}`)) {
      if (element.scrollWidth > element.clientWidth) {
        element.tabIndex = 0;
        element.setAttribute("role", "group");
        element.setAttribute("aria-label", `${name}, wider than the page`);
      } else if (element.getAttribute("role") === "group") {
        for (const attribute of ["tabindex", "role", "aria-label"]) element.removeAttribute(attribute);
      }
    }
  }
}

// From a disk no page may fetch another, to show a piece of it below what was found.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS === "object") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reach();
  addEventListener("resize", reach);
});

// Explorers ask of the page, by JupyterLab's name for it, whether it is light.
const darkness = matchMedia("(prefers-color-scheme: dark)");

function tellTheme() {
  const chosen = document.body.dataset.theme;
  const isDark = chosen === "dark" || (chosen !== "light" && darkness.matches);
  document.documentElement.dataset.jpThemeLight = String(!isDark);
}

addEventListener("DOMContentLoaded", () => {
  tellTheme();
  darkness.addEventListener("change", tellTheme);
  new MutationObserver(tellTheme).observe(document.body, { attributeFilter: ["data-theme"] });
});
