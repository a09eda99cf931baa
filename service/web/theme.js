// The chosen appearance, set before the first paint: a module would come after it.
try { document.documentElement.dataset.theme = localStorage.getItem("theme") || "system"; } catch { /* a private window */ }
