# SPDX-License-Identifier: LGPL-2.1-or-later
"""The state file's format once more, from doc/configuration.md and with the library alone: what the daemon wrote is opened here
by other code, and secrets that a test looks for are known."""
import ctypes
import hashlib
import hmac

_sodium = ctypes.CDLL("libsodium.so.23")
HEAD = 42


def hkdf(secret, info, length):
    prk = hmac.new(bytes(64), secret, hashlib.sha512).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha512).digest()[:length]


def key_of(secret):
    return hkdf(secret, b"callgate/1 seal key", 32), hkdf(secret, b"callgate/1 seal id", 8)


def secret_of(state):
    with open(f"{state}/key", "rb") as file:
        data = file.read()
    assert len(data) == 37 and data[:5] == b"CGKY\x01"
    return data[5:]


def opened(data, secret):
    """What is in a sealed identity."""
    key, name = key_of(secret)
    head, body = data[:HEAD], data[HEAD:]
    assert head[:6] == b"CGSL\x01\x01" and head[10:18] == name
    plain = ctypes.create_string_buffer(len(body) - 16)
    length = ctypes.c_ulonglong()
    if _sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            plain, ctypes.byref(length), None, body, ctypes.c_ulonglong(len(body)), head, ctypes.c_ulonglong(len(head)),
            head[18:], key) != 0:
        raise ValueError("not genuine")
    return plain.raw[:length.value]


def sealed(plain, secret, uid, nonce=bytes(24)):
    key, name = key_of(secret)
    head = b"CGSL\x01\x01" + uid.to_bytes(4, "big") + name + nonce
    body = ctypes.create_string_buffer(len(plain) + 16)
    _sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        body, None, plain, ctypes.c_ulonglong(len(plain)), head, ctypes.c_ulonglong(len(head)), None, nonce, key)
    return head + body.raw


def root_of(plain):
    assert plain[:5] == b"CGID\x01"
    return plain[5:37]


def static_key(root, label):
    return hkdf(root, b"callgate/1 static" + label.encode(), 32)


def opens_data(key, blob):
    """Is this the key of a DATA blob, doc/protocol.md section 3?"""
    plain = ctypes.create_string_buffer(64)
    nonce = bytes(4) + blob[22:30][::-1]
    return _sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        plain, None, None, blob[30:], ctypes.c_ulonglong(len(blob) - 30), blob, ctypes.c_ulonglong(30), nonce, key) == 0
