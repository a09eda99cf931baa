// The annotation view: two drafts of a stored answer compared blindly, one rule probed at a time, and the ratings.

import { answerView } from "./answer.js";
import { announce, button, element, page } from "./elements.js";
import { remember, remembered } from "./memory.js";
import { ruleOptions, rulesKnown, ruleText } from "./rules.js";
import { ask, call, Failure } from "./service.js";
import { shortcut } from "./shortcuts.js";
import { skeleton } from "./source.js";
import { tabs } from "./tabs.js";
import { currentLanguage, failed, text } from "./texts.js";

const BATCH = 20;
const view = page("annotate"), comparing = page("compare-panel"), note = page("annotate-note"), consent = page("annotate-consent");
const show = tabs("annotation", ["compare", "probe"]);
let pairs = [], skipped = new Set(), given = [], summary = { pairs: 0, ratings: [], rules: [] }, asked = 0;

/** Shows the view anew: what waits to be compared, and what the comparisons add up to. */
export async function showAnnotation() {
  consent.checked = remembered("consent") === "true";
  show(remembered("annotation", "compare"));
  rulesKnown.then(fillRules);
  await Promise.all([next(true), summed()]);
}

// Two drafts beside each other. The service chooses which, and their order.

async function next(anew = false) {
  const turn = ++asked;
  if (anew) pairs = [];
  if (!pairs.length) {
    comparing.replaceChildren(...skeleton());
    try {
      const found = await call("GET", `/v1/feedback/pairs?limit=${Math.min(100, BATCH + skipped.size)}`);
      if (turn !== asked) return;
      pairs = found.pairs.filter(pair => !skipped.has(key(pair)));
    } catch (failure) {
      if (turn === asked) comparing.replaceChildren(element("div", { class: "error", role: "alert" }, element("p", {}, failed(failure)), button("retry", text("tryAgain"), () => next(true), { shown: true })));
      return;
    }
  }
  comparing.replaceChildren(...(pairs.length ? comparison(pairs[0]) : [element("p", { class: "nothing" }, text("nothingToCompare"))]));
}

const key = ({ answer_id, a, b }) => `${answer_id} ${a.index} ${b.index}`;

function comparison({ dialogue, a, b }) {
  const before = dialogue.slice(0, -1);
  const choice = (name, label, hint) => element("button", { type: "button", class: "quiet-button", click: () => choose(name) }, label, element("kbd", { "aria-hidden": "true" }, hint));
  return [
    before.length ? element("details", {}, element("summary", {}, text("earlierTurns", before.length)),
      ...before.map(turn => element("p", { class: turn.role === "user" ? "asker" : "quiet", dir: "auto" }, turn.text))) : null,
    element("p", { class: "asked", dir: "auto" }, dialogue.at(-1).text),
    element("div", { class: "sides" }, side("A", a), side("B", b)),
    element("div", { class: "row choices" }, choice("a", text("aBetter"), "1"), choice("b", text("bBetter"), "2"),
      choice("both_good", text("bothGood"), "3"), choice("both_bad", text("bothBad"), "4"),
      element("button", { type: "button", class: "quiet-button", click: skip }, text("skipPair"), element("kbd", { "aria-hidden": "true" }, "s"))),
    element("p", { class: "quiet" }, text("compared", summary.pairs)),
  ].filter(Boolean);
}

function side(letter, { text: words, quotes, titles }) {
  return element("article", { class: "side", "aria-label": text("draft", letter) },
    element("span", { class: "number", "aria-hidden": "true" }, letter),
    element("p", { dir: "auto" }, words),
    ...quotes.filter(quote => !words.includes(quote)).map(quote => element("p", { class: "quiet", dir: "auto" }, `“${quote}”`)),
    element("p", { class: "quiet", dir: "auto" }, titles.join(" · ") || text("withoutQuote")));
}

async function choose(choice) {
  const pair = pairs[0];
  if (!pair || comparing.getAttribute("aria-busy")) return;
  comparing.setAttribute("aria-busy", "true");
  if (await give({ kind: "pair", answer_id: pair.answer_id, a: pair.a.index, b: pair.b.index, choice }, () => pairs.unshift(pair))) {
    pairs.shift();
    await Promise.all([next(), summed()]);
  }
  comparing.removeAttribute("aria-busy");
}

function skip() {
  if (!pairs.length) return;
  skipped.add(key(pairs.shift()));
  next();
}

// What was said is sent at once, and can be taken back.

async function give(opinion, back) {
  try {
    const { id } = await call("POST", "/v1/feedback", { consent: consent.checked, ...opinion });
    given.push({ id, back });
    page("undo").disabled = false;
    tell(text("thanks"));
    return true;
  } catch (failure) {
    tell(failed(failure), true);
    return false;
  }
}

function tell(words, bad = false) {
  note.textContent = words;
  note.classList.toggle("error", bad);
}

