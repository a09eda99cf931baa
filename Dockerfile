# CPU by default; for a GPU: docker build --build-arg EXTRA=gpu -t passerine . && docker run --gpus all ...
# Run:  docker run -p 127.0.0.1:8000:8000 -v passerine:/data -v /my/documents:/documents:ro passerine
FROM debian:bookworm-slim

ARG EXTRA=cpu
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PASSERINE_HOME=/data

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 passerine \
 && mkdir -p /data /documents && chown passerine:passerine /data

WORKDIR /app
COPY .ci/torch-index .ci/torch-index
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN python3 -m venv .venv \
 && .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1' \
 && .venv/bin/python -m pip install --quiet $(bash .ci/torch-index $EXTRA) -c constraints.txt torch

COPY indexing indexing
COPY models models
COPY rewards rewards
COPY service service
COPY eval eval
RUN .venv/bin/python -m pip install --quiet -c constraints.txt ".[$EXTRA]"

USER passerine
# The base models are part of the image, and a new named volume starts with them: no network is needed to run.
RUN .venv/bin/passerine models install --all

EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD [".venv/bin/passerine", "serve", "--host", "0.0.0.0", "--port", "8000", "--insecure-listen"]
