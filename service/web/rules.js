// The rules that drafts are judged by, as the service words them; asked for once.

import { element } from "./elements.js";
import { call } from "./service.js";
import { currentLanguage, text } from "./texts.js";

let rules = [];
/** Resolves when the rules have their words, or when the service could not be asked: ids stand for them then. */
export const rulesKnown = call("GET", "/v1/rules").then(found => { rules = found.rules; }, () => {});

/** The words of a rule in the page's language. */
export function ruleText(id) {
  const rule = rules.find(each => each.id === id);
  return rule ? (currentLanguage() === "zh" ? rule.text_zh : rule.text_en) : id;
}

/** What a list to choose one rule from holds. */
export const ruleOptions = () => Object.entries(Object.groupBy(rules, rule => rule.group)).map(([name, own]) =>
  element("optgroup", { label: text("ruleGroups")[name] ?? name }, ...own.map(({ id }) => element("option", { value: id }, ruleText(id)))));
