# One image; the command says what it is: api | worker | migrate
#   docker build -t document-inbox .
#   docker run --rm -e DATABASE_URL=… document-inbox migrate
# The API asks everybody for a key (INBOX_AUTH=required); `inbox keys create NAME` makes one.
# A gateway in front that asks itself: INBOX_ALLOW_OPEN=true and INBOX_AUTH=open.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /app \
 && /app/bin/python -m pip install --no-cache-dir uv==0.13.9
COPY requirements.lock ./
RUN VIRTUAL_ENV=/app /app/bin/uv pip install --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE prefect.yaml ./
COPY inbox ./inbox
COPY tasks ./tasks
COPY flows ./flows
COPY deployments ./deployments
COPY prefork ./prefork
COPY supabase/migrations ./supabase/migrations
RUN VIRTUAL_ENV=/app /app/bin/uv pip install --no-cache --no-deps . \
 && /app/bin/python -m pip uninstall --yes uv

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data inbox
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    INBOX_DATA_DIR=/data \
    INBOX_HOST=0.0.0.0 \
    INBOX_AUTH=required
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# A worker or a migration has no port; its orchestrator looks at the process itself.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["inbox"]
CMD ["api"]
