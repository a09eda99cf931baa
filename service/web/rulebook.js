// The rules as they hold now: switched on and off, and the floor of each.

import { button, element, page } from "./elements.js";
import { call } from "./service.js";
import { skeleton } from "./source.js";
import { currentLanguage, failed, text } from "./texts.js";

const panel = page("rules-panel");
let may = false, asked = 0;

/** Reads the rules; one who may not change them sees how they stand. */
export async function showRules(changes) {
  may = changes;
  const turn = ++asked;
  if (!panel.childElementCount) panel.replaceChildren(...skeleton());
  try {
    const { rules } = await call("GET", "/v1/rules");
    if (turn !== asked) return;
    const groups = Object.entries(Object.groupBy(rules, rule => rule.group));
    panel.replaceChildren(element("p", { class: "quiet" }, text("rulesHint")),
      ...groups.flatMap(([name, own]) => [element("h2", {}, text("ruleGroups")[name] ?? name), element("ul", {}, ...own.map(row))]));
  } catch (failure) {
    if (turn === asked) panel.replaceChildren(element("div", { class: "error", role: "alert" }, failed(failure), button("retry", text("tryAgain"), () => showRules(may), { shown: true })));
  }
}

const shown = floor => String(Number(floor.toFixed(4)));

function row(rule) {
  const chinese = currentLanguage() === "zh", words = chinese ? rule.text_zh : rule.text_en;
  const note = element("p", { class: "error", role: "alert", hidden: true });
  const node = element("li", { class: rule.enabled ? "entry rule" : "entry rule off" },
    element("div", { class: "grow" },
      element("strong", {}, words),
      element("p", { class: "quiet", lang: chinese ? "en" : "zh-Hans" }, chinese ? rule.text_en : rule.text_zh), note),
    may ? settings(rule, words, change) : element("p", { class: "quiet" }, text("ruleStands", rule.enabled, shown(rule.floor))));

  async function change(chosen) {
    note.hidden = true;
    for (const each of node.querySelectorAll("input, button")) each.disabled = true;
    const focused = document.activeElement?.dataset?.part;
    try {
      const fresh = row(await call("PATCH", `/v1/rules/${encodeURIComponent(rule.id)}`, chosen));
      node.replaceWith(fresh);
      fresh.querySelector(`[data-part="${focused ?? "enabled"}"]`)?.focus();
    } catch (failure) {
      const same = row(rule);
      node.replaceWith(same);
      const told = same.querySelector(".error");
      told.hidden = false;
      told.textContent = failed(failure);
    }
  }
  return node;
}

function settings(rule, words, change) {
  const enabled = element("input", { type: "checkbox", role: "switch", "data-part": "enabled", "aria-label": words, change: () => change({ enabled: enabled.checked }) });
  enabled.checked = rule.enabled;
  const floor = element("input", { type: "number", min: 0, max: 1, step: "any", required: true, "data-part": "floor", "aria-label": `${text("floor")}: ${words}`,
    change: () => { if (floor.reportValidity()) change({ floor: floor.valueAsNumber }); } });
  floor.value = shown(rule.floor);
  const usual = rule.floor === rule.usual_floor;
  return element("div", { class: "row set" },
    element("label", { class: "consent" }, enabled, element("span", { "aria-hidden": "true" }, text(rule.enabled ? "ruleOn" : "ruleOff"))),
    element("label", { class: "consent" }, element("span", { "aria-hidden": "true" }, text("floor")), floor),
    usual ? "" : button("retry", text("usualFloor", shown(rule.usual_floor)), () => change({ floor: null })));
}
