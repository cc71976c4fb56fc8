// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// What is too long has to arrive too long: cut to a length that fits, it would be stored.
func TestReadBounded_ALongValue_IsNeverCutToOneThatFits(t *testing.T) {
	for _, size := range []int{1, 24 << 10, 64 << 10, typedvalue.MaxValueBytes, typedvalue.MaxValueBytes + 1, 4 * typedvalue.MaxValueBytes} {
		text, err := readBounded(bytes.NewReader(bytes.Repeat([]byte("x"), size)))
		if err != nil || len(text) != size && len(text) <= typedvalue.MaxValueBytes {
			t.Errorf("of %d bytes, %d are read, %v", size, len(text), err)
		}
	}
}
