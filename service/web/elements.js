// Building the page's elements. Text only ever becomes text: nothing here parses HTML.

import { text } from "./texts.js";

/** An element with attributes, properties (functions as listeners) and children (elements or strings). */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child != null && child !== false));
  return node;
}

export const page = id => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
// Strokes on a field of 20 by 20.
const SHAPES = {
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  up: "M7 9l3-6c1.5 0 2 1 2 2v3h4l-1 8H7zM4 9h3v7H4z",
  down: "M7 11l3 6c1.5 0 2-1 2-2v-3h4l-1-8H7zM4 4h3v7H4z",
  copy: "M7 7h9v10H7zM4 13V3h9",
  compare: "M3 4h6v12H3zM11 4h6v12h-6z",
  flag: "M5 17V3h10l-2 4 2 4H5",
  edit: "M4 16l1-4 8-8 3 3-8 8z",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  close: "M5 5l10 10M15 5L5 15",
  menu: "M3 5h14M3 10h14M3 15h14",
  plus: "M10 4v12M4 10h12",
  search: "M9 3a6 6 0 1 1 0 12A6 6 0 0 1 9 3zM13.5 13.5L17 17",
  chat: "M3 4h14v9H9l-4 4v-4H3z",
  documents: "M5 3h7l3 3v11H5zM12 3v3h3M8 10h4M8 13h4",
  light: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  dark: "M16 12A7 7 0 0 1 8 4a6.5 6.5 0 1 0 8 8z",
  system: "M3 4h14v9H3zM7 17h6M10 13v4",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.5 2.3c-.8.4-1 .8-1 1.7M10 14.5h.01",
  open: "M11 4h5v5M16 4l-7 7M13 11v5H4V7h5",
  upload: "M10 13V4M6 8l4-4 4 4M4 13v3h12v-3",
  trash: "M4 6h12M8 6V4h4v2M6 6l1 11h6l1-11",
  next: "M8 5l5 5-5 5",
  memory: "M5 3h10v14l-5-4-5 4z",
  key: "M7 6a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM11 10h7M15 10v3M18 10v2",
  retry: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
};

/** A drawn sign; what it means stands beside it, or in its button's label. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" })) drawing.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  drawing.append(path);
  return drawing;
}

/** A button with a sign, and words that are shown (`shown`) or only read aloud. */
export function button(name, label, click, { shown = false, ...attributes } = {}) {
  const named = shown ? {} : { "aria-label": label, title: label };
  return element("button", { type: "button", class: shown ? "quiet-button" : "icon-button", ...named, ...attributes, click }, icon(name), shown ? element("span", {}, label) : null);
}

/** A date as YYYY-MM-DD, "" when there is none. */
export const day = moment => (moment || "").slice(0, 10);

/** A link only where the address is one that a browser may follow. */
export const followable = url => /^https?:\/\//.test(url || "");

/** What stands between two positions, counted as the service counts: in code points, not in halves of them. */
function slice(words, start, end) {
  return /[\ud800-\udfff]/.test(words) ? Array.from(words).slice(start, end).join("") : words.slice(start, end);
}

/** Words with some spans of them marked; `spans` ascend and do not overlap. */
export function highlighted(words, spans) {
  const pieces = [];
  let before = 0;
  for (const [start, end] of spans) {
    pieces.push(slice(words, before, start), element("mark", {}, slice(words, start, end)));
    before = end;
  }
  return [...pieces, slice(words, before)].filter(piece => piece !== "");
}

/** Says something to those who listen instead of looking. */
export function announce(words) {
  page("announce").textContent = words;
}

/** Downloads text that the page made itself, or a file that the service gives. */
export function download(address) {
  const link = element("a", { href: address, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Words to take along: shown in a box, with a button that copies them and says so. */
export function copyable(label, words, copies) {
  const box = element("input", { readonly: true, dir: "ltr", class: "grow", "aria-label": label, focus: () => box.select() });
  box.value = words;
  const note = element("span", { class: "quiet", role: "status" });
  const copy = async () => {
    try { await navigator.clipboard.writeText(words); note.textContent = text("copied"); } catch { box.select(); note.textContent = text("notCopied"); }
  };
  return element("div", { class: "copyable" }, element("div", { class: "row" }, box, element("button", { type: "button", class: "main", click: copy }, copies)), note);
}

/** Asks before something is lost; true when it is wanted. */
export function confirmed(question, yes, no) {
  return new Promise(resolve => {
    const box = element("dialog", { class: "confirm", "aria-label": question, close: () => { box.remove(); resolve(box.returnValue === "yes"); } },
      element("form", { method: "dialog" },
        element("p", {}, question),
        element("div", { class: "row end" },
          element("button", { value: "no", class: "quiet-button", autofocus: true }, no),
          element("button", { value: "yes", class: "danger" }, yes))));
    document.body.append(box);
    box.showModal();
  });
}
