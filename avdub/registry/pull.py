"""Published files from the Hugging Face hub into a download folder: resumed, checked, never silent.

The only module that knows huggingface_hub. A file in the hub's own cache is taken from there.
"""

import errno
import re
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.file_download import HfFileMetadata, http_get
from huggingface_hub.utils import build_hf_headers, disable_progress_bars

from avdub.checkpoint import sha256
from avdub.errors import WeightsError
from avdub.home import user_models
from avdub.registry.catalogue import Published, Repository

TIMEOUT_S = 8
# The HTTP library below huggingface_hub has changed twice; its errors are bases of this one.
NETWORK: tuple[type[BaseException], ...] = (OSError, *HfHubHTTPError.__bases__)
LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG}
BY_HAND = "get the files by any other way and run `avdub models import FILES`"


def fetch(
    repository: Repository, files: Sequence[Published], offline: bool = False, bars: bool = False
) -> list[Path]:
    """Local paths of `files`, downloading what is not there yet.

    Raises WeightsError within seconds when the hub cannot be reached, and for damaged content.
    """
    if not bars:
        disable_progress_bars()
    return [_fetch_one(repository, file, offline or constants.HF_HUB_OFFLINE) for file in files]


def discard(repository: Repository) -> None:
    """Delete what `fetch` downloaded, once it is imported."""
    folder = _downloads(repository)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    for empty in (folder, folder.parent):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


def _fetch_one(repository: Repository, file: Published, offline: bool) -> Path:
    cached = huggingface_hub.try_to_load_from_cache(
        repository.repo, file.path, revision=repository.revision, repo_type=repository.repo_type
    )
    if isinstance(cached, str) and file.sha256 in ("", sha256(Path(cached))):
        return Path(cached)
    target = _downloads(repository) / file.path
    if target.is_file() and file.sha256 == sha256(target):
        return target
    if offline:
        raise WeightsError(
            f"{file.path} is not on this computer, and offline means no download", BY_HAND
        )
    url = huggingface_hub.hf_hub_url(
        repository.repo,
        file.path,
        repo_type=repository.repo_type,
        revision=repository.revision,
    )
    expected = _expected(url, repository, file)
    _download(url, target, expected)
    _check(target, file, expected)
    return target


def _downloads(repository: Repository) -> Path:
    return user_models().parent / "downloads" / repository.repo.replace("/", "--")


def _expected(url: str, repository: Repository, file: Published) -> HfFileMetadata:
    """What the hub says of a file: its size and, as `etag`, the SHA-256 of a large one."""
    where = f"{repository.repo} on {constants.ENDPOINT}"
    try:
        return huggingface_hub.get_hf_file_metadata(
            url, timeout=TIMEOUT_S, headers=build_hf_headers()
        )
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise WeightsError(f"{file.path} is no longer in {where}", BY_HAND) from error
    except HfHubHTTPError as error:
        raise WeightsError(f"{where} refuses {file.path}: {_short(error)}", BY_HAND) from error
    except NETWORK as error:
        raise WeightsError(
            f"{where} cannot be reached: {_short(error)}",
            f"check the network and run this again, or {BY_HAND}",
        ) from error


def _download(url: str, target: Path, expected: HfFileMetadata) -> None:
    """Into `target`, going on where an earlier try stopped."""
    target.parent.mkdir(parents=True, exist_ok=True)
    there = target.stat().st_size if target.is_file() else 0
    if expected.size is not None and there > expected.size:
        target.unlink()  # of another version
        there = 0
    if there and there == expected.size:
        return
    try:
        with target.open("ab") as file:
            http_get(
                url,
                file,
                resume_size=there,
                headers=build_hf_headers(),
                expected_size=expected.size,
            )
    except NETWORK as error:
        if isinstance(error, OSError) and error.errno in LOCAL:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise WeightsError(
            f"the download of {target.name} broke off: {_short(error)}",
            "run this again; it goes on where it stopped",
        ) from error


def _check(target: Path, file: Published, expected: HfFileMetadata) -> None:
    """The file against the catalogue's SHA-256, or the hub's where the catalogue has none."""
    etag = expected.etag or ""
    wanted = file.sha256 or (etag if re.fullmatch("[0-9a-f]{64}", etag) else "")
    if not wanted:
        raise WeightsError(f"the hub gives no SHA-256 for {file.path}", BY_HAND)
    found = sha256(target)
    if found != wanted:
        target.unlink()
        raise WeightsError(
            f"{file.path} is not what was published: its SHA-256 starts with {found[:12]} "
            f"instead of {wanted[:12]}",
            "the file on the hub was replaced; import one that you trust"
            if found == etag
            else "run this again; the damaged file is deleted",
        )


def _short(error: BaseException) -> str:
    """The first line, without the addresses that follow."""
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
