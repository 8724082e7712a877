// What the pages do by themselves: tables sort, layers come and go, and what is folded is printed, too.
// Text is only ever moved or compared, never read as HTML.
(function () {
  "use strict";

  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // A cell's value: data-value where it says one, else its text.
  function valueOf(row, column) {
    const cell = row.cells[column];
    if (!cell) return "";
    return cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
  }

  function isMissing(value, kind) {
    return value === "" || value === "–" || (kind === "number" && Number.isNaN(Number(value)));
  }

  // Rows without a value stay last, whichever way the others go.
  function comparing(column, kind, sign) {
    return function (a, b) {
      const first = valueOf(a, column), second = valueOf(b, column);
      const isFirstMissing = isMissing(first, kind), isSecondMissing = isMissing(second, kind);
      if (isFirstMissing || isSecondMissing) return Number(isFirstMissing) - Number(isSecondMissing);
      return sign * (kind === "number" ? Number(first) - Number(second) : collator.compare(first, second));
    };
  }

  function sortBy(table, header) {
    const isAscending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
    const compare = comparing(header.cellIndex, header.dataset.sort, isAscending ? 1 : -1);
    for (const body of table.tBodies) body.append(...Array.from(body.rows).sort(compare));
  }

  // Buttons are made here: without scripts there is nothing to press that does nothing.
  function makeSortable(table) {
    if (!table.tHead) return;
    for (const header of table.tHead.querySelectorAll("th[data-sort]")) {
      if (header.querySelector("button.sort")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", function () { sortBy(table, header); });
    }
  }

  // The check boxes of a fieldset show and hide whatever bears data-layer inside the element that it names. Others may
  // listen for "layerchange" at that element: detail is { layer, isShown }.
  function applyLayer(target, layer, isShown) {
    for (const element of target.querySelectorAll("[data-layer]")) {
      if (element.dataset.layer === layer) element.toggleAttribute("hidden", !isShown);
    }
    target.dispatchEvent(new CustomEvent("layerchange", { detail: { layer: layer, isShown: isShown } }));
  }

  function wireLayers(fieldset) {
    const target = document.getElementById(fieldset.dataset.layersOf);
    if (!target) return;
    for (const box of fieldset.querySelectorAll("input[type=checkbox]")) {
      box.addEventListener("change", function () { applyLayer(target, box.value, box.checked); });
      if (!box.checked) applyLayer(target, box.value, false);  // a browser remembers boxes over a reload
    }
  }

  // Folded parts are unfolded for paper, and folded again.
  function wirePrinting() {
    let opened = [];
    window.addEventListener("beforeprint", function () {
      opened = Array.from(document.querySelectorAll("details:not([open]):not(.no-print)"));
      for (const details of opened) details.open = true;
    });
    window.addEventListener("afterprint", function () {
      for (const details of opened) details.open = false;
      opened = [];
    });
  }

  function begin() {
    for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
    for (const fieldset of document.querySelectorAll("[data-layers-of]")) wireLayers(fieldset);
    wirePrinting();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
