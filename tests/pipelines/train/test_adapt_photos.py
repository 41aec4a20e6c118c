"""Step 0 on photos: what is drawn, what teaches, how the rate runs, and that a stopped run goes on as if it had not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipelines.faces.aligned import Chips
from pipelines.train.step0 import photos as step0
from pipelines.train.step0.chips import adapt_step
from pipelines.train.step0.photos import OFF, Bank, FacePhotos, against_bank, learning_share, schedule
from pipelines.train.step0.pictures import Pictures
from pipelines.train.step0.poor import Draw
from tgfr_search.data.degrade import LADDER, degrade, degrade_photo, generator, random_degradation
from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.data.wear import random_wear, wear_photo
from tgfr_search.encoders.sface import make_net
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.faces.align import align
from tgfr_search.faces.schemes import ARCFACE_CHIP
from tgfr_search.options import AdaptOptions, PhotoAdaptOptions

OPTIONS = PhotoAdaptOptions(batch=2, steps=3, lr=1e-4, warmup=0.0, distil=2.0, tau=0.06, clean=0.2, frozen_blocks=11)


@pytest.fixture(scope="module")
def photos() -> FacePhotos:
    """Four people who do not exist, two pictures each; their points are where the template has them."""
    faces = SyntheticFaces.load()
    pixels = np.stack([faces.render(faces.person(person), view) for person in range(4) for view in range(2)])
    points = np.repeat(ARCFACE_CHIP.points[None] * 128 / 112, 8, axis=0)
    return FacePhotos(
        pixels, points, points[:, :2], np.repeat(np.arange(4), 2).astype(np.int64),
        [f"{n:064x}" for n in range(8)], ARCFACE_CHIP,
    )  # fmt: skip


def test_a_draw_depends_on_its_key_alone(photos: FacePhotos) -> None:
    views = [photos.poor(Draw(0, f"k{n}"), 0.0, 0) for n in range(6)]
    assert np.array_equal(views[0], photos.poor(Draw(0, "k0"), 0.0, 0))
    assert len({view.tobytes() for view in views}) == 6
    clean = photos.clean(0)
    left = [photos.poor(Draw(0, f"k{n}"), 1.0, 0) for n in range(8)]
    assert {view.tobytes() for view in left} == {clean.tobytes(), np.ascontiguousarray(clean[:, ::-1]).tobytes()}


def written_out(photos: FacePhotos, row: int, key: str, clean: float, seed: int) -> np.ndarray:
    """`FacePhotos.poor`, its draws one after another in the order that every trained copy was drawn in."""
    rng = generator(key, "view", seed)
    photo, points = photos.pixels[row], photos.points[row]
    distance = float(np.linalg.norm(photos.eyes[row, 1] - photos.eyes[row, 0]))
    if rng.random() >= clean:
        if rng.random() < 0.5:
            level = ("poor", "bad", "very_bad")[int(rng.integers(3))]
            photo = degrade_photo(photo, distance, level, key=key, seed=seed)
        else:
            photo = wear_photo(photo, photos.eyes[row], random_wear(key, seed), key=key, seed=seed)
        points = points + np.asarray(rng.normal(0, OFF * distance, points.shape), np.float32)
    chip = align(photo, points, photos.alignment)
    return chip[:, ::-1] if rng.random() < 0.5 else chip


def test_the_draws_of_photos_are_those_that_they_were(photos: FacePhotos) -> None:
    for n in range(12):
        expected = written_out(photos, n % 8, f"k{n}", 0.2, 3)
        assert np.array_equal(photos.poor(Draw(n % 8, f"k{n}"), 0.2, 3), expected), n


def test_the_draws_of_chips_are_those_that_they_were(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 150, 150, 3), dtype=np.uint8)
    digests = ["0" * 64] * 3
    chips = Chips(tmp_path, pixels, ["a", "b", "c"], ["a", "b", "c"], digests, [()] * 3, [{}] * 3, {}, "0" * 64)
    pictures = Pictures(chips, 0.2, 3)
    for n in range(16):
        key, chip = f"k{n}", pixels[n % 3]
        draw = np.random.default_rng([3, *key.encode()])
        if draw.random() < 0.5:
            chip = chip[:, ::-1]
        if draw.random() >= 0.2:
            ladder = draw.random() < 0.5
            level = LADDER[("poor", "bad", "very_bad")[int(draw.integers(3))]]
            chip = degrade(chip, level if ladder else random_degradation(key, 3), key=key, seed=3)
        assert np.array_equal(pictures[Draw(n % 3, key)], chip), n


def test_the_bank_keeps_the_frozen_nets_unit_vectors(photos: FacePhotos) -> None:
    bank, teacher = Bank(len(photos)), make_net().eval()
    clean = torch.from_numpy(np.stack([photos.clean(5), photos.clean(2)]))
    bank.fill([5, 2], clean, teacher)
    bank.fill([], clean[:0], teacher)
    assert bank.known.nonzero().squeeze(1).tolist() == [2, 5]
    with torch.inference_mode():
        expected = F.normalize(teacher(step0.to_pixels(clean.flip(0), torch.device("cpu")))[0], dim=1)
    assert torch.allclose(bank.vectors[[2, 5]], expected, atol=1e-5)
    whole = Bank(len(photos))
    whole.fill([5, 2], clean, teacher, at_once=4)  # as on a GPU, in a batch of one size
    assert torch.equal(whole.known, bank.known)
    assert torch.allclose(whole.vectors, bank.vectors, atol=1e-5)


def test_contrast_by_hand() -> None:
    """τ = .5; the positive at cosine 1, one stranger at 0, the own subject's other row left out: −log e²/(e² + 1)."""
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    own, subjects = torch.tensor([7]), torch.tensor([7, 8])
    loss = against_bank(east, east, own, torch.cat([east, north]), subjects, 0.5)
    assert loss.item() == pytest.approx(np.log1p(np.exp(-2)), abs=1e-6)


