// Keys of the HTTP interface: listed, made (shown this once), revoked.

import { button, confirmed, copyable, day, element, page } from "./elements.js";
import { session, signIn } from "./key.js";
import { refreshHistory } from "./history.js";
import { call } from "./service.js";
import { skeleton } from "./source.js";
import { ago, failed, text } from "./texts.js";

const PATH = "/v1/keys", MOST = 200;
const panel = page("keys-panel"), list = element("ul", {}), made = element("div", {}), maker = element("div", {});
let asked = 0, own = null;

/** Reads the keys; `found` says whether the service asks for one, and which one this page uses. */
export async function showKeys(found) {
  const turn = ++asked;
  own = found.key;
  if (!panel.childElementCount) panel.replaceChildren(made, maker, list);
  if (!maker.querySelector("form[data-touched]")) maker.replaceChildren(found.needed ? another() : first());
  if (!list.childElementCount) list.replaceChildren(element("li", {}, ...skeleton()));
  try {
    const { keys } = await call("GET", `${PATH}?limit=${MOST}`);
    if (turn === asked) list.replaceChildren(...keys.map(key => row(key, keys)));
  } catch (failure) {
    if (turn === asked) list.replaceChildren(element("li", { class: "error", role: "alert" }, failed(failure), button("retry", text("tryAgain"), anew, { shown: true })));
  }
}

const anew = async () => showKeys(await session());

function row(key, keys) {
  const facts = [key.id + "…", text("scopes")[key.scope], key.per_minute && text("perMinute", key.per_minute), key.expires_at && text("until", day(key.expires_at)), key.used_at ? text("lastUsed", ago(key.used_at)) : text("neverUsed")];
  return element("li", { class: "entry" },
    element("div", { class: "grow" },
      element("strong", { dir: "auto" }, key.name),
      element("p", { class: "quiet" }, facts.filter(Boolean).join(" · "))),
    key.id === own?.id ? element("span", { class: "badge" }, text("thisPage")) : "",
    element("span", { class: `state ${key.state}` }, text("keyStates")[key.state]),
    key.state === "live" ? button("trash", `${text("revokeKey")}: ${key.name}`, () => revoke(key, keys)) : "");
}

async function revoke(key, keys) {
  const others = keys.some(each => each.id !== key.id && each.scope === "admin" && each.state === "live");
  const warned = [text("revokeQuestion", key.name), key.id === own?.id && text("revokeOwn"), key.scope === "admin" && !others && text("revokeLast")];
  if (!await confirmed(warned.filter(Boolean).join(" "), text("revokeKey"), text("cancel"))) return;
  try {
    await call("DELETE", `${PATH}/${encodeURIComponent(key.id)}`);
    made.replaceChildren();
    dispatchEvent(new Event("keyschanged"));
  } catch (failure) {
    list.prepend(element("li", { class: "error", role: "alert" }, failed(failure)));
  }
}

// Making one. The first is the administrator's: from then on the service, and this page, ask for a key.

function first() {
  const takes = element("input", { type: "checkbox" });
  takes.checked = true;
  return element("div", {}, element("div", { class: "notice" }, ...text("firstKey").map(words => element("p", {}, words))),
    form("firstKeyName", [element("label", { class: "consent" }, takes, element("span", {}, text("takesOver")))],
      () => ({ scope: "admin", ...(takes.checked ? { takes_over: "local" } : {}) }), signIn));
}

function another() {
  const scope = element("select", {}, ...Object.entries(text("scopes")).map(([value, words]) => element("option", { value }, words)));
  const limit = element("input", { type: "number", min: 1, max: 100000 }), end = element("input", { type: "date" });
  end.min = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const labelled = (name, box) => element("label", {}, element("span", {}, text(name)), box);
  return element("details", {}, element("summary", {}, text("makeKey")),
    form("keyName", [labelled("scope", scope), labelled("mostPerMinute", limit), labelled("expires", end)],
      () => ({ scope: scope.value, ...(limit.value ? { per_minute: limit.valueAsNumber } : {}), ...(end.value ? { expires_at: end.value } : {}) })));
}

/** A form whose key is made of `chosen()`; `then` is given the key itself before it is shown. */
function form(label, fields, chosen, then = null) {
  const name = element("input", { required: true, maxlength: 100, autocomplete: "off", dir: "auto" });
  const wrong = element("p", { class: "error", role: "alert", hidden: true }), send = element("button", { class: "main" }, text("makeKey"));
  const node = element("form", { class: "sheet", input: () => { node.dataset.touched = ""; } },
    element("label", {}, element("span", {}, text(label)), name), ...fields, wrong, element("div", { class: "row end" }, send));
  node.addEventListener("submit", async event => {
    event.preventDefault();
    wrong.hidden = true;
    send.disabled = true;
    try {
      const { key, secret } = await call("POST", PATH, { name: name.value, ...chosen() });
      if (then) await then(secret);
      delete node.dataset.touched;
      show(key, secret);
      if (then) refreshHistory();
      anew();
    } catch (failure) {
      wrong.hidden = false;
      wrong.textContent = failed(failure);
    }
    send.disabled = false;
  });
  return node;
}

/** The key itself, until it is put away: nobody can show it again. */
function show(key, secret) {
  const box = copyable(text("key"), secret, text("copyKey"));
  made.replaceChildren(element("div", { class: "notice", role: "group", "aria-label": key.name },
    element("p", {}, element("strong", {}, text("keyMade", key.name)), " ", text("shownOnce")), box,
    element("div", { class: "row end" }, element("button", { type: "button", class: "quiet-button", click: () => made.replaceChildren() }, text("keyCopied")))));
  box.querySelector("input").focus();
}
