"""What a node without a key broadcasts to be taken in (control/core/admission/messages.h), as anybody can make it: made
with libsodium, independent of the code under test."""

import ctypes
import ctypes.util
import hashlib
import random
import struct

from cluster_support import CLUSTER_PORT
from qure_dev import frames

_LABEL = b"qure candidate 1"
_SIGNED_EVERY = 4  # one of so many frames has a signature that holds
_COOKIE = bytes(16)
_TTL = 255  # RFC 5082
_sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))


def _digest(label: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(label + b"\0" + data, digest_size=32).digest()


def _key_pair(seed: bytes) -> tuple[bytes, bytes]:
    """Public and secret Ed25519 key."""
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    _sodium.crypto_sign_seed_keypair(public, secret, seed)
    return public.raw, secret.raw


def _signature(secret: bytes, message: bytes) -> bytes:
    signature = ctypes.create_string_buffer(64)
    _sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), secret)
    return signature.raw


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def candidate(chance: random.Random, mac: bytes, signed: bool) -> bytes:
    """A CANDIDATE of an identity that nobody knows. `signed`: by it; otherwise by chance."""
    identity, secret = _key_pair(chance.randbytes(32)) if signed else (chance.randbytes(32), b"")
    node = _digest(b"qure node id 2", identity)[:16]
    body = identity + node + chance.randbytes(16) + chance.randbytes(32) + bytes(32) + bytes(8) + mac + b"\x01\x01"
    body += _text("0.0") + _text(f"h{chance.randrange(100_000)}")
    head = struct.pack("!2sBBBBH", b"QR", 1, 3, 1, 0, len(body) + 64 + len(_COOKIE))
    transcript = _LABEL + b"\0" + _digest(_LABEL, head + body)
    signature = _signature(secret, transcript) if signed else chance.randbytes(64)
    return head + body + signature + _COOKIE


def candidate_frames(count: int) -> list[bytes]:
    """Each from another MAC and of another identity, to all."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        mac = b"\x06" + chance.randbytes(5)
        message = candidate(chance, mac, number % _SIGNED_EVERY == 0)
        datagram = struct.pack("!HHHH", CLUSTER_PORT, CLUSTER_PORT, 8 + len(message), 0) + message  # no checksum
        packet = bytearray(frames.ipv4(f"169.254.{1 + number % 250}.9", "255.255.255.255", 17, datagram))
        packet[8] = _TTL
        packet[10:12] = b"\0\0"
        packet[10:12] = frames.checksum(bytes(packet[:20])).to_bytes(2, "big")
        made.append(frames.ethernet(frames.BROADCAST, frames.mac_text(mac), frames.IPV4, bytes(packet)))
    return made
