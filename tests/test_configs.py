"""Every configuration in configs/ is read strictly and builds the model that it names."""

from pathlib import Path

import pytest

from pipelines.train.rehearsal import check_options
from tgfr_search.errors import OptionsError
from tgfr_search.model.fusion import make_fusion
from tgfr_search.options import TrainOptions
from tgfr_search.strict import from_dict, load_toml, to_dict

GOOD = "name = 'x'\n[data]\npath = 'x.parquet'"
FOLDER = Path(__file__).resolve().parents[1] / "configs"
# The attribute model's is of another kind: tests/pipelines/train/attributes/test_attributes.py reads it.
CONFIGS = sorted(path for path in FOLDER.rglob("*.toml") if path.name != "attributes.toml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configuration(path: Path) -> None:
    options = load_toml(path, TrainOptions)
    make_fusion(options.model)
    assert options.align.epochs > 0
    assert from_dict(to_dict(options), TrainOptions, "again") == options


def test_the_printed_values_are_the_papers() -> None:
    options = load_toml(FOLDER / "tgfr.toml", TrainOptions)
    loss = options.loss
    assert (loss.wrcl, loss.identity, loss.cicl, loss.imcl) == (1.0, 100.0, 2.0, 1.0)
    assert (options.align.head_lr, options.align.weight_decay) == (1e-3, 0.01)
    fuse = options.fuse
    assert (fuse.optimiser, fuse.lr, fuse.momentum, fuse.weight_decay) == ("sgd", 0.1, 0.9, 1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 'x'\nlearning_rate = 1", r"unknown key 'learning_rate'.*expected: one of: name, seed"),
        (f"{GOOD}\n[align]\nepoch = 1", r"align: unknown key 'epoch'.*epochs, batch"),
        ("seed = 1", r"missing key 'name'"),
        ("name = 'x'", r"missing key 'data'"),
        ("name = 'x'\n[data]\ntrain = 'a'", r"data: missing key 'path'"),
        ("name = 'x'\nseed = 'one'", r"seed.*'one' \(str\).*int"),
        (f"{GOOD}\n[align]\nepochs = true", r"epochs.*True \(bool\).*int"),
        ("name = 'x'\nalign = 3\n[data]\npath = 'x'", r"align.*int.*a table"),
        (f"{GOOD}\nviews = 'original'", r"views.*str.*a list"),
        ("name = ", r"options\.toml.*valid TOML"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "options.toml").write_text(text)
    with pytest.raises(OptionsError, match=message):
        load_toml(tmp_path / "options.toml", TrainOptions)


def test_a_whole_number_is_a_float_where_one_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text(f"{GOOD}\n[loss]\nidentity = 3")
    assert load_toml(tmp_path / "o.toml", TrainOptions).loss.identity == 3.0


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="No such file"):
        load_toml(tmp_path / "o.toml", TrainOptions)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_is_one_that_training_accepts(path: Path) -> None:
    check_options(load_toml(path, TrainOptions))


def test_a_file_says_only_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "a.toml").write_text(f"{GOOD}\nviews = ['original', 'bad']\n[loss]\nwrcl = 3\ncicl = 4")
    (tmp_path / "b.toml").write_text("extends = 'base/a.toml'\nseed = 5\n[loss]\ncicl = 0\n[data]\nviews = ['poor']")
    (tmp_path / "c.toml").write_text("extends = 'b.toml'\nname = 'c'")
    options = load_toml(tmp_path / "c.toml", TrainOptions)
    assert (options.name, options.seed, options.data.path, options.data.views) == ("c", 5, "x.parquet", ("poor",))
    assert (options.loss.wrcl, options.loss.cicl) == (3.0, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends = 'o.toml'", r"o\.toml; found: a file that extends itself"),
        ("extends = 'gone.toml'", r"gone\.toml \(which .*o\.toml extends\); found: No such file"),
        ("extends = 3", r"o\.toml: extends; found: 3"),
    ],
)
def test_a_base_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "o.toml").write_text(f"{text}\n{GOOD}")
    with pytest.raises(OptionsError, match=message):
        load_toml(tmp_path / "o.toml", TrainOptions)
