// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// hand is a clock that a test moves.
type hand struct{ now time.Duration }

func (h *hand) Now() time.Duration { return h.now }

// memory is a Lease. A write may be answered with an error, after it was stored or not.
type memory struct {
	record  *resourcelock.LeaderElectionRecord
	asked   func()
	fail    error
	updates int
}

func (m *memory) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if m.record == nil {
		return nil, nil, errors.New("not found")
	}
	r := *m.record
	return &r, []byte(r.HolderIdentity + r.RenewTime.String()), nil
}

func (m *memory) Create(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	m.record = &r
	return m.fail
}

func (m *memory) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	if m.asked != nil {
		m.asked()
	}
	if m.fail == nil {
		m.record = &r
		m.updates++
	}
	return m.fail
}

func (*memory) RecordEvent(string) {}
func (*memory) Identity() string   { return "me" }
func (*memory) Describe() string   { return "a Lease" }

func record(holder string, transitions int) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaderTransitions: transitions, RenewTime: metav1.Now()}
}

// newTerm returns a tenure that holds the Lease since the clock's present time, and a term.
func newTerm(t *testing.T, clock *hand) (*Tenure, Term) {
	t.Helper()
	tenure := NewTenure(clock, "me")
	tenure.won(clock.now, 1, false)
	tenure.caughtUp(tenure.state().epoch)
	term, err := tenure.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tenure, term
}

func TestTiming_IsWhatTheElectorTakes(t *testing.T) {
	if validFor >= leaseFor || renewWithin >= validFor || float64(renewEvery)*leaderelection.JitterFactor >= float64(renewWithin) {
		t.Error("a holder may answer for longer than others wait")
	}
}

func TestHeld_TimePasses_EndsBeforeOthersMayTakeTheLease(t *testing.T) {
	for name, tt := range map[string]struct {
		does func(clock *hand, tenure *Tenure)
		want error
	}{
		"at once":                            {func(*hand, *Tenure) {}, nil},
		"shortly before the end":             {func(c *hand, _ *Tenure) { c.now += validFor - 1 }, nil},
		"after the process was stopped":      {func(c *hand, _ *Tenure) { c.now += 20 * time.Second }, ErrLost},
		"at the end":                         {func(c *hand, _ *Tenure) { c.now += validFor }, ErrLost},
		"renewed":                            {func(c *hand, x *Tenure) { c.now += 2 * time.Second; x.won(c.now, 1, false); c.now += 2 * time.Second }, nil},
		"credentials refused":                {func(_ *hand, x *Tenure) { x.answered(t, http.StatusUnauthorized) }, ErrLost},
		"another right missing":              {func(_ *hand, x *Tenure) { x.answered(t, http.StatusForbidden) }, nil},
		"released":                           {func(_ *hand, x *Tenure) { x.lost() }, ErrLost},
		"lost and won again while it slept":  {func(c *hand, x *Tenure) { c.now += 20 * time.Second; x.won(c.now, 3, false) }, ErrLost},
		"deleted and made again":             {func(c *hand, x *Tenure) { x.won(c.now, 1, true) }, ErrLost},
		"released and won again":             {func(c *hand, x *Tenure) { x.lost(); x.won(c.now, 2, false) }, ErrLost},
		"renewed late, though nobody had it": {func(c *hand, x *Tenure) { c.now += leaseFor; x.won(c.now, 1, false) }, ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &hand{now: time.Hour}
			tenure, term := newTerm(t, clock)
			tt.does(clock, tenure)
			if got := term.Held(); !errors.Is(got, tt.want) {
				t.Errorf("Held = %v, want %v", got, tt.want)
			}
		})
	}
}

// answered has the API server answer a request of this process with a status.
func (t *Tenure) answered(test *testing.T, status int) {
	test.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer api.Close()
	request, err := http.NewRequestWithContext(test.Context(), http.MethodGet, api.URL, http.NoBody)
	if err != nil {
		test.Fatal(err)
	}
	answer, err := t.WatchCredentials(http.DefaultTransport).RoundTrip(request)
	if err != nil || answer.StatusCode != status {
		test.Fatalf("answered %v, %v, want %d", answer, err, status)
	}
	_ = answer.Body.Close()
}

func TestBegin_CredentialsRefused_WaitsForARenewalOrAnother(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure, term := newTerm(t, clock)
	term.End()
	tenure.answered(t, http.StatusUnauthorized)
	if s := tenure.state(); s.here || s.other != "" || s.wait != patience {
		t.Errorf("after the refusal: %+v, want nobody to be active and %s to wait", s, patience)
	}
	tenure.won(clock.now, 1, false)
	if s := tenure.state(); !s.held || s.here {
		t.Errorf("after a renewal: %+v, want it to be held, and the caches to catch up first", s)
	}
	tenure.caughtUp(tenure.state().epoch)
	if !tenure.state().here {
		t.Error("it is not active again")
	}
}

func TestBegin_WonAgain_WaitsUntilTheCachesHaveCaughtUp(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure, _ := newTerm(t, clock)
	old := tenure.state().epoch
	tenure.lost()
	tenure.won(clock.now, 3, false)
	if tenure.state().here {
		t.Fatal("it answers by what its caches had in the term before")
	}
	tenure.caughtUp(old)
	if tenure.state().here {
		t.Fatal("it answers by a list of the term before")
	}
	tenure.caughtUp(tenure.state().epoch)
	if !tenure.state().here {
		t.Fatal("it does not answer")
	}
}

