"""Photos deleted for good: their digests, and nothing else of them, outlive everything that keeps an index in order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_helpers import make_batch, random_blocks, small_index

from indexer import (
    QuarantineRecord,
    Store,
    compact,
    export_index,
    import_index,
    manifest,
    purge,
    restore,
    snapshot,
    verify,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return small_index(tmp_path / "index")


def test_the_list_outlives_compaction_purge_and_copies(store: Store, tmp_path: Path) -> None:
    assert store.removed() == frozenset()
    photos = {row.image_sha256 for row in store.rows([0, 2])}
    for row in (0, 2):
        with store.writer() as writer:
            writer.delete(row_ids=[row], for_good=True)
            writer.commit()
    with store.writer() as writer:
        writer.delete(row_ids=[3])
        writer.commit()
    assert store.removed() == Store.open(store.path).removed() == photos
    assert store.info()["photos_removed"] == 2
    compact(store)
    assert sum(1 for _ in store.manifest.of_kind(manifest.REMOVED)) == 1
    purge(store)
    snapshot(store, tmp_path / "snapshot")
    restore(tmp_path / "snapshot", tmp_path / "restored")
    export_index(store, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "imported")
    for path in (store.path, tmp_path / "restored", tmp_path / "imported"):
        assert Store.open(path).removed() == photos
        assert verify(path).ok


def test_a_photo_that_is_added_again_is_off_the_list(store: Store) -> None:
    with store.writer() as writer:
        ids = writer.add(make_batch(["x"], random_blocks(np.random.default_rng(0), 1), 30))
        writer.delete(row_ids=ids, for_good=True)
        writer.commit()
    (photo,) = store.removed()
    with store.writer() as writer:
        writer.add(make_batch(["x"], random_blocks(np.random.default_rng(0), 1), 30))
        writer.commit()
    assert store.removed() == frozenset()
    with store.writer() as writer:
        writer.delete(image_sha256=photo, for_good=True)
        writer.commit()
    assert store.removed() == {photo}
    compact(store)
    assert store.removed() == {photo}


def test_images_are_released_from_quarantine(store: Store) -> None:
    records = [QuarantineRecord("y.jpg", "no_face", "", "k"), QuarantineRecord("z.jpg", "no_face", "", "k")]
    with store.writer() as writer:
        writer.quarantine(records)
        writer.commit()
        assert writer.release(["y.jpg", "nobody.jpg", "x.jpg"]) == 2
        writer.commit()
    assert store.quarantined() == Store.open(store.path).quarantined() == [records[1]]


def test_of_a_photo_under_two_subjects_one_is_removed(tmp_path: Path) -> None:
    """Whoever deletes Anna leaves Bert's row of the same photo, and what is done to that brings Anna's not back."""
    store = small_index(tmp_path / "index")
    batch = make_batch(["anna", "bert"], random_blocks(np.random.default_rng(1), 2), 40)
    photo = batch.image_sha256s[0]
    batch = replace(batch, image_sha256s=[photo, photo])
    with store.writer() as writer:
        writer.add(batch)
        writer.commit()
    with store.writer() as writer:
        writer.delete(subject_id="anna", for_good=True)
        writer.commit()
    assert (store.is_removed(photo, "anna"), store.is_removed(photo, "bert")) == (True, False)
    assert photo not in store.removed()
    with store.writer() as writer:  # Bert's row is replaced, as an edit of his captions does
        writer.delete(row_ids=[store.rows_by_image()[batch.images[1]][0]])
        writer.add(replace(make_batch(["bert"], random_blocks(np.random.default_rng(2), 1), 50), image_sha256s=[photo]))
        writer.commit()
    assert (store.is_removed(photo, "anna"), store.is_removed(photo, "bert")) == (True, False)
    with store.writer() as writer:
        writer.delete(subject_id="bert", for_good=True)
        writer.commit()
    assert all(store.is_removed(photo, who) for who in ("anna", "bert", "carl"))


def test_a_list_by_photo_alone_is_not_undone_by_another_subjects_row(tmp_path: Path) -> None:
    """As earlier versions wrote it: the digest of the photo, though Bert's row of it stayed."""
    store = small_index(tmp_path / "index")
    photo = store.rows([0])[0].image_sha256
    with store.writer() as writer:
        writer._note_removed(photo, True)
        writer.commit()
    other = replace(make_batch(["bert"], random_blocks(np.random.default_rng(2), 1), 50), image_sha256s=[photo])
    with store.writer() as writer:
        writer.add(other)
        writer.commit()
    assert store.is_removed(photo, "anna")
    with store.writer() as writer:
        writer.delete(image_sha256=photo)
        writer.commit()
    with store.writer() as writer:  # nobody has it now: who adds it was asked to
        writer.add(replace(other, images=["again"]))
        writer.commit()
    assert not store.is_removed(photo, "bert")
