"""Which videos of folders are dubbed from which subtitles, in which language, into which file.

`talk.mp4` goes with `talk.srt` and with `talk.es.srt`, `talk_es.vtt` or `talk-es.ass`. The output
carries the language that the subtitle's name carries, so that no later file changes its name.
"""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avdub.errors import InputError
from avdub.jobs.manifest import read_manifest
from avdub.media.subtitles import SUFFIXES as SUBTITLES
from avdub.media.writer import CODECS
from avdub.text import LANGUAGES

VIDEOS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".ts", ".mts"),
        *(".m2ts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".3gp", ".3g2", ".mxf"),
        *(".divx", ".gif"),
    }
)
SEPARATORS = "._-"
OWN_NAME = re.compile(r"\.dub|\.preview-\d+")
_LANGUAGE_LIKE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")


@dataclass(frozen=True)
class Choice:
    """What to look for. `languages` () means all there are; `home` is what untagged subtitles are
    in, the first of `languages` where that is empty."""

    pattern: str = "*"
    recursive: bool = False
    languages: tuple[str, ...] = ()
    home: str = ""
    output: Path | None = None  # folder; None is beside each video

    @property
    def untagged(self) -> str:
        return self.home or (self.languages[0] if self.languages else "en")


@dataclass(frozen=True)
class Task:
    """One output to make; without subtitles there is a `problem` instead."""

    video: Path
    subtitles: Path | None
    language: str
    output: Path
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Pairs:
    """Tasks in order of names, and notes about files that are left out."""

    tasks: tuple[Task, ...]
    notes: tuple[str, ...]


def find_pairs(inputs: Sequence[Path], choice: Choice) -> Pairs:
    """Pair the videos among `inputs` (folders and files) with the subtitles beside them.

    Raises InputError for an input that is not there, an unknown language, or no video at all.
    """
    for language in (*choice.languages, choice.untagged):
        if language not in LANGUAGES:
            raise InputError(
                f"no text front end for language {language!r}", f"use {', '.join(LANGUAGES)}"
            )
    notes: list[str] = []
    roots, own = _videos(inputs, choice)
    if not roots:
        listed = ", ".join(str(path) for path in inputs)
        raise InputError(
            f"there is no video to dub in {listed}", "name another folder, --pattern or --recursive"
        )
    listings = {folder: _names(folder) for folder in {video.parent for video in roots}}
    stems = {folder: {p.stem for p in roots if p.parent == folder} for folder in listings}
    used: set[Path] = set()
    tasks: list[Task] = []
    for video, root in roots.items():
        folder = _target(video, root, choice.output)
        found = _subtitles_of(video, listings[video.parent], stems[video.parent], choice, notes)
        used |= {path for path, _, _ in found}
        chosen = list(_chosen(found, choice.languages, notes))
        tasks += [
            Task(video, path, language, folder / _output_name(video, tag))
            for path, language, tag in chosen
        ]
        tasks += _lacking(video, folder, {language for _, language, _ in chosen}, choice)
    for folder in [path for path in inputs if path.is_dir()]:
        notes += _left_over(folder, choice.recursive, used, stems)
    outputs = {task.output for task in tasks}
    expected = {
        path for path in own if any(path.stem.startswith(s) for s in stems.get(path.parent, ()))
    }
    notes += [
        f"{path} looks like an output of avdub; left out"
        for path in sorted(own - outputs - expected)
    ]
    return Pairs(tuple(_distinct(tasks)), tuple(dict.fromkeys(notes)))


def is_own_output(path: Path) -> bool:
    """Whether avdub made a file, as its name or the manifest beside it says."""
    if OWN_NAME.fullmatch(Path(path.stem).suffix):
        return True
    try:
        return read_manifest(path) is not None
    except InputError:
        return False


def _videos(inputs: Sequence[Path], choice: Choice) -> tuple[dict[Path, Path], set[Path]]:
    """Each video with the folder given for it, and outputs of avdub."""
    found: dict[Path, Path] = {}
    known: set[Path] = set()
    own: set[Path] = set()
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given} does not exist", "check the spelling and the folder")
        if given.is_file() and given.suffix.lower() in SUBTITLES:
            raise InputError(f"{given} is a subtitle file", "name its video or its folder")
        root = given if given.is_dir() else given.parent
        for path in _files(given, choice.recursive) if given.is_dir() else [given]:
            inside = path.relative_to(root).as_posix()
            if given.is_dir() and not (
                path.suffix.lower() in VIDEOS and _matches(inside, path.name, choice.pattern)
            ):
                continue
            if is_own_output(path):
                own.add(path)
            elif path.resolve() not in known:
                known.add(path.resolve())
                found[path] = root
    return found, own


