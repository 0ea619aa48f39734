"""A file that is no checkpoint, half of one, or one of something else is refused in one line and never executed."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from recipes import record, run

from ocr import cli
from ocr.run import checkpoint


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], bytes]:
    """A good checkpoint in which something was changed."""

    def write(good: Path) -> bytes:
        content = checkpoint.read(good)
        change(content)
        return saved(content)

    return write


def saved(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


TRACE = Path("trace")
CASES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda _: b"", "no checkpoint that can be loaded safely"),
    "text": (lambda _: b"weights", "no checkpoint that can be loaded safely"),
    "random bytes": (lambda _: bytes(range(256)) * 40, "no checkpoint that can be loaded safely"),
    "a pickle": (lambda _: pickle.dumps(Bomb(TRACE), protocol=2), "no checkpoint that can be loaded safely"),
    "a torch file that runs code": (lambda _: saved(Bomb(TRACE)), "no checkpoint that can be loaded safely"),
    "half": (lambda good: good.read_bytes()[:-5000], "or only a part of one"),
    "other weights": (lambda _: saved({"weight": torch.zeros(3)}), "no checkpoint of this project"),
    "a tensor": (lambda _: saved(torch.zeros(3)), "no checkpoint of this project"),
    "of the future": (changed(lambda c: c["ocr"].update(format=99)), "has checkpoint format 99, this version reads 1"),
    "without weights": (changed(lambda c: c.pop("state_dict")), "damaged checkpoint"),
    "without a network": (changed(lambda c: c["ocr"].pop("network")), r"damaged checkpoint \(network\)"),
    "of another width": (changed(lambda c: c["ocr"]["network"]["feat"].update(channels=64)), "do not fit the network"),
    "that names a command": (
        changed(lambda c: c["ocr"].update(network={"_target_": "ocr.reader.os.system", "command": "touch trace"})),
        "not allowed",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_checkpoint_is_loaded_from(
    case: str, tiny_recognizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, expected = CASES[case]
    monkeypatch.chdir(tmp_path)
    Path("a.ckpt").write_bytes(content(tiny_recognizer))
    with pytest.raises(ValueError, match=expected) as caught:
        checkpoint.deployable("a.ckpt")
    assert str(caught.value).startswith("a.ckpt")
    assert "\n" not in str(caught.value)
    assert not TRACE.exists(), "the file was executed"


def test_a_checkpoint_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "a.ckpt"):
        with pytest.raises(ValueError, match=f"checkpoint not found: {path}"):
            checkpoint.read(path)


def test_the_other_task_is_refused(tiny_recognizer: Path, tiny_detector: Path, tiny_root: Path) -> None:
    with pytest.raises(ValueError, match="is a recognition checkpoint, a detection one is needed here"):
        checkpoint.detector(tiny_recognizer)
    with pytest.raises(ValueError, match="is a detection checkpoint, a recognition one is needed here"):
        checkpoint.recognizer(tiny_detector)


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"nothing")
    assert cli.main(["evaluate", str(tmp_path / "a.ckpt"), "data=icdar"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_starts_from_the_weights_it_is_given(
    tiny_root: Path, tiny_recognizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = ["optim.lr=0", "optim.weight_decay=0", f"init={tiny_recognizer}"]
    run(tiny_root, tmp_path / "same", "crnn", *still)
    given, kept = (checkpoint.weights(checkpoint.read(p)) for p in (tiny_recognizer, tmp_path / "same/run/last.ckpt"))
    for name in given:
        if "running" not in name and "num_batches" not in name:  # statistics move without a learning rate
            assert torch.equal(given[name], kept[name]), name
    assert "init=" in capsys.readouterr().out
    source = record(tmp_path / "same/run").init
    assert source is not None
    assert source["config_hash"] == record(tiny_recognizer.parent).config_hash
    # another charset needs another last layer, which keeps the rows of the characters it shares
    run(tiny_root, tmp_path / "other", "crnn", *still, "charset=digits_lower")
    said = capsys.readouterr().out
    assert "rows kept by character in pred.linear.weight, pred.linear.bias" in said
    assert "kept 37: [blank] 0 1 2" in said
    assert "left out 58: A B C" in said
    with pytest.raises(ValueError, match="no weight of it fits this model"):
        run(tiny_root, tmp_path / "none", "craft-strong", f"init={tiny_recognizer}")
