"""Encoded pictures become the input of a model, inside its graph."""

from collections.abc import Callable

import keras
import tensorflow as tf

MAX_PIXELS = 40_000_000
"""The most pixels of a picture. Its header is read before its pixels are decoded."""

MULTIPLE = 32
"""Sides that a model leaves open become multiples of this, so that its maps halve without a rest."""

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colours into grey.


def reader(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """What turns encoded pictures into the input of a model.

    PNG and JPEG, grey or in colours; transparency lies on white paper. A picture is resized to the
    sides that the model names. Where only the width is open, it keeps its proportions; where both
    sides are open, it keeps its size. Pictures that are smaller than the largest of their batch are
    padded with white on the right and below. EXIF orientation is not applied.

    Args:
        model: Takes one `image`, uint8 (N, height, width, 1 or 3).

    Returns:
        A function from `image_bytes`, string (N,), to `image`. Bytes that are no picture, or one of more
        than `MAX_PIXELS`, raise `tf.errors.InvalidArgumentError` when it runs.
    """
    _, height, width, channels = model.inputs[0].shape

    def read(image_bytes: tf.Tensor) -> tf.Tensor:
        sizes = tf.map_fn(_size, image_bytes, fn_output_signature=tf.TensorSpec((2,), tf.int32))
        scaled = tf.maximum(_scaled(sizes, height, width), 1)
        canvas = tf.reduce_max(scaled, 0)
        canvas = tf.where([height is None, width is None], -(-canvas // MULTIPLE) * MULTIPLE, canvas)
        with tf.control_dependencies([_check(sizes), _check(canvas[None])]):
            checked = tf.identity(image_bytes)  # So that nothing is decoded before.
        images = tf.map_fn(
            lambda pair: _fitted(_decoded(pair[0], channels), pair[1], canvas),
            (checked, scaled),
            fn_output_signature=tf.TensorSpec((None, None, channels), tf.uint8),
        )
        return tf.ensure_shape(images, (None, height, width, channels))

    return read


def _size(data: tf.Tensor) -> tf.Tensor:
    """Height and width, from the header: int32 (2,)."""

    def of_png() -> tf.Tensor:
        # Width and height, 32 bits each, most significant byte first.
        return tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.int32, little_endian=False)[::-1]

    def of_jpeg() -> tf.Tensor:
        return tf.image.extract_jpeg_shape(data)[:2]

    is_png = tf.equal(tf.strings.substr(data, 0, 8), b"\x89PNG\r\n\x1a\n")
    return tf.ensure_shape(tf.cond(is_png, of_png, of_jpeg), (2,))


def _scaled(sizes: tf.Tensor, height: int | None, width: int | None) -> tf.Tensor:
    """The sizes that pictures take in a model of the given sides: int32 (N, 2)."""
    if height is None:
        return sizes
    if width is None:
        ratio = sizes[:, 1] / sizes[:, 0]
        widths = tf.cast(tf.minimum(tf.round(ratio * height), MAX_PIXELS), tf.int32)
    else:
        widths = tf.fill(tf.shape(sizes)[:1], width)
    return tf.stack([tf.fill(tf.shape(widths), height), widths], 1)


def _check(sizes: tf.Tensor) -> tf.Operation:
    """Fails where one of the sizes (N, 2) is too large."""
    pixels = tf.reduce_prod(tf.cast(sizes, tf.int64), 1)
    message = f"A picture must have at most {MAX_PIXELS:,} pixels. Heights and widths:"
    return tf.debugging.Assert(tf.reduce_all(pixels <= MAX_PIXELS), [message, sizes])


def _decoded(data: tf.Tensor, channels: int) -> tf.Tensor:
    """The pixels of a picture on white paper: float32 (height, width, channels), 0 to 255."""
    pixels = tf.cast(tf.io.decode_image(data, expand_animations=False), tf.float32)
    pixels = tf.ensure_shape(pixels, (None, None, None))
    stored = tf.shape(pixels)[2]  # Grey, grey and alpha, RGB, RGB and alpha.
    alpha = tf.cond(
        tf.equal(stored % 2, 0), lambda: pixels[..., -1:] / 255, lambda: tf.ones_like(pixels[..., :1])
    )
    colours = pixels[..., : stored - 1 + stored % 2] * tf.ones(3)
    on_paper = 255 - alpha * (255 - colours)
    return tf.reduce_sum(on_paper * _GREY, 2, keepdims=True) if channels == 1 else on_paper


def _fitted(pixels: tf.Tensor, size: tf.Tensor, canvas: tf.Tensor) -> tf.Tensor:
    """Resizes a picture and pads it with white: uint8 (*canvas, channels)."""
    resized = tf.image.resize(pixels, size, antialias=True)
    rest = canvas - size
    padded = tf.pad(resized, [(0, rest[0]), (0, rest[1]), (0, 0)], constant_values=255)
    return tf.cast(tf.clip_by_value(tf.round(padded), 0, 255), tf.uint8)
