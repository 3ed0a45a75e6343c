"""How the recogniser is shown a character."""

MARGIN = 0.06
"""What a crop shows around its cell, as a share of the cell; the network was trained with it."""

BATCH = 64
"""Crops of one invocation. Always the same number, so that LiteRT plans its memory once."""
