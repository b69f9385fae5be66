from __future__ import annotations

import numpy as np

from trainer.dataset.palette import find_palette, standard_palette


def test_a_colour_that_is_not_in_the_palette_gets_the_class_of_the_nearest() -> None:
    palette = standard_palette()
    rgb = np.array([[[250, 251, 252], [3, 0, 9], [240, 128, 128]]], np.uint8)
    assert palette.to_labels(rgb).tolist() == [[0, 1, 4]]
    assert palette.to_rgb(palette.to_labels(rgb))[0, 0].tolist() == [255, 255, 255]


def test_a_palette_of_other_colours_is_found() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:5] = (1, 2, 3)
    palette = find_palette([image])
    assert palette is not None
    assert palette.to_labels(image)[0, 0] != palette.to_labels(image)[9, 9]
