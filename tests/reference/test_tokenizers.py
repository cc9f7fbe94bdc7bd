"""Task Library gives a model the same numbers and strings for a text as are given to it here.

The embeddings of these models are their inputs, so nothing can differ unseen.
"""

from __future__ import annotations

import io
import random

import pytest

from scannlite.embedders import delimiters
from scannlite.embedders.model import Model
from scannlite.embedders.punctuation import PUNCTUATION
from scannlite.embedders.runtime import Session
from scannlite.embedders.text import text_preprocessor
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime

pytestmark = needs_runtime

# Words, marks and blanks that tokenizers have rules of their own for.
WORDS = """
    the weather was excellent don't it's ' '' #hash ##s un unaff able ##able ##aff a b ##a ##b
    é É ÀB 日本 語 日 한국어 😀 👨‍👩‍👧 ß İ ﬁ α . , !? ... — – $ + < = ^ ` | ~ _ { [ ] 1 123 1_0
    [UNK] [CLS] [SEP] [PAD] <PAD> <START> <UNKNOWN> <s> </s> <unk> ▁ <0xE3>
""".split()  # noqa: SIM905 - a list would be a page
WORDS += ["e\u0301", "\u0301", "\ufeff", "\u200b", "\uffff", "\U0010ffff", "\U00011f43"]
WORDS += ["\u9fff", "\U00020000", "\U0002ceaf", "\U0002ceb0"]
LONG = ["x" * 100, "x" * 101, "é" * 50, "é" * 51]
BLANKS = [*" \t\n\r\f\v\0\x1c\x85\u00a0\u2003\u3000\u2028", "", "  "]
PATTERNS = [
    *(r"\s+", r"[^\w\']+", " ", r"[\s,.]+", r"(\W)", r"\S*?[\s']", r"[^a-z\d]", r"\v+", r"é|日"),
    *(r"[[:alpha:]]+", r"\pN|\p{L}+", r"\p{Greek}|\W", r"^a|\s+", r"\b\s|\s\b", r"(?i)[ab]+"),
    *(r"\Qa.\E|\s", r"\s{2,}", r"(\s|')+", r"\A\s|\w\z", r"(?s).a", r"x*a", r"(\s+)|(,)"),
]


def texts(seed, count=300, words=(*WORDS, *LONG)):
    """Of words and blanks, of any characters, and of those of ASCII."""
    rng = random.Random(seed)  # noqa: S311
    drawn = ["", "   ", "\0", "a\0b c\0"]
    while len(drawn) < count:
        chosen, blanks = rng.choices(words, k=12), rng.choices(BLANKS, k=12)
        joined = [part for pair in zip(chosen, blanks, strict=True) for part in pair]
        anything = [*rng.choices(range(0xD800), k=15), *rng.choices(range(0xE000, 0x110000), k=5)]
        of_ascii = map(chr, rng.choices(range(128), k=30))
        kinds = (joined, chosen, [*map(chr, anything), *joined[:8]], of_ascii)
        drawn += ["".join(parts)[: rng.randrange(200)] for parts in kinds]
    return drawn[:count]


@pytest.fixture
def compare(reference, tmp_path):
    """Ask both, text by text."""

    def of(content, asked):
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        reference.ask("open_embedder", name="tokens", model=path, questions=asked)
        theirs = reference.ask("embed", name="tokens")["embeddings"]
        model = Model.read(path)
        session = Session(model, 1)
        made = text_preprocessor(model, session.inputs, session.outputs)
        for text, expected in zip(asked, theirs, strict=True):
            (inputs,) = made.prepare(text)
            found = session.run(inputs, made.output).reshape(-1).tolist()
            # Of a model of open length it tells no more numbers than there are at first.
            assert found[: len(expected)] == expected, text
            assert len(found) == len(expected) or -1 in session.outputs[0].shape

    return of


def words_vocabulary(*, start):
    known = [word for word in WORDS if not word.startswith("<")]
    lines = ["<PAD> 3", "<UNKNOWN> 2", *(f"{word} {row - 5}" for row, word in enumerate(known))]
    return "\n".join([*lines, *["<START> 1"] * start, "", "the 900 again", "un +901\r"]).encode()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_words(compare, pattern):
    if delimiters._alike(pattern) is None:
        pytest.importorskip("re2", reason="NOT COMPARED: google-re2 is not installed")
    for start in (False, True):
        vocabulary = words_vocabulary(start=start)
        asked = texts(pattern + str(start))
        compare(models.ids_model(24, vocabulary=vocabulary, pattern=pattern), asked)


LINES = [
    b"a 5x",
    b"a 5 b",
    b"a 0x10",
    b"a +5",
    b"a -5",
    b"a \t\v5",
    b"a 5\r",
    b"a 5\0007",
    b"a 1_0",
]
LINES += [b"\n\na 5\na 6\n", b"\xe4 5", b"a -2147483648"]


