"""Reading ahead: one thread decodes while another works on what was decoded."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
DEPTH = 8  # frames decoded ahead; bounds the memory


class _End:
    """What a reader puts last: the error that stopped it, if there was one."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Reader(threading.Thread, Generic[T]):
    """Takes items into a bounded queue until they end or nobody wants them."""

    def __init__(self, items: Iterable[T], depth: int) -> None:
        super().__init__(name="avdub-read-ahead", daemon=True)
        self.items = items
        self.waiting: queue.Queue[T | _End] = queue.Queue(depth)
        self.unwanted = threading.Event()

    def run(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._put(_End(error))
        else:
            self._put(_End())

    def _read(self) -> None:
        source = iter(self.items)
        for item in source:
            self._put(item)
            if self.unwanted.is_set():
                break
        if isinstance(source, Generator):
            source.close()

    def _put(self, item: T | _End) -> None:
        while not self.unwanted.is_set():
            try:
                self.waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return


def read_ahead(items: Iterable[T], depth: int = DEPTH) -> Generator[T, None, None]:
    """`items` in order, taken up to `depth` ahead by a thread.

    Its errors are raised here; leaving early stops the thread before this returns.
    """
    reader = _Reader(items, depth)
    reader.start()
    try:
        while not isinstance(item := reader.waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        reader.unwanted.set()
        reader.join()
