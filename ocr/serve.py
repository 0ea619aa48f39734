"""Reading over HTTP, on loopback, with limits: a picture is posted, JSON comes back.

``POST /read`` takes the bytes of one picture file as its body and answers with what ``ocr read --json`` prints; ``GET /health``
answers at once.  Whatever is wrong comes back as ``{"error": "one line"}`` with a status that says whose fault it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ocr import __version__
from ocr.export_text import page_to_dict
from ocr.picture_files import decode_image
from ocr.types import Image, Page

HOSTS = ("127.0.0.1", "localhost", "[::1]", "testserver")
"""Names under which the service may be asked for: a page on the web cannot reach it under its own name."""
ReadOne = Callable[[Image], Page]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost.

    Args:
        megabytes: largest body.
        megapixels: largest picture; it is refused before it is decoded.
        seconds: for the body to arrive, and again for the answer.
        waiting: pictures that may wait while one is read; more are refused.

    Raises:
        ValueError: a limit is not positive.
    """

    megabytes: float = 20
    megapixels: float = 40
    seconds: float = 60
    waiting: int = 8

    def __post_init__(self) -> None:
        for name in ("megabytes", "megapixels", "seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"--{name} {getattr(self, name)}: give a number above 0")
        if self.waiting < 0:
            raise ValueError(f"--waiting {self.waiting}: give 0 or more")


class Refused(Exception):
    """A request that is not answered with a page: the status of HTTP, and one line for whoever asked."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Desk:
    """Reads one picture at a time and lets few wait.

    Reading cannot be interrupted: where it takes longer than allowed the request is answered, but the work is finished, and the next
    picture is read after that.
    """

    def __init__(self, read: ReadOne, limits: Limits) -> None:
        self.read, self.limits = read, limits
        self.worker = ThreadPoolExecutor(1, "reading")
        self.accepted = 0

    async def answer(self, body: bytes) -> dict[str, Any]:
        """The page in a picture file, as plain containers.

        Raises:
            Refused: too many wait, it took too long, or the body is no picture.
        """
        if self.accepted > self.limits.waiting:
            raise Refused(503, f"{self.accepted} pictures are being read or wait: try again later")
        self.accepted += 1
        work = self.worker.submit(self._page, body)
        work.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            raise Refused(504, f"reading took longer than {self.limits.seconds:g} s: send a smaller picture") from None
        except ValueError as error:
            raise Refused(422, str(error)) from None

    def _page(self, body: bytes) -> dict[str, Any]:
        image = decode_image(body, "the body", int(self.limits.megapixels * 1e6))
        return page_to_dict(self.read(image))

    def _done(self, _: Future[dict[str, Any]]) -> None:
        self.accepted -= 1


def application(read: ReadOne, limits: Limits) -> FastAPI:
    """The service around a function that reads a picture (height x width x 3, RGB, uint8)."""
    service = FastAPI(title="ocr", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    service.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))
    desk = Desk(read, limits)

    @service.get("/health")
    async def health() -> dict[str, Any]:
        return {"version": __version__, "busy": desk.accepted}

    @service.post("/read")
    async def read_picture(request: Request) -> JSONResponse:
        return JSONResponse(await desk.answer(await _body(request, limits)))

    @service.exception_handler(Refused)
    async def refuse(_: Request, error: Refused) -> JSONResponse:
        # a body that was not read to its end must not be taken for the next request
        return JSONResponse({"error": str(error)}, error.status, {"connection": "close"})

    return service


async def _body(request: Request, limits: Limits) -> bytes:
    """The request's body.

    Raises:
        Refused: it is empty, too long, or too slow.
    """
    most = int(limits.megabytes * 1e6)
    too_long = Refused(413, f"the body is longer than {limits.megabytes:g} MB: send a smaller file")
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_long
    except TimeoutError:
        raise Refused(408, f"the body took longer than {limits.seconds:g} s") from None
    if not body:
        raise Refused(400, "the body is empty: post the bytes of a picture file (curl --data-binary @photo.jpg)")
    return bytes(body)
