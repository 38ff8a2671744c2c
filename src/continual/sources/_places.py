"""Where files lie: a local folder, or a prefix of an object store by URL (through fsspec)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from continual.errors import BatchError
from continual.sources.base import SourceUnavailable

_UNFINISHED_PREFIXES = (".", "_")
_UNFINISHED_SUFFIX = ".tmp"
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@]+(/|$)")


def is_url(location: str) -> bool:
    return "://" in location


def located(location: str, home: Path) -> str:
    """Where it lies: a relative folder under the home."""
    return location if is_url(location) else str(home / location)


def checked_location(value: str) -> str:
    """Raises
    ------
    ValueError: a relative folder that leaves the home, or a URL that holds a secret or no bucket.
    """
    if is_url(value):
        if not _URL.match(value):
            raise ValueError(
                f"must be a URL such as 's3://bucket/prefix', without user or password, got {_shown(value)!r}; "
                "credentials come from the environment"
            )
    elif not os.path.isabs(value) and ".." in Path(value).parts:
        raise ValueError(f"a relative folder stays under the home, got {value!r}; name it by its absolute path")
    return value


def _shown(url: str) -> str:
    return re.sub(r"//[^/]*@", "//***@", url)


@dataclass(frozen=True)
class Entry:
    """One file. locator: for `read_bytes`. mark: changes whenever its content does."""

    name: str
    locator: str
    size: int
    mark: str
    is_file: bool = True


class Place(Protocol):
    """A folder or prefix: its files, not what lies below it."""

    def entries(self) -> list[Entry]: ...


def place_of(location: str, field: str) -> Place:
    """field: of the policy, that names the location."""
    return ObjectPlace(location, field) if is_url(location) else LocalPlace(Path(location), field)


def finished(name: str) -> bool:
    """Whether a file of that name is to be looked at."""
    return not name.startswith(_UNFINISHED_PREFIXES) and not name.endswith(_UNFINISHED_SUFFIX)


@dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine."""

    folder: Path
    field: str

    def entries(self) -> list[Entry]:
        """Raises
        ------
        BatchError: the folder does not exist.
        """
        if not self.folder.is_dir():
            stream = self.field.rpartition(".")[2]
            raise BatchError(
                f"The folder of {stream} must exist.",
                f"{self.folder} is no folder.",
                f"create it, or correct {self.field} in the policy.",
            )
        return [entry for name in sorted(os.listdir(self.folder)) if (entry := _local(self.folder / name))]


def _local(path: Path) -> Entry | None:
    """None when the file was taken away since it was listed."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    except OSError:  # one unreadable file must not hide the others; `read` says what is wrong with it
        return Entry(path.name, str(path), 0, "")
    mark = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"
    return Entry(path.name, str(path), info.st_size, mark, is_file=not stat.S_ISDIR(info.st_mode))


@dataclass(frozen=True)
class ObjectPlace:
    """A prefix of an object store. A prefix without objects is empty; a bucket must exist."""

    url: str
    field: str

    def entries(self) -> list[Entry]:
        """Raises
        ------
        BatchError: the client is not installed, or there is no such bucket. SourceUnavailable: it does not answer.
        """
        fs, root = _filesystem(self.url)
        try:
            listed = fs.ls(root, detail=True)
        except FileNotFoundError as error:
            if not _answers(self.url, lambda: fs.exists(root.split("/")[0])):
                raise BatchError(
                    "The bucket must exist.", f"{self.url} has none.", f"create it, or correct {self.field}."
                ) from error
            return []
        except Exception as error:  # each client raises its own
            raise _silent(self.url, error) from error
        scheme = self.url.partition("://")[0]
        found = [_object(scheme, info) for info in listed]
        return sorted((e for e in found if e.name and e.locator != self.url.rstrip("/")), key=lambda e: e.name)


def _object(scheme: str, info: dict[str, Any]) -> Entry:
    path, size = str(info["name"]), int(info.get("size") or 0)
    mark = next((str(info[k]) for k in ("ETag", "etag", "md5Hash", "LastModified", "mtime") if info.get(k)), "")
    return Entry(path.rpartition("/")[2], f"{scheme}://{path}", size, f"{size}:{mark}", info.get("type") != "directory")


def read_bytes(locator: str) -> bytes:
    """The whole file.

    Raises
    ------
    OSError: a file or object that is not there, or a local file that cannot be read.
    SourceUnavailable: the object store does not answer.
    """
    if not is_url(locator):
        return Path(locator).read_bytes()
    fs, path = _filesystem(locator)
    return bytes(_answers(locator, lambda: fs.cat_file(path)))


@contextmanager
def opened(locator: str) -> Iterator[BinaryIO]:
    """To be read from any position; raises as `read_bytes`."""
    if not is_url(locator):
        with open(locator, "rb") as file:
            yield file
        return
    fs, path = _filesystem(locator)
    with _answers(locator, lambda: fs.open(path, "rb")) as file:
        yield file


def put_file(made: Path, location: str) -> None:
    """Copy a local file to where it is to lie: renamed into a local folder, one put into an object store.

    Raises
    ------
    OSError: the disk. SourceUnavailable: the object store does not answer.
    """
    if is_url(location):
        fs, path = _filesystem(location)
        _answers(location, lambda: fs.put_file(str(made), path))
        return
    place = Path(location)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    shutil.copyfile(made, part)
    part.replace(place)


def sha256(locator: str) -> str:
    """SHA-256 (hex) of the bytes; '' when a local file cannot be read, or the file is gone."""
    try:
        if is_url(locator):
            return hashlib.sha256(read_bytes(locator)).hexdigest()
        with open(locator, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _answers(url: str, call: Any) -> Any:
    try:
        return call()
    except FileNotFoundError:
        raise
    except Exception as error:  # each client raises its own
        raise _silent(url, error) from error


def _filesystem(url: str) -> tuple[Any, str]:
    """A client without a cache of listings; its credentials come from the environment."""
    import fsspec  # type: ignore[import-untyped]

    scheme = url.partition("://")[0]
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3" and os.environ.get("AWS_ENDPOINT_URL"):
        options["endpoint_url"] = os.environ["AWS_ENDPOINT_URL"]
    try:
        fs, path = fsspec.core.url_to_fs(url, **options)
    except (ImportError, ValueError) as error:
        extra = "continual[s3]" if scheme == "s3" else f"the fsspec client of {scheme}://"
        raise BatchError(
            f"{scheme}:// needs a client that is installed.",
            f"{error}.",
            f"install {extra}: pip install '{extra}'." if scheme == "s3" else f"install {extra}.",
        ) from error
    fs.invalidate_cache()
    return fs, str(path)


def _silent(url: str, error: Exception) -> SourceUnavailable:
    return SourceUnavailable(
        "The object store must answer.",
        f"{url}: {type(error).__name__}: {str(error)[:300]}.",
        "check credentials, AWS_ENDPOINT_URL and the network, then run again.",
    )
