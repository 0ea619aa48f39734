"""The command line: unions, presets, sweeps, one-line errors, and the promise that torch is imported late."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ocr.config import CONF, build, compose_config, identity_hash, keys_of, names_in, plain

ROOT = CONF.parent
RECOGNISERS = [m for m in names_in("model") if not m.startswith("craft")]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        cwd=ROOT,
        timeout=120,
    )


# --- unions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", list(itertools.permutations(["mjsynth", "synthtext", "words"])))
def test_a_union_holds_its_parts_in_any_order(parts: tuple[str, ...]) -> None:
    config = compose_config(["model=crnn", f"data={'+'.join(parts)}"])
    assert list(config.data.sources) == list(parts)
    for name in parts:
        alone = compose_config(["model=crnn", f"data={name}"])
        assert config.data.sources[name] == alone.data.sources[name]


def test_parts_can_be_overridden() -> None:
    config = compose_config(["model=craft", "data=synthtext+icdar2015", "data.sources.icdar2015.weight=2"])
    assert config.data.sources.icdar2015.weight == 2
    assert config.data.sources.synthtext.weight == 1


def test_a_union_takes_several_sets_of_ones_own() -> None:
    overrides = [f"+source@data.sources.{n}=detection/scenes" for n in ("shop", "till")]
    config = compose_config(["model=craft", "data=rendered_mixed", *overrides, "data.sources.till.set=receipts"])
    assert list(config.data.sources) == ["rendered_mixed", "shop", "till"]
    assert [config.data.sources[n].set for n in ("shop", "till")] == ["scenes", "receipts"]


def test_one_name_means_scenes_for_a_detector_and_crops_for_a_recogniser() -> None:
    scenes = compose_config(["model=craft", "data=synthtext"])
    crops = compose_config(["model=crnn", "data=synthtext"])
    assert (scenes.task, crops.task) == ("detection", "recognition")
    assert scenes.data.sources.synthtext.set == crops.data.sources.synthtext.set == "synthtext"


def test_icdar_is_another_name_for_icdar2015() -> None:
    short, long = (compose_config(["model=craft", f"data=synthtext+{name}"]) for name in ("icdar", "icdar2015"))
    assert short == long


def test_the_command_line_prints_the_union_without_running() -> None:
    shown = command("--cfg", "job", "model=craft", "data=icdar+synthtext").stdout
    assert shown.index("icdar2015:") < shown.index("synthtext:")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("data=synth", "data=synthtext"), ("data=mjsynth+syn", "data=mjsynth+synthtext"), ("model=cr", "model=crnn")],
)
def test_tab_completion(typed: str, offered: str) -> None:
    line = f"python train.py {typed}"
    done = command("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line)))
    assert offered in done.stdout.split(), done.stdout + done.stderr


# --- presets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", RECOGNISERS)
@pytest.mark.parametrize("debug", ["none", "fast", "overfit"])
def test_every_recogniser_preset_composes_and_resolves(model: str, debug: str) -> None:
    settings = plain(compose_config([f"model={model}", f"debug={debug}"]))
    assert settings["task"] == "recognition"
    assert set(settings["data"]["sources"]) == {"mjsynth", "synthtext"}
    assert settings["length"]["max_steps"] % settings["length"]["val_every"] == 0


@pytest.mark.parametrize("experiment", names_in("experiment"))
def test_every_experiment_composes(experiment: str) -> None:
    settings = plain(compose_config([f"experiment={experiment}"]))
    assert settings["length"]["max_steps"] % settings["length"]["val_every"] == 0


def test_every_cell_of_the_grid_builds_by_name() -> None:
    from ocr.run.folder import model_name

    names = set()
    for trans, feat, seq, pred in itertools.product(
        ("none", "tps"), ("vgg", "rcnn", "resnet"), ("none", "bilstm"), ("ctc", "attn")
    ):
        settings = plain(compose_config(["model=trba", f"trans={trans}", f"feat={feat}", f"seq={seq}", f"pred={pred}"]))
        names.add(build(settings["model"], "model").cell if feat == "vgg" else model_name(settings))
    assert len(names) == 24


def test_every_key_in_conf_has_a_comment() -> None:
    """A key is explained on its line or on the line above; names of classes, defaults lists and bare parents explain themselves."""
    bare = []
    for path in sorted(CONF.rglob("*.yaml")):
        before, inside_hydra = "", False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            inside_hydra = line.startswith("hydra:") or (inside_hydra and (not line.strip() or line.startswith(" ")))
            key = re.match(r"\s*(\w+):( .*|$)", line)
            explained = "#" in line or before.lstrip().startswith("#")
            own = key and key.group(1) in ("_target_", "_partial_", "task", "defaults")
            if key and key.group(2).strip() and not (explained or own or inside_hydra):
                bare.append(f"{path.relative_to(CONF)}:{number}: {line.strip()}")
            before = line
    assert not bare


# --- one line for every mistake -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model=crfat"], r"model=crfat: there is no model named 'crfat'.*craft"),
        (["model=craft", "data=synthtxt"], r"data=synthtxt.*nearest: synthtext"),
        (["model=craft", "data=synthtext+icdr"], r"no data named 'icdr'.*icdar"),
        (["model=craft", "data=synthtext+synthtext"], r"names synthtext more than once"),
        (["model=craft", "lenght.max_steps=3"], r"lenght\.max_steps: there is no such key.*length"),
        (["model=craft", "length.max_step=3"], r"length\.max_step: .*nearest: length\.max_steps"),
        (["model=craft", "data.sources.icdar2015.wieght=3"], r"wieght.*nearest: data\.sources\.icdar2015\.weight"),
        (["model=trba", "feat=resnte"], r"no feat named 'resnte'.*resnet"),
        (["model=craft", "data=synthtext+mjsynth"], r"data=mjsynth: mjsynth has nothing for detection.*icdar2015"),
        (["model=craft", "trainer=gpus"], r"no trainer named 'gpus'.*gpu"),
    ],
)
def test_a_mistake_gets_one_line_with_the_place_and_the_nearest_names(overrides: list[str], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        compose_config(overrides)
    assert "\n" not in str(caught.value)


def test_the_command_prints_that_line_and_nothing_else() -> None:
    done = command("model=crfat")
    assert done.returncode == 2
    line = done.stderr.strip()
    assert line.startswith("error: model=crfat")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"_target_": "subprocess.run", "args": "ls"}, r"not allowed"),
        ({"_target_": "ocr.reader.os.system", "command": "true"}, r"not allowed"),
        ({"_target_": "ocr.detection.craft.torch.load", "f": "x"}, r"not allowed"),
        ({"_target_": "ocr.detection.craft.CRAFTT"}, r"does not exist; nearest: CRAFT"),
        ({"_target_": "ocr.detection.kraft.CRAFT"}, r"does not exist; nearest: craft"),
        ({"_target_": "ocr.detection.craft.CRAFT", "widht": 1.0}, r"CRAFT takes no argument 'widht'; nearest: width"),
        (
            {"_target_": "torch.optim.Adam", "_partial_": True, "weigth_decay": 1.0},
            r"weigth_decay.*nearest: weight_decay",
        ),
        ({"width": 1.0}, r"no _target_"),
        ({"_target_": "ocr.metrics.words.WordProtocol"}, r"needs name"),
        ({"_target_": "ocr.metrics.archives.write_texts", "path": "x.zip", "texts": {}}, r"is not allowed"),
        ({"_target_": "ocr.metrics.archives.os.system", "command": "true"}, r"is not allowed"),
        ({"_target_": "ocr.metrics.words.WordProtocol.__init__"}, r"is not allowed"),
        ({"_target_": "ocr.metrics.words.WordProtocol.score"}, r"is not allowed|does not exist"),
        ({"_target_": ["ocr.charset.Charset"]}, r"is not allowed"),
        ({"_target_": "torch.optim.swa_utils.get_ema_avg_fn"}, r"is not allowed"),
        ({"_target_": "ocr.charset.Charset", "characters": 5}, r"Charset takes no such arguments \(TypeError"),
    ],
)
def test_build_names_the_node_the_class_and_what_it_accepts(node: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        build(node, where="model")
    assert str(caught.value).startswith("model")
    assert "\n" not in str(caught.value)


def test_nested_nodes_are_built_and_partials_stay_partial() -> None:
    from functools import partial

    charset = {"_target_": "ocr.charset.Charset.from_spec", "spec": "digits_lower"}
    made = build({"_target_": "ocr.recognition.pred.CTC", "_partial_": True, "charset": charset})
    assert isinstance(made, partial)
    assert len(made.keywords["charset"]) == 36


# --- what the hash sees, and how fast an answer comes -------------------------------------------------------------------


def test_the_identity_hash_sees_what_is_computed_and_nothing_else() -> None:
    base = plain(compose_config(["model=crnn"]))
    assert identity_hash(base) == identity_hash(plain(compose_config(["model=crnn", "runs=elsewhere", "logger=wandb"])))
    for other in ("seed=2", "optim.lr=0.5", "root=data/demo", "data=mjsynth", "pred=attn", "length.max_steps=2000"):
        assert identity_hash(base) != identity_hash(plain(compose_config(["model=crnn", other]))), other


def test_every_key_of_the_composed_config_is_known_to_the_error_messages() -> None:
    config = compose_config(["model=craft"])
    keys = set(keys_of(config))
    assert {"length.max_steps", "data.sources.synthtext.weight", "model.width"} <= keys
    assert all(OmegaConf.select(config, k, throw_on_missing=False, default="x") is not ... for k in keys)


def test_help_and_completion_do_not_import_torch() -> None:
    code = "import sys, train; sys.exit('torch' in sys.modules or 'pytorch_lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    done = command("--help")
    assert done.returncode == 0
    for wanted in ("model:", "data:", "a,b,c", "--cfg job", "max_steps"):
        assert wanted in done.stdout, done.stdout


def test_conf_is_where_the_package_says() -> None:
    assert Path(CONF / "config.yaml").is_file()
