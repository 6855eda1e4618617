"""One file as a real job, by a worker that starts for it: `python bench/onejob.py FILE`.

Stores the bytes, submits, claims, reads, classifies, records and finishes, on the database and the
folders that the settings name; then prints the text as it is kept, pages parted by form feeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

from inbox import Inbox, Settings
from inbox.blobs import blob_key
from inbox.model import Upload


def main() -> None:
    """Do the job, print the text; exit 1 where the file was not read."""
    path = Path(sys.argv[1])
    with Inbox(Settings()) as inbox:
        job_id = uuid4()
        with inbox.blobs.create(blob_key(job_id, 1)) as writer:
            writer.write(path.read_bytes())
            blob = writer.commit()
        inbox.submit(job_id, [Upload(name=path.name, blob=blob)])
        inbox.work()
        result = inbox.get(job_id).result
        if result is None or result.successful != 1:
            sys.exit(1)
        text = inbox.document(job_id, result.results[0].file_id).text
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
