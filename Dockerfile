# One image for every process of FastCheck; the command selects the process (see docker-compose.yml). The launcher is a
# development tool and is left out.
FROM python:3.11-slim AS libraries
COPY requirements.txt .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent fastcheck
COPY --from=libraries /opt/venv /opt/venv
WORKDIR /app
COPY auditor auditor
COPY cli cli
COPY common common
COPY deploy deploy
COPY services services
# Compiled at build time: the runtime user cannot write here.
RUN /opt/venv/bin/python -m compileall -q auditor cli common deploy services
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2
USER fastcheck
CMD ["python", "-m", "cli", "--help"]
