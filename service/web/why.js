// "Why this answer": the plan, the queries, how long each step took, and every candidate with its scores and the
// sentence that says why it won or lost.

import { element } from "./elements.js";
import { ruleReport } from "./feedback.js";
import { ruleText } from "./rules.js";
import { openSource, placeOf } from "./source.js";
import { text } from "./texts.js";

export function why(answer) {
  const scores = answer.judgements.map(judgement => judgement.score);
  const order = answer.candidates.map((_, index) => index).sort((a, b) => (b === answer.chosen) - (a === answer.chosen) || scores[b] - scores[a]);
  const total = answer.timings.total;
  return element("details", { class: "why" },
    element("summary", {}, text("why"), total ? element("span", { class: "quiet" }, ` · ${seconds(total)}`) : null),
    element("p", { class: "verdict-reason", dir: "auto" }, answer.reason),
    element("dl", { class: "plan" }, ...plan(answer.plan), ...times(answer.timings)),
    element("ol", { class: "candidates" }, ...order.map(index => candidate(answer, index))));
}

const seconds = value => value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} ${text("seconds")}`;

function plan({ search_probability, queries, reason }) {
  const listed = queries.map(query => element("li", { dir: "auto" }, query.text, element("span", { class: "quiet" }, ` ${text("origins")[query.origin] ?? query.origin}`)));
  return [
    element("dt", {}, text("probability")), element("dd", {}, search_probability.toFixed(2), reason ? ` · ${reason}` : ""),
    ...(listed.length ? [element("dt", {}, text("queries")), element("dd", {}, element("ul", {}, ...listed))] : []),
  ];
}

function times({ total, ...stages }) {
  if (!total) return [];
  const bar = element("div", { class: "times", "aria-hidden": "true" }, ...Object.entries(stages).map(([name, value]) => {
    const part = element("span", { title: name });
    part.style.flexGrow = value / total;
    return part;
  }));
  const words = Object.entries(stages).map(([name, value]) => `${text("stages")[name] ?? name} ${seconds(value)}`).join(" · ");
  return [element("dt", {}, text("time")), element("dd", {}, bar, element("span", { class: "quiet" }, words))];
}

function candidate(answer, index) {
  const draft = answer.candidates[index], judged = answer.judgements[index], won = index === answer.chosen;
  const kept = Object.entries(judged.rules).sort((a, b) => a[1] - b[1]);
  const hit = draft.evidence[0];
  const evidence = hit ? element("button", { class: "link", type: "button", dir: "auto", click: () => openSource(placeOf(hit)) }, hit.document.title) : element("span", {}, text("noEvidence"));
  return element("li", won ? { class: "won" } : {},
    element("div", { class: "row" },
      element("span", { class: "quiet" }, text("candidate", index + 1)),
      won ? element("span", { class: "badge" }, text("won")) : null,
      element("span", { class: "quiet grow" }, draft.origin, " · ", evidence)),
    element("p", { dir: "auto" }, draft.text),
    element("p", { class: "reason", dir: "auto" }, judged.reason),
    element("div", { class: "scores" },
      meter("score", judged.score), meter("support", judged.support),
      kept.length ? meter("rules", mean(kept.map(([, share]) => share))) : null,
      element("div", {}, `${text("preference")} `, element("b", {}, judged.preference.toFixed(2)))),
    kept.length ? ruleList(answer, index, kept) : null);
}

/** The geometric mean, as the score takes it. */
const mean = shares => Math.exp(shares.reduce((sum, share) => sum + Math.log(Math.max(share, 1e-9)), 0) / shares.length);

function meter(key, value) {
  return element("div", {}, `${text(key)} `, element("b", {}, value.toFixed(2)), element("meter", { min: 0, max: 1, value, "aria-label": text(key) }));
}

/** Every rule with the probability that the candidate keeps it, the weakest first; filled when it is opened. */
function ruleList(answer, index, kept) {
  const list = element("ol", { class: "rules" });
  const node = element("details", {}, element("summary", {}, `${text("weakestRule")}: ${kept[0][1].toFixed(2)} · ${ruleText(kept[0][0])}`), list);
  node.addEventListener("toggle", () => {
    if (!node.open || list.childElementCount) return;
    list.append(...kept.map(([id, share]) => element("li", {}, element("b", {}, share.toFixed(2)), element("span", { dir: "auto" }, ruleText(id)))));
    node.append(ruleReport(answer, index));
  });
  return node;
}