func TestBegin_WhoIsActive_DecidesHowLongItWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		does func(tenure *Tenure)
		want error
		took time.Duration
	}{
		"another server":                      {func(x *Tenure) { x.observe("other", "1") }, ErrElsewhere, 0},
		"nobody":                              {func(*Tenure) {}, ErrNobody, patience},
		"one that cannot be reached":          {func(x *Tenure) { x.observe("other", "1"); x.unreach("other") }, ErrNobody, patience},
		"one that can be reached again":       {func(x *Tenure) { x.observe("other", "1"); x.unreach("other"); x.observe("other", "2") }, ErrElsewhere, 0},
		"this one, by an old note":            {func(x *Tenure) { x.observe("me", "1") }, ErrNobody, patience},
		"one that gave up":                    {func(x *Tenure) { x.observe("other", "1"); x.observe("", "2") }, ErrNobody, patience},
		"this one, after it has stepped down": {func(x *Tenure) { x.won(x.clock.Now(), 1, false); x.caughtUp(1); x.StepDown(context.Background()) }, ErrElsewhere, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenure, began := NewTenure(bubble{time.Now()}, "me"), time.Now()
				tt.does(tenure)
				if _, err := tenure.Begin(t.Context()); !errors.Is(err, tt.want) || time.Since(began) != tt.took {
					t.Errorf("Begin = %v after %s, want %v after %s", err, time.Since(began), tt.want, tt.took)
				}
				if _, err := tenure.Begin(t.Context()); !errors.Is(err, tt.want) || time.Since(began) != tt.took {
					t.Errorf("the next one: %v after %s, want no further wait", err, time.Since(began))
				}
			})
		})
	}
}

// bubble is a clock by the time of a synctest bubble.
type bubble struct{ start time.Time }

func (b bubble) Now() time.Duration { return time.Hour + time.Since(b.start) }

func TestStepDown_OpenRequests_AreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenure := NewTenure(bubble{time.Now()}, "me")
		tenure.won(tenure.clock.Now(), 1, false)
		tenure.caughtUp(tenure.state().epoch)
		term, err := tenure.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		down := make(chan struct{})
		go func() { tenure.StepDown(t.Context()); close(down) }()
		synctest.Wait()
		select {
		case <-down:
			t.Fatal("it stepped down while a request was open")
		default:
		}
		if term.Held() != nil {
			t.Fatal("the open request cannot be answered")
		}
		term.End()
		<-down
		if _, err := tenure.Begin(t.Context()); !errors.Is(err, ErrElsewhere) {
			t.Errorf("afterwards, Begin = %v", err)
		}
	})
}

func TestUpdate_Renewal_CountsFromItsBeginning(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure := NewTenure(clock, "me")
	m := &memory{asked: func() { clock.now += time.Second }} // the API server is slow
	l := &lock{Interface: m, tenure: tenure}
	if err := l.Update(t.Context(), record("me", 1)); err != nil {
		t.Fatal(err)
	}
	clock.now = time.Hour + validFor
	if tenure.state().held {
		t.Error("the Lease is held for longer than others may have waited")
	}
}

func TestUpdate_Fails_DoesNotHold(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure := NewTenure(clock, "me")
	l := &lock{Interface: &memory{fail: errors.New("timeout")}, tenure: tenure}
	if l.Update(t.Context(), record("me", 1)) == nil || tenure.state().held {
		t.Error("the Lease is held by a write that failed")
	}
}

func TestUpdate_ReleaseOfAnothersLease_IsRefused(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure := NewTenure(clock, "me")
	other := record("other", 2)
	m := &memory{record: &other}
	l := &lock{Interface: m, tenure: tenure}
	if err := l.Update(t.Context(), record("me", 1)); err != nil {
		t.Fatal(err)
	}
	m.record = &other // taken while this process was stopped
	if _, _, err := l.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Update(t.Context(), record("", 2)); !errors.Is(err, errNotOurs) || m.record.HolderIdentity != "other" {
		t.Errorf("Update = %v, and %q holds the Lease", err, m.record.HolderIdentity)
	}
}

func TestUpdate_Release_EndsTheTermBeforeTheWrite(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure, term := newTerm(t, clock)
	mine := record("me", 1)
	m := &memory{record: &mine}
	l := &lock{Interface: m, tenure: tenure}
	if _, _, err := l.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.asked = func() {
		if term.Held() == nil {
			t.Error("answers leave while others may already take the Lease")
		}
	}
	if err := l.Update(t.Context(), record("", 1)); err != nil || m.record.HolderIdentity != "" {
		t.Errorf("Update = %v, and %q holds the Lease", err, m.record.HolderIdentity)
	}
}

func TestState_LeaseMadeAnew_WaitsForWhoeverHeldIt(t *testing.T) {
	clock := &hand{now: time.Hour}
	tenure := NewTenure(clock, "me")
	l := &lock{Interface: &memory{}, tenure: tenure}
	if err := l.Create(t.Context(), record("me", 0)); err != nil {
		t.Fatal(err)
	}
	if got := tenure.state().alone; got != leaseFor {
		t.Errorf("it answers after %s, want %s: the Lease may have been deleted", got, leaseFor)
	}
}