@pytest.mark.parametrize("line", LINES)
def test_lines_of_words(compare, line):
    vocabulary = b"<PAD> 0\n<UNKNOWN> 2\n" + line
    compare(models.ids_model(6, vocabulary=vocabulary), ["a b a", "a\r a", "ä"])


@pytest.mark.parametrize("line", ["a  5", "two words 5", " a 5", "a five", "a ٣", "a 2147483648"])
def test_lines_that_are_refused_here_are_refused_there(reference, tmp_path, line):
    """Those with no blank at all are not tried: they end the process."""
    path = tmp_path / "model.tflite"
    vocabulary = f"<PAD> 0\n<UNKNOWN> 2\n{line}\n".encode()
    path.write_bytes(models.ids_model(6, vocabulary=vocabulary))
    with pytest.raises(RuntimeError, match="stoi"):
        reference.ask("open_embedder", name="tokens", model=path, questions=[])


def pieces_vocabulary():
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'é"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    known = [word for word in WORDS if word not in special]
    joined = [*(f"##{letter}" for letter in letters), "##\u0301", "##" + "x" * 50]
    return "\n".join([*special, *known, *letters, *joined, "", "", "a", "[UNK]"]).encode()


@pytest.mark.parametrize("length", [2, 3, 24, 128])
def test_pieces(compare, length):
    compare(models.bert_model(length, vocabulary=pieces_vocabulary()), texts(length, 600))


@pytest.mark.parametrize("names", [("mask", "ids", "segment_ids"), ("mask", "ids", "segments")])
def test_pieces_go_where_the_names_say(compare, names):
    compare(models.bert_model(9, vocabulary=pieces_vocabulary(), names=names), texts(str(names)))


def test_pieces_of_models_of_open_length(compare):
    compare(models.bert_model(1, vocabulary=pieces_vocabulary(), dynamic=True), texts("open"))


def test_every_character_is_a_mark_here_if_it_is_there(compare):
    """``a``, a character, ``b``: one word, two, or two and a mark between."""
    marks = [*map(chr, range(1, 0x20000)), *PUNCTUATION]
    marks += [chr(ord(mark) + step) for mark in PUNCTUATION[10:] for step in (-1, 1)]
    marks += map(chr, range(0x20000, 0x110000, 97))
    words = [f"a{mark}b" for mark in marks if not "\ud7ff" < mark < "\ue000"]
    asked = [" ".join(words[row : row + 170]) for row in range(0, len(words), 170)]
    compare(models.bert_model(512, vocabulary=b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n"), asked)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model_type": "bpe"},
        {"control_symbols": ["[CLS]", "[SEP]"]},
        {"user_defined_symbols": ["[CLS]", "[SEP]", "un"]},
        {"byte_fallback": True, "vocab_size": 400},
        {"normalization_rule_name": "identity", "remove_extra_whitespaces": False},
        {"normalization_rule_name": "nmt_nfkc_cf", "add_dummy_prefix": False},
    ],
    ids=lambda options: "-".join(options) or "unigram",
)
def test_pieces_of_sentencepiece(compare, options):
    """The same letter many times over is left out: of cuts that are as good it takes any."""
    library = pytest.importorskip("sentencepiece", reason="NOT COMPARED: no sentencepiece")
    sentences = [" ".join(WORDS[row : row + 4]) for row in range(len(WORDS))] * 5
    out = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=out,
        hard_vocab_limit=False,
        minloglevel=2,
        **{"vocab_size": 150, **options},
    )
    trained = {"tokenizer": "sentencepiece", "sentencepiece_model": out.getvalue()}
    compare(models.bert_model(48, **trained), texts(str(options), words=WORDS))


STRINGS = ["the weather", "a", "", "p\0", "é", "日本", "\0", "a\0b", "😀", "<PAD>"]
INPUTS = ("inp_text", "res_context", "res_text")
OUTPUTS = ("query_encoding", "response_encoding")


def test_strings(compare):
    compare(models.string_model(len(STRINGS), words=STRINGS), [*STRINGS, "A", "p", "b"])


@pytest.mark.parametrize("names", [INPUTS, INPUTS[::-1], ("a", "b", "c"), ("res_text", "x", "y")])
@pytest.mark.parametrize(
    "outputs", [OUTPUTS, OUTPUTS[::-1], ("a", "b"), ("response_encoding", "x")]
)
def test_strings_of_sentence_encoders(compare, names, outputs):
    """A text is a response, whatever the names and wherever they stand."""
    content = models.use_model(len(STRINGS), words=STRINGS, names=names, outputs=outputs)
    compare(content, [*STRINGS, "A"])


def test_strings_of_sentence_encoders_without_metadata(compare):
    compare(models.use_model(len(STRINGS), words=STRINGS, metadata=False), [*STRINGS, "A"])
