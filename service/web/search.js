// The search view: a list of passages with the words of the query marked, filters and pages, and the generated answer
// on top, which comes after the list. The address holds all of it, so that a browser can use it as its search engine.

import { answerView } from "./answer.js";
import { announce, button, day, element, highlighted, page } from "./elements.js";
import { refreshHistory } from "./history.js";
import { remember, remembered } from "./memory.js";
import { navigate } from "./router.js";
import { ask, call, Failure } from "./service.js";
import { openSource, placeOf, skeleton } from "./source.js";
import { currentLanguage, failed, text } from "./texts.js";

const PER_PAGE = 10;
const LAST_OFFSET = 100;
const FACETS = 5;
const FILTERS = ["source", "language", "from", "to"];
const box = page("query"), results = page("results"), overview = page("overview");
let stopping = new AbortController(), answered = { key: "", id: null };

export const currentQuery = () => box.value.trim();
/** The conversation that holds the answer on top, null while there is none. */
export const answeredConversation = () => answered.id;

/** Shows what the address asks for: ?q=&source=&language=&from=&to=&page=, or ?q=&like=PASSAGE */
export async function showSearch({ searchParams }) {
  stopping.abort();
  stopping = new AbortController();
  const query = (searchParams.get("q") || "").trim(), like = searchParams.get("like");
  box.value = query;
  for (const name of FILTERS) choose(page(`filter-${name}`), searchParams.get(name) || "");
  const filtered = FILTERS.some(name => searchParams.get(name));
  page("clear").hidden = !filtered;
  if (filtered) page("filters").open = true;
  page("search").classList.toggle("empty", !query && !like);
  results.replaceChildren();
  page("pager").replaceChildren();
  page("found").textContent = "";
  page("facets").replaceChildren();
  const number = Math.max(1, Math.min(1 + LAST_OFFSET / PER_PAGE, Number.parseInt(searchParams.get("page"), 10) || 1));
  const key = JSON.stringify([query, like, ...FILTERS.map(name => searchParams.get(name))]);
  if (key !== answered.key) forget();
  overview.hidden = number > 1;
  if (!query && !like) return box.focus();
  const { signal } = stopping;
  results.replaceChildren(...Array.from({ length: 3 }, () => element("li", { class: "result" }, ...skeleton())));
  results.setAttribute("aria-busy", "true");
  try {
    const found = await call("GET", like ? `/v1/similar?${parameters(searchParams, { passage: like })}` : `/v1/search?${parameters(searchParams, { q: query, offset: (number - 1) * PER_PAGE })}`, null, signal);
    fill(found, searchParams, number);
    if (query && number === 1 && found.hits.length && page("with-answer").checked && !overview.childElementCount) await answer(query, key, searchParams, signal);
  } catch (failure) {
    if (signal.aborted) return;
    results.replaceChildren(element("li", { class: "error", role: "alert" }, element("p", {}, failed(failure)), button("retry", text("tryAgain"), () => showSearch({ searchParams }), { shown: true })));
  }
  results.removeAttribute("aria-busy");
}

/** The answer on top belongs to another search, or is not wanted. */
function forget() {
  answered = { key: "", id: null };
  overview.replaceChildren();
}

function parameters(searchParams, asked) {
  const sent = new URLSearchParams({ ...asked, k: PER_PAGE });
  for (const name of FILTERS) if (searchParams.get(name)) sent.set(name, searchParams.get(name));
  return sent;
}

/** A value that a list does not offer is added to it: an address may name a source that is gone. */
function choose(field, value) {
  if (field.tagName === "SELECT" && value && ![...field.options].some(option => option.value === value)) field.append(element("option", { value }, value));
  field.value = value;
}

function fill({ query, hits, snippets, offset, more, facets, did_you_mean: meant }, searchParams, number) {
  results.removeAttribute("aria-busy");
  const like = searchParams.get("like");
  const said = !hits.length ? text("nothingFound") : like ? text("likeThis", query) : text("found", offset + 1, offset + hits.length, more);
  page("found").textContent = said;
  announce(meant ? `${said} ${text("didYouMean", meant)}` : said);
  results.replaceChildren(...hits.map((hit, place) => result(hit, snippets[place])));
  if (!hits.length) results.append(element("li", { class: "nothing" }, element("p", {}, text("nothingFoundHint"))));
  const to = (label, target, rel) => element("a", { class: "quiet-button", href: addressOf({ ...Object.fromEntries(searchParams), page: target > 1 ? target : "" }), "data-inside": true, rel }, label);
  page("pager").replaceChildren(...[
    number > 1 && to(text("previous"), number - 1, "prev"),
    (number > 1 || more) && element("span", { class: "quiet" }, text("pageOf", number)),
    more && offset + PER_PAGE <= LAST_OFFSET && to(text("next"), number + 1, "next"),
  ].filter(Boolean));
  if (meant) page("found").append(" ", element("a", { "data-inside": true, href: addressOf({ ...Object.fromEntries(searchParams), page: "", q: meant }) }, text("didYouMean", meant)));
  page("facets").replaceChildren(...facetLinks(facets, searchParams));
  if (number > 1 || like) page("search").scrollTo(0, 0);
}

