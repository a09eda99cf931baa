// The chat view: one conversation at a time, its id in the address; questions of others go on beside it.

import { answerView } from "./answer.js";
import { hide } from "./card.js";
import { button, element, icon, page } from "./elements.js";
import { refreshHistory } from "./history.js";
import { remember, remembered } from "./memory.js";
import { navigate } from "./router.js";
import { ask, call, Failure } from "./service.js";
import { closeSource } from "./source.js";
import { failed, text } from "./texts.js";

const SOON = 1_000, LATER = 10_000; // between two looks at an answer that goes on elsewhere: at first, and at most
const PASSING = ["offline", "rate_limited"];
const chat = page("chat"), messages = page("messages"), box = page("question");
const running = new Map();
let conversation = null, last = "", opening = 0, usual = "";

export const currentConversation = () => conversation;
/** What the search view looks for when it takes over: what is being written, else the last question. */
export const currentQuestion = () => box.value.trim() || last;

/** Writes a question into the box, to be sent by the person. */
export function propose(question) {
  box.value = question;
  grow();
  box.focus();
}

/** The service's own mode: it holds for those who have not chosen one. */
export function useMode(mode) {
  usual = mode;
  page("depth").value = remembered("depth", usual);
}

/** Sends a question in the conversation that is shown, or begins one. */
export async function send(question) {
  if (running.has(conversation)) return;
  const turn = newTurn(question);
  messages.querySelector(".followups")?.remove();
  messages.append(turn.node);
  chat.classList.remove("empty");
  last = question;
  const stopping = new AbortController();
  let own = conversation;
  running.set(own, stopping);
  busy();
  turn.node.scrollIntoView({ block: "start" });
  try {
    const body = { message: question, mode: remembered("depth", usual) || undefined, ...(own ? { conversation_id: own } : {}) };
    for await (const event of ask(body, stopping.signal)) {
      if (event.name === "accepted" && !own) {
        running.delete(null);
        own = event.data.conversation_id;
        running.set(own, stopping);
        if (turn.node.isConnected) {
          conversation = own;
          history.replaceState(null, "", `/#${own}`);
        }
        refreshHistory();
      }
      turn.view.handle(event);
    }
    if (turn.node.isConnected) offer(own, turn.node);
  } catch (failure) {
    if (stopping.signal.aborted) turn.view.stop();
    else turn.view.fail(failure instanceof Failure ? failure : new Failure({ code: "broken", message: text("broken") }));
  }
  running.delete(own);
  if (!turn.node.isConnected && own && own === conversation) show(own);
  busy();
  refreshHistory();
}

/** Puts questions that the documents answer under the last turn; without them the turn stays as it is. */
async function offer(id, node) {
  const { suggestions } = await call("GET", `/v1/conversations/${encodeURIComponent(id)}/suggestions`).catch(() => ({ suggestions: [] }));
  if (!suggestions.length || node !== messages.lastElementChild) return;
  const asks = ({ text: question }) => element("li", {}, element("button", { type: "button", dir: "auto", click: () => send(question) }, icon("next"), element("span", {}, question)));
  node.append(element("nav", { class: "followups", "aria-label": text("askNext") }, element("h3", {}, text("askNext")), element("ul", {}, ...suggestions.map(asks))));
}

/** A question with its answer below. Asking again takes the place of an attempt that failed. */
function newTurn(question) {
  const view = answerView(() => { node.remove(); send(question); });
  const node = element("section", { class: "turn" }, element("h2", { class: question.length > 140 ? "asked long" : "asked", dir: "auto" }, question), view.node);
  return { node, view };
}

function busy() {
  const works = running.has(conversation);
  page("send").hidden = works;
  page("stop").hidden = !works;
}

/** Stops the question that is being answered; the service then frees the model. */
export function stop() {
  const works = running.get(conversation);
  works?.abort();
  return Boolean(works);
}

/** Shows a conversation, or the welcome when there is no id. */
export async function show(id) {
  const turn = ++opening;
  closeSource();
  hide();
  conversation = id;
  last = "";
  messages.replaceChildren();
  chat.classList.toggle("empty", !id);
  busy();
  if (!id) return;
  messages.setAttribute("aria-busy", "true");
  try {
    const { turns } = await call("GET", `/v1/conversations/${encodeURIComponent(id)}`);
    if (turn !== opening) return;
    const nodes = stored(turns);
    messages.replaceChildren(...nodes);
    nodes.at(-1)?.scrollIntoView({ block: "start" });
    if (turns.at(-1)?.answer) offer(id, nodes.at(-1));
    if (turns.some(isWorking)) setTimeout(watch, SOON, id, turn, SOON);
  } catch (failure) {
    if (turn !== opening) return;
    const away = failure.code === "offline";
    messages.replaceChildren(element("div", { class: "error", role: "alert" }, element("p", {}, failed(failure)),
      away ? button("retry", text("tryAgain"), () => show(id), { shown: true }) : element("a", { href: "/", "data-inside": true }, text("newConversation"))));
  }
  messages.removeAttribute("aria-busy");
}

const isWorking = turn => turn.state === "working";

/** Shows the conversation anew when the questions that another tab asked, or that a reload cut off, have their end, or
 * when it cannot be read. It looks less and less often, and goes on while the service is away or wants no more requests. */
async function watch(id, turn, waited) {
  if (turn !== opening) return;
  const goesOn = await call("GET", `/v1/conversations/${encodeURIComponent(id)}`).then(({ turns }) => turns.some(isWorking), ({ code }) => PASSING.includes(code));
  if (turn !== opening) return;
  const wait = Math.min(1.5 * waited, LATER);
  if (goesOn) setTimeout(watch, wait, id, turn, wait);
  else show(id);
}

/** The turns of a stored conversation, each question with its answer or with what became of it. */
function stored(turns) {
  const nodes = [];
  turns.forEach((turn, place) => {
    if (turn.role !== "user") return;
    last = turn.text;
    const { node, view } = newTurn(turn.text);
    const answer = turns[place + 1]?.answer;
    if (answer) view.show(answer);
    else if (turn.state === "stopped") view.stop();
    else if (turn.error) view.fail(new Failure(turn.error));
    else view.handle({ name: "accepted" });
    nodes.push(node);
  });
  return nodes;
}

/** Questions that the bundled examples answer. */
export function suggest(questions) {
  page("suggestions").replaceChildren(...questions.map(question => element("button", { type: "button", dir: "auto", click: () => send(question) }, question)));
}

function submit() {
  const question = box.value.trim();
  if (!question || running.has(conversation)) return;
  box.value = "";
  grow();
  send(question);
}

function grow() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
  const room = box.maxLength > 0 && box.value.length > 0.8 * box.maxLength;
  page("room").textContent = room ? `${box.value.length} / ${box.maxLength}` : "";
}

/** Whether Enter sends: an input method uses it to choose a word (229 is what older browsers report), Shift for a line. */
export const sends = event => event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;

box.addEventListener("keydown", event => {
  if (!sends(event)) return;
  event.preventDefault();
  submit();
});
box.addEventListener("input", grow);
page("composer").addEventListener("submit", event => { event.preventDefault(); submit(); });
page("stop").addEventListener("click", () => { stop(); box.focus(); });
page("depth").value = remembered("depth", "careful");
page("depth").addEventListener("change", () => remember("depth", page("depth").value));
page("new").addEventListener("click", () => { navigate("/"); box.focus(); });
