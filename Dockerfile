# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0
#
# For those who build with a container runtime. `make image` makes the same image without one.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal
COPY webhook webhook
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /latchkey ./cmd/latchkey

FROM scratch
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="Every user's and every agent environment's own secrets, in Kubernetes" \
      org.opencontainers.image.source="https://github.com/latchkey-dev/latchkey" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /latchkey /latchkey
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/latchkey"]
