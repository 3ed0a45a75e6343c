"""Every model of the zoo at a size that a test builds in a moment."""

_EFFICIENTNET = {"classes": 12, "size": 32, "channels": 1, "width": 0.1, "depth": 0.3, "embedding": 16}

SIZES: dict[str, dict] = {
    "vgg16": {"classes": 12, "size": 32, "channels": 1, "width": 0.125, "dense": 32, "normalise": True},
    **{f"efficientnet_b{phi}": _EFFICIENTNET for phi in range(8)},
    "hanzinet": {
        "classes": 12,
        "size": 32,
        "widths": (8, 8, 16, 16),
        "depths": (0, 1, 0, 0),
        "embedding": 16,
    },
    "hanzinet_m": {"classes": 12},
    "ensemble": {
        "classes": 12,
        "size": 32,
        "members": (
            ("vgg16", {"width": 0.125, "dense": 32, "normalise": True}),
            ("efficientnet_b0", {"width": 0.1, "depth": 0.3}),
        ),
    },
}
