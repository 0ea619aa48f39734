from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from recognition_cells import build_cell, word_picture
from torch.utils.data import DataLoader

from ocr.charset import Charset
from ocr.config import build
from ocr.recognition.module import RecognitionModule
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.samples import WordEncoder, collate_pixels, fit, normalise
from ocr.types import Word, WordBatch

WORDS = ["apple", "Bread", "42nd", "zoo", "Hello", "moon7", "x", "queue"]
NETWORK_CONFIG = {
    "_target_": "ocr.recognition.four_stage.FourStage",
    "charset": {"_target_": "ocr.charset.Charset.from_spec", "spec": "digits_lower"},
    "trans": {"_target_": "ocr.recognition.trans.NoTransformation", "_partial_": True},
    "feat": {"_target_": "ocr.recognition.feat.VGG", "_partial_": True, "channels": 64},
    "seq": {"_target_": "ocr.recognition.seq.NoSequence", "_partial_": True},
    "pred": {"_target_": "ocr.recognition.pred.CTC", "_partial_": True},
}


def pictures():
    return [word_picture(text) for text in WORDS]


def exact_matches(pairs):
    right = [text.lower() == reading.text for text, reading in pairs]
    return SimpleNamespace(word_accuracy=float(np.mean(right)), ned=0.5)


