// The panel that shows a document at a passage, the quote highlighted in it.

import { button, day, element, followable, highlighted, icon, page } from "./elements.js";
import { call } from "./service.js";
import { failed, text } from "./texts.js";

const AROUND = 1500;
const panel = page("source");
let opener = null;

export const sourceIsOpen = () => !panel.hidden;

export function closeSource() {
  if (panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  opener?.focus();
  opener = null;
  dispatchEvent(new Event("sourceclosed"));
}

/** Date and page of a citation or a hit, in one line. */
export const facts = where => [day(where.published_at), where.page && text("page", where.page)].filter(Boolean).join(" · ");

/** The address of the document itself at the quote or page, where a browser may follow it; else null. */
export function addressOf(where) {
  if (!followable(where.url)) return null;
  if (where.page) return `${where.url.split("#")[0]}#page=${where.page}`;
  if (!where.quote || where.url.includes("#")) return where.url;
  return `${where.url}#:~:text=${encodeURIComponent(where.quote.slice(0, 120)).replaceAll("-", "%2D")}`;
}

/** What the panel needs of a hit: where it stands, its whole passage highlighted. */
export const placeOf = ({ passage, document }) => ({ ...passage, passage_id: passage.id, title: document.title, url: document.url, published_at: document.published_at });

/** Opens {document_id, passage_id, title, url, published_at, page, start, end}; without a passage the whole document. */
export async function openSource(where) {
  if (panel.hidden) opener = document.activeElement;
  panel.hidden = false;
  const body = element("div", { class: "document", "aria-busy": "true" }, ...skeleton());
  const whole = button("documents", text("wholeDocument"), () => fill(body, where, null, whole), { shown: true, hidden: true });
  panel.replaceChildren(head(where, whole), body);
  panel.querySelector("button").focus();
  await fill(body, where, where.passage_id, whole);
}

/** Fills in the passage with what stands around it; the whole document without one, or where it is gone or does not say
 * any more what was read in it. */
async function fill(body, where, passage, whole) {
  const path = `/v1/documents/${encodeURIComponent(where.document_id)}`;
  const query = passage ? `?passage=${encodeURIComponent(passage)}&around=${AROUND}` : "";
  try {
    const found = await call("GET", path + query);
    const shown = passage ? around(found, where) : all(found, where);
    if (!shown) return fill(body, where, null, whole);
    body.replaceChildren(...shown);
    whole.hidden = !passage;
    body.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (failure) {
    if (passage && failure.code === "not_found") return fill(body, where, null, whole);
    body.replaceChildren(element("p", { class: "error", role: "alert" }, failed(failure)));
  }
  body.removeAttribute("aria-busy");
}

export const skeleton = () => Array.from({ length: 4 }, () => element("span", { class: "skeleton" }));

function head(where, whole) {
  const link = addressOf(where);
  return element("header", {},
    element("div", { class: "row" },
      element("h2", { dir: "auto" }, where.title || where.document_id),
      button("close", text("close"), closeSource)),
    element("p", { class: "quiet" }, facts(where)),
    link ? null : element("p", { class: "quiet address", dir: "auto" }, where.url || ""),
    element("div", { class: "row" }, whole,
      link ? element("a", { href: link, target: "_blank", rel: "noreferrer" }, text("open"), icon("open")) : null));
}

/** The passage in its surroundings, what is meant marked in it; null when it does not stand there. */
function around({ passage, before, after }, where) {
  const words = before + passage.text + after;
  const span = placed(words, where, passage.start - Array.from(before).length);
  const heading = passage.heading && passage.heading !== where.title ? element("strong", {}, `${passage.heading}\n`) : null;
  return span && [passageOf(heading, ...highlighted(words, [span]))];
}

/** The whole document; what it does not say any more stands before it. */
function all(found, where) {
  const span = placed(found.text, where, 0);
  const lost = meant(where) && !span ? [element("div", { class: "notice" }, element("p", {}, text("changedSince")), passageOf(`“${meant(where)}”`))] : [];
  return [...lost, passageOf(...highlighted(found.text, span ? [span] : []))];
}

const passageOf = (...words) => element("p", { class: "passage", dir: "auto" }, ...words);

/** What is to be marked: the quote of a citation, the text of a hit, nothing of a document. */
const meant = where => where.quote ?? where.text;

/** Where what is meant stands in `words`, which begin at `origin` of the document: [start, end] in code points, null when
 * nowhere. The document may have changed: its kept place counts only while the same words stand there. */
export function placed(words, where, origin) {
  const wanted = meant(where);
  if (!wanted) return null;
  const size = Array.from(wanted).length, own = where.start - origin;
  if (own >= 0 && Array.from(words).slice(own, own + size).join("") === wanted) return [own, own + size];
  const at = words.indexOf(wanted);
  if (at < 0) return null;
  const start = Array.from(words.slice(0, at)).length;
  return [start, start + size];
}
