"""Reading over HTTP: what comes back, and what is refused with which status."""

import asyncio
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")

from ocr.serve import Limits, application  # noqa: E402
from ocr.types import Detection, Page, Reading  # noqa: E402


def shop(image):
    box = Detection(np.array([[0, 0], [8, 0], [8, 4], [0, 4]], np.float32), 0.9)
    return Page("", image.shape[1], image.shape[0], [(box, Reading("SHOP", 0.8, [0.9] * 4))])


def png(height=20, width=30):
    return cv2.imencode(".png", np.full((height, width, 3), 255, np.uint8))[1].tobytes()


def ask(requests, read=shop, limits=None, host="http://127.0.0.1"):
    """Answers to requests (method, path, body) that are all sent at once."""
    service = application(read, limits or Limits())

    async def all_of_them():
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url=host) as client:
            return await asyncio.gather(*(client.request(m, p, content=b) for m, p, b in requests))

    return asyncio.run(all_of_them())


def test_a_posted_picture_comes_back_as_words():
    health, answer = ask([("GET", "/health", b""), ("POST", "/read", png())])
    assert health.status_code == 200
    page = answer.json()
    assert (page["width"], page["height"], [w["text"] for w in page["words"]]) == (30, 20, ["SHOP"])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "empty"),
        (b"no picture at all", 422, "not a picture in a known format"),
        (png()[:60], 422, "is the file complete"),
        (png(200, 300), 422, "too many"),
        (b"x" * 20_001, 413, "longer than 0.02 MB"),
    ],
)
def test_bad_input_is_refused_in_one_line(body, status, said):
    (answer,) = ask([("POST", "/read", body)], limits=Limits(megabytes=0.02, megapixels=0.05))
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_long_body_is_refused_whether_it_says_so_or_not():
    async def endless():
        for _ in range(100):
            yield b"x" * 1000

    service = application(shop, Limits(megabytes=0.02))

    async def post():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://localhost") as client:
            return await client.post("/read", content=endless())

    assert asyncio.run(post()).status_code == 413


def test_a_slow_body_is_refused():
    async def dripping():
        yield b"x"
        await asyncio.sleep(5)

    service = application(shop, Limits(seconds=0.05))

    async def post():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://localhost") as client:
            return await client.post("/read", content=dripping())

    assert asyncio.run(post()).status_code == 408


def test_reading_has_a_time_limit():
    held = threading.Event()

    def slow(image):
        held.wait(5)
        return shop(image)

    (answer,) = ask([("POST", "/read", png())], slow, Limits(seconds=0.05))
    held.set()
    assert (answer.status_code, "took longer" in answer.json()["error"]) == (504, True)


def test_only_so_many_may_wait():
    held = threading.Event()

    def waits(image):
        assert held.wait(60)
        return shop(image)

    service = application(waits, Limits(waiting=1))

    async def five():
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            waiting = {asyncio.ensure_future(client.post("/read", content=png())) for _ in range(5)}
            refused = []
            while len(refused) < 3:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused += [answer.result().status_code for answer in done]
            held.set()
            return refused, [(await answer).status_code for answer in waiting]

    assert asyncio.run(five()) == ([503] * 3, [200] * 2)


def test_pages_of_the_web_cannot_reach_it_under_their_own_name():
    (answer,) = ask([("POST", "/read", png())], host="http://evil.example")
    assert answer.status_code == 400


def test_limits_must_make_sense():
    with pytest.raises(ValueError, match="--seconds 0"):
        Limits(seconds=0)
    with pytest.raises(ValueError, match="--waiting -1"):
        Limits(waiting=-1)
