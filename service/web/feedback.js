// What a person says about an answer: a thumb with reasons, the better of two drafts, a broken rule, a better answer.

import { button, element } from "./elements.js";
import { remember, remembered } from "./memory.js";
import { ruleOptions } from "./rules.js";
import { call } from "./service.js";
import { currentLanguage, failed, text } from "./texts.js";

/** The bar under an answer. Each of its tools opens below it; one at a time. */
export function feedback(answer) {
  const tool = element("div", { class: "tool", hidden: true });
  const note = element("span", { class: "quiet", role: "status" });
  const consent = element("input", { type: "checkbox", change: () => remember("consent", String(consent.checked)) });
  consent.checked = remembered("consent") === "true";

  const send = sender(answer, note);
  const openers = [];
  function toggle(opener, make) {
    const opened = opener.getAttribute("aria-expanded") === "true";
    for (const each of openers) each.setAttribute("aria-expanded", "false");
    tool.hidden = opened;
    tool.replaceChildren();
    if (opened) return;
    note.textContent = "";
    opener.setAttribute("aria-expanded", "true");
    tool.append(make(close));
    tool.querySelector("select, textarea, button")?.focus();
  }
  function close() {
    for (const each of openers) each.setAttribute("aria-expanded", "false");
    tool.hidden = true;
    tool.replaceChildren();
  }
  function opening(name, label, make) {
    const opener = button(name, label, () => toggle(opener, make), { "aria-expanded": "false" });
    openers.push(opener);
    return opener;
  }

  async function vote(thumb, opinion) {
    const kept = await send({ kind: "vote", ...opinion });
    if (kept) for (const each of [up, down]) each.setAttribute("aria-pressed", String(each === thumb));
    return kept;
  }
  const up = button("up", text("up"), () => { close(); vote(up, { thumb: "up" }); }, { "aria-pressed": "false" });
  const down = opening("down", text("down"), done => thumbDown(opinion => vote(down, { thumb: "down", ...opinion }), done));
  down.setAttribute("aria-pressed", "false");
  const distinct = pairs(answer);
  return element("div", { class: "feedback" },
    element("div", { class: "row" }, up, down,
      distinct.length ? opening("compare", text("compare"), done => comparison(answer, distinct, send, done)) : null,
      answer.chosen == null ? null : opening("flag", text("reportRule"), done => ruleForm(answer.chosen, send, done)),
      opening("edit", text("correct"), done => correction(answer, send, done)),
      button("copy", text("copy"), async () => {
        try { await navigator.clipboard.writeText(copied(answer)); note.textContent = text("copied"); } catch { note.textContent = text("notCopied"); }
      }),
      element("label", { class: "quiet consent" }, consent, element("span", {}, text("consent"))), note),
    tool);
}

/** Gives a function that sends an opinion on the answer and says in `note` how that went; true when it is kept. */
function sender(answer, note) {
  return async opinion => {
    try {
      await call("POST", "/v1/feedback", { answer_id: answer.id, consent: remembered("consent") === "true", ...opinion });
      note.textContent = text("thanks");
      return true;
    } catch (failure) {
      note.textContent = failed(failure);
      return false;
    }
  };
}

/** The answer with its sources as plain text. */
function copied(answer) {
  const notes = answer.citations.map(({ number, title, url, quote }) => `[${number}] ${title}${url ? `, ${url}` : ""}: “${quote}”`);
  return [answer.text, ...notes].join("\n");
}

function thumbDown(vote, done) {
  let reason = "";
  const comment = element("textarea", { rows: 2, maxlength: 20000, placeholder: text("comment"), "aria-label": text("comment") });
  const reasons = Object.entries(text("reasons")).map(([value, label]) => element("label", { class: "chip" },
    element("input", { type: "radio", name: "reason", value, change: () => { reason = value; } }), element("span", {}, label)));
  return form(text("whatWasWrong"), [element("div", { class: "chips" }, ...reasons), comment], done, async () => {
    const words = comment.value.trim();
    return vote({ ...(reason ? { reason } : {}), ...(words ? { comment: words } : {}) });
  });
}

