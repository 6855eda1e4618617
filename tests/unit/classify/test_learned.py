"""What was learned from the texts in `training`, on documents that are not among them."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from inbox.classify import DEFAULT_LABELS, learned, likeness
from inbox.classify.lexicon import LexiconClassifier
from inbox.classify.verify import stands
from inbox.model import Document, Label, Page, PageSource

ROOT = Path(__file__).parents[3]
SAMPLES = Path(__file__).parent / "documents"
PATHS = sorted(SAMPLES.glob("*/*.txt"))


def document(text: str) -> Document:
    """A document of one page."""
    return Document(
        media_type="text/plain", pages=(Page(number=1, text=text, source=PageSource.NATIVE),)
    )


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    """The module that reads the training texts."""
    spec = importlib.util.spec_from_file_location("corpus", ROOT / "training" / "corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_weights_are_those_of_the_texts(corpus: ModuleType) -> None:
    """Both files name the texts that they were fitted to: changed texts ask for `make train`."""
    for file in ("words.tsv", "meaning.tsv"):
        weights = ROOT / "inbox" / "classify" / "weights" / file
        assert weights.read_text("utf-8").split("\t", 1)[0] == corpus.digest(), file


def test_every_label_has_texts_in_several_languages(corpus: ModuleType) -> None:
    """Each default label has at least 80 different texts in at least five languages."""
    texts = list(corpus.texts())
    assert {each.label for each in texts} == {label.name for label in DEFAULT_LABELS}
    assert min(Counter(each.label for each in texts).values()) >= 80
    assert len({each.text for each in texts}) == len(texts)
    for label in DEFAULT_LABELS:
        assert len({each.language for each in texts if each.label == label.name}) >= 5


def test_no_sample_of_these_tests_is_among_the_texts(corpus: ModuleType) -> None:
    """What is learned by heart would pass any test."""
    learnt = {" ".join(each.text.split())[:200] for each in corpus.texts()}
    assert not {" ".join(path.read_text("utf-8").split())[:200] for path in PATHS} & learnt


def test_digits_count_by_their_form() -> None:
    """Amounts and dates of one form are one feature; others are not."""
    one = learned.features("Paid 12.50 on 2024-01-05")
    assert one == learned.features("Paid 98.76 on 1999-12-31")
    assert one != learned.features("Paid 112.50 on 2024-01-05")


def test_features_are_words_pairs_beginnings_and_the_top() -> None:
    """One line shows each sort of feature."""
    assert learned.features("Die Gebührenrechnung!") == {
        "die", "gebuhrenrechnung", "!",
        "die gebuhrenrechnung", "gebuhrenrechnung !",
        "~gebuh",
        "^die gebuhrenrechnung",
        "#die", "#gebuhrenrechnung", "#!",
    }  # fmt: skip


def test_nothing_to_read_says_nothing() -> None:
    """Without any known word, the constants alone are left, and no word tells anything."""
    words = learned.of_words("")
    assert set(words.lifts) == {label.name for label in DEFAULT_LABELS}
    assert max(words.lifts.values()) < 2
    assert not any(words.telling.values())


def test_words_alone_tell_most_samples() -> None:
    """Without any cue, the words get at least 85 of 100 samples right."""
    right = sum(
        max(lifts, key=lambda label: lifts[label]) == path.parent.name
        for path in PATHS
        for lifts in [learned.of_words(path.read_text("utf-8")).lifts]
    )
    assert right >= 0.85 * len(PATHS)


def test_meaning_alone_tells_most_samples() -> None:
    """The openings' meaning alone gets at least 70 of 100 samples right."""
    right = sum(
        max(lifts, key=lambda label: lifts[label]) == path.parent.name
        for path in PATHS
        for lifts in [learned.of_meaning(path.read_text("utf-8"))]
    )
    assert right >= 0.70 * len(PATHS)


def test_samples_get_their_labels_without_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, at least 95 of 100 samples are right all the same."""
    monkeypatch.setattr(likeness, "installed", lambda: False)
    classify = LexiconClassifier().classify
    right = sum(classify(document(p.read_text("utf-8"))).label == p.parent.name for p in PATHS)
    assert right >= 0.95 * len(PATHS)


def test_the_encoder_is_asked_in_doubt_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the opening of a doubtful document, and of a clear one it does not."""
    asked: list[str] = []
    of_meaning = learned.of_meaning
    monkeypatch.setattr(learned, "of_meaning", lambda text: asked.append(text) or of_meaning(text))
    classify = LexiconClassifier().classify
    classify(document((SAMPLES / "invoice" / "water.txt").read_text("utf-8")))
    assert not asked
    classify(document("The river was low that summer and nobody spoke of it at all."))
    assert len(asked) == 1


def test_a_word_that_was_learned_is_evidence() -> None:
    """A document without any cue has quotes of words that told its label, and they stand."""
    read = document(
        "We stirred the melted butter into the whisked eggs, folded in the sieved\n"
        "flour, and left the dough to rest in a warm place under a cloth until it\n"
        "had doubled; then it went into the hot oven for half an hour."
    )
    result = LexiconClassifier().classify(read)
    assert result.label == "other"
    assert result.evidence
    assert all(stands(read, evidence) for evidence in result.evidence)


def test_labels_that_a_layperson_describes_stand_for_default_kinds() -> None:
    """Five labels in words of one's own, described in a line: at least 90 of 100 are right."""
    told = {
        "letter": Label(name="correspondence", description="Letters from outside, signed"),
        "memo": Label(name="internal notes", description="Notes that go round in the house"),
        "report": Label(name="findings", description="What somebody examined or counted"),
        "news_article": Label(name="press", description="What the papers write"),
        "resume": Label(name="applicants", description="Who wants a job, and what they have done"),
    }
    paths = [path for path in PATHS if path.parent.name in told]
    classify = LexiconClassifier().classify
    right = sum(
        classify(document(path.read_text("utf-8")), list(told.values())).label
        == told[path.parent.name].name
        for path in paths
    )
    assert right >= 0.9 * len(paths)


def test_weights_are_whole_numbers() -> None:
    """Each row has a frequency and a weight for each label."""
    for file in ("words.tsv", "meaning.tsv"):
        weights = learned.read_weights(file)
        assert list(weights.labels) == sorted(label.name for label in DEFAULT_LABELS)
        assert {row.count("\t") for row in weights.rows.values()} == {len(weights.labels)}
        json.loads(f"[{','.join(next(iter(weights.rows.values())).split())}]")
