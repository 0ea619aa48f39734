"""A headless Chromium for tests, over its debugging pipe (messages are JSON with a zero byte behind)."""

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --remote-debugging-pipe"


class Browser:
    """One page.  ``say`` sends a command of the DevTools protocol and returns its result."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        (theirs, self.out), (self.into, ours) = os.pipe(), os.pipe()
        # it reads from file 3 and writes to file 4
        given = [fcntl.fcntl(number, fcntl.F_DUPFD, 10) for number in (theirs, ours)]
        self.process = subprocess.Popen(
            [CHROMIUM, *OPTIONS.split(), f"--user-data-dir={self.folder.name}", "about:blank"],
            close_fds=False,
            preexec_fn=lambda: [os.dup2(number, place) for number, place in zip(given, (3, 4), strict=True)],
            stderr=subprocess.DEVNULL,
        )
        for number in (theirs, ours, *given):
            os.close(number)
        self.numbers, self.left, self.session = itertools.count(1), b"", None
        (target,) = [t for t in self.say("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.say("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]

    def say(self, method, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def next_message(self):
        while b"\0" not in self.left:
            part = os.read(self.into, 1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self.left += part
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)

    def value(self, script):
        """What a JavaScript expression gives."""
        return self.say("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait(self, script, seconds=60):
        """The expression's value as soon as it is true."""
        end = time.monotonic() + seconds
        while not (found := self.value(script)):
            if time.monotonic() > end:
                raise TimeoutError(f"still not true after {seconds} s: {script}")
            time.sleep(0.1)
        return found

    def choose_file(self, selector, path):
        """Give a file to an input of the page."""
        root = self.say("DOM.getDocument")["root"]["nodeId"]
        node = self.say("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.say("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        self.folder.cleanup()
