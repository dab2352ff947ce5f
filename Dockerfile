# One image for every process of FastCheck; the command selects the process (see docker-compose.yml). The launcher and
# the servers that it starts are for development and are left out, as are pip and setuptools.
#
# A digest pins the content of the base image: docs/how-to/deploy.md says how to look it up and pass it.
ARG PYTHON_IMAGE=python:3.11.14-slim-trixie
FROM ${PYTHON_IMAGE} AS libraries
COPY requirements-image.txt .
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r requirements-image.txt

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /nonexistent fastcheck \
    && install --directory --owner=fastcheck --mode=0700 /var/lib/fastcheck \
    && find / -xdev -type d -path '*python3*' \
        \( -name 'pip' -o -name 'pip-*' -o -name 'setuptools*' -o -name 'pkg_resources' -o -name 'wheel*' -o -name 'ensurepip' \) \
        -prune -exec rm -rf {} +
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