def learn_by_heart(network, steps):
    images = normalise(collate_pixels([fit(p, 32, 100, network.channels) for p in pictures()]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(steps):
        loss = network.loss(images, WORDS)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()


@pytest.mark.parametrize("cell", ["None-VGG-None-CTC", "None-VGG-None-Attn"])
def test_eight_words_are_learnt_by_heart_in_seconds(cell):
    torch.manual_seed(0)
    network = build_cell(cell, hidden=64)
    learn_by_heart(network, 120)
    readings = Recognizer(network, batch_size=3).read(pictures())
    assert [r.text for r in readings] == [w.lower() for w in WORDS]
    assert min(r.confidence for r in readings) > 0.5
    assert all(len(r.characters) == len(r.text) for r in readings)


def test_readings_keep_their_order_and_do_not_depend_on_the_batch():
    torch.manual_seed(0)
    network = build_cell("None-VGG-None-CTC")
    generator = np.random.default_rng(0)
    images = [
        generator.integers(0, 256, (h, w, 3), dtype=np.uint8)
        for h, w in [(1, 1), (20, 300), (90, 40), (32, 100), (31, 77)]
    ]
    together = Recognizer(network, batch_size=5).read(images)
    alone = [Recognizer(network).read([image])[0] for image in images]
    assert [r.text for r in together] == [r.text for r in alone]
    np.testing.assert_allclose([r.confidence for r in together], [r.confidence for r in alone], rtol=1e-4)
    assert Recognizer(network).read([]) == []


def test_reading_leaves_the_network_as_it_was():
    network = build_cell("None-VGG-None-CTC").train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    Recognizer(network, precision="bf16").read(pictures()[:2])
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_keeping_the_ratio_shows_the_network_another_picture():
    torch.manual_seed(0)
    network = build_cell("None-VGG-None-CTC")
    image = [word_picture("apple", 32, 40)]
    stretched, kept = (Recognizer(network, keep_ratio=k).read(image)[0].confidence for k in (False, True))
    assert stretched != kept


@pytest.mark.parametrize(
    ("arguments", "message"), [({"precision": "int8"}, "fp32 or bf16"), ({"batch_size": 0}, "batch_size is 0")]
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Recognizer(build_cell("None-VGG-None-CTC"), **arguments)


def recognition_module(**arguments):
    torch.manual_seed(0)
    return RecognitionModule(
        build(NETWORK_CONFIG),
        NETWORK_CONFIG,
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=3e-3),
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
        scorer=exact_matches,
        **arguments,
    )


@pytest.mark.parametrize("pieces", [2, 3])
def test_a_batch_of_words_in_pieces_learns_what_the_whole_learns_and_is_padded_less(pieces):
    losses, gradients, computed = [], [], []
    for count in (1, pieces):
        module = recognition_module(variable_width=True, pieces=count)
        # statistics of a batch are its pieces' own
        module.network.eval()
        module.network.feat.register_forward_pre_hook(lambda _, inputs: computed.append(inputs[0].shape))
        encoder = WordEncoder(module.network.codec, variable_width=True)
        words = [
            Word(p[:, : 40 + 30 * (i % 3)], t, str(i)) for i, (p, t) in enumerate(zip(pictures(), WORDS, strict=True))
        ]
        batch = encoder.collate([encoder.train(word, None) for word in words])
        module.log = lambda *_, **__: None
        loss = module.training_step(batch, 0)
        loss.backward()
        losses.append(loss.item())
        gradients.append([p.grad for p in module.network.parameters()])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-3)
    whole, *parts = (batch * width for batch, _, _, width in computed)
    assert sum(parts) < 0.9 * whole


def test_no_pieces_are_refused():
    with pytest.raises(ValueError, match=r"module.pieces is 0: a batch goes through the network in one part or more"):
        recognition_module(pieces=0)


def trainer(tmp_path, **arguments):
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(accelerator="cpu", default_root_dir=tmp_path, num_sanity_val_steps=0, **quiet, **arguments)


def loaders(network):
    encoder = WordEncoder(network.codec)
    words = [Word(p, t, f"toy/{i}") for i, (p, t) in enumerate(zip(pictures(), WORDS, strict=True))]
    items = [encoder.train(word, np.random.default_rng(0)) for word in words]
    return DataLoader(items, batch_size=8, collate_fn=encoder.collate), DataLoader(words, batch_size=4, collate_fn=list)


def test_a_checkpoint_is_enough_to_read_again(tmp_path):
    module = recognition_module(keep_ratio=True, batch_size=5, tall="rotate")
    training, validation = loaders(module.network)
    run = trainer(tmp_path, max_steps=3, check_val_every_n_epoch=3)
    run.fit(module, training, validation)
    assert set(run.callback_metrics) >= {"train/loss", "val/word_accuracy", "val/ned"}
    assert run.callback_metrics["val/ned"] == 0.5
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(3e-3 / 4), "the schedule ticks once a step"
    run.save_checkpoint(tmp_path / "run.ckpt")

    content = torch.load(tmp_path / "run.ckpt", weights_only=True)
    ours = content["ocr"]
    assert (ours["format"], ours["task"]) == (1, "recognition")
    assert ours["network"]["charset"] == {
        "_target_": "ocr.charset.Charset",
        "characters": Charset.from_spec("digits_lower").characters,
        "lower": True,
        "unknown": "drop",
    }
    network = build(ours["network"])
    prefix = ours["weights"]
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    )
    again = Recognizer(network, **ours["inference"])
    assert (again.keep_ratio, again.batch_size, again.precision) == (True, 5, "fp32")
    assert (again.variable_width, again.tall) == (False, "rotate")
    assert again.read(pictures()) == module.deployable().read(pictures())


def test_validation_scores_every_word_once(tmp_path):
    module = recognition_module()
    seen = []
    module.scorer = lambda pairs: seen.append(list(pairs)) or exact_matches(pairs)
    _, validation = loaders(module.network)
    for _ in range(2):
        trainer(tmp_path).validate(module, validation, verbose=False)
    assert [[text for text, _ in pairs] for pairs in seen] == [WORDS, WORDS]


def test_a_loss_that_is_no_number_names_the_batch():
    module = recognition_module()
    torch.nn.init.constant_(module.network.pred.linear.weight, float("nan"))
    batch = WordBatch(torch.zeros(10, 1, 32, 100, dtype=torch.uint8), ["a"] * 10, [f"set/{i}" for i in range(10)])
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step 0, batch of set/0, .*set/7 and 2 more"):
        module.training_step(batch, 0)
