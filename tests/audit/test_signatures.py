"""Ed25519 in plain Python against `cryptography`, and signed notes against the example of their specification."""

from __future__ import annotations

import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tgfr_search.audit.entries import commitment
from tgfr_search.audit.keys import Signer
from tgfr_search.audit.verify import DASH, Key, check_signature, leaf_hash, read_checkpoint


def by_the_library(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_as_the_library_says() -> None:
    chance, verdicts = random.Random(1), []
    for number in range(60):
        private = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = private.public_key().public_bytes_raw(), chance.randbytes(chance.randint(0, 200))
        parts = [bytearray(public), bytearray(message or b"m"), bytearray(private.sign(message or b"m"))]
        if number % 3:
            part = parts[chance.randrange(3)]
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
        given = bytes(parts[0]), bytes(parts[1]), bytes(parts[2])
        verdicts.append(check_signature(*given))
        assert verdicts[-1] == by_the_library(*given), [each.hex() for each in given]
    assert verdicts.count(True) == 20


def test_a_signature_cannot_be_another_one_of_the_same_message() -> None:
    """s + the group's order gives the same point; RFC 8032 forbids it."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    other = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert check_signature(public, b"m", signature)
    assert not check_signature(public, b"m", other)
    assert not check_signature(public, b"m", signature[:-1])


def test_the_example_of_the_specification() -> None:
    """c2sp.org/signed-note."""
    key = Key.read("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n")
    text = "This is an example message.\n"
    line = (
        "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    )
    assert key.signed(text, line)
    assert not key.signed(text + "\n", line)
    assert not key.signed(text, line.replace("Uw2", "Ux2"))
    assert str(key) == "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_checkpoints() -> None:
    signer, root = Signer("log/1", bytes(32)), leaf_hash(b"x")
    note = signer.checkpoint(17, root)
    assert read_checkpoint(note, signer.key) == (17, root)
    bad = {
        "another log": note.replace("log/1\n17", "log/2\n17"),
        "not signed": note.replace("\n17\n", "\n18\n"),
        "no checkpoint": note.replace("\n\n", "\n"),
    }
    for message, text in bad.items():
        with pytest.raises(ValueError, match=message):
            read_checkpoint(text, signer.key)
    with pytest.raises(ValueError, match=r"not signed"):
        read_checkpoint(note, Signer("log/1", b"y" * 32).key)
    assert signer.line(17, root).startswith(DASH)
    for text in ("", "a+b", "log/1+00000000+" + str(signer.key).split("+", 2)[2], str(signer.key)[:-4]):
        with pytest.raises(ValueError, match=r"not a key|no base64"):
            Key.read(text)


def test_a_commitment_is_the_hmac_of_rfc_4231() -> None:
    assert commitment(b"\x0b" * 20, "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
