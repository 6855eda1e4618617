"""ZIP archives."""

from __future__ import annotations

import posixpath
import stat
import zipfile
import zlib
from collections.abc import Iterator

from inbox.errors import (
    CorruptFile,
    DecompressionBomb,
    EmptyFile,
    EncryptedFile,
    InboxError,
    TooDeep,
    UnsupportedType,
)
from inbox.extract import archive
from inbox.extract.containers import PIECE_BYTES, Entry, check_count, too_large
from inbox.extract.options import Options, Unpacking
from inbox.extract.plan import Plan

_LOCKED = 0x1
_UTF8 = 0x800
# What systems put beside the files that somebody packed.
_LITTER = {".ds_store", "thumbs.db", "desktop.ini"}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def plan(data: bytes, options: Options) -> Plan:
    """How many files are inside; none is read here.

    An archive of which a part is locked fails as a whole, before any of it becomes a file: whoever
    sent it sends it again with the password, and then no file of it is there twice.

    Raises:
        EncryptedFile: something in it is locked, and there is no password.
        UnsupportedType: archives are not taken apart here, or nothing but empty files is in it.
        TooDeep: it lies in too many others.
        EmptyFile: it holds nothing.
        TooManyEntries, ContainerTooLarge, DecompressionBomb: it is not safe to unpack.
        CorruptFile: it is damaged.
    """
    limits = options.unpack
    with archive.opened(data) as opened:
        members = checked(opened, limits or Unpacking())
    if not options.passwords and any(member.flag_bits & _LOCKED for member in members):
        raise EncryptedFile("The archive, or a part of it, is locked; send its password.")
    if limits is None:
        raise UnsupportedType("The file is a zip archive, which no reader is for.")
    if limits.levels <= 0:
        raise TooDeep("The archive lies inside more containers than are taken apart.")
    if not members:
        raise EmptyFile("The archive holds no file.")
    if not any(member.file_size for member in members):
        raise UnsupportedType("The archive holds nothing but empty files.")
    return Plan(pages=(), inside=len(members), container=True)


def count(data: bytes, options: Options) -> int:
    """How many files are inside."""
    return plan(data, options).inside


def entries(data: bytes, options: Options) -> Iterator[Entry]:
    """The files inside, in the order of the archive's directory."""
    limits = options.unpack or Unpacking()
    with archive.opened(data) as opened:
        for member in checked(opened, limits):
            yield Entry(_name(member), lambda member=member: _pieces(opened, member, options))  # type: ignore[misc]


def checked(opened: zipfile.ZipFile, limits: Unpacking) -> list[zipfile.ZipInfo]:
    """The files of an archive, if by its directory they may be unpacked.

    Reading stops at the size that the directory claims, so what it claims is the most there is.

    Raises:
        TooManyEntries, ContainerTooLarge, DecompressionBomb: it may not be unpacked.
    """
    members = [member for member in opened.infolist() if not _is_litter(member)]
    check_count(len(members), limits)
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if total > archive.RATIO_FROM_BYTES and total / packed > limits.max_ratio:
        raise DecompressionBomb("The archive is built to swell when it is opened.")
    if total > limits.max_bytes:
        raise too_large(limits)
    return members


def _is_litter(member: zipfile.ZipInfo) -> bool:
    name = posixpath.basename(member.filename).lower()
    return (
        member.is_dir()
        or member.filename.startswith("__MACOSX/")
        or name.startswith("._")
        or name in _LITTER
    )


def _name(member: zipfile.ZipInfo) -> str:
    """The name, read as UTF-8 where it can be, whatever the archive says."""
    if member.flag_bits & _UTF8:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _pieces(opened: zipfile.ZipFile, member: zipfile.ZipInfo, options: Options) -> Iterator[bytes]:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnsupportedType("This part of the archive is a link, which holds nothing.")
    if member.flag_bits & _LOCKED:
        yield _unlocked(opened, member, options)
        return
    try:
        with opened.open(member) as part:
            while piece := part.read(PIECE_BYTES):
                yield piece
    except NotImplementedError:
        raise UnsupportedType("This part of the archive is packed in an unknown way.") from None
    except _BROKEN:
        raise CorruptFile("This part of the archive is damaged.") from None


def _unlocked(opened: zipfile.ZipFile, member: zipfile.ZipInfo, options: Options) -> bytes:
    """The bytes of a locked member, by the first password that opens it."""
    limits = options.unpack or Unpacking()
    if member.file_size > limits.max_file_bytes:
        raise _too_large_to_unlock(limits)
    for password in options.passwords:
        try:
            return opened.read(member, password.encode())
        except NotImplementedError:
            raise EncryptedFile("The file is locked in a way that cannot be opened here.") from None
        except (RuntimeError, *_BROKEN):  # a wrong password fails at once, or at the checksum
            continue
    if options.passwords:
        raise EncryptedFile("The file is locked, and no password of the job opens it.")
    raise EncryptedFile("The file is locked; send its password with the job.")


def _too_large_to_unlock(limits: Unpacking) -> InboxError:
    return CorruptFile(f"The locked file claims more than {limits.max_file_bytes} bytes.")
