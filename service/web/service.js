// Talks to the HTTP interface. Every failure is a Failure with a sentence and a hint.

export class Failure extends Error {
  constructor({ code, message, hint, request_id }) {
    super(message);
    Object.assign(this, { code, hint: hint || "", request: request_id || "" });
  }
}

async function failureOf(reply) {
  try {
    return new Failure((await reply.json()).error);
  } catch {
    return new Failure({ code: "unreadable", message: `The service answered with status ${reply.status}.` });
  }
}

/** JSON of a route, null where the reply is empty. */
export async function call(method, path, body) {
  const reply = await fetch(path, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  if (!reply.ok) throw await failureOf(reply);
  return reply.status === 204 ? null : reply.json();
}

/** Asks, and gives each server-sent event as {name, data}. Aborting `signal` stops the work on the other side. */
export async function* ask(question, signal) {
  const reply = await fetch("/v1/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...question, stream: true }),
    signal,
  });
  if (!reply.ok) throw await failureOf(reply);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const frames = waiting.split("\n\n");
    waiting = frames.pop();
    for (const frame of frames) {
      const event = parsed(frame);
      if (event?.name === "error") throw new Failure(event.data.error);
      if (event) yield event;
    }
  }
}

function parsed(frame) {
  const lines = frame.split("\n").filter(line => !line.startsWith(":"));
  const field = name => lines.filter(line => line.startsWith(name + ":")).map(line => line.slice(name.length + 1).trim()).join("\n");
  return field("data") ? { name: field("event"), data: JSON.parse(field("data")) } : null;
}
