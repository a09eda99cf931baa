// What the browser remembers of a person's choices: appearance, language, consent, shortcuts.

const visit = new Map();

/** The remembered value of a name, `otherwise` when there is none. */
export function remembered(name, otherwise = "") {
  try { return visit.get(name) ?? localStorage.getItem(name) ?? otherwise; } catch { return otherwise; }
}

/** Remembers a value; a private window only for this visit. */
export function remember(name, value) {
  visit.set(name, value);
  try { localStorage.setItem(name, value); } catch { /* kept in `visit` */ }
}
