"""Jobs of five small files, rows over psycopg and over PostgREST, side by side.

Run: python bench/transports.py [JOBS]   (needs PostgREST: npm ci --prefix tests/support/node)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from local_project import PREPARE, local_project

from inbox.blobs import blob_key, open_blobs
from inbox.embedded import EmbeddedPostgres
from inbox.model import Upload
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import migrate

TEXT = b"INVOICE No. 2041\nBill to: Example Ltd\nTotal due: EUR 120.00\nPayment within 30 days\n"
FILES = 5


def seconds(settings: Settings, jobs: int, folder: Path) -> float:
    """How long the trip of so many jobs takes, from submit to finish; bytes in a folder."""
    plain = Settings(_env_file=None, data_dir=folder)
    with Inbox(settings) as inbox:
        inbox.blobs = open_blobs(plain)
        took = 0.0
        for number in range(jobs + 1):
            job_id, uploads = uuid4(), []
            for n in range(1, FILES + 1):
                with inbox.blobs.create(blob_key(job_id, n)) as writer:
                    writer.write(TEXT)
                    uploads.append(Upload(name=f"{n}.txt", blob=writer.commit()))
            began = time.perf_counter()
            inbox.submit(job_id, uploads)
            assert inbox.work() == "completed"
            if number:  # the first warms the readers up
                took += time.perf_counter() - began
        return took


def main() -> None:
    """Print jobs per second on both transports, and their ratio."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with (
        tempfile.TemporaryDirectory() as temporary,
        EmbeddedPostgres(Path(temporary) / "database") as server,
    ):
        server.ensure_database("bench")
        url = server.url("bench")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PREPARE.encode())
        migrate(url)
        home = Path(temporary) / "home"
        more = {"data_dir": home, "classifier": "lexicon"}
        direct = Settings(_env_file=None, database_url=SecretStr(url), **more)
        with local_project(url) as project:
            through = project.settings(data_dir=home)
            rounds = [(seconds(direct, jobs, home), seconds(through, jobs, home)) for _ in range(3)]
    ratios = sorted(a / b for a, b in rounds)
    for a, b in rounds:
        print(
            f"psycopg {jobs / a:6.1f} jobs/s   PostgREST {jobs / b:6.1f} jobs/s   ratio {a / b:.2f}"
        )
    print(f"median ratio {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
