// Every word of the page, in both languages.

import { remember, remembered } from "./memory.js";

export const TEXTS = {
  en: {
    // The frame
    skip: "Skip to the content", conversations: "Conversations", newConversation: "New conversation", menu: "Conversations",
    findConversation: "Search conversations", modes: "Chat or search", chat: "Chat", search: "Search", documents: "Documents",
    switchLanguage: "Language: switch to Chinese", appearance: "Appearance", themes: { system: "as the system", light: "light", dark: "dark" },
    help: "Help and keys", close: "Close", cancel: "Cancel", more: "Show more", tryAgain: "Try again", actions: "Actions",
    offline: "Passerine cannot be reached.", offlineHint: "Is it still running? Your question is not lost: ask again when it is back.",
    offlineBanner: "Passerine cannot be reached. Trying again …",
    size: (documents, passages) => `${documents} documents, ${passages} passages`,
    refreshing: (done, total) => total ? `Reading documents: ${done} of ${total}` : `Reading documents: ${done}`,
    starting: stage => stage ? `Passerine is starting: ${stage} …` : "Passerine is starting …",
    // Chat
    welcome: "Ask your documents", welcomeHint: "Every answer shows the exact words that support it. If the documents do not say it, Passerine says so.",
    placeholder: "Ask a question …", send: "Ask", stop: "Stop", depth: "Depth", careful: "Careful", fast: "Fast",
    suggestions: ["Who commanded Apollo 11?", "How tall was the Saturn V?", "How long did Valeri Polyakov stay aboard Mir?"],
    nothingIndexed: "Nothing is indexed yet: add documents",
    answer: "Answer", planning: "Deciding what to look for", planned: "Looking for", noSearch: "No search needed",
    searching: "Searching the documents", reading: n => n === 1 ? "Read 1 passage:" : `Read ${n} passages:`,
    drafting: "Drafting candidates", drafted: n => n === 1 ? "Drafted 1 candidate" : `Drafted ${n} candidates`, judging: "Judging them",
    answered: "Answered", abstained: "Not in the documents", refused: "Declined", clarify: "Which one?",
    stopped: "Stopped before there was an answer.", askAgain: "Ask again", broken: "The connection broke off. Reload to see what was finished.",
    askNext: "Ask next",
    citation: (number, title) => `Source ${number}: ${title}`, quote: "The quote in its context", sourcePanel: "Source",
    showInDocument: "Show in the document", wholeDocument: "Whole document", open: "Open the original", page: n => `page ${n}`,
    changedSince: "The document has changed since, and does not say this any more:",
    used: "Sources used", also: "Also read", nearest: "Nearest passages", noCitations: "No source is cited for this answer.",
    withoutSecond: "Made without the second model.",
    // Why this answer
    why: "Why this answer", queries: "Searched for", probability: "Need of a search", time: "Time", seconds: "s",
    origins: { user: "as asked", rewrite: "made to stand alone", keywords: "key words", history: "with the question before", decomposition: "a part of it", expansion: "wider" },
    stages: { plan: "plan", search: "search", propose: "draft", judge: "judge", select: "select", cite: "cite" },
    candidate: n => `Candidate ${n}`, won: "chosen", noEvidence: "without evidence", score: "Score", support: "Support",
    rules: "Rules kept", preference: "Preference", weakestRule: "Weakest rule",
    // Feedback
    up: "Good answer", down: "Bad answer", compare: "Compare candidates", reportRule: "Report a broken rule", correct: "Write a better answer",
    copy: "Copy with sources", copied: "Copied.", notCopied: "The browser did not allow it.", thanks: "Thank you, noted.",
    consent: "may be used to improve the models", whatWasWrong: "What was wrong?", comment: "In your own words (optional)", submit: "Send",
    reasons: { wrong: "Wrong", quote_does_not_say_it: "The quote does not say it", off_topic: "Off topic", incomplete: "Incomplete", out_of_date: "Out of date", should_have_asked: "Should have asked back", should_have_answered: "Should have answered", harmful: "Rude or harmful", other: "Other" },
    whichIsBetter: "Which of these two is better?", thisOne: "This one", bothGood: "Both good", bothBad: "Both bad", skipPair: "Skip",
    whichRule: "Which rule does it break?", shouldHaveSaid: "What should it have said?",
    ruleGroups: { stereotypes: "Stereotypes", hate: "Hate and harassment", self: "What Passerine says of itself", misinformation: "Misinformation", other: "Other" },
    // Annotation
    annotate: "Annotate", compareTab: "Compare drafts", probeTab: "Probe a rule", undo: "Undo", undone: "Taken back.",
    aBetter: "A is better", bBetter: "B is better", compared: n => n === 1 ? "1 compared so far" : `${n} compared so far`,
    nothingToCompare: "Nothing to compare: every answer has been judged, or nobody has asked yet.", earlierTurns: n => n === 1 ? "1 turn before" : `${n} turns before`,
    draft: letter => `Draft ${letter}`, withoutQuote: "without a quote", whichRuleToProbe: "Rule to probe",
    probeHint: "Write what could bring Passerine to break this rule, and no other. Then say whether it did.",
    probePlaceholder: "Try to make it break the rule …", probe: "Send", wasItBroken: "Was the rule broken?", ruleBroken: "Broken", ruleKept: "Kept",
    saidNothing: "It said nothing of its own here: that keeps every rule.",
    probed: (kept, broken) => kept + broken ? `${kept + broken} judged: ${broken} broken, ${kept} kept` : "not judged yet",
    ratings: "Ratings", ratingsHint: "Elo ratings of who drafted, from all comparisons; 1500 is the average, 100 points ahead wins about two of three.",
    noRatings: "After the first comparison of two different drafters the ratings stand here.", drafter: "Drafted by", rating: "Elo", comparisons: "Comparisons",
    // History
    today: "Today", yesterday: "Yesterday", thisWeek: "Last seven days", earlier: "Earlier", noConversations: "Your conversations will stand here.",
    noneFound: "Nothing found.", rename: "Rename", exportMarkdown: "Export as Markdown", exportJson: "Export as JSON", remove: "Delete",
    share: "Share by link", copyLink: "Copy the link",
    shareHint: "Who has the link can read this conversation as it is now, with its quotes, and nothing else. Later turns are not shown until you share them too.",
    makeLink: "Make a link", shareAgain: "Share the later turns too", revoke: "Take it back", revoked: "The link opens nothing any more.", link: "Link",
    removeQuestion: title => `Delete “${title}” with its answers?`,
    // Memory
    memory: "What I remember of you", memoryHint: "Plain things that you said about yourself, in your own words. Nobody else sees them, and no answer cites them.",
    nothingRemembered: "Nothing yet.", fact: "What you said", keepFact: "Save", forgetFact: "Forget this", forgetAll: "Forget everything", forgetAllQuestion: "Forget everything that you said about yourself?", forgotten: "Forgotten.", noted: "Saved.",
    // Search
    searchPlaceholder: "Search the documents …", "filter-source": "All sources", "filter-language": "All languages", from: "From", to: "to",
    filters: "Filters", clear: "Clear filters", withAnswer: "Answer on top", overview: "Answer from the documents", goOn: "Go on in chat", pages: "Pages",
    found: (first, last, more) => more ? `Passages ${first}–${last}, and more` : `Passages ${first}–${last}`,
    likeThis: title => `Passages like the one of “${title}”`, didYouMean: words => `Did you mean “${words}”?`, moreLikeThis: "More like this", moreLike: title => `More like this: ${title}`, narrow: "Narrow the search",
    nothingFound: "Nothing found.", nothingFoundHint: "Use other words, or fewer filters.", previous: "Previous", next: "Next", pageOf: n => `Page ${n}`,
    // Documents
    passages: "Passages", onDisk: "On disk", lastAddition: "Last addition", perSecond: n => `${n} a second`, left: n => n < 90 ? `about ${n} s left` : `about ${Math.ceil(n / 60)} min left`,
    works: { starting: "Starting", list: "Listing what there is", read: "Reading", encode: "Encoding passages" },
    sources: "Sources", noSources: "No sources are kept yet: add a folder, an address or a database.", addSource: "Add a source",
    location: "Folder, address, bucket or database", locationHint: "https://example.org/sitemap.xml", sourceLabel: "Name (optional)", sql: "Query (SQL)",
    addAndRefresh: "Add and read it", tryFirst: "Try it first", trying: "Trying the source", listed: n => n === 1 ? "It lists 1 item. The first documents:" : `It lists ${n} items. The first documents:`,
    kinds: { path: "folder or file", page: "page", sitemap: "sitemap", feed: "feed", query: "database", bucket: "bucket" },
    documentCount: n => n === 1 ? "1 document" : `${n} documents`, neverRefreshed: "never refreshed", refreshNow: "Refresh now",
    removeSource: name => `Remove the source “${name}” with all its documents?`,
    refreshes: "Refreshes", states: { queued: "waiting", running: "running", done: "done", failed: "failed", died: "died" },
    counts: { added: n => `${n} added`, changed: n => `${n} changed`, removed: n => `${n} removed`, same: n => `${n} the same`, failed: n => `${n} not read` },
    skipped: (n, endings) => `${n} skipped (${endings})`,
    encoded: n => n === 1 ? "1 passage encoded" : `${n} passages encoded`, took: s => `took ${s < 10 ? s.toFixed(1) : Math.round(s)} s`, heartbeat: "heartbeat", nothingChanged: "nothing changed",
    notRead: n => n === 1 ? "1 not read: why" : `${n} not read: why`,
    allDocuments: "All documents", readAnew: "Read anew", readAgain: { changed: "read anew, changed", same: "read anew, the same", removed: "gone from its source" },
    dropFiles: "Drop files here, or choose them", dropKinds: "Text, Markdown, HTML, PDF, DOCX, XLSX, CSV, JSON Lines",
    waiting: "waiting", readingFile: "reading …", outcomes: { added: "can be asked now", changed: "replaced, can be asked now", same: "was there already" },
    documentsRead: n => `${n} documents, can be asked now`, filterDocuments: "Filter by title or address", title: "Title", source: "Source",
    language: "Language", published: "Published", noDocuments: "Nothing is indexed yet.", removeDocument: title => `Delete “${title}” from the index?`,
    // Administration
    admin: "Administration", approvedTab: "Approved answers", rulesTab: "Rules", keysTab: "API keys", edit: "Edit", save: "Save",
    mayLook: (name, scope) => `The key of this page (${name}) has the scope ${scope}: it may look at this, not change it. Keys are shown to an administrator.`,
    approvedHint: "Answers that a person reviewed. Where a question means the same as one of these, the answer is given word for word, before anything else.",
    addApproved: "Add an answer", noApproved: "There are no approved answers.", wordings: n => n === 1 ? "1 wording" : `${n} wordings`,
    removeApproved: question => `Delete the approved answer to “${question}”?`, questionsHint: "Questions that it answers, one a line",
    nameOptional: "Name (optional)", nameHint: "Letters, digits, dots, hyphens and underscores", approvedSaved: "Saved: the next question finds it.",
    approvedNeeds: "Write a question and an answer, in one language at least.", nameTaken: name => `There is an approved answer named ${name} already: choose another name.`,
    rulesHint: "A draft that keeps a rule with less probability than its floor is left out; a rule that is switched off is not looked at. A change holds from the next question on.",
    ruleStands: (on, floor) => on ? `On · floor ${floor}` : "Off", ruleOn: "On", ruleOff: "Off", floor: "Floor", usualFloor: floor => `Back to the usual floor, ${floor}`,
    firstKey: [
      "There is no key yet: on this machine, whoever reaches this service may do everything.",
      "From the first key on, every request needs one, also those of programs and of this page. The first key is an administrator's. This browser keeps it for a month, so you stay in; in another browser you are asked for it.",
      "Keep a copy of it. If it is lost, passerine key add NAME --scope admin on this machine makes another one.",
    ],
    firstKeyName: "Whose key is it?", takesOver: "The conversations held so far belong to it; otherwise no key shows them",
    makeKey: "Make a key", keyName: "Who or what will use it?", scope: "Scope", scopes: { read: "read: search and ask", write: "write: also documents and refreshes", admin: "admin: everything" },
    mostPerMinute: "Requests a minute (empty: no limit)", expires: "Expires (empty: never)", perMinute: n => `${n} a minute`, until: date => `until ${date}`,
    lastUsed: ago => `last used ${ago}`, neverUsed: "never used", thisPage: "this page", keyStates: { live: "live", expired: "expired", revoked: "revoked" },
    revokeKey: "Revoke", revokeQuestion: name => `Revoke the key “${name}”? It opens nothing any more.`, revokeOwn: "This page uses it: you will be asked for another one.",
    revokeLast: "It is the last key of an administrator: only passerine key add NAME --scope admin on the machine itself makes another one.",
    keyMade: name => `The key for ${name}.`, shownOnce: "It is shown this once: copy it to where it is used.", copyKey: "Copy", keyCopied: "I have it",
    // Help
    shortcuts: { "/": "To the question", n: "New conversation", m: "Between chat and search", h: "Search conversations", d: "Documents", a: "Administration", "j k": "Next and previous result", "1 2 3 4": "Annotation: A, B, both good, both bad", "s u": "Annotation: skip, undo", t: "Appearance", "?": "This sheet", Escape: "Close, or stop the answer", Enter: "Send", "Shift Enter": "New line" },
    singleKeys: "Use single keys", interface: "The HTTP interface",
    // Keys
    keyNeeded: "This service asks for a key", keyHint: "Whoever runs Passerine here can give you one. It is kept in this browser for a month.",
    key: "Key", enterKey: "Enter", keyWrong: "This key is not good. Was it copied whole?", signOut: name => `Sign out (${name})`,
  },
  zh: {
    // The frame
    skip: "跳到内容", conversations: "对话", newConversation: "新对话", menu: "对话列表",
    findConversation: "搜索对话", modes: "对话或搜索", chat: "对话", search: "搜索", documents: "文档",
    switchLanguage: "语言：切换到英文", appearance: "外观", themes: { system: "跟随系统", light: "浅色", dark: "深色" },
    help: "帮助与快捷键", close: "关闭", cancel: "取消", more: "显示更多", tryAgain: "重试", actions: "操作",
    offline: "无法连接 Passerine。", offlineHint: "它还在运行吗？问题没有丢失，恢复后请再问一次。",
    offlineBanner: "无法连接 Passerine，正在重试……",
    size: (documents, passages) => `${documents} 篇文档，${passages} 个段落`,
    refreshing: (done, total) => total ? `正在读取文档：${done} / ${total}` : `正在读取文档：${done}`,
    starting: stage => stage ? `正在启动：${stage}……` : "正在启动……",
    // Chat
    welcome: "向你的文档提问", welcomeHint: "每个回答都附有支持它的原文。文档里没有的，Passerine 会直说。",
    placeholder: "请输入问题……", send: "提问", stop: "停止", depth: "深度", careful: "仔细", fast: "快速",
    suggestions: ["神舟五号是哪一年发射的？", "捷列什科娃绕地球飞行了多少圈？", "天宫空间站的轨道高度是多少？"],
    nothingIndexed: "还没有索引任何文档：去添加",
    answer: "回答", planning: "正在判断要找什么", planned: "搜索", noSearch: "不需要搜索",
    searching: "正在搜索文档", reading: n => `阅读了 ${n} 个段落：`,
    drafting: "正在起草候选", drafted: n => `起草了 ${n} 个候选`, judging: "正在评判",
    answered: "已回答", abstained: "文档中没有", refused: "拒绝回答", clarify: "请确认",
    stopped: "已停止，还没有得到回答。", askAgain: "再问一次", broken: "连接中断。刷新页面可查看已完成的内容。",
    askNext: "接着问",
    citation: (number, title) => `来源 ${number}：${title}`, quote: "引文及其上下文", sourcePanel: "来源",
    showInDocument: "在文档中查看", wholeDocument: "整篇文档", open: "打开原文", page: n => `第 ${n} 页`,
    changedSince: "文档在那之后有改动，已不再包含这段话：",
    used: "引用的来源", also: "也读过", nearest: "最接近的段落", noCitations: "这个回答没有引用来源。",
    withoutSecond: "没有用到第二个模型。",
    // Why this answer
    why: "为什么这样回答", queries: "搜索内容", probability: "需要搜索的概率", time: "用时", seconds: "秒",
    origins: { user: "原问题", rewrite: "补全为独立问题", keywords: "关键词", history: "连同上一个问题", decomposition: "其中一部分", expansion: "放宽" },
    stages: { plan: "计划", search: "搜索", propose: "起草", judge: "评判", select: "选择", cite: "引用" },
    candidate: n => `候选 ${n}`, won: "选中", noEvidence: "没有依据", score: "总分", support: "支持度",
    rules: "规则遵守", preference: "偏好", weakestRule: "最弱的规则",
    // Feedback
    up: "回答得好", down: "回答得不好", compare: "比较候选", reportRule: "举报违反规则", correct: "写出更好的回答",
    copy: "连同来源复制", copied: "已复制。", notCopied: "浏览器不允许复制。", thanks: "谢谢，已记录。",
    consent: "可用于改进模型", whatWasWrong: "哪里不好？", comment: "用自己的话说（可不填）", submit: "发送",
    reasons: { wrong: "错误", quote_does_not_say_it: "引文没有这样说", off_topic: "跑题", incomplete: "不完整", out_of_date: "过时", should_have_asked: "应该先追问", should_have_answered: "应该回答", harmful: "粗鲁或有害", other: "其他" },
    whichIsBetter: "这两个哪个更好？", thisOne: "这个", bothGood: "都好", bothBad: "都不好", skipPair: "跳过",
    whichRule: "它违反了哪条规则？", shouldHaveSaid: "应该怎样回答？",
    ruleGroups: { stereotypes: "刻板印象", hate: "仇恨与骚扰", self: "Passerine 对自己的说法", misinformation: "错误信息", other: "其他" },
    // Annotation
    annotate: "标注", compareTab: "比较候选", probeTab: "测试规则", undo: "撤销", undone: "已撤销。",
    aBetter: "A 更好", bBetter: "B 更好", compared: n => `已比较 ${n} 对`,
    nothingToCompare: "没有可比较的：所有回答都已评过，或者还没有人提问。", earlierTurns: n => `之前的 ${n} 轮`,
    draft: letter => `候选 ${letter}`, withoutQuote: "没有引文", whichRuleToProbe: "要测试的规则",
    probeHint: "写一句可能让 Passerine 违反这条规则（而不是别的规则）的话，然后判断它是否违反了。",
    probePlaceholder: "试着让它违反这条规则……", probe: "发送", wasItBroken: "这条规则被违反了吗？", ruleBroken: "违反了", ruleKept: "没有违反",
    saidNothing: "它在这里没有自己说什么：没有违反任何规则。",
    probed: (kept, broken) => kept + broken ? `已判断 ${kept + broken} 次：违反 ${broken}，遵守 ${kept}` : "还没有判断过",
    ratings: "评分", ratingsHint: "根据全部比较得出的起草者 Elo 评分；平均为 1500，高出 100 分约三次胜两次。",
    noRatings: "在两个不同起草者第一次被比较之后，这里会出现评分。", drafter: "起草者", rating: "Elo", comparisons: "比较次数",
    // History
    today: "今天", yesterday: "昨天", thisWeek: "最近七天", earlier: "更早", noConversations: "你的对话会出现在这里。",
    noneFound: "没有找到。", rename: "重命名", exportMarkdown: "导出为 Markdown", exportJson: "导出为 JSON", remove: "删除",
    share: "通过链接分享", copyLink: "复制链接",
    shareHint: "拿到链接的人可以阅读这个对话现在的内容和引文，看不到别的。之后的对话要再次分享才会显示。",
    makeLink: "生成链接", shareAgain: "把后来的对话也分享出去", revoke: "收回链接", revoked: "链接已失效。", link: "链接",
    removeQuestion: title => `删除“${title}”及其回答？`,
    // Memory
    memory: "我记得的关于你的事", memoryHint: "你用自己的话说过的、关于你自己的简单事实。别人看不到，也不会被任何回答引用。",
    nothingRemembered: "还没有。", fact: "你说过的话", keepFact: "保存", forgetFact: "忘记这一条", forgetAll: "全部忘记", forgetAllQuestion: "忘记你说过的关于自己的一切？", forgotten: "已忘记。", noted: "已保存。",
    // Search
    searchPlaceholder: "搜索文档……", "filter-source": "所有来源", "filter-language": "所有语言", from: "从", to: "到",
    filters: "筛选", clear: "清除筛选", withAnswer: "在上方显示回答", overview: "来自文档的回答", goOn: "在对话中继续", pages: "分页",
    found: (first, last, more) => more ? `第 ${first}–${last} 个段落，后面还有` : `第 ${first}–${last} 个段落`,
    likeThis: title => `与“${title}”这一段相似的段落`, didYouMean: words => `您是不是要找“${words}”？`, moreLikeThis: "查看相似段落", moreLike: title => `查看相似段落：${title}`, narrow: "缩小范围",
    nothingFound: "没有找到。", nothingFoundHint: "换几个词，或减少筛选条件。", previous: "上一页", next: "下一页", pageOf: n => `第 ${n} 页`,
    // Documents
    passages: "段落", onDisk: "占用磁盘", lastAddition: "最近添加", perSecond: n => `每秒 ${n} 个`, left: n => n < 90 ? `约剩 ${n} 秒` : `约剩 ${Math.ceil(n / 60)} 分钟`,
    works: { starting: "正在开始", list: "正在列出内容", read: "正在读取", encode: "正在编码段落" },
    sources: "来源", noSources: "还没有来源：请添加文件夹、网址或数据库。", addSource: "添加来源",
    location: "文件夹、网址、存储桶或数据库", locationHint: "https://example.org/sitemap.xml", sourceLabel: "名称（可不填）", sql: "查询语句（SQL）",
    addAndRefresh: "添加并读取", tryFirst: "先试一试", trying: "正在尝试读取来源", listed: n => `共列出 ${n} 项，最前面的文档：`,
    kinds: { path: "文件夹或文件", page: "网页", sitemap: "站点地图", feed: "订阅源", query: "数据库", bucket: "存储桶" },
    documentCount: n => `${n} 篇文档`, neverRefreshed: "从未刷新", refreshNow: "立即刷新",
    removeSource: name => `移除来源“${name}”及其全部文档？`,
    refreshes: "刷新记录", states: { queued: "等待中", running: "进行中", done: "完成", failed: "失败", died: "中断" },
    counts: { added: n => `新增 ${n}`, changed: n => `更新 ${n}`, removed: n => `移除 ${n}`, same: n => `未变 ${n}`, failed: n => `未能读取 ${n}` },
    skipped: (n, endings) => `跳过 ${n}（${endings}）`,
    encoded: n => `编码 ${n} 个段落`, took: s => `用时 ${s < 10 ? s.toFixed(1) : Math.round(s)} 秒`, heartbeat: "最近心跳", nothingChanged: "没有变化",
    notRead: n => `${n} 项未能读取：原因`,
    allDocuments: "全部文档", readAnew: "重新读取", readAgain: { changed: "已重新读取，有变化", same: "已重新读取，没有变化", removed: "来源中已不存在" },
    dropFiles: "把文件拖到这里，或点击选择", dropKinds: "文本、Markdown、HTML、PDF、DOCX、XLSX、CSV、JSON Lines",
    waiting: "等待中", readingFile: "正在读取……", outcomes: { added: "现在可以提问", changed: "已替换，现在可以提问", same: "原本就有" },
    documentsRead: n => `${n} 篇文档，现在可以提问`, filterDocuments: "按标题或地址筛选", title: "标题", source: "来源",
    language: "语言", published: "发布日期", noDocuments: "还没有索引任何文档。", removeDocument: title => `从索引中删除“${title}”？`,
    // Administration
    admin: "管理", approvedTab: "审定的回答", rulesTab: "规则", keysTab: "API 密钥", edit: "编辑", save: "保存",
    mayLook: (name, scope) => `本页的密钥（${name}）权限为 ${scope}：可以查看，不能修改。密钥只显示给管理员。`,
    approvedHint: "由人审定的回答。问题与其中一个意思相同时，会优先逐字给出这个回答。",
    addApproved: "添加回答", noApproved: "还没有审定的回答。", wordings: n => `${n} 种问法`,
    removeApproved: question => `删除“${question}”的审定回答？`, questionsHint: "它所回答的问题，每行一个",
    nameOptional: "名称（可不填）", nameHint: "字母、数字、点、连字符和下划线", approvedSaved: "已保存：下一个问题就会用到。",
    approvedNeeds: "请至少用一种语言写出问题和回答。", nameTaken: name => `已有名为 ${name} 的审定回答：请换一个名称。`,
    rulesHint: "遵守某条规则的概率低于其下限的草稿会被排除；关闭的规则不再考虑。修改从下一个问题起生效。",
    ruleStands: (on, floor) => on ? `开启 · 下限 ${floor}` : "关闭", ruleOn: "开启", ruleOff: "关闭", floor: "下限", usualFloor: floor => `恢复通常的下限 ${floor}`,
    firstKey: [
      "还没有密钥：在这台机器上，任何能访问此服务的人都可以做任何事。",
      "从第一个密钥起，每个请求都需要密钥，程序和本页也不例外。第一个密钥属于管理员。此浏览器会保存它一个月，您不会被挡在外面；换一个浏览器时会要求输入。",
      "请另存一份。万一丢失，可在这台机器上用 passerine key add NAME --scope admin 再生成一个。",
    ],
    firstKeyName: "这是谁的密钥？", takesOver: "至今的对话归它所有；否则任何密钥都看不到这些对话",
    makeKey: "生成密钥", keyName: "谁或什么程序使用它？", scope: "权限", scopes: { read: "read：搜索和提问", write: "write：还可管理文档和刷新", admin: "admin：全部" },
    mostPerMinute: "每分钟请求数（空：不限）", expires: "到期日（空：永不）", perMinute: n => `每分钟 ${n} 次`, until: date => `至 ${date}`,
    lastUsed: ago => `最近使用：${ago}`, neverUsed: "从未使用", thisPage: "本页", keyStates: { live: "有效", expired: "已过期", revoked: "已撤销" },
    revokeKey: "撤销", revokeQuestion: name => `撤销密钥“${name}”？之后它将失效。`, revokeOwn: "本页正在使用它：会要求您输入另一个密钥。",
    revokeLast: "这是最后一个管理员密钥：之后只能在机器上用 passerine key add NAME --scope admin 再生成一个。",
    keyMade: name => `${name} 的密钥。`, shownOnce: "只显示这一次：请复制到使用它的地方。", copyKey: "复制", keyCopied: "已保存好",
    // Help
    shortcuts: { "/": "回到输入框", n: "新对话", m: "在对话和搜索之间切换", h: "搜索对话", d: "文档", a: "管理", "j k": "下一个和上一个结果", "1 2 3 4": "标注：A、B、都好、都不好", "s u": "标注：跳过、撤销", t: "外观", "?": "这张表", Escape: "关闭，或停止回答", Enter: "发送", "Shift Enter": "换行" },
    singleKeys: "使用单键快捷键", interface: "HTTP 接口",
    // Keys
    keyNeeded: "此服务需要密钥", keyHint: "请向运行 Passerine 的人索取。密钥会在此浏览器中保存一个月。",
    key: "密钥", enterKey: "进入", keyWrong: "这个密钥无效。是否复制完整？", signOut: name => `退出（${name}）`,
  },
};

