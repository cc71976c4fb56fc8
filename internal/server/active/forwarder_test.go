// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-dev/latchkey/internal/digest"
)

var proofs, _ = digest.NewKey(bytes.Repeat([]byte{7}, digest.KeyLen))

// member is a replica whose server answers who it is and who asks.
type member struct {
	tenure  *Tenure
	address string
}

func newMember(t *testing.T, name string) *member {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{address: inner.Addr().String()}
	m.tenure = NewTenure(SystemClock{}, Identity(m.address, name))
	ctx, cancel := context.WithCancel(t.Context())
	listener := (&Forwarder{Tenure: m.tenure, Key: func() (digest.Key, error) { return proofs, nil }}).Listen(ctx, inner)
	t.Cleanup(func() { cancel(); _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				text := make([]byte, 5)
				if _, err := io.ReadFull(c, text); err == nil {
					_, _ = c.Write([]byte(name + " heard " + string(text) + " from " + c.RemoteAddr().String()))
				}
			}()
		}
	}()
	return m
}

// activate makes m the active one, as all of them see it.
func (m *member) activate(transitions int, others ...*member) {
	m.tenure.won(m.tenure.clock.Now(), transitions, false)
	m.tenure.caughtUp(m.tenure.state().epoch)
	for _, o := range others {
		o.tenure.observe(m.tenure.identity, "1")
	}
}

// say sends a text and returns the answer and the address that it was sent from.
func say(t *testing.T, m *member, text string) (answer, from string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(c) // what came before the end counts
	return string(raw), c.LocalAddr().String()
}

func TestForwarder_Standby_ForwardsWithTheClientsAddress(t *testing.T) {
	a, b := newMember(t, "a"), newMember(t, "b")
	a.activate(1, b)
	for _, m := range []*member{a, b} {
		if got, from := say(t, m, "hello"); got != "a heard hello from "+from {
			t.Errorf("got %q", got)
		}
	}
}

func TestForwarder_NoActiveServer_AnswersHere(t *testing.T) {
	a := newMember(t, "a")
	if got, from := say(t, a, "hello"); got != "a heard hello from "+from {
		t.Errorf("got %q", got)
	}
}

func TestForwarder_ActiveServerGone_AnswersHere(t *testing.T) {
	a := newMember(t, "a")
	a.tenure.observe(Identity("127.0.0.1:1", "gone"), "1")
	if got, _ := say(t, a, "hello"); !strings.HasPrefix(got, "a heard hello") {
		t.Errorf("got %q", got)
	}
}

func TestForwarder_EachTakesTheOtherForActive_DoesNotForwardInCircles(t *testing.T) {
	a, b := newMember(t, "a"), newMember(t, "b")
	a.tenure.observe(b.tenure.identity, "1")
	b.tenure.observe(a.tenure.identity, "1")
	if got, _ := say(t, a, "hello"); !strings.HasPrefix(got, "b heard hello") {
		t.Errorf("got %q", got)
	}
}

func TestForwarder_WithoutProof_DropsTheConnection(t *testing.T) {
	a := newMember(t, "a")
	other, _ := digest.NewKey(bytes.Repeat([]byte{8}, digest.KeyLen))
	client := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7}
	for name, tt := range map[string]struct {
		key    digest.Key
		holder string
		want   string
	}{
		"another key":       {other, a.tenure.identity, ""},
		"another addressee": {proofs, "somebody", ""},
		"control":           {proofs, a.tenure.identity, "a heard hello from 10.0.0.1:7"},
	} {
		text, err := preamble(tt.key, tt.holder, client)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := say(t, a, string(text)+"hello"); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestForwarder_ActiveServerChangesBeforeItAnswers_ForwardsToTheNext(t *testing.T) {
	stopped, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stopped.Close() }()
	b, c := newMember(t, "b"), newMember(t, "c")
	b.tenure.observe(Identity(stopped.Addr().String(), "a"), "1")
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	for i, text := range []string{"he", "llo"} {
		if _, err := connection.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			b.tenure.observe(c.tenure.identity, "1")
		}
	}
	got, err := io.ReadAll(connection)
	if want := "c heard hello from " + connection.LocalAddr().String(); string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
