"""Tokenizers against cases by hand and RE2; ``tests/reference`` compares them with phones' own."""

from __future__ import annotations

import importlib.util
import io
import re
import string
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.embedders import delimiters
from scannlite.embedders.model import Model
from scannlite.embedders.punctuation import PUNCTUATION
from scannlite.embedders.tokenizers import BertTokenizer, RegexTokenizer, SentencePiece
from scannlite.errors import MissingExtra, ModelError
from scannlite.files.model_metadata import (
    BertTokenizerOptions,
    ModelMetadata,
    RegexTokenizerOptions,
    SentencePieceTokenizerOptions,
)
from scannlite.files.span import Span

MODEL = Model(None, Span("tiny.tflite", memoryview(b"")), ModelMetadata())
AVERAGED_WORDS = r"[^\w\']+"  # the pattern of Model Maker's models
NEEDED = "<PAD> 0\n<UNKNOWN> 2\n"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]

needs_re2 = pytest.mark.skipif(
    importlib.util.find_spec("re2") is None,
    reason="NO PATTERN WAS GIVEN TO RE2: google-re2 is not installed",
)
needs_sentencepiece = pytest.mark.skipif(
    importlib.util.find_spec("sentencepiece") is None,
    reason="NO PIECE WAS CUT: sentencepiece is not installed",
)


def span(content):
    return Span("vocab.txt", memoryview(content.encode() if isinstance(content, str) else content))


def regex(vocabulary, pattern=r"\s+"):
    return RegexTokenizer(MODEL, RegexTokenizerOptions(pattern, span(vocabulary)))


def words(pattern, text):
    return list(delimiters.splitter(MODEL, pattern)(text))


def bert(*pieces):
    return BertTokenizer(MODEL, BertTokenizerOptions(span("\n".join([*SPECIAL, *pieces]))))


def pieces(text, *known):
    """The pieces of a text by their names."""
    numbers = bert(*known).numbers(text)
    return [[*SPECIAL, *known][number] for number in numbers]


# ---- words between delimiters ------------------------------------------------------------------


def test_words_have_the_numbers_of_the_vocabulary():
    """Any numbers, in any order; a word that is not there has that of ``<UNKNOWN>``."""
    tokenizer = regex("cat 7\n<UNKNOWN> 2\n<PAD> 9\nit's -5\n", AVERAGED_WORDS)
    assert list(tokenizer.numbers("it's a cat, cat!")) == [-5, 2, 7, 7]
    assert tokenizer.padding == 9


def test_capitals_are_other_words():
    assert list(regex(NEEDED + "cat 7\n").numbers("cat Cat CAT")) == [7, 2, 2]


def test_a_start_goes_before_every_text():
    tokenizer = regex(NEEDED + "<START> 1\ncat 7\n")
    assert list(tokenizer.numbers("cat")) == [1, 7]
    assert list(tokenizer.numbers("")) == [1]


@pytest.mark.parametrize("text", ["", " ", "\t\n\r\f  "])
def test_no_words_have_no_numbers(text):
    assert list(regex(NEEDED).numbers(text)) == []


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (AVERAGED_WORDS, "Don't stop--it's 9 o'clock!", ["Don't", "stop", "it's", "9", "o'clock"]),
        (AVERAGED_WORDS, "naïve 日本", ["na", "ve"]),  # \w is of ASCII
        (r"\s+", "a\u00a0b\u2003c d", ["a\u00a0b\u2003c", "d"]),  # and so is \s,
        (r"\s+", "a\vb\x1cc d", ["a\vb\x1cc", "d"]),  # without all that Python takes for it
        (r"[\s,]", "a\vb,c", ["a\vb", "c"]),
        (r"\S+", "a b\vc ", [" ", " "]),
        (r"\v", "a\vb", ["a", "b"]),
        (r"\d", "a1b٣c", ["a", "b٣c"]),
        (r"(\s)|(,)", "a, b", ["a", "b"]),
        (r"é|\.", "aéb.c", ["a", "b", "c"]),
        (" ", "a\0b c\0", ["a\0b", "c\0"]),
        (r"[\\\]a-c-]", r"x\y]zb1-2", ["x", "y", "z", "1", "2"]),
        (r"\w+?", "ab c", [" "]),
    ],
)
def test_words_by_hand(pattern, text, expected, monkeypatch):
    """Of patterns that need no library."""
    monkeypatch.setitem(sys.modules, "re2", None)
    assert words(pattern, text) == expected


