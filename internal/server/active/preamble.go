// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

// A connection that a standby forwards begins with a preamble of fixed length: the
// client's address, and a proof that a replica of the server sent it to this very
// process. So a forwarded connection is never forwarded again, and limits and audit see
// the client's own address. The client's bytes follow unchanged: TLS, in which the
// client and the active server authenticate each other.
const (
	preambleLen   = 160
	preambleStart = "latchkey passes on "
)

// preamble returns the preamble of a client's connection to the holder of the Lease.
func preamble(key digest.Key, holder string, client net.Addr) ([]byte, error) {
	text := fmt.Sprintf("%s%s %s", preambleStart, client, proof(key, holder, client.String()))
	if len(text) > preambleLen {
		return nil, fmt.Errorf("the address %s is too long", client)
	}
	return append([]byte(text), bytes.Repeat([]byte{' '}, preambleLen-len(text))...), nil
}

func proof(key digest.Key, holder, client string) string {
	return key.Sum(digest.PurposePassedConnection, "", holder, client)
}

// readPreamble reads the rest of a preamble, after its first byte, and returns the
// client's address.
func readPreamble(r io.Reader, key digest.Key, holder string) (net.Addr, error) {
	text := make([]byte, preambleLen)
	text[0] = preambleStart[0]
	if _, err := io.ReadFull(r, text[1:]); err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(string(text), preambleStart)
	fields := strings.Fields(rest)
	if !ok || len(fields) != 2 || !digest.Equal(fields[1], proof(key, holder, fields[0])) {
		return nil, fmt.Errorf("a connection was passed on without proof")
	}
	return clientAddr(fields[0]), nil
}

// clientAddr is the address of a client whose connection was forwarded.
type clientAddr string

// Network implements net.Addr.
func (clientAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a clientAddr) String() string { return string(a) }
