# The router image (the default target) and, with `--target controller`, mtts itself to be run by cron.
#
#     docker build --platform linux/arm64 --build-arg VERSION="$(image/version)" -t tailscale .
#     docker build --target controller -t mtts .
#
# The steps are the scripts of image/, which image/build runs, too: the same inputs give the same files either way.
# Releases are made by image/build. It also knows the labels; here they are arguments, since a Dockerfile computes none.

FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.8-bookworm AS build
WORKDIR /src
COPY image/packages.txt image/
RUN apt-get update \
 && sed 's/ *#.*//' image/packages.txt | xargs apt-get install --yes --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY image/ image/
ARG TARGETARCH
ARG TARGETVARIANT
ARG FLAVOUR=default
ARG MTTS_IMAGE_RELEASE=0
RUN arch="$TARGETARCH${TARGETVARIANT:+-$TARGETVARIANT}" \
 && image/build-busybox "$arch" build/parts \
 && image/build-iptables "$arch" build/parts \
 && image/make-ca build/parts
RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/go/pkg/mod \
    image/build-tailscale "$TARGETARCH${TARGETVARIANT:+-$TARGETVARIANT}" "$FLAVOUR" build/parts
ARG SOURCE_DATE_EPOCH=0
RUN SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH image/assemble.py build/parts "$FLAVOUR" /rootfs


FROM docker.io/library/python:3.13-slim-bookworm AS wheels
WORKDIR /src
COPY requirements/ requirements/
# dev.txt has what builds mtts, locked as well; the environment that it goes into is left behind.
RUN python -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes -r requirements/dev.txt \
 && python -m venv /opt/mtts \
 && /opt/mtts/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY mtts/ mtts/
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/mtts/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl


FROM docker.io/library/python:3.13-slim-bookworm AS controller
COPY --from=wheels /opt/mtts /opt/mtts
RUN useradd --uid 10001 --create-home mtts \
 && install -d -o mtts -g mtts /var/lib/mtts /etc/mtts
ENV PATH=/opt/mtts/bin:/usr/local/bin:/usr/bin:/bin \
    MTTS_INVENTORY=/etc/mtts/inventory.yaml \
    MTTS_STATE=/var/lib/mtts
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="mtts" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
USER mtts
WORKDIR /home/mtts
VOLUME /var/lib/mtts
ENTRYPOINT ["mtts"]


FROM scratch
COPY --from=build /rootfs/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ARG CREATED
ARG EXTRACTED_SIZE
ARG REVISION
ARG SOURCE
ARG VERSION
LABEL org.mtts.image.extracted-size="$EXTRACTED_SIZE" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.licenses="BSD-3-Clause AND GPL-2.0-only AND MIT AND MPL-2.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.title="Tailscale for RouterOS" \
      org.opencontainers.image.version="$VERSION"
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 CMD ["/healthcheck.sh"]
ENTRYPOINT ["/entrypoint.sh"]