@needs_re2
@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"^a|,", "aab,ab", ["b", "b"]),  # what is left begins anew
        (r"\Aa|,", "aab,ab", ["b", "b"]),
        (r"\bb|,", "ab,bbc", ["ab", "c"]),
        (r",$|\s", "a,b c,", ["a,b", "c"]),
        (r"\s\z|,", "a b,c ", ["a b", "c"]),
        (r"[[:alpha:]]+", "1a2é3", ["1", "2é3"]),
        (r"\pN+", "a1b٣c", ["a", "b", "c"]),
        (r"\p{Greek}", "aαb", ["a", "b"]),
        (r"\Q.*\E", "a.*b.c", ["a", "b.c"]),
        (r"(?i)x", "aXbxc", ["a", "b", "c"]),
        (r"(?U)a+", "caab", ["c", "b"]),
        (r"(?s)b.", "ab\nc", ["a", "c"]),
        (r"(\s|,)+", "a , b", ["a", "b"]),
        (r"\s{2,}", "a b  c", ["a b", "c"]),
        (r"[a&&b]", "xaybz&", ["x", "y", "z"]),
        (r"é|\pP", "日é本。語", ["日", "本", "語"]),
    ],
)
def test_patterns_that_python_reads_otherwise_are_left_to_re2(pattern, text, expected):
    assert delimiters._alike(pattern) is None
    assert words(pattern, text) == expected


PARTS = [*"abB_1 'é日\n\v\x1c[]-^+*?()|.,&~#{}$!", *(rf"\{c}" for c in r"sSwWdDvtn-.\'][(")]
PARTS += ["[^", "a-b", "(?:", "+?", "*?"]
PATTERNS = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)


@needs_re2
@given(PATTERNS, st.text("abB_1 'é日\n\v\t\r\f-.\\]&~|[^,#(){}\0\x1c\x85\u00a0\u2028İK"))
def test_patterns_that_python_reads_are_read_by_re2_the_same(pattern, text):
    alike = delimiters._alike(pattern)
    if alike is None:
        return
    real = delimiters._by_re2(MODEL, pattern)
    assert (alike.search("") is None) == (real.search("") is None)
    if alike.search("") is None:
        by_re2 = delimiters._words_by_re2(MODEL, pattern, real)(text)
        assert list(delimiters._words_by_re(alike)(text)) == list(by_re2)


@needs_re2
@pytest.mark.parametrize(
    "pattern", ["a)(b", "*", "a**", "a++", "(?=a)", "[b-a]", r"\8", "a{2000}", "(" * 5000]
)
def test_what_is_no_pattern_is_refused(pattern):
    """On phones all of a text would be one word."""
    with pytest.raises(ModelError, match=r"tiny\.tflite: regex tokenizer: .*RE2, found an error: "):
        words(pattern, "a")


@needs_re2
@pytest.mark.parametrize("pattern", ["", r"\s*", "a|", "(?i)", r"\pN?", "$"])
def test_a_pattern_of_nothing_is_refused(pattern):
    """Phones never come to an end with it."""
    with pytest.raises(ModelError, match="expected a pattern that matches at least one character"):
        words(pattern, "a")


@needs_re2
def test_a_pattern_of_nothing_may_show_only_in_a_text():
    assert words(r"\b", "...") == ["..."]
    with pytest.raises(ModelError, match="expected a pattern that matches at least one character"):
        words(r"\b", "a")


@needs_re2
def test_a_pattern_of_bytes_is_refused():
    with pytest.raises(ModelError, match="expected a pattern of whole characters"):
        words(r"a|\C", "é")
    assert words(r"\\C|\pN", r"a\Cb") == ["a", "b"]


def test_without_google_re2_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(MissingExtra, match=r"the pattern .* needs the extra 'text'"):
        words(r"\pN", "a")


