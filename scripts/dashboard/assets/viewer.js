// The slide: OpenSeadragon draws the pixels, three canvases above it the layers. The server sends the outlines of what
// is on screen, simplified for the zoom; what it leaves out is said below the picture.
(function () {
  "use strict";

  const MARGIN = 0.3;  // of the view, fetched on each side beyond it
  const WAIT = 140;  // milliseconds without movement before outlines are fetched
  const LOOK_SECONDS = 2;  // between two looks for a new save
  const STYLES = {
    expert: { width: 2.25, dash: [], fill: 0.08 },
    prediction: { width: 1.5, dash: [6, 3], fill: 0.2 },
    proposal: { width: 3, dash: [0.1, 5], fill: 0.05 },
  };
  const HINT = "Point at an object, or step through them, to read what it is.";
  const WORDS = { expert: "drawn or accepted by people", prediction: "prediction", proposal: "proposed to be labelled next" };

  function byId(id) {
    return document.getElementById(id);
  }

  function say(text) {
    if (byId("viewer-status").textContent !== text) byId("viewer-status").textContent = text;
  }

  function elementOf(name, className) {
    const element = document.createElement(name);
    element.className = className;
    return element;
  }

  function counted(number, word) {
    return number.toLocaleString("en") + " " + word + (number === 1 ? "" : "s");
  }

  // OpenSeadragon adds a style of its own to the page unless it finds it there; ours doesn't allow any. This is none.
  function keepStylesOut() {
    const mark = document.createElementNS("urn:slidebridge:none", "style");
    mark.setAttribute("data-openseadragon-mobile-css", "true");
    document.head.append(mark);
  }

  function openViewer(picture) {
    keepStylesOut();
    return OpenSeadragon({
      element: byId("viewer"), drawer: "canvas", showNavigationControl: false, crossOriginPolicy: false,
      animationTime: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.6,
      springStiffness: 9, maxZoomPixelRatio: 4, minZoomImageRatio: 0.7, visibilityRatio: 0.3, imageLoaderLimit: 6,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      tileSources: {
        width: picture.width, height: picture.height, tileSize: picture.tile, tileOverlap: picture.overlap,
        minLevel: picture.minLevel, maxLevel: picture.maxLevel,
        getTileUrl: function (level, column, row) { return picture.tiles + "/" + level + "/" + column + "/" + row + ".jpg"; },
      },
    });
  }

  // What is on screen: level-0 bounds, and level-0 pixels per screen pixel.
  function viewOf(viewer, picture) {
    const bounds = viewer.viewport.getBoundsNoRotate(true), scale = picture.width;
    const size = viewer.viewport.getContainerSize();
    return {
      left: bounds.x * scale, top: bounds.y * scale, width: bounds.width * scale, height: bounds.height * scale,
      unit: bounds.width * scale / size.x, screen: size,
    };
  }

  // Outlines, as the server sent them, ready to be drawn
  function pathOf(rings) {
    const path = new Path2D();
    for (const ring of rings) {
      for (let i = 0; i < ring.length; i += 2) {
        if (i) path.lineTo(ring[i], ring[i + 1]);
        else path.moveTo(ring[i], ring[i + 1]);
      }
      path.closePath();
    }
    return path;
  }

  function boxOf(rings) {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (let i = 0; i < rings[0].length; i += 2) {
      left = Math.min(left, rings[0][i]);
      right = Math.max(right, rings[0][i]);
      top = Math.min(top, rings[0][i + 1]);
      bottom = Math.max(bottom, rings[0][i + 1]);
    }
    return { left: left, top: top, right: right, bottom: bottom };
  }

  function objectOf(sent, facts) {
    return {
      layer: facts.layers[sent.layer], kind: facts.classes[sent.class], note: sent.note || "",
      path: pathOf(sent.rings), box: boxOf(sent.rings),
    };
  }

  // One path for each layer and colour: drawing is then a few strokes, however many objects there are.
  function bundled(objects) {
    const bundles = new Map();
    for (const object of objects) {
      const key = object.layer + object.kind.colour;
      if (!bundles.has(key)) bundles.set(key, { layer: object.layer, colour: object.kind.colour, path: new Path2D() });
      bundles.get(key).path.addPath(object.path);
    }
    return Array.from(bundles.values());
  }

  function sceneOf(facts) {
    const objects = facts.objects.filter(function (o) { return o.rings.length && o.rings[0].length; })
      .map(function (sent) { return objectOf(sent, facts); });
    return { origin: facts.origin, unit: facts.unit, objects: objects, bundles: bundled(objects), facts: facts };
  }

  // The canvases
  function makeCanvases() {
    const made = new Map();
    for (const layer of ["prediction", "proposal", "expert", "chosen"]) {
      const canvas = elementOf("canvas", "drawn");
      if (layer !== "chosen") canvas.dataset.layer = layer;
      canvas.setAttribute("aria-hidden", "true");
      const box = document.querySelector("[data-layers-of=viewer] input[value=" + layer + "]");
      canvas.hidden = Boolean(box) && !box.checked;  // a browser remembers boxes over a reload
      byId("viewer").append(canvas);
      made.set(layer, canvas);
    }
    return made;
  }

  function cleared(canvas, screen) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(screen.x * ratio), height = Math.round(screen.y * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  // Afterwards the scene's own numbers are drawn where they belong; returns screen pixels as the scene counts.
  function place(context, scene, view) {
    const scale = (window.devicePixelRatio || 1) * scene.unit / view.unit;
    const x = (scene.origin[0] - view.left) / scene.unit, y = (scene.origin[1] - view.top) / scene.unit;
    context.setTransform(scale, 0, 0, scale, x * scale, y * scale);
    return view.unit / scene.unit;
  }

  function paint(context, bundle, pixel) {
    const style = STYLES[bundle.layer];
    context.lineJoin = context.lineCap = "round";
    context.fillStyle = context.strokeStyle = bundle.colour;
    context.globalAlpha = style.fill;
    context.fill(bundle.path, "evenodd");
    context.globalAlpha = 1;
    context.lineWidth = style.width * pixel;
    context.setLineDash(style.dash.map(function (length) { return length * pixel; }));
    context.stroke(bundle.path);
  }

  function drawScene(canvases, scene, view) {
    const contexts = new Map();
    for (const [layer, canvas] of canvases) contexts.set(layer, cleared(canvas, view.screen));
    if (!scene) return;
    for (const bundle of scene.bundles) {
      if (!canvases.get(bundle.layer).hidden) paint(contexts.get(bundle.layer), bundle, place(contexts.get(bundle.layer), scene, view));
    }
  }

  function drawChosen(canvases, scene, view, object) {
    const context = cleared(canvases.get("chosen"), view.screen);
    if (!scene || !object) return;
    const pixel = place(context, scene, view);
    for (const [colour, width] of [["#000000", 6], ["#ffffff", 3.5], [object.kind.colour, 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * pixel;
      context.stroke(object.path);
    }
  }

  // The object below a place; of several the smallest.
  function objectAt(scene, x, y, isShown) {
    const context = document.createElement("canvas").getContext("2d");
    const found = scene.objects.filter(function (o) {
      const b = o.box;
      return isShown(o.layer) && x >= b.left && x <= b.right && y >= b.top && y <= b.bottom && context.isPointInPath(o.path, x, y, "evenodd");
    });
    found.sort(function (a, b) { return areaOf(a) - areaOf(b); });
    return found[0] || null;
  }

  function areaOf(object) {
    return (object.box.right - object.box.left) * (object.box.bottom - object.box.top);
  }

  // Objects whose middle is on screen, in reading order.
  function objectsInView(scene, view, isShown) {
    const left = (view.left - scene.origin[0]) / scene.unit, top = (view.top - scene.origin[1]) / scene.unit;
    const right = left + view.width / scene.unit, bottom = top + view.height / scene.unit;
    const band = (bottom - top) / 12 || 1;
    const middles = scene.objects.filter(function (o) { return isShown(o.layer); }).map(function (o) {
      return { object: o, x: (o.box.left + o.box.right) / 2, y: (o.box.top + o.box.bottom) / 2 };
    }).filter(function (m) { return m.x >= left && m.x <= right && m.y >= top && m.y <= bottom; });
    middles.sort(function (a, b) { return Math.floor(a.y / band) - Math.floor(b.y / band) || a.x - b.x; });
    return middles.map(function (m) { return m.object; });
  }

  function describe(object, position) {
    const line = byId("object");
    line.replaceChildren(object ? "" : HINT);
    line.classList.toggle("muted", !object);
    if (!object) return;
    const name = document.createElement("strong");
    name.textContent = object.kind.name;
    line.append(name, ", " + WORDS[object.layer] + (object.note ? ": " + object.note : "") + (position ? " (" + position + ")" : ""));
  }

  // What is said below the picture
  function statusOf(facts) {
    const shown = facts.objects.length;
    const saved = (facts.revision === "none" ? "There is no annotation file yet. " : "")
      + (facts.coarse ? counted(facts.coarse, "outline") + " of very many corners " + (facts.coarse === 1 ? "is" : "are") + " drawn coarser than " + (facts.coarse === 1 ? "it is" : "they are") + "; zoom in to see all corners. " : "");
    if (shown < facts.there) {
      return saved + "Of " + counted(facts.there, "object") + " in and around this view the " + shown.toLocaleString("en") + " largest are drawn; zoom in to see all.";
    }
    return saved + counted(shown, "object") + " in and around this view.";
  }

  function showWarnings(lines, className) {
    byId("viewer-warnings").replaceChildren.apply(byId("viewer-warnings"), lines.map(function (text) {
      const item = elementOf("li", "notice " + className);
      item.textContent = text;
      return item;
    }));
  }

  function showCounts(counts) {
    document.querySelectorAll("[data-layers-of=viewer] label").forEach(function (label) {
      const layer = label.querySelector("input").value;
      const place = label.querySelector(".count") || label.appendChild(elementOf("span", "count muted"));
      place.textContent = "(" + (counts[layer] || 0).toLocaleString("en") + ")";
    });
  }

  function showClasses(classes) {
    byId("classes").replaceChildren.apply(byId("classes"), classes.map(function (kind) {
      const item = document.createElement("li"), swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      swatch.setAttribute("class", "swatch");
      swatch.setAttribute("viewBox", "0 0 20 14");
      swatch.setAttribute("aria-hidden", "true");
      swatch.dataset.layerLook = "expert";
      for (const [key, value] of [["x", 2], ["y", 2], ["width", 16], ["height", 10], ["rx", 1.5], ["fill", kind.colour], ["stroke", kind.colour]]) box.setAttribute(key, value);
      swatch.append(box);
      item.append(swatch, kind.name);
      return item;
    }));
  }

  // The scale bar: a round number of micrometres, about 120 pixels long.
  function makeScaleBar() {
    const bar = elementOf("div", "scale-bar"), text = document.createElement("div"), line = document.createElement("span");
    bar.append(text, line);
    bar.hidden = true;
    byId("viewer").append(bar);
    return function (mpp, view) {
      bar.hidden = !mpp;
      if (!mpp) return;
      const perPixel = mpp[0] * view.unit, most = 140 * perPixel;
      const power = Math.pow(10, Math.floor(Math.log10(most)));
      const length = [5, 2, 1].map(function (n) { return n * power; }).find(function (n) { return n <= most; });
      text.textContent = length >= 1000 ? length / 1000 + " mm" : length + " µm";
      line.style.width = length / perPixel + "px";
    };
  }

  function begin() {
    const picture = JSON.parse(byId("picture").textContent);
    const viewer = openViewer(picture), canvases = makeCanvases(), scaleBar = makeScaleBar();
    const state = { scene: null, mpp: picture.mpp, revision: null, asked: null, timer: 0, chosen: null, request: 0, drawn: null, drawnAt: 0, cost: 0 };

    function isShown(layer) {
      return !canvases.get(layer).hidden;
    }

    function draw() {
      if (!viewer.isOpen()) return;
      const view = viewOf(viewer, picture), began = performance.now();
      for (const canvas of canvases.values()) canvas.style.transform = "";
      drawScene(canvases, state.scene, view);
      drawChosen(canvases, state.scene, view, state.chosen);
      scaleBar(state.mpp, view);
      state.drawn = view;
      state.drawnAt = performance.now();
      state.cost = state.drawnAt - began;
    }

    // While the slide moves: thousands of objects take longer to draw than a frame lasts, so what is drawn moves along.
    function follow() {
      if (!viewer.isOpen()) return;
      const isCheap = state.cost < 10 || performance.now() - state.drawnAt > 12 * state.cost;
      if (!state.drawn || isCheap) {
        draw();
        return;
      }
      const view = viewOf(viewer, picture), drawn = state.drawn;
      const x = (drawn.left - view.left) / view.unit, y = (drawn.top - view.top) / view.unit;
      for (const canvas of canvases.values()) canvas.style.transform = "translate(" + x + "px, " + y + "px) scale(" + drawn.unit / view.unit + ")";
      scaleBar(state.mpp, view);
    }

    function choose(object, position) {
      if (object === state.chosen) return;
      state.chosen = object;
      describe(object, position);
      drawChosen(canvases, state.scene, viewOf(viewer, picture), object);
    }

    function addressOf(view) {
      const x = MARGIN * view.width, y = MARGIN * view.height;
      const query = new URLSearchParams({
        left: (view.left - x).toFixed(1), top: (view.top - y).toFixed(1), right: (view.left + view.width + x).toFixed(1),
        bottom: (view.top + view.height + y).toFixed(1), unit: view.unit.toPrecision(6),
      });
      return picture.facts + "/outlines?" + query;
    }

    function tellShown(news) {
      const hidden = state.scene.facts.layers.filter(function (layer) { return !isShown(layer); });
      say(news + statusOf(state.scene.facts) + (hidden.length ? " Hidden: " + hidden.map(function (layer) { return WORDS[layer]; }).join("; ") + "." : ""));
    }

    function takeOutlines(facts) {
      const isNewSave = state.revision !== null && state.revision !== facts.revision;
      state.scene = sceneOf(facts);
      state.revision = facts.revision;
      state.mpp = facts.mpp || picture.mpp;
      state.chosen = null;
      describe(null);
      showCounts(facts.counts);
      showClasses(facts.classes);
      showWarnings(facts.warnings, "warn");
      tellShown(isNewSave ? "The file was saved: the layers are new. " : "");
      byId("viewer").dataset.shown = String(facts.objects.length);
      draw();
    }

    async function fetchOutlines() {
      const number = state.request += 1;
      if (state.asked) state.asked.abort();
      state.asked = new AbortController();
      try {
        const answer = await fetch(addressOf(viewOf(viewer, picture)), { signal: state.asked.signal, cache: "no-store" });
        const text = await answer.text();
        if (number !== state.request) return;
        if (answer.ok) takeOutlines(JSON.parse(text));
        else showWarnings(["The annotations can't be shown just now: " + text.trim()], "bad");
      } catch (error) {
        if (error.name !== "AbortError") say("The outlines can't be fetched just now.");
      }
    }

    function fetchSoon() {
      window.clearTimeout(state.timer);
      state.timer = window.setTimeout(fetchOutlines, WAIT);
    }

    function step(by) {
      if (!state.scene) return;
      const objects = objectsInView(state.scene, viewOf(viewer, picture), isShown);
      if (!objects.length) {
        say("No object in view.");
        return;
      }
      const at = objects.indexOf(state.chosen), next = at < 0 ? (by > 0 ? 0 : objects.length - 1) : (at + by + objects.length) % objects.length;
      choose(objects[next], next + 1 + " of " + objects.length + " in view");
    }

    function zoom(factor) {
      viewer.viewport.zoomBy(factor);
      viewer.viewport.applyConstraints();
    }

    function pan(x, y) {
      const bounds = viewer.viewport.getBounds();
      viewer.viewport.panBy(new OpenSeadragon.Point(x * bounds.width / 4, y * bounds.height / 4));
      viewer.viewport.applyConstraints();
    }

    const keys = {
      "+": function () { zoom(1.6); }, "=": function () { zoom(1.6); }, "-": function () { zoom(1 / 1.6); },
      "0": function () { viewer.viewport.goHome(); }, n: function () { step(1); }, p: function () { step(-1); },
      ArrowLeft: function () { pan(-1, 0); }, ArrowRight: function () { pan(1, 0); }, ArrowUp: function () { pan(0, -1); }, ArrowDown: function () { pan(0, 1); },
    };

    function onKey(event) {
      const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    }

    function onPoint(event) {
      if (!state.scene || !viewer.isOpen()) return;
      const frame = byId("viewer").getBoundingClientRect(), view = viewOf(viewer, picture);
      const x = view.left + (event.clientX - frame.left - byId("viewer").clientLeft) * view.unit;
      const y = view.top + (event.clientY - frame.top - byId("viewer").clientTop) * view.unit;
      choose(objectAt(state.scene, (x - state.scene.origin[0]) / state.scene.unit, (y - state.scene.origin[1]) / state.scene.unit, isShown));
    }

    function wireKeys() {
      viewer.innerTracker.keyHandler = viewer.innerTracker.keyDownHandler = viewer.innerTracker.keyUpHandler = null;  // ours, below
      viewer.canvas.setAttribute("aria-label", "The slide: plus and minus zoom, arrows move, zero shows it whole, n and p step through objects");
      viewer.canvas.setAttribute("role", "application");
      viewer.canvas.addEventListener("keydown", onKey);
    }

    byId("zoom-in").addEventListener("click", keys["+"]);
    byId("zoom-out").addEventListener("click", keys["-"]);
    byId("home").addEventListener("click", keys["0"]);
    byId("object-next").addEventListener("click", keys.n);
    byId("object-before").addEventListener("click", keys.p);
    byId("viewer").addEventListener("mousemove", onPoint);
    byId("viewer").addEventListener("layerchange", function () {
      draw();
      if (state.scene) tellShown("");
    });
    wireKeys();
    viewer.addHandler("open", function () { say("Reading the annotations …"); draw(); fetchOutlines(); });
    viewer.addHandler("update-viewport", follow);
    viewer.addHandler("animation-finish", draw);
    viewer.addHandler("viewport-change", fetchSoon);
    viewer.addHandler("resize", fetchSoon);
    viewer.addHandler("tile-load-failed", function () { say("A part of the slide can't be read; it may be damaged, or its share is away."); });
    window.slidebridge.poll(picture.facts + "/revision", LOOK_SECONDS, function (text) {
      if (state.revision !== null && JSON.parse(text).revision !== state.revision) fetchOutlines();
    });
    byId("viewer").slideViewer = viewer;  // for tests, and for who looks with the browser's tools
  }

  document.addEventListener("DOMContentLoaded", begin);
})();
