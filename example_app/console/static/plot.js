// The plot of the costs of the last requests, as inline SVG with a summary in words.

const NAMESPACE = "http://www.w3.org/2000/svg";
const LEFT = 58;
const TOP = 10;
const BOTTOM = 186;
const HEIGHT = 240;
/** The right edge, by the width of the page: a unit is a pixel, so that text is as large as set. */
let right = 632;
/** Microseconds, at the bottom and at the top. */
const LOWEST = 1;
const HIGHEST = 1e5;
const SHOWN = 60;

/** Draw `costs`, the oldest first, into `svg`, and say the same in `caption`. */
export function plot(svg, caption, costs) {
  const [first, again] = [false, true].map((cached) => told(costs, cached));
  const summary = `First verification: ${first}; from the cache: ${again}.`;
  caption.textContent = costs.length ? summary : "No request has been measured yet.";
  const label = `Microseconds for the last ${costs.length} requests. ${caption.textContent}`;
  svg.setAttribute("aria-label", label);
  const width = Math.max(240, svg.parentElement.clientWidth);
  right = width - 8;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(...grid(), ...costs.map(mark), ...legend());
}

function told(costs, cached) {
  const values = costs.filter((cost) => cost.cached === cached).map((cost) => cost.microseconds);
  if (!values.length) return "none";
  values.sort((one, other) => one - other);
  const requests = values.length === 1 ? "1 request" : `${values.length} requests`;
  return `median ${Math.round(values[values.length >> 1])} µs, ${requests}`;
}

const height = (microseconds) => {
  const part = Math.log10(microseconds / LOWEST) / Math.log10(HIGHEST / LOWEST);
  return BOTTOM - Math.min(1, Math.max(0, part)) * (BOTTOM - TOP);
};

function grid() {
  return [1, 10, 100, 1000, 1e4, 1e5].flatMap((value) => {
    const y = height(value);
    const label = value < 1000 ? `${value} µs` : `${value / 1000} ms`;
    return [
      make("line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y }),
      make("text", { class: "label", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, label),
    ];
  });
}

// Two shapes, since some people cannot tell the two colours apart.
function mark({ microseconds, cached, number }, at) {
  const x = LEFT + ((at + 0.5) * (right - LEFT)) / SHOWN;
  const shape = dot(x, height(microseconds), cached);
  shape.append(make("title", {}, `Request ${number}: ${microseconds.toFixed(1)} µs`));
  return shape;
}

function dot(x, y, cached) {
  return cached
    ? make("circle", { class: "cached", cx: x, cy: y, r: 3.5 })
    : make("path", { class: "first", d: `M${x} ${y - 5}l5 5l-5 5l-5-5z` });
}

function legend() {
  return [
    dot(LEFT + 8, 208, false),
    make("text", { class: "label", x: LEFT + 18, y: 212 }, "first verification"),
    dot(LEFT + 148, 208, true),
    make("text", { class: "label", x: LEFT + 157, y: 212 }, "from the cache"),
    make("text", { class: "label", x: right, y: 232, "text-anchor": "end" }, "newest on the right"),
  ];
}

function make(name, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
