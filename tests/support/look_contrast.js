// The texts on a page, each with its contrast to what is behind it as WCAG 2.2 computes it; for browser_support.py.
() => {
  function colour(text) {
    const numbers = text.match(/[\d.]+/g).map(Number), full = text.startsWith("color(srgb") ? 255 : 1;
    return { rgb: numbers.slice(0, 3).map(v => v * full), alpha: numbers.length > 3 ? numbers[3] : 1 };
  }
  function over(top, below) {
    return top.rgb.map((v, i) => v * top.alpha + below[i] * (1 - top.alpha));
  }
  function luminance(rgb) {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function behind(element) {
    const stack = [];
    for (let e = element; e; e = e.parentElement) stack.unshift(colour(getComputedStyle(e).backgroundColor));
    return stack.reduce((below, top) => over(top, below), [255, 255, 255]);
  }
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const unseen = ["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "title", "desc"];
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    if (!text || unseen.includes(element.tagName) || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), background = behind(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    if (!/^(rgb|color\(srgb)/.test(ink)) continue;
    const [dark, light] = [luminance(over(colour(ink), background)), luminance(background)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize), isBold = parseInt(style.fontWeight) >= 700;
    const isLarge = size >= 24 || (isBold && size >= 18.66);
    found.push({ text: text.slice(0, 40), ratio: (light + 0.05) / (dark + 0.05), isLarge });
  }
  return found;
}
