"""Text models of every kind, from a text to its embedding."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.embedders.model import Model
from scannlite.embedders.runtime import Session, Tensor
from scannlite.embedders.text import text_embedder, text_preprocessor
from scannlite.errors import InvalidInput, InvalidType, ModelError
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"

WORDS = b"<PAD> 9\n<UNKNOWN> 8\n<START> 7\na 1\nb 2\n"
PIECES = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n##b\n,\n"
TEXTS = ["", "p0", "é", "日本", "p\0", "a b"]
ENCODER_INPUTS = ("inp_text", "res_context", "res_text")
ENCODER_OUTPUTS = ("query_encoding", "response_encoding")

INT32, STRING = np.dtype(np.int32), np.dtype("S")


def tensor(shape, dtype=INT32, name="tensor"):
    return Tensor(name, 0, dtype, shape, 0.0, 0)


def preprocessor(content, *inputs, outputs=1):
    """Of a model whose inputs are said, so that none need be run."""
    output = tensor((1, 4), np.dtype(np.float32), "output")
    return text_preprocessor(Model.read(content), inputs, [output] * outputs)


def numbers(found):
    """The inputs of the one run that a text is."""
    ((*inputs,),) = found
    assert all(array.dtype == INT32 and array.shape[:-1] == (1,) for array in inputs)
    return [array[0].tolist() for array in inputs]


def words_of(text, *, length=5, vocabulary=WORDS):
    content = models.ids_model(length, vocabulary=vocabulary)
    return numbers(preprocessor(content, tensor((1, length))).prepare(text))[0]


def pieces_of(text, length=6, **options):
    content = models.bert_model(max(length, 2), vocabulary=PIECES, **options)
    return numbers(preprocessor(content, *[tensor((1, length))] * 3).prepare(text))


# ---- what models are given ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", [7, 1, 2, 9, 9]),
        ("", [7, 9, 9, 9, 9]),
        ("b c b a", [7, 2, 8, 2, 1]),
        ("b c b a a a", [7, 2, 8, 2, 1]),
    ],
)
def test_words_fill_a_model_and_padding_the_rest(text, expected):
    assert words_of(text) == expected


def test_without_a_start_there_is_room_for_one_word_more():
    vocabulary = WORDS.replace(b"<START>", b"c")
    assert words_of("a b c c a", vocabulary=vocabulary) == [1, 2, 7, 7, 1]
    assert words_of("a", length=1) == [7]


@pytest.mark.parametrize("shape", [(3,), (1, 3), (-1, 3)])
def test_a_model_of_words_may_have_one_dimension_or_two(shape):
    content = models.ids_model(3, vocabulary=WORDS)
    ((found,),) = preprocessor(content, tensor(shape)).prepare("a b")
    assert found.reshape(-1).tolist() == [7, 1, 2]
    assert found.shape == tuple(abs(size) for size in shape)


def test_bert_is_given_pieces_zeros_and_a_mask():
    assert pieces_of("A, ab") == [[2, 4, 7, 4, 6, 3], [0] * 6, [1] * 6]
    assert pieces_of("a") == [[2, 4, 3, 0, 0, 0], [0] * 6, [1, 1, 1, 0, 0, 0]]
    assert pieces_of("a a a a a a a", 4) == [[2, 4, 4, 3], [0] * 4, [1] * 4]
    assert pieces_of("a", 2) == [[2, 3], [0] * 2, [1] * 2]


def test_the_inputs_of_bert_are_known_by_name_or_else_by_place():
    ids, zeros, mask = [2, 4, 3, 0], [0, 0, 0, 0], [1, 1, 1, 0]
    assert pieces_of("a", 4, names=("mask", "ids", "segment_ids")) == [mask, ids, zeros]
    assert pieces_of("a", 4, names=("mask", "ids", "segments")) == [ids, zeros, mask]


def test_bert_of_open_length_takes_all_of_a_text():
    assert pieces_of("a a", -1) == [[2, 4, 4, 3], [0] * 4, [1] * 4]
    assert pieces_of("", -1) == [[2, 3], [0] * 2, [1] * 2]
    assert len(pieces_of("a " * 1000, -1)[0]) == 1002


@given(st.text(st.sampled_from("ab ,é\0\n")), st.integers(1, 9))
def test_words_have_the_length_of_the_model_and_padding_only_at_the_end(text, length):
    found = words_of(text, length=length)
    assert len(found) == length
    used = min(1 + len(text.split()), length)
    assert 9 not in found[:used]
    assert set(found[used:]) <= {9}


@given(st.text(), st.integers(2, 9))
def test_pieces_have_the_length_of_the_model_and_zeros_only_at_the_end(text, length):
    ids, zeros, mask = pieces_of(text, length)
    used = sum(mask)
    assert (len(ids), zeros) == (length, [0] * length)
    assert mask == [1] * used + [0] * (length - used)
    assert (ids[0], ids[used - 1], set(ids[used:])) == (2, 3, {0} if used < length else set())
    assert 0 not in ids[:used]


def test_arrays_are_made_for_each_text():
    """What is done to the inputs of one run is not seen in the next."""
    for made in (
        preprocessor(models.ids_model(4, vocabulary=WORDS), tensor((1, 4))),
        preprocessor(models.bert_model(4, vocabulary=PIECES), *[tensor((1, 4))] * 3),
        preprocessor(models.use_model(2), *[tensor((1,), STRING)] * 3, outputs=2),
    ):
        expected = [array.tolist() for array in made.prepare("a b")[0]]
        for array in made.prepare("a b")[0]:
            array.fill(77)
        assert [array.tolist() for array in made.prepare("a b")[0]] == expected


# ---- embeddings --------------------------------------------------------------------------------


def one_hot(text):
    return np.eye(len(TEXTS), dtype=np.float32)[TEXTS.index(text)]


@needs_runtime
@pytest.mark.parametrize("text", TEXTS)
def test_a_string_is_given_as_it_is(text):
    """To its last NUL."""
    embedder = text_embedder(models.string_model(len(TEXTS), words=TEXTS))
    assert (embedder.kind, embedder.dimensions) == ("text", len(TEXTS))
    assert embedder.embed(text).tolist() == one_hot(text).tolist()
    assert not embedder.embed(text + "\0").any()


@needs_runtime
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("names", [ENCODER_INPUTS, ENCODER_INPUTS[::-1], ("a", "b", "c")])
@pytest.mark.parametrize("outputs", [ENCODER_OUTPUTS, ENCODER_OUTPUTS[::-1], ("a", "b")])
def test_a_sentence_encoder_is_given_a_response(text, names, outputs):
    """Twice the response, less the context, which is empty; the query is not looked at."""
    content = models.use_model(len(TEXTS), words=TEXTS, names=names, outputs=outputs)
    expected = 2 * one_hot(text) - one_hot("")
    assert text_embedder(content).embed(text).tolist() == expected.tolist()


def test_the_tensors_of_a_sentence_encoder_are_known_by_their_names_in_the_graph_too():
    inputs = [tensor((1,), STRING, f"ParseExample/ParseExampleV2:{i}") for i in (3, 1, 2)]
    outputs = [tensor((1, 4), INT32, f"Final/Encode{what}/mul") for what in ("Result", "Query")]
    model = Model.read(models.use_model(2, metadata=False))
    made = text_preprocessor(model, inputs, outputs)
    assert [array.tolist() for array in made.prepare("a")[0]] == [[b"a"], [b""], [b""]]
    assert made.output == 0
    other = tensor((1,), STRING)
    by_place = text_preprocessor(model, [*inputs[:2], other], [outputs[0], other])
    assert [array.tolist() for array in by_place.prepare("a")[0]] == [[b""], [b""], [b"a"]]
    assert by_place.output == 1


@needs_runtime
def test_words_and_pieces_come_through_the_runtime():
    words = text_embedder(models.ids_model(5, vocabulary=WORDS))
    assert words.embed("a b c").tolist() == [7, 1, 2, 8, 9]
    pieces = text_embedder(models.bert_model(4, vocabulary=PIECES))
    assert pieces.embed("a").tolist() == [2, 4, 3, 0, 0, 0, 0, 0, 1, 1, 1, 0]


@needs_runtime
def test_a_model_of_open_length_grows_with_a_text():
    """The core refuses the embedding of this one, which grows as well."""
    model = Model.read(models.bert_model(1, vocabulary=PIECES, dynamic=True))
    session = Session(model, 1)
    made = text_preprocessor(model, session.inputs, session.outputs)
    for text, ids in (("a a", [2, 4, 4, 3]), ("", [2, 3]), ("ab", [2, 4, 6, 3])):
        found = session.run(made.prepare(text)[0], made.output).reshape(-1).tolist()
        assert found == ids + [0] * len(ids) + [1] * len(ids)


@needs_runtime
@pytest.mark.skipif(not GOLDEN.exists(), reason="NO GOLDEN FILE WAS READ: ../shared is not there")
@pytest.mark.parametrize(
    "name", ["regex_one_embedding_with_metadata.tflite", "regex_searcher.tflite"]
)
@pytest.mark.parametrize("l2_normalize", [False, True])
def test_sentences_have_the_embeddings_that_phones_give_them(name, l2_normalize):
    """Also when threads ask at the same time."""
    golden = json.loads((GOLDEN / "searcher_models" / "regex_searcher.json").read_text())
    rows = golden[f"embeddings_l2_{l2_normalize}"]
    texts = [row["text"] for row in rows]
    expected = np.array([row["values"] for row in rows], np.float32)
    embedder = text_embedder(GOLDEN / "upstream" / name, l2_normalize=l2_normalize)
    np.testing.assert_allclose(embedder.embed_batch(texts), expected, rtol=0, atol=1e-6)
    alone = [embedder.embed(text).tobytes() for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert [found.tobytes() for found in pool.map(embedder.embed, texts * 20)] == alone * 20


# ---- what is refused ---------------------------------------------------------------------------


def every_kind():
    """A preprocessor of each kind of model."""
    return [
        preprocessor(models.string_model(2), tensor((1,), STRING)),
        preprocessor(models.ids_model(4, vocabulary=WORDS), tensor((1, 4))),
        preprocessor(models.bert_model(4, vocabulary=PIECES), *[tensor((1, 4))] * 3),
        preprocessor(models.use_model(2), *[tensor((1,), STRING)] * 3, outputs=2),
    ]


@pytest.mark.parametrize("text", ["a b", "é", "日本\0", ""])
def test_the_bytes_of_a_text_are_as_good(text):
    for made in every_kind():
        expected = [array.tolist() for array in made.prepare(text)[0]]
        for item in (text.encode(), bytearray(text.encode()), np.str_(text)):
            assert [array.tolist() for array in made.prepare(item)[0]] == expected


@pytest.mark.parametrize("item", ["a\ud800b", "\udc80", b"\xff", b"a\xed\xa0\x80"])
def test_what_utf8_cannot_hold_is_refused(item):
    for made in every_kind():
        with pytest.raises(InvalidInput, match=r"text must be what UTF-8 can hold, got: 'utf-8'"):
            made.prepare(item)


@pytest.mark.parametrize("item", [5, None, ["a"], np.zeros(3), memoryview(b"a")])
def test_other_things_than_texts_are_refused(item):
    for made in every_kind():
        with pytest.raises(
            InvalidType, match=r"text must be a str, or its bytes in UTF-8, got \w+"
        ):
            made.prepare(item)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_text_model_has_one_input_or_three(count):
    content = models.bert_model(4, vocabulary=PIECES)
    with pytest.raises(ModelError, match=f"inputs: expected 1 or 3 for a text, found {count}"):
        preprocessor(content, *[tensor((1, 4))] * count)


@needs_runtime
def test_models_of_other_things_are_refused():
    for content in (models.two_inputs_model(3, dtype="int32"), models.no_inputs_model(3)):
        with pytest.raises(ModelError, match=r"inputs: expected 1 or 3 for a text, found [02]"):
            text_embedder(content)
    with pytest.raises(ModelError, match="input: expected a string, or int32 with a regex"):
        text_embedder(models.image_model(2, 2))


@pytest.mark.parametrize(
    ("content", "inputs"),
    [
        (models.string_model(2), [tensor((1,), STRING)]),
        (models.ids_model(4, vocabulary=WORDS), [tensor((1, 4))]),
        (models.bert_model(4, vocabulary=PIECES), [tensor((1, 4))] * 3),
    ],
)
@pytest.mark.parametrize("outputs", [0, 2])
def test_a_text_model_has_one_output(content, inputs, outputs):
    with pytest.raises(ModelError, match=f"outputs: expected 1, found {outputs}"):
        preprocessor(content, *inputs, outputs=outputs)


def test_a_sentence_encoder_has_two_outputs():
    with pytest.raises(ModelError, match="outputs: expected the encodings of a query and of a"):
        preprocessor(models.use_model(2), *[tensor((1,), STRING)] * 3)


def test_numbers_of_words_need_a_tokenizer():
    bare = models.regex_model(np.ones((3, 4), np.float32), metadata=False)
    with pytest.raises(
        ModelError, match=r"expected a string, or int32 with .*, found int32 with none"
    ):
        preprocessor(bare, tensor((1, 1)))


def test_three_inputs_need_strings_or_a_tokenizer():
    bare = models.bert_model(4, tokenizer=None)
    with pytest.raises(
        ModelError, match=r"inputs: expected strings, .*, found int32, int32, int32"
    ):
        preprocessor(bare, *[tensor((1, 4))] * 3)


def test_tokenizers_need_their_vocabularies():
    with pytest.raises(ModelError, match="tokenizer: expected a vocabulary, found none"):
        preprocessor(models.bert_model(4), *[tensor((1, 4))] * 3)
    with pytest.raises(ModelError, match="vocabulary: expected the word <PAD>"):
        preprocessor(models.ids_model(4, vocabulary=b"a 1\n"), tensor((1, 4)))
    with pytest.raises(ModelError, match=r"expected the word \[CLS\], found none among 1 words"):
        preprocessor(models.bert_model(4, vocabulary=b"a\n"), *[tensor((1, 4))] * 3)


@pytest.mark.parametrize("shape", [(), (-1,), (1, -1), (2, 4), (1, 4, 1), (1, 0)])
def test_the_length_of_a_model_of_words_is_known(shape):
    """Phones give one of open length a single word."""
    with pytest.raises(ModelError, match=r"input: expected shape \(n,\) or \(1, n\)"):
        preprocessor(models.ids_model(4, vocabulary=WORDS), tensor(shape))


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_numbers_are_int32(dtype):
    other = np.dtype(dtype)
    with pytest.raises(ModelError, match=f"input: expected .*, found {other} with RegexTokenizer"):
        preprocessor(models.ids_model(4, vocabulary=WORDS), tensor((1, 4), other))
    inputs = [tensor((1, 4)), tensor((1, 4), other), tensor((1, 4))]
    with pytest.raises(ModelError, match=f"inputs: expected int32, found int32, {other}, int32"):
        preprocessor(models.bert_model(4, vocabulary=PIECES), *inputs)


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 4), (1, 4), (1, 5)],
        [(1, 4), (1, -1), (1, 4)],
        [(4,)] * 3,
        [()] * 3,
        [(2, 4)] * 3,
        [(1, 1)] * 3,
        [(1, 4, 1)] * 3,
    ],
)
def test_the_inputs_of_bert_are_alike(shapes):
    with pytest.raises(ModelError, match=r"inputs: expected one shape \(1, n\) for all"):
        preprocessor(models.bert_model(4, vocabulary=PIECES), *map(tensor, shapes))


@pytest.mark.parametrize("shape", [(2,), (0,), (1, 3)])
def test_a_model_takes_one_string(shape):
    with pytest.raises(ModelError, match="input: expected one string, found"):
        preprocessor(models.string_model(2), tensor(shape, STRING))


@pytest.mark.parametrize("shape", [(), (1,), (-1,), (1, 1), (-1, 1)])
def test_one_string_may_have_any_number_of_dimensions(shape):
    ((found,),) = preprocessor(models.string_model(2), tensor(shape, STRING)).prepare("é\0")
    assert found.shape == tuple(abs(size) for size in shape)
    assert found.item() == "é\0".encode()


@needs_runtime
def test_an_operator_that_the_runtime_lacks_is_named():
    content = models.custom_op_model(name="TFSentencepieceTokenizeOp")
    with pytest.raises(ModelError, match="needs the operator TFSentencepieceTokenizeOp, which"):
        text_embedder(content)
