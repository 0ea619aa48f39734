"""Against what the official evaluators say: of whole archives with the real pack, of excerpts from them anywhere."""

import functools
import json
import os
from pathlib import Path

import pytest

from ocr.metrics.cleval import CLEval
from ocr.metrics.deteval import DetEval, TotalTextDetEval
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.result_files import paired, read_results, read_truth
from ocr.metrics.spotting import Spotting
from ocr.metrics.tedeval import TedEval

EXCERPTS = Path(__file__).parents[1] / "golden" / "detection"

IOU, CLIPPED = BoxProtocol("iou"), BoxProtocol("iou", crossing="clip")
LOOSE, LOOSE_READ = BoxProtocol("iou", iou=0.1, ignore_overlap=0.1), Spotting("spotting", iou=0.1, ignore_overlap=0.1)
DETEVAL, TOTALTEXT, TEDEVAL = DetEval("deteval"), TotalTextDetEval("totaltext"), TedEval("tedeval")
CLEVAL, CLEVAL_E2E = CLEval("cleval"), CLEval("cleval", texts=True)


@functools.cache
def read(reader, path):
    return reader(path)


@functools.cache
def scored(protocol, truth, results):
    pictures = list(paired(read(read_truth, truth), read(read_results, results), (truth.name, results.name)))
    return protocol(
        [(found.detections, words) for _, found, words in pictures],
        [name for name, _, _ in pictures],
        [found.texts for _, found, _ in pictures],
    )


def pack(*names):
    if "OCR_REAL_PACK" not in os.environ:
        pytest.skip("OCR_REAL_PACK is not set")
    root = Path(os.environ["OCR_REAL_PACK"])
    paths = [root / "eval_refs" / name if "/" not in name else root.parent / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip(f"{names} do not lie in or beside the real pack")
    return paths


WHOLE = [
    # protocol, ground truth, results, decimals, recall, precision, H-mean, who says so
    (IOU, "ic15_gt", "ic15_pixellink_det", 4, 0.8166, 0.8289, 0.8227, "ICDAR 2015 script"),
    (CLIPPED, "ic15_gt", "ic15_pixellink_det", 4, 0.8166, 0.8289, 0.8227, "ICDAR 2015 script"),
    (TEDEVAL, "ic15_gt", "ic15_pixellink_det", 5, 0.85896, 0.86179, 0.86037, "TedEval script"),
    (CLEVAL, "ic15_gt", "ic15_pixellink_det", 5, 0.87910, 0.96466, 0.91989, "cleval 0.1.1"),
    (CLIPPED, "ctw1500_gt", "ctw1500_ctd_det", 4, 0.8162, 0.7497, 0.7815, "TIoU's README"),
    (CLIPPED, "totaltext_gt", "totaltext_baseline_det", 4, 0.7014, 0.8038, 0.7492, "TIoU's README"),
    (CLIPPED, "totaltext_gt", "totaltext_textperceptron_det", 4, 0.8234, 0.8632, 0.8428, "DAVAR's script, on Polygon"),
    (IOU, "totaltext_gt", "totaltext_textperceptron_det", 4, 0.8211, 0.8732, 0.8464, "DB's evaluator, on shapely"),
    (LOOSE, "ic13_gt_quad_text", "ic13_mango_spot", 4, 0.9269, 0.9626, 0.9444, "DAVAR's readme"),
    (LOOSE_READ, "ic13_gt_quad_text", "ic13_mango_spot", 4, 0.795, 0.8256, 0.81, "DAVAR's readme"),
    (CLEVAL, "cleval_kr_gt", "cleval_kr_pred", 5, 0.98531, 0.97078, 0.97799, "cleval 0.1.1"),
    (CLEVAL_E2E, "cleval_kr_gt", "cleval_kr_pred", 5, 0.91662, 0.91653, 0.91658, "cleval 0.1.1"),
    (DETEVAL, "ic13_gt", "ic13_gt", 4, 0.9878, 0.9965, 0.9921, "ICDAR 2013 script"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "truth", "results", "decimals", "recall", "precision", "hmean", "source"),
    WHOLE,
    ids=[f"{w[2]}-{w[0].name}-{w[-1].split()[0]}" for w in WHOLE],
)
def test_published_results_score_as_the_official_evaluators_say(
    protocol, truth, results, decimals, recall, precision, hmean, source
):
    result = scored(protocol, *pack(f"{truth}.zip", f"{results}.zip"))
    got = [round(value, decimals) for value in (result.recall, result.precision, result.hmean)]
    assert got == [recall, precision, hmean], source


def test_cleval_scores_the_korean_documents_to_the_last_digit():
    paths = pack("cleval_kr_gt.zip", "cleval_kr_pred.zip")
    assert scored(CLEVAL, *paths).hmean == pytest.approx(0.977989360950786, abs=1e-12)
    assert scored(CLEVAL_E2E, *paths).hmean == pytest.approx(0.9165773847119407, abs=1e-12)


def test_counts_behind_the_pixellink_scores():
    paths = pack("ic15_gt.zip", "ic15_pixellink_det.zip")
    iou, cleval = scored(IOU, *paths), scored(CLEVAL, *paths)
    assert (iou.matches, iou.cared_truth, iou.cared_detections) == (1696, 2077, 2046)
    assert sum(b.n for b in iou.by_height()) == 2077
    assert [sum(getattr(row, what) for row in cleval.rows) for what in ("splits", "merges", "overlaps")] == [63, 55, 27]
    assert (cleval.cared_truth, cleval.cared_detections) == (11108, 10131)


@pytest.mark.parametrize("number", ["1", "2", "3"])
@pytest.mark.parametrize(("challenge", "name", "protocol"), [("ic13", "deteval", DETEVAL), ("ic15", "iou", IOU)])
def test_perturbed_submissions_score_as_the_official_scripts_say(challenge, name, protocol, number):
    folder = "golden/metrics"
    truth, results, scores = pack(f"{challenge}_gt.zip", f"{folder}/{challenge}_{number}.zip", f"{folder}/scores.json")
    wanted = json.loads(scores.read_text(encoding="utf-8"))[number][f"{challenge}_{name}"]
    result = scored(protocol, truth, results)
    assert {key: getattr(result, key) for key in wanted} == pytest.approx(wanted, abs=1e-9)


KEPT = json.loads((EXCERPTS / "scores.json").read_text(encoding="utf-8"))
PROTOCOLS = {
    "iou": IOU,
    "iou_clipped": CLIPPED,
    "deteval": DETEVAL,
    "totaltext": TOTALTEXT,
    "tedeval": TEDEVAL,
    "cleval": CLEVAL,
    "cleval_e2e": CLEVAL_E2E,
    "spotting": LOOSE_READ,
}


@pytest.mark.parametrize("kept", KEPT["scores"], ids=lambda k: f"{k['results']}-{k['protocol']}")
def test_excerpts_score_as_when_the_whole_archives_agreed(kept):
    result = scored(PROTOCOLS[kept["protocol"]], EXCERPTS / f"{kept['truth']}.zip", EXCERPTS / f"{kept['results']}.zip")
    wanted = {key: kept[key] for key in ("recall", "precision", "hmean")}
    assert {key: getattr(result, key) for key in wanted} == pytest.approx(wanted, abs=1e-9)
