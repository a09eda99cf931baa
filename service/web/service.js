// Talks to the HTTP interface. Every failure is a Failure with a code, a sentence and a hint, and with the milliseconds to
// wait before asking again where the service says so.

import { enterKey } from "./key.js";
import { text } from "./texts.js";

export class Failure extends Error {
  constructor({ code, message, hint, request_id }, wait = 0) {
    super(message);
    Object.assign(this, { code, wait, hint: hint || "", request: request_id || "" });
  }
}

async function failureOf(reply) {
  try {
    return new Failure((await reply.json()).error, 1_000 * Number(reply.headers.get("retry-after") ?? 0));
  } catch {
    return new Failure({ code: "unreadable", message: `The service answered with status ${reply.status}.` });
  }
}

async function fetched(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure({ code: "offline", message: text("offline"), hint: text("offlineHint") });
  }
  if (reply.status === 401) return enterKey().then(() => fetched(path, options));
  if (!reply.ok) throw await failureOf(reply);
  return reply;
}

const JSON_BODY = { "content-type": "application/json" };

/** JSON of a route, null where the reply is empty. */
export async function call(method, path, body, signal) {
  const sent = body ? { headers: JSON_BODY, body: JSON.stringify(body) } : {};
  const reply = await fetched(path, { method, signal, ...sent });
  return reply.status === 204 ? null : reply.json();
}

/** Sends a file, and gives the documents that were made of it. */
export async function upload(file) {
  const query = new URLSearchParams({ name: file.name, modified: new Date(file.lastModified).toISOString() });
  const reply = await fetched(`/v1/files?${query}`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file });
  return (await reply.json()).documents;
}

/** Asks, and gives each server-sent event as {name, data}, the last of them "done"; throws where there is none. Aborting
 * `signal` stops the work on the other side. */
export async function* ask(question, signal) {
  const reply = await fetched("/v1/chat", { method: "POST", headers: JSON_BODY, body: JSON.stringify({ ...question, stream: true }), signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "", answered = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done && answered) return;
    if (done) throw new Failure({ code: "broken", message: text("broken") });
    waiting += value;
    const frames = waiting.split("\n\n");
    waiting = frames.pop();
    for (const frame of frames) {
      const event = parsed(frame);
      if (event?.name === "error") throw new Failure(event.data.error);
      answered ||= event?.name === "done";
      if (event) yield event;
    }
  }
}

function parsed(frame) {
  const lines = frame.split("\n").filter(line => !line.startsWith(":"));
  const field = name => lines.filter(line => line.startsWith(name + ":")).map(line => line.slice(name.length + 1).trim()).join("\n");
  return field("data") ? { name: field("event"), data: JSON.parse(field("data")) } : null;
}
