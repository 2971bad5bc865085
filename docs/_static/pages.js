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

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reach();
  addEventListener("resize", reach);
});
