// One answer as it grows: stages, text with citations, sources apart from what was only read, and why it was chosen.

import { attachCard } from "./card.js";
import { announce, button, element } from "./elements.js";
import { feedback } from "./feedback.js";
import { rulesKnown } from "./rules.js";
import { facts, openSource, placeOf, skeleton } from "./source.js";
import { failed, text } from "./texts.js";
import { why } from "./why.js";

/** An empty answer in the page; `handle` takes the events of the stream, `show` a whole answer. `retry` asks again. */
export function answerView(retry) {
  const stages = element("ol", { class: "stages" });
  const words = element("div", { class: "text", dir: "auto" });
  const waiting = element("div", { class: "waiting" }, ...skeleton());
  const rest = element("div");
  const node = element("article", { class: "answer", "aria-busy": "true", "aria-label": text("answer") }, stages, waiting, words, rest);
  let written = "", drafts = [];

  function stage(label, now = false) {
    stages.querySelector(".now")?.remove();
    stages.append(element("li", now ? { class: "now" } : {}, label));
    if (now) announce(label);
  }

  function handle({ name, data }) {
    if (name === "accepted") stage(text("planning"), true);
    if (name === "plan") {
      const queries = data.queries.map(query => `“${query.text}”`).join(" · ");
      stage(queries ? `${text("planned")} ${queries}` : text("noSearch"));
      if (queries) stage(text("searching"), true);
    }
    if (name === "search") {
      const titles = [...new Set(data.evidence.map(hit => hit.document.title))];
      if (titles.length) stage(`${text("reading", data.evidence.length)} ${titles.join(" · ")}`);
      stage(text("drafting"), true);
    }
    if (name === "candidates") {
      drafts = data.candidates;
      stage(text("drafted", drafts.length));
      stage(text("judging"), true);
    }
    if (name === "judgement" && !data.final) {
      stage(text("drafting"), true);
      if (data.chosen === null) return;
      waiting.remove(); // what is best so far can be read meanwhile
      words.classList.add("draft");
      words.textContent = drafts[data.chosen].text;
    }
    if (name === "answer") {
      waiting.remove();
      words.classList.remove("draft");
      words.textContent = written += data.delta;
    }
    if (name === "done") {
      show(data);
      announce(`${text(data.verdict)}. ${data.text}`);
    }
  }

  function show(answer) {
    settle();
    stages.remove();
    words.classList.remove("draft");
    words.replaceChildren(...marked(answer));
    if (answer.verdict !== "answered") node.prepend(element("p", { class: `verdict ${answer.verdict}` }, text(answer.verdict)));
    rest.replaceChildren(sources(answer));
    rulesKnown.then(() => rest.append(why(answer), feedback(answer)));
  }

  function settle() {
    waiting.remove();
    node.removeAttribute("aria-busy");
  }

  /** What stands in place of an answer: why there is none, and a way to ask again. */
  function end(message, severe) {
    settle();
    stages.querySelector(".now")?.remove();
    const again = retry ? button("retry", text("askAgain"), retry, { shown: true }) : null;
    rest.replaceChildren(element("div", { class: severe ? "error" : "stopped", role: severe ? "alert" : "status" }, element("p", {}, message), again));
  }

  return { node, handle, show, fail: failure => end(failed(failure), true), stop: () => end(text("stopped"), false) };
}

/** The text with its markers as buttons. */
function marked(answer) {
  const byNumber = new Map(answer.citations.map(citation => [citation.number, citation]));
  return answer.text.split(/(\[\d+\])/).map(piece => {
    const citation = /^\[\d+\]$/.test(piece) && byNumber.get(Number(piece.slice(1, -1)));
    if (!citation) return piece;
    const marker = element("button", { class: "cite", type: "button", "aria-label": text("citation", citation.number, citation.title) }, String(citation.number));
    attachCard(marker, citation);
    return marker;
  });
}

function sources(answer) {
  const cited = answer.citations.map(citation => entry(citation, `“${citation.quote}”`, citation.number));
  const bare = answer.verdict === "answered" && !cited.length && answer.plan.queries.length;
  return element("div", { class: "sources" },
    answer.failed ? element("p", { class: "notice", dir: "auto" }, text("withoutSecond"), " ", answer.failed) : null,
    ...group("used", cited),
    bare ? element("p", { class: "quiet" }, text("noCitations")) : null,
    ...group("nearest", answer.nearest.map(passage)),
    ...(answer.nearest.length ? [] : folded("also", answer.read.map(passage))));
}

const passage = hit => entry(placeOf(hit), hit.passage.text, null);
const group = (key, entries) => entries.length ? [element("h3", {}, text(key)), element("ul", {}, ...entries)] : [];
const folded = (key, entries) => entries.length ? [element("details", {}, element("summary", {}, `${text(key)} (${entries.length})`), element("ul", {}, ...entries))] : [];

function entry(where, words, number) {
  return element("li", {}, element("button", { type: "button", dir: "auto", click: () => openSource(where) },
    element("span", { class: "title" }, number ? element("span", { class: "number" }, String(number)) : null, where.title || where.document_id),
    element("span", { class: "quiet" }, facts(where)),
    element("span", { class: number ? "words" : "words short" }, words)));
}
