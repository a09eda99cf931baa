"""The judges against their baselines: heads trained on shuffled labels, the longer text, the one closest to the
question.

The cards' own figures, measured again on the test files with the weights at hand.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from eval.preferences import preference_table
from eval.report import Report, Table, write
from indexing.types import Progress
from models.encoder import load_encoder
from rewards.corpus import Corpus
from rewards.interaction import Interaction, load_network
from rewards.preference import BUNDLED as PREFERENCE
from rewards.preference_data import Ranking, built_rankings, human_rankings
from rewards.rule_data import rule_examples
from rewards.rule_judge import BUNDLED as RULES
from rewards.rule_judge import rule_vectors
from rewards.rules import PROGRAMS, load_rules
from rewards.support import BUNDLED as SUPPORT
from rewards.support import load_calibration
from rewards.support_data import support_examples
from rewards.train_preference import preference_figures
from rewards.train_rules import WRITTEN, measured, quotes, rule_drafts
from rewards.train_support import support_figures
from rewards.training import TRUNK, open_corpus

COMMAND = "passerine evaluate judges --data FOLDER"


def run_judges(
    data: Path,
    home: Path,
    out: Path,
    progress: Progress | None = None,
    shuffled: Path | None = None,
    corpus: Corpus | None = None,
) -> Report:
    """Measure the bundled judges on the test files and write a report to `out`.

    `shuffled` is the folder with the heads on shuffled labels that a training left (`OUT/shuffled`); without it there
    is only the table of baselines that need no training.
    """
    chance = shuffled or out / "shuffled"
    tables = [_plainly(data, home, out, progress, corpus)]
    measures: tuple[tuple[str, Callable[[], Sequence[Sequence[str]]]], ...] = (
        ("Support", lambda: _support(data, home, out, chance, progress, corpus)),
        ("Preference", lambda: _preference(data, home, out, chance, progress, corpus)),
        ("Rules", lambda: _rules(data, home, out, chance, progress, corpus)),
    )
    for title, measure in measures if chance.is_dir() else ():
        head, *rows = measure()
        tables.append(Table(title, tuple(head), tuple(tuple(row) for row in rows)))
    report = Report(name="judges", command=COMMAND, tables=tuple(tables), figures={}, settings={})
    write(report, out)
    return report


def _plainly(data: Path, home: Path, out: Path, progress: Progress | None, corpus: Corpus | None) -> Table:
    test = _rankings(data)
    reader = corpus or open_corpus(home, out, [d for r in test for d in r.drafts], progress)
    return preference_table(_network(PREFERENCE, reader), reader, load_encoder(TRUNK, home), test)


def _rankings(data: Path) -> list[Ranking]:
    return [*human_rankings(data, "test"), *built_rankings(support_examples(data, "test"))]


def _network(folder: Path, corpus: Corpus) -> Interaction:
    return load_network(folder, corpus.fingerprint)[0]


def _support(
    data: Path, home: Path, out: Path, chance: Path, progress: Progress | None, corpus: Corpus | None
) -> list[list[str]]:
    test = support_examples(data, "test")
    reader = corpus or open_corpus(home, out, [e.draft for e in test], progress)
    networks = _network(SUPPORT, reader), _network(chance / "support", reader)
    return support_figures(*networks, load_calibration(SUPPORT / "calibration.json"), reader, test)


def _preference(
    data: Path, home: Path, out: Path, chance: Path, progress: Progress | None, corpus: Corpus | None
) -> list[list[str]]:
    test = _rankings(data)
    reader = corpus or open_corpus(home, out, [d for r in test for d in r.drafts], progress)
    return preference_figures(_network(PREFERENCE, reader), _network(chance / "preference", reader), reader, test)


def _rules(
    data: Path, home: Path, out: Path, chance: Path, progress: Progress | None, corpus: Corpus | None
) -> list[list[str]]:
    book = load_rules()
    judged = [rule for rule in book if rule.id not in PROGRAMS]
    held = [
        e
        for e in [*rule_examples(data, book), *quotes(data, "test", 0)]
        if e.part == "test" or (e.part == "dev" and e.source.startswith(WRITTEN))
    ]
    reader = corpus or open_corpus(home, out, [*(e.draft for e in held), *rule_drafts(judged)], progress)
    trained = load_network(RULES, reader.fingerprint)[1]
    floors = {rule.id: trained.numbers[f"floor.{rule.id}"] for rule in judged}
    networks = _network(RULES, reader), _network(chance / "rules", reader)
    return measured(*networks, reader, held, rule_vectors(reader, judged), floors)