# ---- vocabularies of words ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("a 5", 5),
        ("a 5 and more", 5),
        ("a 5x", 5),
        ("a 0x10", 0),
        ("a 1_0", 1),
        ("a +5", 5),
        ("a -5", -5),
        ("a \t\v5", 5),
        ("a 5\r", 5),
        ("a 5\0007", 5),
        ("a 5\na 6", 6),
        ("\n\na 5\n\n", 5),
        ("a -2147483648", -(2**31)),
    ],
)
def test_lines_are_read_as_phones_do(line, number):
    assert list(regex(NEEDED + line).numbers("a")) == [number]


def test_lines_that_are_no_utf8_are_words_of_no_text():
    content = NEEDED.encode() + b"\xe4 5\na 6\n"
    assert list(regex(content).numbers("a ä")) == [6, 2]


@pytest.mark.parametrize(
    "line", ["a", "a\t5", "a  5", "two words 5", " a 5", "a five", "a ٣", "\r"]
)
def test_damaged_lines_are_named(line):
    """Some end the process on phones."""
    with pytest.raises(
        ModelError, match=r"line 3 of the vocabulary: expected 'word number', found"
    ):
        regex(NEEDED + line + "\nb 7\n")


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, "9" * 5000])
def test_numbers_are_of_32_bits(number):
    with pytest.raises(ModelError, match="vocabulary: expected numbers of 32 bits"):
        regex(f"{NEEDED}a {number}")


@pytest.mark.parametrize("missing", ["<PAD>", "<UNKNOWN>"])
def test_words_that_must_be_there(missing):
    with pytest.raises(ModelError, match=f"vocabulary: expected the word {missing}, found none"):
        regex(NEEDED.replace(missing, "a"))
    with pytest.raises(ModelError, match="vocabulary: expected the word"):
        regex("")


@pytest.mark.parametrize(
    ("tokenizer", "options"),
    [
        (RegexTokenizer, RegexTokenizerOptions(" ", None)),
        (BertTokenizer, BertTokenizerOptions(None)),
    ],
)
def test_a_vocabulary_must_be_there(tokenizer, options):
    with pytest.raises(ModelError, match="tokenizer: expected a vocabulary, found none"):
        tokenizer(MODEL, options)


# ---- pieces of words ---------------------------------------------------------------------------


def test_the_longest_pieces_are_taken_from_the_left():
    known = ["un", "##aff", "##able", "##a", "unaf", "##fable"]
    assert pieces("unaffable", *known) == ["unaf", "##fable"]
    assert pieces("unaffaable", *known) == ["[UNK]"]  # no way back
    assert pieces("unaaff", *known) == ["un", "##a", "##aff"]


def test_a_word_that_is_not_all_known_is_unknown():
    assert pieces("ab abc b", "a", "##b", "b") == ["a", "##b", "[UNK]", "b"]


