"""``ocr score``: archives in, numbers out."""

import json
import zipfile
from pathlib import Path

import pytest

from ocr import cli
from ocr.export_text import page_to_dict
from ocr.metrics.result_files import read_truth
from ocr.run.logging import read_rows
from ocr.types import Detection, Page, Reading

EXCERPTS = Path(__file__).parent / "golden" / "detection"


def score(truth, results, protocol, *more):
    return cli.main(["score", "--gt", str(truth), "--pred", str(results), "--protocol", protocol, *more])


def test_an_archive_is_scored_by_what_was_asked_and_by_iou_and_deteval(tmp_path, capsys):
    truth, results = EXCERPTS / "cleval_kr_gt.zip", EXCERPTS / "cleval_kr_pred.zip"
    assert score(truth, results, "cleval+cleval_e2e", "--out", str(tmp_path)) == 0
    rows = read_rows(tmp_path / "cleval_kr_pred-scores.jsonl")
    assert [row["protocol"] for row in rows[::4]] == ["cleval", "cleval_e2e", "ic15_iou", "deteval"]
    assert [row["metric"] for row in rows[:4]] == ["recall", "precision", "hmean", "area_recall"]
    assert rows[2]["value"] == pytest.approx(0.9655005889760326, abs=1e-12)
    assert rows[6]["value"] == pytest.approx(0.9002245699753015, abs=1e-12)
    pictures = read_rows(tmp_path / "cleval_kr_pred-cleval.jsonl")
    assert sum(p["cared_truth"] for p in pictures) == rows[0]["n"]
    printed = capsys.readouterr().out
    assert "0.9655" in printed
    assert "cleval: recall by word height" in printed


def test_pictures_without_a_file_are_counted_as_nothing_found(tmp_path, capsys):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(EXCERPTS / "ic15_1.zip") as whole, zipfile.ZipFile(path, "w") as some:
        for name in whole.namelist()[:10]:
            some.writestr(name, whole.read(name))
    assert score(EXCERPTS / "ic15_gt.zip", path, "ic15_iou") == 0
    assert "some.zip says nothing about 20 of 30 pictures" in capsys.readouterr().out


def test_what_the_reader_read_is_scored_and_written_to_submit(tmp_path):
    truth = EXCERPTS / "ic13_gt_quad_text.zip"
    pages = []
    for name, words in read_truth(truth).items():
        read = [(Detection(w.polygon, 0.9), Reading((w.text or "").upper(), 0.9)) for w in words if not w.ignore]
        page = Page(f"somewhere/{name.replace('img', 'img_')}.jpg", 100, 100, read)
        pages.append(json.dumps(page_to_dict(page)))
    path, archive = tmp_path / "pages.jsonl", tmp_path / "submit.zip"
    path.write_text("\n".join(pages), encoding="utf-8")
    assert score(truth, path, "ic15_e2e", "--out", str(tmp_path), "--archive", str(archive)) == 0
    rows = read_rows(tmp_path / "pages-scores.jsonl")
    assert [row["value"] for row in rows if row["protocol"] == "ic15_e2e"] == [1, 1, 1, 1]
    assert score(truth, archive, "ic15_e2e", "--out", str(tmp_path)) == 0
    assert [row["value"] for row in read_rows(tmp_path / "submit-scores.jsonl")[:3]] == [1, 1, 1]
    path.write_text('{"path": "a.jpg"}', encoding="utf-8")
    assert score(truth, path, "ic15_e2e") == 1


@pytest.mark.parametrize(
    ("truth", "results", "protocol", "message"),
    [
        ("ic15_gt", "ctw1500_ctd_det", "ic15_iou", "are they of one data set?"),
        ("ic15_gt", "ic15_1", "case36", "protocol=case36 compares word crops"),
        ("ic15_gt", "ic15_1", "ic15_iuo", "there is no protocol named 'ic15_iuo'; nearest: ic15_iou"),
        ("nothing", "ic15_1", "ic15_iou", "there is no archive"),
    ],
)
def test_a_mistake_is_one_line(truth, results, protocol, message, capsys):
    assert score(EXCERPTS / f"{truth}.zip", EXCERPTS / f"{results}.zip", protocol) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
