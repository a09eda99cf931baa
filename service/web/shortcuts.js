// Keys, and the sheet that lists them. Single letters act only outside of boxes, and can be switched off. What lies open
// above the page, a dialog or a menu, has all keys for itself.

import { element, page } from "./elements.js";
import { remember, remembered } from "./memory.js";
import { text } from "./texts.js";

const sheet = page("help-sheet");
const keys = new Map();

/** `act` is called for a key; what it does stands in the texts under `shortcuts`. */
export function shortcut(key, act) {
  keys.set(key, act);
}

export function showHelp() {
  const letters = element("input", { type: "checkbox", change: () => remember("shortcuts", String(letters.checked)) });
  letters.checked = remembered("shortcuts", "true") === "true";
  sheet.replaceChildren(element("form", { method: "dialog" },
    element("h2", {}, text("help")),
    element("dl", { class: "keys" }, ...Object.entries(text("shortcuts")).flatMap(([key, does]) => [
      element("dt", {}, ...key.split(" ").map(each => element("kbd", {}, each))), element("dd", {}, does)])),
    element("label", { class: "row" }, letters, element("span", {}, text("singleKeys"))),
    element("p", { class: "quiet" }, element("a", { href: "/docs" }, text("interface"))),
    element("div", { class: "row end" }, element("button", { class: "main", autofocus: true }, text("close")))));
  sheet.showModal();
}

const writes = target => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", event => {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing && event.keyCode !== 229;
  if (!plain || document.querySelector("dialog[open], :popover-open")) return;
  if (event.key !== "Escape" && (writes(event.target) || remembered("shortcuts", "true") !== "true")) return;
  const act = keys.get(event.key);
  if (!act) return;
  if (act() !== false) event.preventDefault();
});