async function undo() {
  const last = given.at(-1);
  if (!last) return;
  page("undo").disabled = true;
  try {
    await call("DELETE", `/v1/feedback/${encodeURIComponent(last.id)}`);
    given.pop();
    last.back();
    tell(text("undone"));
    await Promise.all([next(), summed()]);
  } catch (failure) {
    tell(failed(failure), true);
  }
  page("undo").disabled = !given.length;
}

// One rule at a time: its text, a conversation, and whether the rule was broken in it.

let conversation = null, works = null;

function fillRules() {
  const select = page("probe-rule"), chosen = select.value || remembered("probed rule");
  select.replaceChildren(...ruleOptions());
  if ([...select.options].some(option => option.value === chosen)) select.value = chosen;
  fillRule();
}

function fillRule() {
  const id = page("probe-rule").value, found = summary.rules.find(each => each.rule === id);
  page("rule-text").textContent = id ? ruleText(id) : "";
  page("probe-count").textContent = id ? text("probed", found?.kept ?? 0, found?.broken ?? 0) : "";
}

function restart() {
  works?.abort();
  conversation = null;
  page("probe-turns").replaceChildren();
}

async function probe() {
  const words = page("probe-box").value.trim(), rule = page("probe-rule").value;
  if (!words || !rule || works) return;
  page("probe-box").value = "";
  const shown = answerView(null);
  const turn = element("section", { class: "turn" }, element("h3", { class: "asked long", dir: "auto" }, words), shown.node);
  page("probe-turns").append(turn);
  const stopping = works = new AbortController();
  try {
    for await (const event of ask({ message: words, ...(conversation ? { conversation_id: conversation } : {}) }, stopping.signal)) {
      shown.handle(event);
      if (event.name !== "done") continue;
      conversation = event.data.conversation_id;
      turn.append(verdict(event.data, rule));
    }
  } catch (failure) {
    if (!stopping.signal.aborted) shown.fail(failure instanceof Failure ? failure : new Failure({ code: "broken", message: text("broken") }));
  }
  if (works === stopping) works = null;
}

/** Whether the rule was broken, as a question under an answer. */
function verdict(answer, rule) {
  if (answer.chosen == null) return element("p", { class: "quiet" }, text("saidNothing"));
  const node = element("div", { class: "row judged", role: "group", "aria-label": text("wasItBroken") });
  const judge = async kept => {
    for (const each of node.querySelectorAll("button")) each.disabled = true;
    const back = () => { if (node.isConnected) fill(); };
    if (await give({ kind: "rule", answer_id: answer.id, candidate: answer.chosen, rule, kept }, back)) {
      node.replaceChildren(element("span", { class: "badge" }, text(kept ? "ruleKept" : "ruleBroken")), element("span", { class: "quiet", dir: "auto" }, ruleText(rule)));
      summed();
    } else for (const each of node.querySelectorAll("button")) each.disabled = false;
  };
  const fill = () => node.replaceChildren(element("strong", {}, text("wasItBroken")),
    element("button", { type: "button", class: "danger", click: () => judge(false) }, text("ruleBroken")),
    element("button", { type: "button", class: "quiet-button", click: () => judge(true) }, text("ruleKept")),
    element("button", { type: "button", class: "quiet-button", click: () => node.remove() }, text("skipPair")));
  fill();
  return node;
}

// What it adds up to

async function summed() {
  summary = await call("GET", "/v1/feedback/summary").catch(() => summary);
  const whole = new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: 0 });
  page("ratings").querySelector("tbody").replaceChildren(...(summary.ratings.length
    ? summary.ratings.map(each => element("tr", {}, element("td", {}, each.name), element("td", {}, whole.format(each.rating)), element("td", {}, whole.format(each.comparisons))))
    : [element("tr", {}, element("td", { colspan: 3, class: "nothing" }, text("noRatings")))]));
  const count = comparing.querySelector(":scope > p.quiet:last-child");
  if (count) count.textContent = text("compared", summary.pairs);
  fillRule();
}

// Keys

const compares = () => !view.hidden && !comparing.hidden;
const where = (fits, act) => () => {
  if (!fits()) return false;
  act();
  return true;
};
for (const [digit, choice] of Object.entries({ 1: "a", 2: "b", 3: "both_good", 4: "both_bad" })) shortcut(digit, where(compares, () => choose(choice)));
shortcut("s", where(compares, skip));
shortcut("u", where(() => !view.hidden, undo));
page("undo").addEventListener("click", undo);
consent.addEventListener("change", () => remember("consent", String(consent.checked)));
page("probe-rule").addEventListener("change", () => { remember("probed rule", page("probe-rule").value); restart(); fillRule(); });
page("prober").addEventListener("submit", event => { event.preventDefault(); probe(); });
page("probe-box").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  probe();
});
page("probe-new").addEventListener("click", () => { restart(); page("probe-box").focus(); });