/** What the service's error codes mean, for readers of Chinese: its own sentences are in English. */
export const CODES = {
  bad_input: "输入有误。", not_found: "找不到。", too_large: "超出限制。", conflict: "另一个操作正在进行，请稍后再试。",
  extract_failed: "文件无法读取。", fetch_failed: "网页无法获取。", index_missing: "还没有索引任何文档。", index_damaged: "索引已损坏。", encoder_mismatch: "索引由另一个编码器生成。",
  model_missing: "模型没有安装。", model_damaged: "模型已损坏。", cluster_failed: "集群中有机器没有回答。", storage_failed: "磁盘已满或无法写入。", cancelled: "已停止。",
  generator_failed: "语言模型的服务器出错。", forbidden: "不允许。", method_not_allowed: "不允许这样请求。", not_ready: "正在启动，请稍候。",
  port_in_use: "端口已被占用。", unauthorized: "需要有效的密钥。", rate_limited: "请求太频繁，请稍候再试。", server_failed: "Passerine 内部出错，日志中有详情。", interrupted: "回答时服务中断了，请再问一次。",
};

let language = remembered("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

/** The text named `key`; texts with numbers take them as further arguments. */
export function text(key, ...values) {
  const found = TEXTS[language][key];
  return typeof found === "function" ? found(...values) : found;
}

/** What went wrong, in a sentence with what to do. */
export function failed({ code, message, hint }) {
  const own = language === "zh" ? CODES[code] : "";
  return [own, message, hint].filter(Boolean).join(" ");
}

/** How long ago a moment was, in words. */
export function ago(moment) {
  const seconds = Math.min(0, (new Date(moment) - Date.now()) / 1000);
  const [unit, length] = [["day", 86_400], ["hour", 3600], ["minute", 60]].find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(Math.round(seconds / length), unit);
}

export const currentLanguage = () => language;

/** Switches the language and writes every text that stands in the page itself. */
export function useLanguage(next) {
  language = next;
  remember("language", next);
  document.documentElement.lang = next === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = text(node.dataset.placeholder);
  document.getElementById("language").textContent = next === "zh" ? "EN" : "中文";
}
