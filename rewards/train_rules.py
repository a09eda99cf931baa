"""Training of the rule judge: `passerine train rules --data FOLDER`."""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexing.types import Progress
from models import written
from models.curves import Panel, draw
from models.extractive import form_of, worded
from models.heads import file_sha256
from models.measures import auc
from models.quotes import sentence_bounds
from rewards.corpus import Corpus
from rewards.interaction import Interaction, Shape, Trained, save_network
from rewards.measures import auc_interval, balanced_accuracy, balanced_interval, mean_interval
from rewards.network_fit import Recipe, fit_network, outputs_of
from rewards.readings import Draft, titled
from rewards.rule_data import RuleExample, joined, rule_examples, units_of
from rewards.rule_judge import PARTS, RuleVectors, rule_texts, rule_vectors
from rewards.rules import PROGRAMS, load_rules
from rewards.support_data import held_out, support_examples
from rewards.training import CHANCE, checksums, open_corpus, write_card
from rewards.types import Rule

FILES = (
    "rules/cold-zh.train.jsonl.gz",
    "rules/hatexplain.train.jsonl.gz",
    "rules/redteam-prompts.jsonl.gz",
    "preference/hh-harmless.train.jsonl.gz",
    "sft/oasst-seed.train.jsonl.gz",
    "sft/kdconv.train.jsonl.gz",
    "lm/wiki-leads.jsonl.gz",
    "qa/squad.train.jsonl.gz",
    "qa/drcd.train.jsonl.gz",
)
RECIPE = Recipe(epochs=6, batch=64, rate=1.5e-3)
BROKEN = 3.0
"""Weight of a broken rule against a kept one; of the labels one in fourteen is broken."""
SHARE = {"hh": 0.15, "cold": 0.7, "quotes-off": 0.5}
"""Sources whose labels are noisy, or whose posts are unlike answers, count less."""
WRITTEN = "written "
"""Begins the source of lines written by hand; the rule that they are about follows."""
CAREFUL = 6.0
"""Weight of those lines: they are the only ones that are sly."""
POOLED = 32
"""Lines for which the mean over all rules counts in the choice of a rule's threshold."""
QUOTES, DOCUMENTS = 2500, 2500
OFF_TOPIC, NONSENSE = 5000, 1600
"""Training quotes that do not answer, and quotes whose words were mixed up."""
HIDDEN = 0.3
"""How often a step hides the examples of all rules, so that a rule without examples works by its text."""
STEP_LIMIT = 0.5
"""No floor lies above this: past it the judge itself holds that the rule is rather kept."""
HARMLESS = ("encyclopedia", "quotes", "documents")
"""Sources of texts that keep every rule."""
FALSE_ALARMS = 0.003
"""Share of harmless texts that all floors together may strike out on development data: a third of what is allowed."""


def quotes(data: Path, split: str, seed: int) -> list[RuleExample]:
    """Quotes of encyclopedia articles as answers to real questions: they keep every rule (also as test)."""
    found = [e for e in support_examples(data, split, seed) if e.kind == "right" and e.source in ("squad", "drcd")]
    chosen = random.Random(seed).sample(found, min(QUOTES, len(found)))
    return [harmless(e.draft, "quotes", split, _language(e.source), e.group) for e in chosen]


def documents(split: str, seed: int) -> list[RuleExample]:
    """What the policy that quotes says to questions about notices, price lists, manuals and the like, which the
    encyclopedia's sentences are unlike: it keeps every rule, too (also as test)."""
    rows = [row for row in written.written_rows(held_out=split == "test") if row.answers]
    made = []
    for row in random.Random(seed).sample(rows, min(DOCUMENTS, len(rows))):
        start = row.context.index(row.answers[0])
        begin, stop = sentence_bounds(row.context, start, start + len(row.answers[0]))
        said = worded(row.answers[0], row.context[begin:stop], form_of(row.question))
        drafted = Draft(row.question, titled(row.article, said), row.answers[0])
        made.append(harmless(drafted, "documents", split, row.language, f"{written.SOURCE}:{row.article}"))
    return made


def harmless(drafted: Draft, source: str, split: str, language: str, group: str) -> RuleExample:
    """An example that keeps every rule that a network judges; development data by its group."""
    part = "test" if split == "test" else "dev" if held_out(group) else "train"
    return RuleExample(drafted, dict.fromkeys(judged_ids(), 1.0), source, part, language, group)


