// Tabs: buttons NAME-tab with panels NAME-panel, of which one is shown and remembered.

import { page } from "./elements.js";
import { remember } from "./memory.js";

/** Gives what shows a tab. The one that a person chooses is remembered under `kept`. */
export function tabs(kept, names) {
  const hidden = name => page(`${name}-tab`).hidden;

  function show(name) {
    const shown = names.includes(name) && !hidden(name) ? name : names.find(each => !hidden(each));
    for (const each of names) {
      const own = each === shown;
      page(`${each}-panel`).hidden = !own;
      page(`${each}-tab`).setAttribute("aria-selected", String(own));
      page(`${each}-tab`).tabIndex = own ? 0 : -1;
    }
  }

  function choose(name) {
    remember(kept, name);
    show(name);
  }

  for (const name of names) {
    page(`${name}-tab`).addEventListener("click", () => choose(name));
    page(`${name}-tab`).addEventListener("keydown", event => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const there = names.filter(each => !hidden(each));
      const next = there[(there.indexOf(name) + by + there.length) % there.length];
      choose(next);
      page(`${next}-tab`).focus();
    });
  }
  return show;
}
