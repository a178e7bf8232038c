"""Structured logs: one line an event, ids only, never content."""

import logging
import sys

import structlog


def configure(service: str, level: str, is_json: bool) -> None:
    """Write log lines to stdout: as JSON for machines, or as text for people."""
    # aiokafka tells its retries as warnings and errors; ours say the same once, with names.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not is_json:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            pad_event_to=20,
            # Others show the values of local variables, which may be content.
            exception_formatter=structlog.dev.plain_traceback,
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