/** Pairs of drafts that say different things, those with the best scores first. */
function pairs(answer) {
  const order = answer.candidates.map((_, index) => index).sort((a, b) => answer.judgements[b].score - answer.judgements[a].score);
  const found = [];
  for (const [place, a] of order.entries())
    for (const b of order.slice(place + 1))
      if (answer.candidates[a].text !== answer.candidates[b].text) found.push(Math.random() < 0.5 ? [a, b] : [b, a]);
  return found;
}

/** Two drafts beside each other, in an order by chance and without their scores, so that neither is favoured. */
function comparison(answer, waiting, send, done) {
  const rest = [...waiting], count = rest.length;
  const node = element("div", { class: "comparison" });
  function next() {
    const pair = rest.shift();
    if (!pair) return done();
    const [a, b] = pair;
    const vote = async choice => { if (await send({ kind: "pair", a, b, choice })) next(); };
    const side = (index, choice, label) => element("div", { class: "side" },
      element("p", { dir: "auto" }, answer.candidates[index].text),
      ...answer.candidates[index].evidence.slice(0, 1).map(hit => element("p", { class: "quiet", dir: "auto" }, hit.document.title)),
      element("button", { type: "button", class: "quiet-button", click: () => vote(choice) }, label));
    node.replaceChildren(
      element("p", { class: "row" }, element("strong", { class: "grow" }, text("whichIsBetter")), element("span", { class: "quiet" }, `${count - rest.length} / ${count}`)),
      element("div", { class: "sides" }, side(a, "a", text("thisOne")), side(b, "b", text("thisOne"))),
      element("div", { class: "row" },
        element("button", { type: "button", class: "quiet-button", click: () => vote("both_good") }, text("bothGood")),
        element("button", { type: "button", class: "quiet-button", click: () => vote("both_bad") }, text("bothBad")),
        element("button", { type: "button", class: "quiet-button", click: next }, text("skipPair")),
        element("button", { type: "button", class: "quiet-button", click: done }, text("close"))));
  }
  next();
  return node;
}

/** A report about one draft, for the list under "why this answer". */
export function ruleReport(answer, index) {
  const note = element("span", { class: "quiet", role: "status" });
  const node = element("div");
  const opener = button("flag", text("reportRule"), () => node.replaceChildren(ruleForm(index, sender(answer, note), close), note), { shown: true });
  const close = () => node.replaceChildren(opener, note);
  close();
  return node;
}

function ruleForm(candidate, send, done) {
  const select = element("select", { "aria-label": text("whichRule"), required: true }, element("option", { value: "" }, text("whichRule")), ...ruleOptions());
  const comment = element("textarea", { rows: 2, maxlength: 20000, placeholder: text("comment"), "aria-label": text("comment") });
  return form(text("reportRule"), [select, comment], done, async () => {
    const words = comment.value.trim();
    return select.value && send({ kind: "rule", candidate, rule: select.value, ...(words ? { comment: words } : {}) });
  });
}

function correction(answer, send, done) {
  const better = element("textarea", { rows: 4, maxlength: 20000, dir: "auto", "aria-label": text("shouldHaveSaid") });
  better.value = answer.text.replace(/ ?\[\d+\]/g, "").replaceAll("\u2060", "");
  return form(text("shouldHaveSaid"), [better], done, async () => better.value.trim() && send({ kind: "edit", text: better.value.trim() }));
}

function form(title, fields, done, submit) {
  return element("form", {
    submit: async event => {
      event.preventDefault();
      if (await submit()) done();
    },
  }, element("p", {}, element("strong", {}, title)), ...fields,
  element("div", { class: "row" },
    element("button", { type: "submit", class: "main" }, text("submit")),
    element("button", { type: "button", class: "quiet-button", click: done }, text("cancel"))));
}