@cache
def judged_ids() -> tuple[str, ...]:
    """The rules that a network judges."""
    return tuple(rule.id for rule in load_rules() if rule.id not in PROGRAMS)


def off_quotes(data: Path, seed: int) -> list[RuleExample]:
    """Training examples made from quotes: those that do not answer the question are off topic, near as they may be;
    those spliced from two quotes, or with a stretch of their words in disorder, make no sense."""
    random_ = random.Random(seed)
    found = [
        e for e in support_examples(data, "train", seed) if e.source in ("squad", "drcd") and not held_out(e.group)
    ]
    near = [e for e in found if e.kind in ("same-passage", "other-passage", "unanswerable")]
    made = []
    for e in random_.sample(near, min(OFF_TOPIC, len(near))):
        made.append(RuleExample(e.draft, {"on-topic": 0.0}, "quotes-off", "train", _language(e.source), e.group))
    right = [e for e in found if e.kind == "right"]
    for e in random_.sample(right, min(NONSENSE, len(right))):
        other = random_.choice([one for one in random_.sample(right, 20) if one.source == e.source] or [e])
        broken = spliced if random_.random() < 0.5 else stirred
        text = broken(e.draft.answer, other.draft.answer, random_)
        drafted = Draft(e.draft.question, text)
        made.append(RuleExample(drafted, {"make-sense": 0.0}, "quotes-broken", "train", _language(e.source), e.group))
    return made


def _language(source: str) -> str:
    return "zh" if source == "drcd" else "en"


def spliced(one: str, other: str, random_: random.Random) -> str:
    """The beginning of one text and the end of another."""
    units, more = units_of(one), units_of(other)
    at = random_.uniform(0.3, 0.7)
    return joined([*units[: int(at * len(units))], *more[int(at * len(more)) :]], one)


def stirred(one: str, _: str, random_: random.Random) -> str:
    """A text with a stretch of its words, some said twice, in disorder."""
    units = units_of(one)
    length = max(4, int(random_.uniform(0.3, 0.8) * len(units)))
    start = random_.randrange(max(1, len(units) - length))
    stretch = units[start : start + length]
    stretch += random_.sample(stretch, min(2, len(stretch)))
    random_.shuffle(stretch)
    return joined([*units[:start], *stretch, *units[start + length :]], one)


def train_rules(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, corpus: Corpus | None = None
) -> Path:
    """Train, measure, and write the judge with its card into `out`/rules. Returns that folder."""
    files = checksums(data, FILES) | {name: file_sha256(path) for name, path in written.files().items()}
    examples, judged = every_example(data, seed)
    reader = corpus or open_corpus(home, out, [*(e.draft for e in examples), *rule_drafts(judged)], progress)
    vectors = rule_vectors(reader, judged)
    train = [e for e in examples if e.part == "train"]
    targets = label_table(train, vectors.ids)
    network, curve = fit_rules(reader, train, targets, vectors, seed, progress, kept=out / "rules.pt")
    mixed = targets[::CHANCE][np.random.default_rng(seed).permutation(len(targets[::CHANCE]))]
    chance, _ = fit_rules(reader, train[::CHANCE], mixed, vectors, seed, progress, 1, out / "rules-shuffled.pt")
    dev = [e for e in examples if e.part == "dev"]
    floors = fit_floors(network, reader, dev, vectors)
    figures = measured(network, chance, reader, [e for e in examples if e.part != "train"], vectors, floors)
    folder = out / "rules"
    numbers = {f"floor.{rule}": floor for rule, floor in floors.items()}
    trained = Trained("rules", reader.fingerprint, reader.layer, network.shape, seed, numbers, files, {"test": figures})
    save_network(network, trained, folder)
    save_network(chance, trained, out / "shuffled" / "rules")
    draw([Panel({"training": curve}, y="loss")], out / "rules-loss.png")
    write_card(folder, "Rule judge", TEXT, files, figures, LIMITS)
    return folder


def every_example(data: Path, seed: int) -> tuple[list[RuleExample], list[Rule]]:
    """All examples of all parts, and the rules that a network judges."""
    book = load_rules()
    examples = rule_examples(data, book, seed)
    for split in ("train", "test"):
        examples += [*quotes(data, split, seed), *documents(split, seed)]
    return [*examples, *off_quotes(data, seed)], [rule for rule in book if rule.id not in PROGRAMS]


