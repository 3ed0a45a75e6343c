"""Reads handwritten Traditional Chinese.

>>> from serving import Reader
>>> page = Reader().read("essay.jpg")
>>> print(page.text)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.endpoint import Endpoint, EndpointError
    from serving.images import ImageError
    from serving.ocr import LayoutError, Reader, text_detection, text_recognition
    from serving.page import Cells, Character, Line, Page
    from serving.runtime import ModelError, Session

# Loaded when first used, so that `import serving` costs nothing.
_HOMES = {
    "Cells": "serving.page",
    "Character": "serving.page",
    "Endpoint": "serving.endpoint",
    "EndpointError": "serving.endpoint",
    "ImageError": "serving.images",
    "LayoutError": "serving.ocr",
    "Line": "serving.page",
    "ModelError": "serving.runtime",
    "Page": "serving.page",
    "Reader": "serving.ocr",
    "Session": "serving.runtime",
    "text_detection": "serving.ocr",
    "text_recognition": "serving.ocr",
}

__all__ = [
    "Cells",
    "Character",
    "Endpoint",
    "EndpointError",
    "ImageError",
    "LayoutError",
    "Line",
    "ModelError",
    "Page",
    "Reader",
    "Session",
    "text_detection",
    "text_recognition",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'serving' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
