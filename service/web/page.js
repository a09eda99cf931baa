// The chat page: one conversation at a time, its address in the hash, the others in the list.

import { answerView } from "./answer.js";
import { element } from "./elements.js";
import { ask, call, Failure } from "./service.js";
import { closeSource } from "./source.js";
import { currentLanguage, text, useLanguage } from "./texts.js";

const page = id => document.getElementById(id);
const main = document.querySelector("main");
const SUGGESTIONS = {
  en: ["Who commanded Apollo 11?", "How tall was the Saturn V?", "How long did Valeri Polyakov stay aboard Mir?"],
  zh: ["神舟五号是哪一年发射的？", "捷列什科娃绕地球飞行了多少圈？", "天宫空间站的轨道高度是多少？"],
};
const rules = [];
let conversation = null, working = null, examples = false;

async function send(question) {
  if (working) return;
  working = new AbortController();
  busy(true);
  const view = answerView(rules);
  page("messages").append(element("div", { class: "asked" }, question), view.node);
  main.classList.remove("empty");
  follow(view.node);
  try {
    const body = { message: question, ...(conversation ? { conversation_id: conversation } : {}) };
    for await (const event of ask(body, working.signal)) {
      if (event.name === "accepted" && !conversation) {
        conversation = event.data.conversation_id;
        history.replaceState(null, "", `/#${conversation}`);
      }
      view.handle(event);
      follow(view.node);
    }
  } catch (failure) {
    if (working.signal.aborted) view.fail(text("stopped"));
    else if (failure instanceof Failure) view.fail(failure.message, failure.hint);
    else view.fail(text("broken"));
  }
  working = null;
  busy(false);
  listConversations();
}

function busy(state) {
  page("send").hidden = state;
  page("stop").hidden = !state;
  if (!state) page("question").focus();
}

const follow = node => node.scrollIntoView({ block: "end" });

async function show(id) {
  working?.abort();
  closeSource();
  conversation = id;
  page("messages").replaceChildren();
  main.classList.toggle("empty", !id);
  page("conversations").classList.remove("open");
  if (!id) return;
  try {
    const { turns } = await call("GET", `/v1/conversations/${encodeURIComponent(id)}`);
    for (const turn of turns) page("messages").append(turnNode(turn));
    page("messages").lastElementChild?.scrollIntoView({ block: "end" });
  } catch (failure) {
    conversation = null;
    main.classList.add("empty");
    history.replaceState(null, "", "/");
    page("notice").textContent = failure.message;
  }
}

function turnNode(turn) {
  if (turn.role === "user") return element("div", { class: "asked" }, turn.text);
  const view = answerView(rules);
  if (turn.answer) view.show(turn.answer);
  else if (turn.error) view.fail(turn.error.message, turn.error.hint);
  else view.fail(turn.state === "stopped" ? text("stopped") : text("working"));
  return view.node;
}

async function listConversations() {
  const { conversations } = await call("GET", "/v1/conversations?limit=100");
  page("history").replaceChildren(...conversations.map(each => element("li", each.id === conversation ? { class: "current" } : {},
    element("a", { href: `/#${each.id}`, title: each.title }, each.title),
    element("button", { class: "plain", "aria-label": text("remove"), title: text("remove"), click: () => remove(each.id) }, "✕"))));
}

async function remove(id) {
  if (!confirm(text("removeQuestion"))) return;
  await call("DELETE", `/v1/conversations/${encodeURIComponent(id)}`);
  if (id === conversation) location.hash = "";
  listConversations();
}

async function refreshStatus() {
  try {
    const status = await call("GET", "/v1/status");
    const size = status.index ? text("size", status.index.documents, status.index.passages) : "";
    page("size").textContent = status.refresh.running ? `${size} · ${text("refreshing", status.refresh.done, status.refresh.total)}` : size;
    page("notice").textContent = status.ready ? "" : text("starting");
    page("question").maxLength = status.limits.question;
    const before = examples;
    examples = Boolean(status.index?.sources.some(({ source }) => source.endsWith("/indexing/examples")));
    if (examples !== before) suggest();
    setTimeout(refreshStatus, status.ready && !status.refresh.running ? 30_000 : 1_000);
  } catch {
    setTimeout(refreshStatus, 5_000);
  }
}

function suggest() {
  const shown = examples ? SUGGESTIONS[currentLanguage()] : [];
  page("suggestions").replaceChildren(...shown.map(question => element("button", { type: "button", click: () => send(question) }, question)));
}

function submit() {
  const question = page("question").value.trim();
  if (!question || working) return;
  page("question").value = "";
  grow();
  send(question);
}

function grow() {
  const box = page("question");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

// An input method uses Enter to choose a word: only an Enter outside of it sends (229 is what older browsers report).
page("question").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});
page("question").addEventListener("input", grow);
page("composer").addEventListener("submit", event => { event.preventDefault(); submit(); });
page("stop").addEventListener("click", () => working?.abort());
page("new").addEventListener("click", () => { location.hash = ""; show(null); page("question").focus(); });
page("menu").addEventListener("click", () => {
  const open = page("conversations").classList.toggle("open");
  page("menu").setAttribute("aria-expanded", String(open));
});
page("language").addEventListener("click", () => {
  useLanguage(currentLanguage() === "zh" ? "en" : "zh");
  suggest();
  listConversations();
  if (!working) show(conversation);
});
addEventListener("hashchange", () => {
  const id = location.hash.slice(1) || null;
  if (id !== conversation) show(id).then(listConversations);
});

useLanguage();
refreshStatus();
listConversations().catch(() => {});
call("GET", "/v1/rules").then(found => rules.push(...found.rules), () => {});
const asked = new URLSearchParams(location.search).get("q")?.trim();
// Nothing is cleared after a wait: whoever asks before the page is complete keeps his question.
main.classList.add("empty");
if (location.hash.length > 1) await show(location.hash.slice(1));
page("question").focus();
if (asked) {
  history.replaceState(null, "", "/");
  send(asked);
}