def rule_drafts(rules: Sequence[Rule]) -> list[Draft]:
    """The rules' own texts, in a shape that puts them into the corpus."""
    made = []
    for rule in rules:
        english, chinese, *shown = rule_texts(rule)
        made += [Draft(text.removeprefix("query: "), "") for text in (*english, *chinese)]
        made += [Draft("", text.removeprefix("passage: ")) for some in shown for text in some]
    return made


def label_table(examples: Sequence[RuleExample], ids: Sequence[str]) -> NDArray[np.float32]:
    """[examples, rules]: 1 kept, 0 broken, NaN unknown."""
    return np.asarray([[e.labels.get(rule, np.nan) for rule in ids] for e in examples], dtype=np.float32)


def fit_rules(
    reader: Corpus,
    examples: Sequence[RuleExample],
    targets: NDArray[np.float32],
    vectors: RuleVectors,
    seed: int,
    progress: Progress | None,
    epochs: int = RECIPE.epochs,
    kept: Path | None = None,
) -> tuple[Interaction, list[tuple[int, float]]]:
    """A rule-conditional network, and its curve."""
    torch.manual_seed(seed)
    network = Interaction(Shape(rule=PARTS * 384, width=64, inner=128))
    wanted = torch.from_numpy(targets)
    weights = torch.where(wanted.isnan(), 0.0, torch.where(wanted < 0.5, BROKEN, 1.0))
    weights = weights * torch.tensor(shares(examples))[:, None]
    # A draft that breaks one rule teaches most by that label; those of 21 kept rules are shared out.
    known = (weights > 0).sum(dim=1, keepdim=True).clamp(min=1)
    weights = torch.where(wanted < 0.5, weights, weights * (4.0 / known.clamp(min=4)))
    wanted = wanted.nan_to_num(1.0)

    def shown(random_: random.Random) -> Tensor:
        parts = torch.ones(len(vectors.ids), PARTS)
        if random_.random() < HIDDEN:
            parts[:, 2:] = 0.0
        language = random_.random()
        if language < 0.5:
            parts[:, 0 if language < 0.25 else 1] = 0.0
        return vectors.flat(parts)

    def loss(outputs: Tensor, rows: Sequence[int]) -> Tensor:
        at = list(rows)
        each = functional.binary_cross_entropy_with_logits(outputs, wanted[at], reduction="none")
        return (each * weights[at]).sum() / weights[at].sum()

    recipe = Recipe(epochs, RECIPE.batch, RECIPE.rate, seed=seed)
    units = [[i] for i in range(len(examples))]
    drafts, labels = [e.draft for e in examples], [wanted, weights, vectors.parts]
    curve = fit_network(network, reader, drafts, units, labels, loss, recipe, shown, progress, kept)
    return network, curve


def shares(examples: Sequence[RuleExample]) -> list[float]:
    """The weight of each example by its source."""
    return [CAREFUL if e.source.startswith(WRITTEN) else SHARE.get(e.source, 1.0) for e in examples]


def probabilities(
    network: Interaction, reader: Corpus, examples: Sequence[RuleExample], vectors: RuleVectors
) -> NDArray[np.float64]:
    """[examples, rules] in [0, 1]."""
    logits = outputs_of(network, reader, [e.draft for e in examples], vectors.flat()).astype(np.float64)
    return np.asarray(1 / (1 + np.exp(-logits)))


def fit_floors(
    network: Interaction, reader: Corpus, dev: Sequence[RuleExample], vectors: RuleVectors
) -> dict[str, float]:
    """The floors that catch most of the development lines that break a rule, while at most FALSE_ALARMS of the
    development quotes, encyclopedia sentences and answers from office documents fall under any: an answer about a war,
    a disease or a deposit must not be refused."""
    known = probabilities(network, reader, dev, vectors)
    safe = known[[i for i, e in enumerate(dev) if e.source in HARMLESS]]
    broken = [
        known[[i for i, e in enumerate(dev) if e.labels.get(rule, 1.0) == 0.0 and is_own(e)], column]
        for column, rule in enumerate(vectors.ids)
    ]
    found = catching_floors(safe, broken)
    return {rule: round(floor, 4) for rule, floor in zip(vectors.ids, found.tolist(), strict=True)}


def is_own(example: RuleExample) -> bool:
    """Whether a line was written for this project: such lines break their rule for certain."""
    return example.source == "templates" or example.source.startswith(WRITTEN)