def _matches(inside: str, name: str, pattern: str) -> bool:
    """A pattern with a slash is of the path inside the folder, another one of the name."""
    return fnmatch.fnmatchcase(inside if "/" in pattern else name, pattern)


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    """In order of names; hidden files and folders are left out, links to folders not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))
        if not recursive:
            return


def _names(folder: Path) -> list[Path]:
    return [path for path in _files(folder, recursive=False) if path.suffix.lower() in SUBTITLES]


def _target(video: Path, root: Path, output: Path | None) -> Path:
    """Where the outputs of a video go: below `output` the folders are as below `root`."""
    return video.parent if output is None else output / video.parent.relative_to(root)


def _output_name(video: Path, tag: str) -> str:
    suffix = video.suffix.lower() if video.suffix.lower() in CODECS else ".mp4"
    return f"{video.stem}{f'.{tag}' if tag else ''}.dub{suffix}"


def _subtitles_of(
    video: Path, beside: Sequence[Path], stems: set[str], choice: Choice, notes: list[str]
) -> list[tuple[Path, str, str]]:
    """The (path, language, tag in the name) of subtitles that go with a video, best first."""
    found = []
    for path in beside:
        rest = path.stem.removeprefix(video.stem)
        if path.stem == video.stem:
            found.append((path, choice.untagged, ""))
        elif path.stem.startswith(video.stem) and rest[0] in SEPARATORS and path.stem not in stems:
            tag = rest[1:].lower().replace("_", "-")
            if tag in LANGUAGES:
                found.append((path, tag, tag))
            elif _LANGUAGE_LIKE.fullmatch(tag):
                notes.append(f"{path}: {tag} is no language that avdub reads; left out")
    order = {suffix: n for n, suffix in enumerate(SUBTITLES)}

    def rank(each: tuple[Path, str, str]) -> tuple[bool, int, int, str]:
        path, _, tag = each  # as `find_subtitles`: the language's own before the untagged
        separator = SEPARATORS.index(path.stem[len(video.stem)]) if tag else 0
        return (not tag, separator, order[path.suffix.lower()], path.name)

    return sorted(found, key=rank)


def _chosen(
    found: Iterable[tuple[Path, str, str]], wanted: Sequence[str], notes: list[str]
) -> Iterator[tuple[Path, str, str]]:
    """One a language: a regional one stands in for a wanted language that is not there itself."""
    best: dict[str, tuple[Path, str, str]] = {}
    for path, language, tag in found:
        if language in best:
            notes.append(f"{path} is left out: {best[language][0].name} is taken for {language}")
        else:
            best[language] = (path, language, tag)
    if not wanted:
        yield from sorted(best.values(), key=lambda each: (each[2] != "", each[1]))
    for language in wanted:
        regional = [key for key in best if key.partition("-")[0] == language]
        match = language if language in best else next(iter(sorted(regional)), "")
        if match:
            yield best[match]


def _lacking(video: Path, folder: Path, there: set[str], choice: Choice) -> Iterator[Task]:
    """A task with a problem for each language that has no subtitles."""
    bases = {language.partition("-")[0] for language in there}
    missing = [each for each in choice.languages if each not in there | bases]
    if not choice.languages and not there:
        missing = [choice.untagged]
    for language in missing:
        tagged = language if choice.languages else "LANGUAGE"
        looked = f"looked for {video.stem}.srt, {video.stem}.{tagged}.srt and the like"
        yield Task(
            *(video, None, language, folder / _output_name(video, language)),
            problem=f"no subtitles beside {video.name}: {looked}",
            hint="put them beside the video under such a name, or leave it out with --pattern",
        )


def _left_over(
    folder: Path, recursive: bool, used: set[Path], stems: dict[Path, set[str]]
) -> Iterator[str]:
    for path in _files(folder, recursive):
        here = stems.get(path.parent, set())
        if path.suffix.lower() in SUBTITLES and path not in used:
            known = any(path.stem == s or path.stem.startswith(s + x) for s in here for x in "._-")
            if not known:
                yield f"{path} goes with no video"


def _distinct(tasks: Iterable[Task]) -> Iterator[Task]:
    """Two videos must not have one output."""
    taken: dict[Path, Path] = {}
    for task in tasks:
        first = taken.get(task.output)
        if task.problem or first is None:
            yield task
            taken.setdefault(task.output, task.video)
            continue
        if first == task.video:  # a regional language stood in for another wanted one
            continue
        yield Task(
            *(task.video, task.subtitles, task.language, task.output),
            problem=f"{task.output} is already the output of {first}",
            hint="rename one of the two videos, or use two output folders",
        )
