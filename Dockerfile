# One image for every process: web, worker control|agents|github, beat. It holds no secret.
# Another registry or a digest: --build-arg BASE=...
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/conductor
WORKDIR /src
# The lock alone first: this layer is built anew only when a dependency changes.
COPY requirements.lock ./
RUN /opt/conductor/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE app.yml ./
COPY bot ./bot
COPY workers ./workers
RUN /opt/conductor/bin/pip install --no-deps --no-build-isolation .

FROM ${BASE} AS run
# bubblewrap and git are the sandbox and the snapshots; the certificates are what sandboxes see of the system's.
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap ca-certificates git \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 conductor \
 && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin conductor \
 && install -d -o conductor -g conductor -m 0700 /var/lib/conductor /var/lib/conductor/data /var/lib/conductor/artifacts
COPY --from=build /opt/conductor /opt/conductor
COPY app.yml /opt/conductor/app.yml
ENV PATH=/opt/conductor/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONDUCTOR_DATA=/var/lib/conductor/data \
    CONDUCTOR_ARTIFACTS=/var/lib/conductor/artifacts
WORKDIR /var/lib/conductor
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["conductor"]
CMD ["--help"]
