"""The published comparison: its sizes, its totals against published numbers, and what happens when a set is incomplete."""

from pathlib import Path

import pytest

from ocr.config import build, compose_config
from ocr.metrics.benchmark import LabelFilter, TestList, WordBenchmark
from ocr.metrics.words import WordProtocol, WordRow
from ocr.types import Reading

SEVEN = {
    "iiit5k": 3000,
    "svt": 647,
    "icdar2003_867": 867,
    "icdar2013_1015": 1015,
    "icdar2015": 2077,
    "svtp": 645,
    "cute80": 288,
}
SMALLER = {"IC03_860": ("icdar2003_867", 860), "IC13_857": ("icdar2013_1015", 857), "IC15_1811": ("icdar2015", 1811)}
COLUMNS = ["IIIT5k_3000", "SVT", "IC03_867", "IC13_1015", "IC15_2077", "SVTP", "CUTE80"]
TABLE1 = {
    "CRNN": ([82.9, 81.6, 92.6, 89.2, 64.2, 70.0, 65.5], 78.43),
    "RARE": ([86.2, 85.8, 93.7, 91.1, 68.9, 76.2, 70.4], 82.01),
    "R2AM": ([83.4, 82.4, 92.0, 88.1, 63.6, 72.1, 64.9], 78.47),
    "STAR-Net": ([87.0, 86.9, 94.0, 91.5, 70.3, 77.5, 71.7], 82.94),
    "GRCNN": ([84.2, 83.7, 93.0, 88.8, 65.8, 73.6, 68.1], 79.77),
    "Rosetta": ([84.3, 84.7, 92.9, 89.0, 66.0, 73.8, 69.2], 79.99),
    "TRBA": ([87.9, 87.5, 94.4, 92.3, 71.8, 79.2, 74.0], 84.02),
}
"""Accuracy in per cent of the paper's Table 1 per list, in the order of COLUMNS, and the total that its figure shows."""
RELEASED_TRBA = {
    "IIIT5k_3000": 87.367,
    "SVT": 87.326,
    "IC03_860": 95.116,
    "IC03_867": 94.694,
    "IC13_857": 92.999,
    "IC13_1015": 92.217,
    "IC15_1811": 78.244,
    "IC15_2077": 75.390,
    "SVTP": 80.155,
    "CUTE80": 74.216,
}
"""What the comparison's test script prints for its released TRBA, over the images that its filter leaves."""


def shipped(name: str, root: Path) -> WordBenchmark:
    config = compose_config(["model=crnn", f"protocol={name}", f"root={root}"])
    return build(config.protocol, "protocol")


def write_lists(root: Path) -> None:
    (root / "lists").mkdir()
    for name, (of, count) in SMALLER.items():
        keys = "\n".join(f"{of}/{i}" for i in range(count))
        (root / "lists" / f"{name.lower()}.txt").write_text(f"# picked by hand\n{keys}\n", encoding="utf-8")


def labels(name: str, count: int, odd: int = 0) -> list[tuple[str, str]]:
    """Keys and labels; the last ``odd`` hold a character outside 0-9 a-z."""
    return [(f"{name}/{i}", "word" if i < count - odd else "wo-rd") for i in range(count)]


def whole_sets() -> dict[str, list[tuple[str, str]]]:
    return {n: labels(n, c, {"icdar2015": 155, "cute80": 1}.get(n, 0)) for n, c in SEVEN.items()}


def row(key: str, correct: bool) -> WordRow:
    return WordProtocol("case36").row("a", Reading("a" if correct else "b", 0.5), key)


def test_the_published_sizes(tmp_path: Path) -> None:
    write_lists(tmp_path)
    members = shipped("baek2019", tmp_path).members(whole_sets())
    assert {name: len(places) for name, places in members.items()} == {
        **dict(zip(COLUMNS, SEVEN.values(), strict=True)),
        **{name: count for name, (_, count) in SMALLER.items()},
    }
    filtered = shipped("dtrb_default_filter", tmp_path).members(whole_sets())
    assert (len(filtered["IC15_2077"]), len(filtered["CUTE80"])) == (1922, 287)


def rows_with(share: dict[str, float], sizes: dict[str, int]) -> dict[str, list[WordRow]]:
    """Rows of whole sets in which the wanted share of each list is right, each list a set of its own."""
    return {
        name: [row(f"{name}/{i}", i < round(percent / 100 * sizes[name])) for i in range(sizes[name])]
        for name, percent in share.items()
    }


def apart(benchmark: WordBenchmark) -> WordBenchmark:
    """The same totals over lists that share no sample, so that any accuracies can be given."""
    lists = {name: {"set": name, "count": column.count} for name, column in benchmark.columns.items()}
    return WordBenchmark("apart", benchmark.folding, lists, benchmark.totals)