def catching_floors(
    safe: NDArray[np.float64], broken: Sequence[NDArray[np.float64]], alarms: float = FALSE_ALARMS
) -> NDArray[np.float64]:
    """[rules] from the probabilities [texts, rules] of texts that keep all rules and, for each rule, those of texts
    that break it.

    The share of safe texts that fall under any floor stays within `alarms`. It is spent where it catches most: step by
    step on the rule whose next floors catch the largest further share of its breaches a safe text.
    """
    ordered = np.sort(safe, axis=0)
    levels = np.zeros(safe.shape[1], dtype=int)
    struck = np.zeros(len(safe), dtype=bool)
    budget = int(alarms * len(safe))

    def floor(rule: int, level: int) -> float:
        """So high that `level` safe texts fall under it."""
        return float(min(STEP_LIMIT, ordered[level, rule] if level else 0.95 * ordered[0, rule]))

    def caught(rule: int, level: int) -> float:
        return float((broken[rule] < floor(rule, level)).mean()) if len(broken[rule]) else 0.0

    while True:
        steps = []
        for rule in range(safe.shape[1]):
            for level in range(levels[rule] + 1, min(levels[rule] + 1 + budget, len(safe) - 1) + 1):
                cost = int(((safe[:, rule] < floor(rule, level)) & ~struck).sum())
                gain = caught(rule, level) - caught(rule, levels[rule])
                if gain > 0 and struck.sum() + cost <= budget:
                    steps.append((gain / (cost + 0.1), rule, level))
        if not steps:
            return np.asarray([floor(rule, level) for rule, level in enumerate(levels)])
        _, rule, level = max(steps)
        levels[rule] = level
        struck |= safe[:, rule] < floor(rule, level)


def measured(
    network: Interaction,
    chance: Interaction,
    reader: Corpus,
    examples: Sequence[RuleExample],
    vectors: RuleVectors,
    floors: Mapping[str, float],
) -> list[list[str]]:
    """All figures of the judge, beside a network trained on shuffled labels."""
    test = [e for e in examples if e.part == "test"]
    dev = [e for e in examples if e.part == "dev" and e.source.startswith(WRITTEN)]
    said, by_chance = (probabilities(net, reader, test, vectors) for net in (network, chance))
    figures = rule_figures(said, by_chance, test, vectors.ids, floors)
    if dev:
        known = probabilities(network, reader, dev, vectors)
        figures += written_figures(known, said, by_chance, dev, test, vectors.ids, floors)
    return figures


def rule_figures(
    said: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    test: Sequence[RuleExample],
    ids: Sequence[str],
    floors: Mapping[str, float],
) -> list[list[str]]:
    """False alarms on quotes, AUC on COLD, and per rule the AUC and the share caught on templates never seen.

    `said` and `by_chance` are the probabilities [test, ids] of the judge and of the one trained on shuffled labels.
    """
    lengths = np.asarray([-float(len(e.draft.answer)) for e in test])
    under = (said < np.asarray([floors[rule] for rule in ids])).any(axis=1).astype(float)
    groups = [e.group for e in test]
    rows = [["test set", "figure", "judge", "shuffled labels", "longer text breaks the rule"]]
    for source in HARMLESS:
        at = [i for i, e in enumerate(test) if e.source == source]
        rows.append([source, "false alarms (any rule)", str(mean_interval(under[at], [groups[i] for i in at])), "", ""])
    tables = [(f"templates {rule}", rule, "templates") for rule in ids]
    for name, rule, source in [("cold-zh.dev", "no-hate", "cold"), *tables]:
        column = ids.index(rule)
        at = [i for i, e in enumerate(test) if e.source == source and rule in e.labels]
        at = at if source == "cold" else [*at, *(i for i, e in enumerate(test) if e.source == "quotes")]
        labels, own = np.asarray([test[i].labels[rule] for i in at]), [groups[i] for i in at]
        cells = [
            str(auc_interval(values[at], labels, own)) for values in (said[:, column], by_chance[:, column], lengths)
        ]
        broken = [i for i, y in zip(at, labels, strict=True) if y < 0.5]
        caught = float((said[broken, column] < floors[rule]).mean())
        rows.append([name, f"AUC; at the floor {floors[rule]:.2f} catches {caught:.0%}", *cells])
    return rows


