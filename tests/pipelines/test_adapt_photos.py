"""Step 0 on photos: what is drawn, what teaches, how the rate runs, and that a stopped run goes on as if it had not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from pipelines import adapt_photos as step0
from pipelines.adapt_photos import Bank, Draw, FacePhotos, against_bank, learning_share, schedule
from pipelines.tools import adapt_sface
from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.encoders.sface import make_net
from tgfr_search.errors import TgfrError
from tgfr_search.faces.schemes import ARCFACE_CHIP
from tgfr_search.options import AdaptOptions

OPTIONS = AdaptOptions(batch=2, steps=3, lr=1e-4, warmup=0.0, distil=2.0, tau=0.06, clean=0.2, frozen_blocks=11)


@pytest.fixture(scope="module")
def photos() -> FacePhotos:
    """Four people who do not exist, two pictures each; their points are where the template has them."""
    faces = SyntheticFaces.load()
    pixels = np.stack([faces.render(faces.person(person), view) for person in range(4) for view in range(2)])
    points = np.repeat(ARCFACE_CHIP.points[None] * 128 / 112, 8, axis=0)
    return FacePhotos(
        pixels, points, points[:, :2], np.repeat(np.arange(4), 2).astype(np.int64),
        [f"{n}" for n in range(8)], [f"{n:064x}" for n in range(8)], ARCFACE_CHIP,
    )  # fmt: skip


def test_a_draw_depends_on_its_key_alone(photos: FacePhotos) -> None:
    views = [photos.poor(Draw(0, f"k{n}"), 0.0, 0) for n in range(6)]
    assert np.array_equal(views[0], photos.poor(Draw(0, "k0"), 0.0, 0))
    assert len({view.tobytes() for view in views}) == 6
    clean = photos.clean(0)
    left = [photos.poor(Draw(0, f"k{n}"), 1.0, 0) for n in range(8)]
    assert {view.tobytes() for view in left} == {clean.tobytes(), np.ascontiguousarray(clean[:, ::-1]).tobytes()}


def test_the_bank_keeps_the_frozen_nets_unit_vectors(photos: FacePhotos) -> None:
    bank, teacher = Bank(len(photos)), make_net().eval()
    bank.fill(np.array([5, 2, 5]), photos, teacher)
    assert bank.known.nonzero().squeeze(1).tolist() == [2, 5]
    with torch.inference_mode():
        expected = F.normalize(teacher(step0.to_pixels([photos.clean(2), photos.clean(5)]))[0], dim=1)
    assert torch.allclose(bank.vectors[[2, 5]], expected, atol=1e-5)


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


def test_a_stopped_run_goes_on_and_leaves_the_frozen_blocks_alone(
    photos: FacePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = lambda name, step, values: None  # noqa: E731
    monkeypatch.setattr(step0, "SAVE_SECONDS", -1.0)  # a state after every step
    whole = step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "whole", silent).state_dict()

    class KilledError(Exception):
        pass

    def stop(name: str, step: int, values: dict[str, float]) -> None:
        raise KilledError

    monkeypatch.setattr(step0, "LOG_STEPS", 2)
    with pytest.raises(KilledError):  # after the second step was taken, before its state was written
        step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "two", stop)
    resumed = step0.adapt_photos(photos, OPTIONS, 0, tmp_path / "two", silent).state_dict()
    frozen = make_net().state_dict()
    for name, tensor in whole.items():
        assert torch.allclose(resumed[name], tensor, atol=1e-6), name
        early = name.startswith("stem") or (name.startswith("blocks") and int(name.split(".")[1]) < 11)
        assert torch.equal(tensor, frozen[name]) == early, name


def test_the_command_writes_an_encoder_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = SyntheticFaces.load()
    for person in range(4):
        (tmp_path / f"data/p{person}").mkdir(parents=True)
        for view in range(2):
            picture = Image.fromarray(faces.render(faces.person(person), view))
            picture.save(tmp_path / f"data/p{person}/{view}.png")
    monkeypatch.setattr(adapt_sface, "RECIPE", dataclasses.replace(OPTIONS, lr=1e-6))
    adapt_sface.main([str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--steps", "1", "--threads", "1"])
    encoder = make_face_encoder(
        str(tmp_path / "out/face"), torch.device("cpu"), torch.float32, flip=False, regions="512x14x14"
    )
    assert encoder.spec.name == "sface-2021+adapted"
    chips = np.random.default_rng(0).integers(0, 255, (1, 112, 112, 3), dtype=np.uint8)
    frozen, adapted = encoder.encode(chips).global_.split(128, dim=1)
    assert 0 < (frozen - adapted).abs().max() < 1
    further = ["--out", str(tmp_path / "more"), "--steps", "0", "--threads", "1", "--start", str(tmp_path / "out/face")]
    adapt_sface.main([str(tmp_path / "data"), *further])
    again = make_face_encoder(
        str(tmp_path / "more/face"), torch.device("cpu"), torch.float32, flip=False, regions="512x14x14"
    )
    assert torch.equal(again.encode(chips).global_, torch.cat([frozen, adapted], dim=1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TgfrError):
        adapt_sface.main([str(tmp_path / "empty"), "--out", str(tmp_path / "none")])
