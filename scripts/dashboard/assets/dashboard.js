// Keeps an open page up to date: parts made by the server, the training's curve, the cells of the slides' table.
// Data become text and numbers only. Parts come from the same server, which escapes whatever it puts into them.
(function () {
  "use strict";

  const LONGEST_PAUSE = 10;  // seconds, when the server doesn't answer
  const SAY_EVERY = 30000;  // milliseconds between two announcements of how far a training is

  function byId(id) {
    return document.getElementById(id);
  }

  function elementOf(name, text, className) {
    const element = document.createElement(name);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  // Whether the server answers, of all addresses that are asked for: said once when that changes.
  const troubles = new Map();
  function tellConnection(address, said) {
    if (said) troubles.set(address, said);
    else troubles.delete(address);
    const line = byId("connection"), trouble = troubles.size ? troubles.values().next().value : "";
    if (line.textContent === trouble) return;
    line.textContent = trouble;
    line.hidden = trouble === "";
  }

  function whyRefused(status, text) {
    if (status === 503 && text.trim()) return "This page is not up to date, and goes on trying: " + text.trim();
    if (status === 403) return "This page belongs to a dashboard that was ended. Open the address that the new one printed.";
    return "The dashboard can't tell what happens now (" + status + "); it goes on trying.";
  }

  // Asks for an address again and again, while the page is seen; what has not changed since costs next to nothing.
  function poll(address, seconds, take) {
    let tag = null, failures = 0;

    function again() {
      const pause = Math.min(LONGEST_PAUSE, seconds * Math.pow(2, failures));
      window.setTimeout(ask, 1000 * pause);
    }

    async function ask() {
      if (document.hidden) {
        document.addEventListener("visibilitychange", ask, { once: true });
        return;
      }
      try {
        const answer = await fetch(address, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
        const text = await answer.text();
        if (answer.ok) {
          tag = answer.headers.get("ETag");
          take(text);
        }
        const isTrouble = !answer.ok && answer.status !== 304;
        failures = isTrouble ? failures + 1 : 0;
        tellConnection("", "");
        tellConnection(address, isTrouble ? whyRefused(answer.status, text) : "");
      } catch (error) {
        failures += 1;
        tellConnection("", "The dashboard doesn't answer any more. Start it again with: slidebridge dashboard");
      }
      again();
    }

    window.setTimeout(ask, 1000 * seconds);
  }

  // Parts: a bit of a page, made anew by the server.
  function replacePart(element, text) {
    const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
    const made = new DOMParser().parseFromString(text, "text/html");
    element.replaceChildren.apply(element, Array.from(made.body.childNodes));
    if (focused && byId(focused)) byId(focused).focus();
    // A page that was made while the project couldn't be read has this part only: now it has the others, too.
    if (element.dataset.incomplete !== undefined && !element.querySelector("[data-trouble]")) window.location.reload();
    element.dispatchEvent(new CustomEvent("partchange"));
  }

  function wirePart(element) {
    poll(element.dataset.part, Number(element.dataset.seconds), function (text) { replacePart(element, text); });
  }

  // The slides' table: cells change in place, so that sorting and focus stay.
  function fillCell(cell, facts) {
    if (cell.textContent.trim() !== facts.text) cell.textContent = facts.text;
    cell.dataset.value = facts.value;
  }

  function fillRow(facts) {
    const row = byId("slide-" + facts.id);
    if (!row) return false;
    facts.cells.forEach(function (cell, index) { fillCell(row.cells[index + 1], cell); });
    row.classList.toggle("bad", facts.bad);
    return true;
  }

  function wireRows(table) {
    poll(table.dataset.rows, Number(table.dataset.seconds), function (text) {
      const rows = JSON.parse(text).rows;
      const isAllThere = rows.map(fillRow).every(Boolean) && rows.length === table.tBodies[0].rows.length;
      byId("slides-changed").hidden = isAllThere;
    });
  }

  // Charts
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function axis(label, steps) {
    const text = colour("--text"), line = colour("--line");
    return { label: label, incrs: steps, stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  }

  // Whole numbers only: there is no half step.
  function wholeSteps() {
    const steps = [];
    for (let power = 1; power < 1e9; power *= 10) steps.push(power, 2 * power, 5 * power);
    return steps;
  }

  function widthOf(element) {
    return Math.max(240, element.clientWidth);
  }

  // A chart that is drawn anew when its series, its width or the colours change.
  function makeChart(element, labels, range, hasPoints) {
    let chart = null, shown = "", latest = null, last = 0;  // last: where the x axis ends at least

    function options(titles) {
      const series = titles.map(function (title, index) {
        const stroke = colour("--series-" + (index % 5 + 1));
        return { label: title, stroke: stroke, width: 2, spanGaps: true, points: { show: hasPoints, size: 7, fill: stroke } };
      });
      return {
        width: widthOf(element), height: 260, scales: { x: { time: false, range: function (plot, low, high) { return [low, Math.max(high, last)]; } }, y: { range: range } },
        axes: [axis(labels[0], wholeSteps()), axis(labels[1])], series: [{ label: labels[0] }].concat(series),
      };
    }

    function draw(titles, data, end) {
      latest = [titles, data, end];
      last = end || 0;
      element.hidden = false;
      element.classList.toggle("single", titles.length === 1);
      if (chart && shown === titles.join("\n")) {
        chart.setData(data);
        return;
      }
      if (chart) chart.destroy();
      shown = titles.join("\n");
      chart = new uPlot(options(titles), data, element);
    }

    function redraw() {
      shown = "";
      if (latest) draw(latest[0], latest[1], latest[2]);
    }

    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    new ResizeObserver(function () {
      if (chart && chart.width !== widthOf(element)) chart.setSize({ width: widthOf(element), height: 260 });
    }).observe(element);
    return draw;
  }

  function fromZero(plot, low, high) {
    return [0, high > 0 ? 1.08 * high : 1];
  }

  // The training's curve
  function rowOf(cells) {
    const row = document.createElement("tr");
    cells.forEach(function (text, index) { row.append(elementOf("td", text, index ? "number" : "")); });
    return row;
  }

  function makeSaying() {
    let saidAt = -Infinity, wasRunning = null;
    return function (facts) {
      const isNews = wasRunning !== null && wasRunning !== facts.running;
      const isTime = facts.running && Date.now() - saidAt >= SAY_EVERY;
      wasRunning = facts.running;
      if (!isNews && !isTime) return;
      saidAt = Date.now();
      byId("step-said").textContent = (facts.running ? "" : "The training has ended. ") + facts.progress;
    };
  }

  function wireCurve(section) {
    const draw = makeChart(byId("curve-chart"), ["Step", "Loss"], fromZero, false), say = makeSaying();

    function take(text) {
      const facts = JSON.parse(text);
      if (!facts) return;
      for (const id of ["curve-caption", "curve-numbers", "curve-chart"]) byId(id).hidden = !facts.nets.length;
      byId("curve-headline").textContent = facts.headline;
      byId("step").textContent = facts.progress;
      byId("step-share").hidden = !facts.running;
      byId("step-share").value = facts.share;
      byId("curve-rows").replaceChildren.apply(byId("curve-rows"), facts.rows.map(rowOf));
      say(facts);
      if (!facts.nets.length) return;
      const titles = facts.nets.map(function (net) { return facts.nets.length > 1 ? "Loss, " + net.title : "Loss"; });
      draw(titles, uPlot.join(facts.nets.map(function (net) { return [net.steps, net.losses]; })), facts.planned);
    }

    poll(section.dataset.curve, 1, take);
    fetch(section.dataset.curve, { cache: "no-store" }).then(function (answer) { return answer.ok ? answer.text() : "null"; }).then(take, function () {});
  }

  // Scores by training
  function wireScores(part) {
    const draw = makeChart(byId("scores-chart"), ["Training", "Score"], function () { return [0, 1]; }, true);

    function take() {
      const source = part.querySelector("script.scores");
      const facts = source ? JSON.parse(source.textContent) : { iterations: [] };
      if (facts.iterations.length < 2) return;  // one point is no curve: the table has it
      const series = facts.series.filter(function (one) { return one.values.some(function (v) { return v !== null; }); });
      draw(series.map(function (one) { return one.title; }), [facts.iterations].concat(series.map(function (one) { return one.values; })));
    }

    part.addEventListener("partchange", take);
    take();
  }

  function begin() {
    document.querySelectorAll("[data-part]").forEach(wirePart);
    document.querySelectorAll("[data-rows]").forEach(wireRows);
    document.querySelectorAll("[data-curve]").forEach(wireCurve);
    if (byId("scores-chart")) wireScores(byId("learning"));
    document.querySelectorAll("img.thumb").forEach(function (image) {
      image.addEventListener("error", function () { image.classList.add("visually-hidden"); });
    });
  }

  window.slidebridge = { poll: poll };
  document.addEventListener("DOMContentLoaded", begin);
})();