/** Links that narrow the search to one source, language or year, with the documents there; a chosen one is taken back. */
function facetLinks(facets, searchParams) {
  if (!facets) return [];
  const values = Object.fromEntries(searchParams), names = new Intl.DisplayNames([currentLanguage()], { type: "language" });
  const link = (chosen, shown, count, changed) => element("a", { class: "quiet-button", "data-inside": true, "aria-current": chosen && "true", href: addressOf({ ...values, page: "", ...changed }) }, shown, element("span", { class: "quiet" }, ` ${count}`));
  const kinds = [
    [facets.source, sourceName, "source", value => ({ source: value })],
    [facets.language, code => names.of(code), "language", value => ({ language: value })],
    [facets.year, year => year, "from", value => ({ from: value && `${value}-01-01`, to: value && `${value}-12-31` })],
  ];
  return kinds.flatMap(([counts, named, filter, change]) => {
    const found = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, FACETS), given = values[filter];
    return found.length > 1 || given ? found.map(([value, count]) => link(given, named(value), count, change(given ? "" : value))) : [];
  });
}

function result(hit, snippet) {
  const { passage, document } = hit, where = placeOf(hit);
  const cut = { before: snippet.start > 0 ? "… " : "", after: snippet.start + Array.from(snippet.text).length < Array.from(passage.text).length ? " …" : "" };
  const facts = [sourceName(document.source), document.metadata.path || document.url, day(document.published_at), passage.page && text("page", passage.page)];
  return element("li", { class: "result" },
    element("p", { class: "quiet address", dir: "auto" }, facts.filter(Boolean).join(" · ")),
    element("h3", {}, element("button", { class: "link", type: "button", dir: "auto", click: () => openSource(where) }, document.title || document.id)),
    element("p", { class: "snippet", dir: "auto" }, cut.before, ...highlighted(snippet.text, snippet.marks), cut.after),
    element("a", { class: "link quiet", "data-inside": true, href: `/?${new URLSearchParams({ q: "", like: passage.id })}`, "aria-label": text("moreLike", document.title || document.id) }, text("moreLikeThis")));
}

/** The last part of a source's name: it is a path or an address. */
export const sourceName = source => source.split(/[\\/]/).filter(Boolean).at(-1) || source;

/** The generated answer, asked for when the list is there; a fault of it leaves the list alone. A reload, or the way
 * back, finds the answer that was given instead of asking again. */
async function answer(query, key, searchParams, signal) {
  const view = answerView(() => { overview.replaceChildren(); answer(query, key, searchParams, signal); });
  answered = { key, id: null };
  overview.replaceChildren(element("h2", { class: "quiet" }, text("overview")), view.node);
  if (await shownBefore(view, signal)) return;
  const filters = Object.fromEntries(FILTERS.filter(name => searchParams.get(name)).map(name => [name, searchParams.get(name)]));
  try {
    for await (const event of ask({ message: query, mode: page("depth").value, ...(Object.keys(filters).length ? { filters } : {}) }, signal)) {
      view.handle(event);
      if (event.name === "done") {
        history.replaceState({ answer: event.data.conversation_id }, "");
        goOn(event.data.conversation_id);
      }
    }
    refreshHistory();
  } catch (failure) {
    if (signal.aborted) view.node.parentElement?.replaceChildren();
    else view.fail(failure instanceof Failure ? failure : new Failure({ code: "broken", message: text("broken") }));
  }
}

async function shownBefore(view, signal) {
  const id = history.state?.answer;
  if (!id) return false;
  try {
    const { turns } = await call("GET", `/v1/conversations/${encodeURIComponent(id)}`, null, signal);
    view.show(turns[1].answer);
    goOn(id);
    return true;
  } catch {
    return signal.aborted;
  }
}

function goOn(id) {
  answered.id = id;
  overview.append(element("a", { class: "quiet-button goon", href: `/#${id}`, "data-inside": true }, text("goOn")));
}

/** The address of a search; empty values are left out. */
export function addressOf(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return `/?${new URLSearchParams(kept)}`;
}

function submit() {
  const query = currentQuery();
  if (query) navigate(addressOf({ q: query, ...Object.fromEntries(FILTERS.map(name => [name, page(`filter-${name}`).value])) }));
}

/** Fills the lists of filters with what the index holds. */
export function useIndex({ sources, languages }) {
  const names = new Intl.DisplayNames([currentLanguage()], { type: "language" });
  const options = (id, found) => {
    const field = page(id), chosen = field.value;
    field.replaceChildren(element("option", { value: "" }, text(id)), ...found.map(([value, shown]) => element("option", { value }, shown)));
    if (chosen) choose(field, chosen);
  };
  options("filter-source", sources.map(({ source }) => [source, sourceName(source)]));
  options("filter-language", languages.filter(({ language }) => language).map(({ language }) => [language, names.of(language)]));
}

page("searcher").addEventListener("submit", event => { event.preventDefault(); submit(); });
box.addEventListener("keydown", event => { if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.preventDefault(); });
for (const name of FILTERS) page(`filter-${name}`).addEventListener("change", submit);
page("clear").addEventListener("click", () => navigate(addressOf({ q: currentQuery() })));
page("with-answer").checked = remembered("overview", "true") === "true";
page("with-answer").addEventListener("change", () => {
  remember("overview", String(page("with-answer").checked));
  if (page("with-answer").checked) return submit();
  stopping.abort();
  forget();
});
