// The list of conversations: searched, renamed, exported, shared, deleted.

import { button, confirmed, download, element, page } from "./elements.js";
import { navigate } from "./router.js";
import { call } from "./service.js";
import { share, sharingAllowed } from "./share.js";
import { failed, text } from "./texts.js";

const STEP = 50;
const list = page("history"), box = page("find");
let shown = STEP, asked = 0, late = false;

const currentConversation = () => location.hash.slice(1);

/** Reads the list again; what was typed into its search box stays in force. While a title is written or a menu is open
 * in the list it stays as it is, and is read again when that is over. */
export async function refreshHistory() {
  const turn = ++asked, query = box.value.trim();
  try {
    const parameters = new URLSearchParams({ limit: Math.min(shown, 200), ...(query ? { q: query } : {}) });
    const found = await call("GET", `/v1/conversations?${parameters}`);
    if (turn !== asked) return;
    late = Boolean(list.querySelector("input:not([readonly]), :popover-open"));
    if (!late) fill(found, query);
  } catch (failure) {
    if (turn === asked) page("history-note").textContent = failed(failure);
  }
}

function fill({ conversations, total }, query) {
  let group = "";
  const rows = conversations.flatMap(each => {
    const label = text(age(new Date(each.updated_at)));
    const heading = label === group ? [] : [element("li", { class: "age" }, element("h3", {}, label))];
    group = label;
    return [...heading, row(each)];
  });
  const more = total > conversations.length && shown < 200 ? element("li", {}, element("button", { class: "quiet-button", type: "button", click: () => { shown += STEP; refreshHistory(); } }, text("more"))) : null;
  list.replaceChildren(...rows, ...(more ? [more] : []));
  page("history-note").textContent = conversations.length ? "" : text(query ? "noneFound" : "noConversations");
}

function age(moment) {
  const today = new Date().setHours(0, 0, 0, 0), days = Math.ceil((today - moment) / 86_400_000);
  return days <= 0 ? "today" : days === 1 ? "yesterday" : days <= 7 ? "thisWeek" : "earlier";
}

function row(conversation) {
  const current = conversation.id === currentConversation();
  const menu = element("div", { class: "menu", popover: "auto", role: "menu" });
  const opener = button("more", `${text("actions")}: ${conversation.title}`, () => menu.togglePopover(), { "aria-haspopup": "menu" });
  const item = (name, act, kind = "") => element("button", { type: "button", role: "menuitem", class: kind, click: () => { menu.hidePopover(); act(); } }, text(name));
  const exported = format => download(`/v1/conversations/${encodeURIComponent(conversation.id)}/export?format=${format}`);
  menu.append(item("rename", () => rename(node, conversation)), item("exportMarkdown", () => exported("markdown")),
    item("exportJson", () => exported("json")), ...(sharingAllowed() ? [item("share", () => share(conversation))] : []), item("remove", () => remove(conversation), "bad"));
  menu.addEventListener("toggle", event => {
    if (event.newState !== "open") return late && refreshHistory();
    const at = opener.getBoundingClientRect(), own = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
    menu.style.top = `${Math.min(at.bottom + 4, innerHeight - own.height - 8)}px`;
    menu.querySelector("button").focus();
  });
  menu.addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...menu.children];
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  });
  const link = element("a", { href: `/#${conversation.id}`, "data-inside": true, title: conversation.title, dir: "auto", ...(current ? { "aria-current": "page" } : {}) }, conversation.title);
  const node = element("li", current ? { class: "current" } : {}, link, opener, menu);
  return node;
}

/** The title becomes a box; Enter or leaving it keeps the new title, Escape the old one. */
function rename(node, conversation) {
  const title = element("input", { value: conversation.title, maxlength: 200, dir: "auto", "aria-label": text("rename") });
  const end = async keep => {
    if (title.readOnly) return;
    title.readOnly = true;
    const next = title.value.trim();
    if (keep && next && next !== conversation.title) {
      try {
        await call("PATCH", `/v1/conversations/${encodeURIComponent(conversation.id)}`, { title: next });
      } catch (failure) {
        page("history-note").textContent = failed(failure);
      }
    }
    await refreshHistory();
  };
  title.addEventListener("keydown", event => {
    event.stopPropagation();
    if (event.key === "Escape") end(false);
    if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229) end(true);
  });
  title.addEventListener("blur", () => end(true));
  node.replaceChildren(title);
  title.focus();
  title.select();
}

async function remove(conversation) {
  if (!await confirmed(text("removeQuestion", conversation.title), text("remove"), text("cancel"))) return;
  try {
    await call("DELETE", `/v1/conversations/${encodeURIComponent(conversation.id)}`);
    if (conversation.id === currentConversation()) navigate("/");
  } catch (failure) {
    page("history-note").textContent = failed(failure);
    return;
  }
  refreshHistory();
}

let waiting = 0;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { shown = STEP; refreshHistory(); }, 200);
});
