// What a screen reader or a keyboard would stumble over on a page, a line each; for browser_support.py.
() => {
  // What lies inside a picture with a name is part of it: nothing there is read out.
  const isRead = element => !element.parentElement || !element.parentElement.closest("[role=img]");
  const found = [], all = selector => [...document.querySelectorAll(selector)].filter(isRead);
  const tell = (what, element) => found.push(element ? `${what}: ${element.outerHTML.slice(0, 120)}` : what);
  const ids = (element, name) => (element.getAttribute(name) || "").split(/\s+/).filter(Boolean);
  const words = element => (element ? element.textContent.trim() : "");

  function name(element) {
    return (element.getAttribute("aria-label") || "").trim()
      || ids(element, "aria-labelledby").map(id => words(document.getElementById(id))).join(" ").trim()
      || [...(element.labels || [])].map(words).join(" ").trim();
  }

  if (!document.documentElement.lang) tell("the page says no language");
  if (!document.title.trim()) tell("no title");
  for (const part of ["h1", "main", "header"]) {
    if (all(part).length !== 1) tell(`${all(part).length} of <${part}>`);
  }
  let before = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) tell("heading skips a level", heading);
    if (!words(heading)) tell("empty heading", heading);
    before = level;
  }
  for (const e of all("nav, [role=region], fieldset")) {
    if (!name(e) && !words(e.querySelector("legend"))) tell("part without a name", e);
  }
  for (const e of all("input:not([type=hidden]), select, textarea, progress, meter")) {
    if (!name(e)) tell("input without a label", e);
  }
  for (const e of all("img:not([alt])")) tell("image without alt", e);
  for (const e of all("svg, canvas")) {
    const isHidden = e.closest("[aria-hidden=true]") || e.parentElement.closest("[role=application][aria-label]");
    if (!isHidden && !name(e) && !words(e)) tell("picture that says nothing", e);
  }
  for (const e of all("button, a[href], summary")) {
    if (!words(e) && !name(e)) tell("nothing to read on", e);
  }
  for (const e of all("th:not([scope])")) tell("table header without scope", e);
  for (const e of all("th")) {
    if (!words(e) && !name(e)) tell("empty table header", e);
  }
  for (const e of all("table")) {
    const isNamed = name(e) || e.caption || e.closest("[role=region], figure, section[aria-labelledby]");
    if (!isNamed) tell("table without a name", e);
  }
  for (const e of all("[tabindex]")) {
    if (Number(e.getAttribute("tabindex")) > 0) tell("tab order of its own", e);
  }
  for (const e of all("a[href]")) {
    const isHere = e.hash.length > 1 && e.href.split("#")[0] === location.href.split("#")[0];
    if (isHere && !document.getElementById(decodeURIComponent(e.hash.slice(1)))) tell("link to nowhere", e);
  }
  const named = all("[id]").map(e => e.id), twice = named.filter((id, i) => named.indexOf(id) !== i);
  if (twice.length) tell(`ids given twice: ${[...new Set(twice)].join(", ")}`);
  for (const attribute of ["aria-labelledby", "aria-controls", "aria-describedby"]) {
    for (const e of all(`[${attribute}]`)) {
      for (const id of ids(e, attribute)) if (!document.getElementById(id)) tell(`${attribute} names nothing`, e);
    }
  }
  return found;
}
