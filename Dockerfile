# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# For those who build with a container runtime: `make image` first, which builds the programs, then
# `docker build --build-arg VERSION=v1.2.3 .`. There is no base, so nothing is pulled that could change.
FROM scratch
ARG TARGETOS TARGETARCH VERSION=dev
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="Every user's and every agent environment's own secrets, in Kubernetes" \
      org.opencontainers.image.source="https://github.com/latchkey-dev/latchkey" \
      org.opencontainers.image.documentation="https://github.com/latchkey-dev/latchkey/blob/main/docs/install.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY dist/latchkey-${TARGETOS}-${TARGETARCH} /latchkey
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/latchkey"]