def test_only_capitals_of_ascii_are_made_small():
    assert pieces("ÉA éa A", "éa", "Éa", "a") == ["Éa", "éa", "a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b", ["a", ",", "b"]),
        ("a--b", ["a", "-", "-", "b"]),
        ("a$b`", ["a", "$", "b", "`"]),
        ("a—b。", ["a", "—", "b", "。"]),
        ("a日本b", ["a", "日", "本", "b"]),
        ("한국", ["한국"]),
        ("a \t\r\n\fb", ["a", "b"]),
        ("a\vb a\u00a0b", ["a\vb", "a\u00a0b"]),
        ("a\0b", ["a"]),
        ("[CLS]", ["[", "cls", "]"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words_and_marks_by_hand(text, expected):
    known = [*"ab,-$`—。日本[]", "한국", "a\vb", "a\u00a0b", "cls", "ab"]
    assert pieces(text, *known) == expected


@pytest.mark.parametrize(
    ("word", "known"), [("a" * 100, True), ("a" * 101, False), ("é" * 50, True), ("é" * 51, False)]
)
def test_a_word_of_more_than_100_bytes_is_unknown(word, known):
    assert pieces(word, "é", "a", "##é", "##a", word)[0] == (word if known else "[UNK]")


@given(st.text(st.sampled_from("abcé 日.,'\n")))
def test_pieces_spell_the_text(text):
    known = [*"abcé日.,'", "ab", *(f"##{c}" for c in "abcé"), "##bc"]
    found = pieces(text, *known)
    if "[UNK]" not in found:
        assert "".join(piece.removeprefix("##") for piece in found) == "".join(text.split())


def test_lines_count_unless_they_are_blank():
    content = "[CLS]\n\n[SEP]\n\n\n[UNK]\na\nb\na"
    tokenizer = BertTokenizer(MODEL, BertTokenizerOptions(span(content)))
    assert (tokenizer.first, tokenizer.last) == (0, 1)
    assert list(tokenizer.numbers("a b c")) == [5, 4, 2]  # the later of two


@pytest.mark.parametrize("missing", ["[CLS]", "[SEP]", "[UNK]"])
def test_pieces_that_must_be_there(missing):
    """Phones would take what is on the first line for it."""
    left = "\n".join(piece for piece in SPECIAL if piece != missing)
    for content in (left, "\r\n".join([*SPECIAL, ""])):
        with pytest.raises(ModelError, match=r"vocabulary: expected the word \["):
            BertTokenizer(MODEL, BertTokenizerOptions(span(content)))


def test_punctuation_is_that_of_unicode_15():
    """As far as this Python knows, whose Unicode is of another year."""
    mark, category = re.compile(f"[{PUNCTUATION}]"), unicodedata.category
    listed = {c for c in map(chr, range(0x110000)) if mark.match(c)}
    assert {c for c in listed if c.isascii()} == set(string.punctuation)
    categories = {category(c)[0] for c in listed if not c.isascii()}
    assert categories <= {"P", "L", "C"}  # marks, ideographs, and what is new or not there yet
    assert not any(category(c) in ("Cc", "Cf", "Lu", "Ll") for c in listed)
    if unicodedata.unidata_version <= "15.0.0":
        assert {c for c in map(chr, range(0x110000)) if category(c)[0] == "P"} <= listed


# ---- pieces as SentencePiece cuts them ---------------------------------------------------------


def train(**options):
    """A model of few pieces; ``s``, ``<`` and all but a few letters are unknown to it."""
    library = pytest.importorskip("sentencepiece", reason="NO PIECE WAS CUT: no sentencepiece")
    out = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(["abc def abd"] * 9),
        model_writer=out,
        hard_vocab_limit=False,
        control_symbols=["[CLS]"],
        minloglevel=2,
        **{"vocab_size": 24, **options},
    )
    return out.getvalue()


@pytest.fixture(scope="module")
def trained():
    return train()


def sentence_piece(content):
    options = SentencePieceTokenizerOptions(None if content is None else span(content), None)
    return SentencePiece(MODEL, options)


def test_pieces_are_those_of_the_library(trained):
    library = importlib.import_module("sentencepiece").SentencePieceProcessor(model_proto=trained)
    tokenizer = sentence_piece(trained)
    assert list(tokenizer.numbers("ABC déf")) == library.encode("abc déf")
    assert list(tokenizer.numbers("")) == []
    assert tokenizer.first == library.piece_to_id("[CLS]") == 3
    assert tokenizer.last == library.unk_id()  # as on phones, where [SEP] was not trained


def test_what_is_unknown_may_spell_a_piece_that_is_known(trained):
    """Phones go by the letters of a piece, so a text may hold the start of a sentence."""
    numbers = list(sentence_piece(trained).numbers("a <s>"))
    assert numbers[-1] == 1


def test_what_is_unknown_is_not_cut_to_bytes():
    """The library of phones is of a year when that was not done yet."""
    content = train(byte_fallback=True, vocab_size=300)
    library = importlib.import_module("sentencepiece").SentencePieceProcessor(model_proto=content)
    assert library.encode("a日本b <s>", out_type=str).count("<0xE6>") == 2
    a, b, blank = library.piece_to_id(["a", "b", "▁"])
    assert list(sentence_piece(content).numbers("a日本b <s>")) == [blank, a, 0, b, blank, 1]


@needs_sentencepiece
@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_damaged_trained_model_is_refused(content):
    """It ends the process on phones."""
    with pytest.raises(ModelError, match="SentencePiece tokenizer: expected a trained model"):
        sentence_piece(content)


@needs_sentencepiece
def test_a_trained_model_must_be_there():
    with pytest.raises(ModelError, match="expected a trained model of its own, found none"):
        sentence_piece(None)


def test_without_sentencepiece_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtra, match="SentencePiece tokenizer needs the extra 'text'"):
        sentence_piece(b"")
