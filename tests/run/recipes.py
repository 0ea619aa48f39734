"""Toy-size runs of every kind that must resume exactly, as command-line overrides."""

LENGTH = ["length.max_steps=6", "length.val_every=3", "length.save_every=1", "length.log_every=1"]
COMMON = [*LENGTH, "trainer.threads=1", "optim=adamw", "schedule=one_cycle", "progress=false", "optim.lr=0.001"]
WORDS = [*COMMON, "data=mjsynth", "loader.batch_size=4", "feat.channels=32", "charset=full94"]
SCENES = [*COMMON, "model=craft", "model.width=0.0625", "encoder.size=96", "loader.batch_size=2", "module.long_side=192"]
RECIPES = {
    "crnn": ["model=crnn", *WORDS, "seq.hidden=16", "augment=words"],
    "attention": ["model=rare", *WORDS, "seq.hidden=16", "pred.hidden=16"],
    "craft-strong": [*SCENES, "data=synthtext"],
    "craft-weak": [*SCENES, "data=synthtext+icdar2015", "data.sources.icdar2015.weight=1"],
}
