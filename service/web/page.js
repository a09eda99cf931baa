// The page: which view is shown, its appearance and language, and how the service is.

import { focusAdmin, showAdmin } from "./admin.js";
import * as annotate from "./annotate.js";
import { hide } from "./card.js";
import * as chat from "./chat.js";
import { showOperator, showStatus, useSources } from "./documents.js";
import { icon, page } from "./elements.js";
import { offerMemory } from "./facts.js";
import { refreshHistory } from "./history.js";
import { remember, remembered } from "./memory.js";
import { follow, navigate, route } from "./router.js";
import * as search from "./search.js";
import { call } from "./service.js";
import { allowSharing, sharingAllowed } from "./share.js";
import { shortcut, showHelp } from "./shortcuts.js";
import { closeSource, sourceIsOpen } from "./source.js";
import { currentLanguage, failed, text, useLanguage } from "./texts.js";

const VIEWS = ["chat", "search", "documents", "annotate", "admin"];
const THEMES = ["system", "light", "dark"];
const CONVERSATION = /^[0-9a-f]{32}$/;
// Between two looks at the service: while it is at rest; while it works, at first and at most, so that few of a key's
// requests go into looking; while it is away. A key's limit counts the requests of a minute: after one, it is free again.
const STEADY = 30_000, SOON = 1_000, LATER = 6_000, AWAY = 3_000;
let view = "", status = null, listed = "", remembering = "", polling = 0, pause = STEADY;

// Views

function open(name) {
  if (name !== view) closeSource();
  view = name;
  hide();
  toggleSidebar(false);
  for (const each of VIEWS) page(each).hidden = each !== name;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = name === "chat" ? "Passerine" : `${text(name)} · Passerine`;
}

route(address => address.pathname === "/documents", () => { open("documents"); showOperator(); });
route(address => address.pathname === "/annotate", () => { open("annotate"); annotate.showAnnotation(); });
route(address => address.pathname === "/admin", () => { open("admin"); showAdmin(); });
route(address => address.searchParams.has("q"), address => { open("search"); search.showSearch(address); });
route(() => true, address => {
  const named = address.hash.slice(1), id = CONVERSATION.test(named) ? named : null, same = view === "chat" && id === chat.currentConversation();
  open("chat");
  if (!same || !id) chat.show(id);
  refreshHistory();
});

/** To search or to chat; between the two the query stays, unless something is being written already. The answer that
 * search showed on top goes on as a conversation. */
function switchTo(name) {
  if (name === "search") {
    const question = chat.currentQuestion();
    page("question").value = "";
    return navigate(question ? search.addressOf({ q: question }) : "/?q=");
  }
  const answered = view === "search" && search.answeredConversation();
  const query = view === "search" && !answered && !page("question").value.trim() && search.currentQuery();
  const conversation = query ? null : answered || chat.currentConversation();
  navigate(conversation ? `/#${conversation}` : "/");
  if (query) chat.propose(query);
}

for (const link of document.querySelectorAll("[data-mode]")) {
  link.addEventListener("click", event => {
    event.preventDefault();
    if (link.dataset.view !== view) switchTo(link.dataset.view);
  });
}

document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault(); // the address names the conversation
  page("main").focus();
});

// Sidebar

function toggleSidebar(shown = !page("sidebar").classList.contains("open")) {
  page("sidebar").classList.toggle("open", shown);
  page("shade").hidden = !shown;
  page("menu").setAttribute("aria-expanded", String(shown));
}

page("menu").replaceChildren(icon("menu"));
page("menu").addEventListener("click", () => { toggleSidebar(); page("new").focus(); });
page("shade").addEventListener("click", () => toggleSidebar(false));

// Appearance and language

function useTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const label = `${text("appearance")}: ${text("themes")[theme]}`;
  page("theme").replaceChildren(icon(theme));
  for (const name of ["aria-label", "title"]) page("theme").setAttribute(name, label);
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(remembered("theme", "system")) + 1) % THEMES.length];
  remember("theme", theme);
  useTheme(theme);
}

function speak(language) {
  useLanguage(language);
  useTheme(remembered("theme", "system"));
  if (status) showState();
}

