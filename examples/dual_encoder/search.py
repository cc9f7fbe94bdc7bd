"""Embed a folder of pictures, build a searcher, and ask it: no TensorFlow from here on.

``python -m examples.dual_encoder.search --towers DIR --images DIR "a plane on a runway"``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scannlite import searcher
from scannlite.task import text

__all__ = ["build_searcher"]


def build_searcher(towers: Path, images: Path, out: Path) -> Path:
    """Write ``searcher.tflite``: the tower of sentences with an index of the pictures inside.

    Args:
        towers: folder of ``image.tflite`` and ``text.tflite``.
        images: folder of pictures.
        out: what to write.
    """
    pictures = searcher.ImageDataLoader.create(str(towers / "image.tflite"))
    pictures.load_from_folder(str(images))
    data = searcher.DataLoader(str(towers / "text.tflite"), pictures.dataset, pictures.metadata)
    leaves = max(1, round(len(data) ** 0.5))
    options = searcher.ScaNNOptions(
        distance_measure="dot_product",
        tree=searcher.Tree(num_leaves=leaves, num_leaves_to_search=min(16, leaves)),
        score_ah=searcher.ScoreAH(1, anisotropic_quantization_threshold=0.2),
    )
    model = searcher.Searcher.create_from_data(data, options)
    model.export(searcher.ExportFormat.TFLITE, str(out), userinfo="")
    return out


def main() -> None:
    """Read the command line, build where there is nothing yet, and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--towers", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("searcher.tflite"))
    parser.add_argument("sentences", nargs="+")
    asked = parser.parse_args()
    if not asked.out.exists():
        build_searcher(asked.towers, asked.images, asked.out)
    asker = text.TextSearcher.create_from_file(str(asked.out))
    for sentence in asked.sentences:
        print(sentence)
        for neighbor in asker.search(sentence).nearest_neighbors:
            print(f"  {neighbor.distance:8.4f}  {neighbor.metadata}")


if __name__ == "__main__":
    main()
