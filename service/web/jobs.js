// Refreshes as they go and as they ended: stage, counts, rate, time left, heartbeat, and what could not be read.

import { button, element, page } from "./elements.js";
import { sourceName } from "./search.js";
import { call } from "./service.js";
import { ago, failed, text } from "./texts.js";

const SHOWN = 8;
const list = page("jobs");
const drawn = new Map();
let asked = 0;

/** Reads the newest jobs; true while one runs or waits. One that ended is drawn once, so that an opened list of its
 * failures stays open. */
export async function showJobs() {
  const turn = ++asked;
  try {
    const { jobs } = await call("GET", `/v1/jobs?limit=${SHOWN}`);
    if (turn !== asked) return false;
    page("jobs-heading").hidden = !jobs.length;
    list.replaceChildren(...jobs.map(node));
    for (const id of drawn.keys()) if (!jobs.some(job => job.id === id)) drawn.delete(id);
    return jobs.some(job => !job.finished_at);
  } catch (failure) {
    if (turn === asked && failure.code !== "offline") list.replaceChildren(element("li", { class: "error", role: "alert" }, failed(failure)));
    return false;
  }
}

/** Forgets what is drawn: the language has changed. */
export const redrawJobs = () => drawn.clear();

function node(job) {
  const ended = job.finished_at != null;
  if (ended && drawn.has(job.id)) return drawn.get(job.id);
  const made = element("li", { class: "job" }, ...row(job));
  if (ended) drawn.set(job.id, made);
  return made;
}

function row(job) {
  const when = job.finished_at ?? job.started_at ?? job.created_at;
  return [
    element("p", { class: "row" },
      element("strong", { class: "grow", dir: "auto", title: job.source }, sourceName(job.source)),
      element("span", { class: `state ${job.state}` }, text("states")[job.state]),
      element("span", { class: "quiet", title: when }, job.state === "running" ? progress(job) : ago(when))),
    job.state === "running" ? element("progress", { "aria-label": `${text("states").running}: ${sourceName(job.source)}`, ...(job.total ? { max: job.total, value: job.done } : {}) }) : null,
    job.state === "queued" ? null : element("p", { class: "quiet" }, facts(job)),
    job.error ? element("p", { class: "error", role: "alert" }, job.error) : null,
    job.failed && job.finished_at ? failures(job) : null,
  ];
}

/** What it does, how much of it is done, and how fast. */
function progress({ stage, done, total, rate, left_seconds }) {
  const work = text("works")[stage || "starting"] ?? stage;
  const parts = [total ? `${done} / ${total}` : done || null, rate > 0 && text("perSecond", rate.toFixed(1)), left_seconds > 0 && text("left", Math.ceil(left_seconds))];
  return [work, ...parts].filter(Boolean).join(" · ");
}

function facts(job) {
  const counts = ["added", "changed", "removed", "same", "failed"].filter(name => job[name]).map(name => text("counts")[name](job[name]));
  const skipped = job.skipped ? [text("skipped", job.skipped, job.skipped_endings)] : [];
  const encoded = job.encoded ? [text("encoded", job.encoded)] : [];
  const took = job.finished_at ? [text("took", job.seconds)] : job.beat_at ? [`${text("heartbeat")} ${ago(job.beat_at)}`] : [];
  return [...(counts.length ? counts : job.state === "done" ? [text("nothingChanged")] : []), ...skipped, ...encoded, ...took].join(" · ");
}

/** What a job could not read, with the reason; asked for when it is opened. */
function failures(job) {
  const rows = element("ul", { class: "failures" });
  const made = element("details", {}, element("summary", {}, text("notRead", job.failed)), rows);
  const fill = async () => {
    try {
      const found = await call("GET", `/v1/jobs/${encodeURIComponent(job.id)}`);
      rows.replaceChildren(...found.failures.map(({ url, reason }) => element("li", {},
        element("span", { class: "address", dir: "auto" }, url), element("span", { class: "quiet", dir: "auto" }, reason))));
    } catch (failure) {
      rows.replaceChildren(element("li", { class: "error", role: "alert" }, failed(failure), button("retry", text("tryAgain"), fill, { shown: true })));
    }
  };
  made.addEventListener("toggle", () => { if (made.open && !rows.childElementCount) fill(); });
  return made;
}