def test_the_rate_rises_stays_and_falls() -> None:
    shares = [learning_share(step, 100, 0.1, 0.2) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9:80] == [1.0] * 71
    assert shares[90] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(0.05)


def test_the_order_of_a_resumed_run_is_that_of_one_run() -> None:
    subjects = np.repeat(np.arange(6), 3).astype(np.int64)
    options = dataclasses.replace(OPTIONS, batch=3)
    whole = list(schedule(subjects, options, 0, 0, 14))
    assert len(whole) == 14
    assert [rows.tolist() for rows in schedule(subjects, options, 0, 9, 14)] == [rows.tolist() for rows in whole[9:]]
    for rows in whole:
        assert np.array_equal(subjects[rows[:3]], subjects[rows[3:]])


@pytest.mark.parametrize("batch", [0, 7])
def test_too_few_subjects_for_a_batch_are_told(batch: int) -> None:
    subjects = np.repeat(np.arange(6), 3).astype(np.int64)
    with pytest.raises(InputError, match=f"batches of {batch} different subjects; found: 6 subjects in 18"):
        next(schedule(subjects, dataclasses.replace(OPTIONS, batch=batch), 0, 0, 1))
    assert next(schedule(subjects, dataclasses.replace(OPTIONS, batch=6), 0, 0, 1)).shape == (12,)


def test_too_few_subjects_for_a_batch_of_chips_are_told(tmp_path: Path) -> None:
    """It once went on, without a step, and wrote the frozen net as if it had been adapted."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 150, 150, 3), dtype=np.uint8)
    names, cpu = ["a", "b", "c"], torch.device("cpu")
    chips = Chips(tmp_path, pixels, names, names, ["0" * 64] * 3, [()] * 3, [{}] * 3, {}, "0" * 64)
    with pytest.raises(InputError, match="batches of 4 different subjects; found: 3 subjects"):
        adapt_step(chips, chips, AdaptOptions(epochs=1, batch=4), 0, tmp_path, cpu, torch.float32, silent, 0)


def silent(name: str, step: int, values: dict[str, float]) -> None:
    pass


def test_a_state_goes_on_as_its_own_run_only(photos: FacePhotos, tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, steps=1)
    step0.adapt_photos(photos, options, 0, tmp_path, silent)
    before = (tmp_path / "state.safetensors").read_bytes()
    start = make_net()
    with torch.no_grad():
        start.head.bias.add_(0.01)
    swapped = dataclasses.replace(photos, sha256=[*photos.sha256[1:], photos.sha256[0]])
    others = {
        "photos": (swapped, options, 0, None),
        "options": (photos, dataclasses.replace(options, lr=2e-4), 0, None),
        "seed": (photos, options, 1, None),
        "start": (photos, options, 0, start),
    }
    for name, (data, other, seed, begin) in others.items():
        with pytest.raises(CheckpointError, match=rf"state\.safetensors; found: .* another {name}; expected"):
            step0.adapt_photos(data, other, seed, tmp_path, silent, begin)
    half = dataclasses.replace(
        photos, points=photos.points[:6], eyes=photos.eyes[:6], subjects=photos.subjects[:6], sha256=photos.sha256[:6]
    )
    with pytest.raises(CheckpointError, match=r"another photos, another seed"):
        step0.adapt_photos(half, options, 5, tmp_path, silent)
    assert (tmp_path / "state.safetensors").read_bytes() == before
    step0.adapt_photos(photos, dataclasses.replace(options, steps=2), 0, tmp_path, silent)  # more steps go on


def test_a_stopped_run_goes_on_and_leaves_the_frozen_blocks_alone(
    photos: FacePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step0, "SAVE_SECONDS", -1.0)  # a state after every step
    whole = step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "whole", silent).state_dict()

    class KilledError(Exception):
        pass

    def stop(name: str, step: int, values: dict[str, float]) -> None:
        raise KilledError

    monkeypatch.setattr(step0, "LOG_STEPS", 2)
    with pytest.raises(KilledError):  # after the second step was taken, before its state was written
        step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "two", stop)
    resumed = step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "two", silent, workers=2).state_dict()
    frozen = make_net().state_dict()
    for name, tensor in whole.items():
        assert torch.allclose(resumed[name], tensor, atol=1e-6), name
        early = name.startswith("stem") or (name.startswith("blocks") and int(name.split(".")[1]) < 11)
        assert torch.equal(tensor, frozen[name]) == early, name
