// The operator's view: what is indexed and how fresh it is, files dropped in, documents read anew and deleted.

import { button, confirmed, day, element, page } from "./elements.js";
import { sourceName } from "./search.js";
import { call, upload } from "./service.js";
import { openSource, skeleton } from "./source.js";
import { redrawSources, showSources, useSizes } from "./sources.js";
import { ago, currentLanguage, failed, text } from "./texts.js";

const PER_PAGE = 50;
const SENT = ["api", "upload"];
const table = page("document-rows"), filter = page("document-filter"), source = page("document-source"), drop = page("drop");
let asked = 0, running = false;

/** The whole view, anew. */
export function showOperator() {
  redrawSources();
  return showDocuments();
}

/** Reads the list of documents from its beginning. */
async function showDocuments() {
  const turn = ++asked;
  table.replaceChildren(element("tr", {}, element("td", { colspan: 5 }, ...skeleton())));
  page("more-documents").replaceChildren();
  await list("", turn);
}

async function list(after, turn) {
  const query = new URLSearchParams({ limit: PER_PAGE, ...(after ? { after } : {}), ...(filter.value.trim() ? { q: filter.value.trim() } : {}), ...(source.value ? { source: source.value } : {}) });
  try {
    const found = await call("GET", `/v1/documents?${query}`);
    if (turn !== asked) return;
    if (!after) table.replaceChildren();
    table.append(...found.documents.map(row));
    if (!table.childElementCount) table.append(element("tr", {}, element("td", { colspan: 5, class: "nothing" }, text(filter.value.trim() || source.value ? "noneFound" : "noDocuments"))));
    page("more-documents").replaceChildren(...(found.next ? [element("button", { type: "button", class: "quiet-button", click: () => list(found.next, turn) }, text("more"))] : []));
  } catch (failure) {
    if (turn === asked) table.replaceChildren(element("tr", {}, element("td", { colspan: 5, class: "error", role: "alert" }, failed(failure))));
  }
}

function row(document) {
  const where = { document_id: document.id, title: document.title, url: document.url, published_at: document.published_at };
  const node = element("tr", {},
    element("td", {}, element("button", { class: "link", type: "button", dir: "auto", click: () => openSource(where) }, document.title || document.id),
      element("span", { class: "quiet address", dir: "auto" }, document.metadata.path || document.url)),
    element("td", { title: document.source }, sourceName(document.source)),
    element("td", {}, document.language || "–"),
    element("td", {}, day(document.published_at) || "–"),
    element("td", { class: "acts" }, SENT.includes(document.source) ? null : button("retry", `${text("readAnew")}: ${document.title || document.id}`, () => refetch(document, node)),
      button("trash", `${text("remove")}: ${document.title || document.id}`, () => remove(document, node))));
  return node;
}

/** Reads a document anew from its source; what became of it is said below it. */
async function refetch(document, node) {
  const said = element("td", { colspan: 5, role: "status", class: "quiet" }, text("readingFile"));
  const line = element("tr", { class: "said" }, said);
  if (node.nextElementSibling?.classList.contains("said")) node.nextElementSibling.remove();
  node.after(line);
  try {
    const outcome = await call("POST", `/v1/documents/${encodeURIComponent(document.id)}/refresh`);
    said.textContent = text("readAgain")[outcome.changed || outcome.added ? "changed" : outcome.removed ? "removed" : "same"];
    if (!outcome.same) changed();
  } catch (failure) {
    said.className = "error";
    said.setAttribute("role", "alert");
    said.textContent = failed(failure);
  }
}

async function remove(document, node) {
  if (!await confirmed(text("removeDocument", document.title || document.id), text("remove"), text("cancel"))) return;
  try {
    await call("DELETE", `/v1/documents/${encodeURIComponent(document.id)}`);
    node.remove();
    if (!table.childElementCount) showDocuments();
    changed();
  } catch (failure) {
    node.after(element("tr", {}, element("td", { colspan: 5, class: "error", role: "alert" }, failed(failure))));
  }
}

const changed = () => dispatchEvent(new Event("indexchanged"));

// Uploads: one file at a time, since the service reads one at a time; each line says what became of its file.

let queue = Promise.resolve();

function take(files) {
  for (const file of files) {
    const state = element("span", { class: "quiet", role: "status" }, text("waiting"));
    const bar = element("progress", { "aria-label": file.name });
    const line = element("li", {}, element("span", { class: "grow", dir: "auto" }, file.name), bar, state);
    page("uploads").prepend(line);
    queue = queue.then(() => send(file, line, bar, state));
  }
}

async function send(file, line, bar, state) {
  state.textContent = text("readingFile");
  try {
    const documents = await upload(file);
    line.className = "done";
    state.textContent = documents.length === 1 ? text("outcomes")[documents[0].outcome] : text("documentsRead", documents.length);
    changed();
    showDocuments();
  } catch (failure) {
    line.className = "bad";
    state.textContent = failed(failure);
  }
  bar.remove();
}

page("files").addEventListener("change", event => { take(event.target.files); event.target.value = ""; });
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", event => { event.preventDefault(); take(event.dataTransfer.files); });

let typing = 0;
filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(showDocuments, 200); });
source.addEventListener("change", showDocuments);
addEventListener("documentschanged", showDocuments);

/** Sizes and freshness, from /v1/status; a refresh that somebody else began is watched from now on. */
export function showStatus({ index, refresh, search_runs_on }) {
  if (index) {
    useSizes(index.sources);
    const numbers = new Intl.NumberFormat(currentLanguage());
    const tile = (key, value, title = "") => element("div", { title }, element("dt", {}, text(key)), element("dd", {}, value));
    page("tiles").replaceChildren(
      tile("documents", numbers.format(index.documents)), tile("passages", numbers.format(index.passages)),
      tile("onDisk", size(index.bytes), search_runs_on), tile("lastAddition", index.added_at ? ago(index.added_at) : "–", index.added_at || ""));
  }
  if (refresh.running && !running && !page("documents").hidden) showSources();
  running = refresh.running;
}

/** Fills the list of sources to filter by. */
export function useSources(sources) {
  const chosen = source.value;
  source.replaceChildren(element("option", { value: "" }, text("filter-source")), ...sources.map(each => element("option", { value: each.source }, `${sourceName(each.source)} (${each.documents})`)));
  source.value = chosen;
}

function size(bytes) {
  const step = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** step).toFixed(step ? 1 : 0)} ${["B", "kB", "MB", "GB"][step]}`;
}
