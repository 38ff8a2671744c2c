"""What a serving system calls: log predictions and labels from Python, without waiting."""

from continual.sdk.logger import Logger, Stats

__all__ = ["Logger", "Stats"]
