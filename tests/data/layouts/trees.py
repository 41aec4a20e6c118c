"""Small trees of the published layouts. No image is a photo: most are never opened, the others are plain colours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tgfr_search.data.captions import ATTRIBUTES

NAMES = [name.title() for name in ATTRIBUTES]


def put(path: Path, text: str = "never read here") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def colour(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 16, 3), value, np.uint8)).save(path)
    return path


def lines(path: Path, *rows: str) -> Path:
    return put(path, "\n".join(rows) + "\n")


def attribute_table(path: Path, true: dict[str, set[str]]) -> Path:
    """A table of all 40 attributes; those in the set hold."""
    rows = [f"{file}  " + " ".join("1" if name in on else "-1" for name in ATTRIBUTES) for file, on in true.items()]
    return lines(path, str(len(rows)), " ".join(NAMES), *rows)


def celeba(folder: Path) -> Path:
    """Three images of two people, listed with their attributes, identities and official parts."""
    for number in (1, 2, 3):
        colour(folder / f"img_align_celeba/00000{number}.jpg", 60 * number)
    true = {"000001.jpg": {"male", "goatee"}, "000002.jpg": {"male", "eyeglasses"}, "000003.jpg": {"wavy_hair"}}
    attribute_table(folder / "list_attr_celeba.txt", true)
    lines(folder / "identity_CelebA.txt", "000001.jpg 20", "000002.jpg 20", "000003.jpg 3")
    lines(folder / "list_eval_partition.txt", "000001.jpg 0", "000002.jpg 1", "000003.jpg 2")
    return folder


def mm_celeba(folder: Path) -> Path:
    """CelebA-HQ images 0, 2, 10; number 2 and 10 are one person's; captions for 0 and 10."""
    for number in (0, 2, 10):
        colour(folder / f"image/images/{number}.jpg", 20 * number)
    put(folder / "text/celeba-caption/0.txt", "He has a goatee.\n\n  He is young. \r\n")
    put(folder / "text/celeba-caption/10.txt", "She smiles.")
    rows = ("0        119613    000007.jpg", "10       5         000009.jpg", "2        9         000008.jpg")
    lines(folder / "CelebA-HQ-to-CelebA-mapping.txt", "idx     orig_idx    orig_file", *rows)
    lines(folder / "identity_CelebA.txt", "000007.jpg 100", "000008.jpg 9", "000009.jpg 9")
    return folder


def celeba_dialog(folder: Path) -> Path:
    """The standard set: three images of two people."""
    celeba(folder)
    said = {
        "000001.jpg": {"overall_caption": "No bangs at all.", "attribute_wise_captions": {"Bangs": "No bangs."}},
        "000003.jpg": {"overall_caption": "", "attribute_wise_captions": {"Bangs": "Long bangs.", "Age": "Teen."}},
    }
    put(folder / "captions.json", json.dumps(said))
    return folder


def face2text(folder: Path) -> Path:
    """Release 1.0: two of three CelebA images described, one of them twice."""
    celeba(folder)
    rows = [("3", "A woman with wavy hair. "), ("1", "A man."), ("3", "Young.")]
    said = [
        {"response_id": str(at), "filename": f"00000{image}.jpg", "user_id": "2", "description": text}
        for at, (image, text) in enumerate(rows)
    ]
    put(folder / "raw.json", json.dumps(said))
    return folder


def ffhq_text(folder: Path) -> Path:
    for stem in ("00001", "00002"):
        colour(folder / f"images/{stem}.png", 90)
    put(folder / "text/00002.txt", "\n".join(f"Line {number}." for number in range(9)))
    lines(folder / "images.txt", "1 00001.png", "2 00002.png")
    lines(folder / "bounding_boxes.txt", "1 0 0 9 9", "2 0 0 9 9")
    return folder


def lfw(folder: Path) -> Path:
    """Three people, two folds of one genuine and one impostor pair."""
    for person, count in (("Ann_Bee", 3), ("Cy_Dee", 1), ("Eve_Fox", 2)):
        for number in range(1, count + 1):
            colour(folder / f"lfw/{person}/{person}_{number:04d}.jpg", 10 * number)
    rows = ("Ann_Bee\t1\t3", "Ann_Bee\t2\tCy_Dee\t1", "Eve_Fox\t1\t2", "Cy_Dee\t1\tEve_Fox\t2")
    lines(folder / "pairs.txt", "2\t1", *rows)
    return folder


def ijb(folder: Path, subjects: bool = True) -> Path:
    """Templates 1, 5 (subject 77) and 2 (subject 8); image 2.jpg is in two templates."""
    for number in (1, 2, 3):
        colour(folder / f"loose_crop/{number}.jpg", 40 * number)
    lines(folder / "meta/ijbc_face_tid_mid.txt", "1.jpg 1 501", "2.jpg 1 502", "2.jpg 5 502", "3.jpg 2 503")
    lines(folder / "meta/ijbc_template_pair_label.txt", "1 5 1", "2 5 0", "5 9 1")
    if subjects:
        lines(folder / "meta/ijbc_1N_gallery_G1.csv", "TEMPLATE_ID,SUBJECT_ID,FILENAME", "1,77,img/1.jpg", "1,77,b")
        lines(folder / "meta/ijbc_1N_probe_mixed.csv", "TEMPLATE_ID,SUBJECT_ID", "5,77", "2,8")
    return folder
