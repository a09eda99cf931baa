"""The support judge."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from indexing.types import (
    BadInput,
    Cancelled,
    Document,
    Encoder,
    EncoderMismatch,
    Hit,
    ModelDamaged,
    ModelMissing,
    Passage,
    Progress,
)
from models.types import Candidate, Conversation, Quote, Turn
from rewards.interaction import Interaction, Shape, Trained, collate, load_network, save_network, sides_of
from rewards.network_fit import Recipe, fit_network, outputs_of
from rewards.readings import Draft, Readings, draft
from rewards.support import (
    FEATURES,
    Calibration,
    TrainedSupport,
    fit_calibration,
    load_calibration,
    save_calibration,
    shared,
)
from rewards.support_data import Example, reading_examples, said_examples
from tests.hashed_reader import HashedReader, one_thread

TEXT = (
    "The bridge was opened in 1932. It was designed by Ralph Freeman of London. "
    "Some 1,400 people worked on it. The span measures 503 metres."
)


@pytest.fixture(scope="module")
def judge(readings: Readings) -> TrainedSupport:
    return TrainedSupport.load(readings)


def quoted(text: str, title: str = "", log_prob: float = -0.1, said: str = "", short: str = "") -> Candidate:
    """A candidate that quotes `text` from a document called `title`."""
    document = Document("d", "", title, text)
    hit = Hit(Passage("p", "d", 0, 0, len(text), text), document, 0.8)
    return Candidate(said or text, short, (hit,), (Quote("d", 0, len(text), text),), log_prob, "extractive")


def asked(text: str) -> Conversation:
    return Conversation((Turn("user", text),))


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (
            "When was the Sydney Harbour Bridge opened?",
            "The Sydney Harbour Bridge was opened in March 1932.",
            "The bakery on the corner sells bread rolls and cakes.",
        ),
        (
            "Who discovered penicillin?",
            "Penicillin was discovered in 1928 by the Scottish physician Alexander Fleming.",
            "Penicillin dissolves in water and is kept in a cool place.",
        ),
        (
            "长江全长多少公里？",
            "长江全长约6300公里，是亚洲最长的河流。",
            "长江流域的渔民在春季修补渔网。",
        ),
        ("谁发明了活字印刷术？", "北宋的毕昇发明了活字印刷术。", "纸张在唐代传入中亚。"),
    ],
)
def test_the_sentence_that_answers_is_supported_more(
    judge: TrainedSupport, question: str, right: str, wrong: str
) -> None:
    good, bad = judge.judge(asked(question), [quoted(right), quoted(wrong)])
    assert 0.0 <= bad < good <= 1.0


@pytest.mark.parametrize(
    ("question", "quote", "altered"),
    [
        ("When was the bridge opened?", "The bridge was opened in March 1932.", "The bridge was opened in March 1972."),
        ("Who designed it?", "It was designed by Ralph Freeman.", "It was designed by Nikola Tesla."),
        ("Is it made of steel?", "The bridge is made of steel.", "The bridge is not made of steel."),
        ("大桥何时通车？", "大桥于1932年通车。", "大桥于1972年通车。"),
        ("大桥有灯吗？", "大桥上有灯。", "大桥上没有灯。"),
    ],
)
def test_a_statement_that_its_quote_does_not_bear_out_is_not_supported(
    judge: TrainedSupport, question: str, quote: str, altered: str
) -> None:
    true, false = (
        Candidate(said, "", (), (Quote("d", 0, len(quote), quote),), -0.1, "generative") for said in (quote, altered)
    )
    rows = judge.features(asked(question), [true, false])
    network = rows[:, FEATURES.index("network")]
    assert network[0] > network[1]


@pytest.mark.parametrize(
    ("question", "row", "title", "short", "supported"),
    [
        ("AH-200零售价是多少？", "AH-200 | 399 | 268 | 50 台", "价格表", "399", True),
        ("AH-210零售价是多少？", "AH-200 | 399 | 268 | 50 台", "价格表", "399", False),
        ("AH-210充电要多久？", "充电时间 | 约 2.5 小时", "AH-200 说明书", "约 2.5 小时", False),
        ("AH-200换成了什么型号？", "现已换成 AH-210。", "产品清单", "AH-210", True),
        ("AH-200什么时候上市？", "AH-200 上市", "产品清单", "AH-200", False),
        ("AH-200检测费是多少？", "AH-200 检测需 6 小时", "产品清单", "6 小时", False),
    ],
)
def test_a_row_about_another_model_supports_nothing(
    judge: TrainedSupport, question: str, row: str, title: str, short: str, supported: bool
) -> None:
    (share,) = judge.judge(asked(question), [quoted(row, title, short=short)])
    assert (share > 0.0) is supported


def test_said_examples_are_right_once_and_wrong_in_several_ways() -> None:
    quote = "Bridges: The bridge was opened on 4 March 1932, and floods closed it."
    group = [
        Example(Draft("When was it opened?", quote, "1932"), 1.0, "squad:Bridges", "squad", "right"),
        Example(Draft("When was it opened?", "It is grey."), 0.0, "squad:Bridges", "squad", "same-passage"),
    ]
    made = said_examples(group, "squad", seed=0)
    kinds = {example.kind: example for example in made}
    assert {"said-again", "altered-number", "negated", "wrong-quote", "evasive"} <= set(kinds)
    assert [example.kind for example in made if example.label] == ["said-again"]
    assert kinds["wrong-quote"].draft.evidence == "It is grey."
    assert kinds["said-again"].draft.answer in quote
    assert kinds["altered-number"].draft.answer not in quote
    assert {example.source for example in made} == {"said-squad"}


def test_a_statement_without_a_quote_has_no_support_and_small_talk_needs_none(judge: TrainedSupport) -> None:
    candidates = [Candidate("It opened in 1932."), Candidate("Hello.", kind="talk")]
    assert judge.judge(asked("When?"), candidates) == [0.0, 1.0]
    assert judge.judge(asked("When?"), []) == []


def test_the_same_question_gives_the_same_support(judge: TrainedSupport, readings: Readings) -> None:
    candidates = [quoted(sentence + ".") for sentence in TEXT.split(". ")]
    first = judge.judge(asked("Who designed it?"), candidates)
    again = TrainedSupport.load(Readings(readings.trunk)).judge(asked("Who designed it?"), candidates)
    assert first == pytest.approx(again, abs=2e-3)


def test_features_carry_what_the_policy_and_the_retriever_know(judge: TrainedSupport) -> None:
    candidate = quoted("It was opened in 1932.", "Harbour Bridge", log_prob=-0.7, short="1932")
    (row,) = judge.features(asked("When was the bridge opened?"), [candidate])
    known = dict(zip(FEATURES, row.tolist(), strict=True))
    assert (known["log_prob"], known["hit_score"], known["asked"]) == (-0.7, 0.8, 1.0)


def test_nearness_is_the_cosine_of_the_encoders_vectors(judge: TrainedSupport, encoder: Encoder) -> None:
    candidates = [quoted("It was opened in 1932.", "Harbour Bridge"), quoted("蒸汽机车在这里停靠。", "车站")]
    question = "When was the bridge opened?"
    rows = judge.features(asked(question), candidates)[:, FEATURES.index("near")]
    (vector,) = encoder.encode_queries([question])
    near = encoder.encode_passages([draft(asked(question), each).answer for each in candidates]) @ vector
    assert rows == pytest.approx(near, abs=5e-3)
    assert rows[0] > rows[1]


def test_an_older_calibration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    save_calibration(Calibration((2.0,) * len(FEATURES), 1.0), path)
    older = json.loads(path.read_text())
    del older["weights"]["near"]
    path.write_text(json.dumps(older))
    assert load_calibration(path).weights == (*[2.0] * (len(FEATURES) - 1), 0.0)


def test_words_of_the_question_count_in_the_quotes_and_in_the_title() -> None:
    assert shared("Who opened the bridge?", quoted("It was opened by Ralph.", "The bridge"))[0] == 1.0
    assert shared("Who opened the bridge?", quoted("It was opened by Ralph.", "The tunnel"))[0] == 0.5
    assert shared("大桥何时通车？", quoted("大桥于1932年通车。"))[0] == 1.0
    assert shared("Why?", quoted("It was opened."))[0] == 0.0


def test_names_of_the_question_that_nothing_read_holds_are_missed() -> None:
    read = quoted("It was launched in 1961.", "Vostok 1")
    assert shared("When was Vostok 1 launched?", read) == (1.0, 1.0, 1.0)
    assert shared("When was Sputnik 1 launched?", read)[2] == 0.0, "the 1 is Sputnik's, and 1961 does not hold it"
    assert shared("Which probe came before Vostok in 19?", read)[2] == 0.5
    assert shared("How long was Vostok's flight?", read)[2] == 1.0
    assert shared("When was it launched?", read)[2] == 1.0


def test_a_quote_supports_as_much_in_the_other_script(judge: TrainedSupport) -> None:
    told = quoted("大桥于1932年正式通车。", "海港大桥", short="1932年")
    same = quoted("大橋於1932年正式通車。", "海港大橋", short="1932年")
    question = asked("海港大桥是哪一年通车的？")
    assert judge.judge(question, [same]) == pytest.approx(judge.judge(question, [told]), abs=2e-3)


def test_what_is_told_of_another_of_a_series_supports_nothing(judge: TrainedSupport) -> None:
    told = quoted("它于2003年10月15日发射。", "神舟五号", short="2003年10月15日")
    asked_about, other = asked("神舟五號是哪一年發射的？"), asked("土星五号是哪一年发射的？")
    assert judge.judge(asked_about, [told])[0] > 0
    assert judge.judge(other, [told]) == [0.0]


def test_what_is_no_time_answers_no_question_for_one(judge: TrainedSupport) -> None:
    question = asked("When was the bridge opened?")
    assert judge.judge(question, [quoted("It was opened in 1932.", "Harbour Bridge", short="1932")])[0] > 0
    assert judge.judge(question, [quoted("It was opened in 1932.", "Harbour Bridge", short="It")]) == [0.0]


def test_words_that_are_the_quote_are_read_once_and_under_their_title() -> None:
    same = draft(asked("When?"), quoted("It opened in 1932.", "The bridge"))
    assert (same.answer, same.evidence) == ("The bridge: It opened in 1932.", "")
    other = draft(asked("When?"), quoted("It opened in 1932.", "The bridge", said="In 1932, he says."))
    assert (other.answer, other.evidence) == ("In 1932, he says.", "It opened in 1932.")


def test_calibration_finds_the_weights_it_was_drawn_from(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(4000, len(FEATURES)))
    truth = Calibration((1.5, 0.8, -0.5, 0.3, 0.6, -0.7, 0.2, -0.1), -0.4)
    labels = (random.random(4000) < truth.probabilities(rows)).astype(float)
    found = fit_calibration(rows, labels.tolist())
    assert found.weights == pytest.approx(truth.weights, abs=0.15)
    assert found.bias == pytest.approx(truth.bias, abs=0.15)
    save_calibration(found, tmp_path / "calibration.json", fitted_on="a test")
    assert load_calibration(tmp_path / "calibration.json") == found


def test_calibration_leaves_out_what_is_not_used_and_refuses_equal_labels() -> None:
    rows = np.random.default_rng(1).normal(size=(50, len(FEATURES)))
    found = fit_calibration(rows, (rows[:, 0] > 0).astype(float).tolist(), used=("network",))
    assert found.weights[0] > 0
    assert found.weights[1:] == (0.0,) * (len(FEATURES) - 1)
    with pytest.raises(BadInput):
        fit_calibration(rows, [1.0] * 50)


def test_a_damaged_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"weights": {}, "bias": 0}', encoding="utf-8")
    with pytest.raises(ModelDamaged):
        load_calibration(path)


def test_a_network_is_checked_against_its_checksum_and_its_trunk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Interaction(Shape()).eval()
    with pytest.raises(ModelMissing):
        load_network(tmp_path / "none")
    save_network(network, Trained("support", "base-1", 8, Shape()), tmp_path)
    loaded, trained = load_network(tmp_path, "base-1")
    assert trained.shape == Shape()
    drafts = [Draft("who wrote it", "Mary wrote it")]
    assert outputs_of(loaded, HashedReader(), drafts) == pytest.approx(
        outputs_of(network, HashedReader(), drafts), abs=5e-3
    )
    with pytest.raises(EncoderMismatch):
        load_network(tmp_path, "base-2")
    with (tmp_path / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelDamaged):
        load_network(tmp_path, "base-1")


def test_padding_and_company_do_not_change_what_a_draft_gets() -> None:
    torch.manual_seed(0)
    network, reader = Interaction(Shape()).eval(), HashedReader()
    short, long = Draft("who", "Mary"), Draft("who wrote it", "Mary wrote it at nineteen in a cold summer " * 3)
    together = outputs_of(network, reader, [short, long])
    assert together[0] == pytest.approx(outputs_of(network, reader, [short])[0], abs=1e-5)


def test_the_bare_answer_is_marked_where_it_stands() -> None:
    reader = HashedReader()
    drafted = Draft("who wrote it", "Mary Shelley wrote it", "Mary Shelley")
    batch = collate(sides_of(reader, [drafted]), [drafted.short], [drafted.answer])
    assert batch.signs[0, :, 3].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert batch.signs[0, :, 1].tolist() == [0, 1, 1, 0, 0, 1, 1]


def test_a_network_learns_that_the_answer_must_share_the_questions_words() -> None:
    with one_thread():
        learn_to_share_words()


def learn_to_share_words() -> None:
    random = np.random.default_rng(0)
    names = [f"w{i}" for i in range(60)]
    drafts, labels = [], []
    for i in range(460):
        asked_for, other, *rest = random.choice(names, 5, replace=False)
        drafts.append(Draft(f"what of {asked_for}", " ".join([asked_for if i % 2 else other, *rest])))
        labels.append(float(i % 2))
    torch.manual_seed(0)
    network, wanted = Interaction(Shape(width=32, layers=1, heads=2, inner=64)), torch.tensor(labels)
    recipe = Recipe(epochs=6, batch=32, rate=3e-3)

    def loss(outputs: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[list(rows)])

    fit_network(network, HashedReader(), drafts[:400], [[i] for i in range(400)], [wanted], loss, recipe)
    said = outputs_of(network, HashedReader(), drafts[400:])[:, 0] > 0
    assert (said == (np.asarray(labels[400:]) > 0.5)).mean() > 0.85


def test_an_interrupted_fitting_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    names = [f"w{i} w{i + 1} w{i + 2}" for i in range(120)]
    drafts = [Draft(name, names[i // 2]) for i, name in enumerate(names)]
    wanted = torch.tensor([float(i % 2) for i in range(120)])
    recipe = Recipe(epochs=2, batch=2, rate=1e-3)

    def loss(outputs: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[list(rows)])

    def stop(stage: str, done: int, total: int) -> None:
        if done < total:
            raise Cancelled(f"{stage} was stopped.")

    def fitted(kept: Path | None, progress: Progress | None) -> Interaction:
        torch.manual_seed(0)
        network = Interaction(Shape(width=16, layers=1, heads=2, inner=16))
        units = [[i] for i in range(120)]
        fit_network(network, HashedReader(), drafts, units, [wanted], loss, recipe, progress=progress, kept=kept)
        return network

    with one_thread():
        whole = outputs_of(fitted(None, None), HashedReader(), drafts[:20])
        with pytest.raises(Cancelled):
            fitted(tmp_path / "run.pt", stop)
        resumed = outputs_of(fitted(tmp_path / "run.pt", None), HashedReader(), drafts[:20])
    assert resumed == pytest.approx(whole, abs=1e-6)


def test_a_finished_fitting_is_not_taken_for_one_of_other_labels_or_another_start(tmp_path: Path) -> None:
    drafts = [Draft("which", f"w{i}") for i in range(40)]

    def fitted(kept: Path, labels: list[float], start: int) -> tuple[list[float], int]:
        """What the network says, and how many steps it took to say so."""
        wanted, steps = torch.tensor(labels), list[int]()

        def progress(stage: str, done: int, total: int) -> None:
            assert (stage, total) == ("fit", 10)
            steps.append(done)

        def loss(outputs: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
            return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[list(rows)])

        torch.manual_seed(start)
        network = Interaction(Shape(width=16, layers=1, heads=2, inner=16))
        units, recipe = [[i] for i in range(40)], Recipe(epochs=2, batch=8, rate=1e-2)
        fit_network(network, HashedReader(), drafts, units, [wanted], loss, recipe, progress=progress, kept=kept)
        return outputs_of(network, HashedReader(), drafts)[:, 0].tolist(), max(steps, default=0)

    one, other = [float(i % 2) for i in range(40)], [float(i % 2 == 0) for i in range(40)]
    with one_thread():
        first = fitted(tmp_path / "run.pt", one, 0)
        assert fitted(tmp_path / "run.pt", one, 0) == (first[0], 0), "nothing changed: it is done"
        for labels, start in ((other, 0), (one, 1)):
            fresh = fitted(tmp_path / f"{labels[0]}-{start}.pt", labels, start)
            assert fitted(tmp_path / "run.pt", labels, start) == fresh
            assert fresh[0] != first[0]


@pytest.mark.parametrize("steps", [1, 2, 10, 11])
def test_a_fitting_has_any_number_of_steps(steps: int) -> None:
    drafts = [Draft("which", f"w{i}") for i in range(steps)]
    network = Interaction(Shape(width=16, layers=1, heads=2, inner=16))
    recipe, units = Recipe(epochs=1, batch=1), [[i] for i in range(steps)]
    curve = fit_network(network, HashedReader(), drafts, units, [], lambda outputs, _: outputs.square().mean(), recipe)
    assert [step for step, _ in curve] == [steps]


def test_reading_rows_become_right_and_wrong_drafts() -> None:
    rows = [
        {"context": TEXT, "question": "When was the bridge opened?", "answers": ["1932"], "title": "Bridge"},
        {"context": TEXT, "question": "Who paid for the bridge?", "answers": [], "title": "Bridge"},
    ]
    made = [e for seed in range(6) for e in reading_examples(rows, "squad", seed)]

    def of(kind: str) -> list[Example]:
        return [e for e in made if e.kind == kind]

    assert all("1932" in e.draft.answer and e.label == 1.0 for e in of("right"))
    assert all("1932" not in e.draft.answer and e.label == 0.0 for e in of("same-passage"))
    assert all(e.draft.short not in ("", "1932") and e.label == 0.0 for e in of("wrong-short"))
    assert all(e.draft.question.startswith("Who paid") and e.label == 0.0 for e in of("unanswerable"))
    assert all(of(kind) for kind in ("right", "same-passage", "wrong-short", "unanswerable"))
