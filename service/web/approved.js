// Approved answers: questions and answers that a person reviewed, listed, added, edited and removed.

import { announce, button, confirmed, element, page } from "./elements.js";
import { call } from "./service.js";
import { skeleton } from "./source.js";
import { currentLanguage, failed, text } from "./texts.js";

const PATH = "/v1/approved-answers", PER_PAGE = 50;
const LANGUAGES = { en: "English", zh: "中文" };
const panel = page("approved-panel"), list = element("ul", {}), rest = element("p", { class: "rest" });
let may = false, asked = 0;

/** Reads the list; one who may not edit sees it without its buttons. What is being written stays. */
export async function showApproved(edits) {
  may = edits;
  if (list.querySelector("form")) return;
  panel.replaceChildren(element("p", { class: "quiet" }, text("approvedHint")),
    may ? button("plus", text("addApproved"), () => { if (!list.querySelector("form.new")) list.prepend(editor(null)); list.querySelector("form.new textarea").focus(); }, { shown: true }) : "",
    list, rest);
  list.replaceChildren(element("li", {}, ...skeleton()));
  await more(0, ++asked);
}

async function more(offset, turn) {
  try {
    const found = await call("GET", `${PATH}?limit=${PER_PAGE}&offset=${offset}`);
    if (turn !== asked) return;
    if (!offset) list.replaceChildren();
    list.append(...found.approved_answers.map(row));
    if (!found.total) list.append(element("li", { class: "nothing" }, text("noApproved")));
    const shown = offset + found.approved_answers.length;
    rest.replaceChildren(...(shown < found.total ? [element("button", { type: "button", class: "quiet-button", click: () => more(shown, turn) }, text("more"))] : []));
  } catch (failure) {
    if (turn === asked) list.replaceChildren(element("li", { class: "error", role: "alert" }, failed(failure), button("retry", text("tryAgain"), () => more(0, turn), { shown: true })));
  }
}

/** The language of the page first, then whatever there is. */
const own = texts => texts[currentLanguage()] ?? Object.values(texts)[0];

function row(entry) {
  const asks = own(entry.questions), wordings = Object.values(entry.questions).flat().length;
  const node = element("li", { class: "entry" },
    element("div", { class: "grow" },
      element("strong", { dir: "auto" }, asks[0]),
      element("p", { dir: "auto" }, own(entry.answers)),
      element("p", { class: "quiet" }, [Object.keys(entry.answers).map(language => LANGUAGES[language] ?? language).join(", "), text("wordings", wordings), entry.id].join(" · "))),
    may ? button("edit", `${text("edit")}: ${asks[0]}`, () => { const item = editor(entry, node); node.replaceWith(item); item.querySelector("textarea").focus(); }) : null,
    may ? button("trash", `${text("remove")}: ${asks[0]}`, () => remove(entry, node)) : null);
  return node;
}

async function remove(entry, node) {
  if (!await confirmed(text("removeApproved", own(entry.questions)[0]), text("remove"), text("cancel"))) return;
  try {
    await call("DELETE", `${PATH}/${encodeURIComponent(entry.id)}`);
    await showApproved(may);
  } catch (failure) {
    node.after(element("li", { class: "error", role: "alert" }, failed(failure)));
  }
}

// Writing one: wordings of the question and the answer, in one language or both.

function editor(entry, node = null) {
  const field = (rows, value) => { const box = element("textarea", { rows, maxlength: 20000, dir: "auto" }); box.value = value; return box; };
  const boxes = Object.fromEntries(Object.keys(LANGUAGES).map(language => [language, {
    questions: field(3, (entry?.questions[language] ?? []).join("\n")), answer: field(3, entry?.answers[language] ?? "") }]));
  const name = element("input", { maxlength: 100, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off", title: text("nameHint") });
  const wrong = element("p", { class: "error", role: "alert", hidden: true }), save = element("button", { class: "main" }, text("save"));
  const close = () => { item.replaceWith(...(node ? [node] : [])); };
  const form = element("form", { class: entry ? "sheet" : "sheet new", "aria-label": text(entry ? "edit" : "addApproved") },
    element("div", { class: "languages" }, ...Object.entries(LANGUAGES).map(([language, called]) => element("fieldset", { lang: language === "zh" ? "zh-Hans" : language },
      element("legend", {}, called),
      element("label", {}, element("span", {}, text("questionsHint")), boxes[language].questions),
      element("label", {}, element("span", {}, text("answer")), boxes[language].answer)))),
    entry ? "" : element("label", {}, element("span", {}, text("nameOptional")), name), wrong,
    element("div", { class: "row end" }, element("button", { type: "button", class: "quiet-button", click: close }, text("cancel")), save));
  const tell = words => { wrong.hidden = false; wrong.textContent = words; };
  form.addEventListener("submit", async event => {
    event.preventDefault();
    wrong.hidden = true;
    const said = written(boxes);
    if (!said) return tell(text("approvedNeeds"));
    save.disabled = true;
    try {
      const id = entry?.id ?? await free(name.value.trim(), said.questions);
      if (!id) return tell(text("nameTaken", name.value.trim()));
      const kept = await call("PUT", `${PATH}/${encodeURIComponent(id)}`, said);
      item.replaceWith(row(kept));
      list.querySelector(":scope > .nothing")?.remove();
      announce(text("approvedSaved"));
    } catch (failure) {
      tell(failed(failure));
    } finally {
      save.disabled = false;
    }
    return null;
  });
  const item = element("li", {}, form);
  return item;
}

/** What was written, null where a question or an answer is missing. */
function written(boxes) {
  const said = { questions: {}, answers: {} };
  for (const [language, { questions, answer }] of Object.entries(boxes)) {
    const lines = questions.value.split("\n").map(line => line.trim()).filter(Boolean);
    if (lines.length) said.questions[language] = lines;
    if (answer.value.trim()) said.answers[language] = answer.value.trim();
  }
  return Object.keys(said.questions).length && Object.keys(said.answers).length ? said : null;
}

/** The name that was given, "" when another entry has it; else one made of the question. */
async function free(given, questions) {
  const words = (Object.values(questions)[0][0].toLowerCase().match(/[a-z0-9]+/g) ?? []).slice(0, 6).join("-");
  const base = given || words || "answer";
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`;
    const taken = await call("GET", `${PATH}/${encodeURIComponent(id)}`).then(() => true, failure => {
      if (failure.code !== "not_found") throw failure;
      return false;
    });
    if (!taken) return id;
    if (given) return "";
  }
}