def written_figures(
    known: NDArray[np.float64],
    said: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    dev: Sequence[RuleExample],
    test: Sequence[RuleExample],
    ids: Sequence[str],
    floors: Mapping[str, float],
) -> list[list[str]]:
    """Per rule and language, on topics never seen: balanced accuracy at the rule's threshold on development topics,
    AUC, and the share of breaches under the floor; then the means over rules.

    `known` are the probabilities [dev, ids]; `said` and `by_chance` those of the tests, as in `rule_figures`.
    """
    columns = {e.source: ids.index(e.source.removeprefix(WRITTEN)) for e in test if e.source.startswith(WRITTEN)}
    thresholds = best_thresholds(known, dev, ids)
    rows, means = [], []
    for name, column in columns.items():
        floor, threshold = floors[ids[column]], thresholds[ids[column]]
        for lang in ("en", "zh", ""):
            at, labels = rows_of(test, name, lang)
            groups = [test[i].group for i in at]
            right = balanced_interval(said[at, column], labels, threshold, groups)
            area = auc(said[at, column], labels)
            broken = at[labels < 0.5]
            caught = float((said[broken, column] < floor).mean())
            text = (
                f"balanced accuracy at {threshold:.2f}; AUC {area:.3f}; at the floor {floor:.2f} catches {caught:.0%}"
            )
            other = balanced_interval(by_chance[at, column], labels, threshold, groups)
            rows.append([f"{name} {lang}".strip(), text, str(right), str(other), ""])
            if not lang:
                means.append((right.value, area, caught))
    accuracy_, area, caught = np.mean(means, axis=0)
    worst = min(value for value, *_ in means)
    text = f"mean balanced accuracy; mean AUC {area:.3f}; floors catch {caught:.0%}; least {worst:.3f}"
    return [*rows, ["written, all rules", text, f"{accuracy_:.3f}", "", ""]]


def best_thresholds(known: NDArray[np.float64], dev: Sequence[RuleExample], ids: Sequence[str]) -> dict[str, float]:
    """For each rule the threshold with the greatest balanced accuracy over its development lines, of which most rules
    have few: the mean over all rules counts like POOLED lines more. `known` are the probabilities [dev, ids]."""
    lines = {rule: rows_of(dev, WRITTEN + rule, "") for rule in ids}
    lines = {rule: (at, labels) for rule, (at, labels) in lines.items() if 0 < labels.sum() < len(labels)}
    grid = np.linspace(0.02, 0.98, 49)
    own = {
        rule: np.asarray([balanced_accuracy(known[at, ids.index(rule)], labels, threshold) for threshold in grid])
        for rule, (at, labels) in lines.items()
    }
    pooled = np.mean(list(own.values()), axis=0)
    found = {}
    for rule in ids:
        worth = POOLED * pooled + (len(lines[rule][0]) * own[rule] if rule in lines else 0.0)
        found[rule] = float(grid[worth.argmax()])
    return found


def rows_of(examples: Sequence[RuleExample], name: str, lang: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of a source's examples (of one language, or all), and whether they keep the rule it is named after."""
    at = [i for i, e in enumerate(examples) if e.source == name and lang in ("", e.lang)]
    return np.asarray(at, dtype=np.int64), np.asarray([examples[i].labels[name.removeprefix(WRITTEN)] for i in at])


TEXT = """
p_i = P(rule i is kept | dialogue, candidate, text of rule i), rule-conditional as in Glaese et al. 2022: each rule's
vector (its text in both languages, and its examples) looks through the token states of the candidate; one pass per
candidate whatever the number of rules. A rule that a user adds works by its text, better with examples.
Trained on public data, on templates written for this project (rewards/bundled/rule_examples.yaml, tested on templates
that were not trained on) and on lines written by hand with care (rewards/examples: of each rule 192, half of them
broken, keeping and breaking it with the same words; a third of the topics are held out and tested, the rows "written").
What the policy that quotes says to 2,500 questions about office documents written for this project ("documents") keeps
every rule, too. Under the floors fall at most 0.3% of the harmless development texts, by all rules together; within
that they are set where they catch most.
Train it again: `passerine train rules --data FOLDER`.
"""
LIMITS = """
Template lines are short and plain, so the figures on them flatter: the rows "written" say what sly breaches do. Few
rules have public data (hate, insults, harm). Two rules are hardly judged: `on-topic` (a true sentence on the subject
that does not answer passes; the support judge is there for that) and `make-sense` (a statement that contradicts itself
passes); neither has a floor that catches much. A rule added by its text alone is a hint, not a
guard: give it examples, and a floor of its own after looking at the probabilities it gets. Repetition is decided by a
program and is not in this table.
"""
