"""Short fingerprints of JSON: the same for equal values, in every process."""

import hashlib
import json

from pydantic import JsonValue

__all__ = ["digest_of"]


def digest_of(value: JsonValue) -> str:
    """Return 32 hexadecimal digits; the order of an object's keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
