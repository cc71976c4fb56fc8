// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image builds Latchkey's container image without a container runtime: the
// static binary on an empty base, for each platform, as an OCI layout and as a tar
// that `ctr images import` takes. The same sources and the same Go make the same
// digest. It reads the source tree and writes to the output folder alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// options are what a caller chooses.
type options struct {
	source, output string
	tag, version   string
	platforms      []v1.Platform
	// created is the time of everything in the image.
	created time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	var parts []part
	for _, platform := range o.platforms {
		started := time.Now()
		binary, err := o.build(ctx, platform)
		if err != nil {
			return err
		}
		p, err := o.assemble(ctx, platform, binary)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		fmt.Printf("image: %s: %d bytes, built in %.1f s\n", platform, p.binarySize, time.Since(started).Seconds())
		parts = append(parts, p)
	}
	return o.write(ctx, parts)
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	fs.StringVar(&o.source, "source", ".", "folder of the source tree")
	fs.StringVar(&o.output, "output", "dist", "folder to write to")
	fs.StringVar(&o.tag, "tag", "", "name and tag of the image, such as ghcr.io/latchkey-dev/latchkey:v1.2.3")
	fs.StringVar(&o.version, "version", "dev", "version that the binary reports")
	platforms := fs.String("platform", "linux/amd64,linux/arm64", "platforms to build for, separated by commas")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("there are no arguments, only flags; found %q", fs.Arg(0))
	}
	if repository, tag, found := strings.Cut(o.tag[strings.LastIndex(o.tag, "/")+1:], ":"); !found || repository == "" || tag == "" {
		return nil, fmt.Errorf("--tag must be a name and a tag, such as ghcr.io/latchkey-dev/latchkey:v1.2.3, not %q", o.tag)
	}
	for text := range strings.SplitSeq(*platforms, ",") {
		platform, err := v1.ParsePlatform(text)
		if err != nil || platform.OS != "linux" || platform.Architecture == "" {
			return nil, fmt.Errorf("--platform must be a list such as linux/amd64,linux/arm64; %q is none of it", text)
		}
		o.platforms = append(o.platforms, *platform)
	}
	var err error
	if o.created, err = sourceDate(); err != nil {
		return nil, err
	}
	if o.source, err = filepath.Abs(o.source); err != nil {
		return nil, err
	}
	o.output, err = filepath.Abs(o.output)
	return o, err
}

// sourceDate is the time that builds of the same sources have in common: what
// SOURCE_DATE_EPOCH says, else the beginning of time.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH must be seconds since 1970, not %q", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
