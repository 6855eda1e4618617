"""How long a job will take, as far as can be told before anything of it is read.

Each file costs a second, and another for every half megabyte, about what one scanned page
weighs and takes; files are worked on side by side; files of jobs that are ahead count as
scans of one page. A start costs three seconds. Born-digital documents are much faster.
"""

from __future__ import annotations

import math

START_SECONDS = 3.0
FILE_SECONDS = 1.0
BYTES_A_SECOND = 512 * 1024
FILE_AHEAD_SECONDS = 2.0


def estimate_seconds(files: int, size: int, files_ahead: int, concurrency: int) -> int:
    """Whole seconds until a job of so many files and bytes may be over.

    Args:
        files: files of the job.
        size: their bytes in all.
        files_ahead: unfinished files of the jobs that wait before it.
        concurrency: files that are worked on at once.
    """
    work = files * FILE_SECONDS + size / BYTES_A_SECOND + files_ahead * FILE_AHEAD_SECONDS
    return math.ceil(START_SECONDS + work / max(1, min(concurrency, files + files_ahead)))
