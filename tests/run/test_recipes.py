"""Three recipes on one engine: what each fixes, what its name says in rows, and what runs leave."""

from pathlib import Path
from typing import Any

import pytest
import torch
from recipes import record, run

from ocr.config import compose_config, plain
from ocr.run import checkpoint
from ocr.run.evaluate import evaluate_checkpoint
from ocr.run.recipe import recipe_label
from ocr.terminal import console

TINY = ["length.max_steps=4", "length.val_every=2", "length.log_every=1", "trainer.threads=1", "charset=full94"]
SMALL = ["model=crnn", "feat.channels=32", "seq.hidden=16", "progress=false"]


def composed(*overrides: str) -> dict[str, Any]:
    settings: dict[str, Any] = plain(compose_config(["model=trba", *overrides]))
    return settings


@pytest.mark.parametrize("recipe", ["paper", "dtrb"])
def test_the_published_recipes(recipe: str) -> None:
    settings = composed(f"recipe={recipe}")
    assert settings["recipe"] == recipe
    assert settings["optim"] == {
        "_target_": "torch.optim.Adadelta",
        "_partial_": True,
        "lr": 1.0,
        "rho": 0.95,
        "eps": 1e-8,
    }
    assert settings["schedule"]["_target_"] == "ocr.run.optim.constant"
    assert settings["augment"] == settings["encoder"]["augment"] == {}
    assert (settings["length"]["max_steps"], settings["length"]["clip"]) == (300_000, 5.0)
    assert (settings["loader"]["batch_size"], settings["trainer"]["precision"]) == (192, "32-true")
    assert settings["model"]["initialisation"] == "he"
    assert settings["module"]["ema_decay"] is None
    assert settings["loader"]["exact_quotas"] is (recipe == "dtrb")
    assert [s["weight"] for s in settings["data"]["sources"].values()] == [None, None]


def test_the_modern_recipe() -> None:
    settings = composed("recipe=modern")
    assert settings["optim"]["_target_"] == "torch.optim.AdamW"
    assert settings["schedule"]["_target_"] == "ocr.run.optim.one_cycle"
    assert settings["schedule"]["steps"] == settings["length"]["max_steps"]
    assert settings["encoder"]["augment"]["_target_"] == "ocr.recognition.augment.WordAugmentation"
    for kind in ("perspective", "affine", "blur", "noise", "compression", "colour"):
        assert settings["augment"][kind] > 0
    assert settings["module"]["ema_decay"] == 0.9999
    assert settings["trainer"]["precision"] == "auto"


def test_the_trainer_and_the_command_line_have_the_last_word() -> None:
    settings = composed("recipe=paper", "trainer=gpu", "optim=adam", "optim.lr=0.5")
    assert (settings["trainer"]["accelerator"], settings["trainer"]["precision"]) == ("gpu", "32-true")
    assert (settings["optim"]["_target_"], settings["optim"]["lr"]) == ("torch.optim.Adam", 0.5)


@pytest.mark.parametrize(
    ("overrides", "label"),
    [
        ([], None),
        (["recipe=paper"], "paper"),
        (["recipe=dtrb", "data=mjsynth", "seed=3", "feat=vgg", "loader.workers=1"], "dtrb"),
        (["recipe=modern", "length.max_steps=20000"], "modern, changed: length.max_steps"),
        (["recipe=paper", "optim.lr=0.5", "augment=words"], "paper, changed: augment, optim.lr"),
        (["recipe=modern", "augment.blur=0", "optim=adam"], "modern, changed: augment.blur, optim"),
        (["recipe=modern", "augment=none", "trainer.precision=32-true"], "modern, changed: augment, trainer.precision"),
    ],
)
def test_the_label_never_hides_a_change(overrides: list[str], label: str | None) -> None:
    assert recipe_label(composed(*overrides)) == label


def test_a_run_says_its_recipe_in_every_row_and_deploys_the_average(tiny_root: Path, tmp_path: Path) -> None:
    run_with = [*SMALL, *TINY, "data=mjsynth+synthtext", "recipe=modern", "loader.batch_size=4", "loader.workers=0"]
    from ocr.run.train import train

    train(compose_config([*run_with, f"root={tiny_root}", f"runs={tmp_path}", "name=run"]))
    label = record(tmp_path / "run").recipe
    assert label == "modern, changed: loader.batch_size, length.max_steps"
    path = tmp_path / "run/best.ckpt"
    rows = evaluate_checkpoint(
        path, ["rendered_words_v1"], {"root": str(tiny_root), "protocol": CASE36}, None, console()
    )
    assert {row["recipe"] for row in rows} == {label}
    assert {row["first_weights"] for row in rows} == {"He initialisation"}
    content = checkpoint.read(path)
    state, deployed = content["state_dict"], checkpoint.weights(content)
    assert content["ocr"]["weights"] == "average.network."
    averaged = [k for k, v in deployed.items() if v.is_floating_point() and not torch.equal(v, state[f"network.{k}"])]
    assert len(averaged) > 10


CASE36 = {
    "_target_": "ocr.metrics.words.WordProtocol",
    "name": "case36",
    "keep": "ascii_alphanumeric",
    "lower": True,
    "drop_space": True,
}


def test_quotas_that_cannot_hold_are_one_line(tiny_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a batch of 5 cannot hold 2\.5 samples of a source"):
        run(tiny_root, tmp_path, "crnn", "data=mjsynth+synthtext", "loader.exact_quotas=true", "loader.batch_size=5")
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from ocr.recognition.four_stage import FourStage

    original, steps = FourStage.loss, []

    def broken(self: FourStage, *arguments: Any) -> torch.Tensor:
        loss: torch.Tensor = original(self, *arguments)
        steps.append(None)
        if len(steps) != 5:
            return loss
        if where == "gradient":
            loss.register_hook(lambda gradient: gradient * float("inf"))
            return loss
        return loss * float("nan")

    monkeypatch.setattr(FourStage, "loss", broken)
    with pytest.raises(
        ValueError, match=rf"the {where} is (nan|inf) at step 4, batch of mjsynth/train-\d+, "
    ) as caught:
        run(tiny_root, tmp_path, "crnn")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "run/last.ckpt") in str(caught.value)
    content = checkpoint.read(tmp_path / "run/last.ckpt")
    assert content["global_step"] == 4
    assert all(torch.isfinite(v).all() for v in content["state_dict"].values() if v.is_floating_point())
    assert record(tmp_path / "run").status == "failed"
