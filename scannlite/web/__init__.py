"""A search page for people: a searcher, its pictures, and a browser beside them.

``opening`` opens a searcher and its pictures, ``search`` answers questions, ``application`` gives
those answers over HTTP together with the files of ``page/``, ``guard`` stands before it, and
``server`` listens.
"""

from __future__ import annotations
