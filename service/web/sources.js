// Where documents come from: sources are tried, added, refreshed and removed.

import { button, confirmed, element, page } from "./elements.js";
import { redrawJobs, showJobs } from "./jobs.js";
import { call } from "./service.js";
import { ago, failed, text } from "./texts.js";

const list = page("sources"), form = page("source-form"), tried = page("source-tried");
const SOON = 1_000, LATER = 5_000; // between two looks at a refresh that goes on: at first, and at most
let asked = 0, looking = 0, pause = SOON, working = false, sizes = new Map(), sources = [];

/** How many documents each source has, by its key; from /v1/status. */
export function useSizes(counted) {
  const now = new Map(counted.map(({ source, documents }) => [source, documents]));
  const changed = sources.some(({ key }) => now.get(key) !== sizes.get(key));
  sizes = now;
  if (changed) draw();
}

/** Reads the list of sources, and the jobs below it: again and again while one works, less and less often. */
export async function showSources() {
  const turn = ++asked;
  clearTimeout(looking);
  const works = await showJobs();
  if (turn !== asked) return;
  if (works && !page("documents").hidden) looking = setTimeout(showSources, pause);
  pause = works ? Math.min(1.5 * pause, LATER) : SOON;
  if (working && !works) tell();
  working = works;
  try {
    const found = await call("GET", "/v1/sources");
    if (turn !== asked) return;
    sources = found.sources;
    draw();
  } catch (failure) {
    if (turn === asked && failure.code !== "offline") list.replaceChildren(element("li", { class: "error", role: "alert" }, failed(failure)));
  }
}

const draw = () => list.replaceChildren(...(sources.length ? sources.map(row) : [element("li", { class: "nothing" }, text("noSources"))]));

/** Draws all of it anew, in another language. */
export function redrawSources() {
  redrawJobs();
  showSources();
}

function row(source) {
  const path = `/v1/sources/${encodeURIComponent(source.name)}`, job = source.last_job;
  const note = element("p", { class: "error", role: "alert", hidden: true });
  const act = work => async () => {
    note.hidden = true;
    try {
      await work();
    } catch (failure) {
      note.hidden = false;
      note.textContent = failed(failure);
    }
  };
  const refresh = act(async () => { await call("POST", `${path}/refresh`); begun(); });
  const remove = act(async () => {
    if (!await confirmed(text("removeSource", source.name), text("remove"), text("cancel"))) return;
    await call("DELETE", path);
    changed();
  });
  const busy = job && (job.state === "queued" || job.state === "running");
  const state = job ? [text("states")[job.state], busy ? null : ago(job.finished_at ?? job.created_at)].filter(Boolean).join(" ") : text("neverRefreshed");
  return element("li", { class: "source" },
    element("div", { class: "row" },
      element("div", { class: "grow" },
        element("strong", { dir: "auto" }, source.name),
        element("span", { class: "quiet address", dir: "auto", title: source.location }, source.location)),
      element("span", { class: "quiet" }, `${text("kinds")[source.kind]} · ${text("documentCount", sizes.get(source.key) ?? 0)} · ${state}`),
      button("retry", `${text("refreshNow")}: ${source.name}`, refresh, { disabled: Boolean(busy) }),
      button("trash", `${text("remove")}: ${source.name}`, remove)),
    note);
}

/** The lists elsewhere on the page are of another index now. */
const tell = () => { for (const name of ["indexchanged", "documentschanged"]) dispatchEvent(new Event(name)); };
const changed = () => { showSources(); tell(); };
/** A job was queued: it may be done before it is first seen, and the lists are read anew then, too. */
const begun = () => { working = true; pause = SOON; showSources(); };

// Adding one: tried first where wanted, kept and refreshed then.

const location_ = page("source-location"), query = page("source-query");
const given = () => {
  const values = { location: location_.value.trim(), name: page("source-name").value.trim(), query: query.value.trim() };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value));
};

/** A database wants a query; an address or a folder takes none. */
function shape() {
  const database = /^[a-z0-9+]+:\/\//i.test(location_.value) && !/^(https?|s3):/i.test(location_.value);
  page("source-sql").hidden = !database;
  if (!database) query.value = "";
}

async function attempt(work) {
  tried.replaceChildren(element("progress", { "aria-label": text("trying") }));
  for (const each of form.elements) each.disabled = true;
  try {
    tried.replaceChildren(...await work());
  } catch (failure) {
    tried.replaceChildren(element("p", { class: "error", role: "alert" }, failed(failure)));
  }
  for (const each of form.elements) each.disabled = false;
}

const test = () => attempt(async () => {
  const found = await call("POST", "/v1/sources/test", given());
  return [
    element("p", { role: "status" }, text("listed", found.listed)),
    element("ul", {}, ...found.documents.map(each => element("li", { dir: "auto" }, each.title || each.url)),
      ...found.failed.map(({ url, reason }) => element("li", { class: "quiet", dir: "auto" }, `${url}: ${reason}`))),
  ];
});

const add = () => attempt(async () => {
  const source = await call("POST", "/v1/sources", given());
  form.reset();
  shape();
  page("new-source").open = false;
  await call("POST", `/v1/sources/${encodeURIComponent(source.name)}/refresh`);
  begun();
  return [];
});

location_.addEventListener("input", shape);
form.addEventListener("submit", event => { event.preventDefault(); add(); });
page("source-test").addEventListener("click", () => { if (form.reportValidity()) test(); });
