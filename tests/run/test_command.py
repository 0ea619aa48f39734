"""``python train.py`` as people run it: exit status, what it prints, sweeps, debug presets, pipes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from recipes import SCENES, WORDS, command, record, start

from ocr.config import CONF

NARROW = [o for o in WORDS if not o.startswith("charset")]
SMALL = ["feat.channels=16", "trainer.threads=1"]


def places(root: Path, runs: Path) -> list[str]:
    return [f"root={root}", f"runs={runs}"]


def test_a_sweep_ends_with_one_table_and_a_failing_run_does_not_stop_it(tiny_root: Path, tmp_path: Path) -> None:
    cells = ["model=rosetta", *NARROW, "loader.workers=0", "pred=ctc,attn", "trainer=cpu,ddp"]
    status, output, errors = command("-m", *cells, *places(tiny_root, tmp_path))
    assert (status, errors.strip()) == (1, "error: 2 of 4 runs failed"), output + errors
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines.count("4 runs") == 1
    table = lines[lines.index("4 runs") :]
    for name in ("None-ResNet-None-CTC", "None-ResNet-None-Attn"):
        rows = [line for line in table if line.startswith(f"│ {name}")]
        assert sorted("finished" in row for row in rows) == [False, True]
        assert sorted("trainer=ddp" in row for row in rows) == [False, True]
    assert all("rendered" in row and "word_accuracy" in row for row in table if "finished" in row)
    reasons = [line for line in table if "trainer=ddp inside a sweep: every process would compose its own job" in line]
    assert len(reasons) == 2
    # the tree of the config is printed for the first job only
    assert output.count("\ntask: recognition\n") == 1
    assert sorted(r.status for r in map(record, tmp_path.glob("None-*"))) == ["finished", "finished"]


def test_a_run_prints_what_differs_then_the_config_then_its_data_and_nothing_of_its_libraries(
    tiny_root: Path, tmp_path: Path
) -> None:
    status, output, errors = command(
        "model=crnn",
        "debug=fast",
        "data=mjsynth+synthtext",
        *SMALL,
        *places(tiny_root, tmp_path),
        environment={"PYTHONWARNINGS": "default"},
    )
    assert (status, errors) == (0, "")
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines[0].startswith(f"{tmp_path}/debug/None-VGG-BiLSTM-CTC-mjsynth+synthtext-s1-")
    order = ["differs from model=crnn:", "  length.max_steps: 2, was 300000", "model:", "training data"]
    assert sorted(order, key=lines.index) == order
    for name in ("mjsynth", "synthtext"):
        row = next(line for line in lines if line.startswith(f"{name} "))
        assert "rendered stand-in" in row
    assert "step 2/2  validation: word_accuracy" in output
    assert lines[-1].startswith("finished in 0:0")
    assert "best.ckpt" in lines[-1]


def test_a_wrong_set_is_one_message_and_status_1(tmp_path: Path) -> None:
    status, output, errors = command("model=craft", "data=synthtext+icdar", *places(tmp_path, tmp_path), *SMALL[1:])
    assert status == 1
    assert errors.startswith("error: detection set synthtext, split train, is not there")
    assert len(errors.splitlines()) == 3
    assert "Traceback" not in output + errors


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job", "model=craft"]])
def test_a_reader_that_leaves_early_is_no_error(arguments: list[str]) -> None:
    script = f"{sys.executable} {CONF.parent / 'train.py'} {' '.join(arguments)} | head -c 10"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert len(done.stdout) == 10
    assert done.stderr == ""


def test_a_training_whose_reader_leaves_ends_quietly_and_can_go_on(tiny_root: Path, tmp_path: Path) -> None:
    arguments = ["model=crnn", *NARROW, "progress=true", "name=run", "loader.workers=0", *places(tiny_root, tmp_path)]
    process = start(*arguments, "length.max_steps=30000", "length.val_every=10")
    assert process.stdout is not None
    for line in process.stdout:
        if "  validation: " in line:
            break
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    assert process.wait(timeout=120) == 141
    assert errors == ""
    assert record(tmp_path / "run").status == "interrupted"


def test_overfit_learns_eight_words(tiny_root: Path, tmp_path: Path) -> None:
    narrow = ["model=crnn", "seq=none", "feat.channels=64", "trainer.threads=1", "optim.lr=0.002"]
    status, output, errors = command("debug=overfit", "data=mjsynth+synthtext", *narrow, *places(tiny_root, tmp_path))
    assert status == 0, output + errors
    (folder,) = (tmp_path / "debug").iterdir()
    score = record(folder).score
    assert score is not None
    assert score >= 0.99


def test_overfit_fails_where_nothing_is_learnt_and_does_so_again(tiny_root: Path, tmp_path: Path) -> None:
    still = ["optim.lr=0", "length.max_steps=2", "length.val_every=2", "model=crnn", "data=mjsynth", *SMALL]
    for _ in range(2):
        status, _, errors = command("debug=overfit", *still, *places(tiny_root, tmp_path))
        assert status == 1
        assert errors.strip() == "error: debug=overfit: word_accuracy 0.000 < 0.99 on 8 samples: it does not learn"


@pytest.mark.slow
def test_overfit_learns_two_scenes(tiny_root: Path, tmp_path: Path) -> None:
    narrow = ["model=craft", "model.width=0.125", "encoder.size=192", "overfit=2", "loader.batch_size=2"]
    status, output, errors = command(
        "debug=overfit", "data=synthtext", *narrow, "trainer.threads=1", "optim.lr=0.002", *places(tiny_root, tmp_path)
    )
    assert status == 0, output + errors
    (folder,) = (tmp_path / "debug").iterdir()
    score = record(folder).score
    assert score is not None
    assert score >= 0.99


@pytest.mark.slow
def test_the_main_detector_command_runs_and_repeats_at_once(tiny_root: Path, tmp_path: Path) -> None:
    arguments = ["model=craft", "data=synthtext+icdar", "debug=fast", *places(tiny_root, tmp_path)]
    status, output, errors = command(*arguments)
    assert (status, errors) == (0, ""), output
    (folder,) = (tmp_path / "debug").iterdir()
    assert folder.name.startswith("CRAFT-synthtext+icdar2015-s1-")
    status, output, _ = command(*arguments)
    assert status == 0
    assert output.startswith(f"{folder} is finished: hmean ")
    assert len(output.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_grid_runs(tiny_root: Path, tmp_path: Path) -> None:
    grid = ["trans=none,tps", "feat=vgg,rcnn,resnet", "seq=none,bilstm", "pred=ctc,attn"]
    arguments = ["model=trba", "data=mjsynth+synthtext", *grid, "debug=fast", *places(tiny_root, tmp_path)]
    try:
        status, output, errors = command("-m", *arguments)
        assert (status, errors) == (0, ""), output[-3000:]
        assert "24 runs" in [line.rstrip() for line in output.splitlines()]
        records = [json.loads(p.read_text()) for p in tmp_path.rglob("run.json")]
    finally:
        shutil.rmtree(tmp_path)  # gigabytes of checkpoints
    assert len({r["model"] for r in records}) == 24
    assert {r["status"] for r in records} == {"finished"}


@pytest.mark.slow
def test_two_processes_train_one_model_and_write_once(tiny_root: Path, tmp_path: Path) -> None:
    for recipe in (["model=crnn", *WORDS], [*SCENES, "data=synthtext"]):
        two = ["trainer=ddp", "trainer.accelerator=cpu", "name=run", "loader.workers=0", *places(tiny_root, tmp_path)]
        status, output, errors = command(*recipe, *two, "progress=true")
        assert (status, errors) == (0, ""), output + errors
        folder = tmp_path / "run"
        assert output.count("finished in") == 1
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert [r["step"] for r in rows if "lr" in r] == [1, 2, 3, 4, 5, 6]
        assert record(folder).device.startswith("2 x cpu")
        assert len(record(folder).attempts) == 1
        shutil.rmtree(folder)


@pytest.mark.slow
def test_ctrl_c_stops_two_processes_together(tiny_root: Path, tmp_path: Path) -> None:
    two = ["trainer=ddp", "trainer.accelerator=cpu", "name=run", "loader.workers=0", *places(tiny_root, tmp_path)]
    arguments = ["model=crnn", *WORDS, *two, "length.max_steps=30000", "length.val_every=10", "progress=true"]
    process = start(*arguments, start_new_session=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "  validation: " in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, output + errors
    assert errors.count("interrupted: step ") == 1
    assert "Traceback" not in errors
    step = record(tmp_path / "run").steps
    assert f"step {step} is saved" in errors
