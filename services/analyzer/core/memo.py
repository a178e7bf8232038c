"""Decides which answers are the same: of one tenant, content and fingerprint."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from parley.analyses import JobEnded, JobEndKind


class Memo(NamedTuple):
    """An answer that is paid for."""

    tenant_id: str
    key: bytes
    conversation_id: str
    output_json: str
    model: str
    prompt_digest: bytes
    made_at: datetime


def memo_key(tenant_id: str, content_digest: bytes, fingerprint: str) -> bytes:
    """sha256 over the three; every part is preceded by its length."""
    digest = sha256()
    for part in (tenant_id.encode(), content_digest, fingerprint.encode()):
        digest.update(f"{len(part)}:".encode() + part)
    return digest.digest()


def memo_of(ended: JobEnded) -> Memo | None:
    """What to remember of an end: verdicts of models. Code is run again at less cost."""
    if ended.end is not JobEndKind.VERDICT or not ended.model:
        return None
    return Memo(
        tenant_id=ended.tenant_id,
        key=memo_key(ended.tenant_id, ended.content_digest, ended.fingerprint),
        conversation_id=ended.conversation_id,
        output_json=ended.output_json,
        model=ended.model,
        prompt_digest=ended.prompt_digest,
        made_at=ended.ended_at,
    )
