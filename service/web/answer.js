// One answer as it grows: stages, text with citations, sources, candidates with their scores, feedback.

import { day, element } from "./elements.js";
import { call } from "./service.js";
import { openSource } from "./source.js";
import { currentLanguage, text } from "./texts.js";

/** An empty answer in the page; `handle` takes the events of the stream, `show` a whole answer. */
export function answerView(rules) {
  const stages = element("ol", { class: "stages" });
  const words = element("div", { class: "text" });
  const rest = element("div");
  const node = element("article", { class: "answer" }, stages, words, rest);
  let written = "";

  function stage(label, now = false) {
    stages.querySelector(".now")?.remove();
    stages.append(element("li", now ? { class: "now" } : {}, label));
  }

  function handle({ name, data }) {
    if (name === "accepted") stage(text("planning"), true);
    if (name === "plan") {
      const queries = data.queries.map(query => `“${query.text}”`).join(", ");
      stage(queries ? `${text("planned")} ${queries}` : text("noSearch"));
      if (queries) stage(text("searching"), true);
    }
    if (name === "search") {
      if (data.evidence.length) stage(text("read", data.evidence.length));
      stage(text("drafting"), true);
    }
    if (name === "candidates") {
      stage(text("drafted", data.candidates.length));
      stage(text("judging"), true);
    }
    if (name === "answer") words.textContent = written += data.delta;
    if (name === "done") show(data);
  }

  function show(answer) {
    stages.remove();
    words.replaceChildren(...marked(answer));
    const verdict = answer.verdict === "answered" ? null : element("span", { class: `verdict ${answer.verdict}` }, text(answer.verdict));
    if (verdict) node.prepend(verdict);
    rest.replaceChildren(sources(answer), why(answer, rules), feedback(answer));
  }

  function fail(message, hint = "") {
    stages.querySelector(".now")?.remove();
    rest.replaceChildren(element("p", { class: "error", role: "alert" }, message, hint ? ` ${hint}` : ""));
  }

  return { node, handle, show, fail };
}

function marked(answer) {
  const byNumber = new Map(answer.citations.map(citation => [citation.number, citation]));
  return answer.text.split(/(\[\d+\])/).map(piece => {
    const citation = /^\[\d+\]$/.test(piece) && byNumber.get(Number(piece.slice(1, -1)));
    if (!citation) return piece;
    return element("button", { class: "cite", type: "button", title: `${citation.title}: “${citation.quote}”`, "aria-label": `[${citation.number}] ${citation.title}`, click: () => openSource(citation) }, String(citation.number));
  });
}

function sources(answer) {
  const cited = answer.citations.map(citation => entry(`[${citation.number}] ${citation.title}`, citation, `“${citation.quote}”`, false));
  const hit = ({ passage, document }) => entry(document.title, { ...passage, passage_id: passage.id, title: document.title, url: document.url, published_at: document.published_at }, passage.text, true);
  return element("div", { class: "sources" },
    ...group("used", cited),
    answer.verdict === "answered" && !cited.length && answer.plan.queries.length ? element("p", { class: "quiet" }, text("noCitations")) : null,
    ...group("nearest", answer.nearest.map(hit)),
    ...(answer.nearest.length ? [] : folded("also", answer.read.map(hit))));
}

const group = (key, entries) => entries.length ? [element("h3", {}, text(key)), element("ul", {}, ...entries)] : [];
const folded = (key, entries) => entries.length ? [element("details", {}, element("summary", {}, `${text(key)} (${entries.length})`), element("ul", {}, ...entries))] : [];

function entry(title, where, words, short) {
  const facts = [day(where.published_at), where.page && text("page", where.page)].filter(Boolean).join(" · ");
  return element("li", {}, element("button", { type: "button", click: () => openSource(where) },
    element("span", { class: "title" }, title), facts ? element("span", { class: "quiet" }, ` · ${facts}`) : null,
    element("span", { class: short ? "words short" : "words" }, words)));
}

function why(answer, rules) {
  const order = answer.candidates.map((_, index) => index).sort((a, b) => (b === answer.chosen) - (a === answer.chosen) || answer.judgements[b].score - answer.judgements[a].score);
  const queries = answer.plan.queries.map(query => `“${query.text}”`).join(", ");
  const total = answer.timings.total;
  return element("details", { class: "why" },
    element("summary", {}, text("why") + (total ? ` · ${total.toFixed(2)} ${text("seconds")}` : "")),
    element("p", {}, answer.reason),
    element("p", { class: "quiet" }, `${text("probability")}: ${answer.plan.search_probability.toFixed(2)}. `, queries ? `${text("queries")} ${queries}. ` : "", answer.plan.reason),
    element("ol", { class: "candidates" }, ...order.map(index => candidate(answer, index, rules))));
}

function candidate(answer, index, rules) {
  const draft = answer.candidates[index], judged = answer.judgements[index], won = index === answer.chosen;
  const weakest = Object.entries(judged.rules).sort((a, b) => a[1] - b[1])[0];
  const rule = weakest && rules.find(each => each.id === weakest[0]);
  const ruleText = rule ? (currentLanguage() === "zh" ? rule.text_zh : rule.text_en) : weakest?.[0];
  return element("li", won ? { class: "won" } : {},
    element("div", {}, draft.text),
    element("div", { class: "quiet" }, [draft.origin, draft.evidence[0]?.document.title, won && text("won")].filter(Boolean).join(" · ")),
    element("div", { class: "scores" },
      meter("score", judged.score), meter("support", judged.support),
      element("div", {}, `${text("preference")} ${judged.preference.toFixed(2)}`),
      weakest ? element("div", { title: ruleText }, `${text("rules")} ${weakest[1].toFixed(2)}: ${ruleText}`) : null),
    element("p", { class: "reason" }, judged.reason));
}

const meter = (key, value) => element("div", {}, `${text(key)} ${value.toFixed(2)}`, element("meter", { min: 0, max: 1, value }));

function feedback(answer) {
  const node = element("div", { class: "feedback" });
  const consent = element("input", { type: "checkbox" });
  const reason = element("select", { hidden: true }, ...Object.entries(text("reasons")).map(([value, label]) => element("option", { value }, label)));
  const note = element("span", { class: "quiet", role: "status" });
  const thumb = (value, label) => element("button", { type: "button", "aria-label": text(value), title: text(value), "aria-pressed": "false", click: event => vote(value, event.currentTarget) }, label);
  const buttons = [thumb("up", "✓"), thumb("down", "✗")];

  async function send(vote) {
    try {
      await call("POST", "/v1/feedback", { kind: "vote", answer_id: answer.id, consent: consent.checked, ...vote });
      note.textContent = text("thanks");
    } catch (failure) {
      note.textContent = failure.message;
    }
  }
  function vote(value, pressed) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed));
    reason.hidden = value !== "down";
    if (value === "up") send({ thumb: "up" });
    else reason.focus();
  }
  reason.addEventListener("change", () => reason.value && send({ thumb: "down", reason: reason.value }));
  node.append(...buttons, reason, element("label", { class: "quiet" }, consent, " ", text("consent")), note);
  return node;
}
