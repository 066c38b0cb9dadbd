"""What comes from anywhere runs no code, opens no other file and takes no more than it may."""

import ast
import os
from pathlib import Path

import av
import pytest

import avdub
from avdub.errors import MediaError, SubtitleError
from avdub.media import container
from avdub.media.probe import probe
from avdub.media.subtitles import read_subtitles
from tests.make import make_clip

PACKAGE = Path(avdub.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# a call that hands text to a shell, or runs what it reads
FORBIDDEN = {
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open"),
    *("joblib.load", "yaml.load", "yaml.unsafe_load", "eval", "exec", "compile", "__import__"),
    *("tarfile.open", "shutil.unpack_archive"),  # archives that could lead out of a folder
}
NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}


def unsafe_calls(source: str) -> list[str]:
    """Calls that could run what they are given, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name, named = ast.unparse(node.func), {each.arg: each.value for each in node.keywords}
        shell = named.get("shell")
        if name in FORBIDDEN or name.endswith(".extractall") or shell is not None:
            found.append(f"{node.lineno}: {name}")
        if name in NEEDED:
            word, value = NEEDED[name]
            given = named.get(word)
            if not isinstance(given, ast.Constant) or given.value is not value:
                found.append(f"{node.lineno}: {name} without {word}={value}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_uses_a_shell_or_runs_what_it_reads(path: Path) -> None:
    assert unsafe_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run('ls ' + name, shell=True)",
        "os.system('ls')",
        "pickle.load(file)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "eval(text)",
        "archive.extractall(folder)",
    ],
)
def test_an_unsafe_call_is_noticed(source: str) -> None:
    assert len(unsafe_calls(source)) == 1


@pytest.mark.parametrize(
    "source", ["model.eval()", "re.compile(x)", "subprocess.run(['ls', name])"]
)
def test_a_safe_call_is_none(source: str) -> None:
    assert unsafe_calls(source) == []


def others(folder: Path) -> Path:
    return make_clip(folder / "private.ts", n_frames=4)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("talk.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"),
        ("talk.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"),
        ("talk.mp4", "ffconcat version 1.0\nfile private.ts\n"),
        ("talk.ffconcat", "ffconcat version 1.0\nfile private.ts\n"),
        ("talk.sdp", "v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    ],
)
def test_a_video_that_is_a_list_of_other_files_is_refused_and_opens_none(
    name: str, text: str, tmp_path: Path
) -> None:
    private = others(tmp_path)
    os.utime(private, (1, private.stat().st_mtime))
    (tmp_path / name).write_text(text.format(private))
    with pytest.raises(MediaError, match="cannot be opened as a video"):
        probe(tmp_path / name)
    assert private.stat().st_atime == 1


def test_a_list_would_be_followed_without_the_check(tmp_path: Path) -> None:
    others(tmp_path)
    (tmp_path / "talk.mp4").write_text("ffconcat version 1.0\nfile private.ts\n")
    with av.open(str(tmp_path / "talk.mp4")) as opened:
        assert opened.format.name == "concat"


def test_pictures_beyond_all_measure_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_clip(tmp_path / "a.mp4", size=(64, 48))
    monkeypatch.setattr(container, "MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(MediaError, match="no frame that can be decoded"):
        probe(video)


def test_the_largest_pictures_there_are_fit() -> None:
    assert container.MOST_PIXELS >= 4 * 7680 * 4320


@pytest.mark.parametrize("text", ["../../etc/passwd", "$(touch made)", "file:///etc/passwd", "%s"])
def test_what_subtitles_say_is_only_ever_text(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.srt").write_text(f"1\n00:00:00,100 --> 00:00:01,000\n{text}\n")
    before = set(tmp_path.iterdir())
    segments, _ = read_subtitles(tmp_path / "s.srt")
    assert [segment.text for segment in segments] == [text]
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="nothing here has no end")
def test_subtitles_without_an_end_are_refused() -> None:
    with pytest.raises(SubtitleError, match="too large for subtitles"):
        read_subtitles(Path("/dev/zero"))
