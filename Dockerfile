# Strandline in a container: every command, run by an ordinary user. `docker compose up` starts all of it (docker-compose.yml).
# Debian, not Alpine: confluent-kafka has no wheels for musl.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
# What the lock names, by its hashes; the next step installs from these files alone.
RUN pip download --quiet --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE strandline.py ./
COPY ledger ledger
COPY streams streams
COPY consumers consumers
COPY schemas schemas
RUN python -m venv /opt/strandline \
    && /opt/strandline/bin/pip install --quiet --no-index --find-links /wheels .

FROM python:3.13-slim-bookworm
COPY --from=build /opt/strandline /opt/strandline
ENV PATH=/opt/strandline/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --home-dir /var/lib/strandline --create-home strandline
USER strandline
WORKDIR /var/lib/strandline
VOLUME /var/lib/strandline
EXPOSE 8420
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8420/readyz', timeout=2)"]
ENTRYPOINT ["strandline"]
CMD ["serve", "--data", "/var/lib/strandline", "--host", "0.0.0.0"]
