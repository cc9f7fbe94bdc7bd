"""``Index``: build, search, save, load."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.door import as_bytes, as_queries, as_rows, as_whole, finite_floats
from scannlite.engine.layout import to_layout
from scannlite.engine.metadata import Metadata
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.plan import Plan
from scannlite.engine.storage import Kind, Source, Stored, load, save
from scannlite.errors import InvalidInput, InvalidType
from scannlite.files.row_metadata import RowMetadata
from scannlite.types import Distance, Floats, Neighbors, Progress

if TYPE_CHECKING:
    from scannlite.engine.tuning import Tuning

__all__ = ["Index"]

_FLOAT32, _INT64 = np.dtype(np.float32), np.dtype(np.int64)
_MOST_NEIGHBORS = 2**31 - 1
_BARE_CANDIDATES = 32  # beyond 2 k, where codes are all there is to order candidates by
_new, _empty, _ndarray = tuple.__new__, np.empty, np.ndarray


def _no_progress(stage: str, done: int, total: int) -> None:
    """Said to nobody."""


class Index:
    """A ScaNN index over n vectors of d dimensions.

    Made by ``Index.build`` or ``Index.load``; searched by ``search``, from any number of threads.

    Example:
        >>> import numpy as np
        >>> import scannlite as sl
        >>> X = np.random.default_rng(0).normal(size=(100, 8))
        >>> index = sl.Index.build(X, "squared_l2")
        >>> distances, ids = index.search(X[7], k=3)
        >>> int(ids[0]), float(distances[0])
        (7, 0.0)
    """

    def __init__(
        self,
        options: ScaNNOptions,
        arrays: IndexArrays,
        metadata: Metadata | RowMetadata | None = None,
        userinfo: bytes = b"",
    ) -> None:
        """For ``build`` and ``load``: arrays are taken as sound."""
        self._arrays = arrays
        self._metadata = metadata
        self._userinfo = userinfo
        self._n, self._d = len(arrays.ids), int(arrays.centroids.shape[1])
        self._shape = (self._d,)
        self._plan = Plan(to_layout(arrays, options))
        self._take(options)

    def _take(self, options: ScaNNOptions) -> None:
        """Options, and what a search does by default for them."""
        self._options = options
        self._p = min(options.tree.num_leaves_to_search, self._num_leaves) if options.tree else 1
        self._R = options.reorder.reordering_num_neighbors if options.reorder else 0
        # What a search checks first: 0 or False sends it the long way round.
        self._most_leaves = self._num_leaves if options.tree else 0
        self._most_R = _MOST_NEIGHBORS if options.reorder else 0
        self._direct = self._plan.compiled and self._n > 0

    # --- making and keeping ----------------------------------------------------------------------

    @classmethod
    def build(  # noqa: PLR0913
        cls,
        X: Any,
        options: ScaNNOptions | Distance = "dot_product",
        *,
        metadata: Sequence[str | bytes] | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Index:
        """Index the rows of X.

        Args:
            X: (n, d) real numbers of any type and layout; a memory-mapped file is read by
                chunks, never whole. n may be 0.
            options: what to build, or a distance measure: then options are chosen from n, d and a
                sample of the rows.
            metadata: a ``str`` or ``bytes`` for each row, at hand later as ``metadata``.
            seed: of every random choice. Same input, options and seed: the same bytes.
            threads: workers that encode; None for one a processor. The bytes do not depend on it.
            progress: called as ``progress(stage, done, total)`` during long work.

        Raises:
            InvalidInput: X is not (n, d), holds a number that is not finite (its row and column
                are named), or is smaller than options ask for.
            InvalidType: X is not made of numbers; options or metadata are of another kind.
        """
        from scannlite.engine.build import build_arrays  # noqa: PLC0415 - who only searches ...
        from scannlite.engine.choice import choose_options, options_for  # noqa: PLC0415 - waits less

        rows = as_rows(X)
        n, d = rows.shape
        if isinstance(options, str):
            options = options_for(rows, options)
        if not isinstance(options, ScaNNOptions):
            raise InvalidType(
                f"options must be ScaNNOptions or a distance measure, got {options!r}."
            )
        as_whole("seed", seed, 0)
        workers = os.cpu_count() or 1 if threads is None else as_whole("threads", threads, 1)
        packed = None if metadata is None else Metadata.of(metadata, n)
        if n == 0:
            none = choose_options(0, d, options.distance_measure)
            options = none if options.device is None else none.for_device()
        arrays = build_arrays(rows, options, seed, workers, progress or _no_progress)
        return cls(options, arrays, packed)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        kind: Kind | None = None,
        userinfo: str | bytes | None = None,
        embedder: str | os.PathLike[str] | None = None,
        compression: bool = False,
    ) -> None:
        """Write everything to one file, whole or not at all.

        The kind, or else the name, says what is written: ``.ldb`` the index file of phones,
        ``.tflite`` a model with that inside, anything else the project's own format, which
        ``numpy.load`` can open too.
        Only an index with ``options.device`` goes into the first two. There rows are numbered in
        the order of the leaves, and those without metadata are given their number here as such.

        Args:
            path: of the file.
            kind: ``"ldb"``, ``"tflite"`` or ``"npz"``; None for what the name ends in.
            userinfo: anything for who loads the index; None for what it has.
            embedder: for ``.tflite``, the model that the index goes into.
            compression: for ``.ldb`` and ``.tflite``, whether to compress.

        Raises:
            InvalidInput: that kind of file cannot hold this index, or an argument does not go
                with it.
            IndexFileError: the embedder is no model.
            MissingExtra: a library that this kind needs is not installed.
            OSError: the file cannot be written; a file of that name stays as it was.
        """
        info = self._userinfo if userinfo is None else as_bytes("userinfo", userinfo)
        stored = Stored(self._options, self._arrays, self._metadata, info)
        save(path, stored, kind=kind, embedder=embedder, compression=compression)

    @classmethod
    def load(cls, source: Source, *, verify: bool = True) -> Index:
        """Open what ``save`` wrote, or what other makers of ``.ldb`` and ``.tflite`` indexes did.

        The project's own files stay memory-mapped. The metadata of the others is read when asked
        for, as bytes.

        Args:
            source: the path of the file; of ``.ldb`` and ``.tflite`` files also the content.
            verify: check the checksum of every part, which reads the file once; those of ``.ldb``
                and ``.tflite`` always are.

        Raises:
            InvalidInput: source is the content of a ``.npz`` file.
            IndexFileError: the file is damaged, truncated, foreign, of a newer format, or holds no
                index that can be searched.
            MissingExtra: a library that this kind needs is not installed.
            OSError: it cannot be read.
        """
        stored = load(source, verify=verify)
        return cls(stored.options, stored.arrays, stored.metadata, stored.userinfo)

    # --- what it is ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    @property
    def dimensions(self) -> int:
        """Dimensions of a row."""
        return self._d

    @property
    def options(self) -> ScaNNOptions:
        """What was built."""
        return self._options

    @property
    def metadata(self) -> Metadata | RowMetadata | None:
        """What came with each row, by id, or None."""
        return self._metadata

    @property
    def userinfo(self) -> bytes:
        """What the maker of the index wrote for who loads it."""
        return self._userinfo

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return int(self._arrays.nbytes)

    @property
    def _num_leaves(self) -> int:
        return len(self._arrays.leaf_size)

    def __repr__(self) -> str:
        options = self._options
        parts = [f"{self._n:,} x {self._d}", options.distance_measure]
        if options.tree:
            parts.append(f"{self._p} of {self._num_leaves} leaves searched")
        if options.score_ah:
            parts.append(f"{options.score_ah.hash_type} codes of {len(self._arrays.codebooks)}")
        if options.reorder:
            parts.append(f"best {self._R} scored again")
        if options.device:
            parts.append("as on devices")
        if options.score_brute_force:
            parts.append("int8 rows" if options.score_brute_force.quantize else "float rows")
        return f"<scannlite.Index {', '.join(parts)}, {self.nbytes / 1e6:.1f} MB>"

    # --- searching -------------------------------------------------------------------------------

    def search(
        self,
        q: Any,
        k: int = 10,
        *,
        leaves_to_search: int | None = None,
        pre_reorder_num_neighbors: int | None = None,
        threads: int = 1,
    ) -> Neighbors:
        """Find the k nearest rows of one query or of each of a batch.

        Args:
            q: (d,) or (q, d) real numbers; float32 in C order is fastest.
            k: neighbours wanted; more than there are leaves ``inf`` and -1 in the last places.
            leaves_to_search: p, instead of the tree's own.
            pre_reorder_num_neighbors: R, candidates scored again, instead of ``Reorder``'s own;
                at least k are.
            threads: workers for a batch.

        Returns:
            ``Neighbors``: distances float32 and ids int64, each (k,) for one query and (q, k) for
            a batch, nearest first, lower ids first among equals.

        Raises:
            InvalidInput: another shape, a number that is not finite, or an argument out of range.
            InvalidType: not numbers.
        """
        plan = self._plan
        p, R = self._p, self._R
        if leaves_to_search is not None:
            p = self._leaves(leaves_to_search)
        if pre_reorder_num_neighbors is not None:
            R = self._candidates(pre_reorder_num_neighbors)
        if not (
            type(q) is _ndarray
            and (q.dtype is _FLOAT32 or q.dtype == _FLOAT32)  # an unpickled array has its own
            and q.shape == self._shape
            and q.flags.carray
            and type(k) is int
            and 0 < k <= _MOST_NEIGHBORS
            and self._direct
        ):
            return self._search_any(q, k, p, R, threads)
        free = plan.free
        try:
            workspace = free.pop()
        except IndexError:
            workspace = plan.workspace()
        distances, ids = _empty(k, _FLOAT32), _empty(k, _INT64)
        bad = plan.one(
            plan.address, workspace, q, distances, ids, p, R if k < R else self._at_least(k)
        )
        free.append(workspace)
        if bad:
            finite_floats("q", q[None])
        return _new(Neighbors, (distances, ids))

    def tune(  # noqa: PLR0913
        self,
        queries: Any = None,
        recall: float = 0.95,
        *,
        k: int = 10,
        truth: Any = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Tuning:
        """Find the cheapest settings that reach a recall, and keep them as defaults.

        Searches with many values of p (leaves searched) and R (candidates scored again), and
        keeps those that a model of the work finds cheapest: no clock, so the same index and
        queries give the same settings. ``save`` writes them. Where no setting reaches the recall,
        the cheapest of those with the best recall is kept, with a ``ScannliteWarning``.

        Args:
            queries: (q, d) real numbers like those to come, best a thousand or more. None: up to
                1,000 of the index's rows stand in, each left out of its own neighbours, which is
                fair where queries are like rows.
            recall: the share of true neighbours to be found, above 0, at most 1.
            k: neighbours that count, at most the rows there are.
            truth: (q, k) whole numbers, the ids of the true neighbours; needed only where the
                index keeps codes without rows. None: exact search over the rows it keeps. A row
                found that is no farther than the true k-th counts as right.
            threads: workers; None for one a processor. The settings do not depend on it.
            progress: called as ``progress(stage, done, total)``.

        Returns:
            ``Tuning``: the settings, the recall reached and the modelled cost.

        Raises:
            InvalidInput: a shape, a number or the size of the index does not allow it, or truth
                is missing.
            InvalidType: not numbers.
        """
        from scannlite.engine.tuning import tune  # noqa: PLC0415 - who only searches waits less

        found = tune(
            self.search,
            self._arrays,
            self._options,
            queries,
            recall,
            k=k,
            truth=truth,
            threads=threads,
            progress=progress or _no_progress,
        )
        self._take(found.applied_to(self._options))
        return found

    def _at_least(self, k: int) -> int:
        return k if self._R else 2 * k + _BARE_CANDIDATES

    def _leaves(self, leaves_to_search: int) -> int:
        if type(leaves_to_search) is int and 0 < leaves_to_search <= self._most_leaves:
            return leaves_to_search
        if self._options.tree is None:
            raise InvalidInput(
                f"leaves_to_search must be None for an index without a tree, "
                f"got {leaves_to_search!r}."
            )
        return as_whole("leaves_to_search", leaves_to_search, 1, max(1, self._num_leaves))

    def _candidates(self, pre_reorder_num_neighbors: int) -> int:
        if type(pre_reorder_num_neighbors) is int and 0 < pre_reorder_num_neighbors <= self._most_R:
            return pre_reorder_num_neighbors
        if self._options.reorder is None:
            raise InvalidInput(
                "pre_reorder_num_neighbors must be None for an index built without Reorder, "
                f"got {pre_reorder_num_neighbors!r}."
            )
        return as_whole("pre_reorder_num_neighbors", pre_reorder_num_neighbors, 1, _MOST_NEIGHBORS)

    def _search_any(self, q: Any, k: int, p: int, R: int, threads: int) -> Neighbors:
        """Queries of any number, type and layout."""
        queries = as_queries(q, self._d)
        k = as_whole("k", k, 1, _MOST_NEIGHBORS)
        threads = as_whole("threads", threads, 1)
        batch = np.ascontiguousarray(np.atleast_2d(queries))
        distances = np.full((len(batch), k), np.inf, np.float32)
        ids = np.full((len(batch), k), -1, np.int64)
        if self._n and len(batch):
            R = R if k < R else self._at_least(k)
            finite_floats("q", batch)
            self._search_batch(batch, Neighbors(distances, ids), p, R, threads)
        elif len(batch):
            finite_floats("q", batch)
        if queries.ndim == 1:
            return Neighbors(distances[0], ids[0])
        return Neighbors(distances, ids)

    def _search_batch(self, Q: Floats, found: Neighbors, p: int, R: int, threads: int) -> None:
        plan = self._plan
        distances, ids = found

        def run(part: slice) -> None:
            if not plan.compiled:
                for i in range(part.start, part.stop):
                    distances[i], ids[i] = plan.one(plan.layout, Q[i], ids.shape[1], p, R)
                return
            try:
                workspace = plan.free.pop()
            except IndexError:
                workspace = plan.workspace()
            places = Q.ctypes.data, distances.ctypes.data, ids.ctypes.data
            k = ids.shape[1]
            plan.many(plan.address, workspace, *places, k, part.start, part.stop, p, R)
            plan.free.append(workspace)

        edges = np.linspace(0, len(Q), min(threads, len(Q)) + 1).astype(int).tolist()
        parts = [slice(a, b) for a, b in pairwise(edges)]
        if len(parts) == 1:
            run(parts[0])
            return
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for threads only

        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(run, parts))