page("theme").addEventListener("click", nextTheme);
page("help").addEventListener("click", showHelp);
page("language").addEventListener("click", () => {
  speak(currentLanguage() === "zh" ? "en" : "zh");
  if (view === "chat") chat.show(chat.currentConversation());
  else follow();
  refreshHistory();
});

// Keys

const focusBox = () => view === "admin" ? focusAdmin() : page({ chat: "question", search: "query", documents: "document-filter", annotate: "probe-box" }[view]).focus();
shortcut("/", focusBox);
shortcut("?", showHelp);
shortcut("n", () => { navigate("/"); page("question").focus(); });
shortcut("h", () => { toggleSidebar(true); page("find").focus(); });
shortcut("m", () => switchTo(view === "search" ? "chat" : "search"));
shortcut("d", () => navigate("/documents"));
shortcut("a", () => navigate("/admin"));
shortcut("t", nextTheme);
shortcut("j", () => step(1));
shortcut("k", () => step(-1));
shortcut("Escape", () => {
  if (!page("card").hidden) return hide();
  if (sourceIsOpen()) return closeSource();
  if (!page("shade").hidden) return toggleSidebar(false);
  return view === "chat" && chat.stop();
});

/** To the next or the previous result of the search. */
function step(by) {
  const links = [...page("results").querySelectorAll("h3 button")];
  const place = links.indexOf(document.activeElement) + by;
  if (!links.length || view !== "search") return false;
  links[Math.max(0, Math.min(place, links.length - 1))].focus();
  return true;
}

// How the service is

async function look() {
  clearTimeout(polling);
  try {
    status = await call("GET", "/v1/status");
  } catch (failure) {
    polling = setTimeout(look, failure.wait || AWAY);
    return showFailure(failure);
  }
  const rests = status.ready && !status.refresh.running;
  pause = rests ? STEADY : pause === STEADY ? SOON : Math.min(2 * pause, LATER);
  polling = setTimeout(look, pause);
  if (!page("offline").hidden) refreshHistory();
  page("offline").hidden = true;
  return showState();
}

/** The banner is for a service that is away; what one that is there has against the page is a notice. */
function showFailure(failure) {
  const away = failure.code === "offline";
  page("offline").hidden = !away;
  if (away) return;
  page("notice").textContent = failed(failure);
  page("notice").classList.add("error");
}

function showState() {
  const { index, refresh, ready, stages, limits, mode, sharing, memory } = status;
  if (sharing !== sharingAllowed()) {
    allowSharing(sharing);
    refreshHistory();
  }
  showMemory(memory);
  chat.useMode(mode);
  const size = index ? text("size", index.documents, index.passages) : "";
  page("size").textContent = refresh.running ? text("refreshing", refresh.done, refresh.total) : size;
  const broken = stages.find(stage => stage.state === "failed"), waits = stages.find(stage => stage.state !== "ready");
  page("notice").textContent = broken ? broken.detail : ready ? refresh.error : text("starting", waits?.name ?? "");
  page("notice").classList.toggle("error", Boolean(broken || refresh.error));
  page("question").maxLength = page("query").maxLength = limits.question;
  if (index) showLists(index);
  page("nothing-indexed").hidden = !(ready && index && !index.documents && !refresh.running);
  showStatus(status);
}

/** Made anew only when it changed: a key may rest on it. */
function showMemory(enabled) {
  const now = `${enabled} ${currentLanguage()}`;
  if (now === remembering) return;
  remembering = now;
  offerMemory(enabled);
}

/** Lists that people choose from are made anew only when they changed: one that is open would close. */
function showLists({ sources, languages }) {
  const now = JSON.stringify([currentLanguage(), sources, languages]);
  if (now === listed) return;
  listed = now;
  search.useIndex({ sources, languages });
  useSources(sources);
  const examples = sources.some(({ source }) => source.endsWith("/indexing/examples"));
  chat.suggest(examples ? text("suggestions") : []);
}

addEventListener("online", look);
addEventListener("offline", look);
addEventListener("indexchanged", look);
addEventListener("keyschanged", showAdmin);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });

speak(currentLanguage());
follow();
look();
refreshHistory();
if (view === "chat" && matchMedia("(hover: hover)").matches) page("question").focus();
