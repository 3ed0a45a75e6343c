from pathlib import Path

import numpy as np
import pytest

from tests import made_hands
from training import sources, split_hands


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    """Five writers of ten characters each, two of each character, mixed."""
    rng = np.random.default_rng(0)
    labels = np.array([label for label in made_hands.CHARACTERS for _ in range(10)])
    writers = np.array([f"p{number % 5}" for number in range(len(labels))])
    images = np.stack([made_hands.stroke_image(label, rng) for label in labels])
    order = rng.permutation(len(labels))
    np.savez(tmp_path / "crowd.npz", images=images[order], labels=labels[order], writer=writers[order])
    return tmp_path / "crowd.npz"


def test_each_writer_is_on_one_side_with_all_that_they_wrote(crowd: Path, tmp_path: Path) -> None:
    assert split_hands.split(crowd, 2, tmp_path / "data") == (3, 2)
    sides = [sources.read_hands(tmp_path / "data" / "hands" / side) for side in ("train", "dev")]
    assert [len(side) for side in sides] == [3, 2]
    assert {hand.writer for side in sides for hand in side} == {f"p{number}" for number in range(5)}
    assert {len(hand.labels) for side in sides for hand in side} == {20}
    with np.load(crowd) as data:
        own = data["writer"] == sides[1][0].writer
        expected = sorted(image.tobytes() for image in data["images"][own])
    assert sorted(image.tobytes() for image in sides[1][0].images) == expected


def test_too_many_unseen_writers_and_a_folder_in_use_are_refused(crowd: Path, tmp_path: Path) -> None:
    for unseen in (0, 5):
        with pytest.raises(ValueError, match=rf"`unseen` must be 1 to 4\. Received: {unseen}"):
            split_hands.split(crowd, unseen, tmp_path / "data")
    split_hands.split(crowd, 1, tmp_path / "data")
    with pytest.raises(ValueError, match="is there already"):
        split_hands.split(crowd, 1, tmp_path / "data")


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", images=np.zeros((2, 96, 96), np.uint8), labels=np.array(["一", "二"]))
    with pytest.raises(ValueError, match=r"Missing: \['writer'\]"):
        split_hands.split(tmp_path / "one.npz", 1, tmp_path / "data")
    np.savez(
        tmp_path / "small.npz",
        images=np.zeros((2, 64, 64), np.uint8),
        labels=np.array(["一", "二"]),
        writer=np.array(["a", "b"]),
    )
    with pytest.raises(ValueError, match=r"must be uint8 \(2, 96, 96\)"):
        split_hands.split(tmp_path / "small.npz", 1, tmp_path / "data")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "small.npz").read_bytes()[:300])
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("torn.npz", "array.npy"):
        with pytest.raises(ValueError, match=rf"{name}: is no whole \.npz file"):
            split_hands.split(tmp_path / name, 1, tmp_path / "data")


def test_two_files_of_a_person_stay_together_and_names_must_be_names(tmp_path: Path) -> None:
    for names in (["p", "p_scan", "q"], ["../p", "q", "r"]):
        images = np.full((3, 96, 96), 255, np.uint8)
        images[:, 40:50, 10:80] = 0
        np.savez(tmp_path / "few.npz", images=images, labels=np.array(["一"] * 3), writer=np.array(names))
        if names[0] == "p":
            assert split_hands.split(tmp_path / "few.npz", 1, tmp_path / "data") == (1, 1)
            assert (tmp_path / "data" / "hands" / "train" / "q.npz").exists() != any(
                (tmp_path / "data" / "hands" / "train" / f"{name}.npz").exists() for name in names[:2]
            )
        else:
            with pytest.raises(ValueError, match=r"names that files can have\. Received: \['\.\./p'\]"):
                split_hands.split(tmp_path / "few.npz", 1, tmp_path / "others")
