"""How far a consumer group has come, as the broker knows it."""

from benchmarks.sealing.peers import Job
from parley.log.admin import admin_client


async def committed(job: Job) -> int:
    """Records of the input that the job's group has committed."""
    async with admin_client(job.settings) as admin:
        offsets = await admin.list_consumer_group_offsets(job.group)
    return sum(
        max(0, one.offset) for place, one in offsets.items() if place.topic == job.input_topic
    )
