// In one of Airflow's frames: take over its theme, and open other pages beside it, which a frame may not do itself.
// Without this script the pages work; links to Airflow and MLflow then need a middle click.
(() => {
  "use strict";
  const framed = () => {
    try {
      return window.parent !== window && window.parent.location.origin === window.location.origin;
    } catch {
      return false;
    }
  };
  if (!framed()) return;

  const outer = window.parent.document;
  const root = document.documentElement;
  const theme = () => {
    const names = outer.documentElement.classList;
    if (names.contains("dark")) root.dataset.theme = "dark";
    else if (names.contains("light")) root.dataset.theme = "light";
    else delete root.dataset.theme;
  };
  theme();
  new MutationObserver(theme).observe(outer.documentElement, { attributes: true, attributeFilter: ["class"] });

  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[target]");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    const url = new URL(link.href, window.location.href);
    if (url.protocol !== "http:" && url.protocol !== "https:") return;
    event.preventDefault();
    const beside = outer.createElement("a");
    beside.href = url.href;
    beside.target = link.target;
    beside.rel = "noopener";
    outer.body.append(beside);
    beside.click();
    beside.remove();
  });
})();