@pytest.mark.parametrize("model", TABLE1)
def test_the_total_is_that_of_the_paper(model: str, tmp_path: Path) -> None:
    benchmark = shipped("baek2019", tmp_path)
    percents, total = TABLE1[model]
    only = WordBenchmark("seven", benchmark.folding, benchmark.lists, benchmark.totals)
    sizes = {name: only.columns[name].count for name in COLUMNS}
    rows = rows_with(dict(zip(COLUMNS, percents, strict=True)), sizes)
    rows = {only.columns[name].set: own for name, own in rows.items()}
    members = only.members({name: [(r.key, r.truth) for r in own] for name, own in rows.items()})
    result = only.results(rows, members)["total"]
    assert result.n == 8539
    # the table's accuracies are rounded to a tenth
    assert 100 * result.word_accuracy == pytest.approx(total, abs=0.05)


def test_the_default_filter_gives_both_totals_of_the_published_log(tmp_path: Path) -> None:
    benchmark = apart(shipped("dtrb_default_filter", tmp_path))
    rows = rows_with(RELEASED_TRBA, {name: column.count for name, column in benchmark.columns.items()})
    results = benchmark.results(
        rows, benchmark.members({name: [(r.key, r.truth) for r in own] for name, own in rows.items()})
    )
    for name, percent in RELEASED_TRBA.items():
        assert round(100 * results[name].word_accuracy, 3) == percent
    assert results["ten_lists"].n == 11911
    assert round(100 * results["ten_lists"].word_accuracy, 3) == 85.249
    assert results["six_lists"].n == 7516
    assert round(100 * results["six_lists"].word_accuracy, 3) == 83.834


def test_a_wrong_count_names_every_list_and_how_many_are_missing(tmp_path: Path) -> None:
    write_lists(tmp_path)
    sets = whole_sets()
    sets["icdar2015"] = sets["icdar2015"][:1900]
    sets["cute80"] = labels("cute80", 290)
    with pytest.raises(ValueError, match="protocol=baek2019") as caught:
        shipped("baek2019", tmp_path).members(sets)
    assert "IC15_2077 (set icdar2015) is short by 177 of 2,077 images" in str(caught.value)
    assert "CUTE80 (set cute80) has 2 more than its 288 images" in str(caught.value)
    assert "SVT" not in str(caught.value).replace("SVTP", "")
    assert "\n" not in str(caught.value)


def test_a_list_is_never_made_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs the id list .*lists/ic03_860\.txt .*which no rule replaces") as caught:
        shipped("baek2019", tmp_path).members(whole_sets())
    assert "\n" not in str(caught.value)
    config = compose_config(["model=crnn", "protocol=baek2019", "protocol.subsets=null", f"root={tmp_path}"])
    assert list(build(config.protocol, "protocol").members(whole_sets())) == COLUMNS


def test_the_list_says_which_samples_belong_and_rows_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("\ufeffa/2\n\n# note\n a/0 \n", encoding="utf-8")
    benchmark = WordBenchmark(
        "mine",
        WordProtocol("case36"),
        {"A": {"set": "a", "count": 3}},
        {"both": ["A", "B"], "all": ["A"]},
        {"B": {"set": "a", "count": 2, "ids": str(tmp_path / "some.txt")}},
        version="7",
    )
    members = benchmark.members({"a": labels("a", 3)})
    assert members["B"].tolist() == [0, 2]
    assert benchmark.belongs("a", 3, members) == [
        ["A", "both", "all", "B", "both"],
        ["A", "both", "all"],
        ["A", "both", "all", "B", "both"],
    ]
    results = benchmark.results({"a": [row("a/0", True), row("a/1", False), row("a/2", True)]}, members)
    assert {name: (r.n, r.word_accuracy) for name, r in results.items()} == {
        "A": (3, 2 / 3),
        "B": (2, 1.0),
        "both": (5, 4 / 5),
        "all": (3, 2 / 3),
    }
    assert {s.protocol for r in results.values() for s in r.scores("x")} == {"mine"}
    assert benchmark.sets == ["a"]


@pytest.mark.parametrize(
    ("text", "kept", "reason"),
    [
        ("Word5", True, "letters are compared in lower case"),
        ("wor-d", False, "punctuation"),
        ("é", False, "a letter outside a-z"),
        ("a" * 25, True, "the longest"),
        ("a" * 26, False, "too long"),
        ("back\\slash", False, "a backslash"),
        ("", True, "nothing to object to"),
    ],
)
def test_the_label_filter(text: str, kept: bool, reason: str) -> None:
    assert LabelFilter("0123456789abcdefghijklmnopqrstuvwxyz", 25).keeps(text) is kept, reason


def test_a_total_over_an_unknown_list_is_refused() -> None:
    with pytest.raises(ValueError, match="the total t names Z, which is no list of it"):
        WordBenchmark("mine", WordProtocol("x"), {"A": {"set": "a", "count": 1}}, {"t": ["A", "Z"]}, {})
    assert TestList("a", 1).ids is None
