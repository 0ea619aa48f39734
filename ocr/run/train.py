"""One training run, from a composed config to a record on disk."""

from __future__ import annotations

import errno
import gc
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ocr import sweep
from ocr.config import Config, as_yaml, build, plain, set_names, sweep_job, unnamed_choices
from ocr.data.datamodule import DataModule
from ocr.pieces import Pieces
from ocr.run import checkpoint, hardware
from ocr.run.alarms.bell import Bell
from ocr.run.alarms.collapse import TeacherCollapse
from ocr.run.alarms.idle import IdleParameters
from ocr.run.alarms.memory import OutOfMemory
from ocr.run.alarms.not_finite import FAILURE, KeptState
from ocr.run.alarms.starvation import DataStarvation
from ocr.run.alarms.stuck import StuckLoss
from ocr.run.announce import show_config, show_data, show_end, show_repetition
from ocr.run.callbacks import FreedMemory, ReproducibleSteps, Rows, SkippedSamples
from ocr.run.data import data_module, unseen_sets
from ocr.run.ending import Ending
from ocr.run.evaluate import check_protocol, evaluate_checkpoint, open_sets
from ocr.run.folder import CONFIG, held, open_record, run_folder
from ocr.run.inspection import inspect, show_findings
from ocr.run.label_watch import LabelWatch
from ocr.run.logging import PREDICTIONS, Journal
from ocr.run.pictures import Pictures
from ocr.run.progress import ProgressLine
from ocr.run.ranks import LOST_CONTACT, Watch, follow, lost_contact, lost_line
from ocr.run.recipe import recipe_label
from ocr.run.record import RunRecord, Status, forget_peak_memory, leads, write_atomically
from ocr.run.recovery import take_up
from ocr.run.repetition import GPU_BOUND
from ocr.run.saving import Checkpoints, Interrupted, WholeFiles
from ocr.run.score_table import print_scores
from ocr.run.start import content_of, first_weights, initialise, initialise_encoder
from ocr.terminal import OutputClosed
from ocr.terminal import console as make_console

LEARNT = 0.99
"""The validation score that debug=overfit has to reach."""
UNWRITABLE = (
    errno.ENOSPC,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOTDIR,
    errno.EEXIST,
)
console = make_console()


def train(config: Config) -> float:
    """Train, validate and evaluate what a config describes; repeat a finished run and its score is returned at once.

    Raises:
        ValueError: one line on what is wrong with the config, the data or the disk.
        KeyboardInterrupt: asked to stop; everything is saved.
    """
    console.quiet = not leads()
    if not leads():
        follow()
    if config.get("task") is None:
        raise ValueError("no model is chosen; for example model=craft or model=trba")
    settings = plain(config)
    folder = run_folder(settings)
    sweep.note(folder, unnamed_choices())
    gc.collect()  # a trainer is full of cycles: the networks of a sweep's earlier runs would stay in memory
    forget_peak_memory()
    try:
        check(config)
        record = open_record(folder, settings)
        if record.status == "finished":
            console.print(
                f"{folder} is finished: {record.select} {record.score:.4f} (name=… makes another run)",
                highlight=False,
                soft_wrap=True,
            )
            return record.score or 0.0
        with held(folder):
            return _Run(config, settings, folder, record).go()
    except Interrupted as stop:
        if not leads():
            return 0.0  # Lightning kills all processes of a run when one of them fails
        raise KeyboardInterrupt(str(stop)) from stop
    except Exception as error:
        if not leads() and lost_contact(error):
            raise SystemExit(LOST_CONTACT) from error  # the process that leads says it once
        readable = _readable(error, folder)
        _tell(readable, folder)
        if readable is error:
            raise
        raise readable from error


def _readable(error: Exception, folder: Path) -> Exception:
    """A place that cannot be written, a number that is none, or a lost process as one line; any other error as it is."""
    if lost_contact(error):
        return ValueError(lost_line(folder))
    if isinstance(error, FloatingPointError):
        kept = [str(path) for path in (folder / checkpoint.LAST, folder / FAILURE) if path.exists()]
        verb = "is" if len(kept) == 1 else "are"
        return ValueError(f"{error}; {' and '.join(kept)} {verb} from before it" if kept else str(error))
    if not isinstance(error, OSError) or error.errno not in UNWRITABLE:
        return error
    return ValueError(
        f"cannot write {error.filename or folder} ({error.strerror}): make room there or choose another runs=…; "
        "what was saved before is untouched"
    )


