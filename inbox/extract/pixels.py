"""Whether all of a picture is there."""

from __future__ import annotations

import contextlib
import io
import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# Where the strips or tiles of a picture begin, and how long they are.
_PIECES = ((273, 279), (324, 325))


# Width, height and values a pixel.
_EXTENTS = {256, 257, 277}
_NUMBERS = {3: "H", 4: "I"}
_START_OF_JPEG, _END_OF_JPEG = b"\xff\xd8\xff", b"\xff\xd9"
_ORIENTATION = 0x0112
# Some programs write a little more behind the end.
_TAIL = 1024


@contextlib.contextmanager
def forgiving(data: bytes) -> Iterator[None]:
    """Have a JPEG that lacks nothing but its end mark decode."""
    import PIL.ImageFile

    before = PIL.ImageFile.LOAD_TRUNCATED_IMAGES
    PIL.ImageFile.LOAD_TRUNCATED_IMAGES = is_cut_short(data) and has_all_rows(data)
    try:
        yield
    finally:
        PIL.ImageFile.LOAD_TRUNCATED_IMAGES = before


def is_cut_short(data: bytes) -> bool:
    """Whether a JPEG lacks its end mark."""
    return data.startswith(_START_OF_JPEG) and _END_OF_JPEG not in data[-_TAIL:]


def ends_well(data: bytes) -> bool:
    """Whether a JPEG has its end mark, or all rows without it."""
    return _END_OF_JPEG in data[-_TAIL:] or has_all_rows(data)


def has_all_rows(data: bytes) -> bool:
    """Whether every row of a JPEG decodes, though its end mark may be missing.

    Some cameras and scanners leave the last bytes out; nothing of the picture is lost then.
    """
    import PIL.Image
    import PIL.ImageFile

    before = PIL.ImageFile.LOAD_TRUNCATED_IMAGES
    PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("JPEG",)) as opened:
            if opened.info.get("progressive"):  # every row is there early, and blurred
                return False
            picture = opened.convert("L")
    except (OSError, ValueError, SyntaxError, TypeError):
        return False
    finally:
        PIL.ImageFile.LOAD_TRUNCATED_IMAGES = before
    # The decoder fills rows that never came with one level.
    low, high = picture.crop((0, picture.height - 1, *picture.size)).getextrema()
    return low != high


def upright(picture: Image) -> Image:
    """The picture as the camera was held; itself where that changes nothing."""
    import PIL.ImageOps

    # A damaged orientation tag must not cost the picture.
    try:
        if picture.getexif().get(_ORIENTATION, 1) == 1:
            return picture
        return PIL.ImageOps.exif_transpose(picture)
    except (ValueError, TypeError, KeyError, SyntaxError, OSError):
        return picture


def within(opened: Image, size: int) -> bool:
    """Whether all parts that a TIFF names lie within a file of `size` bytes.

    What is missing is white to the decoder, and would be read as empty paper.
    """
    tags: Any = getattr(opened, "tag_v2", {})
    for starts, lengths in _PIECES:
        try:
            ends = [a + b for a, b in zip(tags[starts], tags[lengths], strict=True)]
        except (KeyError, TypeError, ValueError):
            continue
        if any(end > size for end in ends):
            return False
    return True


def claimed_by_tiff(data: bytes) -> int:
    """How many values the first picture of a TIFF says it has; 0 where it does not say.

    Libraries allocate what the header claims, or give up on it without a reason.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    found: dict[int, int] = {}
    with contextlib.suppress(struct.error):  # no TIFF, or one that ends early
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, place)
            if tag in _EXTENTS and tag not in found and kind in _NUMBERS:
                (found[tag],) = struct.unpack_from(f"{order}{_NUMBERS[kind]}", data, place + 8)
    return math.prod(found.values()) if found else 0
