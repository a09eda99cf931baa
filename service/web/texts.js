// Every word of the page, in both languages.

const TEXTS = {
  en: {
    conversations: "Conversations", newConversation: "New conversation", switchLanguage: "Language: Chinese",
    welcome: "Ask your documents", welcomeHint: "Every answer shows the exact words that support it.",
    placeholder: "Ask a question …", send: "Ask", stop: "Stop",
    planning: "Deciding what to look for", planned: "Looking for", noSearch: "No search needed",
    searching: "Searching the documents", read: n => `Read ${n} passage${n === 1 ? "" : "s"}`,
    drafting: "Drafting answers", drafted: n => `Drafted ${n} answer${n === 1 ? "" : "s"}`, judging: "Judging them",
    abstained: "Not in the documents", refused: "Declined", clarify: "Which one?", answered: "Answered",
    used: "Sources used", also: "Also read", nearest: "Nearest passages",
    noCitations: "No source is cited for this answer.",
    why: "Why this answer", queries: "Searched for", score: "Score", preference: "Preference", support: "Support",
    rules: "Weakest rule", probability: "Need of a search", won: "chosen", seconds: "s",
    up: "Good answer", down: "Bad answer", thanks: "Thank you, noted.", consent: "may be used to improve the models",
    reasons: { "": "What was wrong?", wrong: "Wrong", quote_does_not_say_it: "The quote does not say it", off_topic: "Off topic", incomplete: "Incomplete", out_of_date: "Out of date", should_have_asked: "Should have asked back", should_have_answered: "Should have answered", harmful: "Rude or harmful", other: "Other" },
    close: "Close", open: "Open the document", page: n => `page ${n}`, remove: "Delete",
    stopped: "Stopped.", broken: "The connection broke off. Reload to see what was finished.", working: "Still working; reload in a moment.",
    removeQuestion: "Delete this conversation?", starting: "Passerine is starting …",
    size: (documents, passages) => `${documents} documents · ${passages} passages`,
    refreshing: (done, total) => total ? `reading documents: ${done} of ${total}` : `reading documents: ${done}`,
  },
  zh: {
    conversations: "对话", newConversation: "新对话", switchLanguage: "语言：英文",
    welcome: "向你的文档提问", welcomeHint: "每个回答都附有支持它的原文。",
    placeholder: "请输入问题……", send: "提问", stop: "停止",
    planning: "正在判断要找什么", planned: "搜索", noSearch: "不需要搜索",
    searching: "正在搜索文档", read: n => `阅读了 ${n} 个段落`,
    drafting: "正在起草回答", drafted: n => `起草了 ${n} 个回答`, judging: "正在评判",
    abstained: "文档中没有", refused: "拒绝回答", clarify: "请确认", answered: "已回答",
    used: "引用的来源", also: "也读过", nearest: "最接近的段落",
    noCitations: "这个回答没有引用来源。",
    why: "为什么这样回答", queries: "搜索内容", score: "总分", preference: "偏好", support: "支持度",
    rules: "最弱的规则", probability: "需要搜索的概率", won: "选中", seconds: "秒",
    up: "回答得好", down: "回答得不好", thanks: "谢谢，已记录。", consent: "可用于改进模型",
    reasons: { "": "哪里不好？", wrong: "错误", quote_does_not_say_it: "引文没有这样说", off_topic: "跑题", incomplete: "不完整", out_of_date: "过时", should_have_asked: "应该先追问", should_have_answered: "应该回答", harmful: "粗鲁或有害", other: "其他" },
    close: "关闭", open: "打开文档", page: n => `第 ${n} 页`, remove: "删除",
    stopped: "已停止。", broken: "连接中断。刷新页面可查看已完成的内容。", working: "仍在处理，请稍后刷新。",
    removeQuestion: "删除这个对话？", starting: "正在启动……",
    size: (documents, passages) => `${documents} 篇文档 · ${passages} 个段落`,
    refreshing: (done, total) => total ? `正在读取文档：${done} / ${total}` : `正在读取文档：${done}`,
  },
};

function remembered() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

let language = remembered() || (navigator.language.startsWith("zh") ? "zh" : "en");

/** The text named `key`; texts with numbers take them as further arguments. */
export function text(key, ...values) {
  const found = TEXTS[language][key];
  return typeof found === "function" ? found(...values) : found;
}

export const currentLanguage = () => language;

/** Switches the language and writes every text that stands in the page itself. */
export function useLanguage(next = language) {
  language = next;
  try { localStorage.setItem("language", next); } catch { /* private window: only for this visit */ }
  document.documentElement.lang = next === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = text(node.dataset.placeholder);
  document.getElementById("language").textContent = next === "zh" ? "English" : "中文";
}