def _tell(error: Exception, folder: Path) -> None:
    """Note the failure for the table of a sweep, which goes on; there, say at once what happened."""
    expected = isinstance(error, ValueError)
    sweep.failed(folder, str(error) if expected else f"{type(error).__name__}: {error}")
    if sweep_job() is not None:
        console.print(f"{folder} failed: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        if not expected:
            traceback.print_exception(error)


def check(config: Config) -> None:
    """Refuse what composes but cannot be meant.

    Raises:
        ValueError: one line.
    """
    if config.task == "detection":
        stages = [s for s in ("trans", "feat", "seq", "pred") if s in config]
        if stages:
            raise ValueError(
                f"{stages[0]}=…: a detector has no such stage; the four stages belong to recognisers such as model=trba"
            )
        if config.get("recipe"):
            raise ValueError(f"recipe={config.recipe}: the recipes train recognisers; model=craft brings its own")
    length = config.length
    counts = {f"length.{k}": length[k] for k in ("max_steps", "val_every", "save_every", "log_every")}
    for key, value in (counts | {"loader.batch_size": config.loader.batch_size}).items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{key}={value}: give a whole number from 1 on")
    if length.max_steps % length.val_every:
        raise ValueError(
            f"length.max_steps={length.max_steps} is no multiple of length.val_every={length.val_every}: "
            "the last steps would never be validated"
        )
    patience = length.get("patience")
    if patience is not None and (not isinstance(patience, int) or patience < length.val_every):
        raise ValueError(
            f"length.patience={patience}: give a number of steps from length.val_every={length.val_every} on, or null for none"
        )
    trainer = config.trainer
    if trainer.get("halve") and (trainer.devices != 1 or str(trainer.precision).startswith("16")):
        raise ValueError("trainer.halve=true is for one process in fp32 or bf16: leave it away, or take other values")
    hardware.check_device(plain(config.trainer), in_sweep=sweep_job() is not None)


@dataclass(slots=True)
class _Callbacks:
    """What happens around the steps, in this order: a row must be written before the checkpoint that promises it."""

    steps: ReproducibleSteps
    skipped: SkippedSamples
    rows: Rows
    pictures: Pictures
    labels: LabelWatch
    kept: KeptState
    memory: OutOfMemory
    stuck: StuckLoss
    idle: IdleParameters
    collapse: TeacherCollapse
    starvation: DataStarvation
    progress: ProgressLine | None
    checkpoints: Checkpoints
    ending: Ending
    freed: FreedMemory

    def in_order(self) -> list[pl.Callback]:
        alarms = (self.kept, self.memory, self.stuck, self.idle, self.collapse, self.starvation)
        every = (self.steps, self.skipped, self.rows, self.pictures, self.labels, *alarms, self.progress)
        return [callback for callback in (*every, self.checkpoints, self.ending, self.freed) if callback is not None]


def _place(content: dict[str, Any] | None) -> tuple[int, int, bool]:
    """Where a checkpoint stands: its step, that of the best score so far (-1: none), and whether the step has yet to be validated."""
    if content is None:
        return 0, -1, False
    state = content["callbacks"][Checkpoints.__qualname__]
    return int(content["global_step"]), int(state["best_step"]), bool(state.get("validation_due", False))


class _Run:
    """The attempt at a run that this process makes."""

    def __init__(self, config: Config, settings: dict[str, Any], folder: Path, record: RunRecord) -> None:
        self.config = config
        self.settings = settings
        self.folder = folder
        self.record = record
        self.began = time.perf_counter()
        self.last = folder / checkpoint.LAST

    def go(self) -> float:
        """Build everything, train, evaluate, record."""
        settings, record = self.settings, self.record
        show_config(self.config, self.folder, console)
        hardware.prepare_torch(settings["trainer"]["threads"], settings["seed"])
        self.protocol = build(settings["protocol"], "protocol")
        check_protocol(self.protocol, settings["task"])
        self.tests = self._test_sets()
        network = self._network()
        data = data_module(settings, network)
        record.recipe, record.first_weights = recipe_label(settings), first_weights(settings, record.init)
        record.data, record.max_steps = data.fingerprints(), settings["length"]["max_steps"]
        record.parameters = sum(p.numel() for p in network.parameters())
        show_data(data, console)
        self._inspect(data)
        module = self._module(network)
        if leads():
            checkpoint.remove_drafts(self.folder)
            write_atomically(self.folder / CONFIG, as_yaml(self.config, resolve=True))
        step, best_step, due = _place(take_up(self.folder, console))
        journal = Journal(self.folder, record.name, settings, **settings["logger"])
        journal.cut_back(step, due)
        callbacks = self._callbacks(journal, module.pieces)
        trainer = self._trainer(callbacks)
        record.device, record.precision = hardware.device_name(trainer), str(trainer.precision)
        journal.repetition.bound = 0.0 if trainer.strategy.root_device.type == "cpu" else GPU_BOUND
        self.repeated, self.journal = dict(record.resume), journal
        record.begin(self.folder, step)
        if step:
            console.print(f"resuming {self.last} at step {step}", highlight=False)
        try:
            if due or not callbacks.ending.reached(step, best_step):
                with Watch(trainer, self.folder, lambda line: self._lost(line, trainer.global_step, callbacks)):
                    trainer.fit(module, datamodule=data, ckpt_path=self.last if step else None, weights_only=True)
            show_repetition(journal.repetition, console)
            if leads():
                self._finish()
                callbacks.checkpoints.finish()
        except BaseException as error:
            told = callbacks.memory.explained(error)
            self._note_end(told or error, max(step, trainer.global_step), callbacks)
            if told is not None:
                raise told from error
            if isinstance(error, SystemExit):
                raise KeyboardInterrupt("interrupted before the first step") from error  # Lightning's translation
            raise
        self._end("finished", max(step, trainer.global_step), callbacks)
        if leads():
            journal.close({settings["select"]: record.score}, self.folder / checkpoint.BEST)
            show_end(self.folder, record, console)
        return record.score or 0.0

    def _test_sets(self) -> list[str]:
        """The sets to evaluate on in the end, looked for before training rather than after it."""
        settings = self.settings
        names = (
            set_names(settings["test"], "craft" if settings["task"] == "detection" else "crnn")
            if settings["test"]
            else []
        )
        return list(open_sets(settings, [self.protocol], names, "test"))

    def _network(self) -> Any:
        network = build(self.settings["model"], "model")
        init, backbone = self.settings["init"], self.settings["backbone_init"]
        if init and backbone:
            raise ValueError(
                f"init={init} and backbone_init={backbone}: the first brings an encoder along, give one of them"
            )
        if backbone:
            start = initialise_encoder(network, backbone)
            self.record.init = {"path": str(backbone), "part": "encoder"}
            for line in start.lines():
                console.print(line, highlight=False, markup=False, soft_wrap=True)
        if init:
            start = initialise(network, init)
            source = content_of(init)
            origin = source.get("origin", {})
            self.record.init = {
                "path": str(init),
                "config_hash": origin.get("config_hash"),
                "step": source["global_step"],
                "first_weights": origin.get("first_weights"),
                **origin.get("published", {}),
            }
            for line in start.lines():
                console.print(line, highlight=False, markup=False, soft_wrap=True)
        return network

    def _inspect(self, data: DataModule) -> None:
        """Show what cannot be learnt or stands in more than one place, and refuse to choose a model on test images."""
        if self.settings["task"] == "recognition" and leads():
            named = open_sets(self.settings, [], self.tests, "test").values()
            tests = unseen_sets(self.settings["root"], list(named), console)
            findings = inspect(data, tests, console)
            self.record.findings = [asdict(finding) for finding in findings]
            show_findings(findings, console)

    def _module(self, network: Any) -> Any:
        settings, extra = self.settings, {}
        if settings["overfit"] and settings["task"] == "detection":
            # whole scenes are scaled to the training size then: they are validated as they were seen
            extra = {"long_side": settings["encoder"]["size"], "max_enlargement": float("inf")}
        return build(
            settings["module"],
            "module",
            **extra,
            network=network,
            network_config=settings["model"],
            optimizer=build(settings["optim"], "optim"),
            schedule=build(settings["schedule"], "schedule"),
            scorer=self.protocol,
            precision="bf16" if "bf16" in str(hardware.precision(settings["trainer"])) else "fp32",
        )

    def _callbacks(self, journal: Journal, pieces: Pieces) -> _Callbacks:
        settings, record, length = self.settings, self.record, self.settings["length"]
        bell, alarms = Bell(console, record.alarms), settings["alarms"]
        pieces.allowed = bool(settings["trainer"].get("halve"))
        origin = {
            "model": record.model,
            "settings": settings,
            "config_hash": record.config_hash,
            "recipe": record.recipe,
            "first_weights": record.first_weights,
            "trained_on": record.data,
        }
        every = length["save_every"], length["val_every"]
        checkpoints = Checkpoints(self.folder, settings["select"], *every, origin, journal, console)
        batch, shown = settings["loader"]["batch_size"], settings["progress"] and leads()
        sheets = settings["pictures"] if leads() else 0
        rows = Rows(journal, batch, length["log_every"], checkpoints)
        return _Callbacks(
            ReproducibleSteps(settings["seed"]),
            SkippedSamples(batch, console),
            rows,
            Pictures(journal, self.protocol, length["val_every"], sheets),
            LabelWatch(journal, console, length["val_every"], sheets),
            KeptState(self.folder),
            OutOfMemory(bell, pieces),
            StuckLoss(bell, checkpoints, alarms["stuck"]),
            IdleParameters(bell, alarms["idle"]),
            TeacherCollapse(bell, alarms["collapse"]),
            DataStarvation(bell, rows, alarms["data_wait"], settings["loader"]["workers"]),
            ProgressLine(record.model, length["max_steps"], batch, console) if shown else None,
            checkpoints,
            Ending(checkpoints, length["max_steps"], length.get("patience")),
            FreedMemory(),
        )

    def _trainer(self, callbacks: _Callbacks) -> pl.Trainer:
        length, chosen = self.settings["length"], self.settings["trainer"]
        return pl.Trainer(
            accelerator=chosen["accelerator"],
            devices=chosen["devices"],
            strategy=chosen["strategy"],
            precision=hardware.precision(chosen),
            deterministic=chosen["deterministic"],
            sync_batchnorm=hardware.synchronise_norms(chosen),
            max_steps=length["max_steps"] + 1,  # never reached: see Ending
            max_epochs=-1,
            val_check_interval=length["val_every"],
            check_val_every_n_epoch=None,
            gradient_clip_val=length["clip"],
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks.in_order(),
            plugins=[WholeFiles()],
            default_root_dir=self.folder,
        )

    def _finish(self) -> None:
        """What follows on the last step: the best score, the test sets, and whether overfitting was reached."""
        settings, record = self.settings, self.record
        best = checkpoint.read(self.last)["callbacks"][Checkpoints.__qualname__]
        record.score, record.best_step = float(best["best_score"]), int(best["best_step"])
        if settings["overfit"] and record.score < LEARNT:
            raise ValueError(
                f"debug=overfit: {settings['select']} {record.score:.3f} < {LEARNT} on {settings['overfit']} samples: "
                "it does not learn"
            )
        if self.tests:
            out = self.folder / PREDICTIONS
            record.scores = evaluate_checkpoint(self.folder / checkpoint.BEST, self.tests, settings, out, console)
            print_scores(record.scores, console)

    def _note_end(self, error: BaseException, step: int, callbacks: _Callbacks) -> None:
        stopped = isinstance(error, Interrupted | KeyboardInterrupt | SystemExit | OutputClosed)
        line = str(error) if isinstance(error, ValueError | Interrupted) else f"{type(error).__name__}: {error}"
        with suppress(OSError):  # a full disk must not hide why the run ended
            self._end("interrupted" if stopped else "failed", step, callbacks, line)

    def _lost(self, line: str, step: int, callbacks: _Callbacks) -> None:
        """Note the end from another thread, while this process waits for one that has gone."""
        with suppress(OSError):
            self._end("failed", step, callbacks, line)

    def _end(self, status: Status, step: int, callbacks: _Callbacks, error: str | None = None) -> None:
        self.record.undecodable = callbacks.skipped.found()
        self.record.resume = self.journal.repetition.found(self.repeated)
        seconds = time.perf_counter() - self.began
        self.record.end(self.folder, status, step, seconds, callbacks.rows.pace, error)
