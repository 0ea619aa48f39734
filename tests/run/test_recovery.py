"""A checkpoint whose bytes are not those that were written is noticed, and the one before it is used."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from recipes import assert_same, assert_same_run, record, run
from rich.console import Console
from test_resume import interrupt_at

from ocr.run import checkpoint
from ocr.run.checksum import damage
from ocr.run.recovery import take_up


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.unlink()  # other names of the file stay whole
    path.write_bytes(content)


def test_a_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    content = {"weights": torch.arange(300.0), "step": 7, "text": "last"}
    torch.save(content, tmp_path / "whole")
    assert damage(tmp_path / "whole") is None
    places = np.random.default_rng(1).choice((tmp_path / "whole").stat().st_size, 150, replace=False)
    noticed = 0
    for place in places:
        shutil.copy(tmp_path / "whole", tmp_path / "a")
        flip(tmp_path / "a", place)
        if damage(tmp_path / "a") is not None:
            noticed += 1
            continue
        try:
            loaded = torch.load(tmp_path / "a")
        except RuntimeError:
            continue
        assert_same(loaded, content)  # it was padding, or the time in a header
    assert noticed > 60
    flip(tmp_path / "whole", (tmp_path / "whole").read_bytes().index(torch.tensor(77.0).numpy().tobytes()))
    assert not torch.equal(torch.load(tmp_path / "whole")["weights"], content["weights"]), (
        "torch looks for itself by now"
    )
    assert damage(tmp_path / "whole") == "the checksum of its record whole/data/0 is wrong"


def test_a_run_whose_last_checkpoint_is_damaged_goes_on_from_the_one_before(
    tiny_root: Path,
    tiny_recognizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(5, patch)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_root, tmp_path, "crnn")
    last = tmp_path / "run/last.ckpt"
    flip(last, last.stat().st_size // 2)
    capsys.readouterr()
    run(tiny_root, tmp_path, "crnn")
    printed = capsys.readouterr().out
    assert "last.ckpt is damaged (the checksum of its record" in printed
    assert "going on from previous.ckpt, step 4" in printed
    assert_same_run(tiny_recognizer.parent, tmp_path / "run")
    assert {p.name for p in (tmp_path / "run").glob("*.ckpt")} == {"last.ckpt", "best.ckpt"}
    found = record(tmp_path / "run")
    assert found.resume["compared"] == 1
    assert found.resume["difference"] == 0
    assert found.disk_mb is not None
    assert 0.5 < found.disk_mb < 5


@pytest.mark.parametrize(
    ("broken", "taken", "said"),
    [
        ([], "last", ""),
        (
            ["last"],
            "previous",
            "last.ckpt is damaged (it cannot be read to its end, BadZipFile): going on from previous",
        ),
        (["last", "previous"], "best", "going on from best.ckpt, step 6"),
        (["-last"], "previous", "last.ckpt is missing: going on from previous.ckpt, step 6"),
    ],
)
def test_the_newest_whole_checkpoint_is_taken(
    tiny_recognizer: Path, tmp_path: Path, broken: list[str], taken: str, said: str
) -> None:
    last = tiny_recognizer.with_name("last.ckpt")
    for name in ("last", "previous", "best"):
        shutil.copy(last, tmp_path / f"{name}.ckpt")
    for name in broken:
        path = tmp_path / f"{name.lstrip('-')}.ckpt"
        path.write_bytes(path.read_bytes()[:-100])
        if name.startswith("-"):
            path.unlink()
    console = Console(record=True, width=500)
    content = take_up(tmp_path, console)
    assert content is not None
    assert content["global_step"] == 6
    assert damage(tmp_path / "last.ckpt") is None
    printed = console.export_text()
    assert said in printed
    assert printed.count("\n") == bool(said)
    assert taken in ("last", "previous", "best")


def test_nothing_to_go_on_from(tiny_recognizer: Path, tmp_path: Path) -> None:
    assert take_up(tmp_path, Console()) is None
    for name in ("last", "previous"):
        (tmp_path / f"{name}.ckpt").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"no checkpoint in .* is whole .* move these files away to start anew"):
        take_up(tmp_path, Console())
    with pytest.raises(ValueError, match="or only a part of one"):
        checkpoint.read(tmp_path / "last.ckpt")
