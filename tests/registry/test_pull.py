"""Downloads from a hub on this computer: whole, resumed, damaged, gone."""

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import huggingface_hub.constants
import pytest

from avdub.errors import WeightsError
from avdub.registry.catalogue import REPOSITORIES, Published, Repository
from avdub.registry.pull import discard, fetch

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = Published("text_to_latents", "logs/ttv.pth", len(CONTENT), DIGEST)
UNKNOWN = Published("text_to_latents", "logs/ttv.pth", len(CONTENT))
SPACE = Repository("someone/a_space", "space", "main", (FILE,))


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does: what is large lies elsewhere, its SHA-256 in a header."""

    content: ClassVar[bytes] = CONTENT
    promised: ClassVar[str] = DIGEST
    breaks_at: ClassVar[int | None] = None
    log: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        self.log.append((self.command, self.path, self.headers.get("Range")))
        if self.path == "/spaces/someone/a_space/resolve/main/logs/ttv.pth":
            self.send_response(302)
            port = self.server.server_address[1]
            self.send_header("Location", f"http://localhost:{port}/elsewhere")  # another host
            self.send_header("X-Linked-Etag", f'"{self.promised}"')
            self.send_header("X-Linked-Size", str(len(CONTENT)))
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/elsewhere":
            start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
            body = self.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"other"')
            if start:
                whole = len(self.content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.end_headers()
            if with_body:
                self.wfile.write(body if self.breaks_at is None else body[: self.breaks_at])
                self.close_connection = True
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *args: object) -> None:
        """Tests look at `log`."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The hub's own cache, empty; downloads go to `home`."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[type[Hub]]:
    handler = type("ThisHub", (Hub,), {"log": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        point_to(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        yield handler
        server.shutdown()
        thread.join()


def point_to(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    constants = huggingface_hub.constants
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)


def downloads(home: Path) -> Path:
    return home / "downloads" / "someone--a_space" / "logs" / "ttv.pth"


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_a_file_comes_whole(hub: type[Hub], home: Path, file: Published) -> None:
    (path,) = fetch(SPACE, [file])
    assert path == downloads(home)
    assert path.read_bytes() == CONTENT


def test_a_second_call_downloads_nothing(hub: type[Hub]) -> None:
    fetch(SPACE, [FILE])
    hub.log.clear()
    fetch(SPACE, [FILE])
    assert hub.log == []


def test_a_download_goes_on_where_it_stopped(hub: type[Hub], home: Path) -> None:
    downloads(home).parent.mkdir(parents=True)
    downloads(home).write_bytes(CONTENT[:1000])
    (path,) = fetch(SPACE, [FILE])
    assert path.read_bytes() == CONTENT
    assert [rest for command, _, rest in hub.log if command == "GET"][-1] == "bytes=1000-"


def test_a_larger_file_left_over_is_replaced(hub: type[Hub], home: Path) -> None:
    downloads(home).parent.mkdir(parents=True)
    downloads(home).write_bytes(CONTENT + b"more")
    assert fetch(SPACE, [FILE])[0].read_bytes() == CONTENT


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_damaged_content_is_refused_and_deleted(
    hub: type[Hub], home: Path, file: Published
) -> None:
    hub.content = CONTENT[:-1] + b"?"
    with pytest.raises(WeightsError, match="not what was published") as caught:
        fetch(SPACE, [file])
    assert "run this again" in caught.value.hint
    assert not downloads(home).exists()


def test_a_file_replaced_on_the_hub_is_refused(hub: type[Hub]) -> None:
    hub.content = CONTENT[:-1] + b"?"
    hub.promised = hashlib.sha256(hub.content).hexdigest()
    with pytest.raises(WeightsError, match="not what was published") as caught:
        fetch(SPACE, [FILE])
    assert "was replaced" in caught.value.hint


def test_without_any_sum_nothing_is_trusted(hub: type[Hub]) -> None:
    hub.promised = "short"
    with pytest.raises(WeightsError, match="no SHA-256"):
        fetch(SPACE, [UNKNOWN])


def test_a_connection_that_breaks_is_said_and_what_came_is_kept(
    hub: type[Hub], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    hub.breaks_at = 100
    with pytest.raises(WeightsError, match="broke off") as caught:
        fetch(SPACE, [Published("text_to_latents", "logs/ttv.pth", len(CONTENT), DIGEST)])
    assert "goes on where it stopped" in caught.value.hint
    assert CONTENT.startswith(downloads(home).read_bytes())


def test_a_file_that_is_gone_is_said(hub: type[Hub]) -> None:
    with pytest.raises(WeightsError, match=r"logs/none\.pth is no longer in someone/a_space"):
        fetch(SPACE, [Published("text_to_latents", "logs/none.pth", 1)])


@pytest.mark.usefixtures("cache")
def test_a_dead_host_is_said_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        point_to(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")
    started = time.monotonic()
    with pytest.raises(WeightsError, match="cannot be reached") as caught:
        fetch(SPACE, [FILE])
    assert "avdub models import" in caught.value.hint
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("cache")
def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avdub.registry.pull.TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_to(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(WeightsError, match="cannot be reached"):
            fetch(SPACE, [FILE])


@pytest.mark.parametrize("by_variable", [True, False])
def test_offline_asks_nobody(
    hub: type[Hub], monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", by_variable)
    with pytest.raises(WeightsError, match="offline means no download"):
        fetch(SPACE, [FILE], offline=not by_variable)
    assert hub.log == []


def test_a_file_in_the_hubs_own_cache_is_used_even_offline(cache: Path) -> None:
    snapshot = cache / "spaces--someone--a_space" / "snapshots" / ("0" * 40)
    (snapshot / "logs").mkdir(parents=True)
    (snapshot / "logs" / "ttv.pth").write_bytes(CONTENT)
    refs = cache / "spaces--someone--a_space" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    assert fetch(SPACE, [FILE], offline=True) == [snapshot / "logs" / "ttv.pth"]


def test_downloads_are_discarded_whole(hub: type[Hub], home: Path) -> None:
    fetch(SPACE, [FILE])
    discard(SPACE)
    assert not (home / "downloads").exists()


@pytest.mark.parametrize("name", REPOSITORIES)
def test_the_catalogue_asks_for_files_of_plausible_size(name: str) -> None:
    for file in REPOSITORIES[name].files:
        assert file.n_bytes > 1e6
        assert len(file.sha256) in (0, 64)
